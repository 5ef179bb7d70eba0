"""The public market maker: what it quotes around a replayed price, pure and repeatable."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from apps.core.instruments import Instrument

BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Quote:
    """A bid and an offer of the same size, on ticks, never crossed."""

    bid: Decimal
    offer: Decimal
    qty: int


@dataclass(frozen=True, slots=True)
class Maker:
    """A maker with a spread and a depth; each day and symbol draws its own skew and size.

    The draw depends on the seed, the sequence and the symbol alone, so that a restart in
    the middle of a day quotes the same again.
    """

    seed: int
    spread_bps: Decimal
    depth: int

    def quote(self, instrument: Instrument, seq: int, close: Decimal) -> Quote:
        """Return the quotes of one symbol around its price."""
        draw = random.Random(f"{self.seed}/{seq}/{instrument.symbol}")
        half = max(close * self.spread_bps / BPS / 2, instrument.tick)
        skew = half * Decimal(draw.randint(-50, 50)) / 100
        bid = max(instrument.round_price(close + skew - half), instrument.tick)
        offer = max(instrument.round_price(close + skew + half), bid + instrument.tick)
        lots = self.depth * draw.randint(80, 120) // 100 // instrument.lot
        return Quote(bid, offer, max(lots, 1) * instrument.lot)
