"""How concentrated incidents are: the J-curve beside chance, and the Gini coefficient for sparse counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.coverage import CONFIDENCE

FloatArray = npt.NDArray[np.float64]

NULL_DRAWS = 999


@dataclass(frozen=True, eq=False)
class JCurve:
    """Share of incidents at the places that have most of them, beside what chance alone would give.

    A curve over places ranked by incidents bends like a J even when all places are alike; the null shows how
    much.

    Attributes
    ----------
    places
        (n + 1,) share of places, from the one with most incidents on; starts at 0.
    share
        (n + 1,) share of all incidents at those places.
    null, null_low, null_high
        (n + 1,) the same when the incidents fall by chance: mean, and the ends that hold 95% of the draws.
    gini, gini_null
        Generalised Gini of the counts, and its mean by chance.
    p
        Chance of a Gini as high, from the draws, the counts themselves among them (Davison and Hinkley 1997,
        Bootstrap Methods and their Application, section 4.2).
    """

    places: FloatArray
    share: FloatArray
    null: FloatArray
    null_low: FloatArray
    null_high: FloatArray
    gini: float
    gini_null: float
    p: float

    def share_of(self, places: float) -> tuple[float, float]:
        """Share of incidents at that share of places: as counted, and by chance."""
        return (
            float(np.interp(places, self.places, self.share)),
            float(np.interp(places, self.places, self.null)),
        )


def generalised_gini(counts: npt.ArrayLike) -> float:
    """Gini coefficient against the most even spread that whole counts allow; 0 is most even.

    ``G' = max(1, n / c) (G - 1) + 1`` for c incidents at n places, with ``G = (2 sum of i y_i) / (n c) - (n +
    1) / n``, counts y rising (Bernasco and Steenbeek 2017, Journal of Quantitative Criminology 33, 451-467):
    with fewer incidents than places not every place can have one, and the plain coefficient G takes that for
    concentration. NaN where there is no incident.

    Parameters
    ----------
    counts
        (n,) incidents of each place, zero or more.

    Examples
    --------
    >>> round(generalised_gini([5, 2, 1, 0, 0, 0, 0, 0, 0, 0]), 3)
    0.75
    """
    return float(_gini(_checked(counts)[None])[0])


def j_curve(
    counts: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, draws: int = NULL_DRAWS, seed: int = 0
) -> JCurve:
    """Rank places by incidents and compare with as many incidents thrown by chance.

    Parameters
    ----------
    counts
        (n,) incidents of each place, at least one in all.
    weights
        (n,) what chance throws by, such as expected incidents or open hours; the same for all when not given.
        The total is kept: a multinomial draw, which is Poisson counts given their sum.
    draws
        Of chance.
    seed
        Of the draws.

    Raises
    ------
    InvalidInputError
        A count is negative or not whole, there is no incident, or weights do not fit.
    """
    y = _checked(counts)
    faults = Faults()
    faults.check(y.sum() > 0, "there is not one incident")
    faults.check(draws > 0, "one draw at least is needed")
    even = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    fitting = even.shape == y.shape and np.isfinite(even).all() and (even >= 0).all() and even.sum() > 0
    faults.check(fitting, "give each place a weight of zero or more, one above zero")
    faults.raise_as(InvalidInputError, "A J-curve cannot be drawn")
    total = y.sum()
    thrown = np.random.default_rng(seed).multinomial(int(total), even / even.sum(), size=draws).astype(float)
    curves = _curve(thrown)
    low, high = np.percentile(curves, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)], axis=0)
    gini, by_chance = float(_gini(y[None])[0]), _gini(thrown)
    return JCurve(
        places=np.linspace(0.0, 1.0, len(y) + 1),
        share=_curve(y[None])[0],
        null=curves.mean(axis=0),
        null_low=low,
        null_high=high,
        gini=gini,
        gini_null=float(by_chance.mean()),
        p=float((1 + (by_chance >= gini - 1e-12).sum()) / (1 + draws)),
    )


def _curve(counts: FloatArray) -> FloatArray:
    """(draws, n + 1) share of incidents at the 0, 1, ..., n places that have most."""
    ranked = -np.sort(-counts, axis=1)
    curve = np.zeros((len(counts), counts.shape[1] + 1))
    np.cumsum(ranked, axis=1, out=curve[:, 1:])
    return curve / curve[:, -1:]


def _gini(counts: FloatArray) -> FloatArray:
    """(draws,) generalised Gini of each row."""
    n, total = counts.shape[1], counts.sum(axis=1)
    rising = np.sort(counts, axis=1) @ np.arange(1.0, n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = 2 * rising / (n * total) - (n + 1) / n
        return np.where(total > 0, np.maximum(1.0, n / total) * (plain - 1) + 1, np.nan)


def _checked(counts: npt.ArrayLike) -> FloatArray:
    y = np.asarray(counts, dtype=float)
    faults = Faults()
    faults.check(y.ndim == 1 and len(y) > 0, "give the counts of one place at least")
    faults.raise_as(InvalidInputError, "Concentration cannot be measured")
    bad = ~np.isfinite(y) | (y < 0) | (y != np.floor(y))
    faults.check(not bad.any(), f"{int(bad.sum())} counts are missing, negative or not whole")
    faults.raise_as(InvalidInputError, "Concentration cannot be measured")
    return y
