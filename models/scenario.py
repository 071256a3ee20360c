"""A scenario is data: a baseline and typed changes to it, which can be said, compared, hashed and sent."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar

from typing_extensions import override

from errors import Faults, InvalidInputError

MAX_TEXT_CHARACTERS = 20_000
MAX_JSON_BYTES = 200_000


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


ChangeT = TypeVar("ChangeT", bound=Change)


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
class CloseRoad(Change):
    """Close a bridge or stretch that the city's profile names."""

    kind: ClassVar[str] = "close_road"
    name: str

    @property
    @override
    def subject(self) -> tuple[str, ...]:
        return (self.kind, self.name)

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"{self.name} is closed."

    @override
    def faults(self) -> list[str]:
        return [] if isinstance(self.name, str) and self.name else ["close_road names no road"]


@dataclass(frozen=True)
class _FactorChange(Change):
    factor: float

    @override
    def faults(self) -> list[str]:
        fine = _is_number(self.factor) and 0 < self.factor <= 10
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
    """Set the response target in minutes, from the call received to the first unit on scene."""

    kind: ClassVar[str] = "set_target"
    minutes: float

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        return f"The target is {self.minutes:g} minutes from call to arrival."

    @override
    def faults(self) -> list[str]:
        fine = _is_number(self.minutes) and 0 < self.minutes <= 120
        return [] if fine else ["the target must be above 0 and up to 120 minutes"]


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
        fine = all(_is_number(value) and 0 <= value <= 3600 for value in both)
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
        fine = all(_is_number(value) and 0 < value <= 20_000 for value in both)
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


CHANGE_TYPES: Mapping[str, type[Change]] = MappingProxyType(
    {
        cls.kind: cls
        for cls in (
            MovePost,
            AddPost,
            RemovePost,
            SetUnits,
            SetOrder,
            CloseRoad,
            ScaleDemand,
            SetSpeedFactor,
            SetSpeeds,
            SetTarget,
            SetClock,
            SetWorkload,
            SetHourOfWeek,
            SetDemand,
        )
    }
)


@dataclass(frozen=True)
class Scenario:
    """A baseline and the changes to it, in order.

    Attributes
    ----------
    baseline
        Name of the city whose plan of today is changed.
    changes
        Typed changes, at most one a subject.
    """

    baseline: str
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        faults = Faults()
        faults.check(isinstance(self.baseline, str) and self.baseline, "the scenario names no baseline")
        for change in self.changes:
            faults.extend(change.faults())
        subjects = [change.subject for change in self.changes]
        faults.check(len(set(subjects)) == len(subjects), "two changes change the same thing")
        faults.raise_as(InvalidInputError, "The scenario cannot be used")

    def having(self, change: Change) -> Self:
        """Return this scenario with one change more, in place of an earlier one of the same subject."""
        subjects = [known.subject for known in self.changes]
        if change.subject in subjects:
            at = subjects.index(change.subject)
            return replace(self, changes=(*self.changes[:at], change, *self.changes[at + 1 :]))
        return replace(self, changes=(*self.changes, change))

    def without(self, *subject: str) -> Self:
        """Return this scenario without the change of ``subject``; the same where there is none."""
        return replace(self, changes=tuple(c for c in self.changes if c.subject != subject))

    def find(self, kind: type[ChangeT]) -> tuple[ChangeT, ...]:
        """Return the changes of one type, in order."""
        return tuple(change for change in self.changes if isinstance(change, kind))

    def sentences(self, names: Mapping[str, str] = NO_NAMES) -> tuple[str, ...]:
        """Say each change in one plain sentence; ``names`` gives the name of each post id."""
        return tuple(change.sentence(names) for change in self.changes)

    def difference(self, other: "Scenario") -> tuple[tuple[Change, ...], tuple[Change, ...]]:
        """Return the changes that only this scenario has, and those that only ``other`` has."""
        mine, theirs = set(self.changes), set(other.changes)
        return (
            tuple(change for change in self.changes if change not in theirs),
            tuple(change for change in other.changes if change not in mine),
        )

    def to_json(self) -> str:
        """Write the scenario as JSON, the same text for the same scenario."""
        changes = [{"kind": change.kind, **asdict(change)} for change in self.changes]
        return json.dumps(
            {"baseline": self.baseline, "changes": changes}, sort_keys=True, separators=(",", ":")
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a scenario from JSON.

        Raises
        ------
        InvalidInputError
            With every fault: not JSON, unknown kinds, missing or unknown fields, values out of range.
        """
        faults = Faults()
        try:
            content = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("changes"), list):
            raise InvalidInputError("The scenario cannot be used: it is not a scenario in JSON")
        changes = tuple(
            change for entry in content["changes"] if (change := _read_change(entry, faults)) is not None
        )
        faults.raise_as(InvalidInputError, "The scenario cannot be used")
        return cls(baseline=content.get("baseline", ""), changes=changes)

    def to_text(self) -> str:
        """Write the scenario as short text that can stand in an address line."""
        packed = zlib.compress(self.to_json().encode(), level=9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a scenario from the text in an address line.

        Raises
        ------
        InvalidInputError
            If the text is cut short, altered, too long, or faulty inside.
        """
        if len(text) > MAX_TEXT_CHARACTERS:
            raise InvalidInputError("The scenario in the address is too long")
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(packed, MAX_JSON_BYTES)
            whole = unpacker.eof and not unpacker.unconsumed_tail
            decoded = content.decode() if whole else ""
        except (ValueError, zlib.error) as error:
            raise InvalidInputError("The scenario in the address is cut short or altered") from error
        if not whole:
            raise InvalidInputError("The scenario in the address is cut short or altered")
        return cls.from_json(decoded)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that stay the same wherever and whenever the scenario is made."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]


def _read_change(entry: Any, faults: Faults) -> Change | None:  # noqa: ANN401
    if not isinstance(entry, dict) or entry.get("kind") not in CHANGE_TYPES:
        kind = entry.get("kind") if isinstance(entry, dict) else entry
        faults.add(f"there is no change of kind {kind!r}")
        return None
    change_type = CHANGE_TYPES[entry["kind"]]
    values = {name: value for name, value in entry.items() if name != "kind"}
    known = {field.name for field in fields(change_type)}
    required = {
        field.name for field in fields(change_type) if field.name != "name" or change_type is CloseRoad
    }
    wrong = sorted((required - values.keys()) | (values.keys() - known))
    if wrong:
        faults.add(f"{entry['kind']} has missing or unknown fields: {', '.join(wrong)}")
        return None
    if change_type is SetOrder and isinstance(values["post_ids"], list):
        values["post_ids"] = tuple(values["post_ids"])
    if not all(isinstance(value, str | int | float | tuple) for value in values.values()):
        faults.add(f"{entry['kind']} has a value that is neither text nor number")
        return None
    return change_type(**values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124


def _place_faults(kind: str, lon: object, lat: object) -> list[str]:
    fine = _is_number(lon) and _is_number(lat) and -180 <= lon <= 180 and -90 <= lat <= 90  # type: ignore[operator]
    return [] if fine else [f"{kind} needs longitude and latitude in degrees"]


def _percent_change(factor: float) -> str:
    percent = round((factor - 1) * 100)
    return "unchanged" if percent == 0 else f"{'up' if percent > 0 else 'down'} {abs(percent)} %"
