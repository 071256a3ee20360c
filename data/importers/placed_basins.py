"""Catch basins placed by rule along streets, for a city that does not say where its own are.

The rule, along both kerbs of every street that carries local traffic: each run of kerb of at most
``SPACING_M`` has one basin, at the lowest point of the run by the elevation. Low corners so get a basin on
every kerb that comes down to them, high corners none, and a dip within a block gets its own.
"""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from data.elevation import Elevation
from geo.crs import to_degrees, to_metres

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SPACING_M = 100.0
"""Longest run of kerb to one basin, about 330 feet. Assumption: with it New Orleans' streets get about as
many basins as the city is said to have, 65,000 to 80,000."""

LEAST_RUN_M = 15.0
"""Shorter pieces of street are parts of a crossing."""

STEP_M = 10.0
CORNER_M = 6.0
"""Basins keep off the middle of a corner."""

KERB_M = {"trunk": 8.0, "primary": 7.0, "secondary": 6.0, "tertiary": 5.5}
"""From the middle of the street to its kerb, metres, by class of road; half of the usual width."""

OTHER_KERB_M = 4.5
CLASSES = ("trunk", "primary", "secondary", "tertiary", "residential", "living_street", "unclassified")
KIND = "combination"


@dataclass(frozen=True, eq=False)
class PlacedBasins:
    """Rows of the table ``basins``, and what was done in plain sentences."""

    basins: pd.DataFrame
    steps: tuple[str, ...]


def place_basins(
    streets: gpd.GeoDataFrame, elevation: Elevation | None, *, epsg: int, spacing_m: float = SPACING_M
) -> PlacedBasins:
    """Place basins along both kerbs, in the order of the streets.

    Parameters
    ----------
    streets
        Rows of the table ``streets``: ``name, road_class`` and lines in EPSG:4326.
    elevation
        The ground, or None: basins then stand in the middle of their run.
    epsg
        The city's projected system in metres.
    spacing_m
        Longest run of kerb to one basin, metres.

    Returns
    -------
    placed
        ``basin_id`` R000001 and on, ``kind`` and ``placed`` the same in each row, ``street``, ``lon``,
        ``lat``. Nothing is said of state or past: nobody knows them.
    """
    used = streets["road_class"].isin(CLASSES).to_numpy(dtype=bool)
    rows = np.flatnonzero(used)
    lines = shapely.transform(
        streets.geometry.to_numpy()[rows], lambda c: np.column_stack(to_metres(c[:, 0], c[:, 1], epsg))
    )
    length = shapely.length(lines)
    long_enough = length >= LEAST_RUN_M
    rows, lines, length = rows[long_enough], lines[long_enough], length[long_enough]
    runs = np.ceil(length / spacing_m).astype(np.int64)
    street_of_run = np.repeat(np.arange(len(rows)), runs)
    at_m = _lowest_points(lines, length, runs, elevation, epsg)
    classes = streets["road_class"].to_numpy(dtype=object)[rows]
    kerb_m = np.array([KERB_M.get(road_class, OTHER_KERB_M) for road_class in classes])
    x, y = _kerbs(lines[street_of_run], at_m, kerb_m[street_of_run])
    street_of = np.repeat(street_of_run, 2)
    lon, lat = to_degrees(x, y, epsg)
    dry = np.ones(len(x), dtype=bool)
    if elevation is not None:
        dry = np.isfinite(elevation.levels_at(lon, lat))
    count = int(dry.sum())
    basins = pd.DataFrame(
        {
            "basin_id": [f"R{number:06d}" for number in range(1, count + 1)],
            "kind": KIND,
            "placed": "rule",
            "street": streets["name"].to_numpy(dtype=object)[rows[street_of[dry]]],
            "lon": lon[dry].round(6),
            "lat": lat[dry].round(6),
        }
    )
    return PlacedBasins(basins, _steps(count, len(rows), spacing_m, int((~dry).sum()), elevation))


def _lowest_points(
    lines: npt.NDArray[np.object_], length: FloatArray, runs: IntArray, elevation: Elevation | None, epsg: int
) -> FloatArray:
    """Give the place of the lowest ground of each run, metres from the beginning of its street.

    Ground is looked at every ``STEP_M`` or closer, within each run and off the corners. Where two places
    are as low, or none has ground, the one nearer to the middle of the run counts.
    """
    street = np.repeat(np.arange(len(lines)), runs)
    keep_off = np.minimum(CORNER_M, length / 4)
    run_m = ((length - 2 * keep_off) / runs)[street]
    number = np.arange(len(street)) - np.repeat(np.cumsum(runs) - runs, runs)
    start_m = keep_off[street] + number * run_m
    looks = np.maximum(np.ceil(run_m / STEP_M), 1).astype(np.int64)
    run = np.repeat(np.arange(len(street)), looks)
    first = np.cumsum(looks) - looks
    share = (np.arange(len(run)) - first[run] + 0.5) / looks[run]
    at_m = start_m[run] + share * run_m[run]
    level = np.full(len(run), np.inf)
    if elevation is not None:
        places = shapely.get_coordinates(shapely.line_interpolate_point(lines[street[run]], at_m))
        level = elevation.levels_at(*to_degrees(places[:, 0], places[:, 1], epsg))
        level[np.isnan(level)] = np.inf
    order = np.lexsort((np.abs(share - 0.5), level, run))
    lowest: FloatArray = at_m[order[first]]
    return lowest


def _kerbs(
    lines: npt.NDArray[np.object_], at_m: FloatArray, kerb_m: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Easting and northing of the right and then the left kerb beside each place, (2 n,) metres."""
    middle = shapely.get_coordinates(shapely.line_interpolate_point(lines, at_m))
    before = shapely.get_coordinates(shapely.line_interpolate_point(lines, np.maximum(at_m - 1, 0)))
    after = shapely.get_coordinates(shapely.line_interpolate_point(lines, at_m + 1))
    along = after - before
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    right = np.column_stack([along[:, 1], -along[:, 0]]) * kerb_m[:, None]
    both = np.stack([middle + right, middle - right], axis=1).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _steps(
    count: int, n_streets: int, spacing_m: float, dropped: int, elevation: Elevation | None
) -> tuple[str, ...]:
    lowest = "in its middle" if elevation is None else "at its lowest point by the elevation"
    said = [
        (
            f"No list of catch basins was given: {count:,} were placed by rule along both kerbs of "
            f"{n_streets:,} streets, one to each run of at most {spacing_m:g} m, {lowest}. None was surveyed."
        ),
        (
            f"Freeways, ramps, alleys and tracks got none, nor did pieces under {LEAST_RUN_M:g} m. "
            f"Every one is taken for a {KIND} inlet: an assumption."
        ),
    ]
    if dropped:
        said.append(f"{dropped:,} more would stand where the elevation has no ground and were left out.")
    return tuple(said)
