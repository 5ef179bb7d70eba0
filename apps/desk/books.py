"""Reads the books: what the desk shows at its start, as the messages that led there.

All of it is read in one snapshot of the database, with the journal index up to which the
projector had come; from there the bus goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection, IsolationLevel

from apps.core import books
from apps.core.messages import (
    Close,
    DecisionDone,
    Fill,
    OrderState,
    OrderUpdate,
    Side,
    Stamps,
)
from apps.core.settings import BooksSettings

PAGE = 500
"""Rows that are held at once."""
CHECK_S = 4
READ_S = 60
"""A server that stands still answers nothing: every wait has an end."""

Row = tuple[Any, ...]

_FIRST_DAY: LiteralString = "SELECT min(day::date) FROM decisions"
_INDEX: LiteralString = "SELECT index FROM journal_position"
_CLOSES: LiteralString = (
    "SELECT seq, day, symbol, price FROM closes WHERE day >= %(first)s ORDER BY day, symbol"
)
_FILLS: LiteralString = (
    "SELECT journal_index, order_id, exec_id, venue, day, symbol, side, qty, price, at_ns"
    " FROM fills ORDER BY journal_index, exec_id"
)
_ORDERS: LiteralString = (
    "SELECT journal_index, id, decision_id, symbol, side, qty, state, cum_qty, avg_px, reason,"
    " probe, data_in_ns, published_ns, decided_ns, received_ns, journaled_ns, sent_ns"
    " FROM (SELECT * FROM orders ORDER BY journal_index DESC, id DESC LIMIT %(most)s) newest"
    " ORDER BY journal_index, id"
)
_DECISIONS: LiteralString = (
    "SELECT d.journal_index, d.id, d.seq, d.day::text, d.verdict, d.reason,"
    " (SELECT count(*) FROM orders o WHERE o.decision_id = d.id)"
    " FROM (SELECT * FROM decisions WHERE id = strategy || '-' || seq"
    " ORDER BY journal_index DESC LIMIT %(most)s) d ORDER BY d.journal_index"
)


class BooksDown(Exception):
    """The books cannot be read now: the message says why."""


@dataclass(frozen=True)
class Decided:
    """A decision as the books have it: with its day, and how many orders it had."""

    done: DecisionDone
    day: str
    orders: int


@dataclass(frozen=True)
class Reading:
    """One snapshot of the books, open."""

    connection: AsyncConnection[Row]
    index: int
    """Journal index of the last record that the projector had applied; 0 before the first."""

    async def closes(self) -> AsyncIterator[Close]:
        """Yield the days from the first one that was decided upon; none where there is none."""
        row = await (await self.connection.execute(_FIRST_DAY)).fetchone()
        if row is None or row[0] is None:
            return
        day: date | None = None
        seq, prices = -1, dict[str, Decimal]()
        async for at, found, symbol, price in self._rows("closes", _CLOSES, {"first": row[0]}):
            if found != day:
                if day is not None:
                    yield _close(seq, day, prices)
                seq, day, prices = at, found, {}
            prices[symbol] = price
        if day is not None:
            yield _close(seq, day, prices)

    async def fills(self) -> AsyncIterator[Fill]:
        """Yield every fill, in the order of the journal."""
        async for index, order, exec_id, venue, day, symbol, side, qty, price, at_ns in self._rows(
            "fills", _FILLS, {}
        ):
            yield Fill(
                index=index,
                order=order,
                exec_id=exec_id,
                venue=venue,
                day=day.isoformat(),
                symbol=symbol,
                side=Side(side),
                qty=qty,
                price=price,
                at_ns=at_ns,
            )

    async def orders(self, most: int) -> AsyncIterator[OrderUpdate]:
        """Yield the newest orders, the oldest of them first."""
        async for row in self._rows("orders", _ORDERS, {"most": most}):
            index, order, decision, symbol, side, qty, state, cum_qty, avg_px, reason, probe = row[
                :11
            ]
            names = Stamps.__struct_fields__
            yield OrderUpdate(
                index=index,
                id=order,
                decision=decision,
                symbol=symbol,
                side=Side(side),
                qty=qty,
                state=OrderState(state),
                cum_qty=cum_qty,
                avg_px=avg_px or Decimal(0),
                reason=reason or "",
                probe=probe or "",
                stamps=Stamps(**{n: at or 0 for n, at in zip(names, row[11:], strict=True)}),
            )

    async def decisions(self, most: int) -> AsyncIterator[Decided]:
        """Yield the newest decisions, the oldest of them first; those of probes left out."""
        rows = self._rows("decisions", _DECISIONS, {"most": most})
        async for index, name, seq, day, verdict, reason, orders in rows:
            done = DecisionDone(
                index=index, decision=name, seq=seq, verdict=verdict, reason=reason or ""
            )
            yield Decided(done, day, orders)

    async def _rows(
        self, name: str, query: LiteralString, values: dict[str, object]
    ) -> AsyncIterator[Row]:
        async with self.connection.cursor(name=f"desk_{name}") as cursor:
            cursor.itersize = PAGE
            await cursor.execute(query, values)
            async for row in cursor:
                yield row


class Books:
    """The site's PostgreSQL, read only."""

    def __init__(self, settings: BooksSettings) -> None:
        """Keep how to reach it; nothing is opened yet."""
        self._settings = settings
        self._watching: AsyncConnection[Row] | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """Open one snapshot of the books; raise `BooksDown` where they cannot be read."""
        try:
            async with (
                asyncio.timeout(READ_S),
                await books.connect(self._settings, autocommit=False) as connection,
            ):
                await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
                await connection.set_read_only(True)
                row = await (await connection.execute(_INDEX)).fetchone()
                yield Reading(connection, row[0] if row else 0)
        except (psycopg.Error, OSError, TimeoutError) as fault:
            raise BooksDown(_reason(fault)) from fault

    async def check(self) -> None:
        """Ask over a connection that is kept; raise `BooksDown` where no answer comes."""
        try:
            async with asyncio.timeout(CHECK_S):
                if self._watching is None:
                    self._watching = await books.connect(self._settings)
                await self._watching.execute("SELECT 1")
        except (psycopg.Error, OSError, TimeoutError) as fault:
            await self.close()
            raise BooksDown(_reason(fault)) from fault

    async def close(self) -> None:
        """Close the connection that is kept."""
        kept, self._watching = self._watching, None
        if kept is not None:
            await kept.close()


def _close(seq: int, day: date, prices: dict[str, Decimal]) -> Close:
    return Close(seq=seq, day=day.isoformat(), event_ns=0, prices=prices, stamps=Stamps())


def _reason(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "no answer in time"
    return str(fault).strip().partition("\n")[0] or type(fault).__name__
