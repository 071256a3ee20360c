"""Catch basins: what an inlet takes, what state a basin is in, and which to clean first.

The face of `models.inlets`, `models.basin_state`, `models.basin_choice`, `models.basin_inputs`,
`models.basin_benefit` and `models.basin_lists`.
"""

from models.basin_benefit import Benefits, benefit_curves
from models.basin_choice import (
    Choice,
    crew_stops,
    highest_first,
    line_first,
    prioritise,
)
from models.basin_inputs import (
    BasinStates,
    Evidence,
    basin_capacity,
    complaints_and_floods,
    gather_evidence,
    join_looks,
    join_reports,
    learn_states,
    rank_agreement,
)
from models.basin_lists import (
    BasinPlan,
    ListValue,
    compare_lists,
    limits_in_words,
    list_cost,
    lists_of_today,
    plan_list,
    records_score,
    single_score,
    vulnerability_weight,
    weighted,
)
from models.basin_state import (
    PRIORS,
    Estimate,
    Prior,
    Records,
    StateModel,
    basin_features,
    findings,
    fit_state,
)
from models.inlets import Capture, Gutter, Inlet, inlet_capture, sag_capacity

__all__ = (
    "PRIORS",
    "BasinPlan",
    "BasinStates",
    "Benefits",
    "Capture",
    "Choice",
    "Estimate",
    "Evidence",
    "Gutter",
    "Inlet",
    "ListValue",
    "Prior",
    "Records",
    "StateModel",
    "basin_capacity",
    "basin_features",
    "benefit_curves",
    "compare_lists",
    "complaints_and_floods",
    "crew_stops",
    "findings",
    "fit_state",
    "gather_evidence",
    "highest_first",
    "inlet_capture",
    "join_looks",
    "join_reports",
    "learn_states",
    "limits_in_words",
    "line_first",
    "list_cost",
    "lists_of_today",
    "plan_list",
    "prioritise",
    "rank_agreement",
    "records_score",
    "sag_capacity",
    "single_score",
    "vulnerability_weight",
    "weighted",
)
