"""Which region a point lies in: neighborhoods, districts, any set of polygons."""

from collections.abc import Sequence
from typing import Any, cast

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from errors import Faults, InvalidInputError

OUTSIDE = -1
"""Index of a point that lies in no region."""


def assign_regions(
    lon: ArrayLike, lat: ArrayLike, polygons: Sequence[Any] | NDArray[Any] | gpd.GeoSeries
) -> NDArray[np.intp]:
    """Index of the polygon that holds each point.

    A point on a shared border, or in two polygons that overlap, belongs to the polygon that comes first, so
    the answer never depends on the order of the points. The spatial index holds the points, and each polygon
    asks it once as a prepared geometry: few polygons of many vertices meet many points.

    Parameters
    ----------
    lon, lat
        Coordinates of the points, shape ``(n,)``, in the polygons' own reference system (degrees, EPSG:4326,
        in a city folder). Missing or infinite coordinates lie in no region.
    polygons
        Shapely polygons or multipolygons, shape ``(m,)``. Missing and empty ones hold nothing.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, values ``0 .. m - 1``, or -1 (``OUTSIDE``) where no polygon holds the point.

    Raises
    ------
    InvalidInputError
        When ``lon`` and ``lat`` are not two lists of the same length, or a region is not a polygon.
    """
    x = np.asarray(lon, dtype=np.float64)
    y = np.asarray(lat, dtype=np.float64)
    shapes = np.asarray(polygons, dtype=object)
    faults = Faults()
    faults.check(
        x.ndim == 1 and x.shape == y.shape, f"give one latitude to each longitude, not {y.shape} to {x.shape}"
    )
    faults.check(_all_polygons(shapes), "every region must be a polygon or a multipolygon")
    faults.raise_as(InvalidInputError, "Points cannot be assigned to regions")

    region = np.full(x.shape, OUTSIDE, dtype=np.intp)
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if finite.size == 0 or shapes.size == 0:
        return region
    tree = shapely.STRtree(cast("NDArray[np.object_]", shapely.points(x[finite], y[finite])))
    polygon, point = tree.query(shapes, predicate="intersects")
    last_to_first = np.argsort(polygon, kind="stable")[::-1]
    region[finite[point[last_to_first]]] = polygon[last_to_first]
    return region


def _all_polygons(shapes: NDArray[np.object_]) -> bool:
    if not shapely.is_valid_input(shapes).all():
        return False
    missing, polygon, multipolygon = -1, 3, 6  # GEOS type ids
    return bool(np.isin(shapely.get_type_id(shapes), (missing, polygon, multipolygon)).all())
