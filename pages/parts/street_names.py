"""Where street names can stand on the map: places along each street that are straight for long enough."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo.network import RoadNetwork

SPACING_M = 400.0
"""One place in so many metres of street."""
ROOMS_M = (1500.0, 1000.0, 700.0, 450.0, 300.0, 200.0, 120.0)
"""Lengths that are tried, longest first; a place where not even the last is straight gets no name."""
BEND = 0.035
"""A piece is straight when it strays from its chord by no more than this part of its length."""
SAMPLES = 9
METRES_PER_DEGREE = 111_319.49

RANKS: Mapping[str, int] = MappingProxyType(
    {"motorway": 0, "trunk": 0, "primary": 0, "secondary": 1, "tertiary": 1}
)
"""0 for what is named first when the map comes nearer; classes that are not here are 2."""
_MINOR = 2

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StreetNames:
    """Places for street names, best known streets first.

    Attributes
    ----------
    names
        Distinct names.
    name
        (n,) index into ``names``.
    lon, lat
        (n,) degrees.
    angle_deg
        (n,) how far the text turns clockwise on a map with north up, -90 to 90.
    room_m
        (n,) metres of street that are straight around the place.
    rank
        (n,) 0 to 2, see ``RANKS``.
    """

    names: tuple[str, ...]
    name: npt.NDArray[np.int64]
    lon: FloatArray
    lat: FloatArray
    angle_deg: FloatArray
    room_m: FloatArray
    rank: npt.NDArray[np.int64]


def street_names(network: RoadNetwork) -> StreetNames:
    """Find the places for the names of a network's streets.

    The edges of one name are joined to lines; along each line, places ``SPACING_M`` apart are kept where the
    street is straight.
    """
    scale = np.array([METRES_PER_DEGREE * np.cos(np.radians(np.median(network.node_lat))), METRES_PER_DEGREE])
    names, lines, owner, rank = _named_lines(network, scale)
    length = shapely.length(lines)
    count = np.maximum(np.rint(length / SPACING_M), 1).astype(np.int64)
    line = np.repeat(np.arange(len(lines)), count)
    place = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    middle = (place + 0.5) / count[line] * length[line]

    room, angle = np.zeros(len(line)), np.zeros(len(line))
    for metres in ROOMS_M:
        start = middle - metres / 2
        open_ = np.flatnonzero((room == 0) & (start >= 0) & (start + metres <= length[line]))
        straight, turn = _straight(lines[line[open_]], start[open_], metres)
        room[open_[straight]] = metres
        angle[open_] = turn
    kept = np.flatnonzero(room > 0)
    kept = kept[np.lexsort((kept, -room[kept], rank[owner[line[kept]]]))]
    at = shapely.get_coordinates(shapely.line_interpolate_point(lines[line[kept]], middle[kept])) / scale
    return StreetNames(
        names=names,
        name=owner[line[kept]],
        lon=at[:, 0],
        lat=at[:, 1],
        angle_deg=angle[kept],
        room_m=room[kept],
        rank=rank[owner[line[kept]]],
    )


def _named_lines(
    network: RoadNetwork, scale: FloatArray
) -> tuple[tuple[str, ...], npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Distinct names, lines in metres, the name of each line, and the best rank of each name."""
    drawn = ~(shapely.is_missing(network.geometry) | shapely.is_empty(network.geometry))
    named = np.array([bool(str(name).strip()) for name in network.edge_name], dtype=bool)
    edges = np.flatnonzero(drawn & named)
    names, of_edge = np.unique([str(name).strip() for name in network.edge_name[edges]], return_inverse=True)
    class_rank = np.array([RANKS.get(name, _MINOR) for name in network.classes], dtype=np.int64)
    rank = np.full(len(names), _MINOR, dtype=np.int64)
    np.minimum.at(rank, of_edge, class_rank[network.edge_class[edges]])
    order = np.argsort(of_edge, kind="stable")
    metric = np.asarray(
        shapely.transform(network.geometry[edges[order]], lambda xy: xy * scale), dtype=object
    )
    streets = np.full(len(names), None, dtype=object)
    shapely.multilinestrings(metric, indices=of_edge[order], out=streets)
    lines, owner = shapely.get_parts(shapely.line_merge(streets), return_index=True)
    return tuple(str(name) for name in names), lines, owner.astype(np.int64), rank


def _straight(
    lines: npt.NDArray[Any], start_m: FloatArray, metres: float
) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    """Whether each line is straight from ``start_m`` for ``metres``, and the turn of its chord in degrees."""
    along = start_m[:, None] + np.linspace(0, metres, SAMPLES)
    points = shapely.get_coordinates(
        shapely.line_interpolate_point(np.repeat(lines, SAMPLES), along.ravel())
    ).reshape(-1, SAMPLES, 2)
    chord = points[:, -1] - points[:, 0]
    reach = np.hypot(chord[:, 0], chord[:, 1])
    offset = points - points[:, :1]
    stray = np.abs(offset[..., 0] * chord[:, None, 1] - offset[..., 1] * chord[:, None, 0])
    straight = (stray.max(axis=1, initial=0.0) <= BEND * metres * reach) & (reach > 0.9 * metres)
    turn = -np.degrees(np.arctan2(chord[:, 1], chord[:, 0]))
    return straight, (turn + 90) % 180 - 90
