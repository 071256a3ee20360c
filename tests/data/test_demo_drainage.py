"""The demo's drainage: the ground is a leveed bowl, and what was planted is in the records, and only that."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely

from data.city import City
from data.demo.drainage_basins import Planted, blocked_share
from data.demo.drainage_filling import Filling
from data.demo.drainage_rain import local_times, storms
from data.demo.facts_io import metres, read_csv, read_toml
from data.demo.maker import STREAMS
from data.elevation import Elevation
from geo.drainage_hierarchy import Bowls, nest_bowls
from geo.drainage_ponds import significant_ponds
from geo.regions import assign_regions
from models.basin_inputs import basin_capacity
from models.flood import prepare_ground, run_storm
from models.storm import Pumping, Storm

ZONE = "America/Chicago"
FloatArray = npt.NDArray[np.float64]
REASONS = {
    "no place": "no place is given",
    "50 km away": "the place lies outside the city",
    "longitude and latitude swapped": "longitude and latitude look swapped",
    "kind missing": "kind is missing",
    "kind unknown": "kind is not one of",
    "tree share over one": "tree_share is above 1",
    "cleaned in the future": "cleaned_at is after 2026-01-01",
    "id used twice": "_id was used before",
    "basin unknown": "its basin (basin_id) is not among",
    "debris below zero": "debris_kg is below 0",
    "found unreadable": "found is not one of",
    "audited before cleaned": "audited_at is before cleaned_at",
    "closed before opened": "closed_at is before opened_at",
    "type missing": "request_type is missing",
    "depth below zero": "depth_mm is below 0",
    "minutes not above zero": "minutes is not above 0",
    "record repeated": "gauge and starts_at were used before",
    "people below zero": "people is below 0",
    "floor below zero": "floor_m is below 0",
}


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


@pytest.fixture(scope="module")
def surface(city: City) -> Elevation:
    assert city.elevation is not None
    return city.elevation


@pytest.fixture(scope="module")
def bowls(city: City, surface: Elevation) -> Bowls:
    assert city.profile.drainage is not None
    sides = ("north", "south", "east", "west", "gap")
    edge = {side: getattr(city.profile.drainage.edge, side) for side in sides}
    return nest_bowls(surface.dem_m, surface.grid.cell_m, edge=edge)


@pytest.fixture(scope="module")
def basins(city: City) -> pd.DataFrame:
    """Basins that can be used, with their planted truth and neighborhood."""
    found = city.table("basins").merge(truth(city, "basins"), on="basin_id", validate="1:1")
    hoods = city.areas("neighborhoods")
    found["hood"] = hoods["name"].to_numpy()[assign_regions(found["lon"], found["lat"], hoods.geometry)]
    return found


@pytest.fixture(scope="module")
def cleanings(city: City) -> pd.DataFrame:
    return city.table("cleanings").merge(truth(city, "cleanings"), on="cleaning_id")


@pytest.fixture(scope="module")
def requests(city: City) -> pd.DataFrame:
    return city.table("service_requests").merge(truth(city, "requests"), on="request_id")


def truth(city: City, name: str) -> pd.DataFrame:
    return pd.read_parquet(city.path / "truth" / f"{name}.parquet")


def places(frame: pd.DataFrame) -> FloatArray:
    return metres(frame[["lon", "lat"]].to_numpy().tolist())


def level(surface: Elevation, lonlat: list[list[float]]) -> FloatArray:
    """Median level within 150 m of places in degrees."""
    xy = metres(lonlat)
    row, column, _ = surface.grid.cells_of(xy[:, 0], xy[:, 1])
    around = [surface.dem_m[r - 7 : r + 8, c - 7 : c + 8] for r, c in zip(row, column, strict=True)]
    return np.array([np.nanmedian(cells) for cells in around])


def test_drainage_draws_from_streams_behind_all_others() -> None:
    assert STREAMS[:6] == ("streets", "demand", "police", "service", "dirt", "outlets")
    assert len(set(STREAMS)) == len(STREAMS)


def test_the_ground_is_a_bowl_with_levees_and_ridges(surface: Elevation) -> None:
    riverside, broadmoor, ridge, lakeview, lakefront, east = level(
        surface,
        [
            [-90.0950, 29.9150],
            [-90.1035, 29.9475],
            [-90.0640, 29.9945],
            [-90.1080, 30.0050],
            [-90.0900, 30.0250],
            [-89.9650, 30.0500],
        ],
    )
    assert riverside > 1.0
    assert broadmoor + 1.5 < ridge < riverside - 1.0
    assert broadmoor < -1.5
    assert lakeview < -1.5
    assert east < -1.8
    assert lakefront > 0.8
    assert surface.dem_m[~np.isnan(surface.dem_m)].max() == pytest.approx(6.2)


def test_no_water_has_a_level(city: City, surface: Elevation) -> None:
    wet = shapely.union_all(city.areas("water").to_crs(surface.grid.epsg).geometry.buffer(-15))
    row, column = np.nonzero(~np.isnan(surface.dem_m))
    shapely.prepare(wet)
    assert not shapely.contains_xy(wet, *surface.grid.middles(row, column)).any()
    assert 250e6 < len(row) * surface.grid.cell_m**2 < 320e6


def test_hollows_of_many_sizes_make_ponds(bowls: Bowls) -> None:
    ponds = significant_ponds(bowls, min_depth_m=0.3)
    assert 1_000 < ponds.n_ponds < 2_000
    assert bowls.n_leaves > 5_000
    size = ponds.volume_m3[1 : ponds.n_ponds + 1]
    small, large = np.percentile(size, [10, 95])
    assert large > 10 * small


def test_pump_areas_tile_the_leveed_ground(city: City, surface: Elevation) -> None:
    areas = city.areas("pump_areas").to_crs(surface.grid.epsg)
    row, column = np.nonzero(~np.isnan(surface.dem_m))
    x, y = surface.grid.middles(row[::50], column[::50])
    assert (assign_regions(x, y, areas.geometry) >= 0).mean() > 0.999
    together = shapely.union_all(areas.geometry)
    assert together.area == pytest.approx(areas.area.sum(), rel=1e-6)
    station = {f"Area {row['station']}" for row in read_csv("drainage_hoods") if row["station"]}
    assert set(areas["name"]) == station
    first = areas.set_index("name").loc["Area 1"]
    assert first["capacity_m3_s"] == pytest.approx(6825 * 0.3048**3, abs=0.01)


def test_basins_stand_at_the_lower_corners_of_streets(
    city: City, surface: Elevation, basins: pd.DataFrame
) -> None:
    raw = pd.read_parquet(city.path / "tables" / "basins.parquet")
    assert raw["basin_id"].nunique() == 80_000
    assert (basins["placed"] == "survey").all()
    levels = surface.levels_at(basins["lon"], basins["lat"])
    assert not np.isnan(levels).any()
    streets = city.areas("streets").to_crs(surface.grid.epsg)
    tree = shapely.STRtree(streets.geometry.to_numpy())
    some = basins.sample(2_000, random_state=1)
    points = shapely.points(places(some))
    nearest, away = tree.query_nearest(points, return_distance=True, all_matches=False)
    assert (away < 10).all()
    line = streets.geometry.to_numpy()[nearest[1]]
    share = shapely.line_locate_point(line, points) / shapely.length(line)
    at_end = (share < 0.25) | (share > 0.75)
    assert 0.6 < at_end.mean() < 0.85
    here = np.where(share < 0.5, 0, -1)
    ends = [shapely.get_coordinates(shapely.get_point(line, end)) for end in (here, -1 - here)]
    near, far = (surface.dem_m[surface.grid.cells_of(xy[:, 0], xy[:, 1])[:2]] for xy in ends)
    known = at_end & ~np.isnan(near) & ~np.isnan(far)
    assert (near[known] <= far[known] + 0.011).mean() > 0.95


def test_kinds_go_by_the_age_of_the_neighborhood(basins: pd.DataFrame) -> None:
    built = {row["name"]: int(row["built"]) for row in read_csv("drainage_hoods")}
    old = basins["hood"].map(built) < 1910
    assert 0.5 < (basins.loc[old, "kind"] == "grate").mean() < 0.6
    assert (basins.loc[basins["hood"].map(built) >= 1950, "kind"] == "grate").mean() < 0.15
    canopy = basins.groupby("hood")["tree_share"].mean()
    assert canopy["Garden District"] > 2 * canopy["French Quarter"]


def test_the_truth_is_the_stated_model(basins: pd.DataFrame) -> None:
    load = basins["load_a_year"] * basins["years_since_cleaned"]
    assert np.allclose(load**4 / (1 + load**4), basins["clogged_share"], atol=0.02)
    clear = (load - 1).abs() > 0.01
    assert ((load >= 1) == basins["clogged"])[clear].all()
    passes = np.where(basins["line_blocked"] | basins["buried"], 0, np.where(basins["broken"], 0.5, 1))
    assert np.allclose(basins["open_if_cleaned"], passes)
    assert np.allclose(basins["open_share"], (1 - basins["clogged_share"]) * passes, atol=0.001)
    planted = read_toml("drainage")["filling"]
    ordinary = basins.loc[~basins["cluster"]]
    busy = (ordinary["land_use"] == "commercial").to_numpy(dtype=float)
    columns = np.column_stack([np.ones(len(ordinary)), ordinary["tree_share"].to_numpy(dtype=float), busy])
    effect, *_ = np.linalg.lstsq(columns, np.log(ordinary["load_a_year"].to_numpy(dtype=float)), rcond=None)
    assert effect[1] == pytest.approx(planted["trees"], abs=0.3)
    assert effect[2] == pytest.approx(planted["commercial"], abs=0.2)


def test_the_clogged_share_differs_by_area_and_place(basins: pd.DataFrame) -> None:
    assert 0.16 < basins["clogged"].mean() < 0.59
    by_hood = basins.groupby("hood")["clogged"].agg(["mean", "size"]).query("size > 200")["mean"]
    assert by_hood.min() < 0.2
    assert by_hood.max() > 0.6
    assert basins.loc[basins["cluster"], "clogged"].mean() > 0.8
    for state, share in (("broken", 0.03), ("line_blocked", 0.035), ("buried", 0.018)):
        assert basins[state].mean() == pytest.approx(share, abs=0.012), state
    xy = places(basins)
    blocked = xy[basins["line_blocked"].to_numpy()]
    some = blocked[:: len(blocked) // 300]
    beside = shapely.STRtree(np.asarray(shapely.points(xy))).query(shapely.points(some), "dwithin", 60)
    assert basins["line_blocked"].to_numpy()[beside[1]].mean() > 10 * basins["line_blocked"].mean()


def test_a_basin_fills_from_its_last_true_cleaning() -> None:
    no = np.zeros(2, dtype=bool)
    planted = Planted(np.array([0.5, 0.5]), no, no, no, no)
    filling = Filling(planted, np.array([-365.25, -365.25]))
    both = np.array([0, 1])
    assert filling.load(both, 365.25) == pytest.approx([1.0, 1.0])
    assert filling.share(both, 365.25) == pytest.approx([0.5, 0.5])
    filling.clean(both, np.array([0.0, 0.0]), left=np.array([False, True]))
    # One year after: half a load; a quarter of the load of one year was left in the second.
    assert filling.load(both, 365.25) == pytest.approx([0.5, 0.625])
    assert filling.load(both, -1.0) == pytest.approx([0.5 * 364.25 / 365.25] * 2)
    assert blocked_share(np.array([0.0, 1.0, 1e9])) == pytest.approx([0, 0.5, 1])


def test_crews_clean_3500_a_year_and_contractor_c_says_so_most(
    basins: pd.DataFrame, cleanings: pd.DataFrame
) -> None:
    for year in (2024, 2025):
        assert 3_300 < (cleanings["cleaned_at"].dt.year == year).sum() < 3_600
    per_day = cleanings.groupby(["crew", cleanings["cleaned_at"].dt.date]).size()
    assert (per_day <= 8).mean() > 0.98
    assert (cleanings["cleaned_at"].dt.day_of_week < 5).all()
    share = cleanings.groupby("crew")["false"].mean().sort_values()
    assert share.index[-1] == "Contractor C"
    assert share.iloc[-1] > 2 * share.iloc[-2]
    assert 0.03 < cleanings["false"].mean() < 0.09
    assert (cleanings["why"].notna() == cleanings["false"]).all()

    placed = cleanings.dropna(subset=["lon"]).merge(basins, on="basin_id", suffixes=("", "_basin"))
    stood = placed[["lon_basin", "lat_basin"]].set_axis(["lon", "lat"], axis=1)
    away = np.hypot(*(places(placed) - places(stood)).T)
    elsewhere = (placed["why"] == "truck elsewhere").to_numpy()
    assert (away[elsewhere] > 240).all()
    assert (away[~elsewhere] < 170).all()
    assert np.median(away[~elsewhere]) < 10
    assert cleanings["lon"].isna().mean() == pytest.approx(0.03, abs=0.01)
    honest = cleanings.loc[~cleanings["false"] & (cleanings["found"] == "clogged"), "debris_kg"]
    assert 218 < honest.mean() < 380


def test_audits_and_311_tell_of_cleanings_that_never_were(
    cleanings: pd.DataFrame, requests: pd.DataFrame
) -> None:
    audited = cleanings.dropna(subset=["audit_found"])
    assert 300 < len(audited) < 520
    full = (audited["audit_found"] == "clogged").groupby(audited["false"]).mean()
    assert full[True] > 4 * full[False]
    both = cleanings.merge(requests, on="basin_id")
    after = (both["opened_at"] - both["cleaned_at"]).dt.days.between(1, 30)
    again = cleanings["cleaning_id"].isin(both.loc[after, "cleaning_id"]).groupby(cleanings["false"]).mean()
    assert again[True] > 4 * again[False]


def test_the_record_believes_what_crews_say(basins: pd.DataFrame, cleanings: pd.DataFrame) -> None:
    said = cleanings.loc[~cleanings["found"].isin(["not found", "car parked"])]
    last = said.groupby("basin_id")["cleaned_at"].max()
    known = basins.set_index("basin_id")["last_cleaned_at"].reindex(last.index)
    # A basin whose last cleaning is a row that was spoilt knows of a later one.
    assert (known == last).mean() > 0.98
    assert (known >= last).all()
    latest = said.sort_values("cleaned_at").drop_duplicates("basin_id", keep="last")
    untrue = latest.loc[latest["false"]]
    never = basins.set_index("basin_id").loc[untrue["basin_id"]]
    since = pd.Timestamp("2026-01-01", tz=ZONE) - pd.to_timedelta(
        never["years_since_cleaned"] * 365.25, unit="D"
    )
    assert (since < never["last_cleaned_at"]).mean() > 0.98
    assert 0.6 < basins["last_cleaned_at"].notna().mean() < 0.9


def test_requests_come_from_those_who_report_and_after_storms(
    city: City, basins: pd.DataFrame, requests: pd.DataFrame
) -> None:
    assert city.profile.drainage is not None
    assert set(requests["request_type"]) == set(city.profile.drainage.request_types)
    assert 8_000 < len(requests) < 15_000
    per_basin = requests["basin_id"].value_counts().reindex(basins["basin_id"]).fillna(0).to_numpy()
    found = pd.Series(per_basin).groupby(basins["hood"]).agg(["mean", "size"])
    rate = truth(city, "reporting").set_index("neighborhood")["rate"].reindex(found.index)
    many = (found["size"] > 300).to_numpy()
    assert np.corrcoef(np.log(rate[many]), np.log(found["mean"][many]))[0, 1] > 0.85
    assert rate.max() > 5 * rate.min()
    clogged = pd.Series(per_basin).groupby(basins["clogged"].to_numpy()).mean()
    assert clogged[True] > 1.4 * clogged[False]

    day = (requests["opened_at"].dt.tz_localize(None) - pd.Timestamp("2024-01-01")) / pd.Timedelta(days=1)
    stormy = np.zeros(len(requests), dtype=bool)
    for storm in storms():
        stormy |= day.between(storm.begins_day, storm.begins_day + 3).to_numpy()
    # Nine storms of three days: 27 of 731 days.
    assert stormy.mean() > 5 * 27 / 731
    flooding = (requests["request_type"] == "Street Flooding").groupby(stormy).mean()
    assert flooding[True] > 1.5 * flooding[False]
    about = basins.set_index("basin_id").reindex(requests["basin_id"])[["lon", "lat"]]
    known = about["lon"].notna().to_numpy()
    away = np.hypot(*(places(requests.loc[known]) - places(about[known])).T)
    assert (away < 60).all()
    assert 0.55 < (away < 15).mean() < 0.75


def test_those_looked_at_are_no_fair_sample(basins: pd.DataFrame) -> None:
    seen = basins.dropna(subset=["condition"])
    assert 3_000 < len(seen) < 12_000
    assert (seen["inspected_at"] < pd.Timestamp("2026-01-01", tz=ZONE)).all()
    told = seen.loc[seen["condition"].isin(["clean", "clogged"])]
    assert (told["condition"] == "clogged").mean() > basins["clogged"].mean() + 0.05
    later = told.loc[told["last_cleaned_at"].isna() | (told["last_cleaned_at"] < told["inspected_at"])]
    right = (later["condition"] == "clogged") == later["clogged"]
    assert right.mean() > 0.85
    assert (seen.loc[seen["condition"] == "not found", "buried"]).all()


def test_a_year_has_about_1600_mm_and_storms_have_a_middle(city: City) -> None:
    rain = city.table("rainfall")
    total = rain.groupby([rain["starts_at"].dt.year, "gauge"])["depth_mm"].sum()
    assert total.size == 24
    assert total.between(1_200, 2_000).all()
    storm = rain.loc[
        (rain["starts_at"].dt.date == pd.Timestamp("2025-08-05").date()) & (rain["minutes"] == 15)
    ]
    depth = storm.groupby("gauge")["depth_mm"].sum()
    assert depth["London Avenue"] > 110
    assert depth["London Avenue"] > 3 * depth.get("Michoud", 0)


def test_people_of_homes_add_up_to_the_population(city: City) -> None:
    houses = city.table("buildings")
    assert 60_000 < len(houses) < 100_000
    hoods = city.areas("neighborhoods")
    raw = pd.read_parquet(city.path / "tables" / "buildings.parquet").drop_duplicates("building_id")
    wrong = set(raw["building_id"]) - set(houses["building_id"])
    assert len(wrong) < 150
    where = assign_regions(houses["lon"], houses["lat"], hoods.geometry)
    people = np.bincount(where, houses["people"], len(hoods))
    # What is missing lives in the rows that were spoilt.
    assert (np.abs(people - hoods["population"]) <= 0.01 * hoods["population"] + 20).all()
    assert (houses.loc[houses["kind"] != "home", "people"] == 0).all()
    assert houses["floor_m"].between(0.1, 1.0).all()
    built = {row["name"]: int(row["built"]) for row in read_csv("drainage_hoods")}
    old = hoods["name"].map(built).to_numpy()[where] < 1950
    assert houses.loc[old, "floor_m"].mean() > houses.loc[~old, "floor_m"].mean() + 0.2


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("basins", "basin_id"),
        ("cleanings", "cleaning_id"),
        ("service_requests", "request_id"),
        ("rainfall", "gauge"),
        ("buildings", "building_id"),
    ],
)
def test_exactly_the_listed_rows_are_quarantined(city: City, table: str, key: str) -> None:
    listed = truth(city, "dirty_rows").query("table == @table")
    quarantined = city.quarantine(table)
    who = [json.loads(record)[key] for record in quarantined["record"]]
    kinds = {kind: REASONS[kind] for kind in listed["kind"].unique()}
    found = Counter(
        (name, kind)
        for name, reason in zip(who, quarantined["reason"], strict=True)
        for kind, words in kinds.items()
        if words in reason
    )
    assert found == Counter(zip(listed["record_id"], listed["kind"], strict=True))
    assert len(quarantined) == len(listed)
    raw = pd.read_parquet(city.path / "tables" / f"{table}.parquet")
    assert (raw[key].iloc[listed["row"]].to_numpy() == listed["record_id"].to_numpy()).all()


def test_cleaning_matters_in_some_ponds_and_not_where_pumps_limit(
    city: City, surface: Elevation, bowls: Bowls, basins: pd.DataFrame
) -> None:
    rules = city.profile.drainage
    assert rules is not None
    ponds = significant_ponds(bowls, min_depth_m=0.3, min_volume_m3=rules.min_volume_m3)
    row, column, _ = surface.grid.cells_of(*places(basins).T)
    ground = prepare_ground(
        ponds,
        basin_row=row,
        basin_column=column,
        capacity_m3_s=basin_capacity(basins["kind"].tolist(), depth_m=rules.inlet_depth_m),
        runoff_share=rules.runoff_share,
    )
    storm = Storm(120.0, 180.0)
    as_they_are, cleaned = (
        run_storm(ground, storm, Pumping(), basins[column].to_numpy())
        for column in ("open_share", "open_if_cleaned")
    )
    dry = ponds.bottom_m[1 : ponds.n_ponds + 1]
    before, after = (np.maximum(flood.level_m[1:], dry) for flood in (as_they_are, cleaned))
    gain = before - after
    assert (gain > 0.05).sum() >= 10
    assert (gain < 0.01).mean() > 0.7
    assert cleaned.drained_m3 > as_they_are.drained_m3


def test_times_follow_the_clock_through_summer_time() -> None:
    at = local_times(np.array([0.25, 69.0 + 2.5 / 24, 200.5, 307.0 + 1.5 / 24, np.nan]), ZONE)
    assert str(at.iloc[0]) == "2024-01-01 06:00:00-06:00"
    assert str(at.iloc[1]) == "2024-03-10 03:00:00-05:00"
    assert at.iloc[2].hour == 12
    assert str(at.iloc[3]) == "2024-11-03 01:30:00-05:00"
    assert at.isna().tolist() == [False, False, False, False, True]
