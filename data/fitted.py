"""Speeds fitted to a city's own responses, kept in its cache so that every window drives at the same ones.

The file is written after a check of the past and may be deleted at any time: another check brings it back.
It belongs to one version of the city; records that change leave it behind.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data.city import City
from errors import InvalidInputError

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SpeedCell(_Frozen):
    """The speed of one road class in one hour band, without or with siren; km/h with a 95 % interval.

    ``from_data`` is the share of the prior's variance that the drives took away.
    """

    road_class: str
    band: str
    siren: bool
    kph: Positive
    low_kph: Positive
    high_kph: Positive
    assumed_kph: Positive
    driven_km: Annotated[float, Field(ge=0)]
    from_data: float


class SpeedCheck(_Frozen):
    """How well speeds foretell drives, and whether a past month is reproduced at them.

    Attributes
    ----------
    error_min
        Mean absolute error of a drive in minutes; for fitted speeds on weeks held out of the fit.
    bias_min, bias_low_min, bias_high_min
        Predicted less observed minutes, with a 95 % interval.
    misses, judged
        Figures of the replay that miss by more than chance allows, of how many that were judged.
    banner
        Whether comparisons at these speeds must carry a warning.
    words
        What the replay showed.
    """

    error_min: float
    bias_min: float
    bias_low_min: float
    bias_high_min: float
    misses: Count
    judged: Count
    banner: bool
    words: str


class AreaCheck(_Frozen):
    """Drives to one neighborhood, foretold while their week was held out, in minutes.

    ``biased`` holds after allowing for the number of neighborhoods asked; few days give no interval.
    """

    name: str
    drives: Count
    observed_min: float
    predicted_min: float
    low_min: float | None
    high_min: float | None
    biased: bool


class FittedSpeeds(_Frozen):
    """What a check of the past found.

    Attributes
    ----------
    city_version
        Version of the city whose records were used.
    period
        From which month to which the drives are.
    replayed
        The month that was replayed.
    en_route
        Where a unit on the road counted from in the replay; see `models.dispatch.simulate`.
    drives, left_out
        Drives that were fitted, and responses that could not be used.
    classes, bands
        Road classes in the order of the network, and hour bands in the order of the profile.
    cells
        One for each class, band and siren state, in that order.
    access_s, access_s_per_m
        Seconds at the two ends of a drive that do not depend on the streets: a constant, and for each metre
        of straight line between corners and doors.
    access_low_s, access_high_s
        95 % interval of the constant.
    drive_share
        Standard deviation of a drive as a share of it.
    assumed, fitted
        How both kinds of speeds fare.
    areas
        Out-of-sample errors by neighborhood.
    """

    city_version: str
    period: str
    replayed: str
    en_route: Literal["network", "line"]
    drives: Count
    left_out: Count
    classes: tuple[str, ...]
    bands: tuple[str, ...]
    cells: tuple[SpeedCell, ...]
    access_s: Annotated[float, Field(ge=0)]
    access_low_s: float
    access_high_s: float
    access_s_per_m: Positive
    drive_share: Share
    assumed: SpeedCheck
    fitted: SpeedCheck
    areas: tuple[AreaCheck, ...]

    @model_validator(mode="after")
    def _every_cell(self) -> Self:
        wanted = [(c, b, s) for c in self.classes for b in self.bands for s in (False, True)]
        if [(cell.road_class, cell.band, cell.siren) for cell in self.cells] != wanted:
            msg = "cells must hold each road class, hour band and siren state once, in order"
            raise ValueError(msg)
        return self


def fitted_path(city: City) -> Path:
    """Where the fitted speeds of this version of the city stand."""
    return city.cache_dir / f"fitted-speeds-{city.version}.json"


def fitted_stamp(city: City) -> str:
    """Twelve hexadecimal digits of the file's content, empty without one: another check, another stamp."""
    path = fitted_path(city)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else ""


def write_fitted(city: City, fitted: FittedSpeeds) -> Path:
    """Keep fitted speeds in the city's cache, whole or not at all, and give their path."""
    if fitted.city_version != city.version:
        raise InvalidInputError("These speeds were fitted to another version of the city; check again")
    path = fitted_path(city)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(fitted.model_dump_json(indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def read_fitted(city: City) -> FittedSpeeds | None:
    """Read the fitted speeds of this version of the city; None where no check was made.

    Raises
    ------
    InvalidInputError
        If the file is torn, altered, or not of this city.
    """
    path = fitted_path(city)
    if not path.exists():
        return None
    try:
        fitted = FittedSpeeds.model_validate_json(path.read_bytes())
    except ValidationError as error:
        msg = f"The kept fitted speeds cannot be read ({error.error_count()} faults); check last month again"
        raise InvalidInputError(msg) from error
    bands = tuple(band.name for band in city.profile.hour_bands)
    same = (fitted.city_version, fitted.classes, fitted.bands) == (city.version, city.network.classes, bands)
    if not same:
        raise InvalidInputError("The kept speeds were fitted to another city; check last month again")
    return fitted
