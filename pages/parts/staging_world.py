"""A city as the simulator takes it: cells of calls, hospitals, and the drives between them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.city import City
from errors import InvalidInputError
from geo.hexgrid import cells_of
from geo.travel_time import travel_times
from models.busy_plan import Workload
from models.dispatch import Replications, Simulation, replicate, simulate, standard_figures
from models.dispatch_draw import CallRates, sample_calls
from models.dispatch_rules import RuleOptions
from models.plan import Plan
from models.scenario import Scenario
from models.week import (
    WARM_UP_MIN,
    WEEK_MIN,
    CallShape,
    CaseTimes,
    call_rates,
    plan_matrix,
    rules,
    service_times,
)
from pages.parts.staging_inputs import StagingInputs, StagingView

CELL_RESOLUTION = 8
"""H3 cells of about 0.7 km2: a call is simulated at the corner nearest to the middle of its cell's demand."""

CHUNK = 64
SEED = 20_251_122


@dataclass(frozen=True, eq=False)
class World:
    """What holds for every simulated plan under one scenario's conditions.

    Attributes
    ----------
    nodes
        (n_fixed,) network nodes: cells first, then hospitals that receive 911 ambulances.
    n_cells
        Number of cells.
    rows_s
        (n_fixed, n_nodes) seconds from each of them, under the scenario's state of the roads.
    shape, cases
        How calls spread, and what their minutes are drawn from.
    """

    inputs: StagingInputs
    nodes: npt.NDArray[np.int64]
    n_cells: int
    rows_s: npt.NDArray[np.float32]
    shape: CallShape
    cases: CaseTimes


@dataclass(frozen=True, eq=False)
class Week:
    """One plan as the simulator takes it."""

    calls: CallRates
    units: pd.DataFrame
    travel_min: npt.NDArray[np.float64]
    hospitals: npt.NDArray[np.int64]
    rules: RuleOptions

    def replicate(
        self, replications: int, target_min: float, progress: Callable[[float], None]
    ) -> Replications:
        """Simulate weeks after a day of warm-up; the same calls for every plan."""
        return replicate(
            self.calls,
            self.units,
            None,
            self.travel_min,
            self.hospitals,
            seed=SEED,
            replications=replications,
            minutes=WARM_UP_MIN + WEEK_MIN,
            warm_up_min=WARM_UP_MIN,
            figures=standard_figures(target_min=target_min),
            progress=progress,
            **self.rules,
        )

    def one(self) -> Simulation:
        """Simulate one week call by call."""
        calls = sample_calls(self.calls, WEEK_MIN, key=[SEED])
        options: RuleOptions = {**self.rules, "until_min": WEEK_MIN}
        return simulate(calls, self.units, None, self.travel_min, self.hospitals, seed=SEED, **options)


def make_world(inputs: StagingInputs, scenario: Scenario, view: StagingView) -> World:
    """Gather a city's demand into cells and search the drives between them."""
    demand, network = view.demand, inputs.network
    lon, lat = network.node_lon[demand.node], network.node_lat[demand.node]
    _, cell = np.unique(cells_of(lon, lat, resolution=CELL_RESOLUTION), return_inverse=True)
    weight = np.bincount(cell, demand.weight)
    middle = [np.bincount(cell, demand.weight * axis) / weight for axis in (lon, lat)]
    cell_nodes = network.snap(*middle)[0]
    hospital_nodes = _hospital_nodes(inputs)
    nodes = np.concatenate([cell_nodes, hospital_nodes])
    state = inputs.times.state(inputs.roads(scenario))
    rows = [
        travel_times(
            network,
            nodes[at : at + CHUNK],
            closed=state.closed,
            no_through=state.no_through,
            speed_factor=state.speed_factor,
        )
        for at in range(0, len(nodes), CHUNK)
    ]
    access_s = float(demand.weight @ demand.access_m / demand.total) / (view.conditions.access_kph / 3.6)
    access_s += view.conditions.access_s
    profile = np.ones(168)
    if inputs.days is not None:
        timed = inputs.call_hour[inputs.call_hour >= 0]
        profile = np.bincount(timed, minlength=168) / (len(timed) / 168)
    return World(
        inputs=inputs,
        nodes=nodes,
        n_cells=len(cell_nodes),
        rows_s=np.concatenate(rows),
        shape=CallShape(weight / weight.sum(), profile, access_s / 60),
        cases=_case_times(inputs.city),
    )


def plan_week(world: World, plan: Plan, scenario: Scenario, workload: Workload) -> Week:
    """Put a plan's posts into the world.

    Raises
    ------
    InvalidInputError
        If no post is staffed.
    """
    inputs, places = world.inputs, plan.places()
    if not len(places):
        raise InvalidInputError("No post is staffed, so there is nothing to simulate; staff a post")
    conditions = inputs.conditions(scenario)
    nodes, access_m = inputs.network.snap(places[:, 0], places[:, 1])
    per_min = 60 * conditions.speed_factor
    everywhere = np.concatenate([world.nodes, nodes])
    travel_min = plan_matrix(
        (world.rows_s[:, world.nodes] / per_min).astype(float),
        (world.rows_s[:, nodes] / per_min).astype(float),
        (inputs.times.rows(nodes, inputs.roads(scenario))[:, everywhere] / per_min).astype(float),
        access_m / (conditions.access_kph / 3.6) / 60,
    )
    n_fixed = len(world.nodes)
    nearest = travel_min[n_fixed:, : world.n_cells].min(axis=0)
    reached = np.isfinite(nearest)
    mean_drive_min = float(world.shape.share[reached] @ nearest[reached])
    times = service_times(world.cases, world.shape, conditions, workload, mean_drive_min)
    return Week(
        calls=call_rates(world.shape, world.cases, workload),
        units=pd.DataFrame(
            {
                "unit_id": [f"{post.order:03d} {post.name}" for post in plan.staffed],
                "post": np.arange(n_fixed, len(travel_min)),
            }
        ),
        travel_min=travel_min,
        hospitals=np.arange(world.n_cells, n_fixed),
        rules=rules(times, inputs.home_factor(scenario)),
    )


def _hospital_nodes(inputs: StagingInputs) -> npt.NDArray[np.int64]:
    city = inputs.city
    if not city.has("hospitals"):
        return np.empty(0, dtype=np.int64)
    table = city.table("hospitals")
    open_now = table[table["receives_911"].fillna(value=False).astype(bool)]
    return (
        inputs.network.snap(open_now["lon"], open_now["lat"])[0] if len(open_now) else np.empty(0, np.int64)
    )


def _case_times(city: City) -> CaseTimes:
    nothing = CaseTimes(np.empty(0), np.empty(0), 0.0)
    if not city.has("unit_responses"):
        return nothing
    table = city.table("unit_responses")
    scene = table[table["on_scene_at"].notna() & ~table["cancelled"].fillna(value=False)]
    taken = scene["at_hospital_at"].notna()
    left = scene["depart_scene_at"].where(scene["depart_scene_at"].notna(), scene["available_at"])
    on_scene = (left - scene["on_scene_at"]).dt.total_seconds() / 60
    wall = (scene.loc[taken, "available_at"] - scene.loc[taken, "at_hospital_at"]).dt.total_seconds() / 60
    on_scene_min = np.asarray(on_scene[on_scene >= 0], dtype=np.float64)
    wall_min = np.asarray(wall[wall >= 0], dtype=np.float64)
    if not len(on_scene_min) or not len(wall_min):
        return nothing
    return CaseTimes(on_scene_min, wall_min, float(taken.mean()))
