"""The ground as water sees it: filled surfaces, and the bowls in which water stands.

:mod:`geo.drainage_edges` says where water may leave, :mod:`geo.drainage_hierarchy` nests the bowls,
:mod:`geo.drainage_water` lets water come to rest, :mod:`geo.drainage_error` draws the surface with its error.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults, InvalidInputError
from geo.drainage_edges import OUTLET, Edge, FloatArray, check_surface, sills_m
from geo.drainage_hierarchy import OUT, nest_bowls, ringed


def fill_depressions(dem: npt.ArrayLike, *, edge: Edge = OUTLET) -> FloatArray:
    """Raise each cell to the level that water reaches there before it can leave the surface.

    Priority-Flood from the outlets inward (Barnes, Lehman and Mulla 2014, "Priority-flood: an optimal
    depression-filling and watershed-labeling algorithm for digital elevation models", Computers & Geosciences
    62:117-127), to eight neighbours.

    Parameters
    ----------
    dem
        (rows, columns) ground level in metres, NaN where there is no ground.
    edge
        Where water leaves; see :data:`geo.drainage_edges.Edge`.

    Returns
    -------
    filled
        (rows, columns) metres, nowhere below the ground. Ground that no outlet drains is filled to its
        highest cell: water behind walls has no level of its own. NaN without ground.

    Raises
    ------
    InvalidInputError
        With every fault of surface and rules.
    """
    from scipy import ndimage

    from geo import drainage_kernels as kernels

    faults = Faults()
    z = check_surface(dem, faults)
    faults.raise_as(InvalidInputError, "The surface cannot be filled")
    flat = kernels.flood_from_outlets(*ringed(z, sills_m(z, edge)))
    filled: FloatArray = flat.reshape(z.shape[0] + 2, z.shape[1] + 2)[1:-1, 1:-1].copy()
    closed = np.isinf(filled)
    if closed.any():
        piece, pieces = ndimage.label(closed, np.ones((3, 3)))
        highest = ndimage.maximum(z, piece, np.arange(1, pieces + 1))
        filled[closed] = np.asarray(highest)[piece[closed] - 1]
    return filled


def bluespots(
    dem: npt.ArrayLike, cell_m: float, *, edge: Edge, min_depth_m: float = 0.3, min_volume_m3: float
) -> pd.DataFrame:
    """Pools that stand when everything is full, without those that are noise.

    Parameters
    ----------
    dem
        (rows, columns) ground level in metres, NaN where there is no ground.
    cell_m
        Side of a cell, metres.
    edge
        Where water leaves; see :data:`geo.drainage_edges.Edge`. On a leveed city this decides everything.
    min_depth_m, min_volume_m3
        A pool less deep at its deepest, or smaller, is left out.

    Returns
    -------
    DataFrame
        One row a pool, largest volume first: ``pool`` (node of :func:`geo.drainage_hierarchy.nest_bowls`),
        ``row, column`` of its deepest cell, ``bottom_m``, ``level_m`` when full, ``depth_m``, ``area_m2``,
        ``volume_m3``, ``catchment_m2`` (all ground that drains to it), ``pour_row, pour_column`` (-1 behind
        walls), ``into`` (the pool it spills into, 0: off the surface, -1: it never spills).

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    faults = Faults()
    for name, value in (("min_depth_m", min_depth_m), ("min_volume_m3", min_volume_m3)):
        faults.check(np.isfinite(value) and value >= 0, f"{name} must be a number, zero or more")
    faults.raise_as(InvalidInputError, "The pools cannot be found")
    bowls = nest_bowls(dem, cell_m, edge=edge)
    pool = np.flatnonzero(bowls.parent <= OUT)[1:]
    drained = np.bincount(bowls.pool_of_cell.ravel() + 1, minlength=bowls.n_nodes + 1)[1:]
    area, volume = bowls.area_m2[pool], bowls.volume_m3[pool]
    for k in np.flatnonzero(np.isinf(volume)):
        area[k], volume[k] = bowls.behind_walls(int(pool[k]))
    into = np.where(bowls.into[pool] < 0, -1, bowls.pool[bowls.into[pool]])
    table = pd.DataFrame(
        {
            "pool": pool,
            "row": bowls.bottom_cell[pool, 0],
            "column": bowls.bottom_cell[pool, 1],
            "bottom_m": bowls.bottom_m[pool],
            "level_m": bowls.full_m[pool],
            "depth_m": bowls.full_m[pool] - bowls.bottom_m[pool],
            "area_m2": area,
            "volume_m3": volume,
            "catchment_m2": drained[pool] * bowls.cell_m**2,
            "pour_row": bowls.pour_cell[pool, 0],
            "pour_column": bowls.pour_cell[pool, 1],
            "into": into,
        }
    )
    kept = (table["depth_m"] >= min_depth_m) & (table["volume_m3"] >= min_volume_m3)
    return table[kept].sort_values("volume_m3", ascending=False, kind="stable", ignore_index=True)
