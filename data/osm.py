"""A city from OpenStreetMap: streets of the city and its surroundings, hospitals, stations, places, water."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import cast

import pandas as pd
import shapely

from data.osm_file import read_file
from data.osm_places import OsmTable, place_tables
from data.osm_servers import Area, OsmServers, boundary_of, read_servers
from data.osm_streets import streets_from_graph
from errors import Faults, InvalidInputError
from geo import crs

Progress = Callable[[str, float], None]

SOURCE = "OpenStreetMap"
LICENCE = "Open Database License 1.0; © OpenStreetMap contributors"
MARGIN_KM = 8.0

_CAVEATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "streets": (
            "Drawn by volunteers: streets are nearly complete in American cities, limits are not.",
            (
                "A speed is the posted limit where one is drawn. Nobody keeps it through junctions and "
                "traffic; streets without one have the speed of their class in the city's profile."
            ),
            "Banned turns are not heeded. Service roads, driveways and private streets are not in it.",
        ),
        "hospitals": ("Which hospitals receive 911 ambulances it does not say: decide it in the profile.",),
        "posts": ("Fire and ambulance stations are candidates: none is said to hold an ambulance.",),
        "water": ("Rivers and lakes with an outline; canals are not in it.",),
    }
)


@dataclass(frozen=True, eq=False)
class OsmCity:
    """What OpenStreetMap has of a city.

    Attributes
    ----------
    boundary
        The city's outline, EPSG:4326.
    area
        The city and its surroundings: streets, hospitals and water reach so far; posts, bars, libraries and
        pools end with the city.
    tables
        ``streets``, ``street_nodes``, ``hospitals``, ``posts`` and ``water`` in the contract's columns (more
        columns may follow); ``bars``, ``libraries`` and ``pools``.
    islands
        Stretches of road that cannot be reached and left again: ``streets``, ``length_m``, ``lon``, ``lat``.
    taken_on
        The day the data stands for; None where a file does not say it.
    steps
        What was done on the way, besides the steps of each table.
    """

    boundary: Area
    area: Area
    tables: dict[str, OsmTable]
    islands: pd.DataFrame
    taken_on: date | None
    steps: tuple[str, ...]

    def caveats(self, table: str) -> tuple[str, ...]:
        """Give what a reader of results from a table must know."""
        return _CAVEATS.get(table, ())


def read_osm(
    source: OsmServers | Path,
    *,
    place: str | None = None,
    boundary: Area | None = None,
    margin_km: float = MARGIN_KM,
    progress: Progress | None = None,
) -> OsmCity:
    """Read a city and its surroundings from OpenStreetMap.

    Parameters
    ----------
    source
        The servers to ask, or a local file (``.osm``, ``.osm.gz``, ``.osm.bz2``).
    place
        The city as openstreetmap.org finds it, such as "New Orleans, Louisiana, USA"; asked of Nominatim
        where no boundary is given.
    boundary
        The city's outline in degrees (EPSG:4326). Needed with a file.
    margin_km
        How far beyond the city roads, hospitals and water reach, kilometres.
    progress
        Told what is being done and which share of the whole is behind.

    Returns
    -------
    city
        Tables for `CityFolderWriter.write_table`, with what was dropped and why.

    Raises
    ------
    InvalidInputError
        The arguments cannot be used; the text lists every fault.
    PortalUnavailableError, PortalRefusedError
        The servers gave no whole answer, or refused.
    ImportSourceError
        The file cannot be read, or there is no street to drive on.
    """
    tell = progress or (lambda _what, _share: None)
    _check(source, place, boundary, margin_km)
    if boundary is None:
        tell("The city's outline from OpenStreetMap", 0.0)
        boundary = _outline(source, place)
    area = surroundings(boundary, margin_km)
    tell("Streets and places from OpenStreetMap", 0.05)
    raw = read_servers(area, source) if isinstance(source, OsmServers) else read_file(source, area)
    tell("Streets and corners", 0.6)
    made = streets_from_graph(raw.graph)
    tell("Hospitals, stations, places and water", 0.9)
    nothing = made.rejected.iloc[:0]
    tables = {
        "streets": OsmTable(made.streets, made.rejected, steps=made.street_steps),
        "street_nodes": OsmTable(made.nodes, nothing, steps=made.node_steps),
        **place_tables(raw.features, raw.matching, city=boundary, area=area),
    }
    tell("Done", 1.0)
    return OsmCity(boundary, area, tables, made.islands, raw.taken_on, raw.steps)


def surroundings(boundary: Area, margin_km: float) -> Area:
    """Give the city and what lies within some kilometres of it, measured in the local UTM zone."""
    epsg = crs.utm_epsg(boundary.centroid.x, boundary.centroid.y)
    around_m = crs.geometry_to_metres(boundary, epsg).buffer(margin_km * 1000)
    # A plain outline keeps the question to the server short; 50 m of eight kilometres are no loss.
    around = crs.geometry_to_degrees(around_m.simplify(50), epsg)
    parts = [shapely.Polygon(part.exterior) for part in shapely.get_parts(around)]
    return cast("Area", shapely.union_all(parts))


def _outline(source: OsmServers | Path, place: str | None) -> Area:
    if not isinstance(source, OsmServers) or place is None:
        raise InvalidInputError("OpenStreetMap cannot be read: give the city's boundary as a polygon")
    return boundary_of(place, source)


def _check(source: OsmServers | Path, place: str | None, boundary: Area | None, margin_km: float) -> None:
    faults = Faults()
    if isinstance(source, OsmServers):
        faults.check(boundary is not None or place, "give the city's boundary, or its place's name")
    else:
        faults.check(boundary is not None, "a file needs the city's boundary as a polygon")
    faults.check(0 <= margin_km <= 100, f"margin_km is {margin_km}; it must lie between 0 and 100")
    if boundary is not None:
        whole = isinstance(boundary, Area) and boundary.is_valid and not boundary.is_empty
        faults.check(
            whole, "the boundary is no whole area: it is empty, a line or a point, or crosses itself"
        )
        degrees = not whole or shapely.box(-180, -90, 180, 90).contains(boundary)
        faults.check(degrees, "the boundary is not in degrees (EPSG:4326)")
    faults.raise_as(InvalidInputError, "OpenStreetMap cannot be read")
