import math
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest

from errors import InvalidInputError
from models.coverage import Demand, beyond_any_post, coverage, drive_seconds, sole_share, weighted_quantiles
from models.demand import demand_from_calls, demand_from_population, distinct_places, near_hour
from models.staging import Conditions, evaluate, merged_field

N_NODES = 20


def _demand(
    weight: npt.ArrayLike, region: npt.ArrayLike | None = None, *, sampled: int | None = None
) -> Demand:
    array = np.asarray(weight, dtype=float)
    n = len(array)
    return Demand(
        node=np.arange(n) % N_NODES,
        access_m=np.zeros(n),
        weight=array,
        region=np.zeros(n, dtype=np.int64) if region is None else np.asarray(region),
        sampled=sampled,
    )


whole_seconds = st.one_of(st.integers(0, 1000).map(float), st.just(math.inf))


@given(
    st.lists(st.tuples(whole_seconds, st.integers(0, 5)), min_size=1, max_size=30),
    st.sampled_from([0.1, 0.5, 0.9]),
)
def test_the_weighted_quantile_is_the_quantile_of_the_repeated_values(
    pairs: list[tuple[float, int]], share: float
) -> None:
    values = np.array([pair[0] for pair in pairs])
    weight = np.array([float(pair[1]) for pair in pairs])
    repeated = np.sort(np.repeat(values, weight.astype(int)))
    found = weighted_quantiles(values, weight, [share])[0]
    if not len(repeated):
        assert math.isnan(found)
    else:
        assert found == repeated[math.ceil(share * len(repeated)) - 1]


@given(
    arrays(float, st.just((3, 15)), elements=whole_seconds),
    arrays(float, 15, elements=st.integers(0, 4).map(float)),
    arrays(np.int64, 15, elements=st.integers(-1, 3)),
    st.integers(0, 900),
)
def test_coverage_equals_counting_by_hand(
    post_seconds: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    region: npt.NDArray[np.int64],
    budget_s: int,
) -> None:
    weight[0] = 1.0
    demand = _demand(weight, region)
    seconds = post_seconds.min(axis=0)
    found = coverage(seconds, demand, float(budget_s))
    covered = sum(w for w, s in zip(weight, seconds, strict=True) if s <= budget_s and budget_s > 0)
    assert found.share.value == pytest.approx(covered / weight.sum())
    for row in found.by_region.to_dict("records"):
        inside = region == row["region"]
        near = inside & (seconds <= budget_s) & (budget_s > 0)
        assert row["weight"] == weight[inside].sum()
        assert row["covered"] == weight[near].sum()
        assert row["median_s"] == weighted_quantiles(seconds[inside], weight[inside], [0.5])[0]
        assert row["p90_s"] == weighted_quantiles(seconds[inside], weight[inside], [0.9])[0]
    alone = sole_share(post_seconds, demand, float(budget_s))
    for post in range(3):
        others = np.delete(post_seconds, post, axis=0).min(axis=0)
        lost = found.share.value - coverage(others, demand, float(budget_s)).share.value
        assert alone[post] == pytest.approx(lost)


@given(st.integers(1, 400), st.data())
def test_the_range_holds_the_exact_binomial_interval(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    seconds = np.where(np.arange(n) < hits, 10.0, 1000.0)
    found = coverage(seconds, _demand(np.ones(n), sampled=n), 60.0).share
    expected = binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_range_runs_from_slow_to_fast() -> None:
    seconds = np.array([100.0, 200.0, 300.0, 400.0])
    found = coverage(
        seconds, _demand(np.ones(4)), 300.0, slow_seconds=seconds / 0.5, fast_seconds=seconds / 2
    )
    assert (found.share.low, found.share.value, found.share.high) == (0.25, 0.75, 1.0)
    assert (found.median_s.low, found.median_s.value, found.median_s.high) == (100.0, 200.0, 400.0)


def test_no_budget_reaches_nothing() -> None:
    seconds = np.zeros(3)
    assert coverage(seconds, _demand(np.ones(3)), 0.0).share.value == 0.0
    assert sole_share(seconds[None, :], _demand(np.ones(3)), -5.0).tolist() == [0.0]


def test_an_area_beyond_any_post_is_told() -> None:
    best = np.array([10.0, 10.0, 900.0, 900.0, 900.0, 10.0])
    demand = _demand(np.ones(6), [0, 0, 1, 1, 2, -1])
    assert beyond_any_post(best, demand, 60.0, 4).tolist() == [False, True, True, False]


def test_zero_demand_is_an_error_not_a_silent_zero() -> None:
    with pytest.raises(InvalidInputError, match="no demand"):
        coverage(np.zeros(2), _demand(np.zeros(2)), 60.0)
    with pytest.raises(InvalidInputError, match="no demand"):
        sole_share(np.zeros((1, 2)), _demand(np.zeros(2)), 60.0)


def test_faults_are_told() -> None:
    with pytest.raises(InvalidInputError, match="NaN"):
        coverage(np.array([np.nan]), _demand([1.0]), 60.0)
    with pytest.raises(InvalidInputError) as caught:
        Demand(np.zeros(2, int), np.array([-1.0, 0]), np.array([np.nan, 1]), np.zeros(1, int))
    for words in ("region must hold", "access_m must be finite", "weight must be finite"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="access_kph"):
        drive_seconds(np.zeros(N_NODES), _demand([1.0]), access_kph=0.0)


@given(arrays(np.int64, 40, elements=st.integers(-1, 167)), st.integers(0, 167))
def test_hours_near_an_hour_go_around_the_week(hours: npt.NDArray[np.int64], hour: int) -> None:
    wanted = {(hour - 1) % 168, hour, (hour + 1) % 168}
    assert near_hour(hours, hour).tolist() == [int(value) in wanted for value in hours]


@given(
    arrays(np.int64, 30, elements=st.integers(-1, 4)),
    arrays(float, 5, elements=st.integers(0, 9000).map(float)),
)
def test_people_are_spread_over_their_own_corners(
    region: npt.NDArray[np.int64], population: npt.NDArray[np.float64]
) -> None:
    demand = demand_from_population(np.arange(30), region, population)
    for at in range(5):
        expected = population[at] if (region == at).any() else 0.0
        assert demand.weight[demand.region == at].sum() == pytest.approx(expected)


def test_calls_are_counted_at_their_places() -> None:
    lon, lat = np.array([-90.0, -90.1, -90.0, -90.2]), np.array([29.9, 29.9, 29.9, 30.0])
    places, place = distinct_places(lon, lat)
    assert len(places) == 3
    assert (places[place] == np.column_stack([lon, lat])).all()
    chosen = np.array([True, False, True, True])
    demand = demand_from_calls(np.arange(3), np.zeros(3), np.zeros(3, int), place, chosen)
    assert sorted(demand.weight) == [1.0, 2.0]
    assert demand.node.tolist() == sorted({int(place[0]), int(place[3])})
    assert (demand.total, demand.sampled) == (3.0, 3)


CONDITIONS = Conditions(
    target_min=8,
    call_handling_s=60,
    turnout_s=90,
    speed_factor=1.25,
    speed_low=0.8,
    speed_high=1.2,
    access_kph=18,
)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(N_NODES)), elements=st.integers(0, 900)))
def test_a_plan_is_evaluated_as_by_hand(rows: npt.NDArray[np.float32]) -> None:
    access_m = 50.0 * np.arange(len(rows), dtype=np.float64)
    demand = Demand(
        np.arange(N_NODES), np.full(N_NODES, 25.0), np.ones(N_NODES), np.zeros(N_NODES, int), N_NODES
    )
    outcome = evaluate(rows, access_m, demand, CONDITIONS)
    # 18 km/h is 5 m/s: 50 m take 10 s and 25 m take 5 s.
    by_hand = [
        min(float(rows[post, node]) / 1.25 + 10.0 * post for post in range(len(rows)))
        for node in range(N_NODES)
    ]
    assert outcome.field_s == pytest.approx(by_hand, rel=1e-5)
    assert outcome.seconds == pytest.approx(np.array(by_hand) + 5.0, rel=1e-5)
    budget_s = 8 * 60 - 60 - 90
    assert CONDITIONS.budget_s() == budget_s
    assert outcome.coverage.share.value == pytest.approx((outcome.seconds <= budget_s).mean())
    assert outcome.coverage.share.low <= outcome.coverage.share.value <= outcome.coverage.share.high
    later = evaluate(rows, access_m, demand, replace(CONDITIONS, access_s=40.0))
    np.testing.assert_allclose(later.seconds, outcome.seconds + 40.0, rtol=1e-5)
    np.testing.assert_allclose(later.post_seconds, outcome.post_seconds + 40.0, rtol=1e-5)


def test_an_empty_plan_reaches_nothing() -> None:
    rows = np.empty((0, N_NODES), dtype=np.float32)
    assert np.isinf(merged_field(rows, np.empty(0), CONDITIONS)).all()
    outcome = evaluate(rows, np.empty(0), _demand(np.ones(N_NODES), sampled=N_NODES), CONDITIONS)
    assert outcome.coverage.share.value == 0.0
    assert math.isinf(outcome.coverage.median_s.value)
    assert outcome.sole_share.shape == (0,)


def test_conditions_tell_all_faults() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Conditions(0, -1, 0, 0, 1.2, 1.3, 10, -5)
    for words in ("target", "turnout cannot be negative", "ends of a drive", "speeds must", "range"):
        assert words in str(caught.value)
