"""What the readers of a city's own files share: limits, headings, and rows of cells put under them."""

import codecs
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj

from data.mapping import Layout
from data.safe import plain_cell
from errors import ImportSourceError

ObjectArray = npt.NDArray[np.object_]

SHAPE_COLUMN = "geometry"
REMARK = "# "
"""What every cell of a template's explaining line begins with."""


@dataclass(frozen=True)
class Limits:
    """How much is read; a file above it is refused, not cut.

    Attributes
    ----------
    file_bytes, unpacked_bytes
        Of the file, and of what is packed in a workbook.
    rows, columns
        A sheet of a spreadsheet has at most 1,048,576 rows.
    """

    file_bytes: int = 256 * 1024**2
    unpacked_bytes: int = 1024**3
    rows: int = 1_048_576
    columns: int = 500


LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class SourceTable:
    """The rows of one file.

    Attributes
    ----------
    name
        The file's name, without its folders.
    columns
        All its columns; one without a name is called "column 3", a repeated one "name (2)".
    texts
        (n_rows) the columns that were asked for, trimmed text, null where a cell is empty.
    shapes, crs
        (n_rows,) shapes of a layer and their system, or None; their column is called "geometry".
    wide
        (n_rows,) number of cells of rows that have more than the heading, else 0.
    blank, remarks
        Rows that were passed over: those that say nothing, and the explaining line of a template.
    sheets
        The sheets of a workbook, or the layers of a GeoPackage.
    how
        How it was read, in words.
    """

    name: str
    columns: tuple[str, ...]
    texts: pd.DataFrame
    wide: npt.NDArray[np.int64]
    how: str
    blank: int = 0
    remarks: int = 0
    shapes: ObjectArray | None = None
    crs: pyproj.CRS | None = None
    sheets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


def refused(name: str, why: str) -> ImportSourceError:
    """Make the error that says why a file cannot be read."""
    return ImportSourceError(f"{name} cannot be read: {why}")


class Gatherer:
    """Puts rows of cells under their heading, column by column."""

    def __init__(self, name: str, only: Collection[str] | None, limits: Limits) -> None:
        self.name, self.only, self.limits = name, only, limits
        self.columns: tuple[str, ...] = ()
        self.cells: dict[int, list[str | None]] = {}
        self.wide: list[int] = []
        self.blank = self.remarks = 0

    def take_heading(self, cells: Sequence[str]) -> None:
        """Name the columns, and choose those to keep."""
        self.columns = headings(cells)
        if not self.columns:
            raise refused(
                self.name, "the row of the heading is empty; say in which row the columns are named"
            )
        if len(self.columns) > self.limits.columns:
            raise refused(self.name, f"it has more than {self.limits.columns:,} columns")
        self.cells = {place: [] for place in wanted_places(self.name, self.columns, self.only)}

    def take_row(self, cells: Sequence[str]) -> None:
        """Add one row, or count it where it says nothing."""
        if not any(map(_says, cells)):
            self.blank += 1
            return
        if (
            not self.wide
            and not self.remarks
            and all(cell.startswith(REMARK) for cell in filter(_says, cells))
        ):
            self.remarks += 1
            return
        if len(self.wide) >= self.limits.rows:
            raise refused(self.name, f"it has more than {self.limits.rows:,} rows; import it in parts")
        beyond = any(map(_says, cells[len(self.columns) :]))
        self.wide.append(len(cells) if beyond else 0)
        for place, column in self.cells.items():
            column.append(cell_text(cells[place]) if place < len(cells) else None)

    def table(self, how: str, sheets: Sequence[str] = ()) -> SourceTable:
        """Give what was gathered."""
        texts = {self.columns[place]: pd.Series(cells, dtype="str") for place, cells in self.cells.items()}
        return SourceTable(
            self.name,
            self.columns,
            pd.DataFrame(texts, index=pd.RangeIndex(len(self.wide))),
            np.array(self.wide, dtype=np.int64),
            how,
            self.blank,
            self.remarks,
            sheets=tuple(sheets),
        )


def headings(cells: Sequence[str]) -> tuple[str, ...]:
    """Name the columns, each differently; those at the end without a name are none."""
    tidy = [" ".join(plain_cell(cell).split()) for cell in cells]
    while tidy and not tidy[-1]:
        tidy.pop()
    named: list[str] = []
    for place, name in enumerate(tidy, start=1):
        base = name or f"column {place}"
        free, times = base, 1
        while free in named or (times > 1 and free in tidy):
            times += 1
            free = f"{base} ({times})"
        named.append(free)
    return tuple(named)


def wanted_places(name: str, columns: Sequence[str], only: Collection[str] | None) -> list[int]:
    """Find the columns to keep; one that is not there is a fault."""
    if only is None:
        return list(range(len(columns)))
    missing = [column for column in only if column not in columns]
    if missing:
        have = ", ".join(columns[:40])
        raise refused(name, f"it lacks the column(s) {', '.join(missing)}; it has {have}")
    return [place for place, column in enumerate(columns) if column in only]


def gather(rows: Iterable[Sequence[str]], gatherer: Gatherer, layout: Layout, head: int | None) -> None:
    """Give the heading and the rows under it to the gatherer, at most ``head`` of them."""
    lines = iter(rows)
    heading = next(islice(lines, layout.header_row - 1, None), None)
    if heading is None:
        raise refused(gatherer.name, f"it has no row {layout.header_row} that could name the columns")
    gatherer.take_heading(heading)
    for cells in lines:
        if head is not None and len(gatherer.wide) >= head:
            return
        gatherer.take_row(cells)


def _says(cell: str) -> bool:
    return bool(cell) and not cell.isspace()


def cell_text(text: str) -> str | None:
    """Trim a cell; the apostrophe that a safe download put before it goes, and an empty text is none."""
    return plain_cell(text.strip()) or None


def chosen_name(name: str, kind: str, have: Sequence[str], wanted: str | None) -> str:
    """Choose a sheet or layer: the one that is wanted, else the first."""
    if not have:
        raise refused(name, f"it has no {kind}")
    if wanted is None:
        return have[0]
    if wanted not in have:
        raise refused(name, f"it has no {kind} {wanted!r}; it has {', '.join(have)}")
    return wanted


def first_line(error: BaseException) -> str:
    """Say an error of a library in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def as_text(value: object) -> str:
    """Write a value as a person would: no decimals where there are none, times as 2026-01-31 14:05:00."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (date, time)):
        return value.isoformat().replace("T", " ")
    return json.dumps(value, default=str) if isinstance(value, (dict, list)) else str(value)


def decoded(content: bytes, encoding: str, name: str) -> tuple[str, str]:
    """Read bytes as text and say in which encoding they were: the first that fits."""
    if not content.strip():
        raise refused(name, "it is empty")
    tried = ("utf-8", "cp1252") if encoding == "auto" else (encoding,)
    if encoding == "auto" and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tried = ("utf-16",)
    for codec in tried:
        try:
            text = content.decode("utf-8-sig" if codec == "utf-8" else codec)
        except UnicodeError:
            continue
        if "\0" in text:
            raise refused(name, "it is no text; save the table as CSV (UTF-8)")
        return text, codec
    raise refused(name, f"it is not text in {' or '.join(tried)}; save the table as CSV (UTF-8)")
