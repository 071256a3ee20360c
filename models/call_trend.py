"""Calls a day, a week, a month, and how far chance alone moves them."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from errors import Faults, InvalidInputError
from models.call_counts import count_all, count_groups
from models.calls import DAYS_A_WEEK, UNKNOWN, CallTable, HourOfWeek, day_number, hours_mask

Period = Literal["week", "month"]
MONDAY_EPOCH = 3
"""1 January 1970 was a Thursday: weekday 3 when Monday is 0."""


@dataclass(frozen=True)
class DailyRate:
    """Calls a day with its interval.

    Attributes
    ----------
    calls
        Calls in the period as shown (medical calls are rounded); NaN where hidden.
    days
        Days of the period that have at least one chosen hour.
    per_day, low, high
        Calls a day and the limits of its 95 % interval.
    dispersion
        How much more the days vary than a Poisson count would, at least 1.
    """

    calls: float
    days: int
    per_day: float
    low: float
    high: float
    dispersion: float


def poisson_interval(
    count: ArrayLike, *, level: float = 0.95, dispersion: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limits of the expected count, given the count that was seen.

    Exact for a Poisson count (Garwood 1936, Biometrika 28: chi-square quantiles with ``2 k`` and ``2 k + 2``
    degrees of freedom, halved). With ``dispersion`` phi > 1 the count is taken as phi times a Poisson count
    of ``k / phi``, the quasi-Poisson variance ``phi * mean`` (McCullagh & Nelder 1989, Generalized Linear
    Models, section 6.2).

    Parameters
    ----------
    count
        Counts seen, zero or more, any shape; NaN gives NaN.
    level
        Confidence level, between 0 and 1.
    dispersion
        phi, at least 1.

    Raises
    ------
    InvalidInputError
        When a count is negative, or level or dispersion is out of range.
    """
    seen = np.asarray(count, dtype=np.float64)
    faults = Faults()
    faults.check(not (seen < 0).any(), "a count cannot be negative")
    faults.check(0.0 < level < 1.0, f"a level lies between 0 and 1, not at {level}")
    faults.check(dispersion >= 1.0, f"dispersion is at least 1, not {dispersion}")
    faults.raise_as(InvalidInputError, "No interval can be given")
    tail = (1.0 - level) / 2.0
    units = seen / dispersion
    low = np.where(units > 0, chi2.ppf(tail, 2.0 * np.where(units > 0, units, 1.0)), 0.0)
    high = chi2.ppf(1.0 - tail, 2.0 * units + 2.0)
    return np.where(np.isnan(seen), np.nan, dispersion * low / 2.0), dispersion * np.asarray(high) / 2.0


def daily_rate(
    calls: CallTable,
    chosen: NDArray[np.bool_],
    *,
    first_day: date,
    last_day: date,
    hours: frozenset[HourOfWeek] | None = None,
) -> DailyRate:
    """Give calls a day in the period, over the days that have a chosen hour."""
    total = float(count_all(calls, chosen).shown_or_missing[0])
    days = _counted_days(first_day, last_day, hours)
    phi = _dispersion(calls.day[chosen], days)
    low, high = poisson_interval(total, dispersion=phi)
    n_days = max(days.size, 1)
    return DailyRate(total, days.size, total / n_days, float(low) / n_days, float(high) / n_days, phi)


def trend(
    calls: CallTable,
    chosen: NDArray[np.bool_],
    *,
    period: Period,
    first_day: date,
    last_day: date,
    hours: frozenset[HourOfWeek] | None = None,
) -> pd.DataFrame:
    """Give calls a day in each week (from Monday) or month of the period.

    Returns
    -------
    pandas.DataFrame
        One row a week or month, those without a call included: ``starts_on`` (its first day), ``days``
        (counted days of it that lie in the period), ``complete`` (False where the period covers only a part
        of it), ``calls`` (NaN where hidden), ``per_day``, ``low`` and ``high`` (95 % interval). Rows without
        a counted day are left out.

    Raises
    ------
    InvalidInputError
        When the last day lies before the first.
    """
    if last_day < first_day:
        message = "The last day lies before the first."
        raise InvalidInputError(message)
    span = np.arange(day_number(first_day), day_number(last_day) + 1)
    starts, period_of_day = np.unique(_period_start(span, period), return_inverse=True)
    full = _period_end(starts, period) - starts
    complete = np.equal(np.bincount(period_of_day), full)
    days = _counted_days(first_day, last_day, hours)
    counted = np.bincount(period_of_day[days - span[0]], minlength=starts.size)

    inside = chosen & (calls.day >= span[0]) & (calls.day <= span[-1]) & (calls.day != UNKNOWN)
    group = np.full(len(calls), -1, dtype=np.int64)
    group[inside] = period_of_day[calls.day[inside] - span[0]]
    counts = count_groups(calls, inside, group, n_groups=starts.size).shown_or_missing
    low, high = poisson_interval(counts, dispersion=_dispersion(calls.day[inside], days))
    table = pd.DataFrame(
        {
            "starts_on": starts.astype("datetime64[D]").astype("datetime64[s]"),
            "days": counted,
            "complete": complete,
            "calls": counts,
        }
    )
    for name, values in (("per_day", counts), ("low", low), ("high", high)):
        table[name] = values / np.where(counted > 0, counted, np.nan)
    return table.loc[table["days"] > 0].reset_index(drop=True)


def _counted_days(first_day: date, last_day: date, hours: frozenset[HourOfWeek] | None) -> NDArray[np.int64]:
    """Days of the period, as days since 1970, whose weekday has at least one chosen hour."""
    days = np.arange(day_number(first_day), day_number(last_day) + 1)
    weekday_counts = np.asarray(hours_mask(hours).any(axis=1))
    return days[weekday_counts[_weekday(days)]]


def _dispersion(day_of_call: NDArray[np.int32], days: NDArray[np.int64]) -> float:
    """Pearson's chi-square of daily counts around their weekday's mean a degree of freedom; at least 1."""
    if not days.size:
        return 1.0
    counts = np.bincount(day_of_call[np.isin(day_of_call, days)] - days[0], minlength=days[-1] - days[0] + 1)
    daily, weekday = counts[days - days[0]].astype(np.float64), _weekday(days)
    size = np.bincount(weekday, minlength=DAYS_A_WEEK)
    mean = (np.bincount(weekday, weights=daily, minlength=DAYS_A_WEEK) / np.maximum(size, 1))[weekday]
    freedom = days.size - np.count_nonzero(size)
    if freedom <= 0 or not mean.any():
        return 1.0
    seen = mean > 0
    return max(1.0, float(((daily[seen] - mean[seen]) ** 2 / mean[seen]).sum() / freedom))


def _weekday(days: NDArray[np.int64]) -> NDArray[np.int64]:
    return (days + MONDAY_EPOCH) % DAYS_A_WEEK


def _period_start(days: NDArray[np.int64], period: Period) -> NDArray[np.int64]:
    if period == "week":
        return days - _weekday(days)
    return days.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _period_end(starts: NDArray[np.int64], period: Period) -> NDArray[np.int64]:
    """First day after each week or month."""
    if period == "week":
        return starts + DAYS_A_WEEK
    months = starts.astype("datetime64[D]").astype("datetime64[M]") + np.timedelta64(1, "M")
    return months.astype("datetime64[D]").astype(np.int64)
