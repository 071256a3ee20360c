"""The p-median model by Benders cuts, for tables of cost with many rows.

A row's cost under fractional units is a knapsack: the cheapest sites first, until one unit is full. Its price
is the cost of the site that fills it, and gives a cut that holds for every plan (Cornuejols, Fisher and
Nemhauser 1977, Management Science 23; Magnanti and Wong 1981, Operations Research 29). Rows with the same
nearest site share their cuts.
"""

import heapq
import itertools
import math
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack, vstack

from models.siting_merge import merge_rows
from models.siting_milp import LinearModel, Status, WarmLp, solve_milp
from models.siting_rules import FRACTION, Columns, infeasible

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ROUNDING = 1e-9
CUT_SLACK = 1e-8
"""A cut is added where the groups' costs are understated by this part of the best plan's cost."""
SCALE = 1e4
MOST_GROUPS = 64
MOST_EXCHANGES = 60


@dataclass(frozen=True, eq=False)
class MedianAnswer:
    """(c,) units at each column, the bound below every plan's cost, and how the search ended."""

    units: FloatArray
    bound: float
    status: Status


class Median:
    """A p-median model.

    Parameters
    ----------
    cost
        (m, c) cost of serving each row from each column; infinite where a column does not reach. Each row is
        reached by a column that may be used.
    weight
        (m,) of the rows, above zero.
    columns
        What may be decided.
    """

    def __init__(self, cost: FloatArray, weight: FloatArray, columns: Columns) -> None:
        nearest = cost.argmin(axis=1) % MOST_GROUPS
        by_group = np.argsort(nearest, kind="stable")
        self.columns = columns
        self.weight = weight[by_group]
        self._cost = cost[by_group]
        self._first = np.flatnonzero(np.diff(nearest[by_group], prepend=-1))
        self._order = np.argsort(self._cost, axis=1, kind="stable")
        self._sorted = np.take_along_axis(self._cost, self._order, axis=1)
        self._largest = float(cost[np.isfinite(cost)].max())
        self.n_groups = len(self._first)
        self.least = np.add.reduceat(self.weight * self._sorted[:, 0], self._first)

    def value(self, units: FloatArray) -> float:
        """Weighted cost of serving each row from its cheapest site; infinite where one is not reached."""
        used = units > 0.5
        if not used.any():
            return math.inf
        return math.fsum(self.weight * self._cost[:, used].min(axis=1))

    def cuts(self, units: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Cut at these units: each group costs at least ``constants - slopes @ units``.

        Returns
        -------
        constants, slopes
            (groups,) and (groups, c).
        """
        filled = np.cumsum(units[self._order], axis=1) >= 1 - ROUNDING
        at = np.where(filled.any(axis=1), filled.argmax(axis=1), self._order.shape[1] - 1)
        price = np.take_along_axis(self._sorted, at[:, None], axis=1)[:, 0]
        price = np.minimum(price, self._largest)
        saved = np.maximum(price[:, None] - self._cost, 0) * self.weight[:, None]
        return np.add.reduceat(self.weight * price, self._first), np.add.reduceat(saved, self._first, axis=0)

    @property
    def reaches(self) -> BoolArray:
        """(m, c) whether a column reaches a row."""
        return np.isfinite(self._cost)

    def feasible_start(self) -> FloatArray:
        """(c,) a plan that reaches every row.

        Raises
        ------
        InvalidInputError
            If there is none.
        """
        reaches = self.reaches
        needed = ~reaches.all(axis=1)
        if not needed.any():
            return self._greedy(self.columns.lower.astype(float))
        found = solve_milp(_reaching(reaches[needed], self.columns))
        if found is None:
            raise infeasible(
                f"no {self.columns.units} sites together reach all the demand that some site can reach; "
                "place more units, or make the infinite costs finite"
            )
        return self._greedy(found.values.round())

    def improved(self, units: FloatArray) -> FloatArray:
        """Improve a plan by the best exchange of one unit, as long as there is one (Teitz and Bart 1968)."""
        value = self.value(units)
        for _ in range(MOST_EXCHANGES):
            best, found = value, None
            for column in np.flatnonzero(units > self.columns.lower):
                without = units.copy()
                without[column] -= 1
                costs = np.where(self._may_take(without), self._with_one_more(without), np.inf)
                other = int(np.argmin(costs))
                if costs[other] < best - ROUNDING * abs(best):
                    best, found = float(costs[other]), without
                    found[other] += 1
            if found is None:
                break
            units, value = found, self.value(found)
        return units

    def prefer_low_sites(self, units: FloatArray) -> FloatArray:
        """Exchange single units for lower columns as long as the cost stays the same."""
        value = self.value(units)
        changed = True
        while changed:
            changed = False
            for column in np.flatnonzero(units > self.columns.lower)[::-1]:
                without = units.copy()
                without[column] -= 1
                same = self._may_take(without) & (
                    self._with_one_more(without) <= value + ROUNDING * abs(value)
                )
                if same[:column].any():
                    units = without
                    units[int(np.argmax(same))] += 1
                    changed = True
                    break
        return units

    def _may_take(self, without: FloatArray) -> BoolArray:
        columns = self.columns
        owed = without[columns.kept].sum() < columns.need
        may: BoolArray = (without < columns.upper) & (columns.kept | (not owed))
        return may

    def _with_one_more(self, units: FloatArray) -> FloatArray:
        used = units > 0.5
        near = self._cost[:, used].min(axis=1) if used.any() else np.full(len(self.weight), np.inf)
        return np.asarray(self.weight @ np.minimum(near[:, None], self._cost))

    def _greedy(self, units: FloatArray) -> FloatArray:
        columns = self.columns
        units = units.astype(np.float64)
        while units.sum() < columns.units:
            left = columns.units - units.sum()
            owed = columns.need - units[columns.kept].sum()
            allowed = (units < columns.upper) & (columns.kept | (left > owed))
            costs = np.where(allowed, self._with_one_more(units), np.inf)
            best = int(np.argmin(costs))
            units[best if allowed[best] else int(np.argmax(allowed))] += 1
        return units


def solve_median(median: Median, *, time_limit_s: float | None) -> MedianAnswer:
    """Solve to proof, or until the time is up.

    Raises
    ------
    InvalidInputError
        If no plan reaches all rows.
    """
    ends_at = math.inf if time_limit_s is None else time.perf_counter() + time_limit_s
    return _Search(median, ends_at).run()


class _Search:
    """Search the plans, lowest bound first."""

    def __init__(self, median: Median, ends_at: float) -> None:
        self._median, self._ends_at = median, ends_at
        self._best = median.improved(median.feasible_start())
        self._value = median.value(self._best)
        self._closed = math.inf
        self._number = itertools.count()
        self._open: list[tuple[float, int, FloatArray, FloatArray]] = []
        columns = median.columns
        self._master = _Master(median, scale=SCALE / self._value if self._value > 0 else 1.0)
        self._master.cut(self._best, self._value)
        self._master.cut(columns.upper * (columns.units / columns.upper.sum()), self._value)

    def run(self) -> MedianAnswer:
        columns = self._median.columns
        self._put(-math.inf, columns.lower.astype(np.float64), columns.upper.astype(np.float64))
        while self._open and self._open[0][0] < self._to_beat:
            bound, _, lower, upper = heapq.heappop(self._open)
            if time.perf_counter() > self._ends_at:
                least = float(self._median.least.sum())
                return MedianAnswer(
                    self._best, min(self._value, self._closed, max(least, bound)), "time limit"
                )
            self._visit(bound, lower, upper)
        left = self._open[0][0] if self._open else math.inf
        return MedianAnswer(self._best, min(self._value, self._closed, left), "optimal")

    @property
    def _to_beat(self) -> float:
        return self._value - ROUNDING * abs(self._value)

    def _put(self, bound: float, lower: FloatArray, upper: FloatArray) -> None:
        heapq.heappush(self._open, (bound, next(self._number), lower, upper))

    def _visit(self, bound: float, lower: FloatArray, upper: FloatArray) -> None:
        """Cut until the bound holds; then close the node, or split it."""
        while True:
            solved = self._master.solve(lower, upper)
            if solved is None:
                return
            units = solved.units
            bound = max(bound, solved.cost)
            self._try(self._median.columns.rounded(units, lower, upper))
            if bound >= self._to_beat:
                self._closed = min(self._closed, bound)
                return
            if not self._master.cut(units, self._value, solved.group_cost):
                break
            if time.perf_counter() > self._ends_at:
                self._put(bound, lower, upper)
                return
        fraction = np.abs(units - units.round())
        column = int(np.argmax(fraction))
        if fraction[column] < FRACTION:  # whole, and no cut is broken: its value is exact
            self._closed = min(self._closed, self._value)
            return
        below, above = upper.copy(), lower.copy()
        below[column], above[column] = np.floor(units[column]), np.floor(units[column]) + 1
        self._put(bound, lower, below)
        self._put(bound, above, upper)

    def _try(self, units: FloatArray | None) -> None:
        if units is not None and self._median.value(units) < self._to_beat:
            self._best = self._median.improved(units)
            self._value = self._median.value(self._best)


@dataclass(frozen=True, eq=False)
class _Solved:
    """(c,) units, the cost, and (groups,) each group's cost in a linear program."""

    units: FloatArray
    cost: float
    group_cost: FloatArray


class _Master:
    """Cost of each group above its cuts, least over the plans."""

    def __init__(self, median: Median, scale: float) -> None:
        self._median, self._scale = median, scale
        columns, groups = median.columns, median.n_groups
        c = len(columns.site)
        reaches = median.reaches
        partial = ~reaches.all(axis=1)
        base = _reaching(reaches[partial], columns, exactly=True)
        self._lp = WarmLp(
            LinearModel(
                cost=np.concatenate([np.zeros(c), np.ones(groups)]),
                lower=np.concatenate([columns.lower, median.least * scale]),
                upper=np.concatenate([columns.upper, np.full(groups, 1e30)]),
                matrix=csr_array(hstack([base.matrix, csr_array((base.matrix.shape[0], groups))])),
                row_lower=base.row_lower,
                row_upper=base.row_upper,
                integer=np.zeros(c + groups, dtype=bool),
                maximise=False,
            )
        )

    def solve(self, lower: FloatArray, upper: FloatArray) -> _Solved | None:
        """Solve within bounds on the units; None where they leave no plan."""
        found = self._lp.solve(lower, upper)
        if found is None:
            return None
        c = len(lower)
        return _Solved(found.values[:c], found.cost / self._scale, found.values[c:] / self._scale)

    def cut(self, units: FloatArray, value: float, group_cost: FloatArray | None = None) -> bool:
        """Add the cuts at these units that the groups' costs break; False where none is broken."""
        constant, slope = self._median.cuts(units)
        broken = np.ones(len(constant), dtype=bool)
        if group_cost is not None:
            broken = constant - slope @ units > group_cost + CUT_SLACK * abs(value) / len(constant)
        if not broken.any():
            return False
        groups = self._median.n_groups
        rows = hstack([csr_array(slope[broken] * self._scale), csr_array(np.eye(groups)[broken])]).tocsr()
        self._lp.add_rows(csr_array(rows), constant[broken] * self._scale)
        return True


def _reaching(reaches: BoolArray, columns: Columns, *, exactly: bool = False) -> LinearModel:
    """Plans that reach every row, as a model without cost."""
    c = len(columns.site)
    first = merge_rows(reaches)[0]
    rows = [csr_array(reaches[first].astype(float)), csr_array(np.ones((1, c)))]
    low = [np.ones(len(first)), np.array([float(columns.units if exactly else 0)])]
    high = [np.full(len(first), np.inf), np.array([float(columns.units)])]
    if columns.need:
        rows.append(csr_array(columns.kept[None].astype(float)))
        low.append(np.array([float(columns.need)]))
        high.append(np.array([np.inf]))
    return LinearModel(
        cost=np.ones(c),
        lower=columns.lower.astype(float),
        upper=columns.upper.astype(float),
        matrix=csr_array(vstack(rows)),
        row_lower=np.concatenate(low),
        row_upper=np.concatenate(high),
        integer=np.ones(c, dtype=bool),
        maximise=False,
    )
