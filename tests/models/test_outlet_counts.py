import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize
from scipy.stats import nbinom, poisson

from errors import InvalidInputError
from models.outlet_counts import fit_alpha, fit_counts, negative_binomial, standardised

FloatArray = npt.NDArray[np.float64]

COUNTS = [0, 3, 1, 9, 0, 2, 5, 14, 1, 0, 7, 2, 0, 4, 22, 1, 3, 0, 6, 2, 11, 0, 1, 5, 2, 0, 8, 3, 1, 17]
AT = np.arange(len(COUNTS))
HOURS = 20.0 + (AT * 37) % 101
COVARIATES = np.column_stack([np.sin(AT), AT % 3 == 0])


def _random(seed: int, n: int, alpha: float) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3)) * [1.0, 10.0, 0.1] + [3.0, -20.0, 0.0]
    hours = random.uniform(20, 168, n)
    mean = hours * np.exp(-3.0 + x @ [0.2, 0.03, 1.0])
    return random.poisson(mean * random.gamma(1 / alpha, alpha, n)), hours, x


def test_equals_statsmodels_on_fixed_counts() -> None:
    """Values of statsmodels 0.15.0: NegativeBinomial(..., exposure=hours).fit by BFGS, then Newton."""
    fit = negative_binomial(COUNTS, HOURS, COVARIATES)
    np.testing.assert_allclose(fit.coefficients, [-2.519347648, 0.454604053, -0.377743836], atol=2e-9)
    assert fit.alpha == pytest.approx(1.512266516, abs=2e-9)
    spread = [0.301268122, 0.350435880, 0.543781748, 0.471636487]
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), spread, atol=2e-9)
    assert fit.loglikelihood == pytest.approx(-77.687698533, abs=2e-9)
    assert fit.converged
    assert fit.words == ()


@pytest.mark.parametrize(("seed", "alpha"), [(1, 0.5), (2, 0.05), (3, 2.0)])
def test_equals_statsmodels_where_it_is_installed(seed: int, alpha: float) -> None:
    peer = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    y, hours, x = _random(seed, 400, alpha)
    fit = negative_binomial(y, hours, x)
    with_intercept = np.column_stack([np.ones(len(x)), x])
    start = np.append(fit.coefficients + 0.01, 1.1 * fit.alpha)
    model = peer.NegativeBinomial(y, with_intercept, exposure=hours)
    theirs = model.fit(start_params=start, disp=0, method="newton", maxiter=500, tol=1e-12)
    np.testing.assert_allclose(fit.coefficients, theirs.params[:-1], rtol=1e-6, atol=1e-8)
    assert fit.alpha == pytest.approx(theirs.params[-1], rel=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), theirs.bse, rtol=1e-5)
    assert fit.loglikelihood == pytest.approx(theirs.llf, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 1.5]))
def test_no_other_point_is_likelier(seed: int, alpha: float) -> None:
    """Against scipy's density and a search without derivatives that starts at the estimate."""
    y, hours, x = _random(seed, 120, alpha)
    fit = negative_binomial(y, hours, x[:, :1])
    assert fit.converged

    def loss(point: FloatArray) -> float:
        mean, size = hours * np.exp(point[0] + x[:, 0] * point[1]), np.exp(-point[2])
        return -float(nbinom.logpmf(y, size, size / (size + mean)).sum())

    if fit.alpha == 0:
        mean = hours * np.exp(fit.coefficients[0] + x[:, 0] * fit.coefficients[1])
        assert fit.loglikelihood == pytest.approx(poisson.logpmf(y, mean).sum(), rel=1e-9)
        assert fit.loglikelihood >= -loss(np.array([*fit.coefficients, -8.0])) - 1e-9
        return
    here = np.array([*fit.coefficients, np.log(fit.alpha)])
    assert fit.loglikelihood == pytest.approx(-loss(here), rel=1e-9)
    best = minimize(loss, here, method="Nelder-Mead", options={"maxiter": 300})
    assert -best.fun <= fit.loglikelihood + 1e-6


def test_even_counts_are_poisson_in_words() -> None:
    fit = negative_binomial([4, 5, 6, 5, 4, 5, 6, 5], np.ones(8), np.empty((8, 0)))
    assert (fit.alpha, fit.converged) == (0.0, True)
    assert np.exp(fit.coefficients[0]) == pytest.approx(5.0)
    assert fit.covariance[0, 0] == pytest.approx(1 / 40)
    assert np.isnan(fit.covariance[1]).all()
    assert "Poisson" in fit.words[0]


def test_a_category_without_incidents_is_a_reason() -> None:
    y = np.array([*COUNTS, 0, 0, 0, 0])
    store = np.append(np.zeros(30), np.ones(4))[:, None]
    fit = negative_binomial(y, np.ones(34), store, names=["store"])
    assert not fit.converged
    assert any("store" in word and "no finite estimate" in word for word in fit.words)


def test_columns_that_say_nothing_new_are_left_out() -> None:
    x = np.column_stack([COVARIATES, np.full(30, 7.0), COVARIATES.sum(axis=1)])
    fit = negative_binomial(COUNTS, HOURS, x, names=["a", "b", "same", "sum"])
    plain = negative_binomial(COUNTS, HOURS, COVARIATES)
    np.testing.assert_allclose(fit.coefficients[:3], plain.coefficients, rtol=1e-8)
    assert np.isnan(fit.coefficients[3:]).all()
    assert fit.words == (
        "same is the same for all outlets: left out",
        "sum follows from the other covariates: left out",
    )


@pytest.mark.parametrize("counts", [[0] * 9, [3, 1]])
def test_nothing_to_fit_is_a_reason(counts: list[int]) -> None:
    fit = negative_binomial(counts, np.ones(len(counts)), np.arange(float(len(counts)))[:, None])
    assert not fit.converged
    assert "nothing to fit" in fit.words[-1]
    assert np.isnan(fit.coefficients).all()


def test_faults_are_raised_together() -> None:
    with pytest.raises(InvalidInputError, match="2 faults") as raised:
        negative_binomial([1, -2, 3], [1, 0, 2], np.empty((3, 0)))
    assert "no exposure" in str(raised.value)


def test_a_wild_count_settles() -> None:
    fit = negative_binomial([*COUNTS[:-1], 100_000], HOURS, COVARIATES)
    assert fit.converged
    assert fit.alpha > 1


def test_many_fits_are_the_single_fits_from_any_start() -> None:
    y, hours, x = _random(5, 150, 0.5)
    counts = np.stack([np.random.default_rng(i).permutation(y) for i in range(9)])
    design, back = standardised(x)
    cold = fit_counts(counts, np.log(hours), design)
    warm = fit_counts(counts, np.log(hours), design, start=(np.append(-1.0, np.zeros(3)), 3.0))
    np.testing.assert_allclose(cold.coefficients, warm.coefficients, atol=1e-6)
    np.testing.assert_allclose(cold.alpha, warm.alpha, rtol=1e-5, atol=1e-7)
    for row in range(9):
        single = negative_binomial(counts[row], hours, x)
        np.testing.assert_allclose(back @ cold.coefficients[row], single.coefficients, rtol=1e-7, atol=1e-9)


def test_alpha_alone_with_the_means_of_the_fit_is_its_alpha() -> None:
    fit = negative_binomial(COUNTS, HOURS, COVARIATES)
    mean = HOURS * np.exp(fit.coefficients[0] + COVARIATES @ fit.coefficients[1:])
    alpha, variance = fit_alpha(np.array([COUNTS]), mean[None])
    assert alpha[0] == pytest.approx(fit.alpha, rel=1e-6)
    assert 0 < variance[0] <= fit.covariance[-1, -1] * (1 + 1e-9)


def test_a_prior_keeps_a_category_without_incidents_finite() -> None:
    y = np.array([[*COUNTS, 0, 0, 0, 0]])
    design, _ = standardised(np.append(np.zeros(30), np.ones(4))[:, None])
    fits = fit_counts(y, np.zeros(34), design, prior_sd=2.0)
    assert fits.converged.all()
    assert -12 < fits.coefficients[0, 1] < 0
