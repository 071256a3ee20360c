"""What a storm costs ambulances, and what a list of basins gives back: as surveyed, and in draws."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from geo.drainage_error import ElevationError
from models.basin_benefit import benefit_curves
from models.basin_choice import crew_stops, line_first
from models.basin_lists import plan_list
from models.flood import Flood, run_storm
from models.flood_draws import Draw, FloodDraws, draw_floods, state_draws
from models.flood_roads import (
    PER_CALLS,
    Drives,
    DriveTimes,
    PoolMinutes,
    StreetDepth,
    minute_items,
    pool_minutes,
    street_depth,
)
from models.plan import make_plan
from models.scenario import Scenario
from pages.parts import basins_plan
from pages.parts.basins_draws import DRAWS, SEED
from pages.parts.basins_ground import Surface
from pages.parts.basins_plan import drawn_states
from pages.parts.basins_scene import Scene
from pages.parts.staging_inputs import StagingInputs
from pages.parts.staging_water import WATER_CHANGES, water_rules

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TOP_POOLS = 8
"""Pools whose minutes are drawn: each is one search more in every draw."""

GIVEN_BACK, LOST, CUT_OFF, STILL_CUT_OFF = "given back", "lost", "cut off", "still cut off"


@dataclass(frozen=True, eq=False)
class Minutes:
    """A storm's cost to ambulances on the surveyed ground, and the list that gives most of it back.

    Attributes
    ----------
    drives
        Staffed posts of the staging scenario and its calls, on dry roads.
    streets, pool_of_edge
        How deep each street is, and the pool over its deepest place.
    dry, flooded
        Drives without and with the storm.
    costs
        What each pool costs.
    basins
        (n,) numbers of the basins on the list, best first; fewer than ``stops`` where more gain nothing.
    stops
        Basins that the crews can clean.
    cleaned
        Drives with the storm after the list.
    """

    drives: Drives
    streets: StreetDepth
    pool_of_edge: IntArray
    dry: DriveTimes
    flooded: DriveTimes
    costs: PoolMinutes
    basins: IntArray
    stops: int
    cleaned: DriveTimes

    @property
    def given_back(self) -> float:
        """Minutes per 1,000 calls that the list gives back on the surveyed ground."""
        return PER_CALLS * (self.flooded.mean_min - self.cleaned.mean_min)


def without_water(scenario: Scenario) -> Scenario:
    """Take storm and cleaned basins out of a scenario of staging."""
    return replace(scenario, changes=tuple(c for c in scenario.changes if not isinstance(c, WATER_CHANGES)))


def drives_of(inputs: StagingInputs, scenario: Scenario, surface: Surface) -> Drives:
    """Lay out the drives of a staging scenario on dry roads."""
    dry = without_water(scenario)
    conditions, roads = inputs.conditions(dry), inputs.times.state(inputs.roads(dry))
    places = make_plan(inputs.posts, dry).places()
    nodes, access_m = inputs.network.snap(places[:, 0], places[:, 1])
    return Drives(
        inputs.network,
        nodes,
        access_m / (conditions.access_kph / 3.6) + conditions.access_s,
        inputs.demand(dry),
        conditions.access_kph,
        roads.closed,
        roads.no_through,
        conditions.speed_factor * roads.speed_factor,
        water_rules(surface.rules),
    )


@st.cache_resource(show_spinner="Driving through the water …", max_entries=8)
def minutes_of(_scene: Scene, _inputs: StagingInputs, stamp: str, scenario: str) -> Minutes | None:  # noqa: ARG001
    """Work out a storm's cost once; None where no post is staffed, or there is no ground."""
    return make_minutes(_scene, _inputs, Scenario.from_json(scenario))


def make_minutes(scene: Scene, inputs: StagingInputs, scenario: Scenario) -> Minutes | None:
    """Work out a storm's cost, and the list that gives most back; see `minutes_of`."""
    surface, flood = scene.surface, scene.water
    if surface is None or flood is None or not make_plan(inputs.posts, scenario).staffed:
        return None
    drives, rules = drives_of(inputs, scenario, surface), water_rules(surface.rules)
    streets = street_depth(surface.reach.streets, flood.level_m)
    pool_of_edge = np.append(flood.top, 0)[streets.pond]
    costs = pool_minutes(drives, streets.depth_m, pool_of_edge)
    known = scene.known
    can, first = line_first(known.states.chance["line blocked"].mean)
    allowed = np.zeros(len(known.open_share), dtype=bool)
    allowed[can] = True
    pumping = surface.pumping(scene.setting)
    # At the mean state pumps hide what cleaning gains: a pond's basins are hardly ever all half clogged.
    before, opened = drawn_states(scene, scene.city.version, known.key, basins_plan.DRAWS, basins_plan.SEED)
    after = opened.copy()
    after[:, first] = before[:, first]
    benefits = benefit_curves(
        flood.ground,
        flood.storm,
        pumping,
        open_share=before,
        open_if_cleaned=after,
        items=minute_items(costs, streets, pool_of_edge, rules),
    )
    stops = crew_stops(scene.setting.trucks, scene.setting.days, scene.rules.crew.basins_a_truck_day)
    basins = plan_list(benefits, stops, allowed=allowed).basins
    share = known.open_share.copy()
    share[basins] = known.open_if_cleaned[basins]
    cleaned = run_storm(flood.ground, flood.storm, pumping, share)
    return Minutes(
        drives,
        streets,
        pool_of_edge,
        drives.under(np.zeros_like(streets.depth_m)),
        drives.under(streets.depth_m),
        costs,
        basins,
        stops,
        _under(drives, surface, cleaned),
    )


def draw_minutes(
    scene: Scene,
    surface: Surface,
    found: Minutes,
    *,
    progress: Callable[[float], None],
    on_part: Callable[[FloodDraws], None],
    draws: int = DRAWS,
) -> FloodDraws:
    """Draw ground and basins, and drive in each draw: with the storm, after the list, and without a pool.

    A pool's figure dries the streets that it floods on the surveyed ground, whatever pools a draw has.
    """
    progress(0.0)
    rules, known, drives = surface.rules, scene.known, found.drives
    wet = found.streets.depth_m >= drives.rules.slow_depth_m
    streets_of = {
        int(pool): np.flatnonzero(wet & (found.pool_of_edge == pool)) for pool in found.costs.pool[:TOP_POOLS]
    }

    def look(draw: Draw) -> dict[str, float]:
        samples = surface.cells.on(draw.flood.ground.ponds)
        depth = samples.edge_depth_m(draw.flood.level_m)
        flooded = drives.under(depth)
        after = drives.under(samples.edge_depth_m(draw.cleaned(found.basins).level_m))
        without = {
            pool_name(pool): drives.dried(depth, flooded, streets).mean_min
            for pool, streets in streets_of.items()
        }
        return {
            LOST: PER_CALLS * (flooded.mean_min - found.dry.mean_min),
            GIVEN_BACK: PER_CALLS * (flooded.mean_min - after.mean_min),
            CUT_OFF: flooded.cut_off,
            STILL_CUT_OFF: after.cut_off,
            **{name: PER_CALLS * (flooded.mean_min - mean) for name, mean in without.items()},
        }

    return draw_floods(
        surface.case(surface.storm(scene.setting), surface.pumping(scene.setting)),
        open_share=known.open_share,
        states=state_draws(known.states),
        error=ElevationError(sd_m=rules.elevation_sd_m, range_m=rules.elevation_range_m),
        seed=SEED,
        draws=draws,
        look=look,
        on_draw=lambda done, total: progress(done / total),
        on_part=on_part,
    )


def pool_name(pool: int) -> str:
    """Name of a pool's figure in the draws."""
    return f"pool {pool}"


def _under(drives: Drives, surface: Surface, flood: Flood) -> DriveTimes:
    return drives.under(surface.reach.streets.edge_depth_m(flood.level_m))
