from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from apps.core.migrations import SchemaTooNew, migrate
from tests.support.servers import PostgresServer, postgres

FIRST = "CREATE TABLE thing (id int); INSERT INTO thing VALUES (1)"
SECOND = "ALTER TABLE thing ADD COLUMN name text"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as running:
        yield running


def rows(server: PostgresServer, query: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(query).fetchall()


def test_a_schema_only_moves_forward(server: PostgresServer) -> None:
    async def story() -> None:
        connection = await psycopg.AsyncConnection.connect(server.dsn, autocommit=True)
        async with connection:
            assert await migrate(connection, "things", [FIRST]) == 1
            assert await migrate(connection, "things", [FIRST]) == 0
            assert await migrate(connection, "things", [FIRST, SECOND]) == 1
            with pytest.raises(SchemaTooNew, match="version 2"):
                await migrate(connection, "things", [FIRST])
            with pytest.raises(psycopg.errors.UndefinedTable):
                await migrate(
                    connection, "things", [FIRST, SECOND, "DROP TABLE thing", "DROP TABLE no"]
                )

    asyncio.run(story())
    # The failed migration took nothing along.
    assert rows(server, b"SELECT id, name FROM thing") == [(1, None)]
    assert rows(server, b"SELECT version FROM schema_versions WHERE owner = 'things'") == [(2,)]


def test_owners_that_start_at_once_take_turns(server: PostgresServer) -> None:
    async def one(owner: str) -> int:
        connection = await psycopg.AsyncConnection.connect(server.dsn, autocommit=True)
        async with connection:
            return await migrate(connection, owner, ["CREATE TABLE common (id int)"])

    async def at_once() -> list[int]:
        return list(await asyncio.gather(one("left"), one("left"), one("left")))

    assert sorted(asyncio.run(at_once())) == [0, 0, 1]
