"""Spoil a few rows, as a real city would have them, and keep a list of which and how."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.facts_io import read_toml

IntArray = npt.NDArray[np.int64]

GULF = ((-90.4, -89.4), (28.6, 29.5))
"""Longitudes and latitudes of open sea south of the city."""


class Rows:
    """Hand out rows that have not been spoilt yet, so that each has exactly one fault."""

    def __init__(self, frame: pd.DataFrame, table: str, rng: np.random.Generator) -> None:
        self._frame = frame
        self._table = table
        self._rng = rng
        self._free = np.ones(len(frame), dtype=bool)
        self.notes: list[pd.DataFrame] = []

    def take(self, kind: str, share: float, fitting: npt.NDArray[np.bool_] | None = None) -> IntArray:
        """Hand out a share of all rows among those that fit, and note their fault."""
        usable = np.flatnonzero(self._free if fitting is None else self._free & fitting)
        rows = np.sort(
            self._rng.choice(usable, size=min(len(usable), round(share * len(self._frame))), replace=False)
        )
        self._free[rows] = False
        self.note(kind, rows)
        return rows

    def note(self, kind: str, rows: IntArray) -> None:
        """Note the fault of some rows."""
        self.notes.append(pd.DataFrame({"table": self._table, "row": rows, "kind": kind}))


def spoil_calls(calls: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spoil some calls.

    Parameters
    ----------
    calls
        Clean calls in the order of ``opened_at``.
    rng
        Draws which rows.

    Returns
    -------
    calls, notes
        The calls, a few more than before (ids used twice), and a list of the spoilt rows: ``table, row, kind,
        record_id``; ``row`` counts from 0 in the calls returned.
    """
    share = read_toml("calls")["dirt"]
    again = np.sort(rng.choice(len(calls), size=round(share["id_used_twice"] * len(calls)), replace=False))
    twice = calls.iloc[again].copy()
    twice["closed_at"] = twice["closed_at"] + pd.to_timedelta(
        rng.integers(60, 1800, len(twice)), unit="s"
    ).as_unit("us")
    origin = np.concatenate([np.arange(len(calls)), again])
    order = np.argsort(origin, kind="stable")
    frame = pd.concat([calls, twice], ignore_index=True).iloc[order].reset_index(drop=True)
    repeated = order >= len(calls)

    rows = Rows(frame, "calls", rng)
    rows.note("id used twice", np.flatnonzero(repeated))
    single = ~np.isin(origin[order], again)

    lon, lat = frame["lon"].to_numpy(dtype=float).copy(), frame["lat"].to_numpy(dtype=float).copy()
    nowhere = rows.take("no place", share["no_place"], single)
    lon[nowhere], lat[nowhere] = 0.0, 0.0
    frame.loc[nowhere, "location_precision"] = "unknown"
    sea = rows.take("in the Gulf", share["in_the_gulf"], single)
    lon[sea], lat[sea] = (
        np.round(rng.uniform(*GULF[0], len(sea)), 6),
        np.round(rng.uniform(*GULF[1], len(sea)), 6),
    )
    swapped = rows.take("longitude and latitude swapped", share["swapped"], single)
    lon[swapped], lat[swapped] = lat[swapped], lon[swapped]
    signless = rows.take("sign of the longitude lost", share["sign_lost"], single)
    lon[signless] = -lon[signless]
    frame["lon"], frame["lat"] = lon, lat

    moved = (frame["arrived_at"] > frame["dispatched_at"]).to_numpy(dtype=bool)
    _swap(
        frame,
        rows.take("times out of order", share["times_out_of_order"], single & moved),
        "dispatched_at",
        "arrived_at",
    )
    frame.loc[rows.take("agency missing", share["value_missing"], single), "agency"] = None
    return frame, listed(rows, frame["call_id"])


def spoil_responses(responses: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spoil some unit responses; returns them and the list of spoilt rows, as `spoil_calls` does."""
    share = read_toml("calls")["dirt"]
    frame = responses.reset_index(drop=True)
    rows = Rows(frame, "unit_responses", rng)
    arrived = (frame["on_scene_at"] > frame["enroute_at"]).to_numpy(dtype=bool)
    mixed = rows.take("times out of order", share["response_times_out_of_order"], arrived)
    _swap(frame, mixed, "enroute_at", "on_scene_at")
    frame.loc[rows.take("unit missing", share["response_unit_missing"]), "unit_id"] = None
    return frame, listed(rows, frame["call_id"])


def spoil_shifts(shifts: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spoil some shifts; returns them and the list of spoilt rows, as `spoil_calls` does."""
    share = read_toml("calls")["dirt"]
    frame = shifts.reset_index(drop=True)
    rows = Rows(frame, "shifts", rng)
    _swap(frame, rows.take("times out of order", share["shift_times_out_of_order"]), "starts_at", "ends_at")
    return frame, listed(rows, frame["unit_id"])


FIFTY_KM = 0.45
"""Degrees of latitude in 50 km."""

UNREADABLE = ("late", "5pm till the last one leaves", "Mo-Fr 16-24", "Always open")


def spoil_outlets(
    outlets: pd.DataFrame, spared: npt.NDArray[np.bool_], rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spoil some outlets.

    Parameters
    ----------
    outlets
        Clean rows.
    spared
        (n,) rows that must stay clean.
    rng
        Draws which rows.

    Returns
    -------
    outlets, notes
        The outlets, a few more than before (ids used twice), and the spoilt rows as `spoil_calls` lists them.
    """
    count = read_toml("outlets")["dirt"]
    again = np.sort(rng.choice(np.flatnonzero(~spared), size=count["id used twice"], replace=False))
    frame = pd.concat([outlets, outlets.iloc[again]], ignore_index=True)
    rows = Rows(frame, "outlets", rng)
    rows.note("id used twice", np.arange(len(outlets), len(frame)))
    single = np.append(~spared, np.zeros(len(again), dtype=bool))
    single[again] = False

    def take(kind: str, fitting: npt.NDArray[np.bool_] = single) -> IntArray:
        return rows.take(kind, count[kind] / len(frame), fitting)

    frame.loc[take("no place"), ["lon", "lat"]] = 0.0
    away = take("50 km away")
    frame.loc[away, "lat"] = np.round(frame.loc[away, "lat"] + FIFTY_KM, 6)
    frame.loc[take("category missing"), "category"] = None
    frame.loc[take("category unknown"), "category"] = "brewery"
    frame.loc[take("hours unreadable"), "hours"] = rng.choice(UNREADABLE, count["hours unreadable"])
    frame["capacity"] = frame["capacity"].astype("Int64")
    frame.loc[take("capacity not above zero"), "capacity"] = rng.choice(
        [0, -1], count["capacity not above zero"]
    )
    opened = single & frame["opened_on"].notna().to_numpy() & frame["closed_on"].isna().to_numpy()
    early = take("closed before opened", opened)
    frame.loc[early, "closed_on"] = frame.loc[early, "opened_on"] - pd.Timedelta(days=400)
    return frame, listed(rows, frame["outlet_id"])


def _swap(frame: pd.DataFrame, rows: IntArray, one: str, two: str) -> None:
    first, second = frame[one].iloc[rows].copy(), frame[two].iloc[rows].copy()
    frame.loc[rows, one], frame.loc[rows, two] = second, first


def listed(rows: Rows, ids: "pd.Series[Any]") -> pd.DataFrame:
    """List the spoilt rows in their order: ``table, row, kind, record_id``."""
    notes = pd.concat(rows.notes, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)
    return notes.assign(record_id=ids.iloc[notes["row"]].to_numpy())
