"""What the check of the past found: errors, neighborhoods, and speeds fitted beside speeds assumed."""

import numpy as np
import pandas as pd
import streamlit as st

from data.fitted import FittedSpeeds, SpeedCheck
from data.safe import safe_csv
from pages.parts.notes import note

PARTS = ("Errors", "Neighborhoods", "Speeds")
ROW_HEIGHT_PX = 28
TABLE_HEIGHT_PX = 28 * 6 + 10
TIED = 0.5
"""Speeds of which the drives told less than this share stay near what was assumed."""


def show_fit(fitted: FittedSpeeds) -> None:
    """Show one of the three parts."""
    shown = st.segmented_control(
        "Shown of the check", PARTS, default=PARTS[0], key="staging.fit_part", label_visibility="collapsed"
    )
    match shown:
        case "Neighborhoods":
            _areas(fitted)
        case "Speeds":
            _speeds(fitted)
        case _:
            _errors(fitted)


def area_table(fitted: FittedSpeeds) -> pd.DataFrame:
    """One row a neighborhood: minutes observed and predicted out of sample, and their difference."""
    table = pd.DataFrame([area.model_dump() for area in fitted.areas])
    off = table["predicted_min"] - table["observed_min"]
    reach = (table["high_min"] - table["low_min"]).astype(float) / 2
    return table.assign(
        off=off,
        off_words=[
            f"{value:+.2f}" + ("" if np.isnan(half) else f" ± {half:.2f}")
            for value, half in zip(off, reach, strict=True)
        ],
    ).sort_values("off", key=np.abs, ascending=False, ignore_index=True)


def speed_table(fitted: FittedSpeeds, *, siren: bool) -> pd.DataFrame:
    """One row a road class: km/h assumed and fitted over the hour bands as they were driven.

    A class's speed is all its kilometres over all its hours; so is each end of the interval, as if all bands
    erred alike. A class that nobody drove counts its bands alike.
    """
    table = pd.DataFrame([cell.model_dump() for cell in fitted.cells])
    table = table[table["siren"] == siren]
    rows = []
    for name in fitted.classes:
        mine = table[table["road_class"] == name]
        km = mine["driven_km"].to_numpy()
        weight = km if km.sum() > 0 else np.ones(len(mine))
        figures = ("assumed_kph", "kph", "low_kph", "high_kph")
        kph = {figure: float(weight.sum() / (weight / mine[figure]).sum()) for figure in figures}
        told = float(np.average(mine["from_data"], weights=weight))
        rows.append({"road_class": name, **kph, "driven_km": float(km.sum()), "from_data": told})
    return pd.DataFrame(rows).sort_values("driven_km", ascending=False, kind="stable", ignore_index=True)


def all_speeds_csv(fitted: FittedSpeeds) -> bytes:
    """Give every class, hour band and siren state as a table for a spreadsheet."""
    return safe_csv(pd.DataFrame([cell.model_dump() for cell in fitted.cells]))


def _errors(fitted: FittedSpeeds) -> None:
    st.dataframe(
        pd.DataFrame(
            [
                (
                    label,
                    f"{check.error_min:.2f} min",
                    _seconds(check),
                    f"{check.misses} of {check.judged}",
                )
                for label, check in (("Assumed", fitted.assumed), ("Fitted", fitted.fitted))
            ],
            columns=["speeds", "miss", "bias", "misses"],
        ),
        hide_index=True,
        row_height=ROW_HEIGHT_PX,
        column_config={
            "speeds": st.column_config.TextColumn("Speeds", width=66),
            "miss": st.column_config.TextColumn(
                "Drive error", width=76, help="Mean absolute error of a drive, fitted on other weeks."
            ),
            "bias": st.column_config.TextColumn(
                "Bias", width=120, help="Predicted less observed drive, with its 95 % interval."
            ),
            "misses": st.column_config.TextColumn(
                "Replay misses", width=90, help="Figures by hour and neighborhood that miss the past month."
            ),
        },
    )
    note(
        f"{fitted.drives:,} drives from a post, {fitted.period}; {fitted.left_out:,} responses cannot tell "
        f"(sent from the road, cancelled, no place). {fitted.replayed} replayed, units driving home counted "
        + ("from the straight line." if fitted.en_route == "line" else "from where they are.")
    )
    note(f"Assumed speeds: {fitted.assumed.words}")
    note(f"Fitted speeds: {fitted.fitted.words}")


def _seconds(check: SpeedCheck) -> str:
    bias, low, high = (60 * minutes for minutes in (check.bias_min, check.bias_low_min, check.bias_high_min))
    return f"{bias:+.0f} s ({low:+.0f} to {high:+.0f})"


def _areas(fitted: FittedSpeeds) -> None:
    table = area_table(fitted)
    st.dataframe(
        table[["name", "drives", "observed_min", "predicted_min", "off_words"]],
        hide_index=True,
        row_height=ROW_HEIGHT_PX,
        height=TABLE_HEIGHT_PX,
        column_config={
            "name": st.column_config.TextColumn("Neighborhood", width=118),
            "drives": st.column_config.NumberColumn("Drives", format="%d", width=52),
            "observed_min": st.column_config.NumberColumn("Observed", format="%.1f", width=62),
            "predicted_min": st.column_config.NumberColumn("Foretold", format="%.1f", width=60),
            "off_words": st.column_config.TextColumn("Off by", width=88, help="95 % interval over days."),
        },
    )
    biased = table.loc[table["biased"], "name"].tolist()
    said = f"Beyond chance: {', '.join(biased)}." if biased else "None is off by more than chance allows."
    note(
        f"Minutes from en route to on scene, fitted speeds, each week foretold by the others. {said} "
        "Largest first."
    )


def _speeds(fitted: FittedSpeeds) -> None:
    table = speed_table(fitted, siren=True)
    tied = table.loc[table["from_data"] < TIED, "road_class"].tolist()
    st.dataframe(
        pd.DataFrame(
            {
                "road_class": table["road_class"].str.replace("_", " "),
                "assumed": table["assumed_kph"],
                "fitted": [
                    f"{row.kph:.1f} ({row.low_kph:.1f} to {row.high_kph:.1f})" for row in table.itertuples()
                ],
                "km": table["driven_km"],
            }
        ),
        hide_index=True,
        row_height=ROW_HEIGHT_PX,
        height=TABLE_HEIGHT_PX,
        column_config={
            "road_class": st.column_config.TextColumn("Class", width=94),
            "assumed": st.column_config.NumberColumn("Assumed", format="%.1f", width=66),
            "fitted": st.column_config.TextColumn("Fitted (95 %)", width=130),
            "km": st.column_config.NumberColumn("Driven km", format="%,.0f", width=80),
        },
    )
    note(
        "km/h with siren over the week as it was driven; without siren and by hour in the file below. "
        f"At the ends of a drive {fitted.access_s:.0f} s ({fitted.access_low_s:.0f} to "
        f"{fitted.access_high_s:.0f})."
        + (f" Hardly driven, so near what was assumed: {', '.join(tied)}." if tied else "")
    )
    st.download_button(
        "All speeds (CSV)",
        lambda: all_speeds_csv(fitted),
        file_name="fitted-speeds.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
