"""Closing hours: exact intervals against published output, ranges that stay ranges, refusals with words."""

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from scipy.stats import binom, binomtest, poisson

from errors import InvalidInputError
from models.closing import (
    CAVEATS,
    ClosedHours,
    EarlierClosing,
    NotShown,
    Range,
    closed_hours_control,
    earlier_closing,
    rate_ratio,
    zone_words,
)
from models.closing_studies import STUDIES, dose_for
from models.opening_hours import WEEK_MINUTES, parse_opening_hours

BAR = parse_opening_hours("Mo-Th 16:00-24:00; Fr-Sa 16:00-03:00")
TWO = 26 * 60
counts = st.integers(0, 200)
times = st.floats(0.5, 500)


def _spread(per_minute: float = 1 / 60) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """One incident an hour of the week."""
    minute = np.arange(0, WEEK_MINUTES, round(1 / per_minute))
    return minute, np.ones(len(minute))


def test_the_ratio_equals_the_worked_example_of_r() -> None:
    """R's manual, ``poisson.test(c(11, 6+8+7), c(800, 1083+1050+878))``: 1.971488, 0.8584264 to 4.2772659."""
    ratio, _ = rate_ratio(11, 21, time=800, other_time=3011)
    assert ratio.value == pytest.approx(1.971488, abs=1e-6)
    assert (ratio.low, ratio.high) == pytest.approx((0.8584264, 4.2772659), abs=1e-6)


@given(counts, counts, times, times)
def test_the_ratio_equals_scipys_exact_binomial_interval(x: int, y: int, time: float, other: float) -> None:
    if x + y == 0:
        with pytest.raises(InvalidInputError, match="both counts are zero"):
            rate_ratio(x, y, time=time, other_time=other)
        return
    ratio, p_value = rate_ratio(x, y, time=time, other_time=other)
    share = binomtest(x, x + y).proportion_ci(0.95, method="exact")
    for limit, expected in ((ratio.low, share.low), (ratio.high, share.high)):
        odds = expected / (1 - expected) if expected < 1 else np.inf
        assert limit == pytest.approx(odds * other / time, rel=1e-6)
    even = time / (time + other)
    tails = binom.sf(x - 1, x + y, even), binom.cdf(x, x + y, even)
    assert p_value == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-6, abs=1e-12)
    assert ratio.low <= ratio.value <= ratio.high


@pytest.mark.slow
def test_the_interval_covers_what_was_planted() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(2000):
        x, y = rng.poisson(12 * 1.6), rng.poisson(20)
        ratio, _ = rate_ratio(x, y, time=12, other_time=20)
        covered += ratio.low <= 1.6 <= ratio.high
    assert covered / 2000 >= 0.94


def test_shares_added_up_go_in_as_they_are() -> None:
    between = [rate_ratio(x, 10, time=1, other_time=1)[0].low for x in (7, 7.5, 8)]
    assert between == sorted(between)
    assert between[0] < between[1] < between[2]


def test_an_outlet_is_its_own_control() -> None:
    """One incident an hour, and one more in each open hour: twice as many an hour."""
    minute, share = _spread()
    twice = np.concatenate([minute, minute[BAR.minutes[minute]]])
    found = closed_hours_control(BAR, twice, np.ones(len(twice)))
    assert isinstance(found, ClosedHours)
    assert (found.open_hours, found.closed_hours) == pytest.approx((54, 114))
    assert found.ratio.value == pytest.approx(2.0)
    assert found.ratio.low > 1
    even = closed_hours_control(BAR, minute, share)
    assert isinstance(even, ClosedHours)
    assert even.ratio.value == pytest.approx(1.0)
    assert even.p_value == 1.0


def test_the_streets_rhythm_takes_the_night_out() -> None:
    """Where every street has three times as many incidents in these hours, the outlet has no part in it."""
    rhythm = np.where(BAR.hours, 3.0, 1.0)
    minute = np.repeat(np.arange(168) * 60, rhythm.astype(int))
    share = np.ones(len(minute))
    raw, fair = (
        closed_hours_control(BAR, minute, share),
        closed_hours_control(BAR, minute, share, rhythm=rhythm),
    )
    assert isinstance(raw, ClosedHours)
    assert isinstance(fair, ClosedHours)
    assert raw.ratio.value == pytest.approx(3.0)
    assert fair.ratio.value == pytest.approx(1.0)
    assert fair.open_hours + fair.closed_hours == pytest.approx(168)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "are not known"), ("24/7", "never closes"), ("Mo 10:00-12:00", "no incident with a time")],
)
def test_the_control_is_off_and_says_so(text: str | None, words: str) -> None:
    hours = None if text is None else parse_opening_hours(text)
    found = closed_hours_control(hours, np.array([-1]), np.array([1.0]))
    assert isinstance(found, NotShown)
    assert found.reason.startswith("Off: ")
    assert words in found.reason


def test_hours_and_incidents_after_the_new_hour_are_counted() -> None:
    minute, share = _spread()
    found = earlier_closing(BAR, minute, share, years=2.0, closes=TWO, displacement=(0.0, 0.5))
    assert isinstance(found, EarlierClosing)
    # Friday and Saturday 02:00 to 03:00; eight night hours on seven nights.
    assert found.hours_lost == 2.0
    assert found.hours_earlier == 1.0
    assert found.after_a_year.value == 1.0
    assert found.night_a_year.value == 28.0
    assert found.night_a_year.low == pytest.approx(poisson_limit(56, 0.025) / 2)
    assert found.fewer_low == 0.0
    assert found.fewer_high == pytest.approx(found.night_a_year.high * found.dose.high)


def poisson_limit(count: int, tail: float) -> float:
    """Mean at which so many or more come with probability ``tail``, by bisection."""
    low, high = 0.0, float(count)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if poisson.sf(count - 1, middle) < tail else (low, middle)
    return low


def test_the_shrunken_risk_sets_the_base() -> None:
    minute, share = _spread()
    raw = earlier_closing(BAR, minute, share, years=1.0, closes=TWO)
    base = earlier_closing(BAR, minute, share, years=1.0, closes=TWO, raw_risk=4.0, risk=Range(2.0, 1.0, 3.0))
    assert isinstance(raw, EarlierClosing)
    assert isinstance(base, EarlierClosing)
    assert base.night_a_year == Range(28.0, 14.0, 42.0)
    assert base.fewer_high < raw.fewer_high
    assert any("luck" in sentence for sentence in base.words)
    assert any("promises too much" in sentence for sentence in raw.words)


def test_displacement_takes_off_and_never_adds() -> None:
    minute, share = _spread()
    most = [
        earlier_closing(BAR, minute, share, years=1.0, closes=TWO, displacement=(moved, 1.0))
        for moved in (0.0, 0.5, 1.0)
    ]
    highs = [one.fewer_high for one in most if isinstance(one, EarlierClosing)]
    assert highs[0] > highs[1] > highs[2] == 0.0


def test_the_screen_says_what_does_not_carry_over() -> None:
    minute, share = _spread()
    found = earlier_closing(BAR, np.append(minute, -1), np.append(share, 1.0), years=1.0, closes=TWO)
    assert isinstance(found, EarlierClosing)
    assert set(CAVEATS) <= set(found.words)
    assert any("1 incidents have no time" in sentence for sentence in found.words)


def test_a_place_that_never_closes_can_be_asked_to_but_is_no_control() -> None:
    minute, share = _spread()
    found = earlier_closing(parse_opening_hours("24/7"), minute, share, years=1.0, closes=TWO)
    assert isinstance(found, EarlierClosing)
    assert found.hours_lost == 7 * 4
    assert found.hours_earlier == 4.0
    assert any("never closes today" in sentence for sentence in found.words)
    assert any("only a guide" in sentence for sentence in found.words)


@pytest.mark.parametrize(
    ("text", "words"), [(None, "hours of this outlet are not known"), ("Mo 10:00-22:00", "already closed")]
)
def test_refusals_say_why(text: str | None, words: str) -> None:
    hours = None if text is None else parse_opening_hours(text)
    found = earlier_closing(hours, *_spread(), years=1.0, closes=TWO)
    assert isinstance(found, NotShown)
    assert words in found.reason


def test_a_zone_adds_ranges_and_lists_who_is_left_out() -> None:
    minute, share = _spread()
    one = earlier_closing(BAR, minute, share, years=1.0, closes=TWO)
    assert isinstance(one, EarlierClosing)
    told = zone_words([one, one, NotShown("Not shown: no hours."), NotShown("Not shown: no hours.")])
    assert told[0].startswith(f"0.0 to {2 * one.fewer_high:.1f} incidents fewer a year in 2 of 4 outlets")
    assert "2 outlets: Not shown: no hours." in told
    assert zone_words([]) == ()


def test_every_study_says_where_and_what() -> None:
    for study in STUDIES:
        assert study.citation
        assert study.setting
        assert study.finding
        if study.fewer is not None:
            assert study.low is not None
            assert study.high is not None
            assert study.low <= study.fewer <= study.high


def test_effects_are_the_published_ratios() -> None:
    """Newcastle 0.63 (0.47 to 0.81); Sydney -0.599 (-1.107 to -0.091); Norway 4.8 (2.60 to 6.99) is 16%."""
    by_name = {study.citation.split(",")[0]: study for study in reversed(STUDIES) if study.high is not None}
    newcastle, norway, sydney = by_name["Kypri"], by_name["Rossow"], by_name["Menendez"]
    assert (newcastle.low, newcastle.high) == pytest.approx((0.19, 0.53))
    assert (sydney.fewer, sydney.low, sydney.high) == pytest.approx((0.451, 0.087, 0.669), abs=1e-3)
    assert (norway.low, norway.high) == pytest.approx((0.087, 0.233), abs=1e-3)


@given(st.floats(0.1, 6))
def test_more_hours_never_narrow_the_range(hours: float) -> None:
    dose, more = dose_for(hours), dose_for(hours + 1)
    assert dose.low == 0.0 < dose.high <= more.high < 1.0
    assert ("only a guide" in dose.words) == (hours > 2)


def test_faults_come_together() -> None:
    with pytest.raises(InvalidInputError) as caught:
        earlier_closing(
            BAR,
            np.array([0]),
            np.array([0.5]),
            years=0.0,
            closes=12 * 60,
            raw_risk=0.0,
            risk=Range(1.0, 2.0, 3.0),
            displacement=(0.5, 0.2),
        )
    for words in ("years", "20:00", "displacement", "raw relative risk", "in its interval"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        closed_hours_control(BAR, np.array([0]), np.array([1.5]))
    with pytest.raises(InvalidInputError, match="outside the week"):
        closed_hours_control(BAR, np.array([WEEK_MINUTES]), np.array([1.0]))
    with pytest.raises(InvalidInputError, match="whole numbers"):
        closed_hours_control(BAR, np.array([0.5]), np.array([1.0]))
    with pytest.raises(InvalidInputError, match="one minute and one share"):
        closed_hours_control(BAR, np.array([0, 1]), np.array([1.0]))
    with pytest.raises(InvalidInputError, match="168 numbers"):
        closed_hours_control(BAR, np.array([0]), np.array([1.0]), rhythm=np.zeros(168))
    with pytest.raises(InvalidInputError, match="above zero"):
        dose_for(0.0)
    with pytest.raises(InvalidInputError, match="cannot be negative"):
        rate_ratio(-1, 2, time=1, other_time=0)
