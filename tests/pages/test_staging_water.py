"""One storm, two services: the water that a scenario leaves on the streets, and what it does to drives."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import streamlit as st
from streamlit.testing.v1 import AppTest

from data.city import City
from data.derived import Roads, StreetWater
from errors import InvalidInputError
from geo.crs import to_metres
from models.busy_plan import Workload
from models.flood import run_storm
from models.scenario import CleanBasins, CloseRoad, RainStorm, Scenario
from models.storm import INCH_MM
from pages.parts.basins_ground import prepare_surface
from pages.parts.basins_inputs import learn, prepare_basins
from pages.parts.basins_setting import Setting
from pages.parts.palette import Theme
from pages.parts.staging_disruptions import cut_off_words, disruption_words
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from pages.parts.staging_map import live_field
from pages.parts.staging_suggest_work import reach_matrix
from pages.parts.staging_water import missing_words, storm_change, street_water, water_image
from pages.parts.staging_world import make_world, plan_week
from tests.e2e.conftest import PROJECT
from tests.pages.basins_city import write_basins_city

TODAY = Scenario("new-orleans")
RAIN = RainStorm(100.0, 180.0)


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_basins_city(tmp_path_factory.mktemp("water") / "small")


@pytest.fixture(scope="module")
def inputs(folder: Path) -> StagingInputs:
    return prepare_staging(City.open(folder))


def test_streets_are_shut_where_the_storm_model_puts_a_foot_of_water(inputs: StagingInputs) -> None:
    """Against the picture of the depth, cell by cell along each street."""
    city = inputs.city
    basins = prepare_basins(city)
    surface, known = prepare_surface(basins), learn(basins)
    assert surface is not None
    setting = Setting(RAIN.depth_mm / INCH_MM, 3.0)
    flood = run_storm(surface.ground, surface.storm(setting), surface.pumping(setting), known.open_share)
    depth, grid = flood.depth_m, surface.elevation.grid
    water = street_water(city, TODAY.having(RAIN))
    assert water is not None
    for edge, line in enumerate(inputs.network.geometry):
        places = np.array(
            [line.interpolate(share, normalized=True).coords[0] for share in np.linspace(0, 1, 400)]
        )
        row, column, held = grid.cells_of(*to_metres(places[:, 0], places[:, 1], grid.epsg))
        deepest = np.nanmax(depth[row[held], column[held]])
        # Places lie every ten metres on the street: a cell just touched may be missed.
        if abs(deepest - 0.3) > 0.1:
            assert water.closed[edge] == (deepest >= 0.3)
        if deepest < 0.1:
            assert water.speed_factor[edge] == 1
    assert water.closed.any()
    assert not water.closed.all()
    assert set(water.speed_factor[water.closed]) == {1.0}
    assert set(water.speed_factor) <= {0.3, 1.0}


def test_water_is_made_from_the_storm_alone_and_kept_by_its_name(inputs: StagingInputs) -> None:
    storm = TODAY.having(RAIN)
    first = street_water(inputs.city, storm)
    # Another plan under the same storm has the same water; an address carries the storm and nothing of it.
    opened = Scenario.from_text(storm.having(CloseRoad("Crescent City Connection")).to_text())
    again = street_water(inputs.city, opened)
    assert again is first
    other = street_water(inputs.city, TODAY.having(replace(RAIN, depth_mm=99.0)))
    assert first is not None
    assert other is not None
    assert other.name != first.name
    assert Roads(water=first) == Roads(water=again) != Roads(water=other)
    assert hash(Roads(water=first)) == hash(Roads(water=again))
    assert street_water(inputs.city, TODAY) is None
    assert street_water(inputs.city, TODAY.having(CleanBasins(("CB001",)))) is None
    dry = street_water(inputs.city, TODAY.having(replace(RAIN, depth_mm=0.0)))
    assert dry is not None
    assert not dry.closed.any()


def test_drives_pictures_and_words_follow_the_water(inputs: StagingInputs) -> None:
    storm = TODAY.having(RAIN)
    today, view = view_scenario(inputs, TODAY), view_scenario(inputs, storm)
    assert (view.outcome.field_s >= today.outcome.field_s - 1e-3).all()
    assert (view.outcome.field_s > today.outcome.field_s + 1).any()
    state, water = inputs.times.state(inputs.roads(storm)), street_water(inputs.city, storm)
    assert water is not None
    np.testing.assert_array_equal(state.closed, water.closed)
    live = live_field(inputs, view, storm, Theme(dark=False))
    assert live is not None
    assert live.closed_edges == np.flatnonzero(water.closed).tolist()
    assert disruption_words(inputs, storm) == [RAIN.sentence()]
    if not np.isfinite(view.outcome.seconds).all():
        assert RAIN.sentence() in cut_off_words(inputs, storm, view)
    image = water_image(inputs.city, storm, Theme(dark=False))
    assert image is not None
    assert [stop.label for stop in image.stops] == [
        "12 in and more: streets shut",
        "6 in and more: streets slower",
    ]
    west, south, east, north = image.box
    lon, lat = inputs.network.node_lon, inputs.network.node_lat
    assert np.all(shapely.contains_xy(shapely.box(west, south, east, north), lon, lat))
    assert water_image(inputs.city, TODAY, Theme(dark=True)) is None


def test_simulated_and_suggested_plans_drive_through_the_same_water(inputs: StagingInputs) -> None:
    storm = TODAY.having(RAIN)
    rows, reach = [], []
    for scenario in (TODAY, storm):
        view = view_scenario(inputs, scenario)
        world = make_world(inputs, scenario, view)
        rows.append(world.bands[0].rows_s)
        drives = plan_week(world, view.plan, scenario, Workload(1.0, 30.0)).travel_min
        assert drives.shape[1] == len(world.nodes) + len(view.plan.staffed)
        reach.append(reach_matrix(inputs, inputs.roads(scenario), view.demand, view.conditions))
    assert (rows[1] >= rows[0] - 1e-3).all()
    assert (rows[1] > rows[0] + 1).any()
    assert not (reach[1] & ~reach[0]).any()
    # Work in the background asks for the same roads from a thread of its own.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inputs.roads, storm).result() == inputs.roads(storm)


def test_water_and_other_disruptions_add_up(inputs: StagingInputs) -> None:
    edges = inputs.network.n_edges
    closed, factor = np.zeros(edges, dtype=bool), np.ones(edges)
    closed[0], factor[1] = True, 0.3
    water = StreetWater("a test", closed, factor)
    flood = inputs.city.profile.floods[0].name
    state = inputs.times.state(Roads(floods=(flood,), water=water))
    alone = inputs.times.state(Roads(floods=(flood,)))
    np.testing.assert_array_equal(state.closed, alone.closed | closed)
    np.testing.assert_array_equal(state.speed_factor, np.minimum(alone.speed_factor, factor))


def test_cleaned_basins_leave_no_more_water(inputs: StagingInputs) -> None:
    light = replace(RAIN, depth_mm=60.0)
    storm = TODAY.having(light)
    every = tuple(f"CB{number:03d}" for number in range(100))
    before, after = (street_water(inputs.city, s) for s in (storm, storm.having(CleanBasins(every))))
    assert before is not None
    assert after is not None
    assert before.name != after.name
    assert not (after.closed & ~before.closed).any()
    assert (after.closed | (after.speed_factor >= before.speed_factor)).all()
    with pytest.raises(InvalidInputError, match="2 of the basins to clean are not this city's, such as X1"):
        street_water(inputs.city, storm.having(CleanBasins(("CB001", "X1", "X2"))))


def test_pumps_that_stand_still_leave_more_water(inputs: StagingInputs) -> None:
    light = replace(RAIN, depth_mm=60.0)
    runs, stands = (
        street_water(inputs.city, TODAY.having(storm))
        for storm in (light, replace(light, pumps_out="West:100|East:100"))
    )
    assert runs is not None
    assert stands is not None
    assert not (runs.closed & ~stands.closed).any()
    assert stands.closed.sum() > runs.closed.sum()
    with pytest.raises(InvalidInputError, match="no pump area named Nowhere"):
        street_water(inputs.city, TODAY.having(replace(RAIN, pumps_out="Nowhere:50")))


def test_a_setting_of_the_other_page_becomes_the_same_storm() -> None:
    setting = Setting(4.75, 3.0, "early", 1.25, 0.25, (("West", 50), ("East", 100)))
    change = storm_change(setting)
    assert change == RainStorm(4.75 * 25.4, 180.0, "early", 1.25 * 25.4, 0.25 * 25.4, "West:50|East:100")
    assert change.out == setting.out
    assert Scenario.from_text(TODAY.having(change).to_text()).changes == (change,)


@pytest.mark.parametrize(("without", "words"), [("elevation", "no ground elevation"), ("basins", "basins")])
def test_a_city_that_lacks_what_a_storm_needs_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str, words: str
) -> None:
    lacking = (without, "cleanings") if without == "basins" else (without,)
    folder = write_basins_city(tmp_path / "small", without=lacking)
    city = City.open(folder)
    assert words in missing_words(city)
    with pytest.raises(InvalidInputError, match="cannot rain here"):
        street_water(city, TODAY.having(RAIN))
    monkeypatch.setenv("CRESCENT_CITIES", str(folder.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=60).run()
    assert not app.exception
    text = " ".join(str(block.proto.body) for block in app.get("html"))
    assert "A storm over the whole city cannot be worked out" in text
    assert not [pills for pills in app.pills if str(pills.key).startswith("staging.storm")]


def test_a_storm_is_one_tap_on_the_staging_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(folder.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=60).run()
    first = app.pills(key="staging.storm.0").options[0]
    app.pills(key="staging.storm.0").set_value(first).run()
    scenario: Scenario = app.session_state["scenario.small"]
    (storm,) = scenario.find(RainStorm)
    assert storm.sentence() in " ".join(str(block.proto.body) for block in app.get("html"))
    assert Scenario.from_text(str(app.query_params["scenario"])) == scenario
    app.pills(key="staging.storm.0").set_value(None).run()
    assert app.session_state["scenario.small"].changes == ()
    # A storm that was sent stands beside the city's own, with the basins of its list.
    sent = TODAY.having(replace(RAIN, depth_mm=33.0)).having(CleanBasins(("CB001", "CB002")))
    app.session_state["scenario.small"] = sent
    app.run()
    pills = {str(pills.label): pills for pills in app.pills}
    assert pills["Storm over the whole city"].value == "Storm sent from Catch basins"
    pills["Before the storm"].set_value([]).run()
    assert app.session_state["scenario.small"].changes == sent.changes[:1]
    assert not app.exception
