"""Keeps the board true: reads the books once, follows the bus, recovers from losing either.

The books tell the journal index that they hold; the bus is taken up at a message that is
not newer, and what arrives twice changes nothing. After a loss of the bus, or where cash
by our ledger stays apart from cash by the journal, the books are read again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import structlog

from apps.core.bus import MD, ORDERS, PORTFOLIO, START, Bus, BusDown, BusSlow
from apps.core.messages import (
    BusMessage,
    Close,
    DecisionDone,
    Fill,
    OrderUpdate,
    Portfolio,
    decode,
)
from apps.desk import metrics
from apps.desk.board import KEEP, SAMPLES, Board
from apps.desk.books import Books, BooksDown

RETRY_S = 1.0
WATCH_S = 2.0
PORTFOLIO_S = 1.0
GATHER_S = 0.05
"""Messages that come within this time are read together: at speed 0 that is a day each 20 ms."""
SILENT_S = 4.0
"""A read of the bus answers within a second, with messages or without."""
PAGE = 500
SETTLED_POLLS = 3
"""A difference that stays for so many looks at the portfolio is one."""
REREAD_S = 15.0
"""At most so often are the books read again for a difference."""

LOST = (BusDown, BusSlow, TimeoutError)

log = structlog.get_logger()


class Feed:
    """Owns the board; `changed` is called after the board took something in."""

    def __init__(self, board: Board, bus: Bus, books: Books, changed: Callable[[], None]) -> None:
        """Prepare; `run` does the work."""
        self.board = board
        self._bus, self._books, self._changed = bus, books, changed
        self._after = {MD: START, ORDERS: START}
        self._loaded = False
        self._reread = asyncio.Event()
        self._reread_at = 0.0

    @property
    def loaded(self) -> bool:
        """Whether the books were read since the start."""
        return self._loaded

    async def run(self) -> None:
        """Read, follow, recover; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_books())
            while True:
                await self._begin()
                await self._follow_until_lost()

    async def _begin(self) -> None:
        """Read the books and find the place on the bus; return when it can be followed.

        With the books down, what is shown already goes on by the bus alone; with the bus
        down, the books are shown as they are.
        """
        while True:
            try:
                fresh, index = await self._read_books()
            except BooksDown as why:
                self._note(books="down", detail=str(why))
                if self._loaded and await self._bus_answers():
                    return
                await asyncio.sleep(RETRY_S)
                continue
            fresh.source(books="up")
            try:
                self._after = await self._places(fresh.ledger.last_seq, index)
            except LOST as why:
                fresh.source(bus="down", detail=_reason(why))
                self._show(fresh)
                while not await self._bus_answers():
                    await asyncio.sleep(RETRY_S)
            else:
                fresh.source(bus="up")
                self._show(fresh)
                return

    async def _read_books(self) -> tuple[Board, int]:
        """Return a board made from the books, and the journal index that they hold."""
        began = time.monotonic()
        fresh = self.board.successor()
        self._reread.clear()
        self._reread_at = began
        async with self._books.reading() as books:
            async for close in books.closes():
                fresh.close(close)
            async for fill in books.fills():
                fresh.fill(fill)
            async for order in books.orders(SAMPLES):
                fresh.order(order)
            async for decided in books.decisions(KEEP):
                fresh.decided(decided.done, decided.day, decided.orders)
        took_s = round(time.monotonic() - began, 3)
        log.info("books read", days=len(fresh.ledger.days), index=books.index, took_s=took_s)
        return fresh, books.index

    def _show(self, fresh: Board) -> None:
        self.board, self._loaded = fresh, True
        self._changed()

    async def _places(self, last_seq: int, index: int) -> dict[str, str]:
        """Return where each stream goes on after what the books hold."""

        def known(message: BusMessage) -> bool:
            match message:
                case Close():
                    return message.seq <= last_seq
                case Fill() | OrderUpdate() | DecisionDone():
                    return message.index <= index
                case _:
                    return True

        return {stream: await self._place(stream, known) for stream in (MD, ORDERS)}

    async def _place(self, stream: str, known: Callable[[BusMessage], bool]) -> str:
        """Return an entry of a stream such that it and all before it are known already.

        Streams are nearly in order: a whole page of known messages ends the search.
        """
        newest = "+"
        while True:
            page = await self._bus.client.xrevrange(stream, max=newest, count=PAGE)
            if not page:
                return START
            entries = [(entry.decode(), decode(fields[b"m"])) for entry, fields in page]
            if all(known(message) for _, message in entries):
                return str(entries[0][0])
            newest = f"({entries[-1][0]}"

    async def _follow_until_lost(self) -> None:
        """Follow the bus; return when the books should be read again."""
        jobs = [
            asyncio.create_task(self._follow(MD)),
            asyncio.create_task(self._follow(ORDERS)),
            asyncio.create_task(self._watch_portfolio()),
            asyncio.create_task(self._reread.wait()),
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        except LOST as why:
            log.warning("bus lost", reason=_reason(why))
            self._note(bus="down", detail=_reason(why))
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _follow(self, stream: str) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    batch = await self._bus.read(stream, self._after[stream])
            except msgspec.DecodeError as fault:
                # Of another release, or broken: the books will know what it was.
                log.error("a message was not understood", stream=stream, reason=str(fault))
                metrics.UNREADABLE.labels(stream=stream).inc()
                newest = await self._bus.client.xrevrange(stream, count=1)
                self._after[stream] = newest[0][0].decode()
                continue
            if not batch:
                continue
            for entry, message in batch:
                try:
                    self._take(message)
                except ValueError as fault:
                    log.error("a message makes no sense", stream=stream, reason=str(fault))
                    metrics.UNREADABLE.labels(stream=stream).inc()
                self._after[stream] = entry
            metrics.MESSAGES.labels(stream=stream).inc(len(batch))
            self._changed()
            await asyncio.sleep(GATHER_S)

    def _take(self, message: BusMessage) -> None:
        match message:
            case Close():
                self.board.close(message)
            case Fill():
                self.board.fill(message)
            case OrderUpdate():
                self.board.order(message)
            case DecisionDone():
                self.board.decided(message)

    async def _watch_portfolio(self) -> None:
        """Hold our ledger against the journal's own figures, which execution publishes."""
        before: tuple[int, Decimal] | None = None
        stood = 0
        while True:
            async with asyncio.timeout(SILENT_S):
                found = await self._bus.get(PORTFOLIO)
            status = self.board.status
            portfolio = found if isinstance(found, Portfolio) else None
            difference = self.board.told(portfolio)
            now = (portfolio.index, difference) if portfolio and difference else None
            # The portfolio is told before the fills that led to it: wait for them.
            stood = stood + 1 if now is not None and now == before else 0
            before = now
            settled = difference if stood >= SETTLED_POLLS else Decimal(0)
            self.board.differs(settled)
            metrics.DIFFERENCE.set(float(settled))
            if settled and time.monotonic() - self._reread_at > REREAD_S:
                log.warning("cash differs from the journal's", difference_usd=str(settled))
                self._reread.set()
            if self.board.status != status:
                self._changed()
            await asyncio.sleep(PORTFOLIO_S)

    async def _watch_books(self) -> None:
        while True:
            try:
                await self._books.check()
            except BooksDown as why:
                if self._loaded and self.board.status.books != "down":
                    log.warning("books lost", reason=str(why))
                self._note(books="down", detail=str(why))
            else:
                if self._loaded and self.board.status.books == "down":
                    # What happened meanwhile is known from the bus, unless that was lost too.
                    log.info("books are back")
                    self._reread.set()
            await asyncio.sleep(WATCH_S)

    async def _bus_answers(self) -> bool:
        try:
            async with asyncio.timeout(SILENT_S):
                await self._bus.client.ping()
        except LOST:
            return False
        self._note(bus="up", detail=self.board.status.detail)
        return True

    def _note(self, **changes: str) -> None:
        status = self.board.status
        self.board.source(**changes)  # type: ignore[arg-type]
        if self.board.status != status:
            self._changed()


def _reason(fault: Exception) -> str:
    return str(fault).strip().partition("\n")[0] or type(fault).__name__
