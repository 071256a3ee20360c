"""A portal that speaks SODA as far as the client asks: metadata, paging, filters, totals, refusals.

Rows are ordered by an inner number that their ``:id`` does not show, as on the real portals.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.data.servers.base import LoopbackServer, Params, Reply

START = datetime(2026, 11, 1, tzinfo=UTC)
_TERM = re.compile(r"\(*\s*(:?\w+)\s*(>=|<=|>|<|=)\s*'((?:[^']|'')*)'\s*\)*")
_ANY_OF = re.compile(r"(\w+) in \(((?:'[^']*'(?:, )?)+)\)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
}


class SodaDataset:
    """One dataset whose rows can be added, changed, removed or replaced."""

    def __init__(self, title: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
        self.title = title
        self.columns = dict(columns)
        self.rows: dict[str, dict[str, Any]] = {}
        self.number: dict[str, int] = {}
        self.n_changes = 0
        for row in rows:
            self.add(row)

    def _now(self) -> str:
        self.n_changes += 1
        return f"{START + timedelta(seconds=self.n_changes):%Y-%m-%dT%H:%M:%S}.000Z"

    def add(self, row: Mapping[str, Any]) -> str:
        """Add a row; gives its key."""
        number = len(self.number)
        key = "row-" + hashlib.sha256(f"{self.title} {number}".encode()).hexdigest()[:14].replace("e", "_")
        self.number[key] = number
        given = {name: value for name, value in row.items() if value is not None}
        self.rows[key] = {":id": key, ":updated_at": self._now(), **given}
        return key

    def change(self, key: str, **values: Any) -> None:  # noqa: ANN401
        """Change a row."""
        self.rows[key] |= {":updated_at": self._now(), **values}

    def remove(self, key: str) -> None:
        """Remove a row."""
        del self.rows[key]
        self._now()

    def replace(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Publish the dataset anew: all rows get new keys."""
        self.rows.clear()
        for row in rows:
            self.add(row)


class SodaServer(LoopbackServer):
    """A portal with datasets by id.

    ``compares_keys`` False refuses filters on ``:id``; ``most_rows`` caps a page whatever was asked; with a
    ``token`` other tokens are refused; ``hidden`` rows are counted and not given.
    """

    def __init__(self, datasets: Mapping[str, SodaDataset]) -> None:
        super().__init__(self._answer)
        self.datasets = dict(datasets)
        self.compares_keys = True
        self.most_rows = 50_000
        self.token: str | None = None
        self.hidden: set[str] = set()
        self.faulty_path = ".json"

    def pages_asked(self) -> list[Params]:
        """Give the questions that asked for rows, not for totals or metadata."""
        return [asked.params for asked in self.asked if "$limit" in asked.params]

    def _answer(self, path: str, params: Params, headers: dict[str, str]) -> Reply:
        given = headers.get("x-app-token")
        if self.token is not None and given is not None and given != self.token:
            return _refusal(403, "permission_denied", f"Invalid app_token specified: {given}")
        dataset_id = path.rsplit("/", 1)[-1].removesuffix(".json")
        dataset = self.datasets.get(dataset_id)
        if dataset is None:
            return _refusal(404, "dataset.missing", "Not found")
        if path.startswith("/api/views/"):
            columns = [
                {"fieldName": name, "dataTypeName": kind, "name": name.upper()}
                for name, kind in {**dataset.columns, ":@computed_region_abcd": "number"}.items()
            ]
            return Reply({"id": dataset_id, "name": dataset.title, "columns": columns, "rowsUpdatedAt": 1})
        return self._rows(dataset, params)

    def _rows(self, dataset: SodaDataset, params: Params) -> Reply:
        found = sorted(dataset.rows.values(), key=lambda row: dataset.number[row[":id"]])
        for name, sign, text in _TERM.findall(params.get("$where", "")):
            if name == ":id" and not self.compares_keys:
                return _refusal(400, "query.soql.type-mismatch", f"Type mismatch for op$>, {text}")
            if name not in {":id", ":updated_at", *dataset.columns}:
                return _refusal(400, "query.soql.no-such-column", f"No such column: {name}")
            found = [row for row in found if self._holds(dataset, row, name, sign, text.replace("''", "'"))]
        for name, words in _ANY_OF.findall(params.get("$where", "")):
            found = [row for row in found if row.get(name) in re.findall("'([^']*)'", words)]
        select = params["$select"].split(",")
        if select[0].startswith("count(*)"):
            newest = max((row[":updated_at"] for row in dataset.rows.values()), default=None)
            totals = {"n_rows": str(len(found))} | ({"newest": newest} if newest and len(select) > 1 else {})
            return Reply([totals])
        unknown = [name for name in select if name not in {":id", ":updated_at", *dataset.columns}]
        if unknown:
            return _refusal(400, "query.soql.no-such-column", f"No such column: {unknown[0]}")
        if (order := params["$order"].split(",")[0]) != ":id":
            found.sort(key=lambda row: str(row.get(order, "")))
        found = [row for row in found if row[":id"] not in self.hidden]
        begin = int(params.get("$offset", 0))
        page = found[begin : begin + min(int(params["$limit"]), self.most_rows)]
        return Reply([{name: row[name] for name in select if name in row} for row in page])

    @staticmethod
    def _holds(dataset: SodaDataset, row: Mapping[str, Any], name: str, sign: str, text: str) -> bool:
        if name == ":id":
            return _COMPARE[sign](dataset.number[row[":id"]], dataset.number[text])
        return name in row and _COMPARE[sign](str(row[name]), text)


def _refusal(status: int, code: str, message: str) -> Reply:
    return Reply({"code": code, "error": True, "message": message}, status=status)
