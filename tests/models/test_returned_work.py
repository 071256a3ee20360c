"""Every row that comes back is accepted, or set aside with its reasons, and what is accepted teaches."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from errors import InvalidInputError
from models.basin_inputs import join_looks
from models.returned_work import LEFT_BLANK, Returned, as_cleanings, read_csv, read_returned, template_csv

HEAD = "basin_id,crew,done_at,found,debris_lb,lat,lon\n"
AS_OF = pd.Timestamp("2026-11-01", tz="UTC")


def _read(lines: str, *, known: pd.DataFrame | None = None) -> Returned:
    return read_returned(
        read_csv((HEAD + lines).encode()),
        basin_ids=["B1", "B2"],
        as_of=AS_OF,
        timezone="America/Chicago",
        known=known,
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("B9,T,2026-05-01 10:00,clean,5,,", "unknown basin"),
        (",T,2026-05-01 10:00,clean,5,,", "no basin_id"),
        ("B1,T,,clean,5,,", "no date"),
        ("B1,T,soon,clean,5,,", "unreadable date"),
        ("B1,T,2026-11-02 10:00,clean,5,,", "a date in the future"),
        ("B1,T,2026-05-01 10:00,,5,,", "no finding"),
        ("B1,T,2026-05-01 10:00,cloged,5,,", "unknown finding; the words are clean, clogged"),
        ("B1,T,2026-05-01 10:00,clean,-5,,", "negative debris"),
        ("B1,T,2026-05-01 10:00,clean,lots,,", "debris is not a number"),
        ("B1,T,2026-05-01 10:00,clean,5,29.9,", "lat and lon are not both degrees"),
        ("B1,T,2026-05-01 10:00,clean,5,29.9,900", "lat and lon are not both degrees"),
        ("B1,,,,,,", LEFT_BLANK),
    ],
)
def test_a_wrong_row_is_set_aside_with_its_reason(line: str, reason: str) -> None:
    back = _read(line + "\n")
    assert (len(back.accepted), back.read) == (0, 1)
    assert reason in back.quarantined["reason"].iloc[0]
    assert back.quarantined["row"].tolist() == [2]


def test_a_repeated_row_is_set_aside_and_a_mended_one_is_not() -> None:
    good = "B1,T,2026-05-01 10:00,clean,5,,\n"
    back = _read("B1,T,2026-05-01 10:00,clean,-5,,\n" + good + good)
    assert back.accepted["row"].tolist() == [3]
    assert back.quarantined["reason"].str.contains("repeated row").tolist() == [False, True]
    again = _read(good, known=back.accepted)
    assert again.quarantined["reason"].str.contains("repeated row").tolist() == [True]


@pytest.mark.parametrize(
    "said",
    [
        "2026-07-01 14:05",
        "2026-07-01 14:05:00",
        "7/1/2026 14:05",
        "7/1/2026 2:05 PM",
        "2026-07-01T14:05:00-05:00",
    ],
)
def test_times_are_local_unless_they_say_otherwise(said: str) -> None:
    back = _read(f'B1,T,{said},Clogged,"1,000",29.95,-90.07\n')
    row = back.accepted.iloc[0]
    assert row["done_at"] == pd.Timestamp("2026-07-01 19:05", tz="UTC")
    assert row["debris_kg"] == pytest.approx(453.59237)
    assert (row["found"], row["lat"], row["lon"]) == ("clogged", 29.95, -90.07)


CELLS = st.sampled_from(["", "B1", "B2", "B9", "2026-05-01 10:00", "clean", "-3", "5", "x", "'=B1", "29.9"])


@given(st.lists(st.tuples(*[CELLS] * 7), max_size=30))
@settings(max_examples=20, deadline=None)
def test_accepted_and_set_aside_are_all_that_was_read(rows: list[tuple[str, ...]]) -> None:
    back = _read("".join(",".join(row) + "\n" for row in rows))
    assert back.read == len(rows)
    both = np.concatenate([back.accepted["row"], back.quarantined["row"]])
    assert sorted(both.tolist()) == list(range(2, len(rows) + 2))
    assert (back.quarantined["reason"] != "").all()
    assert not back.accepted.duplicated(["basin_id", "done_at"]).any()


def test_files_that_are_no_table_are_refused_in_words() -> None:
    with pytest.raises(InvalidInputError, match="lacks the column"):
        read_returned(read_csv(b"a,b\n1,2\n"), basin_ids=[], as_of=AS_OF, timezone="UTC")
    with pytest.raises(InvalidInputError, match="no CSV"):
        read_csv(b"")
    with pytest.raises(InvalidInputError, match="no text"):
        read_csv(b"\x81\x8d\x8f")
    assert read_csv(b"basin_id\nCaf\xe9\n")["basin_id"].tolist() == ["Caf\xe9"]


def test_the_template_is_read_as_no_rows() -> None:
    back = read_returned(read_csv(template_csv()), basin_ids=[], as_of=AS_OF, timezone="UTC")
    assert (back.read, len(back.accepted), len(back.quarantined)) == (0, 0, 0)


def test_accepted_work_is_looked_at_and_checked_like_any_other() -> None:
    accepted = _read("B1,T,2026-05-01 10:00,clogged,5,,\nB2,T,2026-05-01 11:00,car parked,,,\n").accepted
    never = pd.Series(pd.NaT, index=[0, 1], dtype="datetime64[us, UTC]")
    basins = pd.DataFrame(
        {"basin_id": ["B2", "B1"], "last_cleaned_at": never, "inspected_at": never, "condition": [None, None]}
    )
    looks = join_looks(basins, None, accepted, as_of=AS_OF)
    assert looks.basin.tolist() == [0, 1]
    assert looks.found.tolist() == ["car parked", "clogged"]
    assert looks.clean_after.tolist() == [False, True]
    work = as_cleanings(accepted)
    assert work["cleaning_id"].is_unique
    assert work["cleaned_at"].tolist() == accepted["done_at"].tolist()
