"""A compliance table: where the free units wait, for each number of free units.

The table is a nested list: with k units free, they wait at the first k posts. When a unit is called away, at
most one other moves: the one from the last post in use goes to the post that fell empty; when one comes free,
it takes the next post. Compliance tables: Gendreau, Laporte and Semet 2006 (Journal of the Operational
Research Society 57), whose model this is with no other moves allowed.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Unpack, cast

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.compliance_search import Ranking, find_list, improve_list, order_units, prove_list
from models.siting import Siting, solve_mclp
from models.siting_cover import ROUNDING, Cover, make_cover, solve_by_milp
from models.siting_merge import needed_columns
from models.siting_rules import (
    Fairness,
    RuleOptions,
    Rules,
    Sites,
    groups_in_reach,
    read_reach,
    read_rules,
    read_weight,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ListStatus = Literal["optimal", "not proven", "given"]

TIME_LIMIT_S = 30.0
_HEADLINE = "The list cannot be made"


@dataclass(frozen=True)
class Level:
    """Where the units wait while exactly k are free.

    Attributes
    ----------
    free_units
        k.
    chance
        Probability that exactly k units are free.
    sites
        The first k posts of the list, in its order.
    added
        The post that the k-th unit takes.
    covered
        Weight reached from these posts.
    gain
        Weight that the k-th unit adds: what this further post buys.
    free_sites, free_covered
        The best k posts if the list did not have to be nested, and the weight they reach.
    free_bound
        No k posts reach more than this.
    price
        What nesting costs at this level: ``free_covered - covered``.
    worst
        Smallest share of a group: its covered weight as a part of what some allowed post reaches of it; None
        without groups.
    """

    free_units: int
    chance: float
    sites: tuple[int, ...]
    added: int
    covered: float
    gain: float
    free_sites: tuple[int, ...]
    free_covered: float
    free_bound: float
    price: float
    worst: float | None = None


@dataclass(frozen=True)
class ComplianceTable:
    """A nested list and how good it is.

    Attributes
    ----------
    levels
        One for each number of free units, from 1.
    objective
        Covered weight, weighted by the chances of the levels: ``sum_k P(k) covered_k``.
    bound
        No nested list under the same rules has more.
    gap
        Distance to the bound as a part of the objective.
    seconds
        Time taken.
    status
        ``optimal`` where the gap is zero, else ``not proven``; ``given`` for a list that was only rated.
    total, unreachable
        Weight of all demand, and of the demand that no allowed post reaches.
    moves
        Units of the list that stand elsewhere than in the baseline; None without a baseline.
    floor
        Least share of each group that the whole list has to have.
    """

    levels: tuple[Level, ...]
    objective: float
    bound: float
    gap: float
    seconds: float
    status: ListStatus
    total: float
    unreachable: float
    moves: int | None = None
    floor: float = 0.0

    @property
    def sites(self) -> tuple[int, ...]:
        """The list, first post first."""
        return self.levels[-1].sites

    @property
    def price_of_nesting(self) -> float:
        """Chance-weighted weight that the best posts at each level, without nesting, would add."""
        return math.fsum(level.chance * level.price for level in self.levels)


class ListOptions(RuleOptions, total=False):
    """Rules of a list, as keyword options.

    Attributes
    ----------
    fixed_first
        Whether the units of ``fixed`` come before all others, so that these posts are the last to stand
        empty; else they stand at any place of the list.
    group
        (n_demand,) group of each row, such as its neighborhood; -1 for none.
    floor
        Least share of each group that the whole list must cover, of what any allowed post reaches of it.
    lift_worst
        Whether the worst group gets the largest share that the rules allow, before all else counts.
    """

    fixed_first: bool
    group: npt.ArrayLike | None
    floor: float
    lift_worst: bool


def solve_compliance(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    p: int,
    *,
    chance: npt.ArrayLike | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[float], None] | None = None,
    **options: Unpack[ListOptions],
) -> ComplianceTable:
    """Find the nested list that covers most, over the chances of the levels.

    Maximise ``sum_k P(k) covered(first k posts)``. Lists of equal worth are settled by the plain sum over the
    levels, then by the weight that a second unit reaches too, then by the lowest sites.

    Parameters
    ----------
    reach
        (n_demand, n_sites) true where the site reaches the demand in time.
    weight
        (n_demand,) calls or people, zero or more.
    p
        Length of the list, which is the number of units on duty.
    chance
        (p,) probability that exactly 1, 2, ... p units are free, or (p + 1,) from 0 units; from a queue
        model. Not given, all levels from 1 count alike.
    time_limit_s
        Seconds for the proof; after that the best list so far is returned with its bound.
    progress
        Called with the part done, from 0 to 1, between steps; what it raises ends the search.
    options
        ``fixed`` (posts that must be in the list, once for each unit), ``forbidden``, ``baseline`` and
        ``max_moves`` (how many units may stand elsewhere than today; the order is free), ``max_per_site``
        (1; a second unit at a post reaches nobody more while both are free), see `RuleOptions`;
        ``fixed_first, group, floor, lift_worst``, see `ListOptions`.

    Raises
    ------
    InvalidInputError
        If the arguments cannot be used or no list follows the rules; the text says why.
    """
    task = _read(reach, weight, p, chance, options)
    free = _free_optima(task, time_limit_s, progress)
    needed = needed_columns(task.cover.reach > 0, task.cover.columns, single=True)
    if options.get("lift_worst") and task.cover.n_groups:
        fairest = replace(task.cover, lift=1.0).take(needed)
        units = solve_by_milp(fairest, time_limit_s=time_limit_s).units
        task = task.with_floor(fairest.value(units) / math.fsum(fairest.weight))
    cover, columns = task.cover.take(needed), np.flatnonzero(needed)
    start: FloatArray | None = None
    if cover.equity:
        start = solve_by_milp(cover, time_limit_s=time_limit_s).units
    ranking = task.ranking(cover, columns)
    best = find_list(ranking) if start is None else order_units(ranking, start)
    proof = prove_list(ranking, best, time_limit_s=time_limit_s)
    whole = task.ranking(task.cover, np.arange(len(task.cover.columns.site)))
    bound = math.fsum(chance * plan.bound for chance, plan in zip(task.chance, free, strict=True))
    order = columns[best]
    if proof is not None:
        bound = min(bound, proof[1])
        proven = columns[proof[0]]
        if whole.follows(proven) and whole.value(proven) > whole.value(order):
            order = proven
    order = improve_list(whole, order)
    if progress is not None:
        progress(1.0)
    return task.table(order, free, bound, None)


def rate_list(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    sites: Sequence[int],
    *,
    chance: npt.ArrayLike | None = None,
    forbidden: Sites = (),
    max_per_site: int | None = 1,
    group: npt.ArrayLike | None = None,
    time_limit_s: float = TIME_LIMIT_S,
) -> ComplianceTable:
    """Rate a list in its order, such as today's, beside the best posts at each level.

    Parameters
    ----------
    sites
        The list, first post first; ``p`` of `solve_compliance` is its length.

    Notes
    -----
    The other parameters, and errors, are those of `solve_compliance`. ``forbidden`` holds for the best posts.
    """
    listed = [int(site) for site in sites]
    if max_per_site == 1 and len(set(listed)) != len(listed):
        raise InvalidInputError(f"{_HEADLINE}: a post stands twice in the list")
    options: ListOptions = {
        "fixed": listed,
        "forbidden": forbidden,
        "max_per_site": max_per_site,
        "group": group,
    }
    task = _read(reach, weight, len(listed), chance, options)
    free = _free_optima(task, time_limit_s, None)
    bound = math.fsum(chance * plan.bound for chance, plan in zip(task.chance, free, strict=True))
    order = np.searchsorted(task.cover.columns.site, np.array(listed))
    return task.table(order, free, bound, "given")


@dataclass(frozen=True, eq=False)
class _Task:
    """What a list is made from; the columns of the covering model are all allowed ones."""

    cover: Cover
    chance: FloatArray
    rules: Rules
    opening: IntArray
    total: float
    unreachable: float
    has_baseline: bool
    began: float

    def with_floor(self, floor: float) -> "_Task":
        """Ask each group for this share, if not for more already."""
        return replace(self, cover=replace(self.cover, floor=max(floor, self.cover.floor)))

    def ranking(self, cover: Cover, columns: IntArray) -> Ranking:
        """Rank lists over some of the columns."""
        return Ranking(cover, self.chance, self.opening[columns])

    def table(
        self, order: IntArray, free: Sequence[Siting], bound: float, status: ListStatus | None
    ) -> ComplianceTable:
        ranking = Ranking(self.cover, self.chance)
        covered = ranking.covered(order)
        sites = tuple(int(site) for site in self.cover.columns.site[order])
        levels = []
        for k, plan in enumerate(free, start=1):
            here = float(covered[k - 1])
            best = max(plan.objective, here)
            levels.append(
                Level(
                    free_units=k,
                    chance=float(self.chance[k - 1]),
                    sites=sites[:k],
                    added=sites[k - 1],
                    covered=here,
                    gain=here - float(covered[k - 2] if k > 1 else 0.0),
                    free_sites=plan.sites,
                    free_covered=best,
                    free_bound=max(plan.bound, best),
                    price=best - here,
                    worst=self._worst(order[:k]),
                )
            )
        objective = ranking.value(order)
        bound = objective if bound <= objective * (1 + ROUNDING) else bound
        units_at = np.bincount(np.array(sites), minlength=len(self.rules.upper))
        return ComplianceTable(
            levels=tuple(levels),
            objective=objective,
            bound=bound,
            gap=(bound - objective) / objective if objective else 0.0 if bound == objective else math.inf,
            seconds=time.perf_counter() - self.began,
            status=status or ("optimal" if bound == objective else "not proven"),
            total=self.total,
            unreachable=self.unreachable,
            moves=self.rules.moves(units_at) if self.has_baseline else None,
            floor=self.cover.floor,
        )

    def _worst(self, order: IntArray) -> float | None:
        cover = self.cover
        if not cover.n_groups:
            return None
        held = cover.weight * (cover.reach[:, order] > 0).any(axis=1)
        return float((np.asarray(cover.members @ held) / cover.group_weight).min())


def _read(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    p: int,
    chance: npt.ArrayLike | None,
    options: ListOptions,
) -> _Task:
    began = time.perf_counter()
    faults = Faults()
    table = read_reach(reach, faults)
    weights = read_weight(weight, len(table), faults)
    given = {name: value for name, value in options.items() if name in RuleOptions.__annotations__}
    rules = read_rules(table.shape[1], p, cast("RuleOptions", given), faults)
    levels = None if rules is None else _read_chance(chance, rules.units, faults)
    lift = bool(options.get("lift_worst"))
    fairness = Fairness(options.get("group"), float(lift), options.get("floor", 0.0))
    group = fairness.read(len(table), faults)
    faults.raise_as(InvalidInputError, _HEADLINE)
    if rules is None or levels is None:  # their faults were raised
        raise AssertionError
    columns = rules.columns()
    part = table[:, columns.site]
    used = part.any(axis=1) & (weights > 0)
    found = None if group is None else groups_in_reach(group[used])
    cover = make_cover(part[used], weights[used], np.ones(1), columns, found, floor=fairness.floor)
    opening = columns.lower if options.get("fixed_first") else np.zeros(len(columns.site), dtype=np.int64)
    return _Task(
        cover=cover,
        chance=levels,
        rules=rules,
        opening=opening,
        total=math.fsum(weights),
        unreachable=math.fsum(weights[~part.any(axis=1)]),
        has_baseline=options.get("baseline") is not None,
        began=began,
    )


def _read_chance(chance: npt.ArrayLike | None, p: int, faults: Faults) -> FloatArray | None:
    if chance is None:
        return np.full(p, 1 / p)
    try:
        given = np.asarray(chance, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.array(np.nan)
    if given.shape not in {(p,), (p + 1,)}:
        faults.add(f"chance must hold {p} probabilities, for 1 to {p} free units, or {p + 1} from 0")
        return None
    if not np.isfinite(given).all() or (given < 0).any() or given.sum() > 1 + 1e-6:
        faults.add("chance must hold probabilities: finite, zero or more, together at most 1")
        return None
    levels = given[-p:]
    faults.check(levels.sum() > 0, "chance gives no level with a free unit any probability")
    return levels


def _free_optima(
    task: _Task, time_limit_s: float, progress: Callable[[float], None] | None
) -> tuple[Siting, ...]:
    """Best 1, 2, ... p posts, each number for itself; of the rules only forbidden and full posts hold."""
    cover, p, rules = task.cover, len(task.chance), task.rules
    sites, first = np.unique(cover.columns.site, return_index=True)
    most = int(rules.upper.max())
    plans = []
    for k in range(1, p + 1):
        if len(cover.weight):
            plan = solve_mclp(
                cover.reach[:, first], cover.weight, k, max_per_site=most, time_limit_s=time_limit_s
            )
        else:
            filled = sorted(np.tile(np.arange(len(sites)), most)[:k])
            plan = Siting(tuple(filled), 0.0, 0.0, 0.0, 0.0, "optimal", 0.0)
        plans.append(replace(plan, sites=tuple(int(sites[site]) for site in plan.sites)))
        if progress is not None:
            progress(0.5 * k / p)
    return tuple(plans)
