"""One place for each door: licences that share an address or a spot are one outlet with several names."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from errors import Faults, InvalidInputError
from geo import crs
from geo.near import on_street
from geo.network import RoadNetwork

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SAME_SPOT_M = 5.0
"""Licences within this distance are at one door."""
SAME_ADDRESS_M = 100.0
"""Licences with one address are at one door only this near to one another: beyond it, one place is wrong."""
STREET_REACH_M = 400.0
"""An outlet farther than this from every street that can be walked has no place in this city."""

NO_PLACE = "no coordinates"
NOT_IN_DEGREES = "coordinates are not longitude and latitude in degrees"
TOO_FAR = f"no street of this city within {STREET_REACH_M:.0f} m"

CATEGORIES = ("bar", "restaurant", "store", "hotel", "other")
"""Where licences of several kinds share a door, the first of these names it."""


@dataclass(frozen=True, eq=False)
class Doors:
    """Doors from west to east, and what became of each licence.

    Attributes
    ----------
    lon, lat
        (n_doors,) degrees.
    names
        (n_doors,) names of the licences at the door, each once, joined by " / ".
    category
        (n_doors,) the first of ``CATEGORIES`` among its licences.
    door_of_outlet
        (n_outlets,) the door of each licence, in the order in which they came; -1 where it has none.
    reason
        (n_outlets,) why a licence has no door; empty where it has one.
    """

    lon: FloatArray
    lat: FloatArray
    names: tuple[str, ...]
    category: tuple[str, ...]
    door_of_outlet: IntArray
    reason: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lon)

    @property
    def licences(self) -> IntArray:
        """(n_doors,) number of licences at each door."""
        held = self.door_of_outlet[self.door_of_outlet >= 0]
        return np.bincount(held, minlength=len(self))


def doors(network: RoadNetwork, outlets: pd.DataFrame) -> Doors:
    """Find the doors of a table of licences.

    Licences within 5 m of one another, or with the same address within 100 m, are at one door, which stands
    where the westernmost of them does. An address counts only where it has a house number.

    Parameters
    ----------
    network
        The road network: a licence far from all of it has no door.
    outlets
        ``outlet_id``, ``name``, ``category``, ``lon``, ``lat``, and ``address`` where there is one.

    Raises
    ------
    InvalidInputError
        If a column is missing or an ``outlet_id`` stands twice.
    """
    faults = Faults()
    for column in ("outlet_id", "name", "category", "lon", "lat"):
        faults.check(column in outlets, f"the column {column} is missing")
    twice = int(outlets["outlet_id"].duplicated().sum()) if "outlet_id" in outlets else 0
    faults.check(not twice, f"{twice} licences have an outlet_id that was used before")
    faults.raise_as(InvalidInputError, "The outlets cannot be used")

    lon, lat = (
        pd.to_numeric(outlets[c], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        for c in ("lon", "lat")
    )
    reason = np.full(len(outlets), "", dtype=object)
    reason[~(np.isfinite(lon) & np.isfinite(lat))] = NO_PLACE
    reason[(reason == "") & ((np.abs(lon) > 180) | (np.abs(lat) > 90))] = NOT_IN_DEGREES
    placed = np.flatnonzero(reason == "")
    reason[placed[on_street(network, lon[placed], lat[placed]).off_m > STREET_REACH_M]] = TOO_FAR
    placed = np.flatnonzero(reason == "")
    order = np.lexsort(
        (outlets["outlet_id"].to_numpy(dtype=object)[placed].astype(str), lat[placed], lon[placed])
    )
    placed = placed[order]
    door = _groups(network, outlets.iloc[placed], lon[placed], lat[placed])
    # Rows are sorted from west to east, so doors are numbered by their westernmost licence.
    first = np.unique(door, return_index=True)[1]
    door_of_outlet = np.full(len(outlets), -1, dtype=np.int64)
    door_of_outlet[placed] = door
    held = pd.DataFrame(
        {
            "door": door,
            "name": outlets["name"]
            .astype(object)
            .where(outlets["name"].notna(), "")
            .astype(str)
            .iloc[placed]
            .to_numpy(),
            "category": pd.Categorical(outlets["category"].iloc[placed], CATEGORIES, ordered=True),
        }
    ).sort_values(["door", "name"], kind="stable")
    by_door = held.groupby("door", sort=True)
    return Doors(
        lon=lon[placed][first],
        lat=lat[placed][first],
        names=tuple(by_door["name"].agg(lambda names: " / ".join(dict.fromkeys(names)))),
        category=tuple(by_door["category"].min().astype(object).fillna("other")),
        door_of_outlet=door_of_outlet,
        reason=tuple(reason),
    )


def _groups(network: RoadNetwork, rows: pd.DataFrame, lon: FloatArray, lat: FloatArray) -> IntArray:
    """Door of each row, numbered in the order of the rows."""
    n = len(rows)
    if not n:
        return np.empty(0, dtype=np.int64)
    xy = np.column_stack(crs.to_metres(lon, lat, network.epsg))
    spots = cKDTree(xy).query_pairs(SAME_SPOT_M, output_type="ndarray").astype(np.int64)
    address = (
        rows["address"].astype(object).where(rows["address"].notna(), "").map(_plain).to_numpy(dtype=object)
        if "address" in rows
        else np.full(n, "", dtype=object)
    )
    known = np.flatnonzero(address != "")
    # Rows are sorted, so each licence is joined to the next one to the west that has its address.
    west = pd.Series(known).groupby(address[known], sort=False).shift().to_numpy(dtype=float)
    later, former = known[np.isfinite(west)], west[np.isfinite(west)].astype(np.int64)
    apart = np.hypot(*(xy[later] - xy[former]).T)
    linked = np.vstack([spots, np.column_stack([former, later])[apart <= SAME_ADDRESS_M]])
    graph = csr_array((np.ones(len(linked), dtype=np.int8), (linked[:, 0], linked[:, 1])), shape=(n, n))
    label = connected_components(graph, directed=False)[1]
    return pd.factorize(label)[0].astype(np.int64)


def _plain(address: str) -> str:
    """Give the letters and digits of an address with a house number, else nothing."""
    text = " ".join(re.findall(r"[^\W_]+", str(address).casefold()))
    return text if re.match(r"\d", text) else ""
