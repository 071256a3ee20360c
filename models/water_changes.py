"""Changes of a scenario that bring water: a storm, and catch basins that are cleaned before it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from errors import InvalidInputError
from models.changes import NO_NAMES, Change, is_number
from models.storm import INCH_MM, SHAPE_WORDS, Pumping, Shape, Storm

_OUT = re.compile(r"(?:[^:|]+:(?:100|[1-9]?\d)(?:\|(?!$)|$))*")

MAX_STOPS = 2_000
"""More basins than this make a scenario too long for an address line."""


@dataclass(frozen=True)
class RainStorm(Change):
    """Let it rain: how much, how long, and what pumps and pipes take away at most.

    The water is worked out anew from these figures wherever the scenario is opened.

    Attributes
    ----------
    depth_mm, duration_min, shape
        Rain, the minutes in which it falls, and how it is spread over them; see `models.storm.Storm`.
    first_hour_mm, later_mm_per_h
        What pumps take in the first hour, and in each hour after it; see `models.storm.Pumping`.
    pumps_out
        Pump areas whose pumps do not all run, with the percent that stands still: ``Algiers:50|Lakeview:9``.
    """

    kind: ClassVar[str] = "rain_storm"
    depth_mm: float
    duration_min: float
    shape: Shape = "middle"
    first_hour_mm: float = INCH_MM
    later_mm_per_h: float = INCH_MM / 2
    pumps_out: str = ""

    @property
    def storm(self) -> Storm:
        """The rain as the flood model takes it."""
        return Storm(self.depth_mm, self.duration_min, self.shape)

    @property
    def out(self) -> tuple[tuple[str, int], ...]:
        """Pump areas with pumps that stand still, and the percent of them."""
        parts = (part.rpartition(":") for part in self.pumps_out.split("|") if part)
        return tuple((name, int(percent)) for name, _, percent in parts)

    @override
    def sentence(self, names: Mapping[str, str] = NO_NAMES) -> str:
        first, later = _inches(self.first_hour_mm), _inches(self.later_mm_per_h)
        down = "".join(f"; {percent} % of the pumps of {name} stand still" for name, percent in self.out)
        return (
            f"It rains {_inches(self.depth_mm)} in {_hours(self.duration_min)}, {SHAPE_WORDS[self.shape]}; "
            f"pumps take {first} in the first hour and {later} in each hour after{down}."
        )

    @override
    def faults(self) -> list[str]:
        numbers = (self.depth_mm, self.duration_min, self.first_hour_mm, self.later_mm_per_h)
        if not all(is_number(value) for value in numbers) or not isinstance(self.pumps_out, str):
            return ["a storm needs numbers for its rain and its pumps, and text for pumps that stand still"]
        found = []
        for part in (lambda: self.storm, lambda: Pumping(self.first_hour_mm, self.later_mm_per_h)):
            try:
                part()
            except InvalidInputError as error:
                found.append(str(error))
        if not _OUT.fullmatch(self.pumps_out):
            found.append("pumps that stand still must be given as area:percent|area:percent")
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
    inches = f"{depth_mm / INCH_MM:.2f}".rstrip("0").rstrip(".")
    return f"{inches} inch{'' if inches == '1' else 'es'}"


def _hours(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:g} minutes"
    return f"{minutes / 60:.1f}".rstrip("0").rstrip(".") + " hours"
