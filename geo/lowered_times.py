"""Driving times after some streets became faster: only what changes is searched anew."""

import heapq

import numpy as np
import numpy.typing as npt

from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST_S = 1e-3
"""Gains of less than this are rounding: fields are kept in single precision."""


def lowered_times(
    network: RoadNetwork, field_s: npt.ArrayLike, edge_s: FloatArray, faster: npt.ArrayLike
) -> tuple[IntArray, FloatArray]:
    """Find the nodes that are reached sooner once some streets are faster.

    Dijkstra's search from the ends of the faster streets, which goes on only where it gains (Ramalingam and
    Reps 1996, "An incremental algorithm for a generalization of the shortest-path problem", Journal of
    Algorithms 21:267-305, for costs that only fall).

    Parameters
    ----------
    network
        The road network.
    field_s
        (n_nodes,) seconds to each node while those streets were slower, infinite where it was not reached;
        see `geo.travel_time.nearest_times`.
    edge_s
        (n_edges,) seconds to drive each street now, infinite where it is shut.
    faster
        The streets that became faster.

    Returns
    -------
    nodes, seconds
        (k,) nodes that are reached sooner, and when.
    """
    indptr, indices, edge_of_arc = network.arcs
    before = np.asarray(field_s, dtype=np.float64)
    found: dict[int, float] = {}
    heap: list[tuple[float, int]] = []

    def offer(at_s: float, to: int) -> None:
        if at_s < found.get(to, before[to]) - LEAST_S:
            found[to] = at_s
            heapq.heappush(heap, (at_s, to))

    for edge in np.asarray(faster, dtype=np.int64).tolist():
        u, v, seconds = int(network.edge_u[edge]), int(network.edge_v[edge]), float(edge_s[edge])
        offer(float(before[u]) + seconds, v)
        if not network.oneway[edge]:
            offer(float(before[v]) + seconds, u)
    while heap:
        at_s, node = heapq.heappop(heap)
        if at_s > found[node]:
            continue
        for arc in range(indptr[node], indptr[node + 1]):
            offer(at_s + float(edge_s[edge_of_arc[arc]]), int(indices[arc]))
    nodes = np.fromiter(found, dtype=np.int64, count=len(found))
    return nodes, np.fromiter(found.values(), dtype=np.float64, count=len(found))
