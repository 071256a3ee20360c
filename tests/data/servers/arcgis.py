"""A server of feature layers as far as the client asks: layer, count, pages; faults told with status 200."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.data.servers.base import LoopbackServer, Params, Reply

_TERM = re.compile(r"(\w+)\s*(>=|>)\s*(?:TIMESTAMP\s*'([^']+)'|(\d+))")
FIELDS = (
    {"name": "OBJECTID", "type": "esriFieldTypeOID", "alias": "OBJECTID"},
    {"name": "NOPD_Item", "type": "esriFieldTypeString", "alias": "Item"},
    {"name": "TimeCreate", "type": "esriFieldTypeDate", "alias": "Time"},
    {"name": "EditDate", "type": "esriFieldTypeDate", "alias": "Edited"},
)


class ArcgisServer(LoopbackServer):
    """One layer of points; ``keeps_edits`` says whether edits are dated."""

    def __init__(self, features: Iterable[Mapping[str, Any]], *, most_rows: int = 3) -> None:
        super().__init__(self._answer)
        self.features: dict[int, dict[str, Any]] = {}
        self.most_rows = most_rows
        self.keeps_edits = True
        self.compares_keys = True
        self.n_given = 0
        self.clock_ms = 1_790_000_000_000
        self.faulty_path = "/query"
        for attributes in features:
            self.add(**attributes)

    def add(self, **attributes: Any) -> int:  # noqa: ANN401
        """Add a feature; gives its object id."""
        self.n_given += 1
        self.features[self.n_given] = {"OBJECTID": self.n_given, **attributes, "EditDate": self._now_ms()}
        return self.n_given

    def change(self, key: int, **attributes: Any) -> None:  # noqa: ANN401
        """Edit a feature."""
        self.features[key] |= {**attributes, "EditDate": self._now_ms()}

    def remove(self, key: int) -> None:
        """Remove a feature."""
        del self.features[key]
        self._now_ms()

    def _now_ms(self) -> int:
        self.clock_ms += 60_000
        return self.clock_ms

    def _answer(self, path: str, params: Params, headers: dict[str, str]) -> Reply:
        del headers
        if "/FeatureServer/0" not in path:
            return _told_fault(400, "Invalid URL")
        if not path.endswith("/query"):
            edits = {
                "editFieldsInfo": {"editDateField": "EditDate"},
                "editingInfo": {"lastEditDate": self.clock_ms},
            }
            layer = {"name": "Calls", "fields": FIELDS, "maxRecordCount": self.most_rows}
            return Reply(layer | (edits if self.keeps_edits else {}))
        found = [self.features[key] for key in sorted(self.features)]
        for name, sign, moment, number in _TERM.findall(params["where"]):
            if name == "OBJECTID" and not self.compares_keys:
                return _told_fault(400, "Unable to complete operation.")
            least = int(number) if number else _milliseconds(moment)
            found = [row for row in found if row[name] > least or (sign == ">=" and row[name] == least)]
        if params.get("returnCountOnly") == "true":
            return Reply({"count": len(found)})
        names = params["outFields"].split(",")
        if any(name not in {field["name"] for field in FIELDS} for name in names):
            return _told_fault(400, "'outFields' parameter is invalid")
        begin = int(params.get("resultOffset", 0))
        most = min(int(params["resultRecordCount"]), self.most_rows)
        page = found[begin : begin + most]
        features = [
            {
                "attributes": {name: row.get(name) for name in names},
                "geometry": _shape(row["OBJECTID"], params.get("outSR")),
            }
            for row in page
        ]
        told: dict[str, Any] = {"objectIdFieldName": "OBJECTID", "features": features}
        if begin + most < len(found):
            told["exceededTransferLimit"] = True
        return Reply(told)


def _shape(number: int, system: str | None) -> dict[str, float]:
    """Give a point in degrees where they are asked for, else in the layer's own feet."""
    if system == "4326":
        return {"x": -90.0 - number / 1000, "y": 29.95}
    return {"x": 3_700_000.0 - number, "y": 530_000.0}


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def _told_fault(code: int, message: str) -> Reply:
    return Reply({"error": {"code": code, "message": message, "details": []}})
