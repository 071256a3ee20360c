"""A scenario is data: a baseline and typed changes to it, which can be said, compared, hashed and sent."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Self, TypeVar

from errors import Faults, InvalidInputError
from models.changes import (
    DEMAND_SOURCES,
    NO_NAMES,
    SPEED_SOURCES,
    TARGET_CLOCKS,
    AddPost,
    Change,
    CloseRoad,
    DivertHospital,
    FloodStreets,
    LoseUnits,
    MovePost,
    RemovePost,
    ScaleDemand,
    SetClock,
    SetDemand,
    SetHourOfWeek,
    SetOrder,
    SetRules,
    SetSpeedFactor,
    SetSpeeds,
    SetTarget,
    SetUnits,
    SetWorkload,
)
from models.water_changes import CleanBasins, RainStorm

__all__ = [
    "CHANGE_TYPES",
    "DEMAND_SOURCES",
    "NO_NAMES",
    "SPEED_SOURCES",
    "TARGET_CLOCKS",
    "AddPost",
    "Change",
    "CleanBasins",
    "CloseRoad",
    "DivertHospital",
    "FloodStreets",
    "LoseUnits",
    "MovePost",
    "RainStorm",
    "RemovePost",
    "ScaleDemand",
    "Scenario",
    "SetClock",
    "SetDemand",
    "SetHourOfWeek",
    "SetOrder",
    "SetRules",
    "SetSpeedFactor",
    "SetSpeeds",
    "SetTarget",
    "SetUnits",
    "SetWorkload",
]

MAX_TEXT_CHARACTERS = 20_000
MAX_JSON_BYTES = 200_000

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
            FloodStreets,
            RainStorm,
            CleanBasins,
            DivertHospital,
            LoseUnits,
            ScaleDemand,
            SetSpeedFactor,
            SetSpeeds,
            SetTarget,
            SetClock,
            SetWorkload,
            SetHourOfWeek,
            SetDemand,
            SetRules,
        )
    }
)

ChangeT = TypeVar("ChangeT", bound=Change)


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
    required = {field.name for field in fields(change_type) if field.default is MISSING}
    wrong = sorted((required - values.keys()) | (values.keys() - known))
    if wrong:
        faults.add(f"{entry['kind']} has missing or unknown fields: {', '.join(wrong)}")
        return None
    listed = {SetOrder: "post_ids", CleanBasins: "stops"}.get(change_type, "")
    if listed and isinstance(values[listed], list):
        values[listed] = tuple(values[listed])
    if not all(isinstance(value, str | int | float | tuple) for value in values.values()):
        faults.add(f"{entry['kind']} has a value that is neither text nor number")
        return None
    return change_type(**values)
