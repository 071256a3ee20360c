import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.scenario import (
    CHANGE_TYPES,
    AddPost,
    Change,
    CleanBasins,
    CloseRoad,
    DivertHospital,
    FloodStreets,
    LoseUnits,
    MovePost,
    RainStorm,
    RemovePost,
    ScaleDemand,
    Scenario,
    SetClock,
    SetDemand,
    SetHourOfWeek,
    SetOrder,
    SetRules,
    SetSpeedFactor,
    SetSpeeds,
    SetTarget,
    SetUnits,
    SetWorkload,
)
from models.water_changes import MAX_STOPS

post_ids = st.text(min_size=1, max_size=8)
lons, lats = st.floats(-180, 180), st.floats(-90, 90)
changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(MovePost, post_ids, lons, lats),
    st.builds(AddPost, post_ids, lons, lats, st.text(max_size=12)),
    st.builds(RemovePost, post_ids),
    st.builds(SetUnits, st.integers(0, 99)),
    st.builds(SetOrder, st.lists(post_ids, max_size=5, unique=True).map(tuple)),
    st.builds(CloseRoad, post_ids),
    st.builds(FloodStreets, post_ids),
    st.builds(
        RainStorm,
        st.floats(0, 400),
        st.floats(30, 1440),
        st.sampled_from(["middle", "early", "even"]),
        st.floats(0, 100),
        st.floats(0, 100),
    ),
    st.builds(CleanBasins, st.lists(post_ids, max_size=5, unique=True).map(tuple)),
    st.builds(DivertHospital, post_ids),
    st.builds(LoseUnits, st.integers(1, 99)),
    st.builds(ScaleDemand, st.floats(0.1, 10)),
    st.builds(SetSpeedFactor, st.floats(0.1, 10)),
    st.builds(SetSpeeds, st.sampled_from(["assumed", "fitted"])),
    st.sampled_from(
        [
            SetRules(),
            SetRules("priority", preempt=True),
            SetRules(compliance=True, move_up=True, shifts=True, als_first=True),
        ]
    ),
    st.builds(SetTarget, st.floats(0.5, 120)),
    st.builds(SetClock, st.floats(0, 3600), st.floats(0, 3600)),
    st.builds(SetWorkload, st.floats(0.1, 9000), st.floats(0.1, 500)),
    st.builds(SetHourOfWeek, st.integers(0, 167)),
    st.builds(SetDemand, st.sampled_from(["calls", "priority", "population"])),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    scenario = Scenario("new-orleans")
    for change in draw(st.lists(changes, max_size=8)):
        scenario = scenario.having(change)
    return scenario


@given(scenarios())
def test_json_and_address_text_give_the_same_scenario_back(scenario: Scenario) -> None:
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert Scenario.from_text(scenario.to_text()) == scenario
    assert Scenario.from_text(scenario.to_text()).hash == scenario.hash
    assert set(scenario.to_text()) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(scenarios(), scenarios())
def test_the_hash_tells_scenarios_apart(one: Scenario, other: Scenario) -> None:
    assert (one.hash == other.hash) == (one == other)


@given(scenarios(), changes)
def test_a_later_change_takes_the_place_of_an_earlier_one(scenario: Scenario, change: Change) -> None:
    changed = scenario.having(change)
    assert changed.having(change) == changed
    assert change in changed.changes
    assert [c for c in changed.changes if c.subject == change.subject] == [change]
    assert change not in changed.without(*change.subject).changes


@given(scenarios(), scenarios())
def test_differences_rebuild_the_other(one: Scenario, other: Scenario) -> None:
    mine, theirs = one.difference(other)
    assert (set(one.changes) - set(mine)) | set(theirs) == set(other.changes)


@given(scenarios())
def test_each_change_is_said_in_one_sentence(scenario: Scenario) -> None:
    sentences = scenario.sentences({change.post_id: "Post" for change in scenario.find(MovePost)})
    assert len(sentences) == len(scenario.changes)
    assert all(sentence.endswith(".") for sentence in sentences)


def test_the_hash_is_stable_over_time() -> None:
    """A hash in a saved link must mean the same next year."""
    scenario = Scenario("new-orleans").having(MovePost("P07", -90.07, 29.95)).having(SetUnits(6))
    assert scenario.to_json() == (
        '{"baseline":"new-orleans","changes":[{"kind":"move_post","lat":29.95,"lon":-90.07,"post_id":"P07"},'
        '{"kind":"set_units","units":6}]}'
    )
    assert scenario.hash == "a818a0f78c47"


def test_sentences_name_the_posts() -> None:
    scenario = Scenario("x").having(MovePost("P07", -90.07, 29.95)).having(SetHourOfWeek(5 * 24 + 22))
    assert scenario.sentences({"P07": "Touro"}) == (
        "Touro is moved to 29.95000, -90.07000.",
        "The hour is Saturday, 22:00 to 22:59.",
    )
    lost = Scenario("x").having(FloodStreets("Low Street")).having(DivertHospital("H1")).having(LoseUnits(1))
    assert lost.sentences({"H1": "Charity"}) == (
        "Water stands at Low Street.",
        "Charity is on diversion: no ambulance goes there.",
        "1 unit is lost.",
    )
    (said,) = Scenario("x").having(SetRules("priority", compliance=True, shifts=True)).sentences()
    assert said == (
        "Simulated rules: a freed unit takes the most urgent call; freed units fill the first open post of "
        "the list; units work the city's usual shifts."
    )
    assert Scenario("x").having(SetSpeeds("fitted")).sentences() == (
        "Speeds are those fitted to the city's own unit responses.",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([{"kind": "fly"}], "no change of kind 'fly'"),
        ([{"kind": "set_speeds", "source": "guessed"}], "speeds must be one of assumed, fitted"),
        ([{"kind": "set_units"}], "missing or unknown fields: units"),
        ([{"kind": "set_units", "units": 3, "extra": 1}], "missing or unknown fields: extra"),
        ([{"kind": "set_units", "units": -1}], "zero or more"),
        ([{"kind": "set_units", "units": [1]}], "neither text nor number"),
        ([{"kind": "move_post", "post_id": "P1", "lon": 3_692_036, "lat": 543_335}], "degrees"),
        ([{"kind": "set_hour_of_week", "hour": 168}], "0 to 167"),
        ([{"kind": "scale_demand", "factor": 0}], "above 0"),
        ([{"kind": "set_target", "minutes": 0}], "above 0"),
        ([{"kind": "set_clock", "call_handling_s": -1, "turnout_s": 0}], "0 to 3600"),
        ([{"kind": "set_demand", "source": "guess"}], "must be one of"),
        ([{"kind": "flood_streets", "name": ""}], "names no street"),
        ([{"kind": "divert_hospital", "hospital_id": 3}], "names no hospital"),
        ([{"kind": "lose_units", "units": 0}], "one or more"),
        ([{"kind": "set_units", "units": 3}, {"kind": "set_units", "units": 4}], "same thing"),
        ([{"kind": "set_order", "post_ids": ["A", "A"]}], "each post once"),
        ([{"kind": "rain_storm", "depth_mm": -1, "duration_min": 60}], "zero or more"),
        ([{"kind": "rain_storm", "depth_mm": 90, "duration_min": 0}], "more than no time"),
        ([{"kind": "rain_storm", "depth_mm": 90, "duration_min": 60, "shape": "late"}], "no shape 'late'"),
        ([{"kind": "rain_storm", "depth_mm": 1016, "duration_min": 60}], "40.0 inches is more than"),
        ([{"kind": "rain_storm", "depth_mm": "90", "duration_min": 60}], "needs numbers"),
        ([{"kind": "rain_storm", "depth_mm": 90, "duration_min": 60, "pumps_out": "A:101"}], "area:percent"),
        ([{"kind": "rain_storm", "depth_mm": 90, "duration_min": 60, "pumps_out": "A"}], "area:percent"),
        ([{"kind": "rain_storm", "depth_mm": 90, "duration_min": 60, "later_mm_per_h": -2}], "zero or more"),
        ([{"kind": "clean_basins", "stops": ["A", "A"]}], "names each once"),
        ([{"kind": "clean_basins", "stops": [7]}], "names each once"),
        ([{"kind": "clean_basins", "stops": [f"B{n}" for n in range(2001)]}], "up to 2,000"),
        ([{"kind": "set_order", "post_ids": "AB"}], "each post once|missing|neither"),
        (["x"], "no change of kind 'x'"),
    ],
)
def test_faulty_scenarios_are_told(changes: list[object], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        Scenario.from_json(json.dumps({"baseline": "x", "changes": changes}))


def test_all_faults_are_told_together() -> None:
    content = {
        "baseline": "",
        "changes": [{"kind": "set_units", "units": -1}, {"kind": "close_road", "name": ""}],
    }
    with pytest.raises(InvalidInputError) as caught:
        Scenario.from_json(json.dumps(content))
    for words in ("no baseline", "zero or more", "names no street"):
        assert words in str(caught.value)


@given(st.text(max_size=200))
def test_any_address_text_is_a_scenario_or_a_clear_error(text: str) -> None:
    with pytest.raises(InvalidInputError):
        Scenario.from_text(text)


@given(scenarios(), st.data())
def test_a_cut_address_is_told(scenario: Scenario, data: st.DataObject) -> None:
    text = scenario.to_text()
    cut = text[: data.draw(st.integers(0, len(text) - 2))]
    with pytest.raises(InvalidInputError):
        Scenario.from_text(cut)


@pytest.mark.parametrize("text", ["null", "[]", "3", "{}", '{"baseline": "x"}', "{", "[" * 100_000])
def test_json_that_is_no_scenario_is_told(text: str) -> None:
    with pytest.raises(InvalidInputError, match="not a scenario"):
        Scenario.from_json(text)


def test_an_address_that_unpacks_to_too_much_is_refused() -> None:
    import base64
    import zlib

    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 10_000_000, 9)).decode().rstrip("=")
    with pytest.raises(InvalidInputError):
        Scenario.from_text(bomb)


def test_every_kind_is_known_by_its_name() -> None:
    assert all(CHANGE_TYPES[kind].kind == kind for kind in CHANGE_TYPES)
    assert len(CHANGE_TYPES) == 20


def test_a_storm_and_cleaned_basins_are_said_and_fit_into_an_address() -> None:
    random = np.random.default_rng(1)
    basins = tuple(f"CB-{number:06d}" for number in random.choice(80_000, MAX_STOPS, replace=False))
    scenario = Scenario("x", (RainStorm(114.3, 180), CleanBasins(basins)))
    storm, cleaned = scenario.sentences()
    assert storm == (
        "It rains 4.5 inches in 3 hours, heaviest in the middle; pumps take 1 inch in the first hour and "
        "0.5 inches in each hour after."
    )
    assert cleaned == "2,000 catch basins are cleaned before the storm."
    assert Scenario.from_text(scenario.to_text()) == scenario
    early = Scenario(
        "x", (RainStorm(25.4, 90, "early", pumps_out="Algiers:50|West End:100"), CleanBasins(("A",)))
    )
    assert early.sentences()[0].startswith("It rains 1 inch in 90 minutes, heaviest early;")
    assert early.sentences()[0].endswith("; 100 % of the pumps of West End stand still.")
    assert early.sentences()[1] == "1 catch basin is cleaned before the storm."
    assert scenario.difference(early)[0] == scenario.changes
    assert early.having(RainStorm(0, 60)).changes == (RainStorm(0, 60), CleanBasins(("A",)))


def test_rules_that_contradict_one_another_are_told() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Scenario("x").having(SetRules(preempt=True, move_up=True, als_first=True))
    for words in ("most urgent call", "compliance table", "city's shifts"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="queue 'longest' or 'priority'"):
        Scenario("x").having(SetRules("shortest"))  # type: ignore[arg-type]


def test_a_target_names_its_clock_and_old_addresses_count_from_the_call() -> None:
    driving = Scenario("x", (SetTarget(8.0, "departure"),))
    assert driving.sentences() == ("The target is 8 minutes from the crew's departure to arrival.",)
    assert Scenario.from_text(driving.to_text()) == driving
    old = '{"baseline":"x","changes":[{"kind":"set_target","minutes":8.0}]}'
    assert Scenario.from_json(old).changes == (SetTarget(8.0, "call"),)
    with pytest.raises(InvalidInputError, match="clock must be one of"):
        Scenario("x", (SetTarget(8.0, "noon"),))
