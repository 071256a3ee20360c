"""A small city folder with calls, for the tests of the page "911 calls"."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
from shapely.geometry import LineString

from data.folder import CityFolderWriter
from data.profile import profile_path
from tests.models.calls_cases import REGIONS, SOUTH, WEST

PERIOD = "2023-01-01 to 2023-04-30"


def write_city(out: Path, calls: pd.DataFrame | None, *, responses: pd.DataFrame | None = None) -> Path:
    """Write a city of four neighborhoods and a small street grid; without calls for None."""
    step, side = 0.01, 9
    lon = [WEST + step * (i % side) for i in range(side * side)]
    lat = [SOUTH + step * (i // side) for i in range(side * side)]
    nodes = pd.DataFrame({"node": range(side * side), "lon": lon, "lat": lat})
    across = [(i, i + 1) for i in range(side * side) if i % side < side - 1]
    up = [(i, i + side) for i in range(side * (side - 1))]
    streets = gpd.GeoDataFrame(
        {
            "u": [u for u, _ in across + up],
            "v": [v for _, v in across + up],
            "name": "Canal Street",
            "road_class": "residential",
            "length_m": 1000.0,
            "oneway": False,
        },
        geometry=[LineString([(lon[u], lat[u]), (lon[v], lat[v])]) for u, v in across + up],
        crs="EPSG:4326",
    )
    neighborhoods = gpd.GeoDataFrame(
        {"name": ["TREMÉ", "MARIGNY", "BYWATER", "HOLY CROSS"], "population": [4000, 3000, None, 0]},
        geometry=REGIONS,
        crs="EPSG:4326",
    ).astype({"population": "Int64"})
    with CityFolderWriter(
        out, profile_path("new-orleans"), maker="test", seed=None, synthetic=True
    ) as writer:
        tables: dict[str, pd.DataFrame | None] = {
            "streets": streets,
            "street_nodes": nodes,
            "neighborhoods": neighborhoods,
            "calls": None if calls is None else calls.assign(location_precision="block"),
            "unit_responses": responses,
        }
        for name, table in tables.items():
            if table is not None:
                writer.write_table(name, table, source="Written by a test", period=PERIOD, licence="none")
        writer.finish()
    return out
