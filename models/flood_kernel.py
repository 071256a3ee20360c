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


@njit(cache=True, nogil=True)
def catch_on_slopes(  # noqa: PLR0917
    runoff_m3: float,
    first: int,
    end: int,
    seconds: float,
    slope_m3_s: FloatArray,
    group: IntArray,
    spare_m3: FloatArray,
) -> float:
    """Take from each basin's even share of a pond's runoff what its inlet can; 0 for those that are low.

    What is taken is no longer to be had in its group's ``spare_m3``.
    """
    share = runoff_m3 / max(end - first, 1)
    caught = 0.0
    for k in range(first, end):
        took = min(slope_m3_s[k] * seconds, share)
        caught += took
        if group[k] >= 0:
            spare_m3[group[k]] -= took
    return caught


@njit(cache=True, nogil=True)
def catch(  # noqa: PLR0917
    rain_m: float,
    allowed_m: float,
    step_s: float,
    runoff_m2: FloatArray,
    served_m2: FloatArray,
    start: IntArray,
    slope_m3_s: FloatArray,
    low_m3_s: FloatArray,
    group: IntArray,
    group_start: IntArray,
    group_node: IntArray,
    arriving: FloatArray,
    low_spare: FloatArray,
    spare: FloatArray,
    want: FloatArray,
    drained: FloatArray,
) -> float:
    """Let the inlets take what they can of a step's runoff, within the pumps' allowance.

    ``arriving`` is what they leave, ``low_spare`` and ``spare`` (by group, full on entry) what those under
    water may still take from what stands, ``want`` the same by node. Adds to ``drained``; returns what was
    taken.
    """
    total = 0.0
    want[:] = 0.0
    for pond in range(len(runoff_m2)):
        comes, allowed = rain_m * runoff_m2[pond], allowed_m * served_m2[pond]
        caught = 0.0
        if comes > 0.0:
            caught = catch_on_slopes(comes, start[pond], start[pond + 1], step_s, slope_m3_s, group, spare)
            caught = min(caught, allowed)
        can = min(low_m3_s[pond] * step_s, allowed - caught)
        at_once = min(can, comes - caught)
        arriving[pond] = comes - caught - at_once
        drained[pond] += caught + at_once
        total += caught + at_once
        low_spare[pond] = can - at_once
        want[pond] = low_spare[pond]
        allowed -= caught + can
        for g in range(group_start[pond], group_start[pond + 1]):
            # Differences of sums may fall below zero by rounding.
            spare[g] = max(min(spare[g], allowed), 0.0)
            allowed -= spare[g]
            want[group_node[g]] += spare[g]
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
    slope_m3_s: FloatArray,
    low_m3_s: FloatArray,
    group: IntArray,
    group_start: IntArray,
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
    spare, idle, low_spare = np.zeros(len(group_node)), np.zeros(len(group_node)), np.zeros(ponds)
    for k in range(len(group)):
        if group[k] >= 0:
            idle[group[k]] += slope_m3_s[k] * step_s
    above = np.arange(nodes)
    arriving, drained = np.zeros(ponds), np.zeros(ponds)
    deep = np.zeros(ponds, dtype=np.int64)
    series = np.zeros((3, steps))
    out = drained_all = 0.0
    wet = False
    for step in range(steps):
        rain = rain_m[step]
        if rain > 0.0 or wet or len(inflow_m3):
            spare[:] = idle
            drained_all += catch(
                rain,
                allowed_m[step],
                step_s,
                runoff_m2,
                served_m2,
                start,
                slope_m3_s,
                low_m3_s,
                group,
                group_start,
                group_node,
                arriving,
                low_spare,
                spare,
                want,
                drained,
            )
            if len(inflow_m3):
                arriving += inflow_m3[step]
            if wet:
                drained_all += drain(want, held, full, parts, left)
                for pond in range(1, ponds):
                    drained[pond] += low_spare[pond] * (1.0 - left[pond])
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
                if node > OUT and (full[node] or held[node] >= deep_m3[pond]):
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
