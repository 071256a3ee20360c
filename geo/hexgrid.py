"""Hexagons on the ground: Uber's H3 grid, for counting points in cells of equal size.

Cells are 64-bit H3 indices in arrays; :data:`NO_CELL` stands for a place that has none. Names (the
hexadecimal text that maps and files use) are made only for the cells that are shown.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely
from h3.api import numpy_int as h3
from numpy.typing import ArrayLike, NDArray

from errors import Faults, InvalidInputError

NO_CELL = np.uint64(0)
"""H3's own null index: no valid cell has it."""

FINEST_RESOLUTION = 15


def cells_of(lon: ArrayLike, lat: ArrayLike, *, resolution: int) -> NDArray[np.uint64]:
    """H3 cell of each point; every distinct place is asked once.

    Parameters
    ----------
    lon, lat
        Degrees, EPSG:4326, shape ``(n,)``. A missing or impossible coordinate (a latitude beyond 90
        degrees, a longitude beyond 180) has no cell.
    resolution
        H3 resolution, 0 (coarse) to 15 (fine); at 8 a cell is about 0.74 km2, at 9 about 0.11 km2.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, ``uint64``; ``NO_CELL`` where there is none.

    Raises
    ------
    InvalidInputError
        When the lengths differ or the resolution does not exist.
    """
    x = np.asarray(lon, dtype=np.float64)
    y = np.asarray(lat, dtype=np.float64)
    faults = Faults()
    faults.check(
        x.ndim == 1 and x.shape == y.shape, f"give one latitude to each longitude, not {y.shape} to {x.shape}"
    )
    faults.check(0 <= resolution <= FINEST_RESOLUTION, f"H3 has resolutions 0 to 15, not {resolution}")
    faults.raise_as(InvalidInputError, "Points cannot be put in hexagons")

    cells = np.full(x.shape, NO_CELL, dtype=np.uint64)
    usable = np.flatnonzero((np.abs(x) <= 180.0) & (np.abs(y) <= 90.0))
    place_of_point, places = pd.factorize(x[usable] + 1j * y[usable])
    cell_of_place = np.fromiter(
        (h3.latlng_to_cell(place.imag, place.real, resolution) for place in places.tolist()),
        dtype=np.uint64,
        count=len(places),
    )
    cells[usable] = cell_of_place[place_of_point]
    return cells


def cell_names(cells: Sequence[Any] | NDArray[np.uint64]) -> list[str]:
    """Hexadecimal names of H3 cells, as maps and files write them."""
    return [format(cell, "x") for cell in np.asarray(cells, dtype=np.uint64).tolist()]


def cell_centres(
    cells: Sequence[Any] | NDArray[np.uint64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes (degrees) of the centres of H3 cells, two arrays of shape ``(n,)``."""
    lat_lon = np.array([h3.cell_to_latlng(cell) for cell in np.asarray(cells, dtype=np.uint64).tolist()])
    lat, lon = lat_lon.reshape(-1, 2).T
    return lon, lat


def cell_polygons(cells: Sequence[Any] | NDArray[np.uint64]) -> NDArray[np.object_]:
    """Boundaries of H3 cells as shapely polygons (longitude, latitude), shape ``(n,)``."""
    polygons = np.empty(len(cells), dtype=object)
    for i, cell in enumerate(np.asarray(cells, dtype=np.uint64).tolist()):
        polygons[i] = shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(cell)])
    return polygons


def cell_width_m(*, lon: float, lat: float, resolution: int) -> float:
    """Distance between opposite sides of the cell at a place, in metres.

    The cell is taken as a regular hexagon of its own area ``A``: the side is ``sqrt(2 A / (3 sqrt(3)))`` and
    the width ``sqrt(3)`` sides. H3 cells differ in area by place, so the place is part of the question.
    """
    area_m2 = h3.cell_area(h3.latlng_to_cell(lat, lon, resolution), unit="m^2")
    return float(np.sqrt(2.0 * area_m2 / np.sqrt(3.0)))


def suggest_resolution(
    lon: ArrayLike,
    lat: ArrayLike,
    *,
    at_least: int,
    share: float = 0.9,
    among: Sequence[int] = (7, 8, 9),
) -> int:
    """Finest resolution at which most points share their cell with enough others.

    Parameters
    ----------
    lon, lat
        Degrees, EPSG:4326, shape ``(n,)``.
    at_least
        Points a cell must hold to be worth showing.
    share
        Share of all points (0 to 1) that must lie in such cells.
    among
        Resolutions to choose from; the coarsest is the answer when none satisfies, or when there is no point.

    Raises
    ------
    InvalidInputError
        When ``among`` is empty or ``share`` is not within 0 to 1.
    """
    faults = Faults()
    faults.check(among, "give at least one resolution to choose from")
    faults.check(0.0 <= share <= 1.0, f"share is a part of 1, not {share}")
    faults.raise_as(InvalidInputError, "No hexagon size can be suggested")

    for resolution in sorted(set(among), reverse=True):
        cells = cells_of(lon, lat, resolution=resolution)
        counts = np.unique(cells[cells != NO_CELL], return_counts=True)[1]
        if counts.size and counts[counts >= at_least].sum() >= share * counts.sum():
            return resolution
    return min(among)
