"""What a suggestion is made of: the planner's wishes, the hours of each list, and the search for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import streamlit as st

from data.derived import Roads
from errors import InvalidInputError
from models.busy_plan import Workload, busy_at
from models.compliance import ComplianceTable, ListOptions, solve_compliance
from models.compliance_moves import MovesStep, how_often_chosen, moves_curve
from models.coverage import Demand
from models.demand import HOURS_A_WEEK, demand_from_calls
from models.plan import Plan
from models.scenario import Scenario, SetDemand, SetHourOfWeek
from models.siting import solve_mclp
from models.staging import Conditions, post_seconds
from pages.parts.staging_inputs import ENOUGH_CALLS, StagingInputs

if TYPE_CHECKING:
    from models.siting_rules import RuleOptions
    from pages.parts.job import Job

JOB_KEY = "staging.suggestion"
MOST_MOVES_SHOWN = 4
TIME_LIMIT_S = 10.0
DAY_HOURS = (7, 19)
"""Hours of the day list until the planner sets others: two shifts of twelve hours."""

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Wishes:
    """What a planner asks of a list; posts by their id.

    Attributes
    ----------
    day_and_night, day_hours
        Whether each shift gets a list of its own, and the hours of the day from and to which day lasts.
    must, must_first
        Posts that must be in the list, and whether they are filled before all others.
    barred
        Posts that must not be in it.
    most_at_post
        Most units at one post.
    lift_worst
        Whether the worst neighborhood in reach comes before all else.
    max_moves
        Most units that may stand elsewhere than today; None for any number.
    """

    day_and_night: bool = False
    day_hours: tuple[int, int] = DAY_HOURS
    must: tuple[str, ...] = ()
    must_first: bool = True
    barred: tuple[str, ...] = ()
    most_at_post: int = 1
    lift_worst: bool = False
    max_moves: int | None = None

    @property
    def asked(self) -> int:
        """How many wishes differ from none."""
        none = Wishes()
        names = ("day_and_night", "must", "barred", "most_at_post", "lift_worst", "max_moves")
        return sum(getattr(self, name) != getattr(none, name) for name in names)


@dataclass(frozen=True, eq=False)
class Hours:
    """The hours of one list: its demand, speeds and calls.

    Attributes
    ----------
    name, words
        ``Day`` or ``Night``, empty where there is one list; and the hours in words.
    parts
        Demand and what holds for it, once for each speed that these hours know.
    workload
        How busy units are in these hours; None where it is not known.
    """

    name: str
    words: str
    parts: tuple[tuple[Demand, Conditions, Roads], ...]
    workload: Workload | None

    @property
    def weight(self) -> FloatArray:
        """(n,) weights of the demand, parts one after the other."""
        return np.concatenate([demand.weight for demand, _, _ in self.parts])

    @property
    def region(self) -> IntArray:
        """(n,) neighborhoods of the demand."""
        return np.concatenate([demand.region for demand, _, _ in self.parts])

    def reach(self, inputs: StagingInputs, speed: float = 1.0) -> BoolArray:
        """(n, n_posts) whether a unit at each of the city's posts is in time, at a factor of the speeds."""
        return np.concatenate(
            [
                reach_matrix(
                    inputs, roads, demand, replace(conditions, speed_factor=conditions.speed_factor * speed)
                )
                for demand, conditions, roads in self.parts
            ]
        )

    def seconds_from(self, inputs: StagingInputs, plan: Plan) -> FloatArray:
        """(n_staffed, n) seconds of driving from the plan's posts."""
        places = plan.places()
        nodes, access_m = inputs.network.snap(places[:, 0], places[:, 1])
        return np.hstack(
            [
                post_seconds(inputs.times.rows(nodes, roads), access_m, demand, conditions)
                for demand, conditions, roads in self.parts
            ]
        )


@dataclass(frozen=True)
class Reached:
    """What one list reaches of one kind of demand, all its units free.

    ``worst`` is the share of the neighborhood where it is smallest, of what any post reaches there.
    """

    demand: str
    share: float
    worst: float
    worst_name: str


@dataclass(frozen=True, eq=False)
class ShiftList:
    """One list and what it rests on.

    Attributes
    ----------
    name, words
        As in `Hours`.
    table
        The list.
    plain
        The list without the lifted worst neighborhood, to tell its price; None where it was not asked for.
    chosen, runs
        Share of the best plans under other speeds, kinds of demand and years of calls that use each post,
        and their number.
    moves
        The best few moves from today's posts.
    queue_known
        Whether the levels are weighted by the queue.
    today, listed
        What today's posts and this list reach, once for each kind of demand.
    beyond
        Names of the neighborhoods of which no post reaches half.
    """

    name: str
    words: str
    table: ComplianceTable
    plain: ComplianceTable | None
    chosen: FloatArray
    runs: int
    moves: tuple[MovesStep, ...]
    queue_known: bool
    today: tuple[Reached, ...]
    listed: tuple[Reached, ...]
    beyond: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Suggestion:
    """Suggested lists, and for which scenario and wishes they were made."""

    scenario_hash: str
    inputs_key: str
    wishes: Wishes
    lists: tuple[ShiftList, ...]


def last_suggestion(inputs: StagingInputs) -> Suggestion | None:
    """Give what was last suggested for this city in the session."""
    job: Job[Suggestion] | None = st.session_state.get(JOB_KEY)
    found = None if job is None else job.result
    return found if found is not None and found.inputs_key == inputs.key else None


def post_names(inputs: StagingInputs) -> dict[str, str]:
    """Names of the city's posts by id."""
    return dict(zip(inputs.posts["post_id"].astype(str), inputs.posts["name"].astype(str), strict=True))


def listed_names(inputs: StagingInputs, shift: ShiftList) -> list[str]:
    """Name the posts of a list in order; a second unit at a post says so."""
    names = list(post_names(inputs).values())
    said: list[str] = []
    for at, site in enumerate(shift.table.sites):
        unit = shift.table.sites[:at].count(site) + 1
        said.append(names[site] + (f", unit {unit}" if unit > 1 else ""))
    return said


def todays_sites(inputs: StagingInputs) -> list[int]:
    """Rows of today's posts in the table of posts, in the order in which they are staffed."""
    ranked = inputs.posts["baseline_rank"].dropna().sort_values()
    return [int(at) for at in ranked.index]


def reach_matrix(inputs: StagingInputs, roads: Roads, demand: Demand, conditions: Conditions) -> BoolArray:
    """(n_places, n_posts) whether a unit at each of the city's posts reaches each place in time."""
    rows_s, access_m = inputs.times.from_candidates(inputs.posts, roads)
    budget_s = conditions.budget_s()
    reached: BoolArray = budget_s >= post_seconds(rows_s, access_m, demand, conditions).T
    return reached & (budget_s > 0)


def hours_of(inputs: StagingInputs, scenario: Scenario, wishes: Wishes) -> list[Hours]:
    """Give the hours of each list; the scenario's own where there is one list."""
    if not wishes.day_and_night:
        part = (inputs.demand(scenario), inputs.conditions(scenario), inputs.roads(scenario))
        return [Hours("", "", (part,), inputs.workload(scenario))]
    start, end = wishes.day_hours
    of_day = np.arange(HOURS_A_WEEK) % 24
    is_day = (start <= of_day) & (of_day < end)
    return [
        _shift(inputs, scenario, np.flatnonzero(chosen), name, f"{first}:00 to {last % 24}:00")
        for name, chosen, first, last in (("Day", is_day, start, end), ("Night", ~is_day, end % 24, start))
    ]


def compared_years(inputs: StagingInputs) -> tuple[int, ...]:
    """Years whose calls are looked at one by one; none where the calls hold one year only."""
    return inputs.years if len(inputs.years) > 1 else ()


def find_lists(
    inputs: StagingInputs,
    scenario: Scenario,
    plan: Plan,
    wishes: Wishes,
    progress: Callable[[float], None],
) -> Suggestion:
    """Search the list of each shift for as many units as the plan has.

    Raises
    ------
    InvalidInputError
        If no list follows the wishes; the text says why.
    """
    hours = hours_of(inputs, scenario, wishes)
    lists = []
    for at, shift in enumerate(hours):
        others = [
            hours_of(inputs, scenario.having(SetDemand(source)), wishes)[at]
            for source in inputs.demand_sources
        ]

        def told(share: float, at: int = at) -> None:
            progress((at + share) / len(hours))

        by_call = scenario.having(SetDemand("calls"))
        by_year = [hours_of(inputs.of_year(year), by_call, wishes)[at] for year in compared_years(inputs)]
        # A chosen hour may be without a call in some year.
        years = [one for one in by_year if one.weight.any()]
        lists.append(_find_list(inputs, plan, wishes, shift, others=others, years=years, progress=told))
    return Suggestion(scenario.hash, inputs.key, wishes, tuple(lists))


def _shift(inputs: StagingInputs, scenario: Scenario, hours: IntArray, name: str, words: str) -> Hours:
    """Gather a shift: its calls where they carry times, at its mean speed; fitted speeds band by band."""
    source = inputs.demand_source(scenario)
    timed = inputs.days is not None and source != "population"
    anytime = scenario.without(SetHourOfWeek.kind)
    kind = inputs.call_first if source == "priority" else np.ones(len(inputs.call_place), dtype=bool)
    fitted = inputs.fitted_at(anytime) is not None
    band = inputs.band_of_hour[hours]
    parts = []
    for part in [hours[band == at] for at in np.unique(band)] if fitted else [hours]:
        if timed:
            chosen = kind & np.isin(inputs.call_hour, part)
            demand = demand_from_calls(
                inputs.place_node, inputs.place_access_m, inputs.place_region, inputs.call_place, chosen
            )
        else:
            whole = inputs.demand(anytime)
            demand = whole if len(part) == len(hours) else replace(whole, weight=whole.weight * len(part))
        at = scenario.having(SetHourOfWeek(int(part[0]))) if fitted else anytime
        conditions = inputs.conditions(at)
        if not fitted:
            change = _mean_factor(inputs, part) / inputs.hour_factor(anytime)
            conditions = replace(conditions, speed_factor=conditions.speed_factor * change)
        if demand.total > 0:
            parts.append((demand, conditions, inputs.roads(at)))
    if not parts:
        raise InvalidInputError(
            f"There are no calls in the hours of the {name.lower()} list; set other hours"
        )
    workload = inputs.workload(anytime)
    if workload is not None and inputs.days is not None:
        here = np.isin(inputs.call_hour, hours).sum() / len(hours)
        workload = replace(
            workload,
            calls_per_hour=workload.calls_per_hour * here / (len(inputs.call_hour) / HOURS_A_WEEK),
        )
    return Hours(name, words, tuple(parts), workload)


def _mean_factor(inputs: StagingInputs, hours: IntArray) -> float:
    """Mean speed factor of some hours of the week, weighted by timed calls where there are any."""
    factors = np.array(inputs.city.profile.hour_factors)
    timed = inputs.call_hour[np.isin(inputs.call_hour, hours)]
    return float(factors[timed if len(timed) else hours].mean())


def _find_list(
    inputs: StagingInputs,
    plan: Plan,
    wishes: Wishes,
    hours: Hours,
    *,
    others: Sequence[Hours],
    years: Sequence[Hours],
    progress: Callable[[float], None],
) -> ShiftList:
    progress(0.0)
    units, today = max(len(plan.staffed), 1), todays_sites(inputs)
    reach, weight = hours.reach(inputs), hours.weight
    group, beyond = _groups(hours, reach)
    at = {str(post_id): row for row, post_id in enumerate(inputs.posts["post_id"])}
    rules: RuleOptions = {
        "fixed": [at[post_id] for post_id in wishes.must],
        "forbidden": [at[post_id] for post_id in wishes.barred],
        "max_per_site": wishes.most_at_post,
    }
    options: ListOptions = {
        "fixed": rules["fixed"],
        "forbidden": rules["forbidden"],
        "max_per_site": wishes.most_at_post,
        "fixed_first": wishes.must_first,
        "group": group,
    }
    if wishes.max_moves is not None:
        options |= {"baseline": today, "max_moves": wishes.max_moves}
    chance = _free_chance(inputs, plan, hours)
    plain = solve_compliance(
        reach,
        weight,
        units,
        chance=chance,
        time_limit_s=TIME_LIMIT_S,
        progress=lambda share: progress(0.3 * share),
        **options,
    )
    lifted = wishes.lift_worst and bool((group >= 0).any())
    table = plain
    if lifted:
        options |= {"lift_worst": True}
        table = solve_compliance(
            reach,
            weight,
            units,
            chance=chance,
            time_limit_s=TIME_LIMIT_S,
            progress=lambda share: progress(0.3 + 0.2 * share),
            **options,
        )
    # The profile's range even around fitted speeds: a post must hold on slow days too.
    spread = inputs.city.profile.speed_range
    plans, factors = [], (spread.low, 1.0, spread.high)
    compared: list[tuple[Reached, Reached]] = []
    for done, (other, source) in enumerate(zip(others, inputs.demand_sources, strict=True)):
        for speed in factors:
            found = other.reach(inputs, speed)
            plans.append(solve_mclp(found, other.weight, units, time_limit_s=TIME_LIMIT_S, **rules).sites)
            if speed == 1.0:
                before, now = (
                    _reached(inputs, other, found, sites, source) for sites in (today[:units], table.sites)
                )
                compared.append((before, now))
        progress(0.5 + 0.3 * (done + 1) / (len(others) + len(years)))
    for done, year in enumerate(years, start=len(others)):
        for speed in factors:
            found = year.reach(inputs, speed)
            plans.append(solve_mclp(found, year.weight, units, time_limit_s=TIME_LIMIT_S, **rules).sites)
        progress(0.5 + 0.3 * (done + 1) / (len(others) + len(years)))
    moves = moves_curve(
        reach,
        weight,
        today,
        most=MOST_MOVES_SHOWN,
        time_limit_s=TIME_LIMIT_S,
        progress=lambda share: progress(0.8 + 0.2 * share),
    )
    names = inputs.regions["name"].to_numpy()
    return ShiftList(
        name=hours.name,
        words=hours.words,
        table=table,
        plain=plain if lifted else None,
        chosen=how_often_chosen(plans, len(inputs.posts)),
        runs=len(plans),
        moves=moves,
        queue_known=chance is not None,
        today=tuple(before for before, _ in compared),
        listed=tuple(now for _, now in compared),
        beyond=tuple(sorted(str(names[region]) for region in beyond)),
    )


def _groups(hours: Hours, reach: BoolArray) -> tuple[IntArray, IntArray]:
    """Give (n,) neighborhoods that count as reachable, -1 elsewhere, and those that lie beyond any post."""
    region, weight = hours.region, hours.weight
    inside = region >= 0
    n_regions = int(region.max(initial=-1)) + 1
    whole = np.bincount(region[inside], weight[inside], minlength=n_regions)
    near = np.bincount(region[inside], (weight * reach.any(axis=1))[inside], minlength=n_regions)
    beyond = (whole > 0) & (near < 0.5 * whole)
    counted = (whole >= ENOUGH_CALLS) & ~beyond
    if not n_regions:
        return np.full(len(region), -1), np.empty(0, dtype=np.int64)
    return np.where(inside & counted[region], region, -1), np.flatnonzero(beyond)


def _reached(
    inputs: StagingInputs, hours: Hours, reach: BoolArray, sites: Sequence[int], source: str
) -> Reached:
    weight = hours.weight
    held = weight * reach[:, list(sites)].any(axis=1)
    group, _ = _groups(hours, reach)
    shares = {
        int(region): float(held[group == region].sum() / (weight * reach.any(axis=1))[group == region].sum())
        for region in np.unique(group[group >= 0])
    }
    worst = min(shares, key=lambda region: (shares[region], region), default=None)
    return Reached(
        demand=source,
        share=float(held.sum() / weight.sum()),
        worst=1.0 if worst is None else shares[worst],
        worst_name="" if worst is None else str(inputs.regions["name"].iloc[worst]),
    )


def _free_chance(inputs: StagingInputs, plan: Plan, hours: Hours) -> FloatArray | None:
    """(units + 1,) chance of 0, 1, 2, ... free units in these hours; None where the queue cannot tell."""
    if hours.workload is None or not plan.staffed:
        return None
    try:
        busy = busy_at(
            hours.seconds_from(inputs, plan), hours.weight, hours.parts[0][1].budget_s(), hours.workload
        )
    except InvalidInputError:
        return None
    return np.asarray(busy.queue.free)
