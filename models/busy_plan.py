"""One staging plan when its units may be busy: the hypercube queue model over its own driving times."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.busy_coverage import BusyCoverage, busy_coverage
from models.coverage import Demand
from models.queueing import Hypercube, hypercube_for
from models.staging import Conditions, Outcome

MOST_PACKED = 15
"""Numbers of so many posts in order fit into 63 bits: 15 ** 15 is below 2 ** 63."""


@dataclass(frozen=True)
class Workload:
    """How busy units are.

    Attributes
    ----------
    calls_per_hour
        Calls in an hour, all places together.
    busy_min
        Mean minutes that a call keeps its unit, from its assignment until it is available again.
    """

    calls_per_hour: float
    busy_min: float

    def __post_init__(self) -> None:
        faults = Faults()
        faults.check(0 < self.calls_per_hour < np.inf, "calls an hour must be above zero")
        faults.check(0 < self.busy_min < np.inf, "minutes a call must be above zero")
        faults.raise_as(InvalidInputError, "The workload cannot be used")

    @property
    def units_busy(self) -> float:
        """Mean number of units on a call (the offered load, in erlangs)."""
        return self.calls_per_hour * self.busy_min / 60


@dataclass(frozen=True, eq=False)
class BusyOutcome:
    """What a plan does when its units may be busy.

    Attributes
    ----------
    queue
        Steady state of the units; its places are the distinct orders in which posts are asked.
    coverage
        Whom the plan reaches in time, waiting included; ``by_atom`` has one entry a place of the demand.
    """

    queue: Hypercube
    coverage: BusyCoverage


def busy_outcome(outcome: Outcome, demand: Demand, conditions: Conditions, workload: Workload) -> BusyOutcome:
    """Solve the hypercube model for a plan with one unit at each staffed post.

    Posts with the same drives everywhere are one place where several units wait, and share its calls alike.
    Places from which the posts are asked in the same order are one place to the queue: thousands of corners
    become a few hundred orders, and the answer stays the same. Stationary: the rates hold all the time.

    Parameters
    ----------
    outcome
        The plan's driving times, from `models.staging.evaluate`.
    demand, conditions
        As given to it.
    workload
        How busy units are; calls fall on places by the demand's weights.

    Raises
    ------
    InvalidInputError
        If no post is staffed, or the units cannot keep up with the calls.
    """
    return busy_at(outcome.post_seconds, demand.weight, conditions.budget_s(), workload)


def busy_at(
    post_seconds: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    budget_s: float,
    workload: Workload,
) -> BusyOutcome:
    """Solve the hypercube model for any drives, such as those of several hour bands side by side.

    Parameters
    ----------
    post_seconds
        (n_posts, n) seconds of driving from each unit's post to each place.
    weight
        (n,) calls or people at each place, zero or more.
    budget_s
        Seconds left for driving.
    workload
        How busy units are.

    Raises
    ------
    InvalidInputError
        As `busy_outcome`.
    """
    if not len(post_seconds):
        raise InvalidInputError("No post is staffed, so no call is answered; staff a post")
    units, needed = len(post_seconds), workload.units_busy
    if needed >= units:
        raise InvalidInputError(
            f"More calls than these units can answer: the calls keep {needed:.1f} units busy, and {units} "
            f"{'is' if units == 1 else 'are'} on duty, so calls would wait without end; staff more posts"
        )
    travel_s = post_seconds.T
    order, group = _distinct_rows(np.argsort(travel_s, axis=1, kind="stable"))
    rate = weight * (workload.calls_per_hour / weight.sum())
    together = np.unique(post_seconds, axis=0, return_inverse=True)[1].ravel()
    queue = hypercube_for(
        np.bincount(group, rate, minlength=len(order)),
        order,
        60 / workload.busy_min,
        queue=True,
        same_post=together.tolist(),
    )
    by_place = replace(queue, dispatch=queue.dispatch[group], immediate=queue.immediate[group])
    return BusyOutcome(queue, busy_coverage(by_place, rate, travel_s, budget_s))


def _distinct_rows(
    order: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Distinct rows of (n, m) whole numbers from 0 to m - 1, and which of them each row is."""
    n_columns = order.shape[1]
    if n_columns > MOST_PACKED:
        rows, group = np.unique(order, axis=0, return_inverse=True)
        return rows, group.ravel()
    # One number a row: sorting numbers is many times as fast as sorting rows.
    packed = order @ (n_columns ** np.arange(n_columns, dtype=np.int64))
    _, first, group = np.unique(packed, return_index=True, return_inverse=True)
    return order[first], group.ravel()


def expected_share(outcome: Outcome, demand: Demand, budget_s: float, busy: float) -> float:
    """Give the share reached in time when each unit is busy by itself with probability ``busy``.

    A place that m posts reach in time is covered with probability ``1 - busy ** m`` (MEXCLP's objective;
    Daskin 1983, Transportation Science 17). Units are not independent, and a call that waits counts as not
    reached.

    Raises
    ------
    InvalidInputError
        If ``busy`` is not a probability below 1, or there is no demand.
    """
    if not 0 <= busy < 1:
        raise InvalidInputError("busy must be a probability from 0 to below 1: the units cannot keep up")
    if demand.total <= 0:
        raise InvalidInputError("There is no demand to reach; choose other hours or another source")
    near = ((outcome.post_seconds <= budget_s) & (budget_s > 0)).sum(axis=0)
    return float(demand.weight @ (1 - busy**near) / demand.total)
