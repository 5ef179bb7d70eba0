"""What the page shows, kept in memory: messages go in, what changed comes out.

Pure: no clock, no socket. `take` returns the changes since the last `take`; `snapshot`
returns everything.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

import msgspec

from apps.core.messages import Close, DecisionDone, Fill, OrderUpdate, Portfolio, Side
from apps.desk import summary, wire
from apps.desk.ledger import Booking, Ledger, units, usd
from apps.desk.recent import Recent
from apps.desk.wire import Delta, Snapshot, SourceState, cents

KEEP = 60
"""Rows of orders, fills and decisions that are shown."""
SAMPLES = 1_000
"""Orders over which tick-to-order is summed up."""
PACE = 8
"""Gaps between days over which the speed of the replay is measured."""

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Board:
    """The state of the page."""

    def __init__(
        self, environment: str, site: str, tier: str, budget_us: int | None, capital: Decimal
    ) -> None:
        """Start empty, with the capital in cash."""
        self._who = (environment, site, tier)
        self._budget_us = budget_us
        self._arrivals = deque[int](maxlen=PACE + 1)
        self._services: dict[str, wire.Health] = {}
        self._status = wire.Status(
            books="starting", bus="starting", halted=False, difference="", detail=""
        )
        self.ledger = Ledger(capital)
        self._orders = Recent[wire.Order](KEEP)
        self._fills = Recent[wire.Execution](KEEP)
        self._decisions = Recent[wire.Verdict](KEEP)
        self._orders_of = OrderedDict[str, set[str]]()
        self._latency = OrderedDict[str, int]()
        self._day_of = OrderedDict[int, str]()
        self._changed = True
        self._restated: int | None = None
        self._sent = Delta()
        self._sent_positions: dict[str, wire.Position] = {}
        self._figures = summary.figures(self.ledger)
        self._positions = summary.positions(self.ledger)

    def successor(self) -> Board:
        """Return a board to be read from the books anew; it knows what they do not hold."""
        environment, site, tier = self._who
        fresh = Board(environment, site, tier, self._budget_us, usd(self.ledger.capital))
        fresh._arrivals, fresh._services = self._arrivals, self._services
        fresh._status = self._status
        return fresh

    @property
    def status(self) -> wire.Status:
        """Whether what is shown can be believed."""
        return self._status

    # What comes in.

    def close(self, message: Close) -> None:
        """Take a day of closes; probes and days seen before change nothing."""
        if message.probe or not self.ledger.close(message.seq, message.day, message.prices):
            return
        _keep(self._day_of, message.seq, message.day, KEEP)
        if message.stamps.data_in:
            self._arrivals.append(message.stamps.data_in)
        self._restate(len(self.ledger.days) - 1)

    def fill(self, message: Fill) -> None:
        """Take an execution; one booked before changes nothing."""
        key = (message.venue, message.day, message.exec_id, message.side.value)
        signed = message.qty if message.side is Side.BUY else -message.qty
        first = self.ledger.book(Booking(key, message.day, message.symbol, signed, message.price))
        if first is None:
            return
        self._restate(first)
        row = wire.Execution(
            key="/".join(key),
            day=message.day,
            at_ms=message.at_ns // 1_000_000,
            symbol=message.symbol,
            side=message.side.value,
            qty=message.qty,
            price=cents(message.price),
            notional=cents(message.price * message.qty),
        )
        self._fills.put(row.key, row)

    def order(self, message: OrderUpdate) -> None:
        """Take the state of an order; a probe's counts for the latency alone.

        One older than what is shown changes nothing.
        """
        known = self._orders.get(message.id)
        if known is not None and known.index > message.index:
            return
        stamps = message.stamps
        took_us = summary.tick_to_order_us(stamps)
        if took_us is not None and message.id not in self._latency:
            _keep(self._latency, message.id, stamps.sent - stamps.data_in, SAMPLES)
        if message.probe:
            return
        if message.decision not in self._orders_of:
            _keep(self._orders_of, message.decision, set(), KEEP)
        self._orders_of[message.decision].add(message.id)
        row = wire.Order(
            id=message.id,
            index=message.index,
            at_ms=(stamps.data_in or stamps.received) // 1_000_000 or None,
            symbol=message.symbol,
            side=message.side.value,
            qty=message.qty,
            filled=message.cum_qty,
            avg_px=cents(message.avg_px) if message.cum_qty else "",
            state=message.state.value,
            reason=message.reason,
            latency_us=took_us,
        )
        self._orders.put(row.id, row)

    def decided(self, message: DecisionDone, day: str = "", orders: int | None = None) -> None:
        """Take what became of a decision; a probe's is not shown.

        `day` and `orders` (how many it had) are what the books say, where they were asked.
        """
        strategy, _, number = message.decision.rpartition("-")
        if number != str(message.seq):
            return
        known = self._decisions.get(message.decision)
        if orders is None:
            orders = known.orders if known else len(self._orders_of.get(message.decision, ()))
        row = wire.Verdict(
            id=message.decision,
            strategy=strategy,
            seq=message.seq,
            day=day or (known.day if known else self._day_of.get(message.seq, "")),
            verdict=message.verdict,
            reason=message.reason,
            orders=orders,
        )
        self._decisions.put(row.id, row)

    def health(self, rows: Iterable[wire.Health]) -> None:
        """Take what the services answered."""
        self._services = {row.name: row for row in rows}

    def told(self, portfolio: Portfolio | None) -> Decimal:
        """Take what the journal says; return its cash less that of our ledger."""
        self._set(halted=portfolio is not None and portfolio.halted)
        if portfolio is not None:
            self._set(leader=portfolio.leader, epoch=portfolio.epoch)
        return usd(units(portfolio.cash) - self.ledger.cash) if portfolio else Decimal(0)

    def differs(self, cash: Decimal) -> None:
        """Show that the journal's cash differs from ours by an amount that stays; 0 ends it."""
        self._set(difference=cents(cash) if cash else "")

    def source(
        self, *, books: SourceState | None = None, bus: SourceState | None = None, detail: str = ""
    ) -> None:
        """Note whether the books and the bus can be read, and why one cannot."""
        self._set(books=books or self._status.books, bus=bus or self._status.bus, detail=detail)

    # What goes out.

    def snapshot(self) -> Snapshot:
        """Return everything."""
        environment, site, tier = self._who
        self._sum_up()
        state = self._whole()
        state.points = summary.points(self.ledger, 0)
        state.positions = list(self._positions.values())
        state.orders = self._orders.all()
        state.fills = self._fills.all()
        state.decisions = self._decisions.all()
        return Snapshot(environment=environment, site=site, tier=tier, keep=KEEP, state=state)

    def take(self) -> Delta | None:
        """Return what changed since the last time; None where nothing did."""
        self._sum_up()
        whole = self._whole()
        delta = Delta(
            orders=self._orders.take(), fills=self._fills.take(), decisions=self._decisions.take()
        )
        if self._restated is not None:
            delta.points = summary.points(self.ledger, self._restated)
            self._restated = None
        before, now = self._sent_positions, self._positions
        delta.positions = [row for key, row in now.items() if before.get(key) != row] or None
        delta.gone = [key for key in before if key not in now] or None
        for name in ("figures", "latency", "tape", "status", "services"):
            if getattr(whole, name) != getattr(self._sent, name):
                setattr(delta, name, getattr(whole, name))
        self._sent, self._sent_positions = whole, now
        return None if delta == Delta() else delta

    def _whole(self) -> Delta:
        """Return the parts that are sent whole."""
        return Delta(
            figures=self._figures,
            latency=summary.latency(self._latency.values(), self._budget_us),
            tape=summary.tape(self.ledger, self._arrivals),
            status=self._status,
            services=list(self._services.values()),
        )

    def _sum_up(self) -> None:
        """Sum the ledger up again where it changed."""
        if self._changed:
            self._changed = False
            self._figures = summary.figures(self.ledger)
            self._positions = summary.positions(self.ledger)

    def _restate(self, first: int) -> None:
        self._changed = True
        self._restated = first if self._restated is None else min(first, self._restated)

    def _set(self, **changes: object) -> None:
        self._status = msgspec.structs.replace(self._status, **changes)


def _keep(rows: OrderedDict[KeyT, ValueT], key: KeyT, value: ValueT, most: int) -> None:
    """Add a value under a key; drop the oldest beyond `most`."""
    rows[key] = value
    while len(rows) > most:
        rows.popitem(last=False)
