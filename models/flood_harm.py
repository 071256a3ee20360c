"""What a flood does: streets, people and buildings that water reaches.

A thing is harmed once the highest level of its pond passes a level of its own, so that harm is a sum of steps
of the ponds' levels. docs/methods/storm.md has the thresholds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_edges import FloatArray, Grid, IntArray
from geo.drainage_ponds import Ponds
from models.flood import OUTSIDE

EVERY_M = 10.0
SLOW_M, CLOSED_M = 0.15, 0.30
"""Depth on a street that reaches the bottom of most cars and may stall them, and that floats many (FEMA to
drivers: six inches, a foot)."""


@dataclass(frozen=True, eq=False)
class Items:
    """Things that water harms, each at one place.

    Attributes
    ----------
    pond
        (n,) pond to which the ground under each drains; ``OUTSIDE`` where the surface has none.
    level_m
        (n,) level of the water above which it is harmed, metres.
    weight
        (n,) how much each counts, in ``unit``.
    name, unit
        Words for people.
    """

    pond: IntArray
    level_m: FloatArray
    weight: FloatArray
    name: str
    unit: str

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        faults = Faults()
        faults.check(
            self.pond.shape == self.level_m.shape == self.weight.shape and self.pond.ndim == 1,
            "pond, level_m and weight must have one entry for each thing",
        )
        faults.check(
            np.isfinite(self.weight).all() and (self.weight >= 0).all(),
            "weights must be numbers, zero or more",
        )
        faults.check(not np.isnan(self.level_m).any(), "a level is missing; leave the thing out")
        faults.raise_as(InvalidInputError, f"The {self.name or 'things'} cannot be counted")

    @property
    def total(self) -> float:
        """All of them, harmed or not."""
        return float(self.weight.sum())


def harmed(items: Items, level_m: FloatArray) -> npt.NDArray[np.bool_]:
    """(n,) whether the water passes each thing's level.

    Parameters
    ----------
    level_m
        (n_ponds + 1,) level over each pond's ground, as in `models.flood.Flood.level_m`.
    """
    return np.asarray(_over(items.pond, level_m) > items.level_m)


def harm(items: Items, level_m: FloatArray) -> float:
    """Sum of the weights of what the water reaches, in the items' unit; ``level_m`` as in `harmed`."""
    return float(items.weight @ harmed(items, level_m))


@dataclass(frozen=True, eq=False)
class StreetSamples:
    """Places along the streets, as `models.flood_roads.street_cells` lays them on a surface.

    Attributes
    ----------
    edge
        (n,) the edge each lies on.
    pond
        (n,) the pond its ground drains to, ``OUTSIDE`` off the surface.
    ground_m
        (n,) its ground level, metres; NaN off the surface.
    length_m
        (n,) metres of street that each stands for; an edge's add up to its length.
    n_edges
        Edges, those without a line included.
    """

    edge: IntArray
    pond: IntArray
    ground_m: FloatArray
    length_m: FloatArray
    n_edges: int

    def items(self, depth_m: float, name: str = "streets") -> Items:
        """Metres of street under more than a depth of water."""
        return Items(self.pond, self.level_at_m(depth_m), self.length_m, name, "m")

    def edge_depth_m(self, level_m: FloatArray) -> FloatArray:
        """(n_edges,) greatest depth along each edge, zero where dry; ``level_m`` as in `harmed`."""
        deepest = np.zeros(self.n_edges)
        np.maximum.at(deepest, self.edge, np.maximum(_over(self.pond, level_m) - self.level_at_m(0.0), 0.0))
        return deepest

    def level_at_m(self, depth_m: float) -> FloatArray:
        """(n,) level at which each place lies so deep under water; infinite off the surface."""
        return np.where(self.pond == OUTSIDE, np.inf, self.ground_m + depth_m)


def place_on(grid: Grid, ponds: Ponds, x_m: npt.ArrayLike, y_m: npt.ArrayLike) -> tuple[IntArray, FloatArray]:
    """Pond and ground level under each place, ``OUTSIDE`` and NaN where the surface has none."""
    row, column, held = grid.cells_of(x_m, y_m)
    pond = np.full(row.shape, OUTSIDE, dtype=np.int64)
    ground = np.full(row.shape, np.nan)
    pond[held] = ponds.label[row[held], column[held]]
    ground[held] = ponds.dem_m[row[held], column[held]]
    return pond, ground


def building_items(
    grid: Grid, ponds: Ponds, x_m: npt.ArrayLike, y_m: npt.ArrayLike, floor_m: npt.ArrayLike
) -> Items:
    """Place buildings, each harmed when the water reaches its floor.

    Parameters
    ----------
    x_m, y_m
        (n,) places in metres of the grid's system.
    floor_m
        Height of the floor over the ground, metres: one number or (n,).
    """
    return _at_floors(grid, ponds, x_m, y_m, floor_m, 1.0, "buildings", "buildings")


def people_items(  # noqa: PLR0917
    grid: Grid,
    ponds: Ponds,
    x_m: npt.ArrayLike,
    y_m: npt.ArrayLike,
    people: npt.ArrayLike,
    floor_m: npt.ArrayLike,
) -> Items:
    """Place people in buildings, harmed when the water reaches their floor; else as `building_items`."""
    return _at_floors(grid, ponds, x_m, y_m, floor_m, people, "people", "people")


def people_on_streets(
    samples: StreetSamples, area: IntArray, people: npt.ArrayLike, *, depth_m: float = CLOSED_M
) -> Items:
    """People spread evenly along the streets of their neighborhood, for a city without buildings.

    Somebody is harmed when the street before the house lies under more than ``depth_m``.

    Parameters
    ----------
    area
        (n samples,) neighborhood of each place, -1 in none.
    people
        (n_areas,) people of each neighborhood.
    """
    count = np.asarray(people, dtype=np.float64)
    faults = Faults()
    faults.check(
        area.shape == samples.pond.shape, "area must name the neighborhood of each place on the streets"
    )
    faults.check(
        not area.size or (area.min() >= -1 and area.max() < len(count)),
        "give people for each neighborhood named",
    )
    faults.raise_as(InvalidInputError, "The people cannot be spread along the streets")
    known = np.flatnonzero(area >= 0)
    street_m = np.bincount(area[known], samples.length_m[known], len(count))
    weight = np.zeros(len(area))
    weight[known] = (count / np.where(street_m > 0, street_m, 1.0))[area[known]] * samples.length_m[known]
    return Items(samples.pond, samples.level_at_m(depth_m), weight, "people on flooded streets", "people")


def _at_floors(  # noqa: PLR0917
    grid: Grid,
    ponds: Ponds,
    x_m: npt.ArrayLike,
    y_m: npt.ArrayLike,
    floor_m: npt.ArrayLike,
    weight: npt.ArrayLike,
    name: str,
    unit: str,
) -> Items:
    faults = Faults()
    _check_grid(grid, ponds, faults)
    floor = np.asarray(floor_m, dtype=np.float64)
    faults.check(np.isfinite(floor).all() and (floor >= 0).all(), "floor_m must be metres, zero or more")
    faults.raise_as(InvalidInputError, f"The {name} cannot be placed")
    pond, ground = place_on(grid, ponds, x_m, y_m)
    level = np.where(pond == OUTSIDE, np.inf, ground + floor)
    return Items(
        pond, level, np.broadcast_to(np.asarray(weight, dtype=np.float64), pond.shape).copy(), name, unit
    )


def _check_grid(grid: Grid, ponds: Ponds, faults: Faults) -> None:
    faults.check(
        grid.shape == ponds.label.shape and grid.cell_m == ponds.cell_m,
        f"the grid has {grid.shape} cells of {grid.cell_m} m, "
        f"the surface {ponds.label.shape} of {ponds.cell_m} m",
    )


def _over(pond: IntArray, level_m: FloatArray) -> FloatArray:
    """Level of the water over each place; ``OUTSIDE``, -1, is the last entry."""
    return np.append(level_m, -np.inf)[pond]
