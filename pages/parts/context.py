"""Which city is in view, and the theme it is shown in."""

from pathlib import Path

import streamlit as st

from data.city import City
from errors import CityFolderError
from pages.parts.memory import give_back_memory
from pages.parts.palette import Theme
from pages.parts.settings import Settings

CITY_KEY = "city_folder"


def city_folders(root: Path) -> list[Path]:
    """City folders below ``root``, by name: those that hold a ``city.toml``."""
    return sorted(path.parent for path in root.glob("*/city.toml") if not path.parent.name.startswith("."))


@st.cache_resource(show_spinner="Opening the city …", max_entries=4)
def _open(path: str, _stamp: int) -> City:
    city = City.open(Path(path))
    give_back_memory()
    return city


def open_city(path: Path) -> City:
    """Open a city folder once for all sessions, and anew when the folder has been replaced."""
    return _open(str(path), (path / "manifest.json").stat().st_mtime_ns)


def choose_city() -> Path | None:
    """Return the folder of the city in view: the reader's choice, the address line's, or the first."""
    settings = Settings()
    folders = {path.name: path for path in city_folders(settings.cities)}
    if not folders:
        return None
    for wanted in (st.session_state.get(CITY_KEY), st.query_params.get("city"), settings.city):
        if wanted in folders:
            return folders[wanted]
    return next(iter(folders.values()))


def current_city() -> City:
    """Return the city in view; where it cannot be opened, say why and stop the page, not the app."""
    folder = choose_city()
    if folder is None:
        st.info(
            "There is no city yet. Build the demo city with `make demo`, or import records: see the README.",
            icon=":material/location_city:",
        )
        st.stop()
    try:
        return open_city(folder)
    except (CityFolderError, OSError) as error:
        st.error(f"**{folder.name} cannot be opened.** {error}", icon=":material/report:")
        st.stop()


def current_theme() -> Theme:
    """Return the colours for the theme the reader has chosen."""
    return Theme(dark=st.context.theme.type == "dark")
