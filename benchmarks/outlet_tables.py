"""Makes tables of docs/methods/outlets.md: who is named in fifty planted cities, and what New Orleans shows.

Run ``python -m benchmarks.outlet_tables DEMO NEW_ORLEANS`` with the folders of the demo city and of the city
imported from the extract; with ``--write`` the tables are put into the page, between its marks. None holds
the name of an outlet.
"""

import argparse
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from benchmarks.outlet_cities import (
    BY_DISTANCE,
    HALVES_M,
    NAIVE,
    NAIVE_STACKS,
    OURS,
    RISKS,
    Totals,
    planted_cities,
)
from data.city import City
from geo import crs
from models.attribution import BUFFER_M, buffer_counts, share
from pages.parts.bars_inputs import BarsChoice, BarsInputs, BarsView, judge, prepare_bars
from pages.parts.bars_scene import naming_of

PAGE = Path(__file__).parents[1] / "docs" / "methods" / "outlets.md"
MARKS = {
    part: (f"<!-- {part}: python -m benchmarks.outlet_tables -->", f"<!-- end of {part} -->")
    for part in ("settings", "power", "new orleans")
}
SEEDS = 50
SEEDS_OF_SETTINGS = 20
TOP = 30
WORDS = {"headline": "written reports", "all": "all calls"}
SHOWN_AREAS = 8
WIDTH = 118

Set = frozenset[int]


def power_lines(found: pd.DataFrame) -> Iterator[str]:
    """Tables of fifty planted cities."""

    def tally(bad: int, outcome: str, method: str) -> Totals:
        return Totals.of(found, bad=bad, outcome=outcome, method=method)

    risks = [f"{low} to {high}" for low, high in RISKS]
    heads = [f"at {risk}" for risk in risks]
    yield from (
        "",
        "Twenty planted:",
        "",
        f"| counted, method | named a city | of planted | {' | '.join(heads)} | not over 1.5 | not planted |",
        "|---" * (5 + len(risks)) + "|",
    )
    for outcome, words in WORDS.items():
        for method in (OURS, BY_DISTANCE, NAIVE):
            sums = tally(20, outcome, method)
            of_risk = [f"{sums.share(f'{risk} found', risk):.0%}" for risk in risks]
            yield (
                f"| {words}, {method} | {sums.a_city('named'):.1f} | {sums.share('found', 'planted'):.0%} | "
                f"{' | '.join(of_risk)} | {_share_of(sums, 'not over', 'named')} | "
                f"{_share_of(sums, 'not planted', 'named')} |"
            )
    yield from (
        "",
        "| counted, method | screened a city | of the planted | multiplier not over 1 |",
        "|---|---|---|---|",
    )
    for outcome, words in WORDS.items():
        for method in (OURS, BY_DISTANCE):
            sums = tally(20, outcome, method)
            yield (
                f"| {words}, {method} | {sums.a_city('screened'):.0f} | "
                f"{sums.share('screened found', 'planted'):.0%} | "
                f"{_share_of(sums, 'screened not over', 'screened')} |"
            )
    yield from (
        "",
        "None planted; and, in all cities, bars beside booking places and the one that calls for help:",
        "",
        "| counted, method | cities naming any | named | not over 1.5 | bars beside | the bar that calls |",
        "|---|---|---|---|---|---|",
    )
    for outcome, words in WORDS.items():
        for method in (OURS, BY_DISTANCE, NAIVE, NAIVE_STACKS):
            none, both = tally(0, outcome, method), [tally(bad, outcome, method) for bad in (20, 0)]
            beside, stood, helped = (
                sum(int(sums.sums[column]) for sums in both)
                for column in ("beside named", "beside", "calls for help named")
            )
            yield (
                f"| {words}, {method} | {none.naming} of {none.cities} | "
                f"{none.sums['named']:.0f} | {none.sums['not over']:.0f} | {beside} of {stood} | "
                f"{helped} of {sum(sums.cities for sums in both)} |"
            )


def settings_lines(found: pd.DataFrame) -> Iterator[str]:
    """Table of the metres over which an outlet's weight halves."""
    yield from (
        "",
        "| counted, halves every | named a city | of planted | not over 1.5 | screened a city | not over 1 |",
        "|---|---|---|---|---|---|",
    )
    for outcome, words in WORDS.items():
        for half_m in HALVES_M:
            sums = Totals.of(found, bad=20, outcome=outcome, method=f"{half_m:.0f} m")
            yield (
                f"| {words}, {half_m:.0f} m | {sums.a_city('named'):.1f} | "
                f"{sums.share('found', 'planted'):.0%} | {_share_of(sums, 'not over', 'named')} | "
                f"{sums.a_city('screened'):.0f} | {sums.share('screened not over', 'screened'):.1%} |"
            )


def _share_of(sums: Totals, part: str, whole: str) -> str:
    return f"{sums.sums[part]:.0f} of {sums.sums[whole]:.0f}, {sums.share(part, whole):.1%}"


@dataclass(frozen=True, eq=False)
class Steps:
    """The doors with the most incidents after each correction.

    Attributes
    ----------
    raw, without_stacks, by_distance, by_expectation, corrected
        Numbers of the first 30 doors: all records within 400 feet; the same without booking stacks; incidents
        shared out by distance; by expectation; by rank of the multiplier.
    beside_stack
        Doors within 400 feet of a stack that was set aside.
    times_counted
        For how many doors a record near any is counted by buffers.
    """

    raw: Set
    without_stacks: Set
    by_distance: Set
    by_expectation: Set
    corrected: Set
    beside_stack: Set
    times_counted: float


def steps_of(inputs: BarsInputs, view: BarsView) -> Steps:
    """Rank doors after each correction."""
    frame, doors, network = inputs.incidents.frame, inputs.doors, inputs.city.network
    placed = frame.dropna(subset=["lon", "lat"])
    raw = buffer_counts(network, placed["lon"], placed["lat"], doors.lon, doors.lat)
    stacks = inputs.incidents.stacks.query("set_aside")
    at, door_at = (
        np.column_stack(crs.to_metres(lon, lat, network.epsg))
        for lon, lat in ((stacks["lon"], stacks["lat"]), (doors.lon, doors.lat))
    )
    beside = cKDTree(at).query(door_at)[0] <= BUFFER_M
    ranked = np.where(view.found.judged, view.found.rank, np.inf)
    return Steps(
        raw=_first(raw.counts),
        without_stacks=_first(view.buffers.counts),
        by_distance=_first(share(inputs.near).expected(view.by_place)[:-1]),
        by_expectation=_first(view.found.observed),
        corrected=_first(-ranked),
        beside_stack=frozenset(np.flatnonzero(beside).tolist()),
        times_counted=raw.times_counted,
    )


def _first(score: npt.ArrayLike) -> Set:
    return frozenset(np.argsort(-np.asarray(score, dtype=float), kind="stable")[:TOP].tolist())


def new_orleans_lines(inputs: BarsInputs, view: BarsView) -> Iterator[str]:
    """Tables of the first thirty, and what is screened."""
    steps, found = steps_of(inputs, view), view.found
    kept = (steps.raw, steps.without_stacks, steps.by_distance, steps.by_expectation, steps.corrected)
    words = (
        f"records within 400 feet, each counted for {steps.times_counted:.1f} outlets",
        "the same, booking stacks set aside",
        "shared out once, by walking distance",
        "shared out once, by what is expected of each",
        "by multiplier: beside what is expected of an outlet like it",
    )
    yield from ("", f"| first {TOP} by | of the first list still there | categories |", "|---|---|---|")
    for what, group in zip(words, kept, strict=True):
        yield f"| {what} | {len(steps.raw & group)} | {_kinds(inputs, group)} |"
    by_stack = steps.raw - steps.without_stacks
    by_count = (steps.raw & steps.without_stacks) - steps.by_expectation
    by_expected = (steps.raw & steps.without_stacks & steps.by_expectation) - steps.corrected
    yield from (
        "",
        "| why they left the list | outlets | categories | neighborhoods |",
        "|---|---|---|---|",
    )
    for what, group in (
        ("records were booked at a station, court or jail near by", by_stack),
        ("the records around them were counted for many outlets each", by_count),
        ("they have no more than is expected of them", by_expected),
        ("they did not", steps.raw & steps.corrected),
    ):
        yield f"| {what} | {len(group)} | {_kinds(inputs, group)} | {_areas(inputs, group)} |"
    lies_in = len({int(inputs.region[door]) for door in steps.corrected})
    told = (
        f"{len(steps.raw & steps.beside_stack)} of the first list stand within 400 feet of a booking stack. "
        f"The last list lies in {lies_in} neighborhoods: "
        f"{_areas(inputs, steps.corrected)}. {view.street / view.by_place.sum():.0%} of the "
        f"{view.by_place.sum():,} incidents go to the street."
    )
    yield from (
        "",
        *textwrap.wrap(told, WIDTH),
        "",
        "| category | judged | screened | incidents shared out | expected, with interval of the ratio |",
        "|---|---|---|---|---|",
    )
    category = np.array(inputs.doors.category)
    for line in found.calibration:
        of_kind = np.ones(len(category), dtype=bool) if line.category == "all" else category == line.category
        yield (
            f"| {line.category} | {line.outlets:,} | {int((found.screened & of_kind).sum())} | "
            f"{line.observed:,.0f} | {line.expected:,.0f} ({line.ratio.low:.2f} to {line.ratio.high:.2f}) |"
        )
    screened = frozenset(np.flatnonzero(found.screened).tolist())
    naming = naming_of(inputs, inputs.city.version)
    state = "on" if naming.allowed else "off"
    told = (
        f"Alpha is {found.alpha.value:.2f} ({found.alpha.low:.2f} to {found.alpha.high:.2f}). "
        f"Screened by neighborhood: {_areas(inputs, screened)}. "
        f"{int(found.named.sum())} doors pass both rules for a name, but naming is {state}: "
        f"{'; '.join(naming.reasons)}."
    )
    yield from ("", *textwrap.wrap(told, WIDTH))


def _kinds(inputs: BarsInputs, group: Set) -> str:
    kinds = Counter(inputs.doors.category[door] for door in group)
    return ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "none"


def _areas(inputs: BarsInputs, group: Set) -> str:
    areas = Counter(
        inputs.regions[inputs.region[door]] if inputs.region[door] >= 0 else "outside all" for door in group
    )
    ordered = sorted(areas.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{name} {count}" for name, count in ordered[:SHOWN_AREAS]]
    rest = ordered[SHOWN_AREAS:]
    if rest:
        told.append(f"{len(rest)} others {sum(count for _, count in rest)}")
    return ", ".join(told) or "none"


def main() -> None:
    """Make the tables and show them, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder of the demo city")
    parser.add_argument("extract", type=Path, help="folder of the city imported from the extract")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    arguments = parser.parse_args()
    inputs = prepare_bars(City.open(arguments.extract))
    made = {
        "settings": settings_lines(
            planted_cities(arguments.demo, seeds=SEEDS_OF_SETTINGS, bad=(20,), halves=True)
        ),
        "power": power_lines(planted_cities(arguments.demo, seeds=SEEDS)),
        "new orleans": new_orleans_lines(inputs, judge(inputs, BarsChoice())),
    }
    page = PAGE.read_text(encoding="utf-8")
    for part, lines in made.items():
        text = "\n".join(lines).replace("%", " %")
        if arguments.write:
            start, end = MARKS[part]
            before, after = page[: page.index(start) + len(start)], page[page.index(end) :]
            page = f"{before}\n{text}\n\n{after}"
        else:
            sys.stdout.write(f"{part}\n{text}\n\n")
    if arguments.write:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
