"""Counts of medical calls that cannot be traced to a person.

Three rules, applied to every count of medical calls by place, hour, day or week, and to their totals:

1. **Small counts are hidden.** A group of 1 to 10 calls is shown like an empty one. Eleven is the smallest
   cell that the Centers for Medicare & Medicaid Services publish (CMS Cell Size Suppression Policy).
2. **Shown counts are rounded at random** to a multiple of five, up or down so that the expectation is the
true
   count (unbiased random rounding, Fellegi 1975, Survey Methodology 1(2); the base of Statistics Canada's
   census). What falls below eleven by rounding is shown as eleven.
3. **The rounding is fixed by the calls in the group**: the same calls always round the same way, however the
   question is put, and other calls round independently (the cell key method: Fraser & Wooton 2005, joint
   UNECE/Eurostat work session on statistical data confidentiality; used by the Australian Bureau of
   Statistics and the UK's Office for National Statistics).

Rule 2 is why the difference of two answers, or of a total and its parts, does not give a hidden count: each
shown figure stands for several true counts. Rule 3 keeps a reader from averaging the noise away by asking
again.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from errors import Faults, InvalidInputError

SMALLEST_SHOWN = 11
"""Fewest medical calls a group may hold and still be shown."""

ROUNDING_BASE = 5
"""Shown medical counts are multiples of this, or ``SMALLEST_SHOWN``."""

FEWEST_HIDDEN_GROUPS = 2
"""Fewest hidden groups whose calls are told as one sum."""

_HASH_KEY_LENGTH = 16


@dataclass(frozen=True, eq=False)
class ProtectedCounts:
    """Counts of groups under the rules of this module.

    Attributes
    ----------
    shown
        (n_groups,) float: the rounded count; 0 where a group is empty; NaN where it is hidden.
    hidden_groups
        Number of groups with 1 to 10 calls.
    hidden_calls
        Their calls, rounded; None unless they are at least two groups and eleven calls (0 if nothing is
        hidden).
    """

    shown: NDArray[np.float64]
    hidden_groups: int
    hidden_calls: int | None

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """(n_groups,) True where a group holds calls, but too few to show."""
        return np.isnan(self.shown)


def record_keys(ids: ArrayLike, *, salt: str) -> NDArray[np.uint32]:
    """Give each record a key that fixes the rounding of every group it is in.

    Parameters
    ----------
    ids
        (n,) unique record ids, as text.
    salt
        Text that belongs to the data (a city folder's version), so that keys cannot be made from ids alone.

    Returns
    -------
    numpy.ndarray
        (n,) ``uint32``, evenly spread; the same ids and salt give the same keys on every machine.
    """
    text = np.asarray(ids).astype(object)
    hash_key = f"{salt:.<{_HASH_KEY_LENGTH}}"[:_HASH_KEY_LENGTH]
    hashed = pd.util.hash_array(text, hash_key=hash_key, categorize=False)
    return (hashed >> np.uint64(32)).astype(np.uint32)


def protected_counts(group: ArrayLike, *, n_groups: int, keys: NDArray[np.uint32]) -> ProtectedCounts:
    """Count the records of each group and hide or round what could be traced.

    Parameters
    ----------
    group
        (n,) integers: the group of each record, ``0 .. n_groups - 1``; records with -1 are in no group.
    n_groups
        Number of groups.
    keys
        (n,) keys of the records, from :func:`record_keys`.

    Raises
    ------
    InvalidInputError
        When the lengths differ or a group does not exist.
    """
    index = np.asarray(group, dtype=np.int64)
    faults = Faults()
    faults.check(index.shape == keys.shape, f"give one key to each record, not {keys.shape} to {index.shape}")
    faults.check(
        not index.size or (index.min() >= -1 and index.max() < n_groups),
        f"groups are numbered -1 (none) to {n_groups - 1}",
    )
    faults.raise_as(InvalidInputError, "Records cannot be counted")

    inside = index >= 0
    count, rounded = _round(index[inside], keys[inside], n_groups=n_groups)
    hidden = (count > 0) & (count < SMALLEST_SHOWN)
    shown = np.where(hidden, np.nan, np.where(count == 0, 0.0, np.maximum(rounded, SMALLEST_SHOWN)))
    hidden_groups = int(hidden.sum())
    return ProtectedCounts(
        shown=shown,
        hidden_groups=hidden_groups,
        hidden_calls=_hidden_sum(index[inside], keys[inside], hidden) if hidden_groups else 0,
    )


def protected_total(keys: NDArray[np.uint32]) -> float:
    """Count of all records given, under the same rules: rounded, 0 if none, NaN if 1 to 10."""
    return float(protected_counts(np.zeros(keys.shape, dtype=np.int64), n_groups=1, keys=keys).shown[0])


def _hidden_sum(index: NDArray[np.int64], keys: NDArray[np.uint32], hidden: NDArray[np.bool_]) -> int | None:
    chosen = keys[hidden[index]]
    if hidden.sum() < FEWEST_HIDDEN_GROUPS or chosen.size < SMALLEST_SHOWN:
        return None
    return int(protected_total(chosen))


def _round(
    index: NDArray[np.int64], keys: NDArray[np.uint32], *, n_groups: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the true and the randomly rounded count of each group.

    The sum of 32-bit keys is exact in float64 up to two million records a group, so it does not depend on
    order.
    """
    count = np.bincount(index, minlength=n_groups)
    key_of_group = np.bincount(index, weights=keys.astype(np.float64), minlength=n_groups)
    uniform = _mix(key_of_group.astype(np.uint64)) / 2.0**64
    down, remainder = np.divmod(count, ROUNDING_BASE)
    return count, ROUNDING_BASE * (down + (uniform < remainder / ROUNDING_BASE)).astype(np.float64)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread 64 bits evenly: the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    mixed = value + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
