"""Trend and daily rate against pandas, exact Poisson tails and simulation."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from errors import InvalidInputError
from models.call_trend import Period, daily_rate, poisson_interval, trend
from models.calls import CallFilter, select
from tests.models.calls_cases import prepared, random_calls

FRAME = random_calls(2_500, seed=6, start="2023-01-04", days=100)
TABLE = prepared(FRAME, medical_agencies=())
ALL = np.ones(len(FRAME), dtype=bool)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 5_000), level=st.floats(0.5, 0.999))
def test_poisson_limits_have_the_exact_tails(count: int, level: float) -> None:
    low, high = (float(limit) for limit in poisson_interval(count, level=level))
    tail = (1 - level) / 2
    assert poisson.cdf(count, high) == pytest.approx(tail, abs=1e-9)
    if count:
        assert poisson.sf(count - 1, low) == pytest.approx(tail, abs=1e-9)
    else:
        assert low == 0


def test_printed_poisson_limits() -> None:
    low, high = poisson_interval([0, 1, 10, 100])  # Garwood's table
    assert low == pytest.approx([0, 0.0253, 4.795, 81.36], abs=0.005)
    assert high == pytest.approx([3.689, 5.572, 18.39, 121.63], abs=0.005)
    assert np.isnan(poisson_interval([np.nan])).all()


def test_dispersion_widens_the_interval_by_its_square_root() -> None:
    narrow, wide = (np.diff(poisson_interval(4_000.0, dispersion=phi), axis=0).item() for phi in (1.0, 4.0))
    assert wide / narrow == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(("period", "rule"), [("week", "W-SUN"), ("month", "M")])
def test_trend_equals_pandas(period: Period, rule: str) -> None:
    first, last = date(2023, 1, 4), date(2023, 4, 13)
    table = trend(TABLE, ALL, period=period, first_day=first, last_day=last)
    opened = FRAME["opened_at"].dt.tz_localize(None)
    expected = opened.groupby(opened.dt.to_period(rule)).size()
    assert table["calls"].tolist() == expected.tolist()
    assert table["calls"].sum() == len(FRAME)
    assert table["starts_on"].tolist() == [p.start_time for p in expected.index]
    days = pd.Series(pd.date_range(first, last)).groupby(pd.date_range(first, last).to_period(rule)).size()
    assert table["days"].tolist() == days.tolist()
    assert not table["complete"].iloc[[0, -1]].any()
    assert table["complete"].iloc[1:-1].all()
    assert table["per_day"].to_numpy() == pytest.approx(expected.to_numpy() / days.to_numpy())
    assert ((table["low"] <= table["per_day"]) & (table["per_day"] <= table["high"])).all()


def test_a_whole_week_and_a_whole_month_are_complete() -> None:
    week = trend(TABLE, ALL, period="week", first_day=date(2023, 1, 9), last_day=date(2023, 1, 15))
    month = trend(TABLE, ALL, period="month", first_day=date(2023, 2, 1), last_day=date(2023, 2, 28))
    assert week[["days", "complete"]].to_numpy().tolist() == [[7, True]]
    assert month[["days", "complete"]].to_numpy().tolist() == [[28, True]]


def test_weeks_without_calls_stay_in_the_trend() -> None:
    quiet = np.asarray(FRAME["opened_at"].dt.month != 2)
    table = trend(TABLE, quiet, period="month", first_day=date(2023, 1, 1), last_day=date(2023, 3, 31))
    assert table["calls"].tolist()[1] == 0
    assert table["low"].tolist()[1] == 0
    assert table["high"].tolist()[1] > 0


def test_chosen_hours_decide_which_days_count() -> None:
    saturdays = frozenset((5, hour) for hour in range(24))
    chosen = select(TABLE, CallFilter(hours=saturdays))
    rate = daily_rate(TABLE, chosen, first_day=date(2023, 1, 4), last_day=date(2023, 4, 13), hours=saturdays)
    assert rate.days == 14
    assert rate.per_day == pytest.approx((FRAME["opened_at"].dt.day_of_week == 5).sum() / 14)
    weekly = trend(
        TABLE, chosen, period="week", first_day=date(2023, 1, 4), last_day=date(2023, 4, 13), hours=saturdays
    )
    assert weekly["days"].tolist() == [1] * 14
    nothing = daily_rate(
        TABLE, chosen, first_day=date(2023, 1, 9), last_day=date(2023, 1, 9), hours=saturdays
    )
    assert nothing.days == 0


def test_daily_rate_covers_the_true_rate_of_poisson_and_of_clustered_days() -> None:
    rng = np.random.default_rng(8)
    for clustered in (False, True):
        covered = 0
        for trial in range(120):
            mean = rng.gamma(4.0, 5.0, 84) if clustered else np.full(84, 20.0)  # both 20 a day
            day = np.repeat(np.arange(84), rng.poisson(mean))
            opened = pd.Timestamp("2023-01-02 12:00", tz="America/Chicago") + pd.to_timedelta(day, unit="D")
            frame = pd.DataFrame(
                {
                    "call_id": [f"{trial}-{i}" for i in range(day.size)],
                    "agency": "Fire",
                    "opened_at": opened,
                    "lon": 0.0,
                    "lat": 0.0,
                }
            )
            table = prepared(frame, resolutions=())
            rate = daily_rate(
                table, np.ones(day.size, dtype=bool), first_day=date(2023, 1, 2), last_day=date(2023, 3, 26)
            )
            assert rate.days == 84
            covered += rate.low <= 20.0 <= rate.high
        assert covered / 120 >= 0.88, clustered


def test_medical_totals_are_rounded_and_small_ones_hidden() -> None:
    medical = prepared(FRAME, medical_agencies=("EMS", "Police", "Fire"))
    table = trend(medical, ALL, period="week", first_day=date(2023, 1, 4), last_day=date(2023, 4, 13))
    exact = trend(TABLE, ALL, period="week", first_day=date(2023, 1, 4), last_day=date(2023, 4, 13))
    assert (table["calls"] % 5 == 0).all()
    assert ((table["calls"] - exact["calls"]).abs() < 5).all()
    few = np.zeros(len(FRAME), dtype=bool)
    few[:8] = True
    hidden = daily_rate(medical, few, first_day=date(2023, 1, 4), last_day=date(2023, 4, 13))
    assert np.isnan([hidden.calls, hidden.per_day, hidden.low, hidden.high]).all()


def test_bad_arguments_are_told() -> None:
    with pytest.raises(InvalidInputError, match="3 faults"):
        poisson_interval(-1, level=95, dispersion=0.5)
    with pytest.raises(InvalidInputError, match="before the first"):
        trend(TABLE, ALL, period="week", first_day=date(2023, 2, 1), last_day=date(2023, 1, 1))
