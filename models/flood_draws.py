"""Where water may stand, given that ground and basins are known with an error only: many draws of one storm.

In each draw the surface gets another error, its bowls are nested anew, and each basin is in one of the states
that it may be in; then the storm runs. What is counted: how often each cell is under water, any figure of
interest, and whether the pools of the surveyed surface are found again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from geo.drainage_edges import Edge, FloatArray, IntArray
from geo.drainage_error import LEAST_DRAWS, ElevationError, drawn_surfaces
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import significant_ponds
from models.basin_inputs import BasinStates
from models.flood import Flood, FloodGround, prepare_ground, run_storm
from models.storm import Pumping, Storm

WET_M = 0.3
"""A cell is wet when water stands at least so deep."""

SAME_POOL = 0.5
"""A pool is found again when it and one of the draw share this part of the ground that either covers."""

PARTS = (5, 20, 50)
"""Draws after which a first result is handed over."""

INTERVAL = 0.9

Figures = Mapping[str, float]
NO_FIGURES: Figures = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class FloodCase:
    """A surface with its basins, and the storm that falls on it.

    Attributes
    ----------
    dem_m, cell_m, edge
        (rows, columns) ground, side of a cell in metres, and where water leaves; see
        `geo.drainage_hierarchy.nest_bowls`.
    basin_row, basin_column, capacity_m3_s, runoff_share, pump_area
        As `models.flood.prepare_ground` takes them.
    storm, pumping
        The storm.
    min_depth_m, min_volume_m3
        Bowls that are less are noise; see `geo.drainage_ponds.significant_ponds`.
    """

    dem_m: FloatArray
    cell_m: float
    edge: Edge
    basin_row: IntArray
    basin_column: IntArray
    capacity_m3_s: FloatArray
    runoff_share: npt.ArrayLike
    pump_area: IntArray | None
    storm: Storm
    pumping: Pumping
    min_depth_m: float = 0.3
    min_volume_m3: float = 0.0

    def ground(self, dem_m: FloatArray | None = None) -> FloodGround:
        """Prepare the surveyed surface, or another one in its place."""
        bowls = nest_bowls(self.dem_m if dem_m is None else dem_m, self.cell_m, edge=self.edge)
        return prepare_ground(
            significant_ponds(bowls, min_depth_m=self.min_depth_m, min_volume_m3=self.min_volume_m3),
            basin_row=self.basin_row,
            basin_column=self.basin_column,
            capacity_m3_s=self.capacity_m3_s,
            runoff_share=self.runoff_share,
            pump_area=self.pump_area,
        )


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw.

    Attributes
    ----------
    number
        Draws before this one.
    flood
        The storm on the drawn surface, with the ground it ran on.
    open_share, open_if_cleaned
        (n_basins,) the drawn open share of each basin, as it is and after a crew has been there.
    """

    case: FloodCase
    number: int
    flood: Flood
    open_share: FloatArray
    open_if_cleaned: FloatArray

    def cleaned(self, basins: IntArray) -> Flood:
        """Run the same storm on the same ground with some basins cleaned before it."""
        share = self.open_share.copy()
        share[basins] = self.open_if_cleaned[basins]
        return run_storm(self.flood.ground, self.case.storm, self.case.pumping, share)


@dataclass(frozen=True, eq=False)
class FloodDraws:
    """What the draws say so far.

    Attributes
    ----------
    case
        The storm.
    draws
        Number of draws.
    p_wet
        (rows, columns) share of the draws in which a cell is wet, NaN without ground; its standard error is
        ``sqrt(p (1 - p) / draws)``.
    base
        The storm on the surveyed surface, basins as they are expected to be.
    pool, pool_m2
        (n,) pools of ``base`` that have wet ground (nodes, see `models.flood.Flood.top`), and that ground.
    found
        (n,) share of the draws in which each is found again: a pool of the draw shares at least half of the
        wet ground that either covers.
    figures
        Each figure asked for, (draws,); always ``wet_m2``, the wet ground.
    """

    case: FloodCase
    draws: int
    p_wet: npt.NDArray[np.float32]
    base: Flood
    pool: IntArray
    pool_m2: FloatArray
    found: FloatArray
    figures: Mapping[str, FloatArray] = field(default_factory=dict)

    def interval(self, name: str, share: float = INTERVAL) -> tuple[float, float, float]:
        """Low end, median and high end of a figure over the draws."""
        tail = (1 - share) / 2
        low, middle, high = np.quantile(self.figures[name], [tail, 0.5, 1 - tail])
        return float(low), float(middle), float(high)

    @property
    def ground_found(self) -> float:
        """Share of the surveyed surface's wet ground whose pool is found again in half the draws or more."""
        total = self.pool_m2.sum()
        return float(self.pool_m2[self.found >= SAME_POOL].sum() / total) if total else 1.0


def sign_holds(values: npt.ArrayLike, *, share: float = 0.9) -> bool:
    """Tell whether a figure has one sign, up or down, in that share of the draws or more."""
    drawn = np.asarray(values, dtype=np.float64)
    return bool(len(drawn) and max((drawn > 0).mean(), (drawn < 0).mean()) >= share)


def state_draws(states: BasinStates) -> Callable[[np.random.Generator], tuple[FloatArray, FloatArray]]:
    """Draw the basins' open shares, as they are and after a crew has been there, one state at a time."""

    def draw(random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        before, after = states.draws(1, seed=int(random.integers(2**32)))
        return before[0], after[0]

    return draw


def draw_floods(
    case: FloodCase,
    *,
    open_share: FloatArray,
    states: Callable[[np.random.Generator], tuple[FloatArray, FloatArray]],
    error: ElevationError,
    seed: int,
    draws: int = LEAST_DRAWS,
    look: Callable[[Draw], Figures] = lambda _: NO_FIGURES,
    on_draw: Callable[[int, int], None] = lambda _, __: None,
    on_part: Callable[[FloodDraws], None] = lambda _: None,
) -> FloodDraws:
    """Draw surfaces and basins, and run the storm on each.

    Parameters
    ----------
    case
        The storm.
    open_share
        (n_basins,) expected open shares, for the storm on the surveyed surface.
    states
        Draws the basins' open shares, as they are and after a crew has been there; such as `state_draws`.
    error
        Error of the surface's levels.
    seed
        Seed of all draws; draw k is the same whatever their number.
    draws
        Number of draws, at least 100.
    look
        Asked for figures after each draw, always the same names.
    on_draw
        Called after each draw with the draws done and their number; an exception it raises ends the work.
    on_part
        Given the result so far after ``PARTS`` draws.

    Returns
    -------
    FloodDraws

    Raises
    ------
    InvalidInputError
        If there are too few draws, or figures come under other names than before.
    """
    faults = Faults()
    faults.check(draws >= LEAST_DRAWS, f"draws must be at least {LEAST_DRAWS}")
    faults.raise_as(InvalidInputError, "The storm cannot be drawn")
    tally = _Tally(case, run_storm(case.ground(), case.storm, case.pumping, open_share))
    surfaces = drawn_surfaces(case.dem_m, case.cell_m, error=error, draws=draws, seed=seed)
    for number, surface in enumerate(surfaces):
        # A stream of its own: the basins of draw k do not hang on how many numbers the surface took.
        random = np.random.default_rng(np.random.SeedSequence([seed, number, 1]))
        as_is, cleaned = states(random)
        flood = run_storm(case.ground(surface), case.storm, case.pumping, as_is)
        tally.add(flood, look(Draw(case, number, flood, as_is, cleaned)))
        if number + 1 in PARTS:
            on_part(tally.result())
        on_draw(number + 1, draws)
    return tally.result()


class _Tally:
    """Counts over the draws, in one number a cell of ground: no draw is kept."""

    def __init__(self, case: FloodCase, base: Flood) -> None:
        self._case, self._base = case, base
        self._ground = np.flatnonzero(~np.isnan(case.dem_m))
        self._times = np.zeros(len(self._ground), dtype=np.uint16)
        pool, _ = self._pools(base)
        self._pool, self._pool_of_cell = np.unique(pool, return_inverse=True)
        # Cells outside any pool are the first group, so that pools are numbered from 1.
        if not len(self._pool) or self._pool[0] != 0:
            self._pool, self._pool_of_cell = np.append(0, self._pool), self._pool_of_cell + 1
        self._size = np.bincount(self._pool_of_cell, minlength=len(self._pool))
        self._found = np.zeros(len(self._pool), dtype=np.int64)
        self._figures: list[Figures] = []

    def add(self, flood: Flood, figures: Figures) -> None:
        pool, wet = self._pools(flood)
        self._times += wet
        number, drawn = np.unique(pool, return_inverse=True)
        size = np.bincount(drawn)
        both = np.flatnonzero(wet & (self._pool_of_cell > 0))
        pair, shared = np.unique(self._pool_of_cell[both] * len(number) + drawn[both], return_counts=True)
        mine, theirs = np.divmod(pair, len(number))
        overlap = shared / (self._size[mine] + size[theirs] - shared)
        self._found[np.unique(mine[overlap >= SAME_POOL])] += 1
        figures = {"wet_m2": float(wet.sum()) * self._case.cell_m**2, **figures}
        if self._figures and figures.keys() != self._figures[0].keys():
            raise InvalidInputError(
                "A draw gave other figures than the one before; look must give the same names"
            )
        self._figures.append(figures)

    def result(self) -> FloodDraws:
        draws = len(self._figures)
        p_wet = np.full(self._case.dem_m.size, np.nan, dtype=np.float32)
        p_wet[self._ground] = self._times / np.float32(draws)
        return FloodDraws(
            case=self._case,
            draws=draws,
            p_wet=p_wet.reshape(self._case.dem_m.shape),
            base=self._base,
            pool=self._pool[1:],
            pool_m2=np.asarray(self._size[1:] * self._case.cell_m**2, dtype=np.float64),
            found=self._found[1:] / draws,
            figures={
                name: np.array([figures[name] for figures in self._figures]) for name in self._figures[0]
            },
        )

    def _pools(self, flood: Flood) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        """(n_ground,) the pool that stands over each cell, 0 where it is not wet; and whether it is wet."""
        ponds = flood.ground.ponds
        label = ponds.label.ravel()[self._ground]
        wet = flood.level_m[label] - ponds.dem_m.ravel()[self._ground] >= WET_M
        return np.where(wet, flood.top[label], 0), wet
