"""Opening a city: every structural fault in words, all of them together, and nothing lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data.city import City
from data.schemas import TABLES
from errors import CityFolderError, MissingTableError
from tests.data.small_city import SIDE, small_tables, write_city

Tables = dict[str, pd.DataFrame]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_city(tmp_path / "city")


def rewrite(folder: Path, table: str, change: Callable[[Any], pd.DataFrame]) -> None:
    """Change a table behind the writer's back, as a user's own tool might."""
    file = folder / "tables" / f"{table}.parquet"
    shaped = TABLES[table].shapes != "none"
    frame = change(gpd.read_parquet(file) if shaped else pd.read_parquet(file))
    frame.to_parquet(file)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["tables"][table]["rows_read"] = len(frame)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def fault_of(folder: Path) -> str:
    with pytest.raises(CityFolderError) as caught:
        City.open(folder)
    return str(caught.value)


def test_good_city_opens_with_every_row(folder: Path) -> None:
    city = City.open(folder)
    assert (city.name, city.slug, city.synthetic, city.maker, city.seed) == (
        "New Orleans",
        "new-orleans",
        True,
        "test",
        1,
    )
    for name, frame in small_tables().items():
        assert city.has(name)
        account = city.account(name)
        assert (account.read, account.accepted, account.quarantined) == (len(frame), len(frame), 0)
    assert city.network.main.sum() == SIDE**2
    assert city.network.n_edges == len(small_tables()["streets"])
    assert city.source("calls").source == "a test"
    assert str(city.table("calls")["opened_at"].dtype) == "datetime64[us, America/Chicago]"


def test_land_is_the_neighborhoods_without_the_water(folder: Path) -> None:
    city = City.open(folder)
    hoods, water = city.areas("neighborhoods"), city.areas("water")
    grid = np.random.default_rng(5).uniform(city.parish.bounds[:2], city.parish.bounds[2:], (500, 2))
    for lon, lat in grid:
        spot = shapely.Point(lon, lat)
        dry = hoods.geometry.contains(spot).any() and not water.geometry.contains(spot).any()
        assert city.land.contains(spot) == dry
    assert city.land.area < city.parish.area


def test_missing_folder_profile_and_manifest_are_said(tmp_path: Path, folder: Path) -> None:
    assert "there is no folder" in fault_of(tmp_path / "nowhere")
    (folder / "city.toml").unlink()
    (folder / "manifest.json").unlink()
    said = fault_of(folder)
    assert "city.toml" in said
    assert "manifest.json is missing" in said


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"maker": "x"}', '{"maker":"x","seed":1,"synthetic":true,"tables":{"calls":{}}}']
)
def test_broken_manifest_is_said(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    assert "manifest.json" in fault_of(folder)


@pytest.mark.parametrize("table", ["streets", "street_nodes", "neighborhoods", "calls"])
def test_missing_file_is_said(folder: Path, table: str) -> None:
    (folder / "tables" / f"{table}.parquet").unlink()
    assert f"{table}: the file tables/{table}.parquet is missing" in fault_of(folder)


@pytest.mark.parametrize("table", ["streets", "calls"])
@pytest.mark.parametrize("content", [b"", b"not parquet at all", None])
def test_unreadable_file_is_said(folder: Path, table: str, content: bytes | None) -> None:
    file = folder / "tables" / f"{table}.parquet"
    file.write_bytes(file.read_bytes()[:-40] if content is None else content)
    assert f"{table}: the file tables/{table}.parquet cannot be read" in fault_of(folder)


def test_table_without_shapes_where_shapes_are_needed_is_said(folder: Path) -> None:
    file = folder / "tables" / "streets.parquet"
    pd.DataFrame(gpd.read_parquet(file).to_wkb()).to_parquet(file)
    assert "streets: the file tables/streets.parquet cannot be read" in fault_of(folder)


def test_missing_columns_are_said(folder: Path) -> None:
    rewrite(folder, "calls", lambda calls: calls.drop(columns=["agency", "lat", "priority"]))
    assert "calls: the columns agency, lat are missing" in fault_of(folder)


def test_column_that_may_be_null_may_be_absent(folder: Path) -> None:
    rewrite(folder, "calls", lambda calls: calls.drop(columns=["priority", "closed_at"]))
    calls = City.open(folder).table("calls")
    assert calls["priority"].isna().all()
    assert str(calls["closed_at"].dtype) == "datetime64[us, America/Chicago]"


def test_wrong_and_missing_coordinate_systems_are_said(folder: Path) -> None:
    rewrite(folder, "streets", lambda streets: streets.to_crs(3452))
    rewrite(folder, "water", lambda water: water.set_crs(None, allow_override=True))
    said = fault_of(folder)
    assert "streets: the coordinate system is EPSG:3452 (US survey foot)" in said
    assert "water: the coordinate system is not stated" in said


def test_feet_for_degrees_are_recognised(folder: Path) -> None:
    rewrite(folder, "calls", lambda calls: calls.assign(lon=3_680_000.0, lat=530_000.0))
    rewrite(folder, "streets", lambda streets: streets.to_crs(3452).set_crs(4326, allow_override=True))
    said = fault_of(folder)
    assert said.count("feet or metres") == 2


def test_swapped_and_foreign_tables_are_recognised(folder: Path) -> None:
    rewrite(folder, "calls", lambda calls: calls.rename(columns={"lon": "lat", "lat": "lon"}))
    rewrite(folder, "street_nodes", lambda nodes: nodes.assign(lon=nodes["lon"] - 30))
    said = fault_of(folder)
    assert "calls: longitude and latitude are swapped" in said
    assert "street_nodes: no place lies in New Orleans" in said


def test_times_without_zone_are_said(folder: Path) -> None:
    rewrite(folder, "calls", lambda calls: calls.assign(opened_at=calls["opened_at"].dt.tz_localize(None)))
    assert "calls: the times in opened_at do not say their time zone" in fault_of(folder)


@pytest.mark.parametrize("table", ["streets", "street_nodes", "neighborhoods"])
def test_empty_needed_table_is_said(folder: Path, table: str) -> None:
    rewrite(folder, table, lambda frame: frame.iloc[:0])
    assert f"{table}: the table has no rows" in fault_of(folder)


def test_empty_optional_table_keeps_the_city_and_says_what_to_load(folder: Path) -> None:
    rewrite(folder, "calls", lambda calls: calls.iloc[:0])
    city = City.open(folder)
    assert not city.has("calls")
    with pytest.raises(MissingTableError, match=r"has no rows\. Import the city's own file"):
        city.table("calls")


def test_missing_optional_table_says_what_to_load(folder: Path) -> None:
    city = City.open(folder)
    assert not city.has("shifts")
    for ask in (city.table, city.quarantine, city.account, city.source):
        with pytest.raises(MissingTableError, match='no table "Shifts"'):
            ask("shifts")


def test_needed_table_without_a_good_row_is_said_with_the_commonest_reason(folder: Path) -> None:
    rewrite(folder, "streets", lambda streets: streets.assign(road_class="towpath"))
    assert "streets: none of its rows can be used (of 40, 40: road_class is not one of" in fault_of(folder)


def test_network_in_pieces_is_said(tmp_path: Path) -> None:
    tables = small_tables()
    streets, nodes = tables["streets"], tables["street_nodes"]
    count = len(streets)
    streets["u"], streets["v"] = np.arange(count), np.arange(count) + count
    starts = streets.geometry.get_coordinates().groupby(level=0).first()
    ends = streets.geometry.get_coordinates().groupby(level=0).last()
    tables["street_nodes"] = pd.DataFrame(
        {"node": np.arange(2 * count), "lon": [*starts["x"], *ends["x"]], "lat": [*starts["y"], *ends["y"]]}
    )
    assert len(nodes) == SIDE**2
    said = fault_of(write_city(tmp_path / "city", tables))
    assert "the network is in 40 pieces and the largest holds 2% of the corners" in said


def test_lost_and_unlisted_rows_are_noticed(folder: Path) -> None:
    file = folder / "tables" / "calls.parquet"
    pd.read_parquet(file).iloc[:-2].to_parquet(file)
    pd.DataFrame({"unit_id": ["A"]}).to_parquet(folder / "tables" / "shifts.parquet")
    said = fault_of(folder)
    assert "12 rows were read when it was made, but the folder holds 10" in said
    assert "shifts: the columns unit_type, starts_at, ends_at are missing" in said


def test_unreadable_quarantine_is_said(folder: Path) -> None:
    (folder / "quarantine").mkdir()
    (folder / "quarantine" / "calls.parquet").write_bytes(b"torn")
    assert "calls: the file quarantine/calls.parquet cannot be read" in fault_of(folder)


def test_all_faults_stand_in_one_message(folder: Path) -> None:
    (folder / "tables" / "posts.parquet").write_bytes(b"torn")
    (folder / "tables" / "hospitals.parquet").unlink()
    rewrite(folder, "calls", lambda calls: calls.drop(columns="agency"))
    rewrite(folder, "streets", lambda streets: streets.to_crs(3452))
    rewrite(folder, "neighborhoods", lambda hoods: hoods.iloc[:0])
    said = fault_of(folder)
    assert "5 faults" in said
    for part in ("posts: ", "hospitals: ", "calls: ", "streets: ", "neighborhoods: "):
        assert f"- {part}" in said


def test_version_follows_the_content_and_not_the_cache(folder: Path) -> None:
    before = City.open(folder)
    (before.cache_dir / "field.npy").write_bytes(b"anything")
    assert City.open(folder).version == before.version
    rewrite(folder, "calls", lambda calls: calls.assign(priority="1"))
    assert City.open(folder).version != before.version


def test_post_in_the_river_and_gulf_points_are_quarantined_and_counted(tmp_path: Path) -> None:
    tables = small_tables()
    river = tables["water"]["geometry"].iloc[0].centroid
    tables["posts"].loc[2, ["lon", "lat"]] = [river.x, river.y]
    tables["calls"].loc[[0, 1], ["lon", "lat"]] = [-88.5, 28.3]
    tables["calls"].loc[2, ["lon", "lat"]] = [0.0, 0.0]
    city = City.open(write_city(tmp_path / "city", tables))
    assert city.account("posts").reasons == {"the place stands in water (Mississippi River)": 1}
    assert list(city.table("posts")["post_id"]) == ["P1", "P2"]
    assert city.account("calls").quarantined == 3
    assert city.account("calls").reasons["the place lies outside the city"] == 2


def test_street_whose_corner_is_quarantined_follows_it(tmp_path: Path) -> None:
    tables = small_tables()
    tables["street_nodes"].loc[0, ["lon", "lat"]] = [0.0, 0.0]
    city = City.open(write_city(tmp_path / "city", tables))
    assert city.account("streets").reasons == {"its first end (u) is not among the street corners": 2}
    assert city.network.n_nodes == SIDE**2 - 1


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_accepted_and_quarantined_make_read_whatever_is_written(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    tables = small_tables()
    rows = st.lists(st.integers(0, 11), max_size=5)
    calls = tables["calls"].astype({"agency": object, "lon": object, "location_precision": object})
    for column, value in (
        ("agency", "Navy"),
        ("lon", "west"),
        ("lat", 0.0),
        ("call_id", "C07"),
        ("lon", 0.0),
    ):
        calls.loc[data.draw(rows), column] = value
    tables["calls"] = calls
    tables["streets"].loc[data.draw(st.lists(st.integers(0, 39), max_size=10)), "length_m"] = -1.0
    city = City.open(write_city(tmp_path_factory.mktemp("dirty") / "city", tables))
    for name, frame in tables.items():
        account = city.account(name)
        assert account.read == len(frame)
        assert account.accepted + account.quarantined == account.read
        assert account.accepted == (len(city.table(name)) if city.has(name) else 0)
        assert account.quarantined == len(city.quarantine(name))
