"""Quarantine: rows that cannot be used, kept as they came, each with its reasons."""

import csv
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

SEPARATOR = "; "
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class TableAccount:
    """How many rows of a table were read, accepted and quarantined; the last two add up to the first.

    ``reasons`` counts each reason once a row; a row with several reasons is counted under each.
    """

    read: int
    accepted: int
    quarantined: int
    reasons: dict[str, int]


class Reasons:
    """The reasons against each row of one table, gathered check by check."""

    def __init__(self, n_rows: int) -> None:
        self._against: list[tuple[npt.NDArray[np.bool_], str]] = []
        self.any = np.zeros(n_rows, dtype=bool)

    def add(self, mask: npt.ArrayLike, reason: str) -> None:
        """Note ``reason`` against the rows of a boolean mask, shape (n_rows,)."""
        rows = np.asarray(mask, dtype=bool)
        if rows.any():
            self._against.append((rows, reason))
            self.any |= rows

    def joined(self) -> list[str]:
        """Give the reasons of each quarantined row in order, several joined by a semicolon."""
        said: dict[int, list[str]] = {int(row): [] for row in np.flatnonzero(self.any)}
        for mask, reason in self._against:
            for row in np.flatnonzero(mask):
                said[int(row)].append(reason)
        return [SEPARATOR.join(reasons) for reasons in said.values()]


def count_reasons(joined: Iterable[str]) -> dict[str, int]:
    """Count each reason over quarantined rows, the most frequent first, ties in alphabetical order."""
    counts = Counter(reason for text in joined for reason in dict.fromkeys(text.split(SEPARATOR)))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def quarantine_frame(records: Iterable[str], reasons: Iterable[str]) -> pd.DataFrame:
    """Put rejected rows in the shape of the quarantine: the row as JSON text, and the reasons."""
    return pd.DataFrame(
        {"record": pd.Series(list(records), dtype="str"), "reason": pd.Series(list(reasons), dtype="str")}
    )


def as_records(rows: pd.DataFrame) -> list[str]:
    """Write each row as JSON text, as it came: nulls as null, times in ISO 8601, shapes as WKT."""
    columns = [str(column) for column in rows.columns]
    values = [rows[column].tolist() for column in rows.columns]
    return [
        json.dumps(dict(zip(columns, map(_plain, row), strict=True)), ensure_ascii=False)
        for row in zip(*values, strict=True)
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, shapely.Geometry):
        return shapely.to_wkt(value, rounding_precision=6)
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    if isinstance(value, (pd.Timestamp, date)):
        return value.isoformat()
    if isinstance(value, np.generic):
        return _plain(value.item())
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def download_csv(
    quarantined: pd.DataFrame,
    *,
    columns: Iterable[str],
    medical_agencies: Iterable[str],
    has_medical: bool,
    withheld: Iterable[str] = (),
) -> str:
    """Write quarantined rows as CSV that is safe to open and to hand on.

    Parameters
    ----------
    quarantined
        Columns ``record`` (JSON text) and ``reason``.
    columns
        The table's columns in the contract; they come first.
    medical_agencies
        Agencies whose calls are medical.
    has_medical
        Whether the table may hold medical calls. A row of a medical agency, or one whose agency cannot
        be told from the known others, then keeps its contract columns without the place only.
    withheld
        Columns that must not leave the app, such as the names of businesses. Where there are any, a row
        keeps its other contract columns only.

    Returns
    -------
    text
        One line a row: the record's fields and the reason. A cell that begins like a formula
        (``= + - @``) gets an apostrophe before it, unless it is a number.
    """
    known = list(columns)
    rows = [_fields(record) for record in quarantined["record"]]
    if has_medical:
        medical = {agency.casefold() for agency in medical_agencies}
        rows = [_without_place(row, known, medical) for row in rows]
    if kept_back := set(withheld):
        shown = set(known) - kept_back
        rows = [{key: value for key, value in row.items() if key in shown} for row in rows]
    others = dict.fromkeys(key for row in rows for key in row if key not in known)
    names = [name for name in known if any(name in row for row in rows)] + list(others)
    table = pd.DataFrame([[row.get(name) for name in names] for row in rows], columns=names, dtype=object)
    table["reason"] = quarantined["reason"].to_numpy()
    table.columns = [_disarmed(name) for name in table.columns]
    return table.map(_disarmed).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)


def _fields(record: str) -> dict[str, Any]:
    try:
        row = json.loads(record)
    except json.JSONDecodeError:
        return {"record": record}
    return row if isinstance(row, dict) else {"record": record}


def _without_place(row: dict[str, Any], known: list[str], medical: set[str]) -> dict[str, Any]:
    agency = str(row.get("agency") or "").strip().casefold()
    if agency in {"police", "fire"} - medical:
        return row
    return {
        key: value for key, value in row.items() if key in known and key not in {"lon", "lat", "geometry"}
    }


def _disarmed(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
