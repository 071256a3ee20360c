"""Opening hours are read as a person reads them: checked minute by minute against a plain reference."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.opening_hours import (
    DAYS,
    WEEK_MINUTES,
    parse_opening_hours,
    read_opening_hours,
    week_minutes,
)

Span = tuple[int, int]
Rule = tuple[tuple[int, ...], tuple[Span, ...]]

clock = st.integers(0, 1439)
spans = st.lists(st.tuples(clock, clock).filter(lambda s: s[0] != s[1]), min_size=1, max_size=3).map(tuple)
rules = st.lists(
    st.tuples(st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(tuple), spans),
    min_size=1,
    max_size=4,
)


def _text(rule: Rule) -> str:
    days, times = rule
    listed = ",".join(DAYS[day] for day in days)
    return f"{listed} " + ",".join(f"{a // 60:02d}:{a % 60:02d}-{b // 60:02d}:{b % 60:02d}" for a, b in times)


def _is_open(rules_given: list[Rule], minute: int) -> bool:
    """Ask of one minute: did today's hours, or yesterday's past midnight, hold it?"""
    today, now = divmod(minute, 1440)
    for day, at in ((today, now), ((today - 1) % 7, now + 1440)):
        last = [times for days, times in rules_given if day in days][-1:]
        for begin, end in last[0] if last else ():
            if begin <= at < (end if end > begin else end + 1440):
                return True
    return False


@given(rules, st.lists(st.integers(0, WEEK_MINUTES - 1), min_size=40, max_size=40))
def test_every_minute_is_as_the_reference_says(given_rules: list[Rule], asked: list[int]) -> None:
    week = parse_opening_hours("; ".join(map(_text, given_rules)))
    assert [bool(week.minutes[minute]) for minute in asked] == [_is_open(given_rules, m) for m in asked]


@given(rules)
def test_a_closing_time_is_where_open_turns_to_closed(given_rules: list[Rule]) -> None:
    week = parse_opening_hours("; ".join(map(_text, given_rules)))
    for day, end in enumerate(week.closes_at):
        begins = [
            minute
            for minute in range(day * 1440, (day + 1) * 1440)
            if week.minutes[minute] and not week.minutes[minute - 1]
        ]
        if week.never_closes or not begins:
            assert end is None
            continue
        assert end is not None
        at = day * 1440 + end
        assert week.minutes[(at - 1) % WEEK_MINUTES]
        assert not week.minutes[at % WEEK_MINUTES]
        assert all(week.minutes[minute % WEEK_MINUTES] for minute in range(begins[-1], at))


def test_a_bar_of_the_corner() -> None:
    week = parse_opening_hours("Mo-Th 16:00-24:00; Fr-Sa 16:00-03:00")
    assert week.hours_a_week == 4 * 8 + 2 * 11
    assert week.hours.shape == (168,)
    assert week.hours.sum() == 54
    assert week.hours[4 * 24 + 16 : 4 * 24 + 27].all()
    assert not week.hours[6 * 24 + 3 :].any()
    assert week.closes_at == (1440, 1440, 1440, 1440, 1620, 1620, None)
    assert week.closing_words()[4:] == ("Fr closes Sa 03:00", "Sa closes Su 03:00", "Su does not open")
    assert week.closing_words()[0] == "Mo closes Mo 24:00"


def test_sunday_night_ends_on_monday() -> None:
    week = parse_opening_hours("Su 22:00-02:00")
    assert np.flatnonzero(week.hours).tolist() == [0, 1, 166, 167]
    assert week.closes_at[6] == 26 * 60


def test_hours_may_be_written_past_24() -> None:
    late, wrapped = parse_opening_hours("Fr 16:00-27:00"), parse_opening_hours("Fr 16:00-03:00")
    np.testing.assert_array_equal(late.minutes, wrapped.minutes)


def test_a_place_that_never_closes() -> None:
    for text in ("24/7", "Mo-Su 00:00-24:00", "00:00-24:00"):
        week = parse_opening_hours(text)
        assert week.never_closes
        assert week.hours_a_week == 168
        assert week.closes_at == (None,) * 7
        assert week.closing_words()[0] == "Mo does not close"


def test_a_later_rule_replaces_the_day() -> None:
    week = parse_opening_hours("Mo-Su 10:00-22:00; Tu 12:00-14:00; We off; Sa-Mo closed")
    assert week.hours.reshape(7, 24).sum(axis=1).tolist() == [0, 2, 0, 12, 12, 0, 0]


def test_half_an_hour_counts_as_an_open_hour() -> None:
    week = parse_opening_hours("Mo 10:30-11:29")
    assert np.flatnonzero(week.hours).tolist() == [10]
    assert week.hours_a_week == pytest.approx(59 / 60)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mon 10:00-12:00", "is not a day"),
        ("Mo", "has no times"),
        ("Mo 10-12", "not a stretch of time"),
        ("Mo 10:00-10:00", "begins when it ends"),
        ("Mo 10:70-12:00", "not on the clock"),
        ("Mo 25:00-26:00", "not on the clock"),
        ("Mo 10:00-49:00", "not on the clock"),
        ("Mo 10:00+", "open end"),
        ("PH off", "holidays"),
        ("Mo sunrise-sunset", "the sun"),
        ("Jan-Mar 10:00-12:00", "seasons"),
        ('Mo 10:00-12:00 "by appointment"', "comments"),
        ("", "no hour of the week"),
        ("Mo off", "no hour of the week"),
        ("late", "is not a day"),
    ],
)
def test_bad_text_gives_its_reason(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse_opening_hours(text)


def test_all_faults_come_together() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_opening_hours("Xx 10:00-12:00; Mo 9; PH off")
    assert "3 faults" in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    table = read_opening_hours([text])
    assert bool(table.known[0]) == (not table.reason[0])


def test_a_column_with_gaps() -> None:
    table = read_opening_hours(pd.Series(["24/7", None, "whenever", "Mo 10:00-12:00"]))
    assert table.known.tolist() == [True, False, False, True]
    assert table.open_hours.sum(axis=1).tolist() == [168, 0, 0, 2]
    np.testing.assert_array_equal(table.hours_a_week, [168, np.nan, np.nan, 2])
    assert table.reason[1] == "the source gives no hours"
    assert "is not a day" in table.reason[2]
    assert read_opening_hours([]).open_hours.shape == (0, 168)


def test_times_become_minutes_of_the_citys_week() -> None:
    # 7 July 2025 was a Monday; New Orleans is five hours behind UTC in summer.
    times = pd.to_datetime(pd.Series(["2025-07-07T05:00Z", "2025-07-07T04:59Z", None]), utc=True)
    assert week_minutes(times, "America/Chicago").tolist() == [0, WEEK_MINUTES - 1, -1]
    with pytest.raises(InvalidInputError, match="time zone"):
        week_minutes(pd.to_datetime(pd.Series(["2025-07-07"])), "America/Chicago")
