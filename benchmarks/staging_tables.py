"""The City's 2017 list of posts beside suggested lists: makes the tables of docs/methods/siting.md.

Run ``python -m benchmarks.staging_tables CITY`` with the folder of the city imported from the extract; with
``--write`` the tables are put into the page, between its marks.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.city import City
from data.derived import TravelTimes
from geo.regions import assign_regions
from models.compliance import ComplianceTable, rate_list, solve_compliance
from models.compliance_moves import how_often_chosen
from models.coverage import Demand, drive_seconds
from models.demand import demand_from_calls, demand_from_population, distinct_places

PAGE = Path(__file__).parents[1] / "docs" / "methods" / "siting.md"
START, END = "<!-- tables: python -m benchmarks.staging_tables -->", "<!-- end of tables -->"
SPEEDS = (0.8, 1.0, 1.2)
FEW_MOVES = 2
COLUMNS = ("City", "reordered", "two moves", "suggested", "free")

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Target:
    """A promise, as seconds left for driving."""

    name: str
    drive_s: float


@dataclass(frozen=True, eq=False)
class Ground:
    """What all tables stand on: the city, its 54 posts' times, and both demands."""

    city: City
    rows_s: npt.NDArray[np.float32]
    post_access_m: npt.NDArray[np.float64]
    demands: dict[str, Demand]
    today: list[int]
    names: list[str]

    def reach(self, target: Target, demand: str, speed: float) -> BoolArray:
        """(n, n_posts) whether a unit at a post reaches a place in time, as the staging page counts it."""
        profile = self.city.profile
        factor = profile.siren_factor * float(np.mean(profile.hour_factors)) * speed
        seconds = drive_seconds(
            np.asarray(self.rows_s) / np.float32(factor), self.demands[demand], access_kph=profile.access_kph
        )
        away_s = self.post_access_m / (profile.access_kph / 3.6)
        return np.asarray(seconds + away_s[:, None] <= target.drive_s).T


@dataclass(frozen=True)
class Run:
    """The lists under one target, demand and speed."""

    target: Target
    demand: str
    speed: float
    today: ComplianceTable
    reordered: ComplianceTable
    few_moves: ComplianceTable
    suggested: ComplianceTable


def targets(city: City) -> tuple[Target, Target]:
    """Give the study's 8 minutes of driving, and the city's own standard less handling and turnout."""
    profile = city.profile
    own = profile.standards[0].minutes
    left_s = own * 60 - profile.call_handling_s - profile.turnout_s
    return (
        Target("8 minutes of driving, the target of the 2017 study", 480.0),
        Target(f"{own:.0f} minutes from the call, which leaves {left_s / 60:.0f} minutes of driving", left_s),
    )


def ground(city: City) -> Ground:
    """Prepare a city, as the staging page does."""
    network, posts = city.network, city.table("posts").reset_index(drop=True)
    areas = city.areas("neighborhoods")
    calls = city.table("calls")
    places, place_of_call = distinct_places(calls["lon"], calls["lat"])
    region = assign_regions(places[:, 0], places[:, 1], areas.geometry.to_numpy())
    node, access_m = network.snap(places[:, 0], places[:, 1])
    kept = np.flatnonzero(network.main)
    home = assign_regions(network.node_lon[kept], network.node_lat[kept], areas.geometry.to_numpy())
    people = areas["population"].to_numpy(dtype=float, na_value=np.nan)
    rows_s, post_access_m = TravelTimes(city).from_candidates(posts)
    ranked = posts[posts["baseline_rank"].notna()].sort_values("baseline_rank")
    return Ground(
        city=city,
        rows_s=rows_s,
        post_access_m=post_access_m,
        demands={
            "calls": demand_from_calls(node, access_m, region, place_of_call),
            "population": demand_from_population(kept, home, people),
        },
        today=[int(row) for row in ranked.index],
        names=[str(name) for name in posts["name"]],
    )


def make_runs(base: Ground) -> list[Run]:
    """Solve every combination of target, demand and speed."""
    runs = []
    p = len(base.today)
    for target in targets(base.city):
        for demand in base.demands:
            for speed in SPEEDS:
                reach, weight = base.reach(target, demand, speed), base.demands[demand].weight
                runs.append(
                    Run(
                        target=target,
                        demand=demand,
                        speed=speed,
                        today=rate_list(reach, weight, base.today),
                        reordered=solve_compliance(reach, weight, p, baseline=base.today, max_moves=0),
                        few_moves=solve_compliance(
                            reach, weight, p, baseline=base.today, max_moves=FEW_MOVES
                        ),
                        suggested=solve_compliance(reach, weight, p),
                    )
                )
                sys.stderr.write(f"{target.drive_s:.0f} s, {demand}, x{speed}\n")
    return runs


def page_lines(base: Ground, runs: list[Run]) -> Iterator[str]:
    """Give the tables as Markdown."""
    for target in targets(base.city):
        yield from ("", f"### {target.name[0].upper()}{target.name[1:]}")
        for demand in base.demands:
            mine = [run for run in runs if run.target == target and run.demand == demand]
            yield from _levels(demand, mine)
        here = [run for run in runs if run.target == target]
        yield from _lists(base, here)
        yield from _chosen(base, here)
    yield from _elsewhere(base, runs)


def _levels(demand: str, runs: list[Run]) -> Iterator[str]:
    yield from ("", f"Share of {demand} reached with k units free, %:", "")
    yield (
        "| k | " + " | ".join(" | ".join(f"{name} x{run.speed:g}" for name in COLUMNS) for run in runs) + " |"
    )
    yield "|---" * (1 + len(COLUMNS) * len(runs)) + "|"

    def share(value: float, run: Run) -> str:
        return f"{100 * value / run.today.total:.1f}"

    for k in range(len(runs[0].today.levels)):
        cells = []
        for run in runs:
            plans = (run.today, run.reordered, run.few_moves, run.suggested)
            cells += [share(plan.levels[k].covered, run) for plan in plans]
            cells.append(share(run.suggested.levels[k].free_covered, run))
        yield f"| {k + 1} | {' | '.join(cells)} |"
    means = []
    for run in runs:
        means += [
            share(plan.objective, run) for plan in (run.today, run.reordered, run.few_moves, run.suggested)
        ]
        means.append(share(run.suggested.objective + run.suggested.price_of_nesting, run))
    yield f"| mean | {' | '.join(means)} |"


def _lists(base: Ground, runs: list[Run]) -> Iterator[str]:
    def named(sites: tuple[int, ...]) -> str:
        return ", ".join(base.names[site] for site in sites)

    yield from ("", "| Demand, speed | List | First to last | Proven |", "|---|---|---|---|")
    for run in runs:
        head = f"{run.demand}, x{run.speed:g}"
        for what, plan in (
            ("reordered", run.reordered),
            ("two moves", run.few_moves),
            ("suggested", run.suggested),
        ):
            proven = "yes" if plan.gap == 0 else f"within {plan.gap:.2%}"
            yield f"| {head} | {what} | {named(plan.sites)} | {proven} |"


def _chosen(base: Ground, runs: list[Run]) -> Iterator[str]:
    """How often each post is chosen over the speeds and demands, in both kinds of list."""
    count = len(runs)
    columns = {
        "suggested": [run.suggested.sites for run in runs],
        "two moves": [run.few_moves.sites for run in runs],
    }
    often = {name: how_often_chosen(plans, len(base.names)) for name, plans in columns.items()}
    first = how_often_chosen([plan[:4] for plan in columns["suggested"]], len(base.names))
    order = np.lexsort((-often["two moves"], -often["suggested"]))
    yield from (
        "",
        f"How often each post is in the list, of {count} (three speeds, both demands); the others are never:",
        "",
        "| Post | in the City's list | suggested | of these among the first 4 | two moves |",
        "|---|---|---|---|---|",
    )
    for site in order:
        if often["suggested"][site] or often["two moves"][site]:
            today = base.today.index(site) + 1 if site in base.today else ""
            yield (
                f"| {base.names[site]} | {today} | {often['suggested'][site] * count:.0f} | "
                f"{first[site] * count:.0f} | {often['two moves'][site] * count:.0f} |"
            )


def _elsewhere(base: Ground, runs: list[Run]) -> Iterator[str]:
    """Rate the list made for calls at the assumed speeds under all other assumptions."""
    yield from (
        "",
        "### The list made for calls at the assumed speeds, under other assumptions",
        "",
        "Mean share reached over k = 1 to 8, %. A list good under one assumption only would show here.",
        "",
        "| Drive | Demand, speed | City's list | two moves | suggested | best list for this row |",
        "|---|---|---|---|---|---|",
    )
    for target in targets(base.city):
        made = next(r for r in runs if r.target == target and r.demand == "calls" and r.speed == 1.0)
        for run in (run for run in runs if run.target == target):
            reach, weight = base.reach(target, run.demand, run.speed), base.demands[run.demand].weight
            moved, suggested = (
                rate_list(reach, weight, plan.sites) for plan in (made.few_moves, made.suggested)
            )
            cells = [
                f"{100 * plan.objective / plan.total:.1f}"
                for plan in (run.today, moved, suggested, run.suggested)
            ]
            yield f"| {target.drive_s / 60:.0f} min | {run.demand}, x{run.speed:g} | {' | '.join(cells)} |"


def main() -> None:
    """Make the tables and show them, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("city", type=Path, help="folder of the city imported from the extract")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    arguments = parser.parse_args()
    base = ground(City.open(arguments.city))
    text = "\n".join(page_lines(base, make_runs(base)))
    if not arguments.write:
        sys.stdout.write(text + "\n")
        return
    page = PAGE.read_text(encoding="utf-8")
    before, after = page[: page.index(START) + len(START)], page[page.index(END) :]
    PAGE.write_text(f"{before}\n{text}\n\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
