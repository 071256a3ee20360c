"""Places of the demo city: neighborhoods, police districts, ambulance posts, hospitals."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from data.demo.facts_io import metres, read_csv
from data.demo.ground import Ground


@dataclass(frozen=True)
class Neighborhoods:
    """Neighborhoods in the order of their names.

    Attributes
    ----------
    name
        (n,) names.
    shape
        (n,) areas in metres; together they are the land.
    population, income
        (n,) inhabitants, and median household income in dollars.
    district
        (n,) number of the police district.
    """

    name: tuple[str, ...]
    shape: npt.NDArray[np.object_]
    population: npt.NDArray[np.int64]
    income: npt.NDArray[np.int64]
    district: npt.NDArray[np.int64]


def draw_neighborhoods(ground: Ground) -> Neighborhoods:
    """Give every piece of land to the nearest seed that lies on it (Voronoi cells), and join cells by name.

    River and canals part the land, so no neighborhood reaches across the river to ground that is nearer to
    a seed on the other bank. Land without a seed goes to the seed nearest to it.
    """
    rows = read_csv("neighborhoods")
    seeds = np.asarray(shapely.points(metres([(float(row["lon"]), float(row["lat"])) for row in rows])))
    of_row = np.array([row["name"] for row in rows], dtype=object)
    pieces: dict[str, list[BaseGeometry]] = {name: [] for name in sorted(set(of_row))}
    for part in shapely.get_parts(ground.land):
        here = np.flatnonzero(shapely.intersects(part, seeds))
        if len(here) > 1:
            cells = shapely.get_parts(
                shapely.voronoi_polygons(
                    shapely.multipoints(seeds[here]), extend_to=ground.parish, ordered=True
                )
            )
            for row, cell in zip(here, cells, strict=True):
                pieces[of_row[row]].append(cell.intersection(part))
        else:
            nearest = int(here[0]) if len(here) else int(np.argmin(shapely.distance(seeds, part)))
            pieces[of_row[nearest]].append(part)
    first = {row["name"]: row for row in reversed(rows)}
    names = tuple(pieces)
    return Neighborhoods(
        name=names,
        shape=np.array([_areas_only(shapely.union_all(pieces[name])) for name in names], dtype=object),
        population=np.array([int(first[name]["population"]) for name in names]),
        income=np.array([int(first[name]["median_household_income"]) for name in names]),
        district=np.array([int(first[name]["district"]) for name in names]),
    )


def _areas_only(shape: BaseGeometry) -> BaseGeometry:
    parts = shapely.get_parts(shape)
    return shapely.union_all(parts[shapely.area(parts) > 1.0])


def police_districts(neighborhoods: Neighborhoods) -> tuple[list[str], list[BaseGeometry]]:
    """Give the names and areas (metres) of the eight police districts."""
    numbers = sorted(set(neighborhoods.district.tolist()))
    shapes = [shapely.union_all(neighborhoods.shape[neighborhoods.district == number]) for number in numbers]
    return [f"Police District {number}" for number in numbers], shapes


def posts_table() -> pd.DataFrame:
    """Give the candidate posts, those of the made-up plan first."""
    rows = read_csv("posts")
    return pd.DataFrame(
        {
            "post_id": [f"P{number:02d}" for number in range(1, len(rows) + 1)],
            "name": [row["name"] for row in rows],
            "kind": [row["kind"] for row in rows],
            "address": [row["address"] for row in rows],
            "baseline_rank": pd.array(
                [int(row["baseline_rank"]) if row["baseline_rank"] else None for row in rows], dtype="Int64"
            ),
            "lon": [float(row["lon"]) for row in rows],
            "lat": [float(row["lat"]) for row in rows],
        }
    )


def hospitals_table() -> pd.DataFrame:
    """Give the hospitals, with the demo's weight of choice in the column ``weight``."""
    rows = read_csv("hospitals")
    return pd.DataFrame(
        {
            "hospital_id": [f"H{number:02d}" for number in range(1, len(rows) + 1)],
            "name": [row["name"] for row in rows],
            "kind": [row["kind"] for row in rows],
            "receives_911": pd.array([row["receives"] == "yes" for row in rows], dtype="boolean"),
            "specialties": [row["specialties"] or None for row in rows],
            "weight": [float(row["weight"]) for row in rows],
            "lon": [float(row["lon"]) for row in rows],
            "lat": [float(row["lat"]) for row in rows],
        }
    )
