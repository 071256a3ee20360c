"""The covering model behind MCLP and MEXCLP: value of a plan, a good start, and the integer program.

Each row of demand gains by every unit that reaches it, each time less: by one unit only in MCLP (Church and
ReVelle 1974), by ``(1 - busy) busy^(k-1)`` from the k-th in MEXCLP (Daskin 1983).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack, vstack

from models.siting_merge import merge_rows, sum_by
from models.siting_milp import LinearModel, Status, solve_milp
from models.siting_rules import Columns, infeasible

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ROUNDING = 1e-9
"""Differences of objectives below this part of them are rounding."""
SCALE = 1e4
"""Weights that are no whole numbers sum to this inside HiGHS, whose tolerances are absolute."""
MOST_EXCHANGES = 40


@dataclass(frozen=True, eq=False)
class Cover:
    """A covering model, its rows merged.

    Attributes
    ----------
    reach
        (m, c) 1.0 where a column reaches a row.
    weight
        (m,) of the rows.
    gains
        (levels,) part of its weight that a row gains by the first, second, ... unit; falling.
    columns
        What may be decided.
    group
        (m,) group of each row, -1 for none.
    n_groups
        Number of groups.
    lift
        From 0 to 1: how much the worst group's share counts beside the whole.
    floor
        Least share of each group's weight.
    """

    reach: FloatArray
    weight: FloatArray
    gains: FloatArray
    columns: Columns
    group: IntArray
    n_groups: int = 0
    lift: float = 0.0
    floor: float = 0.0

    @cached_property
    def worth(self) -> FloatArray:
        """(levels + 1,) part of its weight that a row has with 0, 1, 2, ... units."""
        return np.concatenate([[0.0], np.cumsum(self.gains)])

    @cached_property
    def marginal(self) -> FloatArray:
        """(levels + 1,) part of its weight that a row with 0, 1, 2, ... units gains by one more."""
        return np.concatenate([self.gains, [0.0]])

    @property
    def equity(self) -> bool:
        """Whether groups matter."""
        return self.n_groups > 0 and (self.lift > 0 or self.floor > 0)

    @property
    def whole(self) -> bool:
        """Whether every objective is a whole number."""
        single = len(self.gains) == 1 and self.gains[0] == 1
        return bool(single and not self.equity and (self.weight == np.floor(self.weight)).all())

    @cached_property
    def members(self) -> csr_array:
        """(n_groups, m) 1.0 where a row lies in a group."""
        inside = np.flatnonzero(self.group >= 0)
        return csr_array(
            (np.ones(len(inside)), (self.group[inside], inside)), shape=(self.n_groups, len(self.weight))
        )

    @cached_property
    def group_weight(self) -> FloatArray:
        """(n_groups,) weight of each group."""
        return np.asarray(self.members @ self.weight)

    def level(self, units: npt.ArrayLike) -> IntArray:
        """(m,) number of units that count at each row: those that reach it, at most the levels."""
        counts = (self.reach @ np.asarray(units, dtype=np.float64)).round().astype(np.int64)
        return np.minimum(counts, len(self.gains))

    def value(self, units: npt.ArrayLike) -> float:
        """Objective of (c,) units, the same for any order of the rows."""
        held = self.weight * self.worth[self.level(units)]
        covered = math.fsum(held)
        if not self.equity:
            return covered
        worst = float((np.asarray(self.members @ held) / self.group_weight).min())
        return (1 - self.lift) * covered + self.lift * math.fsum(self.weight) * worst

    def added(self, units: FloatArray) -> FloatArray:
        """(c,) objective with one unit more at each column, up to a constant where no group matters."""
        level = self.level(units)
        gain = self.weight * self.marginal[level]
        if not self.equity:
            return np.asarray(gain @ self.reach)
        held = self.weight * self.worth[level]
        shares = np.asarray(self.members @ held)[:, None] + self.members @ (gain[:, None] * self.reach)
        worst = (shares / self.group_weight[:, None]).min(axis=0)
        whole = held.sum() + gain @ self.reach
        return np.asarray((1 - self.lift) * whole + self.lift * self.weight.sum() * worst)

    def meets_floor(self, units: npt.ArrayLike) -> bool:
        """Whether each group has its least share."""
        if self.floor <= 0 or not self.n_groups:
            return True
        held = np.asarray(self.members @ (self.weight * self.worth[self.level(units)]))
        return bool((held >= self.floor * self.group_weight * (1 - ROUNDING)).all())

    def take(self, chosen: BoolArray) -> "Cover":
        """Return the model of the chosen columns alone; rows that become alike are merged."""
        reach = self.reach[:, chosen] > 0
        first, member = merge_rows(reach, self.group if self.equity else None)
        weight = sum_by(member, self.weight, len(first))
        held = reach[first].any(axis=1)
        return replace(
            self,
            reach=reach[first][held].astype(np.float64),
            weight=weight[held],
            group=self.group[first][held],
            columns=self.columns.take(chosen),
        )


@dataclass(frozen=True, eq=False)
class CoverAnswer:
    """(c,) units at each column, the bound on every plan's objective, and how the search ended."""

    units: FloatArray
    bound: float
    status: Status


def gains(busy: float, units: int) -> FloatArray:
    """(levels,) part of its weight that a row gains by the first, second, ... unit (Daskin 1983)."""
    return np.ones(1) if busy == 0 else (1 - busy) * busy ** np.arange(units, dtype=np.float64)


def make_cover(
    reach: BoolArray,
    weight: FloatArray,
    gains: FloatArray,
    columns: Columns,
    group: IntArray | None = None,
    *,
    lift: float = 0.0,
    floor: float = 0.0,
) -> Cover:
    """Merge rows that the same columns reach.

    Parameters
    ----------
    reach
        (n, c) which columns reach each row.
    weight
        (n,) of the rows, above zero.
    gains, columns, lift, floor
        As in `Cover`.
    group
        (n,) group of each row, from 0 without a hole, -1 for none.
    """
    first, member = merge_rows(reach, group)
    return Cover(
        reach=reach[first].astype(np.float64),
        weight=sum_by(member, weight, len(first)),
        gains=gains,
        columns=columns,
        group=np.full(len(first), -1, dtype=np.int64) if group is None else group[first],
        n_groups=0 if group is None else int(group.max(initial=-1)) + 1,
        lift=lift,
        floor=floor,
    )


def good_start(cover: Cover) -> FloatArray:
    """(c,) a plan by adding the best unit each time, then by the best exchanges of one unit.

    It follows the rules on columns, but may miss a group's least share. Of equals the lowest column is taken.
    """
    columns = cover.columns
    units = columns.lower.astype(np.float64)
    while units.sum() < columns.units:
        left = columns.units - units.sum()
        owed = columns.need - units[columns.kept].sum()
        allowed = (units < columns.upper) & (columns.kept | (left > owed))
        units[_first_best(np.where(allowed, cover.added(units), -np.inf))] += 1
    slack = ROUNDING * max(cover.value(units), 1e-300)
    for _ in range(MOST_EXCHANGES):
        found = _best_exchange(cover, units)
        if found is None or cover.value(found) <= cover.value(units) + slack:
            break
        units = found
    return units


def prefer_low_sites(cover: Cover, units: FloatArray) -> FloatArray:
    """Exchange single units for lower columns as long as the objective stays the same."""
    slack = ROUNDING * max(cover.value(units), 1e-300)
    changed = True
    while changed:
        changed = False
        for column in np.flatnonzero(units > cover.columns.lower)[::-1]:
            without = units.copy()
            without[column] -= 1
            added = cover.added(without)
            same = _may_replace(cover.columns, units, int(column)) & (added >= added[column] - slack)
            for other in np.flatnonzero(same[:column]):
                changed_units = without.copy()
                changed_units[other] += 1
                if cover.meets_floor(changed_units):
                    units, changed = changed_units, True
                    break
    return units


def solve_by_milp(cover: Cover, *, time_limit_s: float | None) -> CoverAnswer:
    """Solve as one integer program.

    Variables: units at each column (whole), levels held at each row (0 to 1), the worst share where groups
    matter. Rows: levels held are no more than the units that reach; units in all; units that stay; each
    group's share.

    Raises
    ------
    InvalidInputError
        If no plan gives each group its least share.
    """
    model, scale = _model(cover)
    start = good_start(cover)
    begin = _variables(cover, start) if cover.meets_floor(start) else None
    found = solve_milp(model, start=begin, time_limit_s=time_limit_s)
    if found is None:
        raise infeasible(_too_high_a_floor(cover, time_limit_s))
    units = found.values[: cover.reach.shape[1]].round()
    if begin is not None and cover.value(start) > cover.value(units):
        units = start
    return CoverAnswer(units, found.bound / scale, found.status)


def _too_high_a_floor(cover: Cover, time_limit_s: float | None) -> str:
    best = solve_by_milp(replace(cover, floor=0.0, lift=1.0), time_limit_s=time_limit_s)
    total = math.fsum(cover.weight)
    return (
        f"the least share of each group is set to {cover.floor:.1%}, but the worst group cannot get more "
        f"than {max(0.0, best.bound) / total:.1%}; lower it, or place more units"
    )


def _model(cover: Cover) -> tuple[LinearModel, float]:
    m, c = cover.reach.shape
    columns = cover.columns
    total = cover.weight.sum()
    scale = 1.0 if cover.whole and total < 1e7 else SCALE / total
    weight = cover.weight * scale
    reachable = np.minimum(cover.reach @ columns.upper, columns.units)
    used = [np.flatnonzero(reachable > level) for level in range(len(cover.gains))]
    row = np.concatenate(used)
    gain = np.concatenate([weight[rows] * cover.gains[level] for level, rows in enumerate(used)])
    n_levels, n_shares = len(row), int(cover.equity)
    held = csr_array((np.ones(n_levels), (row, np.arange(n_levels))), shape=(m, n_levels))
    blocks = [
        hstack([csr_array(-cover.reach), held, csr_array((m, n_shares))]),
        hstack([csr_array(np.ones((1, c))), csr_array((1, n_levels + n_shares))]),
    ]
    low, high = [np.full(m, -np.inf), np.array([columns.units])], [np.zeros(m), np.array([columns.units])]
    if columns.need:
        blocks.append(
            hstack([csr_array(columns.kept[None].astype(float)), csr_array((1, n_levels + n_shares))])
        )
        low.append(np.array([columns.need]))
        high.append(np.array([np.inf]))
    if cover.equity:
        sizes = cover.group_weight * scale
        in_group = (
            cover.members
            @ held
            @ csr_array((gain, (np.arange(n_levels), np.arange(n_levels))), shape=(n_levels, n_levels))
        )
        blocks.append(hstack([csr_array((cover.n_groups, c)), in_group, csr_array(-sizes[:, None])]))
        low.append(np.zeros(cover.n_groups))
        high.append(np.full(cover.n_groups, np.inf))
    model = LinearModel(
        cost=np.concatenate([np.zeros(c), (1 - cover.lift) * gain, [cover.lift * total * scale] * n_shares]),
        lower=np.concatenate([columns.lower, np.zeros(n_levels), [cover.floor] * n_shares]),
        upper=np.concatenate([columns.upper, np.ones(n_levels + n_shares)]),
        matrix=vstack(blocks).tocsr(),
        row_lower=np.concatenate(low),
        row_upper=np.concatenate(high),
        integer=np.arange(c + n_levels + n_shares) < c,
        maximise=True,
    )
    return model, scale


def _variables(cover: Cover, units: FloatArray) -> FloatArray:
    columns = cover.columns
    level = cover.level(units)
    reachable = np.minimum(cover.reach @ columns.upper, columns.units)
    held = [(level > at)[reachable > at] for at in range(len(cover.gains))]
    shares: list[float] = []
    if cover.equity:
        covered = np.asarray(cover.members @ (cover.weight * cover.worth[level]))
        shares = [float((covered / cover.group_weight).min())]
    return np.concatenate([units, *held, shares]).astype(np.float64)


def _best_exchange(cover: Cover, units: FloatArray) -> FloatArray | None:
    best, found = -np.inf, None
    for column in np.flatnonzero(units > cover.columns.lower):
        without = units.copy()
        without[column] -= 1
        added = cover.added(without)
        allowed = _may_replace(cover.columns, units, int(column))
        allowed[column] = False
        gain = np.where(allowed, added - (0.0 if cover.equity else added[column]), -np.inf)
        other = _first_best(gain)
        if gain[other] > best:
            best, found = float(gain[other]), without
            found[other] += 1
    return found


def _may_replace(columns: Columns, units: FloatArray, column: int) -> BoolArray:
    """Columns that may take a unit from this one."""
    spare = units[columns.kept].sum() - columns.need
    allowed: BoolArray = (units < columns.upper) & (
        columns.kept | bool(spare > 0) | (not columns.kept[column])
    )
    allowed[column] = True
    return allowed


def _first_best(values: FloatArray) -> int:
    """Lowest position of the largest value, up to rounding."""
    top = values.max()
    return int(np.flatnonzero(values >= top - ROUNDING * abs(top))[0])
