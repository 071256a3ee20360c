"""The demo's year: planted rhythms are found, stamps are in order, only the spoilt rows are quarantined."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import checks
from data.city import City
from data.demo import dirt, facts_io
from data.demo.clock import make_year
from geo.travel_time import travel_times

ZONE = "America/Chicago"


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


@pytest.fixture(scope="module")
def calls(city: City) -> pd.DataFrame:
    """The calls of the street: those at outlets and stations are planted elsewhere."""
    every = city.table("calls")
    origin = truth(city, "outlet_incidents").set_index("call_id")["origin"]
    return every.loc[every["call_id"].map(origin).fillna("street") == "street"].reset_index(drop=True)


@pytest.fixture(scope="module")
def responses(city: City) -> pd.DataFrame:
    return city.table("unit_responses")


def truth(city: City, name: str) -> pd.DataFrame:
    return pd.read_parquet(city.path / "truth" / f"{name}.parquet")


def hour_of_week(times: "pd.Series[pd.Timestamp]") -> "pd.Series[int]":
    return times.dt.day_of_week * 24 + times.dt.hour


def within(frame: pd.DataFrame, lon: float, lat: float, radius_m: float) -> "pd.Series[bool]":
    east = (frame["lon"] - lon) * 96_500
    north = (frame["lat"] - lat) * 110_850
    near: pd.Series[bool] = (east**2 + north**2) < radius_m**2
    return near


def test_calls_at_outlets_come_on_top_of_the_streets(city: City, calls: pd.DataFrame) -> None:
    more = len(city.table("calls")) - len(calls)
    assert 20_000 < more < 35_000


def test_a_year_of_calls_of_both_agencies(calls: pd.DataFrame) -> None:
    count = calls["agency"].value_counts()
    assert 55_000 < count["EMS"] < 65_000
    assert 80_000 < count["Police"] < 95_000
    opened = calls["opened_at"]
    assert (opened.dt.year == 2025).all()
    assert opened.dt.date.nunique() == 365
    assert set(calls.loc[calls["agency"] == "EMS", "priority"]) == {"Code 2", "Code 3"}
    assert calls["type_code"].notna().all()
    assert 0.05 < calls.loc[calls["agency"] == "Police", "self_initiated"].mean() < 0.4


@pytest.mark.parametrize("agency", ["EMS", "Police"])
def test_the_planted_week_is_found(city: City, calls: pd.DataFrame, agency: str) -> None:
    rates = truth(city, "rates")
    planted = rates.loc[rates["agency"] == agency].groupby("hour_of_week")["calls_per_hour"].sum()
    found = hour_of_week(calls.loc[calls["agency"] == agency, "opened_at"]).value_counts().sort_index()
    assert np.corrcoef(planted, found)[0, 1] > 0.97
    # Festival calls come on top and quarantined rows are missing: within a quarter at every hour.
    assert (found / (planted * 365 / 7)).between(0.75, 1.35).all()


def test_night_life_peaks_at_the_weekend_in_the_french_quarter(calls: pd.DataFrame) -> None:
    quarter = calls.loc[within(calls, -90.0665, 29.9580, 400)]
    hour = hour_of_week(quarter["opened_at"])
    weekend_night = hour.isin([*range(5 * 24 + 22, 6 * 24 + 3)]).sum() / 5
    tuesday_night = hour.isin([*range(24 + 22, 2 * 24 + 3)]).sum() / 5
    assert weekend_night > 2 * tuesday_night
    elsewhere = calls.loc[within(calls, -90.1060, 30.0060, 1500)]
    share = [frame["opened_at"].dt.hour.isin([22, 23, 0, 1, 2]).mean() for frame in (quarter, elsewhere)]
    assert share[0] > 1.3 * share[1]


def test_crashes_peak_with_the_commute(calls: pd.DataFrame) -> None:
    crash = calls.loc[calls["type_text"].isin(["Vehicle crash", "AUTO ACCIDENT"])]
    workday = crash.loc[crash["opened_at"].dt.day_of_week < 5, "opened_at"].dt.hour.value_counts()
    assert workday.reindex([8, 16, 17]).min() > 1.3 * workday.reindex([11, 12]).max()


@pytest.mark.parametrize(
    ("place", "radius_m", "days"),
    [
        ((-90.0830, 29.9360), 2500, ("2025-02-28", "2025-03-04")),
        ((-90.0805, 29.9850), 900, ("2025-04-24", "2025-04-27")),
    ],
)
def test_festivals_draw_crowds(
    calls: pd.DataFrame, place: tuple[float, float], radius_m: float, days: tuple[str, str]
) -> None:
    ems = calls.loc[(calls["agency"] == "EMS") & within(calls, *place, radius_m)]
    day = ems["opened_at"].dt.date.value_counts().sort_index()
    assert day.reindex(pd.date_range(*days).date).mean() > 1.6 * day.median()


def test_hot_spots_are_hot(city: City, calls: pd.DataFrame) -> None:
    spots = truth(city, "hot_spots")
    lasting = spots.loc[spots["first_day"] == "2025-01-01"]
    assert len(lasting) >= 8
    columns = ("name", "agency", "lon", "lat", "radius_m", "expected_calls")
    for name, agency, lon, lat, radius_m, expected in zip(*(lasting[c] for c in columns), strict=True):
        own = calls.loc[calls["agency"] == agency]
        near = within(own, lon, lat, radius_m).sum()
        far = within(own, lon, lat, 2 * radius_m).sum()
        # Of a round normal spread, 39 % lie within one radius and 86 % within two.
        assert near > 0.8 * 0.39 * expected, name
        assert near / far > 0.27, name


def test_stamps_pass_in_order(calls: pd.DataFrame, responses: pd.DataFrame) -> None:
    for frame, columns in (
        (calls, ["opened_at", "dispatched_at", "arrived_at", "closed_at"]),
        (
            responses,
            ["assigned_at", "enroute_at", "on_scene_at", "depart_scene_at", "at_hospital_at", "available_at"],
        ),
    ):
        seconds = frame[columns].astype("datetime64[us, UTC]").astype("int64").where(frame[columns].notna())
        latest = seconds.cummax(axis=1)
        assert (seconds.isna() | (seconds >= latest)).all(axis=None)


def test_each_ambulance_call_has_one_response_that_agrees(city: City, calls: pd.DataFrame) -> None:
    raw = pd.read_parquet(city.path / "tables" / "unit_responses.parquet")
    assert raw["call_id"].is_unique
    both = calls.loc[calls["agency"] == "EMS"].merge(city.table("unit_responses"), on="call_id")
    assert len(both) > 55_000
    assert (both["dispatched_at"] == both["assigned_at"]).all()
    assert (both["closed_at"] == both["available_at"]).all()
    assert (both["arrived_at"].isna() == both["cancelled"].astype(bool)).all()
    assert (both["at_hospital_at"].notna() == both["hospital_id"].notna()).all()
    assert (both["disposition"].eq("Taken to hospital") == both["hospital_id"].notna()).all()
    urgent = both["priority"] == "Code 3"
    assert both.loc[urgent, "lights_sirens"].all()
    assert both.loc[~urgent, "lights_sirens"].mean() < 0.1


def test_no_ambulance_is_in_two_places(responses: pd.DataFrame) -> None:
    ordered = responses.sort_values(["unit_id", "assigned_at"])
    same = ordered["unit_id"] == ordered["unit_id"].shift()
    free = ordered["available_at"].shift()
    assert (~same | (ordered["assigned_at"] >= free)).all()


def test_ambulances_are_sent_only_on_their_shifts(city: City, responses: pd.DataFrame) -> None:
    shifts = pd.read_parquet(city.path / "tables" / "shifts.parquet")
    swapped = shifts["ends_at"] < shifts["starts_at"]
    shifts.loc[swapped, ["starts_at", "ends_at"]] = shifts.loc[swapped, ["ends_at", "starts_at"]].to_numpy()
    shifts = shifts.astype({"starts_at": f"datetime64[us, {ZONE}]", "ends_at": f"datetime64[us, {ZONE}]"})
    sent = pd.merge_asof(
        responses.sort_values("assigned_at"),
        shifts.sort_values("starts_at"),
        left_on="assigned_at",
        right_on="starts_at",
        by="unit_id",
    )
    assert (sent["assigned_at"] < sent["ends_at"]).all()
    assert (sent["unit_type_x"] == sent["unit_type_y"]).all()
    duty = [
        ((shifts["starts_at"] <= at) & (shifts["ends_at"] > at)).sum()
        for at in pd.to_datetime(["2025-06-10 13:00", "2025-06-10 03:00"]).tz_localize(ZONE)
    ]
    assert duty == [12, 8]


def test_hospitals_used_are_those_that_receive(city: City, responses: pd.DataFrame) -> None:
    hospitals = city.table("hospitals")
    receiving = set(hospitals.loc[hospitals["receives_911"].astype(bool), "hospital_id"])
    assert set(responses["hospital_id"].dropna()) == receiving
    assert 0.5 < responses["hospital_id"].notna().mean() < 0.75


def test_ambulances_at_a_post_leave_from_a_post_of_the_plan(city: City, responses: pd.DataFrame) -> None:
    posts = city.table("posts")
    plan = set(posts.loc[posts["baseline_rank"].notna(), "post_id"])
    assert set(responses["from_post_id"].dropna()) == plan
    homes = truth(city, "units").set_index("unit_id")["home_post_id"]
    from_post = responses.dropna(subset="from_post_id")
    assert (from_post["unit_id"].map(homes) == from_post["from_post_id"]).all()


@pytest.mark.parametrize("band", ["Weekday midday", "Weekday afternoon rush", "Weekend night"])
def test_planted_speeds_explain_the_drives(
    city: City, calls: pd.DataFrame, responses: pd.DataFrame, band: str
) -> None:
    speeds = truth(city, "speeds").query("hour_band == @band and siren").set_index("road_class")
    access_s = truth(city, "dispatch").set_index("parameter")["value"]["access_s"]
    network = city.network
    kph = np.array([speeds["speed_kph"][name] for name in network.classes])[network.edge_class]
    posts = city.table("posts").dropna(subset="baseline_rank").reset_index(drop=True)
    seconds = travel_times(
        network, network.snap(posts["lon"], posts["lat"])[0], speed_factor=kph / network.speed_kph
    )

    known = responses.dropna(subset=["from_post_id", "on_scene_at"]).merge(calls, on="call_id")
    hours = next(b for b in city.profile.hour_bands if b.name == band).hours_of_week
    in_band = hour_of_week(known["assigned_at"]).isin(list(hours))
    known = known.loc[in_band & known["lights_sirens"].astype(bool)]
    row = known["from_post_id"].map(dict(zip(posts["post_id"], posts.index, strict=True))).to_numpy(dtype=int)
    predicted = seconds[row, network.snap(known["lon"], known["lat"])[0]]
    observed = (known["on_scene_at"] - known["enroute_at"]).dt.total_seconds().to_numpy() - access_s
    assert len(known) > 1_500
    assert observed.sum() / predicted.sum() == pytest.approx(1.0, abs=0.02)
    assert np.corrcoef(predicted, observed)[0, 1] > 0.9


def test_planted_speeds_cover_classes_bands_and_sirens(city: City) -> None:
    speeds = truth(city, "speeds")
    bands = {band.name for band in city.profile.hour_bands}
    assert set(speeds["hour_band"]) == bands
    assert set(speeds["road_class"]) == set(city.table("streets")["road_class"])
    assert len(speeds) == len(bands) * speeds["road_class"].nunique() * 2
    loud, quiet = (speeds.loc[speeds["siren"] == siren, "speed_kph"].to_numpy() for siren in (True, False))
    assert (loud > quiet).all()


REASONS = {
    "no place": checks.NO_PLACE,
    "in the Gulf": checks.OUTSIDE,
    "longitude and latitude swapped": checks.SWAPPED,
    "sign of the longitude lost": checks.SIGN_LOST,
    "id used twice": "_id was used before",
    "times out of order": "is before",
    "agency missing": "agency is missing",
    "unit missing": "unit_id is missing",
    "50 km away": checks.OUTSIDE,
    "category missing": "category is missing",
    "category unknown": "category is not one of",
    "hours unreadable": "hours cannot be read",
    "capacity not above zero": "capacity is not above 0",
    "closed before opened": "closed_on is before opened_on",
}


@pytest.mark.parametrize(
    ("table", "key", "share"),
    [
        ("calls", "call_id", (0.01, 0.05)),
        ("unit_responses", "call_id", (0.005, 0.05)),
        ("shifts", "unit_id", (0.001, 0.05)),
        ("outlets", "outlet_id", (0.01, 0.05)),
    ],
)
def test_exactly_the_listed_rows_are_quarantined(
    city: City, table: str, key: str, share: tuple[float, float]
) -> None:
    listed = truth(city, "dirty_rows").query("table == @table")
    quarantined = city.quarantine(table)
    records = [json.loads(record) for record in quarantined["record"]]
    reasons = list(zip((record[key] for record in records), quarantined["reason"], strict=True))
    kinds = {kind: REASONS[kind] for kind in listed["kind"].unique()}
    found = Counter(
        (who, kind) for who, reason in reasons for kind, words in kinds.items() if words in reason
    )
    assert found == Counter(zip(listed["record_id"], listed["kind"], strict=True))
    assert len(quarantined) == len(listed)
    account = city.account(table)
    assert account.accepted + account.quarantined == account.read
    assert share[0] < account.quarantined / account.read < share[1]


def test_listed_row_numbers_point_at_the_spoilt_rows(city: City) -> None:
    listed = truth(city, "dirty_rows").query("table == 'calls'")
    raw = pd.read_parquet(city.path / "tables" / "calls.parquet")
    assert (raw["call_id"].iloc[listed["row"]].to_numpy() == listed["record_id"].to_numpy()).all()
    nowhere = listed.loc[listed["kind"] == "no place", "row"]
    assert (raw[["lon", "lat"]].iloc[nowhere] == 0).all(axis=None)
    assert (raw["location_precision"].iloc[nowhere] == "unknown").all()


def test_the_clock_knows_summer_time() -> None:
    year = make_year(ZONE)
    assert len(year.hour_of_week) == 8_760
    spring = year.date == np.datetime64("2025-03-09")
    autumn = year.date == np.datetime64("2025-11-02")
    assert (spring.sum(), autumn.sum()) == (23, 25)
    assert 2 not in year.hour_of_day[spring]
    assert (year.hour_of_day[autumn] == 1).sum() == 2
    at = year.times(np.array([year.start_s, np.nan]))
    assert str(at.iloc[0]) == "2025-01-01 00:00:00-06:00"
    assert at.isna().tolist() == [False, True]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(400, 3_000))
def test_spoiling_loses_no_row_and_lists_each_once(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2025-01-01", tz=ZONE).as_unit("us")
    seconds = rng.integers(1, 600, (4, count)).cumsum(axis=0)
    names = ("opened_at", "dispatched_at", "arrived_at", "closed_at")
    stamps = {name: start + pd.to_timedelta(s, unit="s") for name, s in zip(names, seconds, strict=True)}
    calls = pd.DataFrame(
        {
            "call_id": [f"C{k}" for k in range(count)],
            "agency": "EMS",
            **stamps,
            "location_precision": "exact",
            "lon": -90.1,
            "lat": 29.95,
        }
    )
    spoilt, notes = dirt.spoil_calls(calls, rng)
    twice = round(facts_io.read_toml("calls")["dirt"]["id_used_twice"] * count)
    assert len(spoilt) == count + twice
    assert set(spoilt["call_id"]) == set(calls["call_id"])
    assert notes["row"].is_unique
    clean = spoilt.drop(index=notes["row"].tolist()).reset_index(drop=True)
    untouched = calls.loc[calls["call_id"].isin(clean["call_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(clean, untouched, check_dtype=False)
