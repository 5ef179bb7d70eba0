"""What the optimizer is asked: a value, made of the market by plain arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.strategy.api import FloatArray

SCORE_BOUND = 2.5
"""Scores are cut here, so that one runaway stock does not own the ranking."""
SLACK = 1e-6
"""Room that keeps a constraint met with equality feasible to an interior-point solver."""


class Unsolved(Exception):
    """The optimizer found no portfolio; the message says why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One optimization: arrays have one entry a symbol."""

    returns: FloatArray
    """Daily returns, shape (days, symbols)."""
    expected: FloatArray
    """Expected daily return."""
    held: FloatArray
    """Weights held now."""
    ceiling: FloatArray
    """Largest weight allowed."""
    gross: float
    """Sum of the weights."""
    turnover: float
    """Largest sum of absolute changes of weight."""
    risk_aversion: float


def scores(
    closes: FloatArray, *, skip_days: int, volatility_days: int, volatility_tilt: float
) -> FloatArray:
    """Return a z-score a symbol: high for strong momentum and low volatility.

    Momentum runs from the first of `closes` (shape (days, symbols)) to `skip_days` before
    the last.
    """
    momentum = closes[-1 - skip_days] / closes[0] - 1.0
    returns = np.diff(np.log(closes[-1 - volatility_days :]), axis=0)
    volatility = returns.std(axis=0, ddof=1)
    mixed = _z(momentum) - volatility_tilt * _z(volatility)
    bounded: FloatArray = np.clip(_z(mixed), -SCORE_BOUND, SCORE_BOUND)
    return bounded


def _z(values: FloatArray) -> FloatArray:
    spread = values.std()
    if spread <= 0:
        return np.zeros_like(values)
    standard: FloatArray = (values - values.mean()) / spread
    return standard


def feasible(
    *,
    closes: FloatArray,
    expected: FloatArray,
    held: FloatArray,
    max_weight: float,
    gross: float,
    turnover: float,
    risk_aversion: float,
) -> Problem:
    """Return the problem with limits that some portfolio meets.

    Where prices have carried holdings beyond `max_weight` or away from `gross`, the
    turnover needed to come back is added to what is allowed; so is the first investment.
    `gross` is lowered where the caps of all symbols do not add up to it.
    """
    ceiling = np.full(len(held), min(max_weight, 1.0))
    reachable = min(gross, float(ceiling.sum()))
    over = float(np.clip(held - ceiling, 0.0, None).sum())
    gap = abs(reachable - float(np.minimum(held, ceiling).sum()))
    return Problem(
        returns=np.diff(closes, axis=0) / closes[:-1],
        expected=expected,
        held=held,
        ceiling=ceiling + SLACK,
        gross=reachable,
        turnover=turnover + over + gap + SLACK,
        risk_aversion=risk_aversion,
    )
