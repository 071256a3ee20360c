"""Read a local ``.osm`` file: keep what is wanted of it, mend what its edge cut, and let OSMnx read the rest.

OSMnx takes every way of a file for a street and holds the whole file in memory twice. Here the file is passed
through three times, relations, ways, points, and only streets, places and water are handed on.
"""

import bz2
import gzip
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, cast
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import geopandas as gpd

from data.osm_servers import Area, OsmRaw, no_features, osmnx_settings
from data.osm_tags import PLACE_TAGS, WAY_TAGS, Element, is_place, is_street, say_stubs
from errors import ImportSourceError

_SIDES = ("minlon", "minlat", "maxlon", "maxlat")


@dataclass
class _Item:
    """One element of the file: its number, place, tags, points (of a way) and ways (of a relation)."""

    kind: str
    number: int
    lon: str = ""
    lat: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    points: list[int] = field(default_factory=list)
    members: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class _Kept:
    """What is kept of a file as it goes by: areas first, then their ways and the streets, then the points."""

    streets: list[_Item] = field(default_factory=list)
    shapes: list[_Item] = field(default_factory=list)
    areas: list[_Item] = field(default_factory=list)
    places: list[_Item] = field(default_factory=list)
    members: set[int] = field(default_factory=set)
    points: set[int] = field(default_factory=set)
    located: dict[int, tuple[str, str]] = field(default_factory=dict)
    taken_on: date | None = None
    bounds: tuple[float, float, float, float] | None = None

    def relation(self, item: _Item) -> None:
        if is_place(item.tags):
            self.areas.append(item)
            self.members.update(number for number, _ in item.members)

    def way(self, item: _Item) -> None:
        street = is_street(item.tags)
        shape = is_place(item.tags) or item.number in self.members
        if street:
            self.streets.append(item)
        if shape:
            self.shapes.append(item)
        if street or shape:
            self.points.update(item.points)

    def node(self, item: _Item) -> None:
        if item.number in self.points:
            self.located[item.number] = (item.lon, item.lat)
        if is_place(item.tags):
            self.places.append(item)

    def head(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "bounds":
            west, south, east, north = (float(attributes[side]) for side in _SIDES)
            self.bounds = (west, south, east, north)
        for stamp in ("osm_base", "osmosis_replication_timestamp", "timestamp"):
            if re.match(r"\d{4}-\d{2}-\d{2}", attributes.get(stamp, "")):
                self.taken_on = date.fromisoformat(attributes[stamp][:10])

    def matching(self) -> dict[Element, Mapping[str, str]]:
        """Give every place and water, whether or not its shape can be built."""
        items = (*self.shapes, *self.areas, *self.places)
        return {(item.kind, item.number): item.tags for item in items if is_place(item.tags)}


class _Pass:
    """Goes through the file once and hands on each element of one kind."""

    def __init__(self, kind: str, keep: Callable[[_Item], None], head: Callable[..., None]) -> None:
        self._kind, self._keep, self._head = kind, keep, head
        self._item: _Item | None = None
        self._root = ""

    def read(self, path: Path) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse
        with _open(path) as file:
            parser.ParseFile(file)
        if self._root != "osm":
            raise ValueError(f"it is a file of {self._root!r}, not of 'osm'")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._root = self._root or name
        deleted = attributes.get("visible") == "false" or attributes.get("action") == "delete"
        if name == self._kind and not deleted:
            self._item = _Item(kind=name, number=int(attributes["id"]))
            if name == "node":
                self._item.lon, self._item.lat = attributes["lon"], attributes["lat"]
        elif self._item is not None:
            self._fill(self._item, name, attributes)
        elif name in {"osm", "meta", "bounds"}:
            self._head(name, attributes)

    @staticmethod
    def _fill(item: _Item, name: str, attributes: dict[str, str]) -> None:
        if name == "tag":
            item.tags[attributes["k"]] = attributes["v"]
        elif name == "nd":
            item.points.append(int(attributes["ref"]))
        elif name == "member" and attributes["type"] == "way":
            item.members.append((int(attributes["ref"]), attributes.get("role", "")))

    def _end(self, name: str) -> None:
        if name == self._kind and self._item is not None:
            self._keep(self._item)
            self._item = None

    @staticmethod
    def _refuse(*_: object) -> None:
        raise ValueError("it defines entities of its own, as no file of OpenStreetMap does")


def read_file(path: Path, area: Area) -> OsmRaw:
    """Read streets, places and water of an area from a file in OpenStreetMap's XML.

    Parameters
    ----------
    path
        ``.osm``, or packed as ``.osm.gz`` or ``.osm.bz2``.
    area
        The city and its surroundings, EPSG:4326.

    Raises
    ------
    ImportSourceError
        The file is missing, torn or no such file, or it holds no streets of the area.
    """
    import osmnx as ox

    kept = _read(path)
    steps = _cut_streets(kept)
    wanted = {"useful_tags_way": list(WAY_TAGS), "all_oneway": True}
    with tempfile.TemporaryDirectory(prefix="crescent-osm-") as folder, osmnx_settings(wanted):
        streets = Path(folder) / "streets.osm"
        others = Path(folder) / "places.osm"
        _write(streets, kept.streets, kept.located)
        _write(others, [*kept.shapes, *kept.areas], kept.located, named=kept.places)
        try:
            whole = ox.graph_from_xml(streets, simplify=False, retain_all=True)
            graph = ox.truncate.truncate_graph_polygon(whole, area, truncate_by_edge=True)
        except ValueError as error:
            raise ImportSourceError(
                f"{path.name} holds no streets of the city and its surroundings ({error}); take an extract "
                "of that area"
            ) from None
        features = _features(others, area) if kept.matching() else no_features()
    if (missing := _uncovered(kept, area)) is not None:
        steps.append(missing)
    return OsmRaw(
        graph=graph,
        features=features,
        matching=kept.matching(),
        taken_on=kept.taken_on,
        steps=tuple(steps),
    )


def _features(path: Path, area: Area) -> gpd.GeoDataFrame:
    import osmnx as ox
    from osmnx._errors import InsufficientResponseError

    try:
        return ox.features_from_xml(path, polygon=area, tags=dict(PLACE_TAGS))
    except InsufficientResponseError:
        return no_features()


def _read(path: Path) -> _Kept:
    kept = _Kept()
    try:
        for kind, keep in (("relation", kept.relation), ("way", kept.way), ("node", kept.node)):
            _Pass(kind, keep, kept.head).read(path)
    except (OSError, EOFError, expat.ExpatError, KeyError, ValueError) as error:
        raise ImportSourceError(_why_not(path, error)) from None
    return kept


def _cut_streets(kept: _Kept) -> list[str]:
    """Cut streets where the file lacks their points; say how many."""
    steps = []
    places = kept.located
    number = max((street.number for street in kept.streets), default=0)
    streets, cut = [], 0
    stubs = [street for street in kept.streets if len(set(street.points)) == 1]
    for street in kept.streets:
        runs: list[list[int]] = [[]]
        for point in street.points:
            if point in places:
                runs[-1].append(point)
            elif runs[-1]:
                runs.append([])
        cut += not set(street.points) <= places.keys()
        for piece, run in enumerate(run for run in runs if len(run) > 1):
            number += piece > 0
            own = street.number if piece == 0 else number
            streets.append(_Item(kind="way", number=own, tags=street.tags, points=run))
    kept.streets = streets
    steps += say_stubs(len(stubs))
    if cut:
        steps.append(f"{cut} streets lack points in the file and were cut there: they lead over its edge.")
    return steps


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    if path.suffix == ".bz2":
        return cast("BinaryIO", bz2.open(path, "rb"))
    return path.open("rb")


def _why_not(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"There is no file {path}"
    if path.suffix == ".pbf":
        return (
            f"{path.name} is packed as .pbf, which cannot be read; turn it into .osm first, such as with "
            "osmium cat city.osm.pbf -o city.osm"
        )
    why = f"an element lacks {error}" if isinstance(error, KeyError) else error
    return f"{path.name} cannot be read as a file of OpenStreetMap's XML: {why}; take it anew"


def _write(
    path: Path, items: Iterable[_Item], places: Mapping[int, tuple[str, str]], *, named: Iterable[_Item] = ()
) -> None:
    """Write ways and areas with the points they need, and places that are points, for OSMnx to read."""
    # A way that lacks points has no shape, and OSMnx stumbles over an area that needs it.
    items = [item for item in items if item.kind != "way" or _is_whole(item, places)]
    needed = sorted({point for item in items for point in item.points})
    own = {item.number: item for item in named}
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6" generator="Crescent">\n')
        for number in sorted({*needed, *own}):
            item = own.get(number)
            lon, lat = places[number] if item is None else (item.lon, item.lat)
            tags = "" if item is None else _tags(item.tags)
            file.write(f'<node id="{number}" lon={quoteattr(lon)} lat={quoteattr(lat)}>{tags}</node>\n')
        for item in items:
            inner = "".join(f'<nd ref="{point}"/>' for point in item.points)
            inner += "".join(
                f'<member type="way" ref="{number}" role={quoteattr(role)}/>' for number, role in item.members
            )
            file.write(f'<{item.kind} id="{item.number}">{inner}{_tags(item.tags)}</{item.kind}>\n')
        file.write("</osm>\n")


def _is_whole(way: _Item, places: Mapping[int, tuple[str, str]]) -> bool:
    return len(set(way.points)) > 1 and set(way.points) <= places.keys()


def _tags(tags: Mapping[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())


def _uncovered(kept: _Kept, area: Area) -> str | None:
    """Say which share of the area lies beyond the bounds that the file states."""
    if kept.bounds is None:
        return None
    from shapely import box

    share = 1 - area.intersection(box(*kept.bounds)).area / area.area
    if share < 0.01:
        return None
    return f"The file covers only {1 - share:.0%} of the city and its surroundings: roads end at its edge."
