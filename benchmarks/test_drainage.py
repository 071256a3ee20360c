"""Bowls of the real elevation model, against a priority flood in plain Python on the same surface."""

import heapq
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from geo.drainage import fill_depressions
from geo.drainage_edges import SIDES, Rule, sills_m
from geo.drainage_error import LEAST_DRAWS, ElevationError, wet_chance
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_water import Water, place_water, rain_on_leaves

FloatArray = npt.NDArray[np.float64]
RULES: dict[str, Rule] = {**dict.fromkeys(SIDES, "outlet"), "gap": "wall"}
CELL_M, RAIN_M = 20.0, 0.1


@pytest.fixture(scope="module")
def surface(extract_dir: Path) -> FloatArray:
    """Return the extract's elevation in metres."""
    rasterio = pytest.importorskip("rasterio", reason="rasterio, which reads GeoTIFF, is not installed")
    with rasterio.open(extract_dir / "elevation.tif") as source:
        levels: FloatArray = source.read(1, masked=True).astype(float).filled(np.nan) * source.scales[0]
    return levels


def _by_heapq(dem: FloatArray, sill: FloatArray) -> FloatArray:
    """Priority-Flood (Barnes, Lehman and Mulla 2014, alg. 1) as one writes it with the standard library."""
    rows, columns = dem.shape
    ground, filled = (~np.isnan(dem)).tolist(), np.maximum(dem, sill).tolist()
    level = dem.tolist()
    heap = [(filled[r][c], r, c) for r, c in np.argwhere(np.isfinite(dem) & (sill < np.inf)).tolist()]
    heapq.heapify(heap)
    done = [[False] * columns for _ in range(rows)]
    while heap:
        height, r, c = heapq.heappop(heap)
        if done[r][c]:
            continue
        done[r][c] = True
        for near_r in range(max(r - 1, 0), min(r + 2, rows)):
            for near_c in range(max(c - 1, 0), min(c + 2, columns)):
                raised = max(level[near_r][near_c], height)
                if (
                    ground[near_r][near_c]
                    and not done[near_r][near_c]
                    and (raised < filled[near_r][near_c] or filled[near_r][near_c] == np.inf)
                ):
                    filled[near_r][near_c] = raised
                    heapq.heappush(heap, (raised, near_r, near_c))
    return np.array(filled)


@pytest.mark.extract
def test_fill(benchmark: Benchmark, report: Report, surface: FloatArray) -> None:
    """Fill the extract behind its levees."""
    found = benchmark.pedantic(lambda: fill_depressions(surface, edge=RULES), rounds=5, warmup_rounds=1)
    mine_s = benchmark.stats.stats.median
    peer_s, expected = seconds_of(lambda: _by_heapq(surface, sills_m(surface, RULES)), rounds=1)
    reached = np.isfinite(expected)
    np.testing.assert_array_equal(found[reached], expected[reached])
    report(
        f"Fill depressions, {surface.size:,} cells of which {np.isfinite(surface).sum():,} are ground",
        f"{mine_s:.2f} s",
        f"priority flood with Python's heapq, same levels: {peer_s:.1f} s, {peer_s / mine_s:.0f} times",
        "under 1 s and at least 10 times as fast",
        mine_s < 1 and peer_s / mine_s >= 10,
        headline=True,
    )


@pytest.mark.extract
def test_nest_and_place(benchmark: Benchmark, report: Report, surface: FloatArray) -> None:
    """Nest all bowls once, then place a storm's water: the second is what a slider asks for."""
    nest_s, bowls = seconds_of(lambda: nest_bowls(surface, CELL_M, edge=RULES), rounds=3)

    def storm() -> Water:
        return place_water(bowls, rain_on_leaves(bowls, RAIN_M))

    water = benchmark.pedantic(storm, rounds=9, warmup_rounds=1)
    storm_s = benchmark.stats.stats.median
    depth_s, depth = seconds_of(lambda: water.depth_m, rounds=5)
    assert np.nansum(depth) * CELL_M**2 == pytest.approx(water.stored_m3, rel=1e-9)

    report(
        f"Place {RAIN_M * 1000:.0f} mm of runoff in {bowls.n_leaves:,} nested bowls, with the depths",
        f"{(storm_s + depth_s) * 1000:.0f} ms; nesting the bowls, once a surface: {nest_s:.2f} s",
        f"nesting anew for each storm: {nest_s + storm_s + depth_s:.2f} s",
        "under 100 ms",
        storm_s + depth_s < 0.1,
        headline=True,
    )


@pytest.mark.extract
@pytest.mark.slow
def test_draws(report: Report, surface: FloatArray) -> None:
    """A hundred draws of the elevation error, bowls and water anew in each."""
    error = ElevationError(sd_m=0.1, range_m=200.0)
    draws_s, found = seconds_of(
        lambda: wet_chance(surface, CELL_M, edge=RULES, error=error, seed=1, rain_m=RAIN_M), rounds=1
    )
    assert found.draws == LEAST_DRAWS
    once_s, _ = seconds_of(lambda: nest_bowls(surface, CELL_M, edge=RULES), rounds=3)
    report(
        f"Chance of water at each cell, {LEAST_DRAWS} draws of the elevation error",
        f"{draws_s:.0f} s on one core",
        f"{LEAST_DRAWS} times nesting the bowls alone: {LEAST_DRAWS * once_s:.0f} s",
        "under 180 s",
        draws_s < 180,
    )
