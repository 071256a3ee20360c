"""Client of layers that ArcGIS publishes as a FeatureServer (or MapServer)."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from data.http import Manners, PassingFaultError, PoliteSession, portal_fault
from data.paging import Batch, Column, Dataset, PagedClient, Question, Row
from errors import InvalidInputError, PortalRefusedError

OBJECT_ID = "esriFieldTypeOID"
DATE = "esriFieldTypeDate"
_LAYER = re.compile(r"(?:[A-Za-z0-9_.-]+/)*(?:FeatureServer|MapServer)/\d+")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PASSING_CODES = frozenset({429, 500, 502, 503, 504})
_LOGIN_CODES = frozenset({401, 403, 498, 499})


class FeatureServerClient(PagedClient):
    """Ask a server for the features of its layers.

    A dataset is a layer, such as ``Police/Calls/FeatureServer/0``. A row holds the feature's attributes;
    times come as ISO 8601 in UTC, a point under ``geometry`` as GeoJSON in EPSG:4326, other shapes as the
    server gives them.

    Parameters
    ----------
    address
        Up to and with ``rest/services``, such as ``https://services.arcgis.com/abc/arcgis/rest/services``.
    page_rows
        Rows a page; the server's own limit holds where it is lower.
    manners
        Waits, timeouts and limits.

    Notes
    -----
    ArcGIS REST API, "Query (Feature Service/Layer)". The server tells most faults with status 200 and an
    ``error`` in the answer. A layer that keeps no time of edits shows only that its
    number of rows has changed.
    """

    def __init__(self, address: str, *, page_rows: int = 2000, manners: Manners | None = None) -> None:
        super().__init__(PoliteSession(address, manners=manners), page_rows)

    def describe(self, dataset_id: str) -> Dataset:
        """Ask what the layer is: its columns, how many rows, and when they were last edited."""
        path = f"/{_checked_layer(dataset_id)}"
        told = self._session.get_json(path, {"f": "json"}, check=self._raise_told_fault(path)).payload
        listed = told.get("fields") if isinstance(told, dict) else None
        if not isinstance(listed, list):
            raise portal_fault(self._session, path, "a layer without fields")
        columns = tuple(
            Column(field["name"], str(field.get("type", "")), str(field.get("alias") or field["name"]))
            for field in listed
            if isinstance(field, dict) and _FIELD.fullmatch(str(field.get("name", "")))
        )
        ids = [column.name for column in columns if column.type == OBJECT_ID]
        if len(ids) != 1:
            raise portal_fault(self._session, path, "a layer without object ids: it cannot be read by pages")
        edited = (told.get("editFieldsInfo") or {}).get("editDateField")
        last_edit_ms = (told.get("editingInfo") or {}).get("lastEditDate")
        dated = edited in {column.name for column in columns if column.type == DATE}
        most = told.get("maxRecordCount")
        return Dataset(
            dataset_id=dataset_id,
            title=str(told.get("name", "")),
            columns=columns,
            n_rows=self.count(dataset_id),
            newest=utc_text(last_edit_ms) if dated and isinstance(last_edit_ms, int) else None,
            stamp=str(last_edit_ms),
            key=ids[0],
            edited=edited if dated else None,
            most_rows=most if isinstance(most, int) and most > 0 else None,
        )

    def count(self, dataset_id: str, where: str | None = None) -> int:
        """Ask how many features there are."""
        told = self._query(dataset_id, {"where": where or "1=1", "returnCountOnly": "true"})
        n_rows = told.get("count")
        if not isinstance(n_rows, int):
            raise portal_fault(self._session, f"/{dataset_id}/query", "no number of rows")
        return n_rows

    def since(self, dataset: Dataset, newest: str) -> str | None:
        """Give the filter for features edited at ``newest`` or later; None where no edits are dated."""
        if dataset.edited is None:
            return None
        return f"{dataset.edited} >= TIMESTAMP '{newest[:19].replace('T', ' ')}'"

    def _batch(
        self, dataset: Dataset, question: Question, *, after: str | None, offset: int, limit: int
    ) -> Batch:
        key = dataset.key
        filters = [f"({question.where})"] if question.where else []
        if after is not None:
            filters.append(f"{key} > {int(after)}")
        most = min(limit, dataset.most_rows or limit)
        params = {
            "where": " AND ".join(filters) or "1=1",
            "outFields": ",".join(dict.fromkeys((key, *question.columns))),
            "orderByFields": key if question.order is None else f"{question.order},{key}",
            "resultRecordCount": str(most),
            "outSR": "4326",
        }
        if offset:
            params["resultOffset"] = str(offset)
        told = self._query(dataset.dataset_id, params)
        features = told.get("features")
        if not isinstance(features, list):
            raise portal_fault(self._session, f"/{dataset.dataset_id}/query", "no list of features")
        dated = {column.name for column in dataset.columns if column.type == DATE}
        more = bool(told.get("exceededTransferLimit")) or len(features) >= most
        return Batch([_row(feature, dated) for feature in features], more=more)

    def _query(self, dataset_id: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        path = f"/{_checked_layer(dataset_id)}/query"
        check = self._raise_told_fault(path)
        told = self._session.get_json(path, {**params, "f": "json"}, check=check).payload
        if not isinstance(told, dict):
            raise portal_fault(self._session, path, "a list")
        return told

    def _raise_told_fault(self, path: str) -> Callable[[Any], None]:
        def check(told: Any) -> None:  # noqa: ANN401
            fault = told.get("error") if isinstance(told, dict) else None
            if fault is None:
                return
            code = fault.get("code") if isinstance(fault, dict) else None
            said = self._session.hide(
                str(fault.get("message", "")) if isinstance(fault, dict) else str(fault)
            )
            if code in _PASSING_CODES:
                raise PassingFaultError(f"it answered {code} {said}".strip())
            advice = (
                "the layer asks for a login and cannot be read as open data"
                if code in _LOGIN_CODES
                else "check the layer, the columns and the filter in the city's profile"
            )
            raise PortalRefusedError(f"{self.address}{path} refused: {code} {said}; {advice}")

        return check


def sql_between(column: Column, start: datetime, end: datetime) -> str:
    """Filter for times from ``start`` up to but not at ``end``, both with their zone.

    Raises
    ------
    InvalidInputError
        The column holds no times, or the times carry no zone or are in the wrong order.
    """
    if column.type != DATE:
        raise InvalidInputError(f"{column.name} holds {column.type}, no times: it cannot be filtered by time")
    if start.tzinfo is None or end.tzinfo is None or not start < end:
        raise InvalidInputError("Filter by two times with their zone, the earlier one first")
    first, last = (moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") for moment in (start, end))
    return f"{column.name} >= TIMESTAMP '{first}' AND {column.name} < TIMESTAMP '{last}'"


def utc_text(milliseconds: int) -> str:
    """Write milliseconds since 1970, as ArcGIS counts, as ISO 8601 in UTC; itself where it is no time."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return str(milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _checked_layer(dataset_id: str) -> str:
    if not _LAYER.fullmatch(dataset_id) or ".." in dataset_id:
        raise InvalidInputError(
            f"{dataset_id!r} is no layer; write it like Police/Calls/FeatureServer/0, without the address"
        )
    return dataset_id


def _row(feature: object, dated: set[str]) -> Row:
    attributes = feature.get("attributes") if isinstance(feature, dict) else None
    if not isinstance(feature, dict) or not isinstance(attributes, dict):
        return {}
    row: Row = {
        name: utc_text(value) if name in dated and isinstance(value, int) else value
        for name, value in attributes.items()
    }
    shape = feature.get("geometry")
    if isinstance(shape, dict) and "x" in shape and "y" in shape:
        row["geometry"] = {"type": "Point", "coordinates": [shape["x"], shape["y"]]}
    elif shape is not None:
        row["geometry"] = shape
    return row
