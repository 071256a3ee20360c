"""A saved mapping: which column of a city's own file feeds which column of a table of the contract.

It is JSON or TOML, written by the guided page or by hand, and used again for the next export:

.. code-block:: toml

    version = 1
    table = "unit_responses"
    [file]
    sheet = "Runs"
    [columns]
    call_id = { column = "Incident No" }
    unit_id = { column = "Unit" }
    unit_type = { column = "Level", words = { paramedic = "ALS", basic = "BLS" } }
    assigned_at = { column = "Date", clock_column = "Assigned", style = "us" }
    cancelled = { constant = "false" }

Columns of the file that are not named here (patients, telephones) are neither read nor kept. How files are
read stands in `data.mapping_source`, how values are in `data.mapping_values`; `data.mapping_rows` puts both
together.
"""

import json
import tomllib
from typing import Annotated, Any, Literal, Self

import pyproj
from pydantic import Field, ValidationError, field_validator, model_validator

from data.mapping_values import STYLES, UNITS
from data.profile_base import FrozenModel, Text, Zone
from data.schema_rules import TableRule
from data.schemas import TABLES
from errors import Faults, InvalidInputError

DEGREES = "EPSG:4326"
PLACE_COLUMNS = ("lon", "lat", "geometry")
"""Columns of the contract that a mapping fills through its ``place``."""
UNIT_ENDINGS = {
    "kg": "_kg",
    "mm": "_mm",
    "m": "_m",
    "kph": "_kph",
    "min": "minutes",
    "m3/s": "_m3_s",
    "share": "_share",
}
"""How a column of the contract ends whose numbers are in this unit."""


class Layout(FrozenModel):
    """How the file is laid out.

    Attributes
    ----------
    sheet
        The sheet of a workbook, or the layer of a GeoPackage; the first one when None.
    header_row
        The row that names the columns; 1 is the first. What stands above it is passed over.
    encoding, delimiter
        Of a CSV; told from its content when "auto".
    """

    sheet: Text | None = None
    header_row: Annotated[int, Field(ge=1, le=1000)] = 1
    encoding: Literal["auto", "utf-8", "utf-16", "cp1252"] = "auto"
    delimiter: Literal["auto", "comma", "semicolon", "tab", "bar"] = "auto"


class ColumnFrom(FrozenModel):
    """Where one column of the contract comes from: a column of the file, or the same for all rows.

    Attributes
    ----------
    column, constant
        One of the two. A constant is text; it is read as the column's kind is.
    words
        The file's words (small and capital letters are alike) to the contract's; an empty text is no value.
    others
        What all other words become; they stay as they are when None.
    clock_column
        The column that holds the clock where ``column`` holds only the day; no clock, no time.
    after
        A time column before this one in the table, for clocks whose day is that of the first: where the time
        would be before it, it is of the next day.
    clock
        The clock to assume where only a day is given, such as "12:00"; without it a day alone is no time.
    style
        How days and times are written; see ``STYLES`` in `data.mapping_values`.
    zone
        Time zone of times that name none; the city's when None.
    twice
        What to do in the hour that comes twice when clocks go back: quarantine, or take the first or second.
    decimal
        The sign before the decimals of numbers.
    unit
        From which unit numbers are brought to the contract's, such as "lb to kg"; see ``UNITS``.
    """

    column: Text | None = None
    constant: Text | None = None
    words: dict[str, str] = Field(default_factory=dict)
    others: str | None = None
    clock_column: Text | None = None
    after: Text | None = None
    clock: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    style: str = "iso"
    zone: Zone | None = None
    twice: Literal["quarantine", "first", "second"] = "quarantine"
    decimal: Literal["point", "comma"] = "point"
    unit: str | None = None

    @field_validator("style")
    @classmethod
    def _known_style(cls, style: str) -> str:
        if style not in STYLES:
            msg = f"{style!r} is no style of times; the styles are {', '.join(STYLES)}"
            raise ValueError(msg)
        return style

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str | None) -> str | None:
        if unit is not None and unit not in UNITS:
            msg = f"{unit!r} is not known; write one of {', '.join(UNITS)}"
            raise ValueError(msg)
        return unit

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.constant is None):
            msg = "give either a column of the file or a constant"
            raise ValueError(msg)
        if self.clock_column is not None and self.column is None:
            msg = "clock_column needs the column that holds the day"
            raise ValueError(msg)
        return self


class PlaceFrom(FrozenModel):
    """Where places or shapes come from: two columns of coordinates, or one column that holds the shape.

    Attributes
    ----------
    x, y
        Columns of longitude and latitude, or of easting and northing.
    shape
        The column "geometry" of a GeoPackage or GeoJSON, or a text column with WKT such as
        ``POINT (lon lat)`` or ending in ``(lat, lon)``.
    crs
        System of the coordinates; that of the layer, else degrees (EPSG:4326), when None.
    """

    x: Text | None = None
    y: Text | None = None
    shape: Text | None = None
    crs: str | None = None

    @field_validator("crs")
    @classmethod
    def _known_crs(cls, crs: str | None) -> str | None:
        if crs is not None:
            try:
                known = crs.upper().startswith("EPSG:") and is_flat(pyproj.CRS.from_user_input(crs))
            except pyproj.exceptions.CRSError:
                known = False
            if not known:
                msg = f"{crs!r} is no coordinate system; write its EPSG code, such as EPSG:3452"
                raise ValueError(msg)
        return crs

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        pair = self.x is not None and self.y is not None
        if pair == (self.shape is not None) or (self.x is None) != (self.y is None):
            msg = "a place needs either x and y, or shape"
            raise ValueError(msg)
        return self


class TableMapping(FrozenModel):
    """How one file becomes one table; see the module. It may lack columns: see `lacks`.

    Attributes
    ----------
    nothing
        Words of the file that mean that nothing is given, besides an empty cell.
    """

    version: Literal[1] = 1
    table: str
    file: Layout = Layout()
    nothing: tuple[str, ...] = ("null", "n/a", "#n/a", "nan", "none")
    columns: dict[str, ColumnFrom] = Field(default_factory=dict)
    place: PlaceFrom | None = None

    @model_validator(mode="after")
    def _fits_the_table(self) -> Self:
        rule = TABLES.get(self.table)
        if rule is None:
            msg = f"{self.table!r} is no table of a city folder; the tables are {', '.join(TABLES)}"
            raise ValueError(msg)
        faults = Faults()
        for column, source in self.columns.items():
            if column in PLACE_COLUMNS:
                faults.add(f"{column} is filled through [place]")
            elif column not in rule.columns:
                faults.add(f"the table {self.table} has no column {column}")
            else:
                faults.extend(f"{column}: {fault}" for fault in _misused(column, source, rule))
        faults.check(
            self.place is None or has_place(rule), f"the table {self.table} has no places; leave [place] out"
        )
        faults.check(
            self.place is None or rule.shapes == "none" or self.place.shape is not None,
            f"the table {self.table} holds shapes; [place] needs shape",
        )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def rule(self) -> TableRule:
        """The table's rule."""
        return TABLES[self.table]

    @property
    def lacks(self) -> tuple[str, ...]:
        """Needed columns that nothing feeds yet."""
        return tuple(
            column
            for column, rule in self.rule.columns.items()
            if rule.needed and (self.place is None if column in PLACE_COLUMNS else column not in self.columns)
        )

    @property
    def file_columns(self) -> tuple[str, ...]:
        """Columns of the file that are used, each once."""
        named = [name for source in self.columns.values() for name in (source.column, source.clock_column)]
        if self.place is not None:
            named += [self.place.x, self.place.y, self.place.shape]
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def to_json(self) -> str:
        """Write the mapping as JSON that `read_mapping` takes; what is left at its default is left out."""
        told = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps({"version": self.version, **told}, indent=1, ensure_ascii=False) + "\n"


def is_flat(crs: pyproj.CRS) -> bool:
    """Say whether a system places things on the ground: not one of heights or of a building site."""
    return bool(crs.is_geographic or crs.is_projected)


def has_place(rule: TableRule) -> bool:
    """Say whether a table has places or shapes."""
    return rule.has_points or rule.shapes != "none"


def read_mapping(text: str, *, name: str = "mapping") -> TableMapping:
    """Read a saved mapping.

    Parameters
    ----------
    text
        JSON, or TOML where it does not begin with ``{``.
    name
        What to call it in an error.

    Raises
    ------
    InvalidInputError
        It cannot be used; the text lists every fault.
    """
    headline = f"The mapping {name} cannot be used"
    told = text.removeprefix("\ufeff")
    try:
        content: Any = json.loads(told) if told.lstrip().startswith("{") else tomllib.loads(told)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{headline}: it is neither JSON nor TOML ({error})") from error
    if isinstance(content, dict) and "version" not in content:
        raise InvalidInputError(f"{headline}: it does not say its version; the version is 1")
    return make_mapping(content, headline=headline)


def make_mapping(content: object, *, headline: str = "The mapping cannot be used") -> TableMapping:
    """Make a mapping of plain values, such as a page's controls give.

    Raises
    ------
    InvalidInputError
        It cannot be used; the text lists every fault.
    """
    faults = Faults()
    try:
        return TableMapping.model_validate(content)
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(str(part) for part in fault["loc"])
            said = fault["msg"].removeprefix("Value error, ")
            faults.add(f"{place}: {said}" if place else said)
    faults.raise_as(InvalidInputError, headline)
    raise AssertionError  # raise_as always raises here


def _misused(column: str, source: ColumnFrom, table: TableRule) -> list[str]:
    faults, rule = Faults(), table.columns[column]
    timed = source.clock_column or source.clock or source.zone or source.after or source.style != "iso"
    faults.check(not timed or rule.kind in {"time", "date"}, "is no time: leave style, zone and clock out")
    order = table.time_order
    before = order[: order.index(column)] if column in order else ()
    faults.check(source.after is None or source.after in before, f"{source.after} is no time before it")
    if source.unit is not None:
        ending = source.unit.split(" to ")[1]
        faults.check(
            rule.kind == "number" and column.endswith(UNIT_ENDINGS[ending]),
            f"{source.unit} does not lead to what this column holds",
        )
    return list(faults)
