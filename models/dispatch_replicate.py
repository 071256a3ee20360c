"""Many replications of one plan, and whether another plan is better on the very same calls."""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from errors import Faults, InvalidInputError
from models.dispatch_draw import CallRates, sample_calls
from models.dispatch_rules import RuleOptions, Rules
from models.dispatch_run import HEADLINE, Outcome, Setting, read_setting, read_trace, run
from models.dispatch_tables import Table
from models.dispatch_thin import free_units, unit_minutes

FloatArray = npt.NDArray[np.float64]
Figures = Callable[[Outcome, float], Mapping[str, float]]
"""From an outcome and the minute at which the warm-up ends to named figures; NaN where one cannot be had."""
Verdict = Literal["better", "worse", "cannot tell yet"]

BETTER: Mapping[str, Literal["lower", "higher"]] = MappingProxyType(
    {
        "response_min": "lower",
        "response_p90_min": "lower",
        "within_target": "higher",
        "waited": "lower",
        "wait_min": "lower",
        "unserved": "lower",
        "utilisation": "lower",
        "thin_share": "lower",
    }
)
"""Which direction is good, of the standard figures that have a good one."""
WEEK_MIN = 7 * 24 * 60.0
PIECES_A_THREAD = 8


@dataclass(frozen=True)
class Figure:
    """A figure's mean over the replications, with its Student interval.

    Attributes
    ----------
    mean, low, high
        Mean and the limits of its interval; the limits are NaN with fewer than two values.
    sd
        Standard deviation between replications.
    count
        Replications that have the figure.
    """

    mean: float
    low: float
    high: float
    sd: float
    count: int


@dataclass(frozen=True)
class Difference(Figure):
    """Mean of the paired differences (the second plan less the first) and what follows from it.

    Attributes
    ----------
    verdict
        On the second plan: ``"better"`` or ``"worse"`` when the interval excludes zero, or when every
        replication shows the same difference; else ``"cannot tell yet"``.
    """

    verdict: Verdict


def interval(values: FloatArray, *, confidence: float = 0.95) -> Figure:
    """Mean of independent replications and its Student interval.

    Source: Law 2015, Simulation Modeling and Analysis, 5th ed., section 9.4.

    Parameters
    ----------
    values
        (n,) one value a replication; NaN is left out and lowers ``count``.
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if n < 2:
        return Figure(float(known[0]) if n else math.nan, math.nan, math.nan, math.nan, n)
    mean, sd = float(known.mean()), float(known.std(ddof=1))
    half = float(student.ppf(0.5 + confidence / 2, n - 1)) * sd / math.sqrt(n)
    return Figure(mean, mean - half, mean + half, sd, n)


@dataclass(frozen=True, eq=False)
class Replications:
    """Figures of one plan.

    Attributes
    ----------
    figures
        Name -> (n,) one value a replication.
    source
        What fixes the calls: two results with the same ``source`` met the same calls.
    """

    figures: Mapping[str, FloatArray]
    source: tuple[object, ...]

    def interval(self, name: str, *, confidence: float = 0.95) -> Figure:
        """Mean and Student interval of one figure."""
        return interval(self._values(name), confidence=confidence)

    def table(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """One row a figure: ``figure, mean, low, high, sd, count``."""
        rows = [{"figure": name, **vars(self.interval(name, confidence=confidence))} for name in self.figures]
        return pd.DataFrame(rows)

    def _values(self, name: str) -> FloatArray:
        if name not in self.figures:
            raise InvalidInputError(f"there is no figure {name!r}, only {', '.join(self.figures)}")
        return self.figures[name]


def standard_figures(*, target_min: float | None = None, thin: int = 1) -> Figures:
    """Figures that a planner asks for first.

    Parameters
    ----------
    target_min
        Minutes from the call to a unit on scene that count as in time.
    thin
        A minute with so many free units or fewer is thin.

    Returns
    -------
    figures
        Gives, for the calls that come after the warm-up: ``calls``; ``response_min`` and ``response_p90_min``
        (call to on scene, of served calls); ``within_target`` (share of all calls, with ``target_min``);
        ``waited`` (share of served calls sent later than ready), ``wait_min`` (mean over served calls),
        ``unserved`` (share of all); ``utilisation`` (unit-minutes busy over those on duty) and ``thin_share``
        (share of the time with ``thin`` free units or fewer).
    """

    def figures(outcome: Outcome, since: float) -> Mapping[str, float]:
        counted = outcome.calls.call_min >= since
        served = counted & outcome.served
        n, response = int(counted.sum()), outcome.response[served]
        wait = outcome.assigned[served] - outcome.calls.ready_min[served]
        some = len(response) > 0
        minutes = unit_minutes(outcome, since=since)
        on_duty, length = float(minutes.on_duty.sum()), outcome.until - since
        found = {
            "calls": float(n),
            "response_min": float(response.mean()) if some else math.nan,
            "response_p90_min": float(np.quantile(response, 0.9)) if some else math.nan,
            "waited": float((wait > 0).mean()) if some else math.nan,
            "wait_min": float(wait.mean()) if some else math.nan,
            "unserved": (n - len(response)) / n if n else math.nan,
            "utilisation": float(minutes.busy.sum()) / on_duty if on_duty > 0 else math.nan,
            "thin_share": free_units(outcome).minutes_with(thin, since=since) / length
            if length > 0
            else math.nan,
        }
        if target_min is not None:
            found["within_target"] = float((response <= target_min).sum()) / n if n else math.nan
        return found

    return figures


def replicate(
    calls: CallRates | Table,
    units: Table,
    places: object,
    travel_min: npt.ArrayLike,
    hospitals: object,
    *,
    seed: int,
    replications: int = 100,
    minutes: float = WEEK_MIN,
    warm_up_min: float = 0.0,
    figures: Figures | None = None,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
    **rules: Unpack[RuleOptions],
) -> Replications:
    """Simulate one plan many times.

    Replication ``r`` draws the same calls, with the same luck, for every plan run with the same seed (common
    random numbers), however many replications and threads there are.

    Parameters
    ----------
    calls
        Rates to sample calls from; or a trace as :func:`models.dispatch.simulate` takes it, whose missing
        minutes are drawn anew each time from ``times``.
    units, places, travel_min, hospitals, **rules
        As in :func:`models.dispatch.simulate`. Sampled calls need ``times``.
    seed
        Fixes all chance.
    replications
        How many; at least 2.
    minutes
        Length of each, warm-up included.
    warm_up_min
        Calls and minutes before this are simulated but not counted.
    figures
        What to keep of each outcome; :func:`standard_figures` when not given.
    threads
        How many run at once; the compiled rules hold no lock.
    progress
        Called with the share done, from 0 to 1, in the caller's thread; what it raises stops the work.

    Raises
    ------
    InvalidInputError
        If any input cannot be used.
    """
    faults = Faults()
    faults.check(replications >= 2, "at least 2 replications are needed for an interval")
    faults.check(threads >= 1, "threads must be at least 1")
    faults.check(seed >= 0, "the seed must be zero or more")
    faults.check(math.isfinite(minutes) and minutes > 0, "minutes must be above zero")
    faults.check(0 <= warm_up_min < minutes, "the warm-up must end before the replication does")
    if isinstance(calls, CallRates):
        faults.check(rules.get("times"), "sampled calls need times to draw their minutes from")
    options = {**rules, "until_min": rules.get("until_min") or minutes}
    setting = read_setting(units, places, travel_min, hospitals, rules=Rules(**options), faults=faults)  # type: ignore[arg-type]
    if not faults:
        read_trace(setting, _calls_of(calls, setting, minutes, (seed, 0)), (seed, 0), faults)
    faults.raise_as(InvalidInputError, HEADLINE)
    keep = figures or standard_figures()

    def piece(chosen: range) -> list[Mapping[str, float]]:
        return [keep(_one(calls, setting, minutes, (seed, r)), warm_up_min) for r in chosen]

    assert setting.ground is not None  # noqa: S101 - made before the threads start
    size = max(1, math.ceil(replications / (threads * PIECES_A_THREAD)))
    pieces = [range(low, min(low + size, replications)) for low in range(0, replications, size)]
    found: list[Mapping[str, float]] = []
    with ThreadPoolExecutor(threads) as pool:
        try:
            for rows in pool.map(piece, pieces):
                found.extend(rows)
                if progress is not None:
                    progress(len(found) / replications)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    source = (seed, replications, minutes, warm_up_min, setting.rules.start_hour, _mark(calls))
    return Replications({name: np.array([row[name] for row in found]) for name in found[0]}, source)


def _calls_of(calls: CallRates | Table, setting: Setting, minutes: float, key: tuple[int, int]) -> Table:
    if isinstance(calls, CallRates):
        return sample_calls(calls, minutes, key=key, start_hour=setting.rules.start_hour)
    return calls


def _one(calls: CallRates | Table, setting: Setting, minutes: float, key: tuple[int, int]) -> Outcome:
    faults = Faults()
    read, fixed_hospital = read_trace(setting, _calls_of(calls, setting, minutes, key), key, faults)
    faults.raise_as(InvalidInputError, HEADLINE)
    return run(setting, read, fixed_hospital)


def _mark(calls: CallRates | Table) -> int:
    """Give a number that two results share only when they were given the same calls."""
    if isinstance(calls, CallRates):
        return hash((calls.per_h.tobytes(), np.asarray(calls.place).tobytes(), calls.kinds))
    frame = pd.DataFrame(calls)
    return hash((tuple(frame.columns), pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()))


def compare(
    first: Replications,
    second: Replications,
    name: str,
    *,
    better: Literal["lower", "higher"] | None = None,
    confidence: float = 0.95,
) -> Difference:
    """Say whether the second plan is better than the first, by paired differences on the same calls.

    Parameters
    ----------
    name
        Figure to compare.
    better
        Which direction is good; known for the standard figures.

    Raises
    ------
    InvalidInputError
        If the two did not meet the same calls, lack the figure, or nothing says which direction is good.
    """
    if first.source != second.source:
        raise InvalidInputError(
            "The two plans did not meet the same calls; run both with the same seed, calls, replications, "
            "length and warm-up"
        )
    change = second._values(name) - first._values(name)  # noqa: SLF001
    good = better or BETTER.get(name)
    if good is None:
        raise InvalidInputError(f"say whether a lower or a higher {name} is better")
    found = interval(change, confidence=confidence)
    verdict: Verdict = "cannot tell yet"
    if found.low > 0 or found.high < 0:
        verdict = "better" if (found.mean < 0) == (good == "lower") else "worse"
    return Difference(**vars(found), verdict=verdict)
