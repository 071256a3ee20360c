"""Streets under water: how deep, what may still drive there, and the minutes that water costs ambulances.

A street is as deep as its deepest place, since a unit must pass it. From one depth on it is slower, from
another it is shut; the city's profile says both, with their source.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from errors import Faults, InvalidInputError
from geo import crs
from geo.drainage_edges import Grid
from geo.drainage_hierarchy import OUT
from geo.drainage_ponds import Ponds
from geo.lowered_times import lowered_times
from geo.network import RoadNetwork
from geo.travel_time import nearest_times
from models.coverage import Demand, drive_seconds
from models.flood_harm import CLOSED_M, EVERY_M, SLOW_M, Items, StreetSamples

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

RAISED_CLASSES = ("motorway", "motorway_link")
"""Freeways and ramps count as dry: the surface shows the ground below them, not their decks."""

CUT_OFF_MIN = 30.0
"""Minutes that a call counts which nobody can drive to, and at most for any other: an assumption."""

PER_CALLS = 1_000


@dataclass(frozen=True, eq=False)
class StreetCells:
    """Cells of a grid along the streets: the same for every surface on that grid.

    Attributes
    ----------
    edge, row, column, length_m
        (n,) street, cell, and metres of street that each place stands for; places off the grid are left out.
    n_edges
        Streets of the network.
    """

    edge: IntArray
    row: IntArray
    column: IntArray
    length_m: FloatArray
    n_edges: int

    def on(self, ponds: Ponds) -> StreetSamples:
        """Lay the places on a surface."""
        return StreetSamples(
            self.edge,
            ponds.label[self.row, self.column].astype(np.int64),
            ponds.dem_m[self.row, self.column],
            self.length_m,
            self.n_edges,
        )


@dataclass(frozen=True, eq=False)
class StreetDepth:
    """How deep the streets are.

    Attributes
    ----------
    depth_m
        (n_edges,) depth at the deepest place of each, zero where dry.
    pond, ground_m
        (n_edges,) the pond over that place and its ground; ``OUT`` and NaN for streets that are dry.
    """

    depth_m: FloatArray
    pond: IntArray
    ground_m: FloatArray


def street_cells(network: RoadNetwork, grid: Grid, *, every_m: float = EVERY_M) -> StreetCells:
    """Find the cells along each street, a place every ``every_m``; freeways and their ramps have none."""
    raised = [at for at, name in enumerate(network.classes) if name in RAISED_CLASSES]
    on_ground = np.flatnonzero(~np.isin(network.edge_class, raised))
    lines = network.lines_m[on_ground]
    length = shapely.length(lines)
    count = np.maximum(np.ceil(length / every_m), 1).astype(np.int64)
    street = np.repeat(np.arange(len(on_ground)), count)
    number = np.arange(len(street)) - np.repeat(np.cumsum(count) - count, count)
    piece_m = (length / count)[street]
    points = shapely.line_interpolate_point(lines[street], (number + 0.5) * piece_m)
    # A network's own zone counts from WGS 84, a city's surface may count from another datum.
    places = crs.to_degrees(shapely.get_x(points), shapely.get_y(points), network.epsg)
    row, column, held = grid.cells_of(*crs.to_metres(*places, grid.epsg))
    return StreetCells(on_ground[street][held], row[held], column[held], piece_m[held], network.n_edges)


def street_depth(samples: StreetSamples, level_m: FloatArray) -> StreetDepth:
    """Find the deepest place of each street.

    Parameters
    ----------
    samples
        Places along the streets, each street's together.
    level_m
        (n_ponds + 1,) level over each pond, as in `models.flood.Flood.level_m`.
    """
    n = samples.n_edges
    depth, pond, ground = np.zeros(n), np.full(n, OUT, dtype=np.int64), np.full(n, np.nan)
    here = np.append(level_m, -np.inf)[samples.pond] - samples.ground_m
    # The deepest place of a street comes last of its places.
    wet = np.flatnonzero(here > 0)
    order = wet[np.lexsort((here[wet], samples.edge[wet]))]
    last = order[np.flatnonzero(np.diff(samples.edge[order], append=-1))]
    edge = samples.edge[last]
    depth[edge], pond[edge], ground[edge] = here[last], samples.pond[last], samples.ground_m[last]
    return StreetDepth(depth, pond, ground)


@dataclass(frozen=True)
class WaterRules:
    """What water does to a street: slower from one depth on, shut from another.

    The usual values follow Pregnolato, Ford, Wilkinson and Dawson (2017, "The impact of flooding on road
    transport: A depth-disruption function", Transportation Research Part D 55:67-81): a car keeps control up
    to 0.0009 w^2 - 0.5529 w + 86.9448 km/h in w mm of water, and no road is passed from 300 mm.
    """

    slow_depth_m: float = SLOW_M
    slow_factor: float = 0.3
    closed_depth_m: float = CLOSED_M

    def __post_init__(self) -> None:
        """Check the figures."""
        faults = Faults()
        faults.check(
            0 < self.slow_depth_m <= self.closed_depth_m, "streets must slow down before they are shut"
        )
        faults.check(0 < self.slow_factor <= 1, "slow_factor must be above 0, up to 1")
        faults.raise_as(InvalidInputError, "Water on the streets cannot be judged")

    def roads(self, depth_m: FloatArray) -> tuple[BoolArray, FloatArray]:
        """Streets that (n_edges,) water shuts, and what it leaves of the speed on the others."""
        closed = depth_m >= self.closed_depth_m
        return closed, np.where((depth_m >= self.slow_depth_m) & ~closed, self.slow_factor, 1.0)


@dataclass(frozen=True, eq=False)
class Drives:
    """The drives that water may slow: staffed posts, places of calls, and the roads when they are dry.

    Attributes
    ----------
    network
        The roads.
    post_node, post_s
        (n_posts,) node of each staffed post, and seconds from the post to it.
    demand
        Places of calls.
    access_kph
        Speed from a corner to the door.
    closed, no_through, speed_factor
        Roads as they are without the storm, siren and hour of the week in the factor.
    rules
        What water does to a street.
    """

    network: RoadNetwork
    post_node: IntArray
    post_s: FloatArray
    demand: Demand
    access_kph: float
    closed: BoolArray
    no_through: BoolArray
    speed_factor: FloatArray
    rules: WaterRules = WaterRules()

    def under(self, depth_m: FloatArray) -> "DriveTimes":
        """Drive to every call with (n_edges,) water on the streets."""
        closed, factor = self.rules.roads(depth_m)
        field_s = nearest_times(
            self.network,
            self.post_node,
            offset_s=self.post_s,
            closed=self.closed | closed,
            no_through=self.no_through,
            speed_factor=self.speed_factor * factor,
        ).astype(np.float64)
        return self._judged(field_s)

    def dried(self, depth_m: FloatArray, flooded: "DriveTimes", streets: IntArray) -> "DriveTimes":
        """Drive again once some streets are dry, from what `under` found for the same water."""
        left_m = depth_m.copy()
        left_m[streets] = 0.0
        if self.no_through.any():
            return self.under(left_m)
        closed, factor = self.rules.roads(left_m)
        edge_s = self.network.edge_seconds / (self.speed_factor * factor)
        edge_s[self.closed | closed] = np.inf
        nodes, seconds = lowered_times(self.network, flooded.field_s, edge_s, streets)
        field_s = flooded.field_s.copy()
        field_s[nodes] = seconds
        return self._judged(field_s)

    def _judged(self, field_s: FloatArray) -> "DriveTimes":
        minutes = drive_seconds(field_s, self.demand, access_kph=self.access_kph) / 60
        share = self.demand.weight / self.demand.total
        return DriveTimes(
            mean_min=float(np.minimum(minutes, CUT_OFF_MIN) @ share),
            cut_off=float(share[~np.isfinite(minutes)].sum()),
            field_s=field_s,
        )


@dataclass(frozen=True, eq=False)
class DriveTimes:
    """Drives from the nearest post, every unit free.

    Attributes
    ----------
    mean_min
        Minutes, the mean over calls.
    cut_off
        Share of the calls that nobody can drive to.
    field_s
        (n_nodes,) seconds to each corner.
    """

    mean_min: float
    cut_off: float
    field_s: FloatArray


@dataclass(frozen=True, eq=False)
class PoolMinutes:
    """What each pool costs ambulances.

    Attributes
    ----------
    pool
        (n,) the pools that have water on streets, the costliest first.
    minutes
        (n,) minutes per 1,000 calls that would be given back if its streets alone were dry.
    streets
        (n,) streets that it shuts or slows.
    all_minutes
        Minutes per 1,000 calls that all water together costs. It is not the sum: a way around one pool may
        lead through another.
    """

    pool: IntArray
    minutes: FloatArray
    streets: IntArray
    all_minutes: float


def pool_minutes(drives: Drives, depth_m: FloatArray, pool_of_edge: IntArray) -> PoolMinutes:
    """Dry each pool's streets alone, and drive again.

    Parameters
    ----------
    drives
        The drives.
    depth_m
        (n_edges,) depth of the water.
    pool_of_edge
        (n_edges,) pool over each street's deepest place.
    """
    wet = depth_m >= drives.rules.slow_depth_m
    flooded = drives.under(depth_m)
    dry = drives.under(np.zeros_like(depth_m)).mean_min
    pools, streets = np.unique(pool_of_edge[wet], return_counts=True)
    edges = np.flatnonzero(wet)
    edges = edges[np.argsort(pool_of_edge[edges], kind="stable")]
    alone = [
        drives.dried(depth_m, flooded, of_pool).mean_min
        for of_pool in np.split(edges, np.cumsum(streets)[:-1])
        if len(of_pool)
    ]
    minutes = PER_CALLS * (flooded.mean_min - np.array(alone, dtype=np.float64))
    order = np.argsort(-minutes, kind="stable")
    return PoolMinutes(pools[order], minutes[order], streets[order], PER_CALLS * (flooded.mean_min - dry))


def minute_items(
    costs: PoolMinutes, streets: StreetDepth, pool_of_edge: IntArray, rules: WaterRules
) -> Items:
    """Lay each pool's minutes on the streets it floods, in equal parts, so that a list can be made for them.

    A street gives its part back once the water at its deepest place is lower than what slows ambulances: the
    steps of a pool add up to what drying all of its streets gives back, and what lies between is shared out.
    Pools that cost no time have no items.
    """
    at = np.full(int(max(pool_of_edge.max(initial=0), costs.pool.max(initial=0))) + 1, -1)
    at[costs.pool] = np.arange(len(costs.pool))
    number = at[pool_of_edge]
    edge = np.flatnonzero((streets.depth_m >= rules.slow_depth_m) & (number >= 0))
    number = number[edge]
    each = np.maximum(costs.minutes, 0.0)[number] / costs.streets[number]
    kept = each > 0
    edge = edge[kept]
    return Items(
        streets.pond[edge],
        streets.ground_m[edge] + rules.slow_depth_m,
        each[kept],
        "minutes of ambulances",
        f"minutes per {PER_CALLS:,} calls",
    )
