"""Shares by what is expected: a bar draws more of the incidents around it than a restaurant at its side.

By distance alone (:func:`models.attribution.share`) all outlets pull alike, and the street pulls alike
everywhere: a bar's incidents are handed to the restaurants around it, and a lively street's to whatever
outlet stands there. Here incidents at place s are shared in proportion to their expected density there,

    outlet j:  E_j w(d_sj) / Z_j        the street:  mu_c(s)

with ``w`` the weight that halves with distance, ``Z_j`` its sum over the metres of street around the outlet,
``E_j`` what is expected of an outlet like this one elsewhere (its own count plays no part: the regression is
cross-fitted), and ``mu_c`` incidents per metre of street in the H3 cell, apart from outlets. Both are found
by turns: share, draw, fit, share anew. The street's rate of a cell is shrunken to the city's, as a Gamma
posterior with ``PRIOR_INCIDENTS`` behind it.

An outlet's own excess is left out on purpose. Let in (a Gibbs sampler over multipliers and shares), it finds
more of the planted outlets, but where two doors stand on one block it hands all to one of them and is sure of
it: docs/methods/outlets.md has the figures.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from errors import Faults, InvalidInputError
from geo import crs
from geo.hexgrid import cells_of
from geo.near import along_streets, on_street, pairs_on_streets
from geo.network import RoadNetwork
from models.attribution import Nearness, Shares, allocate, share

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Expect = Callable[[IntArray], FloatArray]

HALF_M = 35.0
"""Metres over which an outlet's weight halves; docs/methods/outlets.md compares 25, 35 and 50."""
STEP_M = 30.0
CELL_RESOLUTION = 8
PRIOR_INCIDENTS = 2.0
ROUNDS = 6
DRAWS_A_ROUND = 4
LEAST_RATE = 1e-12
"""Incidents a metre of a street without any: a share must be more than nothing."""


@dataclass(frozen=True, eq=False)
class Streets:
    """Streets around doors, to add weights up along them.

    Attributes
    ----------
    metres
        (n_points, n_doors) sparse walking metres from points of the streets to doors, doors in the order in
        which they came.
    piece_m
        (n_points,) metres of street that a point stands for.
    cell_m
        (n_cells,) metres of street in each cell.
    cell_of_place
        (n_places,) cell of each place of incidents.
    """

    metres: csr_array
    piece_m: FloatArray
    cell_m: FloatArray
    cell_of_place: IntArray


@dataclass(frozen=True, eq=False)
class ExpectedShares:
    """Shares by what is expected.

    Attributes
    ----------
    shares
        As `models.attribution.share` gives them.
    expected
        (n_doors,) what they rest on.
    street_rate
        (n_cells,) incidents per metre of street, apart from outlets.
    change
        (rounds,) mean relative change of ``expected`` in each round: small at the end where it has settled.
    """

    shares: Shares
    expected: FloatArray
    street_rate: FloatArray
    change: FloatArray


def streets_around(
    network: RoadNetwork, near: Nearness, door_lon: npt.ArrayLike, door_lat: npt.ArrayLike
) -> Streets:
    """Measure the streets around doors; slow, and needed once a city.

    Parameters
    ----------
    network
        The road network.
    near
        Walks from incidents to the same doors.
    door_lon, door_lat
        (n_doors,) degrees.
    """
    points, piece_m = along_streets(network, step_m=STEP_M)
    lon, lat = crs.to_degrees(points.xy_m[:, 0], points.xy_m[:, 1], network.epsg)
    cell = cells_of(
        np.concatenate([lon, near.places[:, 0]]),
        np.concatenate([lat, near.places[:, 1]]),
        resolution=CELL_RESOLUTION,
    )
    names, index = np.unique(cell, return_inverse=True)
    of_point = index[: len(lon)]
    return Streets(
        metres=pairs_on_streets(
            network, points, on_street(network, door_lon, door_lat), limit_m=near.reach_m
        ),
        piece_m=piece_m,
        # A place may lie off all streets of its cell: one piece of street stands for what it belongs to.
        cell_m=np.maximum(np.bincount(of_point, piece_m, minlength=len(names)), STEP_M),
        cell_of_place=index[len(lon) :].astype(np.int64),
    )


def share_as_expected(
    near: Nearness,
    streets: Streets,
    counts_by_place: npt.ArrayLike,
    expect: Expect,
    *,
    half_m: float = HALF_M,
    rounds: int = ROUNDS,
    seed: int,
) -> ExpectedShares:
    """Share each place's incidents among the doors in reach and the street by what is expected of each.

    Parameters
    ----------
    near, streets
        Walks, and streets of the same doors and places.
    counts_by_place
        (n_places,) incidents at each place, whole numbers.
    expect
        Gives (n_doors,) expected incidents from (draws, n_doors) whole ones, above zero; an outlet's own
        count must play no part in its own.
    half_m
        Metres over which an outlet's weight halves.
    rounds
        Turns of sharing and fitting.
    seed
        Of the drawings.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    counts = np.asarray(counts_by_place)
    faults = Faults()
    faults.check(rounds >= 1, "one round at least is needed")
    faults.check(np.isfinite(half_m) and half_m > 0, "half_m must be a number of metres above zero")
    faults.check(streets.metres.shape[1] == near.n_doors, "the streets are of other doors")
    faults.check(len(streets.cell_of_place) == len(near.places), "the streets are of other places")
    faults.raise_as(InvalidInputError, "Incidents cannot be shared out")
    weight = csr_array(
        (np.exp2(-streets.metres.data / half_m), streets.metres.indices, streets.metres.indptr),
        shape=streets.metres.shape,
    )
    around_m = np.maximum(streets.piece_m @ weight, STEP_M)
    by_distance = share(near, half_m=half_m)
    drawn = allocate(by_distance, counts, draws=DRAWS_A_ROUND, seed=seed)
    shares, expected, rate = by_distance, np.zeros(near.n_doors), np.zeros(len(streets.cell_m))
    change = np.zeros(rounds)
    for number in range(rounds):
        former, expected = expected, _checked(expect(drawn[:, :-1]), near.n_doors)
        change[number] = np.abs(expected - former).sum() / expected.sum()
        rate = _street_rate(shares, counts, streets)
        shares = share(
            near, half_m=half_m, street_weight=rate[streets.cell_of_place], pull=expected / around_m
        )
        drawn = allocate(shares, counts, draws=DRAWS_A_ROUND, seed=seed + number + 1)
    return ExpectedShares(shares, expected, rate, change)


def _street_rate(shares: Shares, counts: npt.NDArray[np.integer], streets: Streets) -> FloatArray:
    """(n_cells,) incidents per metre of the street: Gamma posterior means around the city's rate."""
    # The street is the last column, and the last entry of every row.
    on_street_share = shares.sorted_weights.data[shares.sorted_weights.indptr[1:] - 1]
    falls = np.bincount(streets.cell_of_place, counts * on_street_share, minlength=len(streets.cell_m))
    city = max(float(falls.sum() / streets.cell_m.sum()), LEAST_RATE)
    return np.asarray((PRIOR_INCIDENTS + falls) / (PRIOR_INCIDENTS / city + streets.cell_m))


def _checked(expected: FloatArray, n_doors: int) -> FloatArray:
    sound = expected.shape == (n_doors,) and np.isfinite(expected).all() and (expected > 0).all()
    if not sound:
        raise InvalidInputError("Incidents cannot be shared out: an expectation is missing or not above zero")
    return expected
