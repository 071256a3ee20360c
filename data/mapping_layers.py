"""Read a layer of a GeoPackage or a GeoJSON as text and shapes."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely

from data.mapping import DEGREES, Layout
from data.mapping_cells import (
    SHAPE_COLUMN,
    Limits,
    ObjectArray,
    SourceTable,
    as_text,
    cell_text,
    chosen_name,
    decoded,
    first_line,
    headings,
    refused,
    wanted_places,
)
from errors import ImportSourceError

_GEOPACKAGE = (b"GPKG", b"GP10", b"GP11")


def read_geopackage(
    path: Path, layout: Layout, only: Collection[str] | None, head: int | None, limits: Limits
) -> SourceTable:
    """Read one layer of a GeoPackage."""
    with path.open("rb") as file:
        start = file.read(100)
    # By its content: the library would open whatever hides behind the name.
    if not start.startswith(b"SQLite format 3\0") or start[68:72] not in _GEOPACKAGE:
        raise refused(path.name, "it is no GeoPackage")
    try:
        layers = [str(name) for name, _ in pyogrio.list_layers(path)]
        chosen = chosen_name(path.name, "layer", layers, layout.sheet)
        n_rows = pyogrio.read_info(path, layer=chosen, force_feature_count=True)["features"]
        if head is None and n_rows > limits.rows:
            raise refused(path.name, f"it has more than {limits.rows:,} rows; import it in parts")
        read = pyogrio.read_dataframe(path, layer=chosen, max_features=head, datetime_as_string=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, RuntimeError) as error:
        if isinstance(error, ImportSourceError):
            raise
        raise refused(path.name, first_line(error)) from error
    names = [str(name) for name in read.columns]
    shapes = crs = None
    if SHAPE_COLUMN in read and hasattr(read, "crs"):
        shapes, crs = np.asarray(read[SHAPE_COLUMN].array, dtype=object), read.crs
        names.remove(SHAPE_COLUMN)
    rows = zip(*(read[name].tolist() for name in names), strict=True) if names else [()] * len(read)
    return _of_layer(
        path.name,
        names,
        list(rows),
        shapes,
        crs,
        only=only,
        limits=limits,
        how=f"GeoPackage, layer {chosen}",
        layers=layers,
    )


def read_geojson(path: Path, only: Collection[str] | None, head: int | None, limits: Limits) -> SourceTable:
    """Read a list of GeoJSON features."""
    text, _ = decoded(path.read_bytes(), "auto", path.name)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(path.name, f"it is no GeoJSON ({first_line(error)})") from error
    features = told.get("features") if isinstance(told, dict) else None
    if not isinstance(features, list):
        raise refused(path.name, "it is no GeoJSON with a list of features")
    if not features:
        raise refused(path.name, "it is empty")
    features = [feature if isinstance(feature, dict) else {} for feature in features[:head]]
    bags = [feature.get("properties") for feature in features]
    bags = [bag if isinstance(bag, dict) else {} for bag in bags]
    names = list(dict.fromkeys(name for bag in bags for name in bag))
    shapes = np.empty(len(features), dtype=object)
    shapes[:] = [_geojson_shape(feature.get("geometry")) for feature in features]
    return _of_layer(
        path.name,
        names,
        [[bag.get(name) for name in names] for bag in bags],
        shapes,
        _geojson_crs(told, path.name),
        only=only,
        limits=limits,
        how="GeoJSON",
    )


def _geojson_shape(told: object) -> shapely.Geometry | None:
    if not isinstance(told, dict):
        return None
    try:
        shape: shapely.Geometry | None = shapely.from_geojson(json.dumps(told), on_invalid="ignore")
    except (ValueError, TypeError, RecursionError):
        return None
    return shape


def _geojson_crs(told: dict[str, Any], name: str) -> pyproj.CRS:
    """Give degrees (RFC 7946), or the system that older files name."""
    try:
        named = told["crs"]["properties"]["name"]
    except (KeyError, TypeError):
        named = DEGREES
    try:
        return pyproj.CRS.from_user_input(named)
    except pyproj.exceptions.CRSError as error:
        raise refused(name, f"its coordinate system {named!r} is not known") from error


def _of_layer(
    name: str,
    names: Sequence[str],
    rows: Sequence[Sequence[object]],
    shapes: ObjectArray | None,
    crs: pyproj.CRS | None,
    *,
    only: Collection[str] | None,
    limits: Limits,
    how: str,
    layers: Sequence[str] = (),
) -> SourceTable:
    """Put the rows of a layer under their columns; a row with a shape is never blank."""
    # First, so that an attribute of that name gives way.
    columns = headings([SHAPE_COLUMN, *names])[1:]
    columns = columns if shapes is None else (*columns, SHAPE_COLUMN)
    if len(rows) > limits.rows or len(columns) > limits.columns:
        raise refused(name, f"it has more than {limits.rows:,} rows or {limits.columns:,} columns")
    n_texts = len(names)
    wanted = [place for place in wanted_places(name, columns, only) if place < n_texts]
    cells = [[cell_text(as_text(row[place])) for place in range(n_texts)] for row in rows]
    drawn = np.zeros(len(rows), dtype=bool) if shapes is None else ~shapely.is_missing(shapes)
    kept = [row for row, said in enumerate(cells) if drawn[row] or any(said)]
    texts = {columns[place]: pd.Series([cells[row][place] for row in kept], dtype="str") for place in wanted}
    return SourceTable(
        name,
        columns,
        pd.DataFrame(texts, index=pd.RangeIndex(len(kept))),
        np.zeros(len(kept), dtype=np.int64),
        how,
        len(rows) - len(kept),
        shapes=None if shapes is None else shapes[kept],
        crs=crs,
        sheets=tuple(layers),
    )
