"""What is known of each basin: its records laid out, the states learned from them, what it lets through.

A *look* is a time when somebody saw the basin: an inspection, a cleaning, an audit, or returned work. Between
looks its state is a chance; see `models.basin_state`. The joins are in `models.basin_records`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm, spearmanr

from errors import InvalidInputError
from geo import crs
from models.basin_nearby import Nearby, learn_nearby
from models.basin_records import HIDDEN, Looks, Reports, join_looks, join_reports, words
from models.basin_state import (
    CONFIDENCE,
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

__all__ = (
    "BLOCKED_SHARE",
    "BROKEN_SHARE",
    "BasinStates",
    "Evidence",
    "Looks",
    "Reports",
    "basin_capacity",
    "complaints_and_floods",
    "gather_evidence",
    "join_looks",
    "join_reports",
    "learn_states",
    "rank_agreement",
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

WINDOW_DAYS = 365.25
"""Reports older than this say nothing of a basin's state."""
ONE_REPORT_DAYS = 7.0
"""Reports of one basin within so many days count as one: a storm makes several people call."""
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
class Evidence:
    """Everything on record, laid out for `models.basin_state.fit_state`.

    Attributes
    ----------
    looked
        Basins as they were at each look, without what was found.
    found
        Of each state (n_looks,) 1, 0, NaN.
    look_basin, xy_m
        (n_looks,) which basin was looked at, and (n_basins, 2) where basins lie, metres.
    now
        Basins as they are on the day of the list.
    standing
        Of each lasting state (n_basins,) whether the last look found it and nobody mended it since.
    days_since_cleaned
        (n_basins,) NaN where none is on record.
    """

    looked: Records
    found: Mapping[State, FloatArray]
    look_basin: IntArray
    xy_m: FloatArray
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
    nearby
        What basins near each other share of being clogged.
    """

    models: Mapping[State, StateModel]
    chance: Mapping[State, Estimate]
    nearby: Nearby
    notes: tuple[str, ...]

    def open_share(self, *, blocked: float = BLOCKED_SHARE, broken: float = BROKEN_SHARE) -> FloatArray:
        """(n_basins,) expected open share of each opening as it is; a blocked line lets nothing through."""
        return self._passable(broken) * (1 - self.chance["clogged"].mean * blocked)

    def open_if_cleaned(self, *, blocked: float = BLOCKED_SHARE, broken: float = BROKEN_SHARE) -> FloatArray:
        """(n_basins,) expected open share after a stop: clean, unless it is not found or under a car."""
        missed = np.minimum(self.chance["not found"].mean + self.chance["car parked"].mean, 1.0)
        return self._passable(broken) * (1 - self.chance["clogged"].mean * blocked * missed)

    def draws(
        self, n: int, *, seed: int = 0, blocked: float = BLOCKED_SHARE, broken: float = BROKEN_SHARE
    ) -> tuple[FloatArray, FloatArray]:
        """Draw open shares of all basins, (n, n_basins) as they are and the same after a stop.

        How common a state is in the city is high or low for all basins together, within its interval; basins
        near each other are clogged together as `models.basin_nearby` has learned; else one by one.
        """
        random = np.random.default_rng(seed)
        before, after = np.empty((2, n, len(self.nearby.mean)))
        reach = norm.ppf((1 + CONFIDENCE) / 2)
        for row in range(n):
            so = {}
            for state, known in self.chance.items():
                middle, low, high = (
                    logit(np.clip(p, 1e-6, 1 - 1e-6)) for p in (known.mean, known.low, known.high)
                )
                drawn = expit(middle + random.standard_normal() * (high - low) / (2 * reach))
                latent = (
                    self.nearby.latent(random) if state == "clogged" else random.standard_normal(len(drawn))
                )
                so[state] = latent < norm.ppf(drawn)
            passable = ~so["line blocked"] * (1 - so["broken"] * broken)
            missed = so["not found"] | so["car parked"]
            before[row] = passable * (1 - so["clogged"] * blocked)
            after[row] = passable * (1 - (so["clogged"] & missed) * blocked)
        return before, after

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
    commercial = (words(basins["land_use"]) == "commercial").astype(np.float64)
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
        basin[seen],
        _metres(basins),
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
        if state == "clogged":
            nearby = _nearby(evidence, models[state])
            estimate = Estimate(
                *(expit(logit(part) + nearby.mean) for part in (estimate.mean, estimate.low, estimate.high))
            )
        if state in evidence.standing:
            stands = evidence.standing[state]
            estimate = Estimate(
                *(np.where(stands, 1.0, part) for part in (estimate.mean, estimate.low, estimate.high))
            )
        chance[state] = estimate
    return BasinStates(models, chance, nearby, evidence.notes)


def _nearby(evidence: Evidence, model: StateModel) -> Nearby:
    """Compare what looks found with what features and reports made one expect, near each other."""
    found = evidence.found["clogged"]
    seen = np.flatnonzero(~np.isnan(found))
    expected = model.expected(_rows(evidence.looked, seen, found[seen]))
    return learn_nearby(evidence.xy_m, evidence.look_basin[seen], found[seen], expected)


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


def _metres(basins: pd.DataFrame) -> FloatArray:
    if not len(basins):
        return np.zeros((0, 2))
    epsg = crs.utm_epsg(basins["lon"], basins["lat"])
    return np.column_stack(crs.to_metres(basins["lon"], basins["lat"], epsg))


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
