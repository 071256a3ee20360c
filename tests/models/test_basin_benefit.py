"""What cleaning avoids: by hand, against every subset of basins, and where pumps are the limit."""

import numpy as np
import pytest

from errors import InvalidInputError
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import significant_ponds
from models.basin_benefit import Benefits, benefit_curves
from models.basin_choice import prioritise
from models.basin_lists import compare_lists, limits_in_words, plan_list
from models.basin_runs import StormRuns, low_grounds
from models.flood import FloodGround, prepare_ground, run_storm
from models.flood_harm import Items
from models.storm import Pumping, Storm
from tests.models.basin_grounds import SmallCity, best_by_budget, small_city

LATE, PUMPS_LIMIT = 4, 7
"""Small cities in which a pond spills first, and in which the pumps are the limit."""


def _curves(city: SmallCity) -> Benefits:
    return benefit_curves(
        city.ground,
        city.storm,
        city.pumping,
        open_share=city.open_share,
        open_if_cleaned=np.ones(city.ground.n_basins),
        items=city.people,
        points=city.ground.n_basins,
    )


def _runs(city: SmallCity) -> StormRuns:
    return StormRuns.of(city.ground, city.storm, city.pumping, city.open_share)


def _against_every_subset(seed: int, n_basins: int) -> tuple[float, float]:
    """Sums over all budgets of what the plan avoids and of the most that can be avoided."""
    city = small_city(seed, n_basins)
    best, benefits, runs = best_by_budget(city), _curves(city), _runs(city)
    mine = np.zeros(n_basins + 1)
    for budget in range(1, n_basins + 1):
        plan = plan_list(benefits, budget)
        assert len(plan.basins) <= budget
        mine[budget] = city.avoided(plan.basins, runs)
        if plan.choice is not None:
            # Low grounds have nothing to do with each other, so their curves add up to the whole storm.
            assert plan.choice.value == pytest.approx(mine[budget], rel=0.02, abs=0.02)
            assert plan.choice.bound >= plan.choice.value
    mine = np.maximum.accumulate(mine)
    assert np.all(mine <= best + 1e-9)
    return float(mine.sum()), float(best.sum())


@pytest.mark.parametrize("seed", [0, 1, 2, 3, LATE, PUMPS_LIMIT])
def test_the_plan_against_every_subset_of_eight(seed: int) -> None:
    mine, best = _against_every_subset(seed, 8)
    assert mine >= 0.95 * best


@pytest.mark.slow
def test_the_plan_against_every_subset_of_fifteen() -> None:
    """Full storm model for each of 32,768 lists; the plan misses what its order of basins misses."""
    found = np.array([_against_every_subset(seed, 15) for seed in range(12)])
    some = found[:, 1] > 0
    reached = found[some, 0] / found[some, 1]
    assert some.sum() >= 8
    assert reached.mean() > 0.99
    assert reached.min() > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_curves_never_fall(seed: int) -> None:
    benefits = _curves(small_city(seed, 12))
    for values in benefits.benefit:
        assert values[0] >= 0
        assert np.all(np.diff(values) >= 0)
    assert benefits.best <= benefits.harm
    assert sum(float(values[-1]) for values in benefits.benefit) <= benefits.best + 1e-9


def _one_bowl() -> tuple[FloodGround, Items]:
    """A bowl of 12,489 m3 on 34,100 m2 with six low basins; ten people live 3 cm under its rim."""
    row, column = np.indices((21, 21))
    z = 2.0 - np.maximum(0, 1 - ((row - 10) ** 2 + (column - 10) ** 2) / 81)
    ponds = significant_ponds(nest_bowls(z, 10.0, edge="outlet"), min_depth_m=0.2)
    ground = prepare_ground(
        ponds,
        basin_row=np.full(6, 10),
        basin_column=np.array([7, 8, 9, 11, 12, 13]),
        capacity_m3_s=0.15,
        runoff_share=1.0,
    )
    limit = float(ponds.bottom_m[1] + 0.97 * (ponds.spill_m[1] - ponds.bottom_m[1]))
    return ground, Items(np.array([1]), np.array([limit]), np.array([10.0]), "people", "people")


def test_a_pond_that_spills_first_gains_late() -> None:
    ground, people = _one_bowl()
    storm, pumping, ponds = Storm(400, 60, "even"), Pumping(1000, 1000), ground.ponds
    flood = run_storm(ground, storm, pumping, 0.0)
    # By hand: what spills must be drained first, then what stands over the people's floor.
    stands = float(ponds.volume_m3[1] - ponds.volumes_m3(1, people.level_m[0]))
    needed = int(np.ceil((flood.spilled_m3[1] + stands) / (0.15 * 3600)))
    assert 2 < needed < 6
    got = benefit_curves(
        ground, storm, pumping, open_share=np.zeros(6), open_if_cleaned=np.ones(6), items=people
    )
    assert got.benefit[0].tolist() == [0.0] * (needed - 1) + [10.0] * (7 - needed)
    for budget in range(1, 7):
        choice = prioritise(got.benefit, budget)
        assert choice.value == (10 if budget >= needed else 0)
        # Basin by basin nothing is ever gained: greedy never starts.
        assert choice.greedy == 0
        # The bound is that of the separable problem's envelope.
        assert choice.bound == pytest.approx(10 * min(budget / needed, 1))


def test_where_pumps_are_the_limit_cleaning_gains_nothing() -> None:
    city = small_city(0, 10)
    half = np.full(10, 0.6)
    stopped = SmallCity(city.ground, city.people, half, city.storm, Pumping(0.0, 0.0))
    weak = SmallCity(city.ground, city.people, half, city.storm, Pumping(1.0, 0.5))
    assert _curves(city).best > 0
    for limited in (stopped, weak):
        got = _curves(limited)
        assert got.benefit == ()
        assert got.best == 0
        assert plan_list(got, 5).basins.size == 0
    got = _curves(weak)
    assert got.pumps_harm + got.dry_harm == pytest.approx(got.harm)
    assert got.pumps_harm > 0.9 * got.harm
    words = limits_in_words(got)
    assert "of the harm is in pools where the pumps already take all they can" in words
    rows = compare_lists(
        weak.ground,
        weak.storm,
        weak.pumping,
        {"the plan": np.arange(3), "at random": np.arange(3, 6)},
        open_share=weak.open_share,
        open_if_cleaned=np.ones(10),
        items=[weak.people],
        limited=words,
    )
    assert rows[1].avoided["people"] == 0
    assert rows[1].why.startswith("Neither avoids anything. 9")


def test_runs_are_the_storm_and_parts_are_the_whole() -> None:
    """Short runs have the storm's levels; low grounds alone, with what spills in, those of the whole."""
    for seed in range(6):
        city = small_city(seed, 12)
        runs = _runs(city)
        passed = np.zeros((len(runs.rain_m), runs.n_nodes))
        water = runs.run(city.open_share, passed_m3=passed)
        flood = run_storm(city.ground, city.storm, city.pumping, city.open_share)
        np.testing.assert_allclose(water.level_m, flood.level_m, atol=1e-9)
        np.testing.assert_array_equal(water.top[1:], flood.top[1:])
        part = low_grounds(runs, [water])
        for one in np.unique(part[1:]):
            some = runs.only(part, part == one)
            there = np.isin(np.arange(runs.n_nodes), some.nodes)
            inflow = runs.inflows_m3(passed, there=there, within=some)
            level = some.run(city.open_share, inflow_m3=inflow).level_m
            kept = np.flatnonzero(some.pond_of > 0)
            np.testing.assert_allclose(level[some.pond_of[kept]], water.level_m[kept], atol=1e-6)


def test_draws_see_what_the_mean_state_hides() -> None:
    """Half open on average, the pumps are full. All clogged in one draw of two, they are idle in that one."""
    ground, people = _one_bowl()
    storm, pumping = Storm(390, 60, "even"), Pumping(47.0, 47.0)
    at_mean, drawn = (
        benefit_curves(
            ground, storm, pumping, open_share=share, open_if_cleaned=np.ones_like(share), items=people
        )
        for share in (np.full(6, 0.5), np.array([np.zeros(6), np.ones(6)]))
    )
    assert at_mean.best == 0
    assert drawn.best == 5


def test_bad_shares_are_refused_in_words() -> None:
    city = small_city(0, 4)
    with pytest.raises(InvalidInputError, match="3 faults"):
        benefit_curves(
            city.ground,
            city.storm,
            city.pumping,
            open_share=np.full(3, 0.5),
            open_if_cleaned=np.full(4, 1.5),
            items=city.people,
        )


def test_a_dry_day_and_a_list_of_nothing_are_said() -> None:
    city = small_city(0, 6)
    dry = SmallCity(city.ground, city.people, city.open_share, Storm(0, 60), city.pumping)
    got = _curves(dry)
    assert got.benefit == ()
    assert limits_in_words(got) == "Nothing floods in this storm."
    assert plan_list(got, 3, fill=np.arange(6.0)).basins.tolist() == [5, 4, 3]
    clean = SmallCity(city.ground, city.people, np.ones(6), city.storm, city.pumping)
    assert _curves(clean).benefit == ()
