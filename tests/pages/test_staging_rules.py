"""Rules of dispatch on the staging page: chosen in the popover, in the address, and felt by the weeks."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from data.city import City
from errors import InvalidInputError
from models.dispatch import compare, thin_minutes
from models.dispatch_groups import FIRST, WORST
from models.dispatch_thin import IN_WORDS
from models.scenario import DivertHospital, Scenario, SetHourOfWeek, SetRules, SetUnits
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from pages.parts.staging_rules import changed_rules
from pages.parts.staging_simulate import JOB_KEY, SimulatedWeeks, simulation_table
from pages.parts.staging_world import Week, call_mix, city_roster, make_world, plan_week
from tests.e2e.conftest import PROJECT

TIMEOUT_S = 120
TODAY = Scenario("new-orleans")
ALL_RULES = SetRules("priority", preempt=True, compliance=True, move_up=True, shifts=True, als_first=True)


@pytest.fixture(scope="module")
def inputs(demo_city_dir: Path) -> StagingInputs:
    return prepare_staging(City.open(demo_city_dir))


def _week(inputs: StagingInputs, scenario: Scenario) -> Week:
    view, workload = view_scenario(inputs, scenario), inputs.workload(scenario)
    assert workload is not None
    return plan_week(make_world(inputs, scenario, view), view.plan, scenario, workload)


def test_rules_are_chosen_simulated_and_compared_with_the_plain_ones(
    demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.session_state["staging.view"] = "Simulate"
    app.run()
    app.radio(key="staging.rules.queue").set_value("priority").run()
    app.checkbox(key="staging.rules.preempt").check().run()
    app.radio(key="staging.against").set_value("rules").run()
    assert app.session_state["scenario.demo"].find(SetRules) == (SetRules("priority", preempt=True),)
    assert Scenario.from_text(str(app.query_params["scenario"])) == app.session_state["scenario.demo"]
    next(button for button in app.button if button.label == "Simulate").click().run()
    job = app.session_state[JOB_KEY]
    job.wait(TIMEOUT_S)
    assert job.error == ""
    app.run()
    assert not app.exception
    result: SimulatedWeeks = job.result
    assert result.against == "rules"
    table = simulation_table(result, first="Code 3").set_index("figure")
    assert table.loc["Code 3 in time", "verdict"] == "better"
    assert "Worst area" in table.index
    app.radio(key="staging.rules.queue").set_value("longest").run()
    assert app.session_state["scenario.demo"].changes == ()
    assert any("another scenario" in str(warning.value) for warning in app.warning)


def test_a_choice_takes_along_what_cannot_stand_without_it() -> None:
    assert changed_rules(ALL_RULES, "queue", "longest").preempt is False
    assert changed_rules(ALL_RULES, "free", "home").move_up is False
    assert changed_rules(ALL_RULES, "shifts", value=False).als_first is False
    for field, value in (("queue", "longest"), ("free", "fill"), ("shifts", False), ("als_first", False)):
        assert changed_rules(ALL_RULES, field, value).faults() == []


def test_priorities_and_shifts_are_read_from_the_city(inputs: StagingInputs) -> None:
    mix = call_mix(inputs.city)
    assert mix.names == ("Code 3", "Code 2")
    calls = inputs.city.table("calls")
    medical = calls[calls["agency"] == "EMS"]
    assert mix.share[0] == pytest.approx((medical["priority"] == "Code 3").mean())
    roster = city_roster(inputs.city)
    assert set(roster.home) <= set(inputs.posts["post_id"].astype(str))
    assert {"ALS", "BLS"} == set(roster.unit_type)
    assert len(roster.unit_id) == 14


def test_thin_minutes_tell_their_cause_under_every_rule(inputs: StagingInputs) -> None:
    week = _week(inputs, TODAY.having(SetUnits(6)).having(ALL_RULES))
    done = week.one()
    assert len(done.turned_away) > 0
    assert done.units["moves"].sum() > 0
    assert set(done.units["unit_type"]) == {"ALS", "BLS"}
    thin = thin_minutes(done)
    assert len(thin) > 0
    assert set(thin["cause"]) <= {*IN_WORDS.values(), "few units on shift"}
    assert (thin["began"] != "").all()
    assert (thin["free"] <= thin["on_duty"]).all()


def test_more_units_on_shift_and_held_posts_reach_more(inputs: StagingInputs) -> None:
    weeks = {
        rules: _week(inputs, TODAY.having(rules)).replicate(40, 12.0, lambda _: None)
        for rules in (SetRules(), SetRules(compliance=True), SetRules(shifts=True))
    }
    plain, held, shifts = weeks.values()
    assert compare(plain, held, "within_target").verdict == "better"
    assert compare(plain, shifts, "within_target").verdict == "better"
    assert FIRST in plain.figures
    assert WORST not in plain.figures
    calls = sum(values.sum() for name, values in plain.figures.items() if name.startswith("area_calls"))
    assert calls == pytest.approx(plain.figures["calls"].sum(), rel=0.02)


def test_an_hour_is_simulated_with_its_own_units_and_no_rhythm(inputs: StagingInputs) -> None:
    noon, night = (
        _week(inputs, TODAY.having(SetRules(shifts=True)).having(SetHourOfWeek(hour))) for hour in (12, 4)
    )
    assert len(noon.units) > len(night.units)
    assert noon.calls.per_h.sum(axis=0).std() == pytest.approx(0.0, abs=1e-12)


def test_a_hospital_on_diversion_takes_nobody(inputs: StagingInputs) -> None:
    table = inputs.city.table("hospitals")
    first = str(table.loc[table["receives_911"].astype(bool), "hospital_id"].iloc[0])
    whole, fewer = (_week(inputs, scenario) for scenario in (TODAY, TODAY.having(DivertHospital(first))))
    assert len(fewer.hospitals) == len(whole.hospitals) - 1


@pytest.mark.extract
def test_a_city_without_shifts_or_priorities_says_so(
    extract_city_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(extract_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.session_state["staging.view"] = "Simulate"
    app.run()
    text = " ".join(str(block.proto.body) for block in app.get("html"))
    assert "always on duty: this city gives no shifts" in text
    assert "Calls are of one priority" in text
    assert app.checkbox(key="staging.rules.shifts").disabled
    city = City.open(extract_city_dir)
    with pytest.raises(InvalidInputError, match="ask for the city's shifts"):
        city_roster(city)
