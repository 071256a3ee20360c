"""Join street pieces into a network: noded at crossings, corners tidied, one-ways that leave nobody stuck."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from data.demo.facts_io import FloatArray
from data.demo.grids import Pieces

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

CLASSES = (
    "residential",
    "unclassified",
    "motorway_link",
    "tertiary",
    "secondary",
    "primary",
    "trunk",
    "motorway",
)
"""Road classes from the least to the most important."""
SNAP_M = 0.5
"""Grid to which crossings are rounded."""
SAME_CORNER_M = 36.0
"""Corners nearer than this become one."""
LONGEST_M = 500.0
"""Streets without crossings get a corner at least this often, so that times are known along the way."""
STUB_M = 48.0
"""Dead ends shorter than this are dropped."""


@dataclass(frozen=True)
class Network:
    """Streets between corners.

    Attributes
    ----------
    xy
        (n_nodes, 2) corners, metres.
    u, v
        (n_edges,) corners at the ends.
    name, road_class, speed_kph, oneway
        (n_edges,) as in the table of streets.
    via
        (n_edges,) points between the ends, (k, 2) metres each, usually none.
    """

    xy: FloatArray
    u: IntArray
    v: IntArray
    name: npt.NDArray[np.object_]
    road_class: npt.NDArray[np.object_]
    speed_kph: FloatArray
    oneway: BoolArray
    via: tuple[FloatArray, ...]

    @property
    def rank(self) -> IntArray:
        """(n_edges,) importance of each edge's class."""
        return np.array([CLASSES.index(name) for name in self.road_class])

    def edges(self, wanted: BoolArray) -> "Network":
        """Keep some edges, and the corners at their ends."""
        chosen = np.flatnonzero(wanted)
        used, ends = np.unique(np.concatenate([self.u[chosen], self.v[chosen]]), return_inverse=True)
        return Network(
            xy=self.xy[used],
            u=ends[: len(chosen)],
            v=ends[len(chosen) :],
            name=self.name[chosen],
            road_class=self.road_class[chosen],
            speed_kph=self.speed_kph[chosen],
            oneway=self.oneway[chosen],
            via=tuple(self.via[i] for i in chosen),
        )

    @property
    def lines(self) -> npt.NDArray[np.object_]:
        """(n_edges,) shapely lines in metres."""
        points = [
            np.vstack([self.xy[a], p, self.xy[b]]) for a, b, p in zip(self.u, self.v, self.via, strict=True)
        ]
        index = np.repeat(np.arange(len(points)), [len(p) for p in points])
        return np.asarray(shapely.linestrings(np.vstack(points), indices=index))

    def components(self, *, strong: bool) -> IntArray:
        """(n_nodes,) the component of each corner, 0 the largest."""
        back = ~self.oneway
        tail = np.concatenate([self.u, self.v[back]])
        head = np.concatenate([self.v, self.u[back]])
        graph = coo_array((np.ones(len(tail)), (tail, head)), shape=(len(self.xy),) * 2).tocsr()
        _, label = connected_components(graph, directed=True, connection="strong" if strong else "weak")
        by_size = np.argsort(-np.bincount(label), kind="stable")
        return np.argsort(by_size)[label]


def node_pieces(pieces: Pieces) -> Network:
    """Cut the pieces where they cross or meet, and tidy the corners.

    Crossings are found with rounding to a grid (snap rounding, Hobby 1999), corners that all but coincide
    become one, and of two streets between the same corners the more important stays.
    """
    lines = np.asarray(shapely.linestrings(pieces.ends))
    noded = shapely.get_parts(shapely.unary_union(lines, grid_size=SNAP_M))
    points, index = shapely.get_coordinates(noded, return_index=True)
    step = index[:-1] == index[1:]
    ends = np.stack([points[:-1][step], points[1:][step]], axis=1)
    source = _source(ends, lines, pieces)
    rank = np.array([CLASSES.index(name) for name in pieces.road_class])[pieces.street[source]]

    xy, flat = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
    uv = _one_corner_each(xy, flat.reshape(-1, 2), rank)
    order = np.lexsort((-rank, uv.max(axis=1), uv.min(axis=1)))
    low, high = uv.min(axis=1)[order], uv.max(axis=1)[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    kept = np.sort(order[fresh & (low != high)])
    street = pieces.street[source[kept]]

    drawn = pieces.ends[source[kept], 1] - pieces.ends[source[kept], 0]
    run = xy[uv[kept, 1]] - xy[uv[kept, 0]]
    forward = (drawn * run).sum(axis=1) >= 0
    flip = forward == (pieces.oneway[street] < 0)
    network = Network(
        xy=xy,
        u=np.where(flip, uv[kept, 1], uv[kept, 0]),
        v=np.where(flip, uv[kept, 0], uv[kept, 1]),
        name=pieces.name[street],
        road_class=pieces.road_class[street],
        speed_kph=pieces.speed_kph[street],
        oneway=pieces.oneway[street] != 0,
        via=(np.empty((0, 2)),) * len(kept),
    )
    return _without_stubs(network)


def _source(ends: FloatArray, lines: npt.NDArray[np.object_], pieces: Pieces) -> IntArray:
    """Find for each noded piece the drawn piece it was cut from; the most important, then the first."""
    rank = np.array([CLASSES.index(name) for name in pieces.road_class])[pieces.street]
    tree = shapely.STRtree(lines)
    middle = shapely.points(ends.mean(axis=1))
    found, candidate = tree.query(middle, predicate="dwithin", distance=3 * SNAP_M)
    bearing = _bearing(ends)[found] - _bearing(pieces.ends)[candidate]
    askew = np.abs(np.sin(bearing)) > 0.3
    order = np.lexsort((candidate, -rank[candidate], askew, found))
    _, first = np.unique(found[order], return_index=True)
    source = np.full(len(ends), -1, dtype=np.int64)
    source[found[order][first]] = candidate[order][first]
    lost = np.flatnonzero(source < 0)
    source[lost] = tree.nearest(middle[lost])
    return source


def _bearing(ends: FloatArray) -> FloatArray:
    run = ends[:, 1] - ends[:, 0]
    return np.arctan2(run[:, 1], run[:, 0])


def _one_corner_each(xy: FloatArray, uv: IntArray, rank: IntArray) -> IntArray:
    """Move ends to one corner where several lie close; corners of important streets stay where they are."""
    weight = np.zeros(len(xy), dtype=np.int64)
    degree = np.bincount(uv.ravel(), minlength=len(xy))
    np.maximum.at(weight, uv.ravel(), np.repeat(rank, 2))
    near = cKDTree(xy).query_ball_point(xy, SAME_CORNER_M, return_sorted=True)
    corner = np.full(len(xy), -1, dtype=np.int64)
    for node in np.lexsort((np.arange(len(xy)), -degree, -weight)):
        if corner[node] < 0:
            close = np.array(near[node])
            corner[close[corner[close] < 0]] = node
    return corner[uv]


def _without_stubs(network: Network) -> Network:
    """Drop short dead ends and pieces that hang together with nothing, then merge corners on one street."""
    for _ in range(3):
        degree = np.bincount(np.concatenate([network.u, network.v]), minlength=len(network.xy))
        length = np.hypot(*(network.xy[network.u] - network.xy[network.v]).T)
        dead = (degree[network.u] == 1) | (degree[network.v] == 1)
        network = network.edges(~(dead & (length < STUB_M)))
    return network


def largest_piece(network: Network) -> Network:
    """Keep what hangs together by street."""
    main = network.components(strong=False) == 0
    return network.edges(main[network.u])


def straighten(network: Network) -> Network:
    """Make one street of two that meet where nothing else does, under the same name and rules."""
    ends = np.concatenate([network.u, network.v])
    degree = np.bincount(ends, minlength=len(network.xy))
    order = np.argsort(ends, kind="stable")
    start = np.searchsorted(ends[order], np.arange(len(network.xy)))
    u, v = network.u.copy(), network.v.copy()
    via = list(network.via)
    alive = np.ones(len(u), dtype=bool)
    moved = np.arange(len(u))
    length = shapely.length(network.lines)

    for node in np.flatnonzero(degree == 2):
        one, two = (_root(moved, int(e) % len(network.u)) for e in order[start[node] : start[node] + 2])
        if one == two or not _same_street(network, one, two) or length[one] + length[two] > LONGEST_M:
            continue
        # Turn both so that the way runs one -> node -> two.
        if v[one] != node:
            if network.oneway[one]:
                one, two = two, one
            if v[one] != node:
                u[one], v[one], via[one] = v[one], u[one], via[one][::-1]
        if u[two] != node:
            if network.oneway[two]:
                continue
            u[two], v[two], via[two] = v[two], u[two], via[two][::-1]
        if v[one] != node or u[one] == v[two]:
            continue
        via[one] = np.vstack([via[one], network.xy[node], via[two]])
        v[one] = v[two]
        length[one] += length[two]
        alive[two] = False
        moved[two] = one
    joined = replace(network, u=u, v=v, via=tuple(via))
    return joined.edges(alive)


def _root(moved: IntArray, edge: int) -> int:
    while moved[edge] != edge:
        edge = int(moved[edge])
    return edge


def _same_street(network: Network, one: int, two: int) -> bool:
    return bool(
        network.name[one] == network.name[two]
        and network.road_class[one] == network.road_class[two]
        and network.oneway[one] == network.oneway[two]
    )


def free_the_stuck(network: Network) -> Network:
    """Make one-way streets two-way where they keep a corner from reaching, or being reached by, the rest."""
    street = ~np.isin(network.road_class, ["motorway", "motorway_link"])
    for _ in range(20):
        label = network.components(strong=True)
        stuck = network.oneway & street & ((label[network.u] != 0) | (label[network.v] != 0))
        if not stuck.any():
            break
        network = replace(network, oneway=network.oneway & ~stuck)
    return network
