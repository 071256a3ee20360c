"""The demo's streets: joined, crossed by water only at bridges, and turning with the river."""

from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data.city import City
from data.demo import facts_io
from data.demo.grids import Pieces
from data.demo.ground import smooth
from data.demo.network import Network, free_the_stuck, node_pieces, straighten

FREEWAY = ("motorway", "motorway_link")
EPSG = 26915


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


@pytest.fixture(scope="module")
def streets(city: City) -> gpd.GeoDataFrame:
    return city.areas("streets")


@pytest.fixture(scope="module")
def graph(streets: gpd.GeoDataFrame) -> "nx.MultiDiGraph[int]":
    return directed(streets)


def directed(streets: pd.DataFrame) -> "nx.MultiDiGraph[int]":
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    graph.add_edges_from(streets[["u", "v"]].itertuples(index=False, name=None))
    both = streets.loc[~streets["oneway"]]
    graph.add_edges_from(both[["v", "u"]].itertuples(index=False, name=None))
    return graph


def corner_near(city: City, lon: float, lat: float) -> int:
    index, metres = city.network.snap(lon, lat)
    assert metres[0] < 200
    return int(city.network.node_id[index[0]])


def test_node_count_is_that_of_the_real_city(city: City) -> None:
    assert 15_000 <= len(city.table("street_nodes")) <= 20_000


def test_every_corner_is_used(city: City, streets: gpd.GeoDataFrame) -> None:
    assert set(city.table("street_nodes")["node"]) == set(streets["u"]) | set(streets["v"])


def test_nearly_all_corners_reach_one_another(graph: "nx.MultiDiGraph[int]") -> None:
    largest = max(nx.strongly_connected_components(graph), key=len)
    assert len(largest) >= 0.98 * graph.number_of_nodes()
    assert nx.is_weakly_connected(graph)


def test_lengths_are_those_of_the_lines(streets: gpd.GeoDataFrame) -> None:
    measured = streets.geometry.to_crs(EPSG).length
    assert np.allclose(streets["length_m"], measured, atol=0.02)


def test_lines_run_from_first_to_last_corner(city: City, streets: gpd.GeoDataFrame) -> None:
    place = city.table("street_nodes").set_index("node")[["lon", "lat"]]
    lines = streets.geometry.to_numpy()
    for end, corner in ((0, "u"), (-1, "v")):
        at = shapely.get_coordinates(shapely.get_point(lines, end))
        assert np.allclose(at, place.loc[streets[corner]].to_numpy(), atol=1e-7)


def test_no_two_streets_join_the_same_corners_the_same_way(streets: gpd.GeoDataFrame) -> None:
    local = streets.loc[~streets["road_class"].isin(FREEWAY)]
    pairs = pd.DataFrame({"a": local[["u", "v"]].min(axis=1), "b": local[["u", "v"]].max(axis=1)})
    straight = local.geometry.count_coordinates() == 2
    assert not pairs.loc[straight.to_numpy()].duplicated().any()
    assert (local["u"] != local["v"]).all()


def test_streets_have_oneways_and_speeds(streets: gpd.GeoDataFrame) -> None:
    local = streets["road_class"] == "residential"
    assert 0.1 < streets.loc[local, "oneway"].mean() < 0.5
    assert streets.loc[streets["road_class"].isin(FREEWAY), "oneway"].all()
    assert 0.1 < streets["speed_kph"].notna().mean() < 0.9
    assert streets["name"].notna().all()


@pytest.mark.parametrize(
    "name",
    [
        "Interstate 10",
        "Interstate 610",
        "Interstate 510",
        "Pontchartrain Expressway",
        "Crescent City Connection",
        "Saint Charles Avenue",
        "Canal Street",
        "Magazine Street",
        "Tchoupitoulas Street",
        "Esplanade Avenue",
        "Elysian Fields Avenue",
        "Chef Menteur Highway",
        "General De Gaulle Drive",
    ],
)
def test_named_roads_are_there_and_hang_together(streets: gpd.GeoDataFrame, name: str) -> None:
    named = streets.loc[streets["name"] == name]
    assert named["length_m"].sum() > 1_000
    graph: nx.Graph[int] = nx.Graph(named[["u", "v"]].itertuples(index=False, name=None))
    parts = sorted((len(part) for part in nx.connected_components(graph)), reverse=True)
    # A freeway has two carriageways that meet nowhere.
    carriageways = 2 if (named["road_class"] == "motorway").all() else 1
    assert sum(parts[:carriageways]) >= 0.9 * graph.number_of_nodes()


def test_the_river_is_crossed_by_one_bridge_only(city: City, streets: gpd.GeoDataFrame) -> None:
    water = city.areas("water")
    river = water.loc[water["name"] == "Mississippi River"].union_all()
    over = streets.loc[streets.intersects(river)]
    assert set(over["name"]) == {"Crescent City Connection"}
    lakes = water.loc[water["kind"] == "lake"].union_all()
    assert not streets.intersects(lakes).any()


def test_local_streets_cross_no_water_and_stay_in_the_parish(city: City, streets: gpd.GeoDataFrame) -> None:
    local = streets.loc[streets["road_class"] == "residential"]
    assert not local.intersects(city.areas("water").union_all()).any()
    parish = city.parish
    shapely.prepare(parish)
    assert shapely.covers(parish, local.geometry.to_numpy()).all()


def test_every_street_is_in_the_parish_or_on_a_bridge(city: City, streets: gpd.GeoDataFrame) -> None:
    water = city.areas("water").union_all()
    covered = shapely.union_all([city.parish, water]).buffer(1e-4)
    shapely.prepare(covered)
    assert shapely.covers(covered, streets.geometry.to_numpy()).all()


def test_closing_the_bridge_cuts_algiers_off(city: City, streets: gpd.GeoDataFrame) -> None:
    closure = next(c for c in city.profile.closures if c.name == "Crescent City Connection")
    shut = closure.select(streets)
    assert 2 <= shut.sum() <= 6
    algiers = corner_near(city, -90.012, 29.912)
    canal_street = corner_near(city, -90.0700, 29.9535)
    open_graph, closed_graph = directed(streets), directed(streets.loc[~shut])
    assert nx.has_path(open_graph, canal_street, algiers)
    assert nx.has_path(open_graph, algiers, canal_street)
    assert not nx.has_path(closed_graph, canal_street, algiers)
    assert not nx.has_path(closed_graph, algiers, canal_street)


def test_each_closure_and_flood_of_the_profile_finds_its_streets(
    city: City, streets: gpd.GeoDataFrame
) -> None:
    named = (*city.profile.closures, *city.profile.floods)
    assert [entry.name for entry in named if not entry.select(streets).any()] == []


def test_freeways_meet_streets_only_at_ramps(streets: gpd.GeoDataFrame) -> None:
    ends = streets.melt(id_vars="road_class", value_vars=["u", "v"], value_name="node")
    by_class = ends.groupby("road_class")["node"].agg(set)
    on_street = set().union(*(nodes for name, nodes in by_class.items() if name not in FREEWAY))
    assert not by_class["motorway"] & on_street
    ramps = streets.loc[streets["road_class"] == "motorway_link"]
    touches = ramps["u"].isin(by_class["motorway"]) | ramps["v"].isin(by_class["motorway"])
    assert touches.all()


def test_ramps_lead_off_and_on_at_every_interchange(streets: gpd.GeoDataFrame) -> None:
    motorway = set(streets.loc[streets["road_class"] == "motorway", ["u", "v"]].to_numpy().ravel())
    ramps = streets.loc[streets["road_class"] == "motorway_link"]
    off = ramps.loc[ramps["u"].isin(motorway) & ~ramps["v"].isin(motorway)]
    on = ramps.loc[~ramps["u"].isin(motorway) & ramps["v"].isin(motorway)]
    interchanges = facts_io.read_toml("freeways")["interchange"]
    assert len(off) >= 1.8 * len(interchanges)
    assert len(on) >= 1.8 * len(interchanges)
    named = streets.loc[~streets["road_class"].isin(FREEWAY)]
    for interchange in interchanges:
        corners = set(named.loc[named["name"] == interchange["street"], ["u", "v"]].to_numpy().ravel())
        assert corners & set(off["v"]), interchange["name"]
        assert corners & set(on["u"]), interchange["name"]


def test_removing_the_ramps_parts_freeways_from_streets(streets: gpd.GeoDataFrame) -> None:
    without = streets.loc[streets["road_class"] != "motorway_link"]
    graph: nx.Graph[int] = nx.Graph(without[["u", "v"]].itertuples(index=False, name=None))
    motorway = set(without.loc[without["road_class"] == "motorway", "u"])
    for part in nx.connected_components(graph):
        assert part <= motorway | set(without.loc[without["road_class"] == "motorway", "v"]) or not (
            part & motorway
        )


def bearing_of_streets(streets: gpd.GeoDataFrame, lon: float, lat: float, radius_m: float) -> float:
    """Give the main bearing of local streets around a place, degrees 0 to 90, by doubled angles."""
    local = streets.loc[streets["road_class"] == "residential"]
    at = gpd.GeoSeries.from_xy([lon], [lat], crs="EPSG:4326").to_crs(EPSG).iloc[0]
    near = local.to_crs(EPSG)
    near = near.loc[near.distance(at) < radius_m]
    first = shapely.get_coordinates(shapely.get_point(near.geometry.to_numpy(), 0))
    last = shapely.get_coordinates(shapely.get_point(near.geometry.to_numpy(), -1))
    angle = np.arctan2(*(last - first).T[::-1])
    return float(np.degrees(np.angle(np.exp(4j * angle).mean()) / 4) % 90)


def bearing_of_river(lon: float, lat: float) -> float:
    """Give the bearing of the nearest stretch of the river's centre line, degrees 0 to 90."""
    line = shapely.LineString(facts_io.metres(facts_io.read_toml("ground")["river"]["centre"]))
    at = line.project(shapely.Point(facts_io.metres([(lon, lat)])[0]))
    ends = [shapely.get_coordinates(line.interpolate(at + step))[0] for step in (-900, 900)]
    run = ends[1] - ends[0]
    return float(np.degrees(np.arctan2(run[1], run[0])) % 90)


@pytest.mark.parametrize(
    ("place", "lon", "lat"),
    [
        ("West Riverside", -90.1080, 29.9180),
        ("East Riverside", -90.0930, 29.9190),
        ("Irish Channel", -90.0790, 29.9235),
        ("Bywater", -90.0395, 29.9640),
        ("Holy Cross", -90.0140, 29.9560),
        ("Algiers along the river", -90.0120, 29.9365),
    ],
)
def test_local_streets_turn_with_the_river(
    streets: gpd.GeoDataFrame, place: str, lon: float, lat: float
) -> None:
    apart = abs(bearing_of_streets(streets, lon, lat, 450) - bearing_of_river(lon, lat))
    assert min(apart, 90 - apart) < 14, place


def test_lakeview_follows_the_compass(streets: gpd.GeoDataFrame) -> None:
    bearing = bearing_of_streets(streets, -90.1080, 30.0060, 500)
    assert min(bearing, 90 - bearing) < 6


def test_parks_and_marsh_have_no_local_streets(streets: gpd.GeoDataFrame) -> None:
    local = streets.loc[streets["road_class"] == "residential"]
    park = shapely.box(-90.0965, 29.9900, -90.0885, 30.0140)
    marsh = shapely.box(-89.8900, 30.0650, -89.8650, 30.1000)
    assert not local.intersects(park).any()
    assert not local.intersects(marsh).any()


# Small cases by hand, and properties.


def pieces(*lines: tuple[tuple[float, float], tuple[float, float], str, int]) -> Pieces:
    return Pieces(
        ends=np.array([[a, b] for a, b, _, _ in lines], dtype=float),
        street=np.arange(len(lines)),
        name=np.array([f"Street {k}" for k in range(len(lines))], dtype=object),
        road_class=np.array([road_class for _, _, road_class, _ in lines], dtype=object),
        oneway=np.array([oneway for _, _, _, oneway in lines]),
        speed_kph=np.full(len(lines), np.nan),
    )


def test_streets_that_cross_get_a_corner() -> None:
    network = node_pieces(
        pieces(((0, 0), (400, 0), "residential", 0), ((200, -200), (200, 200), "primary", 0))
    )
    assert len(network.u) == 4
    assert len(network.xy) == 5
    assert [200.0, 0.0] in network.xy.tolist()


def test_oneways_keep_the_drawn_direction() -> None:
    network = node_pieces(
        pieces(((0, 0), (400, 0), "residential", 1), ((200, -200), (200, 200), "residential", -1))
    )
    east = network.name == "Street 0"
    north = network.name == "Street 1"
    run = network.xy[network.v] - network.xy[network.u]
    assert network.oneway.all()
    assert (run[east, 0] > 0).all()
    assert (run[north, 1] < 0).all()


def test_of_two_streets_on_the_same_line_the_more_important_stays() -> None:
    network = node_pieces(pieces(((0, 0), (300, 0), "residential", 0), ((0, 0), (300, 0), "primary", 0)))
    assert network.road_class.tolist() == ["primary"]


def test_short_dead_ends_are_dropped() -> None:
    network = node_pieces(
        pieces(((0, 0), (400, 0), "primary", 0), ((200, -200), (200, 40), "residential", 0))
    )
    assert network.xy[:, 1].max() == 0.0


def test_straightening_joins_pieces_and_keeps_their_length() -> None:
    network = node_pieces(pieces(((0, 0), (200, 50), "residential", 1)))
    bent = Network(
        xy=np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [300.0, 100.0]]),
        u=np.array([0, 1, 2]),
        v=np.array([1, 2, 3]),
        name=np.array(["A", "A", "A"], dtype=object),
        road_class=np.array(["residential"] * 3, dtype=object),
        speed_kph=np.full(3, np.nan),
        oneway=np.ones(3, dtype=bool),
        via=(np.empty((0, 2)),) * 3,
    )
    joined = straighten(bent)
    assert len(joined.u) == 1
    assert joined.xy[joined.u[0]].tolist() == [0.0, 0.0]
    assert joined.xy[joined.v[0]].tolist() == [300.0, 100.0]
    assert shapely.length(joined.lines).sum() == pytest.approx(shapely.length(bent.lines).sum())
    assert len(straighten(network).u) == len(network.u)


@settings(deadline=None, max_examples=60)
@given(
    ends=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=3, max_size=40),
    oneway=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_freed_streets_leave_nobody_stuck(ends: list[tuple[int, int]], oneway: list[bool]) -> None:
    edges = [(a, b) for a, b in ends if a != b]
    if not edges:
        return
    names: npt.NDArray[np.int64]
    names, flat = np.unique(np.array(edges), return_inverse=True)
    u, v = flat.reshape(-1, 2).T
    network = Network(
        xy=np.zeros((len(names), 2)),
        u=u,
        v=v,
        name=np.array(["A"] * len(edges), dtype=object),
        road_class=np.array(["residential"] * len(edges), dtype=object),
        speed_kph=np.full(len(edges), np.nan),
        oneway=np.array(oneway[: len(edges)]),
        via=(np.empty((0, 2)),) * len(edges),
    )
    freed = free_the_stuck(network)
    table = pd.DataFrame({"u": freed.u, "v": freed.v, "oneway": freed.oneway})
    main = max(nx.strongly_connected_components(directed(table)), key=len)
    joined = max(nx.weakly_connected_components(directed(table)), key=len)
    assert len(main) == len(joined)
    assert not (freed.oneway & ~network.oneway).any()


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=2, max_size=12))
def test_smoothing_keeps_the_ends_and_stays_within(points: list[tuple[float, float]]) -> None:
    line = np.array(points)
    soft = smooth(line)
    assert np.array_equal(soft[[0, -1]], line[[0, -1]])
    slack = 1e-6
    assert (soft >= line.min(axis=0) - slack).all()
    assert (soft <= line.max(axis=0) + slack).all()


def test_curves_pass_through_their_corners_and_run_both_ways() -> None:
    named = facts_io.corners()
    for row in facts_io.read_toml("rows").values():
        for a, b in pairwise(row):
            line = facts_io.curve(a, b)
            ends = facts_io.metres([named[a], named[b]])
            assert np.allclose(line[[0, -1]], ends, atol=1e-6)
            assert np.allclose(line, facts_io.curve(b, a)[::-1], atol=1e-6)
            straight = np.hypot(*(ends[1] - ends[0]))
            assert np.hypot(*np.diff(line, axis=0).T).sum() < 1.25 * straight, (a, b)
