import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.concentration import generalised_gini, j_curve


@pytest.mark.parametrize(
    ("counts", "gini"),
    [([10, 8, 2], 0.78), ([5, 2, 1], 0.75), ([10], 0.9)],
)
def test_gini_as_the_authors_package_gives_it(counts: list[int], gini: float) -> None:
    """Ten places each: values in the manual of R package lorenzgini 0.1.2 by the authors, biased form."""
    assert generalised_gini(counts + [0] * (10 - len(counts))) == pytest.approx(gini)


def _area(counts: list[int]) -> float:
    """Gini' as areas: between the Lorenz curve and the most even one, by the area above the Lorenz curve.

    With fewer incidents than places the most even curve runs straight to 1 at c / n and stays there.
    """
    n, total = len(counts), sum(counts)
    ranked = np.append(0, np.cumsum(sorted(counts, reverse=True))) / total
    lorenz = float(((ranked[1:] + ranked[:-1]) / 2).sum() / n)
    even = min(total / n, 1.0)
    return (lorenz - (1 - even / 2)) / (even / 2)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=40).filter(lambda counts: sum(counts) > 0))
def test_gini_is_the_ratio_of_areas(counts: list[int]) -> None:
    assert generalised_gini(counts) == pytest.approx(_area(counts), abs=1e-9)
    assert generalised_gini(counts[::-1]) == pytest.approx(generalised_gini(counts), abs=1e-12)
    assert -1e-9 <= generalised_gini(counts) < 1


def test_one_incident_each_is_most_even_however_many_places_have_none() -> None:
    assert generalised_gini([1] * 5 + [0] * 95) == pytest.approx(0.0, abs=1e-12)
    assert generalised_gini([1] * 10) == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(generalised_gini([0, 0]))


def test_chance_looks_like_chance_and_a_planted_place_does_not() -> None:
    random = np.random.default_rng(4)
    even = j_curve(random.multinomial(60, np.ones(200) / 200), draws=199)
    assert even.p > 0.05
    assert (even.null_low <= even.null_high).all()
    inside = (even.null_low <= even.share + 1e-12) & (even.share <= even.null_high + 1e-12)
    assert inside.mean() > 0.9
    bent = j_curve([60] + [1] * 40 + [0] * 159, draws=199)
    assert bent.p == pytest.approx(1 / 200)
    assert bent.gini > bent.gini_null
    counted, chance = bent.share_of(1 / 200)
    assert counted == pytest.approx(0.6)
    assert chance < 0.1


def test_the_null_of_two_places_is_the_binomial() -> None:
    """Mean share of the larger of two with two incidents: (1 + 1 + 1/2 + 1/2) / 4."""
    found = j_curve([2, 0], draws=20_000)
    assert found.null[1] == pytest.approx(0.75, abs=0.01)
    assert found.share.tolist() == [0.0, 1.0, 1.0]


def test_weights_say_where_chance_throws() -> None:
    even = j_curve([90, 5, 5], draws=199)
    fair = j_curve([90, 5, 5], weights=[0.9, 0.05, 0.05], draws=199)
    assert even.p < 0.05 < fair.p


def test_faults() -> None:
    with pytest.raises(InvalidInputError, match="not whole"):
        generalised_gini([0.5, 1])
    with pytest.raises(InvalidInputError, match="one place"):
        generalised_gini([])
    with pytest.raises(InvalidInputError, match="3 faults"):
        j_curve([0, 0], weights=[1.0], draws=0)
