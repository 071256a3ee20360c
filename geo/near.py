"""Walking metres along streets between two sets of places, for the pairs that lie near each other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from errors import Faults, InvalidInputError
from geo import crs
from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NOT_WALKED = frozenset({"motorway", "motorway_link", "Freeway"})
"""Road classes that nobody walks: no place lies on them and no way leads along them."""

LEAST_PIECE = 0.001
"""Walkable streets in pieces shorter than this share of the longest piece are left out: a place beside an
island of two corners in the tables would otherwise be near nothing."""

LEAST_M = 0.01
"""No stored distance is smaller: a sparse matrix must not lose two places that are one."""

BATCH_NUMBERS = 4_000_000
BATCH_PLACES = 128


@dataclass(frozen=True, eq=False)
class OnStreet:
    """Places put on the nearest walkable street.

    Attributes
    ----------
    edge
        (n,) edge of the network.
    along_m
        (n,) metres from the edge's first end ``edge_u``, in terms of its ``length_m``.
    off_m
        (n,) metres from the place straight to the street.
    xy_m
        (n, 2) the place itself in metres, in the network's ``epsg``.
    """

    edge: IntArray
    along_m: FloatArray
    off_m: FloatArray
    xy_m: FloatArray

    def __len__(self) -> int:
        return len(self.edge)


def walkable(network: RoadNetwork) -> BoolArray:
    """(n_edges,) True for streets that are walked: no freeways, no ramps, no stray pieces."""
    unwalked = np.array([name in NOT_WALKED for name in network.classes])
    walked = ~unwalked[network.edge_class]
    u, v = network.edge_u[walked], network.edge_v[walked]
    graph = csr_array((np.ones(len(u), dtype=np.int8), (u, v)), shape=(network.n_nodes,) * 2)
    _, piece = connected_components(graph, directed=False)
    metres = np.bincount(piece[u], weights=network.length_m[walked], minlength=network.n_nodes)
    walked[walked] = metres[piece[u]] >= LEAST_PIECE * metres.max(initial=0.0)
    return walked


def on_street(network: RoadNetwork, lon: npt.ArrayLike, lat: npt.ArrayLike) -> OnStreet:
    """Put places on the nearest walkable street.

    Parameters
    ----------
    lon, lat
        (n,) degrees.

    Raises
    ------
    InvalidInputError
        If a coordinate is missing or not in degrees, the two differ in shape, or no street can be walked.
    """
    lon_array, lat_array = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    kept = np.flatnonzero(walkable(network))
    faults = Faults()
    faults.check(
        lon_array.ndim == 1 and lon_array.shape == lat_array.shape,
        "longitude and latitude must be two lists of equal length",
    )
    faults.check(np.isfinite(lon_array).all() and np.isfinite(lat_array).all(), "a coordinate is missing")
    faults.check(
        not (np.abs(lon_array) > 180).any() and not (np.abs(lat_array) > 90).any(),
        "a coordinate is not longitude and latitude in degrees (EPSG:4326)",
    )
    faults.check(len(kept), "the network has no street that can be walked")
    faults.raise_as(InvalidInputError, "Places cannot be put on streets")
    xy = np.column_stack(crs.to_metres(lon_array, lat_array, network.epsg))
    points = shapely.points(xy)
    edge = kept[shapely.STRtree(network.lines_m[kept]).nearest(points)]
    lines = network.lines_m[edge]
    # A line without length (both ends at one spot) has no fraction: its places stand at its start.
    share = np.nan_to_num(shapely.line_locate_point(lines, points, normalized=True))
    share = np.where(_backwards(network)[edge], 1 - share, share)
    return OnStreet(
        edge=edge,
        along_m=share * network.length_m[edge],
        off_m=np.asarray(shapely.distance(lines, points), dtype=float),
        xy_m=xy,
    )


def _backwards(network: RoadNetwork) -> BoolArray:
    """(n_edges,) True for edges whose line is drawn from ``edge_v`` to ``edge_u``."""
    points, line = shapely.get_coordinates(network.lines_m, return_index=True)
    starts = points[np.searchsorted(line, np.arange(network.n_edges))]
    from_u, from_v = (
        np.hypot(*(network.node_xy_m[ends] - starts).T) for ends in (network.edge_u, network.edge_v)
    )
    return np.asarray(from_v < from_u, dtype=np.bool_)


def along_streets(network: RoadNetwork, *, step_m: float) -> tuple[OnStreet, FloatArray]:
    """Put points at even steps on all walkable streets, to add things up along them.

    Parameters
    ----------
    step_m
        Metres between points at most; every street has one at least.

    Returns
    -------
    points, metres
        The points, in the middle of their piece of street, and (n,) metres of each piece.

    Raises
    ------
    InvalidInputError
        If the step is not above zero.
    """
    if not (np.isfinite(step_m) and step_m > 0):
        raise InvalidInputError("step_m must be a number of metres above zero")
    kept = np.flatnonzero(walkable(network))
    length = network.length_m[kept]
    pieces = np.maximum(np.ceil(length / step_m), 1).astype(np.int64)
    edge = np.repeat(kept, pieces)
    number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    along_m = (number + 0.5) * np.repeat(length / pieces, pieces)
    share = along_m / np.maximum(network.length_m[edge], LEAST_M)
    share = np.where(_backwards(network)[edge], 1 - share, share)
    at = shapely.line_interpolate_point(network.lines_m[edge], share, normalized=True)
    points = OnStreet(edge, along_m, np.zeros(len(edge)), shapely.get_coordinates(at))
    return points, np.repeat(length / pieces, pieces)


def near_pairs(
    network: RoadNetwork,
    from_lon: npt.ArrayLike,
    from_lat: npt.ArrayLike,
    to_lon: npt.ArrayLike,
    to_lat: npt.ArrayLike,
    *,
    limit_m: float,
) -> csr_array:
    """Measure the walk between each pair of places that are at most ``limit_m`` apart.

    A place is put on the nearest walkable street. The way is the straight one to the street, then along
    streets in either direction (one-ways do not bind who walks), then straight to the other place. Two
    places on one street between two corners may also be joined by the straight line between them.

    Parameters
    ----------
    network
        The road network; classes in ``NOT_WALKED`` are left out.
    from_lon, from_lat, to_lon, to_lat
        (n_from,) and (n_to,) degrees. Merge equal places first: each is searched or joined by itself.
    limit_m
        Pairs farther apart are not stored.

    Returns
    -------
    metres
        (n_from, n_to) sparse rows, column indices in order; at least ``LEAST_M`` each. Not stored means
        farther than ``limit_m``.

    Raises
    ------
    InvalidInputError
        If a coordinate is missing or not in degrees, or the limit is not above zero.
    """
    if not (np.isfinite(limit_m) and limit_m > 0):
        raise InvalidInputError("limit_m must be a number of metres above zero")
    return pairs_on_streets(
        network,
        on_street(network, from_lon, from_lat),
        on_street(network, to_lon, to_lat),
        limit_m=limit_m,
    )


def pairs_on_streets(
    network: RoadNetwork, from_places: OnStreet, to_places: OnStreet, *, limit_m: float
) -> csr_array:
    """As :func:`near_pairs`, for places that are on streets already."""
    # One search a place: search from the side with fewer of them.
    turned = len(from_places) < len(to_places)
    many, few = (to_places, from_places) if turned else (from_places, to_places)
    found_many, found_few, found_m = _pairs(network, many, few, limit_m)
    rows, columns = (found_few, found_many) if turned else (found_many, found_few)
    metres = csr_array((found_m, (rows, columns)), shape=(len(from_places), len(to_places)))
    metres.sort_indices()
    return metres


def _pairs(
    network: RoadNetwork, many: OnStreet, few: OnStreet, limit_m: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], FloatArray]:
    """Pairs within the limit: index into ``many``, index into ``few``, metres."""
    walked = walkable(network)
    order = np.argsort(many.edge, kind="stable").astype(np.int32)
    held, first, count = np.unique(many.edge[order], return_index=True, return_counts=True)
    beside = np.tile(np.arange(len(held)), 2)
    corners = np.concatenate([network.edge_u[held], network.edge_v[held]])
    at_corner = csr_array((np.ones(len(corners)), (corners, beside)), shape=(network.n_nodes, len(held)))
    batch = max(1, min(BATCH_PLACES, BATCH_NUMBERS // network.n_nodes))
    found: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], FloatArray]] = [
        (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32), np.empty(0))
    ]
    for start in range(0, len(few) if len(held) else 0, batch):
        chosen = np.arange(start, min(start + batch, len(few)))
        field = _fields(network, walked, few, chosen, limit_m)
        # Along a street longer than the limit neither corner need be in reach of a place beside another.
        own = np.minimum(np.searchsorted(held, few.edge[chosen]), len(held) - 1)
        same_street = np.flatnonzero(held[own] == few.edge[chosen])
        own_street = csr_array(
            (np.ones(len(same_street)), (same_street, own[same_street])), shape=(len(chosen), len(held))
        )
        source, at = (csr_array(np.isfinite(field)) @ at_corner + own_street).nonzero()
        number = count[at]
        steps = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        place = order[np.repeat(first[at], number) + steps]
        source = np.repeat(source, number)
        edge, along = many.edge[place], many.along_m[place]
        metres = np.minimum(
            field[source, network.edge_u[edge]] + along,
            field[source, network.edge_v[edge]] + (network.length_m[edge] - along),
        )
        metres += many.off_m[place]
        same = np.flatnonzero(edge == few.edge[chosen][source])
        here, there = place[same], chosen[source[same]]
        apart = many.xy_m[here] - few.xy_m[there]
        along_street = np.abs(along[same] - few.along_m[there]) + many.off_m[here] + few.off_m[there]
        straight = np.hypot(apart[:, 0], apart[:, 1])
        metres[same] = np.minimum(metres[same], np.minimum(along_street, straight))
        kept = metres <= limit_m
        found.append((place[kept], chosen[source[kept]].astype(np.int32), np.maximum(metres[kept], LEAST_M)))
    many_index, few_index, metres = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return many_index, few_index, metres


def _fields(
    network: RoadNetwork, walked: BoolArray, places: OnStreet, chosen: IntArray, limit_m: float
) -> FloatArray:
    """(n_chosen, n_nodes) walking metres from each chosen place to each corner, infinite beyond the limit."""
    u, v, length = network.edge_u[walked], network.edge_v[walked], network.length_m[walked]
    edge, along, off = places.edge[chosen], places.along_m[chosen], places.off_m[chosen]
    # Each place is a node of its own, with an arc to either end of its street.
    own = network.n_nodes + np.arange(len(chosen))
    tail = np.concatenate([u, v, own, own])
    head = np.concatenate([v, u, network.edge_u[edge], network.edge_v[edge]])
    metres = np.concatenate([length, length, off + along, off + network.length_m[edge] - along])
    n = network.n_nodes + len(chosen)
    order = np.argsort(tail, kind="stable")
    indptr = np.zeros(n + 1, dtype=np.int32)
    np.cumsum(np.bincount(tail, minlength=n), out=indptr[1:])
    graph = csr_array((metres[order], head[order].astype(np.int32), indptr), shape=(n, n))
    field: FloatArray = dijkstra(graph, indices=own, limit=limit_m)[:, : network.n_nodes]
    return field
