"""The docs are complete: every page, setting, table and command is described, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from benchmarks.conftest import HEAD, MARK_END, MARK_START, write_section
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


def test_a_benchmark_writes_its_own_section_and_the_headlines_of_all(tmp_path: Path) -> None:
    results, readme = tmp_path / "RESULTS.md", tmp_path / "README.md"
    results.write_text("", encoding="utf-8")
    readme.write_text(f"above\n{MARK_START}\nold\n{MARK_END}\nbelow", encoding="utf-8")
    write_section(
        results, readme, "roads", ["| **Drives** | 1 s | none | none | yes |", "| Walks | 2 s | - | - | no |"]
    )
    write_section(results, readme, "basins", ["| **Lists** | 3 s | none | none | yes |"])
    write_section(results, readme, "roads", ["| **Drives** | 4 s | none | none | yes |"])
    told = results.read_text(encoding="utf-8")
    assert told.index("## basins") < told.index("## roads")
    assert "1 s" not in told
    assert "Walks" not in told
    assert told.count(HEAD[0]) == 2
    table = readme.read_text(encoding="utf-8")
    assert "| Lists | 3 s | none | none | yes |\n| Drives | 4 s | none | none | yes |" in table
    assert table.startswith("above")
    assert table.endswith("below")
    assert "old" not in table
