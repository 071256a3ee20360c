"""The choice of basins as one plain integer program, for tests and benchmarks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def plain_model(
    benefit: Sequence[FloatArray],
    budget: int,
    district: IntArray,
    floors: IntArray,
    *,
    time_limit_s: float = 60.0,
) -> float:
    """Best benefit that HiGHS finds with a variable for every count of every bowl."""
    bowl = np.repeat(np.arange(len(benefit)), [len(values) for values in benefit])
    count = np.concatenate([np.arange(1, len(values) + 1) for values in benefit])
    n = len(bowl)
    one = csr_array((np.ones(n), (bowl, np.arange(n))), shape=(len(benefit), n))
    held = csr_array((count.astype(float), (district[bowl], np.arange(n))), shape=(len(floors), n))
    found = milp(
        -np.concatenate(list(benefit)),
        integrality=np.ones(n, np.int64),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one, ub=1),
            LinearConstraint(held, lb=floors),
            LinearConstraint(count[None, :], ub=budget),
        ],
        options={"time_limit": time_limit_s, "mip_rel_gap": 1e-7},
    )
    assert found.fun is not None
    return -float(found.fun)
