"""A city folder, read and checked: accepted rows, quarantined rows, and what the models stand on."""

import hashlib
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from weakref import ref

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry.base import BaseGeometry

from data import elevation as ground
from data.checks import CheckedTable, Surroundings, check_rows, table_faults
from data.columns import is_clockless
from data.elevation import Elevation
from data.folder import CACHE_FOLDER, PROFILE_FILE, QUARANTINE_FOLDER, TABLES_FOLDER
from data.manifest import MANIFEST_FILE, TableSource, read_manifest, table_source, taken_on_day
from data.profile import CityProfile, load_profile
from data.quarantine import TableAccount, count_reasons, quarantine_frame
from data.schema_rules import TableRule
from data.schemas import TABLES
from errors import CityFolderError, Faults, InvalidInputError, MissingTableError
from geo.network import RoadNetwork

_LEAST_JOINED_SHARE = 0.5
"""A network whose largest part holds less of the corners than this is in pieces, not a city with islands."""

_READING_ORDER = ("water", "neighborhoods", "districts", "street_nodes", "streets")
"""Tables that others are checked against come first."""


class City:
    """A city folder that was opened; see :meth:`open`.

    Attributes
    ----------
    path
        The folder.
    profile
        What is assumed about the city, from ``city.toml``.
    version
        Twelve hexadecimal digits of the folder's content: another content, another version.
    synthetic
        Whether the city is made up; every page then says so.
    maker, seed
        Who wrote the folder, and from which seed.
    has_elevation
        Whether the folder holds the levels of the ground.
    """

    def __init__(
        self,
        path: Path,
        profile: CityProfile,
        manifest: Mapping[str, Any],
        checked: Mapping[str, CheckedTable],
        *,
        elevation: Elevation | None,
        version: str,
    ) -> None:
        self.path = path
        self.profile = profile
        self.version = version
        self.synthetic = bool(manifest["synthetic"])
        self.maker = str(manifest["maker"])
        self.seed: int | None = manifest["seed"]
        self._manifest = manifest
        self._checked = checked
        self.has_elevation = elevation is not None
        self._elevation = None if elevation is None else ref(elevation)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read and check a city folder.

        Parameters
        ----------
        path
            The folder that a maker wrote.

        Raises
        ------
        CityFolderError
            The folder cannot be used; the text lists every fault of every table. A row at fault is no
            reason to raise: it is quarantined.
        """
        path = Path(path)
        faults = Faults()
        if not path.is_dir():
            msg = f"The city folder cannot be opened: there is no folder {path}"
            raise CityFolderError(msg)
        profile: CityProfile | None = None
        try:
            profile = load_profile(path / PROFILE_FILE)
        except CityFolderError as error:
            faults.add(str(error))
        manifest = read_manifest(path / MANIFEST_FILE, faults)
        checked: dict[str, CheckedTable] = {}
        for rule in _in_reading_order():
            _read_and_check(path, rule, profile=profile, manifest=manifest, checked=checked, faults=faults)
        elevation = _read_elevation(path, profile, manifest, faults)
        if not faults:
            faults.extend(_network_faults(checked["streets"].accepted, checked["street_nodes"].accepted))
        faults.raise_as(CityFolderError, f"The city folder {path.name} cannot be opened")
        if profile is None:  # pragma: no cover - a missing profile is a fault and was raised
            raise AssertionError
        return cls(path, profile, manifest, checked, elevation=elevation, version=_content_hash(path))

    @property
    def name(self) -> str:
        """The city's name."""
        return self.profile.name

    @property
    def slug(self) -> str:
        """The city's name in the form of an address."""
        return self.profile.slug

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that the folder has, in the contract's order."""
        return tuple(name for name in TABLES if name in self._checked)

    @property
    def cache_dir(self) -> Path:
        """Where results derived from this city may be kept; made when asked for."""
        folder = self.path / CACHE_FOLDER
        folder.mkdir(exist_ok=True)
        return folder

    def has(self, name: str) -> bool:
        """Say whether a table is there with at least one accepted row."""
        return name in self._checked and len(self._checked[name].accepted) > 0

    def table(self, name: str) -> pd.DataFrame:
        """Give the accepted rows of a table; a GeoDataFrame in EPSG:4326 where it has shapes.

        Raises
        ------
        MissingTableError
            The city has no such table, or none of its rows could be used.
        """
        if not self.has(name):
            raise MissingTableError(self.missing(name))
        return self._checked[name].accepted

    def areas(self, name: str) -> gpd.GeoDataFrame:
        """Give the accepted rows of a table that has shapes, as :meth:`table` does."""
        frame = self.table(name)
        if not isinstance(frame, gpd.GeoDataFrame):
            msg = f"The table {name} has no shapes"
            raise InvalidInputError(msg)
        return frame

    def missing(self, name: str) -> str:
        """Say in one sentence or two what to load where a table is missing."""
        rule = TABLES.get(name)
        if rule is None:
            return f"{self.name} has no table {name!r}; the tables of a city are {', '.join(TABLES)}."
        if name in self._checked:
            account = self.account(name)
            found = (
                "has no rows"
                if account.read == 0
                else f"has no usable row ({account.read} are in quarantine)"
            )
            return f'The table "{rule.title}" ({name}) of {self.name} {found}. {rule.load_hint}'
        return f'{self.name} has no table "{rule.title}" ({name}). {rule.load_hint}'

    def quarantine(self, name: str) -> pd.DataFrame:
        """Give the rows of a table that could not be used: ``record`` (JSON text) and ``reason``."""
        if name not in self._checked:
            raise MissingTableError(self.missing(name))
        return self._checked[name].quarantined

    def account(self, name: str) -> TableAccount:
        """Count the rows of a table: read, accepted, quarantined, and how often for which reason."""
        quarantined = self.quarantine(name)
        accepted = len(self._checked[name].accepted)
        reasons = count_reasons(quarantined["reason"])
        return TableAccount(accepted + len(quarantined), accepted, len(quarantined), reasons)

    def source(self, name: str) -> TableSource:
        """Say where a table comes from."""
        if name not in self._checked:
            raise MissingTableError(self.missing(name))
        return table_source(name, TABLES[name].title, self._manifest["tables"][name])

    @property
    def elevation(self) -> Elevation | None:
        """The levels of the ground, or None where the folder has none.

        They were judged when the city was opened. Only a reference is kept, and the file is read again for
        who asks later: most pages never look at the ground, and it is the largest thing in the folder.
        """
        if self._elevation is None:
            return None
        held = self._elevation()
        if held is None:
            held = _surface(self.path, self.profile)
            self._elevation = ref(held)
        return held

    @property
    def elevation_source(self) -> TableSource:
        """Say where the levels of the ground come from.

        Raises
        ------
        MissingTableError
            The folder has none; the text says how to load them.
        """
        if not self.has_elevation:
            raise MissingTableError(self.missing_elevation)
        return table_source("elevation", ground.TITLE, self._manifest["elevation"])

    @property
    def missing_elevation(self) -> str:
        """What to load where the folder has no levels of the ground, in one sentence or two."""
        return f"{self.name} has no {ground.TITLE.lower()} ({ground.ELEVATION_FILE}). {ground.LOAD_HINT}"

    def off_ground(self, name: str) -> int:
        """Count the accepted rows of a table that have a place where the elevation has no ground.

        They stay in the table: what they are is known, only not how water comes to them.
        """
        surface = self.elevation
        if surface is None or not self.has(name):
            return 0
        placed = self.table(name)[["lon", "lat"]].dropna()
        return int(np.isnan(surface.levels_at(placed["lon"], placed["lat"])).sum())

    @cached_property
    def network(self) -> RoadNetwork:
        """The road network, with the profile's speeds."""
        return RoadNetwork.from_streets(
            self.table("streets"), self.table("street_nodes"), self.profile.speeds
        )

    @cached_property
    def parish(self) -> BaseGeometry:
        """The union of the neighborhoods, in EPSG:4326."""
        return shapely.union_all(self.areas("neighborhoods").geometry.to_numpy())

    @cached_property
    def land(self) -> BaseGeometry:
        """The union of the neighborhoods without the water, in EPSG:4326."""
        if not self.has("water"):
            return self.parish
        return shapely.difference(self.parish, shapely.union_all(self.areas("water").geometry.to_numpy()))


def _in_reading_order() -> list[TableRule]:
    first = [TABLES[name] for name in _READING_ORDER]
    return first + [rule for rule in TABLES.values() if rule.name not in _READING_ORDER]


def _surface(path: Path, profile: CityProfile) -> Elevation:
    levels_m = None if profile.drainage is None else profile.drainage.levels_m
    file = path / ground.ELEVATION_FILE
    return ground.read_elevation(file, profile.utm_epsg, bbox=profile.bbox, levels_m=levels_m)


def _read_elevation(
    path: Path, profile: CityProfile | None, manifest: Mapping[str, Any], faults: Faults
) -> Elevation | None:
    file = path / ground.ELEVATION_FILE
    listed = "elevation" in manifest
    if not file.exists():
        faults.check(not listed, f"the file {file.name} is missing. {ground.LOAD_HINT}")
        return None
    faults.check(
        listed or not manifest["tables"], f"{MANIFEST_FILE} does not say where {file.name} comes from"
    )
    if profile is None:
        return None
    try:
        elevation = _surface(path, profile)
    except CityFolderError as error:
        faults.add(str(error))
        return None
    said = manifest["elevation"]["rows_read"] if listed else elevation.cells
    faults.check(
        said == elevation.cells,
        f"{file.name}: {said:,} cells had ground when it was made, but {elevation.cells:,} have it: cells "
        "got lost",
    )
    return elevation


def _read_and_check(
    path: Path,
    rule: TableRule,
    *,
    profile: CityProfile | None,
    manifest: Mapping[str, Any],
    checked: dict[str, CheckedTable],
    faults: Faults,
) -> None:
    """Read one table into ``checked``, or add its faults."""
    file = path / TABLES_FOLDER / f"{rule.name}.parquet"
    listed = rule.name in manifest["tables"]
    if not file.exists():
        if listed or rule.needed:
            faults.add(f"{rule.name}: the file {TABLES_FOLDER}/{file.name} is missing. {rule.load_hint}")
        return
    own = Faults()
    raw = _read_table(file, rule, own)
    turned_away = _read_turned_away(path / QUARANTINE_FOLDER / file.name, own)
    if raw is not None:
        _check_structure(raw, rule, own)
        if manifest["tables"] and not listed:
            own.add(f"{MANIFEST_FILE} does not say where this table comes from")
        if listed:
            said = manifest["tables"][rule.name]["rows_read"]
            found = len(raw) + len(turned_away)
            own.check(
                said == found,
                f"{said} rows were read when it was made, but the folder holds {found}: rows got lost",
            )
    if not own and raw is not None and profile is not None:
        own.extend(table_faults(raw, rule, profile.bbox, profile.name))
    taken_on = taken_on_day(manifest["tables"].get(rule.name, {}), rule, raw, own)
    if not own and raw is not None and profile is not None:
        checked[rule.name] = _checked_table(
            raw, rule, profile, checked, turned_away=turned_away, taken_on=taken_on
        )
        own.check(
            not rule.needed or len(checked[rule.name].accepted),
            "none of its rows can be used" + _commonest(checked[rule.name].quarantined),
        )
    faults.extend(f"{rule.name}: {fault}" for fault in own)


def _commonest(quarantined: pd.DataFrame) -> str:
    reasons = count_reasons(quarantined["reason"])
    if not reasons:
        return ""
    reason, count = next(iter(reasons.items()))
    return f" (of {len(quarantined)}, {count}: {reason})"


def _checked_table(
    raw: pd.DataFrame,
    rule: TableRule,
    profile: CityProfile,
    checked: Mapping[str, CheckedTable],
    *,
    turned_away: pd.DataFrame,
    taken_on: date | None,
) -> CheckedTable:
    water = checked["water"].accepted if "water" in checked else None
    nodes = checked["street_nodes"].accepted["node"] if "street_nodes" in checked else None
    around = Surroundings(
        bbox=profile.bbox,
        timezone=profile.timezone,
        water=water if isinstance(water, gpd.GeoDataFrame) else None,
        nodes=None if nodes is None else pd.Index(nodes),
        basins=None if "basins" not in checked else pd.Index(checked["basins"].accepted["basin_id"]),
        taken_on=taken_on,
    )
    table = check_rows(raw, rule, around)
    if turned_away.empty:
        return table
    return CheckedTable(table.accepted, pd.concat([turned_away, table.quarantined], ignore_index=True))


def _read_table(file: Path, rule: TableRule, faults: Faults) -> pd.DataFrame | None:
    try:
        columns = set(pq.read_schema(file).names)
        absent = [name for name, column in rule.columns.items() if column.needed and name not in columns]
        if absent:
            faults.add(f"the column{'s' * (len(absent) > 1)} {', '.join(absent)} {_is_are(absent)} missing")
            return None
        wanted = [name for name in rule.columns if name in columns]
        if rule.shapes == "none":
            return pd.read_parquet(file, columns=wanted)
        return gpd.read_parquet(file, columns=wanted)
    except (OSError, pa.ArrowException, ValueError, TypeError, KeyError, pyproj.exceptions.CRSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        faults.add(
            f"the file {TABLES_FOLDER}/{file.name} cannot be read ({reason}); make or import the city again"
        )
        return None


def _is_are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _read_turned_away(file: Path, faults: Faults) -> pd.DataFrame:
    if not file.exists():
        return quarantine_frame([], [])
    try:
        rows = pd.read_parquet(file, columns=["record", "reason"])
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        faults.add(f"the file {QUARANTINE_FOLDER}/{file.name} cannot be read ({reason})")
        return quarantine_frame([], [])
    return quarantine_frame(
        rows["record"].fillna("").astype(str), rows["reason"].fillna("no reason was given").astype(str)
    )


def _check_structure(raw: pd.DataFrame, rule: TableRule, faults: Faults) -> None:
    faults.check(len(raw) or not rule.needed, "the table has no rows; the city cannot do without them")
    for column, column_rule in rule.columns.items():
        if column_rule.kind == "time" and column in raw and is_clockless(raw[column]):
            faults.add(f"the times in {column} do not say their time zone; write them with the city's zone")
    if rule.shapes == "none":
        return
    crs = raw.crs if isinstance(raw, gpd.GeoDataFrame) else None
    if crs is None:
        faults.add("the coordinate system is not stated; store the table in EPSG:4326 (longitude, latitude)")
    elif not crs.equals(pyproj.CRS.from_epsg(4326), ignore_axis_order=True):
        unit = crs.axis_info[0].unit_name if crs.axis_info else "unknown unit"
        code = f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.name
        faults.add(
            f"the coordinate system is {code} ({unit}); store the table in EPSG:4326 (longitude, latitude)"
        )


def _network_faults(streets: pd.DataFrame, nodes: pd.DataFrame) -> list[str]:
    index = pd.Index(nodes["node"])
    ends = index.get_indexer(streets["u"]), index.get_indexer(streets["v"])
    links = coo_array((np.ones(len(streets), dtype=np.int8), ends), shape=(len(index), len(index)))
    used = np.zeros(len(index), dtype=bool)
    used[ends[0]] = used[ends[1]] = True
    _, part = connected_components(links, directed=False)
    sizes = np.bincount(part[used])
    share = float(sizes.max() / used.sum())
    if share >= _LEAST_JOINED_SHARE:
        return []
    pieces = int((sizes > 0).sum())
    fault = (
        f"streets: the network is in {pieces} pieces and the largest holds {share:.0%} of the corners; "
        "streets that meet must end at the same node (the same number in u or v)"
    )
    return [fault]


def _content_hash(path: Path) -> str:
    """Hash everything in the folder but its cache, file names included."""
    content = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if not file.is_file() or relative.parts[0] == CACHE_FOLDER:
            continue
        content.update(relative.as_posix().encode())
        content.update(hashlib.sha256(file.read_bytes()).digest())
    return content.hexdigest()[:12]
