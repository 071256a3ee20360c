"""What lies along the fastest path of each trip: metres by road class, or the line to draw."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from errors import Faults, InvalidInputError
from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SOURCES_AT_ONCE = 64


def fastest_path_metres(
    network: RoadNetwork, source: IntArray, target: IntArray, *, seconds_per_m: FloatArray
) -> FloatArray:
    """Metres by road class on the fastest path of each trip.

    One shortest-path tree a distinct source (Dijkstra 1959), walked back from all its targets at once.
    Where two paths take equally long, one of them is taken, always the same.

    Parameters
    ----------
    network
        The road network; its own speeds play no part.
    source, target
        (n_trips,) node indices.
    seconds_per_m
        (n_classes,) seconds a metre on each of ``network.classes``, above zero.

    Returns
    -------
    metres
        (n_trips, n_classes) metres; NaN in the whole row where the target cannot be reached.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    pace = np.asarray(seconds_per_m, dtype=np.float64)
    _check(network, source, target, pace)
    n_classes = len(network.classes)
    arc_s = network.length_m * pace[network.edge_class]
    metres = np.zeros((len(source), n_classes))
    reached = source == target
    for trip, edge, _ in _steps_back(network, source, target, arc_s):
        # Each trip stands once in `trip`, so that plain addition loses nothing.
        metres[trip, network.edge_class[edge]] += network.length_m[edge]
        reached[trip] = True
    metres[~reached] = np.nan
    return metres


def fastest_path_lines(
    network: RoadNetwork,
    source: IntArray,
    target: IntArray,
    *,
    closed: BoolArray | None = None,
    speed_factor: float | npt.ArrayLike = 1.0,
) -> npt.NDArray[np.object_]:
    """Line of the fastest path of each trip at the network's speeds, for drawing.

    Parameters
    ----------
    network
        The road network.
    source, target
        (n_trips,) node indices.
    closed
        (n_edges,) True for edges that may not be driven.
    speed_factor
        Multiplies speeds: one number, or (n_edges,) numbers, above zero.

    Returns
    -------
    lines
        (n_trips,) shapely lines in degrees; of no length where a trip ends where it began, empty where the
        target cannot be reached.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    _check(network, source, target, np.ones(len(network.classes)))
    seconds = network.edge_seconds / np.asarray(speed_factor, dtype=np.float64)
    if closed is not None:
        seconds = np.where(closed, np.inf, seconds)
    driven: list[list[tuple[int, bool]]] = [[] for _ in source]
    for trip, edge, tail in _steps_back(network, source, target, seconds):
        forward = network.edge_u[edge] == tail
        for number, at, ahead in zip(trip.tolist(), edge.tolist(), forward.tolist(), strict=True):
            driven[number].append((at, ahead))
    place = np.column_stack([network.node_lon, network.node_lat])
    lines: npt.NDArray[np.object_] = np.full(len(source), shapely.LineString(), dtype=object)
    for number, steps in enumerate(driven):
        if steps:
            parts = [_coordinates(network, place, at, ahead=ahead) for at, ahead in reversed(steps)]
            lines[number] = shapely.LineString(np.concatenate(parts))
        elif source[number] == target[number]:
            lines[number] = shapely.LineString(place[[source[number], source[number]]])
    return lines


def _coordinates(network: RoadNetwork, place: FloatArray, edge: int, *, ahead: bool) -> FloatArray:
    """(k, 2) degrees along an edge, in the direction of the drive; straight where it has no line."""
    along: FloatArray = shapely.get_coordinates(network.geometry[edge])
    if not len(along):
        along = place[[network.edge_u[edge], network.edge_v[edge]]]
    return along if ahead else along[::-1]


def _steps_back(
    network: RoadNetwork, source: IntArray, target: IntArray, edge_s: FloatArray
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Walk the fastest paths back from their targets, all at once: trips, edges, nodes they come from.

    A trip that cannot be made, or ends where it began, takes no step.
    """
    indptr, indices, edge = network.arcs
    arc_s = edge_s[edge]
    n = network.n_nodes
    graph = csr_array((arc_s, indices, indptr), shape=(n, n))
    # The fastest of parallel arcs, found by its ends.
    tail = np.repeat(np.arange(n), np.diff(indptr))
    key = tail * n + indices
    order = np.lexsort((arc_s, key))
    first = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
    arc_key, arc_edge = key[first], edge[first]

    starts, start_of_trip = np.unique(source, return_inverse=True)
    for begin in range(0, len(starts), SOURCES_AT_ONCE):
        trip = np.flatnonzero((start_of_trip >= begin) & (start_of_trip < begin + SOURCES_AT_ONCE))
        part = starts[begin : begin + SOURCES_AT_ONCE]
        seconds, before = dijkstra(graph, indices=part, return_predecessors=True)
        row, node = start_of_trip[trip] - begin, target[trip].copy()
        going = np.isfinite(seconds[row, node]) & (node != part[row])
        while going.any():
            trip, row, node = trip[going], row[going], node[going]
            previous = before[row, node].astype(np.int64)
            yield trip, arc_edge[np.searchsorted(arc_key, previous * n + node)], previous
            node = previous
            going = node != part[row]


def _check(network: RoadNetwork, source: IntArray, target: IntArray, pace: FloatArray) -> None:
    faults = Faults()
    for name, nodes in (("source", source), ("target", target)):
        whole = np.issubdtype(np.asarray(nodes).dtype, np.integer)
        faults.check(whole, f"{name} must hold node indices (whole numbers)")
        if whole:
            outside = (nodes < 0) | (nodes >= network.n_nodes)
            faults.check(not outside.any(), f"{int(outside.sum())} of {name} are not nodes of this network")
    faults.check(np.shape(source) == np.shape(target), "each trip needs one source and one target")
    faults.check(
        pace.shape == (len(network.classes),) and np.isfinite(pace).all() and (pace > 0).all(),
        f"seconds_per_m must hold one number above zero for each of the {len(network.classes)} classes",
    )
    faults.raise_as(InvalidInputError, "The fastest paths cannot be found")


def path_seconds(metres: FloatArray, seconds_per_m: FloatArray) -> FloatArray:
    """(n_trips,) seconds of driving from (n_trips, n_classes) metres and (n_classes,) seconds a metre."""
    return metres @ seconds_per_m
