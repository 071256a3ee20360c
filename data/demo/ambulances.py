"""The ambulance service's tables: calls, unit responses, shifts; and what was planted in them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.demo.clock import Year
from data.demo.facts_io import EPSG, read_toml
from data.demo.places import Neighborhoods
from data.demo.planted import plan_drives, speed_table
from data.demo.responses import STAMPS, Dispatcher, Places, shift_seconds
from geo import crs
from geo.network import RoadNetwork

CHILDREN = "children"


@dataclass(frozen=True)
class Service:
    """A year of the ambulance service.

    Attributes
    ----------
    calls, unit_responses, shifts
        Tables of the contract.
    truth
        What was planted, by name: ``speeds``, ``dispatch``, ``units``, ``places``.
    """

    calls: pd.DataFrame
    unit_responses: pd.DataFrame
    shifts: pd.DataFrame
    truth: dict[str, pd.DataFrame]


def run_service(
    drawn: pd.DataFrame,
    *,
    network: RoadNetwork,
    hoods: Neighborhoods,
    posts: pd.DataFrame,
    hospitals: pd.DataFrame,
    year: Year,
    rng: np.random.Generator,
) -> Service:
    """Answer the year's ambulance calls.

    Parameters
    ----------
    drawn
        The ambulance part of ``Demand.calls``, in order.
    network
        The streets.
    hoods
        Neighborhoods; each gives one place to which an ambulance on its way home is moved.
    posts, hospitals
        The tables of places, the hospitals with their ``weight``.
    year
        The city's clock.
    rng
        Draws all chance.
    """
    homes = posts.loc[posts["baseline_rank"].notna()].sort_values("baseline_rank", ignore_index=True)
    open_hospitals = hospitals.loc[hospitals["receives_911"].to_numpy(dtype=bool)].reset_index(drop=True)
    spots = _spots(network, hoods, homes, posts, open_hospitals)
    places = Places(spots["node_index"].to_numpy(), len(homes), len(open_hospitals))
    drives = plan_drives(network, places.node, places.node[: len(homes) + len(open_hospitals)], year)
    weight = open_hospitals["weight"].to_numpy(dtype=float)
    for_children = np.where(open_hospitals["kind"] == CHILDREN, 12.0, 1.0)
    grown = np.where(open_hospitals["kind"] == CHILDREN, 0.0, weight)
    done = Dispatcher(network, places, drives, year).run(
        drawn, weight=grown, child_weight=for_children, rng=rng
    )

    facts = read_toml("dispatch")
    units = pd.DataFrame(facts["unit"])
    call_id = [f"E25{number:06d}" for number in range(1, len(drawn) + 1)]
    stamps = {stamp: year.times(done[stamp].to_numpy(dtype=float)) for stamp in STAMPS}
    post_id = np.array([*homes["post_id"], None], dtype=object)  # index -1 is none
    hospital_id = np.array([*open_hospitals["hospital_id"], None], dtype=object)
    responses = pd.DataFrame(
        {
            "call_id": call_id,
            "unit_id": units["id"].to_numpy(dtype=object)[done["unit"]],
            "unit_type": units["type"].to_numpy(dtype=object)[done["unit"]],
            "from_post_id": post_id[done["from_post"]],
            **{f"{stamp}_at": stamps[stamp] for stamp in STAMPS},
            "hospital_id": hospital_id[done["hospital"]],
            "lights_sirens": pd.array(done["siren"].to_numpy(dtype=bool), dtype="boolean"),
            "cancelled": pd.array(done["cancelled"].to_numpy(dtype=bool), dtype="boolean"),
        }
    )
    refused = rng.random(len(drawn)) < 0.35
    disposition = np.select(
        [done["cancelled"], done["hospital"] >= 0, refused],
        ["Cancelled", "Taken to hospital", "Refused"],
        "Treated, not taken to hospital",
    )
    calls = pd.DataFrame(
        {
            "call_id": call_id,
            "agency": "EMS",
            "opened_at": year.times(drawn["opened_s"].to_numpy(dtype=float)),
            "dispatched_at": stamps["assigned"],
            "arrived_at": stamps["on_scene"],
            "closed_at": stamps["available"],
            "type_code": drawn["type_code"].to_numpy(),
            "type_text": drawn["type_text"].to_numpy(),
            "priority": drawn["priority"].to_numpy(),
            "self_initiated": pd.array(np.zeros(len(drawn), dtype=bool), dtype="boolean"),
            "disposition": disposition.astype(object),
            "location_precision": "exact",
            "lon": drawn["lon"].to_numpy(),
            "lat": drawn["lat"].to_numpy(),
        }
    )
    truth = {
        "speeds": speed_table(),
        "dispatch": _dispatch_table(facts["times"]),
        "units": _units_table(facts["unit"], homes),
        "places": spots.drop(columns="node_index"),
    }
    return Service(calls, responses, _shifts(facts["unit"], year), truth)


def _spots(
    network: RoadNetwork,
    hoods: Neighborhoods,
    homes: pd.DataFrame,
    posts: pd.DataFrame,
    hospitals: pd.DataFrame,
) -> pd.DataFrame:
    """List the places of the dispatcher: home posts, hospitals, other posts, one corner a neighborhood."""
    inside = np.array([shape.representative_point().coords[0] for shape in hoods.shape])
    lon, lat = crs.to_degrees(inside[:, 0], inside[:, 1], EPSG)
    others = posts.loc[posts["baseline_rank"].isna()]
    spots = pd.concat(
        [
            homes[["post_id", "lon", "lat"]].rename(columns={"post_id": "place"}).assign(kind="home post"),
            hospitals[["hospital_id", "lon", "lat"]]
            .rename(columns={"hospital_id": "place"})
            .assign(kind="hospital"),
            others[["post_id", "lon", "lat"]].rename(columns={"post_id": "place"}).assign(kind="post"),
            pd.DataFrame({"place": hoods.name, "lon": lon, "lat": lat, "kind": "neighborhood"}),
        ],
        ignore_index=True,
    )
    index, _ = network.snap(spots["lon"], spots["lat"])
    return spots.assign(
        node=network.node_id[index],
        lon=network.node_lon[index],
        lat=network.node_lat[index],
        node_index=index,
    )


def _dispatch_table(times: dict[str, Any]) -> pd.DataFrame:
    rows = [(name, float(value)) for name, value in times.items() if isinstance(value, int | float)]
    return pd.DataFrame(rows, columns=["parameter", "value"])


def _units_table(units: list[dict[str, Any]], homes: pd.DataFrame) -> pd.DataFrame:
    post = homes["post_id"].tolist()
    return pd.DataFrame(
        {
            "unit_id": [unit["id"] for unit in units],
            "unit_type": [unit["type"] for unit in units],
            "home_post_id": [post[unit["post_rank"] - 1] for unit in units],
        }
    )


def _shifts(units: list[dict[str, Any]], year: Year) -> pd.DataFrame:
    parts = []
    for unit in units:
        on, off = shift_seconds(unit, year)
        parts.append(
            pd.DataFrame(
                {
                    "unit_id": unit["id"],
                    "unit_type": unit["type"],
                    "starts_at": year.times(np.array(on)),
                    "ends_at": year.times(np.array(off)),
                }
            )
        )
    return pd.concat(parts).sort_values(["starts_at", "unit_id"], kind="stable", ignore_index=True)
