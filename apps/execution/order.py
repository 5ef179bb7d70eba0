"""An order as facts, and its FIX state as a function of them.

The facts are what the venue has claimed, which executions are booked, and what we did. They
only accumulate, so reports may arrive twice or in any order and the end is the same.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from apps.core.messages import Intent, OrderState, Side, Stamps


class End(StrEnum):
    """How the venue said that an order ended; `none` while it has not."""

    NONE = ""
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"


_STATES = {
    End.REJECTED: OrderState.REJECTED,
    End.EXPIRED: OrderState.EXPIRED,
    End.CANCELED: OrderState.CANCELED,
}


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, keyed (venue, day, exec_id, side)."""

    venue: str
    day: str
    exec_id: str
    side: Side
    symbol: str
    qty: int
    price: Decimal
    at_ns: int

    @property
    def key(self) -> str:
        """Return the key as one word."""
        return f"{self.venue}|{self.day}|{self.exec_id}|{self.side}"


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order: what was asked for, what the venue has said, what we have booked.

    `claimed` is the most that the venue has reported filled; `doubt` says that a request
    may have left and was not answered; `declined` why it will not be sent (again).
    """

    id: str
    decision: str
    symbol: str
    side: Side
    qty: int
    intent: Intent | None = None
    """What was journaled; None for an order that was first seen at the venue."""
    day: str = ""
    seq: int = 0
    expires_seq: int = 0
    probe: str = ""
    session: str = ""
    """The session that it was entered on first."""
    elsewhere: bool = False
    """It was entered again on another session than the first."""
    ways: tuple[str, ...] = ()
    """A session for each entry that may still be on its way: the venue has said nothing of it,
    and the session has not been down since."""
    stamps: Stamps = Stamps()
    sent: int = 0
    """How many times it was released to the gateway."""
    acknowledged: bool = False
    claimed: int = 0
    booked: frozenset[str] = frozenset()
    cum_qty: int = 0
    notional: Decimal = Decimal(0)
    end: End = End.NONE
    doubt: bool = False
    held: bool = False
    """In doubt, asked for, and nothing proves that it is absent."""
    stranded: bool = False
    """In doubt, and every session that it may have left on was cut since."""
    declined: str = ""
    cancel: str = ""
    """ClOrdID of the cancel that is under way."""
    cancels: int = 0
    reason: str = ""
    reported_ns: int = 0
    """The latest time of the venue on a report that said something new about it."""

    @property
    def missing(self) -> int:
        """Shares that the venue has reported filled and whose executions are not here."""
        return max(self.claimed - self.cum_qty, 0)

    @property
    def avg_px(self) -> Decimal:
        """The average price of what was filled; 0 before the first fill."""
        return self.notional / self.cum_qty if self.cum_qty else Decimal(0)

    @property
    def exists(self) -> bool:
        """Whether the venue is known to have accepted it."""
        return self.acknowledged or self.cum_qty > 0

    @property
    def state(self) -> OrderState:
        """The FIX order state that follows from the facts."""
        if self.cum_qty >= self.qty:
            return OrderState.FILLED
        if self.end is not End.NONE:
            return _STATES[self.end] if not self.missing else OrderState.IN_DOUBT
        if self.declined and not self.exists and not self.doubt:
            return OrderState.REJECTED
        if self.doubt or self.missing:
            return OrderState.IN_DOUBT
        if self.cancel:
            return OrderState.PENDING_CANCEL
        if self.cum_qty:
            return OrderState.PARTIALLY_FILLED
        if self.acknowledged:
            return OrderState.NEW
        return OrderState.PENDING_NEW if self.sent else OrderState.JOURNALED

    @property
    def settled(self) -> bool:
        """Whether its state is known, executions sum to it, and none can follow."""
        return self.state.settled

    @property
    def leaves(self) -> int:
        """Shares that may yet be executed, or were and are not booked: the worst case.

        0 for an order that is settled. Asked of every open order by every decision, which is
        why it does not go by `state`.
        """
        if self.cum_qty >= self.qty:
            return 0
        if self.end is not End.NONE:
            return self.missing
        if self.declined and not self.exists and not self.doubt:
            return 0
        return self.qty - self.cum_qty

    @property
    def signed_leaves(self) -> int:
        """`leaves`, negative for a sale."""
        return self.leaves if self.side is Side.BUY else -self.leaves

    @property
    def unanswered(self) -> bool:
        """Whether the venue owes an answer to the order itself."""
        return not self.settled and not self.exists and self.end is End.NONE

    @property
    def refused_entry(self) -> bool:
        """Whether it is surely not at the venue, whose throttle refused its only entry."""
        return self.sent == 0 and self.intent is not None and self.unanswered and not self.doubt
