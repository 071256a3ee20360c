import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from scipy.integrate import quad
from scipy.stats import combine_pvalues, false_discovery_control, gamma, nbinom, norm, poisson

from errors import InvalidInputError
from models.outlet_risk import (
    benjamini_hochberg,
    pooled_interval,
    pooled_p,
    posterior,
    rank_draws,
    relative_risk,
    upper_tail,
)

FloatArray = npt.NDArray[np.float64]


@given(st.integers(0, 200), st.floats(0.5, 80), st.floats(0.02, 3), st.floats(0.5, 3))
def test_posterior_is_bayes_rule_by_quadrature(o: int, e: float, alpha: float, c: float) -> None:
    """Prior times likelihood, integrated by number, without conjugacy."""
    found = relative_risk([o], [e], alpha, c)

    def joint(rr: float) -> float:
        prior = gamma.logpdf(rr, 1 / alpha, scale=alpha)
        return float(
            np.exp(prior + poisson.logpmf(o, rr * e) - nbinom.logpmf(o, 1 / alpha, 1 / (1 + alpha * e)))
        )

    middle = (o + 1) / e
    far = [middle * k for k in (0.25, 0.5, 1, 2, 4)]
    above = quad(joint, c, 60 * (middle + 1), points=[p for p in far if p > c], limit=400)[0]
    mean = quad(lambda rr: rr * joint(rr), 1e-12, 60 * (middle + 1), points=far, limit=400)[0]
    assert found.p_over[0] == pytest.approx(above, abs=2e-5)
    assert found.mean[0] == pytest.approx(mean, rel=2e-4)
    assert found.low[0] < found.mean[0] < found.high[0]


def test_without_spread_among_outlets_every_multiplier_is_one() -> None:
    found = relative_risk([0, 30], [10.0, 10.0], 0.0)
    np.testing.assert_allclose(found.mean, 1.0, atol=1e-5)


def test_bad_risks_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="3 faults"):
        relative_risk([1], [0.0], -1.0, 0.0)


@given(hnp.arrays(float, st.integers(1, 40), elements=st.floats(0, 1)))
def test_benjamini_hochberg_is_scipys(p: FloatArray) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p, method="bh"), rtol=1e-12)


def test_benjamini_and_hochbergs_own_example() -> None:
    """Section 3.2 of the paper of 1995: fifteen tests, the four smallest are rejected at 0.05."""
    p = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip
    assert np.flatnonzero(benjamini_hochberg(p) <= 0.05).tolist() == [0, 1, 2, 3]


def test_no_test_is_not_counted() -> None:
    q = benjamini_hochberg([0.01, np.nan, 0.5])
    assert np.isnan(q[1])
    assert q[0] == pytest.approx(0.02)


@given(st.integers(0, 60), st.floats(0.1, 50), st.floats(0.01, 3))
def test_upper_tail_is_scipys(o: int, e: float, alpha: float) -> None:
    expected = nbinom.sf(o - 1, 1 / alpha, 1 / (1 + alpha * e))
    assert upper_tail([o], [e], alpha)[0] == pytest.approx(expected, rel=1e-7, abs=1e-14)
    assert upper_tail([o], [e], 0.0)[0] == pytest.approx(poisson.sf(o - 1, e), rel=1e-7, abs=1e-14)


def test_one_allocation_keeps_its_p_value_and_equal_ones_keep_theirs() -> None:
    p = np.array([[0.2, 1e-9, 0.9]])
    np.testing.assert_allclose(pooled_p(p), p[0], rtol=1e-9)
    np.testing.assert_allclose(pooled_p(np.repeat(p, 5, axis=0)), p[0], rtol=1e-9)


def test_allocations_that_differ_weaken_a_p_value() -> None:
    p = np.array([[0.001], [0.04]])
    z = norm.isf(p[:, 0])
    assert pooled_p(p)[0] == pytest.approx(norm.sf(z.mean() / np.sqrt(1 + 1.5 * z.var(ddof=1))))
    assert pooled_p(p)[0] > combine_pvalues(p[:, 0], method="stouffer").pvalue


def test_pooled_interval_is_rubins_worked_by_hand() -> None:
    """Trigamma of 4 is pi^2/6 - 49/36, of 9 pi^2/6 - 1077749/705600; digamma by harmonic numbers."""
    euler = 0.5772156649015329
    center = np.array([11 / 6 - euler - np.log(2), 761 / 280 - euler - np.log(3)])
    within = np.pi**2 / 6 - (49 / 36 + 1077749 / 705600) / 2
    between = 1.5 * center.var(ddof=1)
    freedom = (1 + within / between) ** 2
    low, high = pooled_interval(np.array([[4.0], [9.0]]), np.array([[2.0], [3.0]]))
    assert np.log(low[0] * high[0]) / 2 == pytest.approx(center.mean())
    from scipy.stats import t as student

    reach = student.ppf(0.975, freedom) * np.sqrt(within + between)
    assert np.log(high[0] / low[0]) / 2 == pytest.approx(reach, rel=1e-9)


def test_ranks_agree_with_the_chance_to_lead_of_two() -> None:
    """P(first is higher) for two gammas is a beta tail: X/(X+Y) of standard gammas."""
    from scipy.stats import beta

    shape, rate = np.array([[5.0, 3.0]]), np.array([[2.0, 1.0]])
    ranks = rank_draws(shape, rate, seed=3)
    lead = float((ranks[:, 0] == 1).mean())
    assert lead == pytest.approx(beta.sf(2 / 3, 5, 3), abs=4 * np.sqrt(0.25 / len(ranks)))
    assert (np.sort(ranks, axis=1) == [1, 2]).all()


def test_posterior_shape_and_rate() -> None:
    shape, rate = posterior(np.array([3.0]), np.array([2.0]), 0.5)
    assert (shape[0], rate[0]) == (5.0, 4.0)
