"""Projections: storage is EPSG:4326, measuring happens in metres in the local UTM zone."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from errors import InvalidInputError

FloatArray = npt.NDArray[np.float64]

STORAGE_CRS = "EPSG:4326"


def utm_epsg(lon: npt.ArrayLike, lat: npt.ArrayLike) -> int:
    """EPSG code of the WGS 84 UTM zone that holds the middle of the given places.

    Parameters
    ----------
    lon, lat
        Degrees, any shape, at least one finite place.

    Raises
    ------
    InvalidInputError
        If no place is finite or the middle is not in degrees.
    """
    lon_array, lat_array = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    finite = np.isfinite(lon_array) & np.isfinite(lat_array)
    if not finite.any():
        raise InvalidInputError("No place has finite coordinates, so no UTM zone can be chosen")
    middle_lon, middle_lat = float(np.median(lon_array[finite])), float(np.median(lat_array[finite]))
    if not (-180 <= middle_lon <= 180 and -84 <= middle_lat <= 84):
        raise InvalidInputError(
            f"The middle of the places is ({middle_lon:.1f}, {middle_lat:.1f}), which is not longitude and "
            "latitude in degrees; reproject the data to EPSG:4326 first"
        )
    zone = min(int((middle_lon + 180) // 6) + 1, 60)
    return (32600 if middle_lat >= 0 else 32700) + zone


@lru_cache(maxsize=16)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def to_metres(lon: npt.ArrayLike, lat: npt.ArrayLike, epsg: int) -> tuple[FloatArray, FloatArray]:
    """Easting and northing in metres, of the input's shape, in the projected system ``epsg``."""
    x, y = _transformer(STORAGE_CRS, f"EPSG:{epsg}").transform(np.asarray(lon, float), np.asarray(lat, float))
    return np.asarray(x), np.asarray(y)


def to_degrees(x_m: npt.ArrayLike, y_m: npt.ArrayLike, epsg: int) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude in degrees, of the input's shape, from metres in ``epsg``."""
    lon, lat = _transformer(f"EPSG:{epsg}", STORAGE_CRS).transform(
        np.asarray(x_m, float), np.asarray(y_m, float)
    )
    return np.asarray(lon), np.asarray(lat)


def geometry_to_metres(geometry: BaseGeometry, epsg: int) -> BaseGeometry:
    """Return a geometry in degrees (EPSG:4326) as one in metres in ``epsg``."""
    return shapely.transform(geometry, lambda c: np.column_stack(to_metres(c[:, 0], c[:, 1], epsg)))


def geometry_to_degrees(geometry: BaseGeometry, epsg: int) -> BaseGeometry:
    """Return a geometry in metres in ``epsg`` as one in degrees (EPSG:4326)."""
    return shapely.transform(geometry, lambda c: np.column_stack(to_degrees(c[:, 0], c[:, 1], epsg)))
