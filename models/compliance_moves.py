"""Which few moves from today's plan matter most, and how often a post is chosen under other assumptions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import InvalidInputError
from models.compliance import TIME_LIMIT_S, ComplianceTable, solve_compliance
from models.siting import Siting, solve_mclp
from models.siting_cover import ROUNDING
from models.siting_rules import Sites

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MovesStep:
    """The best plan with at most this many moves from today's; the one before where more moves add nothing.

    Attributes
    ----------
    moves
        Most posts that may differ from today's.
    sites
        The plan; in its order where it is a list.
    left, entered
        Posts of today that it gives up, and its new ones.
    objective, bound
        Of the plan, and proven for all plans with as few moves.
    gain
        What this many moves add to one move less; to today's posts at the first step.
    """

    moves: int
    sites: tuple[int, ...]
    left: tuple[int, ...]
    entered: tuple[int, ...]
    objective: float
    bound: float
    gain: float


def moves_curve(
    reach: npt.ArrayLike,
    weight: npt.ArrayLike,
    baseline: Sequence[int],
    *,
    chance: npt.ArrayLike | None = None,
    fixed: Sites = (),
    forbidden: Sites = (),
    most: int | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[float], None] | None = None,
) -> tuple[MovesStep, ...]:
    """Find which few moves matter most: the best plan with at most 0, 1, 2, ... moves from today's.

    Parameters
    ----------
    baseline
        Today's posts; the plans have as many.
    chance
        As in `solve_compliance`: the plans are then nested lists over these chances. Not given, they are
        judged with all units free, by `solve_mclp`.
    most
        Most moves to try; as many as there are posts when not given.
    time_limit_s
        Seconds for each plan.

    Notes
    -----
    The other parameters, and errors, are those of `solve_compliance`.
    """
    p = len(baseline)
    last = p if most is None else min(most, p)
    steps: list[MovesStep] = []
    for moves in range(last + 1):
        plan: Siting | ComplianceTable
        if chance is None:
            plan = solve_mclp(
                reach,
                weight,
                p,
                time_limit_s=time_limit_s,
                fixed=fixed,
                forbidden=forbidden,
                baseline=baseline,
                max_moves=moves,
            )
        else:
            plan = solve_compliance(
                reach,
                weight,
                p,
                chance=chance,
                fixed=fixed,
                forbidden=forbidden,
                baseline=baseline,
                max_moves=moves,
                time_limit_s=time_limit_s,
            )
        before = steps[-1] if steps else None
        better = before is None or plan.objective > before.objective * (1 + ROUNDING)
        sites = plan.sites if before is None or better else before.sites
        steps.append(
            MovesStep(
                moves=moves,
                sites=sites,
                left=tuple(sorted(set(baseline) - set(sites))),
                entered=tuple(sorted(set(sites) - set(baseline))),
                objective=plan.objective,
                bound=plan.bound,
                gain=plan.objective - before.objective if before is not None else 0.0,
            )
        )
        if progress is not None:
            progress((moves + 1) / (last + 1))
    return tuple(steps)


def how_often_chosen(plans: Sequence[Sequence[int]], n_sites: int) -> FloatArray:
    """(n_sites,) share of the plans that use each site, such as the best under some speeds and demands."""
    if not plans:
        raise InvalidInputError("There are no plans to count")
    used = np.zeros(n_sites)
    for plan in plans:
        used[sorted(set(plan))] += 1
    return used / len(plans)
