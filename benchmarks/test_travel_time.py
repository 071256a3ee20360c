"""Travel-time fields and isochrones against OSMnx's recipe and networkx."""

import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from data.city import City
from data.derived import TravelTimes, city_ground
from geo.isochrones import isochrones
from geo.network import RoadNetwork
from geo.regions import assign_regions
from geo.travel_time import nearest_times, travel_times
from models.demand import demand_from_calls, distinct_places
from models.staging import Conditions, evaluate

THRESHOLD_S = 480.0
THRESHOLDS_S = (120.0, 360.0, 600.0)


def _osmnx_recipe(
    graph: "nx.MultiDiGraph[int]", sources: npt.NDArray[np.int64]
) -> "list[nx.MultiDiGraph[int]]":
    """Run OSMnx's isochrone recipe: one ``ego_graph`` a post, within the threshold by travel time."""
    return [nx.ego_graph(graph, int(node), radius=THRESHOLD_S, distance="time") for node in sources]


@pytest.mark.extract
def test_twelve_separate_isochrones(
    benchmark: Benchmark,
    report: Report,
    network: RoadNetwork,
    osmnx_graph: "nx.MultiDiGraph[int]",
    sources: npt.NDArray[np.int64],
) -> None:
    """The same output as OSMnx's recipe: the nodes reached from each post."""

    def ours() -> npt.NDArray[np.bool_]:
        reached: npt.NDArray[np.bool_] = np.isfinite(travel_times(network, sources, limit_s=THRESHOLD_S))
        return reached

    reached = benchmark(ours)
    peer_s, graphs = seconds_of(lambda: _osmnx_recipe(osmnx_graph, sources), rounds=3)
    for mine, graph in zip(reached, graphs, strict=True):
        assert set(np.flatnonzero(mine)) == set(graph)
    mine_s = benchmark.stats.stats.median
    report(
        "12 separate isochrones of 8 min, as reached nodes",
        f"{1000 * mine_s:.1f} ms",
        f"OSMnx's recipe (`ego_graph` a post), same nodes: {peer_s:.2f} s, {peer_s / mine_s:.0f} times",
        "at least 80 times as fast",
        peer_s / mine_s >= 80,
        headline=True,
    )


@pytest.mark.extract
def test_twelve_exact_isochrones(
    benchmark: Benchmark,
    report: Report,
    city: City,
    network: RoadNetwork,
    osmnx_graph: "nx.MultiDiGraph[int]",
    sources: npt.NDArray[np.int64],
) -> None:
    """More than the recipe gives: polygons with holes and islands, cut to the land."""
    ground = city_ground(city)

    def ours() -> list[shapely.Geometry]:
        rows = travel_times(network, sources, limit_s=THRESHOLD_S)
        return [isochrones(network, row, [THRESHOLD_S], ground=ground).geometry.iloc[0] for row in rows]

    polygons = benchmark.pedantic(ours, rounds=5, iterations=1)
    assert all(polygon.is_valid for polygon in polygons)
    peer_s, _ = seconds_of(lambda: _osmnx_recipe(osmnx_graph, sources), rounds=3)
    mine_s = benchmark.stats.stats.median
    report(
        "The same 12 as exact polygons, with holes and islands, cut to the land",
        f"{1000 * mine_s:.0f} ms",
        f"OSMnx's recipe for the nodes alone: {peer_s:.2f} s, {peer_s / mine_s:.0f} times",
        "reported",
        met=True,
    )


@pytest.mark.extract
def test_merged_field_of_twelve_posts(
    benchmark: Benchmark,
    report: Report,
    network: RoadNetwork,
    osmnx_graph: "nx.MultiDiGraph[int]",
    sources: npt.NDArray[np.int64],
) -> None:
    field = benchmark(nearest_times, network, sources)
    peer_s, peer = seconds_of(
        lambda: nx.multi_source_dijkstra_path_length(osmnx_graph, set(map(int, sources)), weight="time"),
        rounds=3,
    )
    nodes = np.fromiter(peer, dtype=np.int64)
    np.testing.assert_allclose(field[nodes], np.fromiter(peer.values(), dtype=float), rtol=1e-5, atol=1e-3)
    mine_s = benchmark.stats.stats.median
    report(
        "Merged field of 12 posts",
        f"{1000 * mine_s:.1f} ms",
        f"networkx multi-source Dijkstra: {1000 * peer_s:.0f} ms, {peer_s / mine_s:.0f} times",
        "under 5 ms",
        mine_s < 0.005,
    )


@pytest.mark.extract
def test_what_if_step(
    benchmark: Benchmark,
    report: Report,
    city: City,
    network: RoadNetwork,
    posts: pd.DataFrame,
    osmnx_graph: "nx.MultiDiGraph[int]",
    sources: npt.NDArray[np.int64],
) -> None:
    """Move one of twelve posts: field, coverage by neighborhood, three polygons."""
    calls, ground = city.table("calls"), city_ground(city)
    places, place_of_call = distinct_places(calls["lon"], calls["lat"])
    region = assign_regions(places[:, 0], places[:, 1], city.areas("neighborhoods").geometry.to_numpy())
    demand = demand_from_calls(*network.snap(places[:, 0], places[:, 1]), region, place_of_call)
    profile = city.profile
    conditions = Conditions(12, 60, 60, profile.siren_factor, 0.8, 1.2, profile.access_kph)
    times = TravelTimes(city)
    times.rows(sources)
    post_places = posts[["lon", "lat"]].to_numpy(dtype=float)
    random = np.random.default_rng(0)

    def step() -> int:
        moved = post_places.copy()
        moved[random.integers(len(moved))] += random.normal(0, 0.01, 2)
        nodes, access_m = network.snap(moved[:, 0], moved[:, 1])
        outcome = evaluate(times.rows(nodes), access_m, demand, conditions)
        polygons = isochrones(network, outcome.field_s, THRESHOLDS_S, ground=ground)
        return len(polygons) + len(outcome.coverage.by_region)

    assert benchmark.pedantic(step, rounds=30, iterations=1, warmup_rounds=2) > 60
    mine_s = benchmark.stats.stats.median
    peer_s, _ = seconds_of(lambda: _osmnx_recipe(osmnx_graph, sources), rounds=3)
    report(
        "What-if step: one of 12 posts moved; field, coverage by neighborhood (79,748 calls), three polygons",
        f"{1000 * mine_s:.0f} ms",
        f"OSMnx's recipe for the reached nodes alone: {peer_s:.2f} s, {peer_s / mine_s:.0f} times",
        "under 100 ms",
        mine_s < 0.1,
        headline=True,
    )
