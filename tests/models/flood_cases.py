"""Small surfaces with basins, and storms over them, for the tests of floods."""

import numpy as np

from geo.drainage_edges import Edge, FloatArray
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import significant_ponds
from models.flood import FloodGround, prepare_ground
from models.storm import Pumping, Storm
from tests.geo.test_drainage_water import _surface

CELL_M = 10.0
LEVEED = np.full((7, 7), 0.2)
"""A levee of 0.5 m around nine cells at 0 m, and a strip at 0.2 m outside."""
LEVEED[1:-1, 1:-1] = 0.5
LEVEED[2:-2, 2:-2] = 0.0

NO_PUMPS = Pumping(0.0, 0.0)


def leveed(
    edge: Edge, capacity_m3_s: float = 1.0, row: tuple[int, ...] = (3,), column: tuple[int, ...] = (3,)
) -> FloodGround:
    """Return the leveed bowl with a basin at its middle, or at the given cells."""
    ponds = significant_ponds(nest_bowls(LEVEED, CELL_M, edge=edge), min_depth_m=0.1)
    return prepare_ground(
        ponds, basin_row=row, basin_column=column, capacity_m3_s=capacity_m3_s, runoff_share=1.0
    )


def drawn_ground(seed: int, *, min_depth_m: float = 0.0, dem: FloatArray | None = None) -> FloodGround:
    """Return a random surface with any edge rule, with basins anywhere, outside too."""
    random = np.random.default_rng(seed)
    surface, edge = _surface(seed)
    surface = surface / 20.0
    edge = edge if isinstance(edge, str | dict) else np.asarray(edge) / 20.0
    if dem is not None:
        surface, edge = dem, str(random.choice(["outlet", "wall"]))
    ponds = significant_ponds(nest_bowls(surface, CELL_M, edge=edge), min_depth_m=min_depth_m)
    n = int(random.integers(0, 40))
    return prepare_ground(
        ponds,
        basin_row=random.integers(-1, surface.shape[0] + 1, n),
        basin_column=random.integers(-1, surface.shape[1] + 1, n),
        capacity_m3_s=random.exponential(10.0 ** random.uniform(-4, -1), n),
        runoff_share=np.where(np.isnan(surface), np.nan, random.random(surface.shape)),
        pump_area=random.integers(-1, 2, n),
    )


def drawn_storm(seed: int) -> tuple[Storm, Pumping]:
    """Return any storm, and pumps of any strength."""
    random = np.random.default_rng(seed)
    storm = Storm(
        random.uniform(0, 550), random.uniform(10, 1440), random.choice(["even", "middle", "early"])
    )
    pumping = Pumping(random.uniform(0, 60), random.uniform(0, 60), tuple(random.choice([0.0, 0.5, 1.0], 2)))
    return storm, pumping
