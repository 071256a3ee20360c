"""Calls by week, hour of the week and cell: the table that demand is forecast from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

HOURS_A_WEEK = 168


@dataclass(frozen=True, eq=False)
class WeeklyCounts:
    """Calls of consecutive weeks.

    Attributes
    ----------
    counts
        (n_weeks, n_slots, n_cells) calls; NaN where nothing was recorded, which is not zero.
    hour_of_week
        (n_slots,) the hour of the week of each slot, 0 is Monday from midnight to one; rising.
    first_week
        Number of the first week; the others follow.
    """

    counts: npt.NDArray[np.float32]
    hour_of_week: IntArray
    first_week: int = 0

    def __post_init__(self) -> None:
        faults = Faults()
        faults.check(self.counts.ndim == 3, "counts must have weeks, hours and cells")
        faults.raise_as(InvalidInputError, "The counts cannot be used")
        hours = np.asarray(self.hour_of_week)
        faults.check(len(hours) == self.counts.shape[1], "hour_of_week must name each hour of counts")
        faults.check(
            len(hours) > 0 and (np.diff(hours) > 0).all() and hours.min() >= 0 and hours.max() < HOURS_A_WEEK,
            "hours of the week must rise from 0 to 167",
        )
        known = self.counts[~np.isnan(self.counts)]
        faults.check(not (known < 0).any(), f"{int((known < 0).sum())} counts are negative")
        faults.check(np.isfinite(known).all(), "a count is infinite")
        faults.check((known == np.floor(known)).all(), "some counts are not whole numbers")
        faults.check(len(known) > 0, "nothing was recorded in any hour")
        faults.check(known.sum() > 0, "there is not one call in the period; there is no demand to forecast")
        faults.raise_as(InvalidInputError, "The counts cannot be used")

    @property
    def n_weeks(self) -> int:
        """Number of weeks."""
        return len(self.counts)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[2])

    def before(self, week: int) -> "WeeklyCounts":
        """Weeks before the one at position ``week``."""
        return WeeklyCounts(self.counts[:week], self.hour_of_week, self.first_week)


def weekly_counts(
    hour: npt.ArrayLike,
    cell: npt.ArrayLike,
    *,
    n_cells: int,
    start: int,
    end: int,
    calls: npt.ArrayLike | None = None,
    recorded: BoolArray | None = None,
    gaps: npt.ArrayLike = (),
) -> WeeklyCounts:
    """Count calls by week, hour of the week and cell; an hour of the period without a call is zero.

    Parameters
    ----------
    hour
        (n,) whole hours of the wall clock since any Monday at midnight. The hour that summer time skips
        counts as an hour without calls, and the one it repeats as one hour.
    cell
        (n,) cell of each call, 0 to ``n_cells - 1``; -1 is in no cell and not counted.
    n_cells
        Number of cells.
    start, end
        Hours at which the record begins and ends (``end`` not included). Weeks before and after are unknown.
    calls
        (n,) calls in each row; one each when not given.
    recorded
        (168,) False for hours of the week that the record leaves out altogether, such as weekends; all
        recorded when not given.
    gaps
        Hours in which the record failed: unknown, not zero.

    Raises
    ------
    InvalidInputError
        With every fault of the rows.
    """
    hours, cells = np.asarray(hour), np.asarray(cell)
    number = np.ones(len(hours)) if calls is None else np.asarray(calls, dtype=float)
    kept = np.ones(HOURS_A_WEEK, dtype=bool) if recorded is None else np.asarray(recorded, dtype=bool)
    missing = np.asarray(gaps, dtype=np.int64)
    faults = Faults()
    for name, values in (("hour", hours), ("cell", cells)):
        whole = np.issubdtype(values.dtype, np.integer) or not len(values)
        faults.check(whole, f"{name} must hold whole numbers; leave out rows without one")
    faults.check(
        len(hours) == len(cells) == len(number), "give each row an hour, a cell and a number of calls"
    )
    faults.check(end > start, "the record must end after it begins")
    faults.check(
        kept.shape == (HOURS_A_WEEK,) and kept.any(), "recorded must hold 168 entries, one True at least"
    )
    faults.raise_as(InvalidInputError, "Calls cannot be counted by week")
    outside = (hours < start) | (hours >= end)
    faults.check(not outside.any(), f"{int(outside.sum())} calls lie outside the period of the record")
    wild = (cells < -1) | (cells >= n_cells)
    faults.check(not wild.any(), f"{int(wild.sum())} calls name a cell that does not exist")
    bad = ~np.isfinite(number) | (number < 0) | (number != np.floor(number))
    faults.check(not bad.any(), f"{int(bad.sum())} numbers of calls are missing, negative or not whole")
    faults.check(
        kept[hours.astype(np.int64) % HOURS_A_WEEK].all(), "some calls lie in hours said not to be recorded"
    )
    faults.raise_as(InvalidInputError, "Calls cannot be counted by week")

    first_week, last_week = start // HOURS_A_WEEK, (end - 1) // HOURS_A_WEEK
    n_hours = (last_week - first_week + 1) * HOURS_A_WEEK
    origin = first_week * HOURS_A_WEEK
    inside = cells >= 0
    key = (hours[inside].astype(np.int64) - origin) * n_cells + cells[inside]
    counts: npt.NDArray[np.float32] = np.zeros(n_hours * n_cells, dtype=np.float32)
    np.add.at(counts, key, number[inside].astype(np.float32))
    counts = counts.reshape(n_hours, n_cells)
    counts[: start - origin] = np.nan
    counts[end - origin :] = np.nan
    counts[missing[(missing >= start) & (missing < end)] - origin] = np.nan
    by_week = counts.reshape(-1, HOURS_A_WEEK, n_cells)[:, kept]
    return WeeklyCounts(by_week, np.flatnonzero(kept), int(first_week))


def wall_hours(times: pd.Series) -> tuple[IntArray, pd.Timestamp]:
    """Whole hours of the wall clock since the last Monday at midnight not after the first time.

    Parameters
    ----------
    times
        (n,) times in the city's zone, none missing.

    Returns
    -------
    hours, monday
        (n,) hours as `weekly_counts` takes them, and the Monday they count from, without a zone.

    Raises
    ------
    InvalidInputError
        If there is no time, or one is missing.
    """
    if times.empty or times.isna().any():
        raise InvalidInputError("Every call needs a time to be counted by the hour; leave out those without")
    wall = times.dt.tz_localize(None)
    first = wall.min().normalize()
    monday = first - pd.Timedelta(days=first.day_of_week)
    return np.asarray((wall - monday) // pd.Timedelta(hours=1), dtype=np.int64), monday
