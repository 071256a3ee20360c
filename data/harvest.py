"""Bring in a whole dataset, or what is new in it: again until it stood still, and across breaks."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from data.paging import Cursor, Dataset, Page, PagedClient, Row
from errors import InvalidInputError, PortalMovedError, PortalUnavailableError

ROUNDS = 3
_CURSOR = "cursor.json"


@dataclass(frozen=True)
class Mark:
    """State of a dataset when it was last brought in; can be stored as text."""

    as_of: str
    newest: str | None
    columns: tuple[str, ...]

    def to_json(self) -> str:
        """Write the mark as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Mark":
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidInputError
            The text is no mark.
        """
        try:
            told = json.loads(text)
            if told.keys() == {field.name for field in fields(cls)}:
                return cls(told["as_of"], told["newest"], tuple(told["columns"]))
        except (ValueError, AttributeError, TypeError):
            pass
        raise InvalidInputError("The stored state of the dataset cannot be read; fetch it whole")


@dataclass(frozen=True, kw_only=True)
class Harvest:
    """The rows of a dataset, each once, and what changed.

    Attributes
    ----------
    dataset
        What the portal says of it.
    rows
        Rows by the portal's key.
    mark
        To be given to the next `refresh`.
    added, changed, gone
        Keys of rows that differ from those at hand before: for `harvest` those of the reading before, when
        rows changed while they were read; for `refresh` those given to it.
    settled
        Whether the dataset stood still while it was read. If not, every row that stayed is here once, and one
        that came, went or changed during the last reading may be here as it was before or after.
    """

    dataset: Dataset
    rows: Mapping[str, Row]
    mark: Mark
    added: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    settled: bool


def harvest(
    client: PagedClient,
    dataset_id: str,
    *,
    where: str | None = None,
    columns: Sequence[str] | None = None,
    keep: Path | None = None,
    rounds: int = ROUNDS,
) -> Harvest:
    """Read a dataset whole.

    If it changes meanwhile it is read again, so that no row is lost, doubled or of mixed times; after
    ``rounds`` readings the last one is taken and ``settled`` is False.

    Parameters
    ----------
    client, dataset_id, where, columns
        As for `PagedClient.rows`.
    keep
        A folder of this dataset's own for pages already read. A reading that breaks off goes on from there,
        if the dataset has not changed since. It is removed when all is read.
    rounds
        Most readings.

    Raises
    ------
    PortalUnavailableError, PortalRefusedError, PortalColumnsError
        As `PagedClient.rows`; also when the rows move in every reading.
    """
    before: dict[str, str] | None = None
    for turn in range(1, rounds + 1):
        dataset = client.describe(dataset_id)
        try:
            rows, settled = _one_reading(client, dataset, where, columns, keep)
        except PortalMovedError:
            continue
        if settled or turn == rounds:
            if keep is not None:
                shutil.rmtree(keep, ignore_errors=True)
            return _harvest(dataset, rows, before, settled=settled, columns=columns)
        before = _digests(rows)
    raise PortalUnavailableError(
        f"The rows of {client.address} {dataset_id} moved in each of {rounds} readings; try again at a "
        "quieter hour"
    )


def refresh(
    client: PagedClient,
    dataset_id: str,
    have: Mapping[str, Row],
    mark: Mark,
    *,
    where: str | None = None,
    columns: Sequence[str] | None = None,
) -> Harvest:
    """Bring rows at hand up to date, asking only for what is new where the portal can tell.

    Rows added or changed are asked for by the portal's own times. If there are then more rows than the portal
    has, some were removed: all keys, and nothing but keys, are asked for to find them. Where columns changed,
    or the portal keeps no such times, the dataset is read whole.

    Parameters
    ----------
    client, dataset_id, where, columns
        As for `PagedClient.rows`; the same question as before.
    have
        Rows at hand, by key.
    mark
        State of the dataset when they were read.
    """
    dataset = client.describe(dataset_id)
    at_hand = _digests(have)
    if dataset.as_of == mark.as_of:
        return _harvest(dataset, dict(have), at_hand, settled=True, columns=columns)
    newer = None if mark.newest is None else client.since(dataset, mark.newest)
    if newer is not None and _names(dataset, columns) == mark.columns:
        rows = _brought_up_to_date(client, dataset, have, where=where, newer=newer, columns=columns)
        if rows is not None:
            return _harvest(dataset, rows, at_hand, settled=True, columns=columns)
    whole = harvest(client, dataset_id, where=where, columns=columns)
    return _harvest(whole.dataset, dict(whole.rows), at_hand, settled=whole.settled, columns=columns)


def _brought_up_to_date(
    client: PagedClient,
    dataset: Dataset,
    have: Mapping[str, Row],
    *,
    where: str | None,
    newer: str,
    columns: Sequence[str] | None,
) -> dict[str, Row] | None:
    """Give the rows of now; None where the dataset did not stand still, so that they cannot be told."""
    try:
        fresh, settled = _one_reading(
            client, dataset, f"({where}) AND {newer}" if where else newer, columns, None
        )
        rows = {**have, **fresh}
        n_rows = client.count(dataset.dataset_id, where) if where else dataset.n_rows
        if settled and len(rows) != n_rows:
            keys, settled = _one_reading(client, dataset, where, (), None)
            rows = {key: row for key, row in rows.items() if key in keys}
    except PortalMovedError:
        return None
    return rows if settled and len(rows) == n_rows else None


def _one_reading(
    client: PagedClient,
    dataset: Dataset,
    where: str | None,
    columns: Sequence[str] | None,
    keep: Path | None,
) -> tuple[dict[str, Row], bool]:
    rows: dict[str, Row] = {}
    after, n_parts = None, 0
    if keep is not None:
        rows, after, n_parts = _taken_up(client, dataset, keep)
    pages = client.read(dataset, where=where, columns=columns, after=after)
    try:
        for page in pages:
            rows.update(_keyed(client, dataset, page.rows))
            if keep is not None:
                n_parts += 1
                _store(keep, page, n_parts)
            if page.is_last:
                return rows, bool(page.settled)
    except (PortalMovedError, InvalidInputError):
        if keep is None or after is None:
            raise
        shutil.rmtree(keep)
        return _one_reading(client, dataset, where, columns, keep)
    raise PortalUnavailableError(f"{client.address} {dataset.dataset_id} gave no last page")


def _taken_up(client: PagedClient, dataset: Dataset, keep: Path) -> tuple[dict[str, Row], Cursor | None, int]:
    """Give the rows, the place and the number of pages that an earlier reading left."""
    try:
        told = json.loads((keep / _CURSOR).read_text(encoding="utf-8"))
        cursor = Cursor.from_json(json.dumps(told["cursor"]))
        rows: dict[str, Row] = {}
        for number in range(1, told["n_parts"] + 1):
            part = json.loads(_part(keep, number).read_text(encoding="utf-8"))
            rows.update(_keyed(client, dataset, part))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        shutil.rmtree(keep, ignore_errors=True)
        return {}, None, 0
    return rows, cursor, told["n_parts"]


def _store(keep: Path, page: Page, number: int) -> None:
    """Write a page, then the place after it: a break between the two costs the page, nothing else."""
    keep.mkdir(parents=True, exist_ok=True)
    _write_whole(_part(keep, number), json.dumps(page.rows))
    state = {"cursor": json.loads(page.cursor.to_json()), "n_parts": number}
    _write_whole(keep / _CURSOR, json.dumps(state, sort_keys=True))


def _write_whole(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def _part(keep: Path, number: int) -> Path:
    return keep / f"page-{number:06d}.json"


def _keyed(client: PagedClient, dataset: Dataset, rows: Sequence[Row]) -> dict[str, Row]:
    return {str(client.key_of(dataset, row)): row for row in rows}


def _harvest(
    dataset: Dataset,
    rows: dict[str, Row],
    before: Mapping[str, str] | None,
    *,
    settled: bool,
    columns: Sequence[str] | None,
) -> Harvest:
    now = {} if before is None else _digests(rows)
    old = before or {}
    return Harvest(
        dataset=dataset,
        rows=rows,
        mark=Mark(dataset.as_of, dataset.newest, _names(dataset, columns)),
        added=tuple(key for key in now if key not in old),
        changed=tuple(key for key, digest in now.items() if old.get(key, digest) != digest),
        gone=tuple(key for key in old if key not in rows),
        settled=settled,
    )


def _names(dataset: Dataset, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Name the columns asked for with their types: rows of other columns cannot be mixed with them."""
    return tuple(
        f"{column.name} {column.type}"
        for column in dataset.columns
        if columns is None or column.name in columns
    )


def _digests(rows: Mapping[str, Row]) -> dict[str, str]:
    return {
        key: hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]
        for key, row in rows.items()
    }
