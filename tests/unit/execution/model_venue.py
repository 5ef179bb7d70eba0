"""A venue as a model: one order session with sequence numbers, a duplicate fence, IOC orders.

Requests and reports travel on queues that a test moves by hand, so that it can cut the
connection, lose what was on the way, and deliver late.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from apps.core.messages import Side
from apps.core.records import ReportKind, ReportSeen
from apps.execution.order import Order

DAY = "2010-01-05"
SESSION = "OPS-A-ORD"
PRICE = Decimal("10.0000")


@dataclass
class AtVenue:
    """An order as the venue has it."""

    id: str
    symbol: str
    side: Side
    qty: int
    cum: int = 0
    status: str = "0"


@dataclass
class ModelVenue:
    """Accepts each id once; `out` is the session's store: report n has MsgSeqNum n."""

    orders: dict[str, AtVenue] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    executions: list[tuple[str, str, Side, int]] = field(default_factory=list)
    requests: list[tuple[str, Order]] = field(default_factory=list)
    out: list[ReportSeen] = field(default_factory=list)

    def handle(self, fill: int) -> None:
        """Take the next request; an order fills up to `fill` shares and is then cancelled.

        A negative `fill` leaves it resting.
        """
        kind, order = self.requests.pop(0)
        known = self.orders.get(order.id)
        if kind == "status":
            self._status(order)
        elif kind == "cancel":
            if known is not None and known.status in "01":
                self._finish(known)
            else:
                self._report(order, known, kind=ReportKind.CANCEL_REJECT, reason=1)
        elif known is not None:
            self._report(order, known, exec_type="8", status="8", reason=6)
        else:
            self._enter(order, fill)

    def _enter(self, order: Order, fill: int) -> None:
        known = AtVenue(order.id, order.symbol, order.side, order.qty)
        self.orders[order.id] = known
        self.accepted.append(order.id)
        self._report(order, known, exec_type="0", status="0")
        if fill < 0:
            return
        first = min(fill, order.qty) // 2
        for qty in (first, min(fill, order.qty) - first):
            self._execute(known, qty)
        if known.status != "2":
            self._finish(known)

    def _execute(self, known: AtVenue, qty: int) -> None:
        if qty <= 0:
            return
        known.cum += qty
        known.status = "2" if known.cum == known.qty else "1"
        exec_id = f"E{len(self.executions) + 1}"
        self.executions.append((known.id, known.symbol, known.side, qty))
        self._report(None, known, exec_type="F", status=known.status, exec_id=exec_id, last=qty)

    def _finish(self, known: AtVenue) -> None:
        known.status = "4"
        self._report(None, known, exec_type="4", status="4")

    def trade(self, order_id: str, qty: int) -> None:
        """Execute shares of a resting order."""
        known = self.orders[order_id]
        if known.status in "01":
            self._execute(known, min(qty, known.qty - known.cum))

    def _status(self, order: Order) -> None:
        known = self.orders.get(order.id)
        if known is None:
            self._report(order, None, exec_type="I", status="8", reason=5, asked=order.sent)
        else:
            self._report(order, known, exec_type="I", status=known.status)

    def _report(
        self,
        order: Order | None,
        known: AtVenue | None,
        *,
        kind: ReportKind = ReportKind.EXECUTION,
        exec_type: str = "",
        status: str = "",
        reason: int | None = None,
        exec_id: str = "",
        last: int = 0,
        asked: int = 0,
    ) -> None:
        about = known or order
        assert about is not None
        self.out.append(
            ReportSeen(
                session=SESSION,
                seq=len(self.out) + 1,
                kind=kind,
                venue="VENUE",
                received_ns=0,
                order=about.id,
                exec_id=exec_id,
                exec_type=exec_type,
                ord_status=status,
                day=DAY,
                symbol=about.symbol,
                side=about.side,
                qty=about.qty,
                cum_qty=known.cum if known and reason is None else 0,
                last_qty=last,
                last_px=PRICE if last else Decimal(0),
                reason_code=reason,
                asked=asked,
            )
        )

    def open_shares(self, order_id: str) -> int:
        """Return the shares that the venue executed or may yet execute of an order."""
        known = self.orders.get(order_id)
        if known is None:
            return 0
        return known.qty if known.status in "01" else known.cum
