"""Which police records may count against an outlet: every record goes to a lane, with the reason.

Lanes, and what they are for:

- ``headline``: not opened by an officer, and a written report was made: what is ranked;
- ``all calls only``: counted beside it, so that a bar which calls for help is not punished for it;
- ``set aside``: booked at a police station, court, jail or hospital, or in a stack found in the records;
- ``not rankable``: no place, or of a type whose place the police withhold;
- ``dropped``: void, test, duplicate, or not a police record.

A record gets the first reason that holds, in the order of :func:`clean_incidents`. Nothing is lost: the lanes
add up to the records given. Where no record carries a field, the rules that need it are off, and
``unchecked`` says so.

Stacks in the records (:func:`find_stacks`). Police book many incidents at one point that they know, and not
where they happened. A point is a stack when it holds at least ``STACK_SHARE`` of all records, at least
``STACK_LEAST`` of them, and ``STACK_TIMES`` as many as the third fullest of the other points within
``AROUND_M``: the third, so that a court and a jail beside a station do not hide it. Found stacks no longer
count as neighbors of others, and the search is run again until it finds none. A found stack at an outlet's
door may be the outlet's own: it is set aside only where it holds ``DOOR_TIMES`` as many records as the third
fullest of the other points at outlets' doors.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from errors import Faults, InvalidInputError
from geo import crs

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

HEADLINE, ALL_CALLS, SET_ASIDE, NOT_RANKABLE, DROPPED = LANES = (
    "headline",
    "all calls only",
    "set aside",
    "not rankable",
    "dropped",
)

BOOKING_M = 30.0
"""Records this near to a known booking place are set aside."""
STACK_SHARE = 0.002
STACK_LEAST = 30
STACK_TIMES = 5.0
STACK_RANK = 3
AROUND_M = 300.0
DOOR_M = 20.0
"""A point this near to an outlet is at its door."""
DOOR_TIMES = 3.0
DOOR_RANK = 3

FOUND = "found in the records"


@dataclass(frozen=True, kw_only=True)
class IncidentRules:
    """What a city's police codes mean. A code with a star stands for all codes that begin so.

    Attributes
    ----------
    agencies
        Agencies whose records are looked at.
    void, duplicate, test, unfounded
        Dispositions (or, for the first three, types) of records that are void, repeat another, are tests, or
        were found to be without ground.
    written_report
        Dispositions that mean a written report was made.
    withheld_types
        Types whose place the police withhold.
    control_types
        Types that outlets should have no part in.
    outcome_types
        Types of the main outcome: pairs of words and codes.
    """

    agencies: tuple[str, ...] = ("Police",)
    void: tuple[str, ...] = ()
    duplicate: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    unfounded: tuple[str, ...] = ()
    written_report: tuple[str, ...] = ()
    withheld_types: tuple[str, ...] = ()
    control_types: tuple[str, ...] = ()
    outcome_types: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, eq=False)
class Incidents:
    """Records with their lanes.

    Attributes
    ----------
    frame
        The records as given, with ``lane``, ``reason``, ``control`` (bool: of a type that outlets have no
        part in) and ``outcome`` (words of the main outcome, empty for other types).
    account
        ``lane``, ``reason``, ``records``: how many went where, in the order of the lanes.
    stacks
        ``name``, ``kind``, ``lon``, ``lat``, ``records``, ``set_aside`` (bool), ``words``: known booking
        places that hold records, then the points found, the fullest first.
    unchecked
        Sentences on what these records could not be checked for.
    """

    frame: pd.DataFrame
    account: pd.DataFrame
    stacks: pd.DataFrame
    unchecked: tuple[str, ...]

    @property
    def by_lane(self) -> "pd.Series[int]":
        """Records in each lane, all five of them."""
        counts = self.account.groupby("lane")["records"].sum()
        return counts.reindex(list(LANES), fill_value=0)

    def in_lane(self, *lanes: str) -> BoolArray:
        """(n,) True for the records in one of the lanes."""
        return self.frame["lane"].isin(lanes).to_numpy(dtype=np.bool_)


def clean_incidents(
    calls: pd.DataFrame,
    rules: IncidentRules,
    booking_places: pd.DataFrame,
    *,
    epsg: int,
    outlets: pd.DataFrame | None = None,
) -> Incidents:
    """Give each record its lane and the reason.

    Parameters
    ----------
    calls
        Rows of the table ``calls``: ``call_id``, ``agency``, ``lon``, ``lat`` are needed; any other column
        may be missing or empty.
    rules
        What the codes mean.
    booking_places
        ``name``, ``kind``, ``lon``, ``lat`` of police stations, courts, jails and hospitals.
    epsg
        Projected system to measure in.
    outlets
        ``lon``, ``lat`` of outlets: a stack found at a door may be the outlet's own.

    Raises
    ------
    InvalidInputError
        With every column that is missing.
    """
    faults = Faults()
    for words, frame, needed in (
        ("calls", calls, ("call_id", "agency", "lon", "lat")),
        ("booking places", booking_places, ("name", "kind", "lon", "lat")),
    ):
        missing = [column for column in needed if column not in frame]
        faults.check(not missing, f"the {words} lack the column(s) {', '.join(missing)}")
    faults.raise_as(InvalidInputError, "The incidents cannot be cleaned")

    kind, disposition = _codes(calls, "type_code"), _codes(calls, "disposition")
    lanes = _Lanes(len(calls))
    lanes.give(~calls["agency"].isin(rules.agencies).to_numpy(), DROPPED, "of another agency")
    for codes, reason in (
        (rules.void, "void"),
        (rules.test, "a test"),
        (rules.duplicate, "marked as a duplicate"),
    ):
        lanes.give(is_code(disposition, codes) | is_code(kind, codes), DROPPED, reason)
    report = is_code(disposition, rules.written_report)
    _drop_repeats(lanes, calls, kind, report)
    lanes.give(is_code(kind, rules.withheld_types), NOT_RANKABLE, "of a type whose place the police withhold")
    lon, lat = (calls[column].to_numpy(dtype=float, na_value=np.nan) for column in ("lon", "lat"))
    lanes.give(~(np.isfinite(lon) & np.isfinite(lat)), NOT_RANKABLE, "no place is given")
    stacks = _set_stacks_aside(lanes, (lon, lat), booking_places, outlets, epsg)
    initiated = _flags(calls, "self_initiated")
    if initiated.notna().any():
        by_officer = initiated.to_numpy(dtype=bool, na_value=False)
        lanes.give(by_officer, ALL_CALLS, "opened by an officer")
        lanes.give(initiated.isna().to_numpy(), ALL_CALLS, "not said whether an officer opened it")
    if rules.written_report and (disposition != "").any():
        lanes.give(is_code(disposition, rules.unfounded), ALL_CALLS, "unfounded")
        lanes.give(disposition == "", ALL_CALLS, "not said how it ended")
        lanes.give(~report, ALL_CALLS, "no written report")
    lanes.give(np.ones(len(calls), dtype=bool), HEADLINE, "counts")

    outcome = np.full(len(calls), "", dtype=object)
    for words, codes in reversed(rules.outcome_types):
        outcome[is_code(kind, codes)] = words
    frame = calls.assign(
        lane=lanes.lane, reason=lanes.reason, control=is_code(kind, rules.control_types), outcome=outcome
    )
    return Incidents(frame, _account(frame), stacks, _unchecked(calls, rules))


def find_stacks(
    lon: npt.ArrayLike, lat: npt.ArrayLike, *, epsg: int, least: float | None = None
) -> pd.DataFrame:
    """Find points that hold far more records than the points around them: see the module's text for the rule.

    Parameters
    ----------
    lon, lat
        (n,) degrees, each record once.
    epsg
        Projected system to measure in.
    least
        Records that a stack holds at least; ``STACK_SHARE`` of those given when not stated.

    Returns
    -------
    DataFrame
        ``lon``, ``lat``, ``records``, ``times`` (as many as the third fullest of the other points around;
        infinite where there are fewer), the fullest first.
    """
    points = _points(lon, lat)
    count = points["records"].to_numpy(dtype=float)
    least = STACK_SHARE * count.sum() if least is None else least
    full = np.flatnonzero(count >= max(STACK_LEAST, least))
    xy = np.column_stack(crs.to_metres(points["lon"], points["lat"], epsg))
    tree = cKDTree(xy)
    around = [np.array(tree.query_ball_point(xy[point], AROUND_M), dtype=np.int64) for point in full]
    times = np.full(len(points), np.nan)
    while True:
        new = []
        for point, others in zip(full, around, strict=True):
            rest = others[(others != point) & np.isnan(times[others])]
            usual = np.sort(count[rest])[-STACK_RANK] if len(rest) >= STACK_RANK else 0
            ratio = count[point] / usual if usual else np.inf
            if np.isnan(times[point]) and ratio >= STACK_TIMES:
                new.append((point, ratio))
        if not new:
            break
        for point, ratio in new:
            times[point] = ratio
    found: pd.DataFrame = points.assign(times=times)[~np.isnan(times)]
    return found.sort_values(["records", "lon", "lat"], ascending=[False, True, True], ignore_index=True)


def is_code(codes: npt.NDArray[np.object_], wanted: Sequence[str]) -> BoolArray:
    """(n,) True where a code is one of those wanted; ``20*`` stands for all that begin with 20."""
    exact = {code.upper() for code in wanted if not code.endswith("*")}
    starts = tuple(code[:-1].upper() for code in wanted if code.endswith("*"))
    index, names = pd.factorize(codes)
    known = [bool(code) and (code in exact or code.startswith(starts)) for code in names]
    return np.array(known, dtype=np.bool_)[index]


class _Lanes:
    """Lane and reason of each record while they are given: the first reason stays."""

    def __init__(self, n: int) -> None:
        self.lane = np.full(n, "", dtype=object)
        self.reason = np.full(n, "", dtype=object)

    @property
    def open(self) -> BoolArray:
        return np.asarray(self.lane == "", dtype=np.bool_)

    def give(self, where: BoolArray, lane: str, reason: str) -> None:
        where = where & self.open
        self.lane[where], self.reason[where] = lane, reason


def _codes(frame: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    """(n,) codes in capitals, empty where there is none."""
    if column not in frame:
        return np.full(len(frame), "", dtype=object)
    text = frame[column].astype(object).where(frame[column].notna(), "")
    return text.astype(str).str.strip().str.upper().to_numpy(dtype=object)


def _flags(frame: pd.DataFrame, column: str) -> "pd.Series[bool]":
    if column not in frame:
        return pd.Series(pd.NA, index=frame.index, dtype="boolean")
    return frame[column].astype("boolean")


def _times(frame: pd.DataFrame, column: str) -> "pd.Series[pd.Timestamp]":
    if column not in frame:
        return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
    return pd.to_datetime(frame[column], utc=True)


def _drop_repeats(
    lanes: _Lanes, calls: pd.DataFrame, kind: npt.NDArray[np.object_], report: BoolArray
) -> None:
    """Keep one record of each item number, and of each place, type and minute: one with a report first."""
    opened = _times(calls, "opened_at")
    table = pd.DataFrame(
        {
            "row": np.arange(len(calls)),
            "none": ~report,
            "opened": opened.to_numpy(dtype="datetime64[us]"),
            "item": calls["call_id"]
            .astype(object)
            .where(calls["call_id"].notna(), "")
            .astype(str)
            .to_numpy(),
            "lon": calls["lon"].to_numpy(dtype=float, na_value=np.nan),
            "lat": calls["lat"].to_numpy(dtype=float, na_value=np.nan),
            "kind": kind,
            "minute": opened.dt.floor("min").to_numpy(dtype="datetime64[us]"),
        }
    ).sort_values(["none", "opened", "item"], kind="stable")
    for columns, reason, told in (
        (["item"], "the item number was there before", table["item"] != ""),
        (
            ["lon", "lat", "kind", "minute"],
            "same place, type and minute as another",
            table["minute"].notna() & (table["kind"] != "") & table["lon"].notna() & table["lat"].notna(),
        ),
    ):
        still = table[told & lanes.open[table["row"]]]
        repeated = np.zeros(len(calls), dtype=np.bool_)
        repeated[still.loc[still.duplicated(columns), "row"]] = True
        lanes.give(repeated, DROPPED, reason)


def _set_stacks_aside(
    lanes: _Lanes,
    places: tuple[FloatArray, FloatArray],
    booking_places: pd.DataFrame,
    outlets: pd.DataFrame | None,
    epsg: int,
) -> pd.DataFrame:
    """Set aside what stands at known booking places, then what the records themselves show to be stacks."""
    lon, lat = places
    rows = np.flatnonzero(lanes.open)
    least = STACK_SHARE * len(rows)
    stacks: list[dict[Hashable, object]] = []
    known = booking_places.dropna(subset=["lon", "lat"])
    if len(known):
        tree = cKDTree(np.column_stack(crs.to_metres(known["lon"], known["lat"], epsg)))
        away, nearest = tree.query(np.column_stack(crs.to_metres(lon[rows], lat[rows], epsg)))
        for number, place in enumerate(known[["name", "kind", "lon", "lat"]].to_dict("records")):
            booked = np.zeros(len(lon), dtype=np.bool_)
            booked[rows[(nearest == number) & (away <= BOOKING_M)]] = True
            words = f"within {BOOKING_M:.0f} m of {place['name']}, where incidents are booked"
            lanes.give(booked, SET_ASIDE, words)
            if booked.any():
                stacks.append({**place, "records": int(booked.sum()), "set_aside": True, "words": words})
    rows = np.flatnonzero(lanes.open)
    found = find_stacks(lon[rows], lat[rows], epsg=epsg, least=least)
    at_door, own = _at_doors(found, _points(lon[rows], lat[rows]), outlets, epsg)
    for place, beside, stays in zip(found.to_dict("records"), at_door, own, strict=True):
        words = f"one point holds {place['records']} records"
        if np.isfinite(place["times"]):
            words += f", {place['times']:.0f} times as many as the third fullest point around"
        if beside:
            words += (
                "; an outlet stands there, and it stays in as it may be the outlet's own"
                if stays
                else "; an outlet stands there, but no other outlet has a point nearly as full"
            )
        if not stays:
            lanes.give((lon == place["lon"]) & (lat == place["lat"]), SET_ASIDE, words)
        told: dict[Hashable, object] = {
            "name": FOUND,
            "kind": "stack",
            "set_aside": not stays,
            "words": words,
        }
        stacks.append({**place, **told})
    columns = ["name", "kind", "lon", "lat", "records", "set_aside", "words"]
    return pd.DataFrame(stacks, columns=columns)


def _at_doors(
    found: pd.DataFrame, points: pd.DataFrame, outlets: pd.DataFrame | None, epsg: int
) -> tuple[BoolArray, BoolArray]:
    """Find which of the stacks are at an outlet's door, and which of those may be the outlet's own."""
    at_door = np.zeros(len(found), dtype=np.bool_)
    placed = None if outlets is None else outlets.dropna(subset=["lon", "lat"])
    if placed is None or not len(placed) or not len(found):
        return at_door, at_door
    tree = cKDTree(np.column_stack(crs.to_metres(placed["lon"], placed["lat"], epsg)))

    def beside(frame: pd.DataFrame) -> BoolArray:
        away = tree.query(np.column_stack(crs.to_metres(frame["lon"], frame["lat"], epsg)))[0]
        return np.asarray(away <= DOOR_M, dtype=np.bool_)

    at_door = beside(found)
    fullest = np.sort(points.loc[beside(points), "records"].to_numpy())[::-1]
    records = found["records"].to_numpy()
    # The point itself is among the fullest where it outnumbers those it is measured by.
    third = fullest[DOOR_RANK] if len(fullest) > DOOR_RANK else 0
    return at_door, at_door & (records < DOOR_TIMES * max(third, 1))


def _points(lon: npt.ArrayLike, lat: npt.ArrayLike) -> pd.DataFrame:
    """Distinct points and how many records each holds."""
    frame = pd.DataFrame({"lon": np.asarray(lon, dtype=float), "lat": np.asarray(lat, dtype=float)})
    return frame.groupby(["lon", "lat"], sort=True).size().reset_index(name="records")


def _account(frame: pd.DataFrame) -> pd.DataFrame:
    counts = frame.groupby(["lane", "reason"], sort=False).size().reset_index(name="records")
    counts["lane"] = pd.Categorical(counts["lane"], LANES, ordered=True)
    counts = counts.sort_values(
        ["lane", "records", "reason"], ascending=[True, False, True], ignore_index=True
    )
    return counts.assign(lane=counts["lane"].astype(str))


def _unchecked(calls: pd.DataFrame, rules: IncidentRules) -> tuple[str, ...]:
    """Say what these records could not be checked for."""

    def told(column: str) -> bool:
        return column in calls and bool(calls[column].notna().any())

    said = []
    if not told("type_code"):
        said.append(
            "No record gives its type: offences whose place is withheld, and incidents that outlets have no "
            "part in, cannot be told from others."
        )
    if not told("disposition"):
        said.append(
            "No record gives its disposition: void, duplicate and test records, and those without a written "
            "report, could not be taken out."
        )
    elif not rules.written_report:
        said.append(
            "The city's profile does not say which dispositions mean a written report: all may count."
        )
    if not told("self_initiated"):
        said.append("No record says whether an officer opened it: those that did could not be taken out.")
    if not (told("type_code") and told("opened_at")):
        said.append("Without times and types, one incident recorded under two item numbers counts twice.")
    if not told("location_precision"):
        said.append("No record says how precise its place is: no incident is called on the premises.")
    return tuple(said)
