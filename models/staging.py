"""One staging plan under one set of conditions: its travel-time field and whom it reaches."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.coverage import Coverage, Demand, coverage, drive_seconds, sole_share

FloatArray = npt.NDArray[np.float64]
TargetClock = Literal["call", "departure"]


@dataclass(frozen=True)
class Conditions:
    """What holds for every plan that is compared.

    Attributes
    ----------
    target_min
        Minutes of the target, to the first unit on scene.
    call_handling_s, turnout_s
        Seconds that pass before the wheels roll.
    speed_factor
        Multiplies the network's speeds: siren, hour of week and the planner's own factor together.
    speed_low, speed_high
        Ends of the range of the speeds, as factors of them.
    access_kph
        Speed between a street corner and a door or post, in a straight line.
    access_s
        Seconds at the two ends of a drive that do not depend on how far it is.
    target_clock
        When the target's minutes begin: ``call``, as the call is received, or ``departure``, as the wheels
        roll.
    """

    target_min: float
    call_handling_s: float
    turnout_s: float
    speed_factor: float
    speed_low: float
    speed_high: float
    access_kph: float
    access_s: float = 0.0
    target_clock: TargetClock = "call"

    def __post_init__(self) -> None:
        faults = Faults()
        faults.check(self.target_min > 0, "the target must be above zero minutes")
        faults.check(
            self.call_handling_s >= 0 and self.turnout_s >= 0, "call handling and turnout cannot be negative"
        )
        faults.check(self.speed_factor > 0 and self.access_kph > 0, "speeds must be above zero")
        faults.check(self.access_s >= 0, "the seconds at the ends of a drive cannot be negative")
        faults.check(0 < self.speed_low <= 1 <= self.speed_high, "the range of speeds must hold 1")
        faults.raise_as(InvalidInputError, "The conditions cannot be used")

    @property
    def target_from_call_min(self) -> float:
        """The target's minutes counted from the call received, whatever its own clock."""
        before_s = 0.0 if self.target_clock == "call" else self.call_handling_s + self.turnout_s
        return self.target_min + before_s / 60

    @property
    def target_words(self) -> str:
        """The target in a few words, which name the clock where it is not the call's."""
        return f"{self.target_min:g} min" + (" of driving" if self.target_clock == "departure" else "")

    def budget_s(self, minutes: float | None = None) -> float:
        """Seconds left for driving within ``minutes`` from the call (the target when not given).

        May be negative.
        """
        whole = self.target_from_call_min if minutes is None else minutes
        return whole * 60 - self.call_handling_s - self.turnout_s


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one plan does.

    Attributes
    ----------
    field_s
        (n_nodes,) seconds of driving from the nearest staffed post, infinite where none reaches.
    post_seconds
        (n_posts, n) seconds of driving from each staffed post to each place of the demand.
    seconds
        (n,) seconds of driving from the nearest staffed post to each place.
    coverage
        Whom the plan reaches.
    sole_share
        (n_posts,) share of the demand that each staffed post alone reaches in time.
    """

    field_s: FloatArray
    post_seconds: FloatArray
    seconds: FloatArray
    coverage: Coverage
    sole_share: FloatArray


def merged_field(
    rows_s: npt.NDArray[np.float32], post_access_m: FloatArray, conditions: Conditions
) -> FloatArray:
    """Seconds from the nearest post to every node, with what passes at the two ends of a drive.

    Parameters
    ----------
    rows_s
        (n_posts, n_nodes) seconds from each post's node at the network's own speeds.
    post_access_m
        (n_posts,) metres from each post to its node.

    Returns
    -------
    field_s
        (n_nodes,); all infinite where no post is staffed.
    """
    if not len(rows_s):
        return np.full(rows_s.shape[1], np.inf)
    access_s = _post_access_s(post_access_m, conditions)
    scaled = rows_s / np.float32(conditions.speed_factor) + access_s[:, None].astype(np.float32)
    nearest: FloatArray = scaled.min(axis=0).astype(np.float64)
    return nearest


def evaluate(
    rows_s: npt.NDArray[np.float32], post_access_m: FloatArray, demand: Demand, conditions: Conditions
) -> Outcome:
    """Evaluate a plan.

    Parameters
    ----------
    rows_s
        (n_posts, n_nodes) seconds from each staffed post's node at the network's own speeds.
    post_access_m
        (n_posts,) metres from each post to its node.
    demand
        Places that need an ambulance.
    conditions
        What holds for every plan.

    Raises
    ------
    InvalidInputError
        If the arguments do not fit together or there is no demand.
    """
    if len(rows_s) != len(post_access_m):
        raise InvalidInputError("rows_s and post_access_m must hold one row a post")
    budget_s = conditions.budget_s()

    def seconds_at(at: Conditions) -> FloatArray:
        return drive_seconds(merged_field(rows_s, post_access_m, at), demand, access_kph=at.access_kph)

    field_s = merged_field(rows_s, post_access_m, conditions)
    seconds = drive_seconds(field_s, demand, access_kph=conditions.access_kph)
    from_posts_s = post_seconds(rows_s, post_access_m, demand, conditions)
    return Outcome(
        field_s=field_s,
        post_seconds=from_posts_s,
        seconds=seconds,
        coverage=coverage(
            seconds,
            demand,
            budget_s,
            slow_seconds=seconds_at(_at_speed(conditions, conditions.speed_low)),
            fast_seconds=seconds_at(_at_speed(conditions, conditions.speed_high)),
        ),
        sole_share=sole_share(from_posts_s, demand, budget_s),
    )


def _post_access_s(post_access_m: FloatArray, conditions: Conditions) -> FloatArray:
    """(n_posts,) seconds of a drive that the streets do not take: from each post, and at both ends."""
    access_s: FloatArray = np.asarray(post_access_m, dtype=np.float64) / (conditions.access_kph / 3.6)
    return access_s + conditions.access_s


def _at_speed(conditions: Conditions, factor: float) -> Conditions:
    return replace(conditions, speed_factor=conditions.speed_factor * factor)


def post_seconds(
    rows_s: npt.NDArray[np.float32], post_access_m: FloatArray, demand: Demand, conditions: Conditions
) -> FloatArray:
    """(n_posts, n) seconds of driving from each post to each place; arguments as in `evaluate`."""
    access_s = _post_access_s(post_access_m, conditions)
    street_s = drive_seconds(
        rows_s / np.float32(conditions.speed_factor), demand, access_kph=conditions.access_kph
    )
    return street_s + access_s[:, None]
