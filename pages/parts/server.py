"""What the app serves beside Streamlit: the map's scripts, the bundled deck.gl, ground files and pictures.

Nothing here holds records, so nothing here is guarded. Every address carries a hash of what it names, so a
browser keeps each file for ever and still never sees an old one.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from errors import InvalidInputError
from pages.parts.settings import Settings
from pages.parts.shelf import ROUTE, shelf

ASSETS = Path(__file__).parent / "assets"
MEDIA_TYPES: Mapping[str, str] = MappingProxyType({".js": "text/javascript", ".css": "text/css"})

_NAME = re.compile(r"[\w][\w .-]*")
_KEY = re.compile(r"[0-9a-f]{12}")
_HASH_LENGTH = 12
_HEADERS: Mapping[str, str] = MappingProxyType(
    {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
)


def routes(cities: Path | None = None) -> list[Route]:
    """Routes for ``streamlit.App(routes=...)``.

    Parameters
    ----------
    cities
        The folder whose sub-folders are cities; by default the setting ``CRESCENT_CITIES``.
    """
    root = Settings().cities if cities is None else cities

    def ground(request: Request) -> Response:
        return _ground(request, root)

    return [
        Route("/crescent/assets/{digest}/{name}", _asset),
        Route("/crescent/deck/{digest}/deck.js", _deck),
        Route("/crescent/ground/{city}/{key}.bin", ground),
        Route(f"{ROUTE}/{{key}}", _made),
    ]


@cache
def assets_url() -> str:
    """Folder of the map's scripts and styles, with the hash of all of them."""
    digest = hashlib.sha256()
    for name, content in _assets():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"/crescent/assets/{digest.hexdigest()[:_HASH_LENGTH]}"


@cache
def deck_url() -> str:
    """Address of the deck.gl bundle that pydeck carries, with its hash."""
    return f"/crescent/deck/{hashlib.sha256(_deck_path().read_bytes()).hexdigest()[:_HASH_LENGTH]}/deck.js"


def _assets() -> Iterator[tuple[str, bytes]]:
    for path in sorted(ASSETS.iterdir()):
        if path.suffix in MEDIA_TYPES:
            yield path.name, path.read_bytes()


@cache
def _packed_assets() -> Mapping[str, bytes]:
    return MappingProxyType({name: gzip.compress(content, mtime=0) for name, content in _assets()})


def _deck_path() -> Path:
    spec = find_spec("pydeck")
    if spec is None or spec.origin is None:
        raise InvalidInputError("The map needs the package pydeck; install the requirements again")
    return Path(spec.origin).parent / "nbextension" / "static" / "index.js"


@cache
def _packed_deck() -> bytes:
    return gzip.compress(_deck_path().read_bytes(), mtime=0)


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _packed_assets():
        return _not_found()
    return _packed(_packed_assets()[name], MEDIA_TYPES[Path(name).suffix])


def _deck(_request: Request) -> Response:
    return _packed(_packed_deck(), MEDIA_TYPES[".js"])


def _ground(request: Request, cities: Path) -> Response:
    """Serve ``<cities>/<city>/cache/ground-<key>.bin.gz`` and no other file, whatever the address says."""
    city, key = request.path_params["city"], request.path_params["key"]
    if not (_NAME.fullmatch(city) and _KEY.fullmatch(key)):
        return _not_found()
    path = cities / city / "cache" / f"ground-{key}.bin.gz"
    return _packed(path.read_bytes(), "application/octet-stream") if path.is_file() else _not_found()


def _made(request: Request) -> Response:
    made = shelf().get(request.path_params["key"])
    if made is None:
        return _not_found()
    if made.gzipped:
        return _packed(made.content, made.media_type)
    return Response(made.content, media_type=made.media_type, headers=dict(_HEADERS))


def _packed(content: bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={**_HEADERS, "Content-Encoding": "gzip"})


def _not_found() -> Response:
    return PlainTextResponse("There is no such file", status_code=404)
