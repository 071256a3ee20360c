"""Small grounds with basins, for tests of what cleaning avoids."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import significant_ponds
from models.basin_runs import StormRuns
from models.flood import FloodGround, prepare_ground
from models.flood_harm import Items, harm
from models.storm import Pumping, Storm

FloatArray = npt.NDArray[np.float64]
STORMS = ((120.0, 120.0), (60.0, 60.0), (200.0, 300.0))
PUMPS = ((60.0, 40.0), (25.4, 12.7), (120.0, 100.0))


@dataclass(frozen=True, eq=False)
class SmallCity:
    """Ground, people, open shares as they are, a storm and its pumps."""

    ground: FloodGround
    people: Items
    open_share: FloatArray
    storm: Storm
    pumping: Pumping

    def avoided(self, basins: npt.NDArray[np.int64], runs: StormRuns) -> float:
        """People spared with some basins clean, by the whole storm."""
        share = self.open_share.copy()
        share[basins] = 1.0
        levels = [runs.run(state).level_m for state in (self.open_share, share)]
        return harm(self.people, levels[0]) - harm(self.people, levels[1])


def small_city(seed: int, n_basins: int) -> SmallCity:
    """Hollows in a slope, basins and people at random in them; storm and pumps change with the seed."""
    rng = np.random.default_rng(seed)
    shape = (30, 70)
    row, column = np.indices(shape)
    z = np.full(shape, 1.0)
    for _ in range(14):
        y, x, wide = rng.uniform(3, shape[0] - 4), rng.uniform(3, shape[1] - 4), rng.uniform(2.5, 5)
        z -= rng.uniform(0.5, 1.2) * np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * wide**2))
    z += rng.normal(0, 0.02, shape) + 0.004 * column
    ponds = significant_ponds(nest_bowls(z, 20.0, edge="outlet"), min_depth_m=0.2)
    inside = np.argwhere(ponds.label > 0)
    at, homes = inside[rng.choice(len(inside), n_basins)], inside[rng.choice(len(inside), 400)]
    ground = prepare_ground(
        ponds,
        basin_row=at[:, 0],
        basin_column=at[:, 1],
        capacity_m3_s=rng.uniform(0.05, 0.3, n_basins),
        runoff_share=0.8,
    )
    rows, columns = homes.T
    people = Items(
        ponds.label[rows, columns].astype(np.int64),
        z[rows, columns] + 0.2,
        rng.gamma(1, 2, len(homes)),
        "people",
        "people",
    )
    depth, minutes = STORMS[seed % 3]
    storm, pumping = Storm(depth, minutes), Pumping(*PUMPS[(seed // 3) % 3])
    return SmallCity(ground, people, rng.choice([0, 0.3, 0.6], n_basins), storm, pumping)


def best_by_budget(city: SmallCity) -> FloatArray:
    """(n_basins + 1,) most that so many basins avoid: every subset by the whole storm."""
    n = city.ground.n_basins
    runs = StormRuns.of(city.ground, city.storm, city.pumping, city.open_share)
    base = harm(city.people, runs.run(city.open_share).level_m)
    best = np.zeros(n + 1)
    for chosen in product((False, True), repeat=n):
        share = np.where(chosen, 1.0, city.open_share)
        avoided = base - harm(city.people, runs.run(share).level_m)
        best[sum(chosen)] = max(best[sum(chosen)], avoided)
    return np.maximum.accumulate(best)
