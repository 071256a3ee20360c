"""Local street grids, ruled between two rows of corners so that they turn with the river."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from data.demo.facts_io import FloatArray, curve, read_toml

JITTER = 0.09
"""How far a street stands from its even place, as a share of a block."""

SIGNED, SIGNED_KPH = 0.3, 30.0
"""Share of local streets with a speed of their own, and that speed: usual driving, junctions included."""


@dataclass(frozen=True)
class Pieces:
    """Straight street pieces before they are joined.

    Attributes
    ----------
    ends
        (n, 2, 2) first and last point of each piece, metres.
    street
        (n,) index into the streets below.
    name, road_class
        (n_streets,) what each street is called and its class.
    oneway
        (n_streets,) 0 two-way, 1 from first to last point, -1 the other way.
    speed_kph
        (n_streets,) speed of its own, NaN where the class decides.
    """

    ends: FloatArray
    street: npt.NDArray[np.int64]
    name: npt.NDArray[np.object_]
    road_class: npt.NDArray[np.object_]
    oneway: npt.NDArray[np.int64]
    speed_kph: FloatArray

    def keep(self, wanted: npt.NDArray[np.bool_]) -> "Pieces":
        """Keep some pieces, and all streets."""
        return Pieces(
            self.ends[wanted], self.street[wanted], self.name, self.road_class, self.oneway, self.speed_kph
        )


def join(parts: Sequence[Pieces]) -> Pieces:
    """Put several sets of pieces into one."""
    offset = np.cumsum([0, *(len(part.name) for part in parts)])
    return Pieces(
        ends=np.concatenate([part.ends for part in parts]),
        street=np.concatenate([part.street + start for part, start in zip(parts, offset, strict=False)]),
        name=np.concatenate([part.name for part in parts]),
        road_class=np.concatenate([part.road_class for part in parts]),
        oneway=np.concatenate([part.oneway for part in parts]),
        speed_kph=np.concatenate([part.speed_kph for part in parts]),
    )


def local_grids(rng: np.random.Generator) -> Pieces:
    """Draw every grid of ``facts/grids.toml``."""
    facts = read_toml("grids")
    return join([_grid(grid, facts["spare_names"], rng) for grid in facts["grid"]])


def _grid(grid: dict[str, Any], spare: list[str], rng: np.random.Generator) -> Pieces:
    first, second = ([curve(a, b) for a, b in pairwise(grid[row])] for row in ("first", "second"))
    along_m, across_m = grid["block_m"]
    u, knots = _columns(first, second, along_m, rng)
    low, high = _on_row(first, u), _on_row(second, u)
    v = _spaced(max(1, round(float(np.hypot(*(high - low).T).mean()) / across_m)), rng)
    ruled = low[:, None] * (1 - v)[None, :, None] + high[:, None] * v[None, :, None]
    ruled += _sway(ruled, u / u[-1], v, float(grid.get("bend_m", 0.0)), rng)

    n_across, n_along = len(u), len(v)
    # The two rows themselves are drawn as they curve, so that neighbours and avenues lie exactly on them.
    rows = [
        np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in row]) for row in (first, second)
    ]
    across = np.stack([ruled[:, :-1], ruled[:, 1:]], axis=2).reshape(-1, 2, 2)
    between = np.stack([ruled[:-1, 1:-1], ruled[1:, 1:-1]], axis=2).reshape(-1, 2, 2)
    ends = np.concatenate([across, between, *rows])
    street = np.concatenate(
        [
            np.repeat(np.arange(n_across), n_along - 1),
            n_across + np.tile(np.arange(1, n_along - 1), n_across - 1),
            np.full(len(rows[0]), n_across),
            np.full(len(rows[1]), n_across + n_along - 1),
        ]
    )
    names = np.array(
        _names(grid.get("across", []), n_across, spare, len(grid["name"]))
        + _names(grid.get("along", []), n_along, spare, len(grid["name"]) * 7),
        dtype=object,
    )
    inner = np.ones(n_across + n_along, dtype=bool)
    inner[[0, n_across - 1, n_across, n_across + n_along - 1]] = False
    inner[:n_across][knots] = False
    one = inner & (rng.random(len(inner)) < grid.get("oneway", 0.25))
    turn = np.where(np.arange(len(inner)) % 2 == 0, 1, -1)
    pieces = Pieces(
        ends=ends,
        street=street,
        name=names,
        road_class=np.full(len(names), "residential", dtype=object),
        oneway=np.where(one, turn, 0),
        speed_kph=np.where(rng.random(len(names)) < SIGNED, SIGNED_KPH, np.nan),
    )
    left_out = inner[street] & (rng.random(len(street)) < grid.get("gap", 0.03))
    return pieces.keep(~left_out)


def _columns(
    first: list[FloatArray], second: list[FloatArray], block_m: float, rng: np.random.Generator
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Place the streets that run from row to row: positions counted in knots, and which are at knots."""
    places: list[FloatArray] = []
    knots = [0]
    for k, (low, high) in enumerate(zip(first, second, strict=True)):
        width_m = (_measure(low)[-1] + _measure(high)[-1]) / 2
        inner = k + _spaced(max(1, round(width_m / block_m)), rng)
        places.append(inner[:-1])
        knots.append(knots[-1] + len(inner) - 1)
    return np.concatenate([*places, [float(len(first))]]), np.array(knots)


def _measure(line: FloatArray) -> FloatArray:
    """Give the metres from a line's start to each of its points."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])


def _on_row(row: list[FloatArray], u: FloatArray) -> FloatArray:
    """Give (n_u, 2) points on a row of curves at positions counted in knots."""
    points = np.empty((len(u), 2))
    span = np.minimum(u.astype(int), len(row) - 1)
    for k, line in enumerate(row):
        here = span == k
        along = _measure(line)
        for axis in (0, 1):
            points[here, axis] = np.interp((u[here] - k) * along[-1], along, line[:, axis])
    return points


def _spaced(blocks: int, rng: np.random.Generator) -> FloatArray:
    """Give ``blocks`` + 1 positions from 0 to 1, nearly even."""
    at = np.arange(blocks + 1, dtype=float)
    at[1:-1] += rng.uniform(-JITTER, JITTER, max(0, blocks - 1))
    return at / blocks


def _sway(
    points: FloatArray, u: FloatArray, v: FloatArray, bend_m: float, rng: np.random.Generator
) -> FloatArray:
    """Give a smooth displacement of the points that vanishes on the grid's edges."""
    if not bend_m:
        return np.zeros_like(points)
    window = np.minimum(1, 4 * np.sin(np.pi * u))[:, None] * np.minimum(1, 3 * np.sin(np.pi * v))[None]
    field = np.zeros_like(points)
    for _ in range(3):
        angle, phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi, 2), rng.uniform(480, 950)
        along = (points[..., 0] * np.cos(angle) + points[..., 1] * np.sin(angle)) * (2 * np.pi / length)
        field += np.sin(along[..., None] + phase)
    sway: FloatArray = bend_m * np.clip(window, 0, 1)[..., None] * field / 1.5
    return sway


def _names(given: list[str], count: int, spare: list[str], start: int) -> list[str]:
    """Name ``count`` streets in order: the given names spread evenly, spare names between them."""
    if not count:
        return []
    place = np.unique(np.linspace(0, count - 1, min(len(given), count)).round().astype(int))
    real = dict(zip(place.tolist(), given, strict=False))
    others = iter(range(start, start + count))
    return [real[i] if i in real else spare[next(others) % len(spare)] for i in range(count)]
