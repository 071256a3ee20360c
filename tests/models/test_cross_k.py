"""Network cross-K: by brute force, on a street whose answer is known, and under nulls that hold."""

from itertools import pairwise

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from scipy.sparse import coo_array, csr_array
from scipy.stats import kstest

from errors import InvalidInputError
from geo.near import near_pairs
from geo.network import RoadNetwork
from models.cross_k import CrossK, cross_k, global_envelope, metres_along_streets, street_points
from tests.geo.networks import MIDDLE_LAT, MIDDLE_LON, grid, tables

FloatArray = npt.NDArray[np.float64]
RADII = np.array([50.0, 100.0, 200.0, 400.0])


def _sparse(metres: FloatArray, limit: float) -> csr_array:
    row, col = np.nonzero(metres <= limit)
    return coo_array((metres[row, col], (row, col)), shape=metres.shape).tocsr()


def _apart(from_m: FloatArray, to_m: FloatArray) -> csr_array:
    return _sparse(np.abs(from_m[:, None] - to_m[None, :]), RADII[-1])


def _street_k(outlet_m: FloatArray, incident_m: FloatArray, length: float) -> CrossK:
    points = np.ones(len(incident_m), dtype=int)
    return cross_k(
        _apart(outlet_m, incident_m),
        points,
        radii_m=RADII,
        street_m=length,
        others=points,
        simulations=39,
    )


def test_one_long_street_gives_two_r() -> None:
    """Incidents evenly along 100 km, an outlet away from the ends: r to either side, whatever the outlet."""
    incident_m = np.arange(0.5, 100_000.0, 1.0)
    found = _street_k(np.array([20_000.0, 50_000.0, 50_010.0]), incident_m, 100_000.0)
    np.testing.assert_allclose(found.k, 2 * RADII)


def test_a_crossing_of_four_streets_gives_four_r() -> None:
    """An outlet at the corner of four arms sees four arms of length r."""
    arm_m = np.tile(np.arange(0.5, 1000.0, 1.0), 4)
    metres = _sparse(arm_m[None, :], RADII[-1])
    points = np.ones(len(arm_m), dtype=int)
    found = cross_k(metres, points, radii_m=RADII, street_m=4000.0, others=points, simulations=39)
    np.testing.assert_allclose(found.k, 4 * RADII)


def test_it_equals_brute_force_over_networkx() -> None:
    rng = np.random.default_rng(8)
    network = RoadNetwork.from_streets(*grid(5, 4))
    graph: nx.Graph[int] = nx.Graph()
    for u, v, metres in zip(network.edge_u, network.edge_v, network.length_m, strict=True):
        graph.add_edge(int(u), int(v), weight=float(metres))
    outlet, point = rng.choice(20, 6, replace=False), rng.choice(20, 12, replace=False)
    count = rng.integers(1, 5, 12)
    between = dict(nx.all_pairs_dijkstra_path_length(graph))
    radii = np.array([150.0, 350.0, 700.0])
    pairs = [
        sum(int(count[j]) for i in outlet for j in range(12) if between[int(i)][int(point[j])] <= r)
        for r in radii
    ]
    street_m = float(network.length_m.sum())
    expected = street_m / (6 * count.sum()) * np.array(pairs)
    metres_between = near_pairs(
        network,
        network.node_lon[outlet],
        network.node_lat[outlet],
        network.node_lon[point],
        network.node_lat[point],
        limit_m=700.0,
    )
    found = cross_k(metres_between, count, radii_m=radii, street_m=street_m, others=count, simulations=39)
    np.testing.assert_allclose(found.k, expected)
    assert (found.outlets, found.incidents) == (6, int(count.sum()))


@given(st.integers(0, 10_000), st.integers(3, 25), st.integers(1, 6))
def test_the_envelope_equals_sorting_words_by_hand(seed: int, n_curves: int, n_radii: int) -> None:
    curves = np.random.default_rng(seed).integers(0, 4, (n_curves, n_radii)).astype(float)
    words = []
    for row in curves:
        ranks = []
        for value, column in zip(row, curves.T, strict=True):
            below, same = int((column < value).sum()), int((column == value).sum())
            ranks.append(min(below + (same + 1) / 2, n_curves + 1 - below - (same + 1) / 2))
        words.append(sorted(ranks))
    p_value = sum(word <= words[0] for word in words) / n_curves
    kept = [i for i in range(n_curves) if 5 * sum(w <= words[i] for w in words) > n_curves]
    found = global_envelope(curves, level=0.8)
    assert found.p_value == pytest.approx(p_value)
    np.testing.assert_array_equal(found.low, curves[kept].min(axis=0))
    np.testing.assert_array_equal(found.high, curves[kept].max(axis=0))


def test_incidents_by_the_door_stand_out_and_the_answer_says_where() -> None:
    rng = np.random.default_rng(1)
    outlet_m = np.sort(rng.uniform(0, 40_000, 30))
    near_m = np.repeat(outlet_m, 5) + rng.normal(0, 20, 150)
    far_m = rng.uniform(0, 40_000, 400)
    point_m = np.concatenate([near_m, far_m])
    bad = np.concatenate([np.ones(150, dtype=int), np.zeros(400, dtype=int)])
    found = cross_k(_apart(outlet_m, point_m), bad, radii_m=RADII, street_m=40_000.0, others=1 - bad, seed=2)
    assert found.p_value == pytest.approx(1 / 1000)
    assert (found.k > found.high).all()
    assert found.question == "Are these incidents nearer to outlets than other incidents are?"
    assert found.answer.startswith("More than chance explains (p = 0.001, 999 relabellings")
    assert found.answer.endswith("more pairs than chance gives from 50 to 400 m.")


def test_the_nulls_answer_different_questions() -> None:
    """All incidents gather at outlets alike: the streets' null says yes, the kinds' null says no."""
    rng = np.random.default_rng(6)
    outlet_m, random_m = np.sort(rng.uniform(0, 20_000, 40)), rng.uniform(0, 20_000, 600)
    point_m = np.repeat(outlet_m, 10) + rng.normal(0, 30, 400)
    kind = rng.permutation(np.repeat([0, 1], 200))
    metres = _apart(outlet_m, point_m)
    kinds = cross_k(metres, kind, radii_m=RADII, street_m=20_000.0, others=1 - kind)
    streets = cross_k(
        metres,
        kind,
        radii_m=RADII,
        street_m=20_000.0,
        places=_apart(random_m, point_m),
        places_are="streets",
    )
    assert kinds.p_value > 0.05 > streets.p_value
    assert kinds.answer.startswith("No more than chance explains")
    np.testing.assert_allclose(kinds.k, streets.k)
    assert "any point of the streets" in streets.question


@given(st.integers(0, 10_000))
def test_order_and_splitting_points_play_no_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outlet_m, point_m = rng.uniform(0, 3000, 8), rng.uniform(0, 3000, 30)
    count, other = rng.integers(0, 4, 30), rng.integers(1, 4, 30)
    count[0] = 1
    one = cross_k(
        _apart(outlet_m, point_m), count, radii_m=RADII, street_m=3000.0, others=other, simulations=99
    )
    order, shuffled = rng.permutation(30), rng.permutation(8)
    two = cross_k(
        _apart(outlet_m[shuffled], point_m[order]),
        count[order],
        radii_m=RADII,
        street_m=3000.0,
        others=other[order],
        simulations=99,
    )
    parted = cross_k(
        _apart(outlet_m, np.concatenate([point_m, point_m])),
        np.concatenate([count, 0 * count]),
        radii_m=RADII,
        street_m=3000.0,
        others=np.concatenate([0 * other, other]),
        simulations=99,
    )
    for again in (two, parted):
        np.testing.assert_allclose(again.k, one.k)
        np.testing.assert_allclose(again.low, one.low)
        assert again.p_value == one.p_value
    assert all(a <= b for a, b in pairwise(one.k))


def test_random_points_spread_evenly_over_the_streets() -> None:
    """On streets of 100 m and 300 m three in four points fall on the longer; none on a freeway."""
    places = [(MIDDLE_LON + x / 96_500, MIDDLE_LAT) for x in (0.0, 100.0, 400.0, 900.0)]
    streets, nodes = tables(places, [(0, 1, 100.0, False), (1, 2, 300.0, False), (2, 3, 500.0, False)])
    streets.loc[2, "road_class"] = "motorway"
    network = RoadNetwork.from_streets(streets, nodes)
    found = street_points(network, 4000, seed=1)
    assert found.street_m == 400.0
    x_m = (found.lon - MIDDLE_LON) * 96_500
    assert kstest(x_m / x_m.max(), "uniform").pvalue > 1e-3
    np.testing.assert_allclose(found.lat, MIDDLE_LAT, atol=1e-6)
    streets["road_class"] = "motorway"
    with pytest.raises(InvalidInputError, match="No street is left"):
        street_points(RoadNetwork.from_streets(streets, nodes), 5, seed=1)


def test_doors_are_measured_from_their_street() -> None:
    network = RoadNetwork.from_streets(*grid(6, 2))
    step = 0.002
    lon, lat = np.array([MIDDLE_LON + step / 2]), np.array([MIDDLE_LAT + 0.0002])
    corner_lon, corner_lat = np.array([MIDDLE_LON]), np.array([MIDDLE_LAT])
    found = metres_along_streets(network, lon, lat, corner_lon, corner_lat, limit_m=500.0)
    assert found[0, 0] == pytest.approx(step / 2 * 96_500, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("null", ["kinds", "streets"])
def test_p_values_are_uniform_when_nothing_is_planted(null: str) -> None:
    """300 cities without any tie: the p-value of the whole curve is uniform (Kolmogorov and Smirnov)."""
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        network = RoadNetwork.from_streets(*grid(6, 6))
        outlets, points = (
            street_points(network, 15, seed=3 * seed),
            street_points(network, 80, seed=3 * seed + 1),
        )
        metres = metres_along_streets(
            network, outlets.lon, outlets.lat, points.lon, points.lat, limit_m=RADII[-1]
        )
        kind = rng.permutation(np.repeat([0, 1], 40))
        if null == "kinds":
            result = cross_k(
                metres,
                kind,
                radii_m=RADII,
                street_m=outlets.street_m,
                others=1 - kind,
                simulations=99,
                seed=seed,
            )
        else:
            pool = street_points(network, 150, seed=3 * seed + 2)
            result = cross_k(
                metres,
                kind,
                radii_m=RADII,
                street_m=outlets.street_m,
                places=metres_along_streets(
                    network, pool.lon, pool.lat, points.lon, points.lat, limit_m=RADII[-1]
                ),
                places_are="streets",
                simulations=99,
                seed=seed,
            )
        found.append(result.p_value)
    # p-values are multiples of 1/100: half a step is the most that alone moves the distribution.
    assert kstest(np.array(found) - 0.005, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.04)


def test_faults_come_together() -> None:
    metres = csr_array((2, 3))
    with pytest.raises(InvalidInputError) as caught:
        cross_k(metres, [0.5, 1, 1], radii_m=[100, 50], street_m=0.0, simulations=5)
    for words in ("either other incidents", "whole numbers", "must rise", "length of the streets", "20 sim"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="no incidents"):
        cross_k(metres, [0, 0, 0], radii_m=[50], street_m=1.0, others=[1, 1, 1])
    with pytest.raises(InvalidInputError, match="no outlet"):
        cross_k(csr_array((0, 3)), [1, 0, 0], radii_m=[50], street_m=1.0, others=[1, 1, 1])
    with pytest.raises(InvalidInputError, match="same points"):
        cross_k(metres, [1, 0, 0], radii_m=[50], street_m=1.0, places=csr_array((4, 2)))
    with pytest.raises(InvalidInputError, match="no other place"):
        cross_k(metres, [1, 0, 0], radii_m=[50], street_m=1.0, places=csr_array((0, 3)))
