"""The public market maker: what it quotes around a replayed close, repeatably."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from random import Random

from apps.core.instruments import TEST_SYMBOL, instrument
from apps.venue.lines import Quote

_BPS = Decimal(10_000)
_SKEW_STEPS = 100


def price_of(text: str) -> Decimal | None:
    """Return a close as a number, or None where the tape holds none."""
    try:
        price = Decimal(text.strip())
    except InvalidOperation:
        return None
    return price if price.is_finite() else None


def quotes(
    closes: Mapping[str, str], seq: int, *, seed: int, spread_bps: Decimal, depth_shares: int
) -> dict[str, Quote]:
    """Return the quotes of a day by symbol.

    The spread is `spread_bps` of the close, at least a tick to each side; its centre lies
    up to a quarter of it off the close, by a draw that depends on seed, day and symbol
    alone, so that no order and no restart changes it. The close always lies inside. A
    symbol without a positive close is not quoted, the test symbol never.
    """
    found: dict[str, Quote] = {}
    for symbol, text in closes.items():
        close = price_of(text)
        if close is None or close <= 0 or symbol == TEST_SYMBOL:
            continue
        tick = instrument(symbol).tick
        spread = close * spread_bps / _BPS
        draw = Random(f"{seed}:{seq}:{symbol}").randint(-_SKEW_STEPS, _SKEW_STEPS)
        centre = close + spread * draw / (4 * _SKEW_STEPS)
        bid = int(((centre - spread / 2) / tick).to_integral_value(ROUND_FLOOR))
        offer = int(((centre + spread / 2) / tick).to_integral_value(ROUND_CEILING))
        nearest = close / tick
        bid = min(bid, int(nearest.to_integral_value(ROUND_CEILING)) - 1)
        offer = max(offer, int(nearest.to_integral_value(ROUND_FLOOR)) + 1)
        if bid >= 1:
            found[symbol] = Quote(bid=bid * tick, offer=offer * tick, qty=depth_shares)
    return found
