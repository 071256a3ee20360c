"""Turn what was drawn into the tables of a city folder: degrees, identifiers, column types."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from data.demo.facts_io import degrees
from data.demo.ground import Ground
from data.demo.network import Network
from data.demo.places import Neighborhoods, police_districts

CRS = "EPSG:4326"


def in_degrees(shapes: Sequence[BaseGeometry] | npt.NDArray[np.object_]) -> list[BaseGeometry]:
    """Turn shapes in metres into shapes in degrees, mending outlines that rounding crossed."""
    turned = shapely.transform(np.asarray(shapes, dtype=object), degrees)
    crossed = ~shapely.is_valid(turned)
    turned[crossed] = shapely.buffer(turned[crossed], 0)
    return list(turned)


def street_tables(network: Network) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Give the tables ``streets`` and ``street_nodes``."""
    lines = network.lines
    lonlat = degrees(network.xy)
    streets = gpd.GeoDataFrame(
        {
            "u": network.u + 1,
            "v": network.v + 1,
            "name": network.name,
            "road_class": network.road_class,
            "length_m": np.round(shapely.length(lines), 2),
            "speed_kph": network.speed_kph,
            "oneway": network.oneway,
        },
        geometry=in_degrees(lines),
        crs=CRS,
    )
    nodes = pd.DataFrame({"node": np.arange(1, len(lonlat) + 1), "lon": lonlat[:, 0], "lat": lonlat[:, 1]})
    return streets, nodes


def neighborhoods_table(hoods: Neighborhoods) -> gpd.GeoDataFrame:
    """Give the table ``neighborhoods``."""
    columns = {"name": hoods.name, "population": hoods.population, "median_household_income": hoods.income}
    return gpd.GeoDataFrame(columns, geometry=in_degrees(hoods.shape.tolist()), crs=CRS)


def districts_table(hoods: Neighborhoods) -> gpd.GeoDataFrame:
    """Give the table ``districts``."""
    names, shapes = police_districts(hoods)
    return gpd.GeoDataFrame({"name": names, "kind": "police"}, geometry=in_degrees(shapes), crs=CRS)


def water_table(ground: Ground) -> gpd.GeoDataFrame:
    """Give the table ``water``."""
    names, kinds, shapes = zip(*ground.water, strict=True)
    return gpd.GeoDataFrame({"name": names, "kind": kinds}, geometry=in_degrees(shapes), crs=CRS)
