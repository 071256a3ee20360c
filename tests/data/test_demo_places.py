"""The demo's ground and places: land and water apart, 72 neighborhoods, posts and hospitals on dry ground."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from data.city import City
from data.demo import facts_io
from data.demo.ground import draw_ground
from geo.regions import assign_regions
from geo.travel_time import travel_times

EPSG = 26915


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


def test_the_72_neighborhoods_bear_the_names_of_the_city(city: City) -> None:
    hoods = city.table("neighborhoods")
    assert len(hoods) == 72
    assert {"French Quarter", "Treme - Lafitte", "Bywater", "Lower Ninth Ward", "Algiers Point"} <= set(
        hoods["name"]
    )
    assert 350_000 < hoods["population"].sum() < 420_000
    assert hoods["median_household_income"].between(15_000, 150_000).all()


def test_neighborhoods_do_not_overlap_and_hold_no_water(city: City) -> None:
    hoods = city.areas("neighborhoods").to_crs(EPSG)
    together = hoods.union_all()
    assert together.area == pytest.approx(hoods.area.sum(), rel=1e-6)
    water = city.areas("water").to_crs(EPSG).union_all()
    assert together.intersection(water).area < 1e-6 * together.area


def test_neighborhoods_cover_the_land(city: City) -> None:
    drawn = draw_ground().land
    hoods = city.areas("neighborhoods").to_crs(EPSG).union_all()
    assert drawn.symmetric_difference(hoods).area < 1e-5 * drawn.area
    assert 400e6 < hoods.area < 600e6


@pytest.mark.parametrize(
    ("name", "lon", "lat"),
    [
        ("French Quarter", -90.0640, 29.9590),
        ("Algiers Point", -90.0500, 29.9510),
        ("Lakeview", -90.1060, 30.0060),
        ("Garden District", -90.0845, 29.9290),
        ("Holy Cross", -90.0140, 29.9560),
        ("Village de L'Est", -89.9190, 30.0450),
    ],
)
def test_known_places_lie_in_their_neighborhood(city: City, name: str, lon: float, lat: float) -> None:
    hoods = city.areas("neighborhoods")
    region = assign_regions([lon], [lat], hoods.geometry)
    assert hoods["name"].iloc[int(region[0])] == name


def test_no_neighborhood_reaches_across_the_river(city: City) -> None:
    hoods = city.areas("neighborhoods").to_crs(EPSG)
    line = shapely.LineString(facts_io.metres(facts_io.read_toml("ground")["river"]["centre"]))
    assert not hoods.intersects(line).any()


def test_the_lake_lies_north_and_the_river_bends(city: City) -> None:
    water = city.areas("water").set_index("name")
    lake, river = water.geometry["Lake Pontchartrain"], water.geometry["Mississippi River"]
    parish = city.parish
    assert lake.bounds[3] > parish.bounds[3] - 0.05
    assert lake.centroid.y > parish.centroid.y
    # The crescent: the river's water lies west, south and east of Central City.
    centre = (-90.085, 29.940)
    for east, north in ((-1, 0), (0, -1), (1, 0)):
        ray = shapely.LineString([centre, (centre[0] + 0.075 * east, centre[1] + 0.075 * north)])
        assert ray.intersects(river)
    assert not shapely.LineString([centre, (centre[0], centre[1] + 0.06)]).intersects(river)


def test_waters_do_not_overlap(city: City) -> None:
    water = city.areas("water").to_crs(EPSG)
    assert water.union_all().area == pytest.approx(water.area.sum(), rel=1e-6)


def test_police_districts_are_unions_of_neighborhoods(city: City) -> None:
    districts, hoods = city.areas("districts").to_crs(EPSG), city.areas("neighborhoods").to_crs(EPSG)
    assert len(districts) == 8
    assert districts.area.sum() == pytest.approx(hoods.area.sum(), rel=1e-6)
    inside = [districts.geometry.intersection(shape).area.max() / shape.area for shape in hoods.geometry]
    assert min(inside) > 0.999


def test_posts_have_a_plan_and_reach_the_city(city: City) -> None:
    posts = city.table("posts")
    assert len(posts) >= 45
    ranks = sorted(posts["baseline_rank"].dropna().astype(int))
    assert ranks == list(range(1, 11))
    network = city.network
    node, metres = network.snap(posts["lon"], posts["lat"])
    assert metres.max() < 450
    reached = np.isfinite(travel_times(network, node)[:, network.main]).mean(axis=1)
    assert (reached >= 0.98).all()
    assert posts["kind"].value_counts().min() >= 3


def test_hospitals_say_whether_they_receive(city: City) -> None:
    hospitals = city.table("hospitals")
    assert hospitals["receives_911"].notna().all()
    assert hospitals["receives_911"].sum() >= 4
    _, metres = city.network.snap(hospitals["lon"], hospitals["lat"])
    assert metres.max() < 300


def test_hand_written_facts_agree_with_one_another() -> None:
    named = set(facts_io.corners())
    rows = facts_io.read_toml("rows").values()
    assert {corner for row in rows for corner in row} <= named
    for grid in facts_io.read_toml("grids")["grid"]:
        assert len(grid["first"]) == len(grid["second"]), grid["name"]
        assert set(grid["first"]) | set(grid["second"]) <= named, grid["name"]
    for avenue in facts_io.read_toml("avenues")["avenue"]:
        assert {corner for corner in avenue["way"] if isinstance(corner, str)} <= named, avenue["name"]
    seeds = pd.DataFrame(facts_io.read_csv("neighborhoods"))
    first = seeds.drop_duplicates("name")
    assert (first[["population", "median_household_income", "district"]] != "").all(axis=None)
    west, south, east, north = -90.16, 29.85, -89.60, 30.20
    points = np.array([*facts_io.corners().values(), *seeds[["lon", "lat"]].astype(float).to_numpy()])
    assert ((points >= (west, south)) & (points <= (east, north))).all()
