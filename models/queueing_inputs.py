"""Calls, units and who is asked first: what the queue models take, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EXACT_UNITS = 12
"""Most units of the exact model: 4,096 states."""


@dataclass(frozen=True, eq=False)
class QueueInputs:
    """Checked input of a queue model, with units gathered into posts.

    Attributes
    ----------
    arrival_rate
        (n_atoms,) calls from each place in a unit of time.
    service_rate
        (n_servers,) calls that each unit finishes in that time while it is busy.
    post
        (n_servers,) index of the post at which each unit stands; units of one post share its calls alike.
    order
        (n_atoms, n_posts) posts in the order in which each place asks them.
    queue
        Whether calls wait when every unit is busy (else they are lost).
    """

    arrival_rate: FloatArray
    service_rate: FloatArray
    post: IntArray
    order: IntArray
    queue: bool

    @property
    def calls(self) -> float:
        """Calls from all places in a unit of time."""
        return float(self.arrival_rate.sum())

    @property
    def capacity(self) -> float:
        """Calls that all units together finish in a unit of time while all are busy."""
        return float(self.service_rate.sum())

    @property
    def units_at(self) -> IntArray:
        """(n_posts,) units at each post."""
        return np.bincount(self.post)


def checked_inputs(
    arrival_rate: npt.ArrayLike,
    preference: npt.ArrayLike,
    service_rate: npt.ArrayLike,
    *,
    queue: bool,
    same_post: Sequence[object] | None = None,
    most_units: int | None = None,
) -> QueueInputs:
    """Check what a queue model is given and raise all faults together.

    Parameters are those of `models.queueing.hypercube`; ``most_units`` is the largest number of units
    allowed.
    """
    rate = np.asarray(arrival_rate, dtype=np.float64)
    ranked = np.asarray(preference)
    service = np.asarray(service_rate, dtype=np.float64)
    faults = Faults()
    _check_rates(faults, rate, service)
    shaped = ranked.ndim == 2 and ranked.shape[0] == rate.size and ranked.shape[1] > 0
    if not shaped:
        faults.add(
            f"preference must have one row a place ({rate.size}) and one column a unit (at least one), "
            f"not the shape {ranked.shape}"
        )
        faults.raise_as(InvalidInputError, "The queue cannot be worked out")
    n_servers = ranked.shape[1]
    _check_preference(faults, ranked)
    faults.check(
        service.ndim == 0 or service.shape == (n_servers,),
        f"service_rate must be one number or one a unit ({n_servers}), not of the shape {service.shape}",
    )
    faults.check(
        same_post is None or len(same_post) == n_servers,
        f"same_post must name one post a unit ({n_servers}), not {len(same_post or ())}",
    )
    if most_units is not None:
        faults.check(
            n_servers <= most_units,
            f"the exact model takes at most {most_units} units, not {n_servers}; use hypercube_approx",
        )
    if not faults:
        service = np.broadcast_to(service, n_servers).copy()
        _check_stable(faults, float(rate.sum()), float(service.sum()), queue=queue)
    faults.raise_as(InvalidInputError, "The queue cannot be worked out")

    post = _posts(same_post, n_servers)
    return QueueInputs(rate, service, post, _post_order(ranked.astype(np.int64), post), queue)


def preference_by_time(travel_s: npt.ArrayLike) -> IntArray:
    """Rank the units of each place by time: the nearest first, a tie to the lowest number, unreachable last.

    Parameters
    ----------
    travel_s
        (n_atoms, n_servers) times; infinite where a unit cannot come.

    Returns
    -------
    preference
        (n_atoms, n_servers) 0-based unit numbers, best first.

    Raises
    ------
    InvalidInputError
        When a time is negative or NaN, or the array is not two-dimensional.
    """
    times = np.asarray(travel_s, dtype=np.float64)
    faults = Faults()
    faults.check(times.ndim == 2, f"times must be places by units, not of the shape {times.shape}")
    faults.check(not np.isnan(times).any(), "times hold NaN; use infinity where a unit cannot come")
    faults.check(not (times < 0).any(), "a time cannot be negative")
    faults.raise_as(InvalidInputError, "Units cannot be ranked")
    return np.argsort(times, axis=1, kind="stable")


def _check_rates(faults: Faults, rate: FloatArray, service: FloatArray) -> None:
    faults.check(rate.ndim == 1 and rate.size, "arrival_rate must hold one rate a place, and at least one")
    faults.check(not np.isnan(rate).any(), "arrival_rate holds NaN; give each place a rate of zero or more")
    faults.check(not (rate < 0).any(), "an arrival rate cannot be negative")
    faults.check(not np.isinf(rate).any(), "an arrival rate cannot be infinite")
    if np.isfinite(rate).all() and (rate >= 0).all():
        faults.check(rate.sum() > 0, "there are no calls; every arrival rate is zero")
    fine = np.isfinite(service).all() and (service > 0).all()
    faults.check(fine, "every service rate must be finite and above zero: calls finished in a unit of time")


def _check_preference(faults: Faults, ranked: npt.NDArray[np.generic]) -> None:
    if not np.issubdtype(ranked.dtype, np.integer):
        faults.add("preference must hold whole unit numbers, counted from 0")
        return
    n_servers = ranked.shape[1]
    wrong = np.flatnonzero((np.sort(ranked, axis=1) != np.arange(n_servers)).any(axis=1))
    if len(wrong):
        row = wrong[0]
        faults.add(
            f"preference must name each unit from 0 to {n_servers - 1} once in every row; {len(wrong)} "
            f"row(s) do not, the first is row {row}: {ranked[row].tolist()}"
        )


def _check_stable(faults: Faults, calls: float, capacity: float, *, queue: bool) -> None:
    faults.check(
        not queue or calls < capacity,
        f"{calls:g} calls come in a unit of time but all units together finish only {capacity:g}, so the "
        "waiting line grows without end; add units, shorten the time on a call, or let calls be lost "
        "(queue=False)",
    )


def _posts(same_post: Sequence[object] | None, n_servers: int) -> IntArray:
    """Index of each unit's post, numbered as they first appear."""
    if same_post is None:
        return np.arange(n_servers)
    number: dict[object, int] = {}
    return np.array([number.setdefault(label, len(number)) for label in same_post], dtype=np.int64)


def _post_order(preference: IntArray, post: IntArray) -> IntArray:
    """Rank the posts for each place; a post stands where the best of its units stands."""
    n_atoms, n_servers = preference.shape
    rank = np.full((n_atoms, int(post.max()) + 1), n_servers)
    rows = np.arange(n_atoms)
    for place in range(n_servers - 1, -1, -1):
        rank[rows, post[preference[:, place]]] = place
    return np.argsort(rank, axis=1)
