"""Storms and allowances: depths add up, peaks stand where they should, and what cannot be is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidInputError
from models.storm import INCH_MM, RECORD_MM, SHAPES, Pumping, Storm


@given(st.floats(0, RECORD_MM), st.floats(1, 1440), st.sampled_from(SHAPES), st.floats(0.5, 60))
def test_steps_add_up_to_the_depth(depth: float, duration: float, shape: str, step: float) -> None:
    storm = Storm(depth, duration, shape)  # type: ignore[arg-type]
    rain = storm.rain_mm(step)
    assert rain.sum() == pytest.approx(depth, rel=1e-9)
    assert (rain >= 0).all()
    assert (len(rain) - 1) * step < duration <= len(rain) * step + 1e-6
    # Twice the mean rate is the peak of a triangle.
    assert rain.max(initial=0) <= 2 * depth * min(step / duration, 1) + 1e-9


@pytest.mark.parametrize(
    ("shape", "rain"),
    [("even", [25, 25, 25, 25]), ("middle", [12.5, 37.5, 37.5, 12.5]), ("early", [25, 125 / 3, 25, 25 / 3])],
)
def test_shapes_by_hand(shape: str, rain: list[float]) -> None:
    np.testing.assert_allclose(Storm(100, 60, shape).rain_mm(15), rain)  # type: ignore[arg-type]


def test_no_rain_is_a_dry_storm() -> None:
    storm = Storm(0.0, 60.0)
    assert storm.is_dry
    assert storm.words == "No rain falls: nothing floods."
    assert not storm.rain_mm(5.0).any()


def test_words_are_in_inches_and_hours() -> None:
    assert Storm(9.43 * INCH_MM, 180, name="5 August 2017").words == (
        "5 August 2017: 9.43 inches in 3 hours, heaviest in the middle."
    )
    assert Storm(50.8, 90, "even").words == "2 inches in 1.5 hours, evenly."


def test_forty_inches_are_refused_with_the_record() -> None:
    with pytest.raises(
        InvalidInputError, match=r"40\.0 inches is more than Louisiana .*22\.00 inches at Hackberry"
    ):
        Storm(40 * INCH_MM, 1440)
    assert Storm(RECORD_MM, 1440).depth_mm == RECORD_MM


def test_every_fault_of_a_storm_is_said() -> None:
    with pytest.raises(InvalidInputError, match="3 faults"):
        Storm(np.nan, 2000.0, "late")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="zero or more"):
        Storm(-1.0, 60.0)
    with pytest.raises(InvalidInputError, match="more than no time"):
        Storm(1.0, 0.0)
    with pytest.raises(InvalidInputError, match="minutes above zero"):
        Storm(1.0, 60.0).rain_mm(0.0)


def test_an_inch_in_the_first_hour_and_half_an_inch_after() -> None:
    allowed = Pumping().allowed_mm(20.0, 9)
    np.testing.assert_allclose(allowed, [INCH_MM / 3] * 3 + [INCH_MM / 6] * 6)
    # A step over the end of the hour has part of both.
    np.testing.assert_allclose(Pumping(30.0, 15.0).allowed_mm(40.0, 2), [20.0, 15.0])


def test_pump_areas_have_their_shares() -> None:
    area = np.array([-1, 0, 1])
    assert Pumping(share=(0.5, 0.0)).share_of(area).tolist() == [1.0, 0.5, 0.0]
    assert Pumping(share=0.25).share_of(area).tolist() == [0.25] * 3
    with pytest.raises(InvalidInputError, match=r"shares for 1 pump areas .* area 1"):
        Pumping(share=(0.5,)).share_of(area)
    with pytest.raises(InvalidInputError, match="3 faults"):
        Pumping(first_hour_mm=-1, later_mm_per_h=np.inf, share=(np.nan,))
