"""What is sent of a picture, of many points and of routes, and what is refused."""

import gzip
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Faults
from pages.parts.map_layers import (
    HIDDEN,
    MapImage,
    MapPoints,
    MapRoute,
    PointClass,
    RouteStop,
    Stop,
    check_layers,
    encode_image,
    encode_points,
    encode_routes,
)
from pages.parts.shelf import shelf

CLASSES = [PointClass("Open", "#888888"), PointClass("Clogged", "#D55E00", legend="Clogged", thinned=False)]
METRES_PER_DEGREE = 111_320


def held(address: str) -> bytes:
    made = shelf().get(address.rsplit("/", 1)[1])
    assert made is not None
    return gzip.decompress(made.content) if made.gzipped else made.content


def places_of(sent: dict[str, Any]) -> np.ndarray:
    """(2, n) degrees, as the scripts read them."""
    numbers = np.frombuffer(held(sent["places"]), dtype="<u2").reshape(2, sent["count"])
    return np.asarray(
        np.array(sent["origin"])[:, None] + numbers * np.array(sent["steps"])[:, None], dtype=np.float64
    )


@given(
    st.lists(st.tuples(st.floats(-90.25, -89.73), st.floats(29.8, 30.25)), min_size=1, max_size=40),
)
def test_places_come_back_to_within_half_a_metre(places: list[tuple[float, float]]) -> None:
    lon, lat = np.array(places).T
    sent = encode_points(MapPoints(lon, lat, np.zeros(len(lon), dtype=np.uint8), CLASSES))
    assert sent is not None

    off = np.abs(places_of(sent) - [lon, lat]) * [
        [METRES_PER_DEGREE * math.cos(math.radians(30))],
        [METRES_PER_DEGREE],
    ]
    assert off.max() < 0.5


def test_a_change_of_classes_sends_only_the_classes_again() -> None:
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(-90.2, -89.7, 80_000), rng.uniform(29.8, 30.2, 80_000)
    kind = np.zeros(80_000, dtype=np.uint8)
    first = encode_points(MapPoints(lon, lat, kind, CLASSES))
    kind[::20] = 1
    kind[7] = HIDDEN
    second = encode_points(MapPoints(lon, lat, kind, CLASSES, chosen=[5]))
    assert first is not None
    assert second is not None

    assert first["places"] == second["places"]
    assert first["kinds"] != second["kinds"]
    assert held(second["kinds"]) == kind.tobytes()
    assert (first["shown"], second["shown"]) == ([True, False], [True, True])
    assert len(held(first["places"])) == 320_000
    assert len(json.dumps(second, allow_nan=False)) < 1_000


def test_no_points_are_no_trouble() -> None:
    sent = encode_points(MapPoints([], [], np.zeros(0, dtype=np.uint8), CLASSES))

    assert sent is not None
    assert sent["count"] == 0
    assert held(sent["kinds"]) == b""


def test_a_picture_is_sent_by_its_address() -> None:
    sent = encode_image(MapImage(b"PNG", (-90.1, 29.9, -90.0, 30.0), [Stop("Deep", "#000000")], "Depth", 0.5))

    assert sent is not None
    assert held(sent["url"]) == b"PNG"
    assert sent["box"] == [-90.1, 29.9, -90.0, 30.0]
    assert sent["stops"] == [{"label": "Deep", "colour": "#000000"}]
    assert encode_image(None) is encode_points(None) is None


def test_a_route_is_plain_numbers() -> None:
    (sent,) = encode_routes(
        [
            MapRoute(
                np.array([-90.1, -90.0]),
                np.array([29.9, 30.0]),
                "#CC79A7",
                "Truck 1",
                [RouteStop(-90.1, 29.9, "1", "Basin 7", "b7")],
            )
        ]
    )

    assert sent["lon"] == [-90.1, -90.0]
    assert sent["stops"][0]["id"] == "b7"
    json.dumps(sent, allow_nan=False)


def test_all_faults_are_told_together() -> None:
    faults = Faults()
    check_layers(
        faults,
        MapImage(b"", (-90.0, 29.9, -90.1, 30.0), opacity=2),
        MapPoints([-90.0, math.nan], [30.0, 30.0], [0, 2], CLASSES, chosen=[2]),
        [MapRoute([-90.0, math.inf], [30.0], "#000000", stops=[RouteStop(math.nan, 30, "1")])],
    )
    text = "; ".join(faults)

    for words in (
        "box must be west, south, east, north",
        "opacity",
        "a point has a place that is missing",
        "a point has a class that does not exist",
        "a chosen point does not exist",
        "one latitude for each longitude",
        "a route has a place that is missing",
    ):
        assert words in text


@pytest.mark.parametrize(
    "points",
    [
        MapPoints([-90.0], [30.0, 30.1], [0], CLASSES),
        MapPoints([-90.0], [30.0], [0, 1], CLASSES),
        MapPoints([-90.0], [30.0], [0.5], CLASSES),
        MapPoints([-90.0], [30.0], [-1], CLASSES),
        MapPoints([-90.0], [30.0], [0], [PointClass("x", "#000000")] * 256),
    ],
)
def test_points_that_cannot_be_drawn_are_refused(points: MapPoints) -> None:
    faults = Faults()
    check_layers(faults, None, points, [])

    assert faults
    good = Faults()
    check_layers(good, None, MapPoints([-90.0, -90.1], [30.0, 30.1], [0, HIDDEN], CLASSES), [])
    assert not good
