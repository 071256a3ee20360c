"""In what state are the basins: chances on the map, who complains beside who floods, and one basin's card."""

from html import escape

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from models.basin_inputs import complaints_and_floods, rank_agreement
from models.basin_state import PRIORS, STATES, Records
from models.flood_harm import harmed
from pages.parts.basins_inputs import Known
from pages.parts.basins_map import Layers, picked_basin
from pages.parts.basins_scene import Scene, count, csv_button, percent, sources_words, table_height
from pages.parts.figures import Figure, big_figures
from pages.parts.map_layers import PointClass
from pages.parts.notes import note

FloatArray = npt.NDArray[np.float64]
CUTS = (0.2, 0.4, 0.6, 0.8)
LABELS = ("under 20 %", "20 to 40 %", "40 to 60 %", "60 to 80 %", "80 % and more")
SUSPECTED = 0.5
CHART_PX = 104
DAYS_A_YEAR = 365.25
LIGHT = ("#4D9BD1", "#9CC4DF", "#E6B84A", "#E07B1A", "#A63603")
DARK = ("#3E7CA8", "#7FB2D3", "#C9A24A", "#F08A24", "#FF5A36")
_STYLE = """
<style>
.cr-basin { font-size: .8rem; line-height: 1.4; border-left: 4px solid #E69F00;
            padding: .1rem 0 .1rem .6rem; }
.cr-basin h4 { font-size: .95rem; margin: 0; padding: 0; line-height: 1.25; }
.cr-basin p { margin: .1rem 0 0 0; font-size: .8rem; line-height: 1.36; }
</style>
"""


def state_classes(scene: Scene) -> list[PointClass]:
    """Colours of P(clogged), from blue to red, and of lines that are suspected."""
    colours = DARK if scene.theme.dark else LIGHT
    classes = [
        PointClass(f"P(clogged) {label}", colour, 2.4, f"clogged: {label}")
        for label, colour in zip(LABELS, colours, strict=True)
    ]
    line = "#E6EBEF" if scene.theme.dark else "#1F2A33"
    return [*classes, PointClass("Line suspected or known to be blocked", line, 2.8, "line blocked?")]


def layers(scene: Scene, *, scope: str) -> Layers:  # noqa: ARG001 -- all questions are asked alike
    """Every basin by its chance of being clogged."""
    chance = scene.known.states.chance
    kind = np.digitize(chance["clogged"].mean, CUTS).astype(np.uint8)
    kind[chance["line blocked"].mean >= SUSPECTED] = len(LABELS)
    return Layers(kind=kind, classes=state_classes(scene))


def view(scene: Scene, *, scope: str) -> None:
    """Show how many are clogged, who complains, who floods, and the basin that was picked."""
    chosen = picked_basin(scene, scope)
    states, known = scene.known.states, scene.known
    low, mean, high = city_share(known)
    n = len(scene.inputs.basins)
    looked = len(np.unique(known.looks.basin[known.looks.found != ""]))
    st.markdown(
        f"**About {count(mean * n)} of {n:,} basins are clogged.** "
        + (
            "Click a basin on the map to see its own chances."
            if looked
            else "Nobody has looked at any: this is the prior alone, and it is the same everywhere."
        )
    )
    blocked = states.chance["line blocked"].mean
    big_figures(
        [
            Figure(
                "Clogged",
                percent(mean),
                f"{percent(low)} to {percent(high)} (90 %)",
                f"Mean chance over all basins, and its 90 % interval; {looked:,} were looked at.",
            ),
            Figure(
                "Line blocked",
                percent(float(blocked.mean())),
                f"{int((blocked >= SUSPECTED).sum()):,} known or suspected",
                "A clean basin over a blocked pipe gains nothing: they stand on a list of their own.",
            ),
        ]
    )
    if chosen is not None:
        basin_card(scene, chosen)
    table = area_table(scene)
    _complaints(scene, table, small=chosen is not None)
    st.dataframe(
        table.drop(columns=["p_clogged_low", "p_clogged_high", "reporting_low", "reporting_high"]).assign(
            p_clogged=100 * table["p_clogged"], flooding=np.rint(table["flooding"])
        ),
        hide_index=True,
        row_height=25,
        height=table_height(len(table), most=_rows(scene, card=chosen is not None)),
        column_config=_columns(scene),
    )
    csv_button("Areas (CSV)", table, f"{scene.city.slug}-areas", key=f"{scope}.areas")
    note(_words(scene), help_text=" ".join(states.notes))


def _rows(scene: Scene, *, card: bool) -> int:
    """Rows of the table that fit below what else is shown."""
    return (3 if scene.inputs.reports is not None and scene.surface is not None else 8) - 2 * card


def city_share(known: Known) -> tuple[float, float, float]:
    """Low end, mean and high end (90 %) of the share of all basins that are clogged.

    Neighborhoods are taken to err together, which makes the interval wide rather than narrow.
    """
    now, standing = known.evidence.now, known.evidence.standing["clogged"]
    open_question = np.flatnonzero(~standing)
    rows = Records(
        now.features[open_question],
        now.found[open_question],
        now.reports[open_question],
        now.years[open_question],
        now.area[open_question],
    )
    found = known.states.models["clogged"].probability_by_area(rows)
    held = np.bincount(rows.area, minlength=len(found.mean))
    low, mean, high = (
        float((np.nansum(part * held) + standing.sum()) / len(standing))
        for part in (found.low, found.mean, found.high)
    )
    return low, mean, high


def area_table(scene: Scene) -> pd.DataFrame:
    """Who complains, in what state basins are, and who floods, by neighborhood."""
    inputs, known = scene.inputs, scene.known
    table = complaints_and_floods(
        known.evidence,
        known.states,
        inputs.report_counts(),
        names=[scene.place(area) for area in range(len(inputs.areas))],
        flooding=flooding(scene),
    )
    return table.sort_values("flooding" if scene.surface is not None else "p_clogged", ascending=False)


def flooding(scene: Scene) -> FloatArray:
    """(n_areas,) people reached by the storm in each neighborhood; NaN without elevation."""
    n = len(scene.inputs.areas)
    if scene.surface is None or scene.water is None:
        return np.full(n, np.nan)
    items = scene.surface.reach.people
    hit = harmed(items, scene.water.level_m)
    area = scene.surface.homes.area
    return np.asarray(
        np.bincount(np.where(area < 0, n - 1, area)[hit], items.weight[hit], n), dtype=np.float64
    )


def _complaints(scene: Scene, table: pd.DataFrame, *, small: bool) -> None:
    if scene.inputs.reports is None:
        note("No 311 reports are loaded: who complains is not known here.")
        return
    agreement = rank_agreement(table)
    said = [f"{agreement['p_clogged']:+.2f} with P(clogged)"]
    if np.isfinite(agreement["flooding"]):
        said.append(f"{agreement['flooding']:+.2f} with flooding")
    st.html(
        '<div style="font-size:.8rem;line-height:1.3"><b>Who complains is not who floods.</b> Rank agreement '
        f"of reports over neighborhoods: {' and '.join(said)} (1: the same order, 0: none).</div>"
    )
    if small or not np.isfinite(table["flooding"]).any():
        return
    accent = "#56B4E9" if scene.theme.dark else "#0072B2"
    chart = (
        alt.Chart(table.assign(percent=100 * table["p_clogged"]))
        .mark_circle(color=accent, opacity=0.75)
        .encode(
            x=alt.X(
                "reports_per_100:Q", title="311 reports a year, of 100 basins", axis=alt.Axis(titlePadding=2)
            ),
            y=alt.Y("flooding:Q", title="people", axis=alt.Axis(tickCount=3)),
            size=alt.Size("basins:Q", legend=None, scale=alt.Scale(range=[12, 140])),
            tooltip=[
                alt.Tooltip("area:N", title="Neighborhood"),
                alt.Tooltip("reports_per_100:Q", format=".1f", title="Reports a year of 100"),
                alt.Tooltip("flooding:Q", format=",.0f", title="People reached"),
                alt.Tooltip("percent:Q", format=".0f", title="P(clogged), %"),
            ],
        )
        .properties(height=CHART_PX, padding={"left": 0, "right": 4, "top": 4, "bottom": 2})
        .configure_view(stroke=None)
    )
    st.altair_chart(chart, width="stretch")


def basin_card(scene: Scene, basin: int) -> None:
    """Show what is known of one basin."""
    row, states = scene.inputs.basins.iloc[basin], scene.known.states
    lines = []
    for state in STATES:
        chance = states.chance[state]
        mean, low, high = (float(part[basin]) for part in (chance.mean, chance.low, chance.high))
        lines.append(f"{escape(state)} <b>{percent(mean)}</b> ({percent(low)} to {percent(high)})")
    days = float(scene.known.evidence.days_since_cleaned[basin])
    cleaned = "no cleaning on record" if np.isnan(days) else f"cleaned {_ago(days)} ago"
    reports = int(scene.inputs.report_counts()[basin])
    found = row["condition"]
    seen = f"; last found {found}" if isinstance(found, str) and found else ""
    st.html(
        f'{_STYLE}<div class="cr-basin"><h4>{escape(scene.basin_label(basin))}</h4>'
        f"<p>{escape(str(row['kind']).capitalize())}, {escape(scene.place(int(scene.inputs.area[basin])))}; "
        f"{cleaned}{escape(seen)}; {reports} reports in two years.</p><p>{'; '.join(lines)}.</p></div>"
    )


def _ago(days: float) -> str:
    return f"{days:.0f} days" if days < 120 else f"{days / DAYS_A_YEAR:.1f} years"


def _columns(scene: Scene) -> dict[str, ColumnConfig | None]:
    column = st.column_config
    return {
        "area": column.TextColumn("Neighborhood", width=120, pinned=True),
        "basins": None,
        "reports": None,
        "reports_per_100": column.NumberColumn(
            "Reports", format="%.1f", width=54, help="311 reports a year, of 100 basins."
        )
        if scene.inputs.reports is not None
        else None,
        "reporting": column.NumberColumn(
            "Reporting",
            format="%.1f",
            width=66,
            help="How readily people report: reports a year of 100 basins that are not clogged, as modelled.",
        )
        if scene.inputs.reports is not None
        else None,
        "p_clogged": column.NumberColumn("Clogged %", format="%.0f", width=68),
        "flooding": column.NumberColumn(
            "People", format="localized", width=58, help="Reached by the water of the storm on the left."
        )
        if scene.surface is not None
        else None,
    }


def _range(low: float, high: float) -> str:
    return f"{percent(low)} to {percent(high)}"


def _words(scene: Scene) -> str:
    prior = PRIORS["clogged"]
    told = [f"Chances on {scene.inputs.as_of:%-d %b %Y}; prior: clogged {_range(prior.low, prior.high)}."]
    if scene.inputs.by_rule:
        told.append("Basins are placed along the streets by a rule: none was surveyed.")
    if scene.known.key:
        told.append("Learned from the work uploaded in this session, too.")
    told.append(sources_words(scene.city, ("basins", "service_requests", "cleanings")))
    return " ".join(told)
