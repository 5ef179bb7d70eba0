"""The load under which a drill runs: how many orders, how bunched, whose, of which kinds; pure.

A shape is drawn from its seed, so that the same scenario trades the same orders again. What
was bought in one round of all symbols is sold in the next and the other way round, in the
same sizes: positions come back but for what a fault, or a limit too far away, leaves unfilled.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

from pydantic import Field, ValidationError

from apps.core.messages import Decision, Intent, Side, Stamps, TimeInForce
from opsctl.errors import UsageError
from opsctl.model.value import Value

LEGS = 2
"""Orders of one decision."""
TICK = Decimal("0.0001")
FAR = 2_000_000_000
"""An expiry that market data does not reach: what the client decides does not go stale."""
MARKETABLE = 0.01
"""How far beyond the price an order's limit lies that is to be executed at once."""
RESTING = (0.004, 0.02)
"""How far away, at least and at most, the limit of one lies that is to rest; within the collar."""


class Load(Value):
    """How a client trades while a drill runs."""

    rate_per_s: float = Field(200, ge=2, le=5_000)
    """Orders a second, evenly; bursts come beside them."""
    burst_orders: int = Field(0, ge=0, le=2_000)
    """Orders at once in every burst."""
    burst_every_s: float = Field(1, ge=0.1, le=60)
    strategies: int = Field(1, ge=1, le=50)
    """Strategies that decide in turn."""
    symbols: int = Field(0, ge=0, le=10_000)
    """How many symbols are traded; 0: all that have a price."""
    resting_share: float = Field(0, ge=0, le=1)
    """The share of DAY orders away from the market: they rest, and expire at the close."""
    shares_max: int = Field(0, ge=0, le=100_000)
    """The largest order: many are small, few large; 0: one share, and two of the second leg."""
    seed: int = Field(0, ge=0)


def changed(load: Load, settings: Mapping[str, str]) -> Load:
    """Return a load with values replaced; raises `UsageError`, which names every fault."""
    try:
        return Load.model_validate({**load.model_dump(), **settings})
    except ValidationError as fault:
        raise UsageError(
            "the load is none that can be traded",
            hint=f"its values are: {', '.join(Load.model_fields)}",
            details=[f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors()],
        ) from fault


class Shape:
    """What a client named `name` decides under a load, decision after decision."""

    def __init__(self, name: str, load: Load) -> None:
        """Begin with a purchase or a sale by the name: no side wins over many drills."""
        self._name, self._load = name, load
        self._first = Random(name).randrange(2)

    def pauses(self) -> Iterator[float]:
        """Yield the seconds between each decision and the next, without end."""
        period_s = LEGS / self._load.rate_per_s
        bunch = self._load.burst_orders // LEGS
        passed_s = 0.0
        while True:
            passed_s += period_s
            if bunch and passed_s >= self._load.burst_every_s:
                passed_s -= self._load.burst_every_s
                yield from itertools.repeat(0.0, bunch)
            yield period_s

    def decision(
        self, at: int, seq: int, prices: Mapping[str, Decimal], day: str, now_ns: int
    ) -> Decision:
        """Return the decision that comes after `at` others; `seq` makes its id."""
        symbols = sorted(prices)[: self._load.symbols or None]
        count = len(symbols)
        drawn = Random(f"{self._load.seed}:{at % count}:{at // (2 * count)}")
        side = Side.BUY if (at // count + self._first) % 2 else Side.SELL
        strategy = self._strategy(at)
        pair = (symbols[at % count], symbols[(at + count // 2) % count])
        return Decision(
            strategy=strategy,
            seq=seq,
            day=day,
            expires_seq=FAR,
            intents=tuple(
                self._intent(f"{strategy}-{seq}-{leg}", symbol, side, prices[symbol], leg, drawn)
                for leg, symbol in enumerate(pair)
            ),
            stamps=Stamps(data_in=now_ns, published=now_ns, decided=now_ns),
        )

    def _strategy(self, at: int) -> str:
        number = at % self._load.strategies
        return f"{self._name}s{number}" if number else self._name

    def _intent(
        self, name: str, symbol: str, side: Side, price: Decimal, leg: int, drawn: Random
    ) -> Intent:
        rests = drawn.random() < self._load.resting_share
        away = -drawn.uniform(*RESTING) if rests else MARKETABLE
        qty = 1 + leg
        if self._load.shares_max:
            qty = int(math.exp(drawn.uniform(0, math.log(self._load.shares_max + 1))))
        return Intent(
            id=name,
            symbol=symbol,
            side=side,
            qty=qty,
            limit=_limit(price, side, away),
            tif=TimeInForce.DAY if rests else TimeInForce.IOC,
        )


def _limit(price: Decimal, side: Side, beyond: float) -> Decimal:
    """Return a limit on a tick that lies beyond the price, or away from it where negative."""
    factor = Decimal(str(round(1 + beyond if side is Side.BUY else 1 - beyond, 6)))
    return (price * factor / TICK).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * TICK
