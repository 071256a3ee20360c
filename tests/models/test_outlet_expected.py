import math

import numpy as np
import pytest

from models.outlet_counts import negative_binomial
from models.outlet_expected import blocks, calibration, expected_by_block, folds_of, open_hours_exposure
from tests.models.outlet_cases import NAMES, planted_city


def test_an_outlet_does_not_set_its_own_expectation_nor_its_block() -> None:
    city = planted_city(1, outlets=300, planted=0, draws=2)
    loud = city.counts.copy()
    inside = np.array(city.block) == city.block[0]
    loud[:, inside] *= 50
    before, after = (
        expected_by_block(counts, city.hours, city.covariates, city.block, names=NAMES)
        for counts in (city.counts, loud)
    )
    np.testing.assert_array_equal(before.mean[:, inside], after.mean[:, inside])
    other = before.fold != before.fold[0]
    assert not np.allclose(before.mean[:, other], after.mean[:, other])


def test_expectations_are_those_of_a_fit_to_the_other_folds() -> None:
    city = planted_city(2, outlets=600, planted=0, draws=1)
    found = expected_by_block(city.counts, city.hours, city.covariates, city.block, names=NAMES)
    out = found.fold == 2
    fit = negative_binomial(city.counts[0, ~out], city.hours[~out], city.covariates[~out])
    due = city.hours[out] * np.exp(fit.coefficients[0] + city.covariates[out] @ fit.coefficients[1:])
    inside = (
        (city.covariates[out] >= city.covariates[~out].min(axis=0))
        & (city.covariates[out] <= city.covariates[~out].max(axis=0))
    ).all(axis=1)
    np.testing.assert_allclose(found.mean[0, out][inside], due[inside], rtol=5e-3)


def test_folds_are_whole_blocks_of_like_size_in_any_order() -> None:
    block = [f"b{i % 23}" for i in range(400)]
    fold = folds_of(block)
    assert all(len({fold[i] for i in range(400) if block[i] == name}) == 1 for name in set(block))
    assert np.ptp(np.bincount(fold)) <= 18
    np.testing.assert_array_equal(folds_of(block[::-1])[::-1], fold)


def test_nothing_is_extrapolated() -> None:
    city = planted_city(3, outlets=300, planted=0, draws=1)
    city.covariates[7] = 40.0
    found = expected_by_block(city.counts, city.hours, city.covariates, city.block, names=NAMES)
    assert found.mean[0, 7] < 40 * city.expected.max()


def test_a_column_that_is_constant_elsewhere_is_left_out_in_words() -> None:
    city = planted_city(4, outlets=300, planted=0, draws=1)
    only = (np.array(city.block) == city.block[0]).astype(float)
    x = np.column_stack([city.covariates, only])
    found = expected_by_block(city.counts, city.hours, x, city.block, names=[*NAMES, "quarter"])
    assert np.isfinite(found.mean).all()
    assert any("quarter" in word for word in found.words)


def test_calibration_holds_where_the_model_is_right_and_fails_where_it_is_not() -> None:
    city = planted_city(5, planted=0, astray=0.0, draws=3)
    alpha = np.full(3, 0.2)
    right = calibration(city.counts, np.tile(city.expected, (3, 1)), alpha, city.category)
    assert right[0].category == "all"
    assert right[0].fits
    assert right[0].observed == pytest.approx(city.counts.sum() / 3)
    assert sum(kind.outlets for kind in right[1:]) == right[0].outlets
    wrong = calibration(city.counts, np.tile(1.3 * city.expected, (3, 1)), alpha, city.category)
    assert not wrong[0].fits


def test_calibration_interval_by_hand() -> None:
    found = calibration(np.array([[30, 10]]), np.array([[20.0, 20.0]]), np.array([0.5]), ["a", "a"])[0]
    reach = 1.959964 * math.sqrt((40 + 0.5 * 800) / 1600)
    assert found.ratio.value == 1.0
    assert found.ratio.high == pytest.approx(1 + reach, rel=1e-6)


def test_unknown_hours_get_the_median_and_an_indicator() -> None:
    exposure, extra, names, words = open_hours_exposure([40.0, np.nan, 60.0, 100.0])
    assert exposure.tolist() == [40.0, 60.0, 60.0, 100.0]
    assert extra[:, 0].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert names == ("hours not known",)
    assert "1 of 4" in words
    assert open_hours_exposure([np.nan, np.nan])[0].tolist() == [1.0, 1.0]
    assert open_hours_exposure([np.nan, np.nan])[1].shape == (2, 0)
    assert open_hours_exposure([5.0, 0.0])[0].tolist() == [5.0, 0.0]


def test_far_and_placeless_outlets_have_no_block_but_a_reason() -> None:
    lon = [-90.07, -90.06, -90.065, -90.07, np.nan]
    lat = [29.95, 29.96, 29.955, 29.955 + 50.2 / 111.2, 29.95]
    block, reason = blocks(lon, lat)
    assert [cell is None for cell in block] == [False, False, False, True, True]
    assert "50 km" in reason[3]
    assert "no place" in reason[4]
    assert reason[:3] == ["", "", ""]
