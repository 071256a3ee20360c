"""One polite session to one server: slow, patient, within limits, and silent about its token."""

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import stamina
from pydantic import SecretStr

from errors import Faults, InvalidInputError, PortalError, PortalRefusedError, PortalUnavailableError

USER_AGENT = "Crescent open-data client (one connection, backs off when asked)"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_TOKEN = re.compile(r"[!-~]{1,200}")
_PASSING_STATUS = frozenset({202, 408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_JSON_TYPES = ("application/json", "application/geo+json", "application/vnd.geo+json", "text/plain")
_SHOWN = 300


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How a session behaves towards a server.

    Attributes
    ----------
    attempts
        How often one question is asked at most.
    wait_initial_s, wait_max_s, wait_jitter_s
        Waits between attempts: doubled each time from the first to the longest, plus up to the jitter. A
        server that says ``Retry-After`` is obeyed instead.
    longest_wait_s
        A server that asks for a longer wait than this gets none: the error says when to come back.
    min_interval_s
        Least time between the beginnings of two questions.
    connect_timeout_s, read_timeout_s, answer_timeout_s
        To connect; between two pieces of an answer; for a whole answer.
    max_bytes
        Largest answer, unpacked.
    """

    attempts: int = 6
    wait_initial_s: float = 1.0
    wait_max_s: float = 60.0
    wait_jitter_s: float = 1.0
    longest_wait_s: float = 300.0
    min_interval_s: float = 0.2
    connect_timeout_s: float = 15.0
    read_timeout_s: float = 60.0
    answer_timeout_s: float = 300.0
    max_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """A server's answer: the JSON it holds, and its headers under lower-case names."""

    payload: Any
    headers: Mapping[str, str]


class PassingFaultError(Exception):
    """A fault that may pass: worth asking again, after ``wait_s`` seconds where the server said so."""

    def __init__(self, said: str, wait_s: float | None = None) -> None:
        super().__init__(said)
        self.wait_s = wait_s


@cache
def _certificates() -> ssl.SSLContext:
    """Load the certificates that are trusted, once: it takes longer than most questions."""
    return httpx.create_ssl_context()


class _SecretHeader(httpx.Auth):
    """Adds the token when a request leaves, so that no client, log or text carries it."""

    def __init__(self, name: str, value: SecretStr) -> None:
        self._name = name
        self._value = value

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._name] = self._value.get_secret_value()
        yield request


class PoliteSession:
    """Ask one server for JSON, one question at a time over one connection.

    Passing faults (429, 5xx, a reset, a timeout, a body that is cut off or is no JSON) are asked again with
    growing waits; all others are said at once. Redirections are not followed, so a token never goes to
    another host.

    Parameters
    ----------
    address
        ``data.nola.gov`` or ``https://host/path``; ``http://`` only for this machine (loopback).
    secret_header
        Name and value of a header that must never be seen, such as an app token.
    manners
        Waits, timeouts and limits.

    Raises
    ------
    InvalidInputError
        The address or the token cannot be used; the text never holds the token.
    """

    def __init__(
        self, address: str, *, secret_header: tuple[str, str] | None = None, manners: Manners | None = None
    ) -> None:
        self.address = checked_address(address)
        self._manners = manners or Manners()
        self._secret = SecretStr("" if secret_header is None else secret_header[1])
        auth: httpx.Auth | None = None
        if secret_header is not None:
            if not _TOKEN.fullmatch(secret_header[1]):
                msg = "The app token holds blanks or signs that no token has; copy it again from the portal"
                raise InvalidInputError(msg)
            auth = _SecretHeader(secret_header[0], self._secret)
        host = urlsplit(self.address).hostname
        self._client = httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            auth=auth,
            timeout=httpx.Timeout(self._manners.read_timeout_s, connect=self._manners.connect_timeout_s),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            follow_redirects=False,
            verify=_certificates(),
            trust_env=host not in _LOOPBACK,
        )
        self._lock = threading.Lock()
        self._next_at = 0.0

    def __repr__(self) -> str:
        return f"PoliteSession({self.address!r})"

    def __enter__(self) -> Self:
        """Begin asking."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def get_json(
        self, path: str, params: Mapping[str, str], *, check: Callable[[Any], None] | None = None
    ) -> Answer:
        """Ask for JSON.

        Parameters
        ----------
        path
            Path below the session's address, beginning with a slash.
        params
            The question.
        check
            Called with what was read; raises `PassingFaultError` where the answer is a fault that may pass,
            or a `PortalError` where it is one that stays. For servers that tell faults with status 200.

        Raises
        ------
        PortalUnavailableError
            No proper answer came, however often it was asked.
        PortalRefusedError
            The server refused the question.
        """
        manners = self._manners
        with self._lock:
            try:
                for attempt in stamina.retry_context(
                    on=self._next_wait,
                    attempts=manners.attempts,
                    timeout=None,
                    wait_initial=manners.wait_initial_s,
                    wait_max=manners.wait_max_s,
                    wait_jitter=manners.wait_jitter_s,
                ):
                    with attempt:
                        answer = self._ask(path, params)
                        if check is not None:
                            check(answer.payload)
                        return answer
            except PassingFaultError as fault:
                raise PortalUnavailableError(self._why_not(path, fault)) from None
        msg = f"{self.address}{path} was never asked"
        raise PortalUnavailableError(msg)

    def hide(self, text: str) -> str:
        """Shorten a server's words and take the token out of them, should they repeat it."""
        secret = self._secret.get_secret_value()
        words = " ".join(text.split())
        return (words.replace(secret, "(app token)") if secret else words)[:_SHOWN]

    def _next_wait(self, error: Exception) -> bool | float:
        if not isinstance(error, PassingFaultError):
            return False
        if error.wait_s is None:
            return True
        return error.wait_s if error.wait_s <= self._manners.longest_wait_s else False

    def _why_not(self, path: str, fault: PassingFaultError) -> str:
        if fault.wait_s is not None and fault.wait_s > self._manners.longest_wait_s:
            return (
                f"{self.address}{path} asks to wait {fault.wait_s:,.0f} seconds; start again then, or give "
                "an app token"
            )
        return (
            f"{self.address}{path} gave no proper answer, asked {self._manners.attempts} times: {fault}; try "
            "again later"
        )

    def _ask(self, path: str, params: Mapping[str, str]) -> Answer:
        pause = self._next_at - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self._next_at = time.monotonic() + self._manners.min_interval_s
        try:
            with self._client.stream("GET", self.address + path, params=dict(params)) as response:
                body = self._read(response)
        except httpx.TimeoutException:
            raise PassingFaultError("it took too long to answer") from None
        except (httpx.TransportError, httpx.DecodingError, ssl.SSLError) as error:
            raise PassingFaultError(f"the connection broke ({self.hide(str(error))})") from None
        except httpx.InvalidURL as error:
            raise PortalRefusedError(f"{self.address}{path} cannot be asked: {error}") from None
        if response.status_code != httpx.codes.OK:
            raise self._status_fault(path, response, body)
        kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind not in _JSON_TYPES:
            raise PassingFaultError(f"it answered with {kind or 'no content type'} where JSON was expected")
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            raise PassingFaultError("its answer was cut off or is no JSON") from None
        return Answer(payload, {name.lower(): value for name, value in response.headers.items()})

    def _read(self, response: httpx.Response) -> bytes:
        until = time.monotonic() + self._manners.answer_timeout_s
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._manners.max_bytes:
                msg = (
                    f"{self.address} answered with more than {self._manners.max_bytes:,} bytes; ask for "
                    "fewer rows a page"
                )
                raise PortalRefusedError(msg)
            if time.monotonic() > until:
                raise PassingFaultError("its answer came too slowly")
        secret = self._secret.get_secret_value().encode()
        return bytes(body.replace(secret, b"(app token)") if secret else body)

    def _status_fault(self, path: str, response: httpx.Response, body: bytes) -> Exception:
        status = response.status_code
        said = self.hide(_message(body))
        if status in _PASSING_STATUS:
            wait_s = retry_after_s(response.headers.get("retry-after", ""), now=datetime.now(UTC))
            return PassingFaultError(f"it answered {status} {response.reason_phrase} {said}".strip(), wait_s)
        if response.is_redirect:
            target = urlsplit(response.headers.get("location", "")).hostname or "another place"
            return PortalRefusedError(
                f"{self.address}{path} has moved to {target}; change the city's profile"
            )
        advice = {
            401: "check the app token",
            403: "check the app token, and whether the dataset is public",
            404: "the id is wrong or was retired: look it up on the portal and change the city's profile",
        }.get(status, "check the columns and the filter")
        return PortalRefusedError(f"{self.address}{path} answered {status} ({said}); {advice}")


def checked_address(address: str) -> str:
    """Give the address with its scheme and no slash at its end; refuse what is not a plain web address.

    Raises
    ------
    InvalidInputError
        There are several faults in an address; the text lists them all.
    """
    full = address.strip() if "://" in address else f"https://{address.strip()}"
    faults = Faults()
    try:
        parts = urlsplit(full)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidInputError(f"{address!r} is no address of a server") from None
    named = bool(_HOST.fullmatch(host)) or host in _LOOPBACK
    faults.check(named, f"{host!r} is no name of a server; write it like data.nola.gov")
    faults.check(
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK),
        f"{parts.scheme}:// would send the question in clear; use https://",
    )
    faults.check(
        not (parts.query or parts.fragment or parts.username or parts.password),
        "an address holds no question, no user and no password",
    )
    faults.raise_as(InvalidInputError, "The address of the portal cannot be used")
    return full.rstrip("/")


def retry_after_s(header: str, *, now: datetime) -> float | None:
    """Read ``Retry-After``: seconds, or a date. None where it says neither."""
    text = header.strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d+)?", text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def _message(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return "" if "<" in text else text
    if isinstance(payload, dict):
        told = payload.get("message") or payload.get("error")
        return told if isinstance(told, str) else ""
    return ""


def portal_fault(session: PoliteSession, path: str, said: str) -> PortalError:
    """Give the error of a server that answered with JSON of another shape than its interface promises."""
    return PortalRefusedError(f"{session.address}{path} answered with something else than expected: {said}")
