"""Branch and bound for large covering models without groups: linear programs by HiGHS, bounds by Lagrange.

The linear program keeps few levels a row and stands in for the rest by one level that is too good, so that it
stays small. Its duals give a bound that holds whatever their accuracy: with a price on each row's units, rows
and columns part, and each part is solved exactly (Fisher 1981, Management Science 27). The same prices show
which columns no better plan can use. The first plan comes from the columns that the linear program uses
(kernel search: Angelelli, Mansini and Speranza 2010, Computers and Operations Research 37).
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack, vstack

from models.siting_cover import ROUNDING, SCALE, Cover, CoverAnswer, good_start
from models.siting_milp import LinearModel, Status, WarmLp
from models.siting_rules import FRACTION

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FIRST_LEVELS = 3
KERNEL_SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class _Node:
    """A part of the plans: least and most units at each column."""

    lower: FloatArray
    upper: FloatArray

    def take(self, chosen: BoolArray) -> "_Node":
        return _Node(self.lower[chosen], self.upper[chosen])


@dataclass(frozen=True, eq=False)
class _Relaxed:
    """A linear program's answer: units, the proven bound, and each column's worth at the prices."""

    units: FloatArray
    bound: float
    worth: FloatArray
    margin: float


def solve_by_branching(cover: Cover, *, time_limit_s: float | None) -> CoverAnswer:
    """Solve to proof, or until the time is up.

    Parameters
    ----------
    cover
        A model without groups.
    time_limit_s
        Seconds in all; None for no limit.
    """
    ends_at = np.inf if time_limit_s is None else time.perf_counter() + time_limit_s
    every = _whole_node(cover)
    start = good_start(cover)
    first = _Relaxation(cover, start).solve(every)
    if first is None:  # the start follows all rules, so there is a plan
        raise AssertionError
    if first.bound <= _to_beat(cover, cover.value(start)):
        return CoverAnswer(start, max(first.bound, cover.value(start)), "optimal")
    kernel = (first.units > KERNEL_SHARE) | (start > 0) | (cover.columns.lower > 0)
    units = np.zeros(len(start))
    units[kernel] = _Search(cover.take(kernel), start[kernel]).run(every.take(kernel), ends_at).units
    lower, upper = _tightened(first, every, cover.value(units))
    kept = (upper > 0) | (units > 0)
    answer = _Search(cover.take(kept), units[kept]).run(_Node(lower, upper).take(kept), ends_at)
    best = np.zeros(len(start))
    best[kept] = answer.units
    # No plan outside the rest is better than the one it was left out for.
    bound = min(first.bound, max(answer.bound, cover.value(units)))
    if cover.whole:
        bound = np.floor(bound + FRACTION / 2)
    return CoverAnswer(best, max(bound, cover.value(best)), answer.status)


class _Relaxation:
    """The linear program of a model, with few levels a row: those of a plan and two more."""

    def __init__(self, cover: Cover, plan: FloatArray) -> None:
        self._cover = cover
        self._most = np.minimum(len(cover.gains), cover.columns.units)
        self._levels = np.minimum(np.maximum(cover.level(plan) + 2, FIRST_LEVELS), self._most)
        self._lp = self._build()

    def solve(self, node: _Node) -> _Relaxed | None:
        found = self._lp.solve(node.lower, node.upper)
        if found is None:
            return None
        cover, columns = self._cover, self._cover.columns
        gains = cover.weight[:, None] * cover.gains
        price = np.clip(np.abs(found.row_duals[: len(cover.weight)]) / self._scale, 0, gains[:, 0])
        stay = abs(found.row_duals[-1]) / self._scale if columns.need else 0.0
        worth = price @ cover.reach + stay * columns.kept
        rows = np.maximum(gains - price[:, None], 0).sum() - stay * columns.need
        units, margin = _fill(worth, node, columns.units)
        return _Relaxed(found.values[: len(worth)], float(rows + worth @ units), worth, margin)

    def widen(self, units: FloatArray) -> bool:
        """Give rows the levels that these whole units need; False where they have them."""
        wanted = np.minimum(self._cover.level(units) + 1, self._most)
        if (wanted <= self._levels).all():
            return False
        self._levels = np.maximum(self._levels, wanted)
        self._lp = self._build()
        return True

    def _build(self) -> WarmLp:
        cover, columns = self._cover, self._cover.columns
        m, c = cover.reach.shape
        self._scale = SCALE / cover.weight.sum() if len(cover.weight) else 1.0
        weight = cover.weight * self._scale
        rows = [np.flatnonzero(self._levels > level) for level in range(int(self._levels.max(initial=0)))]
        # The levels beyond those kept, as one: each is held to be as good as the first of them.
        more = np.flatnonzero(self._levels < self._most)
        gains = [weight[row] * cover.gains[level] for level, row in enumerate(rows)]
        gains.append(weight[more] * cover.gains[self._levels[more]])
        upper = [*(np.ones(len(row)) for row in rows), (self._most - self._levels[more]).astype(float)]
        row = np.concatenate([*rows, more])
        held = csr_array((np.ones(len(row)), (row, np.arange(len(row)))), shape=(m, len(row)))
        sums = np.vstack([np.ones((1, c)), columns.kept[None]]) if columns.need else np.ones((1, c))
        blocks = [
            hstack([csr_array(-cover.reach), held]),
            hstack([csr_array(sums), csr_array((len(sums), len(row)))]),
        ]
        return WarmLp(
            LinearModel(
                cost=np.concatenate([np.zeros(c), *gains]),
                lower=np.concatenate([columns.lower, np.zeros(len(row))]),
                upper=np.concatenate([columns.upper, *upper]),
                matrix=csr_array(vstack(blocks)),
                row_lower=np.array([-np.inf] * m + [columns.units, columns.need][: len(sums)]),
                row_upper=np.array([0.0] * m + [columns.units, np.inf][: len(sums)]),
                integer=np.zeros(c + len(row), dtype=bool),
                maximise=True,
            ),
            large=True,
        )


class _Search:
    """Search the plans of a node, depth first, so that each linear program is near to the one before it."""

    def __init__(self, cover: Cover, start: FloatArray) -> None:
        self._cover = cover
        self._relaxation = _Relaxation(cover, start)
        self._best, self._value = start, cover.value(start)
        self._closed = -np.inf
        self._open: list[tuple[float, _Node]] = []

    def run(self, root: _Node, ends_at: float) -> CoverAnswer:
        """Search until every plan that may be better than the best is seen, or until the time is up."""
        self._put(np.inf, root)
        while self._open:
            if time.perf_counter() > ends_at:
                return self._answer("time limit")
            bound, node = self._open.pop()
            if bound <= _to_beat(self._cover, self._value):
                self._closed = max(self._closed, bound)
            else:
                self._visit(node, bound)
        return self._answer("optimal")

    def _answer(self, status: Status) -> CoverAnswer:
        left = max((bound for bound, _ in self._open), default=-np.inf)
        return CoverAnswer(self._best, max(self._value, self._closed, left), status)

    def _put(self, bound: float, node: _Node) -> None:
        if (node.lower <= node.upper).all():
            self._open.append((bound, node))

    def _visit(self, node: _Node, bound: float) -> None:
        relaxed = self._relaxation.solve(node)
        if relaxed is None:
            return
        bound = min(bound, relaxed.bound)
        self._try(self._cover.columns.rounded(relaxed.units, node.lower, node.upper))
        if bound <= _to_beat(self._cover, self._value):
            self._closed = max(self._closed, bound)
            return
        fraction = np.abs(relaxed.units - relaxed.units.round())
        column = int(np.argmax(fraction))
        if fraction[column] >= FRACTION:
            self._split(node, relaxed, column, bound)
        elif self._relaxation.widen(relaxed.units.round()):
            self._put(bound, node)
        else:  # the plan is whole and its value exact: what the bound is above it is rounding
            self._closed = max(self._closed, self._value)

    def _try(self, units: FloatArray | None) -> None:
        if units is not None and self._cover.value(units) > self._value:
            self._best, self._value = units, self._cover.value(units)

    def _split(self, node: _Node, relaxed: _Relaxed, column: int, bound: float) -> None:
        lower, upper = _tightened(relaxed, node, self._value)
        below, above = upper.copy(), lower.copy()
        floor = np.floor(relaxed.units[column])
        below[column], above[column] = min(upper[column], floor), max(lower[column], floor + 1)
        children = [_Node(lower, below), _Node(above, upper)]
        # The last one put is the first one seen: the one nearer to the linear program's plan.
        for child in children if relaxed.units[column] >= floor + 0.5 else children[::-1]:
            self._put(bound, child)


def _whole_node(cover: Cover) -> _Node:
    return _Node(cover.columns.lower.astype(np.float64), cover.columns.upper.astype(np.float64))


def _to_beat(cover: Cover, value: float) -> float:
    """Objective that a better plan must exceed: a whole one more where all are whole."""
    return value + (1 - FRACTION if cover.whole else ROUNDING * value)


def _fill(worth: FloatArray, node: _Node, units: int) -> tuple[FloatArray, float]:
    """Place the units by worth alone; also the worth of the last one placed."""
    placed = node.lower.copy()
    order = np.argsort(-worth, kind="stable")
    room = (node.upper - node.lower)[order]
    left = units - placed.sum()
    taken = np.clip(left - (np.cumsum(room) - room), 0, room)
    placed[order] += taken
    last = np.flatnonzero(taken > 0)
    margin = float(worth[order[last[-1]]]) if len(last) else float(worth.max(initial=0.0))
    return placed, margin


def _tightened(relaxed: _Relaxed, node: _Node, value: float) -> tuple[FloatArray, FloatArray]:
    """Bounds that every plan better than ``value`` keeps to.

    A unit more at a column takes the place of one worth ``margin`` or more at the prices, and one less gives
    its place to one worth no more: the bound falls by the difference for each.
    """
    free = relaxed.bound - value
    short = relaxed.margin - relaxed.worth
    allowed = np.floor(free / np.maximum(np.abs(short), 1e-300) + FRACTION)
    upper = np.where(short > 0, np.minimum(node.upper, node.lower + allowed), node.upper)
    lower = np.where(short < 0, np.maximum(node.lower, node.upper - allowed), node.lower)
    return lower, upper
