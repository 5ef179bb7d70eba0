from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest

from apps.strategy import optimizer
from apps.strategy.api import BadParameters, Hold, Holdings, Limits, Market, Weights
from apps.strategy.momentum import Momentum
from apps.strategy.problem import Problem, Unsolved, feasible, scores
from apps.strategy.window import Window
from tests.unit.strategy.market import FIRST_LIVE, days

WIDE = Limits(position_usd=Decimal(10**9), gross_usd=Decimal(10**9))
CASH = Holdings(cash=Decimal(1_000_000), positions={})
REBALANCE = 5_045


def market(seq: int = REBALANCE, *, rehearsal: bool = False, history: int = 300) -> Market:
    window = Window(253)
    for close in days()[seq - history + 1 : seq + 1]:
        window.append(close.seq, close.prices)
    return Market(
        seq=seq,
        day=days()[seq].day,
        symbols=window.symbols,
        closes=window.closes(),
        prices=window.prices,
        quoted=frozenset(window.symbols),
        rehearsal=rehearsal,
    )


def test_it_rebalances_by_sequence_alone() -> None:
    strategy = Momentum({}, WIDE)
    kinds = {seq: type(strategy.decide(market(seq), CASH)) for seq in range(5_043, 5_052)}
    assert [seq for seq, kind in kinds.items() if kind is Weights] == [5_045, 5_050]


def test_a_rehearsal_does_the_whole_work_on_any_day() -> None:
    wanted = Momentum({}, WIDE).decide(market(FIRST_LIVE, rehearsal=True), CASH)
    assert isinstance(wanted, Weights)


def test_weights_keep_their_bounds_and_the_answer_is_always_the_same() -> None:
    wanted = Momentum({}, WIDE).decide(market(), CASH)
    assert isinstance(wanted, Weights)
    assert sum(wanted.weights.values()) == pytest.approx(0.98, abs=2e-3)
    assert all(0 < weight <= 0.1501 for weight in wanted.weights.values())
    assert set(wanted.scores) == set(market().symbols)
    again = Momentum({}, WIDE).decide(market(), CASH)
    assert isinstance(again, Weights)
    assert again.weights == wanted.weights


def test_turnover_is_bounded_once_invested() -> None:
    strategy = Momentum({"turnover": "0.1"}, WIDE)
    now = market()
    even = {name: int(Decimal(49_000) / price) for name, price in now.prices.items()}
    cash = Decimal(1_000_000) - sum(qty * now.prices[name] for name, qty in even.items())
    held = Holdings(cash=cash, positions=even)
    before = held.weights(now.prices)
    wanted = strategy.decide(now, held)
    assert isinstance(wanted, Weights)
    moved = sum(abs(wanted.weights.get(name, 0) - before[name]) for name in before)
    assert 0.02 < moved <= 0.1 + 0.005


def test_the_limits_of_the_platform_bound_the_weights() -> None:
    tight = Limits(position_usd=Decimal(50_000), gross_usd=Decimal(400_000))
    wanted = Momentum({}, tight).decide(market(), CASH)
    assert isinstance(wanted, Weights)
    assert max(wanted.weights.values()) <= 0.0451
    assert sum(wanted.weights.values()) <= 0.3605


@pytest.mark.parametrize("drifted", [{"AAPL": 300_000}, {"AAPL": 140_000, "KO": 60_000}])
def test_holdings_that_drifted_beyond_every_cap_are_brought_back(drifted: dict[str, int]) -> None:
    now = market()
    positions = {name: int(Decimal(usd) / now.prices[name]) for name, usd in drifted.items()}
    wanted = Momentum({"max_weight": "0.1"}, WIDE).decide(
        now, Holdings(cash=Decimal(10_000), positions=positions)
    )
    assert isinstance(wanted, Weights)
    assert max(wanted.weights.values()) <= 0.1001


def test_it_holds_without_enough_history_or_equity() -> None:
    strategy = Momentum({}, WIDE)
    short = strategy.decide(market(history=100), CASH)
    assert short == Hold("100 of 253 days of history")
    broke = strategy.decide(market(), Holdings(cash=Decimal(0), positions={}))
    assert broke == Hold("no equity", failed=True)


def test_a_failing_solver_means_hold_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(problem: Problem) -> None:
        raise Unsolved("infeasible")

    monkeypatch.setattr(optimizer, "solve", fail)
    wanted = Momentum({}, WIDE).decide(market(), CASH)
    assert wanted == Hold("the optimizer found no portfolio: infeasible", failed=True)


def test_an_infeasible_problem_is_unsolved() -> None:
    closes = np.ascontiguousarray(market().closes)
    problem = Problem(
        returns=np.diff(closes, axis=0) / closes[:-1],
        expected=np.zeros(20),
        held=np.zeros(20),
        ceiling=np.full(20, 0.01),
        gross=1.0,
        turnover=5.0,
        risk_aversion=1.0,
    )
    with pytest.raises(Unsolved):
        optimizer.solve(problem)


def test_warming_up_changes_no_answer() -> None:
    warmed = Momentum({}, WIDE)
    warmed.warm()
    first, second = warmed.decide(market(), CASH), Momentum({}, WIDE).decide(market(), CASH)
    assert isinstance(first, Weights)
    assert isinstance(second, Weights)
    assert first.weights == second.weights


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"rebalance_day": 5}, "rebalance_days"),
        ({"rebalance_days": 0}, "rebalance_days"),
        ({"max_weight": "1.5"}, "max_weight"),
        ({"turnover": "much"}, "turnover"),
        ({"skip_days": 252}, "lookback_days"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, int | str | bool], names: str) -> None:
    with pytest.raises(BadParameters, match=names):
        Momentum(parameters, WIDE)


def test_numbers_with_a_point_come_as_text() -> None:
    strategy = Momentum({"max_weight": "0.2", "rebalance_days": 10}, WIDE)
    assert msgspec.structs.asdict(strategy.parameters)["max_weight"] == 0.2


def test_scores_favour_winners_and_calm_ones() -> None:
    days_, rng = 253, np.random.default_rng(3)
    quiet = np.cumprod(1 + rng.normal(0.001, 0.005, days_))
    wild = np.cumprod(1 + rng.normal(0.0, 0.03, days_))
    wild *= np.linspace(1, quiet[-22] / wild[-22], days_)
    loser = np.cumprod(1 + rng.normal(-0.002, 0.005, days_))
    closes = np.column_stack([quiet, wild, loser])
    plain = scores(closes, skip_days=21, volatility_days=63, volatility_tilt=0.0)
    tilted = scores(closes, skip_days=21, volatility_days=63, volatility_tilt=1.0)
    assert plain[0] > plain[2]
    assert tilted[0] - tilted[1] > plain[0] - plain[1]


def test_the_same_price_every_day_has_no_score() -> None:
    flat = np.full((253, 3), 10.0)
    assert scores(flat, skip_days=21, volatility_days=63, volatility_tilt=0.5).tolist() == [0, 0, 0]


def test_few_symbols_lower_what_can_be_invested() -> None:
    problem = feasible(
        closes=np.full((3, 2), 10.0),
        expected=np.zeros(2),
        held=np.zeros(2),
        max_weight=0.15,
        gross=0.98,
        turnover=0.2,
        risk_aversion=1.0,
    )
    assert problem.gross == pytest.approx(0.3)
