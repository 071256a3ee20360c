"""Time a peer, which pytest-benchmark does not hold beside the benchmark itself."""

import time
from collections.abc import Callable
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def seconds_of(run: Callable[[], T], *, rounds: int) -> tuple[float, T]:
    """Median seconds of ``rounds`` runs, and what the last one returned."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = run()
        taken.append(time.perf_counter() - start)
    return median(taken), result
