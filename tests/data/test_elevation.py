"""The ground of a city: what is written is read, each fault is said in words, and holes are counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data.city import City
from data.elevation import read_elevation, write_geotiff
from data.folder import CityFolderWriter
from data.profile import profile_path
from errors import CityFolderError, InvalidInputError, MissingTableError
from geo.crs import to_degrees, to_metres
from geo.drainage_edges import Grid
from tests.data.drainage_tables import TAKEN, drainage_tables
from tests.data.small_city import SAID, small_tables
from tests.data.surfaces import BBOX, CELL_M, EPSG, bowl, cells, small_grid, turned, write_tif

LEVELS_M = (-4.0, 30.0)


def read(path: Path) -> Any:  # noqa: ANN401
    return read_elevation(path, EPSG, bbox=BBOX, levels_m=LEVELS_M)


def city_with(out: Path, dem: np.ndarray, grid: Grid) -> Path:
    with CityFolderWriter(out, profile_path("new-orleans"), maker="test", seed=1, synthetic=True) as writer:
        for name, frame in small_tables().items():
            writer.write_table(name, frame, **SAID)
        writer.write_elevation(dem, grid, **SAID, caveats=("made up",))
        return writer.finish()


@settings(max_examples=15)
@given(
    levels=arrays(np.int32, (4, 5), elements=st.integers(-40_000, 880_000)),
    empty=arrays(np.bool_, (4, 5)),
)
def test_what_is_written_is_read(tmp_path_factory: Any, levels: np.ndarray, empty: np.ndarray) -> None:  # noqa: ANN401
    empty[0, 0] = False
    dem = np.where(empty, np.nan, levels / 100)
    path = tmp_path_factory.mktemp("tif") / "elevation.tif"
    grid = small_grid(4, 5)
    assert write_geotiff(path, dem, grid) == (~empty).sum()
    found = read_elevation(path, EPSG, bbox=BBOX)
    np.testing.assert_allclose(found.dem_m, dem, atol=1e-9)
    assert (found.grid.epsg, found.grid.shape, found.grid.cell_m) == (EPSG, (4, 5), CELL_M)
    assert found.grid.west_m == pytest.approx(grid.west_m)


def test_city_opens_with_its_ground_and_says_where_it_comes_from(tmp_path: Path) -> None:
    dem = bowl()
    dem[10:12, 20] = np.nan
    dem[:, :3] = np.nan
    folder = city_with(tmp_path / "city", dem, small_grid())
    again = city_with(tmp_path / "again", dem, small_grid())
    city = City.open(folder)
    assert (folder / "elevation.tif").read_bytes() == (again / "elevation.tif").read_bytes()
    assert city.version == City.open(again).version
    assert city.elevation is not None
    assert city.has_elevation
    assert city.elevation.holes == 1
    assert "1 patch" in city.elevation.words[1]
    assert city.elevation_source.caveats == ("made up",)
    x, y = small_grid().middles([15, 10], [20, 20])
    levels = city.elevation.levels_at(*to_degrees(x, y, EPSG))
    assert levels[0] == pytest.approx(dem[15, 20])
    assert np.isnan(levels[1])
    assert np.isnan(city.elevation.levels_at([-89.0], [30.0])).all()


def test_points_off_the_ground_stay_and_are_counted(tmp_path: Path) -> None:
    rows, columns = 30, 20
    city = City.open(city_with(tmp_path / "city", bowl(rows, columns), small_grid(rows, columns)))
    calls = city.table("calls")
    assert city.elevation is not None
    inside = small_grid(rows, columns).cells_of(*to_metres(calls["lon"], calls["lat"], EPSG))[2]
    assert 0 < city.off_ground("calls") == (~inside).sum() < len(calls)
    assert city.account("calls").quarantined == 0


def test_rows_without_a_place_are_not_off_the_ground(tmp_path: Path) -> None:
    grid = small_grid(60, 60)
    with CityFolderWriter(
        tmp_path / "city", profile_path("new-orleans"), maker="test", seed=1, synthetic=True
    ) as writer:
        for name, frame in (small_tables() | drainage_tables()).items():
            writer.write_table(name, frame, **SAID, retrieved=TAKEN)
        writer.write_elevation(bowl(60, 60), grid, **SAID)
        city = City.open(writer.finish())
    assert city.table("cleanings")["lon"].isna().sum() == 2
    assert city.off_ground("cleanings") == city.off_ground("basins") == 0


def test_city_without_ground_says_what_to_load(tmp_path: Path) -> None:
    with CityFolderWriter(
        tmp_path / "city", profile_path("new-orleans"), maker="test", seed=1, synthetic=True
    ) as writer:
        for name, frame in small_tables().items():
            writer.write_table(name, frame, **SAID)
        city = City.open(writer.finish())
    assert not city.has_elevation
    assert city.off_ground("calls") == 0
    assert "import_elevation" in city.missing_elevation
    with pytest.raises(MissingTableError, match="has no ground elevation"):
        _ = city.elevation_source


GRID = small_grid()
LON, LAT = to_degrees(GRID.west_m, GRID.north_m, EPSG)
FEET = 3.28084


@pytest.mark.parametrize(
    ("levels", "changes", "said"),
    [
        (bowl(), {"crs": None}, "does not say its coordinate system"),
        (
            bowl(),
            {"crs": "EPSG:4326", "transform": cells(float(LON), float(LAT), 2e-4)},
            "EPSG:4326 (degrees)",
        ),
        (bowl(), {"crs": "EPSG:32615"}, "EPSG:32615 (metre); bring it to EPSG:26915"),
        (
            bowl(),
            {"crs": "EPSG:3452", "transform": cells(3_670_000, 535_000, 60)},
            "EPSG:3452 (feet)",
        ),
        (bowl(), {"units": ("US survey foot",)}, "its levels are feet; write metres"),
        (bowl() * FEET, {}, "look like feet"),
        (np.round(bowl() * 100).astype(np.int16), {"nodata": None}, "look like centimetres"),
        (bowl() + 5000, {}, "where -4 to 30 m are possible"),
        (bowl(), {"transform": turned(5.0)}, "turned against north and east"),
        (
            bowl(),
            {"transform": cells(GRID.west_m, GRID.north_m, 20, 10)},
            "cells are 20 by 10; water needs square",
        ),
        (
            bowl(),
            {"transform": cells(GRID.west_m, GRID.north_m, 20, -20)},
            "first row is not its northernmost",
        ),
        (np.full((5, 5), np.nan), {}, "no cell has ground"),
        (np.where(bowl() > 0, np.inf, bowl()), {}, "infinite levels"),
        (bowl(), {"transform": cells(300_000, 3_300_000, 20)}, "outside the city: longitude -95"),
        (bowl(), {"count": 2}, "2 bands; one band"),
    ],
)
def test_each_fault_is_said_in_words(
    tmp_path: Path, levels: np.ndarray, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(CityFolderError) as caught:
        read(write_tif(tmp_path / "elevation.tif", levels, **changes))
    assert said in str(caught.value)


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "elevation.tif", bowl() * FEET, crs=None, count=2, transform=turned(3.0))
    with pytest.raises(CityFolderError, match="4 faults"):
        read(path)


def test_torn_foreign_missing_and_unlisted_files_are_said_when_the_city_opens(tmp_path: Path) -> None:
    folder = city_with(tmp_path / "city", bowl(), GRID)
    (folder / "elevation.tif").write_bytes(b"torn")
    with pytest.raises(CityFolderError, match=r"elevation.tif cannot be used: the file cannot be read"):
        City.open(folder)
    write_tif(folder / "elevation.tif", bowl(20, 20))
    with pytest.raises(CityFolderError, match=r"1,200 cells had ground .* but 400 have it: cells got lost"):
        City.open(folder)
    (folder / "elevation.tif").unlink()
    with pytest.raises(CityFolderError, match=r"the file elevation.tif is missing"):
        City.open(folder)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"elevation": {', '"other": {'))
    write_tif(folder / "elevation.tif", bowl())
    with pytest.raises(CityFolderError, match=r"does not say where elevation.tif comes from"):
        City.open(folder)


def test_what_cannot_be_ground_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="2 faults"):
        write_geotiff(tmp_path / "a.tif", np.full((2, 2), np.inf), small_grid(3, 3))
    with pytest.raises(InvalidInputError, match="no cell has ground"):
        write_geotiff(tmp_path / "a.tif", np.full((2, 2), np.nan), small_grid(2, 2))
    wrong = Grid(GRID.west_m, GRID.north_m, CELL_M, 32615, GRID.shape)
    with pytest.raises(InvalidInputError, match="the city measures in EPSG:26915"):
        city_with(tmp_path / "city", bowl(), wrong)
    assert not list(tmp_path.iterdir())


def test_a_surface_too_large_to_hold_is_refused_unread(tmp_path: Path, monkeypatch: Any) -> None:  # noqa: ANN401
    monkeypatch.setattr("data.elevation.MOST_CELLS", 100)
    with pytest.raises(CityFolderError, match="1,200 cells, more than 100"):
        read(write_tif(tmp_path / "elevation.tif", bowl()))
