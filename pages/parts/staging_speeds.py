"""Which speeds are driven at: the control, and the words that go with every result."""

import streamlit as st

from models.scenario import Scenario, SetSpeedFactor, SetSpeeds
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs

KEY = "staging.speeds"
LABELS = {"assumed": "Assumed", "fitted": "Fitted"}
HOW = "fit them in the view Simulate, tab Yesterday"


def speeds_control(inputs: StagingInputs, state: ScenarioState) -> None:
    """Choose assumed or fitted speeds; say why there is no choice, or why others are in force."""
    st.session_state[KEY] = "assumed" if inputs.fitted_at(state.current) is None else "fitted"

    def changed() -> None:
        source = st.session_state[KEY] or "assumed"
        state.change(
            lambda scenario: (
                scenario.without(SetSpeeds.kind)
                if source == "assumed"
                else scenario.having(SetSpeeds(source))
            )
        )

    reason = _why_not(inputs)
    st.segmented_control(
        "Speeds",
        tuple(LABELS),
        format_func=LABELS.__getitem__,
        key=KEY,
        on_change=changed,
        disabled=bool(reason),
        help="Assumed: by road class, hour and siren, as the city's profile says. Fitted: as the city's own "
        f"ambulances drove.\n\n{source_words(inputs, state.current)}",
    )
    if reason:
        note(reason)


def warn_of_missing_speeds(inputs: StagingInputs, scenario: Scenario) -> None:
    """Say that a scenario asks for fitted speeds where there are none."""
    reason = _why_not(inputs)
    if reason and scenario.find(SetSpeeds):
        st.warning(f"This scenario asks for fitted speeds. {reason} Assumed speeds are used.")


def speeds_words(inputs: StagingInputs, scenario: Scenario, *, own: bool = True) -> str:
    """Say which speeds are in force, with the planner's own factor: what every result carries."""
    factor = next((f" at {change.factor:.0%}" for change in scenario.find(SetSpeedFactor)), "") if own else ""
    if inputs.fitted is None or inputs.fitted_at(scenario) is None:
        return f"speeds assumed{factor}"
    found = inputs.fitted.fitted
    return f"speeds fitted to {found.drives:,} drives, {found.period}{factor}"


def hour_words(inputs: StagingInputs, scenario: Scenario) -> str:
    """Say where the pace of traffic by hour comes from."""
    if inputs.fitted_at(scenario) is None:
        return f"Pace by hour assumed: {inputs.city.profile.sources['hour_bands']}"
    return "The pace of each hour band is fitted."


def source_words(inputs: StagingInputs, scenario: Scenario) -> str:
    """Say where each figure behind the speeds comes from."""
    if inputs.fitted is not None and inputs.fitted_at(scenario) is not None:
        found = inputs.fitted.fitted
        return (
            f"In force: fitted to {found.drives:,} drives, {found.period}; {found.access_s:.0f} s "
            f"({found.access_low_s:.0f} to {found.access_high_s:.0f}) at the ends of a drive, and "
            f"{100 * found.access_s_per_m:.1f} s for each 100 m between street corners and doors."
        )
    profile, sources = inputs.city.profile, inputs.city.profile.sources
    return (
        f"In force: assumed. By road class: {sources['speeds']} With siren times {profile.siren_factor:g}: "
        f"{sources['siren_factor']} From corner to door {profile.access_kph:g} km/h: {sources['access_kph']} "
        f"Range: {sources['speed_range']}"
    )


def range_words(inputs: StagingInputs, scenario: Scenario) -> str:
    """Say what the range of the speeds is."""
    conditions = inputs.conditions(scenario)
    if inputs.fitted_at(scenario) is None:
        return f"{conditions.speed_low:g} to {conditions.speed_high:g} times the assumed ones"
    return f"{conditions.speed_low:.3f} to {conditions.speed_high:.3f} times the fitted ones (95 %)"


def _why_not(inputs: StagingInputs) -> str:
    if inputs.fitted is not None:
        return ""
    if inputs.fitted_fault:
        return f"{inputs.fitted_fault}."
    if not inputs.city.has("unit_responses"):
        return "There are no unit responses to fit speeds to."
    return f"No fitted speeds yet: {HOW}."
