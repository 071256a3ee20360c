"""What the error of a surveyed surface does to its pools: draw the surface many times and count."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from errors import Faults, InvalidInputError
from geo.drainage_edges import Edge, FloatArray, check_surface
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_water import place_water, rain_on_leaves

LEAST_DRAWS = 100
"""Fewer draws leave a chance of one half uncertain by more than 10 points."""

REACH = 4.0
"""Standard deviations of the bell at which it is cut off."""


@dataclass(frozen=True)
class ElevationError:
    """Error of a surface's levels: a Gaussian field over space.

    Attributes
    ----------
    sd_m
        Standard deviation at a cell, metres.
    range_m
        Metres over which errors are alike: two places d apart correlate by exp(-(d / range_m)^2).
    white_share
        Share of the variance that is each cell's own, 0 to 1.
    """

    sd_m: float
    range_m: float
    white_share: float = 0.0

    def __post_init__(self) -> None:
        """Check the figures."""
        faults = Faults()
        faults.check(np.isfinite(self.sd_m) and self.sd_m >= 0, "sd_m must be metres, zero or more")
        faults.check(np.isfinite(self.range_m) and self.range_m > 0, "range_m must be metres above zero")
        faults.check(0 <= self.white_share <= 1, "white_share must be from 0 to 1")
        faults.raise_as(InvalidInputError, "The elevation error cannot be drawn")

    def draw(self, shape: tuple[int, int], cell_m: float, random: np.random.Generator) -> FloatArray:
        """(rows, columns) metres of error, one draw.

        White noise smoothed by a bell of standard deviation ``range_m / 2`` has the stated correlation; it is
        drawn on a wider grid, so that the border is like the rest.
        """
        spread = self.range_m / 2 / cell_m
        margin = int(np.ceil(REACH * spread))
        noise = random.standard_normal((shape[0] + 2 * margin, shape[1] + 2 * margin), dtype=np.float32)
        line = np.zeros(2 * margin + 1)
        line[margin] = 1.0
        bell = ndimage.gaussian_filter1d(line, spread, truncate=REACH, mode="constant")
        smooth = ndimage.gaussian_filter(noise, spread, truncate=REACH, mode="constant")
        held = np.s_[margin : margin + shape[0], margin : margin + shape[1]]
        alike = smooth[held].astype(np.float64) / np.sum(bell**2)
        own = random.standard_normal(shape) if self.white_share > 0 else 0.0
        return np.asarray(
            self.sd_m * (np.sqrt(1 - self.white_share) * alike + np.sqrt(self.white_share) * own)
        )


@dataclass(frozen=True, eq=False)
class WetDraws:
    """How often each cell is under water over the draws.

    Attributes
    ----------
    p_wet
        (rows, columns) share of the draws, NaN without ground. Its standard error is
        ``sqrt(p (1 - p) / draws)``.
    draws
        Number of draws.
    wet_m2, stored_m3
        (draws,) ground under water, and the water on it, in each draw.
    """

    p_wet: FloatArray
    draws: int
    wet_m2: FloatArray
    stored_m3: FloatArray


def drawn_surfaces(
    dem: npt.ArrayLike, cell_m: float, *, error: ElevationError, draws: int, seed: int
) -> Iterator[FloatArray]:
    """Give the surface with its error, drawn anew each time; draw k is the same whatever their number."""
    z = np.asarray(dem, dtype=np.float64)
    for stream in np.random.SeedSequence(seed).spawn(draws):
        yield z + error.draw(z.shape, cell_m, np.random.default_rng(stream))


def wet_chance(
    dem: npt.ArrayLike,
    cell_m: float,
    *,
    edge: Edge,
    error: ElevationError,
    seed: int,
    rain_m: npt.ArrayLike | None = None,
    least_depth_m: float = 0.3,
    draws: int = LEAST_DRAWS,
    on_draw: Callable[[int, int], None] | None = None,
) -> WetDraws:
    """Chance that each cell is under water, given that the surface is known with an error only.

    Parameters
    ----------
    dem
        (rows, columns) ground level in metres, NaN where there is no ground.
    cell_m
        Side of a cell, metres.
    edge
        Where water leaves; see :data:`geo.drainage_edges.Edge`.
    error
        The error of the levels.
    seed
        Seed of the draws.
    rain_m
        Runoff in metres, one number or (rows, columns); all bowls full when not given.
    least_depth_m
        A cell is wet when water stands at least so deep.
    draws
        Number of draws, at least ``LEAST_DRAWS``.
    on_draw
        Called after each draw with the draws done and their number; an exception it raises ends the work.

    Returns
    -------
    WetDraws

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    faults = Faults()
    z = check_surface(dem, faults)
    faults.check(np.isfinite(cell_m) and cell_m > 0, "cell_m must be a number of metres above zero")
    faults.check(draws >= LEAST_DRAWS, f"draws must be at least {LEAST_DRAWS}")
    faults.check(np.isfinite(least_depth_m) and least_depth_m > 0, "least_depth_m must be metres above zero")
    faults.raise_as(InvalidInputError, "The chance of water cannot be drawn")
    times = np.zeros(z.shape, dtype=np.int64)
    wet_m2, stored_m3 = np.zeros(draws), np.zeros(draws)
    surfaces = drawn_surfaces(z, cell_m, error=error, draws=draws, seed=seed)
    for number, surface in enumerate(surfaces):
        bowls = nest_bowls(surface, cell_m, edge=edge)
        if rain_m is None:
            depth = bowls.filled_m - surface
        else:
            depth = place_water(bowls, rain_on_leaves(bowls, rain_m)).depth_m
        wet = depth >= least_depth_m
        times += wet
        wet_m2[number] = wet.sum() * cell_m**2
        stored_m3[number] = np.nansum(depth) * cell_m**2
        if on_draw is not None:
            on_draw(number + 1, draws)
    return WetDraws(np.where(np.isnan(z), np.nan, times / draws), draws, wet_m2, stored_m3)
