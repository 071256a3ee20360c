"""Where ambulances are needed: from calls, by hour of the week, or from where people live."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.coverage import Demand

HOURS_A_WEEK = 168
HALF_WIDTH_H = 1

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def hours_of_week(opened_at: pd.Series) -> IntArray:
    """Local hour of the week of each call, 0 to 167; 0 is Monday from midnight to one, -1 has no time.

    Parameters
    ----------
    opened_at
        (n,) tz-aware times in the city's zone.
    """
    hours = opened_at.dt.day_of_week * 24 + opened_at.dt.hour
    return np.asarray(hours.fillna(-1), dtype=np.int64)


def near_hour(hours: IntArray, hour: int, *, half_width_h: int = HALF_WIDTH_H) -> BoolArray:
    """Find the calls in an hour of the week or up to ``half_width_h`` hours from it, around the week.

    One hour of the week alone holds few calls in a year; its neighbours behave alike.
    """
    apart = np.abs(hours - hour)
    near: BoolArray = (hours >= 0) & (np.minimum(apart, HOURS_A_WEEK - apart) <= half_width_h)
    return near


def distinct_places(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    """Merge calls at one place: many calls share a corner or an address, and are reached alike.

    Parameters
    ----------
    lon, lat
        (n_calls,) degrees.

    Returns
    -------
    places, place_of_call
        (n_places, 2) longitude and latitude, and (n_calls,) the place of each call.
    """
    points = np.column_stack([np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)])
    places, place = np.unique(points.reshape(-1, 2), axis=0, return_inverse=True)
    return places, place.ravel()


def demand_from_calls(
    node: IntArray,
    access_m: FloatArray,
    region: IntArray,
    place_of_call: IntArray,
    chosen: BoolArray | None = None,
) -> Demand:
    """Count calls at their places.

    Parameters
    ----------
    node, access_m, region
        (n_places,) nearest node, metres to it, and neighborhood of each place.
    place_of_call
        (n_calls,) the place of each call.
    chosen
        (n_calls,) True for the calls to count; all when not given.

    Returns
    -------
    Demand
        The places that have a counted call, weighted by their number.
    """
    counted = place_of_call if chosen is None else place_of_call[chosen]
    weight = np.bincount(counted, minlength=len(node)).astype(float)
    held = weight > 0
    return Demand(
        node=node[held],
        access_m=access_m[held],
        weight=weight[held],
        region=region[held],
        sampled=len(counted),
    )


def demand_from_population(kept: IntArray, region: IntArray, population: FloatArray) -> Demand:
    """Spread the people of each neighborhood evenly over the street corners within it.

    Parameters
    ----------
    kept
        (n,) node indices of the kept network.
    region
        (n,) neighborhood of each of those nodes, -1 outside all.
    population
        (n_regions,) people; missing counts as none.

    Returns
    -------
    Demand
        Weights in people; their sum is the population of the neighborhoods that have a street corner.
    """
    inside = region >= 0
    people = np.nan_to_num(np.asarray(population, dtype=float))
    corners = np.bincount(region[inside], minlength=len(people))
    weight = people[region[inside]] / corners[region[inside]]
    count = int(inside.sum())
    return Demand(node=kept[inside], access_m=np.zeros(count), weight=weight, region=region[inside])
