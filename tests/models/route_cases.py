"""Made-up towns to route in, and a plan's figures worked out again from its order of stops alone."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.route_solver import Problem
from models.routes import DUMP, Crews, Routes, Stops, TruckDay


@dataclass(frozen=True, eq=False)
class Town:
    """Stops on a plane, with driving times along a street grid, one way slower than the other."""

    stops: Stops
    seconds: npt.NDArray[np.float64]

    def part(self, n: int) -> "Town":
        """Keep the first n stops."""
        at = np.concatenate([np.arange(n), [len(self.stops), len(self.stops) + 1]])
        worth = None if self.stops.worth is None else self.stops.worth[:n]
        stops = Stops(self.stops.node[:n], self.stops.load_kg[:n], self.stops.service_min[:n], worth)
        return Town(stops, self.seconds[np.ix_(at, at)])


def town(n: int, *, seed: int = 0, minutes: float = 45.0, with_worth: bool = False) -> Town:
    """Stops in clusters about a 12 km square; the depot in its middle, the dump in a corner."""
    random = np.random.default_rng(seed)
    centres = random.uniform(0, 12_000, (max(n // 10, 1), 2))
    places = centres[random.integers(len(centres), size=n)] + random.normal(0, 300, (n, 2))
    places = np.vstack([places, [(6000, 6000), (11_000, 1000)]])
    ahead = places[None, :, :] - places[:, None, :]
    seconds = np.abs(ahead[..., 0]) / 8 + np.where(ahead[..., 1] > 0, ahead[..., 1] / 8, -ahead[..., 1] / 7)
    load, worth = random.uniform(80, 350, n), random.uniform(0, 1, n)
    stops = Stops(np.arange(n), load, np.full(n, minutes), worth if with_worth else None)
    return Town(stops, seconds)


def problem_of(place: Town, crews: Crews) -> Problem:
    """Hand a town to the solver as it takes it."""
    n = len(place.stops)
    return Problem(
        np.ceil(place.seconds).astype(np.int64),
        np.ceil(place.stops.service_min * 60).astype(np.int64),
        np.ceil(place.stops.load_kg * 1000).astype(np.int64),
        np.zeros(n, np.int64),
        crews.truck_days,
        int(crews.capacity_kg * 1000),
        int(crews.shift_h * 3600),
        int(crews.dump_min * 60),
    )


def assert_holds(plan: Routes, place: Town, crews: Crews) -> None:
    """Walk through every truck-day with the town's own matrix, not rounded: all rules must hold."""
    n = len(place.stops)
    cleaned = [stop for day in plan.truck_days for stop in day.stop.tolist() if stop != DUMP]
    left = [left_out.stop for left_out in plan.left_out]
    assert sorted(cleaned + left) == list(range(n))
    assert all(left_out.why for left_out in plan.left_out)
    slots = [(day.day, day.truck) for day in plan.truck_days]
    assert len(set(slots)) == len(slots)
    assert all(day < crews.days and truck < crews.trucks for day, truck in slots)
    for day in plan.truck_days:
        _assert_day_holds(day, place, crews)


def _assert_day_holds(day: TruckDay, place: Town, crews: Crews) -> None:
    n = len(place.stops)
    clock, at, load, driving = 0.0, n, 0.0, 0.0
    for number, stop in enumerate(day.stop.tolist()):
        to = n + 1 if stop == DUMP else stop
        driving += place.seconds[at, to]
        clock += place.seconds[at, to]
        # Whole seconds, rounded up: never early, and late by a second a drive at most.
        assert -1e-6 <= day.arrive_s[number] - clock <= 2 * number + 1
        clock += 60 * (crews.dump_min if stop == DUMP else place.stops.service_min[stop])
        load = 0.0 if stop == DUMP else load + place.stops.load_kg[stop]
        assert load <= crews.capacity_kg
        assert abs(day.load_kg[number] - load) < 0.01 * len(day.stop)
        at = to
    assert at == n + 1
    driving += place.seconds[at, n]
    assert clock + place.seconds[at, n] <= crews.shift_h * 3600
    assert 0 <= day.driving_s - driving <= len(day.stop) + 1
    assert 0 <= day.end_s - clock - place.seconds[at, n] <= 2 * len(day.stop) + 1
