"""The state of basins against planted truth, numerical derivatives and simulation-based calibration."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit, logit
from scipy.stats import beta, chisquare

from errors import InvalidInputError
from models.basin_state import (
    PRIORS,
    STATES,
    Prior,
    Records,
    _information,
    _likelihood,
    basin_features,
    findings,
    fit_state,
)

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
N_AREAS = 4


def _drawn(
    rng: np.random.Generator, n: int, theta: FloatArray, areas: int = N_AREAS
) -> tuple[Records, BoolArray]:
    """Basins with planted parameters: (1, age, trees), rates by area, ratio; nobody has looked yet."""
    features = np.column_stack([np.ones(n), rng.normal(0, 1, n), rng.uniform(0, 1, n)])
    area, years = rng.integers(0, areas, n), np.full(n, 2.0)
    state = rng.random(n) < expit(features @ theta[:3])
    rate = years * np.exp(theta[3:-1])[area] * np.where(state, np.exp(theta[-1]), 1.0)
    return Records(features, np.full(n, np.nan), rng.poisson(rate).astype(float), years, area), state


def _seen(rows: Records, state: BoolArray, looked: BoolArray) -> Records:
    return Records(rows.features, np.where(looked, state, np.nan), rows.reports, rows.years, rows.area)


def _part(rows: Records, keep: BoolArray) -> Records:
    return Records(
        rows.features[keep], rows.found[keep], rows.reports[keep], rows.years[keep], rows.area[keep]
    )


THETA = np.array([-0.7, 0.8, 0.6, *np.log([0.02, 0.05, 0.2, 0.5]), np.log(4.0)])


def test_gradient_and_information_equal_differences() -> None:
    rng = np.random.default_rng(1)
    rows, state = _drawn(rng, 300, THETA)
    rows = _seen(rows, state, rng.random(300) < 0.4)
    theta = THETA + rng.normal(0, 0.2, len(THETA))
    step = 1e-5 * np.eye(len(theta))
    ahead, behind = ([_likelihood(rows, theta + sign * h, 3) for h in step] for sign in (1, -1))
    slope = [(a[0] - b[0]) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    bend = [(a[1] - b[1]) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    np.testing.assert_allclose(_likelihood(rows, theta, 3)[1], slope, atol=1e-5)
    np.testing.assert_allclose(_information(rows, theta, 3), -np.array(bend), atol=1e-5)


def test_prior_spreads_over_the_two_figures() -> None:
    """With nothing on record an ordinary basin has 16 to 59 % at 90 %."""
    none = Records(np.zeros((0, 6)), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
    model = fit_state(none, PRIORS["clogged"], n_areas=1)
    ordinary = Records(np.eye(1, 6), np.full(1, np.nan), np.zeros(1), np.zeros(1), np.zeros(1, np.int64))
    got = model.probability(ordinary, n_draws=20_000)
    assert got.low[0] == pytest.approx(0.16, abs=0.01)
    assert got.high[0] == pytest.approx(0.59, abs=0.01)


def test_without_features_equals_the_posterior_by_quadrature() -> None:
    """One unknown share, 40 looks, 18 finds: the exact posterior on a grid."""
    found = np.repeat([1.0, 0.0], [18, 22])
    rows = Records(np.ones((40, 1)), found, np.zeros(40), np.zeros(40), np.zeros(40, np.int64))
    model = fit_state(rows, Prior(0.16, 0.59), n_areas=1)
    eta = np.linspace(-6, 6, 20_001)
    centre = logit([0.16, 0.59]).mean()
    sd = np.diff(logit([0.16, 0.59]))[0] / (2 * 1.6448536)
    log = 18 * eta - 40 * np.logaddexp(0, eta) - (eta - centre) ** 2 / (2 * sd**2)
    weight = np.exp(log - log.max())
    exact = float(weight @ expit(eta) / weight.sum())
    got = model.probability(_part(rows, np.arange(40) == 0), n_draws=20_000)
    assert got.mean[0] == pytest.approx(exact, abs=0.005)
    # Many looks outweigh the prior: near Beta(18, 22) and between it and the prior's middle.
    assert beta(18, 22).cdf(got.mean[0]) == pytest.approx(0.5, abs=0.2)


def test_learning_in_steps_is_learning_at_once() -> None:
    rng = np.random.default_rng(2)
    rows, state = _drawn(rng, 900, THETA)
    rows = _seen(rows, state, rng.random(900) < 0.5)
    a, b, c = (_part(rows, np.arange(900) % 3 == k) for k in range(3))
    prior = Prior(0.16, 0.59)
    steps = fit_state(a, prior, n_areas=N_AREAS).learn(b).learn(c)
    once = fit_state(c.joined(a).joined(b), prior, n_areas=N_AREAS)
    np.testing.assert_allclose(steps.mode, once.mode, atol=1e-5)
    np.testing.assert_allclose(steps.covariance, once.covariance, atol=1e-6)


def test_planted_truth_is_found_though_the_loud_are_looked_at_first() -> None:
    """Looks go where reports are: the share among the looked-at is far too high, the model's is not."""
    rng = np.random.default_rng(3)
    rows, state = _drawn(rng, 20_000, THETA)
    looked = rng.random(20_000) < np.where(rows.reports > 0, 0.5, 0.03)
    model = fit_state(_seen(rows, state, looked), Prior(0.16, 0.59), n_areas=N_AREAS)
    away = (model.mode - THETA) / np.sqrt(np.diag(model.covariance))
    assert np.abs(away).max() < 3.5
    share = model.probability(rows).mean.mean()
    assert share == pytest.approx(state.mean(), abs=0.02)
    assert state[looked].mean() > state.mean() + 0.08


def test_who_complains_is_not_who_floods() -> None:
    """The quiet area is the clogged one. Complaints rank the areas wrongly, the state does not."""
    rng = np.random.default_rng(4)
    theta = np.array([-0.7, 0.8, 0.0, np.log(0.02), np.log(0.4), np.log(4.0)])
    rows, _ = _drawn(rng, 8000, theta, areas=2)
    age = rows.features[:, 1] + np.where(rows.area == 0, 1.2, -1.2)
    features = np.column_stack([np.ones(8000), age, rows.features[:, 2]])
    state = rng.random(8000) < expit(features @ theta[:3])
    rate = 2 * np.exp(theta[3:5])[rows.area] * np.where(state, 4, 1)
    rows = Records(features, np.full(8000, np.nan), rng.poisson(rate).astype(float), rows.years, rows.area)
    model = fit_state(_seen(rows, state, rng.random(8000) < 0.1), Prior(0.16, 0.59), n_areas=2)
    p, quiet = model.probability(rows).mean, rows.area == 0
    assert state[quiet].mean() > state[~quiet].mean()
    assert p[quiet].mean() > p[~quiet].mean()
    assert rows.reports[quiet].mean() < rows.reports[~quiet].mean()
    told = model.reporting()
    assert told.low[1] > told.high[0]
    # Silence tells less where people rarely report.
    still = Records(
        np.tile([1.0, 0, 0.5], (2, 1)), np.full(2, np.nan), np.zeros(2), np.full(2, 2.0), np.array([0, 1])
    )
    assert model.probability(still).mean[0] > model.probability(still).mean[1]


def test_probabilities_are_calibrated_by_tenths() -> None:
    rng = np.random.default_rng(5)
    rows, state = _drawn(rng, 30_000, THETA)
    looked = rng.random(30_000) < 0.1
    p = fit_state(_seen(rows, state, looked), Prior(0.16, 0.59), n_areas=N_AREAS).probability(rows).mean
    tenth = np.digitize(p, np.quantile(p, np.linspace(0, 1, 11)[1:-1]))
    for k in range(10):
        assert state[tenth == k].mean() == pytest.approx(p[tenth == k].mean(), abs=0.04)


def test_simulation_based_calibration() -> None:
    """Ranks of truths drawn from the prior are uniform (Talts et al. 2018)."""
    rng = np.random.default_rng(6)
    prior = Prior(0.16, 0.59)
    centre, width = logit([0.16, 0.59]).mean(), np.diff(logit([0.16, 0.59]))[0] / (2 * 1.6448536)
    ranks = []
    for trial in range(300):
        theta = np.concatenate(
            [
                [rng.normal(centre, width)],
                rng.normal(0, 0.5, 2),
                rng.normal(np.log(0.05), 1.0, N_AREAS),
                [rng.normal(np.log(4), 0.5)],
            ]
        )
        rows, state = _drawn(rng, 400, theta)
        model = fit_state(_seen(rows, state, rng.random(400) < 0.4), prior, n_areas=N_AREAS)
        ranks.append((model.draws(99, seed=trial) < theta).sum(axis=0))
    for column in np.array(ranks).T:
        assert chisquare(np.bincount(column // 10, minlength=10)).pvalue > 0.001


def test_findings_say_nothing_of_what_was_not_seen() -> None:
    got = findings(["clean", "clogged, line blocked", "not found", "car parked", ""])
    nan = np.nan
    np.testing.assert_array_equal(got["clogged"], [0, 1, nan, nan, nan])
    np.testing.assert_array_equal(got["line blocked"], [0, 1, nan, nan, nan])
    np.testing.assert_array_equal(got["broken"], [0, 0, nan, nan, nan])
    np.testing.assert_array_equal(got["not found"], [0, 0, 1, 0, nan])
    np.testing.assert_array_equal(got["car parked"], [0, 0, nan, 1, nan])
    assert set(got) == set(STATES)
    with pytest.raises(InvalidInputError, match="name full"):
        findings(["full"])


def test_features_know_what_is_missing() -> None:
    days = np.array([0.0, 365.25, np.nan])
    got = basin_features(days, trees=np.zeros(3), commercial=np.zeros(3), clogged_last_time=np.zeros(3))
    assert got.shape == (3, 6)
    assert got[0, 1] < got[1, 1] == 0 == got[2, 1]
    assert got[:, 2].tolist() == [0, 0, 1]
    with pytest.raises(InvalidInputError, match="1 basins were cleaned in the future"):
        basin_features(
            np.array([-1.0]), trees=np.ones(1), commercial=np.ones(1), clogged_last_time=np.ones(1)
        )


def test_rows_that_do_not_fit_are_refused() -> None:
    rows = Records(np.ones((2, 1)), np.array([0.5, 1]), np.array([1.0, -1]), np.zeros(2), np.array([0, 7]))
    with pytest.raises(InvalidInputError, match="5 faults"):
        fit_state(rows, Prior(0.6, 0.2), n_areas=1)
