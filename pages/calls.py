"""911 calls: where and when they come, and how long callers wait."""

import streamlit as st

from errors import InvalidInputError
from models.calls import select
from pages.parts.call_controls import call_controls
from pages.parts.call_data import call_data
from pages.parts.call_map import show_calls
from pages.parts.call_results import call_figures, neighborhoods, provenance, trend_view
from pages.parts.context import current_theme
from pages.parts.header import page_header
from pages.parts.hour_brush import hours_view

city = page_header(
    "911 calls", "Choose calls on the left, or drag across hours of the week on the right: the map follows."
)
theme = current_theme()
if not city.has("calls"):
    st.info(city.missing("calls"), icon=":material/upload_file:")
    st.stop()

scope = f"calls.{city.version}"
data = call_data(city, city.version)
left, middle, right = st.columns([2.35, 6.1, 3.55], gap="small")
with left:
    choice = call_controls(data, scope=scope)
try:
    chosen = select(data.calls, choice.wanted)
except InvalidInputError as error:
    middle.error(str(error), icon=":material/report:")
    st.stop()

with middle:
    show_calls(city, data, chosen, choice, theme=theme)
with right:
    if not chosen.any():
        st.warning("No call passes these filters. Widen one of them, or clear all filters.")
    call_figures(data, chosen, choice.wanted)
    provenance(city, data)
    by_place, by_hour, by_time = st.tabs(["By neighborhood", "Hours of week", "Trend"])
    with by_place:
        neighborhoods(city, data, chosen, choice.wanted, scope=scope)
    with by_hour:
        hours_view(data, choice.wanted, scope=scope, timezone=city.profile.timezone, theme=theme)
    with by_time:
        trend_view(data, chosen, choice.wanted, scope=scope, theme=theme)
