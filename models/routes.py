"""Truck-days: which crew cleans which basins in what order, with trips to the dump, hours and capacity kept.

Every basin stands in one truck-day or among those left out, with the reason. The search is
`models.route_solver`; here its order of stops is timed anew from the matrix, stop by stop, and refused where
it breaks a rule, so that no figure rests on the solver's word. docs/methods/routes.md has the measurements.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError, SolverError
from geo.network import RoadNetwork
from geo.paths import fastest_path_lines
from geo.travel_time import travel_times
from models.route_solver import DUMP, OnStep, Problem, Tour, solve, solve_apart

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MOST_STOPS = 2000
"""More are some 250 truck-days: the list will have changed before the last of them."""
NODES_AT_ONCE = 256
NEVER = int(np.iinfo(np.uint32).max)
NO_WAY = "no way there and back by street"
TOO_HEAVY = "its debris is more than a truck carries"
TOO_LONG = "there, the work, the dump and back take longer than a shift"
NO_ROOM = "no truck-day has room for it"
REMEDY = {
    NO_WAY: "open streets, or move the depot or the dump",
    TOO_HEAVY: "take trucks that carry more",
    TOO_LONG: "lengthen the shift",
}
__all__ = ("DUMP", "Crews", "LeftOut", "Routes", "Stops", "TruckDay", "drives", "plan_routes", "stop_seconds")


@dataclass(frozen=True, eq=False)
class Stops:
    """Basins to clean, one row each.

    Attributes
    ----------
    node
        (n,) node of the network, of the kept component (`RoadNetwork.snap`).
    load_kg, service_min
        (n,) debris expected, and minutes at the basin.
    worth
        (n,) what cleaning it gains, any unit; decides what is left out and which truck-days come first. None:
        all alike.
    """

    node: IntArray
    load_kg: FloatArray
    service_min: FloatArray
    worth: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.node)


@dataclass(frozen=True)
class Crews:
    """What there is to work with.

    Attributes
    ----------
    trucks, days
        Trucks that work on each of so many days.
    shift_h
        Hours from leaving the depot to being back, without breaks.
    capacity_kg
        Debris that a truck carries.
    dump_min
        Minutes at the dump, each time. A truck is emptied before it comes home.
    """

    trucks: int
    days: int
    shift_h: float
    capacity_kg: float
    dump_min: float = 20.0

    @property
    def truck_days(self) -> int:
        """Shifts to plan for."""
        return self.trucks * self.days


@dataclass(frozen=True, eq=False)
class TruckDay:
    """One truck on one day.

    Attributes
    ----------
    day, truck
        From 0.
    stop
        (k,) row of `Stops` in order, `DUMP` for a trip to the dump.
    arrive_s, leave_s
        (k,) whole seconds after the shift began.
    load_kg
        (k,) on board when leaving.
    driving_s, end_s
        Seconds on the road, and when the truck is back.
    """

    day: int
    truck: int
    stop: IntArray
    arrive_s: IntArray
    leave_s: IntArray
    load_kg: FloatArray
    driving_s: int
    end_s: int

    @property
    def basins(self) -> IntArray:
        """Rows of `Stops` in order, without the dump."""
        basins: IntArray = self.stop[self.stop != DUMP]
        return basins

    @property
    def name(self) -> str:
        """Tell truck-days apart."""
        return f"Day {self.day + 1}, truck {self.truck + 1}"


@dataclass(frozen=True)
class LeftOut:
    """A basin that is in no truck-day, and why."""

    stop: int
    why: str


@dataclass(frozen=True, eq=False)
class Routes:
    """A plan: each of the stops is in one truck-day or left out.

    Attributes
    ----------
    truck_days
        By day and truck.
    left_out
        The rest, with reasons.
    seconds
        (n + 2, n + 2) whole seconds, rounded up, between stops, depot and dump: what the times rest on.
    """

    truck_days: tuple[TruckDay, ...]
    left_out: tuple[LeftOut, ...]
    seconds: IntArray

    @property
    def driving_h(self) -> float:
        """Hours on the road, all truck-days."""
        return sum(day.driving_s for day in self.truck_days) / 3600

    @property
    def total_h(self) -> float:
        """Hours from leaving the depot to being back, all truck-days."""
        return sum(day.end_s for day in self.truck_days) / 3600


def stop_seconds(
    network: RoadNetwork,
    node: IntArray,
    *,
    depot: int | None,
    dump: int | None = None,
    closed: BoolArray | None = None,
    speed_factor: float | npt.ArrayLike = 1.0,
) -> FloatArray:
    """Seconds to drive between stops, depot and dump: (n + 2, n + 2), in that order.

    Parameters
    ----------
    node
        (n,) nodes of the stops.
    depot, dump
        Nodes; a dump of None is at the depot.
    closed, speed_factor
        As in `geo.travel_time.travel_times`.

    Returns
    -------
    seconds
        Infinite where no way leads, such as to an island of the network.

    Raises
    ------
    InvalidInputError
        If there is no depot, or a place is not a node.
    """
    if depot is None:
        raise InvalidInputError(
            "The trucks need a depot to start from and come home to: name one in city.toml"
        )
    places = np.concatenate([np.asarray(node, np.int64), [depot, depot if dump is None else dump]])
    distinct, row = np.unique(places, return_inverse=True)
    parts = [
        travel_times(network, some, closed=closed, speed_factor=speed_factor)[:, distinct]
        for some in np.array_split(distinct, -(-len(distinct) // NODES_AT_ONCE))
    ]
    return np.concatenate(parts)[np.ix_(row, row)].astype(np.float64)


def plan_routes(
    stops: Stops,
    crews: Crews,
    seconds: FloatArray,
    *,
    apart: bool = False,
    on_step: OnStep | None = None,
) -> Routes:
    """Route the stops.

    As much worth as fits comes first, then as many stops, then as little driving. The truck-days of most
    worth a stop come first.

    Parameters
    ----------
    seconds
        From `stop_seconds`.
    apart
        Search in a process of its own: for a server, which would stand still meanwhile.
    on_step
        Called with the share done, from 0 to 1; what it raises ends the search.

    Raises
    ------
    InvalidInputError
        With every fault; also where not one of the basins could be cleaned, with the reasons.
    SolverError
        If the search ends without a plan that keeps the rules.
    """
    _check(stops, crews, seconds)
    n = len(stops)
    worth = np.zeros(n) if stops.worth is None else np.asarray(stops.worth, np.float64)
    # All is rounded up, so that no shift and no truck is overfull by a rounding.
    problem = Problem(
        np.where(np.isfinite(seconds), np.ceil(seconds), NEVER).astype(np.int64),
        np.ceil(np.asarray(stops.service_min, np.float64) * 60).astype(np.int64),
        np.ceil(np.asarray(stops.load_kg, np.float64) * 1000).astype(np.int64),
        _priority(worth),
        crews.truck_days,
        int(crews.capacity_kg * 1000),
        int(crews.shift_h * 3600),
        int(np.ceil(crews.dump_min * 60)),
    )
    why = _hopeless(problem)
    can = np.flatnonzero(why == "")
    if not len(can):
        faults = Faults()
        for reason in np.unique(why).tolist():
            faults.add(f"{int((why == reason).sum())} of them: {reason}; {REMEDY[reason]}")
        faults.raise_as(InvalidInputError, f"None of the {n} basins can be cleaned by these crews")
    found = (solve_apart if apart else solve)(problem.part(can, crews.truck_days), on_step=on_step)
    tours = [tuple(stop if stop == DUMP else int(can[stop]) for stop in tour) for tour in found]
    tours.sort(key=lambda tour: (-worth[_basins(tour)].mean(), tour))
    days = tuple(_timed(problem, tour, *divmod(at, crews.trucks)) for at, tour in enumerate(tours))
    _refuse_broken(problem, days)
    why[np.setdiff1d(can, [stop for tour in tours for stop in tour])] = NO_ROOM
    left = tuple(LeftOut(int(stop), str(why[stop])) for stop in np.flatnonzero(why != ""))
    return Routes(days, left, problem.seconds)


def drives(
    network: RoadNetwork,
    stops: Stops,
    truck_day: TruckDay,
    *,
    depot: int,
    dump: int | None = None,
    closed: BoolArray | None = None,
    speed_factor: float | npt.ArrayLike = 1.0,
) -> npt.NDArray[np.object_]:
    """Lines of a truck-day's drives, in degrees: (k + 1,), to each of its stops and home.

    A drive between two stops at one corner is a line of no length. The arguments are those of `stop_seconds`.
    """
    at_dump = depot if dump is None else dump
    place = np.array(
        [depot, *(at_dump if stop == DUMP else stops.node[stop] for stop in truck_day.stop), depot], np.int64
    )
    return fastest_path_lines(network, place[:-1], place[1:], closed=closed, speed_factor=speed_factor)


def _basins(tour: Tour) -> IntArray:
    return np.array([stop for stop in tour if stop != DUMP], np.int64)


def _priority(worth: FloatArray) -> IntArray:
    """0 to 100 in proportion to the worth, as VROOM takes it; all 0 where all are alike."""
    low, high = float(worth.min()), float(worth.max())
    if high <= low:
        return np.zeros(len(worth), np.int64)
    return np.rint(100 * (worth - min(low, 0.0)) / (high - min(low, 0.0))).astype(np.int64)


def _hopeless(problem: Problem) -> npt.NDArray[np.object_]:
    """(n,) why a stop cannot be cleaned even by a truck of its own; "" where it can."""
    n, ways = len(problem.service_s), problem.seconds
    needed = ways[n, :n] + problem.service_s + ways[:n, n + 1] + problem.dump_s + ways[n + 1, n]
    why = np.full(n, "", object)
    why[needed > problem.shift_s] = TOO_LONG
    why[problem.load_g > problem.capacity_g] = TOO_HEAVY
    why[(ways[n, :n] == NEVER) | (ways[:n, n + 1] == NEVER)] = NO_WAY
    return why


def _timed(problem: Problem, tour: Tour, day: int, truck: int) -> TruckDay:
    """Go through a tour with a watch and a scale."""
    n = len(problem.service_s)
    at, clock, load, driving = n, 0, 0, 0
    arrive, leave, on_board = [], [], []
    for stop in tour:
        place = n + 1 if stop == DUMP else stop
        leg = int(problem.seconds[at, place])
        driving, at = driving + leg, place
        arrive.append(clock + leg)
        clock += leg + (problem.dump_s if stop == DUMP else int(problem.service_s[stop]))
        load = 0 if stop == DUMP else load + int(problem.load_g[stop])
        leave.append(clock)
        on_board.append(load)
    home = int(problem.seconds[at, n])
    return TruckDay(
        day,
        truck,
        np.array(tour, np.int64),
        np.array(arrive, np.int64),
        np.array(leave, np.int64),
        np.array(on_board) / 1000,
        driving + home,
        clock + home,
    )


def _refuse_broken(problem: Problem, days: tuple[TruckDay, ...]) -> None:
    faults = Faults()
    seen = np.concatenate([np.zeros(0, np.int64), *(day.basins for day in days)])
    faults.check(len(np.unique(seen)) == len(seen), "a basin stands in two truck-days")
    faults.check(len(days) <= problem.truck_days, "there are more truck-days than asked for")
    for day in days:
        faults.check(day.end_s <= problem.shift_s, f"{day.name} ends after its shift")
        faults.check((day.load_kg * 1000 <= problem.capacity_g).all(), f"{day.name} is overloaded")
        faults.check(day.stop[-1] == DUMP, f"{day.name} comes home full")
    faults.raise_as(SolverError, "The routes break a rule, which is an error of the search")


def _faults_of_columns(stops: Stops) -> Iterator[str]:
    n = len(stops)
    columns = {"load_kg": stops.load_kg, "service_min": stops.service_min}
    if stops.worth is not None:
        columns["worth"] = stops.worth
    for name, values in columns.items():
        if np.shape(values) != (n,):
            yield f"{name} must hold one number for each of the {n} basins"
        elif not np.isfinite(values).all():
            yield f"{name} must be finite; mend {int((~np.isfinite(values)).sum())} of its values"
        elif name != "worth" and (np.asarray(values) < 0).any():
            yield f"{name} must be 0 or more; mend {int((np.asarray(values) < 0).sum())} of its values"


def _check(stops: Stops, crews: Crews, seconds: FloatArray) -> None:
    n = len(stops)
    faults = Faults()
    faults.check(n, "no basin is chosen; choose some first")
    faults.check(
        n <= MOST_STOPS, f"{n:,} basins are too many for one plan; route at most {MOST_STOPS:,}, a few weeks"
    )
    faults.extend(_faults_of_columns(stops))
    for name, value in {"trucks": crews.trucks, "days": crews.days}.items():
        faults.check(
            value >= 1 and int(value) == value, f"there are {value} {name}; give a whole number from 1 up"
        )
    faults.check(0 < crews.shift_h <= 24, f"a shift of {crews.shift_h:g} hours; give hours above 0, to 24")
    faults.check(
        0 < crews.capacity_kg < np.inf, f"a truck carries {crews.capacity_kg:g} kg; give more than 0"
    )
    faults.check(0 <= crews.dump_min < np.inf, f"{crews.dump_min:g} minutes at the dump; give 0 or more")
    faults.check(
        np.shape(seconds) == (n + 2, n + 2)
        and not np.isnan(seconds).any()
        and (np.asarray(seconds) >= 0).all(),
        f"seconds must be 0 or more between all {n} basins, the depot and the dump",
    )
    faults.raise_as(InvalidInputError, "The trucks cannot be routed")
    faults.check(
        np.isfinite(seconds[n, n + 1] + seconds[n + 1, n]),
        "no way leads from the depot to the dump and back; check their places, and closed streets",
    )
    faults.raise_as(InvalidInputError, "The trucks cannot be routed")
