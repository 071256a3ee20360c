"""A picture for the map from figures on a grid: depth of standing water, or the chance of it.

The grid lies in a projected system, the map in Web Mercator. `ImageFrame.of` finds once, for each pixel of
the picture, the cell beneath it; a picture is then a look-up, a few classes of colour and a PNG.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import InvalidInputError
from geo.drainage_edges import Grid
from pages.parts.map_layers import MapImage, Stop
from pages.parts.palette import Theme

M_PER_INCH = 0.0254
EARTH_RADIUS_M = 6_378_137.0
_CONTROL = 32
"""Every so many pixels the way from the map to the grid is computed in full, and between them by straight
lines: off by less than a hundredth of a cell over a city."""
_PNG_LEVEL = 6

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Classes:
    """How figures become colours: class i from ``lows[i]`` up to the next; under the first, nothing.

    Attributes
    ----------
    lows
        Rising.
    colours, labels
        One for each low.
    legend
        Title in the legend.
    """

    lows: tuple[float, ...]
    colours: tuple[str, ...]
    labels: tuple[str, ...]
    legend: str


def depth_classes(theme: Theme) -> Classes:
    """Depth in metres, by what it means on a street: 4 in a curb, 12 in stalls cars, 36 in floats them.

    The colours run from sky blue to indigo (from dim to bright on a dark ground): all are stronger than the
    grey blue of lakes and rivers, and lightness alone keeps the order.
    """
    colours = (
        ("#14598C", "#2F8CCB", "#7ABEF5", "#C8BEFA")
        if theme.dark
        else (
            "#8FC9F2",
            "#4C9DDB",
            "#2F6FBE",
            "#4A3294",
        )
    )
    return Classes(
        lows=(4 * M_PER_INCH, 12 * M_PER_INCH, 24 * M_PER_INCH, 36 * M_PER_INCH),
        colours=colours,
        labels=("4 to 12 in", "12 to 24 in", "24 to 36 in", "36 in and more"),
        legend="Depth of standing water",
    )


def chance_classes(theme: Theme) -> Classes:
    """Chance of standing water, 0 to 1."""
    colours = (
        ("#274B6B", "#2D7DB8", "#63B4F0", "#D6EBFF")
        if theme.dark
        else (
            "#BFDDF2",
            "#7CB9E8",
            "#2F7FC1",
            "#123B7A",
        )
    )
    return Classes(
        lows=(0.1, 0.25, 0.5, 0.9),
        colours=colours,
        labels=("10 to 25 %", "25 to 50 %", "50 to 90 %", "90 % and more"),
        legend="Chance of standing water",
    )


@dataclass(frozen=True, eq=False)
class ImageFrame:
    """Where each pixel of a picture finds its cell. Make it once for a grid and keep it.

    Attributes
    ----------
    box
        West, south, east, north: outer edges in degrees.
    cell
        (high, wide) int32 flat index into the grid; the number of cells where a pixel lies outside it.
    shape
        Rows and columns of the grid.
    """

    box: tuple[float, float, float, float]
    cell: npt.NDArray[np.int32]
    shape: tuple[int, int]

    @classmethod
    def of(cls, grid: Grid) -> "ImageFrame":
        """Lay a picture over a grid, its pixels about as large as the cells."""
        from pyproj import Transformer

        to_map = Transformer.from_crs(grid.epsg, 3857, always_xy=True)
        rows, columns = grid.shape
        left, bottom, right, top = to_map.transform_bounds(
            grid.west_m,
            grid.north_m - rows * grid.cell_m,
            grid.west_m + columns * grid.cell_m,
            grid.north_m,
        )
        # Web Mercator stretches the ground by 1 / cos(latitude).
        stretch = np.cosh((top + bottom) / 2 / EARTH_RADIUS_M)
        wide, high = (max(1, round(span / (grid.cell_m * stretch))) for span in (right - left, top - bottom))
        x = left + (np.arange(wide) + 0.5) * (right - left) / wide
        y = top - (np.arange(high) + 0.5) * (top - bottom) / high
        row, column = _cells_under(grid, x, y)
        held = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        cell = np.where(held, row * columns + column, rows * columns).astype(np.int32)
        west, south = _degrees(left, bottom)
        east, north = _degrees(right, top)
        return cls((west, south, east, north), cell, (rows, columns))

    def png(self, values: npt.ArrayLike, classes: Classes) -> bytes:
        """Draw figures as a PNG with a palette.

        Parameters
        ----------
        values
            (rows, columns) numbers; NaN or below the first class: transparent.
        classes
            From figures to colours.

        Raises
        ------
        InvalidInputError
            If the figures are not on the frame's grid.
        """
        figures = np.asarray(values)
        if figures.shape != self.shape:
            raise InvalidInputError(
                f"The picture cannot be drawn: the figures are {figures.shape}, the grid {self.shape}"
            )
        kind = np.zeros(figures.size + 1, dtype=np.uint8)
        for low in classes.lows:
            kind[:-1] += figures.ravel() >= low  # NaN is never above
        return _png(kind.take(self.cell), classes.colours)


def flood_image(frame: ImageFrame, values: npt.ArrayLike, classes: Classes) -> MapImage:
    """Picture of figures with its place and legend, deepest first."""
    return MapImage(
        png=frame.png(values, classes),
        box=frame.box,
        stops=[Stop(*pair) for pair in reversed(list(zip(classes.labels, classes.colours, strict=True)))],
        legend=classes.legend,
    )


def _cells_under(
    grid: Grid, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and column, (high, wide) each, of the cells under Web Mercator places."""
    from pyproj import Transformer

    from_map = Transformer.from_crs(3857, grid.epsg, always_xy=True)
    weight_x, weight_y = _hats(len(x)), _hats(len(y))
    at_x, at_y = (np.linspace(a[0], a[-1], weight.shape[1]) for a, weight in ((x, weight_x), (y, weight_y)))
    easting, northing = (
        weight_y @ np.asarray(figure, dtype=np.float64) @ weight_x.T
        for figure in from_map.transform(*np.meshgrid(at_x, at_y))
    )
    row = np.floor((grid.north_m - northing) / grid.cell_m).astype(np.int64)
    column = np.floor((easting - grid.west_m) / grid.cell_m).astype(np.int64)
    return row, column


def _hats(pixels: int) -> npt.NDArray[np.float64]:
    """(pixels, controls) weights of straight lines between evenly spread controls, the ends included."""
    controls = 1 if pixels == 1 else pixels // _CONTROL + 2
    at = np.linspace(0, controls - 1, pixels)
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(controls))))


def _degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a Web Mercator place."""
    lat = 2 * np.arctan(np.exp(y / EARTH_RADIUS_M)) - np.pi / 2
    return float(np.rad2deg(x / EARTH_RADIUS_M)), float(np.rad2deg(lat))


def _png(kind: Image, colours: Sequence[str]) -> bytes:
    """Write classes as a PNG, class 0 transparent, in as few bits a pixel as they need."""
    from PIL import Image as Pictures

    picture = Pictures.fromarray(kind)
    picture.putpalette(bytes(3) + b"".join(bytes.fromhex(colour[1:]) for colour in colours))
    out = io.BytesIO()
    bits = next(bits for bits in (1, 2, 4, 8) if len(colours) < 2**bits)
    picture.save(out, "PNG", transparency=0, bits=bits, compress_level=_PNG_LEVEL)
    return out.getvalue()
