"""Busy units: who answers when the nearest one is out, how long calls wait, how many units are free.

The hypercube model (Larson 1974, Computers & Operations Research 1, 67-95) takes calls as a Poisson stream
from each place and time on a call as exponential, and sends the first free unit of the place's list. It holds
in a steady state: for hours in which calls and units stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.queueing_approx import approximate
from models.queueing_exact import StateSpace
from models.queueing_inputs import (
    EXACT_UNITS,
    FloatArray,
    QueueInputs,
    checked_inputs,
    preference_by_time,
)

__all__ = (
    "EXACT_UNITS",
    "Hypercube",
    "erlang_b",
    "erlang_c",
    "hypercube",
    "hypercube_approx",
    "hypercube_by_band",
    "hypercube_for",
    "preference_by_time",
)


@dataclass(frozen=True, eq=False)
class Hypercube:
    """Steady state of units that answer calls. Times are in the unit of time of the rates.

    Attributes
    ----------
    workload
        (n_servers,) share of time each unit is busy.
    dispatch
        (n_atoms, n_servers) share of all calls of a place that each unit answers, at once or after a wait. A
        row sums to one with a waiting line, and to one less ``lost`` without. A place without calls has the
        shares that a call from it would have. Calls sent equal calls served:
        ``arrival_rate @ dispatch == workload * service_rate``.
    immediate
        (n_atoms, n_servers) the part of ``dispatch`` that is sent at once. A row sums to one less ``waiting``
        or ``lost``.
    busy
        (n_servers + 1,) probability that 0, 1, ... all units are busy.
    waiting
        Probability that a call finds all units busy and waits; 0 where calls are lost.
    lost
        Probability that a call finds all units busy and is lost; 0 where calls wait.
    mean_wait
        Mean wait for a unit to come free, over all answered calls.
    wait_rate
        The wait of a call that waits is exponential with this rate; NaN where calls are lost.
    residual
        Exact: largest difference between inflow and outflow of a state, as a part of the rate of all events.
        Approximate: largest difference between calls sent to a unit and calls it serves, as a part of all.
    method
        ``"exact"`` or ``"approximate"``.
    state
        (2 ** n_servers,) probability of each set of busy units, unit i by bit i of the number; the last one
        holds the waiting line, too. None where approximate.
    """

    workload: FloatArray
    dispatch: FloatArray
    immediate: FloatArray
    busy: FloatArray
    waiting: float
    lost: float
    mean_wait: float
    wait_rate: float
    residual: float
    method: Literal["exact", "approximate"]
    state: FloatArray | None = None

    @property
    def free(self) -> FloatArray:
        """(n_servers + 1,) probability that 0, 1, ... all units are free: weights of a compliance table."""
        return self.busy[::-1]


def hypercube(
    arrival_rate: npt.ArrayLike,
    preference: npt.ArrayLike,
    service_rate: npt.ArrayLike,
    *,
    queue: bool,
    same_post: Sequence[object] | None = None,
) -> Hypercube:
    """Solve the hypercube exactly for up to 12 units.

    Every set of busy units is a state. A call takes the first free unit of its place's list; a unit that is
    freed goes back to its post. With a waiting line (first come, first served) the line stands only at the
    state of all busy, whatever the units' own rates: a unit that is freed there takes the longest-waiting
    call at once, so the same units stay busy. Above that state lie ``p, p r, p r^2, ...`` with ``r = calls /
    capacity``, capacity the sum of all service rates. The states below therefore balance as they do without
    a line, the line adds ``p r / (1 - r)`` to the state of all busy, and a waiting call is taken by unit i
    with probability ``service_rate[i] / capacity``, from whatever place it comes.

    Parameters
    ----------
    arrival_rate
        (n_atoms,) calls from each place in a unit of time, zero or more.
    preference
        (n_atoms, n_servers) 0-based unit numbers, best first, each once in every row.
    service_rate
        Calls that a unit finishes in that time while it is busy (one over the mean time on a call, with
        travel): one number, or (n_servers,).
    queue
        True: calls wait without limit when all units are busy. False: such calls are lost to others.
    same_post
        One label a unit; units with the same label stand at one post. The post is asked where its best unit
        stands in a row, and a call there takes any of its free units alike. Without it each unit stands alone
        and rows are followed to the letter.

    Raises
    ------
    InvalidInputError
        With all faults: rates negative or not finite, no calls, a row of preferences that is no permutation,
        shapes that do not fit, more than 12 units, or with a waiting line more calls than units can serve.

    Examples
    --------
    >>> two = hypercube([1.0], [[0, 1]], 1.0, queue=False)
    >>> [round(float(share), 3) for share in two.workload], round(two.lost, 3)
    ([0.5, 0.3], 0.2)
    """
    inputs = checked_inputs(
        arrival_rate, preference, service_rate, queue=queue, same_post=same_post, most_units=EXACT_UNITS
    )
    space = StateSpace(inputs)
    balance = space.solve()
    state = balance.state.copy()
    if queue:
        state[-1] /= 1 - inputs.calls / inputs.capacity
        state /= state.sum()
    workload = state @ ~space.free
    busy = np.bincount(space.busy_units, state).astype(np.float64, copy=False)
    return _result(
        inputs, workload, space.shares(state), busy, residual=balance.residual, method="exact", state=state
    )


def hypercube_approx(
    arrival_rate: npt.ArrayLike,
    preference: npt.ArrayLike,
    service_rate: npt.ArrayLike,
    *,
    queue: bool,
    same_post: Sequence[object] | None = None,
) -> Hypercube:
    """Approximate the hypercube for any number of units.

    Larson's correction factors Q (1975, Operations Research 23, 845-868) with a rate for each unit (Jarvis
    1985, Management Science 31, 235-239) and with a waiting line, which serves as in `hypercube`. Co-located
    units are averaged over all orders of a post's units. Workloads differ from the exact ones by about 0.01
    and seldom by more than 0.03; the number of busy units is exact where all rates are equal (Erlang).

    Parameters, result and errors are those of `hypercube`, without its limit of units. It also raises
    InvalidInputError when the iteration does not settle.
    """
    inputs = checked_inputs(arrival_rate, preference, service_rate, queue=queue, same_post=same_post)
    found = approximate(inputs)
    return _result(
        inputs,
        found.workload,
        found.immediate,
        found.busy,
        residual=found.residual,
        method="approximate",
        state=None,
    )


def hypercube_for(
    arrival_rate: npt.ArrayLike,
    preference: npt.ArrayLike,
    service_rate: npt.ArrayLike,
    *,
    queue: bool,
    same_post: Sequence[object] | None = None,
) -> Hypercube:
    """Solve exactly up to 12 units, approximate beyond; ``method`` of the result says which."""
    columns = np.shape(preference)[1] if np.ndim(preference) == 2 else 0
    model = hypercube if columns <= EXACT_UNITS else hypercube_approx
    return model(arrival_rate, preference, service_rate, queue=queue, same_post=same_post)


def hypercube_by_band(
    arrival_rate: npt.ArrayLike,
    preference: npt.ArrayLike,
    service_rate: npt.ArrayLike,
    *,
    queue: bool,
    same_post: Sequence[object] | None = None,
) -> tuple[Hypercube, ...]:
    """Solve each band of hours on its own, as if it lasted long enough to be steady.

    This is the pointwise stationary approximation (Green and Kolesar 1991, Management Science 37, 84-97). It
    is good where calls take much less time than a band lasts; it misses the line that one band leaves to the
    next.

    Parameters
    ----------
    arrival_rate
        (n_bands, n_atoms) calls from each place in a unit of time of the band.
    preference
        (n_atoms, n_servers) for all bands, or (n_bands, n_atoms, n_servers).
    service_rate, queue, same_post
        As in `hypercube`, the same for all bands. Bands with other units are other calls of `hypercube_for`.

    Raises
    ------
    InvalidInputError
        With the faults of every band, named by its number from 0.
    """
    rates = np.asarray(arrival_rate, dtype=np.float64)
    ranked = np.asarray(preference)
    shaped = Faults()
    shaped.check(rates.ndim == 2 and len(rates), "arrival_rate must be bands by places, at least one band")
    shaped.check(
        ranked.ndim == 2 or (ranked.ndim == 3 and len(ranked) == len(rates)),
        "preference must be places by units, or bands by places by units",
    )
    shaped.raise_as(InvalidInputError, "The bands cannot be worked out")
    faults = Faults()
    found = []
    for band, rate in enumerate(rates):
        order = ranked if ranked.ndim == 2 else ranked[band]
        try:
            found.append(hypercube_for(rate, order, service_rate, queue=queue, same_post=same_post))
        except InvalidInputError as error:
            faults.add(f"band {band}: {error}")
    faults.raise_as(InvalidInputError, "The bands cannot be worked out")
    return tuple(found)


def erlang_b(servers: npt.ArrayLike, load: npt.ArrayLike) -> FloatArray:
    """Share of calls that find all of ``servers`` busy when such calls are lost.

    Erlang 1917 by the recursion ``B(k) = a B(k-1) / (k + a B(k-1))`` from ``B(0) = 1``, which neither
    overflows nor cancels. It holds for any distribution of the time on a call.

    Parameters
    ----------
    servers
        Whole numbers of units, zero or more, any shape.
    load
        Offered load in erlangs: calls in a unit of time by mean time on a call, zero or more. Broadcast
        against ``servers``.

    Raises
    ------
    InvalidInputError
        With all faults: a number of units that is negative or not whole, a load negative or not finite.
    """
    units, offered = _erlang_inputs(servers, load)
    blocked = np.ones(units.shape)
    found = blocked.copy()
    for k in range(1, int(units.max(initial=0)) + 1):
        blocked = offered * blocked / (k + offered * blocked)
        found = np.where(units == k, blocked, found)
    return found


def erlang_c(servers: npt.ArrayLike, load: npt.ArrayLike) -> FloatArray:
    """Share of calls that wait when calls wait without limit: ``B / (1 - a / N * (1 - B))`` (Erlang 1917).

    Parameters are those of `erlang_b`; times on a call are exponential.

    Raises
    ------
    InvalidInputError
        As `erlang_b`, and where the load is not below the number of units: the line then grows without end.
    """
    units, offered = _erlang_inputs(servers, load)
    if (offered >= units).any():
        at = np.argmax((offered >= units).ravel())
        raise InvalidInputError(
            f"A load of {offered.ravel()[at]:g} erlangs on {units.ravel()[at]:g} unit(s) makes the waiting "
            "line grow without end; add units or shorten the time on a call"
        )
    lost = erlang_b(units, offered)
    return np.asarray(lost / (1 - offered / units * (1 - lost)))


def _erlang_inputs(servers: npt.ArrayLike, load: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    units, offered = np.asarray(servers, dtype=np.float64), np.asarray(load, dtype=np.float64)
    faults = Faults()
    whole = np.isfinite(units).all() and (units >= 0).all() and (units == np.floor(units)).all()
    faults.check(whole, "the number of units must be whole and zero or more")
    fine = np.isfinite(offered).all() and (offered >= 0).all()
    faults.check(fine, "the load must be finite and zero or more erlangs")
    faults.raise_as(InvalidInputError, "Erlang's formula cannot be worked out")
    units, offered = np.broadcast_arrays(units, offered)
    return units, offered


def _result(
    inputs: QueueInputs,
    workload: FloatArray,
    immediate: FloatArray,
    busy: FloatArray,
    *,
    residual: float,
    method: Literal["exact", "approximate"],
    state: FloatArray | None,
) -> Hypercube:
    """Add what follows from the probability that all units are busy."""
    all_busy = float(busy[-1])
    line = inputs.queue
    wait_rate = inputs.capacity - inputs.calls if line else np.nan
    from_line = all_busy * inputs.service_rate / inputs.capacity
    return Hypercube(
        workload=workload,
        dispatch=immediate + from_line if line else immediate,
        immediate=immediate,
        busy=busy,
        waiting=all_busy if line else 0.0,
        lost=0.0 if line else all_busy,
        mean_wait=all_busy / wait_rate if line else 0.0,
        wait_rate=wait_rate,
        residual=residual,
        method=method,
        state=state,
    )
