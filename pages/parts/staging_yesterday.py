"""Can yesterday be reproduced: speeds fitted to the city's responses, and last month replayed with both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from data.fitted import AreaCheck, FittedSpeeds, SpeedCell, SpeedCheck, write_fitted
from errors import InvalidInputError
from geo.network import DEFAULT_SPEEDS_KPH, FALLBACK_CLASS
from geo.regions import assign_regions
from models.calibrate import AssumedSpeeds, Calibration, Errors, calibrate
from models.replay import Replay
from models.replay_inputs import month_inputs, replay_month
from models.scenario import Scenario
from models.trips import DrivenSpeeds, trips_from_tables
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.staging_fit_view import show_fit
from pages.parts.staging_inputs import StagingInputs
from pages.parts.staging_speeds import speeds_words

SEED = 20_251_122
NEEDED = ("unit_responses", "calls", "shifts", "hospitals")
FOLDS, DRAWS, REPLICATIONS = 3, 40, 4

EnRoute = Literal["network", "line"]
EN_ROUTE_WORDS: Mapping[EnRoute, str] = MappingProxyType(
    {"network": "from where it is", "line": "from the line home"}
)


@dataclass(frozen=True, eq=False)
class Yesterday:
    """What the past says of the assumed speeds, and of speeds fitted to it."""

    month: str
    period: str
    en_route: EnRoute
    left_out: int
    calibration: Calibration
    assumed: Replay
    fitted: Replay


def job_key(inputs: StagingInputs) -> str:
    """Name under which the session keeps the check of this city."""
    return f"staging.yesterday.{inputs.city.version}"


def warn_of_yesterday(inputs: StagingInputs, scenario: Scenario) -> None:
    """Say above every comparison under which speeds it holds, and whether they reproduce the past month."""
    words = f"Best under these speeds and calls: {speeds_words(inputs, scenario)}"
    if not all(inputs.city.has(table) for table in NEEDED):
        note(f"{words}; not checked against yesterday, for this city gives no unit responses.")
    elif inputs.fitted is None:
        note(f"{words}; not yet checked against a past month (Yesterday, in the view Simulate).")
    else:
        found = inputs.fitted.fitted
        check = found.assumed if inputs.fitted_at(scenario) is None else found.fitted
        if check.banner:
            said = (
                f"{check.misses} of {check.judged} figures miss" if check.misses else check.words.rstrip(".")
            )
            mend = "" if found.fitted.banner else ", or choose the fitted speeds"
            st.warning(
                f"{words}, which do not reproduce {found.replayed}: {said}. Read with care{mend}.",
                icon=":material/history:",
            )
        else:
            note(f"{words}, which reproduce {found.replayed}.")


def yesterday_view(inputs: StagingInputs) -> None:
    """Show the check of the past month, or start it."""
    lacking = [table for table in NEEDED if not inputs.city.has(table)]
    if lacking:
        st.info(inputs.city.missing(lacking[0]), icon=":material/upload_file:")
        return
    key = job_key(inputs)
    job: Job[FittedSpeeds] | None = st.session_state.get(key)
    if job is not None and job.running:
        st.button("Stop", on_click=job.stop, icon=":material/stop_circle:")
        watch_job(key, "Fitting speeds and replaying the month …")
        return
    if job is not None and job.error:
        st.warning(f"The check ended: {job.error}.")
    if inputs.fitted is not None:
        show_fit(inputs.fitted.fitted)
    elif inputs.fitted_fault:
        st.warning(f"{inputs.fitted_fault}.")
    left, right = st.columns([1.2, 1], vertical_alignment="bottom")
    rule: EnRoute = left.selectbox(
        "A unit driving home counts",
        tuple(EN_ROUTE_WORDS),
        index=list(EN_ROUTE_WORDS).index(usual_rule(inputs)),
        format_func=EN_ROUTE_WORDS.__getitem__,
        key="staging.en_route",
        help="From its place on the streets, or from the straight line between where it was freed and its "
        "post. Choose what your dispatch system did in that month: another rule sends other units, and the "
        "replay then misses whatever the speeds are.",
    )
    right.button(
        "Check last month",
        on_click=lambda: st.session_state.update(
            {key: Job(lambda step: keep_yesterday(inputs, step, en_route=rule))}
        ),
        icon=":material/history:",
        width="stretch",
        help="Fits speeds to the city's own responses, replays the last whole month as it was staffed, and "
        "keeps the fitted speeds for every window.",
    )


def usual_rule(inputs: StagingInputs) -> EnRoute:
    """Rule of the city's dispatch: that of the demo is known, others count where a unit is on its path."""
    return "line" if inputs.city.maker == "demo" else "network"


def keep_yesterday(
    inputs: StagingInputs, progress: Callable[[float], None], *, en_route: EnRoute
) -> FittedSpeeds:
    """Check the past and keep what was found in the city's cache."""
    found = to_keep(inputs, check_yesterday(inputs, progress, en_route=en_route))
    write_fitted(inputs.city, found)
    return found


def to_keep(inputs: StagingInputs, found: Yesterday) -> FittedSpeeds:
    """Give the small part of a check that other windows need."""
    fit = found.calibration
    bands = tuple(band.name for band in inputs.city.profile.hour_bands)
    names = inputs.regions["name"].astype(str).to_numpy()
    figures = ["road_class", "band", "siren", "kph", "low_kph", "high_kph", "assumed_kph", "driven_km"]
    table = fit.speeds[[*figures, "from_data"]].assign(band=np.array(bands)[fit.speeds["band"]])
    areas = fit.by_region.assign(name=names[fit.by_region["region"]]).rename(columns={"n": "drives"})
    columns = ["name", "drives", "observed_min", "predicted_min", "low_min", "high_min", "biased"]
    return FittedSpeeds(
        city_version=inputs.city.version,
        period=found.period,
        replayed=found.month,
        en_route=found.en_route,
        drives=fit.n,
        left_out=found.left_out,
        classes=fit.classes,
        bands=bands,
        cells=tuple(SpeedCell.model_validate(row) for row in table.to_dict("records")),
        access_s=fit.access_s.value,
        access_low_s=fit.access_s.low,
        access_high_s=fit.access_s.high,
        access_s_per_m=fit.access_s_per_m.value,
        drive_share=fit.drive_share,
        assumed=_speed_check(fit.assumed, found.assumed),
        fitted=_speed_check(fit.held_out, found.fitted),
        areas=tuple(
            AreaCheck.model_validate(
                {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in row.items()}
            )
            for row in areas[columns].to_dict("records")
        ),
    )


def _speed_check(errors: Errors, replay: Replay) -> SpeedCheck:
    return SpeedCheck(
        error_min=errors.mean_absolute_min,
        bias_min=errors.bias_min.value,
        bias_low_min=errors.bias_min.low,
        bias_high_min=errors.bias_min.high,
        misses=int(replay.figures["misses"].sum()),
        judged=int(replay.figures["judged"].sum()),
        banner=replay.banner,
        words=replay.words,
    )


def check_yesterday(
    inputs: StagingInputs, progress: Callable[[float], None], *, en_route: EnRoute
) -> Yesterday:
    """Fit speeds to all responses, then replay the last whole month with assumed and with fitted speeds.

    Parameters
    ----------
    en_route
        Where the city's dispatch takes a unit on its way home to be; see `models.dispatch.simulate`.

    Raises
    ------
    InvalidInputError
        If the responses hold no whole month, or too little to fit.
    """
    city, network = inputs.city, inputs.network
    calls = city.table("calls")
    calls = calls[calls["agency"].isin(city.profile.medical_agencies)]
    responses, posts = city.table("unit_responses"), inputs.posts
    region = assign_regions(calls["lon"], calls["lat"], inputs.regions.geometry.to_numpy())
    bands = city.profile.hour_bands
    band_of_hour = inputs.band_of_hour
    assumed = _assumed(inputs, np.array([band.factor for band in bands]))
    progress(0.02)
    selection = trips_from_tables(
        responses, calls, posts, network, band_of_hour=band_of_hour, region_of_call=region
    )
    calibration = calibrate(
        network,
        selection.trips,
        assumed,
        seed=SEED,
        n_bootstrap=DRAWS,
        folds=FOLDS,
        progress=lambda _, share: progress(0.05 + 0.55 * share),
    )
    start, end = _last_whole_month(responses["assigned_at"])
    replays = []
    for done, speeds in enumerate((_driven(assumed), calibration.driven)):
        month = month_inputs(
            responses,
            calls,
            posts,
            city.table("hospitals"),
            city.table("shifts"),
            network=network,
            speeds=speeds,
            band_of_hour=band_of_hour,
            start=start,
            end=end,
            region_of_call=region,
        )
        replays.append(
            replay_month(
                month,
                region_names=inputs.regions["name"].astype(str).tolist(),
                seed=SEED,
                drive_share=calibration.drive_share,
                replications=REPLICATIONS,
                target_min=inputs.conditions(Scenario(inputs.city.slug)).target_from_call_min,
                en_route=en_route,
            )
        )
        progress(0.8 + 0.2 * done)
    driven_at = responses["enroute_at"].iloc[selection.row]
    return Yesterday(
        f"{start:%B %Y}",
        _months(driven_at.min(), driven_at.max()),
        en_route,
        sum(selection.left_out.values()) + calibration.unreachable,
        calibration,
        replays[0],
        replays[1],
    )


def _assumed(inputs: StagingInputs, band_factor: np.ndarray) -> AssumedSpeeds:
    profile = inputs.city.profile
    speeds = {**DEFAULT_SPEEDS_KPH, **profile.speeds}
    kph = [speeds.get(name, speeds[FALLBACK_CLASS]) for name in inputs.network.classes]
    return AssumedSpeeds(
        kph=np.array(kph),
        band_factor=band_factor,
        siren_factor=profile.siren_factor,
        access_kph=profile.access_kph,
    )


def _driven(assumed: AssumedSpeeds) -> DrivenSpeeds:
    siren = np.array([1.0, assumed.siren_factor])
    kph = assumed.kph[:, None, None] * assumed.band_factor[None, :, None] * siren
    return DrivenSpeeds(kph, 0.0, 3.6 / assumed.access_kph)


def _months(first: pd.Timestamp, last: pd.Timestamp) -> str:
    """Say a period in months: "May 2025", "January to December 2025", "May 2024 to April 2025"."""
    end = f"{last:%B %Y}"
    start = f"{first:%B}" if first.year == last.year else f"{first:%B %Y}"
    return end if f"{first:%B %Y}" == end else f"{start} to {end}"


def _last_whole_month(times: pd.Series) -> tuple[pd.Timestamp, pd.Timestamp]:
    last = times.max()
    next_month = last.normalize().replace(day=1) + pd.DateOffset(months=1)
    end = next_month if last >= next_month - pd.Timedelta(hours=1) else next_month - pd.DateOffset(months=1)
    start = end - pd.DateOffset(months=1)
    if start < times.min():
        raise InvalidInputError("The unit responses do not hold one whole month")
    return start, end
