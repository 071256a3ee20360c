"""In what state a basin is: clogged, broken, line blocked, not found, car parked, a probability each.

Each state is a logistic model of what is known of a basin, with a stated prior, learned from what inspections
and returned work orders found. 311 reports are a second model, of reporting and not of state:

    s_i ~ Bernoulli(logistic(x_i beta)),   reports_i | s_i ~ Poisson(years_i rho_area (kappa if s_i else 1)).

Basins that nobody looked at count as well, with their state summed out, so that looking first where
people complain does not bias the rate; and silence says little where people rarely report. The posterior is
Laplace's approximation at its mode, from all records each time: learning in steps is learning at once.
docs/methods/basins.md tells what was checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import norm

from errors import Faults, InvalidInputError, SolverError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
State = Literal["clogged", "broken", "line blocked", "not found", "car parked"]
STATES: tuple[State, ...] = ("clogged", "broken", "line blocked", "not found", "car parked")
CLEAN = "clean"
FEATURES = ("base", "log2 years since cleaned", "never recorded", "trees", "commercial", "clogged last time")
CONFIDENCE = 0.9
DAYS_A_YEAR = 365.25
TOLERANCE = 1e-7


@dataclass(frozen=True)
class Prior:
    """What is believed before any record.

    Attributes
    ----------
    low, high
        Central 90 % interval of the share of ordinary basins in the state.
    coefficient_sd
        Standard deviation of each feature's effect on the log odds.
    age_effect
        What each doubling of the time since the cleaning (the second feature) adds to the log odds, before
        any record; the effects of the others start at 0.
    report_rate, report_spread
        Median reports a year of a basin not in the state, and standard deviation of its logarithm over areas.
    report_ratio, report_ratio_spread
        How many times as often a basin in the state is reported, and standard deviation of its logarithm.
    """

    low: float
    high: float
    coefficient_sd: float = 0.5
    report_rate: float = 0.05
    report_spread: float = 1.0
    report_ratio: float = 4.0
    report_ratio_spread: float = 0.5
    age_effect: float = 0.0


PRIORS: dict[State, Prior] = {
    "clogged": Prior(0.16, 0.59, age_effect=0.5),
    "broken": Prior(0.01, 0.15),
    "line blocked": Prior(0.02, 0.25),
    "not found": Prior(0.01, 0.15),
    "car parked": Prior(0.03, 0.40),
}
"""Clogged: an emergency sample of 1 % said 16 %, an inspection round 59 %. The others are wide guesses. So is
the effect of age: a basin cleaned yesterday is clogged less often than one of last year; how much less is
learned."""


@dataclass(frozen=True, eq=False)
class Records:
    """Basins as they were when looked at, or as they are now; one row each.

    Attributes
    ----------
    features
        (n, d), the first column 1; see `basin_features`.
    found
        (n,) 1 in the state, 0 not, NaN not looked at.
    reports, years
        (n,) 311 reports of the basin and the years they were counted over, before the look; 0 and 0 where
        reports say nothing of the state.
    area
        (n,) reporting area from 0, such as a neighborhood.
    """

    features: FloatArray
    found: FloatArray
    reports: FloatArray
    years: FloatArray
    area: IntArray

    def joined(self, other: "Records") -> "Records":
        """Put the rows of another below these."""
        return Records(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.found, other.found]),
            np.concatenate([self.reports, other.reports]),
            np.concatenate([self.years, other.years]),
            np.concatenate([self.area, other.area]),
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """Mean and central 90 % interval, (n,) each."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class StateModel:
    """A state's posterior; make it with `fit_state`.

    Attributes
    ----------
    records, prior, n_areas
        What it was learned from.
    mode, covariance
        (d + n_areas + 1,) and square: effects on the log odds, log report rate of each area, and the
        log report ratio.
    """

    records: Records
    prior: Prior
    n_areas: int
    mode: FloatArray
    covariance: FloatArray

    def learn(self, returned: Records) -> "StateModel":
        """Add returned work orders; the same as if they had been there from the start."""
        return fit_state(self.records.joined(returned), self.prior, n_areas=self.n_areas)

    def draws(self, n: int, *, seed: int = 0) -> FloatArray:
        """Draw (n, d + n_areas + 1) parameters from the posterior."""
        return np.random.default_rng(seed).multivariate_normal(self.mode, self.covariance, size=n)

    def probability(self, rows: Records, *, n_draws: int = 100, seed: int = 0) -> Estimate:
        """P(in the state) of each row, from its features and reports; its own ``found`` is not used."""
        d = rows.features.shape[1]
        sample = self.draws(n_draws, seed=seed)
        values = np.empty((n_draws, len(rows.found)))
        for out, theta in zip(values, sample, strict=True):
            out[:] = expit(_odds(rows, theta, d)[1])
        return _estimate(values)

    def expected(self, rows: Records) -> FloatArray:
        """P(in the state) of each row at the most likely parameters, (n,)."""
        return np.asarray(expit(_odds(rows, self.mode, rows.features.shape[1])[1]))

    def probability_by_area(self, rows: Records, *, n_draws: int = 100, seed: int = 0) -> Estimate:
        """Share of each area's rows in the state, (n_areas,); NaN where an area has none."""
        d = rows.features.shape[1]
        held = np.bincount(rows.area, minlength=self.n_areas).astype(np.float64)
        held[held == 0] = np.nan
        values = [
            np.bincount(rows.area, expit(_odds(rows, theta, d)[1]), minlength=self.n_areas) / held
            for theta in self.draws(n_draws, seed=seed)
        ]
        return _estimate(np.array(values))

    def reporting(self, *, n_draws: int = 1000, seed: int = 0) -> Estimate:
        """Tell how readily people report, by area: reports a year of a basin not in the state."""
        d = self.records.features.shape[1]
        return _estimate(np.exp(self.draws(n_draws, seed=seed)[:, d:-1]))


def basin_features(
    days_since_cleaned: FloatArray,
    *,
    trees: FloatArray,
    commercial: FloatArray,
    clogged_last_time: FloatArray,
) -> FloatArray:
    """Lay out what is known of basins, (n, 6) in the order of `FEATURES`.

    Parameters
    ----------
    days_since_cleaned
        (n,) 0 or more; NaN where no cleaning is on record.
    trees, commercial, clogged_last_time
        (n,) 0 to 1: canopy over the basin, commercial land use, and whether the last inspection found it
        clogged (0 where none).

    Raises
    ------
    InvalidInputError
        If a date lies in the future (negative days), or a share is outside 0 to 1.
    """
    faults = Faults()
    ahead = int((days_since_cleaned < 0).sum())
    faults.check(
        not ahead, f"{ahead} basins were cleaned in the future; mend their dates or leave them empty"
    )
    shares = {"trees": trees, "commercial": commercial, "clogged_last_time": clogged_last_time}
    for name, share in shares.items():
        ok = (share >= 0) & (share <= 1)
        faults.check(ok.all(), f"{name} must be 0 to 1; mend {int((~ok).sum())} of its values")
    faults.raise_as(InvalidInputError, "The basins cannot be described")
    unknown = np.isnan(days_since_cleaned)
    age = np.log2((np.where(unknown, DAYS_A_YEAR, days_since_cleaned) + 30) / (DAYS_A_YEAR + 30))
    return np.column_stack([np.ones(len(age)), age, unknown, trees, commercial, clogged_last_time])


def findings(outcomes: Sequence[str]) -> dict[State, FloatArray]:
    """Read what work orders found: of each state (n,) 1 found, 0 looked and not so, NaN not seen.

    Parameters
    ----------
    outcomes
        "clean" or states, several parted by commas; "" where nobody came. A basin that was not found, or
        under a parked car, says nothing of clogging.

    Raises
    ------
    InvalidInputError
        If a word is none of these.
    """
    found: dict[State, FloatArray] = {state: np.full(len(outcomes), np.nan) for state in STATES}
    unknown = set()
    for row, outcome in enumerate(outcomes):
        words = {word.strip() for word in outcome.split(",") if word.strip()}
        unknown |= words - {*STATES, CLEAN}
        if not words:
            continue
        hidden = words & {"not found", "car parked"}
        for state in STATES:
            if state == "not found" or (state == "car parked" and "not found" not in words) or not hidden:
                found[state][row] = state in words
    if unknown:
        known = ", ".join((CLEAN, *STATES))
        raise InvalidInputError(f"Work orders name {', '.join(sorted(unknown))}; the words are {known}")
    return found


def fit_state(records: Records, prior: Prior, *, n_areas: int) -> StateModel:
    """Learn one state from everything on record, looked at or not.

    Raises
    ------
    InvalidInputError
        If the rows do not fit together, or a value cannot be used.
    SolverError
        If no mode is found.
    """
    _check(records, prior, n_areas)
    d = records.features.shape[1]
    edges = logit([prior.low, prior.high])
    reach = 2 * norm.ppf((1 + CONFIDENCE) / 2)
    mean = np.zeros(d + n_areas + 1)
    mean[1 : min(d, 2)] = prior.age_effect
    mean[0], mean[d:-1], mean[-1] = edges.mean(), np.log(prior.report_rate), np.log(prior.report_ratio)
    spread = np.full(len(mean), prior.coefficient_sd)
    spread[0] = (edges[1] - edges[0]) / reach
    spread[d:-1], spread[-1] = prior.report_spread, prior.report_ratio_spread
    precision = 1 / spread**2

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = _likelihood(records, theta, d)
        away = theta - mean
        return 0.5 * float(precision @ away**2) - value, precision * away - gradient

    def curvature(theta: FloatArray) -> FloatArray:
        return np.diag(precision) + _information(records, theta, d)

    found = minimize(
        loss,
        mean,
        jac=True,
        hess=curvature,
        method="trust-exact",
        options={"gtol": TOLERANCE, "maxiter": 500},
    )
    # Near the mode the value no longer changes in the last digits, and the search stops a little early.
    step = np.linalg.solve(curvature(found.x), loss(found.x)[1])
    if not np.abs(step).max() < 1e-3:
        raise SolverError("No most likely state was found; check features for very large numbers")
    mode = found.x - step
    covariance: FloatArray = np.asarray(np.linalg.inv(curvature(mode)), np.float64)
    return StateModel(records, prior, n_areas, mode, covariance)


def _odds(rows: Records, theta: FloatArray, d: int) -> tuple[FloatArray, FloatArray]:
    """Log odds of the state from the features, and from the features and reports."""
    plain = rows.features @ theta[:d]
    told = rows.reports * theta[-1] - rows.years * np.exp(theta[d:-1])[rows.area] * np.expm1(theta[-1])
    return plain, plain + told


def _shares(rows: Records, odds: FloatArray) -> FloatArray:
    return np.where(np.isnan(rows.found), expit(odds), rows.found)


def _likelihood(rows: Records, theta: FloatArray, d: int) -> tuple[float, FloatArray]:
    """Logarithm of the likelihood without its constant, and its gradient (Fisher's identity)."""
    plain, odds = _odds(rows, theta, d)
    share, ratio = _shares(rows, odds), np.exp(theta[-1])
    quiet = rows.years * np.exp(theta[d:-1])[rows.area]
    known = np.where(np.isnan(rows.found), np.logaddexp(0, odds), share * odds)
    value = known - np.logaddexp(0, plain) + rows.reports * theta[d:-1][rows.area] - quiet
    by_area = rows.reports - quiet * (1 + (ratio - 1) * share)
    gradient = np.concatenate(
        [
            rows.features.T @ (share - expit(plain)),
            np.bincount(rows.area, by_area, minlength=len(theta) - d - 1),
            [float(share @ (rows.reports - quiet * ratio))],
        ]
    )
    return float(value.sum()), gradient


def _information(rows: Records, theta: FloatArray, d: int) -> FloatArray:
    """Observed information: of the complete data, less what the states not seen take away (Louis 1982)."""
    plain, odds = _odds(rows, theta, d)
    share, ratio, areas = _shares(rows, odds), np.exp(theta[-1]), len(theta) - d - 1
    quiet = rows.years * np.exp(theta[d:-1])[rows.area]
    missing = np.where(np.isnan(rows.found), share * (1 - share), 0.0)
    by_area, by_ratio = -quiet * (ratio - 1), rows.reports - quiet * ratio
    x = rows.features

    def summed(values: FloatArray) -> FloatArray:
        total: FloatArray = np.bincount(rows.area, values, minlength=areas).astype(np.float64)
        return total

    out = np.zeros((len(theta), len(theta)))
    sure = expit(plain)
    out[:d, :d] = x.T @ ((sure * (1 - sure) - missing)[:, None] * x)
    for column in range(d):
        out[column, d:-1] = -summed(missing * x[:, column] * by_area)
    out[:d, -1] = -x.T @ (missing * by_ratio)
    out[d:-1, d:-1] = np.diag(summed(quiet * (1 + (ratio - 1) * share) - missing * by_area**2))
    out[d:-1, -1] = summed(share * quiet * ratio - missing * by_area * by_ratio)
    out[-1, -1] = float(share @ (quiet * ratio) - missing @ by_ratio**2)
    upper = np.triu(out, 1)
    return upper + upper.T + np.diag(np.diag(out))


def _estimate(values: FloatArray) -> Estimate:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return Estimate(values.mean(axis=0), low, high)


def _check(records: Records, prior: Prior, n_areas: int) -> None:
    faults = Faults()
    n = len(records.features)
    parts = (records.found, records.reports, records.years, records.area)
    faults.check(all(part.shape == (n,) for part in parts), f"every column of the records must have {n} rows")
    faults.check(np.isfinite(records.features).all(), "features must be finite")
    seen = records.found[~np.isnan(records.found)]
    faults.check(np.isin(seen, (0, 1)).all(), "found must be 1, 0 or NaN")
    for name, values in {"reports": records.reports, "years": records.years}.items():
        faults.check((np.isfinite(values) & (values >= 0)).all(), f"{name} must be 0 or more")
    faults.check(
        not (records.reports[records.years == 0] > 0).any(), "reports need years they were counted over"
    )
    inside = (records.area >= 0) & (records.area < n_areas)
    faults.check(inside.all(), f"area must run from 0 to {n_areas - 1}")
    faults.check(0 < prior.low < prior.high < 1, "the prior needs 0 < low < high < 1")
    faults.raise_as(InvalidInputError, "The state of basins cannot be learned")
