"""Where units should wait: five classic models, solved to proof with HiGHS, under the rules a planner sets.

All take ``reach`` (n_demand, n_sites), true where a site reaches a demand in time, or ``cost`` (n_demand,
n_sites), and give a `Siting`. Demand that is reached by the same sites is merged before solving, and sites
that others replace are left out where that is safe; neither changes the answer.
"""

import math
import time
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.siting_branch import solve_by_branching
from models.siting_center import farthest, fewest_sites, shortest_reach
from models.siting_center import prefer_low_sites as prefer_low_centers
from models.siting_cover import (
    ROUNDING,
    Cover,
    CoverAnswer,
    gains,
    good_start,
    make_cover,
    prefer_low_sites,
    solve_by_milp,
)
from models.siting_median import Median, solve_median
from models.siting_merge import needed_columns, sum_by
from models.siting_milp import Status
from models.siting_rules import (
    Columns,
    Fairness,
    RuleOptions,
    Rules,
    Sites,
    as_sites,
    groups_in_reach,
    infeasible,
    read_cost,
    read_reach,
    read_rules,
    read_weight,
    units_per_site,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_MILP_COLUMNS = 6000
"""With more levels of rows than this, branching on small linear programs beats one integer program."""


@dataclass(frozen=True)
class Siting:
    """A plan and how good it is.

    Attributes
    ----------
    sites
        Sites, 0-based, ascending; a site with several units comes once for each.
    objective
        Covered weight (MCLP), expected covered weight (MEXCLP), weighted cost (p-median), largest cost
        (p-center) or number of sites (LSCP).
    bound
        No plan under the same rules has a better objective than this.
    gap
        Distance from the objective to the bound as a part of the objective; zero where the plan is proven.
    seconds
        Time taken, with checking and merging.
    status
        ``optimal``, or ``time limit`` where the time was up before the proof.
    unreachable
        Weight of the demand that no allowed site reaches (its number of rows in LSCP and p-center). It is
        left out of the plan, and out of the objective of p-median and p-center.
    moves
        Units that stand elsewhere than in the baseline; None without a baseline.
    """

    sites: tuple[int, ...]
    objective: float
    bound: float
    gap: float
    seconds: float
    status: Status
    unreachable: float
    moves: int | None = None


def solve_mclp(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    p: int,
    *,
    group: npt.ArrayLike | None = None,
    lift: float = 0.0,
    floor: float = 0.0,
    time_limit_s: float | None = None,
    **rules: Unpack[RuleOptions],
) -> Siting:
    """Place p units so that most weight is reached (maximal covering location problem).

    Maximise ``sum_i w_i y_i`` with ``y_i <= sum_j a_ij x_j``, ``sum_j x_j = p``, x whole, ``0 <= y <= 1``.
    Source: Church and ReVelle 1974, Papers of the Regional Science Association 32.

    Parameters
    ----------
    reach
        (n_demand, n_sites) true where the site reaches the demand in time.
    weight
        (n_demand,) calls or people, zero or more.
    p
        Units to place.
    group, lift, floor
        (n_demand,) group of each row (a neighborhood; -1 for none), and what is asked for the groups that
        some allowed site reaches. A group's share is its covered weight divided by what of it can be reached.
        ``lift`` from 0 to 1 maximises ``(1 - lift) * covered + lift * reachable weight * worst share``.
        ``floor`` is the least share of each group.
    time_limit_s
        Seconds after which the best plan so far is returned with its bound.
    rules
        ``fixed, forbidden, baseline, max_moves, max_per_site`` (1), see `RuleOptions`.

    Raises
    ------
    InvalidInputError
        If the arguments cannot be used or no plan follows the rules; the text says why.
    """
    fairness = Fairness(group, lift, floor)
    return _solve_cover(reach, weight, p, busy=0.0, fairness=fairness, limit_s=time_limit_s, options=rules)


def solve_mexclp(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    units: int,
    busy: float,
    *,
    group: npt.ArrayLike | None = None,
    lift: float = 0.0,
    floor: float = 0.0,
    time_limit_s: float | None = None,
    **rules: Unpack[RuleOptions],
) -> Siting:
    """Place units that are busy for a part of the time, so that most weight is expected to be reached.

    Maximise ``sum_i w_i (1 - busy^n_i)``, where n_i units reach demand i and each is busy with the same
    probability, independently of the others. Source: Daskin 1983, Transportation Science 17. As there,
    several units may wait at one site, unless ``max_per_site`` says otherwise.

    Parameters
    ----------
    reach
        (n_demand, n_sites) true where the site reaches the demand in time.
    weight
        (n_demand,) calls or people, zero or more.
    units
        Units to place.
    busy
        Probability that a unit is busy, from 0 to below 1.
    group, lift, floor, time_limit_s
        As in `solve_mclp`; a group's share is its expected covered weight divided by what of it can be
        reached.
    rules
        ``fixed, forbidden, baseline, max_moves, max_per_site`` (None: no limit), see `RuleOptions`.

    Raises
    ------
    InvalidInputError
        If the arguments cannot be used or no plan follows the rules; the text says why.
    """
    if not 0 <= busy < 1:
        raise InvalidInputError(
            f"The siting cannot be solved: busy is a probability from 0 to below 1, not {busy!r}"
        )
    rules.setdefault("max_per_site", None)
    fairness = Fairness(group, lift, floor)
    return _solve_cover(
        reach, weight, units, busy=busy, fairness=fairness, limit_s=time_limit_s, options=rules
    )


def solve_p_median(
    cost: npt.ArrayLike,
    weight: npt.ArrayLike,
    p: int,
    *,
    time_limit_s: float | None = None,
    **rules: Unpack[RuleOptions],
) -> Siting:
    """Place p units so that the weighted cost of serving each demand from its nearest unit is least.

    Minimise ``sum_i w_i min_j c_ij`` over the sites j in use. Source: Hakimi 1964, Operations Research 12;
    ReVelle and Swain 1970, Geographical Analysis 2.

    Parameters
    ----------
    cost
        (n_demand, n_sites) zero or more, such as seconds of driving; infinite where a site does not reach.
        Every demand that an allowed site reaches must then be reached.
    weight
        (n_demand,) calls or people, zero or more.
    p
        Units to place.
    time_limit_s, rules
        As in `solve_mclp`.

    Raises
    ------
    InvalidInputError
        If the arguments cannot be used or no plan follows the rules; the text says why.
    """
    began = time.perf_counter()
    faults = Faults()
    costs = read_cost(cost, faults)
    weights = read_weight(weight, len(costs), faults)
    task = _task(costs.shape[1], p, rules, faults, began=began, limit_s=time_limit_s)
    table = costs[:, task.columns.site]
    reached = np.isfinite(table).any(axis=1)
    task = replace(task, unreachable=math.fsum(weights[~reached]))
    used = reached & (weights > 0)
    if not used.any():
        return task.idle()
    rows, member = np.unique(table[used], axis=0, return_inverse=True)
    median = Median(rows, sum_by(member.ravel(), weights[used], len(rows)), task.columns)
    answer = solve_median(median, time_limit_s=time_limit_s)
    units = median.prefer_low_sites(answer.units)
    return task.result(units, median.value(units), answer.bound, answer.status)


def solve_p_center(
    cost: npt.ArrayLike,
    p: int,
    *,
    time_limit_s: float | None = None,
    **rules: Unpack[RuleOptions],
) -> Siting:
    """Place p units so that the demand farthest from its nearest unit is as near as can be.

    Minimise ``max_i min_j c_ij`` over the sites j in use. Source: Hakimi 1964, Operations Research 12; solved
    by a search over thresholds (Minieka 1970, SIAM Review 12).

    Parameters
    ----------
    cost
        (n_demand, n_sites) zero or more, such as seconds of driving; infinite where a site does not reach.
        Demand that no allowed site reaches is left out and counted in ``unreachable``.
    p
        Units to place.
    time_limit_s, rules
        As in `solve_mclp`.

    Raises
    ------
    InvalidInputError
        If the arguments cannot be used or no plan follows the rules; the text says why.
    """
    began = time.perf_counter()
    faults = Faults()
    costs = read_cost(cost, faults)
    task = _task(costs.shape[1], p, rules, faults, began=began, limit_s=time_limit_s)
    table = costs[:, task.columns.site]
    reached = np.isfinite(table).any(axis=1)
    task = replace(task, unreachable=float((~reached).sum()))
    if not reached.any():
        return task.idle()
    table = np.unique(table[reached], axis=0)
    answer = shortest_reach(table, task.columns, time_limit_s=time_limit_s)
    objective = farthest(table, answer.units)
    units = prefer_low_centers(table <= objective, answer.units, task.columns)
    return task.result(units, objective, answer.bound, answer.status)


def solve_lscp(
    reach: npt.ArrayLike,
    *,
    fixed: Sites = (),
    forbidden: Sites = (),
    baseline: Sites | None = None,
    max_moves: int | None = None,
    time_limit_s: float | None = None,
) -> Siting:
    """Find the fewest sites that reach all demand (location set covering problem).

    Minimise ``sum_j x_j`` with ``sum_j a_ij x_j >= 1`` for each demand that an allowed site reaches; the rest
    is counted in ``unreachable``. Source: Toregas, Swain, ReVelle and Bergman 1971, Operations Research 19.

    Parameters
    ----------
    reach
        (n_demand, n_sites) true where the site reaches the demand in time.
    fixed, forbidden
        Sites that must, and that must not, be opened.
    baseline, max_moves
        Sites of today's plan, and how many sites outside it may be opened.
    time_limit_s
        As in `solve_mclp`.

    Raises
    ------
    InvalidInputError
        If the arguments cannot be used or no plan follows the rules; the text says why.
    """
    began = time.perf_counter()
    faults = Faults()
    table = read_reach(reach, faults)
    rules: RuleOptions = {"fixed": fixed, "forbidden": forbidden, "baseline": baseline}
    task = _task(table.shape[1], None, rules, faults, began=began, limit_s=time_limit_s)
    if max_moves is not None and (baseline is None or max_moves < 0):
        raise InvalidInputError(f"{_HEADLINE}: max_moves is zero or more, and needs a baseline to move from")
    columns = replace(task.columns, kept=task.rules.baseline[task.columns.site] > 0)
    part = table[:, columns.site]
    reached = part.any(axis=1)
    task = replace(task, unreachable=float((~reached).sum()))
    answer = fewest_sites(part[reached], columns, most_elsewhere=max_moves, time_limit_s=time_limit_s)
    if answer is None:
        raise infeasible(
            f"the demand cannot be reached with {max_moves} sites outside the baseline; allow more moves"
        )
    opened = answer.units.sum()
    owed = 0 if max_moves is None else max(0, int(opened) - max_moves)
    units = prefer_low_centers(part[reached], answer.units, replace(columns, need=owed))
    result = task.result(units, float(opened), answer.bound, answer.status)
    outside = int(units[~columns.kept].sum())
    return replace(result, moves=None if baseline is None else outside)


_HEADLINE = "The siting cannot be solved"


@dataclass(frozen=True, eq=False)
class _Task:
    """What every model needs to make its result."""

    rules: Rules
    columns: Columns
    has_baseline: bool
    began: float
    unreachable: float = 0.0

    def result(self, units: FloatArray, objective: float, bound: float, status: Status) -> Siting:
        """Make the result of (c,) units at the columns."""
        units_at = units_per_site(self.columns.site, units, len(self.rules.upper))
        distance = abs(bound - objective)
        if distance <= ROUNDING * max(abs(objective), abs(bound)):
            bound, distance = objective, 0.0
        return Siting(
            sites=as_sites(units_at),
            objective=objective,
            bound=bound,
            gap=distance / abs(objective) if objective else math.inf if distance else 0.0,
            seconds=time.perf_counter() - self.began,
            status=status,
            unreachable=self.unreachable,
            moves=self.rules.moves(units_at) if self.has_baseline else None,
        )

    def idle(self) -> Siting:
        """Make the result where no allowed site reaches any demand: all plans are alike."""
        columns = self.columns
        cover = make_cover(np.zeros((0, len(columns.site)), dtype=bool), np.zeros(0), np.ones(1), columns)
        return self.result(prefer_low_sites(cover, good_start(cover)), 0.0, 0.0, "optimal")


def _task(
    n_sites: int,
    units: int | None,
    options: RuleOptions,
    faults: Faults,
    *,
    began: float,
    limit_s: float | None,
) -> _Task:
    rules = read_rules(n_sites, units, options, faults)
    faults.check(limit_s is None or limit_s > 0, "time_limit_s must be above zero")
    faults.raise_as(InvalidInputError, _HEADLINE)
    if rules is None:  # its faults were raised
        raise AssertionError
    return _Task(rules, rules.columns(), options.get("baseline") is not None, began)


def _solve_cover(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    units: int,
    *,
    busy: float,
    fairness: Fairness,
    limit_s: float | None,
    options: RuleOptions,
) -> Siting:
    began = time.perf_counter()
    faults = Faults()
    table = read_reach(reach, faults)
    weights = read_weight(weight, len(table), faults)
    group = fairness.read(len(table), faults)
    task = _task(table.shape[1], units, options, faults, began=began, limit_s=limit_s)
    part = table[:, task.columns.site]
    reached = part.any(axis=1)
    task = replace(task, unreachable=math.fsum(weights[~reached]))
    used = reached & (weights > 0)
    if not used.any():
        return task.idle()
    lifted = None if group is None or not fairness.wanted else groups_in_reach(group[used])
    full = make_cover(
        part[used],
        weights[used],
        gains(busy, task.rules.units),
        task.columns,
        lifted,
        lift=fairness.lift,
        floor=fairness.floor,
    )
    answer = _best_cover(full, limit_s)
    best = prefer_low_sites(full, answer.units)
    return task.result(best, full.value(best), max(answer.bound, full.value(best)), answer.status)


def _best_cover(full: Cover, time_limit_s: float | None) -> CoverAnswer:
    """Solve the model without the columns that others replace; units at all of its columns."""
    needed = needed_columns(full.reach > 0, full.columns, single=len(full.gains) == 1)
    cover = full.take(needed)
    large = cover.reach.shape[0] * len(cover.gains) > MOST_MILP_COLUMNS and not cover.equity
    answer = (solve_by_branching if large else solve_by_milp)(cover, time_limit_s=time_limit_s)
    units = np.zeros(len(needed))
    units[needed] = answer.units
    return replace(answer, units=units)
