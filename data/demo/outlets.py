"""Alcohol outlets of the demo city: where they stand, when they are open, and which of them are bad."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.facts_io import EPSG, FloatArray, metres, read_toml
from data.demo.places import Neighborhoods
from geo import crs
from geo.network import RoadNetwork
from geo.regions import assign_regions

IntArray = npt.NDArray[np.int64]

BAD = 20
"""How many outlets are bad where nobody says otherwise."""
DOOR_M = 9.0
"""From the middle of the street to the door."""
USUAL_HOURS = 84.0
"""Open hours a week that count as one: twice as many hours, twice as many incidents."""
SHORT_M, LONG_M = 45.0, 400.0
"""Streets shorter or longer than this have no outlet."""
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_FIRST = (
    "Amber",
    "Brass",
    "Cedar",
    "Cobalt",
    "Copper",
    "Crimson",
    "Ivory",
    "Jade",
    "Linen",
    "Marble",
    "Velvet",
)
_SECOND = ("Anchor", "Anvil", "Bison", "Compass", "Falcon", "Kettle", "Ladder", "Otter", "Thistle", "Trumpet")


@dataclass(frozen=True)
class Outlets:
    """What was planted.

    Attributes
    ----------
    table
        Clean rows of the table ``outlets``.
    truth
        One row an outlet: ``outlet_id``, ``category``, ``door_id`` (the outlet whose door it shares, mostly
        its own), ``role`` (ordinary, bad, between two bad, calls for help, beside a booking place, second
        licence, closed), ``expected_incidents`` a year at ordinary risk, ``own_factor`` (chance, mean 1 among
        ordinary outlets), ``relative_risk`` (1 is as expected), ``calls_for_help`` a year on top, ``bad``.
        Incidents are Poisson with mean expected x own factor x relative risk + calls for help.
    true_hours
        (n,) opening hours, also where the table does not say them.
    start, end, along_m
        The street of each outlet: (n, 2) its ends in metres (UTM), and how far along it the door is.
    """

    table: pd.DataFrame
    truth: pd.DataFrame
    true_hours: npt.NDArray[np.object_]
    start: FloatArray
    end: FloatArray
    along_m: FloatArray


def plant_outlets(
    network: RoadNetwork,
    hoods: Neighborhoods,
    rng: np.random.Generator,
    *,
    bad: int = BAD,
    alpha: float | None = None,
    beside: Sequence[tuple[float, float]] = (),
) -> Outlets:
    """Place about 900 outlets and decide what is to be expected of each.

    Parameters
    ----------
    network
        The demo's network.
    hoods
        Its neighborhoods: how poor one is raises the number of incidents.
    rng
        Draws everything.
    bad
        How many outlets are bad; with two or more, two of them have an ordinary bar between them.
    alpha
        Variance of ordinary outlets about what hours, capacity, category and neighborhood explain (a gamma
        factor with mean 1); 0 is none, None the demo's own of ``facts/outlets.toml``.
    beside
        Longitude and latitude of booking places; some get two bars beside them.
    """
    facts = read_toml("outlets")
    streets = _Streets(network)
    doors = _place_doors(streets, facts, np.asarray(beside, dtype=float).reshape(-1, 2), rng)
    count = len(doors)
    names, hours, capacity = _describe(doors["category"].to_numpy(), facts, rng)
    start, end = streets.start[doors["street"]], streets.end[doors["street"]]
    along = doors["share"].to_numpy() * streets.length[doors["street"]]
    across = np.where(doors["right"], DOOR_M, -DOOR_M)
    xy = beside_street(start, end, along, across)
    lon, lat = crs.to_degrees(xy[:, 0], xy[:, 1], EPSG)

    role = doors["role"].to_numpy(dtype=object, copy=True)
    second, shut = role == "second licence", role == "closed"
    expected = _expected(doors["category"].to_numpy(), hours, capacity, xy, hoods=hoods, facts=facts, rng=rng)
    expected[second | shut] = 0.0
    role = _choose_roles(role, doors["category"].to_numpy(), expected, bad=bad, facts=facts, rng=rng)
    is_bad = role == "bad"
    spread = float(facts["alpha"]) if alpha is None else alpha
    own = rng.gamma(1 / spread, spread, count) if spread else np.ones(count)
    low, high = facts["relative_risk"]
    risk = np.where(is_bad, rng.uniform(low, high, count), 1.0)

    order = rng.permutation(count)
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    ids = np.array([f"O{number + 1:04d}" for number in rank], dtype=object)
    opened = np.datetime64("1985-01-01") + rng.integers(0, 365 * 39, count)
    closed = np.datetime64("2024-03-01") + rng.integers(0, 300, count)
    code = {name: category["licence_code"] for name, category in facts["category"].items()}
    number = (100 * (doors["street"] % 60 + 1) + 98 * doors["share"]).astype(int)
    unknown = np.array([facts["category"][name]["capacity"][2] for name in doors["category"]])
    table = pd.DataFrame(
        {
            "outlet_id": ids,
            "name": names,
            "category": doors["category"].to_numpy(),
            "licence_code": doors["category"].map(code).to_numpy(),
            "address": [
                f"{house} {name}" if name else None
                for house, name in zip(number, streets.name[doors["street"]], strict=True)
            ],
            "opened_on": pd.Series(opened).where(rng.random(count) >= facts["opened_unknown"]),
            "closed_on": pd.Series(closed).where(shut),
            "hours": pd.Series(hours).where(rng.random(count) >= facts["hours_unknown"]),
            "capacity": pd.array(
                np.where(rng.random(count) < unknown, np.nan, capacity.astype(float)), dtype="Int64"
            ),
            "lon": np.round(lon, 6),
            "lat": np.round(lat, 6),
        }
    )
    truth = pd.DataFrame(
        {
            "outlet_id": ids,
            "category": doors["category"].to_numpy(),
            "door_id": ids[doors["door"]],
            "role": role,
            "expected_incidents": expected,
            "own_factor": np.where(is_bad | second | shut, 1.0, own),
            "relative_risk": risk,
            "calls_for_help": np.where(role == "calls for help", float(facts["calls_for_help"]), 0.0),
            "bad": is_bad,
        }
    )
    return Outlets(
        table=table.iloc[order].reset_index(drop=True),
        truth=truth.iloc[order].reset_index(drop=True),
        true_hours=hours[order],
        start=start[order],
        end=end[order],
        along_m=along[order],
    )


def open_week(text: str) -> npt.NDArray[np.bool_]:
    """(168,) whether a place is open in each hour of the week; hour 0 is Monday at midnight.

    Reads the demo's own hours: rules of days and one span of whole hours, or 24/7.
    """
    if text == "24/7":
        return np.ones(168, dtype=bool)
    week = np.zeros(168, dtype=bool)
    for rule in text.split("; "):
        days, span = rule.split(" ")
        first, last = (int(hour) for hour in re.findall(r"(\d\d):00", span))
        for part in days.split(","):
            ends = [DAYS.index(day) for day in part.split("-")]
            for day in range(ends[0], ends[-1] + 1):
                length = (last - first) % 24 or 24
                week[(24 * day + first + np.arange(length)) % 168] = True
    return week


def beside_street(start: FloatArray, end: FloatArray, along: FloatArray, across: FloatArray) -> FloatArray:
    """(n, 2) points so many metres along a straight street, and beside it (to the right where positive)."""
    way = end - start
    way = way / np.hypot(way[:, 0], way[:, 1])[:, None]
    right = np.column_stack([way[:, 1], -way[:, 0]])
    point: FloatArray = start + way * along[:, None] + right * across[:, None]
    return point


class _Streets:
    """The streets at which an outlet can stand, as straight lines between their corners, in metres."""

    def __init__(self, network: RoadNetwork) -> None:
        xy = np.column_stack(crs.to_metres(network.node_lon, network.node_lat, EPSG))
        named = np.array(network.classes)[network.edge_class]
        length = np.hypot(*(xy[network.edge_u] - xy[network.edge_v]).T)
        usable = network.main[network.edge_u] & network.main[network.edge_v]
        usable &= ~np.isin(named, ["motorway", "motorway_link", "service", "track"])
        usable &= (length >= SHORT_M) & (length <= LONG_M)
        self.start, self.end = xy[network.edge_u[usable]], xy[network.edge_v[usable]]
        self.middle = (self.start + self.end) / 2
        self.length = length[usable]
        self.name = network.edge_name[usable]
        self.avenue = np.isin(named[usable], ["trunk", "primary", "secondary", "tertiary"])

    def near(self, place: FloatArray) -> IntArray:
        """Give the streets by how near they pass a place, the nearest first."""
        way = self.end - self.start
        share = np.clip(((place - self.start) * way).sum(axis=1) / self.length**2, 0, 1)
        away = np.hypot(*(self.start + share[:, None] * way - place).T)
        return np.argsort(away, kind="stable")


def _place_doors(
    streets: _Streets, facts: dict[str, Any], booking: FloatArray, rng: np.random.Generator
) -> pd.DataFrame:
    """Place every licence: ``street, share`` (of the way along it), ``right, category, role, door``."""
    categories = list(facts["category"])
    usual = np.array([facts["category"][name]["share"] for name in categories])
    clusters = facts["cluster"]
    spread = rng.multinomial(
        facts["doors"], [*(c["share"] for c in clusters), 1 - sum(c["share"] for c in clusters)]
    )
    parts = []
    for cluster, count in zip([*clusters, None], spread, strict=True):
        if cluster is None:
            weight = streets.avenue * streets.length
            liking = usual
        else:
            away = np.hypot(*(streets.middle - metres([cluster["spot"]])[0]).T) / cluster["radius_m"]
            weight = streets.length * np.exp(-0.5 * away**2) * (away < 3) * np.where(streets.avenue, 3.0, 1.0)
            liking = usual * np.where(np.array(categories) == "bar", cluster["bars"], 1.0)
        street = rng.choice(len(weight), size=count, p=weight / weight.sum())
        kind = rng.choice(categories, size=count, p=liking / liking.sum())
        parts.append(
            pd.DataFrame({"street": street, "share": rng.uniform(0.06, 0.94, count), "category": kind})
        )
    doors = pd.concat(parts, ignore_index=True).assign(role="ordinary")

    taken = set(doors["street"])
    parks = rng.choice(len(booking), size=min(facts["stations_with_bars"], len(booking)), replace=False)
    for place in np.sort(parks):
        here = streets.near(metres([booking[place]])[0])[:2]
        taken.update(here)
        row = {
            "street": here,
            "share": rng.uniform(0.3, 0.7, 2),
            "category": "bar",
            "role": "beside a booking place",
        }
        doors = pd.concat([doors, pd.DataFrame(row)], ignore_index=True)
    quiet = np.setdiff1d(np.flatnonzero(streets.avenue & (streets.length > 130)), sorted(taken))
    trio = {"street": rng.choice(quiet), "share": [0.2, 0.5, 0.8], "category": "bar"}
    trio_role = ["beside the one between", "between two bad", "beside the one between"]
    doors = pd.concat([doors, pd.DataFrame(trio).assign(role=trio_role)], ignore_index=True)
    doors["right"] = rng.random(len(doors)) < 0.5
    doors["door"] = np.arange(len(doors))

    free = rng.permutation(np.flatnonzero(doors["role"] == "ordinary"))
    doors.loc[free[: facts["closed"]], "role"] = "closed"
    shared = np.sort(free[facts["closed"] : facts["closed"] + facts["second_licences"]])
    twins = doors.iloc[shared].assign(role="second licence", door=shared)
    swap = {"bar": "restaurant", "restaurant": "bar", "store": "restaurant", "hotel": "bar", "other": "bar"}
    twins["category"] = twins["category"].map(swap)
    return pd.concat([doors, twins], ignore_index=True)


def _describe(
    category: npt.NDArray[np.object_], facts: dict[str, Any], rng: np.random.Generator
) -> tuple[list[str], npt.NDArray[np.object_], IntArray]:
    """Give each outlet a made-up name, hours and a capacity."""
    hours = np.empty(len(category), dtype=object)
    capacity = np.zeros(len(category), dtype=np.int64)
    for kind, fact in facts["category"].items():
        rows = np.flatnonzero(category == kind)
        text, share = zip(*fact["hours"], strict=True)
        hours[rows] = rng.choice(np.array(text, dtype=object), size=len(rows), p=np.array(share) / sum(share))
        middle, log_spread, _ = fact["capacity"]
        capacity[rows] = np.maximum(8, middle * np.exp(rng.normal(0, log_spread, len(rows)))).astype(np.int64)
    one, two = rng.integers(0, len(_FIRST), len(category)), rng.integers(0, len(_SECOND), len(category))
    names = [
        f"{_FIRST[a]} {_SECOND[b]} {facts['category'][kind]['words']}, demo {row + 1:03d}"
        for row, (a, b, kind) in enumerate(zip(one, two, category, strict=True))
    ]
    return names, hours, capacity


def _expected(
    category: npt.NDArray[np.object_],
    hours: npt.NDArray[np.object_],
    capacity: IntArray,
    xy: FloatArray,
    *,
    hoods: Neighborhoods,
    facts: dict[str, Any],
    rng: np.random.Generator,
) -> FloatArray:
    """(n,) incidents a year at ordinary risk: open hours x category x root of capacity x neighborhood."""
    part = facts["neighborhood"]
    need = (50_000 / hoods.income) ** part["need"] * np.exp(rng.normal(0, part["spread"], len(hoods.income)))
    hood = assign_regions(xy[:, 0], xy[:, 1], hoods.shape)
    rate = np.where(hood >= 0, need[hood], 1.0)
    rate *= np.array([open_week(text).sum() for text in hours]) / USUAL_HOURS
    for kind, fact in facts["category"].items():
        rows = category == kind
        rate[rows] *= np.sqrt(capacity[rows] / fact["capacity"][0])
        rate[rows] *= fact["calls_a_year"] / rate[rows].mean()
    return rate


def _choose_roles(
    role: npt.NDArray[np.object_],
    category: npt.NDArray[np.object_],
    expected: FloatArray,
    *,
    bad: int,
    facts: dict[str, Any],
    rng: np.random.Generator,
) -> npt.NDArray[np.object_]:
    """Choose the bad outlets and the one that calls for help; without two bad ones none stands between."""
    role = role.copy()
    beside = role == "beside the one between"
    role[beside] = "bad" if bad >= 2 else "ordinary"
    if bad < 2:
        role[role == "between two bad"] = "ordinary"
    fitting = (role == "ordinary") & ~beside & np.isin(category, ["bar", "store"])
    fitting &= expected >= facts["bad_expects_at_least"]
    order = rng.permutation(np.flatnonzero(fitting))
    left = bad - int((role == "bad").sum())
    role[order[:left]] = "bad"
    rest = order[left:]
    bars = rest[category[rest] == "bar"]
    role[bars[np.argsort(expected[bars], kind="stable")[len(bars) // 2]]] = "calls for help"
    return role
