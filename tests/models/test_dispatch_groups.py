"""Figures by priority and by area, and the area that is served worst."""

import numpy as np
import pytest

from errors import InvalidInputError
from models.dispatch import (
    CallKind,
    CallRates,
    Draw,
    Replications,
    ServiceTimes,
    compare,
    replicate,
    simulate,
)
from models.dispatch_groups import FIRST, WORST, by_urgency, group_figures, with_worst_area

TRAVEL = np.array([[0.0, 5.0, 20.0], [5.0, 0.0, 15.0], [20.0, 15.0, 0.0]])
AREA = np.array([0, 1, -1])


def test_groups_are_counted_as_by_hand() -> None:
    calls = {
        "call_min": [0.0, 100.0, 200.0, 300.0],
        "place": [0, 1, 2, 1],
        "on_scene_min": [10.0] * 4,
        "priority": [1, 2, 1, 1],
    }
    outcome = simulate(calls, {"post": [0]}, None, TRAVEL, None, en_route="network").outcome
    figures = group_figures(target_min=4.0, area_of_place=AREA, n_areas=2, by_priority=True)
    found = figures(outcome, 50.0)
    # After minute 50: place 1 (5 min, late), place 2 (20 min, late, no area), place 1 again (late).
    assert (found["area_calls_0"], found["area_in_time_0"]) == (0, 0)
    assert (found["area_calls_1"], found["area_in_time_1"]) == (2, 0)
    assert found[FIRST] == 0
    whole = figures(outcome, 0.0)
    assert (whole["area_calls_0"], whole["area_in_time_0"]) == (1, 1)
    assert whole[FIRST] == pytest.approx(1 / 3)
    assert whole["within_target"] == pytest.approx(1 / 4)
    plain = group_figures(target_min=4.0, area_of_place=AREA, n_areas=2, by_priority=False)
    assert FIRST not in plain(outcome, 0.0)


def _made(calls: list[list[float]], reached: list[list[float]]) -> Replications:
    figures = {f"area_calls_{row}": np.array(values) for row, values in enumerate(calls)}
    figures |= {f"area_in_time_{row}": np.array(values) for row, values in enumerate(reached)}
    return Replications(figures, ("calls",))


def test_the_worst_area_is_the_least_share_with_the_ratios_interval() -> None:
    made = _made([[4, 0, 6], [5, 5, 5], [0, 0, 0]], [[1, 0, 2], [4, 5, 4], [0, 0, 0]])
    found, worst = with_worst_area(made, [0, 1, 2])
    assert worst == 0
    assert found.interval(WORST).mean == pytest.approx(0.3)
    # Cochran's variance of a ratio of sums: sum of squared residuals / (n - 1) / n / mean calls squared.
    residual = np.array([1, 0, 2]) - 0.3 * np.array([4, 0, 6])
    deviation = np.sqrt((residual**2).sum() / 2) / (10 / 3)
    assert found.interval(WORST).sd == pytest.approx(deviation)
    assert with_worst_area(made, [1])[1] == 1
    with pytest.raises(InvalidInputError, match="None of these areas"):
        with_worst_area(made, [2])


def test_intervals_of_the_worst_area_hold_its_share_as_often_as_they_say() -> None:
    random = np.random.default_rng(4)
    inside = 0
    for _ in range(400):
        calls = random.poisson(3.0, 60)
        reached = random.binomial(calls, 0.7)
        found, _ = with_worst_area(_made([calls.tolist()], [reached.tolist()]), [0])
        figure = found.interval(WORST)
        inside += figure.low <= 0.7 <= figure.high
    assert 0.91 <= inside / 400 <= 0.985


def test_serving_urgent_calls_first_helps_them_and_is_told_so() -> None:
    rates = CallRates(np.full((2, 168), 2.0), np.array([0, 1]), (CallKind(0.4, 1), CallKind(0.6, 2)))
    sides = [
        replicate(
            rates,
            {"post": [0, 1]},
            None,
            TRAVEL,
            None,
            seed=1,
            replications=40,
            minutes=7200.0,
            figures=group_figures(target_min=15.0, area_of_place=AREA, n_areas=2, by_priority=True),
            times=ServiceTimes(Draw.exponential(22.0)),
            queue="priority" if urgent else "longest",
            preempt=urgent,
        )
        for urgent in (False, True)
    ]
    assert compare(sides[0], sides[1], FIRST, better="higher").verdict == "better"


@pytest.mark.parametrize(
    ("names", "first", "ordered"),
    [
        (["Code 2", "Code 3", "Code 1"], "Code 3", ("Code 3", "Code 2", "Code 1")),
        (["P2", "P1", "P3"], "P1", ("P1", "P2", "P3")),
        (["A", "B"], "X", ("A", "B")),
        ([], "X", ()),
    ],
)
def test_priorities_are_ordered_from_the_most_urgent(
    names: list[str], first: str, ordered: tuple[str, ...]
) -> None:
    assert by_urgency(names, first) == ordered
