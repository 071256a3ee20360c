"""How full each of the demo's basins is at any time, and what somebody sees who looks."""

import numpy as np
import numpy.typing as npt

from data.demo.drainage_basins import DAYS_A_YEAR, IntArray, ObjectArray, Planted, blocked_share
from data.demo.drainage_ground import BoolArray
from data.demo.facts_io import FloatArray, read_toml

_SPAN = 2.0**17
"""Days between the keys of one basin and the next; no day is further from zero than half of it."""


class Filling:
    """The days on which each basin was truly cleaned, and its load at any time.

    Days count from the beginning of the records; ``since`` is the day on which a basin would have been empty:
    the day of its cleaning, or before it where the crew left a part.
    """

    def __init__(self, planted: Planted, cleaned_day: FloatArray) -> None:
        self.planted = planted
        self._key = self._keys(np.arange(len(cleaned_day)), cleaned_day)
        self._since = cleaned_day.copy()

    def clean(self, basin: IntArray, day: FloatArray, *, left: BoolArray) -> None:
        """Note true cleanings; ``left`` marks those that left a part of the load."""
        part = np.where(left, float(read_toml("drainage")["filling"]["left_part"]), 0.0)
        since = day - part * np.maximum(day - self.since(basin, day), 0)
        key = np.concatenate([self._key, self._keys(basin, day)])
        order = np.argsort(key, kind="stable")
        self._key, self._since = key[order], np.concatenate([self._since, since])[order]

    def since(self, basin: IntArray, day: npt.ArrayLike) -> FloatArray:
        """(n,) the day since which each basin fills, as of a day."""
        at = np.searchsorted(self._key, self._keys(basin, day), side="right") - 1
        return np.asarray(self._since[at])

    def load(self, basin: IntArray, day: npt.ArrayLike) -> FloatArray:
        """(n,) load of basins on days; half of the opening is blocked at 1."""
        years = (np.asarray(day, dtype=float) - self.since(basin, day)) / DAYS_A_YEAR
        return np.asarray(self.planted.rate[basin] * years)

    def clogged(self, basin: IntArray, day: npt.ArrayLike) -> BoolArray:
        """(n,) whether half of the opening or more is blocked."""
        return np.asarray(self.load(basin, day) >= 1)

    def share(self, basin: IntArray, day: npt.ArrayLike) -> FloatArray:
        """(n,) share of the opening that is blocked."""
        return blocked_share(self.load(basin, day))

    def look(self, basin: IntArray, day: FloatArray, rng: np.random.Generator) -> ObjectArray:
        """(n,) what somebody says who looks: a word of the table's ``condition``.

        A basin that is paved over is not found, one under a car is not seen; a blocked line is seen by some,
        and a few call a clogged basin clean or a clean one clogged (``[looks]`` of the facts).
        """
        facts, truth = read_toml("drainage")["looks"], self.planted
        dice = rng.random((3, len(basin)))
        clogged = self.clogged(basin, day)
        says = np.where(clogged, dice[0] >= facts["says_clean"], dice[0] < facts["says_clogged"])
        seen = np.where(says, "clogged", "clean").astype(object)
        seen[truth.broken[basin]] = "broken"
        seen[truth.line_blocked[basin] & (dice[1] < facts["sees_line"])] = "line blocked"
        seen[dice[2] < facts["car_parked"]] = "car parked"
        seen[truth.buried[basin]] = "not found"
        return seen

    @staticmethod
    def _keys(basin: IntArray, day: npt.ArrayLike) -> FloatArray:
        return np.asarray(basin * _SPAN + np.asarray(day, dtype=float) + _SPAN / 2)
