"""Compiled look-ups in the tables of ponds; :mod:`geo.drainage_ponds` tells in words what they do.

Importing this module imports numba, so it is imported only when a level is asked for.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@njit(cache=True, inline="always")
def between(  # noqa: PLR0917
    x: float, first: int, end: int, xs: FloatArray, ys: FloatArray, slope_beyond: float
) -> float:
    """Read y at x from rising tables, straight lines between the entries, a given slope past the last."""
    low, high = first, end - 1
    if x <= xs[low]:
        return float(ys[low])
    if x >= xs[high]:
        return float(ys[high] + (x - xs[high]) * slope_beyond)
    while high - low > 1:
        middle = (low + high) >> 1
        if xs[middle] <= x:
            low = middle
        else:
            high = middle
    return float(ys[low] + (x - xs[low]) / (xs[high] - xs[low]) * (ys[high] - ys[low]))


@njit(cache=True)
def levels(  # noqa: PLR0917
    node: IntArray,
    water_m3: FloatArray,
    start: IntArray,
    level_m: FloatArray,
    table_m3: FloatArray,
    covered_m2: FloatArray,
) -> FloatArray:
    """Level of each node's water, minus infinity where there is none."""
    found = np.full(len(node), -np.inf)
    for k in range(len(node)):
        n = node[k]
        if water_m3[k] > 0.0:
            found[k] = between(water_m3[k], start[n], start[n + 1], table_m3, level_m, 1.0 / covered_m2[n])
    return found


@njit(cache=True)
def volumes(  # noqa: PLR0917
    node: IntArray,
    at_m: FloatArray,
    start: IntArray,
    level_m: FloatArray,
    table_m3: FloatArray,
    covered_m2: FloatArray,
) -> FloatArray:
    """Water of each node at a level."""
    found = np.zeros(len(node))
    for k in range(len(node)):
        n = node[k]
        beyond = covered_m2[n] if covered_m2[n] < np.inf else 0.0
        found[k] = between(at_m[k], start[n], start[n + 1], level_m, table_m3, beyond)
    return found
