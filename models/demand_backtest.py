"""No forecast without its skill: each week foretold from the weeks before it, against the planners' rule."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from errors import Faults, InvalidInputError
from models.demand_forecast import HOUR_SD, Rates, fit_rates, planners_rates
from models.scores import Comparison, compare, crps_negative_binomial, crps_poisson, spread_pit
from models.weekly_counts import WeeklyCounts

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[float], None]

TRAINING_WEEKS = 8
LEAST_TESTED_WEEKS = 4
METHODS = ("smoothed", "planners", "all weeks")
SCALES = ("cell and hour", "city by hour")
CENTRAL = 0.90


@dataclass(frozen=True, eq=False)
class Backtest:
    """What would have been foretold, week by week.

    Attributes
    ----------
    weeks
        One row a tested week, scale and method: ``week, scale, method, hours`` (forecasts scored), ``crps``
        and ``square`` (means over them), ``observed`` and ``forecast`` (calls in the week), and for the
        smoothed forecast ``inside``, the share of counts in its central 90 %.
    """

    weeks: pd.DataFrame

    def compare(
        self, scale: str, other: str = "planners", *, weeks: npt.ArrayLike | None = None
    ) -> Comparison:
        """Compare the smoothed forecast with another method over all tested weeks, or some of them."""
        table = self._chosen(scale, weeks).pivot_table(index="week", columns="method", values="crps")
        return compare(table["smoothed"], table[other])

    def skill(self, *, weeks: npt.ArrayLike | None = None) -> pd.DataFrame:
        """Skill of the smoothed forecast by scale and method it is compared with.

        Parameters
        ----------
        weeks
            Numbers of the weeks to judge by; all tested weeks when not given.

        Returns
        -------
        pandas.DataFrame
            ``scale, other, weeks, crps, other_crps, gain, gain_low, gain_high, skill, verdict, bias,
            other_bias, square_skill, inside``. ``bias`` is forecast less observed calls as a share of the
            observed, ``square_skill`` the share by which the mean squared error of the mean is less,
            ``inside`` the share of counts within the central 90 % of the forecast.
        """
        rows = []
        for scale in SCALES:
            chosen = self._chosen(scale, weeks)
            by = {method: chosen[chosen["method"] == method] for method in METHODS}
            mine = by["smoothed"]
            for other in METHODS[1:]:
                theirs, found = by[other], self.compare(scale, other, weeks=weeks)
                rows.append(
                    {
                        "scale": scale,
                        "other": other,
                        "weeks": found.weeks,
                        "crps": float(mine["crps"].mean()),
                        "other_crps": float(theirs["crps"].mean()),
                        "gain": found.gain.value,
                        "gain_low": found.gain.low,
                        "gain_high": found.gain.high,
                        "skill": found.skill,
                        "verdict": found.verdict,
                        "bias": _bias(mine),
                        "other_bias": _bias(theirs),
                        "square_skill": 1 - float(mine["square"].mean() / theirs["square"].mean()),
                        "inside": float(mine["inside"].mean()),
                    }
                )
        return pd.DataFrame(rows)

    def _chosen(self, scale: str, weeks: npt.ArrayLike | None) -> pd.DataFrame:
        table = self.weeks[self.weeks["scale"] == scale]
        return table if weeks is None else table[table["week"].isin(np.asarray(weeks))]


@dataclass(frozen=True, eq=False)
class Forecast:
    """Rates of a coming week together with what such forecasts were worth before."""

    rates: Rates
    backtest: Backtest


def forecast(
    past: WeeklyCounts,
    *,
    cells: csr_array | None = None,
    hour_sd: float = HOUR_SD,
    progress: Progress | None = None,
) -> Forecast:
    """Forecast the week after the last, and test the same method on the weeks seen.

    Parameters
    ----------
    past, cells, hour_sd
        As in `models.demand_forecast.fit_rates`.
    progress
        Told the share that is done.

    Raises
    ------
    InvalidInputError
        Too few weeks to test the forecast on.
    """
    tested = backtest(past, cells=cells, hour_sd=hour_sd, progress=progress)
    return Forecast(fit_rates(past, cells=cells, hour_sd=hour_sd), tested)


def backtest(
    past: WeeklyCounts,
    *,
    cells: csr_array | None = None,
    hour_sd: float = HOUR_SD,
    training_weeks: int = TRAINING_WEEKS,
    progress: Progress | None = None,
) -> Backtest:
    """Forecast each week from the weeks before it alone, and score it.

    Scored by CRPS, hour by hour: in each cell, and for the city as a whole. The smoothed forecast is a
    negative binomial distribution; the planners' mean, and the mean of all weeks so far, count as Poisson.

    Parameters
    ----------
    past, cells, hour_sd
        As in `models.demand_forecast.fit_rates`.
    training_weeks
        Weeks before the first one that is forecast.
    progress
        Told the share that is done.

    Raises
    ------
    InvalidInputError
        Fewer than four weeks can be tested.
    """
    tested = [
        at
        for at in range(training_weeks, past.n_weeks)
        if not np.isnan(past.counts[at]).all() and np.nansum(past.counts[:at]) > 0
    ]
    faults = Faults()
    faults.check(training_weeks >= 1, "at least one week must come before the first forecast")
    faults.check(
        len(tested) >= LEAST_TESTED_WEEKS,
        f"{past.n_weeks} weeks leave {max(len(tested), 0)} to test a forecast on; "
        f"{training_weeks + LEAST_TESTED_WEEKS} weeks are needed",
    )
    faults.raise_as(InvalidInputError, "Demand is not forecast, because its skill cannot be shown")
    rows: list[dict[str, object]] = []
    for number, at in enumerate(tested):
        rows += _score_week(past, at, cells=cells, hour_sd=hour_sd)
        if progress is not None:
            progress((number + 1) / len(tested))
    return Backtest(pd.DataFrame(rows))


def _score_week(
    past: WeeklyCounts, at: int, *, cells: csr_array | None, hour_sd: float
) -> list[dict[str, object]]:
    before, week = past.before(at), past.first_week + at
    actual = past.counts[at].astype(np.float64)
    rates = fit_rates(before, week=week, cells=cells, hour_sd=hour_sd)
    seen = ~np.isnan(before.counts)
    everything = np.where(seen, before.counts, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    means = {
        "smoothed": rates.mean,
        "planners": planners_rates(before, week=week),
        "all weeks": everything.astype(np.float64),
    }
    # The city's hour is scored where every cell of it was recorded.
    whole = ~np.isnan(actual).any(axis=1)
    known = ~np.isnan(actual)
    rows: list[dict[str, object]] = []
    for scale in SCALES:
        by_cell = scale == SCALES[0]
        observed = actual[known] if by_cell else actual[whole].sum(axis=1)
        shape = rates.count_shape[known] if by_cell else rates.city_count_shape[whole]
        for method, mean in means.items():
            told = mean[known] if by_cell else mean[whole].sum(axis=1)
            own = method == "smoothed"
            scores = crps_negative_binomial(observed, told, shape) if own else crps_poisson(observed, told)
            inside = np.nan
            if own and len(observed):
                place = spread_pit(observed, told, shape, seed=week)
                inside = float((np.abs(place - 0.5) < CENTRAL / 2).mean())
            rows.append(
                {
                    "week": week,
                    "scale": scale,
                    "method": method,
                    "hours": len(observed),
                    "crps": float(scores.mean()) if len(observed) else np.nan,
                    "square": float(((observed - told) ** 2).mean()) if len(observed) else np.nan,
                    "observed": float(observed.sum()),
                    "forecast": float(told.sum()),
                    "inside": inside,
                }
            )
    return rows


def _bias(table: pd.DataFrame) -> float:
    seen = float(table["observed"].sum())
    return float(table["forecast"].sum()) / seen - 1 if seen else np.nan
