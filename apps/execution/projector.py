"""The projector, `python -m apps.execution.projector`: the journal into PostgreSQL, exactly once.

It is not on the order path: losing it, or PostgreSQL, stops reports and not trading. The
index of the last record is written in the transaction that applies it, so that a crash
at any instant leaves books that are whole, and the next start goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import psycopg
import structlog

from apps.core import books as reaching
from apps.core.app import App, NotReady, main
from apps.core.journal import Gap, Journal, Unreachable
from apps.core.migrations import migrate
from apps.core.settings import ProjectorSettings
from apps.execution import books, metrics
from apps.execution.belonging import until_ours

log = structlog.get_logger()

TRANSACTION_S = 20.0
"""A transaction that takes longer has lost its server."""
RETRY_S = 0.25
LINGER_S = 0.2
"""How long records gather before they are written: one transaction for all of them."""
LAG_EVERY_S = 1.0
BEHIND_RECORDS = 5_000
BEHIND_S = 10.0
"""Readiness fails when the books were behind for so long, or by so many records."""


class Projector(App[ProjectorSettings]):
    """Applies the journal to the books."""

    settings_type = ProjectorSettings

    def __init__(self, settings: ProjectorSettings) -> None:
        """Keep the settings; open nothing yet."""
        super().__init__(settings)
        self._trouble = "starting"
        self._index = 0
        self._tail = 0
        self._tail_at = 0.0
        self._level_at = time.monotonic()

    async def run(self) -> None:
        """Project until asked to stop."""
        metrics.BOOKS_UP.set_function(lambda: float(not self._trouble))
        async with Journal.of(self.settings) as journal:
            work = asyncio.create_task(self._project_for_ever(journal))
            look = asyncio.create_task(self._look_at_tail(journal))
            stop = asyncio.create_task(self.stopping.wait())
            try:
                done, _ = await asyncio.wait(
                    {work, look, stop}, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done - {stop}:
                    task.result()
            finally:
                for task in (work, look, stop):
                    task.cancel()
                await asyncio.gather(work, look, stop, return_exceptions=True)

    async def _project_for_ever(self, journal: Journal) -> None:
        await until_ours(journal, self._waits)
        while True:
            try:
                await self._project(journal)
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as fault:
                self._failed(f"PostgreSQL does not answer: {str(fault).strip() or 'timeout'}")
            except (books.Moved, Gap) as fault:
                self._failed(str(fault))
            await asyncio.sleep(RETRY_S)

    def _waits(self, why: str) -> None:
        self._trouble = why

    def _failed(self, reason: str) -> None:
        if reason != self._trouble:
            log.warning("books not written", reason=reason)
        self._trouble = reason

    async def _project(self, journal: Journal) -> None:
        async with await reaching.connect(self.settings) as connection:
            async with asyncio.timeout(TRANSACTION_S):
                await migrate(connection, books.OWNER, books.STEPS)
                state = await books.load(connection)
            self._at(state.index)
            log.info("books open", index=state.index, open_orders=len(state.open))
            async with contextlib.aclosing(
                journal.follow(state.index, linger_s=LINGER_S)
            ) as batches:
                self._trouble = ""
                async for some in batches:
                    async with asyncio.timeout(TRANSACTION_S):
                        await books.project(connection, state, some)
                    self._at(state.index)

    def _at(self, index: int) -> None:
        self._index = index
        self._tail = max(self._tail, index)
        self._measure()

    def _measure(self) -> None:
        lag = self._tail - self._index
        metrics.PROJECTOR_LAG.set(lag)
        if lag == 0:
            self._level_at = time.monotonic()

    async def _look_at_tail(self, journal: Journal) -> None:
        while True:
            with contextlib.suppress(Unreachable):
                self._tail = max(await journal.tail(patience_s=LAG_EVERY_S), self._index)
                self._tail_at = time.monotonic()
                self._measure()
            await asyncio.sleep(LAG_EVERY_S)

    async def ready(self) -> None:
        """Say what keeps the books from following the journal, if anything does."""
        if self._trouble:
            raise NotReady(self._trouble)
        now = time.monotonic()
        if now - self._tail_at > 3 * LAG_EVERY_S:
            raise NotReady("the journal does not answer")
        lag = self._tail - self._index
        if lag > BEHIND_RECORDS or (lag and now - self._level_at > BEHIND_S):
            raise NotReady(f"the books are {lag} records behind the journal")


if __name__ == "__main__":
    sys.exit(main(Projector))
