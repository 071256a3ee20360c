"""Mend a city's street centre lines into a network: repeated corners, empty lines, classes, crossings."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from data.quarantine import as_records, quarantine_frame
from geo import crs
from geo.grade import FREEWAY, RAMP, split_grade_crossings

SAME_CORNER_M = 0.1
"""Corners no further apart than this are one corner, drawn twice."""

CLASS_WORDS = {
    "Freeway": FREEWAY,
    "Major Arterial": "primary",
    "Local": "residential",
    "Unimproved": "track",
    "Other": "service",
}
"""The city's street classes in OpenStreetMap's words."""

UNCLASSED = "unclassified"

NO_CORNER = "one of its ends is not among the street corners"
CLOSED_UP = "its two ends are one corner that was drawn twice, and nothing is left between them"


@dataclass(frozen=True)
class MendedNetwork:
    """Streets and corners in the contract's columns, rejected streets, and what was done in sentences."""

    streets: gpd.GeoDataFrame
    nodes: pd.DataFrame
    rejected: pd.DataFrame
    street_steps: tuple[str, ...]
    node_steps: tuple[str, ...]


def mend_centre_lines(streets: gpd.GeoDataFrame, nodes: pd.DataFrame, *, utm_epsg: int) -> MendedNetwork:
    """Mend centre lines, each step counted.

    Parameters
    ----------
    streets
        ``u, v, name, street_class, length_m, geometry``, EPSG:4326, lines from u to v.
    nodes
        ``node`` (unique), ``lon``, ``lat``.
    utm_epsg
        The grid in which distances are measured.
    """
    street_steps: list[str] = []
    node_steps: list[str] = []
    known = (streets["u"].isin(nodes["node"]) & streets["v"].isin(nodes["node"])).to_numpy()
    strangers, streets = streets.loc[~known], streets.loc[known].reset_index(drop=True)
    merged_nodes, same = _merge_corners(nodes, utm_epsg)
    repeated = len(nodes) - len(merged_nodes)
    node_steps.append(
        f"{repeated} corners that stand within {SAME_CORNER_M} m of another were merged into it, so that "
        "streets which meet there are joined."
    )
    lines = streets.copy()
    lines["u"] = lines["u"].map(same).astype("int64")
    lines["v"] = lines["v"].map(same).astype("int64")

    closed_up = ((lines["u"] == lines["v"]) & (streets["u"] != streets["v"])).to_numpy()
    reasons = [NO_CORNER] * len(strangers) + [CLOSED_UP] * int(closed_up.sum())
    rejected = quarantine_frame(as_records(strangers) + as_records(streets.loc[closed_up]), reasons)
    lines, straight = _straighten(lines.loc[~closed_up].reset_index(drop=True), merged_nodes)
    if closed_up.any():
        street_steps.append(
            f"{int(closed_up.sum())} streets lay between two drawings of one corner and went to quarantine."
        )
    if straight:
        street_steps.append(
            f"{straight} streets came without a line; each got the straight one between its corners."
        )
    lines["road_class"] = lines["street_class"].map(CLASS_WORDS).fillna(_class_without_name(lines))
    lines["oneway"] = False
    ramps = int((lines["road_class"] == RAMP).sum())
    street_steps.append(
        f"{int(lines['street_class'].isna().sum())} streets have neither name nor class: {ramps} lead to "
        "a freeway without meeting a named street on the way and count as ramps, the others as "
        f"{UNCLASSED}."
    )
    lines, all_nodes, count = split_grade_crossings(lines, merged_nodes)
    loose = (lines["road_class"] == RAMP).to_numpy() & (_class_without_name(lines) != RAMP).to_numpy()
    lines.loc[loose, "road_class"] = UNCLASSED
    crossings = (
        f"At {count.split} crossings of a freeway and a street without a ramp the two were parted: the "
        f"drawing joins them, the road does not. {count.kept} crossings stayed joined because a stretch "
        f"of road would otherwise be cut off. {count.pieces} short pieces that bear the freeway's name "
        "carry a street on below it and count as that street."
    )
    street_steps.append(crossings)
    node_steps.append(f"{count.split} corners were added for freeways that pass over a street; see Streets.")
    return MendedNetwork(lines, all_nodes, rejected, tuple(street_steps), tuple(node_steps))


def _merge_corners(nodes: pd.DataFrame, utm_epsg: int) -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Keep the lowest-numbered corner of each heap; map every corner to the one that stands for it."""
    x_m, y_m = crs.to_metres(nodes["lon"].to_numpy(), nodes["lat"].to_numpy(), utm_epsg)
    pairs = cKDTree(np.column_stack([x_m, y_m])).query_pairs(SAME_CORNER_M, output_type="ndarray")
    links = coo_array(
        (np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(nodes),) * 2
    )
    _, heap = connected_components(links, directed=False)
    number = nodes["node"].to_numpy(dtype=np.int64)
    lowest = pd.Series(number).groupby(heap).transform("min").to_numpy()
    return nodes.loc[number == lowest].reset_index(drop=True), pd.Series(lowest, index=number)


def _straighten(streets: gpd.GeoDataFrame, nodes: pd.DataFrame) -> tuple[gpd.GeoDataFrame, int]:
    lines: npt.NDArray[np.object_] = np.asarray(streets.geometry.array, dtype=object).copy()
    blank = shapely.is_missing(lines) | shapely.is_empty(lines)
    place = nodes.set_index("node")[["lon", "lat"]]
    starts = place.reindex(streets.loc[blank, "u"]).to_numpy()
    ends = place.reindex(streets.loc[blank, "v"]).to_numpy()
    lines[blank] = shapely.linestrings(np.stack([starts, ends], axis=1))
    mended = streets.copy()
    mended["geometry"] = gpd.GeoSeries(lines, index=streets.index, crs=streets.crs)
    return mended, int(blank.sum())


def _class_without_name(streets: gpd.GeoDataFrame) -> "pd.Series[str]":
    """Class each street as if it had no class of its own: a ramp where it leads to a freeway.

    Streets without a class hang together where they meet at a corner that no named street touches. A heap
    that touches a freeway is a ramp.
    """
    ends = streets[["u", "v"]].to_numpy(dtype=np.int64)
    blank = streets["street_class"].isna().to_numpy()
    freeway = (streets["street_class"] == "Freeway").to_numpy()
    at_freeway = np.unique(ends[freeway])
    at_named = np.unique(ends[~blank & ~freeway])
    rows = np.flatnonzero(blank)
    corners, slot = np.unique(ends[rows], return_inverse=True)
    slot = slot.reshape(-1, 2)
    open_corner = ~np.isin(corners, at_named)
    links = open_corner[slot]
    count = len(rows) + len(corners)
    first, end = np.nonzero(links)
    graph = coo_array(
        (np.ones(len(first), dtype=np.int8), (first, len(rows) + slot[first, end])), shape=(count, count)
    )
    _, heap = connected_components(graph, directed=False)
    touching = np.isin(ends[rows], at_freeway).any(axis=1)
    ramp = np.isin(heap[: len(rows)], np.unique(heap[: len(rows)][touching]))
    result = pd.Series(UNCLASSED, index=streets.index, dtype="str")
    result.iloc[rows[ramp]] = RAMP
    return result
