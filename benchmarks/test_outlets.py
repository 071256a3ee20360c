"""Outlets: power and false discoveries over 50 planted cities, and the time of the analysis alone."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.outlet_cities import BY_DISTANCE, NAIVE, NAIVE_STACKS, OURS, RISKS, Totals, planted_cities
from benchmarks.timing import seconds_of
from models.outlet_counts import negative_binomial
from models.outlets import FALSE_SHARE, Disproportion
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
        f"at most {FALSE_SHARE:.0%} not over 1.5",
        share <= FALSE_SHARE,
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


@pytest.fixture(scope="module")
def demo_cities(demo_city_dir: Path) -> pd.DataFrame:
    """Plant outlets in the demo city over 50 seeds, 20 bad ones or none; every step of the page."""
    return planted_cities(demo_city_dir, seeds=SEEDS)


@pytest.mark.parametrize(("outcome", "words"), [("headline", "written reports"), ("all", "all calls")])
def test_demo_cities_with_planted_outlets(
    report: Report, demo_cities: pd.DataFrame, outcome: str, words: str
) -> None:
    ours, by_distance, naive = (
        Totals.of(demo_cities, bad=20, outcome=outcome, method=method)
        for method in (OURS, BY_DISTANCE, NAIVE)
    )

    def told(tally: Totals) -> str:
        return (
            f"{tally.a_city('named'):.1f} a city, {tally.share('found', 'planted'):.0%} of the planted, "
            f"{tally.share('not over', 'named'):.1%} not over 1.5, "
            f"{tally.share('not planted', 'named'):.1%} not planted"
        )

    by_risk = ", ".join(
        f"{low} to {high}: {ours.share(f'{low} to {high} found', f'{low} to {high}'):.0%}"
        for low, high in RISKS
    )
    share = ours.share("not over", "named")
    report(
        f"{ours.cities} demo cities, 20 outlets planted at 3 to 6 times, {words}: named",
        f"{told(ours)}; found by planted multiplier, {by_risk}",
        f"shares by distance: {told(by_distance)}; 400-foot buffers, Poisson test: {told(naive)}",
        f"at most {FALSE_SHARE:.0%} not over 1.5",
        share <= FALSE_SHARE,
        headline=True,
    )


@pytest.mark.parametrize(("outcome", "words"), [("headline", "written reports"), ("all", "all calls")])
def test_demo_cities_without(report: Report, demo_cities: pd.DataFrame, outcome: str, words: str) -> None:
    ours, naive = (Totals.of(demo_cities, bad=0, outcome=outcome, method=method) for method in (OURS, NAIVE))
    report(
        f"{ours.cities} demo cities, none planted, {words}: named",
        f"{ours.sums['named']:.0f} in all, in {ours.naming} cities; "
        f"{ours.sums['not over']:.0f} not over 1.5; "
        f"the bar that calls for help {ours.sums['calls for help named']:.0f} times",
        f"400-foot buffers, Poisson test: {naive.sums['named']:.0f} in all",
        "1 a city at most",
        ours.a_city("named") <= 1,
        headline=True,
    )


def test_demo_cities_beside_a_booking_place(report: Report, demo_cities: pd.DataFrame) -> None:
    ours, stacks = (
        [
            Totals.of(demo_cities, bad=bad, outcome=outcome, method=method)
            for bad in (20, 0)
            for outcome in ("headline", "all")
        ]
        for method in (OURS, NAIVE_STACKS)
    )
    named, stood = (sum(int(tally.sums[column]) for tally in ours) for column in ("beside named", "beside"))
    report(
        f"Ordinary bars planted beside a police station or court, {stood:,} times: named",
        f"{named}",
        f"400-foot buffers with the stacks left in, Poisson test: "
        f"{sum(int(tally.sums['beside named']) for tally in stacks):,}",
        "none",
        named == 0,
    )
