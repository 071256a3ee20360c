import csv
import io
import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from data.quarantine import Reasons, as_records, count_reasons, download_csv, quarantine_frame

COLUMNS = ("call_id", "agency", "priority", "lon", "lat")


def as_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def downloaded(*records: Mapping[str, object], has_medical: bool = True) -> list[dict[str, str]]:
    frame = quarantine_frame([json.dumps(record) for record in records], ["no place"] * len(records))
    text = download_csv(frame, columns=COLUMNS, medical_agencies=["EMS"], has_medical=has_medical)
    return as_rows(text)


@pytest.mark.parametrize("agency", ["EMS", "ems ", None, "unknown"])
def test_medical_calls_leave_without_their_place(agency: str | None) -> None:
    record = {"call_id": "C1", "agency": agency, "lon": -90.07, "lat": 29.95, "address": "1 Canal St"}
    row = downloaded(record)[0]
    assert row["call_id"] == "C1"
    assert "-90.07" not in row.values()
    assert "29.95" not in row.values()
    assert "1 Canal St" not in row.values()


def test_unreadable_record_of_medical_calls_is_not_handed_on() -> None:
    frame = quarantine_frame(["EMS, 1 Canal St"], ["cannot be read"])
    text = download_csv(frame, columns=COLUMNS, medical_agencies=["EMS"], has_medical=True)
    assert "Canal" not in text
    assert as_rows(text)[0]["reason"] == "cannot be read"


def test_police_calls_keep_their_place() -> None:
    row = downloaded({"call_id": "C1", "agency": "Police", "lon": -90.07, "lat": 29.95})[0]
    assert (row["lon"], row["lat"]) == ("-90.07", "29.95")


@given(st.sampled_from("=+-@\t\r"), st.text(max_size=8))
def test_no_cell_begins_like_a_formula(start: str, rest: str) -> None:
    frame = quarantine_frame([json.dumps({"name": start + rest, start + rest: "x"})], [start + rest])
    text = download_csv(frame, columns=("name",), medical_agencies=[], has_medical=False)
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_records_keep_the_row_as_it_came() -> None:
    rows = pd.DataFrame(
        {
            "name": ["Poché", None],
            "count": pd.array([3, None], dtype="Int64"),
            "share": [0.5, np.nan],
            "at": [pd.Timestamp("2026-01-01T06:00:00Z").tz_convert("America/Chicago"), pd.NaT],
            "geometry": [shapely.Point(1, 2), None],
        }
    )
    first, second = map(json.loads, as_records(rows))
    assert first == {
        "name": "Poché",
        "count": 3,
        "share": 0.5,
        "at": "2026-01-01T00:00:00-06:00",
        "geometry": "POINT (1 2)",
    }
    assert set(second.values()) == {None}


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=5))
def test_reasons_are_joined_per_row_and_counted_per_reason(masks: list[list[bool]]) -> None:
    reasons = Reasons(4)
    for number, mask in enumerate(masks):
        reasons.add(mask, f"reason {number}")
    expected = [
        "; ".join(f"reason {number}" for number, mask in enumerate(masks) if mask[row])
        for row in range(4)
        if any(mask[row] for mask in masks)
    ]
    assert reasons.joined() == expected
    counts = {f"reason {number}": sum(mask) for number, mask in enumerate(masks) if any(mask)}
    assert count_reasons(reasons.joined()) == counts
