import itertools

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data.importers.census import census_to_neighborhoods

LON, LAT = -90.08, 29.95


def squares(cells: list[tuple[float, float, float, float]], **columns: list[object]) -> gpd.GeoDataFrame:
    """Boxes (west, south, east, north) in thousandths of a degree from a corner of the city."""
    shapes = [
        shapely.box(LON + w / 1000, LAT + s / 1000, LON + e / 1000, LAT + n / 1000) for w, s, e, n in cells
    ]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=4326)


def test_people_are_split_by_area_and_incomes_weighted_by_people() -> None:
    hoods = squares([(0, 0, 10, 10), (10, 0, 20, 10)], name=["West", "East"])
    tracts = squares(
        [(0, 0, 5, 10), (5, 0, 20, 10)], population=[100, 300], median_household_income=[20_000, 50_000]
    )
    result = census_to_neighborhoods(hoods, tracts, utm_epsg=26915)
    west, east = result.neighborhoods["population"]
    assert (west, east) == (200, 200)
    incomes = result.neighborhoods["median_household_income"].tolist()
    assert incomes[0] == pytest.approx(35_000, abs=5)
    assert incomes[1] == 50_000
    assert (result.people, result.people_outside, result.people_off_land) == (400, 0, 0)


def test_what_falls_outside_is_counted_and_zero_income_is_none() -> None:
    hoods = squares([(0, 0, 10, 10), (30, 30, 31, 31)], name=["West", "Park"])
    tracts = squares(
        [(0, 0, 20, 10), (50, 50, 60, 60)], population=[100, 7], median_household_income=[0, 10_000]
    )
    result = census_to_neighborhoods(hoods, tracts, utm_epsg=26915)
    assert result.neighborhoods["population"].tolist() == [100, 0]
    assert result.neighborhoods["median_household_income"].isna().all()
    assert (result.people, result.people_outside, result.people_off_land) == (107, 7, 50)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5_000), min_size=1, max_size=6),
    st.lists(st.integers(1, 9), min_size=1, max_size=5, unique=True),
)
def test_no_one_is_lost_or_made_up(people: list[int], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 10]
    hoods = squares([(w, 0, e, 10) for w, e in itertools.pairwise(edges)], name=[str(e) for e in edges[1:]])
    tops = np.linspace(0, 10, len(people) + 1)
    tracts = squares(
        [(-3, s, 13, n) for s, n in itertools.pairwise(tops)],
        population=list(people),
        median_household_income=[40_000] * len(people),
    )
    result = census_to_neighborhoods(hoods, tracts, utm_epsg=26915)
    assert result.neighborhoods["population"].sum() == sum(people)
    assert (result.neighborhoods["population"] >= 0).all()
