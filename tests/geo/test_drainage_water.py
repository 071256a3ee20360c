"""Nested bowls and water at rest, against ponds filled cell by cell and bowls made by hand."""

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from errors import InvalidInputError
from geo.drainage_edges import SIDES, Edge, sills_m
from geo.drainage_hierarchy import NO_GROUND, OUT, nest_bowls
from geo.drainage_water import place_water, rain_on_leaves
from tests.geo.drainage_reference import FloatArray, ManyWaysError, Ponds

NESTED = np.array([[9, 9, 9, 9, 9, 9, 9], [6, 0, 4, 1, 5, 3, 9], [9, 9, 9, 9, 9, 9, 9]], dtype=float)
"""Three pits of 0, 1 and 3 m in a row; passes of 4 m and 5 m between them; a cut of 6 m in the west."""

SEEDS = st.integers(0, 2**32 - 1)


def _surface(seed: int) -> tuple[FloatArray, Edge]:
    """Levels that are all different, so that there is one way for the water only; gaps; any edge rule."""
    random = np.random.default_rng(seed)
    dem = random.permutation(np.arange(48.0)).reshape(6, 8)
    dem[random.random(dem.shape) < random.choice([0.0, 0.1])] = np.nan
    rules: list[Edge] = [
        "outlet",
        "wall",
        {side: str(random.choice(["outlet", "wall"])) for side in SIDES},
        np.where(random.random(dem.shape) < 0.05, random.uniform(0, 60, dem.shape), np.nan),
    ]
    return dem, rules[random.integers(len(rules))]


def test_nested_bowls_by_hand() -> None:
    bowls = nest_bowls(NESTED, 10.0, edge="outlet")
    assert bowls.n_leaves == 3
    assert bowls.label[1, [0, 1, 3, 5, 6]].tolist() == [OUT, 1, 2, 3, OUT]
    assert bowls.bottom_m[1:].tolist() == [0, 1, 3, 0, 0]
    assert bowls.spill_m[1:].tolist() == [4, 4, 5, 5, 6]
    assert bowls.parent[1:].tolist() == [4, 4, 5, 5, OUT]
    assert sorted(bowls.parts[4]) == [1, 2]
    assert sorted(bowls.parts[5]) == [3, 4]
    assert bowls.pour_cell[1:].tolist() == [[1, 2], [1, 2], [1, 4], [1, 4], [1, 0]]
    assert bowls.into[1:].tolist() == [2, 1, 2, 3, OUT]
    assert bowls.volume_m3[1:].tolist() == [400, 300, 200, 1000, 1700]
    assert bowls.room_m3[1:].tolist() == [400, 300, 200, 300, 500]
    assert bowls.area_m2[1:].tolist() == [100, 100, 100, 300, 500]
    level, area, volume = bowls.curve(4)
    assert (level.tolist(), area.tolist(), volume.tolist()) == ([4, 5], [300, 300], [700, 1000])


@pytest.mark.parametrize(
    ("poured", "levels", "out"),
    [
        ([0, 100, 0, 0], [1, -np.inf, -np.inf], 0),
        ([0, 500, 0, 0], [4, 2, -np.inf], 0),
        ([0, 0, 600, 0], [3, 4, -np.inf], 0),
        ([0, 850, 0, 0], [4.5, 4.5, -np.inf], 0),
        ([0, 1100, 0, 0], [5, 5, 4], 0),
        ([0, 0, 0, 300], [-np.inf, 2, 5], 0),
        ([0, 0, 0, 1500], [5.6, 5.6, 5.6], 0),
        ([7, 1000, 1000, 0], [6, 6, 6], 307),
    ],
)
def test_fill_spill_merge_by_hand(poured: list[float], levels: list[float], out: float) -> None:
    water = place_water(nest_bowls(NESTED, 10.0, edge="outlet"), poured)
    assert water.level_m[1:].tolist() == pytest.approx(levels)
    assert water.out_m3 == out
    assert water.stored_m3 + water.out_m3 == water.poured_m3
    assert np.nansum(water.depth_m) * 100 == pytest.approx(water.stored_m3)


def test_walls_hold_everything() -> None:
    bowls = nest_bowls(NESTED, 10.0, edge="wall")
    water = place_water(bowls, rain_on_leaves(bowls, 20.0))
    assert water.out_m3 == 0
    np.testing.assert_allclose(water.depth_m + NESTED, NESTED.mean() + 20.0)


@given(SEEDS)
def test_water_stands_as_in_ponds_filled_cell_by_cell(seed: int) -> None:
    dem, edge = _surface(seed)
    bowls, random = nest_bowls(dem, 3.0, edge=edge), np.random.default_rng(seed)
    poured = random.exponential(random.choice([20.0, 200.0, 2000.0]), bowls.n_leaves + 1)
    poured[random.random(len(poured)) < 0.3] = 0.0
    water = place_water(bowls, poured)
    ponds = Ponds(bowls, sills_m(dem, edge))
    try:
        for leaf in random.permutation(bowls.n_leaves + 1):
            ponds.pour(int(leaf), float(poured[leaf]))
    except ManyWaysError:
        reject()
    np.testing.assert_allclose(water.depth_m, ponds.surface - dem, atol=1e-9)
    assert water.out_m3 == pytest.approx(ponds.out, abs=1e-8)


@given(SEEDS, st.floats(0, 40))
def test_rain_is_conserved(seed: int, rain_m: float) -> None:
    dem, edge = _surface(seed)
    bowls = nest_bowls(dem + 1600.0, 3.0, edge=edge if isinstance(edge, str | dict) else "outlet")
    water = place_water(bowls, rain_on_leaves(bowls, rain_m))
    assert water.poured_m3 == pytest.approx(rain_m * 9 * np.isfinite(dem).sum(), rel=1e-9)
    assert water.stored_m3 + water.out_m3 == pytest.approx(water.poured_m3, rel=1e-9, abs=1e-9)
    assert np.nansum(water.depth_m) * 9 == pytest.approx(water.stored_m3, rel=1e-9, abs=1e-9)
    held = np.isfinite(bowls.spill_m)[bowls.pool_of_cell] & np.isfinite(dem)
    assert (water.depth_m[held] + bowls.dem_m[held] <= bowls.filled_m[held] + 1e-9).all()


@given(SEEDS)
def test_each_cell_is_of_one_leaf_and_lies_above_its_pit(seed: int) -> None:
    dem, edge = _surface(seed)
    bowls = nest_bowls(dem, 3.0, edge=edge)
    np.testing.assert_array_equal(bowls.label == NO_GROUND, np.isnan(dem))
    for leaf in range(1, bowls.n_leaves + 1):
        assert dem[bowls.label == leaf].min() == bowls.bottom_m[leaf]
    merged = np.flatnonzero(bowls.parts[:, 0] >= 0)
    assert (bowls.parent[bowls.parts[merged]] == merged[:, None]).all()
    assert (bowls.spill_m[bowls.parts[merged]] <= bowls.spill_m[merged][:, None]).all()


@given(SEEDS)
def test_curve_ends_at_the_volume_and_grows_with_the_area(seed: int) -> None:
    dem, edge = _surface(seed)
    bowls = nest_bowls(dem, 3.0, edge=edge)
    for node in range(1, bowls.n_nodes):
        level, area, volume = bowls.curve(node)
        assert (np.diff(level) > 0).all()
        np.testing.assert_allclose(np.diff(volume), np.diff(level) * area[:-1], atol=1e-8)
        expected = (
            bowls.volume_m3[node] if np.isfinite(bowls.volume_m3[node]) else bowls.behind_walls(node)[1]
        )
        assert volume[-1] == pytest.approx(expected, abs=1e-8)


def test_faults_are_said() -> None:
    bowls = nest_bowls(NESTED, 10.0, edge="outlet")
    with pytest.raises(InvalidInputError, match="give 4 volumes"):
        place_water(bowls, [1.0])
    with pytest.raises(InvalidInputError, match="zero or more"):
        place_water(bowls, [0.0, -1.0, 0.0, 0.0])
    with pytest.raises(InvalidInputError, match="one for each cell"):
        rain_on_leaves(bowls, np.zeros((2, 2)))
    with pytest.raises(InvalidInputError, match="on every cell with ground"):
        rain_on_leaves(bowls, np.nan)
    with pytest.raises(InvalidInputError, match="There is no bowl 9"):
        bowls.curve(9)
