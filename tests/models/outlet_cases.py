"""A small city of outlets whose true multipliers are known, with incidents shared among neighbors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.outlets import Disproportion, analyse

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NAMES = ("capacity", "others near", "control incidents", "idle")
EFFECT = {"bar": 0.5, "restaurant": -0.2, "store": 0.0, "hotel": 0.1}
AT_A_CORNER = 5
CORNERS_A_BLOCK = 6


@dataclass(frozen=True, eq=False)
class PlantedCity:
    """Allocations of incidents and the truth behind them."""

    counts: npt.NDArray[np.int64]
    hours: FloatArray
    covariates: FloatArray
    category: list[str]
    block: list[str]
    multiplier: FloatArray
    planted: BoolArray
    expected: FloatArray

    def analysed(self, **options: Any) -> Disproportion:  # noqa: ANN401
        """Analyse it; outlets are named by number."""
        door = [f"{i:05d}" for i in range(len(self.hours))]
        given = {"door": door, "names": NAMES, **options}
        return analyse(self.counts, self.hours, self.covariates, self.block, self.category, **given)


def planted_city(
    seed: int,
    *,
    outlets: int = 900,
    planted: int = 20,
    alpha: float = 0.2,
    mean: float = 22.0,
    astray: float = 0.2,
    draws: int = 20,
) -> PlantedCity:
    """Negative binomial counts with planted outlets of 2.5 to 5 times their own, and allocation noise.

    Every outlet's multiplier is gamma with mean 1 and variance ``alpha``, times the planted one. ``astray``
    of an outlet's incidents fall to the others at its corner, drawn anew in each allocation; totals are kept.
    """
    random = np.random.default_rng(seed)
    corner = np.arange(outlets) // AT_A_CORNER
    covariates = random.normal(size=(outlets, len(NAMES)))
    category = [str(kind) for kind in random.choice(list(EFFECT), outlets, p=[0.4, 0.35, 0.2, 0.05])]
    hours = random.uniform(30, 168, outlets)
    expected = hours * np.exp(covariates @ [0.4, 0.2, 0.3, 0.0] + [EFFECT[kind] for kind in category])
    expected *= mean / expected.mean()
    ordinary = random.gamma(1 / alpha, alpha, outlets) if alpha > 0 else np.ones(outlets)
    bad = np.zeros(outlets, dtype=bool)
    bad[random.choice(outlets, planted, replace=False)] = True
    multiplier = ordinary * np.where(bad, random.uniform(2.5, 5.0, outlets), 1.0)
    incidents = random.poisson(expected * multiplier)
    weights = np.full((AT_A_CORNER, AT_A_CORNER), astray / (AT_A_CORNER - 1))
    np.fill_diagonal(weights, 1 - astray)
    counts = np.zeros((draws, outlets), dtype=np.int64)
    for at in range(outlets):
        first = corner[at] * AT_A_CORNER
        counts[:, first : first + AT_A_CORNER] += random.multinomial(
            incidents[at], weights[at - first], size=draws
        )
    block = [f"block {number // CORNERS_A_BLOCK}" for number in corner]
    return PlantedCity(counts, hours, covariates, category, block, multiplier, bad, expected)
