"""SODA: pages lose and double nothing while rows change, a break costs a page, other columns are named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from data.drift import columns_to_ask, needed_columns
from data.paging import Column, Cursor, check_datasets, quoted
from data.portal import SodaClient, soql_between
from errors import InvalidInputError, PortalColumnsError, PortalMovedError, PortalRefusedError
from tests.data.portal_case import DATASET, HASTY, made_call, made_dataset, portal
from tests.data.servers.base import Fault, LoopbackServer, Reply, serving
from tests.data.servers.soda import SodaDataset, SodaServer


def _items(client: SodaClient, **question: object) -> list[str]:
    pages = list(client.rows(DATASET, **question))  # type: ignore[arg-type]
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    return [row["nopd_item"] for page in pages for row in page.rows]


@pytest.mark.parametrize(("n_rows", "page_rows"), [(0, 3), (1, 3), (3, 3), (10, 3), (10, 50)])
def test_every_row_comes_once_whatever_the_pages(n_rows: int, page_rows: int) -> None:
    with portal(n_rows, page_rows=page_rows) as (_, client):
        assert _items(client) == [made_call(number)["nopd_item"] for number in range(n_rows)]


def test_a_portal_that_gives_fewer_rows_than_asked_is_read_to_the_end() -> None:
    with portal(10, page_rows=100) as (server, client):
        server.most_rows = 4
        assert len(_items(client)) == 10


def test_only_the_columns_that_are_used_leave_the_portal() -> None:
    with portal(2) as (server, client):
        (page, last) = client.rows(DATASET, columns=("nopd_item",))
        assert {*page.rows[0]} == {":id", ":updated_at", "nopd_item"}
        assert last.rows == ()
        server.datasets[DATASET].columns["ownername"] = "text"
        asked = columns_to_ask("calls", client.describe(DATASET))
    assert asked == ("nopd_item", "type_", "timecreate", "location")
    assert server.pages_asked()[0]["$select"] == ":id,:updated_at,nopd_item"


def test_rows_are_filtered_by_the_portal() -> None:
    day, end = datetime(2022, 1, 3), datetime(2022, 1, 5)  # noqa: DTZ001 - the city's wall clock
    between = soql_between(Column("timecreate", "calendar_date", ""), day, end)
    with portal(60) as (_, client):
        items = _items(client, where=between)
        assert client.count(DATASET, between) == len(items) == 6
        assert items == [made_call(n)["nopd_item"] for n in range(60) if n % 28 in {2, 3}]


def test_times_that_are_text_cannot_be_filtered_and_zones_have_no_place() -> None:
    day, next_day = datetime(2026, 1, 1), datetime(2026, 1, 2)  # noqa: DTZ001 - the city's wall clock
    with pytest.raises(InvalidInputError, match="holds text, no times"):
        soql_between(Column("timecreate", "text", ""), day, next_day)
    stamp = Column("timecreate", "calendar_date", "")
    for start, end in ((next_day, day), (day.replace(tzinfo=UTC), next_day)):
        with pytest.raises(InvalidInputError, match="the earlier one first"):
            soql_between(stamp, start, end)
    assert quoted("O'Keefe") == "'O''Keefe'"


def _remove_one_read(data: SodaDataset) -> None:
    data.remove(next(iter(data.rows)))


def _add(data: SodaDataset) -> None:
    data.add(made_call(77))


def _change_one_read(data: SodaDataset) -> None:
    data.change(next(iter(data.rows)), type_="100")


@pytest.mark.parametrize("change", [_remove_one_read, _add, _change_one_read])
def test_rows_that_stay_come_once_while_others_change_and_the_end_says_so(
    change: Callable[[SodaDataset], None],
) -> None:
    with portal(10) as (server, client):
        data = server.datasets[DATASET]
        before = set(data.rows)
        # Requests 1 and 2 describe the dataset, 3 is the first page: change it before the second.
        server.before = lambda number: change(data) if number == 4 else None
        pages = list(client.rows(DATASET))
        keys = [row[":id"] for page in pages for row in page.rows]
        assert len(keys) == len(set(keys))
        assert set(keys) >= before & set(data.rows)
        assert pages[-1].settled is False
        assert list(client.rows(DATASET))[-1].settled is True


def test_where_keys_cannot_be_compared_pages_are_counted() -> None:
    with portal(10) as (server, client):
        server.compares_keys = False
        assert _items(client) == [made_call(number)["nopd_item"] for number in range(10)]
        asked = server.pages_asked()
    assert [(params.get("$offset"), params["$limit"]) for params in asked if ":id >" not in str(params)] == [
        (None, "3"),
        ("2", "4"),
        ("5", "4"),
        ("8", "4"),
        ("9", "4"),
    ]


def test_a_row_that_would_be_lost_from_counted_pages_is_noticed() -> None:
    with portal(10) as (server, client):
        server.compares_keys = False
        server.before = lambda number: _remove_one_read(server.datasets[DATASET]) if number == 5 else None
        with pytest.raises(PortalMovedError, match="moved while they were read; read it again"):
            list(client.rows(DATASET))


def test_rows_that_a_portal_keeps_back_are_noticed() -> None:
    with portal(10) as (server, client):
        hidden = next(iter(server.datasets[DATASET].rows))
        server.hidden.add(hidden)
        with pytest.raises(PortalMovedError, match="gave 9 of its 10 rows"):
            list(client.rows(DATASET))
        with pytest.raises(PortalMovedError, match="gave 9 of its 10 rows"):
            list(client.rows(DATASET, where="type_ = '21'"))


def test_another_order_counts_pages() -> None:
    with portal(10) as (server, client):
        items = _items(client, order="timecreate")
        assert sorted(items) == [made_call(number)["nopd_item"] for number in range(10)]
        assert server.pages_asked()[0]["$order"] == "timecreate,:id"


def test_a_portal_that_ignores_the_filter_does_not_turn_in_circles() -> None:
    rows = [{":id": "row-1", "nopd_item": "A"}]

    def answer(path: str, params: dict[str, str], headers: dict[str, str]) -> Reply:
        del headers
        if path.startswith("/api"):
            return Reply({"name": "x", "columns": [{"fieldName": "nopd_item", "dataTypeName": "text"}]})
        return Reply([{"n_rows": "1"}] if "count" in params["$select"] else rows)

    with (
        serving(LoopbackServer(answer)) as address,
        SodaClient(address, "", manners=HASTY) as client,
        pytest.raises(PortalMovedError, match="gave a row twice"),
    ):
        list(client.rows(DATASET))


def test_a_reading_broken_off_goes_on_from_its_stored_place() -> None:
    with portal(10) as (server, client):
        whole = list(client.rows(DATASET))
        for stop in range(len(whole)):
            stored = whole[stop].cursor.to_json()
            rest = list(client.rows(DATASET, after=Cursor.from_json(stored), page_rows=2))
            rows = [row for page in (*whole[: stop + 1], *rest) for row in page.rows]
            assert rows == list(server.datasets[DATASET].rows.values())


def test_a_stored_place_is_only_good_for_the_same_question_in_the_same_state() -> None:
    with portal(10) as (server, client):
        place = next(client.rows(DATASET)).cursor
        with pytest.raises(InvalidInputError, match="start from the beginning"):
            next(client.rows(DATASET, columns=("type_",), after=place))
        with pytest.raises(InvalidInputError, match="start from the beginning"):
            next(client.rows(DATASET, after=replace(place, source="elsewhere")))
        server.datasets[DATASET].columns["beat"] = "text"
        with pytest.raises(PortalMovedError, match="has changed since"):
            next(client.rows(DATASET, columns=("nopd_item", "type_", "timecreate", "location"), after=place))
        with pytest.raises(InvalidInputError, match="from the beginning"):
            Cursor.from_json('{"source": 1}')


def test_datasets_that_answer_with_other_columns_are_all_named_at_once() -> None:
    parking = SodaDataset("Parking", {"ticket": "text", "fine": "number"}, [])
    server = SodaServer({DATASET: made_dataset(1), "aaaa-1111": parking})
    wanted = dict.fromkeys([DATASET, "aaaa-1111", "bbbb-2222"], needed_columns("calls"))
    with serving(server) as address, SodaClient(address, "", manners=HASTY) as client:
        with pytest.raises(PortalColumnsError) as refusal:
            check_datasets(client, wanted)
        assert check_datasets(client, {DATASET: needed_columns("calls")})[DATASET].n_rows == 1
    said = str(refusal.value)
    assert "2 faults" in said
    assert (
        "aaaa-1111 answers with other columns than expected (Parking): expected nopd_item, type_ or type, "
        "timecreate, location or the_geom or geometry or longitude or latitude or mapx or mapy; "
        "found ticket, fine"
    ) in said
    assert "bbbb-2222" in said
    assert "was retired" in said


def test_a_column_that_is_asked_for_and_missing_is_named() -> None:
    with (
        portal() as (_, client),
        pytest.raises(PortalColumnsError, match=r"lacks the columns beat; it has nopd_"),
    ):
        list(client.rows(DATASET, columns=("type_", "beat")))


def test_a_bad_question_is_refused_in_the_portals_words() -> None:
    with portal() as (server, client):
        with pytest.raises(
            PortalRefusedError, match=r"400 \(No such column: mood\); check the columns and the fi"
        ):
            list(client.rows(DATASET, where="mood > '1'"))
        for wrong in ("nci8thrr", "../admin", "NCI8-THRR"):
            with pytest.raises(InvalidInputError, match="is no id of a dataset"):
                client.describe(wrong)
        n_asked = len(server.asked)
        with pytest.raises(InvalidInputError, match="at least one row"):
            next(client.rows(DATASET, page_rows=-1))
    assert len(server.asked) == n_asked + 2


@pytest.mark.parametrize(
    ("part", "payload"),
    [
        ("/api", []),
        ("/api", {"columns": [{"name": "x"}]}),
        ("count", {}),
        ("count", [{"n_rows": "many"}]),
        ("rows", {}),
        ("rows", [{"nopd_item": "A"}]),
        ("rows", ["A"]),
    ],
)
def test_json_of_another_shape_is_refused(part: str, payload: object) -> None:
    good: dict[str, object] = {
        "/api": {"name": "x", "columns": [{"fieldName": "nopd_item", "dataTypeName": "text"}]},
        "count": [{"n_rows": "1"}],
        "rows": [],
    }

    def answer(path: str, params: dict[str, str], headers: dict[str, str]) -> Reply:
        del headers
        asked = "/api" if path.startswith("/api") else "count" if "count" in params["$select"] else "rows"
        return Reply(payload if asked == part else good[asked])

    with (
        serving(LoopbackServer(answer)) as address,
        SodaClient(address, "", manners=HASTY) as client,
        pytest.raises(PortalRefusedError, match=r"something else than expected|without their key"),
    ):
        list(client.rows(DATASET))


def test_faults_between_pages_cost_no_row() -> None:
    with portal(10) as (server, client):
        kinds = [
            Fault("reset"),
            Fault("truncated"),
            Fault("status", 429, {"Retry-After": "0"}),
            Fault("html"),
        ]

        def fail_now_and_then(number: int) -> None:
            if number % 3 == 0 and kinds:
                server.faults.append(kinds.pop())

        server.before = fail_now_and_then
        assert _items(client) == [made_call(number)["nopd_item"] for number in range(10)]
        assert not kinds
