"""Reads past closes from the books, for the window of a strategy that starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.errors import UndefinedTable

from apps.core import books
from apps.core.settings import BooksSettings
from apps.strategy.window import NEVER

Prices = dict[str, Decimal]


class HistoryMissing(Exception):
    """The days asked for cannot be read now; the message says why."""


class History:
    """The `closes` that the data app stored, and whether this strategy ever decided."""

    def __init__(self, settings: BooksSettings) -> None:
        """Connect to nothing yet: each read opens and closes its own connection."""
        self._settings = settings

    async def stored(self) -> int:
        """Return the sequence of the last stored day, -1 before the first."""
        rows = await self._read("SELECT max(seq) FROM feed_position", ())
        return NEVER if not rows or rows[0][0] is None else int(rows[0][0])

    async def days(self, after: int, upto: int) -> list[tuple[int, Prices]]:
        """Return the closes of every day after `after` up to `upto`, in order.

        A day on which every record was quarantined has no prices. Raises `HistoryMissing`
        where not all of them are stored yet.
        """
        if upto <= after:
            return []
        stored = await self.stored()
        if stored < upto:
            raise HistoryMissing(f"days up to {stored} are stored, {upto} is needed")
        rows = await self._read(
            "SELECT seq, symbol, price FROM closes WHERE seq > %s AND seq <= %s", (after, upto)
        )
        days: dict[int, Prices] = {seq: {} for seq in range(after + 1, upto + 1)}
        for seq, symbol, price in rows:
            days[seq][symbol] = price
        return list(days.items())

    async def ever_decided(self, strategy: str) -> bool:
        """Return whether the books hold a decision of this strategy."""
        rows = await self._read("SELECT 1 FROM decisions WHERE strategy = %s LIMIT 1", (strategy,))
        return bool(rows)

    async def _read(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        async def ask(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> list[Any]:
            try:
                answer = await connection.execute(query.encode(), values)
            except UndefinedTable:  # its owner has not started yet: nothing is stored
                return []
            return await answer.fetchall()

        return await self._connected(ask)

    async def _connected(
        self, ask: Callable[[psycopg.AsyncConnection[tuple[Any, ...]]], Awaitable[list[Any]]]
    ) -> list[tuple[Any, ...]]:
        try:
            connection = await books.connect(self._settings)
            async with connection:
                return await ask(connection)
        except psycopg.OperationalError as fault:
            raise HistoryMissing(f"the books do not answer: {fault}") from fault
