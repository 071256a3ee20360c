"""Filled surfaces, edge rules and pools, against brute force, a spanning tree and bowls made by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from errors import InvalidInputError
from geo.drainage import bluespots, fill_depressions
from geo.drainage_edges import SIDES, Edge, Grid, Rule, beside, sills_m
from geo.drainage_hierarchy import nest_bowls
from tests.geo.drainage_reference import FloatArray, fill_by_sinking, neighbours

LEVEED = np.array(
    [
        [3, 3, 3, 3, 3],
        [3, 0, 1, 0, 3],
        [3, 0, 2, 0, 3],
        [3, 0, 2, 0, 1.5],
        [3, 3, 3, 3, 3],
    ],
    dtype=float,
)
"""A levee 3 m high with a cut of 1.5 m in the east around two bowls, parted by a ridge of 1 m and 2 m."""

SURFACES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    # Few levels, so that flats and equal passes are common; and gaps.
    elements=st.one_of(st.integers(-3, 4).map(lambda level: level / 2), st.just(np.nan)),
)
RULES = st.one_of(
    st.sampled_from(["outlet", "wall"]),
    st.fixed_dictionaries({side: st.sampled_from(["outlet", "wall", 0.25, -9.0]) for side in SIDES}),
)


def _to_the_brim(dem: FloatArray, level: FloatArray) -> FloatArray:
    """Fill pieces of ground without outlet to their highest cell."""
    piece, pieces = ndimage.label(np.isinf(level), np.ones((3, 3)))
    for number in range(1, pieces + 1):
        level[piece == number] = dem[piece == number].max()
    return level


def _fill_by_spanning_tree(dem: FloatArray, sill: FloatArray) -> FloatArray:
    """Fill by the highest step on the way out along a minimum spanning tree over cells and the outside."""
    inside = [(int(r), int(c)) for r, c in np.argwhere(~np.isnan(dem))]
    number = {cell: k for k, cell in enumerate(inside)}
    out = len(inside)
    steps = [
        (number[cell], number[near], max(dem[cell], dem[near]))
        for cell in inside
        for near in neighbours(dem.shape, cell)
        if near in number and number[near] > number[cell]
    ]
    steps += [(number[cell], out, max(dem[cell], sill[cell])) for cell in inside if np.isfinite(sill[cell])]
    u, v, level = np.array(steps).T
    # A spanning tree reads a weight of zero as no step.
    graph = coo_array((level + 100.0, (u.astype(int), v.astype(int))), shape=(out + 1, out + 1)).tocsr()
    tree = minimum_spanning_tree(graph)
    order, before = breadth_first_order(tree, out, directed=False)
    both = (tree + tree.T).todok()
    highest = np.full(out + 1, np.inf)
    highest[out] = -np.inf
    for node in order[1:]:
        highest[node] = max(highest[before[node]], both[before[node], node] - 100.0)
    filled = np.full(dem.shape, np.nan)
    for cell in inside:
        filled[cell] = highest[number[cell]]
    return filled


@given(SURFACES, RULES)
def test_fill_equals_brute_force(dem: FloatArray, edge: Edge) -> None:
    expected = _to_the_brim(dem, fill_by_sinking(dem, sills_m(dem, edge)))
    np.testing.assert_array_equal(fill_depressions(dem, edge=edge), expected)
    np.testing.assert_array_equal(nest_bowls(dem, 1.0, edge=edge).filled_m, expected)


@pytest.mark.parametrize("seed", range(3))
def test_fill_equals_a_minimum_spanning_tree(seed: int) -> None:
    random = np.random.default_rng(seed)
    dem = ndimage.gaussian_filter(random.normal(size=(40, 50)), 1.5)
    dem[random.random(dem.shape) < 0.05] = np.nan
    edge = np.where(random.random(dem.shape) < 0.02, 0.1, np.nan)
    edge[0, 0], dem[0, 0] = 0.0, 0.0
    expected = _to_the_brim(dem, _fill_by_spanning_tree(dem, sills_m(dem, edge)))
    np.testing.assert_allclose(fill_depressions(dem, edge=edge), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_fill_equals_scikit_image(seed: int) -> None:
    morphology = pytest.importorskip("skimage.morphology", reason="scikit-image is not installed")
    dem = np.random.default_rng(seed).normal(size=(60, 80)).round(1)
    start = np.full_like(dem, dem.max())
    start[[0, -1]], start[:, [0, -1]] = dem[[0, -1]], dem[:, [0, -1]]
    expected = morphology.reconstruction(start, dem, method="erosion", footprint=np.ones((3, 3)))
    np.testing.assert_array_equal(fill_depressions(dem), expected)


@given(SURFACES, RULES)
def test_filled_is_above_ground_and_stays(dem: FloatArray, edge: Edge) -> None:
    filled = fill_depressions(dem, edge=edge)
    ground = ~np.isnan(dem)
    np.testing.assert_array_equal(np.isnan(filled), ~ground)
    assert (filled[ground] >= dem[ground]).all()
    np.testing.assert_array_equal(fill_depressions(filled, edge=edge), filled)


@given(SURFACES, RULES)
def test_no_pit_is_left_but_at_outlets(dem: FloatArray, edge: Edge) -> None:
    """Each flat of the filled surface has a lower neighbour or an outlet, or is all there is behind walls."""
    filled, sill = fill_depressions(dem, edge=edge), sills_m(dem, edge)
    for level in np.unique(filled[~np.isnan(filled)]):
        flats, number = ndimage.label(filled == level, np.ones((3, 3)))
        for flat in range(1, number + 1):
            inside = flats == flat
            around = beside(inside) & ~inside & ~np.isnan(dem)
            leaves = (np.maximum(dem, sill)[inside] <= level).any()
            assert leaves or (filled[around] < level).any() or not around.any()


@pytest.mark.parametrize("turns", range(1, 4))
@given(dem=SURFACES)
def test_turning_the_surface_turns_the_pools(turns: int, dem: FloatArray) -> None:
    edge = np.where(np.indices(dem.shape).sum(axis=0) % 3 == 0, -1.0, np.nan)
    for turned, turned_edge in (
        (np.rot90(dem, turns), np.rot90(edge, turns)),
        (np.fliplr(dem), np.fliplr(edge)),
    ):
        one = bluespots(dem, 2.0, edge=edge, min_volume_m3=0.0)
        other = bluespots(turned, 2.0, edge=turned_edge, min_volume_m3=0.0)
        # Bowls that meet at just the level of their outlet may be told as one pool or as two.
        for name in ("area_m2", "volume_m3"):
            assert one[name].sum() == pytest.approx(other[name].sum(), abs=1e-9)
        np.testing.assert_allclose(np.unique(one["level_m"]), np.unique(other["level_m"]), atol=1e-9)
    np.testing.assert_array_equal(
        fill_depressions(np.rot90(dem, turns), edge=np.rot90(edge, turns)),
        np.rot90(fill_depressions(dem, edge=edge), turns),
    )


@given(SURFACES, RULES)
def test_pools_are_the_pieces_of_what_was_filled(dem: FloatArray, edge: Edge) -> None:
    table = bluespots(dem, 2.0, edge=edge, min_depth_m=0.0, min_volume_m3=0.0)
    # Behind walls the highest ground is dry and parts what is one bowl into pieces.
    assume((table["into"] >= 0).all())
    table = table[table["volume_m3"] > 0]
    depth = np.nan_to_num(fill_depressions(dem, edge=edge) - dem)
    pieces, number = ndimage.label(depth > 0, np.ones((3, 3)))
    index = np.arange(1, number + 1)
    expected = [ndimage.sum(depth, pieces, index) * 4, ndimage.sum(depth > 0, pieces, index) * 4]
    found = table[["volume_m3", "area_m2"]].to_numpy()
    np.testing.assert_allclose(
        found[np.lexsort(found.T)], np.column_stack(expected)[np.lexsort(np.array(expected))], atol=1e-9
    )
    np.testing.assert_allclose(
        sorted(table["depth_m"]), sorted(np.ravel(ndimage.maximum(depth, pieces, index)))
    )


def test_leveed_bowl_with_a_cut() -> None:
    """Open cut: both bowls are one pool to 1.5 m: 6 cells of 1.5 m, one of 0.5 m. Shut: 3 m, the levee."""
    cut = bluespots(LEVEED, 10.0, edge="outlet", min_volume_m3=0.0)
    assert cut[["level_m", "depth_m", "area_m2", "volume_m3"]].to_numpy().tolist() == [[1.5, 1.5, 700, 950]]
    assert (cut["pour_row"][0], cut["pour_column"][0], cut["into"][0]) == (3, 4, 0)
    shut = bluespots(LEVEED, 10.0, edge="wall", min_volume_m3=0.0)
    assert shut[["level_m", "area_m2", "into", "catchment_m2"]].to_numpy().tolist() == [[3, 1000, -1, 2500]]
    # 6 cells of 3 m, one of 2 m, two of 1 m, the cut of 1.5 m.
    assert shut["volume_m3"].tolist() == [2350]
    rules: dict[str, Rule] = {**dict.fromkeys(SIDES, "outlet"), "east": 2.5}
    lake = bluespots(LEVEED, 10.0, edge=rules, min_volume_m3=0.0)
    assert lake["level_m"].tolist() == [2.5]
    assert lake["volume_m3"].tolist() == [(6 * 2.5 + 1.5 + 2 * 0.5 + 1.0) * 100]


def test_noise_is_left_out() -> None:
    dem = np.full((7, 9), 1.0)
    dem[1, 1], dem[3, 3], dem[5, 5:8] = 0.8, 0.5, 0.5
    table = bluespots(dem, 10.0, edge="outlet", min_volume_m3=0.0)
    assert sorted(table["area_m2"]) == [100, 300]
    assert bluespots(dem, 10.0, edge="outlet", min_volume_m3=60.0)["area_m2"].tolist() == [300]
    assert len(bluespots(dem, 10.0, edge="outlet", min_depth_m=0.1, min_volume_m3=0.0)) == 3


def test_gap_rule_holds_beside_cells_without_ground() -> None:
    dem = np.array([[3, 3, 3, 3], [3, 1, 2, np.nan], [3, 3, 3, 3.0]])
    rules: dict[str, Rule] = {**dict.fromkeys(SIDES, "wall")}
    assert fill_depressions(dem, edge=rules | {"gap": "outlet"})[1, 1] == 2
    assert fill_depressions(dem, edge=rules | {"east": "outlet"})[1, 1] == 3
    mask = np.zeros(dem.shape, dtype=bool)
    mask[1, 1] = True
    np.testing.assert_array_equal(fill_depressions(dem, edge=mask), dem)


@pytest.mark.parametrize(
    ("dem", "filled"),
    [
        (np.full((2, 3), np.nan), np.full((2, 3), np.nan)),
        (np.zeros((4, 4)), np.zeros((4, 4))),
        (np.array([[2.0]]), np.array([[2.0]])),
    ],
    ids=["no ground", "flat", "one cell"],
)
@pytest.mark.parametrize("edge", ["outlet", "wall"])
def test_surfaces_without_bowls(dem: FloatArray, filled: FloatArray, edge: str) -> None:
    np.testing.assert_array_equal(fill_depressions(dem, edge=edge), filled)
    assert bluespots(dem, 1.0, edge=edge, min_volume_m3=0.0).empty


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fill_depressions(np.zeros(3)), "rows and columns"),
        (lambda: fill_depressions(np.empty((0, 3))), "rows and columns"),
        (lambda: fill_depressions(np.array([[np.inf]])), "must be NaN"),
        (lambda: fill_depressions(np.zeros((2, 2)), edge="levee"), "none of 'outlet', 'wall'"),
        (
            lambda: fill_depressions(np.zeros((2, 2)), edge={"north": "wall"}),
            "no rule is given for south, east",
        ),
        (
            lambda: fill_depressions(np.zeros((2, 2)), edge=dict.fromkeys([*SIDES, "up"], "wall")),
            "there is no side up",
        ),
        (lambda: fill_depressions(np.zeros((2, 2)), edge=np.zeros((3, 2))), "must be equal"),
        (lambda: fill_depressions(np.zeros((2, 2)), edge=np.zeros((2, 2), dtype=int)), "array of int64"),
        (lambda: bluespots(np.zeros((2, 2)), 0.0, edge="wall", min_volume_m3=0.0), "cell_m must be"),
        (lambda: bluespots(np.zeros((2, 2)), 1.0, edge="wall", min_volume_m3=-1.0), "min_volume_m3 must be"),
    ],
)
def test_faults_are_said(call: Callable[[], object], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        call()


def test_grid_finds_cells_and_middles() -> None:
    grid = Grid(west_m=1000.0, north_m=5000.0, cell_m=20.0, epsg=26915, shape=(3, 4))
    rows, columns, held = grid.cells_of([1000, 1079.9, 1080, 1010, np.nan], [5000, 4940.1, 4990, 5001, 4990])
    assert (rows.tolist(), columns.tolist()) == ([0, 2, -1, -1, -1], [0, 3, -1, -1, -1])
    assert held.tolist() == [True, True, False, False, False]
    x, y = grid.middles(rows[:2], columns[:2])
    assert (x.tolist(), y.tolist()) == ([1010, 1070], [4990, 4950])


@pytest.mark.extract
def test_the_edge_decides_on_new_orleans(extract_dir: Path) -> None:
    """9 km2 where the ground's end drains; 279 km2 where it is a wall and only the map's frame drains."""
    rasterio = pytest.importorskip("rasterio", reason="rasterio, which reads GeoTIFF, is not installed")
    with rasterio.open(extract_dir / "elevation.tif") as source:
        levels = source.read(1, masked=True).astype(float).filled(np.nan) * source.scales[0]
        cell_m = source.res[0]
    open_ground = bluespots(levels, cell_m, edge="outlet", min_volume_m3=1000.0)
    assert open_ground["area_m2"].max() == pytest.approx(9.1e6, rel=0.01)
    rules: dict[str, Rule] = {**dict.fromkeys(SIDES, "outlet"), "gap": "wall"}
    walled = bluespots(levels, cell_m, edge=rules, min_volume_m3=1000.0)
    assert walled["area_m2"].max() == pytest.approx(278.7e6, rel=0.01)
    shut = bluespots(levels, cell_m, edge="wall", min_volume_m3=1000.0)
    assert shut["area_m2"].max() == pytest.approx(430.0e6, rel=0.01)
