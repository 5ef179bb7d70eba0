"""Cross-sectional momentum with a low-volatility tilt, weighted by a mean-risk optimizer.

Every `rebalance_days` it ranks the stocks by their return over the last year without the
last month (12-1 momentum: Jegadeesh and Titman 1993), leans towards the less volatile
(Blitz and van Vliet 2007), and lets skfolio's `MeanRisk` choose the long-only weights of
greatest utility within a cap on each position, on gross and on turnover; where there is no
time for a solver, weights in closed form.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import numpy as np

from apps.strategy import closed_form
from apps.strategy.api import FloatArray, Hold, Holdings, Market, Strategy, Wanted, Weights
from apps.strategy.problem import Problem, Unsolved, feasible, scores

Days = Annotated[int, msgspec.Meta(ge=1, le=2_520)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]

SKILL = 0.03
"""Daily information coefficient: expected return = SKILL x volatility x score (Grinold 1994)."""
HEADROOM = Decimal("0.9")
"""Share of the platform's limits that targets use: prices move while a position is held."""
MIN_SYMBOLS = 2
MIN_WEIGHT = 5e-4
"""What is smaller is dust of the solver."""


class Momentum(Strategy):
    """The platform's own strategy; see the module."""

    class Parameters(Strategy.Parameters, frozen=True, forbid_unknown_fields=True):
        """What an environment may set under `strategy.parameters`."""

        rebalance_days: Days = 5
        """Trading days between rebalances: it trades where `seq` is a multiple of this."""
        lookback_days: Days = 252
        """Momentum and risk are measured over these days."""
        skip_days: Days = 21
        """The most recent days, which momentum leaves out (short-term reversal)."""
        volatility_days: Days = 63
        volatility_tilt: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.25
        """Weight of low volatility against momentum in the score."""
        max_weight: Share = 0.15
        invested: Share = 0.98
        """Share of the equity to invest, where the limits allow it."""
        turnover: Share = 0.2
        """Largest sum of changes of weight in one rebalance, the first investment aside."""
        risk_aversion: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = 2.0
        weighting: Literal["mean_risk", "closed_form"] = "mean_risk"
        """`closed_form` needs no solver: for tiers that have no tens of milliseconds."""

        def __post_init__(self) -> None:
            """Refuse what cannot be computed."""
            if max(self.skip_days, self.volatility_days) >= self.lookback_days:
                raise ValueError("skip_days and volatility_days must be less than lookback_days")

    parameters: Parameters

    @property
    def window_days(self) -> int:
        """A lookback of returns needs one close more."""
        return self.parameters.lookback_days + 1

    @property
    def brief(self) -> bool:
        """The solver takes tens of milliseconds, the closed form less than one."""
        return self.parameters.weighting == "closed_form"

    def warm(self) -> None:
        """Import the optimizer and solve once: the first solve loads the solver."""
        days = np.arange(self.window_days, dtype=np.float64)[:, None]
        self._solve(self._problem(100.0 + np.sin(days * np.arange(1.0, 9.0)), np.zeros(8))[0])

    def decide(self, market: Market, holdings: Holdings) -> Wanted:
        """Rebalance on every `rebalance_days`-th day, hold on the others."""
        if market.seq % self.parameters.rebalance_days and not market.rehearsal:
            return Hold("not a day of rebalancing")
        if len(market.closes) < self.window_days:
            return Hold(f"{len(market.closes)} of {self.window_days} days of history")
        equity = holdings.equity(market.prices)
        if equity <= 0:
            return Hold("no equity", failed=True)
        whole = ~np.isnan(market.closes[0])
        symbols = [name for name, known in zip(market.symbols, whole, strict=True) if known]
        if len(symbols) < MIN_SYMBOLS:
            return Hold("too few stocks have a whole history")
        held = holdings.weights(market.prices)
        problem, ranking = self._problem(
            market.closes[:, whole],
            np.array([max(0.0, held.get(name, 0.0)) for name in symbols]),
            position=float(HEADROOM * self.limits.position_usd / equity),
            gross=float(HEADROOM * self.limits.gross_usd / equity),
        )
        try:
            weights = self._solve(problem)
        except Unsolved as why:
            return Hold(f"the optimizer found no portfolio: {why}", failed=True)
        return Weights(
            weights={
                name: float(weight)
                for name, weight in zip(symbols, weights, strict=True)
                if weight >= MIN_WEIGHT
            },
            scores={name: round(float(s), 4) for name, s in zip(symbols, ranking, strict=True)},
        )

    def _problem(
        self, closes: FloatArray, held: FloatArray, *, position: float = 1.0, gross: float = 1.0
    ) -> tuple[Problem, FloatArray]:
        mine = self.parameters
        closes = np.ascontiguousarray(closes)  # one memory layout: one result to the last bit
        ranking = scores(
            closes,
            skip_days=mine.skip_days,
            volatility_days=mine.volatility_days,
            volatility_tilt=mine.volatility_tilt,
        )
        volatility = np.diff(np.log(closes), axis=0).std(axis=0, ddof=1)
        problem = feasible(
            closes=closes,
            expected=SKILL * volatility * ranking,
            held=held,
            max_weight=min(mine.max_weight, position),
            gross=min(mine.invested, gross),
            turnover=mine.turnover,
            risk_aversion=mine.risk_aversion,
        )
        return problem, ranking

    def _solve(self, problem: Problem) -> FloatArray:
        if self.parameters.weighting == "closed_form":
            return closed_form.solve(problem)
        # Takes seconds at first; the interpreter's import lock makes `decide` wait for `warm`.
        from apps.strategy.optimizer import solve

        return solve(problem)
