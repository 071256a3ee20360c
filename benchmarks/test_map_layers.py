"""Frames of a pan with 80,000 points on the map, against deck.gl's own layer of the same points."""

from pathlib import Path
from typing import cast

import pytest

from benchmarks.conftest import Report
from tests.e2e.apps import layers_app
from tests.e2e.conftest import OpenPage, StartApp

pytestmark = pytest.mark.browser

HOOK = "window.__crescentMaps.get('map')"
READY = f"window.__crescentMaps?.get('map')?.deck.instance && {HOOK}.made.idle"
LIMIT_MS = 60
PAN = f"""async (frames) => {{
  const map = {HOOK}, times = [];
  let last = performance.now();
  for (let i = 0; i < frames; i += 1) {{
    map.view.set({{ cx: map.view.cx + (i % 10 < 5 ? 6 : -6) / map.view.scale }});
    map.deck.move(map.view);
    map.redraw("view");
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }}
  return times.sort((a, b) => a - b)[Math.floor(frames / 2)];
}}"""
DRAW_ALL = f"() => {HOOK}.made.points.classes.forEach((look) => {{ look.thinned = false; }})"
BY_DECK = f"""() => {{
  const map = {HOOK}, {{ x, y, count }} = map.made.places, p = map.projection;
  const data = Array.from({{ length: count }}, (_, i) => [p.lon(x[i]), p.lat(y[i])]);
  map.made.points = null;
  const layer = new window.deck.ScatterplotLayer({{
    id: "all", data, getPosition: (d) => d, getRadius: 2, radiusUnits: "pixels" }});
  map.deck.instance.setProps({{ layers: [layer] }});
}}"""


def test_pan(
    report: Report, start_app: StartApp, open_page: OpenPage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pan over 80,000 points, a picture of water and a route; then over the points as deck.gl draws them."""
    url = start_app(
        Path(layers_app.__file__), env={"CRESCENT_CITIES": str(tmp_path_factory.mktemp("cities"))}
    )
    page = open_page(url).page
    page.wait_for_function(READY)
    page.wait_for_timeout(1_000)
    thinned_ms = cast("float", page.evaluate(PAN, 40))
    page.evaluate(DRAW_ALL)
    mine_ms = cast("float", page.evaluate(PAN, 40))
    page.evaluate(BY_DECK)
    page.wait_for_timeout(5_000)
    peer_ms = cast("float", page.evaluate(PAN, 4))
    report(
        f"Pan over {layers_app.N_POINTS:,} points, a picture of water and streets, Chromium without GPU",
        f"{mine_ms:.0f} ms a frame; thinned as one sees them: {thinned_ms:.0f} ms",
        f"the points as deck.gl's ScatterplotLayer: {peer_ms:.0f} ms, {peer_ms / mine_ms:.0f} times",
        f"under {LIMIT_MS} ms",
        mine_ms < LIMIT_MS,
        headline=True,
    )
