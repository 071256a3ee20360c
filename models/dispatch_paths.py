"""Compiled search for the next place on a path. Importing this module imports numba."""

import numpy as np
from numba import njit

from models.dispatch_kernel import FloatArray, IntArray, SmallArray


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
