"""Templates: an empty CSV for every table, with a line that explains it, and the mapping that reads it."""

import pandas as pd

from data.mapping import ColumnFrom, PlaceFrom, TableMapping, has_place
from data.mapping_cells import REMARK, SHAPE_COLUMN
from data.mapping_values import STYLES
from data.safe import safe_csv
from data.schema_rules import ColumnRule, TableRule
from data.schemas import TABLES
from errors import InvalidInputError

_SHAPE_LIKE = {"lines": "LINESTRING (-90.07 29.95, ...)", "areas": "POLYGON ((-90.07 29.95, ...))"}
_KIND_LIKE = {
    "integer": "whole number",
    "maybe_integer": "whole number",
    "number": "number",
    "flag": "true or false",
    "maybe_flag": "true or false",
    "time": f"time of the city such as {STYLES['iso']}",
    "date": "day such as 2026-01-31",
    "text": "text",
}


def template(table: str) -> bytes:
    """Give an empty CSV of a table: the heading, and one line that explains it.

    The explaining line is passed over when the filled file is read; `template_mapping` reads it.

    Raises
    ------
    InvalidInputError
        There is no such table.
    """
    rule = _rule(table)
    explained = {name: [REMARK + _explained(name, column, rule)] for name, column in rule.columns.items()}
    return safe_csv(pd.DataFrame(explained))


def template_mapping(table: str) -> TableMapping:
    """Give the mapping that reads a filled template.

    Raises
    ------
    InvalidInputError
        There is no such table.
    """
    rule = _rule(table)
    place = None
    if has_place(rule):
        place = PlaceFrom(x="lon", y="lat") if rule.has_points else PlaceFrom(shape=SHAPE_COLUMN)
    columns = {
        name: ColumnFrom(column=name)
        for name, column in rule.columns.items()
        if column.kind != "geometry" and name not in {"lon", "lat"}
    }
    return TableMapping(table=table, columns=columns, place=place)


def _rule(table: str) -> TableRule:
    if table not in TABLES:
        raise InvalidInputError(f"There is no table {table!r}; the tables are {', '.join(TABLES)}")
    return TABLES[table]


def _explained(name: str, column: ColumnRule, rule: TableRule) -> str:
    if column.kind == "geometry":
        said = f"shape in degrees, longitude first: {_SHAPE_LIKE[rule.shapes]}"
    elif name in {"lon", "lat"}:
        said = f"{'longitude' if name == 'lon' else 'latitude'} in degrees"
    elif column.allowed:
        said = f"one of: {', '.join(column.allowed)}"
    else:
        said = f"{_KIND_LIKE[column.kind]}{f', such as {column.like}' if column.like else ''}"
    bounds = [
        f"{word} {bound:,g}"
        for word, bound in (
            ("above", column.above),
            ("at least", column.at_least),
            ("at most", column.at_most),
        )
        if bound is not None
    ]
    needed = "needed" if column.needed else "may be empty"
    once = ", each once" if column.unique else ""
    return f"{needed}{once}; {said}{f' ({chr(44).join(bounds)})' if bounds else ''}"
