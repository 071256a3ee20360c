import inspect
from itertools import combinations, permutations
from random import Random
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pandas as pd
import pulp
import pytest
from hypothesis import given
from spopt.locate import LSCP, MCLP, PCenter, PMedian

from errors import InvalidInputError
from models import siting
from models.siting import Siting, solve_lscp, solve_mclp, solve_mexclp, solve_p_center, solve_p_median
from models.siting_branch import solve_by_branching
from models.siting_cover import Cover, gains, make_cover, solve_by_milp
from models.siting_rules import Columns
from tests.models.siting_cases import Case, cases

busy_shares = st.sampled_from([0.0, 0.2, 0.5, 0.9])


def _proven(found: Siting, best: float) -> None:
    """The objective is the best by count, and the bound is no better than the truth."""
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert found.bound == pytest.approx(best, rel=1e-8, abs=1e-9)
    assert found.gap == pytest.approx(0.0, abs=1e-8)


@given(cases(), busy_shares, st.sampled_from([1, 2, None]), st.sampled_from(["milp", "branching"]))
def test_mclp_and_mexclp_equal_counting_all_plans(
    case: Case, busy: float, most: int | None, way: str
) -> None:
    plans = list(case.plans(most or case.units))
    with pytest.MonkeyPatch.context() as patch:
        if way == "branching":  # both ways of solving must give the same
            patch.setattr(siting, "MOST_MILP_COLUMNS", -1)
        if not plans:
            with pytest.raises(InvalidInputError):
                solve_mexclp(case.reach, case.weight, case.units, busy, max_per_site=most, **case.rules)
            return
        found = solve_mexclp(case.reach, case.weight, case.units, busy, max_per_site=most, **case.rules)
        if busy == 0:
            assert found.objective == pytest.approx(
                solve_mclp(case.reach, case.weight, case.units, max_per_site=most, **case.rules).objective
            )
    _proven(found, max(case.held(plan, busy).sum() for plan in plans))
    units_at = case.at(found.sites)
    assert any((units_at == plan).all() for plan in plans)
    assert found.objective == pytest.approx(case.held(units_at, busy).sum(), abs=1e-9)
    assert found.unreachable == pytest.approx(case.weight[~case.reachable()].sum())
    assert found.moves == (case.moves(units_at) if "baseline" in case.rules else None)


@given(
    cases(), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.4, 0.8])
)
def test_lifting_the_worst_group_equals_counting_all_plans(
    case: Case, busy: float, lift: float, floor: float
) -> None:
    reachable = case.reachable()
    groups = [
        inside for group in range(3) if case.weight[inside := reachable & (case.group == group)].sum() > 0
    ]

    def rated(plan: npt.NDArray[np.int64]) -> tuple[float, float]:
        held = case.held(plan, busy)
        if not groups:
            return held.sum(), 1.0
        worst = min(held[inside].sum() / case.weight[inside].sum() for inside in groups)
        return (1 - lift) * held.sum() + lift * case.weight[reachable].sum() * worst, worst

    plans = [rated(plan) for plan in case.plans(1)]
    fair = [value for value, worst in plans if worst >= floor - 1e-9]
    call = {"group": case.group, "lift": lift, "floor": floor, "max_per_site": 1, **case.rules}
    if not fair:
        with pytest.raises(InvalidInputError, match=r"least share|cannot be solved") as caught:
            solve_mexclp(case.reach, case.weight, case.units, busy, **call)
        if plans:
            assert f"{max(worst for _, worst in plans):.1%}" in str(caught.value)
        return
    _proven(solve_mexclp(case.reach, case.weight, case.units, busy, **call), max(fair))


@given(cases())
def test_p_median_equals_counting_all_plans(case: Case) -> None:
    used = np.isfinite(case.cost[:, case.allowed()]).any(axis=1) & (case.weight > 0)

    def cost(plan: npt.NDArray[np.int64]) -> float:
        near = case.cost[used][:, plan > 0].min(axis=1)
        return float((case.weight[used] * near).sum())

    costs = [cost(plan) for plan in case.plans(1)]
    if not np.isfinite(costs).any():
        with pytest.raises(InvalidInputError):
            solve_p_median(case.cost, case.weight, case.units, **case.rules)
        return
    found = solve_p_median(case.cost, case.weight, case.units, **case.rules)
    _proven(found, min(costs))
    assert cost(case.at(found.sites)) == pytest.approx(found.objective, abs=1e-9)
    out = ~np.isfinite(case.cost[:, case.allowed()]).any(axis=1)
    assert found.unreachable == pytest.approx(case.weight[out].sum())


@given(cases())
def test_p_center_equals_counting_all_plans(case: Case) -> None:
    used = np.isfinite(case.cost[:, case.allowed()]).any(axis=1)

    def farthest(plan: npt.NDArray[np.int64]) -> float:
        return float(case.cost[used][:, plan > 0].min(axis=1).max()) if used.any() else 0.0

    costs = [farthest(plan) for plan in case.plans(1)]
    if not np.isfinite(costs).any():
        with pytest.raises(InvalidInputError):
            solve_p_center(case.cost, case.units, **case.rules)
        return
    found = solve_p_center(case.cost, case.units, **case.rules)
    _proven(found, min(costs))
    assert farthest(case.at(found.sites)) == found.objective
    assert found.unreachable == (~used).sum()


@given(cases())
def test_lscp_equals_counting_all_plans(case: Case) -> None:
    rules = case.rules
    reachable = case.reachable()
    sizes = [
        size
        for size in range(case.n_sites + 1)
        for sites in combinations(case.allowed(), size)
        if set(rules["fixed"]) <= set(sites)
        and len(set(sites) - set(rules.get("baseline", sites))) <= rules.get("max_moves", case.n_sites)
        and (case.reach[:, list(sites)].any(axis=1) >= reachable).all()
    ]
    if not sizes or not case.allowed():
        with pytest.raises(InvalidInputError):
            solve_lscp(case.reach, **rules)
        return
    found = solve_lscp(case.reach, **rules)
    _proven(found, min(sizes))
    assert len(found.sites) == min(sizes)
    assert found.unreachable == (~reachable).sum()
    if "baseline" in rules:
        assert found.moves == len(set(found.sites) - set(rules["baseline"]))


def _town(seed: int, n: int, n_sites: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    demand, sites = random.random((n, 2)), random.random((n_sites, 2))
    return np.linalg.norm(demand[:, None] - sites[None], axis=2), random.integers(1, 60, n).astype(float)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pulp", "ignore::DeprecationWarning:spopt")
@pytest.mark.parametrize("seed", range(3))
def test_spopt_agrees_on_middle_sizes(seed: int) -> None:
    cost, weight = _town(seed, 150, 25)
    solver = pulp.HiGHS(msg=False)
    reach = cost <= 0.2

    def theirs(model: MCLP | PMedian | PCenter | LSCP) -> float:
        return float(pulp.value(model.solve(solver).problem.objective))

    mclp = MCLP.from_cost_matrix(cost, weight, 0.2, p_facilities=5)
    assert solve_mclp(reach, weight, 5).objective == pytest.approx(theirs(mclp))
    median = PMedian.from_cost_matrix(cost, weight, p_facilities=5)
    assert solve_p_median(cost, weight, 5).objective == pytest.approx(theirs(median))
    center = PCenter.from_cost_matrix(cost, p_facilities=5)
    assert solve_p_center(cost, 5).objective == pytest.approx(theirs(center))
    within = float(cost.min(axis=1).max()) * 1.3
    assert solve_lscp(cost <= within).objective == pytest.approx(theirs(LSCP.from_cost_matrix(cost, within)))


@pytest.mark.parametrize("busy", [0.0, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("seed", range(2))
def test_branching_agrees_with_one_integer_program(seed: int, busy: float) -> None:
    """Large enough for several nodes, levels that must widen, and units that must stay."""
    cost, weight = _town(seed, 120, 30)
    weight += seed * np.random.default_rng(seed).random(len(weight))
    columns = Columns(
        site=np.arange(30),
        lower=(np.arange(30) == 7).astype(np.int64),
        upper=np.full(30, 2),
        kept=np.arange(30) < 10,
        units=7,
        need=3,
    )
    cover: Cover = make_cover(cost <= 0.25, weight, gains(busy, 7), columns)
    tree, whole = (solve(cover, time_limit_s=None) for solve in (solve_by_branching, solve_by_milp))
    assert cover.value(tree.units) == pytest.approx(cover.value(whole.units), rel=1e-9)
    assert tree.bound == pytest.approx(whole.bound, rel=1e-7)
    assert tree.units.sum() == 7
    assert tree.units[:10].sum() >= 3
    assert tree.units[7] >= 1


@given(cases(rules=False), st.randoms(use_true_random=False), busy_shares)
def test_the_order_of_rows_and_their_splitting_do_not_matter(case: Case, random: Random, busy: float) -> None:
    """Not even by rounding: same sites, same bits."""
    n = len(case.weight)
    order = list(range(n)) + random.sample(range(n), random.randrange(n + 1))
    random.shuffle(order)
    # Halves of halves are exact in binary.
    share = np.array([1 / 2 ** (order.count(row) - 1) for row in order])
    split, parts = case.reach[order], case.weight[order] * share
    for mine, other in (
        (
            solve_mexclp(case.reach, case.weight, case.units, busy),
            solve_mexclp(split, parts, case.units, busy),
        ),
        (solve_lscp(case.reach), solve_lscp(split)),
    ):
        assert (mine.sites, mine.objective) == (other.sites, other.objective)
    if np.isfinite(case.cost).all():
        p = min(case.units, case.n_sites)
        mine, other = solve_p_median(case.cost, case.weight, p), solve_p_median(case.cost[order], parts, p)
        assert (mine.sites, mine.objective) == (other.sites, other.objective)


def test_ties_go_to_the_lowest_sites() -> None:
    reach = np.ones((3, 6), dtype=bool)
    assert solve_mclp(reach, np.ones(3), 2).sites == (0, 1)
    assert solve_mexclp(reach, np.ones(3), 3, 0.5, max_per_site=1).sites == (0, 1, 2)
    assert solve_lscp(reach).sites == (0,)
    assert solve_p_median(np.ones((3, 6)), np.ones(3), 2).sites == (0, 1)
    assert solve_p_center(np.ones((3, 6)), 2).sites == (0, 1)
    assert solve_mclp(np.zeros((2, 4), dtype=bool), np.ones(2), 2, forbidden=[0]).sites == (1, 2)


def test_several_units_may_share_a_site() -> None:
    """One site reaches all: with busy units the second one is worth more there than anywhere else."""
    reach = np.array([[True, True, False], [True, False, True], [True, False, False]])
    found = solve_mexclp(reach, np.array([1.0, 1.0, 8.0]), 2, 0.5)
    assert found.sites == (0, 0)
    assert found.objective == pytest.approx(10 * 0.75)
    assert solve_mexclp(reach, np.array([1.0, 1.0, 8.0]), 2, 0.5, max_per_site=1).sites == (0, 1)


def test_units_at_one_site_count_as_staying_one_by_one() -> None:
    reach = np.array([[True, False, False], [False, True, False], [False, False, True]])
    weight = np.array([0.1, 5.0, 4.0])
    plans = {
        moves: solve_mexclp(reach, weight, 3, 0.1, baseline=[0, 0, 0], max_moves=moves) for moves in range(4)
    }
    assert [plans[moves].moves for moves in range(4)] == [0, 1, 2, 3]
    assert [plan.sites for plan in plans.values()] == [(0, 0, 0), (0, 0, 1), (0, 1, 2), (1, 1, 2)]


def test_more_units_than_today_are_no_moves() -> None:
    reach = np.eye(4, dtype=bool)
    grown = solve_mclp(reach, np.array([1.0, 2, 3, 4]), 3, baseline=[0], max_moves=0)
    assert (grown.sites, grown.moves) == ((0, 2, 3), 0)
    fewer = solve_mclp(reach, np.array([1.0, 2, 3, 4]), 1, baseline=[0, 1], max_moves=0)
    assert (fewer.sites, fewer.moves) == ((1,), 0)


def test_demand_beyond_every_site_is_reported() -> None:
    reach = np.array([[True, False], [False, False], [False, True]])
    found = solve_mclp(reach, np.array([1.0, 7.0, 2.0]), 1, forbidden=[1])
    assert (found.objective, found.unreachable) == (1.0, 9.0)
    none = solve_mclp(reach[1:2], np.array([7.0]), 1)
    assert (none.objective, none.bound, none.gap, none.unreachable) == (0.0, 0.0, 0.0, 7.0)
    assert solve_p_median(np.full((2, 2), np.inf), np.ones(2), 1).unreachable == 2.0
    assert solve_p_center(np.array([[1.0, 2.0], [np.inf, np.inf]]), 1).unreachable == 1.0
    assert solve_lscp(reach).unreachable == 1.0


def test_a_plan_out_of_time_has_a_valid_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    cost, weight = _town(5, 250, 60)
    reach = cost <= 0.2
    best = solve_mexclp(reach, weight, 8, 0.3)
    monkeypatch.setattr(siting, "MOST_MILP_COLUMNS", -1)
    cut = solve_mexclp(reach, weight, 8, 0.3, time_limit_s=1e-9)
    assert cut.status in {"optimal", "time limit"}
    assert cut.objective <= best.objective * (1 + 1e-9) <= cut.bound * (1 + 2e-9)
    assert cut.gap == pytest.approx((cut.bound - cut.objective) / cut.objective)
    median = solve_p_median(cost, weight, 8)
    cut = solve_p_median(cost, weight, 8, time_limit_s=1e-9)
    assert cut.status == "time limit"
    assert cut.bound * (1 - 1e-9) <= median.objective <= cut.objective * (1 + 1e-9)
    center = solve_p_center(cost, 8)
    cut = solve_p_center(cost, 8, time_limit_s=1e-9)
    assert cut.bound <= center.objective <= cut.objective


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("too many units", {"p": 4}),
        ("too many units", {"p": 3, "forbidden": [0]}),
        ("whole number", {"p": 0}),
        ("whole number", {"p": 1.5}),
        ("no demand", {"weight": np.zeros(2)}),
        ("finite", {"weight": np.array([np.nan, 1])}),
        ("finite", {"weight": np.array([-1.0, 1])}),
        ("one number for each", {"weight": np.ones(3)}),
        ("true or false", {"reach": np.array([[0.5, 1, 1], [1, 1, np.nan]])}),
        ("a row for each demand", {"reach": np.ones(3, dtype=bool)}),
        ("not there", {"fixed": [3]}),
        ("site numbers", {"forbidden": ["P01"]}),
        ("both must-have and forbidden", {"fixed": [1], "forbidden": [1]}),
        ("must-have", {"fixed": [0, 1, 2]}),
        ("than a site may hold", {"fixed": [0, 0]}),
        ("than a site may hold", {"baseline": [0, 0]}),
        ("needs a baseline", {"max_moves": 1}),
        ("must-have and forbidden sites alone ask for 1", {"baseline": [0, 1], "max_moves": 0, "fixed": [2]}),
        ("max_moves must be", {"baseline": [0], "max_moves": -1}),
        ("max_per_site must be", {"max_per_site": 0}),
        ("need groups", {"lift": 0.5}),
        ("lift is a share", {"lift": 2.0}),
        ("one whole number for each", {"group": np.zeros(5, dtype=int), "floor": 0.1}),
        ("above zero", {"time_limit_s": 0}),
    ],
)
def test_what_cannot_be_used_is_said(words: str, call: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"reach": np.ones((2, 3), dtype=bool), "weight": np.ones(2), "p": 2, **call}
    with pytest.raises(InvalidInputError, match=words):
        solve_mclp(**arguments)


def test_all_faults_are_said_together() -> None:
    with pytest.raises(InvalidInputError) as caught:
        solve_mclp(np.ones((2, 3), dtype=bool), np.zeros(2), 9, group=[0, 0], lift=3.0)
    for words in ("3 faults", "no demand", "too many units", "lift is a share"):
        assert words in str(caught.value)


def test_other_models_say_what_they_cannot_use() -> None:
    with pytest.raises(InvalidInputError, match="probability"):
        solve_mexclp(np.ones((2, 2), dtype=bool), np.ones(2), 1, 1.0)
    with pytest.raises(InvalidInputError, match="probability"):
        solve_mexclp(np.ones((2, 2), dtype=bool), np.ones(2), 1, float("nan"))
    with pytest.raises(InvalidInputError, match="NaN"):
        solve_p_median(np.array([[np.nan, 1.0]]), np.ones(1), 1)
    with pytest.raises(InvalidInputError, match="zero or more"):
        solve_p_center(np.array([[-1.0, 1.0]]), 1)
    apart = np.where(np.eye(3, dtype=bool), 1.0, np.inf)
    with pytest.raises(InvalidInputError, match="no 2 sites together reach"):
        solve_p_median(apart, np.ones(3), 2)
    with pytest.raises(InvalidInputError, match="no 2 sites together reach"):
        solve_p_center(apart, 2)
    with pytest.raises(InvalidInputError, match="all sites are forbidden"):
        solve_lscp(np.ones((1, 2), dtype=bool), forbidden=[0, 1])
    with pytest.raises(InvalidInputError, match="allow more moves"):
        solve_lscp(np.eye(2, dtype=bool), baseline=[0], max_moves=0)


def test_the_names_that_others_rely_on() -> None:
    assert list(inspect.signature(solve_mclp).parameters)[:3] == ["reach", "weight", "p"]
    assert list(inspect.signature(solve_mexclp).parameters)[:4] == ["reach", "weight", "units", "busy"]
    found = solve_mclp([[1, 0], [0, 1]], [1, 2], 1)
    assert (found.sites, found.objective, found.bound, found.gap) == ((1,), 2.0, 2.0, 0.0)
    assert found.seconds > 0
    assert found == found  # noqa: PLR0124 -- frozen and comparable
    assert len({found}) == 1


def test_sites_may_be_given_as_a_mask() -> None:
    reach = np.eye(4, dtype=bool)
    mask = np.array([False, False, False, True])
    assert solve_mclp(reach, np.array([1.0, 2, 3, 4]), 2, forbidden=mask).sites == (1, 2)


def test_permuted_sites_give_the_permuted_plan() -> None:
    random = np.random.default_rng(1)
    reach, weight = random.random((40, 8)) < 0.3, random.random(40)
    objective = solve_mclp(reach, weight, 3).objective
    for order in list(permutations(range(8)))[:: 8 * 7 * 6 * 5]:
        assert solve_mclp(reach[:, list(order)], weight, 3).objective == pytest.approx(objective)


def test_frames_are_taken_as_tables() -> None:
    frame = pd.DataFrame({"a": [True, False], "b": [False, True]})
    assert solve_mclp(frame, pd.Series([1.0, 3.0]), 1).sites == (1,)
