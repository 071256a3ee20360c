"""The privacy rule: hiding, unbiased rounding, and what two answers together can give away."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import InvalidInputError
from models.privacy import (
    ROUNDING_BASE,
    SMALLEST_SHOWN,
    protected_counts,
    protected_total,
    record_keys,
)


def keys_for(n: int, *, salt: str = "salt") -> np.ndarray:
    return record_keys([f"call {i}" for i in range(n)], salt=salt)


@settings(max_examples=80, deadline=None)
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=12), seed=st.integers(0, 999))
def test_small_groups_are_hidden_and_others_lie_within_a_rounding_step(sizes: list[int], seed: int) -> None:
    group = np.repeat(np.arange(len(sizes)), sizes)
    order = np.random.default_rng(seed).permutation(group.size)
    counts = protected_counts(group, n_groups=len(sizes), keys=keys_for(group.size))
    for size, shown, hidden in zip(sizes, counts.shown, counts.hidden, strict=True):
        if size == 0:
            assert shown == 0
        elif size < SMALLEST_SHOWN:
            assert hidden
            assert np.isnan(shown)
        else:
            assert shown >= SMALLEST_SHOWN
            assert shown % ROUNDING_BASE == 0 or shown == SMALLEST_SHOWN
            assert abs(shown - size) < ROUNDING_BASE
    assert counts.hidden_groups == sum(0 < size < SMALLEST_SHOWN for size in sizes)
    shuffled = protected_counts(group[order], n_groups=len(sizes), keys=keys_for(group.size)[order])
    np.testing.assert_array_equal(shuffled.shown, counts.shown)
    assert shuffled.hidden_calls == counts.hidden_calls


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 14), min_size=1, max_size=12))
def test_the_hidden_sum_is_told_only_for_two_groups_and_eleven_calls(sizes: list[int]) -> None:
    group = np.repeat(np.arange(len(sizes)), sizes)
    told = protected_counts(group, n_groups=len(sizes), keys=keys_for(group.size)).hidden_calls
    small = [size for size in sizes if 0 < size < SMALLEST_SHOWN]
    if not small:
        assert told == 0
    elif len(small) < 2 or sum(small) < SMALLEST_SHOWN:
        assert told is None
    else:
        assert told is not None
        assert told >= SMALLEST_SHOWN
        assert abs(told - sum(small)) < ROUNDING_BASE


def test_rounding_is_unbiased_and_each_direction_has_its_probability() -> None:
    size, n_groups = 23, 20_000
    group = np.repeat(np.arange(n_groups), size)
    shown = protected_counts(group, n_groups=n_groups, keys=keys_for(group.size)).shown
    assert set(shown.tolist()) == {20.0, 25.0}
    up = (shown == 25.0).mean()  # 23 = 20 + 3: up with probability 3/5
    assert up == pytest.approx(0.6, abs=4 * np.sqrt(0.24 / n_groups))


def test_other_calls_round_independently_and_another_salt_rounds_anew() -> None:
    group = np.repeat(np.arange(4_000), 22)
    first = protected_counts(group, n_groups=4_000, keys=keys_for(group.size)).shown
    other = protected_counts(group, n_groups=4_000, keys=keys_for(group.size, salt="city")).shown
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.08
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.08
    assert len(np.unique(keys_for(10_000))) > 9_990


def support(count: int) -> tuple[float, ...]:
    """Everything the rule may show for a true count."""
    if 0 < count < SMALLEST_SHOWN:
        return (np.nan,)
    down = count // ROUNDING_BASE * ROUNDING_BASE
    values = {down} if count == down else {down, down + ROUNDING_BASE}
    return tuple(sorted({float(max(value, SMALLEST_SHOWN) if count else 0) for value in values}))


def test_the_support_used_below_is_what_the_rule_shows() -> None:
    for count in range(60):
        seen = {protected_total(keys_for(count, salt=f"{trial}")) if count else 0.0 for trial in range(40)}
        assert {str(value) for value in seen} == {str(value) for value in support(count)}


def test_two_filters_their_difference_and_all_totals_never_give_a_hidden_count() -> None:
    """Every city of two hexagons and two filters, up to 14 calls each, against all cities that look the same.

    A city is (a, b, c, d): hexagon 1 holds a calls of priority A and b others, hexagon 2 holds c and d. A
    reader sees both hexagons and the total under three filters: A only, others only, and all, and can even
    tell a hidden hexagon from an empty one. Whatever was shown, at least one other city shows the same with
    another count in the hidden hexagon.
    """
    top = 14
    cities = np.array(list(itertools.product(range(top + 1), repeat=4)))
    a, b, c, d = cities.T
    figures = np.column_stack([a, c, a + c, b, d, b + d, a + b, c + d, a + b + c + d])
    shows = [support(count) for count in range(4 * top + 1)]
    low = np.array([shown[0] for shown in shows])[figures]
    high = np.array([shown[-1] for shown in shows])[figures]
    hidden = np.isnan(low)

    rng = np.random.default_rng(7)
    for row in rng.choice(len(cities), 400, replace=False):
        seen = np.where(rng.random(figures.shape[1]) < 0.5, low[row], high[row])
        alike = np.where(np.isnan(seen), hidden, (seen == low) | (seen == high))
        candidates = figures[alike.all(axis=1)]
        assert any((candidate == figures[row]).all() for candidate in candidates)
        for column in np.flatnonzero(hidden[row]):
            inner = candidates[:, column]
            assert len(set(inner.tolist())) > 1, (cities[row], seen, column)


def test_bad_input_is_told() -> None:
    with pytest.raises(InvalidInputError, match=r"2 faults:\n- give one key.*\n- groups are numbered -1"):
        protected_counts([0, 5], n_groups=2, keys=keys_for(3))
    nothing = protected_counts([], n_groups=0, keys=keys_for(0))
    assert nothing.shown.shape == (0,)
    assert nothing.hidden_calls == 0
    ignored = protected_counts([-1] * 20, n_groups=1, keys=keys_for(20))
    assert ignored.shown.tolist() == [0.0]
