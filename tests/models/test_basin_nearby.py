"""What neighbours share: found where it is planted, not found where it is not, and drawn as learned."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from models.basin_nearby import Nearby, learn_nearby

FloatArray = npt.NDArray[np.float64]
N, REACH_M, VARIANCE = 6000, 400.0, 1.5


def _planted(variance: float, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Places on 5 km by 5 km, a field, and states of basins with P 0.4 but for the field."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 5000, (N, 2))
    # Own field: a mean of kernels at random places, scaled; not the cosines of the model.
    knots = rng.uniform(-1000, 6000, (600, 2))
    away = np.hypot(xy[:, None, 0] - knots[None, :, 0], xy[:, None, 1] - knots[None, :, 1])
    field = np.exp(-((away / REACH_M) ** 2)) @ rng.standard_normal(600)
    field = np.sqrt(variance) * (field - field.mean()) / field.std()
    state = rng.random(N) < expit(-0.4 + field)
    return xy, field, state.astype(float)


def test_a_planted_field_is_found() -> None:
    xy, field, state = _planted(VARIANCE, 1)
    looked = np.random.default_rng(2).choice(N, 2000, replace=False)
    got = learn_nearby(xy, looked, state[looked], np.full(2000, 0.4))
    rest = np.setdiff1d(np.arange(N), looked)
    assert 0.3 * VARIANCE < got.variance < 3 * VARIANCE
    assert got.reach_m in {200.0, 400.0, 800.0}
    assert np.corrcoef(got.mean[rest], field[rest])[0, 1] > 0.7
    # Those not looked at are told better than by the same chance for all.
    told = expit(np.log(0.4 / 0.6) + got.mean[rest])
    plain = np.mean((state[rest] - 0.4) ** 2)
    assert np.mean((state[rest] - told) ** 2) < 0.92 * plain
    assert np.all((got.spread > 0) & (got.spread**2 <= got.variance))


def test_without_a_field_hardly_anything_is_found() -> None:
    xy, _, state = _planted(0.0, 3)
    looked = np.arange(2000)
    got = learn_nearby(xy, looked, state[looked], np.full(2000, 0.4))
    assert got.variance < 0.15
    few = learn_nearby(xy, looked[:50], state[:50], np.full(50, 0.4))
    assert few.variance == 0
    assert not few.mean.any()


def test_neighbours_are_drawn_alike_and_each_as_likely_as_said() -> None:
    rng = np.random.default_rng(4)
    at = rng.uniform(0, 20_000, (3000, 2))
    xy = np.concatenate([at, at + 20.0])
    near = Nearby(400.0, 2.0, np.zeros(6000), np.full(6000, np.sqrt(2.0)), xy)
    draws = np.array([near.latent(rng) for _ in range(30)])
    assert abs(draws.mean()) < 0.05
    assert abs(draws.std() - 1) < 0.05
    alike = np.mean(draws[:, :3000] * draws[:, 3000:])
    shared = 2 / (2 + np.pi**2 / 3)
    assert abs(alike - shared * np.exp(-20 * np.sqrt(2) / 400)) < 0.05
    apart = np.mean(draws[:, :2999] * draws[:, 1:3000])
    assert abs(apart) < 0.05
