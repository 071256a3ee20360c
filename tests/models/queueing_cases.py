"""Queues worked out in plain ways of their own: Markov chains built call by call, and calls played."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
State = tuple[tuple[bool, ...], tuple[int, ...]]
"""Which units are busy, and the places of the calls that wait, longest first."""


@dataclass(frozen=True, eq=False)
class Case:
    arrival_rate: FloatArray
    preference: npt.NDArray[np.int64]
    service_rate: FloatArray
    queue: bool


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    most_units: int = 4,
    most_atoms: int = 5,
    queue: bool | None = None,
    most_waiting_load: float = 0.9,
) -> Case:
    """Draw random units and places; with a waiting line calls stay below what units can serve."""
    n_servers = draw(st.integers(1, most_units))
    n_atoms = draw(st.integers(1, most_atoms))
    service = np.array(draw(st.lists(st.floats(0.2, 3.0), min_size=n_servers, max_size=n_servers)))
    rate = np.array(draw(st.lists(st.just(0.0) | st.floats(0.01, 2.0), min_size=n_atoms, max_size=n_atoms)))
    rate[0] += 0.01
    line = draw(st.booleans()) if queue is None else queue
    load = draw(st.floats(0.02, most_waiting_load if line else 3.0))
    preference = [draw(st.permutations(range(n_servers))) for _ in range(n_atoms)]
    return Case(rate * load * service.sum() / rate.sum(), np.array(preference), service, line)


def steady_state(
    start: State, moves: Callable[[State], Iterator[tuple[float, State]]]
) -> tuple[list[State], FloatArray]:
    """Walk through all states from ``start`` and solve their balance, the sum in place of one equation."""
    number = {start: 0}
    rows = []
    pending = deque([start])
    while pending:
        source = pending.popleft()
        for rate, target in moves(source):
            if target not in number:
                number[target] = len(number)
                pending.append(target)
            rows.append((number[source], number[target], rate))
    generator = np.zeros((len(number), len(number)))
    for before, after, rate in rows:
        generator[before, after] += rate
        generator[before, before] -= rate
    equations = generator.T
    equations[0] = 1.0
    return list(number), np.linalg.solve(equations, np.eye(len(number))[0])


@dataclass(frozen=True, eq=False)
class Answer:
    workload: FloatArray
    dispatch: FloatArray
    busy: FloatArray
    all_busy: float
    mean_waiting_calls: float


def by_hand(case: Case, *, longest_line: int) -> Answer:
    """Solve the chain whose state names the busy units and the place of each waiting call.

    Calls beyond ``longest_line`` are lost, so the answer is that of an endless line only where so long a line
    is all but impossible.
    """
    n_servers = len(case.service_rate)

    def moves(state: State) -> Iterator[tuple[float, State]]:
        for rate, target, _, _ in _events(case, state, longest_line):
            yield rate, target

    empty: State = ((False,) * n_servers, ())
    states, chance = steady_state(empty, moves)
    sent = np.zeros((len(case.arrival_rate), n_servers))
    for state, probability in zip(states, chance, strict=True):
        for rate, _, atom, unit in _events(case, state, longest_line):
            if atom is not None and unit is not None:
                sent[atom, unit] += probability * rate
    busy = np.zeros(n_servers + 1)
    for (units, _), probability in zip(states, chance, strict=True):
        busy[sum(units)] += probability
    workload = sum(p * np.array(units, dtype=float) for (units, _), p in zip(states, chance, strict=True))
    with np.errstate(invalid="ignore"):
        dispatch = sent / case.arrival_rate[:, None]
    line = sum(p * len(waiting) for (_, waiting), p in zip(states, chance, strict=True))
    return Answer(np.asarray(workload), dispatch, busy, float(busy[-1]), float(line))


def _events(
    case: Case, state: State, longest_line: int
) -> Iterator[tuple[float, State, int | None, int | None]]:
    """Rate, next state, and which place's call a unit starts on (if any) of all that may happen."""
    units, waiting = state
    for atom, rate in enumerate(case.arrival_rate):
        if rate == 0:
            continue
        free = [unit for unit in case.preference[atom] if not units[unit]]
        if free:
            yield rate, (_with(units, free[0], busy=True), waiting), atom, int(free[0])
        elif case.queue and len(waiting) < longest_line:
            yield rate, (units, (*waiting, atom)), None, None
    for unit, rate in enumerate(case.service_rate):
        if units[unit] and waiting:
            yield rate, (units, waiting[1:]), waiting[0], unit
        elif units[unit]:
            yield rate, (_with(units, unit, busy=False), waiting), None, None


def _with(units: tuple[bool, ...], unit: int, *, busy: bool) -> tuple[bool, ...]:
    return (*units[:unit], busy, *units[unit + 1 :])


@dataclass(frozen=True, eq=False)
class Played:
    atom: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]
    wait: FloatArray


def play(case: Case, n_calls: int, seed: int) -> Played:
    """Play calls one after the other: first free unit of the list, else first come, first served."""
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1 / case.arrival_rate.sum(), n_calls))
    atoms = random.choice(len(case.arrival_rate), n_calls, p=case.arrival_rate / case.arrival_rate.sum())
    ends: list[tuple[float, int]] = []
    busy = [False] * len(case.service_rate)
    waiting: deque[int] = deque()
    unit_of, started = np.full(n_calls, -1), np.full(n_calls, np.nan)

    def start(call: int, unit: int, at: float) -> None:
        busy[unit] = True
        unit_of[call], started[call] = unit, at
        heapq.heappush(ends, (at + random.exponential(1 / case.service_rate[unit]), unit))

    for call, (arrival, atom) in enumerate(zip(arrivals, atoms, strict=True)):
        while ends and ends[0][0] <= arrival:
            end, unit = heapq.heappop(ends)
            busy[unit] = False
            if waiting:
                start(waiting.popleft(), unit, end)
        free = [unit for unit in case.preference[atom] if not busy[unit]]
        if free:
            start(call, int(free[0]), arrival)
        elif case.queue:
            waiting.append(call)
    return Played(atoms, unit_of, started - arrivals)
