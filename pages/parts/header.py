"""The line on top of every page: its title, what to try first, the city, and whether it is made up."""

import streamlit as st

from data.city import City
from pages.parts.context import CITY_KEY, choose_city, city_folders, current_city
from pages.parts.settings import Settings

_STYLE = """
<style>
.stMainBlockContainer { padding: 4rem 1.25rem .5rem 1.25rem; max-width: none; }
.stMain [data-testid="stVerticalBlock"] { gap: .55rem; }
.stMain [data-variant="segmented_control"] { padding-left: .5rem; padding-right: .5rem; }
.stMain [data-stale="true"] { opacity: .4; filter: grayscale(1); transition: none; }
/* The map shows the dragged post's field by itself: it greys only where the answer takes its time. */
.stMain [data-stale="true"]:has([data-testid="stBidiComponentIsolated"]) {
  opacity: 1; transition: filter .1s linear .35s; }
.cr-title { font-size: 1.35rem; font-weight: 650; line-height: 1.2; letter-spacing: -.01em; }
.cr-title span { font-size: .92rem; font-weight: 400; opacity: .8; padding-left: .6rem; }
.cr-demo { display: inline-block; font-size: .72rem; letter-spacing: .04em; padding: .12rem .5rem;
           border-radius: .6rem; background: #E69F00; color: #1b1b1b; margin-left: .6rem; }
</style>
"""


def page_header(title: str, try_first: str) -> City:
    """Show the header and return the city in view; stops the page, in words, where there is none.

    Parameters
    ----------
    title
        The page's name.
    try_first
        One sentence that says what to try first.
    """
    left, right = st.columns([8.6, 2], vertical_alignment="center")
    with right:
        _city_picker()
    with left:
        st.html(_STYLE)
        place = st.empty()
        place.html(f'<div class="cr-title">{title}</div>')
    city = current_city()
    demo = '<b class="cr-demo">DEMO DATA, NOT REAL</b>' if city.synthetic else ""
    place.html(f'<div class="cr-title">{title}{demo}<span>{try_first}</span></div>')
    return city


def _city_picker() -> None:
    folders = city_folders(Settings().cities)
    chosen = choose_city()
    if chosen is None or len(folders) < 2:
        return
    names = [path.name for path in folders]
    st.session_state[CITY_KEY] = chosen.name
    st.selectbox(
        "City",
        names,
        key=CITY_KEY,
        label_visibility="collapsed",
        help="City folders on this machine. Demo cities are made up.",
    )
