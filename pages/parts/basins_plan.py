"""The list of basins to clean: made for a storm and a budget, or by records alone, and set beside others."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from models.basin_benefit import Benefits, benefit_curves
from models.basin_choice import crew_stops, highest_first, line_first
from models.basin_lists import (
    PLAN,
    BasinPlan,
    ListValue,
    compare_lists,
    limits_in_words,
    lists_of_today,
    plan_list,
    records_score,
    single_score,
    vulnerability_weight,
    weighted,
)
from models.flood import Flood
from models.flood_harm import Items
from pages.parts.basins_ground import Surface
from pages.parts.basins_inputs import BasinsInputs, nothing_reported
from pages.parts.basins_scene import Scene
from pages.parts.basins_setting import GOALS, Goal, Setting

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SEED, DRAWS, COMPARED = 20_251_122, 12, 6
"""States of the basins over which a list is made, and others over which lists are set side by side."""
SHARES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Budgets of the question "more trucks?", as multiples of the one that is set."""


@dataclass(frozen=True, eq=False)
class CleanPlan:
    """A list, and what it rests on.

    Attributes
    ----------
    stops
        The budget in basins.
    basins
        (n,) numbers in the order of the list.
    allowed, line
        (n_basins,) basins that a list may name, and numbers of those whose line comes first.
    score
        (n_basins,) what basins are ranked by where no storm tells them apart.
    plan, benefits, lists, limits
        What the storm says; None, None, () and "" without elevation.
    """

    stops: int
    basins: IntArray
    allowed: BoolArray
    line: IntArray
    score: FloatArray
    plan: BasinPlan | None = None
    benefits: Benefits | None = None
    lists: tuple[ListValue, ...] = ()
    limits: str = ""


def clean_plan(scene: Scene) -> CleanPlan:
    """Make the list that is asked for, once a setting.

    Raises
    ------
    InvalidInputError
        The floors cannot be met, or the storm cannot be run.
    """
    return _clean_plan(scene, scene.city.version, scene.known.key, scene.setting)


@st.cache_resource(show_spinner="Choosing basins …", max_entries=8)
def _clean_plan(_scene: Scene, version: str, known: str, setting: Setting) -> CleanPlan:  # noqa: ARG001
    return make_plan(_scene)


def make_plan(scene: Scene) -> CleanPlan:
    """Make the list of a scene: by the storm, or by records alone without elevation."""
    setting, rules = scene.setting, scene.rules
    stops = crew_stops(setting.trucks, setting.days, rules.crew.basins_a_truck_day)
    line_blocked = scene.known.states.chance["line blocked"].mean
    can, line = line_first(line_blocked)
    allowed = np.zeros(len(line_blocked), dtype=bool)
    allowed[can] = True
    if scene.surface is None or scene.water is None:
        score = by_records(scene)
        basins = _with_floors(scene.inputs, setting, stops, score, allowed)
        return CleanPlan(stops, basins, allowed, line, score)
    benefits = _benefits_of(scene, scene.city.version, scene.known.key, only_benefits(setting))
    score = single_score(
        scene.water.ground,
        scene.water,
        scene.known.states.chance["clogged"].mean,
        items_of(scene, scene.surface),
    )
    # Where the storm tells nothing apart, the likelier clogged comes first.
    score = score + 1e-6 * scene.known.states.chance["clogged"].mean
    plan = plan_list(
        benefits,
        stops,
        district=scene.inputs.district if setting.floor else None,
        floors=floors(scene.inputs, setting, allowed) if setting.floor else None,
        fill=score,
        allowed=allowed,
    )
    lists, limits = _compared(scene, scene.surface, scene.water, benefits, plan, score, allowed, stops)
    return CleanPlan(stops, plan.basins, allowed, line, score, plan, benefits, lists, limits)


def only_benefits(setting: Setting) -> Setting:
    """Keep of a setting what decides the benefits."""
    return replace(setting, trucks=0, days=0, floor=0)


@st.cache_resource(show_spinner="Drawing the basins' states …", max_entries=4)
def drawn_states(
    _scene: Scene,
    version: str,  # noqa: ARG001 -- a key
    known: str,  # noqa: ARG001 -- a key
    n: int,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Draw open shares as they are and after a crew has been there, (n, n_basins) each, for any storm."""
    return _scene.known.states.draws(n, seed=seed)


@st.cache_resource(show_spinner=False, max_entries=8)
def _benefits_of(_scene: Scene, version: str, known: str, setting: Setting) -> Benefits:  # noqa: ARG001
    surface, flood = _scene.surface, _scene.water
    if surface is None or flood is None:  # pragma: no cover - asked for with a surface only
        raise AssertionError
    before, drawn = drawn_states(_scene, version, known, DRAWS, SEED)
    after = drawn.copy()
    _, first = line_first(_scene.known.states.chance["line blocked"].mean)
    after[:, first] = before[:, first]
    return benefit_curves(
        flood.ground,
        flood.storm,
        surface.pumping(_scene.setting),
        open_share=before,
        open_if_cleaned=after,
        items=items_of(_scene, surface),
    )


def items_of(scene: Scene, surface: Surface, goal: Goal | None = None) -> Items:
    """Give what a list is to spare, weighted by income where that is set."""
    reach, homes, setting = surface.reach, surface.homes, scene.setting
    people = (goal or setting.goal) == "people"
    items, area = (reach.people, homes.area) if people else (reach.shut, homes.street_area)
    if not setting.fair:
        return items
    income = scene.inputs.income
    known = income[np.isfinite(income)]
    if not len(known):
        return items
    weight = vulnerability_weight(income, middle=float(np.median(known)), exponent=setting.fair)
    return weighted(items, np.append(weight, 1.0)[area])


def floors(inputs: BasinsInputs, setting: Setting, allowed: BoolArray) -> IntArray:
    """(n_districts,) least basins of each district; what lies outside all has no floor.

    A district with fewer basins that can be cleaned is asked for those it has.
    """
    has = np.bincount(inputs.district[allowed], minlength=len(inputs.districts))
    least = np.minimum(has, setting.floor)
    if len(inputs.districts) > 1:
        least[-1] = 0
    return least.astype(np.int64)


def by_records(scene: Scene) -> FloatArray:
    """(n_basins,) score without elevation: P(clogged), and reports of flooded streets near by."""
    inputs = scene.inputs
    reports = nothing_reported() if inputs.reports is None else inputs.reports
    types = [name.lower() for name in scene.rules.request_types]
    flood_type = next((number for number, name in enumerate(types) if "flood" in name), -1)
    return records_score(
        scene.known.states,
        reports,
        basin_xy_m=np.column_stack([inputs.x_m, inputs.y_m]),
        area=inputs.area,
        flood_type=flood_type,
    )


def _with_floors(
    inputs: BasinsInputs, setting: Setting, stops: int, score: FloatArray, allowed: BoolArray
) -> IntArray:
    least = floors(inputs, setting, allowed)
    must = [
        highest_first(score, int(least[number]), allowed=allowed & (inputs.district == number))
        for number in np.flatnonzero(least)
    ]
    first = np.concatenate([*must, np.zeros(0, dtype=np.int64)]).astype(np.int64)[:stops]
    free = allowed.copy()
    free[first] = False
    both = np.concatenate([first, highest_first(score, stops - len(first), allowed=free)])
    return both[np.argsort(-score[both], kind="stable")]


def _compared(  # noqa: PLR0917
    scene: Scene,
    surface: Surface,
    flood: Flood,
    benefits: Benefits,
    plan: BasinPlan,
    score: FloatArray,
    allowed: BoolArray,
    stops: int,
) -> tuple[tuple[ListValue, ...], str]:
    """Set the plan beside the lists a city makes today, each by the whole storm."""
    lists = lists_of_today(
        stops,
        days_since_cleaned=scene.known.evidence.days_since_cleaned,
        reports=scene.inputs.report_counts(),
        score=score,
        allowed=allowed,
    )
    limits = limits_in_words(benefits)
    goals = sorted(GOALS, key=lambda goal: goal != scene.setting.goal)
    before, after = drawn_states(scene, scene.city.version, scene.known.key, COMPARED, SEED + 1)
    values = compare_lists(
        flood.ground,
        flood.storm,
        surface.pumping(scene.setting),
        {PLAN: plan.basins, **lists},
        open_share=before,
        open_if_cleaned=after,
        items=[_plain(surface, goal) for goal in goals],
        limited=limits,
    )
    return values, limits


def _plain(surface: Surface, goal: Goal) -> Items:
    """Unweighted: what is told is people and miles, whatever a list was weighted by."""
    return surface.reach.people if goal == "people" else surface.reach.shut


def budgets(plan: CleanPlan) -> list[tuple[int, float]]:
    """Benefit of smaller and larger budgets by the pools' own curves: stops, weighted benefit."""
    if plan.benefits is None:
        return []
    found = []
    for share in SHARES:
        stops = round(plan.stops * share)
        choice = plan_list(plan.benefits, stops).choice
        found.append((stops, 0.0 if choice is None else choice.value))
    return found
