"""The compare view of the staging page: both plans by every instrument, and why they differ."""

import pandas as pd
import streamlit as st

from errors import InvalidInputError
from models.busy_plan import Workload, expected_share
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs, StagingView
from pages.parts.staging_results import note_beyond, region_table, worst_neighborhood
from pages.parts.staging_simulate import JOB_KEY, SimulatedWeeks
from pages.parts.staging_survival import survival_view
from pages.parts.staging_yesterday import warn_of_yesterday

UNKNOWN = "not known"
NOT_RUN = "run Simulate"
MOST_AREAS = 12


def compare_view(
    inputs: StagingInputs, state: ScenarioState, view: StagingView, baseline: StagingView
) -> None:
    """Show both plans by every instrument, and the neighborhoods that win and lose most."""
    workload = inputs.workload(state.current)
    warn_of_yesterday(inputs, state.current)
    instruments, areas, arrests = st.tabs(["Share in time", "Who wins, who loses", "Cardiac arrest"])
    with instruments:
        st.dataframe(
            pd.DataFrame(
                [
                    ("Every unit free", *(f"{v.outcome.coverage.share.value:.1%}" for v in (baseline, view))),
                    ("  worst area", *(_worst(inputs, v) for v in (baseline, view))),
                    ("Expected cover", *(_expected(v, workload) for v in (baseline, view))),
                    ("Queue", *(_queue(v) for v in (baseline, view))),
                    ("Simulated weeks", *_simulated(inputs, state)),
                ],
                columns=["by", "today", "scenario"],
            ),
            hide_index=True,
            row_height=30,
            column_config={
                "by": st.column_config.TextColumn("By", width=116),
                "today": st.column_config.TextColumn("Today", width=124),
                "scenario": st.column_config.TextColumn("Scenario", width=124),
            },
        )
        note(
            "Every unit free: the nearest post is always manned. Expected cover (MEXCLP): each unit is busy "
            "by itself, all alike; a call that waits is lost. Queue (hypercube): units are busy unequally "
            "and together, calls wait, but each call keeps its unit equally long, and rates never change. "
            "Simulated: the week's rhythm, drives from where units are, hospitals. Where they differ, "
            "believe the one that leaves least out."
        )
    with areas:
        _areas(inputs, view, baseline)
    with arrests:
        survival_view(view, baseline)


def _expected(view: StagingView, workload: Workload | None) -> str:
    units = len(view.plan.staffed)
    if workload is None or not units:
        return UNKNOWN
    try:
        busy = workload.units_busy / units
        return f"{expected_share(view.outcome, view.demand, view.conditions.budget_s(), busy):.1%}"
    except InvalidInputError:
        return "cannot keep up"


def _queue(view: StagingView) -> str:
    return UNKNOWN if isinstance(view.busy, str) else f"{view.busy.coverage.share:.1%}"


def _worst(inputs: StagingInputs, view: StagingView) -> str:
    found = worst_neighborhood(inputs, view)
    return f"{found[1]:.0%} {found[0]}" if found else "none"


def _simulated(inputs: StagingInputs, state: ScenarioState) -> tuple[str, str]:
    job = st.session_state.get(JOB_KEY)
    found: SimulatedWeeks | None = None if job is None else job.result
    wanted = ("plan", state.current.hash, inputs.key)
    if found is None or (found.against, found.scenario_hash, found.inputs_key) != wanted:
        return NOT_RUN, NOT_RUN
    figures = [weeks.interval("within_target") for weeks in (found.today, found.scenario)]
    today, scenario = (f"{f.mean:.1%} ± {100 * (f.high - f.mean):.1f}" for f in figures)
    return today, scenario


def _areas(inputs: StagingInputs, view: StagingView, baseline: StagingView) -> None:
    table = region_table(inputs, view)
    before = baseline.outcome.coverage.by_region.set_index("region")["share"]
    table["before"] = 100 * table["region"].map(before)
    table["now"] = 100 * table["share"]
    table["change"] = table["now"] - table["before"]
    moved = table[table["change"].abs() >= 0.05]
    if moved.empty:
        st.markdown("No neighborhood is reached more or less often in time than today, were every unit free.")
        note_beyond(table, view.demand.total)
        return
    most = moved.reindex(moved["change"].abs().sort_values(ascending=False).index).head(MOST_AREAS)
    st.dataframe(
        most.sort_values("change")[["name", "before", "now", "change", "weight"]],
        hide_index=True,
        row_height=28,
        height=28 * 8,
        column_config={
            "name": st.column_config.TextColumn("Neighborhood", width=128),
            "before": st.column_config.NumberColumn("Today", format="%.0f%%", width=56),
            "now": st.column_config.NumberColumn("Scenario", format="%.0f%%", width=66),
            "change": st.column_config.NumberColumn("Change", format="%+.1f", width=58),
            "weight": st.column_config.NumberColumn("Calls", format="%.0f", width=52),
        },
    )
    note("Share reached in time, every unit free; the largest changes, losses first.")
    note_beyond(table, view.demand.total)
