"""What a planner asks of a list: the options of the suggest view.

The session keeps the wishes, not the controls: these are set from them each time they are shown.
"""

from dataclasses import replace
from typing import Any

import streamlit as st

from pages.parts.notes import note
from pages.parts.staging_inputs import StagingInputs
from pages.parts.staging_suggest_work import Wishes, post_names, todays_sites

ANY_NUMBER = "any"
LISTS = ("One", "Day and night")
ROOM = (1, 2, 3)


def wishes_key(inputs: StagingInputs) -> str:
    """Name under which the session keeps the wishes for this city."""
    return f"staging.wishes.{inputs.city.path.name}"


def current_wishes(inputs: StagingInputs) -> Wishes:
    """Give the wishes as they stand."""
    wishes: Wishes = st.session_state.get(wishes_key(inputs), Wishes())
    return wishes


def wishes_control(inputs: StagingInputs, units: int) -> Wishes:
    """Show one button that opens all options."""
    wishes = current_wishes(inputs)
    label = f"Options ({wishes.asked})" if wishes.asked else "Options"
    with st.popover(label, icon=":material/tune:", width="stretch"):
        _lists(inputs, wishes)
        _posts(inputs, wishes)
        left, right = st.columns(2, gap="small")
        with left:
            st.session_state["suggest.room"] = wishes.most_at_post
            st.segmented_control(
                "Most units at one post",
                ROOM,
                key="suggest.room",
                required=True,
                on_change=lambda: _save(inputs, most_at_post=st.session_state["suggest.room"] or 1),
                help="While two units wait at one post, the second reaches nobody more. So a list puts two "
                "there only where posts run short, and then where a second unit is most wanted.",
            )
        with right:
            most = [*map(str, range(min(len(todays_sites(inputs)), units) + 1)), ANY_NUMBER]
            now = ANY_NUMBER if wishes.max_moves is None else str(wishes.max_moves)
            st.session_state["suggest.moves"] = now if now in most else ANY_NUMBER
            st.select_slider(
                "Posts that may change",
                most,
                key="suggest.moves",
                on_change=lambda: _save(inputs, max_moves=_number(st.session_state["suggest.moves"])),
                help="A list that keeps most of today's posts is easier to begin with.",
            )
        _switches(inputs, wishes)
    return current_wishes(inputs)


def wishes_words(inputs: StagingInputs, wishes: Wishes) -> str:
    """Say in a few words what is asked; empty where nothing is."""
    names = post_names(inputs)
    must = ", ".join(names[post_id] for post_id in wishes.must)
    barred = ", ".join(names[post_id] for post_id in wishes.barred)
    moves = wishes.max_moves
    parts = [
        f"must have {must}{' first' if wishes.must_first else ''}" if must else "",
        f"not {barred}" if barred else "",
        f"up to {wishes.most_at_post} units at a post" if wishes.most_at_post > 1 else "",
        "the worst neighborhood lifted first" if wishes.lift_worst else "",
        f"at most {moves} post{'' if moves == 1 else 's'} changed" if moves is not None else "",
    ]
    asked = "; ".join(part for part in parts if part)
    return f"Asked: {asked}." if asked else ""


def wishes_fault(inputs: StagingInputs, wishes: Wishes) -> str:
    """Say which posts are asked for and ruled out at once; empty where none is."""
    names = post_names(inputs)
    both = [names[post_id] for post_id in wishes.must if post_id in wishes.barred]
    if not both:
        return ""
    return f"{', '.join(both)}: both must-have and not allowed. Take it out of one of the two."


def _lists(inputs: StagingInputs, wishes: Wishes) -> None:
    left, right = st.columns(2, gap="small")
    with left:
        st.session_state["suggest.lists"] = LISTS[wishes.day_and_night]
        st.segmented_control(
            "Lists",
            LISTS,
            key="suggest.lists",
            required=True,
            on_change=lambda: _save(inputs, day_and_night=st.session_state["suggest.lists"] == LISTS[1]),
            help="One list is for the hour on the left. Day and night each have their own calls, speeds and "
            "chance of free units.",
        )
    with right:
        st.session_state["suggest.hours"] = wishes.day_hours
        st.slider(
            "Day, from and to",
            0,
            24,
            key="suggest.hours",
            format="%d:00",
            disabled=not wishes.day_and_night,
            on_change=lambda: _save(inputs, day_hours=_hours(st.session_state["suggest.hours"])),
        )
    if wishes.day_and_night and inputs.days is None:
        note("These calls carry no time: the two lists differ by driving speeds only.")


def _posts(inputs: StagingInputs, wishes: Wishes) -> None:
    names = post_names(inputs)
    for column, field, label, words in zip(
        st.columns(2, gap="small"),
        ("must", "barred"),
        ("Must-have posts", "Not allowed"),
        ("Each gets a unit.", "None of them gets a unit."),
        strict=True,
    ):
        key = f"suggest.{field}"
        st.session_state[key] = [post_id for post_id in getattr(wishes, field) if post_id in names]

        def changed(field: str = field, key: str = key) -> None:
            _save(inputs, **{field: tuple(st.session_state[key])})

        column.multiselect(
            label,
            list(names),
            format_func=names.__getitem__,
            key=key,
            placeholder="none",
            on_change=changed,
            help=words,
        )


def _switches(inputs: StagingInputs, wishes: Wishes) -> None:
    left, right = st.columns(2, gap="small")
    with left:
        st.session_state["suggest.first"] = wishes.must_first
        st.toggle(
            "Must-have first",
            key="suggest.first",
            disabled=not wishes.must,
            on_change=lambda: _save(inputs, must_first=st.session_state["suggest.first"]),
            help="Then they are the last to stand empty. Else they are in the list, at any place.",
        )
    with right:
        st.session_state["suggest.lift"] = wishes.lift_worst
        st.toggle(
            "Lift the worst area",
            key="suggest.lift",
            on_change=lambda: _save(inputs, lift_worst=st.session_state["suggest.lift"]),
            help="With all units free, the neighborhood reached least (of those that posts can reach) gets "
            "the largest share possible; then the list reaches as much as it can. Its price is told.",
        )


def _save(inputs: StagingInputs, **changes: Any) -> None:  # noqa: ANN401
    st.session_state[wishes_key(inputs)] = replace(current_wishes(inputs), **changes)


def _number(chosen: str) -> int | None:
    return None if chosen == ANY_NUMBER else int(chosen)


def _hours(chosen: tuple[int, int]) -> tuple[int, int]:
    """At least one hour of day, and one of night."""
    start, end = chosen
    if start == end:
        return (start, end + 1) if end < 24 else (start - 1, end)
    return (1, 24) if (start, end) == (0, 24) else (start, end)
