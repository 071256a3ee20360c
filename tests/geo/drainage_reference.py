"""What the drainage tests hold the compiled floods against: slow, plain, and written from the definitions."""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from geo.drainage_hierarchy import Bowls

FloatArray = npt.NDArray[np.float64]
Cell = tuple[int, int]


def neighbours(shape: tuple[int, int], cell: Cell) -> Iterator[Cell]:
    """Give the up to eight cells around one."""
    for rows, columns in itertools.product((-1, 0, 1), repeat=2):
        near = cell[0] + rows, cell[1] + columns
        if near != cell and 0 <= near[0] < shape[0] and 0 <= near[1] < shape[1]:
            yield near


def fill_by_sinking(dem: FloatArray, sill: FloatArray) -> FloatArray:
    """Start with water without end, and let it sink until nothing moves (Planchon and Darboux 2002)."""
    level = np.where(np.isnan(dem), np.nan, np.maximum(dem, sill))
    moved = True
    while moved:
        moved = False
        for row, column in np.argwhere(~np.isnan(dem)):
            cell = int(row), int(column)
            around = [level[near] for near in neighbours(dem.shape, cell) if not np.isnan(dem[near])]
            new = max(dem[cell], min([*around, level[cell]]))
            if new < level[cell]:
                level[cell], moved = new, True
    return level


class ManyWaysError(Exception):
    """A pass touches three leaves and two of them may take the water: either is right."""


class Ponds:
    """Water on cells, poured one pit at a time: ponds are found anew by walking over cells."""

    def __init__(self, bowls: Bowls, sill: FloatArray) -> None:
        self.bowls, self.sill, self.z = bowls, sill, bowls.dem_m
        self.surface = self.z.copy()
        self.out = 0.0

    def pond(self, cell: Cell) -> list[Cell]:
        """Cells that stand under one level with a pit's cell."""
        found, level = [cell], self.surface[cell]
        for at in found:
            for near in neighbours(self.z.shape, at):
                if near not in found and self.z[near] <= level == self.surface[near]:
                    found.append(near)
        return found

    def pour(self, leaf: int, water_m3: float) -> None:
        """Pour water onto the pit of a leaf and follow it to where it rests."""
        left = water_m3 / self.bowls.cell_m**2
        while left > 0:
            if leaf == 0:
                self.out += left * self.bowls.cell_m**2
                return
            row, column = self.bowls.bottom_cell[leaf]
            pond = self.pond((int(row), int(column)))
            inside, level = set(pond), self.surface[pond[0]]
            lids = [max(self.sill[at], level) for at in pond]
            beside = {near for at in pond for near in neighbours(self.z.shape, at)} - inside
            rims = [max(self.z[near], level) for near in beside if not np.isnan(self.z[near])]
            top = min([*lids, *rims], default=np.inf)
            rise = (top - level) * len(pond) if np.isfinite(top) else np.inf
            if left < rise:
                for at in pond:
                    self.surface[at] = level + left / len(pond)
                return
            left -= rise
            for at in pond:
                self.surface[at] = top
            leaf = self._next(leaf, top)

    def _next(self, leaf: int, level: float) -> int:
        """Leaf that takes what comes to a pond as high as its rim; the same one when the pond just grew."""
        row, column = self.bowls.bottom_cell[leaf]
        pond = self.pond((int(row), int(column)))
        if min(self.sill[at] for at in pond) <= level:
            return 0
        beside = {near for at in pond for near in neighbours(self.z.shape, at)} - set(pond)
        lower = {int(self.bowls.label[near]) for near in beside if self.surface[near] < level}
        if not lower:
            return leaf
        if len(lower) > 1:
            raise ManyWaysError
        return lower.pop()
