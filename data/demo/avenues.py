"""Avenues by name: ways through named corners, cut where they meet water without a bridge."""

from typing import Any

import numpy as np
import shapely

from data.demo.facts_io import read_toml, way
from data.demo.grids import Pieces
from data.demo.ground import Ground
from data.demo.network import LONGEST_M

SHORE_M = 25.0
"""How far an avenue without a bridge ends before the water."""


def avenue_pieces(ground: Ground) -> Pieces:
    """Draw every avenue of ``facts/avenues.toml``."""
    wide = ground.wide_water.buffer(SHORE_M)
    all_water = wide.union(ground.channels.buffer(SHORE_M))
    avenues: list[dict[str, Any]] = read_toml("avenues")["avenue"]
    ends, street = [], []
    for number, avenue in enumerate(avenues):
        barred = wide if avenue.get("bridges", False) else all_water
        dry = shapely.LineString(way(avenue["way"])).intersection(ground.parish).difference(barred)
        for part in shapely.get_parts(dry):
            points = shapely.get_coordinates(shapely.segmentize(part, LONGEST_M))
            ends.append(np.stack([points[:-1], points[1:]], axis=1))
            street.append(np.full(len(points) - 1, number))
    return Pieces(
        ends=np.concatenate(ends),
        street=np.concatenate(street),
        name=np.array([avenue["name"] for avenue in avenues], dtype=object),
        road_class=np.array([avenue["class"] for avenue in avenues], dtype=object),
        oneway=np.zeros(len(avenues), dtype=np.int64),
        speed_kph=np.array([avenue.get("speed_kph", np.nan) for avenue in avenues], dtype=float),
    )
