"""Compiled floods over a surface; the modules that call them tell in words what they do.

Importing this module imports numba, so it is imported only when a surface is flooded. All compiled functions
stand in this one file, because numba's cache looks only at the file of the function it keeps. Some are long:
a loop over millions of cells is read best in one piece.

A surface is flat here, with a ring of no ground (NaN) around it, so that every cell has eight neighbours:
``shifts`` holds what to add to a cell's number to reach them, the four that come later first.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
LabelArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]

NO_GROUND = -1
OUT = 0
"""Label and node of everything that water reaches when it has left the surface."""


@njit(cache=True)
def _sink(keys: FloatArray, cells: IntArray, size: int, key: float, cell: int) -> None:
    """Put an entry into the heap of ``size`` entries, lowest key at its top."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if keys[above] <= key:
            break
        keys[at], cells[at] = keys[above], cells[above]
        at = above
    keys[at], cells[at] = key, cell


@njit(cache=True)
def _drop_top(keys: FloatArray, cells: IntArray, size: int) -> None:
    """Take the top off the heap of ``size`` entries."""
    last = size - 1
    key, cell, at = keys[last], cells[last], 0
    while True:
        below = 2 * at + 1
        if below >= last:
            break
        if below + 1 < last and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[at], cells[at] = keys[below], cells[below]
        at = below
    keys[at], cells[at] = key, cell


@njit(cache=True)
def flood_from_outlets(z: FloatArray, sill: FloatArray, shifts: IntArray) -> FloatArray:  # noqa: C901
    """Priority-Flood with a plain queue for what stands under water (Barnes, Lehman and Mulla 2014, alg. 2).

    Returns the level to which each cell fills, infinite where no outlet is reached, NaN without ground.
    """
    n = len(z)
    filled = np.full(n, np.nan)
    seen = np.isnan(z)
    # A cell stands in the heap at most twice: with its own sill, and as somebody's neighbour.
    most = n + np.sum(sill < np.inf)
    keys, cells = np.empty(most), np.empty(most, dtype=np.int64)
    queue = np.empty(n, dtype=np.int64)
    size = 0
    for cell in range(n):
        if seen[cell]:
            continue
        filled[cell] = np.inf
        if sill[cell] < np.inf:
            filled[cell] = max(z[cell], sill[cell])
            _sink(keys, cells, size, filled[cell], cell)
            size += 1
    head = tail = 0
    while size > 0 or head < tail:
        if head < tail:
            cell = queue[head]
            head += 1
        else:
            head = tail = 0
            cell = cells[0]
            _drop_top(keys, cells, size)
            size -= 1
            # An outlet may stand in the heap with its own sill although water left it by a lower way.
            if seen[cell]:
                continue
            seen[cell] = True
        level = filled[cell]
        for k in range(8):
            near = cell + shifts[k]
            if seen[near] or filled[near] <= level:
                continue
            if z[near] <= level:
                filled[near] = level
                seen[near] = True
                queue[tail] = near
                tail += 1
            elif z[near] < filled[near]:
                filled[near] = z[near]
                _sink(keys, cells, size, z[near], near)
                size += 1
    return filled


@njit(cache=True)
def label_leaves(  # noqa: C901
    z: FloatArray, order: IntArray, drains: BoolArray, shifts: IntArray, near_m: FloatArray
) -> tuple[LabelArray, IntArray]:
    """Give each cell the pit that its water runs to, by steepest descent; flats drain to their nearest edge.

    ``order`` holds the cells with ground by rising level. Water that comes to a cell of ``drains`` is out.
    Returns the label of each cell, and a cell of each pit, the first entry standing for ``OUT``.
    """
    label = np.full(len(z), NO_GROUND, dtype=np.int32)
    queue = np.empty(len(order), dtype=np.int64)
    pits = np.empty(len(order) + 1, dtype=np.int64)
    pits[0] = -1
    leaves, start = 0, 0
    while start < len(order):
        level, end = z[order[start]], start
        tail = 0
        while end < len(order) and z[order[end]] == level:
            cell = order[end]
            end += 1
            if drains[cell]:
                label[cell] = OUT
                queue[tail] = cell
                tail += 1
                continue
            steepest, found = 0.0, -1
            for k in range(8):
                near = cell + shifts[k]
                slope = (level - z[near]) / near_m[k]
                if slope > steepest:
                    steepest, found = slope, near
            if found >= 0:
                label[cell] = label[found]
                queue[tail] = cell
                tail += 1
        # First the flat's cells that have a way down, and those they drain; what is left is floors of pits.
        for number in range(start - 1, end):
            if number >= start:
                cell = order[number]
                if label[cell] != NO_GROUND:
                    continue
                leaves += 1
                pits[leaves] = cell
                label[cell] = leaves
                queue[0] = cell
                tail = 1
            head = 0
            while head < tail:
                cell = queue[head]
                head += 1
                for k in range(8):
                    near = cell + shifts[k]
                    if z[near] == level and label[near] == NO_GROUND:
                        label[near] = label[cell]
                        queue[tail] = near
                        tail += 1
        start = end
    return label, pits[: leaves + 1]


@njit(cache=True)
def find_passes(  # noqa: C901
    z: FloatArray, label: LabelArray, sill: FloatArray, shifts: IntArray
) -> tuple[FloatArray, IntArray, IntArray]:
    """Find every step from one label to another: its level, its two labels (n, 2), and its higher cell.

    Steps over an outlet's sill come first, so that a stable sort puts leaving before joining.
    """
    count = 0
    for cell in range(len(z)):
        here = label[cell]
        if here == NO_GROUND:
            continue
        if here != OUT and sill[cell] < np.inf:
            count += 1
        for k in range(4):
            there = label[cell + shifts[k]]
            if there != here and there > NO_GROUND:
                count += 1
    level, cells = np.empty(count), np.empty(count, dtype=np.int64)
    ends = np.empty((count, 2), dtype=np.int64)
    at = 0
    for leaving in (True, False):
        for cell in range(len(z)):
            here = label[cell]
            if here == NO_GROUND:
                continue
            if leaving and here != OUT and sill[cell] < np.inf:
                level[at], cells[at] = max(z[cell], sill[cell]), cell
                ends[at, 0], ends[at, 1] = here, OUT
                at += 1
            for k in range(4):
                near = cell + shifts[k]
                there = label[near]
                if there == here or there <= NO_GROUND or leaving != (here * there == OUT):
                    continue
                higher = cell if z[cell] >= z[near] else near
                level[at], cells[at] = z[higher], higher
                ends[at, 0], ends[at, 1] = here, there
                at += 1
    return level, ends, cells


@njit(cache=True)
def _root(above: IntArray, node: int) -> int:
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node


@njit(cache=True)
def merge_leaves(
    leaves: int, level: FloatArray, ends: IntArray, cells: IntArray, by_level: IntArray
) -> tuple[IntArray, IntArray, FloatArray, IntArray, IntArray]:
    """Join pits over their lowest passes (Barnes, Callaghan and Wickert 2020, section 4, by Kruskal's order).

    Returns for each node (``OUT``, the leaves, then what merged, each after its parts): the node that it is
    part of (``OUT`` where it spills off by itself, -1 where water has no way on), its two parts (-1 for a
    leaf), the level at which it spills, the cell it spills over, the leaf it spills into.
    """
    most = 2 * leaves + 1
    above = np.arange(most)
    parent = np.full(most, -1, dtype=np.int64)
    parts = np.full((most, 2), -1, dtype=np.int64)
    spill_m = np.full(most, np.inf)
    pour_cell = np.full(most, -1, dtype=np.int64)
    into = np.full(most, -1, dtype=np.int64)
    nodes = leaves + 1
    for step in by_level:
        ends_here = ends[step]
        first, second = _root(above, ends_here[0]), _root(above, ends_here[1])
        if first == second:
            continue
        for node, leaf in ((first, ends_here[1]), (second, ends_here[0])):
            if node != OUT:
                spill_m[node], pour_cell[node], into[node] = level[step], cells[step], leaf
        if first * second == OUT:
            inner = first + second
            parent[inner] = OUT
            above[inner] = OUT
            continue
        parts[nodes, 0], parts[nodes, 1] = first, second
        parent[first] = parent[second] = nodes
        above[first] = above[second] = nodes
        nodes += 1
    return parent[:nodes], parts[:nodes], spill_m[:nodes], pour_cell[:nodes], into[:nodes]


@njit(cache=True)
def find_homes(
    z: FloatArray, order: IntArray, label: LabelArray, parent: IntArray, spill_m: FloatArray
) -> IntArray:
    """Name for each cell of ``order`` the smallest node that puts it under water, ``OUT`` where none does."""
    above = np.arange(len(parent))
    home = np.empty(len(order), dtype=np.int64)
    for k in range(len(order)):
        node = label[order[k]]
        # Cells come by rising level, so a node once too low for a cell is too low for all that follow.
        while node != OUT:
            node = _root(above, node)
            if node == OUT or z[order[k]] < spill_m[node]:
                break
            above[node] = parent[node]
            node = parent[node]
        home[k] = node
    return home


@njit(cache=True)
def spread_water(
    water_m3: FloatArray,
    parent: IntArray,
    parts: IntArray,
    into: IntArray,
    room_m3: FloatArray,
) -> tuple[FloatArray, BoolArray, float]:
    """Pour each leaf's water: fill, spill to the neighbour, merge (Barnes, Callaghan and Wickert 2021).

    Returns the water in each node beyond its parts, whether it is full, and the water that went out.
    """
    nodes = len(parent)
    above = np.arange(nodes)
    held, full = np.zeros(nodes), np.zeros(nodes, dtype=np.bool_)
    out = 0.0
    for leaf in range(len(water_m3)):
        left, at = water_m3[leaf], leaf
        while left > 0.0:
            if at == OUT:
                out += left
                break
            node = at
            if full[node]:
                # The largest full node around it; its neighbour takes what comes, or both are one pool now.
                top = _root(above, node)
                whole = parent[top]
                if whole == OUT:
                    at = into[top]
                    continue
                beside = parts[whole, 0] + parts[whole, 1] - top
                if not full[beside]:
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
    return held, full, out


@njit(cache=True)
def add_up_parts(
    parts: IntArray, cells: IntArray, sum_m: FloatArray, bottom: IntArray, z: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Add each merged node's parts to its own cells and levels, in place, and name its lowest cell.

    Returns the cells and the sum of levels of the parts alone.
    """
    below, below_m = np.zeros(len(parts), dtype=np.int64), np.zeros(len(parts))
    for node in range(len(parts)):
        first, second = parts[node]
        if first < 0:
            continue
        below[node] = cells[first] + cells[second]
        below_m[node] = sum_m[first] + sum_m[second]
        cells[node] += below[node]
        sum_m[node] += below_m[node]
        bottom[node] = bottom[first] if z[bottom[first]] <= z[bottom[second]] else bottom[second]
    return below, below_m


@njit(cache=True)
def find_levels(  # noqa: PLR0917
    held_m: FloatArray,
    full: BoolArray,
    parent: IntArray,
    spill_m: FloatArray,
    start: IntArray,
    level_m: FloatArray,
    below: IntArray,
    below_m: FloatArray,
    datum_m: float,
) -> FloatArray:
    """Level of the water over each node's floor, minus infinity where none stands.

    ``held_m`` is what stands in a node and its full parts, in metres of one cell; zero where it holds none
    beyond its parts.
    """
    level = np.full(len(parent), -np.inf)
    for node in range(1, len(parent)):
        if full[node]:
            level[node] = spill_m[node]
        elif held_m[node] > 0.0:
            # The level is (water + levels of the cells under it) / cells, unless the next cell is lower.
            count, total = below[node], below_m[node] + held_m[node]
            for k in range(start[node], start[node + 1]):
                z = level_m[k] - datum_m
                if count * z >= total:
                    break
                count += 1
                total += z
            level[node] = total / count + datum_m
    # From the outside in: what a bowl's water covers, its parts lie under.
    for node in range(len(parent) - 1, 0, -1):
        if parent[node] > OUT and level[parent[node]] > level[node]:
            level[node] = level[parent[node]]
    return level
