"""How a page watches work in the background: a bar that moves, and a fresh page when it ends."""

import streamlit as st


@st.fragment(run_every=0.5)
def watch_job(key: str, words: str) -> None:
    """Show how far the job in the session's ``key`` is; run the page again when it has ended."""
    job = st.session_state[key]
    if job.running:
        st.progress(job.share, text=words)
    else:
        st.rerun()
