"""The ground of the demo city: parish, river, lakes, canals, and the open ground without streets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from data.demo.facts_io import FloatArray, metres, read_toml

VIEW_BOX = (-90.155, 29.852, -89.605, 30.195)
"""West, south, east, north in degrees: how far water is drawn, just inside the profile's ``bbox``."""


@dataclass(frozen=True)
class Ground:
    """Shapes in metres (UTM).

    Attributes
    ----------
    water
        Name, kind (river or lake) and shape of each water; they do not overlap.
    parish
        The parish on land and water.
    land
        The parish without its waters.
    wide_water
        River and lakes: no street crosses them.
    channels
        Canals, bayous and passes: crossed only by avenues with bridges.
    open_ground
        Parks, campuses, yards and cemeteries: no local street.
    """

    water: tuple[tuple[str, str, BaseGeometry], ...]
    parish: BaseGeometry
    land: BaseGeometry
    wide_water: BaseGeometry
    channels: BaseGeometry
    open_ground: BaseGeometry


def smooth(line: FloatArray, *, rounds: int = 3) -> FloatArray:
    """Round the corners of a line (Chaikin 1974); its ends stay.

    Parameters
    ----------
    line
        (n, 2) points.
    rounds
        How often corners are cut; each round doubles the points.
    """
    for _ in range(rounds):
        quarter = 0.75 * line[:-1] + 0.25 * line[1:]
        three_quarters = 0.25 * line[:-1] + 0.75 * line[1:]
        cut = np.stack([quarter, three_quarters], axis=1).reshape(-1, 2)
        line = np.concatenate([line[:1], cut[1:-1], line[-1:]])
    return line


def draw_ground() -> Ground:
    """Draw the ground from ``facts/ground.toml``."""
    facts = read_toml("ground")
    west, south, east, north = VIEW_BOX
    view = shapely.Polygon(metres([(west, south), (east, south), (east, north), (west, north)]))
    river = _channel(facts["river"]["centre"], facts["river"]["width_m"])
    shore = metres(facts["lake_shore"]["line"])
    sky = np.array([[shore[-1, 0] + 5_000, 3_400_000.0], [shore[0, 0] - 5_000, 3_400_000.0]])
    pontchartrain = shapely.Polygon(np.vstack([smooth(shore, rounds=2), sky]))
    channels = {c["name"]: _channel(c["centre"], c["width_m"]) for c in facts["channel"]}

    named: list[tuple[str, str, BaseGeometry]] = [
        (facts["river"]["name"], "river", river),
        (facts["lake_shore"]["name"], "lake", pontchartrain),
    ]
    named += [(lake["name"], "lake", _ring(lake["ring"])) for lake in facts["lake"]]
    wide = shapely.union_all([shape for _, _, shape in named])
    named += [(name, "river", shape) for name, shape in channels.items()]

    water = []
    taken: BaseGeometry = shapely.Polygon()
    for name, kind, shape in named:
        own = shapely.intersection(shape.difference(taken), view)
        taken = taken.union(own)
        water.append((name, kind, own))
    parish = _straight_ring(facts["parish"]["ring"]).intersection(view)
    land = _largest_parts(parish.difference(taken), at_least_m2=40_000)
    return Ground(
        water=tuple(water),
        parish=parish,
        land=land,
        wide_water=wide,
        channels=shapely.union_all(list(channels.values())),
        open_ground=shapely.union_all([_straight_ring(place["ring"]) for place in facts["open_ground"]]),
    )


def _channel(centre: Sequence[Sequence[float]], width_m: float) -> BaseGeometry:
    line = shapely.LineString(smooth(metres(centre)))
    return line.buffer(width_m / 2, cap_style="flat", quad_segs=6)


def _ring(points: Sequence[Sequence[float]]) -> BaseGeometry:
    ring = metres([*points, points[0]])
    return shapely.Polygon(smooth(ring, rounds=2)).buffer(0)


def _straight_ring(points: Sequence[Sequence[float]]) -> BaseGeometry:
    return shapely.Polygon(metres(points)).buffer(0)


def _largest_parts(shape: BaseGeometry, *, at_least_m2: float) -> BaseGeometry:
    parts = shapely.get_parts(shape)
    return shapely.union_all(parts[shapely.area(parts) >= at_least_m2])
