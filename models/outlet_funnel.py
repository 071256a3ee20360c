"""Funnel limits of standardised ratios, and the overdispersion around them (Spiegelhalter 2005)."""

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

from errors import Faults, InvalidInputError
from models.outlet_counts import FloatArray

WINSORISED = 0.1
"""Share of z-scores pulled in at each end before overdispersion is measured."""


def funnel_limits(
    expected: npt.ArrayLike, level: float = 0.95, overdispersion: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Limits of observed / expected around 1 for an outlet with so many expected incidents.

    Exact Poisson limits with interpolation (Spiegelhalter 2005, Statistics in Medicine 24, 1185-1202,
    appendix A.1): with r the smallest whole number for which ``P(O <= r) >= p``, ``limit = (r - (P(O <= r) -
    p) / P(O = r)) / E`` for ``p = (1 - level) / 2`` and ``(1 + level) / 2``. With multiplicative
    overdispersion phi the distance from 1 is ``sqrt(phi)`` times as long; no limit is below zero.

    Parameters
    ----------
    expected
        (n,) above zero.
    level
        Share of ordinary outlets inside, such as 0.95 or 0.998.
    overdispersion
        phi of `overdispersion`; 1 is none.

    Examples
    --------
    >>> low, high = funnel_limits([10.0])
    >>> round(float(low[0]), 3), round(float(high[0]), 3)
    (0.378, 1.616)
    """
    e = np.asarray(expected, dtype=float)
    faults = Faults()
    faults.check(np.isfinite(e).all() and (e > 0).all(), "expected counts must be above zero")
    faults.check(0 < level < 1, "the level must lie between 0 and 1")
    faults.check(np.isfinite(overdispersion) and overdispersion >= 1, "overdispersion must be 1 or more")
    faults.raise_as(InvalidInputError, "Limits cannot be drawn")
    low, high = (_limit(e, p) for p in ((1 - level) / 2, (1 + level) / 2))
    wider = np.sqrt(overdispersion)
    return np.maximum(1 + (low - 1) * wider, 0.0), 1 + (high - 1) * wider


def overdispersion(
    observed: npt.ArrayLike, expected: npt.ArrayLike, *, winsorised: float = WINSORISED
) -> float:
    """Phi: mean square of winsorised z-scores, 1 where it is not clearly above 1.

    ``z = (O - E) / sqrt(E)``, the lowest and highest tenth set to the quantile there; phi is the mean of
    their squares, used where ``n phi > n + 2 sqrt(2 n)``, two standard deviations above what chance gives
    (Spiegelhalter 2005, Statistics in Medicine 24, appendix A.3; Quality and Safety in Health Care 14,
    347-351).

    Parameters
    ----------
    observed, expected
        (n,) incidents, and expected ones above zero.
    winsorised
        Share at each end, 0 to less than a half.
    """
    o, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    faults = Faults()
    faults.check(
        o.shape == e.shape and o.ndim == 1 and len(o) > 0, "give each outlet a count and an expected one"
    )
    faults.check(
        (e > 0).all() and np.isfinite(o).all(), "expected counts must be above zero, observed finite"
    )
    faults.check(0 <= winsorised < 0.5, "less than half can be pulled in at each end")
    faults.raise_as(InvalidInputError, "Overdispersion cannot be measured")
    z = (o - e) / np.sqrt(e)
    low, high = np.quantile(z, [winsorised, 1 - winsorised])
    phi = float((np.clip(z, low, high) ** 2).mean())
    n = len(z)
    return phi if n * phi > n + 2 * np.sqrt(2 * n) else 1.0


def _limit(expected: FloatArray, p: float) -> FloatArray:
    r = poisson.ppf(p, expected)
    return (r - (poisson.cdf(r, expected) - p) / poisson.pmf(r, expected)) / expected
