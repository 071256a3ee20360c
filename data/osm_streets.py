"""Make streets and corners of OSMnx's graph: classes, one-way streets, speeds, names, pieces drawn twice."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from data.quarantine import as_records, quarantine_frame
from data.schemas import ROAD_CLASSES
from errors import ImportSourceError
from geo import crs
from geo.network import RoadNetwork

if TYPE_CHECKING:
    import networkx as nx

CLASS_WORDS: Mapping[str, str] = MappingProxyType({"road": "unclassified", "minor": "unclassified"})
"""OpenStreetMap's words for streets that are not in the contract, and what they become."""

UNKNOWN_CLASS = "its class of street is not one that is driven"
BY_THE_HOUR = "it runs one way or the other by the hour (oneway=reversible): nobody can say which way is open"

LEAST_LENGTH_M = 0.1
"""What a street between two corners at the same place is given, so that it still joins them."""

_WITH_THE_LINE = frozenset({"yes", "true", "1", "-1", "reverse", "T", "F"})
_BOTH_WAYS = frozenset({"no", "false", "0"})
_BY_THE_HOUR = frozenset({"reversible", "alternating"})
_ROUND = frozenset({"roundabout", "circular"})
_LIMIT = re.compile(r"(?P<figure>\d{1,3}(?:\.\d+)?)\s*(?P<unit>mph|km/h|kmh|kph)?", re.IGNORECASE)
_KPH_PER_MPH = 1.609344
_HIGHEST_KPH = 200.0
_KEEP_APART = ("road_class", "street", "kph", "one")


@dataclass(frozen=True, eq=False)
class OsmStreets:
    """Streets and corners in the contract's columns, ways in quarantine, and what was done, in sentences.

    Attributes
    ----------
    streets, nodes
        The tables ``streets`` and ``street_nodes``; a corner keeps its number in OpenStreetMap.
    rejected
        Ways of OpenStreetMap that are in none of the streets: ``record``, ``reason``.
    islands
        Stretches from which the rest cannot be reached and come back: ``streets``, ``length_m``, ``lon``,
        ``lat`` of one corner, the longest first.
    """

    streets: gpd.GeoDataFrame
    nodes: pd.DataFrame
    rejected: pd.DataFrame
    islands: pd.DataFrame
    street_steps: tuple[str, ...]
    node_steps: tuple[str, ...]


def kph_of(maxspeed: str | None) -> float | None:
    """Read a limit of speed: ``50``, ``50 km/h``, ``35 mph``; the lowest of several (``35 mph;25 mph``).

    Parameters
    ----------
    maxspeed
        The tag as it stands; None where there is none.

    Returns
    -------
    kph
        Kilometres per hour; None where no figure is given (``none``, ``signals``) or one cannot be read.
    """
    if maxspeed is None:
        return None
    limits = []
    for part in re.split(r"[;|,]", maxspeed):
        found = _LIMIT.fullmatch(part.strip())
        if found is None:
            return None
        miles = (found["unit"] or "").lower() == "mph"
        limits.append(float(found["figure"]) * (_KPH_PER_MPH if miles else 1.0))
    lowest = min(limits)
    return round(lowest, 3) if 0 < lowest <= _HIGHEST_KPH else None


def class_of(highway: str) -> str | None:
    """Give the contract's class of a street; the first known one of several, None where there is none."""
    for word in highway.split(";"):
        known = CLASS_WORDS.get(word.strip(), word.strip())
        if known in ROAD_CLASSES:
            return known
    return None


def is_oneway(tags: Mapping[str, Any]) -> bool:
    """Say whether a way is driven one way only: as tagged, or a roundabout or motorway that does not say."""
    said = tags.get("oneway")
    if said in _WITH_THE_LINE:
        return True
    if said in _BOTH_WAYS:
        return False
    return tags.get("junction") in _ROUND or tags.get("highway") == "motorway"


def name_of(tags: Mapping[str, Any]) -> str | None:
    """Give a street's name, or else its number, written as ``I-10``."""
    if tags.get("name"):
        return str(tags["name"])
    return re.sub(r"\bI (?=\d)", "I-", str(tags["ref"])) if tags.get("ref") else None


def streets_from_graph(graph: "nx.MultiDiGraph[int]") -> OsmStreets:
    """Make the tables of streets and corners.

    Parameters
    ----------
    graph
        As OSMnx reads it with ``all_oneway``: unsimplified, each way in its direction, tags as they stand.

    Raises
    ------
    ImportSourceError
        Nothing is left that can be driven.
    """
    import osmnx as ox

    graph = graph.copy()
    steps: list[str] = []
    rejected = _judge(graph, steps)
    _drop_repeats(graph, steps)
    graph.remove_nodes_from([node for node, degree in list(graph.degree()) if degree == 0])
    if not graph.number_of_edges():
        raise ImportSourceError("OpenStreetMap has no street in the area that can be driven")
    points = graph.number_of_nodes()
    simple = ox.simplify_graph(graph, edge_attrs_differ=list(_KEEP_APART), remove_rings=False)
    nodes = _nodes(simple)
    streets = _streets(simple, nodes, steps)
    islands = _islands(streets, nodes)
    if len(islands):
        steps.append(
            f"{int(islands['streets'].sum())} streets ({islands['length_m'].sum() / 1000:,.1f} km) in "
            f"{len(islands)} places cannot be reached and left again on the roads of the area: islands, "
            "private ground, or cut at its edge. They stay in the table; nothing is snapped to them."
        )
    node_steps = (
        (
            f"{points - len(nodes):,} of {points:,} points only bend a street and are in its line; the "
            "others are corners. A corner stands where streets meet, or where name, class or limit change."
        ),
    )
    return OsmStreets(streets, nodes, rejected, islands, tuple(steps), node_steps)


def _judge(graph: "nx.MultiDiGraph[int]", steps: list[str]) -> pd.DataFrame:
    """Give every piece its class, name, limit and direction; take out those that cannot be driven."""
    turned_away: dict[int, tuple[dict[str, Any], str]] = {}
    unread: Counter[str] = Counter()
    seen: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    implied = 0
    remapped: Counter[str] = Counter()
    out = []
    for u, v, key, data in graph.edges(keys=True, data=True):
        way = int(data["osmid"])
        if way not in seen:
            tags = {tag: data[tag] for tag in _TAGS if tag in data}
            known = class_of(str(tags["highway"]))
            kph = kph_of(tags.get("maxspeed"))
            if known is None:
                turned_away[way] = (tags, f"{UNKNOWN_CLASS} (highway={tags['highway']})")
            elif tags.get("oneway") in _BY_THE_HOUR:
                turned_away[way] = (tags, BY_THE_HOUR)
            else:
                unread.update([tags["maxspeed"]] if "maxspeed" in tags and kph is None else [])
                implied += is_oneway(tags) and "oneway" not in tags
                remapped.update([tags["highway"]] if known != tags["highway"] else [])
            fresh = {"road_class": known, "street": name_of(tags), "kph": kph, "one": is_oneway(tags)}
            seen[way] = (tags, fresh)
        if way in turned_away:
            out.append((u, v, key))
        else:
            data.update(seen[way][1])
    graph.remove_edges_from(out)
    _say_what_was_read(steps, unread, remapped, implied)
    frame = pd.DataFrame(
        [{"osm_way": way, **tags} for way, (tags, _) in sorted(turned_away.items())], dtype=object
    )
    reasons = [reason for _, (_, reason) in sorted(turned_away.items())]
    return quarantine_frame(as_records(frame), reasons)


_TAGS = ("name", "highway", "oneway", "maxspeed", "ref", "junction", "bridge", "tunnel")


def _say_what_was_read(steps: list[str], unread: Counter[str], remapped: Counter[str], implied: int) -> None:
    if implied:
        steps.append(
            f"{implied} ways do not say that they are one-way, but are: roundabouts, and motorways, which "
            "OpenStreetMap draws once for each direction."
        )
    if remapped:
        said = ", ".join(f"{word} ({count})" for word, count in sorted(remapped.items()))
        steps.append(f"Classes that Crescent has no word for became the nearest it has: {said}.")
    if unread:
        said = ", ".join(f"{word} ({count})" for word, count in sorted(unread.items())[:5])
        steps.append(
            f"{sum(unread.values())} ways state a limit without a figure, such as {said}: their speed is "
            "that of their class."
        )


def _drop_repeats(graph: "nx.MultiDiGraph[int]", steps: list[str]) -> None:
    """Keep one of several pieces between the same two points: OpenStreetMap has no bend between two points.

    The piece of the higher class stays. Pieces in both directions are compared with one another, those in
    one direction with those in the same.
    """
    best: dict[tuple[int, int, bool], tuple[tuple[int, int], tuple[int, int, int]]] = {}
    out: list[tuple[int, int, Any]] = []
    for u, v, key, data in graph.edges(keys=True, data=True):
        rank = (ROAD_CLASSES.index(data["road_class"]), int(data["osmid"]))
        pair = (u, v) if data["one"] else (min(u, v), max(u, v))
        place = (*pair, bool(data["one"]))
        if place not in best:
            best[place] = (rank, (u, v, key))
        elif rank < best[place][0]:
            out.append(best[place][1])
            best[place] = (rank, (u, v, key))
        else:
            out.append((u, v, key))
    if out:
        graph.remove_edges_from(out)
        steps.append(f"{len(out)} pieces of street are drawn twice, one on the other; one of each is kept.")


def _nodes(graph: "nx.MultiDiGraph[int]") -> pd.DataFrame:
    rows = sorted((int(node), float(data["x"]), float(data["y"])) for node, data in graph.nodes(data=True))
    return pd.DataFrame(rows, columns=["node", "lon", "lat"])


def _streets(graph: "nx.MultiDiGraph[int]", nodes: pd.DataFrame, steps: list[str]) -> gpd.GeoDataFrame:
    place = dict(zip(nodes["node"], zip(nodes["lon"], nodes["lat"], strict=True), strict=True))
    rows = []
    for u, v, data in graph.edges(data=True):
        line = data.get("geometry") or shapely.LineString([place[u], place[v]])
        ways = data["osmid"] if isinstance(data["osmid"], list) else [data["osmid"]]
        rows.append(
            (int(u), int(v), min(ways), data["street"], data["road_class"], data["kph"], data["one"], line)
        )
    columns = ["u", "v", "way", "name", "road_class", "speed_kph", "oneway", "geometry"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["wkb"] = shapely.to_wkb(frame["geometry"].to_numpy())
    frame = frame.sort_values(["u", "v", "way", "wkb"], ignore_index=True)
    epsg = crs.utm_epsg(nodes["lon"], nodes["lat"])
    lines_m = shapely.transform(
        frame["geometry"].to_numpy(), lambda c: np.column_stack(crs.to_metres(c[:, 0], c[:, 1], epsg))
    )
    length_m = shapely.length(lines_m)
    if short := int((length_m < LEAST_LENGTH_M).sum()):
        steps.append(f"{short} streets between corners at one place count as {LEAST_LENGTH_M} m long.")
    table = pd.DataFrame(
        {
            "u": frame["u"].astype("int64"),
            "v": frame["v"].astype("int64"),
            "name": frame["name"].astype("str"),
            "road_class": frame["road_class"].astype("str"),
            "length_m": np.maximum(length_m, LEAST_LENGTH_M),
            "speed_kph": frame["speed_kph"].astype("float64"),
            "oneway": frame["oneway"].astype(bool),
        }
    )
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(frame["geometry"], crs=crs.STORAGE_CRS))


def _islands(streets: gpd.GeoDataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    """Gather what lies beyond the kept component into stretches that hang together."""
    network = RoadNetwork.from_streets(streets, nodes)
    loose = ~(network.main[network.edge_u] & network.main[network.edge_v])
    links = coo_array(
        (np.ones(int(loose.sum()), dtype=np.int8), (network.edge_u[loose], network.edge_v[loose])),
        shape=(network.n_nodes,) * 2,
    )
    # Two stretches that hang on one corner of the kept component are two: what they share is left out.
    off = ~network.main
    inner = off[links.row] & off[links.col]
    joined = coo_array((links.data[inner], (links.row[inner], links.col[inner])), shape=links.shape)
    _, heap = connected_components(joined, directed=False)
    outer = np.where(off[links.row], links.row, links.col)
    pieces = pd.DataFrame(
        {
            "heap": heap[outer],
            "length_m": network.length_m[loose],
            "lon": network.node_lon[outer],
            "lat": network.node_lat[outer],
        }
    )
    found = pieces.groupby("heap", sort=True).agg(
        streets=("length_m", "size"), length_m=("length_m", "sum"), lon=("lon", "first"), lat=("lat", "first")
    )
    return found.sort_values("length_m", ascending=False, kind="stable").reset_index(drop=True)
