"""The suggest view of the staging page: lists that a dispatcher can follow, and what they rest on."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from models import edits
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs, StagingView
from pages.parts.staging_suggest_options import (
    current_wishes,
    wishes_control,
    wishes_fault,
    wishes_words,
)
from pages.parts.staging_suggest_work import (
    JOB_KEY,
    Reached,
    ShiftList,
    Suggestion,
    compared_years,
    find_lists,
    last_suggestion,
    listed_names,
    post_names,
)
from pages.parts.staging_yesterday import warn_of_yesterday

ROW_PX, HEADER_PX = 22, 39
LEAST_GAIN_PTS = 0.05
"""A move that brings less than this is not worth a word."""

DEMAND_NAMES = {"calls": "calls", "priority": "priority", "population": "people"}


def suggest_view(inputs: StagingInputs, state: ScenarioState, view: StagingView) -> None:
    """Show the options, the progress, and the last suggestion."""
    units = min(max(len(view.plan.staffed), 1), len(inputs.posts))
    left, right = st.columns(2, gap="small", vertical_alignment="bottom")
    job: Job[Suggestion] | None = st.session_state.get(JOB_KEY)
    if job is not None and job.running:
        left.button("Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch")
        watch_job(JOB_KEY, "Looking for the best posts …")
        return
    with left:
        wishes = wishes_control(inputs, units)
    fault = wishes_fault(inputs, wishes)
    right.button(
        f"Suggest {units}",
        on_click=lambda: _start(inputs, state, view),
        icon=":material/lightbulb:",
        type="primary",
        width="stretch",
        disabled=bool(fault),
        help="For the units on duty, the target, hour, speeds and demand on the left.",
    )
    found = last_suggestion(inputs)
    if fault:
        st.warning(fault)
    elif job is not None and job.error:
        st.warning(f"No list: {job.error}.")
    elif found is not None:
        _show(inputs, state, found)
    else:
        note(
            "Finds a list of posts in which each further free unit adds one post, so that a dispatcher moves "
            "at most one unit when another is called away. Best under these speeds and calls: the last "
            "column says how often a post stays chosen when speeds and demand are others."
        )


def _start(inputs: StagingInputs, state: ScenarioState, view: StagingView) -> None:
    scenario, wishes = state.current, current_wishes(inputs)

    def work(progress: Callable[[float], None]) -> Suggestion:
        return find_lists(inputs, scenario, view.plan, wishes, progress)

    st.session_state[JOB_KEY] = Job(work)


def _show(inputs: StagingInputs, state: ScenarioState, found: Suggestion) -> None:
    if found.scenario_hash != state.current.hash or found.wishes != current_wishes(inputs):
        st.warning("This is for other settings. Suggest again.", icon=":material/history:")
    warn_of_yesterday(inputs, state.current)
    both = len(found.lists) > 1
    tabs = st.tabs(
        [
            *(["Both"] if both else []),
            *(shift.name or "The list" for shift in found.lists),
            *(["Calls, people", "Why"] if both else ["Calls and people", "What it rests on"]),
        ]
    )
    if both:
        with tabs[0]:
            _show_both(inputs, found)
    for tab, shift in zip(tabs[both:], found.lists, strict=False):
        with tab:
            # Above its table, so that it is in view also below a warning.
            _use(inputs, state, shift, f"Use the {shift.name.lower()} list" if both else "Use this list")
            _show_list(inputs, shift)
    with tabs[-2]:
        _show_reached(inputs, found.lists)
    with tabs[-1]:
        note(wishes_words(inputs, found.wishes))
        for shift in found.lists:
            note(list_words(inputs, shift))


def _show_both(inputs: StagingInputs, found: Suggestion) -> None:
    day, night = found.lists
    posts = {shift.name: listed_names(inputs, shift) for shift in found.lists}
    total = {shift.name: shift.table.total for shift in found.lists}
    st.dataframe(
        pd.DataFrame(
            [
                (
                    by_day.free_units,
                    posts[day.name][at],
                    100 * by_day.covered / total[day.name],
                    posts[night.name][at],
                    100 * by_night.covered / total[night.name],
                )
                for at, (by_day, by_night) in enumerate(
                    zip(day.table.levels, night.table.levels, strict=True)
                )
            ],
            columns=["free", "day", "day_reach", "night", "night_reach"],
        ),
        hide_index=True,
        row_height=ROW_PX,
        height=_table_px(len(day.table.levels), most=8),
        column_config={
            "free": st.column_config.NumberColumn("Free", width=40, help="With so many units free …"),
            "day": st.column_config.TextColumn("Day", width=112, help=day.words),
            "day_reach": st.column_config.NumberColumn(
                "Reach", format="%.1f", width=50, help="Percent of the calls of these hours in time."
            ),
            "night": st.column_config.TextColumn("Night", width=112, help=night.words),
            "night_reach": st.column_config.NumberColumn(
                "Reach", format="%.1f", width=50, help="Percent of the calls of these hours in time."
            ),
        },
    )
    only = [
        f"Only {shift.name.lower()}: {', '.join(name for name in posts[shift.name] if name not in others)}."
        for shift, others in ((day, posts[night.name]), (night, posts[day.name]))
        if set(posts[shift.name]) - set(others)
    ]
    hours = f"Day {day.words}, night {night.words}."
    same = "Both lists hold the same posts; only their order can differ."
    note(f"{hours} {' '.join(only) or same}")
    if inputs.days is None:
        note("The calls carry no time: the two lists differ by driving speeds only.")


def _show_list(inputs: StagingInputs, shift: ShiftList) -> None:
    names, total, years = listed_names(inputs, shift), shift.table.total, compared_years(inputs)
    st.dataframe(
        pd.DataFrame(
            [
                (
                    level.free_units,
                    names[level.free_units - 1],
                    100 * level.covered / total,
                    100 * level.gain / total,
                    100 * level.price / total,
                    None if level.worst is None else 100 * level.worst,
                    f"{round(shift.chosen[level.added] * shift.runs)}/{shift.runs}",
                )
                for level in shift.table.levels
            ],
            columns=["free", "post", "reach", "gain", "price", "worst", "chosen"],
        ),
        hide_index=True,
        row_height=ROW_PX,
        height=_table_px(len(shift.table.levels), most=7),
        column_config={
            "free": st.column_config.NumberColumn("Free", width=38, help="With so many units free …"),
            "post": st.column_config.TextColumn("Add the post", width=104),
            "reach": st.column_config.NumberColumn("Reach", format="%.1f", width=46, help="Percent in time."),
            "gain": st.column_config.NumberColumn(
                "Adds", format="%.1f", width=40, help="What this further post buys, percentage points."
            ),
            "price": st.column_config.NumberColumn(
                "Price",
                format="%.1f",
                width=40,
                help="What the best free choice of as many posts reaches more.",
            ),
            "worst": st.column_config.NumberColumn(
                "Worst",
                format="%.0f",
                width=44,
                help="Percent reached in the neighborhood where it is least, of what any post reaches there.",
            ),
            "chosen": st.column_config.TextColumn(
                "Often",
                width=50,
                help="In how many of the best plans it stands, over slow to fast speeds and kinds of demand"
                + (f", and the calls of each year: {', '.join(map(str, years))}." if years else "."),
            ),
        },
    )


def _use(inputs: StagingInputs, state: ScenarioState, shift: ShiftList, label: str) -> None:
    ids = inputs.posts["post_id"].astype(str).tolist()
    st.button(
        label,
        on_click=lambda: state.change(
            lambda scenario: edits.set_order(
                inputs.posts, scenario, [ids[site] for site in shift.table.sites]
            )
        ),
        icon=":material/check:",
        width="stretch",
        help="Put it in the place of today's order, and see it on the map.",
    )


def _show_reached(inputs: StagingInputs, lists: Sequence[ShiftList]) -> None:
    """Each kind of demand that the city has, side by side, for today's posts and the list."""
    rows = []
    for shift in lists:
        for label, reached in (("Today", shift.today), (shift.name or "This list", shift.listed)):
            said = f"Today, {shift.name.lower()}" if label == "Today" and shift.name else label
            rows += [(said, *(f"{100 * one.share:.1f}" for one in reached))]
            rows += [("  worst", *(_worst_words(one) for one in reached))]
    sources = [one.demand for one in lists[0].today]
    st.dataframe(
        pd.DataFrame(rows, columns=["list", *sources]),
        hide_index=True,
        row_height=ROW_PX,
        height=_table_px(len(rows), most=8),
        column_config={
            "list": st.column_config.TextColumn("In time, %", width=84),
            **{
                source: st.column_config.TextColumn(f"By {DEMAND_NAMES[source]}", width=280 // len(sources))
                for source in sources
            },
        },
    )
    note(
        "All units of the list free. Worst: the neighborhood where least is reached, of what any post "
        "reaches there. The list is made for the demand chosen on the left."
    )
    if inputs.stand_in and "calls" in sources:
        note(f"Calls: {inputs.stand_in}")
    if "population" in sources:
        source = inputs.city.source("neighborhoods")
        note(f"People, where they live: {source.source} ({source.period}).")


def list_words(inputs: StagingInputs, shift: ShiftList) -> str:
    """Say how good the list is, what nesting and fairness cost, and which moves matter most."""
    table, names = shift.table, list(post_names(inputs).values())
    total = table.total
    weight = sum(level.chance for level in table.levels)
    proof = "proven best" if table.gap < 1e-9 else f"within {table.gap:.1%} of the best possible"
    weighted = "weighted by how often so many units are free" if shift.queue_known else "all levels alike"
    begin = f"{shift.name}, {shift.words}: the list" if shift.name else "The list"
    words = [
        f"{begin} is {proof} under these speeds and calls, {weighted}.",
        f"One order for all levels costs {100 * table.price_of_nesting / total / weight:.1f} pts.",
    ]
    if shift.plain is not None:
        before, now = shift.plain.levels[-1].worst or 0.0, table.levels[-1].worst or 0.0
        price = 100 * (shift.plain.objective - table.objective) / total / weight
        words.append(
            f"Fairness lifts the worst neighborhood from {before:.0%} to {now:.0%} with all units free, and "
            f"costs {price:.1f} pts."
        )
    steps = [
        f"{step.moves} move{'s' if step.moves > 1 else ''} {100 * step.gain / total:+.1f} pts "
        f"({', '.join(names[site] for site in step.entered)} for "
        f"{', '.join(names[site] for site in step.left)})"
        for step in shift.moves[1:]
        if 100 * step.gain / total >= LEAST_GAIN_PTS
    ]
    if steps:
        words.append(f"From today's posts, every unit free: {'; '.join(steps)}.")
    if shift.beyond:
        words.append(f"Beyond any post, whatever the list: {', '.join(shift.beyond)}.")
    return " ".join(words)


def _worst_words(reached: Reached) -> str:
    share = f"{100 * reached.worst:.0f}"
    return share if share == "100" else f"{share} {reached.worst_name}"


def _table_px(rows: int, *, most: int) -> int:
    return ROW_PX * min(rows, most) + HEADER_PX
