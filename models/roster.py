"""Units on duty in a usual week: read from a table of shifts, and put at the posts of a plan."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import InvalidInputError
from models.plan import Plan

HOURS_A_WEEK = 168
WEEKS = 4
USUAL = 0.5
"""A unit is usually on duty in an hour of the week when it was for this share of it, on the mean."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Roster:
    """Units and the hours of the week in which they are usually on duty.

    Attributes
    ----------
    unit_id, unit_type
        (n_units,) in the order of ids; units that are never usually on duty are left out.
    home
        (n_units,) post that each waits at, empty where it is not known.
    on_duty
        (n_units, 168) whether it is on duty; hour 0 is Monday from midnight to one.
    first_day, last_day
        The whole weeks that were read.
    """

    unit_id: tuple[str, ...]
    unit_type: tuple[str, ...]
    home: tuple[str, ...]
    on_duty: BoolArray
    first_day: pd.Timestamp
    last_day: pd.Timestamp


@dataclass(frozen=True, eq=False)
class Crew:
    """One unit of a plan: where it waits and when.

    Attributes
    ----------
    post
        Row of the plan's staffed posts.
    unit_id, unit_type
        As in the roster; an added post without a unit of its own has an ALS unit named after it.
    on_duty
        (168,) hours of the week on duty.
    rostered
        Whether the roster has the unit; if not it is always on duty.
    """

    post: int
    unit_id: str
    unit_type: str
    on_duty: BoolArray
    rostered: bool


def usual_week(shifts: pd.DataFrame, homes: Mapping[str, str], *, weeks: int = WEEKS) -> Roster:
    """Read the usual week from the last whole weeks of a table of shifts.

    Parameters
    ----------
    shifts
        ``unit_id, unit_type, starts_at, ends_at``; times in the city's zone.
    homes
        Post of each unit, where it is known.
    weeks
        How many whole weeks (Monday to Sunday) to read, as many as there are at most.

    Raises
    ------
    InvalidInputError
        If the table holds no whole week, or no unit is usually on duty.
    """
    starts, ends = (shifts[name].dt.tz_localize(None) for name in ("starts_at", "ends_at"))
    until = ends.max().normalize()
    until -= pd.Timedelta(days=until.day_of_week)
    whole = int((until - starts.min()) / pd.Timedelta(weeks=1)) if len(shifts) else 0
    if whole < 1:
        raise InvalidInputError("The shifts hold no whole week, so that no usual week can be read from them")
    counted = min(weeks, whole)
    since = until - pd.Timedelta(weeks=counted)
    near = ((ends > since) & (starts < until)).to_numpy()
    unit_id, unit = np.unique(shifts["unit_id"][near].astype(str), return_inverse=True)
    first, last = (
        ((time[near] - since) / pd.Timedelta(hours=1)).to_numpy(dtype=np.float64) for time in (starts, ends)
    )
    n_hours = counted * HOURS_A_WEEK
    held = np.zeros((len(unit_id), n_hours))
    hour = np.arange(n_hours)
    for row, begins, finishes in zip(unit, first, last, strict=True):
        held[row] += np.clip(np.minimum(finishes, hour + 1) - np.maximum(begins, hour), 0, None)
    on_duty = held.reshape(len(unit_id), counted, HOURS_A_WEEK).mean(axis=1) >= USUAL
    used = np.flatnonzero(on_duty.any(axis=1))
    if not len(used):
        raise InvalidInputError("No unit is usually on duty in the last whole weeks of the shifts")
    kind = dict(zip(shifts["unit_id"].astype(str), shifts["unit_type"].astype(str), strict=True))
    names = [str(unit_id[row]) for row in used]
    return Roster(
        unit_id=tuple(names),
        unit_type=tuple(kind[name] for name in names),
        home=tuple(homes.get(name, "") for name in names),
        on_duty=on_duty[used],
        first_day=since,
        last_day=until - pd.Timedelta(days=1),
    )


def crews(plan: Plan, roster: Roster, today: tuple[str, ...]) -> tuple[Crew, ...]:
    """Put the roster's units at a plan's posts.

    A unit waits at its home post, moved or not. Posts that nobody's home is take over, in their order, the
    units of those posts of today that the plan leaves empty, in theirs. What is left over goes off duty; a
    post that is still without a unit has an ALS unit that is always on duty.

    Parameters
    ----------
    plan
        The plan; its staffed posts.
    roster
        The usual week. Units without a home belong to today's posts in turn.
    today
        Posts of today's order.
    """
    staffed = [post.post_id for post in plan.staffed]
    adrift = iter(range(len(roster.unit_id)))
    home = [post or (today[next(adrift) % len(today)] if today else "") for post in roster.home]
    unmanned = [post_id for post_id in staffed if post_id not in home]
    empty = [post_id for post_id in today if post_id in home and post_id not in staffed]
    stand_in = dict(zip(empty, unmanned, strict=False))
    found = []
    for unit, post_id in enumerate(home):
        place = stand_in.get(post_id, post_id)
        if place in staffed:
            row = staffed.index(place)
            found.append(
                Crew(row, roster.unit_id[unit], roster.unit_type[unit], roster.on_duty[unit], rostered=True)
            )
    manned = {crew.post for crew in found}
    always = np.ones(HOURS_A_WEEK, dtype=bool)
    found += [
        Crew(row, post.name, "ALS", always, rostered=False)
        for row, post in enumerate(plan.staffed)
        if row not in manned
    ]
    return tuple(sorted(found, key=lambda crew: (crew.post, crew.unit_id)))


def shift_rows(on_duty: BoolArray, minutes: float) -> list[tuple[float, float]]:
    """Start and end of each stretch on duty, in minutes from Monday at midnight, a week beyond both ends.

    Parameters
    ----------
    on_duty
        (168,) hours of the week on duty.
    minutes
        Length of the time to cover.

    Returns
    -------
    rows
        One endless stretch for a unit that is always on duty, none for one that never is.
    """
    if on_duty.all():
        return [(-np.inf, np.inf)]
    hours = np.arange(-HOURS_A_WEEK, int(np.ceil(minutes / 60)) + HOURS_A_WEEK)
    change = np.diff(np.concatenate([[0], on_duty[hours % HOURS_A_WEEK].astype(np.int64), [0]]))
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return [
        (60.0 * (start - HOURS_A_WEEK), 60.0 * (end - HOURS_A_WEEK))
        for start, end in zip(starts, ends, strict=True)
    ]
