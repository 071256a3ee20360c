"""Read the values of portals and exports: texts, times in every style they have had, places in every form.

- Times are wall-clock times of the city unless they name a zone. Styles: ``2011-01-01T00:00:02`` (SODA),
  ``1/9/2022 22:10`` and ``01/09/2011 10:10:05 PM`` (text, CSV), ``20170320152505.000`` (code enforcement).
  A day without a clock is no time.
- The hour that comes twice in autumn can be read as the first or the second. The hour that is skipped in
  spring does not exist.
- Places: WKT ``POINT (lon lat)``, GeoJSON, ``{"latitude": ..., "longitude": ...}``, text that ends with
  ``(lat, lon)``, two columns of degrees, or two of US survey feet in Louisiana South (EPSG:3452). 0, 0 is no
  place; neither is ``MapX=37369000, MapY=3513814``, which is 0, 0 brought into those feet.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.schemas import pandas_dtype
from geo.crs import to_degrees

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LOUISIANA_SOUTH_FEET = 3452
_NEAR_ZERO_DEG = 1e-4
_MOST_FEET = 1.3e8
_FIRST_YEAR, _LAST_YEAR = 1900, 2100

_DAY_ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK_ISO = "[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,9})?)?"
_ZONE = "(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_DAY_US = "[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}"
_TEXT = pandas_dtype("text", "UTC")
_UTC = pandas_dtype("time", "UTC")
_COMPACT = "[0-9]{14}(?:[.]0*)?"
_NOON = " ?[AaPp][Mm]"
_STYLES = (
    (_DAY_ISO + _CLOCK_ISO, "ISO8601"),
    (f"{_DAY_US} [0-9]{{1,2}}:[0-9]{{2}}", "%m/%d/%Y %H:%M"),
    (f"{_DAY_US} [0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}}", "%m/%d/%Y %H:%M:%S"),
    (f"{_DAY_US} [0-9]{{1,2}}:[0-9]{{2}}{_NOON}", "%m/%d/%Y %I:%M%p"),
    (f"{_DAY_US} [0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}}{_NOON}", "%m/%d/%Y %I:%M:%S%p"),
    (_COMPACT, "%Y%m%d%H%M%S"),
)
_DAYS = ((_DAY_US, "%m/%d/%Y"), (_DAY_ISO, "%Y-%m-%d"), ("[0-9]{8}", "%Y%m%d"))
_NUMBER = r"[-+]?[0-9]+(?:[.][0-9]*)?(?:[eE][-+]?[0-9]{1,3})?"
_WKT = re.compile(rf"\s*POINT\s*\(\s*({_NUMBER})\s+({_NUMBER})\s*\)\s*", re.IGNORECASE)
_IN_TEXT = re.compile(rf"\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*$")
_FLAGS = MappingProxyType(
    {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}
)


def plain_texts(values: Sequence[Any]) -> tuple["pd.Series[Any]", BoolArray]:
    """Give values as trimmed text, null where they are empty, and mark those that are no text or number."""
    if pd.api.types.infer_dtype(values, skipna=True) in {"string", "empty"}:
        try:
            trimmed = pd.Series(values, dtype=_TEXT).str.strip()
        except UnicodeEncodeError:  # half a character somewhere: one by one
            pass
        else:
            return trimmed.mask(trimmed == ""), np.zeros(len(values), dtype=bool)
    texts = [_plain_text(value) for value in values]
    misfit = np.array([text is _MISFIT for text in texts], dtype=bool)
    given = pd.Series([None if text is _MISFIT else text for text in texts], dtype=_TEXT)
    return given, misfit


def read_flags(texts: "pd.Series[Any]") -> tuple["pd.Series[Any]", BoolArray]:
    """Read yes and no, and mark what is neither."""
    flags = texts.str.lower().map(_FLAGS).astype(pandas_dtype("maybe_flag", "UTC"))
    return flags, (texts.notna() & flags.isna()).to_numpy(dtype=bool)


@dataclass(frozen=True)
class Times:
    """Times of one column.

    Attributes
    ----------
    first, second
        Instants in the city's zone, null where there is none: they differ only in the hour that comes twice.
    unreadable, skipped
        Marks of texts that are no time, and of those in the hour that does not exist.
    """

    first: "pd.Series[Any]"
    second: "pd.Series[Any]"
    unreadable: BoolArray
    skipped: BoolArray

    @property
    def twice(self) -> BoolArray:
        """Marks of times in the hour that comes twice."""
        twice: BoolArray = (self.first != self.second).to_numpy(dtype=bool) & self.first.notna().to_numpy()
        return twice


def read_times(texts: "pd.Series[Any]", timezone: str) -> Times:
    """Read times in any of the styles above.

    Parameters
    ----------
    texts
        Trimmed texts, null where nothing is given.
    timezone
        The city's, for times that name none.
    """
    dtype = pandas_dtype("time", timezone)
    names_zone = texts.str.fullmatch(_DAY_ISO + _CLOCK_ISO + _ZONE, na=False)
    clock = _by_style(texts.mask(names_zone), _STYLES)
    first = clock.dt.tz_localize(timezone, ambiguous=np.ones(len(texts), dtype=bool), nonexistent="NaT")
    second = clock.dt.tz_localize(timezone, ambiguous=np.zeros(len(texts), dtype=bool), nonexistent="NaT")
    skipped = (clock.notna() & first.isna()).to_numpy(dtype=bool)
    first, second = first.astype(dtype), second.astype(dtype)
    if names_zone.any():
        told = pd.to_datetime(texts[names_zone], errors="coerce", utc=True, format="ISO8601")
        first[names_zone] = second[names_zone] = told.astype(_UTC).dt.tz_convert(timezone)
    odd = ~first.dt.year.between(_FIRST_YEAR, _LAST_YEAR)
    first, second = first.mask(odd), second.mask(odd)
    unreadable = (texts.notna() & first.isna()).to_numpy(dtype=bool) & ~skipped
    return Times(first, second, unreadable, skipped)


def read_days(texts: "pd.Series[Any]", timezone: str) -> tuple["pd.Series[Any]", BoolArray]:
    """Read days, with or without a clock, as days without one; and mark what is no day."""
    times = read_times(texts, timezone)
    days = times.first.dt.tz_localize(None).dt.normalize()
    days = days.fillna(_by_style(texts, _DAYS))
    days = days.mask(~days.dt.year.between(_FIRST_YEAR, _LAST_YEAR)).astype(pandas_dtype("date", timezone))
    return days, (texts.notna() & days.isna()).to_numpy(dtype=bool)


@dataclass(frozen=True)
class Places:
    """Places of the rows of one table, in degrees, NaN where there is none.

    ``zero`` marks rows that say 0, 0; ``given`` those that say anything at all.
    """

    lon: FloatArray
    lat: FloatArray
    zero: BoolArray
    given: BoolArray

    @property
    def placed(self) -> BoolArray:
        """Marks of rows with a place."""
        placed: BoolArray = np.isfinite(self.lon) & np.isfinite(self.lat)
        return placed

    def or_else(self, other: "Places") -> "Places":
        """Take the other's place where this has none."""
        return Places(
            np.where(self.placed, self.lon, other.lon),
            np.where(self.placed, self.lat, other.lat),
            self.zero | other.zero,
            self.given | other.given,
        )


def no_places(n_rows: int) -> Places:
    """Give rows without a place."""
    nowhere = np.full(n_rows, np.nan)
    no = np.zeros(n_rows, dtype=bool)
    return Places(nowhere, nowhere, no, no)


def read_points(values: Sequence[object]) -> Places:
    """Read a column of points in any of the forms above."""
    points = [_point(value) for value in values]
    lon = np.array([point[0] for point in points], dtype=np.float64)
    lat = np.array([point[1] for point in points], dtype=np.float64)
    given = np.array([not is_nothing(value) for value in values], dtype=bool)
    return _places(lon, lat, given)


def read_degrees(lon: "pd.Series[Any]", lat: "pd.Series[Any]") -> Places:
    """Read two columns of degrees."""
    given = (lon.notna() | lat.notna()).to_numpy(dtype=bool)
    return _places(_numbers(lon), _numbers(lat), given)


def read_feet(x: "pd.Series[Any]", y: "pd.Series[Any]") -> Places:
    """Read two columns of US survey feet in Louisiana South (EPSG:3452)."""
    given = (x.notna() | y.notna()).to_numpy(dtype=bool)
    east, north = _numbers(x), _numbers(y)
    # Farther than around the globe is no place, whatever the formula of the projection makes of it.
    known = (np.abs(east) < _MOST_FEET) & (np.abs(north) < _MOST_FEET)
    nothing = known & (east == 0) & (north == 0)
    lon, lat = np.full(len(east), np.nan), np.full(len(east), np.nan)
    turned = known & ~nothing
    lon[turned], lat[turned] = to_degrees(east[turned], north[turned], LOUISIANA_SOUTH_FEET)
    lon[nothing] = lat[nothing] = 0.0
    return _places(lon, lat, given)


def _places(lon: FloatArray, lat: FloatArray, given: BoolArray) -> Places:
    zero = (np.abs(lon) < _NEAR_ZERO_DEG) & (np.abs(lat) < _NEAR_ZERO_DEG)
    usable = np.isfinite(lon) & np.isfinite(lat) & ~zero
    return Places(np.where(usable, lon, np.nan), np.where(usable, lat, np.nan), zero, given)


def _by_style(texts: "pd.Series[Any]", styles: Sequence[tuple[str, str]]) -> "pd.Series[Any]":
    """Read each text by the first style whose pattern it fits."""
    clock = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    left = texts.notna()
    for pattern, style in styles:
        if not left.any():
            break
        fits = left & texts.str.fullmatch(pattern, na=False)
        if fits.any():
            plain = texts[fits].str.upper()
            if style.endswith("%p"):
                plain = plain.str.replace(" ?([AP]M)$", r"\1", regex=True)
            elif pattern == _COMPACT:
                plain = plain.str[:14]
            clock[fits] = pd.to_datetime(plain, errors="coerce", format=style).astype("datetime64[us]")
            left &= ~fits
    return clock


def _numbers(texts: "pd.Series[Any]") -> FloatArray:
    numbers: FloatArray = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


_MISFIT = object()


def _plain_text(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return sound_text(value).strip() or None
    if is_nothing(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        figure = float(value)
        return str(int(figure)) if figure.is_integer() and abs(figure) < 1e15 else repr(figure)
    return _MISFIT


def sound_text(text: str) -> str:
    """Replace half characters (lone surrogates), which JSON can carry and no file can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def is_nothing(value: object) -> bool:
    """Say whether a value is null or an empty text."""
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, (float, np.floating)) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _point(value: object) -> tuple[float, float]:
    if isinstance(value, str):
        if found := _WKT.fullmatch(value):
            return float(found[1]), float(found[2])
        if found := _IN_TEXT.search(value):
            return float(found[2]), float(found[1])
    elif isinstance(value, dict):
        place = value.get("coordinates")
        if value.get("type") == "Point" and isinstance(place, list) and len(place) >= 2:
            return _number(place[0]), _number(place[1])
        return _number(value.get("longitude")), _number(value.get("latitude"))
    return math.nan, math.nan


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan
