"""The journal into the tables of a real PostgreSQL, many records at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from prometheus_client import REGISTRY

from apps.core.messages import OrderType
from apps.core.migrations import migrate
from apps.core.records import Batch, JournalRecord
from apps.execution import books
from apps.execution.apply import KEPT_ORDERS
from apps.execution.decide import step
from apps.execution.events import Decided, Event, Reported, TookOver
from apps.execution.state import State
from tests.support import servers
from tests.support.drilled import made
from tests.unit.execution.made import context, decision, fill, intent

ORDERS = 2 * KEPT_ORDERS
EVERYTHING = (
    "SELECT * FROM journal_position",
    "SELECT * FROM decisions ORDER BY id",
    "SELECT * FROM orders ORDER BY id",
    "SELECT * FROM fills ORDER BY exec_id",
    "SELECT * FROM positions ORDER BY symbol",
    "SELECT * FROM cash",
)


@pytest.fixture(scope="module")
def server() -> Iterator[servers.PostgresServer]:
    with servers.postgres() as found:
        yield found


def project(dsn: str, schema: str, *transactions: Sequence[JournalRecord]) -> None:
    """Project records into books of their own, so many in each transaction."""

    async def go() -> None:
        connecting = psycopg.AsyncConnection.connect(
            dsn, autocommit=True, options=f"-c search_path={schema}"
        )
        async with await connecting as connection:
            await connection.execute(f"CREATE SCHEMA {schema}")
            await migrate(connection, books.OWNER, books.STEPS)
            state = await books.load(connection)
            for records in transactions:
                batch = Batch(first=state.index + 1, epoch=3, writer="a-1", records=(*records,))
                await books.project(connection, state, [batch])

    asyncio.run(go())


def rows(dsn: str, schema: str, query: str) -> list[Any]:
    with psycopg.connect(dsn, options=f"-c search_path={schema}") as connection:
        return connection.execute(query).fetchall()


def test_more_orders_than_the_state_remembers_are_booked_in_one_transaction(
    server: servers.PostgresServer,
) -> None:
    records = [record for _, record in made(ORDERS).journal]
    project(server.dsn, "many", records)
    states = rows(
        server.dsn, "many", "SELECT state, settled, count(*) FROM orders GROUP BY state, settled"
    )
    assert states == [("filled", True, ORDERS)]
    counts = "SELECT count(*), count(decision_seq), count(DISTINCT order_id) FROM fills"
    assert rows(server.dsn, "many", counts) == [(ORDERS, ORDERS, ORDERS)]
    assert rows(server.dsn, "many", "SELECT index FROM journal_position") == [(len(records),)]


def happened() -> list[JournalRecord]:
    """Return records of what the books tell apart: filled, refused, divergent, by the market."""
    market = intent("market", symbol="MSFT", order_type=OrderType.MARKET, limit=None, qty=7)
    too_large = intent("large", symbol="GE", qty=5_000, limit=Decimal("50.0000"))
    mixed = decision(intent(), market, too_large)
    other = decision(intent(qty=1))
    later = decision(intent("later", qty=3), seq=8, expires_seq=9)
    events: list[Event] = [
        TookOver(1, "x", Decimal(1_000_000)),
        Decided("1-0", mixed, 5),
        Reported(fill("E1", 40, 40)),
        Decided("2-0", other, 6),
        Decided("3-0", later, 7),
        Reported(fill("E2", 60, 100, seq=3)),
        Reported(fill("E3", 7, 7, seq=4, order="market", symbol="MSFT", ord_status="2")),
    ]
    return step(State(), events, context()).records


def test_the_books_are_the_same_however_many_records_a_transaction_takes(
    server: servers.PostgresServer,
) -> None:
    records = happened()
    project(server.dsn, "together", records)
    project(server.dsn, "apart", *([record] for record in records))
    for query in EVERYTHING:
        found = rows(server.dsn, "together", query)
        assert found
        assert found == rows(server.dsn, "apart", query)
    decided = rows(server.dsn, "together", "SELECT id, verdict, reason FROM decisions ORDER BY 1")
    assert decided == [
        ("s-7", "done", "another content arrived under a known id"),
        ("s-8", "open", ""),
    ]
    orders = "SELECT id, state, settled, limit_price, cum_qty, avg_px FROM orders ORDER BY 1"
    assert rows(server.dsn, "together", orders) == [
        ("large", "rejected", True, Decimal(50), 0, 0),
        ("later", "pending_new", False, Decimal(10), 0, 0),
        ("market", "filled", True, None, 7, Decimal(10)),
        ("s-7-AAPL-0", "filled", True, Decimal(10), 100, Decimal(10)),
    ]


def test_an_execution_that_is_told_of_two_orders_is_booked_once_and_told(
    server: servers.PostgresServer,
) -> None:
    def alarms() -> float:
        kind = {"kind": "execution_of_two_orders"}
        return REGISTRY.get_sample_value("trading_alarms_total", kind) or 0.0

    records = happened()
    again = [
        msgspec.structs.replace(record, exec_id="E1")
        if getattr(record, "exec_id", "") == "E3"
        else record
        for record in records
    ]
    before = alarms()
    project(server.dsn, "twice", again)
    assert alarms() == before + 1
    booked = rows(server.dsn, "twice", "SELECT exec_id, order_id FROM fills ORDER BY 1")
    assert booked == [("E1", "s-7-AAPL-0"), ("E2", "s-7-AAPL-0")]
