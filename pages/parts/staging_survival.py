"""Chance to survive a cardiac arrest under both plans, by two published functions; of nothing else."""

import pandas as pd
import streamlit as st

from models.survival import DE_MAIO_SOURCE, LARSEN_SOURCE, arrest_survival
from pages.parts.notes import note
from pages.parts.staging_inputs import StagingView

CARRIERS = ("Ambulance", "Fire engine")
ENGINE_MIN = 6.0
"""Minutes from the call until a fire engine is there, until the planner sets others: an assumption."""


def survival_view(view: StagingView, baseline: StagingView) -> None:
    """Show the setting, both functions for both plans, and what they stand on."""
    left, right = st.columns([1.15, 1], gap="small")
    carrier = left.segmented_control(
        "First defibrillator comes with",
        CARRIERS,
        default=CARRIERS[0],
        key="staging.defibrillator",
        required=True,
        help="Often the fire engine is there first. Crescent has no fire stations: its time is yours to set.",
    )
    engine = right.number_input(
        "Engine there, min",
        1.0,
        20.0,
        value=ENGINE_MIN,
        step=0.5,
        format="%.1f",
        key="staging.engine_min",
        disabled=carrier != CARRIERS[1],
        help="Assumed alike for every place: from the call received to the engine at the patient.",
    )
    engine_min = engine if carrier == CARRIERS[1] else None
    found = [survival(plan, engine_min) for plan in (baseline, view)]
    st.dataframe(
        pd.DataFrame(
            [
                (label, *(f"{chances[at]:.1%}" for chances in found))
                for at, label in enumerate(("De Maio 2003", "Larsen 1993"))
            ],
            columns=["by", "today", "scenario"],
        ),
        hide_index=True,
        row_height=30,
        column_config={
            "by": st.column_config.TextColumn("Survive to discharge", width=150),
            "today": st.column_config.TextColumn("Today", width=105),
            "scenario": st.column_config.TextColumn("Scenario", width=105),
        },
    )
    brought = (
        f"a fire engine brings it {engine:g} minutes after the call, or the ambulance if that is sooner"
        if engine_min is not None
        else "the ambulance brings it"
    )
    note(
        f"For cardiac arrest only; never read it as lives among all calls. Every unit free; {brought}. They "
        "differ by whom they describe: De Maio all adult arrests of cardiac cause, Larsen arrests in "
        "ventricular fibrillation, which fare best. For Larsen collapse is taken as the call, CPR and shock "
        "as the first crew's arrival, advanced life support as the ambulance's."
    )
    note(f"{DE_MAIO_SOURCE}. {LARSEN_SOURCE}.")


def survival(view: StagingView, engine_min: float | None) -> tuple[float, float]:
    """Mean chance over the demand, by De Maio and by Larsen; an engine's minutes where one comes."""
    before_s = view.conditions.call_handling_s + view.conditions.turnout_s
    chances = arrest_survival((view.outcome.seconds + before_s) / 60, engine_min)
    de_maio, larsen = (float(view.demand.weight @ chance / view.demand.total) for chance in chances)
    return de_maio, larsen
