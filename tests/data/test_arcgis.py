"""Feature layers: pages by object id, faults told with status 200, times and points as tables need them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from data.arcgis import DATE, FeatureServerClient, sql_between, utc_text
from data.harvest import harvest, refresh
from data.paging import Column, check_datasets
from data.portal_rows import read_rows
from errors import InvalidInputError, PortalColumnsError, PortalRefusedError, PortalUnavailableError
from tests.data.portal_case import HASTY
from tests.data.servers.arcgis import ArcgisServer
from tests.data.servers.base import Fault, serving

LAYER = "Police/Calls/FeatureServer/0"
NEW_YEAR_MS = 1_767_247_200_000  # 2026-01-01 00:00 in New Orleans


@contextmanager
def layer(n_rows: int = 8, *, page_rows: int = 100) -> Iterator[tuple[ArcgisServer, FeatureServerClient]]:
    server = ArcgisServer(
        {"NOPD_Item": f"A{number:05d}26", "TimeCreate": NEW_YEAR_MS + number * 60_000}
        for number in range(n_rows)
    )
    with (
        serving(server) as address,
        FeatureServerClient(f"{address}/arcgis/rest/services", page_rows=page_rows, manners=HASTY) as client,
    ):
        yield server, client


def _items(client: FeatureServerClient, **question: str) -> list[str]:
    return [row["NOPD_Item"] for page in client.rows(LAYER, **question) for row in page.rows]  # type: ignore[arg-type]


@pytest.mark.parametrize(("n_rows", "page_rows"), [(0, 2), (3, 100), (8, 100), (8, 2)])
def test_every_feature_comes_once_within_the_servers_limit(n_rows: int, page_rows: int) -> None:
    with layer(n_rows, page_rows=page_rows) as (server, client):
        assert _items(client) == [f"A{number:05d}26" for number in range(n_rows)]
        assert {params["resultRecordCount"] for params in _pages(server)} == {str(min(page_rows, 3))}
        assert not any("resultOffset" in params for params in _pages(server))


def test_where_ids_cannot_be_compared_pages_are_counted() -> None:
    with layer(8) as (server, client):
        server.compares_keys = False
        assert len(_items(client)) == 8
        offsets = [
            params.get("resultOffset") for params in _pages(server) if "OBJECTID >" not in params["where"]
        ]
    assert offsets == [None, "2", "4", "6"]


def test_features_that_stay_come_once_while_others_go() -> None:
    with layer(8) as (server, client):
        server.before = lambda number: server.remove(1) if number == 3 else None
        pages = list(client.rows(LAYER))
        assert [row["OBJECTID"] for page in pages for row in page.rows] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert pages[-1].settled is False
        found = harvest(client, LAYER)
        assert found.settled
        assert [*found.rows] == ["2", "3", "4", "5", "6", "7", "8"]


def test_rows_read_like_those_of_soda() -> None:
    with layer(2) as (_, client):
        rows = [row for page in client.rows(LAYER) for row in page.rows]
    assert rows[0]["geometry"] == {"type": "Point", "coordinates": [-90.001, 29.95]}
    assert rows[0]["TimeCreate"] == "2026-01-01T06:00:00.000Z"
    calls = read_rows("calls", [{**row, "Type_": "21"} for row in rows], timezone="America/Chicago").frame
    assert [*calls["call_id"]] == ["A0000026", "A0000126"]
    assert str(calls["opened_at"][1]) == "2026-01-01 00:01:00-06:00"
    assert calls["lon"][0] == -90.001


def test_only_what_was_edited_since_is_asked_for() -> None:
    with layer(8) as (server, client):
        first = harvest(client, LAYER)
        server.change(3, NOPD_Item="B")
        added = server.add(NOPD_Item="C", TimeCreate=NEW_YEAR_MS)
        server.remove(7)
        server.asked.clear()
        again = refresh(client, LAYER, first.rows, first.mark)
        assert (again.added, again.changed, again.gone) == ((str(added),), ("3",), ("7",))
        assert {int(key) for key in again.rows} == set(server.features)
        assert "EditDate >= TIMESTAMP" in _pages(server)[0]["where"]


def test_a_layer_without_dated_edits_is_read_whole() -> None:
    with layer(8) as (server, client):
        server.keeps_edits = False
        first = harvest(client, LAYER)
        assert first.mark.newest is None
        server.remove(2)
        assert refresh(client, LAYER, first.rows, first.mark).gone == ("2",)


def test_features_are_filtered_by_time() -> None:
    times = Column("TimeCreate", DATE, "")
    start = datetime(2026, 1, 1, 6, 2, tzinfo=UTC)
    where = sql_between(times, start, datetime(2026, 1, 1, 7, tzinfo=UTC))
    assert where == (
        "TimeCreate >= TIMESTAMP '2026-01-01 06:02:00' AND TimeCreate < TIMESTAMP '2026-01-01 07:00:00'"
    )
    with layer(8) as (_, client):
        assert client.count(LAYER, where) == 6
    for column, begin in (
        (Column("Beat", "esriFieldTypeString", ""), start),
        (times, start.replace(tzinfo=None)),
    ):
        with pytest.raises(InvalidInputError, match=r"no times|with their zone"):
            sql_between(column, begin, start)
    assert utc_text(10**18) == str(10**18)


@pytest.mark.parametrize("code", [429, 500, 504])
def test_a_passing_fault_told_with_status_200_is_asked_again(code: int) -> None:
    busy = Fault("status", 200, body=f'{{"error": {{"code": {code}, "message": "Busy"}}}}')
    with layer(8) as (server, client):
        server.faults = [busy, Fault("reset"), busy]
        assert len(_items(client)) == 8
        server.faults = [busy] * 9
        with pytest.raises(PortalUnavailableError, match=f"it answered {code} Busy"):
            client.count(LAYER)


@pytest.mark.parametrize(
    ("code", "said"), [(400, "check the layer, the columns and the filter"), (499, "asks for a login")]
)
def test_a_lasting_fault_told_with_status_200_is_said_at_once(code: int, said: str) -> None:
    with layer(8) as (server, client):
        server.faults = [Fault("status", 200, body=f'{{"error": {{"code": {code}, "message": "No"}}}}')]
        with pytest.raises(PortalRefusedError, match=rf"refused: {code} No; .*{said}"):
            client.count(LAYER)
        assert len(server.asked) == 1


def test_other_columns_and_missing_layers_are_named_together() -> None:
    with layer(1) as (_, client), pytest.raises(PortalColumnsError) as refusal:
        check_datasets(client, {LAYER: [("nopd_item",), ("beat",)], "Police/Gone/FeatureServer/9": []})
    assert "expected beat; found OBJECTID, NOPD_Item, TimeCreate, EditDate" in str(refusal.value)
    assert "Invalid URL" in str(refusal.value)


@pytest.mark.parametrize("layer_id", ["https://x/FeatureServer/0", "../admin/FeatureServer/0", "Calls", ""])
def test_what_is_no_layer_is_refused(layer_id: str) -> None:
    with layer() as (_, client), pytest.raises(InvalidInputError, match="is no layer"):
        client.describe(layer_id)


def _pages(server: ArcgisServer) -> list[dict[str, str]]:
    return [asked.params for asked in server.asked if "resultRecordCount" in asked.params]
