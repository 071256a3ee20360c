"""The door: navigation and the server's own routes."""

from pathlib import Path

import streamlit as st

if __name__ == "__main__":
    icon = Path(__file__).parent / "pages" / "parts" / "assets" / "crescent.svg"
    st.set_page_config(page_title="Crescent", page_icon=str(icon), layout="wide")
    st.navigation(
        [
            st.Page("pages/staging.py", title="Ambulance staging", icon=":material/emergency:", default=True),
            st.Page("pages/calls.py", title="911 calls", icon=":material/call:"),
            st.Page("pages/bars.py", title="Bars", icon=":material/local_bar:"),
            st.Page("pages/basins.py", title="Catch basins", icon=":material/water_drop:"),
            st.Page("pages/data.py", title="Data", icon=":material/database:"),
        ],
        position="top",
    ).run()
else:
    from streamlit.runtime.pages_manager import PagesManager

    from pages.parts.server import routes
    from pages.parts.warm_up import compile_while_serving

    # Until the first st.navigation, Streamlit takes a folder named pages/ for its older kind of app, in which
    # a deep link runs the page without this door.
    PagesManager.uses_pages_directory = False

    app = st.App(__file__, routes=routes(), lifespan=compile_while_serving)
