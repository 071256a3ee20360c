"""More than chance, and how concentrated: the funnel, the check of the expectations, and the J-curve."""

from dataclasses import dataclass

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from models.concentration import JCurve, generalised_gini, j_curve
from models.outlet_funnel import funnel_limits, overdispersion
from pages.parts.bars_inputs import SEED, BarsChoice, BarsView
from pages.parts.bars_map import BANNER_PX
from pages.parts.bars_scene import VERDICTS, Scene
from pages.parts.notes import note

FUNNEL_PX, CURVE_PX = 216, 250
LEVELS = (0.95, 0.998)
_STYLE = """
<style>
.cr-kinds { width: 100%; font-size: .78rem; line-height: 1.45; border-collapse: collapse; }
.cr-kinds :is(td, th) { padding: 0; text-align: right; font-variant-numeric: tabular-nums; }
.cr-kinds :is(td, th):first-child { text-align: left; } .cr-kinds th { font-weight: 600; }
</style>
"""
NULLS = {"expected": "As expected of each", "even": "All doors alike"}
_LEAST_EXPECTED = 0.05
Layers = alt.LayerChart | alt.FacetChart
_GRID_POINTS = 80


def chance_view(scene: Scene) -> None:
    """Show the funnel and, below it, whether the expectations hold by kind of outlet."""
    found = scene.found
    shown = scene.shown & found.judged & (found.expected > _LEAST_EXPECTED)
    if not shown.any():
        st.info("No outlet of these kinds is judged: the card of each says why.")
        return
    judged = found.judged
    phi = overdispersion(found.observed[judged], found.expected[judged])
    st.altair_chart(_funnel(scene, shown, phi), width="stretch")
    note(funnel_words(found.observed[shown], found.expected[shown], phi))
    st.html(calibration_html(scene))


def funnel_counts(
    observed: npt.NDArray[np.float64], expected: npt.NDArray[np.float64], phi: float
) -> tuple[int, ...]:
    """Doors above each of the upper limits."""
    return tuple(
        int((observed / expected > funnel_limits(expected, level, phi)[1]).sum()) for level in LEVELS
    )


def funnel_words(observed: npt.NDArray[np.float64], expected: npt.NDArray[np.float64], phi: float) -> str:
    """Say how many doors lie above the limits, and how wide those are."""
    outer, far = funnel_counts(observed, expected, phi)
    n = len(observed)
    wide = (
        f"widened {np.sqrt(phi):.1f} times, as doors differ more than chance makes them (phi {phi:.1f})"
        if phi > 1
        else "not widened, as most doors differ no more than chance makes them"
    )
    return (
        f"{outer} of {n:,} doors lie above the 95 % limit (solid), {far} above 99.8 % (dashed); by chance "
        f"{0.025 * n:.0f} and {0.001 * n:.1f} would. Limits: exact Poisson, {wide} (Spiegelhalter 2005)."
    )


def calibration_html(scene: Scene) -> str:
    """Set incidents beside expectations, added up by kind of outlet."""
    rows = "".join(
        f"<tr><td>{one.category.capitalize()}</td><td>{one.outlets:,}</td><td>{one.observed:,.0f}</td>"
        f"<td>{one.expected:,.0f}</td><td>{one.ratio.value:.2f} "
        f"({one.ratio.low:.2f} to {one.ratio.high:.2f})</td></tr>"
        for one in scene.found.calibration
    )
    head = "<tr><th>Kind</th><th>Doors</th><th>Incidents</th><th>Expected</th><th>Ratio (95 %)</th></tr>"
    title = "Near 1 for every kind: the expectations hold."
    return f'{_STYLE}<table class="cr-kinds" title="{title}">{head}{rows}</table>'


def _funnel(scene: Scene, shown: npt.NDArray[np.bool_], phi: float) -> Layers:
    found = scene.found
    doors = np.flatnonzero(shown)
    dots = pd.DataFrame(
        {
            "expected": found.expected[doors],
            "ratio": found.observed[doors] / found.expected[doors],
            "verdict": scene.verdict[doors],
            "door": [scene.label(int(door)) for door in doors],
            "line": [scene.line(int(door)) for door in doors],
        }
    )
    grid = np.geomspace(dots["expected"].min(), dots["expected"].max() * 1.05, _GRID_POINTS)
    lines = pd.concat(
        [
            pd.DataFrame({"expected": grid, "limit": limit, "level": f"{100 * level:g} %", "side": side})
            for level in LEVELS
            for side, limit in enumerate(funnel_limits(grid, level, phi))
        ]
    )
    top = float(np.quantile(dots["ratio"], 0.998) * 1.1) + 0.5
    across = alt.X(
        "expected:Q",
        scale=alt.Scale(type="log", nice=False),
        title="incidents expected",
        axis=alt.Axis(tickCount=5, grid=False, titlePadding=2),
    )
    up = alt.Scale(domain=[0, top], clamp=True)
    limits = (
        alt.Chart(lines)
        .mark_line(color=scene.theme.muted, strokeWidth=1.1, clip=True)
        .encode(
            x=across,
            y=alt.Y("limit:Q", scale=up, title="times expected"),
            detail=["level:N", "side:N"],
            strokeDash=alt.StrokeDash("level:N", legend=None),
        )
    )
    held = [verdict for verdict in VERDICTS if (dots["verdict"] == verdict).any()]
    points = (
        alt.Chart(dots)
        .mark_circle(size=28, opacity=0.85, clip=True)
        .encode(
            x=across,
            y=alt.Y("ratio:Q", scale=up),
            color=alt.Color(
                "verdict:N",
                scale=alt.Scale(domain=held, range=[scene.colour(verdict) for verdict in held]),
                legend=None,
            ),
            order=alt.Order("rank:Q"),
            tooltip=[alt.Tooltip("door:N", title="Door"), alt.Tooltip("line:N", title="Figures")],
        )
        .transform_calculate(rank=f"-indexof({list(VERDICTS)}, datum.verdict)")
    )
    one = (
        alt.Chart(pd.DataFrame({"at": [1.0]}))
        .mark_rule(color=scene.theme.muted, opacity=0.5)
        .encode(y="at:Q")
    )
    return _plain(alt.layer(one, limits, points), FUNNEL_PX - _banner(scene))


@dataclass(frozen=True, eq=False)
class Concentration:
    """The J-curve of one drawing, and the Gini's range over all drawings."""

    curve: JCurve
    gini_low: float
    gini_high: float
    doors: int
    incidents: int


@st.cache_resource(show_spinner="Throwing incidents by chance …", max_entries=12)
def concentration_of(_view: BarsView, version: str, choice: BarsChoice, null: str) -> Concentration:  # noqa: ARG001
    """Draw the curve once a choice: of the drawing whose Gini is in the middle of all."""
    judged = _view.found.judged
    counts = _view.counts[:, judged]
    gini = np.array([generalised_gini(row) for row in counts])
    middle = int(np.argsort(gini)[len(gini) // 2])
    curve = j_curve(
        counts[middle], weights=_view.found.expected[judged] if null == "expected" else None, seed=SEED
    )
    low, high = np.quantile(gini, [0.025, 0.975])
    return Concentration(curve, float(low), float(high), int(judged.sum()), int(counts[middle].sum()))


def concentration_view(scene: Scene, *, scope: str) -> None:
    """Show how much of all incidents is at how few doors, beside what chance would do."""
    if not scene.found.judged.any() or not scene.view.counts[:, scene.found.judged].sum(axis=1).all():
        st.info("No outlet is judged with an incident of its own, so nothing is concentrated.")
        return
    null = st.segmented_control(
        "Compared with chance",
        list(NULLS),
        format_func=NULLS.__getitem__,
        default="expected",
        required=True,
        key=f"{scope}.null",
        help="Chance throws as many incidents on the doors: by what is expected of each, or evenly.",
        width="stretch",
    )
    found = concentration_of(scene.view, scene.city.version, scene.choice, str(null or "expected"))
    curve = found.curve
    st.altair_chart(_j_chart(scene, curve), width="stretch")
    tenth, by_chance = curve.share_of(0.10)
    note(
        f"A tenth of the {found.doors:,} doors hold {tenth:.0%} of the {found.incidents:,} incidents that "
        f"fall to "
        f"doors; by chance {by_chance:.0%}. Generalized Gini {curve.gini:.2f} ({found.gini_low:.2f} to "
        f"{found.gini_high:.2f} over 100 ways to share incidents out), by chance {curve.gini_null:.2f} "
        f"(p {'under' if curve.p <= 0.001 else '='} {max(curve.p, 0.001):.3f}, 999 throws). 0 is as even "
        f"as whole "
        "incidents can be, 1 all at one door (Bernasco and Steenbeek 2017)."
    )
    note("All kinds of outlets are in it. Shaded: where 95 % of the throws lie.")


def _j_chart(scene: Scene, curve: JCurve) -> Layers:
    keep = np.unique(np.linspace(0, len(curve.places) - 1, 160).astype(int))
    table = pd.DataFrame(
        {
            "doors": 100 * curve.places[keep],
            "counted": 100 * curve.share[keep],
            "chance": 100 * curve.null[keep],
            "low": 100 * curve.null_low[keep],
            "high": 100 * curve.null_high[keep],
        }
    )
    across = alt.X(
        "doors:Q",
        title="% of doors, the fullest first",
        axis=alt.Axis(titlePadding=2),
        scale=alt.Scale(domain=[0, 100]),
    )
    base = alt.Chart(table).encode(x=across)
    tips = [
        alt.Tooltip("doors:Q", format=".0f", title="% of doors"),
        alt.Tooltip("counted:Q", format=".0f", title="% of incidents"),
        alt.Tooltip("low:Q", format=".0f", title="by chance from"),
        alt.Tooltip("high:Q", format=".0f", title="to"),
    ]
    band = base.mark_area(color=scene.theme.muted, opacity=0.3).encode(
        y=alt.Y("low:Q", title="% of incidents", scale=alt.Scale(domain=[0, 100])), y2="high:Q", tooltip=tips
    )
    null = base.mark_line(color=scene.theme.muted, strokeDash=[4, 3], strokeWidth=1.3).encode(y="chance:Q")
    seen = base.mark_line(color=scene.accent, strokeWidth=2.4).encode(y="counted:Q", tooltip=tips)
    words = pd.DataFrame(
        {"doors": [62.0, 62.0], "y": [22.0, 12.0], "text": ["solid: as counted", "dashed: by chance"]}
    )
    named = (
        alt.Chart(words)
        .mark_text(align="left", color=scene.theme.muted, fontSize=11)
        .encode(x="doors:Q", y="y:Q", text="text:N")
    )
    return _plain(alt.layer(band, null, seen, named), CURVE_PX - _banner(scene))


def _banner(scene: Scene) -> int:
    """Pixels that the banner takes where nobody is named."""
    return 0 if scene.naming.allowed else BANNER_PX


def _plain(chart: Layers, height: int) -> Layers:
    plain: Layers = chart.properties(
        height=height, padding={"left": 0, "right": 4, "top": 4, "bottom": 0}
    ).configure_view(stroke=None)
    return plain
