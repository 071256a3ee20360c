"""Small cities of calls for the tests, from a seed."""

from typing import Any

import numpy as np
import pandas as pd
from shapely.geometry import Polygon, box

from models.calls import CallTable, prepare_calls

ZONE = "America/Chicago"
WEST, SOUTH = -90.12, 29.92
REGIONS: list[Polygon] = [box(WEST + 0.02 * i, SOUTH, WEST + 0.02 * (i + 1), SOUTH + 0.05) for i in range(4)]


def random_calls(n: int, *, seed: int, start: str = "2023-01-01", days: float = 120.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    opened = pd.Timestamp(start, tz=ZONE) + pd.to_timedelta(rng.uniform(0, days, n), unit="D")
    dispatched = opened + pd.to_timedelta(rng.gamma(2.0, 60.0, n), unit="s")
    arrived = dispatched + pd.to_timedelta(rng.gamma(4.0, 120.0, n), unit="s")
    frame = pd.DataFrame(
        {
            "call_id": pd.Series([f"C{seed}-{i:06d}" for i in range(n)], dtype="str"),
            "agency": pd.Series(rng.choice(["EMS", "Police", "Fire"], n, p=[0.5, 0.4, 0.1]), dtype="str"),
            "opened_at": pd.Series(opened).dt.as_unit("us"),
            "dispatched_at": pd.Series(dispatched).dt.as_unit("us"),
            "arrived_at": pd.Series(arrived).dt.as_unit("us"),
            "type_code": pd.Series(rng.choice(["21F", "30C", "62A"], n), dtype="str"),
            "type_text": pd.Series(
                rng.choice(["Fall", "Cardiac", "Alarm"], n, p=[0.6, 0.3, 0.1]), dtype="str"
            ),
            "priority": pd.Series(rng.choice(["1", "2", "3"], n), dtype="str"),
            "self_initiated": pd.Series(rng.choice([True, False], n, p=[0.2, 0.8]), dtype="boolean"),
            "lon": WEST + rng.beta(2.0, 3.0, n) * 0.1,
            "lat": SOUTH + rng.beta(2.0, 3.0, n) * 0.06,
        }
    )
    frame.loc[rng.random(n) < 0.1, ["arrived_at"]] = pd.NaT
    frame.loc[rng.random(n) < 0.05, ["priority", "type_text"]] = pd.NA
    frame.loc[rng.random(n) < 0.05, "self_initiated"] = pd.NA
    return frame


def prepared(frame: pd.DataFrame, **options: Any) -> CallTable:  # noqa: ANN401
    settings: dict[str, Any] = {
        "timezone": ZONE,
        "medical_agencies": ("EMS",),
        "salt": "test",
        "regions": REGIONS,
    }
    return prepare_calls(frame, **(settings | options))


def without_times(frame: pd.DataFrame) -> pd.DataFrame:
    """The calls as an extract that has only places: every time, type and priority is missing."""
    bare = frame.copy()
    for column in ("opened_at", "dispatched_at", "arrived_at"):
        bare[column] = pd.Series(pd.NaT, index=bare.index).dt.tz_localize(ZONE).dt.as_unit("us")
    for column in ("type_code", "type_text", "priority"):
        bare[column] = pd.Series(pd.NA, index=bare.index, dtype="str")
    bare["self_initiated"] = pd.Series(pd.NA, index=bare.index, dtype="boolean")
    return bare
