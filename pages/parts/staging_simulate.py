"""The simulate view of the staging page: many weeks of both plans, and the minutes with no unit to spare."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from models.dispatch import Difference, Replications, compare, thin_minutes
from models.scenario import Scenario
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs, StagingView
from pages.parts.staging_world import make_world, plan_week
from pages.parts.staging_yesterday import warn_of_yesterday, yesterday_view

JOB_KEY = "staging.simulation"
CHOICES = (50, 200, 1000)
ROWS = (
    ("within_target", "In time", "higher", 100, "%.1f %%"),
    ("response_min", "Response, mean", "lower", 1, "%.1f min"),
    ("response_p90_min", "Response, 90th", "lower", 1, "%.1f min"),
    ("waited", "Calls that wait", "lower", 100, "%.1f %%"),
    ("utilisation", "Units busy", "lower", 100, "%.0f %%"),
    ("thin_share", "Time 0 or 1 free", "lower", 100, "%.1f %%"),
)
WHAT_IT_DOES = (
    "Plays whole weeks call by call: the nearest free unit answers, also on its way home; calls wait when "
    "none is free; units take people to hospital. Today's plan and this scenario meet the same calls. "
    "The first run prepares the simulator for some seconds."
)
DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, eq=False)
class SimulatedWeeks:
    """What was simulated: for which scenario, both plans' figures, and one week's thin minutes."""

    scenario_hash: str
    city_version: str
    today: Replications
    scenario: Replications
    thin: pd.DataFrame
    replications: int


def simulate_view(
    inputs: StagingInputs, state: ScenarioState, view: StagingView, baseline: StagingView
) -> None:
    """Show the controls, the progress, the result of the last simulation, and the check of yesterday."""
    left, right = st.columns([1.3, 1], vertical_alignment="bottom")
    count = left.segmented_control(
        "Weeks to simulate",
        CHOICES,
        default=CHOICES[1],
        key="staging.replications",
        help="More weeks, closer.",
    )
    job: Job[SimulatedWeeks] | None = st.session_state.get(JOB_KEY)
    running = job is not None and job.running
    if job is not None and running:
        right.button("Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch")
    else:
        right.button(
            "Simulate",
            on_click=lambda: _start(inputs, state.current, view, baseline, int(count or CHOICES[1])),
            icon=":material/play_arrow:",
            type="primary",
            width="stretch",
            disabled=inputs.workload(state.current) is None,
        )
    plans, thin, yesterday = st.tabs(["Both plans", "Thin minutes", "Yesterday"])
    with plans:
        warn_of_yesterday(inputs, state.current)
        if job is None:
            note(WHAT_IT_DOES)
        elif running:
            watch_job(JOB_KEY, "Playing weeks …" if job.share else "Preparing the simulator …")
        elif job.error:
            st.warning(f"The simulation ended: {job.error}.")
        elif job.result is not None:
            _show_plans(job.result, state.current, inputs)
    with thin:
        if job is None or job.result is None:
            note("Simulate first: then each minute with one unit free, or none, stands here with its cause.")
        else:
            _show_thin(job.result)
    with yesterday:
        yesterday_view(inputs)


def _start(
    inputs: StagingInputs, scenario: Scenario, view: StagingView, baseline: StagingView, count: int
) -> None:
    workload = inputs.workload(scenario)
    if workload is None:
        return
    target_min = view.conditions.target_min

    def work(progress: Callable[[float], None]) -> SimulatedWeeks:
        progress(0.0)
        world = make_world(inputs, scenario, view)
        now = plan_week(world, view.plan, scenario, workload)
        before = plan_week(world, baseline.plan, scenario, workload)
        second = now.replicate(count, target_min, lambda share: progress(0.5 * share))
        first = before.replicate(count, target_min, lambda share: progress(0.5 + 0.5 * share))
        return SimulatedWeeks(
            scenario.hash, inputs.city.version, first, second, thin_minutes(now.one()), count
        )

    st.session_state[JOB_KEY] = Job(work)


def _show_plans(result: SimulatedWeeks, scenario: Scenario, inputs: StagingInputs) -> None:
    fresh = result.scenario_hash == scenario.hash and result.city_version == inputs.city.version
    if not fresh:
        st.warning("This result is of another scenario. Simulate again.", icon=":material/history:")
    st.dataframe(
        simulation_table(result, compared=bool(scenario.changes) or not fresh),
        hide_index=True,
        row_height=28,
        height=28 * (len(ROWS) + 1) + 10,
        column_config={
            "figure": st.column_config.TextColumn("A week", width=122),
            "today": st.column_config.TextColumn("Today", width=96),
            "scenario": st.column_config.TextColumn("Scenario", width=96),
            "verdict": st.column_config.TextColumn("So it is", width=84),
        },
    )
    note(
        f"Mean of {result.replications} weeks with its 95 % interval; both plans met the same calls, and the "
        "verdict is on the paired differences. Speeds, times and rules as assumed: see the method."
    )


def _show_thin(result: SimulatedWeeks) -> None:
    st.dataframe(
        thin_table(result.thin),
        hide_index=True,
        row_height=28,
        height=28 * (len(ROWS) + 1) + 10,
        column_config={
            "from": st.column_config.TextColumn("From", width=76),
            "minutes": st.column_config.NumberColumn("Min", format="%.0f", width=48),
            "free": st.column_config.NumberColumn("Free", width=46),
            "waiting": st.column_config.NumberColumn("Wait", width=46, help="Most calls waiting at once."),
            "cause": st.column_config.TextColumn("Held by", width=150),
        },
    )
    note("Stretches of one simulated week of the scenario with one unit free, or none, longest first.")


def simulation_table(result: SimulatedWeeks, *, compared: bool) -> pd.DataFrame:
    """One row a figure: today, scenario (mean and half width), and the verdict on the paired difference."""
    rows = []
    for name, label, better, scale, form in ROWS:
        found: Difference = compare(
            result.today, result.scenario, name, better="higher" if better == "higher" else "lower"
        )
        rows.append(
            {
                "figure": label,
                "today": _interval(result.today, name, scale, form),
                **({"scenario": _interval(result.scenario, name, scale, form)} if compared else {}),
                **({"verdict": found.verdict} if compared else {}),
            }
        )
    return pd.DataFrame(rows)


def thin_table(thin: pd.DataFrame) -> pd.DataFrame:
    """Give the longest thin stretches of the week, with the day and hour of their start."""
    longest = thin.sort_values("minutes", ascending=False).head(30)
    day, minute = longest["starts_min"] // 1440, longest["starts_min"] % 1440
    started = [
        f"{DAY_NAMES[int(d) % 7]} {int(m) // 60:02d}:{int(m) % 60:02d}"
        for d, m in zip(day, minute, strict=True)
    ]
    return longest.assign(**{"from": started})[["from", "minutes", "free", "waiting", "cause"]]


def _interval(result: Replications, name: str, scale: float, form: str) -> str:
    figure = result.interval(name)
    half = (figure.high - figure.mean) * scale
    return f"{form % (figure.mean * scale)} ± {half:.1f}"
