"""Publishes days and probes on the bus: every day once, in order, whatever the bus lives through.

A day has the stream id `seq+1`-0, and the newest id on the stream says what is published:
after a crash of ours, of the bus, or of a bus that came back without its data, what is missing
follows from comparing the two. Each append names the entry that it goes behind, so that a
stream which is emptied between two appends is filled again from its beginning.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic

import msgspec
import structlog

from apps.core.bus import MD, START, Bus, BusDown, BusSlow, Moved
from apps.core.clock import Clock
from apps.core.instruments import TEST_SYMBOL
from apps.core.messages import Close, Stamps
from apps.data import metrics
from apps.data.normalize import NEVER

log = structlog.get_logger()

RECENT = 250
"""Days that a bus without its data gets again; older ones are in the books."""
BUFFER = 5_000
"""Days that wait for the bus at most; beyond, the oldest are left to the books."""
CHECK_S = 1.0
"""How often an idle bus is compared with what should be on it."""
RETRY_S = 0.1
TEST_PRICE = Decimal(10)


class ProbeRefused(Exception):
    """A probe cannot be published; the message says why."""


@dataclass(slots=True)
class _Probe:
    id: str
    close: Close
    done: asyncio.Future[str]


class Publisher:
    """The recent days in memory, and the task that keeps the bus equal to them."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        """Prepare; `restore` says what is known from the books."""
        self.published = NEVER
        """Sequence of the newest day on the bus, as last seen."""
        self.trouble = "not compared with the bus yet"
        """Why the bus cannot be written; empty while it can."""
        self._bus = bus
        self._newest: str | None = None
        """Id of the stream's newest entry, as last seen; None where it is to be looked up."""
        self._clock = clock
        self._days: deque[Close] = deque()
        self._base: Close | None = None
        self._probes: deque[_Probe] = deque()
        self._some = asyncio.Event()
        self._behind_since: float | None = None

    def restore(self, days: Iterable[Close], base: Close | None) -> None:
        """Take the recent live days, and the last prices that a probe may carry."""
        self._days = deque(days, maxlen=BUFFER)
        self._base = base
        self._some.set()

    def put(self, close: Close, base: Close) -> None:
        """Take the next day; `base` has the last good price of every symbol, for probes.

        A day that was taken before, sent again for the books' sake, is left alone.
        """
        if self._days and close.seq <= self._days[-1].seq:
            return
        if len(self._days) == BUFFER and self._days[0].seq > self.published:
            metrics.OVERFLOWS.labels("bus").inc()
        self._days.append(close)
        self._base = base
        if self._behind_since is None:
            self._behind_since = monotonic()
        self._some.set()

    async def probe(self, name: str, data_in: int) -> str:
        """Publish the last prices again as a probe; return the id that it has on the stream."""
        if self._base is None:
            raise ProbeRefused("there are no prices yet")
        probe = _Probe(
            name,
            msgspec.structs.replace(
                self._base,
                prices={**self._base.prices, TEST_SYMBOL: TEST_PRICE},
                stamps=Stamps(data_in=data_in),
                probe=name,
            ),
            asyncio.get_running_loop().create_future(),
        )
        self._probes.append(probe)
        self._some.set()
        return await probe.done

    @property
    def waited_s(self) -> float:
        """How long the oldest unpublished day has waited; 0 where none does."""
        return monotonic() - self._behind_since if self._behind_since is not None else 0.0

    @property
    def idle(self) -> bool:
        """Whether every day and probe is on the bus."""
        return not self.trouble and self._behind_since is None and not self._probes

    async def run(self) -> None:
        """Keep the bus equal to what is known, for ever."""
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._some.wait()
            except TimeoutError:
                self._newest = None  # nothing new: see whether the bus still has what it had
            self._some.clear()
            try:
                await self._align()
            except (BusDown, BusSlow) as why:
                if not self.trouble.startswith("the bus"):
                    log.warning("the bus does not answer", reason=str(why))
                self.trouble = f"the bus does not answer: {why}"
                self._newest = None
                self._some.set()
                await asyncio.sleep(RETRY_S)
                continue
            if self.trouble.startswith("the bus"):
                log.info("the bus answers again", published=self.published)
            self.trouble = ""

    async def _align(self) -> None:
        """Publish what is newer than the stream's newest entry, then the probes."""
        while True:
            if self._newest is None:
                newest = await self._bus.last(MD)
                self._found(newest[0] if newest else START)
            try:
                await self._publish_days()
                await self._publish_probes()
            except Moved as moved:
                self._found(moved.newest)
            else:
                return

    def _found(self, newest: str) -> None:
        """Take note of where the stream ends."""
        top = _day_and_nth(newest)[0]
        if top < self.published:
            log.warning("the bus has lost days", published=self.published, found=top)
        self._newest, self.published = newest, top

    async def _publish_days(self) -> None:
        missing = [close for close in self._days if close.seq > self.published]
        for number, close in enumerate(missing):
            metrics.UNPUBLISHED.set(len(missing) - number)
            now = await self._append(close, f"{close.seq + 1}-0")
            self.published = close.seq
            if close.stamps.data_in:
                metrics.PUBLISH_SECONDS.observe((now - close.stamps.data_in) / 1e9)
        metrics.UNPUBLISHED.set(0)
        self._behind_since = None
        if self._days and self._days[-1].seq > self.published:
            self._behind_since = monotonic()  # one came while we published
        while len(self._days) > RECENT and self._days[0].seq <= self.published:
            self._days.popleft()

    async def _publish_probes(self) -> None:
        """Publish each probe behind the newest day, whatever day was that when it was asked for."""
        while self._probes:
            probe = self._probes[0]
            if not probe.done.cancelled():  # whoever asked has not given up
                top, nth = _day_and_nth(self._newest or START)
                day = max(probe.close.seq, self.published)
                entry = f"{day + 1}-{nth + 1 if day == top else 1}"
                await self._append(probe.close, entry)
                metrics.PROBES.inc()
                if not probe.done.done():
                    probe.done.set_result(entry)
            self._probes.popleft()

    async def _append(self, close: Close, entry: str) -> int:
        """Append it behind the newest entry; return the time that it was stamped with."""
        now = self._clock()
        stamped = msgspec.structs.replace(
            close, stamps=msgspec.structs.replace(close.stamps, published=now)
        )
        await self._bus.append(MD, stamped, behind=self._newest or START, entry=entry)
        self._newest = entry
        return now


def _day_and_nth(entry: str) -> tuple[int, int]:
    """Return a stream id's day, `NEVER` for the id before all, and its number within the day."""
    ms, _, nth = entry.partition("-")
    return int(ms) - 1, int(nth)
