"""Data: where each table comes from, what was done to it, and which rows could not be used."""

import streamlit as st

from pages.parts.data_tables import COUNTS, details, lacking, overview, titles
from pages.parts.header import page_header

city = page_header("Data", "Pick a table: where it comes from, what to mind, and which rows were left out.")
left, right = st.columns([7, 5], gap="medium")
with left:
    st.dataframe(overview(city), hide_index=True, width="stretch", height="content", column_config=COUNTS)
    gaps = lacking(city)
    if len(gaps):
        st.markdown("**What this city lacks**")
        st.dataframe(gaps, hide_index=True, width="stretch", height="content")
    st.caption(f"Version {city.version}: the same for the same content. Accepted + in quarantine = read.")
with right:
    named = titles(city)
    details(city, st.selectbox("Table", list(named), format_func=named.__getitem__, key="data.table"))
