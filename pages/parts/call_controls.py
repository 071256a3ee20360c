"""Controls of the page "911 calls": which calls, and how the map shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from models.calls import CallFilter, CallTable, SelfInitiated
from pages.parts.call_data import CallData
from pages.parts.hour_brush import chosen_hours, clear_hours

Layer = Literal["Hexagons", "Heat"]

_OPENED_BY: dict[str, SelfInitiated] = {"All": "all", "Callers": "without", "Officers": "only"}
_METRES_A_KM = 1000.0


@dataclass(frozen=True)
class CallChoice:
    """What the reader chose: calls, the map's layer and the H3 resolution of its hexagons."""

    wanted: CallFilter
    layer: Layer
    resolution: int


def call_controls(data: CallData, *, scope: str) -> CallChoice:
    """Show the controls and give what was chosen; ``scope`` keeps the choices of two cities apart."""
    calls = data.calls
    agencies = _agency(calls, scope)
    kinds = _kinds(calls, agencies, scope)
    priorities = _priorities(calls, agencies, scope)
    first_day, last_day = _dates(calls, scope)
    initiated = _opened_by(calls, agencies, scope)
    layer = st.segmented_control(
        "Show as",
        ["Hexagons", "Heat"],
        default="Hexagons",
        required=True,
        key=f"{scope}.layer",
        help="Hexagons can be read off one by one; heat spreads the same counts over their edges.",
        width="stretch",
    )
    resolution = _hexagon_size(data, scope)
    st.button("Clear all filters", on_click=clear_filters, args=(scope,), width="stretch")
    wanted = CallFilter(
        agencies=agencies,
        kinds=kinds,
        priorities=priorities,
        hours=chosen_hours(scope),
        first_day=first_day,
        last_day=last_day,
        self_initiated=initiated,
    )
    return CallChoice(wanted=wanted, layer="Heat" if layer == "Heat" else "Hexagons", resolution=resolution)


def clear_filters(scope: str) -> None:
    """Forget every choice but the map's layer and hexagon size."""
    for name in ("agency", "kind", "priority", "dates", "opened_by"):
        st.session_state.pop(f"{scope}.{name}", None)
    clear_hours(scope)


def _agency(calls: CallTable, scope: str) -> frozenset[str] | None:
    names = calls.agency.names
    medical = [name for code, name in enumerate(names) if calls.medical[calls.agency.codes == code].any()]
    chosen = st.pills(
        "Agency",
        names,
        selection_mode="multi",
        default=medical or list(names),
        key=f"{scope}.agency",
        help="Who answers the call. With none chosen, all are counted.",
        width="stretch",
    )
    return frozenset(chosen) if chosen else None


def _kinds(calls: CallTable, agencies: frozenset[str] | None, scope: str) -> frozenset[str] | None:
    return _choose_many(
        "Type of call",
        _names_within(calls, calls.kind.names, calls.kind.codes, agencies) if calls.kind.known else (),
        key=f"{scope}.kind",
        everything="All types",
        absent="No types in this data",
        help_text="What the call was about, as the dispatcher coded it.",
    )


def _priorities(calls: CallTable, agencies: frozenset[str] | None, scope: str) -> frozenset[str] | None:
    return _choose_many(
        "Priority",
        _names_within(calls, calls.priority.names, calls.priority.codes, agencies)
        if calls.priority.known
        else (),
        key=f"{scope}.priority",
        everything="All priorities",
        absent="No priorities in this data",
        help_text="How urgent the call was when it was dispatched; each agency has its own scale.",
    )


def _choose_many(
    label: str, options: Sequence[str], *, key: str, everything: str, absent: str, help_text: str
) -> frozenset[str] | None:
    """Show a list to choose from; None, which is all, when nothing is chosen."""
    if key in st.session_state:
        st.session_state[key] = [name for name in st.session_state[key] if name in options]
    chosen = st.multiselect(
        label,
        sorted(options),
        key=key,
        placeholder=everything if options else absent,
        disabled=not options,
        help=help_text,
    )
    return frozenset(chosen) if chosen else None


def _names_within(
    calls: CallTable,
    names: Sequence[str],
    codes: NDArray[np.int16],
    agencies: frozenset[str] | None,
) -> tuple[str, ...]:
    """Names that occur among the calls of the chosen agencies."""
    if agencies is None:
        return tuple(names)
    return tuple(names[code] for code in np.unique(codes[_of_agencies(calls, agencies)]))


def _of_agencies(calls: CallTable, agencies: frozenset[str] | None) -> NDArray[np.bool_]:
    if agencies is None:
        return np.ones(len(calls), dtype=np.bool_)
    return np.isin(np.array(calls.agency.names, dtype=object), list(agencies))[calls.agency.codes]


def _dates(calls: CallTable, scope: str) -> tuple[date | None, date | None]:
    if calls.first_day is None or calls.last_day is None:
        st.text_input("Dates", value="No times in this data", disabled=True, key=f"{scope}.no_dates")
        return None, None
    everything = (calls.first_day, calls.last_day)
    chosen = st.date_input(
        "Dates",
        everything,
        min_value=calls.first_day,
        max_value=calls.last_day,
        key=f"{scope}.dates",
        format="YYYY-MM-DD",
        help="First and last day, both included, by the city's clock.",
    )
    days = chosen if isinstance(chosen, tuple) else (chosen,)
    if not days or tuple(days) == everything:
        return None, None
    return days[0], days[-1]


def _opened_by(calls: CallTable, agencies: frozenset[str] | None, scope: str) -> SelfInitiated:
    if not ((calls.self_initiated == 1) & _of_agencies(calls, agencies)).any():
        return "all"
    chosen = st.segmented_control(
        "Opened by",
        list(_OPENED_BY),
        default="All",
        required=True,
        key=f"{scope}.opened_by",
        help="Officers open some calls themselves, at the scene. Nobody waited for those, so they never "
        "count in response times.",
        width="stretch",
    )
    return _OPENED_BY[chosen or "All"]


def _hexagon_size(data: CallData, scope: str) -> int:
    return st.select_slider(
        "Hexagon size",
        sorted(data.widths_m, reverse=True),
        value=data.resolution,
        format_func=lambda resolution: _distance(data.widths_m[resolution]),
        key=f"{scope}.resolution",
        help="Across, from side to side. Small hexagons show more detail, but more of them hold too few "
        "medical calls to be shown.",
    )


def _distance(metres: float) -> str:
    return f"{metres / _METRES_A_KM:.1f} km" if metres >= _METRES_A_KM else f"{round(metres, -1):.0f} m"
