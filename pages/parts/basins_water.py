"""Where will water stand: depth on the map, what it reaches, the balance, and the deepest pools."""

from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from models.flood import Flood
from models.flood_harm import CLOSED_M, Items, harmed
from pages.parts.basins_controls import storm_name
from pages.parts.basins_draws import draws_of, draws_view, interval_words
from pages.parts.basins_ground import Surface
from pages.parts.basins_map import Layers, quiet_basins
from pages.parts.basins_scene import (
    FOOT_M,
    GALLON_M3,
    MILE_M,
    Scene,
    count,
    csv_button,
    miles,
    percent,
    reached,
    table_height,
)
from pages.parts.figures import Figure, big_figures
from pages.parts.flood_image import chance_classes, depth_classes, flood_image
from pages.parts.map_layers import MapImage
from pages.parts.notes import note

FloatArray = npt.NDArray[np.float64]
NO_GROUND = (
    "**Where water stands cannot be known here:** {city} has no elevation. Reports and records still say in "
    "what state basins may be, and which to look at first; not what water they spare anybody, because "
    "without the ground nobody can say which basins share a bowl. To load it: {how}"
)
LEFT_OUT = "Left out: pipes, canals, tide, the time water takes; it rains alike everywhere."
_STYLE = """
<style>
.cr-balance { display: flex; height: 1.1rem; border-radius: .2rem; overflow: hidden;
              margin: .1rem 0 .15rem 0; }
.cr-balance span { display: block; height: 100%; }
.cr-parts { font-size: .74rem; line-height: 1.35; display: flex; flex-wrap: wrap; gap: 0 .8rem; }
.cr-parts i { display: inline-block; width: .6rem; height: .6rem; border-radius: .15rem;
              margin-right: .25rem; }
</style>
"""


def layers(scene: Scene, *, scope: str) -> Layers:
    """Depth, or the chance of water where it was drawn and is asked for."""
    kind, classes = quiet_basins(scene)
    draws = draws_of(scene, scope)
    if st.session_state.get(f"{scope}.shows") == "Chance" and draws is not None and scene.surface is not None:
        image = flood_image(scene.surface.frame, draws.p_wet, chance_classes(scene.theme))
        return Layers(image, kind, classes)
    return Layers(depth_image(scene), kind, classes)


def depth_image(scene: Scene) -> MapImage | None:
    """Picture of the depth of water; None without elevation."""
    if scene.surface is None or scene.water is None:
        return None
    return flood_image(scene.surface.frame, scene.water.depth_m, depth_classes(scene.theme))


def view(scene: Scene, *, scope: str) -> None:
    """Show what the storm does."""
    surface, flood = scene.surface, scene.water
    if surface is None or flood is None:
        st.info(
            NO_GROUND.format(city=scene.city.name, how=scene.city.missing_elevation),
            icon=":material/terrain:",
        )
        return
    if flood.storm.is_dry:
        st.info(flood.storm.words, icon=":material/sunny:")
        return
    pools = pool_table(scene, surface, flood)
    _headline(scene, pools)
    _figures(scene, surface, flood, pools, scope)
    _balance(scene, flood)
    table = pools.drop(columns="node")
    draws_view(
        scene,
        lambda: csv_button("Pools (CSV)", table, f"{scene.city.slug}-pools", key=f"{scope}.pools"),
        scope=scope,
    )
    st.dataframe(
        table,
        hide_index=True,
        row_height=25,
        height=table_height(len(table), most=4 if draws_of(scene, scope) is None else 2),
        column_config={
            "place": st.column_config.TextColumn("Pools in", width=98, pinned=True),
            "depth_ft": st.column_config.NumberColumn(
                "ft", format="%.1f", width=32, help="Deepest place, feet."
            ),
            "hours": st.column_config.NumberColumn(
                "Hours",
                format="%.0f",
                width=44,
                help="With half a foot or more at the deepest place; 24 is the end.",
            ),
            "people": st.column_config.NumberColumn("People", format="localized", width=58),
            "street_mi": st.column_config.NumberColumn(
                "mi", format="%.1f", width=40, help="Miles of street with a foot of water or more."
            ),
            "million_gallons": st.column_config.NumberColumn(
                "M gal", format="%.0f", width=46, help="Million gallons at most."
            ),
            "basins": None,
        },
    )
    source = scene.city.elevation_source
    note(
        f"Ground of {source.period}, {_error_words(surface)}. {LEFT_OUT}",
        help_text=" ".join((source.source, *surface.elevation.words, surface.rules.edge.why)),
    )


def _headline(scene: Scene, pools: pd.DataFrame) -> None:
    name = storm_name(scene.setting)
    if not len(pools):
        st.markdown(f"**{name}: no pool of a foot or more.**")
        return
    worst = pools.iloc[0]
    st.markdown(
        f"**{name}: worst in {worst['place']}**, {worst['depth_ft']:.1f} ft at the deepest, "
        f"{_hours_words(float(worst['hours']))}."
    )


def _error_words(surface: Surface) -> str:
    return f"errs by {2 * surface.rules.elevation_sd_m / FOOT_M * 12:.0f} in (95 %, assumed)"


def _hours_words(hours: float) -> str:
    return "still standing after a day" if hours >= 23.9 else f"standing {hours:.0f} hours"


def _figures(scene: Scene, surface: Surface, flood: Flood, pools: pd.DataFrame, scope: str) -> None:
    now = reached(surface.reach, flood.level_m)
    longest = float(pools["hours"].max()) if len(pools) else 0.0
    buildings = (
        Figure(
            "Buildings reached",
            count(now.buildings),
            interval_words(scene, scope, "buildings", count) or f"of {count(surface.reach.buildings.total)}",
            "Water over the floor, as the table of buildings says its height.",
        )
        if surface.reach.buildings is not None
        else Figure(
            "Water stands up to",
            "over 24 h" if longest >= 23.9 else f"{longest:.0f} h",
            "half a foot or more, deepest place",
            "The run ends a day after the storm's start.",
        )
    )
    big_figures(
        [
            Figure(
                "Street with 1 ft of water, mi",
                miles(now.shut_m),
                interval_words(scene, scope, "shut_m", miles)
                or f"half a foot: {miles(now.slow_m)}, of {miles(surface.reach.shut.total)}",
                "A foot of water or more: most cars float. Freeways stand on decks and are left out.",
            ),
            Figure(
                "People with water" if surface.reach.buildings is not None else "People, flooded street",
                count(now.people),
                interval_words(scene, scope, "people", count) or f"of {count(surface.reach.people.total)}",
                "Over the floor of their building."
                if surface.reach.buildings is not None
                else "A foot or more on the street before the house; people are spread along the streets "
                "of their neighborhood.",
            ),
            buildings,
            Figure(
                "Water standing at most",
                f"{flood.peak_m3 / GALLON_M3 / 1e6:,.0f} M gal",
                f"{percent(flood.peak_m3 / flood.rain_m3)} of the rain",
                "Million gallons on the ground at the worst moment.",
            ),
        ]
    )


def _balance(scene: Scene, flood: Flood) -> None:
    dark = scene.theme.dark
    parts = (
        ("soaks or stays", flood.lost_m3, "#009E73"),
        ("drained", flood.drained_m3, "#E69F00"),
        ("runs off", flood.out_m3, "#9AA4AE" if dark else "#8A9199"),
        ("stands after a day", flood.stored_m3, "#56B4E9" if dark else "#0072B2"),
    )
    total = flood.rain_m3
    bars = "".join(
        f'<span style="width:{100 * part / total:.2f}%;background:{colour}" title="{escape(name)}"></span>'
        for name, part, colour in parts
    )
    words = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)} {percent(part / total)}</span>'
        for name, part, colour in parts
    )
    st.html(
        f'{_STYLE}<div class="cr-balance" role="img" aria-label="Where the rain goes">{bars}</div>'
        f'<div class="cr-parts">{words}</div>'
    )


def pool_table(scene: Scene, surface: Surface, flood: Flood) -> pd.DataFrame:
    """One row a pool that is a foot deep or more somewhere, most people first."""
    ponds = surface.ponds
    n = ponds.n_ponds + 1
    level, bottom = flood.level_m, ponds.bottom_m[:n]
    depth = np.where(np.isfinite(level), level - bottom, 0.0)
    depth[0] = 0.0
    deepest = np.zeros(ponds.n_nodes)
    np.maximum.at(deepest, flood.top, depth)
    hours = np.zeros(ponds.n_nodes)
    np.maximum.at(hours, flood.top, flood.standing_min / 60)
    at = np.zeros(ponds.n_nodes, dtype=np.int64)
    order = np.argsort(depth, kind="stable")
    at[flood.top[order]] = order  # the deepest of each comes last
    people = _by_pool(surface.reach.people, flood)
    street = _by_pool(surface.reach.shut, flood)
    inside = surface.ground.pond > 0
    basins = np.bincount(flood.top[surface.ground.pond[inside]], minlength=ponds.n_nodes)
    nodes = np.flatnonzero(deepest >= CLOSED_M)
    nodes = nodes[np.lexsort((-deepest[nodes], -people[nodes]))]
    return pd.DataFrame(
        {
            "node": nodes,
            "place": [scene.place(int(area)) for area in surface.place_of_pond[at[nodes]]],
            "depth_ft": deepest[nodes] / FOOT_M,
            "hours": hours[nodes],
            "people": np.rint(people[nodes]),
            "street_mi": street[nodes] / MILE_M,
            "million_gallons": flood.volume_m3[nodes] / GALLON_M3 / 1e6,
            "basins": basins[nodes],
        }
    )


def _by_pool(items: Items, flood: Flood) -> FloatArray:
    """(n_nodes,) weight of what water reaches, by pool."""
    hit = harmed(items, flood.level_m)
    pool = flood.top[items.pond[hit]]
    return np.asarray(np.bincount(pool, items.weight[hit], flood.ground.ponds.n_nodes), dtype=np.float64)
