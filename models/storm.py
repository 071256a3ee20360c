"""A storm as a depth of rain over a time, and what the pumps are said to take away.

docs/methods/storm.md tells where the shapes, the limit and the allowance come from.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
Shape = Literal["middle", "early", "even"]

INCH_MM = 25.4
DAY_MIN = 1440.0
RECORD_MM, RECORD_WORDS = 22.0 * INCH_MM, "22.00 inches at Hackberry, 28 to 29 August 1962"
"""The most rain that Louisiana has recorded in 24 hours."""
PEAK_AT: dict[str, float] = {"middle": 0.5, "early": 0.25}
"""Where the peak of a triangular storm lies, as a share of its duration."""
SHAPES = get_args(Shape)
SHAPE_WORDS: dict[str, str] = {
    "middle": "heaviest in the middle",
    "early": "heaviest early",
    "even": "evenly",
}


@dataclass(frozen=True)
class Storm:
    """Rain over a whole city.

    Attributes
    ----------
    depth_mm
        All the rain, millimetres. 0 is a dry day.
    duration_min
        From first to last drop, minutes, up to a day.
    shape
        "even": the same rate throughout; "middle", "early": a triangle whose peak, twice the mean rate, lies
        at half or at a quarter of the duration (Yen and Chow 1980).
    name, source
        Words for people: what the storm is called, and where its figures come from.

    Raises
    ------
    InvalidInputError
        With every fault; a depth above the record is refused, not cut.
    """

    depth_mm: float
    duration_min: float
    shape: Shape = "middle"
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Check the figures."""
        faults = Faults()
        depth_ok = np.isfinite(self.depth_mm) and self.depth_mm >= 0
        faults.check(depth_ok, "the depth of rain must be a number, zero or more")
        faults.check(
            not depth_ok or self.depth_mm <= RECORD_MM,
            f"{self.depth_mm / INCH_MM:.1f} inches is more than Louisiana has ever recorded in a day "
            f"({RECORD_WORDS}); give a smaller depth",
        )
        faults.check(
            np.isfinite(self.duration_min) and 0 < self.duration_min <= DAY_MIN,
            "the storm must last more than no time and at most 24 hours; a longer one is another question",
        )
        faults.check(
            self.shape in SHAPES, f"there is no shape {self.shape!r}; shapes are {', '.join(SHAPES)}"
        )
        faults.raise_as(InvalidInputError, "The storm cannot be used")

    @property
    def is_dry(self) -> bool:
        """Whether nothing falls."""
        return self.depth_mm == 0

    @property
    def words(self) -> str:
        """The storm in one plain sentence, in inches and hours."""
        if self.is_dry:
            return "No rain falls: nothing floods."
        inches, hours = self.depth_mm / INCH_MM, self.duration_min / 60
        said = f"{inches:.3g} inches in {hours:.3g} hours, {SHAPE_WORDS[self.shape]}"
        return f"{self.name}: {said}." if self.name else f"{said}."

    def fallen_mm(self, minute: npt.ArrayLike) -> FloatArray:
        """Rain since the start, millimetres, at each minute."""
        share = np.clip(np.asarray(minute, dtype=np.float64) / self.duration_min, 0.0, 1.0)
        if self.shape != "even":
            peak = PEAK_AT[self.shape]
            share = np.where(share <= peak, share**2 / peak, 1.0 - (1.0 - share) ** 2 / (1.0 - peak))
        return np.asarray(self.depth_mm * share)

    def rain_mm(self, step_min: float) -> FloatArray:
        """Rain in each step of the storm, (n_steps,) millimetres; they add up to the depth."""
        if not (np.isfinite(step_min) and step_min > 0):
            raise InvalidInputError("The storm cannot be cut into steps: a step must be minutes above zero")
        steps = int(np.ceil(self.duration_min / step_min - 1e-9))
        return np.diff(self.fallen_mm(np.arange(steps + 1) * step_min))


@dataclass(frozen=True)
class Pumping:
    """What pipes and pumps take at most, as a depth over the ground that drains to them.

    Attributes
    ----------
    first_hour_mm, later_mm_per_h
        Allowance in the first hour of the storm, and in each hour after it. The "inch in the first hour and
        half an inch in each after" of New Orleans is contested: it is a setting.
    share
        How much of the allowance each pump area has, 0 (its pumps stand still) to 1 or more; one number for
        all, or (n_areas,). Ground in no known area has all of it.

    Raises
    ------
    InvalidInputError
        With every fault.
    """

    first_hour_mm: float = INCH_MM
    later_mm_per_h: float = INCH_MM / 2
    share: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        """Check the figures."""
        faults = Faults()
        for name in ("first_hour_mm", "later_mm_per_h"):
            value = getattr(self, name)
            faults.check(np.isfinite(value) and value >= 0, f"{name} must be millimetres, zero or more")
        share = np.atleast_1d(np.asarray(self.share, dtype=np.float64))
        faults.check(
            share.ndim == 1 and np.isfinite(share).all() and (share >= 0).all(),
            "share must be zero or more for each pump area",
        )
        faults.raise_as(InvalidInputError, "The pumping cannot be used")

    def allowed_mm(self, step_min: float, steps: int) -> FloatArray:
        """Give the allowance in each step from the start of the storm, (steps,) millimetres."""
        hours = np.arange(steps + 1) * step_min / 60.0
        taken = self.first_hour_mm * np.minimum(hours, 1.0) + self.later_mm_per_h * np.maximum(
            hours - 1.0, 0.0
        )
        return np.diff(taken)

    def share_of(self, area: npt.NDArray[np.int64]) -> FloatArray:
        """Share of the allowance in each of the given pump areas; -1 is no known area.

        Raises
        ------
        InvalidInputError
            If an area has no share.
        """
        if isinstance(self.share, int | float):
            return np.full(area.shape, float(self.share))
        shares = np.asarray(self.share, dtype=np.float64)
        if area.size and (area.max() >= len(shares) or area.min() < -1):
            raise InvalidInputError(
                f"The pumping cannot be used: it has shares for {len(shares)} pump areas and the ground "
                f"names area {int(area.max())} (numbered from 0; -1 is no area); give one share for each"
            )
        return np.append(shares, 1.0)[area]
