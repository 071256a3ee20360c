"""Basins near each other are clogged together, beyond what is known of each: learned from what looks found.

A field over the city is added to the log odds of the state, with covariance ``variance exp(-distance /
reach)``. Its size is found by moments, from products of what was found less what was expected, of pairs of
looks; its value at a place by the looks around it. docs/methods/basins.md, "State of a basin".
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

REACHES_M = (100.0, 200.0, 400.0, 800.0)
AROUND = 2.5
"""Looks farther than this many reaches are left out."""
FEWEST_LOOKS = 200
MOST_PAIRS = 20_000
"""Looks from which pairs are taken at most."""
WAVES = 256
LOGISTIC_VARIANCE = np.pi**2 / 3


@dataclass(frozen=True, eq=False)
class Nearby:
    """The field at each basin.

    Attributes
    ----------
    reach_m, variance
        How far it reaches, and its variance on the log odds; 0: looks near each other agree no more than any.
    mean, spread
        (n_basins,) its mean after the looks, and its remaining standard deviation.
    xy_m
        (n_basins, 2) where basins lie, metres.
    """

    reach_m: float
    variance: float
    mean: FloatArray
    spread: FloatArray
    xy_m: FloatArray

    def latent(self, random: np.random.Generator) -> FloatArray:
        """Draw standard normal numbers, (n_basins,), that neighbours share as far as the field is not known.

        The field is a sum of cosines at random (Rahimi and Recht 2007, *Random features for large-scale
        kernel machines*); the covariance ``exp(-d / reach)`` is that of Cauchy distributed frequencies.
        """
        n = len(self.mean)
        own = random.standard_normal(n)
        if not self.variance:
            return own
        wave = random.standard_normal((2, WAVES)) / np.abs(random.standard_normal(WAVES)) / self.reach_m
        turn = random.uniform(0, 2 * np.pi, WAVES)
        field = np.zeros(n)
        for part in np.array_split(np.arange(n), max(1, n // 8192)):
            field[part] = np.cos(self.xy_m[part] @ wave + turn).sum(axis=1)
        shared = self.spread**2 / (self.spread**2 + LOGISTIC_VARIANCE)
        return np.asarray(np.sqrt(shared) * field * np.sqrt(2 / WAVES) + np.sqrt(1 - shared) * own)


def learn_nearby(xy_m: FloatArray, basin: IntArray, found: FloatArray, expected: FloatArray) -> Nearby:
    """Learn the field from looks.

    Parameters
    ----------
    xy_m
        (n_basins, 2) places in metres.
    basin, found, expected
        (n_looks,) which basin, 1 or 0, and the chance expected from all else.
    """
    n = len(xy_m)
    none = Nearby(REACHES_M[0], 0.0, np.zeros(n), np.zeros(n), xy_m)
    if len(basin) < FEWEST_LOOKS:
        return none
    off, weight = found - expected, expected * (1 - expected)
    reach, variance = _size(xy_m[basin], basin, off, weight)
    if variance <= 0:
        return none
    mean, known = np.zeros(n), np.zeros(n)
    looks = cKDTree(xy_m[basin])
    for part in np.array_split(np.arange(n), max(1, n // 10_000)):
        near = cKDTree(xy_m[part]).sparse_distance_matrix(looks, AROUND * reach, output_type="ndarray")
        nearness = np.exp(-near["v"] / reach)
        told = np.bincount(near["i"], nearness * off[near["j"]], len(part))
        # As many looks as if all stood on the spot.
        heard = np.bincount(near["i"], nearness**2 * weight[near["j"]], len(part))
        seen = np.bincount(near["i"], nearness * weight[near["j"]], len(part))
        mean[part] = variance * told / (1 + variance * seen)
        known[part] = variance * heard / (1 + variance * heard)
    return Nearby(reach, variance, mean, np.sqrt(variance * (1 - known)), xy_m)


def _size(at: FloatArray, basin: IntArray, off: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Reach and variance by least squares: products of pairs against what the field makes them."""
    some = np.arange(len(at))
    if len(some) > MOST_PAIRS:
        some = np.random.default_rng(0).choice(len(at), MOST_PAIRS, replace=False)
    pairs = cKDTree(at[some]).query_pairs(AROUND * REACHES_M[-2], output_type="ndarray")
    one, other = some[pairs[:, 0]], some[pairs[:, 1]]
    apart = basin[one] != basin[other]
    one, other = one[apart], other[apart]
    if not len(one):
        return REACHES_M[0], 0.0
    product, scale = off[one] * off[other], weight[one] * weight[other]
    distance = np.hypot(*(at[one] - at[other]).T)
    best = (REACHES_M[0], 0.0, 0.0)
    for reach in REACHES_M:
        made = scale * np.exp(-distance / reach)
        slope = float(product @ made / (made @ made))
        explained = slope * float(product @ made)
        if slope > 0 and explained > best[2]:
            best = (reach, slope, explained)
    return best[0], best[1]
