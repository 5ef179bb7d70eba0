from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from opsctl.drills.record import Executed
from tests.support.witness import equity, holdings

FILL = Executed("a", "AAPL", "buy", 10, Decimal("6.5001"))


def test_holdings_and_equity_are_exact() -> None:
    sold = replace(FILL, side="sell", qty=4, price=Decimal("7.0003"))
    cash, held = holdings([FILL, sold])
    assert (cash, held) == (Decimal("-36.9998"), {"AAPL": 6})
    closes = {"AAPL": Decimal("7.1")}
    assert equity(Decimal(100), [FILL, sold], closes) == Decimal("105.6002")
