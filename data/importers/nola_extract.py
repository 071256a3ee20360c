"""Import the extracts of New Orleans' public records into a city folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyproj
from pyogrio.errors import DataSourceError

from data.elevation import ELEVATION_FILE, Elevation
from data.folder import CityFolderWriter
from data.importers.alcohol_outlets import outlets_table
from data.importers.census import census_to_neighborhoods
from data.importers.centre_lines import MendedNetwork, mend_centre_lines
from data.importers.elevation import ImportedElevation, import_elevation
from data.importers.placed_basins import place_basins
from data.profile import CityProfile, load_profile, profile_path
from errors import Faults, ImportSourceError

Progress = Callable[[str, float], None]

MAKER = "nola-extract"
LICENCE = "Public record. The repositories that carry it state no licence of their own: use it as test data."


@dataclass(frozen=True)
class _File:
    kind: Literal["parquet", "geoparquet", "csv", "geojson"]
    columns: tuple[str, ...]


_FILES: Mapping[str, _File] = MappingProxyType(
    {
        "streets.parquet": _File("geoparquet", ("u", "v", "name", "street_class", "length_m", "geometry")),
        "street_nodes.parquet": _File("parquet", ("node", "lon", "lat")),
        "call_points_2022.parquet": _File("parquet", ("latitude", "longitude")),
        "ems_posts.csv": _File("csv", ("post_id", "name", "kind", "address", "lon", "lat")),
        "hospitals.csv": _File(
            "csv", ("name", "address", "type", "status", "beds", "trauma", "latitude", "longitude")
        ),
        "alcohol_outlets_2015.csv": _File("csv", ("Trade Name", "Address", "Occupation Code", "Location 1")),
        "neighborhoods.geojson": _File("geojson", ("name", "geometry")),
        "census_tracts.geojson": _File(
            "geojson", ("geoid", "population", "median_household_income", "geometry")
        ),
        "police_districts.geojson": _File("geojson", ("district", "geometry")),
        "water.geojson": _File("geojson", ("name", "geometry")),
    }
)

_POST_KINDS = MappingProxyType({"street": "street", "NOFD": "fire station", "NOPD": "police station"})
_WATER_KINDS = MappingProxyType({"Mississippi River": "river", "Lake Pontchartrain": "lake"})

NO_ONEWAYS = (
    "The centre lines have no one-way streets: every street can be driven both ways here. Times in the "
    "French Quarter and downtown are therefore too good."
)
CALLS_STAND_IN = (
    "Police calls for service, 1 January to 21 March 2022, with Carnival: a stand-in for EMS. No EMS "
    "calls are published with a place."
)


def import_nola_extract(source: Path, out: Path, progress: Progress | None = None) -> Path:
    """Import the extracts in ``source`` and write the city folder ``out``.

    What the extracts lack (one-way streets, call times, types and priorities, shifts, responses) is left
    out and said, never made up.

    Parameters
    ----------
    source
        A folder with the extract's files.
    out
        Where the city folder shall stand.
    progress
        Told what is being done and which share of the whole is behind.

    Returns
    -------
    path
        The city folder.

    Raises
    ------
    ImportSourceError
        Files are missing, unreadable or lack columns; the text lists every fault.
    """
    tell = progress or (lambda _what, _share: None)
    tell("Reading the extract", 0.0)
    profile = profile_path("new-orleans")
    files = _read_all(Path(source), load_profile(profile))
    with CityFolderWriter(out, profile, maker=MAKER, seed=None, synthetic=False) as writer:
        tell("Mending the street network", 0.15)
        network = _write_network(writer, files)
        tell("Census figures by neighborhood", 0.5)
        _write_areas(writer, files)
        tell("Calls", 0.7)
        _write_calls(writer, files["call_points_2022.parquet"])
        tell("Posts, hospitals and outlets", 0.85)
        _write_posts(writer, files["ems_posts.csv"])
        _write_hospitals(writer, files["hospitals.csv"])
        _write_outlets(writer, files["alcohol_outlets_2015.csv"])
        tell("Elevation and catch basins", 0.9)
        _write_drainage(writer, files[ELEVATION_FILE], network)
        path = writer.finish()
    tell("Done", 1.0)
    return path


def _read_all(source: Path, profile: CityProfile) -> dict[str, Any]:
    faults = Faults()
    files: dict[str, Any] = {}
    if not source.is_dir():
        msg = f"The extract cannot be imported: there is no folder {source}"
        raise ImportSourceError(msg)
    for name, file in _FILES.items():
        path = source / name
        if not path.exists():
            faults.add(f"{name} is missing in {source}")
            continue
        try:
            frame = _read(path, file.kind)
        except (OSError, ValueError, TypeError, KeyError, pa.ArrowException, DataSourceError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            faults.add(f"{name} cannot be read ({reason})")
            continue
        absent = [column for column in file.columns if column not in frame]
        if absent:
            faults.add(f"{name} lacks {', '.join(absent)}")
        elif isinstance(frame, gpd.GeoDataFrame) and not _in_degrees(frame):
            faults.add(f"{name} is not in EPSG:4326 (longitude, latitude)")
        else:
            files[name] = frame
    if (source / ELEVATION_FILE).exists():
        try:
            files[ELEVATION_FILE] = import_elevation(
                source / ELEVATION_FILE, epsg=profile.utm_epsg, bbox=profile.bbox
            )
        except ImportSourceError as error:
            faults.add(str(error))
    else:
        faults.add(f"{ELEVATION_FILE} is missing in {source}")
    faults.raise_as(ImportSourceError, "The extract cannot be imported")
    return files


def _read(path: Path, kind: str) -> pd.DataFrame:
    if kind == "geoparquet":
        return gpd.read_parquet(path)
    if kind == "parquet":
        return pd.read_parquet(path)
    if kind == "csv":
        return pd.read_csv(path)
    return gpd.read_file(path)


def _in_degrees(frame: gpd.GeoDataFrame) -> bool:
    return frame.crs is not None and frame.crs.equals(pyproj.CRS.from_epsg(4326), ignore_axis_order=True)


def _write_network(writer: CityFolderWriter, files: Mapping[str, Any]) -> MendedNetwork:
    network = mend_centre_lines(
        files["streets.parquet"], files["street_nodes.parquet"], utm_epsg=writer.profile.utm_epsg
    )
    source = "City of New Orleans street centre lines of 2012, joined to names and classes of 2018"
    period = "2012 and 2018"
    writer.write_table(
        "streets",
        network.streets,
        source=source,
        period=period,
        licence=LICENCE,
        rejected=network.rejected,
        steps=network.street_steps,
        caveats=(
            NO_ONEWAYS,
            (
                "There are no speeds and no turn rules: speeds are assumed by class of street (see the "
                "city's profile)."
            ),
            "Letters with accents came as question marks in some names.",
        ),
    )
    writer.write_table(
        "street_nodes", network.nodes, source=source, period=period, licence=LICENCE, steps=network.node_steps
    )
    return network


def _write_areas(writer: CityFolderWriter, files: Mapping[str, Any]) -> None:
    hoods = files["neighborhoods.geojson"].copy()
    hoods["name"] = hoods["name"].map(_title)
    tracts = files["census_tracts.geojson"]
    census = census_to_neighborhoods(hoods, tracts, utm_epsg=writer.profile.utm_epsg)
    unpaid = int((tracts["median_household_income"] <= 0).sum())
    writer.write_table(
        "neighborhoods",
        census.neighborhoods,
        source="City of New Orleans statistical areas; people and incomes from the Census Bureau's tracts",
        dataset_id="exvn-jeh2",
        period="Population 2020, median household income 2019",
        licence=LICENCE,
        steps=(
            (
                f"The people of {len(tracts)} census tracts ({census.people:,} in 2020) were spread over the "
                "part of each tract that lies in a neighborhood, by area; "
                f"{census.people - census.people_outside:,} are placed, {census.people_outside:,} live in "
                "tracts that touch no neighborhood."
            ),
            (
                f"{census.people_off_land:,} of them would stand in water or beyond the neighborhoods if "
                "each tract were filled evenly to its edge; they were moved to the neighborhood part "
                "of their own tract."
            ),
            f"{unpaid} tracts give no income and were left out of the incomes.",
            "Names were put in small letters with capitals in front.",
        ),
        caveats=(
            (
                "People are spread evenly within a tract, over parks and docks too: figures of small "
                "neighborhoods are estimates."
            ),
            (
                "A neighborhood's income is the mean of its tracts' median incomes, weighted by people: not "
                "a true median."
            ),
        ),
    )
    districts = files["police_districts.geojson"]
    names = "District " + districts["district"].astype("str")
    writer.write_table(
        "districts",
        districts.assign(name=names, kind="police"),
        source="New Orleans police districts",
        period="not stated",
        licence=LICENCE,
    )
    water = files["water.geojson"]
    writer.write_table(
        "water",
        water.assign(kind=water["name"].map(_WATER_KINDS)),
        source="Mississippi River and Lake Pontchartrain, clipped to the city",
        period="not stated",
        licence=LICENCE,
        caveats=("Canals and bayous are not in it: ground in the Industrial Canal counts as land.",),
    )


def _title(name: str) -> str:
    words = [
        word.capitalize() if word.isalpha() and not word.startswith("Mc") else word for word in name.split()
    ]
    return " ".join(_mixed(word) for word in words)


def _mixed(word: str) -> str:
    if word.isalpha():
        return word
    return "-".join(part if part.count(".") > 1 else part.capitalize() for part in word.split("-"))


def _write_calls(writer: CityFolderWriter, points: pd.DataFrame) -> None:
    width = len(str(len(points)))
    calls = pd.DataFrame(
        {
            "call_id": [f"NOPD-2022-{row:0{width}d}" for row in range(1, len(points) + 1)],
            "agency": "Police",
            "location_precision": "block",
            "lon": points["longitude"].to_numpy(),
            "lat": points["latitude"].to_numpy(),
        }
    )
    writer.write_table(
        "calls",
        calls,
        source=CALLS_STAND_IN,
        dataset_id="nci8-thrr",
        period="1 January to 21 March 2022",
        licence=LICENCE,
        steps=(
            (
                "Each row got a number of its own, in the order of the file; the source's item numbers are "
                "not in it."
            ),
        ),
        caveats=(
            CALLS_STAND_IN,
            (
                "Only places are given: no time, type, priority or disposition. Nothing can be read by hour "
                "or by kind."
            ),
            "Places are those of a block, not of a door.",
            (
                "Many calls are booked at police stations and the courts. These stacks are not demand; they "
                "are still in."
            ),
            (
                "Eleven weeks with Carnival (1 March 2022) are not a year: the French Quarter and the parade "
                "routes stand out more than they would."
            ),
        ),
    )


def _write_posts(writer: CityFolderWriter, posts: pd.DataFrame) -> None:
    baseline = writer.profile.posts
    order = () if baseline is None else baseline.baseline
    ranks = {name: rank for rank, name in enumerate(order, start=1)}
    absent = [name for name in order if name not in set(posts["name"])]
    tidy = posts.assign(
        kind=posts["kind"].map(_POST_KINDS).fillna(posts["kind"]),
        address=posts["address"].str.strip(),
        baseline_rank=posts["name"].map(ranks).astype("Int64"),
    )
    caveats = [
        "The order of staffing is that of the day shift of 2017; today's must come from New Orleans EMS.",
        "A candidate is a place the study named, not one that New Orleans EMS may use today.",
    ]
    if absent:
        caveats.append(f"These posts of the order of staffing are not in the file: {', '.join(absent)}.")
    writer.write_table(
        "posts",
        tidy,
        source="City of New Orleans, ambulance posting study of 2017",
        period="2017",
        licence=LICENCE,
        steps=(
            f"{int(tidy['baseline_rank'].notna().sum())} posts got their place in the order of staffing.",
        ),
        caveats=caveats,
    )


def _write_hospitals(writer: CityFolderWriter, hospitals: pd.DataFrame) -> None:
    decided, undecided = _decisions(writer.profile, hospitals["name"])
    closed = hospitals["status"].str.upper() == "CLOSED"
    kind = hospitals["type"].str.capitalize()
    tidy = pd.DataFrame(
        {
            "hospital_id": [f"H{row:02d}" for row in range(1, len(hospitals) + 1)],
            "name": hospitals["name"].map(_title),
            "kind": kind.where(~closed, kind + " (closed)"),
            "receives_911": decided,
            "specialties": ("Trauma " + hospitals["trauma"].str.capitalize()).where(
                hospitals["trauma"].str.upper() != "NOT AVAILABLE"
            ),
            "lon": hospitals["longitude"].to_numpy(),
            "lat": hospitals["latitude"].to_numpy(),
        }
    )
    unknown_beds = int((hospitals["beds"] < 0).sum())
    day = writer.profile.hospitals.decided_on if writer.profile.hospitals else None
    steps = [
        (
            f"Which hospitals receive 911 ambulances was decided by hand for this project on {day}, each "
            "with its reason in the city's profile (city.toml); New Orleans EMS must confirm it."
        ),
        f"Beds are not carried over; {unknown_beds} gave -999, which means unknown.",
    ]
    if undecided:
        steps.append(f"Not decided: {', '.join(undecided)}.")
    writer.write_table(
        "hospitals",
        tidy,
        source="National list of hospitals (HIFLD), those in Orleans Parish",
        period="not stated",
        licence=LICENCE,
        steps=steps,
        caveats=(
            (
                "Hospitals of the neighboring parishes, to which New Orleans ambulances also drive, are not "
                "in it."
            ),
            "Whether a hospital receives 911 ambulances is this project's reading, not the hospital's word.",
        ),
    )


def _decisions(profile: CityProfile, names: "pd.Series[str]") -> tuple["pd.Series[Any]", list[str]]:
    by_hand = (
        {}
        if profile.hospitals is None
        else {decision.name.casefold(): decision.receives for decision in profile.hospitals.receives_911}
    )
    keys = names.str.casefold()
    decided = keys.map(by_hand).astype("boolean")
    return decided, names[decided.isna()].tolist()


def _write_outlets(writer: CityFolderWriter, licences: pd.DataFrame) -> None:
    outlets, counts = outlets_table(licences)
    writer.write_table(
        "outlets",
        outlets,
        source="City of New Orleans, licences to sell alcohol",
        period="2015",
        licence=LICENCE,
        steps=(
            (
                f"{counts['read']:,} licences, one row each; {counts['sharing an address']} of them share an "
                "address with another one and were kept apart."
            ),
            (
                "The place is the point in the text of the address; "
                f"{counts['without a point']} licences have none."
            ),
            (
                f"Categories come from the City's occupation codes: {counts['bars']} drinking places (1126) "
                "are bars; 1105, 2062 and 2064 are restaurants; 4701 hotels; other retail trade (11..) is a "
                "store; the rest other."
            ),
        ),
        caveats=(
            (
                "Licences of 2015, police calls of 2022: an outlet of the list may be gone, and a new one is "
                "missing. 58 % of its bars stand at an address that still has a bar's licence in 2025."
            ),
            (
                "Opening hours, capacity, and the days of opening and closing are not known. The licences of "
                "2025 give start days, but only two in five outlets are among them by name and address, and "
                "just those that have lasted: they were not joined."
            ),
            (
                "An occupation code says how a business is licensed, not what it is: a restaurant can be a "
                "bar at night."
            ),
        ),
    )


def _write_drainage(writer: CityFolderWriter, surface: ImportedElevation, network: MendedNetwork) -> None:
    writer.write_elevation(
        surface.dem_m,
        surface.grid,
        source="Lidar ground points of 2021, read back from the colors of a published map",
        period="2021",
        licence=LICENCE,
        steps=surface.steps,
        caveats=(
            "Levels are right to about 0.2 m (read back from colors).",
            "Levels below -3.05 m and above 3.66 m are cut off: levee tops are higher than shown.",
            "89 % of the land has a level; the eastern marsh has gaps.",
            "Canals, culverts and walls are not in it.",
        ),
    )
    ground = Elevation(surface.dem_m, surface.grid, 0, ())
    placed = place_basins(network.streets, ground, epsg=writer.profile.utm_epsg)
    writer.write_table(
        "basins",
        placed.basins,
        source="Placed by rule along the streets of the extract: no catch basin of the city was surveyed",
        period="not of a time",
        licence=LICENCE,
        steps=placed.steps,
        caveats=(
            (
                "These are not the City's catch basins. Their number is about right, their places are a "
                "rule's: nobody can be sent to one of them."
            ),
            "Nothing is known of their kind, state, cleanings or 311 requests, and none of it is made up.",
        ),
    )
