"""Which basins to clean with so many crew stops: a multiple-choice knapsack over bowls, with its bound.

A bowl's benefit of cleaning 1, 2, 3 ... of its basins comes from the storm model and need not be concave:
water that must fall below a threshold rewards the third basin more than the first. So the least concave
function above it (the envelope) gives the bound, and whole numbers of basins are chosen by

    max sum_b w_b v_b(k_b)   with   sum_b k_b <= budget,   sum_{b in district d} k_b >= floor_d,

one k a bowl (the multiple-choice knapsack, Sinha and Zoltners 1979, *Operations Research* 27). On the
envelope the best whole numbers are found by taking the steepest steps; with their prices every option is
dropped that cannot be part of a better plan, and HiGHS settles what is left. docs/methods/basins.md tells what was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from errors import Faults, InvalidInputError, SolverError
from models.siting_milp import LinearModel, Status, solve_milp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ROUNDING = 1e-9
"""Share of the value within which two plans are the same."""


@dataclass(frozen=True, eq=False)
class Bowls:
    """Checked input: cumulative benefit by bowl, weighted, with 0 for no basin in front.

    Attributes
    ----------
    worth
        Of each bowl (K + 1,): weighted benefit of cleaning 0 to K basins.
    district
        (n_bowls,) number of each bowl's district from 0.
    floors
        (n_districts,) least basins to clean in each.
    """

    worth: tuple[FloatArray, ...]
    district: IntArray
    floors: IntArray


@dataclass(frozen=True, eq=False)
class Choice:
    """How many basins to clean in each bowl.

    Attributes
    ----------
    count
        (n_bowls,) basins to clean.
    value, bound, gap
        Weighted benefit, what no plan under the same rules can exceed, and ``(bound - value) / bound``.
    greedy
        Weighted benefit of the lazy greedy plan, for comparison.
    status
        "optimal" where the gap is closed, else "time limit".
    left
        Options that the prices left to HiGHS, 0 where none was needed.
    """

    count: IntArray
    value: float
    bound: float
    gap: float
    greedy: float
    status: Status
    left: int


def prioritise(
    benefit: Sequence[FloatArray],
    budget: int,
    *,
    weight: FloatArray | None = None,
    district: IntArray | None = None,
    floors: IntArray | None = None,
    time_limit_s: float | None = None,
) -> Choice:
    """Choose how many basins to clean in each bowl.

    Parameters
    ----------
    benefit
        Of each bowl (K,): benefit of cleaning the first 1 to K basins of its own order, in any unit.
    budget
        Basins that can be cleaned in all; see `crew_stops`.
    weight
        (n_bowls,) what a unit of benefit counts there, such as social vulnerability; 1 where None.
    district, floors
        (n_bowls,) district of each bowl from 0, and (n_districts,) least basins to clean in each.
    time_limit_s
        Seconds after which HiGHS stops with its best plan and bound.

    Raises
    ------
    InvalidInputError
        If the input cannot be used or the floors cannot be met; the text lists every fault.
    SolverError
        If HiGHS ends without a result.
    """
    bowls = _checked(benefit, budget, weight=weight, district=district, floors=floors)
    stops = min(int(budget), sum(len(worth) - 1 for worth in bowls.worth))
    bound, price, on_envelope = _envelope_plan(bowls, stops)
    greedy = lazy_greedy(bowls, stops)
    count = max((_repaired(bowls, on_envelope, stops), greedy), key=lambda plan: value_of(bowls, plan))
    value, left = value_of(bowls, count), 0
    status: Status = "optimal"
    slack = ROUNDING * max(1.0, abs(bound))
    if bound - value > slack:
        options = _worth_keeping(bowls, price, bound - value + slack)
        left = len(options[0])
        count, settled, status = _settle(bowls, stops, options, count, time_limit_s=time_limit_s)
        bound = min(bound, settled)
        value = value_of(bowls, count)
    bound = max(bound, value)
    gap = (bound - value) / abs(bound) if bound - value > slack else 0.0
    return Choice(count, value, bound, gap, value_of(bowls, greedy), status, left)


def lazy_greedy(bowls: Bowls, budget: int) -> IntArray:
    """Take the basin of most gain again and again, floors first; (n_bowls,) counts.

    CELF (Leskovec et al. 2007, *KDD*): only the bowl just changed is valued anew. Its warranty of 63 % holds
    for concave benefits; where the benefit rises late, greedy does not see it.
    """
    count = np.zeros(len(bowls.worth), np.int64)
    for number in np.flatnonzero(bowls.floors):
        _fill(bowls, count, np.flatnonzero(bowls.district == number), int(bowls.floors[number]), forced=True)
    _fill(bowls, count, np.arange(len(bowls.worth)), budget - int(count.sum()), forced=False)
    return count


def value_of(bowls: Bowls, count: IntArray) -> float:
    """Weighted benefit of (n_bowls,) counts."""
    return float(np.sum([worth[k] for worth, k in zip(bowls.worth, count, strict=True)]))


def envelope(worth: FloatArray) -> FloatArray:
    """Least concave function that is nowhere below (K + 1,) values at 0 to K, at the same places."""
    corners = [0]
    for k in range(1, len(worth)):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (worth[b] - worth[a]) * (k - b) > (worth[k] - worth[b]) * (b - a):
                break
            corners.pop()
        corners.append(k)
    return np.interp(np.arange(len(worth)), corners, worth[corners])


def _fill(bowls: Bowls, count: IntArray, members: IntArray, stops: int, *, forced: bool) -> None:
    """Add up to so many basins to ``count``, each where it gains most; forced: also at a loss."""

    def entry(bowl: int) -> tuple[float, int]:
        worth, k = bowls.worth[bowl], count[bowl]
        return float(worth[k] - worth[k + 1]), bowl

    def has_room(bowl: int) -> bool:
        return bool(count[bowl] < len(bowls.worth[bowl]) - 1)

    heap = [entry(bowl) for bowl in members.tolist() if has_room(bowl)]
    heapify(heap)
    while heap and stops > 0 and (forced or heap[0][0] < 0):
        _, bowl = heappop(heap)
        count[bowl] += 1
        stops -= 1
        if has_room(bowl):
            heappush(heap, entry(bowl))


def _envelope_plan(bowls: Bowls, stops: int) -> tuple[float, FloatArray, IntArray]:
    """Value of the best plan on the envelopes, price of a stop in each district, and its counts.

    Steps of a concave function fall, so the steepest ones form a plan: first each district's floor from its
    own, then the rest from all. That is the optimum of the linear program (a greedy over nested sets).
    """
    steps = [np.diff(envelope(worth)) for worth in bowls.worth]
    bowl = np.repeat(np.arange(len(steps)), [len(step) for step in steps])
    slope = np.concatenate([*steps, np.zeros(0)])
    order = np.argsort(-slope, kind="stable")
    home = bowls.district[bowl[order]]
    first = np.zeros(len(order), bool)
    for number in np.flatnonzero(bowls.floors):
        first[np.flatnonzero(home == number)[: bowls.floors[number]]] = True
    rest = np.flatnonzero(~first & (slope[order] > 0))
    spare = stops - int(first.sum())
    taken = first.copy()
    taken[rest[:spare]] = True
    price = float(slope[order][rest[spare - 1]]) if len(rest) > spare > 0 else 0.0
    if len(rest) > spare == 0:
        price = float(slope[order][rest[0]])
    # Where a floor binds, its last step earns less than the price elsewhere; a stop there costs as much.
    prices = np.full(len(bowls.floors), price)
    for number in np.flatnonzero(bowls.floors):
        if int((taken & (home == number)).sum()) == bowls.floors[number]:
            prices[number] = min(price, float(slope[order][first & (home == number)].min()))
    count = np.bincount(bowl[order][taken], minlength=len(steps)).astype(np.int64)
    # The bound is computed from the prices alone (Lagrange): it holds whatever the plan above is.
    profit = [
        (worth - prices[d] * np.arange(len(worth))).max()
        for worth, d in zip(bowls.worth, bowls.district, strict=True)
    ]
    bound = float(np.sum(profit)) + price * stops - float(((price - prices) * bowls.floors).sum())
    return bound, prices, count


def _repaired(bowls: Bowls, count: IntArray, stops: int) -> IntArray:
    """Make a plan of one on the envelopes: bowls between two corners fall back, and gains fill up."""
    count = count.copy()
    for bowl, worth in enumerate(bowls.worth):
        top = envelope(worth)
        while count[bowl] and top[count[bowl]] - worth[count[bowl]] > ROUNDING * max(1.0, abs(top[-1])):
            count[bowl] -= 1
    held = np.bincount(bowls.district, weights=count, minlength=len(bowls.floors)).astype(np.int64)
    for number in np.flatnonzero(held < bowls.floors):
        _fill(
            bowls,
            count,
            np.flatnonzero(bowls.district == number),
            int(bowls.floors[number] - held[number]),
            forced=True,
        )
    _fill(bowls, count, np.arange(len(bowls.worth)), stops - int(count.sum()), forced=False)
    return count


def _worth_keeping(bowls: Bowls, price: FloatArray, gap: float) -> tuple[IntArray, IntArray]:
    """Bowl and count of the options whose loss at these prices is no more than the gap.

    Where no floor asks for numbers, an option that is worth no more than a smaller one is left out too.
    """
    kept_bowl, kept_count = [], []
    for bowl, worth in enumerate(bowls.worth):
        profit = worth - price[bowls.district[bowl]] * np.arange(len(worth))
        keep = profit.max() - profit <= gap
        if not bowls.floors[bowls.district[bowl]]:
            keep[1:] &= worth[1:] > np.maximum.accumulate(worth)[:-1]
        options = np.flatnonzero(keep)
        kept_bowl.append(np.full(len(options), bowl))
        kept_count.append(options)
    return np.concatenate(kept_bowl), np.concatenate(kept_count)


def _settle(
    bowls: Bowls,
    stops: int,
    options: tuple[IntArray, IntArray],
    start: IntArray,
    *,
    time_limit_s: float | None,
) -> tuple[IntArray, float, Status]:
    """Choose among the options left with HiGHS: counts, bound and status."""
    bowl, k = options
    n, n_bowls = len(bowl), len(bowls.worth)
    worth = np.array([bowls.worth[b][c] for b, c in zip(bowl, k, strict=True)])
    floored = np.flatnonzero(bowls.floors)
    row_of = np.full(len(bowls.floors), -1)
    row_of[floored] = n_bowls + 1 + np.arange(len(floored))
    at = row_of[bowls.district[bowl]]
    in_floor = np.flatnonzero(at >= 0)
    rows = np.concatenate([bowl, np.full(n, n_bowls), at[in_floor]])
    columns = np.concatenate([np.arange(n), np.arange(n), in_floor])
    values = np.concatenate([np.ones(n), k, k[in_floor]]).astype(np.float64)
    shape = (n_bowls + 1 + len(floored), n)
    model = LinearModel(
        cost=worth,
        lower=np.zeros(n),
        upper=np.ones(n),
        matrix=csr_array((values, (rows, columns)), shape=shape),
        row_lower=np.concatenate([np.ones(n_bowls), [0.0], bowls.floors[floored]]),
        row_upper=np.concatenate([np.ones(n_bowls), [float(stops)], np.full(len(floored), np.inf)]),
        integer=np.ones(n, bool),
        maximise=True,
    )
    found = solve_milp(model, start=(start[bowl] == k).astype(np.float64), time_limit_s=time_limit_s)
    if found is None:
        # A plan exists, so this can only be rounding inside the solver.
        raise SolverError("HiGHS called a model infeasible that has a plan; change the budget by one basin")
    count = np.zeros(n_bowls, np.int64)
    chosen = found.values > 0.5
    count[bowl[chosen]] = k[chosen]
    if value_of(bowls, start) > value_of(bowls, count):
        count = start
    return count, found.bound, found.status


def _checked(
    benefit: Sequence[FloatArray],
    budget: int,
    *,
    weight: FloatArray | None,
    district: IntArray | None,
    floors: IntArray | None,
) -> Bowls:
    n = len(benefit)
    worth = [np.concatenate([[0.0], np.asarray(values, np.float64)]) for values in benefit]
    scale = np.ones(n) if weight is None else np.asarray(weight, np.float64)
    home = np.zeros(n, np.int64) if district is None else np.asarray(district, np.int64)
    least = (
        np.zeros(int(home.max(initial=0)) + 1, np.int64) if floors is None else np.asarray(floors, np.int64)
    )
    faults = Faults()
    faults.check(n, "benefit must hold at least one bowl")
    faults.check(
        budget >= 0 and int(budget) == budget, f"budget must be whole basins, 0 or more, not {budget}"
    )
    bad = [b for b, values in enumerate(worth) if not np.isfinite(values).all()]
    faults.check(not bad, f"benefit must be finite; mend {len(bad)} bowls, the first is {bad[:1]}")
    faults.check(scale.shape == (n,), f"weight must hold one number a bowl, {n}, not {scale.shape}")
    faults.check(np.isfinite(scale).all() and (scale >= 0).all(), "weight must be finite and 0 or more")
    faults.check(home.shape == (n,), f"district must hold one number a bowl, {n}, not {home.shape}")
    faults.check(
        (home >= 0).all() and home.max(initial=0) < len(least),
        f"district numbers must run from 0 to {len(least) - 1}, one for each of the floors",
    )
    faults.check((least >= 0).all(), "floors must be 0 or more")
    faults.check(floors is None or district is not None, "floors need the district of each bowl")
    faults.raise_as(InvalidInputError, "The basins cannot be chosen")
    has = np.bincount(home, weights=[len(values) - 1 for values in worth], minlength=len(least)).astype(
        np.int64
    )
    for number in np.flatnonzero(least > has):
        faults.add(
            f"district {number} is to have {least[number]} basins cleaned but has {has[number]}; lower this"
        )
    faults.check(
        least.sum() <= budget,
        f"the floors ask for {least.sum()} basins, the crews can clean {budget}; lower them or add crews",
    )
    faults.raise_as(InvalidInputError, "The floors cannot be met")
    return Bowls(tuple(v * s for v, s in zip(worth, scale, strict=True)), home, least)


@dataclass(frozen=True, eq=False)
class ListValue:
    """A list of basins beside the chosen plan: its weighted benefit, and the plan's as a multiple of it."""

    name: str
    value: float
    times_better: float


def crew_stops(trucks: int, days: int, basins_a_truck_day: float) -> int:
    """Basins that so many trucks clean in so many days.

    The emergency campaign of New Orleans cleaned 7 to 9 a truck-day.

    Raises
    ------
    InvalidInputError
        If a number is negative, or not whole where it must be.
    """
    faults = Faults()
    for name, value in {"trucks": trucks, "days": days}.items():
        faults.check(
            value >= 0 and int(value) == value, f"{name} must be a whole number, 0 or more, not {value}"
        )
    faults.check(0 <= basins_a_truck_day < np.inf, "basins_a_truck_day must be 0 or more")
    faults.raise_as(InvalidInputError, "The crews cannot be counted")
    return int(trucks * days * basins_a_truck_day)


def what_if(
    benefit: Sequence[FloatArray],
    crews: Mapping[str, int],
    *,
    weight: FloatArray | None = None,
    district: IntArray | None = None,
    floors: IntArray | None = None,
    time_limit_s: float | None = None,
) -> dict[str, Choice]:
    """Choose anew for each budget, by its name; the rest as `prioritise`."""
    return {
        name: prioritise(
            benefit, stops, weight=weight, district=district, floors=floors, time_limit_s=time_limit_s
        )
        for name, stops in crews.items()
    }


def highest_first(
    score: FloatArray, budget: int, *, allowed: npt.NDArray[np.bool_] | None = None
) -> IntArray:
    """Numbers of the ``budget`` basins of highest (n_basins,) score, as a city lists them today.

    Days since cleaning give "oldest first", 311 counts "most complaints", any index "highest score". NaN
    comes last; of equals the lower number is first.
    """
    order = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    return order[: int(budget)] if allowed is None else order[allowed[order]][: int(budget)]


def list_values(
    benefit: Sequence[FloatArray],
    order: Sequence[IntArray],
    lists: Mapping[str, IntArray],
    choice: Choice,
    *,
    weight: FloatArray | None = None,
) -> tuple[ListValue, ...]:
    """Value lists of basins by the same benefit as the plan.

    A bowl gets the benefit of as many basins as the list names of its ``order``, the (K,) basins that
    ``benefit`` counts. Which of them is not asked, so a list is valued at its best.
    """
    bowl_of = np.full(max((int(ids.max(initial=-1)) for ids in order), default=-1) + 1, -1)
    for bowl, ids in enumerate(order):
        bowl_of[ids] = bowl
    scale = np.ones(len(benefit)) if weight is None else weight
    found = []
    for name, basins in lists.items():
        at = bowl_of[np.unique(basins[basins < len(bowl_of)])]
        count = np.bincount(at[at >= 0], minlength=len(benefit))
        value = float(sum(s * v[k - 1] for s, v, k in zip(scale, benefit, count, strict=True) if k))
        found.append(ListValue(name, value, choice.value / value if value > 0 else np.inf))
    return tuple(found)


def line_first(line_blocked: FloatArray, *, suspected: float = 0.5) -> tuple[IntArray, IntArray]:
    """Part the basins to clean from those whose line comes first, by (n_basins,) P(line blocked).

    A clean basin over a blocked pipe gains nothing. Known blocks have probability 1.
    """
    blocked = np.asarray(line_blocked) >= suspected
    return np.flatnonzero(~blocked), np.flatnonzero(blocked)
