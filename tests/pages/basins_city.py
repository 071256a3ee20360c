"""The small city with a bowl in its middle, catch basins at its corners, and everything on record of them."""

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.folder import CityFolderWriter
from data.profile import profile_path
from geo.crs import to_metres
from geo.drainage_edges import Grid
from tests.data.small_city import SAID, SIDE, SOUTH, STEP, WEST, small_tables

EPSG, CELL_M, MARGIN_M = 26915, 10.0, 60.0
A_CORNER = 4
"""Basins at each corner of streets."""
FIRST_DAY = pd.Timestamp("2025-01-10 10:00", tz="America/Chicago")


def basins_tables() -> dict[str, pd.DataFrame]:
    """Hundred basins, thirty cleanings, sixty reports, 75 buildings, two pump areas."""
    numbers = np.arange(SIDE * SIDE * A_CORNER)
    corner, own = numbers // A_CORNER, numbers % A_CORNER
    east, north = corner // SIDE, corner % SIDE
    days = pd.to_timedelta(numbers % 30, unit="D")
    basins = pd.DataFrame(
        {
            "basin_id": [f"CB{number:03d}" for number in numbers],
            "kind": "combination",
            "placed": "survey",
            "street": [f"Street {number % 7}" for number in numbers],
            "land_use": np.where(numbers % 5 == 0, "commercial", "residential"),
            "tree_share": (numbers % 10) / 10,
            "last_cleaned_at": pd.Series(FIRST_DAY + days).where(numbers % 3 == 0),
            "inspected_at": pd.Series(FIRST_DAY + days + pd.Timedelta(days=200)).where(numbers % 4 == 0),
            "condition": pd.Series(np.where(numbers % 8 == 0, "clogged", "clean")).where(numbers % 4 == 0),
            "lon": WEST + east * STEP + 1e-5 * (own % 2),
            "lat": SOUTH + north * STEP + 1e-5 * (own // 2),
        }
    )
    basins.loc[[52, 92], "condition"] = "line blocked"
    work = numbers[:30] * 3
    at = FIRST_DAY + pd.Timedelta(days=300) + pd.to_timedelta(np.arange(30) * 7, unit="h")
    cleanings = pd.DataFrame(
        {
            "cleaning_id": [f"W{number:02d}" for number in range(30)],
            "basin_id": basins["basin_id"].to_numpy()[work],
            "crew": np.where(np.arange(30) % 2, "Gang A", "Gang B"),
            "cleaned_at": at,
            "found": "clogged",
            "debris_kg": 200.0,
            "audited_at": pd.Series(at + pd.Timedelta(days=5)).where(np.arange(30) % 5 == 0),
            "audit_found": pd.Series(np.where(np.arange(30) == 10, "clogged", "clean")).where(
                np.arange(30) % 5 == 0
            ),
            # One truck stood at the far end of the city.
            "lon": np.where(np.arange(30) == 26, WEST, basins["lon"].to_numpy()[work]),
            "lat": np.where(np.arange(30) == 26, SOUTH, basins["lat"].to_numpy()[work]),
        }
    )
    asked = (np.arange(60) * 7) % len(numbers)
    types = ("Catch Basin Clogged", "Catch Basin Not Draining", "Street Flooding")
    requests = pd.DataFrame(
        {
            "request_id": [f"R{number:02d}" for number in range(60)],
            "request_type": [types[number % 3] for number in range(60)],
            "opened_at": FIRST_DAY + pd.to_timedelta(np.arange(60) * 6, unit="D"),
            "closed_at": pd.Series(pd.NaT, index=range(60), dtype="datetime64[us, America/Chicago]"),
            "status": "open",
            "lon": basins["lon"].to_numpy()[asked],
            "lat": basins["lat"].to_numpy()[asked],
        }
    )
    homes = numbers[:75]
    buildings = pd.DataFrame(
        {
            "building_id": [f"B{number:02d}" for number in homes],
            "kind": "home",
            "people": 3.0,
            "floor_m": 0.1,
            "lon": WEST + (homes % 15) * STEP / 4 + 2e-4,
            "lat": SOUTH + (homes // 15) * STEP / 1.3 + 2e-4,
        }
    )
    middle, far = WEST + 2 * STEP, WEST + 5 * STEP
    areas = gpd.GeoDataFrame(
        {"name": ["West", "East"], "station": ["P1", "P2"], "capacity_m3_s": [10.0, 10.0]},
        geometry=[
            shapely.box(WEST - STEP, SOUTH - STEP, middle, SOUTH + SIDE * STEP),
            shapely.box(middle, SOUTH - STEP, far, SOUTH + SIDE * STEP),
        ],
        crs=4326,
    )
    return {
        **small_tables(),
        "basins": basins,
        "cleanings": cleanings,
        "service_requests": requests,
        "buildings": buildings,
        "pump_areas": areas,
    }


def basins_ground() -> tuple[np.ndarray, Grid]:
    """Give a leveed bowl of 1.5 m over all corners, with a second, deeper hole in it."""
    lon, lat = (np.array([low, low + (SIDE - 1) * STEP]) for low in (WEST, SOUTH))
    x_m, y_m = to_metres(lon, lat, EPSG)
    west, north = float(x_m.min() - MARGIN_M), float(y_m.max() + MARGIN_M)
    columns = int((x_m.max() - x_m.min() + 2 * MARGIN_M) / CELL_M) + 1
    rows = int((y_m.max() - y_m.min() + 2 * MARGIN_M) / CELL_M) + 1
    grid = Grid(west, north, CELL_M, EPSG, (rows, columns))
    down, across = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    dem = 1.5 * np.maximum(np.abs(down), np.abs(across)) ** 2
    dem -= 0.8 * np.exp(-((down - 0.5) ** 2 + (across + 0.5) ** 2) / 0.02)
    dem[[0, -1]] = dem[:, [0, -1]] = np.nan
    return dem, grid


def write_basins_city(
    out: Path, *, without: tuple[str, ...] = (), tables: Mapping[str, pd.DataFrame] | None = None
) -> Path:
    """Write the city, without some tables or ``"elevation"``."""
    shown = basins_tables() if tables is None else tables
    with CityFolderWriter(out, profile_path("new-orleans"), maker="test", seed=1, synthetic=True) as writer:
        for name, frame in shown.items():
            if name not in without:
                writer.write_table(name, frame, **SAID, retrieved="2026-02-01")
        if "elevation" not in without:
            dem, grid = basins_ground()
            writer.write_elevation(dem, grid, **SAID)
        return writer.finish()
