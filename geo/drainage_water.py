"""Where water stands: fill, spill, merge.

Water poured into the leaves of nested bowls fills them, spills over pour points into the neighbour or off
the surface, and joins bowls when both are full (Barnes, Callaghan and Wickert 2021, "Computing water flow
through complex landscapes, part 3: Fill-Spill-Merge", Earth Surface Dynamics 9:105-121). It tells where water
comes to rest, not how fast.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_edges import BoolArray, FloatArray
from geo.drainage_hierarchy import NO_GROUND, Bowls


@dataclass(frozen=True, eq=False)
class Water:
    """Water at rest.

    Attributes
    ----------
    poured_m3
        All water that was given.
    held_m3
        (n_nodes,) water in each bowl beyond what its parts hold; its sum is what stands on the surface.
    full
        (n_nodes,) whether the bowl is full to where it spills.
    out_m3
        Water that left the surface.
    level_m
        (n_leaves + 1,) level of the water over each leaf's pit, metres; minus infinity where none stands.
    """

    bowls: Bowls
    poured_m3: float
    held_m3: FloatArray
    full: BoolArray
    out_m3: float
    level_m: FloatArray

    @property
    def stored_m3(self) -> float:
        """Water that stands on the surface."""
        return float(self.held_m3.sum())

    @property
    def depth_m(self) -> FloatArray:
        """(rows, columns) depth of water, zero where dry, NaN without ground."""
        level = np.append(self.level_m, -np.inf)[self.bowls.label]
        return np.asarray(np.maximum(level - self.bowls.dem_m, 0.0))


def rain_on_leaves(bowls: Bowls, rain_m: npt.ArrayLike) -> FloatArray:
    """Water that falls on the ground of each leaf.

    Parameters
    ----------
    bowls
        The surface's bowls.
    rain_m
        Depth of water that runs off each cell, metres: one number or (rows, columns).

    Returns
    -------
    water_m3
        (n_leaves + 1,) cubic metres; the first is what falls on ground that drains off at once.

    Raises
    ------
    InvalidInputError
        If a depth on ground is missing, infinite or below zero, or the shape is another.
    """
    try:
        rain = np.broadcast_to(np.asarray(rain_m, dtype=float), bowls.dem_m.shape)
    except ValueError:
        raise InvalidInputError(
            f"The rain has the shape {np.shape(rain_m)} and the surface {bowls.dem_m.shape}; give one depth, "
            "or one for each cell"
        ) from None
    ground = bowls.label != NO_GROUND
    depth = rain[ground]
    if not (np.isfinite(depth).all() and (depth >= 0).all()):
        raise InvalidInputError("The rain must be metres of water, zero or more, on every cell with ground")
    fallen = np.bincount(bowls.label[ground], weights=depth, minlength=bowls.n_leaves + 1)
    return np.asarray(fallen * bowls.cell_m**2)


def place_water(bowls: Bowls, water_m3: npt.ArrayLike) -> Water:
    """Let water run to where it comes to rest.

    Parameters
    ----------
    bowls
        The surface's bowls.
    water_m3
        (n_leaves + 1,) cubic metres that reach each leaf's pit, as `rain_on_leaves` gives it or after pumps
        and inlets have taken their part; the first goes out.

    Returns
    -------
    Water
        ``poured_m3 = stored_m3 + out_m3`` to rounding.

    Raises
    ------
    InvalidInputError
        With every fault of the volumes.
    """
    from geo import drainage_kernels as kernels

    poured = np.asarray(water_m3, dtype=np.float64)
    faults = Faults()
    faults.check(
        poured.shape == (bowls.n_leaves + 1,),
        f"give {bowls.n_leaves + 1} volumes, for water that goes out and for each leaf, not {poured.shape}",
    )
    faults.check(
        np.isfinite(poured).all() and (poured >= 0).all(), "volumes must be cubic metres, zero or more"
    )
    faults.raise_as(InvalidInputError, "The water cannot be placed")
    held, full, out = kernels.spread_water(poured, bowls.parent, bowls.parts, bowls.into, bowls.room_m3)
    own, cell_m2 = bowls.own, bowls.cell_m**2
    of_parts = np.where(bowls.parts[:, 0] >= 0, bowls.volume_m3[bowls.parts].sum(axis=1), 0.0)
    within_m = np.where((held > 0) & ~full, (held + of_parts) / cell_m2, 0.0)
    level = kernels.find_levels(
        within_m,
        full,
        bowls.parent,
        bowls.spill_m,
        own.start,
        own.level_m,
        own.cells_below,
        own.sum_below_m,
        own.datum_m,
    )
    return Water(bowls, float(poured.sum()), held, full, float(out), level[: bowls.n_leaves + 1])
