"""The city's calls, read once and kept ready to filter."""

import re
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import streamlit as st

from data.city import City
from models.calls import CallFilter, CallTable, prepare_calls

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


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
    """

    calls: CallTable
    regions: tuple[str, ...]
    population: "pd.Series[float]"
    period: tuple[date, date] | None


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
    if areas is None:
        return CallData(calls, (), pd.Series(dtype="float64"), period)
    people = areas["population"] if "population" in areas else pd.Series(np.nan, index=areas.index)
    return CallData(calls, tuple(areas["name"]), people.astype("Float64").astype("float64"), period)


def period_of(data: CallData, wanted: CallFilter) -> tuple[date, date] | None:
    """Give the first and last day that the filter leaves of the data's period; None where it is not known."""
    if data.period is None:
        return None
    return wanted.first_day or data.period[0], wanted.last_day or data.period[1]


def stated_period(words: str) -> tuple[date, date] | None:
    """Find the first and last day in a source's words, where it gives both as 2022-01-31; else None."""
    days = [date.fromisoformat(day) for day in _ISO_DAY.findall(words)]
    if len(days) != 2 or days[0] > days[1]:
        return None
    return days[0], days[1]
