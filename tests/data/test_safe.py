import csv
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.safe import plain_cell, safe_cell, safe_cells, safe_csv

RUNS = ["=1+2", "+1+2", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "  =1", "\uff1d1", "'=1", "-"]
HARMLESS = ["", "Canal St", "1-2", "a=b", "-90.07", "-5", "-1e-3", "'quoted'", "12:30"]
texts = st.text(st.sampled_from(list("=+-@\t\r\n\0' \"1;,a\uff1d\u00a0")), max_size=8) | st.text(max_size=8)


@pytest.mark.parametrize("text", RUNS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_plain_text_and_negative_numbers_stay(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize(
    "value", [None, -5, -0.5, True, Decimal(-3), np.float64(-1), pd.NaT, pd.Timestamp("2026-01-31")]
)
def test_numbers_days_and_nulls_stay(value: object) -> None:
    assert safe_cell(value) is value


def test_other_things_are_judged_by_what_they_would_say() -> None:
    assert safe_cell(pd.Timedelta("-1h")) == "'-1 days +23:00:00"
    assert safe_cell(["=1"]) == ["=1"]


@given(texts)
def test_a_safe_cell_is_no_formula_and_can_be_taken_back(text: str) -> None:
    safe = str(safe_cell(text))
    assert plain_cell(safe) == text
    bare = safe.strip()
    assert bare[:1] not in {"=", "+", "@"} or not bare
    assert safe[:1] not in {"\t", "\r", "\n", "\0"}


def test_types_and_order_of_columns_stay_and_headings_are_safe() -> None:
    frame = pd.DataFrame(
        {
            "=name": ["=1", "Canal"],
            "lon": [-90.07, np.nan],
            "open": [True, False],
            "at": pd.DatetimeIndex(["2026-01-31", pd.NaT], tz="UTC"),
            "kind": pd.Categorical(["@bar", "store"]),
        },
        index=[7, 9],
    )
    before = frame.copy()
    safe = safe_cells(frame)
    assert list(safe.columns) == ["'=name", "lon", "open", "at", "kind"]
    assert safe["'=name"].tolist() == ["'=1", "Canal"]
    assert safe["kind"].tolist() == ["'@bar", "store"]
    for column in ("lon", "open", "at"):
        pd.testing.assert_series_equal(safe[column], frame[column])
    pd.testing.assert_frame_equal(frame, before)


def test_repeated_headings_and_empty_tables_are_written() -> None:
    twice = pd.DataFrame([["=1", "b"]], columns=["a", "a"])
    assert safe_csv(twice).decode("utf-8-sig") == '"a","a"\r\n"\'=1","b"\r\n'
    assert safe_csv(pd.DataFrame({"a": []})).decode("utf-8-sig") == '"a"\r\n'
    assert safe_cells(pd.DataFrame()).empty


@settings(max_examples=60)
@given(st.lists(st.tuples(texts, st.integers(-9, 9)), max_size=5))
def test_csv_gives_back_what_was_written(rows: list[tuple[str, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["said", "number"])
    lines = list(csv.reader(io.StringIO(safe_csv(frame).decode("utf-8-sig"), newline="")))
    assert lines[0] == ["said", "number"]
    assert [(plain_cell(said), int(number)) for said, number in lines[1:]] == rows


def test_a_separator_within_a_cell_does_not_begin_a_new_one() -> None:
    """OWASP's two examples, and a cell for a spreadsheet whose separator is the semicolon."""
    frame = pd.DataFrame({"said": ['=1+2";=1+2', "=1+2'\" ;,=1+2", "a;=1+2"]})
    assert safe_csv(frame).decode("utf-8-sig").splitlines()[1:] == [
        '"\'=1+2"";=1+2"',
        '"\'=1+2\'"" ;,=1+2"',
        '"a;=1+2"',
    ]
