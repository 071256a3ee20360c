import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from data.city import City
from data.folder import CityFolderWriter
from data.profile import profile_path
from data.quarantine import quarantine_frame
from errors import InvalidInputError
from tests.data.small_city import SAID, small_tables, write_city

PROFILE = profile_path("new-orleans")


def content(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def writer_at(out: Path) -> CityFolderWriter:
    return CityFolderWriter(out, PROFILE, maker="test", seed=None, synthetic=False)


def test_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = write_city(tmp_path / "a"), write_city(tmp_path / "b")
    assert content(first) == content(second)
    assert City.open(first).version == City.open(second).version


def test_failed_writing_leaves_the_old_folder_and_no_litter(tmp_path: Path) -> None:
    out = write_city(tmp_path / "city")
    before = content(out)
    with pytest.raises(InvalidInputError, match="calls cannot be written"):
        write_city(out, {**small_tables(), "calls": pd.DataFrame({"call_id": ["C1"]})})
    assert content(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["city"]


def test_old_folder_is_replaced_whole_with_its_cache(tmp_path: Path) -> None:
    out = write_city(tmp_path / "city")
    (City.open(out).cache_dir / "old.bin").write_bytes(b"old")
    write_city(out)
    assert not (out / "cache").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["city"]


def test_folder_that_is_no_city_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="is no city folder"):
        writer_at(tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").read_text(encoding="utf-8") == "dear"


def test_missing_columns_and_a_wrong_quarantine_are_said_together(tmp_path: Path) -> None:
    calls = small_tables()["calls"].drop(columns=["agency", "lon"])
    with writer_at(tmp_path / "city") as writer, pytest.raises(InvalidInputError) as caught:
        writer.write_table("calls", calls, **SAID, rejected=pd.DataFrame({"row": ["{}"]}))
    for said in ("the column agency is missing", "the column lon is missing", "columns record and reason"):
        assert said in str(caught.value)


def test_unknown_table_and_missing_crs_are_refused(tmp_path: Path) -> None:
    hoods = small_tables()["neighborhoods"]
    assert isinstance(hoods, gpd.GeoDataFrame)
    with writer_at(tmp_path / "city") as writer:
        with pytest.raises(InvalidInputError, match="is no table of a city folder"):
            writer.write_table("horses", hoods, **SAID)
        with pytest.raises(InvalidInputError, match="needs a coordinate system"):
            writer.write_table("neighborhoods", pd.DataFrame(hoods), **SAID)


def test_shapes_in_another_system_are_stored_in_degrees(tmp_path: Path) -> None:
    tables = small_tables()
    hoods = tables["neighborhoods"]
    assert isinstance(hoods, gpd.GeoDataFrame)
    tables["neighborhoods"] = hoods.to_crs(3452)
    stored = City.open(write_city(tmp_path / "city", tables)).areas("neighborhoods")
    assert stored.geometry.geom_equals_exact(hoods.geometry, 1e-7).all()


def test_rejected_rows_count_as_read(tmp_path: Path) -> None:
    tables = small_tables()
    rejected = quarantine_frame(['{"row": 1}', '{"row": 2}'], ["torn", "torn"])
    with writer_at(tmp_path / "city") as writer:
        for name, frame in tables.items():
            writer.write_table(name, frame, **SAID, rejected=rejected if name == "calls" else None)
        out = writer.finish()
    account = City.open(out).account("calls")
    assert (account.read, account.accepted, account.quarantined) == (14, 12, 2)
    assert account.reasons == {"torn": 2}
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["tables"]["calls"]["rows_read"] == 14


def test_truth_is_written_beside_the_tables(tmp_path: Path) -> None:
    planted = pd.DataFrame({"place": ["Broad"], "extra": [3.5]})
    with writer_at(tmp_path / "city") as writer:
        for name, frame in small_tables().items():
            writer.write_table(name, frame, **SAID)
        writer.write_truth("hot_spots", planted)
        out = writer.finish()
    pd.testing.assert_frame_equal(pd.read_parquet(out / "truth" / "hot_spots.parquet"), planted)
