"""A storm whose pools are cut apart, to be run with other states of the basins: what others spill in stays.

Less water stands when basins are cleaned, so that pools that are apart in the storm without cleaning stay
apart, and what a pool gets from outside its part can be held as it was.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.drainage_hierarchy import OUT
from models.flood import STEP_MIN, Flood, FloodGround
from models.flood_harm import Items
from models.storm import Pumping, Storm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SPARE_STEPS = 12
TRICKLE = 0.01
"""Pools are of one low ground when one gives the other at least this share of all water that comes to it."""


@dataclass(frozen=True, eq=False)
class StormApart:
    """A storm on a ground of which parts have nothing to do with each other.

    Attributes
    ----------
    part
        (n_ponds + 1,) part of each pond.
    parent, into
        (n_nodes,) the nest, cut where one part spills into another.
    runoff_m2
        (n_ponds + 1,) ground that rain runs off.
    inflow_m3
        (n_steps, n_ponds + 1) what other parts spill into each pond.
    rain_m, allowed_m
        (n_steps,) rain and allowance of the pumps, to the last step in which any pool rose.
    """

    ground: FloodGround
    part: IntArray
    parent: IntArray
    into: IntArray
    runoff_m2: FloatArray
    inflow_m3: FloatArray
    rain_m: FloatArray
    allowed_m: FloatArray
    served_m2: FloatArray
    step_s: float

    @classmethod
    def whole(
        cls, ground: FloodGround, flood: Flood, storm: Storm, pumping: Pumping, open_share: FloatArray
    ) -> tuple["StormApart", FloatArray]:
        """Prepare a storm in one part; also (n_steps, n_nodes) what had passed each pour point by then.

        Only the steps are kept that the levels of ``flood`` need.
        """
        ponds = ground.ponds
        falling, all_steps = storm.rain_mm(STEP_MIN) / 1000.0, len(flood.minutes)
        steps = min(len(falling) + SPARE_STEPS, all_steps)
        while True:
            rain = np.zeros(steps)
            rain[: len(falling)] = falling
            found = cls(
                ground=ground,
                part=np.minimum(np.arange(ponds.n_ponds + 1), 1),
                parent=ponds.parent,
                into=ponds.into,
                runoff_m2=ground.runoff_m2,
                inflow_m3=np.zeros((steps, ponds.n_ponds + 1)),
                rain_m=rain,
                allowed_m=pumping.allowed_mm(STEP_MIN, steps) / 1000.0,
                served_m2=ground.served_m2(pumping),
                step_s=STEP_MIN * 60.0,
            )
            passed = np.zeros((steps, ponds.n_nodes))
            level = found.levels(open_share, history=passed)
            if steps == all_steps or np.array_equal(level, flood.level_m):
                return found, passed
            steps = min(2 * steps, all_steps)

    def cut(self, part_of_node: IntArray, passed: FloatArray) -> "StormApart":
        """Cut parts apart: (n_nodes,) the part of each node; and what passed its pour point by each step."""
        ponds = self.ground.ponds
        part = part_of_node[: ponds.n_ponds + 1]
        goes = np.maximum(ponds.into, OUT)
        crossing = np.flatnonzero((goes != OUT) & (part_of_node != part[goes]))
        parent, into = ponds.parent.copy(), ponds.into.copy()
        into[crossing] = OUT
        parent[crossing[parent[crossing] > OUT]] = OUT
        inflow = np.zeros((len(passed), ponds.n_ponds + 1))
        np.add.at(inflow.T, goes[crossing], np.diff(passed[:, crossing], axis=0, prepend=0.0).T)
        return replace(self, part=part, parent=parent, into=into, inflow_m3=inflow)

    def less_water(self, share: float) -> "StormApart":
        """Let this share of all water not come."""
        return replace(self, runoff_m2=self.runoff_m2 * (1 - share), inflow_m3=self.inflow_m3 * (1 - share))

    def arriving_m3(self) -> FloatArray:
        """(n_ponds + 1,) water that comes to each pond from its ground and other parts."""
        return np.asarray(self.runoff_m2 * self.rain_m.sum() + self.inflow_m3.sum(axis=0))

    def levels(self, open_share: FloatArray, *, history: FloatArray | None = None) -> FloatArray:
        """(n_ponds + 1,) highest level at each pond, metres, minus infinity where it stays dry."""
        from models import flood_kernel as kernel

        ground, ponds = self.ground, self.ground.ponds
        n_ponds = ponds.n_ponds + 1
        peak, was_full, *_ = kernel.run_steps(
            self.rain_m,
            self.allowed_m,
            self.step_s,
            self.runoff_m2,
            self.served_m2,
            *ground.inlets(open_share),
            self.parent,
            ponds.parts,
            self.into,
            ponds.room_m3,
            np.zeros(n_ponds, np.int64),
            np.zeros(n_ponds),
            self.inflow_m3,
            np.zeros((0, 0)) if history is None else history,
        )
        volume = np.where((peak > 0) | was_full, peak + ground.of_parts_m3, 0.0)
        level = np.append(-np.inf, ponds.levels_m(np.arange(1, ponds.n_nodes), volume[1:]))
        level = np.maximum(level, np.where(was_full, ponds.spill_m, -np.inf))
        level[OUT] = -np.inf
        # A pond's level is that of the outermost pool around it that held water.
        found: FloatArray = level[:n_ponds].copy()
        node, climbing = np.arange(n_ponds), np.arange(1, n_ponds)
        while len(climbing):
            node[climbing] = self.parent[node[climbing]]
            climbing = climbing[node[climbing] > OUT]
            climbing = climbing[volume[node[climbing]] > 0]
            found[climbing] = np.maximum(found[climbing], level[node[climbing]])
        return found

    def harm(self, items: Items, open_share: FloatArray) -> FloatArray:
        """(n_nodes,) harm in each part."""
        inside = items.pond > OUT
        pond, limit, weight = items.pond[inside], items.level_m[inside], items.weight[inside]
        hit = self.levels(open_share)[pond] > limit
        return np.bincount(self.part[pond[hit]], weight[hit], self.ground.ponds.n_nodes).astype(np.float64)


def pools_of(ground: FloodGround, flood: Flood) -> IntArray:
    """(n_nodes,) pool of the ponds in each node; of one that never was one pool, that of its first pond."""
    ponds = ground.ponds
    pool = np.zeros(ponds.n_nodes, np.int64)
    pool[: len(flood.top)] = flood.top
    for node in range(len(flood.top), ponds.n_nodes):
        pool[node] = pool[ponds.parts[node, 0]]
    return pool


def linked_pools(flood: Flood, pool: IntArray, passed: FloatArray) -> IntArray:
    """(n_nodes,) low ground of each node: pools that give each other more than a trickle of their water."""
    ground, n_nodes = flood.ground, len(pool)
    into = np.maximum(ground.ponds.into, OUT)
    crossing = np.flatnonzero((into != OUT) & (pool != pool[into]) & (passed[-1] > 0))
    source, target, water = pool[crossing], pool[into[crossing]], passed[-1][crossing]
    rain_m = flood.storm.depth_mm / 1000.0
    comes = np.bincount(flood.top, ground.runoff_m2 * rain_m, n_nodes) + np.bincount(target, water, n_nodes)
    linked = water >= TRICKLE * comes[target]
    graph = coo_array(
        (np.ones(int(linked.sum())), (source[linked], target[linked])), shape=(n_nodes, n_nodes)
    )
    _, part = connected_components(graph, directed=False)
    # Parts are named by a node, so that they can be told apart where pools are; what lies outside stays OUT.
    name = np.full(part.max() + 1, n_nodes)
    np.minimum.at(name, part, np.arange(n_nodes))
    return np.where(pool == OUT, OUT, name[part[pool]])
