"""The demo's buildings: points along streets, the people who live there, and how high the floor is."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from data.demo.drainage_basins import IntArray, Streets, built_years
from data.demo.drainage_ground import Surface
from data.demo.facts_io import FloatArray, degrees, evenly, read_toml
from data.demo.ground import Ground
from data.demo.places import Neighborhoods
from geo.regions import assign_regions

LEAST_FLOOR_M, MOST_FLOOR_M = 0.1, 1.0


def build_houses(
    streets: Streets, surface: Surface, *, ground: Ground, hoods: Neighborhoods, rng: np.random.Generator
) -> pd.DataFrame:
    """Give the table ``buildings``: homes whose people add up to each neighborhood's population, and others.

    Parameters
    ----------
    streets
        The streets; lots lie along both sides.
    surface
        Low ground has houses that were raised again.
    ground
        No building stands in water.
    hoods
        Population and age of the neighborhoods.
    rng
        Draws everything.
    """
    facts = read_toml("drainage")["buildings"]
    xy, avenue = _lots(streets, ground)
    hood = assign_regions(xy[:, 0], xy[:, 1], hoods.shape)
    xy, avenue, hood = xy[hood >= 0], avenue[hood >= 0], hood[hood >= 0].astype(np.int64)
    order = {}
    for kind in ("home", *facts["others"]):
        # A weighted draw without replacement: the shortest of exponential waits come first (Efraimidis and
        # Spirakis 2006).
        weight = np.where(avenue, facts["on_avenues"][kind], 1.0)
        order[kind] = np.argsort(rng.exponential(1.0, len(xy)) / weight, kind="stable")
    kind_of = np.full(len(xy), "", dtype=object)
    for kind, count in facts["others"].items():
        free = order[kind][kind_of[order[kind]] == ""]
        kind_of[free[:count]] = kind
    people = np.zeros(len(xy), dtype=np.int64)
    homes = _homes_by_hood(hoods.population, facts["homes"])
    free = order["home"][kind_of[order["home"]] == ""]
    for number, count in enumerate(homes):
        here = free[hood[free] == number][:count]
        kind_of[here] = "home"
        people[here] = _shared_out(int(hoods.population[number]), len(here), rng)
    chosen = np.flatnonzero(kind_of != "")
    lonlat = degrees(xy[chosen]).round(6)
    return pd.DataFrame(
        {
            "building_id": [f"B{number:06d}" for number in range(1, len(chosen) + 1)],
            "kind": kind_of[chosen],
            "people": people[chosen].astype(float),
            "floor_m": _floors(xy[chosen], hood[chosen], surface, hoods, rng),
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )


def _lots(streets: Streets, ground: Ground) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """(n, 2) lots along both sides of the streets, on land, and whether each is on an avenue."""
    facts = read_toml("drainage")["buildings"]
    length, wide = streets.length_m, streets.avenue
    back = np.where(wide, facts["setback_m"]["avenue"], facts["setback_m"]["street"])
    # No lot reaches into the street at a corner.
    count = np.maximum(np.floor((length - 2 * back) / facts["lot_m"]), 0).astype(np.int64)
    of = np.repeat(np.arange(len(length)), count)
    place = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    along = back[of] + (place + 0.5) * ((length - 2 * back)[of] / count[of])
    both = [streets.beside(of, along, side * back[of]) for side in (1, -1)]
    xy, avenue = np.concatenate(both), np.tile(wide[of], 2)
    shapely.prepare(ground.land)
    # Local streets keep away from water; avenues may cross it.
    dry = ~avenue
    dry[avenue] = shapely.contains_xy(ground.land, xy[avenue, 0], xy[avenue, 1])
    return xy[dry], avenue[dry]


def _homes_by_hood(population: IntArray, homes: int) -> IntArray:
    return np.asarray(np.maximum(np.round(homes * population / population.sum()), 1), dtype=np.int64)


def _shared_out(people: int, homes: int, rng: np.random.Generator) -> IntArray:
    """(homes,) whole people: one each and the others by chance, many in a few large houses."""
    size = rng.gamma(1.2, 1.0, homes)
    return np.asarray(1 + rng.multinomial(people - homes, size / size.sum()))


def _floors(
    xy: FloatArray, hood: IntArray, surface: Surface, hoods: Neighborhoods, rng: np.random.Generator
) -> FloatArray:
    """(n,) metres of the floor over the ground: old houses on piers, slabs, houses raised since 2005."""
    facts = read_toml("drainage")["buildings"]
    built = built_years(hoods)[hood]
    floor = np.empty(len(hood))
    begin = -1
    for until, mean, spread in facts["floors"]:
        here = (built > begin) & (built <= until)
        floor[here] = rng.normal(mean, spread, int(here.sum()))
        begin = until
    row, column, held = surface.grid.cells_of(xy[:, 0], xy[:, 1])
    level = np.where(held, surface.dem_m[row, column], np.nan)
    again = (level < facts["rebuilt"]["below_m"]) & (rng.random(len(floor)) < facts["rebuilt"]["share"])
    floor[again] = evenly(facts["rebuilt"]["floor_m"], int(again.sum()), rng)
    return np.asarray(np.round(np.clip(floor, LEAST_FLOOR_M, MOST_FLOOR_M), 2))
