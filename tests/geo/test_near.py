"""Walking distances between places, against networkx with every place inserted as a corner."""

from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given

from data.city import City
from errors import InvalidInputError
from geo import crs
from geo.near import LEAST_M, NOT_WALKED, along_streets, near_pairs, on_street, walkable
from geo.network import RoadNetwork
from tests.geo.networks import MIDDLE_LAT, MIDDLE_LON, Tables, grid, random_networks, tables

Places = list[tuple[float, float]]


def _brute_force(network: RoadNetwork, start: Places, end: Places, limit_m: float) -> np.ndarray:
    """Every pair by networkx: streets cut where places were put on them, found without a search tree."""
    streets = [int(e) for e in np.flatnonzero(walkable(network))]
    xy = [
        np.column_stack(crs.to_metres([lon for lon, _ in p], [lat for _, lat in p], network.epsg))
        for p in (start, end)
    ]
    cuts: dict[int, list[tuple[float, tuple[str, int]]]] = {edge: [] for edge in streets}
    off, on = {}, {}
    for side, points, places in zip("ab", xy, (start, end), strict=True):
        # Which of several equally near streets is taken matters only to the last rule: ask the module.
        taken = on_street(network, *np.array(places).T).edge
        for number, point in enumerate(points):
            here, edge = shapely.Point(point), int(taken[number])
            away = [network.lines_m[other].distance(here) for other in streets]
            assert away[streets.index(edge)] == pytest.approx(min(away), abs=1e-6)
            line = network.lines_m[edge]
            share = line.project(here) / line.length if line.length else 0.0
            cuts[edge].append((share * network.length_m[edge], (side, number)))
            off[side, number], on[side, number] = min(away), edge
    graph: nx.Graph[object] = nx.Graph()
    for edge, cut in cuts.items():
        stops = [
            (0.0, int(network.edge_u[edge])),
            *sorted(cut),
            (network.length_m[edge], int(network.edge_v[edge])),
        ]
        for (at, first), (then, second) in pairwise(stops):
            known = graph.get_edge_data(first, second, {"m": np.inf})["m"]
            graph.add_edge(first, second, m=min(known, max(then - at, 0.0)))
    metres = np.full((len(start), len(end)), np.inf)
    for a in range(len(start)):
        reach = nx.single_source_dijkstra_path_length(graph, ("a", a), weight="m")
        for b in range(len(end)):
            metres[a, b] = reach.get(("b", b), np.inf) + off["a", a] + off["b", b]
            if on["a", a] == on["b", b]:
                metres[a, b] = min(metres[a, b], np.hypot(*(xy[0][a] - xy[1][b])))
    return np.where(metres <= limit_m, np.maximum(metres, LEAST_M), 0.0)


_place = st.tuples(
    st.integers(-40, 440).map(lambda k: MIDDLE_LON + k * 1e-4),
    st.integers(-40, 440).map(lambda k: MIDDLE_LAT + k * 1e-4),
)


@given(random_networks(), st.lists(_place, min_size=1, max_size=6), st.lists(_place, min_size=1, max_size=6))
def test_agrees_with_brute_force(table: Tables, start: Places, end: Places) -> None:
    network = RoadNetwork.from_streets(*table)
    limit_m = 1500.0
    metres = near_pairs(network, *np.array(start).T, *np.array(end).T, limit_m=limit_m)
    expected = _brute_force(network, start, end, limit_m)
    on_limit = np.abs(_brute_force(network, start, end, 1e9) - limit_m) < 1e-6
    np.testing.assert_allclose(metres.toarray()[~on_limit], expected[~on_limit], atol=1e-6)


@given(random_networks(), st.lists(_place, min_size=1, max_size=5), st.lists(_place, min_size=1, max_size=7))
def test_there_and_back_is_equally_far(table: Tables, start: Places, end: Places) -> None:
    network = RoadNetwork.from_streets(*table)
    there = near_pairs(network, *np.array(start).T, *np.array(end).T, limit_m=2000)
    back = near_pairs(network, *np.array(end).T, *np.array(start).T, limit_m=2000)
    np.testing.assert_allclose(there.toarray(), back.T.toarray(), atol=1e-6)


def test_one_place_is_near_itself_and_is_stored() -> None:
    network = RoadNetwork.from_streets(*grid(3, 3))
    lon, lat = [MIDDLE_LON + 0.001], [MIDDLE_LAT + 0.0003]
    metres = near_pairs(network, lon, lat, lon, lat, limit_m=300)
    assert metres.nnz == 1
    assert metres.data[0] == LEAST_M


def test_one_ways_do_not_bind_walkers() -> None:
    places = [(MIDDLE_LON, MIDDLE_LAT), (MIDDLE_LON + 0.002, MIDDLE_LAT)]
    network = RoadNetwork.from_streets(*tables(places, [(0, 1, 193.0, True)]))
    metres = near_pairs(network, [places[1][0]], [MIDDLE_LAT], [places[0][0]], [MIDDLE_LAT], limit_m=300)
    assert metres[0, 0] == pytest.approx(193, abs=0.5)


def test_a_long_street_joins_two_places_far_from_its_corners() -> None:
    """Neither corner is in reach, and still the two stand side by side."""
    places = [(MIDDLE_LON, MIDDLE_LAT), (MIDDLE_LON + 0.05, MIDDLE_LAT)]
    network = RoadNetwork.from_streets(*tables(places, [(0, 1, 4826.0, False)]))
    lat = [MIDDLE_LAT + 0.0001]
    metres = near_pairs(network, [MIDDLE_LON + 0.025], lat, [MIDDLE_LON + 0.0255], lat, limit_m=100)
    assert metres[0, 0] == pytest.approx(48.2, abs=0.3)


def test_nobody_walks_on_a_freeway() -> None:
    """A bar under the freeway is put on the street; the freeway is no way across the canal."""
    streets, nodes = grid(2, 3)
    middle = streets.index[(streets["u"] == 0) & (streets["v"] == 2)][0]
    streets.loc[middle, "road_class"] = "motorway"
    network = RoadNetwork.from_streets(streets, nodes)
    assert not walkable(network)[middle]
    lon, lat = [MIDDLE_LON + 0.00001], [MIDDLE_LAT + 0.0008]
    assert on_street(network, lon, lat).edge[0] != middle
    there = near_pairs(network, lon, lat, [MIDDLE_LON], [MIDDLE_LAT + 0.002], limit_m=2000)
    assert there[0, 0] > 500


def test_a_stray_piece_of_street_is_passed_over() -> None:
    columns = 20
    streets, nodes = grid(columns, columns)
    places = [*zip(nodes["lon"], nodes["lat"], strict=True)]
    edges = [
        (u, v, m, False) for u, v, m in zip(streets["u"], streets["v"], streets["length_m"], strict=True)
    ]
    beside = [(MIDDLE_LON + 0.0009, MIDDLE_LAT + 0.0009), (MIDDLE_LON + 0.0011, MIDDLE_LAT + 0.0009)]
    stray = (len(places), len(places) + 1, 19.0, False)
    network = RoadNetwork.from_streets(*tables([*places, *beside], [*edges, stray]))
    assert walkable(network)[:-1].all()
    assert not walkable(network)[-1]
    assert on_street(network, [MIDDLE_LON + 0.001], [MIDDLE_LAT + 0.0009]).edge[0] != network.n_edges - 1


def test_a_place_far_from_every_street_is_near_nothing() -> None:
    network = RoadNetwork.from_streets(*grid(3, 3))
    metres = near_pairs(network, [MIDDLE_LON + 0.5], [MIDDLE_LAT], [MIDDLE_LON], [MIDDLE_LAT], limit_m=400)
    assert metres.shape == (1, 1)
    assert metres.nnz == 0


def test_no_places_give_no_pairs() -> None:
    network = RoadNetwork.from_streets(*grid(3, 3))
    assert near_pairs(network, [], [], [MIDDLE_LON], [MIDDLE_LAT], limit_m=400).shape == (0, 1)
    assert near_pairs(network, [MIDDLE_LON], [MIDDLE_LAT], [], [], limit_m=400).shape == (1, 0)


def test_lines_drawn_backwards_are_measured_from_the_right_end() -> None:
    streets, nodes = grid(2, 2)
    network = RoadNetwork.from_streets(streets, nodes)
    turned = RoadNetwork.from_streets(streets.assign(geometry=streets.geometry.reverse()), nodes)
    lon, lat = [MIDDLE_LON + 0.0004], [MIDDLE_LAT - 0.0001]
    assert turned.lines_m[0].coords[0] != network.lines_m[0].coords[0]
    np.testing.assert_allclose(
        on_street(turned, lon, lat).along_m, on_street(network, lon, lat).along_m, atol=1e-6
    )


@given(random_networks(), st.sampled_from([7.0, 30.0, 500.0]), st.booleans())
def test_points_along_streets_stand_for_all_of_them(table: Tables, step_m: float, turned: bool) -> None:  # noqa: FBT001
    streets, nodes = table
    if turned:
        streets = streets.assign(geometry=streets.geometry.reverse())
    network = RoadNetwork.from_streets(streets, nodes)
    points, metres = along_streets(network, step_m=step_m)
    walked = np.flatnonzero(walkable(network))
    assert sorted(set(points.edge.tolist())) == walked.tolist()
    np.testing.assert_allclose(
        np.bincount(points.edge, metres, minlength=network.n_edges)[walked], network.length_m[walked]
    )
    assert (metres <= step_m + 1e-9).all()
    for edge, along_m, at in zip(points.edge, points.along_m, points.xy_m, strict=True):
        assert 0 <= along_m <= network.length_m[edge]
        share = along_m / network.length_m[edge] if network.length_m[edge] else 0.0
        ends = network.node_xy_m[[network.edge_u[edge], network.edge_v[edge]]]
        np.testing.assert_allclose(at, (1 - share) * ends[0] + share * ends[1], atol=0.02)
        assert network.lines_m[edge].distance(shapely.Point(at)) < 1e-6


def test_what_cannot_be_used_is_said() -> None:
    network = RoadNetwork.from_streets(*grid(2, 2))
    with pytest.raises(InvalidInputError, match="a coordinate is missing"):
        on_street(network, [np.nan], [MIDDLE_LAT])
    with pytest.raises(InvalidInputError, match="not longitude and latitude"):
        on_street(network, [3_692_036.0], [543_335.0])
    with pytest.raises(InvalidInputError, match="equal length"):
        on_street(network, [MIDDLE_LON, MIDDLE_LON], [MIDDLE_LAT])
    for limit_m in (0.0, np.nan, np.inf):
        with pytest.raises(InvalidInputError, match="limit_m"):
            near_pairs(network, [MIDDLE_LON], [MIDDLE_LAT], [MIDDLE_LON], [MIDDLE_LAT], limit_m=limit_m)
    for step_m in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidInputError, match="step_m"):
            along_streets(network, step_m=step_m)
    streets, nodes = grid(2, 2)
    freeway = RoadNetwork.from_streets(streets.assign(road_class=max(NOT_WALKED)), nodes)
    with pytest.raises(InvalidInputError, match="no street that can be walked"):
        on_street(freeway, [MIDDLE_LON], [MIDDLE_LAT])


@pytest.mark.extract
@pytest.mark.slow
def test_agrees_with_networkx_on_the_real_streets(extract_city_dir: Path) -> None:
    """Two hundred places of calls in the densest quarter against forty others, streets around them only."""
    city = City.open(extract_city_dir)
    calls = city.table("calls")
    beside = calls[calls["lon"].between(-90.072, -90.058) & calls["lat"].between(29.952, 29.965)]
    places = beside[["lon", "lat"]].drop_duplicates().sample(240, random_state=1).to_numpy()
    start, end = places[:200], places[200:]
    network = city.network
    metres = near_pairs(network, *start.T, *end.T, limit_m=400).toarray()
    around = np.array(
        [
            -90.085 < network.node_lon[i] < -90.045 and 29.94 < network.node_lat[i] < 29.978
            for i in range(network.n_nodes)
        ]
    )
    kept = walkable(network) & around[network.edge_u] & around[network.edge_v]
    graph: nx.Graph[object] = nx.Graph()
    for edge in np.flatnonzero(kept):
        u, v = int(network.edge_u[edge]), int(network.edge_v[edge])
        known = graph.get_edge_data(u, v, {"m": np.inf})["m"]
        graph.add_edge(u, v, m=min(known, network.length_m[edge]))
    at, to = (on_street(network, *points.T) for points in (start, end))
    for b in range(len(end)):
        ends = (
            (network.edge_u[to.edge[b]], to.along_m[b]),
            (network.edge_v[to.edge[b]], network.length_m[to.edge[b]] - to.along_m[b]),
        )
        reach = [
            nx.single_source_dijkstra_path_length(graph, int(node), weight="m", cutoff=900)
            for node, _ in ends
        ]
        for a in np.flatnonzero(at.edge != to.edge[b]):
            ways = [
                field.get(int(node), np.inf) + extra + first
                for field, (_, first) in zip(reach, ends, strict=True)
                for node, extra in (
                    (network.edge_u[at.edge[a]], at.along_m[a]),
                    (network.edge_v[at.edge[a]], network.length_m[at.edge[a]] - at.along_m[a]),
                )
            ]
            expected = min(ways) + at.off_m[a] + to.off_m[b]
            assert metres[a, b] == pytest.approx(expected if expected <= 400 else 0, abs=1e-6)
