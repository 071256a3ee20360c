"""Settings from the environment, prefixed ``CRESCENT_``."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_DIR = Path(__file__).parents[2]


class Settings(BaseSettings):
    """What a deployment may set.

    Attributes
    ----------
    cities
        Folder whose subfolders are city folders (``CRESCENT_CITIES``).
    city
        Name of the city folder that opens first; the first by name when empty (``CRESCENT_CITY``).
    compile
        Whether the server compiles the simulator's rules and the storm's steps in the background when it
        starts (``CRESCENT_COMPILE``); if not, the first simulation and the first storm do.
    """

    model_config = SettingsConfigDict(env_prefix="CRESCENT_", frozen=True, extra="ignore")

    cities: Path = PROJECT_DIR / "var" / "cities"
    city: str = ""
    compile: bool = True
