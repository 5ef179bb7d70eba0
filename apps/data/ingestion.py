"""From the feed to the bus and the books: the parts of the data app at work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

import msgspec
import structlog

from apps.core.bus import Bus
from apps.core.clock import Clock
from apps.core.fix import Engine, Purpose, comp_id
from apps.core.instruments import Instrument
from apps.core.messages import Close, Stamps
from apps.core.settings import DataSettings
from apps.data.normalize import Priced, Rules, Seen
from apps.data.publisher import Publisher
from apps.data.recorder import Recorder
from apps.data.release import Releaser
from apps.data.session import FeedSession, last_prices
from apps.data.store import Entry, Store

log = structlog.get_logger()

LATE_S = 1.0
"""A day that waits longer than this to be stored or published makes the app not ready."""
DRAIN_S = 3.0
POLL_S = 0.01

STALLED_S = 10.0
"""How long a session may be away whose engine dials every second."""
MIND_S = 1.0


class Stalled(Exception):
    """The engine does not dial any more."""


class Ingestion:
    """One site's ingestion, from where the books end."""

    def __init__(
        self,
        settings: DataSettings,
        days: Bus,
        orders: Bus,
        store: Store,
        *,
        instruments: Mapping[str, Instrument],
        seen: Seen,
        recent: Iterable[Priced],
        clock: Clock,
    ) -> None:
        """Prepare; `run` logs on. `recent` are the stored live days that the bus may lack.

        `days` and `orders` are clients of the one bus: to write to, and to wait on.
        """
        self._settings = settings
        self._name = comp_id(settings.site, Purpose.MARKET_DATA)
        self._feed = FeedSession(
            session=self._name,
            source=settings.fix_venue,
            rules=Rules(instruments, settings.outlier_bound),
            seen=seen,
            clock=clock,
            sink=self._take,
        )
        self._recorder = Recorder(store, clock, on_overflow=self._feed.rewind)
        self._recorder.stored = seen.seq
        self._publisher = Publisher(days, clock)
        self._publisher.restore(map(_read_back, recent), last_prices(seen))
        self._releaser = (
            Releaser(orders, settings.strategy, self._feed.release) if settings.day_s == 0 else None
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Ingest until stopping; what has arrived by then is published and stored."""
        settings = self._settings
        engine = Engine(
            role="initiator",
            own=[self._name],
            peers=[settings.fix_venue],
            host=settings.fix_host,
            port=settings.fix_port,
            store=settings.fix_store,
            password=settings.fix_password_file.read_text().strip(),
            on_event=self._feed.on_event,
            reset_on_logon=True,
        )
        self._feed.attach(engine)
        parts = [self._recorder.run(), self._publisher.run(), self._mind_session()]
        if self._releaser:
            self._releaser.arrived(self._feed.seen.seq)
            parts.append(self._releaser.run())
        working = asyncio.ensure_future(asyncio.gather(*parts))
        stop = asyncio.ensure_future(stopping.wait())
        ends: list[asyncio.Future[Any]] = [stop, working]
        try:
            engine.start()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()  # raises what ended a part: the process starts anew
            await asyncio.to_thread(engine.stop)
            engine.forget()  # ends it while all that it uses is alive
            await self._drain()
        finally:
            stop.cancel()
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working

    async def _mind_session(self) -> None:
        """End where a session that was up does not come back though the venue answers.

        The engine whose store cannot be written, as on a full disk, loses the session and
        never dials again; a process that starts anew does.
        """
        was_up, since = False, monotonic()
        while True:
            if self._feed.up or self._feed.refusal:
                was_up, since = True, monotonic()
            elif was_up and monotonic() - since > STALLED_S and await self._venue_answers():
                raise Stalled(f"{self._name} has not been dialled again for {STALLED_S:g} s")
            await asyncio.sleep(MIND_S)

    async def _venue_answers(self) -> bool:
        """Return whether who connects to the venue stays connected, as one who would log on."""
        with contextlib.suppress(OSError):
            at = (self._settings.fix_host, self._settings.fix_port)
            reader, writer = await asyncio.open_connection(*at)
            try:
                async with asyncio.timeout(MIND_S):
                    await reader.read(1)  # the end of it: nobody speaks before the logon
            except TimeoutError:
                return True
            finally:
                writer.close()
        return False

    async def _drain(self) -> None:
        deadline = monotonic() + DRAIN_S
        while not (self._recorder.idle and self._publisher.idle):
            if monotonic() > deadline:
                log.warning("stopped with days in hand: the venue sends them again")
                return
            await asyncio.sleep(POLL_S)

    def _take(self, entry: Entry, close: Close | None) -> None:
        """Hand on what a message left: to the bus first, which is the order path."""
        if close is not None:
            good = dict(self._feed.seen.good)
            self._publisher.put(close, msgspec.structs.replace(close, prices=good))
        self._recorder.put(entry)
        if self._releaser and entry.normalized.seen.seq > self._releaser.seq:
            self._releaser.arrived(entry.normalized.seen.seq, empty=close is None)

    async def probe(self, name: str, data_in: int) -> str:
        """Publish a probe; return its id on the stream. Raises `publisher.ProbeRefused`."""
        return await self._publisher.probe(name, data_in)

    @property
    def fault(self) -> str:
        """Why the job is not done right now; empty while it is."""
        if not self._feed.up:
            return self._feed.refusal or f"{self._name} is not logged on to the venue"
        if self._publisher.trouble:
            return self._publisher.trouble
        if self._publisher.waited_s > LATE_S:
            return f"a day has waited {self._publisher.waited_s:.1f} s to be published"
        if self._recorder.trouble:
            return self._recorder.trouble
        if self._recorder.waited_s > LATE_S:
            return f"a day has waited {self._recorder.waited_s:.1f} s to be stored"
        return ""


def _read_back(day: Priced) -> Close:
    """Return a stored day as a close; when it first came in is not known any more."""
    return Close(
        seq=day.seq, day=day.day, event_ns=day.event_ns, prices=day.prices, stamps=Stamps()
    )
