"""What the Data page shows of each table: its account, its source, its quarantine, and what is lacking."""

from html import escape

import pandas as pd
import streamlit as st

from data.city import City
from data.elevation import TITLE as ELEVATION_TITLE
from data.manifest import TableSource
from data.quarantine import download_csv
from data.schemas import TABLES

ELEVATION = "elevation"
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
    surface = city.elevation
    if surface is not None:
        source, cells = city.elevation_source, surface.cells
        rows.append(
            {
                "Table": f"{source.title} (cells)",
                "Read": cells,
                "Accepted": cells,
                "In quarantine": 0,
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
    if not city.has_elevation:
        what = {"Page that waits for it": "Catch basins", "What to do": city.missing_elevation}
        rows.append({"Table": ELEVATION_TITLE, **what})
    return pd.DataFrame(rows, columns=["Table", "Page that waits for it", "What to do"])


def titles(city: City) -> dict[str, str]:
    """Give the title of each table that can be picked; the elevation last."""
    named = {name: TABLES[name].title for name in city.tables}
    return named | ({ELEVATION: ELEVATION_TITLE} if city.has_elevation else {})


def sentences(title: str, texts: tuple[str, ...]) -> None:
    """Show a heading and a sentence a line; nothing where there is none."""
    if texts:
        items = "".join(f"<li>{escape(text)}</li>" for text in texts)
        st.html(f"<b>{escape(title)}</b><ul style='margin:.2rem 0 .4rem 0; padding-left:1.1rem'>{items}</ul>")


def source_details(source: TableSource) -> None:
    """Show where a table or the elevation comes from, what to mind, and what was done to it."""
    facts = [("Source", source.source), ("Period", source.period), ("Licence", source.licence)]
    facts += [("Portal id", source.dataset_id or ""), ("Taken on", source.retrieved or "not stated")]
    st.html("<br>".join(f"<b>{label}</b>: {escape(text)}" for label, text in facts if text))
    sentences("Mind", source.caveats)
    sentences("What was done", source.steps)


def details(city: City, name: str) -> None:
    """Show one table's source, caveats, steps and quarantine, or the same of the elevation."""
    if name == ELEVATION and (surface := city.elevation) is not None:
        source_details(city.elevation_source)
        sentences("What is in it", surface.words)
        return
    source_details(city.source(name))
    account = city.account(name)
    if name == "basins" and (off := city.off_ground(name)):
        st.caption(
            f"{off:,} of them stand where the elevation has no ground: how water comes there is unknown."
        )
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
