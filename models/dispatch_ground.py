"""The simulator's ground: drive minutes between places, which place a unit on the road counts from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from errors import Faults, InvalidInputError
from geo.crs import to_metres, utm_epsg
from models.dispatch_records import PLACE, Records
from models.dispatch_rules import HOURS_A_WEEK, Rules
from models.dispatch_tables import Hospitals

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

GRID_CELLS = 32
"""Cells along the longer side of the grid that finds the nearest place."""
COORDINATES = (("x_m", "y_m"), ("x", "y"))


@dataclass(frozen=True, eq=False)
class Grid:
    """Square cells over the places.

    Cell ``(component * rows + row) * columns + column`` lists the places of the component that may be nearest
    to a point within it, ``cell_place[cell_start[cell]:cell_end[cell]]``.
    """

    west: float
    south: float
    cell_m: float
    columns: int
    rows: int
    cell_start: IntArray
    cell_end: IntArray
    cell_place: IntArray


NOTHING = np.zeros(0, dtype=np.int64)
NO_GRID = Grid(0.0, 0.0, 1.0, 1, 1, NOTHING, NOTHING, NOTHING)


@dataclass(frozen=True, eq=False)
class Ground:
    """What the compiled rules need to know of the ground, as they take it."""

    travel: FloatArray
    next_place: npt.NDArray[np.int32]
    places: Records
    nearest_hospital: IntArray
    band_of_hour: IntArray
    grid: Grid


@dataclass(frozen=True, eq=False)
class Drives:
    """Drive minutes that have been checked.

    Attributes
    ----------
    minutes
        (n_bands, n_places, n_places) minutes with siren, infinite where there is no way.
    component
        (n_places,) places with the same number reach one another both ways, others neither.
    """

    minutes: FloatArray
    component: IntArray

    @property
    def n_places(self) -> int:
        """Number of places."""
        return len(self.component)


def read_drives(travel_min: npt.ArrayLike) -> Drives:
    """Check a matrix of drive minutes, or one a band of hours.

    Raises
    ------
    InvalidInputError
        If it is not square, holds NaN or negative minutes, or leads from one place to another but not back.
    """
    minutes = np.ascontiguousarray(travel_min, dtype=np.float64)
    if minutes.ndim == 2:
        minutes = minutes[np.newaxis]
    if minutes.ndim != 3 or minutes.shape[1] != minutes.shape[2] or not minutes.size:
        raise InvalidInputError(
            f"travel_min must be (n_places, n_places) or (n_bands, n_places, n_places), not {minutes.shape}"
        )
    # NaN compares false, so that one pass finds both.
    if not (minutes >= 0).all():
        wrong = int((~(minutes >= 0)).sum())
        raise InvalidInputError(
            f"travel_min must be zero or more; {wrong} entries are NaN or negative (inf: no way leads)"
        )
    reached = np.isfinite(minutes[0])
    if reached.all() and (len(minutes) == 1 or np.isfinite(minutes).all()):
        return Drives(minutes, np.zeros(minutes.shape[1], dtype=np.int64))
    np.fill_diagonal(reached, val=True)
    _, label = connected_components(csr_array(reached), directed=True, connection="strong")
    same = label[:, np.newaxis] == label
    for band in minutes:
        finite = np.isfinite(band)
        np.fill_diagonal(finite, val=True)
        if (finite != same).any():
            start, end = np.argwhere(finite != same)[0]
            raise InvalidInputError(
                f"travel_min joins places {start} and {end} one way only, or in some hours only; "
                "a unit could not return: give finite minutes both ways, or inf both ways"
            )
    return Drives(minutes, label.astype(np.int64))


def read_places(places: object, n_places: int, faults: Faults, *, needed: bool) -> FloatArray:
    """(n_places, 2) metres of each place; zeros where they are not needed and not given."""
    nowhere = np.zeros((n_places, 2))
    if places is None or isinstance(places, int):
        faults.check(not needed, "en_route='line' needs the coordinates of the places: x_m, y_m or lon, lat")
        faults.check(places is None or places == n_places, f"{places} places, but travel_min has {n_places}")
        return nowhere
    n_rows = 0
    if isinstance(places, pd.DataFrame | Mapping):
        n_rows = len(pd.DataFrame(places))
        points = _columns(pd.DataFrame(places), faults, needed=needed)
    else:
        points = np.asarray(places, dtype=float)
    if points is None:
        faults.check(n_rows == n_places, f"places must have {n_places} rows, as travel_min")
        return nowhere
    if points.shape != (n_places, 2):
        faults.add(f"places must be ({n_places}, 2), one row a row of travel_min, not {points.shape}")
        return nowhere
    if not np.isfinite(points).all():
        faults.add("the coordinates of the places must be finite")
        return nowhere
    return points


def _columns(frame: pd.DataFrame, faults: Faults, *, needed: bool) -> FloatArray | None:
    for names in COORDINATES:
        if set(names) <= set(frame.columns):
            return frame[list(names)].to_numpy(dtype=float)
    if {"lon", "lat"} <= set(frame.columns):
        lon, lat = frame["lon"].to_numpy(dtype=float), frame["lat"].to_numpy(dtype=float)
        if np.isfinite(lon).all() and np.isfinite(lat).all() and len(frame):
            return np.column_stack(to_metres(lon, lat, utm_epsg(lon, lat)))
        return np.column_stack([lon, lat])
    faults.check(not needed, "places lack coordinates: en_route='line' needs x_m and y_m, or lon and lat")
    return None


def next_places(
    travel_min: npt.ArrayLike, goals: npt.ArrayLike, *, slack_min: float = 0.01
) -> npt.NDArray[np.int32]:
    """Find the next place on the way from each place to each goal from the drive minutes alone.

    Place ``k`` lies on the way from ``i`` to ``j`` when going over it takes at most ``slack_min`` longer and
    it is closer to ``j`` than ``i`` is. The next one is the farthest from ``j`` of these; a tie goes to the
    one that is closest to ``i``, then to the lowest index. The goal itself always lies on the way.

    Parameters
    ----------
    travel_min
        (n_places, n_places) or (n_bands, n_places, n_places) minutes.
    goals
        Places that units drive to, such as posts.
    slack_min
        Minutes that the matrix may be off; on a coarse set of places, how far beside the way a place may lie.

    Returns
    -------
    next_place
        (n_bands, n_places, n_places) int32, -1 in the columns of places that are no goals.
    """
    from models.dispatch_paths import find_next_places

    drives = read_drives(travel_min)
    chosen = np.unique(np.asarray(goals, dtype=np.int64))
    if len(chosen) and not (chosen[0] >= 0 and chosen[-1] < drives.n_places):
        raise InvalidInputError(f"goals must be places from 0 to {drives.n_places - 1}")
    found: npt.NDArray[np.int32] = find_next_places(drives.minutes, chosen, slack_min)
    return found


def _given_next(rules: Rules, drives: Drives, goals: IntArray) -> npt.NDArray[np.int32]:
    """Check a table of next places: every path must end at its goal."""
    table = np.asarray(rules.next_place, dtype=np.int32)
    if table.ndim == 2:
        table = table[np.newaxis]
    shape = drives.minutes.shape
    if table.shape[1:] != shape[1:] or table.shape[0] not in {1, shape[0]}:
        raise InvalidInputError(f"next_place must be {shape[1:]}, or {shape} for a path a band of hours")
    table = np.ascontiguousarray(np.broadcast_to(table, shape))
    for band, minutes in enumerate(drives.minutes):
        step = table[band][:, goals]
        on_way = drives.component[:, np.newaxis] == drives.component[goals]
        on_way &= np.arange(drives.n_places)[:, np.newaxis] != goals
        known = (step >= 0) & (step < drives.n_places)
        nearer = minutes[np.clip(step, 0, drives.n_places - 1), goals] < minutes[:, goals]
        wrong = on_way & ~(known & (nearer | (step == goals)))
        if wrong.any():
            start, goal = np.argwhere(wrong)[0]
            raise InvalidInputError(
                f"next_place from {start} to {goals[goal]} must name a place that is closer to the goal"
            )
    return table


def _posts_first(component: IntArray, goals: IntArray) -> tuple[IntArray, int]:
    """Give each place a new number of its component, those with a post first, and how many have one."""
    with_post = np.unique(component[goals])
    others = np.setdiff1d(component, with_post)
    number = np.empty(int(component.max()) + 1, dtype=np.int64)
    number[np.concatenate([with_post, others])] = np.arange(len(with_post) + len(others))
    return number[component], len(with_post)


def _rule_grid(points: FloatArray, component: IntArray, n_components: int) -> Grid:
    """Rule the ground into cells; each lists the places of a component that may be nearest within it."""
    from models.dispatch_paths import find_nearest_cells

    low, span = points.min(axis=0), np.ptp(points, axis=0)
    width = float(span.max()) / GRID_CELLS or 1.0
    columns, rows = (int(size // width) + 1 for size in span)
    corner = (float(low[0]), float(low[1]), width)
    first, end, place, count = [], [], [], 0
    for label in range(n_components):
        found = find_nearest_cells(points, np.flatnonzero(component == label), (columns, rows), corner)
        first.append(found[0] + count)
        end.append(found[1] + count)
        place.append(found[2])
        count += len(found[2])
    lists = (np.concatenate(first), np.concatenate(end), np.concatenate(place))
    return Grid(*corner, columns, rows, *lists)


def prepare_ground(
    drives: Drives,
    points: FloatArray,
    hospitals: Hospitals,
    goals: Collection[int],
    rules: Rules,
) -> Ground:
    """Gather what the compiled rules need to know of the ground.

    Parameters
    ----------
    drives
        Checked drive minutes.
    points
        (n_places, 2) metres; used with ``en_route="line"``.
    hospitals
        Their places, and whether they take patients.
    goals
        Posts that units may drive to.
    rules
        What the rules leave open.
    """
    from models.dispatch_paths import find_next_places

    line = rules.en_route == "line"
    no_path = np.full((1, 1, 1), -1, dtype=np.int32)
    next_place = no_path
    if not line:
        wanted = np.arange(drives.n_places) if rules.preempt else np.array(sorted(set(goals)), dtype=np.int64)
        if rules.next_place is None:
            next_place = find_next_places(drives.minutes, wanted, rules.path_slack_min)
        else:
            next_place = _given_next(rules, drives, wanted)
    nearest = np.full((len(drives.minutes), drives.n_places), -1, dtype=np.int64)
    usable = np.flatnonzero(hospitals.usable)
    if len(usable):
        to_hospital = drives.minutes[:, :, hospitals.place[usable]]
        reachable = np.isfinite(to_hospital).any(axis=2)
        nearest = np.where(reachable, usable[to_hospital.argmin(axis=2)], -1)
    bands = np.zeros(HOURS_A_WEEK) if rules.band_of_hour is None else np.asarray(rules.band_of_hour)
    component, n_components = _posts_first(drives.component, np.array(sorted(set(goals)), dtype=np.int64))
    grid = _rule_grid(points, component, n_components) if line else NO_GRID
    places = np.zeros(drives.n_places, dtype=PLACE)
    places["x"], places["y"], places["component"] = points[:, 0], points[:, 1], component
    return Ground(drives.minutes, next_place, places, nearest, bands.astype(np.int64), grid)
