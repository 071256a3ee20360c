"""Small print under figures, maps and tables: sources, periods, what is hidden and why."""

from html import escape

import streamlit as st

_STYLE = "<style>.cr-note { font-size: .76rem; line-height: 1.35; opacity: .85; }</style>"


def note(text: str, *, help_text: str = "") -> None:
    """Show small print; ``help_text`` is shown on hover."""
    title = f' title="{escape(help_text, quote=True)}"' if help_text else ""
    st.html(f'{_STYLE}<div class="cr-note"{title}>{escape(text)}</div>')
