"""Disruptions on the staging page: their controls, how they are drawn, and what they cut off."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import shapely
import streamlit as st

from data.profile_roads import Closure, Flood
from models.changes import Change, CloseRoad, DivertHospital, FloodStreets, LoseUnits
from models.plan import make_plan
from models.scenario import CleanBasins, RainStorm, Scenario
from models.storm import INCH_MM
from pages.parts.city_map import MapArea
from pages.parts.notes import note
from pages.parts.palette import BLUE, PURPLE, SKY, Theme
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs, StagingView
from pages.parts.staging_water import WATER_CHANGES, missing_words

ROUTE = "route"
GROUPS = {
    "bridge": "Bridges: shut or lifted",
    "rail crossing": "Trains across the street",
    "road": "Roads: shut",
    ROUTE: "Parade routes: reached, not crossed",
}
KINDS = (CloseRoad, FloodStreets, *WATER_CHANGES, DivertHospital, LoseUnits)
DRAWN_DEG = 2e-4
"""Half the width at which a disrupted street is drawn, about 20 m: seen in a view of the whole city."""


def disruption_controls(inputs: StagingInputs, state: ScenarioState) -> None:
    """Show one button that opens all disruptions of the city, and say which are in force."""
    profile = inputs.city.profile
    with st.popover("Disruptions", icon=":material/traffic:", width="stretch"):
        # In tabs, so that each fits above the button without scrolling; a tab for what the city names.
        kinds = {closure.kind for closure in profile.closures}
        shown = {
            "Roads": bool(kinds - {ROUTE}),
            "Parades": ROUTE in kinds,
            "High water": bool(profile.floods or profile.drainage),
            "Hospitals and units": True,
        }
        names = [name for name, any_named in shown.items() if any_named]
        tabs = dict(zip(names, st.tabs(names), strict=True))
        for kind, words in GROUPS.items():
            if kind in kinds:
                with tabs["Parades" if kind == ROUTE else "Roads"]:
                    _closures(inputs, state, kind, words)
        if shown["High water"]:
            with tabs["High water"]:
                floods = {flood.name: flood.name for flood in profile.floods}
                source = _sources(inputs, profile.floods)
                _choice(state, "High water", floods, FloodStreets, name="floods", words=source)
                _storm(inputs, state)
        with tabs["Hospitals and units"]:
            _choice(
                state,
                "Hospitals on diversion",
                inputs.hospital_names,
                DivertHospital,
                name="diverted",
                words="No patient is taken there. It changes what is simulated, not the minutes on the map.",
            )
            _lost_units(inputs, state)
    in_force = disruption_words(inputs, state.current)
    if in_force:
        note(f"In force: {' '.join(in_force)}")


def disruption_words(inputs: StagingInputs, scenario: Scenario) -> list[str]:
    """Say each disruption in force in one sentence."""
    return [
        change.sentence(inputs.hospital_names) for change in scenario.changes if isinstance(change, KINDS)
    ]


def route_days(closure: Closure) -> str:
    """Say the days of a route: ``Sat 6 Feb 2027 Endymion``."""
    return "; ".join(f"{day.on:%a} {day.on.day} {day.on:%b %Y} {day.who}" for day in closure.dates)


def disruption_areas(inputs: StagingInputs, scenario: Scenario, theme: Theme) -> list[MapArea]:
    """Draw the streets that are shut, kept for a parade, or under water."""
    roads, profile = inputs.roads(scenario), inputs.city.profile
    shut = [closure for closure in profile.closures if closure.name in roads.closures]
    drawn = (
        ("closed", [closure for closure in shut if closure.through], "#FFFFFF" if theme.dark else "#000000"),
        ("parade: reached, not crossed", [closure for closure in shut if not closure.through], PURPLE),
        (
            "high water",
            [flood for flood in profile.floods if flood.name in roads.floods],
            SKY if theme.dark else BLUE,
        ),
    )
    return [_drawn(inputs, entries, colour, words) for words, entries, colour in drawn if entries]


def cut_off_words(inputs: StagingInputs, scenario: Scenario, view: StagingView) -> str:
    """Say how much of the demand no staffed post has a way to, and why; empty where all is reached."""
    lost = float(view.demand.weight[~np.isfinite(view.outcome.seconds)].sum() / view.demand.total)
    if not lost or not view.plan.staffed:
        return ""
    why = " ".join(_of_roads(inputs, scenario)) or "No street leads there from a staffed post."
    return f"No way leads to {_share_words(lost)} of the demand. {why}"


def no_hospital_words(
    inputs: StagingInputs,
    scenario: Scenario,
    to_hospital_min: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
) -> str:
    """Say why patients cannot be taken to a hospital; empty where all can.

    Parameters
    ----------
    to_hospital_min
        (n_cells, n_hospitals) minutes to each open hospital, infinite where no way leads.
    share
        (n_cells,) share of the calls.
    """
    diverted = [change.sentence(inputs.hospital_names) for change in scenario.find(DivertHospital)]
    if not to_hospital_min.shape[1]:
        why = " ".join(diverted)
        return (
            f"No hospital takes patients of 911, so calls that are taken to one cannot end. {why}".strip()
            + (" Take one off diversion" if diverted else " Decide in the city's profile which do")
        )
    stuck = float(share[~np.isfinite(to_hospital_min).any(axis=1)].sum())
    if not stuck:
        return ""
    why = " ".join([*_of_roads(inputs, scenario), *diverted]) or "No street leads there."
    return (
        f"From {_share_words(stuck)} of the calls no open hospital can be reached. {why} "
        "Take a disruption away and simulate again"
    )


def _share_words(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "less than 0.1%"


def _of_roads(inputs: StagingInputs, scenario: Scenario) -> list[str]:
    return [
        change.sentence(inputs.hospital_names)
        for change in scenario.changes
        if isinstance(change, (CloseRoad, FloodStreets, RainStorm))
    ]


def _drawn(inputs: StagingInputs, entries: Sequence[Closure | Flood], colour: str, words: str) -> MapArea:
    streets = inputs.city.areas("streets")
    chosen = np.logical_or.reduce([entry.select(streets) for entry in entries])
    lines = shapely.union_all(streets.geometry.to_numpy()[chosen])
    return MapArea(
        words, shapely.buffer(lines, DRAWN_DEG, quad_segs=2), colour, colour, 0.9, words, lasting=True
    )


def _sources(inputs: StagingInputs, entries: Sequence[Closure | Flood]) -> str:
    known = "\n\n".join(f"{entry.name}: {entry.source}" for entry in entries if entry.source)
    return known or inputs.city.profile.sources.get("closures", "")


def _closures(inputs: StagingInputs, state: ScenarioState, kind: str, words: str) -> None:
    """Show the closures of one kind, and the days of those that have any."""
    entries = [closure for closure in inputs.city.profile.closures if closure.kind == kind]
    named = {entry.name: entry.name for entry in entries}
    _choice(state, words, named, CloseRoad, name=f"closed.{kind}", words=_sources(inputs, entries))
    for entry in entries:
        if entry.dates:
            note(f"{entry.name}: {route_days(entry)}.", help_text=entry.source)


def _choice(
    state: ScenarioState,
    label: str,
    options: dict[str, str],
    kind: Callable[[str], Change],
    *,
    name: str,
    words: str,
) -> None:
    """Show a group of disruptions, each one tap; ``options`` gives the name of each subject."""
    if not options:
        return
    made = {option: kind(option) for option in options}
    in_force = [option for option in options if made[option] in state.current.changes]
    key = _fresh_key(f"staging.{name}", in_force)
    st.session_state[key] = in_force

    def changed() -> None:
        chosen = [option for option in options if option in st.session_state[key]]
        _remember(f"staging.{name}", chosen)

        def edit(scenario: Scenario) -> Scenario:
            for option, change in made.items():
                scenario = scenario.having(change) if option in chosen else scenario.without(*change.subject)
            return scenario

        state.change(edit)

    st.pills(
        label,
        list(options),
        selection_mode="multi",
        format_func=options.__getitem__,
        key=key,
        on_change=changed,
        help=words,
    )


def _storm(inputs: StagingInputs, state: ScenarioState) -> None:
    """Show the city's storms, each one tap, and the basins that are cleaned before one."""
    rules = inputs.city.profile.drainage
    lacking = missing_words(inputs.city)
    if lacking or rules is None:
        note(f"A storm over the whole city cannot be worked out. {lacking}")
        return
    pumping = rules.pumping
    storms: dict[str, Change] = {
        storm.name: RainStorm(
            storm.depth_in * INCH_MM,
            storm.duration_h * 60,
            storm.shape,
            pumping.first_hour_in * INCH_MM,
            pumping.later_in_per_h * INCH_MM,
        )
        for storm in rules.storms
    }
    for change in state.current.find(RainStorm):
        if change not in storms.values():
            storms["Storm sent from Catch basins"] = change
    in_force = next((name for name, storm in storms.items() if storm in state.current.changes), None)
    key = _fresh_key("staging.storm", in_force)
    st.session_state[key] = in_force

    def changed() -> None:
        chosen = st.session_state[key]
        _remember("staging.storm", chosen)
        state.change(lambda s: s.having(storms[chosen]) if chosen else s.without(RainStorm.kind))

    sources = "\n\n".join(f"{storm.name}: {storm.source}" for storm in rules.storms)
    st.pills(
        "Storm over the whole city",
        list(storms),
        key=key,
        on_change=changed,
        help=f"Streets are as deep as at the water's highest. {rules.speed_under_water.source} "
        f"{pumping.contested}\n\n{sources}",
    )
    cleaned = {change.sentence(): change for change in state.current.find(CleanBasins)}
    _choice(
        state,
        "Before the storm",
        {words: words for words in cleaned},
        cleaned.__getitem__,
        name="cleaned",
        words="The list that was sent from Catch basins; tap to do without.",
    )


def _lost_units(inputs: StagingInputs, state: ScenarioState) -> None:
    plan = make_plan(inputs.posts, state.current)
    key = _fresh_key("staging.units_lost", plan.lost)
    st.session_state[key] = min(plan.lost, plan.on_duty)

    def changed() -> None:
        lost = int(st.session_state[key])
        _remember("staging.units_lost", lost)
        state.change(lambda s: s.having(LoseUnits(lost)) if lost else s.without(LoseUnits.kind))

    st.number_input(
        "Units lost",
        0,
        max(plan.on_duty, 1),
        key=key,
        on_change=changed,
        help="So many units fewer than are on duty: the last posts of the order stand empty.",
    )


def _fresh_key(name: str, value: object) -> str:
    """Give a control a new key when something else than itself (undo, reset) has changed its value.

    The browser keeps the old value of a control in a closed popover and would send it back as a change.
    """
    last, version = st.session_state.get(f"{name}.last", (value, 0))
    st.session_state[f"{name}.last"] = value, version + (last != value)
    return f"{name}.{version + (last != value)}"


def _remember(name: str, value: object) -> None:
    _, version = st.session_state[f"{name}.last"]
    st.session_state[f"{name}.last"] = value, version
