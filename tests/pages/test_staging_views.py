"""Suggest, Simulate and Compare on the demo city: lists that can be used, weeks that repeat yesterday."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from data.city import City
from models.dispatch import thin_minutes
from models.scenario import CloseRoad, MovePost, Scenario, SetHourOfWeek, SetOrder, SetUnits
from models.staging import merged_field
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from pages.parts.staging_simulate import JOB_KEY as SIMULATION_KEY
from pages.parts.staging_simulate import SimulatedWeeks, simulation_table, thin_table
from pages.parts.staging_suggest_work import JOB_KEY as SUGGESTION_KEY
from pages.parts.staging_suggest_work import reach_matrix
from pages.parts.staging_world import make_world, plan_week
from tests.e2e.conftest import PROJECT

TIMEOUT_S = 120
TODAY = Scenario("new-orleans")


@pytest.fixture(scope="module")
def inputs(demo_city_dir: Path) -> StagingInputs:
    return prepare_staging(City.open(demo_city_dir))


def _app(demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch, view: str) -> AppTest:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.session_state["staging.view"] = view
    return app.run()


def _press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def test_a_suggested_list_can_be_used(demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _app(demo_city_dir, monkeypatch, "Suggest")
    app = _press(app, "Suggest 10")
    app.session_state[SUGGESTION_KEY].wait(TIMEOUT_S)
    app.run()
    assert not app.exception
    found = app.session_state[SUGGESTION_KEY].result
    assert found is not None
    (listed,) = found.lists
    covered = [level.covered for level in listed.table.levels]
    assert covered == sorted(covered)
    assert all(level.covered <= level.free_covered + 1e-9 for level in listed.table.levels)
    _press(app, "Use this list")
    (change,) = app.session_state["scenario.demo"].changes
    assert isinstance(change, SetOrder)
    assert len(change.post_ids) == 10
    assert "another settings" not in str(app.warning)


def test_the_reach_matrix_is_the_coverage_of_the_page(inputs: StagingInputs) -> None:
    view = view_scenario(inputs, TODAY)
    reach = reach_matrix(inputs, inputs.roads(TODAY), view.demand, view.conditions)
    staffed = inputs.posts["baseline_rank"].notna().to_numpy()
    share = view.demand.weight @ reach[:, staffed].any(axis=1) / view.demand.total
    assert share == pytest.approx(view.outcome.coverage.share.value, abs=1e-6)


def test_weeks_are_simulated_and_compared(demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _app(demo_city_dir, monkeypatch, "Simulate")
    app.slider(key="staging.units").set_value(7).run()
    app = _press(app, "Simulate")
    job = app.session_state[SIMULATION_KEY]
    job.wait(TIMEOUT_S)
    assert job.error == ""
    app.run()
    assert not app.exception
    result: SimulatedWeeks = job.result
    table = simulation_table(result, first="Code 3").set_index("figure")
    assert table.loc["In time", "verdict"] == "worse"
    assert table.loc["Units busy", "verdict"] == "worse"
    assert (thin_table(result.thin)["minutes"].diff().dropna() <= 0).all()


def test_simulated_weeks_repeat_the_demos_year(inputs: StagingInputs) -> None:
    """Within its own conditions the simulator gives back the demo's busy share and share in time, roughly.

    Only roughly: the demo drives at planted speeds by class and band, has shifts and festival days, and its
    dispatcher counts from the straight line. The replay of a month under its real plan is the exact test.
    """
    view = view_scenario(inputs, TODAY)
    workload = inputs.workload(TODAY)
    assert workload is not None
    week = plan_week(make_world(inputs, TODAY, view), view.plan, TODAY, workload)
    weeks = week.replicate(40, 12.0, lambda _: None)
    table = inputs.city.table("unit_responses")
    busy = weeks.interval("utilisation").mean * len(view.plan.staffed)
    assert busy == pytest.approx(workload.units_busy, rel=0.10)
    assert len(table) > 10_000
    assert 0.6 < weeks.interval("within_target").mean < view.outcome.coverage.share.value
    assert weeks.interval("unserved").mean == 0.0


def test_the_simulators_drives_are_the_pages(inputs: StagingInputs) -> None:
    # The first closure cuts calls off from every hospital, which is refused; this one is driven around.
    scenario = TODAY.having(CloseRoad(inputs.city.profile.closures[1].name)).having(
        MovePost(str(inputs.posts["post_id"].iloc[0]), -90.08, 29.96)
    )
    view = view_scenario(inputs, scenario)
    world = make_world(inputs, scenario, view)
    workload = inputs.workload(scenario)
    assert workload is not None
    week = plan_week(world, view.plan, scenario, workload)
    posts = len(view.plan.staffed)
    assert len(week.travel_min) == len(inputs.city.profile.hour_bands)
    for hour in (2, 7, 12, 6 * 24 + 15):
        there = view_scenario(inputs, scenario.having(SetHourOfWeek(hour)))
        drives = week.travel_min[inputs.band_of_hour[hour]]
        np.testing.assert_allclose(
            drives[-posts:, : world.n_cells].min(axis=0),
            there.outcome.field_s[world.nodes[: world.n_cells]] / 60,
            rtol=1e-4,
        )
    places = view.plan.places()
    nodes, access_m = inputs.network.snap(places[:, 0], places[:, 1])
    again = merged_field(inputs.times.rows(nodes, inputs.roads(scenario)), access_m, view.conditions)
    assert np.array_equal(again, view.outcome.field_s)


def test_thin_minutes_lie_in_the_week(inputs: StagingInputs) -> None:
    scenario = TODAY.having(SetUnits(6))
    view = view_scenario(inputs, scenario)
    workload = inputs.workload(scenario)
    assert workload is not None
    thin = thin_minutes(plan_week(make_world(inputs, scenario, view), view.plan, scenario, workload).one())
    assert len(thin) > 0
    assert thin["free"].max() <= 1
    assert (thin["starts_min"] >= 0).all()
    assert thin["ends_min"].max() <= 7 * 1440 + 1e-6


def test_the_compare_view_shows_every_instrument(
    demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _app(demo_city_dir, monkeypatch, "Compare")
    assert not app.exception
    shares, arrests = (frame.value for frame in app.dataframe if "by" in frame.value)
    labels = ["Every unit free", "  worst area", "Expected cover", "Queue", "Simulated weeks"]
    assert shares["by"].tolist() == labels
    free, expected, queue = (float(shares["today"].iloc[at].rstrip("%")) for at in (0, 2, 3))
    assert free > expected
    assert free > queue
    assert arrests["by"].tolist() == ["De Maio 2003", "Larsen 1993"]
    de_maio, larsen = (float(value.rstrip("%")) for value in arrests["today"])
    assert 0 < de_maio < 20 < larsen < 67
    app.segmented_control(key="staging.defibrillator").set_value("Fire engine").run()
    app.number_input(key="staging.engine_min").set_value(3.0).run()
    sooner = [frame.value for frame in app.dataframe if "by" in frame.value][1]["today"]
    assert float(sooner.iloc[0].rstrip("%")) > de_maio
    assert float(sooner.iloc[1].rstrip("%")) > larsen
