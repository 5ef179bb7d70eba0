"""Reads from the books how long the orders of real decisions took."""

from __future__ import annotations

from opsctl.errors import ObjectiveMissed
from opsctl.health.sql import ReadSecret, connect
from opsctl.services.base import SqlProbe

_TOOK = (
    "SELECT id, sent_ns - data_in_ns, data_in_ns FROM orders"
    " WHERE probe = '' AND sent_ns > 0 AND data_in_ns > %s ORDER BY data_in_ns"
)


class BooksUnreadable(ObjectiveMissed):
    """The books cannot be read now."""


def orders_took_ns(at: SqlProbe, secret: ReadSecret, since_ns: int) -> list[tuple[str, int, int]]:
    """Return id, tick-to-order and tick of every order since a time, probes left out."""
    import psycopg

    try:
        with connect(at, secret) as connection:
            return connection.execute(_TOOK, (since_ns,)).fetchall()
    except psycopg.Error as fault:
        raise BooksUnreadable(
            f"PostgreSQL on {at.at} does not answer: {str(fault).partition(chr(10))[0]}",
            hint="opsctl status shows whether it runs, opsctl logs postgres why not",
        ) from fault
