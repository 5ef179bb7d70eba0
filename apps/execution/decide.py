"""What the leader decides: events in, journal records and actions out.

Pure: the clock, the market, the kill switch and the venue's profile come in a `Context`.
`step` works on a fork of the state. Its records are appended as one batch, and only when
that is confirmed does the fork become the state and do the actions happen; else both are
thrown away and the same events are decided anew.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from apps.core.messages import Decision, DecisionDone
from apps.core.records import (
    DecisionTaken,
    DivergenceSeen,
    EpochTaken,
    HaltSeen,
    JournalRecord,
    OrdersSent,
    OrdersWithheld,
    ReportKind,
    ReportSeen,
    SessionSeen,
)
from apps.execution import oms, risk
from apps.execution.actions import Action, Alarm, Publish
from apps.execution.apply import done
from apps.execution.doubt import Doubting
from apps.execution.events import (
    Context,
    Decided,
    Dispatched,
    Event,
    KillSeen,
    Renewed,
    Reported,
    SessionChanged,
    Silent,
    TookOver,
)
from apps.execution.order import End, Order
from apps.execution.said import digest, says_nothing
from apps.execution.state import State


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """What came of events: records to append, and what to do once they are durable."""

    records: list[JournalRecord]
    actions: list[Action]
    progress: dict[str, int]
    """Inbound numbers of reports that changed nothing, by session; told when convenient."""


def step(state: State, events: Iterable[Event], context: Context) -> Stepped:
    """Decide on events in their order, moving `state` (a fork) along."""
    deciding = _Deciding(state, context)
    for event in events:
        deciding.take(event)
    return Stepped(records=deciding.records, actions=deciding.actions, progress=deciding.progress)


class _Deciding(Doubting):
    """Collects what follows from events, applying each record as it is decided."""

    def take(self, event: Event) -> None:
        match event:
            case TookOver():
                self._took_over(event)
            case Decided():
                self._decided(event)
            case Reported():
                self._reported(event.report)
            case SessionChanged():
                self._session(event)
            case KillSeen():
                self._kill()
            case Dispatched():
                self._dispatched(event)
            case Renewed():
                self._renewed(event)
            case Silent():
                self._silent(event)

    def _took_over(self, event: TookOver) -> None:
        record = EpochTaken(
            epoch=event.epoch,
            owner=event.owner,
            site=self.context.site,
            capital_usd=event.capital_usd,
            at_ns=self.context.now_ns,
            session=self.context.session,
        )
        self._log(record)

    # Decisions

    def _decided(self, event: Decided) -> None:
        decision, state = event.decision, self.state
        content = digest(decision)
        taken = state.decisions.get(decision.id)
        if malformed := risk.malformed(decision):
            self._drop(decision, malformed)
            self.actions.append(Alarm("malformed_decision", malformed))
        elif taken is None:
            last = state.last_decision.get(decision.strategy, -1)
            if decision.probe or decision.seq > last:
                self._judge(event, content)
            else:
                self._drop(decision, f"older than the last journaled decision ({last})")
        elif taken.digest != content:
            self._log(
                DivergenceSeen(
                    decision=decision.id,
                    seq=decision.seq,
                    digest=content,
                    source=event.source,
                    at_ns=self.context.now_ns,
                )
            )
        elif not taken.open:
            self.actions.append(Publish(done(state, taken)))

    def _drop(self, decision: Decision, reason: str) -> None:
        """Refuse a decision that is not worth a record: nothing of it is remembered."""
        refused = DecisionDone(
            index=self.state.index,
            decision=decision.id,
            seq=decision.seq,
            verdict="refused",
            reason=reason,
        )
        self.actions.append(Publish(refused))

    def _judge(self, event: Decided, content: str) -> None:
        decision = event.decision
        view = self._view()
        judgement = risk.judge(decision, view, self.context.limits)
        self._log(
            DecisionTaken(
                # Targets and scores are for the desk; nothing on the order path reads them.
                decision=msgspec.structs.replace(decision, targets={}, scores={}),
                digest=content,
                source=event.source,
                outcome=judgement.outcome,
                reason=judgement.reason,
                verdicts=judgement.verdicts,
                received_ns=event.received_ns,
            )
        )

    # Reports

    def _reported(self, report: ReportSeen) -> None:
        if report.throttled and report.seq <= self.state.inbound.get(report.session, 0):
            return  # told again, and perhaps of an entry before the last
        before = self.state.orders.get(report.order)
        answer = oms.answer(report)
        settles = (
            answer is oms.Answer.UNKNOWN
            and before is not None
            and before.doubt
            # Asked before it was entered again, and answered (or sent again) after.
            and max(report.asked, 1) >= before.sent
        )
        if not settles and says_nothing(self.state, report):
            self.progress[report.session] = report.seq
            return
        self._log(report)
        if settles:
            self._unknown(report.order)
        after = self.state.orders.get(report.order)
        if after is not None and report.kind is not ReportKind.CANCEL_REJECT:
            self._cancel_if_unwanted(after)

    def _cancel_if_unwanted(self, order: Order) -> None:
        if order.settled or not order.exists or order.cancel or order.end is not End.NONE:
            return
        if order.declined:
            self._cancel([order], "late")
        elif self.context.kill.halted:
            self._cancel([order], "halt")

    # Sessions

    def _session(self, event: SessionChanged) -> None:
        up = event.session in self.state.up
        if event.up == up:
            return
        now_ns = self.context.now_ns
        self._log(
            SessionSeen(
                session=event.session, event="logon" if event.up else "logout", at_ns=now_ns
            )
        )
        if event.session != self.context.session:
            return
        if event.up:
            self._logged_on()
            return
        unanswered = [
            order
            for order in self.state.open_orders()
            if order.unanswered and event.session in order.ways
        ]
        if unanswered:
            self._cut(event.session, unanswered)

    def _logged_on(self) -> None:
        """Ask for everything that is open, and repeat the cancels that may be lost.

        What was to leave on our session before has left on a connection that is gone, or never
        did: its logout may have been seen before the order was there.
        """
        own = self.context.session
        before = [o for o in self.state.open_orders() if o.unanswered and own in o.ways]
        if before:
            self._cut(own, before)
        orders = self.state.open_orders()
        self._ask(orders)
        self._cancel([order for order in orders if order.cancel and order.exists], "repeat")
        if not self.context.profile.status_request:
            self._settle_unasked()

    # The kill switch and the gateway

    def _kill(self) -> None:
        kill, known = self.context.kill, self.state.halt
        if kill.halted == self.state.halted and (known is None or known.revision == kill.mod):
            return
        halt = kill.halt
        self._log(
            HaltSeen(
                halted=halt is not None,
                by=halt.by if halt else "",
                reason=halt.reason if halt else "",
                revision=kill.mod,
                at_ns=self.context.now_ns,
            )
        )
        if halt is not None:
            self._cancel(
                [
                    order
                    for order in self.state.open_orders()
                    if order.exists and not order.cancel and order.end is End.NONE
                ],
                "halt",
            )

    def _dispatched(self, event: Dispatched) -> None:
        if event.sent:
            self._log(
                OrdersSent(session=event.session, journaled_ns=event.journaled_ns, at_ns=event.sent)
            )
        if event.withheld:
            self._log(OrdersWithheld(reasons=event.withheld, at_ns=self.context.now_ns))
