"""The importer: what it says of bad files, what it mends, and that nothing of the real extract is lost."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from data.city import City
from data.importers.centre_lines import CLOSED_UP, NO_CORNER, mend_centre_lines
from data.importers.nola_extract import import_nola_extract
from errors import ImportSourceError
from geo.travel_time import travel_times

HIGH = 1.0 / 111_195.0


def centre_lines() -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """A street, a ramp of two parts to a freeway, an unnamed lane, and a corner drawn twice."""
    places = {
        0: (-90.080, 29.950),
        1: (-90.079, 29.950),
        2: (-90.079 + 0.05 * HIGH, 29.950),
        3: (-90.078, 29.950),
        4: (-90.078, 29.951),
        5: (-90.078, 29.952),
        6: (-90.070, 29.952),
        7: (-90.080, 29.955),
    }
    rows = [
        (0, 1, "Canal Street", "Major Arterial"),
        (1, 2, "Canal Street", "Local"),
        (2, 3, "Canal Street", "Local"),
        (3, 4, None, None),
        (4, 5, None, None),
        (5, 6, "Interstate 10", "Freeway"),
        (0, 7, None, None),
        (3, 99, "Lost Street", "Local"),
    ]
    lines = [
        shapely.LineString() if v in {2, 7} else shapely.LineString([places[u], places.get(v, (-90.0, 29.9))])
        for u, v, _, _ in rows
    ]
    streets = gpd.GeoDataFrame(
        {
            "u": [row[0] for row in rows],
            "v": [row[1] for row in rows],
            "name": [row[2] for row in rows],
            "street_class": pd.Series([row[3] for row in rows], dtype="str"),
            "length_m": 100.0,
        },
        geometry=lines,
        crs=4326,
    )
    nodes = pd.DataFrame(
        {"node": list(places), "lon": [x for x, _ in places.values()], "lat": [y for _, y in places.values()]}
    )
    return streets, nodes


def test_centre_lines_are_mended_and_every_step_is_said() -> None:
    streets, nodes = centre_lines()
    mended = mend_centre_lines(streets, nodes, utm_epsg=26915)
    assert sorted(mended.rejected["reason"]) == sorted([CLOSED_UP, NO_CORNER])
    assert len(mended.streets) + len(mended.rejected) == len(streets)
    assert set(mended.nodes["node"]) == {0, 1, 3, 4, 5, 6, 7}
    by_ends = mended.streets.set_index(["u", "v"])
    assert by_ends.loc[(1, 3), "name"] == "Canal Street"
    assert by_ends["road_class"].loc[[(0, 1), (1, 3), (3, 4), (4, 5), (5, 6), (0, 7)]].tolist() == [
        "primary",
        "residential",
        "motorway_link",
        "motorway_link",
        "motorway",
        "unclassified",
    ]
    assert list(by_ends.geometry.loc[(0, 7)].coords) == [(-90.080, 29.950), (-90.080, 29.955)]
    assert not mended.streets["oneway"].any()
    assert "1 corners that stand within 0.1 m" in mended.node_steps[0]
    assert any("1 streets came without a line" in step for step in mended.street_steps)


def test_every_missing_torn_and_lacking_file_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "streets.parquet").write_bytes(b"torn")
    (tmp_path / "water.geojson").write_text("{", encoding="utf-8")
    pd.DataFrame({"node": [1]}).to_parquet(tmp_path / "street_nodes.parquet")
    hoods = gpd.GeoDataFrame({"name": ["A"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=3452)
    hoods.to_file(tmp_path / "neighborhoods.geojson")
    with pytest.raises(ImportSourceError) as caught:
        import_nola_extract(tmp_path, tmp_path / "out")
    said = str(caught.value)
    assert "11 faults" in said
    for part in (
        "streets.parquet cannot be read",
        "water.geojson cannot be read",
        "street_nodes.parquet lacks lon, lat",
        "neighborhoods.geojson is not in EPSG:4326",
        "ems_posts.csv is missing",
        "hospitals.csv is missing",
        "alcohol_outlets_2015.csv is missing",
        "elevation.tif is missing",
    ):
        assert part in said
    assert not (tmp_path / "out").exists()


def test_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImportSourceError, match="there is no folder"):
        import_nola_extract(tmp_path / "nowhere", tmp_path / "out")


@pytest.fixture(scope="module")
def city(extract_city_dir: Path) -> City:
    return City.open(extract_city_dir)


@pytest.mark.extract
def test_no_row_of_the_extract_is_lost(city: City, extract_dir: Path) -> None:
    files = {"streets": "streets.parquet", "calls": "call_points_2022.parquet"}
    for table, file in files.items():
        assert city.account(table).read == len(pd.read_parquet(extract_dir / file))
    assert city.account("posts").read == len(pd.read_csv(extract_dir / "ems_posts.csv")) == 54
    assert city.account("hospitals").read == len(pd.read_csv(extract_dir / "hospitals.csv"))
    for table in city.tables:
        account = city.account(table)
        assert account.accepted + account.quarantined == account.read
    points = pd.read_parquet(extract_dir / "call_points_2022.parquet")
    west, south, east, north = city.profile.bbox
    outside = ~(points["longitude"].between(west, east) & points["latitude"].between(south, north))
    assert city.account("calls").quarantined == outside.sum() > 0


@pytest.mark.extract
def test_extract_is_not_made_up(city: City) -> None:
    assert not city.synthetic
    calls = city.table("calls")
    for column in ("opened_at", "dispatched_at", "arrived_at", "closed_at", "type_code", "priority"):
        assert calls[column].isna().all()
    assert set(calls["agency"]) == {"Police"}
    assert "with Carnival: a stand-in for EMS" in city.source("calls").source
    assert not city.table("streets")["oneway"].any()
    assert any("no one-way streets" in caveat for caveat in city.source("streets").caveats)
    for table in ("unit_responses", "shifts"):
        assert not city.has(table)


@pytest.mark.extract
def test_people_of_the_parish_are_all_placed(city: City, extract_dir: Path) -> None:
    tracts = gpd.read_file(extract_dir / "census_tracts.geojson")
    assert city.table("neighborhoods")["population"].sum() == tracts["population"].sum()


@pytest.mark.extract
def test_posts_have_the_citys_order_and_hospitals_a_decision(city: City) -> None:
    posts = city.table("posts").dropna(subset="baseline_rank").sort_values("baseline_rank")
    assert city.profile.posts is not None
    assert tuple(posts["name"]) == city.profile.posts.baseline
    hospitals = city.table("hospitals").set_index("name")
    assert hospitals["receives_911"].notna().all()
    assert set(hospitals.index[hospitals["receives_911"].astype(bool)]) == {
        "University Medical Center New Orleans",
        "Touro Infirmary",
        "New Orleans East Hospital",
        "Ochsner Baptist Medical Center",
        "Childrens Hospital",
    }


@pytest.mark.extract
def test_freeways_are_parted_and_still_reached(city: City, extract_dir: Path) -> None:
    streets, nodes = city.table("streets"), city.table("street_nodes")
    raw = pd.read_parquet(extract_dir / "street_nodes.parquet")
    parted = len(nodes) - len(raw) + 19
    assert 200 <= parted <= 260
    index = pd.Index(nodes["node"])
    u, v = index.get_indexer(streets["u"]), index.get_indexer(streets["v"])
    _, part = connected_components(
        coo_array((np.ones(len(u)), (u, v)), shape=(len(nodes),) * 2), directed=False
    )
    freeway = (streets["road_class"] == "motorway").to_numpy()
    assert len(np.unique(part[np.concatenate([u[freeway], v[freeway]])])) == 1
    ends = pd.Series(np.concatenate([u, v]))
    local = (streets["road_class"] == "residential").to_numpy()
    meets = pd.crosstab(ends, np.tile(np.where(freeway, "freeway", np.where(local, "local", "other")), 2))
    assert ((meets["freeway"] >= 2) & (meets["local"] >= 1)).sum() == 0


@pytest.mark.extract
def test_closures_cut_off_what_their_bridges_carry(city: City) -> None:
    network, streets = city.network, city.areas("streets")
    bridges = [closure for closure in city.profile.closures if closure.kind == "bridge"]
    closed = {closure.name: closure.select(streets) for closure in bridges}
    assert all(1 <= mask.sum() <= 12 for mask in closed.values())
    downtown, algiers, east = network.snap(
        np.array([-90.071, -90.046, -89.976]), np.array([29.951, 29.948, 30.037])
    )[0]

    def reached(mask: np.ndarray) -> list[bool]:
        times = travel_times(network, np.array([downtown]), closed=mask)[0]
        return [bool(np.isfinite(times[node])) for node in (algiers, east)]

    river = closed["Crescent City Connection"]
    canal = np.logical_or.reduce(
        [mask for name, mask in closed.items() if name != "Crescent City Connection"]
    )
    assert reached(np.zeros_like(river)) == [True, True]
    assert reached(river) == [False, True]
    assert reached(canal) == [True, False]
    for name, mask in closed.items():
        if name != "Crescent City Connection":
            assert reached(mask) == [True, True]


@pytest.mark.extract
def test_each_stretch_of_each_route_crossing_and_flood_finds_its_streets(city: City) -> None:
    streets = city.areas("streets")
    entries = [closure for closure in city.profile.closures if closure.kind != "bridge"]
    for entry in (*entries, *city.profile.floods):
        for stretch in entry.stretches or (entry,):
            assert stretch.select(streets).any(), entry.name


@pytest.mark.extract
def test_a_parade_route_is_reached_from_both_sides_and_not_crossed(city: City) -> None:
    network = city.network
    route = next(closure for closure in city.profile.closures if "St. Charles" in closure.name)
    edges = route.select(city.areas("streets"))
    on_route = np.zeros(network.n_nodes, dtype=bool)
    on_route[network.edge_u[edges]] = on_route[network.edge_v[edges]] = True
    # Some blocks to either side of St. Charles Avenue, on Washington Avenue.
    lake, river = network.snap(np.array([-90.0877, -90.0838]), np.array([29.9345, 29.9273]))[0]
    free = travel_times(network, [lake, river])
    parade = travel_times(network, [lake, river], no_through=on_route)
    assert parade[0, river] > free[0, river] + 180
    assert parade[1, lake] > free[1, lake] + 180
    reached = network.main & on_route
    assert np.isfinite(parade[:, reached]).all()


@pytest.mark.extract
def test_import_gives_the_same_bytes_again(extract_dir: Path, city: City, tmp_path: Path) -> None:
    again = import_nola_extract(extract_dir, tmp_path / "again")
    assert City.open(again).version == city.version
