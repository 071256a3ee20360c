"""Ponds: the nested bowls of a surface without those that are noise.

A surface of many cells holds thousands of pits that its error alone could have made. Each bowl that is not
deep or large enough joins the one it spills into, so that what is left nests like the whole (simplification
by persistence: Edelsbrunner, Letscher and Zomorodian 2002, "Topological persistence and simplification",
Discrete & Computational Geometry 28:511-533, with the depth at which a bowl merges as its persistence).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_edges import BoolArray, FloatArray, IntArray
from geo.drainage_hierarchy import NO_GROUND, OUT, Bowls, LabelArray, OwnCells


@dataclass(frozen=True, eq=False)
class Ponds:
    """The bowls that count, nested, with the water each holds at each level.

    Ponds are the leaves of ``nest``, numbered from 1; ``OUT`` (0) is everything off the surface. Nodes are
    ponds and what they merge into, each after its two parts.

    Attributes
    ----------
    nest
        The reduced nest: a :class:`geo.drainage_hierarchy.Bowls` like any other, so `place_water` takes it.
    min_depth_m, min_volume_m3
        What a bowl had to reach to stay.
    area_m2
        (n_ponds + 1,) ground that drains to each pond, the first entry to nowhere on the surface.
    table_start
        (n_nodes + 1,) where each node's entries start in the two tables below.
    table_level_m, table_m3
        (n,) levels from where a node is one pool to where it spills, rising, and the water in it and its
        parts; between two entries the water grows in a line.
    """

    nest: Bowls
    min_depth_m: float
    min_volume_m3: float
    area_m2: FloatArray
    table_start: IntArray
    table_level_m: FloatArray
    table_m3: FloatArray

    @property
    def n_ponds(self) -> int:
        """Ponds, ``OUT`` not counted."""
        return self.nest.n_leaves

    @property
    def n_nodes(self) -> int:
        """Nodes, ``OUT`` included."""
        return self.nest.n_nodes

    @property
    def dem_m(self) -> FloatArray:
        """(rows, columns) ground level in metres, NaN without ground."""
        return self.nest.dem_m

    @property
    def cell_m(self) -> float:
        """Side of a cell, metres."""
        return self.nest.cell_m

    @property
    def label(self) -> LabelArray:
        """(rows, columns) pond that each cell drains to, ``OUT`` or ``NO_GROUND``."""
        return self.nest.label

    @property
    def parent(self) -> IntArray:
        """(n_nodes,) the node it merges into; ``OUT`` when it spills by itself, -1 behind walls."""
        return self.nest.parent

    @property
    def parts(self) -> IntArray:
        """(n_nodes, 2) the two nodes that merged, -1 for a pond."""
        return self.nest.parts

    @property
    def into(self) -> IntArray:
        """(n_nodes,) the pond it spills into, or ``OUT``; -1 when it never spills."""
        return self.nest.into

    @property
    def spill_m(self) -> FloatArray:
        """(n_nodes,) level at which it spills or merges, metres; infinite when it never does."""
        return self.nest.spill_m

    @property
    def bottom_m(self) -> FloatArray:
        """(n_nodes,) level of its lowest ground, metres."""
        return self.nest.bottom_m

    @property
    def volume_m3(self) -> FloatArray:
        """(n_nodes,) water that it holds when full, its parts included; infinite when it never spills."""
        return self.nest.volume_m3

    @property
    def room_m3(self) -> FloatArray:
        """(n_nodes,) water that it takes beyond what its parts hold when they are full."""
        return self.nest.room_m3

    def levels_m(self, node: npt.ArrayLike, water_m3: npt.ArrayLike) -> FloatArray:
        """Level of a node's water.

        Parameters
        ----------
        node
            (n,) nodes from 1.
        water_m3
            (n,) water in each, its parts included; what is more than it holds leaves it at its spill level.

        Returns
        -------
        level_m
            (n,) metres, minus infinity where there is no water. A node that holds less than its full parts
            has the level at which they merged: it is not one pool then.
        """
        from geo import drainage_pond_kernels as kernels

        at, water = np.broadcast_arrays(*self._nodes_and(node, water_m3))
        return kernels.levels(
            at.ravel(), water.ravel(), self.table_start, self.table_level_m, self.table_m3, self._covered_m2()
        ).reshape(at.shape)

    def volumes_m3(self, node: npt.ArrayLike, level_m: npt.ArrayLike) -> FloatArray:
        """Water in a node and its parts at a level, (n,) cubic metres; the inverse of `levels_m`."""
        from geo import drainage_pond_kernels as kernels

        at, level = np.broadcast_arrays(*self._nodes_and(node, level_m))
        return kernels.volumes(
            at.ravel(), level.ravel(), self.table_start, self.table_level_m, self.table_m3, self._covered_m2()
        ).reshape(at.shape)

    def _covered_m2(self) -> FloatArray:
        """Ground under water past the end of each table: behind walls water goes on rising."""
        return np.where(np.isinf(self.spill_m), self.nest.area_m2, np.inf)

    def _nodes_and(self, node: npt.ArrayLike, value: npt.ArrayLike) -> tuple[IntArray, FloatArray]:
        at, given = np.asarray(node, dtype=np.int64), np.asarray(value, dtype=np.float64)
        if at.size and not (at.min() > OUT and at.max() < self.n_nodes):
            raise InvalidInputError(f"There is no such pond; nodes are numbered from 1 to {self.n_nodes - 1}")
        return at, given


def significant_ponds(bowls: Bowls, *, min_depth_m: float = 0.3, min_volume_m3: float = 0.0) -> Ponds:
    """Fold bowls that are noise into those they spill into.

    A bowl counts when it is at least so deep below the level at which it merges or spills, and holds at least
    so much there. One that does not joins the bowl it spills into: its ground drains there, and its
    cells are flooded with that bowl. Off the surface, where it spills there. A bowl that walls keep from
    spilling always counts, for its water has no other place.

    Parameters
    ----------
    bowls
        All bowls of the surface.
    min_depth_m, min_volume_m3
        Depth in metres and volume in cubic metres.

    Returns
    -------
    Ponds

    Raises
    ------
    InvalidInputError
        With every fault of the two figures.
    """
    faults = Faults()
    for name, value in (("min_depth_m", min_depth_m), ("min_volume_m3", min_volume_m3)):
        faults.check(np.isfinite(value) and value >= 0, f"{name} must be a number, zero or more")
    faults.raise_as(InvalidInputError, "The ponds cannot be found")
    counts = (bowls.spill_m - bowls.bottom_m >= min_depth_m) & (bowls.volume_m3 >= min_volume_m3)
    counts[OUT] = False
    # What holds a bowl that counts counts: rounding must not say otherwise.
    for node in np.flatnonzero(counts):
        above = bowls.parent[node]
        while above > OUT and not counts[above]:
            counts[above] = True
            above = bowls.parent[above]
    kept, node_of, top_of = _kept_nodes(bowls, counts)
    pond_of = _ponds_of_leaves(bowls, counts, node_of)
    merged = bowls.parts[kept, 0] >= 0
    merged &= counts[bowls.parts[kept]].all(axis=1)
    parts = np.where(merged[:, None], node_of[bowls.parts[kept]], -1)
    above = bowls.parent[top_of]
    parent = np.where(above > OUT, node_of[above], above)
    into = np.where(bowls.into[top_of] < 0, -1, pond_of[bowls.into[top_of]])
    parent, into = np.append(-1, parent), np.append(-1, into)
    parts = np.vstack([[-1, -1], parts])
    n_ponds = int((~merged).sum())
    spill = np.append(np.inf, bowls.spill_m[top_of])
    homes, levels = _homes(bowls, counts, node_of, pond_of, parent, spill)
    nest = _nest(bowls, n_ponds, pond_of, np.append(OUT, top_of), parent, parts, into, spill, homes, levels)
    area = np.bincount(nest.label.ravel() + 1, minlength=n_ponds + 2)[1:] * bowls.cell_m**2
    return Ponds(nest, float(min_depth_m), float(min_volume_m3), area.astype(np.float64), *_tables(nest))


def _kept_nodes(bowls: Bowls, counts: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Choose the nodes that stay, ponds first, and tell what became of the others.

    Returns the nodes at which a pond or a merger begins; for each old node the new one it grew into (0 where
    it is noise); and for each new node (from 1) the old one at which it ends.
    """
    has_parts = bowls.parts[:, 0] >= 0
    weighty = np.where(has_parts, counts[bowls.parts].sum(axis=1), 0)
    begins = counts & (weighty != 1)
    kept = np.flatnonzero(begins)
    kept = np.concatenate([kept[weighty[kept] == 0], kept[weighty[kept] == 2]])
    node_of = np.zeros(bowls.n_nodes, dtype=np.int64)
    node_of[kept] = np.arange(1, len(kept) + 1)
    # A node of which one part is noise is that other part, grown: parts come first in the numbering.
    for node in np.flatnonzero(counts & (weighty == 1)):
        first, second = bowls.parts[node]
        node_of[node] = node_of[first if counts[first] else second]
    top_of = np.zeros(len(kept) + 1, dtype=np.int64)
    np.maximum.at(top_of, node_of, np.where(node_of > 0, np.arange(bowls.n_nodes), 0))
    return kept, node_of, top_of[1:]


def _ponds_of_leaves(bowls: Bowls, counts: BoolArray, node_of: IntArray) -> IntArray:
    """(n_leaves + 1,) the pond that each old leaf drains to, ``OUT`` where it drains off the surface."""
    n_leaves, parent = bowls.n_leaves, bowls.parent
    # The outermost noise around each node: all of it goes where that one spills.
    outermost = np.arange(bowls.n_nodes)
    # The pond that begins around a node: a pond's parts, noise each, are the pond itself.
    pond = np.where(counts, node_of, 0)
    has_parts = bowls.parts[:, 0] >= 0
    begins = counts & ~(counts[bowls.parts].any(axis=1) & has_parts)
    within = np.where(begins, pond, 0)
    for node in range(bowls.n_nodes - 1, 0, -1):
        above = parent[node]
        if above > OUT and not counts[node]:
            outermost[node] = outermost[above] if not counts[above] else node
            within[node] = within[above]
    leaf = np.arange(n_leaves + 1)
    resting = within[: n_leaves + 1]
    # What is noise beside a pond follows its spill, which may lead into other noise first.
    going = leaf.copy()
    found = resting.copy()
    open_ones = np.flatnonzero((found == 0) & (leaf > OUT))
    while len(open_ones):
        going[open_ones] = bowls.into[outermost[going[open_ones]]]
        found[open_ones] = resting[going[open_ones]]
        open_ones = open_ones[(found[open_ones] == 0) & (going[open_ones] > OUT)]
    return found


def _homes(  # noqa: PLR0917
    bowls: Bowls, counts: BoolArray, node_of: IntArray, pond_of: IntArray, parent: IntArray, spill: FloatArray
) -> tuple[IntArray, FloatArray]:
    """For each cell that a bowl floods: the smallest node that still does, and its level, rising by node."""
    own = bowls.own
    old = np.repeat(np.arange(bowls.n_nodes), np.diff(own.start))
    lowest_leaf = np.arange(bowls.n_nodes)
    for node in range(bowls.n_leaves + 1, bowls.n_nodes):
        lowest_leaf[node] = lowest_leaf[bowls.parts[node, 0]]
    home = np.where(counts, node_of, pond_of[lowest_leaf])[old]
    home[old == OUT] = OUT
    level = own.level_m
    moving = np.flatnonzero((home > OUT) & (level >= spill[home]))
    while len(moving):
        home[moving] = np.maximum(parent[home[moving]], OUT)
        moving = moving[(home[moving] > OUT) & (level[moving] >= spill[home[moving]])]
    order = np.lexsort((level, home))
    order = order[home[order] > OUT]
    return home[order], level[order]


def _nest(  # noqa: PLR0917
    bowls: Bowls,
    n_ponds: int,
    pond_of: IntArray,
    top_of: IntArray,
    parent: IntArray,
    parts: IntArray,
    into: IntArray,
    spill: FloatArray,
    homes: IntArray,
    levels: FloatArray,
) -> Bowls:
    """Put the reduced nest together, with what each node floods and holds."""
    n_nodes, cell_m2 = len(parent), bowls.cell_m**2
    datum = bowls.own.datum_m
    n_cells = np.bincount(homes, minlength=n_nodes)
    total_m = np.bincount(homes, levels - datum, n_nodes)
    start = np.searchsorted(homes, np.arange(n_nodes + 1))
    bottom_leaf = np.zeros(n_nodes, dtype=np.int64)
    # Last written wins, so the deepest leaf of each pond is written last.
    deepest = 1 + np.argsort(-bowls.bottom_m[1 : bowls.n_leaves + 1], kind="stable")
    bottom_leaf[pond_of[deepest]] = deepest
    below, below_m = np.zeros(n_nodes, dtype=np.int64), np.zeros(n_nodes)
    for node in range(n_ponds + 1, n_nodes):
        first, second = parts[node]
        below[node], below_m[node] = n_cells[first] + n_cells[second], total_m[first] + total_m[second]
        n_cells[node] += below[node]
        total_m[node] += below_m[node]
        lower = bowls.bottom_m[bottom_leaf[first]] <= bowls.bottom_m[bottom_leaf[second]]
        bottom_leaf[node] = bottom_leaf[first] if lower else bottom_leaf[second]
    bottom_leaf[OUT] = OUT
    bottom = bowls.bottom_m[bottom_leaf]
    merged = parts[:, 0] >= 0
    closed = np.isinf(spill)
    with np.errstate(invalid="ignore"):
        volume = np.where(closed, np.inf, n_cells * (spill - datum) - total_m) * cell_m2
    volume = np.maximum(volume, 0.0)
    volume[OUT] = 0.0
    room = volume.copy()
    room[merged] -= volume[parts[merged]].sum(axis=1)
    floor = np.where(merged, spill[parts[:, 0]], bottom)
    pour = bowls.pour_cell[top_of].copy()
    pour[OUT] = -1
    return Bowls(
        dem_m=bowls.dem_m,
        cell_m=bowls.cell_m,
        label=np.append(pond_of, NO_GROUND).astype(np.int32)[bowls.label],
        n_leaves=n_ponds,
        parent=parent,
        parts=parts,
        spill_m=spill,
        pour_cell=pour,
        into=into,
        bottom_m=bottom,
        bottom_cell=bowls.bottom_cell[bottom_leaf],
        n_cells=n_cells,
        volume_m3=volume,
        room_m3=np.maximum(room, 0.0),
        own=OwnCells(start, levels, below, below_m, floor, datum),
    )


def _tables(nest: Bowls) -> tuple[IntArray, FloatArray, FloatArray]:
    """Level and water of each node, from where it is one pool, at each of its cells, to where it is full."""
    own, nodes = nest.own, np.arange(1, nest.n_nodes)
    counts = np.diff(own.start)
    node = np.repeat(np.arange(nest.n_nodes), counts)
    rank = np.arange(len(own.level_m)) - own.start[node]
    lifted = np.append(0.0, np.cumsum(own.level_m - own.datum_m))
    under = own.sum_below_m[node] + lifted[:-1] - lifted[own.start[node]]
    water = (own.cells_below[node] + rank) * (own.level_m - own.datum_m) - under
    full = nest.full_m[nodes]
    total = own.sum_below_m[nodes] + lifted[own.start[nodes + 1]] - lifted[own.start[nodes]]
    last = nest.n_cells[nodes] * (full - own.datum_m) - total
    first = own.cells_below[nodes] * (own.floor_m[nodes] - own.datum_m) - own.sum_below_m[nodes]
    all_nodes = np.concatenate([nodes, node, nodes])
    all_levels = np.concatenate([own.floor_m[nodes], own.level_m, full])
    all_water = np.maximum(np.concatenate([first, water, last]), 0.0) * nest.cell_m**2
    part = np.concatenate([np.zeros(len(nodes)), np.ones(len(node)), np.full(len(nodes), 2.0)])
    order = np.lexsort((all_levels, part, all_nodes))
    start = np.searchsorted(all_nodes[order], np.arange(nest.n_nodes + 1))
    return start, all_levels[order], all_water[order]
