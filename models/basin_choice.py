"""Which basins to clean with so many crew stops: a multiple-choice knapsack over bowls, with its bound.

A bowl's benefit of cleaning 1, 2, 3 ... of its basins comes from the storm model and need not be concave:
water that must fall below a threshold rewards the third basin more than the first. So the least concave
function above it (the envelope) gives the bound, and whole numbers of basins are chosen by

    max sum_b w_b v_b(k_b)   with   sum_b k_b <= budget,   sum_{b in district d} k_b >= floor_d,

one k a bowl (the multiple-choice knapsack, Sinha and Zoltners 1979, *Operations Research* 27). On the
envelope the best whole numbers are found by taking the steepest steps; with their prices every option is
dropped that cannot be part of a better plan, and dynamic programming settles what is left.
docs/methods/basins.md tells what was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError

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
        Weighted benefit, which is the most that can be had; the bound of the envelope, which no plan
        under the same rules can exceed; and ``(bound - value) / bound``.
    greedy
        Weighted benefit of the lazy greedy plan, for comparison.
    left
        Options that the prices left open, 0 where the envelope settled all.
    """

    count: IntArray
    value: float
    bound: float
    gap: float
    greedy: float
    left: int


def prioritise(
    benefit: Sequence[FloatArray],
    budget: int,
    *,
    weight: FloatArray | None = None,
    district: IntArray | None = None,
    floors: IntArray | None = None,
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

    Raises
    ------
    InvalidInputError
        If the input cannot be used or the floors cannot be met; the text lists every fault.
    """
    bowls = _checked(benefit, budget, weight=weight, district=district, floors=floors)
    stops = min(int(budget), sum(len(worth) - 1 for worth in bowls.worth))
    bound, price, on_envelope = _envelope_plan(bowls, stops)
    greedy = lazy_greedy(bowls, stops)
    count = max((_repaired(bowls, on_envelope, stops), greedy), key=lambda plan: value_of(bowls, plan))
    value, left = value_of(bowls, count), 0
    slack = ROUNDING * max(1.0, abs(bound))
    if bound - value > slack:
        options = _worth_keeping(bowls, price, bound - value + slack)
        left = len(options[0])
        count = max((count, _settle(bowls, stops, options)), key=lambda plan: value_of(bowls, plan))
        value = value_of(bowls, count)
    bound = max(bound, value)
    gap = (bound - value) / bound if bound - value > slack else 0.0
    return Choice(count, value, bound, gap, value_of(bowls, greedy), left)


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
    _leap(bowls, count, stops - int(count.sum()))
    return count


def _leap(bowls: Bowls, count: IntArray, stops: int) -> None:
    """Add up to so many basins to ``count``, by the leap that gains most a basin and still fits."""

    def best(bowl: int) -> tuple[float, int]:
        gain = bowls.worth[bowl][count[bowl] + 1 :][:stops] - bowls.worth[bowl][count[bowl]]
        if not len(gain):
            return 0.0, 0
        rate = gain / np.arange(1, len(gain) + 1)
        return float(rate.max()), int(rate.argmax()) + 1

    leaps = [best(bowl) for bowl in range(len(bowls.worth))]
    while stops > 0 and max(leaps)[0] > 0:
        bowl = max(range(len(leaps)), key=lambda b: leaps[b][0])
        count[bowl] += leaps[bowl][1]
        stops -= leaps[bowl][1]
        leaps = [best(b) if b == bowl or leaps[b][1] > stops else leaps[b] for b in range(len(leaps))]


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


def _settle(bowls: Bowls, stops: int, options: tuple[IntArray, IntArray]) -> IntArray:
    """Best counts among the options left, by dynamic programming over the number of basins.

    Bowl by bowl inside a district, then district by district, so that floors are a cut of each table.
    """
    starts = np.searchsorted(options[0], np.arange(len(bowls.worth) + 1))
    choices = [options[1][a:b] for a, b in pairwise(starts)]
    count = np.zeros(len(bowls.worth), np.int64)
    tables = []
    total, low, picks = np.zeros(1), 0, []
    for number, floor in enumerate(bowls.floors):
        members = np.flatnonzero(bowls.district == number)
        table = _Table([(bowls.worth[b][choices[b]], choices[b]) for b in members], stops)
        table.best[: max(0, int(floor) - table.low)] = -np.inf
        total, pick = _joined(total, table.best, np.arange(len(table.best)), stops - low - table.low)
        low += table.low
        tables.append(table)
        picks.append(pick)
    at = int(total.argmax())
    for number in range(len(tables) - 1, -1, -1):
        amount = int(picks[number][at])
        count[bowls.district == number] = tables[number].counts(amount)
        at -= amount
    return count


class _Table:
    """Best worth of a group of bowls for each number of basins from ``low`` up, and how to get it."""

    def __init__(self, bowls: list[tuple[FloatArray, IntArray]], stops: int) -> None:
        self.best, self.low = np.zeros(1), 0
        self._choices = [counts for _, counts in bowls]
        self._picks: list[npt.NDArray[np.int32]] = []
        for worth, counts in bowls:
            self.low += int(counts[0])
            self.best, pick = _joined(self.best, worth, counts - counts[0], stops - self.low)
            self._picks.append(pick)

    def counts(self, amount: int) -> IntArray:
        """Basins of each bowl when the group has ``low + amount``."""
        out = np.zeros(len(self._choices), np.int64)
        for place in range(len(out) - 1, -1, -1):
            choice = self._picks[place][amount]
            out[place] = self._choices[place][choice]
            amount -= int(out[place] - self._choices[place][0])
        return out


def _joined(
    best: FloatArray, worth: FloatArray, more: IntArray, room: int
) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Join a table with (m,) options that need ``more`` basins, up to ``room``: best sums and picks."""
    joined = np.full(min(len(best) + int(more[-1]), room + 1), -np.inf)
    pick = np.zeros(len(joined), np.int32)
    for number, (value, step) in enumerate(zip(worth.tolist(), more.tolist(), strict=True)):
        part = joined[step : step + len(best)]
        sums = best[: len(part)] + value
        better = sums > part
        part[better] = sums[better]
        pick[step : step + len(best)][better] = number
    return joined, pick


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


def highest_first(
    score: FloatArray, budget: int, *, allowed: npt.NDArray[np.bool_] | None = None
) -> IntArray:
    """Numbers of the ``budget`` basins of highest (n_basins,) score, as a city lists them today.

    Days since cleaning give "oldest first", 311 counts "most complaints", any index "highest score". NaN
    comes last; of equals the lower number is first.
    """
    order = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    return order[: int(budget)] if allowed is None else order[allowed[order]][: int(budget)]


def line_first(line_blocked: FloatArray, *, suspected: float = 0.5) -> tuple[IntArray, IntArray]:
    """Part the basins to clean from those whose line comes first, by (n_basins,) P(line blocked).

    A clean basin over a blocked pipe gains nothing. Known blocks have probability 1.
    """
    blocked = np.asarray(line_blocked) >= suspected
    return np.flatnonzero(~blocked), np.flatnonzero(blocked)
