"""Catch basins: what an inlet takes, what state a basin is in, and which to clean first.

The face of `models.inlets`, `models.basin_state` and `models.basin_choice`.
"""

from models.inlets import Capture, Gutter, Inlet, inlet_capture, sag_capacity

__all__ = ("Capture", "Gutter", "Inlet", "inlet_capture", "sag_capacity")
