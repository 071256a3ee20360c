"""What the rules of a city folder's tables are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["text", "integer", "maybe_integer", "number", "flag", "maybe_flag", "time", "date", "geometry"]


@dataclass(frozen=True, kw_only=True)
class ColumnRule:
    """One column: its kind, whether an accepted row must have it, and what its values may be.

    ``pattern`` is a regular expression that the whole text must match; ``like`` says how to write it.
    """

    kind: Kind
    needed: bool = False
    unique: bool = False
    allowed: tuple[str, ...] = ()
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    pattern: str | None = None
    like: str = ""


@dataclass(frozen=True, kw_only=True)
class TableRule:
    """One table: its columns and what the reader asks of them.

    ``time_order`` lists the time columns in the order in which they must pass; ``past`` those of what had
    happened when the rows were taken, so that none can be later than that day. ``one_of_each`` lists columns
    of which no two rows may have the same values. Every point or shape that is given lies in the city's
    bounding box; with ``on_land`` no point stands in water. ``needed`` tables must be there with at least one
    good row, or the city cannot be opened. ``withheld`` columns stay in the app: no download of the table's
    quarantined rows carries them.
    """

    name: str
    title: str
    columns: Mapping[str, ColumnRule]
    load_hint: str
    time_order: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    one_of_each: tuple[str, ...] = ()
    shapes: Literal["none", "lines", "areas"] = "none"
    needed: bool = False
    on_land: bool = False
    withheld: tuple[str, ...] = ()
    pages: tuple[str, ...] = field(default=())

    @property
    def has_points(self) -> bool:
        """Whether rows carry ``lon`` and ``lat``; where these are not needed, a row may lack its place."""
        return "lon" in self.columns


def text(**rules: Any) -> ColumnRule:  # noqa: ANN401
    """Rule of a column of text."""
    return ColumnRule(kind="text", **rules)


def time(*, needed: bool = False) -> ColumnRule:
    """Rule of a column of times."""
    return ColumnRule(kind="time", needed=needed)


PLACE: Mapping[str, ColumnRule] = MappingProxyType(
    {"lon": ColumnRule(kind="number", needed=True), "lat": ColumnRule(kind="number", needed=True)}
)
SHAPE: Mapping[str, ColumnRule] = MappingProxyType({"geometry": ColumnRule(kind="geometry", needed=True)})
BY_IMPORT = (
    "Import the city's own file (python -m data import --help) or make the demo city (python -m data demo)."
)
