"""Truck-days keep every rule, are the best on small cases, and hold their own beside VROOM left alone."""

from dataclasses import replace
from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from errors import InvalidInputError, SolverError
from geo.network import RoadNetwork
from geo.travel_time import travel_times
from models import route_solver
from models.route_solver import DUMP, Problem, solve, solve_apart, solve_whole, vroom_input
from models.routes import (
    NO_ROOM,
    NO_WAY,
    TOO_HEAVY,
    TOO_LONG,
    Crews,
    Stops,
    drives,
    plan_routes,
    stop_seconds,
)
from tests.geo.networks import grid, tables
from tests.models.route_cases import Town, assert_holds, problem_of, town

CREWS = Crews(trucks=3, days=4, shift_h=8.0, capacity_kg=1200.0)


@given(
    place=st.builds(town, st.integers(1, 30), seed=st.integers(0, 99), with_worth=st.booleans()),
    crews=st.builds(
        Crews,
        st.integers(1, 3),
        st.just(2),
        st.sampled_from([3.0, 8.0]),
        st.sampled_from([200.0, 700.0, 5000.0]),
    ),
)
@settings(max_examples=25, deadline=None)
def test_every_basin_stands_once_and_no_rule_is_broken(place: Town, crews: Crews) -> None:
    try:
        plan = plan_routes(place.stops, crews, place.seconds)
    except InvalidInputError:
        assert (place.stops.load_kg > crews.capacity_kg).all() or crews.shift_h == 3.0
        return
    assert_holds(plan, place, crews)


@pytest.mark.parametrize("capacity_kg", [700.0, 5000.0])
def test_one_truck_day_is_hardly_longer_than_the_best_of_all_orders(capacity_kg: float) -> None:
    """Brute force over every order of six stops, with a trip to the dump wherever it must or may be."""
    place = town(6, seed=4, minutes=10.0)
    plan = plan_routes(place.stops, Crews(1, 1, 12.0, capacity_kg), place.seconds)
    ways, load = np.ceil(place.seconds), place.stops.load_kg
    best = np.inf
    for order in permutations(range(6)):
        for dumps in range(32):
            at, driven, on_board, fits = 6, 0.0, 0.0, True
            for number, stop in enumerate(order):
                driven, at = driven + ways[at, stop], stop
                on_board += load[stop]
                fits &= on_board <= capacity_kg
                if number == 5 or dumps >> number & 1:
                    driven, at, on_board = driven + ways[at, 7], 7, 0.0
            if fits:
                best = min(best, driven + ways[at, 6])
    (day,) = plan.truck_days
    assert best <= day.driving_s <= 1.01 * best


def test_vroom_keeps_its_own_clock_right() -> None:
    """Arrivals and loads of VROOM's solution, worked out again from the matrix."""
    place = town(40, seed=1)
    problem = problem_of(place, CREWS)
    steps = vroom_input(problem).solve(exploration_level=3, nb_threads=1).routes
    for _, own in steps.groupby("vehicle_id"):
        load = 0
        before = own.iloc[0]
        assert before["type"] == "start"
        assert before["arrival"] == 0
        for _, step in own.iloc[1:].iterrows():
            drive = problem.seconds[before["location_index"], step["location_index"]]
            stayed = before["setup"] + before["service"] + before["waiting_time"]
            assert step["arrival"] == before["arrival"] + stayed + drive
            if step["type"] in {"pickup", "delivery"}:
                load += problem.load_g[step["id"]] * (1 if step["type"] == "pickup" else -1)
                assert 0 <= load <= problem.capacity_g
            before = step
        assert before["arrival"] <= problem.shift_s
        assert load == 0


def _driving(problem: Problem, tours: tuple[route_solver.Tour, ...]) -> int:
    return sum(problem.driving_s(tour) for tour in tours)


def _total(problem: Problem, tours: tuple[route_solver.Tour, ...]) -> int:
    """Seconds out of the depot, all tours."""
    at_dump = sum(tour.count(DUMP) for tour in tours) * problem.dump_s
    return _driving(problem, tours) + at_dump + int(problem.service_s.sum())


@pytest.mark.parametrize(
    ("n", "capacity_kg"),
    [
        (60, 1000.0),
        *(
            pytest.param(n, capacity_kg, marks=pytest.mark.slow)
            for n, capacity_kg in ((120, 1000.0), (240, 5000.0), (480, 1000.0))
        ),
    ],
)
def test_total_time_is_within_5_percent_of_vroom_alone(n: int, capacity_kg: float) -> None:
    problem = problem_of(town(n, seed=n), Crews(n // 5, 1, 8.0, capacity_kg))
    alone = solve_whole(problem, level=5 if n <= 120 else 3)
    found = solve(problem)
    for tours in (alone, found):
        assert sorted(stop for tour in tours for stop in tour if stop != DUMP) == list(range(n))
    assert _total(problem, found) <= 1.05 * _total(problem, alone)
    assert _driving(problem, found) <= 1.05 * _driving(problem, alone)


def test_the_same_problem_gives_the_same_plan_here_and_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(town(36, seed=2), CREWS)
    first = solve(problem)
    shares: list[float] = []
    assert solve_apart(problem, on_step=shares.append) == first
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    monkeypatch.setattr(route_solver, "THREADS", 1)
    assert solve(problem) == first


@pytest.mark.parametrize("search", [solve, solve_apart])
def test_a_stop_ends_the_search(search: object) -> None:
    def stop(share: float) -> None:
        raise InterruptedError(share)

    assert callable(search)
    with pytest.raises(InterruptedError):
        search(problem_of(town(30), CREWS), on_step=stop)


def test_a_search_that_dies_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(problem_of(town(5), CREWS), seconds=np.zeros((2, 2), np.int64))
    with pytest.raises(SolverError, match="ended early"):
        solve_apart(broken)
    monkeypatch.setattr("models.routes.solve", lambda *_, **__: ((0, 1, 2, 3, 4, DUMP), (4, DUMP)))
    place = town(5)
    with pytest.raises(SolverError, match="a basin stands in two truck-days"):
        plan_routes(place.stops, CREWS, place.seconds)


def test_worth_decides_what_is_left_and_what_comes_first() -> None:
    place = town(40, seed=3, with_worth=True)
    crews = Crews(2, 2, 6.0, 5000.0)
    plan = plan_routes(place.stops, crews, place.seconds)
    assert_holds(plan, place, crews)
    worth = place.stops.worth
    assert worth is not None
    left = [left_out.stop for left_out in plan.left_out]
    assert {left_out.why for left_out in plan.left_out} == {NO_ROOM}
    assert worth[left].mean() < 0.5 * np.delete(worth, left).mean()
    means = [worth[day.basins].mean() for day in plan.truck_days]
    assert means == sorted(means, reverse=True)


def test_what_no_truck_can_clean_is_left_out_with_its_reason() -> None:
    place = town(5)
    place.stops.load_kg[0] = 5000.0
    place.stops.service_min[1] = 500.0
    place.seconds[:, 2], place.seconds[2, :] = np.inf, np.inf
    plan = plan_routes(place.stops, CREWS, place.seconds)
    assert {left.stop: left.why for left in plan.left_out} == {0: TOO_HEAVY, 1: TOO_LONG, 2: NO_WAY}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trucks": 0}, "there are 0 trucks"),
        ({"days": 0}, "there are 0 days"),
        ({"shift_h": 0.0}, "a shift of 0 hours"),
        ({"capacity_kg": -1.0}, "a truck carries -1 kg"),
        ({"capacity_kg": 50.0}, "5 of them: its debris is more than a truck carries; take trucks"),
        ({"shift_h": 0.5}, "take longer than a shift; lengthen the shift"),
    ],
)
def test_crews_that_cannot_work_are_refused_in_words(changes: dict[str, float], words: str) -> None:
    place = town(5)
    with pytest.raises(InvalidInputError, match=words):
        plan_routes(place.stops, replace(CREWS, **changes), place.seconds)  # type: ignore[arg-type]


def test_columns_that_do_not_fit_are_refused_together() -> None:
    place = town(3)
    wrong = Stops(place.stops.node, np.array([1.0, -2.0, 3.0]), np.array([np.nan, 1.0, 1.0]), np.ones(2))
    with pytest.raises(
        InvalidInputError, match=r"4 faults[^|]*load_kg[^|]*service_min[^|]*worth[^|]*seconds"
    ):
        plan_routes(wrong, CREWS, place.seconds[:3])
    with pytest.raises(InvalidInputError, match="no basin is chosen"):
        plan_routes(place.part(0).stops, CREWS, place.part(0).seconds)
    with pytest.raises(InvalidInputError, match="too many for one plan"):
        plan_routes(Stops(np.zeros(2001, np.int64), np.ones(2001), np.ones(2001)), CREWS, np.zeros((1, 1)))


def test_times_and_drives_are_those_of_the_network() -> None:
    network = RoadNetwork.from_streets(*grid(6, 5))
    node = np.array([0, 7, 7, 29])
    seconds = stop_seconds(network, node, depot=14, dump=3)
    at = np.array([*node, 14, 3])
    assert np.allclose(seconds, travel_times(network, at)[:, at])
    stops = Stops(node, np.full(4, 100.0), np.full(4, 10.0))
    (day,) = plan_routes(stops, Crews(1, 1, 8.0, 1000.0), seconds).truck_days
    lines = drives(network, stops, day, depot=14, dump=3)
    assert len(lines) == len(day.stop) + 1
    ends = np.array([line.coords[-1] for line in lines])
    visited = [*(3 if stop == DUMP else node[stop] for stop in day.stop), 14]
    assert np.allclose(ends, np.column_stack([network.node_lon, network.node_lat])[visited])
    with pytest.raises(InvalidInputError, match="need a depot"):
        stop_seconds(network, node, depot=None)


def test_a_stop_on_an_island_is_left_out_and_snapping_goes_past_it() -> None:
    places = [(-90.07, 29.95), (-90.068, 29.95), (-90.066, 29.95), (-90.06, 29.95), (-90.0605, 29.95)]
    network = RoadNetwork.from_streets(
        *tables(places, [(0, 1, 200.0, False), (1, 2, 200.0, False), (3, 4, 50.0, False)])
    )
    assert network.snap(-90.06, 29.95)[0].tolist() == [2]
    stops = Stops(np.array([2, 3]), np.full(2, 100.0), np.full(2, 30.0))
    plan = plan_routes(stops, CREWS, stop_seconds(network, stops.node, depot=0))
    assert [(left.stop, left.why) for left in plan.left_out] == [(1, NO_WAY)]
    with pytest.raises(InvalidInputError, match="no way leads from the depot to the dump"):
        plan_routes(stops, CREWS, stop_seconds(network, stops.node, depot=0, dump=4))
