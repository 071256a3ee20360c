"""The page on bars: first look, slider, and a million incidents."""

import itertools
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from benchmarks.conftest import Benchmark, Report
from benchmarks.outlet_cities import with_tables
from benchmarks.timing import seconds_of
from data.city import City
from models.attribution import BUFFER_M, DRAWS
from pages.parts.bars_inputs import BarsChoice, BarsView, judge, prepare_bars

MILLION = 1_000_000
SPREAD_DEGREES = 1e-4
"""Some ten metres: no two of the million incidents stand at one place."""


def _buffers(calls: pd.DataFrame, outlets: pd.DataFrame, epsg: int) -> "pd.Series[int]":
    """Count incidents within 400 feet of each outlet, as GeoPandas does it."""
    points = gpd.GeoSeries.from_xy(calls["lon"], calls["lat"], crs=4326).to_crs(epsg)
    around = gpd.GeoSeries.from_xy(outlets["lon"], outlets["lat"], crs=4326).to_crs(epsg)
    rings = gpd.GeoDataFrame(geometry=around.buffer(BUFFER_M))
    joined = gpd.sjoin(rings, gpd.GeoDataFrame(geometry=points), predicate="contains")
    return joined.groupby(level=0).size().reindex(range(len(outlets)), fill_value=0)


@pytest.mark.extract
def test_first_look(benchmark: Benchmark, report: Report, city: City) -> None:
    """From tables in memory to every outlet beside what is expected of it."""
    calls, outlets = city.table("calls"), city.table("outlets").reset_index(drop=True)
    assert len(city.network.length_m)

    def look() -> BarsView:
        return judge(prepare_bars(city), BarsChoice())

    view = benchmark.pedantic(look, rounds=3, iterations=1, warmup_rounds=0)
    assert view.found.judged.sum() > 1000
    mine_s = benchmark.stats.stats.max

    def peer() -> object:
        counts = _buffers(calls, outlets, city.network.epsg)
        statsmodels = import_module("statsmodels.api")
        design = np.column_stack([np.ones(len(outlets)), outlets["category"].eq("bar")]).astype(float)
        return statsmodels.NegativeBinomial(counts.to_numpy(), design).fit(disp=0)

    if find_spec("statsmodels") is None:
        beside = "statsmodels is not installed"
    else:
        peer_s, _ = seconds_of(peer, rounds=3)
        beside = f"GeoPandas' buffers and one statsmodels fit, nothing shared or cross-fitted: {peer_s:.1f} s"
    report(
        f"Page on bars, first look: {len(calls):,} incidents x {len(outlets):,} outlets cleaned, walked, "
        f"shared by what is expected, drawn {DRAWS} times and judged",
        f"{mine_s:.1f} s",
        beside,
        "under 5 s",
        mine_s < 5,
        headline=True,
    )


@pytest.mark.extract
def test_slider(benchmark: Benchmark, report: Report, city: City) -> None:
    inputs = prepare_bars(city)
    view = judge(inputs, BarsChoice())

    # Answers are kept by threshold: each move goes where the slider has not been.
    thresholds = itertools.count(1.5, 1e-6)

    def move() -> int:
        over = next(thresholds)
        return int(view.found.names(over).sum() + (view.found.p_over(over) > 0).sum())

    assert benchmark(move) > 0
    mine_s = benchmark.stats.stats.median
    again_s, _ = seconds_of(lambda: judge(inputs, BarsChoice()), rounds=1)
    report(
        f"Slider for c: P(RR > c) and names, {DRAWS} drawings x {len(inputs.doors):,} doors",
        f"{1000 * mine_s:.0f} ms",
        f"shared and judged again: {again_s:.1f} s, {again_s / mine_s:.0f} times",
        "under 300 ms",
        mine_s < 0.3,
    )


def _million(city: City) -> pd.DataFrame:
    """A million of the demo's incidents that count, without types: each at a place of its own."""
    known = prepare_bars(city).records[["call_id", "agency", "lon", "lat"]]
    rng = np.random.default_rng(0)
    calls = known.iloc[rng.integers(0, len(known), MILLION)].reset_index(drop=True)
    calls["call_id"] = calls.index.astype(str)
    for axis in ("lon", "lat"):
        calls[axis] += rng.normal(0, SPREAD_DEGREES, MILLION)
    return calls


def _judge_a_million(folder: Path) -> tuple[float, float, int]:
    """Seconds, peak gigabytes of the whole process, and incidents shared out."""
    city = City.open(folder)
    assert len(city.network.length_m)
    filled = with_tables(city, {"calls": _million(city)})
    start = time.perf_counter()
    view = judge(prepare_bars(filled), BarsChoice())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    assert view.found.judged.any()
    return seconds, peak, int(view.by_place.sum())


def test_a_million_incidents(report: Report, demo_city_dir: Path) -> None:
    """In a process of its own, so that its memory can be told."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        seconds, peak, shared = pool.submit(_judge_a_million, demo_city_dir).result()
    assert shared > 0.99 * MILLION
    city = City.open(demo_city_dir)
    outlets = city.table("outlets").dropna(subset=["lon", "lat"]).reset_index(drop=True)
    calls = _million(city)
    peer_s, counted = seconds_of(lambda: _buffers(calls, outlets, city.network.epsg), rounds=1)
    report(
        f"1,000,000 incidents x {len(outlets):,} outlets of the demo city, each at a place of its own: "
        f"cleaned, walked, shared by what is expected, drawn {DRAWS} times, judged",
        f"{seconds:.0f} s, {peak:.1f} GB for the whole process",
        f"GeoPandas' `sjoin` with 400-foot buffers, counts only: {peer_s:.1f} s; it counts "
        f"{counted.sum() / MILLION:.1f} times as many",
        "under 60 s and 2 GB",
        seconds < 60 and peak < 2,
    )
