"""The tables of a city folder: their columns, types and rules, as pandera schemas."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa

Kind = Literal["text", "integer", "maybe_integer", "number", "flag", "maybe_flag", "time", "date", "geometry"]

ROAD_CLASSES = (
    "motorway",
    "motorway_link",
    "trunk",
    "trunk_link",
    "primary",
    "primary_link",
    "secondary",
    "secondary_link",
    "tertiary",
    "tertiary_link",
    "residential",
    "living_street",
    "unclassified",
    "service",
    "track",
)
AGENCIES = ("EMS", "Police", "Fire")
PRECISIONS = ("exact", "block", "unknown")
UNIT_TYPES = ("ALS", "BLS")
WATER_KINDS = ("river", "lake")
OUTLET_CATEGORIES = ("bar", "restaurant", "store", "hotel", "other")

_DAY = "(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_DAYS = f"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*"
_BEGIN = r"(?:[01]?\d|2[0-3]):[0-5]\d"
_END = r"(?:(?:[0-3]?\d|4[0-7]):[0-5]\d|48:00)"
_SPANS = f"{_BEGIN}-{_END}(?:, ?{_BEGIN}-{_END})*"
_OPEN = f"(?:(?:{_DAYS} )?{_SPANS}|{_DAYS} (?:off|closed))"
OPENING_HOURS = f"24/7|{_OPEN}(?:; ?{_OPEN})*"
"""Opening hours that can be read: a small part of OpenStreetMap's ``opening_hours``."""


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
    pattern: str | None = None
    like: str = ""


@dataclass(frozen=True, kw_only=True)
class TableRule:
    """One table: its columns and what the reader asks of them.

    ``time_order`` lists the time columns in the order in which they must pass. ``in_city`` asks that
    every point or shape lies in the city's bounding box; ``on_land``, that no point stands in water.
    ``needed`` tables must be there with at least one good row, or the city cannot be opened. ``withheld``
    columns stay in the app: no download of the table's quarantined rows carries them.
    """

    name: str
    title: str
    columns: Mapping[str, ColumnRule]
    load_hint: str
    time_order: tuple[str, ...] = ()
    shapes: Literal["none", "lines", "areas"] = "none"
    needed: bool = False
    on_land: bool = False
    withheld: tuple[str, ...] = ()
    pages: tuple[str, ...] = field(default=())

    @property
    def has_points(self) -> bool:
        """Whether rows carry ``lon`` and ``lat``."""
        return "lon" in self.columns


def _text(**rules: Any) -> ColumnRule:  # noqa: ANN401
    return ColumnRule(kind="text", **rules)


def _time(*, needed: bool = False) -> ColumnRule:
    return ColumnRule(kind="time", needed=needed)


_PLACE = {"lon": ColumnRule(kind="number", needed=True), "lat": ColumnRule(kind="number", needed=True)}
_SHAPE = {"geometry": ColumnRule(kind="geometry", needed=True)}
_BY_IMPORT = (
    "Import the city's own file (python -m data import --help) or make the demo city (python -m data demo)."
)

_RULES = (
    TableRule(
        name="streets",
        title="Streets",
        columns={
            "u": ColumnRule(kind="integer", needed=True),
            "v": ColumnRule(kind="integer", needed=True),
            "name": _text(),
            "road_class": _text(needed=True, allowed=ROAD_CLASSES),
            "length_m": ColumnRule(kind="number", needed=True, above=0),
            "speed_kph": ColumnRule(kind="number", above=0),
            "oneway": ColumnRule(kind="flag", needed=True),
            **_SHAPE,
        },
        shapes="lines",
        needed=True,
        load_hint=_BY_IMPORT,
        pages=("Ambulance staging", "911 calls"),
    ),
    TableRule(
        name="street_nodes",
        title="Street corners",
        columns={"node": ColumnRule(kind="integer", needed=True, unique=True), **_PLACE},
        needed=True,
        load_hint=_BY_IMPORT,
        pages=("Ambulance staging", "911 calls"),
    ),
    TableRule(
        name="calls",
        title="Calls",
        columns={
            "call_id": _text(needed=True, unique=True),
            "agency": _text(needed=True, allowed=AGENCIES),
            "opened_at": _time(),
            "dispatched_at": _time(),
            "arrived_at": _time(),
            "closed_at": _time(),
            "type_code": _text(),
            "type_text": _text(),
            "priority": _text(),
            "self_initiated": ColumnRule(kind="maybe_flag"),
            "disposition": _text(),
            "location_precision": _text(needed=True, allowed=PRECISIONS),
            **_PLACE,
        },
        time_order=("opened_at", "dispatched_at", "arrived_at", "closed_at"),
        load_hint=_BY_IMPORT,
        pages=("911 calls", "Ambulance staging"),
    ),
    TableRule(
        name="unit_responses",
        title="Ambulance responses",
        columns={
            "call_id": _text(needed=True),
            "unit_id": _text(needed=True),
            "unit_type": _text(needed=True, allowed=UNIT_TYPES),
            "from_post_id": _text(),
            "assigned_at": _time(needed=True),
            "enroute_at": _time(),
            "on_scene_at": _time(),
            "depart_scene_at": _time(),
            "at_hospital_at": _time(),
            "available_at": _time(),
            "hospital_id": _text(),
            "lights_sirens": ColumnRule(kind="maybe_flag"),
            "cancelled": ColumnRule(kind="maybe_flag"),
        },
        time_order=(
            "assigned_at",
            "enroute_at",
            "on_scene_at",
            "depart_scene_at",
            "at_hospital_at",
            "available_at",
        ),
        load_hint=_BY_IMPORT,
        pages=("911 calls",),
    ),
    TableRule(
        name="shifts",
        title="Shifts",
        columns={
            "unit_id": _text(needed=True),
            "unit_type": _text(needed=True, allowed=UNIT_TYPES),
            "starts_at": _time(needed=True),
            "ends_at": _time(needed=True),
        },
        time_order=("starts_at", "ends_at"),
        load_hint=_BY_IMPORT,
    ),
    TableRule(
        name="posts",
        title="Ambulance posts",
        columns={
            "post_id": _text(needed=True, unique=True),
            "name": _text(needed=True),
            "kind": _text(needed=True),
            "address": _text(),
            "baseline_rank": ColumnRule(kind="maybe_integer", at_least=1),
            **_PLACE,
        },
        on_land=True,
        load_hint=_BY_IMPORT,
        pages=("Ambulance staging",),
    ),
    TableRule(
        name="hospitals",
        title="Hospitals",
        columns={
            "hospital_id": _text(needed=True, unique=True),
            "name": _text(needed=True),
            "kind": _text(),
            "receives_911": ColumnRule(kind="maybe_flag"),
            "specialties": _text(),
            "valid_from": _time(),
            "valid_to": _time(),
            **_PLACE,
        },
        time_order=("valid_from", "valid_to"),
        on_land=True,
        load_hint=_BY_IMPORT,
        pages=("Ambulance staging",),
    ),
    TableRule(
        name="outlets",
        title="Alcohol outlets",
        columns={
            "outlet_id": _text(needed=True, unique=True),
            "name": _text(needed=True),
            "category": _text(needed=True, allowed=OUTLET_CATEGORIES),
            "licence_code": _text(),
            "address": _text(),
            "opened_on": ColumnRule(kind="date"),
            "closed_on": ColumnRule(kind="date"),
            "hours": _text(pattern=OPENING_HOURS, like="Mo-Th 16:00-24:00 or 24/7"),
            "capacity": ColumnRule(kind="maybe_integer", above=0),
            **_PLACE,
        },
        time_order=("opened_on", "closed_on"),
        withheld=("name", "licence_code", "address"),
        load_hint=_BY_IMPORT,
        pages=("Bars",),
    ),
    TableRule(
        name="neighborhoods",
        title="Neighborhoods",
        columns={
            "name": _text(needed=True, unique=True),
            "population": ColumnRule(kind="maybe_integer", at_least=0),
            "median_household_income": ColumnRule(kind="maybe_integer", at_least=0),
            **_SHAPE,
        },
        shapes="areas",
        needed=True,
        load_hint=_BY_IMPORT,
        pages=("911 calls", "Ambulance staging"),
    ),
    TableRule(
        name="districts",
        title="Districts",
        columns={"name": _text(needed=True), "kind": _text(needed=True), **_SHAPE},
        shapes="areas",
        load_hint=_BY_IMPORT,
    ),
    TableRule(
        name="water",
        title="Water",
        columns={"name": _text(needed=True), "kind": _text(needed=True, allowed=WATER_KINDS), **_SHAPE},
        shapes="areas",
        load_hint=_BY_IMPORT,
    ),
)

TABLES: Mapping[str, TableRule] = MappingProxyType({rule.name: rule for rule in _RULES})


def pandas_dtype(kind: Kind, timezone: str) -> Any:  # noqa: ANN401
    """Give the pandas type of a column of this kind in accepted rows; geometry has none of its own."""
    dtypes: dict[Kind, Any] = {
        "text": pd.StringDtype(na_value=np.nan),
        "integer": np.dtype("int64"),
        "maybe_integer": pd.Int64Dtype(),
        "number": np.dtype("float64"),
        "flag": np.dtype("bool"),
        "maybe_flag": pd.BooleanDtype(),
        "time": pd.DatetimeTZDtype("us", timezone),
        "date": np.dtype("datetime64[us]"),
        "geometry": None,
    }
    return dtypes[kind]


def reading_dtype(kind: Kind, timezone: str) -> Any:  # noqa: ANN401
    """Give the type of a column while its rows are checked: as :func:`pandas_dtype`, but able to be null."""
    nullable: dict[Kind, Kind] = {"integer": "maybe_integer", "flag": "maybe_flag"}
    return pandas_dtype(nullable.get(kind, kind), timezone)


def _checks(name: str, rule: ColumnRule) -> list[pa.Check]:
    checks = []
    if rule.allowed:
        said = ", ".join(rule.allowed)
        checks.append(pa.Check.isin(rule.allowed, error=f"{name} is not one of {said}"))
    if rule.above is not None:
        checks.append(pa.Check.gt(rule.above, error=f"{name} is not above {rule.above:g}"))
    if rule.at_least is not None:
        checks.append(pa.Check.ge(rule.at_least, error=f"{name} is below {rule.at_least:g}"))
    if rule.pattern is not None:
        matches = re.compile(rule.pattern).fullmatch
        said = f"{name} cannot be read (write it like {rule.like})"
        checks.append(pa.Check(lambda text: matches(text) is not None, element_wise=True, error=said))
    if rule.kind == "number":
        checks.append(pa.Check(np.isfinite, error=f"{name} is not a finite number"))
    return checks


@cache
def table_schema(name: str, timezone: str, *, accepted: bool = True) -> pa.DataFrameSchema:
    """Give the pandera schema of a table.

    Parameters
    ----------
    name
        A table of the contract, a key of ``TABLES``.
    timezone
        The city's time zone; times are ``datetime64[us, timezone]``.
    accepted
        True for the schema that every accepted row meets. False for the one rows are checked by:
        its types can be null, and it leaves repeated identifiers to the reader, which keeps the first
        row that is otherwise good.
    """
    dtype = pandas_dtype if accepted else reading_dtype
    columns = {
        column: pa.Column(
            dtype(rule.kind, timezone),
            _checks(column, rule),
            nullable=not rule.needed,
            unique=rule.unique and accepted,
        )
        for column, rule in TABLES[name].columns.items()
    }
    return pa.DataFrameSchema(columns, name=name, strict=False)
