"""The rows of a site's books, read at one instant.

Only what changed since a record of the journal is read, and what is open still. Of what is
older, which can change no more, the database itself makes the sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from opsctl.drills.reconciliation import Books, Held
from opsctl.drills.record import Executed
from opsctl.health.sql import ReadSecret, connect
from opsctl.services.base import SqlProbe

_TABLES: dict[str, LiteralString] = {
    "orders": (
        "SELECT id, decision_id, symbol, side, qty, order_type, limit_price, tif, state, cum_qty,"
        " avg_px, reason, probe, decided_ns, received_ns, journaled_ns, sent_ns, journal_index,"
        " settled FROM orders WHERE journal_index > %s ORDER BY id"
    ),
    "fills": (
        "SELECT venue, day, exec_id, side, order_id, symbol, qty, price, at_ns, journal_index"
        " FROM fills WHERE journal_index > %s ORDER BY journal_index, exec_id, side"
    ),
}


_BOOKED: LiteralString = (
    "SELECT symbol, side, count(*), sum(qty), sum(qty * price) FROM fills"
    " WHERE journal_index <= %s GROUP BY symbol, side"
)


@contextmanager
def reading(at: SqlProbe, secret: ReadSecret) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Connect to read everything as it was at one instant; raises `psycopg.Error`."""
    with connect(at, secret) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def held(at: SqlProbe, secret: ReadSecret) -> Held:
    """Return what the books hold now; raises `psycopg.Error`."""
    with reading(at, secret) as connection:
        return _summed(connection, _held(connection))


def again(at: SqlProbe, secret: ReadSecret, before: Held) -> tuple[Held, set[str]]:
    """Return what the books say now of what they held before, and the orders changed since.

    Raises `psycopg.Error`.
    """
    with reading(at, secret) as connection:
        return _summed(connection, before), set(_states(connection, before))


def books(site: str, at: SqlProbe, secret: ReadSecret, before: Held) -> Books:
    """Return what changed in the books since, and what is open; raises `psycopg.Error`."""
    with reading(at, secret) as connection:
        fills = {
            (day.isoformat(), exec_id, side): Executed(order, symbol, side, qty, Decimal(price))
            for day, exec_id, side, order, symbol, qty, price in connection.execute(
                "SELECT day, exec_id, side, order_id, symbol, qty, price FROM fills"
                " WHERE journal_index > %s",
                (before.index,),
            )
        }
        now = _held(connection).positions
        return Books(site, _states(connection, before), fills, now, before.positions)


def read(at: SqlProbe, secret: ReadSecret, after: int, before: Held) -> list[dict[str, Any]]:
    """Return what the books have of everything after a record; raises `psycopg.Error`.

    `before` is what they held when the drill began: the rows lead from there to what they
    hold now, by the fills between.
    """
    with reading(at, secret) as connection:
        now = _held(connection)
        cursor = connection.cursor(row_factory=dict_row)
        since = min(after, before.index)
        rows = [*_positions(before, "before"), *_positions(now, "after")]
        for table, query in _TABLES.items():
            rows += [
                {"table": table} | {name: _plain(value) for name, value in row.items()}
                for row in cursor.execute(query, (since,))
            ]
    return rows


def _held(connection: psycopg.Connection[tuple[Any, ...]]) -> Held:
    found = connection.execute("SELECT index FROM journal_position").fetchone()
    rows = connection.execute("SELECT symbol, qty FROM positions WHERE qty <> 0 ORDER BY symbol")
    return Held(int(found[0]) if found else 0, dict(rows.fetchall()))


def _states(connection: psycopg.Connection[tuple[Any, ...]], before: Held) -> dict[str, str]:
    """Return the state of every order that changed since, or is open."""
    return dict(
        connection.execute(
            "SELECT id, state FROM orders WHERE journal_index > %s OR NOT settled", (before.index,)
        ).fetchall()
    )


def _summed(connection: psycopg.Connection[tuple[Any, ...]], of: Held) -> Held:
    booked = {
        (symbol, side): (count, int(qty), Decimal(usd))
        for symbol, side, count, qty, usd in connection.execute(_BOOKED, (of.index,))
    }
    found = connection.execute("SELECT count(*) FROM orders").fetchone()
    return replace(of, booked=booked, orders=int(found[0]) if found else 0)


def _positions(held: Held, when: str) -> Iterator[dict[str, Any]]:
    yield {"table": "journal_position", "when": when, "index": held.index}
    for symbol, qty in held.positions.items():
        yield {"table": "positions", "when": when, "symbol": symbol, "qty": qty}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | date) else value
