"""Whom a plan reaches in time when units may be busy: dispatch shares of a queue model over travel times."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.queueing import Hypercube

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BusyCoverage:
    """What a plan reaches with units that may be busy.

    Attributes
    ----------
    share
        Share of all calls that a unit reaches within the budget, waiting for a unit included. A lost call is
        not reached.
    by_atom
        (n_atoms,) the same for each place.
    all_free_share
        The share if every unit were always free: what plain coverage counts.
    mean_travel_s
        Mean seconds of travel of answered calls; infinite where a unit is sent that cannot come.
    mean_response_s
        The same with the wait for a unit.
    lost, waiting
        Share of calls that find all units busy and are lost, or wait.
    unreachable
        Share of all calls to which a unit is sent that cannot come (infinite travel time).
    """

    share: float
    by_atom: FloatArray
    all_free_share: float
    mean_travel_s: float
    mean_response_s: float
    lost: float
    waiting: float
    unreachable: float


def busy_coverage(
    result: Hypercube,
    arrival_rate: npt.ArrayLike,
    travel_s: npt.ArrayLike,
    budget_s: float,
    *,
    time_unit_s: float = 3600.0,
) -> BusyCoverage:
    """Share of calls within the budget and mean response under a queue model.

    A unit drives from its post, as the hypercube has it. A call that waits does so for an exponential time
    with rate ``capacity - calls`` whichever unit then comes, so it is in time with probability
    ``1 - exp(-rate * (budget - travel))``.

    Parameters
    ----------
    result
        Steady state of the units.
    arrival_rate
        (n_atoms,) calls from each place, as given to the queue model.
    travel_s
        (n_atoms, n_servers) seconds from each unit's post to each place; infinite where it cannot come.
    budget_s
        Seconds for waiting and driving: the target less call handling and turnout. At or below zero nothing
        is reached.
    time_unit_s
        Seconds in the unit of time of the rates; an hour if not given.

    Raises
    ------
    InvalidInputError
        With all faults: shapes that do not fit, times negative or NaN, no calls.
    """
    rate = np.asarray(arrival_rate, dtype=np.float64)
    travel = np.asarray(travel_s, dtype=np.float64)
    _check(result, rate, travel, budget_s, time_unit_s)

    weight = rate / rate.sum()
    within = (travel <= budget_s) & (budget_s > 0)
    after_wait = result.dispatch - result.immediate
    spare_s = np.where(within, budget_s - np.where(within, travel, 0.0), 0.0)
    in_time = (
        -np.expm1(-result.wait_rate / time_unit_s * spare_s) if result.waiting > 0 else np.zeros_like(travel)
    )
    by_atom = (result.immediate * within + after_wait * in_time).sum(axis=1)

    answered = weight @ result.dispatch.sum(axis=1)
    sent = weight[:, None] * result.dispatch
    stranded = np.isinf(travel) & (sent > 0)
    driven = float((sent * np.where(np.isinf(travel), 0.0, travel)).sum() / answered)
    mean_travel_s = np.inf if stranded.any() else driven
    return BusyCoverage(
        share=float(weight @ by_atom),
        by_atom=by_atom,
        all_free_share=float(weight @ within.any(axis=1)),
        mean_travel_s=mean_travel_s,
        mean_response_s=mean_travel_s + result.mean_wait * time_unit_s,
        lost=result.lost,
        waiting=result.waiting,
        unreachable=float(sent[stranded].sum()),
    )


def _check(
    result: Hypercube, rate: FloatArray, travel: FloatArray, budget_s: float, time_unit_s: float
) -> None:
    faults = Faults()
    n_atoms, n_servers = result.dispatch.shape
    faults.check(
        rate.shape == (n_atoms,), f"arrival_rate must hold one rate a place ({n_atoms}), not {rate.shape}"
    )
    fine = np.isfinite(rate).all() and (rate >= 0).all()
    faults.check(fine, "arrival rates must be finite and zero or more")
    faults.check(rate.sum() > 0 or not fine, "there are no calls; every arrival rate is zero")
    faults.check(
        travel.shape == (n_atoms, n_servers),
        f"travel_s must be places by units ({n_atoms}, {n_servers}), not {travel.shape}",
    )
    faults.check(not np.isnan(travel).any(), "travel_s holds NaN; use infinity where a unit cannot come")
    faults.check(not (travel < 0).any(), "a travel time cannot be negative")
    faults.check(not np.isnan(budget_s), "the budget is NaN; give seconds")
    faults.check(time_unit_s > 0, "time_unit_s must be above zero seconds")
    faults.raise_as(InvalidInputError, "Coverage with busy units cannot be counted")
