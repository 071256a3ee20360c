"""Read a dataset of a portal page by page: no row lost or doubled, and a break costs one page at most."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from types import TracebackType
from typing import Any, Self

from data.http import PoliteSession
from errors import (
    Faults,
    InvalidInputError,
    PortalColumnsError,
    PortalError,
    PortalMovedError,
    PortalRefusedError,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column as the portal names it: name for questions, the portal's type, title for people."""

    name: str
    type: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What a portal says of a dataset at one moment.

    Attributes
    ----------
    dataset_id, title, columns
        What it is.
    n_rows
        How many rows it has.
    newest
        When a row was last added or changed, as the portal writes it; None where it keeps no such time.
    stamp
        Whatever else the portal says that changes with the rows.
    key, edited
        Columns with a row's own key and with the time of its last change, None where there is no such time.
    most_rows
        Most rows that the portal gives in one answer, None where it sets no limit.
    """

    dataset_id: str
    title: str
    columns: tuple[Column, ...]
    n_rows: int
    newest: str | None
    stamp: str
    key: str
    edited: str | None
    most_rows: int | None = None

    @property
    def as_of(self) -> str:
        """A short text that differs as soon as rows or columns do."""
        return _digest([self.n_rows, self.newest, self.stamp, [asdict(column) for column in self.columns]])


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which rows and columns of a dataset are asked for, in which order, how many a page.

    ``order`` is None for the order of the rows' own keys, which is the only one that pages by key.
    """

    dataset_id: str
    where: str | None
    columns: tuple[str, ...]
    order: str | None
    page_rows: int

    @property
    def checksum(self) -> str:
        """A short text that differs when other rows or columns are asked for; the size of a page is free."""
        return _digest([self.dataset_id, self.where, self.columns, self.order])


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where reading stands. Can be stored as text and taken up by another run.

    Attributes
    ----------
    source
        Address of the portal and id of the dataset.
    question
        Checksum of what was asked.
    as_of
        State of the dataset, columns included, when the first page was read.
    newest
        The dataset's own newest time then: what comes later is asked for from here.
    last_key
        Key of the last row read, None before the first.
    n_read
        Rows read so far.
    by_offset
        Whether pages are counted, not found by key.
    """

    source: str
    question: str
    as_of: str
    newest: str | None
    last_key: str | None = None
    n_read: int = 0
    by_offset: bool = False

    def to_json(self) -> str:
        """Write the cursor as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Cursor":
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidInputError
            The text is no cursor.
        """
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        known = {field.name for field in fields(cls)}
        if not isinstance(told, dict) or told.keys() != known or not isinstance(told["n_read"], int):
            raise InvalidInputError(
                "The stored place in the dataset cannot be read; start from the beginning"
            )
        return cls(**told)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some rows, and where reading stands after them.

    On the last page (it may be empty) ``settled`` says whether the dataset was the same from the first page
    to the last; before it, ``settled`` is None.
    """

    rows: tuple[Row, ...]
    cursor: Cursor
    is_last: bool
    settled: bool | None


@dataclass(frozen=True)
class Batch:
    """Rows as one answer gave them, and whether there may be more."""

    rows: Sequence[Row]
    more: bool


class PagedClient(ABC):
    """What the clients of all portals share: reading page by page.

    Pages are found by key: "the rows whose key is above the last one read". A row that stays in the dataset
    then comes exactly once, whatever is added, changed or removed meanwhile; counted pages (``offset``)
    would lose a row for each one removed before them. Where a portal refuses to compare keys, pages are
    counted, and each begins with the last row of the one before: if that row has moved, `PortalMovedError`
    says so.
    """

    def __init__(self, session: PoliteSession, page_rows: int) -> None:
        self._session = session
        self.address = session.address
        self.page_rows = page_rows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r})"

    def __enter__(self) -> Self:
        """Begin asking."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._session.close()

    @abstractmethod
    def describe(self, dataset_id: str) -> Dataset:
        """Ask what the dataset is and in which state."""

    @abstractmethod
    def count(self, dataset_id: str, where: str | None = None) -> int:
        """Ask how many rows there are."""

    @abstractmethod
    def since(self, dataset: Dataset, newest: str) -> str | None:
        """Give the filter for rows added or changed at ``newest`` or later; None where there is none."""

    @abstractmethod
    def _batch(
        self, dataset: Dataset, question: Question, *, after: str | None, offset: int, limit: int
    ) -> Batch:
        """Ask for one page: rows whose key is above ``after``, or those from ``offset`` on."""

    def key_of(self, dataset: Dataset, row: Row) -> str | None:
        """Give the key by which the portal tells a row from all others; None where a row has none."""
        key = row.get(dataset.key)
        return str(key) if isinstance(key, (str, int)) and not isinstance(key, bool) else None

    def columns(self, dataset_id: str) -> tuple[Column, ...]:
        """Ask which columns the dataset has."""
        return self.describe(dataset_id).columns

    def rows(
        self,
        dataset_id: str,
        *,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        order: str | None = None,
        page_rows: int | None = None,
        after: Cursor | None = None,
    ) -> Iterator[Page]:
        """Read rows page by page.

        Parameters
        ----------
        dataset_id
            The dataset, as the portal names it.
        where
            Filter in the portal's own words.
        columns
            Columns to ask for, all when None, only the rows' keys when empty. Ask only for what is used:
            what is not asked for, such as names of owners, never leaves the portal.
        order
            Another order than that of the rows' keys; pages are then counted.
        page_rows
            Rows a page.
        after
            Where an earlier reading of the same question stopped.

        Yields
        ------
        page
            At least one; the last has ``is_last``.

        Raises
        ------
        PortalColumnsError
            The dataset lacks columns that were asked for.
        PortalMovedError
            The dataset is not the one in which ``after`` stood, its rows moved under counted pages, or it
            stood still and gave other than its own number of rows.
        PortalUnavailableError, PortalRefusedError
            No answer, or none that can be used.
        """
        yield from self.read(
            self.describe(dataset_id),
            where=where,
            columns=columns,
            order=order,
            page_rows=page_rows,
            after=after,
        )

    def read(
        self,
        dataset: Dataset,
        *,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        order: str | None = None,
        page_rows: int | None = None,
        after: Cursor | None = None,
    ) -> Iterator[Page]:
        """Read rows of a dataset that was just described; otherwise as `rows`."""
        question = self._question(dataset, where, columns, order, page_rows or self.page_rows)
        cursor = self._begin(dataset, question, after)
        seen: set[str] = set()
        while True:
            fresh, cursor, more = self._turn(dataset, question, cursor)
            keys = [self.key_of(dataset, row) for row in fresh]
            if len(set(keys)) < len(keys) or not seen.isdisjoint(keys):
                raise PortalMovedError(f"{cursor.source} gave a row twice; read it again from the beginning")
            seen.update(key for key in keys if key is not None)
            if keys:
                cursor = replace(cursor, last_key=keys[-1], n_read=cursor.n_read + len(keys))
            if not more:
                settled = self.describe(dataset.dataset_id).as_of == cursor.as_of
                if settled:
                    self._check_sum(dataset, where, cursor)
                yield Page(rows=tuple(fresh), cursor=cursor, is_last=True, settled=settled)
                return
            yield Page(rows=tuple(fresh), cursor=cursor, is_last=False, settled=None)

    def _question(
        self,
        dataset: Dataset,
        where: str | None,
        columns: Sequence[str] | None,
        order: str | None,
        page_rows: int,
    ) -> Question:
        if page_rows < 1:
            raise InvalidInputError(f"A page holds at least one row, not {page_rows}")
        found = [column.name for column in dataset.columns]
        asked = tuple(dict.fromkeys(found if columns is None else columns))
        absent = [name for name in asked if name not in found]
        if absent:
            raise PortalColumnsError(
                f"{self.address} {dataset.dataset_id} ({dataset.title}) lacks the columns "
                f"{', '.join(absent)}; it has {', '.join(found)}"
            )
        return Question(
            dataset_id=dataset.dataset_id, where=where, columns=asked, order=order, page_rows=page_rows
        )

    def _begin(self, dataset: Dataset, question: Question, after: Cursor | None) -> Cursor:
        start = Cursor(
            source=f"{self.address} {dataset.dataset_id}",
            question=question.checksum,
            as_of=dataset.as_of,
            newest=dataset.newest,
            by_offset=question.order is not None,
        )
        if after is None:
            return start
        if (after.source, after.question) != (start.source, start.question):
            raise InvalidInputError(
                f"The stored place is one in {after.source}, in other rows or columns; start from the "
                "beginning"
            )
        if after.as_of != start.as_of:
            raise PortalMovedError(
                f"{start.source} has changed since reading it was broken off; read it again from the "
                "beginning"
            )
        return after

    def _turn(
        self, dataset: Dataset, question: Question, cursor: Cursor
    ) -> tuple[Sequence[Row], Cursor, bool]:
        if not cursor.by_offset:
            try:
                batch = self._batch(
                    dataset, question, after=cursor.last_key, offset=0, limit=question.page_rows
                )
            except PortalRefusedError:
                # The first page compares no keys: what was refused there is the question itself.
                if cursor.last_key is None:
                    raise
                cursor = replace(cursor, by_offset=True)
            else:
                self._check(dataset, batch)
                return batch.rows, cursor, batch.more
        overlap = min(cursor.n_read, 1)
        batch = self._batch(
            dataset,
            question,
            after=None,
            offset=cursor.n_read - overlap,
            limit=question.page_rows + overlap,
        )
        self._check(dataset, batch)
        if overlap and (not batch.rows or self.key_of(dataset, batch.rows[0]) != cursor.last_key):
            raise PortalMovedError(
                f"The rows of {cursor.source} moved while they were read; read it again from the beginning"
            )
        return batch.rows[overlap:], cursor, batch.more and len(batch.rows) > overlap

    def _check_sum(self, dataset: Dataset, where: str | None, cursor: Cursor) -> None:
        n_rows = dataset.n_rows if where is None else self.count(dataset.dataset_id, where)
        if cursor.n_read != n_rows:
            raise PortalMovedError(
                f"{cursor.source} gave {cursor.n_read:,} of its {n_rows:,} rows; read it again from "
                "the beginning"
            )

    def _check(self, dataset: Dataset, batch: Batch) -> None:
        if any(not isinstance(row, dict) or self.key_of(dataset, row) is None for row in batch.rows):
            raise PortalRefusedError(
                f"{self.address} {dataset.dataset_id} gave rows without their key; it cannot be read by pages"
            )


def check_datasets(client: PagedClient, wanted: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Dataset]:
    """Ask for the columns of several datasets and name all faults together.

    Parameters
    ----------
    client
        The portal.
    wanted
        Per dataset id the columns it must have, each as its possible names, of which one is enough.

    Returns
    -------
    datasets
        By id.

    Raises
    ------
    PortalColumnsError
        Datasets are missing or answer with other columns: every one is named, with what was expected and
        what was found.
    """
    faults = Faults()
    found: dict[str, Dataset] = {}
    for dataset_id, groups in wanted.items():
        try:
            dataset = client.describe(dataset_id)
        except PortalError as error:
            faults.add(str(error))
            continue
        found[dataset_id] = dataset
        names = {column.name.casefold() for column in dataset.columns}
        absent = [" or ".join(group) for group in groups if not names & {name.casefold() for name in group}]
        faults.check(
            not absent,
            f"{dataset_id} answers with other columns than expected ({dataset.title}): expected "
            f"{', '.join(absent)}; found {', '.join(column.name for column in dataset.columns) or 'none'}",
        )
    faults.raise_as(PortalColumnsError, f"{client.address} cannot be read as expected")
    return found


def quoted(text: str) -> str:
    """Write a text as SoQL and SQL do: in single quotes, those within it doubled."""
    return "'" + text.replace("'", "''") + "'"


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
