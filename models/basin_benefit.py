"""What cleaning 1, 2, 3 ... basins of a low ground avoids, from the storm model itself.

A pool is water that stands together at some time of the storm; pools that spill into each other make one low
ground. Its basins are put in order by what each avoids, in its own pool and in those that its pool spills
into, and in a second order by the water each lets out. Then the storm is run with a growing share of every
low ground's basins clean, all low grounds in one run, since they have next to nothing to do with each other.
So a curve has the dynamics of all water that meets, also where a pool must stop spilling before any level
falls: its benefit rises late. All of it is a mean over draws of the basins' states, because the mean state
misses the ponds where most basins happen to be clogged. docs/methods/basins.md, "Choice".
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_hierarchy import OUT
from models.basin_runs import HighWater, Spills, StormRuns, harm_by, low_grounds, side_by_side
from models.flood import FloodGround
from models.flood_harm import Items
from models.storm import Pumping, Storm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

POINTS = 10
"""Numbers of basins at which a low ground is run; straight lines between."""
BEND = 1.5
"""Where a low ground has more basins than points, they lie at shares (j / POINTS) ** BEND of them."""
WORK, FEWEST_DRAWS = 48, 3
"""Runs of the whole ground that curves may cost; where much of it is of use, they are of the first draws."""
LESS = (0.05, 0.15, 0.4)
"""Shares of the water that come less, to find what a cubic metre less is worth in a pool."""
PUMPS_FULL = 0.95
"""Pumps limit a pool that drains this share of their allowance before any basin is cleaned."""
STUCK = 0.99
"""A low ground gains nothing where this share of its harm is left with every basin clean."""
WORSE = (0.7, 0.45, 0.2)
"""Shares of the mean opening with which basins left over are told apart: where inlets would limit first."""
LEAST_M3 = 1e-6
ROUNDS = 32
"""Pools lie below each other; as many steps down are followed at most."""


@dataclass(frozen=True, eq=False)
class Benefits:
    """Benefit of cleaning basins, by low ground; only those where it is above zero. Means over the draws.

    Attributes
    ----------
    part
        (n,) each low ground, as a node of the ponds' nest.
    benefit
        Of each (K,): harm avoided with 1 to K basins clean; never falls.
    by_water
        Of each (K,): whether that is with the first basins of the second order.
    order
        Of each (2, K): numbers of its basins, best first, by harm and by water.
    adds_m3
        (n_basins,) water that each basin lets out until its pool's peak, cubic metres; 0 for all others.
    reserve
        (n_basins,) what a basin would avoid if all were more clogged than is thought: the order of stops that
        gain nothing by the draws.
    part_of_pond
        (n_ponds + 1,) low ground of each pond.
    harm
        Harm of the storm without cleaning.
    best
        Harm avoided if every basin were clean.
    pumps_harm, dry_harm
        Harm in pools where cleaning every basin gains nothing: because the pumps already take all that they
        are said to, or because there is no basin that pumps serve.
    """

    part: IntArray
    benefit: tuple[FloatArray, ...]
    by_water: tuple[BoolArray, ...]
    order: tuple[IntArray, ...]
    adds_m3: FloatArray
    reserve: FloatArray
    part_of_pond: IntArray
    harm: float
    best: float
    pumps_harm: float
    dry_harm: float

    def basins(self, place: int, count: int) -> IntArray:
        """Numbers of the basins to clean, so many of them in the low ground at a place of ``part``."""
        if not count:
            return np.zeros(0, np.int64)
        return self.order[place][int(self.by_water[place][count - 1]), :count]


def benefit_curves(
    ground: FloodGround,
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
    ground, storm, pumping
        As in `models.flood.run_storm`.
    open_share, open_if_cleaned
        (n_draws, n_basins) open shares as they are and after a stop, 0 to 1, such as
        `models.basin_inputs.BasinStates.draws`; or (n_basins,) for one state. A basin that a stop does not
        open in any draw is left out: give those whose line comes first the same share twice.
    items
        What is harmed, weighted.
    points
        Numbers of basins at which a curve is run.

    Raises
    ------
    InvalidInputError
        If shares are outside 0 to 1, or of another shape.
    """
    before, after = _checked(ground, open_share, open_if_cleaned)
    runs = StormRuns.of(ground, storm, pumping, before.mean(axis=0))
    here = runs.here(items)
    open_now, gain = before.mean(axis=0), (after - before).mean(axis=0)
    worth = _Worth.of(runs, open_now, here)
    draws = side_by_side(lambda pair: _draw(runs, *pair, worth), zip(before, after, strict=True))
    rate, adds = (np.mean([getattr(draw, name) for draw in draws], axis=0) for name in ("rate", "adds"))
    worse = side_by_side(lambda less: _draw(runs, less * open_now, less * open_now + gain, worth).rate, WORSE)
    part = low_grounds(runs, [draw.water for draw in draws])
    gained = sum(
        harm_by(part, here, draw.water.level_m, runs.n_nodes)
        - harm_by(part, here, draw.clean_m, runs.n_nodes)
        for draw in draws
    )
    useful = np.flatnonzero((rate > 0) & (np.asarray(gained)[part[np.maximum(ground.pond, OUT)]] > 0))
    home = part[ground.pond[useful]]
    # A cubic metre is a cubic metre where pools join: the second order looks at water alone.
    lists = [useful[np.lexsort((-score[useful], home))] for score in (rate, adds)]
    start = np.searchsorted(np.sort(home), np.arange(runs.n_nodes + 1))
    held = np.diff(start)
    step = np.arange(1, points + 1)[:, None]
    bent = np.ceil((step / points) ** BEND * held - 1e-9).astype(np.int64)
    counts = np.where(held <= points, np.minimum(step, held), bent)
    some = runs.only(part, np.isin(part, np.unique(home)))
    passed = [(draw.passed, share, other) for draw, share, other in zip(draws, before, after, strict=True)]
    size = len(some.basin) / max(len(runs.basin), 1)
    most = max(FEWEST_DRAWS, int(WORK / (2 * points * max(size, 1e-9))))
    avoided = _avoided(runs, some, part, passed[:most], items, lists, counts)
    kept = np.flatnonzero(np.maximum(avoided[0][-1], avoided[1][-1]) > 0).tolist()
    curves = [
        [_curve(counts[:, node], values[:, node], int(held[node])) for values in avoided] for node in kept
    ]
    pumps, dry = np.mean([(draw.pumps_harm, draw.dry_harm) for draw in draws], axis=0).tolist()
    return Benefits(
        part=np.array(kept, np.int64),
        benefit=tuple(np.maximum(first, second) for first, second in curves),
        by_water=tuple(second > first for first, second in curves),
        order=tuple(np.stack([basins[start[node] : start[node + 1]] for basins in lists]) for node in kept),
        adds_m3=adds,
        reserve=np.mean(worse, axis=0),
        part_of_pond=part,
        harm=float(np.mean([draw.harm for draw in draws])),
        best=float(np.mean([draw.best for draw in draws])),
        pumps_harm=pumps,
        dry_harm=dry,
    )


@dataclass(frozen=True, eq=False)
class _Worth:
    """What is harmed, and (n_ponds + 1,) the harm that a cubic metre less avoids at each pond."""

    items: Items
    by_pond: FloatArray

    @classmethod
    def of(cls, runs: StormRuns, open_share: FloatArray, items: Items) -> "_Worth":
        """Find it in the mean state.

        In a pool: the most that ``LESS`` of the water avoids, by cubic metre. Where the pool spills, the
        cubic metre is missing in those that it spills into as well.
        """
        n_nodes = runs.n_nodes
        water = runs.run(open_share)
        harm = harm_by(water.top, items, water.level_m, n_nodes)
        spills = Spills.of(runs, water)
        comes = np.bincount(water.top, runs.runoff_m2 * runs.rain_m.sum(), n_nodes)
        comes += np.bincount(spills.target, spills.water_m3, n_nodes)
        own: FloatArray = np.zeros(n_nodes)
        for part in LESS:
            level = runs.less_water(part).run(open_share).level_m
            less = harm - harm_by(water.top, items, level, n_nodes)
            own = np.maximum(own, np.divide(less, part * comes, out=np.zeros(n_nodes), where=comes > 0))
        spilled = np.bincount(spills.source, spills.water_m3, n_nodes)
        share = spills.water_m3 / spilled[spills.source]
        below: FloatArray = np.zeros(n_nodes)
        for _ in range(ROUNDS):
            missing = share * (own + below)[spills.target]
            further = np.bincount(spills.source, missing, n_nodes).astype(np.float64)
            if np.allclose(further, below, rtol=1e-9, atol=0):
                break
            below = further
        return cls(items, (own + below)[water.top])


@dataclass(frozen=True, eq=False)
class _Draw:
    """One state of the basins: its water, its levels with all clean, what each basin is worth, and harm."""

    water: HighWater
    passed: FloatArray
    clean_m: FloatArray
    rate: FloatArray
    adds: FloatArray
    harm: float
    best: float
    pumps_harm: float
    dry_harm: float


def _draw(runs: StormRuns, before: FloatArray, after: FloatArray, worth: _Worth) -> _Draw:
    """Run one state of the basins, and find what each basin lets out and what that is worth."""
    from models import basin_kernel as kernel

    ground, n_nodes = runs.ground, runs.n_nodes
    passed = np.zeros((len(runs.rain_m), n_nodes))
    water = runs.run(before, passed_m3=passed)
    inflow = runs.inflows_m3(passed, there=np.zeros(n_nodes, np.bool_), within=runs)
    harm = harm_by(water.top, worth.items, water.level_m, n_nodes)
    # A basin that its pool's water reaches takes from what stands; another only what passes it.
    low = ((ground.home > OUT) & ((ground.home == ground.pond) | water.one_pool[ground.home]))[runs.basin]
    one, other = ((share * ground.capacity_m3_s)[runs.basin] for share in (before, after))
    rules = (runs.allowed_m, runs.step_s, runs.runoff_m2, runs.served_m2, runs.start, low)
    stands = kernel.surplus(runs.rain_m, inflow, *rules, one)
    # A pool is wet once any of its ponds is, and at its peak when most water stands in all of them.
    by_pool = np.zeros((n_nodes, len(stands)))
    np.add.at(by_pool, water.top, stands.T)
    wet_from = np.where(by_pool.any(axis=1), (by_pool > 0).argmax(axis=1), len(stands))
    peak_at = by_pool.argmax(axis=1)
    adds, totals = kernel.gains(runs.rain_m, *rules, one, other, wet_from[water.top], peak_at[water.top])
    by_basin = np.zeros(ground.n_basins)
    by_basin[runs.basin] = np.where(adds > LEAST_M3, adds, 0.0)
    clean = runs.run(after).level_m
    left = harm_by(water.top, worth.items, clean, n_nodes)
    stuck = (left >= STUCK * harm) & (harm > 0)
    drained, allowed = (np.bincount(water.top, total, n_nodes) for total in totals)
    pumps = stuck & (allowed > 0) & (drained >= PUMPS_FULL * allowed)
    return _Draw(
        water=water,
        passed=passed,
        clean_m=clean,
        rate=by_basin * worth.by_pond[np.maximum(ground.pond, OUT)],
        adds=by_basin,
        harm=float(harm.sum()),
        best=float(harm.sum() - left.sum()),
        pumps_harm=float(harm[pumps].sum()),
        dry_harm=float(harm[stuck & (allowed <= 0)].sum()),
    )


def _avoided(  # noqa: PLR0917
    runs: StormRuns,
    some: StormRuns,
    part: IntArray,
    draws: list[tuple[FloatArray, FloatArray, FloatArray]],
    items: Items,
    lists: list[IntArray],
    counts: IntArray,
) -> FloatArray:
    """(n_lists, n_points, n_nodes) harm avoided by low ground with so many basins clean, means over draws.

    Only ``some`` of the ground is run; what the rest spills into it is that of the draw.
    """
    here = some.here(items)
    part_here = np.zeros(len(some.runoff_m2), np.int64)
    inside = np.flatnonzero(some.pond_of > OUT)
    part_here[some.pond_of[inside]] = part[inside]
    there = np.isin(np.arange(runs.n_nodes), some.nodes)
    home = part[runs.ground.pond[lists[0]]]
    rank = np.arange(len(home)) - np.searchsorted(home, home)

    def of_draw(draw: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
        passed, before, after = draw
        found = np.zeros((len(lists), *counts.shape))
        inflow = runs.inflows_m3(passed, there=there, within=some)
        level = some.run(before, inflow_m3=inflow).level_m
        harm = harm_by(part_here, here, level, runs.n_nodes)
        for (number, basins), (point, count) in product(enumerate(lists), enumerate(counts)):
            cleaned = basins[rank < count[home]]
            share = before.copy()
            share[cleaned] = after[cleaned]
            level = some.run(share, inflow_m3=inflow).level_m
            found[number, point] = harm - harm_by(part_here, here, level, runs.n_nodes)
        return found

    total = np.sum(side_by_side(of_draw, draws), axis=0)
    # More open inlets never raise water by more than rounding; a curve must not fall.
    return np.maximum.accumulate(np.maximum(total / len(draws), 0.0), axis=1)


def _curve(counts: IntArray, avoided: FloatArray, held: int) -> FloatArray:
    """(held,) harm avoided with 1 to all basins clean, by straight lines between the points."""
    at, values = np.append(0, counts), np.append(0.0, avoided)
    # Several points may ask for the same number of basins.
    last = np.append(np.flatnonzero(np.diff(at)), len(at) - 1)
    return np.asarray(np.interp(np.arange(1, held + 1), at[last], values[last]))


def _checked(
    ground: FloodGround, open_share: npt.ArrayLike, open_if_cleaned: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    faults = Faults()
    both = []
    for name, given in (("open_share", open_share), ("open_if_cleaned", open_if_cleaned)):
        share = np.atleast_2d(np.asarray(given, np.float64))
        faults.check(
            share.shape[-1] == ground.n_basins and share.ndim == 2 and len(share),
            f"{name} must have {ground.n_basins} shares in each draw",
        )
        faults.check(((share >= 0) & (share <= 1)).all(), f"{name} must be 0 to 1")
        both.append(share)
    faults.check(both[0].shape == both[1].shape, "both shares must have as many draws")
    faults.raise_as(InvalidInputError, "The benefit of cleaning cannot be found")
    return both[0], np.maximum(both[0], both[1])
