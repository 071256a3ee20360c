"""Catch basins: where water will stand, which basins to clean first, and what came back."""

from types import ModuleType

import streamlit as st

from data.city import City
from errors import InvalidInputError
from pages.parts import (
    basins_ambulances,
    basins_clean,
    basins_returned,
    basins_routes,
    basins_states,
    basins_water,
)
from pages.parts.basins_controls import Controls, basins_controls, usual_setting
from pages.parts.basins_ground import surface_of
from pages.parts.basins_inputs import basins_inputs, known_states
from pages.parts.basins_map import basins_map
from pages.parts.basins_scene import Scene
from pages.parts.basins_setting import BasinsState
from pages.parts.context import current_theme
from pages.parts.header import page_header

NEEDED = ("streets", "street_nodes", "neighborhoods", "basins")
QUESTIONS: dict[str, tuple[str, ModuleType]] = {
    "Where will water stand?": ("water", basins_water),
    "What state are they in?": ("states", basins_states),
    "Which to clean first?": ("clean", basins_clean),
    "Routes and orders": ("routes", basins_routes),
    "What came back?": ("returned", basins_returned),
    "Ambulances": ("ambulances", basins_ambulances),
}


@st.fragment
def basins(city: City) -> None:
    """Show controls, map and results; only this part runs again after a change."""
    scope, rules = f"basins.{city.version}", city.profile.drainage
    if rules is None:
        st.info(
            f"The profile of {city.name} has no section [drainage]: copy it from cities/new-orleans.toml and "
            "put in the city's own figures.",
            icon=":material/tune:",
        )
        return
    theme = current_theme()
    state = BasinsState(city, usual_setting(rules), {name: word for name, (word, _) in QUESTIONS.items()})
    left, middle, right = st.columns([2.3, 6.1, 3.6], gap="small")
    try:
        inputs = basins_inputs(city, city.version)
        surface = surface_of(inputs, city.version)
        returned = basins_returned.returned_of(scope)
        known = known_states(inputs, city.version, "" if returned is None else returned.key, returned)
        with left:
            areas = () if surface is None else surface.pump_areas
            basins_controls(Controls(rules, areas, surface is not None), state, scope=scope, dark=theme.dark)
        scene = Scene(city, inputs, known, rules, surface, state.setting, theme)
        with right:
            key = f"{scope}.question"
            st.session_state[key] = state.question
            st.selectbox(
                "Question",
                list(QUESTIONS),
                key=key,
                on_change=lambda: state.ask(st.session_state[key]),
                label_visibility="collapsed",
            )
        shown = QUESTIONS[state.question][1]
        with middle:
            basins_map(scene, shown.layers(scene, scope=scope), scope=scope)
        with right:
            shown.view(scene, scope=scope)
    except InvalidInputError as error:
        middle.error(f"**This cannot be shown.** {error}", icon=":material/report:")
    state.write_address()


city = page_header("Catch basins", "Move the rain; choose a question on the right; click a basin.")
missing = [table for table in NEEDED if not city.has(table)]
for table in missing:
    st.info(city.missing(table), icon=":material/upload_file:")
if not missing:
    basins(city)
