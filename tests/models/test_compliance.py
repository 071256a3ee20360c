import math
from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from errors import InvalidInputError
from models import compliance_search
from models.compliance import ComplianceTable, rate_list, solve_compliance
from models.compliance_moves import how_often_chosen, moves_curve
from models.siting import solve_mclp
from tests.models.siting_cases import Case, cases

FloatArray = npt.NDArray[np.float64]


def _covered(case: Case, sites: Sequence[int]) -> float:
    return float(case.weight[case.reach[:, list(sites)].any(axis=1)].sum())


def _lists(case: Case) -> list[tuple[int, ...]]:
    """All lists that follow the rules."""
    found = []
    for order in permutations(case.allowed(), case.units):
        units_at = case.at(order)
        limit = case.rules.get("max_moves")
        if set(case.rules.get("fixed", ())) <= set(order) and (
            limit is None or case.moves(units_at) <= limit
        ):
            found.append(order)
    return found


def _value(case: Case, order: tuple[int, ...], chance: FloatArray) -> float:
    return math.fsum(chance[k] * _covered(case, order[: k + 1]) for k in range(len(order)))


@given(cases(max_units=3), st.data())
def test_nested_lists_equal_counting_all_lists(case: Case, data: st.DataObject) -> None:
    chance = np.array(
        data.draw(st.lists(st.integers(0, 5), min_size=case.units, max_size=case.units).filter(any)), float
    )
    chance /= chance.sum()
    orders = _lists(case)
    if not orders:
        with pytest.raises(InvalidInputError):
            solve_compliance(case.reach, case.weight, case.units, chance=chance, **case.rules)
        return
    found = solve_compliance(case.reach, case.weight, case.units, chance=chance, **case.rules)
    best = max(_value(case, order, chance) for order in orders)
    assert found.objective == pytest.approx(best, rel=1e-6, abs=1e-9)
    assert found.bound == pytest.approx(best, rel=1e-6, abs=1e-9)
    assert found.bound >= found.objective
    assert found.status == "optimal"
    assert found.sites in orders
    assert found.objective == pytest.approx(_value(case, found.sites, chance))
    _is_sound(case, found)


def _is_sound(case: Case, table: ComplianceTable) -> None:
    """Each level is the one before and one post more, and never above the free optimum by count."""
    before = 0.0
    for k, level in enumerate(table.levels, start=1):
        assert level.free_units == k == len(level.sites)
        assert level.sites == table.sites[:k]
        assert level.added == table.sites[k - 1]
        assert level.covered == pytest.approx(_covered(case, level.sites))
        assert level.gain == pytest.approx(level.covered - before)
        before = level.covered
        free = max(_covered(case, order) for order in permutations(case.allowed(), k))
        assert level.covered <= free + 1e-9
        assert level.free_covered == pytest.approx(free)
        assert level.free_bound == pytest.approx(free)
        assert _covered(case, level.free_sites) == pytest.approx(free)
        assert level.price == pytest.approx(free - level.covered)
    assert table.total == pytest.approx(case.weight.sum())
    assert table.unreachable == pytest.approx(case.weight[~case.reachable()].sum())


@given(cases(rules=False, max_units=3))
def test_without_proof_the_bound_still_holds(case: Case) -> None:
    p = min(case.units, case.n_sites)
    proven = solve_compliance(case.reach, case.weight, p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compliance_search, "MOST_MILP_COLUMNS", 0)
        found = solve_compliance(case.reach, case.weight, p)
    assert found.objective <= proven.objective * (1 + 1e-9) + 1e-9
    assert found.bound >= proven.objective * (1 - 1e-9)
    assert (found.status == "optimal") == (found.gap == 0)


@given(cases(rules=False, max_units=3), st.data())
def test_a_given_list_is_rated_by_count(case: Case, data: st.DataObject) -> None:
    p = min(case.units, case.n_sites)
    order = tuple(data.draw(st.permutations(range(case.n_sites)))[:p])
    found = rate_list(case.reach, case.weight, order)
    assert (found.sites, found.status) == (order, "given")
    assert found.objective == pytest.approx(_value(case, order, np.full(p, 1 / p)))
    assert found.bound >= solve_compliance(case.reach, case.weight, p).objective - 1e-9
    _is_sound(case, found)


def test_at_most_one_unit_moves_when_a_unit_is_called_or_comes_free() -> None:
    random = np.random.default_rng(3)
    table = solve_compliance(random.random((60, 12)) < 0.3, random.random(60), 6)
    for free in range(2, 7):
        here = table.levels[free - 1].sites
        below = set(table.levels[free - 2].sites)
        for called in here:
            waiting = set(here) - {called}
            assert len(below - waiting) <= 1
        assert len(set(here) - below) == 1


def test_posts_that_the_chances_leave_equal_stand_by_coverage() -> None:
    """Only the whole list counts, so any order is best; the useful one is given."""
    weight = np.array([1.0, 5.0, 3.0])
    table = solve_compliance(np.eye(3, dtype=bool), weight, 3, chance=[0, 0, 1])
    assert table.sites == (1, 2, 0)
    assert table.status == "optimal"


def test_the_chance_of_no_free_unit_may_be_given() -> None:
    reach, weight = np.eye(3, dtype=bool), np.array([4.0, 2.0, 1.0])
    table = solve_compliance(reach, weight, 2, chance=[0.5, 0.25, 0.25])
    assert table.objective == pytest.approx(0.25 * 4 + 0.25 * 6)
    assert [level.chance for level in table.levels] == [0.25, 0.25]


@given(cases(max_units=3))
def test_more_moves_never_make_it_worse(case: Case) -> None:
    baseline = list(range(min(case.units, case.n_sites)))
    for chance in (None, np.full(len(baseline), 1 / len(baseline))):
        steps = moves_curve(case.reach, case.weight, baseline, chance=chance)
        assert [step.moves for step in steps] == list(range(len(baseline) + 1))
        assert steps[0].left == steps[0].entered == ()
        for before, step in pairwise(steps):
            assert step.objective >= before.objective - 1e-9
            assert step.gain == pytest.approx(step.objective - before.objective)
            assert len(step.entered) == len(step.left) <= step.moves
            assert set(step.sites) == set(baseline) - set(step.left) | set(step.entered)
    free = solve_mclp(case.reach, case.weight, len(baseline)).objective
    assert moves_curve(case.reach, case.weight, baseline)[-1].objective == pytest.approx(free)


def test_progress_is_told_and_may_stop_the_search() -> None:
    random = np.random.default_rng(3)
    reach, weight = random.random((30, 6)) < 0.4, random.random(30)
    told: list[float] = []
    solve_compliance(reach, weight, 3, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0

    def stop(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        solve_compliance(reach, weight, 3, progress=stop)
    told.clear()
    moves_curve(reach, weight, [0, 1], progress=told.append)
    assert told == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_demand_that_nothing_reaches_is_reported() -> None:
    table = solve_compliance(np.zeros((2, 3), dtype=bool), np.array([2.0, 3.0]), 2)
    assert (table.objective, table.bound, table.unreachable, table.sites) == (0.0, 0.0, 5.0, (0, 1))


def test_how_often_sites_are_chosen() -> None:
    assert how_often_chosen([(0, 1, 1), (1, 2)], 4).tolist() == [0.5, 1.0, 0.5, 0.0]
    with pytest.raises(InvalidInputError, match="no plans"):
        how_often_chosen([], 4)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("too many units", {"p": 4}),
        ("no demand", {"weight": np.zeros(2)}),
        ("chance must hold 2", {"chance": [1.0]}),
        ("chance must hold prob", {"chance": [0.9, 0.9]}),
        ("chance must hold prob", {"chance": [np.nan, 0.9]}),
        ("no level", {"chance": [1.0, 0.0, 0.0]}),
        ("needs a baseline", {"max_moves": 1}),
    ],
)
def test_what_cannot_be_used_is_said(words: str, call: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"reach": np.ones((2, 3), dtype=bool), "weight": np.ones(2), "p": 2, **call}
    with pytest.raises(InvalidInputError, match=words):
        solve_compliance(**arguments)


def test_a_post_stands_once_in_a_list() -> None:
    with pytest.raises(InvalidInputError, match="twice"):
        rate_list(np.ones((2, 3), dtype=bool), np.ones(2), [1, 1])
