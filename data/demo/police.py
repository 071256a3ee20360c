"""Police calls: how long they waited, and how they ended."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.clock import Year
from data.demo.facts_io import read_toml

NEVER_REACHED = ("VOI", "DUP", "UNF")
"""Dispositions of calls that no officer reached."""


def police_calls(
    drawn: pd.DataFrame,
    year: Year,
    rng: np.random.Generator,
    *,
    disposition: npt.NDArray[np.object_] | None = None,
    first_number: int = 1,
) -> pd.DataFrame:
    """Give the rows of ``calls`` for the police.

    Parameters
    ----------
    drawn
        The police's part of ``Demand.calls``, in order.
    year
        The city's clock.
    rng
        Draws waits, drives, stays and dispositions.
    disposition
        (n,) how each call ended, where that is not drawn here.
    first_number
        Item numbers of each month begin with this one.
    """
    facts = read_toml("calls")["police_minutes"]
    count = len(drawn)
    digit = drawn["priority"].str[0].to_numpy(dtype=object)
    own = drawn["self_initiated"].to_numpy(dtype=bool)
    opened = drawn["opened_s"].to_numpy(dtype=float)

    def minutes(what: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        median = np.array([facts[what][d] for d in digit], dtype=float)
        seconds: np.ndarray[tuple[int], np.dtype[np.float64]] = (
            60 * median * np.exp(rng.normal(0, facts["spread"], count))
        )
        return seconds

    if disposition is None:
        codes, _, share = zip(*facts["dispositions"], strict=True)
        ending = rng.choice(len(codes), size=count, p=np.array(share) / sum(share))
        code = np.array(codes, dtype=object)[ending]
    else:
        code = disposition
    dispatched = opened + np.where(own, 0.0, minutes("wait"))
    arrived = dispatched + np.where(own, 0.0, minutes("drive"))
    closed = arrived + minutes("stay")
    missed = np.isin(code, NEVER_REACHED) & ~own & (rng.random(count) < 0.6)
    closed[missed] = arrived[missed]
    arrived[missed] = np.nan
    dispatched[missed & (code == "DUP")] = np.nan

    letter = np.array(list("ABCDEFGHIJKL"), dtype=object)[year.month[year.hour_index(opened)]]
    number = pd.Series(letter).groupby(letter).cumcount().to_numpy() + first_number
    return pd.DataFrame(
        {
            "call_id": [f"{month}{n:05d}25" for month, n in zip(letter, number, strict=True)],
            "agency": "Police",
            "opened_at": year.times(opened),
            "dispatched_at": year.times(dispatched),
            "arrived_at": year.times(arrived),
            "closed_at": year.times(closed),
            "type_code": drawn["type_code"].to_numpy(),
            "type_text": drawn["type_text"].to_numpy(),
            "priority": drawn["priority"].to_numpy(),
            "self_initiated": pd.array(own, dtype="boolean"),
            "disposition": code,
            "location_precision": "block",
            "lon": drawn["lon"].to_numpy(),
            "lat": drawn["lat"].to_numpy(),
        }
    )
