"""What a planner's hand does to a scenario: the changes that follow from a drag, a click or a table edit."""

from collections.abc import Sequence

import pandas as pd

from models.plan import PLACE_DECIMALS, Post, make_plan
from models.scenario import AddPost, MovePost, RemovePost, Scenario, SetOrder, SetUnits

MORE_UNITS = "+"
"""Between a post's id and the number of a further unit that waits at the same place."""


def set_units(posts: pd.DataFrame, scenario: Scenario, units: int) -> Scenario:
    """Set how many units should be on duty; unsaid where there is one for every post of the order.

    Parameters
    ----------
    posts
        The city's posts, as `models.plan.make_plan` takes them; so in all functions of this module.
    """
    free = scenario.without(SetUnits.kind)
    plan = make_plan(posts, free)
    everywhere = len(plan.in_order)
    # Units lost leave room: with more on duty than there are posts in the order, all posts can be staffed.
    units = max(min(units, everywhere + plan.lost), 0)
    return free if units == everywhere else scenario.having(SetUnits(units))


def move_post(posts: pd.DataFrame, scenario: Scenario, post_id: str, lon: float, lat: float) -> Scenario:
    """Move a post; one that stands empty is staffed at its new place."""
    post = make_plan(posts, scenario).post(post_id)
    if post is None:
        return scenario
    if post.state != "staffed":
        scenario = staff_post(posts, scenario, post_id)
    return _put(scenario, post, lon, lat)


def move_place(posts: pd.DataFrame, scenario: Scenario, post_id: str, lon: float, lat: float) -> Scenario:
    """Move all units that wait where a post stands; the post is staffed where none does."""
    here = _here(posts, scenario, post_id)
    if here and not any(post.state == "staffed" for post in here):
        scenario = staff_post(posts, scenario, post_id)
    for post in here:
        # A further unit of a post has no place of its own: it goes along even while it is off duty.
        if post.order is not None or post.post_id == post_id or MORE_UNITS in post.post_id:
            scenario = _put(scenario, post, lon, lat)
    return scenario


def staff_post(posts: pd.DataFrame, scenario: Scenario, post_id: str) -> Scenario:
    """Put one unit more on duty, at this post; all other posts stay as they are."""
    plan = make_plan(posts, scenario)
    post = plan.post(post_id)
    if post is None or post.state == "staffed":
        return scenario
    units = plan.on_duty + 1
    scenario = scenario.without(RemovePost.kind, post_id)
    if not any(known.post_id == post_id for known in make_plan(posts, scenario).in_order):
        scenario = scenario.having(
            AddPost(post_id, round(post.lon, PLACE_DECIMALS), round(post.lat, PLACE_DECIMALS))
        )
    # The post now has its place in the order; those that wait for a unit before it would be staffed with it.
    staffed = {known.post_id for known in plan.staffed}
    for known in make_plan(posts, scenario).in_order:
        if known.post_id == post_id:
            break
        if known.post_id not in staffed:
            scenario = _take_out(scenario, known)
    return set_units(posts, scenario, units)


def empty_post(posts: pd.DataFrame, scenario: Scenario, post_id: str) -> Scenario:
    """Take the unit from a post; the post stays on the map, to be staffed again."""
    plan = make_plan(posts, scenario)
    post = plan.post(post_id)
    if post is None or post.order is None:
        return scenario
    units = plan.on_duty - (post.state == "staffed")
    return set_units(posts, _take_out(scenario, post), units)


def toggle_post(posts: pd.DataFrame, scenario: Scenario, post_id: str) -> Scenario:
    """Staff an empty post, or empty a staffed one."""
    post = make_plan(posts, scenario).post(post_id)
    staffed = post is not None and post.state == "staffed"
    return (empty_post if staffed else staff_post)(posts, scenario, post_id)


def toggle_place(posts: pd.DataFrame, scenario: Scenario, post_id: str) -> Scenario:
    """Staff an empty post; where several units wait, take the last of them."""
    staffed = [post for post in _here(posts, scenario, post_id) if post.state == "staffed"]
    return toggle_post(posts, scenario, staffed[-1].post_id if staffed else post_id)


def add_post(posts: pd.DataFrame, scenario: Scenario, lon: float, lat: float) -> Scenario:
    """Put one unit more on duty, at a new place."""
    plan = make_plan(posts, scenario)
    taken = {post.post_id for post in plan.posts}
    number = next(n for n in range(1, len(taken) + 2) if f"new-{n}" not in taken)
    for waiting in plan.in_order[len(plan.staffed) :]:
        scenario = _take_out(scenario, waiting)
    place = round(lon, PLACE_DECIMALS), round(lat, PLACE_DECIMALS)
    scenario = scenario.having(AddPost(f"new-{number}", *place, f"New post {number}"))
    return set_units(posts, scenario, plan.on_duty + 1)


def delete_post(posts: pd.DataFrame, scenario: Scenario, post_id: str) -> Scenario:
    """Take a new place off the map; a post of the city's own table is only emptied."""
    post = make_plan(posts, scenario).post(post_id)
    scenario = empty_post(posts, scenario, post_id)
    if post is None or not post.added:
        return scenario
    return scenario.without(AddPost.kind, post_id).without(RemovePost.kind, post_id)


def delete_place(posts: pd.DataFrame, scenario: Scenario, post_id: str) -> Scenario:
    """Take a new place off the map, with all units that wait there; posts of the city are only emptied."""
    for post in reversed(_here(posts, scenario, post_id)):
        if post.order is not None or post.added:
            scenario = delete_post(posts, scenario, post.post_id)
    return scenario


def set_order(posts: pd.DataFrame, scenario: Scenario, post_ids: Sequence[str]) -> Scenario:
    """Put a list in the place of today's order and staff all of it, and nothing else.

    A post that stands in the list more than once holds as many units: its second one waits at an added post
    at the same place.
    """
    for post in make_plan(posts, scenario).posts:
        if post.added and MORE_UNITS in post.post_id:
            scenario = scenario.without(AddPost.kind, post.post_id).without(RemovePost.kind, post.post_id)
    scenario, post_ids = _with_more_units(posts, scenario, post_ids)
    listed = scenario.without(SetUnits.kind).having(SetOrder(tuple(post_ids)))
    for post in make_plan(posts, listed).posts:
        listed = listed.without(RemovePost.kind, post.post_id)
        if not post.added:
            listed = listed.without(AddPost.kind, post.post_id)
    for post in make_plan(posts, listed).in_order:
        if post.post_id not in post_ids:
            listed = _take_out(listed, post)
    return set_units(posts, listed, len(post_ids) + make_plan(posts, listed).lost)


def _with_more_units(
    posts: pd.DataFrame, scenario: Scenario, post_ids: Sequence[str]
) -> tuple[Scenario, list[str]]:
    plan = make_plan(posts, scenario)
    named: list[str] = []
    for post_id in post_ids:
        post = plan.post(post_id)
        units = sum(known == post_id or known.startswith(f"{post_id}{MORE_UNITS}") for known in named)
        if units and post is not None:
            again = AddPost(
                f"{post_id}{MORE_UNITS}{units + 1}", post.lon, post.lat, f"{post.name}, unit {units + 1}"
            )
            scenario = scenario.having(again)
            named.append(again.post_id)
        else:
            named.append(post_id)
    return scenario, named


def _here(posts: pd.DataFrame, scenario: Scenario, post_id: str) -> tuple[Post, ...]:
    """Give the posts at the place of a post, itself among them; none where it is unknown."""
    groups = make_plan(posts, scenario).together()
    return next((group for group in groups if any(post.post_id == post_id for post in group)), ())


def _put(scenario: Scenario, post: Post, lon: float, lat: float) -> Scenario:
    place = round(lon, PLACE_DECIMALS), round(lat, PLACE_DECIMALS)
    if post.added:
        return scenario.having(AddPost(post.post_id, *place, post.name))
    return scenario.having(MovePost(post.post_id, *place))


def _take_out(scenario: Scenario, post: Post) -> Scenario:
    without = scenario.without(AddPost.kind, post.post_id)
    if post.added or without == scenario:
        return scenario.having(RemovePost(post.post_id))
    return without
