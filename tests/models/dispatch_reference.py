"""The simulator's rules once more, slow and plain: one list of events, ordinary Python, no arrays.

Written from the rules at the top of ``models.dispatch``, not from its code.
"""

import heapq
import math
from dataclasses import dataclass, field

SHIFT_END, COMES_FREE, CALL = 0, 1, 2


@dataclass
class Call:
    """A call and what happens to it."""

    call_min: float
    place: int
    on_scene_min: float
    priority: int = 1
    unit_type: str = ""
    handling_min: float = 0.0
    turnout_min: float = 0.0
    access_min: float = 0.0
    drive_factor: float = 1.0
    way_factor: float = 1.0
    transported: bool = False
    hospital: int = -1
    at_hospital_min: float = 0.0
    row: int = -1
    rank: int = -1
    answer: "Answer | None" = None
    turned: list[tuple[int, float, float]] = field(default_factory=list)
    free_units: int = -1

    @property
    def ready(self) -> float:
        return self.call_min + self.handling_min


@dataclass
class Answer:
    """One sending of one unit."""

    unit: int
    how: str
    from_place: int
    lead: float
    siren_drive: float
    assigned: float
    enroute: float
    on_scene: float
    leave: float
    at_hospital: float
    available: float
    hospital: int
    ends_at: int
    band: int


@dataclass
class Drive:
    """A drive of a unit without a call."""

    origin: int
    goal: int
    leaves: float
    arrives: float
    band: int


@dataclass
class Unit:
    """A unit and where it is."""

    name: int
    post: int
    shifts: list[tuple[float, float]]
    unit_type: str = "ALS"
    call: Call | None = None
    drive: Drive | None = None
    moves: int = 0

    def on_duty(self, now: float) -> bool:
        return any(start <= now < end for start, end in self.shifts)


@dataclass
class World:
    """The ground and the choices."""

    bands: list[list[list[float]]]
    hospitals: list[int]
    open: list[bool]
    en_route: str = "network"
    xy: list[tuple[float, float]] = field(default_factory=list)
    next_place: list[list[list[int]]] = field(default_factory=list)
    band_of_hour: list[int] = field(default_factory=list)
    start_hour: float = 0.0
    home_factor: float = 1.0
    transport_factor: float = 1.0
    road_turnout: bool = True
    queue: str = "longest"
    preempt: bool = False
    compliance: list[list[int]] = field(default_factory=list)
    move_up: bool = False

    @property
    def travel(self) -> list[list[float]]:
        """Where a way leads is the same in every band."""
        return self.bands[0]

    def band(self, now: float) -> int:
        return self.band_of_hour[math.floor(now / 60 + self.start_hour) % 168] if self.band_of_hour else 0

    def drive(self, now: float) -> list[list[float]]:
        return self.bands[self.band(now)]

    def between(self, origin: int, goal: int, share: float) -> int:
        x = self.xy[origin][0] + share * (self.xy[goal][0] - self.xy[origin][0])
        y = self.xy[origin][1] + share * (self.xy[goal][1] - self.xy[origin][1])
        reachable = [p for p in range(len(self.xy)) if math.isfinite(self.travel[origin][p]) or p == origin]
        return min(reachable, key=lambda p: ((self.xy[p][0] - x) ** 2 + (self.xy[p][1] - y) ** 2, p))

    def along(self, band: int, origin: int, goal: int, left: float) -> tuple[int, float]:
        place, minutes = origin, self.bands[band]
        while place != goal and minutes[place][goal] > left + 1e-9:
            place = self.next_place[band][place][goal]
        return place, max(0.0, left - minutes[place][goal])


def can(unit: Unit, call: Call) -> bool:
    return unit.unit_type == "ALS" or call.unit_type in {"", unit.unit_type}


class Reference:
    """Run a trace."""

    def __init__(self, world: World, units: list[Unit], calls: list[Call]) -> None:
        self.world, self.units, self.calls = world, units, calls
        self.waiting: list[Call] = []
        self.events: list[tuple[float, int, int]] = []
        for unit in units:
            for start, end in unit.shifts:
                if start > 0:
                    self.events.append((start, COMES_FREE, unit.name))
                if end < math.inf:
                    self.events.append((end, SHIFT_END, unit.name))
        ordered = sorted(calls, key=lambda call: call.ready)
        for rank, call in enumerate(ordered):
            call.rank = rank
            self.events.append((call.ready, CALL, rank))
        self.ordered = ordered
        heapq.heapify(self.events)

    def run(self) -> None:
        to_come = len(self.calls)
        while self.events and (to_come or self.waiting):
            now, kind, who = heapq.heappop(self.events)
            if kind == CALL:
                to_come -= 1
                self.receive(self.ordered[who], now)
            elif kind == COMES_FREE:
                self.comes_free(self.units[who], now)
            else:
                self.shift_ends(self.units[who], now)

    # Where a unit is, and who is closest.

    def where(self, unit: Unit, now: float) -> tuple[int, float]:
        drive, world = unit.drive, self.world
        if drive is None:
            return unit.post, 0.0
        if now >= drive.arrives:
            return drive.goal, 0.0
        if now <= drive.leaves:
            return drive.origin, (drive.leaves - now) / world.home_factor
        if world.en_route == "line":
            share = (now - drive.leaves) / (drive.arrives - drive.leaves)
            return world.between(drive.origin, drive.goal, share), 0.0
        return world.along(drive.band, drive.origin, drive.goal, (drive.arrives - now) / world.home_factor)

    def where_driving(self, unit: Unit, now: float) -> tuple[int, float]:
        call = unit.call
        assert call is not None
        answer = call.answer
        assert answer is not None
        gone = (now - answer.enroute) / call.drive_factor
        if gone <= 0:
            return answer.from_place, answer.lead
        if gone < answer.lead:
            return answer.from_place, answer.lead - gone
        whole = self.world.bands[answer.band][answer.from_place][call.place]
        left = whole - (gone - answer.lead)
        if left <= 0:
            return call.place, 0.0
        if self.world.en_route == "line":
            return self.world.between(answer.from_place, call.place, gone / whole), 0.0
        return self.world.along(answer.band, answer.from_place, call.place, left)

    def at_post(self, unit: Unit, now: float) -> bool:
        return unit.drive is None or now >= unit.drive.arrives

    def free(self, now: float) -> list[Unit]:
        return [unit for unit in self.units if unit.call is None and unit.on_duty(now)]

    def closest(
        self, spots: list[tuple[Unit, tuple[int, float]]], goal: int, now: float
    ) -> tuple[Unit, tuple[int, float]] | None:
        reached = [
            (lead + self.world.drive(now)[place][goal], unit.name, (place, lead))
            for unit, (place, lead) in spots
        ]
        reached = [item for item in reached if item[0] < math.inf]
        if not reached:
            return None
        _, name, spot = min(reached)
        return self.units[name], spot

    # What happens.

    def receive(self, call: Call, now: float) -> None:
        call.free_units = len(self.free(now))
        offered: Call | None = call
        while offered is not None:
            spots = [(unit, self.where(unit, now)) for unit in self.free(now) if can(unit, offered)]
            found = self.closest(spots, offered.place, now)
            if found is not None:
                unit, spot = found
                how = "at post" if self.at_post(unit, now) else "on the road"
                self.send(unit, offered, now, spot, how=how, wheels=now)
                self.moving_up(now)
                return
            if self.world.preempt:
                found = self.closest(
                    [
                        (unit, self.where_driving(unit, now))
                        for unit in self.units
                        if unit.call is not None
                        and unit.call.answer is not None
                        and unit.on_duty(now)
                        and can(unit, offered)
                        and now < unit.call.answer.on_scene
                        and unit.call.priority > offered.priority
                    ],
                    offered.place,
                    now,
                )
            if found is None:
                self.waiting.append(offered)
                return
            unit, spot = found
            old = unit.call
            assert old is not None
            assert old.answer is not None
            old.turned.append((unit.name, old.answer.assigned, now))
            wheels = max(now, old.answer.enroute)
            old.answer = None
            self.send(unit, offered, now, spot, how="from another call", wheels=wheels)
            offered = old

    def send(
        self, unit: Unit, call: Call, now: float, spot: tuple[int, float], *, how: str, wheels: float
    ) -> None:
        place, lead = spot
        siren_drive = lead + self.world.drive(now)[place][call.place]
        if how == "at post" or (self.world.road_turnout and how != "from another call"):
            wheels += call.turnout_min
        on_scene = wheels + siren_drive * call.drive_factor + call.access_min
        leave = on_scene + call.on_scene_min
        hospital, at_hospital, available, ends_at = -1, math.nan, leave, call.place
        if call.transported:
            hospital = call.hospital if call.hospital >= 0 else -1
            if hospital < 0 or not self.reaches(call.place, hospital):
                hospital = min(
                    (h for h in range(len(self.world.hospitals)) if self.reaches(call.place, h)),
                    key=lambda h: self.world.drive(leave)[call.place][self.world.hospitals[h]],
                )
            ends_at = self.world.hospitals[hospital]
            at_hospital = (
                leave
                + self.world.drive(leave)[call.place][ends_at] * self.world.transport_factor * call.way_factor
            )
            available = at_hospital + call.at_hospital_min
        call.answer = Answer(
            unit.name,
            how,
            place,
            lead,
            siren_drive,
            now,
            wheels,
            on_scene,
            leave,
            at_hospital,
            available,
            hospital,
            ends_at,
            self.world.band(now),
        )
        unit.call = call
        heapq.heappush(self.events, (available, COMES_FREE, unit.name))

    def reaches(self, place: int, hospital: int) -> bool:
        return (
            self.world.open[hospital] and self.world.travel[place][self.world.hospitals[hospital]] < math.inf
        )

    def comes_free(self, unit: Unit, now: float) -> None:
        freed_at = -1
        if unit.call is not None:
            answer = unit.call.answer
            assert answer is not None
            if answer.available != now:
                return  # Its shift starts while it is busy, or the call it was turned from would end.
            freed_at = answer.ends_at
            unit.call = None
        elif not any(start == now for start, _ in unit.shifts):
            return  # The call it was turned away from would end.
        spot = (freed_at, 0.0) if freed_at >= 0 else self.where(unit, now)
        on_duty = unit.on_duty(now)
        if on_duty:
            call = self.next_waiting(unit)
            if call is not None:
                how = (
                    "where freed"
                    if freed_at >= 0
                    else ("at post" if self.at_post(unit, now) else "on the road")
                )
                self.waiting.remove(call)
                self.send(unit, call, now, spot, how=how, wheels=now)
                return
        goal = self.post_for(unit, now) if on_duty else unit.post
        current = unit.post if unit.drive is None else unit.drive.goal
        if freed_at >= 0 or goal != current:
            self.drive_to(unit, now, spot, goal)
        if on_duty:
            self.moving_up(now)

    def next_waiting(self, unit: Unit) -> Call | None:
        able = [
            call
            for call in self.waiting
            if can(unit, call) and self.world.travel[unit.post][call.place] < math.inf
        ]
        if not able:
            return None
        if self.world.queue == "priority":
            return min(able, key=lambda call: (call.priority, call.rank))
        return min(able, key=lambda call: call.rank)

    def drive_to(self, unit: Unit, now: float, spot: tuple[int, float], goal: int) -> None:
        leaves = now + spot[1] * self.world.home_factor
        arrives = leaves + self.world.drive(now)[spot[0]][goal] * self.world.home_factor
        unit.drive = Drive(spot[0], goal, leaves, arrives, self.world.band(now))

    def shift_ends(self, unit: Unit, now: float) -> None:
        if unit.call is None:
            if unit.drive is not None and unit.drive.goal != unit.post:
                self.drive_to(unit, now, self.where(unit, now), unit.post)
            self.moving_up(now)

    # The compliance table.

    def goal_of(self, unit: Unit) -> int:
        return unit.post if unit.drive is None else unit.drive.goal

    def row(self, now: float) -> list[int]:
        k = len(self.free(now))
        table = self.world.compliance
        return table[min(k, len(table)) - 1] if table and k else []

    def post_for(self, unit: Unit, now: float) -> int:
        held = [self.goal_of(other) for other in self.free(now) if other is not unit]
        for post in self.row(now):
            if post in held:
                held.remove(post)
            elif self.world.travel[unit.post][post] < math.inf:
                return post
        return unit.post

    def moving_up(self, now: float) -> None:
        if not self.world.move_up:
            return
        open_posts = list(self.row(now))
        spare = []
        for unit in self.free(now):
            if self.goal_of(unit) in open_posts:
                open_posts.remove(self.goal_of(unit))
            else:
                spare.append(unit)
        # Posts in the order of the row: a post listed twice is filled first by whoever holds it.
        for post in open_posts:
            found = self.closest([(unit, self.where(unit, now)) for unit in spare], post, now)
            if found is not None:
                unit, spot = found
                self.drive_to(unit, now, spot, post)
                unit.moves += 1
                spare.remove(unit)
