"""Freeways and the streets below them, on drawings small enough to see, and on random ones."""

from collections.abc import Sequence

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.grade import GradeCount, split_grade_crossings

Street = tuple[int, int, str]
M = 1 / 111_195.0
"""Degrees in a metre at the equator, where these drawings lie."""


def drawing(
    places: dict[int, tuple[float, float]], streets: Sequence[Street]
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Tables of straight streets between places given in metres."""
    nodes = pd.DataFrame(
        {
            "node": list(places),
            "lon": [x * M for x, _ in places.values()],
            "lat": [y * M for _, y in places.values()],
        }
    )
    spot = {node: (x * M, y * M) for node, (x, y) in places.items()}
    table = gpd.GeoDataFrame(
        {
            "u": [u for u, _, _ in streets],
            "v": [v for _, v, _ in streets],
            "road_class": [road_class for _, _, road_class in streets],
            "length_m": [float(np.hypot(*np.subtract(places[u], places[v]))) for u, v, _ in streets],
        },
        geometry=[shapely.LineString([spot[u], spot[v]]) for u, v, _ in streets],
        crs=4326,
    )
    return table, nodes


def neighbours(streets: gpd.GeoDataFrame, node: int) -> set[int]:
    ends = streets[["u", "v"]].to_numpy()
    return {int(b if a == node else a) for a, b in ends if node in {a, b}}


CROSS = {0: (0.0, 0.0), 1: (-500.0, 0.0), 2: (500.0, 0.0), 3: (0.0, -100.0), 4: (0.0, 100.0)}
FREEWAY: list[Street] = [(1, 0, "motorway"), (0, 2, "motorway")]
STREET: list[Street] = [(3, 0, "residential"), (0, 4, "residential")]
RING: list[Street] = [
    (1, 5, "motorway_link"),
    (5, 3, "residential"),
    (3, 6, "residential"),
    (6, 4, "residential"),
]
RING_PLACES = {5: (-500.0, -100.0), 6: (300.0, 50.0)}


def crossing(extra: Sequence[Street] = ()) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    return drawing({**CROSS, **RING_PLACES}, [*FREEWAY, *STREET, *RING, *extra])


def test_freeway_gets_a_node_of_its_own_two_metres_on() -> None:
    streets, nodes = crossing()
    parted, more, count = split_grade_crossings(streets, nodes)
    assert count == GradeCount(split=1, kept=0, pieces=0)
    assert len(more) == len(nodes) + 1
    new = more.iloc[-1]
    assert new["node"] == 7
    assert neighbours(parted, 0) == {3, 4}
    assert neighbours(parted, 7) == {1, 2}
    assert np.hypot(new["lon"], new["lat"]) / M == pytest.approx(2.0)
    assert new["lat"] == pytest.approx(0.0)
    lines = parted.set_index(["u", "v"]).geometry
    assert lines.loc[(1, 7)].coords[-1] == lines.loc[(7, 2)].coords[0] == (new["lon"], new["lat"])
    assert parted["length_m"].tolist() == streets["length_m"].tolist()


def test_inputs_stay_as_they_are() -> None:
    streets, nodes = crossing()
    before = streets.copy(), nodes.copy()
    split_grade_crossings(streets, nodes)
    pd.testing.assert_frame_equal(streets, before[0])
    pd.testing.assert_frame_equal(nodes, before[1])


def test_ramp_at_the_crossing_stays_with_the_freeway() -> None:
    streets, nodes = drawing(
        {**CROSS, **RING_PLACES, 8: (-200.0, -60.0)},
        [*FREEWAY, *STREET, *RING, (0, 8, "motorway_link"), (8, 3, "motorway_link")],
    )
    parted, _, count = split_grade_crossings(streets, nodes)
    assert count.split == 1
    assert neighbours(parted, 9) == {1, 2, 8}


def test_unnamed_way_in_line_with_a_street_stays_with_the_street() -> None:
    streets, nodes = drawing(
        {**CROSS, **RING_PLACES}, [*FREEWAY, (3, 0, "residential"), (0, 4, "motorway_link"), *RING]
    )
    parted, _, count = split_grade_crossings(streets, nodes)
    assert count.split == 1
    assert neighbours(parted, 0) == {3, 4}


@pytest.mark.parametrize(("road_class", "split"), [("primary", 0), ("residential", 1)])
def test_only_an_avenue_that_joins_at_a_small_angle_is_a_ramp(road_class: str, split: int) -> None:
    places = {0: (0.0, 0.0), 1: (-500.0, 0.0), 2: (500.0, 0.0), 3: (-200.0, -40.0)}
    streets, nodes = drawing(places, [*FREEWAY, (3, 0, road_class), (1, 3, "motorway_link")])
    parted, more, count = split_grade_crossings(streets, nodes)
    assert count.split == split
    assert len(more) == len(nodes) + split
    assert neighbours(parted, 0) == ({3} if split else {1, 2, 3})


def test_freeway_that_ends_at_a_street_stays_joined() -> None:
    streets, nodes = drawing(CROSS, [(1, 0, "motorway"), *STREET, (0, 2, "primary")])
    parted, _, count = split_grade_crossings(streets, nodes)
    assert count.split == 0
    assert neighbours(parted, 0) == {1, 2, 3, 4}


def test_crossing_of_two_freeways_stays_joined() -> None:
    streets, nodes = drawing(CROSS, [*FREEWAY, (3, 0, "motorway"), (0, 4, "motorway")])
    assert split_grade_crossings(streets, nodes)[2] == GradeCount(split=0, kept=0, pieces=0)


def test_crossing_without_which_the_freeway_hangs_free_stays_joined() -> None:
    streets, nodes = drawing(CROSS, [*FREEWAY, *STREET])
    parted, more, count = split_grade_crossings(streets, nodes)
    assert count == GradeCount(split=0, kept=1, pieces=0)
    assert len(more) == len(nodes)
    assert parted[["u", "v"]].equals(streets[["u", "v"]])


def test_piece_with_the_freeways_name_carries_the_street_on() -> None:
    places = {
        0: (0.0, 0.0),
        1: (-500.0, 0.0),
        2: (500.0, 0.0),
        10: (0.0, 15.0),
        11: (-500.0, 15.0),
        12: (500.0, 15.0),
        3: (0.0, -100.0),
        4: (0.0, 115.0),
        5: (-500.0, -100.0),
        6: (300.0, 50.0),
    }
    streets, nodes = drawing(
        places,
        [
            *FREEWAY,
            (11, 10, "motorway"),
            (10, 12, "motorway"),
            (0, 10, "motorway"),
            (3, 0, "residential"),
            (10, 4, "residential"),
            (1, 11, "motorway_link"),
            *RING,
        ],
    )
    parted, _, count = split_grade_crossings(streets, nodes)
    assert count == GradeCount(split=2, kept=0, pieces=1)
    assert neighbours(parted, 0) == {3, 10}
    assert neighbours(parted, 10) == {0, 4}
    assert parted["road_class"].iloc[4] == "unclassified"


def test_short_freeway_edges_get_a_node_within_them() -> None:
    places = {**CROSS, **RING_PLACES, 1: (-1.0, 0.0), 2: (0.5, 0.0), 8: (-500.0, 0.0), 9: (500.0, 0.0)}
    streets, nodes = drawing(places, [*FREEWAY, *STREET, *RING, (8, 1, "motorway"), (2, 9, "motorway")])
    _, more, count = split_grade_crossings(streets, nodes)
    assert count.split == 1
    assert more["lon"].iloc[-1] / M == pytest.approx(-0.4)


@st.composite
def random_drawings(draw: st.DrawFn) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Random places joined by random streets of all classes, parallel ones too."""
    count = draw(st.integers(3, 12))
    spots = draw(
        st.lists(
            st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=count, max_size=count, unique=True
        )
    )
    node = st.integers(0, count - 1)
    classes = st.sampled_from(["motorway", "motorway", "residential", "motorway_link"])
    edges = draw(st.lists(st.tuples(node, node, classes), min_size=1, max_size=25))
    edges = [(u, v, road_class) for u, v, road_class in edges if u != v] or [(0, 1, "motorway")]
    return drawing({i: (50.0 * x, 50.0 * y) for i, (x, y) in enumerate(spots)}, edges)


def parts(streets: gpd.GeoDataFrame, nodes: pd.DataFrame) -> list[set[int]]:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(nodes["node"])
    graph.add_edges_from(streets[["u", "v"]].itertuples(index=False, name=None))
    return [set(part) for part in nx.connected_components(graph)]


@settings(max_examples=150, deadline=None)
@given(random_drawings())
def test_nothing_is_cut_off_and_every_line_ends_at_its_nodes(
    tables: tuple[gpd.GeoDataFrame, pd.DataFrame],
) -> None:
    streets, nodes = tables
    parted, more, count = split_grade_crossings(streets, nodes)
    assert len(more) == len(nodes) + count.split
    assert more["node"].is_unique
    olds = {frozenset(part) for part in parts(streets, nodes)}
    assert {frozenset(part & set(nodes["node"])) for part in parts(parted, more)} == olds
    place = more.set_index("node")
    for u, v, line in zip(parted["u"], parted["v"], parted.geometry, strict=True):
        assert line.coords[0] == pytest.approx(tuple(place.loc[u]))
        assert line.coords[-1] == pytest.approx(tuple(place.loc[v]))
    spots = more[["lon", "lat"]].drop_duplicates()
    assert len(spots) == len(more)


@settings(max_examples=80, deadline=None)
@given(random_drawings())
def test_parting_twice_is_parting_once(tables: tuple[gpd.GeoDataFrame, pd.DataFrame]) -> None:
    once, nodes, first = split_grade_crossings(*tables)
    again, same_nodes, _ = split_grade_crossings(*tables)
    pd.testing.assert_frame_equal(pd.DataFrame(once.to_wkb()), pd.DataFrame(again.to_wkb()))
    pd.testing.assert_frame_equal(nodes, same_nodes)
    _, _, second = split_grade_crossings(once, nodes)
    assert second.split <= first.kept
