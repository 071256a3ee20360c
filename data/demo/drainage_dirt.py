"""Spoil a few rows of the drainage tables, as real records would have them, and list which and how."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.dirt import FIFTY_KM, IntArray, Rows, listed
from data.demo.facts_io import read_toml

AHEAD = pd.Timedelta(days=800)
"""Further ahead than any record of the demo reaches back from its last day."""

Spoilt = tuple[pd.DataFrame, pd.DataFrame]
BoolArray = npt.NDArray[np.bool_]


class _Spoiler:
    """Spoil rows of one table by its counts in ``facts/drainage.toml``."""

    def __init__(
        self, table: str, frame: pd.DataFrame, spared: BoolArray, rng: np.random.Generator, twice: str
    ) -> None:
        self._count = read_toml("drainage")["dirt"][table]
        again = np.sort(rng.choice(np.flatnonzero(~spared), size=self._count[twice], replace=False))
        self.frame = pd.concat([frame, frame.iloc[again]], ignore_index=True)
        self.rows = Rows(self.frame, table, rng)
        self.rows.note(twice, np.arange(len(frame), len(self.frame)))
        self._single = np.append(~spared, np.zeros(len(again), dtype=bool))
        self._single[again] = False

    def put(
        self,
        kind: str,
        column: str,
        value: str | float | pd.Timestamp | None,
        fitting: BoolArray | None = None,
    ) -> None:
        """Write one value into some rows."""
        self.frame.loc[self.take(kind, fitting), column] = value

    def change(self, kind: str, column: str, made: Callable[[pd.DataFrame], "pd.Series[Any]"]) -> None:
        """Write a value made of some rows into them."""
        rows = self.take(kind)
        self.frame.loc[rows, column] = made(self.frame.loc[rows])

    def take(self, kind: str, fitting: BoolArray | None = None) -> IntArray:
        """Take some rows that are clean still."""
        usable = self._single if fitting is None else self._single & fitting
        return self.rows.take(kind, self._count[kind] / len(self.frame), usable)

    def misplace(self) -> None:
        """Put some rows nowhere, and some 50 km away where the table's counts have that."""
        self.frame.loc[self.take("no place"), ["lon", "lat"]] = 0.0
        if "50 km away" in self._count:
            self.change("50 km away", "lat", lambda rows: (rows["lat"] + FIFTY_KM).round(6))

    def done(self, ids: str) -> Spoilt:
        """Give the table and the list of its spoilt rows."""
        return self.frame, listed(self.rows, self.frame[ids])


def spoil_basins(basins: pd.DataFrame, visited: BoolArray, rng: np.random.Generator) -> Spoilt:
    """Spoil some basins that no crew ``visited``, so that no good cleaning is lost with its basin.

    Returns
    -------
    table, notes
        The rows, a few more than before (ids used twice), and the spoilt ones as `listed` lists them.
    """
    spoiler = _Spoiler("basins", basins, visited, rng, "id used twice")
    spoiler.misplace()
    swapped = spoiler.take("longitude and latitude swapped")
    turned = spoiler.frame.loc[swapped, ["lat", "lon"]].to_numpy()
    spoiler.frame.loc[swapped, ["lon", "lat"]] = turned
    spoiler.put("kind missing", "kind", None)
    spoiler.put("kind unknown", "kind", "manhole")
    spoiler.put("tree share over one", "tree_share", 35.0)
    known = basins["last_cleaned_at"].notna().to_numpy()
    known = np.append(known, np.zeros(len(spoiler.frame) - len(known), dtype=bool))
    last = basins["last_cleaned_at"].max()
    spoiler.put("cleaned in the future", "last_cleaned_at", last + AHEAD, known)
    return spoiler.done("basin_id")


def spoil_cleanings(cleanings: pd.DataFrame, spared: BoolArray, rng: np.random.Generator) -> Spoilt:
    """Spoil some cleanings but for the ``spared`` ones; gives what `spoil_basins` gives."""
    spoiler = _Spoiler("cleanings", cleanings, spared, rng, "id used twice")
    audited = spoiler.frame["audited_at"].notna().to_numpy()
    early = spoiler.take("audited before cleaned", audited)
    spoiler.frame.loc[early, "audited_at"] = spoiler.frame.loc[early, "cleaned_at"] - pd.Timedelta(days=3)
    spoiler.put("basin unknown", "basin_id", "CB99999")
    spoiler.change("cleaned in the future", "cleaned_at", lambda rows: rows["cleaned_at"] + AHEAD)
    spoiler.put("debris below zero", "debris_kg", -1.0)
    spoiler.put("found unreadable", "found", "see note")
    return spoiler.done("cleaning_id")


def spoil_requests(requests: pd.DataFrame, rng: np.random.Generator) -> Spoilt:
    """Spoil some 311 requests; gives what `spoil_basins` gives."""
    spoiler = _Spoiler(
        "service_requests", requests, np.zeros(len(requests), dtype=bool), rng, "id used twice"
    )
    spoiler.misplace()
    closed = spoiler.frame["closed_at"].notna().to_numpy()
    early = spoiler.take("closed before opened", closed)
    spoiler.frame.loc[early, "closed_at"] = spoiler.frame.loc[early, "opened_at"] - pd.Timedelta(days=5)
    spoiler.put("type missing", "request_type", None)
    return spoiler.done("request_id")


def spoil_rainfall(rainfall: pd.DataFrame, rng: np.random.Generator) -> Spoilt:
    """Spoil some records of gauges; gives what `spoil_basins` gives."""
    spoiler = _Spoiler("rainfall", rainfall, np.zeros(len(rainfall), dtype=bool), rng, "record repeated")
    spoiler.put("depth below zero", "depth_mm", -9.9)
    spoiler.put("minutes not above zero", "minutes", 0)
    return spoiler.done("gauge")


def spoil_buildings(buildings: pd.DataFrame, rng: np.random.Generator) -> Spoilt:
    """Spoil some buildings; gives what `spoil_basins` gives."""
    spoiler = _Spoiler("buildings", buildings, np.zeros(len(buildings), dtype=bool), rng, "id used twice")
    spoiler.misplace()
    spoiler.put("people below zero", "people", -1.0)
    spoiler.put("floor below zero", "floor_m", -0.4)
    spoiler.put("kind unknown", "kind", "barn")
    return spoiler.done("building_id")
