import shutil
from pathlib import Path

import pytest

from data.profile import load_profile, profile_path
from data.schemas import ROAD_CLASSES
from errors import CityFolderError

PATH = profile_path("new-orleans")


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    return Path(shutil.copy(PATH, tmp_path / "city.toml"))


def replace(path: Path, *changes: tuple[str, str]) -> Path:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def test_new_orleans_is_complete() -> None:
    profile = load_profile(PATH)
    assert profile.name == "New Orleans"
    assert profile.words["parish"] == "parish"
    assert profile.standards[0].code == "Code 3"
    assert profile.standards[0].minutes == 12
    assert set(profile.speeds) <= set(ROAD_CLASSES)
    assert {"residential", "primary", "motorway", "motorway_link", "unclassified", "service", "track"} <= set(
        profile.speeds
    )
    assert all(standard.source for standard in profile.standards)


def test_every_hour_of_the_week_has_one_factor() -> None:
    profile = load_profile(PATH)
    assert len(profile.hour_factors) == 168
    monday_8, friday_16, sunday_3 = 8, 4 * 24 + 16, 6 * 24 + 3
    assert profile.hour_band(monday_8).name == "Weekday morning rush"
    assert profile.hour_band(friday_16).name == "Weekday afternoon rush"
    assert profile.hour_band(sunday_3).name == "Weekend night"
    for hour in range(168):
        assert profile.hour_factors[hour] == profile.hour_factor(hour)


def test_every_fault_is_in_one_message(spoiled: Path) -> None:
    replace(
        spoiled,
        ('timezone = "America/Chicago"', 'timezone = "America/Gotham"'),
        ("utm_epsg = 26915", "utm_epsg = 3452"),
        ("bbox = [-90.16, 29.85, -89.60, 30.20]", "bbox = [29.85, -90.16, 30.20, -89.60]"),
        ("share = 0.80", "share = 80"),
        ("residential = 28.0", "residential = -28.0"),
    )
    with pytest.raises(CityFolderError) as caught:
        load_profile(spoiled)
    for said in (
        "America/Gotham",
        "EPSG:3452 is not a grid in metres",
        "bbox",
        "standards.0.share",
        "residential",
    ):
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("end_hour = 24\nfactor = 1.00", "end_hour = 23\nfactor = 1.00", "exactly one band; 5 do not"),
        ("start_hour = 6\n", "start_hour = 5\n", "exactly one band; 5 do not"),
        ('turnout_s = "NFPA', 'turnout = "NFPA', "must say where these come from: turnout_s"),
        ("low = 0.8", "low = 1.3", "low must not be above high"),
        ("[words]", "[words", "not valid TOML"),
        ("medical_agencies", "agencies_medical", "medical_agencies: Field required"),
    ],
)
def test_fault_is_said_in_words(spoiled: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CityFolderError, match=said):
        load_profile(replace(spoiled, (old, new)))


def test_missing_file_and_wrong_bytes_are_said(tmp_path: Path) -> None:
    with pytest.raises(CityFolderError, match="there is no file"):
        load_profile(tmp_path / "city.toml")
    (tmp_path / "city.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CityFolderError, match="cannot be read"):
        load_profile(tmp_path / "city.toml")
