"""Chance to survive a cardiac arrest, by the minutes until help. For cardiac arrest only.

Both functions describe out-of-hospital cardiac arrest in the years and places of their studies. They say
nothing about any other call, and must not be applied to all calls of a city.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from errors import Faults, InvalidInputError

FloatArray = npt.NDArray[np.float64]

DE_MAIO_INTERCEPT = 0.679
DE_MAIO_PER_MIN = 0.262
LARSEN_AT_ONCE = 0.67
LARSEN_CPR_PER_MIN = 0.023
LARSEN_DEFIBRILLATION_PER_MIN = 0.011
LARSEN_ALS_PER_MIN = 0.021

DE_MAIO_SOURCE = (
    "De Maio, Stiell, Wells, Spaite 2003: Optimal defibrillation response intervals for maximum "
    "out-of-hospital cardiac arrest survival rates. Annals of Emergency Medicine 42(2), 242-250"
)
LARSEN_SOURCE = (
    "Larsen, Eisenberg, Cummins, Hallstrom 1993: Predicting survival from out-of-hospital cardiac arrest: "
    "a graphic model. Annals of Emergency Medicine 22(11), 1652-1658"
)


def de_maio(call_to_first_defibrillator_min: npt.ArrayLike) -> FloatArray:
    """Survival to discharge from a cardiac arrest, by the minutes until the first defibrillator arrives.

    ``1 / (1 + exp(0.679 + 0.262 t))`` (De Maio et al. 2003, Annals of Emergency Medicine 42, 242-250): all
    adult out-of-hospital arrests of cardiac cause in 21 Ontario communities with basic life support and
    defibrillation, any first rhythm.

    Parameters
    ----------
    call_to_first_defibrillator_min
        Minutes from the call received by ambulance dispatch to the arrival of the first responder with a
        defibrillator, often the fire engine; zero or more, any shape. Infinite gives 0.

    Returns
    -------
    survival
        Probabilities of the same shape, from 0.336 at 0 minutes downwards.

    Raises
    ------
    InvalidInputError
        When a time is negative or NaN.
    """
    minutes = _minutes({"the time to the first defibrillator": call_to_first_defibrillator_min})[0]
    return np.asarray(expit(-(DE_MAIO_INTERCEPT + DE_MAIO_PER_MIN * minutes)))


def larsen(cpr_min: npt.ArrayLike, defibrillation_min: npt.ArrayLike, als_min: npt.ArrayLike) -> FloatArray:
    """Survival from a cardiac arrest, by the minutes from collapse to each of three treatments.

    ``67 % - 2.3 % a minute to CPR - 1.1 % a minute to defibrillation - 2.1 % a minute to advanced life
    support`` (Larsen et al. 1993, Annals of Emergency Medicine 22, 1652-1658), floored at zero: 1,667
    patients of King County in ventricular fibrillation with heart disease, whose arrest came before the
    ambulance. They had the best chances of all; other arrests fare worse.

    Parameters
    ----------
    cpr_min, defibrillation_min, als_min
        Minutes from collapse to the start of chest compressions, to the first shock, and to advanced life
        support; zero or more, broadcast against each other. Infinite gives 0.

    Returns
    -------
    survival
        Probabilities from 0.67 down to 0.

    Raises
    ------
    InvalidInputError
        When a time is negative or NaN.
    """
    cpr, shock, als = _minutes(
        {
            "the time to CPR": cpr_min,
            "the time to defibrillation": defibrillation_min,
            "the time to ALS": als_min,
        }
    )
    lost = LARSEN_CPR_PER_MIN * cpr + LARSEN_DEFIBRILLATION_PER_MIN * shock + LARSEN_ALS_PER_MIN * als
    return np.asarray(np.maximum(LARSEN_AT_ONCE - lost, 0.0))


def arrest_survival(
    ambulance_min: npt.ArrayLike, engine_min: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Survival by both functions where an ambulance, or a fire engine before it, brings the defibrillator.

    Collapse is taken as the call; CPR and the first shock as the arrival of the first crew, which is the
    engine's where that is sooner; advanced life support as the ambulance's. A bystander's CPR is left out.

    Parameters
    ----------
    ambulance_min
        Minutes from the call to the ambulance's arrival, zero or more; infinite where none comes.
    engine_min
        Minutes from the call to a fire engine's arrival; None where none comes.

    Returns
    -------
    de_maio, larsen
        Probabilities of the same shape.

    Raises
    ------
    InvalidInputError
        When a time is negative or NaN.
    """
    ambulance = _minutes({"the time to the ambulance": ambulance_min})[0]
    engine = _minutes({"the time to the fire engine": np.inf if engine_min is None else engine_min})[0]
    first = np.minimum(ambulance, engine)
    return de_maio(first), larsen(first, first, ambulance)


def _minutes(times: dict[str, npt.ArrayLike]) -> list[FloatArray]:
    faults = Faults()
    arrays = []
    for name, values in times.items():
        minutes = np.asarray(values, dtype=np.float64)
        faults.check(not np.isnan(minutes).any(), f"{name} holds NaN; leave out calls without it")
        faults.check(not (minutes < 0).any(), f"{name} cannot be negative")
        arrays.append(minutes)
    faults.raise_as(InvalidInputError, "Survival cannot be worked out")
    return arrays
