"""Rows: each fault its reason, and every row lands exactly once."""

import json
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks import (
    IN_WATER,
    NO_PLACE,
    OUTSIDE,
    SIGN_LOST,
    SWAPPED,
    Surroundings,
    check_rows,
    table_faults,
)
from data.quarantine import SEPARATOR, count_reasons
from data.schemas import AGENCIES, TABLES, table_schema
from tests.data.small_city import EAST_OF_WATER, small_tables

ZONE = "America/Chicago"
BBOX = (-90.16, 29.85, -89.60, 30.20)
AROUND = Surroundings(bbox=BBOX, timezone=ZONE)


def spoiled_call(**changes: object) -> pd.DataFrame:
    calls = small_tables()["calls"].astype(object)
    for column, value in changes.items():
        values = calls[column].tolist() if column in calls else [None] * len(calls)
        values[3] = value
        calls[column] = pd.Series(values, dtype=object)
    return calls


def reason_of(table: str, rows: pd.DataFrame, around: Surroundings = AROUND) -> str:
    checked = check_rows(rows, TABLES[table], around)
    assert len(checked.accepted) == len(rows) - 1
    assert len(checked.quarantined) == 1
    return str(checked.quarantined["reason"].iloc[0])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lon": 0.0, "lat": 0.0}, NO_PLACE),
        ({"lon": -88.5, "lat": 28.3}, OUTSIDE),
        ({"lon": 29.951, "lat": -90.077}, SWAPPED),
        ({"lon": 90.077}, SIGN_LOST),
        ({"lon": None}, "lon is missing"),
        ({"lat": "north"}, "lat is not a number"),
        ({"lat": float("inf")}, "lat is not a finite number"),
        ({"call_id": None}, "call_id is missing"),
        ({"call_id": "C01"}, "call_id was used before (the first good row that has it is kept)"),
        ({"agency": "Coast Guard"}, "agency is not one of EMS, Police, Fire"),
        ({"arrived_at": pd.Timestamp("2025-12-31", tz=ZONE)}, "arrived_at is before dispatched_at"),
        ({"opened_at": "yesterday"}, "opened_at is not a time with its time zone"),
        ({"self_initiated": "perhaps"}, "self_initiated is not true or false"),
    ],
)
def test_each_fault_has_its_reason(changes: dict[str, object], reason: str) -> None:
    assert reason_of("calls", spoiled_call(**changes)) == reason


def test_time_out_of_order_is_named_against_the_latest_before_it() -> None:
    calls = spoiled_call(dispatched_at=None, arrived_at=pd.Timestamp("2025-12-31", tz=ZONE))
    assert reason_of("calls", calls) == "arrived_at is before opened_at"


def test_several_reasons_stand_together() -> None:
    said = reason_of("calls", spoiled_call(lon=0.0, lat=0.0, agency="Navy", location_precision=None))
    assert set(said.split(SEPARATOR)) == {
        NO_PLACE,
        "agency is not one of EMS, Police, Fire",
        "location_precision is missing",
    }


def test_repeated_id_is_one_reason() -> None:
    checked = check_rows(spoiled_call(call_id="C01"), TABLES["calls"], AROUND)
    assert list(count_reasons(checked.quarantined["reason"]).values()) == [1]


def test_repeated_id_gives_way_to_the_first_good_row() -> None:
    calls = spoiled_call(call_id="C05", lon=0.0, lat=0.0)
    checked = check_rows(calls, TABLES["calls"], AROUND)
    assert "C05" in set(checked.accepted["call_id"])
    assert checked.quarantined["reason"].tolist() == [NO_PLACE]


def test_post_in_the_river_is_quarantined_and_named() -> None:
    tables = small_tables()
    water = tables["water"]
    assert isinstance(water, gpd.GeoDataFrame)
    posts = tables["posts"].copy()
    posts.loc[1, "lon"] = EAST_OF_WATER - 0.005
    around = Surroundings(bbox=BBOX, timezone=ZONE, water=water)
    assert reason_of("posts", posts, around) == f"{IN_WATER} (Mississippi River)"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("length_m", -5.0, "length_m is not above 0"),
        ("length_m", 0.0, "length_m is not above 0"),
        ("road_class", "towpath", "road_class is not one of"),
        ("u", 999, "its first end (u) is not among the street corners"),
        ("v", None, "v is missing"),
        ("u", 1.5, "u is not a whole number"),
        ("geometry", None, "the shape is missing or empty"),
        ("geometry", shapely.Point(-90.07, 29.95), "the shape is not a line"),
        ("geometry", shapely.LineString([(0, 0), (1, 1)]), OUTSIDE),
    ],
)
def test_each_street_fault_has_its_reason(column: str, value: object, reason: str) -> None:
    tables = small_tables()
    streets = tables["streets"]
    values = streets[column].tolist()
    values[4] = value
    streets[column] = values if column != "geometry" else gpd.GeoSeries(values, crs=4326)
    around = Surroundings(bbox=BBOX, timezone=ZONE, nodes=pd.Index(tables["street_nodes"]["node"]))
    assert reason_of("streets", streets, around).startswith(reason)


def test_area_whose_outline_crosses_itself_is_quarantined() -> None:
    hoods = small_tables()["neighborhoods"]
    bow = shapely.Polygon([(-90.08, 29.95), (-90.07, 29.96), (-90.07, 29.95), (-90.08, 29.96)])
    hoods["geometry"] = gpd.GeoSeries([hoods.geometry.iloc[0], bow], crs=4326)
    assert reason_of("neighborhoods", hoods) == "the outline of the area crosses itself"


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(-200, 200),
    st.sampled_from([0.0, -90.07, 29.95, float("inf"), float("nan"), 1e300, 2**70]),
    st.text(max_size=4),
    st.sampled_from(["C01", "EMS", "2026-01-01T00:00:00Z", "=1+1", "exact"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 2, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)


@st.composite
def dirty_calls(draw: st.DrawFn) -> pd.DataFrame:
    """Calls as clean as they are, with any values in any cells, and rows repeated or dropped."""
    calls = small_tables()["calls"].astype(object)
    order = draw(st.lists(st.integers(0, len(calls) - 1), max_size=20))
    calls = calls.iloc[order].reset_index(drop=True)
    for _ in range(draw(st.integers(0, 12)) if len(calls) else 0):
        row = draw(st.integers(0, len(calls) - 1))
        column = draw(st.sampled_from(list(calls.columns)))
        calls.at[row, column] = draw(VALUES)  # noqa: PD008
    calls["mark"] = range(len(calls))
    return calls


@settings(max_examples=60, deadline=None)
@given(dirty_calls())
def test_every_row_lands_exactly_once(calls: pd.DataFrame) -> None:
    checked = check_rows(calls, TABLES["calls"], AROUND)
    assert len(checked.accepted) + len(checked.quarantined) == len(calls)
    turned_away = [json.loads(record)["mark"] for record in checked.quarantined["record"]]
    assert len(set(turned_away)) == len(turned_away)
    kept = calls.loc[~calls["mark"].isin(turned_away), "call_id"].map(str).tolist()
    assert checked.accepted["call_id"].tolist() == kept
    assert checked.quarantined["reason"].str.len().gt(0).all()


@settings(max_examples=30, deadline=None)
@given(dirty_calls())
def test_accepted_rows_meet_the_schema_and_plain_rules(calls: pd.DataFrame) -> None:
    accepted = check_rows(calls, TABLES["calls"], AROUND).accepted
    table_schema("calls", ZONE).validate(accepted)
    assert accepted["call_id"].is_unique
    assert accepted["agency"].isin(AGENCIES).all()
    assert accepted["lon"].between(BBOX[0], BBOX[2]).all()
    assert accepted["lat"].between(BBOX[1], BBOX[3]).all()
    for row in accepted[["opened_at", "dispatched_at", "arrived_at", "closed_at"]].itertuples(index=False):
        times = [time for time in row if not pd.isna(time)]
        assert times == sorted(times)


@settings(max_examples=20, deadline=None)
@given(dirty_calls())
def test_accepted_rows_are_accepted_again(calls: pd.DataFrame) -> None:
    once = check_rows(calls, TABLES["calls"], AROUND).accepted
    twice = check_rows(once, TABLES["calls"], AROUND)
    assert twice.quarantined.empty
    pd.testing.assert_frame_equal(twice.accepted, once)


def points(lon: Any, lat: Any) -> pd.DataFrame:  # noqa: ANN401
    return small_tables()["calls"].assign(lon=lon, lat=lat)


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (lambda c: points(c["lat"], c["lon"]), "swapped"),
        (lambda c: points(-c["lon"], c["lat"]), "minus sign"),
        (lambda c: points(c["lon"] * 40_000, c["lat"] * 18_000), "feet or metres"),
        (lambda c: points(c["lon"] + 30, c["lat"] + 10), "no place lies in Testville"),
    ],
)
def test_fault_of_a_whole_table_is_said_in_words(move: Any, said: str) -> None:  # noqa: ANN401
    faults = table_faults(move(small_tables()["calls"]), TABLES["calls"], BBOX, "Testville")
    assert len(faults) == 1
    assert said in faults[0]


def test_a_few_bad_rows_are_no_fault_of_the_table() -> None:
    calls = small_tables()["calls"]
    calls.loc[:4, ["lon", "lat"]] = 0.0
    calls.loc[5:6, "lat"] = 10.0
    assert table_faults(calls, TABLES["calls"], BBOX, "Testville") == []


def test_lengths_in_feet_are_recognised() -> None:
    streets = small_tables()["streets"]
    assert table_faults(streets, TABLES["streets"], BBOX, "Testville") == []
    streets["length_m"] *= 3.28084
    faults = table_faults(streets, TABLES["streets"], BBOX, "Testville")
    assert "feet" in faults[0]
    streets["length_m"] *= np.float64(1000)
    assert "times what the lines measure" in table_faults(streets, TABLES["streets"], BBOX, "Testville")[0]
