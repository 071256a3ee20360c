"""Read a sheet of an XLSX workbook as text, after looking through the archive."""

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from data.mapping import Layout
from data.mapping_cells import (
    Gatherer,
    Limits,
    SourceTable,
    as_text,
    chosen_name,
    first_line,
    gather,
    refused,
)


def read_workbook(
    path: Path, layout: Layout, only: Collection[str] | None, head: int | None, limits: Limits
) -> SourceTable:
    """Read one sheet of a workbook."""
    _check_archive(path, limits)
    import openpyxl

    gatherer = Gatherer(path.name, only, limits)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # openpyxl lets every error of a torn workbook through
        raise refused(path.name, f"it is no workbook ({first_line(error)})") from error
    try:
        sheets = [sheet.title for sheet in book.worksheets]
        chosen = chosen_name(path.name, "sheet", sheets, layout.sheet)
        gather(_sheet_rows(book[chosen], path.name, limits), gatherer, layout, head)
    finally:
        book.close()
    return gatherer.table(f"XLSX, sheet {chosen}", sheets)


def _sheet_rows(sheet: Any, name: str, limits: Limits) -> Iterator[list[str]]:  # noqa: ANN401
    sheet.reset_dimensions()  # what a sheet says of its size need not be so
    rows = sheet.iter_rows(values_only=True)
    lines = 0
    while True:
        try:
            cells = next(rows, None)
        except Exception as error:  # as above
            raise refused(name, f"row {lines + 1} of the sheet is torn ({first_line(error)})") from error
        if cells is None:
            return
        lines += 1
        if lines > 2 * limits.rows:
            raise refused(name, f"the sheet has more than {limits.rows:,} rows")
        width = next((place for place in range(len(cells), 0, -1) if cells[place - 1] is not None), 0)
        if width > limits.columns:  # what is out there makes the row too wide; how wide does not matter
            cells = (*cells[: limits.columns], cells[width - 1])
            width = len(cells)
        yield [as_text(value) for value in cells[:width]]


def _check_archive(path: Path, limits: Limits) -> None:
    """Refuse archives that unpack to too much, and XML that declares entities, before they are unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > limits.unpacked_bytes or len(members) > 10_000:
                most = limits.unpacked_bytes / 1024**2
                raise refused(path.name, f"it unpacks to more than {most:,.0f} MB; save the table as CSV")
            for member in members:
                if member.filename.endswith((".xml", ".rels")):
                    with archive.open(member) as part:
                        _check_no_entities(part, path.name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise refused(path.name, f"it is no workbook ({first_line(error)}); save it as .xlsx") from error


class _RootReached(Exception):  # noqa: N818
    """The declarations are over."""


def _check_no_entities(part: Any, name: str) -> None:  # noqa: ANN401
    parser = expat.ParserCreate()

    def declares(*_: object) -> None:
        raise refused(name, "it declares XML entities, which no spreadsheet writes; save it anew")

    def reached(*_: object) -> None:
        raise _RootReached

    parser.StartDoctypeDeclHandler = declares
    parser.StartElementHandler = reached
    try:
        while chunk := part.read(65_536):
            parser.Parse(chunk, False)  # noqa: FBT003
    except _RootReached:
        return
    except (expat.ExpatError, zipfile.BadZipFile) as error:
        raise refused(name, f"its parts are torn ({first_line(error)})") from error
