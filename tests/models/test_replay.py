"""The banner: silent on a right simulation, raised by a wrong one, whatever is missing from the records."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import t as student

from errors import InvalidInputError
from models.replay import ALL, MEAN, Replay, compare_replay

FloatArray = npt.NDArray[np.float64]

HOURS = [f"{hour}:00" for hour in range(24)]
AREAS = [f"area {number}" for number in range(40)]


def month(
    *, n: int = 4500, speed: float = 1.0, late_hour: float = 0.0, seed: int = 0, replications: int = 1
) -> Replay:
    """A month whose drives are observed with noise and with days of their own, and simulated at ``speed``."""
    rng = np.random.default_rng(seed)
    day, hour, area = rng.integers(0, 30, n), rng.integers(0, 24, n), rng.integers(0, 40, n)
    drive = 3 + rng.gamma(3, 1.3, n)
    busy = rng.gamma(2, 0.3, 30)[day]
    observed = 2 + drive * np.exp(rng.normal(-0.01, 0.14, n)) + busy * rng.exponential(1, n)
    simulated = 2 + drive / speed + busy * rng.exponential(1, (replications, n)) + late_hour * (hour == 8)
    return compare_replay(
        observed,
        simulated,
        day=day,
        groups={"hour": hour, "neighborhood": area},
        names={"hour": HOURS, "neighborhood": AREAS},
        target_min=10.0,
    )


def test_a_right_simulation_raises_no_banner() -> None:
    raised = [month(seed=seed).banner for seed in range(150)]
    assert np.mean(raised) <= 0.10
    quiet = month(seed=1, replications=20)
    assert not quiet.banner
    assert "agrees" in quiet.words
    assert len(quiet.figures) == 2 * (1 + 24 + 40)


@pytest.mark.parametrize("speed", [0.85, 1.18])
def test_a_wrong_speed_raises_the_banner(speed: float) -> None:
    wrong = month(speed=speed)
    assert wrong.banner
    row = wrong.figures[(wrong.figures["group"] == ALL) & (wrong.figures["figure"] == MEAN)].iloc[0]
    assert row["misses"]
    assert (row["difference"] > 0) == (speed < 1)
    assert "does not reproduce" in wrong.words
    assert ("too high" if speed < 1 else "too low") in wrong.words


def test_an_hour_that_misses_is_named() -> None:
    found = month(late_hour=3.0)
    missed = found.misses[found.misses["figure"] == MEAN]
    assert (missed["name"] == "8:00").any()
    assert "hour 8:00: 2.8 min too high" in found.words
    others = found.figures[(found.figures["group"] == "hour") & (found.figures["name"] != "8:00")]
    assert not others["misses"].any()


def test_the_interval_equals_plain_loops() -> None:
    rng = np.random.default_rng(3)
    observed, simulated = rng.gamma(4, 2, 400), rng.gamma(4, 2, (3, 400))
    day = rng.integers(0, 12, 400)
    found = compare_replay(observed, simulated, day=day, groups={}, names={}).figures.iloc[0]
    off = simulated.mean(axis=0) - observed
    total = sum(off) / 400
    squares = sum(sum(off[i] - total for i in range(400) if day[i] == d) ** 2 for d in range(12))
    error = (12 / 11 * squares) ** 0.5 / 400
    reach = student.ppf(0.975, 11) * error
    assert found["difference"] == pytest.approx(total)
    assert found["low"] == pytest.approx(total - reach)
    assert found["high"] == pytest.approx(total + reach)


def test_more_figures_make_wider_intervals() -> None:
    rng = np.random.default_rng(3)
    observed, simulated, day = rng.gamma(4, 2, 900), rng.gamma(4, 2, 900), rng.integers(0, 30, 900)
    alone = compare_replay(observed, simulated, day=day, groups={}, names={}).figures.iloc[0]
    codes = rng.integers(0, 9, 900)
    many = compare_replay(
        observed, simulated, day=day, groups={"area": codes}, names={"area": AREAS}
    ).figures.iloc[0]
    assert many["high"] - many["low"] > alone["high"] - alone["low"]
    assert many["difference"] == alone["difference"]


def test_small_groups_are_listed_and_not_judged() -> None:
    rng = np.random.default_rng(0)
    n = 600
    codes = np.where(np.arange(n) < 5, 1, 0)
    observed = rng.gamma(4, 2, n)
    simulated = observed + np.where(codes == 1, 30.0, rng.normal(0, 1, n))
    found = compare_replay(
        observed, simulated.clip(0), day=np.arange(n) % 30, groups={"area": codes}, names={"area": AREAS}
    ).figures.set_index("name")
    assert not found["judged"]["area 1"]
    assert not found["misses"]["area 1"]
    assert np.isnan(found["low"]["area 1"])
    assert found["n"]["area 1"] == 5


def test_calls_without_a_time_or_a_unit_are_counted() -> None:
    rng = np.random.default_rng(0)
    observed = rng.gamma(4, 2, 1000)
    simulated = np.vstack([observed, observed])
    observed[:7] = np.nan
    simulated[:, 10:15] = np.nan
    simulated[0, 20:30] = np.inf
    found = compare_replay(observed, simulated, day=np.arange(1000) % 30, groups={}, names={})
    assert found.left_out == {
        "no response time was observed": 7,
        "no unit came in any replication": 5,
    }
    assert found.n == 988
    assert found.unserved == pytest.approx((5 + 5) / 993)
    assert found.banner
    assert "find no unit" in found.words


def test_faults_are_told_together() -> None:
    with pytest.raises(InvalidInputError) as caught:
        compare_replay(
            [-1.0, 2.0],
            [1.0, -2.0, 3.0],
            day=np.zeros(1, dtype=np.int64),
            groups={"hour": np.array([3, 3]), "x": np.array([0])},
            names={"hour": ["0:00"]},
        )
    said = str(caught.value)
    for fault in ("negative", "each observed call", "one day", "without a name", "has no names", "one code"):
        assert fault in said
    with pytest.raises(InvalidInputError, match="not one response"):
        compare_replay([np.nan], [1.0], day=np.zeros(1, dtype=np.int64), groups={}, names={})
