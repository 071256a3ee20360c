"""Where water may leave a surface: rules for its edges, and where its grid lies on the ground."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

OUTLET, WALL = "outlet", "wall"
SIDES = ("north", "south", "east", "west", "gap")
"""Sides of a grid with its first row in the north; ``gap`` is ground beside cells without ground."""

Rule = str | float
Edge = str | Mapping[str, Rule] | npt.NDArray[np.bool_] | npt.NDArray[np.floating]
"""How water leaves: one rule for all sides; a rule for each of ``SIDES``; a mask of the cells where it
leaves; or the level in metres that water must reach at a cell before it leaves there (NaN: it never does).

A rule is ``"outlet"`` (leaves at ground level: a parish cut, open marsh), ``"wall"`` (never leaves: a levee),
or a level in metres (leaves once it stands that high: a lake or river that is open to the ground).
"""

TOUCHING = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class Grid:
    """Where a surface lies: square cells, first row in the north.

    Attributes
    ----------
    west_m, north_m
        Outer corner of the first cell, metres in ``epsg``.
    cell_m
        Side of a cell, metres.
    epsg
        Projected system in metres.
    shape
        Rows and columns.
    """

    west_m: float
    north_m: float
    cell_m: float
    epsg: int
    shape: tuple[int, int]

    def cells_of(self, x_m: npt.ArrayLike, y_m: npt.ArrayLike) -> tuple[IntArray, IntArray, BoolArray]:
        """Row and column of the cell under each place (metres in ``epsg``), and whether the grid holds it.

        Places outside, or without finite coordinates, get row and column -1.
        """
        column = np.floor((np.asarray(x_m, dtype=float) - self.west_m) / self.cell_m)
        row = np.floor((self.north_m - np.asarray(y_m, dtype=float)) / self.cell_m)
        held = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        rows, columns = (np.where(held, at, -1).astype(np.int64) for at in (row, column))
        return rows, columns, held

    def middles(self, row: npt.ArrayLike, column: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Easting and northing of the middles of cells, metres in ``epsg``."""
        return (
            self.west_m + (np.asarray(column, dtype=float) + 0.5) * self.cell_m,
            self.north_m - (np.asarray(row, dtype=float) + 0.5) * self.cell_m,
        )


def check_surface(dem: npt.ArrayLike, faults: Faults) -> FloatArray:
    """(rows, columns) levels in metres, NaN where there is no ground; what cannot be one is noted."""
    z = np.asarray(dem, dtype=np.float64)
    faults.check(z.ndim == 2 and z.size, "the surface must have rows and columns of levels")
    faults.check(
        not np.isinf(z).any(), "the surface holds infinite levels; cells without ground must be NaN (no data)"
    )
    return z


def sills_m(dem: npt.ArrayLike, edge: Edge) -> FloatArray:
    """Level in metres that water must reach at each cell before it leaves the surface there.

    Parameters
    ----------
    dem
        (rows, columns) ground level in metres, NaN where there is no ground.
    edge
        How water leaves; see ``Edge``. Rules for sides hold for cells with ground on the grid's border and
        (``gap``) beside cells without ground; where two meet, the lower one.

    Returns
    -------
    sills
        (rows, columns) metres; minus infinity where water leaves at ground level, infinity where it cannot.

    Raises
    ------
    InvalidInputError
        With every fault of surface and rules.
    """
    faults = Faults()
    z = check_surface(dem, faults)
    faults.raise_as(InvalidInputError, "The surface cannot be drained")
    ground = ~np.isnan(z)
    if isinstance(edge, str | Mapping):
        return _by_side(ground, dict.fromkeys(SIDES, edge) if isinstance(edge, str) else dict(edge))
    given = np.asarray(edge)
    faults.check(
        given.shape == z.shape,
        f"edge has the shape {given.shape} and the surface {z.shape}; they must be equal",
    )
    is_mask = given.dtype == np.bool_
    faults.check(
        is_mask or np.issubdtype(given.dtype, np.floating),
        f"edge is an array of {given.dtype}; give true and false, or levels in metres (NaN: never)",
    )
    faults.raise_as(InvalidInputError, "The edge rules cannot be used")
    levels = np.where(given, -np.inf, np.inf) if is_mask else np.nan_to_num(given, nan=np.inf, neginf=-np.inf)
    return np.where(ground, levels, np.inf).astype(np.float64)


def beside(cells: npt.ArrayLike) -> BoolArray:
    """(rows, columns) True for cells that are of ``cells`` or touch one, corners included."""
    return np.asarray(ndimage.binary_dilation(np.asarray(cells, dtype=np.bool_), TOUCHING))


def _by_side(ground: BoolArray, rules: dict[str, Rule]) -> FloatArray:
    faults = Faults()
    unknown, missing = sorted(set(rules) - set(SIDES)), [side for side in SIDES if side not in rules]
    faults.check(not unknown, f"there is no side {', '.join(unknown)}; sides are {', '.join(SIDES)}")
    faults.check(not missing, f"no rule is given for {', '.join(missing)}; state one for each side")
    levels = {}
    for side, rule in rules.items():
        named = {OUTLET: -np.inf, WALL: np.inf}
        level = named.get(rule, np.nan) if isinstance(rule, str) else float(rule)
        faults.check(
            not np.isnan(level), f"the rule {rule!r} is none of {OUTLET!r}, {WALL!r} and a level in metres"
        )
        levels[side] = level
    faults.raise_as(InvalidInputError, "The edge rules cannot be used")
    sill = np.where(beside(~ground), levels["gap"], np.inf)
    border = {"north": sill[:1], "south": sill[-1:], "east": sill[:, -1:], "west": sill[:, :1]}
    for side, cells in border.items():
        np.minimum(cells, levels[side], out=cells)
    return np.where(ground, sill, np.inf)
