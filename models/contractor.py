"""Cleanings to question before they are paid, with reasons, and what an audit says of all of them.

Records alone find a truck that stood elsewhere. A basin that was left as it was looks like any other on
paper: only looking again finds it, so a random sample is audited, and its false share has an exact interval.
A reason is a question to ask, not a finding: no list here says that anybody lied. Crews are companies or
gangs. docs/methods/routes.md tells how many planted ones are found.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree
from scipy.stats import hypergeom

from errors import Faults, InvalidInputError
from geo import crs
from models.work_orders import KG_PER_LB

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

HIDDEN = ("not found", "car parked")
"""Found so, nothing was cleaned and nothing can be audited."""
DAY_S = 86_400.0
M_PER_FT = 0.3048


@dataclass(frozen=True)
class Rules:
    """When a cleaning is questioned. All are choices.

    Attributes
    ----------
    away_m
        The truck stood farther than this from the basin: about two blocks, several times what a receiver errs
        between buildings.
    fastest_kph, least_min
        Two cleanings of a crew lie farther apart than this speed, straight, allows after so many minutes.
    several_trucks
        Share of a crew's pairs that are too fast from which it must have several trucks: speed says nothing.
    low_debris
        Found clogged, and less debris than this share of the median of basins found clogged.
    reopened_days, within_m
        A 311 report so soon after the cleaning, nearer to this basin than to any other, and so near.
    audit_days
        An audit so soon after the cleaning speaks of it; later the basin may have filled again.
    """

    away_m: float = 200.0
    fastest_kph: float = 60.0
    least_min: float = 5.0
    several_trucks: float = 0.1
    low_debris: float = 0.05
    reopened_days: float = 30.0
    within_m: float = 40.0
    audit_days: float = 30.0


@dataclass(frozen=True)
class FalseShare:
    """Share of cleanings among ``of`` that an audit finds false, from a random sample.

    A basin found clogged soon after may have been left as it was, have filled again, or be misjudged: the
    share is of what auditors find, not of lies.

    Attributes
    ----------
    false, audited, of
        Found clogged, audited, and cleanings the sample was drawn from.
    mean, low, high
        Share in the sample, and its exact interval.
    """

    false: int
    audited: int
    of: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ContractorCheck:
    """What is to be questioned.

    Attributes
    ----------
    listed
        ``cleaning_id, basin_id, crew, cleaned_at, strong`` (a reason that needs an answer; otherwise only a
        hint), ``reasons`` (words), and for each of ``REASONS`` a column of true and false; strong and most
        reasons first.
    crews
        By crew: ``crew, cleanings, listed, audited, false, mean, low, high``.
    audit
        Over all crews; holds if the audited were drawn at random.
    notes
        What could not be checked, and how often.
    """

    listed: pd.DataFrame
    crews: pd.DataFrame
    audit: FalseShare
    notes: tuple[str, ...]


REASONS = ("audit", "away", "speed", "not ordered", "reopened", "low debris")
STRONG = ("audit", "away", "speed")


def audit_sample(cleaning_ids: Sequence[str], n: int, *, seed: int) -> list[str]:
    """Draw cleanings to look at again, each with the same chance; the same seed draws the same.

    Raises
    ------
    InvalidInputError
        If there are not so many, or an id stands twice.
    """
    faults = Faults()
    faults.check(len(set(cleaning_ids)) == len(cleaning_ids), "a cleaning stands twice; give each once")
    faults.check(
        1 <= n <= len(cleaning_ids),
        f"audit 1 to {len(cleaning_ids)} of {len(cleaning_ids)} cleanings, not {n}",
    )
    faults.raise_as(InvalidInputError, "No audit can be drawn")
    drawn = np.random.default_rng(seed).choice(len(cleaning_ids), size=n, replace=False)
    return [cleaning_ids[at] for at in np.sort(drawn).tolist()]


def false_share(false: int, audited: int, of: int, *, level: float = 0.9) -> FalseShare:
    """Share of false cleanings, with the exact interval of a sample drawn without putting back.

    Both tails of the hypergeometric distribution are inverted (Clopper and Pearson 1934, *Biometrika* 26,
    for a finite number): any number of false ones is kept under which so few, or so many, are found with a
    chance above ``(1 - level) / 2``. It covers at least ``level``.

    Returns
    -------
    FalseShare
        0 to 1 where nothing was audited.

    Raises
    ------
    InvalidInputError
        If the numbers do not fit together.
    """
    faults = Faults()
    faults.check(
        0 <= false <= audited <= of, f"{false} false of {audited} audited of {of} do not fit together"
    )
    faults.check(0 < level < 1, "level must lie between 0 and 1")
    faults.raise_as(InvalidInputError, "The false share cannot be told")
    if not audited:
        return FalseShare(0, 0, of, np.nan, 0.0, 1.0)
    tail = (1 - level) / 2
    possible = range(false, of - (audited - false) + 1)
    # The more are false, the likelier so many are found and the less likely so few.
    least = bisect_left(possible, 1, key=lambda k: int(hypergeom.sf(false - 1, of, k, audited) > tail))
    beyond = bisect_left(possible, 1, key=lambda k: int(hypergeom.cdf(false, of, k, audited) <= tail))
    low, high = possible[least] / of, possible[beyond - 1] / of
    return FalseShare(false, audited, of, false / audited, low, high)


def check_contractor(
    cleanings: pd.DataFrame,
    basins: pd.DataFrame,
    requests: pd.DataFrame | None = None,
    *,
    epsg: int,
    types: Sequence[str] = (),
    orders: pd.DataFrame | None = None,
    rules: Rules | None = None,
) -> ContractorCheck:
    """List the cleanings to question.

    Parameters
    ----------
    cleanings, basins, requests
        The tables ``cleanings`` (or `models.returned_work.as_cleanings`), ``basins``, ``service_requests``.
    epsg
        Metres to measure in.
    types
        Values of ``request_type`` that count.
    orders
        ``basin_id`` of all basins that were ordered in this time; what is not on it is a hint.
    """
    rule = Rules() if rules is None else rules
    row = pd.Index(basins["basin_id"]).get_indexer(pd.Index(cleanings["basin_id"]))
    work = cleanings[row >= 0].reset_index(drop=True)
    row = row[row >= 0]
    place = _metres(basins, epsg)[row]
    off = np.hypot(*(_metres(work, epsg) - place).T)
    at_s = _seconds(work["cleaned_at"])
    found = work["found"].fillna("").to_numpy(dtype=object)
    cleaned = ~np.isin(found, HIDDEN)
    told, false = _audited(work, at_s, rule)
    debris = work["debris_kg"].to_numpy(np.float64, na_value=np.nan)
    clogged = (found == "clogged") & np.isfinite(debris)
    usual = float(np.median(debris[clogged])) if clogged.any() else np.nan
    too_fast, notes = _too_fast(work, place, at_s, rule)
    ordered = np.ones(len(work), np.bool_) if orders is None else work["basin_id"].isin(orders["basin_id"])
    hits = pd.DataFrame(
        {
            "audit": false,
            "away": off > rule.away_m,
            "speed": too_fast,
            "not ordered": ~np.asarray(ordered, np.bool_),
            "reopened": cleaned & _reopened(row, at_s, basins, requests, types=types, epsg=epsg, rule=rule),
            "low debris": clogged & (debris < rule.low_debris * usual),
        }
    )
    words = {
        "audit": "an audit soon after found it clogged",
        "away": [f"the truck stood {feet:,.0f} ft from the basin" for feet in (off / M_PER_FT).tolist()],
        "speed": "too soon after the one before for the way between",
        "not ordered": "no work order names this basin",
        "reopened": f"a 311 report at this basin within {rule.reopened_days:.0f} days",
        "low debris": f"found clogged, but hardly any debris; {usual / KG_PER_LB:.0f} lb are usual",
    }
    said = pd.DataFrame(words, index=hits.index).where(hits, "")
    chosen = np.flatnonzero(hits.any(axis=1))
    listed = work.loc[chosen, ["cleaning_id", "basin_id", "crew", "cleaned_at"]].assign(
        strong=hits.loc[chosen, list(STRONG)].any(axis=1),
        reasons=["; ".join(filter(None, row)) for row in said.loc[chosen].itertuples(index=False)],
    )
    listed = pd.concat([listed, hits.loc[chosen]], axis=1)
    rank = np.lexsort((-hits.loc[chosen].sum(axis=1), ~listed["strong"]))
    unknown = len(cleanings) - len(work)
    notes = (
        *(
            (f"{unknown} cleanings name a basin that is not in the table: question them all",)
            if unknown
            else ()
        ),
        *((f"{int(np.isnan(off).sum())} have no place of the truck",) if np.isnan(off).any() else ()),
        *(("there are no 311 requests: reopened ones are not known",) if requests is None else ()),
        *notes,
    )
    shares = _by_crew(work, hits.any(axis=1).to_numpy(), told, false)
    audit = false_share(int(false.sum()), int(told.sum()), int(cleaned.sum()))
    return ContractorCheck(listed.iloc[rank].reset_index(drop=True), shares, audit, notes)


def _metres(frame: pd.DataFrame, epsg: int) -> FloatArray:
    """(n, 2) metres; NaN where a place is missing."""
    lon, lat = (frame[name].to_numpy(np.float64, na_value=np.nan) for name in ("lon", "lat"))
    xy = np.full((len(frame), 2), np.nan)
    known = np.isfinite(lon) & np.isfinite(lat)
    xy[known] = np.column_stack(crs.to_metres(lon[known], lat[known], epsg))
    return xy


def _seconds(times: pd.Series) -> FloatArray:
    """Seconds since 1970; NaN where there is none."""
    first = pd.Timestamp(0, tz="UTC")
    since = ((times - first) / pd.Timedelta(seconds=1)).to_numpy(np.float64, na_value=np.nan)
    return np.asarray(since, np.float64)


def _audited(work: pd.DataFrame, at_s: FloatArray, rule: Rules) -> tuple[BoolArray, BoolArray]:
    """Which cleanings an audit saw soon enough to speak of, and which of them it found clogged."""
    days = (_seconds(work["audited_at"]) - at_s) / DAY_S
    said = work["audit_found"].fillna("").to_numpy(dtype=object)
    cleaned = ~np.isin(work["found"].fillna("").to_numpy(dtype=object), HIDDEN)
    told = cleaned & (days >= 0) & (days <= rule.audit_days) & (said != "") & ~np.isin(said, HIDDEN)
    return told, told & (said == "clogged")


def _too_fast(
    work: pd.DataFrame, place: FloatArray, at_s: FloatArray, rule: Rules
) -> tuple[BoolArray, tuple[str, ...]]:
    """Which cleanings follow their crew's one before too soon; crews with several trucks are left out."""
    crew = pd.factorize(work["crew"])[0]
    # A time of midnight is a date without a time.
    clock = (work["cleaned_at"].dt.hour * 60 + work["cleaned_at"].dt.minute).to_numpy(np.float64)
    usable = np.flatnonzero((crew >= 0) & np.isfinite(at_s) & (clock > 0))
    order = usable[np.lexsort((at_s[usable], crew[usable]))]
    before, after = order[:-1], order[1:]
    same = crew[before] == crew[after]
    before, after = before[same], after[same]
    way_s = np.hypot(*(place[after] - place[before]).T) / (rule.fastest_kph / 3.6)
    fast = at_s[after] - at_s[before] < way_s + 60 * rule.least_min
    out = np.zeros(len(work), np.bool_)
    out[after[fast]] = True
    notes = []
    for number in np.unique(crew[after]):
        own = crew[after] == number
        if fast[own].mean() > rule.several_trucks:
            out[after[own]] = False
            name = work["crew"].iloc[int(after[own][0])]
            notes.append(f"{name} works with several trucks under one name: speed says nothing of it")
    return out, tuple(notes)


def _reopened(
    row: npt.NDArray[np.int64],
    at_s: FloatArray,
    basins: pd.DataFrame,
    requests: pd.DataFrame | None,
    *,
    types: Sequence[str],
    epsg: int,
    rule: Rules,
) -> BoolArray:
    """Which cleanings a report of their own basin follows soon."""
    out = np.zeros(len(row), np.bool_)
    if requests is None:
        return out
    place, opened = _metres(requests, epsg), _seconds(requests["opened_at"])
    told = requests["request_type"].isin(list(types)).to_numpy() & np.isfinite(place[:, 0] + opened)
    metres, nearest = cKDTree(_metres(basins, epsg)).query(place[told])
    near = np.asarray(metres) <= rule.within_m
    basin, opened = np.asarray(nearest)[near], opened[told][near]
    order = np.lexsort((opened, basin))
    basin, opened = basin[order], opened[order]
    start, stop = np.searchsorted(basin, row), np.searchsorted(basin, row, side="right")
    for number in np.flatnonzero(stop > start):
        days = (opened[start[number] : stop[number]] - at_s[number]) / DAY_S
        out[number] = bool(((days > 0) & (days <= rule.reopened_days)).any())
    return out


def _by_crew(work: pd.DataFrame, listed: BoolArray, told: BoolArray, false: BoolArray) -> pd.DataFrame:
    rows = []
    crew = work["crew"].fillna("not told")
    cleaned = ~work["found"].fillna("").isin(HIDDEN).to_numpy()
    for name in sorted(crew.unique()):
        own = (crew == name).to_numpy()
        share = false_share(int(false[own].sum()), int(told[own].sum()), int((own & cleaned).sum()))
        rows.append(
            {
                "crew": name,
                "cleanings": int(own.sum()),
                "listed": int(listed[own].sum()),
                "audited": share.audited,
                "false": share.false,
                "mean": share.mean,
                "low": share.low,
                "high": share.high,
            }
        )
    return pd.DataFrame(rows)
