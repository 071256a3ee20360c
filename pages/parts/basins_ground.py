"""The ground of the page on catch basins: ponds, the inlets that drain them, and what water reaches."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from data.city import City
from data.elevation import Elevation
from data.profile_drainage import DrainageRules
from geo.crs import to_degrees, to_metres
from geo.drainage_edges import Grid
from geo.drainage_hierarchy import nest_bowls
from geo.drainage_ponds import Ponds, significant_ponds
from geo.regions import assign_regions
from models.basin_inputs import basin_capacity
from models.flood import Flood, FloodGround, prepare_ground, run_storm
from models.flood_draws import FloodCase
from models.flood_harm import (
    CLOSED_M,
    SLOW_M,
    Items,
    StreetSamples,
    building_items,
    people_items,
    people_on_streets,
)
from models.flood_roads import StreetCells, street_cells
from models.storm import INCH_MM, Pumping, Storm
from pages.parts.basins_inputs import BasinsInputs, Known
from pages.parts.basins_setting import Setting
from pages.parts.flood_image import ImageFrame
from pages.parts.warm_up import flood_compiler

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Homes:
    """Where people live: buildings where the city has a table of them, else streets by neighborhood.

    Attributes
    ----------
    x_m, y_m, floor_m, people
        (n,) buildings; all empty without a table.
    area
        Neighborhood of each building, or of each place on the streets; -1 in none.
    street_area
        Neighborhood of each place on the streets.
    by_area
        (n_areas,) people of each neighborhood.
    """

    x_m: FloatArray
    y_m: FloatArray
    floor_m: FloatArray
    people: FloatArray
    area: IntArray
    street_area: IntArray
    by_area: FloatArray


@dataclass(frozen=True, eq=False)
class Reach:
    """What water can reach on one surface.

    Attributes
    ----------
    streets
        Places along the streets; freeways stand on decks and are left out.
    slow, shut
        Metres of street under `SLOW_M` and `CLOSED_M` of water or more.
    people, buildings
        Who and what water reaches; buildings None where the city has no table of them.
    """

    streets: StreetSamples
    slow: Items
    shut: Items
    people: Items
    buildings: Items | None


@dataclass(frozen=True, eq=False)
class Surface:
    """What every storm on a city shares; prepared once.

    Attributes
    ----------
    rules
        The city's drainage rules.
    elevation, ponds, ground
        The surface, its ponds, and the basins on them.
    pump_areas
        Names of the pump areas, in the order of their numbers.
    row, column
        (n_basins,) cell under each basin, -1 outside.
    cells, homes
        Where streets and people are, on whatever surface.
    reach
        What water can reach.
    place_of_pond
        (n_ponds + 1,) neighborhood of each pond's deepest ground, as a number of ``areas``.
    """

    rules: DrainageRules
    elevation: Elevation
    ponds: Ponds
    ground: FloodGround
    pump_areas: tuple[str, ...]
    row: IntArray
    column: IntArray
    cells: StreetCells
    homes: Homes
    reach: Reach
    place_of_pond: IntArray

    @cached_property
    def frame(self) -> ImageFrame:
        """How the surface lies on the map."""
        return ImageFrame.of(self.elevation.grid)

    def case(self, storm: Storm, pumping: Pumping) -> FloodCase:
        """Lay everything out that a drawing of the surface and its error needs."""
        return FloodCase(
            dem_m=self.elevation.dem_m,
            cell_m=self.elevation.grid.cell_m,
            edge=self.rules.edge.rules,
            basin_row=self.row,
            basin_column=self.column,
            capacity_m3_s=self.ground.capacity_m3_s,
            runoff_share=self.rules.runoff_share,
            pump_area=self.ground.pump_area,
            storm=storm,
            pumping=pumping,
            min_depth_m=self.ponds.min_depth_m,
            min_volume_m3=self.ponds.min_volume_m3,
        )

    def storm(self, setting: Setting) -> Storm:
        """Make the storm that is set.

        Raises
        ------
        InvalidInputError
            It is more than was ever recorded.
        """
        return Storm(setting.depth_in * INCH_MM, setting.hours * 60.0, setting.shape)

    def pumping(self, setting: Setting) -> Pumping:
        """Make the allowance that is set, less in the areas whose pumps stand still."""
        out = dict(setting.out)
        share = tuple(1.0 - out.get(name, 0) / 100.0 for name in self.pump_areas)
        return Pumping(setting.first_in * INCH_MM, setting.later_in * INCH_MM, share=share or 1.0)


@st.cache_resource(show_spinner="Finding the bowls of the ground …", max_entries=3)
def surface_of(_inputs: BasinsInputs, version: str) -> Surface | None:  # noqa: ARG001 -- the version is the key
    """Prepare a city's ground once for all sessions; None without elevation."""
    # What the server is already compiling would only be compiled twice.
    flood_compiler().wait(lambda _: None)
    return prepare_surface(_inputs)


def prepare_surface(inputs: BasinsInputs) -> Surface | None:
    """Find ponds, put the basins on them, and find what water can reach.

    Raises
    ------
    InvalidInputError
        The rules of the profile do not fit the surface.
    """
    city = inputs.city
    elevation, rules = city.elevation, city.profile.drainage
    if elevation is None or rules is None:
        return None
    grid = elevation.grid
    bowls = nest_bowls(elevation.dem_m, grid.cell_m, edge=rules.edge.rules)
    ponds = significant_ponds(bowls, min_depth_m=rules.min_depth_m, min_volume_m3=rules.min_volume_m3)
    row, column, _ = grid.cells_of(inputs.x_m, inputs.y_m)
    pump_area, pump_areas = _pump_areas(city, inputs)
    ground = prepare_ground(
        ponds,
        basin_row=row,
        basin_column=column,
        capacity_m3_s=basin_capacity(inputs.basins["kind"].tolist(), depth_m=rules.inlet_depth_m),
        runoff_share=rules.runoff_share,
        pump_area=pump_area,
    )
    cells = street_cells(city.network, grid)
    homes = _homes(city, cells)
    return Surface(
        rules=rules,
        elevation=elevation,
        ponds=ponds,
        ground=ground,
        pump_areas=pump_areas,
        row=row,
        column=column,
        cells=cells,
        homes=homes,
        reach=what_water_reaches(elevation.grid, ponds, cells, homes),
        place_of_pond=_places(inputs, elevation, ponds),
    )


@st.cache_resource(show_spinner=False, max_entries=24)
def flood_of(_surface: Surface, _known: Known, version: str, known: str, setting: Setting) -> Flood:  # noqa: ARG001
    """Run the storm that is set, once; ``setting`` must hold only what decides the water (`only_water`)."""
    return run_storm(_surface.ground, _surface.storm(setting), _surface.pumping(setting), _known.open_share)


def _pump_areas(city: City, inputs: BasinsInputs) -> tuple[IntArray | None, tuple[str, ...]]:
    if not city.has("pump_areas"):
        return None, ()
    table = city.areas("pump_areas")
    found = assign_regions(inputs.lon, inputs.lat, table.geometry.to_numpy())
    return found.astype(np.int64), tuple(table["name"].astype(str))


def what_water_reaches(grid: Grid, ponds: Ponds, cells: StreetCells, homes: Homes) -> Reach:
    """Lay streets and people on a surface: the surveyed one, or one drawn with its error."""
    streets = cells.on(ponds)
    slow, shut = streets.items(SLOW_M), streets.items(CLOSED_M)
    if not len(homes.x_m):
        return Reach(streets, slow, shut, people_on_streets(streets, homes.street_area, homes.by_area), None)
    at = (grid, ponds, homes.x_m, homes.y_m)
    return Reach(
        streets,
        slow,
        shut,
        people_items(*at, homes.people, homes.floor_m),
        building_items(*at, homes.floor_m),
    )


def _homes(city: City, cells: StreetCells) -> Homes:
    hoods = city.areas("neighborhoods")
    shapes = hoods.geometry.to_numpy()
    by_area = np.nan_to_num(hoods["population"].to_numpy(dtype=np.float64, na_value=np.nan))
    street_area = assign_regions(*_middles(city), shapes).astype(np.int64)[cells.edge]
    if not city.has("buildings"):
        nothing = np.zeros(0)
        return Homes(nothing, nothing, nothing, nothing, street_area, street_area, by_area)
    table = pd.DataFrame(city.table("buildings")).reindex(columns=["people", "floor_m", "lon", "lat"])
    x_m, y_m = to_metres(table["lon"], table["lat"], city.profile.utm_epsg)
    floor, people = (table[name].to_numpy(np.float64, na_value=np.nan) for name in ("floor_m", "people"))
    # A floor that is not known lies where a street is closed.
    floor = np.where(np.isnan(floor), CLOSED_M, floor)
    area = assign_regions(table["lon"].to_numpy(), table["lat"].to_numpy(), shapes).astype(np.int64)
    return Homes(x_m, y_m, floor, np.nan_to_num(people), area, street_area, by_area)


def _middles(city: City) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude between the ends of each street."""
    network = city.network
    return (
        (network.node_lon[network.edge_u] + network.node_lon[network.edge_v]) / 2,
        (network.node_lat[network.edge_u] + network.node_lat[network.edge_v]) / 2,
    )


def _places(inputs: BasinsInputs, elevation: Elevation, ponds: Ponds) -> IntArray:
    """Find the neighborhood in which each pond is deepest."""
    cells = ponds.nest.bottom_cell[: ponds.n_ponds + 1]
    x_m, y_m = elevation.grid.middles(cells[:, 0], cells[:, 1])
    lon, lat = to_degrees(x_m, y_m, elevation.grid.epsg)
    areas = inputs.city.areas("neighborhoods")
    found = assign_regions(lon, lat, areas.geometry.to_numpy())
    found[0] = -1
    return np.where(found < 0, len(areas), found).astype(np.int64)
