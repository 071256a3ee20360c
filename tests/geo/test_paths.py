from itertools import pairwise

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from errors import InvalidInputError
from geo.network import RoadNetwork
from geo.paths import fastest_path_lines, fastest_path_metres, path_seconds
from geo.travel_time import travel_times
from tests.geo.networks import Tables, as_networkx, grid, random_networks

CLASSES = ("primary", "residential", "secondary")


@st.composite
def classed(draw: st.DrawFn) -> RoadNetwork:
    streets, nodes = draw(random_networks())
    chosen = draw(st.lists(st.sampled_from(CLASSES), min_size=len(streets), max_size=len(streets)))
    return RoadNetwork.from_streets(streets.assign(road_class=chosen), nodes)


@given(classed(), st.data())
def test_metres_take_as_long_as_the_shortest_path_of_networkx(
    network: RoadNetwork, data: st.DataObject
) -> None:
    n_classes = len(network.classes)
    pace = np.array(
        data.draw(st.lists(st.sampled_from([0.05, 0.1, 0.31]), min_size=n_classes, max_size=n_classes))
    )
    ends = st.tuples(st.integers(0, network.n_nodes - 1), st.integers(0, network.n_nodes - 1))
    trips = np.array(data.draw(st.lists(ends, min_size=1, max_size=20)))
    factor = 3.6 / pace[network.edge_class] / network.speed_kph
    graph = as_networkx(network, factor=factor)
    metres = fastest_path_metres(network, trips[:, 0], trips[:, 1], seconds_per_m=pace)
    for (u, v), row in zip(trips, metres, strict=True):
        try:
            expected = nx.dijkstra_path_length(graph, int(u), int(v), weight="seconds")
        except nx.NetworkXNoPath:
            assert np.isnan(row).all()
            continue
        assert (row >= 0).all()
        assert path_seconds(row[None], pace)[0] == pytest.approx(expected, abs=1e-6)


def test_a_slow_class_is_driven_around(grid_of_two: RoadNetwork) -> None:
    """Along the primary row while it is fast, round it when it crawls."""
    source, target = np.array([0]), np.array([5])
    along = fastest_path_metres(grid_of_two, source, target, seconds_per_m=np.array([0.05, 0.1]))
    around = fastest_path_metres(grid_of_two, source, target, seconds_per_m=np.array([10.0, 0.1]))
    assert along[0, 1] == 0 < along[0, 0]
    assert around[0, 0] == 0 < around[0, 1]


@pytest.fixture
def grid_of_two() -> RoadNetwork:
    streets, nodes = grid(6, 3)
    first_row = (streets["u"] < 6) & (streets["v"] < 6)
    return RoadNetwork.from_streets(
        streets.assign(road_class=np.where(first_row, "primary", "residential")), nodes
    )


def test_faults_are_told_together(grid_of_two: RoadNetwork) -> None:
    with pytest.raises(InvalidInputError) as caught:
        fastest_path_metres(
            grid_of_two, np.array([0, 99]), np.array([1]), seconds_per_m=np.array([0.0, np.nan])
        )
    said = str(caught.value)
    assert "not nodes" in said
    assert "one source and one target" in said
    assert "above zero" in said
    with pytest.raises(InvalidInputError, match="whole numbers"):
        fastest_path_metres(grid_of_two, np.array([0.5]), np.array([1]), seconds_per_m=np.array([0.1, 0.1]))


def test_a_one_way_is_not_driven_backwards() -> None:
    tables: Tables = grid(2, 2)
    streets, nodes = tables
    network = RoadNetwork.from_streets(streets.assign(oneway=True), nodes)
    there = fastest_path_metres(network, np.array([0]), np.array([3]), seconds_per_m=np.array([0.1]))
    back = fastest_path_metres(network, np.array([3]), np.array([0]), seconds_per_m=np.array([0.1]))
    assert np.isfinite(there).all()
    assert np.isnan(back).all()


@given(random_networks(), st.data())
def test_lines_lead_along_streets_from_start_to_target(tables: Tables, data: st.DataObject) -> None:
    network = RoadNetwork.from_streets(*tables)
    closed = np.array(data.draw(st.lists(st.booleans(), min_size=network.n_edges, max_size=network.n_edges)))
    ends = st.tuples(st.integers(0, network.n_nodes - 1), st.integers(0, network.n_nodes - 1))
    trips = np.array(data.draw(st.lists(ends, min_size=1, max_size=10)))
    lines = fastest_path_lines(network, trips[:, 0], trips[:, 1], closed=closed)
    reached = np.isfinite(
        travel_times(network, trips[:, 0], closed=closed)[np.arange(len(trips)), trips[:, 1]]
    )
    place = np.column_stack([network.node_lon, network.node_lat])
    street = {
        frozenset([tuple(place[u]), tuple(place[v])])
        for u, v, shut in zip(network.edge_u, network.edge_v, closed, strict=True)
        if not shut
    }
    for (u, v), line, way in zip(trips, lines, reached, strict=True):
        assert line.is_empty != way
        if way:
            points = list(line.coords)
            assert points[0] == tuple(place[u])
            assert points[-1] == tuple(place[v])
            steps = {frozenset(pair) for pair in pairwise(points) if pair[0] != pair[1]}
            assert steps <= street
