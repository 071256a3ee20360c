"""The typed changes that a scenario is made of; each can say itself in one plain sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

from typing_extensions import override

DEMAND_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "calls": "all calls",
        "priority": "calls of the highest priority",
        "population": "people where they live",
    }
)

SPEED_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "assumed": "those that the profile assumes",
        "fitted": "those fitted to the city's own unit responses",
    }
)

TARGET_CLOCKS: Mapping[str, str] = MappingProxyType(
    {"call": "the call received", "departure": "the crew's departure"}
)

NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Change:
    """One typed change to the baseline. Subclasses name themselves by ``kind`` and say themselves."""

    kind: ClassVar[str] = ""

    @property
    def subject(self) -> tuple[str, ...]:
        """What is changed: a later change of the same subject takes this one's place."""
        return (self.kind,)

    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        """Say the change in one plain sentence; ``names`` gives the name of each post id."""
        raise NotImplementedError

    def faults(self) -> list[str]:
        """List what is wrong with the values."""
        return []


@dataclass(frozen=True)
class _PostChange(Change):
    post_id: str

    @property
    @override
    def subject(self) -> tuple[str, ...]:
        return (self.kind, self.post_id)

    @override
    def faults(self) -> list[str]:
        return [] if isinstance(self.post_id, str) and self.post_id else [f"{self.kind} names no post"]


@dataclass(frozen=True)
class MovePost(_PostChange):
    """Move a post to another place; degrees, EPSG:4326."""

    kind: ClassVar[str] = "move_post"
    lon: float
    lat: float

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{names.get(self.post_id, self.post_id)} is moved to {self.lat:.5f}, {self.lon:.5f}."

    @override
    def faults(self) -> list[str]:
        return [*super().faults(), *_place_faults(self.kind, self.lon, self.lat)]


@dataclass(frozen=True)
class AddPost(_PostChange):
    """Staff one post more: a candidate by its id, or a new place; degrees, EPSG:4326."""

    kind: ClassVar[str] = "add_post"
    lon: float
    lat: float
    name: str = ""

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        place = names.get(self.post_id) or self.name or f"{self.lat:.5f}, {self.lon:.5f}"
        return f"A unit is added at {place}."

    @override
    def faults(self) -> list[str]:
        return [*super().faults(), *_place_faults(self.kind, self.lon, self.lat)]


@dataclass(frozen=True)
class RemovePost(_PostChange):
    """Leave a post of the baseline empty."""

    kind: ClassVar[str] = "remove_post"

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{names.get(self.post_id, self.post_id)} is left empty."


@dataclass(frozen=True)
class SetUnits(Change):
    """Set how many units are on duty: the first posts of the order are staffed."""

    kind: ClassVar[str] = "set_units"
    units: int

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{self.units} unit{'s are' if self.units != 1 else ' is'} on duty."

    @override
    def faults(self) -> list[str]:
        whole = isinstance(self.units, int) and not isinstance(self.units, bool) and self.units >= 0
        return [] if whole else ["units must be a whole number, zero or more"]


@dataclass(frozen=True)
class SetOrder(Change):
    """Put another list in the place of today's order of staffing; posts that are not in it stand empty."""

    kind: ClassVar[str] = "set_order"
    post_ids: tuple[str, ...]

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"Posts are filled in this order: {', '.join(names.get(p, p) for p in self.post_ids)}."

    @override
    def faults(self) -> list[str]:
        listed = isinstance(self.post_ids, tuple)
        fine = listed and all(isinstance(post_id, str) and post_id for post_id in self.post_ids)
        once = fine and len(set(self.post_ids)) == len(self.post_ids)
        return [] if once else ["the order of staffing must name each post once"]


@dataclass(frozen=True)
class _NamedChange(Change):
    name: str

    @property
    @override
    def subject(self) -> tuple[str, ...]:
        return (self.kind, self.name)

    @override
    def faults(self) -> list[str]:
        return [] if isinstance(self.name, str) and self.name else [f"{self.kind} names no street"]


@dataclass(frozen=True)
class CloseRoad(_NamedChange):
    """Close a bridge, rail crossing, road or parade route that the city's profile names."""

    kind: ClassVar[str] = "close_road"

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{self.name} is closed."


@dataclass(frozen=True)
class FloodStreets(_NamedChange):
    """Put water on a place that the city's profile names as one that floods."""

    kind: ClassVar[str] = "flood_streets"

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"Water stands at {self.name}."


@dataclass(frozen=True)
class DivertHospital(Change):
    """Take no patients to one hospital of the city."""

    kind: ClassVar[str] = "divert_hospital"
    hospital_id: str

    @property
    @override
    def subject(self) -> tuple[str, ...]:
        return (self.kind, self.hospital_id)

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{names.get(self.hospital_id, self.hospital_id)} is on diversion: no ambulance goes there."

    @override
    def faults(self) -> list[str]:
        fine = isinstance(self.hospital_id, str) and self.hospital_id
        return [] if fine else ["a diversion names no hospital"]


@dataclass(frozen=True)
class LoseUnits(Change):
    """Have so many units fewer than are on duty: the last posts of the order stand empty."""

    kind: ClassVar[str] = "lose_units"
    units: int

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{self.units} unit{'s are' if self.units != 1 else ' is'} lost."

    @override
    def faults(self) -> list[str]:
        whole = isinstance(self.units, int) and not isinstance(self.units, bool) and self.units > 0
        return [] if whole else ["units lost must be a whole number, one or more"]


@dataclass(frozen=True)
class _FactorChange(Change):
    factor: float

    @override
    def faults(self) -> list[str]:
        fine = is_number(self.factor) and 0 < self.factor <= 10
        return [] if fine else [f"{self.kind} needs a factor above 0 and up to 10"]


@dataclass(frozen=True)
class ScaleDemand(_FactorChange):
    """Multiply the calls everywhere by a factor."""

    kind: ClassVar[str] = "scale_demand"

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"Demand is {_percent_change(self.factor)}."


@dataclass(frozen=True)
class SetSpeedFactor(_FactorChange):
    """Multiply all driving speeds by a factor."""

    kind: ClassVar[str] = "set_speed_factor"

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"Driving speeds are {_percent_change(self.factor)}."


@dataclass(frozen=True)
class SetSpeeds(Change):
    """Say which speeds are driven at: one of `SPEED_SOURCES`."""

    kind: ClassVar[str] = "set_speeds"
    source: str

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"Speeds are {SPEED_SOURCES[self.source]}."

    @override
    def faults(self) -> list[str]:
        fine = isinstance(self.source, str) and self.source in SPEED_SOURCES
        return [] if fine else [f"speeds must be one of {', '.join(SPEED_SOURCES)}"]


@dataclass(frozen=True)
class SetTarget(Change):
    """Set the response target in minutes, to the first unit on scene, by one of `TARGET_CLOCKS`."""

    kind: ClassVar[str] = "set_target"
    minutes: float
    clock: str = "call"

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"The target is {self.minutes:g} minutes from {TARGET_CLOCKS[self.clock]} to arrival."

    @override
    def faults(self) -> list[str]:
        faults = []
        if not (is_number(self.minutes) and 0 < self.minutes <= 120):
            faults.append("the target must be above 0 and up to 120 minutes")
        if not isinstance(self.clock, str) or self.clock not in TARGET_CLOCKS:
            faults.append(f"the target's clock must be one of {', '.join(TARGET_CLOCKS)}")
        return faults


@dataclass(frozen=True)
class SetClock(Change):
    """Set what passes before the wheels roll: call handling and turnout, in seconds."""

    kind: ClassVar[str] = "set_clock"
    call_handling_s: float
    turnout_s: float

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"Call handling takes {self.call_handling_s:g} s and turnout {self.turnout_s:g} s."

    @override
    def faults(self) -> list[str]:
        both = (self.call_handling_s, self.turnout_s)
        fine = all(is_number(value) and 0 <= value <= 3600 for value in both)
        return [] if fine else ["call handling and turnout must be 0 to 3600 seconds"]


@dataclass(frozen=True)
class SetWorkload(Change):
    """Set how busy units are: calls a day, and minutes that a call keeps its unit."""

    kind: ClassVar[str] = "set_workload"
    calls_per_day: float
    busy_min: float

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{self.calls_per_day:g} calls a day each keep a unit for {self.busy_min:g} minutes."

    @override
    def faults(self) -> list[str]:
        both = (self.calls_per_day, self.busy_min)
        fine = all(is_number(value) and 0 < value <= 20_000 for value in both)
        return [] if fine else ["calls a day and minutes a call must be above 0"]


@dataclass(frozen=True)
class SetHourOfWeek(Change):
    """Look at one hour of the week, 0 to 167; 0 is Monday from midnight to one."""

    kind: ClassVar[str] = "set_hour_of_week"
    hour: int

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[self.hour // 24]
        return f"The hour is {day}, {self.hour % 24}:00 to {self.hour % 24}:59."

    @override
    def faults(self) -> list[str]:
        whole = isinstance(self.hour, int) and not isinstance(self.hour, bool) and 0 <= self.hour < 168
        return [] if whole else ["the hour of the week must be a whole number from 0 to 167"]


@dataclass(frozen=True)
class SetDemand(Change):
    """Say what stands for demand: one of `DEMAND_SOURCES`."""

    kind: ClassVar[str] = "set_demand"
    source: str

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"Demand is {DEMAND_SOURCES[self.source]}."

    @override
    def faults(self) -> list[str]:
        fine = isinstance(self.source, str) and self.source in DEMAND_SOURCES
        return [] if fine else [f"demand must be one of {', '.join(DEMAND_SOURCES)}"]


@dataclass(frozen=True)
class SetRules(Change):
    """Choose the rules of dispatch under which weeks are simulated, for every plan alike.

    Attributes
    ----------
    queue
        Whether a freed unit takes the longest-waiting call or the most urgent one.
    preempt
        Whether an urgent call may take a unit that is on its way to a less urgent one.
    compliance
        Whether the plan's list is a compliance table: with k units free its first k posts are held.
    move_up
        Whether free units move to hold it whenever their number changes; else only freed units do.
    shifts
        Whether units have the city's usual shifts and types; else all are alike and always on duty.
    als_first
        Whether calls of the highest priority need an ALS unit.
    """

    kind: ClassVar[str] = "set_rules"
    queue: Literal["longest", "priority"] = "longest"
    preempt: bool = False
    compliance: bool = False
    move_up: bool = False
    shifts: bool = False
    als_first: bool = False

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        parts = [
            "a freed unit takes the "
            + ("most urgent call" if self.queue == "priority" else "longest-waiting call"),
            *(["urgent calls may take a unit on its way to a less urgent one"] if self.preempt else []),
            *(
                ["free units move so that the first posts of the list are held"]
                if self.move_up
                else ["freed units fill the first open post of the list"]
                if self.compliance
                else ["units go home to their own posts"]
            ),
            *(["units work the city's usual shifts"] if self.shifts else []),
            *(["the most urgent calls need an ALS unit"] if self.als_first else []),
        ]
        return f"Simulated rules: {'; '.join(parts)}."

    @override
    def faults(self) -> list[str]:
        flags = (self.preempt, self.compliance, self.move_up, self.shifts, self.als_first)
        found = [] if all(isinstance(flag, bool) for flag in flags) else ["set_rules needs true or false"]
        if self.queue not in {"longest", "priority"}:
            found.append("set_rules needs the queue 'longest' or 'priority'")
        if self.preempt and self.queue != "priority":
            found.append("taking units for urgent calls needs the most urgent call to be served first")
        if self.move_up and not self.compliance:
            found.append("moving up needs the list to be a compliance table")
        if self.als_first and not self.shifts:
            found.append("needing an ALS unit needs the city's shifts, which say what each unit is")
        return found


def is_number(value: object) -> bool:
    """Tell whether a value read from text is a number: no truth value, no NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124


def _place_faults(kind: str, lon: object, lat: object) -> list[str]:
    fine = is_number(lon) and is_number(lat) and -180 <= lon <= 180 and -90 <= lat <= 90  # type: ignore[operator]
    return [] if fine else [f"{kind} needs longitude and latitude in degrees"]


def _percent_change(factor: float) -> str:
    percent = round((factor - 1) * 100)
    return "unchanged" if percent == 0 else f"{'up' if percent > 0 else 'down'} {abs(percent)} %"
