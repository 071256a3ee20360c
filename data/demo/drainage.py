"""The demo's drainage: the surface, and the tables that catch basins need, clean and then spoilt."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.demo import drainage_dirt as dirt
from data.demo.drainage_basins import Streets, place_basins, plant_states
from data.demo.drainage_buildings import build_houses
from data.demo.drainage_ground import Surface, leveed_ground, pump_areas, raise_ground
from data.demo.drainage_rain import draw_rainfall
from data.demo.drainage_records import keep_records
from data.demo.ground import Ground
from data.demo.network import Network
from data.demo.places import Neighborhoods

STREAMS = ("surface", "basins", "filling", "records", "rain", "houses", "drainage dirt")
"""Streams of chance that the drainage needs, each of its own."""


@dataclass(frozen=True, eq=False)
class Drainage:
    """What is written.

    Attributes
    ----------
    surface
        The elevation.
    tables
        Each table with the list of its spoilt rows, None where none was spoilt.
    truth
        What was planted.
    """

    surface: Surface
    tables: dict[str, tuple[pd.DataFrame, pd.DataFrame | None]]
    truth: dict[str, pd.DataFrame]


def make_drainage(
    laid: Network,
    *,
    ground: Ground,
    hoods: Neighborhoods,
    timezone: str,
    rng: Mapping[str, np.random.Generator],
) -> Drainage:
    """Make the drainage of a city with these streets; ``rng`` has a generator for each of ``STREAMS``."""
    leveed = leveed_ground(ground)
    streets = Streets(laid)
    surface = raise_ground(ground, leveed, streets.with_kerbs(), rng["surface"])
    basins = place_basins(streets, surface, ground=ground, hoods=hoods, rng=rng["basins"])
    planted = plant_states(basins, surface, hoods, rng["filling"])
    history = keep_records(basins, planted, hoods=hoods, timezone=timezone, rng=rng["records"])
    houses = build_houses(streets, surface, ground=ground, hoods=hoods, rng=rng["houses"])
    visited = history.basins["basin_id"].isin(history.cleanings["basin_id"]).to_numpy()
    untrue = history.truth["cleanings"]["false"].to_numpy(dtype=bool)
    chance = rng["drainage dirt"]
    return Drainage(
        surface=surface,
        tables={
            "pump_areas": (pump_areas(leveed, hoods), None),
            "basins": dirt.spoil_basins(history.basins, visited, chance),
            "cleanings": dirt.spoil_cleanings(history.cleanings, untrue, chance),
            "service_requests": dirt.spoil_requests(history.requests, chance),
            "rainfall": dirt.spoil_rainfall(draw_rainfall(timezone, rng["rain"]), chance),
            "buildings": dirt.spoil_buildings(houses, chance),
        },
        truth=history.truth,
    )
