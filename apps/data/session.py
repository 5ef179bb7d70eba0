"""The venue's market-data session: subscribes, normalizes what comes, hands it on.

Runs on the event loop, called by the FIX engine; it never blocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from apps.core.clock import Clock
from apps.core.fix import Event, Logon, Pair, Received
from apps.core.messages import Close, Stamps
from apps.data import feed, metrics
from apps.data.history import count
from apps.data.normalize import Priced, Rules, Seen, close_ns, normalize
from apps.data.store import Entry

log = structlog.get_logger()


class Sender(Protocol):
    """The part of `apps.core.fix.Engine` that a session needs."""

    def send(self, session: str, msg_type: str, pairs: Iterable[Pair]) -> bool:
        """Write a message, where the session is logged on."""
        ...

    def logged_on(self, session: str) -> bool:
        """Return whether the session is logged on."""
        ...


Sink = Callable[[Entry, Close | None], None]
"""Takes what a message left, and the day to publish where it holds one."""


class FeedSession:
    """What the feed has said so far, and what is asked of it next."""

    def __init__(
        self,
        *,
        session: str,
        source: str,
        rules: Rules,
        seen: Seen,
        clock: Clock,
        sink: Sink,
    ) -> None:
        """Prepare; `attach` gives the engine that it sends by."""
        self.seen = seen
        self.refusal = ""
        """Why the venue does not serve us; empty while it does."""
        self._session = session
        self._source = source
        self._rules = rules
        self._clock = clock
        self._sink = sink
        self._engine: Sender | None = None
        self._numbers = itertools.count(1)
        self._request = ""
        self._asked_again = False

    def attach(self, engine: Sender) -> None:
        """Send by this engine from now on."""
        self._engine = engine

    @property
    def up(self) -> bool:
        """Whether the session is logged on and subscribed."""
        return bool(
            self._engine
            and self._request
            and not self.refusal
            and self._engine.logged_on(self._session)
        )

    def on_event(self, event: Event) -> None:
        """Take one event of the session."""
        if isinstance(event, Logon):
            self._asked_again = False
            self.subscribe()
        elif isinstance(event, Received):
            self._received(event)
        else:
            if self._request:
                log.warning("the feed is logged out")
            self._request = ""
        metrics.FEED_UP.set(self.up)

    def subscribe(self) -> None:
        """Ask for every day after the last one that was taken."""
        if self._engine is None:
            return
        request = f"md-{self._clock()}-{next(self._numbers)}"
        fields = feed.subscription(request, self._rules.instruments, self.seen.seq + 1)
        self.refusal = ""
        if self._engine.send(self._session, feed.REQUEST, fields):
            self._request = request
            log.info("subscribed", from_seq=self.seen.seq + 1)

    def release(self, seq: int) -> bool:
        """Tell the venue that a day is settled; return whether it could be sent."""
        if self._engine is None:
            return False
        fields = feed.release(f"rel-{seq}", self._rules.instruments, seq)
        return self._engine.send(self._session, feed.REQUEST, fields)

    def rewind(self, seen: Seen) -> None:
        """Go back to what the books hold, and ask for everything since."""
        self.seen = seen
        metrics.RESENDS.inc()
        self.subscribe()

    def _received(self, message: Received) -> None:
        at_ns = self._clock()
        if message.msg_type == feed.INCREMENTAL:
            if message.get(262, self._request) == self._request:
                self._day(message, at_ns)
            else:
                log.debug("of a former subscription: it comes again", request=message.get(262))
        elif message.msg_type in feed.REFUSALS:
            self.refusal = f"{feed.REFUSALS[message.msg_type]}: {message.get(58, 'no reason')}"
            log.error("the venue refuses", reason=self.refusal)

    def _day(self, message: Received, at_ns: int) -> None:
        raw = feed.raw_day(message, self._source)
        awaited = self.seen.seq + 1
        done = normalize(self.seen, raw, self._rules, allow_gap=self._asked_again)
        self.seen = done.seen
        entry = Entry(at_ns, self._source, done)
        count([entry])
        for rejected in done.rejected:
            log.warning(
                "quarantined",
                seq=rejected.seq,
                day=rejected.day,
                symbol=rejected.symbol,
                reason=rejected.reason.value,
                raw=rejected.raw,
            )
        metrics.LAST_SEQ.set(self.seen.seq)
        metrics.LAST_RECEIVED.set(at_ns / 1e9)
        if done.priced:
            metrics.LAST_EVENT.set(done.priced.event_ns / 1e9)
        self._sink(entry, _close(done.priced, at_ns) if done.priced else None)
        if raw.seq > awaited and self.seen.seq < awaited:
            # Days are missing. Asked once more, a venue that still lacks them has none.
            self._asked_again = True
            metrics.RESENDS.inc()
            self.subscribe()
        elif self.seen.seq >= awaited:
            self._asked_again = False


def _close(priced: Priced, at_ns: int) -> Close:
    return Close(
        seq=priced.seq,
        day=priced.day,
        event_ns=priced.event_ns,
        prices=priced.prices,
        stamps=Stamps(data_in=at_ns),
    )


def last_prices(seen: Seen) -> Close | None:
    """Return the last good price of every symbol as a close, for probes; None before any."""
    if not seen.day:
        return None
    return Close(
        seq=seen.seq,
        day=seen.day,
        event_ns=close_ns(seen.day),
        prices=dict(seen.good),
        stamps=Stamps(),
    )
