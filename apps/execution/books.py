"""The book of record in PostgreSQL: its tables, and how it follows the journal.

The projector applies records with the very functions of the order path. What those need
of the past is read back from the rows (an order keeps its facts beside its columns), so
that the books carry everything that continuing them needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import LiteralString

import msgspec

from apps.core.records import (
    Batch,
    CancelsRequested,
    DoubtOpened,
    DoubtSettled,
    JournalRecord,
    OrdersSent,
    OrdersWithheld,
    Outcome,
    ReportSeen,
)
from apps.execution import metrics
from apps.execution.order import Order
from apps.execution.portfolio import Portfolio, Position
from apps.execution.rows import Connection, Rows
from apps.execution.state import State, Taken

OWNER = "projector"
STEPS: tuple[LiteralString, ...] = (
    """
    CREATE TABLE journal_position (
        one bool PRIMARY KEY DEFAULT true CHECK (one),
        index bigint NOT NULL,
        epoch int NOT NULL DEFAULT 0,
        site text NOT NULL DEFAULT '',
        capital_usd numeric NOT NULL DEFAULT 0
    );
    INSERT INTO journal_position (index) VALUES (0);
    CREATE TABLE decisions (
        id text PRIMARY KEY,
        strategy text NOT NULL,
        seq bigint NOT NULL,
        day date,
        verdict text NOT NULL,
        reason text NOT NULL DEFAULT '',
        digest text NOT NULL,
        outcome text NOT NULL,
        journal_index bigint NOT NULL
    );
    CREATE TABLE orders (
        id text PRIMARY KEY,
        decision_id text NOT NULL,
        symbol text NOT NULL,
        side text NOT NULL,
        qty bigint NOT NULL,
        order_type text,
        limit_price numeric(18,4),
        tif text,
        state text NOT NULL,
        cum_qty bigint NOT NULL,
        avg_px numeric NOT NULL,
        reason text NOT NULL DEFAULT '',
        probe text NOT NULL DEFAULT '',
        data_in_ns bigint NOT NULL DEFAULT 0,
        published_ns bigint NOT NULL DEFAULT 0,
        decided_ns bigint NOT NULL DEFAULT 0,
        received_ns bigint NOT NULL DEFAULT 0,
        journaled_ns bigint NOT NULL DEFAULT 0,
        sent_ns bigint NOT NULL DEFAULT 0,
        journal_index bigint NOT NULL,
        settled bool NOT NULL,
        facts jsonb
    );
    CREATE INDEX orders_decision ON orders (decision_id);
    CREATE INDEX orders_journal_index ON orders (journal_index);
    CREATE INDEX orders_open ON orders (id) WHERE NOT settled;
    CREATE TABLE fills (
        venue text NOT NULL,
        day date NOT NULL,
        exec_id text NOT NULL,
        side text NOT NULL,
        order_id text NOT NULL,
        decision_seq bigint,
        symbol text NOT NULL,
        qty bigint NOT NULL,
        price numeric(18,4) NOT NULL,
        at_ns bigint NOT NULL,
        journal_index bigint NOT NULL,
        PRIMARY KEY (venue, day, exec_id, side)
    );
    CREATE INDEX fills_order ON fills (order_id);
    CREATE INDEX fills_journal_index ON fills (journal_index);
    CREATE TABLE positions (symbol text PRIMARY KEY, qty bigint NOT NULL, cost numeric NOT NULL);
    CREATE TABLE cash (
        one bool PRIMARY KEY DEFAULT true CHECK (one),
        usd numeric NOT NULL
    );
    INSERT INTO cash (usd) VALUES (0);
    """,
)

_MOVE: LiteralString = """
    UPDATE journal_position SET index = %s, epoch = %s, site = %s, capital_usd = %s
    WHERE index = %s
"""


class Moved(Exception):
    """Another projector moved the books: start over from where they are."""


async def load(connection: Connection) -> State:
    """Return the state that the books hold: position, holdings, open orders."""
    found = await connection.execute(
        "SELECT index, epoch, site, capital_usd, (SELECT usd FROM cash) FROM journal_position"
    )
    row = await found.fetchone()
    if row is None:
        raise Moved("journal_position is empty")
    index, epoch, site, capital_usd, cash = row
    held = await connection.execute("SELECT symbol, qty, cost FROM positions")
    positions = {symbol: Position(qty, cost) for symbol, qty, cost in await held.fetchall()}
    state = State(
        index=index,
        epoch=epoch,
        site=site,
        capital_usd=capital_usd,
        portfolio=Portfolio(cash, positions),
    )
    opened = await connection.execute(
        "SELECT facts::text FROM orders WHERE NOT settled ORDER BY journal_index, id"
    )
    for (facts,) in await opened.fetchall():
        order = msgspec.json.decode(facts, type=Order)
        state.orders[order.id] = order
        state.open[order.id] = None
    await _recall_decisions(connection, state, {o.decision for o in state.orders.values()})
    return state


async def recall(connection: Connection, state: State, records: Iterable[JournalRecord]) -> None:
    """Read into the state what records refer to and it does not hold."""
    orders = {order for record in records for order in _orders_in(record)} - state.orders.keys()
    if orders:
        found = await connection.execute(
            "SELECT facts::text FROM orders WHERE id = ANY(%s) AND facts IS NOT NULL",
            (list(orders),),
        )
        for (facts,) in await found.fetchall():
            order = msgspec.json.decode(facts, type=Order)
            state.orders[order.id] = order
            if not order.settled:
                state.open[order.id] = None


async def _recall_decisions(connection: Connection, state: State, decisions: set[str]) -> None:
    found = await connection.execute(
        "SELECT id, seq, digest, outcome, reason FROM decisions WHERE id = ANY(%s)",
        (list(decisions),),
    )
    for name, seq, digest, outcome, reason in await found.fetchall():
        state.decisions[name] = Taken(
            id=name,
            seq=seq,
            digest=digest,
            outcome=Outcome(outcome),
            reason=reason,
            open=frozenset(o for o in state.open if state.orders[o].decision == name),
        )


def _orders_in(record: JournalRecord) -> Iterable[str]:
    match record:
        case ReportSeen() | DoubtSettled():
            return (record.order,)
        case OrdersSent():
            return record.at_ns
        case DoubtOpened():
            return record.orders
        case OrdersWithheld():
            return record.reasons
        case CancelsRequested():
            return record.cancels
        case _:
            return ()


async def project(connection: Connection, state: State, batches: Sequence[Batch]) -> None:
    """Apply batches to the books and to the state, in one transaction.

    Raises `Moved` where the books are not at the state's position: nothing is written.
    After any error the state is spent; `load` it again.
    """
    before = state.index
    rows = Rows()
    records = [record for batch in batches for record in batch.records]
    async with connection.transaction():
        await recall(connection, state, records)
        for record in records:
            rows.take(state, record)
        await rows.write(connection, state)
        moved = await connection.execute(
            _MOVE, (state.index, state.epoch, state.site, state.capital_usd, before)
        )
        if moved.rowcount != 1:
            raise Moved(f"the books are not at {before}")
    metrics.PROJECTED.inc(len(records))
