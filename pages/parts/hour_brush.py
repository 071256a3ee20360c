"""Hours of the week as a table of colours to drag across: what is brushed filters the whole page."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from models.call_counts import HourTable, hour_table
from models.calls import DAYS_A_WEEK, HOURS_A_DAY, CallFilter, HourOfWeek, select
from pages.parts.call_data import CallData, period_of
from pages.parts.notes import note
from pages.parts.palette import Theme

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKDAY_NUMBERS, _DAYTIME = range(5), range(7, 19)
_EVENING = 18

PRESETS: dict[str, frozenset[HourOfWeek]] = {
    "Weekdays 7 to 19": frozenset((d, h) for d in _WEEKDAY_NUMBERS for h in _DAYTIME),
    "Nights 19 to 7": frozenset(
        (d, h) for d in range(DAYS_A_WEEK) for h in range(HOURS_A_DAY) if h not in _DAYTIME
    ),
    "Fri, Sat 18 to 24": frozenset((d, h) for d in (4, 5) for h in range(_EVENING, HOURS_A_DAY)),
    "Sat, Sun": frozenset((d, h) for d in (5, 6) for h in range(HOURS_A_DAY)),
}


def chosen_hours(scope: str) -> frozenset[HourOfWeek] | None:
    """Give the hours chosen so far; None is the whole week."""
    hours: frozenset[HourOfWeek] | None = st.session_state.get(f"{scope}.hours")
    return hours


def clear_hours(scope: str) -> None:
    """Choose the whole week again, and take the brush off the table."""
    _set_hours(scope, None)


def hours_view(data: CallData, wanted: CallFilter, *, scope: str, timezone: str, theme: Theme) -> None:
    """Show the week's rhythm under all filters but the hours; say so where calls have no times."""
    period = period_of(data, wanted)
    if data.calls.first_day is None or period is None:
        st.info("No rhythm can be shown: no times in this data. Load calls with the time each was opened.")
        return
    table = hour_table(
        data.calls,
        select(data.calls, replace(wanted, hours=None)),
        first_day=period[0],
        last_day=period[1],
        timezone=timezone,
    )
    hour_brush(table, scope=scope, theme=theme)


def hour_brush(table: HourTable, *, scope: str, theme: Theme) -> None:
    """Show calls a week by weekday and hour, to be brushed, with common choices below."""
    hours = chosen_hours(scope)
    key = _chart_key(scope)
    st.altair_chart(
        _chart(table, hours, theme=theme),
        key=key,
        on_select=lambda: _read_brush(scope, key),
        selection_mode="brush",
        width="stretch",
    )
    note(f"{_say_scale(table, theme=theme)} Chosen: {say_hours(hours)}.")
    common, whole_week = st.columns([3, 2], gap="small", vertical_alignment="center")
    common.selectbox(
        "Common hours",
        list(PRESETS),
        index=next((i for i, preset in enumerate(PRESETS.values()) if preset == hours), None),
        placeholder="Common hours",
        key=f"{key}.preset",
        on_change=lambda: _read_preset(scope, f"{key}.preset"),
        label_visibility="collapsed",
    )
    whole_week.button(
        "Whole week",
        key=f"{scope}.whole_week",
        on_click=clear_hours,
        args=(scope,),
        disabled=hours is None,
        width="stretch",
    )


def say_hours(hours: Collection[HourOfWeek] | None) -> str:
    """Say in words which hours are chosen; days with the same hours are named together."""
    if hours is None:
        return "the whole week"
    by_day = {day: tuple(sorted(h for d, h in hours if d == day)) for day in range(DAYS_A_WEEK)}
    parts = []
    for spans in dict.fromkeys(span for span in by_day.values() if span):
        days = _runs([day for day, span in by_day.items() if span == spans])
        names = ", ".join(WEEKDAYS[a] if a == b else f"{WEEKDAYS[a]} to {WEEKDAYS[b]}" for a, b in days)
        clock = ", ".join(f"{a} to {b + 1}" for a, b in _runs(list(spans)))
        parts.append(names if len(spans) == HOURS_A_DAY else f"{names} {clock} h")
    return "; ".join(parts) or "no hour"


def brushed_hours(selection: dict[str, list[str] | list[int]]) -> frozenset[HourOfWeek] | None:
    """Turn what the chart reports as brushed into hours; None when the brush is empty."""
    days = [WEEKDAYS.index(str(name)) for name in selection.get("weekday", [])]
    hours = [int(hour) for hour in selection.get("hour", [])]
    return frozenset((day, hour) for day in days for hour in hours) or None


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    cuts = np.flatnonzero(np.diff(numbers) != 1) + 1
    return [(int(run[0]), int(run[-1])) for run in np.split(np.asarray(numbers), cuts)]


def _chart_key(scope: str) -> str:
    return f"{scope}.brush.{st.session_state.get(f'{scope}.brush_turn', 0)}"


def _set_hours(scope: str, hours: frozenset[HourOfWeek] | None) -> None:
    """Set the hours from elsewhere than the chart, which gets a new key and so loses its brush."""
    st.session_state[f"{scope}.hours"] = hours
    st.session_state[f"{scope}.brush_turn"] = st.session_state.get(f"{scope}.brush_turn", 0) + 1


def _read_brush(scope: str, key: str) -> None:
    st.session_state[f"{scope}.hours"] = brushed_hours(st.session_state[key].selection.get("brush", {}))


def _read_preset(scope: str, key: str) -> None:
    name = st.session_state[key]
    _set_hours(scope, PRESETS[name] if name else None)


def _chart(table: HourTable, hours: frozenset[HourOfWeek] | None, *, theme: Theme) -> alt.Chart:
    weekday, hour = np.divmod(np.arange(DAYS_A_WEEK * HOURS_A_DAY), HOURS_A_DAY)
    frame = pd.DataFrame(
        {
            "weekday": [WEEKDAYS[day] for day in weekday],
            "hour": hour,
            "clock": [f"{h}:00 to {h + 1}:00" for h in hour],
            "per_week": table.per_week.ravel().round(2),
            "chosen": [hours is None or (d, h) in hours for d, h in zip(weekday, hour, strict=True)],
        }
    )
    brush = alt.selection_interval(name="brush", encodings=["x", "y"])
    plain: dict[str, Any] = {"title": None, "ticks": False, "domain": False, "labelPadding": 4}
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_rect(stroke=None)
        .encode(
            x=alt.X("hour:O", axis=alt.Axis(values=[0, 6, 12, 18], labelAngle=0, **plain)),
            y=alt.Y("weekday:O", sort=list(WEEKDAYS), axis=alt.Axis(**plain)),
            color=alt.Color("per_week:Q", scale=alt.Scale(range=list(theme.ramp), domainMin=0), legend=None),
            opacity=alt.condition("datum.chosen", alt.value(1.0), alt.value(0.25)),
            tooltip=[
                alt.Tooltip("weekday:O", title="day"),
                alt.Tooltip("clock:N", title="hour"),
                alt.Tooltip("per_week:Q", title="calls a week", format=".2f"),
            ],
        )
        .add_params(brush)
        .properties(height=176, padding={"left": 0, "right": 4, "top": 2, "bottom": 0})
        .configure_view(stroke=None)
    )
    return chart


def _say_scale(table: HourTable, *, theme: Theme) -> str:
    """Say what the colours stand for, and that some may be hidden."""
    rates = table.per_week
    if not np.isfinite(rates).any():
        return "No hour has calls to show."
    few, many = ("dark", "bright") if theme.dark else ("pale", "dark")
    hidden = " Blank: fewer than 11 medical calls, or none." if np.isnan(rates).any() else ""
    return (
        f"Calls a week in each hour: {few} is few ({np.nanmin(rates):.1f}), {many} is many "
        f"({np.nanmax(rates):.1f}). Drag to choose hours.{hidden}"
    )
