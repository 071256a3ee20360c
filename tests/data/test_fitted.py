"""Fitted speeds are kept whole, and never taken for those of another city."""

import json
from pathlib import Path

import numpy as np
import pytest

from data.city import City
from data.fitted import FittedSpeeds, fitted_path, fitted_stamp, read_fitted, write_fitted
from errors import InvalidInputError
from tests.data.fitted_case import fitted_speeds
from tests.data.small_city import write_city


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.open(write_city(tmp_path / "city"))


@pytest.fixture
def fitted(city: City) -> FittedSpeeds:
    bands = len(city.profile.hour_bands)
    return fitted_speeds(city, 30 + np.arange(2.0 * bands).reshape(1, bands, 2))


def test_what_was_written_is_read(city: City, fitted: FittedSpeeds) -> None:
    assert read_fitted(city) is None
    assert fitted_stamp(city) == ""
    path = write_fitted(city, fitted)
    assert read_fitted(city) == fitted
    assert path == fitted_path(city)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert City.open(city.path).version == city.version


def test_another_check_has_another_stamp(city: City, fitted: FittedSpeeds) -> None:
    write_fitted(city, fitted)
    stamp = fitted_stamp(city)
    assert len(stamp) == 12
    write_fitted(city, fitted)
    assert fitted_stamp(city) == stamp
    write_fitted(city, fitted.model_copy(update={"drives": 4201}))
    assert fitted_stamp(city) != stamp


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_torn_file_is_told(city: City, fitted: FittedSpeeds, kept: float) -> None:
    path = write_fitted(city, fitted)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InvalidInputError, match="check last month again"):
        read_fitted(city)


@pytest.mark.parametrize(
    "altered",
    [
        {"cells": []},
        {"bands": ["Night"]},
        {"access_s": -1.0},
        {"drive_share": float("nan")},
        {"stranger": 1},
    ],
)
def test_an_altered_file_is_told(city: City, fitted: FittedSpeeds, altered: dict[str, object]) -> None:
    path = write_fitted(city, fitted)
    path.write_text(json.dumps({**json.loads(path.read_text()), **altered}))
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_fitted(city)


def test_speeds_of_another_version_or_city_are_refused(city: City, fitted: FittedSpeeds) -> None:
    other = fitted.model_copy(update={"city_version": "0" * 12})
    with pytest.raises(InvalidInputError, match="another version"):
        write_fitted(city, other)
    fitted_path(city).write_text(other.model_dump_json())
    with pytest.raises(InvalidInputError, match="another city"):
        read_fitted(city)
    profile = city.path / "city.toml"
    profile.write_text(profile.read_text() + "\n# a remark\n")
    assert read_fitted(City.open(city.path)) is None
