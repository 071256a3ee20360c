"""The evidence on one outlet, and the owner's strongest reply from the same records, as text and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import pandas as pd

from errors import Faults, InvalidInputError
from models.closing import ClosedHours, NotShown
from models.evidence import LISTED_SHARE, Naming, PanelLine
from models.incidents import HEADLINE
from models.opening_hours import OpeningHours, week_minutes

WEAK_SHARE = 0.5
TIME_FORMAT = "%Y-%m-%d %H:%M"

METHOD = (
    (
        "Each incident is shared among the outlets within reach along the streets and the street "
        "itself, nearer ones more; the shares add up to one. It is a rule, not a finding: nobody saw "
        "in which outlet it began."
    ),
    (
        "Whole incidents are drawn from the shares many times over, each drawing is analysed, and the "
        "answers are pooled, so that not knowing whose an incident is widens every range."
    ),
    (
        "What is expected comes from other outlets: a negative binomial model of hours, size, "
        "neighbors and the kind of place, fitted without the outlet's own part of the city."
    ),
    (
        "The relative risk is incidents over expected, drawn towards one the fewer they are. Screened: "
        "the chance that it is above 1 is over 80%. Named: the chance that it is above 1.5 is over 95 "
        "%, and the false discovery rate holds."
    ),
    (
        "On premises: the record is placed exactly, within 15 m of the door. It says where the record "
        "was placed, not that it happened inside. A record of a block is never on premises."
    ),
)


@dataclass(frozen=True)
class Judged:
    """What the analysis says of the outlet.

    Attributes
    ----------
    observed, expected
        Incidents, mean over allocations, and as expected.
    risk, low, high
        Relative risk with its 95% interval.
    over_one, over_named
        Chance that it is above 1, and above 1.5.
    rank, rank_low, rank_high
        Place among the outlets judged, 1 the most, with its interval.
    raw_rank
        Place by the plain count.
    outlets
        How many were judged.
    standing
        ``named``, ``screened`` or ``neither``.
    """

    observed: float
    expected: float
    risk: float
    low: float
    high: float
    over_one: float
    over_named: float
    rank: int
    rank_low: int
    rank_high: int
    raw_rank: int
    outlets: int
    standing: str


@dataclass(frozen=True)
class Door:
    """Who the packet is about: names on the licences of one door, its address, category and hours."""

    names: tuple[str, ...]
    address: str
    category: str
    hours: OpeningHours | None = None


@dataclass(frozen=True)
class Figure:
    """One figure: label, value and range, as text."""

    label: str
    value: str
    range: str


@dataclass(frozen=True)
class Row:
    """One incident, as text."""

    item: str
    opened: str
    closed: str
    kind: str
    ended: str
    metres: str
    precision: str
    premises: str
    share: str
    note: str


@dataclass(frozen=True)
class Reply:
    """One of the owner's arguments: what it says, and the figures that carry it."""

    title: str
    words: str


@dataclass(frozen=True)
class Packet:
    """Everything that stands in the packet, as text."""

    title: str
    place: str
    standing: str
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...]
    rest: tuple[str, ...]
    left_out: tuple[Row, ...]
    panel: tuple[PanelLine, ...]
    control: str
    replies: tuple[Reply, ...]
    method: tuple[str, ...]
    data: tuple[str, ...]


def make_packet(
    door: Door,
    records: pd.DataFrame,
    judged: Judged,
    *,
    naming: Naming,
    panel: Sequence[PanelLine],
    control: ClosedHours | NotShown,
    data: Sequence[str],
    timezone: str,
    other_ranks: Mapping[str, int] | None = None,
) -> Packet:
    """Put the packet together.

    Parameters
    ----------
    records
        From `models.evidence.door_records` and `apply_decisions`.
    naming
        From `models.evidence.may_name`.
    panel
        From `models.evidence.reporting_panel`.
    control
        From `models.closing.closed_hours_control`.
    data
        Sentences on the tables' years, fields and sources.
    other_ranks
        Rank under other choices, such as ``{"400-foot buffers": 3, "all calls": 12}``.

    Raises
    ------
    InvalidInputError
        When the data cannot carry a name, with every reason; when the records were not decided upon.
    """
    faults = Faults()
    faults.extend(f"naming is off: {reason}" for reason in naming.reasons)
    faults.check(naming.allowed or naming.reasons, "naming is off")
    faults.check("attributable" in records, "apply the analyst's decisions first, even where there are none")
    faults.raise_as(InvalidInputError, "No evidence packet can be made")
    counted = records[records["attributable"]]
    ranked = counted[counted["lane"] == HEADLINE]
    listed = ranked["share"] >= LISTED_SHARE
    return Packet(
        title=" / ".join(door.names),
        place=", ".join(part for part in (door.address, door.category) if part),
        standing=_standing(judged),
        figures=_figures(judged, records),
        rows=_rows(ranked[listed], timezone),
        rest=_rest(ranked[~listed], counted[counted["lane"] != HEADLINE]),
        left_out=_rows(records[~records["attributable"]], timezone),
        panel=tuple(panel),
        control=_control_words(control),
        replies=owners_reply(
            records, judged, hours=door.hours, control=control, timezone=timezone, other_ranks=other_ranks
        ),
        method=METHOD,
        data=tuple(data),
    )


def owners_reply(
    records: pd.DataFrame,
    judged: Judged,
    *,
    hours: OpeningHours | None,
    control: ClosedHours | NotShown,
    timezone: str,
    other_ranks: Mapping[str, int] | None = None,
) -> tuple[Reply, ...]:
    """Give the strongest reply that the same records allow, strongest arguments as they come.

    Each argument is told with its figures even where they are weak: the city sees what it would hear. Only
    incidents of which ``LISTED_SHARE`` or more falls to the outlet are counted.
    """
    counted = records[records["attributable"] & (records["share"] >= LISTED_SHARE)]
    ranked = counted[counted["lane"] == HEADLINE]
    n = len(ranked)
    other = ranked["others"] + ranked["street"]
    stronger = ranked["next"] > ranked["share"]
    unplaced = ranked["premises"] == "not known"
    inside = ranked["premises"] == "on premises"
    replies = [
        Reply(
            "Most of it is not ours",
            f"Of {n} incidents that are ranked, {int((ranked['share'] < WEAK_SHARE).sum())} belong by "
            f"the city's own rule more to others than to us. Added up, {ranked['share'].sum():.1f} fall "
            f"to us and {other.sum():.1f} to neighbors and the street.",
        ),
        Reply(
            "A neighbor explains it better",
            f"{int(stronger.sum())} of {n} incidents have another outlet with a larger share than ours, "
            f"{float(ranked.loc[stronger, 'share'].sum()):.1f} of the {ranked['share'].sum():.1f} "
            "counted against us.",
        ),
        Reply(
            "The places are not exact",
            f"{int(unplaced.sum())} of {n} are placed at a block or nowhere sure; only "
            f"{int(inside.sum())} lie within 15 m of our door, and even these may be the sidewalk.",
        ),
        Reply("We were closed", _closed_words(ranked, hours, control, timezone)),
        Reply("We called for help", _calls_words(counted, n)),
        Reply("Another rule, another rank", _rank_words(judged, other_ranks or {})),
        Reply(
            "It may be chance",
            f"The relative risk lies between {judged.low:.2f} and {judged.high:.2f}, and the chance "
            f"that it is not above 1.5 is {_chance(1 - judged.over_named)}. We were picked because the "
            "count was high; next year's would on the mean be lower with nothing done.",
        ),
    ]
    left_out = int((~records["attributable"]).sum())
    if left_out:
        replies.append(
            Reply(
                "The city's analyst agrees in part",
                f"{left_out} of {len(records)} records are left out as not attributable, with reasons.",
            )
        )
    return tuple(replies)


def _standing(judged: Judged) -> str:
    told = {
        "named": "Named: the chance that its relative risk is above 1.5 is over 95%.",
        "screened": "Screened, not named: the chance that its relative risk is above 1 is over 80%.",
    }
    return told.get(judged.standing, "Neither screened nor named: the records do not set it apart.")


def _figures(judged: Judged, records: pd.DataFrame) -> tuple[Figure, ...]:
    ranked = records["lane"] == HEADLINE
    observed: tuple[Figure, ...] = (
        Figure(
            "Incidents attributed, of those ranked", f"{judged.observed:.1f}", f"from {ranked.sum()} in reach"
        ),
    )
    if not records["attributable"].all():
        left = records.loc[ranked & records["attributable"], "share"].sum()
        told = "the figures below are not worked out anew"
        observed += (Figure("Without what the analyst left out", f"{left:.1f}", told),)
    return (
        *observed,
        Figure("Expected of an outlet like it", f"{judged.expected:.1f}", ""),
        Figure("Relative risk", f"{judged.risk:.2f}", f"{judged.low:.2f} to {judged.high:.2f} (95%)"),
        Figure("Chance that it is above 1", _chance(judged.over_one), "screened over 80%"),
        Figure("Chance that it is above 1.5", _chance(judged.over_named), "named over 95%"),
        Figure(
            "Rank",
            f"{judged.rank} of {judged.outlets}",
            f"{judged.rank_low} to {judged.rank_high} (95%); raw count {judged.raw_rank}",
        ),
    )


def _rest(faint: pd.DataFrame, beside: pd.DataFrame) -> tuple[str, ...]:
    """Tell what is not listed one by one: faint shares, and records that are not ranked, by reason."""
    told = ["Every ranked incident of which a share falls here is listed."]
    if len(faint):
        sums = f"less than {LISTED_SHARE:.0%} here each, {faint['share'].sum():.1f} together"
        told = [f"{len(faint)} further ranked incidents have {sums}."]
    if len(beside):
        reasons = beside["reason"].value_counts(sort=False).sort_index()
        parts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        told.append(f"In reach but not ranked: {parts}; {beside['share'].sum():.1f} by share.")
    return tuple(told)


def _rows(records: pd.DataFrame, timezone: str) -> tuple[Row, ...]:
    opened, closed = (
        records[name].dt.tz_convert(timezone).dt.strftime(TIME_FORMAT).fillna("not known")
        for name in ("opened_at", "closed_at")
    )
    kind = records["type_text"].where(records["type_text"].notna(), records["type_code"])
    return tuple(
        Row(
            item=str(row.call_id),
            opened=begin,
            closed=end,
            kind=_text(what),
            ended=_text(row.disposition),
            metres=f"{row.metres:.0f}",
            precision=_text(row.location_precision),
            premises=str(row.premises),
            share=f"{row.share:.0%}",
            note=str(row.why_not),
        )
        for row, begin, end, what in zip(records.itertuples(index=False), opened, closed, kind, strict=True)
    )


def _control_words(control: ClosedHours | NotShown) -> str:
    if isinstance(control, NotShown):
        return control.reason
    ratio = control.ratio
    value = f"{ratio.value:.1f}" if isfinite(ratio.value) else "without limit"
    high = f"{ratio.high:.1f}" if isfinite(ratio.high) else "without limit"
    weighed = (
        "hours weighed by how busy the streets are then"
        if control.weighed
        else "all hours alike, though nights are busier everywhere"
    )
    return (
        f"In its open hours {control.in_open:.1f} incidents are attributed to it, in its closed hours "
        f"{control.in_closed:.1f}: {value} times the rate ({ratio.low:.1f} to {high}, 95%; p = "
        f"{control.p_value:.3f}), {weighed}."
    )


def _closed_words(
    ranked: pd.DataFrame, hours: OpeningHours | None, control: ClosedHours | NotShown, timezone: str
) -> str:
    if hours is None:
        return (
            "The city does not know our hours, so it cannot tell how many of these came while we were closed."
        )
    if isinstance(control, NotShown):
        return control.reason.removeprefix("Off: ").capitalize()
    minute = week_minutes(ranked["opened_at"], timezone)
    known = minute >= 0
    closed = int((~hours.minutes[minute[known]]).sum())
    return (
        f"{closed} of {int(known.sum())} incidents with a time came while we were closed: what lies "
        f"around us goes on without us. {_control_words(control)}"
    )


def _calls_words(counted: pd.DataFrame, ranked: int) -> str:
    initiated = counted["self_initiated"]
    called = int((initiated.notna() & ~initiated.fillna(value=True)).sum())
    officers = int(initiated.fillna(value=False).sum())
    return (
        f"Of {len(counted)} records {called} came from a caller, {officers} from an officer who was "
        f"there already; {ranked} ended in a written report. Nobody wrote down who called. Where it was "
        "us, we did what the city asks."
    )


def _rank_words(judged: Judged, other_ranks: Mapping[str, int]) -> str:
    own = f"The rank may be anything from {judged.rank_low} to {judged.rank_high} of {judged.outlets}."
    if not other_ranks:
        return f"{own} It was not worked out under other rules."
    told = ", ".join(f"{rank} with {name}" for name, rank in other_ranks.items())
    worst = max(int(np.max(list(other_ranks.values()))), judged.rank_high)
    return f"{own} Under other choices it is {told}: as far down as {worst}."


def _chance(value: float) -> str:
    """Give a chance in words that never say certain."""
    if value > 0.99:
        return "over 99%"
    return "under 1%" if value < 0.01 else f"{value:.0%}"


def _text(value: object) -> str:
    return "not known" if value is None or value is pd.NA or value != value else str(value)  # noqa: PLR0124 - NaN
