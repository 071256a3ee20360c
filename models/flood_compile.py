"""Every compiled step from a surface to a list of basins, run once on a toy, so that nobody waits for it."""

import numpy as np

from geo.drainage_edges import OUTLET
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import significant_ponds
from models.basin_benefit import benefit_curves
from models.flood import prepare_ground, run_storm
from models.flood_harm import Items
from models.storm import Pumping, Storm


def compile_flood() -> float:
    """Compile what storms and lists need; numba keeps the result on disk. Returns the toy's harm avoided."""
    dem = np.array([[2.0, 2, 2, 2, 2, 2], [2, 0, 1, 1, 0.2, 2], [2, 0, 1, 1, 0.1, 2], [2, 2, 2, 2, 2, 2]])
    ponds = significant_ponds(nest_bowls(dem, 20.0, edge=OUTLET), min_depth_m=0.3)
    row, column = np.array([1, 1, 1, 2]), np.array([1, 2, 4, 4])
    ground = prepare_ground(ponds, basin_row=row, basin_column=column, capacity_m3_s=0.05, runoff_share=0.7)
    storm, pumping, share = Storm(100.0, 60.0), Pumping(80.0, 80.0), np.full(len(row), 0.1)
    flood = run_storm(ground, storm, pumping, share)
    depth = float(np.nanmax(flood.depth_m))
    items = Items(ground.pond.copy(), dem[row, column] + depth / 2, np.ones(len(row)), "toy", "things")
    return benefit_curves(
        ground, storm, pumping, open_share=share, open_if_cleaned=np.ones(len(row)), items=items
    ).best
