"""Whose incidents: each one shared among the outlets near it and the street, by walking distance.

An incident beside five bars is not five incidents. Within ``reach_m`` along the streets an outlet weighs

    w(d) = exp(-ln 2 * d / half_m),

half as much every ``half_m`` metres, and the street weighs ``street_weight`` whatever stands near: as much as
an outlet ``half_m * log2(1 / street_weight)`` metres away. Weights are divided by their sum, so each incident
is shared out once. As counts must stay counts, incidents are then drawn as whole numbers many times over
(:func:`allocate`), each drawing is analysed, and the analyses are pooled: to whom an incident belongs is
treated as what it is, not known.

Defaults. Violence around bars in Philadelphia is densest within 85 feet (26 m) and falls off from there
(Ratcliffe 2012, The Spatial Extent of Criminogenic Places: A Changepoint Regression of Violence around Bars,
Geographical Analysis 44, 302-320); drinking places weighted by street distance explain violence on a street
better than a plain count of those within some distance, at 400 to 2,800 feet, most at the short ones (Groff
2014, Quantifying the Exposure of Street Segments to Drinking Places Nearby, Journal of Quantitative
Criminology 30, 527-548). So an outlet's weight halves every 25 m. Police give the block, not the door: up to
half a block, some 50 m, an outlet should weigh more than the street, and beyond it less. That is a street of
weight 0.25. Both are choices.

All outlets pull alike here, and the street weighs the same everywhere. That hands a bar's incidents to its
neighbors: :mod:`models.outlet_sharing` starts from these shares and goes on by what is expected of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from errors import Faults, InvalidInputError
from geo import crs
from geo.near import near_pairs
from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

HALF_M = 25.0
REACH_M = 366.0
"""1,200 feet."""
STREET_WEIGHT = 0.25
DRAWS = 100
BUFFER_M = 121.92
"""400 feet, the buffer that is commonly drawn around an outlet."""
PREMISES_M = 15.0
"""An incident placed exactly and this near to the door is called on the premises. An assumption."""

Premises = Literal["on premises", "nearby", "not known"]


@dataclass(frozen=True, eq=False)
class Nearness:
    """Walking distances from the places of incidents to the doors in reach.

    Attributes
    ----------
    places
        (n_places, 2) distinct longitude and latitude, sorted.
    place_of_incident
        (n_incidents,) the place of each incident.
    door_order
        (n_doors,) doors from west to east; columns of ``sorted_metres`` are in this order, so that nothing
        depends on the order in which doors came.
    sorted_metres
        (n_places, n_doors) sparse, metres; not stored means out of reach.
    reach_m
        Metres beyond which an outlet has no share.
    """

    places: FloatArray
    place_of_incident: IntArray
    door_order: IntArray
    sorted_metres: csr_array
    reach_m: float

    @property
    def n_doors(self) -> int:
        """Number of doors."""
        return len(self.door_order)

    @cached_property
    def metres(self) -> csr_array:
        """(n_places, n_doors) sparse metres, doors in the order in which they came."""
        return _with_columns(self.sorted_metres, self.door_order)

    def count(self, chosen: BoolArray | None = None) -> IntArray:
        """(n_places,) number of incidents at each place; of the chosen ones only where they are given."""
        held = self.place_of_incident if chosen is None else self.place_of_incident[chosen]
        return np.bincount(held, minlength=len(self.places))


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of the incidents at each place: rows sum to one.

    Attributes
    ----------
    near
        The distances that the shares were made from.
    sorted_weights
        (n_places, n_doors + 1) sparse; columns as in ``near.door_order``, the street last.
    half_m
        Metres over which the weight of an outlet halves.
    """

    near: Nearness
    sorted_weights: csr_array
    half_m: float

    @property
    def n_doors(self) -> int:
        """Number of doors."""
        return self.near.n_doors

    @property
    def place_of_incident(self) -> IntArray:
        """(n_incidents,) the place of each incident."""
        return self.near.place_of_incident

    @cached_property
    def weights(self) -> csr_array:
        """(n_places, n_doors + 1) sparse, doors in the order in which they came, the street last."""
        return _with_columns(self.sorted_weights, np.append(self.near.door_order, self.n_doors))

    def count(self, chosen: BoolArray | None = None) -> IntArray:
        """(n_places,) number of incidents at each place; of the chosen ones only where they are given."""
        return self.near.count(chosen)

    def expected(self, counts_by_place: npt.ArrayLike) -> FloatArray:
        """(n_doors + 1,) mean of what :func:`allocate` draws: incidents times shares, the street last."""
        return np.asarray(np.asarray(counts_by_place, dtype=float) @ self.weights)


@dataclass(frozen=True, eq=False)
class Buffers:
    """Incidents within a straight distance of each door: the comparison, not the method.

    Attributes
    ----------
    counts
        (n_doors,) incidents within the radius; one near five doors is counted five times.
    near_any
        Incidents within the radius of at least one door.
    times_counted
        Mean number of doors for which each of those is counted.
    radius_m
        The radius in metres.
    """

    counts: IntArray
    near_any: int
    times_counted: float
    radius_m: float


def nearness(
    network: RoadNetwork,
    incident_lon: npt.ArrayLike,
    incident_lat: npt.ArrayLike,
    door_lon: npt.ArrayLike,
    door_lat: npt.ArrayLike,
    *,
    reach_m: float = REACH_M,
) -> Nearness:
    """Measure the walks from incidents to the doors in reach.

    Parameters
    ----------
    network
        The road network; nobody walks its freeways.
    incident_lon, incident_lat
        (n_incidents,) degrees.
    door_lon, door_lat
        (n_doors,) degrees, no two alike (:func:`models.attribution_doors.doors` merges those).
    reach_m
        Metres beyond which an outlet has no share.

    Raises
    ------
    InvalidInputError
        If a coordinate is missing or not in degrees, two doors stand at one place, or the reach is not above
        zero.
    """
    places, place_of_incident = _distinct(incident_lon, incident_lat)
    lon, lat = np.asarray(door_lon, dtype=float), np.asarray(door_lat, dtype=float)
    order = np.lexsort((lat, lon))
    alike = (np.diff(lon[order]) == 0) & (np.diff(lat[order]) == 0)
    faults = Faults()
    faults.check(not alike.any(), f"{int(alike.sum())} door(s) stand where another does; merge them first")
    faults.check(np.isfinite(reach_m) and reach_m > 0, "reach_m must be a number of metres above zero")
    faults.raise_as(InvalidInputError, "Incidents cannot be shared out")
    metres = near_pairs(network, places[:, 0], places[:, 1], lon[order], lat[order], limit_m=reach_m)
    return Nearness(places, place_of_incident, order.astype(np.int64), metres, reach_m)


def share(
    near: Nearness,
    *,
    half_m: float = HALF_M,
    street_weight: npt.ArrayLike = STREET_WEIGHT,
    pull: npt.ArrayLike | None = None,
) -> Shares:
    """Share each place's incidents among the doors in reach and the street.

    Parameters
    ----------
    near
        Distances from :func:`nearness`.
    half_m
        Metres over which the weight of an outlet halves.
    street_weight
        Weight of the street, where an outlet at no distance weighs one: one number, or (n_places,).
    pull
        (n_doors,) what each outlet's weight is multiplied by, zero or more; 1 when not given.

    Raises
    ------
    InvalidInputError
        If a setting is not above zero, or does not fit the places or doors.
    """
    street_of_place = np.asarray(street_weight, dtype=float)
    strength = np.ones(near.n_doors) if pull is None else np.asarray(pull, dtype=float)
    faults = Faults()
    faults.check(np.isfinite(half_m) and half_m > 0, "half_m must be a number of metres above zero")
    faults.check(
        street_of_place.shape in {(), (len(near.places),)}
        and np.isfinite(street_of_place).all()
        and (street_of_place > 0).all(),
        "street_weight must be above zero: one number, or one for each place",
    )
    faults.check(
        strength.shape == (near.n_doors,) and np.isfinite(strength).all() and (strength >= 0).all(),
        "pull must hold one number, zero or more, for each door",
    )
    faults.raise_as(InvalidInputError, "Incidents cannot be shared out")
    metres = near.sorted_metres
    n_places = len(near.places)
    # The street is the last column of every row: the rows grow by one each.
    indptr = metres.indptr.astype(np.int64) + np.arange(n_places + 1)
    street = indptr[1:] - 1
    weight = np.empty(indptr[-1])
    column = np.empty(indptr[-1], dtype=np.int32)
    door = np.ones(len(weight), dtype=np.bool_)
    door[street] = False
    weight[door] = np.exp2(-metres.data / half_m) * strength[near.door_order][metres.indices]
    column[door] = metres.indices
    weight[street] = street_of_place
    column[street] = near.n_doors
    number = np.diff(indptr)
    if n_places:
        weight /= np.repeat(np.add.reduceat(weight, indptr[:-1]), number)
    weights = csr_array((weight, column, indptr), shape=(n_places, near.n_doors + 1))
    return Shares(near, weights, half_m)


def share_by_distance(
    network: RoadNetwork,
    incident_lon: npt.ArrayLike,
    incident_lat: npt.ArrayLike,
    door_lon: npt.ArrayLike,
    door_lat: npt.ArrayLike,
    *,
    reach_m: float = REACH_M,
    half_m: float = HALF_M,
    street_weight: float = STREET_WEIGHT,
) -> Shares:
    """Measure and share in one step: :func:`nearness`, then :func:`share`."""
    near = nearness(network, incident_lon, incident_lat, door_lon, door_lat, reach_m=reach_m)
    return share(near, half_m=half_m, street_weight=street_weight)


def allocate(shares: Shares, counts_by_place: npt.ArrayLike, *, draws: int = DRAWS, seed: int) -> IntArray:
    """Draw whole incidents: each goes to one door or to the street, by its place's shares.

    Parameters
    ----------
    shares
        From :func:`share_by_distance`.
    counts_by_place
        (n_places,) incidents at each place, whole numbers, as ``shares.count(chosen)`` gives them.
    draws
        Number of drawings.
    seed
        Seed of the drawings. The same incidents and doors give the same counts, in whatever order they come.

    Returns
    -------
    counts
        (draws, n_doors + 1), doors in the order in which they came, the street last. Each drawing sums to
        the number of incidents.

    Raises
    ------
    InvalidInputError
        If the counts are not whole numbers, one for each place, or there is no drawing.
    """
    given = np.asarray(counts_by_place)
    faults = Faults()
    faults.check(draws >= 1, "draws must be at least one")
    faults.check(
        given.shape == (len(shares.near.places),)
        and np.issubdtype(given.dtype, np.integer)
        and (given >= 0).all(),
        "counts_by_place must hold one whole number, zero or more, for each place",
    )
    faults.raise_as(InvalidInputError, "Incidents cannot be drawn")
    weights, n_doors = shares.sorted_weights, shares.n_doors
    starts, ends = weights.indptr[:-1].astype(np.int64), weights.indptr[1:].astype(np.int64)
    alone = ends - starts == 1
    drawn = np.zeros((draws, n_doors + 1), dtype=np.int64)
    drawn[:, n_doors] = given[alone].sum()
    # One sorted list of all rows: row number + cumulative share, so that one search places all incidents.
    row = np.repeat(np.arange(len(starts)), ends - starts)
    summed = np.cumsum(weights.data)
    upper = row + np.clip(summed - (summed[starts] - weights.data[starts])[row], 0, 1)
    at = np.repeat(np.flatnonzero(~alone), given[~alone])
    # The street is a row's last entry and often the largest: what falls to it needs no search.
    street_from = upper[ends[at] - 2]
    rng = np.random.default_rng(seed)
    for draw in range(draws):
        thrown = at + rng.random(len(at))
        thrown = thrown[thrown < street_from]
        found = np.searchsorted(upper, thrown, side="right")
        drawn[draw] += np.bincount(weights.indices[found], minlength=n_doors + 1)
        drawn[draw, n_doors] += len(at) - len(thrown)
    counts_of = np.empty_like(drawn)
    counts_of[:, np.append(shares.near.door_order, n_doors)] = drawn
    return counts_of


def buffer_counts(
    network: RoadNetwork,
    incident_lon: npt.ArrayLike,
    incident_lat: npt.ArrayLike,
    door_lon: npt.ArrayLike,
    door_lat: npt.ArrayLike,
    *,
    radius_m: float = BUFFER_M,
) -> Buffers:
    """Count incidents within a straight distance of each door, as is commonly done.

    Parameters
    ----------
    network
        Gives the projected system to measure in.
    incident_lon, incident_lat, door_lon, door_lat
        (n_incidents,) and (n_doors,) degrees.
    radius_m
        Radius in metres.
    """
    places, place_of_incident = _distinct(incident_lon, incident_lat)
    count = np.bincount(place_of_incident, minlength=len(places))
    at, doors = (
        np.column_stack(crs.to_metres(lon, lat, network.epsg))
        for lon, lat in ((places[:, 0], places[:, 1]), (door_lon, door_lat))
    )
    if not len(at) or not len(doors):
        return Buffers(np.zeros(len(doors), dtype=np.int64), 0, 0.0, radius_m)
    counts, reached = np.zeros(len(doors), dtype=np.int64), np.zeros(len(at), dtype=np.bool_)
    for door, found in enumerate(cKDTree(at).query_ball_point(doors, radius_m)):
        within = np.array(found, dtype=np.int64)
        counts[door] = count[within].sum()
        reached[within] = True
    near_any = int(count[reached].sum())
    return Buffers(
        counts=counts,
        near_any=near_any,
        times_counted=float(counts.sum()) / near_any if near_any else 0.0,
        radius_m=radius_m,
    )


def premises(precision: Iterable[str], metres: npt.ArrayLike) -> list[Premises]:
    """Say how an incident lies to a door: never "on premises" for a point that stands for a block.

    Parameters
    ----------
    precision
        (n,) ``location_precision`` of each incident.
    metres
        (n,) walking metres to the door.
    """
    return [
        "not known" if known != "exact" else "on premises" if away <= PREMISES_M else "nearby"
        for known, away in zip(precision, np.asarray(metres, dtype=float), strict=True)
    ]


def _distinct(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    """Distinct places, sorted by longitude and latitude, and the place of each point."""
    frame = pd.DataFrame({"lon": np.asarray(lon, dtype=float), "lat": np.asarray(lat, dtype=float)})
    grouped = frame.groupby(["lon", "lat"], sort=True, dropna=False)
    places: FloatArray = grouped.first().index.to_frame(index=False).to_numpy(dtype=float)
    return places, np.asarray(grouped.ngroup(), dtype=np.int64)


def _with_columns(matrix: csr_array, column: IntArray) -> csr_array:
    """Return the same rows with column ``k`` at ``column[k]``."""
    moved = csr_array(
        (matrix.data.copy(), column[matrix.indices].astype(np.int32), matrix.indptr.copy()),
        shape=matrix.shape,
    )
    moved.sort_indices()
    return moved
