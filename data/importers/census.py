"""Bring census figures from tracts to neighborhoods by shared area."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

_LEAST_SHARED_M2 = 1.0


@dataclass(frozen=True)
class CensusShare:
    """Neighborhoods with census figures, and what did not fit.

    Attributes
    ----------
    neighborhoods
        As given, with ``population`` and ``median_household_income`` (Int64).
    people
        Sum of the tracts' population.
    people_outside
        People of tracts that touch no neighborhood; they are in no row.
    people_off_land
        People who would stand outside every neighborhood if each tract were filled evenly to its edge;
        they were moved to the part of their tract that lies in a neighborhood.
    """

    neighborhoods: gpd.GeoDataFrame
    people: int
    people_outside: int
    people_off_land: int


def census_to_neighborhoods(
    neighborhoods: gpd.GeoDataFrame, tracts: gpd.GeoDataFrame, *, utm_epsg: int
) -> CensusShare:
    """Spread each tract's people evenly over its part in neighborhoods, and sum them up there.

    A neighborhood's income is the mean of its tracts' median incomes, weighted by the people each tract
    gives it: not a true median. A tract without a positive income gives none.

    Parameters
    ----------
    neighborhoods
        Polygons with ``name``.
    tracts
        Polygons with ``population`` and ``median_household_income``.
    utm_epsg
        The grid in which areas are measured.

    Notes
    -----
    Areal weighting: Goodchild and Lam (1980), "Areal interpolation: a variant of the traditional spatial
    problem", Geo-Processing 1, 297-312. The sum is kept: people are rounded by largest remainder.
    """
    hoods = gpd.GeoDataFrame(
        {"hood": np.arange(len(neighborhoods))},
        geometry=neighborhoods.geometry.to_numpy(),
        crs=neighborhoods.crs,
    ).to_crs(epsg=utm_epsg)
    zones = gpd.GeoDataFrame(
        {"tract": np.arange(len(tracts))}, geometry=tracts.geometry.to_numpy(), crs=tracts.crs
    ).to_crs(epsg=utm_epsg)
    shared = gpd.overlay(hoods, zones, how="intersection", keep_geom_type=True)
    shared_m2 = np.zeros((len(neighborhoods), len(tracts)))
    np.add.at(shared_m2, (shared["hood"].to_numpy(), shared["tract"].to_numpy()), shared.area.to_numpy())
    shared_m2[shared_m2 < _LEAST_SHARED_M2] = 0

    people = tracts["population"].to_numpy(dtype=float)
    inside_m2 = shared_m2.sum(axis=0)
    reached = inside_m2 > 0
    given = shared_m2 * np.divide(people, inside_m2, out=np.zeros_like(people), where=reached)
    income = tracts["median_household_income"].to_numpy(dtype=float, na_value=np.nan)
    weight = np.where(income > 0, given, 0)
    total_weight = weight.sum(axis=1)
    mean_income = np.divide(
        weight @ np.where(income > 0, income, 0),
        total_weight,
        out=np.full(len(hoods), np.nan),
        where=total_weight > 0,
    )
    result = neighborhoods.copy()
    result["population"] = pd.array(_rounded(given.sum(axis=1)), dtype="Int64")
    result["median_household_income"] = pd.Series(mean_income, index=result.index).round().astype("Int64")
    whole_m2 = np.maximum(zones.area.to_numpy(), inside_m2)
    off_land = people[reached] * (1 - inside_m2[reached] / whole_m2[reached])
    return CensusShare(
        neighborhoods=result,
        people=round(people.sum()),
        people_outside=round(people[~reached].sum()),
        people_off_land=round(off_land.sum()),
    )


def _rounded(figures: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Round to whole numbers that keep the (rounded) sum: the largest remainders go up."""
    whole = np.floor(figures).astype(np.int64)
    lacking = round(figures.sum()) - int(whole.sum())
    order = np.lexsort((np.arange(len(figures)), -(figures - whole)))
    whole[order[:lacking]] += 1
    return whole
