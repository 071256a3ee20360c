"""Driving times over the network: one field a source, or the merged field of many."""

from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from errors import Faults, InvalidInputError
from geo.network import RoadNetwork

Float32Array = npt.NDArray[np.float32]


def travel_times(
    network: RoadNetwork,
    sources: npt.ArrayLike,
    *,
    limit_s: float | None = None,
    closed: npt.NDArray[np.bool_] | None = None,
    no_through: npt.NDArray[np.bool_] | None = None,
    speed_factor: float | npt.ArrayLike = 1.0,
) -> Float32Array:
    """Seconds to drive from each source to every node (Dijkstra 1959, on directed arcs).

    Parameters
    ----------
    network
        The road network.
    sources
        (n_sources,) node indices.
    limit_s
        Search no further than this many seconds; nodes beyond are infinite.
    closed
        (n_edges,) True for edges that may not be driven, in either direction.
    no_through
        (n_nodes,) True for nodes that may be driven to, along and set out from, but not through: a drive that
        comes to such nodes from other ground goes on to others of them only. A single such node can be
        reached and left, never passed; a parade route can be entered and followed, never crossed.
    speed_factor
        Multiplies speeds: one number, or (n_edges,) numbers, above zero.

    Returns
    -------
    seconds
        float32 (n_sources, n_nodes); infinite where a node cannot be reached.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    nodes, graph, limit = _prepare(
        network, sources, limit_s, closed=closed, no_through=no_through, speed_factor=speed_factor
    )
    if not len(nodes):
        return np.empty((0, network.n_nodes), dtype=np.float32)
    seconds = np.atleast_2d(dijkstra(graph, indices=nodes, limit=limit))[:, : network.n_nodes]
    return cast("Float32Array", seconds.astype(np.float32))


def nearest_times(
    network: RoadNetwork,
    sources: npt.ArrayLike,
    *,
    offset_s: npt.ArrayLike | None = None,
    limit_s: float | None = None,
    closed: npt.NDArray[np.bool_] | None = None,
    no_through: npt.NDArray[np.bool_] | None = None,
    speed_factor: float | npt.ArrayLike = 1.0,
) -> Float32Array:
    """Seconds from the nearest of the sources to every node: the merged field, in one search.

    Parameters
    ----------
    network, sources, limit_s, closed, no_through, speed_factor
        As in `travel_times`.
    offset_s
        (n_sources,) seconds already spent when each source is left, such as the way from a post to its
        node; zero when not given.

    Returns
    -------
    seconds
        float32 (n_nodes,); infinite where no source reaches.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    nodes, graph, limit = _prepare(
        network, sources, limit_s, closed=closed, no_through=no_through, speed_factor=speed_factor
    )
    n = network.n_nodes
    if not len(nodes):
        return np.full(n, np.inf, dtype=np.float32)
    if offset_s is None:
        seconds = dijkstra(graph, indices=nodes, limit=limit, min_only=True)[:n]
        return cast("Float32Array", seconds.astype(np.float32))
    offset = np.asarray(offset_s, dtype=float)
    if offset.shape != nodes.shape or not np.isfinite(offset).all() or (offset < 0).any():
        raise InvalidInputError("offset_s must hold one number of seconds, zero or more, for each source")
    # A node of its own, from which each source is left with its offset, makes the merged search one search.
    start = graph.shape[0]
    extended = _with_rows(graph, np.array([len(nodes)]), nodes, offset)
    seconds = dijkstra(extended, indices=np.array([start]), limit=limit)[0, :n]
    return cast("Float32Array", seconds.astype(np.float32))


def _prepare(
    network: RoadNetwork,
    sources: npt.ArrayLike,
    limit_s: float | None,
    *,
    closed: npt.NDArray[np.bool_] | None,
    no_through: npt.NDArray[np.bool_] | None,
    speed_factor: float | npt.ArrayLike,
) -> tuple[npt.NDArray[np.int64], csr_array, float]:
    """Check the arguments; return source nodes, arcs weighted in seconds (infinite where closed), limit."""
    nodes = _check(network, sources, limit_s, closed=closed, no_through=no_through, speed_factor=speed_factor)
    indptr, indices, edge = network.arcs
    seconds = network.edge_seconds / np.asarray(speed_factor, dtype=float)
    if closed is not None and closed.any():
        seconds = np.where(closed, np.inf, seconds)
    graph = csr_array((seconds[edge], indices, indptr), shape=(network.n_nodes, network.n_nodes))
    if no_through is not None and no_through.any():
        nodes, graph = _enter_or_leave_only(nodes, graph, no_through)
    return nodes, graph, np.inf if limit_s is None else float(limit_s)


def _enter_or_leave_only(
    sources: npt.NDArray[np.int64], graph: csr_array, no_through: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], csr_array]:
    """Give each node that may not be passed a second self, where drives that begin there begin.

    The first self is come to and never left for other ground. The second is left for other ground or for the
    second self of a neighbor, and is never come to from other ground; it also counts as having come to the
    first.
    """
    n = graph.shape[0]
    marked = np.flatnonzero(no_through)
    second = np.arange(n)
    second[marked] = n + np.arange(len(marked))
    arcs_of = np.diff(graph.indptr)
    tail = np.repeat(np.arange(n), arcs_of)
    from_marked = no_through[tail]
    targets, weights = graph.indices[from_marked], graph.data[from_marked]
    # The arcs of a second self, and one to its first self at no cost; a stable sort keeps rows together.
    row = np.concatenate([second[tail[from_marked]] - n, np.arange(len(marked))])
    order = np.argsort(row, kind="stable")
    column = np.concatenate([second[targets], marked])[order]
    cost = np.concatenate([weights, np.zeros(len(marked))])[order]
    kept = np.where(from_marked & ~no_through[graph.indices], np.inf, graph.data)
    first = csr_array((kept, graph.indices, graph.indptr), shape=graph.shape)
    return second[sources], _with_rows(first, arcs_of[marked] + 1, column, cost)


def _with_rows(
    graph: csr_array,
    counts: npt.NDArray[np.integer],
    columns: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.float64],
) -> csr_array:
    """Append nodes to a graph, with so many arcs each; arcs of no cost stay arcs."""
    size = graph.shape[0] + len(counts)
    return csr_array(
        (
            np.concatenate([graph.data, seconds]),
            np.concatenate([graph.indices, columns.astype(graph.indices.dtype)]),
            np.concatenate([graph.indptr, graph.indptr[-1] + np.cumsum(counts)]).astype(graph.indptr.dtype),
        ),
        shape=(size, size),
    )


def _check(
    network: RoadNetwork,
    sources: npt.ArrayLike,
    limit_s: float | None,
    *,
    closed: npt.NDArray[np.bool_] | None,
    no_through: npt.NDArray[np.bool_] | None,
    speed_factor: float | npt.ArrayLike,
) -> npt.NDArray[np.int64]:
    faults = Faults()
    nodes = np.atleast_1d(np.asarray(sources))
    if nodes.size == 0:
        nodes = nodes.astype(np.int64)
    if nodes.ndim != 1 or not np.issubdtype(nodes.dtype, np.integer):
        faults.add("sources must be a list of node indices (whole numbers)")
    else:
        outside = (nodes < 0) | (nodes >= network.n_nodes)
        faults.check(not outside.any(), f"{int(outside.sum())} sources are not nodes of this network")
    faults.check(limit_s is None or limit_s > 0, "limit_s must be above zero")
    faults.check(
        closed is None or (closed.shape == (network.n_edges,) and closed.dtype == np.bool_),
        f"closed must hold one true or false for each of the {network.n_edges} edges",
    )
    faults.check(
        no_through is None or (no_through.shape == (network.n_nodes,) and no_through.dtype == np.bool_),
        f"no_through must hold one true or false for each of the {network.n_nodes} nodes",
    )
    factor = np.asarray(speed_factor, dtype=float)
    faults.check(
        factor.shape in {(), (network.n_edges,)}, "speed_factor must be one number or one for each edge"
    )
    faults.check(np.isfinite(factor).all() and (factor > 0).all(), "speed_factor must be above zero")
    faults.raise_as(InvalidInputError, "Travel times cannot be computed")
    return nodes.astype(np.int64)
