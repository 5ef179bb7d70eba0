from __future__ import annotations

import os
import subprocess
import sys
import time
from decimal import Decimal

from apps.core.messages import Close, Decision, Portfolio
from apps.strategy.api import Limits
from apps.strategy.backtest import Backtest, start
from apps.strategy.engine import Engine
from apps.strategy.intents import Terms
from apps.strategy.momentum import Momentum
from tests.unit.strategy.market import FIRST_LIVE, days

LIMITS = Limits(position_usd=Decimal(10**7), gross_usd=Decimal(10**8))
TERMS = Terms(order_usd=Decimal(250_000), order_shares=1_000_000, offset_bps=50, min_trade_bps=25)
CAPITAL = Decimal(1_000_000)
LAST_DAY = "2020-12-31"
MIDDLE = "2015-06-30"


def backtest(portfolio: Portfolio, history: list[Close]) -> Backtest:
    """Return a run that starts from stored state: a portfolio and the closes before it."""
    strategy = Momentum({}, LIMITS)
    run = Backtest(Engine("momentum", strategy, LIMITS, TERMS), portfolio)
    run.warm_up(history)
    return run


def live() -> list[Close]:
    return [close for close in days()[FIRST_LIVE:] if close.day <= LAST_DAY]


def content(decisions: list[Decision]) -> list[tuple[object, ...]]:
    return [(d.id, d.intents, d.targets, d.scores, d.note) for d in decisions]


def test_ten_years_make_sense_and_repeat_exactly_across_a_restart() -> None:
    whole = backtest(start(CAPITAL), list(days()[:FIRST_LIVE]))
    slowest_hold = slowest_trade = 0.0
    for close in live():
        begin = time.thread_time()
        decision = whole.step(close)
        spent = time.thread_time() - begin
        if decision.seq % 5:
            slowest_hold = max(slowest_hold, spent)
        elif decision.seq > FIRST_LIVE + 10:  # the first one imports the optimizer
            slowest_trade = max(slowest_trade, spent)

    first, last = live()[0], live()[-1]
    index = sum(last.prices[s] / first.prices[s] for s in last.prices) / len(last.prices)
    equity = whole.equity[-1][1]
    worst = peak = Decimal(0)
    for _, value in whole.equity:
        peak = max(peak, value)
        worst = max(worst, 1 - value / peak)
    traded = sum(bool(decision.intents) for decision in whole.decisions)
    for day, value in whole.equity[::252]:
        print(f"{day}  {value:12.2f}")
    print(
        f"{last.day}  {equity:12.2f}  equal-weighted x{index:.2f}  drawdown {worst:.1%}  "
        f"rebalancings {traded}  traded {whole.traded_usd:.0f} USD  "
        f"CPU: hold {slowest_hold * 1e3:.2f} ms, rebalance {slowest_trade * 1e3:.0f} ms at most"
    )
    assert 2 * CAPITAL < equity < 10 * CAPITAL
    assert worst < Decimal("0.4")
    assert traded > 500
    assert not [d for d in whole.decisions if "optimizer" in d.note]
    cash_and_shares = whole.portfolio.cash + sum(
        qty * last.prices[name] for name, qty in whole.portfolio.positions.items()
    )
    assert cash_and_shares == equity

    # Restarted in the middle from what is stored, and run a second time altogether.
    before = backtest(start(CAPITAL), list(days()[:FIRST_LIVE]))
    for close in live():
        if close.day <= MIDDLE:
            before.step(close)
    after = backtest(before.portfolio, [close for close in days() if close.day <= MIDDLE])
    for close in live():
        if close.day > MIDDLE:
            after.step(close)
    assert content(before.decisions) + content(after.decisions) == content(whole.decisions)
    assert after.portfolio.positions == whole.portfolio.positions
    assert after.portfolio.cash == whole.portfolio.cash


PROGRAM = """
import hashlib
from tests.integration.strategy.test_backtest import *
run = backtest(start(CAPITAL), list(days()[FIRST_LIVE - 260 : FIRST_LIVE]))
for close in live()[:40]:
    run.step(close)
print(hashlib.sha256(repr(content(run.decisions)).encode()).hexdigest())
"""


def test_two_processes_decide_alike() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONHASHSEED": seed,
                "OPENBLAS_NUM_THREADS": threads,
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    assert len(digests) == 1
