"""Speeds that the city's own ambulances drove: by road class, hour band and siren, with how sure they are.

Only the ends of a drive are recorded, not its path. So paths and speeds are found in turn: the fastest paths
under the present speeds give metres by road class for each trip; `models.speed_fit` fits speeds to them; the
new speeds give new paths, until both stay.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from errors import Faults, InvalidInputError
from geo.network import RoadNetwork
from geo.paths import fastest_path_metres
from models.coverage import CONFIDENCE, Estimate
from models.speed_fit import N_ACCESS, Cells, Moments, Spread, solve, trip_weights
from models.trips import DrivenSpeeds, Trips

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]

KPH = 3.6
STAMP_S = 10.0
"""Standard deviation of what does not grow with a drive: pressing a button, finding a door."""
ROUNDS = 12
SETTLED = 0.002
"""Paths and speeds are settled when 99 % of the fitted times change by less than this share."""
WEIGHT_ROUNDS = 3
N_BOOTSTRAP = 200
FOLDS = 4
LEAST_TRIPS = 200
LEAST_WEEKS = 2
FROM_DATA = 0.5
"""A cell is called tied to its prior where the trips take away less than this share of its prior variance."""
LEAST_REGION_DAYS = 10


@dataclass(frozen=True, eq=False)
class AssumedSpeeds:
    """What is believed before the trips are seen.

    Attributes
    ----------
    kph
        (n_classes,) for each of the network's classes, without siren, at a band factor of 1.
    band_factor
        (n_bands,) multiplies speeds in each hour band.
    siren_factor
        Multiplies speeds with siren.
    access_s
        Seconds from the last street corner to the patient that do not depend on distance.
    access_kph
        Speed from the last corner to the door, in a straight line.
    spread
        How far the truth may lie from these.
    """

    kph: FloatArray
    band_factor: FloatArray
    siren_factor: float
    access_s: float = 20.0
    access_kph: float = 15.0
    spread: Spread = field(default_factory=Spread)

    def theta(self) -> FloatArray:
        """(n_parameters,) logarithms of the two access figures and of seconds a metre by cell."""
        siren = np.array([1.0, self.siren_factor])
        kph = self.kph[:, None, None] * np.asarray(self.band_factor)[None, :, None] * siren
        logarithms: FloatArray = np.log(
            np.concatenate([[self.access_s, KPH / self.access_kph], KPH / kph.ravel()])
        )
        return logarithms


@dataclass(frozen=True, eq=False)
class Errors:
    """How far predicted drives lie from observed ones.

    Attributes
    ----------
    n
        Trips predicted.
    mean_absolute_min, root_mean_square_min
        Size of the misses, in minutes.
    median_share
        Half of the misses are smaller than this share of the observed drive.
    bias_min
        Predicted less observed, with its interval over weeks.
    explained
        Share of the variance of observed times that the prediction explains; below zero it is worse than
        their mean.
    """

    n: int
    mean_absolute_min: float
    root_mean_square_min: float
    median_share: float
    bias_min: Estimate
    explained: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """Fitted speeds and how well they predict.

    Attributes
    ----------
    classes
        Road classes, in the order of the network.
    speeds
        One row a class, band index and siren: ``road_class, band, siren, kph, low_kph, high_kph, assumed_kph,
        driven_km, trips, from_data``; ``from_data`` is the share of the prior's variance that the trips took
        away, and ``tied_to_prior`` is True where that is less than half.
    access_s, access_s_per_m
        Seconds from the last corner to the patient: a constant, and more for each metre of straight line.
    drive_share
        Standard deviation of a drive around its prediction, as a share of it.
    held_out, assumed
        Errors on weeks that took no part in the fit, and of the assumed speeds on the same trips.
    by_region
        One row a neighborhood index with trips: ``region, n, observed_min, predicted_min, bias_min, low_min,
        high_min, biased``, predicted while its week was held out. ``biased`` holds after allowing for the
        number of neighborhoods asked (Bonferroni); areas with calls on fewer than ten days have no interval.
    n, unreachable
        Trips that were fitted, and trips left out because no path joins their ends.
    rounds, settled
        How often paths and speeds were found in turn, and whether they stayed in the end.
    """

    classes: tuple[str, ...]
    speeds: pd.DataFrame
    access_s: Estimate
    access_s_per_m: Estimate
    drive_share: float
    held_out: Errors
    assumed: Errors
    by_region: pd.DataFrame
    n: int
    unreachable: int
    rounds: int
    settled: bool

    @property
    def driven(self) -> DrivenSpeeds:
        """The fitted speeds, as other models take them."""
        kph = self.speeds["kph"].to_numpy(dtype=float).reshape(len(self.classes), -1, 2)
        return DrivenSpeeds(kph, self.access_s.value, self.access_s_per_m.value)

    def speed_factor(self, network: RoadNetwork, band: int, *, siren: bool) -> FloatArray:
        """(n_edges,) what `geo.travel_time` multiplies the network's own speeds by to drive at these."""
        if network.classes != self.classes:
            raise InvalidInputError("The network has other road classes than the one that was calibrated")
        if not 0 <= band < self.driven.kph.shape[1]:
            raise InvalidInputError(f"There is no hour band {band} in this calibration")
        return self.driven.factor(network, band, siren=siren)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One fit: parameters, the metres of the last paths, and what the bootstrap needs."""

    theta: FloatArray
    metres: FloatArray
    weight: FloatArray
    drive_share: float
    rounds: int
    settled: bool


def calibrate(
    network: RoadNetwork,
    trips: Trips,
    assumed: AssumedSpeeds,
    *,
    seed: int = 0,
    n_bootstrap: int = N_BOOTSTRAP,
    folds: int = FOLDS,
    progress: Progress | None = None,
) -> Calibration:
    """Fit speeds to drives whose two ends are known.

    Parameters
    ----------
    network
        The road network. All edges of one class are given one speed; posted limits play no part.
    trips
        The drives.
    assumed
        Prior speeds, for ``network.classes`` and for each band that occurs in ``trips``.
    seed
        Of the bootstrap: days are drawn anew, and the prior's mean from its own spread, so that a class
        nobody drove keeps the width of its prior. Paths are held: intervals are a little too narrow.
    n_bootstrap
        Draws.
    folds
        Weeks are dealt to this many parts; each is predicted by a fit to the others, paths and all.
    progress
        Told what is being done and the share that is done.

    Raises
    ------
    InvalidInputError
        With every fault: too few trips or weeks, bands without a prior, speeds not above zero.
    """
    _check(network, trips, assumed, n_bootstrap, folds)
    tell = progress or _silent
    prior = _Prior.of(network, assumed)
    tell("Finding paths and speeds in turn", 0.0)
    everyone = np.ones(len(trips), dtype=bool)
    fit = _fit(network, trips, prior, everyone)
    reached = _reached(fit.metres)
    predicted = np.full(len(trips), np.nan)
    dealt = np.unique(trips.week, return_inverse=True)[1] % folds
    for fold in range(folds):
        tell("Predicting weeks that were held out", (1 + fold) / (folds + 1))
        held = dealt == fold
        other = _fit(network, trips, prior, ~held)
        predicted[held] = _predict(trips, prior.cells, other.theta, other.metres)[held]
    flat = _metres(network, trips, prior.cells, prior.mean)
    before = _predict(trips, prior.cells, prior.mean, flat)
    draws = _bootstrap(trips, prior, fit, reached, seed=seed, n=n_bootstrap)
    tell("Done", 1.0)

    def interval(index: int) -> Estimate:
        spread = student.ppf((1 + CONFIDENCE) / 2, n_bootstrap - 1) * draws[:, index].std(ddof=1)
        centre = fit.theta[index]
        return Estimate(*(float(np.exp(centre + off)) for off in (0.0, -spread, spread)))

    return Calibration(
        classes=network.classes,
        speeds=_speed_table(
            network, trips, prior, fit, intervals=[interval(i) for i in range(prior.cells.n)], reached=reached
        ),
        access_s=interval(0),
        access_s_per_m=interval(1),
        drive_share=fit.drive_share,
        held_out=_errors(trips, predicted, reached),
        assumed=_errors(trips, before, reached),
        by_region=_by_region(trips, predicted, reached),
        n=int(reached.sum()),
        unreachable=int((~reached).sum()),
        rounds=fit.rounds,
        settled=fit.settled,
    )


def _silent(_what: str, _share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class _Prior:
    cells: Cells
    mean: FloatArray
    covariance: FloatArray
    precision: FloatArray

    @classmethod
    def of(cls, network: RoadNetwork, assumed: AssumedSpeeds) -> "_Prior":
        cells = Cells(len(network.classes), len(assumed.band_factor))
        covariance = cells.covariance(assumed.spread)
        return cls(cells, assumed.theta(), covariance, np.linalg.inv(covariance).astype(np.float64))


def _check(network: RoadNetwork, trips: Trips, assumed: AssumedSpeeds, n_bootstrap: int, folds: int) -> None:
    faults = Faults()
    speeds = np.asarray(assumed.kph, dtype=float)
    faults.check(
        speeds.shape == (len(network.classes),),
        f"give one assumed speed to each of the {len(network.classes)} road classes",
    )
    factors = np.asarray(assumed.band_factor, dtype=float)
    rest = [assumed.siren_factor, assumed.access_s, assumed.access_kph]
    figures = np.concatenate([speeds.ravel(), factors.ravel(), rest])
    faults.check(
        np.isfinite(figures).all() and (figures > 0).all(),
        "assumed speeds, factors and access must be above zero",
    )
    faults.check(
        len(trips) >= LEAST_TRIPS,
        f"{len(trips)} drives are too few to fit speeds to; {LEAST_TRIPS} are needed, started at a known "
        "post, with times en route and on scene",
    )
    weeks = len(np.unique(trips.week)) if len(trips) else 0
    faults.check(folds >= 2, "weeks must be dealt to two parts or more")
    faults.check(
        weeks >= max(folds, LEAST_WEEKS),
        f"the drives cover {weeks} weeks; {max(folds, LEAST_WEEKS)} are needed",
    )
    faults.check(n_bootstrap >= 20, "fewer than 20 bootstrap draws give no interval")
    if len(trips):
        faults.check(
            trips.band.max() < len(factors), "some drives lie in an hour band without assumed speeds"
        )
    faults.raise_as(InvalidInputError, "Speeds cannot be calibrated")


def _reached(metres: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(metres).all(axis=1), dtype=np.bool_)


def _metres(network: RoadNetwork, trips: Trips, cells: Cells, theta: FloatArray) -> FloatArray:
    """(n, n_classes) metres of each trip on its fastest path under these speeds."""
    metres = np.zeros((len(trips), cells.n_classes))
    for band in range(cells.n_bands):
        for siren in range(2):
            rows = np.flatnonzero((trips.band == band) & (trips.siren == bool(siren)))
            if len(rows):
                pace = np.exp(theta[cells.of_group(band, siren)[N_ACCESS:]])
                metres[rows] = fastest_path_metres(
                    network, trips.origin[rows], trips.node[rows], seconds_per_m=pace
                )
    return metres


def _cell_s(trips: Trips, cells: Cells, theta: FloatArray) -> FloatArray:
    """(n, n_classes) seconds a metre that hold for each trip."""
    pace = np.exp(theta[N_ACCESS:]).reshape(cells.shape)
    held: FloatArray = pace.transpose(1, 2, 0)[trips.band, trips.siren.astype(np.int64)]
    return held


def _predict(trips: Trips, cells: Cells, theta: FloatArray, metres: FloatArray) -> FloatArray:
    access = np.exp(theta[0]) + np.exp(theta[1]) * trips.access_m
    seconds: FloatArray = access + (metres * _cell_s(trips, cells, theta)).sum(axis=1)
    return seconds


def _fit(network: RoadNetwork, trips: Trips, prior: _Prior, used: BoolArray) -> _Fit:
    """Find paths and speeds in turn, from the trips that are ``used``."""
    cells, theta = prior.cells, prior.mean
    settled, rounds = False, 0
    metres = _metres(network, trips, cells, theta)
    weight, share = np.zeros(len(trips)), 0.0
    for rounds in range(1, ROUNDS + 1):
        mine = used & _reached(metres)
        fitted = theta
        for _ in range(WEIGHT_ROUNDS):
            drive_s = (metres * _cell_s(trips, cells, fitted)).sum(axis=1)[mine]
            access_s = np.exp(fitted[0]) + np.exp(fitted[1]) * trips.access_m[mine]
            weight = np.zeros(len(trips))
            weight[mine], share = trip_weights(
                trips.observed_s[mine], drive_s + access_s, drive_s, floor_s=STAMP_S
            )
            gram, cross = _moments(trips, cells, metres, weight, mine).total(cells)
            fitted = solve(gram, cross, mean=prior.mean, precision=prior.precision, start=fitted)
        before, after = (_predict(trips, cells, each, metres)[mine] for each in (theta, fitted))
        moved = float(np.quantile(np.abs(after / before - 1), 0.99))
        # Where two paths take nearly the same time they may swap for ever; half steps end that.
        theta = fitted if rounds <= ROUNDS // 2 else (theta + fitted) / 2
        metres = _metres(network, trips, cells, theta)
        if moved < SETTLED:
            settled = True
            break
    return _Fit(theta, metres, weight, share, rounds, settled)


def _moments(trips: Trips, cells: Cells, metres: FloatArray, weight: FloatArray, mine: BoolArray) -> Moments:
    columns = np.column_stack([np.ones(int(mine.sum())), trips.access_m[mine], metres[mine]])
    _, day = np.unique(trips.day[mine], return_inverse=True)
    return Moments.gather(
        columns,
        trips.observed_s[mine],
        weight[mine],
        trips.band[mine] * 2 + trips.siren[mine],
        day,
        n_groups=cells.n_bands * 2,
        n_days=int(day.max()) + 1,
    )


def _bootstrap(
    trips: Trips, prior: _Prior, fit: _Fit, reached: BoolArray, *, seed: int, n: int
) -> FloatArray:
    """(n, n_parameters) fits to days drawn anew, each with a prior mean drawn from the prior."""
    rng = np.random.default_rng(seed)
    moments = _moments(trips, prior.cells, fit.metres, fit.weight, reached & (fit.weight > 0))
    days = len(moments.gram)
    times = rng.multinomial(days, np.full(days, 1 / days), size=n).astype(float)
    means = rng.multivariate_normal(prior.mean, prior.covariance, size=n, method="cholesky")
    draws = np.empty((n, prior.cells.n))
    for i in range(n):
        gram, cross = moments.total(prior.cells, times[i])
        draws[i] = solve(gram, cross, mean=means[i], precision=prior.precision, start=fit.theta)
    return draws


def _speed_table(
    network: RoadNetwork,
    trips: Trips,
    prior: _Prior,
    fit: _Fit,
    *,
    intervals: Sequence[Estimate],
    reached: BoolArray,
) -> pd.DataFrame:
    cells = prior.cells
    c, b, s = (axis.ravel() for axis in np.indices(cells.shape))
    group = (trips.band * 2 + trips.siren)[reached]
    metres = fit.metres[reached]
    driven = np.zeros((cells.n_bands * 2, cells.n_classes))
    np.add.at(driven, group, metres)
    count = np.zeros_like(driven)
    np.add.at(count, group, metres > 0)
    moments = _moments(trips, cells, fit.metres, fit.weight, reached & (fit.weight > 0))
    x = np.exp(fit.theta)
    posterior = np.linalg.inv(x[:, None] * moments.total(cells)[0] * x + prior.precision)
    from_data = 1 - np.diag(posterior) / np.diag(prior.covariance)
    rows = intervals[N_ACCESS:]
    return pd.DataFrame(
        {
            "road_class": np.array(network.classes, dtype=object)[c],
            "band": b,
            "siren": s.astype(bool),
            "kph": [KPH / row.value for row in rows],
            "low_kph": [KPH / row.high for row in rows],
            "high_kph": [KPH / row.low for row in rows],
            "assumed_kph": KPH / np.exp(prior.mean[N_ACCESS:]),
            "driven_km": driven[b * 2 + s, c] / 1000,
            "trips": count[b * 2 + s, c].astype(np.int64),
            "from_data": from_data[N_ACCESS:],
            "tied_to_prior": from_data[N_ACCESS:] < FROM_DATA,
        }
    )


def _errors(trips: Trips, predicted_s: FloatArray, reached: BoolArray) -> Errors:
    observed, predicted = trips.observed_s[reached] / 60, predicted_s[reached] / 60
    miss = predicted - observed
    return Errors(
        n=len(miss),
        mean_absolute_min=float(np.abs(miss).mean()),
        root_mean_square_min=float(np.sqrt((miss**2).mean())),
        median_share=float(np.median(np.abs(miss) / observed)),
        bias_min=_cluster_mean(miss, trips.week[reached], CONFIDENCE),
        explained=float(1 - (miss**2).sum() / ((observed - observed.mean()) ** 2).sum()),
    )


def _cluster_mean(values: FloatArray, cluster: IntArray, level: float) -> Estimate:
    """Mean with an interval that lets values of one cluster depend on one another (ratio estimator)."""
    mean = float(values.mean())
    _, index = np.unique(cluster, return_inverse=True)
    sums = np.bincount(index, values - mean)
    m = len(sums)
    if m < 2:
        return Estimate(mean, -np.inf, np.inf)
    error = np.sqrt(m / (m - 1) * (sums**2).sum()) / len(values)
    reach = float(student.ppf((1 + level) / 2, m - 1) * error)
    return Estimate(mean, mean - reach, mean + reach)


def _by_region(trips: Trips, predicted_s: FloatArray, reached: BoolArray) -> pd.DataFrame:
    inside = reached & (trips.region >= 0)
    region = trips.region[inside]
    miss = (predicted_s - trips.observed_s)[inside] / 60
    observed, day = trips.observed_s[inside] / 60, trips.day[inside]
    asked = [r for r in np.unique(region) if len(np.unique(day[region == r])) >= LEAST_REGION_DAYS]
    strict = 1 - (1 - CONFIDENCE) / max(len(asked), 1)
    rows = []
    for r in np.unique(region):
        here = region == r
        bias = Estimate(float(miss[here].mean()), np.nan, np.nan)
        biased = False
        if r in asked:
            bias = _cluster_mean(miss[here], day[here], CONFIDENCE)
            wide = _cluster_mean(miss[here], day[here], strict)
            biased = wide.low > 0 or wide.high < 0
        seen = float(observed[here].mean())
        rows.append((r, int(here.sum()), seen, seen + bias.value, bias.value, bias.low, bias.high, biased))
    columns = ["region", "n", "observed_min", "predicted_min", "bias_min", "low_min", "high_min", "biased"]
    return pd.DataFrame(rows, columns=columns)
