"""From what a strategy wants to orders: share targets, then intents. Pure, exact decimals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from apps.core.instruments import Instrument, instrument
from apps.core.messages import Intent, OrderType, Side, TimeInForce
from apps.strategy.api import Holdings, Limits, Market, Shares, Weights

BPS = Decimal(10_000)
WEIGHT_DIGITS = 4
"""Weights are rounded to these digits: beyond them lies the noise of a solver."""
PRICE_MARGIN = Decimal("1.01")
"""Room under the position limit for what a fill may cost above the close."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How orders are written."""

    order_usd: Decimal
    """Largest notional of one order; what is larger is split."""
    order_shares: int
    """Most shares of one order."""
    offset_bps: int
    """How far beyond the close a limit may lie, so that the order meets the quote."""
    min_trade_bps: int
    """Changes smaller than this share of the equity are left alone."""


def share_targets(
    wanted: Weights | Shares, market: Market, holdings: Holdings, limits: Limits, terms: Terms
) -> dict[str, int]:
    """Return the position to hold by symbol, in whole lots within the limits.

    A symbol without a close today keeps its exposure, and so does one whose change is
    worth less than `terms.min_trade_bps` of the equity; a position that is to be closed
    is always closed. Zero positions are left out.
    """
    equity = holdings.equity(market.prices)
    raw = (
        dict(wanted.shares)
        if isinstance(wanted, Shares)
        else _shares_of(wanted, market.prices, equity)
    )
    names = sorted(set(raw) | set(holdings.positions) | set(holdings.open_qty))
    capped = {
        name: _capped(raw.get(name, 0), market.prices[name], limits.position_usd)
        for name in names
        if name in market.prices
    }
    gross = sum((abs(qty) * market.prices[name] for name, qty in capped.items()), Decimal(0))
    scale = min(Decimal(1), limits.gross_usd / gross) if gross else Decimal(1)
    least = equity * terms.min_trade_bps / BPS
    targets: dict[str, int] = {}
    for name in names:
        now = holdings.exposure(name)
        target = now
        if name in market.quoted:
            goal = _lots(capped[name] * scale, instrument(name))
            if goal == 0 or abs(goal - now) * market.prices[name] >= least:
                target = goal
        if target:
            targets[name] = target
    return targets


def _shares_of(
    wanted: Weights, prices: Mapping[str, Decimal], equity: Decimal
) -> dict[str, Decimal]:
    return {
        name: Decimal(str(round(weight, WEIGHT_DIGITS))) * equity / prices[name]
        for name, weight in wanted.weights.items()
        if name in prices
    }


def _capped(shares: Decimal | int, price: Decimal, position_usd: Decimal) -> Decimal:
    most = position_usd / (price * PRICE_MARGIN)
    return max(-most, min(most, Decimal(shares)))


def _lots(shares: Decimal, what: Instrument) -> int:
    return int(shares / what.lot) * what.lot


def intents(
    strategy: str, market: Market, holdings: Holdings, targets: Mapping[str, int], terms: Terms
) -> tuple[Intent, ...]:
    """Return the orders that lead from what is held and open to the targets, sells first.

    Open orders count as filled, so that a decision taken again asks for nothing twice. An
    id is made of strategy, sequence, symbol and leg alone.
    """
    names = sorted(set(targets) | set(holdings.positions) | set(holdings.open_qty))
    sells: list[Intent] = []
    buys: list[Intent] = []
    for name in names:
        change = targets.get(name, 0) - holdings.exposure(name)
        if not change or name not in market.quoted:
            continue
        side = Side.BUY if change > 0 else Side.SELL
        limit = limit_price(instrument(name), market.prices[name], side, terms.offset_bps)
        for leg, qty in enumerate(_pieces(abs(change), limit, instrument(name).lot, terms)):
            intent = Intent(
                id=f"{strategy}-{market.seq}-{name}-{leg}",
                symbol=name,
                side=side,
                qty=qty,
                order_type=OrderType.LIMIT,
                limit=limit,
                tif=TimeInForce.IOC,
            )
            (buys if side is Side.BUY else sells).append(intent)
    return (*sells, *buys)


def limit_price(what: Instrument, close: Decimal, side: Side, offset_bps: int) -> Decimal:
    """Return the close moved by the offset against us, on the tick that is nearer to it.

    Never less than one tick: a limit of zero is no price.
    """
    factor = offset_bps / BPS
    if side is Side.BUY:
        ticks = (close * (1 + factor) / what.tick).to_integral_value(ROUND_FLOOR)
    else:
        ticks = (close * (1 - factor) / what.tick).to_integral_value(ROUND_CEILING)
    return max(ticks, Decimal(1)) * what.tick


def _pieces(qty: int, limit: Decimal, lot: int, terms: Terms) -> Iterator[int]:
    by_notional = int(terms.order_usd / limit)
    most = max(lot, min(by_notional, terms.order_shares) // lot * lot)
    while qty > 0:
        piece = min(most, qty)
        yield piece
        qty -= piece
