"""Speeds of the whole week out of those of its hour bands."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from errors import InvalidInputError
from models.trips import DrivenSpeeds, FloatArray

SHAPE = (3, 4, 2)


@given(arrays(float, SHAPE, elements=st.floats(5, 120)), arrays(float, 4, elements=st.floats(0.01, 9)))
def test_a_drive_of_the_week_is_the_mean_of_its_bands_drives(kph: FloatArray, weight: FloatArray) -> None:
    week = DrivenSpeeds(kph, 20.0, 0.2).over_bands(weight)
    metres = np.array([400.0, 1500.0, 90.0])
    for siren in (0, 1):
        drives = (metres[:, None] / (kph[:, :, siren] / 3.6)).sum(axis=0)
        assert (metres / (week.kph[:, 0, siren] / 3.6)).sum() == pytest.approx(
            np.average(drives, weights=weight)
        )
    assert (week.access_s, week.access_s_per_m) == (20.0, 0.2)


def test_one_band_alone_is_that_band() -> None:
    kph = np.random.default_rng(1).uniform(10, 90, SHAPE)
    week = DrivenSpeeds(kph, 0.0).over_bands(np.array([0.0, 3.0, 0.0, 0.0]))
    np.testing.assert_allclose(week.kph[:, 0], kph[:, 1])


@pytest.mark.parametrize(
    ("weight", "words"),
    [([1.0], "one number for each"), ([0.0] * 4, "above zero"), ([-1.0, 1, 1, 1], "zero or more")],
)
def test_weights_that_mean_nothing_are_refused(weight: list[float], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        DrivenSpeeds(np.ones(SHAPE), 0.0).over_bands(np.array(weight))
