"""The demo's rain: ordinary days and storms, as gauges write them down."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.facts_io import FloatArray, metres, read_toml

STEP_MIN = 15
HOUR_MIN = 60
DAYS = 731
"""Days of the two years of records, 2024 being a leap year."""


@dataclass(frozen=True)
class StormOnGround:
    """A storm: its days since the records begin, and where it rains how much."""

    begins_day: float
    lasts_days: float
    middle: FloatArray
    most_mm: float
    reach_m: float

    def depth_mm(self, xy: FloatArray) -> FloatArray:
        """(n,) rain at (n, 2) places in metres."""
        square = ((xy - self.middle) ** 2).sum(axis=1)
        return np.asarray(self.most_mm * np.exp(-0.5 * square / self.reach_m**2))


def first_day() -> np.datetime64:
    """Give the day on which the records begin."""
    return np.datetime64(f"{read_toml('drainage')['rain']['first_year']}-01-01")


def local_times(days: FloatArray, timezone: str) -> "pd.Series[Any]":
    """Turn days since the records begin, by the city's clock, into times (whole seconds); NaN: no time."""
    whole = pd.to_timedelta(pd.Series(np.round(np.asarray(days, dtype=float) * 86_400)), unit="s")
    naive = pd.Timestamp(str(first_day())) + whole
    # An hour that the clock skips in spring moves on; one that it repeats in autumn is the first.
    zoned: pd.Series[Any] = naive.dt.tz_localize(
        timezone, ambiguous=np.ones(len(naive), dtype=bool), nonexistent="shift_forward"
    ).dt.as_unit("us")
    return zoned


def storms() -> tuple[StormOnGround, ...]:
    """Give the storms of ``facts/drainage.toml``."""
    return tuple(
        StormOnGround(
            begins_day=float((np.datetime64(storm["date"]) - first_day()) / np.timedelta64(1, "D"))
            + storm["begins"] / 24,
            lasts_days=storm["hours"] / 24,
            middle=metres([storm["middle"]])[0],
            most_mm=storm["mm"],
            reach_m=storm["reach_m"],
        )
        for storm in read_toml("drainage")["rain"]["storm"]
    )


def draw_rainfall(timezone: str, rng: np.random.Generator) -> pd.DataFrame:
    """Give the table ``rainfall``: hours with rain, quarters of an hour in storms; none where none fell."""
    facts = read_toml("drainage")["rain"]
    names = np.array([gauge["name"] for gauge in facts["gauge"]], dtype=object)
    lonlat = np.array([gauge["place"] for gauge in facts["gauge"]])
    stormy = storms()
    parts = [_ordinary(facts, len(names), stormy, rng)]
    parts += [_of_storm(storm, metres(lonlat.tolist()), rng) for storm in stormy]
    rows = pd.concat(parts, ignore_index=True)
    rows["depth_mm"] = rows["depth_mm"].round(1)
    rows = rows.loc[rows["depth_mm"] > 0].sort_values(["day", "gauge"], kind="stable", ignore_index=True)
    gauge = rows["gauge"].to_numpy()
    return pd.DataFrame(
        {
            "gauge": names[gauge],
            "starts_at": local_times(rows["day"].to_numpy(), timezone),
            "minutes": rows["minutes"],
            "depth_mm": rows["depth_mm"],
            "lon": lonlat[gauge, 0],
            "lat": lonlat[gauge, 1],
        }
    )


def _ordinary(
    facts: dict[str, Any], gauges: int, stormy: tuple[StormOnGround, ...], rng: np.random.Generator
) -> pd.DataFrame:
    day = np.arange(DAYS)
    month = (first_day() + day).astype("datetime64[M]").astype(int) % 12
    wet = rng.random(DAYS) < np.array(facts["wet_day"])[month]
    wet[[int(storm.begins_day) for storm in stormy]] = False
    wet[[int(storm.begins_day + storm.lasts_days) for storm in stormy]] = False
    day, month = day[wet], month[wet]
    shape = facts["mm"]["shape"]
    depth = np.minimum(rng.gamma(shape, facts["mm"]["mean"] / shape, len(day)), facts["most_mm"])
    hours = rng.integers(facts["hours"][0], facts["hours"][1] + 1, len(day))
    summer = (month >= facts["summer"][0]) & (month <= facts["summer"][1])
    begin = np.where(summer, rng.integers(12, 19, len(day)), rng.integers(0, 20, len(day)))
    of = np.repeat(np.arange(len(day)), hours)
    hour = begin[of] + np.arange(len(of)) - np.repeat(np.cumsum(hours) - hours, hours)
    share = rng.gamma(1.5, 1.0, len(of))
    share /= np.bincount(of, weights=share)[of]
    differ = np.exp(rng.normal(0, facts["gauge_sd"], (gauges, len(day))))
    return pd.DataFrame(
        {
            "gauge": np.repeat(np.arange(gauges), len(of)),
            "day": np.tile(day[of] + hour / 24, gauges),
            "minutes": HOUR_MIN,
            "depth_mm": (depth * differ)[:, of].ravel() * np.tile(share, gauges),
        }
    )


def _of_storm(storm: StormOnGround, gauges: FloatArray, rng: np.random.Generator) -> pd.DataFrame:
    steps = round(storm.lasts_days * 24 * HOUR_MIN / STEP_MIN)
    place = (np.arange(steps) + 0.5) / steps
    # Most falls in the middle; each gauge has gusts of its own.
    usual = np.exp(-0.5 * ((place - 0.45) / 0.2) ** 2)
    share: npt.NDArray[np.float64] = usual * rng.gamma(4.0, 0.25, (len(gauges), steps))
    share /= share.sum(axis=1, keepdims=True)
    depth = storm.depth_mm(gauges) * np.exp(rng.normal(0, 0.08, len(gauges)))
    return pd.DataFrame(
        {
            "gauge": np.repeat(np.arange(len(gauges)), steps),
            "day": np.tile(storm.begins_day + np.arange(steps) * STEP_MIN / 24 / HOUR_MIN, len(gauges)),
            "minutes": STEP_MIN,
            "depth_mm": (share * depth[:, None]).ravel(),
        }
    )
