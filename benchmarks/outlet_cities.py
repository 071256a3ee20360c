"""Demo cities with newly planted outlets, one for each seed, and what three methods say of them.

Streets, neighborhoods and what happens on the street are the demo city's; outlets, their incidents and the
bookings at police stations are drawn anew. Each city goes through the page's own steps from records to names,
and through two others: shares by distance alone, and buffers of 400 feet with a Poisson test.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import poisson

from data.city import City
from data.demo.clock import Year, make_year
from data.demo.ground import draw_ground
from data.demo.outlet_incidents import draw_bookings, draw_outlet_incidents
from data.demo.outlets import plant_outlets
from data.demo.places import Neighborhoods, draw_neighborhoods
from data.profile_outlets import OutletRules
from models.attribution import DRAWS, allocate, buffer_counts, share
from models.incidents import SET_ASIDE
from models.outlets import (
    FALSE_SHARE,
    NAME_OVER,
    SCREEN_OVER,
    Disproportion,
    analyse,
    benjamini_hochberg,
    blocks,
    expectations,
)
from pages.parts.bars_inputs import SEED, BarsChoice, BarsInputs, BarsView, judge, prepare_bars

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

OURS, BY_DISTANCE, NAIVE, NAIVE_STACKS = (
    "shares by expectation",
    "shares by distance",
    "buffers, Poisson",
    "buffers, Poisson, stacks left in",
)
OUTCOMES = ("headline", "all")
HALVES_M = (25.0, 35.0, 50.0)
RISKS = ((3, 4), (4, 5), (5, 6))
"""Ranges of the planted multiplier."""


@dataclass(frozen=True, eq=False)
class Case:
    """A city with planted outlets, and the truth of each door.

    Attributes
    ----------
    inputs
        As the page prepares them.
    multiplier
        (n_doors,) true incidents over expected ones: chance differences and planted risk together.
    risk
        (n_doors,) the planted part, 1 among ordinary outlets.
    beside
        (n_doors,) bars planted beside a booking place.
    calls_for_help
        (n_doors,) the bar that calls the police more than others.
    """

    inputs: BarsInputs
    multiplier: FloatArray
    risk: FloatArray
    beside: BoolArray
    calls_for_help: BoolArray

    @property
    def planted(self) -> BoolArray:
        """(n_doors,) outlets planted as bad."""
        return self.risk > 1


class _Replanted(City):
    """A city of which some tables are others."""

    def __init__(self, city: City, tables: dict[str, pd.DataFrame]) -> None:
        self.__dict__.update(city.__dict__)
        self._others = tables

    def has(self, name: str) -> bool:
        return name in self._others or super().has(name)

    def table(self, name: str) -> pd.DataFrame:
        return self._others[name] if name in self._others else super().table(name)


def with_tables(city: City, tables: dict[str, pd.DataFrame]) -> City:
    """Give the same city with other tables."""
    return _Replanted(city, tables)


@dataclass(frozen=True, eq=False)
class Ground:
    """What all cities share."""

    city: City
    street: pd.DataFrame
    hoods: Neighborhoods
    year: Year
    rules: OutletRules

    @classmethod
    def open(cls, folder: Path) -> "Ground":
        """Read a demo city, and take out what happened at outlets and was booked."""
        city = City.open(folder)
        rules = city.profile.outlets
        assert rules is not None
        truth = pd.read_parquet(folder / "truth" / "outlet_incidents.parquet")
        planted = set(truth.loc[truth["origin"] != "street", "call_id"])
        calls = city.table("calls")
        street = calls[calls["agency"].isin(rules.police_agencies) & ~calls["call_id"].isin(planted)]
        assert len(city.network.length_m)  # read here once, for all seeds
        return cls(city, street, draw_neighborhoods(draw_ground()), make_year(city.profile.timezone), rules)

    def plant(self, seed: int, *, bad: int) -> Case:
        """Plant outlets anew, and draw a year."""
        rng = np.random.default_rng([seed, bad])
        places = self.rules.booking_places
        beside = [(place.lon, place.lat) for place in places]
        outlets = plant_outlets(self.city.network, self.hoods, rng, bad=bad, beside=beside)
        at_outlets, _ = draw_outlet_incidents(outlets, self.hoods, self.rules, self.year, rng)
        booked, _ = draw_bookings(places, self.year, rng)
        calls = pd.concat([self.street, at_outlets, booked], ignore_index=True)
        inputs = prepare_bars(with_tables(self.city, {"outlets": outlets.table, "calls": calls}))
        # Outlets that had closed are not among the inputs.
        truth = outlets.truth.set_index("outlet_id").loc[inputs.outlets["outlet_id"]]
        truth["door"] = inputs.doors.door_of_outlet
        truth["incidents"] = truth["expected_incidents"] * truth["own_factor"] * truth["relative_risk"]
        truth["beside"] = truth["role"] == "beside a booking place"
        truth["help"] = truth["role"] == "calls for help"
        by_door = truth[truth["door"] >= 0].groupby("door").agg(
            expected=("expected_incidents", "sum"),
            incidents=("incidents", "sum"),
            risk=("relative_risk", "max"),
            beside=("beside", "any"),
            help=("help", "any"),
        )  # fmt: skip
        expected, incidents = by_door["expected"].to_numpy(), by_door["incidents"].to_numpy()
        # Where nothing is expected nothing happens: as expected.
        multiplier = np.divide(incidents, expected, out=np.ones(len(expected)), where=expected > 0)
        return Case(
            inputs,
            multiplier,
            by_door["risk"].to_numpy(dtype=float),
            by_door["beside"].to_numpy(dtype=bool),
            by_door["help"].to_numpy(dtype=bool),
        )


def _judged_by_distance(inputs: BarsInputs, view: BarsView) -> Disproportion:
    """Give the same analysis of shares by distance alone."""
    drawn = allocate(share(inputs.near), view.by_place, draws=DRAWS, seed=SEED)[:, :-1]
    block, reason = blocks(inputs.doors.lon, inputs.doors.lat)
    return analyse(
        drawn,
        view.design.exposure,
        view.design.covariates,
        block,
        inputs.doors.category,
        door=inputs.door_ids,
        names=view.design.names,
        reason=reason,
        seed=SEED,
    )


def _flagged(inputs: BarsInputs, view: BarsView, counts: npt.NDArray[np.int64]) -> BoolArray:
    """Doors that a Poisson test flags, expectations as good as ours: q at most 0.1, 1.5 times expected."""
    block, reason = blocks(inputs.doors.lon, inputs.doors.lat)
    expected = expectations(
        counts[None],
        view.design.exposure,
        view.design.covariates,
        block,
        inputs.doors.category,
        door=inputs.door_ids,
        names=view.design.names,
        reason=reason,
    )
    q = benjamini_hochberg(poisson.sf(counts - 1, expected))
    return np.asarray((q <= FALSE_SHARE) & (counts > NAME_OVER * expected))


def _with_stacks(inputs: BarsInputs, choice: BarsChoice) -> npt.NDArray[np.int64]:
    """(n_doors,) incidents within 400 feet, those set aside at booking places with them."""
    frame = inputs.incidents.frame
    kept = (frame["lane"].eq(SET_ASIDE) & frame["outcome"].ne("")).to_numpy(dtype=bool, copy=True)
    kept[np.flatnonzero(inputs.counted)[inputs.chosen(choice)]] = True
    place = frame.loc[kept, ["lon", "lat"]]
    network = inputs.city.network
    return buffer_counts(network, place["lon"], place["lat"], inputs.doors.lon, inputs.doors.lat).counts


def _count(
    case: Case, outcome: str, method: str, named: BoolArray, screened: BoolArray
) -> dict[str, float | str]:
    """Count right and wrong names of one method in one city."""
    planted = case.planted
    row: dict[str, float | str] = {
        "outcome": outcome,
        "method": method,
        "planted": planted.sum(),
        "named": named.sum(),
        "found": (named & planted).sum(),
        "not over": (named & (case.multiplier <= NAME_OVER)).sum(),
        "not planted": (named & ~planted).sum(),
        "screened": screened.sum(),
        "screened found": (screened & planted).sum(),
        "screened not over": (screened & (case.multiplier <= SCREEN_OVER)).sum(),
        "beside": case.beside.sum(),
        "beside named": (named & case.beside).sum(),
        "calls for help named": (named & case.calls_for_help).sum(),
    }
    for low, high in RISKS:
        inside = planted & (case.risk >= low) & (case.risk < high)
        row[f"{low} to {high}"] = inside.sum()
        row[f"{low} to {high} found"] = (named & inside).sum()
    return row


def _by_method(case: Case) -> Iterator[dict[str, float | str]]:
    inputs = case.inputs
    nobody = np.zeros(len(inputs.doors), dtype=bool)
    for outcome in OUTCOMES:
        choice = BarsChoice(outcome)
        view = judge(inputs, choice)
        by_distance = _judged_by_distance(inputs, view)
        for method, named, screened in (
            (OURS, view.found.named, view.found.screened),
            (BY_DISTANCE, by_distance.named, by_distance.screened),
            (NAIVE, _flagged(inputs, view, view.buffers.counts), nobody),
            (NAIVE_STACKS, _flagged(inputs, view, _with_stacks(inputs, choice)), nobody),
        ):
            yield _count(case, outcome, method, named, screened)


def _by_half(case: Case) -> Iterator[dict[str, float | str]]:
    for outcome in OUTCOMES:
        for half_m in HALVES_M:
            found = judge(case.inputs, BarsChoice(outcome, half_m=half_m)).found
            yield _count(case, outcome, f"{half_m:.0f} m", found.named, found.screened)


@cache
def _ground(folder: Path) -> Ground:
    return Ground.open(folder)


def _one(folder: Path, seed: int, bad: int, *, halves: bool) -> list[dict[str, float | str]]:
    case = _ground(folder).plant(seed, bad=bad)
    rows = _by_half(case) if halves else _by_method(case)
    return [{"seed": seed, "bad": bad, **row} for row in rows]


def planted_cities(
    folder: Path, *, seeds: int, bad: tuple[int, ...] = (20, 0), halves: bool = False
) -> pd.DataFrame:
    """One row for each seed, number planted, outcome and method; a process for each core.

    Parameters
    ----------
    folder
        The demo city.
    seeds
        Cities of each kind.
    bad
        Outlets planted in a city.
    halves
        Compare the metres over which an outlet's weight halves, in place of methods.
    """
    tasks = [(folder, seed, number) for seed in range(seeds) for number in bad]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = pool.map(partial(_one, halves=halves), *zip(*tasks, strict=True))
        return pd.DataFrame([row for rows in found for row in rows])


@dataclass(frozen=True)
class Totals:
    """Sums over cities of one kind, by one method and outcome.

    Attributes
    ----------
    cities
        Number of cities.
    sums
        Columns of :func:`planted_cities`, summed.
    naming
        Cities in which any outlet is named.
    beside_cities
        Cities in which an ordinary bar beside a booking place is named.
    """

    cities: int
    sums: "pd.Series[float]"
    naming: int
    beside_cities: int

    @classmethod
    def of(cls, found: pd.DataFrame, *, bad: int, outcome: str, method: str) -> "Totals":
        """Add up the rows of one kind."""
        rows = found[found["bad"].eq(bad) & found["outcome"].eq(outcome) & found["method"].eq(method)]
        sums = rows.drop(columns=["seed", "bad", "outcome", "method"]).sum()
        return cls(len(rows), sums, int(rows["named"].gt(0).sum()), int(rows["beside named"].gt(0).sum()))

    def a_city(self, column: str) -> float:
        """Mean over cities."""
        return float(self.sums[column]) / self.cities

    def share(self, part: str, whole: str) -> float:
        """One sum by another; 0 where the other is."""
        return float(self.sums[part]) / max(float(self.sums[whole]), 1.0)
