"""Suggest a mapping from the names of a file's columns and from their values; a person then looks at it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
from pyproj.aoi import AreaOfInterest

from data.columns import convert
from data.mapping import (
    DEGREES,
    PLACE_COLUMNS,
    UNIT_ENDINGS,
    ColumnFrom,
    Layout,
    PlaceFrom,
    TableMapping,
    has_place,
)
from data.mapping_cells import SHAPE_COLUMN, SourceTable
from data.mapping_values import UNITS, degrees_of, plain_numbers, read_moments, shapes_of
from data.mapping_words import (
    ALLOWED_WORDS,
    COLUMN_NAMES,
    FLAG_WORDS,
    SHAPE_NAMES,
    UNIT_WORDS,
    X_NAMES,
    Y_NAMES,
)
from data.profile import CityProfile
from data.schema_rules import ColumnRule
from data.schemas import TABLES
from errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

_SAMPLE = 500
_LEAST_NAME = 0.72
_LEAST_FIT = 0.5
_SURE = 0.95
_STYLES_TRIED = ("iso", "us", "day first", "month name", "compact", "unix", "unix ms", "excel")
_GRIDS_NAMED = 6
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?: ?[AaPp][.]?[Mm][.]?)?"


@dataclass(frozen=True)
class Suggestion:
    """A mapping to begin with, and what a person should look at.

    Attributes
    ----------
    mapping
        What was found; its ``lacks`` are the needed columns that were not.
    notes
        What is uncertain, a plain sentence each.
    """

    mapping: TableMapping
    notes: tuple[str, ...]


def suggest_mapping(
    source: SourceTable, table: str, profile: CityProfile, *, layout: Layout | None = None
) -> Suggestion:
    """Suggest which columns of a file feed which of a table.

    Parameters
    ----------
    source
        The file or its first rows, all columns.
    table
        The table it is to become.
    profile
        The city, whose bounding box tells in which system coordinates are.
    layout
        How the file was read; kept in the mapping.

    Raises
    ------
    InvalidInputError
        There is no such table.
    """
    rule = TABLES.get(table)
    if rule is None:
        raise InvalidInputError(f"There is no table {table!r}; the tables are {', '.join(TABLES)}")
    sample = _sample(source)
    notes: list[str] = []
    place = _place(source, table, profile, notes) if has_place(rule) else None
    taken = {place.x, place.y, place.shape} if place is not None else set()
    free = [name for name in sample.columns if name not in taken]
    day = next((name for name in free if _is_day(name, sample[name])), None)
    offers = sorted(
        (
            (score, -order, name, column)
            for order, (name, column_rule) in enumerate(rule.columns.items())
            if name not in PLACE_COLUMNS
            for column in free
            if (score := _score(name, column_rule, column, sample[column], clocks=day is not None)) > 0
        ),
        reverse=True,
    )
    chosen: dict[str, str] = {}
    for _, _, name, column in offers:
        if name not in chosen and column not in chosen.values():
            chosen[name] = column
    columns = {
        name: _column_from(name, rule.columns[name], chosen[name], sample, day=day, notes=notes)
        for name in rule.columns
        if name in chosen
    }
    clocks = [name for name in rule.time_order if name in columns and columns[name].clock_column]
    for name, after in pairwise(clocks):
        columns[after] = columns[after].model_copy(update={"after": name})
    mapping = TableMapping(table=table, file=layout or Layout(), columns=columns, place=place)
    return Suggestion(mapping, tuple(notes))


def _sample(source: SourceTable) -> "pd.DataFrame":
    """Take rows from all over the file: its first days can be read in two ways."""
    rows = np.unique(np.linspace(0, max(len(source) - 1, 0), min(len(source), _SAMPLE), dtype=int))
    return source.texts.iloc[rows]


def _words(name: str) -> str:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return " ".join(re.sub(r"[^a-z0-9]+", " ", apart.lower()).split())


def _name_score(name: str, column: str) -> float:
    said = _words(column)
    own = _words(name)
    if said == own or said.replace(" ", "") == own.replace(" ", ""):
        return 1.0
    best = 0.0
    for known in (own, *COLUMN_NAMES.get(name, ())):
        if said == known or said.replace(" ", "") == known.replace(" ", ""):
            return 0.97
        best = max(best, 0.95 * SequenceMatcher(None, said, known).ratio())
    return best


def _is_day(column: str, values: "pd.Series[Any]") -> bool:
    """Say whether a column holds days whose clock may stand in another."""
    given = values.dropna().reset_index(drop=True)
    if given.empty or not {"date", "day"} & set(_words(column).split()):
        return False
    return bool(max(read_moments(given, style, "00:00").assumed.mean() for style in _STYLES_TRIED) >= _SURE)


def _clock_fit(values: "pd.Series[Any]") -> float:
    return float(values.str.fullmatch(_CLOCK, na=False).mean())


def _score(name: str, rule: ColumnRule, column: str, values: "pd.Series[Any]", *, clocks: bool) -> float:
    named = _name_score(name, column)
    if named < _LEAST_NAME:
        return 0.0
    given = values.dropna()
    if given.empty:
        return 0.5 * named
    fit = _fit(rule, given.reset_index(drop=True), clocks=clocks)
    return named + 0.3 * fit if fit >= _LEAST_FIT else 0.0


def _fit(rule: ColumnRule, values: "pd.Series[Any]", *, clocks: bool) -> float:
    """Share of the values that the column's kind can take."""
    if rule.kind in {"time", "date"}:
        alone = _clock_fit(values) if clocks and rule.kind == "time" else 0.0
        return max(alone, *(_style_fit(values, style) for style in _STYLES_TRIED))
    if rule.allowed:
        return float(np.mean([_allowed_word(value, rule.allowed) is not None for value in values]) / 2 + 0.5)
    if rule.unique:
        return float(1 - values.duplicated().mean())
    if rule.kind in {"flag", "maybe_flag"}:
        values = values.map(lambda value: FLAG_WORDS.get(value.casefold(), value))
    if rule.kind in {"number", "integer", "maybe_integer"}:
        values = plain_numbers(values, "point")
    return float(1 - convert(values, rule.kind, "UTC")[1].mean())


def _style_fit(values: "pd.Series[Any]", style: str) -> float:
    return float(1 - read_moments(values, style, "00:00").unread.mean())


def _style(values: "pd.Series[Any]", column: str, notes: list[str]) -> str:
    fits = {style: _style_fit(values, style) for style in _STYLES_TRIED}
    best = max(fits, key=lambda style: fits[style])
    if best == "us" and fits["day first"] == fits["us"]:
        notes.append(f"{column}: {values.iloc[0]} is read as month/day/year; it could be day/month/year.")
    return best


def _column_from(
    name: str, rule: ColumnRule, column: str, sample: "pd.DataFrame", *, day: str | None, notes: list[str]
) -> ColumnFrom:
    given = sample[column].dropna().reset_index(drop=True)
    if rule.kind == "time" and day is not None and not given.empty and _clock_fit(given) >= _LEAST_FIT:
        notes.append(f"{column} holds clocks; their day is taken from {day}.")
        style = _style(sample[day].dropna().reset_index(drop=True), day, notes)
        return ColumnFrom(column=day, clock_column=column, style=style)
    if rule.kind in {"time", "date"} and not given.empty:
        style = _style(given, column, notes)
        clockless = read_moments(given, style).unread.mean() > 1 - _SURE
        if rule.kind == "time" and clockless:
            notes.append(
                f"{column}: days come without a clock; name the column of the clock, or the clock to assume."
            )
        return ColumnFrom(column=column, style=style)
    words: dict[str, str] = {}
    if rule.kind in {"flag", "maybe_flag"}:
        words = {
            value: FLAG_WORDS[value.casefold()] for value in given.unique() if value.casefold() in FLAG_WORDS
        }
    elif rule.allowed:
        known = {value: _allowed_word(value, rule.allowed) for value in given.unique()}
        words = {value: word for value, word in known.items() if word is not None and word != value}
        if open_yet := [value for value, word in known.items() if word is None]:
            notes.append(
                f"{name}: say which of {', '.join(rule.allowed)} is meant by {', '.join(open_yet[:8])}."
            )
    return ColumnFrom(column=column, words=dict(sorted(words.items())), unit=_unit(name, column, notes))


def _unit(name: str, column: str, notes: list[str]) -> str | None:
    ending = next((unit for unit, end in UNIT_ENDINGS.items() if name.endswith(end)), None)
    if ending is None or _words(name) == _words(column):
        return None
    said = {UNIT_WORDS.get(word, word) for word in _words(column).split()}
    found = next(
        (unit for unit in UNITS if unit.split(" to ")[0] in said and unit.endswith(f" to {ending}")), None
    )
    if found is None and ending not in said:
        notes.append(f"{column} does not say its unit; {name} is in {ending}.")
    return found


def _allowed_word(value: str, allowed: Sequence[str]) -> str | None:
    said = _words(value)
    for word in allowed:
        if said in {_words(word), *ALLOWED_WORDS.get(word, ())}:
            return word
    return None


def _place(source: SourceTable, table: str, profile: CityProfile, notes: list[str]) -> PlaceFrom | None:
    if source.shapes is not None:
        return PlaceFrom(shape=SHAPE_COLUMN)
    sample = _sample(source)
    named = {_words(name): name for name in reversed(sample.columns)}
    shape = next(
        (named[name] for name in SHAPE_NAMES if name in named and _holds_shapes(sample[named[name]])), None
    )
    x = next((named[name] for name in X_NAMES if name in named), None)
    y = next((named[name] for name in Y_NAMES if name in named), None)
    if TABLES[table].shapes != "none" or x is None or y is None:
        return None if shape is None else PlaceFrom(shape=shape)
    grids = suggest_crs(sample[x], sample[y], profile)
    if not grids:
        notes.append(f"{x} and {y}: no known coordinate system puts these places in {profile.name}.")
        return PlaceFrom(shape=shape) if shape is not None else PlaceFrom(x=x, y=y)
    if len(grids) > 1:
        notes.append(
            f"{x} and {y} are read in {grids[0]}; these systems put the places in {profile.name} too: "
            f"{', '.join(grids[1:])}."
        )
    return PlaceFrom(x=x, y=y, crs=None if grids[0] == DEGREES else grids[0])


def _holds_shapes(values: "pd.Series[Any]") -> bool:
    given = values.dropna().head(50)
    return given.empty or bool(np.mean([shape is not None for shape in shapes_of(given)]) >= _LEAST_FIT)


def suggest_crs(x: "pd.Series[Any]", y: "pd.Series[Any]", profile: CityProfile) -> tuple[str, ...]:
    """Find in which systems the coordinates lie in the city, by trying those in use there.

    Parameters
    ----------
    x, y
        Texts of easting and northing, or longitude and latitude.
    profile
        The city, with its bounding box and metric grid.

    Returns
    -------
    codes
        Such as ("EPSG:3452",), the likeliest first; empty when none fits. Versions of a system that differ by
        a metre or two (NAD83, HARN, 2011) cannot be told apart: the first is as good as the others.
    """
    east, north = (
        convert(plain_numbers(values.reset_index(drop=True), "point"), "number", "UTC")[0].to_numpy(
            dtype=float
        )
        for values in (x, y)
    )
    known = np.isfinite(east) & np.isfinite(north) & ((east != 0) | (north != 0))
    east, north = east[known][:50], north[known][:50]
    if not len(east):
        return ()
    return tuple(
        islice((code for code in _grids(profile) if _lies_in(profile, east, north, code)), _GRIDS_NAMED)
    )


def _lies_in(profile: CityProfile, x: Any, y: Any, code: str) -> bool:  # noqa: ANN401
    try:
        lon, lat = degrees_of(x, y, pyproj.CRS.from_user_input(code))
    except pyproj.exceptions.ProjError:  # a grid that cannot be brought to degrees is not this one
        return False
    west, south, east, north = profile.bbox
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return bool(inside.mean() > 0.8)


def _grids(profile: CityProfile) -> list[str]:
    """Degrees, the city's own grid, the web's, then the state planes and other grids in use there."""
    area = AreaOfInterest(*profile.bbox)
    kinds = [pyproj.enums.PJType.PROJECTED_CRS]
    found = pyproj.database.query_crs_info("EPSG", kinds, area_of_interest=area, contains=True)
    ranked = sorted(found, key=lambda info: (not info.name.startswith("NAD83 /"), len(info.name), info.code))
    codes = [DEGREES, f"EPSG:{profile.utm_epsg}", "EPSG:3857", *(f"EPSG:{info.code}" for info in ranked)]
    return list(dict.fromkeys(codes))
