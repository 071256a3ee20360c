from pathlib import Path
from typing import Any

import geopandas as gpd
import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings

from errors import InvalidInputError
from geo import crs
from geo.isochrones import isochrones, served_ground
from geo.network import RoadNetwork
from geo.travel_time import nearest_times, travel_times
from tests.geo.networks import MIDDLE_LAT, MIDDLE_LON, Tables, grid, random_networks, tables

THRESHOLDS_S = [60.0, 120.0, 240.0]


def _misplaced(network: RoadNetwork, field: npt.NDArray[Any], frame: gpd.GeoDataFrame) -> tuple[int, int]:
    """Reached nodes outside their polygon, and nodes inside that need 5 % more time."""
    lost = strangers = 0
    for threshold, polygon in zip(frame["threshold_s"], frame.geometry, strict=True):
        inside = shapely.contains_xy(polygon, network.node_lon, network.node_lat) & network.main
        reached = (field <= threshold) & network.main
        lost += int((reached & ~inside).sum())
        strangers += int((inside & (field > 1.05 * threshold)).sum())
    return lost, strangers


@settings(max_examples=40)
@given(random_networks(), st.integers(0, 11))
def test_polygons_hold_every_reached_node_and_no_other(made: Tables, source: int) -> None:
    network = RoadNetwork.from_streets(*made)
    kept = np.flatnonzero(network.main)
    field = travel_times(network, [kept[source % len(kept)]])[0]
    frame = isochrones(network, field, THRESHOLDS_S)
    assert frame.crs == "EPSG:4326"
    assert frame.geometry.is_valid.all()
    # Nodes at one place with different times share their ground: the sooner one decides.
    cell = network.node_cells[1]
    soonest = np.full(cell.max() + 1, np.inf)
    np.minimum.at(soonest, cell[network.main], field[network.main])
    assert _misplaced(network, np.where(network.main, soonest[cell], np.inf), frame) == (0, 0)


def test_longer_times_hold_the_shorter_ones_in_any_order() -> None:
    network = RoadNetwork.from_streets(*grid(15, 15))
    field = travel_times(network, [7 * 15 + 7])[0]
    frame = isochrones(network, field, [240.0, 60.0, 120.0])
    assert frame["threshold_s"].tolist() == [240.0, 60.0, 120.0]
    far, near, middle = frame.geometry
    assert near.difference(middle).area == pytest.approx(0, abs=1e-15)
    assert middle.difference(far).area == pytest.approx(0, abs=1e-15)
    assert near.area < middle.area < far.area


def test_a_hole_stays_a_hole_and_an_island_an_island() -> None:
    network = RoadNetwork.from_streets(*grid(9, 9))
    field = np.full(81, 30.0)
    field[4 * 9 + 4] = 900.0
    field[0] = np.inf
    polygon = isochrones(network, field, [60.0]).geometry[0]
    assert not polygon.contains(shapely.Point(network.node_lon[40], network.node_lat[40]))
    assert sum(len(part.interiors) for part in shapely.get_parts(polygon)) == 1
    alone = np.full(81, np.inf)
    alone[[0, 80]] = 10.0
    assert len(shapely.get_parts(isochrones(network, alone, [60.0]).geometry[0])) == 2


def test_nothing_reached_is_an_empty_polygon() -> None:
    network = RoadNetwork.from_streets(*grid(4, 4))
    assert isochrones(network, np.full(16, np.inf), [60.0]).geometry.is_empty.all()


def test_water_is_crossed_only_by_the_bridge() -> None:
    """Two banks and a bridge: the polygon covers the deck and no other water."""
    streets, nodes = grid(10, 3)
    far_streets, far_nodes = grid(10, 3)
    far_nodes["lat"] += 0.010
    far_nodes["node"] += 30
    far_streets[["u", "v"]] += 30
    far_streets = far_streets.set_geometry(far_streets.geometry.translate(0, 0.010))
    foot, head = nodes.iloc[24], far_nodes.iloc[4]
    middle = pd.DataFrame({"node": [60], "lon": [foot.lon], "lat": [(foot.lat + head.lat) / 2]})
    places = [(foot.lon, foot.lat), (middle.lon[0], middle.lat[0]), (head.lon, head.lat)]
    bridge, _ = tables(places, [(0, 1, 340.0, False), (1, 2, 340.0, False)])
    bridge["u"], bridge["v"] = [24, 60], [60, 34]
    network = RoadNetwork.from_streets(
        pd.concat([streets, far_streets, bridge], ignore_index=True),
        pd.concat([nodes, far_nodes, middle], ignore_index=True),
    )
    water = shapely.segmentize(shapely.box(-90.2, foot.lat + 0.0005, -89.9, head.lat - 0.0005), 0.001)
    land = shapely.box(-90.2, 29.9, -89.9, 30.0).difference(water)
    field = nearest_times(network, [4])
    polygon = isochrones(network, field, [3600.0], ground=served_ground(network, land)).geometry[0]
    assert _misplaced(
        network, field, isochrones(network, field, [3600.0], ground=served_ground(network, land))
    ) == (0, 0)
    wet = crs.geometry_to_metres(polygon.intersection(water), network.epsg)
    length_m = (head.lat - foot.lat - 0.001) * 110_850
    assert wet.area == pytest.approx(30.0 * length_m, rel=0.02)
    closed = np.zeros(network.n_edges, dtype=bool)
    closed[-1] = True
    near = isochrones(
        network, nearest_times(network, [4], closed=closed), [3600.0], ground=served_ground(network, land)
    )
    assert not near.geometry[0].intersects(shapely.box(-90.2, head.lat - 0.0001, -89.9, 30.0))


def test_faults_are_told_together() -> None:
    network = RoadNetwork.from_streets(*grid(3, 3))
    with pytest.raises(InvalidInputError) as caught:
        isochrones(network, np.array([np.nan]), [])
    for words in ("9 nodes", "NaN", "no threshold"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="zero or more"):
        isochrones(network, np.zeros(9), [-1.0])


def test_a_single_node_has_ground() -> None:
    streets, nodes = tables([(MIDDLE_LON, MIDDLE_LAT)], [(0, 0, 100.0, False)])
    polygon = isochrones(RoadNetwork.from_streets(streets, nodes), np.zeros(1), [1.0]).geometry[0]
    assert polygon.contains(shapely.Point(MIDDLE_LON, MIDDLE_LAT))


@pytest.mark.extract
def test_isochrones_of_the_real_city(extract_city_dir: Path) -> None:
    from data.city import City

    city = City.open(extract_city_dir)
    network = city.network
    every_post = network.snap(city.table("posts")["lon"], city.table("posts")["lat"])[0]
    assert np.isfinite(travel_times(network, every_post))[:, network.main].mean(axis=1).min() >= 0.98
    posts = city.table("posts").dropna(subset=["baseline_rank"])
    field = nearest_times(network, network.snap(posts["lon"], posts["lat"])[0])
    frame = isochrones(network, field, [240.0, 480.0, 720.0], ground=served_ground(network, city.land))
    assert frame.geometry.is_valid.all()
    assert _misplaced(network, field, frame) == (0, 0)
    closed = next(c for c in city.profile.closures if "Crescent" in c.name).select(
        gpd.GeoDataFrame(city.table("streets"))
    )
    algiers = network.snap([-90.04], [29.945])[0]
    downtown = network.snap([-90.07], [29.952])[0]
    assert np.isfinite(nearest_times(network, downtown)[algiers]).all()
    assert np.isinf(nearest_times(network, downtown, closed=closed)[algiers]).all()
