"""Can yesterday be reproduced: speeds fitted to the city's responses, and last month replayed with both."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from errors import InvalidInputError
from geo.network import DEFAULT_SPEEDS_KPH, FALLBACK_CLASS
from geo.regions import assign_regions
from models.calibrate import AssumedSpeeds, Calibration, calibrate
from models.replay import Replay
from models.replay_inputs import month_inputs, replay_month
from models.trips import DrivenSpeeds, trips_from_tables
from pages.parts.job import Job
from pages.parts.job_view import watch_job
from pages.parts.notes import note
from pages.parts.staging_inputs import StagingInputs

SEED = 20_251_122
NEEDED = ("unit_responses", "calls", "shifts", "hospitals")
FOLDS, DRAWS, REPLICATIONS = 3, 40, 4


@dataclass(frozen=True, eq=False)
class Yesterday:
    """What the past says of the assumed speeds, and of speeds fitted to it."""

    month: str
    calibration: Calibration
    assumed: Replay
    fitted: Replay


def job_key(inputs: StagingInputs) -> str:
    """Name under which the session keeps the check of this city."""
    return f"staging.yesterday.{inputs.city.version}"


def warn_of_yesterday(inputs: StagingInputs) -> None:
    """Say above every comparison whether the past month was reproduced."""
    if not all(inputs.city.has(table) for table in NEEDED):
        note(
            "Not checked against yesterday: this city gives no unit responses. Speeds and times are assumed."
        )
        return
    job: Job[Yesterday] | None = st.session_state.get(job_key(inputs))
    if job is None or job.result is None:
        note("Not yet checked against a past month: see Yesterday in the view Simulate.")
    elif job.result.assumed.banner:
        st.warning(job.result.assumed.words, icon=":material/history:")


def yesterday_view(inputs: StagingInputs) -> None:
    """Show the check of the past month, or start it."""
    lacking = [table for table in NEEDED if not inputs.city.has(table)]
    if lacking:
        st.info(inputs.city.missing(lacking[0]), icon=":material/upload_file:")
        return
    key = job_key(inputs)
    job: Job[Yesterday] | None = st.session_state.get(key)
    if job is not None and job.running:
        st.button("Stop", on_click=job.stop, icon=":material/stop_circle:")
        watch_job(key, "Fitting speeds and replaying the month …")
        return
    st.button(
        "Check against last month",
        on_click=lambda: st.session_state.update({key: Job(lambda step: check_yesterday(inputs, step))}),
        icon=":material/history:",
        help="Fits speeds to the city's own responses, then replays the last whole month as it was staffed.",
    )
    if job is not None and job.error:
        st.warning(f"The check ended: {job.error}.")
    elif job is not None and job.result is not None:
        _show(job.result)


def check_yesterday(inputs: StagingInputs, progress: Callable[[float], None]) -> Yesterday:
    """Fit speeds to all responses, then replay the last whole month with assumed and with fitted speeds.

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
    band_of_hour = np.zeros(168, dtype=np.int64)
    for at, band in enumerate(bands):
        band_of_hour[list(band.hours_of_week)] = at
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
                target_min=inputs.default_target_min,
            )
        )
        progress(0.8 + 0.2 * done)
    return Yesterday(f"{start:%B %Y}", calibration, replays[0], replays[1])


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


def _last_whole_month(times: pd.Series) -> tuple[pd.Timestamp, pd.Timestamp]:
    last = times.max()
    next_month = last.normalize().replace(day=1) + pd.DateOffset(months=1)
    end = next_month if last >= next_month - pd.Timedelta(hours=1) else next_month - pd.DateOffset(months=1)
    start = end - pd.DateOffset(months=1)
    if start < times.min():
        raise InvalidInputError("The unit responses do not hold one whole month")
    return start, end


def _show(found: Yesterday) -> None:
    fit, before = found.calibration.held_out, found.calibration.assumed
    st.dataframe(
        pd.DataFrame(
            [
                (
                    label,
                    f"{errors.mean_absolute_min:.2f} min",
                    f"{60 * errors.bias_min.value:+.0f} s",
                    f"{replay.figures['misses'].sum()} of {replay.figures['judged'].sum()}",
                )
                for label, errors, replay in (
                    ("Assumed", before, found.assumed),
                    ("Fitted", fit, found.fitted),
                )
            ],
            columns=["speeds", "miss", "bias", "misses"],
        ),
        hide_index=True,
        column_config={
            "speeds": st.column_config.TextColumn("Speeds", width=72),
            "miss": st.column_config.TextColumn("Drive error", width=84, help="Mean, on weeks held out."),
            "bias": st.column_config.TextColumn("Bias", width=58, help="Predicted less observed."),
            "misses": st.column_config.TextColumn(
                "Replay misses", width=98, help="By hour and neighborhood."
            ),
        },
    )
    note(f"{found.month}, {fit.n:,} drives. With assumed speeds: {found.assumed.words}")
    note(f"With fitted speeds: {found.fitted.words}")
