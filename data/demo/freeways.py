"""Freeways above the streets: two carriageways, ramps at named interchanges, links where freeways join."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from data.demo.facts_io import FloatArray, metres, read_toml
from data.demo.ground import smooth
from data.demo.network import Network

HALF_GAP_M = 13.0
"""From the middle of the freeway to the middle of a carriageway."""
RAMP_M = 240.0
"""How far before and after the crossing a ramp leaves and joins the freeway."""
LINK_M = 280.0
"""How far before and after a junction of freeways the links leave and join."""
STRETCH_M = 1_000.0
"""The longest stretch of carriageway without a node."""
SHARPEST_TURN = np.cos(np.radians(125))
"""Freeway links that turn back more sharply than this do not exist."""
RAMP_KPH = 44.0
LINK_KPH = 64.0


@dataclass
class _Carriageway:
    """One carriageway, driven from its start to its end: stations are metres from the start of its line.

    Where it joins another freeway, it begins after and ends before the junction: at ``from_m`` and ``to_m``.
    """

    line: BaseGeometry
    freeway: dict[str, Any]
    forward: bool
    from_m: float = 0.0
    to_m: float = np.inf
    stations: set[float] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.to_m = min(self.to_m, self.line.length)

    def station(self, at_m: float) -> float:
        """Mark a station; those nearer than 60 m to another fall on it."""
        at_m = float(np.clip(at_m, self.from_m, self.to_m))
        for known in self.stations:
            if abs(known - at_m) < 60:
                return known
        self.stations.add(at_m)
        return at_m

    def point(self, at_m: float) -> FloatArray:
        place: FloatArray = shapely.get_coordinates(self.line.interpolate(at_m))[0]
        return place

    def direction(self, at_m: float) -> FloatArray:
        run = self.point(min(at_m + 40, self.line.length)) - self.point(max(at_m - 40, 0.0))
        unit: FloatArray = run / np.hypot(*run)
        return unit

    def name_at(self, at_m: float) -> str:
        """Give the freeway's name here; some change it on the way."""
        name: str = self.freeway["name"]
        place = shapely.Point(self.point(at_m))
        centre = shapely.LineString(metres(self.freeway["way"]))
        for change in self.freeway.get("renamed", []):
            if centre.project(place) >= centre.project(
                shapely.Point(metres(self.freeway["way"])[change["from"]])
            ):
                name = change["name"]
        return name


def ground_freeways() -> BaseGeometry:
    """Give the stretches of freeway, in metres, under which no local street passes."""
    stretches = []
    for freeway in read_toml("freeways")["freeway"]:
        points = metres(freeway["way"])
        stretches += [shapely.LineString(points[a : b + 1]) for a, b in freeway.get("ground", [])]
    return shapely.union_all(stretches)


def add_freeways(streets: Network) -> Network:
    """Lay the freeways of ``facts/freeways.toml`` over the streets.

    No corner of a street is a node of a freeway: ramps alone join them, one-way, off and on.
    """
    facts = read_toml("freeways")
    ways = [way for freeway in facts["freeway"] for way in _carriageways(freeway)]
    builder = _Builder(streets)
    for junction in facts["junction"]:
        _join_freeways(metres([junction["at"]])[0], ways, builder)
    for interchange in facts["interchange"]:
        _interchange(interchange, ways, builder)
    for way in ways:
        if "ends_on" in way.freeway:
            at = way.line.length if way.forward else 0.0
            corner = builder.nearest_corner(way.freeway["ends_on"], way.point(at))
            builder.ramp(way, way.station(at), corner, off=way.forward)
    for way in ways:
        builder.lay(way)
    return builder.finish()


def _carriageways(freeway: dict[str, Any]) -> list[_Carriageway]:
    centre = shapely.LineString(smooth(metres(freeway["way"]), rounds=2))
    right = shapely.offset_curve(centre, -HALF_GAP_M, join_style="mitre")
    left = shapely.reverse(shapely.offset_curve(centre, HALF_GAP_M, join_style="mitre"))
    return [_Carriageway(right, freeway, forward=True), _Carriageway(left, freeway, forward=False)]


def _join_freeways(at: FloatArray, ways: list[_Carriageway], builder: "_Builder") -> None:
    """Link every carriageway that comes in with every one of another freeway that goes out."""
    place = shapely.Point(at)
    inward, outward = [], []
    for way in ways:
        if way.line.distance(place) > 4 * HALF_GAP_M:
            continue
        here = way.line.project(place)
        if here > LINK_M:
            inward.append((way, way.station(here - LINK_M)))
        if here < way.line.length - LINK_M:
            outward.append((way, way.station(here + LINK_M)))
        if here < LINK_M:
            way.from_m = outward[-1][1]
        elif here > way.line.length - LINK_M:
            way.to_m = inward[-1][1]
    for come, leave_m in inward:
        for go, join_m in outward:
            turn = float(come.direction(leave_m) @ go.direction(join_m))
            if come.freeway is not go.freeway and turn > SHARPEST_TURN:
                builder.link(come, leave_m, go, join_m)


def _interchange(interchange: dict[str, Any], ways: list[_Carriageway], builder: "_Builder") -> None:
    at = metres([interchange["at"]])[0]
    for way in ways:
        if way.freeway["name"] != interchange["freeway"]:
            continue
        here = way.line.project(shapely.Point(at))
        direction = way.direction(here)
        beside = way.point(here) + 70.0 * np.array([direction[1], -direction[0]])
        corner = builder.nearest_corner(interchange["street"], beside)
        builder.ramp(way, way.station(max(here - RAMP_M, 0.0)), corner, off=True)
        builder.ramp(way, way.station(min(here + RAMP_M, way.line.length)), corner, off=False)


class _Builder:
    """Gather freeway nodes and edges, then join them to the streets."""

    def __init__(self, streets: Network) -> None:
        self._streets = streets
        self._nodes: dict[tuple[int, float], int] = {}
        self._xy: list[FloatArray] = []
        self._rows: list[tuple[int, int, str, str, float, FloatArray]] = []

    def nearest_corner(self, street: str, at: FloatArray) -> int:
        """Give the corner of a street, by name, that lies nearest."""
        streets = self._streets
        on_it = streets.name == street
        corners = np.unique(np.concatenate([streets.u[on_it], streets.v[on_it]]))
        return int(corners[np.argmin(np.hypot(*(streets.xy[corners] - at).T))])

    def _node(self, way: _Carriageway, at_m: float) -> int:
        key = (id(way), at_m)
        if key not in self._nodes:
            self._nodes[key] = len(self._streets.xy) + len(self._xy)
            self._xy.append(way.point(at_m))
        return self._nodes[key]

    def ramp(self, way: _Carriageway, at_m: float, corner: int, *, off: bool) -> None:
        """Add a ramp off the freeway to a corner, or from the corner on to it."""
        start, end = way.point(at_m), self._streets.xy[corner]
        direction = way.direction(at_m) * (1 if off else -1)
        reach = 0.45 * np.hypot(*(end - start))
        bend = start + direction * reach + 12.0 * np.array([direction[1], -direction[0]]) * (1 if off else -1)
        node = self._node(way, at_m)
        ends = (node, corner) if off else (corner, node)
        self._rows.append((*ends, f"{way.name_at(at_m)} ramp", "motorway_link", RAMP_KPH, bend[None]))

    def link(self, come: _Carriageway, leave_m: float, go: _Carriageway, join_m: float) -> None:
        """Add a link from one freeway to another."""
        start, end = come.point(leave_m), go.point(join_m)
        reach = 0.38 * np.hypot(*(end - start))
        bend = np.array([start + come.direction(leave_m) * reach, end - go.direction(join_m) * reach])
        name = f"{come.name_at(leave_m)} to {go.name_at(join_m)}"
        self._rows.append(
            (self._node(come, leave_m), self._node(go, join_m), name, "motorway_link", LINK_KPH, bend)
        )

    def lay(self, way: _Carriageway) -> None:
        """Add the carriageway between its stations."""
        stations = sorted({way.from_m, way.to_m, *way.stations})
        filled = [stations[0]]
        for start, end in pairwise(stations):
            parts = int(np.ceil((end - start) / STRETCH_M))
            filled += [start + (end - start) * part / parts for part in range(1, parts)] + [end]
        points = shapely.get_coordinates(way.line)
        measure = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        for start, end in pairwise(filled):
            via = points[(measure > start + 5) & (measure < end - 5)]
            self._rows.append(
                (
                    self._node(way, start),
                    self._node(way, end),
                    way.name_at((start + end) / 2),
                    "motorway",
                    float(way.freeway["speed_kph"]),
                    via,
                )
            )

    def finish(self) -> Network:
        """Give the streets with the freeways."""
        streets = self._streets
        u, v, name, road_class, speed, via = zip(*self._rows, strict=True)
        return Network(
            xy=np.vstack([streets.xy, *self._xy]),
            u=np.concatenate([streets.u, u]),
            v=np.concatenate([streets.v, v]),
            name=np.concatenate([streets.name, np.array(name, dtype=object)]),
            road_class=np.concatenate([streets.road_class, np.array(road_class, dtype=object)]),
            speed_kph=np.concatenate([streets.speed_kph, speed]),
            oneway=np.concatenate([streets.oneway, np.ones(len(u), dtype=bool)]),
            via=(*streets.via, *via),
        )
