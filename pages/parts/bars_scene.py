"""What every view of the page on bars looks at: judged doors, what may be said of them, the picked one."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from scipy.sparse import csc_array

from data.city import City
from models.evidence import Naming, may_name
from models.incidents import ALL_CALLS
from models.opening_hours import week_minutes
from models.outlets import NAME_OVER, Disproportion
from pages.parts.bars_inputs import BarsChoice, BarsInputs, BarsView
from pages.parts.palette import ORANGE, SKY, VERMILLION, Theme

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Verdict = Literal["named", "screened", "neither", "not judged"]

VERDICTS: tuple[Verdict, ...] = ("named", "screened", "neither", "not judged")
MUCH_MORE = 4.0
"""A neighbor with so many times a door's incidents may be whose they are (docs/methods/outlets.md)."""
DAYS_A_YEAR = 365.25
HOURS_A_WEEK = 168
_YEARS = re.compile(r"\b((?:19|20)\d{2})(?:\s*(?:to|-|–)\s*((?:19|20)\d{2}))?\b")  # noqa: RUF001 -- a dash of dates


@dataclass(frozen=True, eq=False)
class Scene:
    """One look at a city's outlets.

    Attributes
    ----------
    city, inputs, view
        The city, prepared, and what the choice on the left makes of it.
    over
        "Worse than so many times expected".
    kinds
        Categories of outlets shown.
    naming
        Whether these data can carry a name, and why not.
    theme
        Colours.
    """

    city: City
    inputs: BarsInputs
    view: BarsView
    over: float
    kinds: frozenset[str]
    naming: Naming
    theme: Theme

    @property
    def found(self) -> Disproportion:
        """Every door beside what is expected of it."""
        return self.view.found

    @property
    def choice(self) -> BarsChoice:
        """What is counted, and how it is shared out."""
        return self.view.choice

    @cached_property
    def shown(self) -> BoolArray:
        """(n_doors,) doors of the kinds shown."""
        return np.isin(np.array(self.inputs.doors.category, dtype=object), list(self.kinds))

    @cached_property
    def verdict(self) -> npt.NDArray[np.object_]:
        """(n_doors,) the verdict on each door; none is named where the data cannot carry a name.

        The word *named* never gets easier than 1.5 times expected, only harder.
        """
        told = np.where(self.found.judged, "neither", "not judged").astype(object)
        told[self.found.screened] = "screened"
        if self.naming.allowed:
            told[self.found.names(max(self.over, NAME_OVER))] = "named"
        return told

    @cached_property
    def p_over(self) -> FloatArray:
        """(n_doors,) P(RR > ``over``)."""
        return self.found.p_over(self.over)

    def colour(self, verdict: str) -> str:
        """Colour of a verdict on this theme."""
        quiet = ("#3E5B73", "#2C3740") if self.theme.dark else ("#9DB7CC", "#DDE3E8")
        return {"named": VERMILLION, "screened": ORANGE, "neither": quiet[0], "not judged": quiet[1]}[verdict]

    @property
    def accent(self) -> str:
        """Colour of lines in charts."""
        return SKY if self.theme.dark else "#0072B2"

    def place(self, door: int) -> str:
        """Neighborhood of a door."""
        region = int(self.inputs.region[door])
        if region < 0:
            return "outside all neighborhoods"
        name = self.inputs.regions[region]
        return name.title() if name.isupper() else name

    def label(self, door: int) -> str:
        """Name of a door where the data can carry names, else its kind and neighborhood."""
        if self.naming.allowed:
            return self.inputs.doors.names[door]
        return f"{self.inputs.doors.category[door].capitalize()}, {self.place(door)}"

    def line(self, door: int) -> str:
        """One line of figures on a door."""
        found = self.found
        if found.reason[door]:
            return f"Not judged: {found.reason[door]}"
        return (
            f"{found.observed[door]:.1f} incidents, {found.expected[door]:.1f} expected, RR "
            f"{found.rr[door]:.1f} ({found.low[door]:.1f} to {found.high[door]:.1f}), "
            f"P(RR>{self.over:.1f}) {percent(self.p_over[door])}"
        )

    @cached_property
    def _columns(self) -> csc_array:
        return csc_array(self.view.shares.weights)

    @cached_property
    def counted(self) -> IntArray:
        """(n_counted,) rows of ``inputs.records`` that the choice counts."""
        return np.flatnonzero(self.inputs.chosen(self.choice))

    @cached_property
    def minutes(self) -> IntArray:
        """(n_counted,) minute of the week of each counted incident, -1 where not known."""
        if "opened_at" not in self.inputs.records:
            return np.full(len(self.counted), -1, dtype=np.int64)
        opened = pd.to_datetime(self.inputs.records["opened_at"].iloc[self.counted], utc=True)
        return week_minutes(opened, self.city.profile.timezone)

    def own(self, door: int) -> tuple[IntArray, FloatArray]:
        """Minutes of the week and shares of the counted incidents of which a share falls to a door."""
        column = self._columns[:, [door]]
        weight = np.zeros(column.shape[0])
        weight[column.indices] = column.data
        share = weight[self.inputs.near.place_of_incident[self.counted]]
        return self.minutes[share > 0], share[share > 0]

    @cached_property
    def rhythm(self) -> FloatArray | None:
        """(168,) incidents of each hour on streets away from outlets; None where no time is known."""
        known = self.minutes >= 0
        if not known.any():
            return None
        street = self._columns[:, [self._columns.shape[1] - 1]].toarray().ravel()
        share = street[self.inputs.near.place_of_incident[self.counted]][known]
        # One incident more in each hour: an hour without any still has a rate above zero.
        falls = np.bincount(self.minutes[known] // 60, weights=share, minlength=HOURS_A_WEEK)
        return np.asarray(1.0 + falls, dtype=np.float64)

    @property
    def years(self) -> float | None:
        """Length of the records; None where neither they nor their source say it."""
        days = self.inputs.days
        return None if days is None else ((days[1] - days[0]).days + 1) / DAYS_A_YEAR

    def louder_neighbors(self, door: int) -> list[tuple[int, float, float]]:
        """Doors in reach with several times the incidents: door, metres, how many times; the most first."""
        row = self.inputs.between[[door]]
        own = max(float(self.found.observed[door]), 1.0)
        near = [
            (int(other), float(metres), float(self.found.observed[other]) / own)
            for other, metres in zip(row.indices, row.data, strict=True)
            if other != door and self.found.observed[other] >= MUCH_MORE * own
        ]
        return sorted(near, key=lambda one: -one[2])


@st.cache_data(show_spinner=False, max_entries=4)
def naming_of(_inputs: BarsInputs, version: str) -> Naming:  # noqa: ARG001 -- the version is the key
    """Say whether this city's data can carry a name."""
    days = _inputs.days
    return may_name(
        _inputs.incidents.frame,
        _inputs.outlets,
        incident_years=[] if days is None else range(days[0].year, days[1].year + 1),
        licence_years=stated_years(_inputs.city.source("outlets").period),
    )


def stated_years(words: str) -> list[int]:
    """Years that a source's words name; both ends and all between of "2019 to 2021"."""
    years: set[int] = set()
    for first, last in _YEARS.findall(words):
        years |= set(range(int(first), int(last or first) + 1))
    return sorted(years)


def percent(chance: float) -> str:
    """Give a chance in words that never say certain."""
    if not np.isfinite(chance):
        return "not known"
    if chance > 0.99:
        return "over 99 %"
    return "under 1 %" if chance < 0.01 else f"{chance:.0%}".replace("%", " %")


def picked_door(scope: str, n_doors: int) -> int | None:
    """Give the door that was picked, None where none was."""
    door = st.session_state.get(f"{scope}.door")
    return door if door is not None and door < n_doors else None


def pick(scope: str, door: int | None) -> None:
    """Remember the picked door; the table shows it at its next run."""
    st.session_state[f"{scope}.door"] = door
    st.session_state[f"{scope}.picks"] = st.session_state.get(f"{scope}.picks", 0) + 1


def reasons_in_short(naming: Naming) -> str:
    """Join the reasons why nobody is named into one sentence."""
    return "; ".join(naming.reasons)


def counted_words(inputs: BarsInputs, choice: BarsChoice) -> str:
    """Say what is counted; records that cannot be told apart are not called reports."""
    kind = choice.group.lower() or (
        "incidents of the main outcome" if inputs.groups else "incidents of all types"
    )
    if not tells_reports(inputs):
        return f"{kind}, with or without a report"
    rest = "not opened by an officer, with a written report" if choice.outcome == "headline" else "all calls"
    return f"{kind}, {rest}"


def tells_reports(inputs: BarsInputs) -> bool:
    """Say whether the records tell written reports from other calls."""
    return bool(inputs.incidents.in_lane(ALL_CALLS).any())
