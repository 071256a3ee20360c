"""One palette for maps and charts, in light and dark, told apart by colour-blind readers.

Source: Okabe M., Ito K. (2008), Color Universal Design.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8A9199"

BASELINE = BLUE
SCENARIO = VERMILLION
GAINED = SKY
LOST = VERMILLION

BANDS = ("#00674B", "#4FB08C", "#BFE0CF")
"""Reached first, second, third: one hue, dark to pale, so that print and colour blindness keep the order."""

BANDS_DARK = ("#7FE3BF", "#2FA37C", "#175C46")
"""The same for a dark ground: brightest is soonest."""

_RAMP_LIGHT = ("#EAF2F8", "#A9CCE3", "#5499C7", "#1F6FA8", "#0B3C64")
_RAMP_DARK = ("#16283A", "#1F4E79", "#2E86C1", "#7FB9E6", "#DCEEFB")


@dataclass(frozen=True)
class Theme:
    """Colours that depend on the ground they stand on."""

    dark: bool

    @property
    def bands(self) -> tuple[str, str, str]:
        """Colours of the three response bands, soonest first."""
        return BANDS_DARK if self.dark else BANDS

    @property
    def ramp(self) -> tuple[str, ...]:
        """Sequential ramp from few to many."""
        return _RAMP_DARK if self.dark else _RAMP_LIGHT

    @property
    def muted(self) -> str:
        """Text and marks that stand back."""
        return "#9AA4AE" if self.dark else "#5D6770"


def ramp_colours(values: npt.ArrayLike, theme: Theme, *, top: float | None = None) -> list[str]:
    """Colour of each value on the theme's sequential ramp, linear from zero to ``top`` (the greatest value).

    Parameters
    ----------
    values
        (n,) finite numbers, zero or more.
    """
    array = np.asarray(values, dtype=float)
    if not array.size:
        return []
    greatest = float(array.max()) if top is None else float(top)
    position = np.clip(array / greatest if greatest > 0 else np.zeros_like(array), 0, 1)
    stops = np.array([_rgb(colour) for colour in theme.ramp], dtype=float)
    at = np.linspace(0, 1, len(stops))
    channels = np.column_stack([np.interp(position, at, stops[:, channel]) for channel in range(3)])
    return [_hex(row) for row in np.round(channels).astype(int)]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(row: Sequence[int]) -> str:
    red, green, blue = (int(channel) for channel in row)
    return f"#{red:02X}{green:02X}{blue:02X}"
