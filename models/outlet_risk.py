"""Whether an outlet has more incidents than expected: posterior, tests and ranks, pooled over allocations.

An outlet's own multiplier RR stands on its expectation E: ``O ~ Poisson(RR E)``, and among ordinary outlets
``RR ~ Gamma(1/alpha, 1/alpha)`` with mean 1, which makes O negative binomial. Hence ``RR | O ~ Gamma(1/alpha
+ O, rate 1/alpha + E)`` (Clayton and Kaldor 1987, Biometrics 43, 671-681; DuMouchel 1999, American
Statistician 53, 177-190).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, digamma, gammainc, gammaincc, gammaincinv, ndtr, ndtri, polygamma
from scipy.stats import t as student

from errors import Faults, InvalidInputError
from models.coverage import CONFIDENCE
from models.outlet_counts import NO_ALPHA, FloatArray, IntArray

RANK_DRAWS = 2000
"""Draws of all multipliers for ranks."""


@dataclass(frozen=True, eq=False)
class RelativeRisk:
    """Posterior of multipliers: mean, the ends of the interval, and the chance to exceed the threshold."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    p_over: FloatArray


def relative_risk(
    observed: npt.ArrayLike, expected: npt.ArrayLike, alpha: float, threshold: float = 1.0
) -> RelativeRisk:
    """Posterior of each outlet's multiplier given one set of counts.

    Parameters
    ----------
    observed
        (n,) incidents.
    expected
        (n,) expected incidents, above zero.
    alpha
        Overdispersion, zero or more. At zero ordinary outlets do not differ: every multiplier is 1.
    threshold
        c of P(RR > c).

    Raises
    ------
    InvalidInputError
        A count is negative, an expectation is not above zero, alpha or the threshold is negative.

    Examples
    --------
    >>> risk = relative_risk([10], [4.0], 0.5, 1.5)
    >>> float(risk.mean[0]), round(float(risk.p_over[0]), 3)
    (2.0, 0.803)
    """
    o, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    faults = Faults()
    faults.check(np.isfinite(o).all() and (o >= 0).all(), "counts must be finite and not negative")
    faults.check(np.isfinite(e).all() and (e > 0).all(), "expected counts must be above zero")
    faults.check(np.isfinite(alpha) and alpha >= 0, "alpha must be zero or more")
    faults.check(threshold > 0, "the threshold must be above zero")
    faults.raise_as(InvalidInputError, "Relative risks cannot be told")
    shape, rate = posterior(o, e, alpha)
    tail = (1 - CONFIDENCE) / 2
    low, high = gammaincinv(shape, tail) / rate, gammaincinv(shape, 1 - tail) / rate
    return RelativeRisk(shape / rate, low, high, gammaincc(shape, rate * threshold))


def posterior(
    observed: FloatArray, expected: FloatArray, alpha: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Shape and rate of the gamma posterior; alpha of zero is taken as next to nothing."""
    prior = 1 / np.maximum(alpha, NO_ALPHA)
    return prior + observed, prior + expected


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Smallest false discovery rate at which each test is rejected (Benjamini and Hochberg 1995, JRSS B 57).

    Parameters
    ----------
    p
        (n,) p-values, 0 to 1; NaN is no test and stays NaN.

    Examples
    --------
    >>> [round(float(q), 3) for q in benjamini_hochberg([0.01, 0.04, 0.03, 0.5])]
    [0.04, 0.053, 0.053, 0.5]
    """
    values = np.asarray(p, dtype=float)
    q = np.full(values.shape, np.nan)
    at = np.flatnonzero(np.isfinite(values))
    order = at[np.argsort(values[at], kind="stable")]
    scaled = values[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def upper_tail(observed: npt.ArrayLike, expected: npt.ArrayLike, alpha: npt.ArrayLike) -> FloatArray:
    """P(count >= observed) of an ordinary outlet: negative binomial, or Poisson where alpha is zero."""
    o, e, a = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (observed, expected, alpha)))
    size = 1 / np.maximum(a, NO_ALPHA)
    spread = betainc(np.maximum(o, 1.0), size, e / (size + e))
    chance = np.where(a > NO_ALPHA, spread, gammainc(np.maximum(o, 1.0), e))
    return np.where(o > 0, chance, 1.0)


def pooled_p(p: FloatArray) -> FloatArray:
    """One p-value an outlet from p-values (draws, n) of its allocations.

    Rubin's rules on the normal scale: ``z = Phi^-1(1 - p)`` has variance 1 within an allocation, so ``p = 1 -
    Phi(mean z / sqrt(1 + (1 + 1/m) var z))`` (Licht 2010, New Methods for Generating Significance Levels from
    Multiply-Imputed Data, Bamberg). A plain mean of p-values is no p-value under dependence.
    """
    z = -ndtri(np.clip(p, 1e-300, 1 - 1e-16))
    between = z.var(axis=0, ddof=1) if len(z) > 1 else np.zeros(z.shape[1])
    pooled: FloatArray = ndtr(-z.mean(axis=0) / np.sqrt(1 + (1 + 1 / len(z)) * between))
    return pooled


def pooled_interval(shape: FloatArray, rate: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give the ends of the interval of RR over allocations (draws, n), by Rubin's rules on log RR.

    The log of a gamma variable has mean ``digamma(shape) - log(rate)`` and variance ``trigamma(shape)``.
    Total variance is the mean within plus ``1 + 1/m`` times the variance between, with Rubin's degrees of
    freedom (1987, Multiple Imputation for Nonresponse in Surveys, section 3.3).
    """
    m = len(shape)
    center = digamma(shape) - np.log(rate)
    within = polygamma(1, shape).mean(axis=0)
    between = (1 + 1 / m) * center.var(axis=0, ddof=1) if m > 1 else np.zeros_like(within)
    with np.errstate(divide="ignore"):
        freedom = np.where(between > 0, max(m - 1, 1) * (1 + within / between) ** 2, np.inf)
    reach = student.ppf((1 + CONFIDENCE) / 2, np.minimum(freedom, 1e9)) * np.sqrt(within + between)
    middle = center.mean(axis=0)
    return np.exp(middle - reach), np.exp(middle + reach)


def rank_draws(shape: FloatArray, rate: FloatArray, *, seed: int) -> IntArray:
    """(draws, n) ranks of all outlets in posterior draws, 1 the highest, evenly over allocations."""
    random = np.random.default_rng(seed)
    times = max(1, RANK_DRAWS // len(shape))
    value = random.standard_gamma(shape, size=(times, *shape.shape)) / rate
    flat = value.reshape(-1, shape.shape[1])
    order = np.argsort(-flat, axis=1, kind="stable")
    ranks = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, np.arange(1, shape.shape[1] + 1)[None, :], axis=1)
    return ranks
