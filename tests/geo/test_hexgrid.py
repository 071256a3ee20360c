"""Hexagons against h3's string interface, shapely and the geometry of a regular hexagon."""

import h3
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import InvalidInputError
from geo.hexgrid import (
    NO_CELL,
    cell_centres,
    cell_names,
    cell_polygons,
    cell_width_m,
    cells_of,
    suggest_resolution,
)

LON, LAT = -90.07, 29.95


@settings(max_examples=30, deadline=None)
@given(
    places=st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), max_size=30),
    resolution=st.integers(0, 15),
    seed=st.integers(0, 1000),
)
def test_cells_equal_the_string_interface_point_by_point(
    places: list[tuple[float, float]], resolution: int, seed: int
) -> None:
    twice = places + places
    order = np.random.default_rng(seed).permutation(len(twice))
    lon = np.array([lon for lon, _ in twice])[order]
    lat = np.array([lat for _, lat in twice])[order]
    cells = cells_of(lon, lat, resolution=resolution)
    expected = [h3.latlng_to_cell(y, x, resolution) for x, y in zip(lon, lat, strict=True)]
    assert cell_names(cells) == expected


def test_impossible_places_have_no_cell() -> None:
    lon = [LON, np.nan, LON, np.inf, 3_700_000.0, LON]
    lat = [LAT, LAT, np.nan, LAT, 530_000.0, 95.0]
    cells = cells_of(lon, lat, resolution=9)
    assert cells[0] != NO_CELL
    assert (cells[1:] == NO_CELL).all()
    assert cells_of([], [], resolution=9).shape == (0,)


def test_boundaries_hold_their_points_and_centres() -> None:
    rng = np.random.default_rng(2)
    lon, lat = LON + rng.uniform(-0.1, 0.1, 300), LAT + rng.uniform(-0.1, 0.1, 300)
    cells = cells_of(lon, lat, resolution=8)
    polygons = cell_polygons(cells)
    assert shapely.contains_xy(polygons, lon, lat).mean() > 0.99  # sides are great-circle arcs, not straight
    centre_lon, centre_lat = cell_centres(cells)
    assert shapely.contains_xy(polygons, centre_lon, centre_lat).all()
    none_lon, none_lat = cell_centres(np.array([], dtype=np.uint64))
    assert none_lon.shape == none_lat.shape == (0,)
    assert cell_polygons([]).shape == (0,)


def test_width_is_that_of_the_drawn_hexagon() -> None:
    for resolution in (7, 8, 9):
        polygon = cell_polygons(cells_of([LON], [LAT], resolution=resolution))[0]
        metres = shapely.transform(polygon, lambda xy: xy * [111_320.0 * np.cos(np.radians(LAT)), 110_850.0])
        inner_m = 2.0 * metres.exterior.distance(metres.centroid)
        width_m = cell_width_m(lon=LON, lat=LAT, resolution=resolution)
        assert width_m == pytest.approx(inner_m, rel=0.12)  # H3's hexagons are a little stretched
        assert width_m**2 * np.sqrt(3) / 2 == pytest.approx(metres.area, rel=0.01)


def test_suggests_the_finest_size_that_fills_its_cells() -> None:
    rng = np.random.default_rng(5)
    stacked = np.repeat([LON], 50), np.repeat([LAT], 50)
    assert suggest_resolution(*stacked, at_least=11) == 9
    spread = LON + rng.uniform(-0.03, 0.03, 3000), LAT + rng.uniform(-0.03, 0.03, 3000)
    sizes = {r: suggest_resolution(*spread, at_least=r) for r in (2, 30, 3000)}
    assert sizes == {2: 9, 30: 8, 3000: 7}
    assert suggest_resolution([], [], at_least=11) == 7


def test_bad_arguments_are_gathered() -> None:
    with pytest.raises(InvalidInputError, match=r"2 faults:\n- give one latitude.*\n- H3 has resolutions"):
        cells_of([1.0, 2.0], [1.0], resolution=16)
    with pytest.raises(InvalidInputError, match="at least one resolution"):
        suggest_resolution([LON], [LAT], at_least=1, among=())
    with pytest.raises(InvalidInputError, match="share is a part of 1"):
        suggest_resolution([LON], [LAT], at_least=1, share=90)
