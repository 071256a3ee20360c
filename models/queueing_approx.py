"""Larson's approximation of the hypercube: one equation a unit instead of one a state.

Units are asked in order until a free one is found. If units were busy independently of each other, the j-th
would be asked with the product of the others' workloads; a factor Q(j) corrects that product. It is the one
that holds exactly where busy units are a random sample of all (Larson 1975, Operations Research 23, 845-868;
Larson and Odoni 1981, Urban Operations Research, section 5.5). Jarvis 1985 (Management Science 31, 235-239)
gives each unit its own time on a call and scales each place's shares to their known sum; here that scaling
stands inside the iteration, so that calls sent equal calls served for each unit. Larson scales workloads to
their known total after each round; here their odds are scaled, which keeps them below one and settles in a
dozen rounds at any load.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from errors import InvalidInputError
from models.queueing_exact import birth_and_death
from models.queueing_inputs import FloatArray, IntArray, QueueInputs

TOLERANCE = 1e-12
"""Largest change of a workload at which the iteration ends."""
MAX_ROUNDS = 500
MAX_NEWTON_STEPS = 50
HIGHEST = 1 - 1e-12
"""Workloads are held below one while the iteration is under way."""


@dataclass(frozen=True, eq=False)
class Approximation:
    """Workloads that agree with one another.

    Attributes
    ----------
    workload
        (n_servers,) share of time each unit is busy.
    immediate
        (n_atoms, n_servers) share of each place's calls that each unit takes at once.
    busy
        (n_servers + 1,) probability of each number of busy units.
    residual
        Largest difference between calls sent to a unit and calls it serves, as a part of all calls.
    """

    workload: FloatArray
    immediate: FloatArray
    busy: FloatArray
    residual: float


def correction_factors(busy: FloatArray) -> FloatArray:
    """Factor Q(j) for each number j of units asked before.

    When k of N units are busy and each set of k is as likely as another, the first j of a random order are
    busy and the next is free with probability ``k! / (k-j)! * (N-j)! / N! * (N-k) / (N-j)``. Q is the mean of
    that over k, divided by ``r ** j * (1 - r)`` with r the mean share of busy units.

    Parameters
    ----------
    busy
        (N + 1,) probability of each number of busy units.

    Returns
    -------
    factors
        (N,) Q(0) = 1, Q(1), ...
    """
    n = len(busy) - 1
    k, j = np.arange(n + 1)[:, None], np.arange(n)
    mean = float(busy @ np.arange(n + 1)) / n
    with np.errstate(divide="ignore"):
        logs = (
            np.log(busy)[:, None]
            + gammaln(k + 1)
            - gammaln(np.maximum(k - j, 0) + 1)
            + gammaln(n - j + 1)
            - gammaln(n + 1)
            + np.log(n - k)
            - np.log(n - j)
        )
    free = float(busy @ (n - np.arange(n + 1))) / n
    logs = np.where(k >= j, logs, -np.inf)
    return np.asarray(np.exp(logsumexp(logs, axis=0) - j * np.log(mean) - np.log(free)))


def approximate(inputs: QueueInputs) -> Approximation:
    """Find workloads, shares and the number of busy units that agree with one another.

    Raises
    ------
    InvalidInputError
        When the iteration does not settle.
    """
    system = _System(inputs)
    calls, service = inputs.calls, inputs.service_rate
    n_servers = len(service)
    load = calls / inputs.capacity
    workload = np.full(n_servers, load if inputs.queue else load / (1 + load))
    for _ in range(MAX_ROUNDS):
        busy = _busy_units(workload, inputs)
        raw = system.raw_shares(workload, correction_factors(busy))
        scale = (1 - busy[-1]) / (raw @ (1 - workload))
        from_line = calls * busy[-1] / inputs.capacity if inputs.queue else 0.0
        odds = (system.rate * scale) @ raw / service
        odds = _scaled(odds, service, from_line, calls * (1.0 if inputs.queue else 1 - busy[-1]))
        new = np.minimum((odds + from_line) / (1 + odds), HIGHEST)
        change = float(np.abs(new - workload).max())
        workload = new
        if change < TOLERANCE:
            break
    else:
        raise InvalidInputError(
            f"The approximation did not settle: workloads still change by {change:.1e} after {MAX_ROUNDS} "
            "rounds. Check whether service rates of the units differ by orders of magnitude"
        )
    immediate = (raw * (1 - workload)) * ((1 - busy[-1]) / (raw @ (1 - workload)))[:, None]
    sent = system.rate @ immediate + from_line * service
    residual = float(np.abs(sent - workload * service).max() / calls)
    return Approximation(workload, immediate[system.kind_of_atom], busy, residual)


class _System:
    """Places that ask the posts in the same order, taken together."""

    def __init__(self, inputs: QueueInputs) -> None:
        self._post = inputs.post
        self._order, kind = np.unique(inputs.order, axis=0, return_inverse=True)
        self.kind_of_atom: IntArray = kind.reshape(-1)
        self.rate: FloatArray = np.bincount(self.kind_of_atom, inputs.arrival_rate).astype(np.float64)
        asked = inputs.units_at[self._order]
        before = np.cumsum(asked, axis=1) - asked
        by_post = np.empty_like(before)
        np.put_along_axis(by_post, self._order, before, axis=1)
        self._before: IntArray = by_post[:, self._post]
        self._members = [np.flatnonzero(self._post == post) for post in range(len(inputs.units_at))]

    def raw_shares(self, workload: FloatArray, factors: FloatArray) -> FloatArray:
        """(n_kinds, n_servers) corrected chance that a unit is asked, before it is scaled."""
        all_busy = np.array([workload[members].prod() for members in self._members])
        ordered = np.cumprod(all_busy[self._order], axis=1)
        better = np.ones_like(ordered)
        np.put_along_axis(better, self._order[:, 1:], ordered[:, :-1], axis=1)
        within = self._within_post(workload, factors)
        units = np.arange(len(workload))
        return np.asarray(better[:, self._post] * within[self._before, units])

    def _within_post(self, workload: FloatArray, factors: FloatArray) -> FloatArray:
        """(units before, unit): mean over all orders of a post's units of Q times the others' workloads."""
        n_servers = len(workload)
        padded = np.concatenate([factors, np.zeros(n_servers)])
        within = np.empty((n_servers, n_servers))
        for members in self._members:
            for unit in members:
                sums = np.ones(1)
                for other in members[members != unit]:
                    sums = np.convolve(sums, [1.0, workload[other]])
                size = len(members)
                part = sums / [size * math.comb(size - 1, t) for t in range(size)]
                within[:, unit] = np.convolve(padded, part[::-1], mode="valid")[:n_servers]
        return within


def _scaled(odds: FloatArray, service: FloatArray, from_line: float, served: float) -> FloatArray:
    """Multiply the odds of being busy by the factor at which all units together serve ``served`` calls.

    Newton's method on the factor's logarithm; the calls served grow with it.
    """
    for _ in range(MAX_NEWTON_STEPS):
        excess = float((service * (odds + from_line) / (1 + odds)).sum()) - served
        slope = float((service * odds * (1 - from_line) / (1 + odds) ** 2).sum())
        step = min(max(excess / slope, -2.0), 2.0)
        odds = odds * math.exp(-step)
        if abs(step) < TOLERANCE:
            break
    return odds


def _busy_units(workload: FloatArray, inputs: QueueInputs) -> FloatArray:
    """Distribution of the number of busy units.

    Calls come at one rate whatever the state, so the number is a birth-and-death chain whose death rate is
    the mean rate of the units that are busy when k are. Which k those are is taken as if units were busy
    independently with their workloads, given that k are; at k = N the rate is exact, and where all rates are
    equal the chain is Erlang's.
    """
    service = inputs.service_rate
    n_servers = len(service)
    odds = np.log(np.maximum(workload, 1e-300)) - np.log1p(-workload)
    sets = np.full(n_servers + 1, -np.inf)
    sets[0] = 0.0
    rates = np.full(n_servers + 1, -np.inf)
    for odd, rate in zip(odds - odds.mean(), np.log(service), strict=True):
        rates[1:] = np.logaddexp(rates[1:], np.logaddexp(rates[:-1] + odd, sets[:-1] + odd + rate))
        sets[1:] = np.logaddexp(sets[1:], sets[:-1] + odd)
    death = np.exp(rates[1:] - sets[1:])
    if inputs.queue:
        # The line holds calls / capacity of what is below it; all of it counts as the state of all busy.
        death[-1] = inputs.capacity - inputs.calls
    return birth_and_death(np.full(n_servers, inputs.calls), death)
