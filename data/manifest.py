"""The manifest of a city folder: who made it, and where each table and the elevation come from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from data.schema_rules import TableRule
from errors import Faults

MANIFEST_FILE = "manifest.json"

_ENTRY_KEYS = frozenset(
    {"source", "dataset_id", "licence", "period", "retrieved", "caveats", "rows_read", "steps"}
)


@dataclass(frozen=True)
class TableSource:
    """Where a table comes from, and what was done to it."""

    name: str
    title: str
    source: str
    dataset_id: str | None
    licence: str
    period: str
    retrieved: str | None
    caveats: tuple[str, ...]
    steps: tuple[str, ...]


def manifest_entry(
    *,
    source: str,
    period: str,
    licence: str,
    dataset_id: str | None,
    retrieved: str | None,
    caveats: Sequence[str],
    steps: Sequence[str],
    rows_read: int,
) -> dict[str, Any]:
    """Put together what the manifest says of one table, or of the elevation."""
    return {
        "source": source,
        "dataset_id": dataset_id,
        "licence": licence,
        "period": period,
        "retrieved": retrieved,
        "caveats": list(caveats),
        "rows_read": rows_read,
        "steps": list(steps),
    }


def table_source(name: str, title: str, entry: Mapping[str, Any]) -> TableSource:
    """Read what the manifest says of one table, or of the elevation."""
    return TableSource(
        name=name,
        title=title,
        source=entry["source"],
        dataset_id=entry["dataset_id"],
        licence=entry["licence"],
        period=entry["period"],
        retrieved=entry["retrieved"],
        caveats=tuple(entry["caveats"]),
        steps=tuple(entry["steps"]),
    )


def read_manifest(path: Path, faults: Faults) -> dict[str, Any]:
    """Read the manifest, or add its faults and give an empty one."""
    blank: dict[str, Any] = {"maker": "", "seed": None, "synthetic": True, "tables": {}}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        faults.add(f"{path.name} is missing; make or import the city again")
        return blank
    except (OSError, ValueError) as error:
        faults.add(f"{path.name} cannot be read ({error}); make or import the city again")
        return blank
    if (
        not isinstance(manifest, dict)
        or not blank.keys() <= manifest.keys()
        or not isinstance(manifest["tables"], dict)
    ):
        faults.add(
            f"{path.name} is no city's manifest: it needs {', '.join(blank)}; make or import the city again"
        )
        return blank
    entries = {f"the table {name}": entry for name, entry in manifest["tables"].items()}
    if "elevation" in manifest:
        entries["the elevation"] = manifest["elevation"]
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not entry.keys() >= _ENTRY_KEYS:
            faults.add(f"{path.name} must say of {name}: {', '.join(sorted(_ENTRY_KEYS))}")
            return blank
    return manifest


def taken_on_day(
    entry: Mapping[str, Any], rule: TableRule, raw: pd.DataFrame | None, faults: Faults
) -> date | None:
    """Give the day on which the rows were taken; a fault where times of past events need it."""
    retrieved = entry.get("retrieved")
    if isinstance(retrieved, str) and is_day(retrieved):
        return date.fromisoformat(retrieved)
    given = [
        column for column in rule.past if raw is not None and column in raw and raw[column].notna().any()
    ]
    faults.check(
        not given,
        f"{MANIFEST_FILE} does not say on which day it was taken (retrieved, such as 2026-01-31); without it "
        f"times in the future cannot be told in {', '.join(given)}",
    )
    return None


def is_day(text: str) -> bool:
    """Say whether a text is a day such as 2026-01-31."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
