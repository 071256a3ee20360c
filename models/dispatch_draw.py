"""Calls and their minutes, drawn from a seed: a call's luck is its own, so plans meet the same calls."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

HOURS_A_WEEK = 168
MINUTES_AN_HOUR = 60.0
STREAMS = (
    "count",
    "time",
    "cell",
    "kind",
    "handling",
    "turnout",
    "drive",
    "on_scene",
    "transported",
    "at_hospital",
    "way",
)
"""Each has its own stream of chance, so that leaving one out changes no other."""


def uniform(key: Sequence[int], stream: str, count: int) -> FloatArray:
    """(count,) numbers from 0 to below 1 of one stream; the same key and stream give the same numbers."""
    drawn: FloatArray = np.random.default_rng([*key, STREAMS.index(stream)]).random(count)
    return drawn


@dataclass(frozen=True)
class Draw:
    """Distribution of a quantity of zero or more, drawn by inverting its distribution function.

    Attributes
    ----------
    kind
        ``"fixed"``: always ``middle``. ``"exponential"``: with mean ``middle``. ``"lognormal"``: with median
        ``middle`` and ``spread`` the standard deviation of its logarithm. ``"sample"``: one of ``values``.
    """

    kind: Literal["fixed", "exponential", "lognormal", "sample"] = "fixed"
    middle: float = 0.0
    spread: float = 0.0
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        faults = Faults()
        faults.check(
            self.kind in {"fixed", "exponential", "lognormal", "sample"}, f"there is no kind {self.kind!r}"
        )
        faults.check(math.isfinite(self.middle) and self.middle >= 0, "the middle must be zero or more")
        faults.check(math.isfinite(self.spread) and self.spread >= 0, "the spread must be zero or more")
        faults.check(self.kind != "sample" or self.values, "a sample needs at least one value")
        faults.check(
            all(math.isfinite(value) and value >= 0 for value in self.values),
            "the values of a sample must be finite and zero or more",
        )
        faults.raise_as(InvalidInputError, "The distribution cannot be used")

    @classmethod
    def fixed(cls, value: float) -> "Draw":
        """Give always ``value``."""
        return cls("fixed", value)

    @classmethod
    def exponential(cls, mean: float) -> "Draw":
        """Draw from the exponential distribution."""
        return cls("exponential", mean)

    @classmethod
    def lognormal(cls, median: float, spread: float) -> "Draw":
        """Draw from the lognormal distribution; ``spread`` is the standard deviation of the logarithm."""
        return cls("lognormal", median, spread)

    @classmethod
    def sample(cls, values: npt.ArrayLike) -> "Draw":
        """Draw one of the observed ``values``, each as often as the others."""
        return cls("sample", values=tuple(sorted(np.asarray(values, dtype=float).tolist())))

    def at(self, share: FloatArray) -> FloatArray:
        """Quantile at each of (n,) ``share``, from 0 to below 1."""
        if self.kind == "exponential":
            return -self.middle * np.log1p(-share)
        if self.kind == "lognormal":
            from scipy.special import ndtri

            quantile: FloatArray = self.middle * np.exp(self.spread * ndtri(np.maximum(share, 1e-300)))
            return quantile
        if self.kind == "sample":
            return np.asarray(self.values)[(share * len(self.values)).astype(np.int64)]
        return np.full(len(share), self.middle)


@dataclass(frozen=True)
class ServiceTimes:
    """What the minutes of a call are drawn from where the calls do not give them.

    Attributes
    ----------
    on_scene
        From arrival at the scene until leaving it, or until free without transport.
    at_hospital
        From arrival at the hospital until free (the wall).
    handling, turnout
        From the call until it is ready to be sent; from assigned until the wheels roll.
    drive_factor, way_factor
        Multiples of the drive minutes to the scene and to hospital.
    transport_share
        Share of calls that are taken to a hospital.
    """

    on_scene: Draw
    at_hospital: Draw = field(default_factory=Draw)
    handling: Draw = field(default_factory=Draw)
    turnout: Draw = field(default_factory=Draw)
    drive_factor: Draw = field(default_factory=lambda: Draw("fixed", 1.0))
    way_factor: Draw = field(default_factory=lambda: Draw("fixed", 1.0))
    transport_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.transport_share <= 1:
            raise InvalidInputError("transport_share must lie from 0 to 1")


@dataclass(frozen=True)
class CallKind:
    """A kind of call: its share of all, and what it needs.

    Attributes
    ----------
    share
        Share of all calls; the shares of all kinds sum to 1.
    priority
        1 is the most urgent.
    unit_type
        Need, such as ``"ALS"``; empty when any unit will do.
    transport_share
        Share that is taken to a hospital.
    """

    share: float = 1.0
    priority: int = 1
    unit_type: str = ""
    transport_share: float = 0.0


@dataclass(frozen=True, eq=False)
class CallRates:
    """Calls to be sampled: a nonhomogeneous Poisson process by cell and hour of the week.

    Attributes
    ----------
    per_h
        (n_cells, 168) calls an hour; hour 0 is Monday from midnight to one. Constant within an hour.
    place
        (n_cells,) place index of each cell.
    kinds
        Kinds of call, alike in all cells.
    """

    per_h: FloatArray
    place: IntArray
    kinds: tuple[CallKind, ...] = (CallKind(),)

    def __post_init__(self) -> None:
        faults = Faults()
        rates = np.asarray(self.per_h)
        faults.check(
            rates.ndim == 2 and rates.shape[1:] == (HOURS_A_WEEK,),
            "per_h must have one row a cell and 168 hours",
        )
        faults.check(np.isfinite(rates).all() and (rates >= 0).all(), "per_h must be finite and zero or more")
        faults.check(np.sum(rates) > 0, "per_h is zero everywhere, so that there is no call")
        faults.check(len(self.place) == len(rates), "place must hold one place a cell")
        shares = [kind.share for kind in self.kinds]
        fine = all(share >= 0 for share in shares) and math.isclose(sum(shares), 1.0, abs_tol=1e-9)
        faults.check(fine, "the shares of the kinds of call must be zero or more and sum to 1")
        faults.check(
            all(0 <= kind.transport_share <= 1 for kind in self.kinds), "transport_share must lie from 0 to 1"
        )
        faults.raise_as(InvalidInputError, "The rates cannot be used")


def sample_calls(
    rates: CallRates, minutes: float, *, key: Sequence[int], start_hour: float = 0.0
) -> pd.DataFrame:
    """Draw the calls of one stretch of time.

    The number is Poisson with the mean of all hours together, and given the number the times are independent
    with the rate as their density (Lewis and Shedler 1979, Naval Research Logistics 26).

    Parameters
    ----------
    rates
        Calls an hour by cell and hour of the week.
    minutes
        Length of the stretch.
    key
        Numbers that fix all chance, such as ``[seed, replication]``.
    start_hour
        Hour of the week at minute 0.

    Returns
    -------
    calls
        ``call_min, place, priority, unit_type, transported``, in order of time.

    Raises
    ------
    InvalidInputError
        If ``minutes`` or ``start_hour`` cannot be used.
    """
    if not (math.isfinite(minutes) and minutes > 0 and math.isfinite(start_hour) and start_hour >= 0):
        raise InvalidInputError("minutes must be above zero and start_hour zero or more, both finite")
    first, last = start_hour, start_hour + minutes / MINUTES_AN_HOUR
    edges = np.unique(np.concatenate([[first], np.arange(math.floor(first) + 1, math.ceil(last)), [last]]))
    hour = np.floor(edges[:-1]).astype(np.int64) % HOURS_A_WEEK
    total = rates.per_h.sum(axis=0)
    until = np.concatenate([[0.0], np.cumsum(total[hour] * np.diff(edges))])
    # The count is a quantile of its own stream, so that a plan cannot change it.
    count = int(np.random.default_rng([*key, STREAMS.index("count")]).poisson(until[-1]))
    at = np.interp(np.sort(uniform(key, "time", count)) * until[-1], until, edges)
    hour_of_call = np.minimum(np.floor(at), np.ceil(last) - 1).astype(np.int64) % HOURS_A_WEEK
    stacked = np.concatenate([[0.0], np.cumsum(rates.per_h.T.ravel())])
    n_cells = len(rates.place)
    low, high = stacked[hour_of_call * n_cells], stacked[(hour_of_call + 1) * n_cells]
    spot = np.searchsorted(stacked, low + uniform(key, "cell", count) * (high - low), side="right") - 1
    cell = np.clip(spot - hour_of_call * n_cells, 0, n_cells - 1)
    shares = np.cumsum([kind.share for kind in rates.kinds])
    kind = np.minimum(np.searchsorted(shares, uniform(key, "kind", count), side="right"), len(shares) - 1)
    transport = np.array([k.transport_share for k in rates.kinds])[kind]
    needs = [k.unit_type for k in rates.kinds]
    return pd.DataFrame(
        {
            "call_min": (at - first) * MINUTES_AN_HOUR,
            "place": np.asarray(rates.place, dtype=np.int64)[cell],
            "priority": np.array([k.priority for k in rates.kinds], dtype=np.int64)[kind],
            "unit_type": np.array(needs, dtype=object)[kind],
            "transported": uniform(key, "transported", count) < transport,
        }
    )
