"""What the page on bars stands on: a city's outlets and incidents, prepared once, and what a choice makes."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from scipy.sparse import csr_array

from data.city import City
from errors import InvalidInputError
from geo.near import near_pairs
from geo.regions import assign_regions
from models.attribution import (
    DRAWS,
    Buffers,
    Nearness,
    Shares,
    allocate,
    buffer_counts,
    nearness,
)
from models.attribution_doors import Doors, doors
from models.incidents import ALL_CALLS, HEADLINE, IncidentRules, Incidents, clean_incidents
from models.opening_hours import OpeningHours, read_opening_hours
from models.outlet_design import Design, outlet_design
from models.outlet_sharing import HALF_M, Streets, share_as_expected, streets_around
from models.outlets import Disproportion, analyse, blocks, expectations
from pages.parts.call_data import stated_period

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SEED = 20_251_122
NEAR_M = 150.0
"""Other outlets within this walk count as near."""
OUTCOMES = {"headline": "Written reports", "all": "All calls"}


@dataclass(frozen=True)
class BarsChoice:
    """What is counted, and how it is shared out.

    Attributes
    ----------
    outcome
        "headline" (not opened by an officer, with a written report) or "all" (the other calls, too).
    group
        One of the profile's groups of incident types, or "" for all types together.
    half_m
        As in `models.outlet_sharing.share_as_expected`.
    """

    outcome: str = "headline"
    group: str = ""
    half_m: float = HALF_M


@dataclass(frozen=True, eq=False)
class BarsInputs:
    """A city, prepared for the page on bars.

    Attributes
    ----------
    city
        The city.
    days
        First and last day of the police records, or as their source states them; None where neither is known.
    outlets
        Its table of outlets, those left out that closed before the first day or opened after the last.
    left_out
        How many outlets were left out for which reason.
    doors
        One place a door.
    incidents
        All police records with their lanes.
    counted
        (n_records,) rows of ``incidents.frame`` that may count: those of the two counting lanes.
    near
        Walks from the counted incidents to doors.
    streets
        Streets around doors.
    between
        (n_doors, n_doors) walking metres between doors that are near each other.
    hours
        (n_doors,) opening hours; None where they are not known.
    capacity
        (n_doors,) persons; NaN where not known.
    region
        (n_doors,) neighborhood, -1 outside all.
    regions
        Names of the neighborhoods.
    """

    city: City
    outlets: pd.DataFrame
    doors: Doors
    incidents: Incidents
    counted: npt.NDArray[np.bool_]
    near: Nearness
    streets: Streets
    between: csr_array
    hours: tuple[OpeningHours | None, ...]
    capacity: FloatArray
    region: IntArray
    regions: tuple[str, ...]
    days: tuple[date, date] | None
    left_out: tuple[tuple[str, int], ...]

    @property
    def door_ids(self) -> tuple[str, ...]:
        """Name of each door that holds while the table does: the first of its licences."""
        first: dict[int, str] = {}
        for door, outlet in sorted(zip(self.doors.door_of_outlet, self.outlets["outlet_id"], strict=True)):
            first.setdefault(int(door), str(outlet))
        return tuple(first[door] for door in range(len(self.doors)))

    @cached_property
    def records(self) -> pd.DataFrame:
        """Records that may count, in the order of ``near.place_of_incident``."""
        return self.incidents.frame[self.counted].reset_index(drop=True)

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of incident types that these records hold."""
        rules = self.city.profile.outlets
        words = () if rules is None else tuple(group.words for group in rules.alcohol_types)
        held = set(self.records["outcome"])
        return tuple(word for word in words if word in held)

    def chosen(self, choice: BarsChoice) -> npt.NDArray[np.bool_]:
        """(n_counted,) records that a choice counts."""
        records = self.records
        lane = records["lane"].eq(HEADLINE) if choice.outcome == "headline" else records["lane"].ne("")
        if choice.group:
            return (lane & records["outcome"].eq(choice.group)).to_numpy(dtype=bool)
        # Where types are known, those of the main outcome count; where none is, all records do.
        typed = records["outcome"].ne("")
        return (lane & typed if typed.any() else lane).to_numpy(dtype=bool)


@dataclass(frozen=True, eq=False)
class BarsView:
    """What a choice makes of a city's records.

    Attributes
    ----------
    choice
        The choice.
    shares
        How each place's incidents are shared out.
    by_place
        (n_places,) incidents counted.
    counts
        (draws, n_doors) whole incidents of each door in each drawing.
    street
        Incidents that go to the street, a mean.
    design
        What is known of the doors besides.
    found
        Every door beside what is expected of it.
    buffers
        The count within 400 feet, for comparison.
    """

    choice: BarsChoice
    shares: Shares
    by_place: IntArray
    counts: IntArray
    street: float
    design: Design
    found: Disproportion
    buffers: Buffers


@st.cache_resource(show_spinner="Reading outlets and incidents …", max_entries=3)
def bars_inputs(_city: City, version: str) -> BarsInputs:  # noqa: ARG001 -- the version is the key
    """Prepare a city once for all sessions."""
    return prepare_bars(_city)


def prepare_bars(city: City) -> BarsInputs:
    """Prepare a city: find doors, clean incidents, measure walks.

    Raises
    ------
    InvalidInputError
        No outlet has a place in the city, or no incident may count.
    """
    network, police = city.network, _police(city)
    days = _days(city, police)
    outlets, left_out = open_outlets(city.table("outlets"), days)
    found = doors(network, outlets)
    if not len(found):
        raise InvalidInputError("No outlet has a place in this city; load outlets with their coordinates")
    incidents = clean_incidents(
        police, _rules(city), _booking_places(city), epsg=network.epsg, outlets=outlets
    )
    counted = incidents.in_lane(HEADLINE, ALL_CALLS)
    if not counted.any():
        raise InvalidInputError(
            "No police record may count against an outlet; see the lanes on the Data page"
        )
    lon, lat = (incidents.frame.loc[counted, axis].to_numpy(dtype=float) for axis in ("lon", "lat"))
    areas = city.areas("neighborhoods")
    near = nearness(network, lon, lat, found.lon, found.lat)
    return BarsInputs(
        city=city,
        outlets=outlets,
        doors=found,
        incidents=incidents,
        counted=counted,
        near=near,
        streets=streets_around(network, near, found.lon, found.lat),
        between=near_pairs(network, found.lon, found.lat, found.lon, found.lat, limit_m=NEAR_M),
        hours=_hours(outlets, found),
        capacity=_capacity(outlets, found),
        region=assign_regions(found.lon, found.lat, areas.geometry.to_numpy()),
        regions=tuple(areas["name"].astype(str)),
        days=days,
        left_out=left_out,
    )


def open_outlets(
    outlets: pd.DataFrame, days: tuple[date, date] | None
) -> tuple[pd.DataFrame, tuple[tuple[str, int], ...]]:
    """Keep the outlets that were there for at least a day of the records; the others are told by reason."""
    gone, new = (np.zeros(len(outlets), dtype=bool) for _ in range(2))
    if days is not None and "closed_on" in outlets:
        gone = (outlets["closed_on"] < pd.Timestamp(days[0])).to_numpy(dtype=bool)
    if days is not None and "opened_on" in outlets:
        new = (outlets["opened_on"] > pd.Timestamp(days[1])).to_numpy(dtype=bool) & ~gone
    told = (("closed before the records begin", gone), ("opened after the records end", new))
    kept = outlets[~gone & ~new].reset_index(drop=True)
    return kept, tuple((why, int(rows.sum())) for why, rows in told if rows.any())


@st.cache_resource(show_spinner="Sharing incidents out and comparing outlets …", max_entries=12)
def bars_view(_inputs: BarsInputs, version: str, choice: BarsChoice) -> BarsView:  # noqa: ARG001
    """Judge outlets once a choice."""
    return judge(_inputs, choice)


def judge(inputs: BarsInputs, choice: BarsChoice) -> BarsView:
    """Share the chosen incidents out, and set each door beside what is expected of it.

    Raises
    ------
    InvalidInputError
        The choice leaves no incident.
    """
    chosen = inputs.chosen(choice)
    if not chosen.any():
        raise InvalidInputError("No incident is left by this choice; count all calls, or all types")
    by_place = inputs.near.count(chosen)
    control = inputs.records["control"].to_numpy(dtype=bool)
    beside = inputs.between.copy()
    beside.setdiag(0)
    beside.eliminate_zeros()
    design = outlet_design(
        open_hours=[np.nan if hours is None else hours.hours_a_week for hours in inputs.hours],
        capacity=inputs.capacity,
        outlets_near=np.diff(beside.indptr),
        control=_near_doors(inputs.near, control) if control.any() else None,
    )
    block, reason = blocks(inputs.doors.lon, inputs.doors.lat)

    def expect(counts: IntArray) -> FloatArray:
        return expectations(
            counts,
            design.exposure,
            design.covariates,
            block,
            inputs.doors.category,
            door=inputs.door_ids,
            names=design.names,
            reason=reason,
        )

    shares = share_as_expected(
        inputs.near, inputs.streets, by_place, expect, half_m=choice.half_m, seed=SEED
    ).shares
    drawn = allocate(shares, by_place, draws=DRAWS, seed=SEED)
    found = analyse(
        drawn[:, :-1],
        design.exposure,
        design.covariates,
        block,
        inputs.doors.category,
        door=inputs.door_ids,
        names=design.names,
        reason=reason,
        seed=SEED,
    )
    records = inputs.records[chosen]
    buffers = buffer_counts(
        inputs.city.network, records["lon"], records["lat"], inputs.doors.lon, inputs.doors.lat
    )
    return BarsView(
        choice, shares, by_place, drawn[:, :-1], float(drawn[:, -1].mean()), design, found, buffers
    )


def _near_doors(near: Nearness, chosen: npt.NDArray[np.bool_]) -> FloatArray:
    """(n_doors,) chosen incidents within the walk at which other outlets count as near, none shared out."""
    within = near.metres.copy()
    within.data = (within.data <= NEAR_M).astype(float)
    return np.asarray(near.count(chosen) @ within, dtype=float)


def _days(city: City, police: pd.DataFrame) -> tuple[date, date] | None:
    opened = police["opened_at"].dropna() if "opened_at" in police else police.index[:0]
    if not len(opened):
        return stated_period(city.source("calls").period)
    first, last = (moment.tz_convert(city.profile.timezone) for moment in (opened.min(), opened.max()))
    return first.date(), last.date()


def _police(city: City) -> pd.DataFrame:
    calls = city.table("calls")
    return calls[calls["agency"].isin(_rules(city).agencies)].reset_index(drop=True)


def _rules(city: City) -> IncidentRules:
    rules = city.profile.outlets
    if rules is None:
        return IncidentRules()
    return IncidentRules(
        agencies=rules.police_agencies,
        void=rules.void,
        duplicate=rules.duplicate,
        test=rules.test,
        unfounded=rules.unfounded,
        written_report=rules.written_report,
        withheld_types=rules.withheld_types,
        control_types=rules.control_types,
        outcome_types=tuple((group.words, group.codes) for group in rules.alcohol_types),
    )


def _booking_places(city: City) -> pd.DataFrame:
    """Police stations, courts and jails of the profile, and the city's hospitals."""
    rules = city.profile.outlets
    known = [] if rules is None else [place.model_dump() for place in rules.booking_places]
    frame = pd.DataFrame(known, columns=["name", "kind", "lon", "lat"])
    if not city.has("hospitals"):
        return frame
    hospitals = city.table("hospitals")[["name", "lon", "lat"]].assign(kind="hospital")
    return pd.concat([frame, hospitals], ignore_index=True) if len(frame) else hospitals


def _hours(outlets: pd.DataFrame, found: Doors) -> tuple[OpeningHours | None, ...]:
    """Hours of each door: while any of its licences with known hours is open."""
    if "hours" not in outlets:
        return (None,) * len(found)
    minutes: dict[int, npt.NDArray[np.bool_]] = {}
    for door, hours in zip(found.door_of_outlet, read_opening_hours(outlets["hours"]).hours, strict=True):
        if door >= 0 and hours is not None:
            minutes[int(door)] = minutes.get(int(door), False) | hours.minutes
    return tuple(OpeningHours(minutes[door]) if door in minutes else None for door in range(len(found)))


def _capacity(outlets: pd.DataFrame, found: Doors) -> FloatArray:
    """Persons that fit in each door: the largest of its licences; NaN where none is known."""
    if "capacity" not in outlets:
        return np.full(len(found), np.nan)
    held = outlets["capacity"].astype("Float64").groupby(found.door_of_outlet).max()
    return np.asarray(held.reindex(range(len(found))).to_numpy(dtype=float, na_value=np.nan))
