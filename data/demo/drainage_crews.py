"""The demo's cleaning crews: where they go each month, and which of their cleanings never happened."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from data.demo.drainage_basins import Basins, IntArray, ObjectArray
from data.demo.drainage_filling import Filling
from data.demo.drainage_ground import BoolArray
from data.demo.drainage_rain import DAYS, first_day
from data.demo.facts_io import FloatArray, evenly, read_toml

ELSEWHERE = "truck elsewhere"
LEFT = "left as it was"
NOT_DONE = ("not found", "car parked")
"""What a crew may find that keeps it from cleaning."""


class Crews:
    """Crews that remember where they have been.

    Parameters
    ----------
    basins
        Where they go.
    filling
        What they find; true cleanings are noted in it.
    rng
        Draws everything.
    """

    def __init__(self, basins: Basins, filling: Filling, rng: np.random.Generator) -> None:
        self._basins, self._filling, self._rng = basins, filling, rng
        self._facts = read_toml("drainage")
        self._tree = cKDTree(basins.xy)
        self._visited = np.full(len(basins), -np.inf)
        # Rounds go more often where they are liked, whatever the need.
        self._liking = np.exp(rng.normal(0, 0.8, int(basins.hood.max()) + 1))

    def month(self, asked: pd.DataFrame, begin: int, end: int) -> pd.DataFrame:
        """Work a month: ``day, basin, gang, found, debris_kg, x, y, why, left``.

        Parameters
        ----------
        asked
            Requests so far: ``day, basin``; those before the month and not too old are answered.
        begin, end
            Days of the month.
        """
        facts, rng = self._facts["crews"], self._rng
        wanted = int(facts["a_month"])
        heard = self._complaints(asked, begin, round(facts["by_complaint"] * wanted))
        basin = np.concatenate([heard, self._rounds(heard, wanted - len(heard), begin)])
        work = self._sent_out(basin, begin, end)
        self._visited[work["basin"]] = work["day"]
        gang = work["gang"].map({one["name"]: one["false"] for one in facts["gang"]}).to_numpy(dtype=float)
        untrue = rng.random(len(work)) < gang
        away = untrue & (rng.random(len(work)) < self._facts["false"]["elsewhere"])
        rows, day = work["basin"].to_numpy(), work["day"].to_numpy()
        found = self._filling.look(rows, day, rng)
        found[untrue] = "clogged"
        why = np.full(len(work), None, dtype=object)
        why[untrue], why[away] = LEFT, ELSEWHERE
        done = ~untrue & ~np.isin(found.astype(str), NOT_DONE)
        work["found"], work["why"], work["done"] = found, why, done
        work["debris_kg"] = self._debris(self._filling.share(rows, day), untrue, done)
        work["x"], work["y"] = self._stood(self._basins.xy[rows], away).T
        left = rng.random(len(work)) < self._facts["filling"]["leftover"]
        self._filling.clean(rows[done], day[done], left=left[done])
        return work

    def reported_again(self, work: pd.DataFrame) -> pd.DataFrame:
        """Draw requests about basins that were clogged and left so: ``day, basin``."""
        again, rng = self._facts["false"], self._rng
        untrue = work.loc[work["why"].notna()]
        still = self._filling.clogged(untrue["basin"].to_numpy(), untrue["day"].to_numpy())
        some = untrue.loc[still & (rng.random(len(untrue)) < again["again"])]
        day = some["day"].to_numpy() + evenly(again["again_days"], len(some), rng)
        soon = day < DAYS
        return pd.DataFrame({"day": day[soon], "basin": some["basin"].to_numpy()[soon]})

    def _complaints(self, asked: pd.DataFrame, begin: int, most: int) -> IntArray:
        """Basins that were complained of and not visited since, and some across the street; none twice."""
        facts, rng = self._facts["crews"], self._rng
        fresh = (asked["day"] < begin) & (asked["day"] >= begin - facts["waits_days"])
        fresh &= self._visited[asked["basin"]] < asked["day"]
        basin = rng.permutation(np.unique(asked.loc[fresh, "basin"].to_numpy(dtype=np.int64)))
        _, near = self._tree.query(self._basins.xy[basin], k=2)
        across = np.asarray(near, dtype=np.int64)[:, 1]
        both = np.stack([basin, np.where(rng.random(len(basin)) < facts["neighbor"], across, basin)], axis=1)
        return _firsts(both.ravel())[:most]

    def _rounds(self, taken: IntArray, count: int, begin: int) -> IntArray:
        """Neighbours along some streets, in neighborhoods that are liked."""
        rng = self._rng
        weight = self._liking[self._basins.hood]
        weight = np.where(self._visited > begin - 200, 0, weight)
        weight[taken] = 0
        middles = rng.choice(len(weight), size=4, replace=False, p=weight / weight.sum())
        share = -(-count // len(middles))
        _, near = self._tree.query(self._basins.xy[middles], k=4 * share)
        chosen = []
        for row in np.asarray(near, dtype=np.int64):
            free = row[weight[row] > 0][:share]
            weight[free] = 0
            chosen.append(free)
        return np.concatenate(chosen)[:count]

    def _sent_out(self, basin: IntArray, begin: int, end: int) -> pd.DataFrame:
        """Give each truck-day a stretch of stops, a gang and a working day of its own."""
        facts, rng = self._facts["crews"], self._rng
        xy = self._basins.xy[basin]
        order = np.lexsort((xy[:, 0], np.floor(xy[:, 1] / 400), self._basins.hood[basin]))
        basin = basin[order]
        trip, stop = np.divmod(np.arange(len(basin)), facts["stops_a_day"])
        days = np.arange(begin, end)
        working = days[np.is_busday(first_day() + days)]
        names = np.array([one["name"] for one in facts["gang"]], dtype=object)
        gang = rng.choice(
            len(names), size=trip.max() + 1, p=np.array([one["share"] for one in facts["gang"]])
        )
        day = np.empty(len(gang))
        for one in range(len(names)):
            trips = np.flatnonzero(gang == one)
            day[trips] = rng.choice(working, size=len(trips), replace=len(trips) > len(working))
        hour = facts["first_hour"] + (stop + rng.uniform(0, 0.5, len(stop))) * facts["hours_a_stop"]
        return pd.DataFrame({"day": day[trip] + hour / 24, "basin": basin, "gang": names[gang[trip]]})

    def _debris(self, share: FloatArray, untrue: BoolArray, done: BoolArray) -> FloatArray:
        """Kilograms that the crew writes down: what it took out, or what would look right."""
        facts, rng = self._facts["crews"]["debris_kg"], self._rng
        looks = np.where(untrue, rng.uniform(0.5, 1.0, len(share)), share)
        weight = facts["least"] + facts["full"] * looks * np.exp(rng.normal(0, facts["sd"], len(share)))
        return np.asarray(np.where(done | untrue, np.round(weight), 0.0))

    def _stood(self, xy: FloatArray, away: BoolArray) -> FloatArray:
        """(n, 2) where the truck's receiver says it stood, NaN where it did not say."""
        facts, rng = self._facts["crews"], self._rng
        count = len(xy)
        share, low, high = facts["place_far"]
        off = np.abs(rng.normal(0, facts["place_sd_m"], count))
        off = np.where(rng.random(count) < share, rng.uniform(low, high, count), off)
        off = np.where(away, evenly(self._facts["false"]["elsewhere_m"], count, rng), off)
        turn = rng.uniform(0, 2 * np.pi, count)
        stood = xy + off[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
        stood[rng.random(count) < facts["place_missing"]] = np.nan
        return np.asarray(stood)


def audit(work: pd.DataFrame, filling: Filling, rng: np.random.Generator) -> tuple[FloatArray, ObjectArray]:
    """Look again at a random share of what is called cleaned: (n,) day or NaN, and what was found or None."""
    facts: dict[str, Any] = read_toml("drainage")["crews"]
    day = work["day"].to_numpy() + evenly(facts["audit_days"], len(work), rng)
    chosen = (rng.random(len(work)) < facts["audited"]) & (day < DAYS)
    chosen &= ~work["found"].isin(NOT_DONE).to_numpy()
    found = np.full(len(work), None, dtype=object)
    found[chosen] = filling.look(work["basin"].to_numpy()[chosen], day[chosen], rng)
    return np.where(chosen, day, np.nan), found


def _firsts(values: IntArray) -> IntArray:
    """Give each value once, in the order in which it first comes."""
    _, first = np.unique(values, return_index=True)
    return values[np.sort(first)]
