"""Applying the journal's records: the only way that the state of the order path changes.

So leader, follower, projector of open state and simulator agree. `apply` returns actions:
what a leader must now do in the world, and what the bus is told. A replay applies the
same records and drops the actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from apps.core.fix import Purpose, comp_id
from apps.core.messages import DecisionDone, Fill, OrderState, OrderUpdate, Stamps
from apps.core.records import (
    CancelsRequested,
    DecisionTaken,
    DivergenceSeen,
    DoubtOpened,
    DoubtSettled,
    EpochTaken,
    HaltSeen,
    JournalRecord,
    OrdersSent,
    OrdersWithheld,
    Outcome,
    ReportSeen,
    SessionSeen,
)
from apps.execution import oms
from apps.execution.actions import Action, Alarm, AskStatus, Cancel, Publish, Send
from apps.execution.order import Execution, Order
from apps.execution.state import State, Taken

KEPT_ORDERS = 2_000
"""Settled orders kept for late and repeated reports; PostgreSQL keeps all of them."""
KEPT_DECISIONS = 2_000


def apply(state: State, record: JournalRecord) -> list[Action]:
    """Apply the next record to a state; return what a leader must now do."""
    state.index += 1
    return _APPLY[type(record)](state, record)


def order_update(order: Order, index: int, stamps: Stamps | None = None) -> OrderUpdate:
    """Return the message about an order's state after a record."""
    return OrderUpdate(
        index=index,
        id=order.id,
        decision=order.decision,
        symbol=order.symbol,
        side=order.side,
        qty=order.qty,
        state=order.state,
        cum_qty=order.cum_qty,
        avg_px=order.avg_px,
        reason=order.reason,
        probe=order.probe,
        stamps=stamps or order.stamps,
    )


def orders_of(taken: DecisionTaken, session: str) -> list[Order]:
    """Return the orders that a decision becomes, to be sent on an order session."""
    decision = taken.decision
    accepted = {verdict.intent for verdict in taken.verdicts if verdict.accepted}
    stamps = msgspec.structs.replace(decision.stamps, received=taken.received_ns)
    return [
        oms.journaled(intent, decision, session=session, stamps=stamps)
        for intent in decision.intents
        if intent.id in accepted
    ]


def _epoch(state: State, record: EpochTaken) -> list[Action]:
    state.epoch = record.epoch
    state.portfolio = state.portfolio.deposit(record.capital_usd - state.capital_usd)
    state.capital_usd = record.capital_usd
    state.site = record.site
    state.up.clear()
    # What left on another site's session may leave it yet; our own session starts anew.
    own = state.session = record.session or comp_id(record.site, Purpose.ORDERS)
    return [
        action
        for order in state.open_orders()
        for action in _keep(state, order, oms.in_doubt(order, cut=own))
    ]


def _decision(state: State, record: DecisionTaken) -> list[Action]:
    decision = record.decision
    orders = orders_of(record, state.session)
    taken = Taken(
        id=decision.id,
        seq=decision.seq,
        digest=record.digest,
        outcome=record.outcome,
        reason=record.reason,
        open=frozenset(order.id for order in orders),
    )
    state.decisions[decision.id] = taken
    if not decision.probe:
        last = state.last_decision.get(decision.strategy, -1)
        state.last_decision[decision.strategy] = max(last, decision.seq)
    _read(state, record.source)
    if orders:
        state.accept(len(orders), record.received_ns)
    for order in orders:
        state.orders[order.id] = order
        state.open[order.id] = None
    _prune(state)
    actions: list[Action] = [Publish(update) for update in refusals(record, state)]
    actions += [Send(order.id) for order in orders]
    return actions if orders else [*actions, Publish(done(state, taken))]


def _read(state: State, source: str) -> None:
    """Take note of how far the bus of the leading site was read."""
    state.source = source
    state.sources[state.site] = source


def refusals(taken: DecisionTaken, state: State) -> list[OrderUpdate]:
    """Return the messages about the intents that risk refused; they never become orders."""
    intents = {intent.id: intent for intent in taken.decision.intents}
    return [
        OrderUpdate(
            index=state.index,
            id=verdict.intent,
            decision=taken.decision.id,
            symbol=intents[verdict.intent].symbol,
            side=intents[verdict.intent].side,
            qty=intents[verdict.intent].qty,
            state=OrderState.REJECTED,
            cum_qty=0,
            avg_px=Decimal(0),
            reason=verdict.reason,
            probe=taken.decision.probe,
            stamps=msgspec.structs.replace(taken.decision.stamps, received=taken.received_ns),
        )
        for verdict in taken.verdicts
        # A refused duplicate bears the id of an order that may be alive.
        if not verdict.accepted and verdict.intent not in state.orders
    ]


def done(state: State, taken: Taken, index: int | None = None) -> DecisionDone:
    """Return the message that a decision has no open order left."""
    verdict = {Outcome.ACCEPTED: "done", Outcome.REFUSED: "refused", Outcome.EXPIRED: "expired"}
    return DecisionDone(
        index=state.index if index is None else index,
        decision=taken.id,
        seq=taken.seq,
        verdict=verdict[taken.outcome],  # type: ignore[arg-type]
        reason=taken.reason,
    )


def _divergence(state: State, record: DivergenceSeen) -> list[Action]:
    _read(state, record.source)
    told = DecisionDone(
        index=state.index,
        decision=record.decision,
        seq=record.seq,
        verdict="divergent",
        reason="another content arrived under a known id",
    )
    return [Publish(told), Alarm("divergence", record.decision)]


def _sent(state: State, record: OrdersSent) -> list[Action]:
    for order_id, at_ns in record.at_ns.items():
        if order := state.orders.get(order_id):
            stamps = msgspec.structs.replace(
                order.stamps, journaled=record.journaled_ns, sent=at_ns
            )
            state.orders[order_id] = msgspec.structs.replace(order, stamps=stamps)
    return []


def _session(state: State, record: SessionSeen) -> list[Action]:
    if record.event == "logon":
        state.up[record.session] = None
    elif record.event == "logout":
        state.up.pop(record.session, None)
    _advance(state, record.session, record.seq)
    return []


def _advance(state: State, session: str, seq: int) -> None:
    if seq > state.inbound.get(session, 0):
        state.inbound[session] = seq


def _report(state: State, record: ReportSeen) -> list[Action]:
    _advance(state, record.session, record.seq)
    before = state.orders.get(record.order)
    actions: list[Action] = []
    if before is None:
        if forgotten(state, record):
            return []
        before = oms.adopted(record)
        if before is None:
            return [Alarm("unattributed", f"{record.kind} {record.order}: {record.text}")]
        actions.append(Alarm("adopted", before.id))
        state.orders[before.id] = before
        state.open[before.id] = None
    step = oms.report(before, record)
    after = step.order
    if after != before:
        latest_ns = max(before.reported_ns, record.at_ns)
        after = msgspec.structs.replace(after, reported_ns=latest_ns)
    if step.oddity:
        actions.append(Alarm(step.oddity, f"{before.id} {record.exec_type} {record.exec_id}"))
    if step.execution:
        actions += _book(state, after, step.execution)
    if oms.answer(record) is oms.Answer.DUPLICATE and after.doubt:
        actions.append(AskStatus(before.id))
    return [*actions, *_keep(state, before, after)]


def forgotten(state: State, report: ReportSeen) -> bool:
    """Whether a report may be about an order that was settled and forgotten long ago.

    A session that was away asks for all that it missed; adopting such an order anew would
    book its executions a second time.
    """
    if not state.forgotten_ns:
        return False
    # A status is asked for by us, of orders that we know.
    return report.exec_type == "I" or report.at_ns <= state.forgotten_ns


def _book(state: State, order: Order, execution: Execution) -> list[Action]:
    if not order.probe:
        state.portfolio = state.portfolio.book(
            execution.symbol, execution.side, execution.qty, execution.price
        )
    fill = Fill(
        index=state.index,
        order=order.id,
        exec_id=execution.exec_id,
        venue=execution.venue,
        day=execution.day,
        symbol=execution.symbol,
        side=execution.side,
        qty=execution.qty,
        price=execution.price,
        at_ns=execution.at_ns,
    )
    return [Publish(fill)]


def _keep(state: State, before: Order, after: Order) -> list[Action]:
    """Store an order that may have changed; tell the bus, and whether its decision is done."""
    if after == before:
        return []
    state.orders[after.id] = after
    actions: list[Action] = [Publish(order_update(after, state.index))]
    if not after.settled:
        state.open.setdefault(after.id, None)
    elif after.id in state.open:
        del state.open[after.id]
        actions += _decision_done(state, after)
    return actions


def _decision_done(state: State, order: Order) -> list[Action]:
    taken = state.decisions.get(order.decision)
    if taken is None or order.id not in taken.open:
        return []
    taken = msgspec.structs.replace(taken, open=taken.open - {order.id})
    state.decisions[taken.id] = taken
    return [] if taken.open else [Publish(done(state, taken))]


def _doubt_opened(state: State, record: DoubtOpened) -> list[Action]:
    cut = record.cause == "disconnect"
    return _change(
        state,
        record.orders,
        lambda o: oms.in_doubt(o, cut=record.session or o.session if cut else ""),
    )


def _doubt_settled(state: State, record: DoubtSettled) -> list[Action]:
    match record.step:
        case "reenter":
            changed = _change(state, (record.order,), lambda o: oms.reentered(o, state.session))
            return [*changed, Send(record.order, again=True)]
        case "decline":
            return _change(state, (record.order,), lambda o: oms.declined(o, record.reason))
        case "hold":
            changed = _change(state, (record.order,), lambda o: oms.held(o, record.reason))
            return [*changed, Alarm("held_in_doubt", f"{record.order}: {record.reason}")]


def _withheld(state: State, record: OrdersWithheld) -> list[Action]:
    return [
        action
        for order_id, reason in record.reasons.items()
        for action in _change(
            state,
            (order_id,),
            lambda o, r=reason: oms.withheld(o, r, state.session),  # type: ignore[misc]
        )
    ]


def _cancels(state: State, record: CancelsRequested) -> list[Action]:
    actions: list[Action] = []
    for order_id, cancel in record.cancels.items():
        actions += _change(state, (order_id,), lambda o, c=cancel: oms.cancelling(o, c))  # type: ignore[misc]
        actions.append(Cancel(order_id, cancel))
    return actions


def _halt(state: State, record: HaltSeen) -> list[Action]:
    state.halt = record if record.halted else None
    return []


def _change(
    state: State, order_ids: tuple[str, ...], change: Callable[[Order], Order]
) -> list[Action]:
    return [
        action
        for order_id in order_ids
        if (order := state.orders.get(order_id)) is not None
        for action in _keep(state, order, change(order))
    ]


def _prune(state: State) -> None:
    """Forget the oldest settled orders and decisions beyond what is kept."""
    excess = len(state.orders) - KEPT_ORDERS - len(state.open)
    for order_id in _first(state.orders, excess, lambda order: order not in state.open):
        order = state.orders.pop(order_id)
        state.forgotten_ns = max(state.forgotten_ns, order.reported_ns)
    excess = len(state.decisions) - KEPT_DECISIONS
    for decision_id in _first(state.decisions, excess, lambda d: not state.decisions[d].open):
        del state.decisions[decision_id]


def _first(names: Iterable[str], count: int, may: Callable[[str], bool]) -> list[str]:
    """Return the first so many names that may be taken."""
    return list(islice(filter(may, names), count)) if count > 0 else []


_APPLY: dict[type, Callable[[State, Any], list[Action]]] = {
    EpochTaken: _epoch,
    DecisionTaken: _decision,
    DivergenceSeen: _divergence,
    OrdersSent: _sent,
    SessionSeen: _session,
    ReportSeen: _report,
    DoubtOpened: _doubt_opened,
    DoubtSettled: _doubt_settled,
    OrdersWithheld: _withheld,
    CancelsRequested: _cancels,
    HaltSeen: _halt,
}
