"""The page "Catch basins" on the small city: each question, any storm, and what a city may lack."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from data.city import City
from errors import InvalidInputError
from models.flood import run_storm
from models.returned_work import template_csv
from pages.parts.basins_controls import usual_setting
from pages.parts.basins_draws import draw_water
from pages.parts.basins_ground import prepare_surface
from pages.parts.basins_inputs import Returned, learn, prepare_basins
from pages.parts.basins_plan import make_plan
from pages.parts.basins_returned import read_upload
from pages.parts.basins_routes import find_routes, orders_of
from pages.parts.basins_scene import Scene, count, miles, percent, reached
from pages.parts.basins_states import area_table, city_share
from pages.parts.basins_water import pool_table
from pages.parts.palette import Theme
from tests.pages.basins_city import write_basins_city

PAGE = Path(__file__).parents[2] / "pages" / "basins.py"
QUESTIONS = (
    "Where will water stand?",
    "What state are they in?",
    "Which to clean first?",
    "Routes and orders",
    "What came back?",
    "Ambulances",
)
Show = Callable[..., AppTest]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_basins_city(tmp_path_factory.mktemp("basins") / "small")


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    def run(path: Path, **said: str) -> AppTest:
        monkeypatch.setenv("CRESCENT_CITIES", str(path.parent))
        monkeypatch.setenv("CRESCENT_CITY", path.name)
        page = AppTest.from_file(str(PAGE), default_timeout=120)
        for name, value in said.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return run


def scene_of(folder: Path) -> Scene:
    city = City.open(folder)
    inputs = prepare_basins(city)
    rules = city.profile.drainage
    assert rules is not None
    setting = replace(usual_setting(rules), trucks=1, days=1)
    return Scene(city, inputs, learn(inputs), rules, prepare_surface(inputs), setting, Theme(dark=False))


@pytest.fixture(scope="module")
def scene(folder: Path) -> Scene:
    return scene_of(folder)


def words(page: AppTest) -> str:
    """All that the page says."""
    html = " ".join(str(element.proto.body) for element in page.get("html"))
    boxes = (page.info, page.warning, page.error, page.markdown, page.caption)
    told = [str(element.value) for kind in boxes for element in kind]
    return " ".join([re.sub(r"<style>.*?</style>", " ", html, flags=re.DOTALL), *told])


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_is_answered(show: Show, folder: Path, question: str) -> None:
    page = show(folder)
    page.selectbox(key=_key(page, "question")).set_value(question).run()
    assert not page.exception
    assert not page.error
    assert len(words(page)) > 200
    assert page.get("bidi_component")


def _key(page: AppTest, name: str) -> str:
    return next(box.key for box in page.selectbox if box.key and box.key.endswith(f".{name}"))


def test_the_first_look_tells_what_the_storm_does_and_where_the_rain_goes(
    show: Show, folder: Path, scene: Scene
) -> None:
    page = show(folder)
    said = words(page)
    assert scene.water is not None
    assert scene.surface is not None
    assert "4.75 inches in 3 h" in said
    assert "contested" in said
    assert f"stands after a day {percent(scene.water.stored_m3 / scene.water.rain_m3)}" in said
    now = reached(scene.surface.reach, scene.water.level_m)
    assert now.people > 0
    assert f">{count(now.people)}<" in said
    assert f">{miles(now.shut_m)}<" in said
    table = next(frame.value for frame in page.dataframe if "depth_ft" in frame.value)
    assert table["people"].is_monotonic_decreasing
    assert table["people"].sum() == pytest.approx(now.people)  # every person reached is in one pool
    assert "DEMO DATA" in said


def test_the_pools_hold_all_that_the_water_reaches(scene: Scene) -> None:
    assert scene.surface is not None
    assert scene.water is not None
    pools = pool_table(scene, scene.surface, scene.water)
    now = reached(scene.surface.reach, scene.water.level_m)
    assert pools["street_mi"].sum() * 1609.344 == pytest.approx(now.shut_m)
    assert pools["basins"].sum() <= len(scene.inputs.basins)
    assert (pools["hours"] <= 24).all()


def test_a_dry_day_and_a_storm_beyond_the_record_are_said(show: Show, folder: Path) -> None:
    assert "No rain falls" in words(show(folder, storm="0in-3h-middle"))
    page = show(folder, storm="40in-24h-middle")
    (error,) = page.error
    assert "more than Louisiana has ever recorded" in error.value
    assert page.slider  # the way back is still there


def test_more_rain_reaches_more(scene: Scene) -> None:
    found = []
    for depth in (1.0, 4.0, 9.0):
        wetter = replace(scene, setting=replace(scene.setting, depth_in=depth))
        assert wetter.surface is not None
        assert wetter.water is not None
        found.append(reached(wetter.surface.reach, wetter.water.level_m).slow_m)
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_pumps_out_leave_more_water(scene: Scene) -> None:
    surface = scene.surface
    assert surface is not None
    assert surface.pump_areas == ("West", "East")
    out = replace(scene.setting, out=(("West", 100), ("East", 100)))
    assert surface.pumping(out).share == (0.0, 0.0)
    assert surface.pumping(replace(scene.setting, out=(("East", 50),))).share == (1.0, 0.5)
    storm = surface.storm(scene.setting)
    drained = [
        run_storm(surface.ground, storm, surface.pumping(one), scene.known.open_share).drained_m3
        for one in (scene.setting, out)
    ]
    assert drained[1] == 0 < drained[0]


def test_the_setting_stands_in_the_address_and_survives_the_page(show: Show, folder: Path) -> None:
    page = show(folder, storm="3.5in-2h-even", crews="2x3", ask="states")
    assert page.slider(key=_slider(page, "depth")).value == 3.5
    assert page.selectbox(key=_key(page, "question")).value == "What state are they in?"
    page.slider(key=_slider(page, "depth")).set_value(5.0).run()
    assert page.query_params["storm"] == "5in-2h-even"
    assert page.query_params["crews"] == "2x3"
    page.selectbox(key=_key(page, "storm")).set_value("10 July 2019, as in Treme").run()
    assert page.query_params["storm"] == "8.4in-3h-middle"


def _slider(page: AppTest, name: str) -> str:
    return next(one.key for one in page.slider if one.key and one.key.endswith(f".{name}"))


def test_states_are_told_with_their_interval(show: Show, folder: Path, scene: Scene) -> None:
    low, mean, high = city_share(scene.known)
    assert low < mean < high
    assert mean == pytest.approx(scene.known.states.chance["clogged"].mean.mean(), abs=0.02)
    page = show(folder, ask="states")
    assert f"{percent(low)} to {percent(high)} (90 %)" in words(page)
    assert "Who complains is not who floods" in words(page)
    page.session_state[f"basins.{scene.city.version}.basin"] = 8
    page.run()
    assert "CB008, Street 1" in words(page)
    assert "last found clogged" in words(page)


def test_reports_are_counted_once_by_area(scene: Scene) -> None:
    table = area_table(scene)
    assert table["basins"].sum() == len(scene.inputs.basins)
    assert table["reports"].sum() == scene.inputs.report_counts().sum() == 60
    assert table["flooding"].sum() == pytest.approx(
        reached(scene.surface.reach, scene.water.level_m).people  # type: ignore[union-attr]
    )


def test_a_list_names_each_basin_once_and_none_over_a_blocked_line(scene: Scene) -> None:
    plan = make_plan(scene)
    assert plan.stops == 8 == len(plan.basins) == len(np.unique(plan.basins))
    assert set(plan.line) >= {52, 92}
    assert not set(plan.basins) & set(plan.line)
    assert plan.lists[0].name == "the plan"
    assert {value.basins for value in plan.lists} == {8}


def test_no_truck_makes_no_list_and_says_so(show: Show, folder: Path) -> None:
    page = show(folder, ask="clean", crews="0x5")
    assert "raise Trucks and Days" in words(page)
    assert "No basin to route" in words(show(folder, ask="routes", crews="0x5"))


def test_on_a_dry_day_the_list_goes_by_the_chance_of_being_clogged(show: Show, folder: Path) -> None:
    page = show(folder, ask="clean", storm="0in-3h-middle", crews="1x1")
    assert "The list goes by the chance of being clogged" in words(page)
    table = next(frame.value for frame in page.dataframe if "p_clogged" in frame.value)
    assert len(table) == 8
    assert table["p_clogged"].is_monotonic_decreasing


def test_floors_are_kept_in_every_district(scene: Scene) -> None:
    fair = replace(scene, setting=replace(scene.setting, floor=3, goal="streets", fair=1.3))
    plan = make_plan(fair)
    assert len(plan.basins) == 8
    assert plan.plan is not None


def test_without_elevation_records_decide_and_the_page_says_what_it_cannot_know(
    show: Show, tmp_path: Path
) -> None:
    flat = write_basins_city(tmp_path / "flat", without=("elevation", "buildings", "pump_areas"))
    page = show(flat)
    assert "has no elevation" in words(page)
    assert not page.slider  # no storm to set
    page = show(flat, ask="clean", crews="1x1")
    assert "by records alone" in words(page)
    assert "ten blocked basins around one bowl" in words(page)
    table = next(frame.value for frame in page.dataframe if "p_clogged" in frame.value)
    assert len(table) == 8
    for question in ("states", "routes", "returned", "ambulances"):
        assert not show(flat, ask=question).error


def test_without_reports_nobody_is_silent(show: Show, tmp_path: Path) -> None:
    quiet = write_basins_city(tmp_path / "quiet", without=("service_requests", "cleanings"))
    city = City.open(quiet)
    known = learn(prepare_basins(city))
    assert (known.evidence.now.years == 0).all()
    assert "No 311 reports are loaded" in words(show(quiet, ask="states"))
    assert "has no table" in words(show(quiet, ask="returned"))


def test_a_city_without_basins_or_rules_says_what_to_load(show: Show, tmp_path: Path) -> None:
    bare = write_basins_city(tmp_path / "bare", without=("basins", "cleanings"))
    (info,) = show(bare).info
    assert "Catch basins" in info.value
    text = (bare / "city.toml").read_text()
    dry = write_basins_city(tmp_path / "dry")
    (dry / "city.toml").write_text(text[: text.index("[drainage]")])
    (info,) = show(dry).info
    assert "no section [drainage]" in info.value


def test_returned_work_teaches_this_session(show: Show, folder: Path, scene: Scene) -> None:
    rows = [f"CB{n:03d},Gang A,2026-01-05 10:{n % 60:02d},clogged,480,,\r\n" for n in range(60)]
    rows += ["CB999,Gang A,2026-01-05 10:00,clogged,480,,\r\n", "=cmd,Gang A,soon,fine,,,\r\n"]
    content = template_csv() + "".join(rows).encode()
    upload = read_upload(scene.inputs, "work.csv", content)
    assert upload.rows is not None
    assert (upload.rows.read, len(upload.rows.accepted), len(upload.rows.quarantined)) == (62, 60, 2)
    page = show(folder, ask="returned")
    page.session_state[f"basins.{scene.city.version}.upload"] = upload
    page.run()
    assert not page.exception
    said = words(page)
    assert "62 rows, 60 accepted, 2 set aside" in said
    assert "in this session only" in said
    learned = learn(scene.inputs, Returned(upload.key, upload.rows.accepted))
    before, after = city_share(scene.known), city_share(learned)
    assert after[1] > before[1]
    assert f"{percent(after[0])} to {percent(after[2])} (90 %)" in said
    assert "unknown basin" in next(f.value for f in page.dataframe if "reason" in f.value)["reason"].iloc[0]


def test_a_file_that_is_no_table_is_said(scene: Scene) -> None:
    upload = read_upload(scene.inputs, "photo.csv", b"a,b\r\n1,2\r\n")
    assert upload.rows is None
    assert "lacks the column(s) basin_id, done_at, found" in upload.fault


def test_cleanings_to_question_have_a_reason(show: Show, folder: Path) -> None:
    page = show(folder, ask="returned")
    table = next(frame.value for frame in page.dataframe if "reasons" in frame.value)
    assert {"W26", "W10"} <= set(table.loc[table["strong"], "cleaning_id"])
    assert "A reason is a question to ask, not a finding" in words(page)
    assert "17 %" in words(page)  # 1 of 6 audited


def test_routes_hold_every_basin_of_the_list(scene: Scene) -> None:
    basins = make_plan(scene).basins
    told: list[float] = []
    found = find_routes(scene, basins, told.append)
    done = np.concatenate([found.basins[day.basins] for day in found.routes.truck_days])
    left = found.basins[[one.stop for one in found.routes.left_out]]
    assert sorted(np.concatenate([done, left])) == sorted(basins)
    assert told == sorted(told)
    assert told[-1] == 1.0
    orders = orders_of(scene, found, pd.Timestamp("2026-02-02").date())
    assert set(orders.rows["basin_id"]) == set(scene.inputs.basins["basin_id"].iloc[done])


def test_draws_give_a_chance_and_intervals(scene: Scene) -> None:
    assert scene.surface is not None
    seen: list[float] = []
    draws = draw_water(scene, scene.surface, seen.append)
    assert draws.draws == 100
    assert seen[-1] == 1.0
    low, middle, high = draws.interval("people")
    assert low <= middle <= high
    assert low < high
    p_wet = draws.p_wet[np.isfinite(draws.p_wet)]
    assert ((p_wet >= 0) & (p_wet <= 1)).all()


def test_a_stopped_job_ends(scene: Scene) -> None:
    class _Stop(Exception):  # noqa: N818 -- not an error
        pass

    def stop(share: float) -> None:
        if share:
            raise _Stop

    assert scene.surface is not None
    with pytest.raises(_Stop):
        draw_water(scene, scene.surface, stop)


def test_a_storm_beyond_the_record_cannot_be_run(scene: Scene) -> None:
    with pytest.raises(InvalidInputError, match="ever recorded"):
        _ = replace(scene, setting=replace(scene.setting, depth_in=40.0)).water
