"""Simulate ambulances call by call, under rules that are few, exact and written down here.

All times are minutes from the start. A call is *ready* ``handling_min`` after it came in (``call_min``).

1. **Order.** Events happen in order of time. At the same minute shifts end first, then units come free or
   come on shift, the lowest unit id first, then calls are ready, in the order of their table.
2. **Who may answer.** A unit that is on shift (from ``starts_min`` until before ``ends_min``), on no call, of
   a type that serves the call's need, and from which a way leads to the call.
3. **Who answers.** Of these the one with the fewest siren minutes from where it is now. A tie goes to the
   lowest unit id. ``calls.drive_factor`` stretches the drive of whichever unit goes, so it does not change
   the choice.
4. **Where a unit is.** At its post, or driving there. On the road with ``en_route="network"`` it counts from
   the next place on its path, and the minutes (with siren) that it still needs to get there are added to the
   drive: with ``r`` siren minutes left to its post, that is the first place on the path whose drive to the
   post takes at most ``r``. With ``en_route="line"`` it counts from the given place nearest to the point on
   the straight line between where it was freed and its post at the elapsed share of the drive home; a tie
   goes to the lowest place.
5. **The call.** Turnout, drive, ``access_min`` to the door, minutes on scene; if transported the drive to the
   nearest open hospital that receives 911 (or the one the call names, when it is open and reached) and the
   minutes there. The unit is then free at the hospital, else at the scene.
6. **A freed unit** takes the longest-waiting call it may answer (``queue="priority"``: of the most urgent).
   It sets out from where it is. If none waits it drives to its post in ``home_factor`` times the siren drive.
7. **Shifts.** A unit whose shift ends on a call finishes it, drives home and takes no other. A unit that
   comes on shift takes the longest-waiting call first, from where it is. At minute 0 all stand at their
   posts.
8. **Nobody free.** The call waits. A call that waits when no unit comes on shift any more is reported
   unserved, with the reason.
9. **Preemption** (``preempt``): a call that finds no free unit takes, of the units on shift that are on their
   way to a less urgent call and not there yet, the one that is closest from where it is on its way (rule 4);
   it needs no new turnout but finishes the one begun. The other call is sent the closest free unit of those
   that may answer it, else takes one in the same way, else waits in the place its ready time gives it.
10. **Compliance table** (``compliance``): row ``k`` lists the posts to hold with ``k`` units free. A freed
    unit, or one coming on shift, drives to the first post of the row that no other free unit holds or drives
    to; to its own when all are. With ``move_up``, whenever the number of free units has changed, the row's
    posts that nobody holds are filled in order by the closest free unit that holds no post of the row.

The run ends when every call has been sent or none of those that wait can be; moves after that are not made.
Drives take the minutes of the band of hours in which they begin.
"""

from dataclasses import dataclass
from time import perf_counter
from typing import Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults, InvalidInputError
from models.dispatch_draw import CallKind, CallRates, Draw, ServiceTimes, sample_calls
from models.dispatch_ground import next_places
from models.dispatch_replicate import (
    Difference,
    Figure,
    Replications,
    compare,
    replicate,
    standard_figures,
)
from models.dispatch_rules import RuleOptions, Rules, nested_table
from models.dispatch_run import HEADLINE, STATUS, Outcome, read_setting, read_trace, run
from models.dispatch_tables import Table
from models.dispatch_thin import thin_minutes, unit_minutes

__all__ = [
    "CallKind",
    "CallRates",
    "Difference",
    "Draw",
    "Figure",
    "Replications",
    "Rules",
    "ServiceTimes",
    "Simulation",
    "compare",
    "compile_rules",
    "nested_table",
    "next_places",
    "replicate",
    "sample_calls",
    "simulate",
    "standard_figures",
    "thin_minutes",
]

HOW = ("at post", "on the road", "where freed", "from another call")


@dataclass(frozen=True, eq=False)
class Simulation:
    """What happened.

    Attributes
    ----------
    calls
        One row a call, in the order given: ``call_min, ready_min, place, priority, unit_type, status``
        (``served`` or why not), ``unit_id, from_place, how`` (where the unit was: at post, on the road, where
        freed, from another call), ``free_units`` (when the call was ready), ``turned_away`` (units taken from
        it for a more urgent call), ``assigned_min, enroute_min, on_scene_min, leave_min, at_hospital_min,
        available_min, hospital`` (row of the hospitals, -1 without), ``wait_min`` (ready to assigned),
        ``drive_min``, ``response_min`` (call to on scene). Minutes are NaN where it did not happen.
    units
        One row a unit, by id: ``unit_id, unit_type, post, calls, turned_away, moves, on_duty_min, busy_min,
        overtime_min, utilisation``. Counted from minute 0 to ``until_min``; ``busy_min`` is on shift,
        ``overtime_min`` after its end; utilisation is busy over on duty, NaN for a unit never on duty.
    turned_away
        One row for every unit that was taken from a call on its way there: ``call, unit_id, assigned_min,
        turned_min``.
    outcome
        The same as arrays.
    """

    calls: pd.DataFrame
    units: pd.DataFrame
    turned_away: pd.DataFrame
    outcome: Outcome

    @property
    def unserved(self) -> "pd.Series[int]":
        """Number of calls that were not served, by reason."""
        status = self.calls["status"]
        return status[status != STATUS[0]].value_counts(sort=False).drop(STATUS[0])


def simulate(
    calls: Table,
    units: Table,
    places: object,
    travel_min: npt.ArrayLike,
    hospitals: object,
    *,
    seed: int | None = None,
    **rules: Unpack[RuleOptions],
) -> Simulation:
    """Answer every call under the rules at the top of this module.

    Parameters
    ----------
    calls
        Table (or mapping of arrays) in order of ``call_min``, minutes from the start. Needed: ``call_min``,
        ``place`` (row of ``travel_min``), ``on_scene_min``. If wished: ``priority`` (1 is the most urgent,
        the default), ``unit_type`` (need; empty: any unit), ``transported`` or ``transport_share``,
        ``at_hospital_min`` (needed if any is transported), ``hospital`` (row of the hospitals, -1 for the
        nearest), ``handling_min``, ``turnout_min``, ``access_min``, and ``drive_factor``, ``way_factor``,
        which multiply the drive to the scene and to hospital.
    units
        Table with ``post`` (place), if wished ``unit_id`` (else the row), ``unit_type`` (else ALS), and
        ``starts_min, ends_min``: one row a shift of a unit. Without shifts all are always on duty. Shifts
        that touch are one.
    places
        With ``en_route="line"`` a table with ``x_m, y_m`` (or ``lon, lat``), or an array (n_places, 2) in
        metres; else None or anything of these.
    travel_min
        (n_places, n_places) siren minutes from row to column, ``inf`` where no way leads; or (n_bands, ...)
        with ``band_of_hour``.
    hospitals
        Places of the hospitals; or a table with ``place`` and, if wished, ``receives_911`` and ``open``.
        Unknown counts as no.
    seed
        Needed when minutes or transport are drawn, because the calls lack them and ``times`` is given.
    **rules
        Options of :class:`models.dispatch_rules.Rules`, such as ``en_route="line"`` or ``home_factor=1.3``.

    Returns
    -------
    Simulation
        Every call is served once or reported unserved with its reason.

    Raises
    ------
    InvalidInputError
        With all faults: NaN or negative times, calls out of order, a place or priority that there is not, no
        unit, a transported call without a hospital it can reach, and the like.
    """
    faults = Faults()
    setting = read_setting(units, places, travel_min, hospitals, rules=Rules(**rules), faults=faults)
    read, fixed_hospital = read_trace(setting, calls, None if seed is None else [seed], faults)
    faults.raise_as(InvalidInputError, HEADLINE)
    return tables(run(setting, read, fixed_hospital))


def tables(outcome: Outcome) -> Simulation:
    """Write an outcome as tables."""
    calls, units = outcome.calls, outcome.units

    def named(unit: npt.NDArray[np.int64]) -> pd.Categorical:
        return pd.Categorical.from_codes(unit, categories=pd.Index(units.unit_id).infer_objects())

    frame = pd.DataFrame(
        {
            "call_min": calls.call_min,
            "ready_min": calls.ready_min,
            "place": calls.place,
            "priority": calls.priority,
            "unit_type": pd.Categorical.from_codes(calls.need, categories=pd.Index(calls.needs)),
            "status": pd.Categorical.from_codes(outcome.status, categories=pd.Index(STATUS)),
            "unit_id": named(outcome.unit),
            "from_place": outcome.sent_from,
            "how": pd.Categorical.from_codes(outcome.how, categories=pd.Index(HOW)),
            "free_units": outcome.free_before,
            "turned_away": outcome.turned_away,
            "assigned_min": outcome.assigned,
            "enroute_min": outcome.enroute,
            "on_scene_min": outcome.on_scene,
            "leave_min": outcome.leave,
            "at_hospital_min": outcome.at_hospital,
            "available_min": outcome.available,
            "hospital": outcome.hospital,
            "wait_min": outcome.assigned - calls.ready_min,
            "drive_min": outcome.drive,
            "response_min": outcome.response,
        },
        copy=False,
    )
    turned = outcome.turned
    turned_away = pd.DataFrame(
        {
            "call": turned[:, 0].astype(np.int64),
            "unit_id": named(turned[:, 1].astype(np.int64)),
            "assigned_min": turned[:, 3],
            "turned_min": turned[:, 4],
        }
    )
    return Simulation(frame, _unit_table(outcome), turned_away, outcome)


def _unit_table(outcome: Outcome) -> pd.DataFrame:
    units = outcome.units
    minutes = unit_minutes(outcome)
    on_duty = np.where(minutes.on_duty > 0, minutes.on_duty, np.nan)
    return pd.DataFrame(
        {
            "unit_id": pd.Index(units.unit_id).infer_objects(),
            "unit_type": units.unit_type.astype(str),
            "post": units.post,
            "calls": np.bincount(outcome.unit[outcome.served], minlength=len(units)),
            "turned_away": np.bincount(outcome.turned[:, 1].astype(np.int64), minlength=len(units)),
            "moves": outcome.moves,
            "on_duty_min": minutes.on_duty,
            "busy_min": minutes.busy,
            "overtime_min": minutes.overtime,
            "utilisation": minutes.busy / on_duty,
        }
    )


def compile_rules() -> float:
    """Compile the rules, or load them from numba's cache, by a run of one call; give the seconds it took.

    The first simulation of a process does this by itself. An app calls it in the background when it starts.
    """
    start = perf_counter()
    for en_route in ("network", "line"):
        simulate(
            {"call_min": [0.0], "place": [0], "on_scene_min": [1.0]},
            {"post": [0]},
            np.zeros((1, 2)),
            np.zeros((1, 1)),
            None,
            en_route=en_route,
        )
    return perf_counter() - start
