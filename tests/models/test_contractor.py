"""Planted false cleanings are found as far as records can tell them, and honest ones are left in peace."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, hypergeom

from data.city import City
from errors import InvalidInputError
from models.contractor import (
    REASONS,
    ContractorCheck,
    audit_sample,
    check_contractor,
    false_share,
)

EPSG = 32615
START = pd.Timestamp("2026-03-02 08:00", tz="America/Chicago")
CLOGGED = "Catch Basin Clogged"


def _basins(n: int) -> pd.DataFrame:
    """Basins 100 m apart on a line east."""
    return pd.DataFrame(
        {"basin_id": [f"B{k}" for k in range(n)], "lon": -90.07 + 0.001036 * np.arange(n), "lat": 29.95}
    )


def _work(n: int) -> pd.DataFrame:
    """One honest cleaning a basin, an hour apart."""
    basins = _basins(n)
    at = START + pd.to_timedelta(np.arange(n), unit="h")
    return pd.DataFrame(
        {
            "cleaning_id": [f"C{k}" for k in range(n)],
            "basin_id": basins["basin_id"],
            "crew": "Gang 1",
            "cleaned_at": at,
            "found": "clogged",
            "debris_kg": 200.0,
            "audited_at": pd.Series(pd.NaT, index=range(n), dtype="datetime64[us, America/Chicago]"),
            "audit_found": None,
            "lon": basins["lon"],
            "lat": basins["lat"] + 0.0001,
        }
    )


def _check(
    work: pd.DataFrame, requests: pd.DataFrame | None = None, orders: pd.DataFrame | None = None
) -> ContractorCheck:
    return check_contractor(work, _basins(20), requests, epsg=EPSG, types=[CLOGGED], orders=orders)


def _reasons(found: ContractorCheck) -> dict[str, list[str]]:
    rows = found.listed.to_dict("records")
    return {str(row["cleaning_id"]): [name for name in REASONS if row[name]] for row in rows}


def test_honest_work_is_left_in_peace() -> None:
    found = _check(_work(12))
    assert found.listed.empty
    assert found.crews["listed"].tolist() == [0]
    assert (found.audit.low, found.audit.high) == (0.0, 1.0)


def test_each_reason_is_found_and_said() -> None:
    work = _work(12)
    work.loc[[1], "lat"] += 0.01
    work.loc[[2], "cleaned_at"] = work["cleaned_at"].iloc[1] + pd.Timedelta(minutes=4)
    work.loc[3, "debris_kg"] = 1.0
    work.loc[[4, 5, 6], "audited_at"] = work["cleaned_at"] + pd.Timedelta(days=10)
    work.loc[[4, 5, 6], "audit_found"] = ["clogged", "clean", "car parked"]
    work.loc[[7], "audited_at"] = START + pd.Timedelta(days=90)
    work.loc[[7], "audit_found"] = "clogged"
    work.loc[8, ["lon", "lat"]] = np.nan
    requests = pd.DataFrame(
        {
            "request_type": [CLOGGED, CLOGGED, "Pothole", CLOGGED],
            "opened_at": START + pd.to_timedelta([20, 90, 20, -5], unit="D"),
            "lon": _basins(20)["lon"].iloc[[9, 10, 11, 0]].to_numpy(),
            "lat": 29.95,
        }
    )
    orders = pd.DataFrame({"basin_id": [f"B{k}" for k in range(11)]})
    found = _check(work, requests, orders)
    assert _reasons(found) == {
        "C1": ["away"],
        "C2": ["speed"],
        "C3": ["low debris"],
        "C4": ["audit"],
        "C9": ["reopened"],
        "C11": ["not ordered"],
    }
    assert found.listed["strong"].tolist() == [True] * 3 + [False] * 3
    said = found.listed.set_index("cleaning_id")["reasons"]
    assert said["C1"].startswith("the truck stood 3,6")
    assert said["C3"] == "found clogged, but hardly any debris; 441 lb are usual"
    assert (found.audit.false, found.audit.audited, found.audit.of) == (1, 2, 12)
    assert any("1 have no place of the truck" in note for note in found.notes)


def test_speed_says_nothing_of_a_crew_with_several_trucks() -> None:
    work = _work(12)
    work["cleaned_at"] = START + pd.to_timedelta(np.arange(12), unit="min")
    found = _check(work)
    assert found.listed.empty
    assert any("several trucks" in note for note in found.notes)
    # A date without a time says nothing of speed either.
    work["cleaned_at"] = START.normalize()
    assert not any("several trucks" in note for note in _check(work).notes)


def test_basins_nobody_knows_are_counted() -> None:
    work = _work(12)
    work.loc[0, "basin_id"] = "elsewhere"
    assert any(note.startswith("1 cleanings name a basin") for note in _check(work).notes)


@pytest.mark.parametrize(("of", "audited"), [(40, 10), (25, 25), (60, 5)])
def test_the_interval_covers_every_true_share_at_its_level(of: int, audited: int) -> None:
    """Exact: for each number of false ones, the chance of all samples whose interval holds it."""
    shares = {k: false_share(k, audited, of, level=0.9) for k in range(audited + 1)}
    for false in range(of + 1):
        can = range(max(0, audited - (of - false)), min(audited, false) + 1)
        covered = sum(
            hypergeom.pmf(k, of, false, audited)
            for k in can
            if shares[k].low * of - 1e-9 <= false <= shares[k].high * of + 1e-9
        )
        assert covered >= 0.9
    if audited == of:
        assert all((s.low, s.high) == (s.mean, s.mean) for s in shares.values())


def test_of_very_many_the_interval_is_clopper_and_pearsons() -> None:
    share = false_share(8, 150, 1_000_000, level=0.9)
    assert share.low == pytest.approx(beta.ppf(0.05, 8, 143), abs=1e-4)
    assert share.high == pytest.approx(beta.ppf(0.95, 9, 142), abs=1e-4)


def test_an_audit_is_drawn_with_the_same_chance_for_all() -> None:
    ids = [f"C{k}" for k in range(20)]
    assert audit_sample(ids, 5, seed=1) == audit_sample(ids, 5, seed=1)
    drawn = [name for seed in range(400) for name in audit_sample(ids, 5, seed=seed)]
    counts = pd.Series(drawn).value_counts().reindex(ids)
    # 400 draws of 5 from 20: 100 each, standard deviation 8.7.
    assert counts.between(60, 140).all()
    with pytest.raises(InvalidInputError, match=r"a cleaning stands twice[^|]*audit 1 to 2"):
        audit_sample(["a", "a"], 3, seed=0)
    with pytest.raises(InvalidInputError, match="do not fit together"):
        false_share(5, 3, 10)


def test_planted_false_cleanings_of_the_demo(demo_city_dir: Path) -> None:
    """Trucks that stood elsewhere are found; of basins left as they were few, for no paper tells them."""
    city = City.open(demo_city_dir)
    truth = pd.read_parquet(demo_city_dir / "truth" / "cleanings.parquet").set_index("cleaning_id")
    cleanings, requests = city.table("cleanings"), city.table("service_requests")

    def check(rows: pd.DataFrame) -> ContractorCheck:
        return check_contractor(
            rows,
            city.table("basins"),
            requests,
            epsg=city.network.epsg,
            types=sorted(requests["request_type"].unique()),
        )

    why = cleanings["cleaning_id"].map(truth["why"])
    found = check(cleanings)
    false = found.listed["cleaning_id"].map(truth["false"]).astype(bool)
    strong = found.listed["strong"]
    assert false[strong].mean() > 0.85
    assert false.mean() > 0.6
    assert false.sum() > 0.4 * why.notna().sum()
    elsewhere = cleanings["cleaning_id"][(why == "truck elsewhere") & cleanings["lon"].notna()]
    assert elsewhere.isin(found.listed["cleaning_id"][strong]).mean() > 0.95
    left = cleanings["cleaning_id"][why == "left as it was"]
    assert 0.05 < left.isin(found.listed["cleaning_id"]).mean() < 0.4

    honest = check(cleanings[why.isna()])
    # All strong ones there are audits that found a clean basin clogged, or one that had filled again.
    assert honest.listed["audit"].sum() == honest.listed["strong"].sum() < 0.005 * why.isna().sum()
    assert len(honest.listed) < 0.02 * why.isna().sum()
