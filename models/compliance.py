"""A compliance table: where the free units wait, for each number of free units.

The table is a nested list: with k units free, they wait at the first k posts. When a unit is called away, at
most one other moves: the one from the last post in use goes to the post that fell empty; when one comes free,
it takes the next post. Compliance tables: Gendreau, Laporte and Semet 2006 (Journal of the Operational
Research Society 57), whose model this is with no other moves allowed.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.compliance_search import Ranking, find_list, improve_list, prove_list
from models.siting import Siting, solve_mclp
from models.siting_cover import ROUNDING, Cover, make_cover
from models.siting_merge import needed_columns
from models.siting_rules import RuleOptions, Sites, read_reach, read_rules, read_weight

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
        Posts of the list that are not in the baseline (of as many as both have); None without a baseline.
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

    @property
    def sites(self) -> tuple[int, ...]:
        """The list, first post first."""
        return self.levels[-1].sites

    @property
    def price_of_nesting(self) -> float:
        """Chance-weighted weight that the best posts at each level, without nesting, would add."""
        return math.fsum(level.chance * level.price for level in self.levels)


@dataclass(frozen=True)
class MovesStep:
    """The best plan with at most this many moves from today's; the one before where more moves add nothing.

    Attributes
    ----------
    moves
        Most posts that may differ from today's.
    sites
        The plan; in its order where it is a list.
    left, entered
        Posts of today that it gives up, and its new ones.
    objective, bound
        Of the plan, and proven for all plans with as few moves.
    gain
        What this many moves add to one move less; to today's posts at the first step.
    """

    moves: int
    sites: tuple[int, ...]
    left: tuple[int, ...]
    entered: tuple[int, ...]
    objective: float
    bound: float
    gain: float


def solve_compliance(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    p: int,
    *,
    chance: npt.ArrayLike | None = None,
    fixed: Sites = (),
    forbidden: Sites = (),
    baseline: Sites | None = None,
    max_moves: int | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[float], None] | None = None,
) -> ComplianceTable:
    """Find the nested list that covers most, over the chances of the levels.

    Maximise ``sum_k P(k) covered(first k posts)``.

    Parameters
    ----------
    reach
        (n_demand, n_sites) true where the site reaches the demand in time.
    weight
        (n_demand,) calls or people, zero or more.
    p
        Posts in the list, which is the number of units on duty.
    chance
        (p,) probability that exactly 1, 2, ... p units are free, or (p + 1,) from 0 units; from a queue
        model. Not given, all levels from 1 count alike.
    fixed, forbidden
        Posts that must be in the list, at any place, and that must not.
    baseline, max_moves
        Posts of today's list, and how many posts of the new list may be others. Their order is free.
    time_limit_s
        Seconds for the proof; after that the best list so far is returned with its bound.
    progress
        Called with the part done, from 0 to 1, between steps; what it raises ends the search.

    Raises
    ------
    InvalidInputError
        If the arguments cannot be used or no list follows the rules; the text says why.
    """
    options: RuleOptions = {
        "fixed": fixed,
        "forbidden": forbidden,
        "baseline": baseline,
        "max_moves": max_moves,
    }
    task = _read(reach, weight, p, chance, options)
    free = _free_optima(task, time_limit_s, progress)
    cover = task.cover.take(needed_columns(task.cover.reach > 0, task.cover.columns, single=True))
    best = find_list(Ranking(cover, task.chance))
    proof = prove_list(Ranking(cover, task.chance), best, time_limit_s=time_limit_s)
    ranking = Ranking(task.cover, task.chance)
    bound = math.fsum(chance * plan.bound for chance, plan in zip(task.chance, free, strict=True))
    order = np.searchsorted(task.cover.columns.site, cover.columns.site[best])
    if proof is not None:
        proven = np.searchsorted(task.cover.columns.site, cover.columns.site[proof[0]])
        order = max(order, proven, key=ranking.value)
        bound = min(bound, proof[1])
    settled = improve_list(ranking, order)
    if ranking.value(settled) >= ranking.value(order) * (1 - ROUNDING):
        order = settled
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
    if len(set(listed)) != len(listed):
        raise InvalidInputError(f"{_HEADLINE}: a post stands twice in the list")
    options: RuleOptions = {"fixed": listed, "forbidden": forbidden}
    task = _read(reach, weight, len(listed), chance, options)
    free = _free_optima(task, time_limit_s, None)
    bound = math.fsum(chance * plan.bound for chance, plan in zip(task.chance, free, strict=True))
    order = np.searchsorted(task.cover.columns.site, np.array(listed))
    return task.table(order, free, bound, "given")


def moves_curve(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    baseline: Sequence[int],
    *,
    chance: npt.ArrayLike | None = None,
    fixed: Sites = (),
    forbidden: Sites = (),
    most: int | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[float], None] | None = None,
) -> tuple[MovesStep, ...]:
    """Find which few moves matter most: the best plan with at most 0, 1, 2, ... moves from today's.

    Parameters
    ----------
    baseline
        Today's posts; the plans have as many.
    chance
        As in `solve_compliance`: the plans are then nested lists over these chances. Not given, they are
        judged with all units free, by `solve_mclp`.
    most
        Most moves to try; as many as there are posts when not given.
    time_limit_s
        Seconds for each plan.

    Notes
    -----
    The other parameters, and errors, are those of `solve_compliance`.
    """
    p = len(baseline)
    last = p if most is None else min(most, p)
    steps: list[MovesStep] = []
    for moves in range(last + 1):
        plan: Siting | ComplianceTable
        if chance is None:
            plan = solve_mclp(
                reach,
                weight,
                p,
                time_limit_s=time_limit_s,
                fixed=fixed,
                forbidden=forbidden,
                baseline=baseline,
                max_moves=moves,
            )
        else:
            plan = solve_compliance(
                reach,
                weight,
                p,
                chance=chance,
                fixed=fixed,
                forbidden=forbidden,
                baseline=baseline,
                max_moves=moves,
                time_limit_s=time_limit_s,
            )
        before = steps[-1] if steps else None
        better = before is None or plan.objective > before.objective * (1 + ROUNDING)
        sites = plan.sites if before is None or better else before.sites
        steps.append(
            MovesStep(
                moves=moves,
                sites=sites,
                left=tuple(sorted(set(baseline) - set(sites))),
                entered=tuple(sorted(set(sites) - set(baseline))),
                objective=plan.objective,
                bound=plan.bound,
                gain=plan.objective - before.objective if before is not None else 0.0,
            )
        )
        if progress is not None:
            progress((moves + 1) / (last + 1))
    return tuple(steps)


def how_often_chosen(plans: Sequence[Sequence[int]], n_sites: int) -> FloatArray:
    """(n_sites,) share of the plans that use each site, such as the best under some speeds and demands."""
    if not plans:
        raise InvalidInputError("There are no plans to count")
    used = np.zeros(n_sites)
    for plan in plans:
        used[sorted(set(plan))] += 1
    return used / len(plans)


@dataclass(frozen=True, eq=False)
class _Task:
    cover: Cover
    chance: FloatArray
    total: float
    unreachable: float
    baseline: frozenset[int] | None
    began: float

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
                    free_sites=tuple(int(self.cover.columns.site[site]) for site in plan.sites),
                    free_covered=best,
                    free_bound=max(plan.bound, best),
                    price=best - here,
                )
            )
        objective = ranking.value(order)
        bound = objective if bound <= objective * (1 + ROUNDING) else bound
        p = len(order)
        shared = None if self.baseline is None else len(self.baseline & set(sites))
        return ComplianceTable(
            levels=tuple(levels),
            objective=objective,
            bound=bound,
            gap=(bound - objective) / objective if objective else 0.0 if bound == objective else math.inf,
            seconds=time.perf_counter() - self.began,
            status=status or ("optimal" if bound == objective else "not proven"),
            total=self.total,
            unreachable=self.unreachable,
            moves=None if shared is None else min(p, len(self.baseline or ())) - shared,
        )


def _read(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    p: int,
    chance: npt.ArrayLike | None,
    options: RuleOptions,
) -> _Task:
    began = time.perf_counter()
    faults = Faults()
    table = read_reach(reach, faults)
    weights = read_weight(weight, len(table), faults)
    rules = read_rules(table.shape[1], p, options, faults)
    levels = None if rules is None else _read_chance(chance, rules.units, faults)
    faults.raise_as(InvalidInputError, _HEADLINE)
    if rules is None or levels is None:  # their faults were raised
        raise AssertionError
    columns = rules.columns()
    part = table[:, columns.site]
    used = part.any(axis=1) & (weights > 0)
    cover = make_cover(part[used], weights[used], np.ones(1), columns)
    given = options.get("baseline")
    baseline = None if given is None else frozenset(np.flatnonzero(rules.baseline).tolist())
    return _Task(
        cover=cover,
        chance=levels,
        total=math.fsum(weights),
        unreachable=math.fsum(weights[~part.any(axis=1)]),
        baseline=baseline,
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
    """Best 1, 2, ... p posts, each number for itself and without other rules; sites as columns."""
    cover, p = task.cover, len(task.chance)
    plans = []
    for k in range(1, p + 1):
        if len(cover.weight):
            plans.append(solve_mclp(cover.reach, cover.weight, k, time_limit_s=time_limit_s))
        else:
            plans.append(Siting(tuple(range(k)), 0.0, 0.0, 0.0, 0.0, "optimal", 0.0))
        if progress is not None:
            progress(0.5 * k / p)
    return tuple(plans)
