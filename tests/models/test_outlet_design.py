"""What a regression is told of outlets, and what it is told when little is known."""

import numpy as np
import pytest

from errors import InvalidInputError
from models.outlet_design import outlet_design

NAN = np.nan


def test_everything_known_gives_logarithms() -> None:
    made = outlet_design(
        open_hours=[40, 168], capacity=[50, 100], outlets_near=[0, np.e - 1], control=[np.e**2 - 1, 0]
    )
    assert made.exposure.tolist() == [40, 168]
    assert made.names == ("other outlets near", "control incidents near", "capacity")
    np.testing.assert_allclose(made.covariates, [[0, 2, np.log(50)], [1, 0, np.log(100)]])


def test_what_is_not_known_is_marked_and_said() -> None:
    made = outlet_design(open_hours=[40, NAN, 60], capacity=[NAN, 0, 80], outlets_near=[1, 2, 3])
    assert made.names == (
        "hours not known",
        "other outlets near",
        "capacity",
        "capacity not known",
    )
    assert made.exposure.tolist() == [40, 50, 60]
    assert made.covariates[:, 0].tolist() == [0, 1, 0]
    assert made.covariates[:, 3].tolist() == [1, 1, 0]
    assert np.isfinite(made.covariates).all()
    assert "2 of 3" in " ".join(made.words)
    assert "Types of incidents are not known" in " ".join(made.words)


def test_nothing_known_leaves_the_neighbors() -> None:
    made = outlet_design(open_hours=[NAN] * 2, capacity=[NAN] * 2, outlets_near=[0, 4])
    assert made.exposure.tolist() == [1, 1]
    assert made.names == ("other outlets near",)
    assert "Capacity is not known" in " ".join(made.words)


def test_all_faults_come_together() -> None:
    with pytest.raises(InvalidInputError) as raised:
        outlet_design(open_hours=[-1, 2], capacity=[1, 2, 3], outlets_near=[1, -2])
    text = str(raised.value)
    for words in ("one number for each outlet", "open_hours holds negative", "outlets_near holds negative"):
        assert words in text
