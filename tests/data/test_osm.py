"""OpenStreetMap: tables worked out by hand, the same from servers and a file, and what is said of faults."""

import bz2
import gzip
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import geopandas as gpd
import hypothesis
import networkx as nx
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from osmnx import _nominatim, _overpass, settings
from shapely.geometry.base import BaseGeometry

from data.city import City
from data.folder import CityFolderWriter
from data.http import Manners
from data.importers.centre_lines import mend_centre_lines
from data.osm import LICENCE, SOURCE, OsmCity, read_osm, surroundings
from data.osm_file import read_file
from data.osm_places import NO_OUTLINE, OPEN_LINE, OsmTable, place_tables, water_kind
from data.osm_servers import OsmServers, no_features
from data.osm_streets import (
    BY_THE_HOUR,
    UNKNOWN_CLASS,
    class_of,
    is_oneway,
    kph_of,
    name_of,
    streets_from_graph,
)
from data.osm_tags import DRIVE_FILTER, is_place, is_street
from data.profile import profile_path
from errors import (
    CrescentError,
    ImportSourceError,
    InvalidInputError,
    PortalRefusedError,
    PortalUnavailableError,
)
from geo.network import RoadNetwork
from geo.travel_time import travel_times
from tests.data.osm_files import CITY, at, box, small_map, write_osm
from tests.data.servers.overpass import MapServers, OsmMap, Trouble, serving

MARGIN_KM = 1.0
QUICK = Manners(attempts=2, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0.001, longest_wait_s=60)
PLACE = "Made Town, Louisiana, USA"
MPH = 1.609344


@pytest.fixture(scope="module")
def from_file(tmp_path_factory: pytest.TempPathFactory) -> OsmCity:
    path = write_osm(small_map(), tmp_path_factory.mktemp("osm") / "town.osm")
    return read_osm(path, boundary=CITY, margin_km=MARGIN_KM)


@pytest.fixture
def servers() -> MapServers:
    return MapServers(small_map(), {PLACE: CITY, "A point": shapely.Point(at(0, 0))})


@pytest.fixture
def osm(servers: MapServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OsmServers]:
    # OSMnx waits a second before each question to Nominatim, as its owners ask; ours is in no hurry.
    monkeypatch.setattr(_nominatim, "time", SimpleNamespace(sleep=lambda _s: None))
    with serving(servers) as url:
        yield OsmServers(
            cache=tmp_path / "cache",
            overpass_url=f"{url}/api",
            nominatim_url=url,
            timeout_s=20,
            manners=QUICK,
        )


def network(city: OsmCity) -> RoadNetwork:
    return RoadNetwork.from_streets(city.tables["streets"].frame, city.tables["street_nodes"].frame)


def seconds(roads: RoadNetwork, start: int, end: int) -> float:
    where = pd.Index(roads.node_id)
    return float(travel_times(roads, [where.get_loc(start)])[0, where.get_loc(end)])


def ground_m(*places: tuple[float, float]) -> float:
    """Metres along a line by the ellipsoid, as another way of measuring."""
    lon, lat = zip(*(at(*place) for place in places), strict=True)
    return float(pyproj.Geod(ellps="WGS84").line_length(lon, lat))


def test_streets_are_those_worked_out_by_hand(from_file: OsmCity) -> None:
    canal = round(35 * MPH, 3)
    by_hand: list[tuple[tuple[object, ...], list[tuple[float, float]]]] = [
        ((1, 2, "Canal Street", "primary", canal, False), [(0, 0), (1, 0)]),
        ((1, 10, None, "tertiary", None, False), [(0, 0), (-1, 0)]),
        ((1, 65, "Elm", "residential", None, False), [(0, 0), (0, 1)]),
        ((2, 3, "Canal Street", "primary", canal, False), [(1, 0), (2, 0)]),
        ((2, 3, "Back Lane", "residential", None, False), [(1, 0), (1.5, -0.4), (2, 0)]),
        ((3, 4, "Canal Street", "primary", canal, False), [(2, 0), (3, 0.2), (4, 0)]),
        ((3, 7, "Rampart", "residential", 40.0, True), [(2, 0), (2, 1), (2, 2)]),
        ((3, 62, None, "unclassified", None, False), [(2, 0), (2, -1)]),
        ((4, 4, "The Loop", "residential", None, False), [(4, 0), (4.5, 0.4), (4.5, -0.4), (4, 0)]),
        ((7, 4, "Basin", "residential", 30.0, True), [(2, 2), (4, 1), (4, 0)]),
        ((7, 66, "Rampart", "residential", None, False), [(2, 2), (2, 3)]),
        ((10, 10, None, "tertiary", None, True), [(-1, 0), (-1.3, 0.3), (-1.6, 0), (-1, 0)]),
        ((20, 22, "I-10", "motorway", round(60 * MPH, 3), True), [(1.5, -2), (1.5, -1), (1.5, 1.5)]),
        ((22, 7, None, "motorway_link", None, True), [(1.5, 1.5), (2, 2)]),
        ((50, 51, "Island Road", "residential", None, False), [(8, 6), (9, 6)]),
        ((62, 20, None, "motorway_link", 50.0, True), [(2, -1), (1.5, -2)]),
    ]
    expected, paths = [list(row) for row, _ in by_hand], [path for _, path in by_hand]
    streets = from_file.tables["streets"].frame
    columns = ["u", "v", "name", "road_class", "speed_kph", "oneway"]
    got = streets[columns].astype(object).where(streets[columns].notna(), None)
    assert got.to_numpy().tolist() == expected
    assert [line.coords[:] for line in streets.geometry] == [[at(*place) for place in path] for path in paths]
    assert streets["length_m"].to_numpy() == pytest.approx([ground_m(*path) for path in paths], rel=1e-3)


def test_corners_keep_their_numbers_and_places(from_file: OsmCity) -> None:
    nodes = from_file.tables["street_nodes"].frame
    assert nodes["node"].tolist() == [1, 2, 3, 4, 7, 10, 20, 22, 50, 51, 62, 65, 66]
    osm = small_map()
    assert list(zip(nodes["lon"], nodes["lat"], strict=True)) == [osm.nodes[n] for n in nodes["node"]]


def test_ways_that_cannot_be_driven_say_why(from_file: OsmCity) -> None:
    streets = from_file.tables["streets"]
    rejected = dict(zip(streets.rejected["record"], streets.rejected["reason"], strict=True))
    assert [reason for record, reason in rejected.items() if '"osm_way": 111' in record] == [
        f"{UNKNOWN_CLASS} (highway=busway)"
    ]
    assert [reason for record, reason in rejected.items() if '"osm_way": 112' in record] == [BY_THE_HOUR]
    assert len(rejected) == 2
    said = " ".join(streets.all_steps())
    for words in ("2 ways do not say that they are one-way", "road (1)", "signals (1)", "1 pieces of street"):
        assert words in said


def test_an_island_is_told_and_kept(from_file: OsmCity) -> None:
    island = from_file.islands.iloc[0]
    assert len(from_file.islands) == 1
    assert island["length_m"] == pytest.approx(ground_m((8, 6), (9, 6)), rel=1e-3)
    assert (island["streets"], island["lon"]) == (1, pytest.approx(at(8, 6)[0]))
    roads = network(from_file)
    assert sorted(roads.node_id[~roads.main]) == [50, 51]


def test_a_bridge_joins_nothing_below_it_and_ramps_do(from_file: OsmCity) -> None:
    roads = network(from_file)
    # From Canal Street to where the freeway touches ground: down the road, up the ramp, over the bridge.
    way = [
        (ground_m((1, 0), (2, 0)), 35 * MPH),
        (ground_m((2, 0), (2, -1)), 30.0),
        (ground_m((2, -1), (1.5, -2)), 50.0),
        (ground_m((1.5, -2), (1.5, 1.5)), 60 * MPH),
    ]
    assert seconds(roads, 2, 22) == pytest.approx(sum(m / (kph / 3.6) for m, kph in way), rel=1e-3)
    assert np.isinf(seconds(roads, 2, 50))


def test_one_way_streets_are_driven_one_way(from_file: OsmCity) -> None:
    roads = network(from_file)
    down = ground_m((2, 2), (4, 1), (4, 0)) / (30 / 3.6) + ground_m((4, 0), (3, 0.2), (2, 0)) / (
        35 * MPH / 3.6
    )
    assert seconds(roads, 7, 3) == pytest.approx(down, rel=1e-3)
    assert seconds(roads, 3, 7) == pytest.approx(ground_m((2, 0), (2, 2)) / (40 / 3.6), rel=1e-3)


def test_places_end_with_the_city_and_hospitals_do_not(from_file: OsmCity) -> None:
    tables = from_file.tables
    names = {name: table.frame["name"].tolist() for name, table in tables.items() if name != "street_nodes"}
    assert names["hospitals"] == ["Parish Hospital", "Charity Hospital"]
    assert names["posts"] == ["Fire station 14", "EMS Headquarters"]
    assert names["bars"] == ["Snug", "Last Call"]
    assert names["libraries"] == ["Alvar Library"]
    assert names["pools"] == ["Stallings Pool"]
    assert names["water"] == ["Mississippi River", "Duck Pond"]
    hospitals = tables["hospitals"].frame
    assert hospitals["hospital_id"].tolist() == ["osm-node-903", "osm-way-200"]
    assert hospitals["receives_911"].isna().all()
    assert hospitals["lon"].iloc[1] == pytest.approx(at(6.15, 6)[0])
    assert tables["hospitals"].rejected["reason"].tolist() == [OPEN_LINE]
    bars = tables["bars"].frame.set_index("name")
    assert bars.loc["Snug", "hours"] == "Mo-Th 16:00-24:00; Fr,Sa 16:00-03:00"
    assert bars["hours"].isna().tolist() == [False, True]
    assert bars.loc["Last Call", "capacity"] == 80


def test_water_is_cut_at_the_edge_and_broken_outlines_are_counted(from_file: OsmCity) -> None:
    water = from_file.tables["water"]
    assert isinstance(water.frame, gpd.GeoDataFrame)
    river = water.frame.geometry.iloc[0]
    drawn = box(-4, -4.8, 20, -3)
    assert river.equals(drawn.intersection(from_file.area))
    assert river.area < drawn.area
    assert water.frame["kind"].tolist() == ["river", "lake"]
    assert water.left_out[NO_OUTLINE] == 1


@pytest.mark.parametrize(
    ("table", "read"),
    [("hospitals", 4), ("posts", 2), ("bars", 3), ("libraries", 1), ("pools", 2), ("water", 5)],
)
def test_nothing_is_lost(from_file: OsmCity, table: str, read: int) -> None:
    assert from_file.tables[table].read == read


def test_servers_and_a_file_give_the_same(from_file: OsmCity, osm: OsmServers, servers: MapServers) -> None:
    told: list[str] = []
    city = read_osm(osm, place=PLACE, margin_km=MARGIN_KM, progress=lambda what, _share: told.append(what))
    for name, table in from_file.tables.items():
        assert_same(city.tables[name], table)
    pd.testing.assert_frame_equal(city.islands, from_file.islands)
    assert city.boundary.equals(CITY)
    assert str(city.taken_on) == "2026-11-20"
    assert servers.places == [PLACE]
    assert servers.status_asked == len(servers.queries) == 2
    assert all("Crescent" in agent for agent in servers.agents)
    assert told[-1] == "Done"


def assert_same(one: OsmTable, other: OsmTable) -> None:
    pd.testing.assert_frame_equal(one.frame, other.frame)
    pd.testing.assert_frame_equal(one.rejected, other.rejected)
    assert one.left_out == other.left_out
    assert one.all_steps() == other.all_steps()


def test_a_city_of_nothing_but_openstreetmap_opens(from_file: OsmCity, tmp_path: Path) -> None:
    hoods = gpd.GeoDataFrame({"name": ["Town"]}, geometry=[CITY], crs=4326)
    with CityFolderWriter(
        tmp_path / "town", profile_path("new-orleans"), maker="fetch", seed=None, synthetic=False
    ) as writer:
        for name in ("streets", "street_nodes", "hospitals", "posts", "water"):
            table = from_file.tables[name]
            writer.write_table(
                name,
                table.frame,
                source=SOURCE,
                period="2026",
                licence=LICENCE,
                rejected=table.rejected,
                steps=table.all_steps(),
                caveats=from_file.caveats(name),
            )
        writer.write_table("neighborhoods", hoods, source="made", period="2026", licence="none")
        path = writer.finish()
    city = City.open(path)
    counts = {
        name: (city.account(name).accepted, city.account(name).quarantined)
        for name in ("streets", "hospitals")
    }
    assert counts == {"streets": (16, 2), "hospitals": (2, 1)}
    assert city.account("water").accepted == 2


def test_faults_that_pass_are_asked_again(from_file: OsmCity, osm: OsmServers, servers: MapServers) -> None:
    servers.troubles = ["504", "cut", "remark"]
    patient = replace(osm, manners=replace(QUICK, attempts=4))
    city = read_osm(patient, boundary=CITY, margin_km=MARGIN_KM)
    assert_same(city.tables["streets"], from_file.tables["streets"])
    assert len(servers.queries) == 5


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("429", "answered 429"),
        ("504", "answered 504"),
        ("cut", "connection broke"),
        ("cut json", "cut off or is no JSON"),
        ("html", "the server is too busy"),
        ("remark", "Query timed out"),
        ("torn", "without all of their points"),
    ],
)
def test_faults_that_last_are_said(
    osm: OsmServers, servers: MapServers, trouble: Trouble, words: str
) -> None:
    servers.troubles = [trouble]
    hasty = replace(osm, manners=replace(QUICK, attempts=1))
    with pytest.raises(PortalUnavailableError, match=rf"the streets 1 times .*{words}"):
        read_osm(hasty, boundary=CITY, margin_km=MARGIN_KM)
    assert len(servers.queries) == 1


@pytest.mark.parametrize(
    ("trouble", "words", "error"),
    [
        ("400", "refused the question.*400 Error: no", PortalRefusedError),
        ("memory", "too little memory.*local .osm file", PortalRefusedError),
        ("moved", "has moved to elsewhere.example", PortalRefusedError),
        ("429 for long", "asks to wait 7,200 seconds", PortalUnavailableError),
    ],
)
def test_faults_that_stay_are_said_at_once(
    osm: OsmServers, servers: MapServers, trouble: Trouble, words: str, error: type[CrescentError]
) -> None:
    servers.troubles = [trouble]
    with pytest.raises(error, match=words):
        read_osm(osm, boundary=CITY, margin_km=MARGIN_KM)
    assert len(servers.queries) == 1


def test_what_was_read_is_not_asked_again_and_a_torn_cache_is(osm: OsmServers, servers: MapServers) -> None:
    servers.troubles = ["429", "504"]
    with pytest.raises(PortalUnavailableError):
        read_osm(osm, place=PLACE, margin_km=MARGIN_KM)
    first = read_osm(osm, place=PLACE, margin_km=MARGIN_KM)
    assert (len(servers.places), len(servers.queries)) == (3, 2)
    again = read_osm(osm, place=PLACE, margin_km=MARGIN_KM)
    assert (len(servers.places), len(servers.queries)) == (3, 2)
    for path in osm.cache.glob("*/*.json"):
        path.write_text(path.read_text()[:-40])
    mended = read_osm(osm, place=PLACE, margin_km=MARGIN_KM)
    assert len(servers.queries) == 4
    for city in (again, mended):
        assert_same(city.tables["streets"], first.tables["streets"])


@pytest.mark.parametrize("trouble", [[], ["400"]])
def test_osmnx_and_the_process_are_put_back(
    osm: OsmServers, servers: MapServers, trouble: list[Trouble]
) -> None:
    before = {name: value for name, value in vars(settings).items() if name.islower() and name[0] != "_"}
    resolver = socket.getaddrinfo
    servers.troubles = trouble
    if trouble:
        with pytest.raises(PortalRefusedError):
            read_osm(osm, boundary=CITY, margin_km=MARGIN_KM)
    else:
        read_osm(osm, boundary=CITY, margin_km=MARGIN_KM)
    assert {name: vars(settings)[name] for name in before} == before
    assert socket.getaddrinfo is resolver


@pytest.mark.parametrize(
    ("place", "words"), [("Nowhere", "no outline of 'Nowhere'"), ("A point", "no outline")]
)
def test_a_place_without_an_outline_is_said(osm: OsmServers, place: str, words: str) -> None:
    with pytest.raises(PortalRefusedError, match=words):
        read_osm(osm, place=place)


def test_a_server_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        patient = Manners(attempts=5, wait_initial_s=600, wait_max_s=600)
        away = OsmServers(cache=tmp_path, overpass_url=f"{url}/api", nominatim_url=url, manners=patient)
        with pytest.raises(PortalUnavailableError, match=r"cannot be reached.*local \.osm file"):
            read_osm(away, boundary=CITY, margin_km=MARGIN_KM)


def test_a_cache_that_cannot_be_written_is_said(osm: OsmServers, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(InvalidInputError, match="Answers cannot be kept in"):
        read_osm(osm, boundary=CITY, margin_km=MARGIN_KM)


def test_an_empty_area_is_said(osm: OsmServers) -> None:
    with pytest.raises(PortalRefusedError, match="no streets there"):
        read_osm(osm, boundary=box(300, 300, 301, 301), margin_km=0)


def test_an_area_without_places_has_streets(tmp_path: Path) -> None:
    osm = small_map()
    bare = OsmMap(osm.nodes, {100: osm.ways[100]})
    with serving(MapServers(bare)) as url:
        source = OsmServers(cache=tmp_path, overpass_url=f"{url}/api", nominatim_url=url, manners=QUICK)
        city = read_osm(source, boundary=CITY, margin_km=MARGIN_KM)
    filed = read_osm(write_osm(bare, tmp_path / "bare.osm"), boundary=CITY, margin_km=MARGIN_KM)
    for made in (city, filed):
        assert len(made.tables["streets"].frame) == 1
        assert not any(made.tables[name].read for name in ("hospitals", "posts", "bars", "water"))


def test_a_street_over_the_edge_of_the_file_is_cut_there(tmp_path: Path) -> None:
    bounds = '<bounds minlon="-90.08" minlat="29.94" maxlon="-90.065" maxlat="29.96"/>'
    head = f'{bounds}<meta osm_base="2026-11-19T00:00:00Z"/>'
    path = write_osm(small_map(), tmp_path / "cut.osm", without=[2, 932], head=head)
    city = read_osm(path, boundary=CITY, margin_km=MARGIN_KM)
    streets = city.tables["streets"].frame
    assert streets.loc[streets["name"] == "Canal Street", ["u", "v"]].to_numpy().tolist() == [[3, 4]]
    assert "3 streets lack points in the file" in " ".join(city.steps)
    assert "The file covers only" in " ".join(city.steps)
    assert city.tables["water"].left_out[NO_OUTLINE] == 2
    assert str(city.taken_on) == "2026-11-19"


def test_an_outline_that_osmnx_stumbles_over_is_said(tmp_path: Path) -> None:
    osm = small_map()
    stub = {**osm.ways, 210: ([930], osm.ways[210][1])}
    with serving(MapServers(replace(osm, ways=stub))) as url:
        source = OsmServers(cache=tmp_path, overpass_url=f"{url}/api", nominatim_url=url, manners=QUICK)
        with pytest.raises(PortalRefusedError, match="an outline there cannot be built"):
            read_osm(source, boundary=CITY, margin_km=MARGIN_KM)


def test_ways_of_one_point_are_counted(tmp_path: Path) -> None:
    osm = small_map()
    more = replace(osm, ways={**osm.ways, 120: ([1, 1], {"highway": "residential"})})
    with serving(MapServers(more)) as url:
        source = OsmServers(cache=tmp_path, overpass_url=f"{url}/api", nominatim_url=url, manners=QUICK)
        city = read_osm(source, boundary=CITY, margin_km=MARGIN_KM)
    filed = read_osm(write_osm(more, tmp_path / "more.osm"), boundary=CITY, margin_km=MARGIN_KM)
    assert city.steps == filed.steps == ("1 ways have one point only and are no streets.",)


def test_what_an_editor_deleted_is_not_read(tmp_path: Path) -> None:
    path = write_osm(small_map(), tmp_path / "edited.osm")
    path.write_text(path.read_text().replace('<way id="119">', '<way id="119" action="delete">'))
    streets = read_osm(path, boundary=CITY, margin_km=MARGIN_KM).tables["streets"].frame
    assert 66 not in streets["v"].to_numpy()


@pytest.mark.parametrize("kind", ["gz", "bz2"])
def test_packed_files_are_read(from_file: OsmCity, tmp_path: Path, kind: str) -> None:
    plain = write_osm(small_map(), tmp_path / "town.osm").read_bytes()
    path = tmp_path / f"town.osm.{kind}"
    path.write_bytes(gzip.compress(plain) if kind == "gz" else bz2.compress(plain))
    assert_same(
        read_osm(path, boundary=CITY, margin_km=MARGIN_KM).tables["streets"], from_file.tables["streets"]
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("no.osm", None, "There is no file"),
        ("city.osm.pbf", b"\x00\x01", "osmium cat"),
        ("torn.osm", b'<osm version="0.6"><node id="1" lon="0" lat="0"/>', "cannot be read"),
        ("other.osm", b"<gpx></gpx>", "a file of 'gpx'"),
        ("bomb.osm", b'<!DOCTYPE osm [<!ENTITY a "b">]><osm/>', "entities of its own"),
        ("half.osm", b'<osm><node id="1"/></osm>', "an element lacks 'lon'"),
        ("packed.osm.gz", gzip.compress(b"<osm></osm>")[:-4], "cannot be read"),
        ("empty.osm", b"<osm></osm>", "holds no streets"),
    ],
)
def test_files_that_cannot_be_read_say_why(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImportSourceError, match=words):
        read_osm(path, boundary=CITY)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"boundary": None}, "a file needs the city's boundary"),
        ({"boundary": shapely.Point(0, 0)}, "no whole area"),
        ({"boundary": shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])}, "crosses itself"),
        ({"boundary": shapely.box(0, 0, 4000, 4000)}, "not in degrees"),
        ({"boundary": CITY, "margin_km": -1}, "margin_km is -1"),
    ],
)
def test_arguments_that_cannot_be_used_say_why(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        read_osm(tmp_path / "a.osm", **options)  # type: ignore[arg-type]


def test_surroundings_reach_as_far_as_asked() -> None:
    around = surroundings(CITY, 8)
    east = shapely.box(*CITY.bounds).bounds[2]
    geod = pyproj.Geod(ellps="WGS84")
    middle = CITY.centroid.y
    reach = geod.line_length(
        [east, around.intersection(shapely.LineString([(east, middle), (-80, middle)])).bounds[2]],
        [middle] * 2,
    )
    assert reach == pytest.approx(8000, abs=60)


def test_the_filter_is_osmnxs_own() -> None:
    assert _overpass._get_network_filter("drive") == DRIVE_FILTER


@pytest.mark.parametrize(
    ("tags", "street"),
    [
        ({"highway": "residential"}, True),
        ({"highway": "service"}, False),
        ({"highway": "footway"}, False),
        ({"highway": "residential", "access": "private"}, False),
        ({"highway": "residential", "motor_vehicle": "no"}, False),
        ({"building": "yes"}, False),
    ],
)
def test_a_street_is_what_is_driven(tags: dict[str, str], street: bool) -> None:  # noqa: FBT001
    assert is_street(tags) is street
    assert not is_place(tags)


@pytest.mark.parametrize(
    ("said", "kph"),
    [
        ("50", 50.0),
        ("50 km/h", 50.0),
        ("35 mph", 56.327),
        ("35mph;25 mph", 40.234),
        ("30|50", 30.0),
        ("none", None),
        ("signals", None),
        ("fast", None),
        ("0", None),
        ("900", None),
        (None, None),
    ],
)
def test_limits_are_read(said: str | None, kph: float | None) -> None:
    assert kph_of(said) == kph


@given(st.text(max_size=12))
def test_any_limit_gives_a_speed_or_none(said: str) -> None:
    kph = kph_of(said)
    assert kph is None or 0 < kph <= 200


@given(st.integers(5, 120), st.booleans())
def test_miles_are_longer_than_kilometres(figure: int, miles: bool) -> None:  # noqa: FBT001
    assert kph_of(f"{figure} mph" if miles else str(figure)) == pytest.approx(
        figure * (MPH if miles else 1), abs=1e-3
    )


def test_classes_names_and_directions() -> None:
    assert [class_of(word) for word in ("primary_link", "road", "busway;tertiary", "escape")] == [
        "primary_link",
        "unclassified",
        "tertiary",
        None,
    ]
    assert name_of({"name": "Canal Street", "ref": "US 90"}) == "Canal Street"
    assert name_of({"ref": "I 10;I 610"}) == "I-10;I-610"
    assert name_of({}) is None
    assert is_oneway({"highway": "motorway"})
    assert not is_oneway({"highway": "motorway", "oneway": "no"})
    assert is_oneway({"highway": "tertiary", "junction": "circular"})
    assert not is_oneway({"highway": "motorway_link"})


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"waterway": "riverbank"}, "river"),
        ({"natural": "water", "water": "river"}, "river"),
        ({"natural": "water", "water": "lagoon"}, "lake"),
        ({"natural": "water", "name": "Bayou Saint John"}, "river"),
        ({"natural": "water", "name": "Lake Pontchartrain"}, "lake"),
        ({"natural": "water", "water": "canal"}, None),
    ],
)
def test_water_has_two_kinds(tags: dict[str, str], kind: str | None) -> None:
    assert water_kind(tags) == kind


CORNERS = 7
WAYS = st.lists(
    st.tuples(
        st.lists(st.integers(1, CORNERS), min_size=2, max_size=6),
        st.sampled_from(["primary", "residential", "motorway", "busway", "road"]),
        st.sampled_from([None, "yes", "-1", "no", "reversible"]),
        st.sampled_from([None, "20 mph", "60"]),
    ),
    min_size=1,
    max_size=8,
)
KPH = {"primary": 48.0, "residential": 30.0, "motorway": 88.0, "road": 30.0}


def drives(osm: OsmMap) -> "nx.DiGraph[int]":
    """The quickest drive along each piece, straight from the ways: of pieces drawn twice the first class."""
    order = ["motorway", "primary", "residential", "road"]
    pieces: dict[tuple[int, int, bool], tuple[int, float]] = {}
    for points, tags in osm.ways.values():
        oneway = tags.get("oneway", "yes" if tags["highway"] == "motorway" else "no")
        if tags["highway"] == "busway" or oneway == "reversible":
            continue
        kph = {"20 mph": 20 * MPH, "60": 60.0}.get(tags.get("maxspeed", ""), KPH[tags["highway"]])
        for one, other in pairwise(reversed(points) if oneway == "-1" else points):
            ends = (one, other) if oneway != "no" else (min(one, other), max(one, other))
            drive = (order.index(tags["highway"]), kph)
            place = (*ends, oneway != "no")
            if one != other and (place not in pieces or drive[0] < pieces[place][0]):
                pieces[place] = drive
    graph: nx.DiGraph[int] = nx.DiGraph()
    for (one, other, single), (_, kph) in pieces.items():
        (west, south), (east, north) = osm.nodes[one], osm.nodes[other]
        length = float(pyproj.Geod(ellps="WGS84").inv(west, south, east, north)[2])
        for u, v in [(one, other)] if single else [(one, other), (other, one)]:
            quickest = min(length / (kph / 3.6), graph.get_edge_data(u, v, {"s": np.inf})["s"])
            graph.add_edge(u, v, s=quickest)
    return graph


@given(WAYS)
@example([([1, 2, 3, 1], "residential", None, None), ([2, 1], "residential", None, None)])
@hypothesis.settings(max_examples=20)
def test_any_map_drives_as_it_is_drawn(ways: list[tuple[list[int], str, str | None, str | None]]) -> None:
    """Against Dijkstra over the pieces themselves: lines, classes, loops and repeats lose no drive."""
    nodes = {n: at(np.cos(n) * 3, np.sin(n * 2.3) * 3) for n in range(1, CORNERS + 1)}
    drawn = {
        number: (points, {k: v for k, v in zip(("highway", "oneway", "maxspeed"), said, strict=True) if v})
        for number, (points, *said) in enumerate(ways, start=1)
    }
    hypothesis.assume(any(len(set(points)) > 1 for points, _ in drawn.values()))
    osm = OsmMap(nodes, drawn)
    plain = drives(osm)
    with TemporaryDirectory() as folder:
        raw = read_file(write_osm(osm, Path(folder) / "a.osm"), CITY)
    if not plain.number_of_edges():
        with pytest.raises(ImportSourceError, match="no street in the area"):
            streets_from_graph(raw.graph)
        return
    made = streets_from_graph(raw.graph)
    turned = {
        number
        for number, (points, tags) in drawn.items()
        if len(set(points)) > 1 and (tags["highway"] == "busway" or tags.get("oneway") == "reversible")
    }
    assert {int(json.loads(record)["osm_way"]) for record in made.rejected["record"]} == turned
    roads = RoadNetwork.from_streets(made.streets, made.nodes)
    times = travel_times(roads, np.arange(roads.n_nodes))
    for row, start in enumerate(roads.node_id):
        reached = nx.single_source_dijkstra_path_length(plain, int(start), weight="s")
        expected = [reached.get(int(end), np.inf) for end in roads.node_id]
        assert times[row] == pytest.approx(expected, rel=1.5e-3)


SHAPES = st.sampled_from(
    [
        shapely.Point(at(1, 1)),
        shapely.Point(at(15, 1)),
        shapely.LineString([at(1, 1), at(2, 2)]),
        box(1, 1, 1.2, 1.2),
        box(-4, 1, 30, 4),
        box(100, 100, 101, 101),
    ]
)
PLACE_WORDS = st.sampled_from(
    [
        {"amenity": "hospital", "name": "One"},
        {"amenity": "fire_station", "disused": "yes"},
        {"amenity": "bar", "name": "One"},
        {"amenity": "library"},
        {"leisure": "swimming_pool"},
        {"natural": "water", "name": "Lake", "amenity": "bar"},
        {"natural": "water"},
    ]
)


@given(st.lists(st.tuples(PLACE_WORDS, SHAPES, st.booleans()), min_size=1, max_size=12))
@hypothesis.settings(max_examples=20)
def test_accepted_rejected_and_left_out_are_all_that_was_read(
    things: list[tuple[dict[str, str], BaseGeometry, bool]],
) -> None:
    matching = {("way", number): tags for number, (tags, _, _) in enumerate(things)}
    built = [(number, tags, shape) for number, (tags, shape, whole) in enumerate(things) if whole]
    index = pd.MultiIndex.from_tuples([("way", number) for number, _, _ in built], names=["element", "id"])
    features = gpd.GeoDataFrame(
        pd.DataFrame([tags for _, tags, _ in built], index=index if built else None),
        geometry=gpd.GeoSeries([shape for _, _, shape in built], index=index if built else None, crs=4326),
    )
    tables = place_tables(
        features if built else no_features(), matching, city=CITY, area=surroundings(CITY, MARGIN_KM)
    )
    wanted = {
        "hospitals": ("amenity", "hospital"),
        "posts": ("amenity", "fire_station"),
        "bars": ("amenity", "bar"),
        "libraries": ("amenity", "library"),
        "pools": ("leisure", "swimming_pool"),
        "water": ("natural", "water"),
    }
    for name, (tag, value) in wanted.items():
        assert tables[name].read == sum(tags.get(tag) == value for tags, _, _ in things)


def as_map(streets: gpd.GeoDataFrame, nodes: pd.DataFrame) -> OsmMap:
    """Draw streets as OpenStreetMap would: every bend a point, every second one drawn from its end."""
    places = {int(n): (x, y) for n, x, y in nodes[["node", "lon", "lat"]].itertuples(index=False)}
    ways: dict[int, tuple[list[int], dict[str, str]]] = {}
    number = max(places)
    rows = zip(
        streets["u"], streets["v"], streets["name"], streets["road_class"], streets.geometry, strict=True
    )
    for way, (u, v, name, road_class, line) in enumerate(rows, start=1):
        bends = range(number + 1, number + len(line.coords) - 1)
        places |= {n: (x, y) for n, (x, y) in zip(bends, line.coords[1:-1], strict=True)}
        number += len(bends)
        # The centre lines have no one-way streets, freeways included, and the map says so.
        tags = {"highway": road_class, "oneway": "no"} | ({"name": name} if isinstance(name, str) else {})
        points = [int(u), *bends, int(v)]
        ways[way] = (points[::-1] if way % 2 else points, tags)
    return OsmMap(places, ways)


@pytest.mark.extract
@pytest.mark.slow
def test_the_extract_through_overpass_drives_like_the_extract(extract_dir: Path, tmp_path: Path) -> None:
    """Within 0.1 % or one second at every corner from twelve posts, on what OSMnx calls drivable."""
    mended = mend_centre_lines(
        gpd.read_parquet(extract_dir / "streets.parquet"),
        pd.read_parquet(extract_dir / "street_nodes.parquet"),
        utm_epsg=26915,
    )
    driven = ~mended.streets["road_class"].isin(["service", "track"])
    own = RoadNetwork.from_streets(mended.streets.loc[driven], mended.nodes)
    with serving(MapServers(as_map(mended.streets, mended.nodes))) as url:
        source = OsmServers(cache=tmp_path, overpass_url=f"{url}/api", nominatim_url=url, manners=QUICK)
        boundary = shapely.box(*mended.streets.total_bounds)
        city = read_osm(source, boundary=boundary, margin_km=8)
    fetched = network(city)
    # Corners where nothing is decided are in the lines now; all others are there under their numbers.
    place = pd.Index(own.node_id).get_indexer(fetched.node_id)
    assert (place >= 0).all()
    posts = pd.read_csv(extract_dir / "ems_posts.csv").iloc[:12]
    start, _ = fetched.snap(posts["lon"], posts["lat"])
    theirs = travel_times(own, place[start])[:, place]
    ours = travel_times(fetched, start)
    assert (np.isinf(theirs) == np.isinf(ours)).all()
    known = np.isfinite(theirs)
    assert known.mean() > 0.9
    apart_s = np.abs(ours[known] - theirs[known])
    assert (apart_s <= np.maximum(0.001 * theirs[known], 1.0)).all()
    assert len(city.tables["streets"].frame) > 20_000
    assert not len(city.tables["streets"].rejected)
