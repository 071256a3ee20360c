"""The results of the staging page: four large figures, neighborhoods, and an editable table of posts."""

import math
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import streamlit as st

from models import edits
from models.coverage import Coverage, Estimate
from models.scenario import DEMAND_SOURCES, TARGET_CLOCKS, ScaleDemand, Scenario
from pages.parts.figures import Figure, big_figures
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.shift_card import CardFigure, CardList, shift_card
from pages.parts.staging_disruptions import cut_off_words
from pages.parts.staging_inputs import ENOUGH_CALLS, StagingInputs, StagingView
from pages.parts.staging_speeds import range_words, speeds_words
from pages.parts.staging_suggest_work import last_suggestion, listed_names

TABLE_HEIGHT_PX = 256
ROW_HEIGHT_PX = 28
POSTS_KEY = "staging.posts"


def staging_figures(
    inputs: StagingInputs, scenario: Scenario, view: StagingView, baseline: StagingView
) -> None:
    """Show the four figures that matter, each with its range and its change from today's plan."""
    big_figures(plan_figures(inputs, scenario, view, baseline))


def plan_figures(
    inputs: StagingInputs, scenario: Scenario, view: StagingView, baseline: StagingView
) -> list[Figure]:
    """Say the four figures that matter, each with its range and its change from today's plan."""
    now, before = view.outcome.coverage, baseline.outcome.coverage
    compared = bool(scenario.changes)
    worst, worst_before = worst_neighborhood(inputs, view), worst_neighborhood(inputs, baseline)
    target = view.conditions.target_words
    return [
        Figure(
            f"In {target}, every unit free",
            f"{now.share.value:.1%}",
            f"{now.share.low:.1%} to {now.share.high:.1%}{_wanted(inputs, scenario)}",
            f"{_range_words(inputs, scenario, view)} Share of the demand whose nearest staffed post is in "
            f"time, from {TARGET_CLOCKS[view.conditions.target_clock]} to the first unit on scene, as if "
            "every unit were free.",
            _points(now.share.value - before.share.value) if compared else "",
            _better(now.share.value - before.share.value),
        ),
        _busy_figure(f"In {target}, units busy", view, baseline, compared=compared),
        Figure(
            "Worst neighborhood in reach",
            f"{worst[1]:.0%}" if worst else "none",
            worst[0] if worst else "no area has enough calls",
            f"Every unit free. Smallest share reached in time among neighborhoods with at least "
            f"{ENOUGH_CALLS} calls where the candidate posts together could reach half of the demand.",
            _points(worst[1] - worst_before[1]) if compared and worst and worst_before else "",
            _better(worst[1] - worst_before[1]) if worst and worst_before else None,
        ),
        _drive_figure(now, before, range_words(inputs, scenario), compared=compared),
    ]


def staging_tables(
    inputs: StagingInputs, state: ScenarioState, view: StagingView, baseline: StagingView
) -> None:
    """Show neighborhoods, posts and the scenario in words."""
    for words in (cut_off_words(inputs, state.current, view), _late_words(inputs, state.current, view)):
        if words:
            note(words)
    areas, posts, changes = st.tabs(["Neighborhoods", "Posts", "Scenario"])
    with areas:
        _neighborhoods(inputs, state.current, view, baseline)
    with posts:
        _posts(inputs, state, view)
    with changes:
        _changes(inputs, state, view, baseline)


def region_table(inputs: StagingInputs, view: StagingView) -> pd.DataFrame:
    """One row a neighborhood with demand: name, demand, share reached, drive minutes, beyond any post."""
    table = view.outcome.coverage.by_region.copy()
    table["name"] = inputs.regions["name"].to_numpy()[table["region"]]
    table["beyond"] = view.beyond[table["region"]]
    for name in ("median", "p90"):
        table[f"{name}_min"] = (table[f"{name}_s"] / 60).replace(math.inf, np.nan)
    return table


def worst_neighborhood(inputs: StagingInputs, view: StagingView) -> tuple[str, float] | None:
    """Give the neighborhood in reach with the smallest share in time, and that share; None without one."""
    table = region_table(inputs, view)
    table = table[~table["beyond"] & (table["weight"] >= ENOUGH_CALLS)]
    if table.empty:
        return None
    row = table.sort_values(["share", "name"]).iloc[0]
    return str(row["name"]), float(row["share"])


def _neighborhoods(
    inputs: StagingInputs, scenario: Scenario, view: StagingView, baseline: StagingView
) -> None:
    table = region_table(inputs, view)
    before = baseline.outcome.coverage.by_region.set_index("region")["share"]
    table["change"] = 100 * (table["share"] - table["region"].map(before))
    table["share"] *= 100
    reachable = table[~table["beyond"]].sort_values(["share", "name"])
    columns = ["name", "share", *(["change"] if scenario.changes else []), "median_min", "p90_min", "weight"]
    source = inputs.demand_source(scenario)
    st.dataframe(
        reachable[columns],
        hide_index=True,
        height=TABLE_HEIGHT_PX,
        row_height=ROW_HEIGHT_PX,
        column_config={
            "name": st.column_config.TextColumn("Neighborhood", width=124),
            "share": st.column_config.NumberColumn(
                "In time", format="%.0f%%", width=48, help="Share reached within the target."
            ),
            "change": st.column_config.NumberColumn(
                "Change", format="%+.1f", width=52, help="Percentage points against today's plan."
            ),
            "median_min": st.column_config.NumberColumn(
                "Median", format="%.1f", width=50, help="Drive, minutes."
            ),
            "p90_min": st.column_config.NumberColumn(
                "90th", format="%.1f", width=45, help="90th percentile drive, minutes."
            ),
            "weight": st.column_config.NumberColumn(
                "People" if source == "population" else "Calls", format="%.0f", width=50
            ),
        },
    )
    note_beyond(table, view.demand.total)


def note_beyond(table: pd.DataFrame, total: float) -> None:
    """Name the neighborhoods of a `region_table` that no choice of posts helps, and their share."""
    beyond = table[table["beyond"]]
    if len(beyond):
        share = beyond["weight"].sum() / total
        note(
            f"Beyond any post ({share:.1%} of the demand; even with every candidate staffed less than half "
            f"is reached): {', '.join(sorted(beyond['name']))}."
        )


def _posts(inputs: StagingInputs, state: ScenarioState, view: StagingView) -> None:
    shares = dict(zip((post.post_id for post in view.plan.staffed), view.outcome.sole_share, strict=True))
    frame = pd.DataFrame(
        [
            (
                post.state == "staffed",
                post.name,
                100 * float(shares[post.post_id]) if post.post_id in shares else None,
                post.lat,
                post.lon,
            )
            for post in view.plan.posts
        ],
        columns=["unit", "name", "sole", "lat", "lon"],
        index=pd.Index([post.post_id for post in view.plan.posts], name="post_id"),
    )
    # A new key for each scenario: the editor starts from the scenario, never from its own old edits.
    key = f"{POSTS_KEY}.{state.current.hash}"

    def edited() -> None:
        rows = st.session_state[key]["edited_rows"]
        state.change(lambda scenario: _apply_rows(inputs.posts, scenario, frame, rows))

    st.data_editor(
        frame,
        key=key,
        hide_index=True,
        height=TABLE_HEIGHT_PX,
        row_height=ROW_HEIGHT_PX,
        on_change=edited,
        disabled=["name", "sole"],
        column_config={
            "unit": st.column_config.CheckboxColumn("Unit", width=58, help="A unit waits here."),
            "name": st.column_config.TextColumn("Post", width=118),
            "sole": st.column_config.NumberColumn(
                "Alone", format="%.1f%%", width=52, help="Demand that no other staffed post reaches in time."
            ),
            "lat": st.column_config.NumberColumn("Lat", format="%.4f", width=62, min_value=-90, max_value=90),
            "lon": st.column_config.NumberColumn(
                "Lon", format="%.4f", width=68, min_value=-180, max_value=180
            ),
        },
    )
    note("The same as on the map: switch a unit, or type a place. Posts stand in the order of staffing.")


def _apply_rows(
    posts: pd.DataFrame, scenario: Scenario, frame: pd.DataFrame, rows: dict[int, dict[str, object]]
) -> Scenario:
    for position, values in rows.items():
        post_id, row = str(frame.index[position]), frame.iloc[position]
        if "lat" in values or "lon" in values:
            lon, lat = values.get("lon", row["lon"]), values.get("lat", row["lat"])
            if isinstance(lon, int | float) and isinstance(lat, int | float):
                scenario = edits.move_post(posts, scenario, post_id, float(lon), float(lat))
        if "unit" in values:
            scenario = edits.toggle_post(posts, scenario, post_id)
    return scenario


def _changes(inputs: StagingInputs, state: ScenarioState, view: StagingView, baseline: StagingView) -> None:
    names = {post.post_id: post.name for post in view.plan.posts} | inputs.hospital_names
    sentences = state.current.sentences(names)
    if sentences:
        st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
    else:
        st.markdown("Nothing is changed: this is today's plan.")
    for words in view.plan.ignored:
        st.warning(words)
    city = inputs.city
    # The card is set only when it is asked for, so it holds on to what is shown now.
    st.download_button(
        "Shift card (PDF)",
        partial(_card, inputs, state.current, view, baseline),
        file_name=f"shift-card-{state.current.hash}.pdf",
        mime="application/pdf",
        icon=":material/print:",
        disabled=not view.plan.staffed,
        on_click="ignore",
        help="One sheet: the posts in order, the map, and who moves.",
    )
    note(
        f"City {city.version}, scenario {state.current.hash}. The address of this page holds the scenario: "
        "send it, or keep it. Method: nearest staffed post over the street network (Dijkstra), coverage as "
        "if every unit were free."
    )


def _busy_figure(label: str, view: StagingView, baseline: StagingView, *, compared: bool) -> Figure:
    if isinstance(view.busy, str):
        return Figure(label, "not known", "hover for the reason", view.busy)
    now, queue = view.busy.coverage, view.busy.queue
    change = now.share - baseline.busy.coverage.share if not isinstance(baseline.busy, str) else None
    return Figure(
        label,
        f"{now.share:.1%}",
        f"units busy {queue.workload.mean():.0%} of the time",
        "Larson's hypercube queue model: calls arrive at random, the nearest free unit goes, and "
        f"{now.waiting:.0%} of the calls wait for one. Rates hold all the time, which no city's do: simulate "
        "before deciding.",
        _points(change) if compared and change is not None else "",
        _better(change) if change is not None else None,
    )


def _drive_figure(now: Coverage, before: Coverage, speeds: str, *, compared: bool) -> Figure:
    median, p90 = now.median_s, now.p90_s
    change = (median.value - before.median_s.value) / 60
    shown = compared and math.isfinite(change)
    return Figure(
        "Drive: median, 90th percentile",
        f"{_minutes(median.value)} / {_minutes(p90.value)}",
        f"min; {_span(median)} / {_span(p90)}",
        "Minutes from wheels rolling to the door, every unit free: half, and nine tenths, of the demand are "
        f"reached at least this soon. The ranges cover speeds of {speeds}. The change is the median's.",
        (f"{change:+.1f}" if abs(change) >= 0.05 else "no change") if shown else "",
        (None if abs(change) < 0.05 else change < 0) if math.isfinite(change) else None,
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}" if math.isfinite(seconds) else "none"


def _span(minutes: Estimate) -> str:
    return f"{_minutes(minutes.low)} to {_minutes(minutes.high)}"


def _points(difference: float) -> str:
    points = round(100 * difference, 1)
    return f"{points:+.1f} pts" if points else "no change"


def _better(difference: float) -> bool | None:
    return None if abs(difference) < 0.0005 else difference > 0


def _range_words(inputs: StagingInputs, scenario: Scenario, view: StagingView) -> str:
    sampled = f", and the chance in {view.demand.sampled:,} calls (95 %)" if view.demand.sampled else ""
    return f"The range covers speeds of {range_words(inputs, scenario)}{sampled}."


def _wanted(inputs: StagingInputs, scenario: Scenario) -> str:
    standard = inputs.standard(scenario)
    return f"; wanted {standard.share:.0%}" if standard else ""


def _late_words(inputs: StagingInputs, scenario: Scenario, view: StagingView) -> str:
    growth = next((change.factor for change in scenario.find(ScaleDemand)), 1.0)
    late = 1 - view.outcome.coverage.share.value
    source = inputs.demand_source(scenario)
    if source == "population":
        people = view.demand.total * growth
        words = f"{late * people:,.0f} of {people:,.0f} people live out of reach."
        table = inputs.city.source("neighborhoods")
    else:
        table = inputs.city.source("calls")
        if inputs.days is not None:
            a_day = view.demand.total * growth / inputs.days
            words = f"Too late: about {late * a_day:,.1f} of {a_day:,.1f} calls a day, were every unit free."
        else:
            words = (
                f"Too late: {late * growth * 1000:,.0f} for every 1,000 calls of today, were every unit free."
            )
    stated = table.source.rstrip(".")
    dated = stated if table.period in stated else f"{stated}, {table.period}"
    return f"{words} Counted: {DEMAND_SOURCES[source]}. {dated}; {speeds_words(inputs, scenario)}."


def _card(inputs: StagingInputs, scenario: Scenario, view: StagingView, baseline: StagingView) -> bytes:
    city, conditions = inputs.city, view.conditions
    names = {post.post_id: post.name for post in view.plan.posts} | inputs.hospital_names
    printed = datetime.now(ZoneInfo(city.profile.timezone))
    return shift_card(
        city,
        view.plan,
        moves=scenario.sentences(names),
        figures=[
            CardFigure(figure.label, figure.value, figure.range_text)
            for figure in plan_figures(inputs, scenario, view, baseline)
        ],
        subtitle=f"{len(view.plan.staffed)} units; target {conditions.target_from_call_min:g} minutes from "
        f"the call, of which {conditions.call_handling_s:g} s call handling and {conditions.turnout_s:g} s "
        "turnout.",
        lists=_shift_lists(inputs, scenario, view),
        footer=f"City {city.version}, scenario {scenario.hash}, printed {printed:%d %B %Y, %H:%M}.",
        caveat=_late_words(inputs, scenario, view),
    )


def _shift_lists(inputs: StagingInputs, scenario: Scenario, view: StagingView) -> list[CardList]:
    """Day and night list, where both were suggested for this scenario, or one of them is the plan in view."""
    found = last_suggestion(inputs)
    if found is None or len(found.lists) < 2:
        return []
    listed = {tuple(listed_names(inputs, shift)) for shift in found.lists}
    if found.scenario_hash != scenario.hash and tuple(p.name for p in view.plan.staffed) not in listed:
        return []
    return [
        CardList(f"{shift.name} list, {shift.words}", tuple(listed_names(inputs, shift)))
        for shift in found.lists
    ]
