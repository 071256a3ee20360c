"""Alcohol licences become outlets: points out of text, categories out of codes, nothing lost or made up."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.city import City
from data.importers.alcohol_outlets import category_of, outlets_table


def licences() -> pd.DataFrame:
    """Invented licences: two at one door, one without a point, one whose code is torn."""
    return pd.DataFrame(
        {
            "Trade Name": ["MADE UP BAR ", "MADE UP BAR", "NO POINT STORE", "TORN CODE"],
            "Address": ["1 CANAL ST", "1 Canal St ", "2 CANAL ST", "3 CANAL ST"],
            "Occupation Code": [
                "1126 - DRINKING PLACES (ALCOHOLIC BEVERAGES)",
                "1105 - FULL SVC RESTAURANTS (TABLE SERVICE)",
                "1101 - CONVENIENCE STORES",
                "DRINKING PLACES",
            ],
            "Location 1": [
                "1 CANAL ST\nNEW ORLEANS, LA 70130\n(29.9500, -90.0650)",
                "1 CANAL ST\nNEW ORLEANS, LA 70130\n(29.9500, -90.0650)",
                "2 CANAL ST\nNEW ORLEANS, LA 70130",
                "3 CANAL ST\n(29.9510, -90.0660)",
            ],
        }
    )


def test_points_categories_and_counts_come_out_of_the_text() -> None:
    outlets, counts = outlets_table(licences())
    assert outlets["outlet_id"].is_unique
    assert outlets["name"].tolist()[:2] == ["MADE UP BAR", "MADE UP BAR"]
    assert outlets["category"].tolist()[:3] == ["bar", "restaurant", "store"]
    assert pd.isna(outlets["category"].iloc[3])
    assert outlets["licence_code"].tolist()[:3] == ["1126", "1105", "1101"]
    assert outlets["lon"].tolist()[:2] == [-90.065, -90.065]
    assert outlets["lat"].iloc[3] == 29.951
    assert np.isnan(outlets["lon"].iloc[2])
    assert counts == {"read": 4, "without a point": 1, "sharing an address": 2, "bars": 1}


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("1126", "bar"),
        ("1105", "restaurant"),
        ("2062", "restaurant"),
        ("4701", "hotel"),
        ("1131", "store"),
        ("0144", "other"),
        ("3364", "other"),
    ],
)
def test_occupation_codes_have_a_category(code: str, category: str) -> None:
    assert category_of(code) == category


@pytest.fixture(scope="module")
def city(extract_city_dir: Path) -> City:
    return City.open(extract_city_dir)


@pytest.mark.extract
def test_every_licence_of_the_extract_is_accounted_for(city: City, extract_dir: Path) -> None:
    raw = pd.read_csv(extract_dir / "alcohol_outlets_2015.csv")
    account = city.account("outlets")
    assert account.read == len(raw) == 1346
    assert account.accepted + account.quarantined == account.read
    outlets = city.table("outlets")
    count = outlets["category"].value_counts()
    assert count["bar"] == raw["Occupation Code"].str.contains("DRINKING PLACES").sum() == 386
    assert count.sum() == account.accepted
    doors = outlets[["lon", "lat"]].drop_duplicates()
    assert len(outlets) - len(doors) == 54


@pytest.mark.extract
def test_what_the_licences_do_not_say_is_not_made_up(city: City) -> None:
    outlets = city.table("outlets")
    for column in ("opened_on", "closed_on", "hours", "capacity"):
        assert outlets[column].isna().all()
    source = city.source("outlets")
    assert source.period == "2015"
    assert any("2022" in caveat for caveat in source.caveats)


@pytest.mark.extract
def test_outlets_stand_at_streets_and_stations_at_stacks(city: City, extract_dir: Path) -> None:
    outlets = city.table("outlets")
    metres = city.network.snap(outlets["lon"], outlets["lat"])[1]
    assert np.median(metres) < 60
    points = pd.read_parquet(extract_dir / "call_points_2022.parquet").round(6)
    stack = points.value_counts(["longitude", "latitude"])
    rules = city.profile.outlets
    assert rules is not None
    for place in rules.booking_places:
        if "bear this one point" in place.source:
            said = int(next(word for word in place.source.split("; ")[-1].split() if word.isdigit()))
            assert stack[(place.lon, place.lat)] == said, place.name
