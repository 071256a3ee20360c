"""The demand view of the staging page: next week's calls, what such forecasts were worth, the flat map."""

from collections.abc import Callable
from dataclasses import dataclass

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from scipy.stats import nbinom, poisson

from errors import InvalidInputError
from geo.hexgrid import cell_names, cells_of
from models.demand_backtest import CENTRAL, SCALES, Forecast, forecast
from models.demand_forecast import planners_rates
from models.privacy import SMALLEST_SHOWN
from models.scenario import Scenario, SetHourOfWeek
from models.weekly_counts import HOURS_A_WEEK, WeeklyCounts, wall_hours, weekly_counts
from pages.parts.city_map import LegendEntry, MapHexes
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.palette import BLUE, Theme, ramp_colours
from pages.parts.staging_inputs import StagingInputs, StagingView, demand_calls
from pages.parts.staging_map import Overlay

CELL_RESOLUTION = 8
"""H3 cells of about 0.7 km2."""

CHART_HEIGHT_PX = 150
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CELL, CITY = SCALES
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DemandForecast:
    """Next week's demand and its skill.

    Attributes
    ----------
    cells
        (n_cells,) H3 cells, as names.
    calls
        (n_cells,) calls in the record.
    planners
        (168, n_cells) the planners' rule for the same week.
    monday
        First day of the week.
    found
        Forecast and backtest.
    """

    cells: tuple[str, ...]
    calls: npt.NDArray[np.int64]
    planners: FloatArray
    monday: pd.Timestamp
    found: Forecast

    def trusted(self, scale: str) -> bool:
        """Whether the backtest shows the forecast to be better than the planners' rule."""
        return self.found.backtest.compare(scale).verdict == "better"

    def by_cell(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(168, n_cells) calls an hour with the limits of their interval, by the rule that has earned it."""
        if self.trusted(CELL):
            return (self.found.rates.mean, *self.found.rates.interval())
        return (self.planners, *_poisson_limits(self.planners, 0.95))


def job_key(inputs: StagingInputs) -> str:
    """Name under which the session keeps the forecast of this city."""
    return f"staging.demand.{inputs.city.version}"


def demand_view(inputs: StagingInputs, view: StagingView) -> None:
    """Show the forecast with its skill, or start it; without times say that no rhythm can be read."""
    if inputs.days is None:
        _flat(inputs, view)
        return
    key = job_key(inputs)
    job: Job[DemandForecast] | None = st.session_state.get(key)
    if job is not None and job.running:
        st.button("Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch")
        watch_job(key, "Forecasting each past week from those before it …")
        return
    if job is not None and job.result is not None:
        _show(job.result)
        return
    st.button(
        "Forecast next week",
        on_click=lambda: st.session_state.update({key: Job(lambda step: foretell(inputs, step))}),
        icon=":material/query_stats:",
        type="primary",
        width="stretch",
        help="Also forecasts every past week from the weeks before it alone, to show what that is worth.",
    )
    if job is None:
        note(
            "Calls by hour of the week and hexagon, each week foretold from the weeks before it and scored "
            "against the planners' rule: the mean of the same hour in the last four weeks, and in the same "
            "four of earlier years. No forecast is shown without its skill."
        )
    elif job.error:
        st.warning(f"The forecast ended: {job.error}.")


def foretell(inputs: StagingInputs, progress: Callable[[float], None]) -> DemandForecast:
    """Forecast the week after the last of the city's calls, by hexagon, and test the method on the record.

    Raises
    ------
    InvalidInputError
        If the record is too short to show the forecast's skill.
    """
    progress(0.0)
    cells, weeks, monday = demand_weeks(inputs)
    found = forecast(weeks, progress=progress)
    return DemandForecast(
        cells=cells,
        calls=np.nansum(weeks.counts, axis=(0, 1)).astype(np.int64),
        planners=planners_rates(weeks),
        monday=monday + pd.Timedelta(weeks=weeks.first_week + weeks.n_weeks),
        found=found,
    )


def demand_weeks(inputs: StagingInputs) -> tuple[tuple[str, ...], WeeklyCounts, pd.Timestamp]:
    """Count the calls that stand for demand by week, hour and hexagon; give the Monday from which hours run.

    Raises
    ------
    InvalidInputError
        If no call carries a time.
    """
    opened = demand_calls(inputs.city)["opened_at"]
    timed = opened.notna().to_numpy()
    if not timed.any():
        raise InvalidInputError("No rhythm can be read: no call carries a time")
    node = inputs.place_node[inputs.call_place[timed]]
    where = cells_of(inputs.network.node_lon[node], inputs.network.node_lat[node], resolution=CELL_RESOLUTION)
    cells, cell = np.unique(where, return_inverse=True)
    hours, monday = wall_hours(opened[timed])
    weeks = weekly_counts(hours, cell, n_cells=len(cells), start=int(hours.min()), end=int(hours.max()) + 1)
    return tuple(cell_names(cells)), weeks, monday


def demand_overlay(
    inputs: StagingInputs, scenario: Scenario, view: StagingView, theme: Theme
) -> Overlay | None:
    """Give the hexagons of the view: the forecast once there is one; without times the flat map."""
    if inputs.days is None:
        return flat_map(inputs, scenario, view, theme)
    job: Job[DemandForecast] | None = st.session_state.get(job_key(inputs))
    if job is None or job.result is None:
        return None
    hours = scenario.find(SetHourOfWeek)
    return forecast_map(job.result, hours[0].hour if hours else None, theme)


def forecast_map(told: DemandForecast, hour: int | None, theme: Theme) -> Overlay:
    """Map the expected calls of the week, or of one hour; hexagons with few calls in the record are blank."""
    mean, low, high = (values.sum(axis=0) if hour is None else values[hour] for values in told.by_cell())
    shown = np.flatnonzero(told.calls >= SMALLEST_SHOWN)
    unit = "a week" if hour is None else f"{DAYS[hour // 24]} {hour % 24}:00 to {hour % 24 + 1}:00"
    # Errors of a hexagon's hours go together, so the limits of the week are at most the sums of theirs.
    labels = [f"{mean[c]:.2g} calls {unit} ({low[c]:.2g} to {high[c]:.2g})" for c in shown]
    ways = "forecast" if told.trusted(CELL) else "planners' rule, as the forecast is no better"
    return Overlay(
        MapHexes([told.cells[c] for c in shown], ramp_colours(mean[shown], theme), labels),
        _legend(theme, "no calls", f"{mean[shown].max(initial=0.0):.2g} calls {unit}"),
        f"Expected calls, week of {told.monday.day} {told.monday:%B %Y} ({ways}). "
        f"Blank: fewer than {SMALLEST_SHOWN} calls.",
    )


def flat_map(inputs: StagingInputs, scenario: Scenario, view: StagingView, theme: Theme) -> Overlay:
    """Map where demand is, without any rhythm: each hexagon's share of all."""
    demand, network = view.demand, inputs.network
    where = cells_of(network.node_lon[demand.node], network.node_lat[demand.node], resolution=CELL_RESOLUTION)
    cells, cell = np.unique(where, return_inverse=True)
    share = 100 * np.bincount(cell, demand.weight) / demand.total
    of_what = "of the people" if inputs.demand_source(scenario) == "population" else "of all calls"
    return Overlay(
        MapHexes(
            cell_names(cells), ramp_colours(share, theme), [f"{value:.2f} % {of_what}" for value in share]
        ),
        _legend(theme, "none", f"{share.max(initial=0.0):.1f} % {of_what} a hexagon"),
        flat_title(inputs, scenario),
    )


def flat_title(inputs: StagingInputs, scenario: Scenario) -> str:
    """Name what the flat map shows, in the words of the table's source."""
    if inputs.demand_source(scenario) == "population":
        return f"People where they live: {inputs.city.source('neighborhoods').source}"
    return inputs.city.source("calls").source


def _flat(inputs: StagingInputs, view: StagingView) -> None:
    st.info(
        "**No rhythm can be read:** these calls carry no time. One flat map is shown; nothing is forecast.",
        icon=":material/schedule:",
    )
    note(inputs.city.source("calls").source)
    for caveat in inputs.city.source("calls").caveats[1:]:
        note(caveat)
    note(f"{view.demand.total:,.0f} counted; switch between calls and people under Reach counts.")


def _show(told: DemandForecast) -> None:
    skill = told.found.backtest.skill()
    week, rows = st.tabs(["Next week", "Skill"])
    with week:
        trusted = told.trusted(CITY)
        if trusted:
            st.markdown(_verdict(skill, CITY))
        else:
            st.warning(
                "**No forecast is shown:** on past weeks it was no better than the planners' rule, which is "
                f"drawn instead. {_verdict(skill, CITY)}"
            )
        st.altair_chart(_chart(chart_table(told), trusted=trusted), width="stretch")
        note(
            f"Calls an hour in the whole city, week of {told.monday.day} {told.monday:%B %Y}. "
            + (
                "Blue: forecast; band: where nine hours in ten should fall; dashed: planners' rule."
                if trusted
                else "Dashed: planners' rule; band: where nine hours in ten would fall by chance."
            )
            + " An ordinary week at the present level: no festival, storm or holiday is foreseen."
        )
    with rows:
        _skill_table(skill)


def _verdict(skill: pd.DataFrame, scale: str) -> str:
    row = skill[(skill["scale"] == scale) & (skill["other"] == "planners")].iloc[0]
    low, high = (100 * row[name] / row["other_crps"] for name in ("gain_low", "gain_high"))
    return (
        f"Against the planners' rule: **{row['verdict']}**. Error {100 * row['skill']:.1f} % less "
        f"({low:.1f} to {high:.1f}) over {row['weeks']} past weeks."
    )


def _skill_table(skill: pd.DataFrame) -> None:
    shown = pd.DataFrame(
        {
            "scale": skill["scale"].map({CELL: "Hexagon", CITY: "City"}),
            "other": skill["other"].map({"planners": "Planners", "all weeks": "All weeks"}),
            "crps": [f"{a:.3g} / {b:.3g}" for a, b in zip(skill["crps"], skill["other_crps"], strict=True)],
            "skill": [
                f"{100 * share:.1f} ± {100 * (high - low) / 2 / other:.1f} %"
                for share, low, high, other in zip(
                    skill["skill"], skill["gain_low"], skill["gain_high"], skill["other_crps"], strict=True
                )
            ],
            "verdict": skill["verdict"],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        row_height=30,
        column_config={
            "scale": st.column_config.TextColumn("By hour", width=64),
            "other": st.column_config.TextColumn("Against", width=66),
            "crps": st.column_config.TextColumn(
                "CRPS / its", width=98, help="Mean error of the forecast distribution, in calls."
            ),
            "skill": st.column_config.TextColumn("Less error", width=82, help="With its 95 % interval."),
            "verdict": st.column_config.TextColumn("It is", width=56),
        },
    )
    first = skill[skill["other"] == "planners"].set_index("scale")
    note(
        f"Forecast calls less observed: {100 * first['bias'][CITY]:+.1f} % (planners' rule "
        f"{100 * first['other_bias'][CITY]:+.1f} %). The forecast's central {100 * CENTRAL:.0f} % held "
        f"{100 * first['inside'][CELL]:.1f} % of the counts in hexagons and "
        f"{100 * first['inside'][CITY]:.1f} % of the city's hours."
    )
    note(
        "Each week was forecast from the weeks before it alone. Planners' rule: mean of the same hour in the "
        "last four weeks, and in those of earlier years. All weeks: mean of the same hour over all weeks."
    )


def chart_table(told: DemandForecast) -> pd.DataFrame:
    """One row an hour of the week: calls forecast, planners' rule, and where nine hours in ten fall."""
    rates, planners = told.found.rates, told.planners.sum(axis=1)
    tail = (1 - CENTRAL) / 2
    if told.trusted(CITY):
        shape = rates.city_count_shape
        chance = shape / (shape + rates.city_mean)
        low, high = (nbinom.ppf(q, shape, chance) for q in (tail, 1 - tail))
    else:
        low, high = _poisson_limits(planners, CENTRAL)
    hour = rates.hour_of_week
    return pd.DataFrame(
        {
            "hour": hour,
            "when": [f"{DAYS[h // 24]} {h % 24}:00" for h in hour],
            "forecast": rates.city_mean,
            "planners": planners,
            "low": low,
            "high": high,
        }
    )


def _poisson_limits(mean: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    tail = (1 - level) / 2
    return np.asarray(poisson.ppf(tail, mean)), np.asarray(poisson.ppf(1 - tail, mean))


def _chart(table: pd.DataFrame, *, trusted: bool) -> alt.LayerChart:
    days = "['Mon','Tue','Wed','Thu','Fri','Sat','Sun'][datum.value / 24]"
    across = alt.X(
        "hour:Q",
        scale=alt.Scale(domain=[0, HOURS_A_WEEK], nice=False),
        axis=alt.Axis(
            values=list(range(0, HOURS_A_WEEK, 24)), labelExpr=days, labelAlign="left", title=None, grid=True
        ),
    )
    tips = [
        alt.Tooltip("when:N", title="hour"),
        *([alt.Tooltip("forecast:Q", format=".1f")] if trusted else []),
        alt.Tooltip("planners:Q", format=".1f", title="planners' rule"),
        alt.Tooltip("low:Q", format=".0f", title="nine in ten from"),
        alt.Tooltip("high:Q", format=".0f", title="to"),
    ]
    base = alt.Chart(table)
    calls = alt.Y("low:Q", title=None, scale=alt.Scale(domainMin=0))
    band = base.mark_area(color=BLUE, opacity=0.22, interpolate="step-after").encode(
        x=across, y=calls, y2="high:Q", tooltip=tips
    )
    rule = base.mark_line(color="#8A9199", strokeDash=[4, 3], strokeWidth=1.2).encode(
        x=across, y="planners:Q"
    )
    line = base.mark_line(color=BLUE, strokeWidth=1.8).encode(x=across, y="forecast:Q")
    layers = alt.layer(band, rule, line) if trusted else alt.layer(band, rule)
    chart: alt.LayerChart = layers.properties(
        height=CHART_HEIGHT_PX, padding={"left": 0, "right": 4, "top": 4, "bottom": 0}
    ).configure_view(stroke=None)
    return chart


def _legend(theme: Theme, few: str, many: str) -> tuple[LegendEntry, ...]:
    return (LegendEntry(few, theme.ramp[0]), LegendEntry(many, theme.ramp[-1]))
