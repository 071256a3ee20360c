"""The evidence packet as paper: two to four pages, the same bytes each time, a mark on made-up cities."""

import re

import pytest

from models.evidence_packet import Packet
from pages.parts.evidence_packet import evidence_packet
from tests.models.evidence_cases import packet, quarter

ROUGH_NAME = 'Bar ["#sys] $x$ *bold* \\ <svg> #import "x"'


def _paper(made: Packet, *, synthetic: bool = True) -> bytes:
    return evidence_packet(made, city_name="Planted City", synthetic=synthetic, footer="Data of 2025")


def _pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize(("count", "most"), [(0, 2), (60, 4), (130, 4)])
def test_the_packet_is_a_few_sheets(count: int, most: int) -> None:
    pdf = _paper(packet(quarter(max(count, 1)).records()[:count]))
    assert pdf.startswith(b"%PDF-")
    assert 1 <= _pages(pdf) <= most


def test_the_same_records_give_the_same_bytes() -> None:
    made = packet(quarter().records())
    assert _paper(made) == _paper(made)


def test_a_made_up_city_is_marked_and_a_real_one_is_not() -> None:
    made = packet(quarter().records())
    assert _paper(made) != _paper(made, synthetic=False)


def test_a_rough_name_stays_a_name() -> None:
    assert _paper(packet(quarter().records(), name=ROUGH_NAME)).startswith(b"%PDF-")
