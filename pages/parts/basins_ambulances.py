"""Ambulances: what the storm costs them, which basins give minutes back, and the storm sent to staging."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import streamlit as st

from models.flood_draws import FloodDraws, sign_holds
from models.flood_roads import CUT_OFF_MIN, PER_CALLS
from models.scenario import CleanBasins
from models.water_changes import MAX_STOPS
from pages.parts.basins_draws import DRAWS, SEED
from pages.parts.basins_map import Layers
from pages.parts.basins_minutes import (
    CUT_OFF,
    GIVEN_BACK,
    LOST,
    STILL_CUT_OFF,
    TOP_POOLS,
    Minutes,
    draw_minutes,
    minutes_of,
    pool_name,
    without_water,
)
from pages.parts.basins_scene import FOOT_M, Scene, count, csv_button, percent, table_height
from pages.parts.basins_water import depth_image
from pages.parts.figures import Figure, big_figures
from pages.parts.job import Job
from pages.parts.map_layers import HIDDEN, PointClass
from pages.parts.notes import note
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_inputs import StagingInputs, staging_inputs
from pages.parts.staging_water import missing_words, storm_change

STAGING = "pages/staging.py"
NEEDED = ("posts", "neighborhoods")
SURE, FEW_MINUTES = 0.9, 10


@dataclass(eq=False)
class MinutesJob:
    """Draws in the background: what they were started for, and what they have found so far."""

    stamp: tuple[object, ...]
    job: Job[FloodDraws] | None = None
    parts: list[FloodDraws] = field(default_factory=list)


def layers(scene: Scene, *, scope: str) -> Layers:  # noqa: ARG001 -- all questions are asked alike
    """Show the water, and the basins of the list for ambulances."""
    found = _minutes(scene)
    if found is None:
        return Layers(depth_image(scene))
    kind = np.full(len(scene.inputs.basins), HIDDEN, dtype=np.uint8)
    kind[found.basins] = 0
    colour = "#FFB84D" if scene.theme.dark else "#D55E00"
    words = f"on the list for ambulances ({len(found.basins):,})"
    return Layers(depth_image(scene), kind, [PointClass("On the list", colour, 3.6, words, thinned=False)])


def view(scene: Scene, *, scope: str) -> None:
    """Show what the storm costs ambulances, and what a list gives back where that is sure enough."""
    lacking = _lacking(scene)
    if lacking:
        st.info(f"**What water costs ambulances cannot be known here.** {lacking}", icon=":material/terrain:")
        return
    found = _minutes(scene)
    if found is None:
        st.info("No post is staffed on the page Ambulance staging: staff one.", icon=":material/emergency:")
        return
    started: MinutesJob | None = st.session_state.get(f"{scope}.minutes")
    held = started if started is not None and started.stamp == _stamp(scene) else None
    drawn = held.parts[-1] if held is not None and held.parts else None
    _headline(scene, found, drawn)
    _figures(found, drawn)
    _send(scene, found, scope)
    _draws(scene, found, held, scope)
    if drawn is not None and drawn.draws >= DRAWS:
        _pools(scene, found, drawn)
        _list(scene, found, drawn, scope)
    under = scene.rules.speed_under_water
    note(
        "Drives from the nearest staffed post of the staging plan, every unit free, streets as deep as at "
        f"the water's highest: {under.slow_depth_m / FOOT_M * 12:.0f} inches slow a street, "
        f"{under.closed_depth_m / FOOT_M * 12:.0f} shut it. A call that nobody can drive to counts "
        f"{CUT_OFF_MIN:.0f} minutes (assumption), and none counts more.",
        help_text=under.source,
    )


def _lacking(scene: Scene) -> str:
    missing = [table for table in NEEDED if not scene.city.has(table)]
    return scene.city.missing(missing[0]) if missing else missing_words(scene.city)


def _staging(scene: Scene) -> tuple[StagingInputs, ScenarioState]:
    return staging_inputs(scene.city), ScenarioState(scene.city)


def _minutes(scene: Scene) -> Minutes | None:
    if _lacking(scene):
        return None
    inputs, state = _staging(scene)
    stamp = f"{inputs.key} {scene.known.key} {scene.setting}"
    return minutes_of(scene, inputs, stamp, without_water(state.current).to_json())


def _stamp(scene: Scene) -> tuple[object, ...]:
    inputs, state = _staging(scene)
    setting = scene.setting
    return (*scene.stamp, setting.trucks, setting.days, inputs.key, without_water(state.current).hash)


def _headline(scene: Scene, found: Minutes, drawn: FloodDraws | None) -> None:
    if scene.water is not None and scene.water.storm.is_dry:
        st.markdown(f"**{scene.water.storm.words}** Ambulances drive as usual.")
    elif not len(found.costs.pool):
        st.markdown("**This storm slows no street.** Ambulances drive as usual.")
    elif drawn is None:
        st.markdown(
            f"**{len(found.costs.pool):,} pools slow or shut streets.** Whether cleaning gives minutes back "
            "is for the draws to say."
        )
    elif not len(found.basins):
        st.markdown(
            "**No basin gives minutes back:** in this storm streets stay under water however many are clean."
        )
    elif _is_sure(drawn, GIVEN_BACK):
        low, middle, high = drawn.interval(GIVEN_BACK)
        verb = "gives back" if middle > 0 else "costs"
        st.markdown(
            f"**Cleaning these {len(found.basins):,} basins {verb} {_say(abs(middle))} minutes per "
            f"{PER_CALLS:,} calls** ({_say(low)} to {_say(high)} in 9 of 10 draws)."
        )
    else:
        values = drawn.figures[GIVEN_BACK]
        told = (
            f"So far, after {drawn.draws} of {DRAWS} draws:"
            if drawn.draws < DRAWS
            else "Whether cleaning helps ambulances cannot be told:"
        )
        st.markdown(
            f"**{told}** {int((values > 0).sum())} draws of ground and basins give minutes back, "
            f"{int((values < 0).sum())} cost some, {int((values == 0).sum())} change nothing. A figure is "
            f"shown where {percent(SURE)} of {DRAWS} agree."
        )


def _is_sure(drawn: FloodDraws, name: str) -> bool:
    """Whether all draws are done and enough of them agree on a figure's sign."""
    return drawn.draws >= DRAWS and sign_holds(drawn.figures[name], share=SURE)


def _say(minutes: float) -> str:
    return f"{minutes:.1f}" if abs(minutes) < FEW_MINUTES else count(minutes)


def _figures(found: Minutes, drawn: FloodDraws | None) -> None:
    def of_draws(name: str, say: Callable[[float], str]) -> str:
        if drawn is None:
            return "one surface, no range yet"
        low, _, high = drawn.interval(name)
        return f"{say(low)} to {say(high)} in 9 of 10 of {drawn.draws} draws"

    big_figures(
        [
            Figure(
                "Mean drive, min",
                f"{found.flooded.mean_min:.1f}",
                f"{found.dry.mean_min:.1f} when dry",
                "From the nearest staffed post to the call, every unit free, siren on.",
            ),
            Figure(
                f"Lost per {PER_CALLS:,} calls",
                f"{count(found.costs.all_minutes)} min",
                of_draws(LOST, count),
                "Minutes that all the water together costs.",
            ),
            Figure(
                "Calls cut off",
                _percent(found.flooded.cut_off),
                of_draws(CUT_OFF, _percent),
                "Share of the calls that no staffed post has a way to.",
            ),
            Figure(
                "Streets shut or slower",
                f"{int(found.costs.streets.sum()):,}",
                f"in {len(found.costs.pool):,} pools",
                "Pieces of street between two corners; freeways stand on decks and are left out.",
            ),
        ]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _send(scene: Scene, found: Minutes, scope: str) -> None:
    """Offer to open staging under this storm, as it is and with the list cleaned."""
    _, state = _staging(scene)
    storm = storm_change(scene.setting)
    first, second = st.columns([1.9, 1.45], gap="small")
    as_is = first.button(
        "Send this storm to staging",
        width="stretch",
        key=f"{scope}.send",
        help="Opens Ambulance staging with these streets under water. There the water is worked out anew "
        "from the city's records, without work that was only uploaded here.",
    )
    cleaned = second.button(
        "… with list cleaned",
        width="stretch",
        key=f"{scope}.send_cleaned",
        disabled=not 0 < len(found.basins) <= MAX_STOPS,
        help=f"The same with the basins of this list cleaned before the storm, up to {MAX_STOPS:,}.",
    )
    if as_is:
        state.change(lambda s: s.without(CleanBasins.kind).having(storm))
    if cleaned:
        names = scene.inputs.basins["basin_id"].astype(str).to_numpy()[found.basins]
        state.change(lambda s: s.having(storm).having(CleanBasins(tuple(names.tolist()))))
    if as_is or cleaned:
        st.switch_page(STAGING)


def _draws(scene: Scene, found: Minutes, held: MinutesJob | None, scope: str) -> None:
    """Start, watch and stop the draws."""
    key = f"{scope}.minutes"
    job = None if held is None else held.job
    if held is not None and job is not None and job.running:
        bar, stop = st.columns([3, 1.1], vertical_alignment="center", gap="small")
        with bar:
            _watch(key, len(held.parts))
        stop.button(
            "Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch", key=f"{key}.stop"
        )
    elif job is None or job.result is None:
        st.button(
            f"Draw the minutes {DRAWS} times",
            on_click=_start,
            args=(scene, found, key),
            icon=":material/casino:",
            width="stretch",
            key=f"{key}.start",
            help=f"Ground with its error, basins in the states they may be in (seed {SEED}). In each draw "
            "calls are driven to with the storm, after the list, and without each of the costliest pools.",
        )
        if job is not None and job.error and job.error != "stopped":
            note(f"No answer: {job.error}.")


@st.fragment(run_every=0.7)
def _watch(key: str, shown: int) -> None:
    """Show how far the draws are; run the page again when there is more to show."""
    held: MinutesJob = st.session_state[key]
    job = held.job
    if job is not None and job.running and len(held.parts) == shown:
        st.progress(job.share, text="Drawing ground, basins and drives …")
    else:
        st.rerun()


def _start(scene: Scene, found: Minutes, key: str) -> None:
    surface = scene.surface
    if surface is None:
        return
    held = MinutesJob(_stamp(scene))

    def work(progress: Callable[[float], None]) -> FloodDraws:
        drawn = draw_minutes(scene, surface, found, progress=progress, on_part=held.parts.append)
        held.parts.append(drawn)
        return drawn

    held.job = Job(work)
    st.session_state[key] = held


def _pools(scene: Scene, found: Minutes, drawn: FloodDraws) -> None:
    """Show the costliest pools whose minutes have one sign, and say how many have not."""
    rows, unsure = pool_rows(scene, found, drawn)
    if len(rows):
        st.dataframe(
            rows,
            hide_index=True,
            row_height=25,
            height=table_height(len(rows), most=3),
            column_config={
                "place": st.column_config.TextColumn("Pool in", width=130, pinned=True),
                "minutes": st.column_config.NumberColumn(
                    "Minutes",
                    format="%.0f",
                    width=62,
                    help=f"Per {PER_CALLS:,} calls, if its streets alone were dry.",
                ),
                "range": st.column_config.TextColumn("9 of 10 draws", width=96),
                "streets": st.column_config.NumberColumn("Streets", width=56),
            },
        )
    asked = min(len(found.costs.pool), TOP_POOLS)
    if unsure:
        note(
            f"Of the {asked} costliest pools {unsure} are not shown: their sign does not hold in "
            f"{percent(SURE)} of the {drawn.draws} draws, because what one surface floods is dry on another."
        )


def pool_rows(scene: Scene, found: Minutes, drawn: FloodDraws) -> tuple[pd.DataFrame, int]:
    """Rows of the pools whose sign holds, and how many of those asked for are left out."""
    surface, rows, unsure = scene.surface, [], 0
    for pool, streets in zip(found.costs.pool[:TOP_POOLS], found.costs.streets, strict=False):
        name = pool_name(int(pool))
        if surface is None or not _is_sure(drawn, name):
            unsure += 1
            continue
        low, middle, high = drawn.interval(name)
        pond = found.streets.pond[(found.pool_of_edge == pool) & (found.streets.depth_m > 0)]
        area = np.bincount(surface.place_of_pond[pond]).argmax()
        rows.append((scene.place(int(area)), middle, f"{_say(low)} to {_say(high)}", int(streets)))
    return pd.DataFrame(rows, columns=["place", "minutes", "range", "streets"]), unsure


def _list(scene: Scene, found: Minutes, drawn: FloodDraws, scope: str) -> None:
    if not len(found.basins) or not _is_sure(drawn, GIVEN_BACK):
        return
    still = drawn.interval(STILL_CUT_OFF)[1]
    spare = found.stops - len(found.basins)
    more = f" {spare:,} stops more would gain nothing here." if spare else ""
    note(f"After the list {_percent(still)} of the calls are still cut off (median of the draws).{more}")
    rows, inputs = found.basins, scene.inputs
    table = pd.DataFrame(
        {
            "place": np.arange(1, len(rows) + 1),
            "basin": inputs.basins["basin_id"].to_numpy()[rows],
            "street": [inputs.street[row] for row in rows],
            "lon": inputs.lon[rows],
            "lat": inputs.lat[rows],
        }
    )
    csv_button("List for ambulances (CSV)", table, f"{scene.city.slug}-ambulances", key=f"{scope}.ambulances")
