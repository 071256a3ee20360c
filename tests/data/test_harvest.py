"""Whole datasets: the same rows whenever reading breaks off, and only what is new where that is enough."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.harvest import Harvest, Mark, harvest, refresh
from data.portal import SodaClient
from errors import InvalidInputError, PortalUnavailableError
from tests.data.portal_case import DATASET, HASTY, made_call, made_dataset, portal
from tests.data.servers.base import Fault
from tests.data.servers.soda import SodaDataset, SodaServer

BROKEN = [Fault("status", 500)] * HASTY.attempts
"""As many faults as make the client give up."""


def _same(found: Harvest, data: SodaDataset) -> None:
    assert dict(found.rows) == data.rows


def test_a_dataset_that_stands_still_is_read_once() -> None:
    with portal(10, page_rows=4) as (server, client):
        found = harvest(client, DATASET)
        _same(found, server.datasets[DATASET])
        assert found.settled
        assert (found.added, found.changed, found.gone) == ((), (), ())
        assert len(server.pages_asked()) == 4


def test_a_dataset_that_changes_is_read_again_and_what_changed_is_said() -> None:
    with portal(10, page_rows=4) as (server, client):
        data = server.datasets[DATASET]
        first, second, *_ = data.rows

        def change(number: int) -> None:
            if number == 6:
                data.remove(first)
                data.change(second, type_="34S")
                data.add(made_call(99))

        server.before = change
        found = harvest(client, DATASET)
        _same(found, data)
        assert found.settled
        assert found.gone == (first,)
        assert found.changed == (second,)
        # The new row has the highest key: the first reading met it on its last page.
        assert found.added == ()


def test_a_dataset_published_anew_meanwhile_is_not_doubled() -> None:
    with portal(10, page_rows=4) as (server, client):
        data = server.datasets[DATASET]
        server.before = lambda number: data.replace(map(made_call, range(12))) if number == 6 else None
        found = harvest(client, DATASET)
        _same(found, data)
        assert sorted(row["nopd_item"] for row in found.rows.values()) == [
            made_call(number)["nopd_item"] for number in range(12)
        ]


def test_a_dataset_that_never_stands_still_says_so() -> None:
    with portal(10, page_rows=4) as (server, client):
        data = server.datasets[DATASET]
        server.before = lambda _number: data.change(next(iter(data.rows)), type_="21")
        found = harvest(client, DATASET, rounds=2)
        assert not found.settled
        assert set(found.rows) == set(data.rows)
        server.compares_keys = False
        server.before = lambda _number: data.replace(map(made_call, range(10)))
        with pytest.raises(PortalUnavailableError, match="moved in each of 2 readings"):
            harvest(client, DATASET, rounds=2)


def test_broken_off_at_any_request_it_ends_the_same(tmp_path: Path) -> None:
    with portal(10, page_rows=2) as (server, client):
        whole = harvest(client, DATASET)
        n_requests = len(server.asked)
        for broken in range(n_requests):
            keep = tmp_path / str(broken)
            server.asked.clear()
            server.before = lambda _number, at=broken: (  # type: ignore[misc]
                server.faults.extend(BROKEN) if len(server.asked) == at + 1 else None
            )
            with pytest.raises(PortalUnavailableError, match="500"):
                harvest(client, DATASET, keep=keep)
            server.before = lambda _number: None
            server.asked.clear()
            again = harvest(client, DATASET, keep=keep)
            assert list(again.rows.items()) == list(whole.rows.items())
            assert again.mark == whole.mark
            assert not keep.exists()
            if 4 <= broken < n_requests - 2:
                assert len(server.pages_asked()) < 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda keep: (keep / "cursor.json").write_text("{"),
        lambda keep: (keep / "page-000001.json").unlink(),
        lambda keep: (keep / "page-000002.json").write_text('[{":id"'),
        lambda keep: (keep / "cursor.json").write_text('{"cursor": {}, "n_parts": 2}'),
    ],
)
def test_damaged_stored_pages_are_read_again(damage: Callable[[Path], object], tmp_path: Path) -> None:
    keep = tmp_path / "calls"
    with portal(10, page_rows=2) as (server, client):
        server.before = lambda number: server.faults.extend(BROKEN) if number == 8 else None
        with pytest.raises(PortalUnavailableError, match="500"):
            harvest(client, DATASET, keep=keep)
        damage(keep)
        _same(harvest(client, DATASET, keep=keep), server.datasets[DATASET])


def test_stored_pages_of_another_state_are_read_again(tmp_path: Path) -> None:
    keep = tmp_path / "calls"
    with portal(10, page_rows=2) as (server, client):
        server.before = lambda number: server.faults.extend(BROKEN) if number == 8 else None
        with pytest.raises(PortalUnavailableError, match="500"):
            harvest(client, DATASET, keep=keep)
        assert (keep / "cursor.json").exists()
        server.datasets[DATASET].remove(next(iter(server.datasets[DATASET].rows)))
        _same(harvest(client, DATASET, keep=keep), server.datasets[DATASET])


def test_nothing_new_asks_for_no_rows() -> None:
    with portal(10) as (server, client):
        first = harvest(client, DATASET)
        server.asked.clear()
        again = refresh(client, DATASET, first.rows, Mark.from_json(first.mark.to_json()))
        assert again.rows == first.rows
        assert server.pages_asked() == []
        assert len(server.asked) == 2


def test_only_what_is_new_is_asked_for() -> None:
    with portal(30, page_rows=10) as (server, client):
        data = server.datasets[DATASET]
        first = harvest(client, DATASET)
        changed = list(data.rows)[5]
        data.change(changed, type_="34S")
        added = data.add(made_call(99))
        server.asked.clear()
        again = refresh(client, DATASET, first.rows, first.mark)
        _same(again, data)
        assert (again.added, again.changed, again.gone) == ((added,), (changed,), ())
        assert all(":updated_at >=" in params["$where"] for params in server.pages_asked())


def test_removed_rows_are_found_by_keys_alone() -> None:
    with portal(30, page_rows=10) as (server, client):
        data = server.datasets[DATASET]
        first = harvest(client, DATASET)
        gone = list(data.rows)[7]
        data.remove(gone)
        data.change(next(iter(data.rows)), type_="34S")
        server.asked.clear()
        again = refresh(client, DATASET, first.rows, first.mark)
        _same(again, data)
        assert again.gone == (gone,)
        for params in server.pages_asked():
            assert ":updated_at >=" in params.get("$where", "") or params["$select"] == ":id,:updated_at"


def test_a_row_changed_in_the_same_instant_as_the_newest_is_caught_up() -> None:
    with portal(10, page_rows=4) as (server, client):
        data = server.datasets[DATASET]
        early, late, other = list(data.rows)[2:5]
        data.change(early, type_="A")
        first = harvest(client, DATASET)
        data.rows[late] |= {":updated_at": data.rows[early][":updated_at"], "type_": "B"}
        data.change(other, type_="C")
        _same(refresh(client, DATASET, first.rows, first.mark), data)


def test_a_changed_column_or_an_unreadable_mark_means_the_whole() -> None:
    with portal(5) as (server, client):
        first = harvest(client, DATASET)
        data = server.datasets[DATASET]
        data.columns["beat"] = "text"
        for key in data.rows:
            data.rows[key]["beat"] = "8D05"
        again = refresh(client, DATASET, first.rows, first.mark)
        _same(again, data)
        assert len(again.changed) == 5
    with pytest.raises(InvalidInputError, match="fetch it whole"):
        Mark.from_json("[]")


CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "change", "remove", "replace"]), st.integers(0, 30)), max_size=6
)


def _apply(data: SodaDataset, changes: list[tuple[str, int]]) -> None:
    for kind, number in changes:
        keys = list(data.rows)
        if kind == "add":
            data.add(made_call(number))
        elif kind == "replace":
            data.replace(map(made_call, range(number % 9)))
        elif keys and kind == "change":
            data.change(keys[number % len(keys)], type_=f"{number}X")
        elif keys:
            data.remove(keys[number % len(keys)])


@pytest.fixture(scope="module")
def small_pages() -> Iterator[tuple[SodaServer, SodaClient]]:
    with portal(0, page_rows=3) as pair:
        yield pair


@settings(max_examples=25)
@given(
    while_read=CHANGES,
    between=CHANGES,
    while_refreshed=CHANGES,
    at=st.integers(1, 12),
    filtered=st.booleans(),
)
def test_whatever_changes_the_rows_at_hand_are_those_of_the_portal(
    small_pages: tuple[SodaServer, SodaClient],
    *,
    while_read: list[tuple[str, int]],
    between: list[tuple[str, int]],
    while_refreshed: list[tuple[str, int]],
    at: int,
    filtered: bool,
) -> None:
    server, client = small_pages
    data = server.datasets[DATASET] = made_dataset(7)
    where = "type_ = '21'" if filtered else None
    start = len(server.asked)
    server.before = lambda _number: _apply(data, while_read) if len(server.asked) == start + at else None
    first = harvest(client, DATASET, where=where)
    _apply(data, between)
    start = len(server.asked)
    server.before = lambda _number: _apply(data, while_refreshed) if len(server.asked) == start + at else None
    again = refresh(client, DATASET, first.rows, first.mark, where=where)
    # What changed after the last look at the portal is for the next refresh.
    asked_after = len(server.asked) - start
    if asked_after > at or not while_refreshed:
        expected = {key: row for key, row in data.rows.items() if not filtered or row["type_"] == "21"}
        assert dict(again.rows) == expected
        assert again.settled
    assert set(again.added) == set(again.rows) - set(first.rows)
    assert set(again.gone) == set(first.rows) - set(again.rows)
