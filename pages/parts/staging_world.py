"""A city as the simulator takes it: cells of calls, hospitals, and the drives between them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.city import City
from data.derived import Roads
from errors import InvalidInputError
from geo.hexgrid import cells_of
from geo.travel_time import travel_times
from models.busy_plan import Workload
from models.dispatch import Replications, Simulation, replicate, simulate
from models.dispatch_draw import CallRates, sample_calls
from models.dispatch_groups import by_urgency, group_figures
from models.dispatch_rules import RuleOptions
from models.plan import Plan
from models.roster import Roster, crews, shift_rows, usual_week
from models.scenario import DivertHospital, Scenario, SetHourOfWeek, SetRules
from models.week import (
    HOURS_A_WEEK,
    WARM_UP_MIN,
    WEEK_MIN,
    CallMix,
    CallShape,
    CaseTimes,
    call_rates,
    mean_drive,
    plan_matrix,
    rules,
    service_times,
)
from pages.parts.staging_disruptions import no_hospital_words
from pages.parts.staging_inputs import StagingInputs, StagingView, demand_calls

CELL_RESOLUTION = 8
"""H3 cells of about 0.7 km2: a call is simulated at the corner nearest to the middle of its cell's demand."""

CHUNK = 64
SEED = 20_251_122


@dataclass(frozen=True, eq=False)
class Band:
    """Hours of the week that are driven alike.

    Attributes
    ----------
    roads
        State of the roads, with the speeds in force.
    speed_factor
        What speeds are multiplied by.
    rows_s
        (n_fixed, n_goals) seconds at a factor of 1; bands that differ in the factor alone share them.
    """

    roads: Roads
    speed_factor: float
    rows_s: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class World:
    """What holds for every simulated plan under one scenario's conditions.

    Attributes
    ----------
    nodes
        (n_fixed,) network nodes: cells first, then hospitals that receive 911 ambulances.
    n_cells
        Number of cells.
    goals
        (n_goals,) nodes that drives are known to, ascending: ``nodes``, all candidates, and the plan in view.
    bands
        Hours that are driven alike, each with its drives.
    band_of_hour
        (168,) which of the bands holds in each hour of the week.
    area_of_cell
        (n_cells,) neighborhood that most of each cell's demand lies in, -1 outside all.
    shape, cases, mix
        How calls spread, what their minutes are drawn from, and their priorities.
    """

    inputs: StagingInputs
    nodes: npt.NDArray[np.int64]
    n_cells: int
    goals: npt.NDArray[np.int64]
    bands: tuple[Band, ...]
    band_of_hour: npt.NDArray[np.int64]
    area_of_cell: npt.NDArray[np.int64]
    shape: CallShape
    cases: CaseTimes
    mix: CallMix


@dataclass(frozen=True, eq=False)
class Week:
    """One plan as the simulator takes it; ``travel_min`` is (n_bands, n_places, n_places)."""

    calls: CallRates
    units: pd.DataFrame
    travel_min: npt.NDArray[np.float64]
    hospitals: npt.NDArray[np.int64]
    rules: RuleOptions
    area_of_place: npt.NDArray[np.int64]
    n_areas: int

    def replicate(
        self, replications: int, target_min: float, progress: Callable[[float], None]
    ) -> Replications:
        """Simulate weeks after a day of warm-up; the same calls for every plan."""
        figures = group_figures(
            target_min=target_min,
            area_of_place=self.area_of_place,
            n_areas=self.n_areas,
            by_priority=len(self.calls.kinds) > 1,
        )
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
            figures=figures,
            progress=progress,
            **self.rules,
        )

    def one(self) -> Simulation:
        """Simulate one week call by call."""
        calls = sample_calls(self.calls, WEEK_MIN, key=[SEED])
        options: RuleOptions = {**self.rules, "until_min": WEEK_MIN}
        return simulate(calls, self.units, None, self.travel_min, self.hospitals, seed=SEED, **options)


def make_world(
    inputs: StagingInputs,
    scenario: Scenario,
    view: StagingView,
    *,
    by_band: bool = True,
    progress: Callable[[float], None] = lambda _: None,
) -> World:
    """Gather a city's demand into cells and search the drives between them.

    Without an hour of the week each hour is driven at the speeds of its band: the fitted ones, searched band
    by band, or the assumed ones, searched once and scaled. A chosen hour holds throughout the week.

    Parameters
    ----------
    inputs, scenario, view
        The city, the scenario, and what it does.
    by_band
        Without it the week is driven at its mean speed throughout, as the queue model takes it.
    progress
        Called with 0 now and then: the search may be stopped there.
    """
    demand, network = view.demand, inputs.network
    lon, lat = network.node_lon[demand.node], network.node_lat[demand.node]
    _, cell = np.unique(cells_of(lon, lat, resolution=CELL_RESOLUTION), return_inverse=True)
    weight = np.bincount(cell, demand.weight)
    middle = [np.bincount(cell, demand.weight * axis) / weight for axis in (lon, lat)]
    cell_nodes = network.snap(*middle)[0]
    nodes = np.concatenate([cell_nodes, _hospital_nodes(inputs, scenario)])
    goals = _goals(inputs, view.plan, nodes)
    by_hour = by_band and not scenario.find(SetHourOfWeek)
    band_of_hour = inputs.band_of_hour if by_hour else np.zeros(HOURS_A_WEEK, dtype=np.int64)
    found: dict[Roads, npt.NDArray[np.float32]] = {}
    bands = []
    for hour in np.unique(band_of_hour, return_index=True)[1]:
        at = scenario.having(SetHourOfWeek(int(hour))) if by_hour else scenario
        roads = inputs.roads(at)
        if roads not in found:
            found[roads] = _drives(inputs, roads, nodes, goals, progress)
        bands.append(Band(roads, inputs.conditions(at).speed_factor, found[roads]))
    access_s = float(demand.weight @ demand.access_m / demand.total) / (view.conditions.access_kph / 3.6)
    access_s += view.conditions.access_s
    # An hour of the week is simulated as a week that is that hour throughout.
    profile = np.ones(HOURS_A_WEEK)
    if inputs.days is not None and not scenario.find(SetHourOfWeek):
        timed = inputs.call_hour[inputs.call_hour >= 0]
        profile = np.bincount(timed, minlength=HOURS_A_WEEK) / (len(timed) / HOURS_A_WEEK)
    return World(
        inputs=inputs,
        nodes=nodes,
        n_cells=len(cell_nodes),
        goals=goals,
        bands=tuple(bands),
        band_of_hour=np.unique(band_of_hour, return_inverse=True)[1].astype(np.int64),
        area_of_cell=_areas(cell, demand.region, demand.weight),
        shape=CallShape(weight / weight.sum(), profile, access_s / 60),
        cases=_case_times(inputs.city),
        mix=call_mix(inputs.city),
    )


def rules_of(scenario: Scenario) -> SetRules:
    """Return the rules of dispatch in force."""
    return next(iter(scenario.find(SetRules)), SetRules())


def plan_week(
    world: World, plan: Plan, scenario: Scenario, workload: Workload, chosen: SetRules | None = None
) -> Week:
    """Put a plan's posts into the world.

    Parameters
    ----------
    world, scenario
        The world and the scenario it was made for.
    plan
        The plan.
    workload
        How busy units are.
    chosen
        Rules of dispatch; the scenario's when not given.

    Raises
    ------
    InvalidInputError
        If no post is staffed, patients cannot be taken to an open hospital, or the rules need shifts that
        the city does not give.
    """
    inputs, places = world.inputs, plan.places()
    if not len(places):
        raise InvalidInputError("No post is staffed, so there is nothing to simulate; staff a post")
    conditions = inputs.conditions(scenario)
    nodes, access_m = inputs.network.snap(places[:, 0], places[:, 1])
    post_min = access_m / (conditions.access_kph / 3.6) / 60
    travel_min = np.stack([_band_drives(world, band, nodes, post_min) for band in world.bands])
    n_fixed = len(world.nodes)
    if world.cases.transport_share:
        # Speeds change how long a way takes, not whether there is one: any band tells.
        ways = travel_min[0, : world.n_cells, world.n_cells : n_fixed]
        stuck = no_hospital_words(inputs, scenario, ways, world.shape.share)
        if stuck:
            raise InvalidInputError(stuck)
    nearest = travel_min[:, n_fixed:, : world.n_cells].min(axis=1)
    mean_drive_min = mean_drive(nearest, world.shape, world.band_of_hour)
    times = service_times(world.cases, world.shape, conditions, workload, mean_drive_min)
    chosen = chosen or rules_of(scenario)
    posts = np.arange(n_fixed, travel_min.shape[1])
    kinds = world.mix.kinds(als_first=chosen.als_first)
    return Week(
        calls=call_rates(world.shape, kinds, workload),
        units=_units(inputs, plan, posts, scenario, shifts=chosen.shifts),
        travel_min=travel_min,
        hospitals=np.arange(world.n_cells, n_fixed),
        rules={
            **rules(
                times,
                inputs.home_factor(scenario),
                chosen=chosen,
                posts=posts.tolist(),
                priorities=len(kinds),
            ),
            "band_of_hour": world.band_of_hour,
        },
        area_of_place=np.concatenate([world.area_of_cell, np.full(len(travel_min[0]) - world.n_cells, -1)]),
        n_areas=len(inputs.regions),
    )


def _goals(inputs: StagingInputs, plan: Plan, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Nodes of cells and hospitals, of all candidates, and of the plan's places, each once, ascending."""
    places, posts = plan.places(), inputs.posts
    lon, lat = (
        np.concatenate([posts[name].to_numpy(dtype=float), places[:, at]])
        for at, name in enumerate(("lon", "lat"))
    )
    return np.unique(np.concatenate([nodes, inputs.network.snap(lon, lat)[0]]))


def _drives(
    inputs: StagingInputs,
    roads: Roads,
    nodes: npt.NDArray[np.int64],
    goals: npt.NDArray[np.int64],
    progress: Callable[[float], None],
) -> npt.NDArray[np.float32]:
    """(n_nodes, n_goals) seconds; only the goals are kept of each search."""
    state, rows = inputs.times.state(roads), np.empty((len(nodes), len(goals)), dtype=np.float32)
    for at in range(0, len(nodes), CHUNK):
        progress(0.0)
        rows[at : at + CHUNK] = travel_times(
            inputs.network,
            nodes[at : at + CHUNK],
            closed=state.closed,
            no_through=state.no_through,
            speed_factor=state.speed_factor,
        )[:, goals]
    return rows


def _band_drives(
    world: World, band: Band, posts: npt.NDArray[np.int64], post_min: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(n_places, n_places) minutes of one band, the plan's posts last."""
    per_min = 60 * band.speed_factor
    fixed, there = (np.searchsorted(world.goals, nodes) for nodes in (world.nodes, posts))
    everywhere = np.concatenate([world.nodes, posts])
    return plan_matrix(
        (band.rows_s[:, fixed] / per_min).astype(float),
        (band.rows_s[:, there] / per_min).astype(float),
        (world.inputs.times.rows(posts, band.roads)[:, everywhere] / per_min).astype(float),
        post_min,
    )


def _units(
    inputs: StagingInputs, plan: Plan, posts: npt.NDArray[np.int64], scenario: Scenario, *, shifts: bool
) -> pd.DataFrame:
    """One unit a post, always on duty; or the city's units in their usual shifts."""
    if not shifts:
        names = [f"{post.order:03d} {post.name}" for post in plan.staffed]
        return pd.DataFrame({"unit_id": names, "post": posts})
    hours = scenario.find(SetHourOfWeek)
    ranked = inputs.posts.dropna(subset="baseline_rank").sort_values("baseline_rank")
    rows = []
    for crew in crews(plan, city_roster(inputs.city), tuple(ranked["post_id"].astype(str))):
        on_duty = np.full(HOURS_A_WEEK, crew.on_duty[hours[0].hour]) if hours else crew.on_duty
        post = plan.staffed[crew.post]
        name = f"{post.order:03d} {post.name}" + (f" {crew.unit_id}" if crew.rostered else "")
        rows += [
            (name, posts[crew.post], crew.unit_type, *shift)
            for shift in (shift_rows(on_duty, WARM_UP_MIN + WEEK_MIN) if on_duty.any() else [])
        ]
    if not rows:
        raise InvalidInputError("In this hour no unit of the staffed posts is on duty; choose another hour")
    return pd.DataFrame(rows, columns=["unit_id", "post", "unit_type", "starts_min", "ends_min"])


def city_roster(city: City) -> Roster:
    """Units on duty in the city's usual week, each at the post it is sent from most often.

    Raises
    ------
    InvalidInputError
        If the city gives no shifts, or no whole week of them.
    """
    if not city.has("shifts"):
        raise InvalidInputError(f"The rules ask for the city's shifts. {city.missing('shifts')}")
    homes: dict[str, str] = {}
    if city.has("unit_responses"):
        sent = city.table("unit_responses").dropna(subset="from_post_id")
        counts = sent.groupby(["unit_id", "from_post_id"], observed=True).size().sort_values()
        homes = {str(unit): str(post) for unit, post in counts.index}
    return usual_week(city.table("shifts"), homes)


def call_mix(city: City) -> CallMix:
    """Priorities of the city's medical calls, and how many of each are taken to a hospital."""
    transported = _case_times(city).transport_share
    calls, first = demand_calls(city), city.profile.words.get("priority_call", "")
    named = calls["priority"].dropna().astype(str)
    names = by_urgency(named.unique().tolist(), first)
    if len(names) < 2 or names[0] != first:
        return CallMix(transported=(transported,))
    taken = dict.fromkeys(names, transported)
    if city.has("unit_responses"):
        sent = city.table("unit_responses").merge(calls[["call_id", "priority"]], on="call_id")
        sent = sent[sent["on_scene_at"].notna() & ~sent["cancelled"].fillna(value=False)]
        share = sent["at_hospital_at"].notna().groupby(sent["priority"].astype(str)).mean()
        taken |= {str(name): float(value) for name, value in share.items() if name in names}
    count = named.value_counts()
    return CallMix(
        names=names,
        share=tuple(float(count[name] / count.sum()) for name in names),
        transported=tuple(taken[name] for name in names),
    )


def _areas(
    cell: npt.NDArray[np.int64], region: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """(n_cells,) region of most of each cell's weight, -1 where that is outside all."""
    table = pd.DataFrame({"cell": cell, "region": region, "weight": weight})
    held = table.groupby(["cell", "region"])["weight"].sum().sort_values(kind="stable")
    return held.reset_index().groupby("cell")["region"].last().to_numpy(dtype=np.int64)


def _hospital_nodes(inputs: StagingInputs, scenario: Scenario) -> npt.NDArray[np.int64]:
    """Nodes of the hospitals that take patients of 911 and are not on diversion."""
    city = inputs.city
    if not city.has("hospitals"):
        return np.empty(0, dtype=np.int64)
    table = city.table("hospitals")
    diverted = [change.hospital_id for change in scenario.find(DivertHospital)]
    receives = table["receives_911"].fillna(value=False).astype(bool)
    open_now = table[receives & ~table["hospital_id"].astype(str).isin(diverted)]
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
