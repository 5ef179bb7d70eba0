"""What a drill reads of a site's books, by a real PostgreSQL with the projector's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import psycopg
import pytest

from apps.execution.books import STEPS
from opsctl.drills import book_rows
from opsctl.drills.reconciliation import gone
from opsctl.drills.record import Executed
from opsctl.services.base import Address, SqlProbe
from tests.support import servers

Connection = psycopg.Connection[tuple[object, ...]]
Secret = Callable[[str], str]


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[SqlProbe, Secret, Connection]]:
    with servers.postgres() as server, psycopg.connect(server.dsn, autocommit=True) as connection:
        for step in STEPS:
            connection.execute(step)
        at = Address(host="127.0.0.1", port=server.port)
        yield (
            SqlProbe(at=at, user="trading", database="trading", secret="db"),
            {"db": server.password}.__getitem__,
            connection,
        )


def order(connection: Connection, name: str, state: str, index: int) -> None:
    connection.execute(
        "INSERT INTO orders (id, decision_id, symbol, side, qty, state, cum_qty, avg_px,"
        " journal_index, settled) VALUES (%s, 'd', 'AAPL', 'buy', 5, %s, 0, 0, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, settled = EXCLUDED.settled,"
        " journal_index = EXCLUDED.journal_index",
        (name, state, index, state == "filled"),
    )


def fill(connection: Connection, name: str, exec_id: str, index: int, qty: int = 5) -> None:
    connection.execute(
        "INSERT INTO fills (venue, day, exec_id, side, order_id, symbol, qty, price, at_ns,"
        " journal_index) VALUES ('VENUE', '2010-01-05', %s, 'buy', %s, 'AAPL', %s, 10.5, 1, %s)",
        (exec_id, name, qty, index),
    )
    connection.execute(
        "INSERT INTO positions VALUES ('AAPL', %s, 0) ON CONFLICT (symbol)"
        " DO UPDATE SET qty = positions.qty + EXCLUDED.qty",
        (qty,),
    )
    connection.execute("UPDATE journal_position SET index = %s", (index,))


def test_what_changed_is_read_and_what_is_older_is_summed(
    database: tuple[SqlProbe, Secret, Connection],
) -> None:
    at, secret, connection = database
    for number in range(10):
        order(connection, f"old-{number}", "filled", number + 1)
        fill(connection, f"old-{number}", f"E{number}", number + 1)
    order(connection, "rests", "new", 9)
    before = book_rows.held(at, secret)
    assert (before.index, before.positions, before.orders) == (10, {"AAPL": 50}, 11)
    assert before.booked == {("AAPL", "buy"): (10, 50, Decimal(525))}

    order(connection, "new", "filled", 12)
    fill(connection, "new", "E12", 13, qty=7)
    books = book_rows.books("a", at, secret, before)
    assert books.states == {"rests": "new", "new": "filled"}
    price = Decimal("10.5")
    assert books.fills == {("2010-01-05", "E12", "buy"): Executed("new", "AAPL", "buy", 7, price)}
    assert (books.before, books.held) == ({"AAPL": 50}, {"AAPL": 57})
    now, changed = book_rows.again(at, secret, before)
    assert gone("a", before, now, changed & {"new"}) == ([], [])

    connection.execute("DELETE FROM fills WHERE exec_id = 'E3'")
    connection.execute("DELETE FROM orders WHERE id IN ('old-3', 'old-4')")
    now, changed = book_rows.again(at, secret, before)
    lost, positions = gone("a", before, now, changed & {"new"})
    assert lost == [
        (
            "AAPL buy: 10 executions (50 shares, 525.0000 USD) in the books of a before the drill, "
            "9 executions (45 shares, 472.5000 USD) of them now"
        ),
        "2 orders from before the drill: not in the books of a any more",
    ]
    assert positions == []
