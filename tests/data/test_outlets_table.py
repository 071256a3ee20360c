"""The table of alcohol outlets: each fault its reason, dates without a clock, names that stay in the app."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.checks import NO_PLACE, OUTSIDE, Surroundings, check_rows
from data.columns import convert
from data.quarantine import download_csv
from data.schemas import OPENING_HOURS, TABLES, table_schema
from models.opening_hours import read_opening_hours

ZONE = "America/Chicago"
RULE = TABLES["outlets"]
AROUND = Surroundings(bbox=(-90.16, 29.85, -89.60, 30.20), timezone=ZONE)
HOURS = ["24/7", "Mo-Su 16:00-02:00", "Mo-Th 16:00-24:00; Fr,Sa 16:00-03:00; Su off", None, "11:00-23:00"]


def outlets(**changes: object) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "outlet_id": [f"O{row}" for row in range(5)],
            "name": [f"Bar {row}" for row in range(5)],
            "category": ["bar", "restaurant", "store", "hotel", "other"],
            "licence_code": "1126",
            "address": "1 Canal St",
            "opened_on": pd.to_datetime(["2011-05-01"] * 5),
            "closed_on": [None, None, pd.Timestamp("2014-01-31"), None, None],
            "hours": HOURS,
            "capacity": [80, None, 1, 200, 40],
            "lon": -90.07,
            "lat": 29.95,
        }
    ).astype(object)
    for column, value in changes.items():
        rows[column] = [value, *rows[column].tolist()[1:]]
    return rows


def test_good_rows_are_all_accepted_and_meet_the_schema() -> None:
    checked = check_rows(outlets(), RULE, AROUND)
    assert checked.quarantined.empty
    table_schema("outlets", ZONE).validate(checked.accepted)
    assert checked.accepted["opened_on"].dtype == np.dtype("datetime64[us]")
    assert checked.accepted["closed_on"].notna().sum() == 1
    assert checked.accepted["hours"].isna().sum() == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lon": 0.0, "lat": 0.0}, NO_PLACE),
        ({"lon": None}, "lon is missing"),
        ({"lon": -90.6}, OUTSIDE),
        ({"category": "brewery"}, "category is not one of bar, restaurant, store, hotel, other"),
        ({"category": None}, "category is missing"),
        ({"name": None}, "name is missing"),
        ({"outlet_id": "O1"}, "outlet_id was used before (the first good row that has it is kept)"),
        ({"closed_on": pd.Timestamp("2011-04-30")}, "closed_on is before opened_on"),
        ({"opened_on": "spring 2011"}, "opened_on is not a date such as 2015-06-30"),
        ({"opened_on": "2011-05-01 18:00:00"}, "opened_on is not a date such as 2015-06-30"),
        ({"hours": "late"}, "hours cannot be read (write it like Mo-Th 16:00-24:00 or 24/7)"),
        ({"hours": "Mo-Th 16:00-49:00"}, "hours cannot be read (write it like Mo-Th 16:00-24:00 or 24/7)"),
        ({"capacity": 0}, "capacity is not above 0"),
        ({"capacity": -5}, "capacity is not above 0"),
        ({"capacity": "many"}, "capacity is not a whole number"),
    ],
)
def test_each_fault_has_its_reason(changes: dict[str, object], reason: str) -> None:
    checked = check_rows(outlets(**changes), RULE, AROUND)
    assert len(checked.accepted) == 4
    assert checked.quarantined["reason"].tolist() == [reason]


@settings(deadline=None)
@given(st.from_regex(OPENING_HOURS, fullmatch=True))
def test_hours_that_are_accepted_are_read_by_the_model_that_needs_them(text: str) -> None:
    (refused,) = read_opening_hours([text]).reason
    # What only reckoning can tell: a span without length, a week without an open hour.
    assert not refused or "begins when it ends" in refused or "no hour of the week" in refused


def test_two_licences_at_one_door_are_two_rows() -> None:
    checked = check_rows(outlets(name="Bar 1", licence_code="1105"), RULE, AROUND)
    assert len(checked.accepted) == 5


@given(st.dates().filter(lambda day: day.year >= 1800))
def test_days_come_back_however_they_were_written(day: object) -> None:
    texts = pd.Series([str(day), f"{day} 00:00:00", f"{day}T00:00:00", None], dtype=object)
    converted, misfit = convert(texts, "date", ZONE)
    assert (converted.iloc[:3] == pd.Timestamp(str(day))).all()
    assert pd.isna(converted.iloc[3])
    assert not misfit.any()


def test_a_time_with_a_zone_is_no_day() -> None:
    times = pd.Series(pd.to_datetime(["2011-05-01", "2011-05-02"])).dt.tz_localize(ZONE)
    converted, misfit = convert(times, "date", ZONE)
    assert converted.isna().all()
    assert misfit.all()


def test_no_download_names_a_business() -> None:
    raw = outlets(lon=0.0, lat=0.0).assign(**{"Trade Name": "Bar 0 of the file"})
    quarantined = check_rows(raw, RULE, AROUND).quarantined
    assert "Bar 0" in quarantined["record"].iloc[0]
    text = download_csv(
        quarantined, columns=RULE.columns, medical_agencies=["EMS"], has_medical=False, withheld=RULE.withheld
    )
    (row,) = csv.DictReader(io.StringIO(text))
    assert {"outlet_id", "category", "reason"} <= set(row)
    assert not {"name", "address", "licence_code", "Trade Name"} & set(row)
    assert "Bar 0" not in text
    assert "Canal" not in text
