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
    nodes, graph, limit = _prepare(network, sources, limit_s, closed, speed_factor)
    if not len(nodes):
        return np.empty((0, network.n_nodes), dtype=np.float32)
    seconds = dijkstra(graph, indices=nodes, limit=limit)
    return cast("Float32Array", np.atleast_2d(seconds).astype(np.float32))


def nearest_times(
    network: RoadNetwork,
    sources: npt.ArrayLike,
    *,
    offset_s: npt.ArrayLike | None = None,
    limit_s: float | None = None,
    closed: npt.NDArray[np.bool_] | None = None,
    speed_factor: float | npt.ArrayLike = 1.0,
) -> Float32Array:
    """Seconds from the nearest of the sources to every node: the merged field, in one search.

    Parameters
    ----------
    network, sources, limit_s, closed, speed_factor
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
    nodes, graph, limit = _prepare(network, sources, limit_s, closed, speed_factor)
    if not len(nodes):
        return np.full(network.n_nodes, np.inf, dtype=np.float32)
    if offset_s is None:
        return cast(
            "Float32Array", dijkstra(graph, indices=nodes, limit=limit, min_only=True).astype(np.float32)
        )
    offset = np.asarray(offset_s, dtype=float)
    if offset.shape != nodes.shape or not np.isfinite(offset).all() or (offset < 0).any():
        raise InvalidInputError("offset_s must hold one number of seconds, zero or more, for each source")
    # A node of its own, from which each source is left with its offset, makes the merged search one search.
    n = network.n_nodes
    extended = csr_array(
        (
            np.concatenate([graph.data, offset]),
            np.concatenate([graph.indices, nodes.astype(graph.indices.dtype)]),
            np.concatenate([graph.indptr, [graph.indptr[-1] + len(nodes)]]).astype(graph.indptr.dtype),
        ),
        shape=(n + 1, n + 1),
    )
    return cast(
        "Float32Array", dijkstra(extended, indices=np.array([n]), limit=limit)[0, :n].astype(np.float32)
    )


def _prepare(
    network: RoadNetwork,
    sources: npt.ArrayLike,
    limit_s: float | None,
    closed: npt.NDArray[np.bool_] | None,
    speed_factor: float | npt.ArrayLike,
) -> tuple[npt.NDArray[np.int64], csr_array, float]:
    """Check the arguments; return source nodes, arcs weighted in seconds (infinite where closed), limit."""
    nodes = _check(network, sources, limit_s, closed, speed_factor)
    indptr, indices, edge = network.arcs
    seconds = network.edge_seconds / np.asarray(speed_factor, dtype=float)
    if closed is not None and closed.any():
        seconds = np.where(closed, np.inf, seconds)
    graph = csr_array((seconds[edge], indices, indptr), shape=(network.n_nodes, network.n_nodes))
    return nodes, graph, np.inf if limit_s is None else float(limit_s)


def _check(
    network: RoadNetwork,
    sources: npt.ArrayLike,
    limit_s: float | None,
    closed: npt.NDArray[np.bool_] | None,
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
    factor = np.asarray(speed_factor, dtype=float)
    faults.check(
        factor.shape in {(), (network.n_edges,)}, "speed_factor must be one number or one for each edge"
    )
    faults.check(np.isfinite(factor).all() and (factor > 0).all(), "speed_factor must be above zero")
    faults.raise_as(InvalidInputError, "Travel times cannot be computed")
    return nodes.astype(np.int64)
