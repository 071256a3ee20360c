"""The rules of dispatch under which weeks are simulated: chosen in a popover, kept in the scenario."""

from dataclasses import replace
from typing import Literal

import streamlit as st

from data.city import City
from models.scenario import Scenario, SetRules
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs
from pages.parts.staging_world import call_mix, rules_of

Against = Literal["plan", "rules"]
AGAINST_KEY = "staging.against"
AGAINST = {
    "plan": "this plan with today's, same rules",
    "rules": "these rules with the plain ones, same plan",
}
QUEUES = {"longest": "Longest waiting", "priority": "Most urgent"}
FREE = {
    "home": "Wait at their own posts",
    "fill": "Fill the first open post of the list when freed",
    "move": "Fill it, and move up when others leave",
}


def rules_popover(inputs: StagingInputs, state: ScenarioState) -> Against:
    """Show the rules in a popover, write what is chosen to the scenario, and say what to compare."""
    now = rules_of(state.current)
    priorities = len(city_priorities(inputs.city, inputs.city.version))
    shifts = inputs.city.has("shifts")
    popover = st.popover(
        "Rules" if now == SetRules() else "Rules •",
        width="stretch",
        help="Who takes a waiting call, where free units wait, and who is on duty.",
    )
    with popover, st.container(gap="xxsmall"):
        _radio(
            "A freed unit takes the call that is", "queue", QUEUES, now.queue, state, disabled=priorities < 2
        )
        _checkbox(
            "An urgent call may take a unit on its way to a less urgent one",
            "preempt",
            state,
            value=now.preempt,
            disabled=now.queue != "priority",
        )
        _radio("Free units", "free", FREE, _free(now), state)
        _checkbox(
            "The city's usual shifts, ALS and BLS", "shifts", state, value=now.shifts, disabled=not shifts
        )
        _checkbox(
            "The most urgent calls need ALS",
            "als_first",
            state,
            value=now.als_first,
            disabled=not now.shifts or priorities < 2,
        )
        against = st.radio(
            "Compare",
            list(AGAINST),
            format_func=AGAINST.__getitem__,
            key=AGAINST_KEY,
            horizontal=True,
            help="Plans: this plan with today's, under these rules. Rules: these rules with the plain ones "
            "(longest waiting, own posts), for this plan.",
        )
        if lacking := _lacking(priorities, shifts=shifts):
            note(lacking)
    return "rules" if against == "rules" else "plan"


def plain_rules(chosen: SetRules) -> SetRules:
    """Return the rules without policy, with the same units on duty and the same needs."""
    return SetRules(shifts=chosen.shifts, als_first=chosen.als_first)


@st.cache_data(show_spinner=False, max_entries=4)
def city_priorities(_city: City, version: str) -> tuple[str, ...]:  # noqa: ARG001 -- the version is the key
    """Names of the priorities of the city's calls, the most urgent first; one where they have none."""
    return call_mix(_city).names


def with_rules(scenario: Scenario, rules: SetRules) -> Scenario:
    """Put rules into a scenario; the plain ones need no change."""
    return scenario.without(*rules.subject) if rules == SetRules() else scenario.having(rules)


def changed_rules(now: SetRules, field: str, value: object) -> SetRules:
    """Change one choice of the popover, and what cannot stand beside it."""
    match field:
        case "queue":
            queue: Literal["longest", "priority"] = "priority" if value == "priority" else "longest"
            return replace(now, queue=queue, preempt=now.preempt and queue == "priority")
        case "free":
            return replace(now, compliance=value != "home", move_up=value == "move")
        case "shifts":
            return replace(now, shifts=bool(value), als_first=now.als_first and bool(value))
        case "preempt":
            return replace(now, preempt=bool(value))
        case _:
            return replace(now, als_first=bool(value))


def _free(rules: SetRules) -> str:
    return "move" if rules.move_up else "fill" if rules.compliance else "home"


def _lacking(priorities: int, *, shifts: bool) -> str:
    words = []
    if priorities < 2:
        words.append("Calls are of one priority: this city's calls name none.")
    if not shifts:
        words.append("Units are all alike and always on duty: this city gives no shifts.")
    return " ".join(words)


def _changed(field: str, state: ScenarioState) -> None:
    value = st.session_state[f"staging.rules.{field}"]
    state.change(lambda scenario: with_rules(scenario, changed_rules(rules_of(scenario), field, value)))


def _radio(
    label: str,
    field: str,
    options: dict[str, str],
    value: str,
    state: ScenarioState,
    *,
    disabled: bool = False,
) -> None:
    key = f"staging.rules.{field}"
    st.session_state[key] = value
    st.radio(
        label,
        list(options),
        format_func=options.__getitem__,
        key=key,
        on_change=_changed,
        args=(field, state),
        disabled=disabled,
        horizontal=len(options) == 2,
    )


def _checkbox(label: str, field: str, state: ScenarioState, *, value: bool, disabled: bool) -> None:
    key = f"staging.rules.{field}"
    st.session_state[key] = value
    st.checkbox(label, key=key, on_change=_changed, args=(field, state), disabled=disabled)
