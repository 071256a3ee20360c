"""What the app serves beside Streamlit: the right files, with lasting headers, and nothing else."""

import asyncio
import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.types import Message

from pages.parts.ground import ground_url, write_ground
from pages.parts.server import ASSETS, assets_url, deck_url, routes
from pages.parts.shelf import shelf
from tests.e2e.apps.tiny_city import TinyCity


@dataclass
class Answer:
    """What the server sent: nothing decoded, so that the packing can be seen."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> bytes:
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body


Get = Callable[[str], Answer]


def ask(app: Starlette, address: str) -> Answer:
    """Send one request as a server does: the path decoded, and nothing in it tidied."""
    path = unquote(address)
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": address.encode(),
        "query_string": b"",
        "headers": [],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    return tmp_path / "cities"


@pytest.fixture
def get(cities: Path) -> Get:
    app = Starlette(routes=routes(cities))
    return lambda address: ask(app, address)


def test_every_script_and_style_is_served_for_ever(get: Get) -> None:
    names = sorted(path.name for path in ASSETS.iterdir() if path.suffix in {".js", ".css"})
    assert {"city_map.js", "city_map.css", "field_worker.js"} <= set(names)
    for name in names:
        answer = get(f"{assets_url()}/{name}")
        assert answer.status == 200
        assert answer.content == (ASSETS / name).read_bytes()
        assert "immutable" in answer.headers["cache-control"]
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        assert answer.headers["content-type"].startswith(kind)


def test_deck_is_the_bundle_of_pydeck_and_is_sent_packed(get: Get) -> None:
    spec = importlib.util.find_spec("pydeck")
    assert spec is not None
    assert spec.origin is not None
    bundle = (Path(spec.origin).parent / "nbextension" / "static" / "index.js").read_bytes()

    answer = get(deck_url())
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(answer.body) < len(bundle) / 3
    assert answer.content == bundle


def test_the_ground_of_a_city_is_served(get: Get, cities: Path) -> None:
    city = TinyCity(cities / "tiny")
    answer = get(ground_url(city))

    assert answer.status == 200
    assert answer.content == gzip.decompress(write_ground(city).read_bytes())
    assert "immutable" in answer.headers["cache-control"]


def test_what_is_on_the_shelf_is_served_for_ever(get: Get) -> None:
    packed = get(shelf().put(b"places" * 100))
    picture = get(shelf().put(b"\x89PNG", media_type="image/png", pack=False))

    assert packed.content == b"places" * 100
    assert len(packed.body) < 100
    assert picture.body == b"\x89PNG"
    assert "content-encoding" not in picture.headers
    assert picture.headers["content-type"] == "image/png"
    for answer in (packed, picture):
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["new orleans", "new-orleans_2.0", "Nouvelle Orléans"])
def test_a_city_folder_may_have_any_plain_name(get: Get, cities: Path, name: str) -> None:
    assert get(ground_url(TinyCity(cities / name))).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "/crescent/ground/tiny/0123456789ab.bin",
        "/crescent/ground/tiny/calls.parquet",
        "/crescent/ground/tiny/..%2F..%2Ftables%2Fcalls.bin",
        "/crescent/ground/..%2Ftiny/{key}.bin",
        "/crescent/ground/%2e%2e/{key}.bin",
        "/crescent/ground/../tiny/{key}.bin",
        "/crescent/ground/.hidden/{key}.bin",
        "/crescent/ground/tiny%00/{key}.bin",
        "/crescent/ground/tiny/{key}.bin.gz",
        "/crescent/ground/tiny/../tiny/cache/secret.bin",
        "/crescent/assets/{key}/city_map.py",
        "/crescent/assets/{key}/..%2Fserver.py",
        "/crescent/assets/{key}/%2e%2e%2fserver.py",
        "/crescent/made/0123456789abcdef0123456789abcdef",
        "/crescent/made/..%2Fground",
        "/crescent/",
    ],
)
def test_nothing_else_is_served(get: Get, cities: Path, address: str) -> None:
    city = TinyCity(cities / "tiny")
    (cities / "tiny" / "tables").mkdir(parents=True)
    (cities / "tiny" / "tables" / "calls.bin").write_bytes(b"records")
    key = ground_url(city).rsplit("/", 1)[1].removesuffix(".bin")
    (cities / "tiny" / "cache" / "secret.bin").write_bytes(b"records")
    for hidden in (cities / ".hidden" / "cache", cities.parent / "cache"):
        hidden.mkdir(parents=True)
        (hidden / f"ground-{key}.bin.gz").write_bytes(write_ground(city).read_bytes())

    answer = get(address.replace("{key}", key))

    assert answer.status == 404
    assert b"records" not in answer.content


def test_addresses_hold_a_hash_of_the_content() -> None:
    assert assets_url() == assets_url()
    assert len(assets_url().rsplit("/", 1)[1]) == 12
    assert deck_url().endswith("/deck.js")
