"""Points in regions, against a brute-force ``contains`` of every point and polygon."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from errors import InvalidInputError
from geo.regions import OUTSIDE, assign_regions


def brute_force(lon: np.ndarray, lat: np.ndarray, polygons: list[Polygon | MultiPolygon]) -> list[int]:
    return [
        next(
            (i for i, polygon in enumerate(polygons) if polygon.covers(Point(x, y))),
            OUTSIDE,
        )
        for x, y in zip(lon, lat, strict=True)
    ]


def star(*, seed: int, centre: tuple[float, float], vertices: int = 24) -> Polygon:
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radius = rng.uniform(0.2, 1.0, vertices)
    return Polygon(np.c_[centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n_points=st.integers(0, 200), n_polygons=st.integers(0, 6))
def test_equals_brute_force_on_random_overlapping_shapes(seed: int, n_points: int, n_polygons: int) -> None:
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(-1.5, 1.5, (2, n_points))
    polygons: list[Polygon | MultiPolygon] = [
        star(seed=seed + i, centre=(rng.uniform(-1, 1), rng.uniform(-1, 1))) for i in range(n_polygons)
    ]
    assert assign_regions(lon, lat, polygons).tolist() == brute_force(lon, lat, polygons)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_points_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lon, lat = rng.integers(-4, 5, (2, 80)) / 2.0  # many points on shared borders and corners
    polygons = [box(x, y, x + 1, y + 1) for x in range(-2, 2) for y in range(-2, 2)]
    order = rng.permutation(80)
    region = assign_regions(lon, lat, polygons)
    np.testing.assert_array_equal(assign_regions(lon[order], lat[order], polygons), region[order])
    assert region.tolist() == brute_force(lon, lat, list(polygons))


def test_a_shared_border_belongs_to_the_first_polygon() -> None:
    west, east = box(0, 0, 1, 1), box(1, 0, 2, 1)
    assert assign_regions([1.0], [0.5], [west, east]).tolist() == [0]
    assert assign_regions([1.0], [0.5], [east, west]).tolist() == [0]


def test_holes_islands_and_missing_shapes() -> None:
    ring = box(0, 0, 10, 10).difference(box(4, 4, 6, 6))
    islands = MultiPolygon([box(20, 0, 21, 1), box(30, 0, 31, 1)])
    shapes = [None, Polygon(), ring, islands]
    lon, lat = [5.0, 1.0, 20.5, 30.5, 25.0], [5.0, 1.0, 0.5, 0.5, 0.5]
    assert assign_regions(lon, lat, shapes).tolist() == [OUTSIDE, 2, 3, 3, OUTSIDE]


def test_missing_and_infinite_coordinates_lie_nowhere() -> None:
    lon = [np.nan, 0.5, np.inf, -np.inf, 0.5]
    lat = [0.5, np.nan, 0.5, np.inf, 0.5]
    assert assign_regions(lon, lat, [box(0, 0, 1, 1)]).tolist() == [-1, -1, -1, -1, 0]


def test_no_points_and_no_polygons() -> None:
    assert assign_regions([], [], [box(0, 0, 1, 1)]).shape == (0,)
    assert assign_regions([0.5], [0.5], []).tolist() == [OUTSIDE]
    assert assign_regions([0.5], [0.5], [None]).tolist() == [OUTSIDE]


def test_takes_a_geoseries_whatever_its_index() -> None:
    series = gpd.GeoSeries([box(0, 0, 1, 1), box(2, 0, 3, 1)], index=[7, 3], crs="EPSG:4326")
    assert assign_regions([2.5, 0.5], [0.5, 0.5], series).tolist() == [1, 0]


def test_all_faults_come_in_one_message() -> None:
    with pytest.raises(InvalidInputError, match=r"2 faults:\n- give one latitude.*\n- every region"):
        assign_regions([1.0, 2.0], [1.0], [shapely.LineString([(0, 0), (1, 1)])])
    with pytest.raises(InvalidInputError, match="every region must be a polygon"):
        assign_regions([1.0], [1.0], ["Tremé"])
