"""The data app's tables in PostgreSQL: what is known after a restart, and what is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection

from apps.core import books
from apps.core.instruments import Instrument
from apps.core.migrations import migrate
from apps.core.settings import BooksSettings
from apps.data.normalize import NEVER, Normalized, Priced, Quote, Reason, Rejected, Seen
from apps.data.schema import OWNER, STEPS, partition


class Entry(msgspec.Struct, frozen=True):
    """What one market-data message left, to be stored as a whole."""

    at_ns: int
    """When it arrived, UTC nanoseconds: with source and sequence the key of what it rejected."""
    source: str
    normalized: Normalized


class Store:
    """One connection to the books; opened anew after a loss."""

    def __init__(self, settings: BooksSettings) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        self._connection: AsyncConnection[tuple[Any, ...]] | None = None
        self._years: set[int] = set()

    async def open(self) -> None:
        """Connect and bring the schema up to date; `psycopg.OperationalError` if it cannot."""
        await self.close()
        connection = await books.connect(self._settings)
        try:
            await migrate(connection, OWNER, STEPS)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        self._years = set()

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    @property
    def _open(self) -> AsyncConnection[tuple[Any, ...]]:
        if self._connection is None:
            raise RuntimeError("the store is not open")
        return self._connection

    async def seen(self) -> Seen:
        """Return what normalization remembered when the last stored day was stored."""
        seq = await self.position()
        last = await self._open.execute("SELECT max(day)::text FROM closes")
        day = (await last.fetchone() or (None,))[0]
        good = await self._open.execute(
            "SELECT symbol, price FROM instruments, LATERAL (SELECT price FROM closes"
            " WHERE closes.symbol = instruments.symbol ORDER BY day DESC LIMIT 1) AS newest"
        )
        outliers = await self._open.execute(
            "SELECT raw FROM quarantine WHERE reason = %s AND seq = %s",
            (Reason.OUTLIER.value, seq),
        )
        known = await self.instruments()
        suspect: dict[str, Decimal] = {}
        for (raw,) in await outliers.fetchall():
            quote = msgspec.json.decode(raw, type=Quote)
            suspect[quote.symbol] = known[quote.symbol].round_price(Decimal(quote.close))
        return Seen(seq=seq, day=day or "", good=dict(await good.fetchall()), suspect=suspect)

    async def position(self) -> int:
        """Return the sequence of the last stored day, `NEVER` before the first."""
        found = await self._open.execute("SELECT max(seq) FROM feed_position")
        row = await found.fetchone()
        return NEVER if row is None or row[0] is None else int(row[0])

    async def instruments(self) -> dict[str, Instrument]:
        """Return the instruments by symbol."""
        found = await self._open.execute("SELECT symbol, mic, tick, lot, currency FROM instruments")
        return {
            symbol: Instrument(symbol=symbol, mic=mic, tick=tick, lot=lot, currency=currency)
            for symbol, mic, tick, lot, currency in await found.fetchall()
        }

    async def know(self, instruments: Iterable[Instrument]) -> None:
        """Store instruments; what is stored of one already is brought up to date."""
        async with self._open.transaction(), self._open.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO instruments (symbol, mic, tick, lot, currency)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (symbol) DO UPDATE SET"
                " mic = EXCLUDED.mic, tick = EXCLUDED.tick, lot = EXCLUDED.lot,"
                " currency = EXCLUDED.currency",
                [(i.symbol, i.mic, i.tick, i.lot, i.currency) for i in instruments],
            )

    async def append(self, entries: Sequence[Entry]) -> int:
        """Store entries in one transaction; return the position after it.

        Safe to repeat: a day at or below the stored position is left alone, and a rejected
        record is the same if it came at the same nanosecond.
        """
        connection = self._open
        years = set(self._years)
        async with connection.transaction():
            # One writer at a time, here and at another process that thinks it is the one.
            await connection.execute("LOCK TABLE feed_position IN SHARE ROW EXCLUSIVE MODE")
            stored = await self.position()
            days = [
                entry.normalized.priced
                for entry in entries
                if entry.normalized.priced and entry.normalized.priced.seq > stored
            ]
            await self._partitions(days, years)
            await self._copy(days)
            await self._quarantine(entries)
            for source, seq in _positions(entries, stored).items():
                await connection.execute(
                    "INSERT INTO feed_position (source, seq) VALUES (%s, %s)"
                    " ON CONFLICT (source) DO UPDATE SET seq = EXCLUDED.seq",
                    (source, seq),
                )
                stored = max(stored, seq)
        self._years = years
        return stored

    async def _partitions(self, days: Iterable[Priced], years: set[int]) -> None:
        for year in sorted({int(day.day[:4]) for day in days} - years):
            await self._open.execute(partition(year).encode())
            years.add(year)

    async def _copy(self, days: Sequence[Priced]) -> None:
        if not days:
            return
        async with (
            self._open.cursor() as cursor,
            cursor.copy("COPY closes (seq, day, symbol, price, event_ns) FROM STDIN") as copy,
        ):
            for day in days:
                for symbol, price in day.prices.items():
                    await copy.write_row((day.seq, day.day, symbol, price, day.event_ns))

    async def _quarantine(self, entries: Iterable[Entry]) -> None:
        rows = [
            (*_printable(rejected), datetime.fromtimestamp(entry.at_ns / 1e9, UTC), nth)
            for entry in entries
            for nth, rejected in enumerate(entry.normalized.rejected)
        ]
        if not rows:
            return
        async with self._open.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO quarantine (source, seq, day, symbol, raw, reason, at, nth)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                rows,
            )

    async def days(self, after: int, since: str) -> list[Priced]:
        """Return the stored days after a sequence that are not before an ISO date, in order."""
        found = await self._open.execute(
            "SELECT seq, day::text, event_ns, symbol, price FROM closes"
            " WHERE seq > %s AND day >= %s::date ORDER BY seq, symbol",
            (after, since),
        )
        days: dict[int, Priced] = {}
        for seq, day, event_ns, symbol, price in await found.fetchall():
            days.setdefault(seq, Priced(seq, day, event_ns, {})).prices[symbol] = price
        return list(days.values())


def _positions(entries: Iterable[Entry], stored: int) -> Mapping[str, int]:
    positions: dict[str, int] = {}
    for entry in entries:
        seq = entry.normalized.seen.seq
        if seq > max(stored, positions.get(entry.source, NEVER)):
            positions[entry.source] = seq
    return positions


def _printable(rejected: Rejected) -> tuple[str, int, str, str, str, str]:
    """Return the columns of a rejected record; PostgreSQL's text holds everything but NUL."""
    day, symbol, raw = (
        text.replace("\x00", "\u2400") for text in (rejected.day, rejected.symbol, rejected.raw)
    )
    return rejected.source, rejected.seq, day, symbol, raw, rejected.reason.value
