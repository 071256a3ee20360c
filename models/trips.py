"""Drives whose start and end are known: ambulances that left their post, and the call they reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults, InvalidInputError
from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

HOURS_A_WEEK = 168
LONGEST_DRIVE_MIN = 60.0
"""A longer drive within a city is a forgotten button, not a drive."""


@dataclass(frozen=True, eq=False)
class DrivenSpeeds:
    """Speeds that ambulances drive at, fitted or assumed.

    Attributes
    ----------
    kph
        (n_classes, n_bands, 2) by road class of the network, hour band, and siren off or on.
    access_s
        Seconds from the last street corner to the patient.
    access_s_per_m
        More of them for each metre of straight line from that corner.
    """

    kph: FloatArray
    access_s: float
    access_s_per_m: float = 0.0

    def __post_init__(self) -> None:
        faults = Faults()
        fine = self.kph.ndim == 3 and self.kph.shape[2] == 2
        faults.check(fine, "kph must hold road classes, hour bands, and siren off and on")
        faults.check(np.isfinite(self.kph).all() and (self.kph > 0).all(), "speeds must be above zero")
        faults.check(self.access_s >= 0 and self.access_s_per_m >= 0, "access must be zero or more")
        faults.raise_as(InvalidInputError, "The speeds cannot be used")

    def factor(self, network: RoadNetwork, band: int, *, siren: bool) -> FloatArray:
        """(n_edges,) what `geo.travel_time` multiplies the network's own speeds by to drive at these."""
        if len(network.classes) != len(self.kph):
            raise InvalidInputError("The network has other road classes than these speeds")
        factor: FloatArray = self.kph[network.edge_class, band, int(siren)] / network.speed_kph
        return factor

    def over_bands(self, weight: FloatArray) -> "DrivenSpeeds":
        """Give speeds of one band that stands for all: the mean seconds a metre of each class.

        On one path its drive is the mean of the bands' drives, weighted alike. Where bands drive different
        paths the mean of their drives is a little shorter.

        Parameters
        ----------
        weight
            (n_bands,) zero or more, such as the calls in each band.
        """
        share = np.asarray(weight, dtype=float)
        faults = Faults()
        faults.check(share.shape == (self.kph.shape[1],), "weight must hold one number for each hour band")
        faults.check(
            np.isfinite(share).all() and (share >= 0).all() and share.sum() > 0,
            "weights must be zero or more, and one of them above zero",
        )
        faults.raise_as(InvalidInputError, "Speeds of the whole week cannot be formed")
        pace = np.einsum("cbs,b->cs", 1 / self.kph, share / share.sum())
        return DrivenSpeeds(1 / pace[:, None, :], self.access_s, self.access_s_per_m)


@dataclass(frozen=True, eq=False)
class Trips:
    """Drives from a known post to a known call.

    Attributes
    ----------
    origin, node
        (n,) network nodes of the post and of the call.
    access_m
        (n,) straight-line metres from the call's node to the call, and from the post to its node.
    observed_s
        (n,) seconds from en route to on scene, above zero.
    band
        (n,) index of the hour band.
    siren
        (n,) True with lights and siren.
    day
        (n,) whole days since any fixed Monday, local; the unit of the bootstrap. Its week is ``day // 7``.
    region
        (n,) index of the call's neighborhood, -1 outside all.
    """

    origin: IntArray
    node: IntArray
    access_m: FloatArray
    observed_s: FloatArray
    band: IntArray
    siren: BoolArray
    day: IntArray
    region: IntArray

    def __post_init__(self) -> None:
        faults = Faults()
        n = len(self.origin)
        for name in ("node", "access_m", "observed_s", "band", "siren", "day", "region"):
            faults.check(len(getattr(self, name)) == n, f"{name} must hold one value a trip")
        wrong = ~(np.isfinite(self.observed_s) & (self.observed_s > 0))
        faults.check(not wrong.any(), f"{int(wrong.sum())} trips have a missing, zero or negative observed_s")
        faults.check(
            np.isfinite(self.access_m).all() and (self.access_m >= 0).all(),
            "access_m must be zero or more everywhere",
        )
        faults.check(not (self.band < 0).any(), "band must not be negative")
        faults.raise_as(InvalidInputError, "The trips cannot be used")

    def __len__(self) -> int:
        return len(self.origin)

    @property
    def week(self) -> IntArray:
        """(n,) weeks from Monday."""
        return self.day // 7


@dataclass(frozen=True, eq=False)
class TripSelection:
    """The drives found in the records, and what was left out.

    Attributes
    ----------
    trips
        The drives.
    row
        (n,) position of each drive's row in the table of responses.
    left_out
        Reason to number of responses, each counted once, under the first reason that holds. With ``trips``
        they sum to the responses given.
    """

    trips: Trips
    row: IntArray
    left_out: Mapping[str, int]


def trips_from_tables(
    responses: pd.DataFrame,
    calls: pd.DataFrame,
    posts: pd.DataFrame,
    network: RoadNetwork,
    *,
    band_of_hour: IntArray,
    region_of_call: IntArray | None = None,
) -> TripSelection:
    """Join responses to their calls and posts, and keep the drives whose both ends are known.

    Parameters
    ----------
    responses
        Rows of ``unit_responses``: ``call_id, from_post_id, enroute_at, on_scene_at, lights_sirens,
        cancelled``; times tz-aware in the city's zone.
    calls
        Rows of ``calls``: ``call_id, lon, lat, location_precision``.
    posts
        Rows of ``posts``: ``post_id, lon, lat``.
    network
        The road network to which both ends are snapped.
    band_of_hour
        (168,) index of the hour band of each hour of the week, Monday midnight first. The band is that of
        the hour in which the wheels roll.
    region_of_call
        (n_calls,) index of each call's neighborhood, -1 outside; all -1 when not given.
    """
    if np.shape(band_of_hour) != (HOURS_A_WEEK,):
        raise InvalidInputError("band_of_hour must hold one band for each of the 168 hours of the week")
    call = pd.Index(calls["call_id"]).get_indexer(responses["call_id"])
    post = pd.Index(posts["post_id"]).get_indexer(responses["from_post_id"])
    enroute, on_scene = responses["enroute_at"], responses["on_scene_at"]
    seconds = (on_scene - enroute).dt.total_seconds().to_numpy(dtype=float, na_value=np.nan)
    located = _located(calls)
    reasons = {
        "cancelled on the way": responses["cancelled"]
        .astype("boolean")
        .fillna(value=False)
        .to_numpy(dtype=bool),
        "sent from the road: where it started is not recorded": responses["from_post_id"]
        .isna()
        .to_numpy(dtype=bool),
        "its post is not in the table of posts": post < 0,
        "no time en route or on scene": np.isnan(seconds),
        "on scene not after en route": ~(seconds > 0),
        f"longer than {LONGEST_DRIVE_MIN:.0f} minutes": seconds > LONGEST_DRIVE_MIN * 60,
        "siren not recorded": responses["lights_sirens"].isna().to_numpy(dtype=bool),
        "its call is missing or has no place": (call < 0) | ~located[call],
    }
    kept = np.ones(len(responses), dtype=bool)
    left_out = {}
    for reason, fails in reasons.items():
        left_out[reason] = int((kept & fails).sum())
        kept &= ~fails
    row = np.flatnonzero(kept)
    call, post = call[row], post[row]

    node, access_m = _snap(network, calls, call)
    origin, post_access_m = _snap(network, posts, post)
    start = enroute.iloc[row]
    hour = (start.dt.day_of_week * 24 + start.dt.hour).to_numpy(dtype=np.int64)
    monday = pd.Timestamp("1970-01-05")
    region = np.full(len(calls), -1) if region_of_call is None else np.asarray(region_of_call)
    trips = Trips(
        origin=origin,
        node=node,
        access_m=access_m + post_access_m,
        observed_s=seconds[row].astype(np.float64),
        band=np.asarray(band_of_hour, dtype=np.int64)[hour],
        siren=responses["lights_sirens"].iloc[row].to_numpy(dtype=bool),
        day=((start.dt.tz_localize(None) - monday) // pd.Timedelta(days=1)).to_numpy(dtype=np.int64),
        region=region[call].astype(np.int64),
    )
    return TripSelection(trips, row, MappingProxyType(left_out))


def _located(calls: pd.DataFrame) -> BoolArray:
    lon, lat = calls["lon"].to_numpy(dtype=float), calls["lat"].to_numpy(dtype=float)
    known = (calls["location_precision"] != "unknown").to_numpy(dtype=bool)
    located: BoolArray = known & np.isfinite(lon) & np.isfinite(lat)
    return located if len(located) else np.zeros(1, dtype=bool)  # so that a missing call's -1 has an answer


def _snap(network: RoadNetwork, places: pd.DataFrame, used: IntArray) -> tuple[IntArray, FloatArray]:
    """Snap only the places that are used; give node and metres of each use."""
    if not len(used):
        return np.empty(0, dtype=np.int64), np.empty(0)
    distinct, place = np.unique(used, return_inverse=True)
    node, metres = network.snap(
        places["lon"].to_numpy(dtype=float)[distinct], places["lat"].to_numpy(dtype=float)[distinct]
    )
    return node[place].astype(np.int64), metres[place]
