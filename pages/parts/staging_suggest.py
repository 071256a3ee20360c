"""The suggest view of the staging page: a list that a dispatcher can follow, and what it rests on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from data.derived import Roads
from models import edits
from models.compliance import ComplianceTable, solve_compliance
from models.compliance_moves import MovesStep, how_often_chosen, moves_curve
from models.coverage import Demand
from models.scenario import Scenario, SetDemand
from models.siting import solve_mclp
from models.staging import Conditions, post_seconds
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs, StagingView
from pages.parts.staging_yesterday import warn_of_yesterday

JOB_KEY = "staging.suggestion"
ANY_NUMBER = "any"
MOST_MOVES_SHOWN = 4
TIME_LIMIT_S = 10.0

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Suggestion:
    """A suggested list, for which scenario it was made, and how far it can be trusted."""

    scenario_hash: str
    city_version: str
    table: ComplianceTable
    chosen: npt.NDArray[np.float64]
    runs: int
    moves: tuple[MovesStep, ...]
    queue_known: bool


def suggest_view(inputs: StagingInputs, state: ScenarioState, view: StagingView) -> None:
    """Show the controls, the progress, and the last suggestion."""
    today = _today(inputs)
    units = min(max(len(view.plan.staffed), 1), len(inputs.posts))
    left, right = st.columns([1.3, 1], vertical_alignment="bottom")
    most = left.select_slider(
        "Posts that may change",
        [*map(str, range(min(len(today), units) + 1)), ANY_NUMBER],
        value=ANY_NUMBER,
        key="staging.most_moves",
        help="A list that keeps most of today's posts is easier to begin with.",
    )
    job: Job[Suggestion] | None = st.session_state.get(JOB_KEY)
    if job is not None and job.running:
        right.button("Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch")
        watch_job(JOB_KEY, "Looking for the best posts …")
        return
    right.button(
        f"Suggest {units}",
        on_click=lambda: _start(
            inputs, state.current, view, units, None if most == ANY_NUMBER else int(most)
        ),
        icon=":material/lightbulb:",
        type="primary",
        width="stretch",
        help="For the units on duty, the target, hour, speeds and demand on the left.",
    )
    if job is None:
        note(
            "Finds a list of posts in which each further free unit adds one post, so that a dispatcher moves "
            "at most one unit when another is called away. Best under these speeds and calls: the last "
            "column says how often a post stays chosen when speeds and demand are others."
        )
    elif job.error:
        st.warning(f"The search ended: {job.error}.")
    elif job.result is not None:
        _show(inputs, state, job.result)


def _start(
    inputs: StagingInputs, scenario: Scenario, view: StagingView, units: int, max_moves: int | None
) -> None:
    chance = None if isinstance(view.busy, str) else view.busy.queue.free
    if chance is not None and len(chance) != units + 1:
        chance = None

    def work(progress: Callable[[float], None]) -> Suggestion:
        progress(0.0)
        today, roads = _today(inputs), inputs.roads(scenario)
        reach = reach_matrix(inputs, roads, view.demand, view.conditions)
        baseline = today if max_moves is not None else None
        table = solve_compliance(
            reach,
            view.demand.weight,
            units,
            chance=chance,
            baseline=baseline,
            max_moves=max_moves,
            time_limit_s=TIME_LIMIT_S,
            progress=lambda share: progress(0.5 * share),
        )
        plans, runs = [], _other_conditions(inputs, scenario, view.conditions)
        for done, (demand, conditions) in enumerate(runs):
            other = reach_matrix(inputs, roads, demand, conditions)
            plans.append(solve_mclp(other, demand.weight, units, time_limit_s=TIME_LIMIT_S).sites)
            progress(0.5 + 0.3 * (done + 1) / len(runs))
        moves = moves_curve(
            reach,
            view.demand.weight,
            today,
            most=MOST_MOVES_SHOWN,
            time_limit_s=TIME_LIMIT_S,
            progress=lambda share: progress(0.8 + 0.2 * share),
        )
        return Suggestion(
            scenario.hash,
            inputs.city.version,
            table,
            how_often_chosen(plans, len(inputs.posts)),
            len(runs),
            moves,
            chance is not None,
        )

    st.session_state[JOB_KEY] = Job(work)


def reach_matrix(inputs: StagingInputs, roads: Roads, demand: Demand, conditions: Conditions) -> BoolArray:
    """(n_places, n_posts) whether a unit at each of the city's posts reaches each place in time."""
    rows_s, access_m = inputs.times.from_candidates(inputs.posts, roads)
    reached: BoolArray = conditions.budget_s() >= post_seconds(rows_s, access_m, demand, conditions).T
    return reached


def _other_conditions(
    inputs: StagingInputs, scenario: Scenario, conditions: Conditions
) -> list[tuple[Demand, Conditions]]:
    """Pair the slow, assumed and fast speeds with each kind of demand that the city has."""
    demands = [inputs.demand(scenario.having(SetDemand(source))) for source in inputs.demand_sources]
    factors = (conditions.speed_low, 1.0, conditions.speed_high)
    return [
        (demand, replace(conditions, speed_factor=conditions.speed_factor * factor))
        for demand in demands
        for factor in factors
        if demand.total > 0
    ]


def _today(inputs: StagingInputs) -> list[int]:
    ranked = inputs.posts["baseline_rank"].dropna().sort_values()
    return [int(at) for at in ranked.index]


def _show(inputs: StagingInputs, state: ScenarioState, found: Suggestion) -> None:
    if found.scenario_hash != state.current.hash or found.city_version != inputs.city.version:
        st.warning("This list is for other settings. Suggest again.", icon=":material/history:")
    names = inputs.posts["name"].astype(str).tolist()
    total = found.table.total
    warn_of_yesterday(inputs, state.current)
    listed, why = st.tabs(["The list", "What it rests on"])
    with why:
        note(_words(found, names))
    with listed:
        st.dataframe(
            pd.DataFrame(
                [
                    (
                        level.free_units,
                        names[level.added],
                        100 * level.covered / total,
                        100 * level.gain / total,
                        100 * level.price / total,
                        f"{round(found.chosen[level.added] * found.runs)} of {found.runs}",
                    )
                    for level in found.table.levels
                ],
                columns=["free", "post", "reach", "gain", "price", "chosen"],
            ),
            hide_index=True,
            row_height=28,
            height=28 * 6 + 10,
            column_config={
                "free": st.column_config.NumberColumn("Free", width=42, help="With so many units free …"),
                "post": st.column_config.TextColumn("Add the post", width=116),
                "reach": st.column_config.NumberColumn(
                    "Reach", format="%.1f", width=48, help="Percent in time."
                ),
                "gain": st.column_config.NumberColumn(
                    "Adds", format="%.1f", width=44, help="Percentage points."
                ),
                "price": st.column_config.NumberColumn(
                    "Price",
                    format="%.1f",
                    width=44,
                    help="What the best free choice of as many posts reaches more.",
                ),
                "chosen": st.column_config.TextColumn(
                    "Chosen",
                    width=60,
                    help="Best plans that use it, over slow to fast speeds and kinds of demand.",
                ),
            },
        )
        ids = inputs.posts["post_id"].astype(str).tolist()
        st.button(
            "Use this list",
            on_click=lambda: state.change(
                lambda scenario: edits.set_order(
                    inputs.posts, scenario, [ids[site] for site in found.table.sites]
                )
            ),
            icon=":material/check:",
            width="stretch",
            help="Put it in the place of today's order, and see it on the map.",
        )


def _words(found: Suggestion, names: list[str]) -> str:
    proof = "proven best" if found.table.gap < 1e-9 else f"within {found.table.gap:.1%} of the best possible"
    weighted = "weighted by how often so many units are free" if found.queue_known else "all levels alike"
    total = found.table.total
    steps = [
        f"{step.moves} move{'s' if step.moves > 1 else ''} {100 * step.gain / total:+.1f} pts "
        f"({', '.join(names[site] for site in step.entered) or 'none helps'})"
        for step in found.moves[1:]
        if step.gain > 1e-9 * total
    ]
    few = f" From today's posts, every unit free: {'; '.join(steps)}." if steps else ""
    return f"The list is {proof}, {weighted}.{few}"
