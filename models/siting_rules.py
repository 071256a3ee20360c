"""What a plan may and must be: units, must-have and forbidden posts, room at a post, moves from today."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import TypedDict, cast

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
FRACTION = 1e-6
"""Numbers this near to a whole one are whole: the tolerance of the solver."""

Sites = Sequence[int] | npt.NDArray[np.integer] | BoolArray


@dataclass(frozen=True, eq=False)
class Rules:
    """Rules of a plan over n sites.

    Attributes
    ----------
    units
        Units to place.
    lower, upper
        (n,) least and most units at each site.
    baseline
        (n,) units of today's plan at each site; all zero where there is none.
    max_moves
        Most units that may stand elsewhere than today; None where any number may.
    """

    units: int
    lower: IntArray
    upper: IntArray
    baseline: IntArray
    max_moves: int | None

    @property
    def need(self) -> int:
        """Units that must stay where a unit stands today."""
        if self.max_moves is None:
            return 0
        return max(0, min(self.units, int(self.baseline.sum())) - self.max_moves)

    def moves(self, units_at: IntArray) -> int:
        """Units of (n,) ``units_at`` that stand elsewhere than today; units more or fewer are no moves."""
        kept = int(np.minimum(units_at, self.baseline).sum())
        return min(int(units_at.sum()), int(self.baseline.sum())) - kept

    def columns(self) -> "Columns":
        """Split the sites into columns, so that each unit that stays is counted."""
        site = np.flatnonzero(self.upper > 0)
        if self.need == 0:
            kept = np.zeros(len(site), dtype=bool)
            return Columns(site, self.lower[site], self.upper[site], kept, self.units, 0)
        stays = np.minimum(self.baseline, self.upper)[site]
        rest = self.upper[site] - stays
        low_stays = np.minimum(self.lower[site], stays)
        at = np.concatenate([np.flatnonzero(stays > 0), np.flatnonzero(rest > 0)])
        kept = np.arange(len(at)) < (stays > 0).sum()
        order = np.lexsort((~kept, at))
        at, kept = at[order], kept[order]
        return Columns(
            site=site[at],
            lower=np.where(kept, low_stays[at], (self.lower[site] - low_stays)[at]),
            upper=np.where(kept, stays[at], rest[at]),
            kept=kept,
            units=self.units,
            need=self.need,
        )


@dataclass(frozen=True, eq=False)
class Columns:
    """Decisions of a model: how many units at each column.

    Attributes
    ----------
    site
        (c,) the site of each column, ascending; a site has two where only some of its units were there today.
    lower, upper
        (c,) least and most units.
    kept
        (c,) True where units count as staying.
    units, need
        Units in all, and of these in ``kept`` columns.
    """

    site: IntArray
    lower: IntArray
    upper: IntArray
    kept: BoolArray
    units: int
    need: int

    def rounded(self, units: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray | None:
        """(c,) whole units near these, within the bounds; None where they break a rule."""
        whole = np.clip(np.floor(units + FRACTION), lower, upper)
        left = int(self.units - whole.sum())
        if left < 0:
            return None
        rest = np.where(whole < upper, units - whole, -np.inf)
        whole[np.argsort(-rest, kind="stable")[:left]] += 1
        fits = (whole <= upper).all() and whole.sum() == self.units and whole[self.kept].sum() >= self.need
        return whole if fits else None

    def take(self, chosen: IntArray | BoolArray) -> "Columns":
        """Return the chosen columns alone."""
        return Columns(
            self.site[chosen],
            self.lower[chosen],
            self.upper[chosen],
            self.kept[chosen],
            self.units,
            self.need,
        )


class RuleOptions(TypedDict, total=False):
    """Rules that a planner may set, as keyword options.

    Attributes
    ----------
    fixed, baseline
        Sites, 0-based, once for each unit that must stand there, or that stands there today.
    forbidden
        Sites where none may stand.
    max_moves
        Most units that may stand elsewhere than in ``baseline``. Units more or fewer than today are no moves.
    max_per_site
        Most units at one site; None for no limit.
    """

    fixed: Sites
    forbidden: Sites
    baseline: Sites | None
    max_moves: int | None
    max_per_site: int | None


@dataclass(frozen=True, eq=False)
class Fairness:
    """What is asked for groups of demand, such as the neighborhoods.

    Attributes
    ----------
    group
        (n,) group of each row of demand, -1 for none.
    lift
        From 0 to 1: how much the worst group's share counts beside the whole.
    floor
        Least share of each group, from 0 to 1.
    """

    group: npt.ArrayLike | None
    lift: float = 0.0
    floor: float = 0.0

    @property
    def wanted(self) -> bool:
        """Whether anything is asked for the groups."""
        return self.lift > 0 or self.floor > 0

    def read(self, n: int, faults: Faults) -> IntArray | None:
        """(n,) groups; None where none are given."""
        faults.check(0 <= self.lift <= 1, "lift is a share from 0 to 1")
        faults.check(0 <= self.floor <= 1, "floor is a share from 0 to 1")
        if self.group is None:
            faults.check(
                self.lift == 0 and self.floor == 0, "lift and floor need groups, such as the neighborhoods"
            )
            return None
        group = np.asarray(self.group)
        if group.shape != (n,) or not np.issubdtype(group.dtype, np.integer):
            faults.add(f"group must hold one whole number for each of the {n} rows of demand")
            return None
        return group.astype(np.int64)


def groups_in_reach(group: IntArray) -> IntArray:
    """Give groups with something in reach numbers from 0 without a hole.

    Parameters
    ----------
    group
        (n,) group of each row that some allowed site reaches; below 0 for none.
    """
    found = np.unique(group[group >= 0])
    return np.where(group >= 0, np.searchsorted(found, group), -1)


def read_rules(n_sites: int, units: int | None, options: RuleOptions, faults: Faults) -> Rules | None:
    """Read the rules; None with the faults noted where no plan can follow them.

    Parameters
    ----------
    n_sites
        Number of candidate sites.
    units
        Units to place; None for as many as there is room for.
    options
        Defaults: nothing must or must not be, no plan today, one unit a site.
    """
    unknown = sorted(set(options) - RuleOptions.__annotations__.keys())
    if unknown:
        raise TypeError(f"unknown options: {', '.join(unknown)}")
    fixed, forbidden = options.get("fixed", ()), options.get("forbidden", ())
    baseline, max_moves = options.get("baseline"), options.get("max_moves")
    max_per_site = options.get("max_per_site", 1)
    before = len(list(faults))
    most = n_sites if units is None else _whole(units, "the number of units", faults, least=1)
    cap = most if max_per_site is None else _whole(max_per_site, "max_per_site", faults, least=1)
    counts = {
        name: _count(sites, n_sites, name, faults)
        for name, sites in (("fixed", fixed), ("forbidden", forbidden), ("baseline", baseline))
    }
    moves = None if max_moves is None else _whole(max_moves, "max_moves", faults, least=0)
    faults.check(
        max_moves is None or baseline is not None, "max_moves needs a baseline: the plan to move from"
    )
    if len(list(faults)) > before:
        return None
    lower, baseline_at = counts["fixed"], counts["baseline"]
    upper = np.where(counts["forbidden"] > 0, 0, min(cap, most)).astype(np.int64)
    units = int(upper.sum()) if units is None else most
    rules = Rules(units, lower, upper, baseline_at, moves)
    both = np.flatnonzero((lower > 0) & (counts["forbidden"] > 0))
    faults.check(not len(both), f"sites {_listing(both)} are both must-have and forbidden")
    crowded = np.flatnonzero((lower > cap) & (counts["forbidden"] == 0))
    faults.check(
        not len(crowded), f"more units are must-have at {_listing(crowded)} than a site may hold ({cap})"
    )
    faults.check(
        lower.sum() <= units, f"{int(lower.sum())} units are must-have, but there are only {units} to place"
    )
    full = np.flatnonzero(baseline_at > cap)
    faults.check(
        not len(full), f"the baseline has more units at {_listing(full)} than a site may hold ({cap})"
    )
    slots = int(upper.sum())
    faults.check(slots or units, "all sites are forbidden; allow some")
    faults.check(
        slots >= units,
        f"too many units ({units}) for the places ({slots}: {int((upper > 0).sum())} sites allowed, at most "
        f"{cap} at each); place fewer, allow more sites or more units at a site",
    )
    if len(list(faults)) == before and rules.need:
        _check_moves(rules, faults)
    return rules if len(list(faults)) == before else None


def read_reach(reach: npt.ArrayLike, faults: Faults) -> BoolArray:
    """Read (n_demand, n_sites) true or false, given as such or as 0 and 1."""
    array = np.asarray(reach)
    if array.ndim != 2 or not array.shape[0] or not array.shape[1]:
        faults.add("reach must be a table with a row for each demand and a column for each site")
        return np.zeros((1, 1), dtype=bool)
    if array.dtype != np.bool_:
        fine = np.issubdtype(array.dtype, np.number) and bool(((array == 0) | (array == 1)).all())
        faults.check(fine, "reach must hold true or false only (no NaN, no minutes)")
        array = array == 1
    return cast("BoolArray", array)


def read_weight(weight: npt.ArrayLike, n: int, faults: Faults) -> FloatArray:
    """Read (n,) weights, finite, zero or more, not all zero."""
    try:
        array = np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.shape != (n,):
        faults.add(f"weight must hold one number for each of the {n} rows of demand")
    elif not np.isfinite(array).all() or (array < 0).any():
        faults.add("weight must be finite and zero or more everywhere")
    elif not array.sum() > 0:
        faults.add("there is no demand: all weights are zero; choose other hours or another source")
    else:
        return array
    return np.ones(n)


def read_cost(cost: npt.ArrayLike, faults: Faults) -> FloatArray:
    """Read (n_demand, n_sites) costs, zero or more; infinite where a site does not reach."""
    try:
        array = np.asarray(cost, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim != 2 or not array.shape[0] or not array.shape[1]:
        faults.add("cost must be a table with a row for each demand and a column for each site")
        return np.zeros((1, 1))
    faults.check(not np.isnan(array).any(), "cost holds NaN; use infinity where a site does not reach")
    faults.check(not (array < 0).any(), "cost must be zero or more everywhere")
    return array


def as_sites(units_at: IntArray) -> tuple[int, ...]:
    """Sites in ascending order, once for each unit."""
    return tuple(int(site) for site in np.repeat(np.arange(len(units_at)), units_at))


def units_per_site(site: IntArray, units: FloatArray, n_sites: int) -> IntArray:
    """(n_sites,) units at each site, from the units at each column."""
    return np.bincount(site, units, minlength=n_sites).round().astype(np.int64)


def infeasible(reason: str) -> InvalidInputError:
    """Make the error for rules that fit together one by one but not all at once."""
    return InvalidInputError(f"No plan follows these rules: {reason}")


def _check_moves(rules: Rules, faults: Faults) -> None:
    stays = np.minimum(rules.baseline, rules.upper)
    elsewhere = int(np.maximum(rules.lower - stays, 0).sum())
    possible = min(int(stays.sum()), rules.units - elsewhere)
    if possible < rules.need:
        least = rules.need - possible + (rules.max_moves or 0)
        faults.add(
            f"at most {rules.max_moves} moves are allowed, but the must-have and forbidden sites alone ask "
            f"for {least}; allow {least} moves or free some sites"
        )


def _count(sites: Sites | None, n_sites: int, name: str, faults: Faults) -> IntArray:
    none = np.zeros(n_sites, dtype=np.int64)
    given = np.asarray(() if sites is None else sites)
    if given.dtype == np.bool_ and given.shape == (n_sites,):
        return given.astype(np.int64)
    if not given.size:
        return none
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        faults.add(f"{name} must be a list of site numbers, counted from 0")
        return none
    outside = sorted({int(site) for site in given if not 0 <= site < n_sites})
    if outside:
        faults.add(f"{name} names sites that are not there: {outside} (sites are 0 to {n_sites - 1})")
        return none
    return np.bincount(given, minlength=n_sites).astype(np.int64)


def _whole(value: int, name: str, faults: Faults, *, least: int) -> int:
    try:
        whole = index(value)
    except TypeError:
        whole = least - 1
    if isinstance(value, bool) or whole < least:
        faults.add(f"{name} must be a whole number of at least {least}, not {value!r}")
        return least
    return whole


def _listing(sites: IntArray) -> str:
    return ", ".join(str(int(site)) for site in sites)
