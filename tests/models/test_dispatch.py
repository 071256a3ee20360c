"""The simulator against a slow plain reference, call by call, and against what must hold of any run."""

import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings

from errors import InvalidInputError
from models.dispatch import Simulation, nested_table, next_places, simulate, thin_minutes
from tests.models.dispatch_cases import Case, cases
from tests.models.dispatch_reference import Reference

MINUTES = {
    "assigned_min": "assigned",
    "enroute_min": "enroute",
    "on_scene_min": "on_scene",
    "leave_min": "leave",
    "at_hospital_min": "at_hospital",
    "available_min": "available",
}


def _simulate(case: Case) -> Simulation:
    return simulate(case.calls, case.units, case.places, case.travel_min, case.hospitals, **case.rules)


def _compare(case: Case, found: Simulation, reference: Reference) -> None:
    names = sorted(case.units["unit_id"].unique())
    for call in reference.calls:
        row: dict[Any, Any] = found.calls.iloc[call.row].to_dict()
        assert row["free_units"] == call.free_units
        assert row["turned_away"] == len(call.turned)
        if call.answer is None:
            assert row["status"] != "served"
            event(f"unserved: {row['status']}")
            assert pd.isna(row["unit_id"])
            assert np.isnan([row[name] for name in MINUTES]).all()
            continue
        answer = call.answer
        assert row["status"] == "served"
        assert (row["unit_id"], row["how"], row["from_place"], row["hospital"]) == (
            names[answer.unit],
            answer.how,
            answer.from_place,
            answer.hospital,
        )
        for column, name in MINUTES.items():
            assert row[column] == pytest.approx(getattr(answer, name), rel=1e-12, abs=1e-9, nan_ok=True)
        event(f"{answer.how}, {case.rules['en_route']}")
        if answer.assigned > call.ready:
            event("waited")
    assert found.units["moves"].tolist() == [unit.moves for unit in reference.units]
    turned = sorted((call.row, names[u], a, t) for call in reference.calls for u, a, t in call.turned)
    listed = sorted(found.turned_away.itertuples(index=False, name=None))
    assert len(turned) == len(listed)
    for mine, theirs in zip(listed, turned, strict=True):
        assert mine[:2] == theirs[:2]
        assert mine[2:] == pytest.approx(theirs[2:])
    if turned:
        event("turned away")
    if found.units["moves"].any():
        event("moved up")


@given(cases())
@settings(max_examples=400, deadline=None)
def test_agrees_with_the_reference_call_by_call(case: Case) -> None:
    reference = case.reference()
    reference.run()
    _compare(case, _simulate(case), reference)


@pytest.mark.slow
@given(cases())
@settings(max_examples=8000, deadline=None)
def test_agrees_with_the_reference_on_many_traces(case: Case) -> None:
    reference = case.reference()
    reference.run()
    _compare(case, _simulate(case), reference)


@given(cases())
@settings(max_examples=150, deadline=None)
def test_what_must_hold_of_every_run(case: Case) -> None:
    found = _simulate(case)
    calls, units = found.calls, case.units
    served = calls[calls["status"] == "served"]
    assert len(calls) == len(case.calls)
    assert found.units["calls"].sum() == len(served)
    assert found.unserved.sum() == len(calls) - len(served)
    assert (calls["unit_id"].notna() == (calls["status"] == "served")).all()
    assert (served["wait_min"] >= 0).all()
    # No unit is in two places: what each did follows one after the other.
    spans = [
        *served[["unit_id", "assigned_min", "available_min"]].itertuples(index=False, name=None),
        *found.turned_away[["unit_id", "assigned_min", "turned_min"]].itertuples(index=False, name=None),
    ]
    for name in units["unit_id"].unique():
        own = sorted((start, end) for unit, start, end in spans if unit == name)
        assert all(first[1] <= second[0] + 1e-9 for first, second in pairwise(own))
        shifts = units.loc[units["unit_id"] == name, ["starts_min", "ends_min"]].to_numpy()
        assert all(((shifts[:, 0] <= start) & (start < shifts[:, 1])).any() for start, _ in own)
    # Work is conserved: while a call waits, no unit that may answer it is free and on shift.
    kinds = units.drop_duplicates("unit_id").set_index("unit_id")
    for row in calls[calls["wait_min"].fillna(np.inf) > 1e-9].reset_index().to_dict("records"):
        until = row["assigned_min"] if row["status"] == "served" else np.inf
        turned = found.turned_away.loc[found.turned_away["call"] == row["index"], "turned_min"]
        since = max([row["ready_min"], *turned])
        for name, kind in kinds.iterrows():
            able = kind["unit_type"] == "ALS" or row["unit_type"] in {"", kind["unit_type"]}
            if not able or np.isinf(case.travel_min[0, int(kind["post"]), int(row["place"])]):
                continue
            busy = sorted((start, end) for unit, start, end in spans if unit == name)
            for start, end in units.loc[units["unit_id"] == name, ["starts_min", "ends_min"]].to_numpy():
                _assert_all_busy(max(start, since), min(end, until), busy)


def _assert_all_busy(start: float, end: float, busy: list[tuple[float, float]]) -> None:
    at = start
    for from_min, until in busy:
        if from_min <= at + 1e-9:
            at = max(at, until)
    assert at >= end - 1e-9


def test_a_case_by_hand_on_the_line() -> None:
    """One unit drives home twelve kilometres in 24 minutes; a call comes when a third of it is behind."""
    places = {"x_m": [0.0, 4000.0, 12000.0], "y_m": [0.0, 0.0, 0.0]}
    travel = np.array([[0.0, 4.0, 12.0], [4.0, 0.0, 8.0], [12.0, 8.0, 0.0]])
    calls = {"call_min": [0.0, 30.0], "place": [2, 1], "on_scene_min": [10.0, 5.0]}
    found = simulate(calls, {"post": [0]}, places, travel, None, en_route="line", home_factor=2.0)
    # Free at 12 + 10 = 22, home at 22 + 24 = 46. At 30 a third is behind: 8 km from the post, as near to 4
    # as to 12 km, so the lower place counts.
    assert found.calls["from_place"].tolist() == [0, 1]
    assert found.calls["how"].tolist() == ["at post", "on the road"]
    assert found.calls["response_min"].tolist() == [12.0, 0.0]
    # On the network the next place is 4 km from the post, (16 min - 8 min) / 2 = 4 siren minutes away.
    found = simulate(calls, {"post": [0]}, None, travel, None, en_route="network", home_factor=2.0)
    assert found.calls["from_place"].tolist() == [0, 1]
    assert found.calls["response_min"].tolist() == [12.0, 4.0]


def test_ties_go_to_the_lowest_unit_id_not_the_first_row() -> None:
    units = {"unit_id": ["M3", "M1", "M2"], "post": [0, 0, 0]}
    calls = {"call_min": [0.0, 0.0, 0.0], "place": [0, 0, 0], "on_scene_min": [5.0, 5.0, 5.0]}
    found = simulate(calls, units, None, np.zeros((1, 1)), None)
    assert found.calls["unit_id"].tolist() == ["M1", "M2", "M3"]
    assert found.units["unit_id"].tolist() == ["M1", "M2", "M3"]


def test_a_nested_list_with_move_up_fills_its_first_post() -> None:
    travel = np.array([[0.0, 10.0, 20.0], [10.0, 0.0, 10.0], [20.0, 10.0, 0.0]])
    calls = {"call_min": [0.0, 60.0], "place": [0, 0], "on_scene_min": [200.0, 5.0]}
    options: dict[str, Any] = {"compliance": nested_table([0, 1, 2])}
    still = simulate(calls, {"post": [0, 1, 2]}, None, travel, None, **options)
    moved = simulate(calls, {"post": [0, 1, 2]}, None, travel, None, move_up=True, **options)
    assert still.calls["response_min"].tolist() == [0.0, 10.0]
    assert moved.calls["response_min"].tolist() == [0.0, 0.0]
    # With two free the list holds posts 0 and 1: unit 2 is to spare, and goes to 0. It answers the second
    # call, and unit 1, then alone, goes to 0.
    assert moved.calls["unit_id"].tolist() == [0, 2]
    assert moved.units["moves"].tolist() == [0, 1, 1]


def test_the_next_place_found_from_minutes_is_on_the_shortest_path() -> None:
    random = np.random.default_rng(4)
    from tests.models.dispatch_cases import network

    minutes, table = network(random, np.zeros(30, dtype=np.int64), whole=False)
    found = next_places(minutes, np.arange(30), slack_min=1e-9)[0]
    for start in range(30):
        for goal in range(30):
            if start == goal:
                continue
            place, whole = int(found[start, goal]), minutes[start, goal]
            assert minutes[start, place] + minutes[place, goal] == pytest.approx(whole)
            assert place == table[start, goal] or minutes[start, place] <= minutes[start, table[start, goal]]


def test_unserved_calls_are_named_with_their_reason() -> None:
    apart = np.array([[0.0, np.inf], [np.inf, 0.0]])
    calls = {
        "call_min": [0.0, 1.0, 2.0, 90.0],
        "place": [0, 0, 1, 0],
        "unit_type": ["BLS", "ALS", "BLS", "BLS"],
        "on_scene_min": [5.0] * 4,
    }
    units = {"post": [0], "unit_type": ["BLS"], "starts_min": [0.0], "ends_min": [60.0]}
    found = simulate(calls, units, None, apart, None)
    assert found.calls["status"].tolist() == [
        "served",
        "no unit of its type",
        "no unit can reach it",
        "no unit on shift",
    ]
    assert found.unserved.to_dict() == {
        "no unit on shift": 1,
        "no unit of its type": 1,
        "no unit can reach it": 1,
    }
    never = simulate(calls, {**units, "starts_min": [200.0], "ends_min": [260.0]}, None, apart, None)
    assert never.calls["assigned_min"].tolist()[::3] == [200.0, 205.0]
    assert never.units["on_duty_min"].tolist() == [0.0]


def test_a_shift_that_ends_on_a_call_is_finished_and_counted_as_overtime() -> None:
    units = {"unit_id": [7, 7], "post": [0, 0], "starts_min": [0.0, 100.0], "ends_min": [30.0, 200.0]}
    calls = {"call_min": [20.0, 40.0], "place": [0, 0], "on_scene_min": [40.0, 10.0]}
    found = simulate(calls, units, None, np.zeros((1, 1)), None, until_min=300.0)
    assert found.calls["assigned_min"].tolist() == [20.0, 100.0]
    row = found.units.iloc[0]
    assert (row["on_duty_min"], row["busy_min"], row["overtime_min"]) == (130.0, 20.0, 30.0)
    assert row["utilisation"] == pytest.approx(20 / 130)


def test_a_shift_that_continues_while_busy_counts_both_shifts() -> None:
    units = {"unit_id": [7, 7], "post": [0, 0], "starts_min": [0.0, 50.0], "ends_min": [30.0, 200.0]}
    calls = {"call_min": [20.0], "place": [0], "on_scene_min": [60.0]}
    row = simulate(calls, units, None, np.zeros((1, 1)), None, until_min=200.0).units.iloc[0]
    assert (row["busy_min"], row["overtime_min"]) == (40.0, 20.0)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_thin_minutes_equal_counting_by_the_moment(case: Case) -> None:
    found = _simulate(case)
    until = found.outcome.until
    thin = thin_minutes(found)
    spans = [
        *found.calls[["unit_id", "assigned_min", "available_min"]]
        .dropna()
        .itertuples(index=False, name=None),
        *found.turned_away[["unit_id", "assigned_min", "turned_min"]].itertuples(index=False, name=None),
    ]
    assert (thin["minutes"] > 0).all()
    assert (thin["starts_min"].to_numpy()[1:] >= thin["ends_min"].to_numpy()[:-1]).all()
    for minute in np.random.default_rng(0).uniform(0, until, 20) if until > 0 else []:
        on = case.units[(case.units["starts_min"] <= minute) & (minute < case.units["ends_min"])]["unit_id"]
        busy = {unit for unit, start, end in spans if start <= minute < end}
        free = len(set(on) - busy)
        rows = thin[(thin["starts_min"] <= minute) & (minute < thin["ends_min"])]
        assert len(rows) == (free <= 1)
        if len(rows):
            assert (rows["free"].iloc[0], rows["on_duty"].iloc[0]) == (free, on.nunique())
            waiting = ((found.calls["ready_min"] <= minute) & ~(found.calls["assigned_min"] <= minute)).sum()
            assert rows["waiting"].iloc[0] >= waiting
    phases = [f"{phase}_min" for phase in ("turnout_and_drive", "on_scene", "to_hospital", "at_hospital")]
    for row in thin.to_dict("records"):
        inside = sum(max(0.0, min(e, row["ends_min"]) - max(s, row["starts_min"])) for _, s, e in spans)
        assert sum(row[name] for name in phases) == pytest.approx(inside, abs=1e-6)


def test_thin_minutes_say_what_caused_them() -> None:
    units = {
        "unit_id": ["A", "B", "C"],
        "post": [0, 0, 0],
        "starts_min": [0.0] * 3,
        "ends_min": [200.0, 200.0, 90.0],
    }
    calls = {
        "call_min": [10.0, 20.0],
        "place": [0, 0],
        "on_scene_min": [5.0, 5.0],
        "transported": [True, True],
        "at_hospital_min": [50.0, 30.0],
    }
    found = simulate(calls, units, None, np.zeros((1, 1)), [0], until_min=200.0)
    thin = thin_minutes(found)
    assert thin[["starts_min", "ends_min", "free", "on_duty", "call"]].to_numpy().tolist() == [
        [20.0, 55.0, 1.0, 3.0, 1.0]
    ]
    assert thin["began"].tolist() == ["call 1 took B"]
    assert thin["cause"].tolist() == ["units held at hospital"]
    assert thin["at_hospital_min"].tolist() == [35.0 + 30.0]
    busier = thin_minutes(found, at_most=2)
    assert busier["began"].tolist() == [
        "call 0 took A",
        "call 1 took B",
        "a unit came free",
        "end of shift: C",
    ]
    assert busier["cause"].tolist()[-1] == "few units on shift"


GOOD: dict[str, Any] = {
    "calls": {"call_min": [0.0, 5.0], "place": [0, 1], "on_scene_min": [5.0, 5.0]},
    "units": {"post": [0]},
    "places": None,
    "travel_min": np.ones((2, 2)),
    "hospitals": [0],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"calls": {"call_min": [5.0, 0.0]}}, "out of order"),
        ({"calls": {"call_min": [0.0, np.nan]}}, "calls.call_min must be finite and zero or more: 1 of 2"),
        ({"calls": {"on_scene_min": [-1.0, 1.0]}}, "calls.on_scene_min must be finite"),
        ({"calls": {"place": [0, 2]}}, "calls.place must be a row of travel_min, 0 to 1"),
        ({"calls": {"priority": [1, 4]}}, "calls.priority must be a whole number from 1"),
        ({"calls": {"unit_type": ["ALS", "HELI"]}}, "HELI"),
        ({"calls": {"transported": [True, False]}}, "lack at_hospital_min"),
        (
            {"calls": {"transported": [True, False], "at_hospital_min": [1, 1]}, "hospitals": None},
            "no hospital is open",
        ),
        (
            {
                "calls": {"transported": [True, False], "at_hospital_min": [1, 1]},
                "hospitals": {"place": [0], "receives_911": [None]},
            },
            "no hospital is open",
        ),
        ({"calls": {"transport_share": [0.5, 0.5], "at_hospital_min": [1, 1]}}, "a seed is needed"),
        ({"units": {"post": []}}, "there is no unit"),
        ({"units": {"post": [0, 1], "unit_id": ["A", "A"]}}, "unit_id must be unique"),
        ({"units": {"starts_min": [5.0], "ends_min": [5.0]}}, "must end after it starts"),
        ({"units": {"starts_min": [5.0]}}, "both starts_min and ends_min"),
        ({"units": {"unit_type": ["HELI"]}}, "HELI"),
        ({"travel_min": np.array([[0.0, np.nan], [1.0, 0.0]])}, "1 entries are NaN or negative"),
        ({"travel_min": np.array([[0.0, np.inf], [1.0, 0.0]])}, "one way only"),
        ({"travel_min": np.ones((2, 3))}, "travel_min must be"),
        ({"travel_min": np.ones((2, 2, 2))}, "band_of_hour"),
        ({"en_route": "line"}, "needs the coordinates"),
        ({"home_factor": 0.0}, "home_factor must be above zero"),
        ({"preempt": True}, "preempt needs queue='priority'"),
        ({"move_up": True}, "needs a compliance table"),
        ({"compliance": [[0], [1]]}, "row 2 of the compliance table must list 2 posts"),
        (
            {"next_place": np.zeros((2, 2), dtype=int), "units": {"post": [1]}},
            "must name a place that is closer",
        ),
    ],
)
def test_bad_input_is_told_in_words(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {
        name: {**value, **change.get(name, {})} if isinstance(value, dict) else change.get(name, value)
        for name, value in GOOD.items()
    }
    given |= {name: value for name, value in change.items() if name not in GOOD}
    if not given["units"]["post"]:
        given["units"] = pd.DataFrame({"post": pd.Series([], dtype=int)})
    with pytest.raises(InvalidInputError, match=words.replace("(", r"\(")):
        simulate(**given)


def test_all_faults_are_told_together() -> None:
    with pytest.raises(InvalidInputError, match="4 faults") as caught:
        simulate(
            {"call_min": [3.0, 1.0], "place": [0, 9]}, {"post": [5]}, None, np.zeros((1, 1)), None, seed=1
        )
    for words in ("out of order", "calls.place", "units.post", "on_scene_min"):
        assert words in str(caught.value)


def test_no_calls_is_a_quiet_day() -> None:
    empty = pd.DataFrame({"call_min": [], "place": [], "on_scene_min": []}, dtype=float)
    found = simulate(empty, {"post": [0, 0]}, None, np.zeros((1, 1)), None, until_min=60.0)
    assert len(found.calls) == 0
    assert found.units["on_duty_min"].tolist() == [60.0, 60.0]
    assert thin_minutes(found).empty


def test_importing_the_simulator_does_not_import_the_compiler() -> None:
    code = "import sys, models.dispatch; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
