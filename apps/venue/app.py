"""The venue as a process: FIX sessions, the tape's clock, one loop that does everything.

QuickFIX's threads, the timer of the tape and the health probe only put events into one
queue. The loop takes them in batches: decides, writes the record by one call, and hands
the reports to the FIX engine. An error in it ends the process; the next one goes on from
the record.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import structlog
from starlette.routing import BaseRoute

from apps.core.app import App, NotReady
from apps.core.clock import Clock, utc_ns
from apps.core.fix import (
    Engine,
    Logon,
    Logout,
    Pair,
    Purpose,
    Received,
    comp_id,
    sessions,
)
from apps.core.prices import Day, open_source
from apps.core.settings import VenueSettings
from apps.venue import handout, maker, metrics, wire
from apps.venue.answers import Answers
from apps.venue.commands import OpenDay, SessionDown, SessionUp
from apps.venue.feed import BadRequest, Feed
from apps.venue.floor import Floor
from apps.venue.front import Front
from apps.venue.lines import Event, Quote, Start
from apps.venue.record import Record
from apps.venue.sent import last_sent
from apps.venue.state import Profile, State
from apps.venue.tape import Tape
from apps.venue.throttle import Throttle

log = structlog.get_logger()

_BATCH = 64
"""Messages that share one write of the record; more would make the first of them wait."""
_REQUESTS = ("D", "F", "G", "H", "AF")
"""What the throttle counts: all that an order session may ask."""
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class DayDue:
    """The tape's clock says that the trading day is over."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks whether the loop turns."""

    answer: asyncio.Future[None]


Arrival = Logon | Logout | Received | DayDue | Ping


class Venue(App[VenueSettings]):
    """The exchange simulator."""

    settings_type = VenueSettings

    def __init__(self, settings: VenueSettings, clock: Clock = utc_ns) -> None:
        """Keep the settings; open nothing yet."""
        super().__init__(settings)
        self._clock = clock
        self._profile = Profile(
            settings.duplicate_check,
            settings.on_disconnect,
            settings.status_request,
            settings.status_scope,
            settings.cross_session_cancel,
        )
        self._sessions = sessions(settings.sites, single=settings.sessions == "single")
        self._drop_copies = tuple(comp_id(site, Purpose.DROP_COPY) for site in settings.sites)
        self._throttle = Throttle(settings.max_requests_per_s)
        self._inbox: deque[tuple[float, Arrival]] = deque()
        self._arrived = asyncio.Event()
        self._engine: Engine | None = None
        self._day_timer: asyncio.TimerHandle | None = None
        self._front: Front | None = None

    # Life

    async def run(self) -> None:
        """Take up the record, accept sessions, and trade until stopped."""
        settings = self.settings
        with Record(settings.record) as record:
            self._state = State(self._profile)
            unsent = self._replay(record)
            self._tape = Tape(open_source(settings.tape), settings.tape_start)
            self._answers = Answers(self._state)
            self._feed = Feed(self._state, self._tape, self._quotes, self._send_live)
            self._floor = Floor(self._state, record, self._drop_copies, self._send)
            self._engine = engine = self._accept()
            self._open(unsent)
            engine.start()
            if self._front is not None:
                await self._front.start(settings.fix_host, settings.fix_port)
            log.info("open", seq=self._state.seq, day=self._state.day, lines=self._state.next_n)
            try:
                await self._trade(record)
            finally:
                if self._day_timer is not None:
                    self._day_timer.cancel()
                if self._front is not None:
                    self._front.stop()
                await asyncio.to_thread(engine.stop)
            while self._inbox:  # a failed loop has written its last line, and gets not here
                self._turn()

    def _accept(self) -> Engine:
        """Return the FIX engine; under `second_logon: evict` it stands behind a front."""
        settings = self.settings
        password = settings.fix_password_file.read_text().strip()
        at = settings.fix_host, settings.fix_port
        if settings.fix_inner_port is not None:
            at = _LOOPBACK, settings.fix_inner_port
        engine = Engine(
            role="acceptor",
            own=[settings.fix_venue],
            peers=self._sessions,
            host=at[0],
            port=at[1],
            store=settings.fix_store,
            password=password,
            on_event=self._take,
        )
        if settings.second_logon == "evict":
            self._front = Front(
                sessions=self._sessions, password=password, engine=at, log_out=engine.log_out
            )
        return engine

    async def ready(self) -> None:
        """The acceptor listens, and a message put into the loop comes out of it."""
        if self._engine is None or not self._state.day:
            raise NotReady("not open yet")
        try:
            _, writer = await asyncio.open_connection(
                self.settings.fix_host, self.settings.fix_port
            )
        except OSError as fault:
            raise NotReady(f"the FIX port does not answer: {fault}") from fault
        writer.close()
        answer = asyncio.get_running_loop().create_future()
        self._take(Ping(answer))
        await answer

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route that hands out the record."""
        return (handout.route(self.settings.record),)

    # From the record

    def _replay(self, record: Record) -> list[tuple[str, Event]]:
        """Rebuild the state; return what the firm was not told, by session, in order."""
        store, venue = self.settings.fix_store, self.settings.fix_venue
        told = {
            session: last_sent(store, venue, session)
            for session in self._sessions
            if not session.endswith(Purpose.MARKET_DATA)
        }
        earliest = min(told.values())
        unsent: list[tuple[str, Event]] = []

        def take(line: Event) -> None:
            self._state.apply(line)
            if line.n > earliest:
                unsent.extend(
                    (session, line)
                    for session in wire.audience(line, self._drop_copies)
                    if line.n > told.get(session, line.n)
                )

        torn = record.replay(take)
        if torn:
            log.warning("a torn end of the record was cut", bytes=torn)
        return unsent

    def _open(self, unsent: Sequence[tuple[str, Event]]) -> None:
        """Say what was left unsaid, note the start, cut dead sessions, stand at the day."""
        for session, line in unsent:
            self._floor.report(line, session, resent=True)
        if unsent:
            metrics.RESENT.inc(len(unsent))
            log.info("reports of the former process sent", count=len(unsent))
        now = self._clock()
        self._floor.note(
            Start(
                n=self._state.next_n,
                at_ns=now,
                venue=self.settings.fix_venue,
                profile={
                    **dataclasses.asdict(self._profile),
                    "second_logon": self.settings.second_logon,
                    "sessions": self.settings.sessions,
                },
                tape=self.settings.tape,
                seed=self.settings.seed,
            )
        )
        for session in sorted(self._state.logged_on):
            self._floor.do(SessionDown(session), now)
        if self._state.day:
            self._tape.go_on(self._state.seq, date.fromisoformat(self._state.day))
        else:
            self._open_day(self._tape.begin())
        self._floor.flush()

    # The loop

    def _take(self, arrival: Arrival) -> None:
        self._inbox.append((time.perf_counter(), arrival))
        self._arrived.set()

    async def _trade(self, record: Record) -> None:
        stop = asyncio.create_task(self.stopping.wait())
        stop.add_done_callback(lambda _: self._arrived.set())
        try:
            while not self.stopping.is_set():
                await self._arrived.wait()
                self._arrived.clear()
                self._turn()
                behind = self._feed.pump()
                self._measure(record)
                if behind or self._inbox:
                    self._arrived.set()
                    await asyncio.sleep(0)  # timers, HTTP and new events have their turn
        finally:
            stop.cancel()

    def _turn(self) -> None:
        """Handle one batch: decide, record, say."""
        arrivals: list[float] = []
        while self._inbox and len(arrivals) < _BATCH:
            at, arrival = self._inbox.popleft()
            arrivals.append(at)
            self._handle(arrival)
        self._floor.flush()
        done = time.perf_counter()
        for at in arrivals:
            metrics.HANDLING.observe(done - at)

    def _handle(self, arrival: Arrival) -> None:
        match arrival:
            case Received() if self._admitted(arrival):
                self._message(arrival)
            case Logon(session):
                self._floor.do(SessionUp(session), self._clock())
                metrics.SESSIONS.labels(session).set(1)
                log.info("logged on", session=session)
            case Logout(session):
                self._feed.leave(session)
                self._floor.do(SessionDown(session), self._clock())
                metrics.SESSIONS.labels(session).set(0)
            case DayDue():
                self._next_day()
            case Ping(answer):
                if not answer.done():
                    answer.set_result(None)

    def _admitted(self, message: Received) -> bool:
        """Return whether the throttle lets a message through; one that it does not is told so."""
        session = message.session
        if message.msg_type not in _REQUESTS or self._throttle.admit(session, self._clock()):
            return True
        metrics.THROTTLED.labels(session).inc()
        limit = self._throttle.max_requests_per_s
        self._reply(message, "j", wire.throttled(message, limit))
        return False

    def _message(self, message: Received) -> None:
        metrics.MESSAGES.labels(message.msg_type).inc()
        now = self._clock()
        purpose = message.session.rsplit("-", 1)[-1]
        match message.msg_type, purpose:
            case "D", Purpose.ORDERS:
                self._floor.do(wire.enter(message), now)
            case "F", Purpose.ORDERS:
                self._floor.do(wire.cancel(message), now)
            case "G", Purpose.ORDERS:
                self._floor.do(wire.replace(message), now)
            case (("H" | "AF"), Purpose.ORDERS) if self._profile.status_request:
                for kind, body in self._answers.to(message, now):
                    self._reply(message, kind, body)
            case "V", Purpose.MARKET_DATA:
                self._market_data(message)
            case "3", _:
                log.warning("our message was rejected", fields=dict(message.fields()))
            case kind, _:
                text = f"messages of type {kind} are not taken on this session"
                self._reply(message, "j", wire.refusal(message, "3", text))

    # Answers

    def _reply(self, asked: Received, kind: str, body: list[Pair]) -> None:
        self._floor.say(self._send, (asked.session,), kind, body)

    def _market_data(self, message: Received) -> None:
        released = self._feed.released(message)
        if released is not None:
            if self.settings.day_s == 0 and released == self._state.seq:
                self._next_day()
            return
        self._floor.say(self._subscribe, message)

    def _subscribe(self, message: Received) -> None:
        try:
            self._feed.request(message)
        except BadRequest as fault:
            log.warning("market data refused", session=message.session, reason=str(fault))
            body: list[Pair] = [(262, message.get(262)), (281, fault.reason), (58, str(fault))]
            self._send_live(message.session, "Y", body)
            return
        if self._day_timer is None and self._feed.subscribers and self.settings.day_s:
            self._wind(asyncio.get_running_loop().time())

    # The tape

    def _wind(self, from_s: float) -> None:
        """Set the clock for the end of the day that began at `from_s` of the loop's time."""
        loop = asyncio.get_running_loop()
        # A loop that fell behind (a suspended machine) goes on from now and skips nothing.
        self._due_s = max(from_s, loop.time() - 1.0) + float(self.settings.day_s)
        self._day_timer = loop.call_at(self._due_s, self._take, DayDue())

    def _next_day(self) -> None:
        day = self._tape.advance()
        if day is None:
            return
        self._open_day(day)
        if self._day_timer is not None and not self._tape.ended:
            self._wind(self._due_s)

    def _open_day(self, day: Day) -> None:
        quotes = self._quotes(day.closes, day.seq)
        command = OpenDay(day.seq, day.day.isoformat(), dict(day.closes), quotes)
        self._floor.do(command, self._clock())
        metrics.UNQUOTED.inc(sum(1 for s, text in day.closes.items() if text and s not in quotes))

    def _quotes(self, closes: Mapping[str, str], seq: int) -> dict[str, Quote]:
        settings = self.settings
        return maker.quotes(
            closes,
            seq,
            seed=settings.seed,
            spread_bps=settings.spread_bps,
            depth_shares=settings.depth_shares,
        )

    # The engine

    def _send(self, sessions: Sequence[str], kind: str, body: list[Pair]) -> None:
        """Hand a message over for good: a session that is logged out gets it by resend."""
        assert self._engine is not None  # noqa: S101
        self._engine.tell(sessions, kind, body)

    def _send_live(self, session: str, kind: str, body: list[Pair]) -> None:
        """Send what only matters now: market data."""
        assert self._engine is not None  # noqa: S101
        self._engine.send(session, kind, body)

    def _measure(self, record: Record) -> None:
        metrics.SEQ.set(self._state.seq)
        metrics.TAPE_ENDED.set(self._tape.ended)
        metrics.OPEN_ORDERS.set(len(self._state.open))
        metrics.SUBSCRIBERS.set(self._feed.subscribers)
        metrics.RECORD_BYTES.set(record.size)
