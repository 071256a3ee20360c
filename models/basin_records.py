"""Reports, inspections and cleanings joined to basins.

Pure joins over frames; nothing here reads a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from geo import crs
from models.basin_state import CLEAN

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

WITHIN_M = 40.0
"""A report farther than this from every basin is of its place only, not of a basin."""
DISPROVED_DAYS = 30.0
"""A cleaning whose audit found the basin clogged within so many days is not counted as one."""
HIDDEN = ("not found", "car parked")
DAYS_A_YEAR = 365.25


@dataclass(frozen=True, eq=False)
class Reports:
    """311 reports and the basins they are of.

    Attributes
    ----------
    basin
        (n,) row of the nearest basin, -1 where none is near enough.
    days_ago
        (n,) days before the day of the list.
    kind
        (n,) number of the request type.
    xy_m
        (n, 2) place in metres.
    """

    basin: IntArray
    days_ago: FloatArray
    kind: IntArray
    xy_m: FloatArray
    notes: tuple[str, ...]

    def counts(self, n_basins: int, *, days: float = 2 * DAYS_A_YEAR) -> IntArray:
        """(n_basins,) reports of each basin in the last so many days."""
        near = self.basin[(self.basin >= 0) & (self.days_ago <= days)]
        return np.bincount(near, minlength=n_basins).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Looks:
    """Times when somebody saw a basin, sorted by basin and time; (n,) each.

    Attributes
    ----------
    basin
        Row of the basin.
    days_ago
        Days before the day of the list.
    found
        What was found; "" where only the cleaning is on record.
    clean_after
        Whether the basin was clean when they left.
    """

    basin: IntArray
    days_ago: FloatArray
    found: npt.NDArray[np.object_]
    clean_after: BoolArray
    notes: tuple[str, ...]


def join_reports(
    basins: pd.DataFrame,
    requests: pd.DataFrame,
    *,
    types: Sequence[str],
    as_of: pd.Timestamp,
    epsg: int,
    within_m: float = WITHIN_M,
) -> Reports:
    """Give each 311 report of these types the basin that is nearest to it.

    Parameters
    ----------
    basins, requests
        The tables ``basins`` and ``service_requests``.
    types
        Values of ``request_type`` that count.
    as_of
        The day of the list, with a time zone. Later reports are not known then and are counted in ``notes``.
    epsg
        Metres to measure in.
    """
    kind = pd.Index(list(types)).get_indexer(pd.Index(requests["request_type"])).astype(np.int64)
    ago = days_ago(requests["opened_at"], as_of)
    kept = (kind >= 0) & (ago >= 0)
    lon, lat = (requests[c].to_numpy(np.float64)[kept] for c in ("lon", "lat"))
    xy = np.column_stack(crs.to_metres(lon, lat, epsg)).reshape(-1, 2)
    basin = np.full(len(xy), -1, np.int64)
    if len(basins) and len(xy):
        at = np.column_stack(crs.to_metres(basins["lon"], basins["lat"], epsg))
        away, nearest = cKDTree(at).query(xy, distance_upper_bound=within_m)
        basin = np.where(np.isfinite(away), nearest, -1).astype(np.int64)
    said = counted_notes(
        (int(((kind >= 0) & (ago < 0)).sum()), "reports are dated after the day of the list: not counted"),
        (int(((kind >= 0) & np.isnan(ago)).sum()), "reports have no date: not counted"),
        (int((basin < 0).sum()), f"reports have no basin within {within_m:.0f} m: of their area only"),
    )
    return Reports(basin, ago[kept], kind[kept], xy, said)


def join_looks(
    basins: pd.DataFrame,
    cleanings: pd.DataFrame | None,
    returned: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
) -> Looks:
    """Gather inspections, cleanings, audits and returned work by basin and time.

    Parameters
    ----------
    basins, cleanings
        The tables of that name; no cleanings: None.
    returned
        Work orders that came back: ``basin_id, done_at, found``.
    as_of
        The day of the list, with a time zone. What is dated later is counted in ``notes`` and left out.
    """
    n = len(basins)
    cleaned_at = days_ago(basins["last_cleaned_at"], as_of)
    seen_at, seen = days_ago(basins["inspected_at"], as_of), words(basins["condition"])
    seen_at = np.where(seen == "", np.nan, seen_at)
    parts = [(np.arange(n), seen_at, seen, seen == CLEAN)]
    strange = 0
    last = cleaned_at.copy()
    work = [] if cleanings is None else [(cleanings, "cleaned_at")]
    work += [] if returned is None else [(returned, "done_at")]
    for frame, when in work:
        row = pd.Index(basins["basin_id"]).get_indexer(pd.Index(frame["basin_id"])).astype(np.int64)
        strange += int((row < 0).sum())
        known = frame[row >= 0]
        row = row[row >= 0]
        ago, found = days_ago(known[when], as_of), words(known["found"])
        false = np.zeros(len(row), np.bool_)
        if "audit_found" in known:
            checked, verdict = days_ago(known["audited_at"], as_of), words(known["audit_found"])
            false = (verdict == "clogged") & (ago - checked <= DISPROVED_DAYS) & (checked >= 0)
            told = np.flatnonzero(verdict != "")
            parts.append((row[told], checked[told], verdict[told], verdict[told] == CLEAN))
            # The basin's own date may be that of the cleaning that was not one.
            wrong = false & (np.abs(last[row] - ago) < 1.0)
            last[row[wrong]] = np.nan
        real = np.flatnonzero(~false)
        clean = ~np.isin(found[real], HIDDEN)
        parts.append((row[real], ago[real], found[real], clean))
    parts.append((np.arange(n), last, np.full(n, "", object), np.ones(n, np.bool_)))
    basin, ago = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    found, clean = (np.concatenate([part[k] for part in parts]) for k in (2, 3))
    ahead = ago < 0
    order = np.flatnonzero(np.isfinite(ago) & ~ahead)
    # Of the same moment, what was found comes before the bare date of the cleaning.
    order = order[np.lexsort((found[order] == "", -ago[order], basin[order]))]
    said = counted_notes(
        (strange, "pieces of work name a basin that is not in the table: left out"),
        (int(ahead.sum()), "dates of looks lie after the day of the list: left out"),
    )
    return Looks(basin[order].astype(np.int64), ago[order], found[order], clean[order].astype(np.bool_), said)


def words(column: pd.Series) -> npt.NDArray[np.object_]:
    """(n,) words of a column, "" where there is none."""
    return np.asarray(column.astype(object).where(column.notna(), ""), dtype=object)


def days_ago(times: pd.Series, as_of: pd.Timestamp) -> FloatArray:
    """(n,) days from each time to the day of the list, NaN where there is none."""
    passed = (as_of - pd.to_datetime(times, utc=True)).dt.total_seconds()
    return np.asarray(passed.to_numpy(np.float64, na_value=np.nan) / 86_400.0)


def counted_notes(*counted: tuple[int, str]) -> tuple[str, ...]:
    """Say each number that is not 0, with its words."""
    return tuple(f"{n:,} {words}" for n, words in counted if n)
