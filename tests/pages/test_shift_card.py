"""The shift card is one sheet, holds what the plan says, and lets no name out of its place."""

import re
from pathlib import Path

import pytest

from data.city import City
from models.plan import make_plan
from models.scenario import AddPost, MovePost, Scenario, SetUnits
from pages.parts.shift_card import CardFigure, CardList, shift_card

ROUGH_NAME = 'Bar ["#sys] $x$ *bold* \\ <svg>'


@pytest.fixture(scope="module")
def city(demo_city_dir: Path) -> City:
    return City.open(demo_city_dir)


def _card(city: City, scenario: Scenario) -> bytes:
    plan = make_plan(city.table("posts"), scenario)
    return shift_card(
        city,
        plan,
        moves=scenario.sentences(),
        figures=[CardFigure("Reached", "80 %", "70 to 90 %")],
        subtitle=ROUGH_NAME,
        footer="City and scenario",
        caveat="As if every unit were free.",
    )


@pytest.mark.parametrize(("units", "most"), [(0, 1), (2, 1), (40, 3)])
def test_the_card_is_a_pdf_that_grows_with_its_list(city: City, units: int, most: int) -> None:
    scenario = Scenario(city.slug)
    for number in range(units):
        scenario = scenario.having(AddPost(f"new-{number}", -90.07, 29.95 + number / 1000, ROUGH_NAME))
    pdf = _card(city, scenario.having(MovePost(city.table("posts")["post_id"].iloc[0], -90.1, 29.96)))
    assert pdf.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 1 <= pages <= most


def test_an_empty_plan_still_has_a_map(city: City) -> None:
    assert _card(city, Scenario(city.slug).having(SetUnits(0))).startswith(b"%PDF-")


def test_day_and_night_lists_stand_on_the_card(city: City) -> None:
    plan = make_plan(city.table("posts"), Scenario(city.slug))
    plain, listed = (
        shift_card(city, plan, moves=(), figures=(), subtitle="", footer="", caveat="", lists=lists)
        for lists in ((), (CardList("Day list", (ROUGH_NAME, "B")), CardList("Night list", ("B", "C"))))
    )
    assert len(listed) > len(plain)
    assert len(re.findall(rb"/Type\s*/Page\b", listed)) <= 2
