"""The demand view: a forecast only with its skill, and one flat map where calls carry no time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from data.city import City
from errors import InvalidInputError
from models.demand_backtest import Forecast, backtest
from models.demand_forecast import fit_rates, planners_rates
from models.privacy import SMALLEST_SHOWN
from models.scenario import Scenario, SetDemand
from models.weekly_counts import WeeklyCounts, wall_hours
from pages.parts.palette import Theme
from pages.parts.staging_demand import (
    CELL,
    CITY,
    DemandForecast,
    chart_table,
    demand_weeks,
    flat_map,
    forecast_map,
    job_key,
)
from pages.parts.staging_inputs import StagingInputs, prepare_staging, view_scenario
from tests.e2e.conftest import PROJECT

TIMEOUT_S = 180
LIGHT = Theme(dark=False)


@pytest.fixture(scope="module")
def inputs(demo_city_dir: Path) -> StagingInputs:
    return prepare_staging(City.open(demo_city_dir))


@pytest.fixture(scope="module")
def told(inputs: StagingInputs) -> DemandForecast:
    """The last 14 weeks of the demo, six of them tested."""
    cells, weeks, monday = demand_weeks(inputs)
    last = WeeklyCounts(weeks.counts[-14:], weeks.hour_of_week, weeks.n_weeks - 14)
    return DemandForecast(
        cells=cells,
        calls=np.nansum(weeks.counts, axis=(0, 1)).astype(np.int64),
        planners=planners_rates(last),
        monday=monday + pd.Timedelta(weeks=weeks.n_weeks),
        found=Forecast(fit_rates(last), backtest(last)),
    )


def _text(app: AppTest) -> str:
    return " ".join(str(block.proto.body) for block in app.get("html"))


def test_the_forecast_comes_with_its_skill(demo_city_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(demo_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.session_state["staging.view"] = "Demand"
    app.run()
    assert "No forecast is shown without its skill" in _text(app)
    next(button for button in app.button if button.label == "Forecast next week").click().run()
    key = job_key(prepare_staging(City.open(demo_city_dir)))
    job = app.session_state[key]
    job.wait(TIMEOUT_S)
    assert job.error == ""
    app.run()
    assert not app.exception
    assert any("better" in str(block.value) for block in app.markdown)
    (skill,) = [frame.value for frame in app.dataframe if "crps" in frame.value]
    assert skill["verdict"].tolist() == ["better"] * 4
    assert "held 90" in _text(app)
    assert job.result.monday == pd.Timestamp("2026-01-05")


def test_calls_are_counted_in_their_week_hour_and_hexagon(inputs: StagingInputs) -> None:
    cells, weeks, monday = demand_weeks(inputs)
    assert monday == pd.Timestamp("2024-12-30")
    assert weeks.counts.shape == (53, 168, len(cells))
    calls = inputs.city.table("calls")
    opened = calls.loc[calls["agency"] == "EMS", "opened_at"].dropna()
    assert np.nansum(weeks.counts) == len(opened)
    saturday = opened[(opened.dt.day_of_week == 5) & (opened.dt.hour == 22)]
    assert np.nansum(weeks.counts[:, 5 * 24 + 22]) == len(saturday)


def test_hours_follow_the_wall_clock() -> None:
    times = pd.Series(pd.to_datetime(["2025-03-05 23:30", "2025-03-10 00:00"]).tz_localize("America/Chicago"))
    hours, monday = wall_hours(times)
    assert monday == pd.Timestamp("2025-03-03")
    assert hours.tolist() == [2 * 24 + 23, 168]
    with pytest.raises(InvalidInputError, match="needs a time"):
        wall_hours(pd.Series([pd.NaT], dtype="datetime64[us, America/Chicago]"))


def test_the_chart_and_the_map_hold_the_forecast_and_its_interval(told: DemandForecast) -> None:
    assert told.trusted(CITY)
    assert told.trusted(CELL)
    table = chart_table(told)
    assert len(table) == 168
    assert (table["low"] <= table["forecast"]).all()
    assert (table["forecast"] <= table["high"]).all()
    week = forecast_map(told, None, LIGHT)
    shown = int((told.calls >= SMALLEST_SHOWN).sum())
    assert len(week.hexes.cells) == shown < len(told.cells)
    assert "forecast" in week.title
    assert "Sat 22:00 to 23:00" in forecast_map(told, 5 * 24 + 22, LIGHT).hexes.labels[0]


def test_a_forecast_that_is_no_better_gives_way_to_the_planners_rule(told: DemandForecast) -> None:
    weeks = told.found.backtest.weeks
    worse = weeks.assign(crps=np.where(weeks["method"] == "smoothed", 2.0, 1.0))
    distrusted = replace(told, found=Forecast(told.found.rates, type(told.found.backtest)(worse)))
    assert not distrusted.trusted(CITY)
    assert np.array_equal(distrusted.by_cell()[0], told.planners)
    table = chart_table(distrusted)
    assert (table["low"] <= table["planners"]).all()
    assert "planners' rule, as the forecast is no better" in forecast_map(distrusted, None, LIGHT).title


@pytest.mark.extract
def test_without_times_one_flat_map_is_shown_and_nothing_is_invented(
    extract_city_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(extract_city_dir.parent))
    app = AppTest.from_file(PROJECT / "app.py", default_timeout=TIMEOUT_S)
    app.session_state["staging.view"] = "Demand"
    app.run()
    assert not app.exception
    assert "No rhythm can be read" in str(app.info[0].value)
    assert "with Carnival: a stand-in for EMS" in _text(app)
    assert not [button for button in app.button if "Forecast" in button.label]
    bare = prepare_staging(City.open(extract_city_dir))
    with pytest.raises(InvalidInputError, match="No rhythm"):
        demand_weeks(bare)
    today = Scenario(bare.city.slug)
    calls = flat_map(bare, today, view_scenario(bare, today), LIGHT)
    assert calls.title.startswith("Police calls")
    people = today.having(SetDemand("population"))
    assert flat_map(bare, people, view_scenario(bare, people), LIGHT).title.startswith(
        "People where they live"
    )
