"""A made map of a few streets, worked out by hand, and a writer of ``.osm`` files."""

from collections.abc import Collection
from pathlib import Path
from xml.sax.saxutils import quoteattr

import shapely

from tests.data.servers.overpass import OsmMap, Tags

STEP = 0.001
WEST, SOUTH = -90.07, 29.95


def at(x: float, y: float) -> tuple[float, float]:
    """A place some steps (96 m, 111 m) east and north of the map's first corner."""
    return round(WEST + STEP * x, 7), round(SOUTH + STEP * y, 7)


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """An area between two corners given in steps."""
    return shapely.box(*at(west, south), *at(east, north))


CITY = box(-5, -5, 10, 8)


def _outline(first: int) -> list[int]:
    return [first, first + 1, first + 2, first + 3, first]


def _corners(
    first: int, west: float, south: float, east: float, north: float
) -> dict[int, tuple[float, float]]:
    ring = [(west, south), (east, south), (east, north), (west, north)]
    return {first + turn: at(*place) for turn, place in enumerate(ring)}


def small_map() -> OsmMap:
    """Two streets, a roundabout, a freeway on a bridge with ramps, a parallel, a loop, an island; places."""
    nodes = {
        1: at(0, 0),
        2: at(1, 0),
        3: at(2, 0),
        4: at(4, 0),
        5: at(3, 0.2),
        6: at(2, 1),
        7: at(2, 2),
        8: at(4, 1),
        10: at(-1, 0),
        11: at(-1.3, 0.3),
        12: at(-1.6, 0),
        20: at(1.5, -2),
        21: at(1.5, -1),
        22: at(1.5, 1.5),
        30: at(1.5, -0.4),
        40: at(4.5, 0.4),
        41: at(4.5, -0.4),
        50: at(8, 6),
        51: at(9, 6),
        60: at(0, -1),
        61: at(1, -1),
        62: at(2, -1),
        65: at(0, 1),
        66: at(2, 3),
        900: at(6, 6),
        901: at(6.1, 6),
        902: at(6.2, 6),
        903: at(15, 1),
        910: at(5, 5),
        911: at(5.2, 5),
        912: at(5.4, 5),
        913: at(15, 2),
        914: at(5.6, 5),
        915: at(5.8, 5),
        916: at(5.9, 5),
        917: at(5.95, 5.2),
        **_corners(920, 6.0, 5.9, 6.3, 6.1),
        **_corners(930, -4, -4.8, 20, -3),
        **_corners(940, 7, 1, 7.2, 1.2),
        **_corners(950, 7.5, 1, 8, 3),
        **_corners(960, 3, 4, 3.2, 4.1),
    }
    node_tags: dict[int, Tags] = {
        900: {"amenity": "hospital", "name": "Charity Hospital"},
        903: {"amenity": "hospital", "name": "Parish Hospital", "emergency": "yes"},
        910: {"amenity": "fire_station", "ref": "14"},
        911: {"emergency": "ambulance_station", "name": "EMS Headquarters"},
        912: {"amenity": "bar", "name": "Snug", "opening_hours": "Mo-Th 16:00-24:00;Fr,Sa 16:00-03:00"},
        913: {"amenity": "bar", "name": "Beyond"},
        914: {"amenity": "pub", "name": "Last Call", "opening_hours": "sunset to late", "capacity": "80"},
        915: {
            "amenity": "library",
            "name": "Alvar Library",
            "addr:housenumber": "913",
            "addr:street": "Alvar",
        },
        916: {"leisure": "swimming_pool", "access": "private"},
        917: {"leisure": "swimming_pool", "access": "public", "name": "Stallings Pool"},
    }
    ways: dict[int, tuple[list[int], Tags]] = {
        100: ([1, 2, 3, 5, 4], {"highway": "primary", "name": "Canal Street", "maxspeed": "35 mph"}),
        101: ([3, 6, 7], {"highway": "residential", "name": "Rampart", "oneway": "yes", "maxspeed": "40"}),
        102: ([4, 8, 7], {"highway": "residential", "name": "Basin", "oneway": "-1", "maxspeed": "30;40"}),
        103: ([10, 11, 12, 10], {"highway": "tertiary", "junction": "roundabout"}),
        104: ([1, 10], {"highway": "tertiary"}),
        105: ([20, 21, 22], {"highway": "motorway", "ref": "I 10", "bridge": "yes", "maxspeed": "60 mph"}),
        106: ([62, 20], {"highway": "motorway_link", "oneway": "yes", "maxspeed": "50 km/h"}),
        107: ([22, 7], {"highway": "motorway_link", "oneway": "yes"}),
        108: ([2, 30, 3], {"highway": "residential", "name": "Back Lane"}),
        109: ([4, 40, 41, 4], {"highway": "residential", "name": "The Loop"}),
        110: ([50, 51], {"highway": "residential", "name": "Island Road"}),
        111: ([1, 60], {"highway": "busway"}),
        112: ([2, 61], {"highway": "motorway", "oneway": "reversible"}),
        113: ([3, 62], {"highway": "road", "maxspeed": "signals"}),
        114: ([3, 61], {"highway": "service", "service": "alley"}),
        115: ([1, 61], {"highway": "residential", "access": "private"}),
        117: ([1, 65], {"highway": "residential", "name": "Elm"}),
        118: ([65, 1], {"highway": "residential", "name": "Elm"}),
        119: ([7, 66], {"highway": "residential", "name": "Rampart"}),
        200: (_outline(920), {"amenity": "hospital", "name": "Charity Hospital"}),
        201: ([900, 901, 902], {"amenity": "hospital", "name": "A line"}),
        210: ([930, 931, 932], {}),
        211: ([932, 933, 930], {}),
        212: (_outline(940), {"natural": "water"}),
        213: (_outline(950), {"natural": "water", "water": "canal", "name": "Industrial Canal"}),
        214: (_outline(960), {"natural": "water", "name": "Duck Pond", "water": "pond"}),
    }
    relations: dict[int, tuple[list[tuple[int, str]], Tags]] = {
        300: (
            [(210, "outer"), (211, "outer")],
            {"type": "multipolygon", "natural": "water", "water": "river", "name": "Mississippi River"},
        ),
        301: (
            [(212, "outer"), (999, "outer")],
            {"type": "multipolygon", "natural": "water", "name": "Broken Lake"},
        ),
    }
    return OsmMap(nodes, ways, node_tags, relations)


def write_osm(osm: OsmMap, path: Path, *, without: Collection[int] = (), head: str = "") -> Path:
    """Write a map as OpenStreetMap's XML, some points left out as at the edge of an extract."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">', head]
    for number, (lon, lat) in osm.nodes.items():
        if number not in without:
            tags = _tags(osm.node_tags.get(number, {}))
            lines.append(f'<node id="{number}" lon="{lon}" lat="{lat}" visible="true">{tags}</node>')
    for number, (points, way_tags) in osm.ways.items():
        inner = "".join(f'<nd ref="{point}"/>' for point in points)
        lines.append(f'<way id="{number}">{inner}{_tags(way_tags)}</way>')
    for number, (members, area_tags) in osm.relations.items():
        inner = "".join(f'<member type="way" ref="{way}" role="{role}"/>' for way, role in members)
        lines.append(f'<relation id="{number}">{inner}{_tags(area_tags)}</relation>')
    path.write_text("\n".join([*lines, "</osm>", ""]), encoding="utf-8")
    return path


def _tags(tags: Tags) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())
