"""The map of the page on catch basins: water or its chance, basins, and whatever a question adds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from pages.parts.basins_scene import Scene
from pages.parts.city_map import LegendEntry, MapDots, city_map
from pages.parts.ground import ground_url
from pages.parts.map_layers import HIDDEN, MapImage, MapPoints, MapRoute, PointClass

MAP_HEIGHT = 578
"""Pixels: with the navigation above they fill a window of 1280 by 720."""


@dataclass(frozen=True, eq=False)
class Layers:
    """What a question puts on the map.

    Attributes
    ----------
    image
        Water, or its chance.
    kind, classes
        (n_basins,) class of each basin, `HIDDEN` for those not drawn, and how the classes look.
    dots, routes, legend
        As `pages.parts.city_map.city_map` takes them.
    stale
        Whether the answer belongs to another setting.
    note
        Words on the map besides those of the demo.
    """

    image: MapImage | None = None
    kind: npt.NDArray[np.uint8] | None = None
    classes: Sequence[PointClass] = ()
    dots: MapDots | None = None
    routes: Sequence[MapRoute] = ()
    legend: Sequence[LegendEntry] = ()
    stale: bool = False
    note: str = ""


def basins_map(scene: Scene, layers: Layers, *, scope: str) -> None:
    """Show the map; a click on a basin picks it."""
    chosen = picked_basin(scene, scope)
    points = None
    if layers.kind is not None:
        points = MapPoints(
            scene.inputs.lon,
            scene.inputs.lat,
            layers.kind,
            layers.classes,
            chosen=() if chosen is None else (chosen,),
        )

    def picked(mark: str) -> None:
        # Stops of a truck carry the number of their basin, like points.
        if mark.isdigit():
            st.session_state[f"{scope}.basin"] = int(mark)

    told = ["Demo city: synthetic data"] if scene.city.synthetic else []
    if scene.inputs.by_rule and points is not None:
        told.append("Basins placed by rule, not surveyed")
    city_map(
        key=f"{scope}.map",
        ground_url=ground_url(scene.city),
        height=MAP_HEIGHT,
        image=layers.image,
        points=points,
        dots=layers.dots,
        routes=layers.routes,
        legend=layers.legend,
        note=". ".join([*told, layers.note] if layers.note else told),
        stale=layers.stale,
        on_pick=picked,
        label="Map of standing water and catch basins",
    )


def picked_basin(scene: Scene, scope: str) -> int | None:
    """Give the basin that was picked, None where none was."""
    basin = st.session_state.get(f"{scope}.basin")
    return basin if basin is not None and basin < len(scene.inputs.basins) else None


def quiet_basins(scene: Scene) -> tuple[npt.NDArray[np.uint8], list[PointClass]]:
    """All basins in one quiet colour, thinned until one zooms in."""
    colour = "#8FA3B5" if scene.theme.dark else "#5B6B7A"
    kind = np.zeros(len(scene.inputs.basins), dtype=np.uint8)
    return kind, [PointClass("Catch basin", colour, 1.6, "catch basin")]


def only(rows: npt.NDArray[np.int64], n_basins: int, number: int = 0) -> npt.NDArray[np.uint8]:
    """(n_basins,) classes in which the given basins have one number and all others are hidden."""
    kind = np.full(n_basins, HIDDEN, dtype=np.uint8)
    kind[rows] = number
    return kind
