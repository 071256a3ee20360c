"""What the map's Python side sends, and what it refuses."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from errors import InvalidInputError
from pages.parts.city_map import (
    LiveField,
    MapDots,
    MapHeat,
    MapHexes,
    MapPost,
    _varints,
    city_map,
    pack_rings,
)
from tests.e2e.apps import map_app

LIVE = LiveField([60, 120], ["#00674B", "#4FB08C"], 15, source_access=True, speed_factor_by_class=[1.0])


def numbers_in(raw: bytes) -> list[int]:
    """Decode zigzag varints one by one, as the scripts do."""
    numbers = []
    value = shift = 0
    for byte in raw:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(-(value + 1) // 2 if value % 2 else value // 2)
            value = shift = 0
    return numbers


def unpack(packed: dict[str, Any]) -> shapely.Geometry:
    numbers = iter(numbers_in(base64.b64decode(packed["rings"])))
    shape: shapely.Geometry = shapely.MultiPolygon()
    x = y = 0
    for _ in range(next(numbers)):
        ring = []
        for _ in range(next(numbers)):
            x += next(numbers)
            y += next(numbers)
            ring.append(
                (packed["origin"][0] + x * packed["quantum"], packed["origin"][1] + y * packed["quantum"])
            )
        shape = shapely.symmetric_difference(shape, shapely.Polygon(ring))
    assert next(numbers, None) is None
    return shape


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=50))
def test_varints_come_back(numbers: list[int]) -> None:
    assert numbers_in(_varints(np.array(numbers, dtype=np.int64))) == numbers


@given(
    st.lists(
        st.tuples(st.floats(-90.2, -89.8), st.floats(29.8, 30.2), st.floats(0.002, 0.02)),
        min_size=1,
        max_size=5,
    ),
    st.floats(0.0, 0.9),
)
def test_shapes_with_holes_and_islands_come_back(
    places: list[tuple[float, float, float]], hole: float
) -> None:
    rings = [
        shapely.difference(shapely.Point(x, y).buffer(r), shapely.Point(x, y).buffer(r * hole))
        for x, y, r in places
    ]
    shape = shapely.union_all(rings)
    back = unpack(pack_rings(shape))

    assert shapely.area(shapely.symmetric_difference(shape, back)) < 2e-5 * shapely.length(shape)


@pytest.mark.parametrize("empty", [shapely.Polygon(), shapely.GeometryCollection(), shapely.Point(-90, 30)])
def test_a_shape_without_ground_draws_nothing(empty: shapely.Geometry) -> None:
    assert shapely.is_empty(unpack(pack_rings(empty)))


def test_lines_and_points_beside_polygons_are_left_out() -> None:
    square = shapely.box(-90.1, 29.9, -90.0, 30.0)
    mixed = shapely.GeometryCollection(
        [square, shapely.LineString([(-90, 30), (-90.2, 30)]), shapely.Point(-90, 30)]
    )

    assert shapely.area(unpack(pack_rings(mixed))) == pytest.approx(shapely.area(square), rel=1e-3)


def test_all_faults_come_in_one_message() -> None:
    with pytest.raises(InvalidInputError) as raised:
        city_map(
            key="m",
            ground_url="/",
            posts=[
                MapPost("A", "Post A", math.nan, 30, "staffed"),
                MapPost("A", "Post B", -90, math.inf, "off"),
            ],
            hexes=MapHexes(["88446c3313fffff"], [], ["a"]),
            dots=MapDots(["a", "a"], [-90.0, math.nan], [30.0, 30.0], ["#ffffff"], [3, 3], ["", ""]),
            heat=MapHeat([-90.0], [math.nan], [1.0], 0, ["#ffffff"]),
            live=LiveField([120, 60], ["#00674B"], 0, source_access=False, speed_factor_by_class=[0.0]),
        )
    text = str(raised.value)
    for words in (
        "two posts have the same id",
        "no place: Post A, Post B",
        "one colour and one label for each cell",
        "dots need one place, colour, radius and label",
        "two dots have the same id",
        "a dot has a place or a radius that is missing",
        "a place or a weight that is missing",
        "kernel_m",
        "one colour for each threshold",
        "must rise",
        "speed factors must be above zero",
        "access_kph must be above zero",
    ):
        assert words in text


def test_the_page_sends_plain_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRESCENT_CITIES", str(tmp_path))
    at = AppTest.from_file(map_app.__file__, default_timeout=30)
    at.query_params["hexes"] = "1"
    at.query_params["dots"] = "1"
    at.run()

    assert not at.exception
    data = json.loads(at.get("bidi_component")[0].proto.json, parse_constant=pytest.fail)
    assert [post["id"] for post in data["posts"]] == list(map_app.POSTS)
    assert data["note"] == "Tiny city: synthetic data"
    assert data["editable"] is True
    assert data["acknowledged"] == 0
    assert data["ground"].startswith("/crescent/ground/tiny/")
    assert len(data["areas"]) == 3
    first = unpack(data["areas"][0])
    post = map_app.POSTS["A"]
    assert shapely.contains(first, shapely.Point(post["lon"], post["lat"]))
    assert all(shapely.is_valid(unpack(area)) for area in data["areas"])
    assert data["dots"]["ids"] == list(map_app.DOTS)
    assert len(data["hexes"]["cells"]) == len(data["hexes"]["labels"]) == 7


def test_heat_is_sent_as_single_numbers_around_its_first_point() -> None:
    from pages.parts.city_map import _encode_heat

    lon, lat, weight = [-90.1, -90.05, -89.9], [29.9, 30.0, 30.05], [1.0, 2.0, 0.5]
    encoded = _encode_heat(MapHeat(lon, lat, weight, 300, ["#ffffff", "#000000"]))

    assert encoded is not None
    numbers = np.frombuffer(base64.b64decode(encoded["points"]), "<f4").reshape(-1, 3)
    np.testing.assert_allclose(numbers[:, 0] + encoded["origin"][0], lon, atol=1e-6)
    np.testing.assert_allclose(numbers[:, 1] + encoded["origin"][1], lat, atol=1e-6)
    np.testing.assert_allclose(numbers[:, 2], weight)
