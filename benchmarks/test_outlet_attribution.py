"""From police records to counts at outlets, against GeoPandas' buffers and networkx' walks."""

from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from data.city import City
from geo.near import on_street, pairs_on_streets, walkable
from geo.network import RoadNetwork
from models.attribution import BUFFER_M, DRAWS, REACH_M, allocate, buffer_counts, nearness, share
from models.attribution_doors import Doors, doors
from models.incidents import IncidentRules, clean_incidents

NO_PLACES = pd.DataFrame({"name": [], "kind": [], "lon": [], "lat": []})


def _licences(extract_dir: Path) -> pd.DataFrame:
    raw = pd.read_csv(extract_dir / "alcohol_outlets_2015.csv")
    place = raw["Location 1"].str.extract(r"\(([-\d.]+), ([-\d.]+)\)").astype(float)
    return pd.DataFrame(
        {
            "outlet_id": [f"O{row}" for row in range(len(raw))],
            "name": "",
            "category": "other",
            "address": raw["Address"],
            "lon": place[1],
            "lat": place[0],
        }
    )


@pytest.fixture(scope="module")
def licences(extract_dir: Path) -> pd.DataFrame:
    """Return the licences of the extract, without their names."""
    return _licences(extract_dir)


@pytest.fixture(scope="module")
def places(network: RoadNetwork, licences: pd.DataFrame) -> Doors:
    """Return their doors."""
    return doors(network, licences)


@pytest.mark.extract
def test_from_records_to_drawn_counts(
    benchmark: Benchmark,
    report: Report,
    city: City,
    network: RoadNetwork,
    licences: pd.DataFrame,
    places: Doors,
) -> None:
    """Clean, measure, share and draw 100 times; the peer only counts within buffers."""
    calls = city.table("calls")

    def ours() -> int:
        cleaned = clean_incidents(calls, IncidentRules(), NO_PLACES, epsg=network.epsg, outlets=licences)
        kept = cleaned.in_lane("headline")
        near = nearness(network, calls["lon"], calls["lat"], places.lon, places.lat)
        shares = share(near)
        counts = allocate(shares, shares.count(kept), draws=DRAWS, seed=0)
        assert (counts.sum(axis=1) == kept.sum()).all()
        return len(counts)

    assert benchmark.pedantic(ours, rounds=3, iterations=1, warmup_rounds=1) == DRAWS

    def buffers() -> pd.Series:
        points = gpd.GeoSeries.from_xy(calls["lon"], calls["lat"], crs=4326).to_crs(network.epsg)
        around = gpd.GeoSeries.from_xy(licences["lon"], licences["lat"], crs=4326).to_crs(network.epsg)
        rings = gpd.GeoDataFrame(geometry=around.buffer(BUFFER_M))
        return (
            gpd.sjoin(rings, gpd.GeoDataFrame(geometry=points), predicate="contains").groupby(level=0).size()
        )

    peer_s, counted = seconds_of(buffers, rounds=3)
    exact = buffer_counts(network, calls["lon"], calls["lat"], licences["lon"], licences["lat"])
    assert counted.sum() == pytest.approx(exact.counts.sum(), rel=0.02)
    mine_s = benchmark.stats.stats.median
    report(
        f"{len(calls):,} police records cleaned, shared among {len(licences):,} outlets by walking distance, "
        f"drawn {DRAWS} times",
        f"{mine_s:.2f} s",
        f"GeoPandas' `sjoin` with 400-foot buffers, counts only: {peer_s:.2f} s; "
        f"it counts a call near any outlet {exact.times_counted:.1f} times",
        "under 3 of the page's 5 s",
        mine_s < 3,
    )


@pytest.mark.extract
def test_walks_to_all_outlets(
    benchmark: Benchmark, report: Report, city: City, network: RoadNetwork, places: Doors
) -> None:
    """The distances alone; the peer is networkx from each door, then pandas from corners to places."""
    where = np.unique(city.table("calls")[["lon", "lat"]].to_numpy(), axis=0)
    at = on_street(network, where[:, 0], where[:, 1])
    to = on_street(network, places.lon, places.lat)
    near = benchmark.pedantic(
        pairs_on_streets, (network, at, to), {"limit_m": REACH_M}, rounds=5, iterations=1, warmup_rounds=1
    )

    def peer() -> "pd.Series[float]":
        graph: nx.Graph[object] = nx.Graph()
        for edge in np.flatnonzero(walkable(network)):
            u, v = int(network.edge_u[edge]), int(network.edge_v[edge])
            known = graph.get_edge_data(u, v, {"metres": np.inf})["metres"]
            graph.add_edge(u, v, metres=min(known, float(network.length_m[edge])))
        found = []
        for door in range(len(places)):
            street, along, off = int(to.edge[door]), float(to.along_m[door]), float(to.off_m[door])
            graph.add_edge("door", int(network.edge_u[street]), metres=off + along)
            graph.add_edge(
                "door", int(network.edge_v[street]), metres=off + float(network.length_m[street]) - along
            )
            reach = nx.single_source_dijkstra_path_length(graph, "door", cutoff=REACH_M, weight="metres")
            found += [(door, node, metres) for node, metres in reach.items() if node != "door"]
            graph.remove_node("door")
        corners = pd.DataFrame(found, columns=["door", "node", "metres"])
        length = network.length_m[at.edge]
        ends = pd.concat(
            [
                pd.DataFrame({"place": np.arange(len(at)), "node": end[at.edge], "extra": extra + at.off_m})
                for end, extra in ((network.edge_u, at.along_m), (network.edge_v, length - at.along_m))
            ]
        )
        pairs = ends.merge(corners.astype({"node": np.int64}), on="node")
        walks = (pairs["metres"] + pairs["extra"]).groupby([pairs["place"], pairs["door"]]).min()
        return walks[walks <= REACH_M]

    peer_s, walks = seconds_of(peer, rounds=3)
    place, door = (walks.index.get_level_values(level).to_numpy() for level in ("place", "door"))
    ours = np.asarray(near[place, door]).ravel()
    elsewhere = at.edge[place] != to.edge[door]
    np.testing.assert_allclose(ours[elsewhere], walks.to_numpy()[elsewhere], atol=1e-6)
    mine_s = benchmark.stats.stats.median
    report(
        f"Walks from {len(at):,} places of calls to {len(places):,} doors within {REACH_M:.0f} m "
        f"({near.nnz:,} pairs)",
        f"{mine_s:.2f} s",
        f"networkx from each door, pandas from corners to places, same metres: {peer_s:.2f} s, "
        f"{peer_s / mine_s:.1f} times",
        "under 2 s",
        mine_s < 2,
    )
