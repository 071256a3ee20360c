"""Figures of a simulated plan for the calls of one priority, and for the area that is served worst."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from errors import InvalidInputError
from models.dispatch_replicate import Figures, Replications, standard_figures
from models.dispatch_run import Outcome

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

FIRST = "first_within_target"
WORST = "worst_area"


def group_figures(*, target_min: float, area_of_place: IntArray, n_areas: int, by_priority: bool) -> Figures:
    """Figures of :func:`models.dispatch_replicate.standard_figures` and of groups of calls.

    Parameters
    ----------
    target_min
        Minutes from the call to a unit on scene that count as in time.
    area_of_place
        (n_places,) area of each place, -1 where it has none.
    n_areas
        Number of areas.
    by_priority
        Whether calls have priorities.

    Returns
    -------
    figures
        Besides the standard ones ``first_within_target`` (share of the calls of priority 1 that are reached
        in time; with ``by_priority``), and ``area_calls_i`` and ``area_in_time_i``, calls of each area and
        those reached in time, to be put together by :func:`with_worst_area`.
    """
    standard = standard_figures(target_min=target_min)

    def figures(outcome: Outcome, since: float) -> Mapping[str, float]:
        found = dict(standard(outcome, since))
        calls = outcome.calls
        counted = calls.call_min >= since
        in_time = outcome.served & (outcome.response <= target_min)
        if by_priority:
            first = counted & (calls.priority == 1)
            found[FIRST] = float(in_time[first].mean()) if first.any() else np.nan
        area = area_of_place[calls.place]
        known = counted & (area >= 0)
        total = np.bincount(area[known], minlength=n_areas)
        reached = np.bincount(area[known & in_time], minlength=n_areas)
        for row in range(n_areas):
            found[f"area_calls_{row}"] = float(total[row])
            found[f"area_in_time_{row}"] = float(reached[row])
        return found

    return figures


def with_worst_area(result: Replications, areas: Sequence[int]) -> tuple[Replications, int]:
    """Add the figure ``worst_area``: the share reached in time in the area where it is smallest.

    The share is all calls in time over all calls, since one week of one area holds few. Its replications are
    the linearised ratio ``share + (in time - share x calls) / mean calls``, whose mean is the share and whose
    variance is the ratio's (the delta method: Cochran 1977, Sampling Techniques, 3rd ed., section 2.11); so
    intervals and paired differences are made of it as of any other figure. The least of many shares lies
    below what that area will have in other weeks, the less so the more weeks are simulated.

    Parameters
    ----------
    result
        Made with :func:`group_figures`.
    areas
        Areas among which to look, such as those with enough calls that some post could reach.

    Returns
    -------
    result, area
        With the figure added, and the area.

    Raises
    ------
    InvalidInputError
        If none of the areas has a call.
    """
    shares = {}
    for area in areas:
        calls, reached = result.figures[f"area_calls_{area}"], result.figures[f"area_in_time_{area}"]
        if calls.sum() > 0:
            shares[area] = float(reached.sum() / calls.sum())
    if not shares:
        raise InvalidInputError("None of these areas has a call")
    worst = min(shares, key=lambda area: (shares[area], area))
    calls, reached = result.figures[f"area_calls_{worst}"], result.figures[f"area_in_time_{worst}"]
    values: FloatArray = shares[worst] + (reached - shares[worst] * calls) / calls.mean()
    return replace(result, figures={**result.figures, WORST: values}), worst


def by_urgency(names: Sequence[str], first: str) -> tuple[str, ...]:
    """Order the names of priorities, the most urgent first.

    Parameters
    ----------
    names
        Names of priorities, such as ``Code 2, Code 3`` or ``P1, P2``.
    first
        The most urgent. The others follow in order of name: falling where it is the last name (Code 3), else
        rising (P1).
    """
    listed = sorted(set(names))
    falling = bool(listed) and listed[-1] == first
    rest = [name for name in (listed[::-1] if falling else listed) if name != first]
    return (first, *rest) if first in listed else tuple(rest)
