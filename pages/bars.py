"""Bars: which outlets stand out, and what would survive a hearing."""

import streamlit as st

from data.city import City
from errors import InvalidInputError
from pages.parts.bars_banner import naming_banner, provenance
from pages.parts.bars_chance import chance_view, concentration_view
from pages.parts.bars_closing import closing_view
from pages.parts.bars_clusters import cluster_areas, cluster_controls, clusters_view
from pages.parts.bars_controls import bars_controls
from pages.parts.bars_inputs import bars_inputs, bars_view
from pages.parts.bars_map import bars_map
from pages.parts.bars_packet import packet_view
from pages.parts.bars_ranking import ranking_view
from pages.parts.bars_scene import Scene, naming_of
from pages.parts.context import current_theme
from pages.parts.header import page_header
from pages.parts.notes import note

NEEDED = ("streets", "street_nodes", "neighborhoods", "outlets", "calls")
QUESTIONS = {
    "Who stands out?": "Which doors have more incidents than others like them?",
    "More than chance?": "Do doors differ more than luck explains?",
    "How concentrated?": "Is it a few doors, or would chance pile up as much?",
    "Where do they cluster?": "Where do doors stand close, and do incidents gather there?",
    "What if it closed earlier?": "What did cities that closed bars earlier see, and what of here?",
    "Evidence packet": "What do the records say of a door, and what its owner?",
}


@st.fragment
def bars(city: City) -> None:
    """Show controls, map and results; only this part runs again after a change."""
    scope = f"bars.{city.version}"
    try:
        inputs = bars_inputs(city, city.version)
    except InvalidInputError as error:
        st.error(str(error), icon=":material/report:")
        return
    naming = naming_of(inputs, city.version)
    naming_banner(naming)
    left, middle, right = st.columns([2.3, 6.1, 3.6], gap="small")
    with left:
        chosen = bars_controls(inputs, scope=scope)
    try:
        view = bars_view(inputs, city.version, chosen.choice)
    except InvalidInputError as error:
        middle.error(str(error), icon=":material/report:")
        return
    scene = Scene(city, inputs, view, chosen.over, chosen.kinds, naming, current_theme())
    with right:
        question = st.selectbox(
            "Question", list(QUESTIONS), key=f"{scope}.question", label_visibility="collapsed"
        )
        note(QUESTIONS[question])
        clusters = cluster_controls(scene, scope=scope) if question == "Where do they cluster?" else None
    with middle:
        bars_map(scene, scope=scope, areas=cluster_areas(clusters))
    with right:
        match question:
            case "More than chance?":
                chance_view(scene)
            case "How concentrated?":
                concentration_view(scene, scope=scope)
            case "Where do they cluster?":
                clusters_view(scene, clusters, scope=scope)
            case "What if it closed earlier?":
                closing_view(scene, scope=scope)
            case "Evidence packet":
                packet_view(scene, scope=scope)
            case _:
                ranking_view(scene, scope=scope)
        provenance(scene)


city = page_header("Bars", "Click a dot or a row to see one door; choose a question on the right.")
missing = [table for table in NEEDED if not city.has(table)]
for table in missing:
    st.info(city.missing(table), icon=":material/upload_file:")
if not missing:
    bars(city)
