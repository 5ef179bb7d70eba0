"""What travels to the page: one `Snapshot`, then a `Delta` for what changed since.

Amounts of money are strings with two digits after the point, right to the cent; ratios
and the points of the chart are numbers. Times are UTC milliseconds, days ISO dates.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

import msgspec

from apps.desk.ledger import usd

SourceState = Literal["up", "down", "starting"]

_CENT = Decimal("0.01")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The base of what is shown."""


class Figures(Row, frozen=True, kw_only=True):
    """The figures over the chart."""

    equity: str
    pnl: str
    pnl_ratio: float
    today: str
    today_ratio: float
    index_ratio: float
    """What the index gained since the first day."""
    cash: str
    gross: str
    gross_ratio: float
    drawdown: float
    deepest: float


class Latency(Row, frozen=True, kw_only=True):
    """Tick-to-order of the newest orders, in microseconds; null where there is none."""

    samples: int
    p50_us: float | None
    p99_us: float | None
    budget_us: int | None


class Tape(Row, frozen=True, kw_only=True):
    """The replayed day, and the seconds that a day takes, as measured; null at first."""

    day: str
    seq: int
    day_s: float | None


class Position(Row, frozen=True, kw_only=True):
    """One position; `pnl` is realized and unrealized, since the start."""

    symbol: str
    qty: int
    price: str
    value: str
    weight: float
    pnl: str
    today: str


class Order(Row, frozen=True, kw_only=True):
    """One order, and the microseconds from its tick to its leaving the gateway."""

    id: str
    index: int
    """Of the journal record that led to this state."""
    at_ms: int | None
    symbol: str
    side: str
    qty: int
    filled: int
    avg_px: str
    state: str
    reason: str
    latency_us: float | None


class Execution(Row, frozen=True, kw_only=True):
    """One fill."""

    key: str
    day: str
    at_ms: int
    symbol: str
    side: str
    qty: int
    price: str
    notional: str


class Verdict(Row, frozen=True, kw_only=True):
    """One decision of a strategy, and what became of it."""

    id: str
    strategy: str
    seq: int
    day: str
    verdict: str
    reason: str
    orders: int


class Health(Row, frozen=True, kw_only=True):
    """One service's own answer about its readiness."""

    name: str
    ready: bool
    detail: str
    took_ms: float | None


class Points(Row, frozen=True, kw_only=True):
    """Points of the chart from position `start` on: day, equity, index, in dollars."""

    start: int
    days: list[str]
    equity: list[float]
    index: list[float]


class Status(Row, frozen=True, kw_only=True):
    """Whether what is shown can be believed."""

    books: SourceState
    bus: SourceState
    halted: bool
    leader: str = ""
    """The site that leads the order path; empty before any did."""
    epoch: int = 0
    difference: str
    """Cash by the journal less cash by our ledger; empty while they agree."""
    detail: str


class Delta(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="t", tag="delta"):
    """What changed; rows replace those with the same key, `points` those from `start` on."""

    points: Points | None = None
    figures: Figures | None = None
    latency: Latency | None = None
    tape: Tape | None = None
    status: Status | None = None
    positions: list[Position] | None = None
    gone: list[str] | None = None
    """Positions that are flat now."""
    orders: list[Order] | None = None
    fills: list[Execution] | None = None
    decisions: list[Verdict] | None = None
    services: list[Health] | None = None


class Snapshot(msgspec.Struct, kw_only=True, tag_field="t", tag="snapshot"):
    """Everything, for a page that has just come; what it shows is replaced."""

    environment: str
    site: str
    tier: str
    keep: int
    """How many rows of orders, fills and decisions the page keeps."""
    state: Delta


def money(amount: int) -> str:
    """Return ten-thousandths of a dollar as dollars and cents."""
    return cents(usd(amount))


def cents(amount: Decimal) -> str:
    """Return dollars rounded to the cent."""
    return str(amount.quantize(_CENT, rounding=ROUND_HALF_EVEN))
