"""What all tests share: the real extract where it is present, and the demo city built once a run."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is the machine's affair: speed stands in benchmarks/.
settings.register_profile("crescent", deadline=None, max_examples=60)
settings.load_profile("crescent")

EXTRACT_DEFAULT = Path(__file__).parents[2] / "shared" / "nola"


@pytest.fixture(scope="session")
def extract_dir() -> Path:
    """Folder of the real New Orleans extract; skips where there is none."""
    path = Path(os.environ.get("CRESCENT_EXTRACT", EXTRACT_DEFAULT))
    if not (path / "streets.parquet").exists():
        pytest.skip(f"the real New Orleans extract is not at {path}; set CRESCENT_EXTRACT to its folder")
    return path


@pytest.fixture(scope="session")
def demo_city_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demo city, seed 7."""
    from data.demo.maker import make_demo

    out = tmp_path_factory.mktemp("cities") / "demo"
    make_demo(out, seed=7)
    return out


@pytest.fixture(scope="session")
def extract_city_dir(extract_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the city imported from the real extract."""
    from data.importers.nola_extract import import_nola_extract

    out = tmp_path_factory.mktemp("cities") / "new-orleans"
    import_nola_extract(extract_dir, out)
    return out
