"""A week of a staging plan, simulated: the plan, the demand and the network as the simulator takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.busy_plan import Workload
from models.dispatch_draw import CallKind, CallRates, Draw, ServiceTimes
from models.dispatch_rules import RuleOptions, nested_table
from models.scenario import SetRules
from models.staging import Conditions

HOURS_A_WEEK = 168
DAY_MIN = 1440.0
WARM_UP_MIN = DAY_MIN
WEEK_MIN = 7 * DAY_MIN

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CallShape:
    """How calls spread over cells and over the hours of the week.

    Attributes
    ----------
    share
        (n_cells,) share of the calls in each cell; sums to 1.
    profile
        (168,) calls in each hour of the week over their mean; ones where calls carry no time.
    access_min
        Mean minutes from the street corner to the door.
    """

    share: FloatArray
    profile: FloatArray
    access_min: float


@dataclass(frozen=True, eq=False)
class CaseTimes:
    """Minutes of a call after the arrival, as observed, or as assumed from the mean busy time alone.

    Attributes
    ----------
    on_scene_min, at_hospital_min
        Observed minutes, any number of them; empty where there are none.
    transport_share
        Share of calls taken to a hospital.
    """

    on_scene_min: FloatArray
    at_hospital_min: FloatArray
    transport_share: float

    @property
    def observed(self) -> bool:
        """Whether the minutes were observed."""
        return len(self.on_scene_min) > 0


@dataclass(frozen=True)
class CallMix:
    """Priorities of calls, the most urgent first; one without a name where the city's calls have none.

    Attributes
    ----------
    names
        As in the city's table of calls.
    share
        Share of all calls; sums to 1.
    transported
        Share of the calls of each priority taken to a hospital.
    """

    names: tuple[str, ...] = ("",)
    share: tuple[float, ...] = (1.0,)
    transported: tuple[float, ...] = (0.0,)

    def kinds(self, *, als_first: bool) -> tuple[CallKind, ...]:
        """Kinds of call; with ``als_first`` those of the highest priority need an ALS unit."""
        return tuple(
            CallKind(share, priority, "ALS" if als_first and priority == 1 else "", transported)
            for priority, (share, transported) in enumerate(
                zip(self.share, self.transported, strict=True), start=1
            )
        )


def call_rates(shape: CallShape, kinds: tuple[CallKind, ...], workload: Workload) -> CallRates:
    """Give calls an hour by cell (the first places) and hour of the week."""
    per_h = workload.calls_per_hour * shape.share[:, None] * shape.profile[None, :]
    return CallRates(per_h=per_h, place=np.arange(len(shape.share)), kinds=kinds)


def mean_drive(nearest_min: FloatArray, shape: CallShape, band_of_hour: IntArray) -> float:
    """Give the mean minutes of a drive from the nearest post, over cells and hours by their calls.

    Parameters
    ----------
    nearest_min
        (n_bands, n_cells) minutes, infinite where no way leads: such cells are left out.
    shape
        How calls spread.
    band_of_hour
        (168,) band of each hour of the week.
    """
    calls = np.bincount(band_of_hour, shape.profile, minlength=len(nearest_min))
    weight = np.where(np.isfinite(nearest_min), calls[:, None] * shape.share, 0.0)
    if weight.sum() <= 0:
        return 0.0
    return float(np.average(np.where(weight > 0, nearest_min, 0.0), weights=weight))


def service_times(
    cases: CaseTimes, shape: CallShape, conditions: Conditions, workload: Workload, mean_drive_min: float
) -> ServiceTimes:
    """Distributions of a call's minutes.

    Observed minutes are drawn as they are. Without them a call keeps its unit for ``workload.busy_min`` on
    the mean: what is left after turnout and the mean drive is spent on scene, exponentially (an assumption),
    and the way to hospital is part of it.
    """
    handling = Draw.fixed(conditions.call_handling_s / 60)
    turnout = Draw.fixed(conditions.turnout_s / 60 + shape.access_min)
    if cases.observed:
        return ServiceTimes(
            on_scene=Draw.sample(cases.on_scene_min),
            at_hospital=Draw.sample(cases.at_hospital_min),
            handling=handling,
            turnout=turnout,
            transport_share=cases.transport_share,
        )
    rest = max(workload.busy_min - conditions.turnout_s / 60 - shape.access_min - mean_drive_min, 1.0)
    return ServiceTimes(on_scene=Draw.exponential(rest), handling=handling, turnout=turnout)


def rules(
    times: ServiceTimes,
    siren_factor: float,
    *,
    chosen: SetRules,
    posts: Sequence[int],
    priorities: int = 1,
) -> RuleOptions:
    """Rules of the app: units answer on their way home, which they drive without siren, as to hospital.

    Parameters
    ----------
    times
        Distributions of a call's minutes.
    siren_factor
        How much faster a drive with siren is.
    chosen
        The policy on top.
    posts
        Places of the plan's posts, in the order of its list: the compliance table.
    priorities
        How many priorities calls have.
    """
    return RuleOptions(
        en_route="network",
        home_factor=max(siren_factor, 1.0),
        transport_factor=max(siren_factor, 1.0),
        road_turnout=False,
        times=times,
        queue=chosen.queue,
        preempt=chosen.preempt,
        priorities=priorities,
        compliance=nested_table(posts) if chosen.compliance else None,
        move_up=chosen.move_up,
    )


def plan_matrix(
    fixed_min: FloatArray, to_posts_min: FloatArray, from_posts_min: FloatArray, post_access_min: FloatArray
) -> FloatArray:
    """Join the drive minutes of fixed places and of the plan's posts.

    Parameters
    ----------
    fixed_min
        (n_fixed, n_fixed) minutes between cells and hospitals.
    to_posts_min
        (n_fixed, n_posts) minutes from them to each post's corner.
    from_posts_min
        (n_posts, n_fixed + n_posts) minutes from each post's corner to all.
    post_access_min
        (n_posts,) minutes between the post and its corner.

    Returns
    -------
    travel_min
        (n_fixed + n_posts,) * 2, posts last; zero on the diagonal.
    """
    n_fixed, n_posts = to_posts_min.shape
    matrix = np.empty((n_fixed + n_posts, n_fixed + n_posts))
    matrix[:n_fixed, :n_fixed] = fixed_min
    matrix[:n_fixed, n_fixed:] = to_posts_min + post_access_min
    matrix[n_fixed:, :] = from_posts_min + post_access_min[:, None]
    matrix[n_fixed:, n_fixed:] += post_access_min
    np.fill_diagonal(matrix, 0.0)
    return matrix
