"""Work orders: what each truck-day's crew takes along, as rows, CSV and GeoJSON, in US units."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from errors import Faults, InvalidInputError
from models.route_solver import DUMP
from models.routes import Routes, Stops

KG_PER_LB = 0.45359237
"""Exact, by the international agreement of 1959."""
BRING = {"grate": "grate hook", "curb": "manhole hook", "combination": "grate hook, manhole hook"}
"""By kind of basin: what opens it. A guess to be mended by the crews."""
LINE_TOOLS = "line jet: the pipe may be blocked"
LINE_CHANCE = 0.2
"""P(line blocked) from which the jet is brought."""
BLANKS = ("done_at", "found", "debris_lb", "lat", "lon", "remarks")
"""Columns that the crew fills in; ``lat`` and ``lon`` are where the truck stood."""
UNSAFE = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection)."""


@dataclass(frozen=True, eq=False)
class WorkOrders:
    """Rows for the crews.

    Attributes
    ----------
    rows
        One row a basin in the order of work: ``date, truck, stop`` (1 is the first), ``arrive`` (clock),
        ``basin_id, street, kind, basin_lat, basin_lon, minutes, expected_lb, bring, then`` (the dump, home or
        nothing); index: number of the truck-day in `Routes`.
    starts, ends
        (n_truck_days,) clock times of leaving the depot and being back.
    """

    rows: pd.DataFrame
    starts: tuple[datetime, ...]
    ends: tuple[datetime, ...]


def work_days(first: date, days: int) -> tuple[date, ...]:
    """So many days from Monday to Friday, from the first on; holidays are not known here."""
    begin = np.busday_offset(np.datetime64(first), 0, roll="forward")
    found = np.busday_offset(begin, np.arange(days), roll="forward")
    return tuple(day.astype("datetime64[D]").item() for day in found)


def what_to_bring(kind: Sequence[str], line_blocked: npt.ArrayLike = 0.0) -> list[str]:
    """List what opens each basin, and the line jet where P(line blocked) is ``LINE_CHANCE`` or more."""
    chance = np.broadcast_to(np.asarray(line_blocked, np.float64), (len(kind),))
    return [
        ", ".join(filter(None, (BRING.get(name, ""), LINE_TOOLS if p >= LINE_CHANCE else "")))
        for name, p in zip(kind, chance.tolist(), strict=True)
    ]


def make_work_orders(
    routes: Routes,
    stops: Stops,
    basins: pd.DataFrame,
    *,
    dates: Sequence[date],
    shift_starts: time,
    bring: Sequence[str] | None = None,
) -> WorkOrders:
    """Write the orders.

    Parameters
    ----------
    basins
        One row a stop, in the order of ``stops``: ``basin_id, street, kind, lon, lat``.
    dates
        A date for each day of the plan; see `work_days`.
    shift_starts
        Local clock time at which trucks leave the depot.
    bring
        (n,) what to bring; by kind of basin when not given.

    Raises
    ------
    InvalidInputError
        If basins and stops, or dates and days, differ in number.
    """
    tools = what_to_bring(basins["kind"].tolist()) if bring is None else list(bring)
    faults = Faults()
    faults.check(
        len(basins) == len(stops) == len(tools), f"{len(basins)} basins do not fit {len(stops)} stops"
    )
    last = max((day.day for day in routes.truck_days), default=-1)
    faults.check(
        last < len(dates), f"the plan has {last + 1} days and {len(dates)} dates; give each its date"
    )
    faults.raise_as(InvalidInputError, "The work orders cannot be written")
    known = basins.reset_index(drop=True)
    rows, starts, ends = [], [], []
    for number, day in enumerate(routes.truck_days):
        begin = datetime.combine(dates[day.day], shift_starts)
        starts.append(begin)
        ends.append(begin + timedelta(seconds=day.end_s))
        nxt = [*day.stop.tolist()[1:], None]
        place = 0
        for stop, after, arrive_s in zip(day.stop.tolist(), nxt, day.arrive_s.tolist(), strict=True):
            if stop == DUMP:
                continue
            place += 1
            basin = known.iloc[stop]
            rows.append(
                {
                    "truck_day": number,
                    "date": begin.date().isoformat(),
                    "truck": f"Truck {day.truck + 1}",
                    "stop": place,
                    "arrive": (begin + timedelta(seconds=arrive_s)).strftime("%H:%M"),
                    "basin_id": str(basin["basin_id"]),
                    "street": "" if pd.isna(basin["street"]) else str(basin["street"]),
                    "kind": str(basin["kind"]),
                    "basin_lat": round(float(basin["lat"]), 6),
                    "basin_lon": round(float(basin["lon"]), 6),
                    "minutes": round(float(stops.service_min[stop])),
                    "expected_lb": round(float(stops.load_kg[stop]) / KG_PER_LB),
                    "bring": tools[stop],
                    "then": "go to the dump" if after == DUMP else "",
                }
            )
    return WorkOrders(pd.DataFrame(rows).set_index("truck_day"), tuple(starts), tuple(ends))


def safe_cell(value: object) -> object:
    """Put an apostrophe before text that a spreadsheet would take for a formula; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.lstrip("'").startswith(UNSAFE) else value


def plain_cell(text: str) -> str:
    """Take `safe_cell` back."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(UNSAFE) else text


def work_orders_csv(orders: WorkOrders) -> bytes:
    """All orders with the blank columns that come back filled in; see `models.returned_work`."""
    filled = orders.rows.map(safe_cell).assign(**dict.fromkeys(BLANKS, ""))
    return filled.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def left_out_csv(routes: Routes, basins: pd.DataFrame) -> bytes:
    """Basins that are in no truck-day, and why."""
    known = basins.reset_index(drop=True).loc[[left.stop for left in routes.left_out], ["basin_id", "street"]]
    told = known.assign(why=[left.why for left in routes.left_out]).map(safe_cell)
    return told.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def work_orders_geojson(
    orders: WorkOrders, lines: Mapping[int, npt.NDArray[np.object_]] | None = None
) -> bytes:
    """Give stops as points with their rows, and drives as lines where they are given (RFC 7946).

    Parameters
    ----------
    lines
        Number of a truck-day to its drives, from `models.routes.drives`.
    """
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [row["basin_lon"], row["basin_lat"]]},
            "properties": {"truck_day": int(number), **row},
        }
        for number, row in zip(orders.rows.index, orders.rows.to_dict("records"), strict=True)
    ]
    for number, drives in (lines or {}).items():
        own = orders.rows.loc[[number]].iloc[0]
        whole = shapely.get_coordinates(drives).round(6)
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "LineString", "coordinates": whole.tolist()},
                "properties": {"truck_day": int(number), "date": own["date"], "truck": own["truck"]},
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()
