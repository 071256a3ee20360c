"""Turn rows of portals into rows of the contract's tables; what cannot be used is rejected, and why."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.checks import NO_PLACE
from data.drift import Drift, Source, drift_of, field_name
from data.quarantine import Reasons, as_records, quarantine_frame
from data.raw_values import (
    Places,
    Times,
    is_nothing,
    no_places,
    plain_texts,
    read_days,
    read_degrees,
    read_feet,
    read_flags,
    read_points,
    read_times,
    sound_text,
)
from data.schemas import TABLES, pandas_dtype

BoolArray = npt.NDArray[np.bool_]

NOTHING_GIVEN = "no place is given"
UNREADABLE_PLACE = "the place cannot be read"
NO_RECORD = "the record is no row of a table"


@dataclass(frozen=True, kw_only=True)
class PortalTable:
    """Rows of a portal as a table of the contract.

    Attributes
    ----------
    table
        The table of the contract.
    frame
        Rows that can be used, in the contract's columns; the city's reader checks them further.
    rejected
        ``record`` (JSON text) and ``reason`` of the others.
    steps
        What was done to the rows, with counts, a plain sentence each.
    notes
        What a reader of the table must know.
    """

    table: str
    frame: pd.DataFrame
    rejected: pd.DataFrame
    steps: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def n_read(self) -> int:
        """How many rows came."""
        return len(self.frame) + len(self.rejected)


def read_rows(table: str, rows: Iterable[object] | pd.DataFrame, *, timezone: str) -> PortalTable:
    """Turn rows of a portal, or of its CSV, into rows of a table.

    Parameters
    ----------
    table
        A table of `DRIFTS`.
    rows
        Rows as the portal gave them: dictionaries by column; or a frame of them.
    timezone
        The city's time zone.

    Raises
    ------
    InvalidInputError
        Portals have no rows for this table.
    """
    drift = drift_of(table)
    values, n_rows, misfits = _sorted_out(rows, drift.known)
    raw = _Raw(values, n_rows)
    reasons = Reasons(n_rows)
    columns: dict[str, Any] = {
        column: pd.Series([word] * n_rows, dtype=pandas_dtype("text", timezone))
        for column, word in drift.constants.items()
    }
    times: dict[str, Times] = {}
    for column, source in drift.sources.items():
        texts, wrong = raw.texts(source.names)
        reasons.add(wrong, f"{column} is not text")
        if TABLES[table].columns[column].needed:
            reasons.add(texts.isna().to_numpy(dtype=bool) & ~wrong, f"{column} is missing")
        if source.kind == "time":
            times[column] = _read_time(column, texts, timezone, reasons)
        else:
            columns[column] = _read_column(column, source, texts, timezone, reasons)
        raw.note_use(column, source.names)
    columns |= _in_order(times)
    places = _read_places(drift, raw)
    reasons.add(~places.placed & places.zero, NO_PLACE)
    reasons.add(~places.placed & ~places.zero & places.given, UNREADABLE_PLACE)
    reasons.add(~places.placed & ~places.zero & ~places.given, NOTHING_GIVEN)
    columns |= {"lon": places.lon, "lat": places.lat}
    frame = pd.DataFrame({name: columns[name] for name in TABLES[table].columns if name in columns})
    twice = sum(int(moments.twice.sum()) for moments in times.values())
    return PortalTable(
        table=table,
        frame=frame.loc[~reasons.any].reset_index(drop=True),
        rejected=pd.concat(
            [
                quarantine_frame(as_records(raw.records(drift, reasons.any)), reasons.joined()),
                quarantine_frame(misfits, [NO_RECORD] * len(misfits)),
            ],
            ignore_index=True,
        ),
        steps=_steps(n_rows + len(misfits), int(reasons.any.sum()) + len(misfits), twice, raw.used),
        notes=drift.notes,
    )


class _Raw:
    """The values of rows column by column, under the names that `field_name` gives."""

    def __init__(self, values: Mapping[str, list[object]], n_rows: int) -> None:
        self._values = values
        self._texts: dict[str, tuple[pd.Series[Any], BoolArray]] = {}
        self.n_rows = n_rows
        self.used: dict[str, tuple[str, ...]] = {}

    def points(self, name: str) -> list[object] | None:
        """Give a column as it came."""
        return self._values.get(name)

    def plain(self, name: str) -> tuple["pd.Series[Any]", BoolArray]:
        """Give a column as text, and mark what is none."""
        if name not in self._texts:
            self._texts[name] = plain_texts(self._values.get(name, [None] * self.n_rows))
        return self._texts[name]

    def texts(self, names: Sequence[str]) -> tuple["pd.Series[Any]", BoolArray]:
        """Give each row's first value under one of the names; and mark rows where that is no text."""
        taken, misfit = self.plain(names[0])
        for name in names[1:]:
            if name in self._values:
                texts, wrong = self.plain(name)
                open_yet = taken.isna().to_numpy(dtype=bool) & ~misfit
                taken, misfit = taken.mask(open_yet, texts), misfit | (open_yet & wrong)
        return taken, misfit

    def note_use(self, column: str, names: Sequence[str]) -> None:
        """Remember under which names a column came."""
        self.used[column] = tuple(name for name in names if name in self._values)

    def records(self, drift: Drift, rows: BoolArray) -> pd.DataFrame:
        """Give rows as they came, each value under the name that the contract has for it."""
        numbers = np.flatnonzero(rows)
        told = {column: self._first(source.names, numbers) for column, source in drift.sources.items()}
        told |= {column: [word] * len(numbers) for column, word in drift.constants.items()}
        places = [name for name in drift.place_names if name in self._values]
        told |= {name: self._first((name,), numbers) for name in places}
        return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in told.items()})

    def _first(self, names: Sequence[str], numbers: npt.NDArray[np.intp]) -> list[object]:
        lists = [self._values[name] for name in names if name in self._values]
        return [
            next((_storable(values[row]) for values in lists if not is_nothing(values[row])), None)
            for row in numbers
        ]


def _sorted_out(
    rows: Iterable[object] | pd.DataFrame, known: frozenset[str]
) -> tuple[dict[str, list[object]], int, list[str]]:
    """Give the known columns' values, how many rows there are, and what is no row, as text."""
    if isinstance(rows, pd.DataFrame):
        given: list[tuple[str, list[object]]] = [
            (field_name(str(title)), rows.iloc[:, place].tolist()) for place, title in enumerate(rows.columns)
        ]
        n_rows, misfits = len(rows), []
    else:
        everything = list(rows)
        good = [row for row in everything if isinstance(row, dict)]
        misfits = [json.dumps(row, default=str) for row in everything if not isinstance(row, dict)]
        titles = sorted(title for title in set().union(*good) if isinstance(title, str))
        given = [(field_name(title), [row.get(title) for row in good]) for title in titles]
        n_rows = len(good)
    values: dict[str, list[object]] = {}
    for name, column in given:
        if name in values:
            pairs = zip(values[name], column, strict=True)
            values[name] = [new if is_nothing(old) else old for old, new in pairs]
        elif name in known:
            values[name] = column
    return values, n_rows, misfits


def _read_column(
    column: str, source: Source, texts: "pd.Series[Any]", timezone: str, reasons: Reasons
) -> "pd.Series[Any]":
    if source.kind == "flag":
        flags, wrong = read_flags(texts)
        reasons.add(wrong, f"{column} is not yes or no")
        return flags
    if source.kind == "day":
        days, wrong = read_days(texts, timezone)
        reasons.add(wrong, f"{column} cannot be read as a day")
        return days
    if source.read is None:
        return texts
    words = texts.map(source.read, na_action="ignore").astype(texts.dtype)
    reasons.add((texts.notna() & words.isna()).to_numpy(dtype=bool), source.said)
    return words


def _read_time(column: str, texts: "pd.Series[Any]", timezone: str, reasons: Reasons) -> Times:
    times = read_times(texts, timezone)
    reasons.add(times.unreadable, f"{column} cannot be read as a time")
    reasons.add(times.skipped, f"{column} lies in the hour that was skipped when clocks went forward")
    return times


def _in_order(times: Mapping[str, Times]) -> dict[str, "pd.Series[Any]"]:
    """Choose between two readings of a time: the second where only that follows the times before it."""
    chosen: dict[str, pd.Series[Any]] = {}
    latest: pd.Series[Any] | None = None
    for column, moments in times.items():
        time = moments.first
        if latest is not None:
            late = (moments.first < latest) & (moments.second >= latest)
            time = time.mask(late, moments.second)
            latest = latest.mask(time.notna() & ~(time < latest), time)
        else:
            latest = time
        chosen[column] = time
    return chosen


def _read_places(drift: Drift, raw: _Raw) -> Places:
    places = no_places(raw.n_rows)
    for name in drift.points:
        if (values := raw.points(name)) is not None:
            places = places.or_else(read_points(values))
    for read, pairs in ((read_degrees, drift.degrees), (read_feet, drift.feet)):
        for x, y in pairs:
            if raw.points(x) is not None or raw.points(y) is not None:
                places = places.or_else(read(raw.plain(x)[0], raw.plain(y)[0]))
    raw.note_use("place", drift.place_names)
    return places


def _steps(
    n_read: int, n_rejected: int, n_twice: int, used: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    named = "; ".join(f"{column} from {' or '.join(names)}" for column, names in used.items() if names)
    steps = [f"{n_read:,} rows came; {n_rejected:,} cannot be used and are in quarantine with their reason."]
    if named:
        steps.append(f"Columns: {named}.")
    if n_twice:
        steps.append(
            f"{n_twice:,} times lie in the hour that comes twice in autumn: taken as the first of the two, "
            "or as the second where only that follows the times before it."
        )
    return tuple(steps)


def _storable(value: object) -> object:
    if isinstance(value, str):
        return sound_text(value)
    return json.dumps(value, default=str) if isinstance(value, (dict, list)) else value
