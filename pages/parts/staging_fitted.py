"""Speeds fitted to the responses of the city as the page drives at them: by hour, with siren and without."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from data.fitted import FittedSpeeds
from geo.network import RoadNetwork
from models.trips import DrivenSpeeds

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ALL_WEEK = "All week"
KPH = 3.6


@dataclass(frozen=True)
class FittedBand:
    """Fitted speeds of some hours of the week.

    Attributes
    ----------
    name, home_name
        Names of their sets of speeds in `data.derived.TravelTimes`, with siren and without.
    low, high
        Ends of the range of the speeds, as factors of them: the fit's 95 % intervals, averaged over the
        kilometres driven with siren.
    """

    name: str
    home_name: str
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class FittedRoads:
    """All fitted speeds of a city.

    Attributes
    ----------
    fitted
        What the check of the past found.
    factors
        Name to (n_edges,) factors on the network's own speeds.
    bands
        One for each hour band of the profile, then one for the whole week.
    band_of_hour
        (168,) hour band of each hour of the week.
    """

    fitted: FittedSpeeds
    factors: Mapping[str, FloatArray]
    bands: tuple[FittedBand, ...]
    band_of_hour: IntArray

    def at(self, hour: int | None) -> FittedBand:
        """Speeds of an hour of the week, or of the whole week."""
        return self.bands[-1 if hour is None else int(self.band_of_hour[hour])]

    @property
    def access_kph(self) -> float:
        """Speed between street corners and doors, in a straight line."""
        return KPH / self.fitted.access_s_per_m


def fitted_roads(
    network: RoadNetwork, fitted: FittedSpeeds, *, band_of_hour: IntArray, call_hour: IntArray
) -> FittedRoads:
    """Make sets of speeds from a fit: one a band, and one of the whole week weighted by calls.

    Parameters
    ----------
    band_of_hour
        (168,) hour band of each hour of the week.
    call_hour
        (n,) hour of the week of each call, -1 without a time. Without any, all hours count alike.
    """
    speeds = driven(fitted)
    timed = call_hour[call_hour >= 0]
    hours = timed if len(timed) else np.arange(len(band_of_hour))
    weight = np.bincount(band_of_hour[hours], minlength=len(fitted.bands)).astype(np.float64)
    week = speeds.over_bands(weight)
    factors: dict[str, FloatArray] = {}
    bands = []
    for at, name in enumerate((*fitted.bands, ALL_WEEK)):
        loud, quiet = f"fitted/{name}", f"fitted/{name}, no siren"
        held, where = (speeds, at) if at < len(fitted.bands) else (week, 0)
        factors[loud] = held.factor(network, where, siren=True)
        factors[quiet] = held.factor(network, where, siren=False)
        low, high = _range(fitted, weight if held is week else np.eye(len(weight))[at])
        bands.append(FittedBand(loud, quiet, low, high))
    return FittedRoads(fitted, MappingProxyType(factors), tuple(bands), band_of_hour)


def driven(fitted: FittedSpeeds) -> DrivenSpeeds:
    """Give the fitted speeds as models take them."""
    return DrivenSpeeds(_cells(fitted, "kph"), fitted.access_s, fitted.access_s_per_m)


def _cells(fitted: FittedSpeeds, figure: str) -> FloatArray:
    values = np.array([getattr(cell, figure) for cell in fitted.cells], dtype=np.float64)
    return values.reshape(len(fitted.classes), len(fitted.bands), 2)


def _range(fitted: FittedSpeeds, band_weight: FloatArray) -> tuple[float, float]:
    kph, low, high, km = (
        _cells(fitted, figure)[:, :, 1] for figure in ("kph", "low_kph", "high_kph", "driven_km")
    )
    weight = km * band_weight
    if weight.sum() <= 0:  # nothing driven with siren in these hours: the fit's cells count alike
        weight = np.ones_like(km) * band_weight
    return float(np.average(low / kph, weights=weight)), float(np.average(high / kph, weights=weight))
