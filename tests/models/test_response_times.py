"""Response times against hand-written calls, numpy's percentiles, a printed table and simulated coverage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from errors import InvalidInputError
from models.response_times import INTERVALS, call_minutes, order_statistic_ranks, quantiles_by_group
from tests.models.calls_cases import ZONE, random_calls, without_times


def at(*minutes: float | None) -> "pd.Series[pd.Timestamp]":
    start = pd.Timestamp("2023-03-12 01:50", tz=ZONE)  # ten minutes before summer time starts
    passed = pd.to_timedelta(pd.Series(minutes, dtype="float64"), unit="min")
    return pd.Series(start + passed).dt.as_unit("us")


def test_each_interval_runs_between_its_named_moments() -> None:
    calls = pd.DataFrame(
        {
            "call_id": ["a", "b", "c", "d", "e", "f"],
            "opened_at": at(0, 0, 0, 0, 0, None),
            "dispatched_at": at(2, None, 3, 1, 0, 1),
            "arrived_at": at(20, None, 13, -1, 0, 9),
            "self_initiated": pd.array([False, None, None, False, True, False], dtype="boolean"),
        }
    )
    responses = pd.DataFrame(
        {
            "call_id": ["a", "a", "a", "b", "b"],
            "assigned_at": at(2, 3, 1, 4, 5),
            "enroute_at": at(3, 5, 1, 6, 7),
            "on_scene_at": at(12, 11, 2, None, None),
            "cancelled": pd.array([False, False, True, False, None], dtype="boolean"),
        }
    )
    times = call_minutes(calls, responses)
    nan = np.nan
    expected = {
        "opened_to_arrived": [
            11,
            nan,
            13,
            nan,
            nan,
            nan,
        ],  # a: the second unit came first; d: before it opened
        "opened_to_dispatched": [2, 4, 3, 1, nan, nan],  # b: no dispatch time, so its first assignment
        "dispatched_to_arrived": [9, nan, 10, nan, nan, 8],
        "assigned_to_enroute": [2, nan, nan, nan, nan, nan],  # of the unit that came first
        "enroute_to_on_scene": [6, nan, nan, nan, nan, nan],
    }
    assert {interval.key for interval in INTERVALS} == set(expected)
    for key, minutes in expected.items():
        np.testing.assert_allclose(times.minutes[key], minutes, err_msg=key)
    assert dict(times.negative) == {
        key: int(key in {"opened_to_arrived", "dispatched_to_arrived"}) for key in expected
    }


def test_calls_without_times_have_no_interval() -> None:
    times = call_minutes(without_times(random_calls(50, seed=1)))
    assert times.measured == ()
    only_ids = call_minutes(
        pd.DataFrame({"call_id": ["a", "b"]}), pd.DataFrame({"call_id": [], "assigned_at": []})
    )
    assert only_ids.measured == ()
    assert call_minutes(random_calls(0, seed=1)).minutes["opened_to_arrived"].shape == (0,)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(0, 300), n_groups=st.integers(1, 9), seed=st.integers(0, 9999))
def test_quantiles_equal_numpy_and_rows_may_come_in_any_order(n: int, n_groups: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    minutes = np.where(rng.random(n) < 0.1, np.nan, np.round(rng.gamma(3.0, 3.0, n), 1))
    group = rng.integers(-1, n_groups, n)
    table = quantiles_by_group(minutes, group, n_groups=n_groups, shares=(0.5, 0.9))
    for i in range(n_groups):
        values = minutes[(group == i) & np.isfinite(minutes)]
        assert table.loc[i, "n"] == values.size
        for share, name in ((0.5, "p50"), (0.9, "p90")):
            if values.size == 0:
                assert table.loc[i, [f"{name}_min", f"{name}_low_min", f"{name}_high_min"]].isna().all()
                continue
            assert table.loc[i, f"{name}_min"] == pytest.approx(np.quantile(values, share))
            estimate = table[f"{name}_min"].to_numpy()[i]
            low, high = (table[f"{name}_{end}_min"].to_numpy()[i] for end in ("low", "high"))
            assert np.isnan(low) or low <= estimate + 1e-9
            assert np.isnan(high) or high >= estimate - 1e-9
    order = rng.permutation(n)
    pd.testing.assert_frame_equal(quantiles_by_group(minutes[order], group[order], n_groups=n_groups), table)


def test_ranks_equal_the_printed_table_for_a_median() -> None:
    # 95 % limits of a median: ranks as printed in tables of Conover (1999) and of the sign test
    printed = {
        6: (1, 6),
        8: (1, 8),
        9: (2, 8),
        10: (2, 9),
        12: (3, 10),
        15: (4, 12),
        20: (6, 15),
        25: (8, 18),
    }
    low, high = order_statistic_ranks(list(printed), share=0.5)
    assert dict(zip(printed, zip(low.tolist(), high.tolist(), strict=True), strict=True)) == printed
    assert order_statistic_ranks([5], share=0.5)[0].tolist() == [0]
    assert order_statistic_ranks([35, 36], share=0.9)[1].tolist() == [36, 36]  # 0.9 ** 36 < 0.025 < 0.9 ** 35


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 2000), share=st.floats(0.02, 0.98), level=st.floats(0.5, 0.99))
def test_ranks_cover_and_are_the_tightest_that_do(n: int, share: float, level: float) -> None:
    low, high = (int(ranks) for ranks in order_statistic_ranks(n, share=share, level=level))
    tail = (1 - level) / 2
    below = binom.cdf(np.arange(-1, n + 1), n, share)  # below[k] = P(B <= k - 1)
    assert below[low] <= tail + 1e-12
    assert below[low + 1] >= tail - 1e-12
    assert 1 - below[high] <= tail + 1e-12
    assert 1 - below[high - 1] >= tail - 1e-12


def test_simulated_coverage_is_what_is_promised() -> None:
    rng = np.random.default_rng(11)
    trials, n = 4_000, 60
    minutes = rng.lognormal(2.0, 0.8, (trials, n)).ravel()
    table = quantiles_by_group(minutes, np.repeat(np.arange(trials), n), n_groups=trials)
    for name, z in (("p50", 0.0), ("p90", 1.2815515655446004)):
        truth = np.exp(2.0 + 0.8 * z)
        covered = (
            (table[f"{name}_low_min"] <= truth) & (truth <= table[f"{name}_high_min"].fillna(np.inf))
        ).mean()
        assert 0.945 <= covered <= 0.985, name


def test_bad_arguments_are_told() -> None:
    with pytest.raises(InvalidInputError, match=r"3 faults"):
        order_statistic_ranks([-1], share=90, level=95)
    with pytest.raises(InvalidInputError, match="one group to each time"):
        quantiles_by_group(np.zeros(3), [0, 0], n_groups=1)
