"""Many runs of one storm with other states of the basins: only the ground and the steps that matter."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.drainage_hierarchy import OUT
from models.flood import STEP_MIN, FloodGround
from models.flood_harm import Items
from models.storm import DAY_MIN, Pumping, Storm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
T = TypeVar("T")
R = TypeVar("R")

STORM_STEPS = 72
"""A storm of more steps than this is run in longer ones."""
SLACK = 1.5
"""Steps kept beyond those after which no level rises any more in the mean state."""
TRICKLE = 0.01
"""Pools are of one low ground when one gives the other at least this share of all water that comes to it."""
NOTHING = np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class HighWater:
    """The highest water of one run; ponds and nodes as `StormRuns` numbers them.

    Attributes
    ----------
    level_m
        (n_ponds + 1,) highest level at each pond, metres; minus infinity where it stays dry.
    one_pool
        (n_nodes,) whether each node was one pool.
    top
        (n_ponds + 1,) pool of each pond, as its outermost node that was one.
    spilled_m3
        (n_nodes,) water that passed each node's pour point.
    """

    level_m: FloatArray
    one_pool: BoolArray
    top: IntArray
    spilled_m3: FloatArray


@dataclass(frozen=True, eq=False)
class StormRuns:
    """One storm on one ground or a part of it, ready to be run often.

    Attributes
    ----------
    nodes
        (n_nodes,) the ground's number of each node, ponds first.
    pond_of
        (n_ponds of the ground + 1,) number here of each of the ground's ponds, -1 for what is left out.
    parent, parts, into
        The nest, in the numbers used here.
    runoff_m2, served_m2
        (n_ponds + 1,) ground that rain runs off, and that pumps serve.
    basin, start, group_start, group_first, group_node
        Basins by pond, as `models.flood.FloodGround` has them.
    rain_m, allowed_m
        (n_steps,) rain and allowance of the pumps, to the last step in which any level rose, and some more.
    step_s
        Seconds of a step.
    """

    ground: FloodGround
    nodes: IntArray
    pond_of: IntArray
    parent: IntArray
    parts: IntArray
    into: IntArray
    runoff_m2: FloatArray
    served_m2: FloatArray
    basin: IntArray
    start: IntArray
    group_start: IntArray
    group_first: IntArray
    group_node: IntArray
    rain_m: FloatArray
    allowed_m: FloatArray
    step_s: float

    @classmethod
    def of(cls, ground: FloodGround, storm: Storm, pumping: Pumping, open_share: FloatArray) -> "StormRuns":
        """Prepare the runs; ``open_share`` (n_basins,) is the mean state."""
        ponds = ground.ponds
        step_min = max(STEP_MIN, np.ceil(storm.duration_min / STORM_STEPS / STEP_MIN) * STEP_MIN)
        falling = storm.rain_mm(step_min) / 1000.0
        all_steps = int(np.ceil(DAY_MIN / step_min - 1e-9))
        rain = np.zeros(all_steps)
        rain[: len(falling)] = falling
        runs = cls(
            ground=ground,
            nodes=np.arange(ponds.n_nodes),
            pond_of=np.arange(ponds.n_ponds + 1),
            parent=ponds.parent,
            parts=ponds.parts,
            into=ponds.into,
            runoff_m2=ground.runoff_m2,
            served_m2=ground.served_m2(pumping),
            basin=ground.by_pond,
            start=ground.start,
            group_start=ground.group_start,
            group_first=ground.group_first,
            group_node=ground.group_node,
            rain_m=rain,
            allowed_m=pumping.allowed_mm(step_min, all_steps) / 1000.0,
            step_s=step_min * 60.0,
        )
        final, steps = runs.run(open_share).level_m, len(falling) // 2
        while steps < all_steps:
            if np.array_equal(runs.first(steps).run(open_share).level_m, final):
                return runs.first(int(np.ceil(SLACK * steps)))
            steps = int(np.ceil(1.25 * steps)) + 1
        return runs

    @property
    def n_nodes(self) -> int:
        """Nodes, ``OUT`` included."""
        return len(self.nodes)

    def first(self, steps: int) -> "StormRuns":
        """Only the first steps."""
        return replace(self, rain_m=self.rain_m[:steps], allowed_m=self.allowed_m[:steps])

    def less_water(self, share: float) -> "StormRuns":
        """Let this share of all water not come."""
        return replace(self, runoff_m2=self.runoff_m2 * (1 - share))

    def only(self, part: IntArray, kept: BoolArray) -> "StormRuns":
        """Keep some low grounds: (n_ponds + 1,) part of each pond, and whether each pond is kept."""
        n_ponds, n_nodes = len(self.runoff_m2), self.n_nodes
        # A node that is of two low grounds never was one pool.
        whole = np.full(n_nodes, -1, np.int64)
        whole[:n_ponds] = np.where(kept, part, -1)
        for node in range(n_ponds, n_nodes):
            first, second = whole[self.parts[node]]
            whole[node] = first if first == second else -1
        whole[OUT] = OUT
        nodes = np.flatnonzero(whole >= 0)
        number = np.full(n_nodes, OUT, np.int64)
        number[nodes] = np.arange(len(nodes))

        def renumbered(ids: IntArray) -> IntArray:
            return np.where(ids < 0, ids, number[np.maximum(ids, OUT)])

        ponds = nodes[nodes < n_ponds]
        pond_of = np.where(self.pond_of < 0, -1, np.where(kept, number[:n_ponds], -1)[self.pond_of])
        # Basins of the ponds that stay, and the groups they are in.
        sizes = np.diff(self.group_first)
        of_group = np.repeat(np.arange(n_ponds), np.diff(self.group_start))
        stays = kept[of_group] & (of_group > OUT)
        basin = self.basin[np.repeat(stays, sizes)]
        group_start = np.searchsorted(number[of_group[stays]], np.arange(len(ponds) + 1))
        group_first = np.append(0, np.cumsum(sizes[stays]))
        return replace(
            self,
            nodes=self.nodes[nodes],
            pond_of=pond_of,
            parent=renumbered(self.parent[nodes]),
            parts=renumbered(self.parts[nodes]),
            into=renumbered(self.into[nodes]),
            runoff_m2=self.runoff_m2[ponds] * (ponds > OUT),
            served_m2=self.served_m2[ponds] * (ponds > OUT),
            basin=basin,
            start=group_first[group_start],
            group_start=group_start,
            group_first=group_first,
            group_node=number[self.group_node[stays]],
        )

    def run(
        self,
        open_share: FloatArray,
        *,
        inflow_m3: FloatArray = NOTHING,
        passed_m3: FloatArray = NOTHING,
    ) -> HighWater:
        """Run the storm with (n_basins,) open shares.

        ``inflow_m3`` (n_steps, n_ponds + 1) comes from ground that is left out; ``passed_m3`` (n_steps,
        n_nodes) gets what passed each pour point by each step.
        """
        from models import flood_kernel as kernel

        ground, ponds = self.ground, self.ground.ponds
        n_ponds = len(self.runoff_m2)
        peak, was_full, _, _, _, spilled, _ = kernel.run_steps(
            self.rain_m,
            self.allowed_m,
            self.step_s,
            self.runoff_m2,
            self.served_m2,
            self.start,
            open_share[self.basin] * ground.capacity_m3_s[self.basin],
            self.group_start,
            self.group_first,
            self.group_node,
            self.parent,
            self.parts,
            self.into,
            ponds.room_m3[self.nodes],
            np.zeros(n_ponds, np.int64),
            np.zeros(n_ponds),
            inflow_m3,
            passed_m3,
        )
        one_pool = (peak > 0) | was_full
        volume = np.where(one_pool, peak + ground.of_parts_m3[self.nodes], 0.0)
        level = np.append(-np.inf, ponds.levels_m(self.nodes[1:], volume[1:]))
        level = np.maximum(level, np.where(was_full, ponds.spill_m[self.nodes], -np.inf))
        level[OUT] = -np.inf
        # A pond's level is that of the outermost pool around it that held water.
        found: FloatArray = level[:n_ponds].copy()
        top, climbing = np.arange(n_ponds), np.arange(1, n_ponds)
        while len(climbing):
            above = self.parent[top[climbing]]
            on = (above > OUT) & one_pool[above]
            climbing, above = climbing[on], above[on]
            top[climbing] = above
            found[climbing] = np.maximum(found[climbing], level[above])
        return HighWater(found, one_pool, top, spilled)

    def inflows_m3(self, passed_m3: FloatArray, *, there: BoolArray, within: "StormRuns") -> FloatArray:
        """(n_steps, n_ponds + 1) what nodes not ``there`` (n_nodes,) spill into the ponds of ``within``."""
        into = np.maximum(self.into, OUT)
        target = within.pond_of[self.nodes[into]] if within is not self else into
        spilling = np.flatnonzero((target > OUT) & (passed_m3[-1] > 0) & ~there)
        inflow = np.zeros((len(passed_m3), len(within.runoff_m2)))
        np.add.at(inflow.T, target[spilling], np.diff(passed_m3[:, spilling], axis=0, prepend=0.0).T)
        return inflow

    def here(self, items: Items) -> Items:
        """Items on this part of the ground, with the numbers that ponds have here."""
        pond = np.where(items.pond > OUT, self.pond_of[np.maximum(items.pond, OUT)], -1)
        inside = pond > OUT
        return replace(items, pond=pond[inside], level_m=items.level_m[inside], weight=items.weight[inside])


@dataclass(frozen=True, eq=False)
class Spills:
    """Water that passes from pool to pool: (n,) pools, as nodes, and cubic metres."""

    source: IntArray
    target: IntArray
    water_m3: FloatArray

    @classmethod
    def of(cls, runs: StormRuns, water: HighWater) -> "Spills":
        """Find them in a run."""
        n_ponds = len(runs.runoff_m2)
        pool = np.zeros(runs.n_nodes, np.int64)
        pool[:n_ponds] = water.top
        for node in range(n_ponds, runs.n_nodes):
            pool[node] = pool[runs.parts[node, 0]]
        into = np.maximum(runs.into, OUT)
        crossing = np.flatnonzero((into != OUT) & (water.spilled_m3 > 0) & (pool != pool[into]))
        return cls(pool[crossing], pool[into[crossing]], water.spilled_m3[crossing])


def side_by_side(work: Callable[[T], R], cases: Iterable[T]) -> list[R]:
    """Do the same work for each case, in threads: the storm's compiled steps leave Python to others."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, cases))


def harm_by(part: IntArray, items: Items, level_m: FloatArray, n_parts: int) -> FloatArray:
    """(n_parts,) harm by part, given (n_ponds + 1,) parts; items as `StormRuns.here` numbers them."""
    hit = level_m[items.pond] > items.level_m
    return np.bincount(part[items.pond[hit]], items.weight[hit], n_parts).astype(np.float64)


def low_grounds(runs: StormRuns, waters: list[HighWater]) -> IntArray:
    """(n_ponds + 1,) low ground of each pond, as a node.

    Ponds are of one low ground when they are one pool in any of the runs, or when one gives the other more
    than a trickle of its water.
    """
    n_ponds, n_nodes = len(runs.runoff_m2), runs.n_nodes
    ends = []
    for water in waters:
        spills = Spills.of(runs, water)
        comes = np.bincount(water.top, runs.runoff_m2 * runs.rain_m.sum(), n_nodes)
        comes += np.bincount(spills.target, spills.water_m3, n_nodes)
        linked = spills.water_m3 >= TRICKLE * comes[spills.target]
        ends.append((np.arange(n_ponds), water.top))
        ends.append((spills.source[linked], spills.target[linked]))
    source, target = (np.concatenate([pair[k] for pair in ends]) for k in (0, 1))
    graph = coo_array((np.ones(len(source)), (source, target)), shape=(n_nodes, n_nodes))
    _, part = connected_components(graph, directed=False)
    # A low ground is named by one of its nodes; what lies outside stays OUT.
    name = np.full(part.max() + 1, n_nodes)
    np.minimum.at(name, part, np.arange(n_nodes))
    return np.asarray(name[part[:n_ponds]])
