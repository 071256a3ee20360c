from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given

from errors import InvalidInputError
from geo.network import DEFAULT_SPEEDS_KPH, RoadNetwork
from geo.travel_time import travel_times
from tests.geo.networks import Tables, as_networkx, grid, random_networks, tables


@given(random_networks())
def test_main_is_a_largest_strongly_connected_component(made: Tables) -> None:
    network = RoadNetwork.from_streets(*made)
    components = list(nx.strongly_connected_components(as_networkx(network)))
    kept = set(np.flatnonzero(network.main))
    assert kept in components
    assert len(kept) == max(map(len, components))


def test_snap_passes_an_island_by() -> None:
    streets, nodes = grid(4, 4)
    island_streets, island_nodes = tables([(-90.08, 29.94), (-90.0801, 29.94)], [(0, 1, 10.0, False)])
    island_streets[["u", "v"]] += 100
    island_nodes["node"] += 100
    network = RoadNetwork.from_streets(
        pd.concat([streets, island_streets], ignore_index=True),
        pd.concat([nodes, island_nodes], ignore_index=True),
    )
    index, metres = network.snap([-90.08], [29.94])
    assert network.main[index].all()
    assert index[0] == 0
    # One degree of latitude is 110.8 km and one of longitude 96.6 km at 29.95 degrees north.
    assert metres[0] == pytest.approx(np.hypot(0.01 * 110_850, 0.01 * 96_560), rel=0.002)


def test_snap_takes_arrays_and_single_places() -> None:
    network = RoadNetwork.from_streets(*grid(3, 3))
    index, metres = network.snap(network.node_lon, network.node_lat)
    assert (index == np.arange(9)).all()
    assert metres == pytest.approx(np.zeros(9), abs=1e-6)
    single, _ = network.snap(network.node_lon[4], network.node_lat[4])
    assert single.tolist() == [4]


@pytest.mark.parametrize(
    ("lon", "lat", "words"),
    [
        ([np.nan], [29.9], "missing"),
        ([-90.0, 1.0], [29.9], "differ"),
        ([3_692_036.0], [543_335.0], "degrees"),
    ],
)
def test_snap_refuses_what_is_no_place(lon: list[float], lat: list[float], words: str) -> None:
    network = RoadNetwork.from_streets(*grid(2, 2))
    with pytest.raises(InvalidInputError, match=words):
        network.snap(lon, lat)


def test_speeds_come_from_the_edge_then_the_caller_then_the_class() -> None:
    streets, nodes = grid(2, 2)
    streets["road_class"] = ["residential", "primary", None, "somewhere else"]
    streets["speed_kph"] = [55.0, np.nan, np.nan, np.nan]
    network = RoadNetwork.from_streets(streets, nodes, {"primary": 61.0})
    fallback = DEFAULT_SPEEDS_KPH["unclassified"]
    assert network.speed_kph.tolist() == [55.0, 61.0, fallback, fallback]


def test_the_class_may_stand_in_street_class() -> None:
    streets, nodes = grid(2, 2)
    streets = streets.rename(columns={"road_class": "street_class"}).assign(street_class="Freeway")
    assert RoadNetwork.from_streets(streets, nodes).speed_kph.tolist() == [DEFAULT_SPEEDS_KPH["Freeway"]] * 4


def test_from_osmnx_gives_the_same_times_as_the_tables() -> None:
    streets, nodes = grid(3, 3)
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph(crs="EPSG:4326")
    for node, lon, lat in zip(nodes["node"], nodes["lon"], nodes["lat"], strict=True):
        graph.add_node(int(node), x=lon, y=lat)
    for u, v, length in zip(streets["u"], streets["v"], streets["length_m"], strict=True):
        for tail, head in ((int(u), int(v)), (int(v), int(u))):
            graph.add_edge(tail, head, length=length, highway=["residential", "service"], name="A Street")
    network, direct = RoadNetwork.from_osmnx(graph), RoadNetwork.from_streets(streets, nodes)
    assert network.n_edges == 2 * direct.n_edges
    assert network.oneway.all()
    assert set(network.edge_name) == {"A Street"}
    assert travel_times(network, range(9)) == pytest.approx(travel_times(direct, range(9)))


def test_all_faults_of_both_tables_are_told_together() -> None:
    streets, nodes = grid(3, 3)
    streets.loc[0, "length_m"] = -5.0
    streets.loc[1, "v"] = 999
    streets["speed_kph"] = 0.0
    nodes.loc[2, "lon"] = 3_692_036.0
    nodes.loc[3, "lat"] = np.nan
    nodes.loc[4, "node"] = 0
    with pytest.raises(InvalidInputError) as caught:
        RoadNetwork.from_streets(streets, nodes)
    for words in (
        "negative length_m",
        "not listed|not in the nodes",
        "speed_kph",
        "not in degrees",
        "no coordinates",
        "twice",
    ):
        assert any(part in str(caught.value) for part in words.split("|")), words


def test_missing_columns_and_empty_tables_are_told() -> None:
    streets, nodes = grid(2, 2)
    with pytest.raises(InvalidInputError, match=r"lack the column\(s\) length_m, geometry") as caught:
        RoadNetwork.from_streets(pd.DataFrame(streets.drop(columns=["length_m", "geometry"])), nodes.head(0))
    assert "street nodes is empty" in str(caught.value)


def test_cells_cover_their_nodes() -> None:
    network = RoadNetwork.from_streets(*grid(5, 4))
    cells, cell_of_node = network.node_cells
    assert len(cells) == network.n_nodes
    for node, (x, y) in enumerate(network.node_xy_m):
        assert [at for at, cell in enumerate(cells) if cell.intersects(shapely.Point(x, y))] == [
            cell_of_node[node]
        ]


@pytest.mark.extract
def test_every_post_of_the_extract_reaches_the_kept_network(extract_dir: Path) -> None:
    network = RoadNetwork.from_streets(
        gpd.read_parquet(extract_dir / "streets.parquet"),
        pd.read_parquet(extract_dir / "street_nodes.parquet"),
    )
    posts = pd.read_csv(extract_dir / "ems_posts.csv")
    assert len(posts) == 54
    index, metres = network.snap(posts["lon"], posts["lat"])
    assert metres.max() < 500
    reached = np.isfinite(travel_times(network, index))[:, network.main].mean(axis=1)
    assert reached.min() >= 0.98
