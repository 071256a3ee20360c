"""The map of the staging page: posts, ground reached, gained and lost, and what a hand does to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import shapely
import streamlit as st

from data.derived import city_ground
from geo.isochrones import isochrones
from models import edits
from models.plan import Post
from models.scenario import Scenario
from models.staging import Conditions
from pages.parts.city_map import LegendEntry, LiveField, MapArea, MapHexes, MapPost, city_map
from pages.parts.ground import ground_url
from pages.parts.palette import GAINED, GREY, LOST, Theme
from pages.parts.scenario_state import ScenarioState
from pages.parts.staging_disruptions import disruption_areas
from pages.parts.staging_inputs import StagingInputs, StagingView
from pages.parts.staging_water import water_image

BANDS_MIN = (4.0, 8.0, 12.0)
MAP_KEY = "staging.map"
MAP_HEIGHT_PX = 530
MARK_LENGTH = 3
"""Characters that fit on a marker."""

Mode = Literal["Minutes", "Gained and lost"]


@dataclass(frozen=True, eq=False)
class Overlay:
    """Hexagons in the place of the ground reached, with their legend and a caption that names the data."""

    hexes: MapHexes
    legend: tuple[LegendEntry, ...]
    title: str


def staging_map(
    inputs: StagingInputs,
    state: ScenarioState,
    view: StagingView,
    baseline: StagingView,
    *,
    mode: Mode,
    theme: Theme,
    overlay: Overlay | None = None,
) -> None:
    """Show the map; what a hand does on it becomes a change of the scenario."""
    areas = (
        []
        if overlay is not None
        else _change_areas(inputs, view, baseline)
        if mode == "Gained and lost"
        else _band_areas(inputs, view, theme)
    )
    city = inputs.city
    note = "Demo city: synthetic data" if city.synthetic else city.source("streets").source
    if inputs.stand_in and inputs.demand_source(state.current) != "population":
        note = f"{note}. Calls: {inputs.stand_in.removesuffix('.')}"
    city_map(
        key=MAP_KEY,
        ground_url=ground_url(city),
        height=MAP_HEIGHT_PX,
        posts=_markers(view),
        areas=[*areas, *disruption_areas(inputs, state.current, theme)],
        hexes=None if overlay is None else overlay.hexes,
        image=water_image(city, state.current, theme),
        legend=() if overlay is None else overlay.legend,
        live=live_field(inputs, view, state.current, theme),
        note=note if overlay is None else f"{note}. {overlay.title}" if city.synthetic else overlay.title,
        on_event=lambda: _handle(inputs, state),
        label=f"Map of {city.name} with ambulance posts and the ground they reach",
    )


def band_thresholds(conditions: Conditions, theme: Theme) -> list[tuple[float, float, str]]:
    """Minutes from the call, seconds left for driving, and colour of each band that leaves time to drive."""
    return [
        (minutes, conditions.budget_s(minutes), colour)
        for minutes, colour in zip(BANDS_MIN, theme.bands, strict=True)
        if conditions.budget_s(minutes) > 0
    ]


def _band_areas(inputs: StagingInputs, view: StagingView, theme: Theme) -> list[MapArea]:
    bands = band_thresholds(view.conditions, theme)
    conditions = view.conditions
    budgets = [seconds for _, seconds, _ in bands]
    outline = conditions.target_from_call_min not in BANDS_MIN and conditions.budget_s() > 0
    frame = _polygons(inputs, view, [*budgets, view.conditions.budget_s()] if outline else budgets)
    areas = [
        MapArea(
            name=f"{minutes:g} minutes",
            geometry=geometry,
            fill=colour,
            fill_opacity=0.5,
            legend=_band_legend(view, minutes, seconds),
        )
        for (minutes, seconds, colour), geometry in zip(bands, frame.geometry, strict=False)
    ]
    if outline:
        edge = theme.muted
        areas.append(
            MapArea(
                "Target", frame.geometry.iloc[-1], edge, edge, 0.0, f"target, {_target_legend(conditions)}"
            )
        )
    # The farthest is drawn first, so that the nearer bands lie on it.
    return areas[::-1]


def _target_legend(conditions: Conditions) -> str:
    from_call = f"{conditions.target_min:g} min from the call"
    return from_call if conditions.target_clock == "call" else conditions.target_words


def _band_legend(view: StagingView, minutes: float, seconds: float) -> str:
    share = view.demand.share_within(view.outcome.seconds, seconds)
    return f"{minutes:g} min from call, {seconds / 60:.1f} driving: {share:.0%}"


def _change_areas(inputs: StagingInputs, view: StagingView, baseline: StagingView) -> list[MapArea]:
    budget_s = max(view.conditions.budget_s(), 0.0)
    now = _polygons(inputs, view, [budget_s]).geometry.iloc[0]
    before = _polygons(inputs, baseline, [budget_s]).geometry.iloc[0]
    minutes = view.conditions.target_words
    return [
        MapArea("Kept", shapely.intersection(now, before), GREY, "", 0.35, f"reached in {minutes}, as today"),
        MapArea(
            "Gained", shapely.difference(now, before), GAINED, GAINED, 0.6, f"gained: now within {minutes}"
        ),
        MapArea(
            "Lost", shapely.difference(before, now), LOST, LOST, 0.6, f"lost: no longer within {minutes}"
        ),
    ]


def _polygons(inputs: StagingInputs, view: StagingView, budgets_s: Sequence[float]) -> gpd.GeoDataFrame:
    if not budgets_s:
        return gpd.GeoDataFrame(geometry=[], crs="EPSG:4326")
    return isochrones(
        inputs.network, view.outcome.field_s, budgets_s, ground=_ground(inputs, inputs.city.version)
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _ground(_inputs: StagingInputs, version: str) -> shapely.geometry.base.BaseGeometry:  # noqa: ARG001
    return city_ground(_inputs.city)


def live_field(
    inputs: StagingInputs, view: StagingView, scenario: Scenario, theme: Theme
) -> LiveField | None:
    """Give the browser what it needs to colour the streets as `view` does while a post is dragged."""
    conditions, classes = view.conditions, inputs.network.classes
    # The browser's field has no seconds at the ends of a drive: they are taken off its thresholds.
    bands = [
        (seconds - conditions.access_s, colour)
        for _, seconds, colour in band_thresholds(conditions, theme)
        if seconds > conditions.access_s
    ]
    if not bands:
        return None
    state = inputs.times.state(inputs.roads(scenario))
    factor = conditions.speed_factor * state.speed_factor
    by_class = np.ones(len(classes))
    for code in range(len(classes)):
        values, count = np.unique(factor[inputs.network.edge_class == code], return_counts=True)
        by_class[code] = values[count.argmax()]
    others = np.flatnonzero(factor != by_class[inputs.network.edge_class])
    return LiveField(
        thresholds_s=[seconds for seconds, _ in bands],
        colours=[colour for _, colour in bands],
        access_kph=conditions.access_kph,
        source_access=True,
        speed_factor_by_class=by_class.tolist(),
        speed_factor_of_edge=dict(zip(others.tolist(), factor[others].tolist(), strict=True)),
        closed_edges=np.flatnonzero(state.closed).tolist(),
        no_through_nodes=np.flatnonzero(state.no_through).tolist(),
    )


def _markers(view: StagingView) -> list[MapPost]:
    shares = dict(zip((post.post_id for post in view.plan.staffed), view.outcome.sole_share, strict=True))
    return [_marker(group, shares) for group in view.plan.together()]


def _marker(here: Sequence[Post], sole_share: Mapping[str, float]) -> MapPost:
    """One marker for all posts at a place: on top of each other only one could be seen and taken."""
    first = here[0]
    orders = [str(post.order) for post in here if post.state == "staffed"]
    notes = {
        "staffed": f"holds {sole_share.get(first.post_id, 0.0):.1%} alone",
        "off": "no unit; click to staff it",
        "candidate": "candidate; click to staff it",
    }
    mark = "+".join(orders)
    return MapPost(
        id=first.post_id,
        label=first.name,
        lon=first.lon,
        lat=first.lat,
        state=first.state,
        changed=any(post.changed for post in here if post.state == first.state),
        note=_units_words(orders) if len(orders) > 1 else notes[first.state],
        mark=mark if len(mark) <= MARK_LENGTH else f"{len(orders)}x",
        removable=all(post.added for post in here),
    )


def _units_words(orders: Sequence[str]) -> str:
    named = f"{', '.join(orders[:-1])} and {orders[-1]}"
    return f"{len(orders)} units, numbers {named} of the list; a click takes the last"


def _handle(inputs: StagingInputs, state: ScenarioState) -> None:
    event = st.session_state[MAP_KEY].event
    posts = inputs.posts

    def edit(scenario: Scenario) -> Scenario:
        match event["type"]:
            case "move":
                return edits.move_place(posts, scenario, event["id"], event["lon"], event["lat"])
            case "add":
                return edits.add_post(posts, scenario, event["lon"], event["lat"])
            case "toggle":
                return edits.toggle_place(posts, scenario, event["id"])
            case "remove":
                return edits.delete_place(posts, scenario, event["id"])
            case _:
                return scenario

    state.change(edit)
