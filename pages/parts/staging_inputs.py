"""What the staging page stands on: prepared once a city, and what a scenario makes of it."""

from dataclasses import dataclass, replace
from functools import cached_property

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from data.city import City
from data.derived import Roads, TravelTimes, city_ground
from data.fitted import fitted_stamp, read_fitted
from data.profile import Standard
from errors import InvalidInputError
from geo.network import RoadNetwork
from geo.regions import assign_regions
from models.busy_plan import BusyOutcome, Workload, busy_outcome
from models.coverage import Demand, beyond_any_post, drive_seconds
from models.demand import (
    HALF_WIDTH_H,
    HOURS_A_WEEK,
    demand_from_calls,
    demand_from_population,
    distinct_places,
    hours_of_week,
    near_hour,
)
from models.plan import Plan, make_plan
from models.scenario import (
    CloseRoad,
    FloodStreets,
    ScaleDemand,
    Scenario,
    SetClock,
    SetDemand,
    SetHourOfWeek,
    SetSpeedFactor,
    SetSpeeds,
    SetTarget,
    SetWorkload,
)
from models.staging import Conditions, Outcome, TargetClock, evaluate, merged_field
from pages.parts.memory import give_back_memory
from pages.parts.staging_fitted import FittedBand, FittedRoads, fitted_roads
from pages.parts.staging_water import street_water

DEFAULT_TARGET_MIN = 12.0
ENOUGH_CALLS = 30
"""Fewer calls than this in a neighborhood do not make it the worst one."""


@dataclass(frozen=True, eq=False)
class StagingInputs:
    """A city, prepared for staging.

    Attributes
    ----------
    city
        The city.
    posts
        Its candidate posts.
    regions
        Its neighborhoods.
    place_node, place_access_m, place_region
        (n_places,) of the places of the calls that stand for demand: node, metres to it, neighborhood.
    call_place, call_hour, call_year, call_first
        (n_calls,) of those calls: place, hour of the week (-1 without a time), calendar year (0 without),
        and whether the call has the highest priority.
    days
        Days over which those calls were counted; None where they carry no time.
    observed
        Calls a day and minutes a call keeps its unit, as counted from the city's unit responses; None where
        it gives none, and the profile's assumption holds.
    fitted
        Speeds fitted to the city's responses, kept from a check of the past; None where there is none, with
        the reason in ``fitted_fault`` when one is kept that cannot be used.
    stamp
        Stamp of the kept check, empty without one.
    """

    city: City
    posts: pd.DataFrame
    regions: gpd.GeoDataFrame
    times: TravelTimes
    place_node: npt.NDArray[np.int64]
    place_access_m: npt.NDArray[np.float64]
    place_region: npt.NDArray[np.int64]
    call_place: npt.NDArray[np.int64]
    call_hour: npt.NDArray[np.int64]
    call_year: npt.NDArray[np.int64]
    call_first: npt.NDArray[np.bool_]
    days: float | None
    observed: SetWorkload | None
    fitted: FittedRoads | None = None
    fitted_fault: str = ""
    stamp: str = ""

    @property
    def key(self) -> str:
        """What these inputs were made from: the city's version and the check of the past."""
        return f"{self.city.version}.{self.stamp}"

    @property
    def band_of_hour(self) -> npt.NDArray[np.int64]:
        """(168,) hour band of each hour of the week."""
        band_of_hour = np.zeros(HOURS_A_WEEK, dtype=np.int64)
        for at, band in enumerate(self.city.profile.hour_bands):
            band_of_hour[list(band.hours_of_week)] = at
        return band_of_hour

    @property
    def network(self) -> RoadNetwork:
        """The city's road network."""
        return self.city.network

    @property
    def demand_sources(self) -> tuple[str, ...]:
        """Kinds of demand that this city's tables can give."""
        return (
            *(("calls",) if len(self.call_place) else ()),
            *(("priority",) if self.call_first.any() else ()),
            *(("population",) if self.population.total > 0 else ()),
        )

    @property
    def years(self) -> tuple[int, ...]:
        """Calendar years that hold a tenth of the timed calls or more."""
        year, count = np.unique(self.call_year[self.call_year > 0], return_counts=True)
        return tuple(int(one) for one in year[count >= count.sum() / 10])

    def of_year(self, year: int) -> "StagingInputs":
        """Give the same city with the calls of one calendar year alone."""
        kept = self.call_year == year
        return replace(
            self,
            call_place=self.call_place[kept],
            call_hour=self.call_hour[kept],
            call_year=self.call_year[kept],
            call_first=self.call_first[kept],
        )

    @cached_property
    def stand_in(self) -> str:
        """What stands for medical calls where the city gives none, in its source's words; else empty."""
        if not self.city.has("calls"):
            return ""
        medical = self.city.table("calls")["agency"].isin(self.city.profile.medical_agencies).any()
        return "" if medical else self.city.source("calls").source.split(". ")[0].rstrip(".") + "."

    @cached_property
    def population(self) -> Demand:
        """People, spread over the street corners of their neighborhood."""
        kept = np.flatnonzero(self.network.main)
        region = assign_regions(
            self.network.node_lon[kept], self.network.node_lat[kept], self.regions.geometry.to_numpy()
        )
        people = self.regions["population"].to_numpy(dtype=float, na_value=np.nan)
        return demand_from_population(kept, region, people)

    def demand_source(self, scenario: Scenario) -> str:
        """Kind of demand in force: the scenario's where the city has it, else the first it has."""
        wanted = [change.source for change in scenario.find(SetDemand)]
        return next((source for source in wanted if source in self.demand_sources), self.demand_sources[0])

    def demand(self, scenario: Scenario) -> Demand:
        """Demand under a scenario: its kind, and its hour of the week where calls carry times."""
        source = self.demand_source(scenario)
        if source == "population":
            return self.population
        chosen = self.call_first if source == "priority" else np.ones(len(self.call_place), dtype=bool)
        hours = scenario.find(SetHourOfWeek)
        if hours and self.days is not None:
            chosen = chosen & near_hour(self.call_hour, hours[0].hour)
        return demand_from_calls(
            self.place_node, self.place_access_m, self.place_region, self.call_place, chosen
        )

    @cached_property
    def hospital_names(self) -> dict[str, str]:
        """Name of each hospital that takes patients of 911, by its id."""
        if not self.city.has("hospitals"):
            return {}
        table = self.city.table("hospitals")
        receives = table[table["receives_911"].fillna(value=False).astype(bool)]
        return dict(zip(receives["hospital_id"].astype(str), receives["name"].astype(str), strict=True))

    def roads(self, scenario: Scenario) -> Roads:
        """State of the roads under a scenario: the key under which its drives are kept."""
        band = self.fitted_at(scenario)
        return Roads(
            closures=tuple(change.name for change in scenario.find(CloseRoad)),
            floods=tuple(change.name for change in scenario.find(FloodStreets)),
            speeds="" if band is None else band.name,
            water=street_water(self.city, scenario),
        )

    def fitted_at(self, scenario: Scenario) -> FittedBand | None:
        """Fitted speeds of the scenario's hour; None where the assumed ones are in force."""
        wanted = any(change.source == "fitted" for change in scenario.find(SetSpeeds))
        if not wanted or self.fitted is None:
            return None
        hours = scenario.find(SetHourOfWeek)
        return self.fitted.at(hours[0].hour if hours else None)

    def home_factor(self, scenario: Scenario) -> float:
        """How much longer a drive without siren takes: over all posts and places of the demand, weighted."""
        band = self.fitted_at(scenario)
        if band is None:
            return self.city.profile.siren_factor
        roads, demand = self.roads(scenario), self.demand(scenario)
        rows = (
            self.times.from_candidates(self.posts, replace(roads, speeds=name))[0][:, demand.node]
            for name in (band.home_name, band.name)
        )
        quiet_s, siren_s = (np.where(np.isfinite(row), row, 0.0) @ demand.weight for row in rows)
        return float(quiet_s.sum() / siren_s.sum()) if siren_s.sum() > 0 else 1.0

    def hour_factor(self, scenario: Scenario) -> float:
        """Speed factor of the scenario's hour; over the whole week the mean, weighted by timed calls."""
        factors = np.array(self.city.profile.hour_factors)
        hours = scenario.find(SetHourOfWeek)
        if hours:
            return float(factors[hours[0].hour])
        timed = self.call_hour[self.call_hour >= 0]
        return float(factors[timed].mean() if len(timed) else factors.mean())

    def conditions(self, scenario: Scenario) -> Conditions:
        """Gather what holds for every plan that is compared under this scenario."""
        profile = self.city.profile
        clock = next(iter(scenario.find(SetClock)), SetClock(profile.call_handling_s, profile.turnout_s))
        own = next((change.factor for change in scenario.find(SetSpeedFactor)), 1.0)
        target = next(iter(scenario.find(SetTarget)), self.usual_target)
        assumed = Conditions(
            target_min=target.minutes,
            target_clock=_target_clock(target),
            call_handling_s=clock.call_handling_s,
            turnout_s=clock.turnout_s,
            speed_factor=profile.siren_factor * self.hour_factor(scenario) * own,
            speed_low=profile.speed_range.low,
            speed_high=profile.speed_range.high,
            access_kph=profile.access_kph,
        )
        band = self.fitted_at(scenario)
        if band is None or self.fitted is None:
            return assumed
        # Siren and hour are in the fitted speeds of the roads: only the planner's own factor is left.
        return replace(
            assumed,
            speed_factor=own,
            speed_low=band.low,
            speed_high=band.high,
            access_kph=self.fitted.access_kph,
            access_s=self.fitted.fitted.access_s,
        )

    def usual_workload(self) -> SetWorkload | None:
        """Give calls a day and minutes a call: counted, or assumed by the profile; None without either."""
        assumed = self.city.profile.workload
        if self.observed is not None or assumed is None:
            return self.observed
        return SetWorkload(assumed.calls_per_day, assumed.busy_min)

    def workload(self, scenario: Scenario) -> Workload | None:
        """Say how busy units are under a scenario: its growth, and its hour where calls carry times."""
        usual = next(iter(scenario.find(SetWorkload)), self.usual_workload())
        if usual is None:
            return None
        growth = next((change.factor for change in scenario.find(ScaleDemand)), 1.0)
        per_hour = usual.calls_per_day / 24 * growth
        hours = scenario.find(SetHourOfWeek)
        if hours and self.days is not None:
            near = near_hour(self.call_hour, hours[0].hour).sum() / (2 * HALF_WIDTH_H + 1)
            per_hour *= near / (len(self.call_hour) / HOURS_A_WEEK)
        return Workload(per_hour, usual.busy_min) if per_hour > 0 else None

    @property
    def usual_target(self) -> SetTarget:
        """The city's own first standard."""
        standards = self.city.profile.standards
        return standard_target(standards[0]) if standards else SetTarget(DEFAULT_TARGET_MIN)

    def standard(self, scenario: Scenario) -> Standard | None:
        """Give the standard whose target is in force; None for a target of the planner's own."""
        target = next(iter(scenario.find(SetTarget)), self.usual_target)
        return next((s for s in self.city.profile.standards if standard_target(s) == target), None)


def standard_target(standard: Standard) -> SetTarget:
    """Give the target of a standard."""
    return SetTarget(standard.minutes, standard.clock)


def _target_clock(target: SetTarget) -> TargetClock:
    return "departure" if target.clock == "departure" else "call"


@dataclass(frozen=True, eq=False)
class StagingView:
    """What a scenario does: its plan, its outcome, what no post could reach, and what busy units leave of it.

    ``busy`` is the reason, in words, where it cannot be told.
    """

    plan: Plan
    demand: Demand
    conditions: Conditions
    outcome: Outcome
    beyond: npt.NDArray[np.bool_]
    busy: BusyOutcome | str


def view_scenario(inputs: StagingInputs, scenario: Scenario) -> StagingView:
    """Evaluate a scenario.

    Raises
    ------
    InvalidInputError
        If the scenario leaves no demand, or closes a road that the city does not name.
    """
    plan = make_plan(inputs.posts, scenario)
    demand, conditions = inputs.demand(scenario), inputs.conditions(scenario)
    roads = inputs.roads(scenario)
    places = plan.places()
    nodes, access_m = (
        inputs.network.snap(places[:, 0], places[:, 1])
        if len(places)
        else (np.empty(0, dtype=np.int64), np.empty(0))
    )
    outcome = evaluate(inputs.times.rows(nodes, roads), access_m, demand, conditions)
    rows_s, candidate_access_m = inputs.times.from_candidates(inputs.posts, roads)
    best_s = drive_seconds(
        merged_field(rows_s, candidate_access_m, conditions), demand, access_kph=conditions.access_kph
    )
    beyond = beyond_any_post(best_s, demand, conditions.budget_s(), len(inputs.regions))
    return StagingView(plan, demand, conditions, outcome, beyond, _busy(inputs, scenario, outcome, demand))


@st.cache_resource(show_spinner=False, max_entries=8)
def cached_view(_inputs: StagingInputs, version: str, scenario: str) -> StagingView:  # noqa: ARG001
    """Evaluate a scenario, given as JSON, once: today's plan and every step back are asked for again."""
    return view_scenario(_inputs, Scenario.from_json(scenario))


def _busy(inputs: StagingInputs, scenario: Scenario, outcome: Outcome, demand: Demand) -> BusyOutcome | str:
    workload = inputs.workload(scenario)
    if workload is None:
        return "how busy units are is not known"
    try:
        return busy_outcome(outcome, demand, inputs.conditions(scenario), workload)
    except InvalidInputError as error:
        return str(error)


def staging_inputs(city: City) -> StagingInputs:
    """Prepare a city once for all sessions, and its fitted speeds anew after each check of the past."""
    # A copy of a folder has the same version, but fitted speeds of its own.
    folder = f"{city.path} {city.version}"
    return _with_fitted(_prepared(city, folder), folder, fitted_stamp(city))


@st.cache_resource(show_spinner="Preparing the streets and calls …", max_entries=4)
def _prepared(_city: City, folder: str) -> StagingInputs:  # noqa: ARG001 -- the folder is the key
    inputs = prepare_staging(_city)
    give_back_memory()
    return inputs


@st.cache_resource(show_spinner=False, max_entries=4)
def _with_fitted(_inputs: StagingInputs, folder: str, stamp: str) -> StagingInputs:  # noqa: ARG001
    return with_fitted(_inputs) if stamp else _inputs


def with_fitted(inputs: StagingInputs) -> StagingInputs:
    """Add the fitted speeds that the city's cache holds, or the reason why they cannot be used."""
    city, stamp = inputs.city, fitted_stamp(inputs.city)
    try:
        fitted = read_fitted(city)
    except InvalidInputError as error:
        return replace(inputs, fitted_fault=str(error), stamp=stamp)
    if fitted is None:
        return inputs
    roads = fitted_roads(inputs.network, fitted, band_of_hour=inputs.band_of_hour, call_hour=inputs.call_hour)
    return replace(inputs, fitted=roads, stamp=stamp, times=TravelTimes(city, roads.factors))


def prepare_staging(city: City) -> StagingInputs:
    """Prepare a city: snap its calls and posts, and find their neighborhoods."""
    regions = city.areas("neighborhoods")
    network = city.network
    calls = demand_calls(city)
    places, place_of_call = distinct_places(calls["lon"], calls["lat"])
    node, access_m = (
        network.snap(places[:, 0], places[:, 1])
        if len(places)
        else (np.empty(0, dtype=np.int64), np.empty(0))
    )
    hours = hours_of_week(calls["opened_at"])
    timed = calls["opened_at"].dropna()
    first = city.profile.words.get("priority_call", "")
    city_ground(city)
    return StagingInputs(
        city=city,
        posts=city.table("posts").reset_index(drop=True),
        regions=regions,
        times=TravelTimes(city),
        place_node=node,
        place_access_m=access_m,
        place_region=assign_regions(places[:, 0], places[:, 1], regions.geometry.to_numpy()),
        call_place=place_of_call,
        call_hour=hours,
        call_year=calls["opened_at"].dt.year.fillna(0).to_numpy(dtype=np.int64),
        call_first=(calls["priority"].fillna("") == first).to_numpy(dtype=bool),
        days=(timed.max() - timed.min()).total_seconds() / 86_400 if len(timed) > 1 else None,
        observed=_observed_workload(city),
    )


def demand_calls(city: City) -> pd.DataFrame:
    """Medical calls; where the city gives none, all calls as a stand-in."""
    if not city.has("calls"):
        none = pd.DataFrame(columns=["lon", "lat", "priority"], dtype=float)
        return none.assign(opened_at=pd.Series([], dtype="datetime64[us, UTC]"))
    calls = city.table("calls")
    medical = calls["agency"].isin(city.profile.medical_agencies)
    return calls[medical] if medical.any() else calls


def _observed_workload(city: City) -> SetWorkload | None:
    """Count calls a day, and the mean minutes from a unit's assignment until it is available again."""
    if not city.has("unit_responses"):
        return None
    table = city.table("unit_responses")
    whole = table[table["available_at"].notna() & ~table["cancelled"].fillna(value=False)]
    assigned = table["assigned_at"]
    days = (assigned.max() - assigned.min()).total_seconds() / 86_400
    if whole.empty or days <= 0:
        return None
    busy_min = (whole["available_at"] - whole["assigned_at"]).dt.total_seconds().mean() / 60
    return SetWorkload(round(table["call_id"].nunique() / days, 1), round(float(busy_min), 1))
