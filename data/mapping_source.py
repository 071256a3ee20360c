"""Read a city's own file as it is: CSV, XLSX, GeoPackage or GeoJSON, every cell as text.

Nothing is interpreted here, and no row is dropped but blank ones (no cell says anything) and the explaining
line of a template; both are counted. Files come from people: how much is read is limited, archives and XML
are looked through before they are unpacked, and the name of a file cannot lead out of its folder.
"""

import csv
import io
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from data.mapping import Layout
from data.mapping_books import read_workbook
from data.mapping_cells import LIMITS, Gatherer, Limits, SourceTable, decoded, gather, refused
from data.mapping_layers import read_geojson, read_geopackage
from errors import ImportSourceError, InvalidInputError

_TEXT_FILES = (".csv", ".txt", ".tsv")
SUFFIXES = (*_TEXT_FILES, ".xlsx", ".gpkg", ".geojson", ".json")
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_LINES_TO_TELL = 50


def file_inside(folder: Path, name: str) -> Path:
    """Give the path of a file that lies directly in a folder, whatever its name says.

    Raises
    ------
    InvalidInputError
        The name is none of a file there, or is a link that leads elsewhere.
    """
    home = folder.resolve()
    odd = not name or name in {".", ".."} or any(sign in "/\\:" or ord(sign) < 32 for sign in name)
    path = home if odd else (home / name).resolve()
    if odd or path.parent != home:
        raise InvalidInputError(f"{name!r} is no name of a file in the folder; give a name without folders")
    return path


def keep_upload(folder: Path, name: str, content: bytes, *, limits: Limits = LIMITS) -> Path:
    """Write an uploaded file into a folder under its own name, and give its path.

    Raises
    ------
    InvalidInputError
        The name leads out of the folder, or is of no kind that can be read; or the file is too large.
    """
    path = file_inside(folder, name)
    _check_kind(path.suffix.lower(), name)
    _check_size(len(content), name, limits)
    path.write_bytes(content)
    return path


def read_source(
    path: Path,
    layout: Layout | None = None,
    *,
    only: Collection[str] | None = None,
    head: int | None = None,
    limits: Limits = LIMITS,
) -> SourceTable:
    """Read a file.

    Parameters
    ----------
    path
        CSV, XLSX, GeoPackage or GeoJSON, told by the end of its name and checked by its content.
    layout
        Sheet or layer, row of the heading, encoding and delimiter.
    only
        Columns to keep; all when None. One that the file lacks is a fault.
    head
        Read so many rows from the top only.
    limits
        How much to read at most.

    Raises
    ------
    ImportSourceError
        The file cannot be read, is too large, or lacks a column; the text says what to do.
    """
    layout = layout or Layout()
    suffix = path.suffix.lower()
    try:
        _check_kind(suffix, path.name)
        _check_size(path.stat().st_size, path.name, limits)
        if suffix in _TEXT_FILES:
            return _read_text(path, layout, only, head, limits)
        if suffix == ".xlsx":
            return read_workbook(path, layout, only, head, limits)
        if suffix == ".gpkg":
            return read_geopackage(path, layout, only, head, limits)
        return read_geojson(path, only, head, limits)
    except (OSError, InvalidInputError) as error:
        raise ImportSourceError(f"{path.name} cannot be read: {error}") from error


def _check_kind(suffix: str, name: str) -> None:
    if suffix not in SUFFIXES:
        msg = f"{name}: files can be {', '.join(SUFFIXES)}; save the table as one of these"
        raise InvalidInputError(msg)


def _check_size(n_bytes: int, name: str, limits: Limits) -> None:
    if n_bytes > limits.file_bytes:
        most = limits.file_bytes / 1024**2
        msg = f"{name} has {n_bytes / 1024**2:,.0f} MB, more than {most:,.0f}; import it in parts"
        raise InvalidInputError(msg)


def _read_text(
    path: Path, layout: Layout, only: Collection[str] | None, head: int | None, limits: Limits
) -> SourceTable:
    text, encoding = decoded(path.read_bytes(), layout.encoding, path.name)
    delimiter = layout.delimiter if layout.delimiter != "auto" else _told_delimiter(text, layout.header_row)
    gatherer = Gatherer(path.name, only, limits)
    gather(_csv_rows(text, _DELIMITERS[delimiter], path.name), gatherer, layout, head)
    return gatherer.table(f"CSV, {encoding}, separated by {delimiter}")


def _told_delimiter(text: str, header_row: int) -> str:
    """Choose the delimiter that cuts the heading and most lines below it into the same number of cells."""
    sample = "".join(islice(io.StringIO(text, newline=""), header_row + _LINES_TO_TELL))
    best, best_score = "comma", (0.0, 0)
    for name, sign in _DELIMITERS.items():
        try:
            widths = [len(cells) for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=sign)]
        except csv.Error:  # reading the whole says what is wrong
            continue
        heading, *below = widths[header_row - 1 :] or [0]
        score = (below.count(heading) / max(len(below), 1), heading)
        if heading > 1 and (best_score[1] == 0 or score > best_score):
            best, best_score = name, score
    return best


def _csv_rows(text: str, delimiter: str, name: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    begins = 0
    last: list[str] = []
    while True:
        line = reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise refused(
                name,
                f"near line {line + 1} a cell does not end ({error}): a quotation mark is not closed, or a "
                "shape is too large for a CSV and belongs in a GeoPackage",
            ) from error
        if cells is None:
            break
        begins, last = line, cells
        yield cells
    if any("\n" in cell or "\r" in cell for cell in last):
        _check_closed(text, begins, delimiter, name)


def _check_closed(text: str, begins: int, delimiter: str, name: str) -> None:
    """Refuse a file whose last cell swallowed the rest because its quotation mark is not closed."""
    rest = islice(io.StringIO(text, newline=""), begins, None)
    try:
        next(csv.reader(rest, delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            msg = f"a quotation mark opens in line {begins + 1} or after it and is not closed"
            raise refused(name, msg) from error
