"""Read the hand-written facts of the demo city: small TOML and CSV files beside this module."""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geo import crs

FACTS = Path(__file__).resolve().parent / "facts"
EPSG = 26915
"""The grid in which the demo city is drawn: UTM zone 15 north, metres (the profile's ``utm_epsg``)."""

CURVE_PIECES = 10
"""Straight pieces in which the curve between two neighbours of a row is drawn."""

FloatArray = npt.NDArray[np.float64]


@cache
def read_toml(name: str) -> dict[str, Any]:
    """Read ``facts/<name>.toml``."""
    return tomllib.loads((FACTS / f"{name}.toml").read_text(encoding="utf-8"))


def read_csv(name: str) -> list[dict[str, str]]:
    """Read ``facts/<name>.csv``: a header, one fact a line; lines that begin with # are remarks."""
    lines = (FACTS / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def evenly(between: Sequence[float], count: int, rng: np.random.Generator) -> FloatArray:
    """(count,) numbers drawn evenly between two facts."""
    low, high = between
    return rng.uniform(low, high, count)


def metres(points: Sequence[Sequence[float]]) -> FloatArray:
    """Turn (n, 2) longitudes and latitudes into (n, 2) eastings and northings in metres."""
    degrees = np.asarray(points, dtype=float)
    return np.column_stack(crs.to_metres(degrees[:, 0], degrees[:, 1], EPSG))


def degrees(points: npt.ArrayLike) -> FloatArray:
    """Turn (n, 2) metres into longitudes and latitudes, rounded to about a centimetre."""
    array = np.asarray(points, dtype=float)
    lonlat: FloatArray = np.column_stack(crs.to_degrees(array[:, 0], array[:, 1], EPSG))
    return lonlat.round(7)


@cache
def corners() -> Mapping[str, tuple[float, float]]:
    """Give the named street corners, in degrees."""
    return {name: (lon, lat) for group in read_toml("corners").values() for name, (lon, lat) in group.items()}


@cache
def _row_neighbours() -> Mapping[tuple[str, str], tuple[str, str, str, str]]:
    """Give for two neighbours of a row the four corners that shape the curve between them."""
    shaped = {}
    for row in read_toml("rows").values():
        for before, a, b, after in zip(
            [row[0], *row[:-2]], row[:-1], row[1:], [*row[2:], row[-1]], strict=True
        ):
            shaped[a, b] = (before, a, b, after)
            shaped[b, a] = (after, b, a, before)
    return shaped


@cache
def curve(one: str, other: str) -> FloatArray:
    """Draw the street from one named corner to another: (n, 2) metres.

    Neighbours of a row (``facts/rows.toml``) are joined by a centripetal Catmull-Rom curve (Barry and Goldman
    1988, Yuksel and others 2011), others by a straight line.
    """
    shaping = _row_neighbours().get((one, other))
    named = corners()
    if shaping is None:
        return metres([named[one], named[other]])
    p = metres([named[corner] for corner in shaping])
    # A row's end has no neighbour beyond: the end is mirrored.
    p[0] = 2 * p[1] - p[2] if shaping[0] == shaping[1] else p[0]
    p[3] = 2 * p[2] - p[1] if shaping[3] == shaping[2] else p[3]
    t = np.concatenate([[0.0], np.cumsum(np.sqrt(np.hypot(*np.diff(p, axis=0).T)))])
    at = np.linspace(t[1], t[2], CURVE_PIECES + 1)[:, None]
    level = list(p)
    for spans in (((0, 1), (1, 2), (2, 3)), ((0, 2), (1, 3)), ((1, 2),)):
        level = [
            (level[i] * (t[b] - at) + level[i + 1] * (at - t[a])) / (t[b] - t[a])
            for i, (a, b) in enumerate(spans)
        ]
    return np.asarray(level[0])


def way(points: Sequence[str | Sequence[float]]) -> FloatArray:
    """Turn a way of named corners and points into (n, 2) metres, along the rows' curves."""
    named = corners()
    parts = [metres([named[points[0]] if isinstance(points[0], str) else points[0]])]
    for a, b in pairwise(points):
        if isinstance(a, str) and isinstance(b, str):
            parts.append(curve(a, b)[1:])
        else:
            parts.append(metres([named[b] if isinstance(b, str) else b]))
    return np.concatenate(parts)
