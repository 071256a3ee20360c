"""Basins placed by rule: one to a run of kerb, on both kerbs, at the lowest ground, the same each time."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from data.city import City
from data.elevation import Elevation
from data.importers.placed_basins import CORNER_M, KERB_M, OTHER_KERB_M, SPACING_M, place_basins
from geo.crs import to_degrees, to_metres
from tests.data.surfaces import EPSG, small_grid

GRID = small_grid(60, 60)
X, Y = GRID.west_m + 100, GRID.north_m - 600


def streets_of(
    *lines: Sequence[tuple[float, float]], road_class: str | list[str] = "residential"
) -> gpd.GeoDataFrame:
    """Streets through points given in metres east and north of a corner."""
    shapes = []
    for line in lines:
        x, y = np.array(line, dtype=float).T
        shapes.append(shapely.LineString(np.column_stack(to_degrees(X + x, Y + y, EPSG))))
    names = [f"Street {row}" for row in range(len(lines))]
    return gpd.GeoDataFrame({"name": names, "road_class": road_class}, geometry=shapes, crs=4326)


def ground(levels: np.ndarray) -> Elevation:
    return Elevation(levels, GRID, 0, ())


def tilted(*, lowest_east_m: float) -> Elevation:
    """Ground that is lowest along a line some metres east of the corner."""
    east, _ = GRID.middles(np.zeros(60), np.arange(60))
    return ground(np.tile(np.abs(east - X - lowest_east_m) * 0.01, (60, 1)))


def places(basins: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    x, y = to_metres(basins["lon"], basins["lat"], EPSG)
    return x - X, y - Y


@pytest.mark.parametrize("lowest_east_m", [0, 45, 90])
def test_a_block_gets_two_basins_at_its_lowest_ground(lowest_east_m: float) -> None:
    placed = place_basins(streets_of([(0, 0), (90, 0)]), tilted(lowest_east_m=lowest_east_m), epsg=EPSG)
    x, y = places(placed.basins)
    assert len(x) == 2
    assert x[0] == pytest.approx(x[1], abs=0.2)
    # The ground is known by cells of 20 m, and basins keep off the corners.
    assert abs(x[0] - lowest_east_m) < 25
    assert CORNER_M <= x[0] <= 90 - CORNER_M
    np.testing.assert_allclose(sorted(y), [-OTHER_KERB_M, OTHER_KERB_M], atol=0.2)


def test_no_run_of_kerb_is_longer_than_the_spacing() -> None:
    length = 1000.0
    placed = place_basins(streets_of([(0, 0), (length, 0)], road_class="primary"), None, epsg=EPSG)
    x, y = places(placed.basins)
    assert len(x) == 2 * np.ceil(length / SPACING_M)
    for side in (-1, 1):
        along = np.sort(x[np.sign(y) == side])
        assert np.diff(along).max() <= SPACING_M + 10
        np.testing.assert_allclose(np.abs(y), KERB_M["primary"], atol=0.2)


def test_low_corner_gets_a_basin_of_each_kerb_that_comes_down_to_it() -> None:
    cross = [[(0, 0), (80, 0)], [(0, 0), (0, 80)], [(-80, 0), (0, 0)], [(0, -80), (0, 0)]]
    x_m, y_m = GRID.middles(*np.mgrid[0:60, 0:60])
    low = ground(np.hypot(x_m - X, y_m - Y) * 0.01)
    for elevation, near in ((low, 8), (ground(-low.dem_m), 0)):
        x, y = places(place_basins(streets_of(*cross), elevation, epsg=EPSG).basins)
        assert len(x) == 8
        assert (np.hypot(x, y) < 30).sum() == near


def test_freeways_short_pieces_and_streets_off_the_ground_get_none() -> None:
    lines = [[(0, 0), (90, 0)], [(0, 50), (90, 50)], [(0, 100), (10, 100)], [(0, 150), (90, 150)]]
    streets = streets_of(*lines, road_class=["motorway", "residential", "residential", "service"])
    placed = place_basins(streets, tilted(lowest_east_m=0), epsg=EPSG)
    assert Counter(placed.basins["street"]) == {"Street 1": 2}
    empty = place_basins(streets, ground(np.full(GRID.shape, np.nan)), epsg=EPSG)
    assert empty.basins.empty
    assert "2 more would stand where the elevation has no ground" in empty.steps[-1]


def test_rows_say_that_they_are_placed_and_nothing_else() -> None:
    streets = streets_of([(0, 0), (90, 0)], [(0, 50), (90, 50)])
    first, again = (place_basins(streets, tilted(lowest_east_m=30), epsg=EPSG) for _ in range(2))
    pd.testing.assert_frame_equal(first.basins, again.basins)
    assert first.basins["basin_id"].tolist() == ["R000001", "R000002", "R000003", "R000004"]
    assert set(first.basins["placed"]) == {"rule"}
    assert list(first.basins.columns) == ["basin_id", "kind", "placed", "street", "lon", "lat"]
    assert "4 were placed by rule along both kerbs of 2 streets" in first.steps[0]


@pytest.mark.extract
def test_extract_has_about_eighty_thousand_basins_at_low_ground(extract_city_dir: Path) -> None:
    city = City.open(extract_city_dir)
    basins = city.table("basins")
    assert city.elevation is not None
    assert 75_000 < len(basins) < 90_000
    assert set(basins["placed"]) == {"rule"}
    for column in ("last_cleaned_at", "inspected_at", "condition", "land_use", "tree_share"):
        assert basins[column].isna().all()
    for table in ("cleanings", "service_requests", "buildings"):
        assert not city.has(table)
    assert city.off_ground("basins") == 0
    # Basins in the middle of their runs would stand 7 cm higher on average: blocks are that flat.
    middle = place_basins(city.areas("streets"), None, epsg=city.profile.utm_epsg).basins
    level = city.elevation.levels_at(basins["lon"], basins["lat"])
    middle_level = city.elevation.levels_at(middle["lon"], middle["lat"])
    assert level.mean() < np.nanmean(middle_level) - 0.05
    assert city.account("basins").reasons == {"the place stands in water (Lake Pontchartrain)": 8}
