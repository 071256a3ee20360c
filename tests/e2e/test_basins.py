"""Catch basins in a real browser: every question opens on both cities and fits; the storm is followed."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PROJECT, OpenPage, StartApp

pytestmark = pytest.mark.browser

WAIT_MS = 120_000
QUESTIONS = {
    "Where will water stand?": "soaks or stays",
    "What state are they in?": "Clogged",
    "Which to clean first?": "Best of today's lists",
    "Routes and orders": "Find routes",
    "What came back?": "Question before paying",
    "Ambulances": "",
}
"""Each question, and words of its answer."""
DRAWN = """[...(window.__crescentMaps?.values() ?? [])].some(
  (map) => map.deck.instance && map.outbox.idle && map.made.idle && map.made.points)"""
PICTURE = "[...window.__crescentMaps.values()][0].made.wanted.image"
CUT = """() => {
  const cut = [];
  const walker = document.createTreeWalker(document.querySelector(".stMain"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim();
    if (!text || node.parentElement.closest(".crescent-map, style, [data-testid=stDataFrame]")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const { right, width } = range.getBoundingClientRect();
    if (!width) continue;
    for (let box = node.parentElement; box && !box.matches(".stMain"); box = box.parentElement) {
      if (!["hidden", "clip"].includes(getComputedStyle(box).overflowX)) continue;
      if (box.clientWidth > 1 && right > box.getBoundingClientRect().right + 1) cut.push(text.slice(0, 60));
    }
  }
  return [...new Set(cut)];
}"""
"""Words that run out of a box which hides what overflows it."""


@pytest.fixture(scope="module")
def demo_url(start_app: StartApp, demo_city_dir: Path) -> str:
    return start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(demo_city_dir.parent)})


@pytest.fixture(scope="module")
def extract_url(start_app: StartApp, extract_city_dir: Path) -> str:
    return start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(extract_city_dir.parent)})


def answered(page: Page) -> None:
    """Wait until the page has run and the map shows what it was told."""
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=WAIT_MS
    )
    page.wait_for_function(DRAWN, timeout=WAIT_MS)


def open_basins(open_page: OpenPage, url: str, **options: object) -> Page:
    page = open_page(url, **options).page
    expect(page.get_by_role("slider", name="Rain, inches")).to_be_visible(timeout=WAIT_MS)
    answered(page)
    return page


def ask(page: Page, question: str) -> None:
    page.get_by_role("combobox", name=re.compile("Question")).click()
    page.get_by_role("option", name=question, exact=True).click()
    page.wait_for_timeout(500)
    answered(page)


def holds(page: Page, what: str) -> None:
    """No error, and nothing is cut off or lies beyond the window."""
    expect(page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]')).to_have_count(0)
    expect(page.locator(".crescent-map .fault")).to_be_hidden()
    assert page.evaluate(CUT) == [], what
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), what
    assert page.evaluate("document.querySelector('.stMain').scrollHeight <= innerHeight + 2"), what


def every_question_opens(page: Page) -> None:
    for question, words in QUESTIONS.items():
        ask(page, question)
        expect(page.locator(".stMain")).to_contain_text(words)
        holds(page, question)


def the_storm_changes_the_figures(page: Page) -> None:
    ask(page, "Where will water stand?")
    figures = page.locator(".cr-value")
    before = figures.all_inner_texts()
    picture = page.evaluate(PICTURE)
    slider = page.get_by_role("slider", name="Rain, inches")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"(before) => {PICTURE} !== before", arg=picture, timeout=WAIT_MS)
    answered(page)
    after = figures.all_inner_texts()
    assert len(after) == len(before) == 4
    assert all(new != old for new, old in list(zip(after, before, strict=True))[:2])


def routes_are_drawn(page: Page) -> None:
    ask(page, "Routes and orders")
    page.get_by_role("button", name="Find routes").click()
    page.wait_for_function("[...window.__crescentMaps.values()][0].made.routes", timeout=WAIT_MS)
    answered(page)
    expect(page.get_by_text("truck-days")).to_be_visible()
    holds(page, "routes")


def test_the_demo(demo_url: str, open_page: OpenPage) -> None:
    page = open_basins(open_page, f"{demo_url}/basins?city=demo")
    expect(page.get_by_text("Demo city: synthetic data")).to_be_visible()
    every_question_opens(page)
    routes_are_drawn(page)
    the_storm_changes_the_figures(page)


@pytest.mark.slow
@pytest.mark.extract
def test_new_orleans(extract_url: str, open_page: OpenPage) -> None:
    page = open_basins(open_page, f"{extract_url}/basins?city=new-orleans", color_scheme="dark")
    expect(page.get_by_text("Basins placed by rule, not surveyed")).to_be_visible()
    every_question_opens(page)
    the_storm_changes_the_figures(page)
