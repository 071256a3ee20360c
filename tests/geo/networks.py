"""Small networks for tests: random ones, and a grid with a river."""

import geopandas as gpd
import hypothesis.strategies as st
import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.network import RoadNetwork

Tables = tuple[gpd.GeoDataFrame, pd.DataFrame]

MIDDLE_LON, MIDDLE_LAT = -90.07, 29.95


def tables(places: list[tuple[float, float]], edges: list[tuple[int, int, float, bool]]) -> Tables:
    """Tables of streets and nodes from places in degrees and edges (u, v, length_m, oneway)."""
    nodes = pd.DataFrame(
        {"node": range(len(places)), "lon": [p[0] for p in places], "lat": [p[1] for p in places]}
    )
    streets = gpd.GeoDataFrame(
        {
            "u": [edge[0] for edge in edges],
            "v": [edge[1] for edge in edges],
            "length_m": [edge[2] for edge in edges],
            "oneway": [edge[3] for edge in edges],
            "road_class": "residential",
        },
        geometry=[shapely.LineString([places[edge[0]], places[edge[1]]]) for edge in edges],
        crs="EPSG:4326",
    )
    return streets, nodes


@st.composite
def random_networks(draw: st.DrawFn) -> Tables:
    """Random networks with parallel edges, loops, one-ways, zero lengths and separate pieces."""
    n_nodes = draw(st.integers(2, 12))
    places = [
        (MIDDLE_LON + 0.002 * draw(st.integers(0, 20)), MIDDLE_LAT + 0.002 * at) for at in range(n_nodes)
    ]
    edge = st.tuples(
        st.integers(0, n_nodes - 1),
        st.integers(0, n_nodes - 1),
        st.integers(0, 3000).map(float),
        st.booleans(),
    )
    return tables(places, draw(st.lists(edge, min_size=1, max_size=30)))


def grid(columns: int, rows: int, *, step: float = 0.002) -> Tables:
    """A two-way street grid."""
    places = [(MIDDLE_LON + step * c, MIDDLE_LAT + step * r) for r in range(rows) for c in range(columns)]
    east, north = step * 96_500, step * 110_800
    edges = [
        (r * columns + c, r * columns + c + 1, east, False) for r in range(rows) for c in range(columns - 1)
    ] + [
        (r * columns + c, (r + 1) * columns + c, north, False)
        for r in range(rows - 1)
        for c in range(columns)
    ]
    return tables(places, edges)


def as_networkx(
    network: RoadNetwork,
    closed: npt.NDArray[np.bool_] | None = None,
    factor: npt.NDArray[np.float64] | float = 1.0,
) -> "nx.MultiDiGraph[int]":
    """The same network as a networkx graph with ``seconds`` on its edges, built without geo's arcs."""
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    seconds = network.length_m * 3.6 / network.speed_kph / factor
    for edge in range(network.n_edges):
        if closed is not None and closed[edge]:
            continue
        u, v = int(network.edge_u[edge]), int(network.edge_v[edge])
        graph.add_edge(u, v, seconds=seconds[edge])
        if not network.oneway[edge]:
            graph.add_edge(v, u, seconds=seconds[edge])
    return graph
