"""The page "911 calls" on small cities, the demo city and the real extract."""

import base64
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from data.city import City
from models.calls import CallFilter
from models.privacy import SMALLEST_SHOWN
from pages.parts.call_data import call_data, period_of, stated_period
from pages.parts.call_map import class_limits
from pages.parts.call_results import neighborhood_table
from pages.parts.hour_brush import PRESETS, brushed_hours, say_hours
from tests.models.calls_cases import random_calls, without_times
from tests.pages.calls_city import write_city

PAGE = Path(__file__).parents[2] / "pages" / "calls.py"
FRAME = random_calls(2_000, seed=12)

Show = Callable[[Path], AppTest]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    def run(folder: Path) -> AppTest:
        monkeypatch.setenv("CRESCENT_CITIES", str(folder.parent))
        monkeypatch.setenv("CRESCENT_CITY", folder.name)
        page = AppTest.from_file(str(PAGE), default_timeout=60).run()
        assert not page.exception
        return page

    return run


@pytest.fixture(scope="module")
def small_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_city(tmp_path_factory.mktemp("small") / "small", FRAME)


def figures(page: AppTest) -> dict[str, str]:
    """Labels and values of the large figures."""
    html = " ".join(str(element.proto.body) for element in page.get("html"))
    found = re.findall(r'cr-label">([^<]*)</div><div class="cr-value">([^<]*)<', html)
    return dict(found)


def notes(page: AppTest) -> str:
    html = " ".join(str(element.proto.body) for element in page.get("html"))
    return re.sub(r"<[^>]*>", " ", html)


def map_data(page: AppTest) -> dict[str, Any]:
    (component,) = page.get("bidi_component")
    data: dict[str, Any] = json.loads(component.proto.json)
    return data


def hexagons(page: AppTest) -> dict[str, int]:
    """Cells on the map and the count that their label tells."""
    hexes = map_data(page)["hexes"]
    counts = [int(re.sub(r"\D", "", label.split(" calls")[0])) for label in hexes["labels"]]
    return dict(zip(hexes["cells"], counts, strict=True))


def test_first_view_shows_figures_map_and_tables(show: Show, small_city: Path) -> None:
    page = show(small_city)
    told = figures(page)
    medical = int((FRAME["agency"] == "EMS").sum())
    assert abs(int(told["Calls"].replace(",", "")) - medical) < 5
    waited = (FRAME["arrived_at"] - FRAME["opened_at"]).dt.total_seconds() / 60
    waited = waited[(FRAME["agency"] == "EMS") & ~FRAME["self_initiated"].fillna(value=False)].dropna()
    assert told["Median wait"] == f"{waited.median():.1f} min"
    assert told["90th percentile wait"] == f"{waited.quantile(0.9):.1f} min"
    assert [tab.label for tab in page.tabs] == ["By neighborhood", "Hours of week", "Trend"]
    assert set(hexagons(page).values())
    assert min(hexagons(page).values()) >= SMALLEST_SHOWN
    assert map_data(page)["note"].startswith("Demo city")
    assert "never drawn as points" in notes(page)
    assert "Written by a test. 2023-01-01 to 2023-04-30" in notes(page)


def test_police_calls_are_exact_and_every_filter_narrows_them(show: Show, small_city: Path) -> None:
    page = show(small_city)
    page.button_group[0].set_value(["Police"]).run()
    police = FRAME[FRAME["agency"] == "Police"]
    assert figures(page)["Calls"] == f"{len(police):,}"
    assert sum(hexagons(page).values()) == len(police)

    page.multiselect[0].set_value(["Fall"]).run()
    page.date_input[0].set_value((date(2023, 2, 1), date(2023, 2, 28))).run()
    days = police["opened_at"].dt.date
    left = police[(police["type_text"] == "Fall") & (days >= date(2023, 2, 1)) & (days <= date(2023, 2, 28))]
    assert figures(page)["Calls"] == f"{len(left):,}"
    assert sum(hexagons(page).values()) == len(left)
    clear = next(button for button in page.button if button.label == "Clear all filters")
    clear.click().run()
    assert not page.exception
    assert page.multiselect[0].value == []
    assert sum(hexagons(page).values()) < len(FRAME)


def test_common_hours_filter_map_and_figures_and_can_be_cleared(show: Show, small_city: Path) -> None:
    page = show(small_city)
    page.button_group[0].set_value(["Police"]).run()
    everything = sum(hexagons(page).values())
    common = next(box for box in page.selectbox if box.label == "Common hours")
    common.set_value("Sat, Sun").run()
    police = FRAME[FRAME["agency"] == "Police"]
    weekend = int((police["opened_at"].dt.day_of_week >= 5).sum())
    assert sum(hexagons(page).values()) == weekend < everything
    assert "Chosen: Sat to Sun." in notes(page)
    next(button for button in page.button if button.label == "Whole week").click().run()
    assert sum(hexagons(page).values()) == everything
    assert not page.exception


def test_an_empty_result_says_so_and_the_page_lives(show: Show, small_city: Path) -> None:
    page = show(small_city)
    page.button_group[0].set_value(["Police"]).run()
    page.date_input[0].set_value((date(2023, 4, 30), date(2023, 4, 30))).run()
    page.multiselect[0].set_value(["30C"]).run()
    assert [warning.value for warning in page.warning] == [
        "No call passes these filters. Widen one of them, or clear all filters."
    ]
    assert figures(page)["Calls"] == "0"
    assert hexagons(page) == {}
    assert not page.exception


def test_heat_is_drawn_from_hexagons_not_from_calls(show: Show, small_city: Path) -> None:
    page = show(small_city)
    n_hexagons = len(hexagons(page))
    layer = next(group for group in page.button_group if group.label == "Show as")
    layer.set_value("Heat").run()
    data = map_data(page)
    assert data["hexes"] is None
    assert len(base64.b64decode(data["heat"]["points"])) == n_hexagons * 3 * 4


def test_calls_of_officers_can_be_chosen_where_there_are_any(show: Show, tmp_path: Path) -> None:
    initiated = FRAME["self_initiated"].where(FRAME["agency"] == "Police", other=False)
    page = show(write_city(tmp_path / "officers", FRAME.assign(self_initiated=initiated)))
    assert "Opened by" not in [group.label for group in page.button_group]
    page.button_group[0].set_value(["Police"]).run()
    opened_by = next(group for group in page.button_group if group.label == "Opened by")
    opened_by.set_value("Officers").run()
    assert figures(page)["Calls"] == f"{int(initiated.sum()):,}"
    assert figures(page)["Median wait"] == "not known"  # nobody waited


def test_calls_with_only_a_place_say_what_cannot_be_told(show: Show, tmp_path: Path) -> None:
    folder = write_city(tmp_path / "bare", without_times(FRAME.assign(agency="Police")))
    page = show(folder)
    told = figures(page)
    assert told["Calls"] == "2,000"
    assert told["Calls a day"] == f"{2000 / 120:,.1f}"  # the source states its period
    assert "days cannot be told apart" in notes(page)
    assert told["Median wait"] == told["90th percentile wait"] == "not known"
    assert sum(hexagons(page).values()) == 2_000
    said = [info.value for info in page.info]
    assert any(text.startswith("No rhythm can be shown") for text in said)
    assert any(text.startswith("No trend can be shown") for text in said)
    assert "Places only" in notes(page)
    assert all(box.disabled for box in page.multiselect)


def test_without_calls_the_page_says_what_to_load(show: Show, tmp_path: Path) -> None:
    page = show(write_city(tmp_path / "none", None))
    assert len(page.info) == 1
    assert "has no table" in page.info[0].value
    assert not page.get("bidi_component")


def test_an_empty_table_of_calls_counts_as_none(show: Show, tmp_path: Path) -> None:
    page = show(write_city(tmp_path / "empty", FRAME.iloc[:0]))
    assert "has no rows" in page.info[0].value


def test_unit_responses_add_their_intervals(show: Show, tmp_path: Path) -> None:
    medical = FRAME[FRAME["agency"] == "EMS"]
    responses = pd.DataFrame(
        {
            "call_id": medical["call_id"],
            "unit_id": "M1",
            "unit_type": "ALS",
            "assigned_at": medical["dispatched_at"],
            "enroute_at": medical["dispatched_at"] + pd.Timedelta(minutes=1),
            "on_scene_at": medical["dispatched_at"] + pd.Timedelta(minutes=7),
        }
    )
    page = show(write_city(tmp_path / "units", FRAME, responses=responses))
    measured = page.selectbox(key=f"{_scope(tmp_path / 'units')}.interval")
    assert measured.options[-2:] == ["Unit assigned → en route", "En route → on scene"]
    measured.select_index(4).run()
    medians = page.dataframe[0].value["median"].dropna()
    assert medians.tolist() == pytest.approx([6.0] * len(medians))


def test_a_brush_becomes_hours_and_hours_become_words() -> None:
    hours = brushed_hours({"weekday": ["Fri", "Sat"], "hour": [20, 21]})
    assert hours == frozenset({(4, 20), (4, 21), (5, 20), (5, 21)})
    assert brushed_hours({}) is None
    assert brushed_hours({"weekday": [], "hour": [3]}) is None
    assert say_hours(None) == "the whole week"
    assert say_hours(hours) == "Fri to Sat 20 to 22 h"
    assert say_hours(PRESETS["Nights 19 to 7"]) == "Mon to Sun 0 to 7, 19 to 24 h"
    assert say_hours({(0, 5), (2, 5), (6, 7)}) == "Mon, Wed 5 to 6 h; Sun 7 to 8 h"
    assert say_hours([]) == "no hour"


def test_table_by_neighborhood_keeps_every_neighborhood_and_never_divides_by_nobody(small_city: Path) -> None:
    city = City.open(small_city)
    data = call_data(city, city.version)
    everything = period_of(data, CallFilter())
    raw = pd.DataFrame(
        {
            "calls": [50.0, np.nan, 0.0, 20.0],
            "timed": [40.0, np.nan, 0.0, 20.0],
            "p50_min": [8.0, np.nan, np.nan, 9.0],
            "p50_low_min": [7.0, np.nan, np.nan, 8.0],
            "p50_high_min": [9.0, np.nan, np.nan, 10.0],
            "p90_min": [12.0, np.nan, np.nan, 14.0],
            "p90_low_min": [11.0, np.nan, np.nan, 12.0],
            "p90_high_min": [15.0, np.nan, np.nan, np.nan],
        }
    )
    table = neighborhood_table(raw, data, period=everything)
    assert table["name"].tolist() == ["Tremé", "Holy Cross", "Bywater", "Marigny"]
    assert table["p90_limits"].tolist()[:2] == ["11.0 to 15.0", "12.0 or more"]
    assert table["per_1000"].iloc[0] == pytest.approx(50 / 4000 * 1000 * 365.25 / 120)
    assert table["per_1000"].iloc[1:].isna().all()


@pytest.mark.parametrize(
    ("words", "period"),
    [
        ("2022-01-01 to 2022-03-21", (date(2022, 1, 1), date(2022, 3, 21))),
        ("1 January to 21 March 2022", (date(2022, 1, 1), date(2022, 3, 21))),
        ("Calls, 5 November 2021 to 3 January 2022, with Carnival", (date(2021, 11, 5), date(2022, 1, 3))),
        ("2022-03-21 to 2022-01-01", None),
        ("30 February to 21 March 2022", None),
        ("Monday to Friday", None),
        ("the year 2022", None),
        ("as of 2022-01-01", None),
    ],
)
def test_a_period_is_read_only_where_it_is_plain(words: str, period: tuple[date, date] | None) -> None:
    assert stated_period(words) == period


def test_class_limits_rise_to_the_greatest_count() -> None:
    assert class_limits(np.array([])) == []
    assert class_limits(np.array([7.0])) == [7]
    assert class_limits(np.full(20, 3.0))[-1] == 3
    limits = class_limits(np.random.default_rng(1).lognormal(3, 1.2, 500).round() + 1)
    assert limits == sorted(set(limits))
    assert 3 <= len(limits) <= 5


def test_demo_city_shows_the_page(show: Show, demo_city_dir: Path) -> None:
    page = show(demo_city_dir)
    told = figures(page)
    assert "not known" not in told.values()
    assert min(hexagons(page).values()) >= SMALLEST_SHOWN
    assert not page.warning


@pytest.mark.extract
def test_real_extract_shows_places_and_says_what_is_missing(show: Show, extract_city_dir: Path) -> None:
    page = show(extract_city_dir)
    accepted = City.open(extract_city_dir).account("calls").accepted
    assert figures(page)["Calls"] == f"{accepted:,}"
    assert sum(hexagons(page).values()) == accepted
    assert figures(page)["Median wait"] == "not known"
    assert "Places only" in notes(page)


def _scope(folder: Path) -> str:
    return f"calls.{City.open(folder).version}"


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    st.cache_resource.clear()
