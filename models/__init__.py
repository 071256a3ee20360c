"""The decisions: pure functions and frozen dataclasses over frames and arrays."""
