"""Fitted speeds that tests write into a city's cache."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.city import City
from data.fitted import AreaCheck, FittedSpeeds, SpeedCell, SpeedCheck

CHECK = SpeedCheck(
    error_min=0.6,
    bias_min=0.0,
    bias_low_min=-0.1,
    bias_high_min=0.1,
    misses=0,
    judged=40,
    banner=False,
    words="The replay agrees with what was observed.",
)
BAD_CHECK = CHECK.model_copy(
    update={"misses": 9, "banner": True, "words": "The simulation misses Old Aurora."}
)


def fitted_speeds(
    city: City, kph: npt.NDArray[np.float64], *, access_s: float = 30.0, km: float = 100.0
) -> FittedSpeeds:
    """Speeds (n_classes, n_bands, 2) as if they had been fitted, with intervals of 2 % either way."""
    classes = city.network.classes
    bands = tuple(band.name for band in city.profile.hour_bands)
    places = np.ndindex(len(classes), len(bands), 2)
    return FittedSpeeds(
        city_version=city.version,
        period="January to December 2025",
        replayed="December 2025",
        en_route="line",
        drives=4200,
        left_out=17,
        classes=classes,
        bands=bands,
        cells=tuple(
            SpeedCell(
                road_class=classes[c],
                band=bands[b],
                siren=bool(s),
                kph=float(kph[c, b, s]),
                low_kph=0.98 * float(kph[c, b, s]),
                high_kph=1.02 * float(kph[c, b, s]),
                assumed_kph=40.0,
                driven_km=km,
                from_data=0.9,
            )
            for c, b, s in places
        ),
        access_s=access_s,
        access_low_s=access_s - 1,
        access_high_s=access_s + 1,
        access_s_per_m=0.24,
        drive_share=0.14,
        assumed=BAD_CHECK,
        fitted=CHECK,
        areas=(
            AreaCheck(
                name="Uptown",
                drives=80,
                observed_min=6.0,
                predicted_min=6.1,
                low_min=-0.1,
                high_min=0.3,
                biased=False,
            ),
            AreaCheck(
                name="Downtown",
                drives=3,
                observed_min=5.0,
                predicted_min=4.0,
                low_min=None,
                high_min=None,
                biased=False,
            ),
        ),
    )


def planted_kph(city: City) -> npt.NDArray[np.float64]:
    """(n_classes, n_bands, 2) speeds that the demo's ambulances were made to drive at."""
    truth = pd.read_parquet(city.path / "truth" / "speeds.parquet")
    bands = [band.name for band in city.profile.hour_bands]
    kph = truth.set_index(["road_class", "hour_band", "siren"])["speed_kph"]
    return np.array(
        [
            [[kph[name, band, siren] for siren in (False, True)] for band in bands]
            for name in city.network.classes
        ]
    )
