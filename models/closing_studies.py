"""Published studies of earlier or later closing hours: what was seen, where, what range they leave."""

from dataclasses import dataclass
from math import exp

import numpy as np

from errors import InvalidInputError


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes
    ----------
    citation
        Authors, year, journal.
    setting
        Where, what was changed, what was counted and when.
    finding
        In words, with the interval where the source gives one.
    hours
        Hours earlier that were studied, None where it is a review or the change was later closing only.
    fewer, low, high
        Share of incidents fewer, with its interval; None where the source gives none that applies.
    """

    citation: str
    setting: str
    finding: str
    hours: float | None = None
    fewer: float | None = None
    low: float | None = None
    high: float | None = None


STUDIES = (
    Study(
        citation="Kypri, Jones, McElduff, Barker 2011, Addiction 106, 303-310",
        setting=(
            "Newcastle, Australia, 2008: 14 pubs in the centre from 5:00 to 3:00, later 3:30, with a "
            "lockout; police-recorded assaults, 22:00 to 6:00, against a nearby district"
        ),
        finding="37% fewer (95% interval 19 to 53%); no displacement seen",
        hours=2.0,
        fewer=0.37,
        low=1 - 0.81,
        high=1 - 0.47,
    ),
    Study(
        citation="Kypri, McElduff, Miller 2014, Drug and Alcohol Review 33, 323-326",
        setting="Newcastle, the same change, to 2013; before and after only",
        finding="32% fewer in the later years (15 to 45%)",
        hours=1.5,
        fewer=1 - 0.68,
        low=1 - 0.85,
        high=1 - 0.55,
    ),
    Study(
        citation="Rossow, Norstrom 2012, Addiction 107, 530-537",
        setting=(
            "18 Norwegian cities, 2000 to 2010, changes of up to 2 hours between 1:00 and 3:00; "
            "police-reported assaults in the centre, weekends 22:00 to 5:00, against the rest of the "
            "city"
        ),
        finding=(
            "about 16% an hour, alike both ways: 4.8 assaults per 100,000 and quarter (2.60 to 6.99), "
            "which in proportion is 9 to 23%"
        ),
        hours=1.0,
        fewer=0.16,
        low=0.16 * 2.60 / 4.8,
        high=0.16 * 6.99 / 4.8,
    ),
    Study(
        citation="Menendez, Kypri, Weatherburn 2017, Addiction 112, 261-268",
        setting=(
            "Sydney, Australia, 2014: last drinks at 3:00, lockout at 1:30, in two districts; "
            "police-recorded assaults"
        ),
        finding="45% fewer in Kings Cross (9 to 67%), 22% in the centre (12 to 33%); no rise nearby",
        hours=2.0,
        fewer=1 - exp(-0.599),
        low=1 - exp(-0.091),
        high=1 - exp(-1.107),
    ),
    Study(
        citation="Kypri, Livingston 2020, Addiction 115",
        setting="Sydney, the same change, five years on; non-domestic assaults against the rest of the state",
        finding=(
            "38% fewer in Kings Cross (21 to 51%), 10% in the centre (1 to 20%); later more in streets "
            "around and earlier in the evening"
        ),
        hours=2.0,
        fewer=0.10,
        low=1 - 0.99,
        high=1 - 0.80,
    ),
    Study(
        citation="Humphreys, Eisner, Wiebe 2013, PLOS ONE 8, e55581",
        setting="Manchester, England, 2005: fixed closing hours given up; police-recorded violence",
        finding=(
            "no change of violence as a whole; weekend violence moved later, 36% more between 3:00 and "
            "6:00 by the end"
        ),
        fewer=0.0,
        low=0.0,
        high=0.0,
    ),
    Study(
        citation="Donnelly, Poynton, Weatherburn 2017, NSW Crime and Justice Bulletin 201",
        setting="Sydney, the same change, to September 2016; non-domestic assaults",
        finding="930 fewer inside the two districts, 299 more around them: about a third moved",
    ),
    Study(
        citation="Rosen, Trangenstein, Fullem, Yeh, Jernigan, Xuan 2024, JAMA Internal Medicine 184, 612",
        setting=(
            "one Baltimore neighborhood, 2020: 13 bars from 2:00 to 22:00; violent crime within 800 "
            "feet, against control areas; the only study in the United States here"
        ),
        finding="14% fewer at once and 29% a year after (as corrected; first published as 23% a year)",
    ),
    Study(
        citation="Duailibi and others 2007, American Journal of Public Health 97, 2276-2280",
        setting="Diadema, Brazil, 2002: all bars from 24 hours a day to 23:00, enforced; murders",
        finding="almost 9 murders fewer a month; assaults on women not clearly fewer",
    ),
    Study(
        citation="Hahn and others 2010, American Journal of Preventive Medicine 39, 590-604",
        setting="review of 16 studies, none in the United States, all of longer hours",
        finding="enough evidence of more harm from 2 hours or more; not enough below 2 hours",
    ),
    Study(
        citation="Wilkinson, Livingston, Room 2016, Public Health Research and Practice 26, e2641644",
        setting="review of studies from 2005 to 2015",
        finding="evidence strong enough to consider earlier closing of late bars in Australia",
    ),
)


@dataclass(frozen=True)
class Dose:
    """Range of the effect for so many hours earlier.

    Attributes
    ----------
    low, high
        Share of night-time incidents fewer, from least to most.
    words
        Where the range comes from and what it leaves out.
    """

    low: float
    high: float
    words: str


def dose_for(hours: float) -> Dose:
    """Give the range that the studies leave.

    Least is 0 (Manchester saw no change; the review of 2010 found too little evidence below 2 hours). Most
    is the upper limit of the widest interval among studies of changes up to the next whole hour studied:
    Norway up to one hour, Newcastle and Sydney up to two. Beyond two hours no study of assaults gives an
    interval: the same range is kept, not widened by guess, and the words say so.

    Raises
    ------
    InvalidInputError
        When the hours are not above zero.
    """
    if not (np.isfinite(hours) and hours > 0):
        raise InvalidInputError("Hours earlier must be above zero")
    studied = 1.0 if hours <= 1 else 2.0
    limits = [study.high for study in STUDIES if study.high is not None and (study.hours or 0.0) <= studied]
    high = max(limits)
    span = "up to one hour" if studied == 1.0 else "one to two hours"
    words = (
        f"Studies of {span} saw 0 to {high:.0%} fewer night-time assaults, all bars of a district "
        "closing earlier."
    )
    if hours > 2:
        words += f" {hours:.1f} hours is more than any of them tried: the range is only a guide."
    return Dose(0.0, high, words)
