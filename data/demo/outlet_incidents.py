"""Incidents at the demo's alcohol outlets and those booked at police stations, as rows of ``calls``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from data.demo.clock import HOUR_S, Year
from data.demo.demand import week_weights
from data.demo.facts_io import EPSG, FloatArray, metres, read_toml
from data.demo.outlets import Outlets, beside_street, open_week
from data.demo.places import Neighborhoods, police_districts
from data.demo.police import police_calls
from data.profile_outlets import BookingPlace, OutletRules
from geo import crs

IntArray = npt.NDArray[np.int64]

FIRST_NUMBER = {"outlet": 60_001, "booking": 90_001}
"""Item numbers of a month begin here, so that no number of the street is used again."""


def draw_outlet_incidents(
    outlets: Outlets, hoods: Neighborhoods, rules: OutletRules, year: Year, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a year of incidents at outlets.

    Parameters
    ----------
    outlets
        What was planted.
    hoods
        Neighborhoods: an incident whose place is withheld is put in the middle of its police district.
    rules
        Which types' places the police withhold.
    year
        The city's clock.
    rng
        Draws everything.

    Returns
    -------
    calls, truth
        Rows of the table ``calls``, in the order of time; and ``call_id, outlet_id, origin`` ("outlet", or
        "street" for test items).
    """
    facts = read_toml("outlets")
    truth = outlets.truth
    usual = rng.poisson(truth["expected_incidents"] * truth["own_factor"] * truth["relative_risk"])
    helped = rng.poisson(truth["calls_for_help"])
    tests = rng.integers(0, len(truth), facts["tests"])
    every = np.arange(len(truth))
    row = np.concatenate([np.repeat(every, usual), np.repeat(every, helped), tests])
    what = np.repeat(["usual", "help", "test"], [usual.sum(), helped.sum(), len(tests)])

    drawn = _places(outlets, row, facts, rng)
    drawn["opened_s"] = _times(outlets, row, year, facts, rng)
    drawn["outlet_id"], drawn["what"] = truth["outlet_id"].to_numpy()[row], what
    _put_types(
        drawn, np.array([facts["category"][kind]["types"] for kind in truth["category"]])[row], facts, rng
    )
    drawn.loc[what == "test", ["type_code", "type_text", "priority"]] = ["TEST", "TEST ITEM", "0A"]
    drawn["self_initiated"] = (rng.random(len(row)) < facts["self_initiated"]) & (what == "usual")
    drawn["disposition"] = _endings(len(row), facts["ending"]["outlet"], rng)
    helping = what == "help"
    drawn.loc[helping, "disposition"] = _endings(int(helping.sum()), facts["ending"]["help"], rng)
    drawn = drawn.sort_values(["opened_s", "outlet_id"], kind="stable", ignore_index=True)
    _withhold(drawn, hoods, rules)

    calls = police_calls(
        drawn,
        year,
        rng,
        disposition=drawn["disposition"].to_numpy(dtype=object),
        first_number=FIRST_NUMBER["outlet"],
    )
    calls["location_precision"] = drawn["location_precision"].to_numpy()
    test = (drawn["what"] == "test").to_numpy(dtype=bool)
    planted = pd.DataFrame(
        {
            "call_id": calls["call_id"],
            "outlet_id": drawn["outlet_id"].where(~test),
            "origin": np.where(test, "street", "outlet"),
        }
    )
    return calls, planted


def draw_bookings(
    places: Sequence[BookingPlace], year: Year, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a year of incidents that happened elsewhere and bear the place where they were booked.

    Returns
    -------
    calls, truth
        Rows of the table ``calls``, in the order of time; and ``call_id, outlet_id`` (null), ``origin``
        ("booking").
    """
    facts = read_toml("outlets")
    count = rng.poisson([facts["bookings_a_year"][place.kind] for place in places]).astype(np.int64)
    row = np.repeat(np.arange(len(places)), count)
    drawn = pd.DataFrame(
        {
            "lon": np.array([place.lon for place in places], dtype=float)[row],
            "lat": np.array([place.lat for place in places], dtype=float)[row],
        }
    )
    rhythms = read_toml("calls")["rhythm"]
    weight = week_weights(rhythms["home"])[year.hour_of_week]
    hour = rng.choice(len(weight), size=len(row), p=weight / weight.sum())
    drawn["opened_s"] = year.start_s + hour * HOUR_S + np.floor(rng.random(len(row)) * HOUR_S)
    _put_types(drawn, np.full(len(row), "booking"), facts, rng)
    drawn["self_initiated"] = rng.random(len(row)) < facts["self_initiated"]
    drawn = drawn.sort_values(["opened_s", "lon"], kind="stable", ignore_index=True)
    ending = _endings(len(row), facts["ending"]["booking"], rng)
    calls = police_calls(drawn, year, rng, disposition=ending, first_number=FIRST_NUMBER["booking"])
    planted = pd.DataFrame({"call_id": calls["call_id"], "outlet_id": None, "origin": "booking"})
    return calls, planted


def _places(outlets: Outlets, row: IntArray, facts: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    """Put each incident at its outlet's door, or somewhere on the street near it."""
    start, end = outlets.start[row], outlets.end[row]
    exact = rng.random(len(row)) < facts["exact"]
    reach = np.where(exact, 2.0, facts["jitter_m"])
    length = np.hypot(*(end - start).T)
    along = np.clip(outlets.along_m[row] + rng.uniform(-1, 1, len(row)) * reach, 0, length)
    xy = beside_street(start, end, along, rng.normal(0, 3, len(row)))
    lon, lat = crs.to_degrees(xy[:, 0], xy[:, 1], EPSG)
    door = outlets.table.iloc[row]
    return pd.DataFrame(
        {
            "lon": np.where(exact, door["lon"], np.round(lon, 6)),
            "lat": np.where(exact, door["lat"], np.round(lat, 6)),
            "location_precision": np.where(exact, "exact", "block"),
        }
    )


def _times(
    outlets: Outlets, row: IntArray, year: Year, facts: dict[str, Any], rng: np.random.Generator
) -> FloatArray:
    """Seconds since 1970: mostly while the outlet is open or in the hour after it has closed."""
    rhythms, season = read_toml("calls")["rhythm"], np.array(read_toml("calls")["season"]["Police"])
    rhythm = np.array([facts["category"][kind]["rhythm"] for kind in outlets.truth["category"]], dtype=object)
    hour = np.zeros(len(row), dtype=np.int64)
    kinds = sorted(set(zip(rhythm, outlets.true_hours, strict=True)))
    for name, text in kinds:
        rows = np.flatnonzero(((rhythm == name) & (outlets.true_hours == text))[row])
        week = open_week(text)
        near = np.where(week | np.roll(week, 1), 1.0, facts["shut"])
        weight = (week_weights(rhythms[name]) * near)[year.hour_of_week] * season[year.month]
        hour[rows] = rng.choice(len(weight), size=len(rows), p=weight / weight.sum())
    seconds: FloatArray = np.floor((hour + rng.random(len(row))) * HOUR_S) + year.start_s
    return seconds


def _put_types(
    drawn: pd.DataFrame, group: npt.NDArray[Any], facts: dict[str, Any], rng: np.random.Generator
) -> None:
    for column in ("type_code", "type_text", "priority"):
        drawn[column] = pd.Series(None, index=drawn.index, dtype=object)
    for name in sorted(set(group)):
        rows = np.flatnonzero(group == name)
        kinds = facts["types"][name]
        share = np.array([kind[2] for kind in kinds])
        chosen = rng.choice(len(kinds), size=len(rows), p=share / share.sum())
        for column, part in (("type_code", 0), ("type_text", 1), ("priority", 3)):
            drawn.loc[rows, column] = np.array([kind[part] for kind in kinds], dtype=object)[chosen]


def _endings(count: int, shares: list[list[Any]], rng: np.random.Generator) -> npt.NDArray[np.object_]:
    code, share = zip(*shares, strict=True)
    return rng.choice(np.array(code, dtype=object), size=count, p=np.array(share) / sum(share))


def _withhold(drawn: pd.DataFrame, hoods: Neighborhoods, rules: OutletRules) -> None:
    """Move incidents whose place police withhold to the middle of their district: place unknown."""
    code = drawn["type_code"]
    hidden = np.zeros(len(drawn), dtype=bool)
    for rule in rules.withheld_types:
        hidden |= (code.str.startswith(rule[:-1]) if rule.endswith("*") else code == rule).to_numpy(
            dtype=bool
        )
    rows = np.flatnonzero(hidden)
    _, shapes = police_districts(hoods)
    middle = shapely.get_coordinates([shape.representative_point() for shape in shapes])
    xy = shapely.points(metres(drawn.loc[rows, ["lon", "lat"]].to_numpy().tolist()))
    district = np.argmin(np.stack([shapely.distance(shape, xy) for shape in shapes]), axis=0)
    lon, lat = crs.to_degrees(middle[:, 0], middle[:, 1], EPSG)
    drawn.loc[rows, "lon"], drawn.loc[rows, "lat"] = np.round(lon, 6)[district], np.round(lat, 6)[district]
    drawn.loc[rows, "location_precision"] = "unknown"
