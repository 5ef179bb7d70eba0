"""The venue as a process: FIX sessions, the tape's clock, the record before every message."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from apps.core import fix
from apps.core.app import App, NotReady
from apps.core.clock import Clock, utc_ns
from apps.core.fix import Engine, Event, Logon, Logout, Purpose, Received, Tag
from apps.core.instruments import instrument
from apps.core.messages import Side
from apps.core.prices import Day, open_source
from apps.core.settings import VenueSettings
from apps.venue import wire
from apps.venue.book import Order
from apps.venue.engine import Exchange, Row, Rules
from apps.venue.maker import Maker
from apps.venue.record import Record
from apps.venue.tape import Tape, quotable

log = structlog.get_logger()

EVENTS = Counter("trading_venue_events_total", "Events recorded by the venue", ["kind"])
SEQ = Gauge("trading_venue_seq", "Market-data sequence of the replayed day")
SUBSCRIBERS = Gauge("trading_venue_subscribers", "Sessions that take market data")

REPORTED = re.compile(rb"\x0117=(E\d+)\x01")
TAIL_BYTES = 1 << 20


class Venue(App[VenueSettings]):
    """The exchange simulator."""

    settings_type = VenueSettings

    def __init__(self, settings: VenueSettings, clock: Clock = utc_ns) -> None:
        """Read the tape, open the record and take up the state that it holds."""
        super().__init__(settings)
        self._clock = clock
        self._tape = Tape.of(open_source(settings.tape), settings.tape_start)
        self._maker = Maker(settings.seed, settings.spread_bps, settings.depth_shares)
        self._exchange = Exchange(
            instruments={symbol: instrument(symbol) for symbol in self._tape.symbols()},
            rules=Rules(
                settings.duplicate_check,
                settings.on_disconnect,
                settings.status_scope,
                settings.cross_session_cancel,
            ),
        )
        self._record = Record(settings.record, clock)
        self._answers = 0
        self._subscribers: dict[str, str] = {}
        """Market-data sessions that subscribed, and the id of their request."""
        self._engine: Engine | None = None
        self._ticking: asyncio.TimerHandle | None = None

    # Life

    async def run(self) -> None:
        """Trade until stopped."""
        past = list(self._record.rows())
        self._exchange.restore(past)
        self._seq = max((r["seq"] for r in past if r["kind"] == "day"), default=-1)
        self._started_ns = self._clock()
        firm = fix.sessions(self.settings.sites)
        engine = Engine(
            role="acceptor",
            own=[self.settings.fix_venue],
            peers=firm,
            host=self.settings.fix_host,
            port=self.settings.fix_port,
            store=self.settings.fix_store,
            password=self.settings.fix_password_file.read_text().strip(),
            on_event=self._on_event,
        )
        self._engine = engine
        self._note({"kind": "start", "day": self._exchange.day})
        if self._seq < self._tape.first:
            self._begin_day(self._tape.days[self._tape.first])
        else:
            self._quote(self._tape.days[min(self._seq, self._tape.last)])
        self._report_unsent(past, firm)
        engine.start()
        log.info("open", seq=self._seq, day=self._exchange.day, sessions=firm)
        await self.stopping.wait()
        if self._ticking:
            self._ticking.cancel()
        await asyncio.to_thread(engine.stop)
        self._record.close()

    async def ready(self) -> None:
        """Accepting FIX sessions, with a day to trade on."""
        if self._engine is None:
            raise NotReady("not open yet")
        at = (self.settings.fix_host, self.settings.fix_port)
        try:
            with socket.create_connection(at, timeout=0.5):
                pass
        except OSError as fault:
            raise NotReady(f"the FIX port does not answer: {fault}") from fault

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route that hands out the record."""
        return (Route("/record", self._hand_out),)

    async def _hand_out(self, request: Request) -> Response:
        offset = int(request.query_params.get("offset", "0"))

        async def chunks() -> AsyncIterator[bytes]:
            with self.settings.record.open("rb") as file:
                file.seek(offset)
                while chunk := await asyncio.to_thread(file.read, 1 << 16):
                    yield chunk

        return StreamingResponse(chunks(), media_type="application/x-ndjson")

    # Sessions

    def _on_event(self, event: Event) -> None:
        try:
            match event:
                case Logon(session):
                    self._note({"kind": "logon", "session": session})
                    log.info("logged on", session=session)
                case Logout(session):
                    self._gone(session)
                case Received():
                    self._handle(event)
        except wire.Unreadable as fault:
            if not isinstance(event, Received):
                raise
            log.warning("request refused", session=event.session, reason=str(fault))
            self._send(
                event.session,
                "j",
                [
                    (45, str(event.seq)),
                    (372, event.msg_type),
                    (380, "0"),
                    (58, str(fault)),
                ],
            )

    def _gone(self, session: str) -> None:
        self._note({"kind": "logout", "session": session})
        log.info("logged out", session=session)
        if self._subscribers.pop(session, None) is not None:
            SUBSCRIBERS.set(len(self._subscribers))
        if session.endswith(Purpose.ORDERS):
            self._publish(self._exchange.disconnect(session))

    def _handle(self, message: Received) -> None:
        match message.msg_type:
            case "D":
                self._publish(self._exchange.enter(wire.new_order(message)))
            case "F":
                self._publish(self._exchange.cancel(wire.cancel(message)))
            case "G":
                self._publish(self._exchange.replace(wire.replace(message)))
            case "H":
                self._answer_status(message)
            case "AF":
                self._answer_mass_status(message)
            case "V":
                self._market_data(message)
            case "3":
                log.warning(
                    "our message was rejected", session=message.session, text=message.get(58)
                )
            case other:
                raise wire.Unreadable(f"messages of type {other} are not taken here")

    def _publish(self, rows: Iterable[Row]) -> None:
        """Record events, then report them: to the order's session and to every drop copy."""
        rows = list(rows)
        self._record.append(rows)
        for row in rows:
            EVENTS.labels(row["kind"]).inc()
            for session in self._audience(row):
                self._tell(session, row)

    def _audience(self, row: Row) -> list[str]:
        if wire.report(row, 0) is None:
            return []
        drops = [fix.comp_id(site, Purpose.DROP_COPY) for site in self.settings.sites]
        return [row["session"], *(drops if "exec_id" in row else ())]

    def _tell(self, session: str, row: Row) -> None:
        told = wire.report(row, row.get("at_ns", self._clock()))
        if told:
            self._send(session, *told)

    def _sessions(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("the venue is not open yet")
        return self._engine

    def _send(self, session: str, msg_type: str, pairs: list[fix.Pair]) -> None:
        self._sessions().send(session, msg_type, pairs, stored=True)

    def _report_unsent(self, past: Sequence[Row], firm: Sequence[str]) -> None:
        """Report what was recorded, but died with the former process before it was sent.

        The engine stores a message before it writes it, so its store says which report of
        a session was the last.
        """
        for session in firm:
            mine = [row for row in past if "exec_id" in row and session in self._audience(row)]
            last = self._last_reported(session)
            numbers = [row["exec_id"] for row in mine]
            unsent = mine[numbers.index(last) + 1 :] if last in numbers else mine
            for row in unsent:
                self._tell(session, row)
            if unsent:
                log.info("reports of the former process sent", session=session, count=len(unsent))

    def _last_reported(self, session: str) -> str:
        own = self.settings.fix_venue
        body = Path(self.settings.fix_store) / f"FIX.4.4-{own}-{session}.body"
        if not body.exists():
            return ""
        with body.open("rb") as file:
            size = file.seek(0, 2)
            for start in (max(0, size - TAIL_BYTES), 0):
                file.seek(start)
                found = REPORTED.findall(file.read())
                if found:
                    return str(found[-1].decode())
        return ""

    def _answer_status(self, message: Received) -> None:
        if not self.settings.status_request:
            raise wire.Unreadable("this venue answers no status requests")
        self._answer(message, self._exchange.status(message.session, message.get(11)))

    def _answer_mass_status(self, message: Received) -> None:
        if not self.settings.status_request:
            raise wire.Unreadable("this venue answers no status requests")
        orders = self._exchange.open_orders(message.session)
        for number, order in enumerate(orders, start=1):
            self._answer(message, order, last=number == len(orders))
        if not orders:
            self._answer(message, None)

    def _answer(self, message: Received, order: Order | None, *, last: bool = True) -> None:
        self._answers += 1
        pairs = wire.status(
            order,
            average=self._exchange.average(order) if order else Decimal(0),
            exec_id=f"S{self._started_ns}-{self._answers}",
            day=self._exchange.day,
            at_ns=self._clock(),
            asked=message,
            last=last,
        )
        self._send(message.session, "8", pairs)

    # Market data

    def _market_data(self, message: Received) -> None:
        fields = message.fields()
        released = fields.get(Tag.RELEASE_SEQ)
        if released is not None:
            if self.settings.day_s == 0 and int(released) == self._seq:
                self._advance()
            return
        if fields.get(263) == "2":
            self._subscribers.pop(message.session, None)
            SUBSCRIBERS.set(len(self._subscribers))
            return
        request = fields[262]
        for symbol in self._exchange.books:
            top = self._exchange.top(symbol)
            if top:
                self._send_now(message.session, "W", wire.snapshot(request, symbol, top))
        first = int(fields.get(Tag.FROM_SEQ, str(self._seq)))
        for day in self._tape.between(first, self._seq):
            self._send_now(message.session, "X", wire.increment(request, day, self._quotes(day)))
        if fields.get(263) == "1":
            self._subscribers[message.session] = request
            SUBSCRIBERS.set(len(self._subscribers))
            self._start_clock()
        log.info("market data", session=message.session, from_seq=first, to_seq=self._seq)

    def _send_now(self, session: str, msg_type: str, pairs: list[fix.Pair]) -> None:
        self._sessions().send(session, msg_type, pairs)

    def _start_clock(self) -> None:
        if self._ticking is None and self.settings.day_s > 0:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + float(self.settings.day_s)
            self._ticking = loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._advance()
        if self._seq < self._tape.last:
            loop = asyncio.get_running_loop()
            # Late by more than a day (a suspended machine): go on from now, skip nothing.
            self._due = max(self._due, loop.time() - 1) + float(self.settings.day_s)
            self._ticking = loop.call_at(self._due, self._tick)

    def _advance(self) -> None:
        if self._seq >= self._tape.last:
            return
        day = self._tape.days[self._seq + 1]
        self._begin_day(day)
        for session, request in self._subscribers.items():
            self._send_now(session, "X", wire.increment(request, day, self._quotes(day)))

    def _begin_day(self, day: Day) -> None:
        self._publish(self._exchange.end_day(day.day.isoformat()))
        self._note({"kind": "day", "day": day.day.isoformat(), "seq": day.seq})
        self._seq = day.seq
        self._quote(day)

    def _quote(self, day: Day) -> None:
        SEQ.set(day.seq)
        for symbol, price in quotable(day).items():
            quote = self._maker.quote(instrument(symbol), day.seq, price)
            self._publish(self._exchange.quote(symbol, quote.bid, quote.offer, quote.qty))

    def _quotes(self, day: Day) -> dict[str, dict[Side, tuple[Decimal, int]]]:
        quotes = {
            symbol: self._maker.quote(instrument(symbol), day.seq, price)
            for symbol, price in quotable(day).items()
        }
        return {
            symbol: {Side.BUY: (quote.bid, quote.qty), Side.SELL: (quote.offer, quote.qty)}
            for symbol, quote in quotes.items()
        }

    def _note(self, row: Row) -> None:
        self._record.append([row])
        EVENTS.labels(row["kind"]).inc()
