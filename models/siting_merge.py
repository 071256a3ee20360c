"""Make a siting model smaller without changing its answer: merge rows, leave out dominated sites."""

import math

import numpy as np
import numpy.typing as npt

from models.siting_rules import Columns

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def merge_rows(reach: BoolArray, group: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Find rows of demand that the same sites reach (and that lie in the same group).

    Parameters
    ----------
    reach
        (n, c) which columns reach each row.
    group
        (n,) group of each row.

    Returns
    -------
    first, member
        (m,) one row of each kind, in an order that does not depend on the order of the rows, and (n,) the
        kind of each row.
    """
    packed = np.packbits(reach, axis=1)
    if group is not None:
        marks = np.ascontiguousarray(group.astype(">i8")).view(np.uint8).reshape(len(group), 8)
        packed = np.hstack([packed, marks])
    packed = np.ascontiguousarray(packed)
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    return first, member.ravel()


def sum_by(member: IntArray, weight: FloatArray, n: int) -> FloatArray:
    """(n,) sums of weights by kind, rounded once, so that the order of the rows does not matter."""
    if (weight == np.floor(weight)).all():
        return np.bincount(member, weight, minlength=n).astype(np.float64)
    order = np.argsort(member, kind="stable")
    ends = np.cumsum(np.bincount(member, minlength=n))[:-1]
    return np.array([math.fsum(part) for part in np.split(weight[order], ends)])


def needed_columns(reach: BoolArray, columns: Columns, *, single: bool) -> BoolArray:
    """Find the columns that a best plan may need: those that no other column replaces.

    A column that reaches no more than another one can give its units to that one. That needs room there:
    where only the first unit counts (``single``), any room will do, since a second adds nothing; else the
    other column must be able to take all units. Must-have columns and those that count as staying are left
    alone.

    Parameters
    ----------
    reach
        (n, c) which columns reach each row.
    columns
        Their bounds.
    single
        Whether a row gains by its first unit only.

    Returns
    -------
    needed
        (c,) True where the column stays in the model; of two alike, the lower one.
    """
    table = reach.astype(np.float32)
    shared = table.T @ table
    size = np.diag(shared)
    within = shared == size[:, None]
    at = np.arange(len(size))
    replaces = within & (~within.T | (at[None, :] < at[:, None]))
    roomy = columns.upper >= (1 if single else columns.units)
    replaced = (replaces & roomy[None, :]).any(axis=1) & (columns.lower == 0) & ~columns.kept
    needed: BoolArray = ~replaced
    # All units still need a place, even those that add nothing.
    return needed if columns.upper[needed].sum() >= columns.units else np.ones(len(size), dtype=bool)
