"""The Data page: every table's account is shown, and a broken city leaves the app alive."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from data.schemas import TABLES
from data.schemas_drainage import DRAINAGE_TABLES
from tests.data.small_city import small_tables, write_city

PAGE = str(Path(__file__).parents[2] / "pages" / "data.py")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("CRESCENT_CITIES", str(tmp_path))
    return AppTest.from_file(PAGE, default_timeout=30)


def test_each_table_shows_its_account_and_the_city_what_it_lacks(page: AppTest, tmp_path: Path) -> None:
    tables = small_tables()
    tables["calls"].loc[2, ["lon", "lat"]] = [0.0, 0.0]
    write_city(tmp_path / "small", tables)
    page.run()
    assert not page.exception
    listed = page.dataframe[0].value.set_index("Table")
    for name, frame in tables.items():
        row = listed.loc[TABLES[name].title]
        assert row["Read"] == len(frame)
        assert row["Accepted"] + row["In quarantine"] == row["Read"]
    assert listed.loc["Calls", "In quarantine"] == 1
    assert set(page.dataframe[1].value["Table"]) == {
        "Ambulance responses",
        "Shifts",
        "Districts",
        "Alcohol outlets",
        *(table.title for table in DRAINAGE_TABLES),
        "Ground elevation",
    }
    page.selectbox(key="data.table").select("calls").run()
    assert not page.exception
    reasons = page.dataframe[2].value
    assert reasons["Rows"].tolist() == [1]
    assert "POINT (0 0)" in reasons["Reason"].iloc[0]


def test_broken_city_is_said_and_the_app_lives(page: AppTest, tmp_path: Path) -> None:
    folder = write_city(tmp_path / "small")
    (folder / "tables" / "streets.parquet").write_bytes(b"torn")
    page.run()
    assert not page.exception
    assert "streets: the file tables/streets.parquet cannot be read" in page.error[0].value


def test_no_name_of_a_business_is_on_the_page(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {"category": "bar", "address": "1 Secret Street", "lon": -90.08, "lat": 29.95}
    good = {"outlet_id": "O1", "name": "The Good Secret", **place}
    bad = {"outlet_id": "O2", "name": "The Bad Secret", **place, "capacity": -1}
    tables = small_tables() | {"outlets": pd.DataFrame([good, bad])}
    write_city(tmp_path / "small", tables)
    offered: list[str] = []

    def keep(_label: str, data: Callable[[], str], **_: object) -> None:
        offered.append(data())

    monkeypatch.setattr(st, "download_button", keep)
    page.run()
    page.selectbox(key="data.table").select("outlets").run()
    assert not page.exception
    assert page.dataframe[-1].value["Reason"].tolist() == ["capacity is not above 0"]
    shown = "".join(frame.value.to_string() for frame in page.dataframe)
    shown += "".join(str(element) for element in page.main)
    assert "Secret" not in shown
    assert "O2" in offered[-1]
    assert "Secret" not in offered[-1]
