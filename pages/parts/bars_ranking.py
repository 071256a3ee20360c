"""Who stands out: the table of doors, and the card of the door that was picked."""

from collections.abc import Callable
from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from models.closing import ClosedHours, NotShown, closed_hours_control
from models.outlets import FALSE_SHARE
from pages.parts.bars_scene import VERDICTS, Scene, counted_words, percent, picked_door
from pages.parts.notes import note

ROW_PX, TABLE_PX, WITH_CARD_PX = 25, 242, 192
_STYLE = """
<style>
.cr-door { font-size: .8rem; line-height: 1.4; border-left: 4px solid var(--tone);
           padding: .1rem 0 .1rem .6rem; }
.cr-door h4 { font-size: .98rem; margin: 0; padding: 0; line-height: 1.25; }
.cr-door .cr-soft { opacity: .8; } .cr-door b { font-variant-numeric: tabular-nums; }
.cr-door p { margin: .15rem 0 0 0; font-size: .8rem; line-height: 1.36; }
.cr-door .cr-warn { color: var(--warn); font-weight: 600; }
</style>
"""


def ranking_view(scene: Scene, *, scope: str) -> None:
    """Show the table and, below it, the picked door or what the table says as a whole."""
    order = ranked(scene)
    table = ranking_table(scene, order)
    key = table_key(scene, scope)
    chosen = picked_door(scope, len(scene.inputs.doors))
    # The default belongs to the key: another one later would draw the table anew and lose its scroll.
    first = st.session_state.setdefault(f"{key}.first", np.flatnonzero(order == chosen).tolist())
    st.dataframe(
        table,
        hide_index=True,
        row_height=ROW_PX,
        height=(TABLE_PX if chosen is None else WITH_CARD_PX) - 2 * ROW_PX * (not scene.naming.allowed),
        key=key,
        on_select=_take(key, order, scope),
        selection_mode="single-row",
        selection_default={"selection": {"rows": first, "columns": [], "cells": []}},
        column_config=_columns(scene),
    )
    if chosen is None:
        summary(scene)
    else:
        door_card(scene, chosen)


def ranked(scene: Scene) -> npt.NDArray[np.int64]:
    """Doors shown, by verdict and then by corrected rank; those not judged come last."""
    shown = np.flatnonzero(scene.shown)
    verdict = np.array([VERDICTS.index(one) for one in scene.verdict[shown]], dtype=np.int64)
    rank = np.where(scene.found.judged[shown], scene.found.rank[shown], len(scene.found.door) + 1)
    return shown[np.lexsort((shown, rank, verdict))]


def ranking_table(scene: Scene, order: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Prepare the table as it is shown."""
    found, judged = scene.found, scene.found.judged[order]

    def places(values: npt.NDArray[np.int64]) -> "pd.Series[int]":
        return pd.Series(values[order]).astype("Int64").where(judged)

    return pd.DataFrame(
        {
            "door": [scene.label(int(door)) for door in order],
            "verdict": scene.verdict[order],
            "rank": places(found.rank),
            "raw": places(found.raw_rank),
            "rr": found.rr[order],
            # Never certain: a chance of 99 stands for 99 or more.
            "p": np.clip(100 * scene.p_over[order], 1, 99),
            "limits": [
                f"{found.low[door]:.1f} to {found.high[door]:.1f}" if found.rank[door] else ""
                for door in order
            ],
            "ranks": [
                f"{found.rank_low[door]} to {found.rank_high[door]}" if found.rank[door] else ""
                for door in order
            ],
            "observed": found.observed[order],
            "expected": found.expected[order],
            "q": found.q[order],
        }
    )


def table_key(scene: Scene, scope: str) -> str:
    """Give the table a fresh key whenever its rows may change: a selection is of row numbers."""
    choice = scene.choice
    picks = st.session_state.get(f"{scope}.picks", 0)
    kinds = "".join(sorted(kind[0] for kind in scene.kinds))
    return f"{scope}.table.{choice.outcome}.{choice.group}.{choice.half_m}.{kinds}.{scene.over}.{picks}"


def _take(key: str, order: npt.NDArray[np.int64], scope: str) -> Callable[[], None]:
    def take() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        st.session_state[f"{scope}.door"] = int(order[rows[0]]) if rows else None

    return take


def _columns(scene: Scene) -> dict[str, ColumnConfig]:
    column, over = st.column_config, f"{scene.over:.1f}"
    named = (
        f"Named: P(RR>1.5) over 95 % and q at most {percent(FALSE_SHARE)}. " if scene.naming.allowed else ""
    )
    return {
        "door": column.TextColumn("Door", width=110, pinned=True, help="Licences at one door are one place."),
        "verdict": column.TextColumn("Verdict", width=62, help=f"{named}Screened: P(RR>1) over 80 %."),
        "rank": column.NumberColumn("#", width=30, help="Corrected rank: by times expected."),
        "raw": column.NumberColumn("Raw", width=38, help="Rank by incidents alone, which misleads."),
        "rr": column.NumberColumn(
            "RR",
            format="%.1f",
            width=34,
            help="Times expected, drawn towards 1 the fewer incidents there are.",
        ),
        "p": column.NumberColumn(
            f"P>{over}",
            format="%.0f",
            width=46,
            help=f"Percent chance that RR is over {over}; 99 or more is 99.",
        ),
        "limits": column.TextColumn("RR 95 %", width=80),
        "ranks": column.TextColumn("Rank 95 %", width=84, help="Where the corrected rank may lie."),
        "observed": column.NumberColumn(
            "Incidents", format="%.1f", width=70, help="Shared out, mean of 100 drawings."
        ),
        "expected": column.NumberColumn(
            "Expected", format="%.1f", width=70, help="Of an outlet like it elsewhere."
        ),
        "q": column.NumberColumn(
            "q", format="%.3f", width=50, help="False discovery rate if it and all above it were named."
        ),
    }


def summary(scene: Scene) -> None:
    """Say what the table says as a whole, and what to do next."""
    found, alpha = scene.found, scene.found.alpha
    st.markdown("**Click a dot on the map, or a row,** to see one door.")
    if found.judged.any():
        surely = int(found.sure(scene.over).sum())
        told = [
            f"{int(found.judged.sum()):,} doors judged by {counted_words(scene.inputs, scene.choice)}.",
            f"{surely:,} of them have more than {scene.over:.1f} times expected with over 95 % certainty.",
        ]
        if scene.naming.allowed:
            told.append(f"Of those named, at most {percent(FALSE_SHARE)} should be false.")
        if (scene.verdict == "screened").any():
            told.append("Screened: worth a look, no more.")
        spread = f"alpha {alpha.value:.2f} ({alpha.low:.2f} to {alpha.high:.2f})"
        note(" ".join([*told, f"How much ordinary outlets differ: {spread}."]))
    note(" ".join((*found.words, *scene.view.design.words)))


def door_card(scene: Scene, door: int) -> None:
    """Show one door: its figures in words, hours, its own control, and what to look at first."""
    found, doors = scene.found, scene.inputs.doors
    verdict = str(scene.verdict[door])
    head = doors.category[door].capitalize()
    if scene.naming.allowed:
        head += f", {scene.place(door)}"
    licences = int(doors.licences[door])
    several = f", {licences} licences at one door" if licences > 1 else ""
    lines = [f'<p class="cr-soft">{escape(head)}{several}. {_hours(scene, door)}</p>']
    if found.reason[door]:
        lines.append(f"<p><b>Not judged:</b> {escape(found.reason[door])}.</p>")
    else:
        lines += [f"<p>{part}</p>" for part in (*_figures(scene, door), escape(verdict_words(scene, door)))]
    for other, metres, times in scene.louder_neighbors(door)[:1]:
        lines.append(
            f'<p class="cr-warn">Look at the neighbor first: {escape(scene.label(other))}, {metres:.0f} m '
            f"away, has {times:.0f} times as many incidents.</p>"
        )
    lines.append(f"<p>{escape(control_words(scene, door))}</p>")
    warn = "#FFB84D" if scene.theme.dark else "#A84300"
    st.html(
        f'{_STYLE}<div class="cr-door" style="--tone:{scene.colour(verdict)};--warn:{warn}">'
        f"<h4>{escape(scene.label(door))}</h4>{''.join(lines)}</div>"
    )


def _figures(scene: Scene, door: int) -> tuple[str, str]:
    found = scene.found
    excess = (
        f"<b>{found.observed[door]:.1f}</b> incidents where <b>{found.expected[door]:.1f}</b> are expected "
        f"of an outlet like it: <b>{found.rr[door]:.1f} times</b> ({found.low[door]:.1f} to "
        f"{found.high[door]:.1f}). Chance of more than {scene.over:.1f} times: "
        f"<b>{percent(scene.p_over[door])}</b>."
    )
    ranks = (
        f"Rank {found.rank[door]} ({found.rank_low[door]} to {found.rank_high[door]}) of "
        f"{int(found.judged.sum()):,}; by incidents alone {found.raw_rank[door]}; by 400-foot buffers "
        f"{buffer_rank(scene, door)} ({scene.view.buffers.counts[door]:,} counted)."
    )
    return excess, ranks


def _q_words(q: float) -> str:
    return "q under 0.001" if q < 0.001 else f"q {q:.3f}"


def verdict_words(scene: Scene, door: int) -> str:
    """Say the verdict in a sentence, and why a door that is surely high is not named."""
    found, verdict = scene.found, scene.verdict[door]
    told = {
        "named": "Named: surely over 1.5 times expected, and beyond what ordinary outlets show "
        f"({_q_words(found.q[door])}).",
        "screened": "Screened: P(RR>1) is over 80 %. Worth a look, no more.",
        "neither": "Neither screened nor named: the records do not set it apart.",
    }[str(verdict)]
    if not scene.naming.allowed and verdict == "screened":
        return f"{told} Not named: these data cannot carry a name."
    if verdict == "screened" and found.sure(scene.over)[door]:
        return f"{told} Not named: ordinary outlets reach this, too ({_q_words(found.q[door])})."
    return told


def control_words(scene: Scene, door: int) -> str:
    """Say what the door's own closed hours tell, or why they tell nothing."""
    found = control_of(scene, door)
    if not isinstance(found, ClosedHours):
        return f"Its own control: {found.reason[:1].lower()}{found.reason[1:]}"
    high = f"{found.ratio.high:.1f}" if np.isfinite(found.ratio.high) else "no limit"
    return (
        f"Its own control: an open hour brings {found.ratio.value:.1f} times the incidents of a closed one "
        f"({found.ratio.low:.1f} to {high}), streets being busier at night allowed for."
    )


def control_of(scene: Scene, door: int) -> ClosedHours | NotShown:
    """Compare a door's open hours with its closed ones."""
    minute, share = scene.own(door)
    return closed_hours_control(scene.inputs.hours[door], minute, share, rhythm=scene.rhythm)


def buffer_rank(scene: Scene, door: int) -> int:
    """Rank by the plain count within 400 feet, 1 the most."""
    return int((scene.view.buffers.counts > scene.view.buffers.counts[door]).sum()) + 1


def _hours(scene: Scene, door: int) -> str:
    hours = scene.inputs.hours[door]
    if hours is None:
        return "Hours not known."
    if hours.never_closes:
        return "Never closes."
    return (
        f"Open {hours.hours_a_week:.0f} hours a week; Friday: {hours.closing_words()[4].removeprefix('Fr ')}."
    )
