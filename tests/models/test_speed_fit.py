"""The fit against scipy's general minimiser, the sums against plain loops, the prior against its words."""

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize

from models.speed_fit import N_ACCESS, Cells, Moments, Spread, solve, trip_weights

FloatArray = npt.NDArray[np.float64]


def _trips(
    rng: np.random.Generator, cells: Cells, n: int
) -> tuple[FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    columns = np.column_stack(
        [np.ones(n), rng.uniform(0, 100, n), rng.uniform(0, 3000, (n, cells.n_classes))]
    )
    return columns, rng.integers(0, cells.n_bands * 2, n), rng.integers(0, 9, n)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_the_fit_is_the_least_of_the_stated_loss(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = Cells(2, 2)
    columns, group, day = _trips(rng, cells, 60)
    weight = rng.uniform(0.5, 2.0, 60) / 40**2
    mean = np.log(np.concatenate([[20.0, 0.2], rng.uniform(0.05, 0.15, 8)]))
    precision = np.linalg.inv(cells.covariance(Spread())).astype(np.float64)
    pace = np.exp(mean) * rng.uniform(0.6, 1.6, cells.n)
    index = np.stack([cells.of_group(g // 2, g % 2) for g in range(4)])
    observed = (columns * pace[index[group]]).sum(axis=1) * rng.lognormal(0, 0.1, 60)

    moments = Moments.gather(columns, observed, weight, group, day, n_groups=4, n_days=9)
    found = solve(*moments.total(cells), mean=mean, precision=precision, start=mean)

    def loss(theta: FloatArray) -> float:
        fitted = (columns * np.exp(theta)[index[group]]).sum(axis=1)
        off = theta - mean
        return float((weight * (observed - fitted) ** 2).sum() / 2 + off @ precision @ off / 2)

    best = minimize(loss, mean, method="BFGS", options={"gtol": 1e-8, "maxiter": 5000})
    assert loss(found) <= best.fun + 1e-6
    np.testing.assert_allclose(found, best.x, atol=5e-3)


def test_days_add_up_to_the_sums_over_all_trips() -> None:
    rng = np.random.default_rng(3)
    cells = Cells(3, 2)
    columns, group, day = _trips(rng, cells, 200)
    observed, weight = rng.uniform(60, 900, 200), rng.uniform(0, 1, 200)
    times = rng.integers(0, 3, 9).astype(float)
    moments = Moments.gather(columns, observed, weight, group, day, n_groups=4, n_days=9)
    gram, cross = moments.total(cells, times)
    plain_gram, plain_cross = np.zeros((cells.n, cells.n)), np.zeros(cells.n)
    for i in range(200):
        row = np.zeros(cells.n)
        row[cells.of_group(group[i] // 2, group[i] % 2)] = columns[i]
        plain_gram += times[day[i]] * weight[i] * np.outer(row, row)
        plain_cross += times[day[i]] * weight[i] * observed[i] * row
    np.testing.assert_allclose(gram, plain_gram, rtol=1e-10)
    np.testing.assert_allclose(cross, plain_cross, rtol=1e-10)


def test_the_prior_ties_cells_by_what_they_share() -> None:
    cells, spread = Cells(3, 2), Spread()
    covariance = cells.covariance(spread)
    number = np.arange(12).reshape(cells.shape) + N_ACCESS
    one = number[0, 0, 0]
    assert covariance[one, number[1, 1, 1]] == pytest.approx(spread.common**2)
    assert covariance[one, number[0, 1, 1]] == pytest.approx(spread.common**2 + spread.road_class**2)
    same_band = spread.common**2 + spread.band**2
    assert covariance[one, number[1, 0, 1]] == pytest.approx(same_band)
    assert covariance[one, number[1, 0, 0]] == pytest.approx(
        same_band + spread.siren**2 + spread.band_siren**2
    )
    assert covariance[one, one] == pytest.approx(
        sum(
            getattr(spread, name) ** 2
            for name in (
                "common", "road_class", "band", "siren", "class_band", "class_siren", "band_siren", "cell",
            )
        )
    )  # fmt: skip
    assert covariance[0, one] == 0
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_wild_trip_counts_less() -> None:
    rng = np.random.default_rng(1)
    drive = rng.uniform(120, 900, 500)
    observed = drive * (1 + 0.1 * rng.normal(size=500)) + 30
    observed[0] = drive[0] + 3000
    weight, share = trip_weights(observed, drive + 30, drive, floor_s=10)
    assert share == pytest.approx(0.1, rel=0.15)
    tame = 1 / ((share * drive) ** 2 + 100)
    assert weight[0] < tame[0] / 5
    assert np.mean(np.isclose(weight[1:], tame[1:])) > 0.98
