"""The simulator's tables: calls, units and hospitals, read with all their faults gathered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults
from models.dispatch_draw import Draw, ServiceTimes, uniform
from models.dispatch_records import CALL, SHIFT, UNIT, Records
from models.dispatch_rules import Rules

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Table = pd.DataFrame | Mapping[str, Any]

DRAWN = {
    "handling_min": "handling",
    "turnout_min": "turnout",
    "drive_factor": "drive",
    "on_scene_min": "on_scene",
    "way_factor": "way",
    "at_hospital_min": "at_hospital",
}
"""Column of the calls -> stream of chance that it is drawn from when the calls lack it."""


@dataclass(frozen=True, eq=False)
class Calls:
    """Calls in the order of their table; every array has one value a call."""

    call_min: FloatArray
    place: IntArray
    priority: IntArray
    need: IntArray
    needs: tuple[str, ...]
    transported: BoolArray
    hospital: IntArray
    access_min: FloatArray
    handling_min: FloatArray
    turnout_min: FloatArray
    drive_factor: FloatArray
    on_scene_min: FloatArray
    way_factor: FloatArray
    at_hospital_min: FloatArray

    def __len__(self) -> int:
        return len(self.call_min)

    @property
    def ready_min(self) -> FloatArray:
        """(n,) when each call has been handled and a unit may be sent."""
        ready: FloatArray = self.call_min + self.handling_min
        return ready


@dataclass(frozen=True, eq=False)
class Units:
    """Units in the order of their ids; a shift is a row of ``shift_unit, starts, ends``."""

    unit_id: npt.NDArray[np.object_]
    unit_type: npt.NDArray[np.object_]
    post: IntArray
    shift_unit: IntArray
    starts: FloatArray
    ends: FloatArray

    def __len__(self) -> int:
        return len(self.post)

    @property
    def first_shift(self) -> IntArray:
        """(n + 1,) where the shifts of each unit begin."""
        return np.searchsorted(self.shift_unit, np.arange(len(self) + 1)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Hospitals:
    """Places of the hospitals and whether they take patients of 911 now."""

    place: IntArray
    usable: BoolArray


def _say(rows: BoolArray) -> str:
    """Give how many rows are wrong, and the first."""
    return f"{int(rows.sum())} of {len(rows)} rows are not, the first is row {int(rows.argmax())}"


def _numbers(
    frame: pd.DataFrame, table: str, name: str, faults: Faults, *, above: bool = False
) -> FloatArray:
    """Read a column of finite numbers of zero or more (above zero with ``above``)."""
    try:
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        faults.add(f"{table}.{name} must be numbers")
        return np.ones(len(frame))
    fine = (values > 0 if above else values >= 0) & (values < np.inf)
    if not fine.all():
        bound = "above zero" if above else "zero or more"
        faults.add(f"{table}.{name} must be finite and {bound}: {_say(~fine)}")
        return np.ones(len(frame))
    return values


def _places(frame: pd.DataFrame, table: str, name: str, n_places: int, faults: Faults) -> IntArray:
    values = _numbers(frame, table, name, faults)
    wrong = (values >= n_places) | (values != np.floor(values))
    if wrong.any():
        faults.add(f"{table}.{name} must be a row of travel_min, 0 to {n_places - 1}: {_say(wrong)}")
        return np.zeros(len(frame), dtype=np.int64)
    return values.astype(np.int64)


def _flags(frame: pd.DataFrame, name: str) -> BoolArray:
    """Read a column of yes or no; unknown counts as no."""
    return frame[name].astype("boolean").fillna(value=False).to_numpy(dtype=bool)


def _words(frame: pd.DataFrame, name: str) -> tuple[IntArray, tuple[str, ...]]:
    """Codes of a column of words, and the words; missing is the empty word."""
    codes, words = pd.factorize(frame[name])
    named = ["" if pd.isna(word) else str(word) for word in words]
    if "" not in named:
        named.append("")
    return np.where(codes < 0, named.index(""), codes).astype(np.int64), tuple(named)


def read_calls(calls: Table, n_places: int, rules: Rules, key: Sequence[int] | None, faults: Faults) -> Calls:
    """Read the calls; draw what they lack from ``rules.times`` and the numbers of ``key``."""
    frame = calls if isinstance(calls, pd.DataFrame) else pd.DataFrame(calls)
    missing = [name for name in ("call_min", "place") if name not in frame]
    faults.check(not missing, f"the calls lack {', '.join(missing)}")
    if missing:
        frame = frame.assign(**dict.fromkeys(missing, 0.0))
    n = len(frame)
    call_min = _numbers(frame, "calls", "call_min", faults)
    early = np.flatnonzero(np.diff(call_min) < 0)
    if len(early):
        faults.add(
            f"the calls are out of order: {len(early)} come before the one above them, the first is row "
            f"{early[0] + 1}; sort them by call_min"
        )
    need, needs = _words(frame, "unit_type") if "unit_type" in frame else (np.zeros(n, np.int64), ("",))
    known = {word for words in rules.serves.values() for word in words} | {""}
    strange = sorted(set(needs) - known)
    faults.check(not strange, f"calls.unit_type {strange} is served by no type of unit; name it in serves")
    priority = _priorities(frame, rules, faults)
    transported = _transported(frame, rules.times, key, faults)
    hospital = np.full(n, -1, dtype=np.int64)
    if "hospital" in frame:
        chosen = frame["hospital"].to_numpy(dtype=np.float64, na_value=np.nan)
        hospital = np.where(chosen >= 0, chosen, -1).astype(np.int64)
    minutes = {
        name: _minutes(frame, name, rules.times, key, faults) for name in DRAWN if name != "at_hospital_min"
    }
    access = _numbers(frame, "calls", "access_min", faults) if "access_min" in frame else np.zeros(n)
    wall = np.zeros(n)
    if transported.any() or "at_hospital_min" in frame:
        wall = _minutes(frame, "at_hospital_min", rules.times, key, faults)
    return Calls(
        call_min=call_min,
        place=_places(frame, "calls", "place", n_places, faults),
        priority=priority,
        need=need,
        needs=needs,
        transported=transported,
        hospital=hospital,
        access_min=access,
        at_hospital_min=wall,
        **minutes,
    )


def _priorities(frame: pd.DataFrame, rules: Rules, faults: Faults) -> IntArray:
    if "priority" not in frame:
        return np.ones(len(frame), dtype=np.int64)
    values = _numbers(frame, "calls", "priority", faults)
    wrong = (values < 1) | (values > rules.priorities) | (values != np.floor(values))
    if wrong.any():
        faults.add(
            f"calls.priority must be a whole number from 1 (most urgent) to {rules.priorities}: "
            f"{_say(wrong)}; set priorities if there are more"
        )
        return np.ones(len(frame), dtype=np.int64)
    return values.astype(np.int64)


def _transported(
    frame: pd.DataFrame, times: ServiceTimes | None, key: Sequence[int] | None, faults: Faults
) -> BoolArray:
    n = len(frame)
    if "transported" in frame:
        return _flags(frame, "transported")
    if "transport_share" in frame:
        share = _numbers(frame, "calls", "transport_share", faults)
        faults.check((share <= 1).all(), "calls.transport_share must lie from 0 to 1")
    elif times is not None:
        share = np.full(n, times.transport_share)
    else:
        return np.zeros(n, dtype=bool)
    if not share.any():
        return np.zeros(n, dtype=bool)
    if key is None:
        faults.add("who is transported is drawn, so a seed is needed")
        return np.zeros(n, dtype=bool)
    taken: BoolArray = uniform(key, "transported", n) < share
    return taken


def _minutes(
    frame: pd.DataFrame, name: str, times: ServiceTimes | None, key: Sequence[int] | None, faults: Faults
) -> FloatArray:
    """Read a column; draw it where the calls lack it, else the value that changes nothing."""
    factor = name.endswith("_factor")
    if name in frame:
        return _numbers(frame, "calls", name, faults, above=factor)
    if times is None:
        faults.check(
            name not in {"on_scene_min", "at_hospital_min"},
            f"the calls lack {name}: give it, or times and a seed",
        )
        return np.ones(len(frame)) if factor else np.zeros(len(frame))
    draw: Draw = getattr(times, name.removesuffix("_min"))
    if draw.kind == "fixed":
        values = np.full(len(frame), draw.middle)
    elif key is None:
        faults.add(f"{name} is drawn, so a seed is needed")
        return np.ones(len(frame))
    else:
        values = draw.at(uniform(key, DRAWN[name], len(frame)))
    faults.check(not factor or (values > 0).all(), f"{name} must be drawn above zero")
    return values


def read_units(units: Table, n_places: int, rules: Rules, faults: Faults) -> Units:
    """Read the units: one row a unit, or one row a shift of a unit."""
    frame = units if isinstance(units, pd.DataFrame) else pd.DataFrame(units)
    if "post" not in frame:
        faults.add("the units lack post, the place where each waits")
        frame = frame.assign(post=0)
    faults.check(len(frame), "there is no unit")
    post = _places(frame, "units", "post", n_places, faults)
    ids = frame["unit_id"] if "unit_id" in frame else pd.Series(np.arange(len(frame)))
    faults.check(ids.notna().all(), "units.unit_id must not be empty")
    unit_id, first, unit = np.unique(ids.to_numpy(dtype=object), return_index=True, return_inverse=True)
    kinds = (
        frame["unit_type"].astype(object).to_numpy()
        if "unit_type" in frame
        else np.full(len(frame), "ALS", object)
    )
    strange = sorted({str(kind) for kind in set(kinds)} - set(rules.serves))
    faults.check(not strange, f"units.unit_type {strange} is unknown; name what it serves in serves")
    same = (post == post[first][unit]) & (kinds == kinds[first][unit])
    faults.check(same.all(), "a unit with several shifts must have the same post and type in all of them")
    timed = [name for name in ("starts_min", "ends_min") if name in frame]
    faults.check(len(timed) != 1, "units need both starts_min and ends_min, or neither")
    if len(timed) < 2:
        faults.check(len(unit_id) == len(frame), "units.unit_id must be unique, as there are no shifts")
        starts, ends = np.full(len(frame), -np.inf), np.full(len(frame), np.inf)
    else:
        starts, ends = (frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in timed)
        wrong = ~(starts < ends)
        if wrong.any():
            faults.add(f"every shift must end after it starts: {_say(wrong)}")
    rows = _join_shifts(unit, starts, ends)
    return Units(unit_id, kinds[first], post[first], *rows)


def _join_shifts(
    unit: IntArray, starts: FloatArray, ends: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Join shifts of a unit that touch or overlap, in order of unit and time."""
    order = np.lexsort((starts, unit))
    unit, starts, ends = unit[order].astype(np.int64), starts[order], ends[order]
    touches = np.flatnonzero((unit[1:] == unit[:-1]) & (starts[1:] <= ends[:-1])) + 1
    if not len(touches):
        return unit, starts, ends
    latest = ends.copy()
    new = np.ones(len(unit), dtype=bool)
    for i in range(touches[0], len(unit)):
        if unit[i] == unit[i - 1] and starts[i] <= latest[i - 1]:
            new[i] = False
            latest[i] = max(latest[i], latest[i - 1])
    last = np.append(new[1:], [True])
    return unit[new], starts[new], latest[last]


def read_hospitals(hospitals: object, n_places: int, faults: Faults) -> Hospitals:
    """Read the hospitals: a table with ``place`` and, if wished, ``receives_911`` and ``open``; or places."""
    if isinstance(hospitals, pd.DataFrame | Mapping):
        frame = pd.DataFrame(hospitals)
    else:
        listed = np.zeros(0) if hospitals is None else np.asarray(hospitals, dtype=float).ravel()
        frame = pd.DataFrame({"place": listed})
    if "place" not in frame:
        faults.add("the hospitals lack place")
        frame = frame.assign(place=0)
    usable = np.ones(len(frame), dtype=bool)
    for name in ("receives_911", "open"):
        if name in frame:
            usable &= _flags(frame, name)
    return Hospitals(_places(frame, "hospitals", "place", n_places, faults), usable)


def check_hospitals(calls: Calls, hospitals: Hospitals, reached: BoolArray, faults: Faults) -> IntArray:
    """Check that every transported call has somewhere to go; give the hospital that is fixed, or -1.

    Parameters
    ----------
    reached
        (n_hospitals, n_places) whether each hospital is reached from each place.
    """
    wrong = calls.hospital >= len(hospitals.place)
    if wrong.any():
        faults.add(f"calls.hospital must be a row of the hospitals: {_say(wrong)}")
        return calls.hospital
    fixed = calls.hospital
    if len(hospitals.place):
        named = np.maximum(fixed, 0)
        fixed = np.where((fixed >= 0) & hospitals.usable[named] & reached[named, calls.place], fixed, -1)
    if not hospitals.usable.any():
        faults.check(
            not calls.transported.any(),
            f"{int(calls.transported.sum())} calls are taken to a hospital, but no hospital is open and "
            "receives 911: open one, or set receives_911",
        )
        return fixed
    somewhere = np.asarray(reached[hospitals.usable].any(axis=0))
    stuck = calls.transported & ~somewhere[calls.place]
    faults.check(
        not stuck.any(), f"from {int(stuck.sum())} calls that are transported no open hospital can be reached"
    )
    return fixed


def pack_calls(calls: Calls, order: IntArray | None, fixed_hospital: IntArray) -> Records:
    """Put the calls in the order in which they are ready (None: as they are) for the compiled rules."""
    packed = np.zeros(len(calls), dtype=CALL)
    given = {
        "ready": calls.ready_min,
        "place": calls.place,
        "priority": calls.priority - 1,
        "need": calls.need,
        "turnout": calls.turnout_min,
        "drive_factor": calls.drive_factor,
        "access": calls.access_min,
        "scene_min": calls.on_scene_min,
        "transported": calls.transported,
        "named_hospital": fixed_hospital,
        "way_factor": calls.way_factor,
        "hospital_min": calls.at_hospital_min,
    }
    for name, values in given.items():
        packed[name] = values if order is None else values[order]
    packed["unit"] = packed["after"] = -1
    return packed


def pack_units(units: Units, component: IntArray, rules: Rules) -> Records:
    """Put the units as the compiled rules take them; before minute 0 every one stands at its post."""
    kinds = sorted(rules.serves)
    packed = np.zeros(len(units), dtype=UNIT)
    first = units.first_shift
    begun = np.concatenate([[0], np.cumsum(units.starts <= 0)])
    next_start = first[:-1] + begun[first[1:]] - begun[first[:-1]]
    some = next_start < first[1:]
    given = {
        "kind": [kinds.index(kind) for kind in units.unit_type],
        "component": component[units.post],
        "first_shift": first[:-1],
        "end_shift": first[1:],
        "shift": first[:-1],
        "next_start": next_start,
        "starts_at": np.where(some, np.append(units.starts, np.inf)[next_start], np.inf),
        "next_end": first[:-1],
        "on_from": units.starts[first[:-1]],
        "on_until": units.ends[first[:-1]],
        "call": -1,
        "free_at": np.inf,
        "depart": -np.inf,
        "home_at": -np.inf,
    }
    for name, values in given.items():
        packed[name] = values
    for name in ("post", "origin", "target"):
        packed[name] = units.post
    return packed


def pack_shifts(units: Units) -> Records:
    """Put the shifts as the compiled rules take them."""
    packed = np.zeros(len(units.starts), dtype=SHIFT)
    packed["starts"], packed["ends"] = units.starts, units.ends
    return packed


def abilities(rules: Rules, needs: tuple[str, ...]) -> BoolArray:
    """(n_kinds, n_needs) whether each type of unit, in order of name, can answer each need."""
    kinds = sorted(rules.serves)
    return np.array([[need == "" or need in rules.serves[kind] for need in needs] for kind in kinds])
