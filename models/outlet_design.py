"""What is known of each outlet besides its incidents, as a regression takes it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Faults, InvalidInputError
from models.outlet_expected import open_hours_exposure

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """Exposure and covariates of outlets.

    Attributes
    ----------
    exposure
        (n,) open hours a week, or 1 each where no outlet's are known.
    covariates
        (n, k).
    names
        (k,) of covariates.
    words
        What was done where something is not known.
    """

    exposure: FloatArray
    covariates: FloatArray
    names: tuple[str, ...]
    words: tuple[str, ...]


def outlet_design(
    *,
    open_hours: npt.ArrayLike,
    capacity: npt.ArrayLike,
    outlets_near: npt.ArrayLike,
    control: npt.ArrayLike | None = None,
) -> Design:
    """Put together what explains incidents besides an outlet's own conduct.

    Skewed numbers enter by their logarithm; counts by log(1 + n). An unknown capacity is set to the median of
    the known ones and marked by an indicator, so that such outlets are compared with one another.

    Parameters
    ----------
    open_hours
        (n,) hours open a week; NaN is not known.
    capacity
        (n,) persons; NaN is not known.
    outlets_near
        (n,) other outlets near by.
    control
        (n,) incidents near by that outlets have no part in, such as traffic accidents; None where types are
        not known.

    Raises
    ------
    InvalidInputError
        Lengths differ, or a number is negative.
    """
    columns = {
        "open_hours": np.asarray(open_hours, dtype=float),
        "capacity": np.asarray(capacity, dtype=float),
        "outlets_near": np.asarray(outlets_near, dtype=float),
    }
    if control is not None:
        columns["control"] = np.asarray(control, dtype=float)
    faults = Faults()
    faults.check(
        len({column.shape for column in columns.values()}) == 1 and columns["capacity"].ndim == 1,
        "open_hours, capacity, outlets_near and control need one number for each outlet",
    )
    for name, column in columns.items():
        faults.check(not (column < 0).any(), f"{name} holds negative numbers")
    faults.raise_as(InvalidInputError, "Outlets cannot be compared")
    exposure, parts, names, said = open_hours_exposure(columns["open_hours"])
    covariates, words = [parts, np.log1p(columns["outlets_near"])[:, None]], [said]
    named = [*names, "other outlets near"]
    if control is None:
        words.append(
            "Types of incidents are not known: nothing stands for how lively a street is without outlets."
        )
    else:
        covariates.append(np.log1p(columns["control"])[:, None])
        named.append("control incidents near")
    # A room for nobody says nothing of its size.
    persons = np.where(columns["capacity"] > 0, columns["capacity"], np.nan)
    unknown = np.isnan(persons)
    if unknown.all():
        words.append("Capacity is not known for any outlet and is left out.")
    else:
        usual = float(np.median(persons[~unknown]))
        covariates.append(np.log(np.where(unknown, usual, persons))[:, None])
        named.append("capacity")
        if unknown.any():
            covariates.append(unknown.astype(float)[:, None])
            named.append("capacity not known")
            words.append(
                f"Capacity is not known for {int(unknown.sum())} of {len(persons)} outlets, compared "
                "with one another."
            )
    return Design(exposure, np.hstack(covariates), tuple(named), tuple(words))
