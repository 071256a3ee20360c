"""Network cross-K of outlets and incidents (Okabe and Yamada 2001), tested by relabelling.

``K(r) = |L| / (n_o n_c) * (pairs of an outlet and an incident within r metres of street)``, with ``|L|``
metres of street, ``n_o`` outlets, ``n_c`` incidents (Okabe and Yamada 2001, *Geographical Analysis* 33, 271
to 290). Where incidents fall on the streets without regard to outlets, its mean is the mean length of street
within r of an outlet: 2 r on one long street.

That mean depends on how dense the streets are around outlets, so the curve is not read against 2 r but
against labels drawn again at random. What is relabelled decides what is asked:

- **kinds**: which of all incidents are the ones in question. "Are these incidents nearer to outlets than
  other incidents are?" Streets, crowds and outlets stay as they are.
- **outlets**: which of several places are the outlets in question. "Do incidents gather nearer to these
  outlets than to the other places?" With other outlets as places it compares kinds of outlet.
- **streets**: the same with random points of the streets. "Do incidents gather nearer to outlets than to any
  point of the streets?" Nearly always yes: both stand where people are. Shown, not concluded from.

Under each null every labelling is equally likely, so the test is exact. The envelope is global: under the
null the whole curve leaves it with probability at most 1 - level, unlike envelopes made radius by radius. It
orders curves by extreme rank length (Myllymaki, Mrkvicka, Grabarnik, Seijo and Hahn 2017, *Journal of the
Royal Statistical Society B* 79, 381-404).
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_array
from scipy.stats import rankdata

from errors import Faults, InvalidInputError
from geo import crs
from geo.near import on_street, pairs_on_streets, walkable
from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Null = Literal["kinds", "outlets", "streets"]

QUESTIONS: dict[Null, str] = {
    "kinds": "Are these incidents nearer to outlets than other incidents are?",
    "outlets": "Do incidents gather nearer to these outlets than to the other places?",
    "streets": "Do incidents gather nearer to outlets than to any point of the streets?",
}
SIMULATIONS = 999


@dataclass(frozen=True, eq=False)
class CrossK:
    """A cross-K curve and what relabelling leaves to chance.

    Attributes
    ----------
    radii_m
        (n_radii,) metres.
    k
        (n_radii,) observed, in metres.
    middle, low, high
        (n_radii,) mean of the relabelled curves, and their global envelope.
    p_value
        Of the whole curve at once, both sides.
    level
        Of the envelope.
    simulations
        Curves drawn.
    null
        What was relabelled.
    outlets, incidents
        How many.
    """

    radii_m: FloatArray
    k: FloatArray
    middle: FloatArray
    low: FloatArray
    high: FloatArray
    p_value: float
    level: float
    simulations: int
    null: Null
    outlets: int
    incidents: int

    @property
    def question(self) -> str:
        """What the test asks."""
        return QUESTIONS[self.null]

    @property
    def answer(self) -> str:
        """One sentence with the p-value and where the curve leaves the envelope."""
        told = f"p = {self.p_value:.3f}, {self.simulations:,} relabellings, {self.level:.0%} global envelope"
        if self.p_value > round(1 - self.level, 9):
            return f"No more than chance explains ({told})."
        sides = (("more pairs", self.k > self.high), ("fewer pairs", self.k < self.low))
        found = [
            f"{word} than chance gives from {self.radii_m[where].min():,.0f} to "
            f"{self.radii_m[where].max():,.0f} m"
            for word, where in sides
            if where.any()
        ]
        return f"More than chance explains ({told}): {' and '.join(found) or 'the whole curve is unusual'}."


@dataclass(frozen=True, eq=False)
class StreetPoints:
    """Random points of the streets.

    Attributes
    ----------
    lon, lat
        (n,) degrees.
    street_m
        Metres of street on which they were put.
    """

    lon: FloatArray
    lat: FloatArray
    street_m: float


@dataclass(frozen=True, eq=False)
class Envelope:
    """A global envelope of curves and the test of the first.

    Attributes
    ----------
    low, high
        (n_radii,) limits.
    p_value
        Share of curves at least as extreme as the first.
    """

    low: FloatArray
    high: FloatArray
    p_value: float


def cross_k(
    metres: csr_array,
    incidents: npt.ArrayLike,
    *,
    radii_m: npt.ArrayLike,
    street_m: float,
    others: npt.ArrayLike | None = None,
    places: csr_array | None = None,
    places_are: Literal["outlets", "streets"] = "outlets",
    simulations: int = SIMULATIONS,
    level: float = 0.95,
    seed: int = 1,
) -> CrossK:
    """Give the curve with its envelope and p-value.

    Parameters
    ----------
    metres
        (n_outlets, n_points) network metres from outlets to points, each pair within the last radius stored,
        zeros too.
    incidents
        (n_points,) incidents in question at each point, whole numbers.
    radii_m
        (n_radii,) rising, above zero.
    street_m
        Metres of street.
    others
        (n_points,) other incidents at each point: relabels kinds of incident.
    places
        (n_places, n_points) metres from other places to the points: relabels places. Exactly one of the two.
    places_are
        Other outlets, or random points of the streets: ten times the outlets or more of `street_points`, both
        measured by `metres_along_streets`.
    simulations
        Labellings drawn.
    seed
        The same seed draws the same labellings.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    count = np.asarray(incidents)
    radii = np.asarray(radii_m, dtype=np.float64)
    other = None if others is None else np.asarray(others)
    _check(metres, count, radii, street_m, other, places, simulations, level)
    rng = np.random.default_rng(seed)
    n_outlets, n_incidents = metres.shape[0], int(count.sum())
    if other is not None:
        # Pairs each incident adds at each radius; labels are drawn among all incidents, point by point.
        weight = _pairs_by_point(metres, radii)
        curves = _kinds_drawn(weight, (count + other).astype(np.int64), n_incidents, simulations, rng)
        seen = count @ weight
        null: Null = "kinds"
    else:
        assert places is not None  # noqa: S101 - _check asks for one of the two
        weight = np.vstack([_pairs_by_place(part, count, radii) for part in (metres, places)])
        curves = _places_drawn(weight, n_outlets, simulations, rng)
        seen = weight[:n_outlets].sum(axis=0)
        null = places_are
    scale = street_m / (n_outlets * n_incidents)
    all_curves = np.vstack([seen, curves]) * scale
    envelope = global_envelope(all_curves, level=level)
    return CrossK(
        radii_m=radii,
        k=all_curves[0],
        middle=all_curves[1:].mean(axis=0),
        low=envelope.low,
        high=envelope.high,
        p_value=envelope.p_value,
        level=level,
        simulations=simulations,
        null=null,
        outlets=n_outlets,
        incidents=n_incidents,
    )


def global_envelope(curves: FloatArray, *, level: float = 0.95) -> Envelope:
    """Global envelope by extreme rank length, two-sided.

    At each radius a curve's rank is the smaller of its ranks from below and from above, ties at their mean.
    A curve's ranks, sorted, are compared as words are in a dictionary; the first is the most extreme. The
    p-value is the share of curves at least as extreme as the first row; the envelope runs around all curves
    but the most extreme share ``1 - level``.

    Parameters
    ----------
    curves
        (1 + n_simulations, n_radii), the observed one first.
    """
    n = len(curves)
    rank = rankdata(curves, method="average", axis=0)
    words = np.sort(np.minimum(rank, n + 1 - rank), axis=1)
    _, place = np.unique(words, axis=0, return_inverse=True)
    # np.unique sorts rows as words, so that a lower place is more extreme; ties share one.
    place = place.ravel()
    at_least_as_extreme = np.cumsum(np.bincount(place))[place]
    # 1 - 0.8 is a little less than a fifth: counts are compared with what is meant.
    kept = curves[at_least_as_extreme > round((1 - level) * n, 9)]
    return Envelope(kept.min(axis=0), kept.max(axis=0), float(at_least_as_extreme[0] / n))


def metres_along_streets(
    network: RoadNetwork,
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    point_lon: npt.ArrayLike,
    point_lat: npt.ArrayLike,
    *,
    limit_m: float,
) -> csr_array:
    """Measure from places to points, each place moved onto its street.

    Random points lie on the streets, doors beside them: without the move every door would look farther from
    everything than a random point, and the null ``streets`` would not be fair.

    Returns
    -------
    metres
        (n_places, n_points) as `geo.near.near_pairs` gives them.
    """
    placed = on_street(network, lon, lat)
    lines = network.lines_m[placed.edge]
    along = shapely.line_locate_point(lines, shapely.points(placed.xy_m))
    moved = shapely.get_coordinates(shapely.line_interpolate_point(lines, along))
    at_street = replace(placed, off_m=np.zeros(len(placed)), xy_m=moved)
    return pairs_on_streets(network, at_street, on_street(network, point_lon, point_lat), limit_m=limit_m)


def street_points(network: RoadNetwork, count: int, *, seed: int) -> StreetPoints:
    """Put points on the streets that are walked, at random, every metre as likely as every other.

    Raises
    ------
    InvalidInputError
        When no street is left to put them on.
    """
    length = np.where(walkable(network), network.length_m, 0.0)
    if not length.sum() > 0:
        raise InvalidInputError("No street is left on which random places could be put")
    rng = np.random.default_rng(seed)
    edge = rng.choice(len(length), size=count, p=length / length.sum())
    at = shapely.line_interpolate_point(network.lines_m[edge], rng.random(count), normalized=True)
    lon, lat = crs.to_degrees(shapely.get_x(at), shapely.get_y(at), network.epsg)
    return StreetPoints(lon, lat, float(length.sum()))


def _pairs_by_point(metres: csr_array, radii: FloatArray) -> FloatArray:
    """(n_points, n_radii) outlets within each radius of each point."""
    return _count_within(metres.indices, metres.data, np.ones(metres.nnz), metres.shape[1], radii)


def _pairs_by_place(metres: csr_array, count: npt.NDArray[np.number], radii: FloatArray) -> FloatArray:
    """(n_rows, n_radii) incidents within each radius of each row."""
    row = np.repeat(np.arange(metres.shape[0]), np.diff(metres.indptr))
    return _count_within(row, metres.data, count[metres.indices].astype(float), metres.shape[0], radii)


def _count_within(
    group: npt.NDArray[np.integer], metres: FloatArray, weight: FloatArray, n_groups: int, radii: FloatArray
) -> FloatArray:
    ring = np.searchsorted(radii, metres, side="left")
    near = ring < len(radii)
    cell = group[near].astype(np.int64) * len(radii) + ring[near]
    counted = np.bincount(cell, weights=weight[near], minlength=n_groups * len(radii))
    return np.cumsum(counted.reshape(n_groups, len(radii)), axis=1)


def _kinds_drawn(
    weight: FloatArray, total: IntArray, chosen: int, simulations: int, rng: np.random.Generator
) -> FloatArray:
    """Draw sums (simulations, n_radii) of ``weight`` over ``chosen`` of the incidents at all points."""
    # Points with the same weights are one: fewer draws, the same distribution.
    alike, kind = np.unique(weight, axis=0, return_inverse=True)
    size = np.bincount(kind.ravel(), weights=total, minlength=len(alike)).astype(np.int64)
    drawn = rng.multivariate_hypergeometric(size, chosen, size=simulations, method="marginals")
    return np.asarray(drawn @ alike, dtype=np.float64)


def _places_drawn(weight: FloatArray, chosen: int, simulations: int, rng: np.random.Generator) -> FloatArray:
    """Draw sums (simulations, n_radii) of ``weight`` over ``chosen`` of the places."""
    # Sorted, so that the order of the places plays no part.
    ordered = weight[np.lexsort(weight.T)]
    sums = [
        ordered[rng.choice(len(ordered), chosen, replace=False, shuffle=False)].sum(axis=0)
        for _ in range(simulations)
    ]
    return np.array(sums)


def _check(  # noqa: PLR0917
    metres: csr_array,
    count: npt.NDArray[np.number],
    radii: FloatArray,
    street_m: float,
    other: npt.NDArray[np.number] | None,
    places: csr_array | None,
    simulations: int,
    level: float,
) -> None:
    faults = Faults()
    n_points = metres.shape[1]
    faults.check(
        (other is None) != (places is None),
        "give either other incidents or other places to relabel, not both or neither",
    )
    faults.check(metres.shape[0] > 0, "there is no outlet")
    for name, values in (("incidents", count), ("other incidents", other)):
        if values is None:
            continue
        whole = (
            values.shape == (n_points,) and np.issubdtype(values.dtype, np.integer) and (values >= 0).all()
        )
        faults.check(whole, f"{name} must be {n_points} whole numbers, zero or more")
        faults.check(not whole or values.sum() > 0, f"there are no {name}, so nothing can be compared")
    if places is not None:
        faults.check(places.shape[1] == n_points, "places and outlets must be measured to the same points")
        faults.check(places.shape[0] > 0, "there is no other place")
    rising = radii.ndim == 1 and radii.size > 0 and (radii > 0).all() and (np.diff(radii) > 0).all()
    faults.check(rising, "radii must rise and be above zero")
    faults.check(np.isfinite(street_m) and street_m > 0, "the length of the streets must be above zero")
    faults.check(0 < level < 1, "a level lies between 0 and 1")
    faults.check(
        simulations * (1 - level) >= 1,
        f"a level of {level:.0%} needs {1 / (1 - level):.0f} simulations or more",
    )
    faults.raise_as(InvalidInputError, "The cross-K curve cannot be drawn")
