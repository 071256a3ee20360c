"""Roads of a city's profile that can be shut, flooded or given over to a parade, found by names and boxes."""

from datetime import date
from typing import Annotated, Literal, Self

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from pydantic import AfterValidator, Field, model_validator

from data.profile_base import FrozenModel, Text


def check_box(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Check that a box is [west, south, east, north] in degrees."""
    west, south, east, north = box
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        msg = "a box is [west, south, east, north] in degrees, west below east and south below north"
        raise ValueError(msg)
    return box


Share = Annotated[float, Field(gt=0, le=1)]
Box = Annotated[tuple[float, float, float, float], AfterValidator(check_box)]

ClosureKind = Literal["bridge", "rail crossing", "road", "route"]


class Stretch(FrozenModel):
    """Streets found by names, a box, or both."""

    streets: tuple[Text, ...] = ()
    unnamed: bool = False
    box: Box | None = None

    @property
    def empty(self) -> bool:
        """Whether neither names nor a box say which streets are meant."""
        return not self.streets and self.box is None

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if self.empty:
            msg = "a stretch needs street names, a box, or both"
            raise ValueError(msg)
        return self

    def select(self, streets: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
        """Find the streets of this stretch.

        Parameters
        ----------
        streets
            Streets with ``name`` and line geometry in EPSG:4326, one row a street.

        Returns
        -------
        chosen
            Boolean, one entry a row. A street is chosen when it has one of the names (capitals and
            full stops do not matter), or no name where ``unnamed`` holds, and touches the box. Without
            names every street in the box is chosen; without a box the names alone decide.
        """
        names = streets["name"].str.casefold().str.replace(".", "", regex=False).str.strip()
        if self.streets:
            wanted = [name.casefold().replace(".", "") for name in self.streets]
            chosen = names.isin(wanted).to_numpy(dtype=bool, copy=True)
            if self.unnamed:
                chosen |= names.isna().to_numpy(dtype=bool)
        else:
            chosen = np.ones(len(streets), dtype=bool)
        if self.box is not None:
            rows = np.flatnonzero(chosen)
            lines = streets.geometry.to_numpy()[rows]
            chosen[rows] = shapely.intersects(lines, shapely.box(*self.box))
        return chosen


class _NamedStretches(Stretch):
    """One stretch given in place, or several listed as ``stretches``, or both, under one name."""

    name: Text
    stretches: tuple[Stretch, ...] = ()
    speed_factor: Share | None = None
    source: str = ""

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if self.empty and not self.stretches:
            msg = f"{self.name} needs street names, a box, or both"
            raise ValueError(msg)
        return self

    def select(self, streets: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
        """Find the streets of all stretches; see `Stretch.select`."""
        chosen = np.zeros(len(streets), dtype=bool) if self.empty else super().select(streets)
        for stretch in self.stretches:
            chosen |= stretch.select(streets)
        return chosen


class RouteDay(FrozenModel):
    """A day on which a route is taken, and by whom."""

    on: date
    who: Text


class Closure(_NamedStretches):
    """A bridge, rail crossing, road or parade route that can be shut.

    Without ``speed_factor`` nothing drives there; with one, ambulances drive there so much slower. Where
    ``through`` is false it may be entered, followed and left by whoever starts on it, but not crossed.
    """

    kind: ClosureKind = "road"
    through: bool = True
    dates: tuple[RouteDay, ...] = ()

    @model_validator(mode="after")
    def _dates_with_source(self) -> Self:
        if self.dates and not self.source:
            msg = f"{self.name} has dates, so it must say their source"
            raise ValueError(msg)
        return self


class Flood(_NamedStretches):
    """Streets where water stands: shut, or slower by ``speed_factor``; with its source."""

    source: Text

    @property
    def through(self) -> bool:
        """Water that can be driven through can be crossed."""
        return True
