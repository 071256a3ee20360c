"""Inlets against the worked examples of HEC-22 (4th edition, 2024), its steps by hand, and laws of water."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import brentq

from errors import InvalidInputError
from models.inlets import (
    CUBIC_FOOT_M3,
    FOOT_M,
    Grate,
    Gutter,
    Inlet,
    gutter_flow,
    gutter_spread,
    inlet_capture,
    sag_capacity,
    splash_velocity,
)

INCH_M = FOOT_M / 12
PLAIN = Gutter(cross_slope=0.02, longitudinal_slope=0.01)
DEEP = Gutter(0.02, 0.01, depression_m=2 * INCH_M, depressed_width_m=2 * FOOT_M)
SHALLOW = Gutter(0.02, 0.01, depression_m=INCH_M, depressed_width_m=2 * FOOT_M)
STEEP = Gutter(cross_slope=0.025, longitudinal_slope=0.04)


def _grate(kind: Grate, length_ft: float, width_ft: float = 2.0) -> Inlet:
    return Inlet("grate", kind, length_ft * FOOT_M, width_ft * FOOT_M)


def _curb(length_ft: float, height_ft: float = 0.43) -> Inlet:
    return Inlet("curb", curb_length_m=length_ft * FOOT_M, curb_height_m=height_ft * FOOT_M)


def _taken_cfs(inlet: Inlet, gutter: Gutter, flow_cfs: float) -> float:
    return float(inlet_capture(inlet, gutter, flow_cfs * CUBIC_FOOT_M3).intercepted_m3_s[0] / CUBIC_FOOT_M3)


def test_example_5_1_uniform_gutter() -> None:
    assert gutter_spread(PLAIN, 1.8 * CUBIC_FOOT_M3)[0] / FOOT_M == pytest.approx(9.0, abs=0.05)
    assert gutter_flow(PLAIN, 8.2 * FOOT_M)[0] / CUBIC_FOOT_M3 == pytest.approx(1.4, abs=0.05)


def test_example_5_2_composite_gutter() -> None:
    assert gutter_flow(DEEP, 8.2 * FOOT_M)[0] / CUBIC_FOOT_M3 == pytest.approx(2.3, abs=0.05)
    assert gutter_spread(DEEP, 4.2 * CUBIC_FOOT_M3)[0] / FOOT_M == pytest.approx(11.1, abs=0.1)


@pytest.mark.parametrize(
    ("grate", "length_ft", "published_cfs"),
    [("P-1-7/8", 2.0, 3.15), ("reticuline", 2.0, 2.8), ("P-1-7/8", 4.0, 3.6), ("reticuline", 4.0, 3.6)],
)
def test_example_7_1_grates_on_grade(grate: Grate, length_ft: float, published_cfs: float) -> None:
    """Table 7.4; the manual rounds W/T to 0.2, hence two parts in a hundred."""
    flow_cfs = float(gutter_flow(STEEP, 9.84 * FOOT_M)[0] / CUBIC_FOOT_M3)
    assert _taken_cfs(_grate(grate, length_ft), STEEP, flow_cfs) == pytest.approx(published_cfs, rel=0.02)


@pytest.mark.parametrize(("gutter", "published_cfs"), [(PLAIN, 1.08), (SHALLOW, 1.55)])
def test_example_7_2_curb_openings_on_grade(gutter: Gutter, published_cfs: float) -> None:
    assert _taken_cfs(_curb(9.84), gutter, 1.77) == pytest.approx(published_cfs, rel=0.02)


def test_example_7_3_length_that_takes_all() -> None:
    """Eo = 0.70 (0.71 unrounded) is that of example 5.2 at this flow; 11.7 ft take all of it."""
    assert _taken_cfs(_curb(11.7), DEEP, 2.26) == pytest.approx(2.26)
    assert _taken_cfs(_curb(11.4), DEEP, 2.26) < 2.26


def test_example_7_4_sweeper_combination() -> None:
    both = Inlet("combination", "curved vane", 2 * FOOT_M, 2 * FOOT_M, 9.84 * FOOT_M, 0.43 * FOOT_M)
    assert _taken_cfs(both, SHALLOW, 1.77) == pytest.approx(1.76, abs=0.01)
    assert splash_velocity("curved vane", 2 * FOOT_M) / FOOT_M == pytest.approx(6, abs=0.1)


def test_example_7_5_grate_in_a_sag() -> None:
    """Half clogged from the curb: 1 ft of width left; 5.66 ft pass 6.71 cfs under 0.442 ft of mean depth."""
    gutter = Gutter(0.05, 0.01)
    capacity = sag_capacity(_grate("P-1-7/8-4", 5.66, 1.0), gutter, (0.442 + 0.025) * FOOT_M)
    assert capacity[0] / CUBIC_FOOT_M3 == pytest.approx(6.71, rel=0.01)


@pytest.mark.parametrize(("drop_in", "published_cfs"), [(0.0, 1.6), (1.0, 1.7)])
def test_example_7_6_curb_opening_in_a_sag(drop_in: float, published_cfs: float) -> None:
    """The manual rounds the depth to 0.16 ft."""
    gutter = Gutter(0.02, 0.01, depression_m=drop_in * INCH_M, depressed_width_m=2 * FOOT_M)
    capacity = sag_capacity(_curb(8.2), gutter, 0.16 * FOOT_M)
    assert capacity[0] / CUBIC_FOOT_M3 == pytest.approx(published_cfs, rel=0.04)


@pytest.mark.parametrize(("clogging", "depth_ft"), [(0.0, 0.39), (1.0, 0.74)])
def test_example_7_8_combination_in_a_sag(clogging: float, depth_ft: float) -> None:
    both = Inlet("combination", "P-1-7/8", 4 * FOOT_M, 2 * FOOT_M, 4 * FOOT_M, 3.9 * INCH_M)

    def short_cfs(depth: float) -> float:
        room = sag_capacity(both, Gutter(0.03, 0.01), depth * FOOT_M, clogging=clogging, curb_clogging=0.0)
        return float(room[0] / CUBIC_FOOT_M3 - 5.3)

    assert brentq(short_cfs, 0.05, 2.0) == pytest.approx(depth_ft, abs=0.01)


def _by_hand(inlet: Inlet, gutter: Gutter, flow: float) -> float:
    """Follow the manual's own steps in US units, with equation 5.7 as printed and a root finder."""
    cfs, cross = flow / CUBIC_FOOT_M3, float(gutter.cross_slope)
    slope, n = float(gutter.longitudinal_slope), float(gutter.manning_n)
    width, drop = float(gutter.depressed_width_m) / FOOT_M, float(gutter.depression_m) / FOOT_M
    ratio = (cross + drop / width) / cross

    def eo(spread: float) -> float:
        return float(1 / (1 + ratio / ((1 + ratio / (spread / width - 1)) ** (8 / 3) - 1)))

    def total(spread: float) -> float:
        side = 0.56 / n * cross ** (5 / 3) * np.sqrt(slope) * (spread - width) ** (8 / 3)
        return float(side / (1 - eo(spread)))

    spread = brentq(lambda t: total(t) - cfs, width * 1.0001, 200)
    area = (spread**2 * cross + drop * width) / 2
    speed = cfs / area
    rf = min(1.0, 1 - 0.09 * (speed - splash_velocity(inlet.grate, inlet.grate_length_m) / FOOT_M))
    rs = 1 / (1 + 0.15 * speed**1.8 / (cross * (inlet.grate_length_m / FOOT_M) ** 2.3))
    return float(cfs * (rf * eo(spread) + rs * (1 - eo(spread))) * CUBIC_FOOT_M3)


@given(st.floats(0.02, 0.3), st.floats(0.01, 0.06), st.floats(0.003, 0.06), st.floats(0.01, 0.08))
def test_grates_equal_the_manual_s_steps_in_us_units(
    flow: float, cross: float, slope: float, drop: float
) -> None:
    """To the three digits in which the manual gives its constants in both units."""
    gutter = Gutter(cross, slope, depression_m=drop, depressed_width_m=0.4)
    inlet = Inlet("grate", "P-1-1/8", 0.9, 0.4)
    if gutter_spread(gutter, flow)[0] > 0.41:
        mine = inlet_capture(inlet, gutter, flow).intercepted_m3_s[0]
        assert mine == pytest.approx(_by_hand(inlet, gutter, flow), rel=0.01)


GUTTERS = st.builds(
    Gutter,
    st.floats(0.005, 0.1),
    st.floats(0.0005, 0.1),
    depression_m=st.sampled_from([0.0, 0.02, 0.1]),
    depressed_width_m=st.floats(0.2, 1.0),
)
INLETS = st.builds(
    Inlet,
    st.sampled_from(["grate", "curb", "combination"]),
    st.sampled_from(["P-1-7/8", "P-1-1/8", "curved vane", "reticuline"]),
    st.floats(0.3, 1.2),
    st.floats(0.2, 1.0),
    st.floats(0.3, 4.0),
    st.floats(0.08, 0.25),
)


@given(GUTTERS, st.floats(1e-6, 5.0))
def test_spread_and_flow_are_inverse(gutter: Gutter, flow: float) -> None:
    assert gutter_flow(gutter, gutter_spread(gutter, flow))[0] == pytest.approx(flow, rel=1e-6)


@given(INLETS, GUTTERS, st.floats(0, 2.0))
def test_clogging_takes_capture_from_all_to_none(inlet: Inlet, gutter: Gutter, flow: float) -> None:
    for depth in (None, 0.2):
        got = inlet_capture(inlet, gutter, flow, depth_m=depth, clogging=np.linspace(0, 1, 11))
        assert np.all(got.intercepted_m3_s <= flow * (1 + 1e-12))
        assert np.all(np.diff(got.intercepted_m3_s) <= 1e-12)
        assert got.intercepted_m3_s[-1] == 0
        np.testing.assert_allclose(got.intercepted_m3_s + got.bypass_m3_s, flow)
        assert (
            got.intercepted_m3_s[0] == inlet_capture(inlet, gutter, flow, depth_m=depth).intercepted_m3_s[0]
        )


@given(INLETS, GUTTERS)
def test_deeper_water_is_taken_faster(inlet: Inlet, gutter: Gutter) -> None:
    depth = np.linspace(0, 1.5, 400)
    capacity = sag_capacity(inlet, gutter, depth)
    assert np.all(np.diff(capacity) >= -1e-12)
    assert np.all(np.isfinite(capacity))


@given(GUTTERS, st.floats(0.001, 0.5), st.floats(0.3, 4), st.floats(1.0, 3.0))
def test_a_longer_opening_and_more_flow_never_take_less(
    gutter: Gutter, flow: float, length: float, factor: float
) -> None:
    def taken(q: float, metres: float) -> float:
        return float(inlet_capture(Inlet("curb", curb_length_m=metres), gutter, q).intercepted_m3_s[0])

    assert taken(flow, length * factor) >= taken(flow, length) - 1e-12
    assert taken(flow * factor, length) >= taken(flow, length) - 1e-12


@given(INLETS, GUTTERS, st.floats(0.001, 0.5), st.floats(1.0, 2.0))
def test_a_longer_grate_never_takes_less(inlet: Inlet, gutter: Gutter, flow: float, factor: float) -> None:
    short = Inlet("grate", inlet.grate, inlet.grate_length_m, inlet.grate_width_m)
    long = Inlet("grate", inlet.grate, inlet.grate_length_m * factor, inlet.grate_width_m)
    for depth in (None, 0.1):
        less, more = (
            inlet_capture(i, gutter, flow, depth_m=depth).intercepted_m3_s[0] for i in (short, long)
        )
        assert more >= less - 1e-12


def test_more_flow_is_more_capture_below_the_splash() -> None:
    flow = np.linspace(0.001, 0.05, 50)
    got = inlet_capture(Inlet("grate", "P-1-7/8"), PLAIN, flow)
    assert np.all(np.diff(got.intercepted_m3_s) > 0)


@given(GUTTERS, st.floats(0.01, 0.3), st.floats(0.1, 1.5))
def test_frontal_flow_does_not_jump_with_the_grate_s_width(gutter: Gutter, flow: float, width: float) -> None:
    """Narrower than the gutter, as wide, wider than the water: the rules meet."""
    a, b = (
        inlet_capture(Inlet("grate", grate_width_m=w), gutter, flow).intercepted_m3_s[0]
        for w in (width, width + 1e-7)
    )
    assert abs(a - b) <= 1e-5 * flow


def test_what_cannot_be_is_refused_together() -> None:
    with pytest.raises(InvalidInputError, match="5 faults") as error:
        inlet_capture(
            Inlet("grate", grate_length_m=0),
            Gutter(-0.02, np.array([0.01, np.nan])),
            -1,
            clogging=1.2,
            curb_clogging=0,
        )
    assert "mend 1 of its values" in str(error.value)
    with pytest.raises(InvalidInputError, match="depressed_width_m above 0"):
        inlet_capture(Inlet("curb"), Gutter(0.02, 0.01, depression_m=0.05), 0.1)
