"""The simulate view of the staging page: many weeks of both plans, and the minutes with no unit to spare."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from models.dispatch import Difference, Replications, compare, thin_minutes
from models.dispatch_groups import FIRST, WORST, with_worst_area
from models.scenario import Scenario
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import ENOUGH_CALLS, StagingInputs, StagingView
from pages.parts.staging_results import region_table
from pages.parts.staging_rules import Against, city_priorities, plain_rules, rules_popover
from pages.parts.staging_world import make_world, plan_week, rules_of
from pages.parts.staging_yesterday import warn_of_yesterday, yesterday_view
from pages.parts.warm_up import rules_compiler

JOB_KEY = "staging.simulation"
CHOICES = (50, 200, 1000)
ROWS = (
    ("within_target", "In time", "higher", 100, "%.1f %%"),
    (FIRST, "{first} in time", "higher", 100, "%.1f %%"),
    (WORST, "Worst area", "higher", 100, "%.1f %%"),
    ("response_min", "Response, mean", "lower", 1, "%.1f min"),
    ("response_p90_min", "Response, 90th", "lower", 1, "%.1f min"),
    ("waited", "Calls that wait", "lower", 100, "%.1f %%"),
    ("utilisation", "Units busy", "lower", 100, "%.0f %%"),
    ("thin_share", "Time 0 or 1 free", "lower", 100, "%.1f %%"),
)
ROW_PX = 25
WHAT_IT_DOES = (
    "Plays whole weeks call by call: the nearest free unit answers, also on its way home; calls wait when "
    "none is free; units take people to hospital. Both plans meet the same calls under the same rules."
)
DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, eq=False)
class SimulatedWeeks:
    """What was simulated: for which scenario, both sides' figures, and one week's thin minutes.

    Attributes
    ----------
    against
        ``plan``: ``today`` is today's plan under the scenario's rules. ``rules``: it is the scenario's plan
        under plain rules.
    today, scenario
        Figures; the same object where nothing differs.
    worst
        Neighborhood that is reached worst on each side, with its calls; empty where none has enough.
    thin
        Thin minutes of one week of the scenario.
    """

    scenario_hash: str
    inputs_key: str
    against: Against
    today: Replications
    scenario: Replications
    worst: tuple[str, str]
    thin: pd.DataFrame
    replications: int


def simulate_view(
    inputs: StagingInputs, state: ScenarioState, view: StagingView, baseline: StagingView
) -> None:
    """Show the controls, the progress, the result of the last simulation, and the check of yesterday."""
    left, middle, right = st.columns([1.2, 0.9, 1.1], gap="small", vertical_alignment="center")
    count = left.segmented_control(
        "Weeks to simulate",
        CHOICES,
        default=CHOICES[1],
        key="staging.replications",
        label_visibility="collapsed",
    )
    with middle:
        against = rules_popover(inputs, state)
    job: Job[SimulatedWeeks] | None = st.session_state.get(JOB_KEY)
    running = job is not None and job.running
    if job is not None and running:
        right.button("Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch")
    else:
        right.button(
            "Simulate",
            on_click=lambda: _start(
                inputs, state, view, baseline, count=int(count or CHOICES[1]), against=against
            ),
            icon=":material/play_arrow:",
            type="primary",
            width="stretch",
            disabled=inputs.workload(state.current) is None,
        )
    plans, thin, yesterday = st.tabs(["Side by side", "Thin minutes", "Yesterday"])
    with plans:
        warn_of_yesterday(inputs, state.current)
        if job is None:
            note(WHAT_IT_DOES)
        elif running:
            watch_job(JOB_KEY, "Playing weeks …" if job.share else "Preparing the simulator …")
        elif job.error:
            st.warning(f"The simulation ended: {job.error}.")
        elif job.result is not None:
            _show_both(job.result, state.current, inputs)
    with thin:
        if job is None or job.result is None:
            note("Simulate first: then each minute with one unit free, or none, stands here with its cause.")
        else:
            _show_thin(job.result)
    with yesterday:
        yesterday_view(inputs)


def _start(
    inputs: StagingInputs,
    state: ScenarioState,
    view: StagingView,
    baseline: StagingView,
    *,
    count: int,
    against: Against,
) -> None:
    scenario, workload = state.current, inputs.workload(state.current)
    if workload is None:
        return
    chosen, like = rules_of(scenario), state.like_with_like()
    other_plan, other_rules = (
        (view.plan, plain_rules(chosen)) if against == "rules" else (baseline.plan, chosen)
    )
    alike = chosen == other_rules and (against == "rules" or like == scenario)
    target_min, areas = view.conditions.target_from_call_min, worst_among(inputs, view)

    def work(progress: Callable[[float], None]) -> SimulatedWeeks:
        progress(0.0)
        world = make_world(inputs, scenario, view, progress=progress)
        now = plan_week(world, view.plan, scenario, workload, chosen)
        rules_compiler().wait(progress)
        share = 1.0 if alike else 0.5
        second, worst = _worst(
            inputs, now.replicate(count, target_min, lambda done: progress(share * done)), areas
        )
        first, worst_first = second, worst
        if not alike:
            before = plan_week(world, other_plan, scenario, workload, other_rules)
            first, worst_first = _worst(
                inputs, before.replicate(count, target_min, lambda done: progress(0.5 + 0.5 * done)), areas
            )
        return SimulatedWeeks(
            scenario.hash,
            inputs.key,
            against,
            first,
            second,
            (worst_first, worst),
            thin_minutes(now.one()),
            count,
        )

    st.session_state[JOB_KEY] = Job(work)


def worst_among(inputs: StagingInputs, view: StagingView) -> list[int]:
    """Neighborhoods among which the worst is looked for: enough calls, and not beyond any post."""
    table = region_table(inputs, view)
    chosen = table[~table["beyond"] & (table["weight"] >= ENOUGH_CALLS)]
    return [int(region) for region in chosen["region"]]


def _worst(inputs: StagingInputs, result: Replications, areas: list[int]) -> tuple[Replications, str]:
    called = [area for area in areas if result.figures[f"area_calls_{area}"].sum() >= ENOUGH_CALLS]
    if not called:
        return result, ""
    found, area = with_worst_area(result, called)
    calls = result.figures[f"area_calls_{area}"].sum()
    return found, f"{inputs.regions['name'].iloc[area]} ({calls:,.0f} calls)"


def _show_both(result: SimulatedWeeks, scenario: Scenario, inputs: StagingInputs) -> None:
    fresh = result.scenario_hash == scenario.hash and result.inputs_key == inputs.key
    if not fresh:
        st.warning("This result is of another scenario. Simulate again.", icon=":material/history:")
    priorities = city_priorities(inputs.city, inputs.city.version)
    table = simulation_table(result, first=priorities[0])
    before, now = ("Plain rules", "These rules") if result.against == "rules" else ("Today", "Scenario")
    st.dataframe(
        table,
        hide_index=True,
        row_height=ROW_PX,
        height=ROW_PX * (len(table) + 1) + 10,
        column_config={
            "figure": st.column_config.TextColumn("A week", width=104),
            "today": st.column_config.TextColumn(before, width=90),
            "scenario": st.column_config.TextColumn(now, width=90),
            "verdict": st.column_config.TextColumn("So it is", width=86),
        },
    )
    note(_words(result))


def _words(result: SimulatedWeeks) -> str:
    compared = result.today is not result.scenario
    names = list(dict.fromkeys(name for name in result.worst if name))
    words = [
        f"Mean of {result.replications} weeks with its 95 % interval"
        + ("; both met the same calls, the verdict is on the paired differences." if compared else "."),
        *([f"Worst area: {', then '.join(names)}."] if names else []),
    ]
    lost = max(side.interval("unserved").mean for side in (result.today, result.scenario))
    if lost > 0:
        words.append(f"{lost:.1%} of calls are never served: no unit on duty may answer them.")
    return " ".join(words)


def _show_thin(result: SimulatedWeeks) -> None:
    st.dataframe(
        thin_table(result.thin),
        hide_index=True,
        row_height=ROW_PX,
        height=ROW_PX * (len(ROWS) + 1) + 10,
        column_config={
            "from": st.column_config.TextColumn("From", width=76),
            "minutes": st.column_config.NumberColumn("Min", format="%.0f", width=48),
            "free": st.column_config.TextColumn("Free", width=56, help="Of the units on duty."),
            "waiting": st.column_config.NumberColumn("Wait", width=46, help="Most calls waiting at once."),
            "cause": st.column_config.TextColumn("Held by", width=144, help="Most of the units' minutes."),
            "began": st.column_config.TextColumn("Began with", width=260),
        },
    )
    note(
        "Stretches of one simulated week of the scenario, under its rules, with one unit free, or none, "
        "longest first. The last column says what began each."
    )


def simulation_table(result: SimulatedWeeks, *, first: str = "") -> pd.DataFrame:
    """One row a figure: both sides (mean and half width), and the verdict on the paired difference.

    Parameters
    ----------
    first
        Name of the highest priority.
    """
    rows = []
    compared = result.today is not result.scenario
    for name, label, better, scale, form in ROWS:
        if name not in result.today.figures or name not in result.scenario.figures:
            continue
        row = {
            "figure": label.format(first=first or "First priority"),
            "today": _interval(result.today, name, scale, form),
        }
        if compared:
            found: Difference = compare(
                result.today, result.scenario, name, better="higher" if better == "higher" else "lower"
            )
            row |= {"scenario": _interval(result.scenario, name, scale, form), "verdict": found.verdict}
        rows.append(row)
    return pd.DataFrame(rows)


def thin_table(thin: pd.DataFrame) -> pd.DataFrame:
    """Give the longest thin stretches of the week, with the day and hour of their start."""
    longest = thin.sort_values("minutes", ascending=False).head(30)
    day, minute = longest["starts_min"] // 1440, longest["starts_min"] % 1440
    started = [
        f"{DAY_NAMES[int(d) % 7]} {int(m) // 60:02d}:{int(m) % 60:02d}"
        for d, m in zip(day, minute, strict=True)
    ]
    free = [f"{a} of {b}" for a, b in zip(longest["free"], longest["on_duty"], strict=True)]
    shown = longest.assign(**{"from": started, "free": free})
    return shown[["from", "minutes", "free", "waiting", "cause", "began"]]


def _interval(result: Replications, name: str, scale: float, form: str) -> str:
    figure = result.interval(name)
    half = (figure.high - figure.mean) * scale
    return f"{form % (figure.mean * scale)} ± {half:.1f}"
