"""Row checks: which rows of a table cannot be used, and why; and faults that a whole table shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pandera.errors import SchemaErrors

from data.columns import convert
from data.profile_roads import Box
from data.quarantine import Reasons, as_records, quarantine_frame
from data.schema_rules import TableRule
from data.schemas import pandas_dtype, table_schema

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NO_PLACE = "no place is given: the record says 0, 0 (POINT (0 0))"
SWAPPED = "longitude and latitude look swapped"
SIGN_LOST = "the longitude has lost its minus sign"
OUTSIDE = "the place lies outside the city"
IN_WATER = "the place stands in water"
HALF_A_PLACE = "only one of longitude and latitude is given"
NO_BASIN = "its basin (basin_id) is not among the catch basins"

_ENOUGH_ROWS = 5
"""Fewer rows than this are judged one by one only: too few to say that the whole table is at fault."""

_FEET_A_METRE = 3.28084

KIND_WORDS: Mapping[str, str] = {
    "integer": "a whole number",
    "maybe_integer": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "maybe_flag": "true or false",
    "time": "a time with its time zone",
    "date": "a date such as 2015-06-30",
    "text": "text",
}


@dataclass(frozen=True)
class Surroundings:
    """What the rows of a table are checked against.

    Attributes
    ----------
    bbox
        West, south, east, north of the city in degrees.
    timezone
        The city's time zone.
    water
        Accepted water areas (``name``, ``geometry``), or None.
    nodes
        Identifiers of the accepted street corners, or None where streets are not checked against them.
    basins
        Identifiers of the accepted catch basins, or None where cleanings are not checked against them.
    taken_on
        The day on which the table's rows were taken, or None where it is not said.
    """

    bbox: Box
    timezone: str
    water: gpd.GeoDataFrame | None = None
    nodes: pd.Index | None = None
    basins: pd.Index | None = None
    taken_on: date | None = None


@dataclass(frozen=True)
class CheckedTable:
    """A table split into accepted rows and quarantined rows (``record``, ``reason``)."""

    accepted: pd.DataFrame
    quarantined: pd.DataFrame


def check_rows(raw: pd.DataFrame, rule: TableRule, around: Surroundings) -> CheckedTable:
    """Split a table's rows into accepted and quarantined ones; every row lands in exactly one.

    Parameters
    ----------
    raw
        The table as read, with every needed column; columns that may be null can be absent.
    rule
        The table's rule.
    around
        What the rows are checked against.
    """
    rows = raw.reset_index(drop=True)
    reasons = Reasons(len(rows))
    frame = _converted(rows, rule, around.timezone, reasons)
    _check_schema(frame, rule, around.timezone, reasons)
    _check_times(frame, rule, reasons)
    _check_future(frame, rule, around, reasons)
    if rule.has_points:
        _check_points(frame, rule, around, reasons)
    if rule.shapes != "none":
        _check_shapes(frame, rule, around.bbox, reasons)
    if rule.name == "streets":
        _check_street_ends(frame, around.nodes, reasons)
    if rule.name == "cleanings" and around.basins is not None:
        unknown = around.basins.get_indexer(pd.Index(frame["basin_id"])) < 0
        reasons.add(unknown & frame["basin_id"].notna().to_numpy(dtype=bool), NO_BASIN)
    _check_repeats(frame, rule, reasons)
    accepted = frame.loc[~reasons.any].reset_index(drop=True)
    for column, column_rule in rule.columns.items():
        dtype = pandas_dtype(column_rule.kind, around.timezone)
        if dtype is not None:
            accepted[column] = accepted[column].astype(dtype)
    return CheckedTable(accepted, quarantine_frame(as_records(rows.loc[reasons.any]), reasons.joined()))


def _converted(rows: pd.DataFrame, rule: TableRule, timezone: str, reasons: Reasons) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for column, column_rule in rule.columns.items():
        given = rows[column] if column in rows else pd.Series([None] * len(rows), dtype=object)
        converted, misfit = convert(given, column_rule.kind, timezone)
        reasons.add(misfit, f"{column} is not {KIND_WORDS.get(column_rule.kind, '')}")
        if column_rule.needed and column_rule.kind != "geometry":
            reasons.add(given.isna(), f"{column} is missing")
        columns[column] = converted
    if rule.shapes == "none":
        return pd.DataFrame(columns)
    return gpd.GeoDataFrame(columns, geometry="geometry", crs=getattr(rows, "crs", None))


def _check_schema(frame: pd.DataFrame, rule: TableRule, timezone: str, reasons: Reasons) -> None:
    values = pd.DataFrame({column: frame[column] for column in frame.columns if column != "geometry"})
    schema = table_schema(rule.name, timezone, accepted=False)
    if "geometry" in schema.columns:
        schema = schema.remove_columns(["geometry"])
    try:
        schema.validate(values, lazy=True)
    except SchemaErrors as errors:
        failures = errors.failure_cases
    else:
        return
    # Missing values were told from misfits when the columns were converted.
    failures = failures.loc[failures["check"] != "not_nullable"]
    for said, rows in failures.groupby("check", sort=False)["index"]:
        mask = np.zeros(len(frame), dtype=bool)
        mask[rows.to_numpy(dtype=int)] = True
        reasons.add(mask, str(said))


def _check_times(frame: pd.DataFrame, rule: TableRule, reasons: Reasons) -> None:
    if not rule.time_order:
        return
    latest = frame[rule.time_order[0]]
    latest_name = pd.Series(rule.time_order[0], index=frame.index, dtype=object)
    for column in rule.time_order[1:]:
        times = frame[column]
        early = (times < latest).to_numpy(dtype=bool)
        for name in latest_name[early].unique():
            reasons.add(early & (latest_name == name).to_numpy(), f"{column} is before {name}")
        later = times.notna() & ~early
        latest = latest.where(~later, times)
        latest_name = latest_name.where(~later, column)


def _check_future(frame: pd.DataFrame, rule: TableRule, around: Surroundings, reasons: Reasons) -> None:
    if around.taken_on is None:
        return
    day = pd.Timestamp(around.taken_on, tz=around.timezone)
    for column in rule.past:
        later = (frame[column] >= day + pd.Timedelta(days=1)).to_numpy(dtype=bool)
        reasons.add(later, f"{column} is after {day:%Y-%m-%d}, the day on which the table was taken")


def _located(lon: FloatArray, lat: FloatArray) -> BoolArray:
    located: BoolArray = np.isfinite(lon) & np.isfinite(lat) & ~((lon == 0) & (lat == 0))
    return located


def _inside(lon: FloatArray, lat: FloatArray, bbox: Box) -> BoolArray:
    west, south, east, north = bbox
    inside: BoolArray = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return inside


def _check_points(frame: pd.DataFrame, rule: TableRule, around: Surroundings, reasons: Reasons) -> None:
    lon = frame["lon"].to_numpy(dtype="float64")
    lat = frame["lat"].to_numpy(dtype="float64")
    reasons.add((lon == 0) & (lat == 0), NO_PLACE)
    if not rule.columns["lon"].needed:
        reasons.add(np.isnan(lon) != np.isnan(lat), HALF_A_PLACE)
    located = _located(lon, lat)
    inside = _inside(lon, lat, around.bbox)
    swapped = located & ~inside & _inside(lat, lon, around.bbox)
    flipped = located & ~inside & _inside(-lon, lat, around.bbox)
    reasons.add(swapped, SWAPPED)
    reasons.add(flipped, SIGN_LOST)
    reasons.add(located & ~inside & ~swapped & ~flipped, OUTSIDE)
    if rule.on_land and around.water is not None:
        for name, area in zip(around.water["name"], around.water.geometry, strict=True):
            shapely.prepare(area)
            wet = np.zeros(len(frame), dtype=bool)
            wet[inside] = shapely.contains_xy(area, lon[inside], lat[inside])
            reasons.add(wet, f"{IN_WATER} ({name})")


def _check_shapes(frame: pd.DataFrame, rule: TableRule, bbox: Box, reasons: Reasons) -> None:
    shapes = np.asarray(frame["geometry"].array, dtype=object)
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    reasons.add(missing, "the shape is missing or empty")
    kinds = shapely.get_type_id(shapes)
    fitting = (1,) if rule.shapes == "lines" else (3, 6)
    misfit = ~missing & ~np.isin(kinds, fitting)
    reasons.add(misfit, f"the shape is not {'a line' if rule.shapes == 'lines' else 'an area'}")
    fine = ~missing & ~misfit
    if rule.shapes == "areas":
        reasons.add(fine & ~shapely.is_valid(shapes), "the outline of the area crosses itself")
    west, south, east, north = shapely.bounds(shapes).T
    finite = np.isfinite(west) & np.isfinite(east)
    apart = (east < bbox[0]) | (west > bbox[2]) | (north < bbox[1]) | (south > bbox[3])
    reasons.add(fine & (~finite | apart), OUTSIDE)


def _check_street_ends(frame: pd.DataFrame, nodes: pd.Index | None, reasons: Reasons) -> None:
    if nodes is None:
        return
    for end, said in (("u", "first"), ("v", "last")):
        unknown = frame[end].notna() & ~frame[end].isin(nodes)
        reasons.add(unknown, f"its {said} end ({end}) is not among the street corners")


def _check_repeats(frame: pd.DataFrame, rule: TableRule, reasons: Reasons) -> None:
    keys = [[column] for column, column_rule in rule.columns.items() if column_rule.unique]
    for key in [*keys, *([list(rule.one_of_each)] if rule.one_of_each else [])]:
        good = frame.loc[~reasons.any, key]
        repeated = np.zeros(len(frame), dtype=bool)
        repeated[good.index[good.duplicated(keep="first")]] = True
        has = "has it" if len(key) == 1 else "has both"
        said = f"{' and '.join(key)} {'was' if len(key) == 1 else 'were'} used before"
        reasons.add(repeated, f"{said} (the first good row that {has} is kept)")


def table_faults(raw: pd.DataFrame, rule: TableRule, bbox: Box, city: str) -> list[str]:
    """Find what is wrong with a table as a whole: feet for degrees, swapped columns, another city.

    Parameters
    ----------
    raw
        The table as read; its needed columns are there.
    rule
        The table's rule.
    bbox
        West, south, east, north of the city in degrees.
    city
        The city's name, for the text.

    Returns
    -------
    faults
        Sentences without the table's name; empty when the rows can be judged one by one.
    """
    if rule.has_points:
        if "lon" not in raw or "lat" not in raw:
            return []
        lon = convert(raw["lon"], "number", "UTC")[0].to_numpy(dtype="float64")
        lat = convert(raw["lat"], "number", "UTC")[0].to_numpy(dtype="float64")
        return _place_faults(lon, lat, bbox, city)
    if rule.shapes == "none":
        return []
    shapes = np.asarray(raw["geometry"].array, dtype=object)
    west, south, east, north = shapely.bounds(shapes).T
    faults = _place_faults((west + east) / 2, (south + north) / 2, bbox, city)
    if not faults and rule.name == "streets":
        faults = _length_faults(raw, shapes)
    return faults


def _place_faults(lon: FloatArray, lat: FloatArray, bbox: Box, city: str) -> list[str]:
    located = _located(lon, lat)
    x, y = lon[located], lat[located]
    if len(x) < _ENOUGH_ROWS or _most(_inside(x, y, bbox)):
        return []
    middle = f"{np.median(x):,.4f}, {np.median(y):,.4f}"
    said = []
    if _most(_inside(y, x, bbox)):
        said.append("longitude and latitude are swapped; longitude comes first")
    elif _most(_inside(-x, y, bbox)):
        said.append("the longitudes have lost their minus sign; west of Greenwich they are negative")
    elif _most((np.abs(x) > 180) | (np.abs(y) > 90)):
        said.append(
            f"the coordinates are not degrees (the middle one is {middle}): they look like feet or metres "
            "of a grid such as EPSG:3452; transform them to EPSG:4326 (longitude, latitude)"
        )
    elif not _inside(x, y, bbox).any():
        said.append(
            f"no place lies in {city} (the middle one is at {middle}); is this another city's table, "
            "or another coordinate system than EPSG:4326?"
        )
    return said


def _most(mask: BoolArray) -> bool:
    return bool(2 * mask.sum() > len(mask))


def _length_faults(raw: pd.DataFrame, shapes: npt.NDArray[np.object_]) -> list[str]:
    written = convert(raw["length_m"], "number", "UTC")[0].to_numpy(dtype="float64")
    measured = _line_lengths_m(shapes)
    usable = np.isfinite(written) & np.isfinite(measured) & (measured > 1)
    if usable.sum() < _ENOUGH_ROWS:
        return []
    ratio = float(np.median(written[usable] / measured[usable]))
    if abs(ratio / _FEET_A_METRE - 1) < 0.1:
        return ["length_m looks like feet: it is 3.28 times what the lines measure; write metres"]
    if not 0.5 < ratio < 2:
        return [f"length_m is {ratio:.3g} times what the lines measure; write metres"]
    return []


def _line_lengths_m(shapes: npt.NDArray[np.object_]) -> FloatArray:
    bounds = shapely.bounds(shapes)
    middle = float(np.nanmedian((bounds[:, 1] + bounds[:, 3]) / 2))
    metres_a_degree = 111_195.0
    scale = np.array([metres_a_degree * np.cos(np.radians(middle)), metres_a_degree])
    flat = shapely.transform(shapes, lambda places: places * scale)
    lengths: FloatArray = shapely.length(flat)
    return lengths
