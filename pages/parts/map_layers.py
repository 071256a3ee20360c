"""Layers of the map that are too heavy to send with each run, a picture and many points; and trucks' routes.

The heavy parts go to the `pages.parts.shelf`; the page sends their addresses. 80,000 points cost 320 kB once
for their places, 80 kB before packing (a few kB after) whenever their classes change, and otherwise nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import Faults
from pages.parts.shelf import shelf

HIDDEN = 255
"""The class of a point that is not drawn."""
_STEPS = 65_535


@dataclass(frozen=True)
class Stop:
    """One line of a picture's legend."""

    label: str
    colour: str


@dataclass(frozen=True)
class MapImage:
    """A picture under all areas, points and posts; streets stay visible through it.

    Attributes
    ----------
    png
        Pixels in Web Mercator, first row in the north; what is to stay ground is transparent.
    box
        West, south, east, north: outer edges in degrees.
    stops
        Lines of the legend, top first, under its title ``legend``.
    opacity
        0 to 1.
    """

    png: bytes
    box: tuple[float, float, float, float]
    stops: Sequence[Stop] = ()
    legend: str = ""
    opacity: float = 0.85


@dataclass(frozen=True)
class PointClass:
    """How the points of one class look, and what they are called.

    Attributes
    ----------
    label
        The text at the pointer.
    colour
        As ``#rrggbb``.
    radius_px
        At the scale of a neighborhood; less when zoomed out, more when zoomed in.
    legend
        Text in the legend; empty for none.
    thinned
        Zoomed out, draw only so many that the map stays legible, spread evenly; the legend says the share.
        Keep it False for what must never be missing, such as the basins of today's list.
    """

    label: str
    colour: str
    radius_px: float = 3.0
    legend: str = ""
    thinned: bool = True


@dataclass(frozen=True)
class MapPoints:
    """Tens of thousands of places, each of one class. (n,) each.

    A click within 8 pixels of a drawn point gives its index, as text, to ``on_pick``.

    Attributes
    ----------
    lon, lat
        Degrees. Keep the arrays the same from run to run: the browser then keeps them too.
    kind
        Index into ``classes``, or ``HIDDEN``.
    classes
        The first lie lowest.
    chosen
        Indices of the points that wear a ring.
    """

    lon: npt.ArrayLike
    lat: npt.ArrayLike
    kind: npt.ArrayLike
    classes: Sequence[PointClass]
    chosen: Sequence[int] = ()


@dataclass(frozen=True)
class RouteStop:
    """A numbered disc; ``id`` goes to ``on_pick`` when it is clicked (empty: nothing does)."""

    lon: float
    lat: float
    mark: str
    label: str = ""
    id: str = ""


@dataclass(frozen=True)
class MapRoute:
    """A truck's way as a line (degrees, in driving order), with its stops; drawn above the points."""

    lon: npt.ArrayLike
    lat: npt.ArrayLike
    colour: str
    legend: str = ""
    stops: Sequence[RouteStop] = ()


def encode_image(image: MapImage | None) -> dict[str, Any] | None:
    """Address and place of the picture."""
    if image is None:
        return None
    return {
        "url": shelf().put(image.png, media_type="image/png", pack=False),
        "box": [float(value) for value in image.box],
        "stops": [asdict(stop) for stop in image.stops],
        "legend": image.legend,
        "opacity": image.opacity,
    }


def encode_points(points: MapPoints | None) -> dict[str, Any] | None:
    """Addresses of places and classes, and how each class looks.

    The places are n uint16 of longitude, then n of latitude (little-endian), in ``steps`` degrees from
    ``origin``: the box of the points has 65,535 steps each way, so over a city of 50 km no place is off by
    more than 0.4 m. The classes are n bytes.
    """
    if points is None:
        return None
    places = np.array([points.lon, points.lat], dtype=np.float64)
    low, high = (places.min(axis=1), places.max(axis=1)) if places.size else (np.zeros(2), np.zeros(2))
    steps = np.maximum((high - low) / _STEPS, 1e-7)
    quantised = np.rint((places - low[:, None]) / steps[:, None]).astype("<u2")
    kind = np.asarray(points.kind).astype(np.uint8)
    return {
        "places": shelf().put(quantised.tobytes()),
        "kinds": shelf().put(kind.tobytes()),
        "count": int(places.shape[1]),
        "origin": low.tolist(),
        "steps": steps.tolist(),
        "classes": [asdict(look) for look in points.classes],
        "shown": np.isin(np.arange(len(points.classes)), kind).tolist(),
        "chosen": [int(index) for index in points.chosen],
    }


def encode_routes(routes: Sequence[MapRoute]) -> list[dict[str, Any]]:
    """Lines in degrees, to about a tenth of a metre."""
    return [
        {
            "lon": np.asarray(route.lon, dtype=np.float64).round(6).tolist(),
            "lat": np.asarray(route.lat, dtype=np.float64).round(6).tolist(),
            "colour": route.colour,
            "legend": route.legend,
            "stops": [asdict(stop) for stop in route.stops],
        }
        for route in routes
    ]


def check_layers(
    faults: Faults, image: MapImage | None, points: MapPoints | None, routes: Sequence[MapRoute]
) -> None:
    """Note what cannot be drawn."""
    if image is not None:
        box = np.asarray(image.box, dtype=np.float64)
        whole = box.shape == (4,) and bool(np.isfinite(box).all())
        faults.check(
            whole and box[0] < box[2] and box[1] < box[3],
            "the picture's box must be west, south, east, north in degrees",
        )
        faults.check(0 <= image.opacity <= 1, "the picture's opacity must be from 0 to 1")
    if points is not None:
        _check_points(faults, points)
    for route in routes:
        lon, lat = (np.asarray(a, dtype=np.float64) for a in (route.lon, route.lat))
        faults.check(lon.shape == lat.shape, "a route needs one latitude for each longitude")
        stops = np.array([[stop.lon, stop.lat] for stop in route.stops], dtype=np.float64)
        faults.check(
            all(np.isfinite(a).all() for a in (lon, lat, stops)), "a route has a place that is missing"
        )


def _check_points(faults: Faults, points: MapPoints) -> None:
    lon, lat = (np.asarray(a, dtype=np.float64) for a in (points.lon, points.lat))
    kind = np.asarray(points.kind)
    same = lon.ndim == 1 and lon.shape == lat.shape == kind.shape
    faults.check(same, "points need one place and one class each")
    faults.check(np.isfinite(lon).all() and np.isfinite(lat).all(), "a point has a place that is missing")
    faults.check(len(points.classes) <= HIDDEN, f"points can have at most {HIDDEN} classes")
    known = (kind == HIDDEN) | ((kind >= 0) & (kind < len(points.classes)))
    faults.check(
        np.issubdtype(kind.dtype, np.integer) and known.all(), "a point has a class that does not exist"
    )
    faults.check(all(0 <= index < len(lon) for index in points.chosen), "a chosen point does not exist")
