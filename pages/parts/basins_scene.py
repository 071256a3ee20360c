"""What every view of the page on catch basins looks at, and the words and units it speaks in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from data.city import City
from data.profile_drainage import DrainageRules
from data.safe import safe_csv
from models.flood import Flood
from models.flood_harm import harm
from pages.parts.basins_ground import Reach, Surface, flood_of
from pages.parts.basins_inputs import BasinsInputs, Known
from pages.parts.basins_setting import Setting
from pages.parts.palette import Theme

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FOOT_M, MILE_M, ACRE_FOOT_M3, POUND_KG = 0.3048, 1609.344, 1233.48184, 0.45359237
GALLON_M3 = 0.003785411784


@dataclass(frozen=True, eq=False)
class Scene:
    """One look at a city's basins under one setting.

    Attributes
    ----------
    city, inputs, known, rules
        The city, its basins, what is known of their states, and its drainage rules.
    surface
        The ground; None without elevation.
    setting
        Storm, pumps, crews.
    theme
        Colours.
    """

    city: City
    inputs: BasinsInputs
    known: Known
    rules: DrainageRules
    surface: Surface | None
    setting: Setting
    theme: Theme

    @cached_property
    def water(self) -> Flood | None:
        """What the storm leaves; None without elevation.

        Raises
        ------
        InvalidInputError
            The storm is more than was ever recorded.
        """
        if self.surface is None:
            return None
        return flood_of(self.surface, self.known, self.city.version, self.known.key, only_water(self.setting))

    @property
    def stamp(self) -> tuple[object, ...]:
        """What a result of the water is made for: it is stale beside another."""
        return self.city.version, self.known.key, only_water(self.setting)

    def place(self, area: int) -> str:
        """Name of a neighborhood as people write it."""
        name = self.inputs.areas[area]
        return name.title() if name.isupper() else name

    def basin_label(self, basin: int) -> str:
        """Name a basin: its id and street."""
        name, street = str(self.inputs.basins["basin_id"].iloc[basin]), self.inputs.street[basin]
        return f"{name}, {street}" if street else name


@dataclass(frozen=True)
class Reached:
    """What the water reaches.

    Attributes
    ----------
    slow_m, shut_m
        Metres of street with half a foot of water, and with a foot.
    people, buildings
        People and buildings; buildings NaN where the city has no table of them.
    """

    slow_m: float
    shut_m: float
    people: float
    buildings: float


def reached(reach: Reach, level_m: FloatArray) -> Reached:
    """Count what water at these levels reaches."""
    return Reached(
        harm(reach.slow, level_m),
        harm(reach.shut, level_m),
        harm(reach.people, level_m),
        float("nan") if reach.buildings is None else harm(reach.buildings, level_m),
    )


def only_water(setting: Setting) -> Setting:
    """Keep of a setting what decides where water stands: crews and fair shares back to nothing."""
    return replace(setting, trucks=0, days=0, goal="people", fair=0.0, floor=0)


def miles(metres: float) -> str:
    """Miles with the digits that count."""
    value = metres / MILE_M
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def count(value: float) -> str:
    """Whole number, rounded to three digits: more would claim what a model does not know."""
    if not np.isfinite(value):
        return "not known"
    if abs(value) < 1000:
        return f"{value:,.0f}"
    digits = 3 - len(str(int(abs(value))))
    return f"{round(value, digits):,.0f}"


def spread(low: float, high: float, say: str = "") -> str:
    """Say an interval."""
    return f"{count(low)} to {count(high)}{say}"


def percent(share: float) -> str:
    """Say a share of one as whole percent, never certain."""
    if not np.isfinite(share):
        return "not known"
    if 0 < share < 0.01:
        return "under 1 %"
    return f"{100 * share:.0f} %" if share <= 0.99 or share >= 1 else "over 99 %"


def csv_button(label: str, table: pd.DataFrame, stem: str, *, key: str) -> None:
    """Offer a table as a CSV file; it is written only when it is asked for."""
    st.download_button(
        label,
        lambda: safe_csv(table),
        f"{stem}.csv",
        "text/csv",
        icon=":material/table_view:",
        width="stretch",
        on_click="ignore",
        key=key,
    )


def table_height(rows: int, *, most: int, row_px: int = 25) -> int:
    """Pixels of a table that shows at most so many rows."""
    return row_px * min(max(rows, 1), most) + row_px + 13


def sources_words(city: City, names: Sequence[str]) -> str:
    """Say where tables come from and which time they cover."""
    told = []
    for name in names:
        if city.has(name):
            source = city.source(name)
            told.append(f"{source.title}: {source.source.rstrip('.')}, {source.period}")
    return ". ".join(told) + "." if told else ""
