"""Ambulance staging: drag a post and see who is reached in 4, 8 and 12 minutes."""

import streamlit as st

from data.city import City
from errors import InvalidInputError
from pages.parts.context import current_theme
from pages.parts.header import page_header
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_compare import compare_view
from pages.parts.staging_controls import staging_controls
from pages.parts.staging_demand import demand_overlay, demand_view
from pages.parts.staging_inputs import cached_view, staging_inputs
from pages.parts.staging_map import Mode, staging_map
from pages.parts.staging_results import staging_figures, staging_tables
from pages.parts.staging_simulate import simulate_view
from pages.parts.staging_suggest import suggest_view

NEEDED = ("streets", "street_nodes", "neighborhoods", "posts")
MODES = ("Minutes", "Gained and lost")
VIEWS = ("Plan", "Suggest", "Simulate", "Compare", "Demand")


@st.fragment
def staging(city: City) -> None:
    """Show controls, map and results; only this part runs again after a change."""
    inputs = staging_inputs(city)
    state = ScenarioState(city)
    left, middle, right = st.columns([2.2, 6.1, 3.7], gap="small")
    with left:
        staging_controls(inputs, state)
    with middle:
        bar = st.columns([4.4, 1.6, 1.6], gap="small", vertical_alignment="center")
        chosen = bar[0].segmented_control(
            "Map shows", MODES, default=MODES[0], key="staging.mode", label_visibility="collapsed"
        )
        bar[1].button(
            "Undo", on_click=state.undo, disabled=not state.can_undo, icon=":material/undo:", width="stretch"
        )
        bar[2].button(
            "Reset",
            on_click=state.reset,
            disabled=not state.current.changes,
            icon=":material/restart_alt:",
            width="stretch",
            help="Back to today's plan.",
        )
    mode: Mode = "Gained and lost" if chosen == "Gained and lost" else "Minutes"
    try:
        view, baseline = (
            cached_view(inputs, inputs.key, scenario.to_json())
            for scenario in (state.current, state.like_with_like())
        )
    except InvalidInputError as error:
        middle.error(f"**This scenario cannot be shown.** {error}", icon=":material/report:")
        state.write_address()
        return
    with right:
        shown = st.segmented_control(
            "View", VIEWS, default=VIEWS[0], key="staging.view", label_visibility="collapsed", width="stretch"
        )
    theme = current_theme()
    overlay = demand_overlay(inputs, state.current, view, theme) if shown == "Demand" else None
    with middle:
        staging_map(inputs, state, view, baseline, mode=mode, theme=theme, overlay=overlay)
    with right:
        staging_figures(inputs, state.current, view, baseline)
        match shown:
            case "Suggest":
                suggest_view(inputs, state, view)
            case "Simulate":
                simulate_view(inputs, state, view, baseline)
            case "Compare":
                compare_view(inputs, state, view, baseline)
            case "Demand":
                demand_view(inputs, view)
            case _:
                staging_tables(inputs, state, view, baseline)
    state.write_address()


city = page_header(
    "Ambulance staging", "Drag a post. Streets show at once who is reached; click a dot to staff one more."
)
missing = [table for table in NEEDED if not city.has(table)]
if not missing and not city.has("calls") and city.areas("neighborhoods")["population"].isna().all():
    missing = ["calls"]
for table in missing:
    st.info(city.missing(table), icon=":material/upload_file:")
if not missing:
    staging(city)
