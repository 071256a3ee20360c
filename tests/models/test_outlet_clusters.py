"""Clusters over network distance: planted ones are found, and sparse search equals the dense one."""

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given
from scipy.sparse import coo_array, csr_array

from errors import InvalidInputError
from geo.near import near_pairs
from geo.network import RoadNetwork
from models.outlet_clusters import (
    FLOOR_M,
    NOISE,
    Clusters,
    clustered_by_chance,
    outlet_clusters,
)
from tests.geo.networks import MIDDLE_LAT, MIDDLE_LON, grid

FloatArray = npt.NDArray[np.floating]
AT_MOST_M = 300.0


def _metres(place_m: FloatArray, *, at_most_m: float = AT_MOST_M) -> csr_array:
    """Distances along one straight street."""
    apart = np.abs(place_m[:, None] - place_m[None, :])
    row, col = np.nonzero(apart <= at_most_m)
    return coo_array((apart[row, col], (row, col)), shape=apart.shape).tocsr()


def _on_a_street(place_m: FloatArray, **options: int) -> Clusters:
    lon = MIDDLE_LON + place_m / 96_500
    return outlet_clusters(
        _metres(place_m), lon, np.full(len(place_m), MIDDLE_LAT), at_most_m=AT_MOST_M, **options
    )


def _planted(rng: np.random.Generator) -> FloatArray:
    """Two bunches of 30 and 20 doors 15 m apart on the mean, and 12 doors far from all."""
    return np.concatenate(
        [1000 + rng.uniform(0, 450, 30), 5000 + rng.uniform(0, 300, 20), 10_000 + 900.0 * np.arange(12)]
    )


def test_planted_bunches_are_found_and_the_rest_is_in_none() -> None:
    found = _on_a_street(_planted(np.random.default_rng(3)))
    assert found.size.tolist() == [30, 20]
    assert found.label.tolist() == [0] * 30 + [1] * 20 + [NOISE] * 12
    assert (found.strength[found.label == NOISE] == 0).all()
    assert (found.strength[found.label != NOISE] > 0).all()
    assert found.share == pytest.approx(50 / 62)
    assert found.words.startswith("50 of 62 places stand in 2 clusters")


def test_one_bunch_alone_is_one_cluster() -> None:
    """Without the hub the root could not be a cluster, and the bunch would be split or lost."""
    found = _on_a_street(np.arange(25) * 20.0)
    assert found.label.tolist() == [0] * 25


def test_hulls_hold_their_members_and_nobody_else() -> None:
    place_m = _planted(np.random.default_rng(4))
    found = _on_a_street(place_m)
    points = shapely.points(MIDDLE_LON + place_m / 96_500, MIDDLE_LAT)
    for number, hull in enumerate(found.hull):
        assert shapely.contains(hull, points).tolist() == (found.label == number).tolist()


@given(st.integers(0, 10_000), st.integers(15, 60), st.integers(2, 8))
def test_the_sparse_search_equals_the_dense_one(seed: int, count: int, min_size: int) -> None:
    """Against scikit-learn on the whole matrix, capped, with the same made-up hub.

    With more than one sample distances tie, and a place between two bunches may fall to either.
    """
    from sklearn.cluster import HDBSCAN

    rng = np.random.default_rng(seed)
    place_m = np.sort(rng.uniform(0, 4000, count))
    found = _on_a_street(place_m, min_cluster_size=min_size, min_samples=1)
    apart = np.maximum(np.abs(place_m[:, None] - place_m[None, :]), FLOOR_M)
    # A little apart each, because scikit-learn's dense search joins what ties in an order of its own.
    to_hub = np.repeat(AT_MOST_M + 1e-6 * np.arange(count), min_size).reshape(count, min_size)
    whole = np.full((count + min_size,) * 2, AT_MOST_M + 1)
    whole[:count, :count] = np.where(apart < AT_MOST_M, apart, AT_MOST_M + 1)
    whole[:count, count:], whole[count:, :count] = to_hub, to_hub.T
    whole[count:, count:] = FLOOR_M
    np.fill_diagonal(whole, 0.0)
    dense = HDBSCAN(metric="precomputed", min_cluster_size=min_size, min_samples=1, copy=True).fit(whole)
    expected = dense.labels_[:count].copy()
    expected[np.isin(expected, dense.labels_[count:])] = NOISE
    assert len(np.unique(found.label)) == len(np.unique(expected))
    pairs = {(int(a), int(b)) for a, b in zip(found.label, expected, strict=True)}
    assert len(pairs) == len(np.unique(found.label))
    assert all((a == NOISE) == (b == NOISE) for a, b in pairs)


@given(st.integers(0, 1000))
def test_input_order_plays_no_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place_m = _planted(rng)
    order = rng.permutation(len(place_m))
    straight, shuffled = _on_a_street(place_m), _on_a_street(place_m[order])
    np.testing.assert_array_equal(shuffled.label, straight.label[order])
    np.testing.assert_allclose(shuffled.strength, straight.strength[order])


def test_a_river_between_parts_what_is_near_as_the_crow_flies() -> None:
    """Two rows of doors on two streets that meet only far away: near in a straight line, far to walk."""
    streets, nodes = grid(12, 2, step=0.001)
    # Only the first cross street is a bridge.
    crossing = (streets["v"] - streets["u"]) == 12
    keep = ~crossing | (streets["u"] == 0)
    network = RoadNetwork.from_streets(streets[keep], nodes)
    step = np.arange(12) * 0.0001
    lon = np.concatenate([MIDDLE_LON + 0.009 + step, MIDDLE_LON + 0.009 + step])
    lat = np.repeat([MIDDLE_LAT, MIDDLE_LAT + 0.001], 12)
    metres = near_pairs(network, lon, lat, lon, lat, limit_m=AT_MOST_M)
    found = outlet_clusters(metres, lon, lat, at_most_m=AT_MOST_M)
    assert found.size.tolist() == [12, 12]
    assert len(set(found.label[:12])) == len(set(found.label[12:])) == 1


def test_few_places_are_no_cluster() -> None:
    assert _on_a_street(np.arange(4) * 1.0).label.tolist() == [NOISE] * 4
    assert np.isnan(_on_a_street(np.empty(0)).share)


def test_doors_at_one_place_are_a_cluster_like_others() -> None:
    found = _on_a_street(np.concatenate([np.zeros(12), [2000.0, 4000.0]]))
    assert found.label.tolist() == [0] * 12 + [NOISE] * 2


def test_chance_of_the_streets_is_told() -> None:
    rng = np.random.default_rng(5)
    found = _on_a_street(_planted(rng))
    sets = [_metres(rng.uniform(0, 20_000, 62)) for _ in range(39)]
    chance = clustered_by_chance(found, sets, at_most_m=AT_MOST_M)
    assert chance.share == found.share
    assert chance.low <= chance.by_chance <= chance.high < chance.share
    assert chance.p_value == pytest.approx(1 / 40)
    with pytest.raises(InvalidInputError, match="at least 19"):
        clustered_by_chance(found, sets[:3], at_most_m=AT_MOST_M)
    with pytest.raises(InvalidInputError, match="as many places"):
        clustered_by_chance(found, [_metres(np.arange(3.0))], at_most_m=AT_MOST_M)


def test_faults_come_together() -> None:
    lon = np.array([MIDDLE_LON, np.nan])
    with pytest.raises(InvalidInputError) as caught:
        outlet_clusters(
            csr_array(np.array([[0.0, 5.0], [9.0, 0.0]])),
            lon,
            lon,
            at_most_m=1.0,
            min_cluster_size=1,
            min_samples=3,
        )
    for words in ("no coordinates", "above 10 m", "at least 2", "min_samples", "same both ways"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="one row and column"):
        outlet_clusters(csr_array((3, 3)), np.zeros(2), np.zeros(2), at_most_m=100.0)
