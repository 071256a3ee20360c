"""Counts by hexagon, neighborhood and hour, against pandas; conservation and the privacy rule."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.call_counts import by_region, count_all, count_groups, count_hexagons, hour_table
from models.calls import CallFilter, select
from models.privacy import SMALLEST_SHOWN
from tests.models.calls_cases import ZONE, prepared, random_calls
from tests.models.test_calls import filters

FRAME = random_calls(3_000, seed=9)
TABLE = prepared(FRAME)
PUBLIC = prepared(FRAME, medical_agencies=())
ALL = np.ones(len(FRAME), dtype=bool)


@settings(max_examples=40, deadline=None)
@given(wanted=filters, resolution=st.sampled_from([7, 8, 9]))
def test_shown_and_hidden_hexagons_hold_every_chosen_call(wanted: CallFilter, resolution: int) -> None:
    chosen = select(TABLE, wanted)
    exact = count_hexagons(PUBLIC, chosen, resolution=resolution)
    assert exact.shown.sum() == chosen.sum()
    counts = count_hexagons(TABLE, chosen, resolution=resolution)
    assert counts.other.sum() == (chosen & ~TABLE.medical).sum()

    hexagon = TABLE.hexagons[resolution].index
    truth = np.bincount(hexagon[chosen & TABLE.medical], minlength=counts.other.size)
    medical = counts.medical.shown
    assert (truth[medical > 0] >= SMALLEST_SHOWN).all()
    assert (truth[counts.medical.hidden] < SMALLEST_SHOWN).all()
    assert truth[medical > 0].sum() + truth[counts.medical.hidden].sum() == (chosen & TABLE.medical).sum()
    np.testing.assert_array_equal(counts.shown > 0, (counts.other > 0) | (truth >= SMALLEST_SHOWN))


@settings(max_examples=40, deadline=None)
@given(first=filters, second=filters)
def test_no_pair_of_filters_shows_an_exact_difference_below_eleven(
    first: CallFilter, second: CallFilter
) -> None:
    """Where filters differ by 1 to 10 medical calls in a hexagon, several differences fit what is shown."""
    both, one = select(TABLE, first), select(TABLE, second)
    wide = both | one
    narrow = both & one
    hexagon = TABLE.hexagons[8].index
    shown = [count_hexagons(TABLE, chosen, resolution=8).medical.shown for chosen in (wide, narrow)]
    gap = np.bincount(hexagon[wide & ~narrow & TABLE.medical], minlength=shown[0].size)
    for seen_wide, seen_narrow, small in zip(*shown, gap, strict=True):
        if not 0 < small < SMALLEST_SHOWN or np.isnan(seen_wide):
            continue
        low, high = interval(seen_wide)
        least, most = (1, 10) if np.isnan(seen_narrow) else interval(seen_narrow)
        possible = range(max(low - most, 0), high - least + 1)
        assert small in possible
        assert len(possible) > 1


def interval(shown: float) -> tuple[int, int]:
    """True counts that a shown figure may stand for."""
    if shown == 0:
        return 0, 0
    return max(11, int(shown) - 4), int(shown) + (3 if shown == 11 else 4)


def test_the_same_calls_show_the_same_figure_whatever_the_question() -> None:
    by_agency = select(TABLE, CallFilter(agencies=frozenset({"EMS"})))
    assert count_all(TABLE, by_agency).shown == count_all(TABLE, TABLE.medical).shown
    one_group = count_groups(TABLE, by_agency, np.zeros(len(TABLE), dtype=int), n_groups=3)
    assert one_group.medical.shown[0] == count_all(TABLE, by_agency).medical.shown[0]


def test_a_filter_without_medical_calls_is_exact_to_the_last_call() -> None:
    police = select(TABLE, CallFilter(agencies=frozenset({"Police"})))
    counts = count_hexagons(TABLE, police, resolution=9)
    assert not counts.has_medical
    expected = np.bincount(TABLE.hexagons[9].index[police], minlength=counts.other.size)
    np.testing.assert_array_equal(counts.shown_or_missing, expected)
    assert counts.medical.hidden_calls == 0


def test_hour_table_equals_pandas() -> None:
    table = hour_table(PUBLIC, ALL, first_day=date(2023, 1, 1), last_day=date(2023, 4, 30), timezone=ZONE)
    opened = FRAME["opened_at"]
    expected = pd.crosstab(opened.dt.day_of_week, opened.dt.hour).reindex(
        index=range(7), columns=range(24), fill_value=0
    )
    np.testing.assert_array_equal(table.counts, expected)


def test_hour_table_hides_small_medical_hours_and_rounds_the_others() -> None:
    frame = random_calls(1_800, seed=3).assign(agency="EMS")
    everything = np.ones(len(frame), dtype=bool)
    first, last = date(2023, 1, 1), date(2023, 4, 30)
    exact = hour_table(
        prepared(frame, medical_agencies=()), everything, first_day=first, last_day=last, timezone=ZONE
    ).counts
    shown = hour_table(prepared(frame), everything, first_day=first, last_day=last, timezone=ZONE).counts
    small = exact < SMALLEST_SHOWN
    assert small.any()
    assert (~small).any()
    assert np.isnan(shown[small]).all()
    assert (np.abs(shown - exact)[~small] < 5).all()


def test_hours_of_the_period_know_summer_time() -> None:
    year = hour_table(
        PUBLIC, ALL, first_day=date(2023, 1, 2), last_day=date(2023, 12, 31), timezone=ZONE
    ).hours
    assert year.sum() == 364 * 24
    assert year[6, 2] == 51  # 12 March skipped it
    assert year[6, 1] == 53  # 5 November had it twice
    assert (np.delete(year.ravel(), [6 * 24 + 1, 6 * 24 + 2]) == 52).all()
    saturday = hour_table(PUBLIC, ALL, first_day=date(2023, 1, 7), last_day=date(2023, 1, 7), timezone=ZONE)
    assert saturday.hours.sum() == 24
    assert np.isnan(saturday.per_week[0]).all()
    np.testing.assert_array_equal(saturday.per_week[5], saturday.counts[5])


def test_by_region_equals_groupby() -> None:
    table = by_region(PUBLIC, ALL, n_regions=4, interval="opened_to_arrived", at_least=SMALLEST_SHOWN)
    waited = (FRAME["arrived_at"] - FRAME["opened_at"]).dt.total_seconds() / 60
    waited[FRAME["self_initiated"].fillna(value=False)] = np.nan
    groups = waited.groupby(pd.Series(PUBLIC.region, index=FRAME.index))
    for region in range(4):
        row, values = table.loc[region], groups.get_group(region)
        assert row["calls"] == len(values)
        assert row["timed"] == values.notna().sum()
        assert row["p50_min"] == pytest.approx(values.median())
        assert row["p90_min"] == pytest.approx(values.quantile(0.9))


def test_by_region_hides_small_medical_groups() -> None:
    frame = random_calls(44, seed=2).assign(agency="EMS")
    table = prepared(frame)
    shown = by_region(table, np.ones(44, dtype=bool), n_regions=4, interval="opened_to_arrived", at_least=11)
    size = np.bincount(table.region[table.region >= 0], minlength=4)
    small = size < SMALLEST_SHOWN
    assert small.any()
    assert (~small).any()
    assert shown.loc[small, ["calls", "timed", "p50_min", "p90_min"]].isna().all().all()
    assert shown.loc[~small, "calls"].notna().all()
    nothing = by_region(
        table, np.zeros(44, dtype=bool), n_regions=4, interval="opened_to_arrived", at_least=11
    )
    assert (nothing["calls"] == 0).all()
