"""The planted speeds of the demo's ambulances: by road class, hour band and siren."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.clock import Year
from data.demo.facts_io import read_toml
from geo.network import RoadNetwork
from geo.travel_time import travel_times

Float32Array = npt.NDArray[np.float32]
PACES = ("night", "rush", "day", "evening")


@dataclass(frozen=True)
class Drives:
    """Planted driving times without noise, in seconds.

    Attributes
    ----------
    out
        ``out[pace][siren]``: float32 (n_places, n_nodes) from each place to every corner.
    back
        ``back[pace]``: float32 (n_goals, n_nodes) from every corner to each goal, without siren.
    pace
        (n_hours,) pace of each hour of the year, an index into ``PACES``.
    """

    out: tuple[tuple[Float32Array, Float32Array], ...]
    back: tuple[Float32Array, ...]
    pace: npt.NDArray[np.int64]


def speed_table() -> pd.DataFrame:
    """Give the planted speeds: ``road_class, hour_band, siren, speed_kph``."""
    facts = read_toml("dispatch")
    rows = [
        (name, band["name"], siren, _kph(facts, name, band["pace"], siren=siren))
        for name in facts["speed_kph"]
        for band in facts["band"]
        for siren in (False, True)
    ]
    return pd.DataFrame(rows, columns=["road_class", "hour_band", "siren", "speed_kph"])


def plan_drives(
    network: RoadNetwork, places: npt.NDArray[np.int64], goals: npt.NDArray[np.int64], year: Year
) -> Drives:
    """Compute the driving times the dispatcher needs.

    Parameters
    ----------
    network
        The demo's network. Its own speeds play no part: ambulances drive at the planted ones.
    places
        (n_places,) corners from which an ambulance may be sent.
    goals
        (n_goals,) corners of hospitals and home posts.
    year
        The city's clock.
    """
    facts = read_toml("dispatch")
    backward = replace(network, edge_u=network.edge_v, edge_v=network.edge_u)

    def factor(pace: str, *, siren: bool) -> npt.NDArray[np.float64]:
        kph = np.array([_kph(facts, name, pace, siren=siren) for name in network.classes])
        ratio: npt.NDArray[np.float64] = kph[network.edge_class] / network.speed_kph
        return ratio

    out, back = [], []
    for pace in PACES:
        plain = factor(pace, siren=False)
        loud = factor(pace, siren=True)
        out.append(
            (
                travel_times(network, places, speed_factor=plain),
                travel_times(network, places, speed_factor=loud),
            )
        )
        back.append(travel_times(backward, goals, speed_factor=plain))
    week = np.zeros(168, dtype=np.int64)
    for band in facts["band"]:
        hours = [
            day * 24 + hour for day in band["days"] for hour in range(band["start_hour"], band["end_hour"])
        ]
        week[hours] = PACES.index(band["pace"])
    return Drives(tuple(out), tuple(back), week[year.hour_of_week])


def _kph(facts: dict[str, Any], road_class: str, pace: str, *, siren: bool) -> float:
    kph = float(facts["speed_kph"][road_class] * facts["pace"][pace][road_class])
    return kph * float(facts["siren"][road_class]) if siren else kph
