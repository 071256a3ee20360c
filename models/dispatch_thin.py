"""How many units are free at each moment, and what caused the minutes with one or none."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import InvalidInputError
from models.dispatch_run import Outcome

if TYPE_CHECKING:
    from models.dispatch import Simulation

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PHASES = ("turnout_and_drive", "on_scene", "to_hospital", "at_hospital")
IN_WORDS = {
    "turnout_and_drive": "units on their way to calls",
    "on_scene": "units at the scene",
    "to_hospital": "units on their way to hospital",
    "at_hospital": "units held at hospital",
}


@dataclass(frozen=True, eq=False)
class UnitMinutes:
    """(n_units,) minutes of each unit within the time over which units are counted."""

    on_duty: FloatArray
    busy: FloatArray
    overtime: FloatArray


@dataclass(frozen=True, eq=False)
class FreeUnits:
    """Number of free units over time: constant from each ``minute`` to the next.

    Attributes
    ----------
    minute
        (n + 1,) minutes; the first is 0, the last the end.
    free, on_duty
        (n,) units that are on shift and on no call; units on shift.
    """

    minute: FloatArray
    free: IntArray
    on_duty: IntArray

    def minutes_with(self, at_most: int, *, since: float = 0.0) -> float:
        """Minutes from ``since`` on with at most so many units free."""
        start = np.maximum(self.minute[:-1], since)
        length = np.maximum(self.minute[1:] - start, 0.0)
        return float(length[self.free <= at_most].sum())


def _clip(start: FloatArray, end: FloatArray, first: float, last: float) -> FloatArray:
    """Minutes of each stretch that lie between ``first`` and ``last``."""
    minutes: FloatArray = np.maximum(np.minimum(end, last) - np.maximum(start, first), 0.0)
    return minutes


def _sum(unit: IntArray, minutes: FloatArray, n_units: int) -> FloatArray:
    return np.bincount(unit, minutes, minlength=n_units).astype(np.float64)


def busy_on_duty(outcome: Outcome) -> tuple[IntArray, FloatArray, FloatArray]:
    """Give unit, start and end of every stretch in which a unit on shift was on a call."""
    units = outcome.units
    unit, shift, start, end = outcome.busy()
    late = np.flatnonzero(end > units.ends[shift])
    found = [(unit, start, np.minimum(end, units.ends[shift]))]
    unit, shift, end = unit[late], shift[late], end[late]
    last_shift = units.first_shift[1:] - 1
    while len(unit):
        more = (end > units.ends[shift]) & (shift < last_shift[unit])
        unit, end, shift = unit[more], end[more], shift[more] + 1
        again = units.starts[shift] < end
        unit, end, shift = unit[again], end[again], shift[again]
        found.append((unit, units.starts[shift], np.minimum(end, units.ends[shift])))
    return (
        np.concatenate([part[0] for part in found]),
        np.concatenate([part[1] for part in found]),
        np.concatenate([part[2] for part in found]),
    )


def unit_minutes(outcome: Outcome, *, since: float = 0.0) -> UnitMinutes:
    """Minutes on duty, busy on shift and busy after its end, from ``since`` to the outcome's ``until``."""
    units, n, until = outcome.units, len(outcome.units), outcome.until
    on_duty = _sum(units.shift_unit, _clip(units.starts, units.ends, since, until), n)
    unit, _, start, end = outcome.busy()
    busy = _sum(unit, _clip(start, end, since, until), n)
    unit, start, end = busy_on_duty(outcome)
    on_shift = _sum(unit, _clip(start, end, since, until), n)
    return UnitMinutes(on_duty, on_shift, np.maximum(busy - on_shift, 0.0))


def free_units(outcome: Outcome) -> FreeUnits:
    """Count the free units from minute 0 to the outcome's ``until``."""
    units, until = outcome.units, outcome.until
    _, start, end = busy_on_duty(outcome)
    n_shifts, n_busy = len(units.starts), len(start)
    at = np.concatenate([[0.0], units.starts, units.ends, start, end])
    duty = np.repeat([0, 1, -1, 0, 0], [1, n_shifts, n_shifts, n_busy, n_busy])
    free = duty - np.repeat([0, 0, 0, 1, -1], [1, n_shifts, n_shifts, n_busy, n_busy])
    at = np.clip(at, 0.0, until)
    order = np.argsort(at, kind="stable")
    at, duty, free = at[order], np.cumsum(duty[order]), np.cumsum(free[order])
    at = np.append(at, until)
    lasts = np.diff(at) > 0
    return FreeUnits(np.append(at[:-1][lasts], until), free[lasts], duty[lasts])


def thin_minutes(simulation: "Simulation", *, at_most: int = 1) -> pd.DataFrame:
    """Find the stretches of time with at most so many units free, and what caused them.

    Parameters
    ----------
    simulation
        What :func:`models.dispatch.simulate` gave.
    at_most
        A stretch has this many free units or fewer.

    Returns
    -------
    stretches
        One row a stretch with one number of free and of on-duty units, from minute 0 to ``until_min``:
        ``starts_min, ends_min, minutes, free, on_duty, began`` (the event that began it, in words), ``call``
        (row of the call that was sent a unit then, -1 when it began otherwise), ``waiting`` (most calls
        waiting), ``turnout_and_drive_min, on_scene_min, to_hospital_min, at_hospital_min`` (unit-minutes
        spent so), ``cause`` (what held most of them, in words).

    Raises
    ------
    InvalidInputError
        If ``at_most`` is negative.
    """
    if at_most < 0:
        raise InvalidInputError("at_most must be zero or more")
    outcome = simulation.outcome
    steps = free_units(outcome)
    thin = np.flatnonzero(steps.free <= at_most)
    starts, ends = steps.minute[thin], steps.minute[thin + 1]
    # Stretches that follow one another with the same numbers are one.
    joined = np.zeros(len(thin), dtype=bool)
    joined[1:] = (np.diff(thin) == 1) & (np.diff(steps.free[thin]) == 0) & (np.diff(steps.on_duty[thin]) == 0)
    first = np.flatnonzero(~joined)
    last = np.append(first[1:], len(thin)) - 1 if len(first) else first
    starts, ends = starts[first], ends[last]
    spent = _phase_minutes(outcome, starts, ends)
    began, call = _beginnings(simulation, starts)
    frame = pd.DataFrame(
        {
            "starts_min": starts,
            "ends_min": ends,
            "minutes": ends - starts,
            "free": steps.free[thin][first],
            "on_duty": steps.on_duty[thin][first],
            "began": began,
            "call": call,
            "waiting": _most_waiting(outcome, starts, ends),
        }
    )
    for phase in PHASES:
        frame[f"{phase}_min"] = spent[phase]
    most = np.column_stack([spent[phase] for phase in PHASES])
    words = np.array([IN_WORDS[phase] for phase in PHASES], dtype=object)
    frame["cause"] = np.where(most.any(axis=1), words[most.argmax(axis=1)], "few units on shift").astype(str)
    return frame


def _phase_minutes(outcome: Outcome, starts: FloatArray, ends: FloatArray) -> dict[str, FloatArray]:
    """Unit-minutes of each phase within each stretch; the stretches do not overlap and are in order."""
    served = outcome.served
    leave = outcome.leave[served]
    there = np.where(np.isnan(outcome.at_hospital[served]), leave, outcome.at_hospital[served])
    turned = outcome.turned
    spans = {
        "turnout_and_drive": (
            np.concatenate([outcome.assigned[served], turned[:, 3]]),
            np.concatenate([outcome.on_scene[served], turned[:, 4]]),
        ),
        "on_scene": (outcome.on_scene[served], leave),
        "to_hospital": (leave, there),
        "at_hospital": (there, outcome.available[served]),
    }
    return {name: _within(*span, starts, ends) for name, span in spans.items()}


def _within(begin: FloatArray, end: FloatArray, starts: FloatArray, ends: FloatArray) -> FloatArray:
    """Sum of the minutes of all spans within each stretch: the integral of how many spans hold."""
    at = np.concatenate([begin, end])
    order = np.argsort(at, kind="stable")
    change = np.repeat([1.0, -1.0], [len(begin), len(end)])[order]
    at, holding = at[order], np.cumsum(change)
    if not len(at):
        return np.zeros(len(starts))
    area = np.concatenate([[0.0], np.cumsum(holding[:-1] * np.diff(at))])
    minutes: FloatArray = np.interp(ends, at, area) - np.interp(starts, at, area)
    return minutes


def _most_waiting(outcome: Outcome, starts: FloatArray, ends: FloatArray) -> IntArray:
    """Most calls waiting at once in each stretch."""
    ready = outcome.calls.ready_min
    until = np.where(outcome.served, outcome.assigned, np.inf)
    waits = until > ready
    at = np.concatenate([ready[waits], until[waits]])
    order = np.lexsort((np.repeat([1, 0], int(waits.sum())), at))
    change = np.repeat([1, -1], int(waits.sum()))[order]
    at, number = at[order], np.cumsum(change)
    low = np.searchsorted(at, starts, side="right")
    high = np.searchsorted(at, ends, side="left")
    before = np.concatenate([[0], number])
    return np.array([int(before[a : b + 1].max()) for a, b in zip(low, high, strict=True)], dtype=np.int64)


def _beginnings(simulation: "Simulation", starts: FloatArray) -> tuple[list[str], IntArray]:
    """Say in words what happened when each stretch began, and which call was sent a unit."""
    outcome = simulation.outcome
    names = outcome.units.unit_id
    served = np.flatnonzero(outcome.served)
    by_time = served[np.argsort(outcome.assigned[served], kind="stable")]
    assigned = outcome.assigned[by_time]
    ends, starts_on = outcome.units.ends, outcome.units.starts
    available = np.sort(outcome.available[served])
    words, calls = [], np.full(len(starts), -1, dtype=np.int64)
    for i, minute in enumerate(starts):
        spot = np.searchsorted(assigned, minute, side="right") - 1
        off = np.flatnonzero(ends == minute)
        on = np.flatnonzero(starts_on == minute)
        if minute == 0:
            words.append("the start")
        elif len(off):
            listed = ", ".join(str(names[unit]) for unit in outcome.units.shift_unit[off])
            words.append(f"end of shift: {listed}")
        elif spot >= 0 and assigned[spot] == minute:
            calls[i] = by_time[spot]
            words.append(f"call {by_time[spot]} took {names[outcome.unit[by_time[spot]]]}")
        elif len(on):
            listed = ", ".join(str(names[unit]) for unit in outcome.units.shift_unit[on])
            words.append(f"start of shift: {listed}")
        elif minute == available[min(np.searchsorted(available, minute), len(available) - 1)]:
            words.append("a unit came free")
        else:
            words.append("a unit was turned to another call")
    return words, calls
