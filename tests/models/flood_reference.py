"""A storm in plain Python: all water is poured anew in every step, pools are drained by recursion."""

from dataclasses import dataclass, field

import numpy as np

from geo.drainage_edges import FloatArray
from geo.drainage_hierarchy import OUT
from geo.drainage_water import place_water
from models.flood import FloodGround
from models.storm import DAY_MIN, Pumping, Storm


@dataclass
class SlowFlood:
    """What `models.flood.run_storm` is held against."""

    ground: FloodGround
    flow_m3_s: FloatArray
    level_m: FloatArray = field(init=False)
    drained_m3: float = 0.0
    out_m3: float = 0.0
    stored_m3: float = 0.0

    def run(self, storm: Storm, pumping: Pumping, step_min: float) -> "SlowFlood":
        """Run the storm for a day."""
        ponds = self.ground.ponds
        steps = round(DAY_MIN / step_min)
        rain = np.append(storm.rain_mm(step_min), np.zeros(steps))[:steps] / 1000
        allowed = pumping.allowed_mm(step_min, steps) / 1000
        served = self.ground.served_m2(pumping)
        pools: dict[int, float] = {}
        self.level_m = np.full(ponds.n_ponds + 1, -np.inf)
        for step in range(steps):
            arriving, spare = self._catch(rain[step], allowed[step] * served, step_min * 60)
            left: dict[int, float] = {}
            for node, volume in pools.items():
                self._drain(node, volume, 1.0, spare, left)
            for node, volume in left.items():
                arriving[self._ponds_of(node)[0]] += volume
            water = place_water(ponds.nest, arriving)
            self.out_m3 += water.out_m3
            self.stored_m3 = water.stored_m3
            self.level_m = np.maximum(self.level_m, water.level_m)
            pools = self._pools(water.held_m3, water.full)
        return self

    def _catch(
        self, rain_m: float, allowed_m3: FloatArray, seconds: float
    ) -> tuple[FloatArray, dict[int, float]]:
        """Return what arrives at each pond, and what inlets of each home could still take."""
        ground, n = self.ground, self.ground.ponds.n_ponds + 1
        arriving, spare = np.zeros(n), dict.fromkeys(range(ground.ponds.n_nodes), 0.0)
        for pond in range(n):
            basins = np.flatnonzero(ground.pond == pond)
            comes = rain_m * ground.runoff_m2[pond]
            can = dict(zip(basins, self.flow_m3_s[basins] * seconds, strict=True))
            low = [b for b in basins if ground.low[b]]
            passing = {b: min(can[b], comes / len(basins)) for b in basins if b not in low}
            caught = min(sum(passing.values()), allowed_m3[pond])
            emptying = min(sum(can[b] for b in low), allowed_m3[pond] - caught)
            at_once = min(emptying, comes - caught)
            self.drained_m3 += caught + at_once
            arriving[pond] = comes - caught - at_once
            spare[pond] += emptying - at_once
            allowance = allowed_m3[pond] - caught - emptying
            for home in sorted({int(ground.home[b]) for b in basins} - {OUT, pond}):
                more = sum(can[b] - passing[b] for b in basins if ground.home[b] == home)
                spare[home] += min(more, allowance)
                allowance -= min(more, allowance)
        return arriving, spare

    def _drain(
        self, node: int, volume: float, share: float, spare: dict[int, float], left: dict[int, float]
    ) -> None:
        """Take what a share of the step allows from a pool, the top water first."""
        ponds = self.ground.ponds
        parts = [int(part) for part in ponds.parts[node] if part > 0]
        under = sum(ponds.volume_m3[part] for part in parts)
        wanted = share * sum(spare[at] for at in self._nodes_of(node))
        taken = min(max(volume - under, 0.0), wanted)
        self.drained_m3 += taken
        if not parts or taken >= wanted:
            left[node] = volume - taken
            return
        for part in parts:
            self._drain(part, ponds.volume_m3[part], share * (1 - taken / wanted), spare, left)

    def _pools(self, held: FloatArray, full: np.ndarray) -> dict[int, float]:
        """Return each outermost pool that holds water, with its water."""
        ponds = self.ground.ponds
        pools = {}
        for node in range(ponds.n_nodes - 1, 0, -1):
            above = ponds.parent[node]
            parts = ponds.parts[node]
            wet = held[node] > 0 or full[node]
            inside = above > OUT and (held[above] > 0 or full[above])
            if wet and not inside:
                whole = held[node] + (ponds.volume_m3[parts].sum() if parts[0] > 0 else 0.0)
                pools[node] = float(whole)
        return pools

    def _nodes_of(self, node: int) -> list[int]:
        parts = self.ground.ponds.parts[node]
        return [node] + ([at for part in parts for at in self._nodes_of(int(part))] if parts[0] > 0 else [])

    def _ponds_of(self, node: int) -> list[int]:
        return [at for at in self._nodes_of(node) if at <= self.ground.ponds.n_ponds]
