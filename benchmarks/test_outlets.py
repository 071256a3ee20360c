"""Outlets: time of the analysis and of a slider move, power and false discoveries over 50 planted cities."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.timing import seconds_of
from models.outlet_counts import negative_binomial
from models.outlets import Disproportion
from tests.models.outlet_cases import PlantedCity, planted_city

SEEDS = 50
OUTLETS, DRAWS = 1350, 100


@dataclass
class Tally:
    """Sums over cities."""

    named: int = 0
    of_planted: int = 0
    planted: int = 0
    planted_sure: int = 0
    sure: int = 0
    sure_not_over: int = 0
    not_over: int = 0
    stated: float = 0.0
    ordinary: int = 0
    cities_naming: int = 0

    def add(self, city: PlantedCity, found: Disproportion) -> None:
        """Count one city. A false discovery's own multiplier, spread included, is not over 1.5."""
        named, sure, low = found.named, found.sure(), city.multiplier <= 1.5
        self.named += int(named.sum())
        self.planted += int(city.planted.sum())
        self.of_planted += int((named & city.planted).sum())
        self.planted_sure += int((sure & city.planted).sum())
        self.sure += int(sure.sum())
        self.sure_not_over += int((sure & low).sum())
        self.not_over += int((named & low).sum())
        self.ordinary += int((named & ~city.planted).sum())
        self.stated += float((1 - found.p_over(1.5)[named]).sum())
        self.cities_naming += bool(named.any())


def _cities(*, planted: int, alpha: float) -> Tally:
    tally = Tally()
    for seed in range(SEEDS):
        city = planted_city(seed, planted=planted, alpha=alpha)
        tally.add(city, city.analysed())
    return tally


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5])
def test_false_discoveries_and_power(report: Report, alpha: float) -> None:
    """20 of 900 outlets are planted with 2.5 to 5 times their own; a fifth of all incidents falls astray."""
    tally = _cities(planted=20, alpha=alpha)
    share = tally.not_over / tally.named
    report(
        f"50 cities, 900 outlets, 20 planted (2.5 to 5 times), ordinary ones differ by alpha {alpha}: named",
        f"{tally.named / SEEDS:.1f} a city, {tally.of_planted / tally.planted:.0%} of the planted; "
        f"multiplier not over 1.5: {share:.1%} of the named (posterior: {tally.stated / tally.named:.2%}); "
        f"not planted: {tally.ordinary / tally.named:.1%}",
        f"P(RR > 1.5) over 0.95 alone: {tally.sure / SEEDS:.0f} a city, "
        f"{tally.planted_sure / tally.planted:.0%} of the planted, "
        f"{tally.sure_not_over / tally.sure:.1%} not over 1.5",
        "at most 5% not over 1.5",
        share <= 0.05,
    )


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5])
def test_none_planted(report: Report, alpha: float) -> None:
    tally = _cities(planted=0, alpha=alpha)
    report(
        f"50 cities, 900 outlets, none planted, ordinary outlets differ by alpha {alpha}: named",
        f"{tally.named} in all, in {tally.cities_naming} of {SEEDS} cities",
        f"P(RR > 1.5) over 0.95 alone: {tally.sure / SEEDS:.1f} a city",
        "in 5 of 50 cities at most",
        tally.cities_naming <= 5,
    )


def test_analysis_of_a_hundred_allocations(benchmark: Benchmark, report: Report) -> None:
    city = planted_city(7, outlets=OUTLETS, draws=DRAWS)
    found = benchmark.pedantic(city.analysed, rounds=5, warmup_rounds=1)
    assert found.judged.all()
    mine_s = benchmark.stats.stats.median
    report(
        f"Analysis of {DRAWS} allocations x {OUTLETS:,} outlets: five folds each, posterior, tests, ranks",
        f"{mine_s:.2f} s",
        f"statsmodels: {_by_statsmodels(city, mine_s)}",
        "under 1.5 s",
        mine_s < 1.5,
    )


def _by_statsmodels(city: PlantedCity, mine_s: float) -> str:
    """Time one fit by the peer beside one by this module, and say what all of them would take."""
    if find_spec("statsmodels") is None:
        return "not installed"
    peer = import_module("statsmodels.api")
    design = np.column_stack([np.ones(OUTLETS), city.covariates])
    fit_s, theirs = seconds_of(
        lambda: peer.NegativeBinomial(city.counts[0], design, exposure=city.hours).fit(disp=0), rounds=3
    )
    own_s, own = seconds_of(lambda: negative_binomial(city.counts[0], city.hours, city.covariates), rounds=3)
    np.testing.assert_allclose(theirs.params[-1], own.alpha, rtol=1e-3)
    fits = DRAWS * 5 * fit_s
    return (
        f"one fit {1000 * fit_s:.0f} ms (here {1000 * own_s:.1f} ms), its {DRAWS * 5} fits {fits:.1f} s, "
        f"{fits / mine_s:.0f} times"
    )


def test_slider_move(benchmark: Benchmark, report: Report) -> None:
    city = planted_city(7, outlets=OUTLETS, draws=DRAWS)
    found = city.analysed()
    named = benchmark(found.names, 1.7)
    mine_s = benchmark.stats.stats.median
    again_s, _ = seconds_of(city.analysed, rounds=1)
    assert named.shape == (OUTLETS,)
    report(
        f"Slider for c: P(RR > c) and names, {DRAWS} allocations x {OUTLETS:,} outlets",
        f"{1000 * mine_s:.0f} ms",
        f"the whole analysis again: {again_s:.2f} s, {again_s / mine_s:.0f} times",
        "under 300 ms",
        mine_s < 0.3,
    )
