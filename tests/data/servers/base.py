"""A small web server on loopback: answers from a test's own data, faults by script, every request noted."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, cast
from urllib.parse import parse_qsl, urlsplit

Params = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    params: Params
    headers: dict[str, str]
    raw: str


@dataclass(frozen=True)
class Reply:
    """An answer to be sent."""

    payload: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request: a status, or a broken body or connection."""

    kind: Literal["status", "reset", "truncated", "cut json", "html", "silent"]
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": true, "message": "Internal error"}'


class LoopbackServer:
    """Serves `answer` on a free port of this machine.

    ``faults`` are used up one a request to a path that ends with ``faulty_path``; ``before`` is told the
    number of each such request, so that a test can change data between two pages.
    """

    def __init__(self, answer: Callable[[str, Params, dict[str, str]], Reply]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.faulty_path = ""
        self.before: Callable[[int], None] = lambda _number: None
        self.n_connections = 0
        self.released = threading.Event()
        self._n_hooked = 0

    def handle(self, asked: Asked) -> Reply | Fault:
        """Answer one request, or misbehave."""
        self.asked.append(asked)
        if asked.path.endswith(self.faulty_path):
            self._n_hooked += 1
            self.before(self._n_hooked)
            if self.faults:
                return self.faults.pop(0)
        return self.answer(asked.path, asked.params, asked.headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def loopback(self) -> LoopbackServer:
        return cast("_Httpd", self.server).loopback

    def setup(self) -> None:
        super().setup()
        self.loopback.n_connections += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        del format, args

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(parts.path, dict(parse_qsl(parts.query)), headers, self.path)
        reply = self.loopback.handle(asked)
        if isinstance(reply, Fault):
            self._misbehave(reply)
        else:
            self._send(reply.status, json.dumps(reply.payload).encode(), reply.headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, claimed: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json;charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        self.end_headers()
        self.wfile.write(body)

    def _misbehave(self, fault: Fault) -> None:
        if fault.kind == "status":
            self._send(fault.status, fault.body.encode(), fault.headers)
        elif fault.kind == "html":
            self._send(200, b"<html>Down for maintenance</html>", {"Content-Type": "text/html"})
        elif fault.kind == "cut json":
            self._send(200, b'[{":id": "row-', {})
        elif fault.kind == "truncated":
            self._send(200, b'[{":id": "row-', {}, claimed=5000)
            self.close_connection = True
        elif fault.kind == "silent":
            self.loopback.released.wait(5)
            self.close_connection = True
        else:
            # Linger zero: closing sends a reset in place of a goodbye.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, loopback: LoopbackServer) -> None:
        self.loopback = loopback
        super().__init__(("127.0.0.1", 0), _Handler)


@contextmanager
def serving(loopback: LoopbackServer) -> Iterator[str]:
    """Serve until the block ends; gives the address."""
    httpd = _Httpd(loopback)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        loopback.released.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()
