"""A year of ambulance responses by a small dispatcher whose rules are few and written down here.

1. A call is ready when it has been handled. The closest ambulance that is on duty and free is sent: the one
   whose planted drive to the call is shortest. A tie goes to the lowest unit id.
2. Free is an ambulance at its home post or on its way there. On the way it counts as being where the straight
   line from where it was freed to its post has it after the elapsed share of the drive home, moved to the
   nearest of the places (posts, hospitals, one corner a neighborhood); ``from_post_id`` is then empty.
3. When none is free, calls wait; an ambulance that is freed, or comes on duty, takes the longest waiting one.
4. An ambulance whose shift ends on a call finishes it and takes no other.
5. Code 3 is driven with siren, Code 2 nearly always without; the way to hospital and the way home without.
"""

import heapq
import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from data.demo.clock import HOUR_S, Year
from data.demo.facts_io import EPSG, FloatArray, read_toml
from data.demo.planted import Drives
from geo import crs
from geo.network import RoadNetwork

IntArray = npt.NDArray[np.int64]
NIGHT_HOURS = (22, 7)
"""Turnout takes longer from the first to the second of these hours."""
CELL_M = 250.0
CANCELLED, REFUSED, TRANSPORTED = "CAN", "NTR", "TRN"
STAMPS = ("assigned", "enroute", "on_scene", "depart_scene", "at_hospital", "available")


@dataclass(frozen=True)
class Places:
    """Corners from which an ambulance may be sent.

    Attributes
    ----------
    node
        (n_places,) corner of each: home posts first, then hospitals that receive, then others.
    n_posts, n_hospitals
        How many of the first places are home posts, and how many follow that are hospitals.
    """

    node: IntArray
    n_posts: int
    n_hospitals: int


@dataclass
class _Unit:
    """An ambulance: its shifts, and where it is."""

    unit_id: str
    home: int
    on: list[float]
    off: list[float]
    free_at: float = -np.inf
    home_at: float = -np.inf
    freed_xy: tuple[float, float] = (0.0, 0.0)

    def on_duty(self, at: float) -> bool:
        shift = bisect_right(self.on, at) - 1
        return shift >= 0 and at < self.off[shift]


@dataclass
class _Luck:
    """Everything that chance decides about each call, drawn beforehand."""

    handling_s: list[float]
    turnout: list[float]
    siren: list[bool]
    drive: list[float]
    cancelled: list[float]
    transported: list[bool]
    scene_s: list[float]
    hospital: list[float]
    way: list[float]
    at_hospital_s: list[float]


@dataclass
class _Year:
    """The year's calls while they are answered."""

    node: list[int]
    weights: list[list[float]]
    luck: _Luck
    rows: list[tuple[int | float | bool, ...]] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    coming_free: list[tuple[float, int]] = field(default_factory=list)


class Dispatcher:
    """Send ambulances to a year of calls; see the rules at the top of this module."""

    def __init__(self, network: RoadNetwork, places: Places, drives: Drives, year: Year) -> None:
        self._facts = read_toml("dispatch")
        self._year = year
        self._xy = np.column_stack(crs.to_metres(network.node_lon, network.node_lat, EPSG))
        self._places = places
        self._drives = drives
        self._pace: list[int] = drives.pace.tolist()
        self._place_xy = [(float(x), float(y)) for x, y in self._xy[places.node]]
        self._corner, self._cell_place = self._nearest_places()
        self._units = [
            _Unit(unit["id"], unit["post_rank"] - 1, *shift_seconds(unit, year))
            for unit in self._facts["unit"]
        ]
        for unit in self._units:
            unit.freed_xy = self._place_xy[unit.home]

    def _nearest_places(self) -> tuple[tuple[float, float], list[list[int]]]:
        """Rule the ground into cells and name the place nearest to each."""
        low = self._xy.min(axis=0) - CELL_M
        size = np.ceil((self._xy.max(axis=0) + CELL_M - low) / CELL_M).astype(int)
        east, north = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
        middle = low + (np.stack([east, north], axis=-1) + 0.5) * CELL_M
        _, nearest = cKDTree(self._xy[self._places.node]).query(middle.reshape(-1, 2))
        return (float(low[0]), float(low[1])), nearest.reshape(size).tolist()

    def run(
        self, calls: pd.DataFrame, *, weight: FloatArray, child_weight: FloatArray, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Answer every call.

        Parameters
        ----------
        calls
            The ambulance part of ``Demand.calls``, in order.
        weight, child_weight
            (n_hospitals,) weight of choice, for most calls and for those of children.
        rng
            Draws all chance.

        Returns
        -------
        responses
            A row a call, in the order of ``calls``: ``unit`` (index), ``from_post`` (index of the home
            post, or -1 when sent from the road), ``siren``, ``hospital`` (index, or -1), ``cancelled``, and
            seconds since 1970 for each of ``STAMPS``, NaN where it did not happen.
        """
        luck = _draw_luck(calls, self._facts["times"], self._year, rng)
        ready = calls["opened_s"].to_numpy(dtype=float) + np.array(luck.handling_s)
        child = calls["type_code"].isin(self._facts["times"]["children_codes"]).to_numpy(dtype=bool)
        weights = [child_weight.tolist() if young else weight.tolist() for young in child]
        year = _Year(calls["node"].tolist(), weights, luck)
        year.coming_free = [(on, k) for k, unit in enumerate(self._units) for on in unit.on]
        heapq.heapify(year.coming_free)

        for call in np.argsort(ready, kind="stable").tolist():
            now = float(ready[call])
            self._serve_waiting(now, year)
            k, place = self._closest(now, year.node[call], siren=luck.siren[call])
            if k < 0:
                year.waiting.append(call)
            else:
                self._send(k, place, call, now, year)
        self._serve_waiting(np.inf, year)
        columns = ["call", "unit", "from_post", "siren", *STAMPS, "hospital", "cancelled"]
        frame = pd.DataFrame(year.rows, columns=columns)
        return frame.sort_values("call", ignore_index=True).drop(columns="call")

    def _serve_waiting(self, until: float, year: _Year) -> None:
        """Let every ambulance that comes free by ``until`` take the longest waiting call."""
        while year.coming_free and year.coming_free[0][0] <= until and (year.waiting or until < np.inf):
            at, k = heapq.heappop(year.coming_free)
            unit = self._units[k]
            if year.waiting and unit.on_duty(at) and unit.free_at <= at:
                self._send(k, self._place_now(unit, at), year.waiting.popleft(), at, year)

    def _pace_at(self, at: float) -> int:
        hour = int((at - self._year.start_s) // HOUR_S)
        return self._pace[min(max(hour, 0), len(self._pace) - 1)]

    def _place_now(self, unit: _Unit, at: float) -> int:
        """Give the place that a free ambulance is at, or nearest to on its way home."""
        if at >= unit.home_at:
            return unit.home
        share = (at - unit.free_at) / (unit.home_at - unit.free_at)
        home = self._place_xy[unit.home]
        x = unit.freed_xy[0] + share * (home[0] - unit.freed_xy[0])
        y = unit.freed_xy[1] + share * (home[1] - unit.freed_xy[1])
        return self._place_near((x, y))

    def _place_near(self, where: tuple[float, float]) -> int:
        """Give the nearest place, to a cell's width."""
        column = self._cell_place[int((where[0] - self._corner[0]) // CELL_M)]
        return column[int((where[1] - self._corner[1]) // CELL_M)]

    def _closest(self, now: float, node: int, *, siren: bool) -> tuple[int, int]:
        """Give the closest free ambulance and its place; -1 when there is none."""
        seconds = self._drives.out[self._pace_at(now)][siren][:, node]
        best, best_place, best_drive = -1, -1, np.inf
        for k, unit in enumerate(self._units):
            if unit.free_at <= now and unit.on_duty(now):
                place = self._place_now(unit, now)
                drive = float(seconds[place])
                if drive < best_drive:
                    best, best_place, best_drive = k, place, drive
        return best, best_place

    def _send(self, k: int, place: int, call: int, now: float, year: _Year) -> None:
        """Carry out one response; the ambulance is then free where it ended, and drives home."""
        unit, node, luck = self._units[k], year.node[call], year.luck
        siren, abandoned = luck.siren[call], luck.cancelled[call] < 1
        drive = float(self._drives.out[self._pace_at(now)][siren][place, node])
        enroute = now + luck.turnout[call]
        way = drive * luck.drive[call] + float(self._facts["times"]["access_s"])
        from_post = unit.home if now >= unit.home_at else -1
        hospital, on_scene, depart, at_hospital = -1, np.nan, np.nan, np.nan
        scene = (float(self._xy[node, 0]), float(self._xy[node, 1]))
        if abandoned:
            share = luck.cancelled[call]
            available = enroute + share * way
            start = self._place_xy[place]
            where = (start[0] + share * (scene[0] - start[0]), start[1] + share * (scene[1] - start[1]))
            at_node = int(self._places.node[self._place_near(where)])
        else:
            on_scene = enroute + way
            available, where, at_node = on_scene + luck.scene_s[call], scene, node
            if luck.transported[call]:
                depart = available
                hospital, seconds = self._choose_hospital(
                    depart, node, year.weights[call], luck.hospital[call]
                )
                at_hospital = depart + seconds * luck.way[call]
                available = at_hospital + luck.at_hospital_s[call]
                goal = self._places.n_posts + hospital
                where, at_node = self._place_xy[goal], int(self._places.node[goal])
        unit.free_at = float(np.ceil(available))
        unit.freed_xy = where
        unit.home_at = unit.free_at + float(
            self._drives.back[self._pace_at(unit.free_at)][unit.home, at_node]
        )
        stamps = (now, enroute, on_scene, depart, at_hospital, unit.free_at)
        year.rows.append((call, k, from_post, siren, *stamps, hospital, abandoned))
        heapq.heappush(year.coming_free, (unit.free_at, k))

    def _choose_hospital(self, at: float, node: int, weights: list[float], luck: float) -> tuple[int, float]:
        """Choose by weight x exp(-drive / reach) and the draw ``luck`` in 0 to 1; give it and its drive."""
        seconds = self._drives.back[self._pace_at(at)][self._places.n_posts :, node].tolist()
        reach_s = 60.0 * float(self._facts["times"]["hospital_reach_min"])
        nearest = min(seconds)
        share = [w * math.exp((nearest - s) / reach_s) for s, w in zip(seconds, weights, strict=True)]
        chosen = bisect_right(list(accumulate(share)), luck * sum(share) * (1 - 1e-12))
        return chosen, seconds[chosen]


def shift_seconds(unit: dict[str, Any], year: Year) -> tuple[list[float], list[float]]:
    """Give when a unit's shifts start and end, as seconds since 1970, the day before the year included."""
    days = pd.date_range(year.date[0] - np.timedelta64(1, "D"), year.date[-1], freq="D")
    if "days" in unit:
        days = days[days.day_of_week.isin(unit["days"])]
    if unit.get("events", False):
        spans = [pd.date_range(event["first"], event["last"]) for event in read_toml("calls")["event"]]
        days = days[days.isin(spans[0].append(spans[1:]))]
    on: list[float] = []
    off: list[float] = []
    for start, end in unit["shifts"]:
        for hour, times in ((start, on), (end, off)):
            local = (days + pd.Timedelta(days=hour // 24)) + pd.Timedelta(hours=hour % 24)
            zoned = local.tz_localize(year.timezone).as_unit("s")
            times.extend(zoned.asi8.astype(float).tolist())
    return sorted(on), sorted(off)


def _draw_luck(calls: pd.DataFrame, times: dict[str, Any], year: Year, rng: np.random.Generator) -> _Luck:
    count = len(calls)
    hour = year.hour_of_day[year.hour_index(calls["opened_s"].to_numpy(dtype=float))]
    night = (hour >= NIGHT_HOURS[0]) | (hour < NIGHT_HOURS[1])

    def lognormal(median: float | FloatArray, spread: float) -> FloatArray:
        drawn: FloatArray = median * np.exp(rng.normal(0.0, spread, count))
        return drawn

    def noise(spread: float) -> list[float]:
        """Draw factors with mean 1."""
        drawn: list[float] = np.exp(rng.normal(-(spread**2) / 2, spread, count)).tolist()
        return drawn

    transported = rng.random(count) < calls["transport"].to_numpy(dtype=float)
    scene_min = np.where(transported, times["scene_transport_min"], times["scene_stay_min"])
    turnout_s = np.where(night, times["turnout_night_s"], times["turnout_day_s"])
    urgent = calls["priority"].to_numpy(dtype=object) == "Code 3"
    abandoned = rng.random(count) < times["cancelled_share"]
    handling_s = np.maximum(15.0, lognormal(times["handling_s"], times["handling_spread"]))
    return _Luck(
        handling_s=handling_s.round().tolist(),
        turnout=lognormal(turnout_s, times["turnout_spread"]).tolist(),
        siren=(urgent | (rng.random(count) < times["code_2_with_siren_share"])).tolist(),
        drive=noise(times["drive_spread"]),
        cancelled=np.where(abandoned, rng.uniform(0.1, 0.95, count), 1.0).tolist(),
        transported=transported.tolist(),
        scene_s=(60 * lognormal(scene_min, times["scene_spread"])).tolist(),
        hospital=rng.random(count).tolist(),
        way=noise(times["drive_spread"]),
        at_hospital_s=(60 * lognormal(times["hospital_min"], times["hospital_spread"])).tolist(),
    )
