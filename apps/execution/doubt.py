"""What the leader decides on what is in doubt: to ask, to enter again, to hold, to close.

Pure, as all of `apps.execution.decide`, which it is a part of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from apps.core.journal import KillView
from apps.core.records import (
    CancelsRequested,
    DoubtOpened,
    DoubtSettled,
    JournalRecord,
)
from apps.execution import oms, risk, settle
from apps.execution.actions import Action, AskStatus
from apps.execution.apply import apply
from apps.execution.events import Context, Renewed, Silent
from apps.execution.order import Order
from apps.execution.state import State


class Doubting:
    """Collects what follows from events, applying each record as it is decided."""

    def __init__(self, state: State, context: Context) -> None:
        """Begin with a fork of the state, and what is known beside it."""
        self.state = state
        self.context = context
        self.records: list[JournalRecord] = []
        self.actions: list[Action] = []
        self.progress: dict[str, int] = {}

    def _log(self, record: JournalRecord) -> None:
        self.records.append(record)
        self.actions += apply(self.state, record)

    def _view(self, without: str = "") -> risk.View:
        state, context = self.state, self.context
        doubted = {order.symbol: order.id for order in state.in_doubt() if order.id != without}
        return risk.View(
            market=context.market,
            exposures=state.exposures(without),
            doubted=doubted,
            known=state.orders.__contains__,
            halt=_halted(context.kill),
            sent_last_s=state.accepted_last_second(context.now_ns),
        )

    def _cancel(self, orders: list[Order], cause: Literal["halt", "late", "repeat"]) -> None:
        cancels = {order.id: f"{order.id}{oms.CANCEL}{order.cancels + 1}" for order in orders}
        if cancels:
            self._log(CancelsRequested(cancels=cancels, cause=cause, at_ns=self.context.now_ns))

    def _cut(self, session: str, orders: Iterable[Order]) -> None:
        """Put in doubt what a session may have carried, which is down or was."""
        ids = tuple(order.id for order in orders)
        now_ns = self.context.now_ns
        self._log(DoubtOpened(orders=ids, cause="disconnect", at_ns=now_ns, session=session))

    def _unknown(self, order_id: str) -> None:
        """Settle an order that the venue does not know."""
        order = self.state.orders[order_id]
        if order.doubt and not order.exists:
            absent = order.stranded and self._is_told_of(order)
            self._settle(order, session_down=absent or self._day_over(order))

    def _is_told_of(self, order: Order) -> bool:
        """Whether the venue would tell our session of an order, if it had it."""
        scope = self.context.profile.status_scope
        ours = order.session == self.context.session and not order.elsewhere
        return scope == "firm" or ours

    def _settle_unasked(self) -> None:
        """Settle what is in doubt at a venue that answers no status requests."""
        for order in self.state.in_doubt():
            if order.unanswered:
                # That the session was cut proves nothing yet: its reports may be on their way.
                self._settle(order, session_down=self._day_over(order))

    def _day_over(self, order: Order) -> bool:
        return order.day < self.context.market.day

    def _expired(self, order: Order) -> bool:
        return self.context.market.seq > order.expires_seq

    def _refusal(self, order: Order) -> str:
        """Return why risk or the kill switch would not have an order entered (again) now."""
        if order.intent is None:
            return "it was never journaled here"
        # Others in doubt are reserved for in full; they need not keep this one out.
        view = msgspec.structs.replace(self._view(without=order.id), doubted={})
        return risk.recheck(order.intent, view, self.context.limits)

    def _settle(self, order: Order, *, session_down: bool) -> None:
        context = self.context
        same_session = order.session == context.session
        answered = settle.unknown(
            fence=settle.Fence(
                duplicate=context.profile.duplicate_check == "firm"
                or (context.profile.duplicate_check == "session" and same_session),
                session_down=session_down,
            ),
            entries=order.sent,
            expired=self._expired(order),
            refusal=self._refusal(order),
        )
        if answered.step == "hold" and order.held:
            return
        self._log(
            DoubtSettled(
                order=order.id,
                step=answered.step,
                reason=answered.reason,
                at_ns=context.now_ns,
            )
        )

    def _silent(self, event: Silent) -> None:
        owing = [order for order in self._orders(event.orders) if not order.settled]
        for order in [order for order in owing if order.refused_entry]:
            self._enter_again(order)
        owing = [order for order in owing if not order.refused_entry]
        doubtful = tuple(order.id for order in owing if order.unanswered and not order.doubt)
        if doubtful:
            self._log(DoubtOpened(orders=doubtful, cause="silence", at_ns=self.context.now_ns))
        again = [order for order in owing if self._cancels_again(order)]
        self._cancel(again, "repeat")
        # A cancel is answered itself; a question beside it would take its place at a throttle.
        self._ask(o for o in owing if o not in again or o.doubt or o.missing)
        if not self.context.profile.status_request:
            self._settle_unasked()

    def _enter_again(self, order: Order) -> None:
        """Settle an order whose entry the venue's throttle refused: it is surely not there."""
        answered = settle.throttled(expired=self._expired(order), refusal=self._refusal(order))
        self._log(
            DoubtSettled(
                order=order.id,
                step=answered.step,
                reason=answered.reason,
                at_ns=self.context.now_ns,
            )
        )

    def _cancels_again(self, order: Order) -> bool:
        """Whether a cancel that the venue did not answer is ours to repeat."""
        mine = order.session == self.context.session
        return bool(order.cancel) and (mine or self.context.profile.cross_session_cancel)

    def _renewed(self, event: Renewed) -> None:
        """Ask for what another site's session had carried, now that nothing more can arrive."""
        orders = [
            order
            for order in self.state.open_orders()
            if order.unanswered and event.session in order.ways
        ]
        if orders:
            self._cut(event.session, orders)
            self._ask(orders)

    def _orders(self, order_ids: Iterable[str]) -> list[Order]:
        return [self.state.orders[o] for o in order_ids if o in self.state.orders]

    def _ask(self, orders: Iterable[Order]) -> None:
        if self.context.profile.status_request:
            self.actions += [AskStatus(order.id) for order in orders]


def _halted(kill: KillView) -> str:
    if kill.halt is None:
        return ""
    return f"halted by {kill.halt.by}" + (f": {kill.halt.reason}" if kill.halt.reason else "")
