"""Shares and drawings: sums, independence of order, and brute force with networkx."""

from pathlib import Path

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from scipy.stats import binom

from data.city import City
from errors import InvalidInputError
from geo import crs
from geo.network import RoadNetwork
from models.attribution import (
    PREMISES_M,
    allocate,
    buffer_counts,
    nearness,
    premises,
    share,
    share_by_distance,
)
from models.attribution_doors import NO_PLACE, NOT_IN_DEGREES, TOO_FAR, doors
from tests.geo.networks import MIDDLE_LAT, MIDDLE_LON, grid

FloatArray = npt.NDArray[np.float64]

STEP = 0.002
NETWORK = RoadNetwork.from_streets(*grid(6, 6, step=STEP))

_corner = st.tuples(st.integers(0, 5), st.integers(0, 5))


def _at(corners: list[tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
    """Degrees of corners of the grid."""
    at = np.array(corners, dtype=float).reshape(-1, 2)
    return MIDDLE_LON + STEP * at[:, 0], MIDDLE_LAT + STEP * at[:, 1]


@given(
    st.lists(_corner, min_size=1, max_size=8),
    st.lists(_corner, min_size=1, max_size=6, unique=True),
    st.sampled_from([20.0, 80.0]),
    st.sampled_from([0.2, 1.0]),
)
def test_shares_equal_brute_force(
    incidents: list[tuple[int, int]], outlets: list[tuple[int, int]], half_m: float, street_weight: float
) -> None:
    """Corners of a grid: the walk is what networkx finds along the streets."""
    reach_m = 500.0
    shares = share_by_distance(
        NETWORK, *_at(incidents), *_at(outlets), reach_m=reach_m, half_m=half_m, street_weight=street_weight
    )
    graph: nx.Graph[int] = nx.Graph()
    graph.add_weighted_edges_from(
        zip(NETWORK.edge_u.tolist(), NETWORK.edge_v.tolist(), NETWORK.length_m.tolist(), strict=True)
    )
    weights = shares.weights.toarray()
    for number, (x, y) in enumerate(incidents):
        away = nx.single_source_dijkstra_path_length(graph, 6 * y + x, weight="weight")
        metres = np.array([max(away[6 * b + a], 0.01) for a, b in outlets])
        weight = np.append(np.where(metres <= reach_m, 0.5 ** (metres / half_m), 0.0), street_weight)
        row = weights[shares.place_of_incident[number]]
        np.testing.assert_allclose(row, weight / weight.sum(), rtol=1e-6, atol=1e-9)


@given(
    st.lists(_corner, max_size=30),
    st.lists(_corner, min_size=1, max_size=6, unique=True),
    st.integers(0, 2**31),
)
def test_weights_sum_to_one_and_totals_are_conserved(
    incidents: list[tuple[int, int]], outlets: list[tuple[int, int]], seed: int
) -> None:
    shares = share_by_distance(NETWORK, *_at(incidents), *_at(outlets))
    np.testing.assert_allclose(np.asarray(shares.weights.sum(axis=1)), 1.0, atol=1e-12)
    drawn = allocate(shares, shares.count(), draws=7, seed=seed)
    assert drawn.shape == (7, len(outlets) + 1)
    assert (drawn >= 0).all()
    assert (drawn.sum(axis=1) == len(incidents)).all()
    assert shares.expected(shares.count()).sum() == pytest.approx(len(incidents))


@given(
    st.lists(_corner, min_size=1, max_size=20),
    st.lists(_corner, min_size=1, max_size=6, unique=True),
    st.integers(0, 2**31),
)
def test_order_of_the_input_changes_nothing(
    incidents: list[tuple[int, int]],
    outlets: list[tuple[int, int]],
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    rows, columns = generator.permutation(len(incidents)), generator.permutation(len(outlets))
    lon, lat = _at(incidents)
    door_lon, door_lat = _at(outlets)
    first = share_by_distance(NETWORK, lon, lat, door_lon, door_lat)
    second = share_by_distance(NETWORK, lon[rows], lat[rows], door_lon[columns], door_lat[columns])
    drawn = allocate(first, first.count(), draws=5, seed=4)
    again = allocate(second, second.count(), draws=5, seed=4)
    np.testing.assert_array_equal(again[:, :-1], drawn[:, columns])
    np.testing.assert_array_equal(second.weights.toarray()[:, :-1], first.weights.toarray()[:, columns])
    np.testing.assert_array_equal(second.near.metres.toarray(), first.near.metres.toarray()[:, columns])


def test_drawings_follow_the_shares() -> None:
    """Many drawings of one place: each door's counts are binomial."""
    incidents, outlets = [(2, 2)] * 40, [(2, 2), (2, 3), (5, 5)]
    shares = share_by_distance(NETWORK, *_at(incidents), *_at(outlets), half_m=150, street_weight=0.3)
    drawn = allocate(shares, shares.count(), draws=20_000, seed=1)
    chance = shares.weights.toarray()[0]
    assert chance[2] == 0
    for column in (0, 1, 3):
        seen = np.bincount(drawn[:, column], minlength=41) / 20_000
        np.testing.assert_allclose(seen, binom.pmf(np.arange(41), 40, chance[column]), atol=0.012)
    assert (drawn[:, 2] == 0).all()
    np.testing.assert_allclose(drawn.mean(axis=0), shares.expected(shares.count()), atol=0.1)


def test_the_seed_decides() -> None:
    shares = share_by_distance(NETWORK, *_at([(2, 2)] * 30), *_at([(2, 2), (2, 3)]))
    first = allocate(shares, shares.count(), draws=10, seed=1)
    np.testing.assert_array_equal(first, allocate(shares, shares.count(), draws=10, seed=1))
    assert (first != allocate(shares, shares.count(), draws=10, seed=2)).any()


def test_chosen_incidents_alone_are_counted() -> None:
    shares = share_by_distance(NETWORK, *_at([(1, 1), (1, 1), (4, 4)]), *_at([(1, 1)]))
    chosen = np.array([True, False, True])
    assert shares.count(chosen).tolist() == [1, 1]
    assert allocate(shares, shares.count(chosen), draws=3, seed=0).sum(axis=1).tolist() == [2, 2, 2]


def test_an_incident_near_no_outlet_is_the_streets() -> None:
    shares = share_by_distance(NETWORK, *_at([(0, 0)]), *_at([(5, 5)]))
    assert shares.weights.toarray().tolist() == [[0.0, 1.0]]
    assert allocate(shares, shares.count(), draws=2, seed=0).tolist() == [[0, 1], [0, 1]]


def test_without_doors_all_is_the_streets() -> None:
    shares = share_by_distance(NETWORK, *_at([(0, 0), (1, 1)]), [], [])
    assert allocate(shares, shares.count(), draws=2, seed=0).tolist() == [[2], [2]]


def test_what_cannot_be_used_is_said() -> None:
    near = nearness(NETWORK, *_at([(0, 0)]), *_at([(0, 0)]))
    with pytest.raises(InvalidInputError, match="2 faults"):
        share(near, half_m=0, street_weight=0)
    with pytest.raises(InvalidInputError, match=r"1 door.s. stand where another does"):
        nearness(NETWORK, *_at([(0, 0)]), *_at([(1, 1), (1, 1)]))
    with pytest.raises(InvalidInputError, match="reach_m"):
        nearness(NETWORK, *_at([(0, 0)]), *_at([(1, 1)]), reach_m=-1)
    for counts in ([1.0], [-1], [1, 1]):
        with pytest.raises(InvalidInputError, match="one whole number"):
            allocate(share(near), counts, draws=1, seed=0)
    with pytest.raises(InvalidInputError, match="draws must be"):
        allocate(share(near), [1], draws=0, seed=0)


def test_buffers_equal_brute_force() -> None:
    rng = np.random.default_rng(5)
    lon, lat = MIDDLE_LON + rng.random(300) * 0.01, MIDDLE_LAT + rng.random(300) * 0.01
    lon, lat = np.append(lon, lon[:50]), np.append(lat, lat[:50])
    door_lon, door_lat = lon[:20] + 1e-4, lat[:20]
    buffers = buffer_counts(NETWORK, lon, lat, door_lon, door_lat, radius_m=200)
    x, y = crs.to_metres(lon, lat, NETWORK.epsg)
    door_x, door_y = crs.to_metres(door_lon, door_lat, NETWORK.epsg)
    within = np.hypot(x[:, None] - door_x, y[:, None] - door_y) <= 200
    assert buffers.counts.tolist() == within.sum(axis=0).tolist()
    assert buffers.near_any == within.any(axis=1).sum()
    assert buffers.times_counted == pytest.approx(within.sum() / within.any(axis=1).sum())
    assert buffer_counts(NETWORK, [], [], door_lon, door_lat).counts.tolist() == [0] * 20


def test_on_the_premises_only_where_the_place_is_exact() -> None:
    said = premises(["exact", "exact", "block", "unknown"], [PREMISES_M, PREMISES_M + 1, 0, 0])
    assert said == ["on premises", "nearby", "not known", "not known"]


def _outlets(**columns: object) -> pd.DataFrame:
    lon, lat = _at([(1, 1), (2, 2), (3, 3)])
    plain = {"outlet_id": ["a", "b", "c"], "name": ["A", "B", "C"], "category": "bar", "lon": lon, "lat": lat}
    return pd.DataFrame(plain | columns)


def test_two_licences_at_one_spot_are_one_door_with_two_names() -> None:
    lon, lat = _at([(1, 1), (1, 1), (3, 3)])
    found = doors(
        NETWORK, _outlets(lon=lon + np.array([0, 3e-5, 0]), lat=lat, category=["store", "bar", "hotel"])
    )
    assert found.names == ("A / B", "C")
    assert found.category == ("bar", "hotel")
    assert found.door_of_outlet.tolist() == [0, 0, 1]
    assert found.licences.tolist() == [2, 1]
    assert found.lon.tolist() == [lon[0], lon[2]]


def test_one_address_is_one_door_unless_the_places_lie_far_apart() -> None:
    lon, lat = _at([(1, 1), (1, 1), (3, 3)])
    apart = lon + np.array([0, 50 / 96_500, 0])
    same = _outlets(lon=apart, lat=lat, address=["12 Main St.", "12  MAIN ST", "12 main st"])
    assert doors(NETWORK, same).names == ("A / B", "C")
    assert doors(NETWORK, same.assign(address="Main St")).names == ("A", "B", "C")
    assert doors(NETWORK, same.assign(address=["12 Main St", "", "14 Main St"])).names == ("A", "B", "C")


def test_licences_without_a_door_say_why() -> None:
    lon, lat = _at([(1, 1), (2, 2), (3, 3)])
    rows = pd.concat([_outlets(), _outlets(outlet_id=["d", "e", "f"])], ignore_index=True)
    rows["lon"] = [np.nan, lon[1], lon[2], 3_692_036.0, lon[1] + 0.5, lon[0]]
    rows["lat"] = [lat[0], lat[1], lat[2], 543_335.0, lat[1], lat[0]]
    found = doors(NETWORK, rows)
    assert found.reason == (NO_PLACE, "", "", NOT_IN_DEGREES, TOO_FAR, "")
    assert found.door_of_outlet.tolist() == [-1, 1, 2, -1, -1, 0]
    assert len(found) == 3
    nowhere = doors(NETWORK, _outlets(lon=np.nan))
    assert len(nowhere) == 0
    assert set(nowhere.reason) == {NO_PLACE}


@given(st.permutations(range(8)))
def test_doors_do_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    lon, lat = _at([(1, 1), (1, 1), (2, 2), (2, 3), (2, 3), (4, 4), (5, 1), (0, 0)])
    rows = pd.DataFrame(
        {
            "outlet_id": list("abcdefgh"),
            "name": list("AABCDEFG"),
            "category": ["bar", "store", None, "hotel", "other", "bar", "bar", "bar"],
            "lon": lon,
            "lat": lat,
            "address": ["1 A", "1 A", "2 B", "3 C", None, None, "", "7 D"],
        }
    )
    first, second = doors(NETWORK, rows), doors(NETWORK, rows.iloc[order])
    assert (second.names, second.category) == (first.names, first.category)
    assert first.names == ("G", "A", "B", "C / D", "E", "F")
    np.testing.assert_array_equal(second.door_of_outlet, first.door_of_outlet[order])


def test_a_table_that_cannot_be_used_says_all() -> None:
    with pytest.raises(InvalidInputError, match=r"(?s)category is missing.*1 licences have an outlet_id"):
        doors(NETWORK, _outlets(outlet_id=["a", "a", "b"]).drop(columns="category"))


@pytest.mark.extract
def test_buffers_count_a_real_call_five_times(extract_city_dir: Path, extract_dir: Path) -> None:
    """The licences of 2015 and the calls of 2022: what a 400-foot buffer does to a call near any outlet."""
    city = City.open(extract_city_dir)
    calls = city.table("calls")
    place = (
        pd.read_csv(extract_dir / "alcohol_outlets_2015.csv")["Location 1"]
        .str.extract(r"\(([-\d.]+), ([-\d.]+)\)")
        .astype(float)
    )
    buffers = buffer_counts(city.network, calls["lon"], calls["lat"], place[1], place[0])
    assert buffers.times_counted == pytest.approx(5.06, abs=0.01)
    assert buffers.near_any == pytest.approx(33_120, abs=20)
