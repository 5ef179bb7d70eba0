"""The messages on the bus and the records in the journal.

Every message carries `v`, the version of its form; a release reads and writes its
predecessor's. Prices are Decimal, quantities whole shares, times UTC nanoseconds,
durations in the unit that their name says. Encoded as JSON, so that a person can read
the bus, the journal and the evidence.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec


class Side(StrEnum):
    """The side of an order, as FIX 54 writes it in words."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """FIX 40."""

    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(StrEnum):
    """FIX 59."""

    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The base of every message."""

    v: int = 1


class Stamps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a message passed each point of the chain, UTC nanoseconds; 0 where it did not."""

    data_in: int = 0
    published: int = 0
    decided: int = 0
    received: int = 0
    journaled: int = 0
    sent: int = 0


class Close(Message, frozen=True, kw_only=True, tag="close"):
    """One replayed day of the market: the closing price of every instrument.

    Stream `md`. `seq` is the venue's market-data sequence and the decision time of all
    that follows from it; `day` is the ISO date, `event_ns` the time of the close.
    A `probe` (its id) carries the last day's prices again, to be decided upon but not
    traded: what comes out of it goes to the venue's test symbol.
    """

    seq: int
    day: str
    event_ns: int
    prices: dict[str, Decimal]
    stamps: Stamps
    probe: str = ""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An order that the platform has decided to send.

    `id` is the ClOrdID: deterministic (strategy, decision, symbol, leg).
    """

    id: str
    symbol: str
    side: Side
    qty: int
    order_type: OrderType = OrderType.LIMIT
    limit: Decimal | None = None
    tif: TimeInForce = TimeInForce.IOC


class Decision(Message, frozen=True, kw_only=True, tag="decision"):
    """All intents that follow from one market event; stream `intents`.

    Void once market data has passed `expires_seq`. A decision without intents says that
    the strategy holds.
    """

    strategy: str
    seq: int
    day: str
    expires_seq: int
    intents: tuple[Intent, ...]
    targets: dict[str, int] = {}
    """Target position in shares by symbol, for the desk; empty where it holds."""
    scores: dict[str, float] = {}
    note: str = ""
    """Why it holds, for a person; empty where it trades."""
    probe: str = ""
    stamps: Stamps = Stamps()

    @property
    def id(self) -> str:
        """Return the id of the decision: strategy and market-data sequence (or probe)."""
        return f"{self.strategy}-{self.probe or self.seq}"


class OrderState(StrEnum):
    """FIX order states (39), those before the venue answered, and doubt."""

    JOURNALED = "journaled"
    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    IN_DOUBT = "in_doubt"

    @property
    def settled(self) -> bool:
        """Whether no further execution can come."""
        return self in _SETTLED


_SETTLED = frozenset(
    {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED}
)


class OrderUpdate(Message, frozen=True, kw_only=True, tag="order"):
    """The state of an order after a journal record was applied; stream `orders`."""

    index: int
    """Journal index of the record that led here."""
    id: str
    decision: str
    symbol: str
    side: Side
    qty: int
    state: OrderState
    cum_qty: int
    avg_px: Decimal
    reason: str = ""
    probe: str = ""
    stamps: Stamps = Stamps()


class Fill(Message, frozen=True, kw_only=True, tag="fill"):
    """An execution, booked once; stream `orders`. Keyed (venue, day, exec_id, side)."""

    index: int
    order: str
    exec_id: str
    venue: str
    day: str
    symbol: str
    side: Side
    qty: int
    price: Decimal
    at_ns: int


class DecisionDone(Message, frozen=True, kw_only=True, tag="decision_done"):
    """Every order of a decision is settled (or was refused); stream `orders`."""

    index: int
    decision: str
    seq: int
    verdict: Literal["done", "refused", "divergent", "expired"] = "done"
    reason: str = ""


class Portfolio(Message, frozen=True, kw_only=True, tag="portfolio"):
    """What the journal says the firm holds; key `portfolio`, rewritten after each change.

    `last_decision` is the `seq` of the last journaled decision by strategy name.
    """

    index: int
    cash: Decimal
    positions: dict[str, int]
    open_qty: dict[str, int]
    """Signed shares of orders not yet settled, by symbol."""
    last_decision: dict[str, int]
    halted: bool
    epoch: int = 0
    leader: str = ""
    """The site that leads the order path under that epoch."""


BusMessage = Close | Decision | OrderUpdate | Fill | DecisionDone | Portfolio

_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder: msgspec.json.Decoder[BusMessage] = msgspec.json.Decoder(BusMessage)


def encode(message: BusMessage) -> bytes:
    """Return a message as JSON."""
    return _encoder.encode(message)


def decode(raw: bytes) -> BusMessage:
    """Return the message that `raw` holds; `msgspec.ValidationError` where it holds none."""
    return _decoder.decode(raw)
