"""A small made-up quarter: three doors on one street, two years of incidents, every lane among them."""

from dataclasses import dataclass
from datetime import UTC

import numpy as np
import pandas as pd

from geo.network import RoadNetwork
from models.attribution import Shares, nearness, share
from models.closing import NotShown
from models.evidence import Naming, apply_decisions, door_records, reporting_panel
from models.evidence_packet import Door, Judged, Packet, make_packet
from models.incidents import IncidentRules, clean_incidents
from models.opening_hours import parse_opening_hours
from tests.geo.networks import MIDDLE_LAT, MIDDLE_LON, grid

ZONE = "America/Chicago"
RULES = IncidentRules(
    void=("VOI",),
    unfounded=("UNF",),
    written_report=("RTF",),
    withheld_types=("42*",),
    control_types=("20*",),
)
BOOKING = pd.DataFrame({"name": [], "kind": [], "lon": [], "lat": []}, dtype=object)
DOOR_M = (0.0, 60.0, 170.0)
JUDGED = Judged(
    observed=31.4,
    expected=12.2,
    risk=2.31,
    low=1.42,
    high=3.5,
    over_one=0.999,
    over_named=0.97,
    rank=4,
    rank_low=1,
    rank_high=19,
    raw_rank=2,
    outlets=861,
    standing="named",
)
ALLOWED = Naming(allowed=True, reasons=())


@dataclass(frozen=True, eq=False)
class Quarter:
    """Incidents with lanes, and their shares."""

    frame: pd.DataFrame
    shares: Shares

    def records(self, door: int = 0) -> pd.DataFrame:
        return apply_decisions(door_records(self.frame, self.shares, door), ())


def at_m(metres: float) -> float:
    """Longitude of a place so many metres east of the first corner."""
    return MIDDLE_LON + metres / 96_500


def quarter(count: int = 60, *, seed: int = 5) -> Quarter:
    rng = np.random.default_rng(seed)
    place_m = rng.choice([0.0, 8.0, 40.0, 62.0, 110.0, 165.0, 5000.0], count)
    opened = pd.Timestamp("2024-01-05T03:00", tz=UTC) + pd.to_timedelta(
        np.sort(rng.integers(0, 700 * 24 * 60, count)), unit="min"
    )
    calls = pd.DataFrame(
        {
            "call_id": [f"A-{number:05d}-24" for number in range(count)],
            "agency": "Police",
            "opened_at": opened,
            "closed_at": opened + pd.to_timedelta(rng.integers(5, 300, count), unit="min"),
            "type_code": rng.choice(["103", "34S", "42S", "107"], count, p=[0.4, 0.3, 0.1, 0.2]),
            "type_text": "Fight",
            "disposition": rng.choice(["RTF", "NAT", "UNF", "VOI"], count, p=[0.6, 0.2, 0.1, 0.1]),
            "self_initiated": pd.array(rng.random(count) < 0.2, dtype="boolean"),
            "location_precision": rng.choice(["exact", "block"], count),
            "lon": [at_m(metres) for metres in place_m],
            "lat": MIDDLE_LAT,
        }
    )
    network = RoadNetwork.from_streets(*grid(40, 2))
    frame = clean_incidents(calls, RULES, BOOKING, epsg=network.epsg).frame
    near = nearness(
        network,
        frame["lon"],
        frame["lat"],
        [at_m(metres) for metres in DOOR_M],
        [MIDDLE_LAT] * len(DOOR_M),
    )
    return Quarter(frame, share(near))


def packet(records: pd.DataFrame, *, name: str = "Planted Bar") -> Packet:
    return make_packet(
        Door((name,), "1 First Street", "bar", parse_opening_hours("Mo-Su 16:00-02:00")),
        records,
        JUDGED,
        naming=ALLOWED,
        panel=reporting_panel(records, RULES.written_report),
        control=NotShown("Off: the hours of this outlet are not known."),
        data=("Incidents of 2024 and 2025.",),
        timezone=ZONE,
    )
