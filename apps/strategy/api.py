"""What a strategy is: the plugin interface of entry point group `opsctl.strategies`.

A strategy is a pure object: it gets the market and the holdings and returns what it wants
to hold. It has no clock, no socket and no database, so that the same object trades,
rehearses a probe, and runs in a backtest. Two calls with the same arguments must give the
same answer: a restarted engine, and the engine of another site, then decide alike.

docs/strategy.md shows one in 30 lines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

API_VERSION = 1
"""The version of this interface; a strategy written for another one is refused."""

FloatArray = npt.NDArray[np.float64]


class BadParameters(ValueError):
    """The parameters do not fit the strategy: the message names the one and what would be right."""


@dataclass(frozen=True, slots=True)
class Market:
    """What the market has shown up to the close of one day, and nothing later."""

    seq: int
    """Sequence of the day: the time of the decision. Count days by it, not by a clock."""
    day: str
    """ISO date."""
    symbols: tuple[str, ...]
    """The columns of `closes`, sorted."""
    closes: FloatArray
    """Closing prices in USD, shape (days, symbols), oldest first, this day last; read-only.

    At most the `window_days` that the strategy asked for, fewer while history is short. A
    day without a price carries the one before; NaN before the first price of a symbol.
    """
    prices: Mapping[str, Decimal]
    """The last known close of each symbol, exactly."""
    quoted: frozenset[str]
    """The symbols with a close on this day; the others will not be traded today."""
    rehearsal: bool = False
    """A latency probe: do the whole work of a day that trades; the result is discarded."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the firm holds, from the journal."""

    cash: Decimal
    positions: Mapping[str, int]
    """Shares, signed."""
    open_qty: Mapping[str, int] = field(default_factory=dict)
    """Signed shares of orders that are not yet settled."""

    def exposure(self, symbol: str) -> int:
        """Return the shares held, as if every open order had filled."""
        return self.positions.get(symbol, 0) + self.open_qty.get(symbol, 0)

    def equity(self, prices: Mapping[str, Decimal]) -> Decimal:
        """Return cash and positions at `prices` in USD."""
        held = (qty * prices[name] for name, qty in self.positions.items() if name in prices)
        return sum(held, self.cash)

    def weights(self, prices: Mapping[str, Decimal]) -> dict[str, float]:
        """Return each exposure as a share of the equity; empty where there is no equity."""
        equity = self.equity(prices)
        if equity <= 0:
            return {}
        names = sorted(set(self.positions) | set(self.open_qty))
        return {
            name: float(self.exposure(name) * prices[name] / equity)
            for name in names
            if name in prices
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """What the platform will refuse to exceed, in USD; a strategy may want to know."""

    position_usd: Decimal
    gross_usd: Decimal


@dataclass(frozen=True, slots=True)
class Weights:
    """Hold these shares of the equity; a symbol that is not named is sold.

    Weights are taken to a hundredth of a percent. `scores` are for the desk.
    """

    weights: Mapping[str, float]
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shares:
    """Hold these many shares; a symbol that is not named is sold."""

    shares: Mapping[str, int]
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """Trade nothing on this day. `failed` says that it would have, but could not."""

    reason: str
    failed: bool = False


Wanted = Weights | Shares | Hold


class Strategy(ABC):
    """The base of a strategy: give it `decide`, and `Parameters` and `window_days` as needed."""

    api_version: ClassVar[int] = API_VERSION

    class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """The strategy's own parameters; override with fields that have defaults."""

    def __init__(self, parameters: Mapping[str, int | str | bool], limits: Limits) -> None:
        """Read the parameters of the environment (a number with a point comes as text).

        Raises `BadParameters` for one that is unknown or does not fit.
        """
        try:
            self.parameters = msgspec.convert(dict(parameters), self.Parameters, strict=False)
        except msgspec.ValidationError as fault:
            known = ", ".join(self.Parameters.__struct_fields__) or "none"
            raise BadParameters(
                f"{type(self).__name__}: {fault}; it knows the parameters: {known}"
            ) from fault
        self.limits = limits

    @property
    def window_days(self) -> int:
        """How many days of closes `decide` wants to see."""
        return 1

    @property
    def brief(self) -> bool:
        """Whether `decide` takes about a millisecond: then it is not worth a thread of its own.

        While it runs, nothing else does in this process, answers to health checks included.
        """
        return False

    def warm(self) -> None:  # noqa: B027 - a strategy with nothing to load leaves it out
        """Load what is slow to load; called once, on a thread beside the engine.

        Must not change what `decide` answers: `decide` itself waits for what it needs.
        """

    @abstractmethod
    def decide(self, market: Market, holdings: Holdings) -> Wanted:
        """Return what to hold after this day."""
