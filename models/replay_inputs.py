"""A past month as the simulator takes it: calls and their minutes, shifts, and drives at given speeds.

What a plan cannot change is taken from the records: when calls came in, how long they were handled, turnout,
minutes on scene and at hospital, and which hospital. What a plan decides is simulated: which ambulance goes,
from where, and how long it drives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import Faults, InvalidInputError
from geo.network import RoadNetwork
from geo.travel_time import nearest_times, travel_times
from models.replay import Replay, compare_replay
from models.trips import DrivenSpeeds

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

WARM_UP_DAYS = 1
MOST_PLACES = 900
REPLICATIONS = 10
FIRST_SPACING_M = 150.0
CANCELLED_SHARE = 0.5
"""A response that was cancelled on the way is taken to have driven half of it."""
WAITED_S = 30.0
"""A unit assigned within so many seconds after it came free is taken to have been waited for."""


@dataclass(frozen=True, eq=False)
class ReplayInputs:
    """What `models.dispatch.simulate` is given, and what its calls are compared with.

    Attributes
    ----------
    calls, units, hospitals
        The simulator's tables.
    places
        (n_places, 2) metres: posts, hospitals, then corners that stand for the calls around them.
    travel_min
        (n_bands, n_places, n_places) minutes with siren.
    rules
        Options of the simulator: ``band_of_hour, start_hour, home_factor, transport_factor``.
    observed_min
        (n_calls,) observed minutes from the call to the first unit on scene.
    counted
        (n_calls,) False for the day before the month, for cancelled responses and for further units.
    hour, day, region
        (n_calls,) local hour of the day, whole days, and neighborhood (-1 outside) of each call.
    left_out
        Reason to number of responses that are not among the calls.
    """

    calls: pd.DataFrame
    units: pd.DataFrame
    hospitals: pd.DataFrame
    places: FloatArray
    travel_min: FloatArray
    rules: Mapping[str, Any]
    observed_min: FloatArray
    counted: BoolArray
    hour: IntArray
    day: IntArray
    region: IntArray
    left_out: Mapping[str, int]


def replay_month(
    inputs: ReplayInputs,
    *,
    region_names: Sequence[str],
    seed: int,
    drive_share: float = 0.0,
    replications: int = REPLICATIONS,
    target_min: float | None = None,
    en_route: str = "network",
) -> Replay:
    """Simulate the month under its real plan and compare it with what was observed.

    Parameters
    ----------
    inputs
        From `month_inputs`.
    region_names
        Names of the neighborhoods.
    seed
        Fixes the chance in the drives.
    drive_share
        Standard deviation of a drive as a share of its expected time, such as ``Calibration.drive_share``;
        without it nothing is left to chance, and shares of calls in time come out too sharp.
    replications
        How often the month is simulated; its means are compared.
    target_min
        Compare also the share of calls reached within so many minutes.
    en_route
        Where a unit on the road counts from, as in `models.dispatch.simulate`: ``"network"``, or ``"line"``
        where the dispatch system itself takes the straight line.
    """
    from models.dispatch import simulate  # compiles; only when a replay is asked for

    faults = Faults()
    faults.check(replications >= 1, "at least one replication is needed")
    faults.check(0 <= drive_share < 1, "drive_share must be zero or more and below 1")
    faults.raise_as(InvalidInputError, "The month cannot be replayed")
    options: dict[str, Any] = {**inputs.rules, "en_route": en_route}
    rng = np.random.default_rng(seed)
    sigma = float(np.sqrt(np.log1p(drive_share**2)))  # lognormal with mean 1
    response = np.empty((replications, len(inputs.calls)))
    for number in range(replications):
        chance = np.exp(rng.normal(-(sigma**2) / 2, sigma, len(inputs.calls)))
        calls = inputs.calls.assign(drive_factor=inputs.calls["drive_factor"] * chance)
        done = simulate(calls, inputs.units, inputs.places, inputs.travel_min, inputs.hospitals, **options)
        response[number] = done.calls["response_min"].to_numpy(dtype=float)
    counted = inputs.counted
    return compare_replay(
        inputs.observed_min[counted],
        response[:, counted],
        day=inputs.day[counted],
        groups={"hour": inputs.hour[counted], "neighborhood": inputs.region[counted]},
        names={"hour": [f"{hour}:00" for hour in range(24)], "neighborhood": list(region_names)},
        target_min=target_min,
    )


def month_inputs(
    responses: pd.DataFrame,
    calls: pd.DataFrame,
    posts: pd.DataFrame,
    hospitals: pd.DataFrame,
    shifts: pd.DataFrame,
    *,
    network: RoadNetwork,
    speeds: DrivenSpeeds,
    band_of_hour: IntArray,
    start: pd.Timestamp,
    end: pd.Timestamp,
    region_of_call: IntArray | None = None,
    most_places: int = MOST_PLACES,
) -> ReplayInputs:
    """Turn a month of records into the simulator's inputs.

    Parameters
    ----------
    responses, calls, posts, hospitals, shifts
        The city's tables; times tz-aware in the city's zone. ``calls`` are those of the ambulance service.
    network, speeds
        The roads, and the speeds to try, such as ``Calibration.driven``.
    band_of_hour
        (168,) hour band of each hour of the week.
    start, end
        The month, tz-aware, ``end`` not included. A day before it is simulated and not counted. Minutes are
        those of the clock on the wall: the hour that summer time repeats is one hour with the calls of two.
    region_of_call
        (n_calls,) neighborhood of each of ``calls``, -1 outside.
    most_places
        Corners beyond posts and hospitals are merged until so many are left; what a call's own corner adds to
        the drive from the nearest post is kept with the call.

    Raises
    ------
    InvalidInputError
        With every fault: no calls or shifts in the month, units whose post is never named.
    """
    _check_times(start, end, band_of_hour)
    origin = start - pd.Timedelta(days=WARM_UP_DAYS)
    rows, left_out = _usable(responses, calls, origin, end)
    call = pd.Index(calls["call_id"]).get_indexer(rows["call_id"])
    opened = calls["opened_at"].iloc[call].reset_index(drop=True)
    order = np.argsort(_minutes(opened, origin), kind="stable")
    rows, call = rows.iloc[order].reset_index(drop=True), call[order]
    opened = opened.iloc[order].reset_index(drop=True)

    units = _units(shifts, responses, posts, origin, end)
    used = hospitals[hospitals["hospital_id"].isin(rows["hospital_id"].dropna())].reset_index(drop=True)
    faults = Faults()
    faults.check(len(rows), "no response in the month has a call, a place and its times")
    faults.check(len(units), "no unit is on shift in the month")
    faults.raise_as(InvalidInputError, "The month cannot be replayed")

    node, access_m = network.snap(
        calls["lon"].to_numpy(dtype=float)[call], calls["lat"].to_numpy(dtype=float)[call]
    )
    post_node = network.snap(posts["lon"], posts["lat"])[0]
    staffed, unit_post = np.unique(units["post"].to_numpy(dtype=np.int64), return_inverse=True)
    hospital_node = network.snap(used["lon"], used["lat"])[0] if len(used) else np.empty(0, dtype=np.int64)
    fixed = np.concatenate([post_node[staffed], hospital_node])
    corner, corner_of_call = _merge(network, node, most_places)
    place_node = np.concatenate([fixed, corner])

    week_hour = (opened.dt.day_of_week * 24 + opened.dt.hour).to_numpy(dtype=np.int64)
    band = np.asarray(band_of_hour, dtype=np.int64)[week_hour]
    siren = rows["lights_sirens"].to_numpy(dtype=bool)
    drives = _Drives.at(network, speeds, place_node, post_node[staffed])
    here = drives.nearest_s[band, siren.astype(np.int64), node]
    with_siren = drives.nearest_s[band, 1, node]
    factor = np.where(with_siren > 0, here / np.maximum(with_siren, 1e-9), 1.0)
    at_place = drives.nearest_s[band, 1, corner[corner_of_call]] * factor
    access_s = speeds.access_s + speeds.access_s_per_m * access_m + here - at_place
    cancelled = _true(rows["cancelled"])
    transported = rows["at_hospital_at"].notna().to_numpy(dtype=bool) & ~cancelled
    scene_end = rows["depart_scene_at"].where(transported, rows["available_at"])
    table = pd.DataFrame(
        {
            "call_min": _minutes(opened, origin),
            "place": len(fixed) + corner_of_call,
            "handling_min": _handling_min(rows, opened),
            "turnout_min": _span_min(rows["assigned_at"], rows["enroute_at"]),
            "drive_factor": np.where(cancelled, CANCELLED_SHARE, 1.0) * factor,
            "access_min": np.maximum(access_s, 0.0) / 60 * ~cancelled,
            "on_scene_min": np.where(cancelled, 0.0, _span_min(rows["on_scene_at"], scene_end)),
            "transported": transported,
            "hospital": np.where(
                transported, pd.Index(used["hospital_id"]).get_indexer(rows["hospital_id"]), -1
            ),
            "at_hospital_min": np.where(
                transported, _span_min(rows["at_hospital_at"], rows["available_at"]), 0.0
            ),
        }
    )
    arrived = rows["on_scene_at"].where(~cancelled)
    first = rows["on_scene_at"] == rows.assign(arrived=arrived).groupby("call_id")["arrived"].transform("min")
    region = np.full(len(calls), -1) if region_of_call is None else np.asarray(region_of_call)
    return ReplayInputs(
        calls=table,
        units=units.assign(post=unit_post),
        hospitals=pd.DataFrame({"place": len(staffed) + np.arange(len(used)), "receives_911": True}),
        places=network.node_xy_m[place_node],
        travel_min=drives.between_min,
        rules=MappingProxyType(
            {
                "band_of_hour": np.asarray(band_of_hour, dtype=np.int64),
                "start_hour": float(origin.day_of_week * 24 + origin.hour + origin.minute / 60),
                "home_factor": drives.without_siren,
                "transport_factor": drives.without_siren,
            }
        ),
        observed_min=((rows["on_scene_at"] - opened).dt.total_seconds() / 60).to_numpy(dtype=float),
        counted=(opened >= start).to_numpy(dtype=bool) & ~cancelled & first.to_numpy(dtype=bool),
        hour=opened.dt.hour.to_numpy(dtype=np.int64),
        day=np.floor(_minutes(opened, origin) / 1440).astype(np.int64),
        region=region[call].astype(np.int64),
        left_out=MappingProxyType(left_out),
    )


def _check_times(start: pd.Timestamp, end: pd.Timestamp, band_of_hour: IntArray) -> None:
    faults = Faults()
    faults.check(start.tzinfo is not None and end.tzinfo is not None, "start and end need a time zone")
    faults.raise_as(InvalidInputError, "The month cannot be replayed")
    faults.check(end > start, "the month must end after it begins")
    faults.check(np.shape(band_of_hour) == (168,), "band_of_hour must hold 168 bands")
    faults.raise_as(InvalidInputError, "The month cannot be replayed")


def _usable(
    responses: pd.DataFrame, calls: pd.DataFrame, origin: pd.Timestamp, end: pd.Timestamp
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Responses of the stretch that have a placed call and all their times; reasons for the others."""
    call = pd.Index(calls["call_id"]).get_indexer(responses["call_id"])
    opened = calls["opened_at"].iloc[call].reset_index(drop=True)
    mine = (opened >= origin) & (opened < end) & (call >= 0)
    # A response without its call belongs to the stretch in which it was assigned.
    lost = (call < 0) & ((responses["assigned_at"] >= origin) & (responses["assigned_at"] < end)).to_numpy()
    lon, lat = calls["lon"].to_numpy(dtype=float)[call], calls["lat"].to_numpy(dtype=float)[call]
    placed = (calls["location_precision"].to_numpy(dtype=object)[call] != "unknown") & np.isfinite(lon + lat)
    cancelled = _true(responses["cancelled"])
    served = responses["on_scene_at"].notna().to_numpy(dtype=bool)
    stamps = ["assigned_at", "enroute_at", "available_at"]
    timed = responses[stamps].notna().all(axis=1).to_numpy(dtype=bool) & (served | cancelled)
    to_hospital = responses["at_hospital_at"].notna().to_numpy(dtype=bool)
    timed &= ~to_hospital | responses[["depart_scene_at", "hospital_id"]].notna().all(axis=1).to_numpy(
        dtype=bool
    )
    siren = responses["lights_sirens"].notna().to_numpy(dtype=bool)
    kept = mine.to_numpy(dtype=bool, copy=True)
    left_out = {"its call is missing": int(lost.sum())}
    for reason, holds in (
        ("its call has no place", placed),
        ("a time is missing", timed),
        ("siren not recorded", siren),
    ):
        left_out[reason] = int((kept & ~holds).sum())
        kept &= holds
    return responses[kept].reset_index(drop=True), left_out


def _units(
    shifts: pd.DataFrame,
    responses: pd.DataFrame,
    posts: pd.DataFrame,
    origin: pd.Timestamp,
    end: pd.Timestamp,
) -> pd.DataFrame:
    """Shifts that touch the stretch, in minutes, with the post from which each unit was most often sent."""
    mine = shifts[(shifts["ends_at"] > origin) & (shifts["starts_at"] < end)]
    sent = responses[responses["from_post_id"].notna()]
    near = sent[(sent["assigned_at"] >= origin) & (sent["assigned_at"] < end)]
    home = {**_most_often(sent), **_most_often(near)}
    unknown = sorted(set(mine["unit_id"].astype(str)) - set(home))
    place = pd.Index(posts["post_id"])
    elsewhere = sorted({str(home[unit]) for unit in mine["unit_id"] if unit in home} - set(place))
    faults = Faults()
    faults.check(not unknown, f"no response tells the post of {', '.join(unknown)}")
    faults.check(not elsewhere, f"the table of posts lacks {', '.join(elsewhere)}")
    faults.raise_as(InvalidInputError, "The month cannot be replayed")
    return pd.DataFrame(
        {
            "unit_id": mine["unit_id"].to_numpy(dtype=object),
            "unit_type": mine["unit_type"].to_numpy(dtype=object),
            "post": place.get_indexer(pd.Index([home[unit] for unit in mine["unit_id"]])),
            "starts_min": np.maximum(_minutes(mine["starts_at"], origin), 0.0),
            "ends_min": _minutes(mine["ends_at"], origin),
        }
    )


def _most_often(sent: pd.DataFrame) -> dict[str, str]:
    counts = sent.groupby(["unit_id", "from_post_id"]).size().sort_values(kind="stable")
    return {str(unit): str(post) for unit, post in counts.index}


@dataclass(frozen=True, eq=False)
class _Drives:
    """Drives between places, and from the nearest post to every corner."""

    between_min: FloatArray
    nearest_s: FloatArray
    without_siren: float

    @classmethod
    def at(
        cls, network: RoadNetwork, speeds: DrivenSpeeds, place_node: IntArray, post_node: IntArray
    ) -> "_Drives":
        n_bands = speeds.kph.shape[1]
        distinct, place = np.unique(place_node, return_inverse=True)
        between = np.empty((n_bands, len(place), len(place)))
        nearest = np.empty((n_bands, 2, network.n_nodes))
        ratios = []
        for band in range(n_bands):
            loud, quiet = (speeds.factor(network, band, siren=siren) for siren in (True, False))
            seconds = travel_times(network, distinct, speed_factor=loud)[:, distinct]
            between[band] = seconds[np.ix_(place, place)] / 60
            nearest[band, 1] = nearest_times(network, post_node, speed_factor=loud)
            nearest[band, 0] = nearest_times(network, post_node, speed_factor=quiet)
            slow, fast = nearest[band, 0, place_node], nearest[band, 1, place_node]
            ratios.append(slow.sum() / max(float(fast.sum()), 1e-9))
        return cls(between, nearest, float(np.mean(ratios)))


def _merge(network: RoadNetwork, node: IntArray, most: int) -> tuple[IntArray, IntArray]:
    """Corners that stand for those of the calls: the one with most calls in each square of ground."""
    distinct, index, count = np.unique(node, return_inverse=True, return_counts=True)
    spacing = FIRST_SPACING_M
    group = np.arange(len(distinct))
    while group.max() + 1 > most:
        squares = np.floor(network.node_xy_m[distinct] / spacing)
        group = np.unique(squares, axis=0, return_inverse=True)[1].ravel()
        spacing *= 1.15
    order = np.lexsort((count, group))
    last = np.append(np.flatnonzero(np.diff(group[order])), len(order) - 1)
    return distinct[order[last]], group[index]


def _handling_min(rows: pd.DataFrame, opened: pd.Series) -> FloatArray:
    """Minutes of call handling; where the unit had just come free, the call waited: the median stands in."""
    whole = _span_min(opened, rows["assigned_at"])
    by_time = rows.sort_values("assigned_at", kind="stable")
    before = by_time.groupby("unit_id")["available_at"].shift().reindex(rows.index)
    since = (rows["assigned_at"] - before).dt.total_seconds().to_numpy(dtype=float)
    waited = since <= WAITED_S
    at_once = whole[~waited]
    return np.where(waited, np.minimum(whole, np.median(at_once) if len(at_once) else 0.0), whole)


def _minutes(times: pd.Series, origin: pd.Timestamp) -> FloatArray:
    """Minutes by the clock on the wall, so that hours of the week stay right through the year."""
    wall = times.dt.tz_localize(None) - origin.tz_localize(None)
    return np.asarray(wall.dt.total_seconds() / 60, dtype=np.float64)


def _span_min(start: pd.Series, end: pd.Series) -> FloatArray:
    """Minutes from one stamp to the other, zero where the second is missing or comes first."""
    minutes = (end - start).dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan) / 60
    return np.maximum(np.nan_to_num(minutes), 0.0)


def _true(flags: pd.Series) -> BoolArray:
    return flags.astype("boolean").fillna(value=False).to_numpy(dtype=bool)
