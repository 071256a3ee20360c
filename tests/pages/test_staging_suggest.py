"""What a planner may ask of a list, on the page and against the figures of the plan it becomes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from data.city import City
from errors import InvalidInputError
from models import edits
from models.scenario import ScaleDemand, Scenario, SetHourOfWeek, SetOrder, SetTarget, SetUnits
from models.siting import solve_mclp
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from pages.parts.staging_suggest import list_words
from pages.parts.staging_suggest_options import current_wishes, wishes_words
from pages.parts.staging_suggest_work import (
    JOB_KEY,
    Wishes,
    compared_years,
    find_lists,
    hours_of,
    listed_names,
    todays_sites,
)
from tests.e2e.conftest import PROJECT

TIMEOUT_S = 120
TODAY = Scenario("demo")
FIVE = TODAY.having(SetUnits(5)).having(ScaleDemand(0.5))


@pytest.fixture(scope="module")
def inputs(demo_city_dir: Path) -> StagingInputs:
    return prepare_staging(City.open(demo_city_dir))


def _silent(_: float) -> None:
    return


def test_day_and_night_lists_count_the_calls_of_their_hours(inputs: StagingInputs) -> None:
    wishes = Wishes(day_and_night=True, day_hours=(7, 19))
    found = find_lists(inputs, FIVE, view_scenario(inputs, FIVE).plan, wishes, _silent)
    day, night = found.lists
    assert (day.name, day.words, night.name, night.words) == (
        "Day",
        "7:00 to 19:00",
        "Night",
        "19:00 to 7:00",
    )
    hour = inputs.call_hour[inputs.call_hour >= 0] % 24
    assert day.table.total == ((hour >= 7) & (hour < 19)).sum()
    assert day.table.total + night.table.total == len(hour)
    for shift in found.lists:
        assert sum(level.chance for level in shift.table.levels) <= 1 + 1e-9
        assert all(level.covered <= level.free_covered + 1e-9 for level in shift.table.levels)
    by_day, by_night = hours_of(inputs, FIVE, wishes)
    assert by_day.workload is not None
    assert by_night.workload is not None
    assert (by_day.workload.calls_per_hour > by_night.workload.calls_per_hour) == (
        day.table.total > night.table.total
    )
    # Twelve hours of each: their mean is the whole week's.
    whole = inputs.workload(TODAY)
    assert whole is not None
    mean = (by_day.workload.calls_per_hour + by_night.workload.calls_per_hour) / 2
    assert mean == pytest.approx(whole.calls_per_hour / 2)


def test_an_hour_at_the_left_does_not_change_the_shifts(inputs: StagingInputs) -> None:
    wishes = Wishes(day_and_night=True)
    at_night = hours_of(inputs, FIVE.having(SetHourOfWeek(3)), wishes)
    for one, other in zip(at_night, hours_of(inputs, FIVE, wishes), strict=True):
        assert one.parts[0][1] == other.parts[0][1]
        assert np.array_equal(one.weight, other.weight)


def test_rules_hold_and_the_list_becomes_the_plan_with_its_figures(inputs: StagingInputs) -> None:
    ids = inputs.posts["post_id"].astype(str).tolist()
    today = todays_sites(inputs)
    barred = tuple(post_id for at, post_id in enumerate(ids) if at not in today[:3])
    must = (ids[today[2]],)
    wishes = Wishes(must=must, barred=barred, most_at_post=2)
    plan = view_scenario(inputs, FIVE).plan
    (listed,) = find_lists(inputs, FIVE, plan, wishes, _silent).lists
    assert listed.table.sites[0] == today[2]
    assert set(listed.table.sites) == set(today[:3])
    assert sum(", unit 2" in name for name in listed_names(inputs, listed)) == 2
    used = edits.set_order(inputs.posts, FIVE, [ids[site] for site in listed.table.sites])
    view = view_scenario(inputs, used)
    assert [post.name for post in view.plan.staffed] == listed_names(inputs, listed)
    level = listed.table.levels[-1]
    assert view.outcome.coverage.share.value == pytest.approx(level.covered / listed.table.total, abs=1e-6)
    assert not isinstance(view.busy, str)
    together = [at for at, site in enumerate(listed.table.sites) if listed.table.sites.count(site) == 2]
    workload = view.busy.queue.workload
    for at in together:
        twin = next(k for k in together if k != at and listed.table.sites[k] == listed.table.sites[at])
        assert workload[at] == pytest.approx(workload[twin], abs=1e-9)
    with pytest.raises(InvalidInputError, match=r"too many units \(5\) for the places \(3"):
        find_lists(inputs, FIVE, plan, Wishes(barred=barred), _silent)


def test_fairness_lifts_the_worst_and_tells_its_price(inputs: StagingInputs) -> None:
    tight = FIVE.having(SetTarget(5.0, "departure"))
    plan = view_scenario(inputs, tight).plan
    (fair,) = find_lists(inputs, tight, plan, Wishes(lift_worst=True), _silent).lists
    assert fair.plain is not None
    lifted, before = fair.table.levels[-1].worst, fair.plain.levels[-1].worst
    assert lifted is not None
    assert before is not None
    assert lifted >= before
    assert fair.table.objective <= fair.plain.objective + 1e-9
    assert "Fairness lifts the worst neighborhood" in list_words(inputs, fair)
    for reached in (*fair.today, *fair.listed):
        assert 0 <= reached.worst <= 1
    assert {reached.demand for reached in fair.listed} == set(inputs.demand_sources)


def test_options_are_kept_while_other_views_are_shown(
    demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch, inputs: StagingInputs
) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.session_state["staging.view"] = "Suggest"
    app.run()
    first, second = inputs.posts["post_id"].astype(str).tolist()[:2]
    app.multiselect(key="suggest.must").set_value([first]).run()
    app.multiselect(key="suggest.barred").set_value([first, second]).run()
    (button,) = (button for button in app.button if button.label.startswith("Suggest "))
    assert button.disabled
    assert "both must-have and not allowed" in " ".join(str(w.value) for w in app.warning)
    app.multiselect(key="suggest.barred").set_value([second]).run()
    app.toggle(key="suggest.lift").set_value(True).run()
    app.session_state["staging.view"] = "Plan"
    app.run()
    app.session_state["staging.view"] = "Suggest"
    app.run()
    assert app.multiselect(key="suggest.must").value == [first]
    kept = app.session_state[f"staging.wishes.{demo_city_dir.name}"]
    assert kept == Wishes(must=(first,), barred=(second,), lift_worst=True)
    assert "must have" in wishes_words(inputs, kept)
    assert current_wishes(inputs) == Wishes()
    next(button for button in app.button if button.label.startswith("Suggest ")).click().run()
    job = app.session_state[JOB_KEY]
    job.wait(TIMEOUT_S)
    app.run()
    assert not app.exception
    assert job.error == ""
    next(button for button in app.button if button.label == "Use this list").click().run()
    (order,) = app.session_state["scenario.demo"].find(SetOrder)
    assert order.post_ids[0] == first
    assert second not in order.post_ids


def test_a_standard_sets_the_target_and_its_clock(
    demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S).run()
    (driving,) = (code for code in app.selectbox(key="staging.standard").options if "ALS" in code)
    app.selectbox(key="staging.standard").select(driving).run()
    assert app.session_state["scenario.demo"].find(SetTarget) == (SetTarget(8.0, "departure"),)
    text = " ".join(str(block.proto.body) for block in app.get("html"))
    assert "In 8 min of driving, every unit free" in text
    assert "wanted 90%" in text
    assert "not binding" in text
    app.slider(key="staging.target").set_value(7.0).run()
    assert app.session_state["scenario.demo"].find(SetTarget) == (SetTarget(7.0, "departure"),)
    assert app.selectbox(key="staging.standard").value == "Another target"
    assert not app.exception


def test_each_year_of_calls_is_a_demand_of_its_own(inputs: StagingInputs) -> None:
    assert inputs.years == (2025,)
    assert compared_years(inputs) == ()
    year = np.where(inputs.call_place % 3 == 0, 2024, inputs.call_year)
    year[:5] = 2023
    two = replace(inputs, call_year=year)
    assert compared_years(two) == (2024, 2025)
    alone = two.of_year(2024)
    assert len(alone.call_place) == (year == 2024).sum()
    assert alone.demand(TODAY).total == (year == 2024).sum()
    plan = view_scenario(inputs, FIVE).plan
    (one,), (both,) = (find_lists(given, FIVE, plan, Wishes(), _silent).lists for given in (inputs, two))
    assert both.runs == one.runs + 6
    assert both.table.sites == one.table.sites
    by_hand = one.chosen * one.runs
    hours = [hours_of(two.of_year(at), FIVE, Wishes())[0] for at in (2024, 2025)]
    for hour in hours:
        for speed in (inputs.city.profile.speed_range.low, 1.0, inputs.city.profile.speed_range.high):
            by_hand[list(solve_mclp(hour.reach(two, speed), hour.weight, 5).sites)] += 1
    np.testing.assert_allclose(both.chosen * both.runs, by_hand)
