"""A real browser before a real server: Chromium by playwright, and `streamlit run` on a free port."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, sync_playwright

PROJECT = Path(__file__).parents[2]
START_TIMEOUT_S = 60
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OWN_404 = ("/_stcore/health", "/_stcore/host-config")
"""Streamlit asks for these below the page's path on a deep link, and is answered 404, by design."""
LOCAL_HOSTS = ("localhost", "127.0.0.1")

StartApp = Callable[..., str]
OpenPage = Callable[..., "WatchedPage"]


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser: ``CRESCENT_CHROMIUM``, or where Debian puts it, or on the path."""
    named = os.environ.get("CRESCENT_CHROMIUM", "")
    found = named or next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), "")
    if found and Path(found).exists():
        return found
    reason = (
        f"there is no browser at {named} (CRESCENT_CHROMIUM)"
        if named
        else "there is no Chromium; install Debian's package chromium or set CRESCENT_CHROMIUM to its path"
    )
    if os.environ.get("CRESCENT_REQUIRE_BROWSER") == "1":
        pytest.fail(f"CRESCENT_REQUIRE_BROWSER is set, but {reason}")
    pytest.skip(reason)


# For a module, not the session: while playwright runs, no other test can run an event loop.
@pytest.fixture(scope="module")
def playwright(chromium: str) -> Iterator[Playwright]:
    assert chromium
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
    yield browser
    browser.close()


@dataclass
class RunningApp:
    """A Streamlit server that this run of the tests has started."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str

    def wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:  # noqa: S310
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        pytest.fail(f"the app did not start; its log ends:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(timeout=10)


@pytest.fixture(scope="module")
def start_app(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApp]:
    """Start ``streamlit run`` with an empty home on a free port: ``start_app(script, env=...) -> url``."""
    assert chromium
    running: list[RunningApp] = []

    def start(script: Path, env: Mapping[str, str] | None = None) -> str:
        home = tmp_path_factory.mktemp("home")
        log = home / "server.log"
        port = _free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-m", "streamlit", "run", str(script)),
                    *("--server.headless=true", f"--server.port={port}", "--server.fileWatcherType=none"),
                ],
                cwd=PROJECT,
                env={
                    **inherited,
                    "HOME": str(home),
                    "PYTHONPATH": str(PROJECT),
                    "CRESCENT_COMPILE": "0",
                    **(env or {}),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        app = RunningApp(process, log, f"http://localhost:{port}")
        running.append(app)
        app.wait()
        return app.url

    yield start
    for app in running:
        app.stop()


@dataclass
class WatchedPage:
    """A page whose console errors, and whose requests to other machines, are written down."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._note_url(request.url))
        self.page.on("websocket", lambda socket: self._note_url(socket.url))
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note_url(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        host = rest.split("/", 1)[0].rsplit(":", 1)[0]
        if scheme in {"http", "https", "ws", "wss"} and host not in LOCAL_HOSTS:
            self.foreign.append(url)

    def _note_message(self, message: ConsoleMessage) -> None:
        own = message.location.get("url", "").endswith(OWN_404) and "404" in message.text
        if message.type == "error" and not own:
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def check(self) -> None:
        """Nothing has left the machine, and the console holds no error."""
        assert self.foreign == []
        assert self.errors == []


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open an address in a fresh 1280x720 window: ``open_page(url, **options) -> WatchedPage``.

    ``options`` are playwright's for a context, such as ``color_scheme="dark"``. When the test is over, every
    page must be without console error and without a request to another machine.
    """
    contexts: list[BrowserContext] = []
    pages: list[WatchedPage] = []

    def open_(url: str, **options: object) -> WatchedPage:
        context = browser.new_context(viewport={"width": 1280, "height": 720}, **options)  # type: ignore[arg-type]
        contexts.append(context)
        watched = WatchedPage(context.new_page())
        watched.watch(context)
        pages.append(watched)
        watched.page.goto(url)
        return watched

    yield open_
    for context in contexts:
        context.close()
    for watched in pages:
        watched.check()
