"""Brushing hours of the week in a real browser: map, figures and words follow, and the brush comes off."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PROJECT, OpenPage, StartApp
from tests.models.calls_cases import random_calls
from tests.pages.calls_city import write_city

pytestmark = pytest.mark.browser

FRAME = random_calls(3_000, seed=21).assign(agency="Police")
LEFT_OF_HOURS, BELOW_DAYS = 30, 18
"""Pixels that the chart's axes take: names of days on the left, hours below."""


@pytest.fixture(scope="module")
def app_url(start_app: StartApp, tmp_path_factory: pytest.TempPathFactory) -> str:
    cities = tmp_path_factory.mktemp("cities")
    write_city(cities / "small", FRAME)
    return start_app(Path(PROJECT / "app.py"), env={"CRESCENT_CITIES": str(cities)})


def calls_shown(page: Page) -> int:
    return int(
        page.locator(".cr-figure", has_text="Calls").first.locator(".cr-value").inner_text().replace(",", "")
    )


def test_dragging_across_hours_filters_the_page(app_url: str, open_page: OpenPage) -> None:
    page = open_page(app_url).page
    page.get_by_role("link", name="911 calls").click()
    page.get_by_role("tab", name="Hours of week").click()
    chart = page.locator('[data-testid="stVegaLiteChart"]').first
    expect(chart.locator("svg, canvas").first).to_be_visible()
    assert calls_shown(page) == len(FRAME)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    box = chart.bounding_box()
    assert box is not None
    hour_px = (box["width"] - LEFT_OF_HOURS) / 24
    day_px = (box["height"] - BELOW_DAYS) / 7
    start = box["x"] + LEFT_OF_HOURS + 10.5 * hour_px, box["y"] + 4.5 * day_px
    end = box["x"] + LEFT_OF_HOURS + 15.5 * hour_px, box["y"] + 5.5 * day_px
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()
    words = page.locator(".cr-note", has_text="Chosen:")
    expect(words).to_have_text(re.compile(r"Chosen: Fri to Sat \d+ to \d+ h\."))

    hours = re.search(r"Fri to Sat (\d+) to (\d+) h", words.inner_text())
    assert hours is not None
    first, end_hour = int(hours[1]), int(hours[2])
    assert abs(first - 10) <= 1
    assert abs(end_hour - 16) <= 1
    opened = FRAME["opened_at"]
    brushed = opened.dt.day_of_week.isin([4, 5]) & opened.dt.hour.between(first, end_hour - 1)
    assert calls_shown(page) == brushed.sum()

    page.get_by_role("button", name="Whole week").click()
    expect(words).to_contain_text("Chosen: the whole week.")
    assert calls_shown(page) == len(FRAME)
