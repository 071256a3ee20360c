"""Benchmarks on the real extract, each against a named peer in the same run, gathered in one table."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import geopandas as gpd
import numpy as np
import osmnx as ox
import pandas as pd
import pytest

from data.city import City
from geo.network import RoadNetwork
from tests.conftest import demo_city_dir, extract_city_dir, extract_dir
from tests.e2e.conftest import browser, chromium, open_page, playwright, start_app

__all__ = [
    "browser",
    "chromium",
    "demo_city_dir",
    "extract_city_dir",
    "extract_dir",
    "open_page",
    "playwright",
    "start_app",
]

Benchmark = Any
"""pytest-benchmark's fixture, which has no types."""

RESULTS = Path(__file__).parent / "RESULTS.md"
README = Path(__file__).parents[1] / "README.md"
MARK_START, MARK_END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
HEAD = ("| What | Measured | Peer in the same run | Target | Met |", "| --- | --- | --- | --- | --- |")
N_POSTS = 12


if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, against what, and whether the target was met."""

    what: str
    measured: str
    peer: str
    target: str
    met: bool
    headline: bool

    @property
    def line(self) -> str:
        """The row in Markdown; what is bold stands in the README too."""
        what = f"**{self.what}**" if self.headline else self.what
        return f"| {what} | {self.measured} | {self.peer} | {self.target} | {'yes' if self.met else 'no'} |"


class Report(Protocol):
    """Adds a row to the table."""

    def __call__(
        self,
        what: str,
        measured: str,
        peer: str,
        target: str,
        met: bool,  # noqa: FBT001
        *,
        headline: bool = False,
    ) -> None:
        """Add one row; a headline stands in the README too."""


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Collect a file's rows; print them, or write them to their section where ``make bench`` asks for it."""
    rows: list[Row] = []

    def add(
        what: str,
        measured: str,
        peer: str,
        target: str,
        met: bool,  # noqa: FBT001
        *,
        headline: bool = False,
    ) -> None:
        rows.append(Row(what, measured, peer, target, met, headline))

    yield add
    if rows and os.environ.get("CRESCENT_WRITE_TABLE") == "1":
        write_section(RESULTS, README, request.path.stem.removeprefix("test_"), [row.line for row in rows])
    else:
        print("\n" + "\n".join([*HEAD, *(row.line for row in rows)]))  # noqa: T201


def write_section(results: Path, readme: Path, name: str, lines: list[str]) -> None:
    """Put a file's rows in the place of its last ones, and the headlines of all files in the README."""
    sections: dict[str, list[str]] = {}
    for line in results.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            sections[line[3:]] = []
        elif line.startswith("|") and line not in HEAD:
            sections[next(reversed(sections))].append(line)
    machine = f"Measured on {os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}."
    sections[name] = lines
    named = sorted(sections)
    results.write_text(
        "\n\n".join([machine, *("\n".join([f"## {n}", "", *HEAD, *sections[n]]) for n in named)]) + "\n",
        encoding="utf-8",
    )
    shown = [line.replace("**", "") for n in named for line in sections[n] if line.startswith("| **")]
    text = readme.read_text(encoding="utf-8")
    start, end = text.index(MARK_START) + len(MARK_START), text.index(MARK_END)
    table = "\n".join([machine, "", *HEAD, *shown])
    readme.write_text(f"{text[:start]}\n{table}\n{text[end:]}", encoding="utf-8")


@pytest.fixture(scope="session")
def city(extract_city_dir: Path) -> City:
    """Open the real extract."""
    return City.open(extract_city_dir)


@pytest.fixture(scope="session")
def network(city: City) -> RoadNetwork:
    """Return the extract's road network, with what is prepared once."""
    prepared = city.network
    assert prepared.main.any()
    assert len(prepared.node_cells[0])
    return prepared


@pytest.fixture(scope="session")
def posts(city: City) -> pd.DataFrame:
    """Return the first twelve of the extract's candidate posts."""
    return city.table("posts").head(N_POSTS)


@pytest.fixture(scope="session")
def sources(network: RoadNetwork, posts: pd.DataFrame) -> np.ndarray:
    """Return the nodes of the twelve posts."""
    return network.snap(posts["lon"], posts["lat"])[0]


@pytest.fixture(scope="session")
def osmnx_graph(network: RoadNetwork) -> "nx.MultiDiGraph[int]":
    """Return the same network as OSMnx keeps it: a MultiDiGraph with ``time`` in seconds on its edges."""
    nodes = gpd.GeoDataFrame(
        {"x": network.node_lon, "y": network.node_lat},
        geometry=gpd.points_from_xy(network.node_lon, network.node_lat),
        crs="EPSG:4326",
    )
    forward = pd.DataFrame(
        {"u": network.edge_u, "v": network.edge_v, "time": network.edge_seconds, "length": network.length_m}
    )
    two_way = forward[~network.oneway].rename(columns={"u": "v", "v": "u"})
    edges = pd.concat([forward, two_way], ignore_index=True)
    edges["key"] = edges.groupby(["u", "v"]).cumcount()
    lines = gpd.GeoDataFrame(edges, geometry=gpd.GeoSeries(index=edges.index), crs="EPSG:4326")
    graph: nx.MultiDiGraph[int] = ox.graph_from_gdfs(nodes, lines.set_index(["u", "v", "key"]))
    return graph
