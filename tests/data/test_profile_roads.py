"""Closures, routes and floods of a profile: how they are read, and that New Orleans' are what they say."""

from datetime import date

import geopandas as gpd
import numpy as np
import pytest
import shapely

from data.profile import load_profile, profile_path
from data.profile_roads import Closure, Flood, Stretch


def test_closure_takes_names_unnamed_and_box_together() -> None:
    in_box, apart = [(0.2, 0.5), (0.8, 0.5)], [(2, 2), (3, 3)]
    through = [(-5, 0.5), (5, 0.5)]
    streets = gpd.GeoDataFrame(
        {"name": ["St. Claude Avenue", "st claude avenue", None, "Sister Street", "St. Claude Avenue", None]},
        geometry=[shapely.LineString(line) for line in (in_box, through, in_box, in_box, apart, apart)],
        crs=4326,
    )
    box = (0.0, 0.0, 1.0, 1.0)
    names = ("St Claude Avenue",)
    cases = [
        (Closure(name="c", streets=names, unnamed=True, box=box), [1, 1, 1, 0, 0, 0]),
        (Closure(name="c", streets=names, box=box), [1, 1, 0, 0, 0, 0]),
        (Closure(name="c", streets=names), [1, 1, 0, 0, 1, 0]),
        (Closure(name="c", box=box), [1, 1, 1, 1, 0, 0]),
    ]
    for closure, expected in cases:
        assert closure.select(streets).tolist() == np.array(expected, dtype=bool).tolist()


def test_closure_without_names_or_box_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing needs street names, a box, or both"):
        Closure(name="nothing")


def test_stretches_of_one_closure_are_taken_together() -> None:
    streets = gpd.GeoDataFrame(
        {"name": ["A Street", "B Street", "A Street", "C Street"]},
        geometry=[shapely.LineString([(x, 0), (x + 0.5, 0)]) for x in range(4)],
        crs=4326,
    )
    stretches = (
        Stretch(streets=("A Street",), box=(-0.1, -1, 0.1, 1)),
        Stretch(streets=("B Street",)),
    )
    route = Closure(name="r", stretches=stretches, kind="route", through=False)
    assert route.select(streets).tolist() == [True, True, False, False]
    flood = Flood(name="f", source="seen", streets=("C Street",), stretches=stretches)
    assert flood.select(streets).tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"streets": ["A"], "speed_factor": 1.5}, "less than or equal to 1"),
        ({"streets": ["A"], "kind": "ferry"}, "bridge"),
        ({"streets": ["A"], "dates": [{"on": "2027-02-09", "who": "Rex"}]}, "must say their source"),
        ({"streets": ["A"], "stretches": [{"unnamed": True}]}, "a stretch needs street names"),
        ({"box": [-90, 30, -91, 31]}, "west below east"),
    ],
)
def test_faulty_closures_are_told(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Closure.model_validate({"name": "c", **values})


def test_a_flood_must_say_its_source() -> None:
    with pytest.raises(ValueError, match="source"):
        Flood.model_validate({"name": "f", "streets": ["A"]})


def test_new_orleans_names_what_each_place_is_and_where_it_comes_from() -> None:
    profile = load_profile(profile_path("new-orleans"))
    kinds = [closure.kind for closure in profile.closures]
    assert [kinds.count(kind) for kind in ("bridge", "rail crossing", "route", "road")] == [8, 2, 2, 0]
    assert all(closure.source for closure in profile.closures if closure.kind != "bridge")
    assert profile.sources["closures"]
    assert len({entry.name for entry in (*profile.closures, *profile.floods)}) == 12 + len(profile.floods)
    for route in (closure for closure in profile.closures if closure.kind == "route"):
        assert not route.through
        assert route.speed_factor is not None
    for closure in profile.closures:
        assert closure.through or closure.kind == "route"


def test_carnival_of_2027_ends_on_mardi_gras() -> None:
    """Mardi Gras is 47 days before Easter, which is 28 March in 2027."""
    profile = load_profile(profile_path("new-orleans"))
    days = {day.on for closure in profile.closures for day in closure.dates}
    assert max(days) == date(2027, 2, 9) == date.fromordinal(date(2027, 3, 28).toordinal() - 47)
    (endymion,) = (day.on for closure in profile.closures for day in closure.dates if day.who == "Endymion")
    assert endymion.strftime("%A") == "Saturday"
