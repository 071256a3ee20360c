"""What the page on catch basins knows of each basin: its place, its records, and the state it may be in."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from data.city import City
from geo.crs import to_metres
from geo.regions import assign_regions
from models.basin_inputs import (
    BasinStates,
    Evidence,
    Looks,
    Reports,
    gather_evidence,
    join_looks,
    join_reports,
    learn_states,
)
from models.basin_state import Records

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

OUTSIDE = "Outside all neighborhoods"
_COLUMNS = (
    "basin_id",
    "kind",
    "placed",
    "street",
    "land_use",
    "tree_share",
    "last_cleaned_at",
    "inspected_at",
    "condition",
    "lon",
    "lat",
)
_REPORT_COLUMNS = ("request_id", "request_type", "opened_at", "lon", "lat")


@dataclass(frozen=True, eq=False)
class BasinsInputs:
    """A city's basins and what is on record of them, prepared once.

    Attributes
    ----------
    city
        The city.
    basins
        Its table of basins, with all columns of the schema.
    x_m, y_m
        (n,) their place in the city's metres.
    area, areas
        (n,) neighborhood of each basin, the last number for those outside all; and their names.
    income
        (n_areas,) median household income, NaN where not known.
    district, districts
        (n,) district of each basin, the last number for those outside all; and their names.
    reports
        311 reports joined to basins; None where the city has no table of them.
    as_of
        The day of the list: the last date on record.
    """

    city: City
    basins: pd.DataFrame
    x_m: FloatArray
    y_m: FloatArray
    area: IntArray
    areas: tuple[str, ...]
    income: FloatArray
    district: IntArray
    districts: tuple[str, ...]
    reports: Reports | None
    as_of: pd.Timestamp

    @property
    def by_rule(self) -> bool:
        """Whether all basins were placed by a rule, and none surveyed."""
        return bool(self.basins["placed"].eq("rule").all())

    @cached_property
    def lon(self) -> FloatArray:
        """(n,) degrees."""
        return self.basins["lon"].to_numpy(dtype=np.float64)

    @cached_property
    def lat(self) -> FloatArray:
        """(n,) degrees."""
        return self.basins["lat"].to_numpy(dtype=np.float64)

    @cached_property
    def street(self) -> list[str]:
        """Street of each basin, as the table says it; empty where it does not."""
        return self.basins["street"].astype(object).where(self.basins["street"].notna(), "").tolist()

    def report_counts(self) -> IntArray:
        """(n,) 311 reports of each basin in the last two years."""
        if self.reports is None:
            return np.zeros(len(self.basins), dtype=np.int64)
        return self.reports.counts(len(self.basins))


@dataclass(frozen=True, eq=False)
class Returned:
    """Work orders that came back in this session.

    Attributes
    ----------
    key
        Hash of the files.
    accepted
        Rows that can be used: ``basin_id, done_at, found`` and more.
    """

    key: str
    accepted: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the basins' states, with the work that came back in this session.

    Attributes
    ----------
    key
        Tells one state of knowledge from another: empty for what the city folder says.
    looks, evidence, states
        Looks at basins, everything laid out, and the chances learned from it.
    open_share, open_if_cleaned
        (n,) expected open share of each basin, as it is and after a crew has been there.
    """

    key: str
    looks: Looks
    evidence: Evidence
    states: BasinStates
    open_share: FloatArray
    open_if_cleaned: FloatArray


@st.cache_resource(show_spinner="Reading catch basins …", max_entries=3)
def basins_inputs(_city: City, version: str) -> BasinsInputs:  # noqa: ARG001 -- the version is the key
    """Prepare a city once for all sessions."""
    return prepare_basins(_city)


def prepare_basins(city: City) -> BasinsInputs:
    """Prepare a city's basins.

    Raises
    ------
    MissingTableError
        The city has no basins.
    """
    basins = city.table("basins")
    basins = pd.DataFrame(basins).reindex(columns=list(_COLUMNS)).reset_index(drop=True)
    epsg = city.profile.utm_epsg
    lon, lat = (basins[axis].to_numpy(dtype=np.float64) for axis in ("lon", "lat"))
    x_m, y_m = to_metres(lon, lat, epsg)
    hoods = city.areas("neighborhoods")
    area = assign_regions(lon, lat, hoods.geometry.to_numpy())
    income = np.full(len(hoods) + 1, np.nan)
    if "median_household_income" in hoods:
        income[:-1] = hoods["median_household_income"].to_numpy(dtype=np.float64, na_value=np.nan)
    district, districts = _districts(city, lon, lat)
    as_of = _last_day(city, basins)
    return BasinsInputs(
        city=city,
        basins=basins,
        x_m=np.asarray(x_m),
        y_m=np.asarray(y_m),
        area=np.where(area < 0, len(hoods), area).astype(np.int64),
        areas=(*hoods["name"].astype(str), OUTSIDE),
        income=income,
        district=district,
        districts=districts,
        reports=_reports(city, basins, as_of),
        as_of=as_of,
    )


def _districts(city: City, lon: FloatArray, lat: FloatArray) -> tuple[IntArray, tuple[str, ...]]:
    if not city.has("districts"):
        return np.zeros(len(lon), dtype=np.int64), ("The whole city",)
    table = city.areas("districts")
    kinds = table["kind"].astype(str)
    table = table[kinds.eq(kinds.iloc[0])]
    found = assign_regions(lon, lat, table.geometry.to_numpy())
    return (
        np.where(found < 0, len(table), found).astype(np.int64),
        (*table["name"].astype(str), "Outside all districts"),
    )


def _last_day(city: City, basins: pd.DataFrame) -> pd.Timestamp:
    """Find the last date on record: what came later is not known."""
    dates = [basins["last_cleaned_at"], basins["inspected_at"]]
    if city.has("service_requests"):
        dates.append(city.table("service_requests")["opened_at"])
    if city.has("cleanings"):
        dates.append(city.table("cleanings")["cleaned_at"])
    last = [pd.to_datetime(column, utc=True).max() for column in dates]
    known = [moment for moment in last if pd.notna(moment)]
    return max(known) if known else pd.Timestamp.now("UTC")


def _reports(city: City, basins: pd.DataFrame, as_of: pd.Timestamp) -> Reports | None:
    rules = city.profile.drainage
    if rules is None or not city.has("service_requests"):
        return None
    return join_reports(
        basins,
        city.table("service_requests").reindex(columns=list(_REPORT_COLUMNS)),
        types=rules.request_types,
        as_of=as_of,
        epsg=city.profile.utm_epsg,
    )


@st.cache_resource(show_spinner="Learning the basins' states …", max_entries=6)
def known_states(_inputs: BasinsInputs, version: str, key: str, _returned: Returned | None) -> Known:  # noqa: ARG001
    """Learn the states once a city and a set of returned work."""
    return learn(_inputs, _returned)


def learn(inputs: BasinsInputs, returned: Returned | None = None) -> Known:
    """Learn the states from the city's records, and from work that came back.

    Raises
    ------
    InvalidInputError
        The records do not fit together.
    """
    city, as_of = inputs.city, inputs.as_of
    work = None if returned is None else returned.accepted
    if work is not None and len(work):
        as_of = max(as_of, pd.to_datetime(work["done_at"], utc=True).max())
    cleanings = city.table("cleanings") if city.has("cleanings") else None
    looks = join_looks(inputs.basins, cleanings, work, as_of=as_of)
    reports = inputs.reports if inputs.reports is not None else nothing_reported()
    evidence = gather_evidence(inputs.basins, looks, reports, area=inputs.area, n_areas=len(inputs.areas))
    if inputs.reports is None:
        # Without a table of reports nobody was asked: that is not silence.
        evidence = replace(evidence, looked=_unasked(evidence.looked), now=_unasked(evidence.now))
    states = learn_states(evidence)
    return Known(
        "" if returned is None else returned.key,
        looks,
        evidence,
        states,
        states.open_share(),
        states.open_if_cleaned(),
    )


def _unasked(rows: Records) -> Records:
    nothing = np.zeros(len(rows.years))
    return replace(rows, reports=nothing, years=nothing)


def nothing_reported() -> Reports:
    """Make the reports of a city that has no table of them."""
    nothing = np.zeros(0)
    return Reports(nothing.astype(np.int64), nothing, nothing.astype(np.int64), np.zeros((0, 2)), ())
