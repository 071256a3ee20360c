"""What portals call things, year by year: the one place that turns their rows into tables of the contract.

For each table `DRIFTS` lists the names that each column has had, how places are written, and what is the same
for all rows. Names are compared in small letters with underscores: ``BLOCK_ADDRESS`` of a CSV is
``block_address`` of SODA. `data.portal_rows` turns the rows; how times and places are read stands in
`data.raw_values`. Columns that are not listed here (names of owners, telephones) are neither asked for nor
kept.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from data.importers.alcohol_outlets import category_of
from data.paging import Dataset, quoted
from errors import InvalidInputError

OUTLET_BUSINESS_TYPES = (
    "Drinking Places(Alcoholic Beverages)",
    "Full Service Restaurants(table service available)",
    "Hotels(except Casino Hotels) & Motels",
    "Casino Hotels",
    "Convenience Stores",
    "Supermarket & Other Grocery(except Convenience) Stores",
    "Gasoline Stations with Convenience Stores",
    "Beer, Wine & Liquor Stores",
    "Wine & Distilled Alcoholic Beverage Wholesalers",
)
"""Types of business of the City's occupational licences (2025) that can be places which sell alcohol."""

_CATEGORY_WORDS = (
    ("wholesale", "other"),
    ("drinking place", "bar"),
    ("restaurant", "restaurant"),
    ("hotel", "hotel"),
    ("convenience", "store"),
    ("grocery", "store"),
    ("liquor store", "store"),
)
_CODE = re.compile(r"([0-9]{4})\b")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a column of the contract comes from.

    Attributes
    ----------
    names
        What portals have called it; a row's first one with a value counts.
    kind
        How it is read.
    needed
        Whether a dataset must have it under one of its names.
    read
        Turns the text into the contract's word, None where it cannot; ``said`` is then the reason.
    """

    names: tuple[str, ...]
    kind: Literal["text", "time", "day", "flag"] = "text"
    needed: bool = False
    read: Callable[[str], str | None] | None = None
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How rows of portals become rows of one table.

    Attributes
    ----------
    table
        The table of the contract.
    sources
        Columns that are read; times in the order in which they must pass.
    points, degrees, feet
        Columns that hold a point; pairs of longitude and latitude; pairs of easting and northing in
        EPSG:3452. The first that gives a place counts.
    constants
        Columns that portals do not have and that are the same for all rows; ``notes`` says why.
    notes
        What a reader of the table must know, a plain sentence each.
    """

    table: str
    sources: Mapping[str, Source]
    points: tuple[str, ...]
    degrees: tuple[tuple[str, str], ...] = (("longitude", "latitude"),)
    feet: tuple[tuple[str, str], ...] = ()
    constants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()

    @property
    def place_names(self) -> tuple[str, ...]:
        """Every column that may say where."""
        return (*self.points, *(name for pair in (*self.degrees, *self.feet) for name in pair))

    @property
    def known(self) -> frozenset[str]:
        """Every column that is used."""
        return frozenset(self.place_names).union(*(source.names for source in self.sources.values()))


def _category(text: str) -> str | None:
    if code := _CODE.match(text):
        return category_of(code[1])
    words = text.casefold()
    return next((category for word, category in _CATEGORY_WORDS if word in words), None)


def _licence_code(text: str) -> str:
    code = _CODE.match(text)
    return text if code is None else code[1]


DRIFTS: Mapping[str, Drift] = MappingProxyType(
    {
        drift.table: drift
        for drift in (
            Drift(
                # Calls for Service, one dataset a year. 2011 and 2012 say `type`, later years `type_`;
                # `selfinitiated` begins in 2015; 2026 has times as text and neither feet nor disposition.
                table="calls",
                sources={
                    "call_id": Source(names=("nopd_item",), needed=True),
                    "type_code": Source(names=("type_", "type"), needed=True),
                    "type_text": Source(names=("typetext",)),
                    "priority": Source(names=("priority",)),
                    "self_initiated": Source(names=("selfinitiated",), kind="flag"),
                    "disposition": Source(names=("disposition",)),
                    "opened_at": Source(names=("timecreate",), kind="time", needed=True),
                    "dispatched_at": Source(names=("timedispatch",), kind="time"),
                    "arrived_at": Source(names=("timearrive", "timearrival"), kind="time"),
                    "closed_at": Source(names=("timeclosed",), kind="time"),
                },
                points=("location", "the_geom", "geometry"),
                feet=(("mapx", "mapy"),),
                constants={"agency": "Police", "location_precision": "block"},
                notes=("Places are those of a block, not of a door.",),
            ),
            Drift(
                # Occupational licences (hjcd-grvu, iqay-p646) by type of business; alcohol licences
                # (uiry-as9x, until 2017) by occupation code.
                table="outlets",
                sources={
                    "outlet_id": Source(names=("businesslicensenumber", ":id")),
                    "name": Source(names=("businessname", "trade_name"), needed=True),
                    "category": Source(
                        names=("occupation_code", "businesstype"),
                        needed=True,
                        read=_category,
                        said="the type of business is none that sells alcohol",
                    ),
                    "licence_code": Source(names=("occupation_code", "businesstype"), read=_licence_code),
                    "address": Source(names=("businessaddress", "address")),
                    "opened_on": Source(names=("businessstartdate",), kind="day"),
                },
                points=("location", "the_geom", "geometry", "location_1"),
                feet=(("locationx", "locationy"),),
                notes=(
                    "An occupational licence says what a business does, not whether it may sell alcohol.",
                    "Hours and capacity are not known; only licences that are active are listed.",
                ),
            ),
            Drift(
                # Catch Basins (se4p-ierc): four columns are known.
                table="basins",
                sources={
                    "basin_id": Source(names=("gisid",), needed=True),
                    "street": Source(names=("stname",)),
                },
                points=("the_geom", "geometry"),
                constants={"kind": "combination", "placed": "survey"},
                notes=(
                    (
                        "The portal does not say which kind a basin is; all are taken as combinations of "
                        "grate and curb."
                    ),
                    "Cleanings and states are not in it.",
                ),
            ),
            Drift(
                # 311 since 2018 (2jgv-pqrq) and 2012 to 2018 (3iz8-nghx).
                table="service_requests",
                sources={
                    "request_id": Source(names=("service_request", "ticket_id", "rowid"), needed=True),
                    "request_type": Source(
                        names=("request_reason", "issue_type", "request_type"), needed=True
                    ),
                    "status": Source(names=("request_status", "ticket_status", "status")),
                    "opened_at": Source(
                        names=("date_created", "ticket_created_date_time"), kind="time", needed=True
                    ),
                    "closed_at": Source(names=("ticket_closed_date_time",), kind="time"),
                },
                points=("geocoded_column", "geom", "the_geom", "geometry", "location"),
                notes=(
                    "The type is the reason of the request where one is given, else its type.",
                    (
                        "Since 2018 the portal gives when a request last changed, not when it was closed: no "
                        "time of closing is made of it."
                    ),
                ),
            ),
        )
    }
)


def drift_of(table: str) -> Drift:
    """Give how rows of portals become rows of this table.

    Raises
    ------
    InvalidInputError
        Portals have no rows for it.
    """
    if table not in DRIFTS:
        raise InvalidInputError(f"Portals have no rows for {table!r}, only for {', '.join(DRIFTS)}")
    return DRIFTS[table]


def needed_columns(table: str) -> tuple[tuple[str, ...], ...]:
    """Give what a dataset must have to become this table: for each column its possible names.

    For `data.paging.check_datasets`.
    """
    drift = drift_of(table)
    needed = tuple(source.names for source in drift.sources.values() if source.needed)
    return (*needed, drift.place_names)


def columns_to_ask(table: str, dataset: Dataset) -> tuple[str, ...]:
    """Give the columns of a dataset that this table uses, as the dataset names them, and no others."""
    drift = drift_of(table)
    return tuple(column.name for column in dataset.columns if field_name(column.name) in drift.known)


def rows_to_ask(table: str, dataset: Dataset) -> str | None:
    """Give the filter for the rows of a dataset that this table can use, None for all.

    Occupational licences are those of every trade: only the types of `OUTLET_BUSINESS_TYPES` are asked for.
    """
    named = [column.name for column in dataset.columns if field_name(column.name) == "businesstype"]
    if table != "outlets" or not named:
        return None
    return f"{named[0]} in ({', '.join(map(quoted, OUTLET_BUSINESS_TYPES))})"


def field_name(title: str) -> str:
    """Write a column's title as SODA names the column: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9_:@]+", "_", title.strip().lower())
