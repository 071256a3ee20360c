"""A month for the simulator: by hand on a small city, and the demo's own year, right and wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from data.city import City
from errors import InvalidInputError
from geo.network import RoadNetwork
from geo.regions import assign_regions
from geo.travel_time import travel_times
from models.replay import Replay
from models.replay_inputs import ReplayInputs, month_inputs, replay_month
from models.trips import DrivenSpeeds
from tests.geo.networks import grid

FloatArray = npt.NDArray[np.float64]

ZONE = "America/Chicago"
START, END = pd.Timestamp("2025-03-02", tz=ZONE), pd.Timestamp("2025-03-30", tz=ZONE)
"""Four weeks in which summer time begins."""
BANDS = np.where(np.arange(168) % 24 < 12, 0, 1)
SPEEDS = DrivenSpeeds(np.array([[[30.0, 40.0], [24.0, 32.0]]]), access_s=30.0)


@pytest.fixture(scope="module")
def network() -> RoadNetwork:
    streets, nodes = grid(14, 14, step=0.004)
    return RoadNetwork.from_streets(streets, nodes)


class SmallCity:
    """Two units at two posts, five calls a day that never meet, every minute known."""

    def __init__(self, network: RoadNetwork) -> None:
        rng = np.random.default_rng(1)
        self.network = network
        days = pd.date_range("2025-03-01", "2025-03-29", freq="D")
        hours = np.tile([1, 6, 11, 15, 20], len(days))
        wall = days.repeat(5) + pd.to_timedelta(hours, unit="h")
        opened = pd.Series(wall.tz_localize(ZONE).as_unit("us"))
        n = len(opened)
        node = rng.integers(0, network.n_nodes, n)
        posts = np.array([15, 180])
        band, siren = (hours >= 12).astype(int), rng.random(n) < 0.7
        every = self._seconds(posts)
        unit = every[band, 1, :, node].argmin(axis=1)
        drive = every[band, siren.astype(int), unit, node]
        handling, turnout = rng.uniform(60, 90, n).round(), rng.uniform(40, 80, n).round()
        scene = rng.uniform(600, 1200, n).round()
        seconds = {"assigned_at": handling, "enroute_at": handling + turnout}
        seconds["on_scene_at"] = seconds["enroute_at"] + drive + 30
        seconds["available_at"] = seconds["on_scene_at"] + scene
        ids = [f"C{number}" for number in range(n)]
        self.calls = pd.DataFrame(
            {
                "call_id": ids,
                "opened_at": opened,
                "lon": network.node_lon[node],
                "lat": network.node_lat[node],
                "location_precision": "exact",
            }
        )
        self.responses = pd.DataFrame(
            {
                "call_id": ids,
                "unit_id": np.array(["A", "B"], dtype=object)[unit],
                "from_post_id": np.array(["P1", "P2"], dtype=object)[unit],
                **{
                    name: (opened + pd.to_timedelta(s, unit="s")).dt.as_unit("us")
                    for name, s in seconds.items()
                },
                "depart_scene_at": pd.NaT,
                "at_hospital_at": pd.NaT,
                "hospital_id": None,
                "lights_sirens": pd.array(siren, dtype="boolean"),
                "cancelled": pd.array(np.zeros(n, dtype=bool), dtype="boolean"),
            }
        )
        for name in ("depart_scene_at", "at_hospital_at"):
            self.responses[name] = pd.Series(pd.NaT, index=range(n), dtype=opened.dtype)
        self.posts = pd.DataFrame(
            {"post_id": ["P1", "P2"], "lon": network.node_lon[posts], "lat": network.node_lat[posts]}
        )
        self.hospitals = pd.DataFrame(
            {"hospital_id": ["H1"], "lon": network.node_lon[[90]], "lat": network.node_lat[[90]]}
        )
        self.shifts = pd.DataFrame(
            {
                "unit_id": ["A", "B"],
                "unit_type": "ALS",
                "starts_at": pd.Timestamp("2025-02-28", tz=ZONE),
                "ends_at": pd.Timestamp("2025-04-02", tz=ZONE),
            }
        )
        self.handling_s = handling

    def _seconds(self, posts: npt.NDArray[np.int64]) -> FloatArray:
        """(n_bands, 2, n_posts, n_nodes)."""
        kph = SPEEDS.kph[0]
        return np.array(
            [
                [travel_times(self.network, posts, speed_factor=kph[b, s] / 30.0) for s in range(2)]
                for b in range(2)
            ]
        )

    def inputs(self, *, speeds: DrivenSpeeds = SPEEDS, most_places: int = 900) -> ReplayInputs:
        return month_inputs(
            self.responses,
            self.calls,
            self.posts,
            self.hospitals,
            self.shifts,
            network=self.network,
            speeds=speeds,
            band_of_hour=BANDS,
            start=START,
            end=END,
            region_of_call=np.arange(len(self.calls)) % 2,
            most_places=most_places,
        )


@pytest.fixture
def small(network: RoadNetwork) -> SmallCity:
    return SmallCity(network)


def _replay(inputs: ReplayInputs) -> Replay:
    return replay_month(inputs, region_names=["even", "odd"], seed=0, replications=1, target_min=8.0)


@pytest.mark.parametrize("most_places", [900, 40])
def test_a_month_without_chance_is_replayed_to_the_second(small: SmallCity, most_places: int) -> None:
    """Also when corners are merged, because what a corner adds to the drive stays with its call."""
    inputs = small.inputs(most_places=most_places)
    assert len(inputs.calls) == 29 * 5
    assert inputs.counted.sum() == 28 * 5
    assert len(inputs.places) <= most_places + 2
    found = _replay(inputs)
    assert found.figures["difference"].abs().max() < (0.01 if most_places == 900 else 0.5)
    assert abs(found.figures["difference"][0]) < 0.2
    assert most_places == 40 or not found.banner


def test_a_wrong_speed_raises_the_banner_of_the_small_city(small: SmallCity) -> None:
    slow = replace(SPEEDS, kph=SPEEDS.kph * 0.8)
    assert _replay(small.inputs(speeds=slow)).banner


def test_minutes_are_those_of_the_records(small: SmallCity) -> None:
    inputs = small.inputs()
    np.testing.assert_allclose(inputs.calls["handling_min"], small.handling_s / 60)
    turnout = (small.responses["enroute_at"] - small.responses["assigned_at"]).dt.total_seconds() / 60
    np.testing.assert_allclose(inputs.calls["turnout_min"], turnout)
    np.testing.assert_allclose(inputs.calls["access_min"], 0.5, atol=1e-3)
    siren = small.responses["lights_sirens"].to_numpy(dtype=bool)
    np.testing.assert_allclose(inputs.calls["drive_factor"][siren], 1.0)
    np.testing.assert_allclose(inputs.calls["drive_factor"][~siren], 40 / 30, rtol=1e-4)
    # The wall clock: after summer time began a call of 20:00 is still one of 20:00.
    np.testing.assert_array_equal((inputs.calls["call_min"] // 60) % 24, np.tile([1, 6, 11, 15, 20], 29))
    assert inputs.rules["start_hour"] == 5 * 24
    assert inputs.units["post"].tolist() == [0, 1]
    assert inputs.units["starts_min"].tolist() == [0, 0]


def test_a_call_that_waited_for_a_unit_is_not_taken_for_slow_handling(small: SmallCity) -> None:
    unit = small.responses["unit_id"]
    later = small.responses.index[unit == unit.iloc[0]][1]
    free = small.responses["available_at"].iloc[0]
    small.responses.loc[later, "assigned_at"] = free + pd.Timedelta(seconds=2)
    small.calls.loc[later, "opened_at"] = free - pd.Timedelta(minutes=9)
    inputs = small.inputs()
    row = int(np.flatnonzero(np.isclose(inputs.calls["call_min"], _minutes_of(small, later)))[0])
    assert inputs.calls["handling_min"][row] < 1.5


def _minutes_of(small: SmallCity, row: int) -> float:
    opened = small.calls["opened_at"].iloc[row].tz_localize(None)
    return float((opened - pd.Timestamp("2025-03-01")).total_seconds() / 60)


def test_cancelled_responses_keep_units_busy_and_are_not_compared(small: SmallCity) -> None:
    small.responses.loc[20, "cancelled"] = True
    small.responses.loc[20, "on_scene_at"] = pd.NaT
    inputs = small.inputs()
    assert len(inputs.calls) == 145
    assert inputs.counted.sum() == 139
    assert inputs.calls["on_scene_min"][20] == 0


def test_what_is_left_out_is_counted(small: SmallCity) -> None:
    small.responses.loc[10, "call_id"] = "lost"
    small.calls.loc[11, "location_precision"] = "unknown"
    small.responses.loc[12, "on_scene_at"] = pd.NaT
    small.responses.loc[13, "lights_sirens"] = None
    inputs = small.inputs()
    assert list(inputs.left_out.values()) == [1, 1, 1, 1]
    assert len(inputs.calls) == 141


def test_faults_are_said(small: SmallCity) -> None:
    with pytest.raises(InvalidInputError, match="at least one replication"):
        replay_month(small.inputs(), region_names=["even", "odd"], seed=0, replications=0)
    small.shifts.loc[1, "unit_id"] = "Z"
    with pytest.raises(InvalidInputError, match="no response tells the post of Z"):
        small.inputs()
    small.shifts = small.shifts.iloc[:0]
    with pytest.raises(InvalidInputError, match="no unit is on shift"):
        small.inputs()
    with pytest.raises(InvalidInputError, match="above zero"):
        replace(SPEEDS, kph=SPEEDS.kph * 0)


# The demo city.


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


def planted(city: City) -> DrivenSpeeds:
    """The speeds that were planted, without looking at any record."""
    truth = pd.read_parquet(city.path / "truth" / "speeds.parquet")
    names = [band.name for band in city.profile.hour_bands]
    kph = np.empty((len(city.network.classes), len(names), 2))
    for row in truth.to_dict("records"):
        road = city.network.classes.index(row["road_class"])
        kph[road, names.index(row["hour_band"]), int(row["siren"])] = row["speed_kph"]
    return DrivenSpeeds(kph, access_s=30.0)


def demo_inputs(city: City, speeds: DrivenSpeeds, start: str, end: str, most_places: int) -> ReplayInputs:
    band = np.zeros(168, dtype=np.int64)
    for number, hours in enumerate(city.profile.hour_bands):
        band[list(hours.hours_of_week)] = number
    calls = city.table("calls")
    calls = calls[calls["agency"] == "EMS"]
    areas = city.table("neighborhoods").geometry.to_numpy()
    return month_inputs(
        city.table("unit_responses"),
        calls,
        city.table("posts"),
        city.table("hospitals"),
        city.table("shifts"),
        network=city.network,
        speeds=speeds,
        band_of_hour=band,
        start=pd.Timestamp(start, tz=ZONE),
        end=pd.Timestamp(end, tz=ZONE),
        region_of_call=assign_regions(calls["lon"], calls["lat"], areas),
        most_places=most_places,
    )


@pytest.mark.slow
def test_the_demos_year_is_replayed_within_its_intervals(city: City) -> None:
    """By the demo's own rule, which takes a unit on the road to be on the straight line home."""
    inputs = demo_inputs(city, planted(city), "2025-01-02", "2026-01-01", 700)
    found = replay_month(
        inputs,
        region_names=list(city.table("neighborhoods")["name"]),
        seed=1,
        drive_share=0.14,
        target_min=12.0,
        en_route="line",
    )
    assert found.n > 50_000
    assert not found.banner, found.words
    overall = found.figures.iloc[0]
    assert abs(overall["difference"]) < 0.1
    assert overall["high"] - overall["low"] < 0.3


@pytest.mark.slow
def test_a_wrong_speed_raises_the_banner_of_the_demo(city: City) -> None:
    speeds = planted(city)
    wrong = replace(speeds, kph=speeds.kph * 0.85)
    inputs = demo_inputs(city, wrong, "2025-10-01", "2025-11-01", 400)
    found = replay_month(
        inputs,
        region_names=list(city.table("neighborhoods")["name"]),
        seed=1,
        drive_share=0.14,
        en_route="line",
    )
    assert found.banner
    assert found.figures.iloc[0]["low"] > 0.5
