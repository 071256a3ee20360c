"""Where doors stand close together, on the map, and whether these incidents gather near outlets."""

from collections.abc import Callable
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from errors import InvalidInputError
from geo.near import near_pairs, walkable
from models.cross_k import QUESTIONS, SIMULATIONS, CrossK, cross_k
from models.outlet_clusters import NOT_ASKED, Clusters, outlet_clusters
from pages.parts.bars_inputs import SEED, BarsChoice, BarsInputs
from pages.parts.bars_scene import Scene
from pages.parts.city_map import MapArea
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.palette import PURPLE

LEAST_DOORS = 10
FARTHEST_M = 400.0
RADII_M = np.arange(25.0, 351.0, 25.0)
CHART_PX, ROW_PX = 112, 22


@dataclass(frozen=True, eq=False)
class Gathered:
    """The answer of the cross-K test, and for what it was asked."""

    asked: tuple[str, BarsChoice, frozenset[str]]
    curve: CrossK


@st.cache_resource(show_spinner="Looking for clusters …", max_entries=12)
def clusters_of(_inputs: BarsInputs, version: str, kinds: frozenset[str], gap_m: float) -> Clusters:  # noqa: ARG001
    """Find clusters of doors of these kinds, once."""
    shown = np.isin(np.array(_inputs.doors.category, dtype=object), list(kinds))
    lon, lat = _inputs.doors.lon[shown], _inputs.doors.lat[shown]
    metres = near_pairs(_inputs.city.network, lon, lat, lon, lat, limit_m=FARTHEST_M)
    return outlet_clusters(metres, lon, lat, at_most_m=gap_m, min_cluster_size=LEAST_DOORS)


def cluster_controls(scene: Scene, *, scope: str) -> Clusters | None:
    """Show the choice of the longest gap, and find the clusters; None where there are too few doors."""
    gap_m = st.slider(
        "Longest gap inside a cluster, m",
        100,
        int(FARTHEST_M),
        int(FARTHEST_M),
        50,
        key=f"{scope}.gap",
        help="Along the streets. Doors farther apart than this are never one cluster.",
    )
    if scene.shown.sum() < LEAST_DOORS:
        st.info(f"A cluster needs {LEAST_DOORS} doors; show more kinds of outlets.")
        return None
    return clusters_of(scene.inputs, scene.city.version, scene.kinds, float(gap_m))


def cluster_areas(clusters: Clusters | None) -> list[MapArea]:
    """Outlines for the map, the largest first."""
    if clusters is None:
        return []
    return [
        MapArea(
            name=f"Cluster of {size} doors",
            geometry=hull,
            fill=PURPLE,
            line=PURPLE,
            fill_opacity=0.35,
            legend="cluster of doors" if number == 0 else "",
        )
        for number, (hull, size) in enumerate(zip(clusters.hull, clusters.size, strict=True))
    ]


def clusters_view(scene: Scene, clusters: Clusters | None, *, scope: str) -> None:
    """Say what the clusters are, and test whether these incidents gather near these doors."""
    if clusters is not None:
        st.dataframe(
            cluster_table(scene, clusters),
            hide_index=True,
            row_height=ROW_PX,
            height=ROW_PX * min(len(clusters.size), 3) + 38,
            column_config={
                "cluster": st.column_config.NumberColumn("#", width=30),
                "place": st.column_config.TextColumn("Mostly in", width=150),
                "doors": st.column_config.NumberColumn("Doors", width=48),
                "incidents": st.column_config.NumberColumn("Incidents", format="%.0f", width=66),
                "stand_out": st.column_config.NumberColumn("Screened", width=62, help="Screened or named."),
            },
        )
        note(f"{clusters.words} It says nothing of harm.", help_text=NOT_ASKED)
    _gathering(scene, scope)


def cluster_table(scene: Scene, clusters: Clusters) -> pd.DataFrame:
    """One row a cluster, the largest first."""
    doors = np.flatnonzero(scene.shown)
    rows = []
    for number, size in enumerate(clusters.size):
        held = doors[clusters.label == number]
        places = pd.Series([scene.place(int(door)) for door in held])
        stand_out = int(np.isin(scene.verdict[held].astype(str), ["named", "screened"]).sum())
        rows.append(
            (number + 1, places.mode()[0], int(size), float(scene.found.observed[held].sum()), stand_out)
        )
    return pd.DataFrame(rows, columns=["cluster", "place", "doors", "incidents", "stand_out"])


def _gathering(scene: Scene, scope: str) -> None:
    st.html(f'<div style="font-size:.8rem;font-weight:650">{QUESTIONS["kinds"]}</div>')
    key, asked = f"{scope}.cross_k", (scene.city.version, scene.choice, scene.kinds)
    job: Job[Gathered] | None = st.session_state.get(key)
    if job is not None and job.running:
        st.button("Stop", on_click=job.stop, icon=":material/stop_circle:", width="stretch")
        watch_job(key, "Drawing labels again …")
        return
    fault = _fault(scene)
    if fault:
        note(fault)
        return
    if job is not None and job.result is not None and job.result.asked == asked:
        show_curve(scene, job.result.curve)
        return
    if job is not None and job.error:
        st.warning(f"No answer: {job.error}.")
    st.button(
        "Test it",
        on_click=_start,
        args=(key, scene, asked),
        icon=":material/science:",
        width="stretch",
        help=f"Draws the labels of incidents {SIMULATIONS} times anew; takes some seconds.",
    )
    note(
        "Streets, crowds and doors stay as they are; only which incidents are the ones in question is "
        "drawn anew."
    )


def _fault(scene: Scene) -> str:
    if not scene.inputs.groups:
        return "Not tested: no record gives its type, so there are no other incidents to compare with."
    if len(scene.counted) == len(scene.inputs.records):
        return "Not tested: all incidents are in question; choose one kind of incident on the left."
    return ""


def _start(key: str, scene: Scene, asked: tuple[str, BarsChoice, frozenset[str]]) -> None:
    def work(progress: Callable[[float], None]) -> Gathered:
        return Gathered(asked, gather(scene, progress))

    st.session_state[key] = Job(work)


def gather(scene: Scene, progress: Callable[[float], None]) -> CrossK:
    """Test whether the counted incidents are nearer to the doors shown than other incidents are.

    Raises
    ------
    InvalidInputError
        No door is shown, or there are no other incidents.
    """
    if not scene.shown.any():
        raise InvalidInputError("No door is shown")
    progress(0.1)
    inputs, network = scene.inputs, scene.city.network
    chosen = np.zeros(len(inputs.records), dtype=bool)
    chosen[scene.counted] = True
    metres = inputs.near.metres[:, np.flatnonzero(scene.shown)].T.tocsr()
    progress(0.2)
    return cross_k(
        metres,
        inputs.near.count(chosen),
        others=inputs.near.count(~chosen),
        radii_m=RADII_M,
        street_m=float(network.length_m[walkable(network)].sum()),
        seed=SEED,
    )


def show_curve(scene: Scene, found: CrossK) -> None:
    """Show the curve in its envelope, relative to the mean of the relabelled ones, with its answer."""
    table = pd.DataFrame(
        {
            "metres": found.radii_m,
            "seen": found.k / found.middle,
            "low": found.low / found.middle,
            "high": found.high / found.middle,
        }
    )
    base = alt.Chart(table).encode(
        x=alt.X(
            "metres:Q",
            title="m along the streets",
            scale=alt.Scale(nice=False),
            axis=alt.Axis(titlePadding=2),
        )
    )
    tips = [alt.Tooltip(name, format=".2f") for name in ("seen:Q", "low:Q", "high:Q")]
    band = base.mark_area(color=scene.theme.muted, opacity=0.35).encode(
        y=alt.Y("low:Q", title="times chance", scale=alt.Scale(zero=False)), y2="high:Q", tooltip=tips
    )
    line = base.mark_line(color=scene.accent, strokeWidth=2.2).encode(y="seen:Q", tooltip=tips)
    st.altair_chart(
        alt.layer(band, line)
        .properties(height=CHART_PX, padding={"left": 0, "right": 4, "top": 4, "bottom": 4})
        .configure_view(stroke=None),
        width="stretch",
    )
    note(
        f"{found.answer} Incidents that come in bunches make p too small. Near is not caused by.",
        help_text=f"{found.outlets:,} doors, {found.incidents:,} incidents.",
    )
