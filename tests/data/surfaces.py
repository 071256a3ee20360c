"""Small surfaces that tests write as GeoTIFF, right and wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import Affine

from geo.crs import to_metres
from geo.drainage_edges import Grid

EPSG = 26915
BBOX = (-90.16, 29.85, -89.60, 30.20)
CELL_M = 20.0


def small_grid(rows: int = 30, columns: int = 40) -> Grid:
    """Give a grid in the city, its first corner north-west of the small city's streets."""
    west, north = (float(value) for value in to_metres(-90.082, 29.957, EPSG))
    return Grid(west, north, CELL_M, EPSG, (rows, columns))


def bowl(rows: int = 30, columns: int = 40) -> npt.NDArray[np.float64]:
    """Give levels of a bowl from 1 m at its rim to -2 m, whole centimetres."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    levels: npt.NDArray[np.float64] = np.round(np.minimum(x**2 + y**2, 1.0) * 3.0 - 2.0, 2)
    return levels


def cells(west: float, north: float, width: float, height: float | None = None) -> Affine:
    """Give the map from upright cells to places; ``height`` counts southward."""
    return Affine(width, 0, west, 0, -(width if height is None else height), north)


def write_tif(path: Path, levels: npt.NDArray[Any], **changes: Any) -> Path:  # noqa: ANN401
    """Write levels as a GeoTIFF; ``changes`` spoil its form (crs, transform, units, scales, nodata)."""
    grid = small_grid(*levels.shape)
    told: dict[str, Any] = {
        "crs": f"EPSG:{EPSG}",
        "transform": cells(grid.west_m, grid.north_m, CELL_M),
        "nodata": np.nan,
        "count": 1,
    } | {key: value for key, value in changes.items() if key not in {"units", "scales"}}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=levels.shape[0],
        width=levels.shape[1],
        dtype=levels.dtype.name,
        **told,
    ) as target:
        for band in range(1, told["count"] + 1):
            target.write(levels, band)
        if "units" in changes:
            target.units = changes["units"]
        if "scales" in changes:
            target.scales = changes["scales"]
    return path


def turned(degrees: float) -> Affine:
    """Give the map from cells to places of a grid that is turned against north."""
    grid = small_grid()
    along, across = (CELL_M * float(part(np.radians(degrees))) for part in (np.cos, np.sin))
    return Affine(along, across, grid.west_m, across, -along, grid.north_m)
