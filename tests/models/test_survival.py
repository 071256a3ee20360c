import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.survival import DE_MAIO_SOURCE, LARSEN_SOURCE, arrest_survival, de_maio, larsen

minutes = st.floats(0, 60)


def test_de_maio_gives_what_its_study_is_quoted_for() -> None:
    """A review of the study (American Family Physician 2004, 69, 957) says five minutes double eight."""
    assert float(de_maio(5) / de_maio(8)) == pytest.approx(2.0, abs=0.1)
    np.testing.assert_allclose(de_maio([5, 6, 7, 8, 9]), [0.120, 0.095, 0.075, 0.059, 0.046], atol=5e-4)


def test_the_odds_of_de_maio_fall_by_a_quarter_a_minute() -> None:
    survival = de_maio(np.arange(20.0))
    odds = survival / (1 - survival)
    np.testing.assert_allclose(odds[1:] / odds[:-1], 0.77, atol=1e-3)
    assert float(de_maio(0)) == pytest.approx(1 / (1 + math.exp(0.679)))


def test_de_maio_is_zero_where_nobody_comes() -> None:
    assert de_maio([math.inf, 1e6]).tolist() == [0.0, 0.0]


def test_larsen_gives_the_figures_of_its_abstract() -> None:
    """67 % when all three come at once, 5.5 % less a minute when none comes."""
    assert float(larsen(0, 0, 0)) == 0.67
    assert float(larsen(1, 1, 1)) == pytest.approx(0.67 - 0.055)
    assert float(larsen(12, 12, 12)) == pytest.approx(0.01)
    assert float(larsen(1, 0, 0)) == pytest.approx(0.647)
    assert float(larsen(0, 1, 0)) == pytest.approx(0.659)
    assert float(larsen(0, 0, 1)) == pytest.approx(0.649)


def test_larsen_is_floored_at_zero() -> None:
    assert larsen([12.5, 30, math.inf], [12.5, 30, 0], 12.5).tolist() == [0.0, 0.0, 0.0]


def test_arrays_are_broadcast() -> None:
    assert larsen(np.zeros((3, 1)), np.arange(4.0), 2.0).shape == (3, 4)
    assert de_maio(np.zeros((2, 3))).shape == (2, 3)


@given(minutes, minutes, st.floats(0, 10))
def test_later_is_never_better(first: float, other: float, delay: float) -> None:
    assert de_maio(first + delay) <= de_maio(first)
    for late in np.eye(3) * delay:
        times = np.array([first, other, other])
        assert larsen(*(times + late)) <= larsen(*times)


@pytest.mark.parametrize("bad", [-1.0, [3.0, math.nan]])
def test_bad_times_are_told(bad: object) -> None:
    with pytest.raises(InvalidInputError, match="first defibrillator"):
        de_maio(bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError) as caught:
        larsen(bad, 1.0, bad)  # type: ignore[arg-type]
    assert "the time to CPR" in str(caught.value)
    assert "the time to ALS" in str(caught.value)


def test_sources_name_journal_and_year() -> None:
    assert "2003" in DE_MAIO_SOURCE
    assert "1993" in LARSEN_SOURCE
    assert all("Annals of Emergency Medicine" in source for source in (DE_MAIO_SOURCE, LARSEN_SOURCE))


@given(minutes, st.none() | minutes)
def test_a_fire_engine_helps_only_where_it_is_sooner(ambulance: float, engine: float | None) -> None:
    by_de_maio, by_larsen = arrest_survival([ambulance], engine)
    first = ambulance if engine is None else min(ambulance, engine)
    assert by_de_maio[0] == de_maio(first)
    assert by_larsen[0] == larsen(first, first, ambulance)
    alone = arrest_survival([ambulance])
    assert by_de_maio[0] >= alone[0][0]
    assert by_larsen[0] >= alone[1][0]


def test_an_engine_alone_brings_a_defibrillator_but_no_advanced_care() -> None:
    by_de_maio, by_larsen = arrest_survival([math.inf], 6.0)
    assert by_de_maio[0] == pytest.approx(0.095, abs=5e-4)
    assert by_larsen[0] == 0
    with pytest.raises(InvalidInputError, match="fire engine cannot be negative"):
        arrest_survival([5.0], -1.0)
