"""Fitted speeds in the place of the assumed ones: chosen, kept, missing, and nearer to what was planted."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from streamlit.testing.v1 import AppTest

from data.city import City
from data.fitted import FittedSpeeds, fitted_path, read_fitted, write_fitted
from geo.travel_time import travel_times
from models.scenario import Scenario, SetHourOfWeek, SetSpeedFactor, SetSpeeds
from models.staging import post_seconds
from models.trips import DrivenSpeeds
from pages.parts.staging_fit_view import all_speeds_csv, area_table, speed_table
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario, with_fitted
from pages.parts.staging_speeds import KEY, hour_words, range_words, source_words, speeds_words
from pages.parts.staging_world import make_world, plan_week
from pages.parts.staging_yesterday import keep_yesterday, usual_rule
from tests.data.fitted_case import fitted_speeds, planted_kph
from tests.e2e.conftest import PROJECT

TIMEOUT_S = 120
TODAY = Scenario("new-orleans")
FITTED = TODAY.having(SetSpeeds("fitted"))
RUSH = 8
ACCESS_S = 30.0


@pytest.fixture(scope="module")
def folder(demo_city_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a demo city whose cache is this module's own."""
    out = tmp_path_factory.mktemp("fitted") / "demo"
    shutil.copytree(demo_city_dir, out, ignore=shutil.ignore_patterns("fitted-speeds-*"))
    return out


@pytest.fixture(scope="module")
def city(folder: Path) -> City:
    return City.open(folder)


@pytest.fixture(scope="module")
def planted(city: City) -> FittedSpeeds:
    """A fit that found exactly the planted speeds."""
    return fitted_speeds(city, planted_kph(city), access_s=ACCESS_S)


@pytest.fixture(scope="module")
def unfitted(city: City) -> StagingInputs:
    return prepare_staging(city)


@pytest.fixture
def kept(city: City, planted: FittedSpeeds) -> Iterator[Path]:
    path = write_fitted(city, planted)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def inputs(unfitted: StagingInputs, kept: Path) -> StagingInputs:
    assert kept.exists()
    return with_fitted(unfitted)


def _drive_s(inputs: StagingInputs, scenario: Scenario) -> npt.NDArray[np.float64]:
    """(n_posts, n_nodes) seconds as the page has them, without what passes at both ends."""
    rows, _ = inputs.times.from_candidates(inputs.posts, inputs.roads(scenario))
    return rows.astype(np.float64) / inputs.conditions(scenario).speed_factor


def _planted_s(inputs: StagingInputs, hour: int, *, siren: bool = True) -> npt.NDArray[np.float64]:
    speeds = DrivenSpeeds(planted_kph(inputs.city), ACCESS_S)
    factor = speeds.factor(inputs.network, int(inputs.band_of_hour[hour]), siren=siren)
    nodes = inputs.network.snap(inputs.posts["lon"], inputs.posts["lat"])[0]
    return travel_times(inputs.network, nodes, speed_factor=factor).astype(np.float64)


@pytest.mark.parametrize("hour", [2, RUSH, 12, 20, 5 * 24 + 3, 6 * 24 + 15])
def test_each_hour_is_driven_at_the_speeds_of_its_band(inputs: StagingInputs, hour: int) -> None:
    scenario = FITTED.having(SetHourOfWeek(hour))
    np.testing.assert_allclose(_drive_s(inputs, scenario), _planted_s(inputs, hour), rtol=1e-5)
    faster = scenario.having(SetSpeedFactor(1.25))
    np.testing.assert_allclose(1.25 * _drive_s(inputs, faster), _planted_s(inputs, hour), rtol=1e-5)


def test_the_week_is_the_mean_drive_of_its_calls(inputs: StagingInputs) -> None:
    """Between the mean of the bands' fastest drives and the drive on any one path, so within a percent."""
    demand, share = inputs.demand(TODAY), np.bincount(inputs.call_hour[inputs.call_hour >= 0], minlength=168)
    share = share / share.sum()
    hours = [int(np.flatnonzero(inputs.band_of_hour == band)[0]) for band in range(7)]
    weight = np.bincount(inputs.band_of_hour, share)
    mean_s = sum(w * _planted_s(inputs, hour) for w, hour in zip(weight, hours, strict=True))
    week_s = _drive_s(inputs, FITTED)[:, demand.node]
    assert (week_s >= mean_s[:, demand.node] * (1 - 1e-5)).all()
    assert np.average(week_s.mean(axis=0), weights=demand.weight) < 1.01 * np.average(
        mean_s[:, demand.node].mean(axis=0), weights=demand.weight
    )


def test_the_ends_of_a_drive_are_counted_once(inputs: StagingInputs) -> None:
    view = view_scenario(inputs, FITTED)
    conditions = view.conditions
    assert (conditions.access_s, conditions.speed_factor) == (ACCESS_S, 1.0)
    assert conditions.access_kph == pytest.approx(3.6 / 0.24)
    assert [conditions.speed_low, conditions.speed_high] == pytest.approx([0.98, 1.02])
    staffed = inputs.posts["baseline_rank"].notna().to_numpy()
    by_post = _drive_s(inputs, FITTED)[:, view.demand.node] + 0.24 * view.demand.access_m + ACCESS_S
    by_post += 0.24 * inputs.network.snap(inputs.posts["lon"], inputs.posts["lat"])[1][:, None]
    by_hand = by_post[staffed].min(axis=0)
    np.testing.assert_allclose(view.outcome.seconds, by_hand, rtol=1e-4)
    rows, access_m = inputs.times.from_candidates(inputs.posts, inputs.roads(FITTED))
    np.testing.assert_allclose(post_seconds(rows, access_m, view.demand, conditions), by_post, rtol=1e-4)


def test_home_is_driven_without_siren(inputs: StagingInputs, unfitted: StagingInputs) -> None:
    scenario, demand = FITTED.having(SetHourOfWeek(RUSH)), inputs.demand(TODAY.having(SetHourOfWeek(RUSH)))
    quiet_s, siren_s = (
        (_planted_s(inputs, RUSH, siren=siren)[:, demand.node] @ demand.weight).sum()
        for siren in (False, True)
    )
    assert inputs.home_factor(scenario) == pytest.approx(quiet_s / siren_s, rel=1e-5)
    assert 1.1 < quiet_s / siren_s < 1.35
    for scenario in (TODAY, FITTED):
        assert unfitted.home_factor(scenario) == unfitted.city.profile.siren_factor


def test_simulated_units_drive_at_the_fitted_speeds(inputs: StagingInputs) -> None:
    scenario = FITTED.having(SetHourOfWeek(RUSH))
    view, workload = view_scenario(inputs, scenario), inputs.workload(scenario)
    assert workload is not None
    world = make_world(inputs, scenario, view)
    week = plan_week(world, view.plan, scenario, workload)
    nearest_min = week.travel_min[0, -len(view.plan.staffed) :, : world.n_cells].min(axis=0)
    field_s = view.outcome.field_s[world.nodes[: world.n_cells]]
    np.testing.assert_allclose(nearest_min, (field_s - ACCESS_S) / 60, rtol=1e-4)
    access_m = view.demand.weight @ view.demand.access_m / view.demand.total
    assert world.shape.access_min == pytest.approx((ACCESS_S + 0.24 * access_m) / 60)
    assert week.rules["home_factor"] == inputs.home_factor(scenario)


def test_a_simulated_week_is_slow_in_its_rush_hours(inputs: StagingInputs) -> None:
    view, workload = view_scenario(inputs, FITTED), inputs.workload(FITTED)
    assert workload is not None
    world = make_world(inputs, FITTED, view)
    week = plan_week(world, view.plan, FITTED, workload)
    assert np.array_equal(np.asarray(week.rules["band_of_hour"]), inputs.band_of_hour)
    posts, cells = slice(len(world.nodes), None), slice(world.n_cells)
    for hour in (2, RUSH, 12):
        at = FITTED.having(SetHourOfWeek(hour))
        field_s = view_scenario(inputs, at).outcome.field_s[world.nodes[cells]]
        nearest = week.travel_min[inputs.band_of_hour[hour], posts, cells].min(axis=0)
        np.testing.assert_allclose(nearest, (field_s - ACCESS_S) / 60, rtol=1e-4)
    night, rush = (week.travel_min[inputs.band_of_hour[hour]] for hour in (2, RUSH))
    apart = ~np.eye(len(rush), dtype=bool)
    assert (rush[apart] >= night[apart]).all()
    assert rush[apart].mean() > 1.1 * night[apart].mean()
    one = plan_week(make_world(inputs, FITTED, view, by_band=False), view.plan, FITTED, workload)
    field_s = view.outcome.field_s[world.nodes[cells]]
    assert len(one.travel_min) == 1
    np.testing.assert_allclose(
        one.travel_min[0, posts, cells].min(axis=0), (field_s - ACCESS_S) / 60, rtol=1e-4
    )
    assert rush[posts, cells].min(axis=0).mean() > one.travel_min[0, posts, cells].min(axis=0).mean()


def test_fitted_speeds_are_nearer_to_the_planted_drives(inputs: StagingInputs) -> None:
    for hour in (2, RUSH, 12):
        at = SetHourOfWeek(hour)
        node = inputs.demand(TODAY).node
        truth = _planted_s(inputs, hour)[:, node]
        off = {s: np.abs(_drive_s(inputs, s.having(at))[:, node] - truth).mean() for s in (TODAY, FITTED)}
        assert off[FITTED] < 0.01 * off[TODAY]


@pytest.mark.slow
def test_a_check_is_kept_and_nearer_to_the_planted_drives(unfitted: StagingInputs) -> None:
    """The speeds that a check really finds: within 3 % of the planted drives, which assumed ones are not."""
    keep_yesterday(unfitted, lambda _: None, en_route=usual_rule(unfitted))
    try:
        inputs = with_fitted(prepare_staging(City.open(unfitted.city.path)))
        assert inputs.fitted is not None
        found = inputs.fitted.fitted
        assert found.assumed.banner
        assert not found.fitted.banner
        assert (found.en_route, found.period) == ("line", "January to December 2025")
        assert found.replayed == "December 2025"
        assert found.fitted.error_min < found.assumed.error_min
        assert abs(found.fitted.bias_min) < abs(found.assumed.bias_min)
        demand = inputs.demand(TODAY)
        for hour in (2, RUSH, 12, 20):
            truth = _planted_s(inputs, hour)[:, demand.node] @ demand.weight
            drives = {
                s: _drive_s(inputs, s.having(SetHourOfWeek(hour)))[:, demand.node] @ demand.weight
                for s in (TODAY, FITTED)
            }
            off = {s: float(np.abs(drive / truth - 1).mean()) for s, drive in drives.items()}
            assert off[FITTED] < 0.03
            assert off[FITTED] < off[TODAY]
    finally:
        fitted_path(unfitted.city).unlink()


def test_without_a_check_assumed_speeds_are_in_force(unfitted: StagingInputs) -> None:
    assert unfitted.conditions(FITTED) == unfitted.conditions(TODAY)
    assert unfitted.roads(FITTED) == unfitted.roads(TODAY)
    assert speeds_words(unfitted, FITTED) == "speeds assumed"
    assert range_words(unfitted, FITTED) == "0.8 to 1.2 times the assumed ones"
    words = source_words(unfitted, FITTED)
    for figure in ("speeds", "siren_factor", "access_kph", "speed_range"):
        assert unfitted.city.profile.sources[figure] in words
    assert unfitted.city.profile.sources["hour_bands"] in hour_words(unfitted, FITTED)


def test_words_name_the_speeds_in_force(inputs: StagingInputs) -> None:
    assert speeds_words(inputs, TODAY) == "speeds assumed"
    slower = FITTED.having(SetSpeedFactor(0.9))
    assert speeds_words(inputs, slower) == "speeds fitted to 4,200 drives, January to December 2025 at 90%"
    assert range_words(inputs, FITTED) == "0.980 to 1.020 times the fitted ones (95 %)"
    assert speeds_words(inputs, slower, own=False) == speeds_words(inputs, FITTED)
    assert "fitted to 4,200 drives" in source_words(inputs, FITTED)
    assert "30 s (29 to 31) at the ends of a drive, and 24.0 s for each 100 m" in source_words(inputs, FITTED)
    assert hour_words(inputs, FITTED) == "The pace of each hour band is fitted."


def test_a_torn_file_leaves_assumed_speeds_and_says_so(
    unfitted: StagingInputs, kept: Path, planted: FittedSpeeds
) -> None:
    kept.write_text(planted.model_dump_json()[:500])
    torn = with_fitted(unfitted)
    assert torn.fitted is None
    assert "check last month again" in torn.fitted_fault
    assert torn.key != unfitted.key
    assert torn.conditions(FITTED) == unfitted.conditions(TODAY)


def test_tables_hold_every_class_and_neighborhood(planted: FittedSpeeds) -> None:
    table = speed_table(planted, siren=True).set_index("road_class")
    assert set(table.index) == set(planted.classes)
    for name, row in table.iterrows():
        kph = np.array([c.kph for c in planted.cells if c.road_class == name and c.siren])
        assert row["kph"] == pytest.approx(len(kph) / (1 / kph).sum())  # as many kilometres in each band
        assert row["low_kph"] < row["kph"] < row["high_kph"]
    areas = area_table(planted)
    assert areas["name"].tolist() == ["Downtown", "Uptown"]  # the largest error first
    assert areas["off_words"].tolist() == ["-1.00", "+0.10 ± 0.20"]
    lines = all_speeds_csv(planted).decode().splitlines()
    assert len(lines) == 1 + len(planted.cells)


def _app(folder: Path, monkeypatch: pytest.MonkeyPatch, view: str, scenario: Scenario) -> AppTest:
    monkeypatch.setenv("CRESCENT_CITIES", str(folder.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.session_state["staging.view"] = view
    if scenario.changes:
        app.query_params["scenario"] = scenario.to_text()
    return app.run()


def _text(app: AppTest) -> str:
    return " ".join(str(block.proto.body) for block in app.get("html"))


def _warnings(app: AppTest) -> str:
    return " ".join(warning.value for warning in app.warning)


def test_speeds_are_chosen_in_one_click(folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.exists()
    app = _app(folder, monkeypatch, "Compare", TODAY)
    assert "speeds assumed, which do not reproduce December 2025: 9 of 40 figures miss" in _warnings(app)
    app.segmented_control(key=KEY).set_value("fitted").run()
    assert not app.exception
    assert app.session_state["scenario.demo"].changes == (SetSpeeds("fitted"),)
    words = "speeds fitted to 4,200 drives, January to December 2025, which reproduce December 2025"
    assert words in _text(app)
    assert "9 of 40" not in _warnings(app)
    app.segmented_control(key=KEY).set_value("assumed").run()
    assert app.session_state["scenario.demo"].changes == ()


def test_another_window_drives_at_the_same_speeds(
    folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _text(_app(folder, monkeypatch, "Plan", FITTED))
    assert "speeds fitted to 4,200 drives" in first
    assert _text(_app(folder, monkeypatch, "Plan", FITTED)) == first
    kept.unlink()
    lost = _app(folder, monkeypatch, "Plan", FITTED)
    assert not lost.exception
    assert "asks for fitted speeds" in _warnings(lost)
    assert "Assumed speeds are used" in _warnings(lost)
    assert "speeds assumed" in _text(lost)
    assert lost.session_state["scenario.demo"] == FITTED  # the address keeps what it asked for


def test_a_new_check_is_seen_by_a_running_session(
    folder: Path, city: City, planted: FittedSpeeds, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.unlink()
    app = _app(folder, monkeypatch, "Plan", TODAY)
    assert app.segmented_control(key=KEY).proto.disabled
    assert "No fitted speeds yet" in _text(app)
    write_fitted(city, planted)
    app.run()
    app.segmented_control(key=KEY).set_value("fitted").run()
    first = app.session_state["scenario.demo"]
    before = _text(app)
    assert "4,200 drives" in before
    slower = planted.model_copy(update={"access_s": 300.0, "drives": 5000})
    write_fitted(city, slower)
    app.run()
    assert app.session_state["scenario.demo"] == first
    assert "5,000 drives" in _text(app)
    assert read_fitted(city) == slower


def test_yesterday_shows_errors_neighborhoods_and_speeds(
    folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.exists()
    app = _app(folder, monkeypatch, "Simulate", TODAY)
    table = next(frame.value for frame in app.dataframe if "misses" in frame.value)
    assert table["misses"].tolist() == ["9 of 40", "0 of 40"]
    assert app.selectbox(key="staging.en_route").value == "line"
    app.segmented_control(key="staging.fit_part").set_value("Neighborhoods").run()
    assert next(f.value for f in app.dataframe if "off_words" in f.value)["name"].tolist() == [
        "Downtown",
        "Uptown",
    ]
    app.segmented_control(key="staging.fit_part").set_value("Speeds").run()
    assert not app.exception
    speeds = next(f.value for f in app.dataframe if "fitted" in f.value)
    assert len(speeds) == len(read_fitted(City.open(folder)).classes)  # type: ignore[union-attr]


def test_a_city_without_responses_says_why_there_is_no_choice(
    extract_city_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(extract_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.query_params["city"] = extract_city_dir.name
    app.run()
    assert not app.exception
    control = app.segmented_control(key=KEY)
    assert control.proto.disabled
    assert "There are no unit responses to fit speeds to." in _text(app)
    helps = {
        "staging.handling": app.slider(key="staging.handling").help,
        "staging.turnout": app.slider(key="staging.turnout").help,
        "staging.day": app.selectbox(key="staging.day").help,
        "staging.calls_per_day": app.number_input(key="staging.calls_per_day").help,
        KEY: control.help,
    }
    assert [key for key, words in helps.items() if "ssumed" not in words] == []
