"""Part freeways from the streets below them, where a map has joined them without a ramp.

City centre lines are often cut wherever two lines cross on paper, bridges included. A router then lets a
car turn from the street straight onto the freeway overhead.
"""

from collections import defaultdict
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

FREEWAY = "motorway"
RAMP = "motorway_link"
AVENUES = ("trunk", "primary", "secondary")
"""Streets large enough to lead onto a freeway; a neighborhood street that nears one runs below it."""

PIECE_CLASS = "unclassified"
"""What a freeway-named piece is that turns out to carry a street on below the freeway."""

OFFSET_M = 2.0
"""How far the freeway's new node stands from the old one, so that each node keeps a place of its own."""

_IN_LINE_DEG = 40.0
"""A street runs on in an edge that leaves the node straight ahead to within this many degrees."""

_MERGE_DEG = 25.0
"""An avenue that meets a freeway at no more than this many degrees joins it, as a ramp does."""

_SIGHT_M = 30.0
"""An edge's bearing at its end is taken over this length, or over all of a shorter one."""

_LONGEST_PIECE_M = 120.0
"""Freeway-named pieces that carry a street on across all carriageways are together no longer than this."""

_LEAST_FREEWAYS = 2
"""A freeway passes a node when at least this many of its edges meet there; one alone ends there."""

_METRES_A_DEGREE = 111_195.0

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
EdgeEnd = tuple[int, int]
"""An edge and which of its ends: 0 for u, 1 for v."""


@dataclass(frozen=True)
class GradeCount:
    """What was done.

    Attributes
    ----------
    split
        Crossings parted: the freeway has a node of its own there.
    kept
        Crossings left joined, because parting them would cut a stretch off the network.
    pieces
        Freeway-named edges that carry a street on below the carriageways, left with that street.
    """

    split: int
    kept: int
    pieces: int


def split_grade_crossings(
    streets: gpd.GeoDataFrame, nodes: pd.DataFrame
) -> tuple[gpd.GeoDataFrame, pd.DataFrame, GradeCount]:
    """Part freeways and streets where they cross without a ramp.

    A crossing is a node at which at least two freeway edges and at least one street meet. There the
    freeway's edges move to a new node. What goes with them: ramps, unless the ramp runs straight on in a
    street; and an avenue that joins the freeway at a small angle, as a ramp does, and does not run on in
    another street. What stays: streets; and short pieces that bear the freeway's name but carry a street
    on below the carriageways (they become "unclassified"). A freeway's end (one freeway edge) that meets
    streets is a real transition and stays, and so does a crossing of two freeways. A crossing whose
    parting would cut some stretch off the network stays joined.

    Parameters
    ----------
    streets
        ``u, v, road_class, length_m, geometry``; lines in EPSG:4326 from u to v. Freeways are
        ``motorway``, ramps ``motorway_link``, all else are streets.
    nodes
        ``node`` (int64, unique), ``lon``, ``lat`` in degrees.

    Returns
    -------
    streets, nodes, count
        New tables; the inputs stay as they are. New nodes stand at the end of ``nodes``, numbered on
        from the highest, each about two metres from the old one along the freeway; the ends of the lines
        move along, ``length_m`` does not change. The same input gives the same output.
    """
    junctions = _Junctions(streets, nodes)
    pieces = junctions.pieces()
    moves = [(node, junctions.upper_ends(node, pieces)) for node in junctions.crossings(pieces)]
    moves = [(node, ends) for node, ends in moves if ends]
    parted, kept = _keep_joined(junctions, moves)
    new_streets, new_nodes = _apply(streets, nodes, junctions, parted)
    rows = np.isin(np.arange(len(streets)), list(pieces))
    new_streets["road_class"] = new_streets["road_class"].mask(rows, PIECE_CLASS)
    return new_streets, new_nodes, GradeCount(split=len(parted), kept=kept, pieces=len(pieces))


class _Junctions:
    """The edges at each node that a freeway touches, with their bearings."""

    def __init__(self, streets: gpd.GeoDataFrame, nodes: pd.DataFrame) -> None:
        self.node = nodes["node"].to_numpy(dtype=np.int64)
        index = pd.Index(self.node)
        self.ends: IntArray = np.stack(
            [index.get_indexer(streets["u"]), index.get_indexer(streets["v"])], axis=1
        )
        road_class = streets["road_class"].to_numpy(dtype=object)
        self.freeway = road_class == FREEWAY
        self.ramp = road_class == RAMP
        self.avenue = np.isin(road_class.astype(str), AVENUES)
        self.length_m = streets["length_m"].to_numpy(dtype=float)
        self.bearing = _bearings_deg(np.asarray(streets.geometry.array, dtype=object))
        self.at: dict[int, list[EdgeEnd]] = defaultdict(list)
        touched = np.unique(self.ends[self.freeway])
        for edge in np.flatnonzero(np.isin(self.ends, touched).any(axis=1)):
            for end in (0, 1):
                self.at[int(self.ends[edge, end])].append((int(edge), end))

    def crossings(self, pieces: frozenset[int] = frozenset()) -> list[int]:
        """Nodes where two or more freeway edges and a street or such a piece meet, by identifier."""
        found = []
        for node, ends in self.at.items():
            freeways = sum(bool(self.freeway[edge]) and edge not in pieces for edge, _ in ends)
            streets = sum(self._is_street(edge, pieces) for edge, _ in ends)
            if freeways >= _LEAST_FREEWAYS and streets:
                found.append(node)
        return sorted(found, key=lambda node: int(self.node[node]))

    def pieces(self) -> frozenset[int]:
        """Short freeway-named edges that carry a street on from one side of the freeway to the other."""
        found: set[int] = set()
        for node in self.crossings():
            for first in self.at[node]:
                if self.freeway[first[0]] and self._leads_on(node, first):
                    found.update(self._walk_under(first))
        return frozenset(found)

    def upper_ends(self, node: int, pieces: frozenset[int]) -> list[EdgeEnd]:
        """Edge ends at a crossing that belong to the freeway; empty where there is nothing to part."""
        freeways = [end for end in self.at[node] if self.freeway[end[0]] and end[0] not in pieces]
        streets = [end for end in self.at[node] if self._is_street(end[0], pieces)]
        carriageway = list(self._through_pair(freeways))
        upper = list(freeways)
        for end in self.at[node]:
            if end in freeways or end[0] in pieces:
                continue
            with_street = self._straightest(end, streets)
            if self.ramp[end[0]]:
                goes_up = with_street > _IN_LINE_DEG or with_street >= self._straightest(end, freeways)
            else:
                bend = self._straightest(end, carriageway)
                goes_up = bool(self.avenue[end[0]]) and bend <= min(_MERGE_DEG, with_street)
            if goes_up:
                upper.append(end)
        return upper if len(upper) < len(self.at[node]) else []

    def _is_street(self, edge: int, pieces: frozenset[int] = frozenset()) -> bool:
        return edge in pieces or not (self.freeway[edge] or self.ramp[edge])

    def _bend_deg(self, first: EdgeEnd, second: EdgeEnd) -> float:
        """Degrees by which a way turns that comes in by one edge and leaves by the other."""
        return float(abs(180.0 - abs(self.bearing[first] - self.bearing[second]) % 360.0))

    def _straightest(self, end: EdgeEnd, others: list[EdgeEnd]) -> float:
        """Give the smallest bend between an edge end and the others at its node, in degrees."""
        bends = [self._bend_deg(end, other) for other in others if other != end]
        return min(bends, default=180.0)

    def _straight_on(self, arrival: EdgeEnd, others: list[EdgeEnd]) -> EdgeEnd:
        """Give the end among others that runs straightest on from an arrival."""
        return min(others, key=lambda other: self._bend_deg(arrival, other))

    def _through_pair(self, ends: list[EdgeEnd]) -> tuple[EdgeEnd, ...]:
        """Give the two ends that run straightest into each other: the carriageway."""
        pairs = [(first, second) for i, first in enumerate(ends) for second in ends[i + 1 :]]
        return min(pairs, key=lambda pair: self._bend_deg(*pair), default=())

    def _leads_on(self, node: int, end: EdgeEnd) -> bool:
        """Say whether an edge leaves a crossing beside the carriageway, in line with a street."""
        ways = [other for other in self.at[node] if not self._is_street(other[0])]
        streets = [other for other in self.at[node] if self._is_street(other[0])]
        if len(ways) <= _LEAST_FREEWAYS or end in self._through_pair(ways):
            return False
        straight = self._straightest(end, streets)
        return straight <= _IN_LINE_DEG and straight < self._straightest(end, ways)

    def _walk_under(self, first: EdgeEnd) -> list[int]:
        """Follow freeway-named edges straight across the carriageways to a street; empty if none is met."""
        walked: list[int] = []
        length_m = 0.0
        (edge, end) = first
        while edge not in walked:
            walked.append(edge)
            length_m += self.length_m[edge]
            arrival = (edge, 1 - end)
            others = [other for other in self.at[int(self.ends[arrival])] if other != arrival]
            if length_m > _LONGEST_PIECE_M:
                return []
            if self._straightest(arrival, [o for o in others if not self.freeway[o[0]]]) <= _IN_LINE_DEG:
                return walked
            carriageway = self._through_pair([o for o in others if not self._is_street(o[0])])
            onward = [o for o in others if self.freeway[o[0]] and o not in carriageway]
            if self._straightest(arrival, onward) > _IN_LINE_DEG:
                return []
            edge, end = self._straight_on(arrival, onward)
        return []


def _bearings_deg(lines: npt.NDArray[np.object_]) -> FloatArray:
    """Bearing of each line over its first and its last metres, seen from either end, shape (n, 2)."""
    bearings = np.zeros((len(lines), 2))
    for row, line in enumerate(lines):
        flat, _ = _flat(line)
        for end, run in enumerate((flat, shapely.reverse(flat))):
            start, ahead = shapely.get_coordinates(shapely.line_interpolate_point(run, [0.0, _SIGHT_M]))
            step = ahead - start
            bearings[row, end] = np.degrees(np.arctan2(step[1], step[0]))
    return bearings


def _flat(line: shapely.LineString) -> tuple[shapely.LineString, FloatArray]:
    """Give a line in metres about its own latitude, and the metres in a degree each way."""
    places = shapely.get_coordinates(line)
    scale = _METRES_A_DEGREE * np.array([np.cos(np.radians(places[0, 1])), 1.0])
    return shapely.LineString(places * scale), scale


def _keep_joined(
    junctions: _Junctions, moves: list[tuple[int, list[EdgeEnd]]]
) -> tuple[list[tuple[int, list[EdgeEnd]]], int]:
    """Leave those crossings joined without which the network would fall apart further."""
    n_nodes = len(junctions.node)
    ends = junctions.ends.copy()
    for number, (_, upper) in enumerate(moves):
        for edge, end in upper:
            ends[edge, end] = n_nodes + number
    parts = _Parts(n_nodes + len(moves))
    for first, second in ends:
        parts.join(int(first), int(second))
    parted = []
    for number, (node, upper) in enumerate(moves):
        if not parts.join(node, n_nodes + number):
            parted.append((node, upper))
    return parted, len(moves) - len(parted)


class _Parts:
    """Connected parts of a graph, joined edge by edge."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, first: int, second: int) -> bool:
        """Join two nodes' parts; say whether they were apart."""
        one, other = self._root(first), self._root(second)
        self._parent[other] = one
        return one != other


def _apply(
    streets: gpd.GeoDataFrame,
    nodes: pd.DataFrame,
    junctions: _Junctions,
    parted: list[tuple[int, list[EdgeEnd]]],
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    ends = np.stack([streets["u"].to_numpy(dtype=np.int64), streets["v"].to_numpy(dtype=np.int64)], axis=1)
    lines = np.asarray(streets.geometry.array, dtype=object).copy()
    first_new = int(junctions.node.max()) + 1 if len(junctions.node) else 0
    rows = []
    for number, (_, upper) in enumerate(parted):
        edge, end = max(
            (place for place in upper if junctions.freeway[place[0]]),
            key=lambda place: (junctions.length_m[place[0]], -place[0]),
        )
        lon, lat = _along(lines[edge], end)
        for other, other_end in upper:
            ends[other, other_end] = first_new + number
            lines[other] = _with_end(lines[other], other_end, lon, lat)
        rows.append((first_new + number, lon, lat))
    new_streets = streets.copy()
    new_streets["u"], new_streets["v"] = ends[:, 0], ends[:, 1]
    new_streets["geometry"] = gpd.GeoSeries(lines, index=streets.index, crs=streets.crs)
    added = pd.DataFrame(rows, columns=["node", "lon", "lat"]).astype({"node": "int64"})
    return new_streets, pd.concat([nodes, added], ignore_index=True) if rows else nodes.copy()


def _along(line: shapely.LineString, end: int) -> tuple[float, float]:
    """Give the place two metres along a line from one of its ends, or at two fifths of a shorter one."""
    flat, scale = _flat(line)
    run = flat if end == 0 else shapely.reverse(flat)
    point = shapely.line_interpolate_point(run, min(OFFSET_M, 0.4 * flat.length))
    return float(point.x / scale[0]), float(point.y / scale[1])


def _with_end(line: shapely.LineString, end: int, lon: float, lat: float) -> shapely.LineString:
    places = shapely.get_coordinates(line).copy()
    places[0 if end == 0 else -1] = (lon, lat)
    return shapely.LineString(places)
