"""Profit and loss by the venue's executions alone, with nothing of the platform's code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from opsctl.drills.record import Executed


def holdings(executions: Iterable[Executed]) -> tuple[Decimal, dict[str, int]]:
    """Return the cash spent (negative) or earned, and the shares held, after executions."""
    cash, shares = Decimal(0), defaultdict[str, int](int)
    for one in executions:
        sign = 1 if one.side == "buy" else -1
        cash -= sign * one.qty * one.price
        shares[one.symbol] += sign * one.qty
    return cash, {symbol: qty for symbol, qty in shares.items() if qty}


def equity(
    capital: Decimal, executions: Iterable[Executed], closes: Mapping[str, Decimal]
) -> Decimal:
    """Return capital plus P&L at the given closes, in dollars and cents and beyond."""
    cash, shares = holdings(executions)
    return capital + cash + sum((qty * closes[s] for s, qty in shares.items()), Decimal(0))
