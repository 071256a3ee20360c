"""Larson's exact hypercube: every set of busy units is a state, numbered by its bits.

A state is left upwards when a call takes a unit and downwards when a unit is freed, so states of an even
number of busy units meet only states of an odd number. The balance equations are solved by taking the two
kinds in turn (Gauss and Seidel), and before each turn the number of busy units is given the distribution that
its own birth-and-death chain has (iterative aggregation and disaggregation: Stewart 1994, Introduction to the
Numerical Solution of Markov Chains, chapter 6). Only sums, products and quotients of positive numbers occur,
so that rare states are as accurate as common ones.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from models.queueing_inputs import FloatArray, IntArray, QueueInputs

TOLERANCE = 1e-13
"""Largest difference between a state's inflow and outflow, as a part of its outflow, at which sweeps end."""
TINY = 1e-280
"""Probabilities of this size are as good as zero."""
MAX_SWEEPS = 5000
SWEEPS_A_CHECK = 8


@dataclass(frozen=True, eq=False)
class Balance:
    """Steady state of the hypercube without a waiting line.

    Attributes
    ----------
    state
        (2 ** n_servers,) probability of each state; bit i of its number says that unit i is busy.
    residual
        Largest difference between inflow and outflow of a state, as a part of the rate of all events.
    """

    state: FloatArray
    residual: float


class StateSpace:
    """States, and the rates at which calls take units in them.

    Attributes
    ----------
    free
        (n_states, n_servers) whether each unit is free.
    busy_units
        (n_states,) number of busy units.
    take
        (n_states, n_servers) rate at which calls take each unit: those whose better posts are all busy,
        shared alike by the free units of the post.
    """

    def __init__(self, inputs: QueueInputs) -> None:
        self.inputs = inputs
        n_servers = len(inputs.service_rate)
        n_posts = len(inputs.units_at)
        self.bits: IntArray = 1 << np.arange(n_servers)
        self.numbers: IntArray = np.arange(1 << n_servers)
        self.free: npt.NDArray[np.bool_] = (self.numbers[:, None] & self.bits) == 0
        self.busy_units: IntArray = n_servers - self.free.sum(axis=1)
        at_post = inputs.post[:, None] == np.arange(n_posts)
        n_free = (self.free @ at_post.astype(np.int64))[:, inputs.post]
        self._part: FloatArray = np.where(self.free, 1 / np.maximum(n_free, 1), 0.0)

        units_of_post = self.bits @ at_post.astype(np.int64)
        asked = units_of_post[inputs.order]
        before = np.cumsum(asked, axis=1) - asked
        self._better = np.empty_like(before)
        np.put_along_axis(self._better, inputs.order, before, axis=1)

        cell = before * n_posts + inputs.order
        weight = np.broadcast_to(inputs.arrival_rate[:, None], cell.shape)
        asking = np.bincount(cell.ravel(), weight.ravel(), minlength=len(self.numbers) * n_posts)
        reach = _sum_over_subsets(
            asking.reshape(len(self.numbers), n_posts).astype(np.float64, copy=False), n_servers
        )
        self.take: FloatArray = reach[:, inputs.post] * self._part

    def solve(self) -> Balance:
        """Solve the balance equations of the states, with no waiting line."""
        service = self.inputs.service_rate
        finish = np.where(self.free, 0.0, service)
        leave = self.take.sum(axis=1) + finish.sum(axis=1)
        inflow = self._inflow()
        even, odd = (np.flatnonzero(self.busy_units % 2 == kind) for kind in (0, 1))
        to_even, to_odd = inflow[even][:, odd], inflow[odd][:, even]
        finishing = finish.sum(axis=1)

        chance = np.full(len(self.numbers), 1 / len(self.numbers))
        for sweep in range(1, MAX_SWEEPS + 1):
            chance = self._level(chance, finishing)
            chance[even] = (to_even @ chance[odd]) / leave[even]
            chance[odd] = (to_odd @ chance[even]) / leave[odd]
            if sweep % SWEEPS_A_CHECK == 0:
                wrong = np.abs(inflow @ chance - leave * chance)
                if (wrong <= leave * (TOLERANCE * chance + TINY)).all():
                    break
        else:
            chance = _solve_directly(inflow, leave)
        chance /= chance.sum()
        events = self.inputs.calls + self.inputs.capacity
        return Balance(chance, float(np.abs(inflow @ chance - leave * chance).max() / events))

    def shares(self, state: FloatArray) -> FloatArray:
        """Share of each place's calls that each unit takes at once: (n_atoms, n_servers).

        A unit takes the call when all better posts are busy and it is free; with k free units at its post it
        is chosen once in k. Sums over all such states come from one sum over supersets.
        """
        chosen = _sum_over_supersets(state[:, None] * self._part, len(self.bits))
        better = self._better[:, self.inputs.post]
        return np.asarray(chosen[better, np.arange(len(self.bits))])

    def _inflow(self) -> "csr_array[np.float64]":
        """Matrix of rates into each state (row) from each other (column)."""
        state, unit = np.nonzero(self.free)
        busier = state | self.bits[unit]
        rate = np.concatenate([self.take[state, unit], self.inputs.service_rate[unit]])
        to, source = np.concatenate([busier, state]), np.concatenate([state, busier])
        n_states = len(self.numbers)
        return csr_array((rate, (to, source)), shape=(n_states, n_states))

    def _level(self, chance: FloatArray, finishing: FloatArray) -> FloatArray:
        """Give the number of busy units the distribution of its birth-and-death chain."""
        n_servers = len(self.bits)
        size = np.bincount(self.busy_units)
        held = np.bincount(self.busy_units, chance)
        within = np.divide(
            chance, held[self.busy_units], out=1 / size[self.busy_units], where=held[self.busy_units] > 0
        )
        death = np.bincount(self.busy_units, within * finishing)[1:].astype(np.float64, copy=False)
        busy = birth_and_death(np.full(n_servers, self.inputs.calls), death)
        return np.asarray(within * busy[self.busy_units])


def birth_and_death(birth: FloatArray, death: FloatArray) -> FloatArray:
    """Steady state of a birth-and-death chain: ``p[k + 1] = p[k] birth[k] / death[k]``, summing to one.

    Parameters
    ----------
    birth
        (n,) rates from k to k + 1.
    death
        (n,) rates from k + 1 to k.
    """
    logs = np.concatenate([[0.0], np.cumsum(np.log(birth) - np.log(death))])
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def _solve_directly(inflow: "csr_array[np.float64]", leave: FloatArray) -> FloatArray:
    """Solve the balance equations densely, one of them replaced by the sum of one."""
    equations = inflow.toarray() - np.diag(leave)
    equations[0] = 1.0
    right = np.zeros(len(leave))
    right[0] = 1.0
    return np.asarray(np.maximum(np.linalg.solve(equations, right), 0.0))


def _sum_over_subsets(values: FloatArray, n_bits: int) -> FloatArray:
    """Sum each column over all states whose busy units are among those of the state (Yates 1937)."""
    summed = values.copy()
    for bit in range(n_bits):
        pair = summed.reshape(-1, 2, 1 << bit, values.shape[1])
        pair[:, 1] += pair[:, 0]
    return summed


def _sum_over_supersets(values: FloatArray, n_bits: int) -> FloatArray:
    """Sum each column over all states whose busy units contain those of the state."""
    summed = values.copy()
    for bit in range(n_bits):
        pair = summed.reshape(-1, 2, 1 << bit, values.shape[1])
        pair[:, 0] += pair[:, 1]
    return summed
