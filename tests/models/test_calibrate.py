"""Calibration finds planted speeds: on small networks, and all of the demo city's."""

from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings

from data.city import City
from errors import InvalidInputError
from geo.network import RoadNetwork
from geo.regions import assign_regions
from geo.travel_time import travel_times
from models.calibrate import AssumedSpeeds, Calibration, calibrate
from models.trips import Trips, TripSelection, trips_from_tables
from tests.geo.networks import grid

FloatArray = npt.NDArray[np.float64]

POSTS = np.array([0, 7, 100, 150, 195])
CLASSES = ("primary", "residential", "secondary", "service")
WEEKS = 12


@pytest.fixture(scope="module")
def network() -> RoadNetwork:
    """Fourteen by fourteen corners: two avenues, two lesser ones, and one service street nobody drives."""
    streets, nodes = grid(14, 14, step=0.004)
    column, row = nodes["node"] % 14, nodes["node"] // 14
    u, v = streets["u"], streets["v"]
    east = row[u].to_numpy() == row[v].to_numpy()
    line = np.where(east, row[u], column[u])
    road_class = np.where(line % 6 == 3, "primary", np.where(line % 6 == 0, "secondary", "residential"))
    streets = streets.assign(road_class=road_class)
    # A service street beside the first one, much longer than it: never the fastest way.
    aside = streets.iloc[:1].assign(road_class="service", length_m=9_000.0)
    return RoadNetwork.from_streets(pd.concat([streets, aside], ignore_index=True), nodes)


def planted(network: RoadNetwork, kph: FloatArray, *, n: int, noise: float, seed: int = 0) -> Trips:
    """Trips driven at ``kph`` (classes, bands, siren), timed by `geo.travel_time` and 25 s to the door."""
    rng = np.random.default_rng(seed)
    n_bands = kph.shape[1]
    origin, node = rng.choice(POSTS, n), rng.integers(0, network.n_nodes, n)
    band, siren = rng.integers(0, n_bands, n), rng.random(n) < 0.6
    drive = np.zeros(n)
    for b in range(n_bands):
        for s in (False, True):
            factor = kph[network.edge_class, b, int(s)] / network.speed_kph
            seconds = travel_times(network, POSTS, speed_factor=factor)
            rows = (band == b) & (siren == s)
            drive[rows] = seconds[np.searchsorted(POSTS, origin[rows]), node[rows]]
    chance = np.exp(rng.normal(-(noise**2) / 2, noise, n)) if noise else 1.0
    return Trips(
        origin=origin,
        node=node,
        access_m=rng.uniform(0, 60, n),
        observed_s=drive * chance + 25,
        band=band,
        siren=siren,
        day=rng.integers(0, WEEKS * 7, n),
        region=node // 50,
    )


def assumed(n_bands: int) -> AssumedSpeeds:
    return AssumedSpeeds(
        kph=np.array([45.0, 28.0, 42.0, 16.0]),
        band_factor=np.ones(n_bands),
        siren_factor=1.2,
    )


TRUE_KPH = np.array([[52.0, 38.0], [24.0, 21.0], [36.0, 31.0], [16.0, 14.0]])[:, :, None] * np.array(
    [1.0, 1.25]
)


@pytest.fixture(scope="module")
def noisy(network: RoadNetwork) -> Calibration:
    return calibrate(network, planted(network, TRUE_KPH, n=8000, noise=0.12), assumed(2), folds=3)


def test_planted_speeds_are_found(network: RoadNetwork, noisy: Calibration) -> None:
    assert network.classes == CLASSES
    found = noisy.speeds["kph"].to_numpy().reshape(TRUE_KPH.shape)
    np.testing.assert_allclose(found[:3], TRUE_KPH[:3], rtol=0.05)
    assert noisy.access_s.low < 25 < noisy.access_s.high + 5
    assert noisy.settled
    assert noisy.drive_share == pytest.approx(0.12, rel=0.15)


def test_intervals_hold_the_truth_and_the_undriven_class_keeps_its_prior(noisy: Calibration) -> None:
    table = noisy.speeds.assign(true=TRUE_KPH.ravel())
    driven = table["road_class"] != "service"
    inside = (table["low_kph"] <= table["true"]) & (table["true"] <= table["high_kph"])
    assert inside[driven].mean() >= 0.75
    assert not table.loc[driven, "tied_to_prior"].any()
    service = table[~driven]
    assert service["tied_to_prior"].all()
    assert (service["driven_km"] == 0).all()
    width = np.log(service["high_kph"] / service["low_kph"])
    assert (width > 1.0).all()


def test_held_out_weeks_are_predicted_as_well_as_chance_lets(
    noisy: Calibration, network: RoadNetwork
) -> None:
    trips = planted(network, TRUE_KPH, n=8000, noise=0.12)
    true_minutes = (planted(network, TRUE_KPH, n=8000, noise=0.0).observed_s) / 60
    floor = float(np.sqrt(((true_minutes - trips.observed_s / 60) ** 2).mean()))
    assert 0.99 * floor < noisy.held_out.root_mean_square_min < 1.03 * floor
    assert noisy.held_out.bias_min.low < 0 < noisy.held_out.bias_min.high
    assert noisy.assumed.mean_absolute_min > noisy.held_out.mean_absolute_min
    assert not noisy.by_region["biased"].any()
    assert noisy.by_region["n"].sum() == noisy.n == 8000


def test_the_factor_drives_the_network_at_the_fitted_speeds(network: RoadNetwork, noisy: Calibration) -> None:
    factor = noisy.speed_factor(network, 1, siren=True)
    driven = factor * network.speed_kph
    table = noisy.speeds
    for number, name in enumerate(CLASSES):
        on = network.edge_class == number
        row = table[(table["road_class"] == name) & (table["band"] == 1) & table["siren"]]
        np.testing.assert_allclose(driven[on], row["kph"].item())
    with pytest.raises(InvalidInputError, match="no hour band 9"):
        noisy.speed_factor(network, 9, siren=True)
    other = replace(network, classes=("a", "b", "c", "d"))
    with pytest.raises(InvalidInputError, match="other road classes"):
        noisy.speed_factor(other, 0, siren=False)


def test_a_neighborhood_that_the_classes_cannot_explain_is_named(network: RoadNetwork) -> None:
    trips = planted(network, TRUE_KPH, n=6000, noise=0.1)
    slow = trips.region == 2
    worse = replace(trips, observed_s=np.where(slow, trips.observed_s * 1.5, trips.observed_s))
    found = calibrate(network, worse, assumed(2), folds=2, n_bootstrap=20).by_region.set_index("region")
    assert found["biased"][2]
    assert found["high_min"][2] < 0


@settings(max_examples=6)
@given(st.lists(st.floats(0.7, 1.4), min_size=3, max_size=3), st.floats(1.05, 1.4), st.integers(0, 1000))
def test_speeds_without_noise_are_found_whatever_they_are(
    network: RoadNetwork, factors: list[float], siren: float, seed: int
) -> None:
    kph = assumed(1).kph * np.array([*factors, 1.0])
    true = kph[:, None, None] * np.array([1.0, siren])
    trips = planted(network, true, n=1500, noise=0.0, seed=seed)
    found = calibrate(network, trips, assumed(1), folds=2, n_bootstrap=20)
    driven = found.speeds["driven_km"].to_numpy().reshape(true.shape) > 100
    np.testing.assert_allclose(
        found.speeds["kph"].to_numpy().reshape(true.shape)[driven], true[driven], rtol=0.05
    )


def test_the_same_seed_gives_the_same_figures(network: RoadNetwork) -> None:
    trips = planted(network, TRUE_KPH, n=1500, noise=0.1)
    one, two = (calibrate(network, trips, assumed(2), folds=2, n_bootstrap=20, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(one.speeds, two.speeds)


def test_faults_are_told_together(network: RoadNetwork) -> None:
    trips = planted(network, TRUE_KPH, n=50, noise=0.0)
    short = replace(trips, day=trips.day * 0)
    with pytest.raises(InvalidInputError) as caught:
        calibrate(network, short, replace(assumed(1), kph=np.array([1.0, -2.0])), n_bootstrap=2)
    said = str(caught.value)
    for fault in (
        "too few",
        "weeks",
        "four" if "four" in said else "4 road classes",
        "hour band",
        "bootstrap",
    ):
        assert fault in said
    with pytest.raises(InvalidInputError, match="above zero"):
        calibrate(network, trips, replace(assumed(2), siren_factor=float("nan")))
    with pytest.raises(InvalidInputError, match="missing, zero or negative"):
        replace(trips, observed_s=np.where(np.arange(50) < 3, -1.0, np.nan))


def test_trips_with_no_way_between_their_ends_are_counted(network: RoadNetwork) -> None:
    streets, nodes = grid(14, 14, step=0.004)
    cut = streets[
        ~((streets["u"] == 194) | (streets["v"] == 194) | (streets["u"] == 195) | (streets["v"] == 195))
    ]
    island = RoadNetwork.from_streets(
        cut.assign(road_class=network.edge_class[cut.index]).replace(
            {"road_class": dict(enumerate(network.classes))}
        ),
        nodes,
    )
    # The names of classes must stay those the trips were driven at, the service street aside.
    trips = planted(network, TRUE_KPH, n=2000, noise=0.0)
    lost = int(
        ((trips.node >= 194) | (trips.origin >= 194)).sum()
        - ((trips.node == 195) & (trips.origin == 195)).sum()
    )
    prior = replace(assumed(2), kph=assumed(2).kph[: len(island.classes)])
    found = calibrate(island, trips, prior, folds=2, n_bootstrap=20)
    assert found.unreachable == lost > 0
    assert found.n + found.unreachable == 2000


# The demo city: its planted speeds, found from its own records.


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


@pytest.fixture(scope="module")
def selection(city: City) -> TripSelection:
    band = np.zeros(168, dtype=np.int64)
    for number, hours in enumerate(city.profile.hour_bands):
        band[list(hours.hours_of_week)] = number
    calls = city.table("calls")
    calls = calls[calls["agency"] == "EMS"]
    areas = city.table("neighborhoods").geometry.to_numpy()
    return trips_from_tables(
        city.table("unit_responses"),
        calls,
        city.table("posts"),
        city.network,
        band_of_hour=band,
        region_of_call=assign_regions(calls["lon"], calls["lat"], areas),
    )


def test_every_response_is_a_trip_or_left_out_for_a_reason(city: City, selection: TripSelection) -> None:
    responses = city.table("unit_responses")
    assert len(selection.trips) + sum(selection.left_out.values()) == len(responses)
    used = responses.iloc[selection.row]
    assert used["from_post_id"].notna().all()
    assert not used["cancelled"].any()
    seconds = (used["on_scene_at"] - used["enroute_at"]).dt.total_seconds()
    np.testing.assert_array_equal(selection.trips.observed_s, seconds)
    np.testing.assert_array_equal(selection.trips.siren, used["lights_sirens"].to_numpy(dtype=bool))
    day_of_week = used["enroute_at"].dt.day_of_week
    np.testing.assert_array_equal(selection.trips.day % 7, day_of_week)


def test_broken_responses_are_left_out_by_reason(city: City, selection: TripSelection) -> None:
    row = city.table("unit_responses").iloc[selection.row[:8]].reset_index(drop=True).copy()
    row.loc[0, "cancelled"] = True
    row.loc[1, "from_post_id"] = None
    row.loc[2, "from_post_id"] = "nowhere"
    row.loc[3, "on_scene_at"] = pd.NaT
    row.loc[4, "on_scene_at"] = row["enroute_at"][4] - pd.Timedelta(seconds=5)
    row.loc[5, "on_scene_at"] = row["enroute_at"][5] + pd.Timedelta(hours=3)
    row.loc[6, "lights_sirens"] = None
    row.loc[7, "call_id"] = "unknown"
    found = trips_from_tables(
        row,
        city.table("calls"),
        city.table("posts"),
        city.network,
        band_of_hour=np.zeros(168, dtype=np.int64),
    )
    assert len(found.trips) == 0
    assert list(found.left_out.values()) == [1] * 8
    with pytest.raises(InvalidInputError, match="168"):
        trips_from_tables(
            row,
            city.table("calls"),
            city.table("posts"),
            city.network,
            band_of_hour=np.zeros(24, dtype=np.int64),
        )


@pytest.fixture(scope="module")
def demo(city: City, selection: TripSelection) -> Calibration:
    profile, network = city.profile, city.network
    prior = AssumedSpeeds(
        kph=np.array([profile.speeds[name] for name in network.classes]),
        band_factor=np.array([band.factor for band in profile.hour_bands]),
        siren_factor=profile.siren_factor,
        access_kph=profile.access_kph,
    )
    return calibrate(network, selection.trips, prior, folds=2, n_bootstrap=60)


@pytest.mark.slow
def test_the_speeds_planted_in_the_demo_are_found(city: City, demo: Calibration) -> None:
    """Within 5 % in every class, hour band and siren state that is driven far; ramps are short and weaker."""
    truth = pd.read_parquet(city.path / "truth" / "speeds.parquet")
    names = [band.name for band in city.profile.hour_bands]
    truth["band"] = truth["hour_band"].map({name: number for number, name in enumerate(names)})
    table = demo.speeds.merge(truth, on=["road_class", "band", "siren"], validate="one_to_one")
    assert len(table) == len(truth)
    error = (table["kph"] / table["speed_kph"] - 1).abs()
    ramps = table["road_class"] == "motorway_link"
    assert error[~ramps].max() < 0.05
    assert error[ramps].max() < 0.20
    inside = (table["low_kph"] <= table["speed_kph"]) & (table["speed_kph"] <= table["high_kph"])
    assert inside.mean() > 0.85
    planted_access = pd.read_parquet(city.path / "truth" / "dispatch.parquet").set_index("parameter")["value"]
    assert demo.access_s.value == pytest.approx(planted_access["access_s"], abs=2)
    assert demo.drive_share == pytest.approx(planted_access["drive_spread"], rel=0.1)


@pytest.mark.slow
def test_held_out_weeks_of_the_demo_are_predicted_without_bias(demo: Calibration) -> None:
    assert demo.settled
    assert abs(demo.held_out.bias_min.value) < 0.03
    assert demo.held_out.mean_absolute_min < demo.assumed.mean_absolute_min
    assert demo.assumed.bias_min.high < -0.1
    assert demo.by_region["biased"].mean() < 0.05
