"""Pictures, many points and routes in a real browser: at the right place, and found by the pointer."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from pyproj import Transformer

from pages.parts.flood_image import depth_classes
from pages.parts.palette import Theme
from tests.e2e.apps import layers_app as shown
from tests.e2e.apps.tiny_city import SOUTH, STEP, WEST
from tests.e2e.conftest import OpenPage, StartApp, WatchedPage

pytestmark = pytest.mark.browser

HOOK = "window.__crescentMaps.get('map')"
READY = f"window.__crescentMaps?.get('map')?.deck.instance && {HOOK}.made.idle && {HOOK}.outbox.idle"
INSIDE_M = 30
"""A cell and a half: beyond what a pixel of the picture may be off."""
OpenMap = Callable[..., WatchedPage]
Rgba = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def app_url(start_app: StartApp, tmp_path_factory: pytest.TempPathFactory) -> str:
    cities = tmp_path_factory.mktemp("cities")
    return start_app(Path(shown.__file__), env={"CRESCENT_CITIES": str(cities)})


@pytest.fixture
def open_map(app_url: str, open_page: OpenPage) -> OpenMap:
    def open_(query: str = "", **options: object) -> WatchedPage:
        watched = open_page(f"{app_url}/{query}", **options)
        ready(watched.page)
        return watched

    return open_


def ready(page: Page) -> None:
    """Wait until all is fetched and two frames are drawn."""
    page.wait_for_function(READY)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def look_at(page: Page, lon: float, lat: float, zoom: float) -> None:
    page.evaluate(
        f"([longitude, latitude, zoom]) => {{ const map = {HOOK};"
        "map.view.setDeckState({longitude, latitude, zoom}); map.deck.move(map.view); map.redraw('view'); }",
        [lon, lat, zoom],
    )
    ready(page)


def colour(page: Page, canvas: str, lon: float, lat: float) -> Rgba:
    found = page.evaluate(
        f"([lon, lat]) => {{ const map = {HOOK}; const [x, y] = map.place(lon, lat);"
        f"return Array.from(map.{canvas}.getContext('2d')"
        ".getImageData(Math.floor(x * map.ratio), Math.floor(y * map.ratio), 1, 1).data); }",
        [lon, lat],
    )
    return cast("Rgba", tuple(found))


def on_page(page: Page, lon: float, lat: float) -> tuple[float, float]:
    x, y = page.evaluate(f"([lon, lat]) => {HOOK}.place(lon, lat)", [lon, lat])
    box = page.locator(".layer.surface").bounding_box()
    assert box is not None
    return box["x"] + x, box["y"] + y


def around_the_pool() -> list[tuple[float, float, bool]]:
    """Places a little within and a little beyond the middle of each side, and whether they are wet."""
    rows, columns = shown.POOL
    cell, west, north = shown.GRID.cell_m, shown.GRID.west_m, shown.GRID.north_m
    left, right = west + columns.start * cell, west + columns.stop * cell
    top, bottom = north - rows.start * cell, north - rows.stop * cell
    middle = ((left + right) / 2, (top + bottom) / 2)
    found = []
    for x, y, out_x, out_y in (
        (left, middle[1], -1, 0),
        (right, middle[1], 1, 0),
        (middle[0], top, 0, 1),
        (middle[0], bottom, 0, -1),
    ):
        for sign, wet in ((1, False), (-1, True)):
            lon, lat = Transformer.from_crs(shown.UTM, 4326, always_xy=True).transform(
                x + sign * out_x * INSIDE_M, y + sign * out_y * INSIDE_M
            )
            found.append((lon, lat, wet))
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_lies_where_its_water_is_and_goes_with_it(open_map: OpenMap, scheme: str) -> None:
    page = open_map("?bare=1", color_scheme=scheme).page
    classes = depth_classes(Theme(dark=scheme == "dark"))
    expected = tuple(int(classes.colours[2][i : i + 2], 16) for i in (1, 3, 5))
    places = around_the_pool()
    for zoom in (13.2, 15.3, 16.9):
        for lon, lat, wet in places:
            look_at(page, lon, lat, zoom)
            *seen, alpha = colour(page, "fieldCanvas", lon, lat)
            assert (alpha > 0) == wet, (zoom, lon, lat)
            if wet:
                assert np.abs(np.subtract(seen, expected)).max() <= 3
    expect(page.locator(".legend")).to_contain_text("Depth of standing water")
    expect(page.locator(".legend")).to_contain_text("24 to 36 in")

    lon, lat = next((lon, lat) for lon, lat, wet in places if wet)
    look_at(page, lon, lat, 14)
    for there in (False, True):
        page.get_by_text("Flood", exact=True).click()
        page.wait_for_function(f"Boolean({HOOK}.made.image) === {str(there).lower()}")
        ready(page)
        assert (colour(page, "fieldCanvas", lon, lat)[3] > 0) == there


def test_zoomed_out_points_are_thinned_but_never_those_of_the_list(open_map: OpenMap) -> None:
    page = open_map().page
    share = page.locator(".legend .share")
    expect(share).to_have_text(re.compile(r"about 1 in \d+ of the others drawn"))
    lon, lat = shown.places()
    for i in shown.ON_THE_LIST:
        red, green, blue, alpha = colour(page, "pointCanvas", lon[i], lat[i])
        assert alpha == 255
        assert np.abs(np.subtract((red, green, blue), (0xCC, 0x79, 0xA7))).max() <= 3

    look_at(page, float(lon[0]), float(lat[0]), 17)
    expect(share).to_be_hidden()
    drawn = page.evaluate(f"{HOOK}.made.share")
    assert drawn == 1


def test_a_click_picks_the_nearest_of_80000_points_and_gives_it_a_ring(open_map: OpenMap) -> None:
    page = open_map().page
    lon, lat = shown.places()
    zoom, near = 16.2, 4_002
    look_at(page, float(lon[near]), float(lat[near]), zoom)
    around = page.locator(".layer.surface").bounding_box()
    assert around is not None
    px, py = around["width"] / 2 + 3, around["height"] / 2 - 1
    x, y = around["x"] + px, around["y"] + py
    at_lon, at_lat = page.evaluate(f"([x, y]) => {HOOK}.view.toLonLat(x, y)", [px, py])
    nearest = int(np.hypot((lon - at_lon) * np.cos(np.radians(at_lat)), lat - at_lat).argmin())

    page.mouse.move(x, y)
    expect(page.get_by_role("tooltip")).to_have_text(shown.CLASSES[int(shown.kinds()[nearest])].label)
    page.mouse.click(x, y)
    expect(page.locator('[data-testid="stCode"] code')).to_have_text(f'["{nearest}"]')
    ready(page)

    assert page.evaluate(f"{HOOK}.made.points.chosen") == [nearest]
    px, py = page.evaluate(
        f"([lon, lat]) => {HOOK}.place(lon, lat)", [float(lon[nearest]), float(lat[nearest])]
    )
    size = page.evaluate(f"{HOOK}.made.points.classes[{HOOK}.made.points.kinds[{nearest}]].radius_px")
    radius = size * min(1.8, 2 ** ((zoom - 15) / 2)) + 4
    ring = page.evaluate(
        f"([x, y]) => Array.from({HOOK}.pointCanvas.getContext('2d').getImageData(x, y, 1, 1).data)",
        [int(px + radius), int(py)],
    )
    assert max(ring[:3]) < 60
    assert ring[3] > 200


def test_a_new_route_is_gone_to_and_its_stops_are_picked(open_map: OpenMap) -> None:
    page = open_map(color_scheme="dark").page
    look_at(page, WEST + 20 * STEP, SOUTH + 14 * STEP, 15)
    page.get_by_text("Other route", exact=True).click()
    page.wait_for_function(
        f"(stops) => stops.every((stop) => {{ const [x, y] = {HOOK}.place(...stop);"
        f"return x > 0 && y > 0 && x < {HOOK}.view.width && y < {HOOK}.view.height; }})",
        arg=[[WEST + column * STEP, SOUTH + row * STEP] for column, row in shown.OTHER_STOPS],
    )

    page.get_by_text("Other route", exact=True).click()
    middle = (WEST + 5 * STEP, SOUTH + 3 * STEP)
    # The server answers the click when it will, and the map then goes to the first route by itself.
    for _ in range(40):
        look_at(page, *middle, 15.5)
        shown_there = colour(page, "routeCanvas", *middle)
        if shown_there == (0x00, 0x9E, 0x73, 255):
            break
        page.wait_for_timeout(250)
    assert shown_there == (0x00, 0x9E, 0x73, 255)

    page.mouse.move(*on_page(page, WEST + 6 * STEP, SOUTH + 5 * STEP))
    expect(page.get_by_role("tooltip")).to_have_text("Stop 3")
    page.mouse.click(*on_page(page, WEST + 6 * STEP, SOUTH + 5 * STEP))
    expect(page.locator('[data-testid="stCode"] code')).to_have_text('["stop3"]')
    expect(page.locator(".legend")).to_contain_text("Truck 1")

    beyond = (WEST - 0.002, SOUTH + 6 * STEP)
    look_at(page, *beyond, 16.5)
    page.mouse.click(*on_page(page, *beyond))
    first = (WEST + 4 * STEP, SOUTH + 3 * STEP)
    look_at(page, *first, 16.5)
    page.mouse.click(*on_page(page, *first))
    expect(page.locator('[data-testid="stCode"] code')).to_have_text('["stop3", "stop1"]')
