"""Rows of portals become tables: every style of name, time and place; no row is lost, whatever it holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from data.checks import NO_PLACE, Surroundings, check_rows
from data.drift import DRIFTS, columns_to_ask, field_name, needed_columns, rows_to_ask
from data.harvest import harvest
from data.http import Manners
from data.paging import Column, Dataset, check_datasets
from data.portal import SodaClient
from data.portal_rows import NO_RECORD, NOTHING_GIVEN, UNREADABLE_PLACE, PortalTable, read_rows
from data.quarantine import count_reasons
from data.schemas import TABLES
from errors import InvalidInputError
from tests.data.portal_case import HASTY
from tests.data.servers.base import Fault, serving
from tests.data.servers.soda import SodaDataset, SodaServer

ZONE = "America/Chicago"
ORLEANS = (-90.16, 29.85, -89.60, 30.20)
CANAL_STREET = {"location": "POINT (-90.07 29.95)"}


def _calls(*rows: object) -> PortalTable:
    return read_rows("calls", rows, timezone=ZONE)


def _call(**other: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "nopd_item": "A1",
        "type_": "21",
        "timecreate": "2022-01-01T01:00:00.000",
        **CANAL_STREET,
        **other,
    }


def _opened(text: object) -> str:
    table = _calls(_call(timecreate=text))
    return str(table.frame["opened_at"][0]) if len(table.frame) else str(table.rejected["reason"][0])


@pytest.mark.parametrize(
    "text",
    [
        "2022-01-09T22:10:00.000",
        "2022-01-09T22:10:00",
        "2022-01-09 22:10",
        "1/9/2022 22:10",
        "01/09/2022 22:10:00",
        "01/09/2022 10:10:00 PM",
        "1/9/2022 10:10 pm",
        "20220109221000.000",
        "2022-01-10T04:10:00Z",
        "2022-01-09T23:10:00-05:00",
    ],
)
def test_every_style_of_time_is_the_same_moment(text: str) -> None:
    assert _opened(text) == "2022-01-09 22:10:00-06:00"


@pytest.mark.parametrize(
    "text",
    ["2022-01-09", "13/1/2022 10:00", "31/31/2022 1:00", "noon", "0001-01-01T00:00:00", "1/9/22", 5, True],
)
def test_what_is_no_time_is_said(text: object) -> None:
    assert _opened(text) == "opened_at cannot be read as a time"


def test_the_hour_that_does_not_exist_and_the_one_that_comes_twice() -> None:
    assert _opened("2022-03-13T02:30:00").startswith("opened_at lies in the hour that was skipped")
    twice = _calls(
        _call(timecreate="2022-11-06T01:50:00", timedispatch="11/6/2022 1:05", timeclosed="11/6/2022 2:10"),
        _call(nopd_item="A2", timecreate="2022-11-06T01:50:00"),
        _call(nopd_item="A3", timecreate="2022-11-06T07:50:00Z", timedispatch="11/6/2022 1:05"),
    )
    assert [str(time) for time in twice.frame["opened_at"]] == [
        "2022-11-06 01:50:00-05:00",
        "2022-11-06 01:50:00-05:00",
        "2022-11-06 01:50:00-06:00",
    ]
    assert str(twice.frame["dispatched_at"][0]) == "2022-11-06 01:05:00-06:00"
    # Even the second reading is before the opening: the order stays wrong, for the reader to say.
    assert str(twice.frame["dispatched_at"][2]) == "2022-11-06 01:05:00-05:00"
    assert "4 times lie in the hour that comes twice" in twice.steps[-1]


FEET = Transformer.from_crs(4326, 3452, always_xy=True).transform(-90.07, 29.95)


@pytest.mark.parametrize(
    "place",
    [
        {"location": "POINT (-90.07 29.95)"},
        {"location": {"type": "Point", "coordinates": [-90.07, 29.95]}},
        {"location": {"latitude": "29.95", "longitude": "-90.07", "needs_recoding": False}},
        {"location": "1 CANAL ST\nNEW ORLEANS, LA\n(29.95, -90.07)"},
        {"the_geom": "Point(-90.07 29.95)"},
        {"geometry": {"type": "Point", "coordinates": [-90.07, 29.95]}},
        {"latitude": "29.95", "longitude": -90.07},
        {"mapx": f"{FEET[0]:.8f}", "mapy": FEET[1]},
        {"location": "POINT (0 0)", "mapx": FEET[0], "mapy": FEET[1]},
        {"MapX": str(FEET[0]), "MapY": str(FEET[1]), "Location": ""},
    ],
)
def test_every_form_of_place_is_the_same_place(place: dict[str, object]) -> None:
    row = {key: value for key, value in _call().items() if key != "location"}
    frame = _calls(row | place).frame
    assert frame["lon"][0] == pytest.approx(-90.07, abs=1e-8)
    assert frame["lat"][0] == pytest.approx(29.95, abs=1e-8)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"location": "POINT (0 0)", "mapx": "37369000", "mapy": "3513814"}, NO_PLACE),
        ({"mapx": 37369000, "mapy": 3513814}, NO_PLACE),
        ({"mapx": "0", "mapy": "0"}, NO_PLACE),
        ({"latitude": "0.0", "longitude": "0.0"}, NO_PLACE),
        ({}, NOTHING_GIVEN),
        ({"location": None, "mapx": ""}, NOTHING_GIVEN),
        ({"location": "Canal Street"}, UNREADABLE_PLACE),
        ({"location": {"type": "Point", "coordinates": ["NaN", "NaN"]}}, UNREADABLE_PLACE),
        ({"mapx": "3680000"}, UNREADABLE_PLACE),
        ({"mapx": "1e308", "mapy": "1e308"}, UNREADABLE_PLACE),
    ],
)
def test_a_missing_place_is_said_as_it_is(place: dict[str, object], reason: str) -> None:
    row = {key: value for key, value in _call().items() if key != "location"}
    assert [*_calls(row | place).rejected["reason"]] == [reason]


def test_names_of_all_years_lead_to_the_same_columns() -> None:
    of_2011 = {"nopd_item": "A1", "type": "62A", "typetext": "ALARM", "timecreate": "2011-01-01T00:00:02"}
    of_2022 = {"NOPD_Item": "A1", "Type_": "62A", "TypeText": "ALARM", "TimeCreate": "1/1/2011 0:00:02"}
    api = {"nopd_item": "A1", "type_": "62A", "typetext": "ALARM", "timecreate": "01/01/2011 12:00:02 AM"}
    frames = [
        _calls(row | CANAL_STREET | arrival).frame
        for row in (of_2011, of_2022, api)
        for arrival in ({"timearrive": "1/1/2011 0:05"}, {"TimeArrival": "2011-01-01T00:05:00"})
    ]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])
    assert frames[0]["type_code"][0] == "62A"
    assert frames[0]["agency"][0] == "Police"
    assert str(frames[0]["arrived_at"][0]) == "2011-01-01 00:05:00-06:00"
    assert field_name(" Trade Name") == "trade_name"


def test_a_rejected_row_keeps_what_it_said_and_every_reason() -> None:
    table = _calls(
        _call(nopd_item=" ", selfinitiated="?", timeclosed="late", location="POINT (0 0)", owner="X")
    )
    assert json.loads(table.rejected["record"][0]) == {
        "call_id": None,
        "type_code": "21",
        "type_text": None,
        "priority": None,
        "self_initiated": "?",
        "disposition": None,
        "opened_at": "2022-01-01T01:00:00.000",
        "dispatched_at": None,
        "arrived_at": None,
        "closed_at": "late",
        "agency": "Police",
        "location_precision": "block",
        "location": "POINT (0 0)",
    }
    assert table.rejected["reason"][0] == (
        f"call_id is missing; self_initiated is not yes or no; closed_at cannot be read as a time; {NO_PLACE}"
    )


def test_half_a_character_is_kept_out_of_the_files() -> None:
    half = json.loads('"\\ud800 FIRE"')
    table = _calls(_call(typetext=half), _call(typetext=half, timecreate=half))
    assert table.frame["type_text"][0] == "? FIRE"
    assert json.loads(table.rejected["record"][0])["opened_at"] == "? FIRE"


def test_licences_become_outlets_by_either_kind_of_code() -> None:
    point = {"the_geom": {"type": "Point", "coordinates": [-90.07, 29.95]}}
    rows = [
        {"businesslicensenumber": "1", "businessname": "A", "businesstype": kind, **point, **started}
        for kind, started in (
            ("Drinking Places(Alcoholic Beverages)", {"businessstartdate": "2023-01-01T00:00:00.000"}),
            ("Casino Hotels", {"businessstartdate": "1/2/2023"}),
            ("Wine & Distilled Alcoholic Beverage Wholesalers", {"businessstartdate": "20230103"}),
            ("Barber Shops", {}),
            ("Convenience Stores", {"businessstartdate": "long ago"}),
        )
    ]
    old = {":id": "row-1", "trade_name": "B", "occupation_code": "1126 - DRINKING PLACES", **point}
    table = read_rows("outlets", [*rows, old], timezone=ZONE)
    assert [*table.frame["category"]] == ["bar", "hotel", "other", "bar"]
    assert [*table.frame["licence_code"]][-1] == "1126"
    assert [*table.frame["outlet_id"]] == ["1", "1", "1", "row-1"]
    assert [str(day)[:10] for day in table.frame["opened_on"][:3]] == [
        "2023-01-01",
        "2023-01-02",
        "2023-01-03",
    ]
    assert [*table.rejected["reason"]] == [
        "the type of business is none that sells alcohol",
        "opened_on cannot be read as a day",
    ]


def test_basins_and_requests_say_what_the_portal_does_not() -> None:
    basin = {"gisid": 17, "stname": "Canal St", "the_geom": {"type": "Point", "coordinates": [-90.07, 29.95]}}
    basins = read_rows("basins", [basin], timezone=ZONE)
    assert basins.frame.iloc[0].to_dict() == {
        "basin_id": "17",
        "kind": "combination",
        "placed": "survey",
        "street": "Canal St",
        "lon": -90.07,
        "lat": 29.95,
    }
    assert "does not say which kind" in basins.notes[0]
    new = {
        "service_request": "2026-1",
        "request_type": "Roads/Drainage",
        "request_reason": "Street Flooding",
        "date_created": "2026-07-11T18:00:00",
        "date_modified": "2026-07-12T18:00:00",
        "request_status": "Closed",
        "latitude": "29.95",
        "longitude": "-90.07",
    }
    old = {
        "ticket_id": "2013-1",
        "issue_type": "Street Flooding",
        "ticket_created_date_time": "07/11/2013 06:00:00 PM",
        "ticket_closed_date_time": "07/12/2013 06:00:00 PM",
        "geom": "POINT (-90.07 29.95)",
    }
    asked = read_rows("service_requests", [new, old], timezone=ZONE).frame
    assert [*asked["request_type"]] == ["Street Flooding"] * 2
    assert asked["closed_at"].isna().tolist() == [True, False]


def test_of_all_trades_only_those_that_can_sell_alcohol_leave_the_portal() -> None:
    kinds = ["Barber Shops", "Hotels(except Casino Hotels) & Motels", "Beer, Wine & Liquor Stores"]
    columns = {"businessname": "text", "businesstype": "text", "ownername": "text", "the_geom": "point"}
    place = {"type": "Point", "coordinates": [-90.07, 29.95]}
    trades = SodaDataset(
        "Licences",
        columns,
        [{"businessname": kind, "businesstype": kind, "ownername": "X", "the_geom": place} for kind in kinds],
    )
    server = SodaServer({"hjcd-grvu": trades})
    with serving(server) as address, SodaClient(address, "", manners=HASTY) as client:
        dataset = client.describe("hjcd-grvu")
        found = harvest(
            client,
            "hjcd-grvu",
            where=rows_to_ask("outlets", dataset),
            columns=columns_to_ask("outlets", dataset),
        )
    table = read_rows("outlets", found.rows.values(), timezone=ZONE)
    assert [*table.frame["category"]] == ["hotel", "store"]
    assert table.n_read == 2
    assert rows_to_ask("calls", dataset) is None


def test_only_known_tables_are_read_and_only_known_columns_asked_for() -> None:
    with pytest.raises(InvalidInputError, match="no rows for 'shifts', only for calls"):
        read_rows("shifts", [], timezone=ZONE)
    names = ("BusinessName", "ownername", "businessphone", "latitude")
    columns = tuple(Column(name, "text", name) for name in names)
    dataset = Dataset(
        dataset_id="x", title="", columns=columns, n_rows=0, newest=None, stamp="", key=":id", edited=None
    )
    assert columns_to_ask("outlets", dataset) == ("BusinessName", "latitude")


@pytest.mark.parametrize("table", DRIFTS)
def test_every_needed_column_of_the_contract_has_a_source(table: str) -> None:
    drift = DRIFTS[table]
    named = {*drift.sources, *drift.constants, "lon", "lat"}
    assert {column for column, rule in TABLES[table].columns.items() if rule.needed} <= named
    assert named <= {*TABLES[table].columns}
    times = [column for column, source in drift.sources.items() if source.kind == "time"]
    assert times == [column for column in TABLES[table].time_order if column in times]
    assert read_rows(table, [], timezone=ZONE).n_read == 0


_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        [
            "2022-01-09T22:10:00",
            "3/13/2022 2:30",
            "11/6/2022 1:30",
            "9999-12-31T23:59:59Z",
            "2022-02-30T00:00:00",
            "POINT (-90.07 29.95)",
            "POINT (1e999 0)",
            "(29.95, -90.07)",
            "3680000",
            "1e400",
            "\ud800",
            "\u0662\u0660\u0662\u0662-01-09",
            "Y",
            "Drinking Places",
        ]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(
        st.sampled_from(["type", "coordinates", "latitude", "longitude"]), st.floats(), max_size=3
    ),
    st.fixed_dictionaries({"type": st.just("Point"), "coordinates": st.lists(st.floats(), max_size=3)}),
)


@st.composite
def _dirt(draw: st.DrawFn) -> tuple[str, list[object]]:
    table = draw(st.sampled_from(sorted(DRIFTS)))
    names = [*DRIFTS[table].known, "Type_", "LOCATION", "", "other"]
    row = st.dictionaries(st.sampled_from(names), _ODD, max_size=12)
    return table, draw(st.lists(st.one_of(row, row, row, _ODD), max_size=8))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(dirt=_dirt(), as_frame=st.booleans())
def test_accepted_and_rejected_are_what_was_read_whatever_it_held(
    dirt: tuple[str, list[object]], *, as_frame: bool
) -> None:
    table, rows = dirt
    if as_frame:
        records = [row for row in rows if isinstance(row, dict)]
        given_rows: Any = pd.DataFrame(records, dtype=object)
        n_rows = len(given_rows)
    else:
        given_rows, n_rows = rows, len(rows)
    read = read_rows(table, given_rows, timezone=ZONE)
    assert read.n_read == len(read.frame) + len(read.rejected) == n_rows
    assert (read.rejected["reason"] != "").all()
    assert all(isinstance(json.loads(record), object) for record in read.rejected["record"])
    "".join(read.rejected["record"]).encode()
    assert np.isfinite(read.frame[["lon", "lat"]].to_numpy(dtype=float)).all()
    if not as_frame:
        assert (read.rejected["reason"] == NO_RECORD).sum() == sum(not isinstance(row, dict) for row in rows)
    checked = check_rows(read.frame, TABLES[table], Surroundings(ORLEANS, ZONE))
    assert len(checked.accepted) + len(checked.quarantined) == len(read.frame)
    # What was let through has the contract's types: the reader finds no value that does not fit its column.
    assert not [reason for reason in count_reasons(checked.quarantined["reason"]) if "is not a" in reason]


@pytest.mark.extract
def test_the_real_calls_come_through_the_portal_whole(extract_dir: Path) -> None:
    sample = pd.read_csv(extract_dir / "calls_for_service_2022_sample.csv", dtype="str")
    rows = sample.rename(columns=field_name).astype(object).where(sample.notna().to_numpy(), None)
    columns = dict.fromkeys(map(str, rows.columns), "text")
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    server = SodaServer({"nci8-thrr": SodaDataset("Calls for Service 2022", columns, records)})
    faults = [
        Fault("reset"),
        Fault("truncated"),
        Fault("status", 429),
        Fault("cut json"),
        Fault("status", 500),
    ]
    server.before = lambda number: server.faults.append(faults.pop()) if number % 2 == 0 and faults else None
    manners = Manners(wait_initial_s=0, wait_max_s=0, wait_jitter_s=0, min_interval_s=0)
    with serving(server) as address, SodaClient(address, "", page_rows=2000, manners=manners) as client:
        dataset = check_datasets(client, {"nci8-thrr": needed_columns("calls")})["nci8-thrr"]
        pages = list(client.rows("nci8-thrr", columns=columns_to_ask("calls", dataset)))
    assert not faults
    came = [row for page in pages for row in page.rows]
    table = _calls(*came)
    assert table.n_read == len(sample) == 7476
    assert count_reasons(table.rejected["reason"]) == {NO_PLACE: 237}

    # The same rows from the CSV, and their places from feet alone, within a metre of the portal's own points.
    pd.testing.assert_frame_equal(read_rows("calls", sample, timezone=ZONE).frame, table.frame)
    feet = read_rows("calls", sample.drop(columns="Location"), timezone=ZONE).frame
    east_m = np.abs(feet["lon"] - table.frame["lon"]) * 96_400
    north_m = np.abs(feet["lat"] - table.frame["lat"]) * 110_900
    assert float(np.hypot(east_m, north_m).max()) < 1

    checked = check_rows(table.frame, TABLES["calls"], Surroundings(ORLEANS, ZONE))
    reasons = count_reasons(checked.quarantined["reason"])
    assert len(checked.accepted) + len(checked.quarantined) == 7239
    assert len(checked.accepted) <= sample["NOPD_Item"].nunique()
    assert set(reasons) == {
        "call_id was used before (the first good row that has it is kept)",
        "arrived_at is before dispatched_at",
    }


@pytest.mark.extract
def test_rows_of_every_year_that_is_at_hand_are_read(extract_dir: Path) -> None:
    schemas = json.loads((extract_dir / "portal" / "schemas.json").read_text(encoding="utf-8"))
    years = [told for told in schemas.values() if told["title"].startswith("Calls for Service")]
    assert len(years) == 6
    for told in years:
        names = {column["field"] for column in told["columns"]}
        assert all(names & set(group) for group in needed_columns("calls"))
        table = _calls(*told["sample_rows"])
        assert len(table.frame) == table.n_read == len(told["sample_rows"])
        assert (table.frame["opened_at"] <= table.frame["closed_at"]).all()
    licences = pd.read_csv(extract_dir / "occupational_licenses_2025_food_drink.csv", dtype="str")
    outlets = read_rows("outlets", licences, timezone=ZONE)
    assert outlets.n_read == len(licences)
    assert count_reasons(outlets.rejected["reason"]) == {"name is missing": 86, NO_PLACE: 21}
    assert outlets.frame["category"].value_counts()["bar"] > 300
