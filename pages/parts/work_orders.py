"""Work orders on paper: a sheet a truck-day with stops, a drawing of the way, and boxes to tick, as PDF."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from models.basin_state import CLEAN, STATES
from models.work_orders import WorkOrders
from pages.parts.palette import BASELINE

DRAWING_PX = (700.0, 250.0)
MARGIN_PX = 22.0
TEMPLATE = Path(__file__).parent / "assets" / "work_orders.typ"
Points = npt.NDArray[np.float64]


def work_order_sheets(
    orders: WorkOrders,
    lines: Mapping[int, npt.NDArray[np.object_]] | None = None,
    *,
    city_name: str,
    synthetic: bool,
    footer: str,
) -> bytes:
    """Set the sheets.

    Parameters
    ----------
    lines
        Number of a truck-day to its drives, from `models.routes.drives`; straight lines where not given.
    synthetic
        Whether the city is made up: every sheet then says so.
    footer
        Version of the data and date, in plain text.

    Returns
    -------
    bytes
        A PDF, each truck-day beginning on a page of its own. The same orders give the same bytes.
    """
    import typst

    told = {
        "city": city_name,
        "warning": "DEMO DATA, NOT REAL" if synthetic else "",
        "footer": footer,
        "words": [CLEAN, *STATES],
        "sheets": [
            _sheet(orders, number, orders.rows.loc[[number]], (lines or {}).get(number))
            for number in np.unique(orders.rows.index).tolist()
        ],
    }
    pdf: bytes = typst.compile(TEMPLATE.read_bytes(), sys_inputs={"orders": json.dumps(told)})
    return pdf


def _sheet(
    orders: WorkOrders, number: int, rows: pd.DataFrame, drives: npt.NDArray[np.object_] | None
) -> dict[str, object]:
    begin, end = orders.starts[number], orders.ends[number]
    return {
        "title": f"{begin:%A, %B} {begin.day}, {begin.year}: {rows['truck'].iloc[0]}",
        "summary": f"{len(rows)} basins, about {rows['expected_lb'].sum():,} lb of debris. "
        f"Leave the depot at {begin:%H:%M}, back at about {end:%H:%M}.",
        "drawing": _drawing(rows[["basin_lon", "basin_lat"]].to_numpy(np.float64), drives),
        "stops": [
            {
                "stop": row["stop"],
                "arrive": row["arrive"],
                "basin": row["basin_id"],
                "place": row["street"] or "street not known",
                "at": f"{row['basin_lat']:.5f}, {row['basin_lon']:.5f}",
                "kind": row["kind"],
                "bring": row["bring"],
                "expected": f"{row['expected_lb']:,} lb",
                "then": row["then"],
            }
            for row in rows.to_dict("records")
        ],
    }


def _drawing(places: Points, drives: npt.NDArray[np.object_] | None) -> str:
    """Draw the way, north up, and the stops with their numbers."""
    way = places if drives is None else shapely.get_coordinates(drives)
    around = np.concatenate([places, way])
    low, high = around.min(axis=0), around.max(axis=0)
    squeeze = float(np.cos(np.radians((low[1] + high[1]) / 2)))
    room = np.array(DRAWING_PX) - 2 * MARGIN_PX
    span = np.maximum((high - low) * (squeeze, 1.0), 1e-4)
    scale = float((room / span).min())
    middle = (low + high) / 2

    def pixels(coordinates: Points) -> Points:
        moved: Points = (coordinates - middle) * (squeeze * scale, -scale) + np.array(DRAWING_PX) / 2
        return moved

    # Half a pixel of detail is all that paper shows.
    shown = (
        shapely.get_coordinates(shapely.simplify(shapely.LineString(pixels(way)), 0.5))
        if len(way) > 1
        else way
    )
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in shown) if len(way) > 1 else ""
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{BASELINE}" stroke="white" stroke-width="1.5"/>'
        f'<text x="{x:.1f}" y="{y + 3.8:.1f}" font-family="Libertinus Serif" font-size="11" fill="white" '
        f'font-weight="bold" text-anchor="middle">{at}</text>'
        for at, (x, y) in reversed(list(enumerate(pixels(places), start=1)))
    )
    width, height = DRAWING_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" fill="#F6F4EF"/>'
        f'<path d="{path}" fill="none" stroke="#6B675E" stroke-width="1.6" stroke-linejoin="round"/>'
        f"{marks}</svg>"
    )
