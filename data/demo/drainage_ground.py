"""The demo's surface: a leveed bowl with natural levees, ridges, sunk swamp, streets and dips."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.fft
import shapely
from rasterio import Affine
from rasterio.features import rasterize
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from data.demo.facts_io import EPSG, FloatArray, evenly, metres, read_csv, read_toml
from data.demo.ground import Ground
from data.demo.places import Neighborhoods
from data.demo.tables import CRS, in_degrees
from geo.drainage_edges import Grid

BoolArray = npt.NDArray[np.bool_]
AROUND_M = 120.0
"""A place is in a hollow when it lies lower than the ground about it; one standard deviation of "about"."""
CFS = 0.028316846592
"""Cubic metres in a cubic foot."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The ground within the levees.

    Attributes
    ----------
    dem_m
        (rows, columns) level in metres, NaN on water and outside the levees.
    grid
        Where the cells lie.
    hollow_m
        (rows, columns) how much lower a cell lies than the ground about it; below zero on rises, NaN without
        ground.
    on_crest
        (rows, columns) whether a cell is a levee or a wall.
    """

    dem_m: FloatArray
    grid: Grid
    hollow_m: FloatArray
    on_crest: BoolArray

    def at(self, field: npt.NDArray[Any], xy: FloatArray) -> npt.NDArray[Any]:
        """(n,) values of a field (rows, columns) under (n, 2) places in metres that lie on the grid."""
        row, column, _ = self.grid.cells_of(xy[:, 0], xy[:, 1])
        return np.asarray(field[row, column])


def leveed_ground(ground: Ground) -> BaseGeometry:
    """Give the land within the levees, in metres."""
    inside = shapely.Polygon(metres(read_toml("drainage")["surface"]["inside"]))
    parts = shapely.get_parts(ground.land.intersection(inside))
    return shapely.union_all(parts[shapely.area(parts) > 1e6])


def raise_ground(
    ground: Ground, leveed: BaseGeometry, streets: npt.NDArray[np.object_], rng: np.random.Generator
) -> Surface:
    """Make the surface of ``facts/drainage.toml``.

    Parameters
    ----------
    ground
        River, lake and canals.
    leveed
        The land within the levees.
    streets
        Lines in metres along which the ground is a street.
    rng
        Draws hollows and rises.
    """
    facts = read_toml("drainage")["surface"]
    grid = _grid_over(leveed, float(facts["cell_m"]))
    cover = _Cover(grid)
    land = cover.filled(leveed)
    named = {name: shape for name, _, shape in ground.water}
    river, lake = (named[read_toml("ground")[key]["name"]] for key in ("river", "lake_shore"))

    natural, sunk = facts["natural"], facts["sunk"]
    from_river = cover.metres_to(river)
    z = natural["far_m"] + natural["high_m"] * np.exp(-from_river / natural["width_m"])
    z += sunk["metres"] * np.clip((from_river - sunk["from_m"]) / (sunk["to_m"] - sunk["from_m"]), 0, 1)
    for bowl in facts["bowl"]:
        z += bowl["metres"] * np.exp(-0.5 * (cover.metres_from_spot(bowl["spot"]) / bowl["width_m"]) ** 2)
    for ridge in facts["ridge"]:
        away = cover.metres_to(shapely.LineString(metres(ridge["line"])))
        z += ridge["height_m"] * np.exp(-0.5 * (away / ridge["width_m"]) ** 2)
    z = _filled_along_the_lake(z, cover.metres_to(lake), cover, facts["lakefill"])
    z += rough_field(grid.shape, grid.cell_m, facts["rough"], rng)
    on_street = cover.along(streets) & land
    z[on_street] += facts["street_m"]
    _dig_dips(z, on_street, grid.cell_m, facts["dips"], rng)

    on_crest = np.zeros(grid.shape, dtype=bool)
    for kind, shape in _walls(ground, leveed, river, lake, facts).items():
        near = cover.metres_to(shape) <= facts["edge_m"]
        z[near] = np.maximum(z[near], facts["crest_m"][kind])
        on_crest |= near & (kind != "bayou")
    z = np.clip(z, *facts["levels_m"])
    z = np.where(land, np.round(z, 2), np.nan)
    return Surface(z, grid, _hollow(z, grid.cell_m), on_crest & land)


def pump_areas(leveed: BaseGeometry, hoods: Neighborhoods) -> gpd.GeoDataFrame:
    """Give the table ``pump_areas``: neighborhoods within the levees, joined by the station that drains."""
    of_hood = {row["name"]: row["station"] for row in read_csv("drainage_hoods")}
    rows = []
    for key, station in read_toml("drainage")["station"].items():
        wanted = np.array([of_hood[name] == key for name in hoods.name])
        area = shapely.union_all(hoods.shape[wanted]).intersection(leveed)
        parts = shapely.get_parts(area)
        area = shapely.union_all(parts[(shapely.area(parts) > 1.0) & (shapely.get_dimensions(parts) == 2)])
        rows.append((f"Area {key}", station["name"], round(station["capacity_cfs"] * CFS, 2), area))
    frame = pd.DataFrame(rows, columns=["name", "station", "capacity_m3_s", "geometry"])
    return gpd.GeoDataFrame(
        frame.drop(columns="geometry"), geometry=in_degrees(frame["geometry"].tolist()), crs=CRS
    )


class _Cover:
    """Lay shapes over the grid."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._transform = Affine(grid.cell_m, 0, grid.west_m, 0, -grid.cell_m, grid.north_m)
        rows, columns = np.indices(grid.shape, sparse=True)
        self.x, self.y = grid.middles(rows, columns)

    def filled(self, shape: BaseGeometry) -> BoolArray:
        """Cells whose middle lies in the shape."""
        return self._burnt([shape], touched=False)

    def along(self, lines: npt.NDArray[np.object_]) -> BoolArray:
        """Cells on lines."""
        return self._burnt(list(lines), touched=False)

    def metres_to(self, shape: BaseGeometry) -> FloatArray:
        """Metres from each cell to a shape, to half a cell."""
        burnt = self._burnt([shape], touched=shape.geom_type.endswith("LineString"))
        if not burnt.any():
            return np.full(self._grid.shape, np.inf)
        away: FloatArray = ndimage.distance_transform_edt(~burnt, sampling=self._grid.cell_m)
        return away

    def metres_from_spot(self, spot: list[float]) -> FloatArray:
        """Metres from each cell to a place in degrees."""
        x, y = metres([spot])[0]
        return np.asarray(np.hypot(self.x - x, self.y - y))

    def _burnt(self, shapes: list[BaseGeometry], *, touched: bool) -> BoolArray:
        burnt = rasterize(
            shapes, self._grid.shape, transform=self._transform, all_touched=touched, dtype="uint8"
        )
        return np.asarray(burnt, dtype=bool)


def _grid_over(shape: BaseGeometry, cell_m: float) -> Grid:
    """Square cells over a shape, on whole multiples of their side, with an empty frame of two."""
    west, south, east, north = shape.bounds
    first, last = np.floor(west / cell_m) - 2, np.ceil(east / cell_m) + 2
    low, high = np.floor(south / cell_m) - 2, np.ceil(north / cell_m) + 2
    return Grid(
        float(first * cell_m), float(high * cell_m), cell_m, EPSG, (int(high - low), int(last - first))
    )


def _filled_along_the_lake(
    z: FloatArray, from_lake: FloatArray, cover: _Cover, fill: dict[str, float]
) -> FloatArray:
    """Raise the ground along a part of the lake to one level, with a slope on its land side."""
    west, east = metres([(fill["west"], 30.02), (fill["east"], 30.02)])[:, 0]
    share = 1 / (1 + np.exp((from_lake - fill["width_m"]) / (fill["fall_m"] / 3)))
    share = share * ((cover.x > west) & (cover.x < east))
    return np.asarray(z + share * np.maximum(fill["level_m"] - z, 0))


def _walls(
    ground: Ground, leveed: BaseGeometry, river: BaseGeometry, lake: BaseGeometry, facts: dict[str, Any]
) -> dict[str, BaseGeometry]:
    """Shapes beside which levees and walls stand, the lowest first."""
    bayous = [shape for name, _, shape in ground.water if name in facts["bayous"]]
    canals = [
        shape
        for name, _, shape in ground.water
        if name not in facts["bayous"] and not shape.equals(river) and not shape.equals(lake)
    ]
    marsh = ground.land.difference(leveed.buffer(1.0))
    return {
        "bayou": shapely.union_all(bayous),
        "canal": shapely.union_all(canals),
        "line": marsh,
        "lake": lake,
        "river": river,
    }


def rough_field(
    shape: tuple[int, int], cell_m: float, scales: list[list[float]], rng: np.random.Generator
) -> FloatArray:
    """Sum of Gaussian fields, each of white noise smoothed by a Gaussian kernel (in the frequency domain)."""
    rows, columns = (scipy.fft.next_fast_len(side, real=True) for side in shape)
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    square = fy**2 + fx**2
    total = np.zeros((rows, columns // 2 + 1), dtype=complex)
    for reach_m, sd_m in scales:
        pull = np.exp(-2 * (np.pi * reach_m / cell_m) ** 2 * square)
        # Parseval: the variance left after smoothing is the mean square of the kernel over all frequencies.
        left = (pull[:, 0] ** 2).sum() + 2 * (pull[:, 1:] ** 2).sum()
        white = scipy.fft.rfft2(rng.standard_normal((rows, columns)))
        total += white * pull * (sd_m / np.sqrt(left / (rows * columns)))
    field: FloatArray = scipy.fft.irfft2(total, s=(rows, columns))[: shape[0], : shape[1]]
    return field


def _dig_dips(
    z: FloatArray, on_street: BoolArray, cell_m: float, dips: dict[str, Any], rng: np.random.Generator
) -> None:
    """Sink the ground about some street cells: round dips, deepest in the middle, many small, few large."""
    count = dips["count"]
    middle = rng.choice(np.flatnonzero(on_street), size=count, replace=False)
    (low, high), power = dips["reach_m"], dips["power"]
    # Inverse of the distribution of a Pareto law cut off at both ends.
    reach = low * (1 - rng.random(count) * (1 - (low / high) ** power)) ** (-1 / power) / cell_m
    depth = evenly(dips["depth_m"], count, rng)
    rows, columns = np.unravel_index(middle, z.shape)
    for row, column, sd, metres_deep in zip(rows, columns, reach, depth, strict=True):
        half = int(np.ceil(2.5 * sd))
        above, left = max(row - half, 0), max(column - half, 0)
        window = z[above : row + half + 1, left : column + half + 1]
        y, x = np.ogrid[above : above + window.shape[0], left : left + window.shape[1]]
        window -= metres_deep * np.exp(-0.5 * ((y - row) ** 2 + (x - column) ** 2) / sd**2)


def _hollow(z: FloatArray, cell_m: float) -> FloatArray:
    """Mean level of the ground about each cell less its own."""
    ground = ~np.isnan(z)
    reach = AROUND_M / cell_m
    level = ndimage.gaussian_filter(np.where(ground, z, 0.0), reach, mode="constant")
    share = ndimage.gaussian_filter(ground.astype(float), reach, mode="constant")
    return np.asarray(np.where(ground, level / np.maximum(share, 1e-9) - z, np.nan))
