"""A planner at work: every page opens on both cities, and a dragged post changes who is reached."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from models.scenario import CloseRoad, MovePost, Scenario, SetOrder
from tests.e2e.conftest import PROJECT, OpenPage, StartApp

pytestmark = pytest.mark.browser

HOOK = "window.__crescentMaps?.get('staging.map')"
SETTLED = f"{HOOK}?.deck.instance && {HOOK}.outbox.idle && !document.querySelector('[data-stale=\"true\"]')"
PAGES = {"": "Ambulance staging", "calls": "911 calls", "data": "Data"}


@pytest.fixture(scope="module")
def extract_url(start_app: StartApp, extract_city_dir: Path) -> str:
    return start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(extract_city_dir.parent)})


@pytest.fixture(scope="module")
def demo_url(start_app: StartApp, demo_city_dir: Path) -> str:
    return start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(demo_city_dir.parent)})


def _settle(page: Page) -> None:
    page.wait_for_function(SETTLED, timeout=60_000)


def _change(page: Page, act: Callable[[], None]) -> None:
    """Do something that changes the scenario, and wait until its page has settled."""
    before = page.evaluate("location.search")
    act()
    page.wait_for_function("(before) => location.search !== before", arg=before, timeout=30_000)
    _settle(page)


def _marker(page: Page, post_id: str) -> Locator:
    return page.locator(f'[data-post="{post_id}"]')


def _figures(page: Page) -> list[str]:
    expect(page.locator(".cr-value").first).to_be_visible()
    return [text.strip() for text in page.locator(".cr-value").all_inner_texts()]


def _drag(page: Page, post_id: str, dx: float, dy: float) -> None:
    box = _marker(page, post_id).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=10)
    page.mouse.up()


@pytest.mark.parametrize("city", ["demo", pytest.param("extract", marks=pytest.mark.extract)])
def test_one_tap_puts_a_parade_in_force_and_its_address_gives_the_same(
    city: str, request: pytest.FixtureRequest, open_page: OpenPage
) -> None:
    watched = open_page(request.getfixturevalue(f"{city}_url"))
    page = watched.page
    _settle(page)
    before = _figures(page)
    page.get_by_role("button", name="Disruptions").click()
    page.get_by_role("tab", name="Parades").click()
    _change(page, page.get_by_role("button", name="Mid-City parade route (Endymion)").click)
    expect(page.get_by_text("Sat 6 Feb 2027 Endymion")).to_be_visible()
    expect(page.get_by_text("In force: Mid-City parade route (Endymion) is closed.")).to_be_visible()
    page.keyboard.press("Escape")
    after = _figures(page)
    assert after != before
    expect(page.locator(".legend")).to_contain_text("parade: reached, not crossed")

    text = page.url.split("scenario=")[1].split("&")[0]
    assert Scenario.from_text(text).changes == (CloseRoad("Mid-City parade route (Endymion)"),)
    again = open_page(page.url).page
    _settle(again)
    assert _figures(again) == after


@pytest.mark.extract
def test_a_planner_drags_a_post_and_sends_the_address(extract_url: str, open_page: OpenPage) -> None:
    page = open_page(extract_url).page
    _settle(page)
    before = _figures(page)
    free, busy = (float(value.split("%")[0]) for value in before[:2])
    assert busy < free
    median, p90 = (float(value) for value in before[3].split(" / "))
    assert 0 < median < p90 < 30

    _drag(page, "P07", 60, -110)
    page.wait_for_url(re.compile("scenario="))
    _settle(page)
    after = _figures(page)
    assert after != before
    assert re.search(r"[+-]\d", after[3]), "the median's change from today is shown"

    address = page.url
    text = address.split("scenario=")[1].split("&")[0]
    (change,) = Scenario.from_text(text).changes
    assert isinstance(change, MovePost)
    assert change.post_id == "P07"

    again = open_page(address).page
    _settle(again)
    assert _figures(again) == after
    assert again.url == address
    assert _marker(again, "P07").get_attribute("data-changed") == "yes"


@pytest.mark.extract
def test_closing_the_bridge_and_undoing_it(extract_url: str, open_page: OpenPage) -> None:
    page = open_page(extract_url).page
    _settle(page)
    before = _figures(page)
    # The one post on the west bank is emptied, then the bridge is closed: Algiers is out of reach.
    _change(page, _marker(page, "P05").click)
    page.get_by_role("button", name="Disruptions").click()
    _change(page, page.get_by_role("button", name="Crescent City Connection").click)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Crescent City Connection is closed.").first).to_be_visible()
    expect(page.get_by_text(re.compile("No way leads to .* of the demand"))).to_be_visible()
    expect(page.locator(".cr-value").nth(2)).to_contain_text(re.compile(r"^0%"))
    for _ in range(2):
        _change(page, page.get_by_role("button", name="Undo").click)
    expect(page.get_by_role("button", name="Reset")).to_be_disabled()
    assert _figures(page) == before
    assert "scenario=" not in page.url


def test_the_table_is_an_equal_way_in(demo_url: str, open_page: OpenPage) -> None:
    page = open_page(demo_url).page
    _settle(page)
    staffed = page.locator('[data-post][data-state="staffed"]').count()
    slider = page.get_by_role("slider", name="Units on duty")
    slider.focus()
    slider.press("ArrowLeft")
    page.wait_for_url(re.compile("scenario="))
    _settle(page)
    expect(page.locator('[data-post][data-state="staffed"]')).to_have_count(staffed - 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_opens_by_its_address_on_the_demo(demo_url: str, open_page: OpenPage, scheme: str) -> None:
    for path, title in PAGES.items():
        page = open_page(f"{demo_url}/{path}", color_scheme=scheme).page
        expect(page.locator(".cr-title")).to_contain_text(title, timeout=60_000)
        expect(page.locator(".cr-title")).to_contain_text("DEMO DATA, NOT REAL")
        expect(page.get_by_test_id("stTopNavLink").first).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.extract
def test_every_page_opens_by_its_address_on_the_extract(extract_url: str, open_page: OpenPage) -> None:
    for path, title in PAGES.items():
        page = open_page(f"{extract_url}/{path}").page
        expect(page.locator(".cr-title")).to_contain_text(title, timeout=60_000)
        expect(page.locator(".cr-title")).not_to_contain_text("DEMO")
        expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_deep_link_is_the_first_request_of_a_server(
    start_app: StartApp, demo_city_dir: Path, open_page: OpenPage
) -> None:
    url = start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(demo_city_dir.parent)})
    page = open_page(f"{url}/data").page
    expect(page.locator(".cr-title")).to_contain_text("Data", timeout=60_000)
    expect(page.get_by_test_id("stTopNavLink").first).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)


def test_without_a_city_every_page_says_what_to_do(
    start_app: StartApp, tmp_path: Path, open_page: OpenPage
) -> None:
    url = start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(tmp_path)})
    for path in PAGES:
        page = open_page(f"{url}/{path}").page
        expect(page.get_by_test_id("stAlert")).to_contain_text("make demo", timeout=30_000)


def test_a_broken_city_is_told_and_the_app_lives(
    start_app: StartApp, tmp_path: Path, open_page: OpenPage
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "city.toml").write_text("name = 3")
    (broken / "manifest.json").write_text("{}")
    url = start_app(PROJECT / "app.py", env={"CRESCENT_CITIES": str(tmp_path)})
    for path in PAGES:
        page = open_page(f"{url}/{path}").page
        expect(page.get_by_test_id("stAlert")).to_contain_text("cannot be opened", timeout=30_000)
        expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_planner_asks_for_a_list_with_a_must_have_post(demo_url: str, open_page: OpenPage) -> None:
    page = open_page(demo_url).page
    _settle(page)
    page.get_by_test_id("stButtonGroup").get_by_text("Suggest", exact=True).click()
    page.get_by_role("button", name="Options").click()
    page.get_by_role("combobox", name="Must-have posts").click()
    option = page.get_by_role("option").nth(3)
    name = option.inner_text()
    option.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Options (1)")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_test_id("stMainBlockContainer").get_by_role(
        "button", name=re.compile(r"^\W*Suggest \d")
    ).click()
    use = page.get_by_role("button", name="Use this list")
    expect(use).to_be_visible(timeout=90_000)
    _change(page, use.click)
    (order,) = Scenario.from_text(page.url.split("scenario=")[1].split("&")[0]).find(SetOrder)
    first = _marker(page, order.post_ids[0])
    expect(first).to_have_attribute("aria-label", re.compile(re.escape(name)))
    expect(first).to_have_attribute("data-state", "staffed")
