"""Disruptions on the staging page: each is one tap, changes what it should, and says what it cuts off."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from streamlit.testing.v1 import AppTest

from data.city import City
from data.derived import Roads, TravelTimes
from errors import InvalidInputError
from geo.travel_time import travel_times
from models import edits
from models.changes import CloseRoad, DivertHospital, FloodStreets, LoseUnits
from models.scenario import Scenario
from pages.parts.palette import Theme
from pages.parts.staging_disruptions import (
    cut_off_words,
    disruption_areas,
    disruption_words,
    no_hospital_words,
    route_days,
)
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from pages.parts.staging_map import live_field
from pages.parts.staging_world import make_world, plan_week
from tests.e2e.conftest import PROJECT

APP = PROJECT / "app.py"
TIMEOUT_S = 60
TODAY = Scenario("new-orleans")
ROUTE = "Uptown parade route (St. Charles Avenue)"
RIVER = "Crescent City Connection"
SHUT, SLOW = "Canal Boulevard underpass", "South Claiborne Avenue, Jefferson to State"


@pytest.fixture
def app(demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    return AppTest.from_file(APP, default_timeout=TIMEOUT_S).run()


@pytest.fixture(scope="module")
def inputs(demo_city_dir: Path) -> StagingInputs:
    return prepare_staging(City.open(demo_city_dir))


def _text(app: AppTest) -> str:
    return " ".join(str(block.proto.body) for block in app.get("html"))


def _scenario(app: AppTest) -> Scenario:
    scenario: Scenario = app.session_state["scenario.demo"]
    return scenario


def test_each_disruption_is_one_tap_and_is_taken_back_by_another(app: AppTest) -> None:
    for name, value, change in (
        ("closed.bridge", RIVER, CloseRoad(RIVER)),
        ("closed.route", ROUTE, CloseRoad(ROUTE)),
        ("floods", SHUT, FloodStreets(SHUT)),
    ):
        app.pills(key=f"staging.{name}.0").set_value([value]).run()
        assert change in _scenario(app).changes
        assert change.sentence() in _text(app)
    # Another group's choice leaves these alone.
    assert len(_scenario(app).changes) == 3
    hospital = app.pills(key="staging.diverted.0").options[0]
    app.pills(key="staging.diverted.0").select(hospital).run()
    (diverted,) = _scenario(app).find(DivertHospital)
    assert f"{hospital} is on diversion" in _text(app)
    app.number_input(key="staging.units_lost.0").set_value(2).run()
    assert _scenario(app).find(LoseUnits) == (LoseUnits(2),)
    assert Scenario.from_text(str(app.query_params["scenario"])) == _scenario(app)
    for name in ("closed.bridge", "closed.route", "floods", "diverted"):
        app.pills(key=f"staging.{name}.0").set_value([]).run()
    app.number_input(key="staging.units_lost.0").set_value(0).run()
    assert _scenario(app).changes == ()
    assert diverted.hospital_id
    assert not app.exception


def test_a_disruption_taken_back_by_undo_stays_away(app: AppTest) -> None:
    app.pills(key="staging.closed.bridge.0").set_value([RIVER]).run()
    next(button for button in app.button if button.label == "Undo").click().run()
    assert _scenario(app).changes == ()
    # A fresh control: what the browser still holds of the old one cannot come back.
    assert app.pills(key="staging.closed.bridge.1").value == []
    app.pills(key="staging.closed.bridge.1").set_value([RIVER]).run()
    assert _scenario(app).changes == (CloseRoad(RIVER),)


def test_the_days_of_a_route_are_said_in_words(app: AppTest, inputs: StagingInputs) -> None:
    routes = {c.name: c for c in inputs.city.profile.closures if c.kind == "route"}
    words = route_days(routes[ROUTE])
    assert words.startswith("Wed 3 Feb 2027 Druids, Nyx; Thu 4 Feb 2027 ")
    assert "Tue 9 Feb 2027 Mardi Gras" in words
    assert words[:40] in _text(app)


def test_a_route_is_reached_slower_and_no_disruption_helps(inputs: StagingInputs) -> None:
    today = view_scenario(inputs, TODAY)
    for change in (CloseRoad(ROUTE), FloodStreets(SHUT), FloodStreets(SLOW), LoseUnits(2)):
        view = view_scenario(inputs, TODAY.having(change))
        assert (view.outcome.field_s >= today.outcome.field_s - 1e-3).all()
        assert (view.outcome.field_s > today.outcome.field_s + 10).any(), change
    route = inputs.times.state(Roads(closures=(ROUTE,)))
    parade = view_scenario(inputs, TODAY.having(CloseRoad(ROUTE)))
    assert np.isfinite(parade.outcome.field_s[route.no_through & inputs.network.main]).all()
    assert len(view_scenario(inputs, TODAY.having(LoseUnits(2))).plan.staffed) == 8


def test_drives_under_roads_are_those_of_the_search(inputs: StagingInputs) -> None:
    roads = Roads(closures=(ROUTE, RIVER), floods=(SLOW, SHUT))
    assert roads == Roads(closures=(RIVER, ROUTE, RIVER), floods=(SHUT, SLOW))
    streets, profile = inputs.city.areas("streets"), inputs.city.profile
    edges = {e.name: e.select(streets) for e in (*profile.closures, *profile.floods)}
    state = inputs.times.state(roads)
    assert (state.closed == (edges[RIVER] | edges[SHUT])).all()
    assert (state.speed_factor[edges[ROUTE]] == 0.25).all()
    assert (state.speed_factor[edges[SLOW]] == 0.4).all()
    rows, _ = inputs.times.from_candidates(inputs.posts, roads)
    nodes, _ = inputs.network.snap(inputs.posts["lon"], inputs.posts["lat"])
    expected = travel_times(
        inputs.network,
        nodes[:4],
        closed=state.closed,
        no_through=state.no_through,
        speed_factor=state.speed_factor,
    )
    assert np.array_equal(rows[:4], expected)
    doubled = TravelTimes(inputs.city, {"fast": np.full(inputs.network.n_edges, 2.0)})
    np.testing.assert_allclose(
        doubled.rows(nodes[:2], Roads(speeds="fast")), inputs.times.rows(nodes[:2]) / 2, rtol=1e-5
    )


def test_the_browser_is_told_the_same_roads(inputs: StagingInputs) -> None:
    scenario = TODAY.having(CloseRoad(ROUTE)).having(CloseRoad(RIVER)).having(FloodStreets(SLOW))
    view, network = view_scenario(inputs, scenario), inputs.network
    live = live_field(inputs, view, scenario, Theme(dark=False))
    assert live is not None
    factor = np.array(live.speed_factor_by_class)[network.edge_class]
    factor[list(live.speed_factor_of_edge)] = list(live.speed_factor_of_edge.values())
    state = inputs.times.state(inputs.roads(scenario))
    np.testing.assert_allclose(factor, view.conditions.speed_factor * state.speed_factor)
    assert len(live.speed_factor_of_edge) < 200
    assert set(live.closed_edges) == set(np.flatnonzero(state.closed))
    assert set(live.no_through_nodes) == set(np.flatnonzero(state.no_through))


def test_unknown_names_are_told_together(inputs: StagingInputs) -> None:
    with pytest.raises(InvalidInputError) as caught:
        inputs.times.state(Roads(closures=("No Bridge",), floods=("Dry Street",), speeds="guessed"))
    for words in ("no closure named No Bridge", "no flood named Dry Street", "speeds named guessed"):
        assert words in str(caught.value)


def test_what_is_cut_off_is_said_with_its_cause(inputs: StagingInputs) -> None:
    assert cut_off_words(inputs, TODAY, view_scenario(inputs, TODAY)) == ""
    algiers = [
        str(post_id)
        for post_id, lon, lat in zip(
            inputs.posts["post_id"], inputs.posts["lon"], inputs.posts["lat"], strict=True
        )
        if lat < 29.945 and lon > -90.055
    ]
    shut = TODAY.having(CloseRoad(RIVER))
    for post_id in algiers:
        shut = edits.empty_post(inputs.posts, shut, post_id)
    words = cut_off_words(inputs, shut, view_scenario(inputs, shut))
    assert words.startswith("No way leads to ")
    assert "Crescent City Connection is closed." in words


def test_patients_without_a_hospital_are_told_before_the_simulation(inputs: StagingInputs) -> None:
    workload = inputs.workload(TODAY)
    assert workload is not None
    everywhere = TODAY
    for hospital_id in inputs.hospital_names:
        everywhere = everywhere.having(DivertHospital(hospital_id))
    for scenario, said in (
        (everywhere, "on diversion: no ambulance goes there. Take one off diversion"),
        (
            TODAY.having(CloseRoad(RIVER)),
            "no open hospital can be reached. Crescent City Connection is closed.",
        ),
    ):
        view = view_scenario(inputs, scenario)
        world = make_world(inputs, scenario, view)
        with pytest.raises(InvalidInputError) as caught:
            plan_week(world, view.plan, scenario, workload)
        assert said in str(caught.value)
    one = TODAY.having(DivertHospital(next(iter(inputs.hospital_names))))
    week = plan_week(make_world(inputs, one, view_scenario(inputs, one)), view.plan, one, workload)
    assert len(week.hospitals) == len(inputs.hospital_names) - 1


def test_the_words_tell_a_share_and_its_cause(inputs: StagingInputs) -> None:
    share = np.array([0.25, 0.75])
    assert no_hospital_words(inputs, TODAY, np.array([[1.0, np.inf], [np.inf, 2.0]]), share) == ""
    words = no_hospital_words(inputs, TODAY, np.array([[np.inf], [3.0]]), share)
    assert words.startswith("From 25.0% of the calls no open hospital can be reached. No street leads there.")
    assert "Decide in the city's profile" in no_hospital_words(inputs, TODAY, np.empty((2, 0)), share)


def test_streets_in_disruption_are_drawn(inputs: StagingInputs) -> None:
    theme = Theme(dark=False)
    assert disruption_areas(inputs, TODAY, theme) == []
    scenario = TODAY.having(CloseRoad(ROUTE)).having(CloseRoad(RIVER)).having(FloodStreets(SHUT))
    closed, parade, water = disruption_areas(inputs, scenario, theme)
    assert [area.legend for area in (closed, parade, water)] == [
        "closed",
        "parade: reached, not crossed",
        "high water",
    ]
    streets = inputs.city.areas("streets")
    route = next(closure for closure in inputs.city.profile.closures if closure.name == ROUTE)
    lines = streets.geometry.to_numpy()[route.select(streets)]
    assert shapely.covers(shapely.buffer(parade.geometry, 1e-7), lines).all()
    assert len({closed.fill, parade.fill, water.fill}) == 3
    assert disruption_words(inputs, scenario)[0] == f"{ROUTE} is closed."
