"""The staging page without a browser: controls write the scenario, and missing tables are named."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from data.city import City
from models import edits
from models.plan import make_plan
from models.scenario import CloseRoad, ScaleDemand, Scenario, SetClock, SetHourOfWeek, SetUnits
from pages.parts import staging_map
from pages.parts.city_map import MapPost
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from tests.e2e.conftest import PROJECT

APP = PROJECT / "app.py"
TIMEOUT_S = 60


@pytest.fixture
def app(demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    return AppTest.from_file(APP, default_timeout=TIMEOUT_S).run()


@pytest.fixture(scope="module")
def inputs(demo_city_dir: Path) -> StagingInputs:
    city = City.open(demo_city_dir)
    return prepare_staging(city)


def _scenario(app: AppTest) -> Scenario:
    scenario: Scenario = app.session_state["scenario.demo"]
    return scenario


def _text(app: AppTest) -> str:
    return " ".join(str(block.proto.body) for block in app.get("html"))


def test_the_first_look_says_what_to_try_and_that_it_is_a_demo(app: AppTest) -> None:
    assert not app.exception
    text = _text(app)
    for words in (
        "Drag a post",
        "DEMO DATA, NOT REAL",
        "In 12 min, every unit free",
        "In 12 min, units busy",
        "Drive: median, 90th percentile",
    ):
        assert words in text
    assert "Synthetic demo city" in text


def test_controls_write_the_scenario_and_undo_takes_it_back(app: AppTest) -> None:
    app.slider(key="staging.units").set_value(6).run()
    assert _scenario(app).changes == (SetUnits(6),)
    app.slider(key="staging.handling").set_value(120).run()
    app.slider(key="staging.demand_growth").set_value(150).run()
    app.selectbox(key="staging.day").set_value("Sat").run()
    app.slider(key="staging.hour").set_value(22).run()
    closed = "St. Claude Avenue bridge"
    app.pills(key="staging.closed.bridge.0").set_value([closed]).run()
    scenario = _scenario(app)
    assert scenario.find(SetClock)[0].call_handling_s == 120
    assert scenario.find(ScaleDemand)[0].factor == 1.5
    assert scenario.find(SetHourOfWeek)[0].hour == 5 * 24 + 22
    assert scenario.find(CloseRoad)[0].name == closed
    assert Scenario.from_text(str(app.query_params["scenario"])) == scenario
    next(button for button in app.button if button.label == "Undo").click().run()
    assert not _scenario(app).find(CloseRoad)
    next(button for button in app.button if button.label == "Reset").click().run()
    assert _scenario(app).changes == ()
    assert "scenario" not in app.query_params
    assert not app.exception


def test_an_address_that_cannot_be_read_leaves_the_plan_of_today(
    demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    fresh = AppTest.from_file(APP, default_timeout=TIMEOUT_S)
    fresh.query_params["scenario"] = "not-a-scenario"
    fresh.run()
    assert not fresh.exception
    assert "cut short or altered" in fresh.toast[0].value
    assert _scenario(fresh).changes == ()


def _without_table(folder: Path, out: Path, table: str) -> None:
    import json

    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("cache", "truth"))
    (out / "tables" / f"{table}.parquet").unlink()
    manifest = json.loads((out / "manifest.json").read_text())
    del manifest["tables"][table]
    (out / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("table", ["posts", "calls", "water"])
def test_a_missing_table_is_named_or_done_without(
    demo_city_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    _without_table(demo_city_dir, tmp_path / "city", table)
    monkeypatch.setenv("CRESCENT_CITIES", str(tmp_path))
    app = AppTest.from_file(APP, default_timeout=TIMEOUT_S).run()
    assert not app.exception
    if table == "posts":
        assert "posts" in app.info[0].value
    elif table == "calls":
        assert "people live out of reach" in _text(app)
    else:
        assert "In 12 min, every unit free" in _text(app)


def test_units_taken_away_never_help(inputs: StagingInputs) -> None:
    shares = []
    for units in range(11):
        view = view_scenario(inputs, Scenario("new-orleans", (SetUnits(units),)))
        assert len(view.plan.staffed) == min(units, 10)
        shares.append(view.outcome.coverage.share.value)
    assert shares == sorted(shares)
    assert shares[0] == 0.0


def test_closing_a_bridge_never_helps_and_hours_count_their_own_calls(inputs: StagingInputs) -> None:
    today = view_scenario(inputs, Scenario("new-orleans"))
    for closure in inputs.city.profile.closures:
        closed = view_scenario(inputs, Scenario("new-orleans", (CloseRoad(closure.name),)))
        assert closed.outcome.coverage.median_s.value >= today.outcome.coverage.median_s.value - 1e-6
        assert closed.outcome.coverage.share.value <= today.outcome.coverage.share.value + 1e-12
    calls = inputs.city.table("calls")
    opened = calls.loc[calls["agency"] == "EMS", "opened_at"].dropna()
    night = view_scenario(inputs, Scenario("new-orleans", (SetHourOfWeek(5 * 24 + 22),))).demand
    by_hand = ((opened.dt.day_of_week == 5) & opened.dt.hour.isin([21, 22, 23])).sum()
    assert night.total == night.sampled == by_hand


def test_a_candidate_is_read_from_disk_the_second_time(inputs: StagingInputs) -> None:
    rows, access_m = inputs.times.from_candidates(inputs.posts)
    path = inputs.city.cache_dir / f"post-times-{inputs.city.version}.npy"
    assert path.exists()
    node = inputs.network.snap(inputs.posts["lon"], inputs.posts["lat"])[0]
    assert (inputs.times.rows(node[:3]) == rows[:3]).all()
    assert len(access_m) == len(inputs.posts)


def test_no_column_of_the_calls_names_a_person(demo_city_dir: Path) -> None:
    columns = set(pq.read_schema(demo_city_dir / "tables" / "calls.parquet").names)
    assert not {column for column in columns if any(word in column for word in ("name", "phone", "patient"))}
    assert isinstance(City.open(demo_city_dir).table("calls"), pd.DataFrame)


def test_two_units_at_a_post_are_one_marker(
    app: AppTest, inputs: StagingInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the map gets, and what a drag and a click of that marker do; each is one step to undo."""
    given: list[dict[str, Any]] = []
    events: list[dict[str, object]] = []

    def city_map(**values: Any) -> None:  # noqa: ANN401 -- whatever the page gives
        given.append(values)
        if events:
            st.session_state[staging_map.MAP_KEY] = SimpleNamespace(event=events.pop())
            values["on_event"]()

    def after(*done: dict[str, object]) -> dict[str, MapPost]:
        events.extend(done)
        for _ in range(1 + len(done)):
            app.run()
        assert not app.exception
        return {post.id: post for post in given[-1]["posts"]}

    monkeypatch.setattr(staging_map, "city_map", city_map)
    ids = [post.post_id for post in make_plan(inputs.posts, Scenario("new-orleans")).posts]
    twice = edits.set_order(inputs.posts, _scenario(app), [*ids[:6], ids[0]])
    app.session_state["scenario.demo"] = twice
    markers = after()
    first = markers[ids[0]]
    assert len(markers) == len(ids)
    assert (first.mark, first.state, first.removable) == ("1+7", "staffed", False)
    assert "2 units, numbers 1 and 7" in first.note
    assert {markers[post_id].mark for post_id in ids[1:6]} == set("23456")

    markers = after({"type": "move", "id": ids[0], "lon": -90.0512, "lat": 29.9512})
    moved = markers[ids[0]]
    assert len(markers) == len(ids)
    assert (moved.mark, moved.lon, moved.lat, moved.changed) == ("1+7", -90.0512, 29.9512, True)
    next(button for button in app.button if button.label == "Undo").click().run()
    assert _scenario(app) == twice

    markers = after({"type": "toggle", "id": ids[0]})
    assert (markers[ids[0]].mark, len(markers)) == ("1", len(ids))
    assert "alone" in markers[ids[0]].note
    assert after({"type": "toggle", "id": ids[0]})[ids[0]].state == "off"

    app.session_state["scenario.demo"] = edits.set_order(inputs.posts, twice, [*ids[:9], ids[9], ids[9]])
    assert after()[ids[9]].mark == "2x"
