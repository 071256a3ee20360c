"""What is known of each basin: 311 reports, looks and cleanings joined to it, and what it lets through.

Pure joins over frames; nothing here reads a file. A *look* is a time when somebody saw the basin: an
inspection, a cleaning, an audit, or returned work. Between looks its state is a chance; see
`models.basin_state`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from errors import InvalidInputError
from geo import crs
from models.basin_state import (
    CLEAN,
    PRIORS,
    STATES,
    Estimate,
    Prior,
    Records,
    State,
    StateModel,
    basin_features,
    findings,
    fit_state,
)
from models.inlets import Gutter, Inlet, sag_capacity

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

WITHIN_M = 40.0
"""A report farther than this from every basin is of its place only, not of a basin."""
WINDOW_DAYS = 365.25
"""Reports older than this say nothing of a basin's state."""
ONE_REPORT_DAYS = 7.0
"""Reports of one basin within so many days count as one: a storm makes several people call."""
DISPROVED_DAYS = 30.0
"""A cleaning whose audit found the basin clogged within so many days is not counted as one."""
HIDDEN = ("not found", "car parked")
LASTING: tuple[State, ...] = ("clogged", "broken", "line blocked")
"""States that stay until somebody mends them."""
REPORTED: tuple[State, ...] = ("clogged",)
"""States that 311 reports tell of."""
BLOCKED_SHARE = 0.75
"""Share of the opening that is blocked where a basin is clogged: a choice, no measurement was found."""
BROKEN_SHARE = 0.5
"""Share of the opening lost where it is broken: a choice."""
GUTTER = Gutter(0.02, 0.003)
"""Street at a basin: cross slope 2 %, nearly level along the curb. Only the cross slope counts in a sag."""

_SPAN = 1_000_000.0


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

    def counts(self, n_basins: int, *, days: float = 2 * WINDOW_DAYS) -> IntArray:
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


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything on record, laid out for `models.basin_state.fit_state`.

    Attributes
    ----------
    looked
        Basins as they were at each look, without what was found.
    found
        Of each state (n_looks,) 1, 0, NaN.
    now
        Basins as they are on the day of the list.
    standing
        Of each lasting state (n_basins,) whether the last look found it and nobody mended it since.
    days_since_cleaned
        (n_basins,) NaN where none is on record.
    """

    looked: Records
    found: Mapping[State, FloatArray]
    now: Records
    standing: Mapping[State, BoolArray]
    days_since_cleaned: FloatArray
    n_areas: int
    notes: tuple[str, ...]

    def records(self, state: State) -> Records:
        """Rows to learn one state from: looks, and basins nobody looked at where reports tell of them."""
        found = self.found[state]
        seen = np.flatnonzero(~np.isnan(found))
        rows = _rows(self.looked, seen, found[seen])
        if state in REPORTED:
            return rows.joined(self.now)
        return replace(rows, reports=np.zeros(len(seen)), years=np.zeros(len(seen)))


@dataclass(frozen=True, eq=False)
class BasinStates:
    """Chances of each state of each basin on the day of the list.

    Attributes
    ----------
    models
        What was learned, by state.
    chance
        (n_basins,) mean and 90 % interval, by state.
    """

    models: Mapping[State, StateModel]
    chance: Mapping[State, Estimate]
    notes: tuple[str, ...]

    def open_share(self, *, blocked: float = BLOCKED_SHARE, broken: float = BROKEN_SHARE) -> FloatArray:
        """(n_basins,) expected open share of each opening as it is; a blocked line lets nothing through."""
        return self._passable(broken) * (1 - self.chance["clogged"].mean * blocked)

    def open_if_cleaned(self, *, blocked: float = BLOCKED_SHARE, broken: float = BROKEN_SHARE) -> FloatArray:
        """(n_basins,) expected open share after a stop: clean, unless it is not found or under a car."""
        missed = np.minimum(self.chance["not found"].mean + self.chance["car parked"].mean, 1.0)
        return self._passable(broken) * (1 - self.chance["clogged"].mean * blocked * missed)

    def _passable(self, broken: float) -> FloatArray:
        line = 1 - self.chance["line blocked"].mean
        return np.asarray(line * (1 - self.chance["broken"].mean * broken))


def basin_capacity(kind: Sequence[str], *, depth_m: float) -> FloatArray:
    """Most that each basin takes with this much water at the curb, (n,) m3/s, by HEC-22 in a sag."""
    names, number = np.unique(np.asarray(kind, dtype=object).astype(str), return_inverse=True)
    unknown = [name for name in names if name not in {"grate", "curb", "combination"}]
    if unknown:
        raise InvalidInputError(f"Basins of a kind that is not known: {', '.join(unknown)}")
    rate = [float(sag_capacity(Inlet(name), GUTTER, depth_m)[0]) for name in names]
    return np.asarray(rate)[number]


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
    ago = _days_ago(requests["opened_at"], as_of)
    kept = (kind >= 0) & (ago >= 0)
    lon, lat = (requests[c].to_numpy(np.float64)[kept] for c in ("lon", "lat"))
    xy = np.column_stack(crs.to_metres(lon, lat, epsg)).reshape(-1, 2)
    basin = np.full(len(xy), -1, np.int64)
    if len(basins) and len(xy):
        at = np.column_stack(crs.to_metres(basins["lon"], basins["lat"], epsg))
        away, nearest = cKDTree(at).query(xy, distance_upper_bound=within_m)
        basin = np.where(np.isfinite(away), nearest, -1).astype(np.int64)
    notes = _notes(
        (int(((kind >= 0) & (ago < 0)).sum()), "reports are dated after the day of the list: not counted"),
        (int(((kind >= 0) & np.isnan(ago)).sum()), "reports have no date: not counted"),
        (int((basin < 0).sum()), f"reports have no basin within {within_m:.0f} m: of their area only"),
    )
    return Reports(basin, ago[kept], kind[kept], xy, notes)


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
    cleaned_at = _days_ago(basins["last_cleaned_at"], as_of)
    seen_at, seen = _days_ago(basins["inspected_at"], as_of), _words(basins["condition"])
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
        ago, found = _days_ago(known[when], as_of), _words(known["found"])
        false = np.zeros(len(row), np.bool_)
        if "audit_found" in known:
            checked, verdict = _days_ago(known["audited_at"], as_of), _words(known["audit_found"])
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
    notes = _notes(
        (strange, "pieces of work name a basin that is not in the table: left out"),
        (int(ahead.sum()), "dates of looks lie after the day of the list: left out"),
    )
    return Looks(
        basin[order].astype(np.int64), ago[order], found[order], clean[order].astype(np.bool_), notes
    )


def gather_evidence(
    basins: pd.DataFrame, looks: Looks, reports: Reports, *, area: IntArray, n_areas: int
) -> Evidence:
    """Lay out what was known at each look, what it found, and what is known now.

    Reports count from the last look or cleaning on, a year at most: older ones tell of another state.

    Parameters
    ----------
    area
        (n_basins,) reporting area of each basin from 0, such as its neighborhood; basins outside all areas
        may share one of their own.
    n_areas
        Number of areas.
    """
    n = len(basins)
    trees = basins["tree_share"].to_numpy(np.float64, na_value=np.nan)
    trees = np.where(np.isnan(trees), np.nanmean(trees) if np.isfinite(trees).any() else 0.0, trees)
    commercial = (_words(basins["land_use"]) == "commercial").astype(np.float64)
    # "Now" is one more moment of each basin, after all its looks.
    basin = np.concatenate([looks.basin, np.arange(n)])
    ago = np.concatenate([looks.days_ago, np.zeros(n)])
    is_now = np.arange(len(basin)) >= len(looks.basin)
    order = np.lexsort((is_now, -ago, basin))
    basin, ago, is_now = basin[order], ago[order], is_now[order]
    found = np.concatenate([looks.found, np.full(n, "", object)])[order]
    clean = np.concatenate([looks.clean_after, np.zeros(n, np.bool_)])[order]
    visible = (found != "") & ~np.isin(found, HIDDEN)
    since_clean = _latest(basin, ago, clean) - ago
    before = _latest(basin, ago, visible | clean)
    clogged = _last_flag(basin, visible, found == "clogged")
    reported_since = np.fmin(np.where(np.isnan(before), np.inf, before), ago + WINDOW_DAYS)
    years = (reported_since - ago) / WINDOW_DAYS
    rows = Records(
        basin_features(
            since_clean, trees=trees[basin], commercial=commercial[basin], clogged_last_time=clogged
        ),
        np.full(len(basin), np.nan),
        _reports_between(reports, basin, reported_since, ago),
        years,
        np.asarray(area, np.int64)[basin],
    )
    # Two looks at one moment leave no time to report in.
    rows = replace(rows, reports=np.where(rows.years > 0, rows.reports, 0.0))
    seen = np.flatnonzero(found != "")
    standing = {state: _last_flag(basin, visible, found == state)[is_now] > 0 for state in LASTING}
    mended = _latest(basin, ago, clean)[is_now]
    stood = _latest(basin, ago, visible & (found == "clogged"))[is_now]
    standing["clogged"] &= ~(mended <= stood)
    now = np.flatnonzero(is_now)
    return Evidence(
        _rows(rows, seen, np.full(len(seen), np.nan)),
        findings(found[seen].tolist()),
        _rows(rows, now, np.full(n, np.nan)),
        standing,
        since_clean[now],
        n_areas,
        (*looks.notes, *reports.notes),
    )


def learn_states(
    evidence: Evidence, *, priors: Mapping[State, Prior] = PRIORS, n_draws: int = 100, seed: int = 0
) -> BasinStates:
    """Fit every state and say its chance for each basin now.

    Where the last look found a lasting state and nobody mended it since, the chance is 1.
    """
    models: dict[State, StateModel] = {}
    chance: dict[State, Estimate] = {}
    for state in STATES:
        rows = evidence.records(state)
        models[state] = fit_state(rows, priors[state], n_areas=evidence.n_areas)
        now = evidence.now
        if state not in REPORTED:
            silent = np.zeros(len(now.found))
            now = replace(now, reports=silent, years=silent)
        estimate = models[state].probability(now, n_draws=n_draws, seed=seed)
        if state in evidence.standing:
            stands = evidence.standing[state]
            estimate = Estimate(
                *(np.where(stands, 1.0, part) for part in (estimate.mean, estimate.low, estimate.high))
            )
        chance[state] = estimate
    return BasinStates(models, chance, evidence.notes)


def complaints_and_floods(
    evidence: Evidence,
    states: BasinStates,
    reports: IntArray,
    *,
    names: Sequence[str],
    flooding: FloatArray,
    years: float = 2.0,
) -> pd.DataFrame:
    """Who complains is not who floods: both by area.

    Parameters
    ----------
    reports
        (n_basins,) reports of each basin over ``years``.
    names
        (n_areas,) names of the areas.
    flooding
        (n_areas,) what the storm does there, such as people with water at their door.

    Returns
    -------
    pandas.DataFrame
        A row an area that has basins: ``area, basins, reports, reports_per_100`` (a year, of 100 basins),
        ``reporting`` with ``reporting_low, reporting_high`` (reports a year of 100 basins that are not
        clogged), ``p_clogged`` with ``p_clogged_low, p_clogged_high``, ``flooding``.
    """
    area, n_areas = evidence.now.area, evidence.n_areas
    basins = np.bincount(area, minlength=n_areas)
    told = np.bincount(area, reports, minlength=n_areas)
    rate = states.models["clogged"].reporting()
    clogged = states.models["clogged"].probability_by_area(evidence.now)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_100 = 100 * told / (basins * years)
    table = pd.DataFrame(
        {
            "area": list(names),
            "basins": basins,
            "reports": told.astype(np.int64),
            "reports_per_100": per_100,
            "reporting": 100 * rate.mean,
            "reporting_low": 100 * rate.low,
            "reporting_high": 100 * rate.high,
            "p_clogged": clogged.mean,
            "p_clogged_low": clogged.low,
            "p_clogged_high": clogged.high,
            "flooding": flooding,
        }
    )
    return table[table["basins"] > 0].reset_index(drop=True)


def rank_agreement(table: pd.DataFrame) -> dict[str, float]:
    """Spearman's rank correlation over areas of reports with P(clogged) and with flooding.

    1: who complains most has it worst; 0: complaints say nothing; NaN with fewer than three areas.
    """
    if len(table) < 3:
        return {"p_clogged": float("nan"), "flooding": float("nan")}
    out = {}
    for name in ("p_clogged", "flooding"):
        both = table[["reports_per_100", name]].to_numpy()
        flat = bool((both == both[0]).all(axis=0).any())
        out[name] = float("nan") if flat else float(spearmanr(both[:, 0], both[:, 1]).statistic)
    return out


def _rows(rows: Records, kept: IntArray, found: FloatArray) -> Records:
    return Records(rows.features[kept], found, rows.reports[kept], rows.years[kept], rows.area[kept])


def _words(column: pd.Series) -> npt.NDArray[np.object_]:
    return np.asarray(column.astype(object).where(column.notna(), ""), dtype=object)


def _days_ago(times: pd.Series, as_of: pd.Timestamp) -> FloatArray:
    passed = (as_of - pd.to_datetime(times, utc=True)).dt.total_seconds()
    return np.asarray(passed.to_numpy(np.float64, na_value=np.nan) / 86_400.0)


def _notes(*counted: tuple[int, str]) -> tuple[str, ...]:
    return tuple(f"{n:,} {words}" for n, words in counted if n)


def _before(basin: IntArray, flag: BoolArray) -> IntArray:
    """Row of the last flagged moment before each, of the same basin; -1 for none. Rows by basin and time."""
    row = np.arange(len(basin))
    last = np.maximum.accumulate(np.where(flag, row, -1)) if len(row) else row
    last = np.concatenate([[-1], last[:-1]]).astype(np.int64) if len(row) else row
    same = (last >= 0) & (basin[np.maximum(last, 0)] == basin)
    return np.where(same, last, -1)


def _latest(basin: IntArray, ago: FloatArray, flag: BoolArray) -> FloatArray:
    """Days ago of the last flagged moment before each; NaN for none."""
    last = _before(basin, flag)
    return np.where(last >= 0, ago[np.maximum(last, 0)], np.nan)


def _last_flag(basin: IntArray, visible: BoolArray, flag: BoolArray) -> FloatArray:
    """Whether the last visible look before each moment had the flag, 0 for none."""
    last = _before(basin, visible)
    return np.where(last >= 0, flag[np.maximum(last, 0)], 0).astype(np.float64)


def _reports_between(reports: Reports, basin: IntArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Count each basin's reports from ``start`` to ``end`` days ago, those of one week as one."""
    near = reports.basin >= 0
    at, ago = reports.basin[near], reports.days_ago[near]
    order = np.lexsort((-ago, at))
    at, ago = at[order], ago[order]
    fresh = np.ones(len(at), np.bool_)
    fresh[1:] = (at[1:] != at[:-1]) | (ago[:-1] - ago[1:] > ONE_REPORT_DAYS)
    key = at[fresh] * _SPAN - ago[fresh]
    first, last = (np.searchsorted(key, basin * _SPAN - days, side="right") for days in (start, end))
    return (last - first).astype(np.float64)
