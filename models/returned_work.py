"""Work orders that come back: every row is accepted, or set aside with the reasons.

What is accepted feeds `models.basin_inputs.join_looks` (``returned``), so that states are learned from it,
and `models.contractor`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import InvalidInputError
from models.basin_state import CLEAN, STATES
from models.work_orders import KG_PER_LB, plain_cell

NEEDED = ("basin_id", "done_at", "found")
WORDS = (CLEAN, *STATES)
COLUMNS = ("row", "basin_id", "crew", "done_at", "found", "debris_kg", "lon", "lat")
TIME_FORMATS = (
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y",
)
"""Dates as the template shows them, and as a spreadsheet of the United States writes them."""
LEFT_BLANK = "left blank: nobody has been there"
Reasons = list[list[str]]


@dataclass(frozen=True, eq=False)
class Returned:
    """Rows of a returned file: ``len(accepted) + len(quarantined) == read``.

    Attributes
    ----------
    accepted
        ``row`` (line of the file, the heading is line 1), ``basin_id, crew, done_at`` (with time zone),
        ``found, debris_kg, lon, lat``; debris and place NaN where not told.
    quarantined
        The rows as they came, with ``row`` and ``reason``.
    read
        Rows in the file.
    """

    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    read: int

    @property
    def blank(self) -> int:
        """Rows set aside because nobody has been there yet."""
        return int((self.quarantined["reason"] == LEFT_BLANK).sum())


def template_csv() -> bytes:
    """Give an empty file to fill in; the work orders' own CSV does as well."""
    return b"\xef\xbb\xbfbasin_id,crew,done_at,found,debris_lb,lat,lon\r\n"


def read_csv(content: bytes) -> pd.DataFrame:
    """Read a returned file as text, all rows, nothing interpreted.

    Raises
    ------
    InvalidInputError
        If it is not a table of text.
    """
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return pd.read_csv(
                BytesIO(content), dtype=str, keep_default_na=False, skip_blank_lines=False, encoding=encoding
            )
        except UnicodeDecodeError:
            continue
        except ValueError as error:
            raise InvalidInputError(f"The returned file is no CSV ({error}); fill in the template") from error
    raise InvalidInputError("The returned file is no text; save the template as CSV (UTF-8)")


def read_returned(
    frame: pd.DataFrame,
    *,
    basin_ids: Iterable[str],
    as_of: pd.Timestamp,
    timezone: str,
    known: pd.DataFrame | None = None,
) -> Returned:
    """Sort the rows of a returned file.

    Parameters
    ----------
    frame
        From `read_csv`: ``basin_id, done_at, found``; perhaps ``debris_lb`` or ``debris_kg``, ``crew`` or
        ``truck``, and ``lat, lon``: where the truck stood.
    basin_ids
        All basins of the city.
    as_of
        Now, with a time zone: what is dated later is set aside.
    timezone
        Of times that name none.
    known
        Rows accepted earlier; what they hold already is a repeated row.

    Raises
    ------
    InvalidInputError
        If a column is missing.
    """
    names = [str(name).strip().lower() for name in frame.columns]
    text = pd.DataFrame(
        {name: [plain_cell(_said(cell)) for cell in frame.iloc[:, at]] for at, name in enumerate(names)},
        dtype=str,
    )
    missing = [name for name in NEEDED if name not in text]
    if missing:
        raise InvalidInputError(
            f"The returned file lacks the column(s) {', '.join(missing)}; fill in the template"
        )
    n = len(text)

    def column(name: str) -> pd.Series:
        return text[name] if name in text else pd.Series([""] * n, dtype=str)

    reasons: Reasons = [[] for _ in range(n)]
    done = _times(column("done_at"), timezone)
    _note(reasons, column("basin_id") == "", "no basin_id")
    _note(reasons, (column("basin_id") != "") & ~column("basin_id").isin(set(basin_ids)), "unknown basin")
    _note(reasons, column("done_at") == "", "no date")
    _note(reasons, (column("done_at") != "") & done.isna(), "unreadable date; write 2026-05-31 14:30")
    _note(reasons, done > as_of, "a date in the future")
    found = column("found").str.lower()
    _note(reasons, found == "", "no finding")
    _note(reasons, (found != "") & ~found.isin(WORDS), f"unknown finding; the words are {', '.join(WORDS)}")
    debris = _debris(reasons, column("debris_lb"), column("debris_kg"))
    lon, lat = _place(reasons, column("lon"), column("lat"))
    crew = column("crew").where(column("crew") != "", column("truck"))
    rows = pd.DataFrame(
        {
            "row": np.arange(2, n + 2),
            "basin_id": column("basin_id"),
            "crew": crew,
            "done_at": done,
            "found": found,
            "debris_kg": debris,
            "lon": lon,
            "lat": lat,
        }
    )
    good = np.array([not why for why in reasons], np.bool_)
    _note(reasons, _repeated(rows, good, known), "repeated row: this basin at this time is there already")
    blank = (
        (column("done_at") == "") & (found == "") & column("debris_lb").eq("") & column("debris_kg").eq("")
    )
    reason = [
        LEFT_BLANK if nobody else "; ".join(why) for nobody, why in zip(blank.tolist(), reasons, strict=True)
    ]
    bad = np.array([why != "" for why in reason], np.bool_)
    quarantined = frame.reset_index(drop=True).assign(row=rows["row"].to_numpy(), reason=reason)[bad]
    return Returned(rows[~bad].reset_index(drop=True), quarantined.reset_index(drop=True), n)


def as_cleanings(accepted: pd.DataFrame) -> pd.DataFrame:
    """Give accepted rows the columns of the table ``cleanings``, as `models.contractor` reads it."""
    return pd.DataFrame(
        {
            "cleaning_id": "row " + accepted["row"].astype(str),
            "basin_id": accepted["basin_id"],
            "crew": accepted["crew"],
            "cleaned_at": accepted["done_at"],
            "found": accepted["found"],
            "debris_kg": accepted["debris_kg"],
            "audited_at": accepted["done_at"].mask(accepted["done_at"].notna()),
            "audit_found": "",
            "lon": accepted["lon"],
            "lat": accepted["lat"],
        }
    )


def _said(cell: Any) -> str:  # noqa: ANN401
    return "" if pd.isna(cell) else str(cell).strip()


def _note(reasons: Reasons, where: pd.Series, why: str) -> None:
    for row in np.flatnonzero(where.to_numpy(dtype=bool, na_value=False)):
        reasons[row].append(why)


def _times(said: pd.Series, timezone: str) -> pd.Series:
    """Read times with a zone; NaT where they cannot be read."""
    found = pd.Series(pd.NaT, index=said.index, dtype=f"datetime64[us, {timezone}]")
    for form in TIME_FORMATS:
        local = pd.to_datetime(said, format=form, errors="coerce")
        # Of the hour that comes twice the second is meant; one that never comes is the hour after.
        zoned = local.dt.tz_localize(
            timezone, ambiguous=np.zeros(len(said), bool), nonexistent="shift_forward"
        )
        found = found.fillna(zoned.astype(found.dtype))
    with_zone = pd.to_datetime(
        said.where(said.str.contains(r"T|[+-]\d\d:\d\d$|Z$")), errors="coerce", format="ISO8601", utc=True
    )
    return found.fillna(with_zone.dt.tz_convert(timezone).astype(found.dtype))


def _number(said: pd.Series) -> npt.NDArray[np.float64]:
    read = pd.to_numeric(said.str.replace(",", ""), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(read), read, np.nan)


def _debris(reasons: Reasons, pounds: pd.Series, kilograms: pd.Series) -> npt.NDArray[np.float64]:
    lb, kg = _number(pounds), _number(kilograms)
    for said, read in ((pounds, lb), (kilograms, kg)):
        _note(reasons, (said != "") & np.isnan(read), "debris is not a number")
        _note(reasons, pd.Series(read < 0), "negative debris")
    return np.where(np.isnan(lb), kg, lb * KG_PER_LB)


def _place(
    reasons: Reasons, said_lon: pd.Series, said_lat: pd.Series
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    lon, lat = _number(said_lon), _number(said_lat)
    told = (said_lon != "") | (said_lat != "")
    good = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
    _note(reasons, told & ~good, "lat and lon are not both degrees")
    return lon, lat


def _repeated(rows: pd.DataFrame, good: npt.NDArray[np.bool_], known: pd.DataFrame | None) -> pd.Series:
    """Tell which of the good rows an earlier good row, or a known one, has said already."""
    key = ["basin_id", "done_at"]
    again = pd.Series(data=False, index=rows.index)
    again[good] = rows[good].duplicated(key)
    if known is not None and len(known):
        held = pd.MultiIndex.from_frame(known[key])
        again |= good & pd.MultiIndex.from_frame(rows[key]).isin(held)
    return again
