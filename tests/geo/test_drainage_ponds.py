"""Nested bowls without noise, against bowls made by hand, h-minima of scikit-image and sums over cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from errors import InvalidInputError
from geo.drainage_hierarchy import OUT, nest_bowls
from geo.drainage_ponds import significant_ponds
from geo.drainage_water import place_water, rain_on_leaves
from tests.geo.test_drainage_water import NESTED, SEEDS, _surface

DEPTHS = st.floats(0.0, 40.0)


def test_shallow_bowls_join_what_they_spill_into() -> None:
    ponds = significant_ponds(nest_bowls(NESTED, 10.0, edge="outlet"), min_depth_m=2.5)
    assert ponds.n_ponds == 2
    # The pit of 3 m is 2 m deep and spills over 5 m into the one of 1 m.
    assert ponds.label[1].tolist() == [OUT, 1, 1, 2, 2, 2, OUT]
    assert ponds.area_m2.tolist() == [1600, 200, 300]
    assert ponds.parent[1:].tolist() == [3, 3, OUT]
    assert ponds.into[1:].tolist() == [2, 1, OUT]
    assert ponds.spill_m[1:].tolist() == [4, 4, 6]
    assert ponds.bottom_m[1:].tolist() == [0, 1, 0]
    assert ponds.volume_m3[1:].tolist() == [400, 400, 1700]
    assert ponds.room_m3[1:].tolist() == [400, 400, 900]
    assert ponds.levels_m([1, 2, 2, 3], [200.0, 0.0, 300.0, 1100.0]).tolist() == [2, -np.inf, 3.5, 4.75]
    assert ponds.volumes_m3([1, 2, 3], [2.0, 3.5, 4.75]).tolist() == [200, 300, 1100]
    assert ponds.levels_m(3, 9e9) == 6


@pytest.mark.parametrize(
    ("depth", "volume", "n_ponds"),
    [(0, 0, 3), (2, 0, 3), (3, 0, 2), (3.5, 0, 1), (7, 0, 0), (0, 350, 1), (0, 9e9, 0)],
)
def test_what_counts(depth: float, volume: float, n_ponds: int) -> None:
    ponds = significant_ponds(
        nest_bowls(NESTED, 10.0, edge="outlet"), min_depth_m=depth, min_volume_m3=volume
    )
    assert ponds.n_ponds == n_ponds
    assert ponds.area_m2.sum() == NESTED.size * 100
    if n_ponds:
        assert ponds.volume_m3[-1] == 1700


def test_a_bowl_behind_walls_stays_and_rises_without_end() -> None:
    ponds = significant_ponds(
        nest_bowls(np.array([[1.0, 0.0, 1.0]]), 10.0, edge="wall"), min_depth_m=5.0, min_volume_m3=1e9
    )
    assert ponds.n_ponds == 1
    assert ponds.parent[1] == -1
    assert ponds.levels_m(1, 1000.0) == pytest.approx(1 + 900 / 300)
    assert ponds.volumes_m3(1, 4.0) == pytest.approx(1000)


@given(SEEDS)
def test_nothing_is_folded_when_everything_counts(seed: int) -> None:
    dem, edge = _surface(seed)
    bowls, random = nest_bowls(dem, 3.0, edge=edge), np.random.default_rng(seed)
    ponds = significant_ponds(bowls, min_depth_m=0.0)
    np.testing.assert_array_equal(ponds.label, bowls.label)
    np.testing.assert_array_equal(ponds.parts, bowls.parts)
    np.testing.assert_allclose(ponds.room_m3, bowls.room_m3, atol=1e-9)
    poured = random.exponential(200.0, bowls.n_leaves + 1)
    np.testing.assert_allclose(
        place_water(ponds.nest, poured).depth_m, place_water(bowls, poured).depth_m, atol=1e-9
    )


@given(SEEDS, st.integers(1, 40))
def test_as_many_ponds_as_h_minima(seed: int, depth: int) -> None:
    dem = np.random.default_rng(seed).permutation(np.arange(80)).reshape(8, 10)
    ponds = significant_ponds(nest_bowls(dem.astype(float), 3.0, edge="wall"), min_depth_m=depth)
    morphology = pytest.importorskip("skimage.morphology", reason="scikit-image is not installed")
    around = np.ones((3, 3))
    assert ponds.n_ponds == ndimage.label(morphology.h_minima(dem, depth, footprint=around), around)[1]


@given(SEEDS, DEPTHS, st.floats(0.0, 500.0))
def test_tables_hold_what_the_cells_hold(seed: int, depth: float, volume: float) -> None:
    dem, edge = _surface(seed)
    bowls = nest_bowls(dem + 1600.0, 3.0, edge=edge if isinstance(edge, str | dict) else "outlet")
    ponds = significant_ponds(bowls, min_depth_m=depth, min_volume_m3=volume)
    under = [{node} for node in range(ponds.n_nodes)]
    for node in range(ponds.n_ponds + 1, ponds.n_nodes):
        first, second = ponds.parts[node]
        under[node] |= under[first] | under[second]
    for node in range(1, ponds.n_nodes):
        cells = ponds.dem_m[np.isin(ponds.label, list(under[node]))]
        entries = slice(ponds.table_start[node], ponds.table_start[node + 1])
        levels, water = ponds.table_level_m[entries], ponds.table_m3[entries]
        by_cell = [9.0 * np.maximum(level - cells, 0.0).sum() for level in levels]
        np.testing.assert_allclose(water, by_cell, atol=1e-6)
        assert (np.diff(levels) >= 0).all()
        assert ponds.bottom_m[node] == cells.min()
        assert np.isinf(ponds.spill_m[node]) or (
            ponds.spill_m[node] - ponds.bottom_m[node] >= depth - 1e-9
            and ponds.volume_m3[node] >= volume - 1e-6
        )
        some = np.random.default_rng(seed).uniform(water[0], water[-1], 5)
        np.testing.assert_allclose(ponds.volumes_m3(node, ponds.levels_m(node, some)), some, atol=1e-6)


@given(SEEDS, DEPTHS)
def test_rain_is_conserved_and_the_rim_holds(seed: int, depth: float) -> None:
    dem, edge = _surface(seed)
    ponds = significant_ponds(nest_bowls(dem, 3.0, edge=edge), min_depth_m=depth)
    water = place_water(ponds.nest, rain_on_leaves(ponds.nest, 5.0))
    assert water.stored_m3 + water.out_m3 == pytest.approx(5.0 * 9 * np.isfinite(dem).sum())
    assert np.nansum(water.depth_m) * 9 == pytest.approx(water.stored_m3, abs=1e-6)


def test_faults_are_said() -> None:
    bowls = nest_bowls(NESTED, 10.0, edge="outlet")
    with pytest.raises(InvalidInputError, match="2 faults"):
        significant_ponds(bowls, min_depth_m=-1.0, min_volume_m3=np.nan)
    with pytest.raises(InvalidInputError, match="numbered from 1 to 5"):
        significant_ponds(bowls).levels_m([6], [1.0])
