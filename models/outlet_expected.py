"""How many incidents an outlet like this one has elsewhere: regression cross-fitted by spatial block.

The expectation of an outlet comes from a fit to outlets of other blocks, so that neither it nor its neighbors
set their own standard (Roberts et al. 2017, Ecography 40, 913-929, on blocks; Chernozhukov et al. 2018,
Econometrics Journal 21, C1-C68, on cross-fitting).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from models.coverage import CONFIDENCE, Estimate
from models.outlet_counts import (
    BoolArray,
    FloatArray,
    IntArray,
    fit_alpha,
    fit_counts,
    independent_columns,
    standardised,
)

FOLDS = 5
PRIOR_SD = 2.0
"""Of standardised coefficients in cross-fitting: it keeps them finite where a category has no incident, and
hardly moves others."""
FEWEST = 30
"""Outlets needed for a regression."""
FAR_KM = 30.0


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected incidents of each outlet in each allocation.

    Attributes
    ----------
    mean
        (draws, n) expected incidents; NaN in an allocation whose fit did not settle.
    alpha
        (draws,) overdispersion of the outlets fitted to, around expectations from other blocks; NaN as above.
    alpha_variance
        (draws,) of alpha within an allocation.
    alpha_of_all
        (draws,) the same of all outlets.
    fold
        (n,) the group of blocks each outlet is in.
    words
        What was left out and why.
    """

    mean: FloatArray
    alpha: FloatArray
    alpha_variance: FloatArray
    alpha_of_all: FloatArray
    fold: IntArray
    words: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """Whether a category's expectations add up to what was observed.

    Attributes
    ----------
    category
        Name; "all" for all outlets.
    outlets
        Number of outlets.
    observed, expected
        Incidents, mean over allocations.
    ratio
        Observed by expected, with the interval that the model and the allocations allow a ratio of 1.
    """

    category: str
    outlets: int
    observed: float
    expected: float
    ratio: Estimate

    @property
    def fits(self) -> bool:
        """Whether the interval of the ratio holds 1."""
        return self.ratio.low <= 1.0 <= self.ratio.high


def expected_by_block(
    counts: npt.NDArray[np.integer],
    exposure: FloatArray,
    covariates: FloatArray,
    block: Iterable[object],
    *,
    names: Sequence[str],
    training: BoolArray | None = None,
) -> Expected:
    """Fit outlets of other blocks by negative binomial regression and tell what to expect of each outlet.

    Whole blocks are put into five folds. Alpha is the maximum likelihood estimate around these expectations,
    so it holds what the regression cannot foretell, too. Covariates are held to the range of the outlets
    fitted: nothing is extrapolated.

    Parameters
    ----------
    counts
        (draws, n) incidents of each outlet in each allocation.
    exposure
        (n,) above zero.
    covariates
        (n, k) finite.
    block
        (n,) label of each outlet's block.
    names
        (k,) of covariates.
    training
        (n,) outlets that may be fitted to; all when not given. Others get an expectation and set none.
    """
    fold = folds_of(block)
    use = np.ones(len(exposure), dtype=bool) if training is None else training
    mean = np.full(counts.shape, np.nan)
    settled = np.ones(len(counts), dtype=bool)
    words: list[str] = []
    offset = np.log(exposure)
    for number in range(int(fold.max(initial=0)) + 1):
        out, fitted = fold == number, (fold != number) & use
        kept, left_out = independent_columns(covariates[fitted], names)
        words += [word for word in left_out if word not in words]
        design, back = standardised(covariates[np.ix_(fitted, kept)])
        y = counts[:, fitted]
        first = fit_counts(y[:1], offset[fitted], design, prior_sd=PRIOR_SD)
        start = (first.coefficients[0], float(first.alpha[0])) if first.converged[0] else None
        fits = fit_counts(y, offset[fitted], design, prior_sd=PRIOR_SD, start=start)
        low, high = covariates[fitted].min(axis=0)[kept], covariates[fitted].max(axis=0)[kept]
        at = np.column_stack([np.ones(out.sum()), np.clip(covariates[np.ix_(out, kept)], low, high)])
        mean[:, out] = np.exp(np.minimum(fits.coefficients @ (at @ back).T + offset[out], 50.0))
        settled &= fits.converged
    mean[~settled] = np.nan
    alpha, variance, of_all = (np.full(len(counts), np.nan) for _ in range(3))
    if settled.any():
        alpha[settled], variance[settled] = fit_alpha(counts[settled][:, use], mean[settled][:, use])
        of_all[settled] = alpha[settled] if use.all() else fit_alpha(counts[settled], mean[settled])[0]
    if not settled.all():
        words.append(
            f"{int((~settled).sum())} of {len(counts)} allocations left out: the regression did not settle"
        )
    return Expected(mean, alpha, variance, of_all, fold, tuple(words))


def folds_of(block: Iterable[object]) -> IntArray:
    """(n,) fold of each outlet: blocks, largest first, each into the fold that has fewest outlets so far."""
    names, index, sizes = np.unique(
        np.array([str(b) for b in block]), return_inverse=True, return_counts=True
    )
    filled = np.zeros(min(FOLDS, len(names)), dtype=np.int64)
    fold = np.zeros(len(names), dtype=np.int64)
    for at in sorted(range(len(names)), key=lambda i: (-sizes[i], names[i])):
        fold[at] = int(np.argmin(filled))
        filled[fold[at]] += sizes[at]
    return fold[index]


def calibration(
    counts: npt.NDArray[np.integer], expected: FloatArray, alpha: FloatArray, category: Sequence[str]
) -> tuple[Calibration, ...]:
    """Compare sums of observed and expected incidents, by category and in all.

    The interval's variance is that of the observed sum under the model, ``sum of E + alpha E^2`` averaged
    over allocations, plus the variance of the ratio between allocations (Rubin's rules).

    Parameters
    ----------
    counts, expected
        (draws, n)
    alpha
        (draws,)
    category
        (n,) words.
    """
    kinds = np.array([str(kind) for kind in category])
    groups = [("all", np.ones(len(kinds), dtype=bool)), *((str(k), kinds == k) for k in np.unique(kinds))]
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    found = []
    for name, inside in groups:
        seen, due = counts[:, inside].sum(axis=1), expected[:, inside].sum(axis=1)
        within = (due + alpha * (expected[:, inside] ** 2).sum(axis=1)) / due**2
        ratio = seen / due
        between = ratio.var(ddof=1) * (1 + 1 / len(ratio)) if len(ratio) > 1 else 0.0
        reach, middle = z * float(np.sqrt(within.mean() + between)), float(ratio.mean())
        found.append(
            Calibration(
                name,
                int(inside.sum()),
                float(seen.mean()),
                float(due.mean()),
                Estimate(middle, max(middle - reach, 0.0), middle + reach),
            )
        )
    return tuple(found)


def open_hours_exposure(hours: npt.ArrayLike) -> tuple[FloatArray, FloatArray, tuple[str, ...], str]:
    """Exposure from open hours a week, where some are not known.

    Known hours are the exposure. Outlets without get the median of the known ones and a covariate of their
    own, so that they are compared with one another at a rate that the data choose. Where none is known each
    outlet has exposure 1.

    Parameters
    ----------
    hours
        (n,) hours open a week; NaN is not known.

    Returns
    -------
    exposure
        (n,)
    covariates
        (n, 0) or (n, 1) the indicator, to be put beside the other covariates.
    names
        Its name.
    words
        What was done.
    """
    known = np.asarray(hours, dtype=float)
    unknown = np.isnan(known)
    nothing: FloatArray = np.empty((len(known), 0))
    if unknown.all():
        return np.ones(len(known)), nothing, (), "Opening hours are not known: each outlet counts the same."
    if not unknown.any():
        return known, nothing, (), "Exposure is the hours open a week."
    usual = float(np.median(known[~unknown]))
    words = (
        f"Exposure is the hours open a week; {int(unknown.sum())} of {len(known)} outlets, whose hours are "
        f"not known, are taken to be open {usual:.0f} hours and are compared with one another."
    )
    return np.where(unknown, usual, known), unknown.astype(float)[:, None], ("hours not known",), words


def blocks(
    lon: npt.ArrayLike, lat: npt.ArrayLike, *, resolution: int = 7
) -> tuple[list[str | None], list[str]]:
    """H3 cell of each outlet as its block, and the reason where it has none.

    Parameters
    ----------
    lon, lat
        (n,) degrees; NaN is not known.
    resolution
        Of H3; 7 is about 5 square kilometres a cell.

    Returns
    -------
    block
        (n,) cell names; None where the outlet cannot be judged.
    reason
        (n,) why; "" where it can.
    """
    import h3

    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    known = np.isfinite(x) & np.isfinite(y) & (np.abs(x) <= 180) & (np.abs(y) <= 90)
    block: list[str | None] = [None] * len(x)
    reason = ["" if ok else "it has no place on the map" for ok in known]
    if known.any():
        middle = (float(np.median(y[known])), float(np.median(x[known])))
        for at in np.flatnonzero(known):
            here = (float(y[at]), float(x[at]))
            away = h3.great_circle_distance(middle, here, unit="km")
            if away > FAR_KM:
                reason[at] = f"it lies {away:.0f} km from the middle of all outlets"
            else:
                block[at] = h3.latlng_to_cell(*here, resolution)
    return block, reason
