"""Expected calls by cell and hour of the week, from few calls: smoothed, with intervals and with its skill.

A cell has too few calls in one hour of the week to speak for itself. The rate is built from what is known
well to what is known badly, and at each step only as far as the data carry it:

    rate[h, c] = level x hour share[h] x cell share[c] x own factor[h, c]

Level: calls a week, recent weeks counting more. Each share and factor is an average of what was seen and what
was expected, ``(a + seen) / (a + expected)``, the mean of a gamma prior with mean 1 and shape ``a`` after
Poisson counts; ``a`` is fitted to all cells together (empirical Bayes: Clayton and Kaldor 1987, Biometrics
43). Seen and expected of neighbouring hours and cells count too, with a kernel's weight.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array, eye_array
from scipy.spatial import cKDTree
from scipy.special import gammaln
from scipy.stats import gamma

from errors import Faults, InvalidInputError
from models.coverage import CONFIDENCE
from models.weekly_counts import HOURS_A_WEEK, WeeklyCounts

FloatArray = npt.NDArray[np.float64]

SHARE_HALF_LIFE_WEEKS = 26.0
"""A week this long ago counts half in the shares of hours and cells."""
LEVEL_HALF_LIVES_WEEKS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Tried for the level; the one that would have foretold the past weeks best is taken."""
HOUR_SD = 1.0
"""Standard deviation of the kernel over hours."""
KERNEL_REACH = 3.0
LARGEST_SHAPE = 1e6
SMALLEST_SHAPE = 1e-3
SHARE_ROUNDS = 4
LEVEL_START_WEEKS = 3
RECENT_WEEKS = 4
YEARS = 5
WEEKS_A_YEAR = 52


@dataclass(frozen=True, eq=False)
class Rates:
    """Expected calls an hour in one coming week, and how they vary.

    Attributes
    ----------
    hour_of_week
        (n_slots,) hour of the week of each row.
    mean
        (n_slots, n_cells) expected calls an hour.
    shape, city_shape
        (n_slots, n_cells) and (n_slots,) shapes of the gamma distributions of each rate and of the rate over
        all cells, the level aside; a relative variance is 1 / shape.
    extra
        Relative variance of a single hour around its rate, over Poisson: weather, events, holidays.
    level, level_variance
        Expected calls in the week, and its relative variance.
    """

    hour_of_week: npt.NDArray[np.int64]
    mean: FloatArray
    shape: FloatArray
    city_shape: FloatArray
    extra: float
    level: float
    level_variance: float

    def interval(self, level: float = CONFIDENCE) -> tuple[FloatArray, FloatArray]:
        """(n_slots, n_cells) lower and upper limits of the rates."""
        return _gamma_interval(self.mean, self.shape, self.level_variance, level)

    @property
    def count_shape(self) -> FloatArray:
        """(n_slots, n_cells) shape of the negative binomial distribution of the calls in one hour."""
        return _with_variance(self.shape, self.level_variance + self.extra)

    @property
    def city_mean(self) -> FloatArray:
        """(n_slots,) expected calls an hour over all cells."""
        total: FloatArray = self.mean.sum(axis=1)
        return total

    @property
    def city_count_shape(self) -> FloatArray:
        """(n_slots,) shape of the negative binomial distribution of all cells' calls in one hour."""
        return _with_variance(self.city_shape, self.level_variance + self.extra)

    def city_interval(self, level: float = CONFIDENCE) -> tuple[FloatArray, FloatArray]:
        """(n_slots,) lower and upper limits of the rate over all cells."""
        return _gamma_interval(self.city_mean, self.city_shape, self.level_variance, level)


def _with_variance(shape: FloatArray, variance: float) -> FloatArray:
    """Shape after a relative variance is added to that of ``shape``."""
    added: FloatArray = 1 / (1 / shape + variance)
    return added


def _gamma_interval(
    mean: FloatArray, shape: FloatArray, variance: float, level: float
) -> tuple[FloatArray, FloatArray]:
    whole, tail = _with_variance(shape, variance), (1 - level) / 2
    low, high = (gamma.ppf(q, whole, scale=mean / whole) for q in (tail, 1 - tail))
    return np.asarray(low), np.asarray(high)


def shrink(seen: FloatArray, expected: FloatArray) -> tuple[FloatArray, float]:
    """Factors on expected counts, drawn towards 1 as far as counts are few.

    ``seen ~ Poisson(expected x factor)``, ``factor ~ Gamma(a, a)``. ``a`` maximises the negative binomial
    likelihood of all counts together; the factor given is the posterior mean ``(a + seen) / (a + expected)``.

    Parameters
    ----------
    seen, expected
        (...) counts (weighted counts need not be whole) and what was expected of them, zero or more.

    Returns
    -------
    factor, shape
        (...) and ``a``, at most ``LARGEST_SHAPE`` (no more variation than chance).
    """
    a = fit_shape(seen, expected)
    factor: FloatArray = (a + seen) / (a + expected)
    return factor, a


def fit_shape(seen: FloatArray, expected: FloatArray) -> float:
    """Shape ``a`` of ``factor ~ Gamma(a, a)`` that makes the counts ``seen`` most likely."""
    known = expected > 0
    y, m = seen[known], expected[known]
    if not len(y):
        return LARGEST_SHAPE

    def loss(log_a: float) -> float:
        a = np.exp(log_a)
        return -float((gammaln(a + y) - gammaln(a) + a * np.log(a / (a + m)) + y * np.log(m / (a + m))).sum())

    bounds = (np.log(SMALLEST_SHAPE), np.log(LARGEST_SHAPE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def hour_kernel(hour_of_week: npt.NDArray[np.int64], sd_h: float = HOUR_SD) -> FloatArray:
    """(n_slots, n_slots) weight of each hour for each other: Gaussian around the week, 1 for itself."""
    if sd_h <= 0:
        return np.eye(len(hour_of_week))
    apart = np.abs(hour_of_week[:, None] - hour_of_week[None, :]).astype(float)
    apart = np.minimum(apart, HOURS_A_WEEK - apart)
    return np.where(apart <= KERNEL_REACH * sd_h, np.exp(-0.5 * (apart / sd_h) ** 2), 0.0)


def cell_kernel(x_m: FloatArray, y_m: FloatArray, sd_m: float) -> csr_array:
    """(n_cells, n_cells) weight of each cell for each other: Gaussian over the distance of their centres.

    Parameters
    ----------
    x_m, y_m
        (n_cells,) centres in metres.
    sd_m
        Standard deviation of the kernel; cells beyond three of them have no weight.
    """
    if not sd_m > 0:
        raise InvalidInputError("the kernel over cells needs a width above zero metres")
    tree = cKDTree(np.column_stack([x_m, y_m]))
    near = tree.sparse_distance_matrix(tree, KERNEL_REACH * sd_m, output_type="coo_matrix")
    weights = csr_array(
        (np.exp(-0.5 * (near.data / sd_m) ** 2), (near.row, near.col)), shape=(len(x_m), len(x_m))
    )
    weights.setdiag(1.0)
    return weights


def fit_rates(
    past: WeeklyCounts,
    *,
    week: int | None = None,
    cells: csr_array | None = None,
    hour_sd: float = HOUR_SD,
) -> Rates:
    """Estimate the expected calls of a coming week.

    Parameters
    ----------
    past
        Weeks seen.
    week
        Number of the week to forecast; the one after the last when not given.
    cells
        (n_cells, n_cells) weights of neighbouring cells from `cell_kernel`; none when not given.
    hour_sd
        Standard deviation of the kernel over hours; 0 for none.

    Raises
    ------
    InvalidInputError
        The week does not lie after the past, the kernel does not fit, or nothing was recorded.
    """
    target = past.first_week + past.n_weeks if week is None else week
    faults = Faults()
    faults.check(target >= past.first_week + past.n_weeks, "the week to forecast must lie after those seen")
    faults.check(
        cells is None or cells.shape == (past.n_cells,) * 2, "the kernel must weigh each cell for each cell"
    )
    faults.raise_as(InvalidInputError, "Demand cannot be forecast")
    near = csr_array(eye_array(past.n_cells)) if cells is None else cells
    hours = hour_kernel(past.hour_of_week, hour_sd)
    seen = ~np.isnan(past.counts)
    counts = np.where(seen, past.counts, np.float32(0))
    age = target - (past.first_week + np.arange(past.n_weeks))
    weight = 0.5 ** (age / SHARE_HALF_LIFE_WEEKS)
    # Weighted counts vary less than Poisson; scaled so that mean and variance agree again (Kish 1965), they
    # are those of as many whole weeks as they are worth.
    weight *= weight.sum() / (weight**2).sum()

    shares = _shares(counts, seen, weight, near=near, hours=hours)
    level, base = shares.level, np.outer(shares.hour, shares.cell)
    exposure = np.einsum("w,whc->hc", weight * level, seen)
    own, expected = np.einsum("w,whc->hc", weight, counts), base * exposure
    a = fit_shape(own, expected)
    around, expected = a + _smooth(own, hours, near), a + _smooth(expected, hours, near)
    mean = base * around / expected
    mean /= mean.sum()
    # An error in a share passes on as far as the cell's own calls do not correct it.
    passed = a / expected
    from_hour, from_cell = passed**2 * shares.hour_variance[:, None], passed**2 * shares.cell_variance
    apart = mean**2 * (1 / around + from_cell)
    together = (mean * passed).sum(axis=1) ** 2 * shares.hour_variance
    city = (apart.sum(axis=1) + together) / mean.sum(axis=1) ** 2
    now, variance = _next_level(level, counts, seen, base)
    return Rates(
        hour_of_week=past.hour_of_week,
        mean=now * mean,
        shape=1 / (1 / around + from_hour + from_cell),
        city_shape=1 / city,
        extra=_extra(counts, seen, level, base, weight),
        level=now,
        level_variance=variance,
    )


def planners_rates(past: WeeklyCounts, *, week: int | None = None) -> FloatArray:
    """Mean of the same hour of the week in the last four weeks, and in those four of up to four years before.

    The rule of thumb in use at ambulance services, as Setzler, Saydam and Park describe it (2009, Computers &
    Operations Research 36): each cell by itself.

    Parameters
    ----------
    past
        Weeks seen.
    week
        Number of the week to forecast; the one after the last when not given.

    Returns
    -------
    mean
        (n_slots, n_cells) calls an hour; where none of those weeks was recorded, the mean of the cell in the
        hours that were.
    """
    target = past.first_week + past.n_weeks if week is None else week
    back = [i + WEEKS_A_YEAR * year for year in range(YEARS) for i in range(1, RECENT_WEEKS + 1)]
    position = np.array([target - i - past.first_week for i in back])
    chosen = past.counts[position[(position >= 0) & (position < past.n_weeks)]].astype(np.float64)
    seen = ~np.isnan(chosen)
    number = seen.sum(axis=0)
    mean = np.where(seen, chosen, 0).sum(axis=0) / np.maximum(number, 1)
    known = ~np.isnan(past.counts)
    by_cell = np.where(known, past.counts, 0).sum(axis=(0, 1)) / np.maximum(known.sum(axis=(0, 1)), 1)
    rates: FloatArray = np.where(number > 0, mean, by_cell)
    return rates


def _smooth(values: FloatArray, hours: FloatArray, cells: csr_array) -> FloatArray:
    """Add neighbours by weight, over both axes of (n_slots, n_cells)."""
    over: FloatArray = np.asarray((cells @ (hours @ values).T).T)
    return over


@dataclass(frozen=True, eq=False)
class _Shares:
    """Shares of hours and of cells with their relative variances, and the level of each week."""

    hour: FloatArray
    hour_variance: FloatArray
    cell: FloatArray
    cell_variance: FloatArray
    level: FloatArray


def _shares(
    counts: FloatArray,
    seen: npt.NDArray[np.bool_],
    weight: FloatArray,
    *,
    near: csr_array,
    hours: FloatArray,
) -> _Shares:
    """Fit shares of hours and of cells, and the level of each week, to one another in turn."""
    n_weeks, n_slots, n_cells = counts.shape
    hour_share, hour_variance = np.full(n_slots, 1 / n_slots), np.zeros(n_slots)
    cell_share, cell_variance = np.full(n_cells, 1 / n_cells), np.zeros(n_cells)
    by_hour = np.einsum("w,whc->h", weight, counts)
    by_cell = np.einsum("w,whc->c", weight, counts)
    by_week = counts.sum(axis=(1, 2), dtype=np.float64)
    level = np.zeros(n_weeks)
    for _ in range(SHARE_ROUNDS):
        open_hours = np.einsum(
            "whc,c->wh", seen, cell_share
        )  # (n_weeks, n_slots): share of the cells that were recorded
        level = by_week / np.maximum(open_hours @ hour_share, 1e-12)
        hour_exposure = np.einsum("w,wh->h", weight * level, open_hours)
        hour_share, hour_variance = _share(by_hour, hour_exposure, hours)
        cell_exposure = np.einsum("wh,whc->c", np.outer(weight * level, hour_share), seen)
        cell_share, cell_variance = _share(by_cell, cell_exposure, near)
    return _Shares(hour_share, hour_variance, cell_share, cell_variance, level)


def _share(
    seen: FloatArray, exposure: FloatArray, kernel: FloatArray | csr_array
) -> tuple[FloatArray, FloatArray]:
    """Shares that sum to 1, each drawn towards its neighbourhood and that towards all; relative variances."""
    overall = seen.sum() / max(float(exposure.sum()), 1e-12)
    near_seen, near_expected = kernel @ seen, overall * (kernel @ exposure)
    around, wide = shrink(near_seen, near_expected)
    expected = overall * around * exposure
    factor, own = shrink(seen, expected)
    share = around * factor
    variance = 1 / (own + seen) + (own / (own + expected)) ** 2 / (wide + near_seen)
    return share / share.sum(), variance


def _next_level(
    level: FloatArray, counts: FloatArray, seen: npt.NDArray[np.bool_], base: FloatArray
) -> tuple[float, float]:
    """Level of the next week, and its relative variance over that of chance: exponential smoothing.

    Weeks with hardly a record are left out.
    """
    part = np.einsum("whc,hc->w", seen, base)
    known = part > 0.1
    values, total = level[known], counts.sum(axis=(1, 2), dtype=np.float64)[known]
    if not len(values):
        raise InvalidInputError("Demand cannot be forecast: no week has a tenth of its hours recorded")
    best, spread, error = float(values.mean()), 0.0, np.inf
    for half_life in LEVEL_HALF_LIVES_WEEKS:
        told = _smoothed(values, 0.5 ** (1 / half_life))
        if len(values) <= LEVEL_START_WEEKS:
            best = told[-1]
            break
        off = (values / told[:-1] - 1)[LEVEL_START_WEEKS:]
        if (size := float((off**2).mean())) < error:
            chance = float((1 / np.maximum(total[LEVEL_START_WEEKS:], 1)).mean())
            best, error, spread = told[-1], size, max(size - chance, 0.0)
    return max(float(best), 1e-9), spread


def _smoothed(values: FloatArray, keep: float) -> FloatArray:
    """(n + 1,) what each week, and the next, is told to be by those before; the first by itself."""
    told = np.empty(len(values) + 1)
    told[0] = values[0]
    total = norm = 0.0
    for i, value in enumerate(values):
        total, norm = keep * total + value, keep * norm + 1
        told[i + 1] = total / norm
    return np.maximum(told, 1e-9)


def _extra(
    counts: FloatArray,
    seen: npt.NDArray[np.bool_],
    level: FloatArray,
    base: FloatArray,
    weight: FloatArray,
) -> float:
    """Relative variance of the city's hours around their rate beyond Poisson, by moments."""
    mean = level[:, None] * np.einsum("whc,hc->wh", seen, base)
    total = counts.sum(axis=2, dtype=np.float64)
    over = ((total - mean) ** 2 - mean) * weight[:, None]
    return max(float(over.sum() / max(float((mean**2 * weight[:, None]).sum()), 1e-12)), 0.0)
