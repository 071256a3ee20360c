"""Read the values of a city's own files: times in a stated style, numbers in a stated unit, words, places."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Marks = tuple[BoolArray, str]
"""Rows, and what is wrong with them."""

STYLES: Mapping[str, str] = MappingProxyType(
    {
        "iso": "2026-01-31 14:05:00",
        "us": "1/31/2026 2:05 PM",
        "day first": "31/01/2026 14:05",
        "month name": "31-Jan-2026 14:05",
        "compact": "20260131140500",
        "excel": "46053.586806",
        "unix": "1769868300",
        "unix ms": "1769868300000",
    }
)
"""Styles of times, each with an example; the clock may have seconds, decimals of them, and AM or PM."""

UNITS: Mapping[str, float] = MappingProxyType(
    {
        "lb to kg": 0.45359237,
        "ton to kg": 907.18474,
        "in to mm": 25.4,
        "cm to mm": 10.0,
        "ft to m": 0.3048,
        "mi to m": 1609.344,
        "km to m": 1000.0,
        "mph to kph": 1.609344,
        "s to min": 1 / 60,
        "h to min": 60.0,
        "cfs to m3/s": 0.3048**3,
        "percent to share": 0.01,
    }
)
"""Factors; those of feet, inches, miles and pounds are exact by the international agreement of 1959. A ton is
the short one of 2,000 pounds."""

TWICE = "lies in the hour that comes twice when clocks go back, and the file does not say which is meant"
SKIPPED = "lies in the hour that was skipped when clocks went forward"
UNREADABLE_PLACE = "the place cannot be read"

_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_SAMPLE = 100
_SLASHED = "[0-9]{1,2}[/.-][0-9]{1,2}[/.-]"
_DAYS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "iso": (("[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}", "%Y-%m-%d"),),
        "us": ((f"{_SLASHED}[0-9]{{4}}", "%m-%d-%Y"), (f"{_SLASHED}[0-9]{{2}}", "%m-%d-%y")),
        "day first": ((f"{_SLASHED}[0-9]{{4}}", "%d-%m-%Y"), (f"{_SLASHED}[0-9]{{2}}", "%d-%m-%y")),
        "month name": (
            ("[0-9]{1,2}[- ][A-Z]{3}[- ][0-9]{4}", "%d-%b-%Y"),
            ("[0-9]{1,2}[- ][A-Z]{3}[- ][0-9]{2}", "%d-%b-%y"),
        ),
        "compact": (("[0-9]{8}", "%Y%m%d"),),
    }
)
_CLOCKS = (
    ("[0-9]{1,2}:[0-9]{2}", "%H:%M"),
    ("[0-9]{1,2}:[0-9]{2}:[0-9]{2}", "%H:%M:%S"),
    ("[0-9]{1,2}:[0-9]{2}:[0-9]{2}[.][0-9]{1,6}", "%H:%M:%S.%f"),
    ("[0-9]{1,2}:[0-9]{2} [AP]M", "%I:%M %p"),
    ("[0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M", "%I:%M:%S %p"),
    ("[0-9]{1,2}:[0-9]{2}:[0-9]{2}[.][0-9]{1,6} [AP]M", "%I:%M:%S.%f %p"),
    ("[0-9]{4}", "%H%M"),
    ("[0-9]{6}", "%H%M%S"),
)
_ZONE = re.compile(r"(?<=[0-9]) ?(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])$")
_MS_A_DAY = 86_400_000
_FIRST_SERIAL = 61  # 1 March 1900: spreadsheets number the days before it wrongly
_NUMBER = r"[-+]?[0-9]+(?:[.][0-9]*)?(?:[eE][-+]?[0-9]{1,3})?"
_LAT_LON = re.compile(rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*$")


def mapped_words(
    texts: "pd.Series[Any]", values: Mapping[str, str], others: str | None, nothing: Sequence[str]
) -> "pd.Series[Any]":
    """Turn the file's words into the contract's; words that mean nothing become null.

    Parameters
    ----------
    texts
        Trimmed texts, null where nothing is given.
    values, others, nothing
        As ``words`` and so on in `data.mapping.ColumnFrom` and `data.mapping.TableMapping`.
    """
    words = {said.strip().casefold(): word for said, word in values.items()}
    empty = {word.strip().casefold() for word in nothing} - words.keys()
    if not words and others is None:
        return texts.mask(texts.str.lower().isin(empty)) if empty else texts

    def word_of(said: str) -> str | None:
        key = said.casefold()
        if key in empty:
            return None
        return words.get(key, said if others is None else others) or None

    told = {said: word_of(said) for said in texts.dropna().unique()}
    return texts.map(told, na_action="ignore").astype(texts.dtype)


def plain_numbers(texts: "pd.Series[Any]", decimal: str) -> "pd.Series[Any]":
    """Take the signs that group thousands out of numbers; the decimals then follow a point."""
    group, point = (",", ".") if decimal == "point" else (".", ",")
    grouped = rf"[-+]?[0-9]{{1,3}}(?:[{group} \u00a0\u202f][0-9]{{3}})+(?:[{point}][0-9]+)?"
    dense = texts.str.replace(rf"[{group} \u00a0\u202f]", "", regex=True)
    numbers = texts.mask(texts.str.fullmatch(grouped, na=False), dense)
    if decimal == "comma":
        written = numbers.str.fullmatch(r"[-+]?[0-9]+(?:,[0-9]+)?", na=False)
        numbers = numbers.mask(written, numbers.str.replace(",", ".", regex=False))
    return numbers


@dataclass(frozen=True)
class Moments:
    """Times as they were read.

    Attributes
    ----------
    wall
        Wall-clock times without a zone, null where there is none.
    zoned
        Instants (UTC) of those that name their zone, null elsewhere.
    assumed
        Marks of days whose clock was assumed.
    """

    wall: "pd.Series[Any]"
    zoned: "pd.Series[Any]"
    assumed: BoolArray

    @property
    def unread(self) -> BoolArray:
        """Marks of rows without a time."""
        unread: BoolArray = (self.wall.isna() & self.zoned.isna()).to_numpy(dtype=bool)
        return unread


def read_moments(texts: "pd.Series[Any]", style: str, clock: str | None = None) -> Moments:
    """Read times in one style.

    Parameters
    ----------
    texts
        Trimmed texts, null where nothing is given.
    style
        A key of ``STYLES``. Only "iso" and the unix styles can name a zone.
    clock
        The clock of days that come without one, such as "12:00".
    """
    said = pd.Index(texts.dropna().unique())
    tidy = pd.Series(said, dtype="str").str.upper().str.replace(r"\s+", " ", regex=True)
    tidy = tidy.str.replace(r" ?([AP])[.]?M[.]?$", r" \1M", regex=True)
    if style == "excel":
        wall, zoned, assumed = _numbered(tidy, "1899-12-30", _MS_A_DAY), _never(tidy), _no(tidy)
        wall = wall.mask(wall < pd.Timestamp("1899-12-30") + pd.Timedelta(days=_FIRST_SERIAL))
    elif style in {"unix", "unix ms"}:
        instants = _numbered(tidy, "1970-01-01", 1000 if style == "unix" else 1)
        wall, zoned, assumed = _never(tidy), instants, _no(tidy)
    else:
        wall, zoned, assumed = _written(tidy, style, clock)
    wall = wall.where(wall.dt.year.between(_FIRST_YEAR, _LAST_YEAR))
    zoned = zoned.where(zoned.dt.year.between(_FIRST_YEAR, _LAST_YEAR)).dt.tz_localize("UTC")
    place = said.get_indexer(pd.Index(texts))
    found = place >= 0
    return Moments(
        wall.reindex(place).reset_index(drop=True),
        zoned.reindex(place).reset_index(drop=True),
        found & assumed[np.where(found, place, 0)] if len(said) else np.zeros(len(texts), dtype=bool),
    )


def zoned_times(moments: Moments, zone: str, twice: str) -> tuple["pd.Series[Any]", BoolArray, BoolArray]:
    """Put wall-clock times into their zone.

    Parameters
    ----------
    moments
        From `read_moments`.
    zone
        Time zone of the wall clock.
    twice
        "first" or "second" in the hour that comes twice; "quarantine" for neither.

    Returns
    -------
    times, ambiguous, skipped
        Instants in ``zone``, null where there is none; and marks of those in the hour that comes twice
        (none when ``twice`` decides) and in the hour that does not exist.
    """
    n = len(moments.wall)
    first = moments.wall.dt.tz_localize(zone, ambiguous=np.ones(n, dtype=bool), nonexistent="NaT")
    second = moments.wall.dt.tz_localize(zone, ambiguous=np.zeros(n, dtype=bool), nonexistent="NaT")
    skipped = (moments.wall.notna() & first.isna()).to_numpy(dtype=bool)
    ambiguous = (first != second).to_numpy(dtype=bool) & first.notna().to_numpy(dtype=bool)
    times = second if twice == "second" else first
    if twice == "quarantine":
        times = times.mask(ambiguous)
    else:
        ambiguous = np.zeros(n, dtype=bool)
    return times.fillna(moments.zoned.dt.tz_convert(zone)), ambiguous, skipped


def degrees_of(x: FloatArray, y: FloatArray, crs: pyproj.CRS) -> tuple[FloatArray, FloatArray]:
    """Bring coordinates to longitude and latitude; 0, 0 stays the mark of no place, what cannot be is NaN."""
    known = np.isfinite(x) & np.isfinite(y)
    nothing = known & (x == 0) & (y == 0)
    lon, lat = np.full(len(x), np.nan), np.full(len(y), np.nan)
    turned = known & ~nothing
    if _is_degrees(crs):
        lon[turned], lat[turned] = x[turned], y[turned]
    elif turned.any():
        lon[turned], lat[turned] = pyproj.Transformer.from_crs(crs, 4326, always_xy=True).transform(
            x[turned], y[turned]
        )
    lost = ~np.isfinite(lon) | ~np.isfinite(lat)
    lon[lost] = lat[lost] = np.nan
    lon[nothing] = lat[nothing] = 0.0
    return lon, lat


def shapes_of(texts: "pd.Series[Any]") -> npt.NDArray[np.object_]:
    """Read shapes written as WKT, or places that end in ``(lat, lon)``; None where there is none."""
    said = texts.astype(object).where(texts.notna(), None).to_numpy()
    shapes = shapely.from_wkt(said, on_invalid="ignore")
    for row in np.flatnonzero(shapely.is_missing(shapes) & texts.notna().to_numpy(dtype=bool)):
        if found := _LAT_LON.search(said[row]):
            shapes[row] = shapely.Point(float(found[2]), float(found[1]))
    return np.asarray(shapes, dtype=object)


def shapes_in_degrees(shapes: npt.NDArray[np.object_], crs: pyproj.CRS) -> npt.NDArray[np.object_]:
    """Bring shapes to degrees, without heights; a collection of one line or point becomes that one."""
    flat = shapely.force_2d(shapes)
    if not _is_degrees(crs):
        turn = pyproj.Transformer.from_crs(crs, 4326, always_xy=True).transform
        flat = shapely.transform(flat, lambda places: np.column_stack(turn(*places.T)))
    flat[~np.isfinite(shapely.bounds(flat)).all(axis=1) & ~shapely.is_empty(flat)] = None
    lone = np.isin(shapely.get_type_id(flat), (4, 5)) & (shapely.get_num_geometries(flat) == 1)
    flat[lone] = shapely.get_geometry(flat[lone], 0)
    return np.asarray(flat, dtype=object)


def _is_degrees(crs: pyproj.CRS) -> bool:
    return crs.equals(pyproj.CRS.from_epsg(4326), ignore_axis_order=True)


def _no(texts: "pd.Series[Any]") -> BoolArray:
    return np.zeros(len(texts), dtype=bool)


def _never(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    return pd.Series(np.full(len(texts), np.datetime64("NaT", "us")))


def _numbered(texts: "pd.Series[Any]", since: str, step_ms: int) -> "pd.Series[Any]":
    steps = pd.to_numeric(texts.where(texts.str.fullmatch(_NUMBER, na=False)), errors="coerce")
    ms = steps.to_numpy(dtype=np.float64, na_value=np.nan) * step_ms
    ms[~(np.abs(ms) < 1e14)] = np.nan
    passed = np.where(np.isnan(ms), np.iinfo(np.int64).min, np.round(np.nan_to_num(ms))).astype(np.int64)
    moments = np.datetime64(since, "us") + passed.view("timedelta64[ms]").astype("timedelta64[us]")
    return pd.Series(moments)


def _written(
    texts: "pd.Series[Any]", style: str, clock: str | None
) -> tuple["pd.Series[Any]", "pd.Series[Any]", BoolArray]:
    """Give wall-clock times, instants (as UTC without a zone), and marks of assumed clocks."""
    offset = pd.Series([""] * len(texts), dtype="str")
    if style == "iso":
        offset = texts.str.extract(f"({_ZONE.pattern})", expand=False).fillna("").str.strip()
        # A day such as 2026-01-31 ends like a zone: only what follows a clock is one.
        offset = offset.where(texts.str.contains(":", regex=False), "")
        texts = texts.str.replace(_ZONE, "", regex=True).where(offset != "", texts)
        texts = texts.str.replace("T", " ", regex=False).str.replace(
            r"([.][0-9]{6})[0-9]+$", r"\1", regex=True
        )
    if style in {"us", "day first"}:
        texts = texts.str.replace(r"^([0-9]{1,2})[/.]([0-9]{1,2})[/.]", r"\1-\2-", regex=True)
    if style == "month name":
        texts = texts.str.replace(r"^([0-9]{1,2}) ([A-Z]{3}) ", r"\1-\2-", regex=True)
    wall, assumed = _never(texts), _no(texts)
    unread = np.ones(len(texts), dtype=bool)
    for pattern, form, lone in sorted(_forms(style), key=lambda form: -_fitting(texts[:_SAMPLE], form[0])):
        if lone and clock is None:
            continue
        fits = np.flatnonzero(unread)
        fits = fits[texts.iloc[fits].str.fullmatch(pattern, na=False).to_numpy(dtype=bool)]
        if len(fits):
            told = texts.iloc[fits]
            dense = told.str.replace(" ", "", n=1, regex=False) if style == "compact" else told
            read = pd.to_datetime(dense, errors="coerce", format=form).astype("datetime64[us]")
            wall.iloc[fits] = read + pd.Timedelta(f"{clock}:00") if lone else read
            assumed[fits] = lone
            unread[fits] = False
        if not unread.any():
            break
    named = (offset != "").to_numpy(dtype=bool)
    if not named.any():
        return wall, _never(texts), assumed
    ahead = pd.to_timedelta(_offset_minutes(offset), unit="min")
    return wall.mask(named), (wall - ahead).astype("datetime64[us]").where(named), assumed


def _forms(style: str) -> list[tuple[str, str, bool]]:
    """List the patterns of a style, what they mean, and whether they are of a day alone."""
    gap, between = (" ?", "") if style == "compact" else (" ", " ")
    forms = [
        (f"{day}{gap}{ticks}", f"{day_form}{between}{clock_form}", False)
        for day, day_form in _DAYS[style]
        for ticks, clock_form in _CLOCKS
    ]
    return forms + [(day, day_form, True) for day, day_form in _DAYS[style]]


def _fitting(texts: "pd.Series[Any]", pattern: str) -> int:
    return int(texts.str.fullmatch(pattern, na=False).sum())


def _offset_minutes(offset: "pd.Series[Any]") -> "pd.Series[Any]":
    parts = offset.str.extract(r"([+-])([0-9]{2}):?([0-9]{2})")
    minutes = pd.to_numeric(parts[1]).fillna(0) * 60 + pd.to_numeric(parts[2]).fillna(0)
    return minutes.where(parts[0] != "-", -minutes)
