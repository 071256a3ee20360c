"""The ground file says the same as the network and the tables it was made from."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pages.parts import ground
from pages.parts.ground import encode_ground, ground_url, write_ground
from tests.e2e.apps.tiny_city import COLUMNS, FAST_ROW, ROWS, SOUTH, STEP, WEST, TinyCity

Sections = dict[str, npt.NDArray[Any]]


def decode(raw: bytes) -> tuple[dict[str, Any], Sections]:
    """Read the format by its documentation, apart from the code that writes it."""
    assert raw[:4] == b"CRSG"
    length = int.from_bytes(raw[4:8], "little")
    assert length % 4 == 0
    header = json.loads(raw[8 : 8 + length])
    sections = {}
    for name, entry in header["sections"].items():
        assert entry["offset"] % 4 == 0
        sections[name] = np.frombuffer(
            raw, np.dtype(entry["type"]).newbyteorder("<"), entry["length"], 8 + length + entry["offset"]
        )
    return header, sections


def lines_of(header: dict[str, Any], sections: Sections, name: str) -> list[npt.NDArray[np.float64]]:
    lines = []
    at = 0
    for i, count in enumerate(sections[f"{name}_count"]):
        first = [int(sections[f"{name}_first_{letter}"][i]) for letter in "xy"]
        inner = max(int(count) - 1, 0)
        steps = np.column_stack([sections[f"{name}_step_{letter}"][at : at + inner] for letter in "xy"])
        at += inner
        points = np.vstack([first, first + np.cumsum(steps.astype(np.int64), axis=0)])[: int(count)]
        lines.append(np.array(header["origin"]) + points * header["line_quantum"])
    assert at == len(sections[f"{name}_step_x"])
    return lines


@pytest.fixture
def city(tmp_path: Path) -> TinyCity:
    return TinyCity(tmp_path / "tiny")


def test_the_graph_is_the_network(city: TinyCity) -> None:
    header, sections = decode(encode_ground(city))
    network = city.network

    lon = header["origin"][0] + sections["node_x"] * header["node_quantum"]
    lat = header["origin"][1] + sections["node_y"] * header["node_quantum"]
    np.testing.assert_allclose(lon, network.node_lon, atol=6e-7)
    np.testing.assert_allclose(lat, network.node_lat, atol=6e-7)
    np.testing.assert_array_equal(sections["node_main"], network.main)
    assert sections["node_main"].sum() == COLUMNS * ROWS
    np.testing.assert_array_equal(sections["edge_u"], network.edge_u)
    np.testing.assert_array_equal(sections["edge_v"], network.edge_v)
    np.testing.assert_array_equal(sections["edge_oneway"], network.oneway)
    np.testing.assert_allclose(
        sections["edge_cs"] / 100, network.length_m / network.speed_kph * 3.6, atol=0.006
    )
    assert [header["classes"][code] for code in sections["edge_class"]] == list(
        city.table("streets")["road_class"]
    )


def test_every_edge_has_its_line(city: TinyCity) -> None:
    header, sections = decode(encode_ground(city))
    lines = lines_of(header, sections, "streets")

    assert len(lines) == city.network.n_edges
    for line, street in zip(lines, city.table("streets")["geometry"], strict=True):
        np.testing.assert_allclose(line, shapely.get_coordinates(street), atol=6e-6)


def test_an_edge_without_a_line_is_drawn_straight(city: TinyCity) -> None:
    geometry = city.network.geometry.copy()
    geometry[5], geometry[9] = shapely.LineString(), None
    city.network = replace(city.network, geometry=geometry)
    header, sections = decode(encode_ground(city))
    lines = lines_of(header, sections, "streets")

    for edge in (5, 9):
        u, v = city.network.edge_u[edge], city.network.edge_v[edge]
        ends = [[city.network.node_lon[node], city.network.node_lat[node]] for node in (u, v)]
        np.testing.assert_allclose(lines[edge], ends, atol=6e-6)


def test_land_water_and_neighborhoods_keep_their_area_and_their_names(city: TinyCity) -> None:
    header, sections = decode(encode_ground(city))
    expected = {
        "land": shapely.area(city.land),
        "water": shapely.area(city.table("water")["geometry"]).sum(),
        "borders": shapely.area(city.table("neighborhoods")["geometry"]).sum(),
    }
    for name, area in expected.items():
        shape: shapely.Geometry = shapely.Polygon()
        for ring in lines_of(header, sections, name):
            shape = shapely.symmetric_difference(shape, shapely.Polygon(ring))
        assert shapely.area(shape) == pytest.approx(area, rel=1e-3)

    for kind, table in (("neighborhood", "neighborhoods"), ("water", "water")):
        labels = {label[1]: label[2:4] for label in header["labels"] if label[0] == kind}
        frame = city.table(table)
        assert set(labels) == set(frame["name"])
        for name, geometry in zip(frame["name"], frame["geometry"], strict=True):
            assert shapely.contains(geometry, shapely.Point(labels[name]))


def test_street_names_stand_on_their_street(city: TinyCity) -> None:
    header, sections = decode(encode_ground(city))
    lat = header["origin"][1] + sections["name_y"] * header["line_quantum"]
    lon = header["origin"][0] + sections["name_x"] * header["line_quantum"]

    assert header["street_names"] == ["Fast Road"]
    assert set(sections["name_index"]) == {0}
    np.testing.assert_allclose(lat, SOUTH + FAST_ROW * STEP, atol=1e-5)
    assert ((lon > WEST) & (lon < WEST + (COLUMNS - 1) * STEP)).all()
    assert set(sections["name_turn"]) == {0}
    assert set(sections["name_rank"]) == {0}
    assert (sections["name_room"] >= 120).all()


def test_the_focus_holds_nine_nodes_in_ten_and_lies_in_the_bounds(city: TinyCity) -> None:
    header, _ = decode(encode_ground(city))
    west, south, east, north = header["focus"]
    lon, lat = (a[city.network.main] for a in (city.network.node_lon, city.network.node_lat))

    assert ((west <= lon) & (lon <= east) & (south <= lat) & (lat <= north)).mean() >= 0.8
    assert header["bounds"][0] <= west < east <= header["bounds"][2]
    assert header["bounds"][1] <= south < north <= header["bounds"][3]


def test_a_city_without_water_and_neighborhoods_has_a_ground(
    city: TinyCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(city, "has", lambda _name: False)
    header, sections = decode(encode_ground(city))

    assert header["labels"] == []
    assert len(sections["water_count"]) == len(sections["borders_count"]) == 0
    assert len(sections["streets_count"]) == city.network.n_edges


def test_the_same_city_gives_the_same_bytes_and_the_same_address(tmp_path: Path) -> None:
    first, second = (TinyCity(tmp_path / name / "tiny") for name in ("a", "b"))

    assert write_ground(first).read_bytes() == write_ground(second).read_bytes()
    assert ground_url(first) == ground_url(second)
    assert ground_url(first).startswith("/crescent/ground/tiny/")


def test_another_version_or_another_network_gives_another_address(city: TinyCity) -> None:
    address = ground_url(city)
    city.version = "fedcba987654"
    other_version = ground_url(city)
    network = city.network
    city.network = replace(network, oneway=~network.oneway)
    other_network = ground_url(city)

    assert len({address, other_version, other_network}) == 3


def test_the_file_is_written_once_and_whole(city: TinyCity, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_ground(city)
    assert gzip.decompress(path.read_bytes()) == encode_ground(city)
    stamp = path.stat().st_mtime_ns
    assert write_ground(city) == path
    assert path.stat().st_mtime_ns == stamp

    path.unlink()

    def fail(_file: object, _target: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError):  # noqa: PT011
        write_ground(city)
    assert list(city.cache_dir.iterdir()) == []


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.floats(-91, -89, allow_nan=False, width=32), st.floats(29, 31, allow_nan=False, width=32)
            ),
            max_size=6,
        ),
        max_size=8,
    )
)
def test_lines_of_any_length_come_back(lines: list[list[tuple[float, float]]]) -> None:
    origin = np.array([-90.0, 30.0])
    arrays = [np.array(line, dtype=np.float64).reshape(-1, 2) for line in lines]
    sections: Sections = {}
    ground._add_lines(sections, "any", arrays, origin)
    header = {"origin": origin.tolist(), "line_quantum": ground.LINE_QUANTUM}

    for line, back in zip(arrays, lines_of(header, sections, "any"), strict=True):
        np.testing.assert_allclose(back, line, atol=0.51 * ground.LINE_QUANTUM)
