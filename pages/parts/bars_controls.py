"""Controls of the page on bars: what is counted, how it is shared out, and what was left out and why."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from models.incidents import ALL_CALLS, DROPPED, HEADLINE, LANES, NOT_RANKABLE, SET_ASIDE
from models.outlet_sharing import HALF_M
from models.outlets import NAME_OVER
from pages.parts.bars_inputs import OUTCOMES, BarsChoice, BarsInputs
from pages.parts.bars_scene import tells_reports

PLURAL = {"bar": "Bars", "restaurant": "Restaurants", "store": "Stores", "hotel": "Hotels", "other": "Others"}
LANE_WORDS = {
    HEADLINE: ("Written reports", "Not opened by an officer, and a written report was made."),
    ALL_CALLS: ("All calls only", "Counted only when all calls are."),
    SET_ASIDE: ("Set aside", "Booked at a station, court, jail or hospital: nobody knows where it happened."),
    NOT_RANKABLE: ("Not rankable", "No place, or a type whose place the police withhold."),
    DROPPED: ("Dropped", "Void, test, duplicate, or of another agency."),
}
_ALL = "All kinds"
_STYLE = """
<style>
.cr-lanes { width: 100%; font-size: .78rem; line-height: 1.45; border-collapse: collapse; }
.cr-lanes td { padding: 0; } .cr-lanes td + td { text-align: right; font-variant-numeric: tabular-nums; }
</style>
"""


@dataclass(frozen=True)
class BarsControls:
    """What a person chose: what counts, the multiple asked for, and the kinds of outlets shown."""

    choice: BarsChoice
    over: float
    kinds: frozenset[str]


def bars_controls(inputs: BarsInputs, *, scope: str) -> BarsControls:
    """Show the controls; ``scope`` keeps the choices of two cities apart."""
    told = tells_reports(inputs)
    outcome = st.segmented_control(
        "Count",
        list(OUTCOMES),
        format_func=OUTCOMES.__getitem__,
        default="headline",
        required=True,
        disabled=not told,
        key=f"{scope}.outcome",
        help="Written reports that no officer opened are what is ranked. All calls shows what would "
        "change: a bar that calls for help looks worse by them."
        if told
        else "No record says how it ended or who opened it: written reports cannot be told from other calls.",
        width="stretch",
    )
    group = _group(inputs, scope)
    over = st.slider(
        "Worse than … times expected",
        min_value=1.0,
        max_value=3.0,
        value=NAME_OVER,
        step=0.1,
        key=f"{scope}.over",
        help="How sure are we that an outlet has more than so many times the incidents expected of an outlet "
        "like it? Only that chance is worked out anew. To be named takes 1.5 at least, whatever stands here.",
    )
    held = [kind for kind in PLURAL if kind in inputs.doors.category]
    kinds = st.pills(
        "Outlets shown",
        held,
        selection_mode="multi",
        default=held,
        format_func=PLURAL.__getitem__,
        wrap=True,
        key=f"{scope}.kinds",
        help="Only what is shown: all outlets are compared. With none chosen all are shown.",
    )
    with st.expander("How incidents are shared out"):
        half_m = st.slider(
            "Pull halves every … m",
            min_value=15,
            max_value=75,
            value=int(HALF_M),
            step=5,
            key=f"{scope}.half",
            help="An incident may be any near outlet's, or the street's. It is shared among them by walking "
            "distance and by how many incidents such an outlet has elsewhere. Its own count plays no part.",
        )
    choice = BarsChoice(str(outcome or "headline"), group, float(half_m))
    lanes_view(inputs, choice)
    return BarsControls(choice, float(over), frozenset(kinds or held))


def _group(inputs: BarsInputs, scope: str) -> str:
    groups = inputs.groups
    chosen = st.selectbox(
        "Incidents",
        [_ALL, *groups],
        key=f"{scope}.group",
        disabled=not groups,
        help="Types in which alcohol plays a part, as the city's profile lists them."
        if groups
        else "No record gives its type: all kinds of incidents count.",
    )
    return "" if chosen == _ALL else chosen


def lanes_view(inputs: BarsInputs, choice: BarsChoice) -> None:
    """Show where the records went, with every reason, and the booking stacks set aside."""
    by_lane = inputs.incidents.by_lane
    chosen = f"<tr><td><b>In this view</b></td><td><b>{int(inputs.chosen(choice).sum()):,}</b></td></tr>"
    rows = chosen + "".join(
        f'<tr title="{LANE_WORDS[lane][1]}"><td>{LANE_WORDS[lane][0]}</td><td>{by_lane[lane]:,}</td></tr>'
        for lane in (LANES if tells_reports(inputs) else LANES[2:])
    )
    st.html(f'{_STYLE}<table class="cr-lanes">{rows}</table>')
    with st.popover("Why, and booking stacks", width="stretch", icon=":material/rule:"):
        st.markdown(
            f"**{int(by_lane.sum()):,} police records**, each in one lane, with the first reason that holds:"
        )
        account = inputs.incidents.account
        st.dataframe(
            account.assign(lane=[LANE_WORDS[lane][0] for lane in account["lane"]])[
                ["lane", "records", "reason"]
            ],
            hide_index=True,
            row_height=26,
            height=min(26 * len(account) + 38, 240),
            column_config={
                "lane": st.column_config.TextColumn("Lane", width=100),
                "reason": st.column_config.TextColumn("Reason", width=620),
                "records": st.column_config.NumberColumn("Records", format="localized", width=70),
            },
        )
        for sentence in (*inputs.incidents.unchecked, *outlet_words(inputs)):
            st.caption(sentence)
        _stacks(inputs.incidents.stacks)


def outlet_words(inputs: BarsInputs) -> list[str]:
    """Say how many outlets have no door here, by reason."""
    missing = pd.Series([why for why in inputs.doors.reason if why]).value_counts()
    told = [*inputs.left_out, *((str(why), int(count)) for why, count in missing.items())]
    words = [f"Outlets left out: {count}, {why}." for why, count in told]
    return [*words, f"{int(inputs.doors.licences.sum()):,} licences stand at {len(inputs.doors):,} doors."]


def _stacks(stacks: pd.DataFrame) -> None:
    aside = stacks[stacks["set_aside"]]
    if not len(aside):
        st.markdown("No booking stack was found.")
        return
    st.markdown(f"**{len(aside)} booking places and stacks set aside** (grey on the map):")
    st.dataframe(
        aside[["name", "records", "kind", "words"]].sort_values("records", ascending=False),
        hide_index=True,
        row_height=26,
        height=min(26 * len(aside) + 38, 220),
        column_config={
            "name": st.column_config.TextColumn("Place", width=250),
            "kind": st.column_config.TextColumn("Kind", width=90),
            "records": st.column_config.NumberColumn("Records", format="localized", width=70),
            "words": st.column_config.TextColumn("Reason", width=300),
        },
    )
