"""Demand: counts by hand, shrinkage by integration, intervals by simulation, a backtest on Austin's calls."""

import math
import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import nbinom, poisson

from errors import InvalidInputError
from models.demand_backtest import SCALES, Backtest, backtest, forecast
from models.demand_forecast import (
    cell_kernel,
    fit_rates,
    fit_shape,
    hour_kernel,
    planners_rates,
    shrink,
)
from models.weekly_counts import WeeklyCounts, weekly_counts

FloatArray = npt.NDArray[np.float64]

ELSEWHERE_DEFAULT = Path(__file__).parents[3] / "shared" / "elsewhere"
FIRST_MONDAY = pd.Timestamp("2018-12-31")
PANDEMIC_WEEK = 62
"""The week from Monday 9 March 2020, counted from that of 31 December 2018."""


@pytest.fixture(scope="module")
def austin() -> WeeklyCounts:
    """Austin's ambulance calls on weekdays by hour and grid cell, January 2019 to 21 April 2020."""
    folder = Path(os.environ.get("CRESCENT_ELSEWHERE", ELSEWHERE_DEFAULT))
    path = folder / "austin_ems_weekday_hourly.csv.gz"
    if not path.exists():
        pytest.skip(f"Austin's calls are not at {path}; set CRESCENT_ELSEWHERE to their folder")
    rows = pd.read_csv(path, parse_dates=["date"])
    cell, names = pd.factorize(rows["cell"], sort=True)
    hour = (rows["date"] - FIRST_MONDAY).dt.days * 24 + rows["hour"]
    return weekly_counts(
        hour.to_numpy(dtype=np.int64),
        cell.astype(np.int64),
        n_cells=len(names),
        start=24,
        end=(pd.Timestamp("2020-04-22") - FIRST_MONDAY).days * 24,
        calls=rows["calls"].to_numpy(),
        recorded=np.arange(168) < 120,
    )


def simulated(
    *, n_weeks: int = 20, n_cells: int = 12, a_week: float = 400.0, shape: float = 4.0, seed: int = 0
) -> tuple[WeeklyCounts, FloatArray]:
    """Poisson calls with a daily rhythm, unequal cells and a factor of each hour and cell of its own."""
    rng = np.random.default_rng(seed)
    hours = np.arange(168)
    rhythm = 1 + 0.6 * np.sin(2 * np.pi * (hours % 24 - 9) / 24)
    rate = np.outer(rhythm, rng.gamma(1.0, 1.0, n_cells) + 0.05)
    rate *= rng.gamma(shape, 1 / shape, rate.shape)
    rate *= a_week / rate.sum()
    counts = rng.poisson(rate, (n_weeks, 168, n_cells)).astype(np.float32)
    return WeeklyCounts(counts, hours), rate


def against_planners(table: pd.DataFrame, scale: str) -> dict[Hashable, Any]:
    """The row of the skill table that compares with the planners' rule."""
    (row,) = table[(table["scale"] == scale) & (table["other"] == "planners")].to_dict("records")
    return row


# Counting.


@given(st.lists(st.tuples(st.integers(30, 700), st.integers(-1, 3), st.integers(0, 5)), max_size=40))
def test_calls_are_counted_in_their_hour_and_cell(rows: list[tuple[int, int, int]]) -> None:
    rows = [*rows, (40, 0, 1)]
    hour, cell, calls = (np.array(part) for part in zip(*rows, strict=True))
    found = weekly_counts(hour, cell, n_cells=4, start=30, end=701, calls=calls)
    assert found.counts.shape == (5, 168, 4)
    assert np.isnan(found.counts[0, :30]).all()
    assert np.isnan(found.counts[-1, 701 - 672 :]).all()
    for at in range(30, 701):
        for number in range(4):
            expected = sum(n for h, c, n in rows if h == at and c == number)
            assert found.counts[at // 168, at % 168, number] == expected


def test_hours_without_a_record_are_not_hours_without_calls() -> None:
    found = weekly_counts(
        np.array([5, 30]),
        np.array([0, 0]),
        n_cells=1,
        start=0,
        end=336,
        recorded=np.arange(168) < 120,
        gaps=[7, 170, 900],
    )
    assert found.counts.shape == (2, 120, 1)
    assert found.counts[0, 5, 0] == 1
    assert found.counts[0, 6, 0] == 0
    assert np.isnan(found.counts[0, 7, 0])
    assert np.isnan(found.counts[1, 2, 0])
    assert np.isnan(found.counts).sum() == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hour": np.array([1.5, 2.0])}, "whole numbers"),
        ({"hour": np.array([1, 999])}, "outside the period"),
        ({"cell": np.array([0, 7])}, "does not exist"),
        ({"calls": np.array([1.0, -2.0])}, "negative"),
        ({"calls": np.array([1.0, np.nan])}, "missing"),
        ({"calls": np.array([1.0, 0.5])}, "not whole"),
        ({"calls": np.array([1.0])}, "give each row"),
        ({"end": 0}, "must end"),
        ({"recorded": np.zeros(168, dtype=bool)}, "168 entries"),
        ({"recorded": np.arange(168) > 100}, "not to be recorded"),
        ({"calls": np.array([0, 0])}, "no demand to forecast"),
    ],
)
def test_rows_that_cannot_be_counted_are_said(change: dict[str, object], said: str) -> None:
    good: dict[str, object] = {"hour": np.array([1, 2]), "cell": np.array([0, 1])}
    rest: dict[str, object] = {"n_cells": 2, "start": 0, "end": 168}
    with pytest.raises(InvalidInputError, match=said):
        weekly_counts(**{**good, **rest, **change})  # type: ignore[arg-type]


def test_counts_that_cannot_be_used_are_said() -> None:
    hours = np.arange(168)
    good = np.ones((2, 168, 1), dtype=np.float32)
    with pytest.raises(InvalidInputError, match="negative"):
        WeeklyCounts(-good, hours)
    with pytest.raises(InvalidInputError, match="not whole"):
        WeeklyCounts(np.full_like(good, 0.5), hours)
    with pytest.raises(InvalidInputError, match="infinite"):
        WeeklyCounts(np.full_like(good, np.inf), hours)
    with pytest.raises(InvalidInputError, match="nothing was recorded"):
        WeeklyCounts(np.full_like(good, np.nan), hours)
    with pytest.raises(InvalidInputError, match="not one call"):
        WeeklyCounts(good * 0, hours)
    with pytest.raises(InvalidInputError, match="rise from 0"):
        WeeklyCounts(good, hours[::-1])
    with pytest.raises(InvalidInputError, match="weeks, hours and cells"):
        WeeklyCounts(good[0], hours)


# Shrinkage.


@settings(max_examples=25)
@given(st.integers(0, 30), st.floats(0.5, 20), st.floats(0.5, 50))
def test_the_factor_is_the_posterior_mean_by_integration(seen: int, expected: float, a: float) -> None:
    def weight(log_factor: float, power: int) -> float:
        factor = math.exp(log_factor)
        calls = seen * math.log(expected * factor) - expected * factor - math.lgamma(seen + 1)
        prior = a * math.log(a) - math.lgamma(a) + (a - 1) * log_factor - a * factor
        return math.exp(calls + prior + 40 + (1 + power) * log_factor)

    total, first = (quad(weight, -60, 6, args=(power,), limit=500, epsabs=0)[0] for power in (0, 1))
    assert (a + seen) / (a + expected) == pytest.approx(first / total, rel=1e-6)


def test_the_shape_is_the_most_likely_and_the_factors_follow_from_it() -> None:
    rng = np.random.default_rng(4)
    expected = rng.uniform(0.5, 8, 3000)
    seen = np.asarray(rng.poisson(expected * rng.gamma(2.5, 1 / 2.5, 3000)), dtype=float)

    def loss(a: float) -> float:
        return -float(np.sum(nbinom.logpmf(seen, a, a / (a + expected))))

    best = float(minimize_scalar(loss, bounds=(0.1, 50), method="bounded").x)
    factor, a = shrink(seen, expected)
    assert a == pytest.approx(best, rel=1e-2)
    assert a == pytest.approx(2.5, rel=0.15)
    np.testing.assert_allclose(factor, (a + seen) / (a + expected))
    even, wide = shrink(np.asarray(rng.poisson(expected), dtype=float), expected)
    assert wide > 100
    assert np.abs(even - 1).max() < 0.1
    assert fit_shape(np.zeros(3), np.zeros(3)) > 1e5


def test_rates_without_kernel_equal_a_computation_by_itself() -> None:
    """The formula of the module written out once more, with scipy's likelihood, for hours alone."""
    past, _ = simulated(n_weeks=15, n_cells=1, shape=3.0)
    rates = fit_rates(past, hour_sd=0.0)
    counts = past.counts[:, :, 0].astype(float)
    weight = 0.5 ** (np.arange(15, 0, -1) / 26)
    weight *= weight.sum() / (weight**2).sum()
    seen, level = weight @ counts, counts.sum(axis=1)
    share = np.full(168, 1 / 168)
    for _ in range(3):  # around all, around the neighbourhood (itself), and the cell's own factor
        expected = share * (weight @ level)
        a = _most_likely(seen, expected)
        share = share * (a + seen) / (a + expected)
        share /= share.sum()
    np.testing.assert_allclose(rates.mean[:, 0] / rates.level, share, rtol=5e-3)


def _most_likely(seen: FloatArray, expected: FloatArray) -> float:
    def loss(log_a: float) -> float:
        a = np.exp(log_a)
        return -float(
            (
                gammaln(a + seen)
                - gammaln(a)
                + nbinom.logpmf(0, a, a / (a + expected))
                + seen * np.log(expected / (a + expected))
            ).sum()
        )

    return float(np.exp(minimize_scalar(loss, bounds=(-6, 13), method="bounded").x))


def test_intervals_hold_the_true_rates_as_often_as_they_say() -> None:
    """With many cells; a dozen unequal ones leave less to learn their differences from."""
    for n_cells, a_week, tolerance in ((140, 1800.0, 0.025), (12, 400.0, 0.08)):
        inside = []
        for seed in range(4):
            past, rate = simulated(n_weeks=30, n_cells=n_cells, a_week=a_week, seed=seed)
            low, high = fit_rates(past, hour_sd=0.0).interval(0.9)
            inside.append(((low <= rate) & (rate <= high)).mean())
        assert np.mean(inside) == pytest.approx(0.9, abs=tolerance)


def test_the_citys_intervals_hold_its_true_rates() -> None:
    inside = []
    for seed in range(8):
        past, rate = simulated(n_weeks=12, seed=seed)
        low, high = fit_rates(past, hour_sd=0.0).city_interval(0.9)
        true = rate.sum(axis=1)
        inside.append(((low <= true) & (true <= high)).mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.08)


def test_few_calls_are_drawn_to_the_rhythm_of_all() -> None:
    past, rate = simulated(n_weeks=6, shape=1e5)
    rates = fit_rates(past)
    plain = past.counts.mean(axis=0)
    assert np.abs(rates.mean - rate).mean() < 0.35 * np.abs(plain - rate).mean()
    assert rates.mean.sum() == pytest.approx(rates.level)
    assert rates.level == pytest.approx(400, rel=0.05)


def test_gaps_are_not_read_as_quiet_hours() -> None:
    past, rate = simulated(n_weeks=20, a_week=2000, shape=1e5)
    holed = past.counts.copy()
    holed[4:9, 30:60] = np.nan
    holed[12] = np.nan
    holed[15:, :, 0] = np.nan
    rates = fit_rates(WeeklyCounts(holed, past.hour_of_week))
    assert rates.level == pytest.approx(2000, rel=0.03)
    assert rates.mean[30:60].sum() == pytest.approx(rate[30:60].sum(), rel=0.05)
    assert rates.mean[:, 0].sum() == pytest.approx(rate[:, 0].sum(), rel=0.1)


def test_neighbours_help_a_cell_without_calls() -> None:
    past, _ = simulated(n_weeks=8, n_cells=6)
    quiet = past.counts.copy()
    quiet[:, :, 2] = 0
    there = WeeklyCounts(quiet, past.hour_of_week)
    alone = fit_rates(there).mean[:, 2]
    kernel = cell_kernel(np.linspace(0, 2500, 6), np.zeros(6), 600.0)
    helped = fit_rates(there, cells=kernel).mean[:, 2]
    assert (alone > 0).all()
    assert helped.sum() > alone.sum()


def test_kernels_weigh_by_distance_around_the_week() -> None:
    hours = hour_kernel(np.arange(168), 1.0)
    np.testing.assert_allclose(hours, hours.T)
    assert hours[0, 0] == 1
    assert hours[0, 167] == hours[0, 1] == pytest.approx(np.exp(-0.5))
    assert hours[0, 4] == 0
    np.testing.assert_array_equal(hour_kernel(np.arange(5), 0.0), np.eye(5))
    cells = cell_kernel(np.array([0.0, 300.0, 5000.0]), np.zeros(3), 300.0).toarray()
    np.testing.assert_allclose(cells, cells.T)
    assert cells[0, 0] == 1
    assert cells[0, 1] == pytest.approx(np.exp(-0.5))
    assert cells[0, 2] == 0
    with pytest.raises(InvalidInputError, match="width above zero"):
        cell_kernel(np.zeros(2), np.zeros(2), 0.0)


# The planners' rule.


@settings(max_examples=25)
@given(st.integers(1, 120), st.integers(0, 10_000))
def test_the_planners_mean_is_that_of_the_named_weeks(n_weeks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (n_weeks, 3, 2)).astype(np.float32)
    counts[rng.random(counts.shape) < 0.2] = np.nan
    counts[0] = 1
    past = WeeklyCounts(counts, np.array([0, 5, 100]), first_week=7)
    found = planners_rates(past)
    for slot in range(3):
        for cell in range(2):
            named = [
                counts[n_weeks - back - 52 * year, slot, cell]
                for year in range(5)
                for back in range(1, 5)
                if n_weeks - back - 52 * year >= 0
            ]
            known = [value for value in named if not np.isnan(value)]
            expected = np.mean(known) if known else np.nanmean(counts[:, :, cell])
            assert found[slot, cell] == pytest.approx(expected, rel=1e-6)


# The backtest.


def test_a_forecast_knows_nothing_of_what_comes_after() -> None:
    past, _ = simulated(n_weeks=16)
    changed = past.counts.copy()
    changed[14:] = 9
    one, other = (backtest(WeeklyCounts(each, past.hour_of_week)).weeks for each in (past.counts, changed))
    early = one["week"] < 14
    pd.testing.assert_frame_equal(one[early], other[early])
    assert not one[~early].equals(other[~early])


def test_smoothing_is_better_where_calls_are_few_and_its_counts_fall_where_they_should() -> None:
    past, _ = simulated(n_weeks=24)
    table = backtest(past).skill()
    for scale in SCALES:
        row = against_planners(table, scale)
        assert row["verdict"] == "better"
        assert row["gain_low"] > 0
        assert abs(row["bias"]) < 0.05
        assert row["inside"] == pytest.approx(0.9, abs=0.03)


def test_the_scores_of_a_week_equal_plain_loops() -> None:
    past, _ = simulated(n_weeks=13, n_cells=2)
    holed = past.counts.copy()
    holed[12, 5, 1] = np.nan
    holed[11, :, :] = np.nan
    rows = backtest(WeeklyCounts(holed, past.hour_of_week)).weeks
    assert sorted(rows["week"].unique()) == [8, 9, 10, 12]
    mean = planners_rates(WeeklyCounts(holed[:12], past.hour_of_week))
    k = np.arange(200)
    total, scored = 0.0, 0
    for slot in range(168):
        for cell in range(2):
            y = holed[12, slot, cell]
            if not np.isnan(y):
                total += float(((poisson.cdf(k, mean[slot, cell]) - (k >= y)) ** 2).sum())
                scored += 1
    row = rows[(rows["week"] == 12) & (rows["method"] == "planners")].set_index("scale")
    assert row["hours"][SCALES[0]] == scored == 335
    assert row["hours"][SCALES[1]] == 167
    assert row["crps"][SCALES[0]] == pytest.approx(total / scored, rel=1e-6)
    assert row["observed"][SCALES[0]] == np.nansum(holed[12])


def test_no_forecast_without_its_skill() -> None:
    past, _ = simulated(n_weeks=13)
    told = forecast(past)
    assert told.rates.mean.shape == (168, 12)
    assert isinstance(told.backtest, Backtest)
    assert len(told.backtest.skill()) == 4
    short, _ = simulated(n_weeks=9)
    with pytest.raises(InvalidInputError, match="12 weeks are needed"):
        forecast(short)


def test_faults_of_a_forecast_are_said() -> None:
    past, _ = simulated(n_weeks=9)
    with pytest.raises(InvalidInputError, match="after those seen"):
        fit_rates(past, week=3)
    with pytest.raises(InvalidInputError, match="kernel must weigh"):
        fit_rates(past, cells=cell_kernel(np.zeros(2), np.zeros(2), 1.0))
    empty = past.counts.copy()
    empty[:, 2:] = np.nan
    with pytest.raises(InvalidInputError, match="tenth of its hours"):
        fit_rates(WeeklyCounts(empty * 0 + 1, past.hour_of_week))


def test_austins_calls_are_all_counted(austin: WeeklyCounts) -> None:
    assert austin.counts.shape == (69, 120, 142)
    assert np.nansum(austin.counts) == 120_515
    assert np.isnan(austin.counts).all(axis=2).sum() == 24 + 72


def test_smoothing_beats_the_planners_rule_in_austin_with_and_without_the_pandemic(
    austin: WeeklyCounts,
) -> None:
    tested = backtest(austin, training_weeks=45)
    weeks = tested.weeks["week"].unique()
    for chosen in (weeks, weeks[weeks < PANDEMIC_WEEK]):
        table = tested.skill(weeks=chosen)
        for scale in SCALES:
            row = against_planners(table, scale)
            assert row["verdict"] == "better"
            assert row["skill"] > 0.05
            assert row["inside"] == pytest.approx(0.9, abs=0.03)
            assert abs(row["bias"]) < 0.05
