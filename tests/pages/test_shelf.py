"""What the map fetches by the hash of its content is held, shared, and gives way to what is newer."""

import gzip
from dataclasses import FrozenInstanceError

import pytest

from pages.parts.shelf import ROUTE, Shelf


def key_of(address: str) -> str:
    assert address.startswith(f"{ROUTE}/")
    return address.rsplit("/", 1)[1]


def test_the_same_content_has_the_same_address_and_another_has_another() -> None:
    shelf, other = Shelf(), Shelf()
    address = shelf.put(b"water")

    assert shelf.put(b"water") == address == other.put(b"water")
    assert shelf.put(b"waters") != address
    assert shelf.put(b"water", media_type="image/png", pack=False) != address


def test_what_is_put_comes_back_as_it_was() -> None:
    shelf = Shelf()
    packed = shelf.get(key_of(shelf.put(b"water" * 100)))
    plain = shelf.get(key_of(shelf.put(b"PNG", media_type="image/png", pack=False)))

    assert packed is not None
    assert packed.gzipped
    assert gzip.decompress(packed.content) == b"water" * 100
    assert plain is not None
    assert (plain.content, plain.media_type, plain.gzipped) == (b"PNG", "image/png", False)
    with pytest.raises(FrozenInstanceError):
        plain.content = b""  # type: ignore[misc]


def test_the_least_recently_used_leaves_first() -> None:
    shelf = Shelf(limit_bytes=30)
    keys = [key_of(shelf.put(bytes([letter]) * 10, pack=False)) for letter in b"abc"]
    assert shelf.get(keys[0]) is not None  # used again, so b is the oldest
    shelf.put(b"d" * 10, pack=False)

    assert [shelf.get(key) is not None for key in keys] == [True, False, True]


def test_the_newest_is_held_even_if_it_is_larger_than_the_limit() -> None:
    shelf = Shelf(limit_bytes=5)
    old = key_of(shelf.put(b"old", pack=False))
    new = key_of(shelf.put(b"much larger", pack=False))

    assert shelf.get(old) is None
    assert shelf.get(new) is not None
    assert shelf.get("0" * 32) is None
