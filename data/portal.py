"""Client of open-data portals that speak SODA, such as data.nola.gov."""

import os
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from data.http import Manners, PoliteSession, portal_fault
from data.paging import Batch, Column, Dataset, PagedClient, Question, quoted
from errors import InvalidInputError

TOKEN_VARIABLE = "CRESCENT_SODA_TOKEN"  # noqa: S105 - a name, not a token
TOKEN_HEADER = "X-App-Token"  # noqa: S105 - a name, not a token

_DATASET_ID = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")
_FIELD = re.compile(r"[a-z_][a-z0-9_]*")
_DATE_TYPES = frozenset({"calendar_date", "floating_timestamp"})
_KEY = ":id"
_EDITED = ":updated_at"


class SodaClient(PagedClient):
    """Ask a portal for datasets by SODA 2.1.

    Rows carry ``:id``, the portal's own key, and ``:updated_at``, when the row was last changed. Columns
    without a value are absent from a row.

    Parameters
    ----------
    domain
        Such as ``data.nola.gov``.
    app_token
        Without one the portal shares out a small allowance among all who ask. None takes the token from the
        environment (CRESCENT_SODA_TOKEN), where there is one; an empty text asks without.
    page_rows
        Rows a page.
    manners
        Waits, timeouts and limits.

    Notes
    -----
    SODA: https://dev.socrata.com/docs/paging, /docs/queries, /docs/system-fields.

    Examples
    --------
    >>> with SodaClient("data.nola.gov") as client:  # doctest: +SKIP
    ...     for page in client.rows("nci8-thrr", columns=("nopd_item", "timecreate")):
    ...         store(page.rows, page.cursor.to_json())
    """

    def __init__(
        self,
        domain: str,
        app_token: str | None = None,
        *,
        page_rows: int = 25_000,
        manners: Manners | None = None,
    ) -> None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip() if app_token is None else app_token.strip()
        session = PoliteSession(
            domain, secret_header=(TOKEN_HEADER, token) if token else None, manners=manners
        )
        super().__init__(session, page_rows)

    def describe(self, dataset_id: str) -> Dataset:
        """Ask what the dataset is: its columns, how many rows, and when they last changed."""
        path = f"/api/views/{_checked_id(dataset_id)}.json"
        told = self._session.get_json(path, {}).payload
        listed = told.get("columns") if isinstance(told, dict) else None
        if not isinstance(listed, list) or not all(map(_is_column, listed)):
            raise portal_fault(self._session, path, "a description without columns")
        columns = tuple(
            Column(column["fieldName"], column["dataTypeName"], str(column.get("name", "")))
            for column in listed
            if _FIELD.fullmatch(column["fieldName"])
        )
        totals = self._totals(dataset_id, "count(*) as n_rows,max(:updated_at) as newest", None)
        newest = totals.get("newest")
        return Dataset(
            dataset_id=dataset_id,
            title=str(told.get("name", "")),
            columns=columns,
            n_rows=self._whole(dataset_id, totals.get("n_rows")),
            newest=newest if isinstance(newest, str) else None,
            stamp=str(told.get("rowsUpdatedAt", "")),
            key=_KEY,
            edited=_EDITED,
        )

    def count(self, dataset_id: str, where: str | None = None) -> int:
        """Ask how many rows there are."""
        return self._whole(dataset_id, self._totals(dataset_id, "count(*) as n_rows", where).get("n_rows"))

    def since(self, dataset: Dataset, newest: str) -> str | None:
        """Give the filter for rows added or changed at ``newest`` or later."""
        del dataset
        return f":updated_at >= {quoted(newest)}"

    def _batch(
        self, dataset: Dataset, question: Question, *, after: str | None, offset: int, limit: int
    ) -> Batch:
        filters = [f"({question.where})"] if question.where else []
        if after is not None:
            filters.append(f":id > {quoted(after)}")
        params = {
            "$select": ",".join((_KEY, _EDITED, *question.columns)),
            "$order": ":id" if question.order is None else f"{question.order},:id",
            "$limit": str(limit),
        }
        if filters:
            params["$where"] = " AND ".join(filters)
        if offset:
            params["$offset"] = str(offset)
        path = _resource(dataset.dataset_id)
        rows = self._session.get_json(path, params).payload
        if not isinstance(rows, list):
            raise portal_fault(self._session, path, "no list of rows")
        # A portal may give fewer rows than asked for; only a page without any is the end.
        return Batch(rows, more=bool(rows))

    def _totals(self, dataset_id: str, select: str, where: str | None) -> Mapping[str, Any]:
        path = _resource(_checked_id(dataset_id))
        params = {"$select": select} | ({"$where": where} if where else {})
        told = self._session.get_json(path, params).payload
        if not isinstance(told, list) or len(told) != 1 or not isinstance(told[0], dict):
            raise portal_fault(self._session, path, "no single row of totals")
        return told[0]

    def _whole(self, dataset_id: str, value: object) -> int:
        if not str(value).isdecimal():
            raise portal_fault(self._session, _resource(dataset_id), "no number of rows")
        return int(str(value))


def soql_between(column: Column, start: datetime, end: datetime) -> str:
    """Filter for times from ``start`` up to but not at ``end``.

    Parameters
    ----------
    column
        A column of times. In some years times are text ("1/9/2026 22:10"), which does not sort as time does:
        such a year must be read whole.
    start, end
        Wall-clock times of the city: SODA's calendar dates know no zone.

    Raises
    ------
    InvalidInputError
        The column holds no times, or the times carry a zone or are in the wrong order.
    """
    if column.type not in _DATE_TYPES:
        raise InvalidInputError(f"{column.name} holds {column.type}, no times: it cannot be filtered by time")
    if start.tzinfo is not None or end.tzinfo is not None or not start < end:
        raise InvalidInputError("Filter by two wall-clock times of the city, the earlier one first")
    first, last = (moment.isoformat(timespec="milliseconds") for moment in (start, end))
    return f"{column.name} >= '{first}' AND {column.name} < '{last}'"


def _checked_id(dataset_id: str) -> str:
    if not _DATASET_ID.fullmatch(dataset_id):
        raise InvalidInputError(f"{dataset_id!r} is no id of a dataset; write it like nci8-thrr")
    return dataset_id


def _resource(dataset_id: str) -> str:
    return f"/resource/{dataset_id}.json"


def _is_column(told: object) -> bool:
    return (
        isinstance(told, dict)
        and isinstance(told.get("fieldName"), str)
        and isinstance(told.get("dataTypeName"), str)
    )
