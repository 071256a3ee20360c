"""The storm, the pumps and the crews in view: kept in the session and in the address line."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import streamlit as st

from data.city import City

Shape = Literal["middle", "even", "early"]
SHAPES: tuple[Shape, ...] = ("middle", "even", "early")
Goal = Literal["people", "streets"]
GOALS: tuple[Goal, ...] = ("people", "streets")
MOST_IN, MOST_RATE_IN, MOST_TRUCKS, MOST_DAYS, MOST_FLOOR, MOST_FAIR = 40.0, 3.0, 99, 365, 500, 2.0
HOURS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0, 18.0, 24.0)
_STORM = re.compile(r"(\d+(?:\.\d+)?)in-(\d+(?:\.\d+)?)h-(middle|even|early)")
_PAIR = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
_CREWS = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True)
class Setting:
    """What a person has set on the page on catch basins; hashable, so results are cached by its parts.

    Attributes
    ----------
    depth_in, hours, shape
        The storm: inches in all, how long it lasts, and when it falls hardest.
    first_in, later_in
        What the pipes and pumps can take: inches in the first hour, inches in each hour after.
    out
        Pump areas with stations out of service: name and percent of the pumps that do not run.
    trucks, days
        Crews to send, and for how many days.
    goal
        What a list is to spare: people, or streets.
    fair
        Exponent of `models.basin_lists.vulnerability_weight`: 0 all alike.
    floor
        Least basins to clean in every district.
    """

    depth_in: float
    hours: float
    shape: Shape = "middle"
    first_in: float = 1.0
    later_in: float = 0.5
    out: tuple[tuple[str, int], ...] = ()
    trucks: int = 6
    days: int = 5
    goal: Goal = "people"
    fair: float = 0.0
    floor: int = 0

    @property
    def storm(self) -> tuple[float, float, str]:
        """What a storm is told apart by."""
        return self.depth_in, self.hours, self.shape

    @property
    def water(self) -> tuple[float, float, str, float, float, tuple[tuple[str, int], ...]]:
        """All that decides where water stands, besides the ground and the basins."""
        return self.depth_in, self.hours, self.shape, self.first_in, self.later_in, self.out

    def to_address(self) -> dict[str, str]:
        """Say it in parts of an address that a person can read."""
        said = {
            "storm": f"{self.depth_in:g}in-{self.hours:g}h-{self.shape}",
            "pumps": f"{self.first_in:g}-{self.later_in:g}",
            "crews": f"{self.trucks}x{self.days}",
        }
        if self.out:
            said["out"] = "|".join(f"{name}:{percent}" for name, percent in self.out)
        if self.fair or self.floor:
            said["fair"] = f"{self.fair:g}-{self.floor}"
        if self.goal != GOALS[0]:
            said["goal"] = self.goal
        return said

    def with_address(self, said: dict[str, str]) -> tuple["Setting", list[str]]:
        """Take over what an address says; the second part names what could not be read."""
        found, wrong = self, []
        for name, read in _READERS.items():
            if name in said:
                try:
                    found = replace(found, **read(said[name]))
                except ValueError:
                    wrong.append(name)
        return found, wrong


def _read_storm(text: str) -> dict[str, Any]:
    match = _STORM.fullmatch(text)
    if not match or float(match[1]) > MOST_IN or not 0 < float(match[2]) <= HOURS[-1]:
        raise ValueError(text)
    return {"depth_in": float(match[1]), "hours": float(match[2]), "shape": match[3]}


def _read_pumps(text: str) -> dict[str, Any]:
    match = _PAIR.fullmatch(text)
    if not match or max(float(match[1]), float(match[2])) > MOST_RATE_IN:
        raise ValueError(text)
    return {"first_in": float(match[1]), "later_in": float(match[2])}


def _read_out(text: str) -> dict[str, Any]:
    parts = [part.rsplit(":", 1) for part in text.split("|")]
    if not all(len(part) == 2 and part[1].isdecimal() and int(part[1]) <= 100 for part in parts):
        raise ValueError(text)
    return {"out": tuple((name, int(percent)) for name, percent in parts)}


def _read_crews(text: str) -> dict[str, Any]:
    match = _CREWS.fullmatch(text)
    if not match or int(match[1]) > MOST_TRUCKS or int(match[2]) > MOST_DAYS:
        raise ValueError(text)
    return {"trucks": int(match[1]), "days": int(match[2])}


def _read_fair(text: str) -> dict[str, Any]:
    match = _PAIR.fullmatch(text)
    if not match or float(match[1]) > MOST_FAIR or not float(match[2]) <= MOST_FLOOR:
        raise ValueError(text)
    return {"fair": float(match[1]), "floor": int(float(match[2]))}


def _read_goal(text: str) -> dict[str, Any]:
    if text not in GOALS:
        raise ValueError(text)
    return {"goal": text}


_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = MappingProxyType(
    {
        "storm": _read_storm,
        "pumps": _read_pumps,
        "out": _read_out,
        "crews": _read_crews,
        "fair": _read_fair,
        "goal": _read_goal,
    }
)


class BasinsState:
    """The setting and the question of one city in this session.

    A new session takes them from the address line; every change goes back there, and a page that is left and
    opened again shows what was set. What an address says wrongly is said once, and the usual one is shown.
    """

    def __init__(self, city: City, usual: Setting, questions: dict[str, str]) -> None:
        self._city = city
        self._key = f"basins.setting.{city.path.name}"
        self._asked = f"basins.asked.{city.path.name}"
        self._questions = questions
        if self._key not in st.session_state:
            said = st.query_params.to_dict()
            found, wrong = usual.with_address(said)
            st.session_state[self._key] = found
            words = {words: question for question, words in questions.items()}
            st.session_state[self._asked] = words.get(said.get("ask", ""), next(iter(questions)))
            if wrong:
                st.toast(
                    f"The link says {', '.join(wrong)} in a way that cannot be read; the usual is shown.",
                    icon=":material/link_off:",
                )

    @property
    def setting(self) -> Setting:
        """The setting in view."""
        setting: Setting = st.session_state[self._key]
        return setting

    @property
    def question(self) -> str:
        """The question in view."""
        question: str = st.session_state[self._asked]
        return question

    def change(self, **parts: Any) -> None:  # noqa: ANN401 -- parts of a Setting
        """Set some parts anew."""
        st.session_state[self._key] = replace(self.setting, **parts)

    def ask(self, question: str) -> None:
        """Turn to another question."""
        st.session_state[self._asked] = question

    def write_address(self) -> None:
        """Put city, question and setting into the address line."""
        wanted = {"city": self._city.path.name, "ask": self._questions[self.question]}
        wanted |= self.setting.to_address()
        if st.query_params.to_dict() != wanted:
            st.query_params.from_dict(wanted)
