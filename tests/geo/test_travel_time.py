from random import Random

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from errors import InvalidInputError
from geo.network import RoadNetwork
from geo.travel_time import nearest_times, travel_times
from tests.geo.networks import Tables, as_networkx, grid, random_networks


def _by_networkx(graph: "nx.MultiDiGraph[int]", sources: list[int]) -> npt.NDArray[np.float64]:
    rows = np.full((len(sources), graph.number_of_nodes()), np.inf)
    for at, source in enumerate(sources):
        for node, seconds in nx.single_source_dijkstra_path_length(graph, source, weight="seconds").items():
            rows[at, node] = seconds
    return rows


@given(random_networks(), st.data())
def test_times_equal_networkx_with_parallel_edges_oneways_and_closures(
    made: Tables, data: st.DataObject
) -> None:
    network = RoadNetwork.from_streets(*made)
    closed = np.array(data.draw(st.lists(st.booleans(), min_size=network.n_edges, max_size=network.n_edges)))
    factor = np.array(
        data.draw(
            st.lists(st.sampled_from([0.5, 1.0, 1.7]), min_size=network.n_edges, max_size=network.n_edges)
        )
    )
    sources = data.draw(st.lists(st.integers(0, network.n_nodes - 1), min_size=1, max_size=4))
    expected = _by_networkx(as_networkx(network, closed, factor), sources)
    found = travel_times(network, sources, closed=closed, speed_factor=factor)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    merged = nearest_times(network, sources, closed=closed, speed_factor=factor)
    np.testing.assert_allclose(merged, expected.min(axis=0), rtol=1e-5, atol=1e-4)


@given(random_networks(), st.data())
def test_offsets_are_added_before_the_nearest_is_taken(made: Tables, data: st.DataObject) -> None:
    network = RoadNetwork.from_streets(*made)
    sources = data.draw(st.lists(st.integers(0, network.n_nodes - 1), min_size=1, max_size=4))
    offsets = data.draw(
        st.lists(st.integers(0, 600).map(float), min_size=len(sources), max_size=len(sources))
    )
    expected = (_by_networkx(as_networkx(network), sources) + np.array(offsets)[:, None]).min(axis=0)
    found = nearest_times(network, sources, offset_s=offsets)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def _without_crossing(
    graph: "nx.MultiDiGraph[int]", marked: npt.NDArray[np.bool_], source: int
) -> npt.NDArray[np.float64]:
    """Search over (node, phase): 0 still on the marked ground it began on, 1 off it, 2 on it to stay."""
    phased: nx.MultiDiGraph[tuple[int, int]] = nx.MultiDiGraph()
    for u, v, values in graph.edges(data=True):
        for phase in (0, 1, 2):
            if (phase == 1) == bool(marked[u]):
                continue  # a marked node is never in phase 1, another never in 0 or 2
            if not marked[v] and phase != 2:
                phased.add_edge((u, phase), (v, 1), seconds=values["seconds"])
            elif marked[v]:
                phased.add_edge((u, phase), (v, 2 if phase else 0), seconds=values["seconds"])
    begin = (source, 0 if marked[source] else 1)
    phased.add_node(begin)
    best = np.full(len(marked), np.inf)
    for (node, _), seconds in nx.single_source_dijkstra_path_length(phased, begin, weight="seconds").items():
        best[node] = min(best[node], seconds)
    return best


@given(random_networks(), st.data())
def test_ground_without_through_traffic_is_reached_and_left_but_never_crossed(
    made: Tables, data: st.DataObject
) -> None:
    network = RoadNetwork.from_streets(*made)
    marked = np.array(data.draw(st.lists(st.booleans(), min_size=network.n_nodes, max_size=network.n_nodes)))
    closed = np.array(data.draw(st.lists(st.booleans(), min_size=network.n_edges, max_size=network.n_edges)))
    sources = data.draw(st.lists(st.integers(0, network.n_nodes - 1), min_size=1, max_size=4))
    offsets = [float(10 * at) for at in range(len(sources))]
    graph = as_networkx(network, closed, np.ones(network.n_edges))
    expected = np.stack([_without_crossing(graph, marked, source) for source in sources])
    found = travel_times(network, sources, closed=closed, no_through=marked)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    merged = nearest_times(network, sources, closed=closed, no_through=marked)
    np.testing.assert_allclose(merged, expected.min(axis=0), rtol=1e-5, atol=1e-4)
    later = nearest_times(network, sources, offset_s=offsets, closed=closed, no_through=marked)
    np.testing.assert_allclose(
        later, (expected + np.array(offsets)[:, None]).min(axis=0), rtol=1e-5, atol=1e-4
    )
    # Less may never be quicker, and a street's both ends stay ends of drives.
    assert (found >= travel_times(network, sources, closed=closed) - 1e-4).all()
    assert (found[np.arange(len(sources)), sources] == 0).all()


def test_a_line_without_through_traffic_parts_a_grid() -> None:
    network = RoadNetwork.from_streets(*grid(5, 5))
    middle = np.isclose(network.node_lon, np.unique(network.node_lon)[2])
    line = network.node_lon[middle][0]
    west, east = (
        np.flatnonzero(network.node_lon < line - 1e-9),
        np.flatnonzero(network.node_lon > line + 1e-9),
    )
    on_line = np.flatnonzero(middle)
    seconds = travel_times(network, [west[0], on_line[0], east[0]], no_through=middle)
    free = travel_times(network, [west[0], on_line[0], east[0]])
    assert np.isinf(seconds[0][east]).all()
    assert np.isinf(seconds[2][west]).all()
    np.testing.assert_allclose(seconds[0][on_line], free[0][on_line])
    np.testing.assert_allclose(seconds[1], free[1])


@given(random_networks(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(made: Tables, random: Random) -> None:
    streets, nodes = made
    order = list(range(len(streets)))
    random.shuffle(order)
    node_order = list(range(len(nodes)))
    random.shuffle(node_order)
    first = RoadNetwork.from_streets(streets, nodes)
    other = RoadNetwork.from_streets(
        streets.iloc[order].reset_index(drop=True), nodes.iloc[node_order].reset_index(drop=True)
    )
    where = np.argsort(node_order)
    np.testing.assert_allclose(
        travel_times(first, [0])[0], travel_times(other, [where[0]])[0][where], rtol=1e-6
    )


def test_a_limit_hides_what_lies_beyond_it() -> None:
    network = RoadNetwork.from_streets(*grid(6, 6))
    whole = travel_times(network, [0])[0]
    limit = float(np.median(whole))
    near = travel_times(network, [0], limit_s=limit)[0]
    assert np.isinf(near[whole > limit * 1.001]).all()
    assert (near[whole < limit * 0.999] == whole[whole < limit * 0.999]).all()


def test_no_source_reaches_nothing() -> None:
    network = RoadNetwork.from_streets(*grid(3, 3))
    assert travel_times(network, []).shape == (0, 9)
    assert np.isinf(nearest_times(network, [])).all()


def test_all_faults_are_told_together() -> None:
    network = RoadNetwork.from_streets(*grid(3, 3))
    with pytest.raises(InvalidInputError) as caught:
        travel_times(
            network,
            [99],
            limit_s=-1.0,
            closed=np.zeros(3, dtype=bool),
            no_through=np.zeros(2, dtype=bool),
            speed_factor=0.0,
        )
    for words in ("not nodes", "limit_s", "closed must hold", "no_through must hold", "above zero"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="offset_s"):
        nearest_times(network, [0, 1], offset_s=[3.0])
    with pytest.raises(InvalidInputError, match="whole numbers"):
        travel_times(network, [0.5])
