"""Make tables of OpenStreetMap's places and water: hospitals, stations, bars, libraries, pools, lakes."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from data.osm_servers import Area
from data.osm_tags import Element
from data.quarantine import as_records, quarantine_frame
from data.schemas import OPENING_HOURS
from geo import crs

SAME_PLACE_M = 250.0
"""Places of one table and one name no further apart than this are one, drawn twice (as point and house)."""

LEAST_UNNAMED_WATER_M2 = 10_000.0
"""Water without a name that is smaller than this (one hectare) is left out: ponds of gardens and parks."""

NO_OUTLINE = "its outline cannot be closed, or it lies outside the area"
OPEN_LINE = "it is drawn as a line, not as a point or an outline"
OUT_OF_USE = "it is out of use"
TWICE = "it is drawn twice: the larger drawing is kept"
OUTSIDE_CITY = "it lies outside the city"
NOT_PUBLIC = "it is not said to be open to the public: pools of homes, hotels and clubs"
NO_WATERWAY = "it is a canal, ditch, fountain or basin of a works: the water table has rivers and lakes"
SMALL_WATER = "it has no name and is smaller than one hectare"

_RIVER_WORDS = frozenset({"river", "rapids", "tidal_channel", "stream"})
_LAKE_WORDS = frozenset({"lake", "reservoir", "pond", "lagoon", "oxbow", "bay", "basin", "yes"})
_RIVER_NAME = re.compile(r"\b(?:river|creek|bayou|slough)\b", re.IGNORECASE)
_PUBLIC = frozenset({"yes", "public", "permissive"})
_HOURS = re.compile(OPENING_HOURS)


@dataclass(frozen=True, eq=False)
class OsmTable:
    """A table, its rows in quarantine, and what else was found and why it is not in it.

    ``frame``, ``rejected`` and ``left_out`` together are all that was read: rejected rows are at fault, those
    left out are not what the table is for (counted by reason).
    """

    frame: pd.DataFrame
    rejected: pd.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)
    steps: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """Number of rows read."""
        return len(self.frame) + len(self.rejected) + sum(self.left_out.values())

    def all_steps(self) -> tuple[str, ...]:
        """Say what was done, and what was left out with its count."""
        said = tuple(f"{count:,} left out: {reason}." for reason, count in self.left_out.items())
        return (*self.steps, *said)


@dataclass(frozen=True)
class _Topic:
    """One table of places: which features it takes, what a row says, and whether it ends with the city."""

    wanted: Callable[[Mapping[str, str]], bool]
    row: Callable[[str, Mapping[str, str]], dict[str, Any]]
    in_city: bool = True
    shut_out: Callable[[Mapping[str, str]], str | None] = lambda _tags: None


@dataclass(frozen=True)
class _Found:
    """One element that OSMnx gave a shape."""

    element: str
    number: int
    tags: Mapping[str, str]
    shape: BaseGeometry

    @property
    def is_line(self) -> bool:
        return self.shape.geom_type in {"LineString", "MultiLineString"}


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """The city, what is read around it, and the grid it is measured in."""

    city: Area
    area: Area
    epsg: int


def place_tables(
    features: gpd.GeoDataFrame, matching: Mapping[Element, Mapping[str, str]], *, city: Area, area: Area
) -> dict[str, OsmTable]:
    """Make the tables ``hospitals``, ``posts``, ``water``, ``bars``, ``libraries`` and ``pools``.

    Parameters
    ----------
    features
        As OSMnx gives them: indexed by (element, id), tags as columns, shapes in EPSG:4326.
    matching
        Tags of all elements that were meant: those that are not among the features are counted.
    city
        Demand and posts end with it.
    area
        The city and its surroundings: hospitals and water end with it.
    """
    shapes = dict(zip(features.index, features.geometry, strict=True))
    rows = features.drop(columns="geometry").to_dict("records")
    found = [
        _Found(element, number, _tags(row), shapes[element, number])
        for (element, number), row in zip(features.index, rows, strict=True)
    ]
    lost = [tags for element, tags in matching.items() if element not in shapes]
    ground = _Ground(city=city, area=area, epsg=crs.utm_epsg(area.centroid.x, area.centroid.y))
    tables = {name: _points(topic, found, lost, ground) for name, topic in _TOPICS.items()}
    tables["water"] = _water(found, lost, ground)
    return tables


def _tags(row: Mapping[Any, Any]) -> dict[str, str]:
    return {str(tag): value for tag, value in row.items() if isinstance(value, str) and value}


def _points(topic: _Topic, found: list[_Found], lost: list[Mapping[str, str]], ground: _Ground) -> OsmTable:
    left: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    sizes: list[float] = []
    faulty: list[dict[str, Any]] = []
    for thing in filter(lambda thing: topic.wanted(thing.tags), found):
        row = topic.row(f"osm-{thing.element}-{thing.number}", thing.tags)
        point = thing.shape.representative_point()
        reason = _why_left_out(topic, thing.tags, point, ground)
        if thing.is_line:
            faulty.append(row)
        elif reason is not None:
            left[reason] += 1
        else:
            rows.append(row | {"lon": point.x, "lat": point.y})
            sizes.append(thing.shape.area)
    if unbuilt := sum(map(topic.wanted, lost)):
        left[NO_OUTLINE] += unbuilt
    frame = pd.DataFrame(rows, columns=[*topic.row("", {}), "lon", "lat"])
    once = _drawn_once(frame, np.array(sizes), ground.epsg)
    if again := int((~once).sum()):
        left[TWICE] += again
    frame = frame.loc[once].reset_index(drop=True)
    return OsmTable(frame, _open_lines(faulty), dict(left), _hour_steps(frame))


def _why_left_out(
    topic: _Topic, tags: Mapping[str, str], point: shapely.Point, ground: _Ground
) -> str | None:
    if "yes" in {tags.get("disused"), tags.get("abandoned")}:
        return OUT_OF_USE
    if not ground.area.intersects(point):
        return NO_OUTLINE
    if topic.in_city and not ground.city.intersects(point):
        return OUTSIDE_CITY
    return topic.shut_out(tags)


def _open_lines(faulty: list[dict[str, Any]]) -> pd.DataFrame:
    return quarantine_frame(as_records(pd.DataFrame(faulty, dtype=object)), [OPEN_LINE] * len(faulty))


def _drawn_once(frame: pd.DataFrame, size: np.ndarray[Any, Any], epsg: int) -> np.ndarray[Any, Any]:
    """Mark the largest drawing of each place: those of one name that stand together."""
    keep = np.ones(len(frame), dtype=bool)
    if not len(frame):
        return keep
    xy = np.column_stack(crs.to_metres(frame["lon"].to_numpy(), frame["lat"].to_numpy(), epsg))
    name = frame["name"].fillna("").str.casefold().to_numpy()
    order = np.lexsort((np.arange(len(frame)), -size))
    rank = np.empty(len(frame), dtype=int)
    rank[order] = np.arange(len(frame))
    for one, other in cKDTree(xy).query_pairs(SAME_PLACE_M):
        if name[one] and name[one] == name[other]:
            keep[one if rank[one] > rank[other] else other] = False
    return keep


def _hour_steps(frame: pd.DataFrame) -> tuple[str, ...]:
    if "hours_said" not in frame:
        return ()
    unread = int((frame["hours_said"].notna() & frame["hours"].isna()).sum())
    if not unread:
        return ()
    return (f"Hours of {unread} are written in a way that is not read; they stand in hours_said.",)


def _water(found: list[_Found], lost: list[Mapping[str, str]], ground: _Ground) -> OsmTable:
    left: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    shapes: list[BaseGeometry] = []
    faulty: list[dict[str, Any]] = []
    for thing in filter(lambda thing: _is_water(thing.tags), found):
        kind = water_kind(thing.tags)
        parts = shapely.get_parts(thing.shape.intersection(ground.area))
        clipped = shapely.union_all([part for part in parts if part.geom_type == "Polygon"])
        if thing.is_line or thing.shape.geom_type == "Point":
            faulty.append({"osm": f"{thing.element}-{thing.number}", **thing.tags})
        elif kind is None:
            left[NO_WATERWAY] += 1
        elif clipped.is_empty:
            left[NO_OUTLINE] += 1
        elif "name" not in thing.tags and _square_metres(clipped, ground) < LEAST_UNNAMED_WATER_M2:
            left[SMALL_WATER] += 1
        else:
            rows.append({"name": thing.tags.get("name", "Water without a name"), "kind": kind})
            shapes.append(clipped)
    if unbuilt := sum(map(_is_water, lost)):
        left[NO_OUTLINE] += unbuilt
    frame = gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=["name", "kind"]), geometry=gpd.GeoSeries(shapes, crs=crs.STORAGE_CRS)
    )
    return OsmTable(frame, _open_lines(faulty), dict(left))


def _is_water(tags: Mapping[str, str]) -> bool:
    return tags.get("natural") == "water" or tags.get("waterway") == "riverbank"


def _square_metres(shape: BaseGeometry, ground: _Ground) -> float:
    return float(crs.geometry_to_metres(shape, ground.epsg).area)


def water_kind(tags: Mapping[str, str]) -> str | None:
    """Give ``river`` or ``lake``; None for canals, ditches, fountains and basins of works."""
    word = tags.get("water", "")
    if tags.get("waterway") == "riverbank" or word in _RIVER_WORDS:
        return "river"
    if word in _LAKE_WORDS or (not word and not _RIVER_NAME.search(tags.get("name", ""))):
        return "lake"
    return None if word else "river"


def _name(tags: Mapping[str, str]) -> str | None:
    return tags.get("name") or tags.get("official_name")


def _address(tags: Mapping[str, str]) -> str | None:
    parts = [tags[tag] for tag in ("addr:housenumber", "addr:street") if tag in tags]
    return " ".join(parts) or None


def _hours(tags: Mapping[str, str]) -> dict[str, str | None]:
    said = tags.get("opening_hours")
    plain = None if said is None else re.sub(r"\s*;\s*", "; ", said.strip()).rstrip("; ")
    return {"hours": plain if plain and _HOURS.fullmatch(plain) else None, "hours_said": said}


def _hospital(number: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "hospital_id": number,
        "name": _name(tags),
        "kind": "hospital",
        "receives_911": None,
        "specialties": tags.get("healthcare:speciality"),
        "emergency_said": tags.get("emergency"),
        "address": _address(tags),
    }


def _post(number: str, tags: Mapping[str, str]) -> dict[str, Any]:
    kind = "fire station" if tags.get("amenity") == "fire_station" else "ambulance station"
    numbered = f"{kind.capitalize()} {tags['ref']}" if "ref" in tags else None
    return {
        "post_id": number,
        "name": _name(tags) or numbered or f"{kind.capitalize()} without a name ({number})",
        "kind": kind,
        "address": _address(tags),
        "baseline_rank": None,
    }


def _bar(number: str, tags: Mapping[str, str]) -> dict[str, Any]:
    capacity = tags.get("capacity", "")
    return {
        "outlet_id": number,
        "name": _name(tags) or f"Bar without a name ({number})",
        "category": "bar",
        "address": _address(tags),
        "capacity": int(capacity) if re.fullmatch(r"[1-9]\d{0,5}", capacity) else None,
        **_hours(tags),
    }


def _facility(kind: str) -> Callable[[str, Mapping[str, str]], dict[str, Any]]:
    def row(number: str, tags: Mapping[str, str]) -> dict[str, Any]:
        return {
            "facility_id": number,
            "name": _name(tags) or f"{kind.capitalize()} without a name ({number})",
            "kind": kind,
            "address": _address(tags),
            **_hours(tags),
        }

    return row


def _has(tag: str, *values: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda tags: tags.get(tag) in values


def _closed_pool(tags: Mapping[str, str]) -> str | None:
    public = tags.get("access") in _PUBLIC or tags.get("leisure") == "water_park"
    return None if public or ("name" in tags and "access" not in tags) else NOT_PUBLIC


_TOPICS: Mapping[str, _Topic] = {
    "hospitals": _Topic(
        lambda tags: tags.get("amenity") == "hospital" or tags.get("healthcare") == "hospital",
        _hospital,
        in_city=False,
    ),
    "posts": _Topic(
        lambda tags: tags.get("amenity") == "fire_station" or tags.get("emergency") == "ambulance_station",
        _post,
    ),
    "bars": _Topic(_has("amenity", "bar", "pub", "nightclub"), _bar),
    "libraries": _Topic(_has("amenity", "library"), _facility("library")),
    "pools": _Topic(_has("leisure", "swimming_pool", "water_park"), _facility("pool"), shut_out=_closed_pool),
}
