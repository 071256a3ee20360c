"""A page with nothing but the map and the list of what it has said."""

import json
import os
from pathlib import Path
from typing import Any

import h3
import shapely
import streamlit as st

from pages.parts.city_map import LiveField, MapArea, MapDots, MapHexes, MapPost, city_map
from pages.parts.ground import ground_url
from pages.parts.server import routes
from tests.e2e.apps.tiny_city import COLUMNS, SOUTH, STEP, WEST, TinyCity

POSTS: dict[str, dict[str, Any]] = {
    "A": {"label": "Post A", "lon": WEST + 4 * STEP, "lat": SOUTH + 12 * STEP, "state": "staffed"},
    "B": {"label": "Post B", "lon": WEST + 16 * STEP, "lat": SOUTH + 3 * STEP, "state": "staffed"},
    "C": {"label": "Post C", "lon": WEST + 12 * STEP, "lat": SOUTH + 14 * STEP, "state": "candidate"},
    "D": {
        "label": "Post D",
        "lon": WEST + 20 * STEP,
        "lat": SOUTH + 13 * STEP,
        "state": "staffed",
        "removable": True,
    },
}
DOTS = {"red": (6, 6), "blue": (14, 9)}
CLOSED_EDGES = (30, 31, 500)
SLOW_EDGES = {60: 0.3, 61: 0.3, 200: 0.5, 201: 0.5, 202: 0.5}
NO_THROUGH = (
    *(row * COLUMNS + 16 for row in range(8)),
    *(row * COLUMNS + 11 for row in range(5, 18)),
)
"""Crossings that may be reached but not passed: a wall through post B, and one west of it."""
SPEED_FACTOR = {"motorway": 0.8, "residential": 1.25}


def handle() -> None:
    event = st.session_state["map"].event
    st.session_state["log"].append(event)
    posts = st.session_state["posts"]
    if event["type"] == "move":
        posts[event["id"]].update(lon=event["lon"], lat=event["lat"], changed=True)
    elif event["type"] == "toggle":
        post = posts[event["id"]]
        post["state"] = "off" if post["state"] == "staffed" else "staffed"
    elif event["type"] == "remove":
        del posts[event["id"]]
    else:
        place = {"lon": event["lon"], "lat": event["lat"]}
        posts[f"N{len(posts)}"] = {"label": "New post", "state": "staffed", "removable": True, **place}


def picked(name: str) -> None:
    st.session_state["picked"] = name
    st.session_state["log"].append({"type": "picked", "id": name})


@st.fragment
def body(city: TinyCity) -> None:
    posts = st.session_state["posts"]
    classes = city.network.classes
    cells = list(h3.grid_disk(h3.latlng_to_cell(SOUTH + 8 * STEP, WEST + 8 * STEP, 9), 1))
    with_hexes = "hexes" in st.query_params
    city_map(
        key="map",
        ground_url=ground_url(city),
        height=500,
        posts=[MapPost(id=name, **post) for name, post in posts.items()],
        areas=[
            MapArea(
                "near",
                shapely.Point(post["lon"], post["lat"]).buffer(4 * STEP),
                "#0072B2",
                legend=f"Near {name}",
            )
            for name, post in posts.items()
            if post["state"] == "staffed"
        ],
        hexes=MapHexes(cells, ["#E69F00"] * len(cells), ["12 calls"] * len(cells)) if with_hexes else None,
        dots=MapDots(
            ids=list(DOTS),
            lon=[WEST + x * STEP for x, _ in DOTS.values()],
            lat=[SOUTH + y * STEP for _, y in DOTS.values()],
            colours=["#D55E00", "#0072B2"],
            radius_px=[7, 7],
            labels=["The red one", "The blue one"],
            chosen=st.session_state.get("picked", ""),
        )
        if "dots" in st.query_params
        else None,
        live=LiveField(
            thresholds_s=[60, 120, 240],
            colours=["#00674B", "#4FB08C", "#BFE0CF"],
            access_kph=15,
            source_access=True,
            speed_factor_by_class=[SPEED_FACTOR[name] for name in classes],
            closed_edges=CLOSED_EDGES,
            speed_factor_of_edge=SLOW_EDGES,
            no_through_nodes=NO_THROUGH,
        ),
        note="Tiny city: synthetic data",
        stale="stale" in st.query_params,
        on_event=None if "fixed" in st.query_params else handle,
        on_pick=picked,
    )
    st.code(json.dumps(st.session_state["log"]), language=None)


def page() -> None:
    st.set_page_config(layout="wide")
    st.session_state.setdefault("posts", {name: dict(post) for name, post in POSTS.items()})
    st.session_state.setdefault("log", [])
    if st.checkbox("Show the map", value=True):
        body(TinyCity(Path(os.environ["CRESCENT_CITIES"]) / "tiny"))


if __name__ == "__main__":
    page()
else:
    app = st.App(__file__, routes=routes())
