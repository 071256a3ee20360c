"""Turn the rows of a city's own file into rows of a table, and show what its reader will say of them.

Every row lands in one of two places: among the rows of the table, or turned away with its reasons. The former
are then judged by the very checks that `data.city.City.open` makes, so that a preview says what will be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from pydantic import Field

from data.checks import KIND_WORDS, Surroundings, check_rows, table_faults
from data.city import City
from data.columns import convert
from data.mapping import DEGREES, ColumnFrom, TableMapping, is_flat
from data.mapping_cells import SHAPE_COLUMN, ObjectArray, SourceTable
from data.mapping_values import (
    SKIPPED,
    STYLES,
    TWICE,
    UNITS,
    UNREADABLE_PLACE,
    FloatArray,
    Moments,
    degrees_of,
    mapped_words,
    plain_numbers,
    read_moments,
    shapes_in_degrees,
    shapes_of,
    zoned_times,
)
from data.profile_base import FrozenModel, Text
from data.quarantine import Reasons, as_records, count_reasons, quarantine_frame
from data.schema_rules import ColumnRule
from data.schemas import pandas_dtype, reading_dtype
from errors import ImportSourceError, InvalidInputError


class About(FrozenModel):
    """What the manifest says of an imported table.

    Attributes
    ----------
    source, licence, period
        Where the rows come from, under which licence, and of what time they are.
    retrieved
        The day on which they were taken; what happened later is from the future.
    caveats
        What a reader of results must know, a plain sentence each.
    """

    source: Text
    licence: Text
    period: Text
    retrieved: date
    caveats: tuple[Text, ...] = Field(default=())


@dataclass(frozen=True, eq=False)
class MappedRows:
    """Rows of a file as a table.

    Attributes
    ----------
    frame
        Rows of the table, in the contract's columns and types; shapes and places in degrees.
    rejected
        ``record`` (JSON text of the mapped columns as they came) and ``reason`` of the others.
    steps
        What was done to the rows, with counts, a plain sentence each.
    """

    frame: pd.DataFrame
    rejected: pd.DataFrame
    steps: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Preview:
    """What the city's reader will say of a file.

    Attributes
    ----------
    head
        The first accepted rows.
    read, accepted
        Rows in the file, and those that can be used; the others are ``quarantined``.
    quarantined
        ``record`` and ``reason``.
    reasons
        How often each reason was given; a row can have several.
    faults
        What is wrong with the table as a whole; while there is one the table cannot be taken.
    steps
        What was done to the rows.
    """

    head: pd.DataFrame
    read: int
    accepted: int
    quarantined: pd.DataFrame
    reasons: Mapping[str, int]
    faults: tuple[str, ...]
    steps: tuple[str, ...]


def preview(
    mapping: TableMapping, source: SourceTable, city: City, *, retrieved: date, head: int = 20
) -> Preview:
    """Say what the city's reader will do with a file, without writing anything.

    Parameters
    ----------
    mapping
        How the file becomes the table.
    source
        The file, from `data.mapping_source.read_source`.
    city
        The city whose table it is to be.
    retrieved
        The day on which the rows were taken.
    head
        How many accepted rows to show.

    Raises
    ------
    InvalidInputError
        The mapping lacks needed columns.
    ImportSourceError
        The file lacks columns that the mapping names.
    """
    rule = mapping.rule
    mapped = map_rows(mapping, source, timezone=city.profile.timezone)
    faults = table_faults(mapped.frame, rule, city.profile.bbox, city.name)
    checked = check_rows(mapped.frame, rule, _surroundings(city, mapping.table, retrieved))
    quarantined = pd.concat([mapped.rejected, checked.quarantined], ignore_index=True)
    reasons = count_reasons(quarantined["reason"])
    if not faults and checked.accepted.empty:
        commonest = f"; the commonest reason: {next(iter(reasons))}" if reasons else ""
        faults = [f"none of the {len(source):,} rows can be used{commonest}"]
    return Preview(
        checked.accepted.head(head),
        len(source),
        len(checked.accepted),
        quarantined,
        reasons,
        tuple(faults),
        mapped.steps,
    )


def _surroundings(city: City, table: str, taken_on: date) -> Surroundings:
    basins = None
    if "basins" in city.tables and table == "cleanings":
        basins = pd.Index(city.table("basins")["basin_id"] if city.has("basins") else [])
    return Surroundings(
        bbox=city.profile.bbox,
        timezone=city.profile.timezone,
        water=city.areas("water") if city.has("water") else None,
        nodes=pd.Index(city.table("street_nodes")["node"]),
        basins=basins,
        taken_on=taken_on,
    )


def map_rows(mapping: TableMapping, source: SourceTable, *, timezone: str) -> MappedRows:
    """Turn rows of a file into rows of the table; ``len(frame) + len(rejected) == len(source)``.

    Parameters
    ----------
    mapping
        How the file becomes the table.
    source
        The file.
    timezone
        The city's, for times that name none.

    Raises
    ------
    InvalidInputError
        The mapping lacks needed columns.
    ImportSourceError
        The file lacks columns that the mapping names.
    """
    if mapping.lacks:
        raise InvalidInputError(
            f"The mapping does not say where these columns of {mapping.table} come from: "
            f"{', '.join(mapping.lacks)}"
        )
    absent = [name for name in mapping.file_columns if name not in source.columns]
    if absent:
        raise ImportSourceError(
            f"{source.name} lacks the column(s) {', '.join(absent)}; it has {', '.join(source.columns[:40])}"
        )
    work = _Work(mapping, source, timezone)
    columns: dict[str, Any] = {}
    for column, column_rule in mapping.rule.columns.items():
        if column in mapping.columns:
            columns[column] = work.column(column, mapping.columns[column], column_rule)
    if mapping.place is not None:
        columns |= work.place()
    work.check_width()
    # What the file does not tell is null, as in the table that will be written.
    frame = pd.DataFrame(
        {
            name: columns[name]
            if name in columns
            else pd.Series([None] * work.n, dtype=reading_dtype(column_rule.kind, timezone))
            for name, column_rule in mapping.rule.columns.items()
        }
    )
    if mapping.rule.shapes != "none":
        frame = gpd.GeoDataFrame(frame, geometry="geometry", crs=DEGREES)
    bad = work.reasons.any
    return MappedRows(
        frame.loc[~bad].reset_index(drop=True),
        quarantine_frame(as_records(work.records().loc[bad]), work.reasons.joined()),
        work.steps(int(bad.sum())),
    )


class _Work:
    """One file on its way into one table."""

    def __init__(self, mapping: TableMapping, source: SourceTable, timezone: str) -> None:
        self.mapping, self.source, self.timezone = mapping, source, timezone
        self.n = len(source)
        self.reasons = Reasons(self.n)
        self.said: list[str] = []
        self.walls: dict[str, pd.Series[Any]] = {}

    def column(self, name: str, given: ColumnFrom, rule: ColumnRule) -> "pd.Series[Any]":
        """Read one column; what cannot be read becomes null and a reason."""
        texts = mapped_words(self._raw(given), given.words, given.others, self.mapping.nothing)
        if rule.kind in {"time", "date"}:
            return self._times(name, given, rule, texts)
        if rule.kind in {"number", "integer", "maybe_integer"}:
            texts = plain_numbers(texts, given.decimal)
        values, misfit = convert(texts, rule.kind, self.timezone)
        self.reasons.add(misfit, f"{name} is not {KIND_WORDS[rule.kind]}")
        if given.unit is not None:
            values = values * UNITS[given.unit]
            self.said.append(f"{name} is brought from {given.unit} (times {UNITS[given.unit]:g}).")
        return values

    def _raw(self, given: ColumnFrom) -> "pd.Series[Any]":
        if given.column is None:
            return pd.Series([given.constant] * self.n, dtype="str")
        texts = self.source.texts[given.column]
        if given.clock_column is None:
            return texts
        joined = texts + " " + self.source.texts[given.clock_column]
        return joined if given.clock is None else joined.fillna(texts)

    def _times(
        self, name: str, given: ColumnFrom, rule: ColumnRule, texts: "pd.Series[Any]"
    ) -> "pd.Series[Any]":
        moments = read_moments(texts, given.style, "00:00" if rule.kind == "date" else given.clock)
        lost = texts.notna().to_numpy(dtype=bool) & moments.unread
        what, example = "time", STYLES[given.style]
        if rule.kind == "date":
            what, example = "day", example[:8] if given.style == "compact" else example.split(" ")[0]
        self.reasons.add(lost, f"{name} cannot be read as a {what} (such as {example})")
        if given.after in self.walls:
            moments = self._rolled(name, given.after, moments)
        self.walls[name] = moments.wall
        zone = given.zone or self.timezone
        dtype = pandas_dtype(rule.kind, self.timezone)
        if rule.kind == "date":
            days = moments.wall.fillna(moments.zoned.dt.tz_convert(zone).dt.tz_localize(None))
            whole: pd.Series[Any] = days.dt.normalize().astype(dtype)
            return whole
        times, ambiguous, skipped = zoned_times(moments, zone, given.twice)
        self.reasons.add(ambiguous, f"{name} {TWICE}")
        self.reasons.add(skipped, f"{name} {SKIPPED}")
        if moments.assumed.any():
            n_assumed = int(moments.assumed.sum())
            self.said.append(f"{name}: {n_assumed:,} come without a clock; {given.clock} is assumed.")
        local: pd.Series[Any] = times.dt.tz_convert(self.timezone).astype(dtype)
        return local

    def _rolled(self, name: str, after: str, moments: Moments) -> Moments:
        """Put clocks after midnight on the day after that of the time they follow."""
        early = (moments.wall < self.walls[after]).to_numpy(dtype=bool)
        if early.any():
            self.said.append(f"{name}: {int(early.sum()):,} come before {after} and are of the next day.")
        return replace(moments, wall=moments.wall.mask(early, moments.wall + pd.Timedelta(days=1)))

    def place(self) -> dict[str, Any]:
        """Read places or shapes, in degrees."""
        place = self.mapping.place
        if place is None:
            return {}
        if place.x is not None and place.y is not None:
            crs = pyproj.CRS.from_user_input(place.crs or DEGREES)
            x, y = self._numbers(place.x, "lon"), self._numbers(place.y, "lat")
            lon, lat = degrees_of(x, y, crs)
            self.reasons.add(np.isfinite(x) & np.isfinite(y) & np.isnan(lon), UNREADABLE_PLACE)
            # Half a place stays half a place: the reader says so.
            half = np.isfinite(x) != np.isfinite(y)
            return {"lon": np.where(half, x, lon), "lat": np.where(half, y, lat)}
        shapes = self._shapes()
        if self.mapping.rule.shapes != "none":
            return {"geometry": gpd.GeoSeries(shapes, crs=DEGREES)}
        there = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
        points = there & (shapely.get_type_id(shapes) == 0)
        self.reasons.add(there & ~points, "the shape is not a point")
        lon, lat = np.full(self.n, np.nan), np.full(self.n, np.nan)
        lon[points], lat[points] = shapely.get_x(shapes[points]), shapely.get_y(shapes[points])
        return {"lon": lon, "lat": lat}

    def _numbers(self, file_column: str, name: str) -> FloatArray:
        texts = mapped_words(self.source.texts[file_column], {}, None, self.mapping.nothing)
        values, _ = convert(plain_numbers(texts, "point"), "number", self.timezone)
        numbers = values.to_numpy(dtype=np.float64)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        self.reasons.add(texts.notna().to_numpy(dtype=bool) & np.isnan(numbers), f"{name} is not a number")
        return numbers

    def _shapes(self) -> ObjectArray:
        place = self.mapping.place
        if place is None or place.shape is None:
            return np.full(self.n, None, dtype=object)
        if place.shape == SHAPE_COLUMN and self.source.shapes is not None:
            told: ObjectArray = self.source.shapes
            given = ~shapely.is_missing(told)
            own = self.source.crs
        else:
            texts = mapped_words(self.source.texts[place.shape], {}, None, self.mapping.nothing)
            told, given, own = shapes_of(texts), texts.notna().to_numpy(dtype=bool), None
        crs = (
            own if own is not None and place.crs is None else pyproj.CRS.from_user_input(place.crs or DEGREES)
        )
        if not is_flat(crs):
            raise ImportSourceError(
                f"{self.source.name} is in {crs.name!r}, which is no place on the ground; name its EPSG code"
            )
        shapes = shapes_in_degrees(told, crs)
        self.reasons.add(given & shapely.is_missing(shapes), UNREADABLE_PLACE)
        return shapes

    def check_width(self) -> None:
        """Turn away rows that have more cells than the heading: nobody knows which belongs where."""
        heading = len(self.source.columns)
        for width in np.unique(self.source.wide[self.source.wide > 0]).tolist():
            self.reasons.add(
                self.source.wide == width, f"the row has {width} cells and the heading {heading}"
            )

    def records(self) -> pd.DataFrame:
        """Give the mapped columns as they came, under the contract's names; places under the file's."""
        told: dict[str, Any] = {name: self._raw(given) for name, given in self.mapping.columns.items()}
        place = self.mapping.place
        for name in () if place is None else (place.x, place.y, place.shape):
            if name == SHAPE_COLUMN and self.source.shapes is not None:
                told[f"place: {name}"] = pd.Series(self.source.shapes, dtype=object)
            elif name is not None:
                told[f"place: {name}"] = self.source.texts[name]
        return pd.DataFrame(told, index=pd.RangeIndex(self.n))

    def steps(self, n_rejected: int) -> tuple[str, ...]:
        """Say what was done."""
        source, mapping = self.source, self.mapping
        said = [f"{self.n:,} rows came from {source.name} ({source.how}); {n_rejected:,} could not be read."]
        if source.blank or source.remarks:
            said.append(f"{source.blank + source.remarks:,} blank or explaining lines were passed over.")
        fed = [
            f"{name} from {given.column}{f' and {given.clock_column}' if given.clock_column else ''}"
            if given.column
            else f"{name} is {given.constant} for all rows"
            for name, given in mapping.columns.items()
        ]
        if mapping.place is not None:
            names = [mapping.place.x, mapping.place.y, mapping.place.shape]
            crs = mapping.place.crs or (
                DEGREES if source.crs is None or not mapping.place.shape else source.crs.name
            )
            fed.append(f"places from {' and '.join(name for name in names if name)} in {crs}")
        said.append(f"Columns: {'; '.join(fed)}.")
        turned = [name for name, given in mapping.columns.items() if given.words or given.others is not None]
        if turned:
            said.append(f"Words were turned into the contract's in {', '.join(turned)}.")
        return (*said, *self.said)
