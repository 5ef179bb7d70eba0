"""The FIX gateway: QuickFIX sessions of one site, events in, requests out.

The last check before an order leaves is made here, at the moment of writing: the kill
switch as it was last seen, leadership proven recently, the session logged on.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from apps.core import fix
from apps.core.clock import Clock
from apps.core.fix import Engine, Logon, Logout, Pair, Purpose, Received, comp_id
from apps.core.journal import Halt, KillView
from apps.core.records import ReportKind, ReportSeen
from apps.core.settings import ExecutionSettings
from apps.execution import metrics, wire
from apps.execution.drop_copy import DropCopyLog
from apps.execution.events import Event, Reported, SessionChanged
from apps.execution.exclusive import Exclusive
from apps.execution.oms import Answer, answer
from apps.execution.order import Order

log = structlog.get_logger()


class StoreInUse(Exception):
    """Another process holds the FIX store: two engines on one store corrupt it."""


class StoreLock:
    """Holds the FIX store of this site for one process, until that process ends."""

    def __init__(self, store: Path) -> None:
        """Take the store; raise `StoreInUse` where another process has it."""
        store.mkdir(parents=True, exist_ok=True)
        self._file = (store / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            self._file.close()
            raise StoreInUse(f"{store} is in use by another execution process") from fault

    def release(self) -> None:
        """Let another process take the store."""
        self._file.close()


class Leading(Protocol):
    """What the gateway asks of leadership."""

    @property
    def kill(self) -> KillView:
        """The kill switch as it was last seen."""
        ...

    def proven(self, within_s: float) -> bool:
        """Whether leadership was confirmed that recently."""
        ...


class Gateway:
    """One site's order and drop-copy sessions."""

    def __init__(
        self,
        settings: ExecutionSettings,
        put: Callable[[Event], None],
        clock: Clock,
        engine: type[Engine] = Engine,
    ) -> None:
        """Prepare the sessions; `open` logs on. Events go to `put`, on the running loop."""
        self._settings = settings
        self.leading: Leading | None = None
        """Who leads, while that is this process; nothing leaves without it."""
        self.stopped: Halt | None = None
        """A halt asked of this site, until it is in the journal; no order leaves under it."""
        self._put = put
        self._clock = clock
        self.proof_s = settings.detection_ms / 2_000
        """Half the detection time: how recently leadership must be confirmed to send."""
        single = settings.sessions == "single"
        self.session = comp_id(settings.site, Purpose.ORDERS, single=single)
        self.drop_copy = comp_id(settings.site, Purpose.DROP_COPY)
        given: dict[str, Any] = {
            "role": "initiator",
            "peers": [settings.fix_venue],
            "host": settings.fix_host,
            "port": settings.fix_port,
            "password": settings.fix_password_file.read_text().strip(),
        }
        self.exclusive: Exclusive | None = None
        """The order session, where the venue grants all sites together only one."""
        own = [self.drop_copy]
        if single:
            store = settings.fix_store / "shared"
            self.exclusive = Exclusive(
                self.session,
                lambda heard: engine(
                    own=[self.session], store=store, on_event=heard, redial=False, **given
                ),
                self._on_event,
            )
        else:
            own = [self.session, *own]
        self._engine = engine(own=own, store=settings.fix_store, on_event=self._on_event, **given)
        self._own = own
        self._counts = {
            name: (metrics.REPORTS.labels(name), metrics.REPEATED.labels(name))
            for name in self.sessions
        }
        self._log = DropCopyLog(settings.drop_copy_log) if settings.drop_copy_log else None

    def open(self, inbound: Mapping[str, int]) -> None:
        """Log on, expecting on each session what follows the last journaled message.

        A message that the engine counted as received, and whose append was lost with the
        process, is thereby asked for again: all of them, where none was ever journaled.
        """
        for session in self._own:
            self._engine.expect(session, inbound.get(session, 0) + 1)
        self._engine.start()

    def close(self) -> None:
        """Log out; blocks until the engine's threads are gone."""
        self._engine.stop()
        if self.exclusive is not None:
            self.exclusive.join()

    def renew(self) -> None:
        """Log the order session out, so that it logs on anew.

        What it carried has then reached the venue or never will.
        """
        log.warning("renews its session", session=self.session)
        self._engine.log_out(self.session, "renewed")

    @property
    def sessions(self) -> tuple[str, str]:
        """The CompIDs of this site's sessions."""
        return self.session, self.drop_copy

    def up(self, session: str) -> bool:
        """Whether a session is logged on."""
        if self.exclusive is not None and session == self.session:
            return self.exclusive.logged_on
        return self._engine.logged_on(session)

    @property
    def logged_on(self) -> bool:
        """Whether the order session can carry a request now."""
        return self.up(self.session)

    def fault(self) -> str:
        """Return why the venue is out of this site's reach; empty where it is not.

        The one session of all sites is of the leader alone: the others know by their drop
        copy whether they would reach the venue.
        """
        session = self.session if self.exclusive is None else self.drop_copy
        return "" if self.up(session) else f"FIX session {session} is not logged on"

    def may_cancel(self, order: Order) -> bool:
        """Whether the venue would take a cancel of an order on this session.

        One that was entered twice may have arrived on either.
        """
        return (
            self._settings.cross_session_cancel or order.session == self.session or order.sent > 1
        )

    def withholds(self, order: Order, *, market_seq: int) -> str:
        """Return why an order must not leave now; empty where it may."""
        if self.leading is None:
            return "this site does not lead"
        halt = self.stopped or self.leading.kill.halt
        if halt is not None:
            return f"halted by {halt.by}" + (f": {halt.reason}" if halt.reason else "")
        if market_seq > order.expires_seq:
            return f"expired at {order.expires_seq} before it could be sent"
        return "" if self.leading.proven(self.proof_s) else "leadership was not confirmed lately"

    def enter(self, order: Order) -> bool:
        """Send the NewOrderSingle of a journaled order; False where the session is down.

        Its logout is on its way as an event then, and puts the order in doubt.
        """
        return self._send("D", wire.new_order(order, self._clock()))

    def cancel(self, order: Order, cancel_id: str) -> bool:
        """Send an OrderCancelRequest; a halt does not hold it back."""
        return self._send("F", wire.cancel(order, cancel_id, self._clock()))

    def ask(self, order: Order) -> bool:
        """Send an OrderStatusRequest."""
        return self._send("H", wire.status(order))

    def _send(self, msg_type: str, pairs: list[Pair]) -> bool:
        if self.exclusive is not None:
            return self.exclusive.send(msg_type, pairs)
        return self._engine.send(self.session, msg_type, pairs)

    def _on_event(self, event: fix.Event) -> None:
        match event:
            case Received():
                self._received(event)
            case Logon() | Logout():
                up = isinstance(event, Logon)
                metrics.SESSION_UP.labels(event.session).set(up)
                self._put(SessionChanged(event.session, up))
                if isinstance(event, Logout):
                    self._told_why(event)

    def _told_why(self, event: Logout) -> None:
        """Go on from the number that the venue wants: our store of numbers was lost.

        Nothing else was: what we missed comes by the journal's number, and what we sent is
        never sent again from a store.
        """
        if event.reason:
            log.warning("logged out", session=event.session, reason=event.reason)
        if event.expecting and event.session in self._own:
            metrics.ALARMS.labels("fix_numbers_lost").inc()
            self._engine.skip_to(event.session, event.expecting)

    def _received(self, message: Received) -> None:
        reports, repeated = self._counts[message.session]
        reports.inc()
        if message.poss_dup:
            repeated.inc()
        if self._log is not None and message.session == self.drop_copy:
            self._log.take(message)
        try:
            seen = wire.report(message, venue=self._settings.fix_venue, received_ns=self._clock())
        except wire.NotAReport as fault:
            metrics.UNREADABLE.labels("fix").inc()
            log.error(
                "message of the venue not understood",
                session=message.session,
                seq=message.seq,
                reason=str(fault),
                message=fix.SOH.join(f"{tag}={value}" for tag, value in message.pairs),
            )
            return
        if message.session == self.session and (what := refusal(seen)):
            metrics.REFUSED.labels(what).inc()
        self._put(Reported(seen))


def refusal(seen: ReportSeen) -> str:
    """Return what a report refuses, for the count of them; empty where it refuses nothing.

    That an order is unknown is an answer to a question, and refuses nothing.
    """
    if seen.throttled:
        return "throttled"
    if seen.kind is ReportKind.CANCEL_REJECT or seen.refused == "F":
        return "cancel"
    if answer(seen) is Answer.DUPLICATE:
        return "duplicate"
    rejected = seen.exec_type == "8" or seen.refused == "D"
    return "order" if rejected and answer(seen) is not Answer.UNKNOWN else ""
