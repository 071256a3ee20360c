"""A storm's water: bowls by hand under both rules, the balance, what must rise or fall, and the ends."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.city import City
from errors import InvalidInputError
from geo.drainage_edges import Edge
from geo.drainage_hierarchy import OUT, nest_bowls
from geo.drainage_ponds import significant_ponds
from geo.drainage_water import place_water, rain_on_leaves
from models.flood import OUTSIDE, Flood, prepare_ground, run_storm, run_storms
from models.inlets import Gutter, Inlet, sag_capacity
from models.storm import Pumping, Storm
from tests.geo.test_drainage_water import NESTED, SEEDS, _surface
from tests.models.flood_cases import CELL_M, LEVEED, NO_PUMPS, drawn_ground, drawn_storm, leveed
from tests.models.flood_reference import SlowFlood

HEAVY = Storm(250.0, 60.0, "even")
"""On the leveed bowl: 600 m3 on the strip outside, 625 m3 on the bowl and its levee, which holds 450 m3."""
STRIP, BOWL = 0, 1
"""What the leveed bowl is named where the strip drains off; behind a wall the strip is a pond."""


def _balance(flood: Flood) -> None:
    parts = flood.lost_m3 + flood.drained_m3 + flood.stored_m3 + flood.out_m3
    assert parts == pytest.approx(flood.rain_m3, rel=1e-6, abs=1e-9)


def test_leveed_bowl_that_drains_off_by_hand() -> None:
    flood = run_storm(leveed("outlet"), HEAVY, NO_PUMPS, 1.0)
    assert flood.out_m3 == pytest.approx(600 + 175)
    assert flood.stored_m3 == pytest.approx(450)
    assert flood.level_m.tolist() == [-np.inf, 0.5]
    assert flood.spilled_m3[BOWL] == pytest.approx(175)
    assert flood.depth_m[3, 3] == pytest.approx(0.5)
    assert flood.depth_m[0].max() == 0


def test_leveed_bowl_behind_a_wall_by_hand() -> None:
    ground = leveed("wall")
    bowl, strip = ground.ponds.label[3, 3], ground.ponds.label[0, 0]
    flood = run_storm(ground, HEAVY, NO_PUMPS, 1.0)
    # 450 in the bowl, 720 in the strip, 55 over both and the levee: 49 cells.
    assert flood.out_m3 == 0
    assert flood.stored_m3 == pytest.approx(1225)
    assert flood.level_m[[bowl, strip]] == pytest.approx([0.5 + 55 / 4900] * 2)
    assert flood.top[bowl] == flood.top[strip] == 3
    assert flood.volume_m3[3] == pytest.approx(1225)
    assert flood.standing_min[bowl] > flood.standing_min[strip] > 1380


def test_pumps_on_the_leveed_bowl_by_hand() -> None:
    # The allowance on 25 cells: 63.5 m3 in the first hour, 31.75 m3 in each after.
    flood = run_storm(leveed("outlet"), HEAVY, Pumping(), 1.0)
    assert flood.spilled_m3[BOWL] == pytest.approx(625 - 63.5 - 450)
    assert flood.drained_m3 == pytest.approx(63.5 + 450)
    assert flood.out_m3 == pytest.approx(600 + 111.5)
    assert flood.stored_m3 == pytest.approx(0, abs=1e-9)
    # 0.15 m is 135 m3: reached while 561.5 m3/h come, left when 31.75 m3/h go.
    deep = 60 + (450 - 135) / 31.75 * 60 - 135 / 561.5 * 60
    assert flood.standing_min[BOWL] == pytest.approx(deep, abs=5)
    assert flood.standing_series_m3[[11, 23]] == pytest.approx([450, 450 - 31.75])


def test_pumps_behind_a_wall_by_hand() -> None:
    ground = leveed("wall")
    bowl, strip = ground.ponds.label[3, 3], ground.ponds.label[0, 0]
    flood = run_storm(ground, HEAVY, Pumping(), 1.0)
    # The strip has no basin and room for the 111.5 m3 that spill into it: they never become one pool.
    assert flood.level_m[[bowl, strip]] == pytest.approx([0.5, 0.2 + 711.5 / 2400])
    assert flood.stored_m3 == pytest.approx(711.5)
    assert flood.top[bowl] == bowl
    assert flood.drained_by_pond_m3[bowl] == pytest.approx(513.5)
    assert flood.drained_by_pond_m3[strip] == 0


def test_a_pool_is_drained_together_until_its_parts_are_apart() -> None:
    ground = leveed("wall")
    bowl, strip = ground.ponds.label[3, 3], ground.ponds.label[0, 0]
    # 545 mm make 2670.5 m3; the basin in the bowl takes 0.05 m3/s of whatever stands over the levee.
    flood = run_storm(leveed("wall", 0.05), Storm(545.0, 60.0, "even"), Pumping(1e6, 1e6), 1.0)
    in_the_hour = 0.05 * 3600
    assert flood.level_m[strip] == pytest.approx(0.5 + (2670.5 - in_the_hour - 1170) / 4900)
    # Then the bowl empties and the strip stays full.
    assert flood.stored_m3 == pytest.approx(720)
    assert flood.drained_m3 == pytest.approx(2670.5 - 720)
    assert flood.standing_min[strip] == pytest.approx(1440, abs=30)
    assert flood.standing_min[bowl] < 1000


def test_a_basin_on_the_levee_only_takes_what_passes_or_reaches_it() -> None:
    # The levee is 0.5 m high: in the bowl's own water the basin lies dry, in the pool of both it does not.
    ground = leveed("outlet", 0.01, (1,), (3,))
    assert ground.pond.tolist() == [BOWL]
    assert not ground.low.any()
    flood = run_storm(ground, Storm(100.0, 60.0, "even"), Pumping(1e6, 1e6), 1.0)
    assert flood.drained_m3 == pytest.approx(0.01 * 3600)
    assert flood.stored_m3 == pytest.approx(250 - 36)
    walled = leveed("wall", 0.01, (1,), (3,))
    assert walled.home.tolist() == [3]
    flood = run_storm(walled, HEAVY, Pumping(1e6, 1e6), 1.0)
    assert flood.drained_m3 == pytest.approx(55)
    assert flood.stored_m3 == pytest.approx(1170)


def test_basins_of_a_pond_share_its_runoff_evenly() -> None:
    # 25 cells, 100 mm in an hour: 62.5 m3 pass each of four basins on the levee, one of which is small.
    ground = dataclasses.replace(
        leveed("outlet", 1.0, (1, 1, 1, 1), (2, 3, 4, 3)), capacity_m3_s=np.array([1.0, 1.0, 1.0, 0.01])
    )
    flood = run_storm(ground, Storm(100.0, 60.0, "even"), Pumping(1e6, 1e6), 1.0)
    assert flood.drained_m3 == pytest.approx(3 * 62.5 + 36)


STAIRS = np.full((3, 9), 0.9)
"""Pits of 0, 0.1 and 0.2 m, passes of 0.4 and 0.5 m, a cut of 0.6 m; two steps above the first pit."""
STAIRS[1] = [0.9, 0.55, 0.42, 0.0, 0.4, 0.1, 0.5, 0.2, 0.6]


def test_basins_that_larger_pools_reach_share_one_allowance() -> None:
    ponds = significant_ponds(nest_bowls(STAIRS, CELL_M, edge="outlet"), min_depth_m=0.1)
    ground = prepare_ground(ponds, basin_row=[1, 1], basin_column=[1, 2], capacity_m3_s=1.0, runoff_share=1.0)
    pond = ground.pond[0]
    assert ground.pond.tolist() == [pond, pond]
    assert ponds.spill_m[ground.home].tolist() == [0.6, 0.5]
    flood = run_storm(ground, Storm(500.0, 60.0), Pumping(), 1.0)
    hours = flood.standing_series_m3[[11, 23, 35]]
    assert np.diff(hours).tolist() == pytest.approx([-0.0127 * ponds.area_m2[pond]] * 2)


def test_what_leaves_a_pool_passes_the_pour_point_of_the_pool() -> None:
    ponds = significant_ponds(nest_bowls(STAIRS, CELL_M, edge="outlet"), min_depth_m=0.1)
    ground = prepare_ground(ponds, basin_row=[], basin_column=[], capacity_m3_s=[], runoff_share=1.0)
    flood = run_storm(ground, Storm(500.0, 60.0), NO_PUMPS, [])
    whole = ponds.n_nodes - 1
    assert flood.spilled_m3[whole] == pytest.approx(flood.out_m3 - 0.5 * ponds.area_m2[OUT])
    assert flood.spilled_m3[whole] == pytest.approx(0.5 * ponds.area_m2[1:].sum() - ponds.volume_m3[whole])


@given(SEEDS)
def test_every_drop_is_accounted_for(seed: int) -> None:
    ground, (storm, pumping) = drawn_ground(seed, min_depth_m=0.2 * (seed % 3)), drawn_storm(seed)
    open_share = np.random.default_rng(seed).random(ground.n_basins)
    flood = run_storm(ground, storm, pumping, open_share)
    _balance(flood)
    assert flood.rain_m3 == pytest.approx(storm.depth_mm / 1000 * ground.ground_m2)
    assert flood.drained_by_pond_m3.sum() == pytest.approx(flood.drained_m3, rel=1e-9, abs=1e-9)
    assert min(flood.drained_m3, flood.stored_m3, flood.out_m3, flood.drained_by_pond_m3.min()) >= 0
    so_far = flood.standing_series_m3 + flood.drained_series_m3 + flood.out_series_m3
    runoff = storm.fallen_mm(flood.minutes) / 1000 * ground.runoff_m2.sum()
    np.testing.assert_allclose(so_far, runoff, rtol=1e-6, atol=1e-9)
    # No pond gives more than the pumps' allowance on its ground.
    allowed = pumping.allowed_mm(1440, 1)[0] / 1000 * ground.served_m2(pumping)
    assert (flood.drained_by_pond_m3 <= allowed * (1 + 1e-9) + 1e-9).all()
    assert (
        flood.level_m <= np.where(flood.level_m > -np.inf, ground.ponds.nest.spill_m[flood.top], 0) + 1e-9
    ).all()


@settings(max_examples=40)
@given(SEEDS)
def test_as_a_slow_storm_in_plain_python(seed: int) -> None:
    ground, (storm, pumping) = drawn_ground(seed, min_depth_m=0.1), drawn_storm(seed)
    open_share = np.random.default_rng(seed).random(ground.n_basins)
    flood = run_storm(ground, storm, pumping, open_share, step_min=15.0)
    slow = SlowFlood(ground, open_share * ground.capacity_m3_s).run(storm, pumping, 15.0)
    assert flood.drained_m3 == pytest.approx(slow.drained_m3, rel=1e-9, abs=1e-6)
    assert flood.stored_m3 == pytest.approx(slow.stored_m3, rel=1e-9, abs=1e-6)
    assert flood.out_m3 == pytest.approx(slow.out_m3, rel=1e-9, abs=1e-6)
    # A drop left by rounding has a level too: that of the floor.
    floor = ground.ponds.bottom_m[1 : ground.ponds.n_ponds + 1]
    np.testing.assert_allclose(
        np.maximum(flood.level_m[1:], floor), np.maximum(slow.level_m[1:], floor), atol=1e-6
    )


@given(SEEDS)
def test_without_drains_water_stands_as_it_is_placed(seed: int) -> None:
    dem, edge = _surface(seed)
    bowls, random = nest_bowls(dem, CELL_M, edge=edge), np.random.default_rng(seed)
    ponds = significant_ponds(bowls, min_depth_m=0.0)
    share = random.random(dem.shape)
    ground = prepare_ground(ponds, basin_row=[0], basin_column=[0], capacity_m3_s=1.0, runoff_share=share)
    storm = Storm(random.uniform(1, 550), 60.0)
    for flood in (run_storm(ground, storm, Pumping(), 0.0), run_storm(ground, storm, NO_PUMPS, 1.0)):
        water = place_water(bowls, rain_on_leaves(bowls, share * storm.depth_mm / 1000))
        np.testing.assert_allclose(flood.depth_m, water.depth_m, atol=1e-5)
        assert flood.out_m3 == pytest.approx(water.out_m3, rel=1e-9, abs=1e-9)
        assert flood.stored_m3 == pytest.approx(water.stored_m3, rel=1e-9, abs=1e-9)


def test_equal_passes_make_one_pool() -> None:
    row = np.array([[9, 9, 9, 9, 9, 9, 9], [9, 0, 4, 1, 4, 2, 9], [9, 9, 9, 9, 9, 9, 9]], dtype=float) / 10
    bowls = nest_bowls(row, CELL_M, edge="wall")
    ponds = significant_ponds(bowls, min_depth_m=0.0)
    ground = prepare_ground(ponds, basin_row=[1], basin_column=[1], capacity_m3_s=0.0, runoff_share=1.0)
    flood = run_storm(ground, Storm(100.0, 60.0), NO_PUMPS, 1.0)
    water = place_water(bowls, rain_on_leaves(bowls, 0.1))
    np.testing.assert_allclose(flood.level_m, water.level_m)
    assert len(set(flood.top[1:])) == 1


@given(SEEDS, st.integers(0, 39))
def test_an_opened_inlet_never_leaves_more_water_in_a_single_pond(seed: int, which: int) -> None:
    random = np.random.default_rng(seed)
    dem = np.abs(np.arange(12.0) - 5)[None, :] / 4 + random.random((4, 12)) * 0.01
    ground = drawn_ground(seed, min_depth_m=0.5, dem=dem)
    storm, pumping = drawn_storm(seed)
    before = random.random(ground.n_basins)
    after = before.copy()
    after[which % max(len(after), 1) : which % max(len(after), 1) + 1] = 1.0
    assert ground.ponds.n_ponds <= 1
    less, more = (run_storm(ground, storm, pumping, share) for share in (after, before))
    assert less.stored_m3 <= more.stored_m3 + 1e-9
    assert less.peak_m3 <= more.peak_m3 + 1e-9
    assert (less.standing_min <= more.standing_min).all()


@given(SEEDS, st.integers(0, 39))
def test_an_opened_inlet_never_leaves_more_water_anywhere(seed: int, which: int) -> None:
    ground, (storm, pumping) = drawn_ground(seed), drawn_storm(seed)
    before = np.random.default_rng(seed).random(ground.n_basins)
    after = np.where(np.arange(ground.n_basins) == which, 1.0, before)
    less, more = (run_storm(ground, storm, pumping, share) for share in (after, before))
    assert (less.level_m <= more.level_m + 1e-9).all()
    assert less.stored_m3 <= more.stored_m3 + 1e-9
    assert less.out_m3 <= more.out_m3 + 1e-9
    assert less.drained_m3 >= more.drained_m3 - 1e-9


@given(SEEDS)
def test_stronger_pumps_never_take_less(seed: int) -> None:
    ground, (storm, pumping) = drawn_ground(seed), drawn_storm(seed)
    stronger = dataclasses.replace(
        pumping, first_hour_mm=pumping.first_hour_mm * 1.5, later_mm_per_h=pumping.later_mm_per_h + 5
    )
    weak, strong = (run_storm(ground, storm, pumps, 0.7) for pumps in (pumping, stronger))
    assert strong.drained_m3 >= weak.drained_m3 - 1e-9
    assert strong.stored_m3 + strong.out_m3 <= weak.stored_m3 + weak.out_m3 + 1e-9


def test_no_rain_leaves_everything_dry() -> None:
    flood = run_storm(leveed("wall"), Storm(0.0, 60.0), Pumping(), 1.0)
    assert flood.rain_m3 == flood.drained_m3 == flood.stored_m3 == flood.out_m3 == flood.peak_m3 == 0
    assert (flood.level_m == -np.inf).all()
    assert not flood.depth_m.any()
    assert not flood.standing_min.any()


def test_a_pond_as_deep_as_what_counts_as_standing() -> None:
    dem = np.array([[0.15, 0.15, 0.15], [0.15, 0.0, 0.15], [0.15, 0.15, 0.15]])
    ponds = significant_ponds(nest_bowls(dem, CELL_M, edge="outlet"), min_depth_m=0.1)
    ground = prepare_ground(ponds, basin_row=[], basin_column=[], capacity_m3_s=[], runoff_share=1.0)
    dry, half, full = (run_storm(ground, Storm(mm, 60.0), NO_PUMPS, []) for mm in (0.0, 100.0, 200.0))
    assert ponds.n_ponds == 1
    assert dry.standing_min[1] == half.standing_min[1] == 0
    assert full.standing_min[1] > 1380


def test_an_allowance_of_zero_takes_nothing() -> None:
    flood = run_storm(leveed("wall"), HEAVY, Pumping(share=0.0), 1.0)
    assert flood.drained_m3 == 0
    assert flood.stored_m3 == pytest.approx(1225)


def test_pump_areas_count_by_the_basins_in_them() -> None:
    ground = dataclasses.replace(leveed("outlet", 1.0, (3, 3), (3, 2)), pump_area=np.array([0, -1]))
    # One basin's pumps stand still, the other lies in no known area: half the allowance on 2500 m2.
    assert ground.served_m2(Pumping(share=(0.0,)))[BOWL] == pytest.approx(1250)
    flood = run_storm(ground, HEAVY, Pumping(share=(0.0,)), 1.0)
    assert flood.drained_m3 == pytest.approx((25.4 + 23 * 12.7) / 1000 * 1250)


def test_ponds_without_basins_keep_their_water() -> None:
    ponds = significant_ponds(nest_bowls(LEVEED, CELL_M, edge="outlet"), min_depth_m=0.1)
    ground = prepare_ground(ponds, basin_row=[], basin_column=[], capacity_m3_s=[], runoff_share=1.0)
    flood = run_storm(ground, HEAVY, Pumping(), [])
    assert flood.drained_m3 == 0
    assert flood.stored_m3 == pytest.approx(450)


def test_basins_outside_take_nothing() -> None:
    dem = LEVEED.copy()
    dem[0, 0] = np.nan
    ponds = significant_ponds(nest_bowls(dem, CELL_M, edge="outlet"), min_depth_m=0.1)
    ground = prepare_ground(
        ponds,
        basin_row=[-1, 0, 99, 0, 3],
        basin_column=[3, 0, 3, 3, 3],
        capacity_m3_s=1.0,
        runoff_share=np.where(np.isnan(dem), np.nan, 1.0),
    )
    # The levee's corner beside the gap drains into it.
    assert ground.pond.tolist() == [OUTSIDE, OUTSIDE, OUTSIDE, OUT, BOWL]
    assert ground.by_pond.tolist() == [3, 4]
    flood = run_storm(ground, Storm(25.4, 60.0, "even"), Pumping(), 1.0)
    assert flood.drained_by_pond_m3 == pytest.approx([0.0254 * 2400, 0.0254 * 2400])
    assert np.isnan(flood.depth_m[0, 0])


def test_an_inlet_of_the_manual_drains_a_bowl() -> None:
    capacity = sag_capacity(Inlet("grate"), Gutter(0.02, 0.004), 0.12)[0]
    flood = run_storm(leveed("outlet", capacity), Storm(100.0, 10.0, "even"), Pumping(1e6, 1e6), 1.0)
    np.testing.assert_allclose(flood.peak_m3, 250 - capacity * 600)


def test_many_states_are_run_one_by_one() -> None:
    ground = leveed("wall", 0.01)
    shares = [np.array([share]) for share in (0.0, 0.5, 1.0)]
    drained = [flood.drained_m3 for flood in run_storms(ground, HEAVY, Pumping(), shares)]
    assert drained == [run_storm(ground, HEAVY, Pumping(), share).drained_m3 for share in shares]
    assert drained[0] == 0 < drained[1] < drained[2]


@settings(max_examples=20)
@given(SEEDS)
def test_five_minutes_are_short_enough(seed: int) -> None:
    ground, (storm, pumping) = drawn_ground(seed, min_depth_m=0.2), drawn_storm(seed)
    coarse, fine = (run_storm(ground, storm, pumping, 0.7, step_min=step) for step in (5.0, 0.5))
    scale = max(coarse.rain_m3, 1.0)
    assert abs(coarse.drained_m3 - fine.drained_m3) < 0.03 * scale
    assert abs(coarse.peak_m3 - fine.peak_m3) < 0.03 * scale


def test_every_fault_is_said() -> None:
    ponds = significant_ponds(nest_bowls(NESTED, CELL_M, edge="outlet"))
    with pytest.raises(InvalidInputError, match="5 faults"):
        prepare_ground(
            ponds,
            basin_row=[0, 1],
            basin_column=[0, 1],
            capacity_m3_s=[np.nan, 1.0, 2.0],
            runoff_share=np.full(NESTED.shape, np.nan),
            pump_area=[-2, 0, 0],
        )
    with pytest.raises(InvalidInputError, match=r"21 cells have none"):
        prepare_ground(
            ponds,
            basin_row=[0],
            basin_column=[0],
            capacity_m3_s=1.0,
            runoff_share=np.full(NESTED.shape, np.nan),
        )
    with pytest.raises(InvalidInputError, match="the surface has"):
        prepare_ground(
            ponds, basin_row=[0], basin_column=[0], capacity_m3_s=1.0, runoff_share=np.ones((2, 2))
        )
    with pytest.raises(InvalidInputError, match="one row and one column"):
        prepare_ground(ponds, basin_row=[0, 1], basin_column=[0], capacity_m3_s=1.0, runoff_share=1.0)
    ground = leveed("wall")
    with pytest.raises(InvalidInputError, match="each of the 1 basins"):
        run_storm(ground, HEAVY, Pumping(), [0.5, 0.5])
    with pytest.raises(InvalidInputError, match="mend 1 of its values"):
        run_storm(ground, HEAVY, Pumping(), [np.nan])
    with pytest.raises(InvalidInputError, match="up to an hour"):
        run_storm(ground, HEAVY, Pumping(), 1.0, step_min=90.0)


@pytest.mark.parametrize("edge", ["outlet", "wall"])
def test_a_flat_surface_has_an_answer(edge: Edge) -> None:
    ponds = significant_ponds(nest_bowls(np.zeros((3, 3)), CELL_M, edge=edge))
    ground = prepare_ground(ponds, basin_row=[1], basin_column=[1], capacity_m3_s=1.0, runoff_share=1.0)
    flood = run_storm(ground, HEAVY, NO_PUMPS, 1.0)
    assert (flood.out_m3, flood.stored_m3) == pytest.approx((225, 0) if edge == "outlet" else (0, 225))
    assert flood.depth_m.max() == pytest.approx(0.0 if edge == "outlet" else 0.25)


@pytest.mark.extract
@pytest.mark.slow
def test_the_real_ground_keeps_its_balance_and_its_step(extract_city_dir: Path) -> None:
    city = City.open(extract_city_dir)
    elevation, rules = city.elevation, city.profile.drainage
    assert elevation is not None
    assert rules is not None
    bowls = nest_bowls(elevation.dem_m, elevation.grid.cell_m, edge=rules.edge.rules)
    random = np.random.default_rng(1)
    cells = np.argwhere(np.isfinite(elevation.dem_m))
    row, column = cells[random.integers(0, len(cells), 80_000)].T
    ground = prepare_ground(
        significant_ponds(bowls), basin_row=row, basin_column=column, capacity_m3_s=0.1, runoff_share=0.7
    )
    share = random.random(80_000)
    coarse, fine = (
        run_storm(ground, Storm(240.0, 180.0), Pumping(), share, step_min=step) for step in (5.0, 0.5)
    )
    _balance(coarse)
    assert coarse.peak_m3 == pytest.approx(fine.peak_m3, rel=0.001)
    assert coarse.drained_m3 == pytest.approx(fine.drained_m3, rel=0.001)
    wet = np.isfinite(coarse.level_m) & np.isfinite(fine.level_m)
    assert np.abs(coarse.level_m[wet] - fine.level_m[wet]).max() < 0.005
    assert np.nansum(coarse.depth_m) * 400 >= coarse.peak_m3 * (1 - 1e-6)
