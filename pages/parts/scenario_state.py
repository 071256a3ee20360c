"""The scenario in view: kept in the session and in the address line, with its undo."""

from collections.abc import Callable

import streamlit as st

from data.city import City
from errors import InvalidInputError
from models.scenario import (
    Scenario,
    SetClock,
    SetDemand,
    SetHourOfWeek,
    SetRules,
    SetSpeedFactor,
    SetSpeeds,
    SetTarget,
    SetWorkload,
)

PARAMETER = "scenario"
UNDO_STEPS = 100
CONDITIONS = (
    SetClock,
    SetDemand,
    SetHourOfWeek,
    SetRules,
    SetSpeedFactor,
    SetSpeeds,
    SetTarget,
    SetWorkload,
)
"""Changes that hold for every plan: two plans are compared under the same ones."""


class ScenarioState:
    """The scenario of one city in this session.

    A new session takes it from the address line; every change goes back there, so that an address is a
    scenario. An address that cannot be read is said once and leaves today's plan in view.
    """

    def __init__(self, city: City) -> None:
        self._city = city
        self._key = f"scenario.{city.path.name}"
        self._past = f"scenario.past.{city.path.name}"
        if self._key not in st.session_state:
            st.session_state[self._key] = self._from_address()
            st.session_state[self._past] = []

    @property
    def baseline(self) -> Scenario:
        """Today's plan, unchanged."""
        return Scenario(baseline=self._city.slug)

    @property
    def current(self) -> Scenario:
        """The scenario in view."""
        scenario: Scenario = st.session_state[self._key]
        return scenario

    def like_with_like(self) -> Scenario:
        """Return today's plan under the target, clock, hour, speed and demand of the scenario in view."""
        return Scenario(self._city.slug, tuple(c for c in self.current.changes if isinstance(c, CONDITIONS)))

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(st.session_state[self._past])

    def change(self, edit: Callable[[Scenario], Scenario]) -> None:
        """Replace the scenario by what ``edit`` makes of it, and remember the one before."""
        changed = edit(self.current)
        if changed != self.current:
            st.session_state[self._past] = [*st.session_state[self._past], self.current][-UNDO_STEPS:]
            st.session_state[self._key] = changed

    def undo(self) -> None:
        """Take the last change back."""
        if self.can_undo:
            *st.session_state[self._past], st.session_state[self._key] = st.session_state[self._past]

    def reset(self) -> None:
        """Go back to today's plan; this can be undone."""
        self.change(lambda _: self.baseline)

    def write_address(self) -> None:
        """Put city and scenario into the address line."""
        wanted = {"city": self._city.path.name}
        if self.current.changes:
            wanted[PARAMETER] = self.current.to_text()
        if st.query_params.to_dict() != wanted:
            st.query_params.from_dict(wanted)

    def _from_address(self) -> Scenario:
        text = st.query_params.get(PARAMETER)
        if text is None:
            return self.baseline
        try:
            scenario = Scenario.from_text(text)
        except InvalidInputError as error:
            st.toast(f"{error}. Today's plan is shown instead.", icon=":material/link_off:")
            return self.baseline
        if scenario.baseline != self._city.slug:
            st.toast(
                f"The link is a scenario for {scenario.baseline}, not for {self._city.slug}. "
                "Today's plan is shown instead.",
                icon=":material/link_off:",
            )
            return self.baseline
        return scenario
