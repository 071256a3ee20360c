"""Read the hand-written facts of the demo city: small TOML and CSV files beside this module."""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geo import crs

FACTS = Path(__file__).resolve().parent / "facts"
EPSG = 26915
"""The grid in which the demo city is drawn: UTM zone 15 north, metres (the profile's ``utm_epsg``)."""

FloatArray = npt.NDArray[np.float64]


@cache
def read_toml(name: str) -> dict[str, Any]:
    """Read ``facts/<name>.toml``."""
    return tomllib.loads((FACTS / f"{name}.toml").read_text(encoding="utf-8"))


def read_csv(name: str) -> list[dict[str, str]]:
    """Read ``facts/<name>.csv``: a header, one fact a line; lines that begin with # are remarks."""
    lines = (FACTS / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


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


def way(points: Sequence[str | Sequence[float]]) -> FloatArray:
    """Turn a way of named corners and points into (n, 2) metres."""
    named = corners()
    return metres([named[point] if isinstance(point, str) else point for point in points])
