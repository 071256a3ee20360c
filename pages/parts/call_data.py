"""The city's calls, read once and kept ready to filter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
import pandas as pd
import streamlit as st

from data.city import City
from geo.hexgrid import cell_width_m, suggest_resolution
from models.calls import RESOLUTIONS, CallFilter, CallTable, prepare_calls
from models.privacy import SMALLEST_SHOWN

_DAY = r"\d{4}-\d{2}-\d{2}|\d{1,2} [A-Z][a-z]+(?: \d{4})?"
_PERIOD = re.compile(rf"(?P<first>{_DAY}) to (?P<last>\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}} [A-Z][a-z]+ \d{{4}})")
_YEAR = re.compile(r"\d{4}")


@dataclass(frozen=True, eq=False)
class CallData:
    """Calls of a city with what the page shows beside them.

    Attributes
    ----------
    calls
        All calls, ready to filter.
    regions
        Names of the neighborhoods, in the order of ``calls.region``.
    population
        (n_regions,) residents; NaN where unknown.
    period
        First and last day: of the calls, or as the source states them where calls have no times; None if
        neither.
    resolution
        H3 resolution that suits these calls: the finest at which most share their hexagon with enough others.
    widths_m
        Width of a hexagon in this city by H3 resolution, in metres.
    """

    calls: CallTable
    regions: tuple[str, ...]
    population: "pd.Series[float]"
    period: tuple[date, date] | None
    resolution: int
    widths_m: Mapping[int, float]


@st.cache_resource(show_spinner="Reading the calls …", max_entries=4)
def call_data(_city: City, version: str) -> CallData:
    """Read the calls of a city once; ``version`` tells when to read anew."""
    areas = _city.areas("neighborhoods") if _city.has("neighborhoods") else None
    calls = prepare_calls(
        _city.table("calls"),
        timezone=_city.profile.timezone,
        medical_agencies=_city.profile.medical_agencies,
        salt=version,
        regions=() if areas is None else areas.geometry.to_numpy(),
        responses=_city.table("unit_responses") if _city.has("unit_responses") else None,
    )
    if calls.first_day is not None and calls.last_day is not None:
        period: tuple[date, date] | None = (calls.first_day, calls.last_day)
    else:
        period = stated_period(_city.source("calls").period)
    lon, lat = float(np.median(calls.lon)), float(np.median(calls.lat))
    no_areas = pd.DataFrame({"name": [], "population": []})
    neighborhoods = no_areas if areas is None else areas.reindex(columns=["name", "population"])
    return CallData(
        calls=calls,
        regions=tuple(neighborhoods["name"]),
        population=neighborhoods["population"].astype("Float64").astype("float64"),
        period=period,
        resolution=suggest_resolution(calls.lon, calls.lat, at_least=SMALLEST_SHOWN, among=RESOLUTIONS),
        widths_m=MappingProxyType({r: cell_width_m(lon=lon, lat=lat, resolution=r) for r in RESOLUTIONS}),
    )


def period_of(data: CallData, wanted: CallFilter) -> tuple[date, date] | None:
    """Give the first and last day that the filter leaves of the data's period; None where it is not known."""
    if data.period is None:
        return None
    return wanted.first_day or data.period[0], wanted.last_day or data.period[1]


def stated_period(words: str) -> tuple[date, date] | None:
    """Find the first and last day in a source's words; None where they do not say both plainly.

    Understood are "2022-01-01 to 2022-03-21", "1 January to 21 March 2022", and the latter with both years.
    """
    found = _PERIOD.search(words)
    if found is None:
        return None
    first, last = found["first"], found["last"]
    if not _YEAR.search(first):
        first = f"{first} {last[-4:]}"
    days = pd.to_datetime(pd.Series([first, last]), format="mixed", errors="coerce")
    if days.isna().any() or days[0] > days[1]:
        return None
    return days[0].date(), days[1].date()
