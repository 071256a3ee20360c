"""Lanes of police records: nothing is lost, and each rule is met by the record made to meet it."""

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from data.city import City
from errors import InvalidInputError
from models.attribution import BUFFER_M, buffer_counts
from models.incidents import (
    ALL_CALLS,
    DROPPED,
    FOUND,
    HEADLINE,
    LANES,
    NOT_RANKABLE,
    SET_ASIDE,
    IncidentRules,
    Incidents,
    clean_incidents,
    find_stacks,
    is_code,
)

EPSG = 32615
LON, LAT = -90.07, 29.95
METRE_LON, METRE_LAT = 1 / 96_500, 1 / 110_800

RULES = IncidentRules(
    void=("VOI",),
    duplicate=("DUP",),
    test=("TEST",),
    unfounded=("UNF",),
    written_report=("RTF",),
    withheld_types=("42*", "43*", "RAPE"),
    control_types=("20*",),
    outcome_types=(("Fights", ("103", "103F")), ("Assault", ("34*",))),
)
NO_PLACES = pd.DataFrame({"name": [], "kind": [], "lon": [], "lat": []})
STATION = pd.DataFrame({"name": ["the station"], "kind": ["police station"], "lon": [LON], "lat": [LAT]})


def _calls(*rows: dict[str, Any]) -> pd.DataFrame:
    """Records that would count, each at a place of its own far from the next, changed as asked."""
    plain = [
        {
            "call_id": f"A{number:04d}",
            "agency": "Police",
            "opened_at": pd.Timestamp("2022-01-01 20:00", tz="America/Chicago")
            + pd.Timedelta(minutes=number),
            "type_code": "103F",
            "self_initiated": False,
            "disposition": "RTF",
            "location_precision": "block",
            "lon": LON + 0.01 * (number % 97 + 1),
            "lat": LAT + 0.01 * (number // 97 + 1),
        }
        | row
        for number, row in enumerate(rows)
    ]
    return pd.DataFrame(plain).astype({"self_initiated": "boolean"})


def _lanes(
    calls: pd.DataFrame, places: pd.DataFrame = NO_PLACES, outlets: pd.DataFrame | None = None
) -> Incidents:
    return clean_incidents(calls, RULES, places, epsg=EPSG, outlets=outlets)


@pytest.mark.parametrize(
    ("change", "lane", "reason"),
    [
        ({}, HEADLINE, "counts"),
        ({"agency": "EMS"}, DROPPED, "of another agency"),
        ({"disposition": "VOI"}, DROPPED, "void"),
        ({"disposition": "voi "}, DROPPED, "void"),
        ({"disposition": "DUP"}, DROPPED, "marked as a duplicate"),
        ({"type_code": "TEST"}, DROPPED, "a test"),
        ({"type_code": "43B"}, NOT_RANKABLE, "of a type whose place the police withhold"),
        ({"lon": None}, NOT_RANKABLE, "no place is given"),
        ({"self_initiated": True}, ALL_CALLS, "opened by an officer"),
        ({"self_initiated": None}, ALL_CALLS, "not said whether an officer opened it"),
        ({"disposition": "GOA"}, ALL_CALLS, "no written report"),
        ({"disposition": None}, ALL_CALLS, "not said how it ended"),
        ({"disposition": "UNF"}, ALL_CALLS, "unfounded"),
        (
            {"lon": LON, "lat": LAT + 20 * METRE_LAT},
            SET_ASIDE,
            "within 30 m of the station, where incidents are booked",
        ),
        ({"lon": LON, "lat": LAT + 40 * METRE_LAT}, HEADLINE, "counts"),
    ],
)
def test_each_rule_meets_its_record(change: dict[str, Any], lane: str, reason: str) -> None:
    cleaned = _lanes(_calls({}, change, {}), STATION)
    assert cleaned.frame["lane"].tolist() == [HEADLINE, lane, HEADLINE]
    assert cleaned.frame["reason"].iloc[1] == reason
    assert cleaned.unchecked == ()


def test_duplicates_do_not_double() -> None:
    calls = _calls({}, {}, {})
    twice = pd.concat([calls, calls.sample(frac=1, random_state=1)], ignore_index=True)
    cleaned = _lanes(twice)
    assert cleaned.by_lane.to_dict() == {HEADLINE: 3, ALL_CALLS: 0, SET_ASIDE: 0, NOT_RANKABLE: 0, DROPPED: 3}
    assert set(cleaned.frame.loc[cleaned.in_lane(DROPPED), "reason"]) == {"the item number was there before"}


def test_one_incident_under_two_item_numbers_keeps_the_one_with_a_report() -> None:
    spot = {"lon": LON, "lat": LAT, "opened_at": pd.Timestamp("2022-01-01 20:00:10", tz="America/Chicago")}
    later = spot | {"opened_at": pd.Timestamp("2022-01-01 20:00:50", tz="America/Chicago")}
    other_minute = spot | {"opened_at": pd.Timestamp("2022-01-01 20:01:00", tz="America/Chicago")}
    calls = _calls(spot | {"disposition": "NAT"}, later, other_minute, spot | {"type_code": "34"})
    cleaned = _lanes(calls)
    assert cleaned.frame["lane"].tolist() == [DROPPED, HEADLINE, HEADLINE, HEADLINE]
    assert cleaned.frame["reason"].iloc[0] == "same place, type and minute as another"


def test_a_dropped_record_does_not_take_its_double_with_it() -> None:
    spot = {"lon": LON, "lat": LAT, "opened_at": pd.Timestamp("2022-01-01 20:00", tz="America/Chicago")}
    assert _lanes(_calls(spot | {"disposition": "DUP"}, spot)).frame["lane"].tolist() == [DROPPED, HEADLINE]


def test_types_are_told_apart() -> None:
    cleaned = _lanes(
        _calls({"type_code": "103"}, {"type_code": "34S"}, {"type_code": "20I"}, {"type_code": "203"})
    )
    assert cleaned.frame["outcome"].tolist() == ["Fights", "Assault", "", ""]
    assert cleaned.frame["control"].tolist() == [False, False, True, True]
    assert is_code(np.array(["20", "120", "", "103"], dtype=object), ("20*", "103")).tolist() == [
        True,
        False,
        False,
        True,
    ]
    assert not is_code(np.array(["20"], dtype=object), ()).any()


def test_where_fields_are_missing_the_words_say_what_was_not_checked() -> None:
    bare = _calls({}, {}, {}).assign(type_code=None, disposition=None, self_initiated=None, opened_at=None)
    for calls in (bare, bare[["call_id", "agency", "lon", "lat"]]):
        cleaned = _lanes(calls)
        assert cleaned.by_lane[HEADLINE] == 3
        assert [said.split(":")[0] for said in cleaned.unchecked][:3] == [
            "No record gives its type",
            "No record gives its disposition",
            "No record says whether an officer opened it",
        ]
    said = clean_incidents(_calls({}), IncidentRules(), NO_PLACES, epsg=EPSG).unchecked
    assert said == (
        "The city's profile does not say which dispositions mean a written report: all may count.",
    )


def _town(stack: int, *, at: tuple[float, float] = (0.0, 0.0), seed: int = 3) -> pd.DataFrame:
    """Six hundred corners 100 m apart with a few records each, and a stack at one place (metres)."""
    rng = np.random.default_rng(seed)
    corner = np.repeat(np.arange(600), rng.negative_binomial(1, 0.1, 600))
    x, y = corner % 30 * 100.0, corner // 30 * 100.0
    x, y = (np.concatenate([axis, np.full(stack, place)]) for axis, place in zip((x, y), at, strict=True))
    calls = pd.DataFrame({"call_id": [f"S{n}" for n in range(len(x))], "agency": "Police"})
    return calls.assign(lon=LON + x * METRE_LON, lat=LAT + y * METRE_LAT)


def test_a_stack_is_found_without_being_told() -> None:
    cleaned = _lanes(_town(400, at=(1530, 940)))
    assert cleaned.by_lane[SET_ASIDE] == 400
    (stack,) = cleaned.stacks.to_dict("records")
    assert (stack["name"], stack["records"], stack["set_aside"]) == (FOUND, 400, True)
    assert stack["words"].startswith("one point holds 400 records, ")
    assert not len(_lanes(_town(0)).stacks)


def test_two_stacks_side_by_side_do_not_hide_each_other() -> None:
    calls = pd.concat([_town(900, at=(1530, 940)), _town(300, at=(1590, 940)).tail(300)], ignore_index=True)
    calls["call_id"] = calls.index.astype(str)
    assert _lanes(calls).stacks["records"].tolist() == [900, 300]


def test_a_court_and_a_jail_do_not_hide_the_station_between_them() -> None:
    """Each alone stands far out; the mean of the points around each would be high."""
    spots = {(1470.0, 940.0): 460, (1530.0, 940.0): 300, (1590.0, 940.0): 100}
    parts = [_town(records, at=spot).tail(records) for spot, records in spots.items()]
    calls = pd.concat([_town(0), *parts], ignore_index=True)
    calls["call_id"] = calls.index.astype(str)
    assert _lanes(calls).stacks["records"].tolist() == [460, 300, 100]


def test_a_full_point_among_full_points_is_no_stack() -> None:
    calls = pd.concat(
        [_town(200, at=(1500 + 60 * n, 930)).tail(200) for n in range(4)] + [_town(0)], ignore_index=True
    )
    calls["call_id"] = calls.index.astype(str)
    assert not len(_lanes(calls).stacks)


def test_a_stack_alone_in_its_ground_is_found() -> None:
    found = find_stacks(np.full(50, LON), np.full(50, LAT), epsg=EPSG)
    assert found["records"].tolist() == [50]
    assert np.isinf(found["times"]).all()
    assert not len(find_stacks(np.full(29, LON), np.full(29, LAT), epsg=EPSG))
    assert not len(find_stacks([], [], epsg=EPSG))


def test_a_bad_bar_is_not_excused_as_a_stack() -> None:
    """Six outlets as full as one another: each alone looks like a stack, and stays in."""
    spots = [
        (430.0, 330.0),
        (1430.0, 330.0),
        (2430.0, 330.0),
        (430.0, 1530.0),
        (1430.0, 1530.0),
        (2430.0, 1530.0),
    ]
    calls = pd.concat([_town(200, at=spot).tail(200) for spot in spots] + [_town(0)], ignore_index=True)
    calls["call_id"] = calls.index.astype(str)
    x, y = np.array(spots).T
    outlets = pd.DataFrame({"lon": LON + (x + 5) * METRE_LON, "lat": LAT + y * METRE_LAT})
    assert _lanes(calls).by_lane[SET_ASIDE] == 1200
    beside = _lanes(calls, outlets=outlets)
    assert beside.by_lane[SET_ASIDE] == 0
    assert beside.stacks["words"].str.endswith("it may be the outlet's own").all()


def test_a_stack_at_a_door_far_above_all_other_doors_is_set_aside() -> None:
    calls = _town(900, at=(1530, 940))
    corners = [(1525.0, 940.0), *[(100.0 * n, 100.0 * n) for n in range(1, 19)]]
    x, y = np.array(corners).T
    outlets = pd.DataFrame({"lon": LON + x * METRE_LON, "lat": LAT + y * METRE_LAT})
    cleaned = _lanes(calls, outlets=outlets)
    assert cleaned.by_lane[SET_ASIDE] == 900
    assert cleaned.stacks["words"].iloc[0].endswith("no other outlet has a point nearly as full")


_codes = st.sampled_from(["RTF", "VOI", "DUP", "GOA", "UNF", None])
_kinds = st.sampled_from(["103F", "43", "20", "TEST", None])
_rows = st.fixed_dictionaries(
    {
        "call_id": st.sampled_from(["A", "B", "C", "D"]),
        "agency": st.sampled_from(["Police", "Fire"]),
        "type_code": _kinds,
        "disposition": _codes,
        "self_initiated": st.sampled_from([True, False, None]),
        "lon": st.sampled_from([LON, LON + 0.001, None]),
        "lat": st.sampled_from([LAT, LAT + 0.001]),
    }
)


@given(st.lists(_rows, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_nothing_is_lost_and_order_does_not_matter(rows: list[dict[str, Any]], random: Any) -> None:  # noqa: ANN401
    calls = _calls(*rows)
    cleaned = _lanes(calls, STATION)
    assert len(cleaned.frame) == cleaned.by_lane.sum() == cleaned.account["records"].sum() == len(calls)
    assert list(cleaned.by_lane.index) == list(LANES)
    assert (cleaned.frame["reason"] != "").all()
    order = list(range(len(calls)))
    random.shuffle(order)
    shuffled = _lanes(calls.iloc[order], STATION)
    pd.testing.assert_frame_equal(shuffled.account, cleaned.account)


def test_no_records_give_empty_lanes() -> None:
    cleaned = _lanes(_calls({}).iloc[:0], STATION)
    assert cleaned.by_lane.sum() == 0
    assert not len(cleaned.stacks)


def test_missing_columns_are_said_together() -> None:
    with pytest.raises(InvalidInputError, match=r"(?s)calls lack.*agency.*booking places lack.*kind"):
        clean_incidents(_calls({}).drop(columns="agency"), RULES, STATION.drop(columns="kind"), epsg=EPSG)


@pytest.mark.extract
def test_the_sample_of_real_records(extract_dir: Path) -> None:
    """The full schema: every row once, the marks of the file counted independently of the module."""
    raw = pd.read_csv(extract_dir / "calls_for_service_2022_sample.csv", dtype={"Type_": str})
    place = raw["Location"].str.extract(r"POINT \(([-\d.]+) ([-\d.]+)\)").astype(float)
    none = (place[0] == 0) & (place[1] == 0)
    calls = pd.DataFrame(
        {
            "call_id": raw["NOPD_Item"],
            "agency": "Police",
            "opened_at": pd.to_datetime(raw["TimeCreate"], format="mixed").dt.tz_localize("America/Chicago"),
            "type_code": raw["Type_"],
            "self_initiated": raw["SelfInitiated"].eq("Y"),
            "disposition": raw["Disposition"],
            "location_precision": "block",
            "lon": place[0].mask(none),
            "lat": place[1].mask(none),
        }
    )
    cleaned = _lanes(calls)
    frame = cleaned.frame
    assert cleaned.unchecked == ()
    assert cleaned.by_lane.sum() == len(raw)
    items = raw.drop_duplicates()
    assert frame.loc[cleaned.in_lane(HEADLINE), "call_id"].is_unique
    assert frame["reason"].eq("void").sum() == (raw["Disposition"] == "VOI").sum()
    assert frame["reason"].eq("marked as a duplicate").sum() == (raw["Disposition"] == "DUP").sum()
    good = items[~items["Disposition"].isin(["VOI", "DUP"])]
    kept = ~cleaned.in_lane(DROPPED)
    doubles = good.duplicated(["Location", "Type_", "TimeCreate"])
    assert kept.sum() == (~doubles).sum() + (doubles & good["Location"].eq("POINT (0 0)")).sum()
    withheld = good["Type_"].str.match("42|43|RAPE")
    assert frame["reason"].str.startswith("of a type").sum() == withheld.sum()
    assert not frame.loc[cleaned.in_lane(HEADLINE), "self_initiated"].any()
    assert set(frame.loc[cleaned.in_lane(HEADLINE), "disposition"]) == {"RTF"}


@pytest.mark.extract
def test_real_stacks_are_found_from_the_points_alone(extract_city_dir: Path, extract_dir: Path) -> None:
    """Known police stations, looked up in the City's list of posts, lie at the stacks that the rule finds."""
    city = City.open(extract_city_dir)
    calls = city.table("calls")
    found = find_stacks(calls["lon"], calls["lat"], epsg=city.network.epsg)
    posts = pd.read_csv(extract_dir / "ems_posts.csv")
    stations = posts[posts["kind"] == "NOPD"]
    near = buffer_counts(
        city.network, found["lon"], found["lat"], stations["lon"], stations["lat"], radius_m=BUFFER_M / 2
    )
    assert len(found) == 10
    assert found["records"].min() == 196
    assert near.near_any >= 7
