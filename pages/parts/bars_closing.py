"""What if it closed earlier: a range from published studies, for one door or for a neighborhood."""

from html import escape

import numpy as np
import streamlit as st

from models.closing import (
    CAVEATS,
    DISPLACEMENT,
    REGRESSION_WORDS,
    EarlierClosing,
    NotShown,
    Range,
    earlier_closing,
    zone_words,
)
from models.closing_studies import STUDIES
from pages.parts.bars_scene import Scene, picked_door
from pages.parts.figures import Figure, big_figures
from pages.parts.notes import note

FIRST_MINUTE, LAST_MINUTE, STEP_MINUTES = 22 * 60, 30 * 60 - 30, 30
USUAL_MINUTE = 26 * 60
_CSS = """
<style>
.cr-study { font-size: .8rem; line-height: 1.4; margin: 0 0 .5rem 0; }
.cr-caveat { font-size: .78rem; line-height: 1.35; border-left: 4px solid #E69F00; padding: .15rem .6rem; }
</style>
"""


def closing_view(scene: Scene, *, scope: str) -> None:
    """Show the controls and what the studies would let one expect."""
    door = picked_door(scope, len(scene.inputs.doors))
    zones = sorted({scene.place(int(at)) for at in np.flatnonzero(scene.shown)})
    of_door = [] if door is None else [scene.label(door)]
    who, studied = st.columns([2.2, 1], gap="small")
    subject = who.selectbox(
        "Who closes earlier",
        [*of_door, *zones],
        index=0 if of_door else None,
        placeholder="Pick a door on the map, or choose a neighborhood",
        label_visibility="collapsed",
        key=f"{scope}.zone.{door}",
        help="The picked door alone, or all doors of the kinds shown in a neighborhood.",
    )
    with studied:
        _studies()
    left, right = st.columns(2, gap="small")
    closes = left.select_slider(
        "Closes at",
        range(FIRST_MINUTE, LAST_MINUTE + 1, STEP_MINUTES),
        value=USUAL_MINUTE,
        format_func=clock,
        key=f"{scope}.closes",
    )
    moved = right.slider(
        "Moves elsewhere, %",
        0,
        100,
        (round(100 * DISPLACEMENT[0]), round(100 * DISPLACEMENT[1])),
        key=f"{scope}.moved",
        help="Of the incidents prevented, the share that comes back at other hours or places. Newcastle saw "
        "none, Sydney 32 %.",
    )
    if subject is None:
        note("Pick a door on the map or in the table, or choose a neighborhood above.")
        return
    if scene.years is None:
        st.info("Not shown: neither the records nor their source say which days they cover.")
        return
    displacement = (moved[0] / 100, moved[1] / 100)
    if door is not None and subject == scene.label(door):
        _one(scene, door, closes, displacement)
    else:
        _zone(scene, subject, closes, displacement)


def clock(minute: int) -> str:
    """Time of day of a minute after the evening's midnight: 1,560 is 02:00."""
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def close_earlier(
    scene: Scene, door: int, closes: int, displacement: tuple[float, float]
) -> EarlierClosing | NotShown:
    """Ask what one door's earlier hour could change, from the shrunken relative risk."""
    found, years = scene.found, scene.years
    if years is None:
        return NotShown("Not shown: the records do not say which days they cover.")
    minute, share = scene.own(door)
    raw = float(found.observed[door] / found.expected[door]) if found.judged[door] else 0.0
    shrunken = None
    if raw > 0:
        rr, low, high = (float(values[door]) for values in (found.rr, found.low, found.high))
        shrunken = Range(float(np.clip(rr, low, high)), low, high)
    return earlier_closing(
        scene.inputs.hours[door],
        minute,
        share,
        years=years,
        closes=closes,
        raw_risk=raw if raw > 0 else None,
        risk=shrunken,
        displacement=displacement,
    )


def _one(scene: Scene, door: int, closes: int, displacement: tuple[float, float]) -> None:
    found = close_earlier(scene, door, closes, displacement)
    if isinstance(found, NotShown):
        st.info(found.reason, icon=":material/block:")
        return
    big_figures(
        [
            Figure(
                "Incidents fewer a year",
                f"{found.fewer_low:.1f} to {found.fewer_high:.1f}",
                f"of {found.night_a_year.low:.1f} to {found.night_a_year.high:.1f} from 22:00 to 06:00",
                "From least to most, by the studies; not a forecast.",
            ),
            Figure(
                "In the hours taken, a year",
                f"{found.after_a_year.value:.1f}",
                f"{found.after_a_year.low:.1f} to {found.after_a_year.high:.1f} (95 %), "
                f"{found.hours_lost:.1f} h a week",
                "Incidents attributed to this door in the hours that the new closing time takes.",
            ),
        ]
    )
    _caveats()
    note(" ".join(sentence for sentence in found.words if sentence not in {*CAVEATS, REGRESSION_WORDS}))
    if REGRESSION_WORDS in found.words:
        note(f"Regression to the mean: {REGRESSION_WORDS}")


def _zone(scene: Scene, name: str, closes: int, displacement: tuple[float, float]) -> None:
    doors = [int(door) for door in np.flatnonzero(scene.shown) if scene.place(int(door)) == name]
    answers = [close_earlier(scene, door, closes, displacement) for door in doors]
    shown = [one for one in answers if isinstance(one, EarlierClosing)]
    if shown:
        low, high = sum(one.fewer_low for one in shown), sum(one.fewer_high for one in shown)
        big_figures(
            [
                Figure(
                    "Incidents fewer a year",
                    f"{low:.1f} to {high:.1f}",
                    f"{len(shown)} of {len(doors)} doors",
                ),
                Figure(
                    "Open hours taken a week",
                    f"{sum(one.hours_lost for one in shown):,.0f}",
                    "all doors together",
                ),
            ]
        )
        _caveats()
    else:
        st.info(f"Not shown for {name}: no door of these kinds can be counted.", icon=":material/block:")
    note(" ".join(sentence for sentence in zone_words(answers) if sentence not in CAVEATS))
    if shown:
        note(f"Regression to the mean: {REGRESSION_WORDS}")


def _caveats() -> None:
    st.html(f'{_CSS}<div class="cr-caveat" role="note"><b>{" ".join(map(escape, CAVEATS))}</b></div>')


def _studies() -> None:
    with st.popover(f"{len(STUDIES)} studies", width="stretch"):
        st.html(
            _CSS
            + "".join(
                f'<p class="cr-study"><b>{escape(study.citation)}</b><br>{escape(study.setting)}: '
                f"{escape(study.finding)}.</p>"
                for study in STUDIES
            )
        )
