"""Siting against spopt's MCLP and against Daskin's program handed to HiGHS in one piece."""

from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt
import pulp
import pytest
from spopt.locate import MCLP

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from data.city import City
from data.derived import TravelTimes
from models.compliance import solve_compliance
from models.demand import distinct_places
from models.siting import solve_mclp, solve_mexclp, solve_p_median
from models.siting_cover import gains, make_cover, solve_by_milp
from models.siting_rules import Columns

WITHIN_S = 480.0
UNITS = 8


@dataclass(frozen=True, eq=False)
class Nodes:
    """Every node with calls: (n, 54) seconds of driving from the posts, and (n,) calls."""

    seconds: npt.NDArray[np.float64]
    calls: npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def nodes(city: City) -> Nodes:
    """Return the extract's demand nodes and the times from its 54 posts at the profile's speeds."""
    network, calls = city.network, city.table("calls")
    rows_s, _ = TravelTimes(city).from_candidates(city.table("posts"))
    places, place_of_call = distinct_places(calls["lon"], calls["lat"])
    at_node = np.bincount(
        network.snap(places[:, 0], places[:, 1])[0][place_of_call], minlength=network.n_nodes
    )
    held = np.flatnonzero(at_node)
    return Nodes(np.asarray(rows_s)[:, held].T.astype(np.float64), at_node[held].astype(np.float64))


@pytest.mark.extract
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_best_eight_of_all_posts(benchmark: Benchmark, report: Report, nodes: Nodes) -> None:
    """From a table of true and false to a proven plan, with merging; spopt builds and solves as well."""
    found = benchmark.pedantic(
        lambda: solve_mclp(nodes.seconds <= WITHIN_S, nodes.calls, UNITS), rounds=9, warmup_rounds=1
    )
    mine_s = benchmark.stats.stats.median
    assert (found.status, found.gap) == ("optimal", 0.0)

    def theirs() -> float:
        model = MCLP.from_cost_matrix(nodes.seconds, nodes.calls, WITHIN_S, p_facilities=UNITS)
        solved = model.solve(pulp.HiGHS(msg=False, gapRel=0.0))
        return float(pulp.value(solved.problem.objective))

    peer_s, objective = seconds_of(theirs, rounds=1)
    assert objective == pytest.approx(found.objective)
    n, sites = nodes.seconds.shape
    report(
        f"Best {UNITS} of {sites} posts over {n:,} demand nodes (MCLP), proven",
        f"{mine_s:.3f} s",
        f"spopt's MCLP, HiGHS through PuLP (`pulp.HiGHS`), same objective: {peer_s:.1f} s, "
        f"{peer_s / mine_s:.0f} times",
        "under 0.5 s and at least 30 times as fast",
        mine_s < 0.5 and peer_s / mine_s >= 30,
        headline=True,
    )


def _town(within: float, *, crowded: bool) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    random = np.random.default_rng(2)
    if crowded:
        centres = random.random((8, 2))
        points = np.clip(centres[random.integers(8, size=2000)] + random.normal(0, 0.1, (2000, 2)), 0, 1)
        sites = points[random.choice(2000, 500, replace=False)] + random.normal(0, 0.02, (500, 2))
    else:
        sites, points = random.random((500, 2)), random.random((2000, 2))
    near = np.linalg.norm(points[:, None] - sites[None], axis=2) <= within
    return near, random.integers(1, 100, 2000).astype(np.float64)


def test_twelve_busy_units_on_five_hundred_sites(report: Report) -> None:
    """Made towns with short and long reach, and idle to busy units."""
    plans = [
        solve_mexclp(*_town(within, crowded=False), 12, busy)
        for within in (0.1, 0.15, 0.2)
        for busy in (0.1, 0.3, 0.5)
    ]
    assert {plan.status for plan in plans} == {"optimal"}
    taken = [plan.seconds for plan in plans]
    reach, weight = _town(0.2, crowded=False)
    columns = Columns(np.arange(500), np.zeros(500, int), np.full(500, 12), np.zeros(500, bool), 12, 0)
    cover = make_cover(reach, weight, gains(0.3, 12), columns)
    peer_s, peer = seconds_of(lambda: solve_by_milp(cover, time_limit_s=120), rounds=1)
    mine = solve_mexclp(reach, weight, 12, 0.3)
    assert cover.value(peer.units) <= mine.bound * (1 + 1e-9)
    report(
        f"MEXCLP, 500 sites x 2,000 points x 12 units, proven; {len(plans)} made towns",
        f"median {median(taken):.1f} s, longest {max(taken):.1f} s",
        f"the same program handed to HiGHS in one piece, one town: {peer_s:.1f} s ({peer.status}) "
        f"against {mine.seconds:.1f} s",
        "under 5 s",
        max(taken) < 5,
        headline=True,
    )


def test_crowded_towns_with_a_time_limit(report: Report) -> None:
    """The hard case: demand around eight centres, where many plans are nearly as good as the best."""
    plans = [
        solve_mexclp(*_town(within, crowded=True), 12, busy, time_limit_s=5)
        for within in (0.1, 0.15, 0.2)
        for busy in (0.1, 0.3, 0.5)
    ]
    proven = sum(plan.status == "optimal" for plan in plans)
    report(
        f"The same with a limit of 5 s in {len(plans)} towns crowded around eight centres",
        f"{proven} proven, largest gap {max(plan.gap for plan in plans):.3%}",
        "none",
        "reported",
        met=True,
    )


@pytest.mark.extract
def test_nested_list_and_p_median(report: Report, nodes: Nodes) -> None:
    reach = nodes.seconds <= WITHIN_S
    listed_s, table = seconds_of(lambda: solve_compliance(reach, nodes.calls, UNITS), rounds=3)
    assert table.status == "optimal"
    median_s, plan = seconds_of(lambda: solve_p_median(nodes.seconds, nodes.calls, UNITS), rounds=3)
    assert plan.status == "optimal"
    report(
        f"Nested list of {UNITS} posts, proven over all levels, with the free optimum at each",
        f"{listed_s:.1f} s",
        "none",
        "reported",
        met=True,
    )
    report(
        f"p-median, {UNITS} of {nodes.seconds.shape[1]} posts over {len(nodes.calls):,} nodes, proven",
        f"{median_s:.2f} s",
        "none",
        "reported",
        met=True,
    )
