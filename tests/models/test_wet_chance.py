"""The comparison of flood calls with P(wet): its figures by other ways, and on the real ground."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import pytest
import shapely
from sklearn.metrics import roc_auc_score

from benchmarks.wet_chance import Case, auc, call_aucs, footprint, wettest_near
from data.city import City
from geo.crs import to_metres
from geo.drainage_error import ElevationError
from models.flood_draws import draw_floods, state_draws
from models.storm import Pumping, Storm
from pages.parts.basins_ground import prepare_surface
from pages.parts.basins_inputs import learn, prepare_basins

if TYPE_CHECKING:
    from models.flood_draws import FloodDraws


def test_auc_is_that_of_another_library_and_its_interval_holds_what_a_bootstrap_finds() -> None:
    random = np.random.default_rng(3)
    calls, places = np.round(random.normal(0.7, 1, 50), 1), np.round(random.normal(0, 1, 3000), 1)
    found = auc(calls, places)
    truth = np.repeat([1, 0], [50, 3000])
    assert found.value == pytest.approx(roc_auc_score(truth, np.concatenate([calls, places])))
    drawn = [auc(random.choice(calls, 50), random.choice(places, 3000)).value for _ in range(400)]
    np.testing.assert_allclose([found.low, found.high], np.quantile(drawn, [0.025, 0.975]), atol=0.02)
    assert (found.calls, found.background) == (50, 3000)
    assert auc([1.0, 1.0], [0.0, 0.0]).high == 1.0


def test_the_wettest_place_near_a_call_counts() -> None:
    p_wet = np.zeros((9, 9), dtype=np.float32)
    p_wet[4, 4], p_wet[0] = 0.8, np.nan
    near = wettest_near(p_wet, 20.0)
    rows, columns = np.meshgrid(np.arange(9), np.arange(9), indexing="ij")
    within = 20 * np.hypot(rows - 4, columns - 4) <= 50
    np.testing.assert_array_equal(near > 0, within)


def test_it_rained_around_the_calls_whatever_was_wet() -> None:
    x, y = np.array([0.0, 4000.0, 0.0]), np.array([0.0, 0.0, 3000.0])
    rained = footprint(x, y, margin_m=100.0)
    assert rained.area == pytest.approx(6e6 + 12_000 * 100 + np.pi * 100**2, rel=1e-3)
    assert shapely.contains_xy(rained, x, y).all()


@pytest.mark.extract
@pytest.mark.slow
def test_calls_on_the_real_ground_are_compared_inside_their_rain(
    extract_city_dir: Path, extract_dir: Path
) -> None:
    """A planted chance, high where a call is and else nowhere, is found; a blind one is not."""
    city = City.open(extract_city_dir)
    surface = prepare_surface(prepare_basins(city))
    assert surface is not None
    calls = pd.read_csv(extract_dir / "flood_calls_2026-07-11.csv")
    grid = surface.elevation.grid
    even = np.random.default_rng(1).random(grid.shape, dtype=np.float32)

    def case(p_wet: np.ndarray) -> Case:
        draws = cast("FloodDraws", SimpleNamespace(p_wet=p_wet, case=SimpleNamespace(cell_m=grid.cell_m)))
        return cast("Case", SimpleNamespace(city=city, surface=surface, draws=draws))

    blind = call_aucs(case(even), calls)
    assert len(blind) == 2
    for found in blind.values():
        assert found.calls == 50
        assert found.background > 10_000
        assert found.low <= 0.5 <= found.high
    planted = np.zeros(grid.shape, dtype=np.float32)
    row, column, _ = grid.cells_of(*to_metres(calls["lon"], calls["lat"], grid.epsg))
    planted[row, column] = 1.0
    assert min(found.value for found in call_aucs(case(planted), calls).values()) > 0.95


@pytest.mark.extract
@pytest.mark.slow
def test_the_bowl_of_broadmoor_is_wetter_than_the_ridge_and_found_again(extract_city_dir: Path) -> None:
    """A part of the real ground with Broadmoor, Mid-City and the Gentilly ridge, drawn a hundred times."""
    city = City.open(extract_city_dir)
    inputs = prepare_basins(city)
    surface, known = prepare_surface(inputs), learn(inputs)
    assert surface is not None
    grid = surface.elevation.grid
    row, column, _ = grid.cells_of(*to_metres([-90.13, -90.04], [30.005, 29.935], grid.epsg))
    part = np.s_[row[0] : row[1], column[0] : column[1]]
    case = replace(
        surface.case(Storm(120.0, 180.0), Pumping()),
        dem_m=surface.elevation.dem_m[part],
        basin_row=surface.row - row[0],
        basin_column=surface.column - column[0],
    )
    found = draw_floods(
        case,
        open_share=known.open_share,
        states=state_draws(known.states),
        error=ElevationError(sd_m=0.1, range_m=200.0),
        seed=1,
    )

    def near(lon: float, lat: float) -> float:
        at, across, _ = grid.cells_of(*to_metres(lon, lat, grid.epsg))
        around = np.s_[at - row[0] - 10 : at - row[0] + 11, across - column[0] - 10 : across - column[0] + 11]
        return float(np.nanmean(found.p_wet[around]))

    broadmoor, ridge = near(-90.104, 29.947), near(-90.053, 29.998)
    assert broadmoor > max(0.3, 5 * ridge)
    assert ridge < 0.1
    deepest = np.argmax(found.pool_m2)
    assert found.found[deepest] > 0.5
    assert ((found.p_wet >= 0.1) & (found.p_wet < 0.9)).sum() > (found.p_wet >= 0.9).sum() / 2
