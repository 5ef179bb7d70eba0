"""Weights in closed form: for tiers whose budget a solver would use up alone.

Kelly's fractions of independent assets, expected return over variance, scaled to the
gross that is wanted and capped; under a millisecond for a few hundred symbols, where the
mean-risk optimizer takes tens. What it leaves out is correlation.
"""

from __future__ import annotations

import numpy as np

from apps.strategy.api import FloatArray
from apps.strategy.problem import Problem, Unsolved


def solve(problem: Problem) -> FloatArray:
    """Return the weights, as far towards them as the turnover allows."""
    variance = problem.returns.var(axis=0, ddof=1)
    if not (np.isfinite(variance).all() and (variance > 0).all()):
        raise Unsolved("a stock whose price does not move has no risk to weigh")
    appeal = np.clip(problem.expected, 0.0, None) / variance
    if not appeal.any():
        appeal = 1.0 / variance
    weights = _filled(appeal, problem.ceiling, problem.gross)
    change = float(np.abs(weights - problem.held).sum())
    share = min(1.0, problem.turnover / change) if change else 1.0
    moved: FloatArray = problem.held + share * (weights - problem.held)
    return moved


def _filled(appeal: FloatArray, ceiling: FloatArray, gross: float) -> FloatArray:
    """Return weights in proportion to the appeal that add up to `gross` under the ceilings.

    What a ceiling cuts off goes to the others; where those with appeal cannot take it all,
    the rest goes to the ones without.
    """
    weights = np.zeros_like(appeal)
    for these in (appeal > 0, appeal <= 0):
        open_ = these.copy()
        while open_.any() and gross - weights.sum() > 1e-12:
            part = appeal[open_] if appeal[open_].any() else np.ones(int(open_.sum()))
            weights[open_] += (gross - weights.sum()) * part / part.sum()
            over = open_ & (weights >= ceiling)
            if not over.any():
                break
            weights[over] = ceiling[over]
            open_ &= ~over
    return weights
