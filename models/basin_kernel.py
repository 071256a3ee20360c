"""Compiled sums for the order of basins within a pool; `models.basin_benefit` tells in words what they do.

Importing this module imports numba, so it is imported only when an order is asked for.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@njit(cache=True, nogil=True)
def surplus(  # noqa: PLR0917
    comes_m: FloatArray,
    inflow_m3: FloatArray,
    allowed_m: FloatArray,
    step_s: float,
    runoff_m2: FloatArray,
    served_m2: FloatArray,
    start: IntArray,
    low: BoolArray,
    flow_m3_s: FloatArray,
) -> FloatArray:
    """Water that each pond could not get rid of by itself so far, (steps, ponds) cubic metres.

    Without an upper limit: what spills in truth counts as still to be drained.
    """
    steps, ponds = len(comes_m), len(runoff_m2)
    out = np.zeros((steps, ponds))
    for pond in range(1, ponds):
        first, end = start[pond], start[pond + 1]
        low_m3 = 0.0
        for k in range(first, end):
            if low[k]:
                low_m3 += flow_m3_s[k] * step_s
        stands = 0.0
        for step in range(steps):
            comes = comes_m[step] * runoff_m2[pond]
            caught = 0.0
            if comes > 0.0 and end > first:
                share = comes / (end - first)
                for k in range(first, end):
                    if not low[k]:
                        caught += min(flow_m3_s[k] * step_s, share)
            allowed = allowed_m[step] * served_m2[pond]
            caught = min(caught, allowed)
            stands = max(stands + comes + inflow_m3[step, pond] - caught - min(low_m3, allowed - caught), 0.0)
            out[step, pond] = stands
    return out


@njit(cache=True, nogil=True)
def gains(  # noqa: PLR0917
    comes_m: FloatArray,
    allowed_m: FloatArray,
    step_s: float,
    runoff_m2: FloatArray,
    served_m2: FloatArray,
    start: IntArray,
    low: BoolArray,
    before_m3_s: FloatArray,
    after_m3_s: FloatArray,
    wet_from: IntArray,
    peak_at: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Clean the basins of each pond in the order of what each lets out alone, and tell what each one adds.

    Water drained is counted from the step in which the pond's pool is wet to the one of its peak. Returns the
    cubic metres that each basin adds, in ``start``'s order, and (2, ponds) of each pond: drained as it is,
    and allowed by the pumps.
    """
    n, ponds, steps = len(low), len(runoff_m2), len(comes_m)
    adds = np.zeros(n)
    totals = np.zeros((2, ponds))
    can, share = np.zeros(steps), np.zeros(steps)
    for pond in range(1, ponds):
        first, end = start[pond], start[pond + 1]
        wet, last = wet_from[pond], min(peak_at[pond] + 1, steps)
        if end == first or wet >= last:
            continue
        single = np.zeros(end - first)
        for step in range(wet, last):
            share[step] = comes_m[step] * runoff_m2[pond] / (end - first)
            can[step] = 0.0
        for k in range(first, end):
            for step in range(wet, last):
                limit = np.inf if low[k] else share[step]
                now = min(before_m3_s[k] * step_s, limit)
                can[step] += now
                single[k - first] += min(after_m3_s[k] * step_s, limit) - now
        by_gain = np.argsort(-single, kind="mergesort")
        drained = 0.0
        for step in range(wet, last):
            allowed = allowed_m[step] * served_m2[pond]
            totals[1, pond] += allowed
            drained += min(can[step], allowed)
        totals[0, pond] = drained
        ceiling = np.inf
        for place in range(end - first):
            k = first + by_gain[place]
            if single[by_gain[place]] <= 0.0:
                continue
            total = 0.0
            for step in range(wet, last):
                limit = np.inf if low[k] else share[step]
                can[step] += min(after_m3_s[k] * step_s, limit) - min(before_m3_s[k] * step_s, limit)
                total += min(can[step], allowed_m[step] * served_m2[pond])
            # No basin adds more than the one before it, so that pools can be merged by what is added.
            ceiling = min(ceiling, max(total - drained, 0.0))
            adds[k] = ceiling
            drained = total
    return adds, totals
