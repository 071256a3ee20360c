"""One plan by queue model and simulator, assumption by assumption: tables of docs/methods/staging.md.

Run ``python -m benchmarks.queue_tables CITY ...`` with folders of cities.

The queue model (:mod:`models.queueing`) takes calls as a Poisson stream that never changes, time on a call as
exponential with one mean, and every freed unit as back at its post at once. Under just that the simulator
must give the same figures. Then one assumption at a time is let go.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.city import City
from models.busy_coverage import BusyCoverage, busy_coverage
from models.busy_plan import Workload
from models.dispatch import CallRates, Draw, Replications, ServiceTimes, replicate
from models.dispatch_run import Outcome
from models.dispatch_thin import unit_minutes
from models.queueing import Hypercube, hypercube, hypercube_approx, preference_by_time
from models.scenario import Scenario
from models.staging import Conditions
from pages.parts.staging_inputs import StagingInputs, StagingView, prepare_staging, view_scenario
from pages.parts.staging_world import Week, World, make_world, plan_week

INSTANT = 1e-6
"""A drive takes this share of its minutes where the model has none; the choice of the unit stays the same."""

DAY_MIN = 1440.0
WEEKS = 400
SEED = 20_251_122

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Relaxed:
    """Which assumptions of the queue model are let go.

    Attributes
    ----------
    rhythm
        Calls follow the hours of the week.
    times
        Time on a call is drawn from the city's own, with the same mean; where it gives none it is always the
        mean.
    far
        A call keeps its unit for its own drive: the rest of the mean is exponential.
    home
        Units drive home, without siren, and answer from the road.
    """

    rhythm: bool = False
    times: bool = False
    far: bool = False
    home: bool = False


CASES: Mapping[str, Relaxed] = {
    "The queue's own assumptions": Relaxed(),
    "Calls follow the week's rhythm": Relaxed(rhythm=True),
    "Time on a call as observed (without records: always the mean)": Relaxed(times=True),
    "A far call keeps its unit longer; a waiting call is answered from where the unit is": Relaxed(far=True),
    "Units drive home and answer from the road": Relaxed(home=True),
    "Rhythm, far calls and drives home together": Relaxed(rhythm=True, far=True, home=True),
}


@dataclass(frozen=True, eq=False)
class PlanCase:
    """A city's plan of today, for the queue model and for the simulator alike."""

    inputs: StagingInputs
    today: Scenario
    view: StagingView
    world: World
    week: Week
    workload: Workload

    @property
    def conditions(self) -> Conditions:
        """What holds for the plan."""
        return self.view.conditions

    @property
    def travel_min(self) -> FloatArray:
        """(n_cells, n_units) siren minutes from each unit's post."""
        posts = np.asarray(self.week.units["post"])
        minutes: FloatArray = self.week.travel_min[0][posts, : self.world.n_cells].T
        return minutes

    @property
    def left_min(self) -> float:
        """Minutes of the target that are left for waiting and driving."""
        return self.conditions.budget_s() / 60 - self.world.shape.access_min

    def queue(self, *, exact: bool) -> tuple[Hypercube, BusyCoverage]:
        """Solve the queue model of the plan."""
        rate = self.workload.calls_per_hour * self.world.shape.share
        travel = self.travel_min
        model = hypercube if exact else hypercube_approx
        found = model(rate, preference_by_time(travel), 60 / self.workload.busy_min, queue=True)
        return found, busy_coverage(found, rate, 60 * travel, 60 * self.left_min)

    def simulate(self, relaxed: Relaxed, *, weeks: int = WEEKS) -> Replications:
        """Simulate the plan under the queue model's assumptions but those that are let go."""
        shape, busy_min, travel = self.world.shape, self.workload.busy_min, self.travel_min
        profile = shape.profile if relaxed.rhythm else np.ones(168)
        per_h = self.workload.calls_per_hour * shape.share[:, None] * profile
        _, coverage = self.queue(exact=len(travel.T) <= 12)
        rest_min = busy_min - (coverage.mean_travel_s / 60 if relaxed.far else 0.0)
        on_scene = self._observed() if relaxed.times else Draw.exponential(rest_min)
        drive = 1.0 if relaxed.far else INSTANT
        at_post = not (relaxed.far or relaxed.home)

        def figures(outcome: Outcome, since: float) -> Mapping[str, float]:
            counted = (outcome.calls.call_min >= since) & outcome.served
            unit, place = outcome.unit[counted], outcome.calls.place[counted]
            wait = (outcome.assigned - outcome.calls.ready_min)[counted]
            way = travel[place, unit] if at_post else outcome.drive[counted] / drive
            minutes = unit_minutes(outcome, since=since)
            busy = minutes.busy / minutes.on_duty
            found = {
                "in_time": float((wait + way <= self.left_min).mean()),
                "waited": float((wait > 0).mean()),
                "wait_min": float(wait.mean()),
                "drive_min": float(way.mean()),
                "busy": float(busy.mean()),
            }
            return found | {f"busy_{row}": float(share) for row, share in enumerate(busy)}

        return replicate(
            CallRates(per_h, np.arange(self.world.n_cells)),
            self.week.units,
            None,
            self.week.travel_min,
            None,
            seed=SEED,
            replications=weeks,
            minutes=9 * DAY_MIN,
            warm_up_min=2 * DAY_MIN,
            figures=figures,
            home_factor=self.week.rules["home_factor"] if relaxed.home else INSTANT,
            road_turnout=False,
            times=ServiceTimes(on_scene, drive_factor=Draw.fixed(drive)),
        )

    def _observed(self) -> Draw:
        """Draw time on a call as the city's records have it, stretched to the workload's mean."""
        mean = self.workload.busy_min
        if not self.inputs.city.has("unit_responses"):
            return Draw.fixed(mean)
        table = self.inputs.city.table("unit_responses")
        table = table[table["available_at"].notna() & ~table["cancelled"].fillna(value=False)]
        minutes = (table["available_at"] - table["assigned_at"]).dt.total_seconds().to_numpy() / 60
        minutes = minutes[minutes >= 0]
        return Draw.sample(minutes * (mean / minutes.mean()))


def plan_case(city: City, *, calls_share: float = 1.0) -> PlanCase:
    """Prepare today's plan of a city; ``calls_share`` multiplies its calls."""
    inputs = prepare_staging(city)
    today = Scenario(city.slug)
    view, workload = view_scenario(inputs, today), inputs.workload(today)
    assert workload is not None, "the city says neither how busy its units are nor what to assume"
    workload = replace(workload, calls_per_hour=calls_share * workload.calls_per_hour)
    # The queue model knows one speed of the whole week.
    world = make_world(inputs, today, view, by_band=False)
    week = plan_week(world, view.plan, today, workload)
    return PlanCase(inputs, today, view, world, week, workload)


def table(case: PlanCase) -> list[str]:
    """Give the plan's table as Markdown."""
    lines = [
        "| | in time | calls that wait | mean wait, min | mean drive, min | units busy | busiest unit |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, exact in (("Queue, exact", True), ("Queue, approximation", False)):
        found, coverage = case.queue(exact=exact)
        lines.append(
            f"| {name} | {coverage.share:.1%} | {found.waiting:.1%} | {60 * found.mean_wait:.2f} | "
            f"{coverage.mean_travel_s / 60:.2f} | {found.workload.mean():.1%} | {found.workload.max():.1%} |"
        )
    busiest = int(case.queue(exact=True)[0].workload.argmax())
    for name, relaxed in CASES.items():
        runs = case.simulate(relaxed)
        cells = []
        for figure, scale, unit in (
            ("in_time", 100, " %"),
            ("waited", 100, " %"),
            ("wait_min", 1, ""),
            ("drive_min", 1, ""),
            ("busy", 100, " %"),
            (f"busy_{busiest}", 100, " %"),
        ):
            of = runs.interval(figure)
            digits = 1 if scale == 100 else 2
            cells.append(f"{scale * of.mean:.{digits}f}{unit} ± {scale * (of.high - of.mean):.{digits}f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    banded = plan_week(
        make_world(case.inputs, case.today, case.view), case.view.plan, case.today, case.workload
    )
    for name, week in (
        ("The app's simulated weeks, at one speed", case.week),
        ("The app's simulated weeks", banded),
    ):
        app = week.replicate(WEEKS, case.conditions.target_min, lambda _: None)
        shown = [app.interval(figure) for figure in ("within_target", "waited", "wait_min", "utilisation")]
        in_time, waited, busy = (
            f"{100 * of.mean:.1f} % ± {100 * (of.high - of.mean):.1f}"
            for of in (shown[0], shown[1], shown[3])
        )
        wait = f"{shown[2].mean:.2f} ± {shown[2].high - shown[2].mean:.2f}"
        lines.append(f"| {name} | {in_time} | {waited} | {wait} | | {busy} | |")
    return lines


def main() -> None:
    """Print the tables of the cities named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("city", nargs="+", type=Path)
    parser.add_argument("--calls", type=float, default=1.0, help="multiply the calls")
    options = parser.parse_args()
    for folder in options.city:
        case = plan_case(City.open(folder), calls_share=options.calls)
        print(f"\n{folder.name}: {case.workload}, {len(case.week.units)} units, {WEEKS} weeks\n")  # noqa: T201
        print("\n".join(table(case)))  # noqa: T201


if __name__ == "__main__":
    main()
