import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import SearchStrategy

from models import edits
from models.plan import make_plan
from models.scenario import AddPost, LoseUnits, MovePost, Scenario, SetOrder, SetUnits

POSTS = pd.DataFrame(
    {
        "post_id": list("ABCDEFGH"),
        "name": [f"Post {letter}" for letter in "ABCDEFGH"],
        "lon": [-90.0 - 0.01 * at for at in range(8)],
        "lat": [29.9 + 0.01 * at for at in range(8)],
        "baseline_rank": pd.array([2, 1, None, 3, None, 4, 5, None], dtype="Int64"),
    }
)
TODAY = Scenario("x")

Edit = tuple[str, str | int]
edit_steps: SearchStrategy[list[Edit]] = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["toggle", "move", "delete"]), st.sampled_from([*"ABCDEFGH", "new-1", "new-2"])
        ),
        st.tuples(st.just("units"), st.integers(0, 7)),
        st.tuples(st.just("lose"), st.integers(1, 3)),
        st.tuples(st.just("add"), st.just(0)),
        st.tuples(st.just("order"), st.sampled_from(["HCB", "ABDFG", "", "GE"])),
    ),
    max_size=10,
)


def _apply(steps: list[Edit]) -> Scenario:
    scenario = TODAY
    for kind, value in steps:
        match kind:
            case "toggle":
                scenario = edits.toggle_post(POSTS, scenario, str(value))
            case "move":
                scenario = edits.move_post(POSTS, scenario, str(value), -90.123456, 29.987654)
            case "delete":
                scenario = edits.delete_post(POSTS, scenario, str(value))
            case "order":
                scenario = edits.set_order(POSTS, scenario, tuple(str(value)))
            case "units":
                scenario = edits.set_units(POSTS, scenario, int(value))
            case "lose":
                scenario = scenario.having(LoseUnits(int(value)))
            case _:
                scenario = edits.add_post(POSTS, scenario, -90.05, 29.95)
    return scenario


def _staffed(scenario: Scenario) -> set[str]:
    return {post.post_id for post in make_plan(POSTS, scenario).staffed}


def test_today_is_the_ranked_posts_in_order() -> None:
    plan = make_plan(POSTS, TODAY)
    assert [post.post_id for post in plan.staffed] == ["B", "A", "D", "F", "G"]
    assert [post.state for post in plan.posts[5:]] == ["candidate"] * 3


@given(edit_steps, st.sampled_from("ABCDEFGH"))
def test_a_toggle_changes_that_post_alone_and_back(steps: list[Edit], post_id: str) -> None:
    scenario = _apply(steps)
    toggled = edits.toggle_post(POSTS, scenario, post_id)
    assert _staffed(toggled) ^ _staffed(scenario) == {post_id}
    assert _staffed(edits.toggle_post(POSTS, toggled, post_id)) == _staffed(scenario)


@given(edit_steps, st.sampled_from("ABCDEFGH"))
def test_a_moved_post_stands_at_its_new_place_and_all_others_stay(steps: list[Edit], post_id: str) -> None:
    scenario = _apply(steps)
    moved = edits.move_post(POSTS, scenario, post_id, -90.11111, 29.99999)
    before = {post.post_id: (post.lon, post.lat) for post in make_plan(POSTS, scenario).posts}
    after = {post.post_id: (post.lon, post.lat) for post in make_plan(POSTS, moved).posts}
    assert after.pop(post_id) == (-90.11111, 29.99999)
    before.pop(post_id)
    assert after.keys() == before.keys()
    assert all(after[other] == pytest.approx(before[other], abs=1e-5) for other in before)
    assert _staffed(moved) == _staffed(scenario) | {post_id}


@given(edit_steps)
def test_an_added_post_is_one_unit_more(steps: list[Edit]) -> None:
    scenario = _apply(steps)
    added = edits.add_post(POSTS, scenario, -90.05, 29.95)
    (new,) = _staffed(added) - _staffed(scenario)
    assert _staffed(added) == _staffed(scenario) | {new}
    assert new.startswith("new-")
    emptied = edits.empty_post(POSTS, added, new)
    assert _staffed(emptied) == _staffed(scenario)
    assert make_plan(POSTS, emptied).post(new) is not None
    deleted = edits.delete_post(POSTS, added, new)
    assert _staffed(deleted) == _staffed(scenario)
    assert make_plan(POSTS, deleted).post(new) is None


@given(edit_steps, st.integers(0, 12))
def test_units_staff_the_first_posts_of_the_order(steps: list[Edit], units: int) -> None:
    scenario = edits.set_units(POSTS, _apply(steps), units)
    plan = make_plan(POSTS, scenario)
    order = plan.in_order
    assert plan.staffed == order[: min(max(units - plan.lost, 0), len(order))]
    if units >= len(order) and not plan.lost:
        assert not scenario.find(SetUnits)


@given(edit_steps)
def test_every_post_stands_once_in_every_plan_and_the_scenario_can_be_sent(steps: list[Edit]) -> None:
    scenario = _apply(steps)
    plan = make_plan(POSTS, scenario)
    ids = [post.post_id for post in plan.posts]
    assert len(set(ids)) == len(ids)
    assert set("ABCDEFGH") <= set(ids)
    assert not plan.ignored
    assert Scenario.from_text(scenario.to_text()) == scenario
    assert [post.order for post in plan.in_order] == list(range(1, len(plan.in_order) + 1))


@given(edit_steps, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(steps: list[Edit], random: object) -> None:
    scenario = _apply(steps)
    shuffled = POSTS.sample(frac=1, random_state=random.randint(0, 1000))  # type: ignore[attr-defined]
    assert make_plan(shuffled, scenario) == make_plan(POSTS, scenario)


def test_a_change_of_an_unknown_post_is_told_not_lost() -> None:
    scenario = TODAY.having(MovePost("Z", -90.0, 29.9)).having(AddPost("C", -90.02, 29.92))
    plan = make_plan(POSTS, scenario)
    assert plan.ignored == ("Post Z is not in this city; the change was left out.",)
    assert [post.post_id for post in plan.staffed] == ["B", "A", "D", "F", "G", "C"]
    assert edits.move_post(POSTS, TODAY, "Z", -90.0, 29.9) == TODAY
    assert edits.toggle_post(POSTS, TODAY, "Z") == TODAY


def test_lost_units_leave_the_last_posts_empty_and_come_back() -> None:
    lost = TODAY.having(LoseUnits(2))
    plan = make_plan(POSTS, lost)
    assert [post.post_id for post in plan.staffed] == ["B", "A", "D"]
    assert (plan.lost, plan.on_duty) == (2, 5)
    assert not make_plan(POSTS, TODAY.having(LoseUnits(9))).staffed
    # A post staffed by hand is one unit more beside those lost, and stays when they come back.
    more = edits.toggle_post(POSTS, lost, "F")
    assert [post.post_id for post in make_plan(POSTS, more).staffed] == ["B", "A", "D", "F"]
    back = make_plan(POSTS, more.without(LoseUnits.kind))
    assert [post.post_id for post in back.staffed] == ["B", "A", "D", "F", "G"]


def test_another_order_takes_the_place_of_today() -> None:
    scenario = TODAY.having(SetOrder(("H", "C", "B"))).having(SetUnits(2))
    plan = make_plan(POSTS, scenario)
    assert [post.post_id for post in plan.staffed] == ["H", "C"]
    assert {post.post_id for post in plan.posts if post.state == "off"} == {"B", "A", "D", "F", "G"}
    changed = {post.post_id for post in plan.posts if post.changed}
    assert changed == {"H", "C", "A", "D", "F", "G"}
    unknown = make_plan(POSTS, TODAY.having(SetOrder(("H", "Z"))))
    assert unknown.ignored == ("Post Z is not in this city; the change was left out.",)


@given(edit_steps, st.permutations("ABCDEFGH"), st.integers(0, 8))
def test_a_list_staffs_its_posts_in_order_and_no_other(steps: list[Edit], posts: list[str], n: int) -> None:
    listed = edits.set_order(POSTS, _apply(steps), posts[:n])
    assert [post.post_id for post in make_plan(POSTS, listed).staffed] == posts[:n]


def test_a_post_that_stands_twice_in_a_list_holds_two_units() -> None:
    moved = edits.move_post(POSTS, TODAY, "B", -90.5, 30.0)
    listed = edits.set_order(POSTS, moved, list("BAB"))
    plan = make_plan(POSTS, listed)
    assert [post.post_id for post in plan.staffed] == ["B", "A", "B+2"]
    assert [post.name for post in plan.staffed] == ["Post B", "Post A", "Post B, unit 2"]
    assert plan.places()[0].tolist() == plan.places()[2].tolist() == [-90.5, 30.0]
    assert Scenario.from_text(listed.to_text()) == listed
    # The next list takes the second unit's place off again, or gives it a third.
    again = edits.set_order(POSTS, listed, list("BBB"))
    assert [post.post_id for post in make_plan(POSTS, again).staffed] == ["B", "B+2", "B+3"]
    alone = edits.set_order(POSTS, again, list("BA"))
    assert not any("+" in post.post_id for post in make_plan(POSTS, alone).posts)


def _twice() -> Scenario:
    """Post B holds the first and the third unit of four."""
    return edits.set_order(POSTS, TODAY, ["B", "A", "B", "D"])


def test_units_at_one_place_stand_together() -> None:
    groups = make_plan(POSTS, _twice()).together()
    assert [[post.post_id for post in group] for group in groups[:3]] == [["B", "B+2"], ["A"], ["D"]]
    assert sorted(post.post_id for group in groups for post in group) == ["A", "B", "B+2", *"CDEFGH"]


@pytest.mark.parametrize("units", [4, 2])
def test_a_place_moves_with_all_its_units(units: int) -> None:
    scenario = edits.set_units(POSTS, _twice(), units)
    moved = edits.move_place(POSTS, scenario, "B", -90.11111, 29.99999)
    plan = make_plan(POSTS, moved)
    assert [post.post_id for post in plan.together()[0]] == ["B", "B+2"]
    assert {(post.lon, post.lat) for post in plan.together()[0]} == {(-90.11111, 29.99999)}
    assert _staffed(moved) == _staffed(scenario)
    assert not plan.ignored


def test_a_click_takes_the_last_unit_of_a_place() -> None:
    one = edits.toggle_place(POSTS, _twice(), "B")
    assert _staffed(one) == {"A", "B", "D"}
    none = edits.toggle_place(POSTS, edits.move_place(POSTS, one, "B", -90.2, 29.8), "B")
    assert _staffed(none) == {"A", "D"}
    assert _staffed(edits.toggle_place(POSTS, none, "B")) == {"A", "B", "D"}
    assert {(p.lon, p.lat) for p in make_plan(POSTS, none).posts if p.post_id[0] == "B"} == {(-90.2, 29.8)}


@given(edit_steps, st.sampled_from("ABCDEFGH"))
def test_alone_at_its_place_a_post_is_edited_as_itself(steps: list[Edit], post_id: str) -> None:
    scenario = _apply(steps)
    group = next(g for g in make_plan(POSTS, scenario).together() if any(p.post_id == post_id for p in g))
    if len(group) == 1:
        assert edits.toggle_place(POSTS, scenario, post_id) == edits.toggle_post(POSTS, scenario, post_id)
        to = -90.3, 29.7
        assert edits.move_place(POSTS, scenario, post_id, *to) == edits.move_post(
            POSTS, scenario, post_id, *to
        )
    assert edits.move_place(POSTS, scenario, "Z", -90.0, 29.9) == scenario


def test_a_new_place_goes_with_all_its_units() -> None:
    scenario = edits.add_post(POSTS, edits.add_post(POSTS, TODAY, -90.055, 29.95), -90.055, 29.95)
    assert [len(group) for group in make_plan(POSTS, scenario).together()].count(2) == 1
    assert edits.delete_place(POSTS, scenario, "new-1") == TODAY
