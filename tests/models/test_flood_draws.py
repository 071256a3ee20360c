"""Draws of ground and basins: a closed form, a count by hand, and what is asked of them."""

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from errors import InvalidInputError
from geo.drainage_error import ElevationError, drawn_surfaces
from models.flood import run_storm
from models.flood_draws import (
    Draw,
    FloodCase,
    FloodDraws,
    draw_floods,
    sign_holds,
    state_draws,
)
from models.storm import Pumping, Storm

if TYPE_CHECKING:
    from models.basin_inputs import BasinStates

FloatArray = npt.NDArray[np.float64]
NO_PUMPS = Pumping(0.0, 0.0)


def _by_chance(random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Two basins, each half the time nearly closed; a crew opens them."""
    return np.where(random.random(2) < 0.5, 0.1, 1.0), np.ones(2)


def _surface(size: int = 30) -> FloatArray:
    """Two hollows on ground that slopes gently, walled all around."""
    at = np.arange(size)
    row, column = np.meshgrid(at, at, indexing="ij")
    ground = 0.01 * column
    for middle in (8, 21):
        ground = ground - 1.2 * np.exp(-((row - 15) ** 2 + (column - middle) ** 2) / 20)
    return np.asarray(ground, dtype=np.float64)


def _case(dem: FloatArray, *, basins: tuple[list[int], list[int]] = ([15, 15], [8, 21])) -> FloodCase:
    row, column = (np.array(cells, dtype=np.int64) for cells in basins)
    return FloodCase(
        dem,
        10.0,
        "wall",
        row,
        column,
        np.full(len(row), 0.02),
        1.0,
        None,
        Storm(80.0, 120.0),
        Pumping(30.0, 10.0),
        min_depth_m=0.1,
    )


def _open(shares: list[float]) -> tuple[FloatArray, FloatArray]:
    return np.array(shares), np.ones(len(shares))


def test_chance_of_a_pit_is_its_closed_form() -> None:
    """Pits of one cell with one way out each, filled to where they spill: two levels differ normally."""
    one = np.array([[9.0, 9.0, 9.0], [9.0, 0.0, 0.1], [9.0, 9.0, 9.0]])
    dem, edge = np.tile(one, (5, 5)), np.tile(one == 0.1, (5, 5))
    case = replace(
        _case(dem, basins=([], [])), edge=edge, storm=Storm(400.0, 60.0), pumping=NO_PUMPS, min_depth_m=0.0
    )
    found = draw_floods(
        case,
        open_share=np.empty(0),
        states=lambda _: _open([]),
        error=ElevationError(sd_m=0.2, range_m=0.1),
        seed=1,
    )
    pits = found.p_wet[dem == 0.0]
    assert pits.mean() == pytest.approx(norm.sf(0.2 / (0.2 * np.sqrt(2))), abs=0.03)
    assert found.figures["wet_m2"].mean() == pytest.approx(pits.sum() * 100)


def test_draws_are_counted_as_by_hand() -> None:
    dem, error = _surface(), ElevationError(sd_m=0.15, range_m=60.0)
    dem[0, :4] = np.nan
    case, parts, seen = _case(dem), list[FloodDraws](), list[tuple[int, int]]()

    def look(draw: Draw) -> dict[str, float]:
        return {"saved": draw.flood.peak_m3 - draw.cleaned(np.array([0, 1])).peak_m3}

    found = draw_floods(
        case,
        open_share=np.array([0.5, 0.5]),
        states=_by_chance,
        error=error,
        seed=3,
        look=look,
        on_draw=lambda done, of: seen.append((done, of)),
        on_part=parts.append,
    )
    base = run_storm(case.ground(), case.storm, case.pumping, 0.5)
    wet_base = base.depth_m >= 0.3
    pools = {
        int(pool): set(map(tuple, np.argwhere(wet_base & (base.top[base.ground.ponds.label] == pool))))
        for pool in np.unique(base.top[base.ground.ponds.label[wet_base]])
    }
    times, again, saved = np.zeros(dem.shape), dict.fromkeys(pools, 0), []
    for number, surface in enumerate(drawn_surfaces(dem, 10.0, error=error, draws=100, seed=3)):
        random = np.random.default_rng(np.random.SeedSequence([3, number, 1]))
        as_is, cleaned = _by_chance(random)
        ground = case.ground(surface)
        flood, after = (run_storm(ground, case.storm, case.pumping, share) for share in (as_is, cleaned))
        wet = flood.depth_m >= 0.3
        times += wet
        saved.append(flood.peak_m3 - after.peak_m3)
        top = flood.top[ground.ponds.label]
        drawn = [set(map(tuple, np.argwhere(wet & (top == pool)))) for pool in np.unique(top[wet])]
        for pool, cells in pools.items():
            again[pool] += any(2 * len(cells & other) >= len(cells | other) for other in drawn)
    np.testing.assert_allclose(found.p_wet[~np.isnan(dem)], times[~np.isnan(dem)] / 100, atol=1e-6)
    assert np.isnan(found.p_wet[np.isnan(dem)]).all()
    assert found.pool.tolist() == sorted(pools)
    assert found.found.tolist() == [again[pool] / 100 for pool in sorted(pools)]
    assert 0 < found.found.min() < 1
    np.testing.assert_allclose(found.pool_m2, [100 * len(pools[pool]) for pool in sorted(pools)])
    np.testing.assert_allclose(found.figures["saved"], saved)
    assert found.interval("saved")[1] == pytest.approx(np.median(saved))
    assert [part.draws for part in parts] == [5, 20, 50]
    assert parts[0].figures["saved"].tolist() == found.figures["saved"][:5].tolist()
    assert seen == [(done, 100) for done in range(1, 101)]
    assert found.draws == 100


def test_without_error_and_doubt_every_draw_is_the_survey() -> None:
    case = _case(_surface())
    found = draw_floods(
        case,
        open_share=np.array([0.4, 0.7]),
        states=lambda _: _open([0.4, 0.7]),
        error=ElevationError(sd_m=0.0, range_m=50.0),
        seed=1,
    )
    np.testing.assert_array_equal(found.p_wet, found.base.depth_m >= 0.3)
    assert found.found.tolist() == [1.0] * len(found.pool) != []
    assert found.ground_found == 1.0
    assert np.ptp(found.figures["wet_m2"]) == 0


def test_a_dry_day_has_no_pools() -> None:
    found = draw_floods(
        replace(_case(_surface()), storm=Storm(0.0, 60.0)),
        open_share=np.ones(2),
        states=lambda _: _open([1.0, 1.0]),
        error=ElevationError(sd_m=0.1, range_m=50.0),
        seed=1,
    )
    assert len(found.pool) == 0
    assert found.ground_found == 1.0
    assert (found.p_wet == 0).all()


def test_each_draw_has_a_state_of_its_own() -> None:
    asked: list[int] = []

    def draws(n: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
        assert n == 1
        asked.append(seed)
        return np.array([[0.2, 0.3]]), np.array([[1.0, 1.0]])

    draw = state_draws(cast("BasinStates", SimpleNamespace(draws=draws)))
    before, after = draw(np.random.default_rng(1))
    assert before.tolist() == [0.2, 0.3]
    assert after.tolist() == [1.0, 1.0]
    draw(np.random.default_rng(2))
    draw(np.random.default_rng(1))
    assert asked[0] == asked[2] != asked[1]


def test_work_can_be_stopped_and_faults_are_said() -> None:
    case, error = _case(_surface()), ElevationError(sd_m=0.1, range_m=50.0)

    class StopError(Exception):
        pass

    def stop(done: int, of: int) -> None:
        if done == 2:
            raise StopError(of)

    def run(draws: int = 100, **options: object) -> FloodDraws:
        return draw_floods(
            case,
            open_share=np.ones(2),
            states=lambda _: _open([1.0, 1.0]),
            error=error,
            seed=1,
            draws=draws,
            **options,  # type: ignore[arg-type]
        )

    with pytest.raises(StopError, match="100"):
        run(on_draw=stop)
    with pytest.raises(InvalidInputError, match="at least 100"):
        run(99)
    with pytest.raises(InvalidInputError, match="other figures"):
        run(look=lambda draw: {f"figure {draw.number}": 0.0})


def test_a_sign_holds_in_nine_of_ten_draws() -> None:
    assert sign_holds([1.0] * 9 + [-1.0])
    assert sign_holds([-1.0] * 10)
    assert not sign_holds([1.0] * 8 + [0.0, 0.0])
    assert not sign_holds([])
