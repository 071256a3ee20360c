"""The part of a city's profile that the page on catch basins needs: ground, pumps, storms, crews."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.profile_base import FrozenModel, Text
from data.profile_roads import Share

Rule = Literal["outlet", "wall"] | Annotated[float, Field(ge=-500, le=9000)]
"""How water leaves at an edge: at ground level, never, or once it stands at a level in metres."""

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Depth = Annotated[float, Field(gt=0, le=3)]
Inches = Annotated[float, Field(ge=0, le=60)]


class EdgeRules(FrozenModel):
    """How water leaves the surface at its sides, and beside cells without ground (``gap``)."""

    north: Rule
    south: Rule
    east: Rule
    west: Rule
    gap: Rule
    why: Text

    @property
    def rules(self) -> dict[str, str | float]:
        """The rules as :data:`geo.drainage_edges.Edge` takes them."""
        return {
            "north": self.north,
            "south": self.south,
            "east": self.east,
            "west": self.west,
            "gap": self.gap,
        }


class PumpRule(FrozenModel):
    """What pipes and pumps are said to take: so much in the first hour of rain, so much in each later one.

    ``contested`` says why the figures may be wrong; every result that rests on them shows it.
    """

    first_hour_in: Inches
    later_in_per_h: Inches
    contested: Text
    source: Text


class StormPreset(FrozenModel):
    """A storm to pick: depth, duration and shape as :class:`models.storm.Storm` takes them.

    ``on`` is the day of a storm that was; ``source`` says where depth and duration come from, and of
    which places they hold.
    """

    name: Text
    depth_in: Annotated[float, Field(gt=0, le=60)]
    duration_h: Annotated[float, Field(gt=0, le=24)]
    shape: Literal["middle", "even", "early"] = "middle"
    on: date | None = None
    source: Text


class Crew(FrozenModel):
    """What cleaning takes.

    Attributes
    ----------
    basins_a_truck_day
        Catch basins that one truck cleans in a day.
    cost_usd
        Price of one cleaning.
    debris_kg
        What comes out of one basin.
    truck_capacity_kg
        What a truck carries before it must drive to the dump.
    service_min
        Minutes at one basin.
    shift_h
        Hours from leaving the depot to being back.
    source
        Where these come from.
    """

    basins_a_truck_day: Positive
    cost_usd: Positive
    debris_kg: Positive
    truck_capacity_kg: Positive
    service_min: Positive
    shift_h: Annotated[float, Field(gt=0, le=24)]
    source: Text

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.debris_kg > self.truck_capacity_kg:
            msg = "a truck must be able to carry what comes out of one basin (debris_kg, truck_capacity_kg)"
            raise ValueError(msg)
        return self


class CrewPlace(FrozenModel):
    """Where the trucks start and end (depot), or unload (dump)."""

    name: Text
    kind: Literal["depot", "dump"]
    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: Annotated[float, Field(ge=-90, le=90)]
    source: Text


class UnderWater(FrozenModel):
    """How an ambulance drives through water: slower from one depth on, not at all from another."""

    slow_depth_m: Depth
    slow_factor: Share
    closed_depth_m: Depth
    source: Text

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.slow_depth_m >= self.closed_depth_m:
            msg = "slow_depth_m must be below closed_depth_m"
            raise ValueError(msg)
        return self


class DrainageRules(FrozenModel):
    """What is assumed about rain, ground, inlets and crews; see ``cities/new-orleans.toml``.

    Attributes
    ----------
    edge
        How water leaves the surface.
    levels_m
        Lowest and highest ground that the city can have: a surface beyond it is in another unit.
    elevation_sd_m, elevation_range_m
        Standard deviation of the elevation's error, and how far it is alike, metres.
    min_depth_m, min_volume_m3
        Ponds less deep, or smaller, are noise.
    runoff_share
        Share of the rain that reaches the streets.
    inlet_depth_m
        Depth of water at the curb at which the capacity of inlets is reckoned.
    pumping, storms, crew, places, speed_under_water
        See their classes.
    request_types
        Types of 311 requests that tell of a catch basin.
    sources
        Where each figure above comes from, or that it is an assumption.
    """

    edge: EdgeRules
    levels_m: tuple[float, float]
    elevation_sd_m: Annotated[float, Field(ge=0, le=5)]
    elevation_range_m: Positive
    min_depth_m: NotNegative
    min_volume_m3: NotNegative
    runoff_share: Share
    inlet_depth_m: Depth
    pumping: PumpRule
    storms: Annotated[tuple[StormPreset, ...], Field(min_length=1)]
    request_types: Annotated[tuple[Text, ...], Field(min_length=1)]
    crew: Crew
    places: tuple[CrewPlace, ...]
    speed_under_water: UnderWater
    sources: dict[str, Text]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        """Gather contradictions: levels upside down, names told twice, no depot, a figure without source."""
        said = []
        if self.levels_m[0] >= self.levels_m[1]:
            said.append("levels_m must be the lowest and then the highest ground")
        said += [f"the storm {name} is there twice" for name in _repeated(s.name for s in self.storms)]
        said += [f"the place {name} is there twice" for name in _repeated(p.name for p in self.places)]
        said += [f"the request type {name} is there twice" for name in _repeated(self.request_types)]
        there = {place.kind for place in self.places}
        said += [f"places must name a {kind}" for kind in ("depot", "dump") if kind not in there]
        wanted = (
            "levels_m",
            "elevation_sd_m",
            "elevation_range_m",
            "min_depth_m",
            "min_volume_m3",
            "runoff_share",
            "inlet_depth_m",
            "request_types",
        )
        missing = [figure for figure in wanted if figure not in self.sources]
        if missing:
            said.append(f"sources must say where these come from: {', '.join(missing)}")
        if said:
            raise ValueError("; ".join(said))
        return self

    def places_of(self, kind: Literal["depot", "dump"]) -> tuple[CrewPlace, ...]:
        """Give the depots or the dumps."""
        return tuple(place for place in self.places if place.kind == kind)


def _repeated(values: Iterable[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)
