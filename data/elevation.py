"""The ground of a city folder: one GeoTIFF of levels on the city's own grid of metres, read and judged."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyproj
from scipy import ndimage

from data.profile_roads import Box
from errors import CityFolderError, Faults, InvalidInputError
from geo.crs import to_metres
from geo.drainage_edges import Grid

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.io import DatasetReader

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ELEVATION_FILE = "elevation.tif"
TITLE = "Ground elevation"
LOAD_HINT = (
    "Write it with data.folder.CityFolderWriter.write_elevation from a surface that "
    "data.importers.elevation.import_elevation has brought to the city's grid, or make the demo city "
    "(python -m data demo)."
)

MOST_CELLS = 60_000_000
"""More cells than this do not fit beside the app: a city of 900 km2 in cells of 4 m has fewer."""

EARTH_M = (-440.0, 8850.0)
"""Levels between the shore of the Dead Sea and the top of Mount Everest."""

FEET_A_METRE = 3.28084
MISFIT_SHARE = 0.01
"""Share of the ground that may lie outside the levels that a city can have: bridges, pits, errors."""

FOOT_WORDS = ("foot", "feet", "ft")
_CM = 0.01
_SQUARE = 1e-6
_INT16_TOP = 32_767


@dataclass(frozen=True, eq=False)
class Elevation:
    """Levels of the ground.

    Attributes
    ----------
    dem_m
        (rows, columns) metres, NaN where there is no ground; first row in the north.
    grid
        Where the cells lie, in the city's grid of metres.
    holes
        How many patches without ground lie wholly within the surface, without touching its frame.
    words
        What to mind about it, a plain sentence each.
    """

    dem_m: FloatArray
    grid: Grid
    holes: int
    words: tuple[str, ...]

    @property
    def cells(self) -> int:
        """How many cells have ground."""
        return int((~np.isnan(self.dem_m)).sum())

    def levels_at(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> FloatArray:
        """Give the level under places in degrees, shape (n,) metres; NaN outside and where no ground is."""
        row, column, held = self.grid.cells_of(*to_metres(lon, lat, self.grid.epsg))
        levels: FloatArray = np.where(held, self.dem_m[row, column], np.nan)
        return levels


def read_elevation(
    path: Path, epsg: int, *, bbox: Box | None = None, levels_m: tuple[float, float] | None = None
) -> Elevation:
    """Read a surface that lies on a city's grid of metres; nothing is warped or converted here.

    Parameters
    ----------
    path
        A GeoTIFF of one band; its scale, offset and mark of no data are heeded.
    epsg
        The city's projected system in metres, in which the cells must be square and upright.
    bbox
        West, south, east, north of the city in degrees, which the surface must touch.
    levels_m
        Lowest and highest ground that the city can have, by which feet and lost scales are told.

    Raises
    ------
    CityFolderError
        The file cannot be read or used; the text lists every fault.
    """
    import rasterio
    from rasterio.errors import RasterioError

    faults = Faults()
    headline = f"The elevation {path.name} cannot be used"
    try:
        with rasterio.open(path) as source:
            _check_form(source, epsg, bbox, faults)
            grid = Grid(
                source.transform.c,
                source.transform.f,
                source.transform.a,
                epsg,
                (source.height, source.width),
            )
            dem = levels_of(source) if source.width * source.height <= MOST_CELLS else None
    except (RasterioError, OSError, ValueError) as error:
        faults.add(f"the file cannot be read ({error})")
        dem = None
    if dem is not None:
        _check_levels(dem, levels_m, faults)
    faults.raise_as(CityFolderError, headline)
    if dem is None:  # pragma: no cover - a surface that was not read is a fault and was raised
        raise AssertionError
    holes, cells = _holes(dem)
    return Elevation(dem, grid, holes, _words(dem, grid, holes, cells))


def write_geotiff(path: Path, dem_m: npt.ArrayLike, grid: Grid) -> int:
    """Write a surface as whole centimetres, the same bytes for the same content.

    Parameters
    ----------
    path
        Where to; an older file goes.
    dem_m
        (rows, columns) metres, NaN where there is no ground.
    grid
        Where the cells lie.

    Returns
    -------
    cells
        How many cells have ground.

    Raises
    ------
    InvalidInputError
        With every fault of surface and grid.
    """
    import rasterio
    from rasterio.transform import Affine

    faults = Faults()
    dem = np.asarray(dem_m, dtype=np.float64)
    faults.check(
        dem.shape == grid.shape, f"the surface is {dem.shape} and its grid {grid.shape}; make them equal"
    )
    faults.check(grid.cell_m > 0, f"the side of a cell is {grid.cell_m} m; it must be above 0")
    faults.check(not np.isinf(dem).any(), "the surface holds infinite levels; where no ground is write NaN")
    ground = ~np.isnan(dem)
    faults.check(ground.any(), "no cell has ground")
    faults.raise_as(InvalidInputError, "The elevation cannot be written")
    top = float(np.abs(dem[ground]).max())
    kind = np.int16 if round(top / _CM) <= _INT16_TOP else np.int32
    empty = int(np.iinfo(kind).min)
    centimetres = np.full(dem.shape, empty, dtype=kind)
    centimetres[ground] = np.rint(dem[ground] / _CM).astype(kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=dem.shape[0],
        width=dem.shape[1],
        count=1,
        dtype=np.dtype(kind).name,
        crs=f"EPSG:{grid.epsg}",
        transform=Affine(grid.cell_m, 0, grid.west_m, 0, -grid.cell_m, grid.north_m),
        nodata=empty,
        tiled=True,
        compress="deflate",
        predictor=2,
    ) as target:
        target.write(centimetres, 1)
        target.scales = (_CM,)
        target.units = ("m",)
    return int(ground.sum())


def feet_said(source: "DatasetReader", crs: pyproj.CRS | None) -> bool:
    """Say whether a file states that its levels are feet, by its band's unit or its vertical system."""
    stated = [*(unit for unit in source.units if unit)]
    if crs is not None and len(crs.axis_info) == 3:
        stated.append(crs.axis_info[2].unit_name)
    return any(word in unit.casefold() for unit in stated for word in FOOT_WORDS)


def system_of(source: "DatasetReader") -> pyproj.CRS | None:
    """Give the coordinate system of a file, or None where it states none."""
    return None if source.crs is None else pyproj.CRS.from_wkt(source.crs.to_wkt())


def is_upright(transform: "Affine") -> bool:
    """Say whether cells are square and upright, the first row in the north."""
    turned = bool(transform.b or transform.d)
    square = abs(abs(transform.a) - abs(transform.e)) <= _SQUARE * abs(transform.a)
    return not turned and transform.a > 0 > transform.e and square


def corners_of(transform: "Affine", rows: int, columns: int) -> tuple[FloatArray, FloatArray]:
    """Give the places of a surface's four corners in its own system, (4,) and (4,)."""
    column, row = np.array([0.0, columns, columns, 0.0]), np.array([0.0, 0.0, rows, rows])
    x: FloatArray = transform.a * column + transform.b * row + transform.c
    y: FloatArray = transform.d * column + transform.e * row + transform.f
    return x, y


def levels_of(source: "DatasetReader") -> FloatArray:
    """Give the levels of the first band, (rows, columns) in the file's unit, NaN where no ground is."""
    raw = source.read(1, masked=True)
    dem: FloatArray = raw.data.astype(np.float64) * source.scales[0] + source.offsets[0]
    dem[np.ma.getmaskarray(raw)] = np.nan
    return dem


def _check_form(source: "DatasetReader", epsg: int, bbox: Box | None, faults: Faults) -> None:
    grid = source.transform
    crs = system_of(source)
    asked = f"bring it to EPSG:{epsg} (metres), see data.importers.elevation"
    if crs is None:
        faults.add(f"it does not say its coordinate system; {asked}")
    elif crs.to_2d().to_epsg(min_confidence=60) != epsg:
        unit = crs.axis_info[0].unit_name if crs.axis_info else "an unknown unit"
        code = crs.to_epsg(min_confidence=60)
        name = f"EPSG:{code}" if code else crs.name
        plain = "degrees" if "degree" in unit else "feet" if "foot" in unit else unit
        faults.add(f"its coordinate system is {name} ({plain}); {asked}")
    faults.check(source.count == 1, f"it holds {source.count} bands; one band of levels is wanted")
    cells = source.width * source.height
    faults.check(
        cells <= MOST_CELLS, f"it has {cells:,} cells, more than {MOST_CELLS:,}; average it over larger cells"
    )
    if grid.b or grid.d:
        faults.add("its rows and columns are turned against north and east; warp it to an upright grid")
    else:
        faults.check(grid.a > 0 and grid.e < 0, "its first row is not its northernmost; turn it upright")
        faults.check(
            abs(abs(grid.a) - abs(grid.e)) <= _SQUARE * abs(grid.a),
            f"its cells are {abs(grid.a):g} by {abs(grid.e):g}; water needs square ones",
        )
    faults.check(not feet_said(source, crs), "its levels are feet; write metres")
    if crs is not None and bbox is not None:
        _check_overlap(source, crs, bbox, faults)


def _check_overlap(source: "DatasetReader", crs: pyproj.CRS, bbox: Box, faults: Faults) -> None:
    to_degrees = pyproj.Transformer.from_crs(crs.to_2d(), "EPSG:4326", always_xy=True)
    x, y = corners_of(source.transform, source.height, source.width)
    west, south, east, north = to_degrees.transform_bounds(x.min(), y.min(), x.max(), y.max())
    apart = not np.isfinite([west, south, east, north]).all()
    apart = apart or east < bbox[0] or west > bbox[2] or north < bbox[1] or south > bbox[3]
    faults.check(
        not apart,
        f"it lies outside the city: longitude {west:.3f} to {east:.3f}, latitude {south:.3f} to {north:.3f}",
    )


def _check_levels(dem: FloatArray, levels_m: tuple[float, float] | None, faults: Faults) -> None:
    ground = dem[~np.isnan(dem)]
    if not ground.size:
        faults.add("no cell has ground: every one is marked as no data")
        return
    if not np.isfinite(ground).all():
        faults.add("it holds infinite levels; mark cells without ground as no data")
        return
    low, high = levels_m or EARTH_M
    if not _misfit(ground, low, high):
        return
    said = (
        f"its levels run from {ground.min():,.1f} to {ground.max():,.1f} m, where {low:g} to {high:g} m "
        "are possible"
    )
    if not _misfit(ground / FEET_A_METRE, low, high):
        said += ": they look like feet; write metres"
    elif not _misfit(ground * _CM, low, high):
        said += ": they look like centimetres whose scale is lost; write metres"
    faults.add(said)


def _misfit(ground: FloatArray, low: float, high: float) -> bool:
    return bool(((ground < low) | (ground > high)).mean() > MISFIT_SHARE)


def _holes(dem: FloatArray) -> tuple[int, int]:
    """Patches of cells without ground that do not touch the frame, and their cells in all."""
    empty = np.isnan(dem)
    if not empty.any():
        return 0, 0
    patch, patches = ndimage.label(empty, np.ones((3, 3), dtype=np.int8))
    size = np.bincount(patch.ravel(), minlength=patches + 1)
    size[0] = 0
    for frame in (patch[0], patch[-1], patch[:, 0], patch[:, -1]):
        size[frame] = 0
    return int((size > 0).sum()), int(size.sum())


def _words(dem: FloatArray, grid: Grid, holes: int, cells: int) -> tuple[str, ...]:
    km2 = grid.cell_m**2 / 1e6
    ground = ~np.isnan(dem)
    extent = (
        f"{dem.shape[0]:,} x {dem.shape[1]:,} cells of {grid.cell_m:g} m; {ground.sum():,} "
        f"({ground.sum() * km2:,.0f} km2) have ground, from {np.nanmin(dem):.2f} to {np.nanmax(dem):.2f} m."
    )
    if not holes:
        return (extent,)
    many = "1 patch" if holes == 1 else f"{holes:,} patches"
    return (extent, f"No level is known in {many} within it ({cells * km2:,.2f} km2).")
