"""A forecast of next week by hexagon with its whole backtest, on the demo's year of calls."""

from time import perf_counter

import pytest

from benchmarks.conftest import Report
from data.city import City
from data.demo.maker import make_demo
from models.demand_forecast import planners_rates
from pages.parts.staging_demand import demand_weeks, foretell
from pages.parts.staging_inputs import StagingInputs, prepare_staging


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> StagingInputs:
    out = tmp_path_factory.mktemp("cities") / "demo"
    make_demo(out, seed=7)
    return prepare_staging(City.open(out))


def test_a_forecast_with_its_backtest(inputs: StagingInputs, report: Report) -> None:
    _, weeks, _ = demand_weeks(inputs)
    start = perf_counter()
    for week in range(8, weeks.n_weeks):
        planners_rates(weeks.before(week))
    peer_s = perf_counter() - start
    start = perf_counter()
    told = foretell(inputs, lambda _: None)
    seconds = perf_counter() - start
    report(
        f"Next week's demand by hour and {len(told.cells)} hexagons, {weeks.n_weeks - 8} past weeks scored",
        f"{seconds:.1f} s",
        f"the planners' rule for the same weeks, not scored: {peer_s:.1f} s",
        "under 60 s",
        seconds < 60,
    )
