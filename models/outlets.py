"""Which outlets have more incidents than outlets like them elsewhere, and how sure that is.

Counts come as many whole-number allocations of the same incidents. Each is analysed: expectations
cross-fitted by spatial block (`models.outlet_expected`), a gamma-Poisson posterior of each outlet's
multiplier and a test against the spread among ordinary outlets (`models.outlet_risk`); results are pooled
over allocations. docs/methods/outlets.md tells what was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc
from scipy.stats import norm

from models.coverage import CONFIDENCE, Estimate
from models.cross_k import cross_k
from models.outlet_counts import BoolArray, FloatArray, IntArray, NegativeBinomial, negative_binomial
from models.outlet_expected import (
    Calibration,
    Expected,
    blocks,
    calibration,
    expected_by_block,
    open_hours_exposure,
)
from models.outlet_funnel import funnel_limits, overdispersion
from models.outlet_inputs import checked, missing, not_enough, with_category
from models.outlet_risk import (
    RelativeRisk,
    benjamini_hochberg,
    pooled_interval,
    pooled_p,
    posterior,
    rank_draws,
    relative_risk,
    upper_tail,
)

__all__ = (
    "Calibration",
    "Disproportion",
    "Expected",
    "NegativeBinomial",
    "RelativeRisk",
    "analyse",
    "benjamini_hochberg",
    "blocks",
    "calibration",
    "cross_k",
    "expectations",
    "expected_by_block",
    "funnel_limits",
    "negative_binomial",
    "open_hours_exposure",
    "overdispersion",
    "relative_risk",
)

SCREEN_OVER, SCREEN_SURE = 1.0, 0.8
NAME_OVER, NAME_SURE = 1.5, 0.95
FALSE_SHARE = 0.1
"""Stated share of false names: P(RR > 1.5) leaves less for each, and q must not be above it."""
LEAST_EXPECTED = 1e-6
FIRST_DRAWS = 5
"""Allocations of the first fit, which finds the outlets that set no standard for others."""


@dataclass(frozen=True, eq=False)
class Disproportion:
    """Every outlet beside what is expected of it.

    Arrays are (n,) in the order given, with NaN or 0 where an outlet is not judged.

    Attributes
    ----------
    door
        Labels of the outlets.
    reason
        Why an outlet is not judged; "" where it is.
    observed, expected
        Incidents, means over allocations.
    rr, low, high
        Multiplier: posterior mean over allocations, and the 95% interval by Rubin's rules on its logarithm.
    p
        Chance that an ordinary outlet has as many incidents, pooled by Rubin's rules.
    q
        Its Benjamini-Hochberg false discovery rate among all judged outlets.
    raw_rank
        Place by observed incidents, 1 the most; 0 where not judged.
    rank, rank_low, rank_high
        Place by mean rank in posterior draws, and the range that holds 95% of the draws; 0 where not judged.
    alpha
        Overdispersion among ordinary outlets, around expectations from other blocks.
    calibration
        Observed beside expected sums, all outlets first, then by category.
    held_out
        Outlets that stood out in a first fit and set no standard for others.
    words
        What the user should know.
    """

    door: tuple[str, ...]
    reason: tuple[str, ...]
    observed: FloatArray
    expected: FloatArray
    rr: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    q: FloatArray
    raw_rank: IntArray
    rank: IntArray
    rank_low: IntArray
    rank_high: IntArray
    alpha: Estimate
    calibration: tuple[Calibration, ...]
    held_out: BoolArray
    words: tuple[str, ...]
    _at: IntArray
    _shape: FloatArray
    _rate: FloatArray
    _ranks: IntArray

    @property
    def judged(self) -> BoolArray:
        """(n,) outlets that could be judged."""
        return np.array([why == "" for why in self.reason], dtype=bool)

    @cached_property
    def _chances(self) -> dict[float, FloatArray]:
        """Answers of `p_over` by threshold: a page asks the same several times."""
        return {}

    def p_over(self, threshold: float) -> FloatArray:
        """(n,) P(RR > threshold): the posterior's, averaged over allocations; NaN where not judged."""
        if threshold not in self._chances:
            chance = np.full(len(self.door), np.nan)
            chance[self._at] = gammaincc(self._shape, self._rate * threshold).mean(axis=0)
            chance.flags.writeable = False
            self._chances[threshold] = chance
        return self._chances[threshold]

    def p_top(self, k: int) -> FloatArray:
        """(n,) chance to be among the k highest multipliers; NaN where not judged."""
        chance = np.full(len(self.door), np.nan)
        chance[self._at] = (self._ranks <= k).mean(axis=0)
        return chance

    @property
    def screened(self) -> BoolArray:
        """(n,) worth a look: P(RR > 1) over 0.8."""
        return np.nan_to_num(self.p_over(SCREEN_OVER)) > SCREEN_SURE

    def sure(self, threshold: float = NAME_OVER) -> BoolArray:
        """(n,) P(RR > threshold) over 0.95, whatever the spread among ordinary outlets."""
        return np.nan_to_num(self.p_over(threshold)) > NAME_SURE

    def names(self, threshold: float = NAME_OVER) -> BoolArray:
        """(n,) sure to be over the threshold, and beyond what ordinary outlets show: q at most 0.1."""
        return self.sure(threshold) & (np.nan_to_num(self.q, nan=1.0) <= FALSE_SHARE)

    @property
    def named(self) -> BoolArray:
        """(n,) `names` at 1.5."""
        return self.names()


def analyse(
    counts: npt.ArrayLike,
    exposure: npt.ArrayLike,
    covariates: npt.ArrayLike,
    block: Sequence[object],
    category: Sequence[object],
    *,
    door: Sequence[object],
    names: Sequence[str],
    reason: Sequence[str] | None = None,
    seed: int = 0,
) -> Disproportion:
    """Analyse every allocation and pool them.

    Outlets that stand out in a first fit (q at most 0.1) are held out of the second, so that they do not
    widen what passes for ordinary in the test; they are judged all the same. The prior of the posterior is
    the spread of all outlets, them included: it is about any outlet's multiplier, ordinary or not. Categories
    enter the regression as indicators.

    Parameters
    ----------
    counts
        (draws, n) whole incidents of each outlet in each allocation.
    exposure
        (n,) open hours or another measure, above zero; NaN or 0 is not judged.
    covariates
        (n, k) what explains incidents (logarithms of skewed ones); NaN is not judged.
    block
        (n,) label of each outlet's block of the city; None is not judged.
    category
        (n,) bar, restaurant, ...; None is not judged.
    door
        (n,) label of each outlet, each once. Results do not depend on the order of outlets.
    names
        (k,) of covariates.
    reason
        (n,) reasons of the caller not to judge an outlet; "" where there is none.
    seed
        Of the draws of ranks.

    Raises
    ------
    InvalidInputError
        Counts not whole or negative, labels not unique, shapes that do not fit.

    Examples
    --------
    >>> random = np.random.default_rng(7)
    >>> counts = random.poisson(8.0, (20, 60))
    >>> counts[:, 0] = 60
    >>> found = analyse(counts, [100.0] * 60, np.empty((60, 0)), [i // 6 for i in range(60)], ["bar"] * 60,
    ...                 door=range(60), names=())
    >>> np.flatnonzero(found.named).tolist(), found.words[0]
    ([0], 'All outlets are of one category (bar): no comparison between categories.')
    """
    case = _prepare(counts, exposure, covariates, block, category, door=door, names=names, reason=reason)
    result, blame = None, case.blame
    if case.data is not None:
        result = case.data.judge(seed)
        blame = "" if result else "the regression did not settle in most allocations"
    why = case.reasons.copy()
    why[case.where] = blame
    if result is None:
        words = (*case.words, f"No outlet is judged: {blame}.")
        return _unjudged(case.labels, tuple(why), case.counts, words)
    observed = case.counts.mean(axis=0)
    return _placed(
        result, case.labels, tuple(why), where=case.where, observed=observed, words=list(case.words)
    )


def expectations(
    counts: npt.ArrayLike,
    exposure: npt.ArrayLike,
    covariates: npt.ArrayLike,
    block: Sequence[object],
    category: Sequence[object],
    *,
    door: Sequence[object],
    names: Sequence[str],
    reason: Sequence[str] | None = None,
) -> FloatArray:
    """(n,) what is expected of each outlet from others like it, above zero, mean over allocations.

    Parameters are those of `analyse`. An outlet that cannot be judged gets the median of those that can;
    where none can, each gets the mean of the counts.
    """
    case = _prepare(counts, exposure, covariates, block, category, door=door, names=names, reason=reason)
    mean = np.full(len(case.labels), max(float(case.counts.mean()), LEAST_EXPECTED))
    if case.data is not None:
        found = case.data.expected(case.counts[:, case.where], np.ones(len(case.where), dtype=bool)).mean
        settled = np.isfinite(found).all(axis=1)
        if settled.any():
            judged = np.maximum(found[settled].mean(axis=0), LEAST_EXPECTED)
            mean[:] = np.median(judged)
            mean[case.where] = judged
    return mean


@dataclass(frozen=True, eq=False)
class _Case:
    """What was given, checked: outlets that can be judged, by label, and why others cannot.

    ``where`` are the positions of those that can, in the order of their labels; ``blame`` is why none can.
    """

    counts: IntArray
    labels: tuple[str, ...]
    reasons: npt.NDArray[np.object_]
    where: IntArray
    blame: str
    words: tuple[str, ...]
    data: "_Data | None"


def _prepare(
    counts: npt.ArrayLike,
    exposure: npt.ArrayLike,
    covariates: npt.ArrayLike,
    block: Sequence[object],
    category: Sequence[object],
    *,
    door: Sequence[object],
    names: Sequence[str],
    reason: Sequence[str] | None,
) -> _Case:
    y, hours, x, labels = checked(counts, exposure, covariates, names, (block, category, door))
    why = np.array([""] * len(labels) if reason is None else [str(given) for given in reason], dtype=object)
    for blame, absent in (
        ("no exposure: its open hours add up to zero or are not known", ~(np.isfinite(hours) & (hours > 0))),
        ("its category is missing", np.array([missing(kind) for kind in category], dtype=bool)),
        ("it lies in no block of the city", np.array([missing(cell) for cell in block], dtype=bool)),
        *((f"{name} is not known", ~np.isfinite(x[:, column])) for column, name in enumerate(names)),
    ):
        why = np.where((why == "") & absent, blame, why)
    order = np.argsort(np.array(labels), kind="stable")
    where = order[why[order] == ""]
    blocks_of = np.array([str(cell) for cell in block], dtype=object)[where]
    blame = not_enough(y[:, where], blocks_of)
    if blame:
        return _Case(y, labels, why, where, blame, (), None)
    kinds = [str(category[i]) for i in where]
    design, design_names, words = with_category(x[where], names, kinds)
    data = _Data(y[:, where], hours[where], design, blocks_of, tuple(design_names), kinds)
    return _Case(y, labels, why, where, "", tuple(words), data)


@dataclass(frozen=True, eq=False)
class _Data:
    """Outlets that can be judged, in the order of their labels."""

    counts: IntArray
    exposure: FloatArray
    design: FloatArray
    block: npt.NDArray[np.object_]
    names: tuple[str, ...]
    category: list[str]

    def judge(self, seed: int) -> "_Result | None":
        ordinary = np.ones(len(self.exposure), dtype=bool)
        few = self.counts[np.unique(np.linspace(0, len(self.counts) - 1, FIRST_DRAWS).astype(int))]
        first = self.expected(few, ordinary)
        settled = np.isfinite(first.alpha)
        if not settled.any():
            return None
        p = pooled_p(upper_tail(few[settled], first.mean[settled], first.alpha[settled, None]))
        ordinary = benjamini_hochberg(p) > FALSE_SHARE
        found = self.expected(self.counts, ordinary)
        settled = np.isfinite(found.alpha)
        if 2 * settled.sum() < len(settled):
            return None
        counts, mean, alpha = self.counts[settled], found.mean[settled], found.alpha[settled]
        shape, rate = posterior(counts.astype(np.float64), mean, found.alpha_of_all[settled, None])
        return _Result(
            counts=counts,
            mean=mean,
            alpha=_pooled_alpha(alpha, found.alpha_variance[settled]),
            shape=shape,
            rate=rate,
            p=pooled_p(upper_tail(counts, mean, alpha[:, None])),
            ranks=rank_draws(shape, rate, seed=seed),
            calibration=calibration(counts, mean, alpha, self.category),
            held_out=~ordinary,
            words=found.words,
        )

    def expected(self, counts: IntArray, ordinary: BoolArray) -> Expected:
        return expected_by_block(
            counts, self.exposure, self.design, self.block, names=self.names, training=ordinary
        )


@dataclass(frozen=True, eq=False)
class _Result:
    """What was found for the judged outlets."""

    counts: IntArray
    mean: FloatArray
    alpha: Estimate
    shape: FloatArray
    rate: FloatArray
    p: FloatArray
    ranks: IntArray
    calibration: tuple[Calibration, ...]
    held_out: BoolArray
    words: tuple[str, ...]


def _unjudged(
    labels: tuple[str, ...], reasons: tuple[str, ...], counts: IntArray, words: tuple[str, ...]
) -> Disproportion:
    """Give the observed incidents alone."""
    blank, none = np.full(len(labels), np.nan), np.zeros(len(labels), dtype=np.int64)
    return Disproportion(
        door=labels,
        reason=reasons,
        observed=counts.mean(axis=0),
        expected=blank,
        rr=blank,
        low=blank,
        high=blank,
        p=blank,
        q=blank,
        raw_rank=none,
        rank=none,
        rank_low=none,
        rank_high=none,
        alpha=Estimate(np.nan, np.nan, np.nan),
        calibration=(),
        held_out=none > 0,
        words=words,
        _at=none[:0],
        _shape=np.empty((1, 0)),
        _rate=np.empty((1, 0)),
        _ranks=np.empty((1, 0), dtype=np.int64),
    )


def _placed(
    result: _Result,
    labels: tuple[str, ...],
    reasons: tuple[str, ...],
    *,
    where: IntArray,
    observed: FloatArray,
    words: list[str],
) -> Disproportion:
    """Put results back into the order given; ``where`` are the judged outlets, ordered by label."""
    n = len(labels)

    def spread(values: FloatArray) -> FloatArray:
        full = np.full(n, np.nan)
        full[where] = values
        return full

    def places(values: npt.NDArray[np.integer]) -> IntArray:
        full = np.zeros(n, dtype=np.int64)
        full[where] = values
        return full

    notes = list(words)
    if len(where) < n:
        notes.append(f"Outlets not judged, each with its reason: {n - len(where)} of {n}.")
    if result.held_out.any():
        notes.append(
            f"Outlets that stand out too far to set a standard for others: {int(result.held_out.sum())}."
        )
    if result.alpha.value == 0:
        notes.append("Ordinary outlets differ no more than chance alone makes them: alpha is 0.")
    low, high = pooled_interval(result.shape, result.rate)
    tail = 100 * (1 - CONFIDENCE) / 2
    ends = np.percentile(result.ranks, [tail, 100 - tail], axis=0)
    return Disproportion(
        door=labels,
        reason=reasons,
        observed=observed,
        expected=spread(result.mean.mean(axis=0)),
        rr=spread((result.shape / result.rate).mean(axis=0)),
        low=spread(low),
        high=spread(high),
        p=spread(result.p),
        q=spread(benjamini_hochberg(result.p)),
        raw_rank=places(_place(-result.counts.mean(axis=0))),
        rank=places(_place(result.ranks.mean(axis=0))),
        rank_low=places(np.floor(ends[0]).astype(np.int64)),
        rank_high=places(np.ceil(ends[1]).astype(np.int64)),
        alpha=result.alpha,
        calibration=result.calibration,
        held_out=places(result.held_out.astype(np.int64)) > 0,
        words=(*notes, *result.words),
        _at=where,
        _shape=result.shape,
        _rate=result.rate,
        _ranks=result.ranks,
    )


def _place(score: FloatArray) -> IntArray:
    """(n,) place of each score, 1 the lowest; ties by label, in whose order they come."""
    place = np.empty(len(score), dtype=np.int64)
    place[np.argsort(score, kind="stable")] = np.arange(1, len(score) + 1)
    return place


def _pooled_alpha(alpha: FloatArray, variance: FloatArray) -> Estimate:
    """Alpha over allocations by Rubin's rules, held at zero or more."""
    between = alpha.var(ddof=1) * (1 + 1 / len(alpha)) if len(alpha) > 1 else 0.0
    within = float(np.nanmean(variance)) if np.isfinite(variance).any() else 0.0
    reach = float(norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(within + between))
    middle = float(alpha.mean())
    return Estimate(middle, max(middle - reach, 0.0), middle + reach)
