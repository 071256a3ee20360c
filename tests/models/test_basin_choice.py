"""The choice of basins against brute force, also where the benefit rises late, and its bound."""

from itertools import product

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from errors import InvalidInputError
from models.basin_choice import (
    Choice,
    crew_stops,
    envelope,
    highest_first,
    line_first,
    prioritise,
)
from tests.models.basin_cases import plain_model

FloatArray = npt.NDArray[np.float64]


def _best(
    benefit: list[FloatArray], budget: int, weight: FloatArray, district: list[int], floors: list[int]
) -> float | None:
    """Try every count in every bowl."""
    best = None
    for plan in product(*(range(len(values) + 1) for values in benefit)):
        held = [
            sum(k for k, d in zip(plan, district, strict=True) if d == number)
            for number in range(len(floors))
        ]
        if sum(plan) > budget or any(h < f for h, f in zip(held, floors, strict=True)):
            continue
        value = sum(w * v[k - 1] for w, v, k in zip(weight, benefit, plan, strict=True) if k)
        best = value if best is None else max(best, value)
    return best


def _holds(
    found: Choice, benefit: list[FloatArray], budget: int, district: list[int], floors: list[int]
) -> None:
    assert found.count.sum() <= budget
    assert all(0 <= k <= len(v) for k, v in zip(found.count, benefit, strict=True))
    assert np.all(np.bincount(district, weights=found.count, minlength=len(floors)) >= floors)


CURVES = st.lists(
    st.lists(st.integers(-2, 9), min_size=1, max_size=4).map(lambda steps: np.cumsum(steps, dtype=float)),
    min_size=1,
    max_size=5,
)


@given(CURVES, st.integers(0, 15), st.randoms(use_true_random=False))
def test_equals_brute_force(benefit: list[FloatArray], budget: int, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    n = len(benefit)
    district, floors = rng.integers(0, 2, n).tolist(), rng.integers(0, 4, 2).tolist()
    weight = rng.choice([0.5, 1.0, 1.7], n)

    def choose() -> Choice:
        return prioritise(
            benefit, budget, weight=weight, district=np.array(district), floors=np.array(floors)
        )

    truth = _best(benefit, budget, weight, district, floors)
    if truth is None:
        with pytest.raises(InvalidInputError, match="The floors cannot be met"):
            choose()
        return
    found = choose()
    _holds(found, benefit, budget, district, floors)
    assert found.value == pytest.approx(truth)
    assert found.bound >= truth - 1e-9
    assert found.greedy <= found.value + 1e-9
    assert found.gap * found.bound == pytest.approx(found.bound - found.value, abs=1e-6)


@pytest.mark.parametrize("late", [True, False])
def test_fifteen_basins_in_three_bowls(late: bool) -> None:  # noqa: FBT001
    """Five basins a bowl; late: nothing until the water falls below a threshold, then all at once."""
    rising = [np.array([0, 0, 0, 10.0, 11]), np.array([0, 0, 7.0, 7, 7]), np.array([1, 2, 3, 4.0, 5])]
    falling = [np.cumsum([5.0, 3, 2, 1, 0]), np.cumsum([4.0, 4, 1, 1, 1]), np.cumsum([3.0, 2, 2, 2, 0])]
    benefit = rising if late else falling
    for budget in range(16):
        found = prioritise(benefit, budget)
        truth = _best(benefit, budget, np.ones(3), [0, 0, 0], [0])
        assert found.value == pytest.approx(truth)
        assert found.bound >= found.value
        if not late:
            assert found.greedy == pytest.approx(found.value)
    if late:
        # Greedy sees only the gentle bowl; the plan waits for the thresholds.
        assert prioritise(benefit, 7).value == 17
        assert prioritise(benefit, 7).greedy == 5


@given(st.lists(st.floats(-5, 20), min_size=1, max_size=12))
def test_the_envelope_is_the_least_concave_function_above(steps: list[float]) -> None:
    worth = np.concatenate([[0.0], np.cumsum(steps)])
    top = envelope(worth)
    assert np.all(top >= worth - 1e-9)
    assert np.all(np.diff(top, 2) <= 1e-9)
    # The least at k is the best chord over k.
    n = len(worth)
    for k in range(n):
        chords = [
            worth[a] + (worth[b] - worth[a]) * (k - a) / (b - a) if b > a else worth[k]
            for a in range(k + 1)
            for b in range(k, n)
        ]
        assert top[k] == pytest.approx(max(chords), abs=1e-9)


def _city(n_bowls: int, seed: int) -> list[FloatArray]:
    """Bowls with a threshold: an S-curve each, of its own size and height."""
    rng = np.random.default_rng(seed)
    curves = []
    for _ in range(n_bowls):
        size = int(rng.integers(3, 60))
        done = np.arange(1, size + 1) / size
        bend = rng.uniform(0.2, 0.9)
        curves.append(rng.gamma(2, 50) / (1 + np.exp(-12 * (done - bend))))
    return curves


def test_a_city_is_proven_and_never_below_greedy() -> None:
    benefit = _city(150, 3)
    district = np.arange(150) % 5
    floors = np.array([60, 0, 100, 0, 200])
    found = prioritise(benefit, 900, district=district, floors=floors)
    assert 0 <= found.gap < 0.001
    assert found.value > found.greedy
    _holds(found, benefit, 900, district.tolist(), floors.tolist())


def test_more_trucks_never_avoid_less() -> None:
    benefit = _city(40, 5)
    values = [prioritise(benefit, crew_stops(trucks, 10, 8)).value for trucks in (0, 1, 2, 4, 8)]
    assert values[0] == 0
    assert values == sorted(values)
    assert crew_stops(3, 5, 7.5) == 112


def test_weight_moves_basins_to_the_weighted_bowl() -> None:
    benefit = [np.array([5.0, 9, 12]), np.array([4.0, 7, 9])]
    plain = prioritise(benefit, 3)
    fair = prioritise(benefit, 3, weight=np.array([1.0, 2.0]))
    assert plain.count.tolist() == [2, 1]
    assert fair.count.tolist() == [1, 2]


def test_highest_first_puts_what_is_not_known_last() -> None:
    days = np.array([9.0, 8, 7, 1, np.nan, 99])
    assert highest_first(days, 3).tolist() == [5, 0, 1]
    assert highest_first(days, 6).tolist()[-1] == 4
    assert highest_first(days, 2, allowed=np.arange(6) != 5).tolist() == [0, 1]


def test_lines_first_are_kept_apart() -> None:
    clean, line = line_first(np.array([0.1, 1.0, 0.49, 0.5]))
    assert clean.tolist() == [0, 2]
    assert line.tolist() == [1, 3]


def test_floors_that_cannot_be_met_are_said_together() -> None:
    benefit = [np.ones(2), np.ones(3)]
    with pytest.raises(InvalidInputError) as error:
        prioritise(benefit, 4, district=np.array([0, 1]), floors=np.array([5, 1]))
    assert "district 0 is to have 5 basins cleaned but has 2" in str(error.value)
    assert "the floors ask for 6 basins, the crews can clean 4" in str(error.value)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(InvalidInputError, match="3 faults"):
        prioritise([np.array([np.nan])], -1, weight=np.array([-1.0]))
    with pytest.raises(InvalidInputError, match="at least one bowl"):
        prioritise([], 3)
    with pytest.raises(InvalidInputError, match="trucks must be a whole number"):
        crew_stops(-1, 5, 8)


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_plain_model_in_highs(seed: int) -> None:
    """A variable for every count of every bowl, nothing dropped, solved by scipy's HiGHS."""
    benefit = _city(25, seed)
    if seed % 2:
        benefit = [np.floor(values / 10) for values in benefit]
    district, floors = np.arange(25) % 3, np.array([40, 0, 25])
    found = prioritise(benefit, 160, district=district, floors=floors)
    assert found.value == pytest.approx(plain_model(benefit, 160, district, floors), rel=1e-6)
