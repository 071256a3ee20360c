"""Truck-days by VROOM: the search itself, over whole seconds, grams and stop numbers.

Each basin is picked up where it lies and delivered at the dump, so that trips to the dump are part of the one
problem (pickup and delivery with capacity and shift hours), not an afterthought. A first solution of the
whole problem is then bettered in groups of neighboring truck-days, each solved anew by VROOM with more
patience than the whole could get (POPMUSIC, Taillard and Voss 2002, in *Essays and Surveys in
Metaheuristics*). VROOM stops at its own depth and never at a clock, so the same problem gives the same tours.

It holds the interpreter while it searches: a server must call `solve_apart`, which runs it in a process of
its own.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from errors import SolverError

if TYPE_CHECKING:
    import vroom

IntArray = npt.NDArray[np.int64]
Tour = tuple[int, ...]
"""Stops of a truck-day in order, ``DUMP`` for a trip to the dump."""
OnStep = Callable[[float], None]

DUMP = -1
THREADS = 2
"""The tours do not depend on it."""
WHOLE_LEVELS = ((120, 5), (480, 1))
"""VROOM's exploration level for the whole problem, by the most stops it is used for; above these 0."""
GROUP_STOPS, GROUP_LEVEL = 32, 2
"""Stops of truck-days that are solved anew together, about four truck-days, and how thoroughly."""
SPARE_STOPS = 12
"""Stops left out so far that are offered to each group."""
SOLVES_A_TOUR = 3
"""The search ends after so many groups for each truck-day of the first solution."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be routed.

    Attributes
    ----------
    seconds
        (n + 2, n + 2) whole seconds between the stops, the depot (row n) and the dump (row n + 1).
    service_s, load_g, priority
        (n,) seconds at each stop, grams taken there, and 0 to 100: what goes first where not all fits.
    truck_days, capacity_g, shift_s, dump_s
        How many, grams a truck holds, seconds of a shift, seconds at the dump.
    """

    seconds: IntArray
    service_s: IntArray
    load_g: IntArray
    priority: IntArray
    truck_days: int
    capacity_g: int
    shift_s: int
    dump_s: int

    def part(self, stops: IntArray, truck_days: int) -> "Problem":
        """Keep these stops only, renumbered in their order."""
        n = len(self.service_s)
        at = np.concatenate([stops, [n, n + 1]])
        return Problem(
            self.seconds[np.ix_(at, at)],
            self.service_s[stops],
            self.load_g[stops],
            self.priority[stops],
            truck_days,
            self.capacity_g,
            self.shift_s,
            self.dump_s,
        )

    def driving_s(self, tour: Tour) -> int:
        """Seconds on the road from the depot through the tour and back."""
        n = len(self.service_s)
        place = [n, *(n + 1 if stop == DUMP else stop for stop in tour), n]
        return int(self.seconds[place[:-1], place[1:]].sum())


def solve(problem: Problem, *, on_step: OnStep | None = None) -> tuple[Tour, ...]:
    """Find tours: as much priority as fits, then as many stops, then as little driving.

    Parameters
    ----------
    on_step
        Called with the share done, from 0 to 1; what it raises ends the search.

    Returns
    -------
    tours
        At most ``truck_days``, none empty; each ends at the dump. Stops in none of them did not fit.
    """
    n = len(problem.service_s)
    level = next((level for most, level in WHOLE_LEVELS if n <= most), 0)
    tours = solve_whole(problem, level=level)
    return _bettered(problem, tours, on_step or (lambda _: None))


def solve_whole(problem: Problem, *, level: int) -> tuple[Tour, ...]:
    """Find tours by VROOM alone, all in one problem, at an exploration level of 0 to 5."""
    steps = vroom_input(problem).solve(exploration_level=level, nb_threads=THREADS).routes
    if "id" not in steps:
        return ()
    vehicle, kind = steps["vehicle_id"].to_numpy(), steps["type"].astype(str).to_numpy()
    stop_of = steps["id"].to_numpy(dtype=np.int64, na_value=DUMP)
    tours = []
    for number in np.unique(vehicle):
        own = vehicle == number
        tours.append(_tour(zip(kind[own].tolist(), stop_of[own].tolist(), strict=True)))
    return tuple(tours)


def vroom_input(problem: Problem) -> "vroom.Input":
    """Put the problem to VROOM: basins are picked up where they lie and delivered at the dump."""
    import vroom

    n, vehicles = len(problem.service_s), min(problem.truck_days, len(problem.service_s))
    model = vroom.Input()
    model.set_durations_matrix("car", problem.seconds)
    model.add_vehicle(
        [
            vroom.Vehicle(
                number, start=n, end=n, time_window=(0, problem.shift_s), capacity=[problem.capacity_g]
            )
            for number in range(vehicles)
        ]
    )
    for stop in range(n):
        model.add_shipment(
            vroom.ShipmentStep(stop, location=stop, default_service=int(problem.service_s[stop])),
            # A setup is spent once a visit, however many loads are delivered there.
            vroom.ShipmentStep(stop, location=n + 1, default_setup=problem.dump_s),
            amount=vroom.Amount([int(problem.load_g[stop])]),
            priority=int(problem.priority[stop]),
        )
    return model


def _tour(steps: "zip[tuple[str, int]]") -> Tour:
    """Read one vehicle's steps: a visit to the dump empties the truck, and an empty truck need not go."""
    tour: list[int] = []
    for kind, stop in steps:
        if kind == "pickup":
            tour.append(stop)
        elif kind == "delivery" and tour[-1] != DUMP:
            tour.append(DUMP)
    return tuple(tour)


def _bettered(problem: Problem, first: Sequence[Tour], on_step: OnStep) -> tuple[Tour, ...]:
    """Solve neighboring truck-days anew until no group around any of them gets better."""
    tours = dict(enumerate(first))
    left = np.setdiff1d(np.arange(len(problem.service_s)), [stop for tour in first for stop in tour])
    waiting = list(tours)
    most, share = SOLVES_A_TOUR * len(first), 0.0
    for done in range(most):
        share = max(share, done / most, 1 - len(waiting) / len(first))
        on_step(share)
        if not waiting or (len(tours) == 1 and not len(left)):
            break
        group = _around(problem, tours, waiting.pop(0))
        held = _stops([tours[number] for number in group])
        near = left[np.argsort(problem.seconds[np.ix_(held, left)].min(axis=0), kind="stable")][:SPARE_STOPS]
        asked = np.sort(np.concatenate([held, near]))
        part = problem.part(asked, len(group) + min(problem.truck_days - len(tours), 1))
        found = [
            tuple(stop if stop == DUMP else int(asked[stop]) for stop in tour)
            for tour in solve_whole(part, level=GROUP_LEVEL)
        ]
        if _worth(problem, found) <= _worth(problem, [tours[number] for number in group]):
            continue
        left = np.setdiff1d(np.concatenate([left, held]), _stops(found))
        new = max(tours) + 1
        for number in group:
            del tours[number]
        tours |= dict(enumerate(found, start=new))
        waiting = [number for number in waiting if number in tours] + list(range(new, new + len(found)))
    on_step(1.0)
    return tuple(tours.values())


def _around(problem: Problem, tours: dict[int, Tour], seed: int) -> list[int]:
    """Give the tour and those nearest to it, up to ``GROUP_STOPS`` stops together."""
    own = _stops([tours[seed]])
    away = {
        number: float(problem.seconds[np.ix_(own, _stops([tour]))].min(axis=1).mean())
        for number, tour in tours.items()
        if number != seed
    }
    group, stops = [seed], len(own)
    for number in sorted(away, key=lambda number: (away[number], number)):
        stops += len(_stops([tours[number]]))
        if stops > GROUP_STOPS and len(group) > 1:
            break
        group.append(number)
    return group


def _stops(tours: Sequence[Tour]) -> IntArray:
    return np.array([stop for tour in tours for stop in tour if stop != DUMP], np.int64)


def _worth(problem: Problem, tours: Sequence[Tour]) -> tuple[int, int, int]:
    """Rank a solution as VROOM does: by priority, then stops, then less driving."""
    stops = _stops(tours)
    return int(problem.priority[stops].sum()), len(stops), -sum(problem.driving_s(tour) for tour in tours)


def solve_apart(problem: Problem, *, on_step: OnStep | None = None) -> tuple[Tour, ...]:
    """`solve` in a process of its own, so that a server goes on meanwhile; it costs about a second more.

    Raises
    ------
    SolverError
        If the process ends without tours.
    """
    names = ("seconds", "service_s", "load_g", "priority")
    whole = ("truck_days", "capacity_g", "shift_s", "dump_s")
    packed = BytesIO()
    np.savez(
        packed,
        **{name: getattr(problem, name) for name in names},
        whole=np.array([getattr(problem, name) for name in whole]),
    )
    with TemporaryFile() as told, TemporaryFile() as asked:
        asked.write(packed.getvalue())
        asked.seek(0)
        with subprocess.Popen(  # noqa: S603, our own module, nothing of the user's in its arguments
            [sys.executable, "-m", __name__],
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=told,
            cwd=Path(__file__).parents[1],
            text=True,
        ) as process:
            found = None
            try:
                for line in process.stdout or ():
                    said = json.loads(line)
                    if isinstance(said, list):
                        found = tuple(tuple(tour) for tour in said)
                    elif on_step is not None:
                        on_step(said)
            finally:
                process.kill()
        if found is None:
            told.seek(0)
            last = told.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise SolverError(f"The routes were not found: the search ended early ({last or 'no words'})")
    return found


def _main() -> None:
    """Read a problem from standard input; write shares done, then the tours, a line each."""
    with np.load(BytesIO(sys.stdin.buffer.read())) as packed:
        arrays = [packed[name] for name in ("seconds", "service_s", "load_g", "priority")]
        problem = Problem(*arrays, *packed["whole"].tolist())

    def tell(said: object) -> None:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    tell(solve(problem, on_step=tell))


if __name__ == "__main__":
    _main()
