"""The simulator against a SimPy program of the same rules, and 1,000 replications of a week."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.simpy_dispatch import Service
from benchmarks.timing import seconds_of
from models.dispatch import (
    CallKind,
    CallRates,
    Draw,
    ServiceTimes,
    compile_rules,
    replicate,
    simulate,
    standard_figures,
)

N_PLACES, N_UNITS, N_CALLS = 500, 12, 60_000
YEAR_MIN = 365 * 24 * 60.0
HOME_FACTOR = 1.3

FloatArray = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def ground() -> tuple[FloatArray, FloatArray]:
    """Places over 15 by 15 km and minutes between them at 50 km/h with detours."""
    random = np.random.default_rng(0)
    xy = random.uniform(0, 15_000, (N_PLACES, 2))
    away_m = np.hypot(*(xy[:, np.newaxis] - xy).transpose(2, 0, 1))
    return xy, away_m * random.uniform(1.2, 1.5, away_m.shape) / (50_000 / 60)


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    """Return a year of calls."""
    random = np.random.default_rng(1)
    urgent = random.random(N_CALLS) < 0.35
    return pd.DataFrame(
        {
            "priority": np.where(urgent, 1, 2),
            "unit_type": np.where(urgent, "ALS", ""),
            "call_min": np.sort(random.uniform(0, YEAR_MIN, N_CALLS)),
            "place": random.integers(0, N_PLACES, N_CALLS),
            "turnout_min": random.uniform(0.5, 2, N_CALLS),
            "on_scene_min": random.lognormal(np.log(18), 0.4, N_CALLS),
            "transported": random.random(N_CALLS) < 0.65,
            "at_hospital_min": random.lognormal(np.log(22), 0.35, N_CALLS),
        }
    )


@pytest.fixture(scope="module")
def fleet() -> pd.DataFrame:
    """Return twelve units: nine ALS and three BLS, four of them on duty by day only."""
    rows = []
    for unit in range(N_UNITS):
        kind = "ALS" if unit < 9 else "BLS"
        spans = [(0.0, np.inf)]
        if unit % 3 == 2:
            spans = [(day * 1440 + 420.0, day * 1440 + 1140.0) for day in range(366)]
        rows += [(unit, unit, kind, start, end) for start, end in spans]
    return pd.DataFrame(rows, columns=["unit_id", "post", "unit_type", "starts_min", "ends_min"])


def test_a_year_of_calls(
    benchmark: Benchmark,
    report: Report,
    ground: tuple[FloatArray, FloatArray],
    year: pd.DataFrame,
    fleet: pd.DataFrame,
) -> None:
    xy, travel = ground
    hospitals = [20, 40, 60]
    compile_rules()
    found = benchmark.pedantic(
        simulate,
        (year, fleet, xy, travel, hospitals),
        {"en_route": "line", "home_factor": HOME_FACTOR, "queue": "priority"},
        rounds=10,
        iterations=1,
        warmup_rounds=1,
    )

    def peer() -> tuple[pd.DataFrame, pd.DataFrame]:
        return Service(year, fleet.replace(np.inf, 1e9), xy, travel, hospitals, HOME_FACTOR).run()

    peer_s, (theirs, their_units) = seconds_of(peer, rounds=3)
    for name in ("unit_id", "from_place", "how", "free_units"):
        assert found.calls[name].tolist() == theirs[name].tolist()
    for name in (
        "assigned_min",
        "enroute_min",
        "on_scene_min",
        "leave_min",
        "at_hospital_min",
        "available_min",
    ):
        np.testing.assert_allclose(found.calls[name], theirs[name], rtol=1e-12, atol=1e-6)
    np.testing.assert_array_equal(found.units["calls"], their_units["calls"])
    np.testing.assert_allclose(found.units["busy_min"], their_units["busy_min"])
    assert found.calls["how"].value_counts(normalize=True).drop("from another call").min() > 0.005
    mine_s = benchmark.stats.stats.median
    report(
        "A year of 60,000 calls, 12 units of two types with shifts, en_route='line', with its tables",
        f"{1000 * mine_s:.0f} ms",
        f"SimPy program of the same rules, same tables: {peer_s:.2f} s, {peer_s / mine_s:.0f} times",
        "under 150 ms, at least 50 times as fast",
        mine_s < 0.15 and peer_s / mine_s >= 50,
        headline=True,
    )


def test_a_year_of_calls_on_the_network(
    benchmark: Benchmark,
    report: Report,
    ground: tuple[FloatArray, FloatArray],
    year: pd.DataFrame,
    fleet: pd.DataFrame,
) -> None:
    xy, travel = ground
    options = {"en_route": "network", "home_factor": HOME_FACTOR, "path_slack_min": 0.25, "queue": "priority"}
    compile_rules()
    run = (year, fleet, xy, travel, [20, 40, 60])
    found = benchmark.pedantic(simulate, run, options, rounds=10, iterations=1, warmup_rounds=1)
    assert (found.calls["status"] == "served").all()
    mine_s = benchmark.stats.stats.median
    report(
        "The same year, en_route='network', paths found from the matrix",
        f"{1000 * mine_s:.0f} ms",
        "none",
        "under 150 ms",
        mine_s < 0.15,
    )


def test_a_thousand_weeks(report: Report, ground: tuple[FloatArray, FloatArray]) -> None:
    _, travel = ground
    random = np.random.default_rng(2)
    shape = random.uniform(0.5, 1.5, (N_PLACES, 168))
    rates = CallRates(
        shape * (N_CALLS / 8760) / shape.sum(axis=0).mean(),
        np.arange(N_PLACES),
        (CallKind(0.35, 1, "ALS", 0.7), CallKind(0.65, 2, "", 0.6)),
    )
    times = ServiceTimes(Draw.lognormal(18, 0.4), Draw.lognormal(22, 0.35), turnout=Draw.lognormal(1, 0.3))
    units = {"post": list(range(N_UNITS)), "unit_type": ["ALS"] * 9 + ["BLS"] * 3}
    compile_rules()
    start = time.perf_counter()
    found = replicate(
        rates,
        units,
        None,
        travel,
        [20, 40, 60],
        seed=1,
        replications=1000,
        times=times,
        queue="priority",
        home_factor=HOME_FACTOR,
        figures=standard_figures(target_min=12),
        threads=2,
    )
    table = found.table()
    taken_s = time.perf_counter() - start
    assert (table["count"] == 1000).all()
    share = found.interval("within_target")
    report(
        "1,000 replications of a week (1,151 calls each), 12 units, 9 figures with intervals, two threads",
        f"{taken_s:.1f} s; in time {share.mean:.1%} ({share.low:.1%} to {share.high:.1%})",
        "none",
        "under 30 s",
        taken_s < 30,
        headline=True,
    )


def test_compiling(report: Report) -> None:
    """A fresh process with an empty cache, and one that finds the cache."""
    code = "from models.dispatch import compile_rules; print(compile_rules())"

    def fresh(cache: str) -> float:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
            env={"NUMBA_CACHE_DIR": cache, "PATH": ""},
        )
        return float(done.stdout)

    with tempfile.TemporaryDirectory() as cache:
        first_s, second_s = fresh(cache), fresh(cache)
    assert second_s < first_s
    report(
        "Compiling the simulator's rules, once a machine",
        f"{first_s:.1f} s; from the cache in a new process {second_s:.1f} s (numba's import included)",
        "none",
        "reported",
        met=True,
    )
