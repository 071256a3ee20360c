"""Replications: against Erlang, against the seed, and plan against plan on the same calls."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import kstest, poisson

from errors import InvalidInputError
from models.dispatch import (
    CallKind,
    CallRates,
    Draw,
    Replications,
    ServiceTimes,
    compare,
    replicate,
    sample_calls,
    simulate,
    standard_figures,
)

N_PLACES = 12


def _city() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], CallRates]:
    random = np.random.default_rng(2)
    xy = random.uniform(0, 15000, (N_PLACES, 2))
    travel = np.hypot(*(xy[:, np.newaxis] - xy).transpose(2, 0, 1)) / 600
    rates = CallRates(
        random.uniform(0, 0.5, (N_PLACES, 168)),
        np.arange(N_PLACES),
        (CallKind(0.4, 1, "ALS", 0.7), CallKind(0.6, 2, "", 0.3)),
    )
    return xy, travel, rates


TIMES = ServiceTimes(
    Draw.lognormal(18, 0.4),
    Draw.lognormal(22, 0.35),
    turnout=Draw.fixed(1.0),
    drive_factor=Draw.lognormal(1, 0.1),
)


def _plan(posts: list[int], *, seed: int = 3, **options: Any) -> Replications:  # noqa: ANN401
    _, travel, rates = _city()
    figures = standard_figures(target_min=12)
    return replicate(
        rates,
        {"post": posts},
        None,
        travel,
        [0, 5],
        **{
            "seed": seed,
            "replications": 40,
            "minutes": 2880.0,
            "times": TIMES,
            "figures": figures,
            **options,
        },
    )


def _erlang_c(servers: int, load: float) -> float:
    """Share of arrivals that wait (Erlang 1917), from the sum over the number of busy servers."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (3, 2.0), (6, 4.5)])
def test_without_driving_it_is_a_queue_with_several_servers(servers: int, load: float) -> None:
    service_min = 30.0
    rates = CallRates(np.full((1, 168), 60 * load / service_min), np.zeros(1, dtype=np.int64))
    found = replicate(
        rates,
        {"post": [0] * servers},
        None,
        np.zeros((1, 1)),
        None,
        seed=11,
        replications=60,
        minutes=40_000.0,
        warm_up_min=2_000.0,
        times=ServiceTimes(Draw.exponential(service_min)),
    )
    waits = _erlang_c(servers, load)
    truth = {
        "waited": waits,
        "wait_min": waits * service_min / (servers - load),
        "utilisation": load / servers,
        # In a queue with c servers the chance of n < c busy is p0 load^n / n!.
        "unserved": 0.0,
    }
    for name, value in truth.items():
        figure = found.interval(name, confidence=0.999)
        assert figure.low <= value <= figure.high, name
        assert figure.count == 60


def test_the_same_seed_gives_the_same_figures_on_any_number_of_threads() -> None:
    first, second = _plan([0, 3, 6, 9], threads=1), _plan([0, 3, 6, 9], threads=3)
    for name, values in first.figures.items():
        np.testing.assert_array_equal(values, second.figures[name])
    longer = _plan([0, 3, 6, 9], replications=50)
    np.testing.assert_array_equal(longer.figures["wait_min"][:40], first.figures["wait_min"])
    other = _plan([0, 3, 6, 9], seed=4)
    assert not np.array_equal(other.figures["wait_min"], first.figures["wait_min"])


def test_common_random_numbers_narrow_the_difference() -> None:
    plan, moved, apart = _plan([0, 3, 6, 9]), _plan([0, 3, 6, 10]), _plan([0, 3, 6, 10], seed=99)
    np.testing.assert_array_equal(plan.figures["calls"], moved.figures["calls"])
    paired = np.std(moved.figures["response_min"] - plan.figures["response_min"])
    unpaired = np.std(apart.figures["response_min"] - plan.figures["response_min"])
    assert paired < 0.6 * unpaired


def test_a_plan_is_better_worse_or_not_yet_known() -> None:
    few, more = _plan([0, 3, 6]), _plan([0, 3, 6, 9, 11])
    assert compare(few, more, "response_min").verdict == "better"
    assert compare(more, few, "response_min").verdict == "worse"
    assert compare(few, more, "within_target").verdict == "better"
    assert compare(few, few, "response_min").verdict == "cannot tell yet"
    difference = compare(few, more, "response_min")
    change = more.figures["response_min"] - few.figures["response_min"]
    assert difference.mean == pytest.approx(change.mean())
    half = 2.0227 * change.std(ddof=1) / math.sqrt(40)  # Student's 0.975 quantile with 39 degrees
    assert (difference.low, difference.high) == pytest.approx(
        (change.mean() - half, change.mean() + half), abs=1e-4
    )


def test_plans_on_other_calls_are_not_compared() -> None:
    with pytest.raises(InvalidInputError, match="did not meet the same calls"):
        compare(_plan([0]), _plan([0], seed=4), "response_min")
    with pytest.raises(InvalidInputError, match="no figure 'speed'"):
        compare(_plan([0]), _plan([1]), "speed")
    with pytest.raises(InvalidInputError, match="say whether"):
        compare(_plan([0]), _plan([1]), "calls")


def test_figures_equal_those_of_single_simulations() -> None:
    _, travel, rates = _city()
    found = _plan([0, 3, 6, 9], replications=3, warm_up_min=600.0)
    for replication in range(3):
        calls = sample_calls(rates, 2880.0, key=[3, replication])
        # simulate() draws from the key [seed], so the minutes are drawn here by hand.
        from models.dispatch_draw import uniform

        key = [3, replication]
        calls["on_scene_min"] = TIMES.on_scene.at(uniform(key, "on_scene", len(calls)))
        calls["at_hospital_min"] = TIMES.at_hospital.at(uniform(key, "at_hospital", len(calls)))
        calls["drive_factor"] = TIMES.drive_factor.at(uniform(key, "drive", len(calls)))
        calls["turnout_min"] = 1.0
        table = simulate(calls, {"post": [0, 3, 6, 9]}, None, travel, [0, 5], until_min=2880.0).calls
        table = table[table["call_min"] >= 600]
        figures = {name: values[replication] for name, values in found.figures.items()}
        assert figures["calls"] == len(table)
        assert figures["response_min"] == pytest.approx(table["response_min"].mean())
        assert figures["response_p90_min"] == pytest.approx(table["response_min"].quantile(0.9))
        assert figures["waited"] == pytest.approx((table["wait_min"] > 0).mean())
        assert figures["within_target"] == pytest.approx((table["response_min"] <= 12).mean())


def test_a_trace_keeps_its_calls_and_draws_what_it_lacks() -> None:
    travel = np.ones((2, 2))
    trace = pd.DataFrame({"call_min": np.arange(200.0) * 20, "place": np.arange(200) % 2})
    times = ServiceTimes(Draw.exponential(20))
    found = replicate(
        trace, {"post": [0, 1]}, None, travel, None, seed=5, replications=30, minutes=4000.0, times=times
    )
    assert (found.figures["calls"] == 200).all()
    assert found.interval("response_min").sd > 0


def test_sampled_calls_follow_their_rates() -> None:
    random = np.random.default_rng(0)
    rates = CallRates(random.uniform(0, 2, (3, 168)), np.array([4, 5, 6]))
    hours = 1000.0
    calls = sample_calls(rates, hours * 60, key=[1], start_hour=100.5)
    assert calls["call_min"].is_monotonic_increasing
    assert calls["call_min"].between(0, hours * 60).all()
    hour = np.floor(calls["call_min"] / 60 + 100.5).astype(int) % 168
    counts = pd.crosstab(calls["place"], hour).to_numpy()
    weeks = np.bincount(np.arange(101, 101 + 999) % 168, minlength=168).astype(float)
    weeks[100] += 0.5
    weeks[(100 + 1000) % 168] += 0.5
    expected = rates.per_h * weeks
    assert poisson.cdf(counts.sum(), expected.sum()) == pytest.approx(0.5, abs=0.499)
    # Standardised counts are about normal with variance 1.
    spread = ((counts - expected) ** 2 / expected).sum() / expected.size
    assert spread == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [
        (Draw.exponential(20), ("expon", (0, 20))),
        (Draw.lognormal(15, 0.4), ("lognorm", (0.4, 0, 15))),
    ],
)
def test_draws_have_their_distribution(draw: Draw, distribution: tuple[str, tuple[float, ...]]) -> None:
    drawn = draw.at(np.random.default_rng(1).random(5000))
    assert kstest(drawn, distribution[0], args=distribution[1]).pvalue > 0.01


def test_a_sample_draws_only_what_was_observed() -> None:
    drawn = Draw.sample([3.0, 1.0, 2.0]).at(np.random.default_rng(1).random(3000))
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [1.0, 2.0, 3.0]
    assert counts.min() > 900


def test_progress_is_told_and_can_stop_the_work() -> None:
    told: list[float] = []
    _plan([0, 3], progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0

    class StoppedError(Exception):
        pass

    def stop(share: float) -> None:
        raise StoppedError(share)

    with pytest.raises(StoppedError):
        _plan([0, 3], progress=stop)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"replications": 1}, "at least 2 replications"),
        ({"warm_up_min": 2880.0}, "warm-up must end"),
        ({"times": None}, "sampled calls need times"),
        ({"minutes": math.nan}, "minutes must be above zero"),
        ({"priorities": 1}, "calls.priority must be a whole number from 1"),
    ],
)
def test_bad_input_is_told_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        _plan([0, 3], **options)


def test_rates_that_give_no_call_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="zero everywhere"):
        CallRates(np.zeros((2, 168)), np.array([0, 1]))
    with pytest.raises(InvalidInputError, match="168 hours"):
        CallRates(np.ones((2, 24)), np.array([0, 1]))
    with pytest.raises(InvalidInputError, match="sum to 1"):
        CallRates(np.ones((1, 168)), np.array([0]), (CallKind(0.5),))
