"""What a storm costs ambulances: the list, the draws, what may be shown, and the storm sent to staging."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from data.city import City
from models.flood import run_storm
from models.flood_draws import FloodDraws
from models.flood_roads import PER_CALLS
from models.scenario import CleanBasins, LoseUnits, RainStorm, Scenario
from pages.parts.basins_ambulances import pool_rows
from pages.parts.basins_controls import usual_setting
from pages.parts.basins_ground import prepare_surface
from pages.parts.basins_inputs import learn, prepare_basins
from pages.parts.basins_minutes import (
    CUT_OFF,
    GIVEN_BACK,
    LOST,
    STILL_CUT_OFF,
    Minutes,
    draw_minutes,
    make_minutes,
    pool_name,
    without_water,
)
from pages.parts.basins_scene import Scene
from pages.parts.palette import Theme
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from pages.parts.staging_water import storm_change
from tests.e2e.conftest import PROJECT
from tests.pages.basins_city import write_basins_city

TODAY = Scenario("new-orleans")
RAIN_IN = 3.0


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_basins_city(tmp_path_factory.mktemp("minutes") / "small")


@pytest.fixture(scope="module")
def scene(folder: Path) -> Scene:
    city = City.open(folder)
    basins, rules = prepare_basins(city), city.profile.drainage
    assert rules is not None
    setting = replace(usual_setting(rules), depth_in=RAIN_IN, hours=3.0, trucks=2, days=2)
    return Scene(city, basins, learn(basins), rules, prepare_surface(basins), setting, Theme(dark=False))


@pytest.fixture(scope="module")
def inputs(scene: Scene) -> StagingInputs:
    return prepare_staging(scene.city)


@pytest.fixture(scope="module")
def found(scene: Scene, inputs: StagingInputs) -> Minutes:
    minutes = make_minutes(scene, inputs, TODAY)
    assert minutes is not None
    return minutes


def test_both_pages_drive_through_the_same_water(scene: Scene, inputs: StagingInputs, found: Minutes) -> None:
    """Minutes here are those of the staging page's own evaluation under the storm that was sent."""
    for minutes, scenario in (
        (found.dry, TODAY),
        (found.flooded, TODAY.having(storm_change(scene.setting))),
    ):
        seconds = view_scenario(inputs, scenario).outcome.seconds
        weight = found.drives.demand.weight / found.drives.demand.total
        assert minutes.mean_min == pytest.approx(np.minimum(seconds / 60, 30.0) @ weight, abs=1e-4)
        assert minutes.cut_off == pytest.approx(weight[~np.isfinite(seconds)].sum())
    assert found.flooded.mean_min > found.dry.mean_min
    assert len(found.costs.pool)
    assert found.costs.all_minutes == pytest.approx(PER_CALLS * (found.flooded.mean_min - found.dry.mean_min))


def test_the_list_is_within_the_crews_reach_and_told_by_the_whole_storm(
    scene: Scene, inputs: StagingInputs, found: Minutes
) -> None:
    assert found.stops == 32
    assert len(found.basins) <= found.stops
    assert len(set(found.basins.tolist())) == len(found.basins)
    line = scene.known.states.chance["line blocked"].mean
    assert (line[found.basins] < 0.5).all()
    names = scene.inputs.basins["basin_id"].astype(str).to_numpy()[found.basins]
    cleaned = TODAY.having(storm_change(scene.setting))
    if len(names):
        cleaned = cleaned.having(CleanBasins(tuple(names.tolist())))
    seconds = view_scenario(inputs, cleaned).outcome.seconds
    weight = found.drives.demand.weight / found.drives.demand.total
    assert found.cleaned.mean_min == pytest.approx(np.minimum(seconds / 60, 30.0) @ weight, abs=1e-4)
    assert found.given_back == pytest.approx(PER_CALLS * (found.flooded.mean_min - found.cleaned.mean_min))


def test_a_plan_without_units_has_no_minutes(scene: Scene, inputs: StagingInputs) -> None:
    assert make_minutes(scene, inputs, TODAY.having(LoseUnits(9))) is None
    assert make_minutes(replace(scene, surface=None), inputs, TODAY) is None
    storm = TODAY.having(LoseUnits(1)).having(RainStorm(9.0, 60.0)).having(CleanBasins(("A",)))
    assert without_water(storm) == TODAY.having(LoseUnits(1))


def test_draws_hold_every_figure_and_come_in_parts(scene: Scene, found: Minutes) -> None:
    surface, parts = scene.surface, list[FloodDraws]()
    assert surface is not None
    told: list[float] = []
    drawn = draw_minutes(scene, surface, found, progress=told.append, on_part=parts.append)
    pools = [pool_name(int(pool)) for pool in found.costs.pool[:8]]
    assert set(drawn.figures) == {"wet_m2", LOST, GIVEN_BACK, CUT_OFF, STILL_CUT_OFF, *pools}
    assert [part.draws for part in parts] == [5, 20, 50]
    assert told[0] == 0
    assert told[-1] == 1
    assert (drawn.figures[LOST] >= 0).all()
    assert (drawn.figures[CUT_OFF] >= drawn.figures[STILL_CUT_OFF] - 1e-9).all()
    # One of the draws again, by the storm model itself.
    flood = run_storm(drawn.base.ground, drawn.base.storm, drawn.case.pumping, scene.known.open_share)
    np.testing.assert_array_equal(flood.level_m, drawn.base.level_m)


def test_only_pools_whose_sign_holds_are_shown(scene: Scene, found: Minutes) -> None:
    pools = found.costs.pool[:8]
    sure, unsure = np.full(100, 4.0), np.where(np.arange(100) < 15, -1.0, 4.0)
    for figures, shown in ((sure, len(pools)), (unsure, 0)):
        drawn = FloodDraws(
            case=None,  # type: ignore[arg-type]
            draws=100,
            p_wet=np.zeros((1, 1), dtype=np.float32),
            base=None,  # type: ignore[arg-type]
            pool=pools,
            pool_m2=np.ones(len(pools)),
            found=np.ones(len(pools)),
            figures={pool_name(int(pool)): figures for pool in pools},
        )
        rows, left_out = pool_rows(scene, found, drawn)
        assert len(rows) == shown
        assert left_out == len(pools) - shown
        assert rows["minutes"].tolist() == [4.0] * shown


def test_the_storm_is_sent_to_staging(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(folder.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=120).run()
    app.session_state["scenario.small"] = TODAY.having(CleanBasins(("CB003",)))
    app.query_params["ask"] = "ambulances"
    app.query_params["storm"] = f"{RAIN_IN:g}in-3h-middle"
    app.switch_page("pages/basins.py").run()
    assert not app.exception
    send = next(button for button in app.button if button.label == "Send this storm to staging")
    send.click().run()
    assert not app.exception
    scenario: Scenario = app.session_state["scenario.small"]
    rules = City.open(folder).profile.drainage
    assert rules is not None
    sent = replace(usual_setting(rules), depth_in=RAIN_IN, hours=3.0, shape="middle")
    # The storm as it is: a list that was cleaned before does not go with it.
    assert scenario.changes == (storm_change(sent),)
    assert "Units on duty" in [slider.label for slider in app.slider]
