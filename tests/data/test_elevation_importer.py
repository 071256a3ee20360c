"""A surface in any system and unit comes to the city's grid, and every step is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
from scipy import ndimage

from data.elevation import FEET_A_METRE
from data.importers.elevation import FEET_TO_METRES, import_elevation
from errors import ImportSourceError
from geo.crs import to_degrees
from tests.data.surfaces import BBOX, CELL_M, EPSG, bowl, cells, small_grid, turned, write_tif


def brought(path: Path, **options: Any) -> Any:  # noqa: ANN401
    return import_elevation(path, epsg=EPSG, bbox=BBOX, **options)


def plane(x: Any, y: Any) -> Any:  # noqa: ANN401
    """Levels that rise evenly: straight lines between cells give them back wherever they are asked."""
    grid = small_grid()
    return (x - grid.west_m) * 0.003 - (grid.north_m - y) * 0.002


def test_a_surface_on_the_grid_is_taken_as_it_is(tmp_path: Path) -> None:
    dem = bowl()
    dem[4, 4] = np.nan
    found = brought(write_tif(tmp_path / "a.tif", dem))
    np.testing.assert_array_equal(found.dem_m, dem)
    assert found.steps == ()
    assert found.grid.shape == dem.shape


@pytest.mark.parametrize(("changes", "options"), [({"units": ("foot",)}, {}), ({}, {"unit": "ft"})])
def test_feet_become_metres_and_it_is_said(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any]
) -> None:
    found = brought(write_tif(tmp_path / "a.tif", bowl() * FEET_A_METRE, **changes), **options)
    np.testing.assert_allclose(found.dem_m, bowl(), atol=1e-6)
    assert found.steps == (FEET_TO_METRES,)


def test_the_word_of_the_user_beats_that_of_the_file(tmp_path: Path) -> None:
    found = brought(write_tif(tmp_path / "a.tif", bowl(), units=("foot",)), unit="m")
    np.testing.assert_array_equal(found.dem_m, bowl())


def degrees_grid() -> tuple[Any, Any, Any]:
    lon, lat = (float(value) for value in to_degrees(small_grid().west_m, small_grid().north_m, EPSG))
    row, column = np.mgrid[0:60, 0:80]
    return cells(lon, lat, 1e-4), lon + (column + 0.5) * 1e-4, lat - (row + 0.5) * 1e-4


def in_metres(crs: str, x: Any, y: Any) -> Any:  # noqa: ANN401
    return pyproj.Transformer.from_crs(crs, f"EPSG:{EPSG}", always_xy=True).transform(x, y)


@pytest.mark.parametrize("case", ["degrees", "feet", "turned", "oblong"])
def test_a_plane_in_another_system_stays_that_plane(tmp_path: Path, case: str) -> None:
    row, column = np.mgrid[0:30, 0:40]
    crs, transform = f"EPSG:{EPSG}", cells(small_grid().west_m, small_grid().north_m, 20, 10)
    if case == "turned":
        transform = turned(7.0)
    if case == "degrees":
        crs, (transform, _, _) = "EPSG:4326", degrees_grid()
    if case == "feet":
        crs, transform = "EPSG:3452", cells(3_674_000, 535_000, 66)
    x = transform.a * (column + 0.5) + transform.b * (row + 0.5) + transform.c
    y = transform.d * (column + 0.5) + transform.e * (row + 0.5) + transform.f
    levels = plane(*in_metres(crs, x, y))
    found = brought(write_tif(tmp_path / "a.tif", levels, crs=crs, transform=transform), cell_m=15.0)
    assert found.grid.cell_m == 15.0
    # The rim of a warped surface leans on its last cell alone.
    row, column = np.nonzero(ndimage.binary_erosion(~np.isnan(found.dem_m), iterations=3))
    assert len(row) > 200
    expected = plane(*found.grid.middles(row, column))
    np.testing.assert_allclose(found.dem_m[row, column], expected, atol=0.01)
    assert f"brought to EPSG:{EPSG}, cells of 15 m" in found.steps[0]


def test_cells_keep_their_size_unless_told(tmp_path: Path) -> None:
    crs = "EPSG:32615"
    found = brought(write_tif(tmp_path / "a.tif", bowl(), crs=crs))
    assert found.grid.cell_m == pytest.approx(CELL_M)
    assert np.nanmin(found.dem_m) == pytest.approx(bowl().min(), abs=0.05)


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({"crs": None}, {}, "does not say its coordinate system"),
        (
            {"crs": "EPSG:32615", "transform": cells(300_000, 3_300_000, 20)},
            {},
            "no part of it lies in the city",
        ),
        ({"crs": "EPSG:32615"}, {"cell_m": 0.01}, "give a larger cell_m"),
        ({}, {"cell_m": -1.0}, "give a side above 0"),
    ],
)
def test_each_fault_is_said_in_words(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ImportSourceError) as caught:
        brought(write_tif(tmp_path / "a.tif", bowl(), **changes), **options)
    assert said in str(caught.value)


def test_empty_and_torn_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(ImportSourceError, match="no cell has ground"):
        brought(write_tif(tmp_path / "a.tif", np.full((4, 4), np.nan)))
    (tmp_path / "b.tif").write_bytes(b"torn")
    with pytest.raises(ImportSourceError, match="cannot be read"):
        brought(tmp_path / "b.tif")
