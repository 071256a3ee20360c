import itertools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from errors import InvalidInputError
from models import queueing_approx
from models.dispatch import CallRates, Draw, ServiceTimes, replicate
from models.dispatch_run import Outcome
from models.queueing import Hypercube, erlang_b, erlang_c, hypercube, hypercube_approx, preference_by_time
from models.queueing_approx import correction_factors
from tests.models.queueing_cases import Case, cases
from tests.models.test_queueing import BOOK_PREFERENCE, BOOK_RATE

FloatArray = npt.NDArray[np.float64]


def random_cities(n_cities: int, *, seed: int, most_units: int = 10) -> list[Case]:
    """Places and posts anywhere in a square, the nearest unit first, half with rates from 1 to 2 a unit."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(n_cities):
        n_servers, n_atoms = int(random.integers(3, most_units + 1)), 60
        service = random.uniform(1.0, 2.0, n_servers) if number // 2 % 2 else np.ones(n_servers)
        places, posts = random.random((n_atoms, 2)), random.random((n_servers, 2))
        preference = preference_by_time(np.linalg.norm(places[:, None] - posts, axis=2))
        rate = random.random(n_atoms) ** 3
        rate *= random.uniform(0.1, 0.8) * service.sum() / rate.sum()
        found.append(Case(rate, preference, service, queue=number % 2 == 0))
    return found


def errors_of(case: Case, approximate: Hypercube) -> dict[str, float]:
    """Largest errors of the approximation, and the share of calls sent to another unit."""
    exact = hypercube(case.arrival_rate, case.preference, case.service_rate, queue=case.queue)
    weight = case.arrival_rate / case.arrival_rate.sum()
    return {
        "workload": float(np.abs(approximate.workload - exact.workload).max()),
        "moved": float((weight @ np.abs(approximate.dispatch - exact.dispatch)).sum() / 2),
        "busy": float(np.abs(approximate.busy - exact.busy).max()),
        "all busy": abs(approximate.busy[-1] - exact.busy[-1]),
    }


def test_the_approximation_is_near_the_exact_model() -> None:
    """Measured over 100 cities: see the methods page."""
    table = [
        errors_of(
            case, hypercube_approx(case.arrival_rate, case.preference, case.service_rate, queue=case.queue)
        )
        for case in random_cities(100, seed=5)
    ]
    columns = {name: np.array([row[name] for row in table]) for name in table[0]}
    assert columns["workload"].max() < 0.035
    assert columns["workload"].mean() < 0.010
    assert columns["moved"].max() < 0.035
    assert columns["moved"].mean() < 0.015
    assert columns["busy"].max() < 0.006
    assert columns["all busy"].max() < 0.004


def test_the_factors_of_larson_and_odoni() -> None:
    """Urban Operations Research, section 5.5.3: three units at half load with a line."""
    busy = hypercube_approx(BOOK_RATE, BOOK_PREFERENCE, 1.0, queue=True).busy
    assert correction_factors(busy) == pytest.approx([1.0, 0.73684, 0.63158], abs=5e-6)


def test_the_workloads_of_larson_and_odoni() -> None:
    """The same section gives 0.5627, 0.4716 and 0.4657 (exact 0.5574, 0.4734 and 0.4693).

    Their procedure scales workloads to the known total; this one also scales each place's shares.
    """
    factors = [1.0, 0.73684, 0.63158]
    workload = np.full(3, 0.5)
    all_busy = float(erlang_c(3, 1.5))
    for _ in range(50):
        asked = np.zeros(3)
        for rate, order in zip(BOOK_RATE, BOOK_PREFERENCE, strict=True):
            product = rate
            for rank, unit in enumerate(order):
                asked[unit] += factors[rank] * product
                product *= workload[unit]
        workload = (asked + 1.5 * all_busy / 3) / (1 + asked)
        workload *= 1.5 / workload.sum()
    assert workload == pytest.approx([0.5627, 0.4716, 0.4657], abs=1.5e-4)
    ours = hypercube_approx(BOOK_RATE, BOOK_PREFERENCE, 1.0, queue=True)
    assert ours.workload == pytest.approx(workload, abs=2e-3)


@pytest.mark.parametrize("queue", [True, False])
def test_it_is_exact_where_every_order_is_as_likely(queue: bool) -> None:  # noqa: FBT001
    """All 24 orders of four equal units: busy units are a random sample, as the factors take it."""
    orders = np.array(list(itertools.permutations(range(4))))
    rate = np.full(24, 3.0 / 24)
    exact = hypercube(rate, orders, 1.0, queue=queue)
    found = hypercube_approx(rate, orders, 1.0, queue=queue)
    np.testing.assert_allclose(found.workload, exact.workload, rtol=1e-10)
    np.testing.assert_allclose(found.dispatch, exact.dispatch, rtol=1e-10)
    together = hypercube_approx([3.0], [[0, 1, 2, 3]], 1.0, queue=queue, same_post=["one"] * 4)
    np.testing.assert_allclose(together.workload, exact.workload, rtol=1e-10)
    assert together.mean_wait == pytest.approx(exact.mean_wait)


@settings(max_examples=60, deadline=None)
@given(cases(most_units=20, most_atoms=8))
def test_shares_add_up_and_calls_sent_are_calls_served(case: Case) -> None:
    found = hypercube_approx(case.arrival_rate, case.preference, case.service_rate, queue=case.queue)
    assert found.residual < 1e-9
    served = found.workload * case.service_rate
    np.testing.assert_allclose(case.arrival_rate @ found.dispatch, served, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.dispatch.sum(axis=1), 1 - found.lost, rtol=1e-9)
    assert ((found.workload >= 0) & (found.workload < 1)).all()
    assert (found.dispatch >= 0).all()
    assert found.busy.sum() == pytest.approx(1.0)
    assert found.state is None


@given(cases(most_units=6))
def test_one_order_for_all_with_own_rates_stays_near(case: Case) -> None:
    """The hardest case: every place asks the same units in the same order."""
    alike = np.repeat(case.preference[:1], len(case.arrival_rate), axis=0)
    exact = hypercube(case.arrival_rate, alike, case.service_rate, queue=case.queue)
    found = hypercube_approx(case.arrival_rate, alike, case.service_rate, queue=case.queue)
    assert np.abs(found.workload - exact.workload).max() < 0.15
    assert found.busy[-1] == pytest.approx(exact.busy[-1], abs=0.08)


@pytest.mark.parametrize("n_servers", [13, 40])
@pytest.mark.parametrize("load", [1e-6, 0.5, 0.99])
def test_many_equal_units_are_erlangs(n_servers: int, load: float) -> None:
    random = np.random.default_rng(n_servers)
    preference = np.array([random.permutation(n_servers) for _ in range(200)])
    rate = random.dirichlet(np.ones(200)) * load * n_servers
    line = hypercube_approx(rate, preference, 1.0, queue=True)
    assert line.waiting == pytest.approx(float(erlang_c(n_servers, rate.sum())), rel=1e-8)
    assert line.workload.mean() == pytest.approx(load, rel=1e-8)
    lost = hypercube_approx(rate, preference, 1.0, queue=False)
    assert lost.lost == pytest.approx(float(erlang_b(n_servers, rate.sum())), rel=1e-8)


@pytest.mark.parametrize("load", [1e-6, 3.0, 50.0])
@pytest.mark.parametrize("spread", [1.0, 100.0])
def test_it_settles_at_any_load(load: float, spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing_approx, "MAX_ROUNDS", 30)
    random = np.random.default_rng(8)
    service = np.geomspace(1.0, spread, 25)
    preference = np.array([random.permutation(25) for _ in range(100)])
    rate = random.dirichlet(np.ones(100)) * load * service.sum()
    assert hypercube_approx(rate, preference, service, queue=False).residual < 1e-9


def test_co_located_units_share_as_in_the_exact_model() -> None:
    for number, case in enumerate(random_cities(20, seed=11, most_units=8)):
        label = [unit // 2 for unit in range(len(case.service_rate))]
        exact = hypercube(
            case.arrival_rate, case.preference, case.service_rate, queue=case.queue, same_post=label
        )
        found = hypercube_approx(
            case.arrival_rate, case.preference, case.service_rate, queue=case.queue, same_post=label
        )
        assert np.abs(found.workload - exact.workload).max() < 0.04, number


def test_an_iteration_that_does_not_settle_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing_approx, "MAX_ROUNDS", 2)
    with pytest.raises(InvalidInputError, match="did not settle"):
        hypercube_approx(BOOK_RATE, BOOK_PREFERENCE, 1.0, queue=True)


@pytest.mark.parametrize("calls_per_hour", [2.0, 3.2])
def test_the_factors_are_what_calls_played_one_by_one_show(calls_per_hour: float) -> None:
    """Every order of four units is a place: the unit asked j-th is sent at once with chance r^j (1 - r) Q(j).

    Time on a call is exponential, drives take no time, calls wait.
    """
    orders = np.array(list(itertools.permutations(range(4))))
    n = len(orders)
    travel = np.full((n + 4, n + 4), 9.0)
    for cell, order in enumerate(orders):
        travel[n + order, cell] = travel[cell, n + order] = np.arange(1.0, 5.0)
    np.fill_diagonal(travel, 0.0)
    rank = np.argsort(orders, axis=1)

    def sent(outcome: Outcome, since: float) -> Mapping[str, float]:
        counted = outcome.calls.call_min >= since
        at_once = counted & (outcome.assigned == outcome.calls.ready_min)
        asked = rank[outcome.calls.place[at_once], outcome.unit[at_once]]
        share = np.bincount(asked, minlength=4) / counted.sum()
        return {f"asked_{j}": float(share[j]) for j in range(4)}

    runs = replicate(
        CallRates(np.full((n, 168), calls_per_hour / n), np.arange(n)),
        {"post": np.arange(n, n + 4)},
        None,
        travel,
        None,
        seed=3,
        replications=100,
        minutes=21_600.0,
        warm_up_min=1_440.0,
        figures=sent,
        home_factor=1e-6,
        times=ServiceTimes(Draw.exponential(60.0), drive_factor=Draw.fixed(1e-6)),
    )
    load = calls_per_hour / 4
    busy = hypercube([calls_per_hour], [[0, 1, 2, 3]], 1.0, queue=True).busy
    factors = correction_factors(busy)
    assert factors[1:].max() < 1
    for j, factor in enumerate(factors):
        figure = runs.interval(f"asked_{j}", confidence=0.999)
        assert figure.low <= load**j * (1 - load) * factor <= figure.high, j
        # Without its factor the product of workloads is far off.
        if j:
            assert not figure.low <= load**j * (1 - load) <= figure.high, j
