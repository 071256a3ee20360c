"""A list of basins to clean, the lists a city makes today, and what the storm model says each avoids.

Every list is valued the same way: the whole storm is run again with its basins open. Nothing of the separable
curves by which the plan was found enters that value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from errors import Faults, InvalidInputError
from geo.drainage_hierarchy import OUT
from models.basin_benefit import Benefits
from models.basin_choice import Choice, highest_first, prioritise
from models.basin_inputs import BasinStates, Reports
from models.basin_runs import StormRuns, side_by_side
from models.flood import Flood, FloodGround
from models.flood_harm import Items, harm, harmed
from models.storm import Pumping, Storm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

PLAN, OLDEST, COMPLAINTS, SCORE, RANDOM = (
    "the plan",
    "oldest first",
    "most complaints",
    "highest single score",
    "at random",
)
ALL = "all basins"
POUND_KG = 0.45359237
WEIGHT_LIMIT = 4.0
"""A neighborhood counts at most so many times as much, or as little, as one of the city's median income."""
AROUND_M = 150.0
"""Reports of a flooded street within so far speak of a basin's place."""
WORTH_TELLING = 1.5
UNKNOWN_WITHOUT_ELEVATION = (
    "Which basins drain the same low ground: ten blocked basins around one bowl look like ten separate ones.",
    "How deep and how long water stands, and at whose door: reports of flooded streets stand in.",
    "Where pumps or pipes are the limit: there cleaning gains nothing.",
    "How far this list is from the best one: there is no bound.",
)


@dataclass(frozen=True, eq=False)
class BasinPlan:
    """Basins to clean.

    Attributes
    ----------
    basins
        (n,) numbers, the low grounds that gain most by basin first.
    pool
        (n,) place of each basin's low ground in `Benefits`; -1 for basins that were added for a floor, or to
        use up stops that gain nothing in this storm.
    adds_m3
        (n,) water that each lets out until its pool's peak.
    choice
        How many in each low ground, with the bound of the separable problem; None where nothing is gained.
    spare
        Stops that gain nothing in this storm.
    """

    basins: IntArray
    pool: IntArray
    adds_m3: FloatArray
    choice: Choice | None
    spare: int


@dataclass(frozen=True, eq=False)
class ListValue:
    """What a list avoids by the whole storm model.

    Attributes
    ----------
    name
        The list.
    basins
        How many it names.
    avoided, low, high
        Harm avoided, by the name of the items: mean over the draws, and where 90 % of them lie.
    times
        The plan's as a multiple of this, by the name of the items; infinite where this avoids nothing, NaN
        where neither does.
    ceiling
        What all basins clean would avoid, as a multiple of this: no plan can be more times better.
    why
        Why the plan is not 1.5 times better, in words; empty where it is.
    """

    name: str
    basins: int
    avoided: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    times: Mapping[str, float]
    ceiling: Mapping[str, float]
    why: str


def plan_list(
    benefits: Benefits,
    budget: int,
    *,
    district: IntArray | None = None,
    floors: IntArray | None = None,
    fill: FloatArray | None = None,
    allowed: BoolArray | None = None,
) -> BasinPlan:
    """Choose basins to clean.

    Parameters
    ----------
    benefits
        Of the pools, in weighted items.
    budget
        Stops.
    district, floors
        (n_basins,) district of each basin from 0, and (n_districts,) least basins to clean in each. A pool is
        counted to the district of most of its basins; what a district then lacks is added by ``fill``.
    fill
        (n_basins,) score by which basins are added for a floor, or when stops are left, after those that
        `Benefits.reserve` tells apart, such as P(clogged); without it such stops are spare.
    allowed
        (n_basins,) basins that may be added; all where None.

    Raises
    ------
    InvalidInputError
        If floors cannot be met.
    """
    if budget < 0 or int(budget) != budget:
        raise InvalidInputError(f"The list cannot be made: stops must be whole, 0 or more, not {budget}")
    if (floors is not None) and (district is None or fill is None):
        raise InvalidInputError("The list cannot be made: floors need the district and a score of each basin")
    if floors is not None and floors.sum() > budget:
        raise InvalidInputError(
            f"The floors cannot be met: they ask for {floors.sum()} basins, the crews can clean {budget}; "
            "lower them or add crews"
        )
    if fill is not None:
        rank = np.argsort(np.argsort(fill, kind="stable"), kind="stable") / max(len(fill), 1)
        fill = np.where(
            benefits.reserve > 0, 1 + benefits.reserve / max(benefits.reserve.max(), 1e-300), rank
        )
    lacking = np.zeros(0, np.int64)
    plan = _chosen(benefits, int(budget), district, floors)
    if district is not None and floors is not None and fill is not None:
        # What a district lacks takes stops from the rest, which may take the last basin of another district.
        for _ in range(len(floors) + 1):
            lacking = _lacking(plan.basins, district, floors, fill, allowed)
            if len(lacking) + len(plan.basins) <= budget:
                break
            plan = _chosen(benefits, int(budget) - len(lacking), district, floors, reserve=lacking)
    left = int(budget) - len(plan.basins) - len(lacking)
    extra = lacking
    if fill is not None and left > 0:
        free = np.ones(len(fill), np.bool_) if allowed is None else allowed.copy()
        free[plan.basins] = False
        free[lacking] = False
        extra = np.concatenate([lacking, highest_first(fill, left, allowed=free)])
    return replace(
        plan,
        basins=np.concatenate([plan.basins, extra]),
        pool=np.concatenate([plan.pool, np.full(len(extra), -1)]),
        adds_m3=np.concatenate([plan.adds_m3, np.zeros(len(extra))]),
        spare=left,
    )


def lists_of_today(
    budget: int,
    *,
    days_since_cleaned: FloatArray,
    reports: IntArray,
    score: FloatArray,
    allowed: BoolArray | None = None,
    seed: int = 0,
) -> dict[str, IntArray]:
    """Make the lists a city would make today, and one at random.

    Parameters
    ----------
    days_since_cleaned
        (n_basins,) NaN where no cleaning is on record: those count as the oldest.
    reports
        (n_basins,) 311 reports; of equals the older is first.
    score
        (n_basins,) any index, such as `single_score`.
    allowed
        (n_basins,) basins that a list may name; all where None.
    seed
        Parts what is equal, and draws the list at random.
    """
    chance = np.random.default_rng(seed).random(len(score))
    age = np.where(np.isnan(days_since_cleaned), np.inf, days_since_cleaned)

    def ranked(*keys: FloatArray) -> FloatArray:
        rank = np.empty(len(score))
        rank[np.lexsort((chance, *keys[::-1]))] = np.arange(len(score))
        return rank

    ranks = {
        OLDEST: ranked(age),
        COMPLAINTS: ranked(reports.astype(np.float64), age),
        SCORE: ranked(score),
        RANDOM: chance,
    }
    return {name: highest_first(rank, budget, allowed=allowed) for name, rank in ranks.items()}


def single_score(ground: FloodGround, flood: Flood, p_clogged: FloatArray, items: Items) -> FloatArray:
    """Score basins one by one as risk matrices do: P(clogged) times the harm in its pond, (n_basins,).

    It sees neither that neighbours share a pond nor that pumps limit it.
    """
    hit = harmed(items, flood.level_m) & (items.pond > OUT)
    by_pond = np.bincount(items.pond[hit], items.weight[hit], ground.ponds.n_ponds + 1)
    return np.asarray(p_clogged * by_pond[np.maximum(ground.pond, OUT)])


def compare_lists(
    ground: FloodGround,
    storm: Storm,
    pumping: Pumping,
    lists: Mapping[str, IntArray],
    *,
    open_share: npt.ArrayLike,
    open_if_cleaned: npt.ArrayLike,
    items: Sequence[Items],
    limited: str = "",
) -> tuple[ListValue, ...]:
    """Run the whole storm with each list's basins clean, and put all beside the first.

    Parameters
    ----------
    ground, storm, pumping
        As in `models.flood.run_storm`.
    lists
        Numbers of basins by the list's name, the plan first.
    open_share, open_if_cleaned
        (n_draws, n_basins) or (n_basins,) shares to value by: draws of what is known, better others than
        those by which the plan was made; or, where they are known, those planted.
    items
        What is harmed; words are made of the first.
    limited
        Words on what limits every list, such as `limits_in_words`.
    """
    before = np.atleast_2d(np.asarray(open_share, np.float64))
    after = np.maximum(np.atleast_2d(np.asarray(open_if_cleaned, np.float64)), before)
    runs = StormRuns.of(ground, storm, pumping, before.mean(axis=0))
    named = {**lists, ALL: np.arange(ground.n_basins)}

    def of_draw(pair: tuple[FloatArray, FloatArray]) -> list[list[float]]:
        share, clean = pair
        base = runs.run(share).level_m
        found = []
        for basins in named.values():
            opened = share.copy()
            opened[basins] = clean[basins]
            level = runs.run(opened).level_m
            found.append([harm(it, base) - harm(it, level) for it in items])
        return found

    # (n_draws, n_lists, n_items) to (n_items, n_draws) for each list.
    values = np.array(side_by_side(of_draw, zip(before, after, strict=True)))
    avoided = {name: values[:, number].T for number, name in enumerate(named)}
    mean = {name: values.mean(axis=1) for name, values in avoided.items()}
    first = next(iter(lists))
    out = []
    for name in lists:
        low, high = np.quantile(avoided[name], (0.05, 0.95), axis=1)
        times = [_times(*pair) for pair in zip(mean[first], mean[name], strict=True)]
        ceiling = [_times(*pair) for pair in zip(mean[ALL], mean[name], strict=True)]
        why = "" if name == first else _why(times[0], ceiling[0], limited)
        out.append(
            ListValue(
                name=name,
                basins=len(lists[name]),
                avoided=_by_name(items, mean[name]),
                low=_by_name(items, low),
                high=_by_name(items, high),
                times=_by_name(items, times),
                ceiling=_by_name(items, ceiling),
                why=why,
            )
        )
    return tuple(out)


def limits_in_words(benefits: Benefits) -> str:
    """Say where cleaning gains nothing; empty where it always does."""
    if benefits.harm <= 0:
        return "Nothing floods in this storm."
    pumps, dry = (100 * part / benefits.harm for part in (benefits.pumps_harm, benefits.dry_harm))
    said = []
    if benefits.pumps_harm > 0:
        said.append(
            f"{pumps:.0f} % of the harm is in pools where the pumps already take all they can: there "
            "cleaning gains nothing"
        )
    if benefits.dry_harm > 0:
        said.append(f"{dry:.0f} % is in pools without a basin that pumps serve")
    reach = 100 * benefits.best / benefits.harm
    said.append(f"with every basin clean {reach:.0f} % would be avoided")
    return "; ".join(said) + "."


def vulnerability_weight(income: FloatArray, *, middle: float, exponent: float) -> FloatArray:
    """How much harm counts in each area by its median household income, (n,).

    ``(middle / income) ** exponent``, between 1/4 and 4, and 1 where income is not known. That is the income
    weight of cost-benefit analysis: exponent 1.3 in HM Treasury's Green Book (after Layard, Mayraz and
    Nickell 2008, *Journal of Public Economics* 92), 1.4 in OMB Circular A-4 of 2023 (since rescinded), 0: all
    count alike. It was made for money; to use it for people in water, and the limit of 4, are choices.

    Raises
    ------
    InvalidInputError
        If the exponent or the middle cannot be used.
    """
    faults = Faults()
    faults.check(np.isfinite(exponent) and exponent >= 0, "exponent must be 0 or more")
    faults.check(np.isfinite(middle) and middle > 0, "middle must be the city's median income, above 0")
    faults.raise_as(InvalidInputError, "The weights cannot be found")
    known = np.isfinite(income) & (income > 0)
    ratio = np.divide(middle, income, out=np.ones(len(income)), where=known)
    return np.clip(ratio**exponent, 1 / WEIGHT_LIMIT, WEIGHT_LIMIT)


def weighted(items: Items, weight: FloatArray) -> Items:
    """Items that count ``weight`` (n,) times as much each."""
    return replace(items, weight=items.weight * weight)


def list_cost(stops: int, *, usd_each: float, kg_each: float) -> tuple[float, float]:
    """US dollars and pounds of debris of a list, at so much a basin."""
    return stops * usd_each, stops * kg_each / POUND_KG


def records_score(
    states: BasinStates,
    reports: Reports,
    *,
    basin_xy_m: FloatArray,
    area: IntArray,
    flood_type: int,
    years: float = 2.0,
    around_m: float = AROUND_M,
) -> FloatArray:
    """Score basins without elevation: P(clogged and can be cleaned) times the need of the place, (n_basins,).

    The need is ``(1 + reports of flooded streets near by) / (1 + reports an average place would have)``: the
    average follows how readily the area reports (`StateModel.reporting`), so that a quiet area is not taken
    for a dry one.

    Parameters
    ----------
    basin_xy_m, area
        (n_basins, 2) place in metres, and reporting area.
    flood_type
        Number of the request type that says a street is flooded.
    """
    told = (reports.kind == flood_type) & (reports.days_ago <= years * 365.25)
    near: FloatArray = np.zeros(len(basin_xy_m))
    if told.any() and len(near):
        tree = cKDTree(reports.xy_m[told])
        near = np.asarray(tree.query_ball_point(basin_xy_m, around_m, return_length=True), np.float64)
    rate = states.models["clogged"].reporting().mean[area]
    expected = near.mean() * rate / rate.mean() if len(near) else near
    chance = {name: estimate.mean for name, estimate in states.chance.items()}
    missed = np.minimum(chance["not found"] + chance["car parked"], 1.0)
    can = chance["clogged"] * (1 - chance["line blocked"]) * (1 - missed)
    return np.asarray(can * (1 + near) / (1 + expected))


def _chosen(
    benefits: Benefits,
    budget: int,
    district: IntArray | None,
    floors: IntArray | None,
    reserve: IntArray | None = None,
) -> BasinPlan:
    """Basins of the best counts by pool, without those that are kept in reserve."""
    if not len(benefits.benefit) or not budget:
        none = np.zeros(0, np.int64)
        return BasinPlan(none, none, np.zeros(0), None, 0)
    home, least = None, None
    if district is not None and floors is not None:
        home = np.array([np.bincount(district[ids[0]]).argmax() for ids in benefits.order])
        has = np.bincount(home, [len(values) for values in benefits.benefit], len(floors)).astype(np.int64)
        least = np.minimum(floors, has)
        if reserve is not None:
            held = np.bincount(district[reserve], minlength=len(floors))
            least = np.maximum(np.minimum(least, floors - held), 0)
    choice = prioritise(benefits.benefit, budget, district=home, floors=least)
    rate = [v[k - 1] / k if k else 0.0 for v, k in zip(benefits.benefit, choice.count, strict=True)]
    places = np.argsort(-np.array(rate), kind="stable").tolist()
    found = [benefits.basins(place, int(choice.count[place])) for place in places]
    basins = np.concatenate(found)
    pool = np.repeat(places, [len(ids) for ids in found])
    kept = np.ones(len(basins), np.bool_) if reserve is None else ~np.isin(basins, reserve)
    return BasinPlan(basins[kept], pool[kept], benefits.adds_m3[basins[kept]], choice, 0)


def _lacking(
    basins: IntArray, district: IntArray, floors: IntArray, fill: FloatArray, allowed: BoolArray | None
) -> IntArray:
    """Basins of highest score that bring each district up to its floor."""
    free = np.ones(len(fill), np.bool_) if allowed is None else allowed.copy()
    free[basins] = False
    held = np.bincount(district[basins], minlength=len(floors))
    more, faults = [], Faults()
    for number in np.flatnonzero(floors > held):
        wanted = int(floors[number] - held[number])
        found = highest_first(fill, wanted, allowed=free & (district == number))
        faults.check(
            len(found) == wanted,
            f"district {number} is to have {floors[number]} basins cleaned but has "
            f"{held[number] + len(found)} that can be; lower this",
        )
        more.append(found)
    faults.raise_as(InvalidInputError, "The floors cannot be met")
    return np.concatenate([*more, np.zeros(0, np.int64)]).astype(np.int64)


def _by_name(items: Sequence[Items], values: Sequence[float] | FloatArray) -> dict[str, float]:
    return {it.name: float(value) for it, value in zip(items, values, strict=True)}


def _times(plan: float, other: float) -> float:
    if other > 0:
        return plan / other
    return float("inf") if plan > 0 else float("nan")


def _why(times: float, ceiling: float, limited: str) -> str:
    if times >= WORTH_TELLING:
        return ""
    if np.isnan(times):
        return f"Neither avoids anything. {limited}".strip()
    if ceiling < WORTH_TELLING:
        return (
            f"This list already avoids {100 / ceiling:.0f} % of what cleaning every basin would: no plan can "
            f"be 1.5 times better. {limited}"
        ).strip()
    return (
        f"Cleaning every basin would avoid {ceiling:.1f} times as much as this list, but with so many stops, "
        f"and states known as chances only, the plan does not get it. {limited}"
    ).strip()
