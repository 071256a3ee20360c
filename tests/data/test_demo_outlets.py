"""The demo's outlets: what was planted is in the records, and nothing else is."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import cKDTree

from data.city import City
from data.demo.clock import Year, make_year
from data.demo.facts_io import metres, read_toml
from data.demo.ground import draw_ground
from data.demo.outlet_incidents import draw_bookings, draw_outlet_incidents
from data.demo.outlets import Outlets, open_week, plant_outlets
from data.demo.places import Neighborhoods, draw_neighborhoods
from data.profile_outlets import OutletRules
from models.opening_hours import parse_opening_hours


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


@pytest.fixture(scope="module")
def rules(city: City) -> OutletRules:
    assert city.profile.outlets is not None
    return city.profile.outlets


@pytest.fixture(scope="module")
def planted(city: City) -> pd.DataFrame:
    """The planted truth, with what happened and where the door is (also of rows the reader turns away)."""
    truth = pd.read_parquet(city.path / "truth" / "outlets.parquet")
    incidents = pd.read_parquet(city.path / "truth" / "outlet_incidents.parquet")
    raw = pd.read_parquet(city.path / "tables" / "outlets.parquet").drop_duplicates("outlet_id")
    count = incidents.loc[incidents["origin"] == "outlet", "outlet_id"].value_counts()
    truth["count"] = truth["outlet_id"].map(count).fillna(0)
    truth["mean"] = (
        truth["expected_incidents"] * truth["own_factor"] * truth["relative_risk"] + truth["calls_for_help"]
    )
    return truth.merge(raw[["outlet_id", "lon", "lat", "hours", "closed_on"]], on="outlet_id")


@pytest.fixture(scope="module")
def calls(city: City) -> pd.DataFrame:
    """Police calls that can be used, with their planted origin."""
    incidents = pd.read_parquet(city.path / "truth" / "outlet_incidents.parquet")
    return city.table("calls").merge(incidents, on="call_id")


@pytest.fixture(scope="module")
def hoods() -> Neighborhoods:
    return draw_neighborhoods(draw_ground())


def plant(
    city: City, hoods: Neighborhoods, *, seed: int = 0, bad: int = 20, alpha: float | None = None
) -> Outlets:
    rules = city.profile.outlets
    assert rules is not None
    beside = [(place.lon, place.lat) for place in rules.booking_places]
    return plant_outlets(
        city.network, hoods, np.random.default_rng(seed), bad=bad, alpha=alpha, beside=beside
    )


def xy(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    return metres(frame[["lon", "lat"]].to_numpy().tolist())


def test_counts_agree_with_the_planted_rates(planted: pd.DataFrame) -> None:
    live = planted.loc[planted["mean"] > 0]
    z = (live["count"].sum() - live["mean"].sum()) / np.sqrt(live["mean"].sum())
    assert abs(z) < 4
    for group in (live["category"], live["bad"]):
        total = live.groupby(group)[["count", "mean"]].sum()
        assert (np.abs(total["count"] - total["mean"]) < 4 * np.sqrt(total["mean"])).all()
    # Pearson's statistic of Poisson counts has mean n and variance 2 n + sum(1 / mean).
    pearson = float(((live["count"] - live["mean"]) ** 2 / live["mean"]).sum())
    assert abs(pearson - len(live)) < 4 * np.sqrt(2 * len(live) + float((1 / live["mean"]).sum()))


def test_bad_outlets_stand_out_and_luck_alone_would_flag_others(planted: pd.DataFrame) -> None:
    bad = planted.loc[planted["bad"]]
    assert len(bad) == 20
    assert bad["relative_risk"].between(3.0, 6.0).all()
    assert set(bad["category"]) <= {"bar", "store"}
    assert (planted.loc[~planted["bad"], "relative_risk"] == 1).all()
    ordinary = planted.loc[(planted["role"] == "ordinary") & (planted["expected_incidents"] > 0)]
    tail = np.asarray(stats.poisson.sf(ordinary["count"] - 1, ordinary["expected_incidents"]))
    assert np.count_nonzero(tail < 0.001) > 20


def test_about_half_of_the_variance_among_bars_can_be_explained(planted: pd.DataFrame) -> None:
    bars = planted.loc[(planted["category"] == "bar") & (planted["role"] == "ordinary")]
    relative = bars["expected_incidents"] * bars["own_factor"] / bars["expected_incidents"].mean()
    assert 0.3 < relative.var() < 0.8
    assert bars["own_factor"].mean() == pytest.approx(1.0, abs=0.1)
    assert bars["own_factor"].var() == pytest.approx(read_toml("outlets")["alpha"], abs=0.06)


def test_a_bar_stands_between_two_bad_ones(planted: pd.DataFrame) -> None:
    (between,) = planted.index[planted["role"] == "between two bad"]
    away = np.hypot(*(xy(planted) - xy(planted.loc[[between]])).T)
    nearest = planted.iloc[np.argsort(away)[1:3]]
    assert nearest["bad"].all()
    assert np.sort(away)[2] < 160


def test_a_bar_that_calls_for_help_has_no_more_reports_than_expected(
    planted: pd.DataFrame, calls: pd.DataFrame
) -> None:
    (helper,) = planted.loc[planted["role"] == "calls for help", "outlet_id"]
    own = calls.loc[calls["outlet_id"] == helper]
    row = planted.set_index("outlet_id").loc[helper]
    assert not row["bad"]
    assert len(own) > 2 * row["expected_incidents"]
    report = own["disposition"] == "RTF"
    usual = row["mean"] - row["calls_for_help"]
    assert abs(report.sum() - 0.36 * usual) < 4 * np.sqrt(0.36 * usual)
    assert (~own["self_initiated"].astype(bool)).mean() > 0.9


def test_second_licences_share_a_door_and_closed_outlets_have_no_incident(planted: pd.DataFrame) -> None:
    by_id = planted.set_index("outlet_id")
    second = planted.loc[planted["role"] == "second licence"]
    assert len(second) == read_toml("outlets")["second_licences"]
    clean = second.loc[(second["lon"] < 0) & (by_id.loc[second["door_id"], "lon"] < 0).to_numpy()]
    assert (
        clean[["lon", "lat"]].to_numpy() == by_id.loc[clean["door_id"], ["lon", "lat"]].to_numpy()
    ).mean() > 0.9
    assert (second["count"] == 0).all()
    closed = planted.loc[planted["role"] == "closed"]
    assert len(closed) == read_toml("outlets")["closed"]
    assert pd.to_datetime(closed["closed_on"]).dt.year.eq(2024).all()
    assert (closed["count"] == 0).all()


def test_every_booking_place_has_a_stack_and_some_have_bars_beside(
    rules: OutletRules, planted: pd.DataFrame, calls: pd.DataFrame
) -> None:
    for place in rules.booking_places:
        expected = read_toml("outlets")["bookings_a_year"][place.kind]
        origin = calls.loc[(calls["lon"] == place.lon) & (calls["lat"] == place.lat), "origin"]
        assert set(origin) == {"booking"}
        assert abs(len(origin) - expected) < 4 * np.sqrt(expected)
    places = metres([(place.lon, place.lat) for place in rules.booking_places])
    bars = xy(planted.loc[planted["role"] == "beside a booking place"])
    away = np.hypot(*(bars[:, None, :] - places[None, :, :]).transpose(2, 0, 1)).min(axis=1)
    assert len(bars) == 10
    assert (away < 250).all()
    assert (away < 60).sum() >= 3


def test_each_police_item_has_one_origin(city: City) -> None:
    incidents = pd.read_parquet(city.path / "truth" / "outlet_incidents.parquet")
    assert incidents["call_id"].is_unique
    raw = pd.read_parquet(city.path / "tables" / "calls.parquet", columns=["call_id", "agency"])
    assert set(raw.loc[raw["agency"] == "Police", "call_id"]) <= set(incidents["call_id"])
    assert set(incidents["call_id"]) <= set(raw["call_id"])
    assert (incidents["outlet_id"].notna() == (incidents["origin"] == "outlet")).all()
    assert set(incidents["origin"]) == {"outlet", "street", "booking"}


def test_incidents_lie_on_the_block_or_at_the_door(planted: pd.DataFrame, calls: pd.DataFrame) -> None:
    doors = planted.loc[(planted["lon"] < 0) & (planted["lat"] < 30.2)]
    own = calls.loc[calls["location_precision"] != "unknown"].merge(
        doors[["outlet_id", "lon", "lat"]], on="outlet_id", suffixes=("", "_door")
    )
    away = np.hypot(*(xy(own) - metres(own[["lon_door", "lat_door"]].to_numpy().tolist())).T)
    exact = (own["location_precision"] == "exact").to_numpy()
    assert exact.mean() == pytest.approx(read_toml("outlets")["exact"], abs=0.02)
    assert away[exact].max() < 0.01
    assert away[~exact].max() < 60
    assert np.median(away[~exact]) > 15


def test_places_of_sexual_offences_are_withheld(city: City, rules: OutletRules, calls: pd.DataFrame) -> None:
    starts = tuple(code.rstrip("*") for code in rules.withheld_types)
    withheld = calls["type_code"].str.startswith(starts)
    assert 100 < withheld.sum() < 500
    assert (calls["location_precision"].eq("unknown") == withheld).all()
    assert len(calls.loc[withheld, ["lon", "lat"]].drop_duplicates()) <= 8
    points = gpd.GeoSeries.from_xy(calls.loc[withheld, "lon"], calls.loc[withheld, "lat"], crs=4326)
    assert points.within(city.areas("districts").union_all().buffer(1e-6)).all()


def test_void_duplicate_and_test_items_are_there(rules: OutletRules, calls: pd.DataFrame) -> None:
    own = calls.loc[calls["origin"] == "outlet", "disposition"]
    for codes in (rules.void, rules.duplicate, rules.unfounded, rules.written_report):
        assert own.isin(codes).mean() > 0.02
    assert calls["type_code"].isin(rules.test).sum() == read_toml("outlets")["tests"]


def test_incidents_come_while_the_outlet_is_open(planted: pd.DataFrame, calls: pd.DataFrame) -> None:
    known = planted.set_index("outlet_id")["hours"].dropna()
    known = known[
        known.isin([text for kind in read_toml("outlets")["category"].values() for text, _ in kind["hours"]])
    ]
    own = calls.loc[calls["outlet_id"].isin(known.index)]
    hour = (own["opened_at"].dt.day_of_week * 24 + own["opened_at"].dt.hour).to_numpy()
    week = {text: open_week(text) | np.roll(open_week(text), 1) for text in known.unique()}
    inside = np.array([week[text][h] for text, h in zip(own["outlet_id"].map(known), hour, strict=True)])
    assert 0.93 < inside.mean() < 1


def test_the_demos_hours_are_those_the_model_reads() -> None:
    texts = [text for kind in read_toml("outlets")["category"].values() for text, _ in kind["hours"]]
    assert len(set(texts)) > 8
    for text in texts:
        np.testing.assert_array_equal(open_week(text), parse_opening_hours(text).hours)


def test_the_streets_own_calls_do_not_gather_at_outlets(planted: pd.DataFrame, calls: pd.DataFrame) -> None:
    """As many street calls lie near a door as near points drawn about it at 120 m."""
    street = xy(calls.loc[calls["origin"] == "street"])
    doors = xy(planted.loc[(planted["lon"] < 0) & (planted["lat"] < 30.2)])
    tree = cKDTree(street)
    near = np.sum(tree.query_ball_point(doors, 40, return_length=True))
    turns = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    about = [doors + 120 * np.array([np.cos(turn), np.sin(turn)]) for turn in turns]
    elsewhere = np.mean([np.sum(tree.query_ball_point(ring, 40, return_length=True)) for ring in about])
    assert near / elsewhere == pytest.approx(1.0, abs=0.2)


def test_names_are_made_up_and_unique(city: City) -> None:
    names = city.table("outlets")["name"]
    assert names.is_unique
    assert names.str.contains(r", demo \d{3}$").all()


def test_another_number_of_bad_outlets_and_another_spread(city: City, hoods: Neighborhoods) -> None:
    none = plant(city, hoods, bad=0, alpha=0.0)
    assert not none.truth["bad"].any()
    assert (none.truth[["own_factor", "relative_risk"]] == 1).all(axis=None)
    assert "between two bad" not in set(none.truth["role"])
    wide = plant(city, hoods, bad=35, alpha=0.5)
    assert wide.truth["bad"].sum() == 35
    assert wide.truth["own_factor"].var() == pytest.approx(0.5, abs=0.15)


def test_the_same_seed_draws_the_same_incidents(city: City, hoods: Neighborhoods, rules: OutletRules) -> None:
    year: Year = make_year("America/Chicago")

    def draw(seed: int) -> list[pd.DataFrame]:
        rng = np.random.default_rng(seed)
        outlets = plant(city, hoods, seed=seed)
        drawn = draw_outlet_incidents(outlets, hoods, rules, year, rng)
        return [outlets.table, outlets.truth, *drawn, *draw_bookings(rules.booking_places, year, rng)]

    once, again, other = draw(3), draw(3), draw(4)
    for one, two in zip(once, again, strict=True):
        pd.testing.assert_frame_equal(one, two)
    assert not once[2].equals(other[2])
    calls, truth = once[2], once[3]
    assert (calls["call_id"] == truth["call_id"]).all()
    assert calls["call_id"].is_unique
    assert not set(calls["call_id"]) & set(once[4]["call_id"])
