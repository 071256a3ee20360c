"""Sixty truck-days over the real streets, against the nearest basin next, and against VROOM left alone."""

from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from geo.network import RoadNetwork
from models.route_solver import DUMP, Problem, Tour, solve, solve_whole
from models.routes import Crews, Stops, plan_routes, stop_seconds

STOPS, TRUCKS, DAYS = 480, 6, 10
SERVICE_MIN, LOAD_KG, DUMP_MIN, SHIFT_H = 45.0, 218.0, 20.0, 8.0
LARGE_KG, SMALL_KG = 5000.0, 1500.0


@dataclass(frozen=True, eq=False)
class Case:
    """Stops in clusters of a dozen, as a list by low ground would be, with depot and dump."""

    stops: Stops
    depot: int
    dump: int


@pytest.fixture(scope="module")
def case(network: RoadNetwork) -> Case:
    """Draw the stops of the plan, the same each time."""
    random = np.random.default_rng(5)
    kept = np.flatnonzero(network.main)
    middle = random.choice(kept, STOPS // 12)
    lon = network.node_lon[middle].repeat(12) + random.normal(0, 0.0025, STOPS)
    lat = network.node_lat[middle].repeat(12) + random.normal(0, 0.0022, STOPS)
    depot, dump = network.snap([-90.07, -89.95], [29.96, 30.02])[0].tolist()
    node = network.snap(lon, lat)[0]
    return Case(Stops(node, np.full(STOPS, LOAD_KG), np.full(STOPS, SERVICE_MIN)), depot, dump)


def _problem(seconds: np.ndarray, n: int, truck_days: int, capacity_kg: float) -> Problem:
    at = np.concatenate([np.arange(n), [len(seconds) - 2, len(seconds) - 1]])
    return Problem(
        np.ceil(seconds[np.ix_(at, at)]).astype(np.int64),
        np.full(n, int(60 * SERVICE_MIN)),
        np.full(n, int(1000 * LOAD_KG)),
        np.zeros(n, np.int64),
        truck_days,
        int(1000 * capacity_kg),
        int(3600 * SHIFT_H),
        int(60 * DUMP_MIN),
    )


def _nearest_next(problem: Problem) -> tuple[Tour, ...]:
    """Do what a crew would by itself: the nearest basin left, the dump when full, home in time."""
    n, ways = len(problem.service_s), problem.seconds
    left = set(range(n))
    tours: list[Tour] = []
    while left and len(tours) < problem.truck_days:
        tour: list[int] = []
        at, clock, load = n, 0, 0
        while left:
            stop = min(left, key=lambda k: (int(ways[at, k]), k))
            if load + problem.load_g[stop] > problem.capacity_g:
                tour.append(DUMP)
                clock, at, load = clock + int(ways[at, n + 1]) + problem.dump_s, n + 1, 0
                continue
            there = clock + int(ways[at, stop] + problem.service_s[stop])
            if there + ways[stop, n + 1] + problem.dump_s + ways[n + 1, n] > problem.shift_s:
                break
            tour.append(stop)
            left.discard(stop)
            clock, at, load = there, stop, load + int(problem.load_g[stop])
        if not any(stop != DUMP for stop in tour):
            break
        tours.append(tuple(tour) if tour[-1] == DUMP else (*tour, DUMP))
    return tuple(tours)


def _hours(problem: Problem, tours: tuple[Tour, ...]) -> tuple[float, float, int]:
    """Hours on the road, hours out of the depot, and basins cleaned."""
    stops = [stop for tour in tours for stop in tour if stop != DUMP]
    driving = sum(problem.driving_s(tour) for tour in tours) / 3600
    dumps = sum(tour.count(DUMP) for tour in tours) * problem.dump_s / 3600
    return driving, driving + dumps + problem.service_s[stops].sum() / 3600, len(stops)


@pytest.mark.extract
def test_sixty_truck_days(benchmark: Benchmark, report: Report, network: RoadNetwork, case: Case) -> None:
    """From nodes to timed truck-days, driving times and all, in a process of its own as on the page."""
    crews = Crews(TRUCKS, DAYS, SHIFT_H, LARGE_KG, DUMP_MIN)

    def mine() -> tuple[float, int]:
        seconds = stop_seconds(network, case.stops.node, depot=case.depot, dump=case.dump)
        plan = plan_routes(case.stops, crews, seconds, apart=True)
        return plan.driving_h, len(plan.left_out)

    driving, left = benchmark.pedantic(mine, rounds=1)
    mine_s = benchmark.stats.stats.median
    problem = _problem(
        stop_seconds(network, case.stops.node, depot=case.depot, dump=case.dump),
        STOPS,
        TRUCKS * DAYS,
        LARGE_KG,
    )
    peer_s, by_hand = seconds_of(lambda: _nearest_next(problem), rounds=1)
    theirs, _, cleaned = _hours(problem, by_hand)
    report(
        f"{STOPS} basins into {TRUCKS * DAYS} truck-days, driving times and process included",
        f"{mine_s:.1f} s, {driving:.1f} h on the road, {left} left out",
        f"the nearest basin next: {peer_s:.1f} s, {theirs:.1f} h, {STOPS - cleaned} left out",
        "under 60 s",
        mine_s < 60 and left == 0,
    )


@pytest.mark.extract
@pytest.mark.parametrize(
    ("n", "capacity_kg", "level"),
    [(60, SMALL_KG, 5), (120, SMALL_KG, 5), (240, SMALL_KG, 5), (480, LARGE_KG, 3), (480, SMALL_KG, 3)],
)
def test_against_vroom_alone(
    benchmark: Benchmark,
    report: Report,
    network: RoadNetwork,
    case: Case,
    n: int,
    capacity_kg: float,
    level: int,
) -> None:
    """All in one problem at VROOM's own patience, beside ours; the same rules, the same matrix."""
    seconds = stop_seconds(network, case.stops.node, depot=case.depot, dump=case.dump)
    problem = _problem(seconds, n, n // 5, capacity_kg)
    found = benchmark.pedantic(lambda: solve(problem), rounds=1)
    mine_s = benchmark.stats.stats.median
    peer_s, alone = seconds_of(lambda: solve_whole(problem, level=level), rounds=1)
    driving, total, cleaned = _hours(problem, found)
    peer_driving, peer_total, peer_cleaned = _hours(problem, alone)
    assert cleaned == peer_cleaned == n
    report(
        f"{n} basins, trucks of {capacity_kg:,.0f} kg: time in all",
        f"{total:.1f} h ({driving:.1f} h on the road), {mine_s:.1f} s",
        f"pyvroom alone, level {level}: {peer_total:.1f} h ({peer_driving:.1f} h), {peer_s:.1f} s",
        "within 5 %",
        total <= 1.05 * peer_total,
    )
