"""Units on duty in a usual week, and where a plan puts them."""

import numpy as np
import pandas as pd
import pytest

from errors import InvalidInputError
from models.plan import make_plan
from models.roster import Roster, crews, shift_rows, usual_week
from models.scenario import AddPost, MovePost, RemovePost, Scenario, SetUnits

ZONE = "America/Chicago"
POSTS = pd.DataFrame(
    {
        "post_id": ["P1", "P2", "P3", "P4"],
        "name": ["One", "Two", "Three", "Four"],
        "lon": [-90.0, -90.1, -90.2, -90.3],
        "lat": [30.0, 30.1, 30.2, 30.3],
        "baseline_rank": pd.array([1, 2, 3, None], dtype="Int64"),
    }
)
TODAY = ("P1", "P2", "P3")


def _shifts(rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["unit_id", "unit_type", "starts_at", "ends_at"])
    for name in ("starts_at", "ends_at"):
        table[name] = pd.to_datetime(table[name]).dt.tz_localize(ZONE)
    return table


def _roster(homes: dict[str, str]) -> Roster:
    """M1 always, M2 by day, M3 by night; four weeks from Monday 1 December 2025, M9 in one of them only."""
    rows = []
    for day in pd.date_range("2025-11-30", "2025-12-29"):
        morning, evening, next_morning = (day + pd.Timedelta(hours=hours) for hours in (7, 19, 31))
        rows += [
            ("M1", "ALS", str(morning), str(evening)),
            ("M1", "ALS", str(evening), str(next_morning)),
            ("M2", "BLS", str(morning), str(evening)),
            ("M3", "ALS", str(evening), str(next_morning)),
        ]
        if day < pd.Timestamp("2025-12-08"):
            rows.append(("M9", "BLS", str(morning), str(evening)))
    return usual_week(_shifts(rows), homes)


def test_a_usual_week_is_read_from_the_last_whole_weeks() -> None:
    roster = _roster({"M1": "P1"})
    assert roster.unit_id == ("M1", "M2", "M3")
    assert roster.unit_type == ("ALS", "BLS", "ALS")
    assert roster.home == ("P1", "", "")
    assert (roster.first_day, roster.last_day) == (pd.Timestamp("2025-12-01"), pd.Timestamp("2025-12-28"))
    hour = np.arange(168) % 24
    day = (hour >= 7) & (hour < 19)
    assert roster.on_duty[0, 7:].all()
    assert (roster.on_duty[1] == day).all()
    assert (roster.on_duty[2, 7:] == ~day[7:]).all()


def test_shifts_without_a_whole_week_are_refused() -> None:
    short = _shifts([("M1", "ALS", "2025-12-02 07:00", "2025-12-04 19:00")])
    with pytest.raises(InvalidInputError, match="no whole week"):
        usual_week(short, {})
    gone = _shifts(
        [
            ("M1", "ALS", "2025-11-02 07:00", "2025-11-02 08:00"),
            ("M1", "ALS", "2025-12-31 07:00", "2025-12-31 08:00"),
        ]
    )
    with pytest.raises(InvalidInputError, match="usually on duty"):
        usual_week(gone, {})


def _where(scenario: Scenario, homes: dict[str, str]) -> dict[str, str]:
    plan = make_plan(POSTS, scenario)
    return {crew.unit_id: plan.staffed[crew.post].post_id for crew in crews(plan, _roster(homes), TODAY)}


def test_units_wait_at_home_and_follow_it() -> None:
    homes = {"M1": "P1", "M2": "P1", "M3": "P3"}
    today = _where(Scenario("x"), homes)
    assert today == {"M1": "P1", "M2": "P1", "M3": "P3", "Two": "P2"}
    assert _where(Scenario("x", (MovePost("P1", -90.5, 30.5),)), homes) == today


def test_an_empty_posts_units_take_over_an_added_post_or_go_off_duty() -> None:
    homes = {"M1": "P1", "M2": "P2", "M3": "P3"}
    swapped = Scenario("x", (RemovePost("P2"), AddPost("P4", -90.3, 30.3)))
    assert _where(swapped, homes) == {"M1": "P1", "M3": "P3", "M2": "P4"}
    assert _where(Scenario("x", (SetUnits(2),)), homes) == {"M1": "P1", "M2": "P2"}
    added = make_plan(POSTS, Scenario("x", (AddPost("P4", -90.3, 30.3),)))
    (new,) = [crew for crew in crews(added, _roster(homes), TODAY) if not crew.rostered]
    assert (new.unit_id, new.unit_type, bool(new.on_duty.all())) == ("Four", "ALS", True)


def test_units_without_a_home_belong_to_todays_posts_in_turn() -> None:
    assert _where(Scenario("x"), {}) == {"M1": "P1", "M2": "P2", "M3": "P3"}


def test_shift_rows_cover_the_time_and_repeat_each_week() -> None:
    on_duty = np.zeros(168, dtype=bool)
    on_duty[[0, 1, 167]] = True
    rows = shift_rows(on_duty, 2 * 10_080.0)
    assert (-60.0, 120.0) in rows
    assert (10_020.0, 10_200.0) in rows
    inside = [(start, end) for start, end in rows if 0 <= start < 2 * 10_080]
    assert inside == [(10_020.0, 10_200.0), (20_100.0, 20_280.0)]
    assert shift_rows(np.ones(168, dtype=bool), 100.0) == [(-np.inf, np.inf)]
    assert shift_rows(np.zeros(168, dtype=bool), 100.0) == []
