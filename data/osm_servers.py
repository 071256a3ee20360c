"""Ask Overpass and Nominatim through OSMnx: patiently, cached, and without a word of theirs taken on trust.

OSMnx by itself asks again for ever after 429 and 504, takes an answer that stopped half-way for a whole one,
and leaves the process resolving names its way. Here every fresh answer is looked at before OSMnx sees it,
questions are repeated only so often, and OSMnx is put back as it was.
"""

import json
import re
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import geopandas as gpd
import requests
import shapely
import stamina
from requests.auth import AuthBase
from shapely import MultiPolygon, Polygon

from data.http import Manners, PassingFaultError, checked_address, retry_after_s
from data.osm_tags import DRIVE_FILTER, PLACE_TAGS, WAY_TAGS, Element, is_place, is_street, say_stubs
from errors import InvalidInputError, PortalRefusedError, PortalUnavailableError

if TYPE_CHECKING:
    import networkx as nx

Area = Polygon | MultiPolygon
Answer = TypeVar("Answer")

SMALLER = "ask for a smaller margin, or read a local .osm file instead"
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_ONE_AT_A_TIME = threading.Lock()
_SHOWN = 300
_AGENT = "Crescent, a city's planning tool, through OSMnx"


@dataclass(frozen=True, kw_only=True)
class OsmServers:
    """Where OpenStreetMap is asked, and how.

    Attributes
    ----------
    cache
        Folder that keeps every good answer, so that a fetch that broke goes on where it stopped. What is in
        it is never asked again: empty it to get newer data.
    overpass_url, nominatim_url
        Addresses of the two services, or of an office's own copies of them.
    timeout_s
        How long Overpass may work on one question, and how long it may be silent.
    ask_for_slot
        Whether to ask Overpass first when it has time, as the public servers want it.
    manners
        How often one question is asked, and the waits between. ``Retry-After`` is obeyed up to
        ``longest_wait_s``.
    """

    cache: Path
    overpass_url: str = "https://overpass-api.de/api"
    nominatim_url: str = "https://nominatim.openstreetmap.org"
    timeout_s: int = 300
    ask_for_slot: bool = True
    manners: Manners = field(
        default_factory=lambda: Manners(
            attempts=5, wait_initial_s=15, wait_max_s=120, wait_jitter_s=5, longest_wait_s=600
        )
    )


@dataclass(frozen=True, eq=False)
class OsmRaw:
    """What was read before it became tables.

    Attributes
    ----------
    graph
        Streets as OSMnx read them, every way in one direction, unsimplified.
    features
        Places and water by (element, id), with their tags and shapes.
    matching
        Tags of every element that has one of the wanted, whether or not OSMnx could build its shape.
    taken_on
        The day the data stands for; None where it is not said.
    steps
        What was done on the way, a sentence each.
    """

    graph: "nx.MultiDiGraph[int]"
    features: gpd.GeoDataFrame
    matching: Mapping[Element, Mapping[str, str]]
    taken_on: date | None
    steps: tuple[str, ...] = ()


def boundary_of(place: str, servers: OsmServers) -> Area:
    """Ask Nominatim for the outline of a place such as "New Orleans, Louisiana, USA".

    Raises
    ------
    PortalUnavailableError
        No proper answer came, however often it was asked.
    PortalRefusedError
        OpenStreetMap has no such place, or no outline of it.
    """
    import osmnx as ox

    with _osmnx_set(servers, servers.cache):
        try:
            found = _asked(servers, "the outline of " + place, lambda: ox.geocode_to_gdf(place))
        except (ValueError, TypeError, KeyError) as error:
            raise PortalRefusedError(
                f"OpenStreetMap gave no outline of {place!r} ({_short(error)}); write the place as "
                "openstreetmap.org finds it, or give the boundary as a polygon"
            ) from None
    outline = found.geometry.iloc[0]
    if not isinstance(outline, (Polygon, MultiPolygon)) or outline.is_empty:
        raise PortalRefusedError(f"OpenStreetMap knows {place!r} only as a point; give a polygon")
    return outline


def read_servers(area: Area, servers: OsmServers) -> OsmRaw:
    """Read streets, places and water of an area from Overpass.

    Raises
    ------
    PortalUnavailableError
        No whole answer came, however often it was asked.
    PortalRefusedError
        Overpass refused the question, or there is nothing in the area.
    """
    import osmnx as ox

    folder = servers.cache / sha256(area.wkb).hexdigest()[:16]
    with _osmnx_set(servers, folder):
        try:
            graph = _asked(
                servers,
                "the streets",
                lambda: ox.graph_from_polygon(
                    area, simplify=False, retain_all=True, truncate_by_edge=True, custom_filter=DRIVE_FILTER
                ),
            )
        except ValueError as error:
            raise PortalRefusedError(f"OpenStreetMap gave no streets there ({_short(error)})") from None
        features = _asked(servers, "places and water", lambda: _features(area))
    matching, taken_on, stubs = _read_back(folder)
    return OsmRaw(
        graph=graph,
        features=features,
        matching=matching,
        taken_on=taken_on,
        steps=tuple(say_stubs(len(stubs))),
    )


def no_features() -> gpd.GeoDataFrame:
    """Give the table of places of an area that has none."""
    import pandas as pd

    index = pd.MultiIndex.from_arrays([[], []], names=["element", "id"])
    return gpd.GeoDataFrame({"geometry": []}, geometry="geometry", index=index, crs="EPSG:4326")


def _features(area: Area) -> gpd.GeoDataFrame:
    import osmnx as ox
    from osmnx._errors import InsufficientResponseError

    try:
        return ox.features_from_polygon(area, dict(PLACE_TAGS))
    except InsufficientResponseError as error:
        if "No matching features" not in str(error):
            raise PassingFaultError(_short(error)) from None
        return no_features()
    except shapely.errors.ShapelyError as error:
        raise PortalRefusedError(
            f"OpenStreetMap was read, but an outline there cannot be built ({_short(error)}); try again when "
            "it has been mended on openstreetmap.org"
        ) from None


@contextmanager
def _osmnx_set(servers: OsmServers, folder: Path) -> Generator[None]:
    """Set OSMnx up for these servers, and put it and the process's name resolution back afterwards."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"Answers cannot be kept in {folder}: {error.strerror}") from None
    wanted: dict[str, Any] = {
        "all_oneway": True,
        "cache_folder": folder,
        "cache_only_mode": False,
        "doh_url_template": None,
        "http_referer": "Crescent",
        "http_user_agent": _AGENT,
        "nominatim_url": checked_address(servers.nominatim_url),
        "overpass_rate_limit": servers.ask_for_slot,
        "overpass_url": checked_address(servers.overpass_url),
        "requests_kwargs": {"hooks": {"response": [_look_at]}, "auth": _Reachable(servers.manners)},
        "requests_timeout": servers.timeout_s,
        "use_cache": True,
        "useful_tags_way": list(WAY_TAGS),
    }
    with osmnx_settings(wanted):
        resolver = socket.getaddrinfo
        try:
            yield
        finally:
            socket.getaddrinfo = resolver


@contextmanager
def osmnx_settings(wanted: Mapping[str, Any]) -> Generator[None]:
    """Change settings of OSMnx, which are the whole process's, until the block ends."""
    from osmnx import settings

    with _ONE_AT_A_TIME:
        before = {name: getattr(settings, name) for name in wanted}
        try:
            for name, value in wanted.items():
                setattr(settings, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(settings, name, value)


class _Reachable(AuthBase):
    """Sees before the first question to a server that it is there: OSMnx waits a minute each time it is not.

    It stands where requests would look for a login, so none is ever sent.
    """

    def __init__(self, manners: Manners) -> None:
        self._timeout_s = manners.connect_timeout_s
        self._seen: set[str] = set()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url))
        if parts.netloc not in self._seen:
            try:
                requests.head(
                    f"{parts.scheme}://{parts.netloc}/",
                    timeout=self._timeout_s,
                    headers={"User-Agent": _AGENT},
                )
            except requests.RequestException as error:
                raise PortalUnavailableError(
                    f"{parts.hostname} cannot be reached ({type(error).__name__}); check the connection, or "
                    "read a local .osm file instead"
                ) from None
            self._seen.add(parts.netloc)
        return request


def _look_at(response: requests.Response, *_args: object, **_kwargs: object) -> None:
    """Look at a fresh answer before OSMnx does, and stop what is no whole answer."""
    try:
        _check(response)
    except Exception:
        response.close()
        raise


def _check(response: requests.Response) -> None:
    if response.is_redirect:
        moved_to = urlsplit(response.headers.get("location", "")).hostname or "another place"
        raise PortalRefusedError(f"{_host(response)} has moved to {moved_to}; change the address")
    if response.status_code in _PASSING_STATUS:
        wait_s = retry_after_s(response.headers.get("retry-after", ""), now=datetime.now(UTC))
        raise PassingFaultError(f"it answered {response.status_code} {response.reason}", wait_s)
    if not response.ok:
        said = _plain(response.text)
        raise PortalRefusedError(f"{_host(response)} refused the question ({response.status_code} {said})")
    if urlsplit(response.url).path.endswith("/status"):
        return
    try:
        payload = response.json()
    except ValueError:
        raise PassingFaultError(
            f"its answer was cut off or is no JSON ({_plain(response.text[:2000])})"
        ) from None
    if urlsplit(response.url).path.endswith("/interpreter"):
        _check_overpass(payload)


def _check_overpass(payload: object) -> None:
    """Stop an answer of Overpass that ended early: it says so in a remark, with status 200."""
    if not isinstance(payload, dict) or not isinstance(payload.get("elements"), list):
        raise PassingFaultError("it answered with something else than map elements")
    remark = payload.get("remark")
    if remark and "out of memory" in str(remark):
        raise PortalRefusedError(
            f"Overpass had too little memory for this ({_plain(str(remark))}); {SMALLER}"
        )
    if remark:
        raise PassingFaultError(f"it stopped before it was done: {_plain(str(remark))}")
    try:
        nodes = {element["id"] for element in payload["elements"] if element["type"] == "node"}
        ways = [element["nodes"] for element in payload["elements"] if element["type"] == "way"]
    except (KeyError, TypeError):
        raise PassingFaultError("it answered with elements that are not whole") from None
    torn = sum(not nodes.issuperset(way) for way in ways)
    if torn:
        raise PassingFaultError(f"{torn} of its {len(ways)} ways came without all of their points")


def _asked(servers: OsmServers, what: str, ask: Callable[[], Answer]) -> Answer:
    manners = servers.manners

    def next_wait(error: Exception) -> bool | float:
        if not isinstance(error, PassingFaultError):
            return False
        if error.wait_s is None:
            return True
        return error.wait_s if error.wait_s <= manners.longest_wait_s else False

    asked = 0
    try:
        for attempt in stamina.retry_context(
            on=next_wait,
            attempts=manners.attempts,
            timeout=None,
            wait_initial=manners.wait_initial_s,
            wait_max=manners.wait_max_s,
            wait_jitter=manners.wait_jitter_s,
        ):
            with attempt:
                asked += 1
                return _once(ask)
    except PassingFaultError as fault:
        if fault.wait_s is not None and fault.wait_s > manners.longest_wait_s:
            advice = f"it asks to wait {fault.wait_s:,.0f} seconds; start again then"
        else:
            advice = f"try again later, or {SMALLER}"
        raise PortalUnavailableError(
            f"OpenStreetMap was asked for {what} {asked} times and gave no whole answer: {fault}; {advice}. "
            "What was already read is kept and not asked again"
        ) from None
    raise AssertionError  # the last attempt returns or raises


def _once(ask: Callable[[], Answer]) -> Answer:
    from osmnx import settings

    try:
        return ask()
    except requests.Timeout:
        raise PassingFaultError("it took too long to answer") from None
    except requests.JSONDecodeError:
        raise
    except requests.RequestException as error:
        raise PassingFaultError(f"the connection broke ({type(error).__name__})") from None
    except OSError as error:
        raise InvalidInputError(
            f"Answers cannot be kept in {settings.cache_folder}: {error.strerror}"
        ) from None
    except json.JSONDecodeError:
        # OSMnx does not write its cache in one go: a fetch that was killed leaves a torn answer behind.
        if not _drop_torn(Path(settings.cache_folder)):
            raise
        raise PassingFaultError("an answer in the cache was torn and has been removed", 0.0) from None


def _drop_torn(folder: Path) -> int:
    before = len(list(folder.glob("*.json")))
    return before - sum(1 for _ in _kept_answers(folder))


def _kept_answers(folder: Path) -> Iterator[Any]:
    """Give the answers of a cache, one after another; torn ones are removed."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            path.unlink()


def _read_back(folder: Path) -> tuple[dict[Element, dict[str, str]], date | None, set[int]]:
    """Read from the kept answers which elements were meant, their oldest day, and streets of one point."""
    stubs: set[int] = set()
    matching: dict[Element, dict[str, str]] = {}
    days: list[date] = []
    for payload in _kept_answers(folder):
        stamp = str(payload.get("osm3s", {}).get("timestamp_osm_base", ""))
        if re.match(r"\d{4}-\d{2}-\d{2}", stamp):
            days.append(date.fromisoformat(stamp[:10]))
        matching.update(
            ((element["type"], element["id"]), element["tags"])
            for element in payload["elements"]
            if is_place(element.get("tags", {}))
        )
        stubs.update(
            element["id"]
            for element in payload["elements"]
            if is_street(element.get("tags", {})) and len(set(element.get("nodes", ()))) == 1
        )
    return matching, min(days, default=None), stubs


def _host(response: requests.Response) -> str:
    return urlsplit(response.url).hostname or "The server"


def _plain(text: str) -> str:
    """Shorten a server's words, and take a web page's marks out of them."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:_SHOWN]


def _short(error: Exception) -> str:
    return _plain(str(error)) or type(error).__name__
