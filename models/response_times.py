"""How long callers wait: minutes between named moments of a call, and their quantiles with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from errors import Faults, InvalidInputError

SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class Interval:
    """A stretch of time between two named moments of a call."""

    key: str
    start: str
    end: str
    meaning: str

    @property
    def label(self) -> str:
        """Start and end in words."""
        return f"{self.start} → {self.end}"


OPENED_TO_ARRIVED = Interval(
    "opened_to_arrived",
    "Call opened",
    "first arrival",
    "From the moment the call-taker opened the call until the first unit was there: the caller's wait.",
)
INTERVALS: tuple[Interval, ...] = (
    OPENED_TO_ARRIVED,
    Interval(
        "opened_to_dispatched",
        "Call opened",
        "dispatched",
        "Call-taking, triage and waiting for a free unit, until one was sent.",
    ),
    Interval(
        "dispatched_to_arrived",
        "Dispatched",
        "first arrival",
        "From the moment a unit was sent until the first one reached the scene: turnout and drive.",
    ),
    Interval(
        "assigned_to_enroute",
        "Unit assigned",
        "en route",
        "Turnout of the first ambulance on scene: from its assignment until its wheels rolled.",
    ),
    Interval(
        "enroute_to_on_scene",
        "En route",
        "on scene",
        "Drive of the first ambulance on scene: from its wheels rolling until it reached the scene.",
    ),
)


@dataclass(frozen=True, eq=False)
class CallMinutes:
    """Minutes of every call by interval.

    Attributes
    ----------
    minutes
        Interval key to an array (n_calls,); NaN where the interval cannot be measured.
    negative
        Interval key to the number of calls whose end lies before its start; these are left out (NaN).
    """

    minutes: Mapping[str, NDArray[np.float64]]
    negative: Mapping[str, int]

    @property
    def measured(self) -> tuple[Interval, ...]:
        """Intervals that at least one call has."""
        return tuple(i for i in INTERVALS if np.isfinite(self.minutes[i.key]).any())


def call_minutes(calls: pd.DataFrame, responses: pd.DataFrame | None = None) -> CallMinutes:
    """Minutes between the named moments of each call.

    The first arrival is the earliest ``on_scene_at`` of the call's unit responses, and the call's own
    ``arrived_at`` where it has none; dispatch is the call's ``dispatched_at``, else its earliest assignment.
    Cancelled responses do not count. Calls that an officer opened at the scene have no wait and are left out.

    Parameters
    ----------
    calls
        Rows of the table ``calls``: ``call_id`` and, where known, ``opened_at``, ``dispatched_at``,
        ``arrived_at``, ``self_initiated``. A missing column counts as unknown.
    responses
        Rows of the table ``unit_responses``: ``call_id``, ``assigned_at``, ``enroute_at``, ``on_scene_at``,
        ``cancelled``.
    """
    opened, dispatched, arrived = (
        _seconds(calls, name) for name in ("opened_at", "dispatched_at", "arrived_at")
    )
    assigned = enroute = on_scene = np.full(len(calls), np.nan)
    if responses is not None and len(responses):
        first = _first_on_scene(responses).reindex(calls["call_id"])
        assigned, enroute, on_scene = (first[name].to_numpy() for name in ("assigned", "enroute", "on_scene"))
        dispatched = np.where(np.isnan(dispatched), first["first_assigned"].to_numpy(), dispatched)
        arrived = np.where(np.isnan(on_scene), arrived, on_scene)
    at_scene_already = _true(calls, "self_initiated")
    spans = {
        "opened_to_arrived": arrived - opened,
        "opened_to_dispatched": dispatched - opened,
        "dispatched_to_arrived": arrived - dispatched,
        "assigned_to_enroute": enroute - assigned,
        "enroute_to_on_scene": on_scene - enroute,
    }
    minutes: dict[str, NDArray[np.float64]] = {}
    negative: dict[str, int] = {}
    for key, seconds in spans.items():
        waited = np.where(at_scene_already, np.nan, seconds / SECONDS_A_MINUTE)
        negative[key] = int((waited < 0).sum())
        minutes[key] = np.where(waited < 0, np.nan, waited)
    return CallMinutes(MappingProxyType(minutes), MappingProxyType(negative))


def order_statistic_ranks(
    n: ArrayLike, *, share: float, level: float = 0.95
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ranks of the two ordered values that enclose a quantile with at least the level asked.

    The number of values below the quantile is binomial (n, share), whatever their distribution, so the
    interval from the l-th to the u-th smallest value holds it with probability P(l <= B <= u - 1); l and u
    leave at most (1 - level) / 2 on either side. Conover (1999), Practical Nonparametric Statistics, 3rd
    ed., section 3.2.

    Parameters
    ----------
    n
        Sample sizes, any shape.
    share
        The quantile, between 0 and 1 (0.9 for the 90th percentile).
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    low, high
        Ranks counted from 1, of the shape of ``n``. 0 and n + 1 say that the sample is too small for that
        side.

    Raises
    ------
    InvalidInputError
        When ``share`` or ``level`` is not between 0 and 1, or a size is negative.
    """
    size = np.asarray(n, dtype=np.int64)
    faults = Faults()
    faults.check(0.0 < share < 1.0, f"a quantile lies between 0 and 1, not at {share}")
    faults.check(0.0 < level < 1.0, f"a level lies between 0 and 1, not at {level}")
    faults.check((size >= 0).all(), "a sample size cannot be negative")
    faults.raise_as(InvalidInputError, "No interval can be given")
    tail = (1.0 - level) / 2.0
    low = np.asarray(binom.ppf(tail, size, share))
    high = np.asarray(binom.ppf(1.0 - tail, size, share)) + 1.0
    empty = size == 0
    return np.where(empty, 0, low).astype(np.int64), np.where(empty, 1, high).astype(np.int64)


def quantiles_by_group(
    minutes: NDArray[np.float64],
    group: ArrayLike,
    *,
    n_groups: int,
    shares: Sequence[float] = (0.5, 0.9),
    level: float = 0.95,
) -> pd.DataFrame:
    """Quantiles of minutes in each group, with intervals that assume no distribution.

    Parameters
    ----------
    minutes
        (n,) minutes; NaN is left out.
    group
        (n,) integers ``0 .. n_groups - 1``; -1 is in no group.
    n_groups
        Number of groups.
    shares
        Quantiles between 0 and 1.
    level
        Confidence level of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row a group: ``n`` (calls with the interval) and, for 0.9, ``p90_min``, ``p90_low_min`` and
        ``p90_high_min``. The estimate interpolates between neighbouring values (Hyndman & Fan's type 7); a
        limit is one of the values, or NaN where the group is too small for it.

    Raises
    ------
    InvalidInputError
        When the lengths differ, or a share or the level is not between 0 and 1.
    """
    index = np.asarray(group, dtype=np.int64)
    if index.shape != minutes.shape:
        message = f"Give one group to each time, not {index.shape} to {minutes.shape}."
        raise InvalidInputError(message)
    usable = np.isfinite(minutes) & (index >= 0)
    index, values = index[usable], minutes[usable]
    ordered = values[np.lexsort((values, index))]
    size = np.bincount(index, minlength=n_groups)[:n_groups]
    first = np.cumsum(size) - size
    columns: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {"n": size}
    for share in shares:
        name = f"p{round(100 * share)}"
        at = np.maximum(size - 1, 0) * share
        below, above = np.floor(at).astype(np.int64), np.ceil(at).astype(np.int64)
        low_value = _pick(ordered, first + below, size > 0)
        high_value = _pick(ordered, first + above, size > 0)
        low, high = order_statistic_ranks(size, share=share, level=level)
        columns[f"{name}_min"] = low_value + (high_value - low_value) * (at - below)
        columns[f"{name}_low_min"] = _pick(ordered, first + low - 1, low >= 1)
        columns[f"{name}_high_min"] = _pick(ordered, first + high - 1, high <= size)
    return pd.DataFrame(columns)


def _pick(
    values: NDArray[np.float64], index: NDArray[np.int64], exists: NDArray[np.bool_]
) -> NDArray[np.float64]:
    picked = np.full(index.shape, np.nan)
    picked[exists] = values[index[exists]]
    return picked


def _first_on_scene(responses: pd.DataFrame) -> pd.DataFrame:
    """Find the times of the first unit on scene of each call, in seconds, and its earliest assignment."""
    kept = responses.loc[~_true(responses, "cancelled")]
    times = pd.DataFrame(
        {
            "call_id": kept["call_id"].to_numpy(),
            "assigned": _seconds(kept, "assigned_at"),
            "enroute": _seconds(kept, "enroute_at"),
            "on_scene": _seconds(kept, "on_scene_at"),
        }
    ).sort_values(["on_scene", "assigned", "enroute"], kind="stable")
    first = times.drop_duplicates("call_id").set_index("call_id")
    first.loc[first["on_scene"].isna(), ["assigned", "enroute"]] = np.nan
    return first.assign(first_assigned=times.groupby("call_id")["assigned"].min())


def _seconds(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Seconds since 1970 of a time column, NaN where it is missing."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    times = pd.to_datetime(frame[column], utc=True)
    seconds = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return np.asarray(seconds, dtype=np.float64)


def _true(frame: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    """Where a nullable boolean column says yes; unknown is not yes."""
    if column not in frame:
        return np.zeros(len(frame), dtype=np.bool_)
    return frame[column].astype("boolean").fillna(value=False).to_numpy(dtype=np.bool_)
