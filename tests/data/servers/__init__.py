"""Servers on loopback that behave like the real ones, and misbehave on cue."""
