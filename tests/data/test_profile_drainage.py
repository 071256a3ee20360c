"""The profile's section on drainage: New Orleans' is complete and sourced, its faults are said in words."""

import shutil
from pathlib import Path

import pytest

from data.profile import load_profile, profile_path
from data.profile_drainage import DrainageRules
from errors import CityFolderError
from geo.drainage_edges import SIDES

PATH = profile_path("new-orleans")


def rules_of(path: Path) -> DrainageRules:
    rules = load_profile(path).drainage
    assert rules is not None
    return rules


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    return Path(shutil.copy(PATH, tmp_path / "city.toml"))


def test_new_orleans_is_complete_and_every_figure_has_a_source() -> None:
    rules = rules_of(PATH)
    assert set(rules.edge.rules) == set(SIDES)
    assert (rules.edge.gap, rules.edge.west) == ("wall", "outlet")
    assert (rules.pumping.first_hour_in, rules.pumping.later_in_per_h) == (1.0, 0.5)
    assert [storm.on.year for storm in rules.storms if storm.on] == [2017, 2019]
    assert rules.request_types == ("Catch Basin Clogged", "Catch Basin Not Draining", "Street Flooding")
    sources = [rules.pumping.source, rules.crew.source, rules.speed_under_water.source, rules.edge.why]
    sources += [storm.source for storm in rules.storms] + [place.source for place in rules.places]
    assert all(len(source) > 40 for source in sources)


def test_places_lie_in_the_city() -> None:
    west, south, east, north = load_profile(PATH).bbox
    rules = rules_of(PATH)
    assert len(rules.places_of("depot")) == len(rules.places_of("dump")) == 1
    for place in rules.places:
        assert west < place.lon < east
        assert south < place.lat < north


def test_a_truck_day_holds_the_basins_it_is_said_to() -> None:
    crew = rules_of(PATH).crew
    at_basins_h = crew.basins_a_truck_day * crew.service_min / 60
    assert at_basins_h < crew.shift_h
    assert crew.basins_a_truck_day * crew.debris_kg < crew.truck_capacity_kg
    # 15,000 basins for $7 million, 7.2 million pounds.
    assert crew.cost_usd == pytest.approx(7e6 / 15_000, abs=1)
    assert crew.debris_kg == pytest.approx(7.2e6 / 15_000 / 2.20462, abs=1)


def test_the_slow_factor_is_what_the_curve_says_of_a_city_street() -> None:
    water = rules_of(PATH).speed_under_water
    depths = range(round(water.slow_depth_m * 1000), round(water.closed_depth_m * 1000) + 1)
    speeds = [0.0009 * w * w - 0.5529 * w + 86.9448 for w in depths]
    streets = load_profile(PATH).speeds
    usual = (streets["residential"] + streets["primary"]) / 2
    assert water.slow_factor == pytest.approx(sum(speeds) / len(speeds) / usual, abs=0.05)
    assert speeds[0] == pytest.approx(streets["residential"], abs=5)
    assert speeds[-1] < 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('gap = "wall"', 'gap = "fence"', "drainage.edge.gap"),
        ("levels_m = [-4.0, 30.0]", "levels_m = [30.0, -4.0]", "the lowest and then the highest ground"),
        ("closed_depth_m = 0.30", "closed_depth_m = 0.10", "slow_depth_m must be below closed_depth_m"),
        ("debris_kg = 218.0", "debris_kg = 9000.0", "what comes out of one basin"),
        ('kind = "dump"', 'kind = "depot"', "places must name a dump"),
        ('"Street Flooding"', '"Catch Basin Clogged"', "the request type Catch Basin Clogged is there twice"),
        ("runoff_share = 0.7", "runoff_share = 1.7", "drainage.runoff_share"),
        ("depth_in = 9.43", "depth_in = 943", "drainage.storms.2.depth_in"),
        ('elevation_range_m = "Assumption', 'x = "Assumption', "where these come from: elevation_range_m"),
        ("shift_h = 8.0\n", "", "drainage.crew.shift_h"),
        (
            "10-year storm, 24 hours",
            "10-year storm, 3 hours",
            "the storm 10-year storm, 3 hours is there twice",
        ),
    ],
)
def test_each_fault_is_said_in_words(spoiled: Path, old: str, new: str, said: str) -> None:
    text = spoiled.read_text(encoding="utf-8")
    assert old in text
    spoiled.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CityFolderError) as caught:
        load_profile(spoiled)
    assert said in str(caught.value)


def test_a_city_may_say_nothing_of_its_drainage(spoiled: Path) -> None:
    text = spoiled.read_text(encoding="utf-8")
    kept = text[: text.index("[drainage]")]
    spoiled.write_text(kept, encoding="utf-8")
    assert load_profile(spoiled).drainage is None
