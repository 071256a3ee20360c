"""Isochrones: the ground that is reached within a time, as polygons with their holes and islands.

Each kept node stands for the ground nearest to it (its Voronoi cell; Okabe et al. 2000, Spatial
Tessellations). An isochrone is the union of the cells of the nodes reached in time, cut to the ground that
streets serve, so it holds every reached node and no other.
"""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from errors import Faults, InvalidInputError
from geo import crs
from geo.network import RoadNetwork

BRIDGE_HALF_WIDTH_M = 15.0


def served_ground(network: RoadNetwork, land: BaseGeometry) -> BaseGeometry:
    """Ground that streets serve: land near a street, and the decks of bridges over water.

    Parameters
    ----------
    land
        Land without its water, in degrees (EPSG:4326).

    Returns
    -------
    ground
        Polygons in metres in ``network.epsg``, prepared for fast cutting.
    """
    land_m = crs.geometry_to_metres(land, network.epsg)
    shapely.prepare(land_m)
    over_water = ~shapely.contains(land_m, network.lines_m)
    decks = shapely.buffer(network.lines_m[over_water], BRIDGE_HALF_WIDTH_M)
    ground = shapely.union_all([shapely.intersection(land_m, network.street_reach), *decks])
    shapely.prepare(ground)
    return ground


def isochrones(
    network: RoadNetwork,
    seconds: npt.ArrayLike,
    thresholds_s: Sequence[float],
    *,
    ground: BaseGeometry | None = None,
) -> gpd.GeoDataFrame:
    """Polygons of the ground reached within each threshold.

    Parameters
    ----------
    network
        The road network.
    seconds
        (n_nodes,) seconds to each node, infinite where it is not reached.
    thresholds_s
        Seconds, each zero or more. A polygon of a longer time holds those of all shorter ones.
    ground
        Ground to cut to, in metres in ``network.epsg``, as `served_ground` gives it; all ground within
        ``geo.network.STREET_REACH_M`` of a street when not given.

    Returns
    -------
    GeoDataFrame
        ``threshold_s, geometry`` in EPSG:4326, one row a threshold in the order given; an empty geometry
        where nothing is reached.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    field = np.asarray(seconds, dtype=float)
    faults = Faults()
    faults.check(
        field.shape == (network.n_nodes,), f"seconds must hold one number for each of {network.n_nodes} nodes"
    )
    faults.check(not np.isnan(field).any(), "seconds holds NaN; use infinity where a node is not reached")
    faults.check(len(thresholds_s) > 0, "no threshold is given")
    faults.check(
        all(np.isfinite(value) and value >= 0 for value in thresholds_s),
        "each threshold must be a number of seconds, zero or more",
    )
    faults.raise_as(InvalidInputError, "Isochrones cannot be drawn")
    cells, cell_of_node = network.node_cells
    cell_seconds = np.full(len(cells), np.inf)
    np.minimum.at(cell_seconds, cell_of_node[network.main], field[network.main])
    mask = network.street_reach if ground is None else ground
    shapely.prepare(mask)
    reached: dict[float, BaseGeometry] = {}
    whole: BaseGeometry = shapely.Polygon()
    below = -np.inf
    # Each cell is joined once: a longer time adds its own cells to the polygon of the shorter one.
    for threshold in sorted({float(value) for value in thresholds_s}):
        ring = shapely.coverage_union_all(cells[(cell_seconds > below) & (cell_seconds <= threshold)])
        if not ring.is_empty:
            whole = ring if whole.is_empty else shapely.coverage_union_all([whole, ring])
        below = threshold
        reached[threshold] = crs.geometry_to_degrees(shapely.intersection(whole, mask), network.epsg)
    thresholds = [float(value) for value in thresholds_s]
    return gpd.GeoDataFrame(
        {"threshold_s": thresholds},
        geometry=[reached[threshold] for threshold in thresholds],
        crs=crs.STORAGE_CRS,
    )
