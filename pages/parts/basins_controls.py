"""Controls of the page on catch basins: the storm, what the pumps take, the crews, and fair shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from data.profile_drainage import DrainageRules
from pages.parts.basins_setting import (
    GOALS,
    HOURS,
    MOST_DAYS,
    MOST_FAIR,
    MOST_FLOOR,
    MOST_RATE_IN,
    MOST_TRUCKS,
    SHAPES,
    BasinsState,
    Goal,
    Setting,
    Shape,
)
from pages.parts.notes import note

OWN = "Own storm"
SLIDER_IN = 16.0
_STYLE = """
<style>
.cr-source { font-size: .74rem; line-height: 1.3; opacity: .85; max-height: 2.6em; overflow-y: auto; }
</style>
"""
GOAL_WORDS: dict[Goal, str] = {"people": "People", "streets": "Streets"}
SHAPE_WORDS: dict[Shape, str] = {"middle": "Middle", "even": "Evenly", "early": "Early"}


@dataclass(frozen=True)
class Controls:
    """What the controls need to know of a city.

    Attributes
    ----------
    rules
        The city's drainage rules.
    pump_areas
        Names of its pump areas; none where they are not known.
    ground
        Whether there is a surface: without one no storm can be run.
    """

    rules: DrainageRules
    pump_areas: Sequence[str]
    ground: bool


def usual_setting(rules: DrainageRules) -> Setting:
    """Take the profile's first storm and its allowance."""
    first, pumping = rules.storms[0], rules.pumping
    return Setting(
        first.depth_in, first.duration_h, first.shape, pumping.first_hour_in, pumping.later_in_per_h
    )


def basins_controls(controls: Controls, state: BasinsState, *, scope: str, dark: bool) -> None:
    """Show the controls; each writes to the state."""
    if controls.ground:
        _storm(controls.rules, state, scope)
        _pumps(controls, state, scope, dark=dark)
    _crews(controls.rules, state, scope)
    _fair(state, scope, ground=controls.ground)


def preset_of(rules: DrainageRules, setting: Setting) -> int | None:
    """Find the profile's storm that is set; None where it is an own one."""
    for number, storm in enumerate(rules.storms):
        if (storm.depth_in, storm.duration_h, storm.shape) == setting.storm:
            return number
    return None


def storm_name(setting: Setting) -> str:
    """Say the storm in a few words; its preset's name stands on the left."""
    return f"{setting.depth_in:g} inches in {setting.hours:g} h"


def _storm(rules: DrainageRules, state: BasinsState, scope: str) -> None:
    setting, names = state.setting, [storm.name for storm in rules.storms]
    number = preset_of(rules, setting)
    key = f"{scope}.storm"
    st.session_state[key] = OWN if number is None else names[number]

    def choose() -> None:
        chosen = st.session_state[key]
        if chosen != OWN:
            storm = rules.storms[names.index(chosen)]
            state.change(depth_in=storm.depth_in, hours=storm.duration_h, shape=storm.shape)

    st.selectbox(
        "Storm",
        [*names, OWN],
        key=key,
        on_change=choose,
        help="Storms of the city's profile, each with its source below. Move a slider for one of your own.",
    )
    depth = f"{scope}.depth"
    st.session_state[depth] = min(max(setting.depth_in, 0.0), SLIDER_IN)
    st.slider(
        "Rain, inches",
        0.0,
        SLIDER_IN,
        step=0.05,
        format="%.2f",
        key=depth,
        on_change=lambda: state.change(depth_in=round(st.session_state[depth], 2)),
        help="All that falls, the same everywhere in the city.",
    )
    left, right = st.columns(2, gap="small")
    hours, shape = f"{scope}.hours", f"{scope}.shape"
    st.session_state[hours], st.session_state[shape] = setting.hours, setting.shape
    left.selectbox(
        "Within, hours",
        sorted({*HOURS, setting.hours, *(storm.duration_h for storm in rules.storms)}),
        format_func=lambda value: f"{value:g}",
        key=hours,
        on_change=lambda: state.change(hours=float(st.session_state[hours])),
    )
    right.selectbox(
        "Hardest",
        SHAPES,
        format_func=SHAPE_WORDS.__getitem__,
        key=shape,
        on_change=lambda: state.change(shape=st.session_state[shape]),
        help="When it falls hardest: in the middle, evenly throughout, or early on.",
    )
    if number is not None:
        source = rules.storms[number].source
        st.html(
            f'{_STYLE}<div class="cr-source" tabindex="0" title="{escape(source)}">{escape(source)}</div>'
        )


def _pumps(controls: Controls, state: BasinsState, scope: str, *, dark: bool) -> None:
    setting, pumping = state.setting, controls.rules.pumping
    first, later = f"{scope}.first", f"{scope}.later"
    st.session_state[first], st.session_state[later] = setting.first_in, setting.later_in
    warn = "#FFB84D" if dark else "#A84300"
    st.html(
        '<div style="font-size:.88rem;line-height:1.2">Pumps take, inches '
        f'<b style="color:{warn}" title="{escape(pumping.contested)}">contested</b></div>'
    )
    left, right = st.columns(2, gap="small")
    left.number_input(
        "First hour",
        0.0,
        MOST_RATE_IN,
        step=0.1,
        format="%.2f",
        key=first,
        on_change=lambda: state.change(first_in=round(float(st.session_state[first]), 3)),
        help=f"{pumping.contested} {pumping.source}",
    )
    right.number_input(
        "Each after",
        0.0,
        MOST_RATE_IN,
        step=0.1,
        format="%.2f",
        key=later,
        on_change=lambda: state.change(later_in=round(float(st.session_state[later]), 3)),
        help=f"{pumping.contested} {pumping.source}",
    )
    if not controls.pump_areas:
        return
    percent = setting.out[0][1] if setting.out else 50
    with st.popover(_out_words(setting), icon=":material/power_off:", width="stretch"):
        areas, share = f"{scope}.out.areas", f"{scope}.out.share"
        known = set(controls.pump_areas)
        st.session_state[areas] = [name for name, _ in setting.out if name in known]
        st.session_state[share] = percent

        def take() -> None:
            part = int(st.session_state[share])
            state.change(out=tuple((name, part) for name in st.session_state[areas]))

        st.multiselect("Areas", list(controls.pump_areas), key=areas, on_change=take)
        st.slider("Pumps that do not run, %", 0, 100, step=5, key=share, on_change=take)
        note("Of the allowance above, so much less in these areas, for the whole storm.")


def _out_words(setting: Setting) -> str:
    if not setting.out:
        return "All pumps run"
    return f"Pumps out in {len(setting.out)} area{'s' * (len(setting.out) > 1)}"


def _crews(rules: DrainageRules, state: BasinsState, scope: str) -> None:
    setting = state.setting
    left, right = st.columns(2, gap="small")
    trucks, days = f"{scope}.trucks", f"{scope}.days"
    st.session_state[trucks], st.session_state[days] = setting.trucks, setting.days
    crew = rules.crew
    left.number_input(
        "Trucks",
        0,
        MOST_TRUCKS,
        key=trucks,
        on_change=lambda: state.change(trucks=int(st.session_state[trucks])),
        help=f"A truck cleans about {crew.basins_a_truck_day:g} basins a day; a basin costs about "
        f"${crew.cost_usd:,.0f} and yields {crew.debris_kg / 0.45359237:,.0f} lb.",
    )
    right.number_input(
        "Days",
        0,
        MOST_DAYS,
        key=days,
        on_change=lambda: state.change(days=int(st.session_state[days])),
    )


def _fair(state: BasinsState, scope: str, *, ground: bool) -> None:
    setting = state.setting
    goal, fair, floor = (f"{scope}.{name}" for name in ("goal", "fair", "floor"))
    with st.popover(_fair_words(setting, ground=ground), icon=":material/balance:", width="stretch"):
        if ground:
            st.session_state[goal], st.session_state[fair] = setting.goal, setting.fair
            st.segmented_control(
                "Spare most",
                GOALS,
                format_func=GOAL_WORDS.__getitem__,
                required=True,
                key=goal,
                on_change=lambda: state.change(goal=st.session_state[goal]),
            )
            st.slider(
                "Low income counts more",
                0.0,
                MOST_FAIR,
                step=0.1,
                key=fair,
                on_change=lambda: state.change(fair=float(st.session_state[fair])),
                help="A neighborhood counts (city median / its median household income) to this power, from "
                "1/4 to 4. 0: all alike; 1.3 is the income weight of HM Treasury's Green Book.",
            )
        st.session_state[floor] = setting.floor
        st.number_input(
            "At least so many basins in each district",
            0,
            MOST_FLOOR,
            key=floor,
            on_change=lambda: state.change(floor=int(st.session_state[floor])),
        )


def _fair_words(setting: Setting, *, ground: bool) -> str:
    told = [GOAL_WORDS[setting.goal]] if ground else []
    told.append("weighted by income" if setting.fair and ground else "all alike")
    if setting.floor:
        told.append(f"{setting.floor} a district")
    return ", ".join(told).capitalize()
