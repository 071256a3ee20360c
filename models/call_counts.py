"""Counts of calls by hexagon, neighborhood and hour of the week; medical calls under the privacy rule."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calls import DAYS_A_WEEK, HOURS_A_DAY, HOURS_A_WEEK, CallTable
from models.privacy import ProtectedCounts, protected_counts
from models.response_times import quantiles_by_group


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """Calls by group: others exactly, medical calls under the rule of :mod:`models.privacy`.

    Attributes
    ----------
    other
        (n_groups,) calls that are not medical.
    medical
        Medical calls, protected.
    has_medical
        Whether any of the calls counted is medical; without one every count is exact.
    """

    other: NDArray[np.int64]
    medical: ProtectedCounts
    has_medical: bool

    @property
    def shown(self) -> NDArray[np.float64]:
        """(n_groups,) what may be shown: others plus the medical calls that are not hidden."""
        return self.other.astype(np.float64) + np.nan_to_num(self.medical.shown)

    @property
    def shown_or_missing(self) -> NDArray[np.float64]:
        """(n_groups,) as ``shown``, NaN where nothing is shown though there may be a few medical calls."""
        return np.where(self.has_medical & (self.shown == 0), np.nan, self.shown)


@dataclass(frozen=True, eq=False)
class HourTable:
    """Calls by weekday (Monday first) and local hour, both (7, 24).

    Attributes
    ----------
    counts
        Calls; NaN where hidden by the privacy rule.
    hours
        How often this hour of the week came in the period: 52 in a year, one less or more where summer time
        starts or ends.
    """

    counts: NDArray[np.float64]
    hours: NDArray[np.int64]

    @property
    def per_week(self) -> NDArray[np.float64]:
        """(7, 24) calls a week in this hour; NaN where hidden or where the hour never came."""
        return self.counts / np.where(self.hours > 0, self.hours, np.nan)


def count_groups(
    calls: CallTable, chosen: NDArray[np.bool_], group: NDArray[np.integer], *, n_groups: int
) -> GroupCounts:
    """Count the chosen calls of each group.

    Parameters
    ----------
    calls
        All calls.
    chosen
        (n,) calls to count.
    group
        (n,) group of each call, ``0 .. n_groups - 1``, -1 for none.
    n_groups
        Number of groups.
    """
    inside = chosen & (group >= 0)
    other = np.bincount(group[inside & ~calls.medical], minlength=n_groups)
    medical = inside & calls.medical
    return GroupCounts(
        other=other.astype(np.int64),
        medical=protected_counts(group[medical], n_groups=n_groups, keys=calls.key[medical]),
        has_medical=bool(medical.any()),
    )


def count_all(calls: CallTable, chosen: NDArray[np.bool_]) -> GroupCounts:
    """Count the chosen calls as one group."""
    return count_groups(calls, chosen, np.zeros(len(calls), dtype=np.int64), n_groups=1)


def count_hexagons(calls: CallTable, chosen: NDArray[np.bool_], *, resolution: int) -> GroupCounts:
    """Count the chosen calls of each hexagon in ``calls.hexagons[resolution].cells``."""
    hexagons = calls.hexagons[resolution]
    return count_groups(calls, chosen, hexagons.index, n_groups=len(hexagons.cells))


def hour_table(
    calls: CallTable, chosen: NDArray[np.bool_], *, first_day: date, last_day: date, timezone: str
) -> HourTable:
    """Count the chosen calls by hour of the week, and how often each hour came in the period.

    Parameters
    ----------
    calls
        All calls.
    chosen
        (n,) calls to count.
    first_day, last_day
        Local days of the period, both included.
    timezone
        The city's time zone, which says when an hour is skipped or comes twice.
    """
    counts = count_groups(calls, chosen, calls.hour_of_week, n_groups=HOURS_A_WEEK)
    start = pd.Timestamp(first_day).tz_localize(timezone)
    end = pd.Timestamp(last_day + timedelta(days=1)).tz_localize(timezone)
    clock = pd.date_range(start, end, freq="h", inclusive="left")
    came = np.bincount(clock.day_of_week * HOURS_A_DAY + clock.hour, minlength=HOURS_A_WEEK)
    shape = (DAYS_A_WEEK, HOURS_A_DAY)
    return HourTable(counts=counts.shown_or_missing.reshape(shape), hours=came.reshape(shape))


def by_region(
    calls: CallTable, chosen: NDArray[np.bool_], *, n_regions: int, interval: str, at_least: int
) -> pd.DataFrame:
    """Count calls and measure response times in each neighborhood.

    Parameters
    ----------
    calls
        All calls.
    chosen
        (n,) calls to look at.
    n_regions
        Number of neighborhoods.
    interval
        Key of the interval to measure, one of :data:`models.response_times.INTERVALS`.
    at_least
        Fewest timed calls for which quantiles are shown where medical calls are among them.

    Returns
    -------
    pandas.DataFrame
        One row a neighborhood: ``calls`` (NaN where hidden), ``timed`` (calls with both moments, NaN where
        hidden), and the quantile columns of :func:`models.response_times.quantiles_by_group`.
    """
    minutes = calls.times.minutes[interval]
    timed = chosen & np.isfinite(minutes)
    table = quantiles_by_group(minutes[timed], calls.region[timed], n_groups=n_regions)
    medical = np.bincount(calls.region[timed & calls.medical & (calls.region >= 0)], minlength=n_regions) > 0
    quantiles = [name for name in table.columns if name != "n"]
    table.loc[medical & (table["n"] < at_least), quantiles] = np.nan
    counts = count_groups(calls, chosen, calls.region, n_groups=n_regions)
    timed_counts = count_groups(calls, timed, calls.region, n_groups=n_regions)
    table.insert(0, "calls", counts.shown_or_missing)
    table.insert(1, "timed", timed_counts.shown_or_missing)
    return table.drop(columns="n")
