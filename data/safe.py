"""Tables to download in which no cell is a formula.

A spreadsheet takes a cell of a CSV or of a sheet for a formula when it begins with ``=``, ``+``, ``-`` or
``@``, or with a tab, a carriage return or a line feed (OWASP, CSV Injection; ASVS 5.0, 1.2.10, adds the
null character). Such text gets an apostrophe before it, which makes it text. A negative number is a number,
however it is stored. Separators within a cell could begin a new one, so `safe_csv` puts every text in
quotation marks.
"""

import csv
import re
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms of the first."""
_BREAKS = ("\t", "\r", "\n", "\0")
_NEGATIVE = re.compile(r"-[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?\s*")
_NEVER_FORMULAS = (bool, int, float, Decimal, date, time, np.bool_, np.number)


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet may take this text for a formula, apostrophes before it left aside."""
    bare = text.lstrip("'")
    if bare.startswith(_BREAKS):
        return True
    bare = bare.lstrip()
    return bare.startswith(_SIGNS) and _NEGATIVE.fullmatch(bare) is None


def safe_cell(value: object) -> object:
    """Put an apostrophe before what would be a formula; numbers, days and nulls stay as they are."""
    if value is None or value is pd.NA or value is pd.NaT or isinstance(value, _NEVER_FORMULAS):
        return value
    text = str(value)
    return f"'{text}" if is_formula(text) else value


def plain_cell(text: str) -> str:
    """Take `safe_cell` back."""
    return text[1:] if text.startswith("'") and is_formula(text) else text


def safe_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Make every cell and every heading of a table harmless in a spreadsheet.

    Parameters
    ----------
    frame
        Any table; it is not changed. The index is left alone: write without it.

    Returns
    -------
    safe
        The same rows and columns. Columns of numbers, true or false, and times keep their type.
    """
    safe = frame.copy()
    columns = [_safe_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    if columns:
        safe = pd.concat(columns, axis=1)
    safe.columns = pd.Index([safe_cell(name) for name in frame.columns], dtype=object)
    return safe


def safe_csv(frame: pd.DataFrame) -> bytes:
    """Write a table as CSV that opens in a spreadsheet without running anything.

    UTF-8 with a mark, so that spreadsheets know it; lines end as RFC 4180 says; the index is not written.
    """
    text = safe_cells(frame).to_csv(index=False, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
    return text.encode("utf-8-sig")


def _safe_column(column: "pd.Series[Any]") -> "pd.Series[Any]":
    kind = column.dtype
    if (
        pd.api.types.is_bool_dtype(kind)
        or pd.api.types.is_numeric_dtype(kind)
        or pd.api.types.is_datetime64_any_dtype(kind)
    ):
        return column
    return column.astype(object).map(safe_cell)
