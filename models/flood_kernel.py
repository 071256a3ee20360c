"""The storm's steps as compiled code; :mod:`models.flood` tells in words what they do.

Importing this module imports numba, so it is imported only when a storm is run. All compiled functions stand
in this one file, because numba's cache looks only at the file of the function it keeps.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

OUT = 0
TINY_M3 = 1e-9
"""Less than this is a dry node whatever rounding says."""


@njit(cache=True, nogil=True)
def sort_groups(flow_m3_s: FloatArray, group_first: IntArray) -> tuple[FloatArray, FloatArray]:
    """Sort the inlets of each group by what they take, and add them up from the smallest on."""
    rising, summed = flow_m3_s.copy(), np.empty(len(flow_m3_s))
    for g in range(len(group_first) - 1):
        first, end = group_first[g], group_first[g + 1]
        rising[first:end].sort()
        total = 0.0
        for k in range(first, end):
            total += rising[k]
            summed[k] = total
    return rising, summed


@njit(cache=True, nogil=True)
def taken_on_slopes(share_m3_s: float, first: int, end: int, rising: FloatArray, summed: FloatArray) -> float:
    """Sum what the inlets of a group take when each is passed by the same flow, m3/s."""
    low, high = first, end
    while low < high:
        middle = (low + high) >> 1
        if rising[middle] <= share_m3_s:
            low = middle + 1
        else:
            high = middle
    return (summed[low - 1] if low > first else 0.0) + (end - low) * share_m3_s


@njit(cache=True, nogil=True)
def catch(  # noqa: PLR0917
    rain_m: float,
    allowed_m: float,
    step_s: float,
    runoff_m2: FloatArray,
    served_m2: FloatArray,
    start: IntArray,
    rising: FloatArray,
    summed: FloatArray,
    group_start: IntArray,
    group_first: IntArray,
    group_node: IntArray,
    arriving: FloatArray,
    spare: FloatArray,
    want: FloatArray,
    drained: FloatArray,
) -> float:
    """Let the inlets take what they can of a step's runoff, within the pumps' allowance.

    ``arriving`` is what they leave, ``spare`` what each group may still take from water that stands over it,
    and ``want`` the same by node. Adds to ``drained`` by pond; returns what was taken.
    """
    total = 0.0
    want[:] = 0.0
    for pond in range(len(runoff_m2)):
        comes, allowed = rain_m * runoff_m2[pond], allowed_m * served_m2[pond]
        basins = max(start[pond + 1] - start[pond], 1)
        caught = low = 0.0
        for g in range(group_start[pond], group_start[pond + 1]):
            first, end = group_first[g], group_first[g + 1]
            spare[g] = summed[end - 1] * step_s
            if pond > OUT and group_node[g] == pond:
                low = spare[g]
            elif comes > 0.0:
                took = taken_on_slopes(comes / step_s / basins, first, end, rising, summed) * step_s
                caught += took
                spare[g] = max(spare[g] - took, 0.0)
        caught = min(caught, allowed)
        can = min(low, allowed - caught)
        at_once = min(can, comes - caught)
        arriving[pond] = comes - caught - at_once
        drained[pond] += caught + at_once
        total += caught + at_once
        allowed -= caught + can
        for g in range(group_start[pond], group_start[pond + 1]):
            node = group_node[g]
            if node == OUT:
                spare[g] = 0.0
            elif node == pond:
                spare[g] = can - at_once
            else:
                spare[g] = min(spare[g], allowed)
                allowed -= spare[g]
            want[node] += spare[g]
    return total


@njit(cache=True, nogil=True)
def drain(want: FloatArray, held: FloatArray, full: BoolArray, parts: IntArray, left: FloatArray) -> float:
    """Let every pool give what the inlets of its ponds can still take, the top water first.

    ``want`` holds what each pond's inlets can take on entry, and is summed over parts here. Once the water
    over a pass is gone the pools below it are apart, and the inlets in each spend what is left of the step on
    their own. ``left`` tells on return for which share of the step the inlets of each node had nothing to
    take. Returns what went.
    """
    nodes, gone = len(parts), 0.0
    for node in range(1, nodes):
        left[node] = 1.0
        if parts[node, 0] >= 0:
            want[node] += want[parts[node, 0]] + want[parts[node, 1]]
    for node in range(nodes - 1, 0, -1):
        wanted = left[node] * want[node]
        if wanted > 0.0:
            # Whatever goes, goes from this node or from below it.
            full[node] = False
            taken = min(held[node], wanted)
            held[node] -= taken
            gone += taken
            left[node] *= 1.0 - taken / wanted
        for k in range(2):
            if parts[node, k] >= 0:
                left[parts[node, k]] = left[node]
    return gone


@njit(cache=True, nogil=True)
def _root(above: IntArray, node: int) -> int:
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node


@njit(cache=True, nogil=True)
def pour(  # noqa: C901, PLR0917
    water_m3: FloatArray,
    held: FloatArray,
    full: BoolArray,
    above: IntArray,
    parent: IntArray,
    parts: IntArray,
    into: IntArray,
    room_m3: FloatArray,
    spilled: FloatArray,
) -> float:
    """Pour each pond's water on what stands: fill, spill to the neighbour, merge.

    The rules of :func:`geo.drainage_kernels.spread_water`, on water that is there already. Returns what went
    out.
    """
    for node in range(len(parent) - 1, -1, -1):
        outer = parent[node]
        above[node] = above[outer] if outer > OUT and full[outer] and full[node] else node
    out = 0.0
    for pond in range(len(water_m3)):
        left, at = water_m3[pond], pond
        while left > 0.0:
            if at == OUT:
                out += left
                break
            node = at
            if full[node]:
                top = _root(above, node)
                whole = parent[top]
                beside = -1
                if whole > OUT:
                    beside = parts[whole, 0] + parts[whole, 1] - top
                if beside < 0 or not full[beside]:
                    spilled[top] += left
                    at = into[top]
                    continue
                node = whole
            room = room_m3[node] - held[node]
            if left < room:
                held[node] += left
                break
            left -= room
            held[node] = room_m3[node]
            full[node] = True
            for k in range(2):
                if parts[node, k] >= 0:
                    above[parts[node, k]] = node
            at = node
    return out


@njit(cache=True, nogil=True)
def run_steps(  # noqa: C901, PLR0917
    rain_m: FloatArray,
    allowed_m: FloatArray,
    step_s: float,
    runoff_m2: FloatArray,
    served_m2: FloatArray,
    start: IntArray,
    flow_m3_s: FloatArray,
    group_start: IntArray,
    group_first: IntArray,
    group_node: IntArray,
    parent: IntArray,
    parts: IntArray,
    into: IntArray,
    room_m3: FloatArray,
    deep_node: IntArray,
    deep_m3: FloatArray,
    inflow_m3: FloatArray,
    history: FloatArray,
) -> tuple[FloatArray, BoolArray, FloatArray, IntArray, FloatArray, FloatArray, FloatArray]:
    """Run all steps of a storm.

    ``inflow_m3`` (steps, ponds), or empty, comes from elsewhere. Into ``history`` (steps, nodes), or empty,
    goes what had passed each pour point by the end of each step.
    Returns the most that each node held beyond its parts, whether it was ever full, what it holds at the end,
    the steps in which each pond was deep, what each pond's inlets took, what passed each node's pour point,
    and by step (3, steps) the water that stands, that was taken and that went out so far.
    """
    nodes, ponds, steps = len(parent), len(runoff_m2), len(rain_m)
    held, peak, spilled = np.zeros(nodes), np.zeros(nodes), np.zeros(nodes)
    full, was_full = np.zeros(nodes, dtype=np.bool_), np.zeros(nodes, dtype=np.bool_)
    want, left = np.zeros(nodes), np.ones(nodes)
    spare = np.zeros(len(group_node))
    rising, summed = sort_groups(flow_m3_s, group_first)
    above = np.arange(nodes)
    arriving, drained = np.zeros(ponds), np.zeros(ponds)
    deep = np.zeros(ponds, dtype=np.int64)
    series = np.zeros((3, steps))
    out = drained_all = 0.0
    wet = False
    for step in range(steps):
        rain = rain_m[step]
        if rain > 0.0 or wet or len(inflow_m3):
            drained_all += catch(
                rain,
                allowed_m[step],
                step_s,
                runoff_m2,
                served_m2,
                start,
                rising,
                summed,
                group_start,
                group_first,
                group_node,
                arriving,
                spare,
                want,
                drained,
            )
            if len(inflow_m3):
                arriving += inflow_m3[step]
            if wet:
                drained_all += drain(want, held, full, parts, left)
                for pond in range(1, ponds):
                    for g in range(group_start[pond], group_start[pond + 1]):
                        drained[pond] += spare[g] * (1.0 - left[group_node[g]])
            out += pour(arriving, held, full, above, parent, parts, into, room_m3, spilled)
            standing = 0.0
            for node in range(1, nodes):
                standing += held[node]
                peak[node] = max(peak[node], held[node])
                was_full[node] |= full[node]
            for pond in range(1, ponds):
                node = deep_node[pond]
                if node > OUT and (full[node] or held[node] >= max(deep_m3[pond], TINY_M3)):
                    deep[pond] += 1
            wet = standing > 0.0
            series[0, step] = standing
        series[1, step], series[2, step] = drained_all, out
        if len(history):
            history[step] = spilled
    return peak, was_full, held, deep, drained, spilled, series


@njit(cache=True, nogil=True)
def depths(label: npt.NDArray[np.int32], dem_m: FloatArray, level_m: FloatArray) -> npt.NDArray[np.float32]:
    """Depth of water over each cell, NaN without ground."""
    rows, columns = label.shape
    found = np.empty((rows, columns), dtype=np.float32)
    for row in range(rows):
        for column in range(columns):
            at = label[row, column]
            if at < 0:
                found[row, column] = np.nan
            else:
                found[row, column] = max(level_m[at] - dem_m[row, column], 0.0)
    return found
