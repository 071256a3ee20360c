"""The staging page in headless Chromium on the extract: from a hand's move to a settled page, and memory."""

from pathlib import Path
from statistics import median

import psutil
import pytest
from playwright.sync_api import Page

from benchmarks.conftest import Report
from tests.e2e.conftest import PROJECT, OpenPage, StartApp

ROUNDS = 15
MAP = "window.__crescentMaps?.get('staging.map')"
SETTLED = (
    f"{MAP}?.deck.instance && {MAP}.outbox.idle && !document.querySelector('[data-stale=\"true\"]')"
    " && document.querySelector('.stApp')?.dataset.testScriptState === 'notRunning'"
)
START_CLOCK = """() => {
  for (const kind of ["pointerup", "keydown"])
    addEventListener(kind, () => { window.__moved = performance.now(); }, { capture: true });
}"""

pytestmark = [pytest.mark.browser, pytest.mark.extract]


@pytest.fixture(scope="module")
def app_url(start_app: StartApp, extract_city_dir: Path) -> str:
    return start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(extract_city_dir.parent)})


def _seconds_to_settle(page: Page, before: str) -> float:
    handle = page.wait_for_function(
        f"(before) => location.search !== before && {SETTLED} && (performance.now() - window.__moved) / 1000",
        arg=before,
        timeout=20_000,
    )
    return float(handle.json_value())


def _open(open_page: OpenPage, url: str) -> Page:
    page = open_page(url).page
    page.wait_for_function(SETTLED, timeout=60_000)
    page.evaluate(START_CLOCK)
    return page


def test_drop_to_settled_page(app_url: str, open_page: OpenPage, report: Report) -> None:
    page = _open(open_page, app_url)
    taken = []
    for at in range(ROUNDS):
        box = page.locator('[data-post="P07"]').bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        before = page.evaluate("location.search")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + (30 if at % 2 == 0 else -30), y - 12 + 2 * (at % 12), steps=8)
        page.mouse.up()
        taken.append(_seconds_to_settle(page, before))
    report(
        f"A post dropped on the map to a settled page, median of {ROUNDS}",
        f"{1000 * median(taken):.0f} ms",
        "none: headless Chromium, `--no-sandbox --enable-unsafe-swiftshader`, 1280x720",
        "under 600 ms",
        median(taken) < 0.6,
        headline=True,
    )


def test_slider_to_settled_page(app_url: str, open_page: OpenPage, report: Report) -> None:
    page = _open(open_page, app_url)
    slider = page.get_by_role("slider", name="Target")
    slider.focus()
    taken = []
    for at in range(ROUNDS):
        before = page.evaluate("location.search")
        slider.press("ArrowLeft" if at < 10 else "ArrowRight")
        taken.append(_seconds_to_settle(page, before))
    report(
        f"A slider step to a settled page, median of {ROUNDS}",
        f"{1000 * median(taken):.0f} ms",
        "none: as above",
        "under 600 ms",
        median(taken) < 0.6,
        headline=True,
    )


def test_memory_with_the_extract_open(app_url: str, open_page: OpenPage, report: Report) -> None:
    page = _open(open_page, app_url)
    page.goto(f"{app_url}/calls")
    page.wait_for_function("document.querySelectorAll('.cr-value').length >= 4", timeout=60_000)
    port = int(app_url.rsplit(":", 1)[1])
    listening = [
        c.pid for c in psutil.net_connections() if c.laddr and c.laddr.port == port and c.status == "LISTEN"
    ]
    resident_mb = psutil.Process(listening[0]).memory_info().rss / 1e6
    report(
        "Resident memory of the app with the extract open, staging and calls visited",
        f"{resident_mb:.0f} MB",
        "none",
        "under 600 MB",
        resident_mb < 600,
        headline=True,
    )
