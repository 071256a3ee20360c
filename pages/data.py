"""Data: where each table comes from, what was done to it, and which rows could not be used."""

from html import escape

import pandas as pd
import streamlit as st

from data.city import City
from data.quarantine import download_csv
from data.schemas import TABLES
from pages.parts.header import page_header

COUNTED = ("Read", "Accepted", "In quarantine", "Rows")
COUNTS = {name: st.column_config.NumberColumn(format="localized") for name in COUNTED}


def overview(city: City) -> pd.DataFrame:
    """List every table of the city with its rows, source, period and licence."""
    rows = []
    for name in city.tables:
        account, source = city.account(name), city.source(name)
        rows.append(
            {
                "Table": source.title,
                "Read": account.read,
                "Accepted": account.accepted,
                "In quarantine": account.quarantined,
                "Source": source.source,
                "Period": source.period,
                "Licence": source.licence,
            }
        )
    return pd.DataFrame(rows)


def lacking(city: City) -> pd.DataFrame:
    """List the tables the city does not have, the pages that wait for them, and how to load them."""
    rows = [
        {
            "Table": rule.title,
            "Page that waits for it": ", ".join(rule.pages) or "none yet",
            "What to do": city.missing(name),
        }
        for name, rule in TABLES.items()
        if not city.has(name)
    ]
    return pd.DataFrame(rows, columns=["Table", "Page that waits for it", "What to do"])


def sentences(title: str, texts: tuple[str, ...]) -> None:
    """Show a heading and a sentence a line; nothing where there is none."""
    if texts:
        items = "".join(f"<li>{escape(text)}</li>" for text in texts)
        st.html(f"<b>{escape(title)}</b><ul style='margin:.2rem 0 .4rem 0; padding-left:1.1rem'>{items}</ul>")


def table_details(city: City, name: str) -> None:
    """Show one table's source, caveats, steps and quarantine."""
    account, source = city.account(name), city.source(name)
    facts = [("Source", source.source), ("Period", source.period), ("Licence", source.licence)]
    facts += [("Portal id", source.dataset_id or ""), ("Taken on", source.retrieved or "not stated")]
    st.html("<br>".join(f"<b>{label}</b>: {escape(text)}" for label, text in facts if text))
    sentences("Mind", source.caveats)
    sentences("What was done to the rows", source.steps)
    if not account.quarantined:
        st.caption(f"All {account.read:,} rows can be used; none is in quarantine.")
        return
    st.download_button(
        "Download these rows (CSV)",
        lambda: download_csv(
            city.quarantine(name),
            columns=TABLES[name].columns,
            medical_agencies=city.profile.medical_agencies,
            has_medical=name == "calls",
            withheld=TABLES[name].withheld,
        ),
        file_name=f"{city.slug}-{name}-quarantine.csv",
        mime="text/csv",
        icon=":material/download:",
        help="Each row as it came, with its reason: medical calls without place, outlets without name.",
    )
    st.caption(
        f"{account.quarantined:,} of {account.read:,} rows are in quarantine; one can have several reasons."
    )
    reasons = pd.DataFrame(account.reasons.items(), columns=["Reason", "Rows"])
    st.dataframe(reasons, hide_index=True, width="stretch", height="content", column_config=COUNTS)


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
    picked = st.selectbox("Table", city.tables, format_func=lambda name: TABLES[name].title, key="data.table")
    table_details(city, picked)
