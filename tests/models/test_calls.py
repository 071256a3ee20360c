"""Filtering calls, against pandas."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import InvalidInputError
from geo.hexgrid import cells_of
from models.calls import NOT_GIVEN, CallFilter, hours_mask, prepare_calls, select
from tests.models.calls_cases import REGIONS, ZONE, prepared, random_calls, without_times

FRAME = random_calls(3_000, seed=4)
TABLE = prepared(FRAME)

some_hours = st.frozensets(st.tuples(st.integers(0, 6), st.integers(0, 23)), max_size=60)
filters = st.builds(
    CallFilter,
    agencies=st.none() | st.frozensets(st.sampled_from(["EMS", "Police", "Fire"])),
    kinds=st.none() | st.frozensets(st.sampled_from(["Fall", "Cardiac", "30C", "21F"])),
    priorities=st.none() | st.frozensets(st.sampled_from(["1", "2", "3", NOT_GIVEN])),
    hours=st.none() | some_hours,
    first_day=st.none() | st.dates(date(2022, 12, 20), date(2023, 2, 20)),
    last_day=st.none() | st.dates(date(2023, 2, 20), date(2023, 5, 20)),
    self_initiated=st.sampled_from(["all", "without", "only"]),
)


def chosen_by_pandas(frame: pd.DataFrame, wanted: CallFilter) -> "pd.Series[bool]":
    keep = pd.Series(data=True, index=frame.index)
    if wanted.agencies is not None:
        keep &= frame["agency"].isin(list(wanted.agencies))
    if wanted.kinds is not None:
        keep &= frame["type_text"].fillna(frame["type_code"]).isin(list(wanted.kinds))
    if wanted.priorities is not None:
        keep &= frame["priority"].fillna(NOT_GIVEN).isin(list(wanted.priorities))
    if wanted.hours is not None:
        keep &= pd.Series(
            [(t.weekday(), t.hour) in wanted.hours for t in frame["opened_at"]], index=frame.index
        )
    if wanted.first_day is not None:
        keep &= frame["opened_at"].dt.date >= wanted.first_day
    if wanted.last_day is not None:
        keep &= frame["opened_at"].dt.date <= wanted.last_day
    initiated = frame["self_initiated"].fillna(value=False)
    if wanted.self_initiated == "only":
        keep &= initiated
    elif wanted.self_initiated == "without":
        keep &= ~initiated
    return keep


@settings(max_examples=80, deadline=None)
@given(wanted=filters)
def test_filter_equals_pandas(wanted: CallFilter) -> None:
    np.testing.assert_array_equal(select(TABLE, wanted), chosen_by_pandas(FRAME, wanted).to_numpy(dtype=bool))


def test_a_partition_of_the_filter_loses_no_call() -> None:
    agencies = [CallFilter(agencies=frozenset({name})) for name in TABLE.agency.names]
    kinds = [CallFilter(kinds=frozenset({name})) for name in TABLE.kind.names]
    priorities = [CallFilter(priorities=frozenset({name})) for name in TABLE.priority.names]
    for parts in (agencies, kinds, priorities):
        assert (np.sum([select(TABLE, part) for part in parts], axis=0) == 1).all()
    days = [
        select(TABLE, CallFilter(last_day=date(2023, 2, 14))),
        select(TABLE, CallFilter(first_day=date(2023, 2, 15))),
    ]
    hours = [
        select(
            TABLE,
            CallFilter(hours=frozenset((d, h) for d in range(7) for h in range(24) if (d < 5) == weekday)),
        )
        for weekday in (True, False)
    ]
    assert (np.sum(days, axis=0) == 1).all()
    assert (np.sum(hours, axis=0) == 1).all()


def test_prepared_arrays_follow_their_rows_in_any_order() -> None:
    order = np.random.default_rng(3).permutation(len(FRAME))
    shuffled = prepared(FRAME.iloc[order])
    for name in ("hour_of_week", "day", "self_initiated", "medical", "key", "region"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(TABLE, name)[order], err_msg=name)
    for resolution, hexagons in TABLE.hexagons.items():
        expected = cells_of(FRAME["lon"], FRAME["lat"], resolution=resolution)
        np.testing.assert_array_equal(hexagons.cells[hexagons.index], expected)
        np.testing.assert_array_equal(shuffled.hexagons[resolution].index, hexagons.index[order])
    assert shuffled.agency.names == TABLE.agency.names == ("EMS", "Police", "Fire")
    assert TABLE.priority.names[-1] == NOT_GIVEN
    assert (TABLE.first_day, TABLE.last_day) == (
        FRAME["opened_at"].min().date(),
        FRAME["opened_at"].max().date(),
    )


def test_hours_and_days_are_those_of_the_clock_on_the_wall() -> None:
    # summer time: 12 March 2023 has no 02:00; 5 November 2023 has 01:00 twice
    utc = ["2023-03-12 07:59", "2023-03-12 08:00", "2023-11-05 06:30", "2023-11-05 07:30", "2023-07-01 04:59"]
    opened = pd.to_datetime(pd.Series(utc), utc=True).dt.tz_convert(ZONE)
    frame = random_calls(5, seed=1).assign(opened_at=opened)
    table = prepared(frame)
    sunday = 6 * 24
    assert table.hour_of_week.tolist() == [sunday + 1, sunday + 3, sunday + 1, sunday + 1, 4 * 24 + 23]
    chosen = select(table, CallFilter(first_day=date(2023, 6, 30), last_day=date(2023, 6, 30)))
    assert chosen.tolist() == [False, False, False, False, True]


def test_calls_with_only_a_place_pass_until_a_time_is_asked() -> None:
    table = prepared(without_times(FRAME))
    assert (table.first_day, table.last_day) == (None, None)
    assert not table.kind.known
    assert not table.priority.known
    assert select(table, CallFilter()).all()
    assert select(table, CallFilter(self_initiated="without")).all()
    assert not select(table, CallFilter(self_initiated="only")).any()
    assert not select(table, CallFilter(hours=frozenset({(0, 0), (6, 23)}))).any()
    assert not select(table, CallFilter(first_day=date(1960, 1, 1))).any()
    assert not select(table, CallFilter(last_day=date(2100, 1, 1))).any()


def test_no_calls_and_no_regions() -> None:
    empty = prepared(FRAME.iloc[:0])
    assert len(empty) == 0
    assert select(empty, CallFilter(self_initiated="without")).shape == (0,)
    assert empty.hexagons[8].cells.shape == (0,)
    assert (prepared(FRAME, regions=()).region == -1).all()


def test_calls_without_a_place_have_no_hexagon_and_no_region() -> None:
    frame = FRAME.head(20).copy()
    frame.loc[frame.index[:7], ["lon", "lat"]] = np.nan
    table = prepared(frame)
    assert (table.region[:7] == -1).all()
    assert (table.hexagons[9].index[:7] == -1).all()
    assert (table.hexagons[9].index[7:] >= 0).all()


def test_region_is_the_polygon_that_holds_the_call() -> None:
    expected = [next((i for i, r in enumerate(REGIONS) if r.covers(p)), -1) for p in points(FRAME)]
    assert TABLE.region.tolist() == expected


def points(frame: pd.DataFrame) -> list[shapely.Point]:
    return [shapely.Point(x, y) for x, y in zip(frame["lon"], frame["lat"], strict=True)]


def test_every_fault_of_a_filter_is_told_at_once() -> None:
    wanted = CallFilter(
        agencies=frozenset({"Coast Guard"}),
        priorities=frozenset({"9"}),
        hours=frozenset({(7, 0)}),
        first_day=date(2023, 3, 1),
        last_day=date(2023, 2, 1),
    )
    with pytest.raises(InvalidInputError, match="4 faults") as caught:
        select(TABLE, wanted)
    assert "no call has the agency Coast Guard; there are EMS, Police, Fire" in str(caught.value)


def test_missing_columns_are_told_at_once() -> None:
    with pytest.raises(InvalidInputError, match=r"2 faults:\n- the column call_id.*\n- the column lat"):
        prepare_calls(FRAME.drop(columns=["call_id", "lat"]), timezone=ZONE, medical_agencies=(), salt="")
    bare = prepared(FRAME[["call_id", "agency", "lon", "lat"]])
    assert select(bare, CallFilter()).all()
    assert bare.times.measured == ()


def test_hours_mask() -> None:
    assert hours_mask(None).all()
    assert hours_mask([(6, 23)]).sum() == 1
    assert not hours_mask([]).any()
