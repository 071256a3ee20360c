"""How much water an inlet takes: grates, curb openings and both together, on grade and in a sag.

After FHWA, Hydraulic Engineering Circular No. 22, Urban Drainage Design Manual, 4th edition (2024),
chapters 5 and 7; equation numbers are that edition's. SI inside; `FOOT_M` and `CUBIC_FOOT_M3` turn US units
at the edge. docs/methods/basins.md tells what was checked against which worked example.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]
Values = float | FloatArray
"""One number, or (n,) of them."""
Kind = Literal["grate", "curb", "combination"]
Grate = Literal[
    "P-1-7/8", "P-1-7/8-4", "P-1-1/8", "curved vane", "45 degree tilt-bar", "30 degree tilt-bar", "reticuline"
]

FOOT_M = 0.3048
CUBIC_FOOT_M3 = FOOT_M**3
GRAVITY = 9.81
GUTTER_SI = 0.376
SPLASH_SI, SIDE_SI = 0.295, 0.0828
LENGTH_SI = 0.817
GRATE_WEIR, LIP_WEIR, DEPRESSED_WEIR, ORIFICE = 0.37, 0.37, 0.29, 0.67
SPREAD_STEPS, SPREAD_TOLERANCE_M = 60, 1e-12

SPLASH: dict[Grate, tuple[float, float, float, float]] = {
    "P-1-7/8": (2.22, 4.03, -0.65, 0.06),
    "P-1-7/8-4": (0.74, 2.44, -0.27, 0.02),
    "P-1-1/8": (1.76, 3.12, -0.45, 0.03),
    "curved vane": (0.30, 4.85, -1.31, 0.15),
    "45 degree tilt-bar": (0.99, 2.64, -0.36, 0.03),
    "30 degree tilt-bar": (0.51, 2.34, -0.20, 0.01),
    "reticuline": (0.28, 2.28, -0.18, 0.01),
}
"""Splash-over velocity in ft/s as a cubic of the length in ft: the curves of figure 7.8 as the Denver Urban
Drainage and Flood Control District fitted them and EPA SWMM 5.2 uses them."""
OPEN_SHARE: dict[Grate, float] = {
    "P-1-7/8": 0.9,
    "P-1-7/8-4": 0.8,
    "P-1-1/8": 0.6,
    "curved vane": 0.35,
    "45 degree tilt-bar": 0.17,
    "30 degree tilt-bar": 0.34,
    "reticuline": 0.8,
}
"""Table 7.5; the 45 degree tilt-bar was not tested, its share is the one EPA SWMM 5.2 assumes."""


@dataclass(frozen=True, eq=False)
class Gutter:
    """The street edge upstream of an inlet; every attribute is one number or (n,).

    Attributes
    ----------
    cross_slope, longitudinal_slope
        Of the pavement (Sx) and along the curb (SL), m/m.
    manning_n
        Roughness; 0.016 is asphalt or concrete of rough texture.
    depression_m, depressed_width_m
        How far the gutter lies below the pavement's slope at the curb (a), and how wide it is (W); both 0
        where the slope is uniform.
    """

    cross_slope: Values
    longitudinal_slope: Values
    manning_n: Values = 0.016
    depression_m: Values = 0.0
    depressed_width_m: Values = 0.0


@dataclass(frozen=True)
class Inlet:
    """One design of inlet.

    Attributes
    ----------
    kind
        "grate", "curb" or "combination" (the curb opening may reach upstream of the grate).
    grate, grate_length_m, grate_width_m
        Type and size of the grate, along and across the curb.
    curb_length_m, curb_height_m
        Of the curb opening, with a horizontal throat.
    """

    kind: Kind
    grate: Grate = "P-1-7/8-4"
    grate_length_m: float = 0.61
    grate_width_m: float = 0.61
    curb_length_m: float = 1.52
    curb_height_m: float = 0.15


@dataclass(frozen=True, eq=False)
class Capture:
    """What an inlet does with the water that comes to it; all (n,).

    Attributes
    ----------
    intercepted_m3_s, bypass_m3_s
        Taken, and passed on (in a sag: left standing). They add up to the flow.
    spread_m
        Width of the water on the street (T).
    depth_m
        Depth at the curb, measured from the pavement's slope carried on to the curb (T Sx).
    """

    intercepted_m3_s: FloatArray
    bypass_m3_s: FloatArray
    spread_m: FloatArray
    depth_m: FloatArray


def inlet_capture(
    inlet: Inlet,
    gutter: Gutter,
    flow_m3_s: Values,
    *,
    depth_m: Values | None = None,
    clogging: Values = 0.0,
    curb_clogging: Values | None = None,
) -> Capture:
    """Take what an inlet can of a flow, on grade or in a sag.

    On grade: gutter flow by equations 5.2 and 5.7, grates by 7.3 to 7.9, curb openings by 7.11 to 7.13. In a
    sag: the lesser of `sag_capacity` at the depth and the flow.

    Parameters
    ----------
    flow_m3_s
        Flow that comes to the inlet, one number or (n,).
    depth_m
        Standing water at the curb, where the inlet lies in a sag; None: on grade.
    clogging
        Share of the opening that is blocked, 0 to 1. Capture is reduced by that share, as perimeter and area
        are in section 7.3.1 and as EPA SWMM 5.2 does on grade.
    curb_clogging
        The same of the curb opening of a combination; as the grate's where None.

    Raises
    ------
    InvalidInputError
        If a slope, roughness or size is not positive, a flow or depth negative, or clogging outside 0 to 1.
    """
    flow = np.atleast_1d(np.asarray(flow_m3_s, np.float64))
    blocked = clogging if curb_clogging is None else curb_clogging
    _check(inlet, gutter, clogging, blocked, flow_m3_s=flow, depth_m=0.0 if depth_m is None else depth_m)
    if depth_m is not None:
        depth = np.atleast_1d(np.asarray(depth_m, np.float64))
        room = sag_capacity(inlet, gutter, depth, clogging=clogging, curb_clogging=blocked)
        taken, flow, depth = np.broadcast_arrays(np.minimum(room, flow), flow, depth)
        return Capture(taken, flow - taken, depth / np.asarray(gutter.cross_slope), depth)
    taken = _on_grade(inlet, gutter, flow, 1 - np.asarray(clogging), 1 - np.asarray(blocked))
    taken, flow, spread = np.broadcast_arrays(taken, flow, gutter_spread(gutter, flow))
    return Capture(taken, flow - taken, spread, spread * np.asarray(gutter.cross_slope))


def gutter_spread(gutter: Gutter, flow_m3_s: Values) -> FloatArray:
    """Width of a flow on the street, (n,) metres: equation 5.2, and 5.7 beyond a depressed gutter.

    With ``x`` the spread beyond the gutter, ``r = Sw / Sx``, equation 5.7 and 5.2 together are
    ``Q = K Sx^(5/3) SL^(1/2) / n (x^(8/3) (1 - 1/r) + (x + r W)^(8/3) / r)``: convex and rising in x, so that
    Newton's steps from above cannot miss.
    """
    factor, cross, steep, width = _shape(gutter)
    target = np.asarray(flow_m3_s, np.float64) / factor
    ratio = steep / cross
    target, ratio, width, cross, steep = np.broadcast_arrays(target, ratio, width, cross, steep)
    inside = (target / ratio ** (5 / 3)) ** 0.375
    beyond = target**0.375
    for _ in range(SPREAD_STEPS):
        excess = beyond ** (8 / 3) * (1 - 1 / ratio) + (beyond + ratio * width) ** (8 / 3) / ratio - target
        slope = (8 / 3) * (beyond ** (5 / 3) * (1 - 1 / ratio) + (beyond + ratio * width) ** (5 / 3) / ratio)
        step = np.divide(excess, slope, out=np.zeros_like(excess), where=slope > 0)
        beyond = np.maximum(beyond - step, 0.0)
        if not (np.abs(step) > SPREAD_TOLERANCE_M).any():
            break
    return np.atleast_1d(np.where(inside <= width, inside, width + beyond))


def gutter_flow(gutter: Gutter, spread_m: Values) -> FloatArray:
    """Flow that spreads so wide, (n,) m3/s: the inverse of `gutter_spread`."""
    factor, cross, steep, width = _shape(gutter)
    spread, ratio = np.asarray(spread_m, np.float64), steep / cross
    beyond = np.maximum(spread - width, 0.0)
    wide = beyond ** (8 / 3) * (1 - 1 / ratio) + (beyond + ratio * width) ** (8 / 3) / ratio
    return np.atleast_1d(factor * np.where(spread <= width, ratio ** (5 / 3) * spread ** (8 / 3), wide))


def sag_capacity(
    inlet: Inlet,
    gutter: Gutter,
    depth_m: Values,
    *,
    clogging: Values = 0.0,
    curb_clogging: Values | None = None,
) -> FloatArray:
    """Most that an inlet in a sag takes at a depth, (n,) m3/s.

    Grates: the lesser of weir (7.14) and orifice (7.15), which is the conservative rule of section 7.3 in the
    transition and the manual's elsewhere. Curb openings: the lesser of the weir (7.16; 7.17 where depressed,
    but never less than 7.16) and the opening itself, an orifice (7.19) once it is under water. Combinations:
    the grate alone while it is a weir (or the opening, where a clogged grate takes less), both once it is an
    orifice (section 7.3.4), and between them whichever is less.

    Parameters
    ----------
    depth_m
        At the curb, measured from the pavement's slope, one number or (n,).
    """
    blocked = clogging if curb_clogging is None else curb_clogging
    _check(inlet, gutter, clogging, blocked, flow_m3_s=0.0, depth_m=depth_m)
    depth = np.atleast_1d(np.asarray(depth_m, np.float64))
    drop, open_grate, open_curb = (
        np.asarray(gutter.depression_m),
        1 - np.asarray(clogging),
        1 - np.asarray(blocked),
    )
    _, _, steep, width = _shape(gutter)
    root = np.sqrt(2 * GRAVITY)
    if inlet.kind != "grate":
        length, height = inlet.curb_length_m, inlet.curb_height_m
        sunk = np.where(drop > 0, DEPRESSED_WEIR * (length + 1.8 * width), 0.0)
        weir = np.maximum(LIP_WEIR * length, sunk)
        lip = depth + drop
        drowned = ORIFICE * length * height * np.sqrt(np.maximum(lip - height / 2, height / 2))
        opening = drowned * np.minimum(lip / height, 1.0) ** 1.5
        curb = open_curb * root * np.minimum(weir * depth**1.5, opening)
        if inlet.kind == "curb":
            return np.atleast_1d(curb)
    at_curb = depth + drop
    wet = np.minimum(inlet.grate_width_m, at_curb / steep)
    mean = at_curb - wet * steep / 2
    side = open_grate * root
    weir_flow = side * GRATE_WEIR * (inlet.grate_length_m + 2 * wet) * mean**1.5
    area = OPEN_SHARE[inlet.grate] * inlet.grate_length_m * inlet.grate_width_m
    orifice_flow = side * ORIFICE * area * np.sqrt(mean)
    if inlet.kind == "grate":
        return np.atleast_1d(np.minimum(weir_flow, orifice_flow))
    return np.atleast_1d(np.minimum(np.maximum(weir_flow, curb), orifice_flow + curb))


def splash_velocity(grate: Grate, length_m: float) -> float:
    """Velocity in m/s at which water begins to splash over a grate of this length (figure 7.8)."""
    length_ft = length_m / FOOT_M
    return FOOT_M * float(np.polynomial.polynomial.polyval(length_ft, SPLASH[grate]))


def _on_grade(
    inlet: Inlet, gutter: Gutter, flow: FloatArray, open_grate: Values, open_curb: Values
) -> FloatArray:
    if inlet.kind == "curb":
        return open_curb * _curb_on_grade(gutter, flow, inlet.curb_length_m)
    if inlet.kind == "grate":
        return open_grate * _grate_on_grade(inlet, gutter, flow)
    ahead = max(inlet.curb_length_m - inlet.grate_length_m, 0.0)
    swept = open_curb * _curb_on_grade(gutter, flow, ahead)
    left = flow - swept
    # The opening beside the grate adds nothing to an open grate, and stands in for a clogged one.
    beside = open_curb * _curb_on_grade(gutter, left, min(inlet.curb_length_m, inlet.grate_length_m))
    return swept + np.maximum(open_grate * _grate_on_grade(inlet, gutter, left), beside)


def _curb_on_grade(gutter: Gutter, flow: FloatArray, length_m: float) -> FloatArray:
    _, cross, steep, width = _shape(gutter)
    slope = cross + (steep - cross) * _frontal_share(gutter, gutter_spread(gutter, flow), width)
    needed = LENGTH_SI * flow**0.42 * np.asarray(gutter.longitudinal_slope) ** 0.3
    needed = needed / (np.asarray(gutter.manning_n) * slope) ** 0.6
    reach = np.divide(length_m, needed, out=np.ones_like(needed), where=needed > length_m)
    taken: FloatArray = flow * (1 - (1 - reach) ** 1.8)
    return taken


def _grate_on_grade(inlet: Inlet, gutter: Gutter, flow: FloatArray) -> FloatArray:
    _, cross, steep, width = _shape(gutter)
    spread = gutter_spread(gutter, flow)
    area = _area(spread, cross, steep, width)
    speed = np.divide(flow, area, out=np.zeros_like(area), where=area > 0)
    splash = splash_velocity(inlet.grate, inlet.grate_length_m)
    frontal = np.clip(1 - SPLASH_SI * (speed - splash), 0.0, 1.0)
    side = 1 / (1 + SIDE_SI * speed**1.8 / (cross * inlet.grate_length_m**2.3))
    share = _frontal_share(gutter, spread, np.asarray(inlet.grate_width_m))
    taken: FloatArray = flow * (frontal * share + side * (1 - share))
    return taken


def _frontal_share(gutter: Gutter, spread: FloatArray, within_m: FloatArray) -> FloatArray:
    """Share of the flow within a width of the curb: equations 5.7 and 7.3, 7.8 inside a wider gutter."""
    _, cross, steep, width = _shape(gutter)
    ratio = steep / cross
    beyond = np.maximum(spread - width, 0.0)
    rest = np.minimum(np.maximum(spread - np.maximum(within_m, width), 0.0), beyond)
    whole = beyond ** (8 / 3) * (1 - 1 / ratio) + (beyond + ratio * width) ** (8 / 3) / ratio
    share = 1 - np.divide(rest ** (8 / 3), whole, out=np.zeros_like(whole), where=whole > 0)
    # A grate narrower than the gutter takes its part of the gutter's flow by area. Where the water does not
    # fill the gutter, the flow is a triangle of its own and equation 7.3 holds in it.
    depth = spread * cross + steep * width - cross * width
    held = np.divide(
        within_m * (depth - within_m * steep / 2),
        width * (depth - width * steep / 2),
        out=np.ones(np.broadcast_shapes(depth.shape, within_m.shape)),
        where=(width > within_m) & (spread > width),
    )
    inside = np.divide(within_m, spread, out=np.ones_like(spread), where=spread > within_m)
    return np.where(spread <= width, 1 - (1 - np.minimum(inside, 1.0)) ** (8 / 3), share * held)


def _area(spread: FloatArray, cross: FloatArray, steep: FloatArray, width: FloatArray) -> FloatArray:
    wide = (spread**2 * cross + (steep - cross) * width**2) / 2
    return np.where(spread <= width, spread**2 * steep / 2, wide)


def _shape(gutter: Gutter) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Conveyance ``K Sx^(5/3) SL^(1/2) / n``, slopes of pavement and gutter, and the gutter's width."""
    cross, width = (
        np.asarray(gutter.cross_slope, np.float64),
        np.asarray(gutter.depressed_width_m, np.float64),
    )
    drop = np.asarray(gutter.depression_m, np.float64)
    fall = np.divide(drop, width, out=np.zeros(np.broadcast_shapes(drop.shape, width.shape)), where=width > 0)
    factor = GUTTER_SI / np.asarray(gutter.manning_n) * cross ** (5 / 3)
    return factor * np.sqrt(np.asarray(gutter.longitudinal_slope)), cross, cross + fall, width


def _check(
    inlet: Inlet, gutter: Gutter, clogging: Values, curb_clogging: Values, **water: Values | FloatArray
) -> None:
    faults = Faults()
    positive: dict[str, Values] = {
        "cross_slope": gutter.cross_slope,
        "longitudinal_slope": gutter.longitudinal_slope,
        "manning_n": gutter.manning_n,
    }
    if inlet.kind != "curb":
        positive |= {"grate_length_m": inlet.grate_length_m, "grate_width_m": inlet.grate_width_m}
    if inlet.kind != "grate":
        positive |= {"curb_length_m": inlet.curb_length_m, "curb_height_m": inlet.curb_height_m}
    for name, value in positive.items():
        ok = np.isfinite(value) & (np.asarray(value) > 0)
        faults.check(ok.all(), f"{name} must be above 0 everywhere; mend {int((~ok).sum())} of its values")
    zero_up: dict[str, Values] = {
        "depression_m": gutter.depression_m,
        "depressed_width_m": gutter.depressed_width_m,
        **water,
    }
    for name, value in zero_up.items():
        ok = np.isfinite(value) & (np.asarray(value) >= 0)
        faults.check(ok.all(), f"{name} must be 0 or more everywhere; mend {int((~ok).sum())} of its values")
    sunk = (np.asarray(gutter.depression_m) > 0) & ~(np.asarray(gutter.depressed_width_m) > 0)
    faults.check(not sunk.any(), "a depressed gutter needs depressed_width_m above 0")
    for name, value in {"clogging": clogging, "curb_clogging": curb_clogging}.items():
        ok = (np.asarray(value) >= 0) & (np.asarray(value) <= 1)
        faults.check(ok.all(), f"{name} is a share from 0 (clear) to 1 (blocked)")
    faults.raise_as(InvalidInputError, "The inlet cannot be computed")
