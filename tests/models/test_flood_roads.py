"""Streets under water: against counts cell by cell, and against another library's shortest ways."""

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
import shapely

from errors import InvalidInputError
from geo.drainage_edges import Grid
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import Ponds, significant_ponds
from geo.network import RoadNetwork
from models.coverage import Demand
from models.flood_harm import harm
from models.flood_roads import (
    CUT_OFF_MIN,
    PER_CALLS,
    Drives,
    StreetDepth,
    WaterRules,
    minute_items,
    pool_minutes,
    street_cells,
    street_depth,
)
from tests.geo import networks

FloatArray = npt.NDArray[np.float64]
CELL_M = 10.0


def _network(*, freeway: int | None = None) -> RoadNetwork:
    streets, nodes = networks.grid(4, 3)
    if freeway is not None:
        streets.loc[freeway, "road_class"] = "motorway"
    return RoadNetwork.from_streets(streets, nodes)


def _ground(network: RoadNetwork) -> tuple[Grid, Ponds]:
    """Two walled hollows side by side under the street grid, each its own pond."""
    x, y = network.node_xy_m.T
    west, north = x.min() - 55.0, y.max() + 55.0
    shape = (int((north - y.min() + 55) / CELL_M), int((x.max() + 55 - west) / CELL_M))
    row, column = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    dem = np.abs(column - shape[1] // 2) * -0.02 + 0.005 * row
    bowls = nest_bowls(dem, CELL_M, edge="wall")
    return Grid(west, north, CELL_M, network.epsg, shape), significant_ponds(bowls, min_depth_m=0.2)


def _demand(network: RoadNetwork, weight: list[float]) -> Demand:
    n = network.n_nodes
    return Demand(np.arange(n), np.zeros(n), np.array(weight), np.zeros(n, dtype=np.int64))


def _drives(network: RoadNetwork, posts: list[int], weight: list[float] | None = None) -> Drives:
    return Drives(
        network,
        np.array(posts),
        np.zeros(len(posts)),
        _demand(network, weight or [1.0] * network.n_nodes),
        30.0,
        np.zeros(network.n_edges, dtype=bool),
        np.zeros(network.n_nodes, dtype=bool),
        np.ones(network.n_edges),
    )


def _mean_by_networkx(drives: Drives, depth: FloatArray) -> float:
    network, rules = drives.network, drives.rules
    graph: nx.MultiGraph[int] = nx.MultiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for u, v, seconds, deep in zip(network.edge_u, network.edge_v, network.edge_seconds, depth, strict=True):
        if deep < rules.closed_depth_m:
            factor = rules.slow_factor if deep >= rules.slow_depth_m else 1.0
            graph.add_edge(int(u), int(v), weight=seconds / factor)
    found = nx.multi_source_dijkstra_path_length(graph, set(drives.post_node.tolist()))
    minutes = [min(found.get(node, np.inf) / 60, CUT_OFF_MIN) for node in range(network.n_nodes)]
    return float(np.average(minutes, weights=drives.demand.weight))


def test_a_street_is_as_deep_as_its_deepest_cell() -> None:
    network = _network(freeway=0)
    grid, ponds = _ground(network)
    cells = street_cells(network, grid, every_m=1.0)
    level = np.append(-np.inf, ponds.bottom_m[1 : ponds.n_ponds + 1] + np.array([0.5, 0.2]))
    found = street_depth(cells.on(ponds), level)
    rows, columns = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    boxes = shapely.box(
        grid.west_m + CELL_M * columns,
        grid.north_m - CELL_M * (rows + 1),
        grid.west_m + CELL_M * (columns + 1),
        grid.north_m - CELL_M * rows,
    )
    for edge, line in enumerate(network.lines_m):
        # Cells that the line runs through for a metre: a place every metre cannot miss them.
        along = shapely.length(shapely.intersection(boxes, line)) >= 1.0 + 1e-6
        if edge == 0:
            assert found.depth_m[edge] == 0
            continue
        deep = np.where(along, level[ponds.label] - ponds.dem_m, 0.0)
        assert found.depth_m[edge] == pytest.approx(max(deep.max(), 0.0))
        if deep.max() > 0:
            at = np.unravel_index(deep.argmax(), deep.shape)
            assert found.pond[edge] == ponds.label[at]
            assert found.ground_m[edge] == pytest.approx(ponds.dem_m[at])
        else:
            assert found.pond[edge] == 0
            assert np.isnan(found.ground_m[edge])
    assert (found.depth_m > 0.3).any()
    assert (found.depth_m == 0).sum() > 1
    np.testing.assert_allclose(cells.on(ponds).edge_depth_m(level), found.depth_m)


def test_places_off_the_ground_are_dry() -> None:
    network = _network()
    grid, ponds = _ground(network)
    far = Grid(grid.west_m + 1e5, grid.north_m, CELL_M, grid.epsg, grid.shape)
    nowhere = street_cells(network, far)
    assert len(nowhere.edge) == 0
    level = np.full(ponds.n_ponds + 1, 9.0)
    assert not street_depth(nowhere.on(ponds), level).depth_m.any()


def test_a_surface_may_count_from_another_datum() -> None:
    """NAD 83 and WGS 84 lie about a metre apart: the same cells of 10 m but for those at a border."""
    network = _network()
    grid, _ = _ground(network)
    here = street_cells(network, grid)
    there = street_cells(network, Grid(grid.west_m, grid.north_m, CELL_M, 26915, grid.shape))
    assert len(here.edge) == len(there.edge) > 100
    assert np.abs(here.row - there.row).max() <= 1
    assert (here.column == there.column).mean() > 0.8


def test_water_slows_then_shuts() -> None:
    closed, factor = WaterRules().roads(np.array([0.0, 0.14, 0.15, 0.29, 0.3, 2.0]))
    assert closed.tolist() == [False] * 4 + [True] * 2
    assert factor[:4].tolist() == [1.0, 1.0, 0.3, 0.3]
    # The usual factor is what the cited function leaves between the two depths, on streets of 35 km/h.
    w = np.linspace(150, 300, 151)
    assert np.mean(0.0009 * w**2 - 0.5529 * w + 86.9448) / 35 == pytest.approx(0.3, abs=0.02)
    for rules in ((0.4, 0.3, 0.3), (0.0, 0.3, 0.3), (0.15, 0.0, 0.3), (0.15, 1.2, 0.3)):
        with pytest.raises(InvalidInputError, match="cannot be judged"):
            WaterRules(*rules)


def test_drives_are_those_of_another_library() -> None:
    network, random = _network(), np.random.default_rng(3)
    for _ in range(20):
        depth = random.choice([0.0, 0.2, 0.5], network.n_edges, p=[0.5, 0.3, 0.2])
        drives = _drives(network, [0, 7], random.uniform(0, 5, network.n_nodes).tolist())
        assert drives.under(depth).mean_min == pytest.approx(_mean_by_networkx(drives, depth), rel=1e-5)


def test_a_call_that_is_cut_off_is_counted_so() -> None:
    network = _network()
    drives = _drives(network, [0])
    around = (network.edge_u == 11) | (network.edge_v == 11)
    under = drives.under(np.where(around, 1.0, 0.0))
    assert under.cut_off == pytest.approx(1 / network.n_nodes)
    assert drives.under(np.zeros(network.n_edges)).cut_off == 0
    everywhere = drives.under(np.ones(network.n_edges))
    assert everywhere.cut_off == pytest.approx(1 - 1 / network.n_nodes)
    assert everywhere.mean_min == pytest.approx(CUT_OFF_MIN * (1 - 1 / network.n_nodes))


def test_minutes_of_a_pool_are_those_of_drying_it_alone() -> None:
    network, random = _network(), np.random.default_rng(4)
    depth = random.choice([0.0, 0.1, 0.2, 0.5], network.n_edges)
    pool = np.where(depth > 0, random.integers(1, 4, network.n_edges), 0)
    drives = _drives(network, [5])
    found = pool_minutes(drives, depth, pool)
    wet = depth >= 0.15
    assert sorted(found.pool) == sorted(set(pool[wet]))
    flooded = _mean_by_networkx(drives, depth)
    for number, minutes, streets in zip(found.pool, found.minutes, found.streets, strict=True):
        dried = _mean_by_networkx(drives, np.where(pool == number, 0.0, depth))
        assert minutes == pytest.approx(PER_CALLS * (flooded - dried), abs=0.01)
        assert streets == (wet & (pool == number)).sum()
    assert (np.diff(found.minutes) <= 0).all()
    dry = _mean_by_networkx(drives, np.zeros(network.n_edges))
    assert found.all_minutes == pytest.approx(PER_CALLS * (flooded - dry), abs=0.01)


def test_items_give_a_pools_minutes_back_street_by_street() -> None:
    network = _network()
    grid, ponds = _ground(network)
    level = np.append(-np.inf, ponds.bottom_m[1 : ponds.n_ponds + 1] + np.array([0.4, 0.3]))
    streets = street_depth(street_cells(network, grid).on(ponds), level)
    found = pool_minutes(_drives(network, [0]), streets.depth_m, streets.pond)
    items = minute_items(found, streets, streets.pond, WaterRules())
    assert harm(items, level) == pytest.approx(np.maximum(found.minutes, 0).sum())
    assert harm(items, level) > 0
    # Lowered until no street of a pool is slowed, all of its minutes are back.
    for number, minutes in zip(found.pool, found.minutes, strict=True):
        lower = level.copy()
        deepest = streets.depth_m[streets.pond == number].max()
        lower[number] -= deepest - 0.149
        assert harm(items, level) - harm(items, lower) == pytest.approx(max(minutes, 0.0))
    levels = [harm(items, level - drop) for drop in np.linspace(0, 0.4, 30)]
    assert (np.diff(levels) <= 0).all()
    dry = StreetDepth(np.zeros(3), np.zeros(3, dtype=np.int64), np.full(3, np.nan))
    none = pool_minutes(
        _drives(network, [0]), np.zeros(network.n_edges), np.zeros(network.n_edges, dtype=np.int64)
    )
    assert not len(none.pool)
    assert not len(minute_items(none, dry, dry.pond, WaterRules()).pond)
