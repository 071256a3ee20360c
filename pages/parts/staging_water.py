"""Water that a storm of the scenario leaves on the streets, worked out from the city and the storm alone."""

from dataclasses import dataclass

import streamlit as st

from data.city import City
from data.derived import StreetWater
from data.profile_drainage import DrainageRules
from errors import InvalidInputError
from models.flood import Flood, run_storm
from models.flood_roads import WaterRules, street_depth
from models.scenario import CleanBasins, RainStorm, Scenario
from models.storm import INCH_MM, Pumping
from pages.parts.basins_ground import Surface, surface_of
from pages.parts.basins_inputs import BasinsInputs, basins_inputs, known_states
from pages.parts.basins_setting import Setting
from pages.parts.flood_image import Classes, depth_classes, flood_image
from pages.parts.map_layers import MapImage
from pages.parts.palette import Theme

WATER_CHANGES = (RainStorm, CleanBasins)


def missing_words(city: City) -> str:
    """Say what a storm needs that this city does not have; empty where it has all."""
    if not city.has("basins"):
        return city.missing("basins")
    if not city.has_elevation:
        return city.missing_elevation
    return (
        "" if city.profile.drainage else "The city's profile has no rules of drainage: add [drainage] to it."
    )


def water_rules(rules: DrainageRules) -> WaterRules:
    """Give what the profile says that water does to a street."""
    under = rules.speed_under_water
    return WaterRules(under.slow_depth_m, under.slow_factor, under.closed_depth_m)


def storm_change(setting: Setting) -> RainStorm:
    """Make a change of the storm and the pumps set on the page on catch basins."""
    return RainStorm(
        setting.depth_in * INCH_MM,
        setting.hours * 60,
        setting.shape,
        setting.first_in * INCH_MM,
        setting.later_in * INCH_MM,
        "|".join(f"{name}:{percent}" for name, percent in setting.out),
    )


def street_water(city: City, scenario: Scenario) -> StreetWater | None:
    """Give the water on the streets under a scenario; None where no rain falls.

    Raises
    ------
    InvalidInputError
        If the city lacks what a storm needs, or the scenario names basins or pumps that it does not have.
    """
    rained = storm_flood(city, scenario)
    return None if rained is None else rained.water


def storm_flood(city: City, scenario: Scenario) -> "RainedOn | None":
    """Run the scenario's storm once; None where no rain falls. Raises as `street_water`."""
    if not scenario.find(RainStorm):
        return None
    kept = tuple(change for change in scenario.changes if isinstance(change, WATER_CHANGES))
    # A copy of a folder has the same version; its records are the same too.
    return _rained_on(city, city.version, Scenario(scenario.baseline, kept).to_json())


@dataclass(frozen=True, eq=False)
class RainedOn:
    """A city under a storm: basins as its records let expect, cleaned ones as after a stop."""

    surface: Surface
    flood: Flood
    water: StreetWater


@st.cache_resource(show_spinner="Letting it rain …", max_entries=8)
def _rained_on(_city: City, version: str, scenario: str) -> RainedOn:
    lacking = missing_words(_city)
    if lacking:
        raise InvalidInputError(f"It cannot rain here. {lacking}")
    changes = Scenario.from_json(scenario)
    (rain,) = changes.find(RainStorm)
    inputs = basins_inputs(_city, version)
    surface = surface_of(inputs, version)
    if surface is None:
        raise InvalidInputError("It cannot rain here: the city has no ground to rain on")
    known = known_states(inputs, version, "", None)
    share = known.open_share.copy()
    basins = [at for change in changes.find(CleanBasins) for at in _numbers(inputs, change.stops)]
    share[basins] = known.open_if_cleaned[basins]
    flood = run_storm(surface.ground, rain.storm, _pumping(surface, rain), share)
    depth_m = street_depth(surface.reach.streets, flood.level_m).depth_m
    closed, factor = water_rules(surface.rules).roads(depth_m)
    return RainedOn(surface, flood, StreetWater(f"{version} {changes.hash}", closed, factor))


def water_image(city: City, scenario: Scenario, theme: Theme) -> MapImage | None:
    """Draw the water that slows and shuts streets; None where no rain falls."""
    rained = storm_flood(city, scenario)
    if rained is None:
        return None
    rules = water_rules(rained.surface.rules)
    inches = [f"{depth / INCH_MM * 1000:.0f} in" for depth in (rules.slow_depth_m, rules.closed_depth_m)]
    slow, shut = depth_classes(theme).colours[1:3]
    classes = Classes(
        (rules.slow_depth_m, rules.closed_depth_m),
        (slow, shut),
        (f"{inches[0]} and more: streets slower", f"{inches[1]} and more: streets shut"),
        "High water, at its highest",
    )
    return flood_image(rained.surface.frame, rained.flood.depth_m, classes)


def _numbers(inputs: BasinsInputs, stops: tuple[str, ...]) -> list[int]:
    number = {str(name): at for at, name in enumerate(inputs.basins["basin_id"])}
    unknown = [stop for stop in stops if stop not in number]
    if unknown:
        raise InvalidInputError(
            f"{len(unknown):,} of the basins to clean are not this city's, such as {unknown[0]}; "
            "send the list anew from Catch basins"
        )
    return [number[stop] for stop in stops]


def _pumping(surface: Surface, rain: RainStorm) -> Pumping:
    out = dict(rain.out)
    unknown = sorted(set(out) - set(surface.pump_areas))
    if unknown:
        raise InvalidInputError(f"This city has no pump area named {', '.join(unknown)}")
    share = tuple(1 - out.get(name, 0) / 100 for name in surface.pump_areas)
    return Pumping(rain.first_hour_mm, rain.later_mm_per_h, share or 1.0)
