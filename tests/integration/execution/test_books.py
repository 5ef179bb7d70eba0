"""The journal into the tables of a real PostgreSQL, many records at once."""

from __future__ import annotations

import asyncio

import psycopg

from apps.core.migrations import migrate
from apps.core.records import Batch
from apps.execution import books
from apps.execution.apply import KEPT_ORDERS
from tests.support import servers
from tests.support.drilled import made

ORDERS = 2 * KEPT_ORDERS


def test_more_orders_than_the_state_remembers_are_booked_in_one_transaction() -> None:
    records = tuple(record for _, record in made(ORDERS).journal)
    batch = Batch(first=1, epoch=3, writer="a-1", records=records)

    async def project(dsn: str) -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await migrate(connection, books.OWNER, books.STEPS)
            await books.project(connection, await books.load(connection), [batch])

    with servers.postgres() as server:
        asyncio.run(project(server.dsn))
        with psycopg.connect(server.dsn) as connection:
            states = connection.execute(
                "SELECT state, settled, count(*) FROM orders GROUP BY state, settled"
            ).fetchall()
            fills = connection.execute(
                "SELECT count(*), count(decision_seq), count(DISTINCT order_id) FROM fills"
            ).fetchone()
            at = connection.execute("SELECT index FROM journal_position").fetchone()
    assert states == [("filled", True, ORDERS)]
    assert fills == (ORDERS, ORDERS, ORDERS)
    assert at == (len(records),)
