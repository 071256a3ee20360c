import math
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import poisson

from errors import InvalidInputError
from models.outlet_funnel import funnel_limits, overdispersion


def _by_hand(expected: float, p: float) -> float:
    """Sum Poisson chances one by one."""
    below, r = 0.0, 0
    while True:
        here = math.exp(r * math.log(expected) - expected - math.lgamma(r + 1))
        if below + here >= p:
            return (r - (below + here - p) / here) / expected
        below, r = below + here, r + 1


@given(st.floats(0.2, 150), st.sampled_from([0.9, 0.95, 0.998]))
def test_limits_are_those_summed_by_hand(expected: float, level: float) -> None:
    low, high = funnel_limits([expected], level)
    assert low[0] == pytest.approx(max(_by_hand(expected, (1 - level) / 2), 0.0), abs=1e-7)
    assert high[0] == pytest.approx(_by_hand(expected, (1 + level) / 2), rel=1e-7)


def test_a_limit_in_fractions() -> None:
    """Ten expected: P(O <= 3) = 0.0103 < 0.025 < P(O <= 4); P(O <= 16) = 0.973 < 0.975 < P(O <= 17)."""
    term = [Fraction(10**k, math.factorial(k)) for k in range(18)]
    scale = math.exp(-10)
    low = 4 - (float(sum(term[:5])) * scale - 0.025) / (float(term[4]) * scale)
    high = 17 - (float(sum(term)) * scale - 0.975) / (float(term[17]) * scale)
    found = funnel_limits([10.0])
    assert (found[0][0], found[1][0]) == (pytest.approx(low / 10), pytest.approx(high / 10))


def test_chance_outside_is_as_published() -> None:
    """Seaton and Manktelow 2012, BMC Medical Research Methodology 12:98, table 1: 1 to 50 expected.

    Chance above the whole-number 95% limit: median 0.0201, least 0.0052, most 0.0250. The interpolated limit
    lies less than one incident below it.
    """
    expected = np.arange(100, 5001) / 100
    limit = np.ceil(funnel_limits(expected)[1] * expected - 1e-9)
    above = np.asarray(poisson.sf(limit, expected))
    published = [0.0201, 0.0052, 0.0250]
    np.testing.assert_allclose([np.median(above), np.min(above), np.max(above)], published, atol=6e-5)


def test_many_expected_come_near_the_normal_limits() -> None:
    low, high = funnel_limits([40_000.0], 0.95)
    assert (low[0], high[0]) == (
        pytest.approx(1 - 1.96 / 200, abs=3e-5),
        pytest.approx(1 + 1.96 / 200, abs=3e-5),
    )


def test_overdispersion_widens_by_its_root() -> None:
    plain, wide = funnel_limits([50.0]), funnel_limits([50.0], overdispersion=4.0)
    assert wide[1][0] - 1 == pytest.approx(2 * (plain[1][0] - 1))
    assert 1 - wide[0][0] == pytest.approx(2 * (1 - plain[0][0]))
    assert funnel_limits([1.0], overdispersion=9.0)[0][0] == 0.0


def test_overdispersion_by_hand_with_the_ends_pulled_in() -> None:
    """Of eleven z-scores a tenth is one place: -4.8 becomes the next, -3, and 10 becomes 3."""
    z = np.array([-4.8, -3, -3, -2, -1, 0, 1, 2, 3, 3, 10])
    observed = 25 + 5 * z
    assert overdispersion(observed, np.full(11, 25.0)) == pytest.approx((9 * 6 + 4 * 2 + 2) / 11)


def test_chance_alone_gives_no_overdispersion() -> None:
    counts = np.random.default_rng(1).poisson(20.0, 500)
    assert overdispersion(counts, np.full(500, 20.0)) == 1.0


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match="3 faults"):
        funnel_limits([0.0], 1.0, 0.5)
    with pytest.raises(InvalidInputError, match="count"):
        overdispersion([1.0, 2.0], [1.0])
