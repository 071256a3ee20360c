import math

import numpy as np
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.busy_coverage import busy_coverage
from models.queueing import hypercube, hypercube_approx
from tests.models.queueing_cases import Case, cases, play

TRAVEL_S = np.array([[120.0, 600.0, 900.0], [700.0, 200.0, 400.0], [500.0, 450.0, 100.0]])
CITY = Case(
    np.array([1.5, 0.8, 0.6]),
    np.argsort(TRAVEL_S, axis=1),
    np.array([1.2, 1.5, 1.8]),
    queue=True,
)


def test_shares_are_counted_by_hand_where_calls_are_lost() -> None:
    found = hypercube([1.0, 1.0], [[0, 1], [1, 0]], 2.0, queue=False)
    travel = np.array([[100.0, 900.0], [900.0, 100.0]])
    covered = busy_coverage(found, [1.0, 1.0], travel, 480.0)
    # Of each place's calls 0.6 go to the near unit, 0.2 to the far one and 0.2 are lost.
    assert covered.share == pytest.approx(0.6)
    assert covered.by_atom == pytest.approx([0.6, 0.6])
    assert covered.all_free_share == 1.0
    assert covered.mean_travel_s == pytest.approx((0.6 * 100 + 0.2 * 900) / 0.8)
    assert covered.mean_response_s == covered.mean_travel_s
    assert covered.lost == pytest.approx(0.2)
    assert (covered.waiting, covered.unreachable) == (0.0, 0.0)


@pytest.mark.parametrize("queue", [True, False])
def test_model_and_played_calls_agree(queue: bool) -> None:  # noqa: FBT001
    """200,000 calls played one by one; each figure within 4 standard errors of 40 parts of the run."""
    case = Case(CITY.arrival_rate, CITY.preference, CITY.service_rate, queue=queue)
    n_calls, parts = 200_000, 40
    played = play(case, n_calls, seed=3)
    found = hypercube(case.arrival_rate, case.preference, case.service_rate, queue=queue)
    covered = busy_coverage(found, case.arrival_rate, TRAVEL_S, 480.0)

    counted = slice(2000, n_calls - 2000)
    atom, unit = played.atom[counted], played.unit[counted]
    wait_s = played.wait[counted] * 3600
    answered = unit >= 0
    travel = np.where(answered, TRAVEL_S[atom, unit], np.nan)
    response = travel + wait_s
    near = np.where(answered, response <= 480.0, 0.0)
    expected = {
        "share": (near, covered.share),
        "lost": (1.0 - answered, covered.lost),
        "waiting": (np.where(answered, wait_s > 0, 0.0), covered.waiting),
        "travel": (travel[answered], covered.mean_travel_s),
        "response": (response[answered], covered.mean_response_s),
        "wait of those who wait": (
            wait_s[answered & (wait_s > 0)],
            3600 / found.wait_rate if queue else math.nan,
        ),
    }
    for place in range(3):
        for number in range(3):
            sent = unit[atom == place] == number
            expected[f"calls of {place} to {number}"] = (sent, found.dispatch[place, number])
    for name, (values, model) in expected.items():
        if not len(values) or math.isnan(model):
            continue
        means = np.array([part.mean() for part in np.array_split(np.asarray(values, dtype=float), parts)])
        error = means.std(ddof=1) / math.sqrt(parts)
        assert abs(means.mean() - model) <= 4 * error + 1e-12, name


@given(cases(most_units=4))
def test_more_time_reaches_more_and_never_more_than_all_units_free(case: Case) -> None:
    random = np.random.default_rng(0)
    travel = random.uniform(60, 1200, (len(case.arrival_rate), len(case.service_rate)))
    found = hypercube(case.arrival_rate, case.preference, case.service_rate, queue=case.queue)
    before = 0.0
    for budget_s in (-5.0, 0.0, 200.0, 600.0, 1300.0):
        covered = busy_coverage(found, case.arrival_rate, travel, budget_s)
        assert before - 1e-12 <= covered.share <= covered.all_free_share + 1e-12
        before = covered.share
        assert covered.share == pytest.approx(covered.by_atom @ case.arrival_rate / case.arrival_rate.sum())
    assert busy_coverage(found, case.arrival_rate, travel, 0.0).share == 0.0
    endless = busy_coverage(found, case.arrival_rate, travel, 1e12)
    assert endless.share == pytest.approx(1 - found.lost)


def test_idle_units_cover_what_plain_coverage_counts() -> None:
    found = hypercube_approx(CITY.arrival_rate * 1e-9, CITY.preference, CITY.service_rate, queue=True)
    covered = busy_coverage(found, CITY.arrival_rate, TRAVEL_S, 150.0)
    assert covered.share == pytest.approx(covered.all_free_share, abs=1e-6)
    assert covered.all_free_share == pytest.approx((1.5 + 0.6) / 2.9)


def test_a_unit_that_cannot_come_is_told() -> None:
    travel = np.array([[100.0, math.inf]])
    found = hypercube([1.0], [[0, 1]], 1.0, queue=False)
    covered = busy_coverage(found, [1.0], travel, 480.0)
    assert covered.unreachable == pytest.approx(0.3)
    assert covered.mean_travel_s == math.inf
    assert covered.share == pytest.approx(0.5)


def test_bad_input_is_told_in_words() -> None:
    found = hypercube([1.0, 2.0], [[0, 1], [1, 0]], 3.0, queue=True)
    with pytest.raises(InvalidInputError) as caught:
        busy_coverage(found, [1.0, math.nan], [[-1.0, math.nan]], math.nan, time_unit_s=0.0)
    for words in ("zero or more", "places by units (2, 2)", "NaN", "negative", "budget", "time_unit_s"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInputError, match="there are no calls"):
        busy_coverage(found, [0.0, 0.0], np.ones((2, 2)), 480.0)
    with pytest.raises(InvalidInputError, match="one rate a place"):
        busy_coverage(found, [1.0], np.ones((2, 2)), 480.0)
