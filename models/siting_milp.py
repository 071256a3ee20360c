"""Linear and integer programs, handed to HiGHS and taken back only when its status says that they hold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from errors import SolverError

if TYPE_CHECKING:
    from highspy import Highs

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Status = Literal["optimal", "time limit"]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A linear model; HiGHS makes it an integer one where ``integer`` says so.

    Attributes
    ----------
    cost, lower, upper
        (n,) of the variables; all bounds finite.
    matrix, row_lower, row_upper
        (m, n) and (m,) of the rows; infinite where a side is open.
    integer
        (n,) True where only whole numbers are allowed.
    maximise
        Whether the cost is to be made as large as possible, else as small.
    """

    cost: FloatArray
    lower: FloatArray
    upper: FloatArray
    matrix: csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    integer: BoolArray
    maximise: bool


@dataclass(frozen=True, eq=False)
class MilpSolution:
    """What HiGHS found: (n,) values, the proven bound on the cost, and how it ended."""

    values: FloatArray
    bound: float
    status: Status


@dataclass(frozen=True, eq=False)
class LpSolution:
    """Optimal (n,) values and (m,) row duals of a linear program, and its cost."""

    values: FloatArray
    row_duals: FloatArray
    cost: float


def solve_milp(
    model: LinearModel, *, start: FloatArray | None = None, time_limit_s: float | None = None
) -> MilpSolution | None:
    """Solve to a gap of zero, relative and absolute; None where no solution exists.

    Parameters
    ----------
    start
        (n,) a solution to begin with; HiGHS leaves it aside where it breaks a row.
    time_limit_s
        Seconds after which the best solution so far is taken, with its bound.

    Raises
    ------
    SolverError
        If HiGHS ends otherwise, or finds no solution in time.
    """
    import highspy

    highs = _load(model)
    # These models are small once merged: presolve costs more than it saves (measured on 54 posts: 0.05 s
    # without, 0.13 s with it).
    options: dict[str, float | str] = {"mip_rel_gap": 0.0, "mip_abs_gap": 0.0, "presolve": "off"}
    if time_limit_s is not None:
        options["time_limit"] = float(time_limit_s)
    for name, value in options.items():
        highs.setOptionValue(name, value)
    if start is not None:
        solution = highspy.HighsSolution()
        solution.col_value = start.tolist()
        highs.setSolution(solution)
    highs.run()
    status, info = highs.getModelStatus(), highs.getInfo()
    if _is_infeasible(highs):
        return None
    timed_out = status == highspy.HighsModelStatus.kTimeLimit
    feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if timed_out and not feasible:
        raise SolverError(f"No plan was found within {time_limit_s} s; give the solver more time")
    if not (timed_out or status == highspy.HighsModelStatus.kOptimal):
        raise SolverError(f"HiGHS stopped without a result: {highs.modelStatusToString(status)}")
    return MilpSolution(
        values=np.array(highs.getSolution().col_value),
        bound=float(info.mip_dual_bound),
        status="time limit" if timed_out else "optimal",
    )


class WarmLp:
    """A linear program that is solved again and again, each time from the basis of the last.

    Parameters
    ----------
    large
        Solve it the first time by an interior point, which large programs need less than half the time for.
    """

    def __init__(self, model: LinearModel, *, large: bool = False) -> None:
        self._highs = _load(model)
        self._first = large

    def solve(self, lower: FloatArray, upper: FloatArray) -> LpSolution | None:
        """Solve with (k,) bounds on the first k variables; None where no solution exists.

        Raises
        ------
        SolverError
            If HiGHS ends without an optimum.
        """
        import highspy

        highs = self._highs
        highs.setOptionValue("solver", "ipm" if self._first else "simplex")
        self._first = False
        highs.changeColsBounds(len(lower), np.arange(len(lower), dtype=np.int32), lower, upper)
        highs.run()
        if _is_infeasible(highs):
            return None
        status = highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise SolverError(f"HiGHS stopped without a result: {highs.modelStatusToString(status)}")
        solution = highs.getSolution()
        return LpSolution(
            values=np.array(solution.col_value),
            row_duals=np.array(solution.row_dual),
            cost=float(highs.getInfo().objective_function_value),
        )

    def add_rows(self, matrix: csr_array, row_lower: FloatArray) -> None:
        """Add (m, n) rows that are at least ``row_lower``."""
        self._highs.addRows(
            matrix.shape[0],
            row_lower,
            np.full(matrix.shape[0], np.inf),
            matrix.nnz,
            matrix.indptr[:-1].astype(np.int32),
            matrix.indices.astype(np.int32),
            matrix.data,
        )


def _load(model: LinearModel) -> "Highs":
    import highspy

    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(model.cost), model.matrix.shape[0]
    program.col_cost_, program.col_lower_, program.col_upper_ = model.cost, model.lower, model.upper
    program.row_lower_, program.row_upper_ = model.row_lower, model.row_upper
    program.sense_ = highspy.ObjSense.kMaximize if model.maximise else highspy.ObjSense.kMinimize
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = model.matrix.indptr
    program.a_matrix_.index_ = model.matrix.indices
    program.a_matrix_.value_ = model.matrix.data
    if model.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        program.integrality_ = [kinds[int(whole)] for whole in model.integer]
    highs: Highs = highspy.Highs()  # type: ignore[no-untyped-call]
    # One thread and one seed: the same model gives the same answer.
    options: dict[str, bool | int | str] = {"output_flag": False, "random_seed": 0, "parallel": "off"}
    for name, value in options.items():
        highs.setOptionValue(name, value)
    if highs.passModel(program) == highspy.HighsStatus.kError:
        raise SolverError("HiGHS cannot read the model; its numbers may be too large or too small")
    return highs


def _is_infeasible(highs: "Highs") -> bool:
    import highspy

    # All variables are bounded, so "unbounded or infeasible" can only mean the second.
    return highs.getModelStatus() in {
        highspy.HighsModelStatus.kInfeasible,
        highspy.HighsModelStatus.kUnboundedOrInfeasible,
    }
