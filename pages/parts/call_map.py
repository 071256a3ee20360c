"""Counts of calls on the map, as hexagons or heat."""

import numpy as np
from numpy.typing import NDArray

from data.city import City
from geo.hexgrid import cell_centres, cell_names
from models.call_counts import GroupCounts, count_hexagons
from models.calls import DAYS_A_WEEK, CallTable, Hexagons
from models.privacy import ROUNDING_BASE, SMALLEST_SHOWN
from pages.parts.call_controls import CallChoice
from pages.parts.call_data import CallData, period_of
from pages.parts.city_map import LegendEntry, MapHeat, MapHexes, city_map
from pages.parts.ground import ground_url
from pages.parts.notes import note
from pages.parts.palette import Theme, ramp_colours

MAP_HEIGHT = 518
"""Pixels: with the navigation above and a caption below it fills a window of 1280 by 720."""

_CLASS_TOPS = (0.4, 0.7, 0.88, 0.97)
"""Quantiles where a colour ends: few hexagons hold very many calls, so equal steps would paint most alike."""
_PALEST = 0.2
"""Where on the ramp the lowest class begins: its very end is the colour of the ground."""
_HEAT_SPREAD = 0.7
"""Spread of the heat, as a part of the hexagon's width: neighbours just melt together."""
_ROUND_FROM = 100


def class_limits(values: NDArray[np.float64]) -> list[int]:
    """Give the upper limits of the colour classes of some counts, rising; the last is the greatest count."""
    if not values.size:
        return []
    tops = [_two_digits(float(top)) for top in np.quantile(values, _CLASS_TOPS)]
    greatest = int(values.max())
    return [*sorted({top for top in tops if values.min() <= top < greatest}), greatest]


def hexagon_layer(
    hexagons: Hexagons, counts: GroupCounts, *, theme: Theme, weeks: float | None
) -> tuple[MapHexes, list[LegendEntry]]:
    """Colour the hexagons that may be shown, with a legend; ``weeks`` adds calls a week to the labels."""
    shown = np.flatnonzero(counts.shown > 0)
    values = counts.shown[shown]
    limits = class_limits(values)
    colours = ramp_colours(np.linspace(_PALEST, 1.0, len(limits)), theme, top=1.0)
    class_of = np.searchsorted(limits, values)
    about = "about " if counts.has_medical else ""
    hexes = MapHexes(
        cells=cell_names(hexagons.cells[shown]),
        colours=[colours[i] for i in class_of],
        labels=[f"{about}{value:,.0f} calls{_weekly(value, weeks)}" for value in values],
    )
    lows = [int(values.min()) if values.size else 0, *(limit + 1 for limit in limits[:-1])]
    legend = [
        LegendEntry(label=_span(low, top) + (" calls" if low == lows[0] else ""), colour=colour)
        for low, top, colour in zip(lows, limits, colours, strict=False)
    ]
    return hexes, legend


def heat_layer(hexagons: Hexagons, counts: GroupCounts, *, theme: Theme, width_m: float) -> MapHeat:
    """Heat from the counts of hexagons that may be shown, each at its centre: no call is drawn as a point."""
    shown = np.flatnonzero(counts.shown > 0)
    lon, lat = cell_centres(hexagons.cells[shown])
    return MapHeat(
        lon=lon,
        lat=lat,
        weight=counts.shown[shown],
        kernel_m=_HEAT_SPREAD * width_m,
        colours=theme.ramp,
        legend="calls per area",
    )


def _weekly(calls: float, weeks: float | None) -> str:
    return f", {calls / weeks:,.1f} a week" if weeks else ""


def _span(low: int, high: int) -> str:
    return f"{low:,}" if low >= high else f"{low:,} to {high:,}"


def _two_digits(value: float) -> int:
    if value < _ROUND_FROM:
        return round(value)
    step: int = 10 ** (int(np.log10(value)) - 1)
    return round(value / step) * step


def show_calls(
    city: City, data: CallData, chosen: NDArray[np.bool_], choice: CallChoice, *, theme: Theme
) -> None:
    """Show the chosen calls on the map, and say what is hidden."""
    hexagons = data.calls.hexagons[choice.resolution]
    counts = count_hexagons(data.calls, chosen, resolution=choice.resolution)
    period = period_of(data, choice.wanted)
    weeks = ((period[1] - period[0]).days + 1) / DAYS_A_WEEK if period else None
    hexes, legend = hexagon_layer(hexagons, counts, theme=theme, weeks=weeks)
    heat = None
    if choice.layer == "Heat":
        heat = heat_layer(hexagons, counts, theme=theme, width_m=data.widths_m[choice.resolution])
    city_map(
        key="calls_map",
        ground_url=ground_url(city),
        height=MAP_HEIGHT,
        hexes=hexes if heat is None else None,
        heat=heat,
        legend=legend if heat is None else (),
        note="Demo city: synthetic data" if city.synthetic else "",
        label="Map of 911 calls by hexagon",
    )
    source = city.source("calls")
    caveats = [text for text in source.caveats if text not in source.source] if not city.synthetic else []
    note(" ".join([say_shown(counts, data.calls), *caveats]))


def say_shown(counts: GroupCounts, calls: CallTable) -> str:
    """Say what the map hides and what the data cannot tell; empty when it shows every call."""
    told = []
    if calls.first_day is None:
        kinds = "" if calls.kind.known or calls.priority.known else "no type, "
        told.append(f"Places only: no rhythm, {kinds}no response time can be read from this data.")
    if counts.has_medical:
        told.append(
            f"Medical calls are never drawn as points. A hexagon with fewer than {SMALLEST_SHOWN} is hidden, "
            f"others are rounded to {ROUNDING_BASE}, so that nobody's illness can be read from the map."
        )
        told.append(_say_hidden(counts))
    return " ".join(told)


def _say_hidden(counts: GroupCounts) -> str:
    hidden = counts.medical
    if not hidden.hidden_groups:
        return "None is hidden now."
    if hidden.hidden_calls is None:
        return "A few calls are hidden now."
    return f"Hidden now: about {hidden.hidden_calls:,} calls in {hidden.hidden_groups:,} hexagons."
