"""The views of the staging page in a browser: rules go into the address, a forecast onto the map."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from models.scenario import Scenario, SetRules
from tests.e2e.conftest import PROJECT, OpenPage, StartApp

pytestmark = pytest.mark.browser

TIMEOUT_MS = 90_000


@pytest.fixture(scope="module")
def demo_url(start_app: StartApp, demo_city_dir: Path) -> str:
    return start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(demo_city_dir.parent)})


def test_rules_go_into_the_address_and_weeks_are_simulated(demo_url: str, open_page: OpenPage) -> None:
    page = open_page(demo_url).page
    page.get_by_role("radio", name="Simulate").click(timeout=TIMEOUT_MS)
    page.get_by_role("button", name=re.compile("^Rules")).click(timeout=TIMEOUT_MS)
    page.get_by_text("Fill the first open post of the list").click()
    page.wait_for_url(re.compile("scenario="), timeout=TIMEOUT_MS)
    text = page.url.split("scenario=")[1].split("&")[0]
    assert Scenario.from_text(text).changes == (SetRules(compliance=True),)
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="50", exact=True).click()
    page.get_by_role("button", name="Simulate", exact=True).last.click()
    expect(page.get_by_text("Mean of 50 weeks")).to_be_visible(timeout=TIMEOUT_MS)


def test_a_forecast_is_drawn_with_its_skill(demo_url: str, open_page: OpenPage) -> None:
    page = open_page(demo_url).page
    page.get_by_role("radio", name="Demand").click(timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Forecast next week").click(timeout=TIMEOUT_MS)
    expect(page.get_by_text("past weeks.")).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.get_by_text("Expected calls, week of")).to_be_visible(timeout=TIMEOUT_MS)
    page.get_by_role("tab", name="Skill").click()
    expect(page.get_by_text("central 90 %")).to_be_visible(timeout=TIMEOUT_MS)
