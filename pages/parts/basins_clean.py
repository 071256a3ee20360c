"""Which to clean first: a list for a budget, what it spares, today's lists, and lines to clean first."""

from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from models.basin_choice import Choice
from models.basin_lists import PLAN, RANDOM, UNKNOWN_WITHOUT_ELEVATION, ListValue, list_cost
from models.flood_harm import harm
from pages.parts.basins_map import Layers, picked_basin
from pages.parts.basins_plan import COMPARED, CleanPlan, budgets, clean_plan
from pages.parts.basins_scene import (
    GALLON_M3,
    MILE_M,
    Scene,
    count,
    csv_button,
    miles,
    percent,
    sources_words,
    table_height,
)
from pages.parts.basins_setting import GOALS, Goal
from pages.parts.basins_states import basin_card
from pages.parts.basins_water import depth_image
from pages.parts.figures import Figure, big_figures
from pages.parts.map_layers import HIDDEN, PointClass
from pages.parts.notes import note

SPARED: dict[Goal, str] = {"people": "people", "streets": "mi of street"}
ROWS, CHART_PX = 5, 132
LITTLE = 0.05
"""Where every basin clean would spare less than this share of the harm, the page says so first."""


@dataclass(frozen=True)
class Spared:
    """What a list spares (mean, and where 90 % of the draws lie), of what is harmed, in one goal's words."""

    goal: Goal
    value: float
    low: float
    high: float
    harmed: float

    def say(self, value: float) -> str:
        """Say a figure in people or miles."""
        return count(value) if self.goal == "people" else miles(value)


def layers(scene: Scene, *, scope: str) -> Layers:  # noqa: ARG001 -- all questions are asked alike
    """Show the list's basins, and those whose line comes first, over the water."""
    plan = clean_plan(scene)
    kind = np.full(len(scene.inputs.basins), HIDDEN, dtype=np.uint8)
    kind[plan.line] = 0
    kind[plan.basins] = 1
    dark = scene.theme.dark
    classes = [
        PointClass("Line first: suspected or known to be blocked", "#8A9199", 2.0, "clean the line first"),
        PointClass(
            "On the list",
            "#FFB84D" if dark else "#D55E00",
            3.6,
            f"on the list ({len(plan.basins):,})",
            thinned=False,
        ),
    ]
    return Layers(depth_image(scene), kind, classes)


def view(scene: Scene, *, scope: str) -> None:
    """Show the list and what it is worth."""
    plan = clean_plan(scene)
    if not plan.stops:
        st.info(
            "No truck, no day: raise Trucks and Days on the left to get a list.",
            icon=":material/local_shipping:",
        )
        return
    chosen = picked_basin(scene, scope)
    if plan.plan is None:
        _by_records(plan)
    elif scene.water is not None and scene.water.storm.is_dry:
        st.info(
            f"{scene.water.storm.words} The list goes by the chance of being clogged.",
            icon=":material/sunny:",
        )
    else:
        _worth(scene, plan)
    warn_by_rule(scene)
    if chosen is not None:
        basin_card(scene, chosen)
    names = ["List", "Today's lists", "More trucks?", "Line first"] if plan.lists else ["List", "Line first"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    table = list_table(scene, plan)
    with tabs["List"]:
        _list(scene, plan, table, scope=scope, rows=ROWS - 3 * (chosen is not None) - scene.inputs.by_rule)
    with tabs["Line first"]:
        _line(scene, plan, scope=scope)
    if plan.lists:
        with tabs["Today's lists"]:
            _today(scene, plan)
        with tabs["More trucks?"]:
            _more(scene, plan)


def warn_by_rule(scene: Scene) -> None:
    """Say where no basin was surveyed that a list of them sends nobody anywhere."""
    if scene.inputs.by_rule:
        note(
            "The basins are placed by a rule and nobody has looked at any: this shows the method, and where "
            "it would look first. Send no crew by it."
        )


def spared_of(scene: Scene, plan: CleanPlan, goal: Goal) -> Spared | None:
    """Give what the list spares by the whole storm model; None without elevation."""
    if scene.surface is None or scene.water is None or not plan.lists:
        return None
    items = scene.surface.reach.people if goal == "people" else scene.surface.reach.shut
    first = plan.lists[0]
    return Spared(
        goal,
        first.avoided[items.name],
        first.low[items.name],
        first.high[items.name],
        harm(items, scene.water.level_m),
    )


def _worth(scene: Scene, plan: CleanPlan) -> None:
    goal = scene.setting.goal
    spared = spared_of(scene, plan, goal)
    if spared is None or plan.plan is None or plan.benefits is None:
        return
    pools = len(np.unique(plan.plan.pool[plan.plan.pool >= 0]))
    reach = plan.benefits.best / plan.benefits.harm if plan.benefits.harm > 0 else 0.0
    if reach < LITTLE:
        st.markdown(
            f"**In this storm cleaning spares little:** {percent(reach)} with every basin clean. "
            f"{_limit(plan)}"
        )
    else:
        useful = len(plan.basins) - plan.plan.spare
        st.markdown(
            f"**Clean these {useful:,} basins in {pools:,} pools:** {spared.say(spared.value)} of "
            f"about {spared.say(spared.harmed)} {SPARED[goal]} stay dry."
        )
    other = spared_of(scene, plan, GOALS[1 - GOALS.index(goal)])
    best = best_of_today(plan)
    choice = plan.plan.choice
    dollars, pounds = list_cost(
        len(plan.basins), usd_each=scene.rules.crew.cost_usd, kg_each=scene.rules.crew.debris_kg
    )
    big_figures(
        [
            Figure(
                "People spared" if goal == "people" else "Street spared, mi",
                spared.say(spared.value),
                f"{spared.say(spared.low)} to {spared.say(spared.high)} over {COMPARED} draws",
                f"The storm run again with these basins open, over {COMPARED} draws of the basins' states, "
                "on the ground as surveyed." + _also(other),
            ),
            Figure(
                "Best of today's lists",
                "" if best is None else spared.say(best[2]),
                "" if best is None else best[0],
                "At the same number of basins, by the whole storm model: oldest first, most complaints, "
                f"highest single score.{_ahead(best)}",
            ),
            Figure(
                "Gap to the bound",
                "none" if choice is None else percent(choice.gap),
                _greedy(choice),
                "No choice of numbers of basins, low grounds apart and each in its own order, can spare more "
                "than the bound; the plan is the best of them. Lazy greedy for comparison.",
            ),
            Figure(
                "Cost",
                f"${dollars:,.0f}",
                f"{pounds:,.0f} lb of debris",
                f"At ${scene.rules.crew.cost_usd:,.0f} a basin. {scene.rules.crew.source}",
            ),
        ]
    )


def _ahead(best: tuple[str, float, float] | None) -> str:
    """Say how far the plan is ahead; such a ratio stands on few, so it is no headline."""
    return "" if best is None or not np.isfinite(best[1]) else f" The plan spares {_times(best[1])} as much."


def _greedy(choice: Choice | None) -> str:
    return (
        "" if choice is None or not choice.value else f"greedy gets {percent(choice.greedy / choice.value)}"
    )


def _also(other: Spared | None) -> str:
    return "" if other is None else f" It also spares {other.say(other.value)} {SPARED[other.goal]}."


def _limit(plan: CleanPlan) -> str:
    """Say what limits every list, where it is mostly one thing."""
    benefits = plan.benefits
    if benefits is None or benefits.harm <= 0:
        return ""
    if benefits.pumps_harm > benefits.harm / 2:
        return "The pumps take all they can."
    return "Most low ground has no basin that drains it." if benefits.dry_harm > benefits.harm / 2 else ""


def best_of_today(plan: CleanPlan) -> tuple[str, float, float] | None:
    """Name the best of today's lists, how many times as much the plan spares, and what the list does."""
    if not plan.lists:
        return None
    name = next(iter(plan.lists[0].avoided))
    others = [value for value in plan.lists if value.name not in {PLAN, RANDOM}]
    best = max(others, key=lambda value: value.avoided[name])
    return best.name, best.times[name], best.avoided[name]


def _times(value: float) -> str:
    if np.isnan(value):
        return "none"
    if np.isinf(value):
        return "theirs: 0"
    return f"{value:.1f} times" if value < 10 else f"{count(value)} times"


def list_table(scene: Scene, plan: CleanPlan) -> pd.DataFrame:
    """One row a basin, in the order of the list."""
    rows, inputs, chance = plan.basins, scene.inputs, scene.known.states.chance
    table = pd.DataFrame(
        {
            "place": np.arange(1, len(rows) + 1),
            "basin": inputs.basins["basin_id"].to_numpy()[rows],
            "street": [inputs.street[row] for row in rows],
            "neighborhood": [scene.place(int(area)) for area in inputs.area[rows]],
            "p_clogged": 100 * chance["clogged"].mean[rows],
            "low": 100 * chance["clogged"].low[rows],
            "high": 100 * chance["clogged"].high[rows],
        }
    )
    if plan.plan is not None:
        pool = plan.plan.pool
        table["pool"] = pd.Series(np.where(pool >= 0, pool + 1, 0)).astype("Int64").where(pool >= 0)
        table["gallons"] = plan.plan.adds_m3 / GALLON_M3
    return table.assign(lon=inputs.lon[rows], lat=inputs.lat[rows])


def _list(scene: Scene, plan: CleanPlan, table: pd.DataFrame, *, scope: str, rows: int) -> None:
    column = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        row_height=25,
        height=table_height(len(table), most=rows),
        column_config={
            "place": None,
            "basin": column.TextColumn("Basin", width=64, pinned=True),
            "street": column.TextColumn("Street", width=104),
            "neighborhood": column.TextColumn("Neighborhood", width=100),
            "p_clogged": column.NumberColumn("Clogged %", format="%.0f", width=72),
            "pool": column.NumberColumn(
                "Pool", width=40, help="Empty: added by score, as the storm tells nothing apart."
            ),
            "gallons": column.NumberColumn(
                "Gallons",
                format="localized",
                width=66,
                help="More let out until its pool's peak, if it is cleaned.",
            ),
            "low": None,
            "high": None,
            "lon": None,
            "lat": None,
        },
    )
    csv_button("List (CSV)", table, f"{scene.city.slug}-list", key=f"{scope}.list")
    spare = 0 if plan.plan is None else plan.plan.spare
    rest = f"The last {spare:,} gain nothing in this storm; they go by score. " if spare else ""
    note(f"{rest}{sources_words(scene.city, ('basins',))}")


def _line(scene: Scene, plan: CleanPlan, *, scope: str) -> None:
    inputs, chance = scene.inputs, scene.known.states.chance["line blocked"]
    rows = plan.line[np.argsort(-plan.score[plan.line], kind="stable")]
    table = pd.DataFrame(
        {
            "basin": inputs.basins["basin_id"].to_numpy()[rows],
            "street": [inputs.street[row] for row in rows],
            "neighborhood": [scene.place(int(area)) for area in inputs.area[rows]],
            "p_line_blocked": 100 * chance.mean[rows],
        }
    )
    note(
        f"{len(rows):,} basins over a line that is known or suspected to be blocked: cleaning them gains "
        "nothing until the line is clean. They are on no list above."
    )
    column = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        row_height=25,
        height=table_height(len(table), most=ROWS - 2),
        column_config={
            "basin": column.TextColumn("Basin", width=76),
            "street": column.TextColumn("Street", width=110),
            "neighborhood": column.TextColumn("Neighborhood", width=100),
            "p_line_blocked": column.NumberColumn("Blocked %", format="%.0f", width=70),
        },
    )
    csv_button("Line first (CSV)", table, f"{scene.city.slug}-line-first", key=f"{scope}.line")


def today_table(scene: Scene, values: tuple[ListValue, ...]) -> pd.DataFrame:
    """One row a list: what it spares, and how many times as much the plan spares."""
    if scene.surface is None:
        return pd.DataFrame()
    people, street = scene.surface.reach.people.name, scene.surface.reach.shut.name
    first = next(iter(values[0].avoided))
    return pd.DataFrame(
        {
            "list": [value.name.capitalize() for value in values],
            "people": [value.avoided[people] for value in values],
            "people_low": [value.low[people] for value in values],
            "people_high": [value.high[people] for value in values],
            "street_mi": [value.avoided[street] / MILE_M for value in values],
            "plan_times": [_times(value.times[first]) if value.name != PLAN else "" for value in values],
        }
    )


def _today(scene: Scene, plan: CleanPlan) -> None:
    column = st.column_config
    table = today_table(scene, plan.lists)
    st.dataframe(
        table,
        hide_index=True,
        row_height=27,
        height=27 * len(table) + 38,
        column_config={
            "list": column.TextColumn("List", width=128),
            "people": column.NumberColumn("People", format="%.0f", width=56),
            "people_low": None,
            "people_high": None,
            "street_mi": column.NumberColumn("Street mi", format="%.1f", width=66),
            "plan_times": column.TextColumn("Plan is", width=74),
        },
    )
    why = next((value.why for value in plan.lists if value.why), "")
    note(
        f"{len(plan.basins):,} basins each, spared by the whole storm run again. "
        f"{why or plan.limits} Means over {COMPARED} draws of which basins are clogged: nobody knows."
    )


def _more(scene: Scene, plan: CleanPlan) -> None:
    found = budgets(plan)
    say = "weighted " if scene.setting.fair else ""
    unit = f"{say}{SPARED[scene.setting.goal]}"
    scale = 1.0 if scene.setting.goal == "people" else 1 / MILE_M
    table = pd.DataFrame([(0, 0.0), *found], columns=["stops", "spared"]).assign(
        spared=lambda frame: frame["spared"] * scale
    )
    accent = "#56B4E9" if scene.theme.dark else "#0072B2"
    chart = (
        alt.Chart(table)
        .mark_line(color=accent, point=alt.OverlayMarkDef(color=accent, size=46))
        .encode(
            x=alt.X("stops:Q", title="basins cleaned", axis=alt.Axis(titlePadding=2, tickCount=5)),
            y=alt.Y("spared:Q", title=unit, axis=alt.Axis(tickCount=4)),
            tooltip=[alt.Tooltip("stops:Q", format=","), alt.Tooltip("spared:Q", format=",.1f")],
        )
        .properties(height=CHART_PX, padding={"left": 0, "right": 6, "top": 6, "bottom": 2})
        .configure_view(stroke=None)
    )
    st.altair_chart(chart, width="stretch")
    crew = scene.rules.crew.basins_a_truck_day
    note(
        f"A quarter to four times today's {plan.stops:,} basins ({crew:g} a truck-day), pools apart, without "
        "floors. Where the line is flat, more trucks gain nothing in this storm."
    )


def _by_records(plan: CleanPlan) -> None:
    st.markdown(
        f"**Clean these {len(plan.basins):,} basins: by records alone.** The likelier clogged come first, "
        "more so where streets are reported to flood, allowing for how readily people report."
    )
    note("Without elevation it cannot be known:")
    st.html(
        '<ul style="font-size:.78rem;line-height:1.35;margin:0;padding-left:1.1rem">'
        + "".join(f"<li>{words}</li>" for words in UNKNOWN_WITHOUT_ELEVATION)
        + "</ul>"
    )
