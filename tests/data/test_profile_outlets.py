"""The profile's section on outlets: New Orleans' is complete, and its faults are said in words."""

import shutil
from itertools import chain
from pathlib import Path

import pytest

from data.profile import load_profile, profile_path
from data.profile_outlets import OutletRules
from errors import CityFolderError

PATH = profile_path("new-orleans")


def rules_of(path: Path) -> OutletRules:
    rules = load_profile(path).outlets
    assert rules is not None
    return rules


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    return Path(shutil.copy(PATH, tmp_path / "city.toml"))


def test_new_orleans_names_its_codes_and_where_incidents_are_booked() -> None:
    profile = load_profile(PATH)
    rules = rules_of(PATH)
    assert (rules.void, rules.duplicate, rules.unfounded) == (("VOI",), ("DUP",), ("UNF",))
    assert rules.written_report == ("RTF",)
    assert {"42*", "43*"} <= set(rules.withheld_types)
    kinds = [place.kind for place in rules.booking_places]
    assert kinds.count("police station") == 9
    assert kinds.count("court") == kinds.count("jail") == 1
    west, south, east, north = profile.bbox
    for place in rules.booking_places:
        assert west < place.lon < east
        assert south < place.lat < north


def test_no_type_has_two_meanings_by_its_beginning() -> None:
    rules = rules_of(PATH)
    groups = (
        rules.withheld_types,
        rules.control_types,
        tuple(chain.from_iterable(group.codes for group in rules.alcohol_types)),
    )

    def meets(one: str, other: str) -> bool:
        if one.endswith("*"):
            return other.startswith(one[:-1])
        return one == other

    for number, group in enumerate(groups):
        others = list(chain.from_iterable(groups[:number] + groups[number + 1 :]))
        assert not [(one, other) for one in group for other in others if meets(one, other)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('void = ["VOI"]', 'void = ["VOI", "RTF"]', "RTF is given two dispositions"),
        ('control_types = ["20*"', 'control_types = ["20*", "103F"', "103F is in two of withheld_types"),
        ('written_report = ["RTF"]', "written_report = []", "outlets.written_report"),
        ('control_types = ["20*"', 'control_types = ["2*0"', "outlets.control_types.0"),
        ('kind = "jail"', 'kind = "prison"', "outlets.booking_places.10.kind"),
        ("lat = 29.960128", "lat = -90.095177", "outlets.booking_places.10.lat"),
        ('dispositions = "Codes', 'codes = "Codes', "must say where these come from: dispositions"),
        ("Third District station, 4650 Paris Avenue", "Police headquarters, 715 South Broad Street", "twice"),
        ('police_agencies = ["Police"]', 'police = ["Police"]', "outlets.police_agencies: Field required"),
    ],
)
def test_fault_is_said_in_words(spoiled: Path, old: str, new: str, said: str) -> None:
    text = spoiled.read_text(encoding="utf-8")
    assert old in text
    spoiled.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CityFolderError, match="cannot be used") as caught:
        load_profile(spoiled)
    assert said in str(caught.value)


def test_a_city_without_the_section_opens_without_it(spoiled: Path) -> None:
    text = spoiled.read_text(encoding="utf-8")
    start = text.index("[outlets]")
    end = text.index("[outlets.sources]")
    tail = text[end:].split("\n\n", 1)[1:] or [""]
    spoiled.write_text(text[:start] + tail[0], encoding="utf-8")
    assert load_profile(spoiled).outlets is None
