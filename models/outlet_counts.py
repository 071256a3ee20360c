"""Negative binomial regression of counts (NB2), by maximum likelihood, for many count vectors at once.

``Var = mu + alpha mu^2`` with ``log mu = log exposure + covariates . coefficients`` (Cameron and Trivedi
2013, Regression Analysis of Count Data, section 3.3; Lawless 1987, Canadian Journal of Statistics 15,
209-225). With whole counts ``log Gamma(y + 1/alpha) - log Gamma(1/alpha) + y log alpha = sum over j < y of
log(1 + alpha j)``, which stays exact as alpha goes to zero and needs only how many counts lie above each j.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NO_ALPHA = 1e-7
"""An alpha below this is zero: the fit is Poisson."""
MOST_ALPHA = 1e4
SMALL, LARGE = float(np.log(NO_ALPHA)), float(np.log(MOST_ALPHA))
MOST_STEPS = 100
TOLERANCE = 1e-11
"""A fit has converged when one more Newton step would add less than this to the log-likelihood."""
CHUNK = 4
"""Count vectors fitted side by side: few enough for the cache, and for linear algebra on one thread, which is
faster at this size."""
SEPARATED = 10.0
"""A standardised coefficient with a larger standard error has run away: no finite estimate exists."""


@dataclass(frozen=True, eq=False)
class NegativeBinomial:
    """One fitted regression.

    Attributes
    ----------
    coefficients
        (k + 1,) intercept, then one for each covariate, on the log scale; NaN for a covariate left out.
    alpha
        Overdispersion; 0 is Poisson.
    covariance
        (k + 2, k + 2) of the coefficients and alpha, from the observed information; NaN for what was left
        out, and for alpha where it is 0.
    loglikelihood
        At the estimate; NaN where nothing was fitted.
    converged
        Whether the estimate can be used.
    words
        What the user should know: what was left out, that alpha is zero, why nothing was fitted.
    """

    coefficients: FloatArray
    alpha: float
    covariance: FloatArray
    loglikelihood: float
    converged: bool
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Fits:
    """Fits of many count vectors to one design: coefficients (draws, k), and (draws,) of the others."""

    coefficients: FloatArray
    alpha: FloatArray
    loglikelihood: FloatArray
    converged: BoolArray


@dataclass(frozen=True, eq=False)
class _State:
    """Log-likelihood (draws,) with its gradient and information in the coefficients and log alpha."""

    value: FloatArray
    slope: FloatArray
    information: FloatArray
    alpha_slope: FloatArray
    alpha_information: FloatArray
    cross: FloatArray


def negative_binomial(
    observed: npt.ArrayLike,
    exposure: npt.ArrayLike,
    covariates: npt.ArrayLike,
    *,
    names: Sequence[str] | None = None,
) -> NegativeBinomial:
    """Fit NB2 by maximum likelihood. An intercept is added.

    Parameters
    ----------
    observed
        (n,) whole counts.
    exposure
        (n,) above zero, any unit; enters as an offset.
    covariates
        (n, k) finite numbers; k may be 0. A column that is constant, or a sum of others, is left out.
    names
        (k,) names of the covariates for the words.

    Raises
    ------
    InvalidInputError
        Counts not whole or negative, exposure not above zero, covariates not finite, shapes that do not fit.

    Examples
    --------
    >>> fit = negative_binomial([0, 3, 1, 9, 0, 2], [1] * 6, np.empty((6, 0)))
    >>> round(float(np.exp(fit.coefficients[0])), 6), fit.alpha > 0
    (2.5, True)
    """
    y, hours, x, labels = _checked(observed, exposure, covariates, names)
    size = x.shape[1] + 1
    kept, words = independent_columns(x, labels)
    nothing = np.full((size + 1, size + 1), np.nan)
    if y.sum() == 0 or len(y) <= len(kept) + 1:
        why = "there is not one incident" if y.sum() == 0 else f"{len(y)} outlets are too few"
        return NegativeBinomial(
            nothing[0, :-1].copy(),
            np.nan,
            nothing,
            np.nan,
            converged=False,
            words=(*words, f"{why}: nothing to fit"),
        )
    scaled, back = standardised(x[:, kept])
    offset = np.log(hours)
    fits = fit_counts(y[None], offset, scaled)
    alpha, beta = float(fits.alpha[0]), fits.coefficients[0]
    converged = bool(fits.converged[0])
    inner = _covariance(y, offset, scaled, beta, alpha)
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(np.diag(inner)[1:-1])
    if (runaway := ~(spread < SEPARATED)).any():
        converged = False
        gone = ", ".join(labels[kept[i]] for i in np.flatnonzero(runaway))
        words.append(f"{gone}: no finite estimate, for it tells outlets without any incident from all others")
    elif not converged:
        words.append(f"the fit did not settle in {MOST_STEPS} steps (alpha at {alpha:.3g})")
    if alpha == 0:
        words.append("counts spread no more than chance alone makes them: alpha is 0, a Poisson regression")
    at = np.append(0, 1 + np.array(kept, dtype=np.int64))
    coefficients, covariance = nothing[0, :-1].copy(), nothing
    coefficients[at] = back @ beta
    covariance[np.ix_(at, at)] = back @ inner[:-1, :-1] @ back.T
    covariance[at, size] = covariance[size, at] = back @ inner[:-1, -1]
    covariance[size, size] = inner[-1, -1]
    return NegativeBinomial(
        coefficients,
        alpha,
        covariance,
        float(fits.loglikelihood[0]),
        converged=converged,
        words=tuple(words),
    )


def independent_columns(covariates: FloatArray, names: Sequence[str]) -> tuple[list[int], list[str]]:
    """Columns that can be fitted beside an intercept, first come first kept, and words on those left out."""
    basis = np.full((len(covariates), 1), 1 / np.sqrt(max(len(covariates), 1)))
    kept, words = [], []
    for column, name in enumerate(names):
        values = covariates[:, column]
        rest = values - values.mean() if len(values) else values
        size = float(np.sqrt(rest @ rest))
        if size <= 1e-10 * max(float(np.abs(values).max(initial=0.0)), 1e-300) * np.sqrt(len(values)):
            words.append(f"{name} is the same for all outlets: left out")
            continue
        for _ in range(2):  # twice is enough (Kahan; Parlett 1998, The Symmetric Eigenvalue Problem, 6.9)
            rest = rest - basis @ (basis.T @ rest)
        left = float(np.sqrt(rest @ rest))
        if left < 1e-8 * size:
            words.append(f"{name} follows from the other covariates: left out")
            continue
        basis = np.column_stack([basis, rest / left])
        kept.append(column)
    return kept, words


def standardised(covariates: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Design with an intercept and columns of mean 0, spread 1; and the matrix back to plain coefficients."""
    mean, spread = covariates.mean(axis=0), covariates.std(axis=0)
    design = np.column_stack([np.ones(len(covariates)), (covariates - mean) / spread])
    back = np.diag(np.append(1.0, 1 / spread))
    back[0, 1:] = -mean / spread
    return design, back


def fit_counts(
    counts: npt.NDArray[np.integer],
    offset: FloatArray,
    design: FloatArray,
    *,
    prior_sd: float = np.inf,
    start: tuple[FloatArray, float] | None = None,
) -> Fits:
    """Fit NB2 to every row of counts by Newton's method on the coefficients and log alpha together.

    Given alpha the log-likelihood is concave in the coefficients; a step that does not climb is halved. Where
    alpha shrinks to nothing the fit is Poisson.

    Parameters
    ----------
    counts
        (draws, n) whole counts.
    offset
        (n,) log exposure.
    design
        (n, k) with the intercept first, standardised, of full rank.
    prior_sd
        Standard deviation of a normal prior on all coefficients but the intercept: finite estimates where a
        column tells the outlets without incidents apart. Infinite is maximum likelihood.
    start
        Coefficients (k,) and alpha to start from.
    """
    k = design.shape[1]
    prior = np.append(0.0, np.full(k - 1, prior_sd**-2.0 if np.isfinite(prior_sd) else 0.0))
    parts = []
    for first in range(0, len(counts), CHUNK):
        part = np.asarray(counts[first : first + CHUNK])
        model = _Model(part, offset, design, prior)
        parts.append(model.fit(start))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Fits(columns[0], columns[1], columns[2], columns[3].astype(bool))


def fit_alpha(counts: npt.NDArray[np.integer], mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit alpha alone, by maximum likelihood, to counts whose means are given.

    Parameters
    ----------
    counts, mean
        (draws, n) whole counts and means above zero.

    Returns
    -------
    alpha
        (draws,) 0 where counts spread no more than chance alone makes them.
    variance
        (draws,) of alpha, from the observed information; NaN where the likelihood is not concave there.
    """
    y = np.asarray(counts, dtype=np.float64)
    off = y - mean
    log_alpha = np.log(np.clip((off**2 - mean).sum(axis=1) / (mean**2).sum(axis=1), 1e-3, 10.0))
    low, high = np.full(len(y), SMALL), np.full(len(y), LARGE)
    above = _above(counts)
    for _ in range(MOST_STEPS):
        alpha = np.exp(log_alpha)
        slope, curve, _ = _alpha_terms(y, mean, alpha, above)
        first, second = alpha * slope, alpha**2 * curve + alpha * slope
        low, high = np.where(first > 0, log_alpha, low), np.where(first > 0, high, log_alpha)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = log_alpha - first / second
        inside = (second < 0) & (newton > low) & (newton < high)
        new = np.where(inside, newton, (low + high) / 2)
        moved = float(np.abs(new - log_alpha).max(initial=0.0))
        log_alpha = new
        if moved < 1e-9:
            break
    alpha = np.exp(log_alpha)
    alpha = np.where(((off**2 - y).sum(axis=1) <= 0) | (alpha <= 2 * NO_ALPHA), 0.0, alpha)
    curve = _alpha_terms(y, mean, alpha, above)[1]
    return alpha, np.where(curve < 0, -1 / np.minimum(curve, -1e-300), np.nan)


class _Model:
    """Count vectors of one chunk with one design; holds what every step needs."""

    def __init__(
        self, counts: npt.NDArray[np.integer], offset: FloatArray, design: FloatArray, prior: FloatArray
    ) -> None:
        self.y = counts.astype(np.float64)
        self.above = _above(counts)
        self.constant = gammaln(self.y + 1).sum(axis=1)
        self.offset, self.design, self.prior = offset, design, prior
        n, k = design.shape
        self.pairs = (design[:, :, None] * design[:, None, :]).reshape(n, k * k)

    def fit(
        self, start: tuple[FloatArray, float] | None
    ) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Coefficients, alpha, log-likelihood and whether the fit settled, for each count vector."""
        draws, k = len(self.y), self.design.shape[1]
        alpha, spread = np.zeros(draws), np.ones(draws, dtype=bool)
        beta, value, done = np.zeros((draws, k)), np.zeros(draws), np.zeros(draws, dtype=bool)
        if start is not None and start[1] > 0:
            beta[:], alpha[:] = start
        else:
            total = np.maximum(self.y.sum(axis=1), 0.5)
            beta[:, 0] = np.log(total) - np.log(np.exp(self.offset).sum())
            beta, _, value, done = self._climb(np.arange(draws), beta, alpha, poisson=True)
            mean = np.exp(self._eta(beta))
            off = self.y - mean
            spread = (off**2 - self.y).sum(axis=1) > 0
            alpha = np.clip((off**2 - mean).sum(axis=1) / (mean**2).sum(axis=1), 1e-3, 10.0)
        at = np.flatnonzero(spread)
        if len(at):
            beta[at], alpha[at], value[at], done[at] = self._climb(at, beta[at], alpha[at], poisson=False)
        alpha[~spread] = 0.0
        fell = np.flatnonzero(spread & (alpha <= 2 * NO_ALPHA))
        if len(fell):
            beta[fell], alpha[fell], value[fell], done[fell] = self._climb(
                fell, beta[fell], np.zeros(len(fell)), poisson=True
            )
        return beta, alpha, value - self.constant, done & (alpha < MOST_ALPHA)

    def _climb(
        self, rows: IntArray, beta: FloatArray, alpha: FloatArray, *, poisson: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Climb from a start; ``rows`` are the count vectors."""
        with np.errstate(divide="ignore"):
            beta, tau = beta.copy(), np.log(alpha)
        value, done = np.full(len(rows), -np.inf), np.zeros(len(rows), dtype=bool)
        step, tau_step = np.zeros_like(beta), np.zeros_like(tau)
        going = np.arange(len(rows))
        for _ in range(MOST_STEPS):
            tried, tried_tau = beta[going] + step[going], tau[going] + tau_step[going]
            state = self._state(rows[going], tried, np.exp(tried_tau))
            climbed = state.value >= value[going] - 1e-12 * np.abs(value[going])
            climbed |= ~np.isfinite(value[going])
            up, down = going[climbed], going[~climbed]
            step[down], tau_step[down] = step[down] / 2, tau_step[down] / 2
            beta[up], tau[up], value[up] = tried[climbed], tried_tau[climbed], state.value[climbed]
            move, tau_move, gain = _newton(state, poisson=poisson)
            step[up], tau_step[up] = move[climbed], tau_move[climbed]
            flat = climbed & (gain < TOLERANCE * np.maximum(1.0, np.abs(state.value)))
            shrunk = ~climbed & (np.abs(step[going]).max(axis=1) < 1e-10) & (np.abs(tau_step[going]) < 1e-10)
            out = climbed & (not poisson) & ((tau[going] < SMALL) | (tau[going] > LARGE))
            ended = going[flat]
            beta[ended], tau[ended] = beta[ended] + step[ended], tau[ended] + tau_step[ended]
            done[going[flat | shrunk]] = True
            going = going[~(flat | shrunk | out)]
            if not len(going):
                break
        return beta, np.exp(tau), value, done

    def _eta(self, beta: FloatArray) -> FloatArray:
        """Log means (draws, n), held where the exponential stays finite."""
        return np.minimum(beta @ self.design.T + self.offset, 50.0)

    def _state(self, rows: IntArray, beta: FloatArray, alpha: FloatArray) -> _State:
        y = self.y[rows]
        eta = self._eta(beta)
        mean = np.exp(eta)
        scaled = alpha[:, None] * mean
        over = 1 / (1 + scaled)
        resid = (y - mean) * over
        weight = mean * (1 + alpha[:, None] * y) * over**2
        k = self.design.shape[1]
        information = (weight @ self.pairs).reshape(-1, k, k) + np.diag(self.prior)
        slope = resid @ self.design - self.prior * beta
        alpha_slope, alpha_curve, tail = _alpha_terms(y, mean, alpha, self.above[rows])
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(scaled > 0, np.log1p(scaled) / scaled, 1.0) * mean
        value = tail + (y * (eta - np.log1p(scaled)) - each).sum(axis=1)
        value -= 0.5 * (self.prior * beta**2).sum(axis=1)
        return _State(
            value=value,
            slope=slope,
            information=information,
            alpha_slope=alpha * alpha_slope,
            alpha_information=-(alpha**2 * alpha_curve + alpha * alpha_slope),
            cross=alpha[:, None] * ((resid * mean * over) @ self.design),
        )


def _newton(state: _State, *, poisson: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Newton's step in coefficients and log alpha, and the rise of the log-likelihood that it promises."""
    if poisson:
        move = np.linalg.solve(state.information, state.slope[:, :, None])[:, :, 0]
        gain = 0.5 * (move * state.slope).sum(axis=1)
        return _capped(move), np.zeros(len(move)), gain
    both = np.linalg.solve(state.information, np.stack([state.slope, state.cross], axis=2))
    alone, per_tau = both[:, :, 0], both[:, :, 1]
    profile = state.alpha_information - (state.cross * per_tau).sum(axis=1)
    push = state.alpha_slope - (state.cross * alone).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau_move = np.where(profile > 0, push / profile, np.sign(push))
    tau_move = np.clip(tau_move, -2.0, 2.0)
    move = alone - per_tau * tau_move[:, None]
    gain = 0.5 * np.abs((move * state.slope).sum(axis=1) + tau_move * state.alpha_slope)
    return _capped(move), tau_move, gain


def _capped(move: npt.NDArray[np.floating]) -> FloatArray:
    """Hold a step where exponentials stay finite."""
    most = np.maximum(np.abs(move).max(axis=1, keepdims=True), 1e-300)
    return np.asarray(move * np.minimum(1.0, 5.0 / most), dtype=np.float64)


def _above(counts: npt.NDArray[np.integer]) -> FloatArray:
    """(draws, most + 1) how many counts of each row lie above 0, 1, ..."""
    most = int(counts.max(initial=0))
    hist = np.stack([np.bincount(row, minlength=most + 1) for row in counts])
    return np.asarray(counts.shape[1] - np.cumsum(hist, axis=1), dtype=np.float64)


def _alpha_terms(
    y: FloatArray, mean: FloatArray, alpha: FloatArray, above: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """First and second derivative of the log-likelihood in alpha, and its part that has no mean; (draws,)."""
    j = np.arange(above.shape[1], dtype=np.float64)
    ratio = j / (1 + alpha[:, None] * j)
    tail = (above * np.log1p(alpha[:, None] * j)).sum(axis=1)
    scaled = alpha[:, None] * mean
    over = 1 / (1 + scaled)
    small = scaled < 0.01
    safe = np.where(small, 1.0, scaled)
    h = np.where(
        small,
        1 / 2 - scaled * (2 / 3 - scaled * (3 / 4 - scaled * (4 / 5 - scaled * (5 / 6 - scaled * 6 / 7)))),
        (np.log1p(safe) - safe / (1 + safe)) / safe**2,
    )
    h_slope = np.where(
        small,
        -2 / 3 + scaled * (3 / 2 - scaled * (12 / 5 - scaled * (10 / 3 - scaled * 30 / 7))),
        (over**2 - 2 * h) / safe,
    )
    slope = (above * ratio).sum(axis=1) + (mean**2 * h - y * mean * over).sum(axis=1)
    curve = (mean**3 * h_slope + y * (mean * over) ** 2).sum(axis=1) - (above * ratio**2).sum(axis=1)
    return slope, curve, tail


def _covariance(
    observed: IntArray, offset: FloatArray, design: FloatArray, beta: FloatArray, alpha: float
) -> FloatArray:
    """Inverse of the observed information in the coefficients and alpha."""
    y = observed.astype(np.float64)
    mean = np.exp(design @ beta + offset)
    over = 1 / (1 + alpha * mean)
    k = len(beta)
    information = np.full((k + 1, k + 1), np.nan)
    information[:k, :k] = design.T @ (design * (mean * (1 + alpha * y) * over**2)[:, None])
    covariance = np.full_like(information, np.nan)
    try:
        if alpha == 0:
            covariance[:k, :k] = np.linalg.inv(information[:k, :k])
            return covariance
        cross = design.T @ ((y - mean) * mean * over**2)
        curve = _alpha_terms(y[None], mean[None], np.array([alpha]), _above(observed[None]))[1][0]
        information[k, :k] = information[:k, k] = cross
        information[k, k] = -curve
        return np.linalg.inv(information)
    except np.linalg.LinAlgError:  # a coefficient has run away, which the words say: no spread to give
        return covariance


def _checked(
    observed: npt.ArrayLike, exposure: npt.ArrayLike, covariates: npt.ArrayLike, names: Sequence[str] | None
) -> tuple[IntArray, FloatArray, FloatArray, tuple[str, ...]]:
    y, hours = np.asarray(observed, dtype=float), np.asarray(exposure, dtype=float)
    x = np.asarray(covariates, dtype=float)
    faults = Faults()
    faults.check(y.ndim == 1 and hours.shape == y.shape, "give each outlet one count and one exposure")
    faults.check(x.ndim == 2 and len(x) == len(y), "covariates must have a row for each outlet")
    faults.raise_as(InvalidInputError, "The counts cannot be fitted")
    labels = tuple(names) if names is not None else tuple(f"covariate {i + 1}" for i in range(x.shape[1]))
    faults.check(len(labels) == x.shape[1], "give each covariate one name")
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(y) | (y < 0) | (y != np.floor(y))
        idle = ~(np.isfinite(hours) & (hours > 0))
    faults.check(not bad.any(), f"{int(bad.sum())} counts are missing, negative or not whole")
    faults.check(not idle.any(), f"{int(idle.sum())} outlets have no exposure; leave them out")
    wild = ~np.isfinite(x).all(axis=1)
    faults.check(not wild.any(), f"{int(wild.sum())} outlets lack a covariate; leave them out")
    faults.raise_as(InvalidInputError, "The counts cannot be fitted")
    return y.astype(np.int64), hours, x, labels
