"""Order management: the FIX order states as a pure state machine.

What a report, a disconnect or an entry makes of an order. Only executions are booked; a
report that claims more filled than is booked keeps the order unsettled until the executions
arrive.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from apps.core.messages import Decision, Intent, Stamps
from apps.core.records import ReportKind, ReportSeen
from apps.execution.order import End, Execution, Order

CANCEL = ".c"
"""Between the id of an order and the number of a cancel of it."""
TOO_LATE_TO_CANCEL = 0
UNKNOWN_ORDER_TO_CANCEL = 1
"""CxlRejReason (102)."""
UNKNOWN_ORDER = 5
DUPLICATE_ORDER = 6
"""OrdRejReason (103)."""


_RANK = {End.NONE: 0, End.REJECTED: 1, End.EXPIRED: 2, End.CANCELED: 3}
_ENDS = {"4": End.CANCELED, "C": End.EXPIRED, "3": End.EXPIRED, "8": End.REJECTED}
"""OrdStatus (39) that end an order before it is filled."""
_CHANGES = frozenset({"H", "G"})
"""ExecType of a broken or corrected trade, which no venue profile of ours promises."""


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
        return not_entered(order, seen.session)
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
        ways=(session,),
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


def in_doubt(order: Order, *, cut: str) -> Order:
    """Return the order with its unanswered request in doubt.

    `cut`: a session that is down, or was since; empty for none. What left on it cannot arrive
    any more, and what left on others can.
    """
    if not order.unanswered or order.refused_entry:
        return order
    ways = tuple(way for way in order.ways if way != cut)
    return msgspec.structs.replace(order, doubt=True, held=False, ways=ways, stranded=not ways)


def reentered(order: Order, session: str) -> Order:
    """Return the order as sent (again) under the same ClOrdID: it is wanted (again).

    `session` is the one that it leaves on now. What happens to it proves nothing of an entry
    that left on another, nor the other way round: each is a way of its own.
    """
    return msgspec.structs.replace(
        order,
        doubt=False,
        held=False,
        stranded=False,
        declined="",
        sent=order.sent + 1,
        session=order.session if order.sent else session,
        elsewhere=order.elsewhere or (order.sent > 0 and session != order.session),
        ways=(*order.ways, session),
    )


def not_entered(order: Order, session: str) -> Order:
    """Return the order without its last entry, which the venue's throttle refused on a session.

    Of former entries that proves nothing: one that was entered again is in doubt as before.
    """
    order = _without_last(order, session)
    if order.sent:
        return in_doubt(order, cut="")
    return msgspec.structs.replace(order, doubt=False, held=False)


def withheld(order: Order, reason: str, session: str) -> Order:
    """Return the order as kept back by the gateway, on the session that it was to leave on.

    One that was to be entered for the first time cannot be at the venue; one that was to
    be entered again is in doubt as before.
    """
    if order.sent > 1:
        return in_doubt(_without_last(order, session), cut="")
    return declined(order, reason)


def _without_last(order: Order, session: str) -> Order:
    """Return the order without its last entry, which was made on a session and did not leave."""
    ways = list(order.ways)
    if session in ways:
        ways.remove(session)
    return msgspec.structs.replace(order, sent=max(order.sent - 1, 0), ways=tuple(ways))


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
