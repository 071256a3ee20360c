"""Fit seconds a metre by road class, hour band and siren to trips, tied to assumed speeds by a prior.

The model of one trip with hour band b and siren s, over road classes c:

    seconds = access + per_metre * access_m + sum over c of metres[c] * exp(theta[c, b, s])

Logarithms keep every speed above zero. The prior of theta is normal around the assumed speeds, with variances
for what all cells share and for class, band, siren and their pairs (`Spread`), so that a cell which nobody
drives follows its class, its band and its siren, and a class which nobody drives follows the others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import InvalidInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

HUBER = 3.0
"""Residuals beyond this many standard deviations count less (Huber 1964, Annals of Mathematical Statistics
35); so far out that the skew of driving times hardly shifts the mean."""
MAD_TO_SD = 1.4826
N_ACCESS = 2
STEPS = 60
SMALL_STEP = 1e-6


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the prior, as logarithms (0.3 is about 30 %).

    Attributes
    ----------
    common
        By which all speeds together may differ from what was assumed.
    road_class, band, siren
        By which one class, one hour band or one of the two siren states may differ from the others.
    class_band, class_siren, band_siren, cell
        By which pairs and single cells may differ from the product of these.
    access
        By which the two figures of the way to the door may differ.
    """

    common: float = 0.20
    road_class: float = 0.30
    band: float = 0.15
    siren: float = 0.10
    class_band: float = 0.15
    class_siren: float = 0.10
    band_siren: float = 0.03
    cell: float = 0.03
    access: float = 1.0


@dataclass(frozen=True, eq=False)
class Cells:
    """How parameters are numbered: access, access per metre, then (class, band, siren) in C order."""

    n_classes: int
    n_bands: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Classes, bands, and siren off or on."""
        return self.n_classes, self.n_bands, 2

    @property
    def n(self) -> int:
        """Number of parameters."""
        return N_ACCESS + self.n_classes * self.n_bands * 2

    def of_group(self, band: int, siren: int) -> IntArray:
        """(2 + n_classes,) parameters that trips of one band and siren state have."""
        cells = np.arange(self.n_classes) * self.n_bands * 2 + band * 2 + siren
        return np.concatenate([np.arange(N_ACCESS), N_ACCESS + cells])

    def covariance(self, spread: Spread) -> FloatArray:
        """(n, n) covariance of the prior."""
        c, b, s = (axis.ravel() for axis in np.indices(self.shape))
        same_c, same_b, same_s = (axis[:, None] == axis[None, :] for axis in (c, b, s))
        covariance = np.zeros((self.n, self.n))
        covariance[:N_ACCESS, :N_ACCESS] = np.eye(N_ACCESS) * spread.access**2
        covariance[N_ACCESS:, N_ACCESS:] = (
            spread.common**2
            + spread.road_class**2 * same_c
            + spread.band**2 * same_b
            + spread.siren**2 * same_s
            + spread.class_band**2 * (same_c & same_b)
            + spread.class_siren**2 * (same_c & same_s)
            + spread.band_siren**2 * (same_b & same_s)
            + spread.cell**2 * (same_c & same_b & same_s)
        )
        return covariance


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums over trips, by day: all that the fit needs.

    Attributes
    ----------
    gram
        (n_days, n_groups, k, k) sums of weight x column x column, k = 2 + n_classes.
    cross
        (n_days, n_groups, k) sums of weight x column x observed seconds.
    """

    gram: FloatArray
    cross: FloatArray

    @classmethod
    def gather(
        cls,
        columns: FloatArray,
        observed_s: FloatArray,
        weight: FloatArray,
        group: IntArray,
        day: IntArray,
        *,
        n_groups: int,
        n_days: int,
    ) -> "Moments":
        """Sum trips by day and group (band x 2 + siren); ``columns`` is (n, k)."""
        n, k = columns.shape
        weighted = columns * weight[:, None]
        gram = np.zeros((n_days * n_groups, k, k))
        cross = np.zeros((n_days * n_groups, k))
        if n:
            order = np.argsort(day * n_groups + group, kind="stable")
            key = (day * n_groups + group)[order]
            first = np.flatnonzero(np.diff(key, prepend=-1))
            for i in range(k):
                gram[key[first], i] = np.add.reduceat(weighted[order, i : i + 1] * columns[order], first)
            cross[key[first]] = np.add.reduceat(weighted[order] * observed_s[order, None], first)
        return cls(gram.reshape(n_days, n_groups, k, k), cross.reshape(n_days, n_groups, k))

    def total(self, cells: Cells, times: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Add up days, each counted ``times`` (n_days,), into (n, n) and (n,) over all parameters."""
        counted = np.ones(len(self.gram)) if times is None else times
        gram, cross = np.tensordot(counted, self.gram, 1), np.tensordot(counted, self.cross, 1)
        full, right = np.zeros((cells.n, cells.n)), np.zeros(cells.n)
        for band in range(cells.n_bands):
            for siren in range(2):
                index, group = cells.of_group(band, siren), band * 2 + siren
                full[np.ix_(index, index)] += gram[group]
                right[index] += cross[group]
        return full, right


def solve(
    gram: FloatArray, cross: FloatArray, *, mean: FloatArray, precision: FloatArray, start: FloatArray
) -> FloatArray:
    """Find the logarithms that fit best: weighted least squares in seconds with a normal prior.

    Minimises ``x' gram x / 2 - cross' x + (theta - mean)' precision (theta - mean) / 2`` with
    ``x = exp(theta)`` by Newton's steps, halved until they descend.

    Parameters
    ----------
    gram, cross
        (n, n) and (n,) moments, weighted by one over the variance of each trip.
    mean, precision
        (n,) and (n, n) of the prior.
    start
        (n,) where to begin.

    Raises
    ------
    InvalidInputError
        When the steps do not settle; the trips then contradict every speed.
    """

    def loss(theta: FloatArray) -> float:
        x, off = np.exp(theta), theta - mean
        return float(x @ gram @ x / 2 - cross @ x + off @ precision @ off / 2)

    theta, at = start.copy(), loss(start)
    for _ in range(STEPS):
        x = np.exp(theta)
        pull = x * (gram @ x - cross)
        # The curvature of the logarithm where it helps to descend: Newton's step rather than Gauss's.
        curve = x[:, None] * gram * x + precision + np.diag(np.maximum(pull, 0.0))
        step = -np.linalg.solve(curve, pull + precision @ (theta - mean))
        step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        share, after = 1.0, loss(theta + step)
        while after > at and share > SMALL_STEP:
            share /= 2
            after = loss(theta + share * step)
        if after <= at:
            theta, at = theta + share * step, after
        if float(np.abs(share * step).max()) < SMALL_STEP or after > at:
            return theta
    raise InvalidInputError(
        "The speeds do not settle on these trips; check the units of the times and of the street lengths"
    )


def trip_weights(
    observed_s: FloatArray, fitted_s: FloatArray, drive_s: FloatArray, *, floor_s: float
) -> tuple[FloatArray, float]:
    """Weights of one over the variance, with far residuals weighed down, and the share by which drives vary.

    A drive's standard deviation is taken as a share of its length, found from the median absolute residual,
    and ``floor_s`` for stamps and doors.

    Returns
    -------
    weight, share
        (n,) in 1/seconds^2, and the share (0.14 is 14 %).
    """
    residual = observed_s - fitted_s
    share = max(float(MAD_TO_SD * np.median(np.abs(residual) / np.maximum(drive_s, floor_s))), 0.01)
    deviation = np.sqrt((share * drive_s) ** 2 + floor_s**2)
    beyond = np.maximum(np.abs(residual) / (HUBER * deviation), 1.0)
    return 1.0 / (deviation**2 * beyond), share
