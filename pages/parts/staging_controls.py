"""The controls of the staging page: each shows the scenario and writes its change back to it."""

from collections.abc import Callable

import streamlit as st

from data.profile import Standard
from models import edits
from models.plan import make_plan
from models.scenario import (
    DEMAND_SOURCES,
    Change,
    ScaleDemand,
    Scenario,
    SetClock,
    SetDemand,
    SetHourOfWeek,
    SetSpeedFactor,
    SetTarget,
    SetWorkload,
)
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_disruptions import disruption_controls
from pages.parts.staging_inputs import StagingInputs, standard_target
from pages.parts.staging_speeds import hour_words, speeds_control, speeds_words, warn_of_missing_speeds

WHOLE_WEEK = "All week"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
START_HOUR = 12
OWN_TARGET = "Another target"


def staging_controls(inputs: StagingInputs, state: ScenarioState) -> None:
    """Show all controls of the staging page in the container in force."""
    plan = make_plan(inputs.posts, state.current)
    _slider(
        "Units on duty",
        "units",
        (0, max(len(plan.in_order), plan.on_duty, 1), 1),
        plan.on_duty,
        lambda scenario, units: edits.set_units(inputs.posts, scenario, int(units)),
        state=state,
        words="One unit waits at each staffed post, in the order of the list. With fewer units the last "
        "posts stand empty. For one unit more, switch a post on or add one on the map.",
    )
    _target(inputs, state)
    _hour(inputs, state)
    _demand(inputs, state)
    disruption_controls(inputs, state)
    with st.popover("Clock and speeds", icon=":material/speed:", width="stretch"):
        _clock(inputs, state)
        speeds_control(inputs, state)
        _slider(
            "Speed, %",
            "speed",
            (60, 140, 5),
            round(100 * _factor(state.current, SetSpeedFactor)),
            lambda scenario, percent: _put(scenario, SetSpeedFactor(percent / 100), percent == 100),
            state=state,
            words=f"Of the {speeds_words(inputs, state.current, own=False)}: the planner's own factor.",
        )
    with st.popover("Calls and workload", icon=":material/call:", width="stretch"):
        _slider(
            "Demand, %",
            "demand_growth",
            (50, 200, 5),
            round(100 * _factor(state.current, ScaleDemand)),
            lambda scenario, percent: _put(scenario, ScaleDemand(percent / 100), percent == 100),
            state=state,
            words="Of today's calls, everywhere alike. Units are busier by it; were every unit free, it "
            "would change how many calls come too late, not their share.",
        )
        _workload(inputs, state)
    warn_of_missing_speeds(inputs, state.current)
    note(_closed_words(inputs, state.current))


def _closed_words(inputs: StagingInputs, scenario: Scenario) -> str:
    """Say in one line what the closed popovers hold."""
    conditions, load = inputs.conditions(scenario), inputs.workload(scenario)
    clock = f"Handling {conditions.call_handling_s:.0f} s, turnout {conditions.turnout_s:.0f} s"
    busy = "" if load is None else f" On the mean {load.units_busy:.1f} units are busy."
    return f"{clock}; {speeds_words(inputs, scenario)}.{busy}"


def _put(scenario: Scenario, change: Change, is_default: bool) -> Scenario:  # noqa: FBT001
    return scenario.without(*change.subject) if is_default else scenario.having(change)


def _factor(scenario: Scenario, kind: type[SetSpeedFactor] | type[ScaleDemand]) -> float:
    return next((change.factor for change in scenario.find(kind)), 1.0)


def _slider(
    label: str,
    name: str,
    limits: tuple[float, float, float],
    value: float,
    edit: Callable[[Scenario, float], Scenario],
    *,
    state: ScenarioState,
    words: str,
) -> None:
    key = f"staging.{name}"
    low, high, step = limits
    st.session_state[key] = min(max(value, low), high)
    st.slider(
        label,
        low,
        high,
        step=step,
        key=key,
        help=words,
        on_change=lambda: state.change(lambda scenario: edit(scenario, st.session_state[key])),
    )


def _target(inputs: StagingInputs, state: ScenarioState) -> None:
    conditions, standards = inputs.conditions(state.current), inputs.city.profile.standards
    driving = conditions.target_clock == "departure"
    _slider(
        "Target, minutes of driving" if driving else "Target, minutes from call to arrival",
        "target",
        (2.0 if driving else 4.0, 20.0, 0.5),
        conditions.target_min,
        lambda scenario, minutes: _put_target(inputs, scenario, SetTarget(minutes, conditions.target_clock)),
        state=state,
        words=(
            "From the wheels rolling to the first unit on scene."
            if driving
            else "From the call received to the first unit on scene. Call handling and turnout are off; "
            "what is left is for driving."
        )
        + "".join(_standard_words(standard) for standard in standards),
    )
    if not standards:
        return
    now, key = inputs.standard(state.current), "staging.standard"
    st.session_state[key] = now.code if now else OWN_TARGET
    known = {standard.code: standard for standard in standards}

    def changed() -> None:
        chosen = known.get(st.session_state[key])
        if chosen is not None:
            state.change(lambda scenario: _put_target(inputs, scenario, standard_target(chosen)))

    st.selectbox(
        "Standard",
        [*known, *([] if now else [OWN_TARGET])],
        format_func=lambda code: _standard_label(known[code]) if code in known else code,
        key=key,
        on_change=changed,
        label_visibility="collapsed",
    )
    if now is not None and now.reference:
        note(f"Reference, {now.reference}.", help_text=now.source)


def _put_target(inputs: StagingInputs, scenario: Scenario, target: SetTarget) -> Scenario:
    return _put(scenario, target, target == inputs.usual_target)


def _standard_label(standard: Standard) -> str:
    return f"{standard.code}: {standard.minutes:g} min, {standard.share:.0%}"


def _standard_words(standard: Standard) -> str:
    words = f"\n\n{standard.name}: {standard.share:.0%} in {standard.minutes:g} minutes, from when "
    return f"{words}{standard.start} to when {standard.end}."


def _clock(inputs: StagingInputs, state: ScenarioState) -> None:
    conditions, sources = inputs.conditions(state.current), inputs.city.profile.sources
    left, right = st.columns(2, gap="small")
    with left:
        _slider(
            "Handling, s",
            "handling",
            (0, 240, 10),
            int(conditions.call_handling_s),
            lambda scenario, seconds: _set_clock(inputs, scenario, call_handling_s=float(seconds)),
            state=state,
            words="From the call received to the crew's alarm. Assumed: " + sources["call_handling_s"],
        )
    with right:
        _slider(
            "Turnout, s",
            "turnout",
            (0, 240, 10),
            int(conditions.turnout_s),
            lambda scenario, seconds: _set_clock(inputs, scenario, turnout_s=float(seconds)),
            state=state,
            words="From the crew's alarm to wheels rolling. Assumed: " + sources["turnout_s"],
        )


def _set_clock(
    inputs: StagingInputs,
    scenario: Scenario,
    *,
    call_handling_s: float | None = None,
    turnout_s: float | None = None,
) -> Scenario:
    now, profile = inputs.conditions(scenario), inputs.city.profile
    clock = SetClock(
        now.call_handling_s if call_handling_s is None else call_handling_s,
        now.turnout_s if turnout_s is None else turnout_s,
    )
    return _put(scenario, clock, clock == SetClock(profile.call_handling_s, profile.turnout_s))


def _hour(inputs: StagingInputs, state: ScenarioState) -> None:
    found = state.current.find(SetHourOfWeek)
    day = DAYS[found[0].hour // 24] if found else WHOLE_WEEK
    hour = found[0].hour % 24 if found else START_HOUR
    st.session_state["staging.day"], st.session_state["staging.hour"] = day, hour

    def changed() -> None:
        chosen, at = st.session_state["staging.day"], st.session_state["staging.hour"]
        state.change(
            lambda scenario: (
                scenario.without(SetHourOfWeek.kind)
                if chosen == WHOLE_WEEK
                else scenario.having(SetHourOfWeek(DAYS.index(chosen) * 24 + at))
            )
        )

    counts = (
        "Counts calls of this hour and the hours beside it, and slows or speeds traffic."
        if inputs.days is not None
        else "These calls carry no time, so the hour changes driving speeds only."
    )
    left, right = st.columns(2, gap="small")
    with left:
        st.selectbox(
            "Day",
            (WHOLE_WEEK, *DAYS),
            key="staging.day",
            on_change=changed,
            help=f"{counts} {hour_words(inputs, state.current)}",
        )
    with right:
        st.slider(
            "Hour", 0, 23, key="staging.hour", on_change=changed, disabled=day == WHOLE_WEEK, format="%d:00"
        )


def _demand(inputs: StagingInputs, state: ScenarioState) -> None:
    names = {
        "calls": "Calls",
        "priority": inputs.city.profile.words.get("priority_call", "First"),
        "population": "People",
    }
    st.session_state["staging.demand"] = inputs.demand_source(state.current)

    def changed() -> None:
        source = st.session_state["staging.demand"] or inputs.demand_sources[0]
        state.change(lambda s: _put(s, SetDemand(source), source == inputs.demand_sources[0]))

    st.segmented_control(
        "Reach counts",
        inputs.demand_sources,
        format_func=names.__getitem__,
        key="staging.demand",
        on_change=changed,
        help="; ".join(f"{names[source]}: {DEMAND_SOURCES[source]}" for source in inputs.demand_sources),
    )
    if inputs.stand_in and inputs.demand_source(state.current) != "population":
        note(inputs.stand_in)


def _workload(inputs: StagingInputs, state: ScenarioState) -> None:
    usual = inputs.usual_workload()
    now = next(iter(state.current.find(SetWorkload)), usual)
    if now is None:
        return
    source = (
        "Counted from the city's unit responses."
        if inputs.observed is not None
        else f"Assumed: {inputs.city.profile.sources['workload']}"
    )
    st.session_state["staging.calls_per_day"], st.session_state["staging.busy_min"] = (
        now.calls_per_day,
        now.busy_min,
    )

    def changed() -> None:
        load = SetWorkload(st.session_state["staging.calls_per_day"], st.session_state["staging.busy_min"])
        state.change(lambda scenario: _put(scenario, load, load == usual))

    left, right = st.columns(2, gap="small")
    with left:
        st.number_input(
            "Calls a day",
            1.0,
            5000.0,
            step=5.0,
            format="%.0f",
            key="staging.calls_per_day",
            on_change=changed,
            help=f"Medical calls in the whole city. {source}",
        )
    with right:
        st.number_input(
            "Min a call",
            5.0,
            300.0,
            step=5.0,
            format="%.0f",
            key="staging.busy_min",
            on_change=changed,
            help=f"Minutes that a call keeps its unit, until it is available again. {source}",
        )
