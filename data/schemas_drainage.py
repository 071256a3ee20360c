"""The tables that catch basins need: basins, cleanings, 311 requests, rain, pump areas, buildings."""

from data.schema_rules import BY_IMPORT, PLACE, SHAPE, ColumnRule, TableRule, text, time

BASIN_KINDS = ("grate", "curb", "combination")
PLACED = ("survey", "rule")
LAND_USES = ("residential", "commercial", "industrial", "open")
CONDITIONS = ("clean", "clogged", "broken", "line blocked", "not found", "car parked")
BUILDING_KINDS = ("home", "business", "public", "other")

MOST_RAIN_MM = 1300.0
"""More than one rain record can say: the most in 24 hours in the United States is 1,262 mm (49.69 inches at
Waipa, Kauai, on 14 and 15 April 2018; NOAA, National Climate Extremes Committee)."""

_MINUTES_A_DAY = 1440
_PAGES = ("Catch basins",)
_PLACE_IF_KNOWN = {"lon": ColumnRule(kind="number"), "lat": ColumnRule(kind="number")}

DRAINAGE_TABLES = (
    TableRule(
        name="basins",
        title="Catch basins",
        columns={
            "basin_id": text(needed=True, unique=True),
            "kind": text(needed=True, allowed=BASIN_KINDS),
            "placed": text(needed=True, allowed=PLACED),
            "street": text(),
            "land_use": text(allowed=LAND_USES),
            "tree_share": ColumnRule(kind="number", at_least=0, at_most=1),
            "last_cleaned_at": time(),
            "inspected_at": time(),
            "condition": text(allowed=CONDITIONS),
            **PLACE,
        },
        past=("last_cleaned_at", "inspected_at"),
        on_land=True,
        load_hint=BY_IMPORT,
        pages=_PAGES,
    ),
    TableRule(
        name="cleanings",
        title="Cleanings of catch basins",
        columns={
            "cleaning_id": text(needed=True, unique=True),
            "basin_id": text(needed=True),
            "crew": text(),
            "cleaned_at": time(needed=True),
            "found": text(allowed=CONDITIONS),
            "debris_kg": ColumnRule(kind="number", at_least=0),
            "audited_at": time(),
            "audit_found": text(allowed=CONDITIONS),
            **_PLACE_IF_KNOWN,
        },
        time_order=("cleaned_at", "audited_at"),
        past=("cleaned_at", "audited_at"),
        load_hint=BY_IMPORT,
        pages=_PAGES,
    ),
    TableRule(
        name="service_requests",
        title="311 requests",
        columns={
            "request_id": text(needed=True, unique=True),
            "request_type": text(needed=True),
            "opened_at": time(needed=True),
            "closed_at": time(),
            "status": text(),
            **PLACE,
        },
        time_order=("opened_at", "closed_at"),
        past=("opened_at", "closed_at"),
        load_hint=BY_IMPORT,
        pages=_PAGES,
    ),
    TableRule(
        name="rainfall",
        title="Rain gauges",
        columns={
            "gauge": text(needed=True),
            "starts_at": time(needed=True),
            "minutes": ColumnRule(kind="number", needed=True, above=0, at_most=_MINUTES_A_DAY),
            "depth_mm": ColumnRule(kind="number", needed=True, at_least=0, at_most=MOST_RAIN_MM),
            **_PLACE_IF_KNOWN,
        },
        past=("starts_at",),
        one_of_each=("gauge", "starts_at"),
        load_hint=BY_IMPORT,
        pages=_PAGES,
    ),
    TableRule(
        name="pump_areas",
        title="Areas of the drainage pumps",
        columns={
            "name": text(needed=True, unique=True),
            "station": text(),
            "capacity_m3_s": ColumnRule(kind="number", above=0),
            **SHAPE,
        },
        shapes="areas",
        load_hint=BY_IMPORT,
        pages=_PAGES,
    ),
    TableRule(
        name="buildings",
        title="Buildings",
        columns={
            "building_id": text(needed=True, unique=True),
            "kind": text(allowed=BUILDING_KINDS),
            "people": ColumnRule(kind="number", at_least=0),
            "floor_m": ColumnRule(kind="number", at_least=0),
            **PLACE,
        },
        on_land=True,
        load_hint=BY_IMPORT,
        pages=_PAGES,
    ),
)
"""In this order: cleanings are checked against the basins that were read before."""
