"""Bring a surface as a city has it to the city's own grid of metres, and say what was done to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyproj
from pyproj.enums import TransformDirection

from data.elevation import (
    FEET_A_METRE,
    MOST_CELLS,
    FloatArray,
    corners_of,
    feet_said,
    is_upright,
    levels_of,
    system_of,
)
from data.profile_roads import Box
from errors import Faults, ImportSourceError
from geo.drainage_edges import Grid

if TYPE_CHECKING:
    from affine import Affine

Unit = Literal["m", "ft"]
FEET_TO_METRES = "Its levels were in feet and became metres."


@dataclass(frozen=True, eq=False)
class ImportedElevation:
    """A surface on a city's grid.

    Attributes
    ----------
    dem_m
        (rows, columns) metres, NaN where there is no ground; first row in the north.
    grid
        Where the cells lie.
    steps
        What was done to it, a plain sentence each; empty where it was right as it came.
    """

    dem_m: FloatArray
    grid: Grid
    steps: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Raw:
    """Levels in metres as they came, with their system and the map from cells to it."""

    dem_m: FloatArray
    crs: pyproj.CRS
    transform: "Affine"
    was_feet: bool


def import_elevation(
    path: Path, *, epsg: int, bbox: Box, cell_m: float | None = None, unit: Unit | None = None
) -> ImportedElevation:
    """Read a surface in any system and unit, and warp it where it is not on the city's grid yet.

    Parameters
    ----------
    path
        A GeoTIFF (or another raster that GDAL reads) whose first band holds levels.
    epsg
        The city's projected system in metres.
    bbox
        West, south, east, north of the city in degrees; a surface that is warped is cut there.
    cell_m
        Side of the cells of a surface that is warped, metres; by default that of the source.
    unit
        Unit of the levels, where the file does not say it or says it wrongly. Without it a file that
        states feet is read in feet, and any other in metres.

    Returns
    -------
    surface
        Levels in metres. Holes stay holes: nothing is filled in.

    Raises
    ------
    ImportSourceError
        The file cannot be read, states no coordinate system, has no ground in the city, or would need too
        many cells; the text lists every fault.
    """
    faults = Faults()
    faults.check(cell_m is None or cell_m > 0, f"cells of {cell_m} m cannot be; give a side above 0")
    raw = _read(Path(path), unit, faults)
    headline = f"The elevation {Path(path).name} cannot be imported"
    faults.raise_as(ImportSourceError, headline)
    if raw is None:  # pragma: no cover - what was not read is a fault and was raised
        raise AssertionError
    steps = [FEET_TO_METRES] if raw.was_feet else []
    if raw.crs.to_epsg(min_confidence=60) == epsg and is_upright(raw.transform):
        place = raw.transform
        dem, grid = raw.dem_m, Grid(place.c, place.f, place.a, epsg, raw.dem_m.shape)
    else:
        target = _grid_for(raw, epsg, bbox, cell_m)
        faults.check(target is not None, "no part of it lies in the city")
        cells = 0 if target is None else target.shape[0] * target.shape[1]
        faults.check(
            cells <= MOST_CELLS,
            f"it would need {cells:,} cells, more than {MOST_CELLS:,}; give a larger cell_m",
        )
        faults.raise_as(ImportSourceError, headline)
        if target is None:  # pragma: no cover - a fault that was raised
            raise AssertionError
        dem, grid = _warped(raw, target), target
        steps.append(
            f"It came in {raw.crs.name} and was brought to EPSG:{epsg}, cells of {grid.cell_m:g} m, by "
            "straight lines between its cells (bilinear), and cut to the city."
        )
    faults.check(not np.isnan(dem).all(), "no cell has ground in the city: all are marked as no data")
    faults.raise_as(ImportSourceError, headline)
    return ImportedElevation(dem, grid, tuple(steps))


def _read(path: Path, unit: Unit | None, faults: Faults) -> _Raw | None:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as source:
            crs = system_of(source)
            cells = source.width * source.height
            faults.check(
                cells <= MOST_CELLS, f"it has {cells:,} cells, more than {MOST_CELLS:,}; average it first"
            )
            if crs is None:
                faults.add("it does not say its coordinate system, and nobody can guess it")
            if faults or crs is None:
                return None
            dem = levels_of(source)
            was_feet = unit == "ft" or (unit is None and feet_said(source, crs))
            return _Raw(dem / FEET_A_METRE if was_feet else dem, crs.to_2d(), source.transform, was_feet)
    except (RasterioError, OSError, ValueError) as error:
        faults.add(f"the file cannot be read ({error})")
        return None


def _grid_for(raw: _Raw, epsg: int, bbox: Box, cell_m: float | None) -> Grid | None:
    """Find the upright grid over the part of the surface that lies in the city, or None where none does."""
    x, y = corners_of(raw.transform, *raw.dem_m.shape)
    to_grid = pyproj.Transformer.from_crs(raw.crs, f"EPSG:{epsg}", always_xy=True)
    west, south, east, north = to_grid.transform_bounds(x.min(), y.min(), x.max(), y.max())
    city = pyproj.Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True).transform_bounds(*bbox)
    west, south = max(west, city[0]), max(south, city[1])
    east, north = min(east, city[2]), min(north, city[3])
    if not np.isfinite([west, south, east, north]).all() or west >= east or south >= north:
        return None
    if cell_m is None:
        middle = to_grid.transform(
            (west + east) / 2, (south + north) / 2, direction=TransformDirection.INVERSE
        )
        cell_m = _cell_at(raw, *middle, to_grid)
    shape = (int(np.ceil((north - south) / cell_m)), int(np.ceil((east - west) / cell_m)))
    return Grid(float(west), float(north), float(cell_m), epsg, shape)


def _cell_at(raw: _Raw, x: float, y: float, to_grid: pyproj.Transformer) -> float:
    """Side of the source's cells near a place of its own system, metres rounded to a tenth, at least 0.1."""
    place = raw.transform
    xs = [x, x + place.a, x + place.b]
    ys = [y, y + place.d, y + place.e]
    easting, northing = (np.array(values) for values in to_grid.transform(xs, ys))
    sides = np.hypot(easting[1:] - easting[0], northing[1:] - northing[0])
    return max(round(float(np.sqrt(sides[0] * sides[1])), 1), 0.1)


def _warped(raw: _Raw, grid: Grid) -> FloatArray:
    from rasterio.transform import Affine
    from rasterio.warp import Resampling, reproject

    dem = np.full(grid.shape, np.nan)
    reproject(
        raw.dem_m,
        dem,
        src_transform=raw.transform,
        src_crs=raw.crs.to_wkt(),
        src_nodata=np.nan,
        dst_transform=Affine(grid.cell_m, 0, grid.west_m, 0, -grid.cell_m, grid.north_m),
        dst_crs=f"EPSG:{grid.epsg}",
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
    )
    return dem
