"""Results of the page "911 calls": the figures that matter, neighborhoods and the trend."""

from datetime import date

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.elements.lib.column_types import ColumnConfig

from data.city import City
from models.call_counts import GroupCounts, by_region, count_all
from models.call_trend import DailyRate, daily_rate, trend
from models.calls import CallFilter
from models.privacy import ROUNDING_BASE, SMALLEST_SHOWN
from models.response_times import INTERVALS, OPENED_TO_ARRIVED, Interval, quantiles_by_group
from pages.parts.call_data import CallData, period_of
from pages.parts.figures import Figure, big_figures
from pages.parts.notes import note
from pages.parts.palette import BLUE, SKY, Theme

NOT_KNOWN = "not known"
_DAYS_A_YEAR = 365.25
_NO_TIMES = "no times in this data"
_LEVEL = "95\N{NO-BREAK SPACE}%"
_HIDDEN = f"fewer than {SMALLEST_SHOWN}"


def call_figures(data: CallData, chosen: NDArray[np.bool_], wanted: CallFilter) -> None:
    """Show the four figures that matter."""
    calls = data.calls
    counts = count_all(calls, chosen)
    period = period_of(data, wanted)
    rate = None
    if period is not None:
        rate = daily_rate(calls, chosen, first_day=period[0], last_day=period[1], hours=wanted.hours)
    minutes = calls.times.minutes[OPENED_TO_ARRIVED.key]
    timed = chosen & np.isfinite(minutes)
    timed_calls = count_all(calls, timed)
    quantiles = quantiles_by_group(minutes[timed], np.zeros(timed.sum(), dtype=np.int64), n_groups=1).iloc[0]
    big_figures(
        [
            _calls_figure(counts, period),
            _rate_figure(rate, timed=calls.first_day is not None),
            _wait_figure(
                "Median wait",
                "p50",
                quantiles,
                timed_calls,
                "Half of the callers waited less than this, half longer.",
            ),
            _wait_figure(
                "90th percentile wait",
                "p90",
                quantiles,
                timed_calls,
                "One caller in ten waited longer than this.",
            ),
        ]
    )


def provenance(city: City, data: CallData) -> None:
    """Say where the calls come from, their period, and when they were retrieved."""
    source = city.source("calls")
    told = [f"Source: {source.source}"]
    if source.period not in source.source:
        told.append(source.period)
    if source.retrieved:
        told.append(f"retrieved {source.retrieved}")
    account = city.account("calls")
    if account.quarantined:
        told.append(f"{account.quarantined:,} of {account.read:,} rows could not be used (see Data)")
    unplaced = int(((data.calls.region < 0) & np.isfinite(data.calls.lon)).sum()) if data.regions else 0
    if unplaced:
        told.append(f"{unplaced:,} lie outside every neighborhood")
    note(". ".join(part.rstrip(".") for part in told) + ".")


def neighborhoods(
    city: City, data: CallData, chosen: NDArray[np.bool_], wanted: CallFilter, *, scope: str
) -> None:
    """Show calls and response times by neighborhood."""
    if not data.regions:
        st.info(city.missing("neighborhoods"))
        return
    interval = _choose_interval(data, scope)
    table = by_region(
        data.calls,
        chosen,
        n_regions=len(data.regions),
        interval=interval.key,
        at_least=SMALLEST_SHOWN,
    )
    st.dataframe(
        neighborhood_table(table, data, period=period_of(data, wanted)),
        hide_index=True,
        height=226,
        row_height=28,
        column_config=_columns(table, interval, city.profile.words.get("neighborhood", "neighborhood")),
    )
    if interval in data.calls.times.measured:
        dropped = data.calls.times.negative[interval.key]
        note(
            f"Minutes, {interval.label.lower()}. Limits hold the true value with {_LEVEL} certainty."
            + (f" {dropped:,} calls that end before they start are left out." if dropped else "")
        )
    else:
        note(f"Response times are not shown: {_NO_TIMES}.")


def neighborhood_table(
    table: pd.DataFrame, data: CallData, *, period: tuple[date, date] | None
) -> pd.DataFrame:
    """Prepare the table by neighborhood as it is shown, most calls first."""
    days = (period[1] - period[0]).days + 1 if period else np.nan
    per_1000 = table["calls"] / data.population.to_numpy() * 1000.0 * _DAYS_A_YEAR / days
    shown = pd.DataFrame(
        {
            "name": [name.title() if name.isupper() else name for name in data.regions],
            "calls": table["calls"],
            "median": table["p50_min"],
            "p90": table["p90_min"],
            "median_limits": _limits(table, "p50"),
            "p90_limits": _limits(table, "p90"),
            "timed": table["timed"],
            "per_1000": per_1000.where(np.isfinite(per_1000)),
        }
    )
    if not table["p50_min"].notna().any():
        shown = shown.drop(columns=["median", "p90", "median_limits", "p90_limits", "timed"])
    if not shown["per_1000"].notna().any():
        shown = shown.drop(columns="per_1000")
    return shown.sort_values(["calls", "name"], ascending=[False, True], na_position="last")


def trend_view(
    data: CallData, chosen: NDArray[np.bool_], wanted: CallFilter, *, scope: str, theme: Theme
) -> None:
    """Show calls a day by week or month, with intervals and partial periods marked."""
    period = period_of(data, wanted)
    if data.calls.first_day is None or period is None:
        st.info(f"No trend can be shown: {_NO_TIMES}. Load calls with the time when each was opened.")
        return
    unit = st.segmented_control(
        "Period",
        ["Week", "Month"],
        default="Week",
        required=True,
        key=f"{scope}.trend",
        label_visibility="collapsed",
    )
    table = trend(
        data.calls,
        chosen,
        period="month" if unit == "Month" else "week",
        first_day=period[0],
        last_day=period[1],
        hours=wanted.hours,
    )
    st.altair_chart(_trend_chart(table, theme=theme), width="stretch")
    partial = "Hollow: only a part of it lies in the period. " if not table["complete"].all() else ""
    note(f"{partial}Bars: {_LEVEL} interval of chance, wider where days vary more than chance would make.")


def _calls_figure(counts: GroupCounts, period: tuple[date, date] | None) -> Figure:
    total = counts.shown_or_missing[0]
    text = f"{period[0]:%-d %b %Y} to {period[1]:%-d %b %Y}" if period else "period not stated"
    rounded = f" Medical counts are rounded to {ROUNDING_BASE}." if counts.has_medical else ""
    return Figure(
        label="Calls",
        value=_HIDDEN if np.isnan(total) else f"{total:,.0f}",
        range_text=text,
        help=f"Calls that pass the filters.{rounded}",
    )


def _rate_figure(rate: DailyRate | None, *, timed: bool) -> Figure:
    meaning = (
        "Calls divided by the days of the period that have at least one chosen hour. The interval is what "
        "chance "
        "would leave, given how much the days differ."
    )
    if rate is None or np.isnan(rate.per_day) or rate.days == 0:
        return Figure("Calls a day", NOT_KNOWN, "no period, or too few calls to show", meaning)
    if not timed:
        return Figure("Calls a day", _number(rate.per_day), "average: days cannot be told apart", meaning)
    return Figure(
        "Calls a day",
        _number(rate.per_day),
        f"{_LEVEL}: {_number(rate.low)} to {_number(rate.high)}",
        meaning,
    )


def _wait_figure(
    label: str, name: str, quantiles: "pd.Series[float]", timed: GroupCounts, meaning: str
) -> Figure:
    shown = timed.shown_or_missing[0]
    spoken = f"{OPENED_TO_ARRIVED.label}. {OPENED_TO_ARRIVED.meaning} {meaning}"
    if np.isnan(shown):
        return Figure(label, NOT_KNOWN, f"{_HIDDEN} calls with both times", spoken)
    if shown == 0:
        return Figure(label, NOT_KNOWN, "no call here has both times", spoken)
    limits = _say_limits(quantiles[f"{name}_low_min"], quantiles[f"{name}_high_min"])
    return Figure(
        label, f"{quantiles[f'{name}_min']:.1f} min", f"{_LEVEL}: {limits} · n {shown:,.0f}", spoken
    )


def _choose_interval(data: CallData, scope: str) -> Interval:
    measured = data.calls.times.measured
    if not measured:
        return OPENED_TO_ARRIVED
    return st.selectbox(
        "Minutes measured",
        measured,
        format_func=lambda interval: interval.label,
        key=f"{scope}.interval",
        help=" ".join(f"**{interval.label}**: {interval.meaning}" for interval in INTERVALS),
        label_visibility="collapsed",
    )


def _columns(table: pd.DataFrame, interval: Interval, word: str) -> dict[str, ColumnConfig]:
    column = st.column_config
    wait = f"Minutes, {interval.label.lower()}"
    hidden = f"Empty: {_HIDDEN} medical calls, or none."
    return {
        "name": column.TextColumn(word.capitalize(), width=134, pinned=True),
        "calls": column.ProgressColumn(
            "Calls",
            format="%d",
            min_value=0,
            max_value=float(np.nanmax(table["calls"].to_numpy(), initial=1.0)),
            width=88,
            help=f"Calls that pass the filters. {hidden}",
        ),
        "median": column.NumberColumn("Median", format="%.1f", width=66, help=f"{wait}: half are shorter."),
        "p90": column.NumberColumn("90th", format="%.1f", width=66, help=f"{wait}: nine in ten are shorter."),
        "median_limits": column.TextColumn("Median 95 %", width=84, help="Interval of the median."),
        "p90_limits": column.TextColumn("90th 95 %", width=84, help="Interval of the 90th percentile."),
        "timed": column.NumberColumn(
            "Timed", format="%d", width=60, help=f"Calls with both moments. {hidden}"
        ),
        "per_1000": column.NumberColumn(
            "Per 1,000",
            format="%.0f",
            width=72,
            help="Calls per 1,000 residents in a year. Visitors call, too.",
        ),
    }


def _limits(table: pd.DataFrame, name: str) -> list[str | None]:
    return [
        None if np.isnan(estimate) else _say_limits(low, high)
        for estimate, low, high in zip(
            table[f"{name}_min"], table[f"{name}_low_min"], table[f"{name}_high_min"], strict=True
        )
    ]


def _say_limits(low: float, high: float) -> str:
    """Say an interval in minutes; a side that too few calls leave open is said to be open."""
    if np.isnan(low) and np.isnan(high):
        return "too few"
    if np.isnan(high):
        return f"{low:.1f} or more"
    return f"{high:.1f} or less" if np.isnan(low) else f"{low:.1f} to {high:.1f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _trend_chart(table: pd.DataFrame, *, theme: Theme) -> alt.LayerChart | alt.FacetChart:
    colour = SKY if theme.dark else BLUE
    base = alt.Chart(table.dropna(subset=["per_day"])).encode(
        x=alt.X("starts_on:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True, grid=False))
    )
    bars = base.mark_rule(color=colour, opacity=0.45, strokeWidth=2).encode(
        y=alt.Y("low:Q", title="calls a day", scale=alt.Scale(zero=False)), y2="high:Q"
    )
    points = base.mark_point(color=colour, size=38, strokeWidth=1.5).encode(
        y="per_day:Q",
        fill=alt.condition("datum.complete", alt.value(colour), alt.value("transparent")),
        tooltip=[
            alt.Tooltip("starts_on:T", title="from"),
            alt.Tooltip("days:Q", title="days counted"),
            alt.Tooltip("calls:Q", title="calls", format=",.0f"),
            alt.Tooltip("per_day:Q", title="a day", format=",.1f"),
            alt.Tooltip("low:Q", title="95 % from", format=",.1f"),
            alt.Tooltip("high:Q", title="95 % to", format=",.1f"),
        ],
    )
    return alt.layer(bars, points).properties(height=205)
