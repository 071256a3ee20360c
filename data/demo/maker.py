"""Make the demo city: a synthetic New Orleans, offline, the same bytes for the same seed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.demo import dirt, tables
from data.demo.ambulances import run_service
from data.demo.clock import YEAR, make_year
from data.demo.demand import draw_demand
from data.demo.drainage import STREAMS as DRAINAGE_STREAMS
from data.demo.drainage import Drainage, make_drainage
from data.demo.drainage_ground import Surface
from data.demo.ground import draw_ground
from data.demo.outlet_incidents import draw_bookings, draw_outlet_incidents
from data.demo.outlets import plant_outlets
from data.demo.places import draw_neighborhoods, hospitals_table, posts_table
from data.demo.police import police_calls
from data.demo.streets import lay_streets
from data.folder import CityFolderWriter
from data.profile import profile_path
from errors import InvalidInputError
from geo.network import RoadNetwork

CAVEAT = "Not real: a made-up city for trying Crescent out. Draw no conclusion about New Orleans from it."
OUTSIDE_LEVEES = (
    "Ground outside the levees (marsh, the land bridge to the Rigolets) has no level and no catch basin."
)
LICENCE = "MIT, as Crescent itself"
STREAMS = ("streets", "demand", "police", "service", "dirt", "outlets", *DRAINAGE_STREAMS)
"""Each part draws from a stream of its own, so that a change in one leaves the others as they are."""

TAKEN_ON = f"{YEAR + 1}-01-01"
"""The day on which the records are said to have been taken, the first after the year."""

Progress = Callable[[str, float], None]


def make_demo(out: Path, seed: int, progress: Progress | None = None) -> None:
    """Write the demo city.

    Parameters
    ----------
    out
        Where the city folder shall stand; an older city folder there is replaced.
    seed
        Zero or a positive whole number. The same seed makes the same bytes.
    progress
        Told in plain words what is being done, and the share that is done, 0 to 1.

    Raises
    ------
    InvalidInputError
        There is something at ``out`` that is no city folder, or the seed is negative.
    """
    if seed < 0:
        msg = f"the seed is {seed}; choose zero or a positive whole number"
        raise InvalidInputError(msg)
    tell = progress or _silent
    profile = profile_path("new-orleans")
    with CityFolderWriter(out, profile, maker="demo", seed=seed, synthetic=True) as writer:
        _fill(writer, seed, tell)
        tell("Putting the city in its place", 0.96)
        writer.finish()
    tell("The demo city is ready", 1.0)


def _silent(_what: str, _share: float) -> None:
    """Tell nobody."""


def _fill(writer: CityFolderWriter, seed: int, tell: Progress) -> None:
    rng = {name: np.random.default_rng([seed, number]) for number, name in enumerate(STREAMS)}
    origin = _Origin(writer, f"Synthetic demo city, seed {seed}")
    write = origin.write

    tell("Drawing river, lake and neighborhoods", 0.0)
    ground = draw_ground()
    hoods = draw_neighborhoods(ground)
    write("water", tables.water_table(ground))
    write("neighborhoods", tables.neighborhoods_table(hoods))
    write("districts", tables.districts_table(hoods))

    tell("Laying streets", 0.05)
    laid = lay_streets(ground, rng["streets"])
    streets, nodes = tables.street_tables(laid)
    posts, hospitals = posts_table(), hospitals_table()
    write("streets", streets)
    write("street_nodes", nodes)
    write("posts", posts)
    write("hospitals", hospitals.drop(columns="weight"))

    tell("Drawing a year of calls", 0.30)
    network = RoadNetwork.from_streets(streets, nodes, writer.profile.speeds)
    year = make_year(writer.profile.timezone)
    demand = draw_demand(network, hoods, year, rng["demand"])
    is_ems = (demand.calls["agency"] == "EMS").to_numpy(dtype=bool)
    police = police_calls(demand.calls.loc[~is_ems].reset_index(drop=True), year, rng["police"])

    tell("Sending ambulances", 0.40)
    ems = demand.calls.loc[is_ems].reset_index(drop=True)
    service = run_service(
        ems, network=network, hoods=hoods, posts=posts, hospitals=hospitals, year=year, rng=rng["service"]
    )

    tell("Opening bars", 0.65)
    rules = writer.profile.outlets
    if rules is None:  # pragma: no cover - the profile that comes with Crescent has the section
        raise AssertionError
    beside = [(place.lon, place.lat) for place in rules.booking_places]
    outlets = plant_outlets(network, hoods, rng["outlets"], beside=beside)
    at_outlets, at_outlets_truth = draw_outlet_incidents(outlets, hoods, rules, year, rng["outlets"])
    booked, booked_truth = draw_bookings(rules.booking_places, year, rng["outlets"])

    tell("Raising levees, placing catch basins", 0.70)
    drainage = make_drainage(laid, ground=ground, hoods=hoods, timezone=year.timezone, rng=rng)
    origin.write_surface(drainage.surface)

    tell("Spoiling a few rows, as in real records", 0.85)
    calls = pd.concat([service.calls, police], ignore_index=True)
    calls = calls.sort_values(["opened_at", "call_id"], kind="stable", ignore_index=True)
    notes = []
    street_calls, street_notes = dirt.spoil_calls(calls, rng["dirt"])
    spared = (outlets.truth["role"] != "ordinary").to_numpy(dtype=bool)
    for name, (spoilt, listed) in {
        "calls": _merge(street_calls, street_notes, [at_outlets, booked]),
        "unit_responses": dirt.spoil_responses(service.unit_responses, rng["dirt"]),
        "shifts": dirt.spoil_shifts(service.shifts, rng["dirt"]),
        "outlets": dirt.spoil_outlets(outlets.table, spared, rng["outlets"]),
    }.items():
        notes.append(listed)
        write(name, spoilt, steps=(_said(spoilt, listed),))
    notes += origin.write_drainage(drainage)

    tell("Writing down what was planted", 0.94)
    planted = {
        **service.truth,
        **drainage.truth,
        "rates": demand.rates,
        "hot_spots": demand.hot_spots,
        "dirty_rows": pd.concat(notes, ignore_index=True),
        "outlets": outlets.truth,
        "outlet_incidents": pd.concat(
            [
                pd.DataFrame({"call_id": police["call_id"], "outlet_id": None, "origin": "street"}),
                at_outlets_truth,
                booked_truth,
            ],
            ignore_index=True,
        ),
    }
    for name, frame in planted.items():
        writer.write_truth(name, frame)


@dataclass(frozen=True)
class _Origin:
    """Writes tables that all have one source."""

    writer: CityFolderWriter
    source: str

    def write(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        steps: tuple[str, ...] = (),
        period: str = str(YEAR),
        retrieved: str | None = None,
    ) -> None:
        self.writer.write_table(
            name,
            frame,
            source=self.source,
            period=period,
            licence=LICENCE,
            retrieved=retrieved,
            caveats=(CAVEAT,),
            steps=steps,
        )

    def write_surface(self, surface: Surface) -> None:
        self.writer.write_elevation(
            surface.dem_m,
            surface.grid,
            source=self.source,
            period=str(YEAR),
            licence=LICENCE,
            caveats=(CAVEAT, OUTSIDE_LEVEES),
        )

    def write_drainage(self, drainage: Drainage) -> list[pd.DataFrame]:
        """Write the drainage's tables; gives the lists of their spoilt rows."""
        notes = []
        for name, (frame, listed) in drainage.tables.items():
            steps = () if listed is None else (_said(frame, listed),)
            self.write(name, frame, steps=steps, period=f"{YEAR - 1} to {YEAR}", retrieved=TAKEN_ON)
            notes += [] if listed is None else [listed]
        return notes


def _said(spoilt: pd.DataFrame, listed: pd.DataFrame) -> str:
    return f"{len(listed):,} of {len(spoilt):,} rows were spoilt on purpose; truth/dirty_rows lists them."


def _merge(
    calls: pd.DataFrame, notes: pd.DataFrame, more: list[pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put more calls among the spoilt ones in the order of time, and say where the spoilt rows now stand."""
    together = pd.concat([calls, *more], ignore_index=True)
    order = together.sort_values(["opened_at", "call_id"], kind="stable").index.to_numpy()
    stands = np.empty(len(order), dtype=np.int64)
    stands[order] = np.arange(len(order))
    moved = notes.assign(row=stands[notes["row"]]).sort_values("row", kind="stable", ignore_index=True)
    return together.iloc[order].reset_index(drop=True), moved
