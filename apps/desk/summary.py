"""Sums up a ledger and a set of latencies as what is shown: pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

from apps.core.messages import Stamps
from apps.desk import wire
from apps.desk.ledger import UNITS_PER_USD, Ledger, usd
from apps.desk.wire import cents, money


def figures(ledger: Ledger) -> wire.Figures:
    """Return the figures over the chart."""
    value, pnl, today, gross = ledger.value, ledger.pnl, ledger.pnl_today, ledger.gross
    before = value - today
    now, deepest = ledger.drawdown()
    began = ledger.index[0] if ledger.index else 0.0
    gained = ledger.index[-1] / began - 1 if began else 0.0
    return wire.Figures(
        equity=money(value),
        pnl=money(pnl),
        pnl_ratio=_ratio(pnl, ledger.capital),
        today=money(today),
        today_ratio=_ratio(today, before),
        index_ratio=round(gained, 6),
        cash=money(ledger.cash),
        gross=money(gross),
        gross_ratio=_ratio(gross, value),
        drawdown=round(float(now), 6),
        deepest=round(float(deepest), 6),
    )


def positions(ledger: Ledger) -> dict[str, wire.Position]:
    """Return the positions that are not flat, by symbol."""
    value = ledger.value
    return {
        symbol: wire.Position(
            symbol=symbol,
            qty=held.qty,
            price=cents(usd(held.last)),
            value=money(held.value),
            weight=_ratio(held.value, value),
            pnl=money(held.pnl),
            today=money(held.pnl_today),
        )
        for symbol, held in sorted(ledger.holdings.items())
        if held.qty
    }


def points(ledger: Ledger, start: int) -> wire.Points:
    """Return the points of the chart from a position on."""
    return wire.Points(
        start=start,
        days=ledger.days[start:],
        equity=[round(amount / UNITS_PER_USD, 2) for amount in ledger.equity[start:]],
        index=[round(level, 2) for level in ledger.index[start:]],
    )


def tape(ledger: Ledger, arrivals_ns: Sequence[int]) -> wire.Tape | None:
    """Return the replayed day and its pace: the median of the newest gaps between days."""
    if not ledger.days:
        return None
    gaps = sorted(later - earlier for earlier, later in pairwise(arrivals_ns))
    pace = round(gaps[len(gaps) // 2] / 1e9, 3) if gaps else None
    return wire.Tape(day=ledger.days[-1], seq=ledger.last_seq, day_s=pace)


def latency(took_ns: Collection[int], budget_us: int | None) -> wire.Latency:
    """Return the percentiles of latencies by nearest rank."""
    ranked = sorted(took_ns)

    def at(share: float) -> float | None:
        if not ranked:
            return None
        return round(ranked[math.ceil(share * len(ranked)) - 1] / 1_000, 1)

    return wire.Latency(samples=len(ranked), p50_us=at(0.5), p99_us=at(0.99), budget_us=budget_us)


def tick_to_order_us(stamps: Stamps) -> float | None:
    """Return the microseconds from the tick to the order's leaving; None where it did not."""
    if not (stamps.sent and stamps.data_in):
        return None
    return round((stamps.sent - stamps.data_in) / 1_000, 1)


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
