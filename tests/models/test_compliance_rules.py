"""Lists under a planner's rules, against counting every list that follows them."""

import math
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.compliance import ComplianceTable, rate_list, solve_compliance
from models.siting import solve_mclp
from tests.models.siting_cases import Case, cases

FloatArray = npt.NDArray[np.float64]
Order = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ListCase:
    """A siting problem, the chances of its levels, and the rules of its list."""

    case: Case
    chance: FloatArray
    options: dict[str, Any]

    def covered(self, order: Order) -> float:
        return float(self.case.weight[self.case.reach[:, list(order)].any(axis=1)].sum())

    def value(self, order: Order) -> float:
        return math.fsum(self.chance[k] * self.covered(order[: k + 1]) for k in range(len(order)))

    def worst(self, order: Order) -> float:
        """Smallest share of a group that an allowed site reaches."""
        case, reached = self.case, self.case.reach[:, list(order)].any(axis=1)
        shares = []
        for group in range(3):
            can = case.weight * (case.reachable() & (case.group == group))
            if can.sum() > 0:
                shares.append((can * reached).sum() / can.sum())
        return min(shares, default=1.0)

    def lists(self) -> list[Order]:
        """All lists that follow the rules, but for the fairness."""
        case, options = self.case, self.options
        must = case.at(options["fixed"])
        found = []
        for order in product(case.allowed(), repeat=case.units):
            units_at = case.at(order)
            head = case.at(order[: len(options["fixed"])])
            limit = options.get("max_moves")
            if (
                (units_at <= options["max_per_site"]).all()
                and (units_at >= must).all()
                and (not options["fixed_first"] or (head == must).all())
                and (limit is None or case.moves(units_at) <= limit)
            ):
                found.append(order)
        return found

    def solve(self, **more: Any) -> ComplianceTable:  # noqa: ANN401
        case = self.case
        return solve_compliance(
            case.reach, case.weight, case.units, chance=self.chance, **self.options, **more
        )


@st.composite
def list_cases(draw: st.DrawFn) -> ListCase:
    case = draw(cases(max_units=3))
    chance = np.array(
        draw(st.lists(st.integers(0, 5), min_size=case.units, max_size=case.units).filter(any)), float
    )
    room = draw(st.integers(1, 3))
    site = st.integers(0, case.n_sites - 1)
    options = {
        **case.rules,
        "fixed": draw(st.lists(site, max_size=2)),
        "fixed_first": draw(st.booleans()),
        "max_per_site": room,
    }
    return ListCase(case, chance / chance.sum(), options)


def _is_best(found: ComplianceTable, best: float) -> None:
    assert found.objective == pytest.approx(best, rel=1e-6, abs=1e-9)
    assert found.bound == pytest.approx(best, rel=1e-6, abs=1e-9)
    assert found.status == "optimal"


def _is_sound(asked: ListCase, found: ComplianceTable) -> None:
    """Never above the free optimum, which holds as many units a post as the list may."""
    case, room = asked.case, asked.options["max_per_site"]
    assert found.objective == pytest.approx(asked.value(found.sites))
    assert found.bound >= found.objective
    for k, level in enumerate(found.levels, start=1):
        free = max(
            asked.covered(order)
            for order in product(case.allowed(), repeat=k)
            if (case.at(order) <= room).all()
        )
        assert level.covered == pytest.approx(asked.covered(found.sites[:k]))
        assert level.covered <= free + 1e-9
        assert level.free_covered == pytest.approx(free)
        assert asked.covered(level.free_sites) == pytest.approx(free)
        assert (case.at(level.free_sites) <= room).all()


@given(list_cases())
def test_lists_under_rules_equal_counting_all_lists(asked: ListCase) -> None:
    orders = asked.lists()
    if not orders:
        with pytest.raises(InvalidInputError):
            asked.solve()
        return
    found = asked.solve()
    assert found.sites in orders
    _is_best(found, max(map(asked.value, orders)))
    _is_sound(asked, found)


@given(list_cases(), st.floats(0, 1))
def test_a_floor_equals_counting_all_lists(asked: ListCase, floor: float) -> None:
    orders = asked.lists()
    fair = [order for order in orders if asked.worst(order) >= floor - 1e-9]
    group = asked.case.group
    if not fair:
        with pytest.raises(InvalidInputError, match=r"least share|cannot be made|No plan"):
            asked.solve(group=group, floor=floor)
        return
    found = asked.solve(group=group, floor=floor)
    assert found.sites in fair
    _is_best(found, max(map(asked.value, fair)))
    _is_sound(asked, found)


@given(list_cases())
def test_lifting_the_worst_group_equals_counting_all_lists(asked: ListCase) -> None:
    orders = asked.lists()
    if not orders:
        return
    group = asked.case.group
    highest = max(map(asked.worst, orders))
    found = asked.solve(group=group, lift_worst=True)
    assert asked.worst(found.sites) == pytest.approx(highest)
    _is_best(found, max(asked.value(order) for order in orders if asked.worst(order) >= highest - 1e-9))
    plain = asked.solve(group=group)
    assert found.objective <= plain.objective + 1e-9
    for table in (found, plain):
        if table.levels[-1].worst is not None:
            shares = [asked.worst(table.sites[: k + 1]) for k in range(len(table.sites))]
            assert [level.worst for level in table.levels] == pytest.approx(shares)


@given(list_cases())
def test_rules_never_help(asked: ListCase) -> None:
    if not asked.lists():
        return
    case = asked.case
    free = solve_compliance(
        case.reach, case.weight, case.units, chance=asked.chance, max_per_site=asked.options["max_per_site"]
    )
    assert asked.solve().objective <= free.objective * (1 + 1e-9) + 1e-9


def test_must_have_posts_stand_first_where_asked() -> None:
    reach, weight = np.eye(4, dtype=bool), np.array([1.0, 8.0, 4.0, 2.0])
    anywhere = solve_compliance(reach, weight, 3, fixed=[0, 3])
    first = solve_compliance(reach, weight, 3, fixed=[0, 3], fixed_first=True)
    assert anywhere.sites == (1, 3, 0)
    assert first.sites == (3, 0, 1)


def test_a_second_unit_goes_where_a_second_one_is_most_wanted() -> None:
    """Two posts for three units: the third adds nothing, and backs up the busier of the two."""
    reach, weight = np.eye(2, dtype=bool), np.array([3.0, 7.0])
    table = solve_compliance(reach, weight, 3, max_per_site=2)
    assert table.sites == (1, 0, 1)
    assert table.levels[2].gain == 0
    for before, level in pairwise(table.levels):
        assert level.sites[:-1] == before.sites
    rated = rate_list(reach, weight, (1, 0, 1), max_per_site=2)
    assert (rated.sites, rated.objective) == (table.sites, table.objective)


def test_fairness_has_its_price() -> None:
    """One unit: the town has 9 calls, the village 1; with two the village is reached, at the cost of 2."""
    reach = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
    weight, group = np.array([5.0, 4.0, 2.0]), np.array([0, 0, 1])
    plain = solve_compliance(reach, weight, 2, group=group)
    fair = solve_compliance(reach, weight, 2, group=group, lift_worst=True)
    assert plain.sites == (0, 1)
    assert plain.levels[-1].worst == 0
    assert fair.sites == (0, 2)
    assert fair.levels[-1].worst == pytest.approx(5 / 9)
    assert fair.floor == pytest.approx(5 / 9)
    assert plain.objective - fair.objective == pytest.approx(1.0)
    assert solve_mclp(reach, weight, 2, group=group, lift=1.0).sites == (0, 2)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("both must-have and forbidden", {"fixed": [0], "forbidden": [0]}),
        (r"too many units \(3\) for the places \(2: 2 sites allowed, at most 1", {"forbidden": [2]}),
        ("3 units are must-have, but there are only 2", {"p": 2, "fixed": [0, 1, 2]}),
        (r"more units are must-have at 0 than a site may hold \(1\)", {"fixed": [0, 0]}),
        (
            "must-have and forbidden sites alone ask for 1",
            {"p": 2, "fixed": [1, 2], "baseline": [0], "max_moves": 0, "forbidden": []},
        ),
        ("worst group cannot get more than 0.0%", {"p": 1, "group": np.array([0, 1]), "floor": 0.5}),
        ("need groups", {"floor": 0.5}),
        ("need groups", {"lift_worst": True}),
        ("group must hold one whole number", {"group": np.array([0.5, 1]), "floor": 0.5}),
    ],
)
def test_what_cannot_be_is_said(words: str, options: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {
        "reach": np.array([[1, 0, 0], [0, 1, 0]], dtype=bool),
        "weight": np.ones(2),
        "p": 3,
        **options,
    }
    with pytest.raises(InvalidInputError, match=words):
        solve_compliance(**arguments)
