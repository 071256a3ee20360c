"""Opening hours as text, and as the minutes of a week: a plain subset of OpenStreetMap's ``opening_hours``.

A rule is days and times, ``Mo-Th 16:00-24:00``; rules are parted by ``;``; one without days is for every day.
Hours belong to the day on which they begin: ``Fr 16:00-03:00`` ends on Saturday. A later rule replaces what
earlier rules said of its days. ``24/7`` never closes, ``off`` or ``closed`` is a day without hours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults, InvalidInputError

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
WEEK_HOURS = 168
LATEST_MINUTES = 2 * DAY_MINUTES
ALWAYS = "24/7"
SHUT = ("off", "closed")

_TIME = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_BEYOND = (
    (re.compile(r"\bPH\b|\bSH\b"), "holidays do not come every week"),
    (re.compile(r"sunrise|sunset|dawn|dusk"), "the sun is not a clock; give times"),
    (re.compile(r"\d\+"), "an open end gives no closing time"),
    (
        re.compile(r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|week)\b"),
        "seasons are not read; give one week",
    ),
    (re.compile(r"\|\||\[|\""), "choices and comments are not read"),
)


@dataclass(frozen=True, eq=False)
class OpeningHours:
    """One week of opening hours.

    Attributes
    ----------
    minutes
        (10080,) True while open; minute 0 is Monday 00:00 by the clock on the wall.
    """

    minutes: BoolArray

    @cached_property
    def hours(self) -> BoolArray:
        """(168,) True where the place is open for at least half of the hour; hour 0 is Monday 00:00."""
        return np.asarray(self.minutes.reshape(WEEK_HOURS, 60).sum(axis=1) >= 30)

    @property
    def hours_a_week(self) -> float:
        """Open hours of the week, to the minute."""
        return float(self.minutes.sum()) / 60

    @property
    def never_closes(self) -> bool:
        """Whether no minute of the week is closed."""
        return bool(self.minutes.all())

    @cached_property
    def closes_at(self) -> tuple[int | None, ...]:
        """Minutes after each day's midnight at which the last stretch begun that day ends.

        1,620 on Friday is Saturday 03:00. None where no stretch begins that day, or where it never closes.
        """
        if self.never_closes:
            return (None,) * 7
        before = np.roll(self.minutes, 1)
        begins = np.flatnonzero(self.minutes & ~before)
        ends = np.flatnonzero(~self.minutes & before)
        found: list[int | None] = [None] * 7
        for begin in begins:
            day = int(begin // DAY_MINUTES)
            after = ends[ends > begin]
            end = int(after[0]) if after.size else int(ends[0]) + WEEK_MINUTES
            found[day] = end - day * DAY_MINUTES
        return tuple(found)

    def closing_words(self) -> tuple[str, ...]:
        """One phrase a day: ``Fr closes Sa 03:00``."""
        if self.never_closes:
            return tuple(f"{day} does not close" for day in DAYS)
        return tuple(
            f"{name} does not open" if end is None else f"{name} closes {_clock(day, end)}"
            for day, (name, end) in enumerate(zip(DAYS, self.closes_at, strict=True))
        )


@dataclass(frozen=True, eq=False)
class HoursTable:
    """Opening hours of many places.

    Attributes
    ----------
    hours
        One `OpeningHours` a place, None where they are not known.
    reason
        (n,) why they are not known, empty where they are.
    """

    hours: tuple[OpeningHours | None, ...]
    reason: tuple[str, ...]

    @property
    def known(self) -> BoolArray:
        """(n,) True where the hours are known."""
        return np.array([week is not None for week in self.hours], dtype=bool)

    @property
    def open_hours(self) -> BoolArray:
        """(n, 168) True where open; a row of False where not known."""
        shut = np.zeros(WEEK_HOURS, dtype=bool)
        rows = [shut if week is None else week.hours for week in self.hours]
        return np.array(rows, dtype=bool).reshape(len(rows), WEEK_HOURS)

    @property
    def hours_a_week(self) -> npt.NDArray[np.float64]:
        """(n,) open hours a week, NaN where not known."""
        return np.array([np.nan if week is None else week.hours_a_week for week in self.hours], dtype=float)


def parse_opening_hours(text: str) -> OpeningHours:
    """Read one text.

    Raises
    ------
    InvalidInputError
        With every fault of the text, and what to write instead.
    """
    faults = Faults()
    begins_on: list[BoolArray] = [np.zeros(LATEST_MINUTES, dtype=bool) for _ in DAYS]
    for rule in filter(None, (part.strip() for part in text.split(";"))):
        if rule == ALWAYS:
            for day in range(7):
                begins_on[day] = _span(0, DAY_MINUTES)
            continue
        beyond = [why for pattern, why in _BEYOND if pattern.search(rule)]
        if beyond:
            faults.extend(f'"{rule}": {why}' for why in beyond)
            continue
        day_part, time_part = _split(rule)
        days = _days(day_part, rule, faults)
        open_minutes = _times(time_part, rule, faults)
        for day in days:
            begins_on[day] = open_minutes
    week = np.zeros(WEEK_MINUTES, dtype=bool)
    for day, minutes in enumerate(begins_on):
        week[(day * DAY_MINUTES + np.flatnonzero(minutes)) % WEEK_MINUTES] = True
    if not faults:
        faults.check(week.any(), "no hour of the week is open")
    faults.raise_as(InvalidInputError, "The opening hours cannot be read")
    return OpeningHours(week)


def read_opening_hours(texts: Sequence[str | None] | pd.Series) -> HoursTable:
    """Read many texts; a text that cannot be read is a place whose hours are not known, with the reason."""
    hours: list[OpeningHours | None] = []
    reasons: list[str] = []
    for text in texts:
        if text is None or pd.isna(text) or not str(text).strip():
            hours.append(None)
            reasons.append("the source gives no hours")
            continue
        try:
            hours.append(parse_opening_hours(str(text)))
            reasons.append("")
        except InvalidInputError as fault:
            hours.append(None)
            reasons.append(str(fault))
    return HoursTable(tuple(hours), tuple(reasons))


def week_minutes(times: pd.Series, timezone: str) -> IntArray:
    """(n,) minute of the week, 0 = Monday 00:00 by the city's clock; -1 where the time is not known.

    Raises
    ------
    InvalidInputError
        When the times carry no zone.
    """
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise InvalidInputError("Times need a time zone before an hour of the week can be given")
    local = times.dt.tz_convert(timezone)
    minute = local.dt.day_of_week * DAY_MINUTES + local.dt.hour * 60 + local.dt.minute
    return np.asarray(minute.fillna(-1), dtype=np.int64)


def _split(rule: str) -> tuple[str, str]:
    """Part the days from the times: times begin at the first digit, or are ``off``."""
    first = re.search(r"\d|\b(?:off|closed)\b", rule)
    at = first.start() if first else len(rule)
    return rule[:at].strip(), rule[at:].strip()


def _days(text: str, rule: str, faults: Faults) -> list[int]:
    if not text:
        return list(range(7))
    found: list[int] = []
    for part in text.replace(" ", "").split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(end not in DAYS for end in ends):
            faults.add(f'"{rule}": "{part}" is not a day; write Mo, Tu, We, Th, Fr, Sa, Su, or Mo-Fr')
            continue
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        found += [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    return found


def _times(text: str, rule: str, faults: Faults) -> BoolArray:
    minutes = np.zeros(LATEST_MINUTES, dtype=bool)
    if text in SHUT:
        return minutes
    if not text:
        faults.add(f'"{rule}": has no times; write for example 16:00-02:00')
        return minutes
    for part in text.replace(" ", "").split(","):
        match = _TIME.fullmatch(part)
        if match is None:
            faults.add(f'"{rule}": "{part}" is not a stretch of time; write for example 16:00-02:00')
            continue
        from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
        begin, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
        if from_minute > 59 or to_minute > 59 or begin >= DAY_MINUTES or end > LATEST_MINUTES:
            faults.add(f'"{rule}": "{part}" is not on the clock; hours begin before 24:00 and end by 48:00')
            continue
        if begin == end:
            faults.add(f'"{rule}": "{part}" begins when it ends; write 00:00-24:00 for a whole day')
            continue
        minutes |= _span(begin, end if end > begin else end + DAY_MINUTES)
    return minutes


def _span(begin: int, end: int) -> BoolArray:
    minutes = np.zeros(LATEST_MINUTES, dtype=bool)
    minutes[begin:end] = True
    return minutes


def _clock(day: int, minutes: int) -> str:
    """Day and time of a moment given in minutes after a day's midnight; midnight is the 24:00 before it."""
    days, rest = divmod(minutes, DAY_MINUTES)
    if rest == 0:
        days, rest = days - 1, DAY_MINUTES
    return f"{DAYS[(day + days) % 7]} {rest // 60:02d}:{rest % 60:02d}"
