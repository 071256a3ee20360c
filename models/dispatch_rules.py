"""The choices that the simulator's rules leave open; :mod:`models.dispatch` tells the rules."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.dispatch_draw import ServiceTimes

HOURS_A_WEEK = 168
EnRoute = Literal["network", "line"]
Queue = Literal["longest", "priority"]
SERVES: Mapping[str, tuple[str, ...]] = MappingProxyType({"ALS": ("ALS", "BLS"), "BLS": ("BLS",)})
"""Unit type -> the needs it can answer. A call that names no need can be answered by all."""


class RuleOptions(TypedDict, total=False):
    """Keyword options of :func:`models.dispatch.simulate`; the same names as in :class:`Rules`."""

    en_route: EnRoute
    home_factor: float
    transport_factor: float
    road_turnout: bool
    queue: Queue
    preempt: bool
    priorities: int
    serves: Mapping[str, tuple[str, ...]]
    compliance: Sequence[Sequence[int]] | None
    move_up: bool
    next_place: npt.ArrayLike | None
    path_slack_min: float
    band_of_hour: npt.ArrayLike | None
    start_hour: float
    times: ServiceTimes | None
    until_min: float | None


@dataclass(frozen=True, eq=False)
class Rules:
    """What the rules leave open.

    Attributes
    ----------
    en_route
        Where a unit on the road counts from: ``"network"``, the next place on its path, or ``"line"``, the
        given place nearest to the point on the straight line at the elapsed share of its drive.
    home_factor
        Minutes of a drive home or to another post, as a multiple of the siren drive.
    transport_factor
        Minutes of the drive to hospital, as a multiple of the siren drive.
    road_turnout
        Whether a unit that is not at its post needs turnout too.
    queue
        Which waiting call a freed unit takes: the longest waiting one, or the longest waiting one among the
        most urgent.
    preempt
        Whether a call that finds no free unit may take one that drives to a less urgent call. Needs
        ``queue="priority"``.
    priorities
        How many priorities there are; 1 is the most urgent.
    serves
        Unit type -> needs that it can answer.
    compliance
        Row ``k - 1`` lists the ``k`` posts (places) to hold with ``k`` units free, most important first. The
        last row serves for more units; those left over go to their own posts.
    move_up
        Whether free units move to fill the row of the compliance table when the number of free units changes.
    next_place
        (n_places, n_places), or (n_bands, n_places, n_places): the place after ``i`` on the path from ``i``
        to ``j``. Found from the drive minutes when not given.
    path_slack_min
        Without ``next_place``: a place lies on a path when the way over it is at most this much longer.
    band_of_hour
        (168,) which of the matrices of drive minutes holds in each hour of the week. Needed with several.
    start_hour
        Hour of the week at minute 0; 0 is Monday at midnight.
    times
        What the minutes and shares that the calls lack are drawn from; needs a seed.
    until_min
        End of the time over which units are counted; the last call when not given. All calls are served
        to their end.
    """

    en_route: EnRoute = "network"
    home_factor: float = 1.0
    transport_factor: float = 1.0
    road_turnout: bool = True
    queue: Queue = "longest"
    preempt: bool = False
    priorities: int = 3
    serves: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SERVES)
    compliance: Sequence[Sequence[int]] | None = None
    move_up: bool = False
    next_place: npt.ArrayLike | None = None
    path_slack_min: float = 0.01
    band_of_hour: npt.ArrayLike | None = None
    start_hour: float = 0.0
    times: ServiceTimes | None = None
    until_min: float | None = None

    def faults(self, n_places: int, n_bands: int) -> Faults:
        """Everything that keeps these rules from being used on ``n_places`` and ``n_bands`` matrices."""
        faults = Faults()
        faults.check(self.en_route in {"network", "line"}, "en_route must be 'network' or 'line'")
        faults.check(self.queue in {"longest", "priority"}, "queue must be 'longest' or 'priority'")
        for name in ("home_factor", "transport_factor"):
            value = getattr(self, name)
            faults.check(math.isfinite(value) and value > 0, f"{name} must be above zero")
        faults.check(self.path_slack_min >= 0, "path_slack_min must be zero or more")
        faults.check(
            math.isfinite(self.start_hour) and self.start_hour >= 0, "start_hour must be zero or more"
        )
        faults.check(self.priorities >= 1, "priorities must be at least 1")
        faults.check(
            not self.preempt or self.queue == "priority",
            "preempt needs queue='priority', else a freed unit would pass an urgent call by",
        )
        faults.check(not self.move_up or self.compliance, "move_up needs a compliance table")
        faults.check(
            self.until_min is None or (math.isfinite(self.until_min) and self.until_min > 0),
            "until_min must be above zero",
        )
        for k, row in enumerate(self.compliance or (), start=1):
            faults.check(len(row) == k, f"row {k} of the compliance table must list {k} posts")
            faults.check(
                all(0 <= post < n_places for post in row),
                f"row {k} of the compliance table names a place that there is not: give 0 to {n_places - 1}",
            )
        self._check_bands(faults, n_bands)
        return faults

    def _check_bands(self, faults: Faults, n_bands: int) -> None:
        if self.band_of_hour is None:
            faults.check(n_bands == 1, "several matrices of drive minutes need band_of_hour, (168,)")
            return
        bands = np.asarray(self.band_of_hour)
        fine = bands.shape == (HOURS_A_WEEK,) and np.isin(bands, np.arange(n_bands)).all()
        faults.check(fine, f"band_of_hour must hold 168 numbers from 0 to {n_bands - 1}")

    @property
    def levels(self) -> npt.NDArray[np.int64]:
        """The compliance table as a square of places, -1 beyond the end of a row; (0, 0) without one."""
        rows = self.compliance or ()
        table = np.full((len(rows), len(rows)), -1, dtype=np.int64)
        for k, row in enumerate(rows):
            table[k, : k + 1] = row
        return table


def nested_table(posts: Sequence[int]) -> list[list[int]]:
    """Turn a nested list into a compliance table: ``k`` free units hold its first ``k`` posts.

    Parameters
    ----------
    posts
        Places, most important first.

    Raises
    ------
    InvalidInputError
        If the list is empty.
    """
    if not len(posts):
        raise InvalidInputError("A nested list needs at least one post")
    return [list(posts[:k]) for k in range(1, len(posts) + 1)]
