"""Work orders as paper: a sheet a truck-day, the same bytes each time, no name out of its place."""

import re
from datetime import date, time

import numpy as np
import pandas as pd
import pytest
import shapely

from models.routes import Crews, Routes, plan_routes
from models.work_orders import WorkOrders, make_work_orders, work_days
from pages.parts.work_orders import work_order_sheets
from tests.models.route_cases import town

ROUGH_NAME = 'Rue ["#sys] $x$ *bold* \\ <svg> #import "x"'
PLACE = town(20, seed=8)


@pytest.fixture(scope="module")
def plan() -> Routes:
    return plan_routes(PLACE.stops, Crews(2, 2, 8.0, 1500.0), PLACE.seconds)


@pytest.fixture(scope="module")
def orders(plan: Routes) -> WorkOrders:
    basins = pd.DataFrame(
        {
            "basin_id": [f"B{k}" for k in range(20)],
            "street": [ROUGH_NAME, None] * 10,
            "kind": "combination",
            "lon": -90.07 + np.arange(20) % 5 / 500,
            "lat": 29.95 + np.arange(20) / 2000,
        }
    )
    dates = work_days(date(2026, 11, 27), 2)
    return make_work_orders(plan, PLACE.stops, basins, dates=dates, shift_starts=time(7, 0))


def _paper(orders: WorkOrders, *, synthetic: bool = True) -> bytes:
    return work_order_sheets(orders, city_name=ROUGH_NAME, synthetic=synthetic, footer="Data of 2026")


def test_each_truck_day_has_a_sheet_of_its_own(orders: WorkOrders, plan: Routes) -> None:
    pdf = _paper(orders)
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(plan.truck_days) > 1


def test_the_same_orders_give_the_same_bytes_and_made_up_ones_are_marked(orders: WorkOrders) -> None:
    assert _paper(orders) == _paper(orders) != _paper(orders, synthetic=False)


def test_drives_are_drawn_and_one_place_alone_can_be(orders: WorkOrders) -> None:
    plain = _paper(orders)
    line = np.array([shapely.LineString([(-90.07, 29.95), (-90.06, 29.99), (-90.05, 29.95)])], dtype=object)
    drawn = work_order_sheets(orders, {0: line}, city_name=ROUGH_NAME, synthetic=True, footer="Data of 2026")
    assert drawn != plain
    alone = WorkOrders(orders.rows.iloc[:1], orders.starts, orders.ends)
    assert len(_paper(alone)) < len(plain)
