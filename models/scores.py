"""Scores of probability forecasts of counts, and whether one forecast is better than another."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, ive, pdtr, xlogy
from scipy.stats import nbinom
from scipy.stats import t as student

from errors import Faults, InvalidInputError
from models.coverage import CONFIDENCE, Estimate

FloatArray = npt.NDArray[np.float64]
Verdict = Literal["better", "worse", "cannot tell yet"]

TAIL = 1e-10
"""The sum of a score stops where less than this chance is left."""


@dataclass(frozen=True)
class Comparison:
    """Two forecasts of the same weeks.

    Attributes
    ----------
    gain
        Mean score of the other less mean score of this one (scores are losses: above zero, this one is
        better), with its interval.
    skill
        The gain as a share of the other's score.
    weeks
        Weeks compared.
    """

    gain: Estimate
    skill: float
    weeks: int

    @property
    def verdict(self) -> Verdict:
        """Whether the interval leaves room for no difference, in words."""
        if self.gain.low > 0:
            return "better"
        return "worse" if self.gain.high < 0 else "cannot tell yet"


def crps_poisson(observed: npt.ArrayLike, mean: npt.ArrayLike) -> FloatArray:
    """Continuous ranked probability score of Poisson forecasts, in the unit of the counts; less is better.

    ``(y - m)(2 F(y) - 1) + 2 m f(y) - m exp(-2m) (I0(2m) + I1(2m))`` (Wei and Held 2014, Test 23; Jordan,
    Krüger and Lerch 2019, Journal of Statistical Software 90).

    Parameters
    ----------
    observed, mean
        (...) whole counts, and means of zero or more; broadcast together. NaN gives NaN.
    """
    y, m = np.broadcast_arrays(np.asarray(observed, dtype=float), np.asarray(mean, dtype=float))
    _check(y, m, np.ones_like(m))
    density = np.exp(xlogy(y, m) - m - gammaln(y + 1))
    score: FloatArray = (y - m) * (2 * pdtr(y, m) - 1) + 2 * m * density - m * (ive(0, 2 * m) + ive(1, 2 * m))
    return score


def crps_negative_binomial(observed: npt.ArrayLike, mean: npt.ArrayLike, shape: npt.ArrayLike) -> FloatArray:
    """Continuous ranked probability score of negative binomial forecasts; less is better.

    The definition summed term by term: ``sum over k of (F(k) - 1{y <= k})^2`` (Matheson and Winkler 1976,
    Management Science 22). Variance is ``mean + mean^2 / shape``.

    Parameters
    ----------
    observed, mean, shape
        (...) whole counts, means of zero or more, shapes above zero; broadcast together. NaN gives NaN.
    """
    y, m, a = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (observed, mean, shape)))
    _check(y, m, a)
    score = np.where(np.isnan(y + m + a), np.nan, 0.0)
    flat = score.reshape(-1)
    at = np.flatnonzero(np.isfinite(flat))
    count, ratio, size = y.ravel()[at], (m / (a + m)).ravel()[at], a.ravel()[at]
    term = np.exp(size * np.log1p(-ratio))
    below = term.copy()
    k = 0.0
    while len(at):
        flat[at] += (below - (count <= k)) ** 2
        going = (below < 1 - TAIL) & (term > 0) | (k < count)
        at, count, ratio, size = at[going], count[going], ratio[going], size[going]
        term = term[going] * ratio * (size + k) / (k + 1)
        below = np.minimum(below[going] + term, 1.0)
        k += 1
    return flat.reshape(score.shape)


def spread_pit(observed: FloatArray, mean: FloatArray, shape: FloatArray, *, seed: int) -> FloatArray:
    """Where counts fall in their forecast, 0 to 1, spread at random within each count's own step.

    Uniform when the forecast is right, also for small counts (Czado, Gneiting and Held 2009, Biometrics 65).

    Parameters
    ----------
    observed, mean, shape
        (n,) counts and negative binomial forecasts.
    seed
        Of the random spread.
    """
    mean, shape = np.maximum(mean, 1e-12), np.asarray(shape, dtype=float)
    chance = shape / (shape + mean)
    upto = nbinom.cdf(observed, shape, chance)
    before = np.where(observed > 0, nbinom.cdf(observed - 1, shape, chance), 0.0)
    place: FloatArray = before + np.random.default_rng(seed).random(len(observed)) * (upto - before)
    return place


def compare(scores: npt.ArrayLike, others: npt.ArrayLike) -> Comparison:
    """Compare two series of weekly mean scores, week by week.

    The mean difference has a Student interval whose variance allows weeks near one another to be alike
    (Newey and West 1987, Econometrica 55, with ``4 (n / 100)^(2/9)`` lags; Diebold and Mariano 1995, Journal
    of Business & Economic Statistics 13).

    Parameters
    ----------
    scores, others
        (n_weeks,) mean scores of this forecast and of the other, in order of time.

    Raises
    ------
    InvalidInputError
        Fewer than four weeks, or a score is missing.
    """
    mine, theirs = np.asarray(scores, dtype=float), np.asarray(others, dtype=float)
    faults = Faults()
    faults.check(mine.shape == theirs.shape and mine.ndim == 1, "give both forecasts one score a week")
    faults.check(len(mine) >= 4, f"{len(mine)} weeks are too few to compare; four are needed")
    faults.check(np.isfinite(mine).all() and np.isfinite(theirs).all(), "a week has no score")
    faults.raise_as(InvalidInputError, "Forecasts cannot be compared")
    gain = theirs - mine
    n = len(gain)
    off = gain - gain.mean()
    lags = min(int(4 * (n / 100) ** (2 / 9)), n - 2)
    variance = off @ off / n
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (off[lag:] @ off[:-lag]) / n
    reach = float(student.ppf((1 + CONFIDENCE) / 2, n - 1) * np.sqrt(max(variance, 0.0) / (n - 1)))
    mean = float(gain.mean())
    other = float(theirs.mean())
    skill = mean / other if other > 0 else 0.0
    return Comparison(Estimate(mean, mean - reach, mean + reach), skill, n)


def _check(observed: FloatArray, mean: FloatArray, shape: FloatArray) -> None:
    faults = Faults()
    known = observed[np.isfinite(observed)]
    faults.check(
        (known >= 0).all() and (known == np.floor(known)).all(), "counts must be whole and not negative"
    )
    faults.check(not (mean < 0).any() and not np.isinf(mean).any(), "means must be finite and not negative")
    faults.check(not (shape <= 0).any() and not np.isinf(shape).any(), "shapes must be finite and above zero")
    faults.raise_as(InvalidInputError, "The forecasts cannot be scored")
