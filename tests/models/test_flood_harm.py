"""Harm on the leveed bowl, counted by hand; depths on streets; what does not belong together is said."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidInputError
from geo.drainage_edges import Grid
from models.flood import OUTSIDE, run_storm
from models.flood_harm import (
    CLOSED_M,
    SLOW_M,
    Items,
    StreetSamples,
    building_items,
    harm,
    harmed,
    people_items,
    people_on_streets,
    place_on,
)
from models.storm import Storm
from tests.models.flood_cases import CELL_M, LEVEED, NO_PUMPS, leveed

GRID = Grid(west_m=1000.0, north_m=5000.0, cell_m=CELL_M, epsg=26915, shape=LEVEED.shape)
GROUND = leveed("outlet")
BOWL = 1


def _streets() -> StreetSamples:
    """Three places in the bowl's middle row, six on the strip, and five over the levee off the surface."""
    x = np.array([1025.0, 1035, 1045, *range(1010, 1070, 10), *[1035] * 5])
    y = np.array([4965.0] * 3 + [4995.0] * 6 + [4965, 4975, 4985, 4995, 5005])
    edge = np.repeat([0, 1, 2], [3, 6, 5])
    return StreetSamples(edge, *place_on(GRID, GROUND.ponds, x, y), np.full(14, 10.0), 4)


def test_places_have_the_pond_and_the_ground_under_them() -> None:
    streets = _streets()
    assert streets.pond[streets.edge == 0].tolist() == [BOWL] * 3
    assert streets.pond[streets.edge == 2].tolist() == [BOWL, BOWL, BOWL, 0, OUTSIDE]
    assert streets.ground_m[streets.edge == 2][:4].tolist() == [0.0, 0.0, 0.5, 0.2]
    assert np.isnan(streets.ground_m[-1])


def test_streets_under_water_by_hand() -> None:
    streets = _streets()
    # 80 mm on 25 cells are 200 m3 on nine: 0.222 m. 250 mm fill the bowl to its rim of 0.5 m.
    slow, closed = streets.items(SLOW_M), streets.items(CLOSED_M)
    assert slow.total == 140
    shallow = run_storm(GROUND, Storm(80.0, 60.0), NO_PUMPS, 1.0)
    deep = run_storm(GROUND, Storm(250.0, 60.0), NO_PUMPS, 1.0)
    assert (harm(slow, shallow.level_m), harm(closed, shallow.level_m)) == (50, 0)
    assert (harm(slow, deep.level_m), harm(closed, deep.level_m)) == (50, 50)
    assert streets.edge_depth_m(shallow.level_m).tolist() == pytest.approx([200 / 900, 0, 200 / 900, 0])
    assert streets.edge_depth_m(deep.level_m).tolist() == pytest.approx([0.5, 0, 0.5, 0])
    dry = run_storm(GROUND, Storm(0.0, 60.0), NO_PUMPS, 1.0)
    assert harm(slow, dry.level_m) == 0
    assert not streets.edge_depth_m(dry.level_m).any()


def test_buildings_and_people_by_their_floors() -> None:
    x, y = [1035.0, 1025.0, 1005.0, 0.0], [4965.0, 4975.0, 4995.0, 0.0]
    deep = run_storm(GROUND, Storm(250.0, 60.0), NO_PUMPS, 1.0)
    buildings = building_items(GRID, GROUND.ponds, x, y, [0.45, 0.6, 0.0, 0.0])
    assert harmed(buildings, deep.level_m).tolist() == [True, False, False, False]
    people = people_items(GRID, GROUND.ponds, x, y, people=[3, 5, 7, 9], floor_m=0.3)
    assert (people.total, harm(people, deep.level_m)) == (24, 8)


def test_people_are_spread_along_their_streets() -> None:
    streets = _streets()
    area = np.where(streets.edge == 0, 0, np.where(streets.edge == 1, 1, -1))
    people = people_on_streets(streets, area, [90.0, 60.0])
    deep = run_storm(GROUND, Storm(250.0, 60.0), NO_PUMPS, 1.0)
    assert people.total == pytest.approx(150)
    assert harm(people, deep.level_m) == pytest.approx(90)
    # A neighborhood without a street has nobody on one.
    assert people_on_streets(streets, area, [90.0, 60.0, 1e6]).total == pytest.approx(150)


@given(st.floats(0, 2), st.floats(0, 2))
def test_harm_rises_with_the_water(first: float, second: float) -> None:
    items = _streets().items(SLOW_M)
    low, high = sorted([first, second])
    assert harm(items, np.array([-np.inf, low])) <= harm(items, np.array([-np.inf, high]))


def test_faults_are_said() -> None:
    with pytest.raises(InvalidInputError, match="one entry for each thing"):
        Items(np.array([1]), np.array([1.0, 2.0]), np.array([1.0]), "things", "")
    with pytest.raises(InvalidInputError, match=r"(?s)2 faults.*zero or more.*leave the thing out"):
        Items(np.array([1]), np.array([np.nan]), np.array([-1.0]), "things", "")
    other = dataclasses.replace(GRID, cell_m=20.0)
    with pytest.raises(InvalidInputError, match=r"(?s)2 faults.*cells of 20.*floor_m must be"):
        building_items(other, GROUND.ponds, [1035.0], [4965.0], np.nan)
    streets = _streets()
    with pytest.raises(InvalidInputError, match="people for each neighborhood"):
        people_on_streets(streets, np.full(len(streets.edge), 3), [1.0])
    with pytest.raises(InvalidInputError, match="the neighborhood of each place"):
        people_on_streets(streets, np.zeros(1, np.int64), [1.0])
