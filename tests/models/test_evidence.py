"""What is told of one door: shares add up, nothing withheld appears, what is left out has its reason."""

from datetime import date

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from scipy.stats import binomtest

from errors import InvalidInputError
from models.evidence import (
    DECISION_COLUMNS,
    LISTED_SHARE,
    Decision,
    apply_decisions,
    door_records,
    field_words,
    may_name,
    read_decisions,
    reporting_panel,
    write_decisions,
)
from models.incidents import ALL_CALLS, HEADLINE
from tests.models.evidence_cases import DOOR_M, RULES, quarter

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).map(str.strip)
plain = words.filter(lambda text: text != "" and text[0] not in "=+-@\ufeff")


def test_shares_of_an_incident_add_up_to_one() -> None:
    found = quarter().records()
    np.testing.assert_allclose(found["share"] + found["others"] + found["street"], 1.0)
    assert (found["next"] <= found["others"] + 1e-12).all()
    assert (found["share"] > 0).all()


def test_all_doors_and_the_street_account_for_every_incident() -> None:
    case = quarter()
    shown = case.frame["lane"].isin((HEADLINE, ALL_CALLS)).to_numpy()
    doors = sum(float(case.records(door)["share"].sum()) for door in range(len(DOOR_M)))
    place = case.shares.place_of_incident[shown]
    street = float(case.shares.weights[:, [len(DOOR_M)]].toarray().ravel()[place].sum())
    assert doors + street == pytest.approx(float(shown.sum()))


def test_withheld_void_and_faraway_records_are_never_listed() -> None:
    case = quarter(300)
    assert (case.frame["type_code"] == "42S").sum() > 10
    assert (case.frame["disposition"] == "VOI").sum() > 10
    for door in range(len(DOOR_M)):
        found = case.records(door)
        assert not found["type_code"].eq("42S").any()
        assert not found["disposition"].eq("VOI").any()
        assert set(found["lane"]) <= {HEADLINE, ALL_CALLS}
        assert found["metres"].max() < 1000


def test_a_block_is_never_on_the_premises() -> None:
    found = quarter(200).records()
    by_place = found.groupby("premises")["location_precision"].agg(set)
    assert by_place["on premises"] == {"exact"}
    assert by_place["not known"] == {"block"}
    assert found.loc[found["premises"] == "on premises", "metres"].max() <= 15


def test_the_latest_comes_first() -> None:
    found = quarter().records()
    assert found["opened_at"].is_monotonic_decreasing


def test_records_without_times_types_or_endings_are_listed_as_they_are() -> None:
    case = quarter()
    bare = case.frame.drop(columns=["opened_at", "closed_at", "type_text", "disposition", "self_initiated"])
    found = door_records(bare, case.shares, 0)
    assert len(found) == len(case.records())
    assert found[["opened_at", "closed_at", "type_text", "disposition", "self_initiated"]].isna().all().all()


def test_a_decision_marks_and_removes_nothing() -> None:
    case = quarter()
    found = door_records(case.frame, case.shares, 0)
    item = str(found["call_id"].iloc[2])
    marked = apply_decisions(
        found, [Decision(item, "the call was across the street", "JD", date(2025, 3, 1))]
    )
    assert len(marked) == len(found)
    assert marked["attributable"].sum() == len(found) - 1
    assert marked["why_not"].iloc[2] == "the call was across the street (JD, 2025-03-01)"
    with pytest.raises(InvalidInputError, match="Z-9 is not among"):
        apply_decisions(found, [Decision("Z-9", "no", "JD", date(2025, 3, 1))])


@given(
    st.lists(st.builds(Decision, plain, plain, plain, st.dates()), unique_by=lambda d: d.call_id, max_size=8)
)
def test_decisions_round_trip(decisions: list[Decision]) -> None:
    assert read_decisions(write_decisions(decisions)) == tuple(decisions)


def test_decisions_tell_every_fault_by_line() -> None:
    text = "\n".join(
        [
            ",".join(DECISION_COLUMNS),
            "A-1,seen across the street,JD,2025-03-01",
            "A-1,again,JD,2025-03-01",
            ",why,JD,2025-03-01",
            "A-2,,JD,2025-03-01",
            "A-3,why,,someday",
            "A-4,=1+1,JD,2025-03-01",
            f"A-5,{'x' * 301},JD,2025-03-01",
            "A-6",
        ]
    )
    with pytest.raises(InvalidInputError) as caught:
        read_decisions(text)
    for told in (
        "line 3: item A-1 was decided before",
        "line 4: no item number",
        "line 5: no reason",
        "line 6: no analyst",
        'line 6: "someday" is not a day',
        "line 7: begins with a sign",
        "line 8: the reason is over 300",
        "line 9: no reason",
    ):
        assert told in str(caught.value)
    with pytest.raises(InvalidInputError, match="first line must name"):
        read_decisions("item,why\nA-1,no")
    assert read_decisions("\ufeff" + ",".join(DECISION_COLUMNS)) == ()


def test_names_are_on_where_the_data_carry_them() -> None:
    outlets = pd.DataFrame({"name": ["Planted Bar"], "category": ["bar"]})
    case = quarter(400)
    found = may_name(case.frame, outlets, incident_years=(2024, 2025), licence_years=(2023, 2024, 2025))
    assert found.allowed
    assert found.reasons == ()


def test_names_are_off_with_every_reason() -> None:
    """As in the extract: places only, other years, nothing on how an incident ended."""
    frame = quarter(100).frame
    bare = frame[["call_id", "lon", "lat", "lane"]].assign(location_precision="unknown")
    found = may_name(bare, pd.DataFrame({"name": [None]}), incident_years=(2022,), licence_years=(2024,))
    assert not found.allowed
    told = " ".join(found.reasons)
    for part in (
        "incidents are of 2022, licences of 2024",
        "no record says when",
        "of which type",
        "how it ended",
    ):
        assert part in told
    assert "no incident is placed" in told
    assert "no names" in told
    some = frame.assign(disposition=frame["disposition"].where(np.arange(len(frame)) % 2 == 0))
    some = some[some["opened_at"] < some["opened_at"].min() + pd.Timedelta(days=90)]
    half = may_name(some, pd.DataFrame({"name": ["X"]}), incident_years=(), licence_years=())
    assert any("% of incidents say how it ended" in reason for reason in half.reasons)
    assert "the incidents cover less than a year" in half.reasons
    assert "the tables do not say of which years they are" in half.reasons
    none = may_name(frame[:0], pd.DataFrame(), incident_years=(2024,), licence_years=(2024,))
    assert "there are no incidents" in none.reasons


def test_the_panel_counts_what_is_known_and_says_what_is_not() -> None:
    case = quarter(200)
    found = case.records()
    officer, report, caller = reporting_panel(found, RULES.written_report, case.frame)
    assert (found["share"] < LISTED_SHARE).any()
    found = found[found["share"] >= LISTED_SHARE]
    assert (officer.count, officer.of) == (int(found["self_initiated"].sum()), len(found))
    assert (report.count, report.of) == (int((found["disposition"] == "RTF").sum()), len(found))
    exact = binomtest(officer.count, officer.of).proportion_ci(0.95, method="exact")
    assert (officer.low, officer.high) == pytest.approx((exact.low, exact.high))
    shown = case.frame[case.frame["lane"].isin((HEADLINE, ALL_CALLS))]
    assert officer.city == pytest.approx(shown["self_initiated"].mean())
    assert caller.of == 0
    assert np.isnan(caller.share)
    assert caller.words.startswith("Not known")


def test_the_panel_holds_without_fields() -> None:
    bare = quarter().records()[["call_id", "lane", "share"]]
    officer, report, _ = reporting_panel(bare, RULES.written_report)
    assert (officer.of, report.of) == (0, 0)
    assert np.isnan([officer.low, officer.high, officer.city, officer.share]).all()


@pytest.mark.parametrize(("yes", "limits"), [(0, (0.0, 0.308)), (10, (0.692, 1.0))])
def test_the_interval_at_the_ends(yes: int, limits: tuple[float, float]) -> None:
    """Clopper and Pearson's limits for 0 and 10 of 10: 30.8 and 69.2 %."""
    flags = pd.DataFrame({"self_initiated": pd.array([True] * yes + [False] * (10 - yes), dtype="boolean")})
    officer = reporting_panel(flags.assign(lane=HEADLINE, share=1.0), ())[0]
    assert (officer.low, officer.high) == pytest.approx(limits, abs=5e-4)


def test_fields_are_told_in_words() -> None:
    told = field_words(quarter().frame.drop(columns="disposition"))
    assert "All incidents say when it was opened." in told
    assert "No incidents say how it ended." in told


def test_wrong_doors_and_frames_are_told() -> None:
    case = quarter()
    with pytest.raises(InvalidInputError) as caught:
        door_records(case.frame[:-1], case.shares, 9)
    assert "not those that were shared out" in str(caught.value)
    assert "no such door" in str(caught.value)
