"""Random small cities, fleets and traces for the simulator, on a grid of numbers that makes ties common."""

from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse.csgraph import shortest_path

from tests.models.dispatch_reference import Call, Reference, Unit, World

FloatArray = npt.NDArray[np.float64]


@dataclass
class Case:
    """The same case for the simulator and for the reference."""

    calls: pd.DataFrame
    units: pd.DataFrame
    places: FloatArray
    travel_min: FloatArray
    hospitals: pd.DataFrame
    rules: dict[str, Any]

    def reference(self) -> Reference:
        rules = dict(self.rules)
        table = rules.pop("next_place", None)
        hours = rules.pop("band_of_hour", [])
        world = World(
            bands=self.travel_min.tolist(),
            hospitals=self.hospitals["place"].tolist(),
            open=self.hospitals["open"].tolist(),
            xy=[(float(x), float(y)) for x, y in self.places],
            next_place=[] if table is None else np.asarray(table).tolist(),
            band_of_hour=list(hours),
            **rules,
        )
        names = sorted(self.units["unit_id"].unique())
        units = []
        for name in names:
            rows = self.units[self.units["unit_id"] == name]
            shifts = list(zip(rows["starts_min"], rows["ends_min"], strict=True))
            units.append(
                Unit(names.index(name), int(rows["post"].iloc[0]), shifts, str(rows["unit_type"].iloc[0]))
            )
        calls = [
            Call(**{str(name): value for name, value in record.items()}, row=row)
            for row, record in enumerate(self.calls.to_dict("records"))
        ]
        return Reference(world, units, calls)


def network(
    random: np.random.Generator, part: npt.NDArray[np.int64], *, whole: bool
) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Shortest minutes over a random directed road network of one or more parts, and the next place."""
    n = len(part)
    weight = np.full((n, n), np.inf)
    for k in np.unique(part):
        members = np.flatnonzero(part == k)
        ring = random.permutation(members)
        for a, b in zip(ring, np.roll(ring, -1), strict=True):
            if a != b:
                weight[a, b] = random.integers(1, 9)
        for _ in range(2 * len(members)):
            a, b = random.choice(members, 2)
            if a != b:
                weight[a, b] = random.integers(1, 9)
    if not whole:
        weight *= random.uniform(0.5, 1.5, weight.shape)
    minutes = np.asarray(
        shortest_path(np.where(np.isfinite(weight), weight, 0.0), directed=True), dtype=np.float64
    )
    table = np.full((n, n), -1, dtype=np.int32)
    for start in range(n):
        for goal in range(n):
            if start != goal and np.isfinite(minutes[start, goal]):
                over = weight[start] + minutes[:, goal]
                over[start] = np.inf
                table[start, goal] = int(np.argmin(over))
    return minutes, table


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case; half of them on whole minutes, where ties are common."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    whole = draw(st.booleans())
    n = draw(st.integers(2, 9))
    n_units, n_calls = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    en_route = draw(st.sampled_from(["network", "line"]))
    parts = draw(st.sampled_from([1, 1, 1, 2]))
    n_bands = draw(st.sampled_from([1, 1, 2]))
    part = np.sort(random.integers(0, parts, n))
    drawn = [network(random, part, whole=whole) for _ in range(n_bands)]
    minutes, table = np.stack([band[0] for band in drawn]), np.stack([band[1] for band in drawn])
    places = random.integers(0, 8, (n, 2)).astype(float)

    def some(low: int, high: int, size: int) -> FloatArray:
        values = random.integers(low, high, size).astype(float)
        return values if whole else values * random.uniform(0.5, 1.5, size)

    gap = draw(st.sampled_from([2, 6, 12, 30]))
    fixed = draw(st.booleans())
    factors = np.array([0.5, 1.0, 2.0]) if whole else random.uniform(0.6, 1.6, 9)
    calls = pd.DataFrame(
        {
            "call_min": np.cumsum(some(0, gap, n_calls)),
            "place": random.integers(0, n, n_calls),
            "on_scene_min": some(0, 12, n_calls),
            "priority": random.integers(1, 4, n_calls),
            "unit_type": random.choice(["", "ALS", "BLS"], n_calls),
            "handling_min": np.zeros(n_calls) if fixed else some(0, 4, n_calls),
            "turnout_min": some(0, 3, n_calls),
            "access_min": some(0, 2, n_calls),
            "drive_factor": np.ones(n_calls) if fixed else random.choice(factors, n_calls),
            "way_factor": random.choice(factors, n_calls),
            "transported": random.random(n_calls) < 0.5,
            "hospital": random.integers(-1, 2, n_calls),
            "at_hospital_min": some(0, 12, n_calls),
        }
    )
    hospitals = pd.DataFrame({"place": [0, n - 1], "open": [True, True]})
    if parts == 1:
        hospitals.loc[1, "open"] = bool(draw(st.booleans()))
    else:
        # Both hospitals may lie in one part; nobody is transported from the other.
        reached = np.isfinite(minutes[0][:, [0, n - 1]]).any(axis=1)
        calls["transported"] &= reached[calls["place"]]
    rules: dict[str, Any] = {
        "en_route": en_route,
        "home_factor": float(random.choice([0.5, 1.0, 2.0, 4.0] if whole else [0.8, 1.3, 3.0])),
        "transport_factor": float(random.choice([1.0, 1.5])),
        "road_turnout": bool(random.integers(2)),
        "queue": draw(st.sampled_from(["longest", "priority"])),
    }
    if n_bands > 1:
        rules["band_of_hour"] = random.integers(0, n_bands, 168).tolist()
        rules["start_hour"] = float(random.integers(0, 400)) / 2
    if en_route == "network":
        rules["next_place"] = table
    if rules["queue"] == "priority":
        rules["preempt"] = draw(st.booleans())
    if draw(st.integers(0, 2)) == 0:
        levels = random.integers(1, n_units + 2)
        rules["compliance"] = [random.integers(0, n, k).tolist() for k in range(1, levels + 1)]
        rules["move_up"] = draw(st.booleans())
    return Case(
        calls, _units(draw, random, n, n_units, calls, whole=whole), places, minutes, hospitals, rules
    )


def _units(
    draw: st.DrawFn, random: np.random.Generator, n: int, n_units: int, calls: pd.DataFrame, *, whole: bool
) -> pd.DataFrame:
    shifts = draw(st.booleans())
    last = float(calls["call_min"].iloc[-1]) + 1
    rows = []
    for unit in range(n_units):
        post, kind = int(random.integers(0, n)), str(random.choice(["ALS", "ALS", "BLS"]))
        at = -1.0
        for _ in range(random.integers(1, 4) if shifts else 1):
            start, length = random.uniform(0, last / 2, 2)
            if whole:
                start, length = np.floor([start, length])
            if not shifts:
                start, length = 0.0, np.inf
            start = at + 1 + float(start) if shifts else 0.0
            end = start + 1 + float(length)
            rows.append((f"M{unit}", post, kind, start, end))
            at = end
    return pd.DataFrame(rows, columns=["unit_id", "post", "unit_type", "starts_min", "ends_min"])
