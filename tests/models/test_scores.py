"""Scores against their definition, published values and closed forms; comparisons against plain loops."""

import math

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from scipy.special import hyp2f1
from scipy.stats import nbinom, poisson
from scipy.stats import t as student

from errors import InvalidInputError
from models.scores import compare, crps_negative_binomial, crps_poisson, spread_pit

FloatArray = npt.NDArray[np.float64]


def _by_expectations(pmf: FloatArray, y: int) -> float:
    """``E|X - y| - E|X - X'| / 2``, the other definition (Gneiting and Raftery 2007)."""
    k = np.arange(len(pmf))
    apart = np.abs(k[:, None] - k[None, :])
    return float(pmf @ np.abs(k - y) - pmf @ apart @ pmf / 2)


@given(st.integers(0, 40), st.floats(0.001, 25))
def test_poisson_scores_equal_the_expectations(y: int, mean: float) -> None:
    expected = _by_expectations(poisson.pmf(np.arange(150), mean), y)
    assert crps_poisson(y, mean) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 40), st.floats(0.001, 15), st.floats(0.2, 500))
def test_negative_binomial_scores_equal_the_expectations(y: int, mean: float, shape: float) -> None:
    expected = _by_expectations(nbinom.pmf(np.arange(900), shape, shape / (shape + mean)), y)
    assert crps_negative_binomial(y, mean, shape) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("y", "size", "prob", "published"),
    [
        (5, 100, 0.95, 0.53215257681),
        (44, 200.1, 0.82, 1.70859687251),
        (41, 200.1, 0.83, 1.63833674721),
        (222, 2000.1, 0.9, 3.66926727576),
    ],
)
def test_negative_binomial_scores_equal_those_of_scoring_rules(
    y: int, size: float, prob: float, published: float
) -> None:
    """Values that the R package scoringRules is tested against."""
    assert crps_negative_binomial(y, size * (1 - prob) / prob, size) == pytest.approx(published, abs=1e-9)


@given(st.integers(0, 30), st.floats(0.05, 10), st.floats(0.5, 20))
def test_negative_binomial_scores_equal_the_closed_form(y: int, mean: float, shape: float) -> None:
    """Wei and Held (2014), the hypergeometric function turned by Pfaff's rule to an argument in (0, 1)."""
    p = shape / (shape + mean)
    z = -4 * (1 - p) / p**2
    function = (1 - z) ** -0.5 * hyp2f1(0.5, 1 - shape, 2, z / (z - 1))
    below = nbinom.cdf(y - 1, shape + 1, p) if y else 0.0
    closed = y * (2 * nbinom.cdf(y, shape, p) - 1) - shape * (1 - p) / p**2 * (p * (2 * below - 1) + function)
    assert crps_negative_binomial(y, mean, shape) == pytest.approx(closed, abs=1e-6)


def test_poisson_is_the_limit_and_a_sure_forecast_scores_its_distance() -> None:
    y, mean = np.array([0.0, 3.0, 9.0]), np.array([0.4, 3.3, 2.0])
    np.testing.assert_allclose(
        crps_negative_binomial(y, mean, 1e9), crps_poisson(y, mean), rtol=1e-6, atol=1e-8
    )
    assert crps_poisson(3, 0.0) == 3
    assert crps_negative_binomial(3, 0.0, 2.0) == pytest.approx(3)
    assert math.isnan(crps_negative_binomial(np.nan, 1.0, 1.0))


def test_scores_are_least_for_the_truth() -> None:
    drawn = np.random.default_rng(5).negative_binomial(2, 2 / (2 + 3.0), 40_000)
    right = crps_negative_binomial(drawn, 3.0, 2.0).mean()
    for mean, shape in ((2.7, 2.0), (3.3, 2.0), (3.0, 1.2), (3.0, 4.0)):
        assert right < crps_negative_binomial(drawn, mean, shape).mean()
    assert right < crps_poisson(drawn, 3.0).mean()


def test_the_place_of_counts_in_a_right_forecast_is_uniform() -> None:
    rng = np.random.default_rng(8)
    mean, shape = rng.uniform(0.02, 4, 20_000), rng.uniform(0.5, 10, 20_000)
    drawn = rng.poisson(rng.gamma(shape, mean / shape)).astype(float)
    place = spread_pit(drawn, mean, shape, seed=1)
    share, _ = np.histogram(place, bins=10, range=(0, 1))
    assert np.abs(share / 2000 - 1).max() < 0.1


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=4, max_size=60))
def test_the_interval_of_a_comparison_equals_plain_loops(pairs: list[tuple[float, float]]) -> None:
    mine, theirs = np.array(pairs).T
    found = compare(mine, theirs)
    gain = [b - a for a, b in pairs]
    n, mean = len(gain), sum(gain) / len(gain)
    lags = min(int(4 * (n / 100) ** (2 / 9)), n - 2)
    variance = sum((g - mean) ** 2 for g in gain) / n
    for lag in range(1, lags + 1):
        covariance = sum((gain[i] - mean) * (gain[i - lag] - mean) for i in range(lag, n)) / n
        variance += 2 * (1 - lag / (lags + 1)) * covariance
    reach = student.ppf(0.975, n - 1) * math.sqrt(max(variance, 0) / (n - 1))
    assert found.gain.value == pytest.approx(mean, abs=1e-12)
    assert found.gain.low == pytest.approx(mean - reach, abs=1e-6)
    assert found.gain.high == pytest.approx(mean + reach, abs=1e-6)
    assert found.weeks == n


def test_a_comparison_says_better_worse_or_cannot_tell() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(5, 1, 40)
    assert compare(base, base + rng.normal(0.5, 0.3, 40)).verdict == "better"
    assert compare(base, base - rng.normal(0.5, 0.3, 40)).verdict == "worse"
    assert compare(base, base).verdict == "cannot tell yet"
    told = [compare(base, base + rng.normal(0, 0.3, 40)).verdict for _ in range(400)]
    assert np.mean(np.array(told) != "cannot tell yet") < 0.12


def test_what_cannot_be_scored_is_said() -> None:
    with pytest.raises(InvalidInputError, match="whole and not negative"):
        crps_poisson([-1, 2], [1.0, 1.0])
    with pytest.raises(InvalidInputError, match="whole and not negative"):
        crps_poisson(1.5, 1.0)
    with pytest.raises(InvalidInputError, match="means"):
        crps_poisson(1, -1.0)
    with pytest.raises(InvalidInputError, match="shapes"):
        crps_negative_binomial(1, 1.0, 0.0)
    with pytest.raises(InvalidInputError, match="too few"):
        compare([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(InvalidInputError, match="no score"):
        compare([1.0, 2.0, 3.0, np.nan], [1.0, 2.0, 3.0, 4.0])
