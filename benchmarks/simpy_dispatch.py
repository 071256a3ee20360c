"""The simulator's home rules as a SimPy program: a process that dispatches, one a shift, one a unit at work.

Closest free unit on shift that serves the call's need, at its post or driving home along the straight line;
ties to the lowest id; a freed unit, or one coming on shift, takes the most urgent and then longest-waiting
call that it serves; turnout, drive, on scene, nearest hospital, wall.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import simpy
from scipy.spatial import cKDTree

Events = Generator[simpy.Event, Any, None]


@dataclass
class Unit:
    """A unit, and its drive home."""

    name: int
    post: int
    als: bool
    on_shift: bool = False
    call: int = -1
    origin: int = 0
    freed: float = -math.inf
    home_at: float = -math.inf


@dataclass
class Service:
    """An ambulance service."""

    calls: pd.DataFrame
    units_table: pd.DataFrame
    xy: npt.NDArray[Any]
    travel: npt.NDArray[Any]
    hospitals: list[int]
    home_factor: float
    waiting: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.env = simpy.Environment()
        first = self.units_table.drop_duplicates("unit_id")
        self.units = [
            Unit(name, post, kind == "ALS", origin=post)
            for name, post, kind in zip(first["unit_id"], first["post"], first["unit_type"], strict=True)
        ]
        self.minutes = self.travel.tolist()
        self.points = self.xy.tolist()
        self.tree = cKDTree(self.xy)
        self.column = {name: self.calls[name].tolist() for name in self.calls}
        to_hospital = self.travel[:, self.hospitals]
        self.hospital = [self.hospitals[h] for h in to_hospital.argmin(axis=1)]
        self.until = float(self.calls["call_min"].iloc[-1])
        self.free_units = [0] * len(self.calls)
        self.rows: list[dict[str, Any]] = []

    def run(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Answer every call, and write the tables of calls and units."""
        for name, rows in self.units_table.groupby("unit_id"):
            shifts = list(zip(rows["starts_min"], rows["ends_min"], strict=True))
            self.env.process(self.shifts(self.units[int(str(name))], shifts))
        self.env.process(self.dispatch())
        self.env.run()
        done = pd.DataFrame(self.rows).set_index("call").sort_index()
        table = self.calls[["call_min", "place", "priority", "unit_type"]].join(done)
        table["free_units"] = self.free_units
        table["wait_min"] = table["assigned_min"] - table["call_min"]
        table["drive_min"] = table["on_scene_min"] - table["enroute_min"]
        table["response_min"] = table["on_scene_min"] - table["call_min"]
        return table, self.units_of(table)

    def units_of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Count the calls and the busy minutes of each unit."""
        rows = []
        for unit in self.units:
            own = table[table["unit_id"] == unit.name]
            shifts = self.units_table[self.units_table["unit_id"] == unit.name]
            starts, ends = (
                shifts["starts_min"].to_numpy(),
                shifts["ends_min"].clip(upper=self.until).to_numpy(),
            )
            off = ends[np.searchsorted(starts, own["assigned_min"], side="right") - 1]
            busy = (np.minimum(own["available_min"], off) - own["assigned_min"]).sum()
            rows.append({"unit_id": unit.name, "calls": len(own), "busy_min": busy})
        return pd.DataFrame(rows)

    def shifts(self, unit: Unit, shifts: list[tuple[float, float]]) -> Events:
        """Let a unit come on shift and go off again."""
        for start, end in shifts:
            yield self.env.timeout(start - self.env.now)
            unit.on_shift = True
            if unit.call < 0:
                unit.call = self.next_waiting(unit)
                if unit.call >= 0:
                    how = "at post" if self.env.now >= unit.home_at else "on the road"
                    self.env.process(self.serve(unit, self.where(unit), how))
            yield self.env.timeout(end - self.env.now)
            unit.on_shift = False

    def next_waiting(self, unit: Unit) -> int:
        """Take the most urgent call that a unit serves, of these the longest-waiting; -1 without."""
        able = [call for call in self.waiting if unit.als or self.column["unit_type"][call] != "ALS"]
        if not able:
            return -1
        call = min(able, key=lambda call: (self.column["priority"][call], call))
        self.waiting.remove(call)
        return call

    def dispatch(self) -> Events:
        """Send the closest free unit to each call, or let it wait."""
        for call, at in enumerate(self.column["call_min"]):
            yield self.env.timeout(at - self.env.now)
            scene, best, least = self.column["place"][call], None, math.inf
            needs_als = self.column["unit_type"][call] == "ALS"
            for unit in self.units:
                if unit.call < 0 and unit.on_shift:
                    self.free_units[call] += 1
                    if unit.als or not needs_als:
                        place = self.where(unit)
                        if self.minutes[place][scene] < least:
                            best, best_place, least = unit, place, self.minutes[place][scene]
            if best is None:
                self.waiting.append(call)
            else:
                best.call = call
                how = "at post" if self.env.now >= best.home_at else "on the road"
                self.env.process(self.serve(best, best_place, how))

    def where(self, unit: Unit) -> int:
        """Give the place that a free unit counts from."""
        if self.env.now >= unit.home_at:
            return unit.post
        share = (self.env.now - unit.freed) / (unit.home_at - unit.freed)
        (x, y), (home_x, home_y) = self.points[unit.origin], self.points[unit.post]
        return int(self.tree.query((x + share * (home_x - x), y + share * (home_y - y)))[1])

    def serve(self, unit: Unit, place: int, how: str) -> Events:
        """Serve calls until none waits."""
        while unit.call >= 0:
            call, column = unit.call, self.column
            scene = column["place"][call]
            row = {"call": call, "unit_id": unit.name, "from_place": place, "how": how}
            self.rows.append(row)
            row["assigned_min"] = self.env.now
            yield self.env.timeout(column["turnout_min"][call])
            row["enroute_min"] = self.env.now
            yield self.env.timeout(self.minutes[place][scene])
            row["on_scene_min"] = self.env.now
            yield self.env.timeout(column["on_scene_min"][call])
            row["leave_min"] = self.env.now
            place = scene
            if column["transported"][call]:
                place = row["hospital"] = self.hospital[scene]
                yield self.env.timeout(self.minutes[scene][place])
                row["at_hospital_min"] = self.env.now
                yield self.env.timeout(column["at_hospital_min"][call])
            row["available_min"] = self.env.now
            unit.call, how = self.next_waiting(unit) if unit.on_shift else -1, "where freed"
        unit.origin, unit.freed = place, self.env.now
        unit.home_at = self.env.now + self.minutes[place][unit.post] * self.home_factor
