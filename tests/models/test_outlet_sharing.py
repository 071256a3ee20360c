"""Shares by what is expected: sums, order, brute force of one round, and the street's rate by hand."""

from collections.abc import Callable

import h3
import hypothesis.strategies as st
import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from errors import InvalidInputError
from geo.network import RoadNetwork
from models.attribution import Nearness, allocate, nearness, share
from models.outlet_sharing import (
    CELL_RESOLUTION,
    PRIOR_INCIDENTS,
    STEP_M,
    ExpectedShares,
    Streets,
    share_as_expected,
    streets_around,
)
from tests.geo.networks import MIDDLE_LAT, MIDDLE_LON, grid

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Places = list[tuple[float, float]]

STEP = 0.002
NETWORK = RoadNetwork.from_streets(*grid(6, 6, step=STEP))
REACH_M, HALF_M = 500.0, 80.0

_corner = st.tuples(st.integers(0, 5), st.integers(0, 5))
_incidents = st.lists(_corner, min_size=1, max_size=20)
_outlets = st.lists(_corner, min_size=2, max_size=6, unique=True)


def _degrees(at: Places) -> tuple[FloatArray, FloatArray]:
    """Degrees of places in steps of the grid."""
    steps = np.array(at, dtype=float).reshape(-1, 2)
    return MIDDLE_LON + STEP * steps[:, 0], MIDDLE_LAT + STEP * steps[:, 1]


def _ground(incidents: Places, outlets: Places) -> tuple[Nearness, Streets]:
    near = nearness(NETWORK, *_degrees(incidents), *_degrees(outlets), reach_m=REACH_M)
    return near, streets_around(NETWORK, near, *_degrees(outlets))


def _always(expected: npt.ArrayLike) -> Callable[[IntArray], FloatArray]:
    return lambda _: np.asarray(expected, dtype=float)


def _as_drawn(counts: IntArray) -> FloatArray:
    """Give an expectation that follows the drawings, so that nothing but order can stay the same."""
    return np.asarray(counts.mean(axis=0) + 1.0)


def _shared(incidents: Places, outlets: Places, expected: npt.ArrayLike, rounds: int = 1) -> ExpectedShares:
    near, streets = _ground(incidents, outlets)
    return share_as_expected(
        near, streets, near.count(), _always(expected), half_m=HALF_M, rounds=rounds, seed=1
    )


@given(_incidents, _outlets, st.integers(0, 2**31))
@settings(max_examples=25)
def test_shares_sum_to_one_and_totals_are_conserved(incidents: Places, outlets: Places, seed: int) -> None:
    near, streets = _ground(incidents, outlets)
    found = share_as_expected(near, streets, near.count(), _as_drawn, half_m=HALF_M, rounds=3, seed=seed)
    np.testing.assert_allclose(np.asarray(found.shares.weights.sum(axis=1)), 1.0, atol=1e-12)
    drawn = allocate(found.shares, near.count(), draws=5, seed=seed)
    assert (drawn.sum(axis=1) == len(incidents)).all()
    assert (found.street_rate > 0).all()


@given(_incidents, _outlets, st.integers(0, 2**31))
@settings(max_examples=25)
def test_order_of_the_input_changes_nothing(incidents: Places, outlets: Places, seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows, columns = generator.permutation(len(incidents)), generator.permutation(len(outlets))
    near, streets = _ground(incidents, outlets)
    turned, turned_streets = _ground([incidents[i] for i in rows], [outlets[i] for i in columns])
    first = share_as_expected(near, streets, near.count(), _as_drawn, rounds=3, seed=2)
    second = share_as_expected(turned, turned_streets, turned.count(), _as_drawn, rounds=3, seed=2)
    np.testing.assert_allclose(second.expected, first.expected[columns], rtol=1e-12)
    np.testing.assert_allclose(
        second.shares.weights.toarray()[:, :-1], first.shares.weights.toarray()[:, columns], rtol=1e-9
    )


def _pieces() -> tuple[IntArray, FloatArray, FloatArray, npt.NDArray[np.str_]]:
    """Pieces of street one by one: edge, metres along it to the middle, metres, cell."""
    rows = []
    for edge, length in enumerate(NETWORK.length_m):
        pieces = int(np.ceil(length / STEP_M))
        for k in range(pieces):
            way = (k + 0.5) / pieces
            lon, lat = (
                (1 - way) * ends[NETWORK.edge_u[edge]] + way * ends[NETWORK.edge_v[edge]]
                for ends in (NETWORK.node_lon, NETWORK.node_lat)
            )
            rows.append((edge, way * length, length / pieces, h3.latlng_to_cell(lat, lon, CELL_RESOLUTION)))
    edges, along, metres, cells = zip(*rows, strict=True)
    return np.array(edges), np.array(along), np.array(metres), np.array(cells)


_PIECES = _pieces()


@given(_incidents, _outlets, st.data())
@settings(max_examples=25)
def test_one_round_equals_brute_force(incidents: Places, outlets: Places, data: st.DataObject) -> None:
    """Walks by networkx, weights summed street by street, the street's rate cell by cell."""
    expected = np.array(data.draw(st.lists(st.floats(0.1, 20), min_size=len(outlets), max_size=len(outlets))))
    found = _shared(incidents, outlets, expected)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_weighted_edges_from(
        zip(NETWORK.edge_u.tolist(), NETWORK.edge_v.tolist(), NETWORK.length_m.tolist(), strict=True)
    )
    away = [nx.single_source_dijkstra_path_length(graph, 6 * y + x, weight="weight") for x, y in outlets]
    fields = [np.array([field[node] for node in range(NETWORK.n_nodes)]) for field in away]
    edge, along, piece_m, point_cell = _PIECES
    u, v, length = NETWORK.edge_u[edge], NETWORK.edge_v[edge], NETWORK.length_m[edge]
    walks = [np.minimum(field[u] + along, field[v] + length - along) for field in fields]
    around = np.array([piece_m[walk <= REACH_M] @ 0.5 ** (walk[walk <= REACH_M] / HALF_M) for walk in walks])
    by_distance = share(found.shares.near, half_m=HALF_M).weights.toarray()
    place_cell = [h3.latlng_to_cell(lat, lon, CELL_RESOLUTION) for lon, lat in found.shares.near.places]
    cell_m = {
        cell: max(float(piece_m[point_cell == cell].sum()), STEP_M)
        for cell in {*point_cell.tolist(), *place_cell}
    }
    falls = dict.fromkeys(cell_m, 0.0)
    for place, count in enumerate(found.shares.count()):
        falls[place_cell[place]] += count * by_distance[place, -1]
    city = sum(falls.values()) / sum(cell_m.values())
    weights = found.shares.weights.toarray()
    for place, (lon, lat) in enumerate(found.shares.near.places):
        node = int(np.argmin(np.hypot(NETWORK.node_lon - lon, NETWORK.node_lat - lat)))
        metres = np.maximum([field[node] for field in fields], 0.01)
        pull = np.where(metres <= REACH_M, expected * 0.5 ** (metres / HALF_M) / around, 0.0)
        cell = place_cell[place]
        street = (PRIOR_INCIDENTS + falls[cell]) / (PRIOR_INCIDENTS / city + cell_m[cell])
        row = np.append(pull, street)
        np.testing.assert_allclose(weights[place], row / row.sum(), rtol=1e-5, atol=1e-9)


@given(_incidents, _outlets, st.data())
@settings(max_examples=25)
def test_more_expected_is_more_shared(incidents: Places, outlets: Places, data: st.DataObject) -> None:
    """Raising one outlet's expectation raises its share, and nobody else's, wherever it is in reach."""
    raised = data.draw(st.integers(0, len(outlets) - 1))
    expected = np.ones(len(outlets))
    before = _shared(incidents, outlets, expected).shares.weights.toarray()
    expected[raised] = data.draw(st.floats(1.5, 50))
    after = _shared(incidents, outlets, expected).shares.weights.toarray()
    reached = before[:, raised] > 0
    assert (after[reached, raised] > before[reached, raised]).all()
    others = np.delete(after - before, raised, axis=1)
    assert (others <= 1e-12).all()


BESIDE = 0.15
PAIR: Places = [(2.5 - BESIDE, 2.0), (2.5 + BESIDE, 2.0)]
"""Two doors on the middle block of a row: the grid is its own mirror image between them."""


def test_equal_doors_on_one_block_share_alike() -> None:
    row = _shared([(2.5, 2.0)] * 7, PAIR, [3.0, 3.0], rounds=4).shares.weights.toarray()[0]
    assert row[0] == pytest.approx(row[1], rel=1e-3)
    assert row[0] > 0.2


def test_twice_the_expectation_weighs_twice_at_equal_distance() -> None:
    row = _shared([(2.5, 2.0)] * 7, PAIR, [4.0, 2.0], rounds=4).shares.weights.toarray()[0]
    assert row[0] / row[1] == pytest.approx(2.0, rel=1e-3)


def test_a_livelier_street_keeps_more() -> None:
    """Forty incidents of the same cell that no outlet reaches raise what the street keeps beside one."""
    quiet = _shared([(2.0, 2.0)], [(2, 2), (0, 5)], [5.0, 5.0])
    lively = _shared([(2.0, 2.0), *[(4.0, 1.0)] * 40], [(2, 2), (0, 5)], [5.0, 5.0])
    place = int(
        np.argmin(np.abs(lively.shares.near.places - np.column_stack(_degrees([(2, 2)]))).sum(axis=1))
    )
    assert lively.shares.weights.toarray()[place, -1] > quiet.shares.weights.toarray()[0, -1]


def test_street_rate_is_the_posterior_mean() -> None:
    """Twelve incidents out of every outlet's reach: (2 + 12) / (2 / rate of the city + metres)."""
    found = _shared([(5, 5)] * 12, [(0, 0), (1, 0)], [1.0, 1.0])
    _, streets = _ground([(5, 5)], [(0, 0), (1, 0)])
    metres, cell = float(streets.cell_m.sum()), int(streets.cell_of_place[0])
    assert metres == pytest.approx(NETWORK.length_m.sum(), abs=STEP_M)
    assert len(streets.cell_m) > 1
    assert found.street_rate[cell] == pytest.approx(14 / (2 * metres / 12 + streets.cell_m[cell]))
    elsewhere = np.arange(len(streets.cell_m)) != cell
    np.testing.assert_allclose(
        found.street_rate[elsewhere], 2 / (2 * metres / 12 + streets.cell_m[elsewhere]), rtol=1e-9
    )


def test_rounds_settle_where_expectations_do() -> None:
    found = _shared([(2, 2), (3, 3)], [(2, 2), (3, 3)], [2.0, 1.0], rounds=4)
    np.testing.assert_allclose(found.change, [1.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(found.expected, [2.0, 1.0])


def test_no_incident_at_all_leaves_shares_that_sum_to_one() -> None:
    near, streets = _ground([(2, 2)], [(2, 2), (3, 3)])
    found = share_as_expected(near, streets, [0], _always([1.0, 1.0]), seed=0)
    np.testing.assert_allclose(np.asarray(found.shares.weights.sum(axis=1)), 1.0)


def test_what_cannot_be_used_is_said() -> None:
    near, streets = _ground([(2, 2), (3, 1)], [(2, 2), (3, 3)])
    other_near, _ = _ground([(2, 2)], [(2, 2), (3, 3), (4, 4)])
    with pytest.raises(InvalidInputError, match="4 faults"):
        share_as_expected(other_near, streets, [1], _always([1.0] * 3), half_m=0.0, rounds=0, seed=0)
    with pytest.raises(InvalidInputError, match="whole number"):
        share_as_expected(near, streets, [0.5, 1.0], _always([1.0, 1.0]), seed=0)
    for expected in ([1.0], [1.0, np.nan], [1.0, 0.0]):
        with pytest.raises(InvalidInputError, match="an expectation is missing or not above zero"):
            share_as_expected(near, streets, near.count(), _always(expected), seed=0)
