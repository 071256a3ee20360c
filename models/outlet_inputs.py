"""Inputs of the analysis of outlets: faults, reasons not to judge, categories as covariates."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.outlet_counts import FloatArray, IntArray
from models.outlet_expected import FEWEST

FEWEST_OF_A_KIND = 10
"""A category with fewer outlets is fitted together with the other small ones."""


def not_enough(counts: IntArray, block: npt.NDArray[np.object_]) -> str:
    """Why the outlets left cannot be compared at all; "" where they can."""
    if counts.shape[1] < FEWEST:
        return f"{counts.shape[1]} outlets are too few to compare; {FEWEST} are needed"
    if len(set(block)) < 2:
        return "all outlets lie in one block: nothing elsewhere to compare with"
    if (counts.sum(axis=1) == 0).any():
        return "there is not one incident at any outlet in some allocations"
    return ""


def with_category(
    covariates: FloatArray, names: Sequence[str], category: list[str]
) -> tuple[FloatArray, list[str], list[str]]:
    """Covariates with indicators of categories, their names, and words."""
    found, sizes = np.unique(np.array(category), return_counts=True)
    if len(found) == 1:
        return (
            covariates,
            list(names),
            [f"All outlets are of one category ({found[0]}): no comparison between categories."],
        )
    small = {str(kind) for kind, size in zip(found, sizes, strict=True) if size < FEWEST_OF_A_KIND}
    group = np.array(["few of a kind" if kind in small else kind for kind in category])
    kinds, sizes = np.unique(group, return_counts=True)
    base = kinds[np.argmax(sizes)]
    others = [str(kind) for kind in kinds if kind != base]
    words = (
        [f"Too few outlets of {', '.join(sorted(small))}: fitted as one category."] if len(small) > 1 else []
    )
    indicators = [(group == kind).astype(float) for kind in others]
    return np.column_stack([covariates, *indicators]), [*names, *others], words


def missing(label: object) -> bool:
    """Whether a label stands for none."""
    return label is None or str(label) in {"", "nan", "NaT", "<NA>"}


def checked(
    counts: npt.ArrayLike,
    exposure: npt.ArrayLike,
    covariates: npt.ArrayLike,
    names: Sequence[str],
    labels: tuple[Sequence[object], Sequence[object], Sequence[object]],
) -> tuple[IntArray, FloatArray, FloatArray, tuple[str, ...]]:
    """Return counts, exposure, covariates and doors as arrays; raise with every fault."""
    y, hours = np.asarray(counts, dtype=float), np.asarray(exposure, dtype=float)
    x = np.asarray(covariates, dtype=float)
    faults = Faults()
    faults.check(y.ndim == 2 and len(y) > 0, "counts must have allocations and outlets")
    faults.raise_as(InvalidInputError, "Outlets cannot be analysed")
    n = y.shape[1]
    faults.check(hours.shape == (n,), "give each outlet one exposure")
    faults.check(x.shape == (n, len(names)), "give each outlet each named covariate")
    faults.check(all(len(label) == n for label in labels), "give each outlet a block, a category and a door")
    door = tuple(str(label) for label in labels[2])
    faults.check(len(set(door)) == len(door), "each door must be named once")
    bad = ~np.isfinite(y) | (y < 0) | (y != np.floor(y))
    faults.check(not bad.any(), f"{int(bad.sum())} counts are missing, negative or not whole")
    faults.raise_as(InvalidInputError, "Outlets cannot be analysed")
    return y.astype(np.int64), hours, x, door
