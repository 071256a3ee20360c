"""Run the compiled rules: gather what they need once, then run any number of traces of calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from errors import Faults
from models.dispatch_ground import Drives, Ground, prepare_ground, read_drives, read_places
from models.dispatch_records import LINE, SCALARS, TURNED, Records, World
from models.dispatch_rules import Rules
from models.dispatch_tables import (
    Calls,
    Hospitals,
    Table,
    Units,
    abilities,
    check_hospitals,
    pack_calls,
    pack_shifts,
    pack_units,
    read_calls,
    read_hospitals,
    read_units,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STATUS = ("served", "no unit on shift", "no unit of its type", "no unit can reach it")
TIMES = ("assigned", "enroute", "on_scene", "leave", "at_hospital", "available", "drive")
HEADLINE = "The simulation cannot start"


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything but the calls: ``reached`` is (n_hospitals, n_places), ``points`` (n_places, 2) metres."""

    rules: Rules
    drives: Drives
    units: Units
    hospitals: Hospitals
    reached: npt.NDArray[np.bool_]
    points: FloatArray

    @cached_property
    def ground(self) -> Ground:
        """What the compiled rules need to know of the ground; made once."""
        posts = {int(post) for row in self.rules.compliance or () for post in row}
        goals = posts.union(self.units.post.tolist())
        return prepare_ground(self.drives, self.points, self.hospitals, goals, self.rules)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What happened to each call, in the order of the table of calls.

    Attributes
    ----------
    status
        (n,) index of :data:`STATUS`.
    unit
        (n,) row of the unit that served the call, -1 when it was not served.
    shift
        (n,) row of the shift in which it was sent.
    sent_from, how
        (n,) place the unit counted from, and where it was: 0 at its post, 1 on the road, 2 where it was
        freed, 3 turned away from another call.
    free_before
        (n,) units that were free when the call was ready.
    turned_away
        (n,) how often a unit on its way was taken for a more urgent call.
    assigned, enroute, on_scene, leave, at_hospital, available
        (n,) minutes; NaN where it did not happen.
    drive
        (n,) minutes of driving to the scene.
    hospital
        (n,) row of the hospital, -1 without.
    turned
        (n_turned, 5): call, unit, shift, minute assigned and minute turned away, of every unit turned away.
    moves
        (n_units,) how often each unit was moved up.
    until
        End of the time over which units are counted.
    """

    setting: Setting
    calls: Calls
    status: IntArray
    unit: IntArray
    shift: IntArray
    sent_from: IntArray
    how: IntArray
    free_before: IntArray
    turned_away: IntArray
    assigned: FloatArray
    enroute: FloatArray
    on_scene: FloatArray
    leave: FloatArray
    at_hospital: FloatArray
    available: FloatArray
    drive: FloatArray
    hospital: IntArray
    turned: FloatArray
    moves: IntArray
    until: float

    @property
    def units(self) -> Units:
        """Return the units, in the order of their ids."""
        return self.setting.units

    @property
    def served(self) -> npt.NDArray[np.bool_]:
        """(n,) whether each call was served."""
        return self.unit >= 0

    @property
    def response(self) -> FloatArray:
        """(n,) minutes from the call to the unit on scene."""
        minutes: FloatArray = self.on_scene - self.calls.call_min
        return minutes

    def busy(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Give unit, shift, start and end of every time a unit was on a call, turned away from or not."""
        served, turned = self.served, self.turned
        return (
            np.concatenate([self.unit[served], turned[:, 1].astype(np.int64)]),
            np.concatenate([self.shift[served], turned[:, 2].astype(np.int64)]),
            np.concatenate([self.assigned[served], turned[:, 3]]),
            np.concatenate([self.available[served], turned[:, 4]]),
        )


def read_setting(
    units: Table,
    places: object,
    travel_min: npt.ArrayLike,
    hospitals: object,
    *,
    rules: Rules,
    faults: Faults,
) -> Setting:
    """Read everything but the calls, and note all faults; with any, the setting is not to be run."""
    drives = read_drives(travel_min)
    n_places = drives.n_places
    faults.extend(rules.faults(n_places, len(drives.minutes)))
    points = read_places(places, n_places, faults, needed=rules.en_route == "line")
    fleet = read_units(units, n_places, rules, faults)
    wards = read_hospitals(hospitals, n_places, faults)
    reached = drives.component[wards.place][:, np.newaxis] == drives.component
    return Setting(rules, drives, fleet, wards, reached, points)


def read_trace(
    setting: Setting, calls: Table, key: Sequence[int] | None, faults: Faults
) -> tuple[Calls, IntArray]:
    """Read the calls, draw what they lack, and give the hospital of each that is fixed; note all faults."""
    read = read_calls(calls, setting.drives.n_places, setting.rules, key, faults)
    return read, check_hospitals(read, setting.hospitals, setting.reached, faults)


def run(setting: Setting, calls: Calls, fixed_hospital: IntArray) -> Outcome:
    """Run calls that have been read."""
    from models.dispatch_kernel import run as run_compiled

    rules, ground = setting.rules, setting.ground
    ready = calls.ready_min
    order = None if (np.diff(ready) >= 0).all() else np.argsort(ready, kind="stable")
    packed = pack_calls(calls, order, fixed_hospital)
    lines = np.full(len(calls.needs) * rules.priorities, -1, dtype=LINE)
    levels = rules.levels
    world = World(
        scalars=_scalars(rules, ground),
        travel=ground.travel,
        next_place=ground.next_place,
        places=ground.places,
        nearest_hospital=ground.nearest_hospital,
        hospital_place=setting.hospitals.place,
        band_of_hour=ground.band_of_hour,
        cell_start=ground.grid.cell_start,
        cell_end=ground.grid.cell_end,
        cell_place=ground.grid.cell_place,
        calls=packed,
        units=pack_units(setting.units, ground.places["component"], rules),
        shifts=pack_shifts(setting.units),
        lines=lines,
        can=abilities(rules, calls.needs),
        compliance=levels,
        filled=np.zeros(len(levels), dtype=np.bool_),
        turned=np.zeros(len(calls) * rules.priorities if rules.preempt else 0, dtype=TURNED),
    )
    run_compiled(world)
    return _outcome(setting, calls, order, world)


def _scalars(rules: Rules, ground: Ground) -> Records:
    packed, grid = np.zeros(1, dtype=SCALARS), ground.grid
    given = {
        "line": rules.en_route == "line",
        "by_priority": rules.queue == "priority",
        "columns": grid.columns,
        "rows": grid.rows,
        "west": grid.west,
        "south": grid.south,
        "cell_m": grid.cell_m,
    }
    for name in SCALARS.names or ():
        packed[name] = given.get(name, getattr(rules, name, 0))
    return packed


def _outcome(setting: Setting, calls: Calls, order: IntArray | None, world: World) -> Outcome:
    names = ("unit", "shift", "sent_from", "how", "hospital", "free_before", "turned_away", *TIMES)
    record = {name: np.empty(len(calls), dtype=world.calls[name].dtype) for name in names}
    rows = slice(None) if order is None else order
    for name in names:
        record[name][rows] = world.calls[name]
    unserved = record["unit"] < 0
    if unserved.any():
        for name in ("sent_from", "how", "hospital"):
            record[name][unserved] = -1
        for name in TIMES:
            record[name][unserved] = np.nan
    turned = world.turned[: int(world.scalars["n_turned"][0])]
    rules = setting.rules
    last = float(calls.call_min[-1]) if len(calls) else 0.0
    return Outcome(
        setting=setting,
        calls=calls,
        status=_status(calls, world, unserved),
        turned=np.column_stack(
            [
                turned["call"] if order is None else order[turned["call"]],
                *(turned[name] for name in ("unit", "shift", "assigned", "turned")),
            ]
        ).astype(np.float64),
        moves=world.units["moves"],
        until=last if rules.until_min is None else rules.until_min,
        **record,
    )


def _status(calls: Calls, world: World, unserved: npt.NDArray[np.bool_]) -> IntArray:
    """Say why each call was not served; a call that could be waits until no unit comes on shift any more."""
    status = np.zeros(len(calls), dtype=np.int64)
    units, component = world.units, world.places["component"]
    for row in np.flatnonzero(unserved):
        near = units["component"] == component[calls.place[row]]
        able = world.can[units["kind"], calls.need[row]]
        status[row] = 3 if not near.any() else 2 if not (near & able).any() else 1
    return status
