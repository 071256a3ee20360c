"""What lies along the fastest path of each trip: metres by road class, from one search a starting point."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from errors import Faults, InvalidInputError
from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

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
    indptr, indices, edge = network.arcs
    arc_s = network.length_m[edge] * pace[network.edge_class[edge]]
    n = network.n_nodes
    graph = csr_array((arc_s, indices, indptr), shape=(n, n))
    # The fastest of parallel arcs, found by its ends.
    tail = np.repeat(np.arange(n), np.diff(indptr))
    key = tail * n + indices
    order = np.lexsort((arc_s, key))
    first = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
    arc_key, arc_edge = key[first], edge[first]

    metres = np.zeros((len(source), n_classes))
    starts, start_of_trip = np.unique(source, return_inverse=True)
    for begin in range(0, len(starts), SOURCES_AT_ONCE):
        chosen = np.flatnonzero((start_of_trip >= begin) & (start_of_trip < begin + SOURCES_AT_ONCE))
        part = starts[begin : begin + SOURCES_AT_ONCE]
        seconds, before = dijkstra(graph, indices=part, return_predecessors=True)
        row, node = start_of_trip[chosen] - begin, target[chosen].copy()
        metres[chosen[~np.isfinite(seconds[row, node])]] = np.nan
        going = np.isfinite(seconds[row, node]) & (node != part[row])
        while going.any():
            trip, row, node = chosen[going], row[going], node[going]
            chosen = trip
            previous = before[row, node].astype(np.int64)
            driven = arc_edge[np.searchsorted(arc_key, previous * n + node)]
            # Each trip stands once in `trip`, so that plain addition loses nothing.
            metres[trip, network.edge_class[driven]] += network.length_m[driven]
            node = previous
            going = node != part[row]
    return metres


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
