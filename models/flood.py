"""Where a storm's water stands: runoff, inlets, pumps, and bowls that fill, spill and merge.

The balance of each pond of :mod:`geo.drainage_ponds` in steps of minutes; docs/methods/storm.md has the
formulas, what they were checked against, and what is left out (pipes, velocities, the time water takes).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_edges import BoolArray, FloatArray, IntArray
from geo.drainage_hierarchy import NO_GROUND, OUT
from geo.drainage_ponds import Ponds
from models.storm import DAY_MIN, Pumping, Storm

STEP_MIN = 5.0
DEEP_M = 0.15
"""Water counts as standing from this depth at a pond's deepest place, for `Flood.standing_min`."""
OUTSIDE = -1
"""Pond of a basin that lies on no ground of the surface."""


@dataclass(frozen=True, eq=False)
class FloodGround:
    """Ponds with the basins that drain them: what every storm on a surface shares.

    Attributes
    ----------
    ponds
        The surface.
    pond
        (n_basins,) pond that each basin's ground drains to; ``OUT`` (0) where it drains off the surface,
        ``OUTSIDE`` (-1) where there is no ground.
    home
        (n_basins,) smallest node that puts the basin under water: it drains that node and those around it, as
        far as water stands in them. 0 where no pool ever reaches it.
    capacity_m3_s
        (n_basins,) what each takes at most when it is open.
    pump_area
        (n_basins,) number of its pump area, -1 in none that is known.
    runoff_m2
        (n_ponds + 1,) ground of each pond weighted by the share of rain that runs off it.
    by_pond, start
        Basins on the surface by pond: those of pond p are ``by_pond[start[p]:start[p + 1]]``.
    group_start, group_first, group_node
        Basins of one pond with one home are a group: where each pond's groups start, where each group's
        basins start in ``by_pond``, and the home of each group.
    """

    ponds: Ponds
    pond: IntArray
    home: IntArray
    capacity_m3_s: FloatArray
    pump_area: IntArray
    runoff_m2: FloatArray
    by_pond: IntArray
    start: IntArray
    group_start: IntArray
    group_first: IntArray
    group_node: IntArray

    @property
    def low(self) -> BoolArray:
        """(n_basins,) whether the basin lies below the level at which its pond spills: it can empty it.

        One that does not only takes from the runoff that passes it, and from larger pools that reach it.
        """
        return np.asarray((self.home > OUT) & (self.home == self.pond))

    @property
    def n_basins(self) -> int:
        """Basins, those outside included."""
        return len(self.pond)

    @property
    def ground_m2(self) -> float:
        """All ground of the surface."""
        return float(self.ponds.area_m2.sum())

    @cached_property
    def deep_at(self) -> tuple[IntArray, FloatArray]:
        """(n_ponds + 1,) node in which a pond reaches `DEEP_M`, and the water in it then beyond its parts.

        The node is 0 where the pond spills off before.
        """
        ponds = self.ponds
        level = ponds.bottom_m[: ponds.n_ponds + 1] + DEEP_M
        # A pond exactly so deep is deep when it is full, not when water stands over its rim.
        node = _homes(ponds, np.arange(ponds.n_ponds + 1), np.nextafter(level, -np.inf))
        water = np.full(len(node), np.inf)
        there = np.flatnonzero(node > OUT)
        water[there] = ponds.volumes_m3(node[there], level[there]) - self.of_parts_m3[node[there]]
        return node, water

    @cached_property
    def of_parts_m3(self) -> FloatArray:
        """(n_nodes,) water that each node's parts hold when full."""
        parts = self.ponds.parts
        return np.where(parts[:, 0] >= 0, self.ponds.volume_m3[parts].sum(axis=1), 0.0)

    def inlets(self, open_share: FloatArray) -> tuple[IntArray, FloatArray, IntArray, IntArray, IntArray]:
        """Give what `models.flood_kernel.run_steps` asks about inlets: ``start``, m3/s, and the groups."""
        flow = (open_share * self.capacity_m3_s)[self.by_pond]
        return self.start, flow, self.group_start, self.group_first, self.group_node

    def served_m2(self, pumping: Pumping) -> FloatArray:
        """(n_ponds + 1,) ground of each pond times its basins' mean share of the pumps' allowance.

        Zero for a pond without basins: nothing of it gets into the pipes.
        """
        share = pumping.share_of(self.pump_area[self.by_pond])
        pond = self.pond[self.by_pond]
        basins = np.diff(self.start)
        total = np.bincount(pond, share, len(basins))
        return self.ponds.area_m2 * np.divide(total, basins, out=np.zeros(len(basins)), where=basins > 0)


@dataclass(frozen=True, eq=False)
class Flood:
    """What a storm leaves: water at its highest at each pond, and the balance.

    Attributes
    ----------
    ground, storm
        What was asked.
    level_m
        (n_ponds + 1,) highest level over each pond's ground, metres; minus infinity where it stayed dry.
    volume_m3
        (n_nodes,) most water that each node held, its parts included; 0 for a node that never was one pool.
    standing_min
        (n_ponds + 1,) minutes with water of `DEEP_M` or more at the pond's deepest place, to the end of the
        run.
    top
        (n_ponds + 1,) outermost node whose water was one pool with the pond's at any time.
    spilled_m3
        (n_nodes,) water that passed each node's pour point when it was full.
    drained_by_pond_m3
        (n_ponds + 1,) water that the basins of each pond took.
    rain_m3, lost_m3, drained_m3, stored_m3, out_m3
        All rain; what did not run off; what the basins took; what stands at the end; what left the surface.
        ``rain = lost + drained + stored + out``.
    minutes, standing_series_m3, drained_series_m3, out_series_m3
        (n_steps,) ends of the steps, the water that stands then, and what was taken and went out so far.
    """

    ground: FloodGround
    storm: Storm
    level_m: FloatArray
    volume_m3: FloatArray
    standing_min: FloatArray
    top: IntArray
    spilled_m3: FloatArray
    drained_by_pond_m3: FloatArray
    rain_m3: float
    lost_m3: float
    drained_m3: float
    stored_m3: float
    out_m3: float
    minutes: FloatArray
    standing_series_m3: FloatArray
    drained_series_m3: FloatArray
    out_series_m3: FloatArray

    @property
    def depth_m(self) -> npt.NDArray[np.float32]:
        """(rows, columns) highest depth, metres, zero where dry, NaN without ground; made at each call."""
        from models import flood_kernel as kernel

        ponds = self.ground.ponds
        return kernel.depths(ponds.label, ponds.dem_m, self.level_m)

    @property
    def peak_m3(self) -> float:
        """Most water that stood at the end of any step."""
        return float(self.standing_series_m3.max(initial=0.0))


def prepare_ground(
    ponds: Ponds,
    *,
    basin_row: npt.ArrayLike,
    basin_column: npt.ArrayLike,
    capacity_m3_s: npt.ArrayLike,
    runoff_share: npt.ArrayLike,
    pump_area: npt.ArrayLike | None = None,
) -> FloodGround:
    """Put basins on a surface: done once, before any storm.

    Parameters
    ----------
    ponds
        The surface.
    basin_row, basin_column
        (n_basins,) cell under each basin; anything outside the grid (-1) is a basin outside.
    capacity_m3_s
        What each takes at most when it is open: one number or (n_basins,), such as
        `models.inlets.sag_capacity` at the depth at which inlets are valued.
    runoff_share
        Share of the rain that runs off, 0 to 1: one number, or (rows, columns) where ground without data
        does not count.
    pump_area
        (n_basins,) number of each basin's pump area from 0, -1 in none that is known; None: one for all.

    Returns
    -------
    FloodGround

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    faults = Faults()
    row, column = (np.atleast_1d(np.asarray(cells, dtype=np.int64)) for cells in (basin_row, basin_column))
    faults.check(row.shape == column.shape and row.ndim == 1, "give one row and one column for each basin")
    capacity = np.asarray(capacity_m3_s, dtype=np.float64)
    faults.check(capacity.shape in {(), row.shape}, "capacity_m3_s must be one number, or one for each basin")
    faults.check(
        np.isfinite(capacity).all() and (capacity >= 0).all(), "capacity_m3_s must be a number, zero or more"
    )
    area = np.zeros(row.shape, np.int64) if pump_area is None else np.asarray(pump_area, dtype=np.int64)
    faults.check(area.shape == row.shape, "pump_area must name one area for each basin, -1 for none")
    faults.check(not area.size or area.min() >= -1, "pump areas are numbered from 0; -1 is none")
    runoff_m2 = _runoff_m2(ponds, np.asarray(runoff_share, dtype=np.float64), faults)
    faults.raise_as(InvalidInputError, "The basins cannot be put on the ground")
    held = (row >= 0) & (row < ponds.label.shape[0]) & (column >= 0) & (column < ponds.label.shape[1])
    pond = np.full(len(row), OUTSIDE, dtype=np.int64)
    pond[held] = ponds.label[row[held], column[held]]
    home = _homes(ponds, pond, np.where(held, ponds.dem_m[row * held, column * held], np.inf))
    order = np.lexsort((home, pond))
    order = order[pond[order] > NO_GROUND]
    start = np.searchsorted(pond[order], np.arange(ponds.n_ponds + 2))
    named, group_first = np.unique((pond * ponds.n_nodes + home)[order], return_index=True)
    return FloodGround(
        ponds=ponds,
        pond=pond,
        home=home,
        capacity_m3_s=np.broadcast_to(capacity, row.shape).copy(),
        pump_area=area.copy(),
        runoff_m2=runoff_m2,
        by_pond=order,
        start=start,
        group_start=np.searchsorted(named // ponds.n_nodes, np.arange(ponds.n_ponds + 2)),
        group_first=np.append(group_first, len(order)),
        group_node=named % ponds.n_nodes,
    )


def run_storm(
    ground: FloodGround,
    storm: Storm,
    pumping: Pumping,
    open_share: npt.ArrayLike,
    *,
    step_min: float = STEP_MIN,
) -> Flood:
    """Run a storm until a day after its start.

    In each step rain runs off and reaches its pond at once. Each basin has an even share of its pond's
    runoff: one on a slope takes from it what its opening lets in, and the rest passes on; those that lie low
    take from what comes and from what stands. Together they take no more than the pumps' allowance on the
    pond's ground. What is left fills the pond, spills and merges. Ponds that stand as one pool are drained
    together.

    Parameters
    ----------
    ground
        Ponds and basins.
    storm, pumping
        Rain, and what pipes and pumps take at most.
    open_share
        Expected open share of each inlet, 0 (clogged, or its line is blocked) to 1: one number or
        (n_basins,).
    step_min
        Length of a step, minutes.

    Returns
    -------
    Flood

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    share = np.asarray(open_share, dtype=np.float64)
    faults = Faults()
    faults.check(
        share.shape in {(), (ground.n_basins,)},
        f"open_share must be one number, or one for each of the {ground.n_basins} basins",
    )
    ok = (share >= 0) & (share <= 1)
    faults.check(ok.all(), f"open_share must be from 0 to 1; mend {int((~ok).sum())} of its values")
    faults.check(
        np.isfinite(step_min) and 0 < step_min <= 60, "step_min must be minutes above zero, up to an hour"
    )
    faults.raise_as(InvalidInputError, "The storm cannot be run")
    return _run(ground, storm, pumping, np.broadcast_to(share, (ground.n_basins,)), step_min)


def run_storms(
    ground: FloodGround, storm: Storm, pumping: Pumping, open_shares: Iterable[npt.ArrayLike]
) -> Iterator[Flood]:
    """Run one storm with many states of the basins, one flood for each; see `run_storm`."""
    for share in open_shares:
        yield run_storm(ground, storm, pumping, share)


def _run(ground: FloodGround, storm: Storm, pumping: Pumping, share: FloatArray, step_min: float) -> Flood:
    from models import flood_kernel as kernel

    ponds = ground.ponds
    steps = int(np.ceil(DAY_MIN / step_min - 1e-9))
    rain_m = np.zeros(steps)
    falling = storm.rain_mm(step_min) / 1000.0
    rain_m[: len(falling)] = falling
    deep_node, deep_m3 = ground.deep_at
    peak, was_full, held, deep, drained, spilled, series = kernel.run_steps(
        rain_m,
        pumping.allowed_mm(step_min, steps) / 1000.0,
        step_min * 60.0,
        ground.runoff_m2,
        ground.served_m2(pumping),
        *ground.inlets(share),
        ponds.parent,
        ponds.parts,
        ponds.into,
        ponds.room_m3,
        deep_node,
        deep_m3,
        inflow_m3=np.zeros((0, 0)),
        history=np.zeros((0, 0)),
    )
    # Where two passes are equally high a node has no room of its own: it is one pool when it is full.
    volume = np.where((peak > 0) | was_full, peak + ground.of_parts_m3, 0.0)
    level, top = _levels_and_tops(ponds, np.where(was_full, ponds.spill_m, -np.inf), volume)
    rain_m3 = float(rain_m.sum()) * ground.ground_m2
    lost_m3 = float(rain_m.sum()) * (ground.ground_m2 - float(ground.runoff_m2.sum()))
    return Flood(
        ground=ground,
        storm=storm,
        level_m=level,
        volume_m3=volume,
        standing_min=deep.astype(np.float64) * step_min,
        top=top,
        spilled_m3=spilled,
        drained_by_pond_m3=drained,
        rain_m3=rain_m3,
        lost_m3=lost_m3,
        drained_m3=float(series[1, -1]),
        stored_m3=float(held.sum()),
        out_m3=float(series[2, -1]),
        minutes=np.minimum(np.arange(1, steps + 1) * step_min, DAY_MIN),
        standing_series_m3=series[0],
        drained_series_m3=series[1],
        out_series_m3=series[2],
    )


def _levels_and_tops(ponds: Ponds, full_m: FloatArray, volume_m3: FloatArray) -> tuple[FloatArray, IntArray]:
    """Highest level over each pond, and the outermost node it was one pool with."""
    nodes = np.arange(1, ponds.n_nodes)
    level = np.append(-np.inf, np.maximum(ponds.levels_m(nodes, volume_m3[1:]), full_m[1:]))
    top = np.arange(ponds.n_nodes)
    for node in range(ponds.n_nodes - 1, 0, -1):
        outer = ponds.parent[node]
        if outer > OUT and volume_m3[outer] > 0.0:
            level[node] = max(level[node], level[outer])
            top[node] = top[outer]
    return level[: ponds.n_ponds + 1], top[: ponds.n_ponds + 1]


def _homes(ponds: Ponds, pond: IntArray, level_m: FloatArray) -> IntArray:
    """(n,) smallest node around each pond that puts a level under water, ``OUT`` where none does."""
    home = np.maximum(pond, OUT)
    climbing = np.flatnonzero((home > OUT) & (level_m >= ponds.spill_m[home]))
    while len(climbing):
        home[climbing] = np.maximum(ponds.parent[home[climbing]], OUT)
        at = home[climbing]
        climbing = climbing[(at > OUT) & (level_m[climbing] >= ponds.spill_m[at])]
    return home


def _runoff_m2(ponds: Ponds, share: FloatArray, faults: Faults) -> FloatArray:
    """(n_ponds + 1,) ground weighted by the share that runs off."""
    if share.ndim and share.shape != ponds.label.shape:
        faults.add(f"runoff_share has the shape {share.shape}; the surface has {ponds.label.shape}")
        return np.zeros(ponds.n_ponds + 1)
    ground = ponds.label != NO_GROUND
    known = share[ground] if share.ndim else share
    ok = (known >= 0) & (known <= 1)
    faults.check(
        ok.all(),
        f"runoff_share must be from 0 to 1 on all ground; {int((~ok).sum())} cells have none or another",
    )
    if not share.ndim:
        return ponds.area_m2 * float(share)
    weighted = np.bincount(ponds.label[ground], np.nan_to_num(known), ponds.n_ponds + 1)
    return np.asarray(weighted * ponds.cell_m**2)
