"""The ground under every map of a city, and the graph of its live field, as one compact binary file.

The file holds what changes only when the city does: land, water, neighborhoods and streets to draw, and the
road graph on which the browser's worker computes travel times while a post is dragged. It holds no records.

Format (little-endian, gzipped on disk with a fixed time stamp, so the same city gives the same bytes)::

    4 bytes   "CRSG"
    uint32    length of the header, a multiple of 4
    header    JSON in UTF-8, padded with spaces
    sections  typed arrays, each at a multiple of 4 bytes after the header

The header gives ``origin`` [lon, lat], ``line_quantum`` and ``node_quantum`` (degrees a step), ``bounds`` and
``focus`` [west, south, east, north] (everything; the streets' dense part), ``classes`` (names of the road
classes), ``labels`` (``kind, name, lon, lat, span_m``), ``synthetic``, and ``sections``: name to ``type``,
``offset`` and ``length`` (in elements). The sections:

- ``land``, ``water``, ``borders`` (rings, even-odd) and ``streets`` (one line an edge, in edge order) are
  lines, each as ``*_count`` (points a line), ``*_first_x``, ``*_first_y`` (first points, in steps of
  ``line_quantum`` from the origin) and ``*_step_x``, ``*_step_y`` (from point to point, all lines one after
  the other).
- ``node_x``, ``node_y`` int32 in steps of ``node_quantum`` from the origin; ``node_main`` uint8, 1 where a
  place may snap to the node.
- ``edge_u``, ``edge_v`` uint32 node indices; ``edge_cs`` uint32 hundredths of a second at the edge's own
  speed, without siren or hour; ``edge_class`` uint8, index into ``classes``; ``edge_oneway`` uint8, 1 for u
  to v only.
- ``name_x``, ``name_y`` int32 in steps of ``line_quantum`` from the origin, ``name_index`` uint16 into the
  header's ``street_names``, ``name_turn`` int16 degrees clockwise, ``name_room`` uint16 metres, ``name_rank``
  uint8: places for street names, see `pages.parts.street_names`.
"""

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.network import RoadNetwork
from pages.parts import street_names as names_module
from pages.parts.street_names import street_names

MAGIC = b"CRSG"
ROUTE = "/crescent/ground"
LINE_QUANTUM = 1e-5
NODE_QUANTUM = 1e-6
OUTLINE_TOLERANCE_DEG = 2e-5
"""Outlines are simplified to about two metres: less than a pixel at any zoom the map allows."""
FOCUS_PERCENT = 2.0
METRES_PER_DEGREE = 111_319.49
_ALIGN = 4

IntArray = npt.NDArray[np.int64]


class GroundCity(Protocol):
    """What the ground needs of a city: `data.city.City` has it."""

    @property
    def path(self) -> Path:
        """The city's folder."""

    @property
    def version(self) -> str:
        """Hash of the city's content."""

    @property
    def synthetic(self) -> bool:
        """True for a demo city."""

    @property
    def cache_dir(self) -> Path:
        """Where derived files go."""

    @property
    def network(self) -> RoadNetwork:
        """The road network."""

    @property
    def land(self) -> Any:  # noqa: ANN401
        """Land as one shapely geometry, EPSG:4326."""

    def has(self, name: str) -> bool:
        """Whether the city has a table."""

    def table(self, name: str) -> pd.DataFrame:
        """Return the accepted rows of a table."""


def ground_url(city: GroundCity) -> str:
    """Write the city's ground file unless it is there, and give the URL under which the app serves it.

    The name holds a hash of all that decides the content, so a browser may keep the file for ever.
    """
    path = write_ground(city)
    key = path.name.removeprefix("ground-").removesuffix(".bin.gz")
    return f"{ROUTE}/{quote(city.path.name)}/{key}.bin"


def write_ground(city: GroundCity) -> Path:
    """Write ``<city>/cache/ground-<key>.bin.gz`` unless it is there, and give its path.

    The file appears whole or not at all, whoever else writes it at the same time.
    """
    path = city.cache_dir / f"ground-{_key(city)}.bin.gz"
    if path.is_file():
        return path
    city.cache_dir.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(encode_ground(city), compresslevel=9, mtime=0)
    handle, temporary = tempfile.mkstemp(dir=city.cache_dir, prefix=".ground-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def encode_ground(city: GroundCity) -> bytes:
    """Encode the city's ground as the format in this module's docstring, not compressed."""
    network = city.network
    lon, lat = network.node_lon, network.node_lat
    origin = np.array([np.round(np.median(lon), 4), np.round(np.median(lat), 4)])
    water = city.table("water") if city.has("water") else None
    areas = city.table("neighborhoods") if city.has("neighborhoods") else None
    land = city.land
    bounds = _bounds(lon, lat, land)
    west, east = np.percentile(lon[network.main], [FOCUS_PERCENT, 100 - FOCUS_PERCENT])
    south, north = np.percentile(lat[network.main], [FOCUS_PERCENT, 100 - FOCUS_PERCENT])

    sections: dict[str, npt.NDArray[Any]] = {}
    _add_rings(sections, "land", [land], origin)
    _add_rings(sections, "water", [] if water is None else list(water["geometry"]), origin)
    _add_rings(sections, "borders", [] if areas is None else list(areas["geometry"]), origin)
    _add_lines(sections, "streets", _street_lines(network), origin)
    sections["node_x"] = np.rint((lon - origin[0]) / NODE_QUANTUM).astype(np.int32)
    sections["node_y"] = np.rint((lat - origin[1]) / NODE_QUANTUM).astype(np.int32)
    sections["node_main"] = network.main.astype(np.uint8)
    sections["edge_u"] = network.edge_u.astype(np.uint32)
    sections["edge_v"] = network.edge_v.astype(np.uint32)
    sections["edge_cs"] = np.rint(network.edge_seconds * 100).astype(np.uint32)
    sections["edge_class"] = network.edge_class.astype(np.uint8)
    sections["edge_oneway"] = network.oneway.astype(np.uint8)
    names = street_names(network)
    sections["name_x"] = np.rint((names.lon - origin[0]) / LINE_QUANTUM).astype(np.int32)
    sections["name_y"] = np.rint((names.lat - origin[1]) / LINE_QUANTUM).astype(np.int32)
    sections["name_index"] = names.name.astype(np.uint16)
    sections["name_turn"] = np.rint(names.angle_deg).astype(np.int16)
    sections["name_room"] = names.room_m.astype(np.uint16)
    sections["name_rank"] = names.rank.astype(np.uint8)
    header = {
        "origin": origin.tolist(),
        "line_quantum": LINE_QUANTUM,
        "node_quantum": NODE_QUANTUM,
        "bounds": bounds,
        "focus": [round(float(value), 5) for value in (west, south, east, north)],
        "classes": list(network.classes),
        "labels": _labels("neighborhood", areas) + _labels("water", water),
        "street_names": list(names.names),
        "synthetic": city.synthetic,
    }
    return _assemble(header, sections)


def _key(city: GroundCity) -> str:
    """Hash of all that decides the file: the code that writes it, the city and its network."""
    network = city.network
    digest = hashlib.sha256()
    for source in (__file__, names_module.__file__):
        digest.update(Path(source).read_bytes())
    digest.update(f"{city.version}:{'|'.join(network.classes)}".encode())
    for array in (
        network.node_lon,
        network.node_lat,
        network.edge_u,
        network.edge_v,
        network.edge_seconds,
        network.edge_class,
        network.oneway,
        network.main,
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]


def _bounds(lon: npt.NDArray[Any], lat: npt.NDArray[Any], land: Any) -> list[float]:  # noqa: ANN401
    box = [lon.min(), lat.min(), lon.max(), lat.max()]
    if not shapely.is_empty(land):
        west, south, east, north = shapely.bounds(land)
        box = [min(box[0], west), min(box[1], south), max(box[2], east), max(box[3], north)]
    return [round(float(value), 5) for value in box]


def _street_lines(network: RoadNetwork) -> list[npt.NDArray[np.float64]]:
    """One line an edge, in degrees: its geometry, or the straight way between its nodes where it has none."""
    ends = np.stack(
        [
            np.column_stack([network.node_lon[node], network.node_lat[node]])
            for node in (network.edge_u, network.edge_v)
        ],
        axis=1,
    )
    missing = shapely.is_missing(network.geometry) | shapely.is_empty(network.geometry)
    coordinates, index = shapely.get_coordinates(network.geometry, return_index=True)
    parts = np.split(coordinates, np.cumsum(np.bincount(index, minlength=network.n_edges))[:-1])
    return [ends[i] if missing[i] else parts[i] for i in range(network.n_edges)]


def _add_rings(
    sections: dict[str, npt.NDArray[Any]], name: str, shapes: Iterable[Any], origin: npt.NDArray[np.float64]
) -> None:
    simple = shapely.simplify(np.asarray(list(shapes), dtype=object), OUTLINE_TOLERANCE_DEG)
    parts = shapely.get_parts(simple)
    rings = shapely.get_rings(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])
    _add_lines(sections, name, [shapely.get_coordinates(ring)[:-1] for ring in rings], origin)


def _add_lines(
    sections: dict[str, npt.NDArray[Any]],
    name: str,
    lines: list[npt.NDArray[np.float64]],
    origin: npt.NDArray[np.float64],
) -> None:
    """Quantise lines and add them as counts, first points and steps; steps are int16 where all fit."""
    counts = np.array([len(line) for line in lines], dtype=np.int64)
    points = np.concatenate(lines) if lines else np.empty((0, 2))
    steps = np.rint((points - origin) / LINE_QUANTUM).astype(np.int64)
    first = np.cumsum(counts) - counts
    starts = np.zeros(len(points), dtype=bool)
    starts[first[counts > 0]] = True
    inner = np.diff(steps, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))[~starts]
    fits = not inner.size or np.abs(inner).max() <= np.iinfo(np.int16).max
    begin = np.zeros((len(counts), 2), dtype=np.int64)
    begin[counts > 0] = steps[starts]
    sections[f"{name}_count"] = counts.astype(np.uint32)
    for axis, letter in enumerate("xy"):
        sections[f"{name}_first_{letter}"] = begin[:, axis].astype(np.int32)
        sections[f"{name}_step_{letter}"] = inner[:, axis].astype(np.int16 if fits else np.int32)


def _labels(kind: str, table: pd.DataFrame | None) -> list[list[Any]]:
    """Give each shape's name, the point where its label fits best, and the room it has there in metres."""
    if table is None:
        return []
    labels: list[list[Any]] = []
    for name, shape in zip(table["name"], gpd.GeoSeries(table["geometry"]), strict=True):
        parts = shapely.get_parts(shape)
        largest = parts[np.argmax(shapely.area(parts))]
        circle = shapely.maximum_inscribed_circle(largest, tolerance=1e-4)
        room_m = 2 * float(shapely.length(circle)) * METRES_PER_DEGREE
        lon, lat = shapely.get_coordinates(circle)[0]
        labels.append([kind, str(name), round(float(lon), 5), round(float(lat), 5), round(room_m)])
    return labels


def _assemble(header: Mapping[str, Any], sections: Mapping[str, npt.NDArray[Any]]) -> bytes:
    table: dict[str, dict[str, Any]] = {}
    body = bytearray()
    for name, array in sections.items():
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        table[name] = {"type": array.dtype.name, "offset": len(body), "length": len(array)}
        body += raw + bytes(-len(raw) % _ALIGN)
    text = json.dumps({**header, "sections": table}, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % _ALIGN)
    return MAGIC + len(text).to_bytes(4, "little") + text + bytes(body)
