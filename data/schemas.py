"""The tables of a city folder: their columns, types and rules, as pandera schemas."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from data.schema_rules import BY_IMPORT, PLACE, SHAPE, ColumnRule, Kind, TableRule, text, time
from data.schemas_drainage import DRAINAGE_TABLES

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

_RULES = (
    TableRule(
        name="streets",
        title="Streets",
        columns={
            "u": ColumnRule(kind="integer", needed=True),
            "v": ColumnRule(kind="integer", needed=True),
            "name": text(),
            "road_class": text(needed=True, allowed=ROAD_CLASSES),
            "length_m": ColumnRule(kind="number", needed=True, above=0),
            "speed_kph": ColumnRule(kind="number", above=0),
            "oneway": ColumnRule(kind="flag", needed=True),
            **SHAPE,
        },
        shapes="lines",
        needed=True,
        load_hint=BY_IMPORT,
        pages=("Ambulance staging", "911 calls"),
    ),
    TableRule(
        name="street_nodes",
        title="Street corners",
        columns={"node": ColumnRule(kind="integer", needed=True, unique=True), **PLACE},
        needed=True,
        load_hint=BY_IMPORT,
        pages=("Ambulance staging", "911 calls"),
    ),
    TableRule(
        name="calls",
        title="Calls",
        columns={
            "call_id": text(needed=True, unique=True),
            "agency": text(needed=True, allowed=AGENCIES),
            "opened_at": time(),
            "dispatched_at": time(),
            "arrived_at": time(),
            "closed_at": time(),
            "type_code": text(),
            "type_text": text(),
            "priority": text(),
            "self_initiated": ColumnRule(kind="maybe_flag"),
            "disposition": text(),
            "location_precision": text(needed=True, allowed=PRECISIONS),
            **PLACE,
        },
        time_order=("opened_at", "dispatched_at", "arrived_at", "closed_at"),
        load_hint=BY_IMPORT,
        pages=("911 calls", "Ambulance staging"),
    ),
    TableRule(
        name="unit_responses",
        title="Ambulance responses",
        columns={
            "call_id": text(needed=True),
            "unit_id": text(needed=True),
            "unit_type": text(needed=True, allowed=UNIT_TYPES),
            "from_post_id": text(),
            "assigned_at": time(needed=True),
            "enroute_at": time(),
            "on_scene_at": time(),
            "depart_scene_at": time(),
            "at_hospital_at": time(),
            "available_at": time(),
            "hospital_id": text(),
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
        load_hint=BY_IMPORT,
        pages=("911 calls",),
    ),
    TableRule(
        name="shifts",
        title="Shifts",
        columns={
            "unit_id": text(needed=True),
            "unit_type": text(needed=True, allowed=UNIT_TYPES),
            "starts_at": time(needed=True),
            "ends_at": time(needed=True),
        },
        time_order=("starts_at", "ends_at"),
        load_hint=BY_IMPORT,
    ),
    TableRule(
        name="posts",
        title="Ambulance posts",
        columns={
            "post_id": text(needed=True, unique=True),
            "name": text(needed=True),
            "kind": text(needed=True),
            "address": text(),
            "baseline_rank": ColumnRule(kind="maybe_integer", at_least=1),
            **PLACE,
        },
        on_land=True,
        load_hint=BY_IMPORT,
        pages=("Ambulance staging",),
    ),
    TableRule(
        name="hospitals",
        title="Hospitals",
        columns={
            "hospital_id": text(needed=True, unique=True),
            "name": text(needed=True),
            "kind": text(),
            "receives_911": ColumnRule(kind="maybe_flag"),
            "specialties": text(),
            "valid_from": time(),
            "valid_to": time(),
            **PLACE,
        },
        time_order=("valid_from", "valid_to"),
        on_land=True,
        load_hint=BY_IMPORT,
        pages=("Ambulance staging",),
    ),
    TableRule(
        name="outlets",
        title="Alcohol outlets",
        columns={
            "outlet_id": text(needed=True, unique=True),
            "name": text(needed=True),
            "category": text(needed=True, allowed=OUTLET_CATEGORIES),
            "licence_code": text(),
            "address": text(),
            "opened_on": ColumnRule(kind="date"),
            "closed_on": ColumnRule(kind="date"),
            "hours": text(pattern=OPENING_HOURS, like="Mo-Th 16:00-24:00 or 24/7"),
            "capacity": ColumnRule(kind="maybe_integer", above=0),
            **PLACE,
        },
        time_order=("opened_on", "closed_on"),
        withheld=("name", "licence_code", "address"),
        load_hint=BY_IMPORT,
        pages=("Bars",),
    ),
    TableRule(
        name="neighborhoods",
        title="Neighborhoods",
        columns={
            "name": text(needed=True, unique=True),
            "population": ColumnRule(kind="maybe_integer", at_least=0),
            "median_household_income": ColumnRule(kind="maybe_integer", at_least=0),
            **SHAPE,
        },
        shapes="areas",
        needed=True,
        load_hint=BY_IMPORT,
        pages=("911 calls", "Ambulance staging"),
    ),
    TableRule(
        name="districts",
        title="Districts",
        columns={"name": text(needed=True), "kind": text(needed=True), **SHAPE},
        shapes="areas",
        load_hint=BY_IMPORT,
    ),
    TableRule(
        name="water",
        title="Water",
        columns={"name": text(needed=True), "kind": text(needed=True, allowed=WATER_KINDS), **SHAPE},
        shapes="areas",
        load_hint=BY_IMPORT,
    ),
)

TABLES: Mapping[str, TableRule] = MappingProxyType({rule.name: rule for rule in (*_RULES, *DRAINAGE_TABLES)})


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
    if rule.at_most is not None:
        checks.append(pa.Check.le(rule.at_most, error=f"{name} is above {rule.at_most:g}"))
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
