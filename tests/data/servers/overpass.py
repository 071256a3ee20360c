"""Overpass and Nominatim on loopback: they answer OSMnx's own questions from a map, and misbehave on cue."""

import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

Tags = Mapping[str, str]
Trouble = Literal[
    "429", "429 for long", "504", "400", "cut", "cut json", "remark", "memory", "torn", "html", "moved"
]

TAKEN = "2026-11-20T05:00:00Z"
_QUERY = re.compile(r"(node|way|relation)((?:\[[^\]]*\])+)\(poly:'([^']*)'\)")
_TEST = re.compile(r"\[['\"]([^'\"]+)['\"](?:(!?[=~])['\"]([^'\"]*)['\"])?\]")


@dataclass(frozen=True)
class OsmMap:
    """A map: points (lon, lat), tags of some of them, ways as (points, tags), relations as (ways, tags)."""

    nodes: Mapping[int, tuple[float, float]]
    ways: Mapping[int, tuple[Sequence[int], Tags]]
    node_tags: Mapping[int, Tags] = field(default_factory=dict)
    relations: Mapping[int, tuple[Sequence[tuple[int, str]], Tags]] = field(default_factory=dict)

    @cached_property
    def _places(self) -> tuple[list[int], np.ndarray[Any, Any]]:
        return list(self.nodes), np.array(list(self.nodes.values()), dtype=float).reshape(-1, 2)

    def within(self, poly: str) -> set[int]:
        """Give the points within a polygon, written as Overpass does: lat lon lat lon."""
        pairs = np.array(poly.split(), dtype=float).reshape(-1, 2)
        ids, places = self._places
        inside = shapely.contains_xy(shapely.Polygon(pairs[:, ::-1]), places[:, 0], places[:, 1])
        return {ids[row] for row in np.flatnonzero(inside)}

    def answer(self, query: str) -> list[dict[str, Any]]:
        """Answer a query: elements of one kind with tags in a polygon, and all they are made of."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        inside: dict[str, set[int]] = {}
        for kind, tests, poly in _QUERY.findall(query):
            points = inside.setdefault(poly, self.within(poly))
            for number in self._matching(kind, _TEST.findall(tests), points):
                self._add(found, kind, number)
        order = {"node": 0, "way": 1, "relation": 2}
        return [found[key] for key in sorted(found, key=lambda key: (order[key[0]], key[1]))]

    def _matching(self, kind: str, tests: list[tuple[str, str, str]], points: set[int]) -> list[int]:
        if kind == "node":
            return [n for n, tags in self.node_tags.items() if n in points and _fits(tags, tests)]
        if kind == "way":
            return [
                n for n, (way, tags) in self.ways.items() if _fits(tags, tests) and not points.isdisjoint(way)
            ]
        return [
            n
            for n, (members, tags) in self.relations.items()
            if _fits(tags, tests)
            and any(way in self.ways and not points.isdisjoint(self.ways[way][0]) for way, _ in members)
        ]

    def _add(self, found: dict[tuple[str, int], dict[str, Any]], kind: str, number: int) -> None:
        if (kind, number) in found:
            return
        element: dict[str, Any] = {"type": kind, "id": number}
        if kind == "node":
            element["lon"], element["lat"] = self.nodes[number]
            tags = self.node_tags.get(number, {})
        elif kind == "way":
            points, tags = self.ways[number]
            element["nodes"] = list(points)
            for point in points:
                self._add(found, "node", point)
        else:
            members, tags = self.relations[number]
            element["members"] = [{"type": "way", "ref": way, "role": role} for way, role in members]
            for way, _ in members:
                if way in self.ways:
                    self._add(found, "way", way)
        if tags:
            element["tags"] = dict(tags)
        found[kind, number] = element


def _fits(tags: Tags, tests: list[tuple[str, str, str]]) -> bool:
    for key, sign, value in tests:
        if sign == "" and key not in tags:
            return False
        if sign == "=" and tags.get(key) != value:
            return False
        if sign == "!~" and key in tags and re.search(value, tags[key]):
            return False
    return True


class MapServers:
    """Serves a map as Overpass (``/api``) and outlines of places as Nominatim (``/search``).

    ``troubles`` are used up one a question, status questions not counted.
    """

    def __init__(self, osm: OsmMap, outlines: Mapping[str, BaseGeometry] | None = None) -> None:
        self.osm = osm
        self.outlines = dict(outlines or {})
        self.troubles: list[Trouble] = []
        self.queries: list[str] = []
        self.places: list[str] = []
        self.status_asked = 0
        self.agents: set[str] = set()

    def overpass(self, query: str) -> dict[str, Any]:
        self.queries.append(query)
        head = {"version": 0.6, "generator": "made", "osm3s": {"timestamp_osm_base": TAKEN}}
        return head | {"elements": self.osm.answer(query)}

    def nominatim(self, place: str) -> list[dict[str, Any]]:
        self.places.append(place)
        if place not in self.outlines:
            return []
        shape = self.outlines[place]
        west, south, east, north = shape.bounds
        return [
            {
                "place_id": 1,
                "osm_type": "relation",
                "osm_id": 1,
                "lat": str(shape.centroid.y),
                "lon": str(shape.centroid.x),
                "importance": 0.7,
                "display_name": place,
                "boundingbox": [str(south), str(north), str(west), str(east)],
                "geojson": json.loads(shapely.to_geojson(shape)),
            }
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def servers(self) -> MapServers:
        return cast("_Httpd", self.server).servers

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        del format, args

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.endswith("/status"):
            self.servers.status_asked += 1
            lines = "Connected as: 1\nCurrent time: 2026-11-22T20:00:00Z\nAnnounced endpoint: none\n"
            self._send(200, (lines + "Rate limit: 2\n2 slots available now.\n").encode(), "text/plain")
            return
        self._answer(self.servers.nominatim, parse_qs(parts.query)["q"][0])

    def do_HEAD(self) -> None:
        self._send(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(self.servers.overpass, parse_qs(body)["data"][0])

    def _answer(self, ask: Any, question: str) -> None:  # noqa: ANN401
        self.servers.agents.add(str(self.headers["User-Agent"]))
        trouble = self.servers.troubles.pop(0) if self.servers.troubles else None
        payload = ask(question)
        body = json.dumps(payload).encode()
        if trouble is None:
            self._send(200, body)
        elif trouble == "remark":
            said = 'runtime error: Query timed out in "query" at line 1 after 181 seconds.'
            self._send(200, json.dumps({**payload, "elements": [], "remark": said}).encode())
        elif trouble == "memory":
            said = "runtime error: Query run out of memory using about 2048 MB of RAM."
            self._send(200, json.dumps({**payload, "elements": [], "remark": said}).encode())
        elif trouble == "torn":
            whole = payload["elements"]
            self._send(200, json.dumps({**payload, "elements": whole[1:]}).encode())
        elif trouble == "cut":
            self._send(200, body[: len(body) // 2], claimed=len(body))
            self.close_connection = True
        elif trouble == "cut json":
            self._send(200, body[: len(body) // 2])
        elif trouble == "html":
            self._send(200, b"<html><body>Error: the server is too busy</body></html>", "text/html")
        elif trouble == "moved":
            self._send(302, b"", headers={"Location": "https://elsewhere.example/api"})
        else:
            wait = {"Retry-After": "7200"} if trouble == "429 for long" else {}
            self._send(int(trouble[:3]), b"<html>Error: <b>no</b></html>", "text/html", headers=wait)

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        *,
        headers: Mapping[str, str] | None = None,
        claimed: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        self.end_headers()
        self.wfile.write(body)


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, servers: MapServers) -> None:
        self.servers = servers
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hangs up on a refusal: that is its right."""
        failure = sys.exception()
        if failure is not None and not isinstance(failure, ConnectionError):
            raise RuntimeError(f"the server failed at {request} of {client_address}") from failure


@contextmanager
def serving(servers: MapServers) -> Iterator[str]:
    """Serve until the block ends; gives the address."""
    httpd = _Httpd(servers)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
