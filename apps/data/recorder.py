"""Writes what arrives to the books, beside the path: losing PostgreSQL stops no market data."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

import psycopg
import structlog

from apps.core.clock import Clock
from apps.data import metrics
from apps.data.normalize import Seen
from apps.data.store import Entry, Store

log = structlog.get_logger()

BUFFER = 5_000
"""Messages that wait for the books at most, some 20 years of days.

Beyond, they are let go, and asked of the venue again once the books are back.
"""
BATCH = 500
RETRY_S = (0.1, 2.0)
"""Waits between tries to reach the books: the first, and the longest."""


class Recorder:
    """A bounded buffer before the store, written in order and in batches."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        on_overflow: Callable[[Seen], None],
        limit: int = BUFFER,
    ) -> None:
        """Prepare. `on_overflow` gets what the books hold, where what came since is let go."""
        self.stored = -1
        """Sequence of the last day in the books."""
        self._store = store
        self._clock = clock
        self._on_overflow = on_overflow
        self._limit = limit
        self._waiting: deque[tuple[float, Entry]] = deque()
        self._some = asyncio.Event()
        self._overflowed = False
        self.trouble = ""
        """Why the books cannot be written; empty while they can."""

    def put(self, entry: Entry) -> None:
        """Take what a message left; never blocks."""
        if self._overflowed:
            return
        if len(self._waiting) >= self._limit:
            log.error("the buffer before the books is full", messages=len(self._waiting))
            metrics.OVERFLOWS.labels("books").inc()
            self._waiting.clear()
            self._overflowed = True
        else:
            self._waiting.append((monotonic(), entry))
        metrics.UNSTORED.set(len(self._waiting))
        self._some.set()

    @property
    def waited_s(self) -> float:
        """How long the oldest message has waited for the books; 0 where none waits."""
        return monotonic() - self._waiting[0][0] if self._waiting else 0.0

    @property
    def idle(self) -> bool:
        """Whether everything is stored."""
        return not self._waiting and not self._overflowed

    async def run(self) -> None:
        """Store what comes, for ever."""
        wait_s = RETRY_S[0]
        reopen = False
        while True:
            await self._some.wait()
            try:
                if reopen:
                    await self._store.open()
                    reopen = False
                    await self._check()
                await self._write()
            except psycopg.OperationalError as why:
                if not self.trouble:
                    log.warning("the books do not answer", reason=str(why))
                self.trouble, reopen = f"the books do not answer: {why}", True
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_S[1])
                continue
            if self.trouble:
                log.info("the books answer again", stored=self.stored)
            self.trouble, wait_s = "", RETRY_S[0]

    async def _check(self) -> None:
        """See whether the books still hold what they held; if not, all since is asked again."""
        found = await self._store.position()
        if found < self.stored:
            log.error("the books have lost days", stored=self.stored, found=found)
            self._waiting.clear()
            self._overflowed = True

    async def _write(self) -> None:
        if self._overflowed:
            self._waiting.clear()
            seen = await self._store.seen()
            self.stored = seen.seq
            self._overflowed = False
            self._some.clear()
            self._on_overflow(seen)
            return
        batch = [entry for _, entry in list(self._waiting)[:BATCH]]
        self.stored = await self._store.append(batch)
        now = self._clock()
        for entry in batch:
            self._waiting.popleft()
            metrics.STORE_SECONDS.observe((now - entry.at_ns) / 1e9)
        metrics.UNSTORED.set(len(self._waiting))
        if not self._waiting:
            self._some.clear()
