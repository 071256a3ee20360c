"""Work orders hold every stop in its order, in cells that no spreadsheet runs, and come back as they went."""

import csv
import json
from datetime import date, time
from io import StringIO

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given

from errors import InvalidInputError
from models.returned_work import read_csv, read_returned
from models.routes import DUMP, Crews, Routes, plan_routes
from models.work_orders import (
    LINE_TOOLS,
    WorkOrders,
    left_out_csv,
    make_work_orders,
    plain_cell,
    safe_cell,
    what_to_bring,
    work_days,
    work_orders_csv,
    work_orders_geojson,
)
from tests.models.route_cases import town

ROUGH = ("=1+1", "+1", "-CB2", "@sum", "'=x", "plain", 'a "b", c', "'quoted'")
PLACE = town(24, seed=6)
BASINS = pd.DataFrame(
    {
        "basin_id": [f"{ROUGH[k % 8]}{k}" for k in range(24)],
        "street": [None, "=cmd|' /C calc'!A0", "Canal Street"] * 8,
        "kind": ["grate", "curb", "combination"] * 8,
        "lon": -90.07 - np.arange(24) / 1000,
        "lat": 29.95 + np.arange(24) / 1000,
    }
)


@pytest.fixture(scope="module")
def plan() -> Routes:
    return plan_routes(PLACE.stops, Crews(1, 3, 7.0, 900.0), PLACE.seconds)


@pytest.fixture(scope="module")
def orders(plan: Routes) -> WorkOrders:
    dates = work_days(date(2026, 11, 27), 3)
    return make_work_orders(plan, PLACE.stops, BASINS, dates=dates, shift_starts=time(7, 0))


def test_work_is_done_from_monday_to_friday() -> None:
    days = work_days(date(2026, 11, 27), 3)
    assert days == (date(2026, 11, 27), date(2026, 11, 30), date(2026, 12, 1))
    assert work_days(date(2026, 11, 28), 1) == (date(2026, 11, 30),)


def test_rows_are_the_stops_in_order(plan: Routes, orders: WorkOrders) -> None:
    assert plan.left_out
    for number, day in enumerate(plan.truck_days):
        rows = orders.rows.loc[[number]]
        assert rows["basin_id"].tolist() == BASINS["basin_id"].iloc[day.basins].tolist()
        assert rows["stop"].tolist() == list(range(1, len(rows) + 1))
        first = int(day.arrive_s[0])
        assert rows["arrive"].iloc[0] == f"{7 + first // 3600:02d}:{first // 60 % 60:02d}"
        assert (orders.ends[number] - orders.starts[number]).seconds == day.end_s
        assert (rows["then"] != "").sum() == (day.stop == DUMP).sum()
        pounds = PLACE.stops.load_kg[day.basins] * 2.2046226
        assert np.allclose(rows["expected_lb"], pounds, atol=0.51)
    assert len(orders.rows) + len(plan.left_out) == len(BASINS)


@given(st.text())
def test_a_cell_comes_back_as_it_was_and_is_never_a_formula(text: str) -> None:
    safe = safe_cell(text)
    assert isinstance(safe, str)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert plain_cell(safe) == text


def test_no_cell_of_the_csv_is_a_formula_and_numbers_stay_numbers(orders: WorkOrders, plan: Routes) -> None:
    for content in (work_orders_csv(orders), left_out_csv(plan, BASINS)):
        cells = [cell for row in csv.reader(StringIO(content.decode("utf-8-sig"))) for cell in row]
        risky = [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        assert all(float(cell) < -89 for cell in risky)


def test_filled_in_orders_are_read_back_whole(orders: WorkOrders) -> None:
    sent = read_csv(work_orders_csv(orders))
    sent["done_at"], sent["found"], sent["debris_lb"] = sent["date"] + " 10:00", "Clogged", "100"
    sent.loc[0, ["done_at", "found", "debris_lb"]] = ""
    back = read_returned(
        sent,
        basin_ids=BASINS["basin_id"],
        as_of=pd.Timestamp("2027-01-01", tz="UTC"),
        timezone="America/Chicago",
    )
    assert back.accepted["basin_id"].tolist() == orders.rows["basin_id"].tolist()[1:]
    assert (back.blank, back.read) == (1, len(orders.rows))
    assert back.accepted["debris_kg"].to_numpy() == pytest.approx(45.359237)
    assert set(back.accepted["crew"]) == {"Truck 1"}


def test_geojson_has_a_point_a_stop_and_a_line_a_truck_day(orders: WorkOrders, plan: Routes) -> None:
    line = np.array([shapely.LineString([(-90.07, 29.95), (-90.06, 29.96)])] * 2, dtype=object)
    told = json.loads(work_orders_geojson(orders, {0: line}))
    kinds = [feature["geometry"]["type"] for feature in told["features"]]
    assert kinds.count("Point") == len(BASINS) - len(plan.left_out)
    assert kinds.count("LineString") == 1
    assert told["features"][0]["properties"]["basin_id"] == orders.rows["basin_id"].iloc[0]


def test_what_is_brought_follows_kind_and_line() -> None:
    plain, jet = what_to_bring(["grate", "combination"], [0.0, 0.9])
    assert plain == "grate hook"
    assert jet == f"grate hook, manhole hook, {LINE_TOOLS}"


def test_too_few_dates_or_basins_are_refused(plan: Routes) -> None:
    with pytest.raises(InvalidInputError, match=r"23 basins do not fit 24 stops[^|]*3 days and 1 dates"):
        make_work_orders(
            plan,
            PLACE.stops,
            BASINS[:23],
            dates=[date(2026, 11, 27)],
            shift_starts=time(7, 0),
            bring=[""] * 23,
        )
