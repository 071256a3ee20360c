"""Clusters of places that stand close together along the streets: HDBSCAN over network distance.

HDBSCAN (Campello, Moulavi and Sander 2013, PAKDD, LNCS 7819; scikit-learn's) takes the distance between two
places as at least the distance at which each of them has ``min_samples`` places around it, itself included,
joins places from near to far, and keeps the groups that last longest while the distance shrinks.

Distances are those of the streets and known only up to ``at_most_m``: a cluster never has a wider gap. The
search is over sparse neighbours. A hub of ``min_cluster_size`` made-up places, ``at_most_m`` away from every
real one, joins what the streets leave apart; it takes no part in any cluster of real places.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array, csr_array
from shapely.geometry.base import BaseGeometry

from errors import Faults, InvalidInputError
from geo import crs

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

QUESTION = "Where do they stand close together along the streets?"
NOT_ASKED = (
    "A cluster says where places are dense, not that any of them does harm, nor why they stand there. "
    "A place outside all clusters is not a better place."
)
FLOOR_M = 10.0
"""Two doors nearer than this count as this far apart: addresses are not placed more exactly."""
HULL_MARGIN_M = 25.0
"""How far a cluster's outline runs outside its outermost places."""
NOISE = -1


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of places, the largest first.

    Attributes
    ----------
    label
        (n,) number of the cluster from 0, -1 where a place is in none.
    strength
        (n,) 0 to 1: how deep a place lies in its cluster, 0 where in none.
    size
        (n_clusters,) places in each.
    hull
        (n_clusters,) outline in degrees, EPSG:4326.
    words
        What was asked, of how many places, and what was found.
    """

    label: IntArray
    strength: FloatArray
    size: IntArray
    hull: npt.NDArray[np.object_]
    words: str

    @property
    def share(self) -> float:
        """Share of the places that are in a cluster; NaN where there are no places."""
        return float((self.label != NOISE).mean()) if len(self.label) else float("nan")


@dataclass(frozen=True)
class ClusteredByChance:
    """Share of places in clusters, beside the share among as many places put on the streets at random.

    Attributes
    ----------
    share
        Share of the places.
    by_chance, low, high
        Median and limits of the share among random places.
    p_value
        ``(1 + number of random sets with at least this share) / (sets + 1)``.
    """

    share: float
    by_chance: float
    low: float
    high: float
    p_value: float


def outlet_clusters(
    metres: csr_array,
    lon: FloatArray,
    lat: FloatArray,
    *,
    at_most_m: float,
    min_cluster_size: int = 10,
    min_samples: int = 5,
) -> Clusters:
    """Find clusters.

    Parameters
    ----------
    metres
        (n, n) network metres between places, each pair within ``at_most_m`` stored, zeros too. Two places
        with nothing stored are farther apart. The same both ways; where one alone is stored it counts.
    lon, lat
        (n,) degrees.
    at_most_m
        Distance beyond which places are never one cluster.
    min_cluster_size
        Fewest places that are a cluster, at least 2.
    min_samples
        Places that must be around a place, itself included, for it to be dense; at most ``min_cluster_size``.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    _check(metres, lon, lat, at_most_m, min_cluster_size, min_samples)
    # Of equal distances the search takes the first it meets: a fixed order makes that always the same one.
    order = np.lexsort((lat, lon))
    label, strength = np.empty(len(lon), dtype=np.int64), np.empty(len(lon))
    label[order], strength[order] = _label(metres[order][:, order], at_most_m, min_cluster_size, min_samples)
    label = _number_by_size(label, lon, lat)
    size = np.bincount(label[label != NOISE], minlength=label.max(initial=NOISE) + 1).astype(np.int64)
    hull = np.array([_hull(lon[label == k], lat[label == k]) for k in range(len(size))], dtype=object)
    inside = int(size.sum())
    words = (
        f"{inside:,} of {len(label):,} places stand in {len(size):,} clusters of at least "
        f"{min_cluster_size}; no cluster has a gap of {at_most_m:,.0f} m of street."
    )
    return Clusters(label, strength, size, hull, words)


def clustered_by_chance(
    clusters: Clusters,
    random_metres: Iterable[csr_array],
    *,
    at_most_m: float,
    min_cluster_size: int = 10,
    min_samples: int = 5,
    level: float = 0.95,
) -> ClusteredByChance:
    """Ask whether the streets alone would cluster as many: compare with places put on them at random.

    Parameters
    ----------
    random_metres
        For each set of as many random places as there are real ones, their distances as `outlet_clusters`
        takes them; at least 19 sets.

    Raises
    ------
    InvalidInputError
        When there are too few sets or a set differs in number.
    """
    faults = Faults()
    shares: list[float] = []
    for metres in random_metres:
        if metres.shape != (len(clusters.label),) * 2:
            faults.add("each random set needs as many places as the real one")
            break
        label, _ = _label(metres, at_most_m, min_cluster_size, min_samples)
        shares.append(float((label != NOISE).mean()))
    faults.check(len(shares) >= 19, "give at least 19 random sets of places, at least one")
    faults.raise_as(InvalidInputError, "Clusters cannot be compared with chance")
    found, tail = np.array(shares), (1 - level) / 2
    low, middle, high = np.quantile(found, [tail, 0.5, 1 - tail])
    p_value = (1 + int((found >= clusters.share).sum())) / (len(found) + 1)
    return ClusteredByChance(clusters.share, float(middle), float(low), float(high), p_value)


def _label(
    metres: csr_array, at_most_m: float, min_cluster_size: int, min_samples: int
) -> tuple[IntArray, FloatArray]:
    """Labels as scikit-learn numbers them, and strengths; the hub's own cluster is taken out."""
    n = metres.shape[0]
    if n < min_cluster_size:
        return np.full(n, NOISE, dtype=np.int64), np.zeros(n)
    from sklearn.cluster import HDBSCAN

    # copy=True: scikit-learn writes reachability into the matrix it is given.
    search = HDBSCAN(
        metric="precomputed",
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        algorithm="brute",
        copy=True,
    )
    search.fit(_with_hub(metres, at_most_m, min_cluster_size))
    found = np.asarray(search.labels_, dtype=np.int64)
    label, hub = found[:n].copy(), found[n:]
    strength = np.asarray(search.probabilities_[:n], dtype=np.float64)
    # A place with too few around it is as far from its neighbours as from the hub, and may fall to either.
    around = np.diff(metres.indptr) + (metres.diagonal() == 0)
    label[np.isin(label, hub) | (around < min_samples)] = NOISE
    return label, np.where(label == NOISE, 0.0, strength)


def _with_hub(metres: csr_array, at_most_m: float, hub_size: int) -> csr_array:
    """Distances floored and capped, with the hub's rows and columns and an explicit diagonal."""
    n = metres.shape[0]
    floored = csr_array((np.maximum(metres.data, FLOOR_M), metres.indices, metres.indptr), shape=(n, n))
    pairs = floored.maximum(floored.T).tocoo()
    near = (pairs.row != pairs.col) & (pairs.data < at_most_m)
    row, col = pairs.row[near].astype(np.int64), pairs.col[near].astype(np.int64)
    distance = pairs.data[near].astype(np.float64)
    real, hub = np.arange(n), n + np.arange(hub_size)
    to_real, to_hub = np.repeat(real, hub_size), np.tile(hub, n)
    first, second = np.divmod(np.arange(hub_size * hub_size), hub_size)
    within = first != second
    everyone = np.arange(n + hub_size)
    rows = np.concatenate([row, to_real, to_hub, n + first[within], everyone])
    cols = np.concatenate([col, to_hub, to_real, n + second[within], everyone])
    data = np.concatenate(
        [
            distance,
            np.full(2 * n * hub_size, at_most_m),
            np.full(int(within.sum()), FLOOR_M),
            np.zeros(n + hub_size),
        ]
    )
    return coo_array((data, (rows, cols)), shape=(n + hub_size,) * 2).tocsr()


def _number_by_size(label: IntArray, lon: FloatArray, lat: FloatArray) -> IntArray:
    """Give clusters numbers from the largest, equal ones from west to east: input order plays no part."""
    found = np.unique(label[label != NOISE])
    keys = [
        (-int((label == k).sum()), float(lon[label == k].min()), float(lat[label == k].min())) for k in found
    ]
    numbered = np.full_like(label, NOISE)
    for number, position in enumerate(sorted(range(len(found)), key=keys.__getitem__)):
        numbered[label == found[position]] = number
    return numbered


def _hull(lon: FloatArray, lat: FloatArray) -> BaseGeometry:
    epsg = crs.utm_epsg(lon, lat)
    points = shapely.MultiPoint(np.column_stack(crs.to_metres(lon, lat, epsg)))
    return crs.geometry_to_degrees(points.convex_hull.buffer(HULL_MARGIN_M), epsg)


def _check(  # noqa: PLR0917
    metres: csr_array, lon: FloatArray, lat: FloatArray, at_most_m: float, min_size: int, min_samples: int
) -> None:
    faults = Faults()
    n = len(lon)
    faults.check(metres.shape == (n, n), f"distances must be ({n}, {n}), one row and column a place")
    faults.check(len(lat) == n, "longitude and latitude differ in number")
    faults.check(
        np.isfinite(lon).all() and np.isfinite(lat).all(),
        "some places have no coordinates; leave them out and say how many",
    )
    faults.check(at_most_m > FLOOR_M, f"at_most_m must be above {FLOOR_M:.0f} m")
    faults.check(min_size >= 2, "a cluster needs at least 2 places")
    faults.check(1 <= min_samples <= min_size, "min_samples lies between 1 and the smallest cluster")
    data = metres.data
    faults.check(np.isfinite(data).all() and (data >= 0).all(), "a distance is missing or negative")
    if metres.shape == (n, n):
        stored = csr_array((np.ones(metres.nnz), metres.indices, metres.indptr), shape=(n, n))
        apart = abs(metres - metres.T) * stored * stored.T
        faults.check(apart.nnz == 0 or float(apart.max()) < 0.1, "distances must be the same both ways")
    faults.raise_as(InvalidInputError, "Clusters cannot be found")
