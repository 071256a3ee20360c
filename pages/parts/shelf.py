"""What the map fetches beside the page: pictures and lists of places, by the hash of their content.

A picture of a flood or the places of 80,000 basins are too much to send again with each run. They are put
here instead, and the page sends their address; a browser keeps what it has fetched. The newest are held, up
to a limit. Nobody is asked who they are: put nothing here that tells of a person.
"""

import gzip
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache
from threading import Lock

ROUTE = "/crescent/made"
LIMIT_BYTES = 64_000_000
"""About 200 pictures of floods."""
_PACK_LEVEL = 6


@dataclass(frozen=True)
class Made:
    """One file: its bytes as they are sent, and how."""

    content: bytes
    media_type: str
    gzipped: bool


@dataclass(frozen=True)
class Shelf:
    """Files by the hash of their content, the least recently used leaving first."""

    limit_bytes: int = LIMIT_BYTES
    _files: OrderedDict[str, Made] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def put(self, content: bytes, *, media_type: str = "application/octet-stream", pack: bool = True) -> str:
        """Hold a file and give its address.

        Parameters
        ----------
        content
            The same content has the same address for ever.
        media_type
            What the browser is told it is.
        pack
            Send it gzipped; of no use to what is packed already, such as a PNG.
        """
        key = hashlib.sha256(media_type.encode() + b"\0" + content).hexdigest()[:32]
        with self._lock:
            known = key in self._files
            if known:
                self._files.move_to_end(key)
        if not known:
            sent = gzip.compress(content, compresslevel=_PACK_LEVEL, mtime=0) if pack else content
            with self._lock:
                self._files[key] = Made(sent, media_type, pack)
                self._make_room(key)
        return f"{ROUTE}/{key}"

    def get(self, key: str) -> Made | None:
        """Give the file of a key, or None when it is not held (any more)."""
        with self._lock:
            made = self._files.get(key)
            if made is not None:
                self._files.move_to_end(key)
            return made

    def _make_room(self, newest: str) -> None:
        held = sum(len(made.content) for made in self._files.values())
        while held > self.limit_bytes and next(iter(self._files)) != newest:
            _, made = self._files.popitem(last=False)
            held -= len(made.content)


@cache
def shelf() -> Shelf:
    """Give the one shelf of this server."""
    return Shelf()
