"""What frames the page on bars: why nobody is named, and where its figures come from."""

from html import escape

import streamlit as st

from models.evidence import Naming
from pages.parts.bars_scene import Scene, counted_words, reasons_in_short
from pages.parts.notes import note

_STYLE = """
<style>
.cr-banner { font-size: .8rem; line-height: 1.35; border-left: 4px solid #E69F00; padding: .15rem .7rem;
             background: rgba(230, 159, 0, .12); border-radius: .3rem; }
</style>
"""


def naming_banner(naming: Naming) -> None:
    """Say that nobody is named, and every reason; nothing where naming is on."""
    if not naming.allowed:
        st.html(
            f'{_STYLE}<div class="cr-banner" role="note"><b>Nobody is named here: screening and method '
            f"only.</b> "
            f"Not named: {escape(reasons_in_short(naming))}.</div>"
        )


def provenance(scene: Scene) -> None:
    """Say what is counted, from where, of which period, and what the ranges are."""
    calls, outlets = scene.city.source("calls"), scene.city.source("outlets")
    days = scene.inputs.days
    period = calls.period if days is None else f"{days[0]:%-d %b %Y} to {days[1]:%-d %b %Y}"
    street = f"{scene.view.street:,.0f} fall to the street"
    told = [
        f"{len(scene.counted):,} {counted_words(scene.inputs, scene.choice)}; {street}",
        f"{calls.source.rstrip('.')}, {period}",
        f"Licences: {outlets.source}, {outlets.period}",
        "Ranges hold 95 %",
    ]
    note(". ".join(told) + ".")
