"""The map of every page: ground, areas, hexagons, heat, points, and posts to drag by mouse, touch or keys.

A Streamlit component (registered once, at import). Python gives plain data; the scripts in ``assets/`` draw
it. What a person does on the map comes back as one event at a time, a dict in ``st.session_state[key].event``
to be read in the ``on_event`` callback::

    {"type": "move", "id": "P07", "lon": -90.07, "lat": 29.95}
    {"type": "add", "lon": -90.07, "lat": 29.95}
    {"type": "toggle", "id": "P07"}
    {"type": "remove", "id": "P07"}

A dot or stop that is picked goes to ``on_pick`` by its id, a point by its index as text. Each event also
carries ``seq``, its number. The map holds further events back until the page has answered the one before, so
none is lost while a run lasts.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import shapely
import streamlit as st

from errors import Faults, InvalidInputError
from pages.parts.map_layers import (
    MapImage,
    MapPoints,
    MapRoute,
    check_layers,
    encode_image,
    encode_points,
    encode_routes,
)
from pages.parts.server import assets_url, deck_url

QUANTUM_DEG = 1e-5
"""Areas are sent in steps of about one metre."""

_LOADER = """
export default function (component) {
  let cleanup = null;
  let gone = false;
  const url = new URL(component.data.assets + "/city_map.js", document.baseURI);
  import(url).then(
    (module) => { if (!gone) cleanup = module.mount(component); },
    () => { if (!gone) component.parentElement.append("The map could not be loaded; reload the page."); },
  );
  return () => { gone = true; if (cleanup) cleanup(); };
}
"""
_component = st.components.v2.component("crescent.city_map", js=_LOADER)


@dataclass(frozen=True)
class MapPost:
    """A place where a unit may wait, as a marker that can be dragged and switched.

    ``state``: "staffed" (a disc with a cross, or with ``mark``, up to three characters), "off" (was on, now
    hollow) or "candidate" (a small dot). ``changed`` adds a ring; ``note`` is a second line of the label;
    ``removable`` lets the Delete key remove it.
    """

    id: str
    label: str
    lon: float
    lat: float
    state: Literal["staffed", "off", "candidate"]
    changed: bool = False
    note: str = ""
    mark: str = ""
    removable: bool = False


@dataclass(frozen=True)
class MapArea:
    """A filled shape: shapely polygons in degrees, colours as ``#rrggbb``; drawn in the order given.

    An area with a ``legend`` text stands in the legend. A ``lasting`` one stays in view above all others
    while a post is dragged.
    """

    name: str
    geometry: Any
    fill: str
    line: str = ""
    fill_opacity: float = 0.35
    legend: str = ""
    lasting: bool = False


@dataclass(frozen=True)
class MapHexes:
    """H3 cells, each with its colour (``#rrggbb``) and the text of its tooltip."""

    cells: Sequence[str]
    colours: Sequence[str]
    labels: Sequence[str]
    opacity: float = 0.7


@dataclass(frozen=True)
class MapDots:
    """Places that can be pointed at and picked, up to a few thousand; (n,) each.

    ``labels`` are the texts of the tooltips; the dot of the id ``chosen`` wears a ring. The first lie lowest.
    """

    ids: Sequence[str]
    lon: npt.ArrayLike
    lat: npt.ArrayLike
    colours: Sequence[str]
    radius_px: npt.ArrayLike
    labels: Sequence[str]
    chosen: str = ""


@dataclass(frozen=True)
class MapHeat:
    """A soft surface: weights at points, spread by a Gaussian of ``kernel_m`` metres (standard deviation).

    ``colours`` runs from low to high; ``labels`` names the two ends in the legend.
    """

    lon: npt.ArrayLike
    lat: npt.ArrayLike
    weight: npt.ArrayLike
    kernel_m: float
    colours: Sequence[str]
    labels: tuple[str, str] = ("few", "many")
    legend: str = ""


@dataclass(frozen=True)
class LiveField:
    """What the browser needs to colour the streets by driving time while a post is dragged.

    ``thresholds_s`` rise, with a colour each. ``source_access`` counts the straight way from a post to its
    node at ``access_kph``. ``speed_factor_by_class`` multiplies the speed of each of the network's
    ``classes``, and ``speed_factor_of_edge`` gives those edges (by index) that have another factor.
    ``closed_edges`` are edge indices; ``no_through_nodes`` are nodes that may be reached and left but not
    passed, as in `geo.travel_time.travel_times`.
    """

    thresholds_s: Sequence[float]
    colours: Sequence[str]
    access_kph: float
    source_access: bool
    speed_factor_by_class: Sequence[float]
    closed_edges: Sequence[int] = ()
    speed_factor_of_edge: Mapping[int, float] = field(default_factory=dict)
    no_through_nodes: Sequence[int] = ()


@dataclass(frozen=True)
class LegendEntry:
    """One line of the legend besides those that areas, posts and heat bring themselves."""

    label: str
    colour: str
    kind: Literal["fill", "line", "dot", "ring"] = "fill"


def city_map(
    *,
    key: str,
    ground_url: str,
    height: int = 600,
    posts: Sequence[MapPost] = (),
    areas: Sequence[MapArea] = (),
    hexes: MapHexes | None = None,
    dots: MapDots | None = None,
    heat: MapHeat | None = None,
    image: MapImage | None = None,
    points: MapPoints | None = None,
    routes: Sequence[MapRoute] = (),
    live: LiveField | None = None,
    legend: Sequence[LegendEntry] = (),
    note: str = "",
    stale: bool = False,
    on_event: Callable[[], None] | None = None,
    on_pick: Callable[[str], None] | None = None,
    label: str = "Map of the city",
) -> None:
    """Show the map; call it with the same ``key`` at every run.

    Parameters
    ----------
    key
        Name of this map: its zoom and place survive reruns and page changes under this name.
    ground_url
        From `pages.parts.ground.ground_url`.
    height
        Pixels.
    posts, areas, hexes, dots, heat, image, points, routes, legend
        What to draw; see `pages.parts.map_layers` for ``image``, ``points`` and ``routes``.
    live
        Colours streets in the browser while a post is dragged; the colours stay until fresh areas arrive.
    note
        A caption that is always visible, such as "Demo city: synthetic data".
    stale
        Draws all but ground and posts grey.
    on_event
        Called when a person has moved, added, switched or removed a post; without it posts stay where they
        are.
    on_pick
        Called with the id of the dot or stop, or the index of the point, that a person has clicked.
    label
        What a screen reader calls the map.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments: a number that is missing or not finite, lists that differ in
        length, two posts of one id.
    """
    faults = Faults()
    check_layers(faults, image, points, routes)
    _check_posts(faults, posts)
    _check_marks(faults, hexes, dots, heat)
    _check_live(faults, live)
    faults.raise_as(InvalidInputError, "The map cannot be drawn")
    acknowledged = f"{key}.acknowledged"
    st.session_state.setdefault(acknowledged, 0)

    def handle() -> None:
        event = st.session_state[key].event
        if event is None:
            return
        st.session_state[acknowledged] = event["seq"]
        if event["type"] == "pick" and on_pick is not None:
            on_pick(event["id"])
        elif event["type"] != "pick" and on_event is not None:
            on_event()

    data = {
        "id": key,
        "assets": assets_url(),
        "deck": deck_url(),
        "ground": ground_url,
        "height": height,
        "posts": [asdict(post) for post in posts],
        "areas": [_encode_area(area) for area in areas],
        "hexes": _encode_hexes(hexes),
        "dots": _encode_dots(dots),
        "heat": _encode_heat(heat),
        "image": encode_image(image),
        "points": encode_points(points),
        "routes": encode_routes(routes),
        "live": _encode_live(live),
        "legend": [asdict(entry) for entry in legend],
        "note": note,
        "stale": stale,
        "editable": on_event is not None,
        "acknowledged": st.session_state[acknowledged],
        "label": label,
    }
    _component(key=key, data=data, height=height, on_event_change=handle)


def pack_rings(geometry: Any) -> dict[str, Any]:  # noqa: ANN401
    """Pack polygons as text: base64 of zigzag varints, all rings of all parts.

    The numbers are the count of rings, then for each ring its count of points and the steps from point to
    point in units of ``quantum`` degrees from ``origin``; the first step of a ring starts at the last point
    of the ring before. Rings are closed by the reader and filled by the even-odd rule, so holes need no mark.

    Returns
    -------
    dict
        ``origin`` [lon, lat], ``quantum`` and ``rings``.
    """
    parts = shapely.get_parts(geometry)
    rings = shapely.get_rings(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])
    if not len(rings):
        return {
            "origin": [0.0, 0.0],
            "quantum": QUANTUM_DEG,
            "rings": _base64(_varints(np.zeros(1, dtype=np.int64))),
        }
    lines = [shapely.get_coordinates(ring)[:-1] for ring in rings]
    points = np.concatenate(lines)
    origin = np.round(points[0], 4)
    steps = np.diff(
        np.rint((points - origin) / QUANTUM_DEG).astype(np.int64), axis=0, prepend=[[0, 0]]
    ).ravel()
    counts = np.array([len(line) for line in lines], dtype=np.int64)
    at = 2 * (np.cumsum(counts) - counts)
    numbers = np.concatenate([[len(rings)], np.insert(steps, at, counts)])
    return {"origin": origin.tolist(), "quantum": QUANTUM_DEG, "rings": _base64(_varints(numbers))}


def _varints(numbers: npt.NDArray[np.int64]) -> bytes:
    """Encode as zigzag varints: seven bits a byte, low first, high bit set on all but the last."""
    value = ((numbers << 1) ^ (numbers >> 63)).astype(np.uint64)
    size = np.ones(len(value), dtype=np.int64)
    for bits in range(7, 63, 7):
        size += value >= np.uint64(1 << bits)
    out = np.empty(int(size.sum()), dtype=np.uint8)
    start = np.cumsum(size) - size
    for place in range(int(size.max(initial=0))):
        here = size > place
        byte = (value[here] >> np.uint64(7 * place)) & np.uint64(127)
        more = (size[here] > place + 1).astype(np.uint64) << np.uint64(7)
        out[start[here] + place] = (byte | more).astype(np.uint8)
    return out.tobytes()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _encode_area(area: MapArea) -> dict[str, Any]:
    return {
        "name": area.name,
        "fill": area.fill,
        "line": area.line,
        "opacity": area.fill_opacity,
        "legend": area.legend,
        "lasting": area.lasting,
        **pack_rings(area.geometry),
    }


def _encode_hexes(hexes: MapHexes | None) -> Mapping[str, Any] | None:
    if hexes is None:
        return None
    return {
        "cells": list(hexes.cells),
        "colours": list(hexes.colours),
        "labels": list(hexes.labels),
        "opacity": hexes.opacity,
    }


def _encode_dots(dots: MapDots | None) -> Mapping[str, Any] | None:
    if dots is None:
        return None
    return {
        "ids": list(dots.ids),
        "lon": np.asarray(dots.lon, dtype=np.float64).round(6).tolist(),
        "lat": np.asarray(dots.lat, dtype=np.float64).round(6).tolist(),
        "colours": list(dots.colours),
        "radius": np.asarray(dots.radius_px, dtype=np.float64).round(1).tolist(),
        "labels": list(dots.labels),
        "chosen": dots.chosen,
    }


def _encode_heat(heat: MapHeat | None) -> Mapping[str, Any] | None:
    if heat is None:
        return None
    points = np.column_stack([np.asarray(a, dtype=np.float64) for a in (heat.lon, heat.lat, heat.weight)])
    origin = np.round(points[0, :2], 4) if len(points) else np.zeros(2)
    points[:, :2] -= origin
    return {
        "origin": origin.tolist(),
        "points": _base64(points.astype("<f4").tobytes()),
        "kernel_m": heat.kernel_m,
        "colours": list(heat.colours),
        "labels": list(heat.labels),
        "legend": heat.legend,
    }


def _encode_live(live: LiveField | None) -> Mapping[str, Any] | None:
    if live is None:
        return None
    return {
        "thresholds_s": [float(value) for value in live.thresholds_s],
        "colours": list(live.colours),
        "access_kph": float(live.access_kph),
        "source_access": live.source_access,
        "speed_factor_by_class": [float(value) for value in live.speed_factor_by_class],
        "closed_edges": [int(edge) for edge in live.closed_edges],
        "speed_factor_of_edge": [[int(e), float(value)] for e, value in live.speed_factor_of_edge.items()],
        "no_through_nodes": [int(node) for node in live.no_through_nodes],
    }


def _check_posts(faults: Faults, posts: Sequence[MapPost]) -> None:
    ids = [post.id for post in posts]
    faults.check(len(set(ids)) == len(ids), "two posts have the same id")
    lost = [post.label for post in posts if not np.isfinite([post.lon, post.lat]).all()]
    faults.check(not lost, f"these posts have no place: {', '.join(lost)}")


def _check_marks(faults: Faults, hexes: MapHexes | None, dots: MapDots | None, heat: MapHeat | None) -> None:
    if hexes is not None:
        lengths = {len(hexes.cells), len(hexes.colours), len(hexes.labels)}
        faults.check(len(lengths) == 1, "hexagons need one colour and one label for each cell")
    if dots is not None:
        numbers = [np.asarray(a, dtype=np.float64) for a in (dots.lon, dots.lat, dots.radius_px)]
        lengths = {len(dots.ids), len(dots.colours), len(dots.labels), *(len(a) for a in numbers)}
        faults.check(len(lengths) == 1, "dots need one place, colour, radius and label for each id")
        faults.check(len(set(dots.ids)) == len(dots.ids), "two dots have the same id")
        faults.check(
            all(np.isfinite(a).all() for a in numbers), "a dot has a place or a radius that is missing"
        )
    if heat is not None:
        arrays = [np.asarray(a, dtype=np.float64) for a in (heat.lon, heat.lat, heat.weight)]
        faults.check(
            len({a.shape for a in arrays}) == 1, "heat needs one place and one weight for each point"
        )
        faults.check(
            all(np.isfinite(a).all() for a in arrays), "heat has a place or a weight that is missing"
        )
        faults.check(
            np.isfinite(heat.kernel_m) and heat.kernel_m > 0, "kernel_m of the heat must be above zero"
        )


def _check_live(faults: Faults, live: LiveField | None) -> None:
    if live is None:
        return
    faults.check(
        len(live.thresholds_s) == len(live.colours), "the live field needs one colour for each threshold"
    )
    rising = np.diff(np.asarray(live.thresholds_s, dtype=np.float64))
    faults.check((rising > 0).all(), "the thresholds of the live field must rise")
    factors = np.array([*live.speed_factor_by_class, *live.speed_factor_of_edge.values()], dtype=float)
    faults.check(
        np.isfinite(factors).all() and (factors > 0).all(),
        "the live field's speed factors must be above zero",
    )
    faults.check(live.access_kph > 0, "access_kph must be above zero")
