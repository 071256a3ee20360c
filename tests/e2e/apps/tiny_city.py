"""A city of 24 by 18 blocks, with a river, one-way streets, a fast road and an island of two nodes."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.network import RoadNetwork

WEST, SOUTH, STEP = -90.10, 29.95, 0.0015
COLUMNS, ROWS = 24, 18
FAST_ROW = 9


class TinyCity:
    """What the ground and the map need of a city, without a city folder."""

    version = "0123456789ab"
    synthetic = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cache_dir = path / "cache"
        column, row = (grid.ravel() for grid in np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)))
        east = WEST + (COLUMNS - 1) * STEP
        north = SOUTH + (ROWS - 1) * STEP
        nodes = pd.DataFrame(
            {
                "node": np.arange(COLUMNS * ROWS + 2) + 1000,
                "lon": np.append(WEST + column * STEP, [east + 0.0007, east + 0.0009]),
                "lat": np.append(SOUTH + row * STEP, [SOUTH + 0.0007, SOUTH + 0.0009]),
            }
        )
        place = nodes[["lon", "lat"]].to_numpy()
        number = np.arange(COLUMNS * ROWS).reshape(ROWS, COLUMNS)
        across = np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
        along = np.column_stack([number[:-1].ravel(), number[1:].ravel()])
        island = [[COLUMNS * ROWS, COLUMNS * ROWS + 1]]
        ends = np.concatenate([across, along, island])
        fast = (ends[:, 0] // COLUMNS == FAST_ROW) & (ends[:, 1] // COLUMNS == FAST_ROW)
        one_way_row = (ends[:, 0] // COLUMNS == 4) & (ends[:, 1] // COLUMNS == 4)
        length = np.hypot(*((place[ends[:, 1]] - place[ends[:, 0]]) * [96_400, 110_900]).T)
        self._tables: dict[str, pd.DataFrame] = {
            "streets": gpd.GeoDataFrame(
                {
                    "u": ends[:, 0] + 1000,
                    "v": ends[:, 1] + 1000,
                    "name": np.where(fast, "Fast Road", ""),
                    "road_class": np.where(fast, "motorway", "residential"),
                    "length_m": length,
                    "oneway": one_way_row,
                },
                geometry=[shapely.LineString(place[pair]) for pair in ends],
                crs=4326,
            ),
            "neighborhoods": gpd.GeoDataFrame(
                {"name": ["Westside", "Eastside"]},
                geometry=[
                    shapely.box(WEST - STEP, SOUTH - 4 * STEP, (WEST + east) / 2, north + STEP),
                    shapely.box((WEST + east) / 2, SOUTH - 4 * STEP, east + 2 * STEP, north + STEP),
                ],
                crs=4326,
            ),
            "water": gpd.GeoDataFrame(
                {"name": ["Tiny River"], "kind": ["river"]},
                geometry=[shapely.box(WEST - STEP, SOUTH - 3 * STEP, east + 2 * STEP, SOUTH - 0.3 * STEP)],
                crs=4326,
            ),
        }
        self.network = RoadNetwork.from_streets(self._tables["streets"], nodes)
        self.land = shapely.difference(
            shapely.union_all(self._tables["neighborhoods"]["geometry"]),
            self._tables["water"]["geometry"].iloc[0],
        )

    def has(self, name: str) -> bool:
        return name in self._tables

    def table(self, name: str) -> pd.DataFrame:
        return self._tables[name]
