"""Publishes days and probes on the bus: every day once, in order, whatever the bus lives through.

A day has the stream id `seq+1`-0, so that the bus itself refuses it a second time, and the
newest id on the stream says what is published: after a crash of ours, of the bus, or of a
bus that came back without its data, what is missing follows from comparing the two.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic

import msgspec
import structlog

from apps.core.bus import MD, Bus, BusDown, BusSlow, Superseded
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
            # In time with nothing new: see whether the bus still has what it had.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._some.wait()
            self._some.clear()
            try:
                await self._align()
            except (BusDown, BusSlow) as why:
                if not self.trouble.startswith("the bus"):
                    log.warning("the bus does not answer", reason=str(why))
                self.trouble = f"the bus does not answer: {why}"
                self._some.set()
                await asyncio.sleep(RETRY_S)
                continue
            if self.trouble.startswith("the bus"):
                log.info("the bus answers again", published=self.published)
            self.trouble = ""

    async def _align(self) -> None:
        """Publish what is newer than the stream's newest entry, then the probes."""
        newest = await self._bus.last(MD)
        ms, _, nth = (newest[0] if newest else "0-0").partition("-")
        top, repeats = int(ms) - 1, int(nth)
        if top < self.published:
            log.warning("the bus has lost days", published=self.published, found=top)
        self.published = top
        missing = [close for close in self._days if close.seq > top]
        for number, close in enumerate(missing):
            metrics.UNPUBLISHED.set(len(missing) - number)
            await self._publish(close)
            repeats = 0
        metrics.UNPUBLISHED.set(0)
        self._behind_since = None
        if self._days and self._days[-1].seq > self.published:
            self._behind_since = monotonic()  # one came while we published
        while len(self._days) > RECENT and self._days[0].seq <= self.published:
            self._days.popleft()
        while self._probes:
            if not self._probes[0].done.cancelled():  # whoever asked has given up
                repeats += 1
                await self._publish_probe(self._probes[0], repeats)
            self._probes.popleft()

    async def _publish(self, close: Close) -> None:
        now = self._clock()
        stamped = msgspec.structs.replace(
            close, stamps=msgspec.structs.replace(close.stamps, published=now)
        )
        try:
            await self._bus.publish(MD, stamped, entry=f"{close.seq + 1}-0")
        except Superseded:
            log.info("was published before", seq=close.seq)
        self.published = close.seq
        if close.stamps.data_in:
            metrics.PUBLISH_SECONDS.observe((now - close.stamps.data_in) / 1e9)

    async def _publish_probe(self, probe: _Probe, nth: int) -> None:
        close = msgspec.structs.replace(
            probe.close, stamps=msgspec.structs.replace(probe.close.stamps, published=self._clock())
        )
        # Behind the newest day, whatever day was the last when the probe was asked for.
        day = max(close.seq, self.published)
        try:
            entry = await self._bus.publish(MD, close, entry=f"{day + 1}-{nth}")
        except Superseded:
            entry = f"{day + 1}-{nth}"  # the answer to a first try was lost: it is there
        metrics.PROBES.inc()
        if not probe.done.done():
            probe.done.set_result(entry)
