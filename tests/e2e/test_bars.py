"""Bars in a real browser: a dot that is clicked, the slider, the packet as a PDF, and nothing cut off."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PROJECT, OpenPage, StartApp

pytestmark = pytest.mark.browser

WAIT_MS = 120_000
MAP_READY = "[...(window.__crescentMaps?.values() ?? [])].some((map) => map.deck.instance && map.outbox.idle)"
DOT_PLACES = """() => {
  const map = [...window.__crescentMaps.values()][0];
  const box = map.deck.instance.getCanvas().getBoundingClientRect();
  const layer = map.deck.instance.props.layers.find((one) => one.id.endsWith("-dots"));
  const view = map.deck.instance.getViewports()[0];
  return layer.props.data.filter((row) => !row.id.startsWith("stack")).map((row) => {
    const [x, y] = view.project(row.place);
    return { x: box.x + x, y: box.y + y, radius: row.radius, name: row.label.split("\\n")[0], inside:
      x > 90 && y > 110 && x < box.width - 180 && y < box.height - 190 };
  });
}"""


@pytest.fixture(scope="module")
def app_url(start_app: StartApp, demo_city_dir: Path) -> str:
    return start_app(Path(PROJECT / "app.py"), env={"CRESCENT_CITIES": str(demo_city_dir.parent)})


def bars(open_page: OpenPage, app_url: str, **options: object) -> Page:
    page = open_page(f"{app_url}/bars?city=demo", **options).page
    expect(page.locator('[data-testid="stDataFrame"]').first).to_be_visible(timeout=WAIT_MS)
    page.wait_for_function(MAP_READY, timeout=WAIT_MS)
    return page


def ask(page: Page, question: str) -> None:
    page.get_by_role("combobox", name=re.compile("Question")).click()
    page.get_by_role("option", name=question, exact=True).click()


def click_largest_dot(page: Page) -> str:
    """Click the largest dot in view and give its name: it lies above the others."""
    dots = [dot for dot in page.evaluate(DOT_PLACES) if dot["inside"]]
    largest = max(dots, key=lambda dot: float(dot["radius"]))
    page.mouse.click(largest["x"], largest["y"])
    return str(largest["name"])


def test_a_click_on_the_map_shows_the_door_and_the_slider_follows(app_url: str, open_page: OpenPage) -> None:
    page = bars(open_page, app_url)
    name = click_largest_dot(page)
    card = page.locator(".cr-door")
    expect(card.locator("h4")).to_have_text(name)
    expect(card).to_contain_text("Chance of more than 1.5 times")
    slider = page.get_by_role("slider", name=re.compile("Worse than")).first
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(card).to_contain_text("Chance of more than 1.6 times")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.querySelector('.stMain').scrollHeight <= innerHeight")


def test_the_packet_comes_as_a_pdf_and_the_records_as_csv(
    app_url: str, open_page: OpenPage, tmp_path: Path
) -> None:
    page = bars(open_page, app_url, accept_downloads=True)
    name = click_largest_dot(page)
    expect(page.locator(".cr-door h4")).to_have_text(name)
    ask(page, "Evidence packet")
    expect(page.locator(".cr-replies")).to_contain_text("Most of it is not ours", timeout=WAIT_MS)
    for button, start in (("Packet (PDF)", b"%PDF-"), ("Records (CSV)", b'\xef\xbb\xbf"call_id",')):
        with page.expect_download(timeout=WAIT_MS) as waiting:
            page.get_by_role("button", name=button).click()
        saved = tmp_path / "saved"
        waiting.value.save_as(saved)
        assert saved.read_bytes().startswith(start)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_question_fits_the_window(app_url: str, open_page: OpenPage, scheme: str) -> None:
    page = bars(open_page, app_url, color_scheme=scheme)
    for question in ("More than chance?", "How concentrated?", "Where do they cluster?", "Evidence packet"):
        ask(page, question)
        expect(page.locator(".cr-note", has_text="Ranges hold 95 %")).to_be_visible(timeout=WAIT_MS)
        page.wait_for_timeout(1_000)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.querySelector('.stMain').scrollHeight <= innerHeight + 2"), question
