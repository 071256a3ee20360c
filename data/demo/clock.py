"""The demo's year: its hours in local time, and conversions between seconds and zoned times."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.facts_io import FloatArray

YEAR = 2025
HOUR_S = 3600


@dataclass(frozen=True)
class Year:
    """Every hour of the year, by the city's clock.

    Attributes
    ----------
    timezone
        The city's time zone.
    start_s
        Seconds since 1970 (UTC) at the first hour.
    hour_of_week, hour_of_day, weekday, month
        (n_hours,) local; hour 0 of the week is Monday at midnight, weekday 0 Monday, month 0 January.
    date
        (n_hours,) local dates.
    """

    timezone: str
    start_s: int
    hour_of_week: npt.NDArray[np.int64]
    hour_of_day: npt.NDArray[np.int64]
    weekday: npt.NDArray[np.int64]
    month: npt.NDArray[np.int64]
    date: npt.NDArray[np.datetime64]

    def hour_index(self, seconds: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Give the index of the hour that holds each time; times past the year fall in its last hour."""
        index = (np.asarray(seconds, dtype=float) - self.start_s) // HOUR_S
        clipped: npt.NDArray[np.int64] = np.clip(index, 0, len(self.hour_of_week) - 1).astype(np.int64)
        return clipped

    def times(self, seconds: FloatArray) -> "pd.Series[Any]":
        """Turn seconds since 1970 into times by the city's clock, whole seconds; NaN becomes no time."""
        whole = pd.Series(np.round(seconds)).astype("Int64")
        zoned: pd.Series[Any] = (
            pd.to_datetime(whole, unit="s", utc=True).dt.tz_convert(self.timezone).dt.as_unit("us")
        )
        return zoned


def make_year(timezone: str) -> Year:
    """Lay out the hours of the demo's year."""
    hours = pd.date_range(f"{YEAR}-01-01", f"{YEAR + 1}-01-01", freq="h", tz=timezone, inclusive="left")
    weekday, hour = hours.day_of_week.to_numpy(np.int64), hours.hour.to_numpy(np.int64)
    return Year(
        timezone=timezone,
        start_s=int(hours[0].timestamp()),
        hour_of_week=weekday * 24 + hour,
        hour_of_day=hour,
        weekday=weekday,
        month=hours.month.to_numpy(np.int64) - 1,
        date=hours.tz_localize(None).to_numpy().astype("datetime64[D]"),
    )
