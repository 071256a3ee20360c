import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.columns import convert, is_clockless
from data.schema_rules import Kind

ZONE = "America/Chicago"


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("number", ["1.5", "x", None, 2], [1.5, None, None, 2.0]),
        ("integer", [1.0, 1.5, "7", float("inf"), None], [1, None, 7, None, None]),
        ("maybe_integer", ["3", "three"], [3, None]),
        ("flag", ["true", "False", 1, 0, "maybe", None], [True, False, True, False, None, None]),
        ("text", [1, "a", None], ["1", "a", None]),
    ],
)
def test_value_that_does_not_fit_becomes_null_and_is_marked(
    kind: Kind, values: list[object], expected: list[object]
) -> None:
    given_values = pd.Series(values, dtype=object)
    converted, misfit = convert(given_values, kind, ZONE)
    assert [None if pd.isna(value) else value for value in converted] == expected
    wanted = [value is not None and want is None for value, want in zip(values, expected, strict=True)]
    assert misfit.tolist() == wanted


def test_times_need_a_zone_and_come_into_the_citys() -> None:
    texts = pd.Series(["2026-07-04T12:00:00Z", "2026-07-04 12:00", "2026-07-04T07:00:00-05:00", "soon", None])
    converted, misfit = convert(texts, "time", ZONE)
    assert converted[0] == converted[2] == pd.Timestamp("2026-07-04 07:00", tz=ZONE)
    assert misfit.tolist() == [False, True, False, True, False]
    assert str(converted.dtype) == f"datetime64[us, {ZONE}]"


def test_times_of_another_zone_are_the_same_instants() -> None:
    utc = pd.Series(pd.date_range("2026-03-08", periods=5, freq="h", tz="UTC"))
    converted, misfit = convert(utc, "time", ZONE)
    assert (converted == utc).all()
    assert not misfit.any()


def test_clockless_times_are_told_from_zoned_ones() -> None:
    plain = pd.Series(pd.to_datetime(["2026-01-01"]))
    assert is_clockless(plain)
    assert not is_clockless(plain.dt.tz_localize(ZONE))
    assert not is_clockless(pd.Series(["2026-01-01"]))


@given(st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62), st.floats(), st.text(max_size=5))))
def test_integers_are_never_rounded(values: list[object]) -> None:
    converted, misfit = convert(pd.Series(values, dtype=object), "integer", ZONE)
    for value, got, wrong in zip(values, converted, misfit, strict=True):
        if pd.isna(got):
            assert wrong == (value is not None and not (isinstance(value, float) and np.isnan(value)))
        else:
            assert not wrong
            assert float(str(value).strip() or "nan") == got
