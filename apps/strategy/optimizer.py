"""The mean-risk optimizer (skfolio): takes seconds to import, so it is imported off the path.

Only `Momentum` imports this module, inside a function: `warm` on a thread at the start,
`decide` when it needs it, which waits for the thread.
"""

from __future__ import annotations

import warnings

import cvxpy as cp
import numpy as np
from cvxpy.atoms.norm1 import norm1
from skfolio.exceptions import SkfolioError
from skfolio.moments import BaseMu, LedoitWolf
from skfolio.optimization import MeanRisk, ObjectiveFunction
from skfolio.prior import EmpiricalPrior

from apps.strategy.api import FloatArray
from apps.strategy.problem import Problem, Unsolved

SOLVER = "CLARABEL"
"""An interior-point solver without randomness or threads: the same problem, the same answer."""
TOLERANCE = 1e-3
"""How far the weights may be from adding up before a solution counts as none."""


class _Expected(BaseMu):  # type: ignore[misc]
    """Hands our own expected returns to the optimizer."""

    def __init__(self, expected: FloatArray | None = None) -> None:
        self.expected = expected

    def fit(self, X: FloatArray, y: None = None) -> _Expected:  # noqa: N803 - scikit-learn's name
        """Take what was given."""
        self.mu_ = np.asarray(self.expected)
        return self


def solve(problem: Problem) -> FloatArray:
    """Return the weights of greatest utility; raise `Unsolved` where there are none."""
    model = MeanRisk(
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_aversion=problem.risk_aversion,
        prior_estimator=EmpiricalPrior(
            mu_estimator=_Expected(problem.expected), covariance_estimator=LedoitWolf()
        ),
        min_weights=0.0,
        max_weights=problem.ceiling,
        budget=problem.gross,
        previous_weights=problem.held,
        add_constraints=lambda w: [norm1(w - problem.held) <= problem.turnover],
        solver=SOLVER,
    )
    with warnings.catch_warnings():
        # "Solution may be inaccurate": judged below, by what the weights add up to.
        warnings.simplefilter("ignore")
        try:
            model.fit(problem.returns)
        except (SkfolioError, cp.SolverError, ValueError, np.linalg.LinAlgError) as fault:
            raise Unsolved((str(fault).splitlines() or [type(fault).__name__])[0]) from fault
    weights = np.asarray(model.weights_, dtype=np.float64)
    if not np.isfinite(weights).all() or abs(weights.sum() - problem.gross) > TOLERANCE:
        raise Unsolved("the solution does not add up")
    return weights
