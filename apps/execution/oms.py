"""Order management: the FIX order states as a pure state machine.

An order keeps facts (what the venue has claimed, which executions are booked, what we
did), and its state is a function of them. Facts only accumulate, so reports may arrive
twice or in any order and the end is the same. Only executions are booked; a report that
claims more filled than is booked keeps the order unsettled until the executions arrive.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from apps.core.messages import Decision, Intent, OrderState, Side, Stamps
from apps.core.records import ReportKind, ReportSeen

CANCEL = ".c"
"""Between the id of an order and the number of a cancel of it."""
TOO_LATE_TO_CANCEL = 0
UNKNOWN_ORDER_TO_CANCEL = 1
"""CxlRejReason (102)."""
UNKNOWN_ORDER = 5
DUPLICATE_ORDER = 6
"""OrdRejReason (103)."""


class End(StrEnum):
    """How the venue said that an order ended; `none` while it has not."""

    NONE = ""
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELED = "canceled"


_RANK = {End.NONE: 0, End.REJECTED: 1, End.EXPIRED: 2, End.CANCELED: 3}
_ENDS = {"4": End.CANCELED, "C": End.EXPIRED, "3": End.EXPIRED, "8": End.REJECTED}
"""OrdStatus (39) that end an order before it is filled."""
_STATES = {
    End.REJECTED: OrderState.REJECTED,
    End.EXPIRED: OrderState.EXPIRED,
    End.CANCELED: OrderState.CANCELED,
}
_CHANGES = frozenset({"H", "G"})
"""ExecType of a broken or corrected trade, which no venue profile of ours promises."""


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
    """In doubt, and the session that it may have left on was cut since."""
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


class Answer(StrEnum):
    """What a report says about the existence of an order."""

    EXISTS = "exists"
    UNKNOWN = "unknown"
    """The venue does not know it."""
    DUPLICATE = "duplicate"
    """The venue refused this request because it has the order already."""
    NONE = "none"
    """Nothing about that."""


Oddity = Literal["overfilled", "unhandled"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a report changes: the order after it, and the execution to book, if any."""

    order: Order
    execution: Execution | None = None
    oddity: Oddity | None = None
    """`overfilled`: booked, though it exceeds the order. `unhandled`: needs a person."""


def answer(report: ReportSeen) -> Answer:
    """Return what a report says about the existence of the order that it is about."""
    if report.kind is ReportKind.CANCEL_REJECT:
        unknown = report.reason_code == UNKNOWN_ORDER_TO_CANCEL
        return Answer.UNKNOWN if unknown else Answer.NONE
    if report.kind is not ReportKind.EXECUTION:
        return Answer.NONE
    if report.ord_status == "8" and report.reason_code == UNKNOWN_ORDER:
        return Answer.UNKNOWN
    if report.exec_type == "8" and report.reason_code == DUPLICATE_ORDER:
        return Answer.DUPLICATE
    return Answer.EXISTS


def execution_of(report: ReportSeen, order: Order) -> Execution | None:
    """Return the execution that a report carries."""
    if report.exec_type != "F" or report.last_qty <= 0:
        return None
    return Execution(
        venue=report.venue,
        day=report.day or order.day,
        exec_id=report.exec_id,
        side=report.side or order.side,
        symbol=report.symbol or order.symbol,
        qty=report.last_qty,
        price=report.last_px,
        at_ns=report.at_ns,
    )


def report(order: Order, seen: ReportSeen) -> Step:
    """Return the order after a report; the same order where it says nothing new."""
    match answer(seen):
        case Answer.UNKNOWN:
            # Unknown is no proof of absence: `apps.execution.settle` decides what follows.
            cleared = seen.kind is ReportKind.CANCEL_REJECT and order.cancel
            return Step(order=msgspec.structs.replace(order, cancel="") if cleared else order)
        case Answer.DUPLICATE:
            # It exists, and what we know of it is not its state: ask, and adopt the answer.
            if order.exists or order.settled:
                return Step(order=order)
            known = msgspec.structs.replace(order, acknowledged=True, doubt=True, held=False)
            return Step(order=known)
        case Answer.NONE:
            return Step(order=_refused(order, seen))
        case Answer.EXISTS:
            return _claimed(order, seen)


def _refused(order: Order, seen: ReportSeen) -> Order:
    """Return the order after a request about it was refused: only its entry can end it."""
    if seen.kind is ReportKind.CANCEL_REJECT or seen.refused == "F":
        # A cancel that came too soon is still owed, and is repeated.
        return order if seen.throttled else msgspec.structs.replace(order, cancel="")
    if order.exists or order.settled or seen.refused not in {"", "D"}:
        return order
    if seen.throttled:
        return not_entered(order)
    return msgspec.structs.replace(order, end=End.REJECTED, reason=seen.text, doubt=False)


def _claimed(order: Order, seen: ReportSeen) -> Step:
    if seen.exec_type in _CHANGES:
        return Step(order=order, oddity="unhandled")
    end = _ENDS.get(seen.ord_status, End.NONE)
    end = max(order.end, end, key=_RANK.__getitem__)
    after = msgspec.structs.replace(
        order,
        acknowledged=order.acknowledged or seen.ord_status not in {"8", "A"},
        claimed=max(order.claimed, seen.cum_qty, order.qty if seen.ord_status == "2" else 0),
        end=end,
        doubt=False,
        held=False,
        cancel="" if end is not End.NONE else order.cancel,
        reason=seen.text if end is not order.end and seen.text else order.reason,
    )
    execution = execution_of(seen, order)
    if execution is None or execution.key in order.booked:
        return Step(order=after)
    cum_qty = order.cum_qty + execution.qty
    after = msgspec.structs.replace(
        after,
        acknowledged=True,
        booked=order.booked | {execution.key},
        cum_qty=cum_qty,
        claimed=max(after.claimed, cum_qty),
        notional=order.notional + execution.qty * execution.price,
    )
    return Step(
        order=after,
        execution=execution,
        oddity="overfilled" if cum_qty > order.qty else None,
    )


def journaled(intent: Intent, decision: Decision, *, session: str, stamps: Stamps) -> Order:
    """Return the order that an accepted intent becomes, to be sent on `session`."""
    return Order(
        id=intent.id,
        decision=decision.id,
        symbol=intent.symbol,
        side=intent.side,
        qty=intent.qty,
        intent=intent,
        seq=decision.seq,
        day=decision.day,
        expires_seq=decision.expires_seq,
        probe=decision.probe,
        session=session,
        stamps=stamps,
        sent=1,
    )


def adopted(seen: ReportSeen) -> Order | None:
    """Return an order for a report about one that we never journaled; None if it tells too little.

    The firm holds what its venue says that it holds, whoever asked for it.
    """
    if answer(seen) is not Answer.EXISTS or seen.side is None or not seen.symbol:
        return None
    if seen.ord_status == "8":
        return None
    return Order(
        id=seen.order,
        decision="",
        symbol=seen.symbol,
        side=seen.side,
        qty=max(seen.qty, seen.cum_qty, seen.last_qty),
        day=seen.day,
        session=seen.session,
        reason="first seen at the venue",
    )


def in_doubt(order: Order, *, stranded: bool) -> Order:
    """Return the order with its unanswered request in doubt.

    `stranded`: the session that it may have left on was cut.
    """
    if not order.unanswered or order.refused_entry:
        return order
    stranded = order.stranded or stranded
    return msgspec.structs.replace(order, doubt=True, held=False, stranded=stranded)


def reentered(order: Order, session: str) -> Order:
    """Return the order as sent (again) under the same ClOrdID: it is wanted (again).

    `session` is the one that it leaves on now; where a former entry left on another, that
    one counts: nothing that happens to ours can prove that the former did not arrive.
    """
    return msgspec.structs.replace(
        order,
        doubt=False,
        held=False,
        stranded=False,
        declined="",
        sent=order.sent + 1,
        session=order.session if order.sent else session,
    )


def not_entered(order: Order) -> Order:
    """Return the order without its last entry, which the venue's throttle refused.

    Of former entries that proves nothing: one that was entered again is in doubt as before.
    """
    order = msgspec.structs.replace(order, sent=max(order.sent - 1, 0))
    if order.sent:
        return in_doubt(order, stranded=False)
    return msgspec.structs.replace(order, doubt=False, held=False)


def withheld(order: Order, reason: str) -> Order:
    """Return the order as kept back by the gateway.

    One that was to be entered for the first time cannot be at the venue; one that was to
    be entered again is in doubt as before.
    """
    if order.sent > 1:
        order = msgspec.structs.replace(order, sent=order.sent - 1)
        return in_doubt(order, stranded=False)
    return declined(order, reason)


def declined(order: Order, reason: str) -> Order:
    """Return the order as never to be sent (again), its absence at the venue proven."""
    if order.exists:
        return order
    return msgspec.structs.replace(order, doubt=False, held=False, declined=reason, reason=reason)


def held(order: Order, reason: str) -> Order:
    """Return the order as in doubt for good: neither known nor provably absent."""
    return msgspec.structs.replace(order, doubt=True, held=True, declined=reason, reason=reason)


def next_cancel(order: Order) -> str:
    """Return the ClOrdID of a cancel: of the one under way, or of the next one of the order.

    Whoever knows as many records names it alike, so that a repetition is the same request.
    """
    return order.cancel or f"{order.id}{CANCEL}{order.cancels + 1}"


def cancelling(order: Order, cancel: str) -> Order:
    """Return the order with a cancel under way."""
    return msgspec.structs.replace(order, cancel=cancel, cancels=order.cancels + 1)
