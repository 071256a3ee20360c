"""What if an outlet or a zone closes earlier: a range from published studies, never a point alone.

Two questions, both only where hours are known:

- `closed_hours_control`: are there more incidents in the outlet's own open hours than in its closed ones?
- `earlier_closing`: how many incidents lie after the new hour, and what did studies of earlier closing see?

The studies closed all bars of a district at one hour in cities with a last call. They tell nothing certain
of one outlet, or of a city whose bars need not close.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, chi2

from errors import Faults, InvalidInputError
from models.closing_studies import Dose, dose_for
from models.opening_hours import DAY_MINUTES, WEEK_HOURS, WEEK_MINUTES, OpeningHours

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

CAVEATS = (
    "Studied in cities with a last call: may not transfer.",
    "An association, not a cause.",
)
REGRESSION_WORDS = (
    "An outlet is looked at because its count was high, and part of a high count is luck. Next year's "
    "count would on the mean be lower even if nothing changed. The forecast therefore starts from the "
    "shrunken relative risk, not from the raw one; who compares before with after at a chosen outlet "
    "would see a fall and credit the hour."
)
NOT_SHRUNKEN = "No shrunken relative risk was given: the count is taken as it is, which promises too much."
DISPLACEMENT = (0.0, 0.32)
"""Share of the incidents prevented that comes back at other hours or places. 0: none was seen (Newcastle,
Kypri et al. 2011). 0.32: 299 more assaults around against 930 fewer inside (Sydney; Donnelly et al. 2017)."""
NIGHT_ENDS = 6 * 60
"""Minutes after midnight at which a night is over: an earlier closing takes hours up to here."""
EARLIEST = 20 * 60
"""Earliest new hour: no study closed bars in the afternoon."""


@dataclass(frozen=True)
class NotShown:
    """Why a question has no answer here."""

    reason: str


@dataclass(frozen=True)
class Range:
    """A number with its limits."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClosedHours:
    """Incidents in the outlet's open hours against its closed ones.

    Attributes
    ----------
    in_open, in_closed
        Incidents attributed, shares added up.
    open_hours, closed_hours
        Hours a week, each weighted with how busy that hour is elsewhere; they add up to 168.
    ratio
        Rate in open hours over the rate in closed ones, with its interval; infinite where none was closed.
    p_value
        That both rates are equal, two-sided.
    weighed
        Whether hours were weighed by a rhythm.
    """

    in_open: float
    in_closed: float
    open_hours: float
    closed_hours: float
    ratio: Range
    p_value: float
    weighed: bool


@dataclass(frozen=True)
class EarlierClosing:
    """What an earlier hour could change, a year.

    Attributes
    ----------
    hours_lost
        Open hours a week that the new hour takes.
    hours_earlier
        Hours earlier on the mean night that is cut.
    after_a_year
        Incidents attributed in the hours taken, a year, with the exact Poisson interval.
    night_a_year
        Incidents attributed between 22:00 and 06:00, a year: the hours the studies counted. Shrunken by the
        relative risk where one is given, raw where not.
    fewer_low, fewer_high
        Incidents fewer a year, from least to most: the studies' range times the night's range, less what
        moves.
    dose
        The studies' range for so many hours, and its words.
    displacement
        Least and most share that moves to other hours or places.
    words
        Sentences for the screen.
    """

    hours_lost: float
    hours_earlier: float
    after_a_year: Range
    night_a_year: Range
    fewer_low: float
    fewer_high: float
    dose: Dose
    displacement: tuple[float, float]
    words: tuple[str, ...]


def rate_ratio(
    count: float, other_count: float, *, time: float, other_time: float, level: float = 0.95
) -> tuple[Range, float]:
    """Ratio of two Poisson rates, exact given their sum, and the p-value that they are equal.

    Given the sum, the first count is binomial with ``p = time * ratio / (time * ratio + other_time)``
    (Przyborowski and Wilenski 1940, *Biometrika* 31, 313-323); the interval is that of Clopper and Pearson
    (1934, *Biometrika* 26) turned into a ratio. Counts that are sums of shares go in as they are: the
    limits are beta quantiles, which take any number, and the variance of such a sum is at most its mean.

    Raises
    ------
    InvalidInputError
        When a count is negative, a time not above zero, or both counts are zero.
    """
    faults = Faults()
    faults.check(count >= 0 and other_count >= 0, "a count cannot be negative")
    faults.check(time > 0 and other_time > 0, "times must be above zero")
    faults.check(count + other_count > 0, "both counts are zero")
    faults.check(0 < level < 1, "a level lies between 0 and 1")
    faults.raise_as(InvalidInputError, "Two rates cannot be compared")
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, count, other_count + 1)) if count > 0 else 0.0
    high = float(beta.ppf(1 - tail, count + 1, other_count)) if other_count > 0 else 1.0
    odds = other_time / time
    ratio = Range(*(_odds(share) * odds for share in (count / (count + other_count), low, high)))
    even = time / (time + other_time)
    above = float(beta.cdf(even, count, other_count + 1)) if count > 0 else 1.0
    below = float(beta.sf(even, count + 1, other_count)) if other_count > 0 else 1.0
    return ratio, min(1.0, 2 * min(above, below))


def closed_hours_control(
    hours: OpeningHours | None,
    minute: npt.ArrayLike,
    share: npt.ArrayLike,
    *,
    rhythm: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> ClosedHours | NotShown:
    """Compare the outlet's open hours with its closed ones: its own control, where it has one.

    Parameters
    ----------
    hours
        Of the outlet; None where they are not known.
    minute
        (n,) minute of the week of each incident, -1 where not known (`models.opening_hours.week_minutes`).
    share
        (n,) share of the incident attributed to the outlet; give the incidents that are ranked only.
    rhythm
        (168,) incidents of each hour of the week on streets away from outlets, above zero: nights are
        busier everywhere, and bars are open at night. None weighs all hours alike, and the comparison then
        flatters daytime and blames the night.

    Returns
    -------
    ClosedHours | NotShown
        The reason where hours are not known, the place never closes, or nothing was attributed.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    at, part = _incidents(minute, share)
    weight = np.ones(WEEK_HOURS) if rhythm is None else np.asarray(rhythm, dtype=np.float64)
    faults = Faults()
    sound = weight.shape == (WEEK_HOURS,) and np.isfinite(weight).all() and (weight > 0).all()
    faults.check(
        sound, "the rhythm must hold 168 numbers above zero; add the streets' hours up or smooth them"
    )
    faults.raise_as(InvalidInputError, "Open and closed hours cannot be compared")
    if hours is None:
        return NotShown("Off: the hours of this outlet are not known, so it cannot be its own control.")
    if hours.never_closes:
        return NotShown("Off: this outlet never closes, so there are no closed hours to compare with.")
    known = at >= 0
    is_open = hours.minutes[at[known]]
    in_open, in_closed = float(part[known][is_open].sum()), float(part[known][~is_open].sum())
    if in_open + in_closed <= 0:
        return NotShown("Off: no incident with a time is attributed to this outlet.")
    weight = weight / weight.mean()
    open_share = hours.minutes.reshape(WEEK_HOURS, 60).mean(axis=1)
    open_hours = float((weight * open_share).sum())
    ratio, p_value = rate_ratio(
        in_open, in_closed, time=open_hours, other_time=WEEK_HOURS - open_hours, level=level
    )
    return ClosedHours(
        in_open=in_open,
        in_closed=in_closed,
        open_hours=open_hours,
        closed_hours=WEEK_HOURS - open_hours,
        ratio=ratio,
        p_value=p_value,
        weighed=rhythm is not None,
    )


def earlier_closing(
    hours: OpeningHours | None,
    minute: npt.ArrayLike,
    share: npt.ArrayLike,
    *,
    years: float,
    closes: int,
    raw_risk: float | None = None,
    risk: Range | None = None,
    displacement: tuple[float, float] = DISPLACEMENT,
    level: float = 0.95,
) -> EarlierClosing | NotShown:
    """Give the range of incidents fewer a year if an outlet closes at a new hour every night.

    Parameters
    ----------
    hours, minute, share
        As `closed_hours_control` takes them.
    years
        Length of the records.
    closes
        New hour in minutes after the midnight that begins the evening's day: 1,560 is 02:00 the next
        morning; from 20:00 (1,200) to 06:00 (1,800). It holds up to 06:00; hours from 06:00 on stay.
    raw_risk, risk
        Relative risk as counted (observed over expected) and as shrunken towards the mean with its
        interval: the forecast is the night's count times ``risk / raw_risk``. Without both the count is
        taken as it is and the words say so.
    displacement
        Least and most share of the incidents prevented that moves elsewhere, 0 to 1.

    Raises
    ------
    InvalidInputError
        With every fault of the arguments.
    """
    at, part = _incidents(minute, share)
    _check(years, closes, raw_risk, risk, displacement)
    if hours is None:
        return NotShown("Not shown: the hours of this outlet are not known. Ask for them first.")
    taken = hours.minutes & _night_after(closes)
    if not taken.any():
        return NotShown("Not shown: this outlet is already closed by that hour every night.")
    hours_lost = float(taken.sum()) / 60
    # A night belongs to the day on which its evening began.
    nights = np.roll(taken, -NIGHT_ENDS).reshape(7, DAY_MINUTES).sum(axis=1)
    hours_earlier = float(nights[nights > 0].mean()) / 60
    known = at >= 0
    after = float(part[known][taken[at[known]]].sum())
    night = float(part[known][_night_after(22 * 60)[at[known]]].sum())
    after_a_year, counted = _poisson(after, years, level), _poisson(night, years, level)
    if risk is not None and raw_risk is not None:
        night_a_year = Range(
            *(counted.value * limit / raw_risk for limit in (risk.value, risk.low, risk.high))
        )
    else:
        night_a_year = counted
    dose = dose_for(hours_earlier)
    fewer_low = night_a_year.low * dose.low * (1 - displacement[1])
    fewer_high = night_a_year.high * dose.high * (1 - displacement[0])
    attributed = (
        f"In those hours {after_a_year.value:.1f} incidents a year are attributed to this outlet "
        f"({level:.0%} interval {after_a_year.low:.1f} to {after_a_year.high:.1f})."
    )
    fewer = (
        f"{fewer_low:.1f} to {fewer_high:.1f} incidents fewer a year, of {night_a_year.low:.1f} to "
        f"{night_a_year.high:.1f} to be expected between 22:00 and 06:00."
    )
    words = [
        f"The new hour takes {hours_lost:.1f} open hours a week, {hours_earlier:.1f} on a night that is cut.",
        attributed,
        dose.words,
        fewer,
        f"{displacement[0]:.0%} to {displacement[1]:.0%} of it moves to other hours or places: taken off.",
        *CAVEATS,
        REGRESSION_WORDS if risk is not None and raw_risk is not None else NOT_SHRUNKEN,
    ]
    if not known.all():
        words.append(f"{int((~known).sum())} incidents have no time and are in no figure here.")
    if hours.never_closes:
        words.append(
            "This outlet never closes today: it can be asked to, but its closed hours cannot be its control."
        )
    return EarlierClosing(
        hours_lost=hours_lost,
        hours_earlier=hours_earlier,
        after_a_year=after_a_year,
        night_a_year=night_a_year,
        fewer_low=fewer_low,
        fewer_high=fewer_high,
        dose=dose,
        displacement=displacement,
        words=tuple(words),
    )


def zone_words(outlets: Sequence[EarlierClosing | NotShown]) -> tuple[str, ...]:
    """Sentences for a zone: the outlets' ranges added up, and which could not be counted and why."""
    shown = [one for one in outlets if isinstance(one, EarlierClosing)]
    reasons: dict[str, int] = {}
    for one in outlets:
        if isinstance(one, NotShown):
            reasons[one.reason] = reasons.get(one.reason, 0) + 1
    words = []
    if shown:
        low, high = sum(one.fewer_low for one in shown), sum(one.fewer_high for one in shown)
        words.append(
            f"{low:.1f} to {high:.1f} incidents fewer a year in {len(shown)} of {len(outlets)} outlets "
            "(limits added up, which is wider than chance alone asks)."
        )
        words += CAVEATS
    words += [f"{count} outlets: {reason}" for reason, count in reasons.items()]
    return tuple(words)


def _night_after(closes: int) -> BoolArray:
    """(10080,) True from the hour to 06:00 of each night."""
    minute = np.arange(WEEK_MINUTES) % DAY_MINUTES
    into_night = np.where(minute < NIGHT_ENDS, minute + DAY_MINUTES, minute)
    return np.asarray(into_night >= closes)


def _poisson(count: float, years: float, level: float) -> Range:
    """Exact limits (Garwood 1936, Biometrika 28) of a count, a year."""
    tail = (1 - level) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count > 0 else 0.0
    return Range(count / years, low / years, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2 / years)


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else float("inf")


def _incidents(minute: npt.ArrayLike, share: npt.ArrayLike) -> tuple[IntArray, FloatArray]:
    at, part = np.asarray(minute), np.asarray(share, dtype=np.float64)
    faults = Faults()
    whole = at.ndim == 1 and (at.size == 0 or np.issubdtype(at.dtype, np.integer))
    faults.check(whole, "minutes of the week must be one list of whole numbers")
    if whole and at.size:
        faults.check(at.min() >= -1 and at.max() < WEEK_MINUTES, "a minute lies outside the week")
    faults.check(at.shape == part.shape, "each incident needs one minute and one share")
    faults.check(bool(((part >= 0) & (part <= 1)).all()), "a share lies between 0 and 1")
    faults.raise_as(InvalidInputError, "Incidents cannot be counted by hour")
    return at.astype(np.int64), part


def _check(
    years: float,
    closes: int,
    raw_risk: float | None,
    risk: Range | None,
    displacement: tuple[float, float],
) -> None:
    faults = Faults()
    faults.check(np.isfinite(years) and years > 0, "years must be above zero")
    faults.check(
        EARLIEST <= closes < NIGHT_ENDS + DAY_MINUTES, "the new hour must lie between 20:00 and 06:00"
    )
    faults.check(0 <= displacement[0] <= displacement[1] <= 1, "displacement runs from low to high, 0 to 1")
    if raw_risk is not None and risk is not None:
        faults.check(raw_risk > 0, "the raw relative risk must be above zero")
        faults.check(0 <= risk.low <= risk.value <= risk.high, "the relative risk must lie in its interval")
    faults.raise_as(InvalidInputError, "Earlier closing cannot be judged")
