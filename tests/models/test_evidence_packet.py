"""The packet holds every record it should, and the owner's side says what the records allow."""

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from errors import InvalidInputError
from models.closing import NotShown, closed_hours_control
from models.evidence import LISTED_SHARE, Decision, Naming, apply_decisions, door_records, reporting_panel
from models.evidence_packet import Door, make_packet, owners_reply
from models.incidents import HEADLINE
from models.opening_hours import parse_opening_hours, week_minutes
from tests.models.evidence_cases import ALLOWED, JUDGED, RULES, ZONE, packet, quarter

OFF = NotShown("Off: this outlet never closes, so there are no closed hours to compare with.")


def _replies(records: pd.DataFrame, **options: object) -> dict[str, str]:
    settings = {"hours": None, "control": OFF, "timezone": ZONE} | options
    return {reply.title: reply.words for reply in owners_reply(records, JUDGED, **settings)}  # type: ignore[arg-type]


def test_every_record_is_listed_summed_or_left_out() -> None:
    case = quarter(120)
    found = door_records(case.frame, case.shares, 0)
    item = str(found["call_id"].iloc[0])
    made = packet(apply_decisions(found, [Decision(item, "another door", "JD", date(2025, 1, 2))]))
    kept = found[1:]
    ranked = kept[kept["lane"] == HEADLINE]
    faint = int((ranked["share"] < LISTED_SHARE).sum())
    assert faint > 0
    assert len(made.rows) + faint == len(ranked)
    assert made.rest[0].startswith(f"{faint} further ranked incidents")
    officers = int((kept["reason"] == "opened by an officer").sum())
    assert f"{officers} opened by an officer" in made.rest[1]
    assert [row.item for row in made.left_out] == [item]
    assert made.left_out[0].note == "another door (JD, 2025-01-02)"
    assert item not in {row.item for row in made.rows}
    left = f"{kept.loc[kept['lane'] == HEADLINE, 'share'].sum():.1f}"
    assert left in {figure.value for figure in made.figures if figure.label.startswith("Without")}
    assert not any(figure.label.startswith("Without") for figure in packet(case.records()).figures)


def test_times_are_the_citys_clock() -> None:
    records = quarter().records()
    found = records[records["lane"] == HEADLINE][:1]
    moment = pd.Timestamp("2024-07-04T05:30Z")
    made = packet(
        found.assign(opened_at=[moment], closed_at=pd.Series([pd.NaT], dtype="datetime64[us, UTC]"))
    )
    assert made.rows[0].opened == "2024-07-04 00:30"
    assert made.rows[0].closed == "not known"


def test_naming_off_makes_no_packet() -> None:
    records = quarter().records()
    for naming in (
        Naming(allowed=False, reasons=("other years", "no times")),
        Naming(allowed=False, reasons=()),
    ):
        with pytest.raises(InvalidInputError, match="naming is off"):
            make_packet(
                Door(("Planted Bar",), "", "bar"),
                records,
                JUDGED,
                naming=naming,
                panel=(),
                control=OFF,
                data=(),
                timezone=ZONE,
            )
    undecided = records.drop(columns="attributable")
    with pytest.raises(InvalidInputError, match="decisions first"):
        make_packet(
            Door(("Planted Bar",), "", "bar"),
            undecided,
            JUDGED,
            naming=ALLOWED,
            panel=(),
            control=OFF,
            data=(),
            timezone=ZONE,
        )


def test_two_licences_are_one_place_with_two_names() -> None:
    made = make_packet(
        Door(("Planted Bar", "Planted Grill"), "1 First Street", "bar"),
        quarter().records(),
        replace(JUDGED, standing="screened"),
        naming=ALLOWED,
        panel=(),
        control=OFF,
        data=(),
        timezone=ZONE,
    )
    assert made.title == "Planted Bar / Planted Grill"
    assert made.standing.startswith("Screened, not named")


def test_the_owner_counts_what_is_others() -> None:
    records = quarter(200).records(1)
    ranked = records[(records["lane"] == HEADLINE) & (records["share"] >= LISTED_SHARE)]
    told = _replies(records)
    weak = int((ranked["share"] < 0.5).sum())
    assert f"Of {len(ranked)} incidents that are ranked, {weak} belong" in told["Most of it is not ours"]
    stronger = int((ranked["next"] > ranked["share"]).sum())
    assert stronger > 0
    assert told["A neighbor explains it better"].startswith(f"{stronger} of {len(ranked)} incidents")
    blocks = int((ranked["location_precision"] == "block").sum())
    assert told["The places are not exact"].startswith(f"{blocks} of {len(ranked)} are placed at a block")
    assert "between 1.42 and 3.50" in told["It may be chance"]
    assert "The city's analyst agrees in part" not in told


def test_the_owner_counts_the_closed_hours() -> None:
    records = quarter(200).records()
    hours = parse_opening_hours("Mo-Su 16:00-02:00")
    minute = week_minutes(records["opened_at"], ZONE)
    control = closed_hours_control(hours, minute, records["share"])
    told = _replies(records, hours=hours, control=control)["We were closed"]
    ranked = records[(records["lane"] == HEADLINE) & (records["share"] >= LISTED_SHARE)]
    closed = int((~hours.minutes[week_minutes(ranked["opened_at"], ZONE)]).sum())
    assert told.startswith(f"{closed} of {len(ranked)} incidents with a time came while we were closed")
    assert "times the rate" in told
    assert "nights are busier everywhere" in told
    assert "does not know our hours" in _replies(records)["We were closed"]
    never = _replies(records, hours=parse_opening_hours("24/7"))["We were closed"]
    assert never.startswith("This outlet never closes")


def test_the_owner_shows_other_ranks_and_the_analysts_doubts() -> None:
    case = quarter()
    found = door_records(case.frame, case.shares, 0)
    marked = apply_decisions(
        found, [Decision(str(found["call_id"].iloc[0]), "another door", "JD", date(2025, 1, 2))]
    )
    told = _replies(marked, other_ranks={"400-foot buffers": 3, "all calls": 40})
    assert (
        "3 with 400-foot buffers, 40 with all calls: as far down as 40" in told["Another rule, another rank"]
    )
    assert told["The city's analyst agrees in part"].startswith(f"1 of {len(found)} records")
    assert "not worked out" in _replies(marked)["Another rule, another rank"]


def test_calls_for_help_are_told() -> None:
    records = quarter(100).records()
    called = int((~records["self_initiated"] & (records["share"] >= LISTED_SHARE)).sum())
    assert f"{called} came from a caller" in _replies(records)["We called for help"]


def test_a_door_without_records_still_makes_a_packet() -> None:
    made = packet(quarter().records()[:0])
    assert made.rows == ()
    assert made.rest == ("Every ranked incident of which a share falls here is listed.",)
    assert reporting_panel(quarter().records()[:0], RULES.written_report)[0].of == 0
