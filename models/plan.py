"""A staging plan: which posts are staffed, in which order, after a scenario's changes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.scenario import AddPost, LoseUnits, MovePost, RemovePost, Scenario, SetOrder, SetUnits

State = Literal["staffed", "off", "candidate"]

PLACE_DECIMALS = 5
"""About a metre: places are kept no finer, so that the scenario's text stays short."""


@dataclass(frozen=True)
class Post:
    """One post of a plan.

    Attributes
    ----------
    post_id, name
        As in the city's table of posts, or as added.
    lon, lat
        Degrees, where the post stands in this plan.
    order
        Place in the order of staffing, from 1; None for a candidate outside the plan.
    state
        ``staffed``; ``off`` where it is in the order but no unit is left for it or it was taken out;
        ``candidate`` where it is not in the order.
    changed
        Whether the scenario moved, added or took out this post.
    added
        Whether the post is a new place, which the city's table does not have.
    """

    post_id: str
    name: str
    lon: float
    lat: float
    order: int | None
    state: State
    changed: bool = False
    added: bool = False


@dataclass(frozen=True)
class Plan:
    """All posts in view, those of the order first.

    Attributes
    ----------
    posts
        Posts of the order by rank, then the remaining candidates by id.
    ignored
        Words for each change that speaks of a post this city does not have.
    lost
        Units that are lost of those that should be on duty.
    """

    posts: tuple[Post, ...]
    ignored: tuple[str, ...] = ()
    lost: int = 0

    @property
    def staffed(self) -> tuple[Post, ...]:
        """Posts where a unit waits, in order."""
        return tuple(post for post in self.posts if post.state == "staffed")

    @property
    def on_duty(self) -> int:
        """Units that should be on duty: those at staffed posts, and those lost."""
        return len(self.staffed) + self.lost

    @property
    def in_order(self) -> tuple[Post, ...]:
        """Posts that have a place in the order and were not taken out, staffed or not."""
        return tuple(post for post in self.posts if post.order is not None)

    def post(self, post_id: str) -> Post | None:
        """Return the post with this id, or None."""
        return next((post for post in self.posts if post.post_id == post_id), None)

    def together(self) -> tuple[tuple[Post, ...], ...]:
        """Gather posts by their place, where several may stand; staffed ones first."""
        at: dict[tuple[float, float], list[Post]] = {}
        for post in self.posts:
            at.setdefault((round(post.lon, PLACE_DECIMALS), round(post.lat, PLACE_DECIMALS)), []).append(post)
        return tuple(tuple(group) for group in at.values())

    def places(self) -> npt.NDArray[np.float64]:
        """(n_staffed, 2) longitude and latitude of the staffed posts, in order."""
        return np.array([(post.lon, post.lat) for post in self.staffed], dtype=float).reshape(-1, 2)


def make_plan(posts: pd.DataFrame, scenario: Scenario) -> Plan:
    """Apply a scenario's changes to the city's posts.

    Today's order (``baseline_rank``), or the list that ``SetOrder`` puts in its place, comes first, then
    added posts in the order of their changes. The first ``SetUnits.units`` posts of the order are staffed;
    all of them where units are not set. Units lost leave the last of these empty.

    Parameters
    ----------
    posts
        ``post_id, name, lon, lat, baseline_rank`` (missing rank: a candidate outside today's plan).
    scenario
        The changes.

    Returns
    -------
    Plan
        With the changes that could not be applied said in ``ignored``.
    """
    known = {
        str(post_id): (str(name), float(lon), float(lat))
        for post_id, name, lon, lat in zip(
            posts["post_id"], posts["name"], posts["lon"], posts["lat"], strict=True
        )
    }
    moves = {change.post_id: change for change in scenario.find(MovePost)}
    removed = {change.post_id for change in scenario.find(RemovePost)}
    additions = {change.post_id: change for change in scenario.find(AddPost)}
    ranked = posts[posts["baseline_rank"].notna()].sort_values(["baseline_rank", "post_id"])
    today = list(ranked["post_id"].astype(str))
    lists = scenario.find(SetOrder)
    listed_first = [p for p in lists[0].post_ids if p in known or p in additions] if lists else today
    order = [post_id for post_id in listed_first if post_id not in removed]
    order += [post_id for post_id in additions if post_id not in order and post_id not in removed]
    limits = scenario.find(SetUnits)
    on_duty = limits[0].units if limits else len(order)
    lost = sum(change.units for change in scenario.find(LoseUnits))
    units = min(max(on_duty - lost, 0), len(order))

    made: list[Post] = []
    taken_out = [
        post_id for post_id in dict.fromkeys([*listed_first, *today, *additions]) if post_id not in order
    ]
    rest = sorted(set(known) - set(order) - set(taken_out))
    for place, post_id in enumerate([*order, *taken_out, *rest], start=1):
        addition, move = additions.get(post_id), moves.get(post_id)
        name, lon, lat = known.get(post_id) or ("New post", np.nan, np.nan)
        source = move or addition
        if source is not None:
            lon, lat = source.lon, source.lat
        if addition is not None and post_id not in known:
            name = addition.name or name
        listed = place <= len(order)
        state: State = (
            "staffed" if place <= units else "off" if listed or post_id in taken_out else "candidate"
        )
        made.append(
            Post(
                post_id=post_id,
                name=name,
                lon=lon,
                lat=lat,
                order=place if listed else None,
                state=state,
                changed=move is not None or addition is not None or (post_id in today) != listed,
                added=post_id not in known,
            )
        )
    named = {*moves, *removed, *additions, *(lists[0].post_ids if lists else ())}
    ignored = tuple(
        f"Post {post_id} is not in this city; the change was left out."
        for post_id in sorted(named - set(known) - set(additions))
    )
    return Plan(posts=tuple(made), ignored=ignored, lost=lost)
