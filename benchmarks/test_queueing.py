"""The hypercube model: time against a dense numpy solution, and error of the approximation."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import csc_array
from scipy.sparse.linalg import spsolve

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from models.queueing import hypercube, hypercube_approx, preference_by_time
from tests.models.test_queueing_approx import errors_of, random_cities

N_UNITS, N_ATOMS = 12, 1000
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def _city(n_units: int) -> tuple[FloatArray, IntArray]:
    random = np.random.default_rng(7)
    places, posts = random.random((N_ATOMS, 2)), random.random((n_units, 2))
    rate = random.random(N_ATOMS)
    preference = preference_by_time(np.linalg.norm(places[:, None] - posts, axis=2))
    return rate * 0.5 * n_units / rate.sum(), preference


def _generator(rate: FloatArray, preference: IntArray) -> FloatArray:
    """Rates from each set of busy units (row) to each other; a unit finishes one call in a unit of time."""
    n_states = 1 << N_UNITS
    generator = np.zeros((n_states, n_states))
    bits = 1 << np.arange(N_UNITS)
    for state in range(n_states):
        busy = (state & bits) > 0
        generator[state, state ^ bits[busy]] = 1.0
        if not busy.all():
            first = preference[np.arange(len(rate)), np.argmin(busy[preference], axis=1)]
            np.add.at(generator[state], state | bits[first], rate)
    generator[np.diag_indices(n_states)] = -generator.sum(axis=1)
    return generator


def _dense_peer(rate: FloatArray, preference: IntArray) -> FloatArray:
    """Workloads by the textbook: the generator as a matrix, one equation replaced by the sum."""
    equations = _generator(rate, preference).T
    equations[0] = 1.0
    chance = np.linalg.solve(equations, np.eye(len(equations))[0])
    busy = (np.arange(len(chance))[:, None] & (1 << np.arange(N_UNITS))) > 0
    return np.asarray(chance @ busy)


def test_exact_hypercube_of_twelve_units(benchmark: Benchmark, report: Report) -> None:
    rate, preference = _city(N_UNITS)
    found = benchmark(hypercube, rate, preference, 1.0, queue=False)
    peer_s, peer = seconds_of(lambda: _dense_peer(rate, preference), rounds=3)
    np.testing.assert_allclose(found.workload, peer, atol=1e-9)
    mine_s = benchmark.stats.stats.median
    report(
        "Exact hypercube, 12 units (4,096 states) x 1,000 places, with the share of each unit at each place",
        f"{1000 * mine_s:.0f} ms, balance to {found.residual:.0e}",
        f"numpy's dense solve of these states, workloads alone: {peer_s:.2f} s, {peer_s / mine_s:.0f} times",
        "under 100 ms",
        mine_s < 0.1,
        headline=True,
    )


def test_sparse_peer_of_twelve_units(benchmark: Benchmark, report: Report) -> None:
    """The same against SuperLU, given the finished matrix."""
    rate, preference = _city(N_UNITS)
    found = benchmark.pedantic(
        hypercube, (rate, preference, 1.0), {"queue": False}, rounds=20, warmup_rounds=2
    )
    equations = _generator(rate, preference).T
    equations[0] = 1.0
    matrix, right = csc_array(equations), np.eye(len(equations))[0]
    peer_s, peer = seconds_of(lambda: spsolve(matrix, right), rounds=1)
    np.testing.assert_allclose(found.state, peer, atol=1e-9)
    mine_s = benchmark.stats.stats.median
    report(
        "The same",
        f"{1000 * mine_s:.0f} ms",
        f"scipy's spsolve (SuperLU) of the finished matrix: {peer_s:.2f} s, {peer_s / mine_s:.0f} times",
        "reported",
        met=True,
    )


@pytest.mark.parametrize("n_units", [12, 30])
def test_approximate_hypercube(benchmark: Benchmark, report: Report, n_units: int) -> None:
    rate, preference = _city(n_units)
    found = benchmark(hypercube_approx, rate, preference, 1.0, queue=True)
    assert found.residual < 1e-9
    mine_s = benchmark.stats.stats.median
    peer = f"{1 << n_units:,} states: not solved"
    if n_units <= N_UNITS:
        peer_s, exact = seconds_of(lambda: hypercube(rate, preference, 1.0, queue=True), rounds=5)
        off = float(np.abs(found.workload - exact.workload).max())
        peer = f"exact model: {1000 * peer_s:.0f} ms; workloads differ by {off:.3f} at most"
    report(
        f"Approximate hypercube, {n_units} units x 1,000 places",
        f"{1000 * mine_s:.0f} ms",
        peer,
        "under 100 ms",
        mine_s < 0.1,
    )


def test_error_of_the_approximation(report: Report) -> None:
    """300 random cities of 3 to 10 units, loads 0.1 to 0.8, half with own rates, half with a line."""
    errors = [
        errors_of(
            city, hypercube_approx(city.arrival_rate, city.preference, city.service_rate, queue=city.queue)
        )
        for city in random_cities(300, seed=2026)
    ]
    mean, most = (
        {name: summary([row[name] for row in errors]) for name in errors[0]} for summary in (np.mean, np.max)
    )
    report(
        "Approximation against exact, 300 random cities of 3 to 10 units: largest error of a workload",
        f"mean {mean['workload']:.4f}, most {most['workload']:.4f}",
        f"calls sent to another unit: mean {mean['moved']:.2%}, most {most['moved']:.2%}; "
        f"chance of k busy: most {most['busy']:.4f}",
        "most under 0.05",
        bool(most["workload"] < 0.05),
    )
