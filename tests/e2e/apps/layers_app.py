"""A page with a picture, 80,000 points and a route on the map, and the list of what was picked."""

import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
from pyproj import Transformer

from geo.drainage_edges import Grid
from pages.parts.city_map import city_map
from pages.parts.context import current_theme
from pages.parts.flood_image import ImageFrame, depth_classes, flood_image
from pages.parts.ground import ground_url
from pages.parts.map_layers import MapPoints, MapRoute, PointClass, RouteStop
from pages.parts.server import routes
from tests.e2e.apps.tiny_city import COLUMNS, ROWS, SOUTH, STEP, WEST, TinyCity

UTM = 26915
EAST, NORTH = WEST + (COLUMNS - 1) * STEP, SOUTH + (ROWS - 1) * STEP
_WEST_M, _NORTH_M = Transformer.from_crs(4326, UTM, always_xy=True).transform(WEST, NORTH)
GRID = Grid(_WEST_M, _NORTH_M, 20.0, UTM, (140, 180))
POOL = (slice(60, 90), slice(70, 110))  # rows and columns that lie under water
DEPTH_M = 0.8
N_POINTS = 80_000
ON_THE_LIST = tuple(range(0, N_POINTS, 4_000))
CLASSES = (
    PointClass("Probably open", "#8A9199", 2.5, "Open"),
    PointClass("Probably clogged", "#D55E00", 3, "Clogged"),
    PointClass("On the list", "#CC79A7", 5, "On the list", thinned=False),
)
LIST_CLASS = 2
STOPS = ((4, 3), (6, 3), (6, 5))  # columns and rows of the crossings at which the truck stops
OTHER_STOPS = ((1, 2), (3, 2))


def places() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    rng = np.random.default_rng(11)
    return rng.uniform(WEST, EAST, N_POINTS), rng.uniform(SOUTH, NORTH, N_POINTS)


def kinds() -> npt.NDArray[np.uint8]:
    kind = np.zeros(N_POINTS, dtype=np.uint8)
    kind[::5] = 1
    kind[list(ON_THE_LIST)] = LIST_CLASS
    return kind


def picked(name: str) -> None:
    st.session_state["log"].append(name)


def page() -> None:
    st.set_page_config(layout="wide")
    log = st.session_state.setdefault("log", [])
    flooded = st.checkbox("Flood", value=True)
    depth = np.zeros(GRID.shape)
    depth[POOL] = DEPTH_M
    theme = current_theme()
    lon, lat = places()
    stops = OTHER_STOPS if st.checkbox("Other route") else STOPS
    stop_lon, stop_lat = [WEST + x * STEP for x, _ in stops], [SOUTH + y * STEP for _, y in stops]
    city_map(
        key="map",
        ground_url=ground_url(TinyCity(Path(os.environ["CRESCENT_CITIES"]) / "tiny")),
        height=500,
        image=flood_image(ImageFrame.of(GRID), depth, depth_classes(theme)) if flooded else None,
        points=None
        if "bare" in st.query_params
        else MapPoints(lon, lat, kinds(), CLASSES, chosen=[int(name) for name in log[-1:] if name.isdigit()]),
        routes=[
            MapRoute(
                stop_lon,
                stop_lat,
                "#009E73",
                "Truck 1",
                [
                    RouteStop(x, y, str(i + 1), f"Stop {i + 1}", f"stop{i + 1}")
                    for i, (x, y) in enumerate(zip(stop_lon, stop_lat, strict=True))
                ],
            )
        ],
        on_pick=picked,
    )
    st.code(json.dumps(log), language=None)


if __name__ == "__main__":
    page()
else:
    app = st.App(__file__, routes=routes())
