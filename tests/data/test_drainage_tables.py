"""Tables of catch basins: each fault its reason, no cleaning from the future, and no row lost."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks import (
    HALF_A_PLACE,
    IN_WATER,
    NO_BASIN,
    NO_PLACE,
    OUTSIDE,
    SWAPPED,
    Surroundings,
    check_rows,
    table_faults,
)
from data.city import City
from data.folder import CityFolderWriter
from data.profile import profile_path
from data.schemas import TABLES, table_schema
from data.schemas_drainage import CONDITIONS, DRAINAGE_TABLES
from errors import CityFolderError, InvalidInputError
from tests.data.drainage_tables import TAKEN, ZONE, day, drainage_tables
from tests.data.small_city import EAST_OF_WATER, SAID, small_tables

BBOX = (-90.16, 29.85, -89.60, 30.20)
NAMES = [rule.name for rule in DRAINAGE_TABLES]
FUTURE = "is after 2026-01-31, the day on which the table was taken"


def around() -> Surroundings:
    water = small_tables()["water"]
    assert isinstance(water, gpd.GeoDataFrame)
    basins = pd.Index(drainage_tables()["basins"]["basin_id"])
    return Surroundings(
        bbox=BBOX, timezone=ZONE, water=water, basins=basins, taken_on=date.fromisoformat(TAKEN)
    )


def spoiled(table: str, **changes: object) -> pd.DataFrame:
    rows = drainage_tables()[table]
    for column, value in changes.items():
        values = rows[column].astype(object).tolist() if column in rows else [None] * len(rows)
        values[3] = value
        rows[column] = pd.Series(values, dtype=object)
    return rows


@pytest.mark.parametrize("table", NAMES)
def test_good_rows_are_accepted_in_the_contracts_types(table: str) -> None:
    rows = drainage_tables()[table]
    checked = check_rows(rows, TABLES[table], around())
    assert checked.quarantined.empty
    assert len(checked.accepted) == len(rows)
    table_schema(table, ZONE).validate(pd.DataFrame(checked.accepted))


@pytest.mark.parametrize(
    ("table", "changes", "reason"),
    [
        ("basins", {"kind": "manhole"}, "kind is not one of grate, curb, combination"),
        ("basins", {"placed": None}, "placed is missing"),
        ("basins", {"land_use": "farm"}, "land_use is not one of residential, commercial, industrial, open"),
        ("basins", {"tree_share": 25.0}, "tree_share is above 1"),
        ("basins", {"tree_share": -0.1}, "tree_share is below 0"),
        ("basins", {"condition": "fine"}, f"condition is not one of {', '.join(CONDITIONS)}"),
        ("basins", {"basin_id": "B00"}, "basin_id was used before (the first good row that has it is kept)"),
        ("basins", {"last_cleaned_at": "last year"}, "last_cleaned_at is not a time with its time zone"),
        ("basins", {"last_cleaned_at": day("2026-02-01")}, f"last_cleaned_at {FUTURE}"),
        ("basins", {"inspected_at": day("2099-01-01")}, f"inspected_at {FUTURE}"),
        ("basins", {"lon": -88.0}, OUTSIDE),
        ("basins", {"lon": 0.0, "lat": 0.0}, NO_PLACE),
        ("basins", {"lon": 29.95, "lat": -90.08}, SWAPPED),
        ("basins", {"lon": EAST_OF_WATER - 0.005}, f"{IN_WATER} (Mississippi River)"),
        ("cleanings", {"basin_id": "B99"}, NO_BASIN),
        ("cleanings", {"basin_id": None}, "basin_id is missing"),
        ("cleanings", {"cleaned_at": None}, "cleaned_at is missing"),
        ("cleanings", {"cleaned_at": day("2026-02-01")}, f"cleaned_at {FUTURE}"),
        ("cleanings", {"audited_at": day("2025-05-31")}, "audited_at is before cleaned_at"),
        ("cleanings", {"debris_kg": -1.0}, "debris_kg is below 0"),
        ("cleanings", {"lat": None}, HALF_A_PLACE),
        ("cleanings", {"lon": 0.0, "lat": 0.0}, NO_PLACE),
        ("service_requests", {"closed_at": day("2025-06-30")}, "closed_at is before opened_at"),
        ("service_requests", {"opened_at": day("2026-02-01")}, f"opened_at {FUTURE}"),
        ("service_requests", {"request_type": None}, "request_type is missing"),
        ("rainfall", {"minutes": 0.0}, "minutes is not above 0"),
        ("rainfall", {"minutes": 2000.0}, "minutes is above 1440"),
        ("rainfall", {"depth_mm": -1.0}, "depth_mm is below 0"),
        ("rainfall", {"depth_mm": 9999.0}, "depth_mm is above 1300"),
        ("rainfall", {"starts_at": day("2025-07-01")}, "gauge and starts_at were used before"),
        ("rainfall", {"starts_at": day("2026-02-01")}, f"starts_at {FUTURE}"),
        ("buildings", {"people": -3.0}, "people is below 0"),
        ("buildings", {"floor_m": -0.2}, "floor_m is below 0"),
        ("buildings", {"kind": "castle"}, "kind is not one of home, business, public, other"),
        ("buildings", {"lon": EAST_OF_WATER - 0.005}, f"{IN_WATER} (Mississippi River)"),
    ],
)
def test_each_fault_has_its_reason(table: str, changes: dict[str, object], reason: str) -> None:
    checked = check_rows(spoiled(table, **changes), TABLES[table], around())
    assert len(checked.accepted) == 11
    assert len(checked.quarantined) == 1
    said = str(checked.quarantined["reason"].iloc[0])
    assert any(part.startswith(reason) for part in said.split("; ")), said


def test_pump_areas_are_judged() -> None:
    areas = drainage_tables()["pump_areas"]
    areas["capacity_m3_s"] = [0.0, 10.0]
    checked = check_rows(areas, TABLES["pump_areas"], around())
    assert checked.quarantined["reason"].tolist() == ["capacity_m3_s is not above 0"]


def test_the_day_itself_is_no_future_and_no_dates_are_no_fault() -> None:
    late = pd.Timestamp(f"{TAKEN} 23:59:59", tz=ZONE)
    assert check_rows(
        spoiled("cleanings", cleaned_at=late, audited_at=None), TABLES["cleanings"], around()
    ).quarantined.empty
    basins = drainage_tables()["basins"].drop(columns=["last_cleaned_at", "inspected_at", "condition"])
    checked = check_rows(basins, TABLES["basins"], around())
    assert checked.quarantined.empty
    assert checked.accepted["last_cleaned_at"].isna().all()


def test_cleanings_without_any_place_stay() -> None:
    rows = drainage_tables()["cleanings"].drop(columns=["lon", "lat"])
    assert table_faults(rows, TABLES["cleanings"], BBOX, "Testville") == []
    assert check_rows(rows, TABLES["cleanings"], around()).quarantined.empty


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(-100, 100),
    st.text(max_size=4),
    st.sampled_from(
        [0.0, float("nan"), float("inf"), 2**70, "B00", "clogged", "2025-01-01T00:00:00Z", day("2099-01-01")]
    ),
)


@st.composite
def dirty(draw: st.DrawFn) -> tuple[str, pd.DataFrame]:
    """One of the tables with any values in any cells, and rows repeated or dropped."""
    name = draw(st.sampled_from([name for name in NAMES if name != "pump_areas"]))
    rows = drainage_tables()[name].astype(object)
    order = draw(st.lists(st.integers(0, len(rows) - 1), max_size=20))
    rows = rows.iloc[order].reset_index(drop=True)
    for _ in range(draw(st.integers(0, 10)) if len(rows) else 0):
        row = draw(st.integers(0, len(rows) - 1))
        rows.at[row, draw(st.sampled_from(list(rows.columns)))] = draw(ODD)  # noqa: PD008
    rows["mark"] = range(len(rows))
    return name, rows


@settings(max_examples=25)
@given(dirty())
def test_every_row_lands_exactly_once(case: tuple[str, pd.DataFrame]) -> None:
    name, rows = case
    checked = check_rows(rows, TABLES[name], around())
    assert len(checked.accepted) + len(checked.quarantined) == len(rows)
    turned_away = [json.loads(record)["mark"] for record in checked.quarantined["record"]]
    assert len(set(turned_away)) == len(turned_away)
    assert checked.quarantined["reason"].str.len().gt(0).all()
    table_schema(name, ZONE).validate(checked.accepted)
    for column in TABLES[name].past:
        assert not (checked.accepted[column] >= day("2026-02-01").normalize()).any()


def write(out: Path, retrieved: str | None, tables: dict[str, pd.DataFrame]) -> Path:
    with CityFolderWriter(out, profile_path("new-orleans"), maker="test", seed=1, synthetic=True) as writer:
        for name, frame in small_tables().items():
            writer.write_table(name, frame, **SAID)
        for name, frame in tables.items():
            writer.write_table(name, frame, **SAID, retrieved=retrieved)
        return writer.finish()


def test_city_with_basins_keeps_account_of_every_row(tmp_path: Path) -> None:
    tables = drainage_tables()
    tables["basins"] = spoiled("basins", lon=-88.0)
    tables["cleanings"] = spoiled("cleanings", cleaned_at=day("2026-05-01"), audited_at=None)
    city = City.open(write(tmp_path / "city", TAKEN, tables))
    for name, frame in tables.items():
        account = city.account(name)
        assert account.accepted + account.quarantined == account.read == len(frame)
    # The cleaning of the basin outside the city is the same row as that of the future here.
    assert city.account("basins").reasons == {OUTSIDE: 1}
    assert city.account("cleanings").reasons == {NO_BASIN: 1, f"cleaned_at {FUTURE}": 1}
    assert city.source("cleanings").retrieved == TAKEN


def test_without_the_day_the_future_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(CityFolderError) as caught:
        City.open(write(tmp_path / "city", None, drainage_tables()))
    said = str(caught.value)
    assert "4 faults" in said
    for name in ("basins", "cleanings", "service_requests", "rainfall"):
        assert f"{name}: manifest.json does not say on which day it was taken" in said
    dateless = {"basins": drainage_tables()["basins"].drop(columns=["last_cleaned_at", "inspected_at"])}
    assert City.open(write(tmp_path / "city", None, dateless)).has("basins")


def test_a_day_is_written_as_a_day(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="write a day such as 2026-01-31"):
        write(tmp_path / "city", "last week", drainage_tables())


@pytest.mark.parametrize("move", [lambda lon, lat: (lat, lon), lambda lon, lat: (lon * 40_000, lat * 18_000)])
def test_basins_of_a_wrong_system_are_said_as_a_whole(move: Any) -> None:  # noqa: ANN401
    rows = drainage_tables()["basins"]
    rows["lon"], rows["lat"] = move(rows["lon"], rows["lat"])
    assert len(table_faults(rows, TABLES["basins"], BBOX, "Testville")) == 1
