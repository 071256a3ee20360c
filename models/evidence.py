"""What the records can say about one door: its incidents, who else they may belong to, and what is not known.

Nothing here names anybody: `may_name` says whether the data can carry a name at all, and the packet
(`models.evidence_packet`) refuses to be made where they cannot.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta

from errors import Faults, InvalidInputError
from models.attribution import Shares, premises
from models.incidents import ALL_CALLS, HEADLINE, is_code

BoolArray = npt.NDArray[np.bool_]

SHOWN_LANES = (HEADLINE, ALL_CALLS)
NEEDED_FIELDS = {
    "opened_at": "when it was opened",
    "type_code": "of which type it is",
    "disposition": "how it ended",
    "self_initiated": "whether an officer opened it",
}
LISTED_SHARE = 0.05
"""Incidents of which less falls to the outlet are told as one sum and counted in no argument."""
KNOWN_SHARE = 0.9
"""Each needed field must be known in this share of the records before a name may be said."""
LEAST_DAYS = 350
"""Less than about a year is one season, and a season is not an outlet's doing."""
DECISION_COLUMNS = ("call_id", "reason", "analyst", "decided_on")
LONGEST_REASON = 300
FORMULA_SIGNS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Decision:
    """An analyst's word that an incident is not to be attributed to the outlet, and why."""

    call_id: str
    reason: str
    analyst: str
    decided_on: date


@dataclass(frozen=True)
class Naming:
    """Whether outlets may be named with these data, and every reason why not."""

    allowed: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PanelLine:
    """One line of the reporting panel.

    Attributes
    ----------
    label
        What is asked.
    count, of
        Incidents for which the answer is yes, of those for which it is known.
    low, high
        Exact 95% interval (Clopper and Pearson 1934) of the share; NaN where nothing is known.
    city
        Share among all incidents that are looked at; NaN where not known.
    words
        What it means for the count.
    """

    label: str
    count: int
    of: int
    low: float
    high: float
    city: float
    words: str

    @property
    def share(self) -> float:
        """Share of the known; NaN where nothing is known."""
        return self.count / self.of if self.of else float("nan")


def door_records(frame: pd.DataFrame, shares: Shares, door: int) -> pd.DataFrame:
    """List the incidents of which a share falls to one door, the latest first.

    Parameters
    ----------
    frame
        Incidents with their lanes (`models.incidents.clean_incidents`), the same rows in the same order as
        the shares were made from. Only the lanes headline and all calls are listed: records of withheld
        types, set aside or dropped never are, whatever their share.
    shares
        From `models.attribution.share`.
    door
        Index of the door.

    Returns
    -------
    pandas.DataFrame
        ``call_id, opened_at, closed_at, type_code, type_text, disposition, self_initiated, lane, reason,
        location_precision`` as in the frame (missing columns empty), and ``metres`` (walk to the door),
        ``premises`` (on premises, nearby, not known), ``share`` (of the incident, to this door), ``next``
        (the largest share of another door), ``others`` (all other doors) and ``street``.

    Raises
    ------
    InvalidInputError
        When frame and shares differ in number, or there is no such door.
    """
    faults = Faults()
    same = len(frame) == len(shares.place_of_incident)
    faults.check(same, "the incidents are not those that were shared out")
    faults.check(0 <= door < shares.n_doors, "there is no such door")
    faults.raise_as(InvalidInputError, "The records of the door cannot be listed")
    own = shares.weights[:, [door]].toarray().ravel()
    place = shares.place_of_incident
    chosen = np.flatnonzero((own[place] > 0) & frame["lane"].isin(SHOWN_LANES).to_numpy())
    at = place[chosen]
    near, back = np.unique(at, return_inverse=True)
    rows = shares.weights[near].toarray()
    street = rows[:, -1]
    others = rows[:, :-1].copy()
    others[:, door] = 0.0
    metres = shares.near.metres[near][:, [door]].toarray().ravel()[back]
    columns = {
        name: frame[name].iloc[chosen].to_numpy()
        if name in frame
        else np.full(len(chosen), None, dtype=object)
        for name in (
            "call_id",
            "type_code",
            "type_text",
            "disposition",
            "lane",
            "reason",
            "location_precision",
        )
    }
    times = {
        name: _column_times(frame, name).iloc[chosen].reset_index(drop=True)
        for name in ("opened_at", "closed_at")
    }
    listed = pd.DataFrame(columns).assign(**times)
    initiated = frame["self_initiated"] if "self_initiated" in frame else pd.Series(pd.NA, index=frame.index)
    listed["self_initiated"] = initiated.astype("boolean").iloc[chosen].reset_index(drop=True)
    listed["metres"] = metres
    listed["premises"] = premises(listed["location_precision"], metres)
    listed["share"] = own[at]
    listed["next"] = others.max(axis=1, initial=0.0)[back]
    listed["others"] = others.sum(axis=1)[back]
    listed["street"] = street[back]
    return listed.sort_values(
        ["opened_at", "call_id"], ascending=[False, True], na_position="last", ignore_index=True
    )


def apply_decisions(records: pd.DataFrame, decisions: Sequence[Decision]) -> pd.DataFrame:
    """Add ``attributable`` and ``why_not`` to the records; nothing is removed.

    Raises
    ------
    InvalidInputError
        With every decision on an item that is not among the records.
    """
    faults = Faults()
    known = set(records["call_id"])
    faults.extend(
        f"item {decision.call_id} is not among this outlet's records"
        for decision in decisions
        if decision.call_id not in known
    )
    faults.raise_as(InvalidInputError, "The decisions do not fit these records")
    why = {
        decision.call_id: f"{decision.reason} ({decision.analyst}, {decision.decided_on})"
        for decision in decisions
    }
    told = [why.get(item, "") for item in records["call_id"]]
    return records.assign(
        attributable=np.array([not words for words in told], dtype=bool),
        why_not=pd.array(told, dtype="str"),
    )


def read_decisions(text: str) -> tuple[Decision, ...]:
    """Read an analyst's decisions from CSV with the columns ``call_id, reason, analyst, decided_on``.

    Raises
    ------
    InvalidInputError
        With every fault, by line.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    faults, found = Faults(), []
    missing = [name for name in DECISION_COLUMNS if name not in (rows.fieldnames or ())]
    faults.check(not missing, f"the first line must name the columns {', '.join(DECISION_COLUMNS)}")
    seen: set[str] = set()
    for line, row in enumerate(rows if not missing else (), start=2):
        item, reason, analyst, day = ((row[name] or "").strip() for name in DECISION_COLUMNS)
        faults.check(item, f"line {line}: no item number")
        faults.check(item not in seen, f"line {line}: item {item} was decided before")
        faults.check(reason, f"line {line}: no reason; an incident is not left out without one")
        faults.check(
            len(reason) <= LONGEST_REASON, f"line {line}: the reason is over {LONGEST_REASON} letters"
        )
        faults.check(analyst, f"line {line}: no analyst")
        formula = any(value.startswith(FORMULA_SIGNS) for value in (item, reason, analyst))
        faults.check(
            not formula, f"line {line}: begins with a sign that a spreadsheet would run as a formula"
        )
        seen.add(item)
        try:
            found.append(Decision(item, reason, analyst, date.fromisoformat(day)))
        except ValueError:
            faults.add(f'line {line}: "{day}" is not a day; write 2025-03-31')
    faults.raise_as(InvalidInputError, "The decisions cannot be read")
    return tuple(found)


def write_decisions(decisions: Sequence[Decision]) -> str:
    """Write decisions as the CSV that `read_decisions` takes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(DECISION_COLUMNS)
    writer.writerows((d.call_id, d.reason, d.analyst, d.decided_on.isoformat()) for d in decisions)
    return out.getvalue()


def may_name(
    calls: pd.DataFrame,
    outlets: pd.DataFrame,
    *,
    incident_years: Sequence[int],
    licence_years: Sequence[int],
) -> Naming:
    """Say whether the data can carry an outlet's name.

    Parameters
    ----------
    calls
        Police records as the city gives them; their columns and how often they are filled decide.
    outlets
        Licences; ``name`` and ``category`` are needed.
    incident_years, licence_years
        Years that the two tables are of, as the city's profile states them; empty where it does not.
    """
    reasons: list[str] = []
    if not incident_years or not licence_years:
        reasons.append("the tables do not say of which years they are")
    elif not set(incident_years) <= set(licence_years):
        reasons.append(
            f"incidents are of {_years(incident_years)}, licences of {_years(licence_years)}: a door "
            "may have had another owner"
        )
    if not len(calls):
        reasons.append("there are no incidents")
    else:
        known = {words: float(_known(calls, name).mean()) for name, words in NEEDED_FIELDS.items()}
        never = [words for words, share in known.items() if share == 0]
        if never:
            reasons.append(f"no record says {', '.join(never)}")
        for words, share in known.items():
            if 0 < share < KNOWN_SHARE:
                reasons.append(f"{_share_words(share)} incidents say {words}")
        exact = calls["location_precision"].eq("exact").any() if "location_precision" in calls else False
        if not exact:
            reasons.append("no incident is placed more exactly than its block")
        days = _column_times(calls, "opened_at").dropna()
        if len(days) and (days.max() - days.min()).days < LEAST_DAYS:
            reasons.append("the incidents cover less than a year")
    if not len(outlets) or not _known(outlets, "name").any():
        reasons.append("the licences bear no names")
    return Naming(not reasons, tuple(reasons))


def reporting_panel(
    records: pd.DataFrame, written_report: Sequence[str], city: pd.DataFrame | None = None
) -> tuple[PanelLine, ...]:
    """Ask how the incidents came into the records, of this door and of all that are looked at.

    Parameters
    ----------
    records
        From `door_records`; those of which less than ``LISTED_SHARE`` falls to the door are left out.
    written_report
        Dispositions that mean a written report (`models.incidents.IncidentRules`).
    city
        All incidents with lanes, for comparison.
    """
    looked_at = None if city is None else city[city["lane"].isin(SHOWN_LANES)]
    records = records[records["share"] >= LISTED_SHARE]
    lines = []
    for label, asked, words in (
        (
            "Opened by an officer",
            _initiated,
            "Where police look more, they find more. These count in no ranking.",
        ),
        (
            "With a written report",
            lambda frame: _reported(frame, written_report),
            "A report is made where an officer found ground for one. Only these are ranked.",
        ),
    ):
        yes, known = asked(records)
        city_yes, city_known = (yes[:0], known[:0]) if looked_at is None else asked(looked_at)
        count, of = int(yes[known].sum()), int(known.sum())
        low, high = _interval(count, of)
        share = float(city_yes[city_known].mean()) if city_known.any() else float("nan")
        lines.append(PanelLine(label, count, of, low, high, share, words))
    nan = float("nan")
    lines.append(
        PanelLine(
            "Called in by the outlet itself",
            0,
            0,
            nan,
            nan,
            nan,
            "Not known: the records do not say who called. A bar that calls for help may look worse "
            "than one that does not; the count of all calls stands beside the ranked one for that "
            "reason.",
        )
    )
    return tuple(lines)


def field_words(calls: pd.DataFrame) -> tuple[str, ...]:
    """Give one sentence a needed field: how often it is known."""
    return tuple(
        f"{_share_words(float(_known(calls, name).mean())).capitalize()} incidents say {words}."
        for name, words in NEEDED_FIELDS.items()
    )


def _initiated(frame: pd.DataFrame) -> tuple[BoolArray, BoolArray]:
    flag = frame["self_initiated"].astype("boolean") if "self_initiated" in frame else None
    if flag is None:
        return np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    return flag.to_numpy(dtype=bool, na_value=False), flag.notna().to_numpy()


def _reported(frame: pd.DataFrame, codes: Sequence[str]) -> tuple[BoolArray, BoolArray]:
    if "disposition" not in frame or not codes:
        return np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    known = frame["disposition"].notna()
    text = frame["disposition"].astype(object).where(known, "").astype(str).str.strip().str.upper()
    return is_code(text.to_numpy(dtype=object), codes), known.to_numpy()


def _interval(count: int, of: int) -> tuple[float, float]:
    if of == 0:
        return float("nan"), float("nan")
    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return low, high


def _known(frame: pd.DataFrame, name: str) -> BoolArray:
    return frame[name].notna().to_numpy() if name in frame else np.zeros(len(frame), dtype=bool)


def _column_times(frame: pd.DataFrame, name: str) -> "pd.Series[pd.Timestamp]":
    if name not in frame:
        return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
    return pd.to_datetime(frame[name], utc=True)


def _share_words(share: float) -> str:
    if share == 0:
        return "no"
    return "all" if share == 1 else f"{min(max(share, 0.01), 0.99):.0%} of"


def _years(years: Sequence[int]) -> str:
    return ", ".join(str(year) for year in sorted(set(years)))
