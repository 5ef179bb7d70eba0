"""The state of the order path: what the journal's records, applied in order, lead to.

Leader, follower, projector and simulator hold the same one; only `apps.execution.apply`
changes it. Values inside are frozen, so that a fork is cheap.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from apps.core.fix import Purpose, comp_id
from apps.core.messages import OrderState
from apps.core.messages import Portfolio as PortfolioMessage
from apps.core.records import HaltSeen, Outcome
from apps.execution.order import Order
from apps.execution.portfolio import Portfolio
from apps.execution.risk import Exposure

SECOND_NS = 1_000_000_000
TOGETHER_NS = 10_000_000
"""Orders accepted within so long are counted as one entry."""
NOTHING = Exposure()


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that was journaled: by what content, and which of its orders are open."""

    id: str
    seq: int
    digest: str
    outcome: Outcome
    reason: str = ""
    open: frozenset[str] = frozenset()


class State(msgspec.Struct, kw_only=True):
    """Everything that the records so far say. Values inside are frozen; `fork` is cheap."""

    v: int = 1
    index: int = 0
    epoch: int = 0
    site: str = ""
    """Where the leader is."""
    session: str = ""
    """The order session that it sends on."""
    capital_usd: Decimal = Decimal(0)
    portfolio: Portfolio = Portfolio()
    orders: dict[str, Order] = {}
    open: dict[str, None] = {}
    """Ids of the orders that are not settled, in the order of their arrival."""
    decisions: dict[str, Taken] = {}
    last_decision: dict[str, int] = {}
    source: str = "0-0"
    """The bus id of the last journaled decision, on the bus of the site that led then."""
    sources: dict[str, str] = {}
    """The bus id of the last decision that was journaled from each site's own bus."""
    forgotten_ns: int = 0
    """No order that was forgotten was reported on after this time of the venue."""
    inbound: dict[str, int] = {}
    """The last inbound MsgSeqNum accounted for, by session."""
    up: dict[str, None] = {}
    """Sessions that are logged on."""
    halt: HaltSeen | None = None
    accepted_ns: tuple[tuple[int, int], ...] = ()
    """When orders were accepted within the last second of event time, and how many.

    What was accepted within the same hundredth of a second counts as accepted at its last.
    """

    def fork(self) -> State:
        """Return a state that changes apart from this one."""
        return State(
            v=self.v,
            index=self.index,
            epoch=self.epoch,
            site=self.site,
            session=self.session,
            capital_usd=self.capital_usd,
            portfolio=self.portfolio,
            orders=self.orders.copy(),
            open=self.open.copy(),
            decisions=self.decisions.copy(),
            last_decision=self.last_decision.copy(),
            source=self.source,
            sources=self.sources.copy(),
            forgotten_ns=self.forgotten_ns,
            inbound=self.inbound.copy(),
            up=self.up.copy(),
            halt=self.halt,
            accepted_ns=self.accepted_ns,
        )

    @property
    def halted(self) -> bool:
        """Whether the kill switch is on, as far as it was journaled."""
        return self.halt is not None

    def open_orders(self) -> list[Order]:
        """Return the orders that are not settled."""
        return [self.orders[order] for order in self.open]

    def in_doubt(self) -> list[Order]:
        """Return the orders in doubt."""
        return [
            order
            for order in self.open_orders()
            if (order.doubt or order.missing) and order.state is OrderState.IN_DOUBT
        ]

    def exposures(self, without: str = "") -> dict[str, Exposure]:
        """Return what is held and what is reserved, by symbol; `without` one order."""
        found = {s: Exposure(p.qty) for s, p in self.portfolio.positions.items() if p.qty}
        for order in self.open_orders():
            leaves = order.leaves
            if leaves and order.id != without:
                before = found.get(order.symbol, NOTHING)
                found[order.symbol] = before.with_order(order.side, leaves)
        return found

    def accept(self, orders: int, at_ns: int) -> None:
        """Count orders that were accepted at an event."""
        recent = self.accepted_ns
        if recent and recent[-1][0] // TOGETHER_NS == at_ns // TOGETHER_NS:
            last_ns, already = recent[-1]
            self.accepted_ns = (*recent[:-1], (max(last_ns, at_ns), already + orders))
        else:
            kept = (entry for entry in recent if abs(entry[0] - at_ns) <= SECOND_NS)
            self.accepted_ns = (*kept, (at_ns, orders))

    def accepted_last_second(self, now_ns: int) -> int:
        """Return how many orders were accepted in the second before an event.

        What lies more than a second ahead was accepted before the clock was set back.
        """
        first_ns, last_ns = now_ns - SECOND_NS, now_ns + SECOND_NS
        return sum(count for at_ns, count in self.accepted_ns if first_ns < at_ns <= last_ns)

    def source_of(self, site: str) -> str:
        """Return the id on a site's own bus of the last decision journaled from there."""
        return self.sources.get(site, self.source if site == self.site else "0-0")

    def message(self) -> PortfolioMessage:
        """Return the portfolio as the bus is told it."""
        open_qty: dict[str, int] = {}
        for order in self.open_orders():
            if order.leaves and not order.probe:
                open_qty[order.symbol] = open_qty.get(order.symbol, 0) + order.signed_leaves
        held = self.portfolio.positions
        return PortfolioMessage(
            index=self.index,
            cash=self.portfolio.cash,
            positions={symbol: p.qty for symbol, p in held.items() if p.qty},
            open_qty=open_qty,
            last_decision=dict(self.last_decision),
            halted=self.halted,
            epoch=self.epoch,
            leader=self.site,
        )


_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(State)


def encode(state: State) -> bytes:
    """Return a state as JSON, for a snapshot."""
    return _encoder.encode(state)


def decode(raw: bytes) -> State:
    """Return the state that a snapshot holds, a former release's too."""
    state = _decoder.decode(raw)
    if state.site and not state.session:
        state.session = comp_id(state.site, Purpose.ORDERS)
    for order in state.open_orders():
        # A release before them wrote no ways: every entry counted as one on the first session.
        if order.sent and order.unanswered and not order.ways and not order.stranded:
            state.orders[order.id] = msgspec.structs.replace(order, ways=(order.session,))
    return state
