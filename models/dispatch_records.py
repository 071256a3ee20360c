"""The records that the simulator's compiled rules read and change."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SmallArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]
Records = Any
"""Array of records: numpy has no types for their fields."""

CALL = np.dtype(
    [
        *((name, np.int64) for name in ("place", "priority", "need", "transported", "named_hospital")),
        *((name, np.float64) for name in ("ready", "turnout", "drive_factor", "access", "scene_min")),
        *((name, np.float64) for name in ("way_factor", "hospital_min")),
        *(
            (name, np.int64)
            for name in ("unit", "shift", "sent_from", "how", "free_before", "turned_away", "hospital")
        ),
        *((name, np.float64) for name in ("assigned", "enroute", "on_scene", "leave", "at_hospital")),
        *((name, np.float64) for name in ("available", "drive")),
        ("after", np.int64),  # the next call in the same waiting line, -1 at its end
    ],
    align=True,
)
"""A call: what it brings, then what happened to it."""
UNIT = np.dtype(
    [
        *((name, np.int64) for name in ("post", "kind", "component", "first_shift", "end_shift")),
        # The shift that holds now or comes next, and the next whose start or end is still to be handled.
        *((name, np.int64) for name in ("shift", "next_start", "next_end")),
        ("starts_at", np.float64),  # when shift next_start does, infinite when there is none
        ("on_from", np.float64),
        ("on_until", np.float64),
        # On a call (-1: none) until free_at; it set out from trip_origin, trip_lead siren minutes away.
        ("call", np.int64),
        ("free_at", np.float64),
        ("trip_origin", np.int64),
        ("trip_lead", np.float64),
        ("trip_band", np.int64),
        # Else driving from origin, left at depart, to target, reached at home_at.
        ("origin", np.int64),
        ("depart", np.float64),
        ("target", np.int64),
        ("home_at", np.float64),
        ("home_band", np.int64),
        ("kept", np.int64),
        ("moves", np.int64),
    ],
    align=True,
)
"""A unit, in the order of ids: what it is, then where it is."""
SHIFT = np.dtype([("starts", np.float64), ("ends", np.float64)])
LINE = np.dtype([("head", np.int64), ("tail", np.int64)])
"""First and last waiting call of one need and priority, -1 when none waits."""
PLACE = np.dtype([("x", np.float64), ("y", np.float64), ("component", np.int64)])
"""Places with the same component reach one another."""
TURNED = np.dtype(
    [
        ("call", np.int64),
        ("shift", np.int64),
        ("unit", np.int64),
        ("assigned", np.float64),
        ("turned", np.float64),
    ]
)
"""A unit that was turned away from a call on its way there."""
SCALARS = np.dtype(
    [
        *((name, np.int64) for name in ("line", "road_turnout", "by_priority", "preempt", "priorities")),
        *((name, np.int64) for name in ("move_up", "columns", "rows", "n_waiting", "n_turned")),
        *((name, np.float64) for name in ("home_factor", "transport_factor", "start_hour")),
        *((name, np.float64) for name in ("west", "south", "cell_m")),
    ],
    align=True,
)
"""The policy, the grid of cells, and two counts that change."""


class World(NamedTuple):
    """Everything that the rules look at; arrays of records, because many arrays slow compiled calls down."""

    scalars: Records  # (1,) of SCALARS
    travel: FloatArray  # (n_bands, n, n)
    next_place: SmallArray  # (n_bands, n, n), or (1, 1, 1) for the straight line
    places: Records  # (n,) of PLACE
    nearest_hospital: IntArray  # (n_bands, n), -1 where none
    hospital_place: IntArray
    band_of_hour: IntArray  # (168,)
    cell_start: IntArray
    cell_end: IntArray
    cell_place: IntArray
    calls: Records  # (n_calls,) of CALL, in the order in which they are ready
    units: Records  # (n_units,) of UNIT
    shifts: Records  # of SHIFT, by unit
    lines: Records  # (n_needs * n_priorities,) of LINE
    can: BoolArray  # (n_kinds, n_needs)
    compliance: IntArray  # (levels, levels) posts, -1 beyond; (0, 0) without
    filled: BoolArray  # (levels,) scratch
    turned: Records  # of TURNED
