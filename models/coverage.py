"""Who is reached in time by a plan, how sure that is, what each post holds alone, and what no post can reach.

Coverage counts calls whose nearest staffed post is within the target, as if every unit were free (Church and
ReVelle 1974, Papers of the Regional Science Association 32). Busy units make it less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CONFIDENCE = 0.95
ROUNDING = 1e-12
"""Sums of many weights may fall short of their exact value by this part."""


@dataclass(frozen=True, eq=False)
class Demand:
    """Places that need an ambulance.

    Attributes
    ----------
    node
        (n,) network node nearest to each place.
    access_m
        (n,) straight-line metres from that node to the place.
    weight
        (n,) calls (or people) at each place, zero or more.
    region
        (n,) index of the neighborhood, -1 outside all.
    sampled
        Number of calls the weights were counted from; None where the weights are no sample (population).
    """

    node: npt.NDArray[np.int64]
    access_m: FloatArray
    weight: FloatArray
    region: npt.NDArray[np.int64]
    sampled: int | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        n = len(self.node)
        for name in ("access_m", "weight", "region"):
            faults.check(len(getattr(self, name)) == n, f"{name} must hold one value a place")
        for name in ("access_m", "weight"):
            values = getattr(self, name)
            fine = np.isfinite(values).all() and (values >= 0).all()
            faults.check(fine, f"{name} must be finite and zero or more everywhere")
        faults.raise_as(InvalidInputError, "Demand cannot be used")

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.weight.sum())

    def share_within(self, seconds: FloatArray, budget_s: float) -> float:
        """Share of the weight with (n,) ``seconds`` of at most ``budget_s``; none at a budget of zero."""
        if budget_s <= 0 or self.total <= 0:
            return 0.0
        return float(self.weight[seconds <= budget_s].sum() / self.total)


@dataclass(frozen=True)
class Estimate:
    """A figure with the range it may have."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Coverage:
    """What a plan reaches.

    Attributes
    ----------
    share
        Share of the demand reached within the drive budget, from 0 to 1. Its range runs from the slow to the
        fast end of the assumed speeds, each end widened by the sampling interval where demand is a sample.
    median_s, p90_s
        Seconds of driving (with the way to the door) for half and nine tenths of the demand; infinite where
        that much of it is not reached at all. The range runs from fast to slow.
    by_region
        One row a neighborhood index that has demand: ``region, weight, covered, share, median_s, p90_s``.
    """

    share: Estimate
    median_s: Estimate
    p90_s: Estimate
    by_region: pd.DataFrame


def drive_seconds(field_s: npt.ArrayLike, demand: Demand, *, access_kph: float) -> FloatArray:
    """Seconds from post to door: the field at each place's node and the way from there to the door.

    Parameters
    ----------
    field_s
        (..., n_nodes) seconds to each node.
    demand
        The places; their number is the result's last axis.
    access_kph
        Speed from the node to the door, in a straight line.

    Returns
    -------
    seconds
        (..., n) float64, infinite where no post reaches.
    """
    if not access_kph > 0:
        raise InvalidInputError("access_kph must be above zero")
    return np.asarray(field_s, dtype=np.float64)[..., demand.node] + demand.access_m / (access_kph / 3.6)


def weighted_quantiles(values: FloatArray, weight: FloatArray, shares: Sequence[float]) -> list[float]:
    """Smallest value that at least each share of the weight does not exceed (inverse of the weighted ECDF).

    Parameters
    ----------
    values, weight
        (n,), weights zero or more; values may be infinite.

    Returns
    -------
    values
        One for each share; NaN where the weights sum to zero.
    """
    total = weight.sum()
    if total <= 0:
        return [math.nan] * len(shares)
    order = np.argsort(values)
    at = np.searchsorted(np.cumsum(weight[order]), np.array(shares) * total * (1 - ROUNDING))
    return [float(value) for value in values[order[np.minimum(at, len(order) - 1)]]]


def coverage(
    seconds: FloatArray,
    demand: Demand,
    budget_s: float,
    *,
    slow_seconds: FloatArray | None = None,
    fast_seconds: FloatArray | None = None,
) -> Coverage:
    """Count what is reached within the drive budget, over all and by neighborhood.

    Parameters
    ----------
    seconds
        (n,) seconds from the nearest staffed post to each place, from `drive_seconds`.
    demand
        The places.
    budget_s
        Seconds left for driving: the target less call handling and turnout. At or below zero nothing is
        reached.
    slow_seconds, fast_seconds
        (n,) the same at the slow and at the fast end of the assumed speeds; ``seconds`` when not given.

    Raises
    ------
    InvalidInputError
        If the demand sums to zero, or the arguments do not fit together.
    """
    faults = Faults()
    slow, fast = (seconds if end is None else end for end in (slow_seconds, fast_seconds))
    for values in (slow, seconds, fast):
        faults.check(values.shape == demand.weight.shape, "seconds must hold one number a place")
        faults.check(not np.isnan(values).any(), "seconds holds NaN; use infinity where no post reaches")
    faults.check(demand.total > 0, "there is no demand to reach; choose other hours or another source")
    faults.raise_as(InvalidInputError, "Coverage cannot be counted")

    share = partial(demand.share_within, budget_s=budget_s)

    medians, p90s = zip(
        *(weighted_quantiles(values, demand.weight, (0.5, 0.9)) for values in (seconds, fast, slow)),
        strict=True,
    )
    low = _sampling_interval(share(slow), demand.sampled)[0]
    high = _sampling_interval(share(fast), demand.sampled)[1]
    return Coverage(
        share=Estimate(share(seconds), low, high),
        median_s=Estimate(*medians),
        p90_s=Estimate(*p90s),
        by_region=_by_region(seconds, demand, budget_s),
    )


def sole_share(post_seconds: FloatArray, demand: Demand, budget_s: float) -> FloatArray:
    """Share of the demand that each post alone reaches in time: what is lost when it stands empty.

    Parameters
    ----------
    post_seconds
        (n_posts, n) seconds from each staffed post to each place.

    Returns
    -------
    shares
        (n_posts,) from 0 to 1.
    """
    if demand.total <= 0:
        raise InvalidInputError("There is no demand to reach; choose other hours or another source")
    reached = (post_seconds <= budget_s) & (budget_s > 0)
    alone = reached & (reached.sum(axis=0) == 1)
    return cast("FloatArray", (alone * demand.weight).sum(axis=1) / demand.total)


def beyond_any_post(best_seconds: FloatArray, demand: Demand, budget_s: float, n_regions: int) -> BoolArray:
    """Neighborhoods where less than half of the demand could be reached even with every candidate staffed.

    Parameters
    ----------
    best_seconds
        (n,) seconds from the nearest of all candidates to each place.

    Returns
    -------
    beyond
        (n_regions,) True where the area lies beyond any post. Areas without demand are False.
    """
    inside = demand.region >= 0
    region = demand.region[inside]
    weight = np.bincount(region, demand.weight[inside], minlength=n_regions)
    near = demand.weight[inside] * (best_seconds[inside] <= budget_s)
    reached = np.bincount(region, near, minlength=n_regions)
    return (weight > 0) & (reached < 0.5 * weight)


def _by_region(seconds: FloatArray, demand: Demand, budget_s: float) -> pd.DataFrame:
    counted = (demand.region >= 0) & (demand.weight > 0)
    region, weight, seconds = demand.region[counted], demand.weight[counted], seconds[counted]
    order = np.lexsort((seconds, region))
    region, weight, seconds = region[order], weight[order], seconds[order]
    first = np.flatnonzero(np.diff(region, prepend=-1))
    total = np.add.reduceat(weight, first) if len(first) else np.empty(0)
    table = pd.DataFrame({"region": region[first], "weight": total})
    near = weight * ((seconds <= budget_s) & (budget_s > 0))
    table["covered"] = np.add.reduceat(near, first) if len(first) else near
    table["share"] = table["covered"] / table["weight"]
    cumulative = np.cumsum(weight)
    before = cumulative[first] - weight[first]
    for name, part in (("median_s", 0.5), ("p90_s", 0.9)):
        at = np.searchsorted(cumulative, before + part * total * (1 - ROUNDING))
        table[name] = seconds[np.clip(at, first, [*first[1:] - 1, len(seconds) - 1])] if len(first) else near
    return table


def _sampling_interval(share: float, sampled: int | None) -> tuple[float, float]:
    """Clopper and Pearson's exact interval (1934, Biometrika 26) for a share of ``sampled`` calls."""
    if not sampled:
        return share, share
    hits = round(share * sampled)
    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, hits, sampled - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, sampled - hits)) if hits < sampled else 1.0
    return low, high
