"""The evidence packet of the picked door: the analyst's decisions, the owner's side, CSV and PDF."""

from html import escape

import pandas as pd
import streamlit as st

from data.safe import safe_csv
from errors import InvalidInputError
from models.evidence import (
    Decision,
    apply_decisions,
    door_records,
    field_words,
    read_decisions,
    reporting_panel,
    write_decisions,
)
from models.evidence_packet import Door, Judged, Packet, make_packet
from models.incidents import ALL_CALLS, HEADLINE
from pages.parts.bars_inputs import BarsChoice, bars_view
from pages.parts.bars_ranking import buffer_rank, control_of
from pages.parts.bars_scene import Scene, picked_door
from pages.parts.evidence_packet import evidence_packet
from pages.parts.notes import note

OTHER_TYPE = "of a type that is not ranked"
_STYLE = """
<style>
.cr-replies { font-size: .78rem; line-height: 1.38; max-height: 262px; overflow-y: auto;
              padding-right: .4rem; }
.cr-replies p { margin: 0 0 .35rem 0; font-size: .8rem; line-height: 1.38; }
</style>
"""


def packet_view(scene: Scene, *, scope: str) -> None:
    """Show the owner's side and the packet's downloads, or why there is no packet."""
    door = picked_door(scope, len(scene.inputs.doors))
    fault = packet_fault(scene, door)
    if fault or door is None:
        st.info(fault, icon=":material/gavel:")
        return
    records = ranked_records(scene, door)
    decisions = _decisions(records, scope=f"{scope}.{door}")
    try:
        packet = packet_of(scene, door, records, decisions)
    except InvalidInputError as error:
        st.error(str(error), icon=":material/report:")
        return
    _downloads(scene, door, records, decisions, packet, scope=scope)
    st.markdown(f"**{scene.label(door)}: the owner's side**")
    replies = "".join(
        f"<p><b>{escape(reply.title)}.</b> {escape(reply.words)}</p>" for reply in packet.replies
    )
    st.html(f'{_STYLE}<div class="cr-replies" tabindex="0">{replies}</div>')


def packet_fault(scene: Scene, door: int | None) -> str:
    """Say why there is no packet; empty where there is one."""
    if not scene.naming.allowed:
        return "No packet: these data cannot carry a name. The reasons stand above the map."
    if door is None:
        return 'Pick a door first: click a dot on the map, or a row under "Who stands out?".'
    if scene.choice.outcome != "headline":
        return "The packet stands on written reports: choose them under Count on the left."
    if scene.found.reason[door]:
        return f"No packet: this door is not judged, {scene.found.reason[door]}."
    return ""


def ranked_records(scene: Scene, door: int) -> pd.DataFrame:
    """List the door's records; those that the choice does not count are not ranked, with the reason."""
    frame = scene.inputs.records
    counted = pd.Series(data=False, index=frame.index)
    counted.iloc[scene.counted] = True
    other = frame["lane"].eq(HEADLINE) & ~counted
    frame = frame.assign(
        lane=frame["lane"].mask(other, ALL_CALLS), reason=frame["reason"].mask(other, OTHER_TYPE)
    )
    return door_records(frame, scene.view.shares, door)


def judged_of(scene: Scene, door: int) -> Judged:
    """Give what the analysis says of a door."""
    found = scene.found
    over_one, over_named = (float(found.p_over(over)[door]) for over in (1.0, 1.5))
    standing = "named" if found.named[door] else "screened" if found.screened[door] else "neither"
    return Judged(
        observed=float(found.observed[door]),
        expected=float(found.expected[door]),
        risk=float(found.rr[door]),
        low=float(found.low[door]),
        high=float(found.high[door]),
        over_one=over_one,
        over_named=over_named,
        rank=int(found.rank[door]),
        rank_low=int(found.rank_low[door]),
        rank_high=int(found.rank_high[door]),
        raw_rank=int(found.raw_rank[door]),
        outlets=int(found.judged.sum()),
        standing=standing,
    )


def packet_of(scene: Scene, door: int, records: pd.DataFrame, decisions: tuple[Decision, ...]) -> Packet:
    """Put the packet together.

    Raises
    ------
    InvalidInputError
        Naming is off, or a decision is on a record that is not among the door's.
    """
    city, inputs, choice = scene.city, scene.inputs, scene.choice
    rules = city.profile.outlets
    decided = apply_decisions(records, decisions)
    all_calls = bars_view(inputs, city.version, BarsChoice("all", choice.group, choice.half_m))
    ranks = {"400-foot buffers": buffer_rank(scene, door)}
    if all_calls.found.rank[door]:
        ranks["all calls"] = int(all_calls.found.rank[door])
    return make_packet(
        _about(scene, door),
        decided,
        judged_of(scene, door),
        naming=scene.naming,
        panel=reporting_panel(
            decided, () if rules is None else rules.written_report, city=inputs.incidents.frame
        ),
        control=control_of(scene, door),
        data=_data_words(scene),
        timezone=city.profile.timezone,
        other_ranks=ranks,
    )


def _about(scene: Scene, door: int) -> Door:
    inputs = scene.inputs
    members = inputs.outlets[inputs.doors.door_of_outlet == door]
    address = members["address"].dropna() if "address" in members else pd.Series(dtype=object)
    return Door(
        names=tuple(inputs.doors.names[door].split(" / ")),
        address="" if address.empty else str(address.iloc[0]),
        category=inputs.doors.category[door],
        hours=inputs.hours[door],
    )


def _data_words(scene: Scene) -> tuple[str, ...]:
    calls, outlets = scene.city.source("calls"), scene.city.source("outlets")
    return (
        f"Incidents: {calls.source}, {calls.period}.",
        f"Licences: {outlets.source}, {outlets.period}.",
        *field_words(scene.inputs.incidents.frame),
        *scene.inputs.incidents.unchecked,
    )


def _decisions(records: pd.DataFrame, *, scope: str) -> tuple[Decision, ...]:
    """Take the analyst's decisions from an upload; faults are shown and nothing is decided."""
    with st.popover(
        "Not attributable: the analyst's decisions", icon=":material/edit_note:", width="stretch"
    ):
        note(
            "A CSV file with the columns call_id, reason, analyst, decided_on. It stays with the analyst: "
            "nothing is "
            "kept here. Records are moved to a list of their own, none is removed."
        )
        upload = st.file_uploader(
            "Decisions (CSV)", type="csv", key=f"{scope}.decisions", label_visibility="collapsed"
        )
        st.download_button(
            "An empty file to fill in", write_decisions(()), "decisions.csv", "text/csv", on_click="ignore"
        )
    if upload is None:
        return ()
    try:
        decided = read_decisions(upload.getvalue().decode("utf-8-sig"))
        apply_decisions(records, decided)
    except UnicodeDecodeError:
        st.error("The decisions cannot be read: save the file as CSV in UTF-8.")
        return ()
    except InvalidInputError as error:
        st.error(str(error))
        return ()
    note(f"{len(decided)} records are left out as not attributable.")
    return decided


def _downloads(
    scene: Scene,
    door: int,
    records: pd.DataFrame,
    decisions: tuple[Decision, ...],
    packet: Packet,
    *,
    scope: str,
) -> None:
    city = scene.city
    footer = f"{'Demo city, synthetic data. ' if city.synthetic else ''}Data version {city.version}."
    stem = f"{city.slug}-door-{scene.inputs.door_ids[door]}"
    left, right = st.columns(2, gap="small")
    left.download_button(
        "Packet (PDF)",
        lambda: evidence_packet(packet, city_name=city.name, synthetic=city.synthetic, footer=footer),
        f"{stem}.pdf",
        "application/pdf",
        icon=":material/picture_as_pdf:",
        type="primary",
        width="stretch",
        on_click="ignore",
        key=f"{scope}.pdf",
    )
    decided = apply_decisions(records, decisions)
    right.download_button(
        "Records (CSV)",
        lambda: safe_csv(decided),
        f"{stem}.csv",
        "text/csv",
        icon=":material/table_view:",
        width="stretch",
        on_click="ignore",
        key=f"{scope}.csv",
    )
    note(
        f"{len(records):,} records of which a share falls here. For the hearing and the owner alike, not for "
        "publication."
    )
