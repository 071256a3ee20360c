"""The profile of a city: its words, standards and assumptions, each with a source."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pyproj
from pydantic import Field, ValidationError, field_validator, model_validator

from data.profile_base import FrozenModel as _Frozen
from data.profile_base import Text, Zone
from data.profile_drainage import DrainageRules
from data.profile_outlets import OutletRules
from data.profile_roads import Box, Closure, Flood, Share
from errors import CityFolderError, Faults

HOURS_A_DAY = 24
HOURS_A_WEEK = 168

Factor = Annotated[float, Field(gt=0, le=3)]
Kph = Annotated[float, Field(gt=0, le=200)]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class Standard(_Frozen):
    """One response standard: the share of calls to reach within some minutes, and what is timed.

    ``clock`` says when the minutes begin: as the call is received, or as the crew departs (driving only).
    ``reference`` says for whom the standard is made where it does not bind this city; empty for its own.
    """

    name: Text
    code: Text
    share: Share
    minutes: Annotated[float, Field(gt=0, le=120)]
    clock: Literal["call", "departure"] = "call"
    reference: str = ""
    start: Text
    end: Text
    source: Text


class HourBand(_Frozen):
    """Hours of the week that share one speed factor; day 0 is Monday, ``end_hour`` is not included."""

    name: Text
    days: tuple[Annotated[int, Field(ge=0, le=6)], ...]
    start_hour: Annotated[int, Field(ge=0, le=23)]
    end_hour: Annotated[int, Field(ge=1, le=24)]
    factor: Factor

    @property
    def hours_of_week(self) -> tuple[int, ...]:
        """Hours of the week in this band; 0 is Monday from midnight to one."""
        return tuple(
            day * HOURS_A_DAY + hour for day in self.days for hour in range(self.start_hour, self.end_hour)
        )


class Range(_Frozen):
    """The lowest and highest factor that a figure may take."""

    low: Factor
    high: Factor

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            msg = "low must not be above high"
            raise ValueError(msg)
        return self


class Travel(_Frozen):
    """How an ambulance moves besides the speeds of streets."""

    siren_factor: Factor
    access_kph: Kph
    call_handling_s: Seconds
    turnout_s: Seconds


class Workload(_Frozen):
    """How busy the ambulances are, where no unit responses tell it."""

    calls_per_day: Annotated[float, Field(gt=0, le=20_000)]
    busy_min: Annotated[float, Field(gt=0, le=600)]


class HospitalDecision(_Frozen):
    """Whether one hospital receives 911 ambulances, with the reason; null is not yet decided."""

    name: Text
    receives: bool | None = None
    reason: Text


class Hospitals(_Frozen):
    """Decisions made by hand on which hospitals receive 911 ambulances."""

    decided_on: date
    receives_911: tuple[HospitalDecision, ...]


class Posts(_Frozen):
    """Names of the posts staffed today, the first to be staffed first."""

    source: Text
    baseline: tuple[Text, ...]


class CityProfile(_Frozen):
    """Everything Crescent assumes about a city; see ``cities/new-orleans.toml``."""

    name: Text
    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    place: Text
    timezone: Zone
    utm_epsg: int
    bbox: Box
    words: dict[str, str] = Field(default_factory=dict)
    standards: tuple[Standard, ...]
    speeds: dict[str, Kph]
    speed_range: Range
    hour_bands: tuple[HourBand, ...]
    travel: Travel
    workload: Workload | None = None
    sources: dict[str, Text]
    closures: tuple[Closure, ...] = ()
    floods: tuple[Flood, ...] = ()
    medical_agencies: tuple[Text, ...]
    hospitals: Hospitals | None = None
    posts: Posts | None = None
    outlets: OutletRules | None = None
    drainage: DrainageRules | None = None

    @field_validator("utm_epsg")
    @classmethod
    def _metric_grid(cls, epsg: int) -> int:
        try:
            crs = pyproj.CRS.from_epsg(epsg)
        except pyproj.exceptions.CRSError as error:
            msg = f"EPSG:{epsg} is not known; write the local UTM zone such as 26915"
            raise ValueError(msg) from error
        if not crs.is_projected or crs.axis_info[0].unit_name != "metre":
            msg = f"EPSG:{epsg} is not a grid in metres; write the local UTM zone such as 26915"
            raise ValueError(msg)
        return epsg

    @field_validator("hour_bands")
    @classmethod
    def _whole_week(cls, bands: tuple[HourBand, ...]) -> tuple[HourBand, ...]:
        count = np.zeros(HOURS_A_WEEK, dtype=int)
        for band in bands:
            np.add.at(count, list(band.hours_of_week), 1)
        wrong = np.flatnonzero(count != 1)
        if wrong.size:
            hour = int(wrong[0])
            msg = (
                f"every hour of the week must lie in exactly one band; {wrong.size} do not, the first is day "
                f"{hour // HOURS_A_DAY} (0 is Monday) at {hour % HOURS_A_DAY}:00"
            )
            raise ValueError(msg)
        return bands

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        figures = (
            "speeds",
            "speed_range",
            "siren_factor",
            "hour_bands",
            "access_kph",
            "call_handling_s",
            "turnout_s",
        )
        wanted = [*figures, *(["workload"] if self.workload else [])]
        missing = [figure for figure in wanted if figure not in self.sources]
        if missing:
            msg = f"[sources] must say where these come from: {', '.join(missing)}"
            raise ValueError(msg)
        return self

    @property
    def siren_factor(self) -> float:
        """What speeds are multiplied by with lights and siren."""
        return self.travel.siren_factor

    @property
    def access_kph(self) -> float:
        """Speed from the nearest street corner to the door, in a straight line."""
        return self.travel.access_kph

    @property
    def call_handling_s(self) -> float:
        """Seconds from the call to the crew's alarm."""
        return self.travel.call_handling_s

    @property
    def turnout_s(self) -> float:
        """Seconds from the crew's alarm to wheels rolling."""
        return self.travel.turnout_s

    @property
    def hour_factors(self) -> tuple[float, ...]:
        """Speed factor of each hour of the week, 168 figures; 0 is Monday from midnight to one."""
        factors = np.ones(HOURS_A_WEEK)
        for band in self.hour_bands:
            factors[list(band.hours_of_week)] = band.factor
        return tuple(float(factor) for factor in factors)

    def hour_band(self, hour_of_week: int) -> HourBand:
        """Give the band of an hour of the week; 0 is Monday from midnight to one."""
        return next(band for band in self.hour_bands if hour_of_week % HOURS_A_WEEK in band.hours_of_week)

    def hour_factor(self, hour_of_week: int) -> float:
        """Give the speed factor of an hour of the week; 0 is Monday from midnight to one."""
        return self.hour_band(hour_of_week).factor


def profile_path(slug: str) -> Path:
    """Give the path of a profile that comes with Crescent, such as ``new-orleans``."""
    return Path(__file__).resolve().parent.parent / "cities" / f"{slug}.toml"


def load_profile(path: Path) -> CityProfile:
    """Read a city's profile and check all of it.

    Parameters
    ----------
    path
        A TOML file such as ``cities/new-orleans.toml``.

    Raises
    ------
    CityFolderError
        The file is missing, unreadable or at fault; the text lists every fault.
    """
    faults = Faults()
    headline = f"The city profile {path.name} cannot be used"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return CityProfile.model_validate(content)
    except FileNotFoundError:
        faults.add(f"there is no file {path}")
    except (OSError, UnicodeDecodeError) as error:
        faults.add(f"the file cannot be read: {error}")
    except tomllib.TOMLDecodeError as error:
        faults.add(f"the file is not valid TOML: {error}")
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(str(part) for part in fault["loc"])
            said = fault["msg"].removeprefix("Value error, ")
            faults.add(f"{place}: {said}" if place else said)
    faults.raise_as(CityFolderError, headline)
    raise AssertionError  # raise_as always raises here
