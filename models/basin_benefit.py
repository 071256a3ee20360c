"""What cleaning 1, 2, 3 ... basins of a low ground avoids, from the storm model itself.

A pool is water that stands together at some time of the storm; pools that spill into each other make one low
ground. The basins of a low ground are put in order, by what each avoids in its own pool and in those that its
pool spills into, and in a second order by the water each lets out. Then the storm is run with a growing share
of every low ground's basins clean, all low grounds in one run, each apart from the others. So a curve has the
dynamics of all water that meets, also where a pool must stop spilling before any level falls: its benefit
rises late. docs/methods/basins.md, "Choice".
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_hierarchy import OUT
from models.basin_apart import StormApart, linked_pools, pools_of
from models.basin_choice import envelope
from models.flood import Flood, FloodGround
from models.flood_harm import Items
from models.storm import Pumping, Storm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

POINTS, ORDER_POINTS = 40, 16
"""Numbers of basins at which a low ground is run, and, for the order, each pool; straight lines between."""
BEND = 1.5
"""Points lie closer where few basins are cleaned: at shares (j / POINTS) ** BEND."""
LESS = (0.05, 0.15, 0.4)
"""Shares of the water that come less, to find what a cubic metre less is worth in a pool."""
PUMPS_FULL = 0.95
"""Pumps limit a pool that drains this share of their allowance before any basin is cleaned."""
STUCK = 0.99
"""A pool gains nothing where this share of its harm is left with every basin clean."""
LEAST_M3 = 1e-6


@dataclass(frozen=True, eq=False)
class Benefits:
    """Benefit of cleaning basins, by low ground; only those where it is above zero.

    Attributes
    ----------
    pool
        (n,) the pool of most harm in each low ground, as a node of the ponds' nest.
    benefit
        Of each (K,): harm avoided with 1 to K basins clean; never falls.
    by_water
        Of each (K,): whether that is with the first basins of the second order.
    order
        Of each (2, K): numbers of its basins, best first, by harm and by water.
    adds_m3
        (n_basins,) water that each basin lets out until its pool's peak, cubic metres; 0 for all others.
    harm
        Harm of the storm without cleaning.
    best
        Harm avoided if every basin were clean.
    pumps_harm, pumps_pools
        Harm in pools, and their number, where cleaning every basin gains nothing because the pumps already
        take all that they are said to.
    dry_harm
        Harm in pools that gain nothing and have no basin that pumps serve.
    """

    pool: IntArray
    benefit: tuple[FloatArray, ...]
    by_water: tuple[BoolArray, ...]
    order: tuple[IntArray, ...]
    adds_m3: FloatArray
    harm: float
    best: float
    pumps_harm: float
    pumps_pools: int
    dry_harm: float

    def basins(self, place: int, count: int) -> IntArray:
        """Numbers of the basins to clean, so many of them in the low ground at a place of ``pool``."""
        if not count:
            return np.zeros(0, np.int64)
        return self.order[place][int(self.by_water[place][count - 1]), :count]


def benefit_curves(
    ground: FloodGround,
    flood: Flood,
    storm: Storm,
    pumping: Pumping,
    *,
    open_share: npt.ArrayLike,
    open_if_cleaned: npt.ArrayLike,
    items: Items,
    points: int = POINTS,
) -> Benefits:
    """Find the benefit of cleaning basins in each low ground of a storm.

    Parameters
    ----------
    ground, flood, storm, pumping
        The storm without cleaning: ``flood`` is `models.flood.run_storm` of the others with ``open_share``.
    open_share, open_if_cleaned
        (n_basins,) expected open share as they are and after a stop, 0 to 1. A basin that a stop does not
        open is left out: give those whose line comes first the same share twice.
    items
        What is harmed, weighted.
    points
        Numbers of basins at which a curve is run.

    Raises
    ------
    InvalidInputError
        If shares are outside 0 to 1, or of another length.
    """
    before, after = _checked(ground, open_share, open_if_cleaned)
    whole, passed = StormApart.whole(ground, flood, storm, pumping, before)
    pool = pools_of(ground, flood)
    apart = whole.cut(pool, passed)
    places = _ordered(apart, flood, before, after)
    alone = _curves(apart, places, (before, after), items, ORDER_POINTS)
    worth = _worth_downstream(apart, pool, passed, before, items)
    rate = places.adds * worth[places.part]
    for node in np.flatnonzero(alone.avoided[-1] > 0).tolist():
        mine = slice(places.start[node], places.start[node + 1])
        rate[mine] += np.diff(envelope(np.append(0.0, alone.curve(node))))
    joined = linked_pools(flood, pool, passed)
    together = whole.cut(joined, passed)
    by_harm = places.regrouped(together.part, rate)
    # A cubic metre is a cubic metre where pools join: by water alone, of basins that are of any use.
    by_water = places.regrouped(together.part, np.where(rate > 0, places.adds, 0.0))
    first, second = (
        _curves(together, lists, (before, after), items, points) for lists in (by_harm, by_water)
    )
    kept = np.flatnonzero(np.maximum(first.avoided[-1], second.avoided[-1]) > 0).tolist()
    cuts = [slice(by_harm.start[part], by_harm.start[part + 1]) for part in kept]
    both = [(first.curve(part), second.curve(part)) for part in kept]
    adds_m3 = np.zeros(ground.n_basins)
    adds_m3[places.basin] = places.adds
    stuck = apart.harm(items, _opened(before, after, places.basin)) >= STUCK * alone.harm
    stuck &= alone.harm > 0
    drained, allowed = (np.bincount(apart.part, water, ground.ponds.n_nodes) for water in places.totals)
    pumps = stuck & (allowed > 0) & (drained >= PUMPS_FULL * allowed)
    return Benefits(
        pool=_worst_pools(joined, alone.harm)[kept],
        benefit=tuple(np.maximum(one, other) for one, other in both),
        by_water=tuple(other > one for one, other in both),
        order=tuple(np.stack([by_harm.basin[cut], by_water.basin[cut]]) for cut in cuts),
        adds_m3=adds_m3,
        harm=float(alone.harm.sum()),
        best=float(first.avoided[-1].sum()),
        pumps_harm=float(alone.harm[pumps].sum()),
        pumps_pools=int(pumps.sum()),
        dry_harm=float(alone.harm[stuck & (allowed <= 0)].sum()),
    )


@dataclass(frozen=True, eq=False)
class _Places:
    """Basins that a stop opens, by part and best first; (n,) each, ``start`` by part."""

    basin: IntArray
    part: IntArray
    adds: FloatArray
    start: IntArray
    totals: FloatArray
    pond: IntArray

    def regrouped(self, part_of_pond: IntArray, rate: FloatArray) -> "_Places":
        """Put the same basins in order by larger parts and a rate."""
        part = part_of_pond[self.pond]
        order = np.lexsort((-rate, part))
        start = np.searchsorted(part[order], np.arange(len(self.start)))
        return _Places(
            self.basin[order],
            part[order],
            self.adds[order],
            start,
            self.totals,
            self.pond[order],
        )


@dataclass(frozen=True, eq=False)
class _Curves:
    """Harm (n_nodes,) by part, basins cleaned and harm avoided (points, n_nodes) at each point."""

    harm: FloatArray
    counts: IntArray
    avoided: FloatArray
    held: IntArray

    def curve(self, part: int) -> FloatArray:
        """(K,) harm avoided with 1 to K basins clean."""
        at = np.append(0, self.counts[:, part])
        values = np.append(0.0, self.avoided[:, part])
        # Several points may ask for the same number of basins.
        last = np.append(np.flatnonzero(np.diff(at)), len(at) - 1)
        return np.asarray(np.interp(np.arange(1, self.held[part] + 1), at[last], values[last]))


def _curves(
    apart: StormApart, places: _Places, shares: tuple[FloatArray, FloatArray], items: Items, points: int
) -> _Curves:
    """Run the storm with a growing share of each part's basins clean."""
    held = np.diff(places.start)
    rank = np.arange(len(places.basin)) - places.start[places.part]
    harm = apart.harm(items, shares[0])
    done = (np.arange(1, points + 1) / points) ** BEND
    counts = np.ceil(np.outer(done, held) - 1e-9).astype(np.int64)
    avoided = np.empty((points, len(held)))
    for row, count in zip(avoided, counts, strict=True):
        cleaned = places.basin[rank < count[places.part]]
        row[:] = harm - apart.harm(items, _opened(*shares, cleaned))
    # More open inlets never raise water by more than rounding; a curve must not fall.
    return _Curves(harm, counts, np.maximum.accumulate(np.maximum(avoided, 0.0), axis=0), held)


def _opened(before: FloatArray, after: FloatArray, cleaned: IntArray) -> FloatArray:
    share = before.copy()
    share[cleaned] = after[cleaned]
    return share


def _worth_downstream(
    apart: StormApart, pool: IntArray, passed: FloatArray, before: FloatArray, items: Items
) -> FloatArray:
    """(n_nodes,) harm that a cubic metre less, spilled out of each pool, avoids in those that it reaches.

    A pool's own worth of a cubic metre is the most that ``LESS`` of its water avoids, by cubic metre. Where
    that pool spills as well, the cubic metre is missing further down.
    """
    n_nodes = len(pool)
    comes: FloatArray = np.bincount(apart.part, apart.arriving_m3(), n_nodes).astype(np.float64)
    harm = apart.harm(items, before)
    own: FloatArray = np.zeros(n_nodes)
    for part in LESS:
        less = harm - apart.less_water(part).harm(items, before)
        own = np.maximum(own, np.divide(less, part * comes, out=np.zeros(n_nodes), where=comes > 0))
    into = np.maximum(apart.ground.ponds.into, OUT)
    total = passed[-1] if len(passed) else np.zeros(n_nodes)
    crossing = np.flatnonzero((into != OUT) & (total > 0) & (pool != apart.part[into]))
    source, target = pool[crossing], apart.part[into[crossing]]
    spilled = np.bincount(source, total[crossing], n_nodes)
    share = total[crossing] / spilled[source]
    worth: FloatArray = np.zeros(n_nodes)
    # Pools lie below each other: as many rounds as the longest way down, or a few where it does not end.
    for _ in range(32):
        further: FloatArray = np.bincount(source, share * (own + worth)[target], n_nodes).astype(np.float64)
        if np.allclose(further, worth, rtol=1e-9, atol=0):
            break
        worth = further
    return worth


def _worst_pools(joined: IntArray, harm: FloatArray) -> IntArray:
    """(n_nodes,) of each part the pool of most harm."""
    worst = np.zeros(len(joined), np.int64)
    order = np.argsort(harm, kind="stable")
    worst[joined[order]] = order
    return worst


def _ordered(apart: StormApart, flood: Flood, before: FloatArray, after: FloatArray) -> _Places:
    """Order the basins of each pool by the water that each lets out until its peak."""
    from models import basin_kernel as kernel

    ground, n_nodes = apart.ground, apart.ground.ponds.n_nodes
    # A basin that its pool's water reaches takes from what stands; another only what passes it.
    low = (ground.home > OUT) & ((ground.home == ground.pond) | (flood.volume_m3[ground.home] > 0))
    low = low[ground.by_pond]
    flow = [(share * ground.capacity_m3_s)[ground.by_pond] for share in (before, after)]
    pumps = (apart.allowed_m, apart.step_s, apart.runoff_m2, apart.served_m2, ground.start, low)
    stands = kernel.surplus(apart.rain_m, apart.inflow_m3, *pumps, flow[0])
    # A pool is wet once any of its ponds is, and at its peak when most water stands in all of them.
    by_pool = np.zeros((n_nodes, len(stands)))
    np.add.at(by_pool, apart.part, stands.T)
    wet_from = np.where(by_pool.any(axis=1), (by_pool > 0).argmax(axis=1), len(stands))
    peak_at = by_pool.argmax(axis=1)
    place, adds, totals = kernel.gains(
        apart.rain_m, *pumps, flow[0], flow[1], wet_from[apart.part], peak_at[apart.part]
    )
    basin = ground.by_pond[place]
    pond = np.maximum(ground.pond[basin], OUT)
    part = apart.part[pond]
    useful = np.flatnonzero((adds > LEAST_M3) & (part > OUT))
    useful = useful[np.lexsort((-adds[useful], part[useful]))]
    start = np.searchsorted(part[useful], np.arange(n_nodes + 1))
    return _Places(basin[useful], part[useful], adds[useful], start, totals, pond[useful])


def _checked(
    ground: FloodGround, open_share: npt.ArrayLike, open_if_cleaned: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    faults = Faults()
    both = []
    for name, given in (("open_share", open_share), ("open_if_cleaned", open_if_cleaned)):
        share = np.asarray(given, np.float64)
        faults.check(
            share.shape in {(), (ground.n_basins,)}, f"{name} must be one number or {ground.n_basins} of them"
        )
        faults.check(((share >= 0) & (share <= 1)).all(), f"{name} must be 0 to 1")
        both.append(share)
    faults.raise_as(InvalidInputError, "The benefit of cleaning cannot be found")
    before, after = (np.broadcast_to(share, (ground.n_basins,)).copy() for share in both)
    return before, np.maximum(before, after)
