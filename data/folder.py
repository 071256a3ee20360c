"""Write a city folder: tables, manifest, quarantine and truth, the same bytes for the same content."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import geopandas as gpd
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.columns import convert
from data.elevation import ELEVATION_FILE, write_geotiff
from data.manifest import MANIFEST_FILE, is_day, manifest_entry
from data.profile import CityProfile, load_profile
from data.schema_rules import Kind, TableRule
from data.schemas import TABLES, pandas_dtype, reading_dtype
from errors import Faults, InvalidInputError
from geo.drainage_edges import Grid

PROFILE_FILE = "city.toml"
TABLES_FOLDER = "tables"
QUARANTINE_FOLDER = "quarantine"
TRUTH_FOLDER = "truth"
CACHE_FOLDER = "cache"
STORAGE_CRS = "EPSG:4326"


class CityFolderWriter:
    """Write a city folder beside its place and swap it in when it is complete.

    Nothing at ``out`` changes before :meth:`finish`. Used as a context manager, an error leaves no
    half-written folder behind.

    Parameters
    ----------
    out
        Where the city folder shall stand. An older city folder there is replaced.
    profile_path
        The city's profile, copied to ``city.toml``.
    maker
        Who wrote the folder: "demo", "nola-extract" and so on.
    seed
        The seed of a made city, None for a real one.
    synthetic
        Whether any table was made up; every page then says so.

    Raises
    ------
    InvalidInputError
        There is something at ``out`` that is no city folder; it is left alone.
    CityFolderError
        The profile cannot be used.
    """

    def __init__(
        self, out: Path, profile_path: Path, *, maker: str, seed: int | None, synthetic: bool
    ) -> None:
        self._out = out.resolve()
        if self._out.exists() and not _may_be_replaced(self._out):
            msg = f"{out} is not empty and is no city folder; choose another place"
            raise InvalidInputError(msg)
        self.profile: CityProfile = load_profile(profile_path)
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix=f".{self._out.name}-", dir=self._out.parent))
        self._folder.chmod(0o755)
        shutil.copyfile(profile_path, self._folder / PROFILE_FILE)
        self._manifest: dict[str, Any] = {"maker": maker, "seed": seed, "synthetic": synthetic, "tables": {}}

    def __enter__(self) -> Self:
        """Begin writing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was written when it was not finished."""
        self.discard()

    def write_table(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        source: str,
        period: str,
        licence: str,
        dataset_id: str | None = None,
        retrieved: str | None = None,
        caveats: Sequence[str] = (),
        rejected: pd.DataFrame | None = None,
        steps: Sequence[str] = (),
    ) -> None:
        """Write one table of the contract, in the contract's column order and types.

        Parameters
        ----------
        name
            A table of the contract.
        frame
            Its rows, dirty ones too: the reader checks each row and quarantines it with a reason.
            Columns that may be null may be left out. Values that do not fit a column's type stay as
            they are; the column is then stored as text and the reader says which rows are at fault.
        source, period, licence, dataset_id, retrieved
            Where the rows come from, of what time, under which licence, and on which day (2026-01-31) they
            were taken: what has happened cannot be later. A table with times of such events needs that day.
        caveats
            What a reader of results must know, a plain sentence each.
        rejected
            Rows that could not be put in the table: columns ``record`` and ``reason``.
        steps
            What was done to the rows, with counts, a plain sentence each.

        Raises
        ------
        InvalidInputError
            An unknown table or missing columns; the text lists every fault.
        """
        faults = Faults()
        rule = TABLES.get(name)
        if rule is None:
            msg = f"{name!r} is no table of a city folder; the tables are {', '.join(TABLES)}"
            raise InvalidInputError(msg)
        for column, column_rule in rule.columns.items():
            faults.check(column in frame or not column_rule.needed, f"the column {column} is missing")
        faults.check(
            retrieved is None or is_day(retrieved),
            f"retrieved is {retrieved!r}; write a day such as 2026-01-31",
        )
        if rejected is not None:
            faults.check(
                list(rejected.columns) == ["record", "reason"], "rejected needs the columns record and reason"
            )
        faults.raise_as(InvalidInputError, f"The table {name} cannot be written")

        tidy = _in_contract_shape(frame, rule, self.profile.timezone)
        _write_parquet(tidy, self._folder / TABLES_FOLDER / f"{name}.parquet", shaped=rule.shapes != "none")
        turned_away = 0 if rejected is None else len(rejected)
        if rejected is not None and turned_away:
            _write_parquet(
                rejected.astype("str"), self._folder / QUARANTINE_FOLDER / f"{name}.parquet", shaped=False
            )
        self._manifest["tables"][name] = manifest_entry(
            source=source,
            period=period,
            licence=licence,
            dataset_id=dataset_id,
            retrieved=retrieved,
            caveats=caveats,
            steps=steps,
            rows_read=len(frame) + turned_away,
        )

    def write_elevation(
        self,
        dem_m: npt.ArrayLike,
        grid: Grid,
        *,
        source: str,
        period: str,
        licence: str,
        dataset_id: str | None = None,
        retrieved: str | None = None,
        caveats: Sequence[str] = (),
        steps: Sequence[str] = (),
    ) -> None:
        """Write the ground's levels, rounded to whole centimetres.

        Parameters
        ----------
        dem_m
            (rows, columns) metres, NaN where there is no ground; first row in the north.
        grid
            Where the cells lie, in the city's projected system (``utm_epsg`` of its profile).
        source, period, licence, dataset_id, retrieved, caveats, steps
            As for :meth:`write_table`.

        Raises
        ------
        InvalidInputError
            The surface and its grid do not fit together, or the grid is not the city's.
        """
        if grid.epsg != self.profile.utm_epsg:
            msg = f"The elevation lies in EPSG:{grid.epsg}; the city measures in EPSG:{self.profile.utm_epsg}"
            raise InvalidInputError(msg)
        cells = write_geotiff(self._folder / ELEVATION_FILE, dem_m, grid)
        self._manifest["elevation"] = manifest_entry(
            source=source,
            period=period,
            licence=licence,
            dataset_id=dataset_id,
            retrieved=retrieved,
            caveats=caveats,
            steps=steps,
            rows_read=cells,
        )

    def write_truth(self, name: str, frame: pd.DataFrame) -> None:
        """Write what was planted in a made city, for tests that ask whether a model finds it."""
        _write_parquet(
            frame, self._folder / TRUTH_FOLDER / f"{name}.parquet", shaped=isinstance(frame, gpd.GeoDataFrame)
        )

    def finish(self) -> Path:
        """Complete the folder and put it in its place, whole; an older one goes. Gives its path."""
        self._write_manifest()
        if self._out.exists():
            old = self._folder.with_name(self._folder.name + "-old")
            self._out.rename(old)
            self._folder.rename(self._out)
            shutil.rmtree(old)
        else:
            self._folder.rename(self._out)
        return self._out

    def _write_manifest(self) -> None:
        text = json.dumps(self._manifest, indent=1, ensure_ascii=False, sort_keys=True)
        (self._folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    def discard(self) -> None:
        """Remove an unfinished folder; a finished one stays."""
        if self._folder.exists():
            shutil.rmtree(self._folder)


def _may_be_replaced(path: Path) -> bool:
    return path.is_dir() and ((path / MANIFEST_FILE).exists() or not any(path.iterdir()))


def _in_contract_shape(frame: pd.DataFrame, rule: TableRule, timezone: str) -> pd.DataFrame:
    tidy: dict[str, Any] = {}
    for column, column_rule in rule.columns.items():
        if column not in frame:
            tidy[column] = pd.Series([None] * len(frame), dtype=reading_dtype(column_rule.kind, timezone))
        elif column_rule.kind == "geometry":
            tidy[column] = frame[column].reset_index(drop=True)
        else:
            tidy[column] = _as_type_or_text(frame[column].reset_index(drop=True), column_rule.kind, timezone)
    if rule.shapes == "none":
        return pd.DataFrame(tidy)
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        msg = f"The table {rule.name} cannot be written: its geometry needs a coordinate system"
        raise InvalidInputError(msg)
    tidy["geometry"] = gpd.GeoSeries(tidy["geometry"], crs=frame.crs).to_crs(STORAGE_CRS)
    return gpd.GeoDataFrame(tidy, geometry="geometry", crs=STORAGE_CRS)


def _as_type_or_text(values: "pd.Series[Any]", kind: Kind, timezone: str) -> "pd.Series[Any]":
    converted, misfit = convert(values, kind, timezone)
    if misfit.any():
        text = values.map(str, na_action="ignore")
        return text.astype("str")
    return converted if converted.isna().any() else converted.astype(pandas_dtype(kind, timezone))


def _write_parquet(frame: pd.DataFrame, path: Path, *, shaped: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if shaped and isinstance(frame, gpd.GeoDataFrame):
        frame.to_parquet(path, index=False, compression="zstd")
        return
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, compression="zstd")
