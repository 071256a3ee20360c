"""Two years of the demo's catch basins: they fill, people report, crews come or say so, inspectors look."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.demo.drainage_basins import DAYS_A_YEAR, Basins, IntArray, ObjectArray, Planted, last_campaign
from data.demo.drainage_crews import NOT_DONE, Crews, audit
from data.demo.drainage_filling import Filling
from data.demo.drainage_rain import DAYS, first_day, local_times, storms
from data.demo.facts_io import FloatArray, degrees, evenly, read_toml
from data.demo.places import Neighborhoods

MONTHS = 24
USUAL_INCOME = 45_000
USUAL_STORM_MM = 25.0


@dataclass(frozen=True, eq=False)
class History:
    """The tables, and what is true.

    Attributes
    ----------
    basins, cleanings, requests
        Clean rows of the tables ``basins``, ``cleanings`` and ``service_requests``.
    truth
        ``basins``, ``cleanings``, ``requests`` and ``reporting``: what was planted.
    """

    basins: pd.DataFrame
    cleanings: pd.DataFrame
    requests: pd.DataFrame
    truth: dict[str, pd.DataFrame]


def keep_records(
    basins: Basins, planted: Planted, *, hoods: Neighborhoods, timezone: str, rng: np.random.Generator
) -> History:
    """Let two years pass, month by month.

    Parameters
    ----------
    basins, planted
        Where they stand, and what is true of them.
    hoods
        Incomes decide how readily people report.
    timezone
        The city's time zone.
    rng
        Draws everything.
    """
    asks = read_toml("drainage")["requests"]
    years_ago, on_record = last_campaign(basins, rng)
    campaign_day = np.floor(-years_ago * DAYS_A_YEAR) + 0.5
    filling = Filling(planted, campaign_day)
    rate = asks["usual_a_year"] * (hoods.income / USUAL_INCOME) ** asks["income"]
    rate = rate * np.exp(rng.normal(0, asks["sd"], len(rate)))
    crews = Crews(basins, filling, rng)
    asked = pd.DataFrame(
        {"day": [], "basin": np.array([], dtype=np.int64), "storm": np.array([], dtype=bool)}
    )
    worked = []
    for month in range(MONTHS):
        begin, end = (_month_begins(number) for number in (month, month + 1))
        worked.append(crews.month(asked, begin, end))
        again = crews.reported_again(worked[-1]).assign(storm=False)
        asked = pd.concat(
            [asked, _requests(basins, filling, rate, begin=begin, end=end, rng=rng), again], ignore_index=True
        )
    work = pd.concat(worked, ignore_index=True).sort_values("day", kind="stable", ignore_index=True)
    asked = asked.loc[asked["day"] < DAYS].sort_values("day", kind="stable", ignore_index=True)
    work["audited_day"], work["audit_found"] = audit(work, filling, rng)
    looks = _looks(basins, filling, asked, rng)

    ids = np.array([f"CB{number:05d}" for number in range(1, len(basins) + 1)], dtype=object)
    cleaning_ids = np.array([f"CL{number:05d}" for number in range(1, len(work) + 1)], dtype=object)
    request_ids = np.array([f"SR{number:06d}" for number in range(1, len(asked) + 1)], dtype=object)
    recorded = _recorded(campaign_day, on_record, work)
    return History(
        basins=_basins_table(basins, ids, recorded, looks, timezone),
        cleanings=_cleanings_table(work, ids, cleaning_ids, timezone),
        requests=_requests_table(asked, work, basins, filling, request_ids, timezone=timezone, rng=rng),
        truth={
            "basins": _basins_truth(filling, ids),
            "cleanings": pd.DataFrame(
                {"cleaning_id": cleaning_ids, "false": work["why"].notna(), "why": work["why"]}
            ),
            "requests": pd.DataFrame({"request_id": request_ids, "basin_id": ids[asked["basin"]]}),
            "reporting": pd.DataFrame({"neighborhood": hoods.name, "rate": np.round(rate, 5)}),
        },
    )


def _month_begins(number: int) -> int:
    first = first_day()
    return int(((first.astype("datetime64[M]") + number).astype("datetime64[D]") - first).astype(int))


def _requests(
    basins: Basins, filling: Filling, rate: FloatArray, *, begin: int, end: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw a month's requests, ``day, basin, storm``: Poisson, by neighborhood, state and storms."""
    facts = read_toml("drainage")["requests"]
    every, state = np.arange(len(basins)), filling.planted
    times = np.where(state.broken, facts["times"]["broken"], 1.0)
    times = np.where(filling.clogged(every, begin), facts["times"]["clogged"], times)
    times = np.where(state.line_blocked, facts["times"]["line_blocked"], times)
    usual = rate[basins.hood] * times
    count = rng.poisson(usual * (end - begin) / DAYS_A_YEAR)
    basin = np.repeat(every, count)
    hours = evenly(facts["office_hours"], len(basin), rng)
    parts = [
        pd.DataFrame(
            {"day": rng.integers(begin, end, len(basin)) + hours / 24, "basin": basin, "storm": False}
        )
    ]
    wet = facts["storm"]
    for storm in storms():
        if not begin <= storm.begins_day < end:
            continue
        low = wet["dry"] + wet["hollow_a_m"] * np.clip(basins.hollow_m, 0, 1)
        pull = wet["years"] * (storm.depth_mm(basins.xy) / USUAL_STORM_MM) ** wet["power"]
        basin = np.repeat(every, rng.poisson(usual * pull * low))
        # Most call on the first day.
        late = rng.beta(1.0, 2.5, len(basin)) * wet["hours"] / 24
        parts.append(pd.DataFrame({"day": storm.begins_day + late, "basin": basin, "storm": True}))
    return pd.concat(parts, ignore_index=True)


def _looks(
    basins: Basins, filling: Filling, asked: pd.DataFrame, rng: np.random.Generator
) -> tuple[FloatArray, ObjectArray]:
    """Day of the last look at each basin or NaN, and what was found or None.

    Three kinds: a random sample, a round through the neighborhoods with most complaints a basin, and looks
    after requests; so that those looked at are no fair sample.
    """
    facts = read_toml("drainage")["looks"]
    sample = facts["sample"]
    some = rng.choice(len(basins), size=sample["count"], replace=False)
    tour = facts["round"]
    per_hood = np.bincount(basins.hood)
    before = asked.loc[asked["day"] < tour["day"], "basin"].to_numpy()
    complaints = np.bincount(basins.hood[before], minlength=len(per_hood)) / np.maximum(per_hood, 1)
    worst = np.argsort(-complaints, kind="stable")[: tour["hoods"]]
    there = np.flatnonzero(np.isin(basins.hood, worst))
    round_trip = rng.choice(there, size=min(tour["count"], len(there)), replace=False)
    follow = asked.loc[rng.random(len(asked)) < facts["after_request"]]
    basin = np.concatenate([some, round_trip, follow["basin"].to_numpy()])
    day = np.concatenate(
        [
            sample["day"] + rng.integers(0, sample["days"], len(some)) + rng.uniform(0.33, 0.7, len(some)),
            tour["day"]
            + rng.integers(0, tour["days"], len(round_trip))
            + rng.uniform(0.33, 0.7, len(round_trip)),
            np.floor(follow["day"])
            + rng.integers(1, facts["within_days"], len(follow))
            + rng.uniform(0.33, 0.7, len(follow)),
        ]
    )
    kept = day < DAYS
    basin, day = basin[kept], day[kept]
    seen = filling.look(basin, day, rng)
    order = np.argsort(day, kind="stable")
    looked, condition = np.full(len(basins), np.nan), np.full(len(basins), None, dtype=object)
    # Where a basin was looked at twice, the later look is written last.
    looked[basin[order]], condition[basin[order]] = day[order], seen[order]
    return looked, condition


def _recorded(campaign_day: FloatArray, on_record: npt.NDArray[np.bool_], work: pd.DataFrame) -> FloatArray:
    """Day of the last cleaning that the record knows, true or not; NaN where it knows none."""
    began = read_toml("drainage")["before"]["recorded_since"]
    since = float((np.datetime64(f"{began}-01-01") - first_day()).astype(int))
    day = np.where(on_record & (campaign_day >= since), campaign_day, np.nan)
    said = work.loc[~work["found"].isin(NOT_DONE)]
    day[said["basin"].to_numpy()] = said["day"].to_numpy()
    return np.asarray(day)


def _basins_table(
    basins: Basins,
    ids: ObjectArray,
    recorded: FloatArray,
    looks: tuple[FloatArray, ObjectArray],
    timezone: str,
) -> pd.DataFrame:
    lonlat = degrees(basins.xy).round(6)
    looked, condition = looks
    return pd.DataFrame(
        {
            "basin_id": ids,
            "kind": basins.kind,
            "placed": "survey",
            "street": basins.street,
            "land_use": basins.land_use,
            "tree_share": basins.trees,
            "last_cleaned_at": local_times(recorded, timezone),
            "inspected_at": local_times(looked, timezone),
            "condition": condition,
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )


def _cleanings_table(
    work: pd.DataFrame, ids: ObjectArray, cleaning_ids: ObjectArray, timezone: str
) -> pd.DataFrame:
    known = work["x"].notna().to_numpy()
    lonlat = np.full((len(work), 2), np.nan)
    lonlat[known] = degrees(work.loc[known, ["x", "y"]].to_numpy()).round(6)
    return pd.DataFrame(
        {
            "cleaning_id": cleaning_ids,
            "basin_id": ids[work["basin"]],
            "crew": work["gang"],
            "cleaned_at": local_times(work["day"].to_numpy(), timezone),
            "found": work["found"],
            "debris_kg": work["debris_kg"],
            "audited_at": local_times(work["audited_day"].to_numpy(), timezone),
            "audit_found": work["audit_found"],
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )


def _requests_table(
    asked: pd.DataFrame,
    work: pd.DataFrame,
    basins: Basins,
    filling: Filling,
    request_ids: ObjectArray,
    *,
    timezone: str,
    rng: np.random.Generator,
) -> pd.DataFrame:
    facts = read_toml("drainage")["requests"]
    basin, day = asked["basin"].to_numpy(), asked["day"].to_numpy()
    lonlat = degrees(_reported_places(basins.xy[basin], rng)).round(6)
    middle, spread = facts["days_to_close"]
    closed = day + middle * np.exp(rng.normal(0, spread, len(day)))
    visited = _next_visit(basin, day, work)
    closed = np.where(visited <= closed, visited, closed)
    is_closed = closed < DAYS
    return pd.DataFrame(
        {
            "request_id": request_ids,
            "request_type": _types(filling, basin, day, asked["storm"].to_numpy(dtype=bool), rng),
            "opened_at": local_times(day, timezone),
            "closed_at": local_times(np.where(is_closed, closed, np.nan), timezone),
            "status": np.where(is_closed, "Closed", "Open"),
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )


def _types(
    filling: Filling,
    basin: IntArray,
    day: FloatArray,
    storm: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> ObjectArray:
    """(n,) what the request is called, by what is wrong; in a storm many just say that the street floods."""
    facts = read_toml("drainage")["requests"]
    blocked, clogged = filling.planted.line_blocked[basin], filling.clogged(basin, day)
    share = np.where(clogged[:, None], facts["called"]["clogged"], facts["called"]["other"])
    share = np.where(blocked[:, None], facts["called"]["line_blocked"], share)
    which = (rng.random(len(basin))[:, None] >= np.cumsum(share, axis=1)[:, :2]).sum(axis=1)
    which[storm & (rng.random(len(basin)) < facts["called"]["storm"])] = 2
    return np.asarray(np.array(facts["types"], dtype=object)[which])


def _reported_places(xy: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(n, 2) where requests are put: beside the basin, or at a house some way off."""
    facts = read_toml("drainage")["requests"]
    count = len(xy)
    near = np.abs(rng.normal(0, facts["off_m"]["near"], count))
    house = evenly(facts["off_m"]["house"], count, rng)
    off = np.where(rng.random(count) < facts["at_basin"], near, house)
    turn = rng.uniform(0, 2 * np.pi, count)
    return np.asarray(xy + off[:, None] * np.column_stack([np.cos(turn), np.sin(turn)]))


def _next_visit(basin: IntArray, day: FloatArray, work: pd.DataFrame) -> FloatArray:
    """(n,) the day on which a crew next came to each basin after a day; infinite where none did."""
    span = 10.0 * DAYS
    visits = np.sort(work["basin"].to_numpy() * span + work["day"].to_numpy())
    at = np.searchsorted(visits, basin * span + day)
    following = np.append(visits, np.inf)[at] - basin * span
    return np.asarray(np.where(following < span, following, np.inf))


def _basins_truth(filling: Filling, ids: ObjectArray) -> pd.DataFrame:
    """Tell what is true when the records end."""
    planted, every = filling.planted, np.arange(len(ids))
    share = filling.share(every, DAYS)
    facts: dict[str, Any] = read_toml("drainage")["filling"]
    passes = np.where(planted.broken, facts["broken"]["passes"], 1.0)
    passes = np.where(planted.line_blocked | planted.buried, 0.0, passes)
    return pd.DataFrame(
        {
            "basin_id": ids,
            "clogged_share": np.round(share, 3),
            "clogged": filling.clogged(every, DAYS),
            "broken": planted.broken,
            "line_blocked": planted.line_blocked,
            "buried": planted.buried,
            "cluster": planted.cluster,
            "open_share": np.round((1 - share) * passes, 3),
            "open_if_cleaned": passes,
            "load_a_year": np.round(planted.rate, 4),
            "years_since_cleaned": np.round((DAYS - filling.since(every, DAYS)) / DAYS_A_YEAR, 3),
        }
    )
