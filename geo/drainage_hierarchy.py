"""Nested bowls of a surface: which fills, where it spills, what it merges into.

A leaf is the ground that drains to one pit. Leaves join over their lowest passes into larger bowls, as water
does that rises, until a bowl spills off the surface (Barnes, Callaghan and Wickert 2020, "Computing water
flow through complex landscapes, part 2", Earth Surface Dynamics 8:431-445).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_edges import Edge, FloatArray, IntArray, check_surface, sills_m

LabelArray = npt.NDArray[np.int32]

NO_GROUND = -1
OUT = 0
"""Label and node number of everything that water reaches when it has left the surface."""

STEPS = ((0, 1), (1, -1), (1, 0), (1, 1), (0, -1), (-1, 1), (-1, 0), (-1, -1))
"""Rows and columns to the eight neighbours of a cell, the four that come later first."""


@dataclass(frozen=True, eq=False)
class Bowls:
    """All bowls of a surface, nested.

    Node 0 is everything off the surface (``OUT``), nodes 1 to ``n_leaves`` are the leaves, the rest are
    merged bowls, each after its two parts. Where passes are equally high the tree may turn out either way;
    levels, areas and volumes of whole pools do not hang on it.

    Attributes
    ----------
    dem_m
        (rows, columns) ground level in metres, NaN without ground.
    cell_m
        Side of a cell, metres.
    label
        (rows, columns) the leaf that each cell drains to: ``OUT`` where its water leaves the surface at once,
        ``NO_GROUND`` without ground. Each cell is of one leaf: these are the contributing areas.
    n_leaves
        Number of pits.
    parent
        (n_nodes,) the bowl it merges into; ``OUT`` when it spills by itself; -1 when walls leave no way on.
    parts
        (n_nodes, 2) the two bowls that merged, -1 for a leaf.
    spill_m
        (n_nodes,) level in metres at which it spills or merges; infinite when it never does.
    pour_cell
        (n_nodes, 2) row and column of its pour point, the higher cell of the pass; -1 when it has none.
    into
        (n_nodes,) the leaf that it spills into, or ``OUT``; -1 when it has none.
    bottom_m
        (n_nodes,) level of its lowest ground, metres.
    bottom_cell
        (n_nodes, 2) row and column of a cell at that level.
    n_cells
        (n_nodes,) cells under water when it is full, its parts included.
    volume_m3
        (n_nodes,) water that it holds when full, its parts included; infinite when it never spills.
    room_m3
        (n_nodes,) water that it takes beyond what its parts hold when they are full.
    """

    dem_m: FloatArray
    cell_m: float
    label: LabelArray
    n_leaves: int
    parent: IntArray
    parts: IntArray
    spill_m: FloatArray
    pour_cell: IntArray
    into: IntArray
    bottom_m: FloatArray
    bottom_cell: IntArray
    n_cells: IntArray
    volume_m3: FloatArray
    room_m3: FloatArray
    own: "OwnCells"

    @property
    def n_nodes(self) -> int:
        """Nodes, ``OUT`` included."""
        return len(self.parent)

    @property
    def area_m2(self) -> FloatArray:
        """(n_nodes,) ground under water when it is full, its parts included."""
        return self.n_cells.astype(np.float64) * self.cell_m**2

    @cached_property
    def pool(self) -> IntArray:
        """(n_nodes,) the outermost bowl around each node: what stands as one pool when everything is full."""
        outermost = np.arange(self.n_nodes)
        for node in range(self.n_nodes - 1, 0, -1):
            if self.parent[node] > OUT:
                outermost[node] = outermost[self.parent[node]]
        return outermost

    @cached_property
    def full_m(self) -> FloatArray:
        """(n_nodes,) level at which each bowl is full: it spills, or (walls) reaches its highest ground."""
        level = self.spill_m.copy()
        level[OUT] = -np.inf
        closed = np.flatnonzero(np.isposinf(level))
        level[closed] = self.own.level_m[self.own.start[closed + 1] - 1]
        return level

    def behind_walls(self, node: int) -> tuple[float, float]:
        """Ground under water (m2) and water (m3) of a bowl that never spills, at its ``full_m``."""
        z = self.own.level_m[self.own.start[node] : self.own.start[node + 1]]
        cells = self.own.cells_below[node] + np.searchsorted(z, z[-1])
        _, _, volume_m3 = self.curve(node)
        return float(cells * self.cell_m**2), float(volume_m3[-1])

    @property
    def filled_m(self) -> FloatArray:
        """(rows, columns) the level to which each cell fills, NaN without ground."""
        return np.asarray(np.maximum(np.append(self.full_m, np.nan)[self.pool_of_cell], self.dem_m))

    @property
    def pool_of_cell(self) -> IntArray:
        """(rows, columns) the outermost bowl each cell drains to, ``OUT`` or ``NO_GROUND``."""
        return np.append(self.pool, NO_GROUND)[self.label]

    def curve(self, node: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Level, ground under water and volume of one bowl, from where it is one pool to where it spills.

        Parameters
        ----------
        node
            The bowl.

        Returns
        -------
        level_m, area_m2, volume_m3
            (n,) rising. Between two entries the area is that of the first, the volume grows in a line.

        Raises
        ------
        InvalidInputError
            If there is no such bowl.
        """
        if not 0 < node < self.n_nodes:
            raise InvalidInputError(
                f"There is no bowl {node}; bowls are numbered from 1 to {self.n_nodes - 1}"
            )
        z = self.own.level_m[self.own.start[node] : self.own.start[node + 1]]
        below, lifted = self.own.cells_below[node], self.own.sum_below_m[node]
        level = np.unique(np.concatenate([[self.own.floor_m[node]], z, [self.full_m[node]]]))
        deeper = np.searchsorted(z, level, side="right")
        cells = below + deeper
        volume = cells * (level - self.own.datum_m) - lifted
        volume -= np.append(0.0, np.cumsum(z - self.own.datum_m))[deeper]
        area_m2 = self.cell_m**2
        return level, cells * area_m2, np.maximum(volume, 0.0) * area_m2


@dataclass(frozen=True, eq=False)
class OwnCells:
    """Cells that a bowl floods beyond its parts, for all bowls, each bowl's by rising level.

    Attributes
    ----------
    start
        (n_nodes + 1,) where each bowl's cells start in ``level_m``.
    level_m
        (n,) levels of the cells, metres.
    cells_below, sum_below_m
        (n_nodes,) number of cells of its parts, and the sum of their levels over ``datum_m``.
    floor_m
        (n_nodes,) level at which its parts became one pool; a leaf's lowest ground.
    datum_m
        Levels are summed from here, so that a city on a plateau loses no digits.
    """

    start: IntArray
    level_m: FloatArray
    cells_below: IntArray
    sum_below_m: FloatArray
    floor_m: FloatArray
    datum_m: float


def nest_bowls(dem: npt.ArrayLike, cell_m: float, *, edge: Edge) -> Bowls:
    """Find all bowls of a surface and how they nest.

    Parameters
    ----------
    dem
        (rows, columns) ground level in metres, NaN without ground. Water moves to all eight neighbours.
    cell_m
        Side of a cell, metres.
    edge
        Where water leaves; see :data:`geo.drainage_edges.Edge`.

    Returns
    -------
    Bowls

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    from geo import drainage_kernels as kernels

    faults = Faults()
    z = check_surface(dem, faults)
    faults.check(np.isfinite(cell_m) and cell_m > 0, "cell_m must be a number of metres above zero")
    faults.raise_as(InvalidInputError, "The surface has no bowls to be found")
    flat, sill, shifts = ringed(z, sills_m(z, edge))
    width = z.shape[1] + 2
    near_m = np.array([float(np.hypot(*step)) for step in STEPS])
    ground = np.flatnonzero(~np.isnan(flat))
    order = ground[np.argsort(flat[ground], kind="stable")]
    label, pits = kernels.label_leaves(flat, order, sill <= flat, shifts, near_m)
    level, ends, cells = kernels.find_passes(flat, label, sill, shifts)
    by_level = np.argsort(level, kind="stable")
    n_leaves = len(pits) - 1
    parent, parts, spill_m, pour, into = kernels.merge_leaves(n_leaves, level, ends, cells, by_level)
    home = kernels.find_homes(flat, order, label, parent, spill_m)
    # Without the datum the levels of a city on a plateau would lose digits in their sums.
    datum = float(np.median(flat[ground])) if len(ground) else 0.0
    n_cells = np.bincount(home, minlength=len(parent))
    total_m: FloatArray = np.bincount(home, flat[order] - datum, len(parent)).astype(np.float64)
    n_cells[OUT], total_m[OUT] = 0, 0.0
    pit_of = np.append(pits, np.full(len(parent) - len(pits), -1))
    below, below_m = kernels.add_up_parts(parts, n_cells, total_m, pit_of, flat)
    merged = parts[:, 0] >= 0
    bottom = np.append(np.nan, flat[pit_of[1:]])
    # The cells come by rising level, and a stable sort keeps that within each node.
    by_home = np.argsort(home, kind="stable")
    own = OwnCells(
        start=np.searchsorted(home[by_home], np.arange(len(parent) + 1)),
        level_m=flat[order][by_home],
        cells_below=below,
        sum_below_m=below_m,
        floor_m=np.where(merged, spill_m[parts[:, 0]], bottom),
        datum_m=datum,
    )
    area_m2 = cell_m**2
    closed = np.isinf(spill_m)
    with np.errstate(invalid="ignore"):
        volume = np.where(closed, np.inf, n_cells * (spill_m - own.datum_m) - total_m) * area_m2
    volume = np.maximum(volume, 0.0)
    volume[OUT] = 0.0
    room = volume.copy()
    room[merged] -= volume[parts[merged]].sum(axis=1)
    return Bowls(
        dem_m=z,
        cell_m=float(cell_m),
        label=label.reshape(z.shape[0] + 2, width)[1:-1, 1:-1].copy(),
        n_leaves=n_leaves,
        parent=parent,
        parts=parts,
        spill_m=spill_m,
        pour_cell=_rows_and_columns(pour, width),
        into=into,
        bottom_m=bottom,
        bottom_cell=_rows_and_columns(pit_of, width),
        n_cells=n_cells,
        volume_m3=volume,
        room_m3=np.maximum(room, 0.0),
        own=own,
    )


def ringed(z: FloatArray, sill: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Surface and sills with a ring of no ground around them, flat, and the shifts to a cell's neighbours."""
    width = z.shape[1] + 2
    shifts = np.array([rows * width + columns for rows, columns in STEPS])
    return (
        np.pad(z, 1, constant_values=np.nan).ravel(),
        np.pad(sill, 1, constant_values=np.inf).ravel(),
        shifts,
    )


def _rows_and_columns(cell: IntArray, width: int) -> IntArray:
    """Row and column in the surface of cells of the ringed one; -1 stays -1."""
    places = np.column_stack(np.divmod(cell, width)) - 1
    places[cell < 0] = -1
    return places
