"""Can yesterday be reproduced: a past month simulated under its real plan, against what was observed.

Each call is its own pair: the simulated minutes (mean over replications) less the observed minutes. A figure
is the mean of these differences over a group of calls: all, those of one hour of the day, those of one
neighborhood. Its interval lets the calls of one day depend on one another, and is widened so that with a
right simulation all intervals together hold zero with the stated probability (Bonferroni). A figure whose
interval excludes zero is a miss; any miss raises the banner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from errors import Faults, InvalidInputError
from models.coverage import CONFIDENCE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST_CALLS = 30
LEAST_DAYS = 10
"""A group with fewer calls, or calls on fewer days, is listed and not judged."""
UNSERVED_SHARE = 0.01
"""More calls than this left without a unit, that were served in truth, raise the banner by themselves."""
WORST_NAMED = 3
ALL = "all calls"
MEAN, WITHIN = "mean minutes", "share in time"


@dataclass(frozen=True, eq=False)
class Replay:
    """A month replayed.

    Attributes
    ----------
    figures
        One row a group and figure: ``group, name, figure, n, days, observed, simulated, difference, low,
        high, judged, misses``. ``difference`` is simulated less observed, with its interval; minutes, or
        shares.
    n
        Calls compared.
    left_out
        Reason to number of calls that could not be compared.
    unserved
        Share of the observed calls that the simulation left without a unit.
    """

    figures: pd.DataFrame
    n: int
    left_out: Mapping[str, int]
    unserved: float

    @property
    def misses(self) -> pd.DataFrame:
        """Figures that miss, the widest first within each kind."""
        missed = self.figures[self.figures["misses"]]
        return missed.loc[missed["difference"].abs().sort_values(ascending=False, kind="stable").index]

    @property
    def banner(self) -> bool:
        """Whether every comparison must carry a warning."""
        return bool(self.figures["misses"].any()) or self.unserved > UNSERVED_SHARE

    @property
    def words(self) -> str:
        """What the replay showed, in one or two plain sentences."""
        judged = int(self.figures["judged"].sum())
        if not self.banner:
            return (
                f"The replay agrees with what was observed: all {judged} figures, by hour and by "
                f"neighborhood, lie within their intervals ({self.n:,} calls)."
            )
        said = []
        if self.unserved > UNSERVED_SHARE:
            said.append(f"{self.unserved:.1%} of the calls find no unit, though they did in truth")
        missed = self.misses
        if len(missed):
            named = "; ".join(_in_words(row) for row in missed.head(WORST_NAMED).to_dict("records"))
            said.append(f"{len(missed)} of {judged} figures miss by more than chance allows ({named})")
        return (
            "The simulation does not reproduce the past month: "
            + ", and ".join(said)
            + ". Read differences between plans with care until speeds and times are mended."
        )


def _in_words(row: Mapping[object, object]) -> str:
    where = str(row["group"]) if row["group"] == ALL else f"{row['group']} {row['name']}"
    off = float(str(row["difference"]))
    size = f"{abs(off):.1f} min" if row["figure"] == MEAN else f"{100 * abs(off):.0f} percentage points"
    return f"{where}: {size} too {'high' if off > 0 else 'low'}"


def compare_replay(
    observed_min: npt.ArrayLike,
    simulated_min: npt.ArrayLike,
    *,
    day: IntArray,
    groups: Mapping[str, IntArray],
    names: Mapping[str, Sequence[str]],
    target_min: float | None = None,
    confidence: float = CONFIDENCE,
) -> Replay:
    """Compare simulated with observed response minutes, call by call.

    Parameters
    ----------
    observed_min
        (n,) minutes from the call to the first unit on scene; NaN where it was not recorded.
    simulated_min
        (n,) or (n_replications, n) simulated minutes of the same calls; NaN or infinite where no unit came.
    day
        (n,) whole days; calls of one day may depend on one another.
    groups
        What to compare by, such as ``"hour"`` and ``"neighborhood"``: (n,) codes, -1 is in no group.
    names
        For each of ``groups`` the names of its codes.
    target_min
        Compare also the share of calls reached within so many minutes.
    confidence
        Probability that a right simulation has no miss at all.

    Raises
    ------
    InvalidInputError
        With every fault: lengths that differ, negative minutes, nothing to compare.
    """
    observed = np.asarray(observed_min, dtype=float)
    simulated = np.atleast_2d(np.asarray(simulated_min, dtype=float))
    _check(observed, simulated, day, groups, names)
    served = np.isfinite(simulated)
    known = np.isfinite(observed)
    unserved = float(1 - served[:, known].mean())
    usable = known & served.any(axis=0)
    mean = np.where(served, simulated, 0).sum(axis=0) / np.maximum(served.sum(axis=0), 1)
    values = {MEAN: (observed, mean)}
    if target_min is not None:
        values[WITHIN] = ((observed <= target_min).astype(float), (simulated <= target_min).mean(axis=0))
    rows = []
    for figure, (seen, told) in values.items():
        for group, codes in {ALL: np.zeros(len(observed), dtype=np.int64), **groups}.items():
            for code in np.unique(codes[usable & (codes >= 0)]):
                chosen = usable & (codes == code)
                name = ALL if group == ALL else names[group][code]
                rows.append(
                    (
                        group,
                        name,
                        figure,
                        *_difference(seen[chosen], told[chosen], day[chosen], shares=figure == WITHIN),
                    )
                )
    columns = ["group", "name", "figure", "n", "days", "observed", "simulated", "difference", "error"]
    table = pd.DataFrame(rows, columns=columns)
    table["judged"] = (table["n"] >= LEAST_CALLS) & (table["days"] >= LEAST_DAYS)
    strict = 1 - (1 - confidence) / max(int(table["judged"].sum()), 1)
    reach = table["error"] * student.ppf((1 + strict) / 2, np.maximum(table["days"] - 1, 1))
    reach = reach.where(table["judged"])
    table["low"], table["high"] = table["difference"] - reach, table["difference"] + reach
    table["misses"] = table["judged"] & ((table["low"] > 0) | (table["high"] < 0))
    return Replay(
        figures=table.drop(columns="error"),
        n=int(usable.sum()),
        left_out=MappingProxyType(
            {
                "no response time was observed": int((~known).sum()),
                "no unit came in any replication": int((known & ~usable).sum()),
            }
        ),
        unserved=unserved,
    )


def _difference(
    observed: FloatArray, simulated: FloatArray, day: IntArray, *, shares: bool
) -> tuple[int, int, float, float, float, float]:
    """Give number of calls and days, both means, their difference, and its standard error by days."""
    off = simulated - observed
    mean = float(off.mean())
    _, index = np.unique(day, return_inverse=True)
    sums = np.bincount(index, off - mean)
    m = len(sums)
    error = float(np.sqrt(m / (m - 1) * (sums**2).sum()) / len(off)) if m > 1 else np.inf
    if shares:
        # Few calls out of time make the spread seen among them too small; that of chance is its floor.
        middle = float(observed.mean() + simulated.mean()) / 2
        error = max(error, float(np.sqrt(middle * (1 - middle) / len(off))))
    return len(off), m, float(observed.mean()), float(simulated.mean()), mean, error


def _check(
    observed: FloatArray,
    simulated: FloatArray,
    day: IntArray,
    groups: Mapping[str, IntArray],
    names: Mapping[str, Sequence[str]],
) -> None:
    faults = Faults()
    n = len(observed)
    faults.check(observed.ndim == 1, "observed_min must be a list of minutes")
    faults.check(simulated.shape[-1] == n, "simulated_min must hold one number for each observed call")
    faults.check(len(day) == n, "day must hold one day for each call")
    faults.check(not (observed < 0).any(), f"{int((observed < 0).sum())} observed minutes are negative")
    faults.check(not (simulated < 0).any(), f"{int((simulated < 0).sum())} simulated minutes are negative")
    faults.check(np.isfinite(observed).any(), "not one response time was observed")
    for group, codes in groups.items():
        faults.check(len(codes) == n, f"{group!r} must hold one code for each call")
        faults.check(group in names, f"{group!r} has no names")
        if group in names and len(codes):
            faults.check(np.max(codes) < len(names[group]), f"{group!r} has codes without a name")
    faults.raise_as(InvalidInputError, "The replay cannot be compared")
