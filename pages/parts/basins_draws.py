"""The chance of water: a hundred draws of the ground's error and the basins' states, beside the page."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import streamlit as st

from geo.drainage_error import ElevationError
from models.flood_draws import Draw, FloodDraws, draw_floods, state_draws
from pages.parts.basins_ground import Surface, what_water_reaches
from pages.parts.basins_scene import Scene, percent, reached
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note

SEED, DRAWS = 20_251_122, 100
UNDECIDED = (0.1, 0.9)
SHOWS = ("Depth", "Chance")
M2_A_SQUARE_MILE = 2_589_988.11


@dataclass(frozen=True, eq=False)
class DrawnWater:
    """What the draws say, and for which storm and states they were made.

    Attributes
    ----------
    stamp
        `pages.parts.basins_scene.Scene.stamp` of the scene that asked.
    draws
        Their result.
    """

    stamp: tuple[object, ...]
    draws: FloodDraws


def draws_of(scene: Scene, scope: str) -> FloodDraws | None:
    """Give the draws made for this very setting, None where there are none."""
    job: Job[DrawnWater] | None = st.session_state.get(f"{scope}.draws")
    if job is None or job.result is None or job.result.stamp != scene.stamp:
        return None
    return job.result.draws


def interval_words(scene: Scene, scope: str, name: str, say: Callable[[float], str]) -> str:
    """Say the 90 % interval of a figure over the draws; empty where none were made."""
    draws = draws_of(scene, scope)
    if draws is None or name not in draws.figures:
        return ""
    low, _, high = draws.interval(name)
    return f"{say(low)} to {say(high)} in 9 of 10 draws"


def draws_view(scene: Scene, beside: Callable[[], None], *, scope: str) -> None:
    """Offer the draws, watch them, and say what they found; ``beside`` fills the place beside the button."""
    key = f"{scope}.draws"
    job: Job[DrawnWater] | None = st.session_state.get(key)
    if job is not None and job.running:
        bar, stop = st.columns([3, 1.1], vertical_alignment="center", gap="small")
        with bar:
            watch_job(key, "Drawing ground and basins …")
        stop.button(
            "Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch", key=f"{key}.stop"
        )
        return
    if job is not None and job.result is not None and job.result.stamp == scene.stamp:
        shows, right = st.columns([1.5, 1.1], vertical_alignment="center", gap="small")
        shows.segmented_control(
            "Map shows",
            SHOWS,
            default=SHOWS[0],
            required=True,
            key=f"{scope}.shows",
            label_visibility="collapsed",
            width="stretch",
        )
        with right:
            beside()
        _found(job.result.draws)
        return
    button, right = st.columns(2, vertical_alignment="center", gap="small")
    button.button(
        "How sure?",
        on_click=_start,
        args=(scene, key),
        icon=":material/casino:",
        width="stretch",
        key=f"{key}.start",
        help=f"Runs this storm on {DRAWS} surfaces drawn with their error, basins clogged by chance. Then "
        "the map can show the chance of water.",
    )
    with right:
        beside()
    if job is not None and job.error and job.error != "stopped":
        note(f"No answer: {job.error}.")
    elif job is not None and job.result is not None:
        note("The last draws were of another storm or other pumps: not shown here.")
    else:
        note("One surface and the mean basin: single values without a range.")


def _found(draws: FloodDraws) -> None:
    p_wet = draws.p_wet
    square_mile = draws.case.cell_m**2 / M2_A_SQUARE_MILE
    low, high = UNDECIDED
    sure = float((p_wet >= high).sum()) * square_mile
    undecided = float(((p_wet >= low) & (p_wet < high)).sum()) * square_mile
    note(
        f"{draws.draws} draws: {sure:.1f} square miles with a foot of water in 9 of 10; {undecided:.1f} "
        f"undecided. Pools with {percent(draws.ground_found)} of the wet ground are found again in half the "
        "draws or more.",
        help_text=f"Seed {SEED}. The standard error of a chance is at most 5 points.",
    )


def _start(scene: Scene, key: str) -> None:
    surface = scene.surface
    if surface is None:
        return

    def work(progress: Callable[[float], None]) -> DrawnWater:
        return DrawnWater(scene.stamp, draw_water(scene, surface, progress))

    st.session_state[key] = Job(work)


def draw_water(
    scene: Scene, surface: Surface, progress: Callable[[float], None], *, draws: int = DRAWS
) -> FloodDraws:
    """Draw the water of a scene.

    Raises
    ------
    InvalidInputError
        The storm cannot be run.
    """
    progress(0.0)
    rules, known = surface.rules, scene.known

    def look(draw: Draw) -> dict[str, float]:
        flood = draw.flood
        reach = what_water_reaches(surface.elevation.grid, flood.ground.ponds, surface.cells, surface.homes)
        return asdict(reached(reach, flood.level_m))

    return draw_floods(
        surface.case(surface.storm(scene.setting), surface.pumping(scene.setting)),
        open_share=known.open_share,
        states=state_draws(known.states),
        error=ElevationError(sd_m=rules.elevation_sd_m, range_m=rules.elevation_range_m),
        seed=SEED,
        draws=draws,
        look=look,
        on_draw=lambda done, total: progress(done / total),
    )
