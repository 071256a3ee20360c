"""What the page on bars stands on: outlets that were there, and the years of two tables."""

from datetime import date

import pandas as pd
import pytest

from pages.parts.bars_inputs import open_outlets
from pages.parts.bars_scene import percent, stated_years

DAYS = (date(2025, 1, 1), date(2025, 12, 31))


def outlets() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "outlet_id": ["stays", "gone", "leaves", "new", "comes"],
            "opened_on": pd.to_datetime(
                pd.Series([None, "2001-01-01", "2001-01-01", "2026-01-01", "2025-12-31"])
            ),
            "closed_on": pd.to_datetime(pd.Series([None, "2024-12-31", "2025-01-01", None, None])),
        }
    )


def test_outlets_that_were_not_there_are_left_out_with_the_reason() -> None:
    kept, left_out = open_outlets(outlets(), DAYS)
    assert kept["outlet_id"].tolist() == ["stays", "leaves", "comes"]
    assert kept.index.tolist() == [0, 1, 2]
    assert dict(left_out) == {"closed before the records begin": 1, "opened after the records end": 1}


@pytest.mark.parametrize("columns", [["outlet_id"], ["outlet_id", "opened_on", "closed_on"]])
def test_without_days_every_outlet_stays(columns: list[str]) -> None:
    kept, left_out = open_outlets(outlets()[columns], None if len(columns) > 1 else DAYS)
    assert len(kept) == 5
    assert left_out == ()


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("2015", [2015]),
        ("1 January to 21 March 2022", [2022]),
        ("2019 to 2021", [2019, 2020, 2021]),
        ("licences of 2024 and 2026", [2024, 2026]),
        ("as of today", []),
        ("item 120250", []),
    ],
)
def test_years_are_read_from_words(text: str, years: list[int]) -> None:
    assert stated_years(text) == years


@pytest.mark.parametrize(
    ("chance", "text"), [(1.0, "over 99 %"), (0.0, "under 1 %"), (0.42, "42 %"), (float("nan"), "not known")]
)
def test_a_chance_is_never_certain(chance: float, text: str) -> None:
    assert percent(chance) == text
