"""Search for nested lists: post 1 to p, so that k free units wait at the first k.

A row first reached at rank r of the list is covered whenever r or more units are free, so it is worth its
weight times the chance of that. The list of most worth is found by greedy choice and exchanges, and proven by
one integer program over all levels where that is small enough.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array, hstack, kron, vstack

from models.siting_cover import ROUNDING, SCALE, Cover
from models.siting_milp import LinearModel, solve_milp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MOST_MILP_COLUMNS = 40_000
MOST_ROUNDS = 60
BACKUP = 0.01
"""How much a second unit in reach counts beside the first where lists are otherwise equal."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Lists over the columns of a covering model.

    Attributes
    ----------
    cover
        The model; the units of its columns are the length of the list. Its floor holds for the whole list.
    chance
        (p,) probability that exactly 1, 2, ... p units are free.
    opening
        (c,) units at each column that stand before all others; none where empty.
    gains
        (levels,) part of its weight that a row gains by the first, second, ... unit that reaches it.
    """

    cover: Cover
    chance: FloatArray
    opening: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    gains: FloatArray = field(default_factory=lambda: np.ones(1))

    @cached_property
    def equals(self) -> "Ranking":
        """What settles lists of equal worth: coverage with all levels alike, then a second unit in reach."""
        p = len(self.chance)
        return Ranking(self.cover, np.full(p, 1 / p), self.opening, np.array([1.0, BACKUP]))

    def covered(self, order: IntArray) -> FloatArray:
        """(p,) weight covered by the first 1, 2, ... posts."""
        held = np.concatenate([[0.0], np.cumsum(self.gains)])[self._counts(order)]
        return np.array([math.fsum(level) for level in (self.cover.weight[:, None] * held).T])

    def value(self, order: IntArray) -> float:
        """Chance-weighted covered weight, the same for any order of the rows."""
        held = np.concatenate([[0.0], np.cumsum(self.gains)])[self._counts(order)]
        return math.fsum(self.cover.weight * (held @ self.chance))

    def score(self, order: IntArray) -> tuple[float, float]:
        """Value, and what settles equal ones."""
        return self.value(order), self.equals.value(order)

    def follows(self, order: IntArray) -> bool:
        """Whether the opening comes first and each group has its least share by the whole list."""
        columns = len(self.cover.columns.site)
        head = int(self.opening.sum())
        opened = not head or (np.bincount(order[:head], minlength=columns) == self.opening).all()
        return bool(opened) and self.cover.meets_floor(np.bincount(order, minlength=columns))

    def added(self, order: IntArray, rank: int) -> FloatArray:
        """(c,) worth of a unit at each column at this rank, beside the other posts of the list."""
        others = np.delete(order, rank)
        before = np.hstack([np.zeros((len(self.cover.weight), 1), dtype=np.int64), self._counts(others)])
        marginal = np.append(self.gains, 0.0)[before[:, rank:]]
        return np.asarray((self.cover.weight * (marginal @ self.chance[rank:])) @ self.cover.reach)

    def _counts(self, order: IntArray) -> IntArray:
        """(m, p) units that count at each row when the first 1, 2, ... posts are in use."""
        reached = (self.cover.reach[:, order] > 0).astype(np.int64)
        return np.asarray(np.minimum(reached.cumsum(axis=1), len(self.gains)))


def find_list(ranking: Ranking) -> IntArray:
    """(p,) columns of a good list that follows the rules on columns, by greedy choice and exchanges."""
    columns = ranking.cover.columns
    taken = np.zeros(len(columns.site), dtype=np.int64)
    order: list[int] = []
    for left in range(columns.units, 0, -1):
        must = np.maximum(columns.lower - taken, 0)
        owed = columns.need - int(taken[columns.kept].sum())
        needed = int(must[~columns.kept].sum()) + max(owed, int(must[columns.kept].sum()))
        allowed = taken < columns.upper
        if len(order) < ranking.opening.sum():
            allowed &= taken < ranking.opening
        elif left <= needed:
            allowed &= (must > 0) | (columns.kept & (owed > must[columns.kept].sum()))
        order.append(_next(ranking, taken, allowed))
        taken[order[-1]] += 1
    return improve_list(ranking, np.array(order, dtype=np.int64))


def order_units(ranking: Ranking, units: npt.ArrayLike) -> IntArray:
    """(p,) a good list of exactly these (c,) units at the columns of ``ranking.cover``."""
    given = np.asarray(units, dtype=np.float64).round().astype(np.int64)
    taken = np.zeros(len(given), dtype=np.int64)
    order: list[int] = []
    while len(order) < given.sum():
        first = len(order) < ranking.opening.sum()
        allowed = taken < (np.minimum(given, ranking.opening) if first else given)
        order.append(_next(ranking, taken, allowed))
        taken[order[-1]] += 1
    return improve_list(ranking, np.array(order, dtype=np.int64))


def improve_list(ranking: Ranking, order: IntArray) -> IntArray:
    """Exchange posts and ranks as long as the list gains, then take the lowest of equal sites."""
    score = ranking.score(order)
    for _ in range(MOST_ROUNDS):
        found = None
        for other in (*_with_another_post(ranking, order), *_reordered(ranking, order)):
            reached = ranking.score(other)
            if _better(reached, score):
                score, found = reached, other
        if found is None:
            break
        order = found
    return _lowest_sites(ranking, order)


def prove_list(
    ranking: Ranking, start: IntArray, *, time_limit_s: float | None
) -> tuple[IntArray, float] | None:
    """Find the best list by one integer program; None where the model is too large for that, or has no row.

    Variables: units at column j among the first k (whole), row i covered by the first k. Each level has one
    unit more than the one before, and all of its units; the last has each group's least share.

    Returns
    -------
    order, bound
        (p,) columns, and the proven bound on the value of every list.
    """
    cover, columns = ranking.cover, ranking.cover.columns
    m, c = cover.reach.shape
    p = columns.units
    if not m or p * (m + c) > MOST_MILP_COLUMNS:
        return None
    last = np.zeros((1, p * c))
    last[0, (p - 1) * c :] = columns.kept
    rows = [
        hstack([-kron(eye_array(p), csr_array(cover.reach)), eye_array(p * m)]),
        hstack([kron(eye_array(p), np.ones((1, c))), csr_array((p, p * m))]),
        hstack([csr_array(last), csr_array((1, p * m))]),
    ]
    low: list[FloatArray] = [np.full(p * m, -np.inf), np.arange(1.0, p + 1), np.array([float(columns.need)])]
    high: list[FloatArray] = [np.zeros(p * m), np.arange(1.0, p + 1), np.array([np.inf])]
    if p > 1:
        grows = kron(eye_array(p - 1, p, k=1) - eye_array(p - 1, p), eye_array(c))
        rows.append(hstack([grows, csr_array(((p - 1) * c, p * m))]))
        low.append(np.zeros((p - 1) * c))
        high.append(np.full((p - 1) * c, np.inf))
    if cover.floor > 0 and cover.n_groups:
        shares = cover.members.multiply(cover.weight[None]).multiply(1 / cover.group_weight[:, None])
        rows.append(hstack([csr_array((cover.n_groups, p * c + (p - 1) * m)), shares]))
        low.append(np.full(cover.n_groups, cover.floor * (1 - ROUNDING)))
        high.append(np.full(cover.n_groups, np.inf))
    least = np.zeros((p, c))
    least[-1] = columns.lower
    head = int(ranking.opening.sum())
    if head:
        least[head - 1 :] = np.maximum(least[head - 1 :], ranking.opening)
    scale = SCALE / (cover.weight.sum() * ranking.chance.sum())
    among = np.zeros((p, c))
    for rank, column in enumerate(start):
        among[rank:, column] += 1
    reached = (among @ cover.reach.T) > 0
    found = solve_milp(
        LinearModel(
            cost=np.concatenate([np.zeros(p * c), np.outer(ranking.chance, cover.weight).ravel() * scale]),
            lower=np.concatenate([least.ravel(), np.zeros(p * m)]),
            upper=np.concatenate([np.tile(columns.upper, p), np.ones(p * m)]),
            matrix=csr_array(vstack(rows)),
            row_lower=np.concatenate(low),
            row_upper=np.concatenate(high),
            integer=np.arange(p * (c + m)) < p * c,
            maximise=True,
        ),
        start=np.concatenate([among.ravel(), reached.ravel()]).astype(float),
        time_limit_s=time_limit_s,
    )
    if found is None:  # the start follows all rules
        raise AssertionError
    levels = found.values[: p * c].reshape(p, c).round()
    order = np.diff(levels, axis=0, prepend=0).argmax(axis=1)
    return order.astype(np.int64), found.bound / scale


def _next(ranking: Ranking, taken: IntArray, allowed: BoolArray) -> int:
    """Column that reaches most weight which those taken do not; of equals the lowest."""
    cover = ranking.cover
    unreached = ~(cover.reach[:, taken > 0] > 0).any(axis=1)
    return int(np.argmax(np.where(allowed, (cover.weight * unreached) @ cover.reach, -1.0)))


def _better(score: tuple[float, float], than: tuple[float, float]) -> bool:
    if abs(score[0] - than[0]) > ROUNDING * than[0]:
        return score[0] > than[0]
    return score[1] > than[1] * (1 + ROUNDING)


def _with_another_post(ranking: Ranking, order: IntArray) -> Iterator[IntArray]:
    """Give the list with the best other post at one rank, for each rank."""
    for rank in range(len(order)):
        allowed = np.flatnonzero(_may_stand(ranking, order, rank))
        first, second = ranking.added(order, rank), ranking.equals.added(order, rank)
        step = max(ROUNDING * ranking.value(order), 1e-300)
        for column in allowed[np.lexsort((-second[allowed], -np.round(first[allowed] / step)))]:
            if column == order[rank]:
                break
            other = _replaced(order, rank, int(column))
            if ranking.follows(other):
                yield other
                break


def _may_stand(ranking: Ranking, order: IntArray, rank: int) -> BoolArray:
    """(c,) columns that may stand at this rank beside the other posts."""
    columns, others = ranking.cover.columns, np.delete(order, rank)
    units = np.bincount(others, minlength=len(columns.site))
    here = order[rank]
    allowed: BoolArray = units < columns.upper
    if units[here] < columns.lower[here]:
        allowed = np.zeros(len(columns.site), dtype=bool)
    elif columns.kept[others].sum() < columns.need:
        allowed = allowed & columns.kept
    allowed[here] = True
    return allowed


def _reordered(ranking: Ranking, order: IntArray) -> Iterator[IntArray]:
    """Give the lists with one post at another rank."""
    for rank in range(len(order)):
        others = np.delete(order, rank)
        for other in range(len(order)):
            moved = np.insert(others, other, order[rank])
            if other != rank and ranking.follows(moved):
                yield moved


def _lowest_sites(ranking: Ranking, order: IntArray) -> IntArray:
    changed = True
    while changed:
        changed = False
        for rank in range(len(order))[::-1]:
            same = _may_stand(ranking, order, rank)
            for judge in (ranking, ranking.equals):
                added = judge.added(order, rank)
                same &= added >= added[order[rank]] - ROUNDING * judge.value(order)
            for column in np.flatnonzero(same[: order[rank]]):
                other = _replaced(order, rank, int(column))
                if ranking.follows(other):
                    order, changed = other, True
                    break
    return order


def _replaced(order: IntArray, rank: int, column: int) -> IntArray:
    changed = order.copy()
    changed[rank] = column
    return changed
