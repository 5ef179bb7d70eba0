"""The book of record in PostgreSQL: its tables, and how the journal becomes rows.

The projector applies records with the very functions of the order path. What those need
of the past is read back from the rows (an order keeps its facts beside its columns), so
that the books carry everything that continuing them needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import msgspec
import structlog
from psycopg import AsyncConnection

from apps.core.messages import DecisionDone, Fill, OrderState, OrderUpdate
from apps.core.records import (
    Batch,
    CancelsRequested,
    DecisionTaken,
    DoubtOpened,
    DoubtSettled,
    JournalRecord,
    OrdersSent,
    OrdersWithheld,
    Outcome,
    ReportSeen,
)
from apps.execution import metrics
from apps.execution.actions import Publish
from apps.execution.apply import apply
from apps.execution.order import Order
from apps.execution.portfolio import Portfolio, Position
from apps.execution.state import State, Taken

log = structlog.get_logger()

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

_ORDER: LiteralString = """
    INSERT INTO orders (id, decision_id, symbol, side, qty, order_type, limit_price, tif, state,
        cum_qty, avg_px, reason, probe, data_in_ns, published_ns, decided_ns, received_ns,
        journaled_ns, sent_ns, journal_index, settled, facts)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, cum_qty = EXCLUDED.cum_qty,
        avg_px = EXCLUDED.avg_px, reason = EXCLUDED.reason, received_ns = EXCLUDED.received_ns,
        journaled_ns = EXCLUDED.journaled_ns, sent_ns = EXCLUDED.sent_ns,
        journal_index = EXCLUDED.journal_index, settled = EXCLUDED.settled, facts = EXCLUDED.facts
"""
_REFUSED: LiteralString = """
    INSERT INTO orders (id, decision_id, symbol, side, qty, order_type, limit_price, tif, state,
        cum_qty, avg_px, reason, probe, data_in_ns, published_ns, decided_ns, received_ns,
        journal_index, settled)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, %s, %s, %s, %s, %s, %s, %s, true)
    ON CONFLICT (id) DO NOTHING
"""
_FILL: LiteralString = """
    INSERT INTO fills (venue, day, exec_id, side, order_id, decision_seq, symbol, qty, price,
        at_ns, journal_index)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
_DECISION: LiteralString = """
    INSERT INTO decisions (id, strategy, seq, day, verdict, reason, digest, outcome, journal_index)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_DONE: LiteralString = "UPDATE decisions SET verdict = %s, journal_index = %s WHERE id = %s"
_DIVERGED: LiteralString = "UPDATE decisions SET reason = %s, journal_index = %s WHERE id = %s"
_POSITION: LiteralString = """
    INSERT INTO positions (symbol, qty, cost) VALUES (%s, %s, %s)
    ON CONFLICT (symbol) DO UPDATE SET qty = EXCLUDED.qty, cost = EXCLUDED.cost
"""
_MOVE: LiteralString = """
    UPDATE journal_position SET index = %s, epoch = %s, site = %s, capital_usd = %s
    WHERE index = %s
"""

Connection = AsyncConnection[tuple[Any, ...]]

_facts = msgspec.json.Encoder(decimal_format="string")


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
    rows = _Rows()
    records = [record for batch in batches for record in batch.records]
    async with connection.transaction():
        await recall(connection, state, records)
        for record in records:
            rows.take(state, record)
        await _write(connection, state, rows)
        moved = await connection.execute(
            _MOVE, (state.index, state.epoch, state.site, state.capital_usd, before)
        )
        if moved.rowcount != 1:
            raise Moved(f"the books are not at {before}")
    metrics.PROJECTED.inc(len(records))


class _Rows:
    """What records change, gathered so that a row is written once.

    Orders are kept here as well: the state forgets settled ones while records of many more
    are applied.
    """

    def __init__(self) -> None:
        self.orders: dict[str, tuple[Order, int]] = {}
        """Changed orders, and the index of the record that changed them last."""
        self.refused: list[tuple[object, ...]] = []
        self.decisions: list[tuple[object, ...]] = []
        self.updates: list[tuple[LiteralString, tuple[object, ...]]] = []
        self.fills: list[Fill] = []
        self.symbols: set[str] = set()

    def take(self, state: State, record: JournalRecord) -> None:
        actions = apply(state, record)
        if isinstance(record, DecisionTaken):
            self._decision(state, record)
        if isinstance(record, OrdersSent):
            self._changed(state, record.at_ns)
        for action in actions:
            if isinstance(action, Publish):
                self._told(state, action.message, record)

    def _decision(self, state: State, record: DecisionTaken) -> None:
        decision, taken = record.decision, state.decisions[record.decision.id]
        verdict = {Outcome.ACCEPTED: "open" if taken.open else "done"}.get(
            record.outcome, str(record.outcome)
        )
        self.decisions.append(
            (
                *(decision.id, decision.strategy, decision.seq, decision.day or None, verdict),
                *(record.reason, record.digest, str(record.outcome), state.index),
            )
        )
        self._changed(state, taken.open)

    def _changed(self, state: State, orders: Iterable[str]) -> None:
        self.orders |= {o: (state.orders[o], state.index) for o in orders if o in state.orders}

    def _told(
        self, state: State, message: OrderUpdate | Fill | DecisionDone, record: JournalRecord
    ) -> None:
        match message:
            case OrderUpdate() if message.id in state.orders:
                self._changed(state, (message.id,))
            case OrderUpdate() if isinstance(record, DecisionTaken):
                self.refused.append(_refused_row(message, record))
            case Fill():
                self.fills.append(message)
                self._changed(state, (message.order,))
                self.symbols.add(message.symbol)
            case DecisionDone(verdict="divergent"):
                self.updates.append((_DIVERGED, (message.reason, message.index, message.decision)))
            case DecisionDone():
                done = (message.verdict, message.index, message.decision)
                self.updates.append((_DONE, done))


async def _write(connection: Connection, state: State, rows: _Rows) -> None:
    cursor, changed = connection.cursor(), rows.orders
    if rows.decisions:
        await cursor.executemany(_DECISION, rows.decisions)
    if changed:
        await cursor.executemany(
            _ORDER,
            [_order_row(state.orders.get(o, kept), index) for o, (kept, index) in changed.items()],
        )
    if rows.refused:
        await cursor.executemany(_REFUSED, rows.refused)
    for query, values in rows.updates:
        await cursor.execute(query, values)
    for fill in rows.fills:
        order, _ = changed.get(fill.order, (None, 0))
        await cursor.execute(_FILL, _fill_row(fill, order))
        if cursor.rowcount != 1:
            metrics.ALARMS.labels("execution_of_two_orders").inc()
            log.error("execution booked for two orders", exec_id=fill.exec_id, order=fill.order)
    if rows.symbols:
        held = state.portfolio.positions
        await cursor.executemany(
            _POSITION, [(s, held[s].qty, held[s].cost) for s in rows.symbols if s in held]
        )
    await cursor.execute("UPDATE cash SET usd = %s WHERE usd <> %s", (state.portfolio.cash,) * 2)


def _order_row(order: Order, index: int) -> tuple[object, ...]:
    intent, stamps = order.intent, order.stamps
    return (
        *(order.id, order.decision, order.symbol, str(order.side), order.qty),
        *((str(intent.order_type), intent.limit, str(intent.tif)) if intent else (None,) * 3),
        *(str(order.state), order.cum_qty, order.avg_px, order.reason, order.probe),
        *(stamps.data_in, stamps.published, stamps.decided, stamps.received),
        *(stamps.journaled, stamps.sent, index, order.settled, _facts.encode(order).decode()),
    )


def _refused_row(update: OrderUpdate, record: DecisionTaken) -> tuple[object, ...]:
    intent = next(i for i in record.decision.intents if i.id == update.id)
    stamps = update.stamps
    return (
        *(update.id, update.decision, update.symbol, str(update.side), update.qty),
        *(str(intent.order_type), intent.limit, str(intent.tif), str(OrderState.REJECTED)),
        *(update.reason, update.probe, stamps.data_in, stamps.published, stamps.decided),
        *(stamps.received, update.index),
    )


def _fill_row(fill: Fill, order: Order | None) -> tuple[object, ...]:
    return (
        *(fill.venue, fill.day, fill.exec_id, str(fill.side), fill.order),
        *(order.seq if order else None, fill.symbol, fill.qty, fill.price),
        *(fill.at_ns, fill.index),
    )
