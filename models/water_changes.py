"""Changes of a scenario that bring water: a storm, and catch basins that are cleaned before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from typing_extensions import override

from models.changes import NO_NAMES, Change, is_number

MM_PER_INCH = 25.4
MAX_DEPTH_MM, MAX_DURATION_MIN = 2_000.0, 1_440.0
SHAPES: Mapping[str, str] = MappingProxyType(
    {"middle": "heaviest in the middle", "early": "heaviest at the start", "even": "evenly"}
)
MAX_STOPS = 2_000
"""More basins than this make a scenario too long for an address line."""


@dataclass(frozen=True)
class RainStorm(Change):
    """Let it rain: how much, how long, and what pumps and pipes take away at most.

    The water is worked out anew from these figures wherever the scenario is opened.

    Attributes
    ----------
    depth_mm, duration_min
        Rain, and the minutes in which it falls.
    shape
        How it is spread over them: one of ``SHAPES``.
    first_hour_mm, later_mm_per_h
        What pumps take in the first hour, and in each hour after it.
    """

    kind: ClassVar[str] = "rain_storm"
    depth_mm: float
    duration_min: float
    shape: str = "middle"
    first_hour_mm: float = MM_PER_INCH
    later_mm_per_h: float = MM_PER_INCH / 2

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        first, later = _inches(self.first_hour_mm), _inches(self.later_mm_per_h)
        return (
            f"It rains {_inches(self.depth_mm)} in {_hours(self.duration_min)}, {SHAPES[self.shape]}; "
            f"pumps take {first} in the first hour and {later} in each hour after."
        )

    @override
    def faults(self) -> list[str]:
        found = []
        if not (is_number(self.depth_mm) and 0 <= self.depth_mm < MAX_DEPTH_MM):
            found.append(f"rain must be 0 to {MAX_DEPTH_MM:g} mm")
        if not (is_number(self.duration_min) and 0 < self.duration_min <= MAX_DURATION_MIN):
            found.append(f"rain must fall in up to {MAX_DURATION_MIN:g} minutes, above 0")
        if not isinstance(self.shape, str) or self.shape not in SHAPES:
            found.append(f"the rain's shape must be one of {', '.join(SHAPES)}")
        if not all(is_number(v) and 0 <= v < MAX_DEPTH_MM for v in (self.first_hour_mm, self.later_mm_per_h)):
            found.append(f"pumps must take 0 to {MAX_DEPTH_MM:g} mm an hour")
        return found


@dataclass(frozen=True)
class CleanBasins(Change):
    """Clean catch basins before the storm, each named by its id.

    Attributes
    ----------
    stops
        Ids of the basins, each once.
    """

    kind: ClassVar[str] = "clean_basins"
    stops: tuple[str, ...]

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        few = len(self.stops) == 1
        return f"{len(self.stops):,} catch basin{' is' if few else 's are'} cleaned before the storm."

    @override
    def faults(self) -> list[str]:
        listed = isinstance(self.stops, tuple) and all(isinstance(stop, str) and stop for stop in self.stops)
        if not listed or len(set(self.stops)) != len(self.stops):
            return ["the basins to clean must be a list that names each once"]
        return (
            [f"a scenario can name up to {MAX_STOPS:,} basins to clean; clean fewer"]
            if len(self.stops) > MAX_STOPS
            else []
        )


def _inches(depth_mm: float) -> str:
    inches = f"{depth_mm / MM_PER_INCH:.2f}".rstrip("0").rstrip(".")
    return f"{inches} inch{'' if inches == '1' else 'es'}"


def _hours(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:g} minutes"
    return f"{minutes / 60:.1f}".rstrip("0").rstrip(".") + " hours"
