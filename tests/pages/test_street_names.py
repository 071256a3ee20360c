"""Street names stand on their street, along it, and only where it is straight."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from data.city import City
from geo.network import RoadNetwork
from pages.parts.street_names import METRES_PER_DEGREE, ROOMS_M, street_names

LAT = 30.0
SCALE = np.array([METRES_PER_DEGREE * np.cos(np.radians(LAT)), METRES_PER_DEGREE])


def network_of(lines: list[list[tuple[float, float]]], names: list[str], classes: list[str]) -> RoadNetwork:
    """Build a network from lines in metres around 90 W 30 N, each with nodes of its own at its ends."""
    degrees = [np.array([-90.0, LAT]) + np.array(line) / SCALE for line in lines]
    ends = np.concatenate([[line[0], line[-1]] for line in degrees])
    nodes = pd.DataFrame({"node": np.arange(len(ends)), "lon": ends[:, 0], "lat": ends[:, 1]})
    streets = pd.DataFrame(
        {
            "u": np.arange(len(lines)) * 2,
            "v": np.arange(len(lines)) * 2 + 1,
            "name": names,
            "road_class": classes,
            "length_m": [shapely.length(shapely.LineString(line)) for line in lines],
            "geometry": [shapely.LineString(line) for line in degrees],
        }
    )
    return RoadNetwork.from_streets(streets, nodes)


def test_edges_of_one_name_are_one_street() -> None:
    blocks = [[(100.0 * i, 0.0), (100.0 * (i + 1), 0.0)] for i in range(10)]
    found = street_names(network_of(blocks, ["Canal Street"] * 10, ["primary"] * 10))

    assert found.names == ("Canal Street",)
    assert len(found.name) == 2  # one in 400 m of 1,000
    assert found.room_m.tolist() == [450.0, 450.0]
    np.testing.assert_allclose(found.angle_deg, 0, atol=0.2)
    assert set(found.rank) == {0}


@given(st.floats(-179, 179))
def test_the_text_lies_along_the_street_and_never_upside_down(turn_deg: float) -> None:
    turn = np.radians(turn_deg)
    line = [(0.0, 0.0), (600 * np.cos(turn), -600 * np.sin(turn))]  # clockwise from east
    found = street_names(network_of([line], ["A"], ["residential"]))

    assert len(found.name) >= 1
    assert (np.abs(found.angle_deg) <= 90).all()
    assert np.abs(np.sin(np.radians(found.angle_deg - turn_deg))).max() < 0.01


def test_a_bend_and_a_stub_get_no_name() -> None:
    corner = [(0.0, 0.0), (60.0, 0.0), (60.0, 60.0)]
    stub = [(500.0, 0.0), (590.0, 0.0)]
    found = street_names(network_of([corner, stub], ["Bend", "Stub"], ["residential"] * 2))

    assert len(found.name) == 0


def test_streets_without_a_name_get_none() -> None:
    lines = [[(0.0, y), (900.0, y)] for y in (0.0, 100.0)]
    found = street_names(network_of(lines, ["", "  "], ["residential"] * 2))

    assert found.names == ()
    assert len(found.name) == 0


def test_great_streets_come_first() -> None:
    lines = [[(0.0, y), (900.0, y)] for y in (0.0, 100.0, 200.0)]
    found = street_names(
        network_of(lines, ["Small", "Great", "Middle"], ["residential", "motorway", "secondary"])
    )

    assert list(dict.fromkeys(found.names[index] for index in found.name)) == ["Great", "Middle", "Small"]
    assert (np.diff(found.rank) >= 0).all()


@pytest.mark.extract
def test_every_name_of_the_extract_stands_on_its_street(extract_city_dir: Path) -> None:
    network = City.open(extract_city_dir).network
    found = street_names(network)
    lines: dict[str, list[shapely.LineString]] = {}
    for name, line in zip(network.edge_name, network.geometry, strict=True):
        lines.setdefault(str(name).strip(), []).append(line)

    assert len(found.name) > 3000
    assert set(found.room_m) <= set(ROOMS_M)
    rng = np.random.default_rng(1)
    for i in rng.choice(len(found.name), 100, replace=False):
        street = shapely.multilinestrings(lines[found.names[found.name[i]]])
        degrees = shapely.distance(street, shapely.Point(found.lon[i], found.lat[i]))
        assert degrees * METRES_PER_DEGREE < 2
