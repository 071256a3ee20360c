"""The few figures that matter, in type that can be read from the back of a room."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st


@dataclass(frozen=True)
class Figure:
    """One large figure.

    Attributes
    ----------
    label
        What it is, in a few words.
    value
        The number with its unit, as shown.
    range_text
        Its uncertainty, or what it is compared with.
    help
        What the term means, shown on hover and to screen readers.
    change
        How it differs from the baseline, with its sign; empty where nothing is compared.
    better
        Whether the change is an improvement; None where that cannot be said.
    """

    label: str
    value: str
    range_text: str = ""
    help: str = ""
    change: str = ""
    better: bool | None = None


_STYLE = """
<style>
.cr-figures { display: grid; gap: .5rem .75rem;
              grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.cr-figure { border-top: 2px solid var(--st-border-color, rgba(128, 128, 128, .35)); padding-top: .3rem; }
.cr-label { font-size: .78rem; line-height: 1.2; opacity: .8; cursor: help; }
.cr-value { font-size: 2rem; font-weight: 650; line-height: 1.15; letter-spacing: -.02em;
            font-variant-numeric: tabular-nums; }
.cr-label, .cr-value, .cr-range { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.cr-range { font-size: .74rem; opacity: .8; line-height: 1.3; min-height: 1.3em; }
.cr-change { font-size: .85rem; font-weight: 600; letter-spacing: 0; padding-left: .45rem; }
.cr-change.is-better { color: #0072B2; } .cr-change.is-worse { color: #D55E00; }
</style>
"""


def big_figures(figures: Sequence[Figure], *, columns: int = 2) -> None:
    """Show figures in a grid of equal cells."""
    cells = "".join(_cell(figure) for figure in figures)
    st.html(f'{_STYLE}<div class="cr-figures" style="--columns:{columns}">{cells}</div>')


def _cell(figure: Figure) -> str:
    tone = {True: " is-better", False: " is-worse", None: ""}[figure.better]
    change = f'<span class="cr-change{tone}">{escape(figure.change)}</span>' if figure.change else ""
    spoken = escape(f"{figure.label}: {figure.value}. {figure.range_text}. {figure.help}", quote=True)
    return (
        f'<div class="cr-figure" title="{spoken}"><div class="cr-label">{escape(figure.label)}</div>'
        f'<div class="cr-value">{escape(figure.value)}{change}</div>'
        f'<div class="cr-range">{escape(figure.range_text)}</div></div>'
    )
