"""Bring a column to its type, value by value, and say which values do not fit."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.schema_rules import Kind
from data.schemas import pandas_dtype, reading_dtype

_ZONED = r"(?:Z|[+-]\d{2}:?\d{2})$"
_MIDNIGHT = r"\d{4}-\d{2}-\d{2}(?:[T ]00:00:00(?:\.0+)?)?"
_TRUE_OR_FALSE = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def convert(
    values: "pd.Series[Any]", kind: Kind, timezone: str
) -> tuple["pd.Series[Any]", npt.NDArray[np.bool_]]:
    """Convert a column to the type of its kind, in which every value can be null.

    Parameters
    ----------
    values
        The column as it was read.
    kind
        The kind of the column in the contract; geometry is not converted.
    timezone
        The city's time zone, into which times are put.

    Returns
    -------
    converted, misfit
        The column in its reading type, null where a value does not fit; and a boolean array that marks
        these values. A value that was null already is no misfit.
    """
    dtype = reading_dtype(kind, timezone)
    if kind == "geometry" or values.dtype == dtype:
        return values, np.zeros(len(values), dtype=bool)
    if pd.api.types.is_integer_dtype(values.dtype) and kind in {"integer", "maybe_integer"}:
        return values.astype(dtype), np.zeros(len(values), dtype=bool)
    given = values.notna().to_numpy(dtype=bool)
    if kind == "text":
        converted = values.map(_plain_text, na_action="ignore").astype(dtype)
    elif kind == "time":
        converted = _times(values, timezone)
    elif kind == "date":
        converted = _dates(values)
    elif kind in {"flag", "maybe_flag"}:
        keys = values.map(lambda value: str(value).strip().lower(), na_action="ignore")
        converted = keys.map(_TRUE_OR_FALSE).astype(dtype)
    else:
        numbers = _numbers(values)
        converted = _whole(numbers) if kind in {"integer", "maybe_integer"} else numbers
    converted.index = values.index
    return converted, given & converted.isna().to_numpy(dtype=bool)


def is_clockless(values: "pd.Series[Any]") -> bool:
    """Say whether a column holds times that do not name their zone."""
    return isinstance(values.dtype, np.dtype) and values.dtype.kind == "M"


def _plain_text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _numbers(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return pd.Series(np.full(len(values), np.nan))
    return pd.to_numeric(values, errors="coerce").astype("Float64").astype("float64")


def _whole(numbers: "pd.Series[Any]") -> "pd.Series[Any]":
    figures = numbers.to_numpy(dtype="float64")
    limit = 2.0**53  # beyond it a float64 no longer tells neighbours apart
    usable = np.isfinite(figures) & (np.abs(figures) < limit)
    usable[usable] = figures[usable] == np.floor(figures[usable])
    whole = np.where(usable, figures, 0).astype("int64")
    return pd.Series(pd.arrays.IntegerArray(whole, ~usable))


def _times(values: "pd.Series[Any]", timezone: str) -> "pd.Series[Any]":
    dtype = pandas_dtype("time", timezone)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        zoned_already: pd.Series[Any] = values.dt.tz_convert(timezone).dt.as_unit("us")
        return zoned_already
    text = values.map(_plain_text, na_action="ignore").astype("str").str.strip()
    zoned = text.where(text.str.contains(_ZONED, regex=True, na=False))
    parsed = pd.to_datetime(zoned, errors="coerce", utc=True, format="ISO8601")
    times: pd.Series[Any] = parsed.dt.tz_convert(timezone).astype(dtype)
    return times


def _dates(values: "pd.Series[Any]") -> "pd.Series[Any]":
    text = values.map(_plain_text, na_action="ignore").astype("str").str.strip()
    days = text.where(text.str.fullmatch(_MIDNIGHT, na=False)).str[:10]
    dates: pd.Series[Any] = pd.to_datetime(days, errors="coerce", format="%Y-%m-%d").astype("datetime64[us]")
    return dates
