"""A city of 25 corners that tests write, spoil and open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.folder import CityFolderWriter
from data.profile import profile_path

WEST, SOUTH, STEP = -90.08, 29.95, 0.001
SIDE = 5
EAST_OF_WATER = WEST + (SIDE - 1) * STEP + 0.01
SAID: Mapping[str, Any] = {"source": "a test", "period": "2026", "licence": "none"}


def small_tables() -> dict[str, pd.DataFrame]:
    """Streets on a square grid, two neighborhoods, a river, twelve calls, three posts, a hospital."""
    corner = {(i, j): i * SIDE + j for i in range(SIDE) for j in range(SIDE)}
    lon = {node: WEST + i * STEP for (i, _), node in corner.items()}
    lat = {node: SOUTH + j * STEP for (_, j), node in corner.items()}
    pairs = [(corner[i, j], corner[i + 1, j]) for i in range(SIDE - 1) for j in range(SIDE)]
    pairs += [(corner[i, j], corner[i, j + 1]) for i in range(SIDE) for j in range(SIDE - 1)]
    lines = [shapely.LineString([(lon[u], lat[u]), (lon[v], lat[v])]) for u, v in pairs]
    metres = gpd.GeoSeries(lines, crs=4326).to_crs(26915).length.to_numpy()
    streets = gpd.GeoDataFrame(
        {
            "u": [u for u, _ in pairs],
            "v": [v for _, v in pairs],
            "name": [f"Street {row}" for row in range(len(pairs))],
            "road_class": "residential",
            "length_m": metres,
            "oneway": False,
        },
        geometry=lines,
        crs=4326,
    )
    nodes = pd.DataFrame({"node": list(lon), "lon": list(lon.values()), "lat": list(lat.values())})
    east = WEST + (SIDE - 1) * STEP
    half = SOUTH + 2.5 * STEP
    hoods = gpd.GeoDataFrame(
        {"name": ["Uptown", "Downtown"], "population": [100, 200], "median_household_income": [30000, None]},
        geometry=[
            shapely.box(WEST - 0.001, half, east + 0.002, half + 0.003),
            shapely.box(WEST - 0.001, SOUTH - 0.001, east + 0.002, half),
        ],
        crs=4326,
    )
    water = gpd.GeoDataFrame(
        {"name": ["Mississippi River"], "kind": ["river"]},
        geometry=[shapely.box(east + 0.0015, SOUTH - 0.01, EAST_OF_WATER, SOUTH + 0.02)],
        crs=4326,
    )
    opened = pd.date_range("2026-01-01", periods=12, freq="h", tz="America/Chicago").as_unit("us")
    calls = pd.DataFrame(
        {
            "call_id": [f"C{row:02d}" for row in range(12)],
            "agency": "EMS",
            "opened_at": opened,
            "dispatched_at": opened + pd.Timedelta(minutes=1),
            "arrived_at": opened + pd.Timedelta(minutes=9),
            "closed_at": opened + pd.Timedelta(minutes=50),
            "location_precision": "exact",
            "lon": WEST + np.linspace(0, 4 * STEP, 12),
            "lat": SOUTH + np.linspace(0, 4 * STEP, 12),
        }
    )
    posts = pd.DataFrame(
        {
            "post_id": ["P1", "P2", "P3"],
            "name": ["Canal", "Broad", "Poydras"],
            "kind": "street",
            "baseline_rank": [1, None, None],
            "lon": [WEST, WEST + STEP, east],
            "lat": [SOUTH, SOUTH + STEP, SOUTH],
        }
    )
    hospitals = pd.DataFrame(
        {"hospital_id": ["H1"], "name": ["General"], "receives_911": [True], "lon": [WEST], "lat": [SOUTH]}
    )
    return {
        "streets": streets,
        "street_nodes": nodes,
        "neighborhoods": hoods,
        "water": water,
        "calls": calls,
        "posts": posts,
        "hospitals": hospitals,
    }


def write_city(out: Path, tables: Mapping[str, pd.DataFrame] | None = None) -> Path:
    """Write the small city, or the given tables, to a folder and give its path."""
    with CityFolderWriter(out, profile_path("new-orleans"), maker="test", seed=1, synthetic=True) as writer:
        for name, frame in (small_tables() if tables is None else tables).items():
            writer.write_table(name, frame, **SAID)
        return writer.finish()
