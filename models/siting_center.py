"""Covering all: the fewest sites that reach everyone (LSCP), the least time in which p sites can (p-center).

Toregas, Swain, ReVelle and Bergman 1971 (Operations Research 19) for the first; the second is a search over
thresholds, each asked of the first (Minieka 1970, SIAM Review 12).
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from models.siting_merge import merge_rows
from models.siting_milp import LinearModel, Status, solve_milp
from models.siting_rules import FRACTION, Columns, infeasible

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOST_ROWS_COMPARED = 4000


@dataclass(frozen=True, eq=False)
class CenterAnswer:
    """(c,) units at each column, the bound, and how the search ended."""

    units: FloatArray
    bound: float
    status: Status


def fewest_sites(
    reach: BoolArray, columns: Columns, *, most_elsewhere: int | None = None, time_limit_s: float | None
) -> CenterAnswer | None:
    """Find the fewest units, at most ``columns.units``, that reach every row; None where there are none.

    Parameters
    ----------
    reach
        (m, c) which columns reach each row.
    columns
        What may be decided; ``need`` is the least number of units in ``kept`` columns.
    most_elsewhere
        Most units in the other columns.
    """
    rows = _hardest_rows(reach)
    used = _useful_columns(rows, columns)
    part = columns.take(used)
    blocks = [csr_array(rows[:, used].astype(np.float64)), csr_array(np.ones((1, len(part.site))))]
    low = [np.ones(len(rows)), np.zeros(1)]
    high = [np.full(len(rows), np.inf), np.array([float(columns.units)])]
    if columns.need:
        blocks.append(csr_array(part.kept[None].astype(np.float64)))
        low.append(np.array([float(columns.need)]))
        high.append(np.array([np.inf]))
    if most_elsewhere is not None:
        blocks.append(csr_array((~part.kept)[None].astype(np.float64)))
        low.append(np.zeros(1))
        high.append(np.array([float(most_elsewhere)]))
    model = LinearModel(
        cost=np.ones(len(part.site)),
        lower=part.lower.astype(np.float64),
        upper=part.upper.astype(np.float64),
        matrix=csr_array(vstack(blocks)),
        row_lower=np.concatenate(low),
        row_upper=np.concatenate(high),
        integer=np.ones(len(part.site), dtype=bool),
        maximise=False,
    )
    found = solve_milp(model, time_limit_s=time_limit_s)
    if found is None:
        return None
    units = np.zeros(len(columns.site))
    units[used] = found.values.round()
    return CenterAnswer(units, math.ceil(found.bound - FRACTION), found.status)


def shortest_reach(cost: FloatArray, columns: Columns, *, time_limit_s: float | None) -> CenterAnswer:
    """Find the units whose farthest row is as near as can be.

    Parameters
    ----------
    cost
        (m, c) cost of serving each row from each column; each row is reached by one.
    columns
        What may be decided.

    Raises
    ------
    InvalidInputError
        If no plan reaches all rows.
    """
    ends_at = math.inf if time_limit_s is None else time.perf_counter() + time_limit_s
    # No plan does better than the farthest row's nearest site.
    candidates = np.unique(cost[np.isfinite(cost)])
    candidates = candidates[candidates >= cost.min(axis=1).max()]
    best = fewest_sites(np.isfinite(cost), columns, time_limit_s=None)
    if best is None:
        raise infeasible(
            f"no {columns.units} sites together reach all the demand that some site can reach; "
            "place more units, or make the infinite costs finite"
        )
    units = best.units
    low, high = 0, int(np.searchsorted(candidates, farthest(cost, units)))
    status: Status = "optimal"
    while low < high:
        if time.perf_counter() > ends_at:
            status = "time limit"
            break
        middle = (low + high) // 2
        found = fewest_sites(cost <= candidates[middle], columns, time_limit_s=None)
        if found is None:
            low = middle + 1
        else:
            units = found.units
            high = int(np.searchsorted(candidates, farthest(cost, units)))
    return CenterAnswer(_filled(units, columns), float(candidates[low]), status)


def farthest(cost: FloatArray, units: FloatArray) -> float:
    """Cost of the row that is farthest from its nearest site in use."""
    used = units > 0.5
    return float(cost[:, used].min(axis=1).max()) if used.any() else math.inf


def prefer_low_sites(reach: BoolArray, units: FloatArray, columns: Columns) -> FloatArray:
    """Exchange single units for lower columns as long as every row stays reached.

    Parameters
    ----------
    reach
        (m, c) which columns reach each row; every row is reached by the units.
    """
    changed = True
    while changed:
        changed = False
        for column in np.flatnonzero(units > columns.lower)[::-1]:
            without = units.copy()
            without[column] -= 1
            missed = ~(reach[:, without > 0.5].any(axis=1))
            owed = without[columns.kept].sum() < columns.need
            same = (without < columns.upper) & (columns.kept | (not owed)) & reach[missed].all(axis=0)
            if same[:column].any():
                units = without
                units[int(np.argmax(same))] += 1
                changed = True
                break
    return units


def _hardest_rows(reach: BoolArray) -> BoolArray:
    """Rows that imply all others: one of each kind, without those that reach all that another reaches."""
    rows = reach[merge_rows(reach)[0]]
    if len(rows) > MOST_ROWS_COMPARED:
        return rows
    table = rows.astype(np.float32)
    shared = table @ table.T
    size = np.diag(shared)
    implied = (shared == size[None, :]) & ~np.eye(len(rows), dtype=bool)
    kept: BoolArray = rows[~implied.any(axis=1)]
    return kept


def _useful_columns(rows: BoolArray, columns: Columns) -> BoolArray:
    """Columns that no other one replaces; must-have columns and those that stay are all kept."""
    table = rows.astype(np.float32)
    shared = table.T @ table
    size = np.diag(shared)
    within = shared == size[:, None]
    at = np.arange(len(size))
    replaced = (within & (~within.T | (at[None, :] < at[:, None])) & (columns.upper > 0)[None, :]).any(axis=1)
    useful: BoolArray = ~replaced | columns.kept | (columns.lower > 0)
    return useful


def _filled(units: FloatArray, columns: Columns) -> FloatArray:
    """Place what is left over at the lowest columns that have room."""
    units = units.copy()
    while units.sum() < columns.units:
        free = units < columns.upper
        fresh = free & (units < 0.5)
        units[int(np.argmax(fresh if fresh.any() else free))] += 1
    return units
