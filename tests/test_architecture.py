"""The tree says what may use what: imports point down, and files stay small."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "geo": {"geo", "errors"},
    "models": {"models", "geo", "errors"},
    "data": {"data", "geo", "errors"},
    "pages": {"pages", "models", "data", "geo", "errors"},
}
LAYERS = {*MAY_IMPORT, "errors", "app", "tests", "benchmarks"}
OFFERED = "__all__"
NO_STREAMLIT = ("geo", "models", "data")
MAX_LINES = {"pages": 110, "pages/parts": 500, "geo": 500, "models": 500, "data": 500}


def _sources(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_imports_point_down(layer: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted((_imports(path) & LAYERS) - MAY_IMPORT[layer])
        for path in _sources(layer)
        if (_imports(path) & LAYERS) - MAY_IMPORT[layer]
    }
    assert not wrong


@pytest.mark.parametrize("layer", NO_STREAMLIT)
def test_streamlit_stays_in_the_pages(layer: str) -> None:
    assert not [str(path) for path in _sources(layer) if "streamlit" in _imports(path)]


@pytest.mark.parametrize("layer", MAX_LINES)
def test_files_have_one_idea(layer: str) -> None:
    files = (ROOT / layer).glob("*.py") if layer == "pages" else _sources(layer)
    long = {str(path): n for path in files if (n := len(path.read_text().splitlines())) > MAX_LINES[layer]}
    assert not long


def test_no_module_level_state_changes() -> None:
    """No ``global`` statement, and no list, dict or set built at module level under a lower-case name."""
    wrong = []
    for layer in MAY_IMPORT:
        for path in _sources(layer):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            wrong += [f"{path}: global" for node in ast.walk(tree) if isinstance(node, ast.Global)]
            for node in tree.body:
                targets = node.targets if isinstance(node, ast.Assign) else []
                if isinstance(getattr(node, "value", None), ast.List | ast.Dict | ast.Set):
                    names = [target.id for target in targets if isinstance(target, ast.Name)]
                    wrong += [f"{path}: {name}" for name in names if not name.isupper() and name != OFFERED]
    assert not wrong
