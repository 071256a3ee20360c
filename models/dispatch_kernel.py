"""The simulator's rules as compiled code; :mod:`models.dispatch` tells them in words.

Importing this module imports numba, so it is imported only when a simulation starts. All compiled functions
stand in this one file, because numba's cache looks only at the file of the function it keeps.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from models.dispatch_records import Records, World

Function = TypeVar("Function", bound=Callable[..., Any])

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
AT_POST, ON_THE_ROAD, WHERE_FREED, DIVERTED = 0, 1, 2, 3
"""Where a unit was when it was sent."""
ROUNDING_MIN = 1e-9
"""A place whose remaining drive equals the unit's to this many minutes has been reached."""


def compiled(function: Function) -> Function:
    """Compile a function of the rules.

    Without ``_nrt=False`` compiled code counts references to every array that it hands on, which takes eight
    tenths of a run. It needs none: the caller holds the arrays, and no function here makes one (that would
    not compile).
    """
    return cast("Function", njit(**OPTIONS)(function))


def inlined(function: Function) -> Function:
    """Compile a function into those that call it: handing on the world costs more than what it does."""
    return cast("Function", njit(**OPTIONS, forceinline=True)(function))


@inlined
def _band(world: World, t: float) -> int:
    if world.travel.shape[0] == 1:
        return 0
    hour = int(np.floor(t / 60.0 + world.scalars[0].start_hour))
    return int(world.band_of_hour[hour % 168])


@inlined
def _on_line(world: World, origin: int, goal: int, share: float) -> int:
    """Place nearest to the point on the straight line, of those that can be reached."""
    places, scalars = world.places, world.scalars[0]
    x = places[origin].x + share * (places[goal].x - places[origin].x)
    y = places[origin].y + share * (places[goal].y - places[origin].y)
    column = min(max(int((x - scalars.west) / scalars.cell_m), 0), scalars.columns - 1)
    row = min(max(int((y - scalars.south) / scalars.cell_m), 0), scalars.rows - 1)
    cell = (places[origin].component * scalars.rows + row) * scalars.columns + column
    best, best_d2 = -1, np.inf
    for i in range(world.cell_start[cell], world.cell_end[cell]):
        place = world.cell_place[i]
        d2 = (places[place].x - x) ** 2 + (places[place].y - y) ** 2
        if d2 < best_d2:
            best, best_d2 = place, d2
    return best


@inlined
def _on_path(world: World, band: int, origin: int, goal: int, left: float) -> tuple[int, float]:
    """Next place on the path with ``left`` siren minutes to its end, and the minutes to get there."""
    travel, next_place, place = world.travel, world.next_place, origin
    while place != goal and travel[band, place, goal] > left + ROUNDING_MIN:
        place = int(next_place[band, place, goal])
    return place, max(0.0, left - travel[band, place, goal])


@inlined
def _where(world: World, u: int, t: float) -> tuple[int, float]:
    """Place that a unit on no call counts from, and the siren minutes that it needs to get there."""
    unit, scalars = world.units[u], world.scalars[0]
    if t >= unit.home_at:
        return unit.target, 0.0
    if t <= unit.depart:
        return unit.origin, (unit.depart - t) / scalars.home_factor
    if scalars.line:
        share = (t - unit.depart) / (unit.home_at - unit.depart)
        return _on_line(world, unit.origin, unit.target, share), 0.0
    left = (unit.home_at - t) / scalars.home_factor
    return _on_path(world, unit.home_band, unit.origin, unit.target, left)


@compiled
def _where_driving(world: World, u: int, t: float) -> tuple[int, float]:
    """Give the same for a unit on its way to a scene."""
    unit = world.units[u]
    call = world.calls[unit.call]
    elapsed = (t - call.enroute) / call.drive_factor
    if elapsed <= 0.0:
        return unit.trip_origin, unit.trip_lead
    if elapsed < unit.trip_lead:
        return unit.trip_origin, unit.trip_lead - elapsed
    whole = world.travel[unit.trip_band, unit.trip_origin, call.place]
    left = whole - (elapsed - unit.trip_lead)
    if left <= 0.0:
        return call.place, 0.0
    if world.scalars[0].line:
        return _on_line(world, unit.trip_origin, call.place, elapsed / whole), 0.0
    return _on_path(world, unit.trip_band, unit.trip_origin, call.place, left)


@inlined
def _on_duty(units: Records, shifts: Records, u: int, t: float) -> bool:
    while t >= units[u].on_until and units[u].shift + 1 < units[u].end_shift:
        units[u].shift += 1
        units[u].on_from = shifts[units[u].shift].starts
        units[u].on_until = shifts[units[u].shift].ends
    return bool(units[u].on_from <= t < units[u].on_until)


@inlined
def _is_free(units: Records, shifts: Records, u: int, t: float) -> bool:
    return bool(units[u].call < 0 and _on_duty(units, shifts, u, t))


@inlined
def _drive_to(world: World, u: int, t: float, spot: tuple[int, float], goal: int) -> None:
    place, lead = spot
    band, factor, units = _band(world, t), world.scalars[0].home_factor, world.units
    units[u].origin = place
    units[u].depart = t + lead * factor
    units[u].home_at = units[u].depart + world.travel[band, place, goal] * factor
    units[u].target = goal
    units[u].home_band = band


@inlined
def _send(world: World, u: int, c: int, t: float, start: tuple[int, float, int, float]) -> None:
    """Let a unit answer a call.

    ``start`` is the place it counts from, the siren minutes to get there, where it is, and when its wheels
    could roll without turnout.
    """
    place, lead, how, wheels = start
    units, calls, scalars = world.units, world.calls, world.scalars[0]
    call = calls[c]
    band, scene = _band(world, t), call.place
    drive = (lead + world.travel[band, place, scene]) * call.drive_factor
    turnout = call.turnout if how == AT_POST or (scalars.road_turnout and how != DIVERTED) else 0.0
    enroute = wheels + turnout
    on_scene = enroute + drive + call.access
    leave = on_scene + call.scene_min
    end_place, available, hospital, at_hospital = scene, leave, -1, np.nan
    if call.transported:
        way = _band(world, leave)
        hospital = call.named_hospital
        if hospital < 0:
            hospital = world.nearest_hospital[way, scene]
        end_place = world.hospital_place[hospital]
        at_hospital = leave + world.travel[way, scene, end_place] * scalars.transport_factor * call.way_factor
        available = at_hospital + call.hospital_min
    calls[c].unit, calls[c].sent_from, calls[c].how, calls[c].hospital = u, place, how, hospital
    calls[c].assigned, calls[c].enroute, calls[c].on_scene = t, enroute, on_scene
    calls[c].leave, calls[c].at_hospital, calls[c].available = leave, at_hospital, available
    calls[c].drive, calls[c].shift = drive, units[u].shift
    units[u].call, units[u].free_at, units[u].origin = c, available, end_place
    units[u].trip_origin, units[u].trip_lead, units[u].trip_band = place, lead, band


@compiled
def _wait(world: World, c: int) -> None:
    """Put a call in its line, by the time at which it was ready."""
    calls, lines = world.calls, world.lines
    line = calls[c].need * world.scalars[0].priorities + calls[c].priority
    world.scalars[0].n_waiting += 1
    calls[c].after = -1
    if lines[line].head < 0:
        lines[line].head = c
        lines[line].tail = c
    elif c > lines[line].tail:
        calls[lines[line].tail].after = c
        lines[line].tail = c
    elif c < lines[line].head:
        calls[c].after = lines[line].head
        lines[line].head = c
    else:
        before = lines[line].head
        while calls[before].after < c:
            before = calls[before].after
        calls[c].after = calls[before].after
        calls[before].after = c


@compiled
def _take_waiting(world: World, u: int) -> int:
    """Take the call that a unit serves next out of its line; -1 when it can serve none."""
    calls, lines, priorities = world.calls, world.lines, world.scalars[0].priorities
    unit, by_priority = world.units[u], world.scalars[0].by_priority
    best, best_before, best_rank = -1, -1, -1
    for line in range(len(lines)):
        if not world.can[unit.kind, line // priorities]:
            continue
        before, c = -1, lines[line].head
        while c >= 0 and world.places[calls[c].place].component != unit.component:
            before, c = c, calls[c].after
        rank = line % priorities if by_priority else 0
        if c >= 0 and (best < 0 or rank < best_rank or (rank == best_rank and c < best)):
            best, best_before, best_rank = c, before, rank
    if best >= 0:
        line = calls[best].need * priorities + calls[best].priority
        if best_before < 0:
            lines[line].head = calls[best].after
        else:
            calls[best_before].after = calls[best].after
        if lines[line].tail == best:
            lines[line].tail = best_before
        world.scalars[0].n_waiting -= 1
    return int(best)


@compiled
def _level(world: World, t: float) -> int:
    """Row of the compliance table for the units that are free now, -1 when none is."""
    free = 0
    for u in range(len(world.units)):
        if _is_free(world.units, world.shifts, u, t):
            free += 1
    return int(min(free, world.compliance.shape[0])) - 1


@compiled
def _post_for(world: World, unit: int, t: float) -> int:
    """First post on the list that no other free unit holds or drives to; the unit's own when all are held."""
    units, level = world.units, _level(world, t)
    if level < 0:
        return int(units[unit].post)
    for u in range(len(units)):
        units[u].kept = u == unit or not _is_free(units, world.shifts, u, t)
    for post in world.compliance[level, : level + 1]:
        held = False
        for u in range(len(units)):
            if not held and not units[u].kept and units[u].target == post:
                units[u].kept = 1
                held = True
        if not held and world.places[post].component == units[unit].component:
            return int(post)
    return int(units[unit].post)


@compiled
def _closest_spare(world: World, post: int, t: float) -> tuple[int, int, float]:
    """Closest free unit that holds no post of the row, its place and lead."""
    units, band = world.units, _band(world, t)
    best, best_place, best_lead, best_minutes = -1, -1, 0.0, np.inf
    for u in range(len(units)):
        if not units[u].kept:
            place, lead = _where(world, u, t)
            minutes = lead + world.travel[band, place, post]
            if minutes < best_minutes:
                best, best_place, best_lead, best_minutes = u, place, lead, minutes
    return best, best_place, best_lead


@compiled
def _move_up(world: World, t: float) -> None:
    """Fill the posts of the list for the units now free, in its order, by the closest free unit to spare."""
    level = _level(world, t)
    if level < 0:
        return
    units, filled, row = world.units, world.filled, world.compliance[level, : level + 1]
    filled[:] = False
    for u in range(len(units)):
        units[u].kept = not _is_free(units, world.shifts, u, t)
        for j in range(len(row)):
            if not units[u].kept and not filled[j] and row[j] == units[u].target:
                filled[j] = True
                units[u].kept = 1
    for j in range(len(row)):
        if not filled[j]:
            u, place, lead = _closest_spare(world, row[j], t)
            if u >= 0:
                _drive_to(world, u, t, (place, lead), row[j])
                units[u].kept = 1
                units[u].moves += 1


@inlined
def _closest_free(world: World, c: int, t: float) -> tuple[int, int, float, int]:
    """Closest free unit that can answer, its place and lead, and how many units are free."""
    units, shifts, travel, band = world.units, world.shifts, world.travel, _band(world, t)
    scene, need = world.calls[c].place, world.calls[c].need
    best, best_place, best_lead, best_minutes, free = -1, -1, 0.0, np.inf, 0
    for u in range(len(units)):
        if units[u].call >= 0:
            continue
        if (t < units[u].on_from or t >= units[u].on_until) and not _on_duty(units, shifts, u, t):
            continue
        free += 1
        if world.can[units[u].kind, need]:
            place, lead = units[u].target, 0.0
            if t < units[u].home_at:
                place, lead = _where(world, u, t)
            minutes = lead + travel[band, place, scene]
            if minutes < best_minutes:
                best, best_place, best_lead, best_minutes = u, place, lead, minutes
    return best, best_place, best_lead, free


@compiled
def _closest_driving(world: World, c: int, t: float) -> tuple[int, int, float]:
    """Closest unit on its way to a less urgent call that can answer this one, its place and lead."""
    units, calls, band = world.units, world.calls, _band(world, t)
    scene, need, priority = calls[c].place, calls[c].need, calls[c].priority
    best, best_place, best_lead, best_minutes = -1, -1, 0.0, np.inf
    for u in range(len(units)):
        old = units[u].call
        if old < 0 or t >= calls[old].on_scene or calls[old].priority <= priority:
            continue
        if world.can[units[u].kind, need] and _on_duty(units, world.shifts, u, t):
            place, lead = _where_driving(world, u, t)
            minutes = lead + world.travel[band, place, scene]
            if minutes < best_minutes:
                best, best_place, best_lead, best_minutes = u, place, lead, minutes
    return best, best_place, best_lead


@compiled
def _turn_away(world: World, u: int, t: float) -> int:
    """Take a unit from the call that it drives to, and give that call."""
    calls, old, log = world.calls, world.units[u].call, world.scalars[0].n_turned
    world.turned[log].call, world.turned[log].unit = old, u
    world.turned[log].shift = calls[old].shift
    world.turned[log].assigned, world.turned[log].turned = calls[old].assigned, t
    world.scalars[0].n_turned += 1
    calls[old].turned_away += 1
    calls[old].unit = -1
    return int(old)


@inlined
def _receive(world: World, ready: int) -> None:
    """Send a call that is ready the closest free unit, else one turned away from a less urgent call."""
    calls, units, c = world.calls, world.units, ready
    t = calls[c].ready
    while c >= 0:
        u, place, lead, free = _closest_free(world, c, t)
        if c == ready:
            calls[c].free_before = free
        if u >= 0:
            how = AT_POST if t >= units[u].home_at else ON_THE_ROAD
            _send(world, u, c, t, (place, lead, how, t))
            if world.scalars[0].move_up:
                _move_up(world, t)
            return
        if world.scalars[0].preempt:
            u, place, lead = _closest_driving(world, c, t)
        if u < 0:
            _wait(world, c)
            return
        old = _turn_away(world, u, t)
        _send(world, u, c, t, (place, lead, DIVERTED, max(t, calls[old].enroute)))
        c = old


@inlined
def _comes_free(world: World, u: int, t: float) -> None:
    """Handle that a unit is done with its call, or that its shift starts while it is on none."""
    units = world.units
    freed = units[u].call >= 0
    units[u].call, units[u].free_at = -1, np.inf
    on_duty = _on_duty(units, world.shifts, u, t)
    place, lead, how = units[u].origin, 0.0, WHERE_FREED
    if not freed:
        place, lead = _where(world, u, t)
        how = AT_POST if t >= units[u].home_at else ON_THE_ROAD
    if on_duty and world.scalars[0].n_waiting > 0:
        c = _take_waiting(world, u)
        if c >= 0:
            _send(world, u, c, t, (place, lead, how, t))
            return
    goal = units[u].post
    if on_duty and world.compliance.shape[0] > 0:
        goal = _post_for(world, u, t)
    if freed or goal != units[u].target:
        _drive_to(world, u, t, (place, lead), goal)
    if on_duty and world.scalars[0].move_up:
        _move_up(world, t)


@compiled
def _goes_off(world: World, u: int, t: float) -> None:
    """Handle the end of a shift: a free unit leaves for its own post; one on a call finishes it first."""
    units = world.units
    if units[u].call >= 0:
        return
    if units[u].target != units[u].post:
        place, lead = _where(world, u, t)
        _drive_to(world, u, t, (place, lead), units[u].post)
    if world.scalars[0].move_up:
        _move_up(world, t)


@inlined
def _next_free(world: World) -> tuple[int, float]:
    """Find the unit that comes free or on shift next, the lowest id of several, and when; -1: none does."""
    unit, at = -1, np.inf
    for u in range(len(world.units)):
        t = min(world.units[u].free_at, world.units[u].starts_at)
        if t < at:
            unit, at = u, t
    return unit, at


@inlined
def _next_end(world: World) -> tuple[int, float]:
    """Find the unit whose shift ends next, and when; it matters to the compliance table alone."""
    units, shifts = world.units, world.shifts
    unit, at = -1, np.inf
    if world.compliance.shape[0] > 0:
        for u in range(len(units)):
            s = units[u].next_end
            if s < units[u].end_shift and shifts[s].ends < at:
                unit, at = u, shifts[s].ends
    return unit, at


@compiled
def run(world: World) -> None:
    """Handle all events in order: shift ends, then units coming free by id, then calls, at each minute."""
    units, shifts, calls = world.units, world.shifts, world.calls
    n_calls, c = len(calls), 0
    while c < n_calls or world.scalars[0].n_waiting > 0:
        ends, at_end = _next_end(world)
        frees, at_free = _next_free(world)
        at_call = calls[c].ready if c < n_calls else np.inf
        if ends >= 0 and at_end <= min(at_free, at_call):
            units[ends].next_end += 1
            _goes_off(world, ends, at_end)
        elif frees >= 0 and at_free <= at_call:
            if units[frees].starts_at == at_free:
                units[frees].next_start += 1
                s = units[frees].next_start
                units[frees].starts_at = shifts[s].starts if s < units[frees].end_shift else np.inf
            if units[frees].call < 0 or units[frees].free_at == at_free:
                _comes_free(world, frees, at_free)
        elif c < n_calls:
            _receive(world, c)
            c += 1
        else:
            return
