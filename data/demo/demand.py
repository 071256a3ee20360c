"""Draw a year of calls: who calls, when, where and what for, by a nonhomogeneous Poisson process."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.clock import HOUR_S, Year
from data.demo.facts_io import EPSG, FloatArray, metres, read_toml
from data.demo.places import Neighborhoods
from geo import crs
from geo.network import RoadNetwork
from geo.regions import assign_regions

IntArray = npt.NDArray[np.int64]

BLOCK_M = 32.0
"""Standard deviation of a call's place around the street corner it belongs to."""
NEED = {"EMS": 0.5, "Police": 0.7}
"""How calls per inhabitant fall with income: (50,000 dollars / income) to this power."""


@dataclass(frozen=True)
class Demand:
    """Calls in the order in which they came in.

    Attributes
    ----------
    calls
        ``opened_s`` (seconds since 1970), ``agency``, ``source`` (component or event), ``node`` (index of the
        nearest corner), ``lon``, ``lat``, ``type_code``, ``type_text``, ``priority``, ``transport`` (chance
        of a hospital trip), ``self_initiated``.
    rates
        What was planted: expected calls an hour by agency, component and hour of week.
    hot_spots
        What was planted: name, agency, place, radius, expected calls in the year, first and last day.
    """

    calls: pd.DataFrame
    rates: pd.DataFrame
    hot_spots: pd.DataFrame


def draw_demand(network: RoadNetwork, hoods: Neighborhoods, year: Year, rng: np.random.Generator) -> Demand:
    """Draw the year's calls from ``facts/calls.toml``.

    Each component has a rate for every hour of the year (share x season x weekly rhythm); the number of
    calls in an hour is Poisson, their times uniform within it, their corners drawn by weight.
    """
    facts = read_toml("calls")
    weights = _Weights(network, hoods, rng)

    def draw(component: dict[str, Any], rate: FloatArray, weight: FloatArray) -> pd.DataFrame:
        kinds = facts["types"][component["types"]]
        return _draw(component, rate, weight, kinds=kinds, network=network, year=year, rng=rng)

    drawn, rates, spots = [], [], []
    for component in facts["component"]:
        agency = component["agency"]
        week = week_weights(facts["rhythm"][component["rhythm"]])
        rate = week[year.hour_of_week] * np.array(facts["season"][agency])[year.month]
        rate *= facts["calls_a_year"][agency] * component["share"] / rate.sum()
        drawn.append(draw(component, rate, weights.of(component)))
        mean = np.bincount(year.hour_of_week, rate, minlength=168) / np.bincount(
            year.hour_of_week, minlength=168
        )
        rates.append(
            pd.DataFrame(
                {
                    "agency": agency,
                    "component": component["name"],
                    "hour_of_week": np.arange(168),
                    "calls_per_hour": mean,
                }
            )
        )
        if "spot" in component:
            spots.append(_spot(component, agency, rate.sum(), year.date[0], year.date[-1]))
    festival = week_weights(facts["rhythm"]["festival"])
    for event in facts["event"]:
        first, last = np.datetime64(event["first"]), np.datetime64(event["last"])
        for agency, a_day in event["a_day"].items():
            rate = festival[year.hour_of_week] * ((year.date >= first) & (year.date <= last))
            rate *= a_day * (len(pd.date_range(first, last))) / rate.sum()
            kind = {**event, "agency": agency, "types": f"{agency.lower()}_festival"}
            drawn.append(draw(kind, rate, weights.of(kind)))
            spots.append(_spot(event, agency, rate.sum(), first, last))
    calls = pd.concat(drawn, ignore_index=True)
    calls = calls.sort_values(["opened_s", "agency", "source"], kind="stable", ignore_index=True)
    return Demand(calls, pd.concat(rates, ignore_index=True), pd.DataFrame(spots))


def week_weights(rhythm: dict[str, list[float]]) -> FloatArray:
    """Give the 168 weights of a week: Monday to Thursday alike, then Friday, Saturday and Sunday."""
    return np.array(
        [*(rhythm["weekday"] * 4), *rhythm["friday"], *rhythm["saturday"], *rhythm["sunday"]], dtype=float
    )


def _spot(
    spot: dict[str, Any], agency: str, calls: float, first: np.datetime64, last: np.datetime64
) -> dict[str, Any]:
    return {
        "name": spot["name"],
        "agency": agency,
        "lon": spot["spot"][0],
        "lat": spot["spot"][1],
        "radius_m": float(spot["radius_m"]),
        "expected_calls": float(calls),
        "first_day": str(first),
        "last_day": str(last),
    }


class _Weights:
    """How likely a call of each kind comes from each corner."""

    def __init__(self, network: RoadNetwork, hoods: Neighborhoods, rng: np.random.Generator) -> None:
        self._xy = np.column_stack(crs.to_metres(network.node_lon, network.node_lat, EPSG))
        named = np.array(network.classes)[network.edge_class]
        self._street = network.main & _at(network, ~np.isin(named, ["motorway", "motorway_link"]))
        self._avenue = network.main & _at(
            network, np.isin(named, ["trunk", "primary", "secondary", "motorway"])
        )
        hood = assign_regions(self._xy[:, 0], self._xy[:, 1], hoods.shape)
        # Some blocks call more than others, at all hours.
        lively = self._street * rng.gamma(2.0, 0.5, network.n_nodes)
        self._homes = {}
        for agency, power in NEED.items():
            need = np.append(hoods.population * (50_000 / hoods.income) ** power, 0.0)
            total = np.bincount(hood[hood >= 0], lively[hood >= 0], minlength=len(need))
            self._homes[agency] = lively * need[hood] / np.maximum(total, 1e-9)[hood]

    def of(self, component: dict[str, Any]) -> FloatArray:
        """(n_nodes,) weights that sum to 1."""
        spread = component.get("spread")
        if spread == "homes":
            weight = self._homes[component["agency"]]
        elif spread == "avenues":
            weight = self._avenue.astype(float)
        else:
            away = np.hypot(*(self._xy - metres([component["spot"]])[0]).T) / component["radius_m"]
            weight = self._street * np.exp(-0.5 * away**2) * (away < 3)
        share: FloatArray = weight / weight.sum()
        return share


def _at(network: RoadNetwork, edges: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(n_nodes,) whether one of these edges ends at the corner."""
    touched = np.zeros(network.n_nodes, dtype=bool)
    touched[network.edge_u[edges]] = touched[network.edge_v[edges]] = True
    return touched


def _draw(
    component: dict[str, Any],
    rate: FloatArray,
    weight: FloatArray,
    *,
    kinds: list[list[Any]],
    network: RoadNetwork,
    year: Year,
    rng: np.random.Generator,
) -> pd.DataFrame:
    hour = np.repeat(np.arange(len(rate)), rng.poisson(rate))
    count = len(hour)
    node = np.searchsorted(np.cumsum(weight), rng.random(count) * (1 - 1e-12)).clip(max=len(weight) - 1)
    away = np.clip(rng.normal(0, BLOCK_M, (count, 2)), -2.5 * BLOCK_M, 2.5 * BLOCK_M)
    lat_m = 110_850.0
    lon_m = 111_320.0 * np.cos(np.radians(network.node_lat[node]))
    share = np.array([float(kind[2]) for kind in kinds])
    kind = rng.choice(len(kinds), size=count, p=share / share.sum())
    return pd.DataFrame(
        {
            "opened_s": year.start_s + hour * HOUR_S + np.floor(rng.random(count) * HOUR_S),
            "agency": component["agency"],
            "source": component["name"],
            "node": node,
            "lon": np.round(network.node_lon[node] + away[:, 0] / lon_m, 6),
            "lat": np.round(network.node_lat[node] + away[:, 1] / lat_m, 6),
            "type_code": np.array([k[0] for k in kinds], dtype=object)[kind],
            "type_text": np.array([k[1] for k in kinds], dtype=object)[kind],
            "priority": np.array([k[3] for k in kinds], dtype=object)[kind],
            "transport": np.array([k[4] if len(k) > 4 else 0.0 for k in kinds], dtype=float)[kind],
            "self_initiated": rng.random(count) < component.get("self_initiated", 0.0),
        }
    )
