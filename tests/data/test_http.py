"""The session: it waits as told, gives up in words, keeps to its limits, and its token is never seen."""

import logging
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from data.http import Manners, PoliteSession, checked_address, retry_after_s
from data.portal import TOKEN_VARIABLE, SodaClient
from errors import InvalidInputError, PortalError, PortalRefusedError, PortalUnavailableError
from tests.data.portal_case import DATASET, HASTY, portal
from tests.data.servers.base import Asked, Fault, LoopbackServer, Params, Reply, serving

TOKEN = "s3cr3t-t0ken-of-a-city"  # noqa: S105 - no token of anybody


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note every wait in place of waiting."""
    noted: list[float] = []
    monkeypatch.setattr(time, "sleep", noted.append)
    return noted


def _echo(path: str, params: Params, headers: dict[str, str]) -> Reply:
    del headers
    return Reply({"path": path, "params": params})


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 429),
        Fault("status", 500),
        Fault("status", 503),
        Fault("status", 202),
        Fault("reset"),
        Fault("truncated"),
        Fault("cut json"),
        Fault("html"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
def test_a_fault_that_passes_is_asked_again(fault: Fault) -> None:
    server = LoopbackServer(_echo)
    server.faults = [fault, fault]
    with serving(server) as address, PoliteSession(address, manners=HASTY) as session:
        answer = session.get_json("/rows", {"$where": "a > 'b & c'"})
    assert answer.payload == {"path": "/rows", "params": {"$where": "a > 'b & c'"}}
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("status", 503), "503"),
        (Fault("reset"), "connection broke"),
        (Fault("truncated"), "connection broke"),
        (Fault("cut json"), "cut off or is no JSON"),
        (Fault("html"), "text/html where JSON was expected"),
    ],
)
def test_a_fault_that_stays_is_said_after_the_last_attempt(fault: Fault, said: str) -> None:
    server = LoopbackServer(_echo)
    server.faults = [fault] * 9
    with (
        serving(server) as address,
        PoliteSession(address, manners=HASTY) as session,
        pytest.raises(
            PortalUnavailableError, match=f"(?s)/rows gave no proper answer, asked 4 times.*{said}"
        ),
    ):
        session.get_json("/rows", {})
    assert len(server.asked) == HASTY.attempts


def test_a_server_that_falls_silent_is_left() -> None:
    server = LoopbackServer(_echo)
    server.faults = [Fault("silent")]
    manners = replace(HASTY, attempts=1, read_timeout_s=0.05)
    with (
        serving(server) as address,
        PoliteSession(address, manners=manners) as session,
        pytest.raises(PortalUnavailableError, match="too long to answer"),
    ):
        session.get_json("/rows", {})


def test_nobody_listening_is_said() -> None:
    with serving(LoopbackServer(_echo)) as address:
        pass
    with (
        PoliteSession(address, manners=HASTY) as session,
        pytest.raises(PortalUnavailableError, match="broke"),
    ):
        session.get_json("/rows", {})


def test_waits_grow_and_a_server_that_names_its_wait_is_obeyed(naps: list[float]) -> None:
    server = LoopbackServer(_echo)
    server.faults = [
        Fault("status", 500),
        Fault("status", 500),
        Fault("status", 429, {"Retry-After": "7"}),
        Fault("status", 503, {"Retry-After": "soon"}),
    ]
    manners = Manners(attempts=6, wait_jitter_s=0, min_interval_s=0)
    with serving(server) as address, PoliteSession(address, manners=manners) as session:
        session.get_json("/rows", {})
    assert naps == [1, 2, 7, 8]


def test_a_wait_of_hours_is_said_and_not_waited(naps: list[float]) -> None:
    server = LoopbackServer(_echo)
    server.faults = [Fault("status", 429, {"Retry-After": "7200"})]
    with (
        serving(server) as address,
        PoliteSession(address, manners=HASTY) as session,
        pytest.raises(PortalUnavailableError, match="asks to wait 7,200 seconds"),
    ):
        session.get_json("/rows", {})
    assert naps == []
    assert len(server.asked) == 1


def test_questions_keep_their_distance_on_one_connection(naps: list[float]) -> None:
    server = LoopbackServer(_echo)
    with (
        serving(server) as address,
        PoliteSession(address, manners=replace(HASTY, min_interval_s=100)) as session,
    ):
        for _ in range(3):
            session.get_json("/rows", {})
    assert len(naps) == 2
    assert min(naps) > 90
    assert server.n_connections == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("Sun, 22 Nov 2026 19:01:00 GMT", 60), ("Sun, 22 Nov 2026 18:00:00 GMT", 0), ("x", None)],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, now=datetime(2026, 11, 22, 19, tzinfo=UTC)) == seconds


def test_an_answer_over_the_limit_is_refused() -> None:
    server = LoopbackServer(lambda _path, _params, _headers: Reply(["x" * 300_000]))
    with (
        serving(server) as address,
        PoliteSession(address, manners=HASTY) as session,
        pytest.raises(PortalRefusedError, match="more than 200,000 bytes; ask for fewer rows"),
    ):
        session.get_json("/rows", {})
    assert len(server.asked) == 1


def test_what_is_refused_is_not_asked_again_and_a_move_is_not_followed() -> None:
    server = LoopbackServer(_echo)
    server.faults = [
        Fault("status", 404, body='{"message": "Not found"}'),
        Fault("status", 302, {"Location": "https://elsewhere.example/rows"}),
    ]
    with serving(server) as address, PoliteSession(address, manners=HASTY) as session:
        with pytest.raises(PortalRefusedError, match=r"404 \(Not found\); the id is wrong or was retired"):
            session.get_json("/rows", {})
        with pytest.raises(
            PortalRefusedError, match=r"moved to elsewhere\.example; change the city's profile"
        ):
            session.get_json("/rows", {})
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://data.nola.gov", "in clear; use https"),
        ("ftp://data.nola.gov", "in clear; use https"),
        ("https://user:word@data.nola.gov", "no user and no password"),
        ("https://data.nola.gov?$app=1", "no question"),
        ("https://", "no name of a server"),
        ("data nola gov", "no name of a server"),
        ("https://[::1", "no address"),
    ],
)
def test_an_address_that_cannot_be_trusted_is_refused(address: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        checked_address(address)


def test_a_plain_name_is_asked_with_tls() -> None:
    assert checked_address(" data.nola.gov ") == "https://data.nola.gov"


def test_the_token_travels_in_its_header_and_is_seen_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    with portal(app_token=TOKEN) as (server, client):
        server.faults = [Fault("status", 429), Fault("reset")]
        list(client.rows(DATASET))
        assert {asked.headers["x-app-token"] for asked in server.asked} == {TOKEN}
        server.token = "another"  # noqa: S105 - no token of anybody
        with pytest.raises(PortalError) as refusal:
            client.describe(DATASET)
        server.faults = [Fault("status", 500, body=f'{{"message": "token {TOKEN}"}}')] * 9
        with pytest.raises(PortalError) as failure:
            client.describe(DATASET)
        said = [repr(refusal.value), repr(failure.value), repr(client), repr(client._session), caplog.text]
        said += [repr(record.__dict__) for record in caplog.records]
        said += [asked.raw for asked in server.asked]
    assert "(app token)" in str(refusal.value)
    assert "(app token)" in str(failure.value)
    assert not [text for text in said if TOKEN in text]
    assert TOKEN not in repr(refusal.getrepr(showlocals=True, chain=True))


def test_the_token_comes_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    server = LoopbackServer(lambda *_: Reply([{"n_rows": "0"}]))
    with serving(server) as address:
        for given in (None, "", "mine"):
            with SodaClient(address, given, manners=HASTY) as client:
                client.count(DATASET)
    assert [_token(asked) for asked in server.asked] == [TOKEN, None, "mine"]


def test_a_token_that_would_break_the_header_is_refused_unseen() -> None:
    with pytest.raises(InvalidInputError, match="copy it again") as refusal:
        SodaClient("data.nola.gov", f"{TOKEN}\nX-Other: 1")
    assert TOKEN not in str(refusal.value)


def _token(asked: Asked) -> str | None:
    return asked.headers.get("x-app-token")
