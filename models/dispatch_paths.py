"""Compiled searches over the places. Importing this module imports numba."""

import numpy as np
from numba import njit

from models.dispatch_records import FloatArray, IntArray, SmallArray

BLOCK = 8
"""Cells along the side of a block."""


@njit(cache=True)
def find_next_places(travel: FloatArray, goals: IntArray, slack_min: float) -> SmallArray:
    """See :func:`models.dispatch_ground.next_places`."""
    n_bands, n = travel.shape[:2]
    found = np.full((n_bands, n, n), -1, dtype=np.int32)
    for band in range(n_bands):
        for goal in goals:
            to_goal = travel[band, :, goal].copy()
            for start in range(n):
                whole = to_goal[start]
                best, best_left, best_way = goal, to_goal[goal], whole
                for place in range(n):
                    left, way = to_goal[place], travel[band, start, place]
                    if place in (start, goal) or not (left < whole and way + left <= whole + slack_min):
                        continue
                    if left > best_left or (left == best_left and way < best_way):
                        best, best_left, best_way = place, left, way
                found[band, start, goal] = best
    return found


@njit(cache=True)
def _may_be_nearest(points: FloatArray, rivals: IntArray, x: float, y: float, width: float) -> IntArray:
    """Find the rivals that may be nearest to a point of the square of ``width`` around ``x``, ``y``.

    Any point of the square is within half its diagonal of the middle, so the place nearest to it is at most a
    whole diagonal farther from the middle than the place nearest to the middle (and a little, for rounding).
    """
    away = np.sqrt((points[rivals, 0] - x) ** 2 + (points[rivals, 1] - y) ** 2)
    near: IntArray = rivals[away <= away.min() + 1.4143 * width]
    return near


@njit(cache=True)
def find_nearest_cells(
    points: FloatArray, members: IntArray, shape: tuple[int, int], corner: tuple[float, float, float]
) -> tuple[IntArray, IntArray, IntArray]:
    """List, for each square cell, the places that may be nearest to a point within it.

    Blocks of cells are looked at first, so that a cell compares few places.

    Parameters
    ----------
    points, members
        (n, 2) metres of all places, and those that count.
    shape
        Columns and rows.
    corner
        West, south and width of a cell.

    Returns
    -------
    first, end, place
        Cell ``row * columns + column`` lists ``place[first:end]``, in ascending order.
    """
    columns, rows = shape
    west, south, width = corner
    first, end = np.zeros(rows * columns, dtype=np.int64), np.zeros(rows * columns, dtype=np.int64)
    found = np.empty(4 * len(first) + len(members), dtype=np.int64)
    count, half = 0, BLOCK * width / 2
    for low in range(0, rows, BLOCK):
        for left in range(0, columns, BLOCK):
            x, y = west + left * width + half, south + low * width + half
            rivals = _may_be_nearest(points, members, x, y, BLOCK * width)
            for row in range(low, min(low + BLOCK, rows)):
                for column in range(left, min(left + BLOCK, columns)):
                    x, y = west + (column + 0.5) * width, south + (row + 0.5) * width
                    near = _may_be_nearest(points, rivals, x, y, width)
                    while count + len(near) > len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[count : count + len(near)] = near
                    first[row * columns + column], end[row * columns + column] = count, count + len(near)
                    count += len(near)
    return first, end, found[:count]
