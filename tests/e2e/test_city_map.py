"""The map in a real browser: what a person does on it reaches the page, and what it shows is right."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from geo.travel_time import nearest_times
from tests.e2e.apps import map_app
from tests.e2e.apps.tiny_city import SOUTH, STEP, WEST, TinyCity
from tests.e2e.conftest import OpenPage, StartApp, WatchedPage

pytestmark = pytest.mark.browser

Event = dict[str, Any]
OpenMap = Callable[..., WatchedPage]
NEAR_M = 30
HOOK = "window.__crescentMaps.get('map')"
READY = f"window.__crescentMaps?.get('map')?.deck.instance && {HOOK}.outbox.idle"


@pytest.fixture(scope="module")
def app_url(start_app: StartApp, tmp_path_factory: pytest.TempPathFactory) -> str:
    cities = tmp_path_factory.mktemp("cities")
    return start_app(Path(map_app.__file__), env={"CRESCENT_CITIES": str(cities)})


@pytest.fixture
def open_map(app_url: str, open_page: OpenPage) -> OpenMap:
    def open_(query: str = "", **options: object) -> WatchedPage:
        watched = open_page(f"{app_url}/{query}", **options)
        watched.page.wait_for_function(READY)
        return watched

    return open_


def marker(page: Page, name: str) -> Locator:
    return page.locator(f'[data-post="{name}"]')


def centre(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def events(page: Page, count: int) -> list[Event]:
    """Wait until the page has heard so many events, and give them."""
    log = page.locator('[data-testid="stCode"] code')
    expect(log).to_have_text(re.compile(r"^\[" + ", ".join([r"\{[^{}]*\}"] * count) + r"\]$"))
    return cast("list[Event]", json.loads(log.inner_text()))


def settled(page: Page) -> None:
    page.wait_for_function(f"{HOOK}.outbox.idle")


def metres(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    east = (lon2 - lon1) * math.cos(math.radians(lat1))
    return math.hypot(east, lat2 - lat1) * 111_195


def drag(page: Page, name: str, x: float, y: float, *, drop: bool = True) -> None:
    page.mouse.move(*centre(marker(page, name)))
    page.mouse.down()
    page.mouse.move(x, y, steps=12)
    if drop:
        page.mouse.up()


def place_on_screen(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Pixels of a place, by a straight line through the markers of two posts whose places are known."""
    (ax, ay), (bx, by) = centre(marker(page, "A")), centre(marker(page, "B"))
    a, b = map_app.POSTS["A"], map_app.POSTS["B"]
    return (
        ax + (bx - ax) * (lon - a["lon"]) / (b["lon"] - a["lon"]),
        ay + (by - ay) * (lat - a["lat"]) / (b["lat"] - a["lat"]),
    )


def test_a_dragged_post_says_where_it_was_dropped(open_map: OpenMap) -> None:
    page = open_map().page
    target = (WEST + 10 * STEP, SOUTH + 6 * STEP)

    drag(page, "A", *place_on_screen(page, *target))

    (event,) = events(page, 1)
    assert (event["type"], event["id"]) == ("move", "A")
    assert metres(event["lon"], event["lat"], *target) < NEAR_M
    settled(page)
    expect(marker(page, "A")).to_have_attribute("data-changed", "yes")


def test_the_live_field_equals_the_travel_times_of_the_network(open_map: OpenMap) -> None:
    page = open_map().page
    drag(page, "A", *place_on_screen(page, WEST + 9.3 * STEP, SOUTH + 7.4 * STEP), drop=False)
    live = page.evaluate(f"(async () => Array.from(await {HOOK}.fieldNow(), (s) => s < 1e30 ? s : -1))()")
    page.mouse.up()
    (moved,) = events(page, 1)

    network = TinyCity(Path()).network
    posts = [map_app.POSTS[name] for name in ("B", "D")]
    node, offset_m = network.snap(
        [moved["lon"], *(post["lon"] for post in posts)], [moved["lat"], *(post["lat"] for post in posts)]
    )
    factor = np.array([map_app.SPEED_FACTOR[network.classes[code]] for code in network.edge_class])
    factor[list(map_app.SLOW_EDGES)] = list(map_app.SLOW_EDGES.values())
    closed = np.zeros(network.n_edges, dtype=bool)
    closed[list(map_app.CLOSED_EDGES)] = True
    no_through = np.zeros(network.n_nodes, dtype=bool)
    no_through[list(map_app.NO_THROUGH)] = True
    assert no_through[node].tolist() == [False, True, False]
    offset_s = offset_m / (15 / 3.6)
    expected = nearest_times(
        network, node, offset_s=offset_s, closed=closed, no_through=no_through, speed_factor=factor
    )
    free = nearest_times(network, node, offset_s=offset_s, closed=closed, speed_factor=factor)
    assert (expected > free + 5).sum() > 3

    seconds = np.where(np.array(live) < 0, np.inf, live)
    assert np.isfinite(expected).sum() == network.main.sum()
    np.testing.assert_allclose(seconds, expected, rtol=0.01, atol=0.5)


def test_the_live_picture_stays_until_the_page_has_answered(open_map: OpenMap) -> None:
    page = open_map().page
    assert not page.evaluate(f"{HOOK}.live.shown")

    drag(page, "A", *place_on_screen(page, WEST + 10 * STEP, SOUTH + 6 * STEP), drop=False)
    assert page.evaluate(f"{HOOK}.live.shown")
    page.mouse.up()

    page.wait_for_function(f"!{HOOK}.live.shown")
    assert len(events(page, 1)) == 1
    expect(page.locator(".status")).to_have_text("The figures are up to date.")


def test_escape_takes_a_drag_back(open_map: OpenMap) -> None:
    page = open_map().page
    before = centre(marker(page, "A"))
    drag(page, "A", before[0] + 120, before[1] + 40, drop=False)
    marker(page, "A").press("Escape")
    page.mouse.up()

    assert centre(marker(page, "A")) == pytest.approx(before, abs=1)
    marker(page, "B").press(" ")
    assert [event["id"] for event in events(page, 1)] == ["B"]


def test_arrow_keys_move_a_post_and_the_move_is_told_once(open_map: OpenMap) -> None:
    page = open_map().page
    (ax, _), (bx, _) = centre(marker(page, "A")), centre(marker(page, "B"))
    degrees_per_px = 12 * STEP / (bx - ax)
    marker(page, "A").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")

    (event,) = events(page, 1)
    assert event["lon"] == pytest.approx(WEST + 4 * STEP + 53 * degrees_per_px, abs=2 * degrees_per_px)
    assert event["lat"] == pytest.approx(SOUTH + 12 * STEP, abs=2e-5)
    settled(page)
    expect(marker(page, "A")).to_be_focused()


def test_enter_confirms_a_move_at_once_and_escape_takes_it_back(open_map: OpenMap) -> None:
    page = open_map().page
    marker(page, "A").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    (event,) = events(page, 1)
    assert event["type"] == "move"
    assert event["lat"] > SOUTH + 12 * STEP


def test_posts_can_be_reached_with_tab_and_say_what_they_are(open_map: OpenMap) -> None:
    page = open_map().page
    page.get_by_role("button", name="Whole city").focus()
    for _ in range(3):  # Add post, the map, the first post
        page.keyboard.press("Tab")
    expect(marker(page, "A")).to_be_focused()
    expect(page.get_by_role("button", name="Post A, staffed")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Post C, candidate, not staffed")).to_have_attribute(
        "aria-pressed", "false"
    )
    expect(marker(page, "A").locator(".label")).to_be_visible()


@pytest.mark.parametrize("how", ["click", "Enter", " "])
def test_a_post_is_switched(open_map: OpenMap, how: str) -> None:
    page = open_map().page
    if how == "click":
        marker(page, "C").click()
    else:
        marker(page, "C").press(how)

    (event,) = events(page, 1)
    assert (event["type"], event["id"]) == ("toggle", "C")
    settled(page)
    expect(marker(page, "C")).to_have_attribute("data-state", "staffed")


def test_events_in_quick_succession_all_arrive(open_map: OpenMap) -> None:
    page = open_map().page
    for name in "ABCD":
        marker(page, name).press(" ")

    assert [event["id"] for event in events(page, 4)] == list("ABCD")


def test_only_an_added_post_can_be_removed(open_map: OpenMap) -> None:
    page = open_map().page
    marker(page, "A").press("Delete")
    expect(page.locator(".status")).to_contain_text("switch it off instead")
    marker(page, "D").press("Delete")

    (event,) = events(page, 1)
    assert (event["type"], event["id"]) == ("remove", "D")
    expect(marker(page, "D")).to_have_count(0)
    expect(marker(page, "A")).to_have_count(1)


def test_a_click_adds_a_post_only_in_that_mode(open_map: OpenMap) -> None:
    page = open_map().page
    target = (WEST + 8 * STEP, SOUTH + 6 * STEP)
    spot = place_on_screen(page, *target)
    page.mouse.click(*spot)
    add = page.get_by_role("button", name="Add a post")
    expect(add).to_have_attribute("aria-pressed", "false")
    add.click()
    expect(add).to_have_attribute("aria-pressed", "true")
    page.mouse.click(*spot)

    (event,) = events(page, 1)
    assert event["type"] == "add"
    assert metres(event["lon"], event["lat"], *target) < NEAR_M
    expect(add).to_have_attribute("aria-pressed", "false")
    expect(marker(page, "N4")).to_have_count(1)


def test_a_post_is_added_from_the_keyboard(open_map: OpenMap) -> None:
    page = open_map().page
    page.get_by_role("button", name="Add a post").press("Enter")
    surface = page.get_by_role("application", name="Map of the city")
    surface.focus()
    expect(page.locator(".crosshair")).to_be_visible()
    middle = centre(surface)
    a_x, _ = centre(marker(page, "A"))
    b_x, _ = centre(marker(page, "B"))
    surface.press("Enter")

    (event,) = events(page, 1)
    lon = WEST + 4 * STEP + 12 * STEP * (middle[0] - a_x) / (b_x - a_x)
    assert event["lon"] == pytest.approx(lon, abs=3e-4)


def test_dragging_the_ground_pans_and_the_view_survives_new_data_and_a_remount(open_map: OpenMap) -> None:
    page = open_map().page
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(400)
    x, y = place_on_screen(page, WEST + 10 * STEP, SOUTH + 9 * STEP)
    before = centre(marker(page, "B"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 30, steps=30)
    page.mouse.up()
    panned = centre(marker(page, "B"))
    assert panned == pytest.approx((before[0] + 60, before[1] - 30), abs=5)

    marker(page, "A").press(" ")
    assert len(events(page, 1)) == 1
    settled(page)
    assert centre(marker(page, "B")) == pytest.approx(panned, abs=0.5)

    page.get_by_text("Show the map").click()
    expect(marker(page, "B")).to_have_count(0)
    page.get_by_text("Show the map").click()
    expect(marker(page, "B")).to_have_count(1)
    assert centre(marker(page, "B")) == pytest.approx(panned, abs=0.5)
    assert page.locator(".layer.deck canvas").count() == 1
    drag(page, "A", *place_on_screen(page, WEST + 6 * STEP, SOUTH + 8 * STEP))
    assert len(events(page, 2)) == 2


def test_touch_drags_a_post(open_map: OpenMap) -> None:
    page = open_map(has_touch=True).page
    target = (WEST + 7 * STEP, SOUTH + 10 * STEP)
    x, y = centre(marker(page, "A"))
    to_x, to_y = place_on_screen(page, *target)
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for share in (0.25, 0.5, 0.75, 1.0):
        point = {"x": x + (to_x - x) * share, "y": y + (to_y - y) * share}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    (event,) = events(page, 1)
    assert event["type"] == "move"
    assert metres(event["lon"], event["lat"], *target) < NEAR_M


def test_hexagons_tell_their_figures(open_map: OpenMap) -> None:
    page = open_map("?hexes=1").page
    x, y = place_on_screen(page, WEST + 8 * STEP, SOUTH + 8 * STEP)
    page.wait_for_timeout(500)
    page.mouse.move(x, y)
    page.mouse.move(x + 2, y + 1)
    expect(page.get_by_role("tooltip")).to_have_text("12 calls")


def test_dots_tell_their_names_and_one_is_picked_by_a_click(open_map: OpenMap) -> None:
    page = open_map("?dots=1&fixed=1").page
    x, y = place_on_screen(page, WEST + 14 * STEP, SOUTH + 9 * STEP)
    page.wait_for_timeout(500)
    page.mouse.move(x, y)
    page.mouse.move(x + 2, y + 1)
    expect(page.get_by_role("tooltip")).to_have_text("The blue one")
    page.mouse.click(x, y)

    (event,) = events(page, 1)
    assert event == {"type": "picked", "id": "blue"}
    page.mouse.click(x + 60, y + 60)
    page.wait_for_timeout(500)
    assert len(events(page, 1)) == 1


def test_a_map_for_reading_has_nothing_to_drag(open_map: OpenMap) -> None:
    page = open_map("?fixed=1").page
    before = centre(marker(page, "A"))
    drag(page, "A", before[0] + 80, before[1])
    marker(page, "A").press("ArrowRight")
    page.wait_for_timeout(900)

    assert centre(marker(page, "A")) == pytest.approx(before, abs=1)
    expect(page.get_by_role("button", name="Add a post")).to_have_count(0)
    assert events(page, 0) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_follows_the_theme_and_always_says_what_it_shows(open_map: OpenMap, scheme: str) -> None:
    page = open_map("?stale=1", color_scheme=scheme).page
    root = page.locator(".crescent-map")
    expect(root).to_have_attribute("data-theme", scheme)
    expect(page.get_by_text("Tiny city: synthetic data")).to_be_visible()
    expect(page.get_by_text("Updating")).to_be_visible()
    expect(page.locator(".legend")).to_contain_text("Near A")

    other = "dark" if scheme == "light" else "light"
    page.emulate_media(color_scheme=cast("Literal['dark', 'light']", other))
    expect(root).to_have_attribute("data-theme", other)


def test_the_ground_is_land_water_and_streets(open_map: OpenMap) -> None:
    page = open_map().page
    box = page.locator(".layer.ground").bounding_box()
    assert box is not None

    def colour(lon: float, lat: float) -> list[int]:
        x, y = place_on_screen(page, lon, lat)
        return cast(
            "list[int]",
            page.evaluate(
                f"([x, y]) => Array.from({HOOK}.groundCanvas.getContext('2d').getImageData(x, y, 1, 1).data)",
                [round(x - box["x"]), round(y - box["y"])],
            ),
        )

    block = colour(WEST + 5.5 * STEP, SOUTH + 5.5 * STEP)
    river = colour(WEST + 5.5 * STEP, SOUTH - 0.7 * STEP)
    fast_road = colour(WEST + 5.5 * STEP, SOUTH + 9 * STEP)
    assert river[2] > river[0]  # blue
    assert fast_road[0] > fast_road[2] + 40  # warm
    assert max(block[:3]) - min(block[:3]) < 15  # neutral
