"""Lists: floors, today's lists, weights, costs, and the list without elevation."""

import numpy as np
import pytest

from errors import InvalidInputError
from models.basin_benefit import Benefits, benefit_curves
from models.basin_inputs import BasinStates, Reports
from models.basin_lists import (
    COMPLAINTS,
    OLDEST,
    RANDOM,
    SCORE,
    compare_lists,
    list_cost,
    lists_of_today,
    plan_list,
    records_score,
    single_score,
    vulnerability_weight,
    weighted,
)
from models.basin_nearby import Nearby
from models.basin_state import STATES, Estimate, Prior, Records, fit_state
from models.flood import run_storm
from tests.models.basin_grounds import SmallCity, small_city


def _benefits(city: SmallCity) -> Benefits:
    n = city.ground.n_basins
    return benefit_curves(
        city.ground,
        city.storm,
        city.pumping,
        open_share=city.open_share,
        open_if_cleaned=np.ones(n),
        items=city.people,
    )


def test_floors_hold_by_the_basins_own_district() -> None:
    """Districts cross the low grounds; some have nothing to gain."""
    city = small_city(2, 40)
    benefits, chance = _benefits(city), np.linspace(0, 1, 40)
    district = np.arange(40) % 3
    for floors in ([0, 0, 9], [5, 5, 5], [0, 12, 0], [13, 0, 0]):
        plan = plan_list(benefits, 20, district=district, floors=np.array(floors), fill=chance)
        held = np.bincount(district[plan.basins], minlength=3)
        assert len(plan.basins) == len(set(plan.basins.tolist())) == 20
        assert np.all(held >= floors)
    with pytest.raises(InvalidInputError, match="district 0 is to have 15 basins cleaned but has 14"):
        plan_list(benefits, 20, district=district, floors=np.array([15, 0, 0]), fill=chance)
    with pytest.raises(InvalidInputError, match="ask for 24 basins, the crews can clean 20"):
        plan_list(benefits, 20, district=district, floors=np.array([8, 8, 8]), fill=chance)
    with pytest.raises(InvalidInputError, match="floors need the district"):
        plan_list(benefits, 20, floors=np.array([1]))
    with pytest.raises(InvalidInputError, match="stops must be whole"):
        plan_list(benefits, -1)


def test_stops_that_gain_nothing_go_where_they_might() -> None:
    city = small_city(2, 40)
    benefits = _benefits(city)
    useful = sum(len(values) for values in benefits.benefit)
    allowed = np.ones(40, np.bool_)
    allowed[3] = False
    spare = plan_list(benefits, 39)
    full = plan_list(benefits, 39, fill=np.arange(40.0), allowed=allowed)
    assert len(spare.basins) <= useful
    assert spare.spare == 39 - len(spare.basins)
    assert len(full.basins) == 39
    assert np.all(full.pool[len(spare.basins) :] == -1)
    nothing = plan_list(benefits, 0)
    assert nothing.basins.size == 0
    assert nothing.choice is None


def test_lists_of_today_by_hand() -> None:
    days = np.array([10.0, np.nan, 300, 200, 50])
    got = lists_of_today(
        3,
        days_since_cleaned=days,
        reports=np.array([0, 2, 0, 2, 1]),
        score=np.array([5.0, 1, 2, 3, 4]),
        allowed=np.array([True, True, True, True, False]),
    )
    assert got[OLDEST].tolist() == [1, 2, 3]
    assert got[COMPLAINTS].tolist() == [1, 3, 2]
    assert got[SCORE].tolist() == [0, 3, 2]
    assert 4 not in got[RANDOM]


def test_lists_are_valued_by_the_whole_storm() -> None:
    city = small_city(0, 12)
    n = city.ground.n_basins
    plan = plan_list(_benefits(city), 3)
    before = np.array([city.open_share, np.zeros(n)])
    rows = compare_lists(
        city.ground,
        city.storm,
        city.pumping,
        {"the plan": plan.basins, "none": np.zeros(0, np.int64), "all": np.arange(n)},
        open_share=before,
        open_if_cleaned=np.ones_like(before),
        items=[city.people],
    )
    best, none, everything = rows
    assert best.why == ""
    assert none.avoided["people"] == 0
    assert none.times["people"] == np.inf
    assert everything.ceiling["people"] == 1
    assert "already avoids 100 % of what cleaning every basin would" in everything.why
    assert best.low["people"] <= best.avoided["people"] <= best.high["people"]
    # One state, by hand.
    one = compare_lists(
        city.ground,
        city.storm,
        city.pumping,
        {"the plan": plan.basins},
        open_share=city.open_share,
        open_if_cleaned=np.ones(n),
        items=[city.people],
    )[0]
    harms = []
    for basins in (np.zeros(0, np.int64), plan.basins):
        share = city.open_share.copy()
        share[basins] = 1
        flood = run_storm(city.ground, city.storm, city.pumping, share)
        harms.append(float(city.people.weight @ (flood.level_m[city.people.pond] > city.people.level_m)))
    assert one.avoided["people"] == pytest.approx(harms[0] - harms[1])


def test_single_score_is_chance_times_the_harm_around() -> None:
    city = small_city(0, 12)
    flood = run_storm(city.ground, city.storm, city.pumping, city.open_share)
    got = single_score(city.ground, flood, np.full(12, 0.5), city.people)
    pond = int(city.ground.pond[0])
    there = city.people.pond == pond
    reached = flood.level_m[pond] > city.people.level_m[there]
    assert got[0] == pytest.approx(0.5 * city.people.weight[there][reached].sum())


def test_weights_by_income() -> None:
    got = vulnerability_weight(np.array([50.0, 25, 100, 1, np.nan]), middle=50.0, exponent=1.4)
    assert got == pytest.approx([1, 2**1.4, 0.5**1.4, 4, 1])
    assert vulnerability_weight(np.array([10.0, 90]), middle=50.0, exponent=0).tolist() == [1, 1]
    with pytest.raises(InvalidInputError, match="2 faults"):
        vulnerability_weight(np.array([1.0]), middle=0.0, exponent=-1)
    city = small_city(0, 4)
    assert weighted(city.people, np.full(400, 2.0)).total == pytest.approx(2 * city.people.total)


def test_weights_move_the_list() -> None:
    """Whoever counts ten times as much is spared first."""
    city = small_city(5, 30)
    plain = _benefits(city)
    assert len(plain.benefit) > 1
    least = plain.part_of_pond == plain.part[-1]
    fair = weighted(city.people, np.where(least[np.maximum(city.people.pond, 0)], 50.0, 1.0))
    moved = plan_list(
        _benefits(SmallCity(city.ground, fair, city.open_share, city.storm, city.pumping)), 4
    ).basins
    there = least[np.maximum(city.ground.pond, 0)]
    assert there[moved].sum() > there[plan_list(plain, 4).basins].sum()


def test_cost_of_a_list() -> None:
    """15,000 basins at 467 dollars and 480 lb each: the emergency campaign's 7 million dollars."""
    usd, pounds = list_cost(15_000, usd_each=467.0, kg_each=480 * 0.45359237)
    assert usd == pytest.approx(7.0e6, rel=0.01)
    assert pounds == pytest.approx(7.2e6)


def test_without_elevation_a_quiet_area_is_not_taken_for_a_dry_one() -> None:
    """Same reports of flooded streets in both areas, one of which hardly ever calls: its need is larger."""
    n = 400
    rng = np.random.default_rng(1)
    area = np.repeat([0, 1], n // 2)
    told = rng.poisson(np.where(area == 0, 0.1, 1.5)).astype(float)
    nothing = np.full(n, np.nan)
    rows = Records(np.ones((n, 1)), nothing, told, np.full(n, 2.0), area)
    model = fit_state(rows, Prior(0.16, 0.59), n_areas=2)
    same = {state: Estimate(*(np.full(n, p) for p in (0.3, 0.2, 0.4))) for state in STATES}
    same["line blocked"] = Estimate(*(np.where(np.arange(n) == 5, 1.0, 0.1) for _ in range(3)))
    xy = np.column_stack([np.arange(n) * 1000.0, np.zeros(n)])
    states = BasinStates({"clogged": model}, same, Nearby(100.0, 0.0, np.zeros(n), np.zeros(n), xy), ())
    floods = Reports(np.array([0, 399]), np.array([9.0, 9.0]), np.array([2, 2]), xy[[0, 399]], ())
    score = records_score(states, floods, basin_xy_m=xy, area=area, flood_type=2)
    assert score[0] > score[399] > score[398]
    assert score[1] > score[398] * 0.999
    assert score[5] == 0
