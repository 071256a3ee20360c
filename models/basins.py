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
from models.basin_state import (
    PRIORS,
    Estimate,
    Prior,
    Records,
    StateModel,
    basin_features,
    findings,
    fit_state,
)
from models.inlets import Capture, Gutter, Inlet, inlet_capture, sag_capacity

__all__ = (
    "PRIORS",
    "Capture",
    "Choice",
    "Estimate",
    "Gutter",
    "Inlet",
    "ListValue",
    "Prior",
    "Records",
    "StateModel",
    "basin_features",
    "crew_stops",
    "findings",
    "fit_state",
    "highest_first",
    "inlet_capture",
    "line_first",
    "list_values",
    "prioritise",
    "sag_capacity",
    "what_if",
)
