"""The docs are complete: every page, setting, table and command is described, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from data.schemas import TABLES
from pages.parts.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_in_the_readme(setting: str) -> None:
    assert f"`CRESCENT_{setting.upper()}`" in README


@pytest.mark.parametrize(
    "title", re.findall(r' title="([^"]+)"', (ROOT / "app.py").read_text(encoding="utf-8"))
)
def test_every_page_is_in_the_readme(title: str) -> None:
    assert f"**{title}**" in README


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_described(table: str) -> None:
    assert f"`{table}`" in (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "target", re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
)
def test_every_make_target_is_described(target: str) -> None:
    assert any(f"make {target}" in path.read_text(encoding="utf-8") for path in DOCS)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]
    assert not [target for target in targets if target and not (path.parent / target).exists()]
