"""Small tables of catch basins that tests write and spoil."""

import geopandas as gpd
import pandas as pd
import shapely

from tests.data.small_city import SOUTH, STEP, WEST

ZONE = "America/Chicago"
TAKEN = "2026-01-31"


def day(text: str) -> pd.Timestamp:
    """Give noon of a day in the city."""
    return pd.Timestamp(f"{text} 12:00", tz=ZONE)


def drainage_tables() -> dict[str, pd.DataFrame]:
    """Twelve rows of each table that has points, two pump areas: all of them good."""
    lon = [WEST + 0.0003 * row for row in range(12)]
    lat = [SOUTH + 0.0003 * row for row in range(12)]
    basins = pd.DataFrame(
        {
            "basin_id": [f"B{row:02d}" for row in range(12)],
            "kind": ["grate", "curb", "combination"] * 4,
            "placed": "survey",
            "street": "Canal Street",
            "land_use": "residential",
            "tree_share": 0.25,
            "last_cleaned_at": [day("2024-05-01"), pd.NaT] * 6,
            "inspected_at": day("2025-05-01"),
            "condition": ["clean", "clogged", None] * 4,
            "lon": lon,
            "lat": lat,
        }
    )
    cleanings = pd.DataFrame(
        {
            "cleaning_id": [f"K{row:02d}" for row in range(12)],
            "basin_id": basins["basin_id"],
            "crew": "Pelican Vacuum",
            "cleaned_at": day("2025-06-01"),
            "found": "clogged",
            "debris_kg": 200.0,
            "audited_at": [day("2025-06-20"), pd.NaT] * 6,
            "audit_found": ["clean", None] * 6,
            "lon": [*lon[:10], None, None],
            "lat": [*lat[:10], None, None],
        }
    )
    requests = pd.DataFrame(
        {
            "request_id": [f"Q{row:02d}" for row in range(12)],
            "request_type": "Catch Basin Clogged",
            "opened_at": day("2025-07-01"),
            "closed_at": [day("2025-08-01"), pd.NaT] * 6,
            "status": ["Closed", "Open"] * 6,
            "lon": lon,
            "lat": lat,
        }
    )
    rainfall = pd.DataFrame(
        {
            "gauge": ["DPS 1"] * 6 + ["DPS 3"] * 6,
            "starts_at": [day("2025-07-01") + pd.Timedelta(hours=row % 6) for row in range(12)],
            "minutes": 60.0,
            "depth_mm": 12.5,
        }
    )
    areas = gpd.GeoDataFrame(
        {"name": ["East", "West"], "station": ["DPS 1", "DPS 3"], "capacity_m3_s": [28.3, None]},
        geometry=[
            shapely.box(WEST, SOUTH, WEST + 2 * STEP, SOUTH + 4 * STEP),
            shapely.box(WEST + 2 * STEP, SOUTH, WEST + 4 * STEP, SOUTH + 4 * STEP),
        ],
        crs=4326,
    )
    buildings = pd.DataFrame(
        {
            "building_id": [f"H{row:02d}" for row in range(12)],
            "kind": "home",
            "people": 2.4,
            "floor_m": 0.6,
            "lon": lon,
            "lat": lat,
        }
    )
    return {
        "basins": basins,
        "cleanings": cleanings,
        "service_requests": requests,
        "rainfall": rainfall,
        "pump_areas": areas,
        "buildings": buildings,
    }
