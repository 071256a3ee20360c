"""Draws of the elevation error: their spread and likeness as stated, and the chance of water."""

import numpy as np
import pytest
from scipy.stats import norm

from errors import InvalidInputError
from geo.drainage_error import ElevationError, drawn_surfaces, wet_chance


def test_draws_have_the_stated_spread_and_likeness() -> None:
    error = ElevationError(sd_m=0.2, range_m=60.0)
    fields = np.stack([error.draw((60, 60), 10.0, np.random.default_rng(seed)) for seed in range(200)])
    # 200 fields of about 100 places that do not know of each other.
    assert fields.std() == pytest.approx(0.2, rel=0.03)
    np.testing.assert_allclose(fields.std(axis=0)[[0, 0, 30, -1], [0, 30, 30, -1]], 0.2, rtol=0.2)
    for cells in (3, 6, 12):
        alike = np.mean(fields[:, :, cells:] * fields[:, :, :-cells]) / fields.var()
        assert alike == pytest.approx(np.exp(-((cells * 10 / 60) ** 2)), abs=0.05)


def test_part_of_the_error_may_be_each_cells_own() -> None:
    error = ElevationError(sd_m=0.2, range_m=200.0, white_share=0.25)
    field = error.draw((300, 300), 10.0, np.random.default_rng(3))
    steps = np.diff(field, axis=1)
    # Neighbours differ by their own parts, and hardly by the shared one.
    shared = 2 * 0.75 * 0.04 * (1 - np.exp(-((10 / 200) ** 2)))
    assert steps.var() == pytest.approx(2 * 0.25 * 0.04 + shared, rel=0.03)


def test_a_draw_does_not_hang_on_their_number() -> None:
    dem = np.zeros((5, 5))
    error = ElevationError(sd_m=0.2, range_m=20.0)
    few, many = (list(drawn_surfaces(dem, 10.0, error=error, draws=n, seed=4)) for n in (2, 5))
    np.testing.assert_array_equal(few, many[:2])
    assert not np.array_equal(few[0], few[1])


def test_chance_of_one_pit_is_its_closed_form() -> None:
    """A pit 0.3 m deep in one cell, with one way out: the difference of two levels is normal."""
    dem = np.array([[9.0, 9.0, 9.0], [9.0, 0.0, 0.3], [9.0, 9.0, 9.0]])
    edge = np.zeros(dem.shape, dtype=bool)
    edge[1, 2] = True
    error = ElevationError(sd_m=0.2, range_m=0.1)
    found = wet_chance(dem, 10.0, edge=edge, error=error, seed=1, draws=2000, least_depth_m=0.5)
    assert found.p_wet[1, 1] == pytest.approx(norm.sf(0.2 / (0.2 * np.sqrt(2))), abs=0.04)
    assert found.wet_m2.mean() == pytest.approx(found.p_wet[1, 1] * 100)
    assert (np.delete(found.p_wet.ravel(), 4) == 0).all()


def test_without_error_a_cell_is_wet_or_not() -> None:
    dem = np.array([[2.0, 2.0, 2.0, np.nan], [2.0, 1.0, 1.9, 1.5], [2.0, 2.0, 2.0, 2.0]])
    seen: list[tuple[int, int]] = []
    found = wet_chance(
        dem,
        10.0,
        edge="outlet",
        error=ElevationError(sd_m=0.0, range_m=50.0),
        seed=1,
        on_draw=lambda done, of: seen.append((done, of)),
    )
    expected = np.where(np.isnan(dem), np.nan, 0.0)
    expected[1, 1] = 1.0
    np.testing.assert_array_equal(found.p_wet, expected)
    np.testing.assert_allclose(found.stored_m3, 90.0)
    assert seen == [(k, 100) for k in range(1, 101)]


def test_rain_wets_what_it_can_fill() -> None:
    dem = np.array([[2.0, 2.0, 2.0, 2.0], [2.0, 1.0, 1.9, 2.0], [2.0, 2.0, 2.0, 2.0]])
    edge = np.zeros(dem.shape, dtype=bool)
    edge[0, 0] = True
    error = ElevationError(sd_m=0.0, range_m=50.0)
    little = wet_chance(dem, 10.0, edge=edge, error=error, seed=1, rain_m=0.04)
    assert little.p_wet[1, 1] == 1
    assert little.stored_m3[0] == pytest.approx(0.04 * 100 * 11)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"draws": 99}, "at least 100"),
        ({"least_depth_m": 0.0}, "least_depth_m"),
        ({"cell_m": -1.0}, "cell_m"),
    ],
)
def test_faults_are_said(change: dict[str, float], words: str) -> None:
    given = {"cell_m": 10.0, "draws": 100, "least_depth_m": 0.3} | change
    error = ElevationError(sd_m=0.2, range_m=50.0)
    with pytest.raises(InvalidInputError, match=words):
        wet_chance(
            np.zeros((3, 3)),
            given["cell_m"],
            edge="outlet",
            error=error,
            seed=1,
            least_depth_m=given["least_depth_m"],
            draws=int(given["draws"]),
        )


def test_an_error_that_cannot_be_drawn_is_said() -> None:
    with pytest.raises(InvalidInputError, match="3 faults"):
        ElevationError(sd_m=-1.0, range_m=0.0, white_share=2.0)
