"""The evidence packet of one outlet as PDF, with the owner's side in it."""

import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path

from models.evidence import PanelLine
from models.evidence_packet import Packet

DEMO_MARK = "NOT EVIDENCE: DEMO"
TEMPLATE = Path(__file__).parent / "assets" / "evidence_packet.typ"


def evidence_packet(packet: Packet, *, city_name: str, synthetic: bool, footer: str) -> bytes:
    """Set the packet.

    Parameters
    ----------
    packet
        From `models.evidence_packet.make_packet`, which refuses where the data cannot carry a name.
    synthetic
        Whether the city is made up: every page then says that it is no evidence.
    footer
        Version of the data and of the app, and the date, in plain text.

    Returns
    -------
    bytes
        A PDF. The same packet gives the same bytes.
    """
    import typst

    told = asdict(packet) | {
        "heading": f"Evidence packet, {city_name}",
        "kicker": f"Evidence packet, {city_name}. For the hearing and the owner alike, not for publication.",
        "mark": DEMO_MARK if synthetic else "",
        "panel": [_line(line) for line in packet.panel],
        "footer": footer,
    }
    pdf: bytes = typst.compile(TEMPLATE.read_bytes(), sys_inputs={"packet": json.dumps(told)})
    return pdf


def _line(line: PanelLine) -> dict[str, str]:
    known = line.of > 0
    return {
        "label": line.label,
        "value": f"{line.share:.0%}" if known else "not known",
        "range": f"{line.low:.0%} to {line.high:.0%}, {line.count} of {line.of}" if known else "",
        "city": f"{line.city:.0%}" if isfinite(line.city) else "not known",
        "words": line.words,
    }
