"""A picture shows each figure where its cell lies on the ground, in the colour of its class."""

import io
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyproj import Transformer
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.warp import reproject

from errors import InvalidInputError
from geo.drainage_edges import Grid
from pages.parts.flood_image import Classes, ImageFrame, chance_classes, depth_classes, flood_image
from pages.parts.palette import Theme

UTM = 26915
GRID = Grid(776_258.26, 3_342_610.5, 20.0, UTM, (160, 240))
WHOLE = Grid(776_258.26, 3_342_610.5, 20.0, UTM, (1609, 2423))
"""As large as New Orleans with its lake shore."""
DEPTH = depth_classes(Theme(dark=False))
LIMIT_BYTES = 400_000


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def pixel_at(frame: ImageFrame, lon: float, lat: float) -> tuple[int, int]:
    """Row and column of a picture at a place, straight from the definition of Web Mercator."""
    high, wide = frame.cell.shape
    west, south, east, north = frame.box
    up = [math.asinh(math.tan(math.radians(value))) for value in (south, lat, north)]
    return (
        int((up[2] - up[1]) / (up[2] - up[0]) * high),
        int((lon - west) / (east - west) * wide),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, GRID.shape[0] - 2), st.integers(1, GRID.shape[1] - 2))
def test_a_puddle_is_drawn_where_it_lies(row: int, column: int) -> None:
    frame = ImageFrame.of(GRID)
    depth = np.zeros(GRID.shape)
    depth[row - 1 : row + 2, column - 1 : column + 2] = 0.5
    x, y = GRID.middles(row, column)
    lon, lat = Transformer.from_crs(UTM, 4326, always_xy=True).transform(float(x), float(y))

    picture = pixels(frame.png(depth, DEPTH))

    at = pixel_at(frame, lon, lat)
    assert picture[at].tolist() == [*rgb(DEPTH.colours[1]), 255]
    wet = np.argwhere(picture[..., 3] > 0)
    assert 6 <= len(wet) <= 16
    assert np.abs(wet - at).max() <= 3


def test_each_pixel_finds_the_cell_beneath_it() -> None:
    frame = ImageFrame.of(WHOLE)
    high, wide = frame.cell.shape
    rng = np.random.default_rng(5)
    row, column = rng.integers(0, high, 5_000), rng.integers(0, wide, 5_000)
    left, bottom, right, top = Transformer.from_crs(4326, 3857, always_xy=True).transform_bounds(*frame.box)
    x, y = Transformer.from_crs(3857, UTM, always_xy=True).transform(
        left + (column + 0.5) * (right - left) / wide, top - (row + 0.5) * (top - bottom) / high
    )
    rows, columns, held = WHOLE.cells_of(x, y)
    expected = np.where(held, rows * WHOLE.shape[1] + columns, WHOLE.shape[0] * WHOLE.shape[1])

    assert (frame.cell[row, column] == expected).mean() > 0.998  # the rest lies on the border of two cells
    drawn = np.bincount(frame.cell.ravel(), minlength=WHOLE.shape[0] * WHOLE.shape[1]) > 0
    assert drawn[:-1].mean() > 0.97


def test_a_picture_is_what_gdal_makes_of_the_same_surface() -> None:
    row, column = np.ogrid[: GRID.shape[0], : GRID.shape[1]]
    depth = np.sin(row / 9) + np.sin(column / 7)
    frame = ImageFrame.of(GRID)
    high, wide = frame.cell.shape
    box = Transformer.from_crs(4326, 3857, always_xy=True).transform_bounds(*frame.box)
    expected = np.full((high, wide), np.nan)
    reproject(
        depth,
        expected,
        src_transform=Affine(GRID.cell_m, 0, GRID.west_m, 0, -GRID.cell_m, GRID.north_m),
        src_crs=f"EPSG:{UTM}",
        dst_transform=Affine((box[2] - box[0]) / wide, 0, box[0], 0, (box[1] - box[3]) / high, box[3]),
        dst_crs="EPSG:3857",
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.nearest,
        tolerance=0,
    )

    drawn = pixels(frame.png(depth, DEPTH))[..., :3].astype(int).tolist()
    colours = np.array([[0, 0, 0], *(rgb(colour) for colour in DEPTH.colours)])
    kind = sum((expected >= low).astype(int) for low in DEPTH.lows)
    assert (np.array(drawn) == colours[kind]).all(axis=-1).mean() > 0.998


def test_classes_begin_at_their_lows_and_what_is_unknown_is_clear() -> None:
    grid = Grid(GRID.west_m, GRID.north_m, 20.0, UTM, (5, 40))
    frame = ImageFrame.of(grid)
    low = DEPTH.lows[0]
    values = np.array([np.nan, -np.inf, 0.0, np.nextafter(low, 0), low, DEPTH.lows[1], 0.8, np.inf])
    picture = pixels(frame.png(np.repeat(np.tile(values, (5, 1)), 5, axis=1), DEPTH))
    x, y = grid.middles(np.full(8, 2), np.arange(2, 40, 5))
    lon, lat = Transformer.from_crs(UTM, 4326, always_xy=True).transform(x, y)

    seen = [picture[pixel_at(frame, *place)] for place in zip(lon, lat, strict=True)]
    assert [int(pixel[3]) for pixel in seen] == [0, 0, 0, 0, 255, 255, 255, 255]
    assert [pixel[:3].tolist() for pixel in seen[4:]] == [rgb(colour) for colour in DEPTH.colours]


def test_depths_are_told_in_inches() -> None:
    assert [round(low / 0.0254, 6) for low in DEPTH.lows] == [4, 12, 24, 36]
    assert [label.split()[0] for label in DEPTH.labels] == ["4", "12", "24", "36"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("make", [depth_classes, chance_classes])
def test_lightness_alone_keeps_the_order(make: Callable[[Theme], Classes], *, dark: bool) -> None:
    classes = make(Theme(dark=dark))
    light = [np.dot([0.2126, 0.7152, 0.0722], rgb(colour)) for colour in classes.colours]
    steps = np.diff(light) if dark else -np.diff(light)

    assert (steps > 15).all()
    assert len(classes.lows) == len(classes.colours) == len(classes.labels)
    assert (np.diff(classes.lows) > 0).all()


def test_the_legend_names_the_deepest_first() -> None:
    image = flood_image(ImageFrame.of(GRID), np.zeros(GRID.shape), DEPTH)

    assert [stop.label for stop in image.stops] == list(reversed(DEPTH.labels))
    assert pixels(image.png)[..., 3].max() == 0
    assert image.box[0] < image.box[2]
    assert image.box[1] < image.box[3]


def test_a_whole_city_with_rough_edges_stays_small() -> None:
    rng = np.random.default_rng(3)
    row, column = np.ogrid[: WHOLE.shape[0], : WHOLE.shape[1]]
    hills = np.sin(row / 60) + np.sin(column / 45)
    depth = hills + rng.normal(0, 0.1, WHOLE.shape)  # noise of 10 cm: every shore is rough

    assert len(ImageFrame.of(WHOLE).png(depth, DEPTH)) < LIMIT_BYTES


def test_figures_of_another_grid_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="the grid"):
        ImageFrame.of(GRID).png(np.zeros((3, 4)), DEPTH)
