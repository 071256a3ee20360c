"""The road network as arrays: built from tables or from OSMnx, split into its kept component, snapped to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from errors import Faults, InvalidInputError
from geo import crs

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

DEFAULT_SPEEDS_KPH: Mapping[str, float] = MappingProxyType(
    {
        "motorway": 88.0,
        "motorway_link": 48.0,
        "trunk": 72.0,
        "trunk_link": 40.0,
        "primary": 48.0,
        "primary_link": 35.0,
        "secondary": 44.0,
        "secondary_link": 32.0,
        "tertiary": 40.0,
        "tertiary_link": 30.0,
        "residential": 30.0,
        "living_street": 15.0,
        "unclassified": 30.0,
        "service": 18.0,
        "track": 12.0,
        "Freeway": 88.0,
        "Major Arterial": 48.0,
        "Local": 30.0,
        "Unimproved": 12.0,
        "Other": 18.0,
    }
)
"""Assumed travel speeds by road class, without siren, for cities that give none: OpenStreetMap's class
names and the classes of New Orleans' centre-line file. Assumptions, not measurements."""

FALLBACK_CLASS = "unclassified"

STREET_REACH_M = 400.0
"""How far from a street ground counts as served by it. An assumption: deep marsh is not "reached"."""

GUARD_DISTANCE_M = 100_000.0


@dataclass(frozen=True, eq=False)
class RoadNetwork:
    """A directed road network as flat arrays; node and edge order are those of the input tables.

    Attributes
    ----------
    node_id
        (n_nodes,) identifiers as they came.
    node_lon, node_lat
        (n_nodes,) degrees, EPSG:4326.
    edge_u, edge_v
        (n_edges,) node indices of each edge's ends.
    length_m
        (n_edges,) metres.
    speed_kph
        (n_edges,) kilometres per hour without siren at free flow.
    oneway
        (n_edges,) True where only u to v may be driven.
    edge_class
        (n_edges,) index into ``classes``.
    classes
        Names of the road classes.
    edge_name
        (n_edges,) street names, empty where there is none.
    geometry
        (n_edges,) shapely lines in EPSG:4326, or None where the input has none.
    """

    node_id: npt.NDArray[Any]
    node_lon: FloatArray
    node_lat: FloatArray
    edge_u: IntArray
    edge_v: IntArray
    length_m: FloatArray
    speed_kph: FloatArray
    oneway: BoolArray
    edge_class: IntArray
    classes: tuple[str, ...]
    edge_name: npt.NDArray[np.object_]
    geometry: npt.NDArray[np.object_]

    @classmethod
    def from_streets(
        cls, streets: pd.DataFrame, nodes: pd.DataFrame, speeds: Mapping[str, float] | None = None
    ) -> Self:
        """Build the network from a table of streets and a table of nodes.

        Parameters
        ----------
        streets
            ``u, v, length_m, geometry`` and optionally ``road_class`` (or ``street_class``), ``speed_kph``,
            ``oneway`` (bool, u to v), ``name``. One row an edge; parallel edges and loops are allowed.
        nodes
            ``node, lon, lat`` in degrees.
        speeds
            Road class to kilometres per hour, over the defaults; an edge's own ``speed_kph`` goes first.

        Raises
        ------
        InvalidInputError
            With every fault of both tables.
        """
        _check_tables(streets, nodes, speeds or {})
        class_column = "road_class" if "road_class" in streets else "street_class"
        road_class = (
            streets[class_column].astype(object).where(streets[class_column].notna(), FALLBACK_CLASS)
            if class_column in streets
            else pd.Series(FALLBACK_CLASS, index=streets.index, dtype=object)
        )
        codes, classes = pd.factorize(road_class.astype(str), sort=True)
        class_kph = _class_speeds(classes, {**DEFAULT_SPEEDS_KPH, **(speeds or {})})
        speed_kph = class_kph[codes]
        if "speed_kph" in streets:
            own = pd.to_numeric(streets["speed_kph"]).to_numpy(dtype=float, na_value=np.nan)
            speed_kph = np.where(np.isnan(own), speed_kph, own)
        index = pd.Index(nodes["node"])
        names = streets["name"] if "name" in streets else pd.Series("", index=streets.index)
        oneway = streets["oneway"] if "oneway" in streets else pd.Series(data=False, index=streets.index)
        return cls(
            node_id=index.to_numpy(),
            node_lon=nodes["lon"].to_numpy(dtype=float),
            node_lat=nodes["lat"].to_numpy(dtype=float),
            edge_u=index.get_indexer(streets["u"]).astype(np.int64),
            edge_v=index.get_indexer(streets["v"]).astype(np.int64),
            length_m=streets["length_m"].to_numpy(dtype=float),
            speed_kph=speed_kph,
            oneway=np.asarray(oneway, dtype=np.bool_),
            edge_class=codes.astype(np.int64),
            classes=tuple(classes),
            edge_name=names.astype(object).where(names.notna(), "").to_numpy(dtype=object),
            geometry=np.asarray(streets["geometry"].array, dtype=object),
        )

    @classmethod
    def from_osmnx(cls, graph: Any, speeds: Mapping[str, float] | None = None) -> Self:  # noqa: ANN401
        """Build the network from an OSMnx graph (a networkx MultiDiGraph in EPSG:4326).

        Every directed edge of the graph becomes a one-way edge. ``highway`` gives the class (the first
        where OSMnx keeps a list), ``speed_kph`` the speed where OSMnx has added it.

        Raises
        ------
        InvalidInputError
            With every fault found in the graph.
        """
        nodes = pd.DataFrame(
            [(node, values.get("x"), values.get("y")) for node, values in graph.nodes(data=True)],
            columns=["node", "lon", "lat"],
        )
        place = nodes.set_index("node")
        rows = []
        for u, v, values in graph.edges(data=True):
            line = values.get("geometry")
            if line is None and u in place.index and v in place.index:
                line = shapely.LineString([place.loc[u].tolist(), place.loc[v].tolist()])
            rows.append(
                (
                    u,
                    v,
                    values.get("length"),
                    _first(values.get("highway")),
                    _first(values.get("name")),
                    values.get("speed_kph"),
                    line,
                )
            )
        columns = ["u", "v", "length_m", "road_class", "name", "speed_kph", "geometry"]
        streets = pd.DataFrame(rows, columns=columns).assign(oneway=True)
        streets["speed_kph"] = pd.to_numeric(streets["speed_kph"])
        return cls.from_streets(streets, nodes, speeds)

    @property
    def n_nodes(self) -> int:
        """Number of nodes, kept or not."""
        return len(self.node_lon)

    @property
    def n_edges(self) -> int:
        """Number of edges as given."""
        return len(self.edge_u)

    @cached_property
    def epsg(self) -> int:
        """The projected system (UTM zone) in which this network is measured."""
        return crs.utm_epsg(self.node_lon, self.node_lat)

    @cached_property
    def node_xy_m(self) -> FloatArray:
        """(n_nodes, 2) eastings and northings in metres in ``epsg``."""
        return np.column_stack(crs.to_metres(self.node_lon, self.node_lat, self.epsg))

    @cached_property
    def edge_seconds(self) -> FloatArray:
        """(n_edges,) seconds to drive each edge at ``speed_kph``."""
        return self.length_m / (self.speed_kph / 3.6)

    @cached_property
    def arcs(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], IntArray]:
        """Compressed sparse rows of the directed arcs: ``indptr``, target ``indices``, ``edge`` of each arc.

        A two-way edge gives two arcs. Parallel arcs stay apart: the shortest wins in the search, whatever
        is closed or slowed.
        """
        back = np.flatnonzero(~self.oneway)
        tail = np.concatenate([self.edge_u, self.edge_v[back]])
        head = np.concatenate([self.edge_v, self.edge_u[back]])
        edge = np.concatenate([np.arange(self.n_edges), back])
        order = np.lexsort((edge, tail))
        indptr = np.zeros(self.n_nodes + 1, dtype=np.int32)
        np.cumsum(np.bincount(tail, minlength=self.n_nodes), out=indptr[1:])
        return indptr, head[order].astype(np.int32), edge[order]

    @cached_property
    def main(self) -> BoolArray:
        """(n_nodes,) True in the kept component: the largest set of nodes that all reach one another.

        Where two components tie, the one that holds the lowest node index is kept.
        """
        indptr, indices, _ = self.arcs
        graph = csr_array((np.ones(len(indices), dtype=np.int8), indices, indptr), shape=(self.n_nodes,) * 2)
        _, label = connected_components(graph, directed=True, connection="strong")
        size = np.bincount(label)
        largest = np.flatnonzero(size[label] == size.max())[0]
        return cast("BoolArray", label == label[largest])

    @cached_property
    def _main_tree(self) -> tuple[IntArray, cKDTree]:
        kept = np.flatnonzero(self.main)
        return kept, cKDTree(self.node_xy_m[kept])

    @cached_property
    def node_cells(self) -> tuple[npt.NDArray[np.object_], IntArray]:
        """Ground nearest to each place where kept nodes lie (Voronoi cells), in metres in ``epsg``.

        Returns
        -------
        cells, cell_of_node
            (n_cells,) shapely polygons, and (n_nodes,) the cell of each kept node, -1 for nodes not kept.
            Nodes at exactly the same place share a cell.
        """
        places, cell = np.unique(self.node_xy_m[self.main], axis=0, return_inverse=True)
        cell_of_node = np.full(self.n_nodes, -1, dtype=np.int64)
        cell_of_node[self.main] = cell.ravel()
        # Four far guards bound the outer cells and give even one or two nodes a diagram.
        centre, reach = places.mean(axis=0), np.ptp(places, axis=0).max() + GUARD_DISTANCE_M
        guards = centre + reach * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
        sites = shapely.multipoints(np.vstack([places, guards]))
        cells = shapely.get_parts(shapely.voronoi_polygons(sites, ordered=True))[: len(places)]
        return cells, cell_of_node

    @cached_property
    def lines_m(self) -> npt.NDArray[np.object_]:
        """(n_edges,) lines in metres in ``epsg``; straight between the ends where the input has none."""
        lines = shapely.transform(
            self.geometry, lambda c: np.column_stack(crs.to_metres(c[:, 0], c[:, 1], self.epsg))
        )
        bare = shapely.is_missing(lines) | shapely.is_empty(lines)
        ends = np.stack([self.node_xy_m[self.edge_u[bare]], self.node_xy_m[self.edge_v[bare]]], axis=1)
        lines[bare] = shapely.linestrings(ends)
        return lines

    @cached_property
    def street_reach(self) -> BaseGeometry:
        """Ground within ``STREET_REACH_M`` of a kept street, in metres in ``epsg``."""
        kept = self.main[self.edge_u] & self.main[self.edge_v]
        simple = shapely.simplify(self.lines_m[kept], 20)
        around = shapely.buffer(simple, STREET_REACH_M, quad_segs=2)
        alone = shapely.buffer(shapely.multipoints(self.node_xy_m[self.main][:1]), STREET_REACH_M)
        return shapely.union_all([*around, alone])

    def snap(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[IntArray, FloatArray]:
        """Nearest node of the kept component for each place.

        A place beside an island of the network snaps past it: a post on an island would reach nothing.

        Parameters
        ----------
        lon, lat
            (n,) degrees; a single place may be given as two numbers.

        Returns
        -------
        node_index, metres
            (n,) index of the node and straight-line distance to it.

        Raises
        ------
        InvalidInputError
            If a coordinate is missing or not in degrees, or the two differ in shape.
        """
        lon_array = np.atleast_1d(np.asarray(lon, dtype=float))
        lat_array = np.atleast_1d(np.asarray(lat, dtype=float))
        faults = Faults()
        faults.check(lon_array.shape == lat_array.shape, "longitude and latitude differ in number")
        faults.check(np.isfinite(lon_array).all() and np.isfinite(lat_array).all(), "a coordinate is missing")
        faults.check(
            not (np.abs(lon_array) > 180).any() and not (np.abs(lat_array) > 90).any(),
            "a coordinate is not longitude and latitude in degrees (EPSG:4326)",
        )
        faults.raise_as(InvalidInputError, "Places cannot be snapped to the network")
        kept, tree = self._main_tree
        metres, position = tree.query(np.column_stack(crs.to_metres(lon_array, lat_array, self.epsg)))
        return kept[position], np.asarray(metres, dtype=float)


def _first(value: Any) -> Any:  # noqa: ANN401
    """Return the first of OSMnx's list where it merged several tags, else the value."""
    return value[0] if isinstance(value, list) else value


def _class_speeds(classes: pd.Index, speeds: Mapping[str, float]) -> FloatArray:
    return np.array([speeds.get(str(name), speeds[FALLBACK_CLASS]) for name in classes], dtype=float)


def _check_tables(streets: pd.DataFrame, nodes: pd.DataFrame, speeds: Mapping[str, float]) -> None:
    faults = Faults()
    for table, frame, needed in (
        ("streets", streets, ("u", "v", "length_m", "geometry")),
        ("street nodes", nodes, ("node", "lon", "lat")),
    ):
        missing = [column for column in needed if column not in frame]
        faults.check(not missing, f"the {table} lack the column(s) {', '.join(missing)}")
        faults.check(len(frame), f"the table of {table} is empty")
    for name, kph in speeds.items():
        faults.check(
            np.isfinite(kph) and kph > 0, f"the speed of class {name!r} is {kph}; it must be above zero"
        )
    faults.raise_as(InvalidInputError, "The road network cannot be built")

    ids = pd.Index(nodes["node"])
    faults.check(ids.is_unique, f"{int(ids.duplicated().sum())} node ids stand twice in the street nodes")
    lon, lat = (
        pd.to_numeric(nodes[column], errors="coerce").to_numpy(dtype=float) for column in ("lon", "lat")
    )
    bad_place = ~(np.isfinite(lon) & np.isfinite(lat))
    faults.check(not bad_place.any(), f"{int(bad_place.sum())} street nodes have no coordinates")
    beyond = ~bad_place & ((np.abs(lon) > 180) | (np.abs(lat) > 90))
    faults.check(
        not beyond.any(),
        f"{int(beyond.sum())} street nodes are not in degrees (EPSG:4326); reproject from feet or metres",
    )
    unknown = ~(streets["u"].isin(ids) & streets["v"].isin(ids))
    faults.check(
        not unknown.any(), f"{int(unknown.sum())} streets begin or end at a node that is not in the nodes"
    )
    length = pd.to_numeric(streets["length_m"], errors="coerce").to_numpy(dtype=float)
    bad_length = ~np.isfinite(length) | (length < 0)
    faults.check(not bad_length.any(), f"{int(bad_length.sum())} streets have a missing or negative length_m")
    if "speed_kph" in streets:
        speed = pd.to_numeric(streets["speed_kph"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        bad_speed = streets["speed_kph"].notna().to_numpy() & ~(np.isfinite(speed) & (speed > 0))
        faults.check(
            not bad_speed.any(), f"{int(bad_speed.sum())} streets have a speed_kph that is not above zero"
        )
    if "oneway" in streets:
        faults.check(streets["oneway"].notna().all(), "some streets do not say whether they are one-way")
    faults.raise_as(InvalidInputError, "The road network cannot be built")
