"""The mean drive over cells and hours, counted by hand."""

import numpy as np
import pytest

from models.week import CallShape, mean_drive


def test_the_mean_drive_is_over_calls() -> None:
    profile = np.ones(168)
    profile[:24] = 3.0
    shape = CallShape(np.array([0.25, 0.75]), profile, 0.0)
    band_of_hour = (np.arange(168) >= 24).astype(np.int64)
    minutes = np.array([[2.0, 4.0], [1.0, 3.0]])
    slow, fast = 0.25 * 2 + 0.75 * 4, 0.25 * 1 + 0.75 * 3
    assert mean_drive(minutes, shape, band_of_hour) == pytest.approx((72 * slow + 144 * fast) / 216)
    assert mean_drive(minutes[:1], shape, np.zeros(168, dtype=np.int64)) == pytest.approx(slow)


def test_cells_without_a_way_are_left_out() -> None:
    shape = CallShape(np.array([0.25, 0.75]), np.ones(168), 0.0)
    hours = np.zeros(168, dtype=np.int64)
    assert mean_drive(np.array([[2.0, np.inf]]), shape, hours) == pytest.approx(2.0)
    assert mean_drive(np.array([[np.inf, np.inf]]), shape, hours) == 0.0
