"""Busy units on a plan: merging places by order changes nothing, and closed forms hold."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.busy_coverage import busy_coverage
from models.busy_plan import Workload, busy_outcome, expected_share
from models.coverage import Demand
from models.queueing import erlang_c, hypercube, preference_by_time
from models.staging import Conditions, evaluate

CONDITIONS = Conditions(8, 60, 60, 1.0, 0.8, 1.2, 18)


def _plan(n_posts: int, seed: int) -> tuple[np.ndarray, Demand]:
    random = np.random.default_rng(seed)
    rows = random.integers(30, 900, (n_posts, 40)).astype(np.float32)
    weight = random.integers(1, 5, 40).astype(float)
    return rows, Demand(np.arange(40), np.zeros(40), weight, np.zeros(40, int))


@given(st.integers(1, 6), st.integers(0, 1000), st.floats(0.05, 0.9))
def test_merged_places_give_the_answer_of_all_places(n_posts: int, seed: int, load: float) -> None:
    rows, demand = _plan(n_posts, seed)
    outcome = evaluate(rows, np.zeros(n_posts), demand, CONDITIONS)
    workload = Workload(load * n_posts * 60 / 45, 45)
    found = busy_outcome(outcome, demand, CONDITIONS, workload)
    travel_s = outcome.post_seconds.T
    rate = demand.weight * workload.calls_per_hour / demand.total
    whole = hypercube(rate, preference_by_time(travel_s), 60 / 45, queue=True)
    assert found.queue.workload == pytest.approx(whole.workload, abs=1e-8)
    expected = busy_coverage(whole, rate, travel_s, CONDITIONS.budget_s())
    assert found.coverage.share == pytest.approx(expected.share, abs=1e-8)
    assert found.coverage.share <= outcome.coverage.share.value + 1e-12
    assert found.coverage.all_free_share == pytest.approx(outcome.coverage.share.value)


@given(st.integers(1, 8), st.floats(0.05, 0.95))
def test_the_chance_to_wait_is_erlangs(n_posts: int, load: float) -> None:
    rows, demand = _plan(n_posts, 1)
    outcome = evaluate(rows, np.zeros(n_posts), demand, CONDITIONS)
    workload = Workload(load * n_posts, 60)
    found = busy_outcome(outcome, demand, CONDITIONS, workload)
    assert workload.units_busy == pytest.approx(load * n_posts)
    assert found.coverage.waiting == pytest.approx(float(erlang_c(n_posts, load * n_posts)), rel=1e-6)
    assert found.queue.workload.mean() == pytest.approx(load, rel=1e-6)


def test_a_plan_that_cannot_keep_up_is_told() -> None:
    rows, demand = _plan(2, 1)
    outcome = evaluate(rows, np.zeros(2), demand, CONDITIONS)
    with pytest.raises(InvalidInputError, match=r"units"):
        busy_outcome(outcome, demand, CONDITIONS, Workload(2.1, 60))
    nobody = evaluate(rows[:0], np.zeros(0), demand, CONDITIONS)
    with pytest.raises(InvalidInputError, match="No post is staffed"):
        busy_outcome(nobody, demand, CONDITIONS, Workload(1, 60))
    with pytest.raises(InvalidInputError, match="above zero"):
        Workload(0, 60)


@given(st.integers(1, 6), st.integers(0, 1000), st.floats(0, 0.95))
def test_expected_cover_sums_over_who_is_free(n_posts: int, seed: int, busy: float) -> None:
    """Against all 2^n sets of free units, each weighted by its chance."""
    rows, demand = _plan(n_posts, seed)
    outcome = evaluate(rows, np.zeros(n_posts), demand, CONDITIONS)
    budget_s = CONDITIONS.budget_s()
    by_sets = 0.0
    for state in range(2**n_posts):
        free = [unit for unit in range(n_posts) if state >> unit & 1]
        chance = (1 - busy) ** len(free) * busy ** (n_posts - len(free))
        if free:
            nearest = outcome.post_seconds[free].min(axis=0)
            by_sets += chance * demand.share_within(nearest, budget_s)
    assert expected_share(outcome, demand, budget_s, busy) == pytest.approx(by_sets)


@pytest.mark.parametrize(
    ("calls", "words"), [(2.0, "keep 2.0 units busy, and 2 are"), (7.5, "keep 7.5 units")]
)
def test_too_many_calls_are_told_in_a_planners_words(calls: float, words: str) -> None:
    rows, demand = _plan(2, 1)
    outcome = evaluate(rows, np.zeros(2), demand, CONDITIONS)
    with pytest.raises(InvalidInputError, match="wait without end; staff more posts") as raised:
        busy_outcome(outcome, demand, CONDITIONS, Workload(calls, 60))
    assert words in str(raised.value)
    for word in ("=", "_", "queue"):
        assert word not in str(raised.value)
    assert busy_outcome(outcome, demand, CONDITIONS, Workload(1.99, 60)).coverage.waiting > 0.9


def test_expected_cover_needs_a_probability() -> None:
    rows, demand = _plan(1, 1)
    with pytest.raises(InvalidInputError, match="cannot keep up"):
        expected_share(evaluate(rows, np.zeros(1), demand, CONDITIONS), demand, 60.0, 1.0)


def test_two_units_at_a_post_share_its_calls_and_both_count() -> None:
    rows, demand = _plan(2, 3)
    twice = rows[[0, 1, 0]]
    outcome = evaluate(twice, np.zeros(3), demand, CONDITIONS)
    workload = Workload(1.5, 60)
    found = busy_outcome(outcome, demand, CONDITIONS, workload)
    assert found.queue.workload[0] == pytest.approx(found.queue.workload[2], abs=1e-9)
    assert found.queue.workload.sum() == pytest.approx(1.5)
    single = busy_outcome(evaluate(rows, np.zeros(2), demand, CONDITIONS), demand, CONDITIONS, workload)
    assert found.coverage.share > single.coverage.share
    assert outcome.sole_share[[0, 2]].tolist() == [0.0, 0.0]
