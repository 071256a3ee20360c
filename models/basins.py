"""Catch basins: what an inlet takes, what state a basin is in, and which to clean first.

The face of `models.inlets`, `models.basin_state` and `models.basin_choice`.
"""

from models.basin_choice import (
    Choice,
    ListValue,
    crew_stops,
    highest_first,
    line_first,
    list_values,
    prioritise,
    what_if,
)
from models.inlets import Capture, Gutter, Inlet, inlet_capture, sag_capacity

__all__ = (
    "Capture",
    "Choice",
    "Gutter",
    "Inlet",
    "ListValue",
    "crew_stops",
    "highest_first",
    "inlet_capture",
    "line_first",
    "list_values",
    "prioritise",
    "sag_capacity",
    "what_if",
)
