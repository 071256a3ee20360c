"""The shift card: the plan on one sheet of paper, with its list, its map and who moves where, as PDF."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
import shapely

from data.city import City
from models.plan import Plan, Post
from pages.parts.palette import BASELINE, SCENARIO

Points = npt.NDArray[np.float64]

MAP_WIDTH_PX, MAP_HEIGHT_PX = 700.0, 420.0
MARGIN_PX = 24.0
MAIN_ROADS = ("motorway", "motorway_link", "trunk", "primary", "secondary")
SIMPLIFY_M = 25.0

TEMPLATE = Path(__file__).parent / "assets" / "shift_card.typ"


@dataclass(frozen=True)
class CardFigure:
    """One line of what the plan reaches: label, value and range, as text."""

    label: str
    value: str
    range: str


@dataclass(frozen=True)
class CardList:
    """A suggested list: its hours as title, and its posts in order."""

    title: str
    posts: tuple[str, ...]


def shift_card(
    city: City,
    plan: Plan,
    *,
    moves: Sequence[str],
    figures: Sequence[CardFigure],
    subtitle: str,
    footer: str,
    caveat: str,
    lists: Sequence[CardList] = (),
) -> bytes:
    """Set the card.

    Parameters
    ----------
    moves
        One sentence a change.
    figures
        What the plan reaches.
    subtitle, footer, caveat
        Plain text: conditions; version, scenario and date; what the figures cannot tell.
    lists
        Suggested lists beside the plan, such as one for the day and one for the night.

    Returns
    -------
    bytes
        A PDF: one page for a plan of today's size, more where the list needs them.
    """
    import typst

    card = {
        "title": f"Shift card, {city.name}",
        "warning": "DEMO DATA, NOT REAL" if city.synthetic else "",
        "subtitle": subtitle,
        "map": _map_svg(city, plan),
        "posts": [
            {
                "order": post.order,
                "name": post.name,
                "place": f"{post.lat:.4f}, {post.lon:.4f}",
                "changed": post.changed,
            }
            for post in plan.staffed
        ],
        "moves": list(moves),
        "figures": [asdict(figure) for figure in figures],
        "lists": [asdict(suggested) for suggested in lists],
        "footer": footer,
        "caveat": caveat,
    }
    pdf: bytes = typst.compile(TEMPLATE.read_bytes(), sys_inputs={"card": json.dumps(card)})
    return pdf


def _map_svg(city: City, plan: Plan) -> str:
    """Water, main roads and the staffed posts, north up, around the posts."""
    network = city.network
    shown = plan.staffed or plan.posts
    places = np.array([(post.lon, post.lat) for post in shown], dtype=float)
    west, south = places.min(axis=0) - 0.02
    east, north = places.max(axis=0) + 0.02
    squeeze = float(np.cos(np.radians((south + north) / 2)))
    scale = min(MAP_WIDTH_PX / ((east - west) * squeeze), MAP_HEIGHT_PX / (north - south))
    middle = np.array([(west + east) / 2, (south + north) / 2])

    stretch, centre = np.array([squeeze * scale, -scale]), np.array([MAP_WIDTH_PX, MAP_HEIGHT_PX]) / 2

    def pixels(coordinates: Points) -> Points:
        placed: Points = (coordinates - middle) * stretch + centre
        return placed

    half = np.array([MAP_WIDTH_PX / squeeze, MAP_HEIGHT_PX]) / scale / 2
    frame = shapely.box(*(middle - half), *(middle + half))
    main = np.isin(np.array(network.classes, dtype=object)[network.edge_class], MAIN_ROADS)
    roads = shapely.intersection(network.geometry[main], frame)
    water: npt.NDArray[np.object_] = np.empty(0, dtype=object)
    if city.has("water"):
        water = city.areas("water").geometry.to_numpy()
    tolerance = SIMPLIFY_M / 111_195
    parts = [f'<rect width="{MAP_WIDTH_PX}" height="{MAP_HEIGHT_PX}" fill="#F6F4EF"/>']
    for shape in shapely.intersection(water, frame):
        for polygon in shapely.get_parts(shapely.simplify(shape, tolerance)):
            rings = "".join(
                _path(pixels(shapely.get_coordinates(r))) + "Z" for r in shapely.get_rings(polygon)
            )
            parts.append(f'<path d="{rings}" fill="#C9D8E3" fill-rule="evenodd"/>')
    lines = [
        _path(pixels(shapely.get_coordinates(line)))
        for line in shapely.get_parts(shapely.simplify(roads, tolerance))
        if not shapely.is_empty(line) and shapely.get_num_coordinates(line) > 1
    ]
    parts.append(f'<path d="{"".join(lines)}" fill="none" stroke="#9C988E" stroke-width="1"/>')
    parts += [_marker(post, *pixels(np.array([post.lon, post.lat]))) for post in plan.staffed]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {MAP_WIDTH_PX} {MAP_HEIGHT_PX}">'
        f"{''.join(parts)}</svg>"
    )


def _path(points: Points) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _marker(post: Post, x: float, y: float) -> str:
    fill = SCENARIO if post.changed else BASELINE
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="11" fill="{fill}" stroke="white" stroke-width="2"/>'
        f'<text x="{x:.1f}" y="{y + 4.5:.1f}" font-family="Libertinus Serif" font-size="13" '
        f'font-weight="bold" fill="white" text-anchor="middle">{escape(str(post.order))}</text>'
    )
