"""The simulator against a slow plain reference, call by call, and against what must hold of any run."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings

from models.dispatch import Simulation, next_places, simulate, thin_minutes
from tests.models.dispatch_cases import Case, cases
from tests.models.dispatch_reference import Reference

MINUTES = {
    "assigned_min": "assigned",
    "enroute_min": "enroute",
    "on_scene_min": "on_scene",
    "leave_min": "leave",
    "at_hospital_min": "at_hospital",
    "available_min": "available",
}


def _simulate(case: Case) -> Simulation:
    return simulate(
        case.calls, case.units, case.places, case.travel_min, case.hospitals, **case.rules
    )


def _compare(case: Case, found: Simulation, reference: Reference) -> None:
    names = sorted(case.units["unit_id"].unique())
    for call in reference.calls:
        row: dict[str, Any] = found.calls.iloc[call.row].to_dict()
        assert row["free_units"] == call.free_units
        assert row["turned_away"] == len(call.turned)
        if call.answer is None:
            assert row["status"] != "served"
            assert pd.isna(row["unit_id"])
            assert np.isnan([row[name] for name in MINUTES]).all()
            continue
        answer = call.answer
        assert row["status"] == "served"
        assert (row["unit_id"], row["how"], row["from_place"], row["hospital"]) == (
            names[answer.unit],
            answer.how,
            answer.from_place,
            answer.hospital,
        )
        for column, name in MINUTES.items():
            assert row[column] == pytest.approx(getattr(answer, name), rel=1e-12, abs=1e-9, nan_ok=True)
        event(f"{answer.how}, {case.rules['en_route']}")
        if answer.assigned > call.ready:
            event("waited")
    assert found.units["moves"].tolist() == [unit.moves for unit in reference.units]
    turned = sorted((call.row, names[u], a, t) for call in reference.calls for u, a, t in call.turned)
    listed = sorted(found.turned_away.itertuples(index=False, name=None))
    assert len(turned) == len(listed)
    for mine, theirs in zip(listed, turned, strict=True):
        assert mine[:2] == theirs[:2]
        assert mine[2:] == pytest.approx(theirs[2:])
    if turned:
        event("turned away")


@given(cases())
@settings(max_examples=400, deadline=None)
def test_agrees_with_the_reference_call_by_call(case: Case) -> None:
    reference = case.reference()
    reference.run()
    _compare(case, _simulate(case), reference)


@pytest.mark.slow
@given(cases())
@settings(max_examples=8000, deadline=None)
def test_agrees_with_the_reference_on_many_traces(case: Case) -> None:
    reference = case.reference()
    reference.run()
    _compare(case, _simulate(case), reference)
