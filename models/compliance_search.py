"""Search for nested lists: post 1 to p, so that k free units wait at the first k.

A row first reached at rank r of the list is covered whenever r or more units are free, so it is worth its
weight times the chance of that. The list of most worth is found by greedy choice and exchanges, and proven by
one integer program over all levels where that is small enough.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array, hstack, kron, vstack

from models.siting_cover import ROUNDING, SCALE, Cover
from models.siting_milp import LinearModel, solve_milp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_MILP_COLUMNS = 40_000
MOST_ROUNDS = 60
SECOND = 1e-6
"""How much the plain sum over all levels counts beside the chances."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Lists over the columns of a covering model with single coverage.

    Attributes
    ----------
    cover
        The model; its columns hold one unit each, its units are the length of the list.
    chance
        (p,) probability that exactly 1, 2, ... p units are free.
    """

    cover: Cover
    chance: FloatArray

    @cached_property
    def worth(self) -> FloatArray:
        """(p + 1,) chance that at least 1, 2, ... p units are free, then 0 for rows never reached."""
        return np.concatenate([np.cumsum(self.chance[::-1])[::-1], [0.0]])

    def first(self, order: IntArray) -> IntArray:
        """(m,) rank, from 0, at which each row is first reached; p where never."""
        reached = self.cover.reach[:, order] > 0
        ranks = np.where(reached, np.arange(len(order)), len(order))
        return np.asarray(ranks.min(axis=1, initial=len(order)), dtype=np.int64)

    def covered(self, order: IntArray) -> FloatArray:
        """(p,) weight covered by the first 1, 2, ... p posts."""
        by_rank = np.bincount(self.first(order), self.cover.weight, minlength=len(order) + 1)
        return np.cumsum(by_rank[:-1])

    def value(self, order: IntArray) -> float:
        """Chance-weighted covered weight, the same for any order of the rows."""
        return math.fsum(self.cover.weight * self.worth[self.first(order)])


def find_list(ranking: Ranking) -> IntArray:
    """(p,) columns of a good list that follows the rules, by greedy choice and exchanges."""
    cover, columns = ranking.cover, ranking.cover.columns
    taken = np.zeros(len(columns.site), dtype=bool)
    order: list[int] = []
    for left in range(columns.units, 0, -1):
        must = (columns.lower > 0) & ~taken
        owed = columns.need - int(columns.kept[taken].sum())
        needed = int((must & ~columns.kept).sum()) + max(owed, int((must & columns.kept).sum()))
        allowed = ~taken
        if left <= needed:
            allowed &= must | (columns.kept & (owed > (must & columns.kept).sum()))
        unreached = ~(cover.reach[:, taken] > 0).any(axis=1)
        gain = np.where(allowed, (cover.weight * unreached) @ cover.reach, -1.0)
        order.append(int(np.argmax(gain)))
        taken[order[-1]] = True
    return improve_list(ranking, np.array(order, dtype=np.int64))


def improve_list(ranking: Ranking, order: IntArray) -> IntArray:
    """Exchange posts and ranks as long as the list gains, then take the lowest of equal sites.

    Posts that the chances leave equal are ordered by the plain sum of coverage over all levels.
    """
    even = np.full(len(order), SECOND * ranking.worth[0] / len(order))
    both = Ranking(ranking.cover, ranking.chance + even)
    for _ in range(MOST_ROUNDS):
        value, found = both.value(order), None
        for other in (*_with_another_post(both, order), *_reordered(order)):
            if both.value(other) > value * (1 + ROUNDING):
                value, found = both.value(other), other
        if found is None:
            break
        order = found
    return _lowest_sites(both, order)


def prove_list(
    ranking: Ranking, start: IntArray, *, time_limit_s: float | None
) -> tuple[IntArray, float] | None:
    """Find the best list by one integer program; None where the model is too large for that, or has no row.

    Variables: post j among the first k (whole), row i covered by the first k. Each level has one post more
    than the one before, and all of its posts.

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
    least = np.zeros((p, c))
    least[-1] = columns.lower
    scale = SCALE / (cover.weight.sum() * ranking.chance.sum())
    among = np.zeros((p, c))
    for rank, column in enumerate(start):
        among[rank:, column] = 1
    first = ranking.first(start)
    found = solve_milp(
        LinearModel(
            cost=np.concatenate([np.zeros(p * c), np.outer(ranking.chance, cover.weight).ravel() * scale]),
            lower=np.concatenate([least.ravel(), np.zeros(p * m)]),
            upper=np.ones(p * (c + m)),
            matrix=csr_array(vstack(rows)),
            row_lower=np.concatenate(low),
            row_upper=np.concatenate(high),
            integer=np.arange(p * (c + m)) < p * c,
            maximise=True,
        ),
        start=np.concatenate([among.ravel(), (first[None, :] <= np.arange(p)[:, None]).ravel()]).astype(
            float
        ),
        time_limit_s=time_limit_s,
    )
    if found is None:  # the start follows all rules
        raise AssertionError
    levels = found.values[: p * c].reshape(p, c).round()
    order = np.diff(levels, axis=0, prepend=0).argmax(axis=1)
    return order.astype(np.int64), found.bound / scale


def _with_another_post(ranking: Ranking, order: IntArray) -> Iterator[IntArray]:
    """Give the list with the best other post at one rank, for each rank."""
    for rank in range(len(order)):
        gain = _gain_at(ranking, order, rank)
        if np.isfinite(gain).any():
            yield _replaced(order, rank, int(np.argmax(gain)))


def _gain_at(ranking: Ranking, order: IntArray, rank: int) -> FloatArray:
    """(c,) worth added by each column at this rank beside the other posts; -inf where it may not stand."""
    cover, columns = ranking.cover, ranking.cover.columns
    others = np.delete(order, rank)
    first = ranking.first(others)
    first = np.where(first >= rank, first + 1, first)
    added = cover.weight * np.maximum(ranking.worth[rank] - ranking.worth[first], 0)
    allowed = np.ones(len(columns.site), dtype=bool)
    if columns.lower[order[rank]] > 0:
        allowed[:] = False
    elif columns.kept[others].sum() < columns.need:
        allowed = columns.kept.copy()
    allowed[others] = False
    allowed[order[rank]] = True
    return np.where(allowed, added @ cover.reach, -np.inf)


def _reordered(order: IntArray) -> Iterator[IntArray]:
    """Give the lists with one post at another rank."""
    for rank in range(len(order)):
        others = np.delete(order, rank)
        for other in range(len(order)):
            if other != rank:
                yield np.insert(others, other, order[rank])


def _lowest_sites(ranking: Ranking, order: IntArray) -> IntArray:
    changed = True
    while changed:
        changed = False
        for rank in range(len(order))[::-1]:
            gain = _gain_at(ranking, order, rank)
            now = gain[order[rank]]
            same = np.flatnonzero(gain >= now - ROUNDING * ranking.value(order))
            if same[0] < order[rank]:
                order, changed = _replaced(order, rank, int(same[0])), True
    return order


def _replaced(order: IntArray, rank: int, column: int) -> IntArray:
    changed = order.copy()
    changed[rank] = column
    return changed
