"""A storm over the real ground with its placed basins, against EPA SWMM and plain numpy in the same run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from data.city import City
from geo.drainage_hierarchy import Bowls, nest_bowls
from geo.drainage_ponds import Ponds, significant_ponds
from models.flood import Flood, FloodGround, prepare_ground, run_storm, run_storms
from models.flood_harm import CLOSED_M, SLOW_M, StreetSamples, harm
from models.flood_roads import street_cells
from models.storm import INCH_MM, Pumping, Storm
from tests.models.test_flood_swmm import bowl_as_storage, write_swmm

FloatArray = npt.NDArray[np.float64]
CAPACITY_M3_S, RUNOFF_SHARE, DRAWS = 0.115, 0.7, 20
STORM = Storm(9.43 * INCH_MM, 180.0, name="5 August 2017")
TARGET_S = 0.5


@dataclass(frozen=True, eq=False)
class Surface:
    """The extract's ground: bowls, ponds, streets, and the cells of its placed basins."""

    bowls: Bowls
    ponds: Ponds
    streets: StreetSamples
    cells: npt.NDArray[np.int64]

    def ground(self, n: int) -> FloodGround:
        """Return the ground with so many basins, drawn from the cells that hold some."""
        row, column = self.cells[np.random.default_rng(1).integers(0, len(self.cells), n)].T
        return prepare_ground(
            self.ponds,
            basin_row=row,
            basin_column=column,
            capacity_m3_s=CAPACITY_M3_S,
            runoff_share=RUNOFF_SHARE,
        )


@pytest.fixture(scope="module")
def surface(city: City) -> Surface:
    """Return the extract's surface, prepared as it is once a city."""
    elevation, rules = city.elevation, city.profile.drainage
    assert elevation is not None
    assert rules is not None
    bowls = nest_bowls(elevation.dem_m, elevation.grid.cell_m, edge=rules.edge.rules)
    ponds = significant_ponds(bowls, min_depth_m=rules.min_depth_m, min_volume_m3=rules.min_volume_m3)
    to_grid = pyproj.Transformer.from_crs("EPSG:4326", elevation.grid.epsg, always_xy=True)
    streets = street_cells(city.network, elevation.grid).on(ponds)
    basins = city.table("basins")
    row, column, held = elevation.grid.cells_of(*to_grid.transform(basins["lon"], basins["lat"]))
    cells = np.column_stack([row, column])[held]
    return Surface(bowls, ponds, streets, cells)


def _swmm_seconds(ponds: Ponds, folder: Path) -> float:
    """Time a day of SWMM over all ponds that can spill, each a storage of its own shape."""
    pyswmm = pytest.importorskip("pyswmm", reason="pyswmm is not installed")
    storages = [
        bowl_as_storage(ponds, node, RUNOFF_SHARE * ponds.area_m2[node], f"P{node}", deep_m=20.0)
        for node in range(1, ponds.n_ponds + 1)
        if np.isfinite(ponds.spill_m[node])
    ]
    path = write_swmm(folder, STORM, storages, "", routing_s=30)

    def day() -> None:
        with pyswmm.Simulation(str(path)) as simulation:
            simulation.step_advance(86_400)
            for _ in simulation:
                pass

    return seconds_of(day, rounds=1)[0]


@pytest.mark.extract
@pytest.mark.parametrize("n", [20_000, 80_000, 320_000])
def test_storm_to_map(benchmark: Benchmark, report: Report, surface: Surface, tmp_path: Path, n: int) -> None:
    """Storm, pumps and basins to depths on the ground and harm on the streets: what a slider asks for."""
    ground = surface.ground(n)
    open_share = np.random.default_rng(2).random(n)
    slow, closed = surface.streets.items(SLOW_M), surface.streets.items(CLOSED_M)

    def slide() -> tuple[Flood, float, float, FloatArray, npt.NDArray[np.float32]]:
        flood = run_storm(ground, STORM, Pumping(), open_share)
        return (
            flood,
            harm(slow, flood.level_m),
            harm(closed, flood.level_m),
            surface.streets.edge_depth_m(flood.level_m),
            flood.depth_m,
        )

    flood, *_, depth = benchmark.pedantic(slide, rounds=9, warmup_rounds=1)
    mine_s = benchmark.stats.stats.median
    parts = flood.lost_m3 + flood.drained_m3 + flood.stored_m3 + flood.out_m3
    assert parts == pytest.approx(flood.rain_m3, rel=1e-6)
    swmm_s = _swmm_seconds(surface.ponds, tmp_path)
    numpy_s, by_numpy = seconds_of(
        lambda: np.maximum(flood.level_m[ground.ponds.label] - ground.ponds.dem_m, 0.0), rounds=3
    )
    inside = ground.ponds.label >= 0
    np.testing.assert_allclose(depth[inside], by_numpy[inside], atol=1e-4)
    report(
        f"Storm slider to new map and flooded streets, {n:,} basins, {ground.ponds.n_ponds:,} ponds, a day",
        f"{mine_s * 1000:.0f} ms",
        f"EPA SWMM 5.2 (pyswmm), these ponds apart, no inlets, no spilling, steps of 30 s: {swmm_s:.1f} s; "
        f"the depths alone in numpy: {numpy_s * 1000:.0f} ms",
        f"under {TARGET_S * 1000:.0f} ms",
        mine_s < TARGET_S,
        headline=n == 80_000,
    )


@pytest.mark.extract
def test_prepare(benchmark: Benchmark, report: Report, surface: Surface) -> None:
    """Fold the noise away and put the basins on the ground: once a surface, and once a draw of it."""

    def prepare() -> tuple[int, int]:
        return significant_ponds(surface.bowls).n_ponds, surface.ground(80_000).n_basins

    benchmark.pedantic(prepare, rounds=5, warmup_rounds=1)
    mine_s = benchmark.stats.stats.median
    morphology = pytest.importorskip("skimage.morphology", reason="scikit-image is not installed")
    dem = np.nan_to_num(surface.ponds.dem_m, nan=9.0)
    peer_s, _ = seconds_of(lambda: morphology.h_minima(dem, 0.3, footprint=np.ones((3, 3))), rounds=1)
    report(
        f"{surface.bowls.n_leaves:,} bowls to ponds of 0.3 m or more, and 80,000 basins on them",
        f"{mine_s * 1000:.0f} ms",
        f"scikit-image's h_minima, which finds them only: {peer_s * 1000:.0f} ms",
        "faster than the peer",
        mine_s < peer_s,
    )


@pytest.mark.extract
def test_states(report: Report, surface: Surface) -> None:
    """Run one storm with many states of the basins, as the draws do."""
    ground, random = surface.ground(80_000), np.random.default_rng(3)
    states = [(random.random(80_000) > 0.3).astype(float) for _ in range(DRAWS)]
    mine_s, floods = seconds_of(lambda: list(run_storms(ground, STORM, Pumping(), states)), rounds=3)
    one_s, first = seconds_of(lambda: run_storm(ground, STORM, Pumping(), states[0], step_min=0.5), rounds=1)
    coarse = floods[0]
    report(
        "One storm with another state of 80,000 basins",
        f"{mine_s / DRAWS * 1000:.0f} ms each",
        f"steps of 30 s in place of 5 minutes: {one_s * 1000:.0f} ms; "
        f"they change the peak by {abs(coarse.peak_m3 / first.peak_m3 - 1):.2%}",
        "under 100 ms",
        mine_s / DRAWS < 0.1,
    )
