"""Small random siting problems and every plan that follows their rules, by counting them all."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
from hypothesis.extra.numpy import arrays

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Case:
    """A siting problem: reach, cost, weight, group, units, and the rules as keyword options."""

    reach: BoolArray
    cost: FloatArray
    weight: FloatArray
    group: IntArray
    units: int
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def n_sites(self) -> int:
        return int(self.reach.shape[1])

    def at(self, sites: npt.ArrayLike) -> IntArray:
        return np.bincount(np.asarray(sites, dtype=np.int64), minlength=self.n_sites).astype(np.int64)

    def allowed(self) -> list[int]:
        return [site for site in range(self.n_sites) if site not in self.rules.get("forbidden", ())]

    def moves(self, units_at: IntArray) -> int:
        today = self.at(self.rules.get("baseline") or ())
        return int(min(units_at.sum(), today.sum()) - np.minimum(units_at, today).sum())

    def plans(self, most_at_a_site: int) -> Iterator[IntArray]:
        """All plans that follow the rules."""
        fixed = self.at(self.rules.get("fixed", ()))
        for sites in combinations_with_replacement(self.allowed(), self.units):
            units_at = self.at(sites)
            if (units_at > most_at_a_site).any() or (units_at < fixed).any():
                continue
            limit = self.rules.get("max_moves")
            if limit is None or self.moves(units_at) <= limit:
                yield units_at

    def reachable(self) -> BoolArray:
        return np.asarray(self.reach[:, self.allowed()].any(axis=1))

    def held(self, units_at: IntArray, busy: float) -> FloatArray:
        """Expected covered weight of each row."""
        reaching = self.reach @ units_at
        return self.weight * np.where(reaching > 0, 1 - busy**reaching, 0.0)


@st.composite
def cases(draw: st.DrawFn, *, rules: bool = True, max_units: int = 4) -> Case:
    n_sites, n = draw(st.integers(1, 6)), draw(st.integers(1, 10))
    reach = draw(arrays(bool, (n, n_sites)))
    seconds = st.one_of(st.integers(0, 9).map(float), st.just(np.inf))
    cost = draw(arrays(float, (n, n_sites), elements=seconds))
    weights = st.one_of(st.integers(0, 4).map(float), st.floats(0, 1, width=16))
    weight = draw(arrays(float, n, elements=weights))
    weight[0] = weight[0] or 1.0
    group = draw(arrays(np.int64, n, elements=st.integers(-1, 2)))
    options: dict[str, Any] = {}
    if rules:
        site = st.integers(0, n_sites - 1)
        options = {
            "fixed": draw(st.lists(site, max_size=2, unique=True)),
            "forbidden": draw(st.lists(site, max_size=2, unique=True)),
        }
        if draw(st.booleans()):
            options["baseline"] = draw(st.lists(site, max_size=3, unique=True))
            options["max_moves"] = draw(st.integers(0, 2))
    return Case(reach, cost, weight, group, draw(st.integers(1, max_units)), options)
