"""Queue model and simulator on the app's own plan: equal under its assumptions, apart without them."""

from pathlib import Path

import pytest

from benchmarks.queue_tables import CASES, PlanCase, Relaxed, plan_case
from data.city import City
from models.dispatch import Replications

CONFIDENCE = 0.999
"""A dozen figures are looked at together."""
WEEKS = 300

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(demo_city_dir: Path) -> PlanCase:
    return plan_case(City.open(demo_city_dir))


def _inside(runs: Replications, name: str, value: float) -> bool:
    figure = runs.interval(name, confidence=CONFIDENCE)
    return figure.low <= value <= figure.high


def _agree(case: PlanCase) -> None:
    runs = case.simulate(Relaxed(), weeks=WEEKS)
    exact, coverage = case.queue(exact=True)
    near, near_coverage = case.queue(exact=False)
    for name, value in {
        "in_time": coverage.share,
        "waited": exact.waiting,
        "wait_min": 60 * exact.mean_wait,
        "drive_min": coverage.mean_travel_s / 60,
        "busy": exact.workload.mean(),
        **{f"busy_{row}": share for row, share in enumerate(exact.workload)},
    }.items():
        assert _inside(runs, name, value), name
    # Waiting is Erlang's in both models; who is sent is not.
    for name, value in {
        "waited": near.waiting,
        "wait_min": 60 * near.mean_wait,
        "busy": near.workload.mean(),
    }.items():
        assert _inside(runs, name, value), name
    assert near_coverage.share == pytest.approx(runs.interval("in_time").mean, abs=0.015)
    assert near.workload == pytest.approx(exact.workload, abs=0.03)


def test_the_demos_plan_under_the_queues_assumptions(demo: PlanCase) -> None:
    _agree(demo)


@pytest.mark.extract
def test_the_extracts_plan_under_the_queues_assumptions(extract_city_dir: Path) -> None:
    _agree(plan_case(City.open(extract_city_dir)))


def test_each_assumption_let_go_moves_the_figures_its_own_way(demo: PlanCase) -> None:
    found = {name: demo.simulate(relaxed, weeks=WEEKS) for name, relaxed in CASES.items()}
    own, rhythm, _, _, home, together = found.values()

    def low_high(runs: Replications, figure: str) -> tuple[float, float]:
        of = runs.interval(figure, confidence=CONFIDENCE)
        return of.low, of.high

    # Busy hours cost more than quiet hours give; a unit on the road is farther than one at its post.
    assert low_high(rhythm, "in_time")[1] < low_high(own, "in_time")[0]
    assert low_high(rhythm, "waited")[0] > low_high(own, "waited")[1]
    assert low_high(home, "drive_min")[0] > low_high(own, "drive_min")[1]
    assert low_high(together, "in_time")[1] < low_high(rhythm, "in_time")[0]
