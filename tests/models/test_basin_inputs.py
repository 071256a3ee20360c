"""Joins of reports, looks and cleanings against a plain loop, by hand, and on a planted city."""

from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from errors import InvalidInputError
from geo import crs
from models.basin_inputs import (
    ONE_REPORT_DAYS,
    WINDOW_DAYS,
    Evidence,
    Looks,
    Reports,
    basin_capacity,
    complaints_and_floods,
    gather_evidence,
    join_looks,
    join_reports,
    learn_states,
    rank_agreement,
)

EPSG = 32615
TODAY = pd.Timestamp("2026-06-01", tz="UTC")
TYPES = ("Catch Basin Clogged", "Catch Basin Not Draining", "Street Flooding")
NONE = pd.NaT


def _ago(days: float) -> pd.Timestamp:
    return TODAY - pd.Timedelta(days=days)


def _basins(n: int, *, apart_m: float = 100.0) -> pd.DataFrame:
    """Basins in a row from west to east."""
    lon, lat = crs.to_degrees(780_000 + apart_m * np.arange(n), np.full(n, 3_320_000.0), EPSG)
    return pd.DataFrame(
        {
            "basin_id": [f"B{k}" for k in range(n)],
            "kind": "grate",
            "land_use": ["commercial" if k % 2 else "residential" for k in range(n)],
            "tree_share": np.linspace(0, 1, n),
            "last_cleaned_at": pd.Series([NONE] * n, dtype="datetime64[us, UTC]"),
            "inspected_at": pd.Series([NONE] * n, dtype="datetime64[us, UTC]"),
            "condition": pd.Series([None] * n, dtype=object),
            "lon": lon,
            "lat": lat,
        }
    )


def _requests(rows: Sequence[tuple[float, float, str]]) -> pd.DataFrame:
    """Reports by metres east of the first basin, days ago and type."""
    east, ago, kind = (list(part) for part in zip(*rows, strict=True)) if rows else ([], [], [])
    lon, lat = crs.to_degrees(780_000 + np.array(east, float), np.full(len(rows), 3_320_000.0), EPSG)
    return pd.DataFrame(
        {
            "request_type": pd.Series(kind, dtype=object),
            "opened_at": pd.Series([_ago(days) for days in ago], dtype="datetime64[us, UTC]"),
            "lon": lon,
            "lat": lat,
        }
    )


def _work(rows: list[tuple[str, float, str]], when: str = "cleaned_at") -> pd.DataFrame:
    basin, ago, found = (list(part) for part in zip(*rows, strict=True)) if rows else ([], [], [])
    times = pd.Series([_ago(days) for days in ago], dtype="datetime64[us, UTC]")
    return pd.DataFrame(
        {"basin_id": pd.Series(basin, dtype=object), when: times, "found": pd.Series(found, dtype=object)}
    )


def _joined(basins: pd.DataFrame, requests: pd.DataFrame) -> Reports:
    return join_reports(basins, requests, types=TYPES, as_of=TODAY, epsg=EPSG)


def _evidence(basins: pd.DataFrame, looks: Looks, reports: Reports) -> Evidence:
    return gather_evidence(basins, looks, reports, area=np.zeros(len(basins), np.int64), n_areas=1)


def test_a_report_is_of_the_nearest_basin_within_forty_metres() -> None:
    requests = _requests(
        [
            (12, 5, TYPES[0]),
            (61, 5, TYPES[1]),
            (150, 5, TYPES[2]),
            (90, -3, TYPES[0]),
            (100, 5, "Pothole"),
        ]
    )
    got = _joined(_basins(3), requests)
    assert got.basin.tolist() == [0, 1, -1]
    assert got.kind.tolist() == [0, 1, 2]
    assert got.counts(3).tolist() == [1, 1, 0]
    assert "1 reports are dated after the day of the list: not counted" in got.notes
    assert "1 reports have no basin within 40 m: of their area only" in got.notes
    # Nothing is lost: every row of the three types is joined, placed only, or named.
    assert len(got.basin) + 1 == int(requests["request_type"].isin(TYPES).sum())


def test_a_look_by_hand() -> None:
    """Cleaned, reported twice in a week and once later, then found clogged, then cleaned again."""
    basins = _basins(1)
    requests = _requests([(0, 700, TYPES[0]), (0, 300, TYPES[0]), (0, 297, TYPES[2]), (0, 250, TYPES[1])])
    looks = join_looks(basins, _work([("B0", 400, "clean"), ("B0", 200, "clogged")]), as_of=TODAY)
    got = _evidence(basins, looks, _joined(basins, requests))
    assert got.found["clogged"].tolist() == [0, 1]
    # The first look: no cleaning before it; its window is a year, with one report in it.
    assert got.looked.features[:, 2].tolist() == [1, 0]
    assert got.looked.reports.tolist() == [1, 2]
    assert got.looked.years == pytest.approx([1, 200 / WINDOW_DAYS])
    assert got.looked.features[1, 5] == 0
    # Now: cleaned 200 days ago, clogged then, silent since.
    assert got.days_since_cleaned == pytest.approx([200])
    assert got.now.features[0, 5] == 1
    assert (got.now.reports[0], got.now.years[0]) == (0, pytest.approx(200 / WINDOW_DAYS))
    assert not got.standing["clogged"][0]


def test_what_was_found_stands_until_somebody_mends_it() -> None:
    basins = _basins(4)
    basins["inspected_at"] = [_ago(10), _ago(10), _ago(10), _ago(400)]
    basins["condition"] = ["clogged", "line blocked", "clogged", "broken"]
    work = _work([("B1", 5, "clean"), ("B2", 5, "clean"), ("B3", 3, "car parked")])
    got = _evidence(basins, join_looks(basins, work, as_of=TODAY), _joined(basins, _requests([])))
    assert got.standing["clogged"].tolist() == [True, False, False, False]
    # The crew that came later saw the line run; a car on a basin hides it and tells nothing.
    assert got.standing["line blocked"].tolist() == [False, False, False, False]
    assert got.standing["broken"].tolist() == [False, False, False, True]
    states = learn_states(got)
    assert states.chance["clogged"].mean[0] == 1
    assert states.open_share()[0] <= 0.25
    line = join_looks(basins, None, as_of=TODAY)
    stopped = learn_states(_evidence(basins, line, _joined(basins, _requests([]))))
    assert stopped.open_share()[1] == 0
    assert stopped.open_if_cleaned()[1] == 0


def test_a_cleaning_that_its_audit_disproves_is_none() -> None:
    basins = _basins(2)
    basins["last_cleaned_at"] = [_ago(30), _ago(30)]
    work = _work([("B0", 30, "clogged"), ("B1", 30, "clogged")])
    work["audited_at"] = [_ago(25), _ago(25)]
    work["audit_found"] = ["clogged", "clean"]
    got = _evidence(basins, join_looks(basins, work, as_of=TODAY), _joined(basins, _requests([])))
    assert np.isnan(got.days_since_cleaned[0])
    assert got.days_since_cleaned[1] == pytest.approx(25)
    assert got.standing["clogged"].tolist() == [True, False]


def test_returned_work_is_learned_from() -> None:
    basins = _basins(2)
    before = join_looks(basins, None, as_of=TODAY)
    returned = _work([("B0", 1, "clean"), ("B9", 1, "clean"), ("B1", -2, "clean")], "done_at")
    after = join_looks(basins, None, returned, as_of=TODAY)
    assert len(after.basin) == len(before.basin) + 1
    assert "1 pieces of work name a basin that is not in the table: left out" in after.notes
    assert "1 dates of looks lie after the day of the list: left out" in after.notes
    reports = _joined(basins, _requests([]))
    shares = [learn_states(_evidence(basins, looks, reports)).open_share() for looks in (before, after)]
    assert shares[1][0] > shares[0][0]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 900), st.sampled_from(["clean", "clogged", "car parked"])
        ),
        max_size=12,
        unique_by=lambda row: row[:2],
    ),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 900)), max_size=20, unique=True),
)
def test_joins_equal_a_loop(work: list[tuple[int, int, str]], told: list[tuple[int, int]]) -> None:
    basins = _basins(3)
    requests = _requests([(100.0 * b, ago + 0.5, TYPES[0]) for b, ago in told])
    frame = _work([(f"B{b}", float(ago), found) for b, ago, found in work])
    got = _evidence(basins, join_looks(basins, frame, as_of=TODAY), _joined(basins, requests))
    expected = []
    for b in range(3):
        looks = sorted((-ago, found) for basin, ago, found in work if basin == b)
        moments = [(-minus, found) for minus, found in looks] + [(0.0, "now")]
        # One call a week, told from the call before it whether that counted or not.
        calls = sorted((ago + 0.5 for basin, ago in told if basin == b), reverse=True)
        fresh = [ago for k, ago in enumerate(calls) if not k or calls[k - 1] - ago > ONE_REPORT_DAYS]
        for k, (ago, _) in enumerate(moments):
            seen = [at for at, what in moments[:k] if what in {"clean", "clogged"}]
            clean = min(seen, default=np.nan)
            start = min(min(seen, default=np.inf), ago + WINDOW_DAYS)
            last = [what for _, what in moments[:k] if what in {"clean", "clogged"}]
            expected.append(
                (
                    float(np.isnan(clean)),
                    float(bool(last) and last[-1] == "clogged"),
                    sum(ago <= call < start for call in fresh) if start > ago else 0,
                )
            )
    rows = got.looked.joined(got.now)
    listed = sorted(zip(rows.features[:, 2], rows.features[:, 5], rows.reports, strict=True))
    assert listed == sorted(expected)


def test_who_complains_is_not_who_floods() -> None:
    """The quiet half is clogged and under water; the loud half calls five times as often."""
    rng = np.random.default_rng(5)
    n = 3000
    basins = _basins(n)
    area = (np.arange(n) * 6) // n
    quiet = area < 3
    clogged = rng.random(n) < np.where(quiet, 0.65, 0.2)
    rate = np.where(quiet, 0.04, 0.5) * np.where(clogged, 4, 1)
    calls = rng.poisson(2 * rate)
    rows = [(100.0 * b, float(rng.uniform(0, 730)), TYPES[0]) for b in np.repeat(np.arange(n), calls)]
    look = rng.random(n) < 0.3
    basins["inspected_at"] = [_ago(2) if seen else NONE for seen in look]
    basins["condition"] = [
        ("clogged" if c else "clean") if s else None for c, s in zip(clogged, look, strict=True)
    ]
    reports = _joined(basins, _requests(rows))
    got = gather_evidence(basins, join_looks(basins, None, as_of=TODAY), reports, area=area, n_areas=7)
    states = learn_states(got, n_draws=40)
    table = complaints_and_floods(
        got, states, reports.counts(n), names=[f"area {k}" for k in range(7)], flooding=np.arange(7, 0, -1.0)
    )
    assert len(table) == 6
    assert int(table["reports"].sum()) == int(calls.sum())
    loud, calm = table[3:], table[:3]
    assert loud["reporting_low"].min() > calm["reporting_high"].max()
    assert calm["p_clogged"].mean() > loud["p_clogged"].mean()
    assert (table["p_clogged_low"] <= table["p_clogged"]).all()
    assert rank_agreement(table)["flooding"] < -0.5
    assert np.isnan(rank_agreement(table[:2])["flooding"])


def test_capacity_by_kind() -> None:
    got = basin_capacity(["grate", "combination", "curb"], depth_m=0.12)
    assert got[1] >= max(got[0], got[2]) > 0
    with pytest.raises(InvalidInputError, match="not known: manhole"):
        basin_capacity(["manhole"], depth_m=0.12)
