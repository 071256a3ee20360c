"""On the demo's planted truth: what the plan spares against the lists a city makes today, at equal budget."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.city import City
from models.basin_benefit import benefit_curves
from models.basin_choice import line_first
from models.basin_lists import (
    COMPLAINTS,
    OLDEST,
    PLAN,
    RANDOM,
    SCORE,
    compare_lists,
    limits_in_words,
    lists_of_today,
    plan_list,
    single_score,
)
from models.flood import run_storm
from models.storm import INCH_MM, Pumping, Storm
from pages.parts.basins_ground import prepare_surface
from pages.parts.basins_inputs import learn, prepare_basins


@pytest.mark.slow
def test_the_plan_spares_more_than_the_lists_of_today(demo_city_dir: Path) -> None:
    """3,500 stops, a usual year's, before the 10-year storm. The plan knows chances, the value the truth."""
    city = City.open(demo_city_dir)
    inputs = prepare_basins(city)
    known, surface = learn(inputs), prepare_surface(inputs)
    assert surface is not None
    truth = pd.read_parquet(demo_city_dir / "truth" / "basins.parquet").set_index("basin_id")
    truth = truth.loc[inputs.basins["basin_id"]]
    states = known.states
    chance = states.chance["clogged"].mean
    # The chances are about right, in all and from the least to the most likely tenth.
    clogged = truth["clogged"].to_numpy(dtype=float)
    assert chance.mean() == pytest.approx(clogged.mean(), abs=0.04)
    tenth = np.argsort(np.argsort(chance)) * 10 // len(chance)
    assert np.all(np.diff(np.bincount(tenth, clogged) / np.bincount(tenth)) > 0)

    before, after = states.draws(12, seed=1)
    _, line = line_first(states.chance["line blocked"].mean)
    after[:, line] = before[:, line]
    allowed = np.ones(len(chance), dtype=bool)
    allowed[line] = False
    preset = surface.rules.storms[0]
    storm, pumping = Storm(preset.depth_in * INCH_MM, preset.duration_h * 60, preset.shape), Pumping()
    people = surface.reach.people
    benefits = benefit_curves(
        surface.ground, storm, pumping, open_share=before, open_if_cleaned=after, items=people
    )
    # Most of the harm is where the pumps already take all they can: that is said, and no list changes it.
    assert benefits.pumps_harm > 0.5 * benefits.harm
    assert "there cleaning gains nothing" in limits_in_words(benefits)
    flood = run_storm(surface.ground, storm, pumping, known.open_share)
    lists = {PLAN: plan_list(benefits, 3500, fill=chance, allowed=allowed).basins}
    lists |= lists_of_today(
        3500,
        days_since_cleaned=known.evidence.days_since_cleaned,
        reports=inputs.report_counts(),
        score=single_score(surface.ground, flood, chance, people),
        allowed=allowed,
    )
    rows = compare_lists(
        surface.ground,
        storm,
        pumping,
        lists,
        open_share=truth["open_share"].to_numpy(),
        open_if_cleaned=truth["open_if_cleaned"].to_numpy(),
        items=[people, surface.reach.shut],
    )
    times = {row.name: row.times for row in rows}
    for name in (OLDEST, COMPLAINTS, SCORE, RANDOM):
        assert times[name]["people"] > 1.5
        assert times[name]["streets"] > 1.5
