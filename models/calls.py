"""Calls as arrays that can be filtered in a few milliseconds, and the filter."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from errors import Faults, InvalidInputError
from geo.hexgrid import NO_CELL, cells_of
from geo.regions import assign_regions
from models.privacy import record_keys
from models.response_times import CallMinutes, call_minutes

HOURS_A_DAY = 24
DAYS_A_WEEK = 7
HOURS_A_WEEK = HOURS_A_DAY * DAYS_A_WEEK
RESOLUTIONS = (7, 8, 9)
"""H3 sizes that calls can be counted in: about 2.5 km, 950 m and 360 m across in New Orleans."""

NOT_GIVEN = "not given"
"""Stands for a missing type or priority, so that such calls can be chosen and are never lost."""

UNKNOWN = -1

SelfInitiated = Literal["all", "without", "only"]
HourOfWeek = tuple[int, int]
"""Weekday (0 is Monday) and local hour (0 to 23)."""


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of text as codes: ``codes`` (n,) into ``names``, the most frequent first."""

    codes: NDArray[np.int16]
    names: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether any call has this told."""
        return any(name != NOT_GIVEN for name in self.names)


@dataclass(frozen=True, eq=False)
class Hexagons:
    """Hexagons that hold calls: ``index`` (n,) into ``cells`` (H3, uint64), -1 for a call without a place."""

    index: NDArray[np.int64]
    cells: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class CallTable:
    """All calls of a city as arrays of equal length ``n``.

    Attributes
    ----------
    agency, kind, priority
        Text columns as codes; ``kind`` is the type of call in words, or its code where it has no words.
    hour_of_week
        (n,) local hour of the week, 0 is Monday from midnight to one; -1 unknown.
    day
        (n,) local days since 1970; -1 unknown.
    self_initiated
        (n,) 1 opened by an officer at the scene, 0 called in, -1 unknown.
    medical
        (n,) True for calls of a medical agency.
    key
        (n,) keys of the privacy rule.
    region
        (n,) index of the neighborhood, -1 outside all.
    lon, lat
        (n,) degrees.
    hexagons
        H3 resolution to the hexagon of each call.
    times
        Minutes between the moments of each call.
    first_day, last_day
        First and last local day with a call; None where no call has a time.
    """

    agency: Coded
    kind: Coded
    priority: Coded
    hour_of_week: NDArray[np.int16]
    day: NDArray[np.int32]
    self_initiated: NDArray[np.int8]
    medical: NDArray[np.bool_]
    key: NDArray[np.uint32]
    region: NDArray[np.intp]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    hexagons: Mapping[int, Hexagons]
    times: CallMinutes
    first_day: date | None
    last_day: date | None

    def __len__(self) -> int:
        return len(self.day)


@dataclass(frozen=True)
class CallFilter:
    """Which calls to look at; None means all.

    A call whose time is unknown passes only where neither hours nor dates are asked.

    Attributes
    ----------
    agencies, kinds, priorities
        Names as in the calls; ``NOT_GIVEN`` chooses those without.
    hours
        Hours of the week as (weekday, hour), local time, Monday is 0.
    first_day, last_day
        Local days, both included.
    self_initiated
        "all", "without" those an officer opened at the scene, or "only" those.
    """

    agencies: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    priorities: frozenset[str] | None = None
    hours: frozenset[HourOfWeek] | None = None
    first_day: date | None = None
    last_day: date | None = None
    self_initiated: SelfInitiated = "all"


def prepare_calls(
    calls: pd.DataFrame,
    *,
    timezone: str,
    medical_agencies: Collection[str],
    salt: str,
    regions: Sequence[Any] | NDArray[Any] = (),
    responses: pd.DataFrame | None = None,
    resolutions: Sequence[int] = RESOLUTIONS,
) -> CallTable:
    """Turn the rows of ``calls`` into arrays that filter fast; done once a city.

    Parameters
    ----------
    calls
        Rows of the table ``calls``. ``call_id``, ``agency``, ``lon`` and ``lat`` are needed; any other
        column may be missing or empty, and what depends on it is then unknown.
    timezone
        Time zone of the city; days and hours are local, so an hour that summer time skips or repeats is what
        the clock on the wall showed.
    medical_agencies
        Agencies whose calls fall under the privacy rule of :mod:`models.privacy`.
    salt
        Text that belongs to this data, for the keys of the privacy rule.
    regions
        Polygons of the neighborhoods, EPSG:4326.
    responses
        Rows of the table ``unit_responses``, where there are any.
    resolutions
        H3 resolutions to count in.

    Raises
    ------
    InvalidInputError
        When a needed column is missing.
    """
    faults = Faults()
    for column in ("call_id", "agency", "lon", "lat"):
        faults.check(column in calls, f"the column {column} is missing")
    faults.raise_as(InvalidInputError, "The calls cannot be used")

    opened = _local_times(calls, "opened_at", timezone)
    told = opened.notna().to_numpy()
    day = np.where(told, _local_days(opened), UNKNOWN).astype(np.int32)
    hour = (opened.dt.day_of_week * HOURS_A_DAY + opened.dt.hour).fillna(UNKNOWN)
    initiated = _column(calls, "self_initiated").astype("boolean").astype("Int8").fillna(UNKNOWN)
    kind = _column(calls, "type_text").fillna(_column(calls, "type_code"))
    lon, lat = (calls[name].to_numpy(dtype=np.float64) for name in ("lon", "lat"))
    return CallTable(
        agency=_coded(calls["agency"]),
        kind=_coded(kind),
        priority=_coded(_column(calls, "priority")),
        hour_of_week=np.asarray(hour, dtype=np.int16),
        day=day,
        self_initiated=np.asarray(initiated, dtype=np.int8),
        medical=calls["agency"].isin(list(medical_agencies)).to_numpy(dtype=np.bool_),
        key=record_keys(calls["call_id"], salt=salt),
        region=assign_regions(lon, lat, regions),
        lon=lon,
        lat=lat,
        hexagons=MappingProxyType({r: _hexagons(lon, lat, resolution=r) for r in resolutions}),
        times=call_minutes(calls, responses),
        first_day=_as_date(day[told].min()) if told.any() else None,
        last_day=_as_date(day[told].max()) if told.any() else None,
    )


def select(calls: CallTable, wanted: CallFilter) -> NDArray[np.bool_]:
    """Which calls pass the filter, (n,).

    Raises
    ------
    InvalidInputError
        When the filter names an agency, type or priority that no call has, an hour that no week has, or a
        last day before the first.
    """
    faults = Faults()
    chosen = np.ones(len(calls), dtype=np.bool_)
    for words, column, names in (
        ("agency", calls.agency, wanted.agencies),
        ("type", calls.kind, wanted.kinds),
        ("priority", calls.priority, wanted.priorities),
    ):
        if names is None:
            continue
        unknown = sorted(names - set(column.names))
        faults.check(
            not unknown, f"no call has the {words} {', '.join(unknown)}; there are {_list(column.names)}"
        )
        chosen &= np.isin(np.array(column.names, dtype=object), list(names))[column.codes]
    if wanted.hours is not None:
        odd = [h for h in wanted.hours if not (0 <= h[0] < DAYS_A_WEEK and 0 <= h[1] < HOURS_A_DAY)]
        faults.check(not odd, f"no week has the hours {sorted(odd)}; weekdays are 0 to 6, hours 0 to 23")
        mask = hours_mask(None if odd else wanted.hours).reshape(-1)
        chosen &= mask[calls.hour_of_week] & (calls.hour_of_week != UNKNOWN)
    if wanted.first_day and wanted.last_day:
        faults.check(wanted.first_day <= wanted.last_day, "the last day lies before the first")
    faults.raise_as(InvalidInputError, "The calls cannot be filtered")
    if wanted.first_day is not None:
        chosen &= (calls.day >= day_number(wanted.first_day)) & (calls.day != UNKNOWN)
    if wanted.last_day is not None:
        chosen &= (calls.day <= day_number(wanted.last_day)) & (calls.day != UNKNOWN)
    if wanted.self_initiated != "all":
        chosen &= (calls.self_initiated == 1) == (wanted.self_initiated == "only")
    return chosen


def hours_mask(hours: Collection[HourOfWeek] | None) -> NDArray[np.bool_]:
    """Weekdays by hours, (7, 24), True where chosen; all of them for None."""
    mask = np.full((DAYS_A_WEEK, HOURS_A_DAY), hours is None)
    for weekday, hour in hours or ():
        mask[weekday, hour] = True
    return mask


def day_number(day: date) -> int:
    """Days since 1970."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _as_date(number: int | np.integer[Any]) -> date:
    return date.fromordinal(int(number) + date(1970, 1, 1).toordinal())


def _column(frame: pd.DataFrame, name: str) -> "pd.Series[Any]":
    return frame[name] if name in frame else pd.Series(pd.NA, index=frame.index, dtype="object")


def _local_times(frame: pd.DataFrame, name: str, timezone: str) -> "pd.Series[pd.Timestamp]":
    return pd.to_datetime(_column(frame, name), utc=True).dt.tz_convert(timezone)


def _local_days(times: "pd.Series[pd.Timestamp]") -> NDArray[np.int64]:
    return times.dt.tz_localize(None).to_numpy(dtype="datetime64[D]").astype(np.int64)


def _coded(column: "pd.Series[Any]") -> Coded:
    text = column.astype("str").where(column.notna(), NOT_GIVEN)
    counts = text.value_counts()
    names = sorted(counts.index, key=lambda name: (name == NOT_GIVEN, -counts[name], name))
    codes = pd.Categorical(text, categories=names).codes
    return Coded(codes=codes.astype(np.int16), names=tuple(names))


def _hexagons(lon: NDArray[np.float64], lat: NDArray[np.float64], *, resolution: int) -> Hexagons:
    cell_of_call = cells_of(lon, lat, resolution=resolution)
    cells, index = np.unique(cell_of_call, return_inverse=True)
    if cells.size and cells[0] == NO_CELL:
        cells, index = cells[1:], index - 1
    return Hexagons(index=index.astype(np.int64), cells=cells)


def _list(names: Sequence[str], *, most: int = 12) -> str:
    return ", ".join(names[:most]) + (" and others" if len(names) > most else "")
